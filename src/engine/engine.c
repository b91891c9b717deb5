/* Starting, stopping and feeding the engine. */
#include "engine/engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>



enum { WORKERS_MAX = 8, ATTEMPTS = 8 };

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

struct engine *engine_start(const struct engine_config *c, struct error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!e)
        abort();
    e->c = *c;
    e->boot = id_new(c->ids, clock_real_ms());
    e->workers_n = c->workers ? c->workers : (int)(cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : cores);
    if (!e->c.attempts_max)
        e->c.attempts_max = ATTEMPTS;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    metrics_setup(e);
    if (!workers_start(e, err) || !timers_start(e, err)) {
        engine_stop(e, 0);
        return NULL;
    }
    return e;
}

void engine_stop(struct engine *e, int ms)
{
    if (!e)
        return;
    timers_stop(e);
    for (int waited = 0; atomic_load(&e->busy) > 0 && waited < ms; waited += 5) {
        struct timespec t = {.tv_nsec = 5000000};
        nanosleep(&t, NULL);
    }
    if (e->workers)
        workers_stop(e);
    flights_free(e);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->changed);
    free(e);
}

int64_t engine_busy(const struct engine *e)
{
    int64_t n = atomic_load(&e->busy);
    gauge_set(e->metrics.busy, n);
    return n;
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

bool engine_trigger(struct engine *e, struct trigger *t, struct error *err)
{
    if (!engine_accepting(e))
        return error_set(err, ERROR_OVERLOAD, "The server is overloaded, try again later");
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_TRIGGER;
    w->trigger = t;
    atomic_fetch_add(&e->busy, 1);
    work_push(e, w, trigger_key(t));
    return true;
}

/* --- recipients ------------------------------------------------------------------------------------------ */

/* Position of an id among those found so far: linear for few, so a table keeps big lists from being quadratic. */
struct seen {
    size_t *slot;
    size_t cap;
};

static size_t hash_of(struct str s)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 29);
}

static size_t *seen_slot(struct seen *t, const struct subscriber_patch *list, struct str id)
{
    size_t i = hash_of(id) & (t->cap - 1);
    while (t->slot[i] && !str_eq(list[t->slot[i] - 1].subscriber_id, id))
        i = (i + 1) & (t->cap - 1);
    return &t->slot[i];
}

static void recipient_add(struct arena *a, yyjson_val *v, struct subscriber_patch *list, size_t *n, struct seen *t)
{
    struct str messages[SUBSCRIBER_FIELDS];
    struct subscriber_patch p = {.subscriber_id = STR_NULL};
    if (yyjson_is_str(v))
        p.subscriber_id = str_trim(json_str(v));
    else if (yyjson_is_obj(v) && !json_get(v, "topicKey"))
        subscriber_patch_read(a, v, &p, messages);
    if (!subscriber_id_valid(p.subscriber_id))
        return;
    size_t *slot = seen_slot(t, list, p.subscriber_id);
    if (!*slot)
        *slot = ++*n;
    list[*slot - 1] = p;
}

size_t trigger_recipients(struct arena *a, yyjson_val *to, struct subscriber_patch **out)
{
    size_t n = 0, max = yyjson_is_arr(to) ? yyjson_arr_size(to) : 1;
    struct seen t = {.cap = 8};
    while (t.cap < max * 2)
        t.cap *= 2;
    t.slot = ARENA_ARRAY(a, size_t, t.cap);
    *out = ARENA_ARRAY(a, struct subscriber_patch, max);
    if (yyjson_is_arr(to)) {
        yyjson_val *v;
        yyjson_arr_iter it = yyjson_arr_iter_with(to);
        while ((v = yyjson_arr_iter_next(&it)))
            recipient_add(a, v, *out, &n, &t);
    } else {
        recipient_add(a, to, *out, &n, &t);
    }
    return n;
}
