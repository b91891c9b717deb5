/* A hub without a thread, on a clock that stands still, and clients that are the other ends of socketpairs. */
#ifndef REALTIME_RIG_H
#define REALTIME_RIG_H

#pragma GCC diagnostic ignored "-Wunused-function"

#include <errno.h>
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
#include "realtime/hub_private.h"

struct rig {
    struct hub *hub;
    struct metrics *metrics;
    int64_t now, wall;
    struct hub_counts counts;
    int counted, online, offline, checked;
    bool counts_fail;
    char counted_context[64];
};

static int64_t rig_mono(void *arg) { return ((struct rig *)arg)->now; }
static int64_t rig_real(void *arg) { return ((struct rig *)arg)->wall; }

/* Tokens of the tests: "<subscriber digit>[:context][@ms of life]", or "#<subscriber>"; anything else is bad. */
static bool rig_authenticate(void *app, struct arena *a, struct str token, struct hub_identity *id)
{
    struct rig *r = app;
    int64_t life = 86400000, n = 0;
    r->checked++;
    memset(id, 0, sizeof *id);
    id->expires_ms = r->wall + life;
    if (str_starts(token, STR("#"))) {
        id->subscriber.b[10] = 1;
        return str_to_i64(str_sub(token, 1, token.n), &n) && (id->subscriber.b[11] = (uint8_t)n);
    }
    if (!token.n || token.p[0] < '0' || token.p[0] > '9')
        return false;
    ptrdiff_t at = str_find(token, STR("@"));
    if (at >= 0 && !str_to_i64(str_sub(token, (size_t)at + 1, token.n), &life))
        return false;
    struct str head = str_sub(token, 0, at < 0 ? token.n : (size_t)at);
    id->subscriber.b[11] = (uint8_t)(head.p[0] - '0' + 1);
    id->context = head.n > 2 ? str_dup(a, str_sub(head, 2, head.n)) : STR_NULL;
    id->expires_ms = r->wall + life;
    return true;
}

static bool rig_counts(void *app, const struct hub_identity *id, struct hub_counts *out)
{
    struct rig *r = app;
    r->counted++;
    snprintf(r->counted_context, sizeof r->counted_context, "%.*s", STR_ARG(id->context));
    *out = r->counts;
    return !r->counts_fail;
}

static void rig_presence(void *app, const struct hub_identity *id, bool online)
{
    struct rig *r = app;
    assert_int_not_equal(id->subscriber.b[11], 0);
    if (online)
        r->online++;
    else
        r->offline++;
}

static struct id subscriber(int digit)
{
    struct id id = {0};
    id.b[11] = (uint8_t)(digit + 1);
    return id;
}

static void rig_open(struct rig *r)
{
    struct error err = {0};
    *r = (struct rig){.now = 1000, .wall = 1700000000000};
    assert_true(crypto_init());
    r->metrics = metrics_create();
    struct hub_config c = {.app = r, .authenticate = rig_authenticate, .counts = rig_counts,
                           .presence = rig_presence, .metrics = r->metrics};
    struct hub_time t = {rig_mono, rig_real, r};
    r->hub = hub_create(&c, &t, &err);
    assert_non_null(r->hub);
}

static void settle(struct rig *r)
{
    while (hub_turn(r->hub, 0))
        ;
}

static void advance(struct rig *r, int64_t ms)
{
    r->now += ms;
    r->wall += ms;
    settle(r);
}

static void rig_close(struct rig *r)
{
    hub_destroy(r->hub);
    metrics_destroy(r->metrics);
}

/* ---- a client ---- */

struct client {
    int fd;
    char in[1 << 20];
    size_t n;
};

static struct client *client_attach(struct rig *r, bool plain, const char *sid, const char *token)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct client *c = calloc(1, sizeof *c);
    c->fd = fd[1];
    hub_attach(r->hub, fd[0], plain, str_of(sid), str_of(token), STR_NULL);
    settle(r);
    return c;
}

static void client_free(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

/* Writes a frame's bytes; masked as clients must. Returns their number. */
static size_t frame_make(uint8_t *out, uint8_t first, const void *text, size_t n)
{
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    size_t k = 0;
    out[k++] = first;
    if (n < 126) {
        out[k++] = (uint8_t)(0x80 | n);
    } else if (n < 65536) {
        out[k++] = 0x80 | 126;
        out[k++] = (uint8_t)(n >> 8);
        out[k++] = (uint8_t)n;
    } else {
        out[k++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--)
            out[k++] = (uint8_t)(n >> (8 * i));
    }
    memcpy(out + k, mask, 4);
    k += 4;
    for (size_t i = 0; i < n; i++)
        out[k + i] = ((const uint8_t *)text)[i] ^ mask[i % 4];
    return k + n;
}

static void client_bytes(struct rig *r, struct client *c, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t sent = send(c->fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN)
                return;         /* closed by the hub: what the test then looks at */
            settle(r);
            continue;
        }
        at += sent;
        n -= (size_t)sent;
    }
    settle(r);
}

