/* /v1/inbox/notifications: what a person's browser reads and changes (inbox-realtime.md §2.2–2.7). */
#include "api/inbox_private.h"
#include "api/context_member.h"
#include "api/tables.h"

/* A count that looks into documents shares its rows among the filters of the request. */
enum { FILTERS_MAX = 30, COUNT_ROWS = 20000, COUNT_ROWS_EACH = 5000 };

/* A token outlives its subscriber (§0, Auth). */
bool inbox_caller_read(struct request *rq, struct subscriber *s)
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
    return inbox_caller_read(rq, &s);
}

/* --- whose Inbox ------------------------------------------------------------------------------------------------ */

/* {contextKeys: ["type:id", …]} of a body, as tokens have them: sorted. */
static bool body_contexts(struct request *rq, struct str *keys)
{
    yyjson_val *list = json_get(rq->json, "contextKeys");
    struct str sorted[CONTEXTS_MAX];
    struct buf b = {.arena = rq->arena};
    size_t n = 0, i, max;
    yyjson_val *v;
    if (!yyjson_is_arr(list))
        return false;
    yyjson_arr_foreach(list, i, max, v) {
        size_t k = n;
        if (n == CONTEXTS_MAX || !json_str(v).n)
            continue;
        for (n++; k > 0 && str_cmp(sorted[k - 1], json_str(v)) > 0; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = json_str(v);
    }
    for (i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_str(&b, sorted[i]);
    }
    *keys = b.n ? buf_finish(&b) : STR("");
    return true;
}

/* Of the path's subscriber, in the contexts that are asked for (rest-api.md §6.3). */
static bool scope_by_path(struct request *rq, struct inbox_scope *x, bool counts)
{
    struct str id = request_param(rq, "subscriberId"), *keys = ARENA_NEW(rq->arena, struct str);
    struct error err = {0};
    if (!subscriber_find(app_db(rq), rq->arena, rq->principal.environment, id, &x->subscriber, &err)) {
        char hex[ID_HEX + 1];
        id_hex(rq->principal.environment, hex);
        id = str_sub(id, 0, 200);
        if (err.code != ERROR_NOT_FOUND)
            reply_error(rq, &err);
        else if (counts)
            reply_fail(rq, 400, "Subscriber %.*s doesn't exist in environment %s", STR_ARG(id), hex);
        else
            reply_fail(rq, 400, "Subscriber with id: %.*s is not found.", STR_ARG(id));
        return false;
    }
    x->view.subscriber = x->subscriber.id;
    x->view.contexts = keys;
    x->view.n = 1;
    if (context_query_read(rq, keys) || body_contexts(rq, keys))
        return true;
    x->view.any = true;
    if (inbox_contexts(app_db(rq), rq->arena, x->subscriber.id, &x->view.contexts, &x->view.n, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* Whose messages the request is about; false: it was answered. */
static bool scope_read(struct request *rq, struct inbox_scope *x, bool counts)
{
    *x = (struct inbox_scope){.view = {.environment = rq->principal.environment, .subscriber = rq->principal.subscriber}};
    if (!inbox_is_person(rq))
        return scope_by_path(rq, x, counts);
    struct str *context = ARENA_NEW(rq->arena, struct str);
    *context = rq->principal.context.p ? rq->principal.context : STR("");
    x->view.contexts = context;
    x->view.n = 1;
    return inbox_caller_read(rq, &x->subscriber);
}

/* --- reading --------------------------------------------------------------------------------------------------- */

void inbox_handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data"), *echo = yyjson_mut_obj(d);
    struct inbox_scope scope;
    struct inbox_filter filter;
    struct inbox_page page;
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
    if (!scope_read(rq, &scope, false))
        return;
    if (!inbox_view_list(app_db(rq), rq->arena, &scope.view, &filter, after, offset, limit, &page, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < page.n; i++)
        yyjson_mut_arr_append(list, inbox_message_json(d, rq->arena, &page.items[i], &scope.subscriber));
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

static bool counts_add(struct request *rq, const struct inbox_view *view, yyjson_mut_doc *d, yyjson_mut_val *data, yyjson_val *list,
                       struct inbox_filter *filters, int rows, struct error *err)
{
    yyjson_val *v;
    size_t i = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    for (; (v = yyjson_arr_iter_next(&it)); i++) {
        int n;
        filters[i].scan_max = rows;
        if (!inbox_view_count(app_db(rq), rq->arena, view, &filters[i], INBOX_COUNT_CAP, &n, err))
            return false;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, data);
        json_add_int(d, o, "count", n);
        json_add_val(d, o, "filter", v);        /* unchanged: clients pair answers with filters by it (§2.5) */
    }
    return true;
}

void inbox_handle_count(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    struct inbox_filter filters[FILTERS_MAX];
    yyjson_val *list;
    struct inbox_scope scope = {.view = {.n = 0}};
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
    if (!scope_read(rq, &scope, true))
        return;
    if (!counts_add(rq, &scope.view, d, data, list, filters, rows, &err)) {
        reply_error(rq, &err);
        return;
    }
    reply_json(rq, 0, inbox_is_person(rq) ? o : data);       /* the API's answer has its own envelope */
}

/* --- writing one ------------------------------------------------------------------------------------------------ */

enum write_kind { WRITE_STATE, WRITE_BUTTON, WRITE_SNOOZE, WRITE_UNSNOOZE };

struct inbox_write {
    struct api_write w;
    struct inbox_scope scope;
    struct id id;
    enum write_kind kind;
    enum inbox_action action;           /* WRITE_STATE */
    struct inbox_press press;           /* WRITE_BUTTON */
    int64_t until;                      /* WRITE_SNOOZE */
    struct message row;                 /* afterwards */
};

static bool write_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct inbox_write *x = (struct inbox_write *)w;
    struct arena *a = w->rq->arena;
    int64_t now = app_now(w->rq);
    struct inbox_owner o;
    if (!inbox_view_owner(db, a, &x->scope.view, x->id, &o, err)
        || !app_inbox_publish(app_of(w->rq), db, x->scope.view.subscriber, err))
        return false;
    switch (x->kind) {
    case WRITE_STATE: return inbox_act(db, a, &o, x->id, x->action, now, &x->row, err);
    case WRITE_BUTTON: return inbox_complete(db, a, &o, x->id, &x->press, now, &x->row, err);
    case WRITE_SNOOZE: return inbox_snooze(db, a, &o, x->id, x->until, now, &x->row, err);
    case WRITE_UNSNOOZE: return inbox_unsnooze(db, a, &o, x->id, now, &x->row, err);
    }
    return false;
}

static void write_committed(struct api_write *w)
{
    struct inbox_write *x = (struct inbox_write *)w;
    hub_changed(app_of(w->rq)->hub, x->scope.view.subscriber, HUB_UNSEEN | HUB_UNREAD);
    if (x->kind == WRITE_SNOOZE)
        engine_due(app_of(w->rq)->engine, x->until);
}

static void write_reply(struct api_write *w)
{
    struct inbox_write *x = (struct inbox_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    if (x->kind == WRITE_STATE && x->action == INBOX_DELETE) {
        reply_empty(w->rq, 204);
        return;
    }
    yyjson_mut_val *o = inbox_message_json(d, w->rq->arena, &x->row, &x->scope.subscriber);
    bool state = x->kind == WRITE_STATE;        /* what a write took away is null in its answer */
    if (state && x->action == INBOX_UNREAD)
        json_add_str(d, o, "readAt", STR_NULL);
    if (state && (x->action == INBOX_UNREAD || x->action == INBOX_UNARCHIVE))
        json_add_str(d, o, "archivedAt", STR_NULL);
    reply_json(w->rq, 0, o);
}

/* Upstream's name of the command, which its messages have. */
static const char *write_command(const struct inbox_write *x)
{
    switch (x->kind) {
    case WRITE_BUTTON: return "UpdateNotificationActionCommand";
    case WRITE_SNOOZE: return "SnoozeNotificationCommand";
    case WRITE_UNSNOOZE: return "UnsnoozeNotificationCommand";
    case WRITE_STATE: break;
    }
    return x->action == INBOX_DELETE ? "DeleteNotificationCommand" : "MarkNotificationAsCommand";
}

static void write_one(struct request *rq, struct inbox_write what)
{
    struct inbox_write *x = ARENA_NEW(rq->arena, struct inbox_write);
    struct str id = request_param(rq, inbox_is_person(rq) ? "id" : "notificationId");
    *x = what;
    x->w = (struct api_write){.apply = write_apply, .reply = write_reply, .committed = write_committed};
    if (!scope_read(rq, &x->scope, false))
        return;
    if (id_parse(id, &x->id))
        api_write(rq, &x->w);
    else
        reply_invalid_field(rq, write_command(x), "notificationId", "notificationId must be a mongodb id");
}

static void write_state(struct request *rq, enum inbox_action action)
{
    write_one(rq, (struct inbox_write){.kind = WRITE_STATE, .action = action});
}

void inbox_handle_read(struct request *rq) { write_state(rq, INBOX_READ); }
void inbox_handle_unread(struct request *rq) { write_state(rq, INBOX_UNREAD); }
void inbox_handle_archive(struct request *rq) { write_state(rq, INBOX_ARCHIVE); }
void inbox_handle_unarchive(struct request *rq) { write_state(rq, INBOX_UNARCHIVE); }
void inbox_handle_delete(struct request *rq) { write_state(rq, INBOX_DELETE); }

static void write_button(struct request *rq, bool complete)
{
    struct checks checks = checks_begin(rq);
    struct str button = inbox_is_person(rq) ? json_get_str(rq->json, "actionType") : request_param(rq, "actionType");
    if (!str_eqz(button, "primary") && !str_eqz(button, "secondary"))
        check_fail(&checks, "actionType must be one of the following values: primary, secondary");
    if (checks_done(&checks))
        write_one(rq, (struct inbox_write){.kind = WRITE_BUTTON, .press = {.button = button, .done = complete}});
}

void inbox_handle_complete(struct request *rq) { write_button(rq, true); }
void inbox_handle_revert(struct request *rq) { write_button(rq, false); }

/* Beyond the maximum is 402, as the hosted service answers (inbox-realtime.md §2.6). */
static void reply_snooze_too_long(struct request *rq)
{
    struct error err = {0};
    error_http(&err, 402, "Snooze Duration Limit Exceeded");
    int64_t hours = app_of(rq)->snooze_hours_max;
    bool days = hours && hours % 24 == 0;
    err.details = str_fmt(rq->arena, "{\"reason\":\"The snooze duration cannot exceed %lld %s.\"}",
                          (long long)(days ? hours / 24 : hours), days ? "days" : "hours");
    reply_error(rq, &err);
}

void inbox_handle_snooze(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    int64_t until = 0, now = app_now(rq);
    if (!time_parse_iso(json_get_str(rq->json, "snoozeUntil"), &until))
        check_fail(&checks, "snoozeUntil must be a Date instance");
    else if (until < now + SNOOZE_MIN_MS)
        check_fail(&checks, "Snooze time must be at least 60 seconds in the future");
    if (!checks_done(&checks))
        return;
    if (until > now + app_of(rq)->snooze_hours_max * 3600000)
        reply_snooze_too_long(rq);
    else
        write_one(rq, (struct inbox_write){.kind = WRITE_SNOOZE, .until = until});
}

void inbox_handle_unsnooze(struct request *rq)
{
    write_one(rq, (struct inbox_write){.kind = WRITE_UNSNOOZE});
}

/* --- writing many ------------------------------------------------------------------------------------------------ */

/* A sweep is several writes, each bounded, so that others' commits come in between. */
struct inbox_bulk {
    struct api_write w;
    struct inbox_scope scope;
    size_t context;                     /* which of the scope's is being swept */
    struct inbox_filter filter;
    enum inbox_action action;
    int64_t now;
    struct inbox_sweep from, to;        /* of the write under way: it may be applied more than once */
};

static bool bulk_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct inbox_bulk *x = (struct inbox_bulk *)w;
    const struct inbox_view *v = &x->scope.view;
    struct inbox_owner o = {.environment = v->environment, .subscriber = v->subscriber, .context = v->contexts[x->context]};
    x->to = x->from;
    return app_inbox_publish(app_of(w->rq), db, v->subscriber, err) && inbox_act_next(db, &o, &x->filter, x->action, x->now, &x->to, err);
}

/* After each part: what failed later leaves nobody with old counts. */
static void bulk_committed(struct api_write *w)
{
    struct inbox_bulk *x = (struct inbox_bulk *)w;
    hub_changed(app_of(w->rq)->hub, x->scope.view.subscriber, x->action == INBOX_SEEN ? HUB_UNSEEN : HUB_UNSEEN | HUB_UNREAD);
}

static void bulk_reply(struct api_write *w)
{
    struct inbox_bulk *x = (struct inbox_bulk *)w;
    struct request *rq = w->rq;
    x->from = x->to;
    if (x->to.done && ++x->context < x->scope.view.n)
        x->from = x->to = (struct inbox_sweep){.done = false};
    if (!x->to.done) {
        api_write(rq, w);
        return;
    }
    reply_empty(rq, 204);
}

static void write_many(struct request *rq, enum inbox_action action)
{
    struct checks checks = checks_begin(rq);
    struct inbox_bulk *x = ARENA_NEW(rq->arena, struct inbox_bulk);
    struct error err = {0};
    x->w = (struct api_write){.flags = WRITE_CHAIN, .apply = bulk_apply, .reply = bulk_reply, .committed = bulk_committed};
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
    if (!scope_read(rq, &x->scope, false))
        return;
    if (x->scope.view.n)
        api_write(rq, &x->w);
    else
        reply_empty(rq, 204);           /* there are no messages */
}

void inbox_handle_read_all(struct request *rq) { write_many(rq, INBOX_READ); }
void inbox_handle_archive_all(struct request *rq) { write_many(rq, INBOX_ARCHIVE); }
void inbox_handle_read_archive(struct request *rq) { write_many(rq, INBOX_READ_ARCHIVE); }
void inbox_handle_delete_all(struct request *rq) { write_many(rq, INBOX_DELETE); }
void inbox_handle_seen(struct request *rq) { write_many(rq, INBOX_SEEN); }

#define INBOX(method, path, operation, summary, status, envelope, handler)                                       \
    {method, "/v1/inbox" path, operation, "Inbox", summary, AUTH_SUBSCRIBER, NULL, RATE_NONE, 0, status, envelope, \
     INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, handler}

const struct route inbox_routes[] = {
    {HTTP_POST, "/v1/inbox/session", "inboxSession", "Inbox", "Start a session of the Inbox", AUTH_PUBLIC, NULL, RATE_NONE, 0, 201,
     ENVELOPE_DATA, INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, inbox_handle_session},
    INBOX(HTTP_GET, "/notifications", "inboxList", "List messages", 200, ENVELOPE_NONE, inbox_handle_list),
    INBOX(HTTP_GET, "/notifications/count", "inboxCount", "Count messages", 200, ENVELOPE_NONE, inbox_handle_count),
    INBOX(HTTP_PATCH, "/notifications/{id}/read", "inboxRead", "Mark as read", 200, ENVELOPE_DATA, inbox_handle_read),
    INBOX(HTTP_PATCH, "/notifications/{id}/unread", "inboxUnread", "Mark as unread", 200, ENVELOPE_DATA, inbox_handle_unread),
    INBOX(HTTP_PATCH, "/notifications/{id}/archive", "inboxArchive", "Archive", 200, ENVELOPE_DATA, inbox_handle_archive),
    INBOX(HTTP_PATCH, "/notifications/{id}/unarchive", "inboxUnarchive", "Take out of the archive", 200, ENVELOPE_DATA,
          inbox_handle_unarchive),
    INBOX(HTTP_PATCH, "/notifications/{id}/snooze", "inboxSnooze", "Put away until later", 200, ENVELOPE_DATA, inbox_handle_snooze),
    INBOX(HTTP_PATCH, "/notifications/{id}/unsnooze", "inboxUnsnooze", "Bring back", 200, ENVELOPE_DATA, inbox_handle_unsnooze),
    INBOX(HTTP_PATCH, "/notifications/{id}/complete", "inboxComplete", "Complete a button", 200, ENVELOPE_DATA, inbox_handle_complete),
    INBOX(HTTP_PATCH, "/notifications/{id}/revert", "inboxRevert", "Revert a button", 200, ENVELOPE_DATA, inbox_handle_revert),
    INBOX(HTTP_DELETE, "/notifications/{id}/delete", "inboxDelete", "Delete a message", 204, ENVELOPE_NONE, inbox_handle_delete),
    INBOX(HTTP_POST, "/notifications/read", "inboxReadAll", "Mark all as read", 204, ENVELOPE_NONE, inbox_handle_read_all),
    INBOX(HTTP_POST, "/notifications/archive", "inboxArchiveAll", "Archive all", 204, ENVELOPE_NONE, inbox_handle_archive_all),
    INBOX(HTTP_POST, "/notifications/read-archive", "inboxArchiveRead", "Archive those that are read", 204, ENVELOPE_NONE,
          inbox_handle_read_archive),
    // Where @novu/js 3.8 looks for it.
    INBOX(HTTP_POST, "/notifications/archive/read", "inboxArchiveReadV1", "Archive those that are read (older path)", 204, ENVELOPE_NONE,
          inbox_handle_read_archive),
    INBOX(HTTP_POST, "/notifications/delete", "inboxDeleteAll", "Delete all", 204, ENVELOPE_NONE, inbox_handle_delete_all),
    INBOX(HTTP_POST, "/notifications/seen", "inboxSeen", "Mark as seen", 204, ENVELOPE_NONE, inbox_handle_seen),
    INBOX(HTTP_POST, "/events", "inboxEvent", "Trigger the demo workflow for oneself", 201, ENVELOPE_DATA, inbox_handle_event),
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
    INBOX(HTTP_GET, "/topics/{topicKey}/subscriptions", "inboxSubscriptions", "List one's subscriptions to a topic", 200, ENVELOPE_DATA,
          inbox_handle_subscriptions),
    INBOX(HTTP_POST, "/topics/{topicKey}/subscriptions", "inboxSubscribe", "Subscribe to a topic", 201, ENVELOPE_DATA,
          inbox_handle_subscribe),
    INBOX(HTTP_GET, "/topics/{topicKey}/subscriptions/{identifier}", "inboxSubscription", "Retrieve a subscription", 200,
          ENVELOPE_DATA, inbox_handle_subscription),
    INBOX(HTTP_PATCH, "/topics/{topicKey}/subscriptions/{identifier}", "inboxSubscriptionUpdate", "Change a subscription", 200,
          ENVELOPE_DATA, inbox_handle_subscription_write),
    INBOX(HTTP_DELETE, "/topics/{topicKey}/subscriptions/{identifier}", "inboxUnsubscribe", "Delete a subscription", 200,
          ENVELOPE_DATA, inbox_handle_unsubscribe),
};
const size_t inbox_routes_n = sizeof inbox_routes / sizeof *inbox_routes;
