/* POST /v1/events/explain: what a trigger would do (beyond.md §2). */
#include "engine/explain.h"

#include "api/app.h"
#include "api/tables.h"
#include "api/trigger.h"

/* A trigger's body, and what an explanation adds to it. */
struct explain_call {
    struct trigger_call trigger;
    struct explain_request request;
};

static int64_t time_check(struct checks *c, const char *key, int64_t otherwise)
{
    yyjson_val *v = json_get(c->rq->json, key);
    int64_t at = otherwise;
    if (v && !yyjson_is_null(v) && (!yyjson_is_str(v) || !time_parse_iso(json_str(v), &at) || at < 0))
        check_fail(c, "%s must be a valid ISO 8601 date string", key);
    return at;
}

static void explain_check(struct checks *c, struct explain_request *q)
{
    yyjson_val *limit = json_get(c->rq->json, "limit"), *broadcast = json_get(c->rq->json, "broadcast");
    q->at = time_check(c, "at", app_now(c->rq));
    q->until = time_check(c, "until", INT64_MAX);
    q->people = (int)json_get_int(c->rq->json, "limit", limit ? 0 : EXPLAIN_PEOPLE);
    q->assume = check_object(c, c->rq->json, "assume", false);
    if (q->until < q->at)
        check_fail(c, "until must not be before at");
    if (q->people < 1 || q->people > EXPLAIN_PEOPLE_MAX)
        check_fail(c, "limit must be an integer from 1 to %d", EXPLAIN_PEOPLE_MAX);
    if (broadcast && !yyjson_is_bool(broadcast))
        check_fail(c, "broadcast must be a boolean value");
}

static bool assume_check(struct explain_call *x)
{
    enum { MESSAGES = 20 };
    struct request *rq = x->trigger.rq;
    struct checks c = checks_begin(rq);
    struct str messages[MESSAGES];
    size_t n = explain_assume_check(rq->arena, x->request.assume, x->trigger.trigger.definition, messages, MESSAGES);
    for (size_t i = 0; i < n; i++)
        check_fail(&c, "%.*s", STR_ARG(messages[i]));
    return checks_done(&c);
}

/* What would have been answered, and why nothing came of it. */
static void refused_reply(struct explain_call *x)
{
    yyjson_mut_doc *d = json_doc(x->trigger.rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "status", trigger_status_name(x->trigger.status));
    json_add_str(d, o, "transactionId", x->trigger.transaction_id);
    json_add_time(d, o, "at", x->request.at);
    json_add_arr(d, o, "timelines");
    reply_json(x->trigger.rq, 0, o);
}

static void explanation_reply(struct explain_call *x)
{
    struct request *rq = x->trigger.rq;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o;
    if (!engine_explain(app_of(rq)->engine, app_db(rq), rq->arena, &x->request, d, &o, &err)) {
        reply_error(rq, &err);
        return;
    }
    json_add_str(d, o, "status", trigger_status_name(x->trigger.status));
    json_add_str(d, o, "transactionId", x->trigger.transaction_id);
    reply_json(rq, 0, o);
}

static void explain_done(struct trigger_call *c, const struct error *err)
{
    struct explain_call *x = c->owner;
    if (err) {
        reply_error(c->rq, err);
        return;
    }
    if (c->status != TRIGGER_PROCESSED) {
        refused_reply(x);
        return;
    }
    x->request.trigger = &c->trigger;
    if (assume_check(x))
        explanation_reply(x);
    cached_unref(&c->trigger.definition->head);
}

static void handle_explain(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct explain_call *x = ARENA_NEW(rq->arena, struct explain_call);
    struct error err = {0};
    bool broadcast = json_get_bool(rq->json, "broadcast", false);
    trigger_check(&checks, rq->json, broadcast);
    explain_check(&checks, &x->request);
    if (!checks_done(&checks))
        return;
    x->trigger = (struct trigger_call){.rq = rq, .done = explain_done, .owner = x, .broadcast = broadcast, .explains = true};
    if (!trigger_begin(&x->trigger, rq->json, &err))
        reply_error(rq, &err);
}

const struct route explain_routes[] = {
    {HTTP_POST, "/v1/events/explain", "explainTrigger", "Events", "Tell what a trigger would do, without doing it",
     AUTH_ENVIRONMENT, "EVENT_WRITE", RATE_TRIGGER, 1, 200, ENVELOPE_DATA, 32u << 20, ROUTE_READ_ONLY | ROUTE_NOT_IDEMPOTENT,
     handle_explain},
};
const size_t explain_routes_n = sizeof explain_routes / sizeof *explain_routes;
