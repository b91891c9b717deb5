/* POST /v1/events/trigger, /bulk and /broadcast (rest-api.md §6.1). */
#include "api/gate.h"
#include "api/idempotency.h"
#include "api/tables.h"
#include "api/trigger.h"
#include "model/event.h"

/* rest-api.md §5, 3–6. Of two calls with one key the second is told to wait (api/idempotency.h), but not by another
 * process on the same store. */
static void trigger_done(struct trigger_call *c, const struct error *err)
{
    struct request *rq = c->rq;
    if (err) {
        idempotency_event_has_it(rq, false);
        reply_error(rq, err);
        return;
    }
    if (c->trigger.result == TRIGGER_OTHER_BODY) {
        idempotency_reply_other_body(rq);
        return;
    }
    if (c->trigger.result == TRIGGER_REPLAY) {
        idempotency_mark_replay(rq);
        c->transaction_id = c->trigger.transaction_id;
    }
    if (c->trigger.result == TRIGGER_TAKEN)
        idempotency_event_has_it(rq, false);
    else if (c->status == TRIGGER_PROCESSED && !c->trigger.logged)
        gate_event_accepted(rq);
    reply_json_text(rq, 0, trigger_text(c));
}

static void trigger_answered(void *arg)
{
    trigger_done(arg, NULL);
}

/* After the commit, on the writer's thread. The plain answer is put together by the loop, in memory that its core knows: the
 * next commit waits for this thread. Whoever has claimed an Idempotency-Key must let go of it even if the client has left, and
 * then the loop asks for nothing more. */
static void trigger_committed(struct trigger_call *c, const struct error *err)
{
    if (err || c->status != TRIGGER_PROCESSED || c->trigger.logged || c->trigger.result != TRIGGER_FRESH || gate_idempotent(c->rq))
        trigger_done(c, err);
    else
        request_continue(c->rq, trigger_answered, c);
}

static void trigger_handle(struct request *rq, bool broadcast)
{
    struct checks checks = checks_begin(rq);
    struct trigger_call *c = ARENA_NEW(rq->arena, struct trigger_call);
    struct error err = {0};
    trigger_check(&checks, rq->json, broadcast);
    if (!checks_done(&checks))
        return;
    *c = (struct trigger_call){.rq = rq, .done = trigger_committed, .broadcast = broadcast};
    if (!trigger_begin(c, rq->json, &err))
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
    struct str *started;                /* transaction ids of events that were begun; empty: the event was not */
    size_t n;
    struct discoveries discoveries;
    struct arena *answers;              /* of the engine: only the writer's thread touches it until all are there */
    bool other_body;
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
    struct arena *answers = b->answers;      /* outlives the request, whose arena holds b */
    yyjson_mut_doc *d = json_doc(b->rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < b->n; i++)
        yyjson_mut_arr_append(list, bulk_item(d, b, i));
    if (b->other_body)
        idempotency_reply_other_body(b->rq);
    else
        reply_json(b->rq, 0, list);
    arena_destroy(answers);
}

