/* The thread that watches the queue: starts what is due, and moves virtual time. */
#include "engine/engine_private.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { SCAN = 256, BACKLOG_MAX = 512, POLL_MS = 60000, SHARED_POLL_MS = 1000, RETRY_MS = 1000, FULL_POLL_MS = 20 };

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

void engine_due(struct engine *e, int64_t due_at)
{
    timers_due(e, due_at);
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

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool unreadable(const struct error *err)
{
    log_warn("queue not readable", "reason", err->message, NULL);
    return false;
}

/* Starts everything that is due now; *next is when the next thing after now is due. *full: deliveries are due, but too many
 * are under way. false: the store cannot be read. */
static bool scan(struct engine *e, int64_t *next, bool *full)
{
    int64_t delivery, webhook;
    bool shared = db_kind_of(e->timer_db) == DB_POSTGRES;
    struct queue_item items[SCAN];
    int64_t now = clock_now_ms(e->c.clock), after_due = INT64_MIN;
    struct id after_id = {{0}};
    struct error err = {0};
    size_t n;
    *next = INT64_MAX;
    do {
        /* A backlog after downtime is taken in order and in bounded bites. */
        while (atomic_load(&e->busy) - atomic_load(&e->deliveries) - atomic_load(&e->webhooks) > BACKLOG_MAX && !e->stop) {
            struct timespec t = {.tv_nsec = 2000000};
            nanosleep(&t, NULL);
            work_unpark(e, false);
        }
        if (!(shared ? claims_queue(e, now, items, SCAN, &n, &err)
                     : queue_due(e->timer_db, now, after_due, after_id, items, SCAN, &n, &err)))
            return unreadable(&err);
        for (size_t i = 0; i < n; i++)
            start_item(e, &items[i], now);
        if (n) {
            after_due = items[n - 1].due_at;
            after_id = items[n - 1].id;
        }
    } while (n == SCAN && !e->stop);
    housekeeping_due(e, now);
    if (!queue_next_due(e->timer_db, now, next, &err) || !claims_scan(e, &delivery, full, &err)
        || !webhooks_scan(e, &webhook, &err))
        return unreadable(&err);
    *next = earlier(*next, earlier(delivery, webhook));
    return true;
}

/* Under the lock: until that moment of the monotonic clock at most. */
static void wait_on(struct engine *e, pthread_cond_t *cond, int64_t until_ns)
{
    struct timespec t = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_cond_timedwait(cond, &e->lock, &t);
}

static int64_t after_ms(int64_t ms)
{
    return clock_mono_ns() + ms * 1000000;
}

/* What is parked counts as busy: it is given back here while we wait. */
static void wait_idle(struct engine *e)
{
    for (;;) {
        work_unpark(e, false);
        pthread_mutex_lock(&e->lock);
        bool idle = atomic_load(&e->busy) == 0 || e->stop;
        if (!idle)
            wait_on(e, &e->idle, earlier(work_parked_until(e), after_ms(POLL_MS)));
        pthread_mutex_unlock(&e->lock);
        if (idle)
            return;
    }
}

static void wait_readable(struct engine *e)
{
    int64_t until = after_ms(RETRY_MS);
    pthread_mutex_lock(&e->lock);
    while (!e->stop && clock_mono_ns() < until)
        wait_on(e, &e->changed, until);
    pthread_mutex_unlock(&e->lock);
}

/* Due times are visited one by one: at each, everything that follows from it is finished before time goes on. */
static void advance_run(struct engine *e, struct advance *a)
{
    int64_t next, again;
    bool full, full_again;
    while (!e->stop) {
        wait_idle(e);
        if (!scan(e, &next, &full)) {
            wait_readable(e);           /* time must not pass over what cannot be read */
            continue;
        }
        wait_idle(e);
        if (!scan(e, &again, &full_again) || full || full_again || again != next || atomic_load(&e->busy) > 0)
            continue;                   /* what ran left new work, perhaps due at once */
        if (next > a->to) {
            clock_set(e->c.clock, a->to);
            housekeeping_due(e, a->to);
            wait_idle(e);
            break;
        }
        clock_set(e->c.clock, next);
    }
    a->done(a->arg);
    free(a);
}

/* Under the lock: when to look at the queue again, if nothing happens until then. */
static int64_t look_again(struct engine *e, int64_t poll)
{
    int64_t until = earlier(work_parked_until(e), poll), left = e->next_due - clock_now_ms(e->c.clock);
    if (!e->c.clock->is_virtual && left < POLL_MS)
        until = earlier(until, after_ms(left));
    return until;
}

/* Starts what is due and sleeps until the next of it, or until something is announced. */
static void watch(struct engine *e)
{
    int64_t next, until;
    pthread_mutex_lock(&e->lock);
    e->next_due = INT64_MAX;
    pthread_mutex_unlock(&e->lock);
    bool full = false, readable = scan(e, &next, &full);
    work_unpark(e, false);
    /* Other nodes leave work behind, too. */
    int64_t poll = after_ms(!readable ? RETRY_MS : full ? FULL_POLL_MS : db_kind_of(e->timer_db) == DB_POSTGRES ? SHARED_POLL_MS : POLL_MS);
    pthread_mutex_lock(&e->lock);
    if (readable && next < e->next_due)
        e->next_due = next;
    while (!e->stop && !e->advances && e->next_due > clock_now_ms(e->c.clock) && (until = look_again(e, poll)) > clock_mono_ns())
        wait_on(e, &e->changed, until);
    pthread_mutex_unlock(&e->lock);
}

static struct advance *advance_take(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct advance *a = e->advances;
    if (a)
        e->advances = a->next;
    pthread_mutex_unlock(&e->lock);
    return a;
}

static void *timers_main(void *arg)
{
    struct engine *e = arg;
    pthread_setname_np(pthread_self(), "timers");
    struct advance *a;
    while (!e->stop) {
        if ((a = advance_take(e)))
            advance_run(e, a);
        else
            watch(e);
    }
    while ((a = advance_take(e))) {
        a->done(a->arg);
        free(a);
    }
    return NULL;
}

bool timers_start(struct engine *e, struct error *err)
{
    e->next_due = INT64_MAX;
    e->timer_db = db_open(e->c.database_url, true, err);
    if (!e->timer_db)
        return false;
    if (pthread_create(&e->timer_thread, NULL, timers_main, e)) {
        db_close(e->timer_db);
        e->timer_db = NULL;             /* there is no thread to join */
        return error_set(err, ERROR_IO, "Cannot start the timer thread");
    }
    return true;
}

void timers_stop(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->stop = true;                     /* of a start that failed, too: what runs already must not take more */
    pthread_cond_broadcast(&e->changed);
    pthread_cond_broadcast(&e->idle);
    pthread_mutex_unlock(&e->lock);
    if (!e->timer_db)
        return;
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
    bool stopping = e->stop;
    for (last = &e->advances; *last; last = &(*last)->next) {}
    if (!stopping)
        *last = a;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (stopping) {
        free(a);
        return error_set(err, ERROR_OVERLOAD, "The server is stopping");
    }
    return true;
}
