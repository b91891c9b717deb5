/* Counters and log lines of requests. Neither ever shows a query, a header or a body. */
#include <stdlib.h>

#include "base/clock.h"
#include "http/http_private.h"

static const int statuses[] = {0,   101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401,
                               402, 403, 404, 405, 408, 409, 410, 413, 414, 415, 422, 429, 500, 502, 503, 504};
static const char *const method_names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

bool measure_create(struct server *s)
{
    static const double bounds[] = {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30};
    struct metrics *m = s->c.metrics;
    if (!m)
        m = s->c.metrics = s->own_metrics = metrics_create();
    s->routes = calloc(router_count(s->router) + 1, sizeof *s->routes);
    s->seconds = metrics_histogram(m, "carillon_http_request_seconds", "Time from a request's first line to its answer.",
                                   NULL, bounds, sizeof bounds / sizeof *bounds);
    s->connections = metrics_gauge(m, "carillon_http_connections", "Open HTTP connections.", NULL);
    s->overload = metrics_counter(m, "carillon_http_overload_total", "Requests refused because of overload.", NULL);
    s->evicted = metrics_counter(m, "carillon_http_evicted_total", "Waiting connections closed because a newcomer needed a slot.", NULL);
    return s->routes != NULL;
}

static size_t status_index(int status)
{
    for (size_t i = 1; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i] == status)
            return i;
    return 0;
}

/* Made when a route first answers with a status: most pairs never occur. */
static struct counter *counter_of(struct server *s, const struct exchange *x, size_t status)
{
    const struct route *route = x->match.route;
    struct route_metrics *m = &s->routes[route ? x->match.index : router_count(s->router)];
    struct counter *c = atomic_load_explicit(&m->status[status], memory_order_acquire);
    if (c)
        return c;
    struct str labels = str_fmt(x->rq.arena, "route=\"%s%s%s\",status=\"%s\"", route ? method_names[route->method] : "",
                                route ? " " : "", route ? route->path : "unmatched",
                                status ? LOG_INT(statuses[status]) : "other");
    c = metrics_counter(s->c.metrics, "carillon_http_requests_total", "Requests answered, by route and status.",
                        str_z(x->rq.arena, labels));
    atomic_store_explicit(&m->status[status], c, memory_order_release);
    return c;
}

/* LOG_INT prints; that would cost more than everything else here while nobody listens. */
/* A server that refuses work would else fill the log as fast as it is asked; the counters have them all. */
static bool is_worth_a_line(struct exchange *x)
{
    if (x->status != 503)
        return true;
    bool first = x->loop->refused_second != x->loop->second;
    x->loop->refused_second = x->loop->second;
    return first;
}

void measure_answer(struct exchange *x)
{
    struct server *s = x->loop->server;
    const struct route *route = x->match.route;
    int64_t ns = clock_mono_ns() - x->began_ns;
    char status[STR_DIGITS], ms[STR_DIGITS];
    counter_add(counter_of(s, x, status_index(x->status)), 1);
    histogram_observe(s->seconds, (double)ns / 1e9);
    const char *method = x->rq.method.n < 8 ? x->rq.method.p : "other", *path = route ? route->path : "unmatched";
    const char *status_text = str_digits((uint64_t)x->status, status);
    const char *ms_text = str_digits((uint64_t)ns / 1000000, ms);
    if (x->error_id[0] && is_worth_a_line(x))
        log_warn("request failed", "method", method, "route", path, "status", status_text, "errorId", x->error_id,
                 "requestId", x->rq.id, "error", x->why, NULL);
    log_debug("request", "method", method, "route", path, "status", status_text, "ms", ms_text, "requestId", x->rq.id,
              NULL);
}
