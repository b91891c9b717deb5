/* POST /v1/events/trigger, /bulk and /broadcast (rest-api.md §6.1). */
#include "api/tables.h"
#include "api/trigger.h"
#include "model/event.h"

static struct str key_of(struct request *rq)
{
    return request_header(rq, "Idempotency-Key");
}

/* rest-api.md §5, 3–6. */
static void trigger_done(struct trigger_call *c, const struct error *err)
{
    struct request *rq = c->rq;
    struct str key = key_of(rq);
    if (err) {
        reply_error(rq, err);
        return;
    }
    if (key.n)
        reply_header(rq, "Idempotency-Key", key);
    if (c->trigger.result == TRIGGER_OTHER_BODY) {
        reply_header(rq, "Link", STR("https://docs.novu.co/additional-resources/idempotency"));
        reply_fail(rq, 422, "Request with key \"%.*s\" is being reused for a different body", STR_ARG(key));
        return;
    }
    if (c->trigger.result == TRIGGER_REPLAY) {
        reply_header(rq, "Idempotency-Replay", STR("true"));
        c->transaction_id = c->trigger.transaction_id;
    }
    reply_json(rq, 0, trigger_json(json_doc(rq->arena), c));
}

static bool key_is_valid(struct request *rq)
{
    struct str key = key_of(rq);
    if (key.n <= 255)
        return true;
    reply_fail(rq, 400, "idempotencyKey \"%.*s\" has exceeded the maximum allowed length of 255 characters",
               (int)(key.n > 300 ? 300 : key.n), key.p);
    return false;
}

static void trigger_handle(struct request *rq, bool broadcast)
{
    struct checks checks = checks_begin(rq);
    struct trigger_call *c = ARENA_NEW(rq->arena, struct trigger_call);
    struct error err = {0};
    if (!key_is_valid(rq))
        return;
    trigger_check(&checks, rq->json, broadcast);
    if (!checks_done(&checks))
        return;
    *c = (struct trigger_call){.rq = rq, .done = trigger_done, .broadcast = broadcast};
    if (!trigger_begin(c, rq->json, key_of(rq), &err))
        reply_error(rq, &err);
}

static void handle_trigger(struct request *rq)
{
    trigger_handle(rq, false);
}

static void handle_broadcast(struct request *rq)
{
    trigger_handle(rq, true);
}

/* --- bulk: events one by one, each with its own result (engine.md §1.3) ----------------------------------- */

enum { BULK_MAX = 100 };

struct bulk {
    struct request *rq;
    struct trigger_call *calls;
    struct error *errors;
    size_t n;
    _Atomic size_t open;
};

static yyjson_mut_val *bulk_item(yyjson_mut_doc *d, struct bulk *b, size_t i)
{
    const struct error *err = &b->errors[i];
    if (err->code == ERROR_NONE)
        return trigger_json(d, &b->calls[i]);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "acknowledged", true);
    json_add_str(d, o, "status", STR("error"));
    yyjson_mut_val *list = json_add_arr(d, o, "error");
    yyjson_mut_arr_add_strcpy(d, list, err->message);
    /* decisions.md 14: the event's own transactionId when it gave one, else none */
    if (json_get_str(yyjson_arr_get(json_get(b->rq->json, "events"), i), "transactionId").n)
        json_add_str(d, o, "transactionId", json_get_str(yyjson_arr_get(json_get(b->rq->json, "events"), i), "transactionId"));
    return o;
}

static void bulk_item_done(struct bulk *b)
{
    if (atomic_fetch_sub(&b->open, 1) != 1)
        return;
    yyjson_mut_doc *d = json_doc(b->rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < b->n; i++)
        yyjson_mut_arr_append(list, bulk_item(d, b, i));
    reply_json(b->rq, 0, list);
}

static void bulk_call_done(struct trigger_call *c, const struct error *err)
{
    struct bulk *b = c->owner;
    if (err)
        b->errors[c->index] = *err;
    bulk_item_done(b);
}

static struct str joined(struct checks *c)
{
    struct buf b = {.arena = c->rq->arena};
    for (size_t i = 0; i < c->n; i++) {
        if (i)
            buf_z(&b, ", ");
        buf_str(&b, c->messages[i]);
    }
    return buf_finish(&b);
}

static void bulk_begin(struct bulk *b, size_t i, yyjson_val *event)
{
    struct checks checks = checks_begin(b->rq);
    struct trigger_call *c = &b->calls[i];
    *c = (struct trigger_call){.rq = b->rq, .done = bulk_call_done, .owner = b, .index = i, .bulk = true};
    trigger_check(&checks, event, false);
    if (checks.n) {
        struct str text = joined(&checks);
        error_http(&b->errors[i], 422, "%.*s", STR_ARG(text));
        bulk_item_done(b);
    } else if (!trigger_begin(c, event, STR_NULL, &b->errors[i])) {
        bulk_item_done(b);
    }
}

static void handle_bulk(struct request *rq)
{
    yyjson_val *events = json_get(rq->json, "events");
    struct checks checks = checks_begin(rq);
    size_t n = yyjson_arr_size(events);
    if (!yyjson_is_arr(events))
        check_fail(&checks, "events must be an array");
    else if (n == 0)
        check_fail(&checks, "events should not be empty");
    else if (n > BULK_MAX)
        check_fail(&checks, "events must contain no more than %d elements", BULK_MAX);
    if (!checks_done(&checks))
        return;
    struct bulk *b = ARENA_NEW(rq->arena, struct bulk);
    *b = (struct bulk){.rq = rq, .n = n, .calls = ARENA_ARRAY(rq->arena, struct trigger_call, n),
                       .errors = ARENA_ARRAY(rq->arena, struct error, n)};
    /* One more than the events: nothing is answered before the last has begun. While they begin, results of the first may
     * arrive on other threads, which therefore must not use the request's arena: they only count. */
    atomic_init(&b->open, n + 1);
    for (size_t i = 0; i < n; i++)
        bulk_begin(b, i, yyjson_arr_get(events, i));
    bulk_item_done(b);
}

const struct route event_routes[] = {
    {HTTP_POST, "/v1/events/trigger", "trigger", "Events", "Trigger a workflow", AUTH_ENVIRONMENT, "EVENT_WRITE", RATE_TRIGGER, 1,
     201, ENVELOPE_DATA, 32u << 20, ROUTE_NOT_IDEMPOTENT, handle_trigger},
    {HTTP_POST, "/v1/events/trigger/bulk", "triggerBulk", "Events", "Trigger several workflows", AUTH_ENVIRONMENT, "EVENT_WRITE",
     RATE_TRIGGER, 100, 201, ENVELOPE_DATA, 32u << 20, ROUTE_NOT_IDEMPOTENT, handle_bulk},
    {HTTP_POST, "/v1/events/trigger/broadcast", "triggerBroadcast", "Events", "Trigger a workflow for everybody", AUTH_ENVIRONMENT,
     "EVENT_WRITE", RATE_TRIGGER, 100, 201, ENVELOPE_DATA, 32u << 20, ROUTE_NOT_IDEMPOTENT, handle_broadcast},
};
const size_t event_routes_n = sizeof event_routes / sizeof *event_routes;
