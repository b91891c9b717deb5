/* The thread that writes: takes all tasks that wait, commits them together, then tells each. */
#include "db/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/batch.h"

/* Pages of 4 KiB. The log is copied into the file each 4 MiB, and starts anew from 32 MiB on: that much is read
 * again at a start after a crash. */
enum { QUEUE_MAX = 65536, BATCH_MAX = 4096, WAL_COPY_PAGES = 1024, WAL_RESTART_PAGES = 8192, PROBE_SECONDS = 1 };

/* Where commits begin to wait for the thread that copies the log: a disk that is slower than they are must not fill. */
enum { WAL_PATIENT_PAGES = WAL_RESTART_PAGES * 3 / 2, WAL_PATIENCE_MS = 5000 };

struct writer_metrics {
    struct histogram *batch_size, *commit_seconds;
    struct counter *commits, *depth, *rows;
};

struct writer {
    pthread_t thread;
    struct db *db;
    struct checkpointer *checkpointer;
    struct metrics *metrics;
    struct writer_metrics m;
    int queue_max, batch_max;

    pthread_mutex_t lock;           /* of what follows until depth, and of changing that */
    pthread_cond_t wake;
    struct write_task *head, **tail;
    bool idle;                      /* the thread waits for wake */
    bool stopping;

    _Atomic int depth;              /* tasks that are in no batch yet */
    _Atomic bool healthy;
    _Atomic int64_t rows;

    /* The thread's own. */
    struct write_task *taken;       /* taken from the queue, not in a batch yet */
    struct batch batch;
    int wal_copied;                 /* length of the log when its copy was last asked for */
    int wal_restart;                /* length from which on to start it anew */
};

static void metrics_open(struct writer *w)
{
    static const double sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
    static const double seconds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};
    if (!w->metrics)
        return;
    w->m.batch_size = metrics_histogram(w->metrics, "carillon_commit_batch_size", "Writes that shared a commit", NULL,
                                        sizes, sizeof sizes / sizeof *sizes);
    w->m.commit_seconds = metrics_histogram(w->metrics, "carillon_commit_seconds", "Time of a commit until it is on disk", NULL,
                                            seconds, sizeof seconds / sizeof *seconds);
    w->m.commits = metrics_counter(w->metrics, "carillon_commits_total", "Commits", NULL);
    w->m.rows = metrics_counter(w->metrics, "carillon_rows_written_total", "Rows inserted, updated or deleted", NULL);
    w->m.depth = metrics_gauge(w->metrics, "carillon_write_queue_depth", "Writes that wait for a commit", NULL);
}

/* With the lock held. */
static void depth_add(struct writer *w, int n)
{
    int depth = atomic_fetch_add(&w->depth, n) + n;
    if (w->metrics)
        gauge_set(w->m.depth, depth);
}

static void wait_for_work(struct writer *w)
{
    struct timespec until;
    w->idle = true;
    if (atomic_load(&w->healthy)) {
        pthread_cond_wait(&w->wake, &w->lock);
    } else {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PROBE_SECONDS;
        pthread_cond_timedwait(&w->wake, &w->lock, &until);
    }
    w->idle = false;
}

enum next { WORK, PROBE, STOP };

/* Waits until there is something to do. While the store is unhealthy each second without tasks is for a probe:
 * with its health check at 503 a server is sent no requests that could find out. */
static enum next wait_next(struct writer *w)
{
    enum next next = WORK;
    if (w->taken)
        return WORK;
    pthread_mutex_lock(&w->lock);
    while (!w->head && !w->stopping && next == WORK) {
        wait_for_work(w);
        if (!w->head && !w->stopping && !atomic_load(&w->healthy))
            next = PROBE;
    }
    if (w->head) {
        next = WORK;
        w->taken = w->head;
        w->head = NULL;
        w->tail = &w->head;
    } else if (w->stopping) {
        next = STOP;
    }
    pthread_mutex_unlock(&w->lock);
    return next;
}

static void cut_batch(struct writer *w)
{
    struct write_task **end = &w->taken;
    int n = 0;
    for (; *end && n < w->batch_max; n++)
        end = &(*end)->next;
    w->batch.first = w->taken;
    w->batch.n = n;
    w->taken = *end;
    *end = NULL;
    pthread_mutex_lock(&w->lock);       /* for the gauge: the last one to count is the last one to set it */
    depth_add(w, -n);
    pthread_mutex_unlock(&w->lock);
}

static void set_health(struct writer *w, bool healthy, const char *why)
{
    if (atomic_exchange(&w->healthy, healthy) == healthy)
        return;
    if (healthy)
        log_info("store_writable_again", NULL);
    else
        log_error("store_not_writable", "error", why, NULL);
}

static void count_commit(struct writer *w)
{
    const struct batch *b = &w->batch;
    atomic_fetch_add(&w->rows, b->rows);
    if (!w->metrics)
        return;
    histogram_observe(w->m.batch_size, b->n);
    histogram_observe(w->m.commit_seconds, (double)b->commit_ns / 1e9);
    counter_add(w->m.commits, 1);
    counter_add(w->m.rows, b->rows);
}

static void tell_tasks(struct batch *b)
{
    int i = 0;
    for (struct write_task *t = b->first, *next; t; t = next, i++) {
        next = t->next;                 /* done may free the task */
        if (b->failed && b->failed[i])
            t->done(t, b->failed[i]);
        else
            t->done(t, b->committed ? NULL : &b->error);
    }
}

/* SQLite's log, between commits. Long readers (a backup) may hold it: each try costs a moment, so the next one
 * comes after some growth. */
