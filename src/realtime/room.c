/* Subscribers and their sockets: who gets an event, what is counted when, who is here. */
#include <stdlib.h>

#include "base/log.h"
#include "realtime/hub_private.h"
#include "realtime/socketio.h"

static struct room *room_find(struct hub *h, struct id subscriber)
{
    uint64_t hash = hash_bytes(subscriber.b, sizeof subscriber.b);
    for (struct node *n = table_first(&h->rooms, hash); n; n = n->next) {
        struct room *r = (struct room *)((char *)n - offsetof(struct room, by_subscriber));
        if (id_eq(r->subscriber, subscriber))
            return r;
    }
    return NULL;
}

/* ---- who is here ---- */

static void mark_dirty(struct hub *h, struct room *r)
{
    if (r->in_dirty)
        return;
    r->in_dirty = true;
    r->next_dirty = NULL;
    if (h->dirty_last)
        h->dirty_last->next_dirty = r;
    else
        h->dirty_first = r;
    h->dirty_last = r;
}

static void room_free(struct hub *h, struct room *r)
{
    timer_clear(&h->timers, &r->timer);
    table_remove(&h->rooms, &r->by_subscriber);
    person_unref(r->last);
    free(r);
}

static void room_is_due(struct hub *h, struct timer *t)
{
    struct room *r = (struct room *)((char *)t - offsetof(struct room, timer));
    if (r->n) {
        mark_dirty(h, r);       /* its counts could not be read */
        return;
    }
    if (r->in_dirty) {          /* the list of rooms to count still points here */
        timer_set(&h->timers, &r->timer, h->now + RETRY_MS);
        return;
    }
    if (h->config.presence && !h->draining)
        h->config.presence(h->config.app, &r->last->id, false);
    room_free(h, r);
}

static struct room *room_open(struct hub *h, struct id subscriber)
{
    struct room *r = hub_alloc(sizeof *r);
    *r = (struct room){.subscriber = subscriber, .timer.fire = room_is_due};
    table_add(&h->rooms, &r->by_subscriber, hash_bytes(subscriber.b, sizeof subscriber.b));
    return r;
}

struct member *room_join(struct session *s, struct person *p, struct str ns)
{
    struct hub *h = s->hub;
    struct room *r = room_find(h, p->id.subscriber);
    if (r && r->n >= LIMIT_ROOM_MEMBERS)
        return NULL;
    bool was_here = r;
    if (!r)
        r = room_open(h, p->id.subscriber);
    if (!r->n) {
        timer_clear(&h->timers, &r->timer);
        person_unref(r->last);
        r->last = NULL;
    }
    struct member *m = hub_alloc(sizeof *m + ns.n);
    m->room = r;
    m->session = s;
    m->person = p;
    p->refs++;
    m->ns_len = (uint16_t)ns.n;
    if (ns.n)
        memcpy(m->ns, ns.p, ns.n);
    m->next_room = r->members;
    if (r->members)
        r->members->prev_room = m;
    r->members = m;
    r->n++;
    m->next_session = s->members;
    s->members = m;
    if (s->kind == SESSION_PLAIN) {
        s->expires_at = h->now + (p->id.expires_ms - h->time.real_ms(h->time.arg));
        session_arm(s);
    }
    session_prove(s);
    atomic_fetch_add(hub_present(h, r->subscriber), 1);
    if (!was_here && h->config.presence)
        h->config.presence(h->config.app, &p->id, true);
    return m;
}

void room_leave(struct member *m)
{
    struct room *r = m->room;
    struct hub *h = m->session->hub;
    if (m->prev_room)
        m->prev_room->next_room = m->next_room;
    else
        r->members = m->next_room;
    if (m->next_room)
        m->next_room->prev_room = m->prev_room;
    atomic_fetch_sub(hub_present(h, r->subscriber), 1);
    if (--r->n) {
        person_unref(m->person);
    } else {
        r->last = m->person;
        r->failed = false;
        if (!h->draining)
            timer_set(&h->timers, &r->timer, h->now + OFFLINE_MS);
    }
    free(m);
}

static void announce_some(struct hub *h, struct timer *t)
{
    size_t end = h->announced + ANNOUNCE_BUCKETS;
    for (; h->announced < end && h->announced < h->rooms.cap; h->announced++)
        for (struct node *n = h->rooms.bucket[h->announced]; n; n = n->next) {
            struct room *r = (struct room *)((char *)n - offsetof(struct room, by_subscriber));
            if (r->n && !h->draining)
                h->config.presence(h->config.app, &r->members->person->id, true);
        }
    if (h->announced < h->rooms.cap)
        timer_set(&h->timers, t, h->now + ANNOUNCE_MS);
}

/* From the first chain on, also if that is under way. When the table grows meanwhile its rooms move to later chains. */
void rooms_announce(struct hub *h)
{
    if (!h->config.presence)
        return;
    h->announced = 0;
    h->announcing.fire = announce_some;
    timer_set(&h->timers, &h->announcing, h->now);
}

void rooms_free(struct hub *h)
{
    for (size_t i = 0; i < h->rooms.cap; i++)
        while (h->rooms.bucket[i])
            room_free(h, (struct room *)((char *)h->rooms.bucket[i] - offsetof(struct room, by_subscriber)));
    free(h->rooms.bucket);
}

/* ---- events ---- */

enum { VARIANTS = 8 };

/* One event as it leaves: serialised once for each way it is addressed, not for each socket (§8). */
struct emission {
    struct hub *h;
    struct str name, data;
    struct {
        struct frame *frame;
        struct str ns;
        enum session_kind kind;
    } made[VARIANTS];
    int n;
};

