/* The hub with its thread behind a real HTTP server: what crosses threads and what only HTTP can get wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "http/server.h"
#include "realtime/hub.h"

struct live {
    struct hub *hub;
    struct server *server;
    struct metrics *metrics;
    _Atomic int online, unread;
};

static struct live l;

static bool authenticate(void *app, struct arena *a, struct str token, struct hub_identity *id)
{
    (void)app, (void)a;
    int64_t n;
    if (!str_to_i64(token, &n) || n < 1 || n > 9)
        return false;
    *id = (struct hub_identity){.subscriber.b[11] = (uint8_t)n, .expires_ms = clock_real_ms() + 3600000};
    return true;
}

static bool counts(void *app, const struct hub_identity *id, struct hub_counts *out)
{
    (void)id;
    *out = (struct hub_counts){.unread = ((struct live *)app)->unread};
    return true;
}

static void presence(void *app, const struct hub_identity *id, bool online)
{
    (void)id;
    atomic_fetch_add(&((struct live *)app)->online, online ? 1 : -1);
}

static void engineio(struct request *rq) { hub_handle_engineio(((struct live *)rq->app)->hub, rq); }
static void plain(struct request *rq) { hub_handle_plain(((struct live *)rq->app)->hub, rq); }

static const struct route routes[] = {
    {HTTP_GET, "/socket.io/", "a", "", "", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 65536,
     ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_ANY_UPGRADE, engineio},
    {HTTP_POST, "/socket.io/", "b", "", "", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 65536,
     ROUTE_CORS_ANY | ROUTE_RAW_BODY, engineio},
    {HTTP_GET, "/{path*}", "c", "", "", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 65536,
     ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_ANY_UPGRADE, plain},
};

static bool nobody(void *app, int loop, struct request *rq, struct error *err)
{
    (void)app, (void)loop, (void)rq, (void)err;
    return true;
}

static int setup(void **state)
{
    (void)state;
    static const struct route *const tables[] = {routes, NULL};
    static const size_t sizes[] = {sizeof routes / sizeof *routes};
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    struct error err = {0};
    assert_true(crypto_init());
    l.metrics = metrics_create();
    l.online = l.unread = 0;
    struct hub_config hc = {.app = &l, .authenticate = authenticate, .counts = counts, .presence = presence,
                            .metrics = l.metrics};
    struct server_config sc = {.tables = tables, .table_sizes = sizes, .app = &l, .listen = listen, .loops = 2,
                               .metrics = l.metrics, .authenticate = nobody};
    l.hub = hub_start(&hc, &err);
    assert_non_null(l.hub);
    l.server = server_start(&sc, &err);
    assert_non_null(l.server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hub_drain(l.hub);
    server_stop(l.server, 5000);
    hub_stop(l.hub);
    metrics_destroy(l.metrics);
    return 0;
}

/* ---- a client ---- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(l.server, 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 20};      /* only a broken server lets this pass */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void put(int fd, const void *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void put_request(int fd, const char *method, const char *target, const char *headers, const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n%s", method, target,
                     strlen(body), headers, body);
    put(fd, text, (size_t)n);
}

static void get(int fd, char *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        assert_true(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/* Reads one answer: the head into head, the body into body; returns the status. */
static int get_answer(int fd, char head[4096], char body[65536])
{
    size_t n = 0;
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4)) {
        assert_true(n < 4095);
        get(fd, head + n++, 1);
    }
    head[n] = 0;
    const char *length = strcasestr(head, "content-length:");
    size_t m = length ? strtoul(length + 15, NULL, 10) : 0;
    assert_true(m < 65536);
    get(fd, body, m);
    body[m] = 0;
    return atoi(head + 9);
}

static char head_text[4096], body_text[65536];

