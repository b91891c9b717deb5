/* /v1/widgets: the Inbox as @novu/headless 2.x and the old notification centre ask for it (inbox-realtime.md §3). */
#include "api/inbox_private.h"
#include "api/message_view.h"
#include "api/subscribers_v1.h"
#include "api/tables.h"

enum { IDS_MAX = 100, COUNT_MAX = 100 };

static void reply_number(struct request *rq, int64_t n)
{
    reply_json(rq, 0, yyjson_mut_sint(json_doc(rq->arena), n));
}

/* --- counts ----------------------------------------------------------------------------------------------------- */

/* seen, read: what is counted unless the query says otherwise; -1: any. */
static void count(struct request *rq, int seen, int read)
{
    struct checks checks = checks_begin(rq);
    struct inbox_owner owner = inbox_owner_of(rq);
    struct inbox_filter filter;
    struct error err = {0};
    int64_t number;
    bool limited = str_to_i64(request_query(rq, "limit"), &number);     /* what is no number limits nothing */
    int n = 0, limit = limited ? (int)check_query_int(&checks, "limit", COUNT_MAX, 1, COUNT_MAX) : COUNT_MAX;
    int asked_seen = check_query_maybe(&checks, "seen"), asked_read = check_query_maybe(&checks, "read");
    inbox_filter_init(&filter);
    filter.seen = asked_seen < 0 ? seen : asked_seen;
    filter.read = asked_read < 0 ? read : asked_read;
    filter.snoozed = 0;
    if (!checks_done(&checks) || !inbox_caller_known(rq))
        return;
    bool in_feed = request_query(rq, "feedIdentifier").n > 0;  /* no message is */
    if (!in_feed && !inbox_count(app_db(rq), rq->arena, &owner, &filter, limit, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "count", n);
    reply_json(rq, 0, o);
}

static void handle_unseen(struct request *rq) { count(rq, 0, -1); }
static void handle_unread(struct request *rq) { count(rq, -1, 0); }
static void handle_count(struct request *rq) { count(rq, -1, -1); }

/* --- deleting one ------------------------------------------------------------------------------------------------ */

struct removal {
    struct api_write w;
    struct message message;
    yyjson_mut_val *shown;              /* as it was, and deleted */
};

static bool removal_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct removal *x = (struct removal *)w;
    struct inbox_owner owner = inbox_owner_of(w->rq);
    struct message gone;
    return app_inbox_publish(app_of(w->rq), db, owner.subscriber, err)
        && inbox_act(db, w->rq->arena, &owner, x->message.id, INBOX_DELETE, app_now(w->rq), &gone, err);
}

static void removal_committed(struct api_write *w)
{
    hub_changed(app_of(w->rq)->hub, w->rq->principal.subscriber, HUB_UNSEEN | HUB_UNREAD);
}

static void removal_reply(struct api_write *w)
{
    reply_json(w->rq, 0, ((struct removal *)w)->shown);
}

static void handle_delete(struct request *rq)
{
    struct removal *x = ARENA_NEW(rq->arena, struct removal);
    struct inbox_owner owner = inbox_owner_of(rq);
    struct str given = request_param(rq, "messageId");
    struct error err = {0};
    struct id id;
    x->w = (struct api_write){.apply = removal_apply, .reply = removal_reply, .committed = removal_committed};
    if (!inbox_caller_known(rq))
        return;
    bool found = id_parse(given, &id) && inbox_find(app_db(rq), rq->arena, &owner, id, &x->message, &err);
    if (!found && err.code && err.code != ERROR_NOT_FOUND) {
        reply_error(rq, &err);
        return;
    }
    if (!found) {
        reply_fail(rq, 404, "Message with id %.*s not found", STR_ARG(str_sub(given, 0, 64)));
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    x->shown = message_view_json(rq, d, &x->message);
    yyjson_mut_obj_put(x->shown, yyjson_mut_str(d, "deleted"), yyjson_mut_bool(d, true));
    api_write(rq, &x->w);
}

/* --- many: several writes, each bounded, as in the Inbox --------------------------------------------------------- */

struct sweep_write {
    struct api_write w;
    struct inbox_filter filter;
    enum inbox_action action;
    int64_t now;
    struct inbox_sweep from, to;        /* of the write under way: it may be applied more than once */
    bool empty;                         /* the answer has no body */
};

static bool sweep_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct sweep_write *x = (struct sweep_write *)w;
    struct inbox_owner owner = inbox_owner_of(w->rq);
    x->to = x->from;
    return app_inbox_publish(app_of(w->rq), db, owner.subscriber, err)
        && inbox_act_next(db, &owner, &x->filter, x->action, x->now, &x->to, err);
}

