/* A real writer and engine over a real store, with a world that records what it is asked to deliver. */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "../../store/migrated.h"

#include "account/bootstrap.h"
#include "base/crypto.h"
#include "engine/engine.h"
#include "model/event.h"
#include "model/people.h"

enum { DELIVERIES_MAX = 1024, RECEIVED_MAX = 1024 };

/* What the world saw of one attempt. */
struct seen_delivery {
    char key[ID_HEX + 1], provider[32];
    int attempt;
    bool stored;                    /* its message and queue item were committed before */
};

struct rig {
    const char *url;
    enum db_kind kind;
    struct id_source ids;
    struct clock clock;
    struct metrics *metrics;
    struct writer *writer;
    struct directory *directory;
    struct definitions *definitions;
    struct engine *engine;
    struct db *db;                  /* the test's own connection */
    struct id environment, organization;
    struct arena *arena;
    bool capture;
    const char *workflow_members;   /* of the documents of rig_workflow, as "\"tags\":[]"; NULL: none */
    int workers, attempts_max, writer_queue_max;
    bool (*listening)(void *app);
    int retention_days;
    char attached[16];              /* first bytes of the last attachment that was to be delivered */

    pthread_mutex_t lock;           /* of what follows */
    pthread_cond_t changed;
    struct db *world_db;
    struct seen_delivery deliveries[DELIVERIES_MAX];
    atomic_int deliveries_n;                    /* written under the lock, read without by barriers' asserts */
    struct { int64_t at, now; struct id run; } received[RECEIVED_MAX];
    int received_n, forgetting, forgot;         /* the latter two: people */
    struct engine_delivery *first, **last;      /* not answered yet */
    bool hold, world_stop;                      /* hold: the answering thread waits */
    const enum delivery_verdict *script;        /* by attempt; NULL: sent */
    bool address_gone;                          /* what fails says so */
    pthread_t answerer;
    bool gate_open, gate_reached;
    void (*call)(void *app, struct engine_call *c);     /* HTTP requests of steps; NULL: refused */
};