static void wal_tend(struct writer *w)
{
    int pages = db_wal_pages(w->db);
    if (pages < w->wal_copied) {        /* it has started anew */
        w->wal_copied = 0;
        w->wal_restart = WAL_RESTART_PAGES;
    }
    if (pages >= w->wal_restart) {
        if (db_wal_restart(w->db, pages < WAL_PATIENT_PAGES ? 0 : WAL_PATIENCE_MS) != WAL_BEING_COPIED)
            w->wal_restart = pages + pages / 16;
    } else if (pages - w->wal_copied >= WAL_COPY_PAGES) {
        w->wal_copied = pages;
        checkpointer_poke(w->checkpointer);
    }
}

static void run_batch(struct writer *w)
{
    struct batch *b = &w->batch;
    cut_batch(w);
    batch_run(b);
    if (b->committed) {
        count_commit(w);
        set_health(w, true, NULL);
    } else if (b->unhealthy) {
        set_health(w, false, b->error.message);
    }
    tell_tasks(b);
    wal_tend(w);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    enum next next;
    while ((next = wait_next(w)) != STOP) {
        if (next == WORK)
            run_batch(w);
        else if (db_probe(w->db, NULL))
            set_health(w, true, NULL);
    }
    return NULL;
}

static void writer_free(struct writer *w)
{
    checkpointer_stop(w->checkpointer);
    db_close(w->db);
    arena_destroy(w->batch.arena);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    free(w);
}

static bool open_store(struct writer *w, const char *url, struct error *err)
{
    w->db = db_open(url, false, err);
    if (!w->db)
        return false;
    if (db_kind_of(w->db) != DB_SQLITE)
        return true;
    db_wal_manual(w->db);
    return checkpointer_start(url, &w->checkpointer, err);
}

struct writer *writer_start(const struct writer_config *c, struct error *err)
{
    struct writer *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    if (!w)
        abort();
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    w->queue_max = c->queue_max ? c->queue_max : QUEUE_MAX;
    w->batch_max = c->batch_max ? c->batch_max : BATCH_MAX;
    w->metrics = c->metrics;
    w->tail = &w->head;
    w->wal_restart = WAL_RESTART_PAGES;
    w->batch.arena = arena_create(0);
    atomic_store(&w->healthy, true);
    metrics_open(w);
    if (!open_store(w, c->url, err)) {
        writer_free(w);
        return NULL;
    }
    w->batch.db = w->db;
    int e = pthread_create(&w->thread, NULL, writer_main, w);
    if (e) {
        error_set(err, ERROR_INTERNAL, "Cannot start a thread: %s.", strerror(e));
        writer_free(w);
        return NULL;
    }
    return w;
}

bool writer_submit(struct writer *w, struct write_task *t, struct error *err)
{
    t->next = NULL;
    pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping, full = atomic_load(&w->depth) >= w->queue_max;
    bool wake = !stopping && !full && w->idle;
    if (!stopping && !full) {
        depth_add(w, 1);
        *w->tail = t;
        w->tail = &t->next;
        if (wake)
            w->idle = false;            /* one signal is enough */
    }
    pthread_mutex_unlock(&w->lock);
    if (wake)
        pthread_cond_signal(&w->wake);
    if (stopping)
        return error_set(err, ERROR_OVERLOAD, "The server is stopping.");
    if (full)
        return error_set(err, ERROR_OVERLOAD, "Too many writes are waiting; try again later.");
    return true;
}

struct waiting_task {
    struct write_task task;
    bool (*apply)(void *arg, struct db *db, struct error *err);
    void *arg;
    struct error error;
    bool finished, ok;
    pthread_mutex_t lock;
    pthread_cond_t over;
};

static bool waiting_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct waiting_task *wt = (struct waiting_task *)t;
    return wt->apply(wt->arg, db, err);
}

static void waiting_done(struct write_task *t, const struct error *err)
{
    struct waiting_task *wt = (struct waiting_task *)t;
    pthread_mutex_lock(&wt->lock);
    wt->ok = !err;
    if (err)
        wt->error = *err;
    wt->finished = true;
    pthread_cond_signal(&wt->over);     /* under the lock: the waiter's stack frame ends after it */
    pthread_mutex_unlock(&wt->lock);
}

bool writer_run(struct writer *w, bool (*apply)(void *arg, struct db *db, struct error *err), void *arg, struct error *err)
{
    struct waiting_task wt = {.task = {.apply = waiting_apply, .done = waiting_done}, .apply = apply, .arg = arg};
    if (pthread_equal(pthread_self(), w->thread))
        return error_set(err, ERROR_INTERNAL, "The writer's thread cannot wait for itself.");
    pthread_mutex_init(&wt.lock, NULL);
    pthread_cond_init(&wt.over, NULL);
    bool submitted = writer_submit(w, &wt.task, err);
    pthread_mutex_lock(&wt.lock);
    while (submitted && !wt.finished)
        pthread_cond_wait(&wt.over, &wt.lock);
    pthread_mutex_unlock(&wt.lock);
    pthread_mutex_destroy(&wt.lock);
    pthread_cond_destroy(&wt.over);
    if (submitted && !wt.ok && err)
        *err = wt.error;
    return submitted && wt.ok;
}

int writer_depth(const struct writer *w)
{
    return atomic_load(&w->depth);
}

bool writer_healthy(const struct writer *w)
{
    return atomic_load(&w->healthy);
}

int64_t writer_rows_written(const struct writer *w)
{
    return atomic_load(&w->rows);
}

void writer_stop(struct writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    writer_free(w);
}
