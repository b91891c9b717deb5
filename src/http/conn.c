/* Connections, their deadlines, and the slow goodbye to those that are still sending.
 *
 * Deadlines hang on a wheel of one-second slots. A slot is only a reminder: what counts is conn->deadline, and
 * a connection found early is hung further on. So the common case, a deadline that moves away with every
 * request, costs one assignment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http_private.h"

int64_t second_now(void)
{
    return clock_mono_ns() / SECOND_NS;
}

static void wheel_unlink(struct conn *c)
{
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
}

static void wheel_link(struct conn *c)
{
    struct loop *l = c->loop;
    int64_t ahead = c->deadline ? c->deadline - l->second : HTTP_WHEEL - 1;
    if (ahead < 1)
        ahead = 1;
    if (ahead > HTTP_WHEEL - 1)
        ahead = HTTP_WHEEL - 1;
    c->slot = (int)((l->second + ahead) % HTTP_WHEEL);
    struct conn **first = &l->wheel[c->slot];
    c->next = *first;
    c->prev = first;
    if (c->next)
        c->next->prev = &c->next;
    *first = c;
}

void conn_deadline(struct conn *c, int64_t deadline)
{
    int64_t reminder = c->loop->second + (c->slot - c->loop->second % HTTP_WHEEL + HTTP_WHEEL) % HTTP_WHEEL;
    c->deadline = deadline;
    if (deadline && deadline < reminder) {
        wheel_unlink(c);
        wheel_link(c);
    }
}

/* ---- who waits for whom, and who goes when there is no slot left ---- */

static void wait_leave(struct conn *c)
{
    if (c->waiting == WAITING_SERVER)
        return;
    struct wait_group *g = &c->loop->group[c->waiting];
    *c->wait_prev = c->wait_next;
    if (c->wait_next)
        c->wait_next->wait_prev = c->wait_prev;
    else
        g->last = c->wait_prev;
    g->n--;
    c->waiting = WAITING_SERVER;
}

void conn_wait(struct conn *c, enum waiting w)
{
    wait_leave(c);
    if (w == WAITING_SERVER || c->is_cut)
        return;
    struct wait_group *g = &c->loop->group[w];
    c->waiting = w;
    c->waiting_since = c->loop->second;
    c->wait_next = NULL;
    c->wait_prev = g->last;
    *g->last = c;
    g->last = &c->wait_next;
    g->n++;
}

/* libmicrohttpd sees the end of the stream and closes. */
static void conn_cut(struct conn *c)
{
    shutdown(c->fd, SHUT_RDWR);
    c->deadline = 0;
    wait_leave(c);
    if (!c->is_cut)
        c->loop->cut++;
    c->is_cut = true;
}

/* Who wants to take all slots has most connections of some kind: that kind loses the one that has waited longest. So a
 * client that asks at once is served in any flood that does not fill all slots within its first round trip, and clients
 * that were served keep their connections while strangers are more than they. What is on its way is given some seconds. */
static struct conn *victim(const struct loop *l)
{
    const struct wait_group *most = NULL;
    for (int i = 0; i < WAITING_GROUPS; i++) {
        const struct wait_group *g = &l->group[i];
        bool ripe = g->n && (i != WAITING_TRANSFER || g->first->waiting_since + HTTP_TRANSFER_S <= l->second);
        if (ripe && (!most || g->n > most->n))
            most = g;
    }
    return most ? most->first : NULL;
}

static bool is_full(const struct loop *l)
{
    return l->conns - l->cut >= l->server->c.connections_max;
}

static void evict(struct loop *l)
{
    struct conn *c = victim(l);
    if (!c)
        return;
    conn_cut(c);
    counter_add(l->server->evicted, 1);
    if (l->second - l->evicted_second >= HTTP_QUIET_S || !l->evicted_second)
        log_warn("connections run out, those that wait longest are closed", "open", LOG_INT(l->conns), NULL);
    l->evicted_second = l->second;
}

static void wheel_slot(struct loop *l, int slot)
{
    struct conn *c = l->wheel[slot], *next;
    l->wheel[slot] = NULL;
    for (; c; c = next) {
        next = c->next;
        if (c->deadline && c->deadline <= l->second)
            conn_cut(c);
        wheel_link(c);
    }
}

