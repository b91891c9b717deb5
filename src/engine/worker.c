/* Worker threads: each takes its items in order and plans them; what cannot be done for now is parked. */
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/log.h"

static void lane_add(struct lane *l, struct work *w)
{
    w->next = NULL;
    *l->last = w;
    l->last = &w->next;
}

static struct work *lane_take(struct lane *l)
{
    struct work *w = l->first;
    if (!w)
        return NULL;
    l->first = w->next;
    if (!l->first)
        l->last = &l->first;
    return w;
}

static bool is_chunk(const struct work *w)
{
    return w->kind == WORK_DUE && w->item.kind == QUEUE_EVENT;
}

/* Under the lock, something waits: see "Fairness" in engine.h. */
static struct work *fair_take(struct worker *w)
{
    bool chunk = w->chunks.first && (!w->lane.first || w->in_a_row >= FAIR_SHARE);
    w->in_a_row = chunk || !w->chunks.first ? 0 : w->in_a_row + 1;
    return lane_take(chunk ? &w->chunks : &w->lane);
}

/* Waits until there is something to do, and takes as much of it as is done in one turn; NULL: the worker ends. */
static struct work *turn_take(struct worker *w)
{
    struct lane turn = {.first = NULL, .last = &turn.first};
    pthread_mutex_lock(&w->lock);
    while (!w->lane.first && !w->chunks.first && !w->stop)
        pthread_cond_wait(&w->wake, &w->lock);
    for (int i = 0; i < TURN && (w->lane.first || w->chunks.first); i++) {
        struct work *work = fair_take(w);
        lane_add(&turn, work);
        atomic_fetch_sub_explicit(&w->depth, 1, memory_order_relaxed);
        if (is_chunk(work))
            break;
    }
    pthread_mutex_unlock(&w->lock);
    return turn.first;
}

static void work_do(struct worker *w, struct work *work)
{
    switch (work->kind) {
    case WORK_TRIGGER: plan_trigger(w, work); break;
    case WORK_DUE: plan_due(w, work); break;
    case WORK_DELIVERED:
    case WORK_REDRIVE: plan_delivered(w, work); break;
    case WORK_CANCEL: plan_cancel(w, work); break;
    case WORK_HEARD: plan_heard(w, work); break;
    }
}

/* What is planned in one turn sees one state of the store, no older than the moment at which the last of it was handed in.
 * SQLite then keeps the pages that it has read from one statement to the next, and takes its locks once; PostgreSQL keeps
 * them anyway, and a failed statement would spoil the transaction for those behind it. */
uint64_t worker_view(struct worker *w)
{
    struct error err = {0};
    struct people *people = w->engine->people;
    uint64_t now = people ? people_mark(people) : 0;
    if (w->may_view && !w->views) {
        w->mark = now;
        w->views = db_begin(w->db, false, &err);
    }
    return w->views ? w->mark : now;
}

/* Most triggers are planned without a look at the store: they open the view when they need it. */
static void item_do(struct worker *w, struct work *work, bool more)
{
    bool looks = work->kind != WORK_CANCEL && (w->views || more || is_chunk(work));
    w->may_view = looks && db_kind_of(w->db) == DB_SQLITE;
    if (w->may_view && work->kind != WORK_TRIGGER)
        worker_view(w);
    work_do(w, work);
}

static void turn_end(struct worker *w)
{
    if (w->views)
        db_rollback(w->db);
    w->views = false;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct work *work;
    pthread_setname_np(pthread_self(), "worker");
    while ((work = turn_take(w))) {
        for (struct work *next; work; work = next) {
            next = work->next;          /* the work may be over, or wait elsewhere, when it has been planned */
            item_do(w, work, next != NULL);
        }
        turn_end(w);
    }
    return NULL;
}

/* One subscriber's triggers and one run's advances always meet the same worker. */
static struct worker *worker_for(struct engine *e, struct id key)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof key.b; i++)
        h = (h ^ key.b[i]) * 16777619u;
    return &e->workers[h % (uint32_t)e->workers_n];
}

