/* The v1 routes of subscribers that older clients use: lists, feed, counts, marks (rest-api.md §6.2, §7). */
#include "api/subscribers_v1.h"

#include "api/inbox_private.h"
#include "api/message_view.h"
#include "api/tables.h"
#include "model/topic.h"

enum { PAGE_MAX = 100, TOPICS_MAX = 1000, MARKS_MAX = 1000, MARK_CHUNK = 1000, UNSEEN_MAX = 1000, SCAN_MAX = 1000 };

/* The path's subscriber, or the token's. */
static bool caller_read(struct request *rq, struct subscriber *s)
{
    struct error err = {0};
    if (inbox_is_person(rq))
        return inbox_caller_read(rq, s);
    if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "subscriberId"), s, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* Who is named by a key, and what to say of nobody: each of these routes has words of its own. */
static bool named_read(struct request *rq, struct subscriber *s, struct error *nobody)
{
    struct error err = {0};
    if (inbox_is_person(rq))
        return inbox_caller_read(rq, s);
    if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "subscriberId"), s, &err))
        return true;
    reply_error(rq, err.code == ERROR_NOT_FOUND ? nobody : &err);
    return false;
}

static struct str named(struct request *rq)
{
    return str_cut(request_param(rq, "subscriberId"), 100);
}

static void add_page(yyjson_mut_doc *d, yyjson_mut_val *o, int64_t page, int64_t limit, int64_t total, bool more)
{
    json_add_int(d, o, "page", page);
    json_add_int(d, o, "pageSize", limit);
    json_add_int(d, o, "totalCount", total);
    json_add_bool(d, o, "hasMore", more);
}

/* --- subscribers ----------------------------------------------------------------------------------------------------- */

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    int64_t number = check_query_int(&checks, "page", 0, 0, 1000000), limit = check_query_int(&checks, "limit", 10, 1, PAGE_MAX);
    struct subscriber_query q = {.page = {.limit = (int)limit, .offset = number * limit}};
    struct page page;
    struct error err = {0};
    if (!checks_done(&checks))
        return;
    if (!subscriber_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < page.n; i++)
        yyjson_mut_arr_append(list, subscriber_json(d, (struct subscriber *)page.items + i, rq->principal.organization));
    add_page(d, o, number, limit, page.total, !id_is_zero(page.next));
    reply_json(rq, 0, o);
}

static void handle_get(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    bool with_topics = check_query_bool(&checks, "includeTopics", false);
    struct topic_membership_query q = {.page = {.limit = TOPICS_MAX, .ascending = true}};
    struct subscriber s;
    struct page page;
    struct error err = {0};
    if (!caller_read(rq, &s))
        return;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = subscriber_json(d, &s, rq->principal.organization);
    q.subscriber = s.id;
    if (with_topics) {
        if (!topic_membership_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err)) {
            reply_error(rq, &err);
            return;
        }
        yyjson_mut_val *topics = json_add_arr(d, o, "topics");
        const struct topic_membership *all = page.items;
        for (size_t i = 0; i < page.n; i++)
            if (i == 0 || !id_eq(all[i].topic.id, all[i - 1].topic.id))
                yyjson_mut_arr_append(topics, json_mut_str(d, all[i].topic.key));
    }
    reply_json(rq, 0, o);
}

/* --- what they were sent -------------------------------------------------------------------------------------------------- */

int check_query_maybe(struct checks *c, const char *name)
{
    struct str s = request_query(c->rq, name);
    if (s.n && !str_eqz(s, "true") && !str_eqz(s, "false"))
        check_fail(c, "%s must be a boolean value", name);
    return !s.n ? -1 : str_eqz(s, "true");
}

/* `payload` of the feed: base64 of a JSON object, whose members the message's payload has; NULL: not given. */
static bool payload_read(struct request *rq, yyjson_val **out)
{
    struct str given = request_query(rq, "payload"), text;
    struct error err = {0};
    *out = NULL;
    if (!given.n)
        return true;
    if (base64_decode(rq->arena, given, &text) && json_parse(rq->arena, text, out, &err) && yyjson_is_obj(*out))
        return true;
    reply_fail(rq, 400, "Invalid payload, the JSON object should be encoded to base64 string.");
    return false;
}

