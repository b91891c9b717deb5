/* Rate limit, idempotency and request log around the handlers. */
#include "api/gate.h"

#include "api/idempotency.h"
#include "api/rate_limit.h"
#include "api/request_log.h"

struct note {
    struct idempotent *idempotent;
    int64_t began_ns;
    int status;                         /* of the answer */
    bool is_change;                     /* to be logged */
};

static struct note *note_of(struct request *rq)
{
    return rq->note;
}

struct idempotent *gate_idempotent(struct request *rq)
{
    return rq->note ? note_of(rq)->idempotent : NULL;
}

void gate_set_idempotent(struct request *rq, struct idempotent *k)
{
    note_of(rq)->idempotent = k;
}

void gate_event_accepted(struct request *rq)
{
    if (rq->note)
        note_of(rq)->is_change = false;
}

bool app_before(void *arg, int loop, struct request *rq)
{
    struct app *app = arg;
    struct idempotent *k;
    (void)loop;
    sweep_poke(&app->sweep);
    if (rq->principal.kind != PRINCIPAL_API_KEY)
        return true;
    if (!rate_limit_pass(app->rates, rq))
        return false;
    if (rq->route->method == HTTP_GET || (rq->route->flags & ROUTE_READ_ONLY))
        return true;
    struct note *n = rq->note = ARENA_NEW(rq->arena, struct note);
    n->began_ns = clock_mono_ns();
    if (!idempotency_begin(rq, &k))
        return false;
    n->is_change = true;
    return true;
}

void gate_end(struct request *rq)
{
    struct note *n = note_of(rq);
    const char *type;
    struct str body;
    if (!n)
        return;
    reply_held(rq, &n->status, &type, &body);
    if (n->is_change)
        request_log_add(app_of(rq)->request_log, rq, n->status, (clock_mono_ns() - n->began_ns) / 1000000);
    if (n->idempotent)
        idempotency_end(rq, n->idempotent);
}

bool app_answering(void *app, struct request *rq, int status, const char *content_type, struct str body)
{
    struct note *n = note_of(rq);
    (void)app;
    if (!n)
        return true;
    n->status = status;
    if (n->idempotent && !idempotency_answering(rq, n->idempotent, status, content_type, body))
        return false;
    gate_end(rq);
    return true;
}