static void sweep_answer(struct sweep_write *x)
{
    if (x->empty)
        reply_empty(x->w.rq, 204);
    else
        reply_number(x->w.rq, x->to.changed);
}

static void sweep_committed(struct api_write *w)
{
    struct sweep_write *x = (struct sweep_write *)w;
    if (x->to.changed > x->from.changed)
        hub_changed(app_of(w->rq)->hub, w->rq->principal.subscriber, HUB_UNSEEN | HUB_UNREAD);
}

static void sweep_reply(struct api_write *w)
{
    struct sweep_write *x = (struct sweep_write *)w;
    x->from = x->to;
    if (!x->to.done) {
        api_write(w->rq, w);
        return;
    }
    sweep_answer(x);
}

static struct sweep_write *sweep_new(struct request *rq, enum inbox_action action)
{
    struct sweep_write *x = ARENA_NEW(rq->arena, struct sweep_write);
    x->w = (struct api_write){.rq = rq, .flags = WRITE_CHAIN, .apply = sweep_apply, .reply = sweep_reply,
                             .committed = sweep_committed};
    x->action = action;
    x->now = app_now(rq);
    inbox_filter_init(&x->filter);
    return x;
}

/* feed: of this one only, in which no message is. */
static void sweep_start(struct sweep_write *x, struct str feed)
{
    if (!inbox_caller_known(x->w.rq))
        return;
    if (feed.n)
        sweep_answer(x);
    else
        api_write(x->w.rq, &x->w);
}

/* {feedId?: a text or several} */
static void mark_all(struct request *rq, enum inbox_action action)
{
    struct checks checks = checks_begin(rq);
    yyjson_val *feed = json_get(rq->json, "feedId");
    bool many = yyjson_is_arr(feed);
    if (feed && !yyjson_is_null(feed) && !yyjson_is_str(feed) && !many)
        check_fail(&checks, "feedId must be a string or an array of strings");
    if (checks_done(&checks))
        sweep_start(sweep_new(rq, action), json_str(many ? yyjson_arr_get_first(feed) : feed));
}

static void handle_read_all(struct request *rq) { mark_all(rq, INBOX_READ); }
static void handle_seen_all(struct request *rq) { mark_all(rq, INBOX_SEEN); }

static void handle_delete_all(struct request *rq)
{
    struct sweep_write *x = sweep_new(rq, INBOX_DELETE);
    x->empty = true;
    sweep_start(x, request_query(rq, "feedId"));
}

