/* Bytes from a WebSocket client into a hub: raw, or as the packets between line ends, well framed.
 *
 * The first byte chooses: which kind of socket, raw or framed. In framed input a byte 0x02 at the start of a
 * line lets time pass. Whatever came, when the client is gone the hub must hold nothing. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "realtime/hub_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int64_t now;

static int64_t time_of(void *arg)
{
    (void)arg;
    return now;
}

static bool authenticate(void *app, struct arena *a, struct str token, struct hub_identity *id)
{
    (void)app, (void)a;
    *id = (struct hub_identity){.subscriber.b[0] = 1, .expires_ms = now + 100000};
    return token.n && token.p[0] != 'x';
}

static bool counts(void *app, const struct hub_identity *id, struct hub_counts *out)
{
    (void)app, (void)id;
    out->unread = 101;
    return true;
}

static void settle(struct hub *h)
{
    while (hub_turn(h, 0))
        ;
}

static void put(struct hub *h, int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t k = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k > 0) {
            p += k;
            n -= (size_t)k;
        }
        settle(h);
        char sink[4096];
        while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
        if (k < 0 && (!hub_sockets(h) || !h->sockets))
            return;
    }
    settle(h);
}

static void put_framed(struct hub *h, int fd, const uint8_t *p, size_t n)
{
    while (n) {
        const uint8_t *end = memchr(p, '\n', n);
        size_t k = end ? (size_t)(end - p) : n;
        if (k && p[0] == 2) {
            now += 5000;
            settle(h);
        } else if (k < 126) {
            uint8_t frame[140] = {0x81, (uint8_t)(0x80 | k)};
            memcpy(frame + 6, p, k);
            put(h, fd, frame, k + 6);
        }
        hub_message(h, (struct id){.b[0] = 1}, STR_NULL, STR("{}"));
        n -= end ? k + 1 : k;
        p += end ? k + 1 : k;
    }
}

static void answer(struct exchange *x, int status, const char *type, struct str body)
{
    (void)status, (void)type;
    if (x->kind == EXCHANGE_OPEN && body.n > 9 + SID_LEN)
        memcpy((char *)(uintptr_t)x->sid.p, body.p + 9, SID_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n || !crypto_init())
        return 0;
    log_setup(LOG_NONE, false);
    now = 1000;
    struct hub_config c = {.authenticate = authenticate, .counts = counts};
    struct hub_time t = {time_of, time_of, NULL};
    struct hub *h = hub_create(&c, &t, NULL);
    char sid[SID_LEN] = "";
    int fd[2];
    if (!h || socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
        abort();
    bool probe = data[0] & 4;
    struct exchange x = {.kind = EXCHANGE_OPEN, .sid = {sid, SID_LEN}, .token = STR("1"), .answer = answer};
    if (probe) {
        hub_exchange(h, &x);
        settle(h);
    }
    hub_attach(h, fd[0], data[0] & 1, probe ? x.sid : STR_NULL, STR("1"), STR_NULL);
    settle(h);
    (data[0] & 2 ? put_framed : put)(h, fd[1], data + 1, n - 1);
    close(fd[1]);
    settle(h);
    now += 200000;          /* polling sessions and lingering sockets end by time */
    settle(h);
    now += 200000;
    settle(h);
    if (hub_sockets(h) || h->sockets || h->rooms.n || h->timers.n)
        abort();
    hub_destroy(h);
    return 0;
}
