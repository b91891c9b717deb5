/* /v1/outbox: what the demo provider "sent" (decisions.md 6). */
#include "api/app.h"
#include "api/tables.h"
#include "model/outbox.h"

static void cursor_read(struct checks *c, const char *name, struct id *out)
{
    struct str s = request_query(c->rq, name);
    if (s.n && !id_parse(s, out))
        check_fail(c, "%s must be the _id of a message", name);
}

static void query_read(struct checks *c, struct outbox_query *q)
{
    struct request *rq = c->rq;
    struct str channel = request_query(rq, "channel");
    enum channel parsed;
    *q = (struct outbox_query){.channel = -1, .to = request_query(rq, "to"), .q = request_query(rq, "q"),
                               .transaction_id = request_query(rq, "transactionId")};
    if (channel.n && !channel_parse(channel, &parsed))
        check_fail(c, "channel must be one of the following values: email, sms, push, chat");
    else if (channel.n)
        q->channel = (int)parsed;
    cursor_read(c, "after", &q->after);
    cursor_read(c, "before", &q->before);
    q->limit = (int)check_query_int(c, "limit", 50, 1, 100);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct outbox_query q;
    struct outbox_message *list;
    struct error err = {0};
    size_t n;
    query_read(&checks, &q);
    if (!checks_done(&checks))
        return;
    q.limit++;
    if (!outbox_list(app_db(rq), rq->arena, rq->principal.environment, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool more = n == (size_t)q.limit;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    for (size_t i = 0; i < n - more; i++)
        yyjson_mut_arr_append(data, outbox_json(d, rq->arena, &list[i]));
    json_add_bool(d, o, "hasMore", more);
    reply_json(rq, 0, o);
}

static bool id_read(struct request *rq, struct id *id)
{
    if (id_parse(request_param(rq, "id"), id))
        return true;
    reply_fail(rq, 404, "Outbox message not found");
    return false;
}

static void handle_get(struct request *rq)
{
    struct outbox_message m;
    struct error err = {0};
    struct id id;
    if (!id_read(rq, &id))
        return;
    if (!outbox_find(app_db(rq), rq->arena, rq->principal.environment, id, &m, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, outbox_json(json_doc(rq->arena), rq->arena, &m));
}

struct outbox_erase {
    struct api_write w;
    struct id id;           /* zero: all */
};

static bool erase_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct outbox_erase *x = (struct outbox_erase *)w;
    int64_t n;
    return outbox_delete(db, w->rq->principal.environment, x->id, &n, err)
        && (n || id_is_zero(x->id) || error_http(err, 404, "Outbox message not found"));
}

static void erase_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static void erase(struct request *rq, struct id id)
{
    struct outbox_erase *x = ARENA_NEW(rq->arena, struct outbox_erase);
    x->id = id;
    x->w.apply = erase_apply;
    x->w.reply = erase_reply;
    api_write(rq, &x->w);
}

static void handle_delete_all(struct request *rq)
{
    erase(rq, (struct id){{0}});
}

static void handle_delete(struct request *rq)
{
    struct id id;
    if (id_read(rq, &id))
        erase(rq, id);
}

#define OUTBOX(method, path, operation, summary, status, handler)                                                       \
    {method, path, operation, "Outbox", summary, AUTH_ENVIRONMENT, "MESSAGE_READ", RATE_GLOBAL, 1, status, ENVELOPE_DATA, 0, 0, \
     handler}

const struct route outbox_routes[] = {
    {HTTP_GET, "/v1/outbox", "outboxList", "Outbox", "List messages of the built-in outbox", AUTH_ENVIRONMENT, "MESSAGE_READ",
     RATE_GLOBAL, 1, 200, ENVELOPE_NONE, 0, 0, handle_list},
    OUTBOX(HTTP_DELETE, "/v1/outbox", "outboxClear", "Empty the outbox", 204, handle_delete_all),
    OUTBOX(HTTP_GET, "/v1/outbox/{id}", "outboxRetrieve", "Retrieve a message of the outbox", 200, handle_get),
    OUTBOX(HTTP_DELETE, "/v1/outbox/{id}", "outboxDelete", "Delete a message of the outbox", 204, handle_delete),
};
const size_t outbox_routes_n = sizeof outbox_routes / sizeof *outbox_routes;
