/* The HTTP server: libmicrohttpd in external epoll mode, driven by loops of our own.
 *
 * Each loop is a thread with its own daemon on the shared port (SO_REUSEPORT), its epoll set and an eventfd
 * through which other threads hand back answered requests; only the loop's thread touches its daemon
 * (design.md: libmicrohttpd's internal epoll thread stalls at exactly 128 ready events).
 *
 * Order of work in one request (rest-api.md §8): id, CORS, route (404), body limit (413), authenticate (401,
 * 403), before (rate limit, idempotency: may answer), JSON (400), handler.
 * "/v1/v1/" and doubled slashes are read as one (decisions.md 19). HEAD is served by GET's handler. OPTIONS is
 * answered here. An unmatched path is 404 {"message":"Cannot GET /path"}.
 * What does not become a request is answered by libmicrohttpd itself, in HTML, and the connection closed: a head beyond
 * 16 KiB (414, 431), a first line, header or chunk that is none (400), HTTP/1.1 without Host (400), another version
 * (505). The library offers no hook there. Upstream's server behaves alike: its parser answers such bytes without a body.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/id.h"
#include "base/metrics.h"
#include "http/request.h"

struct server;

struct server_config {
    const struct route *const *tables;      /* NULL-terminated list of tables … */
    const size_t *table_sizes;              /* … and their lengths */
    void *app;
    const char *const *listen;              /* "127.0.0.1:3000", "[::1]:3000", NULL-terminated */
    int loops;                              /* 0: as many as cores, at most 8 */
    int connections_max;                    /* a loop; 0: 16,384 */
    int idle_timeout_s;                     /* until a kept connection's next request, and for slow readers; 0: 61 */
    int header_timeout_s;                   /* whole request head and body must arrive within; 0: 30 */
    const char *const *origins;             /* CORS for routes that are not ROUTE_CORS_ANY; NULL-terminated or NULL */
    const char *context_path;               /* prefix taken off paths that have it, "" or "/x" */
    struct metrics *metrics;
    struct id_source *ids;                  /* of requests; NULL: its own. What takes over a request's id is in order with the rest */
    /* Fills rq->principal by the route's auth, or fails (401, 403). On the loop's thread: may read memory and
     * a read connection of its own thread, not wait. loop is 0…loops-1. */
    bool (*authenticate)(void *app, int loop, struct request *rq, struct error *err);
    /* Called after authentication; false when it has answered or taken the request. May be NULL. */
    bool (*before)(void *app, int loop, struct request *rq);
    /* false: refuse with 503 and Retry-After (overload); asked before the body is read. May be NULL. */
    bool (*accepting)(void *app);
    /* Called with every answer of a request that passed authentication, before it is sent, on the thread that
     * answers (request log, idempotency). body lives as long as rq->arena. false: the application has taken the
     * answer and sends it later, from any thread, with reply_send. May be NULL. */
    bool (*answering)(void *app, struct request *rq, int status, const char *content_type, struct str body);
};

struct server *server_start(const struct server_config *c, struct error *err);
/* The port that was bound for listen[i] (useful with port 0). */
int server_port(const struct server *s, int i);
int server_loop_of(const struct request *rq);
/* Stops accepting, lets answers under way finish for at most ms, closes. */
void server_stop(struct server *s, int ms);

#endif
