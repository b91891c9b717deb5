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
    struct dry dry;                                     /* what is committed */
    const struct definition *definitions[WORLD_MAX];    /* of each run */
    yyjson_val *payloads[WORLD_MAX];
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
    dry_init(&w->dry, a, NULL, 0);
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
        .defer_max_ms = w->defer_max_ms, .lookups = &w->dry.shares.lookups};
}

/* Commits the run (new or advanced) with its effects, and removes the queue item that led to it. false: the run, or what
 * it shares with others, has changed since it was planned, and nothing was done. */
static inline bool world_commit(struct world *w, struct machine *m, const struct definition *d, yyjson_val *payload,
                                const struct queue_item *consumed)
{
    size_t at = dry_run_of(&w->dry, m->run->row.id);
    if (!dry_commit(&w->dry, m, payload ? json_write(w->arena, payload) : STR_NULL, consumed))
        return false;
    w->definitions[at] = d;
    w->payloads[at] = payload;
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
    f.messages = w->dry.messages;
    f.messages_n = w->dry.messages_n;
    if (!run_decode(&w->dry.runs[at], w->arena, r, &err))
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
        w->dry.shares.lookups.digest_events(&w->dry.shares, w->arena, v->run, v->job, &followers, &n, NULL);
    if (!world_commit(w, &m, w->definitions[at], w->payloads[at], NULL))
        w->violation = "a cancellation was refused although nobody else was there";
    for (size_t i = 0; i < n; i++) {
        struct run f;
        struct machine fm;
        size_t k = dry_run_of(&w->dry, followers[i].run);
        struct machine_input next = {.kind = i ? INPUT_REPOINT : INPUT_PROMOTE, .job = v->member_job, .due_at = v->due_at,
                                     .from = v->run, .to = v->member};
        world_advance(w, k, &next, &f, &fm);
        if (!world_commit(w, &fm, w->definitions[k], w->payloads[k], NULL))
            w->violation = "a follower could not take over";
    }
    return true;
}

#endif