static bool payload_matches(struct request *rq, const struct message *m, yyjson_val *wanted)
{
    yyjson_val *have = NULL, *key;
    struct str payload = message_payload(rq, m);
    if (payload.n)
        json_parse(rq->arena, payload, &have, NULL);
    yyjson_obj_iter it = yyjson_obj_iter_with(wanted);
    while ((key = yyjson_obj_iter_next(&it)))
        if (!yyjson_equals(json_getn(have, json_str(key)), yyjson_obj_iter_get_val(key)))
            return false;
    return true;
}

/* Keeps what matches, of which the page is cut: a client's own look-up among recent messages. */
static void payload_filter(struct request *rq, yyjson_val *wanted, struct message *list, size_t *n, int64_t skip)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (payload_matches(rq, &list[i], wanted) && skip-- <= 0)
            list[kept++] = list[i];
    *n = kept;
}

/* A key sees every context, a token its own, without what was put away. */
static bool feed_list(struct request *rq, const struct message_query *q, struct message **list, size_t *n, struct error *err)
{
    struct inbox_owner owner = inbox_owner_of(rq);
    struct inbox_filter filter;
    struct inbox_page page;
    if (!inbox_is_person(rq))
        return message_list(app_db(rq), rq->arena, rq->principal.environment, q, list, n, err);
    inbox_filter_init(&filter);
    filter.seen = q->seen;
    filter.read = q->read;
    filter.snoozed = 0;
    if (!inbox_list(app_db(rq), rq->arena, &owner, &filter, (struct id){{0}}, q->offset, q->limit, &page, err))
        return false;
    *list = page.items;
    *n = page.n;
    return true;
}