static void bulk_call_done(struct trigger_call *c, const struct error *err)
{
    struct bulk *b = c->owner;
    if (err)
        b->errors[c->index] = *err;
    else if (c->trigger.result == TRIGGER_REPLAY)       /* an event of a call whose answer was lost with the process */
        c->transaction_id = c->trigger.transaction_id;
    else if (c->trigger.result == TRIGGER_OTHER_BODY)
        b->other_body = true;
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

/* Of events with one transactionId the first counts, also while both are on their way. */
static bool bulk_repeats(const struct bulk *b, size_t i, struct str transaction_id)
{
    while (transaction_id.n && i > 0)
        if (str_eq(b->started[--i], transaction_id))
            return true;
    return false;
}

static void bulk_begin(struct bulk *b, size_t i, yyjson_val *event)
{
    struct checks checks = checks_begin(b->rq);
    struct trigger_call *c = &b->calls[i];
    *c = (struct trigger_call){.rq = b->rq, .done = bulk_call_done, .owner = b, .index = i, .bulk = true,
                               .arena = b->answers, .discoveries = &b->discoveries,
                               .repeats = bulk_repeats(b, i, json_get_str(event, "transactionId"))};
    trigger_check(&checks, event, false);
    if (checks.n) {
        struct str text = joined(&checks);
        error_http(&b->errors[i], 422, "%.*s", STR_ARG(text));
        bulk_item_done(b);
    } else if (!trigger_begin(c, event, &b->errors[i])) {
        bulk_item_done(b);
    } else if (c->status == TRIGGER_PROCESSED) {
        b->started[i] = json_get_str(event, "transactionId");
    }
}

/* All bridges are asked: the events begin. */
static void bulk_go(void *arg)
{
    struct bulk *b = arg;
    size_t n = b->n;
    b->answers = arena_create(0);
    /* One more than the events: nothing is answered before the last has begun. While they begin, results of the first may
     * arrive on other threads, which therefore must not use the request's arena: they only count. */
    atomic_init(&b->open, n + 1);
    for (size_t i = 0; i < n; i++)
        bulk_begin(b, i, yyjson_arr_get(json_get(b->rq->json, "events"), i));
    bulk_item_done(b);
}

static void handle_bulk(struct request *rq)
{
    yyjson_val *events = json_get(rq->json, "events"), *event;
    struct checks checks = checks_begin(rq);
    size_t n = yyjson_arr_size(events), i;
    if (!yyjson_is_arr(events))
        check_fail(&checks, "events must be an array");
    else if (n == 0)
        check_fail(&checks, "events should not be empty");
    if (!checks_done(&checks))
        return;
    if (n > BULK_MAX) {
        reply_invalid_field(rq, "ProcessBulkTriggerCommand", "events", "events must contain no more than 100 elements");
        return;
    }
    struct bulk *b = ARENA_NEW(rq->arena, struct bulk);
    *b = (struct bulk){.rq = rq, .n = n, .calls = ARENA_ARRAY(rq->arena, struct trigger_call, n),
                       .errors = ARENA_ARRAY(rq->arena, struct error, n), .started = ARENA_ARRAY(rq->arena, struct str, n),
                       .discoveries = {.rq = rq}};
    yyjson_arr_foreach(events, i, n, event)
        discoveries_add(&b->discoveries, event);
    discoveries_begin(&b->discoveries, bulk_go, b);
}

/* --- cancel (engine.md §2.9, decisions.md 3) ------------------------------------------------------------------ */

static void cancel_done(struct cancellation *c, const struct error *err)
{
    struct request *rq = c->owner;
    if (err)
        reply_error(rq, err);
    else
        reply_json(rq, 0, yyjson_mut_bool(json_doc(rq->arena), c->stopped));
}

static void handle_cancel(struct request *rq)
{
    struct cancellation *c = ARENA_NEW(rq->arena, struct cancellation);
    struct error err = {0};
    *c = (struct cancellation){.environment = rq->principal.environment, .transaction_id = request_param(rq, "transactionId"),
                               .done = cancel_done, .owner = rq};
    if (!engine_cancel(app_of(rq)->engine, c, &err))
        reply_error(rq, &err);
}

const struct route event_routes[] = {
    {HTTP_POST, "/v1/events/trigger", "trigger", "Events", "Trigger a workflow", AUTH_ENVIRONMENT, "EVENT_WRITE", RATE_TRIGGER, 1,
     201, ENVELOPE_DATA, 32u << 20, 0, handle_trigger},
    {HTTP_POST, "/v1/events/trigger/bulk", "triggerBulk", "Events", "Trigger several workflows", AUTH_ENVIRONMENT, "EVENT_WRITE",
     RATE_TRIGGER, 100, 201, ENVELOPE_DATA, 32u << 20, 0, handle_bulk},
    {HTTP_POST, "/v1/events/trigger/broadcast", "triggerBroadcast", "Events", "Trigger a workflow for everybody", AUTH_ENVIRONMENT,
     "EVENT_WRITE", RATE_TRIGGER, 100, 201, ENVELOPE_DATA, 32u << 20, 0, handle_broadcast},
    {HTTP_DELETE, "/v1/events/trigger/{transactionId}", "cancel", "Events", "Cancel what a trigger started", AUTH_ENVIRONMENT,
     "EVENT_WRITE", RATE_TRIGGER, 1, 200, ENVELOPE_DATA, 0, 0, handle_cancel},
};
const size_t event_routes_n = sizeof event_routes / sizeof *event_routes;
