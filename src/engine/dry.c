/* The dry world. */
#include "engine/dry.h"

#include <stdlib.h>

/* --- what runs share ------------------------------------------------------------------------------------------------ */

/* A stored digest whose time has come by the time from which the world is looked at has fired: nobody joins it. */
static void group_settle(struct digest_group *g, int64_t at)
{
    if (id_is_zero(g->run) || g->due_at > at)
        return;
    g->run = (struct id){{0}};
    g->job = 0;
}

/* NULL: the base could not be read. */
static struct dry_group *group_of(struct dry_shares *s, struct str key, struct error *err)
{
    for (size_t i = 0; i < s->groups_n; i++)
        if (str_eq(s->groups[i].key, key))
            return &s->groups[i];
    struct digest_group row = {.revision = 0};
    if (s->base && !s->base->digest_group(s->base->world, key, &row, err))
        return NULL;
    group_settle(&row, s->base_at);
    struct dry_group *g = ARENA_SLOT(s->arena, s->groups, s->groups_n, s->groups_cap);
    *g = (struct dry_group){.key = str_dup(s->arena, key), .row = row};
    return g;
}

static struct dry_window *window_of(struct dry_shares *s, struct str key, struct error *err)
{
    for (size_t i = 0; i < s->windows_n; i++)
        if (str_eq(s->windows[i].key, key))
            return &s->windows[i];
    struct throttle_window row = {.granted = 0};
    if (s->base && !s->base->throttle_window(s->base->world, key, &row, err))
        return NULL;
    struct dry_window *w = ARENA_SLOT(s->arena, s->windows, s->windows_n, s->windows_cap);
    *w = (struct dry_window){.key = str_dup(s->arena, key), .row = row};
    return w;
}

static bool lookup_group(void *world, struct str key, struct digest_group *out, struct error *err)
{
    const struct dry_group *g = group_of(world, key, err);
    if (g)
        *out = g->row;
    return g != NULL;
}

static bool lookup_window(void *world, struct str key, struct throttle_window *out, struct error *err)
{
    const struct dry_window *w = window_of(world, key, err);
    if (w)
        *out = w->row;
    return w != NULL;
}

static int by_time(const void *a, const void *b)
{
    const struct digest_event *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : id_cmp(x->run, y->run);
}

/* Only runs of this world are advanced in it, so only what they collected is ever asked for. */
static bool lookup_events(void *world, struct arena *a, struct id run, int job, struct digest_event **out, size_t *n,
                          struct error *err)
{
    const struct dry_shares *s = world;
    (void)err;
    *out = ARENA_ARRAY(a, struct digest_event, s->members_n);
    *n = 0;
    for (size_t i = 0; i < s->members_n; i++)
        if (id_eq(s->members[i].run, run) && s->members[i].job == job)
            (*out)[(*n)++] = s->members[i].event;
    qsort(*out, *n, sizeof **out, by_time);
    return true;
}

void dry_shares_init(struct dry_shares *s, struct arena *a, const struct machine_lookups *base, int64_t base_at)
{
    *s = (struct dry_shares){.arena = a, .base = base, .base_at = base_at};
    s->lookups = (struct machine_lookups){.world = s, .digest_group = lookup_group, .digest_events = lookup_events,
                                          .throttle_window = lookup_window};
}

/* How many events (v->run, v->job) has; `to` not NULL: they become that one's; else, with drop, they go. */
static int64_t members_of(struct dry_shares *s, const struct digest_move *v, const struct id *to, bool drop)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->members_n; i++) {
        struct dry_member *x = &s->members[i];
        if (!id_eq(x->run, v->run) || x->job != v->job)
            continue;
        n++;
        if (drop) {
            s->members[i--] = s->members[--s->members_n];
        } else if (to) {
            x->run = *to;
            x->job = v->member_job;
        }
    }
    return n;
}

static bool member_drop(struct dry_shares *s, const struct digest_move *v)
{
    for (size_t i = 0; i < s->members_n; i++) {
        const struct dry_member *x = &s->members[i];
        if (id_eq(x->run, v->run) && x->job == v->job && id_eq(x->event.run, v->member)) {
            s->members[i] = s->members[--s->members_n];
            return true;
        }
    }
    return false;
}

static void member_add(struct dry_shares *s, const struct digest_move *v, struct str payload)
{
    *ARENA_SLOT(s->arena, s->members, s->members_n, s->members_cap) = (struct dry_member){
        .run = v->run, .job = v->job,
        .event = {.run = v->member, .job = v->member_job, .at = v->member_at, .event = v->event, .payload = payload}};
}