void work_push(struct engine *e, struct work *work, struct id key)
{
    struct worker *w = worker_for(e, key);
    pthread_mutex_lock(&w->lock);
    bool idle = !w->lane.first && !w->chunks.first;
    lane_add(is_chunk(work) ? &w->chunks : &w->lane, work);
    atomic_fetch_add_explicit(&w->depth, 1, memory_order_relaxed);
    if (idle)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Under the lock: whoever waits for the last item may free the engine as soon as it has the lock. */
void work_done(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    if (atomic_fetch_sub(&e->busy, 1) - 1 <= e->out)
        pthread_cond_broadcast(&e->idle);
    pthread_mutex_unlock(&e->lock);
}

void work_end(struct engine *e, struct work *w)
{
    bool of_queue = w->kind != WORK_TRIGGER && w->kind != WORK_CANCEL && w->kind != WORK_HEARD;
    if (of_queue && w->item.kind == QUEUE_DELIVERY)
        atomic_fetch_sub(&e->deliveries, 1);
    else if (of_queue)
        flight_end(e, w->item.id);
    if (of_queue && w->item.kind == QUEUE_WEBHOOK)
        webhook_over(e, w->item.ref);
    relay_leave(e, w);
    arena_destroy(w->arena);
    free(w);
    work_done(e);
}

enum { PARK_MS = 1000, PARKS_SLOWER = 6 };      /* 1 s, 2 s, … 64 s, … */

void work_park(struct engine *e, struct work *w, const struct error *why)
{
    int64_t ms = (int64_t)PARK_MS << (w->parks < PARKS_SLOWER ? w->parks : PARKS_SLOWER);
    if (why)
        log_warn("work postponed", "reason", why->message, NULL);
    w->parks++;
    w->replans = 0;
    w->again_ns = clock_mono_ns() + ms * 1000000;
    pthread_mutex_lock(&e->lock);
    bool stopping = atomic_load(&e->stop);
    if (!stopping) {
        w->next = e->parked;
        e->parked = w;
        pthread_cond_broadcast(&e->changed);
        pthread_cond_broadcast(&e->idle);
    }
    pthread_mutex_unlock(&e->lock);
    if (stopping)
        work_end(e, w);
}

int64_t work_parked_until(const struct engine *e)
{
    int64_t next = INT64_MAX;
    for (const struct work *w = e->parked; w; w = w->next)
        next = w->again_ns < next ? w->again_ns : next;
    return next;
}

void work_unpark(struct engine *e, bool all)
{
    int64_t now = clock_mono_ns();
    struct work *ready = NULL;
    pthread_mutex_lock(&e->lock);
    for (struct work **p = &e->parked, *w; (w = *p);) {
        if (all || w->again_ns <= now) {
            *p = w->next;
            w->next = ready;
            ready = w;
        } else {
            p = &w->next;
        }
    }
    pthread_mutex_unlock(&e->lock);
    for (struct work *w = ready, *after; w; w = after) {
        after = w->next;
        if (all)
            work_end(e, w);
        else
            work_push(e, w, w->item.ref);
    }
}

bool workers_start(struct engine *e, struct error *err)
{
    e->workers = calloc((size_t)e->workers_n, sizeof *e->workers);
    if (!e->workers)
        abort();
    for (int i = 0; i < e->workers_n; i++) {
        struct worker *w = &e->workers[i];
        w->engine = e;
        w->lane.last = &w->lane.first;
        w->chunks.last = &w->chunks.first;
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        w->db = db_open(e->c.database_url, true, err);
        if (!w->db)
            return false;
        if (pthread_create(&w->thread, NULL, worker_main, w)) {
            db_close(w->db);
            w->db = NULL;
            return error_set(err, ERROR_IO, "Cannot start a worker thread");
        }
    }
    return true;
}

void workers_stop(struct engine *e)
{
    for (int i = 0; i < e->workers_n && e->workers[i].db; i++) {
        struct worker *w = &e->workers[i];
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        db_close(w->db);
        pthread_mutex_destroy(&w->lock);
        pthread_cond_destroy(&w->wake);
    }
    free(e->workers);
    e->workers = NULL;
}