static struct frame *serialise(struct emission *e, enum session_kind kind, struct str ns)
{
    struct buf b = {.arena = e->h->scratch};
    buf_reserve(&b, e->data.n + e->name.n + ns.n + 40);
    if (kind == SESSION_PLAIN) {
        buf_fmt(&b, "{\"event\":\"%.*s\",\"data\":", STR_ARG(e->name));
        buf_str(&b, e->data);
        buf_char(&b, '}');
    } else {
        socketio_head(&b, SOCKETIO_EVENT, ns, STR_NULL);
        buf_fmt(&b, "[\"%.*s\",", STR_ARG(e->name));
        buf_str(&b, e->data);
        buf_char(&b, ']');
    }
    return frame_text(e->h, buf_get(&b));
}

static void emit(struct emission *e, struct member *m)
{
    struct str ns = {m->ns, m->ns_len};
    enum session_kind kind = m->session->kind;
    for (int i = 0; i < e->n; i++)
        if (e->made[i].kind == kind && str_eq(e->made[i].ns, ns)) {
            session_send(m->session, e->made[i].frame);
            return;
        }
    struct frame *f = serialise(e, kind, ns);
    session_send(m->session, f);
    if (e->n == VARIANTS) {
        frame_unref(f);
        return;
    }
    e->made[e->n].frame = f;
    e->made[e->n].ns = ns;
    e->made[e->n++].kind = kind;
}

static void emission_end(struct emission *e)
{
    for (int i = 0; i < e->n; i++)
        frame_unref(e->made[i].frame);
}

void room_emit_message(struct hub *h, struct id subscriber, struct str context, struct str message)
{
    struct room *r = room_find(h, subscriber);
    if (!r)
        return;
    struct buf data = {.arena = h->scratch};
    buf_reserve(&data, message.n + 16);
    buf_z(&data, "{\"message\":");
    buf_str(&data, message);
    buf_char(&data, '}');
    struct emission e = {.h = h, .name = STR("notification_received"), .data = buf_get(&data)};
    for (struct member *m = r->members; m; m = m->next_room)
        if (str_eq(m->person->id.context, context)) {
            emit(&e, m);
            counter_add(h->metrics.received, 1);
        }
    emission_end(&e);
    room_changed(h, subscriber, &context, HUB_UNSEEN | HUB_UNREAD);
}

/* ---- counts ---- */

/* context NULL: every context. */
static void want_counts(struct hub *h, struct room *r, const struct str *context, unsigned what)
{
    for (struct member *m = r->members; m; m = m->next_room)
        if (!context || str_eq(m->person->id.context, *context)) {
            m->dirty |= what & (HUB_UNSEEN | HUB_UNREAD);
            if (m->dirty)
                mark_dirty(h, r);
        }
}

void room_changed(struct hub *h, struct id subscriber, const struct str *context, unsigned what)
{
    struct room *r = room_find(h, subscriber);
    if (r)
        want_counts(h, r, context, what);
}

void rooms_changed(struct hub *h, unsigned what)
{
    for (size_t i = 0; i < h->rooms.cap; i++)
        for (struct node *n = h->rooms.bucket[i]; n; n = n->next)
            want_counts(h, (struct room *)((char *)n - offsetof(struct room, by_subscriber)), NULL, what);
}

static int capped(int n)
{
    return n > 100 ? 100 : n < 0 ? 0 : n;
}

static const char *more(int n)
{
    return n > 100 ? "true" : "false";
}

/* Everyone in m's context who waits for counts gets them. */
static void emit_counts(struct hub *h, struct member *m, const struct hub_counts *c)
{
    struct emission unseen = {.h = h, .name = STR("unseen_count_changed"),
        .data = str_fmt(h->scratch, "{\"unseenCount\":%d,\"hasMore\":%s}", capped(c->unseen), more(c->unseen))};
    struct emission unread = {.h = h, .name = STR("unread_count_changed"),
        .data = str_fmt(h->scratch, "{\"unreadCount\":%d,\"counts\":{\"total\":%d,\"severity\":"
            "{\"high\":%d,\"medium\":%d,\"low\":%d,\"none\":%d}},\"hasMore\":%s}",
            capped(c->unread), capped(c->unread), capped(c->high), capped(c->medium), capped(c->low),
            capped(c->none), more(c->unread))};
    struct str context = m->person->id.context;
    for (; m; m = m->next_room) {
        if (!m->dirty || !str_eq(m->person->id.context, context))
            continue;
        if (m->dirty & HUB_UNSEEN) {
            emit(&unseen, m);
            counter_add(h->metrics.unseen, 1);
        }
        if (m->dirty & HUB_UNREAD) {
            emit(&unread, m);
            counter_add(h->metrics.unread, 1);
        }
        m->dirty = 0;
    }
    emission_end(&unseen);
    emission_end(&unread);
}

static void room_count(struct hub *h, struct room *r)
{
    for (struct member *m = r->members; m; m = m->next_room) {
        if (!m->dirty)
            continue;
        struct hub_counts c = {0};
        if (h->config.counts(h->config.app, &m->person->id, &c)) {
            emit_counts(h, m, &c);
            continue;
        }
        if (!r->failed)
            log_warn("counts of a subscriber could not be read; trying again", NULL);
        r->failed = true;
        timer_set(&h->timers, &r->timer, h->now + RETRY_MS);
        return;
    }
    r->failed = false;
}

bool rooms_count(struct hub *h)
{
    for (int i = 0; i < LIMIT_COUNTS_TURN && h->dirty_first; i++) {
        struct room *r = h->dirty_first;
        h->dirty_first = r->next_dirty;
        if (!h->dirty_first)
            h->dirty_last = NULL;
        r->in_dirty = false;
        room_count(h, r);
        arena_reset(h->scratch);
    }
    return h->dirty_first;
}