static void handle_delete_bulk(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct sweep_write *x = sweep_new(rq, INBOX_DELETE);
    yyjson_val *list = check_array(&checks, rq->json, "messageIds", false), *v;
    size_t i, n = yyjson_arr_size(list);
    if (!n && !checks.n)
        check_fail(&checks, "messageIds should not be empty");
    if (n > IDS_MAX)
        check_fail(&checks, "messageIds must contain no more than %d elements", IDS_MAX);
    x->filter.ids = ARENA_ARRAY(rq->arena, struct id, IDS_MAX);
    yyjson_arr_foreach(list, i, n, v)
        if (i < IDS_MAX && !id_parse(json_str(v), &x->filter.ids[x->filter.ids_n++]))
            check_fail(&checks, "messageIds.%zu must be a mongodb id", i);
    if (checks_done(&checks))
        sweep_start(x, STR(""));
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static void handle_organization(struct request *rq)
{
    struct error err = {0};
    struct str name;
    if (!inbox_caller_known(rq))
        return;
    if (!organization_name(app_db(rq), rq->arena, rq->principal.organization, &name, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", rq->principal.organization);
    json_add_str(d, o, "name", name);
    json_add_str(d, json_add_obj(d, o, "branding"), "direction", STR("ltr"));  /* of one's own nothing is stored */
    reply_json(rq, 0, o);
}

/* Nothing is collected about use: what a client tells is let go. */
static void handle_usage(struct request *rq)
{
    if (!inbox_caller_known(rq))
        return;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", true);
    reply_json(rq, 0, o);
}

#define WIDGET(method, path, operation, summary, status, envelope, handler)                                        \
    {method, "/v1/widgets" path, operation, "Widgets", summary, AUTH_SUBSCRIBER, NULL, RATE_NONE, 0, status, envelope, \
     INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, handler}

const struct route widget_routes[] = {
    {HTTP_POST, "/v1/widgets/session/initialize", "widgetsSession", "Widgets", "Start a session (older clients)", AUTH_PUBLIC, NULL,
     RATE_NONE, 0, 201, ENVELOPE_DATA, INBOX_BODY_MAX, ROUTE_CORS_ANY | ROUTE_NOT_IDEMPOTENT, inbox_handle_widget_session},
    WIDGET(HTTP_GET, "/notifications/feed", "widgetsFeed", "List messages (older clients)", 200, ENVELOPE_NONE,
           subscriber_v1_handle_feed),
    WIDGET(HTTP_GET, "/notifications/unseen", "widgetsUnseen", "How many messages are unseen", 200, ENVELOPE_DATA, handle_unseen),
    WIDGET(HTTP_GET, "/notifications/unread", "widgetsUnread", "How many messages are unread", 200, ENVELOPE_DATA, handle_unread),
    WIDGET(HTTP_GET, "/notifications/count", "widgetsCount", "Count messages (older clients)", 200, ENVELOPE_DATA, handle_count),
    WIDGET(HTTP_POST, "/messages/markAs", "widgetsMarkAsV1", "Mark messages (older form)", 201, ENVELOPE_DATA,
           subscriber_v1_handle_mark_as_older),
    WIDGET(HTTP_POST, "/messages/mark-as", "widgetsMarkAs", "Mark messages read, seen, unread or unseen", 201, ENVELOPE_DATA,
           subscriber_v1_handle_mark_as),
    WIDGET(HTTP_POST, "/messages/read", "widgetsReadAll", "Mark all messages as read", 201, ENVELOPE_DATA, handle_read_all),
    WIDGET(HTTP_POST, "/messages/seen", "widgetsSeenAll", "Mark all messages as seen", 201, ENVELOPE_DATA, handle_seen_all),
    WIDGET(HTTP_DELETE, "/messages", "widgetsDeleteAll", "Delete all messages", 204, ENVELOPE_NONE, handle_delete_all),
    WIDGET(HTTP_POST, "/messages/bulk/delete", "widgetsDeleteBulk", "Delete several messages", 200, ENVELOPE_DATA, handle_delete_bulk),
    WIDGET(HTTP_DELETE, "/messages/{messageId}", "widgetsDelete", "Delete a message (older clients)", 200, ENVELOPE_DATA, handle_delete),
    WIDGET(HTTP_POST, "/messages/{messageId}/actions/{type}", "widgetsAction", "Complete or revert a message's button", 201,
           ENVELOPE_DATA, subscriber_v1_handle_action),
    WIDGET(HTTP_GET, "/organization", "widgetsOrganization", "Whose messages these are", 200, ENVELOPE_DATA, handle_organization),
    WIDGET(HTTP_GET, "/preferences", "widgetsPreferences", "List preferences (older clients)", 200, ENVELOPE_DATA,
           subscriber_v1_handle_preferences),
    WIDGET(HTTP_GET, "/preferences/{parameter}", "widgetsPreferencesByLevel", "Preferences of a level (older clients)", 200,
           ENVELOPE_DATA, subscriber_v1_handle_preferences_level),
    WIDGET(HTTP_PATCH, "/preferences", "widgetsUpdateGlobalPreference", "Change the global preference (older clients)", 200,
           ENVELOPE_DATA, subscriber_v1_handle_global_preference_write),
    WIDGET(HTTP_PATCH, "/preferences/{parameter}", "widgetsUpdatePreference", "Change the preference of a workflow (older clients)",
           200, ENVELOPE_DATA, subscriber_v1_handle_preference_write),
    WIDGET(HTTP_POST, "/usage/log", "widgetsUsageLog", "Accepted and let go", 201, ENVELOPE_DATA, handle_usage),
};
const size_t widget_routes_n = sizeof widget_routes / sizeof *widget_routes;
