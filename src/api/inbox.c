/* /v1/inbox/notifications: what a person's browser reads and changes (inbox-realtime.md §2.2–2.7). */
#include "api/inbox_private.h"
#include "api/tables.h"

/* A count that looks into documents shares its rows among the filters of the request. */
enum { FILTERS_MAX = 30, COUNT_ROWS = 20000, COUNT_ROWS_EACH = 5000 };

static struct inbox_owner owner_of(struct request *rq)
{
    return (struct inbox_owner){.environment = rq->principal.environment, .subscriber = rq->principal.subscriber,
                                .context = rq->principal.context};
}

/* A token outlives its subscriber (§0, Auth). */
static bool caller_read(struct request *rq, struct subscriber *s)
{
    struct error err = {0};
    if (subscriber_find_by_id(app_db(rq), rq->arena, rq->principal.environment, rq->principal.subscriber, s, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 401, "Unauthorized");
    reply_error(rq, &err);
    return false;
}

bool inbox_caller_known(struct request *rq)
{
    struct subscriber s;
    return caller_read(rq, &s);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data"), *echo = yyjson_mut_obj(d);
    struct inbox_owner owner = owner_of(rq);
    struct inbox_filter filter;
    struct inbox_page page;
    struct subscriber s;
    struct error err = {0};
    struct id after = {{0}};
    struct str cursor = request_query(rq, "after");
    int limit = (int)check_query_int(&checks, "limit", 10, 1, 100);
    int64_t offset = check_query_int(&checks, "offset", 0, 0, INT64_MAX);
    if (cursor.n && !id_parse(cursor, &after))
        check_fail(&checks, "The after cursor must be a valid MongoDB ObjectId");
    bool valid = inbox_filter_from_query(&checks, &filter, d, echo, &err);
    if (!checks_done(&checks))
        return;
    if (cursor.n && id_is_zero(after))
        valid = error_set(&err, ERROR_BAD_INPUT, "Invalid after id");
    if (!valid) {
        reply_error(rq, &err);
        return;
    }
    if (!caller_read(rq, &s))
        return;
    if (!inbox_list(app_db(rq), rq->arena, &owner, &filter, after, offset, limit, &page, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < page.n; i++)
        yyjson_mut_arr_append(list, inbox_message_json(d, rq->arena, &page.items[i], &s));
    json_add_bool(d, o, "hasMore", page.has_more);
    yyjson_mut_obj_add_val(d, o, "filter", echo);
    reply_json(rq, 0, o);
}

/* The `filters` parameter; without one, everything is counted. */
static bool filters_read(struct checks *c, yyjson_val **filters, struct error *err)
{
    struct str text = request_query(c->rq, "filters");
    struct error syntax = {0};
    if (!json_parse(c->rq->arena, text.n ? text : STR("[{}]"), filters, &syntax))
        return error_http(err, 400, "Invalid filters, the JSON object should be provided.");
    if (!yyjson_is_arr(*filters))
        check_fail(c, "filters must be an array");
    else if (yyjson_arr_size(*filters) > FILTERS_MAX)
        check_fail(c, "filters must contain no more than %d elements", FILTERS_MAX);
    return true;
}

static bool looks_inside(const struct inbox_filter *f)
{
    return f->tag_groups_n || f->data;
}

/* *inside: how many of them look into documents. */
static bool filters_parse(struct checks *c, yyjson_val *list, struct inbox_filter *out, int *inside, struct error *err)
{
    yyjson_val *v;
    size_t i = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    for (*inside = 0; (v = yyjson_arr_iter_next(&it)); i++) {
        if (!inbox_filter_from_json(c, i, v, &out[i], err))
            return false;
        *inside += looks_inside(&out[i]);
    }
    return true;
}

static bool counts_add(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *data, yyjson_val *list,
                       struct inbox_filter *filters, int rows, struct error *err)
{
    struct inbox_owner owner = owner_of(rq);
    yyjson_val *v;
    size_t i = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    for (; (v = yyjson_arr_iter_next(&it)); i++) {
        int n;
        filters[i].scan_max = rows;
        if (!inbox_count(app_db(rq), rq->arena, &owner, &filters[i], INBOX_COUNT_CAP, &n, err))
            return false;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, data);
        json_add_int(d, o, "count", n);
        json_add_val(d, o, "filter", v);        /* unchanged: clients pair answers with filters by it (§2.5) */
    }
    return true;
}

static void handle_count(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    struct inbox_filter filters[FILTERS_MAX];
    yyjson_val *list;
    struct subscriber s;
    struct error err = {0};
    int inside = 0;
    bool valid = filters_read(&checks, &list, &err) && (checks.n || filters_parse(&checks, list, filters, &inside, &err));
    if (!checks_done(&checks))
        return;
    int rows = inside * COUNT_ROWS_EACH > COUNT_ROWS ? COUNT_ROWS / inside : COUNT_ROWS_EACH;
    if (!valid) {
        reply_error(rq, &err);
        return;
    }
    if (!caller_read(rq, &s))
        return;
    if (!counts_add(rq, d, data, list, filters, rows, &err)) {
        reply_error(rq, &err);
        return;
    }
    reply_json(rq, 0, o);
}

/* --- writing one ------------------------------------------------------------------------------------------------ */

struct inbox_write {
    struct api_write w;
    struct inbox_owner owner;
    struct subscriber subscriber;
    struct id id;
    enum inbox_action action;
    struct str button;                  /* set: complete or revert it, instead of the action */
    bool complete;
    struct message row;                 /* afterwards */
};

static bool write_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct inbox_write *x = (struct inbox_write *)w;
    struct request *rq = w->rq;
    if (x->button.n)
        return inbox_complete(db, rq->arena, &x->owner, x->id, x->button, x->complete, app_now(rq), &x->row, err);
    return inbox_act(db, rq->arena, &x->owner, x->id, x->action, app_now(rq), &x->row, err);
}

