/* A world in memory for the pure machine: what is committed, a queue, a clock that only the test moves.
 *
 * `world_commit` is the only way in: it applies a run and its effects together, as the writer does. What a test does
 * not commit has not happened: that is how it crashes.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "engine/dry.h"

enum { WORLD_MAX = 1024 };

struct world {
    struct arena *arena;
    struct id_source ids;
    int64_t now;
    struct integration integrations[4];
    size_t integrations_n;
    const struct email_layout *layouts;
    size_t layouts_n;
    bool outbox;
    int attempts_max;
    struct delivery_policy policy;
    const int64_t *circuits;                            /* see machine_facts */
    int64_t defer_max_ms;
    yyjson_val *overrides;
    struct run_row runs[WORLD_MAX];
    const struct definition *definitions[WORLD_MAX];    /* of each run */
    yyjson_val *payloads[WORLD_MAX];
    size_t runs_n;
    struct message messages[WORLD_MAX * 4];
    size_t messages_n;
    struct queue_item queue[WORLD_MAX * 2];
    size_t queue_n;
    size_t outbox_n, received_n;
    struct dry_shares shares;                           /* digests and throttles */
    struct subscriber subscriber;
    struct preference_rows preferences;                 /* the subscriber's */
    bool workflow_off_is_final;
    struct str bridge_url;
    const char *workflow_members;                       /* of the document, as "\"preferences\":{…}"; NULL: none */
    const char *violation;                              /* the first broken invariant */
};

static inline struct world *world_new(uint64_t seed)
{
    struct arena *a = arena_create(1 << 20);
    struct world *w = ARENA_NEW(a, struct world);
    w->arena = a;
    id_source_init_seeded(&w->ids, seed + 1);
    w->now = 1767225600000;                             /* 2026-01-01T00:00:00Z */
    w->attempts_max = 3;
    dry_shares_init(&w->shares, a, NULL, 0);
    w->subscriber = (struct subscriber){.id = id_new(&w->ids, w->now), .subscriber_id = STR("ada"), .is_online = -1};
    w->subscriber.field[SUBSCRIBER_FIRST_NAME] = STR("Ada");
    w->subscriber.field[SUBSCRIBER_EMAIL] = STR("ada@example.com");
    return w;
}

static inline void world_integration(struct world *w, enum channel c, const char *provider)
{
    w->integrations[w->integrations_n++] = (struct integration){
        .id = id_new(&w->ids, w->now), .provider_id = str_of(provider), .identifier = str_of(provider), .name = str_of(provider),
        .channel = c, .active = true, .primary = c == CHANNEL_EMAIL || c == CHANNEL_SMS};
}

/* steps: JSON array of {stepId, type, controlValues}. */
static inline struct definition *world_definition(struct world *w, const char *steps)
{
    yyjson_val *list, *s, *k;
    struct buf b = {.arena = w->arena};
    struct error err = {0};
    assert_true(json_parse(w->arena, str_of(steps), &list, &err));
    buf_fmt(&b, "{\"workflowId\":\"wf\",%s%s\"steps\":[", w->workflow_members ? w->workflow_members : "", w->workflow_members ? "," : "");
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    for (int i = 0; (s = yyjson_arr_iter_next(&it)); i++) {
        char hex[ID_HEX + 1];
        id_hex(id_new(&w->ids, w->now), hex);
        buf_fmt(&b, "%s{\"_id\":\"%s\",\"name\":\"x\"", i ? "," : "", hex);
        yyjson_obj_iter members = yyjson_obj_iter_with(s);
        while ((k = yyjson_obj_iter_next(&members))) {
            buf_char(&b, ',');
            json_quote(&b, json_str(k));
            buf_char(&b, ':');
            buf_str(&b, json_write(w->arena, yyjson_obj_iter_get_val(k)));
        }
        buf_char(&b, '}');
    }
    buf_z(&b, "]}");
    struct workflow row = {.id = id_new(&w->ids, w->now), .identifier = STR("wf"), .name = STR("Workflow"), .active = true,
                           .version = 1, .doc = buf_finish(&b)};
    struct definition *d = definition_compile(&row, &err);
    if (!d)
        fail_msg("%s", err.message);
    return d;
}

