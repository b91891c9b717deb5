/* The one thread that owns all live sockets: its loop, and the queue through which others reach it. */
#include "realtime/hub.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "realtime/hub_private.h"

enum { EVENTS = 256 };

static int64_t mono_ms(void *arg)
{
    (void)arg;
    return clock_mono_ns() / 1000000;
}

static int64_t real_ms(void *arg)
{
    (void)arg;
    return clock_real_ms();
}

/* ---- the door for other threads ---- */

static struct command *command_new(enum command_kind kind, struct str a, struct str b, struct str c)
{
    struct command *m = hub_alloc(sizeof *m + a.n + b.n + c.n);
    m->kind = kind;
    m->fd = -1;
    char *p = m->data;
    struct str from[] = {a, b, c}, *to[] = {&m->a, &m->b, &m->c};
    for (int i = 0; i < 3; i++) {
        if (from[i].n)
            memcpy(p, from[i].p, from[i].n);
        *to[i] = (struct str){p, from[i].n};
        p += from[i].n;
    }
    return m;
}

static void wake(struct hub *h)
{
    uint64_t one = 1;
    while (write(h->event, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void push(struct hub *h, struct command *m)
{
    pthread_mutex_lock(&h->lock);
    /* Too much on the way: people keep their counts, the message they find in their list. */
    if (m->kind == COMMAND_MESSAGE && h->queued_bytes + m->b.n > LIMIT_QUEUED_BYTES) {
        m->kind = COMMAND_CHANGED;
        m->what = HUB_UNSEEN | HUB_UNREAD;
        counter_add(h->metrics.lost, 1);
    } else if (m->kind == COMMAND_MESSAGE) {
        m->counted_bytes = m->b.n;
        h->queued_bytes += m->b.n;
    }
    bool was_empty = !h->first;
    *h->last = m;
    h->last = &m->next;
    pthread_mutex_unlock(&h->lock);
    if (was_empty)
        wake(h);
}

static bool is_present(struct hub *h, struct id subscriber)
{
    return atomic_load(hub_present(h, subscriber));
}

void hub_message(struct hub *h, struct id subscriber, struct str context, struct str message)
{
    if (!is_present(h, subscriber))
        return;
    struct command *m = command_new(COMMAND_MESSAGE, context, message, STR_NULL);
    m->subscriber = subscriber;
    push(h, m);
}

void hub_changed(struct hub *h, struct id subscriber, unsigned what)
{
    if (!is_present(h, subscriber))
        return;
    struct command *m = command_new(COMMAND_CHANGED, STR_NULL, STR_NULL, STR_NULL);
    m->subscriber = subscriber;
    m->what = what;
    push(h, m);
}

void hub_changed_all(struct hub *h, unsigned what)
{
    struct command *m = command_new(COMMAND_CHANGED, STR_NULL, STR_NULL, STR_NULL);
    m->what = what;                     /* the subscriber is zero: everybody */
    push(h, m);
}

void hub_announce(struct hub *h)
{
    push(h, command_new(COMMAND_ANNOUNCE, STR_NULL, STR_NULL, STR_NULL));
}

void hub_attach(struct hub *h, int fd, bool plain, struct str sid, struct str token, struct str early)
{
    struct command *m = command_new(COMMAND_ATTACH, sid, token, early);
    m->fd = fd;
    m->plain = plain;
    push(h, m);
}

void hub_exchange(struct hub *h, struct exchange *x)
{
    struct command *m = command_new(COMMAND_EXCHANGE, STR_NULL, STR_NULL, STR_NULL);
    m->exchange = x;
    push(h, m);
}

void hub_drain(struct hub *h)
{
    push(h, command_new(COMMAND_DRAIN, STR_NULL, STR_NULL, STR_NULL));
}

int hub_sockets(const struct hub *h)
{
    return atomic_load(&h->open);
}

/* Expiry and silence are everyday; the others are somebody's fault, or too much of something. */
static const struct { const char *label; bool is_logged; } drops[DROPS] = {
    [DROP_NONE] = {"none", false},
    [DROP_SLOW] = {"slow", true},
    [DROP_PARSE_ERROR] = {"parse_error", true},
    [DROP_FLOOD] = {"flood", true},
    [DROP_LIMIT] = {"limit", true},
    [DROP_STRANGER] = {"stranger", true},
    [DROP_BAD_TOKEN] = {"bad_token", true},
    [DROP_BINARY] = {"binary", true},
    [DROP_EXPIRED] = {"expired", false},
    [DROP_PING_TIMEOUT] = {"ping_timeout", false},
    [DROP_CONNECT_TIMEOUT] = {"connect_timeout", false},
};

/* The first at once, those that follow as a number once a minute: a flood of connections is not one of lines. */
static void complain(struct hub *h, struct complaint *c)
{
    if (!c->n)
        return;
    log_warn("live connections refused or ended", "reason", drops[c - h->complaints].label, "connections", LOG_INT(c->n), NULL);
    c->n = 0;
    timer_set(&h->timers, &c->timer, h->now + QUIET_MS);
}

static void complaint_is_due(struct hub *h, struct timer *t)
{
    complain(h, (struct complaint *)((char *)t - offsetof(struct complaint, timer)));
}

void hub_count_drop(struct hub *h, enum drop why)
{
    struct complaint *c = &h->complaints[why];
    counter_add(h->metrics.drops[why], 1);
    if (!drops[why].is_logged)
        return;
    c->n++;
    if (!c->timer.place)
        complain(h, c);
}

/* ---- commands, on the hub's thread ---- */

/* No descriptor is left for more: the store and deliveries need some, too. */
static bool is_full(const struct hub *h)
{
    return h->config.sockets_max > 0 && h->n_sockets >= h->config.sockets_max;
}

static void attach_new(struct hub *h, struct command *m)
{
    enum transport t = m->plain ? TRANSPORT_PLAIN : TRANSPORT_WEBSOCKET;
    if (is_full(h)) {
        hub_count_drop(h, DROP_LIMIT);
        close(m->fd);
        return;
    }
    struct session *s = session_open(h, m->plain ? SESSION_PLAIN : SESSION_ENGINE, t, m->b);
    if (!s) {
        close(m->fd);
        return;
    }
    s->ws = ws_open(h, m->fd, m->plain ? WS_PLAIN : WS_ENGINE, s);
    if (!s->ws) {
        session_close(s, 0, DROP_LIMIT);
        return;
    }
    struct ws *w = s->ws;
    if (!m->plain)
        engine_greet(s, false);
    else if (!plain_greet(s))
        return;
    ws_early(w, m->c);
}

/* The socket of an upgrade from polling; its session may have ended while the handshake was under way. */
static void attach_probe(struct hub *h, struct command *m)
{
    struct session *s = session_find(h, m->a);
    if (!s || s->transport != TRANSPORT_POLLING || s->probe || is_full(h)) {
        close(m->fd);
        return;
    }
    s->probe = ws_open(h, m->fd, WS_PROBE, s);
    if (s->probe)
        ws_early(s->probe, m->c);
}

static void drain(struct hub *h)
{
    h->draining = true;
    while (h->sessions)
        session_close(h->sessions, WSLAY_CODE_GOING_AWAY, DROP_NONE);
}

static void perform(struct hub *h, struct command *m)
{
    switch (m->kind) {
    case COMMAND_MESSAGE:
        room_emit_message(h, m->subscriber, m->a, m->b);
        break;
    case COMMAND_CHANGED:
        if (id_is_zero(m->subscriber))
            rooms_changed(h, m->what);
        else
            room_changed(h, m->subscriber, NULL, m->what);
        break;
    case COMMAND_ATTACH:
        if (h->draining)
            close(m->fd);
        else if (m->a.n)
            attach_probe(h, m);
        else
            attach_new(h, m);
        break;
    case COMMAND_ANNOUNCE:
        rooms_announce(h);
        break;
    case COMMAND_EXCHANGE:
        polling_exchange(h, m->exchange);
        break;
    case COMMAND_DRAIN:
        drain(h);
        break;
    }
    arena_reset(h->scratch);
}

/* What others have handed over since, behind what is left of it. */
static void take_commands(struct hub *h)
{
    if (h->taken)
        return;
    pthread_mutex_lock(&h->lock);
    h->taken = h->first;
    h->first = NULL;
    h->last = &h->first;
    pthread_mutex_unlock(&h->lock);
}

/* A part of them a turn: a message and its counts then leave a socket in one write, and sockets that speak up are
 * heard while a crowd is told something. */
static bool perform_commands(struct hub *h)
{
    size_t bytes = 0;
    int n = 0;
    take_commands(h);
    for (struct command *m; n < LIMIT_COMMANDS_TURN && (m = h->taken); n++) {
        h->taken = m->next;
        bytes += m->counted_bytes;
        perform(h, m);
        free(m);
        take_commands(h);       /* those that come later signal again; these have, and the signal may be spent */
    }
    if (bytes) {
        pthread_mutex_lock(&h->lock);
        h->queued_bytes -= bytes;
        pthread_mutex_unlock(&h->lock);
    }
    return n;
}

/* ---- the loop ---- */

static bool fire_timers(struct hub *h)
{
    bool any = false;
    for (struct timer *t; (t = timers_first(&h->timers)) && t->due <= h->now; any = true) {
        timer_clear(&h->timers, t);
        t->fire(h, t);
        arena_reset(h->scratch);
    }
    return any;
}

static void close_doomed(struct hub *h)
{
    for (struct session *s; (s = h->doomed);) {
        h->doomed = s->next_doomed;
        session_close(s, 0, (enum drop)s->doom);
    }
}

static void flush(struct hub *h)
{
    for (struct session *s; (s = h->flush_sessions);) {
        h->flush_sessions = s->next_flush;
        s->in_flush = false;
        if (!s->is_dead)
            polling_flush(s);
        arena_reset(h->scratch);
    }
    for (struct ws *w; (w = h->flush_sockets);) {
        h->flush_sockets = w->next_flush;
        w->in_flush = false;
        ws_flush(w);
    }
}

static void bury(struct hub *h)
{
    for (struct session *s; (s = h->dead_sessions);) {
        h->dead_sessions = s->next_dead;
        session_free(s);
    }
    for (struct ws *w; (w = h->dead_sockets);) {
        h->dead_sockets = w->next_dead;
        ws_free(w);
    }
}

static int patience(const struct hub *h, int wait_ms)
{
    const struct timer *t = timers_first(&h->timers);
    if (h->dirty_first || h->taken)
        return 0;
    if (!t || !wait_ms)
        return wait_ms;
    int64_t left = t->due - h->time.mono_ms(h->time.arg);
    if (left < 0)
        left = 0;
    return wait_ms < 0 || left < wait_ms ? (int)(left > 60000 ? 60000 : left) : wait_ms;
}

bool hub_turn(struct hub *h, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(h->epoll, events, EVENTS, patience(h, wait_ms));
    h->now = h->time.mono_ms(h->time.arg);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr) {
            ws_ready(events[i].data.ptr, events[i].events);
            arena_reset(h->scratch);
            continue;
        }
        uint64_t signals;
        while (read(h->event, &signals, sizeof signals) < 0 && errno == EINTR)
            ;
    }
    bool any = n > 0;
    any |= perform_commands(h);
    any |= fire_timers(h);
    any |= rooms_count(h);
    /* Flushing can find broken sockets, closing them can leave a good-bye to flush. */
    do {
        close_doomed(h);
        flush(h);
    } while (h->doomed || h->flush_sockets || h->flush_sessions);
    bury(h);
    return any;
}

static bool is_stopping(struct hub *h)
{
    pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping;
    pthread_mutex_unlock(&h->lock);
    return stopping;
}

static void *run(void *arg)
{
    struct hub *h = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);     /* signals are main's */
    pthread_setname_np(pthread_self(), "realtime");
    while (!is_stopping(h))
        hub_turn(h, -1);
    drain(h);
    int64_t until = h->time.mono_ms(h->time.arg) + STOP_MS;
    do
        hub_turn(h, h->sockets ? 20 : 0);
    while (h->sockets && h->now < until);
    return NULL;
}

