/* A real server on loopback with a small application, and a client made of plain sockets that can misbehave. */
#ifndef HTTP_SERVER_FIXTURE_H
#define HTTP_SERVER_FIXTURE_H

#pragma GCC diagnostic ignored "-Wunused-function"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/log.h"
#include "http/server.h"

/* ---- the application: handlers, a worker thread that answers in batches ---- */

struct worker {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct request *held[1024];
    int n, release_at;              /* answers all when so many are held */
    bool end;
    pthread_t thread;
};

struct fixture {
    struct server *server;
    struct metrics *metrics;
    struct worker worker;
    _Atomic bool refuse;            /* what accepting() says, inverted */
    _Atomic int answered;           /* calls of the hook */
    _Atomic int taken_fd, gone;     /* the last upgraded socket; handshakes lost */
    char early[64];
    pthread_mutex_t lock;
};

static struct fixture f;

/* A request that comes back to its loop several times, from another thread and from the loop's own. */
struct rounds {
    struct request *rq;
    int left;
    pthread_t loop;
};

static void rounds_go(void *arg)
{
    struct rounds *x = arg;
    if (!pthread_equal(x->loop, pthread_self()))
        abort();
    if (--x->left > 0)
        request_continue(x->rq, rounds_go, x);
    else
        reply_json_text(x->rq, 201, STR("{\"rounds\":true}"));
}

