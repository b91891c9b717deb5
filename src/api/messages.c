/* /v1/messages (rest-api.md §6.6). */
#include "api/context_member.h"
#include "api/message_view.h"
#include "api/tables.h"
#include "model/event.h"
#include "model/run.h"
#include "model/webhook.h"

enum { LIMIT_MAX = 1000, TRANSACTIONS_MAX = 100, RUNS_MAX = 10000 };

/* Runs of the named transactions. */
static bool runs_read(struct request *rq, struct message_query *q, struct error *err)
{
    struct str *names;
    size_t n = request_query_all(rq, "transactionId", &names);
    struct id *ids = ARENA_ARRAY(rq->arena, struct id, RUNS_MAX);
    if (!n)
        return true;
    q->runs = ids;
    for (size_t i = 0; i < n && i < TRANSACTIONS_MAX; i++) {
        struct event e;
        struct error missing = {0};
        struct run_query rq_all = {.limit = RUNS_MAX - (int)q->runs_n};
        struct run_row *rows;
        size_t rows_n;
        if (!event_find_by_transaction(app_db(rq), rq->arena, rq->principal.environment, names[i], &e, &missing)) {
            if (missing.code == ERROR_NOT_FOUND)
                continue;
            *err = missing;
            return false;
        }
        rq_all.event = e.id;
        if (rq_all.limit <= 0)
            break;
        if (!run_list(app_db(rq), rq->arena, rq->principal.environment, &rq_all, &rows, &rows_n, err))
            return false;
        for (size_t k = 0; k < rows_n; k++)
            ids[q->runs_n++] = rows[k].id;
    }
    return true;
}

static bool subscriber_read(struct request *rq, struct message_query *q)
{
    struct str name = request_query(rq, "subscriberId");
    struct subscriber s;
    struct error err = {0};
    if (!name.n)
        return true;
    if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, name, &s, &err)) {
        q->subscriber = s.id;
        return true;
    }
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Subscriber with subscriberId %.*s not found", (int)(name.n > 256 ? 256 : name.n), name.p);
    reply_error(rq, &err);
    return false;
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct message_query q = {.channel = -1, .seen = -1, .read = -1};
    struct str channel = request_query(rq, "channel"), keys;
    struct message *list;
    struct error err = {0};
    size_t n;
    int64_t page = check_query_int(&checks, "page", 0, 0, 1000000);
    int64_t limit = check_query_int(&checks, "limit", 10, 1, INT64_MAX);
    enum channel c;
    if (channel.n && !channel_parse(channel, &c))
        check_fail(&checks, "channel must be one of the following values: in_app, email, sms, chat, push, tool");
    else if (channel.n)
        q.channel = (int)c;
    if (!checks_done(&checks))
        return;
    if (limit > LIMIT_MAX) {
        reply_fail(rq, 400, "Limit can not be larger then %d", LIMIT_MAX);
        return;
    }
    if (context_query_read(rq, &keys))
        q.context = &keys;
    q.limit = (int)limit + 1;
    q.offset = page * limit;
    if (!subscriber_read(rq, &q))
        return;
    if (!runs_read(rq, &q, &err) || !message_list(app_db(rq), rq->arena, rq->principal.environment, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool more = n > (size_t)limit;
    int64_t total = q.offset + (int64_t)n, counted = 0;
    if ((more || (!n && q.offset)) && !message_count(app_db(rq), rq->arena, rq->principal.environment, &q, &counted, &err)) {
        reply_error(rq, &err);
        return;
    }
    if (!n || counted > total)
        total = counted;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    for (size_t i = 0; i < n - more; i++)
        yyjson_mut_arr_append(data, message_view_json(rq, d, &list[i]));
    json_add_int(d, o, "page", page);
    json_add_int(d, o, "pageSize", limit);
    json_add_int(d, o, "totalCount", total);
    json_add_bool(d, o, "hasMore", more);
    reply_json(rq, 0, o);
}

struct message_erase {
    struct api_write w;
    struct message row;
};

static bool erase_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct message_erase *x = (struct message_erase *)w;
    bool deleted = false;
    return webhook_tell_message(db, x->row.environment, WEBHOOK_MESSAGE_DELETED, x->row.id, app_now(w->rq), err)
        && message_delete(db, x->row.environment, x->row.id, &deleted, err)
        && (x->row.channel != CHANNEL_IN_APP || app_inbox_publish(app_of(w->rq), db, x->row.subscriber, err));
}

