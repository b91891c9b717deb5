/* A real server on loopback, and a client made of plain sockets that can misbehave. */
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
            reply_json_text(w->held[i], 201, STR("{\"later\":true}"));
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

static const struct route routes[] = {
    {HTTP_GET, "/hello/{name}", .operation = "hello", .auth = AUTH_PUBLIC, .status = 200, .handle = handle_hello},
    {HTTP_POST, "/echo", .operation = "echo", .status = 201, .body_max = 100000, .envelope = ENVELOPE_NONE, .handle = handle_echo},
    {HTTP_POST, "/raw", .operation = "raw", .status = 200, .flags = ROUTE_RAW_BODY, .handle = handle_raw},
    {HTTP_GET, "/query", .operation = "query", .status = 200, .handle = handle_query},
    {HTTP_GET, "/nothing", .operation = "nothing", .status = 200, .handle = handle_nothing},
    {HTTP_DELETE, "/gone", .operation = "gone", .status = 204, .handle = handle_gone},
    {HTTP_POST, "/later", .operation = "later", .status = 201, .handle = handle_later},
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

static void answered(void *app, struct request *rq, int status, struct str body)
{
    (void)app;
    (void)rq;
    (void)status;
    (void)body;
    f.answered++;
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
    c.answered = answered;
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

static void send_bytes(struct client *c, const char *p, size_t n)
{
    while (n) {
        ssize_t done = send(c->fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return;             /* the server may have hung up: what it said is still to be read */
        p += done;
        n -= (size_t)done;
    }
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

/* ---- what is promised ---- */

static void answers_are_wrapped_and_named(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /hello/a%2Fb%20c HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_body(&r, "{\"data\":{\"hello\":\"a/b c\"}}");
    assert_string_equal(header(&r, "Content-Type", v), "application/json; charset=utf-8");
    assert_true(header(&r, "x-request-id", v) && !strncmp(v, "req_", 4) && strlen(v) == 28);
    assert_string_equal(header(&r, "RateLimit-Limit", v), "5");
    ask(c, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{}");
    ask(c, "DELETE /gone HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 204);
    assert_null(header(&r, "Content-Type", v));
    ask(c, "GET //ctx//hello///z/ HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{\"data\":{\"hello\":\"z\"}}");
    client_close(c);
}

static void head_is_get_without_a_body(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "HEAD /hello/you HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(header(&r, "Content-Length", v), "24");
    ask(c, "GET /hello/you HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{\"data\":{\"hello\":\"you\"}}");
    client_close(c);
}

static void unknown_paths_and_methods_are_404(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    ask(c, "GET /no//where?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_has(&r, "\"message\":\"Cannot GET /no//where\"");
    assert_has(&r, "\"path\":\"/no//where?a=1\"");
    assert_has(&r, "\"error\":\"Not Found\",\"statusCode\":404,\"timestamp\":\"2");
    assert_has(&r, "\"ctx\":{\"error\":\"Not Found\",\"statusCode\":404}}");
    ask(c, "PATCH /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_has(&r, "Cannot PATCH /query");
    ask(c, "BREW /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "Cannot BREW /query");
    post(c, "/nowhere", "application/json", "{\"small\":1}", &r);    /* a refused body leaves the connection usable */
    assert_int_equal(r.status, 404);
    ask(c, "GET /hello/%zz HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask(c, "GET /hello/%ff HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask(c, "GET /hel\xfflo HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "/hel%FFlo");
    client_close(c);
}

static void json_bodies_are_checked(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char deep[1024];
    (void)state;
    post(c, "/echo", "application/json", "{\"a\":[1,\"\xc3\xbc\"]}", &r);
    assert_int_equal(r.status, 201);
    assert_body(&r, "{\"a\":[1,\"\xc3\xbc\"]}");
    post(c, "/echo", "application/json; charset=utf-8", "\xef\xbb\xbf[]", &r);
    assert_body(&r, "[]");
    post(c, "/echo", NULL, " {\"b\":2}", &r);
    assert_body(&r, "{\"b\":2}");
    post(c, "/echo", "text/plain", "{\"b\":2}", &r);
    assert_body(&r, "null");
    post(c, "/echo", "application/json", "", &r);
    assert_int_equal(r.status, 201);
    assert_body(&r, "null");
    post(c, "/echo", "application/json", "{\"a\":", &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "in JSON at position");
    post(c, "/echo", "application/json", "\"text\"", &r);
    assert_int_equal(r.status, 400);
    post(c, "/echo", "application/json", "   ", &r);
    assert_int_equal(r.status, 400);
    post(c, "/echo", "application/json", "{\"a\":\"\xff\"}", &r);
    assert_int_equal(r.status, 400);
    memset(deep, '[', 201);
    memset(deep + 201, ']', 201);
    deep[402] = 0;
    post(c, "/echo", "application/json", deep, &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "deeper than 200");
    post(c, "/raw", "application/json", "{not json", &r);
    assert_body(&r, "9");
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", &r);
    assert_int_equal(r.status, 415);
    client_close(c);
}

static void trigger_errors_have_what_the_sdk_wants(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    post(c, "/v1/v1/events/trigger", "application/json", "{", &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "\"type\":\"BAD_REQUEST\",\"errors\":[]");
    assert_has(&r, "\"path\":\"/v1/v1/events/trigger\"");
    client_close(c);
}

static void errors_have_the_contract_s_shape(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /fail/conflict HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 409);
    assert_has(&r, "{\"subscriberId\":\"s1\",\"error\":\"Conflict\",\"statusCode\":409,");
    assert_has(&r, "\"message\":\"Subscriber with id \\\"s1\\\" already exists\"");
    assert_has(&r, "\"ctx\":{\"subscriberId\":\"s1\",\"statusCode\":1}}");
    ask(c, "GET /fail/unprocessable HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 422);
    assert_has(&r, "\"errors\":{}");
    ask(c, "GET /fail/field HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "\"errors\":{\"steps.0.name\":{\"messages\":[\"Validation failed\"],\"value\":\"No Value Recorded\"}}");
    ask(c, "GET /fail/limited HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 429);
    assert_has(&r, "\"message\":\"API rate limit exceeded\",\"ctx\":{}}");
    assert_no(&r, "\"error\"");
    ask(c, "GET /fail/overload HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(header(&r, "Retry-After", v), "1");
    assert_has(&r, "\"error\":\"Service Unavailable\"");
    ask(c, "GET /fail/crash HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 500);
    assert_has(&r, "\"message\":\"Internal server error, contact support and provide them with the errorId\",\"errorId\":\"");
    assert_no(&r, "secret");
    assert_no(&r, "ctx");
    ask(c, "GET /fail/long HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_true(str_is_utf8((struct str){r.body, r.body_n}));
    post(c, "/validation", NULL, "", &r);
    assert_int_equal(r.status, 422);
    assert_has(&r, "\"message\":\"Validation Error\",\"ctx\":{}");
    assert_has(&r, "\"errors\":{\"general\":{\"messages\":[\"name must be a string\",\"\\\"x\\\" should not be empty\"],"
                   "\"value\":\"No Value Recorded\"}}");
    client_close(c);
}

static void queries_reach_the_handler(void **state)
{
    struct reply r;
    (void)state;
    ask_once("GET /query?k=a&k[]=b+c&x=1&k%5B0%5D=%2B&k[x]=d&q=1&q=%7B%22%7D HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "a;b c;+;d;q={\"}");
    ask_once("GET /query?k HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, ";q=none");
}

static void cross_origin_rules(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "OPTIONS /v1/inbox/session HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\nAccess-Control-Request-Method: POST\r\n"
           "Access-Control-Request-Headers: novu-api-version, x-y\r\n\r\n", &r);
    assert_int_equal(r.status, 204);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    assert_string_equal(header(&r, "Access-Control-Allow-Headers", v), "novu-api-version, x-y");
    assert_string_equal(header(&r, "Access-Control-Max-Age", v), "86400");
    assert_non_null(strstr(header(&r, "Access-Control-Allow-Methods", v), "PATCH"));
    ask(c, "GET /v1/inbox/me HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    assert_string_equal(header(&r, "Cache-Control", v), "no-store");
    assert_non_null(strstr(header(&r, "Access-Control-Expose-Headers", v), "Retry-After"));
    ask(c, "GET /v1/inbox/none HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n", &r);
    assert_null(header(&r, "Access-Control-Allow-Origin", v));
    assert_string_equal(header(&r, "Vary", v), "Origin");
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n\r\n", &r);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "https://app.example");
    ask(c, "GET /v1/inboxes HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_null(header(&r, "Access-Control-Allow-Origin", v));
    client_close(c);
}

static void authentication_comes_before_the_body(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /v1/inbox/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Deny: 1\r\nContent-Length: 1\r\n\r\n{", &r);
    assert_int_equal(r.status, 401);
    assert_null(header(&r, "Connection", v));
    /* a body that is announced but not sent */
    ask(c, "POST /raw HTTP/1.1\r\nHost: x\r\nX-Deny: 1\r\nExpect: 100-continue\r\nContent-Length: 7000000\r\n\r\n", &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(c);
    client_close(c);
}

static void before_may_answer(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Replay: 1\r\nContent-Length: 1\r\n\r\n{", &r);
    assert_int_equal(r.status, 208);
    assert_body(&r, "replayed");
    client_close(c);
}

static void large_bodies_are_refused_early(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", &r);
    assert_int_equal(r.status, 413);
    assert_has(&r, "\"message\":\"Payload Too Large\",\"ctx\":{\"statusCode\":413}}");
    assert_no(&r, "\"error\"");
    assert_string_equal(header(&r, "Connection", v), "close");
    client_close(c);
    ask_once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", &r);
    assert_int_equal(r.status, 413);
}

static void chunked_bodies_stop_at_the_limit(void **state)
{
    static char piece[10000];
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    memset(piece, 'x', sizeof piece);
    say(c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 60; i++) {
        say(c, "2710\r\n");
        send_bytes(c, piece, sizeof piece);
        say(c, "\r\n");
    }
    assert_true(read_reply(c, &r, false));
    assert_int_equal(r.status, 413);
    assert_has(&r, "Payload Too Large");
    assert_ended(c);
    client_close(c);
    c = client_to(f.server);
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
           "4\r\n{\"a\"\r\n3;ext=1\r\n:1}\r\n0\r\nTrailer: x\r\n\r\n", &r);
    assert_body(&r, "{\"a\":1}");
    client_close(c);
}

static void large_bodies_within_the_limit_arrive(void **state)
{
    const size_t n = 3000000;
    char *body = malloc(n), head[200];
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    memset(body, 'y', n);
    snprintf(head, sizeof head, "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
    for (int i = 0; i < 2; i++) {
        say(c, head);
        send_bytes(c, body, n);
        assert_true(read_reply(c, &r, false));
        assert_body(&r, "3000000");
    }
    say(c, "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2DC6C0\r\n");
    send_bytes(c, body, n);
    say(c, "\r\n0\r\n\r\n");
    assert_true(read_reply(c, &r, false));
    assert_body(&r, "3000000");
    free(body);
    client_close(c);
}

static void ambiguous_framing_is_refused(void **state)
{
    static const char *const bad[] = {
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /raw HTTP/1.1\r\n\r\n",
        "GET /raw HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    };
    struct reply r;
    char v[512];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct client *c = client_to(f.server);
        say(c, bad[i]);
        if (!read_reply(c, &r, false))
            fail_msg("no answer to %s", bad[i]);
        if (r.status != 400 || !header(&r, "Connection", v) || strcmp(v, "close"))
            fail_msg("%s: %d", bad[i], r.status);
        assert_ended(c);
        client_close(c);
    }
}

static void long_heads(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    static char text[40000];
    (void)state;
    int n = snprintf(text, sizeof text, "GET /query?q=");
    memset(text + n, 'j', 9000);
    snprintf(text + n + 9000, 500, " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %0400d\r\nAccept: */*\r\n\r\n", 7);
    ask(c, text, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body_n, 9002);
    memset(text + n, 'j', 30000);
    text[n + 30000] = 0;
    ask(c, text, &r);
    assert_int_equal(r.status, 414);
    client_close(c);
    c = client_to(f.server);
    n = snprintf(text, sizeof text, "GET /query HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 1500; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X-%d: flood, flood\r\n", i);
    ask(c, text, &r);
    assert_int_equal(r.status, 431);
    client_close(c);
}

static void pipelined_and_dribbled_requests(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    const char *text = "GET /hello/0 HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
                       "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n"
                       "GET /hello/9 HTTP/1.1\r\nHost: x\r\n\r\n";
    static const int want[] = {200, 201, 201, 404, 200};
    (void)state;
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            say(c, text);
        else
            for (const char *p = text; *p; p++)
                send_bytes(c, p, 1);
        for (size_t i = 0; i < 5; i++) {
            assert_true(read_reply(c, &r, false));
            assert_int_equal(r.status, want[i]);
        }
        assert_body(&r, "{\"data\":{\"hello\":\"9\"}}");
    }
    client_close(c);
}

static void old_and_closing_clients(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /hello/old HTTP/1.0\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_ended(c);
    client_close(c);
    c = client_to(f.server);
    ask(c, "GET /hello/old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &r);
    assert_non_null(strcasestr(header(&r, "Connection", v), "keep-alive"));
    ask(c, "GET /hello/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &r);
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(c);
    client_close(c);
    c = client_to(f.server);            /* half-closed: the answer still comes */
    say(c, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    shutdown(c->fd, SHUT_WR);
    assert_true(read_reply(c, &r, false));
    assert_int_equal(r.status, 201);
    assert_ended(c);
    client_close(c);
    for (int i = 0; i < 200; i++) {     /* the end comes together with the last bytes */
        c = client_to(f.server);
        say(c, i % 2 ? "GET /hello/x HTTP/1.1\r\nHo" : "GET /hel");
        say(c, i % 2 ? "st: x\r\n\r\n" : "lo");
        shutdown(c->fd, SHUT_WR);
        assert_int_equal(read_reply(c, &r, false), i % 2);
        assert_ended(c);
        client_close(c);
    }
    c = client_to(f.server);            /* ends in the middle */
    say(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{");
    shutdown(c->fd, SHUT_WR);
    assert_ended(c);
    client_close(c);
}

/* libmicrohttpd's own epoll thread stalls for good at exactly 128 ready events (design.md). */
static void many_are_answered_at_once(void **state)
{
    enum { N = 300 };
    struct client *c[N];
    struct reply r;
    (void)state;
    for (int i = 0; i < N; i++)
        c[i] = client_to(f.server);
    for (int round = 0; round < 3; round++) {
        worker_release_at(N);
        for (int i = 0; i < N; i++)
            say(c[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        for (int i = 0; i < N; i++) {
            assert_true(read_reply(c[i], &r, false));
            assert_int_equal(r.status, 201);
            assert_body(&r, "{\"data\":{\"later\":true}}");
        }
    }
    worker_release_at(1);
    for (int i = 0; i < N; i++)
        client_close(c[i]);
}

static void exactly_128_are_answered(void **state)
{
    enum { N = 128 };
    struct server *one = server_with((struct server_config){.loops = 1});
    struct client *c[N];
    struct reply r;
    (void)state;
    for (int i = 0; i < N; i++)
        c[i] = client_to(one);
    for (int round = 0; round < 20; round++) {
        worker_release_at(N);
        for (int i = 0; i < N; i++)
            say(c[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        for (int i = 0; i < N; i++)
            assert_true(read_reply(c[i], &r, false));
    }
    worker_release_at(1);
    for (int i = 0; i < N; i++)
        client_close(c[i]);
    server_stop(one, 1000);
}

static void clients_that_leave_cost_nothing(void **state)
{
    struct client *c[10];
    struct reply r;
    (void)state;
    worker_release_at(11);
    for (int i = 0; i < 10; i++) {
        c[i] = client_to(f.server);
        say(c[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    }
    worker_wait_held(10);
    for (int i = 0; i < 10; i++) {
        struct linger reset = {.l_onoff = 1};
        setsockopt(c[i]->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(c[i]);
    }
    ask_once("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &r);
    assert_int_equal(r.status, 201);
    worker_release_at(1);
}

static void overload_is_told(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    f.refuse = true;
    post(c, "/echo", "application/json", "{}", &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(header(&r, "Retry-After", v), "1");
    assert_has(&r, "\"error\":\"Service Unavailable\",\"statusCode\":503");
    ask(c, "GET /v1/inbox/me HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    ask(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    f.refuse = false;
    post(c, "/echo", "application/json", "{}", &r);
    assert_int_equal(r.status, 201);
    client_close(c);
}

static void connections_above_the_cap_are_refused(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1, .connections_max = 2});
    struct client *c[3];
    struct reply r;
    char v[512];
    (void)state;
    for (int i = 0; i < 3; i++) {
        c[i] = client_to(s);
        ask(c[i], "GET /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
        assert_int_equal(r.status, i < 2 ? 200 : 503);
    }
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(c[2]);
    for (int i = 0; i < 3; i++)
        client_close(c[i]);
    server_stop(s, 0);
}

static void slow_senders_are_cut_off(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1, .header_timeout_s = 1});
    struct client *silent = client_to(s), *head = client_to(s), *body = client_to(s), *held = client_to(s);
    struct reply r;
    (void)state;
    worker_release_at(2);
    say(held, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    say(head, "GET /query HTTP/1.1\r\nHos");
    say(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    assert_ended(silent);
    assert_ended(head);
    assert_ended(body);
    assert_int_equal(body->n, 0);
    worker_release_at(1);               /* a request that waits for its handler is not slow */
    assert_true(read_reply(held, &r, false));
    assert_int_equal(r.status, 201);
    client_close(silent);
    client_close(head);
    client_close(body);
    client_close(held);
    server_stop(s, 0);
}

static void idle_connections_end(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1, .idle_timeout_s = 1});
    struct client *c = client_to(s);
    struct reply r;
    (void)state;
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_ended(c);
    client_close(c);
    server_stop(s, 0);
}

#define HANDSHAKE "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static void websockets_are_handed_over(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    f.taken_fd = -1;
    ask(c, HANDSHAKE "early bytes", &r);
    assert_int_equal(r.status, 101);
    assert_string_equal(header(&r, "Sec-WebSocket-Accept", v), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(header(&r, "Sec-WebSocket-Protocol", v), "chat");
    assert_string_equal(header(&r, "Upgrade", v), "websocket");
    while (c->n < 4)
        assert_true(read_more(c));
    assert_memory_equal(c->in, "tada", 4);
    while (f.taken_fd < 0)
        sched_yield();
    pthread_mutex_lock(&f.lock);
    assert_string_equal(f.early, "early bytes");
    pthread_mutex_unlock(&f.lock);
    /* the socket is ours now, whatever the server does with its half */
    char got[8] = "";
    say(c, "ping");
    struct pollfd p = {.fd = f.taken_fd, .events = POLLIN};
    poll(&p, 1, 60000);
    assert_int_equal(recv(f.taken_fd, got, 4, 0), 4);
    assert_string_equal(got, "ping");
    close(f.taken_fd);
    assert_ended(c);
    client_close(c);
}

static void bad_handshakes_are_plain_requests(void **state)
{
    struct reply r;
    (void)state;
    ask_once("GET /socket.io/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask_once("GET /socket.io/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: short\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask_once("GET /socket.io/ HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
}

static void answers_and_requests_are_counted(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct reply r;
    (void)state;
    int hooks = f.answered;
    ask_once("GET /hello/1 HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(f.answered, hooks + 1);
    struct str text = metrics_render(f.metrics, a);
    assert_true(str_find(text, STR("carillon_http_requests_total{route=\"GET /hello/{name}\",status=\"200\"} ")) >= 0);
    assert_true(str_find(text, STR("carillon_http_requests_total{route=\"unmatched\",status=\"404\"} ")) >= 0);
    assert_true(str_find(text, STR("carillon_http_request_seconds_count ")) >= 0);
    assert_true(str_find(text, STR("carillon_http_overload_total ")) >= 0);
    assert_true(str_find(text, STR("carillon_http_connections ")) >= 0);
}

static void the_port_is_not_shared_with_strangers(void **state)
{
    char address[32];
    const char *const listen[] = {address, NULL};
    static const struct route *const tables[] = {routes, NULL};
    static const size_t sizes[] = {sizeof routes / sizeof *routes};
    struct server_config c = {.tables = tables, .table_sizes = sizes, .listen = listen, .loops = 1};
    struct error err = {0};
    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:%d", server_port(f.server, 0));
    assert_null(server_start(&c, &err));
    assert_non_null(strstr(err.message, "EADDRINUSE"));
    snprintf(address, sizeof address, "nonsense");
    assert_null(server_start(&c, &err));
}

static void *stop_run(void *arg)
{
    server_stop(arg, 60000);
    return NULL;
}

static void stopping_lets_answers_finish(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1});
    struct client *idle = client_to(s), *busy = client_to(s);
    struct reply r;
    char v[512];
    pthread_t t;
    (void)state;
    ask(idle, "GET /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    worker_release_at(2);
    say(busy, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    worker_wait_held(1);
    pthread_create(&t, NULL, stop_run, s);
    assert_ended(idle);
    worker_release_at(1);
    assert_true(read_reply(busy, &r, false));
    assert_int_equal(r.status, 201);
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(busy);
    pthread_join(t, NULL);
    client_close(idle);
    client_close(busy);
}

static void answers_after_the_end_are_dropped(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1});
    struct client *c = client_to(s);
    (void)state;
    worker_release_at(2);
    say(c, "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    worker_wait_held(1);
    server_stop(s, 1);
    assert_ended(c);
    assert_int_equal(c->n, 0);
    worker_release_at(1);               /* answers into nothing; the leak checker watches */
    pthread_mutex_lock(&f.worker.lock);
    while (f.worker.n)
        pthread_cond_wait(&f.worker.more, &f.worker.lock);
    pthread_mutex_unlock(&f.worker.lock);
    client_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_wrapped_and_named),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(unknown_paths_and_methods_are_404),
        cmocka_unit_test(json_bodies_are_checked),
        cmocka_unit_test(trigger_errors_have_what_the_sdk_wants),
        cmocka_unit_test(errors_have_the_contract_s_shape),
        cmocka_unit_test(queries_reach_the_handler),
        cmocka_unit_test(cross_origin_rules),
        cmocka_unit_test(authentication_comes_before_the_body),
        cmocka_unit_test(before_may_answer),
        cmocka_unit_test(large_bodies_are_refused_early),
        cmocka_unit_test(chunked_bodies_stop_at_the_limit),
        cmocka_unit_test(large_bodies_within_the_limit_arrive),
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(long_heads),
        cmocka_unit_test(pipelined_and_dribbled_requests),
        cmocka_unit_test(old_and_closing_clients),
        cmocka_unit_test(many_are_answered_at_once),
        cmocka_unit_test(exactly_128_are_answered),
        cmocka_unit_test(clients_that_leave_cost_nothing),
        cmocka_unit_test(overload_is_told),
        cmocka_unit_test(connections_above_the_cap_are_refused),
        cmocka_unit_test(slow_senders_are_cut_off),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(websockets_are_handed_over),
        cmocka_unit_test(bad_handshakes_are_plain_requests),
        cmocka_unit_test(answers_and_requests_are_counted),
        cmocka_unit_test(the_port_is_not_shared_with_strangers),
        cmocka_unit_test(stopping_lets_answers_finish),
        cmocka_unit_test(answers_after_the_end_are_dropped),
    };
    crypto_init();
    log_setup(LOG_NONE, false);
    return cmocka_run_group_tests(tests, setup, teardown);
}
