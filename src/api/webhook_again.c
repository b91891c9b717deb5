/* Sending an endpoint something again, by hand: one message, an example, what failed, what it was never sent. */
#include "api/webhook_examples.h"
#include "api/webhooks_private.h"
#include "base/clock.h"

struct again {
    struct api_write w;
    struct webhook_endpoint endpoint;
    struct id message;
    enum webhook_type type;
    int64_t since, total, chunk;
    struct id after, next;
    bool missing, more;
};

/* To an endpoint that takes nothing, nothing can be sent. */
static struct again *again_new(struct request *rq)
{
    struct again *x = ARENA_NEW(rq->arena, struct again);
    if (!webhook_endpoint_load(rq, &x->endpoint))
        return NULL;
    if (!x->endpoint.disabled)
        return x;
    reply_fail(rq, 400, "Webhook endpoint %.*s is disabled", STR_ARG(id_str(rq->arena, x->endpoint.id)));
    return NULL;
}

static bool resend_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    return webhook_resend(db, w->rq->arena, &x->endpoint, x->message, app_now(w->rq), err);
}

static bool test_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    struct arena *a = w->rq->arena;
    struct webhook_ears ears;
    yyjson_val *example;
    if (!webhook_listen(db, a, x->endpoint.environment, &ears, err)
        || !json_parse(a, webhook_example(a, x->type), &example, err))
        return false;
    if (!ears.n)
        return error_http(err, 404, "Webhook endpoint %.*s not found", STR_ARG(id_str(a, x->endpoint.id)));
    return webhook_emit_test(db, &ears, &x->endpoint, x->type, json_write(a, json_get(example, "data")), app_now(w->rq), &x->message, err);
}

static void message_reply(struct api_write *w)
{
    struct again *x = (struct again *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "messageId", webhook_message_wire_id(w->rq->arena, x->message));
    reply_json(w->rq, 0, o);
}

void webhook_again_resend(struct request *rq)
{
    struct webhook_message m;
    struct again *x = again_new(rq);
    if (!x || !webhook_message_load(rq, &m))
        return;
    x->message = m.id;
    x->w = (struct api_write){.apply = resend_apply, .reply = message_reply};
    api_write(rq, &x->w);
}

void webhook_again_test(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str name = check_string(&c, rq->json, "eventType", true);
    struct again *x;
    enum webhook_type type = WEBHOOK_MESSAGE_SENT;
    if (name.n && !webhook_type_parse(name, &type))
        check_fail(&c, "eventType must be one of the following values: %s", webhook_types_named(rq->arena).p);
    if (!checks_done(&c) || !(x = again_new(rq)))
        return;
    x->type = type;
    x->w = (struct api_write){.apply = test_apply, .reply = message_reply};
    api_write(rq, &x->w);
}

/* A part a commit, so that a long list holds up nobody. */
static bool many_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    x->next = x->after;
    if (x->missing)
        return webhook_replay_missing(db, w->rq->arena, &x->endpoint, x->since, app_now(w->rq), &x->next, &x->chunk, &x->more, err);
    if (!webhook_recover(db, &x->endpoint, x->since, app_now(w->rq), &x->chunk, err))
        return false;
    x->more = x->chunk == WEBHOOK_AGAIN_MAX;
    return true;
}

static void many_reply(struct api_write *w)
{
    struct again *x = (struct again *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    x->total += x->chunk;
    x->after = x->next;
    if (x->more) {
        api_write(w->rq, w);
        return;
    }
    json_add_int(d, o, "count", x->total);
    reply_json(w->rq, 0, o);
}

static void many(struct request *rq, bool missing)
{
    struct checks c = checks_begin(rq);
    struct str since = check_string(&c, rq->json, "since", true);
    int64_t from = 0;
    struct again *x;
    if (since.n && !time_parse_iso(since, &from))
        check_fail(&c, "since must be a valid ISO 8601 date string");
    if (!checks_done(&c) || !(x = again_new(rq)))
        return;
    x->since = from;
    x->missing = missing;
    x->w = (struct api_write){.flags = WRITE_CHAIN, .apply = many_apply, .reply = many_reply};
    api_write(rq, &x->w);
}

void webhook_again_recover(struct request *rq)
{
    many(rq, false);
}

void webhook_again_missing(struct request *rq)
{
    many(rq, true);
}
