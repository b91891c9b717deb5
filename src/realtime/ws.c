/* One WebSocket on a descriptor of its own: wslay reads and checks frames, what leaves is shared frames.
 *
 * A wslay context takes 9 kB, and 10,000 idle sockets must not (design.md). So a socket has one only while a
 * message is arriving; between messages a fresh context is as good as the old one.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "realtime/hub_private.h"

enum { WRITE_PIECES = 32 };

struct ws_codec {
    wslay_event_context_ptr ctx;
    struct ws *w;
    struct str early;
    uint64_t fed, due;          /* bytes given to wslay; bytes of the frames that it has announced */
    size_t budget;
    bool in_message;            /* between the fragments of one */
    bool lost;                  /* the descriptor has no more */
};

static ssize_t codec_read(wslay_event_context_ptr ctx, uint8_t *p, size_t n, int flags, void *arg)
{
    (void)flags;
    struct ws_codec *c = arg;
    if (c->w->state != WS_OPEN || !c->budget) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    ssize_t got;
    if (c->early.n) {
        got = (ssize_t)(n < c->early.n ? n : c->early.n);
        memcpy(p, c->early.p, (size_t)got);
        c->early = str_sub(c->early, (size_t)got, c->early.n);
    } else {
        do
            got = recv(c->w->fd, p, n < c->budget ? n : c->budget, 0);
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            bool later = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
            wslay_event_set_error(ctx, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
            c->lost = !later;
            return -1;
        }
        c->budget -= (size_t)got;
    }
    c->fed += (uint64_t)got;
    return got;
}

static void push(struct ws *w, struct frame *f)
{
    outq_push(&w->out, f);
    if (!w->in_flush) {
        w->in_flush = true;
        w->next_flush = w->hub->flush_sockets;
        w->hub->flush_sockets = w;
    }
}

/* wslay's own answers: pongs, and the close frame that replies to one or to a broken frame. */
static ssize_t codec_write(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags, void *arg)
{
    (void)ctx, (void)flags;
    struct ws_codec *c = arg;
    struct frame *f = frame_raw(p, n);
    push(c->w, f);
    frame_unref(f);
    return (ssize_t)n;
}

/* Clients' frames are masked (wslay refuses others) and their lengths minimal: so the head's size is known. */
static void codec_frame(wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_start_arg *f, void *arg)
{
    (void)ctx;
    struct ws_codec *c = arg;
    uint64_t n = f->payload_length;
    c->due += 2 + (n < 126 ? 0 : n < 65536 ? 2 : 8) + 4 + n;
    if (!wslay_is_ctrl_frame(f->opcode))
        c->in_message = !f->fin;
    if (c->w->session)
        session_admit(c->w->session);
}

static void codec_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
    (void)ctx;
    struct ws *w = ((struct ws_codec *)arg)->w;
    if (w->state != WS_OPEN || !w->session)
        return;
    struct str text = {(const char *)m->msg, m->msg_length};
    if (w->role == WS_PLAIN)
        session_alive(w->session);
    if (m->opcode == WSLAY_TEXT_FRAME && w->role == WS_PROBE)
        engine_probe(w, text);
    else if (m->opcode == WSLAY_TEXT_FRAME)
        session_receive(w->session, text);
    else if (m->opcode == WSLAY_BINARY_FRAME && w->role == WS_ENGINE)
        session_close(w->session, WSLAY_CODE_UNSUPPORTED_DATA, DROP_BINARY);
    arena_reset(w->hub->scratch);
}

static struct ws_codec *codec_take(struct ws *w)
{
    struct ws_codec *c = w->codec;
    if (!c && w->hub->spare_codec) {
        c = w->hub->spare_codec;
        w->hub->spare_codec = NULL;
    } else if (!c) {
        static const struct wslay_event_callbacks callbacks = {
            .recv_callback = codec_read, .send_callback = codec_write,
            .on_frame_recv_start_callback = codec_frame, .on_msg_recv_callback = codec_message};
        c = hub_alloc(sizeof *c);
        if (wslay_event_context_server_init(&c->ctx, &callbacks, c) != 0)
            abort();            /* no memory left, as in arenas */
        wslay_event_config_set_max_recv_msg_length(c->ctx, LIMIT_RECEIVE_BYTES);
    }
    c->w = w;
    w->codec = c;
    return c;
}

