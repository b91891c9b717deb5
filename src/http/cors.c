/* Cross-origin rules (rest-api.md §4.4, decisions.md 14): "*" for what browsers of strangers use, configured
 * origins for the rest, never credentials. Errors carry the headers too, or the browser hides them. */
#include "http/http_private.h"

static const struct str public_prefixes[] = {   /* also for paths there that no route has */
    {"/v1/inbox", 9}, {"/v1/widgets", 11}, {"/v1/blueprints", 14}, {"/v1/web-chat", 12}, {"/socket.io", 10},
};

static bool is_public_path(struct str path)
{
    for (size_t i = 0; i < sizeof public_prefixes / sizeof *public_prefixes; i++) {
        struct str p = public_prefixes[i];
        if (str_starts(path, p) && (path.n == p.n || path.p[p.n] == '/'))
            return true;
    }
    return false;
}

static int slot_named(struct str method)
{
    static const char *const name[HTTP_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (int i = 0; i < HTTP_METHODS; i++)
        if (str_eqz(method, name[i]))
            return i;
    return str_eqz(method, "HEAD") ? HTTP_GET : -1;
}

/* The route a request goes to; of a preflight, the route of the request that it announces. */
static const struct route *route_meant(struct exchange *x)
{
    const struct header *h = head_find(x, "access-control-request-method");
    struct router_match m;
    if (!str_eq(x->rq.method, STR("OPTIONS")) || !h)
        return x->match.route;
    int slot = slot_named(h->value);
    return slot >= 0 && router_find(x->loop->server->router, slot, x->rq.path, &m) ? m.route : NULL;
}

static bool origin_is_configured(const struct server *s, struct str origin, bool *any)
{
    *any = false;
    for (size_t i = 0; i < s->origins; i++) {
        *any = str_eq(s->origin[i], STR("*"));
        if (*any || str_eq_nocase(s->origin[i], origin))
            return true;
    }
    return false;
}

void cors_begin(struct exchange *x)
{
    const struct server *s = x->loop->server;
    const struct route *route = route_meant(x);
    const struct header *origin = head_find(x, "origin");
    bool any = is_public_path(x->rq.path) || (route && (route->flags & ROUTE_CORS_ANY)), listed = false;
    x->no_store = str_starts(x->rq.path, STR("/v1/inbox")) || str_starts(x->rq.path, STR("/v1/widgets")) ||
                  (route && (route->auth == AUTH_SUBSCRIBER || route->auth == AUTH_SESSION));
    if (!any && origin)
        listed = origin_is_configured(s, origin->value, &any);
    if (!any && s->origins)
        answer_header(x, "Vary", STR("Origin"));
    if (!any && !listed)
        return;
    answer_header(x, "Access-Control-Allow-Origin", any ? STR("*") : origin->value);
    if (origin)
        answer_header(x, "Access-Control-Expose-Headers",
                      STR("RateLimit-Remaining, RateLimit-Limit, RateLimit-Reset, RateLimit-Policy, Retry-After, "
                          "Idempotency-Key, Idempotency-Replay, x-request-id"));
}

void cors_preflight(struct exchange *x)
{
    const struct header *h = head_find(x, "access-control-request-headers");
    answer_header(x, "Access-Control-Allow-Methods", STR("GET,HEAD,POST,PUT,DELETE,PATCH,OPTIONS"));
    answer_header(x, "Access-Control-Max-Age", STR("86400"));
    if (h && h->value.n) {
        answer_header(x, "Access-Control-Allow-Headers", h->value);
        answer_header(x, "Vary", STR("Access-Control-Request-Headers"));
    }
    x->status = 204;
    x->ready = true;
}
