/* One loop: a thread that waits on its daemons' epoll descriptors and its mailbox, and turns the crank. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http_private.h"

struct arena *loop_arena(struct loop *l)
{
    return l->arenas ? l->arena[--l->arenas] : arena_create(HTTP_ARENA);
}

void loop_arena_back(struct loop *l, struct arena *a)
{
    if (l->arenas == HTTP_ARENAS_KEPT) {
        arena_destroy(a);
        return;
    }
    arena_reset(a);
    l->arena[l->arenas++] = a;
}

static void mailbox_free(struct mailbox *m)
{
    pthread_mutex_destroy(&m->lock);
    close(m->wake);
    free(m);
}

static void wake(struct mailbox *m)
{
    uint64_t one = 1;
    ssize_t n = write(m->wake, &one, sizeof one);       /* cannot fail but by being full, which wakes too */
    (void)n;
}

/* Hands an answered request back. The caller must not touch it afterwards. */
void mailbox_put(struct exchange *x)
{
    struct mailbox *m = x->mailbox;
    x->next = NULL;
    pthread_mutex_lock(&m->lock);
    if (m->closed) {
        bool last = --m->held == 0;
        pthread_mutex_unlock(&m->lock);
        x->loop = NULL;
        exchange_free(x);
        if (last)
            mailbox_free(m);
        return;
    }
    bool was_empty = !m->first;
    *m->last = x;
    m->last = &x->next;
    if (was_empty)
        wake(m);            /* under the lock: the loop cannot close the descriptor meanwhile */
    pthread_mutex_unlock(&m->lock);
}

static void mailbox_empty(struct loop *l)
{
    struct mailbox *m = l->mailbox;
    pthread_mutex_lock(&m->lock);
    struct exchange *x = m->first, *next;
    m->first = NULL;
    m->last = &m->first;
    pthread_mutex_unlock(&m->lock);
    for (; x; x = next) {
        next = x->next;
        l->handed--;
        if (x->more)
            exchange_continued(x);
        else
            exchange_answered(x);
    }
}

static void mailbox_close(struct loop *l)
{
    struct mailbox *m = l->mailbox;
    mailbox_empty(l);
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    while (m->first) {      /* answered since */
        struct exchange *x = m->first;
        m->first = x->next;
        l->handed--;
        exchange_free(x);
    }
    bool last = (m->held = l->handed) == 0;
    pthread_mutex_unlock(&m->lock);
    if (last)
        mailbox_free(m);
}

static int timeout_ms(const struct loop *l)
{
    int64_t least = l->conns || l->lingering ? 1000 : -1;
    if (l->quiesced)
        least = 20;         /* only while stopping */
    if (l->awake)           /* the daemons would say 0 for these */
        return l->unsettled ? 0 : HTTP_AWAKE_TICK_MS;
    for (int i = 0; i < l->daemons; i++) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout(l->daemon[i].mhd, &ms) == MHD_YES && (least < 0 || (int64_t)ms < least))
            least = (int64_t)ms;
    }
    return (int)least;
}

/* Connections that completed their handshake before the port closes are served. */
static void accept_rest(struct daemon *d, int listen_fd)
{
    for (int i = 0; i < 256; i++) {
        struct pollfd p = {.fd = listen_fd, .events = POLLIN};
        if (poll(&p, 1, 0) <= 0)
            return;
        MHD_run(d->mhd);
    }
}

static void quiesce(struct loop *l)
{
    l->quiesced = true;
    for (int i = 0; i < l->daemons; i++) {
        struct daemon *d = &l->daemon[i];
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_LISTEN_FD);
        accept_rest(d, info->listen_fd);
        int fd = MHD_quiesce_daemon(d->mhd);
        if (fd >= 0)
            close(fd);
    }
    while (l->lingering)
        linger_free(l, l->lingering);
    /* Idle connections end; a request that is already in their buffers is still read and answered. */
    for (int i = 0; i < HTTP_WHEEL; i++)
        for (struct conn *c = l->wheel[i]; c; c = c->next)
            if (!c->now)
                shutdown(c->fd, SHUT_RD);
}

/* true when the loop is done. */
static bool stop_check(struct loop *l)
{
    int64_t ms = atomic_load_explicit(&l->stop_ms, memory_order_acquire);
    if (ms < 0)
        return false;
    if (!l->stopping) {
        l->stopping = true;
        l->stop_at_ms = clock_mono_ns() / 1000000 + ms;
        quiesce(l);
    }
    return l->conns == 0 || clock_mono_ns() / 1000000 >= l->stop_at_ms;
}

/* Every turn asks all that wait. If they are many, what has come in a tenth of a millisecond is dealt with together: a request by
 * itself would cost more in questions to the others than in work. */
static void turn_pace(const struct loop *l)
{
    if (l->awake < HTTP_AWAKE_MANY || l->unsettled)
        return;
    int64_t left = l->turned_ns + HTTP_PACE_NS - clock_mono_ns();
    if (left > 0)
        nanosleep(&(struct timespec){.tv_nsec = left}, NULL);
}