static void client_frame(struct rig *r, struct client *c, uint8_t first, const char *text, size_t n)
{
    uint8_t *b = malloc(n + 16);
    size_t k = frame_make(b, first, text, n);
    client_bytes(r, c, b, k);
    free(b);
}

static void client_say(struct rig *r, struct client *c, const char *text)
{
    client_frame(r, c, 0x81, text, strlen(text));
}

/* The next frame from the hub as text, in a static buffer: "<text>", "close 1001", "ping", "pong:…", "eof",
 * or "nothing". */
static const char *client_hear(struct client *c)
{
    static char out[1 << 20];
    for (;;) {
        ssize_t got = recv(c->fd, c->in + c->n, sizeof c->in - c->n, MSG_DONTWAIT);
        if (got > 0) {
            c->n += (size_t)got;
            continue;
        }
        if (c->n == 0)
            return got == 0 || (got < 0 && errno == ECONNRESET) ? "eof" : "nothing";
        break;
    }
    const uint8_t *p = (const uint8_t *)c->in;
    assert_true(c->n >= 2);
    assert_int_equal(p[1] & 0x80, 0);       /* servers do not mask (RFC 6455 §5.1) */
    assert_int_equal(p[0] & 0xf0, 0x80);    /* whole messages, no reserved bits */
    size_t head = 2, n = p[1];
    if (n == 126) {
        n = (size_t)p[2] << 8 | p[3];
        head = 4;
    } else if (n == 127) {
        n = 0;
        for (int i = 0; i < 8; i++)
            n = n << 8 | p[2 + i];
        head = 10;
    }
    assert_true(c->n >= head + n);
    uint8_t op = p[0] & 15;
    if (op == 8)
        snprintf(out, sizeof out, n ? "close %d" : "close", n ? p[head] << 8 | p[head + 1] : 0);
    else
        snprintf(out, sizeof out, "%s%.*s", op == 9 ? "ping" : op == 10 ? "pong:" : "", (int)n, (const char *)p + head);
    memmove(c->in, c->in + head + n, c->n - head - n);
    c->n -= head + n;
    return out;
}

#define HEARS(c, want) assert_string_equal(client_hear(c), want)
#define HEARS_START(c, want) assert_memory_equal(client_hear(c), want, sizeof(want) - 1)

/* A Socket.IO client that is connected. */
static struct client *client_connected(struct rig *r, const char *token)
{
    struct client *c = client_attach(r, false, NULL, token);
    HEARS_START(c, "0{\"sid\":\"");
    client_say(r, c, "40");
    HEARS_START(c, "40{\"sid\":\"");
    HEARS(c, "nothing");
    return c;
}

/* ---- requests of polling clients ---- */

struct poller {
    struct exchange x;
    int status;                 /* 0: not answered */
    char type[64], body[1 << 16];
    bool upgraded;
};

static void poller_answer(struct exchange *x, int status, const char *type, struct str body)
{
    struct poller *p = (struct poller *)x;
    assert_int_equal(p->status, 0);
    p->status = status;
    snprintf(p->type, sizeof p->type, "%s", type ? type : "");
    snprintf(p->body, sizeof p->body, "%.*s", STR_ARG(body));
}

static void poller_upgrade(struct exchange *x)
{
    struct poller *p = (struct poller *)x;
    assert_int_equal(p->status, 0);
    p->status = 101;
}

static struct poller *request(struct rig *r, enum exchange_kind kind, const char *sid, const char *token,
                              const char *body)
{
    struct poller *p = calloc(1, sizeof *p);
    p->x = (struct exchange){.kind = kind, .sid = str_of(sid), .token = str_of(token), .body = str_of(body),
                             .answer = poller_answer, .upgrade = poller_upgrade};
    hub_exchange(r->hub, &p->x);
    settle(r);
    return p;
}

static void answered(struct poller *p, int status, const char *body)
{
    assert_int_equal(p->status, status);
    assert_string_equal(p->body, body);
    free(p);
}

/* Opens a session by polling and connects; sid gets 20 characters and NUL. */
static void polling_connected(struct rig *r, const char *token, char sid[SID_LEN + 1])
{
    struct poller *p = request(r, EXCHANGE_OPEN, NULL, token, NULL);
    assert_int_equal(p->status, 200);
    assert_string_equal(p->type, "text/plain; charset=UTF-8");
    memcpy(sid, p->body + strlen("0{\"sid\":\""), SID_LEN);
    sid[SID_LEN] = 0;
    free(p);
    p = request(r, EXCHANGE_POST, sid, NULL, "40");
    assert_string_equal(p->type, "text/html");
    answered(p, 200, "ok");
    p = request(r, EXCHANGE_GET, sid, NULL, NULL);
    assert_int_equal(p->status, 200);
    assert_memory_equal(p->body, "40{\"sid\":\"", 10);
    free(p);
}

static bool metric_is(struct rig *r, const char *line)
{
    struct arena *a = arena_create(0);
    bool found = str_find(metrics_render(r->metrics, a), str_of(line)) >= 0;
    arena_destroy(a);
    return found;
}

#endif