void subscriber_v1_handle_feed(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    int64_t page = check_query_int(&checks, "page", 0, 0, 1000000), limit = check_query_int(&checks, "limit", 10, 1, PAGE_MAX);
    struct message_query q = {.channel = CHANNEL_IN_APP, .seen = check_query_maybe(&checks, "seen"), .read = check_query_maybe(&checks, "read"),
                              .offset = page * limit, .limit = (int)limit + 1};
    struct subscriber s;
    struct message *list = NULL;
    yyjson_val *payload;
    struct error err = {0};
    size_t n = 0;
    bool in_feed = request_query(rq, "feedIdentifier").n > 0;  /* no message is */
    struct str name = named(rq);
    struct error nobody = {0};
    error_http(&nobody, 400, "Subscriber not found for this environment with the id: %.*s. Make sure to create a subscriber before fetching the "
               "feed.", STR_ARG(name));
    if (!checks_done(&checks) || !payload_read(rq, &payload) || !named_read(rq, &s, &nobody))
        return;
    q.subscriber = s.id;
    if (payload) {
        q.limit = SCAN_MAX;
        q.offset = 0;
    }
    if (!in_feed && !feed_list(rq, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    if (payload)
        payload_filter(rq, payload, list, &n, page * limit);
    bool more = n > (size_t)limit;
    int64_t total = page * limit + (int64_t)n, counted = 0;
    if (more && !payload && !inbox_is_person(rq)
        && !message_count(app_db(rq), rq->arena, rq->principal.environment, &q, &counted, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    n = more ? (size_t)limit : n;
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(data, message_view_json(rq, d, &list[i]));
    /* The widget's total is never more than a page (inbox-realtime.md §3). */
    add_page(d, o, page, limit, inbox_is_person(rq) ? (int64_t)n : counted > total ? counted : total, more);
    reply_json(rq, 0, o);
}

static void handle_unseen(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct message_query q = {.channel = CHANNEL_IN_APP, .seen = check_query_bool(&checks, "seen", false), .read = -1,
                              .limit = (int)check_query_int(&checks, "limit", 100, 1, UNSEEN_MAX)};
    struct subscriber s;
    struct message *list;
    struct error err = {0};
    size_t n;
    char environment[ID_HEX + 1];
    struct error nobody = {0};
    id_hex(rq->principal.environment, environment);
    error_http(&nobody, 400, "Subscriber %.*s is not exist in environment %s, please provide a valid subscriber identifier",
               STR_ARG(named(rq)), environment);
    if (!checks_done(&checks) || !named_read(rq, &s, &nobody))
        return;
    q.subscriber = s.id;
    if (!message_list(app_db(rq), rq->arena, rq->principal.environment, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "count", (int64_t)n);
    reply_json(rq, 0, o);
}

/* --- marks ------------------------------------------------------------------------------------------------------------------- */

struct mark_write {
    struct api_write w;
    struct subscriber subscriber;
    enum message_mark mark;
    struct inbox_press press;           /* an action; button.p NULL: a mark */
    struct message *messages;
    struct str *payloads;
    size_t n;
    int64_t changed;
};

static bool mark_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct mark_write *x = (struct mark_write *)w;
    struct request *rq = w->rq;
    x->changed = 0;
    if (!app_inbox_publish(app_of(rq), db, x->subscriber.id, err))
        return false;
    for (size_t i = 0; i < x->n; i++) {
        struct message *m = &x->messages[i];
        struct inbox_owner owner = {m->environment, m->subscriber, m->context};
        bool changed = true;
        if (!message_find(db, rq->arena, m->environment, m->id, m, err))
            return false;
        if (x->press.button.p ? !inbox_complete(db, rq->arena, &owner, m->id, &x->press, app_now(rq), m, err)
                        : !message_mark(db, m, x->mark, app_now(rq), &changed, err))
            return false;
        x->changed += changed;
    }
    return true;
}

static void mark_committed(struct api_write *w)
{
    struct mark_write *x = (struct mark_write *)w;
    if (x->changed)
        hub_changed(app_of(w->rq)->hub, x->subscriber.id, HUB_UNSEEN | HUB_UNREAD);
}

static void mark_reply(struct api_write *w)
{
    struct mark_write *x = (struct mark_write *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d), *one = NULL;
    for (size_t i = 0; i < x->n; i++) {
        yyjson_val *doc = NULL;
        json_parse(rq->arena, x->messages[i].doc, &doc, NULL);
        one = message_json(d, &x->messages[i], doc, rq->principal.organization, &x->subscriber, x->payloads[i]);
        yyjson_mut_arr_append(list, one);
    }
    reply_json(rq, 0, x->press.button.p ? yyjson_mut_arr_get_first(list) : list);
}

static struct mark_write *mark_new(struct request *rq, size_t most)
{
    struct mark_write *x = ARENA_NEW(rq->arena, struct mark_write);
    x->w.apply = mark_apply;
    x->w.reply = mark_reply;
    x->w.committed = mark_committed;
    x->messages = ARENA_ARRAY(rq->arena, struct message, most);
    x->payloads = ARENA_ARRAY(rq->arena, struct str, most);
    return x;
}

/* A message of this subscriber; others are passed over like those that do not exist. false: a failure of the store. */
static bool mark_take(struct request *rq, struct mark_write *x, struct str id, struct error *err)
{
    struct id parsed;
    struct error missing = {0};
    if (!id_parse(id, &parsed))
        return true;
    if (!message_find(app_db(rq), rq->arena, rq->principal.environment, parsed, &x->messages[x->n], &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (x->messages[x->n].channel != CHANNEL_IN_APP || !id_eq(x->messages[x->n].subscriber, x->subscriber.id))
        return true;
    if (inbox_is_person(rq) && !str_eq(x->messages[x->n].context, inbox_owner_of(rq).context))
        return true;
    x->payloads[x->n] = message_payload(rq, &x->messages[x->n]);
    x->n++;
    return true;
}

static bool mark_parse(struct str s, enum message_mark *out)
{
    static const char *const names[] = {[MARK_READ] = "read", [MARK_SEEN] = "seen", [MARK_UNREAD] = "unread", [MARK_UNSEEN] = "unseen"};
    for (int i = 0; i < 4; i++)
        if (str_eqz(s, names[i])) {
            *out = (enum message_mark)i;
            return true;
        }
    return false;
}

/* Reads messageId (a text or many) and writes. */
static void mark_named(struct request *rq, struct checks *c, enum message_mark mark)
{
    yyjson_val *ids = json_get(rq->json, "messageId"), *v;
    size_t most = yyjson_is_arr(ids) ? yyjson_arr_size(ids) : 1;
    struct error err = {0};
    bool ok = true;
    if (ids && !yyjson_is_null(ids) && !yyjson_is_arr(ids) && !yyjson_is_str(ids))
        check_fail(c, "messageId must be a string or an array of strings");
    if (most > MARKS_MAX)
        check_fail(c, "messageId must contain no more than %d elements", MARKS_MAX);
    if (!checks_done(c))
        return;
    if (!ids || yyjson_is_null(ids) || !most || (yyjson_is_str(ids) && !yyjson_get_len(ids))) {
        reply_fail(rq, 400, "messageId is required");
        return;
    }
    struct mark_write *x = mark_new(rq, most);
    x->mark = mark;
    if (!caller_read(rq, &x->subscriber))
        return;
    if (yyjson_is_str(ids))
        ok = mark_take(rq, x, json_str(ids), &err);
    yyjson_arr_iter it = yyjson_arr_iter_with(ids);
    while (ok && (v = yyjson_arr_iter_next(&it)))
        ok = mark_take(rq, x, json_str(v), &err);
    if (ok)
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

void subscriber_v1_handle_mark_as(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    enum message_mark mark = MARK_READ;
    if (!mark_parse(json_get_str(rq->json, "markAs"), &mark))
        check_fail(&checks, "markAs must be one of the following values: read, seen, unread, unseen");
    mark_named(rq, &checks, mark);
}

/* The older form: mark: {seen?, read?}. */
void subscriber_v1_handle_mark_as_older(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_val *mark = check_object(&checks, rq->json, "mark", true), *seen = json_get(mark, "seen"), *read = json_get(mark, "read");
    enum message_mark as = MARK_SEEN;
    if (yyjson_is_bool(read))
        as = yyjson_get_bool(read) ? MARK_READ : MARK_UNREAD;
    else if (yyjson_is_bool(seen))
        as = yyjson_get_bool(seen) ? MARK_SEEN : MARK_UNSEEN;
    else if (mark)
        check_fail(&checks, "mark must have seen or read, a boolean value");
    mark_named(rq, &checks, as);
}

void subscriber_v1_handle_action(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct mark_write *x = mark_new(rq, 1);
    struct str status = json_get_str(rq->json, "status"), id = request_param(rq, "messageId");
    struct error err = {0};
    x->press.button = request_param(rq, "type");
    x->press.done = str_eqz(status, "done");
    x->press.payload = check_object(&checks, rq->json, "payload", false);
    if (!str_eqz(x->press.button, "primary") && !str_eqz(x->press.button, "secondary"))
        check_fail(&checks, "type must be one of the following values: primary, secondary");
    if (!x->press.done && !str_eqz(status, "pending"))
        check_fail(&checks, "status must be one of the following values: pending, done");
    if (!checks_done(&checks) || !caller_read(rq, &x->subscriber))
        return;
    if (!mark_take(rq, x, id, &err))
        reply_error(rq, &err);
    else if (!x->n)
        reply_fail(rq, 404, "Message with id %.*s not found", (int)(id.n > 64 ? 64 : id.n), id.p);
    else
        api_write(rq, &x->w);
}

/* --- all of them: a chunk a commit, so that no full Inbox holds up the writer -------------------------------------------------- */

struct mark_all {
    struct api_write w;
    struct id subscriber;
    enum message_mark mark;
    int64_t chunk, changed;
};

static bool mark_all_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct mark_all *x = (struct mark_all *)w;
    return app_inbox_publish(app_of(w->rq), db, x->subscriber, err)
        && message_mark_all(db, w->rq->principal.environment, x->subscriber, x->mark, app_now(w->rq), MARK_CHUNK, &x->chunk, err);
}

static void reply_number(struct request *rq, int64_t n)
{
    reply_json(rq, 0, yyjson_mut_sint(json_doc(rq->arena), n));
}

static void mark_all_committed(struct api_write *w)
{
    struct mark_all *x = (struct mark_all *)w;
    if (x->chunk)
        hub_changed(app_of(w->rq)->hub, x->subscriber, HUB_UNSEEN | HUB_UNREAD);
}

static void mark_all_reply(struct api_write *w)
{
    struct mark_all *x = (struct mark_all *)w;
    x->changed += x->chunk;
    if (x->chunk == MARK_CHUNK) {
        api_write(w->rq, w);
        return;
    }
    reply_number(w->rq, x->changed);
}

static void handle_mark_all(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct mark_all *x = ARENA_NEW(rq->arena, struct mark_all);
    yyjson_val *feed = json_get(rq->json, "feedIdentifier");
    struct subscriber s;
    x->w = (struct api_write){.flags = WRITE_CHAIN, .apply = mark_all_apply, .reply = mark_all_reply, .committed = mark_all_committed};
    if (!mark_parse(json_get_str(rq->json, "markAs"), &x->mark))
        check_fail(&checks, "markAs must be one of the following values: read, seen, unread, unseen");
    struct str name = named(rq);
    struct error nobody = {0};
    error_http(&nobody, 404, "Subscriber %.*s does not exist in environment %s, please provide a valid subscriber identifier", STR_ARG(name),
               id_str(rq->arena, rq->principal.environment).p);
    if (!checks_done(&checks) || !named_read(rq, &s, &nobody))
        return;
    x->subscriber = s.id;
    if (feed && !yyjson_is_null(feed))          /* no message is in a feed */
        reply_number(rq, 0);
    else
        api_write(rq, &x->w);
}

#define V1(method, path, operation, summary, permission, status, envelope, handler)                                              \
    {method, "/v1/subscribers" path, operation, "Subscribers", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status,  \
     envelope, 0, 0, handler}
#define ONE "/{subscriberId}"

const struct route subscriber_v1_routes[] = {
    V1(HTTP_GET, "", "subscribersListV1", "List subscribers (v1)", "SUBSCRIBER_READ", 200, ENVELOPE_NONE, handle_list),
    V1(HTTP_GET, ONE, "subscribersRetrieveV1", "Retrieve a subscriber (v1)", "SUBSCRIBER_READ", 200, ENVELOPE_DATA, handle_get),
    V1(HTTP_GET, ONE "/notifications/feed", "subscribersNotificationsFeed", "In-app messages of a subscriber", "SUBSCRIBER_READ", 200,
       ENVELOPE_NONE, subscriber_v1_handle_feed),
    V1(HTTP_GET, ONE "/notifications/unseen", "subscribersNotificationsUnseenCount", "How many in-app messages are unseen",
       "SUBSCRIBER_READ", 200, ENVELOPE_DATA, handle_unseen),
    V1(HTTP_POST, ONE "/messages/mark-as", "subscribersMessagesMarkAllAs", "Mark messages read, seen, unread or unseen",
       "SUBSCRIBER_WRITE", 201, ENVELOPE_DATA, subscriber_v1_handle_mark_as),
    V1(HTTP_POST, ONE "/messages/markAs", "subscribersMessagesMarkAsV1", "Mark messages (older form)", "SUBSCRIBER_WRITE", 201,
       ENVELOPE_DATA, subscriber_v1_handle_mark_as_older),
    V1(HTTP_POST, ONE "/messages/mark-all", "subscribersMessagesMarkAll", "Mark all messages", "SUBSCRIBER_WRITE", 201, ENVELOPE_DATA,
       handle_mark_all),
    V1(HTTP_POST, ONE "/messages/{messageId}/actions/{type}", "subscribersMessagesUpdateAsSeen", "Complete a message's button",
       "SUBSCRIBER_WRITE", 201, ENVELOPE_DATA, subscriber_v1_handle_action),
};
const size_t subscriber_v1_routes_n = sizeof subscriber_v1_routes / sizeof *subscriber_v1_routes;
