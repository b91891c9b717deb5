/* Asks one bridge after the other. */
#include "api/discovery.h"

#include "api/bridge_doc.h"

struct str event_bridge_url(yyjson_val *event)
{
    return json_get_str(event, "bridgeUrl");
}

const struct discovery *discoveries_find(const struct discoveries *d, struct str url)
{
    for (size_t i = 0; i < d->n; i++)
        if (str_eq(d->list[i].url, url))
            return &d->list[i];
    return NULL;
}

void discoveries_add(struct discoveries *d, yyjson_val *event)
{
    struct str url = event_bridge_url(event);
    if (url.n && d->n < DISCOVERIES_MAX && !discoveries_find(d, url))
        d->list[d->n++] = (struct discovery){.url = url};
}

bool bridge_url_allowed(struct request *rq, struct str url, struct error *err)
{
    struct outbound_target t;
    struct error why = {0};
    return outbound_check(&app_of(rq)->outbound, rq->arena, url, &t, &why) || error_http(err, 400, "bridgeUrl: %s", why.message);
}

static void next(void *arg);

static void answered(struct bridge_call *c, const struct bridge_answer *said)
{
    struct discoveries *d = (struct discoveries *)((char *)c - offsetof(struct discoveries, call));
    struct discovery *x = &d->list[d->asked - 1];
    if (!said->body)
        bridge_call_error(d->rq->arena, said, 0, &x->err);
    else if (bridge_doc_check(said->body, &x->err))
        x->said = said->body;
    request_continue(d->rq, next, d);
}

/* false: it need not be asked; its error says why. */
static bool ask(struct discoveries *d, struct discovery *x)
{
    struct request *rq = d->rq;
    struct environment_view *v;
    if (!bridge_url_allowed(rq, x->url, &x->err)
        || !(v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, &x->err)))
        return false;
    d->call = (struct bridge_call){.rq = rq, .url = x->url, .action = "discover", .done = answered};
    bridge_call_start(&d->call, v);
    cached_unref(&v->head);
    return true;
}

static void next(void *arg)
{
    struct discoveries *d = arg;
    while (d->asked < d->n)
        if (ask(d, &d->list[d->asked++]))
            return;
    d->then(d->arg);
}

void discoveries_begin(struct discoveries *d, void (*then)(void *arg), void *arg)
{
    d->then = then;
    d->arg = arg;
    next(d);
}