static inline struct machine_facts world_facts(struct world *w, const struct definition *d, yyjson_val *payload)
{
    return (struct machine_facts){
        .now = w->now, .version = d, .current = d, .subscriber = &w->subscriber, .integrations = w->integrations,
        .integrations_n = w->integrations_n, .outbox = w->outbox, .environment_name = STR("Development"),
        .environment_type = STR("dev"), .transaction_id = STR("T"), .payload = payload, .attempts_max = w->attempts_max,
        .preferences = &w->preferences, .workflow_off_is_final = w->workflow_off_is_final, .bridge_url = w->bridge_url,
        .layouts = w->layouts, .layouts_n = w->layouts_n, .policy = w->policy, .circuits = w->circuits, .overrides = w->overrides,
        .defer_max_ms = w->defer_max_ms, .lookups = &w->shares.lookups};
}

static inline struct str world_doc_patch(struct arena *a, struct str doc, struct str patch)
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

static inline void world_store_message(struct world *w, const struct message *m, struct str patch)
{
    for (size_t i = 0; i < w->messages_n; i++)
        if (id_eq(w->messages[i].id, m->id)) {
            w->messages[i].status = m->status;
            if (patch.n)
                w->messages[i].doc = world_doc_patch(w->arena, w->messages[i].doc, patch);
            return;
        }
    w->messages[w->messages_n] = *m;
    w->messages[w->messages_n++].doc = str_dup(w->arena, m->doc);
}

static inline void world_unqueue(struct world *w, struct id item)
{
    for (size_t i = 0; i < w->queue_n; i++)
        if (id_eq(w->queue[i].id, item)) {
            w->queue[i] = w->queue[--w->queue_n];
            return;
        }
}

static inline void world_queue(struct world *w, struct queue_item q)
{
    w->queue[w->queue_n++] = q;
}

static inline void world_effect(struct world *w, const struct run *r, const struct effect *e)
{
    const struct delivery_record *d = &e->delivery;
    struct queue_item q = e->queue;
    q.ref = r->row.id;
    q.id = run_derived_id(r->row.id, DERIVED_QUEUE, q.job * 64 + q.attempt);
    w->outbox_n += e->kind == EFFECT_OUTBOX;
    w->received_n += e->kind == EFFECT_RECEIVED;
    switch (e->kind) {
    case EFFECT_MESSAGE:
    case EFFECT_MESSAGE_STATUS: world_store_message(w, &e->message, e->doc_patch); break;
    case EFFECT_UNQUEUE: world_unqueue(w, q.id); break;
    case EFFECT_TIMER:
    case EFFECT_CALL:
        q.kind = e->kind == EFFECT_TIMER ? QUEUE_TIMER : QUEUE_CALL;
        world_queue(w, q);
        break;
    case EFFECT_DELIVERY:
        world_unqueue(w, d->id);
        world_queue(w, (struct queue_item){.due_at = d->due_at, .kind = QUEUE_DELIVERY, .ref = r->row.id, .job = d->job,
                                           .target = d->target, .attempt = d->attempt, .id = d->id});
        break;
    case EFFECT_DELIVERY_END: world_unqueue(w, d->id); break;
    default: break;
    }
}

static inline size_t world_run_of(const struct world *w, struct id id)
{
    size_t at = 0;
    while (at < w->runs_n && !id_eq(w->runs[at].id, id))
        at++;
    return at;
}