static bool group_close(struct dry_shares *s, struct digest_group *g, const struct digest_move *v)
{
    if (v->revision && g->revision != v->revision)
        return false;
    if (v->revision) {
        g->run = (struct id){{0}};
        g->revision = v->looks_back ? g->revision + 1 : 0;
    }
    return members_of(s, v, NULL, true) == v->members;
}

static bool group_hand_over(struct dry_shares *s, struct digest_group *g, const struct digest_move *v)
{
    if (v->revision && g->revision != v->revision)
        return false;
    if (v->revision) {
        g->run = v->member;
        g->job = v->member_job;
        g->revision++;
    }
    return member_drop(s, v) && members_of(s, v, &v->member, false) == v->members - 1;
}

/* As digest_move does it in the store (model/digest.h). */
static bool digest_apply(struct dry_shares *s, const struct digest_move *v, struct str payload)
{
    struct error err = {0};
    struct dry_group *found = group_of(s, v->key, &err);
    if (!found)
        return false;
    struct digest_group *g = &found->row;
    bool ours = id_eq(g->run, v->run) && g->job == v->job;
    switch (v->kind) {
    case DIGEST_PASS:
    case DIGEST_OPEN:
        if (g->revision != v->revision)
            return false;
        *g = (struct digest_group){.revision = g->revision + 1, .job = v->job, .due_at = v->due_at, .event_at = v->event_at};
        if (v->kind == DIGEST_OPEN)
            g->run = v->run;
        return true;
    case DIGEST_JOIN:
        if (!ours)
            return false;
        g->event_at = v->event_at;
        g->revision++;
        member_add(s, v, payload);
        return true;
    case DIGEST_LEAVE:
        return member_drop(s, v);
    case DIGEST_EXTEND:
        g->due_at = ours ? v->due_at : g->due_at;
        g->revision += ours;
        return true;
    case DIGEST_CLOSE:
        return group_close(s, g, v);
    case DIGEST_HAND_OVER:
        return group_hand_over(s, g, v);
    }
    return true;
}

static bool throttle_apply(struct dry_shares *s, const struct throttle_grant *g)
{
    struct error err = {0};
    struct dry_window *found = window_of(s, g->key, &err);
    if (!found)
        return false;
    struct throttle_window *x = &found->row;
    if (g->opens) {
        if (x->ends_at > g->started_at)
            return false;
        *x = (struct throttle_window){.started_at = g->started_at, .ends_at = g->ends_at, .granted = 1};
        return true;
    }
    if (x->started_at != g->started_at || x->ends_at != g->ends_at || x->granted >= g->threshold)
        return false;
    x->granted++;
    return true;
}

static bool effects_share(const struct effect *e)
{
    while (e && e->kind != EFFECT_DIGEST && e->kind != EFFECT_THROTTLE)
        e = e->next;
    return e != NULL;
}

/* NULL for nothing. */
static void *copied(struct arena *a, const void *p, size_t bytes)
{
    return bytes ? memcpy(arena_alloc_raw(a, bytes), p, bytes) : NULL;
}

static void put_back(void *p, const void *saved, size_t bytes)
{
    if (bytes)
        memcpy(p, saved, bytes);
}

/* Works with a copy at hand, so that a refusal half-way leaves nothing behind. */
bool dry_shares_apply(struct dry_shares *s, const struct effect *effects, struct str payload)
{
    if (!effects_share(effects))
        return true;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct dry_group *groups = copied(a, s->groups, s->groups_n * sizeof *groups);
    struct dry_member *members = copied(a, s->members, s->members_n * sizeof *members);
    struct dry_window *windows = copied(a, s->windows, s->windows_n * sizeof *windows);
    size_t groups_n = s->groups_n, members_n = s->members_n, windows_n = s->windows_n;
    bool ok = true;
    for (const struct effect *e = effects; e && ok; e = e->next)
        ok = e->kind == EFFECT_DIGEST     ? digest_apply(s, &e->digest, payload)
             : e->kind == EFFECT_THROTTLE ? throttle_apply(s, &e->throttle)
                                          : true;
    if (ok)
        return true;
    put_back(s->groups, groups, groups_n * sizeof *groups);
    put_back(s->members, members, members_n * sizeof *members);
    put_back(s->windows, windows, windows_n * sizeof *windows);
    s->groups_n = groups_n;
    s->members_n = members_n;
    s->windows_n = windows_n;
    return false;
}

/* --- runs, messages, what is to do --------------------------------------------------------------------------------- */