static void worker_answer(struct request *rq)
{
    if (rq->note)
        request_continue(rq, rounds_go, rq->note);
    else
        reply_json_text(rq, 201, STR("{\"later\":true}"));
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->end) {
        if (w->n < w->release_at || !w->n) {
            pthread_cond_wait(&w->more, &w->lock);
            continue;
        }
        for (int i = 0; i < w->n; i++)
            worker_answer(w->held[i]);
        w->n = 0;
        pthread_cond_broadcast(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void worker_release_at(int n)
{
    pthread_mutex_lock(&f.worker.lock);
    f.worker.release_at = n;
    pthread_cond_broadcast(&f.worker.more);
    pthread_mutex_unlock(&f.worker.lock);
}

static void worker_wait_held(int n)
{
    pthread_mutex_lock(&f.worker.lock);
    while (f.worker.n < n)
        pthread_cond_wait(&f.worker.more, &f.worker.lock);
    pthread_mutex_unlock(&f.worker.lock);
}

static void handle_later(struct request *rq)
{
    struct worker *w = &f.worker;
    pthread_mutex_lock(&w->lock);
    w->held[w->n++] = rq;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

static void handle_rounds(struct request *rq)
{
    struct rounds *x = ARENA_NEW(rq->arena, struct rounds);
    *x = (struct rounds){.rq = rq, .left = 3, .loop = pthread_self()};
    rq->note = x;
    handle_later(rq);
}

static void handle_hello(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "hello", request_param(rq, "name"));
    reply_json(rq, 0, o);
}

static void handle_echo(struct request *rq)
{
    struct str json = rq->json ? json_write(rq->arena, rq->json) : STR("null");
    reply_json_text(rq, 0, json);
}

static void handle_raw(struct request *rq)
{
    reply_text(rq, 200, "text/plain", str_fmt(rq->arena, "%zu", rq->body.n));
}

static void handle_nothing(struct request *rq)
{
    reply_json(rq, 0, NULL);
}

static void handle_gone(struct request *rq)
{
    reply_empty(rq, 204);
}

static void handle_query(struct request *rq)
{
    struct str *v;
    size_t n = request_query_all(rq, "k", &v);
    struct buf b = {.arena = rq->arena};
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%.*s;", STR_ARG(v[i]));
    struct str q = request_query(rq, "q");
    buf_fmt(&b, "q=%.*s", q.p ? (int)q.n : 4, q.p ? q.p : "none");
    reply_text(rq, 200, "text/plain", buf_get(&b));
}

static void handle_fail(struct request *rq)
{
    struct error err;
    struct str how = request_param(rq, "how");
    if (str_eqz(how, "conflict")) {
        error_http(&err, 409, "Subscriber with id \"s1\" already exists");
        err.details = STR("{\"subscriberId\":\"s1\",\"statusCode\":1}");
    } else if (str_eqz(how, "unprocessable")) {
        error_http(&err, 422, "workflow_not_found");
    } else if (str_eqz(how, "field")) {
        error_http(&err, 422, "Validation failed");
        error_field(&err, "steps.0.name");
    } else if (str_eqz(how, "limited")) {
        error_http(&err, 429, "API rate limit exceeded");
    } else if (str_eqz(how, "overload")) {
        error_set(&err, ERROR_OVERLOAD, "queue full");
    } else if (str_eqz(how, "long")) {
        char text[600];
        memset(text, 'x', sizeof text);
        for (size_t i = 1; i + 1 < sizeof text; i += 2)
            memcpy(text + i, "\xc3\xbc", 2);
        text[sizeof text - 1] = 0;
        error_http(&err, 400, "%s", text);
    } else {
        error_set(&err, ERROR_INTERNAL, "the secret reason");
    }
    reply_error(rq, &err);
}

static void handle_validation(struct request *rq)
{
    reply_validation(rq, (struct str[]){STR("name must be a string"), STR("\"x\" should not be empty")}, 2);
}

static void taken(void *arg, int fd, struct str early)
{
    (void)arg;
    pthread_mutex_lock(&f.lock);
    snprintf(f.early, sizeof f.early, "%.*s", (int)early.n, early.p ? early.p : "");
    pthread_mutex_unlock(&f.lock);
    if (fd < 0) {
        f.gone++;
        return;
    }
    send(fd, "tada", 4, MSG_NOSIGNAL);
    f.taken_fd = fd;
}

static void handle_socket(struct request *rq)
{
    struct error err;
    if (request_is_upgrade(rq)) {
        reply_header(rq, "Sec-WebSocket-Protocol", STR("chat"));
        reply_websocket(rq, taken, NULL);
        return;
    }
    error_http(&err, 400, "Transport unknown");
    reply_error(rq, &err);
}

/* Answers twice into memory, as work does that runs again, and sends the second. */
static void handle_held(struct request *rq)
{
    const char *type;
    struct str body;
    struct error err;
    int status;
    error_set(&err, ERROR_INTERNAL, "the first try failed");
    reply_hold(rq);
    if (reply_held(rq, &status, &type, &body))
        abort();
    reply_header(rq, "X-Try", STR("1"));
    reply_error(rq, &err);
    reply_hold(rq);
    reply_header(rq, "X-Try", STR("2"));
    reply_json_text(rq, 202, STR("{\"try\":2}"));
    if (!reply_held(rq, &status, &type, &body) || status != 202 || !str_eqz(body, "{\"data\":{\"try\":2}}"))
        abort();
    if (str_eqz(request_query(rq, "drop"), "1")) {
        reply_drop(rq);
        reply_empty(rq, 204);
    } else {
        reply_send(rq);
    }
}

static const struct route routes[] = {
    {HTTP_POST, "/held", .operation = "held", .status = 201, .handle = handle_held},
    {HTTP_GET, "/hello/{name}", .operation = "hello", .auth = AUTH_PUBLIC, .status = 200, .handle = handle_hello},
    {HTTP_POST, "/echo", .operation = "echo", .status = 201, .body_max = 100000, .envelope = ENVELOPE_NONE, .handle = handle_echo},
    {HTTP_POST, "/raw", .operation = "raw", .status = 200, .flags = ROUTE_RAW_BODY, .handle = handle_raw},
    {HTTP_GET, "/query", .operation = "query", .status = 200, .handle = handle_query},
    {HTTP_GET, "/nothing", .operation = "nothing", .status = 200, .handle = handle_nothing},
    {HTTP_DELETE, "/gone", .operation = "gone", .status = 204, .handle = handle_gone},
    {HTTP_POST, "/later", .operation = "later", .status = 201, .handle = handle_later},
    {HTTP_POST, "/rounds", .operation = "rounds", .status = 201, .handle = handle_rounds},
    {HTTP_GET, "/fail/{how}", .operation = "fail", .status = 200, .handle = handle_fail},
    {HTTP_POST, "/v1/events/trigger", .operation = "trigger", .rate = RATE_TRIGGER, .status = 201, .handle = handle_echo},
    {HTTP_POST, "/validation", .operation = "validation", .status = 201, .handle = handle_validation},
    {HTTP_GET, "/v1/inbox/me", .operation = "me", .auth = AUTH_SUBSCRIBER, .status = 200, .flags = ROUTE_CORS_ANY, .handle = handle_nothing},
    {HTTP_GET, "/health", .operation = "health", .status = 200, .flags = ROUTE_ALWAYS, .handle = handle_nothing},
    {HTTP_GET, "/socket.io/", .operation = "socket", .status = 200, .flags = ROUTE_ANY_UPGRADE, .handle = handle_socket},
};

static bool authenticate(void *app, int loop, struct request *rq, struct error *err)
{
    (void)app;
    (void)loop;
    if (rq->route->auth != AUTH_SUBSCRIBER && !request_header(rq, "x-deny").p)
        return true;
    return str_eqz(request_header(rq, "authorization"), "Bearer good") || error_http(err, 401, "Unauthorized");
}

static bool before(void *app, int loop, struct request *rq)
{
    (void)app;
    if (loop != server_loop_of(rq))
        abort();
    reply_header(rq, "RateLimit-Limit", STR("5"));
    if (!request_header(rq, "x-replay").p)
        return true;
    reply_text(rq, 208, "text/plain", STR("replayed"));
    return false;
}

static bool accepting(void *app)
{
    (void)app;
    return !f.refuse;
}

static void *send_run(void *rq)
{
    reply_send(rq);
    return NULL;
}

/* Answers that the application takes are sent by another thread, as after a commit. */
static bool answering(void *app, struct request *rq, int status, const char *content_type, struct str body)
{
    (void)content_type;
    (void)app;
    (void)status;
    (void)body;
    f.answered++;
    if (!request_header(rq, "x-take").p)
        return true;
    pthread_t thread;
    pthread_create(&thread, NULL, send_run, rq);
    pthread_detach(thread);
    return false;
}

static struct server *server_with(struct server_config c)
{
    static const struct route *const tables[] = {routes, NULL};
    static const size_t sizes[] = {sizeof routes / sizeof *routes};
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    static const char *const origins[] = {"https://app.example/", NULL};
    struct error err = {0};
    c.tables = tables;
    c.table_sizes = sizes;
    c.listen = listen;
    c.origins = origins;
    c.metrics = f.metrics;
    c.authenticate = authenticate;
    c.before = before;
    c.accepting = accepting;
    c.answering = answering;
    struct server *s = server_start(&c, &err);
    if (!s)
        fail_msg("%s", err.message);
    return s;
}

static int setup(void **state)
{
    (void)state;
    f.metrics = metrics_create();
    pthread_mutex_init(&f.lock, NULL);
    pthread_mutex_init(&f.worker.lock, NULL);
    pthread_cond_init(&f.worker.more, NULL);
    f.worker.release_at = 1;
    pthread_create(&f.worker.thread, NULL, worker_run, &f.worker);
    f.server = server_with((struct server_config){.loops = 2, .context_path = "/ctx"});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(f.server, 2000);
    pthread_mutex_lock(&f.worker.lock);
    f.worker.end = true;
    pthread_cond_broadcast(&f.worker.more);
    pthread_mutex_unlock(&f.worker.lock);
    pthread_join(f.worker.thread, NULL);
    metrics_destroy(f.metrics);
    return 0;
}

/* ---- the client ---- */

struct client {
    int fd;
    char in[1 << 17];
    size_t n;
};

struct reply {
    int status;
    char head[4096];
    char body[1 << 16];
    size_t body_n;
};

static struct client *client_to(struct server *s)
{
    struct client *c = calloc(1, sizeof *c);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(s, 0))};
    struct timeval patience = {.tv_sec = 60};        /* only a hang reaches it */
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
    return c;
}