/* ---- life ---- */

static ssize_t write_frame(const uint8_t *p, size_t n, int flags, void *arg)
{
    (void)flags;
    buf_add(((struct hub *)arg)->frame_out, p, n);
    return (ssize_t)n;
}

static void make_metrics(struct hub *h)
{
    static const char *const labels[TRANSPORTS] = {
        [TRANSPORT_WEBSOCKET] = "transport=\"websocket\"", [TRANSPORT_POLLING] = "transport=\"polling\"",
        [TRANSPORT_PLAIN] = "transport=\"plain\""};
    if (!h->config.metrics)
        h->config.metrics = h->own_metrics = metrics_create();
    struct metrics *m = h->config.metrics;
    for (int i = 0; i < TRANSPORTS; i++)
        h->metrics.sockets[i] = metrics_gauge(m, "carillon_sockets", "Live connections of inboxes.", labels[i]);
    for (int i = DROP_NONE + 1; i < DROPS; i++) {
        char reason[64];
        snprintf(reason, sizeof reason, "reason=\"%s\"", drops[i].label);
        h->metrics.drops[i] = metrics_counter(m, "carillon_sockets_dropped_total", "Live connections that the server ended or refused.", reason);
        h->complaints[i].timer.fire = complaint_is_due;
    }
    const char *name = "carillon_socket_events_total", *help = "Events sent, one a socket.";
    h->metrics.received = metrics_counter(m, name, help, "event=\"notification_received\"");
    h->metrics.unseen = metrics_counter(m, name, help, "event=\"unseen_count_changed\"");
    h->metrics.unread = metrics_counter(m, name, help, "event=\"unread_count_changed\"");
    h->metrics.lost = metrics_counter(m, "carillon_socket_messages_lost_total",
                                      "Messages not shown live because too many were on their way.", NULL);
}

