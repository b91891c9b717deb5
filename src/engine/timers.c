/* The thread that watches the queue: starts what is due, and moves virtual time. */
#include "engine/engine_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { SCAN = 256, BACKLOG_MAX = 2048, POLL_MS = 60000, SHARED_POLL_MS = 1000 };

struct advance {
    int64_t to;
    void (*done)(void *arg);
    void *arg;
    struct advance *next;
};

void timers_due(struct engine *e, int64_t due_at)
{
    pthread_mutex_lock(&e->lock);
    if (due_at < e->next_due) {
        e->next_due = due_at;
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
}

void timers_rescan(struct engine *e, int64_t after_ms)
{
    timers_due(e, clock_now_ms(e->c.clock) + after_ms);
}

static void start_item(struct engine *e, const struct queue_item *q, int64_t now)
{
    if (!flight_begin(e, q->id))
        return;
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DUE;
    w->item = *q;
    histogram_observe(e->metrics.lateness, (double)(now - q->due_at) / 1000.0);
    atomic_fetch_add(&e->busy, 1);
    work_push(e, w, q->ref);
}

/* Starts everything that is due now. Returns when the next thing after now is due. */
static int64_t scan(struct engine *e)
{
    struct queue_item items[SCAN];
    int64_t now = clock_now_ms(e->c.clock), after_due = INT64_MIN, next = INT64_MAX;
    struct id after_id = {{0}};
    struct error err = {0};
    size_t n;
    do {
        /* A backlog after downtime is taken in order and in bounded bites. */
        while (atomic_load(&e->busy) > BACKLOG_MAX && !e->stop) {
            struct timespec t = {.tv_nsec = 2000000};
            nanosleep(&t, NULL);
        }
        if (!queue_due(e->timer_db, now, after_due, after_id, items, SCAN, &n, &err))
            return now + 1000;
        for (size_t i = 0; i < n; i++)
            start_item(e, &items[i], now);
        if (n) {
            after_due = items[n - 1].due_at;
            after_id = items[n - 1].id;
        }
    } while (n == SCAN && !e->stop);
    if (!queue_next_due(e->timer_db, now, &next, &err))
        return now + 1000;
    return next;
}

static void wait_until(struct engine *e, int64_t due)
{
    int64_t now = clock_now_ms(e->c.clock);
    int64_t ms = e->c.clock->is_virtual ? POLL_MS : due - now;
    struct timespec t;
    if (ms > POLL_MS)
        ms = POLL_MS;
    if (db_kind_of(e->timer_db) == DB_POSTGRES && ms > SHARED_POLL_MS)
        ms = SHARED_POLL_MS;            /* other nodes leave work behind, too */
    if (ms <= 0)
        return;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&e->changed, &e->lock, &t);
}

static void wait_idle(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (atomic_load(&e->busy) > 0 && !e->stop)
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

/* Due times are visited one by one: at each, everything that follows from it is finished before time goes on. */
static void advance_run(struct engine *e, struct advance *a)
{
    for (;;) {
        wait_idle(e);
        int64_t next = scan(e);
        wait_idle(e);
        if (scan(e) != next || atomic_load(&e->busy) > 0)
            continue;                   /* what ran left new work, perhaps due at once */
        if (e->stop || next > a->to)
            break;
        clock_set(e->c.clock, next);
    }
    clock_set(e->c.clock, a->to);
    a->done(a->arg);
    free(a);
}

static void *timers_main(void *arg)
{
    struct engine *e = arg;
    pthread_mutex_lock(&e->lock);
    while (!e->stop) {
        struct advance *a = e->advances;
        if (a) {
            e->advances = a->next;
            pthread_mutex_unlock(&e->lock);
            advance_run(e, a);
            pthread_mutex_lock(&e->lock);
            continue;
        }
        e->next_due = INT64_MAX;
        pthread_mutex_unlock(&e->lock);
        int64_t next = scan(e);
        pthread_mutex_lock(&e->lock);
        if (next < e->next_due)
            e->next_due = next;
        if (!e->stop && !e->advances && e->next_due > clock_now_ms(e->c.clock))
            wait_until(e, e->next_due);
    }
    for (struct advance *a = e->advances, *next; a; a = next) {
        next = a->next;
        a->done(a->arg);
        free(a);
    }
    e->advances = NULL;
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

bool timers_start(struct engine *e, struct error *err)
{
    e->next_due = INT64_MAX;
    e->timer_db = db_open(e->c.database_url, true, err);
    if (!e->timer_db)
        return false;
    if (pthread_create(&e->timer_thread, NULL, timers_main, e))
        return error_set(err, ERROR_IO, "Cannot start the timer thread");
    return true;
}

void timers_stop(struct engine *e)
{
    if (!e->timer_db)
        return;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->timer_thread, NULL);
    db_close(e->timer_db);
    e->timer_db = NULL;
}

bool engine_advance_clock(struct engine *e, int64_t to, void (*done)(void *arg), void *arg, struct error *err)
{
    if (!e->c.clock->is_virtual)
        return error_set(err, ERROR_NOT_FOUND, "The clock is real");
    if (to < clock_now_ms(e->c.clock)) {
        error_set(err, ERROR_BAD_INPUT, "The clock cannot go backwards");
        return error_field(err, "now");
    }
    struct advance *a = calloc(1, sizeof *a), **last;
    if (!a)
        abort();
    *a = (struct advance){.to = to, .done = done, .arg = arg};
    pthread_mutex_lock(&e->lock);
    for (last = &e->advances; *last; last = &(*last)->next) {}
    *last = a;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    return true;
}