static int http(const char *method, const char *target, const char *body)
{
    int fd = dial();
    put_request(fd, method, target, "", body);
    int status = get_answer(fd, head_text, body_text);
    close(fd);
    return status;
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

static int open_websocket(const char *target)
{
    int fd = dial();
    put_request(fd, "GET", target, UPGRADE, "");
    assert_int_equal(get_answer(fd, head_text, body_text), 101);
    assert_non_null(strstr(head_text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_null(strcasestr(head_text, "permessage-deflate"));
    return fd;
}

static void say(int fd, const char *text)
{
    char frame[256] = {(char)0x81, (char)(0x80 | strlen(text))};       /* mask 0 */
    memcpy(frame + 6, text, strlen(text));
    put(fd, frame, 6 + strlen(text));
}

static const char *hear(int fd)
{
    static _Thread_local char text[65536];
    uint8_t h[4];
    get(fd, (char *)h, 2);
    size_t n = h[1];
    if (n == 126) {
        get(fd, (char *)h + 2, 2);
        n = (size_t)h[2] << 8 | h[3];
    }
    get(fd, text, n);
    text[n] = 0;
    if ((h[0] & 15) == 8)
        snprintf(text, sizeof text, "close %d", (uint8_t)text[0] << 8 | (uint8_t)text[1]);
    return text;
}

#define HEARS(fd, want) assert_string_equal(hear(fd), want)
#define HEARS_START(fd, want) assert_memory_equal(hear(fd), want, sizeof(want) - 1)

static struct id subscriber(int n)
{
    return (struct id){.b[11] = (uint8_t)n};
}

static int connected(const char *token)
{
    char target[128];
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=websocket&token=%s", token);
    int fd = open_websocket(target);
    HEARS_START(fd, "0{\"sid\"");
    say(fd, "40");
    HEARS_START(fd, "40{\"sid\"");
    return fd;
}

/* ---- tests ---- */

static void refusals(void **state)
{
    (void)state;
    static const struct { const char *method, *query; int status; const char *body; } t[] = {
        {"GET", "", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "EIO=4", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "EIO=4&transport=carrier-pigeon", 400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
        {"GET", "EIO=4&transport=polling&sid=abcdefghijklmnopqrst", 400, "{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"POST", "EIO=4&transport=polling&sid=x", 400, "{\"code\":1,\"message\":\"Session ID unknown\"}"},
        {"POST", "EIO=4&transport=polling", 400, "{\"code\":2,\"message\":\"Bad handshake method\"}"},
        {"GET", "EIO=4&transport=websocket", 400, "{\"code\":3,\"message\":\"Bad request\"}"},
        {"GET", "EIO=4&transport=websocket&sid=x", 400, "{\"code\":3,\"message\":\"Bad request\"}"},
        {"GET", "transport=polling", 400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
        {"GET", "EIO=3&transport=polling", 400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char target[256];
        snprintf(target, sizeof target, "/socket.io/?%s", t[i].query);
        assert_int_equal(http(t[i].method, target, ""), t[i].status);
        assert_string_equal(body_text, t[i].body);
        assert_non_null(strcasestr(head_text, "content-type: application/json"));
        assert_non_null(strcasestr(head_text, "access-control-allow-origin: *"));
    }
    int fd = dial();
    put_request(fd, "GET", "/socket.io/?EIO=4&transport=websocket&sid=abcdefghijklmnopqrst", UPGRADE, "");
    assert_int_equal(get_answer(fd, head_text, body_text), 400);
    assert_string_equal(body_text, "{\"code\":1,\"message\":\"Session ID unknown\"}");
    close(fd);
}

static void polls_and_upgrades(void **state)
{
    (void)state;
    char sid[21] = "", poll[128], socket[128];
    assert_int_equal(http("GET", "/socket.io/?token=1&EIO=4&transport=polling&t=x", ""), 200);
    assert_non_null(strcasestr(head_text, "content-type: text/plain; charset=UTF-8"));
    assert_non_null(strcasestr(head_text, "cache-control: no-store"));
    assert_non_null(strcasestr(head_text, "access-control-allow-origin: *"));
    memcpy(sid, body_text + 9, 20);
    snprintf(poll, sizeof poll, "/socket.io/?token=1&EIO=4&transport=polling&sid=%s", sid);
    assert_int_equal(http("POST", poll, "40"), 200);
    assert_string_equal(body_text, "ok");
    assert_int_equal(http("GET", poll, ""), 200);
    assert_memory_equal(body_text, "40{\"sid\":\"", 10);
    int held = dial();
    put_request(held, "GET", poll, "", "");
    hub_message(l.hub, subscriber(1), STR(""), STR("1"));
    assert_int_equal(get_answer(held, head_text, body_text), 200);
    assert_memory_equal(body_text, "42[\"notification_received\",{\"message\":1}]", 41);
    /* counts may have come along or not: then they wait for the next poll */
    if (!strstr(body_text, "unread_count_changed"))
        assert_int_equal(http("GET", poll, ""), 200);
    snprintf(socket, sizeof socket, "/socket.io/?token=1&EIO=4&transport=websocket&sid=%s", sid);
    put_request(held, "GET", poll, "", "");
    int fd = open_websocket(socket);
    say(fd, "2probe");
    HEARS(fd, "3probe");
    assert_int_equal(get_answer(held, head_text, body_text), 200);
    assert_string_equal(body_text, "6");
    say(fd, "5");
    say(fd, "421[\"x\"]");
    HEARS(fd, "431[]");
    assert_int_equal(http("GET", poll, ""), 400);
    assert_string_equal(body_text, "{\"code\":3,\"message\":\"Bad request\"}");
    close(held);
    close(fd);
}

static void plain_transport_anywhere(void **state)
{
    (void)state;
    static const char *const targets[] = {"/?token=2", "/ws?token=2"};
    for (int i = 0; i < 2; i++) {
        int fd = open_websocket(targets[i]);
        say(fd, "ping");
        HEARS(fd, "pong");
        hub_changed(l.hub, subscriber(2), HUB_UNSEEN);
        HEARS(fd, "{\"event\":\"unseen_count_changed\",\"data\":{\"unseenCount\":0,\"hasMore\":false}}");
        close(fd);
    }
    int fd = open_websocket("/ws?token=bad");
    HEARS(fd, "close 4401");
    close(fd);
    assert_int_equal(http("GET", "/ws?token=2", ""), 404);
    assert_non_null(strstr(body_text, "\"message\":\"Cannot GET /ws\""));
}

/* What is handed over while the hub works on what came before must not wait for somebody else's signal. */
static void a_stream_of_messages_never_stands_still(void **state)
{
    (void)state;
    int fd = connected("4");
    for (int round = 0; round < 150; round++) {
        for (int i = 0; i < 200; i++)
            hub_message(l.hub, subscriber(4), STR(""), STR("1"));
        for (int heard = 0; heard < 200;)
            heard += strstr(hear(fd), "notification_received") != NULL;
    }
    close(fd);
}

static void a_stopping_server_lets_polls_go(void **state)
{
    (void)state;
    char sid[21] = "", poll[128];
    int fd = connected("3");
    assert_int_equal(http("GET", "/socket.io/?token=1&EIO=4&transport=polling", ""), 200);
    memcpy(sid, body_text + 9, 20);
    snprintf(poll, sizeof poll, "/socket.io/?EIO=4&transport=polling&sid=%s", sid);
    int held = dial();
    put_request(held, "GET", poll, "", "");
    assert_int_equal(hub_sockets(l.hub), 2);
    hub_drain(l.hub);
    HEARS(fd, "close 1001");
    int status = get_answer(held, head_text, body_text);
    if (status == 200)
        assert_string_equal(body_text, "1");
    else
        assert_int_equal(status, 503);      /* it came after the drain */
    assert_int_equal(http("GET", "/socket.io/?EIO=4&transport=polling", ""), 503);
    close(held);
    close(fd);
}

enum { STORM = 400 };

static void *storm(void *arg)
{
    (void)arg;
    for (int i = 0; i < STORM; i++) {
        hub_message(l.hub, subscriber(5), STR(""), STR("{\"x\":1}"));
        hub_changed(l.hub, subscriber(5), HUB_UNREAD);
        hub_changed(l.hub, subscriber(6), HUB_UNREAD);
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        put_request(fd, "GET", "/socket.io/?EIO=4&transport=websocket&token=6", UPGRADE, "");
        char c[16];
        get(fd, c, sizeof c);
        say(fd, "40");
        close(fd);
    }
    return NULL;
}

static void from_many_threads_the_last_count_is_right(void **state)
{
    (void)state;
    int fd = connected("5");
    pthread_t t[4];
    l.unread = 1;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, storm, NULL);
    pthread_create(&t[3], NULL, come_and_go, NULL);
    int messages = 0;
    while (messages < 3 * STORM)
        messages += !strncmp(hear(fd), "42[\"notification_received\"", 25);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    l.unread = 42;
    hub_changed(l.hub, subscriber(5), HUB_UNREAD);
    while (!strstr(hear(fd), "\"unreadCount\":42,"))
        ;
    close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(refusals), T(polls_and_upgrades), T(plain_transport_anywhere), T(a_stream_of_messages_never_stands_still), T(a_stopping_server_lets_polls_go),
        T(from_many_threads_the_last_count_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
