/* One client's connection: its heartbeat, its deadlines, its end. */
#include <stdlib.h>

#include "base/crypto.h"
#include "realtime/engineio.h"
#include "realtime/hub_private.h"

static int64_t sooner(int64_t a, int64_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

void session_arm(struct session *s)
{
    if (s->is_dead)
        return;
    int64_t due = sooner(sooner(s->ping_at, s->pong_by), sooner(s->connect_by, s->noop_at));
    due = sooner(due, s->expires_at);
    if (due)
        timer_set(&s->hub->timers, &s->timer, due);
    else
        timer_clear(&s->hub->timers, &s->timer);
}

static void ping(struct session *s)
{
    s->ping_at = 0;
    s->pong_by = s->hub->now + s->hub->config.ping_timeout_ms;
    if (s->kind == SESSION_ENGINE) {
        session_send_text(s, STR("2"));
        return;
    }
    /* The plain transport's client pings by itself; a ping frame finds out about the others. */
    struct frame *f = frame_control(s->hub, WSLAY_PING, STR_NULL);
    session_send(s, f);
    frame_unref(f);
}

static void deadline(struct hub *h, struct timer *t)
{
    struct session *s = (struct session *)((char *)t - offsetof(struct session, timer));
    if (s->pong_by && s->pong_by <= h->now) {
        session_close(s, WSLAY_CODE_NORMAL_CLOSURE, DROP_PING_TIMEOUT);
        return;
    }
    if (s->connect_by && s->connect_by <= h->now) {
        session_close(s, WSLAY_CODE_NORMAL_CLOSURE, DROP_CONNECT_TIMEOUT);
        return;
    }
    if (s->ping_at && s->ping_at <= h->now)
        ping(s);
    if (s->noop_at && s->noop_at <= h->now)
        polling_noop(s);
    if (s->expires_at && s->expires_at <= h->now)
        session_expire(s);
    session_arm(s);
}

void session_transport(struct session *s, enum transport t)
{
    counter_add(s->hub->metrics.sockets[s->transport], -1);
    s->transport = (uint8_t)t;
    counter_add(s->hub->metrics.sockets[t], 1);
}

/* ---- strangers: opening a connection takes no token, so those that have shown none are few ---- */

static void stranger_add(struct session *s)
{
    struct hub *h = s->hub;
    s->is_stranger = true;
    s->older = h->newest_stranger;
    if (s->older)
        s->older->newer = s;
    else
        h->oldest_stranger = s;
    h->newest_stranger = s;
    /* Real ones show theirs within a second, so it is the oldest that is least likely to be one. */
    if (++h->strangers > LIMIT_STRANGERS)
        session_close(h->oldest_stranger, 0, DROP_STRANGER);
}

void session_prove(struct session *s)
{
    struct hub *h = s->hub;
    if (!s->is_stranger)
        return;
    s->is_stranger = false;
    h->strangers--;
    if (s->older)
        s->older->newer = s->newer;
    else
        h->oldest_stranger = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        h->newest_stranger = s->older;
    s->older = s->newer = NULL;
}

bool session_admit(struct session *s)
{
    struct hub *h = s->hub;
    if (h->now - s->packets_since >= PACKETS_MS) {
        s->packets_since = h->now;
        s->packets = 0;
    }
    if (++s->packets > LIMIT_PACKETS)
        session_doom(s, DROP_FLOOD);
    return !s->doom;
}

struct session *session_open(struct hub *h, enum session_kind kind, enum transport t, struct str token)
{
    if (atomic_load(&h->open) >= LIMIT_SESSIONS) {
        hub_count_drop(h, DROP_LIMIT);
        return NULL;
    }
    struct session *s = hub_alloc(sizeof *s);
    *s = (struct session){.hub = h, .kind = (uint8_t)kind, .transport = (uint8_t)t, .timer.fire = deadline,
                          .ping_at = h->now + h->config.ping_interval_ms};
    if (kind == SESSION_ENGINE) {
        s->connect_by = h->now + CONNECT_MS;
        memcpy(s->sid, crypto_random_word(h->scratch, SID_LEN).p, SID_LEN);
        table_add(&h->sids, &s->by_sid, hash_bytes(s->sid, SID_LEN));
    }
    if (token.n) {
        s->token = hub_alloc(token.n + 1);
        memcpy(s->token, token.p, token.n);
    }
    s->next = h->sessions;
    if (h->sessions)
        h->sessions->prev = s;
    h->sessions = s;
    atomic_fetch_add(&h->open, 1);
    counter_add(h->metrics.sockets[t], 1);
    stranger_add(s);
    session_arm(s);
    return s;
}

struct session *session_find(struct hub *h, struct str sid)
{
    if (sid.n != SID_LEN)
        return NULL;
    for (struct node *n = table_first(&h->sids, hash_bytes(sid.p, sid.n)); n; n = n->next) {
        struct session *s = (struct session *)((char *)n - offsetof(struct session, by_sid));
        if (crypto_equal(sid, (struct str){s->sid, SID_LEN}))
            return s;
    }
    return NULL;
}

void session_receive(struct session *s, struct str text)
{
    if (s->is_dead || s->doom)
        return;
    if (s->kind == SESSION_ENGINE)
        engine_receive(s, text);
    else
        plain_receive(s, text);
}

void session_alive(struct session *s)
{
    if (s->is_dead)
        return;
    s->pong_by = 0;
    s->ping_at = s->hub->now + s->hub->config.ping_interval_ms;
    session_arm(s);
}

void session_send(struct session *s, struct frame *f)
{
    if (s->is_dead)
        return;
    if (s->transport != TRANSPORT_POLLING) {
        if (s->ws)
            ws_send(s->ws, f);
        return;
    }
    outq_push(&s->out, f);
    if (!s->in_flush) {
        s->in_flush = true;
        s->next_flush = s->hub->flush_sessions;
        s->hub->flush_sessions = s;
    }
    if (outq_is_over(&s->out) && !s->poll)
        session_doom(s, DROP_SLOW);
}

void session_send_text(struct session *s, struct str text)
{
    struct frame *f = frame_text(s->hub, text);
    session_send(s, f);
    frame_unref(f);
}

void session_leave(struct session *s, struct member *m)
{
    for (struct member **at = &s->members; *at; at = &(*at)->next_session)
        if (*at == m) {
            *at = m->next_session;
            break;
        }
    room_leave(m);
}

/* The token's time is up (real time, which may have been set meanwhile: look again). */
void session_expire(struct session *s)
{
    struct hub *h = s->hub;
    int64_t real = h->time.real_ms(h->time.arg), next = 0;
    for (struct member *m = s->members, *after; m; m = after) {
        after = m->next_session;
        int64_t left = m->person->id.expires_ms - real;
        if (left > 0) {
            next = sooner(next, h->now + left);
        } else if (s->kind == SESSION_PLAIN) {
            session_close(s, 4401, DROP_EXPIRED);
            return;
        } else {
            hub_count_drop(h, DROP_EXPIRED);
            engine_goodbye(s, m);
        }
    }
    s->expires_at = next;
}

/* Closing is put off to the turn's end when the caller is walking a room. */
void session_doom(struct session *s, enum drop why)
{
    if (s->is_dead || s->doom)
        return;
    s->doom = (uint8_t)why;
    s->next_doomed = s->hub->doomed;
    s->hub->doomed = s;
}

static void unlink_session(struct session *s)
{
    struct hub *h = s->hub;
    if (s->prev)
        s->prev->next = s->next;
    else
        h->sessions = s->next;
    if (s->next)
        s->next->prev = s->prev;
    if (s->kind == SESSION_ENGINE)
        table_remove(&h->sids, &s->by_sid);
    timer_clear(&h->timers, &s->timer);
    session_prove(s);
    atomic_fetch_sub(&h->open, 1);
    counter_add(h->metrics.sockets[s->transport], -1);
    s->next_dead = h->dead_sessions;
    h->dead_sessions = s;
}

void session_close(struct session *s, uint16_t code, enum drop why)
{
    if (s->is_dead)
        return;
    s->is_dead = true;
    if (why)
        hub_count_drop(s->hub, why);
    while (s->members)
        session_leave(s, s->members);
    unlink_session(s);
    polling_end(s, "1");
    outq_clear(&s->out);
    struct ws *probe = s->probe, *ws = s->ws;
    s->probe = s->ws = NULL;
    if (probe)
        ws_close(probe, WSLAY_CODE_GOING_AWAY);
    if (ws && code) {
        ws_close(ws, code);
    } else if (ws) {
        ws->session = NULL;
        ws_abort(ws);
    }
}

void session_free(struct session *s)
{
    person_unref(s->person);
    free(s->token);
    free(s);
}