static void client_close(struct client *c)
{
    close(c->fd);
    free(c);
}

/* false: the server has hung up; what it said is still to be read. */
static bool send_bytes(struct client *c, const char *p, size_t n)
{
    while (n) {
        ssize_t done = send(c->fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static void say(struct client *c, const char *text)
{
    send_bytes(c, text, strlen(text));
}

/* false: the connection ended before a whole answer. */
static bool read_more(struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->n, sizeof c->in - 1 - c->n, 0);
    if (n < 0 && errno == EAGAIN)
        fail_msg("the server hangs");
    if (n <= 0)
        return false;
    c->n += (size_t)n;
    c->in[c->n] = 0;
    return true;
}

static const char *header(const struct reply *r, const char *name, char out[512])
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *p = strcasestr(r->head, wanted);
    if (!p)
        return NULL;
    p += strlen(wanted);
    snprintf(out, 512, "%.*s", (int)strcspn(p, "\r"), p);
    return out;
}

static bool read_reply(struct client *c, struct reply *r, bool no_body)
{
    char text[512], *end;
    memset(r, 0, sizeof *r);
    while (!(end = strstr(c->in, "\r\n\r\n")))
        if (!read_more(c))
            return false;
    size_t head = (size_t)(end - c->in) + 4;
    snprintf(r->head, sizeof r->head, "%.*s", (int)head - 2, c->in);
    r->status = atoi(c->in + 9);
    r->body_n = !no_body && header(r, "Content-Length", text) ? (size_t)atol(text) : 0;
    while (c->n < head + r->body_n)
        if (!read_more(c))
            return false;
    assert_true(r->body_n < sizeof r->body);
    memcpy(r->body, c->in + head, r->body_n);
    c->n -= head + r->body_n;
    memmove(c->in, c->in + head + r->body_n, c->n + 1);
    return true;
}

static void ask(struct client *c, const char *text, struct reply *r)
{
    say(c, text);
    assert_true(read_reply(c, r, !strncmp(text, "HEAD", 4)));
}

static void ask_once(const char *text, struct reply *r)
{
    struct client *c = client_to(f.server);
    ask(c, text, r);
    client_close(c);
}

static void post(struct client *c, const char *path, const char *type, const char *body, struct reply *r)
{
    char text[4096];
    snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", path,
             type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "", strlen(body), body);
    ask(c, text, r);
}

static void assert_ended(struct client *c)
{
    while (read_more(c))
        ;
}

#define assert_body(r, text) assert_string_equal((r)->body, text)
#define assert_has(r, text) do { if (!strstr((r)->body, text)) fail_msg("no %s in %s", text, (r)->body); } while (0)
#define assert_no(r, text) do { if (strstr((r)->body, text)) fail_msg("%s in %s", text, (r)->body); } while (0)

#endif