void wheel_turn(struct loop *l, int64_t second)
{
    if (second - l->second > HTTP_WHEEL)        /* the machine slept: every slot is due once */
        l->second = second - HTTP_WHEEL;
    while (l->second < second) {
        l->second++;
        wheel_slot(l, (int)(l->second % HTTP_WHEEL));
    }
    for (struct lingerer *g = l->lingering, *next; g; g = next) {
        next = g->next;
        if (g->until <= second)
            linger_free(l, g);
    }
}

static struct conn *conn_new(struct loop *l)
{
    struct conn *c = l->free_conn;
    if (c)
        l->free_conn = c->next;
    else if (!(c = malloc(sizeof *c)))
        abort();
    *c = (struct conn){.loop = l, .waiting = WAITING_SERVER};
    return c;
}

static void conn_opened(struct loop *l, struct MHD_Connection *mhd, void **ctx)
{
    struct server *s = l->server;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct conn *c = conn_new(l);
    c->mhd = mhd;
    c->fd = info->connect_fd;
    if (is_full(l))
        evict(l);
    c->over_cap = is_full(l);
    conn_wait(c, WAITING_FIRST);
    c->deadline = l->second + 1 + s->c.header_timeout_s;
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev);
    l->conns++;
    counter_add(s->connections, 1);
    wheel_link(c);
    *ctx = c;
}

static void conn_closed(struct loop *l, void **ctx)
{
    struct conn *c = *ctx;
    if (!c)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);    /* a duplicate of the socket may live on */
    for (struct conn **p = &l->done; c->listed; p = &(*p)->next_done) {
        if (*p == c) {
            *p = c->next_done;
            c->listed = false;
            break;
        }
    }
    if (c->linger)
        conn_linger(c);
    wheel_unlink(c);
    wait_leave(c);
    l->conns--;
    l->cut -= c->is_cut;
    counter_add(l->server->connections, -1);
    c->next = l->free_conn;
    l->free_conn = c;
    *ctx = NULL;
}

void conn_peer_done(struct conn *c)
{
    c->peer_done = true;
    if (c->listed)
        return;
    c->listed = true;
    c->next_done = c->loop->done;
    c->loop->done = c;
}

/* libmicrohttpd waits for edges and takes a short read for the last: an end of stream that came together with the
 * last bytes escapes it, and the connection would stay until a deadline. So the loop watches for that itself. What
 * was asked before the end is still answered. */
void conn_check_done(struct loop *l)
{
    struct conn *c = l->done, *next;
    l->done = NULL;
    for (; c; c = next) {
        char byte;
        next = c->next_done;
        c->listed = false;
        if (c->now && c->now->stage >= STAGE_COMPLETE)
            continue;
        if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
            conn_peer_done(c);      /* still to be read */
        else
            conn_cut(c);
    }
}

void conn_notify(void *loop, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what)
{
    ((struct loop *)loop)->called = true;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        conn_opened(loop, mhd, ctx);
    else
        conn_closed(loop, ctx);
}

/* The client got an answer before it had sent everything. Closing now would make the kernel answer its further
 * bytes with a reset, which may destroy the answer on its way (RFC 9112 §9.6); the SDK would take that for a
 * connection error and try again for an hour. So a copy of the socket stays open for reading a little longer. */
void conn_linger(struct conn *c)
{
    struct loop *l = c->loop;
    struct lingerer *g;
    if (l->quiesced || l->lingerers >= HTTP_LINGER_MAX || !(g = calloc(1, sizeof *g)))
        return;
    g->kind = WATCHED_LINGERER;
    g->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = g};
    if (g->fd < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, g->fd, &ev)) {
        if (g->fd >= 0)
            close(g->fd);
        free(g);
        return;
    }
    shutdown(g->fd, SHUT_WR);
    g->until = l->second + 1 + HTTP_LINGER_S;
    g->next = l->lingering;
    g->prev = &l->lingering;
    if (g->next)
        g->next->prev = &g->next;
    l->lingering = g;
    l->lingerers++;
}

void linger_free(struct loop *l, struct lingerer *g)
{
    *g->prev = g->next;
    if (g->next)
        g->next->prev = g->prev;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, g->fd, NULL);    /* close alone was seen to leave an event behind */
    close(g->fd);
    free(g);
    l->lingerers--;
}

void linger_read(struct loop *l, struct lingerer *g)
{
    char sink[32768];
    ssize_t n = recv(g->fd, sink, sizeof sink, MSG_DONTWAIT);
    if (n > 0)
        g->bytes += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || g->bytes > HTTP_LINGER_BYTES)
        linger_free(l, g);
}