void ws_codec_free(struct ws_codec *c)
{
    if (!c)
        return;
    wslay_event_context_free(c->ctx);
    free(c);
}

static void codec_rest(struct ws *w)
{
    struct ws_codec *c = w->codec;
    bool idle = c->fed == c->due && !c->in_message;
    c->early = STR_NULL;
    if (w->state == WS_OPEN && !idle)
        return;
    w->codec = NULL;
    if (w->state != WS_OPEN || w->hub->spare_codec) {
        ws_codec_free(c);
        return;
    }
    c->fed = c->due = 0;
    w->hub->spare_codec = c;
}

/* The other side is no more: tell whoever owns the socket. */
static void lose(struct ws *w)
{
    struct session *s = w->session;
    w->session = NULL;
    if (!s)
        return;
    if (w->role == WS_PROBE) {
        s->probe = NULL;        /* it stays on polling */
        return;
    }
    s->ws = NULL;
    session_close(s, 0, DROP_NONE);
}

static void begin_closing(struct ws *w)
{
    w->state = WS_CLOSING;
    timer_set(&w->hub->timers, &w->timer, w->hub->now + LINGER_MS);
    if (!w->in_flush) {
        w->in_flush = true;
        w->next_flush = w->hub->flush_sockets;
        w->hub->flush_sockets = w;
    }
}

static void read_some(struct ws *w, struct str early)
{
    struct ws_codec *c = codec_take(w);
    c->early = early;
    c->budget = LIMIT_READ_TURN;
    int r = wslay_event_recv(c->ctx);
    if (w->state == WS_OPEN && r != 0 && !c->lost) {
        lose(w);                /* a frame so broken that wslay does not answer it */
        ws_close(w, WSLAY_CODE_PROTOCOL_ERROR);
    } else if (w->state == WS_OPEN && r != 0) {
        ws_abort(w);
    } else if (w->state == WS_OPEN) {
        if (wslay_event_want_write(c->ctx) && wslay_event_send(c->ctx) != 0)
            ws_abort(w);
        else if (!wslay_event_get_read_enabled(c->ctx)) {
            begin_closing(w);
            lose(w);
        } else if (outq_is_over(&w->out) && w->session) {
            session_doom(w->session, DROP_SLOW);       /* pings without end, pongs never read */
        }
    }
    codec_rest(w);
}

/* Reads to nowhere until the other side closes. */
static void read_rest(struct ws *w)
{
    char sink[4096];
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(w->fd, sink, sizeof sink, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0) {
            ws_abort(w);
            return;
        }
    }
}