void dry_init(struct dry *w, struct arena *a, const struct machine_lookups *base, int64_t base_at)
{
    *w = (struct dry){.arena = a};
    dry_shares_init(&w->shares, a, base, base_at);
}

size_t dry_run_of(const struct dry *w, struct id run)
{
    size_t at = 0;
    while (at < w->runs_n && !id_eq(w->runs[at].id, run))
        at++;
    return at;
}

void dry_unqueue(struct dry *w, struct id item)
{
    for (size_t i = 0; i < w->queue_n; i++)
        if (id_eq(w->queue[i].id, item)) {
            memmove(&w->queue[i], &w->queue[i + 1], (--w->queue_n - i) * sizeof *w->queue);
            return;
        }
}

const struct queue_item *dry_next(const struct dry *w, int64_t until)
{
    const struct queue_item *first = NULL;
    for (size_t i = 0; i < w->queue_n; i++)
        if (w->queue[i].due_at <= until && (!first || w->queue[i].due_at < first->due_at))
            first = &w->queue[i];
    return first;
}

static struct str doc_patch(struct arena *a, struct str doc, struct str patch)
{
    yyjson_val *old, *v, *k;
    yyjson_mut_doc *d = json_doc(a);
    if (!json_parse(a, doc, &old, NULL) || !json_parse(a, patch, &v, NULL))
        return doc;
    yyjson_mut_val *o = yyjson_val_mut_copy(d, old);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(k), yyjson_get_len(k));
        if (!yyjson_is_null(yyjson_obj_iter_get_val(k)))
            yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(k)));
    }
    return json_write_mut(a, o);
}

/* A message is stored once a step: when the step runs again its status and text change. */
static void message_store(struct dry *w, const struct message *m, struct str patch)
{
    for (size_t i = 0; i < w->messages_n; i++) {
        struct message *x = &w->messages[i];
        if (!id_eq(x->id, m->id))
            continue;
        x->status = m->status;
        if (patch.n)
            x->doc = doc_patch(w->arena, x->doc, patch);
        return;
    }
    struct message *x = ARENA_SLOT(w->arena, w->messages, w->messages_n, w->messages_cap);
    *x = *m;
    x->doc = str_dup(w->arena, m->doc);
}

static void queue_add(struct dry *w, const struct queue_item *q)
{
    *ARENA_SLOT(w->arena, w->queue, w->queue_n, w->queue_cap) = *q;
}

static void effect_commit(struct dry *w, struct id run, const struct effect *e)
{
    const struct delivery_record *d = &e->delivery;
    struct queue_item q = e->queue;
    q.ref = run;
    q.id = run_derived_id(run, DERIVED_QUEUE, q.job * 64 + q.attempt);
    w->outbox_n += e->kind == EFFECT_OUTBOX;
    w->received_n += e->kind == EFFECT_RECEIVED;
    switch (e->kind) {
    case EFFECT_MESSAGE:
    case EFFECT_MESSAGE_STATUS: message_store(w, &e->message, e->doc_patch); break;
    case EFFECT_UNQUEUE: dry_unqueue(w, q.id); break;
    case EFFECT_TIMER:
    case EFFECT_CALL:
        q.kind = e->kind == EFFECT_TIMER ? QUEUE_TIMER : QUEUE_CALL;
        queue_add(w, &q);
        break;
    case EFFECT_DELIVERY:
        dry_unqueue(w, d->id);
        queue_add(w, &(struct queue_item){.due_at = d->due_at, .kind = QUEUE_DELIVERY, .ref = run, .job = d->job,
                                          .target = d->target, .attempt = d->attempt, .id = d->id});
        break;
    case EFFECT_DELIVERY_END: dry_unqueue(w, d->id); break;
    default: break;
    }
}

bool dry_commit(struct dry *w, struct machine *m, struct str payload, const struct queue_item *consumed)
{
    struct run *r = m->run;
    size_t at = dry_run_of(w, r->row.id);
    if (at < w->runs_n && w->runs[at].revision != r->row.revision)
        return false;
    if (!dry_shares_apply(&w->shares, m->effects, payload))
        return false;
    if (consumed)
        dry_unqueue(w, consumed->id);
    r->row.state = str_dup(w->arena, run_encode(r));
    r->row.revision++;
    if (at == w->runs_n)
        ARENA_SLOT(w->arena, w->runs, w->runs_n, w->runs_cap);
    w->runs[at] = r->row;
    for (const struct effect *e = m->effects; e; e = e->next)
        effect_commit(w, r->row.id, e);
    return true;
}