static void write_reply(struct api_write *w)
{
    struct inbox_write *x = (struct inbox_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    hub_changed(app_of(w->rq)->hub, x->owner.subscriber, HUB_UNSEEN | HUB_UNREAD);
    if (x->action == INBOX_DELETE && !x->button.n)
        reply_empty(w->rq, 204);
    else
        reply_json(w->rq, 0, inbox_message_json(d, w->rq->arena, &x->row, &x->subscriber));
}

static void write_one(struct request *rq, enum inbox_action action, struct str button, bool complete)
{
    struct inbox_write *x = ARENA_NEW(rq->arena, struct inbox_write);
    struct str id = request_param(rq, "id");
    *x = (struct inbox_write){.w = {.apply = write_apply, .reply = write_reply}, .owner = owner_of(rq), .action = action,
                              .button = button, .complete = complete};
    if (!caller_read(rq, &x->subscriber))
        return;
    if (!id_parse(id, &x->id)) {
        reply_fail(rq, 404, "Notification with id: %.*s is not found.", STR_ARG(str_sub(id, 0, 64)));
        return;
    }
    api_write(rq, &x->w);
}

static void handle_read(struct request *rq) { write_one(rq, INBOX_READ, STR_NULL, false); }
static void handle_unread(struct request *rq) { write_one(rq, INBOX_UNREAD, STR_NULL, false); }
static void handle_archive(struct request *rq) { write_one(rq, INBOX_ARCHIVE, STR_NULL, false); }
static void handle_unarchive(struct request *rq) { write_one(rq, INBOX_UNARCHIVE, STR_NULL, false); }
static void handle_delete(struct request *rq) { write_one(rq, INBOX_DELETE, STR_NULL, false); }

static void write_button(struct request *rq, bool complete)
{
    struct checks checks = checks_begin(rq);
    struct str button = json_get_str(rq->json, "actionType");
    if (!str_eqz(button, "primary") && !str_eqz(button, "secondary"))
        check_fail(&checks, "actionType must be one of the following values: primary, secondary");
    if (checks_done(&checks))
        write_one(rq, INBOX_READ, button, complete);
}

static void handle_complete(struct request *rq) { write_button(rq, true); }
static void handle_revert(struct request *rq) { write_button(rq, false); }

/* --- writing many ------------------------------------------------------------------------------------------------ */

/* A sweep is several writes, each bounded, so that others' commits come in between. */
struct inbox_bulk {
    struct api_write w;
    struct inbox_owner owner;
    struct inbox_filter filter;
    enum inbox_action action;
    int64_t now;
    struct inbox_sweep from, to;        /* of the write under way: it may be applied more than once */
};

static bool bulk_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct inbox_bulk *x = (struct inbox_bulk *)w;
    x->to = x->from;
    return inbox_act_next(db, &x->owner, &x->filter, x->action, x->now, &x->to, err);
}

static void bulk_reply(struct api_write *w)
{
    struct inbox_bulk *x = (struct inbox_bulk *)w;
    struct request *rq = w->rq;
    x->from = x->to;
    if (!x->to.done) {
        api_write(rq, w);
        return;
    }
    hub_changed(app_of(rq)->hub, x->owner.subscriber, x->action == INBOX_SEEN ? HUB_UNSEEN : HUB_UNSEEN | HUB_UNREAD);
    reply_empty(rq, 204);
}

static void write_many(struct request *rq, enum inbox_action action)
{
    struct checks checks = checks_begin(rq);
    struct inbox_bulk *x = ARENA_NEW(rq->arena, struct inbox_bulk);
    struct subscriber s;
    struct error err = {0};
    x->w = (struct api_write){.flags = WRITE_CHAIN, .apply = bulk_apply, .reply = bulk_reply};
    x->owner = owner_of(rq);
    x->action = action;
    x->now = app_now(rq);
    bool valid = inbox_filter_from_body(&checks, rq->json, &x->filter, &err);
    if (!checks_done(&checks))
        return;
    if (!valid) {
        reply_error(rq, &err);
        return;
    }
    if (action != INBOX_SEEN) {
        x->filter.ids = NULL;           /* only /seen names ids */
        x->filter.ids_n = 0;
    }
    if (caller_read(rq, &s))
        api_write(rq, &x->w);
}

