/* Connections: pipelined, slow, many, lost, upgraded, and what happens to them when the server stops. */
#include "server_fixture.h"

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

/* Work may come back to its loop before it answers. Of clients that have left meanwhile nothing comes back. */
static void requests_go_on_where_they_began(void **state)
{
    struct client *stays = client_to(f.server), *leaves = client_to(f.server);
    struct linger reset = {.l_onoff = 1};
    struct reply r;
    (void)state;
    worker_release_at(2);
    say(leaves, "POST /rounds HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    worker_wait_held(1);
    setsockopt(leaves->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    client_close(leaves);
    say(stays, "POST /rounds HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_true(read_reply(stays, &r, false));
    assert_body(&r, "{\"data\":{\"rounds\":true}}");
    worker_release_at(1);
    ask(stays, "POST /rounds HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &r);
    assert_int_equal(r.status, 201);
    client_close(stays);
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

/* Every slot is taken by a request that its handler still has. */
static void connections_above_the_cap_are_refused(void **state)
{
    struct server *s = server_with((struct server_config){.loops = 1, .connections_max = 2});
    struct client *held[2], *c = NULL;
    struct reply r;
    char v[512];
    (void)state;
    worker_release_at(3);
    for (int i = 0; i < 2; i++) {
        held[i] = client_to(s);
        say(held[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    }
    worker_wait_held(2);
    c = client_to(s);
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(c);
    worker_release_at(1);
    for (int i = 0; i < 2; i++) {
        assert_true(read_reply(held[i], &r, false));
        assert_int_equal(r.status, 201);
        client_close(held[i]);
    }
    client_close(c);
    server_stop(s, 0);
}

static bool has_ended(struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static void ask_hello(struct client *c)
{
    struct reply r;
    ask(c, "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
}

/* Connections that say nothing, or half a head, take no slot from those that ask. */
static void silent_connections_give_way(void **state)
{
    enum { CAP = 50, FLOOD = 2000 };
    struct server *s = server_with((struct server_config){.loops = 1, .connections_max = CAP});
    struct client *known = client_to(s), **silent = calloc(FLOOD, sizeof *silent);
    int ended = 0;
    (void)state;
    ask_hello(known);
    for (int i = 0; i < FLOOD; i++) {
        silent[i] = client_to(s);
        if (i % 2)
            say(silent[i], "GET /hello/x HTTP/1.1\r\nHos");
        if (i % 100)
            continue;
        struct client *c = client_to(s);
        ask_hello(c);
        client_close(c);
        ask_hello(known);               /* who was served before keeps the connection */
    }
    ask_hello(known);
    for (int i = 0; i < FLOOD; i++) {
        ended += has_ended(silent[i]);
        client_close(silent[i]);
    }
    assert_in_range(ended, FLOOD - 2 * CAP, FLOOD);
    free(silent);
    client_close(known);
    server_stop(s, 0);
}

/* … nor those that have been served and stay. The newest of them stay longest. */
static void idle_connections_give_way(void **state)
{
    enum { CAP = 10 };
    struct server *s = server_with((struct server_config){.loops = 1, .connections_max = CAP});
    struct client *c[3 * CAP];
    (void)state;
    for (int i = 0; i < 3 * CAP; i++)
        ask_hello(c[i] = client_to(s));
    for (int i = 0; i < 2 * CAP; i++)
        assert_ended(c[i]);
    for (int i = 2 * CAP; i < 3 * CAP; i++)
        ask_hello(c[i]);
    for (int i = 0; i < 3 * CAP; i++)
        client_close(c[i]);
    server_stop(s, 0);
}

/* Bodies that do not come on lose their slots too, but not at once. */
static void stuck_bodies_give_way(void **state)
{
    enum { CAP = 10 };
    struct server *s = server_with((struct server_config){.loops = 1, .connections_max = CAP});
    struct client *stuck[CAP], *c = NULL;
    struct reply r = {0};
    int refused = 0;
    (void)state;
    for (int i = 0; i < CAP; i++) {
        stuck[i] = client_to(s);
        ask(stuck[i], "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", &r);
        assert_int_equal(r.status, 100);
    }
    r.status = 0;
    while (r.status != 200) {           /* 5 s */
        if (c)
            client_close(c);
        c = client_to(s);
        ask(c, "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n", &r);
        refused += r.status == 503;
        usleep(100000);
    }
    assert_true(refused > 10);
    assert_ended(stuck[0]);
    say(stuck[CAP - 1], "{\"k\":1234}");
    assert_true(read_reply(stuck[CAP - 1], &r, false));
    assert_int_equal(r.status, 201);
    client_close(c);
    for (int i = 0; i < CAP; i++)
        client_close(stuck[i]);
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

/* Neither do requests that wait for their handlers, however long, nor what the client sends behind them. */
static void waiting_requests_stay(void **state)
{
    enum { N = 270 };                   /* more than stay awake */
    struct server *s = server_with((struct server_config){.loops = 1, .idle_timeout_s = 1, .header_timeout_s = 1});
    struct client *c[N];
    struct reply r;
    (void)state;
    worker_release_at(N + 1);
    for (int i = 0; i < N; i++) {
        c[i] = client_to(s);
        say(c[i], "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    }
    worker_wait_held(N);
    for (int i = 0; i < N; i++)
        say(c[i], "GET /hello/you HTTP/1.1\r\nHost: x\r\n\r\n");
    sleep(4);
    worker_release_at(1);
    for (int i = 0; i < N; i++) {
        assert_true(read_reply(c[i], &r, false));
        assert_int_equal(r.status, 201);
        assert_true(read_reply(c[i], &r, false));
        assert_int_equal(r.status, 200);
    }
    for (int i = 0; i < N; i++)
        client_close(c[i]);
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
    assert_non_null(strstr(err.message, "in use"));
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

static void after_the_end(const char *path)
{
    struct server *s = server_with((struct server_config){.loops = 1});
    struct client *c = client_to(s);
    char request[128];
    worker_release_at(2);
    snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", path);
    say(c, request);
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

static void answers_after_the_end_are_dropped(void **state)
{
    (void)state;
    after_the_end("/later");
    after_the_end("/rounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_and_dribbled_requests),
        cmocka_unit_test(old_and_closing_clients),
        cmocka_unit_test(many_are_answered_at_once),
        cmocka_unit_test(exactly_128_are_answered),
        cmocka_unit_test(clients_that_leave_cost_nothing),
        cmocka_unit_test(requests_go_on_where_they_began),
        cmocka_unit_test(overload_is_told),
        cmocka_unit_test(connections_above_the_cap_are_refused),
        cmocka_unit_test(silent_connections_give_way),
        cmocka_unit_test(idle_connections_give_way),
        cmocka_unit_test(stuck_bodies_give_way),
        cmocka_unit_test(slow_senders_are_cut_off),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(waiting_requests_stay),
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