/* A message and its counts as one piece: to copy that is cheaper than to have the system look at pieces. */
static ssize_t send_pieces(int fd, struct iovec *v, uint32_t n)
{
    char small[2048];
    size_t bytes = 0;
    for (uint32_t i = 0; i < n && bytes <= sizeof small; i++) {
        if (n > 1 && v[i].iov_len <= sizeof small - bytes)
            memcpy(small + bytes, v[i].iov_base, v[i].iov_len);
        bytes += v[i].iov_len;
    }
    if (n == 1)
        return send(fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (bytes <= sizeof small)
        return send(fd, small, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* false: the connection is broken. */
static bool write_some(struct ws *w)
{
    while (w->out.n) {
        struct iovec v[WRITE_PIECES];
        uint32_t n = w->out.n < WRITE_PIECES ? w->out.n : WRITE_PIECES;
        for (uint32_t i = 0; i < n; i++) {
            struct frame *f = outq_at(&w->out, i);
            size_t skip = i ? 0 : w->out.sent;
            v[i] = (struct iovec){f->bytes + skip, f->n - skip};
        }
        ssize_t sent = send_pieces(w->fd, v, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        size_t left = (size_t)sent;
        while (w->out.n && left >= outq_at(&w->out, 0)->n - w->out.sent) {
            left -= outq_at(&w->out, 0)->n - w->out.sent;
            outq_pop(&w->out);
        }
        w->out.sent += (uint32_t)left;
    }
    return true;
}

static void want_write(struct ws *w, bool want)
{
    if (w->wants_write == want)
        return;
    w->wants_write = want;
    struct epoll_event e = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = w};
    epoll_ctl(w->hub->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

void ws_flush(struct ws *w)
{
    if (w->state == WS_DEAD)
        return;
    if (!write_some(w)) {
        ws_abort(w);
        return;
    }
    want_write(w, w->out.n > 0);
    if (w->state == WS_CLOSING && !w->out.n) {
        w->state = WS_SHUT;
        shutdown(w->fd, SHUT_WR);
    }
}

static void linger_is_over(struct hub *h, struct timer *t)
{
    (void)h;
    struct ws *w = (struct ws *)((char *)t - offsetof(struct ws, timer));
    if (w->state != WS_OPEN) {
        ws_abort(w);
        return;
    }
    lose(w);                    /* a probe that did not upgrade in time */
    ws_close(w, WSLAY_CODE_NORMAL_CLOSURE);
}

struct ws *ws_open(struct hub *h, int fd, enum ws_role role, struct session *s)
{
    int on = 1;
    int most = LIMIT_SEND_BYTES;                                   /* the kernel would keep megabytes for who does not read */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);      /* fails on other kinds of sockets: no matter */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct ws *w = hub_alloc(sizeof *w);
    *w = (struct ws){.hub = h, .session = s, .fd = fd, .role = (uint8_t)role, .timer.fire = linger_is_over};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        close(fd);
        free(w);
        return NULL;
    }
    w->next = h->sockets;
    if (h->sockets)
        h->sockets->prev = w;
    h->sockets = w;
    h->n_sockets++;
    if (role == WS_PROBE)
        timer_set(&h->timers, &w->timer, h->now + UPGRADE_MS);
    return w;
}

void ws_early(struct ws *w, struct str bytes)
{
    if (bytes.n && w->state == WS_OPEN)
        read_some(w, bytes);
}

void ws_ready(struct ws *w, uint32_t events)
{
    if (w->state == WS_DEAD)
        return;
    if (events & EPOLLOUT)
        ws_flush(w);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    if (w->state == WS_OPEN)
        read_some(w, STR_NULL);
    else if (w->state != WS_DEAD)
        read_rest(w);
}

void ws_send(struct ws *w, struct frame *f)
{
    if (w->state != WS_OPEN)
        return;
    push(w, f);
    if (!outq_is_over(&w->out))
        return;
    /* Much may have been sent in this turn alone: give the socket its chance before judging it. */
    if (!write_some(w) || outq_is_over(&w->out))
        session_doom(w->session, DROP_SLOW);
}

void ws_close(struct ws *w, uint16_t code)
{
    w->session = NULL;
    if (w->state != WS_OPEN)
        return;
    char status[2] = {(char)(code >> 8), (char)(code & 255)};
    struct frame *f = frame_control(w->hub, WSLAY_CONNECTION_CLOSE, (struct str){status, sizeof status});
    push(w, f);
    frame_unref(f);
    begin_closing(w);
}

void ws_abort(struct ws *w)
{
    if (w->state == WS_DEAD)
        return;
    struct hub *h = w->hub;
    w->state = WS_DEAD;
    /* Closing alone would not end the watch while the HTTP server still has its half of the duplicated socket. */
    epoll_ctl(h->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    timer_clear(&h->timers, &w->timer);
    outq_clear(&w->out);
    if (w->prev)
        w->prev->next = w->next;
    else
        h->sockets = w->next;
    if (w->next)
        w->next->prev = w->prev;
    h->n_sockets--;
    w->next_dead = h->dead_sockets;
    h->dead_sockets = w;
    lose(w);
}

void ws_free(struct ws *w)
{
    ws_codec_free(w->codec);
    free(w);
}