static void turn(struct loop *l)
{
    struct epoll_event ev[64];
    bool woken = false;
    turn_pace(l);
    int n = epoll_wait(l->epoll, ev, 64, timeout_ms(l));
    l->quiet = l->awake && !l->unsettled && n == 0 ? l->quiet + 1 : 0;
    l->turn++;
    l->called = false;
    l->unsettled = 0;
    for (int i = 0; i < n; i++) {
        uint64_t count;
        void *p = ev[i].data.ptr;
        if (p == l) {
            ssize_t got = read(l->mailbox->wake, &count, sizeof count);
            (void)got;
        } else if (p >= (void *)l->daemon && p < (void *)(l->daemon + HTTP_LISTEN_MAX)) {
            woken = true;
        } else if (*(enum watched *)p == WATCHED_CONN) {
            conn_peer_done(p);
        } else {
            linger_read(l, p);
        }
    }
    l->turned_ns = clock_mono_ns();
    if (l->turned_ns / SECOND_NS != l->second)
        wheel_turn(l, l->turned_ns / SECOND_NS);
    mailbox_empty(l);
    for (int i = 0; i < l->daemons; i++)
        MHD_run(l->daemon[i].mhd);
    l->unsettled += woken && !l->called;        /* a part of a head is read without a call to us */
    if (l->done)
        conn_check_done(l);
}

/* What is suspended must be resumed before its daemon may stop; exchange_step drops what waits. */
static void abandon_waiting(struct loop *l)
{
    for (int i = 0; i < HTTP_WHEEL; i++) {
        for (struct conn *c = l->wheel[i]; c; c = c->next) {
            if (!c->now || !(c->now->suspended || c->now->awake))
                continue;
            c->now->drop = true;
            if (c->now->suspended)
                MHD_resume_connection(c->mhd);
            c->now->suspended = false;
        }
    }
    for (int i = 0; i < l->daemons; i++)
        MHD_run(l->daemon[i].mhd);
}

static void loop_close(struct loop *l)
{
    abandon_waiting(l);
    for (int i = 0; i < l->daemons; i++)
        MHD_stop_daemon(l->daemon[i].mhd);
    while (l->lingering)
        linger_free(l, l->lingering);
    for (struct conn *c = l->free_conn, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    close(l->epoll);
}

/* After the thread has ended: until then others may still wake it. */
static void loop_release(struct loop *l)
{
    mailbox_close(l);
    while (l->arenas)
        arena_destroy(l->arena[--l->arenas]);
}

static void *loop_run(void *arg)
{
    struct loop *l = arg;
    char name[16];
    l->mailbox->thread = pthread_self();
    snprintf(name, sizeof name, "http-%d", l->index);
    pthread_setname_np(pthread_self(), name);
    while (!stop_check(l))
        turn(l);
    loop_close(l);
    return NULL;
}

static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);       /* paths are split before they are decoded: url.c */
}

static bool daemon_start(struct loop *l, int listen_fd, struct error *err)
{
    struct server_config *c = &l->server->c;
    struct daemon *d = &l->daemon[l->daemons];
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = d};
    d->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL,
                              exchange_step, l,
                              MHD_OPTION_LISTEN_SOCKET, listen_fd,
                              MHD_OPTION_CONNECTION_LIMIT, (unsigned)(c->connections_max + HTTP_OVER_CAP),
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL,
                              MHD_OPTION_STRICT_FOR_CLIENT, 1,
                              MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, l,
                              MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
                              MHD_OPTION_NOTIFY_COMPLETED, exchange_end, l,
                              MHD_OPTION_NOTIFY_CONNECTION, conn_notify, l,
                              MHD_OPTION_END);
    if (!d->mhd)
        return error_set(err, ERROR_IO, "cannot start an HTTP daemon");
    d->fd = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    l->daemons++;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, d->fd, &ev))
        return error_set(err, ERROR_IO, "epoll: errno %d", errno);
    return true;
}

static struct mailbox *mailbox_new(struct server *s)
{
    struct mailbox *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->answering = s->c.answering;
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return m;
}

static bool thread_start(struct loop *l, struct error *err)
{
    sigset_t all, before;
    sigfillset(&all);       /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&l->thread, NULL, loop_run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return error_set(err, ERROR_IO, "cannot start a thread: errno %d", failed);
    return l->started = true;
}

/* Takes the listening sockets, also when it fails. After a failure nothing of the loop is left. */
bool loop_start(struct loop *l, const int *listen_fd, struct error *err)
{
    bool ok = true;
    l->mailbox = mailbox_new(l->server);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->second = second_now();
    l->turn = 1;
    for (int i = 0; i < WAITING_GROUPS; i++)
        l->group[i].last = &l->group[i].first;
    atomic_store(&l->stop_ms, -1);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
    if (l->epoll < 0 || l->mailbox->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->mailbox->wake, &ev))
        ok = error_set(err, ERROR_IO, "epoll: errno %d", errno);
    for (int i = 0; i < l->server->listen_n; i++) {
        if (ok)
            ok = daemon_start(l, listen_fd[i], err);
        else
            close(listen_fd[i]);
    }
    if (ok && thread_start(l, err))
        return true;
    loop_close(l);
    loop_release(l);
    return false;
}

void loop_wake(struct loop *l)
{
    if (l->started)
        wake(l->mailbox);
}

void loop_stop(struct loop *l)
{
    if (!l->started)
        return;
    pthread_join(l->thread, NULL);
    l->started = false;
    loop_release(l);
}
