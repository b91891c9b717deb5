/* A server with live sockets and nothing else, for the real Socket.IO client: server PORT PING_MS TIMEOUT_MS.
 *
 * Prints the port that it listens on. A token is "<subscriber number>[:context]"; all others are bad.
 * POST /emit?to=1&context= (body: the message; until=N: to all from `to` to N), POST /changed?to=1, POST /unread?n=5, GET /state drive it.
 * SIGTERM stops it as a real server is stopped. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "http/server.h"
#include "realtime/hub.h"

struct app {
    struct hub *hub;
    _Atomic int unread, online;
};

static struct id subscriber(int64_t n)
{
    return (struct id){.b[9] = (uint8_t)(n >> 16), .b[10] = (uint8_t)(n >> 8), .b[11] = (uint8_t)n};
}

static bool authenticate(void *app, struct arena *a, struct str token, struct hub_identity *id)
{
    (void)app;
    int64_t n;
    ptrdiff_t colon = str_find(token, STR(":"));
    struct str head = str_sub(token, 0, colon < 0 ? token.n : (size_t)colon);
    if (!str_to_i64(head, &n) || n < 1 || n > 0xffffff)
        return false;
    *id = (struct hub_identity){.subscriber = subscriber(n), .expires_ms = clock_real_ms() + 3600000,
                                .context = colon < 0 ? STR_NULL : str_dup(a, str_sub(token, (size_t)colon + 1, token.n))};
    return true;
}

static bool counts(void *arg, const struct hub_identity *id, struct hub_counts *out)
{
    (void)id;
    int n = ((struct app *)arg)->unread;
    *out = (struct hub_counts){.unseen = n, .unread = n, .none = n};
    return true;
}

static void presence(void *arg, const struct hub_identity *id, bool online)
{
    (void)id;
    atomic_fetch_add(&((struct app *)arg)->online, online ? 1 : -1);
}

static int64_t number(struct request *rq, const char *name)
{
    int64_t n = 0;
    str_to_i64(request_query(rq, name), &n);
    return n;
}

static struct id addressee(struct request *rq)
{
    return subscriber(number(rq, "to"));
}

static void engineio(struct request *rq) { hub_handle_engineio(((struct app *)rq->app)->hub, rq); }
static void plain(struct request *rq) { hub_handle_plain(((struct app *)rq->app)->hub, rq); }

static void emit(struct request *rq)
{
    struct str context = request_query(rq, "context");
    int64_t n = number(rq, "to"), until = number(rq, "until");
    do
        hub_message(((struct app *)rq->app)->hub, subscriber(n), context, rq->body);
    while (++n <= until);
    reply_empty(rq, 204);
}

static void changed(struct request *rq)
{
    hub_changed(((struct app *)rq->app)->hub, addressee(rq), HUB_UNSEEN | HUB_UNREAD);
    reply_empty(rq, 204);
}

static void unread(struct request *rq)
{
    ((struct app *)rq->app)->unread = (int)number(rq, "n");
    reply_empty(rq, 204);
}

static void state(struct request *rq)
{
    struct app *app = rq->app;
    reply_text(rq, 200, "application/json", str_fmt(rq->arena, "{\"sockets\":%d,\"online\":%d}", hub_sockets(app->hub), app->online));
}

#define PLAIN_ROUTE(method, path, name, handle) \
    {method, path, name, "", "", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 65536, ROUTE_CORS_ANY | ROUTE_RAW_BODY, handle}
#define UPGRADE_ROUTE(path, name, handle) \
    {HTTP_GET, path, name, "", "", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 65536, \
     ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_ANY_UPGRADE, handle}

static const struct route routes[] = {
    UPGRADE_ROUTE("/socket.io/", "poll", engineio),
    PLAIN_ROUTE(HTTP_POST, "/socket.io/", "send", engineio),
    UPGRADE_ROUTE("/{path*}", "plain", plain),
    PLAIN_ROUTE(HTTP_POST, "/emit", "emit", emit),
    PLAIN_ROUTE(HTTP_POST, "/changed", "changed", changed),
    PLAIN_ROUTE(HTTP_POST, "/unread", "unread", unread),
    PLAIN_ROUTE(HTTP_GET, "/state", "state", state),
};

static bool nobody(void *app, int loop, struct request *rq, struct error *err)
{
    (void)app, (void)loop, (void)rq, (void)err;
    return true;
}

int main(int argc, char **argv)
{
    static const struct route *const tables[] = {routes, NULL};
    static const size_t sizes[] = {sizeof routes / sizeof *routes};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", argc > 1 ? atoi(argv[1]) : 0);
    const char *const listen[] = {address, NULL};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct app app = {0};
    struct error err = {0};
    struct metrics *m = metrics_create();
    struct hub_config hc = {.app = &app, .authenticate = authenticate, .counts = counts, .presence = presence, .metrics = m,
                            .ping_interval_ms = argc > 2 ? atoi(argv[2]) : 0, .ping_timeout_ms = argc > 3 ? atoi(argv[3]) : 0};
    struct server_config sc = {.tables = tables, .table_sizes = sizes, .app = &app, .listen = listen, .loops = 2,
                               .metrics = m, .authenticate = nobody};
    struct server *server = NULL;
    if (!crypto_init() || !(app.hub = hub_start(&hc, &err)) || !(server = server_start(&sc, &err))) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%d\n", server_port(server, 0));
    fflush(stdout);
    int signal;
    sigwait(&signals, &signal);
    hub_drain(app.hub);
    server_stop(server, 2000);
    hub_stop(app.hub);
    metrics_destroy(m);
    return 0;
}