/* Does what the run shares with others still allow it? Puts it into effect. */
static inline bool world_shares(struct world *w, const struct machine *m, yyjson_val *payload)
{
    size_t at = world_run_of(w, m->run->row.id);
    struct str text = payload ? json_write(w->arena, payload) : STR_NULL;
    return (at == w->runs_n || w->runs[at].revision == m->run->row.revision) && dry_shares_apply(&w->shares, m->effects, text);
}

static inline void world_store(struct world *w, struct machine *m, const struct definition *d, yyjson_val *payload)
{
    struct run *r = m->run;
    size_t at = world_run_of(w, r->row.id);
    r->row.state = str_dup(w->arena, run_encode(r));
    r->row.revision++;
    w->runs[at] = r->row;
    w->definitions[at] = d;
    w->payloads[at] = payload;
    if (at == w->runs_n)
        w->runs_n++;
    for (const struct effect *e = m->effects; e; e = e->next)
        world_effect(w, r, e);
}

/* Commits the run (new or advanced) with its effects, and removes the queue item that led to it. false: the run, or what
 * it shares with others, has changed since it was planned, and nothing was done. */
static inline bool world_commit(struct world *w, struct machine *m, const struct definition *d, yyjson_val *payload,
                                const struct queue_item *consumed)
{
    if (!world_shares(w, m, payload))
        return false;
    if (consumed)
        world_unqueue(w, consumed->id);
    world_store(w, m, d, payload);
    return true;
}

/* Starts a run without committing it. */
static inline void world_start(struct world *w, const struct definition *d, yyjson_val *payload, struct run *r, struct machine *m)
{
    struct machine_facts f = world_facts(w, d, payload);
    *r = (struct run){.arena = w->arena};
    r->row = (struct run_row){.id = id_new(&w->ids, w->now), .event = id_new(&w->ids, w->now), .workflow = d->workflow.id, .workflow_version = 1,
                              .subscriber = w->subscriber.id, .created_at = w->now, .updated_at = w->now};
    machine_start(m, r, &f);
}

/* Loads a committed run and steps it, without committing. */
static inline void world_advance(struct world *w, size_t at, const struct machine_input *in, struct run *r, struct machine *m)
{
    struct machine_facts f = world_facts(w, w->definitions[at], w->payloads[at]);
    struct error err = {0};
    f.messages = w->messages;
    f.messages_n = w->messages_n;
    if (!run_decode(&w->runs[at], w->arena, r, &err))
        fail_msg("%s", err.message);
    machine_advance(m, r, &f, in);
}

/* engine.md §2.9, as engine/stop.c does it: the run, and those whose digests it was in. in_flight: as in the input. false:
 * there was nothing to stop. */
static inline bool world_cancel(struct world *w, size_t at, uint64_t in_flight)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_CANCEL, .in_flight = in_flight};
    world_advance(w, at, &in, &r, &m);
    if (!m.changed)
        return false;
    struct digest_event *followers = NULL;
    size_t n = 0;
    const struct digest_move *v = NULL;
    for (const struct effect *e = m.effects; e; e = e->next)
        if (e->kind == EFFECT_DIGEST && e->digest.kind == DIGEST_HAND_OVER)
            v = &e->digest;
    if (v)
        w->shares.lookups.digest_events(&w->shares, w->arena, v->run, v->job, &followers, &n, NULL);
    if (!world_commit(w, &m, w->definitions[at], w->payloads[at], NULL))
        w->violation = "a cancellation was refused although nobody else was there";
    for (size_t i = 0; i < n; i++) {
        struct run f;
        struct machine fm;
        size_t k = world_run_of(w, followers[i].run);
        struct machine_input next = {.kind = i ? INPUT_REPOINT : INPUT_PROMOTE, .job = v->member_job, .due_at = v->due_at,
                                     .from = v->run, .to = v->member};
        world_advance(w, k, &next, &f, &fm);
        if (!world_commit(w, &fm, w->definitions[k], w->payloads[k], NULL))
            w->violation = "a follower could not take over";
    }
    return true;
}

#endif
