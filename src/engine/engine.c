/* Starting, stopping and feeding the engine. */
#include "engine/engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 8 };
/* A plan of one recipient fits in one block; as many are kept as one commit may hold at the peak. */
enum { PLAN_ARENA = 32768, PLAN_ARENAS_MAX = 256 };

static void metrics_setup(struct engine *e)
{
    static const double lateness[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300, 3600};
    struct metrics *m = e->c.metrics;
    e->metrics.triggers = metrics_counter(m, "carillon_triggers_accepted_total", "Triggers accepted and on disk.", NULL);
    e->metrics.runs = metrics_counter(m, "carillon_runs_total", "Workflow runs started.", NULL);
    e->metrics.attempts = metrics_counter(m, "carillon_delivery_attempts_total", "Attempts to hand a message to a provider.", NULL);
    e->metrics.busy = metrics_gauge(m, "carillon_engine_busy", "Triggers and due items taken but not finished.", NULL);
    for (int c = 0; c < CHANNELS; c++) {
        char labels[64];
        snprintf(labels, sizeof labels, "channel=\"%s\"", channel_name((enum channel)c).p);
        e->metrics.messages[c] = metrics_counter(m, "carillon_messages_created_total", "Messages stored, by channel.", labels);
    }
    e->metrics.lateness = metrics_histogram(m, "carillon_due_lateness_seconds", "How late due items were started.", NULL,
                                            lateness, sizeof lateness / sizeof *lateness);
}

/* Another process has left work that it has no room for. */
static void heard_due(void *arg, struct str payload)
{
    (void)payload;
    engine_deliveries_changed(arg);
}

/* What a crash left behind. */
static bool attachments_sweep(struct engine *e, struct error *err)
{
    struct db *db = db_open(e->c.database_url, true, err);
    bool ok = db && attachment_store_sweep(e->attachments, db, err);
    db_close(db);
    return ok;
}

static bool people_take(void *arg, struct db *db, struct error *err)
{
    struct engine *e = arg;
    (void)err;
    if (!e->people)                     /* this may run twice */
        e->people = people_of(db);
    return true;
}

struct engine *engine_start(const struct engine_config *c, struct error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!e)
        abort();
    e->c = *c;
    e->boot = id_is_zero(c->boot) ? id_new(c->ids, clock_real_ms()) : c->boot;
    e->workers_n = c->workers ? c->workers : (int)(cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : cores);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);      /* the wall clock may be set back an hour */
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, &attr);
    pthread_cond_init(&e->idle, &attr);
    pthread_condattr_destroy(&attr);
    metrics_setup(e);
    e->plan_arenas = arena_pool_create(PLAN_ARENA, PLAN_ARENAS_MAX);
    e->circuits = circuits_create(e->c.metrics);
    webhooks_start(e);
    writer_run(c->writer, people_take, e, &(struct error){0});      /* a writer that cannot write yet is no hindrance */
    e->attachments = attachment_store_open(c->database_url, err);
    if (!e->attachments || !attachments_sweep(e, err) || !workers_start(e, err) || !claims_start(e, err)
        || !timers_start(e, err)) {
        engine_stop(e, 0);
        return NULL;
    }
    if (c->notify)
        notify_listen(c->notify, NOTIFY_DUE, heard_due, e);
    if (c->notify)
        notify_listen(c->notify, NOTIFY_RECEIVED, received_heard, e);
    return e;
}

void engine_free(struct engine *e)
{
    flights_free(e);
    webhooks_stop(e);
    circuits_destroy(e->circuits);
    attachment_store_close(e->attachments);
    arena_pool_destroy(e->plan_arenas);
    people_unref(e->people);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->changed);
    pthread_cond_destroy(&e->idle);
    free(e);
}

/* Deliveries get ms; plans in the workers and at the writer always end, and are waited for. What the world still has
 * then keeps its queue row, so the next start attempts it again; its results find `ended` and are dropped. */
static void drain(struct engine *e, int ms)
{
    int64_t until = clock_mono_ns() + (int64_t)ms * 1000000;
    struct timespec t = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    pthread_mutex_lock(&e->lock);
    while (atomic_load(&e->busy) > 0 && pthread_cond_timedwait(&e->idle, &e->lock, &t) != ETIMEDOUT) {}
    e->no_attempts = true;
    while (atomic_load(&e->busy) > e->out)
        pthread_cond_wait(&e->idle, &e->lock);
    e->ended = true;
    pthread_mutex_unlock(&e->lock);
}

void engine_stop(struct engine *e, int ms)
{
    if (!e)
        return;
    timers_stop(e);
    work_unpark(e, true);
    drain(e, ms);
    claims_stop(e);
    if (e->workers)
        workers_stop(e);
    pthread_mutex_lock(&e->lock);
    e->left = true;
    bool last = e->out == 0;
    pthread_mutex_unlock(&e->lock);
    if (last)
        engine_free(e);
}

int64_t engine_busy(const struct engine *e)
{
    int64_t n = atomic_load(&e->busy);
    gauge_set(e->metrics.busy, n);
    return n;
}

struct id engine_node(const struct engine *e)
{
    return e->boot;
}

bool engine_accepting(const struct engine *e)
{
    if (atomic_load(&e->stop) || !writer_healthy(e->c.writer))
        return false;
    for (int i = 0; i < e->workers_n; i++)
        if (atomic_load_explicit(&e->workers[i].depth, memory_order_relaxed) > WORKER_QUEUE_MAX)
            return false;
    return true;
}

/* Triggers of one subscriber meet one worker: the key is the first recipient's id as text. */
static struct id trigger_key(const struct trigger *t)
{
    struct id key = {{0}};
    yyjson_val *to = yyjson_is_arr(t->to) ? yyjson_arr_get_first(t->to) : t->to;
    struct str s = yyjson_is_str(to) ? json_str(to) : json_get_str(to, "subscriberId");
    for (size_t i = 0; i < s.n; i++)
        key.b[i % sizeof key.b] = (uint8_t)(key.b[i % sizeof key.b] * 31 + (uint8_t)s.p[i]);
    return key;
}

/* Takes work from outside; false: it is not taken, nothing was kept. */
static bool accept_work(struct engine *e, const struct work *work, struct id key, struct error *err)
{
    if (!writer_healthy(e->c.writer))
        return error_set(err, ERROR_FULL, "The store cannot be written at the moment (a full disk, or a lost database): nothing was "
                                          "accepted, try again later");
    if (!engine_accepting(e))
        return error_set(err, ERROR_OVERLOAD, "The server is overloaded, try again later");
    struct work *w = malloc(sizeof *w);
    if (!w)
        abort();
    *w = *work;
    atomic_fetch_add(&e->busy, 1);
    if (atomic_load(&e->stop)) {        /* it began to stop meanwhile: seen here, or busy is seen there */
        free(w);
        work_done(e);
        return error_set(err, ERROR_OVERLOAD, "The server is stopping");
    }
    work_push(e, w, key);
    return true;
}

bool engine_trigger(struct engine *e, struct trigger *t, struct error *err)
{
    return accept_work(e, &(struct work){.kind = WORK_TRIGGER, .trigger = t}, trigger_key(t), err);
}

bool engine_cancel(struct engine *e, struct cancellation *c, struct error *err)
{
    c->stopped = false;
    return accept_work(e, &(struct work){.kind = WORK_CANCEL, .cancellation = c}, c->environment, err);
}