struct hub *hub_create(const struct hub_config *c, const struct hub_time *t, struct error *err)
{
    static const struct hub_time real = {mono_ms, real_ms, NULL};
    static const struct wslay_frame_callbacks framing = {.send_callback = write_frame};
    struct hub *h = hub_alloc(sizeof *h);
    h->config = *c;
    h->time = t ? *t : real;
    h->last = &h->first;
    if (h->config.ping_interval_ms <= 0)
        h->config.ping_interval_ms = 25000;
    if (h->config.ping_timeout_ms <= 0)
        h->config.ping_timeout_ms = 20000;
    h->now = h->time.mono_ms(h->time.arg);
    pthread_mutex_init(&h->lock, NULL);
    h->scratch = arena_create(16 * 1024);
    make_metrics(h);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    if (h->epoll < 0 || h->event < 0 || epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->event, &e) != 0 ||
        wslay_frame_context_init(&h->framer, &framing, h) != 0) {
        error_set(err, ERROR_IO, "the realtime hub cannot start: %s", strerror(errno));
        hub_destroy(h);
        return NULL;
    }
    return h;
}

void hub_destroy(struct hub *h)
{
    if (!h)
        return;
    drain(h);
    while (perform_commands(h))     /* refused, since it is draining */
        ;
    while (h->sockets)
        ws_abort(h->sockets);
    bury(h);
    rooms_free(h);
    ws_codec_free(h->spare_codec);
    if (h->framer)
        wslay_frame_context_free(h->framer);
    if (h->epoll >= 0)
        close(h->epoll);
    if (h->event >= 0)
        close(h->event);
    free(h->timers.v);
    free(h->sids.bucket);
    arena_destroy(h->scratch);
    metrics_destroy(h->own_metrics);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

struct hub *hub_start(const struct hub_config *c, struct error *err)
{
    struct hub *h = hub_create(c, NULL, err);
    if (!h)
        return NULL;
    int failed = pthread_create(&h->thread, NULL, run, h);
    if (failed) {
        error_set(err, ERROR_IO, "the realtime thread cannot start: %s", strerror(failed));
        hub_destroy(h);
        return NULL;
    }
    return h;
}

void hub_stop(struct hub *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    wake(h);
    pthread_join(h->thread, NULL);
    hub_destroy(h);
}