static void erase_committed(struct api_write *w)
{
    struct message_erase *x = (struct message_erase *)w;
    if (x->row.channel == CHANNEL_IN_APP)
        hub_changed(app_of(w->rq)->hub, x->row.subscriber, HUB_UNSEEN | HUB_UNREAD);
}

static void erase_reply(struct api_write *w)
{
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "acknowledged", true);
    json_add_str(d, o, "status", STR("deleted"));
    reply_json(w->rq, 0, o);
}

static void handle_delete(struct request *rq)
{
    struct message_erase *x = ARENA_NEW(rq->arena, struct message_erase);
    struct str id = request_param(rq, "messageId");
    struct error err = {0};
    struct id parsed;
    x->w = (struct api_write){.apply = erase_apply, .reply = erase_reply, .committed = erase_committed};
    if (!id_parse(id, &parsed)
        || !message_find(app_db(rq), rq->arena, rq->principal.environment, parsed, &x->row, &err)) {
        if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
            error_http(&err, 404, "Message with id %.*s not found", (int)(id.n > 64 ? 64 : id.n), id.p);
        reply_error(rq, &err);
        return;
    }
    api_write(rq, &x->w);
}

/* --- all messages of a transaction ------------------------------------------------------------------------------ */

enum { PEOPLE_MAX = 10000 };            /* of more, everybody with a socket is told */

struct transaction_erase {
    struct api_write w;
    struct id event;
    int channel;
    struct id *people;
    size_t people_n;
    int64_t deleted;
};

static bool transaction_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct transaction_erase *x = (struct transaction_erase *)w;
    return message_delete_by_event(db, w->rq->principal.environment, x->event, x->channel, app_now(w->rq), x->people, PEOPLE_MAX, &x->people_n,
                                   &x->deleted, err)
        && (x->deleted || error_http(err, 404, "Invalid transactionId or channel"))
        && (x->people_n < PEOPLE_MAX ? app_inbox_publish_all(app_of(w->rq), db, x->people, x->people_n, err)
                                     : app_inbox_publish_everybody(app_of(w->rq), db, err));
}

static void transaction_committed(struct api_write *w)
{
    struct transaction_erase *x = (struct transaction_erase *)w;
    if (x->people_n == PEOPLE_MAX)
        hub_changed_all(app_of(w->rq)->hub, HUB_UNSEEN | HUB_UNREAD);
    for (size_t i = 0; i < x->people_n && x->people_n < PEOPLE_MAX; i++)
        hub_changed(app_of(w->rq)->hub, x->people[i], HUB_UNSEEN | HUB_UNREAD);
}

static void transaction_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static void handle_delete_transaction(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct transaction_erase *x = ARENA_NEW(rq->arena, struct transaction_erase);
    struct str channel = request_query(rq, "channel");
    struct event e;
    struct error err = {0};
    enum channel c;
    x->channel = -1;
    if (channel.n && !channel_parse(channel, &c))
        check_fail(&checks, "channel must be one of the following values: in_app, email, sms, chat, push, tool");
    else if (channel.n)
        x->channel = (int)c;
    if (!checks_done(&checks))
        return;
    if (!event_find_by_transaction(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "transactionId"), &e, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            error_http(&err, 404, "Invalid transactionId or channel");
        reply_error(rq, &err);
        return;
    }
    x->event = e.id;
    x->people = ARENA_ARRAY(rq->arena, struct id, PEOPLE_MAX);
    x->w = (struct api_write){.apply = transaction_apply, .reply = transaction_reply, .committed = transaction_committed};
    api_write(rq, &x->w);
}

const struct route message_routes[] = {
    {HTTP_GET, "/v1/messages", "messagesRetrieve", "Messages", "List messages", AUTH_ENVIRONMENT, "MESSAGE_READ", RATE_GLOBAL, 1, 200,
     ENVELOPE_NONE, 0, 0, handle_list},
    {HTTP_DELETE, "/v1/messages/{messageId}", "messagesDelete", "Messages", "Delete a message", AUTH_ENVIRONMENT, "MESSAGE_WRITE",
     RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_delete},
    {HTTP_DELETE, "/v1/messages/transaction/{transactionId}", "messagesDeleteByTransactionId", "Messages",
     "Delete the messages of a transaction", AUTH_ENVIRONMENT, "MESSAGE_WRITE", RATE_GLOBAL, 1, 204, ENVELOPE_NONE, 0, 0,
     handle_delete_transaction},
};
const size_t message_routes_n = sizeof message_routes / sizeof *message_routes;