static inline void rig_deliver(void *app, struct engine_delivery *d)
{
    struct rig *r = app;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct message m;
    struct error err = {0};
    struct delivery_record record;
    pthread_mutex_lock(&r->lock);
    struct seen_delivery *s = &r->deliveries[r->deliveries_n++ % DELIVERIES_MAX];
    snprintf(s->key, sizeof s->key, "%.*s", STR_ARG(d->idempotency_key));
    snprintf(s->provider, sizeof s->provider, "%.*s", STR_ARG(d->provider_id));
    s->attempt = d->attempt;
    if (d->attachments_n)
        snprintf(r->attached, sizeof r->attached, "%.*s", STR_ARG(d->attachments[0].bytes));
    s->stored = message_find(r->world_db, a, d->environment, d->message, &m, &err)
        && deliveries_find(r->world_db, a, d->environment, d->item.id, &record, &err) && record.attempt == d->attempt
        && record.started_at;
    d->next = NULL;
    *r->last = d;
    r->last = &d->next;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_received(void *app, const struct message *m, struct str json)
{
    struct rig *r = app;
    (void)json;
    pthread_mutex_lock(&r->lock);
    int i = r->received_n++ % RECEIVED_MAX;
    r->received[i].at = m->created_at;
    r->received[i].now = clock_now_ms(&r->clock);
    r->received[i].run = m->run;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline bool rig_forgetting(void *app, struct db *db, const struct id *people, size_t n, struct error *err)
{
    (void)db;
    (void)people;
    (void)err;
    ((struct rig *)app)->forgetting += (int)n;
    return true;
}

static inline void rig_forgot(void *app, const struct id *people, size_t n)
{
    struct rig *r = app;
    for (size_t i = 0; i < n; i++)
        assert_false(id_is_zero(people[i]));
    pthread_mutex_lock(&r->lock);
    r->forgot += (int)n;
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_answer(const struct rig *r, struct engine_delivery *d)
{
    enum delivery_verdict v = r->script ? r->script[d->attempt - 1] : VERDICT_SENT;
    struct machine_input in = {.verdict = v, .provider_message_id = v == VERDICT_SENT ? STR("p-1") : STR_NULL,
                               .error = v == VERDICT_SENT ? STR_NULL : STR("451 later"),
                               .address_gone = v != VERDICT_SENT && r->address_gone};
    engine_delivered(d, &in);
}

static inline void *rig_answerer(void *arg)
{
    struct rig *r = arg;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->world_stop && (r->hold || !r->first))
            pthread_cond_wait(&r->changed, &r->lock);
        if (r->world_stop)
            break;
        struct engine_delivery *d = r->first;
        r->first = d->next;
        if (!r->first)
            r->last = &r->first;
        pthread_mutex_unlock(&r->lock);
        rig_answer(r, d);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static inline void rig_hold(struct rig *r, bool hold)
{
    pthread_mutex_lock(&r->lock);
    r->hold = hold;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_wait_deliveries(struct rig *r, int n)
{
    pthread_mutex_lock(&r->lock);
    while (r->deliveries_n < n)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_wait_received(struct rig *r, int n)
{
    pthread_mutex_lock(&r->lock);
    while (r->received_n < n)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline void rig_engine_start(struct rig *r)
{
    struct error err = {0};
    struct engine_config c = {
        .database_url = r->url, .writer = r->writer, .clock = &r->clock, .ids = &r->ids, .directory = r->directory,
        .definitions = r->definitions, .metrics = r->metrics, .workers = r->workers ? r->workers : 2,
        .attempts_max = r->attempts_max, .capture = r->capture,
        .world = {.app = r, .deliver = rig_deliver, .received = rig_received, .listening = r->listening,
                  .call = r->call, .forgetting = rig_forgetting, .forgot = rig_forgot},
        .retention_days = r->retention_days, .retention_in_app_days = r->retention_days ? 12 * r->retention_days : 0};
    r->engine = engine_start(&c, &err);
    must(r->engine != NULL, &err, "engine_start");
}

static inline void rig_writer_start(struct rig *r)
{
    struct error err = {0};
    struct writer_config wc = {.url = r->url, .queue_max = r->writer_queue_max};
    r->writer = writer_start(&wc, &err);
    must(r->writer != NULL, &err, "writer_start");
}

static inline bool rig_seed(void *arg, struct db *db, struct error *err)
{
    struct rig *r = arg;
    int64_t now = clock_now_ms(&r->clock);
    struct environment e = {.id = r->environment, .organization = r->organization, .name = STR("Development"),
                            .type = STR("dev"), .application_identifier = STR("app"), .created_at = now, .updated_at = now};
    struct integration inbox = {.id = id_new(&r->ids, now), .organization = r->organization, .environment = e.id,
                                .provider_id = STR("novu"), .name = STR("Inbox"), .identifier = STR("novu-1"), .active = true,
                                .channel = CHANNEL_IN_APP, .created_at = now, .updated_at = now};
    struct integration mail = {.id = id_new(&r->ids, now), .organization = r->organization, .environment = e.id,
                               .provider_id = STR("nodemailer"), .name = STR("SMTP"), .identifier = STR("smtp-1"), .active = true,
                               .primary = true, .channel = CHANNEL_EMAIL, .created_at = now, .updated_at = now};
    return environment_insert(db, &e, err) && integration_insert(db, &inbox, err) && integration_insert(db, &mail, err);
}

/* All but the engine, on a store of support_store_url, new or used. */
static inline struct rig *rig_new(enum db_kind kind, const char *url, bool is_virtual, int writer_queue_max)
{
    struct rig *r = calloc(1, sizeof *r);
    struct error err = {0};
    r->url = url;
    r->kind = kind;
    r->writer_queue_max = writer_queue_max;
    r->arena = arena_create(0);
    r->last = &r->first;
    id_source_init(&r->ids);
    clock_init(&r->clock, is_virtual);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    memset(r->environment.b, 7, sizeof r->environment.b);
    memset(r->organization.b, 8, sizeof r->organization.b);
    r->metrics = metrics_create();
    r->directory = directory_create(false);
    r->definitions = definitions_create(false);
    rig_writer_start(r);
    r->db = db_open(url, true, &err);
    r->world_db = db_open(url, true, &err);
    must(r->db && r->world_db, &err, "db_open");
    if (number(r->db, "SELECT count(*) FROM environments") == 0)
        must(writer_run(r->writer, rig_seed, r, &err), &err, "seed");
    pthread_create(&r->answerer, NULL, rig_answerer, r);
    return r;
}

static inline struct rig *rig_start(void **state, bool is_virtual)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), is_virtual, 0);
    rig_engine_start(r);
    return r;
}

/* What the world still held when the engine went is answered after it, as a dispatcher's shutdown does. */
static inline void rig_answer_rest(struct rig *r)
{
    struct engine_delivery *d;
    pthread_mutex_lock(&r->lock);
    d = r->first;
    r->first = NULL;
    r->last = &r->first;
    pthread_mutex_unlock(&r->lock);
    for (struct engine_delivery *next; d; d = next) {
        next = d->next;
        rig_answer(r, d);
    }
}

static inline void rig_end(struct rig *r)
{
    engine_stop(r->engine, 0);
    pthread_mutex_lock(&r->lock);
    r->world_stop = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->answerer, NULL);
    rig_answer_rest(r);
    writer_stop(r->writer);
    definitions_destroy(r->definitions);
    directory_destroy(r->directory);
    metrics_destroy(r->metrics);
    db_close(r->db);
    db_close(r->world_db);
    arena_destroy(r->arena);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* --- workflows and triggers ------------------------------------------------------------------------------ */

struct rig_workflow {
    struct workflow row;
};

static inline bool rig_workflow_apply(void *arg, struct db *db, struct error *err)
{
    return workflow_insert(db, &((struct rig_workflow *)arg)->row, (struct id){{0}}, err);
}

/* steps: text of JSON steps without _id and name. */
static inline void rig_workflow(struct rig *r, const char *identifier, const char *steps)
{
    struct rig_workflow w = {.row = {.id = id_new(&r->ids, clock_now_ms(&r->clock)), .environment = r->environment,
                                     .identifier = str_of(identifier), .name = str_of(identifier), .active = true, .version = 1}};
    struct error err = {0};
    struct buf b = {.arena = r->arena};
    yyjson_val *list, *s, *k;
    must(json_parse(r->arena, str_of(steps), &list, &err), &err, steps);
    buf_fmt(&b, "{\"workflowId\":\"%s\",%s%s\"steps\":[", identifier, r->workflow_members ? r->workflow_members : "",
            r->workflow_members ? "," : "");
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    for (int i = 0; (s = yyjson_arr_iter_next(&it)); i++) {
        char hex[ID_HEX + 1];
        id_hex(id_new(&r->ids, clock_now_ms(&r->clock)), hex);
        buf_fmt(&b, "%s{\"_id\":\"%s\",\"name\":\"x\",\"stepId\":\"s%d\"", i ? "," : "", hex, i);
        yyjson_obj_iter members = yyjson_obj_iter_with(s);
        while ((k = yyjson_obj_iter_next(&members))) {
            buf_char(&b, ',');
            json_quote(&b, json_str(k));
            buf_char(&b, ':');
            buf_str(&b, json_write(r->arena, yyjson_obj_iter_get_val(k)));
        }
        buf_char(&b, '}');
    }
    buf_z(&b, "]}");
    w.row.doc = buf_finish(&b);
    must(writer_run(r->writer, rig_workflow_apply, &w, &err), &err, "workflow_insert");
    definitions_changed(r->definitions);
}

static const char IN_APP[] = "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"Hi {{subscriber.firstName}}\"}}]";
static const char EMAIL[] = "[{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]";

struct call {
    struct rig *rig;
    struct trigger trigger;
    struct error err;
    bool ended, failed;
    int64_t runs_at_done, events_at_done, messages_at_done;     /* seen by another connection when done was called */
};

static inline void call_done(struct trigger *t, const struct error *err)
{
    struct call *c = t->owner;
    struct rig *r = c->rig;
    pthread_mutex_lock(&r->lock);
    if (err)
        c->err = *err;
    c->failed = err != NULL;
    if (!err) {
        struct error e = {0};
        static const char *const counts[] = {"SELECT count(*) FROM runs", "SELECT count(*) FROM events", "SELECT count(*) FROM messages"};
        int64_t *out[] = {&c->runs_at_done, &c->events_at_done, &c->messages_at_done};
        for (int i = 0; i < 3; i++) {
            struct db_stmt *s = db_prepare(r->world_db, counts[i], &e);
            *out[i] = s && db_step(s, &e) == DB_ROW ? db_int(s, 0) : -1;
            if (s)
                db_reset(s);
        }
    }
    c->ended = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* body: {to, payload, overrides, actor, tenant, context, broadcast}. false: refused at once. */
static inline bool call_begin(struct rig *r, struct call *c, const char *workflow, const char *tx, const char *body)
{
    struct error err = {0};
    yyjson_val *v;
    *c = (struct call){.rig = r};
    struct arena *a = arena_create(0);
    if (!json_parse(a, str_of(body), &v, &err))
        abort();
    struct db *db = db_open(r->url, true, &err);
    struct definition *d = definition_current(r->definitions, db, r->environment, str_of(workflow), &err);
    db_close(db);
    if (!d)
        abort();
    c->trigger = (struct trigger){.arena = a, .environment = r->environment, .organization = r->organization, .definition = d,
                                  .request_id = STR("req"), .transaction_id = str_dup(a, str_of(tx)), .to = json_get(v, "to"),
                                  .payload = json_get(v, "payload"), .overrides = json_get(v, "overrides"),
                                  .actor = json_get(v, "actor"), .tenant = json_get(v, "tenant"),
                                  .context = json_get(v, "context"), .broadcast = json_get_bool(v, "broadcast", false),
                                  .done = call_done, .owner = c};
    return true;
}

static inline bool call_go(struct call *c)
{
    if (engine_trigger(c->rig->engine, &c->trigger, &c->err))
        return true;
    cached_unref(&c->trigger.definition->head);
    c->ended = c->failed = true;
    return false;
}

static inline void call_wait(struct call *c)
{
    pthread_mutex_lock(&c->rig->lock);
    while (!c->ended)
        pthread_cond_wait(&c->rig->changed, &c->rig->lock);
    pthread_mutex_unlock(&c->rig->lock);
}

static inline void call_free(struct call *c)
{
    arena_destroy(c->trigger.arena);
    c->trigger.arena = NULL;
}

static inline void rig_trigger(struct rig *r, const char *workflow, const char *tx, const char *body)
{
    struct call c;
    call_begin(r, &c, workflow, tx, body);
    call_go(&c);
    call_wait(&c);
    if (c.failed)
        fail_msg("trigger: %s", c.err.message);
    assert_int_equal(c.trigger.result, TRIGGER_FRESH);
    call_free(&c);
}

/* --- virtual time ------------------------------------------------------------------------------------------ */

struct advanced {
    struct rig *rig;
    bool done;
    int64_t at;
};

static inline void advance_done(void *arg)
{
    struct advanced *d = arg;
    pthread_mutex_lock(&d->rig->lock);
    d->done = true;
    d->at = clock_now_ms(&d->rig->clock);
    pthread_cond_broadcast(&d->rig->changed);
    pthread_mutex_unlock(&d->rig->lock);
}

static inline void rig_advance_wait(struct advanced *d)
{
    pthread_mutex_lock(&d->rig->lock);
    while (!d->done)
        pthread_cond_wait(&d->rig->changed, &d->rig->lock);
    pthread_mutex_unlock(&d->rig->lock);
}

/* Returns when everything due within ms has run; 0 is a barrier. */
static inline void rig_advance(struct rig *r, int64_t ms)
{
    struct advanced d = {.rig = r};
    struct error err = {0};
    must(engine_advance_clock(r->engine, clock_now_ms(&r->clock) + ms, advance_done, &d, &err), &err, "advance");
    rig_advance_wait(&d);
}

/* --- a closed door in front of the writer ------------------------------------------------------------------ */

struct gate {
    struct write_task task;
    struct rig *rig;
};

static inline bool gate_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct rig *r = ((struct gate *)t)->rig;
    (void)db;
    (void)err;
    pthread_mutex_lock(&r->lock);
    r->gate_reached = true;
    pthread_cond_broadcast(&r->changed);
    while (!r->gate_open)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return true;
}

static inline void gate_done(struct write_task *t, const struct error *err)
{
    (void)t;
    (void)err;
}

/* The writer's thread stands still until gate_lift; g must live as long. */
static inline void gate_drop(struct rig *r, struct gate *g)
{
    struct error err = {0};
    *g = (struct gate){.task = {.apply = gate_apply, .done = gate_done}, .rig = r};
    pthread_mutex_lock(&r->lock);
    r->gate_open = r->gate_reached = false;
    pthread_mutex_unlock(&r->lock);
    must(writer_submit(r->writer, &g->task, &err), &err, "gate");
    pthread_mutex_lock(&r->lock);
    while (!r->gate_reached)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline void gate_lift(struct rig *r)
{
    pthread_mutex_lock(&r->lock);
    r->gate_open = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* Until n tasks wait behind the gate: their plans were made before it opened. */
static inline void gate_wait_depth(struct rig *r, int n)
{
    while (writer_depth(r->writer) < n)
        sched_yield();
}

/* Until the writer has taken all that waited: there is room again. */
static inline void gate_wait_room(struct rig *r)
{
    while (writer_depth(r->writer) > 0)
        sched_yield();
}

/* What is written behind the statements' back is noted here. */
static inline bool sql_apply(void *arg, struct db *db, struct error *err)
{
    people_note_all(db);
    return db_exec(db, arg, err);
}

static inline void rig_sql(struct rig *r, const char *sql)
{
    struct error err = {0};
    must(writer_run(r->writer, sql_apply, (void *)(uintptr_t)sql, &err), &err, sql);
}

#endif