static void handle_read_all(struct request *rq) { write_many(rq, INBOX_READ); }
static void handle_archive_all(struct request *rq) { write_many(rq, INBOX_ARCHIVE); }
static void handle_read_archive(struct request *rq) { write_many(rq, INBOX_READ_ARCHIVE); }
static void handle_delete_all(struct request *rq) { write_many(rq, INBOX_DELETE); }
static void handle_seen(struct request *rq) { write_many(rq, INBOX_SEEN); }

#define INBOX(method, path, operation, summary, status, envelope, handler)                                       \
    {method, "/v1/inbox" path, operation, "Inbox", summary, AUTH_SUBSCRIBER, NULL, RATE_NONE, 0, status, envelope, \
     INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, handler}

const struct route inbox_routes[] = {
    {HTTP_POST, "/v1/inbox/session", "inboxSession", "Inbox", "Start a session of the Inbox", AUTH_PUBLIC, NULL, RATE_NONE, 0, 201,
     ENVELOPE_DATA, INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, inbox_handle_session},
    INBOX(HTTP_GET, "/notifications", "inboxList", "List messages", 200, ENVELOPE_NONE, handle_list),
    INBOX(HTTP_GET, "/notifications/count", "inboxCount", "Count messages", 200, ENVELOPE_NONE, handle_count),
    INBOX(HTTP_PATCH, "/notifications/{id}/read", "inboxRead", "Mark as read", 200, ENVELOPE_DATA, handle_read),
    INBOX(HTTP_PATCH, "/notifications/{id}/unread", "inboxUnread", "Mark as unread", 200, ENVELOPE_DATA, handle_unread),
    INBOX(HTTP_PATCH, "/notifications/{id}/archive", "inboxArchive", "Archive", 200, ENVELOPE_DATA, handle_archive),
    INBOX(HTTP_PATCH, "/notifications/{id}/unarchive", "inboxUnarchive", "Take out of the archive", 200, ENVELOPE_DATA,
          handle_unarchive),
    INBOX(HTTP_PATCH, "/notifications/{id}/complete", "inboxComplete", "Complete a button", 200, ENVELOPE_DATA, handle_complete),
    INBOX(HTTP_PATCH, "/notifications/{id}/revert", "inboxRevert", "Revert a button", 200, ENVELOPE_DATA, handle_revert),
    INBOX(HTTP_DELETE, "/notifications/{id}/delete", "inboxDelete", "Delete a message", 204, ENVELOPE_NONE, handle_delete),
    INBOX(HTTP_POST, "/notifications/read", "inboxReadAll", "Mark all as read", 204, ENVELOPE_NONE, handle_read_all),
    INBOX(HTTP_POST, "/notifications/archive", "inboxArchiveAll", "Archive all", 204, ENVELOPE_NONE, handle_archive_all),
    INBOX(HTTP_POST, "/notifications/read-archive", "inboxArchiveRead", "Archive those that are read", 204, ENVELOPE_NONE,
          handle_read_archive),
    INBOX(HTTP_POST, "/notifications/delete", "inboxDeleteAll", "Delete all", 204, ENVELOPE_NONE, handle_delete_all),
    INBOX(HTTP_POST, "/notifications/seen", "inboxSeen", "Mark as seen", 204, ENVELOPE_NONE, handle_seen),
    INBOX(HTTP_GET, "/preferences", "inboxPreferences", "List preferences", 200, ENVELOPE_DATA, inbox_handle_preferences),
    INBOX(HTTP_GET, "/preferences/global", "inboxGlobalPreference", "Retrieve the global preference", 200, ENVELOPE_DATA,
          inbox_handle_global_preference),
    INBOX(HTTP_PATCH, "/preferences", "inboxUpdateGlobalPreference", "Update the global preference", 200, ENVELOPE_DATA,
          inbox_handle_global_preference_write),
    INBOX(HTTP_PATCH, "/preferences/bulk", "inboxUpdatePreferences", "Update several preferences", 200, ENVELOPE_DATA,
          inbox_handle_bulk_preferences),
    INBOX(HTTP_PATCH, "/preferences/{workflow}", "inboxUpdatePreference", "Update the preference of a workflow", 200, ENVELOPE_DATA,
          inbox_handle_workflow_preference_write),
    INBOX(HTTP_PATCH, "/subscriptions/{identifier}/preferences/{workflow}", "inboxUpdateSubscriptionPreference",
          "Update what a topic subscription says of a workflow", 200, ENVELOPE_DATA, inbox_handle_subscription_preference_write),
};
const size_t inbox_routes_n = sizeof inbox_routes / sizeof *inbox_routes;
