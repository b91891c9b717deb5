/* The thread that writes: takes all tasks that wait, commits them together, then tells each. */
#include "db/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/batch.h"

enum {
    QUEUE_MAX = 65536, BATCH_MAX = 4096, PROBE_SECONDS = 1,
    SYNCING_MIN = 40,                   /* tasks that are worth a commit while another is on its way to the disk */
};

/* Pages of 4 KiB. The log is copied into the file each 16 MiB, each page once, however often it was written; and it starts anew
 * from 64 MiB on: that much is read again at a start after a crash. For that a commit must wait, until the rest of the log is
 * copied: so it is done when little is left, or when the log has grown by half, since a disk that is slower than commits must
 * not fill. */
enum {
    WAL_COPY_PAGES = 4096, WAL_RESTART_PAGES = 16384, WAL_TAIL_PAGES = 512, WAL_PATIENT_PAGES = WAL_RESTART_PAGES * 3 / 2,
    WAL_PATIENCE_MS = 5000,
};

struct writer_metrics {
    struct histogram *batch_size, *commit_seconds;
    struct counter *commits, *depth, *rows;
};

struct writer {
    pthread_t thread;
    struct db *db;
    struct checkpointer *checkpointer;
    struct log_sync *log_sync;      /* NULL under PostgreSQL */
    struct metrics *metrics;
    struct writer_metrics m;
    int queue_max, batch_max;

    pthread_mutex_t lock;           /* of what follows until depth, and of changing that */
    pthread_cond_t wake;
    struct write_task *head, **tail;
    bool idle;                      /* the thread waits for wake */
    bool stopping;
    bool sync_over;                 /* of the batch that is syncing */
    struct error sync_error;

    _Atomic int depth;              /* tasks that are in no batch yet */
    _Atomic bool healthy;
    _Atomic int64_t rows;

    /* The thread's own. */
    struct write_task *taken;       /* taken from the queue, not in a batch yet */
    struct batch batches[2];
    struct batch *batch;            /* the one to be run next */
    struct batch *syncing;          /* committed, and on its way to the disk; or NULL */
    bool log_lost;                  /* a sync failed: nothing can be written until a restart */
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

enum next { NOTHING, SYNCED, WORK, PROBE, STOP };

/* With the lock held. While a batch is on its way to the disk the next one is not begun for a few tasks: commits cost. */
static enum next next_of(const struct writer *w)
{
    if (w->syncing && w->sync_over)
        return SYNCED;
    if (w->taken || (w->head && (!w->syncing || atomic_load(&w->depth) >= SYNCING_MIN)))
        return WORK;
    return w->stopping && !w->head && !w->syncing ? STOP : NOTHING;
}

/* Waits until there is something to do. While the store is unhealthy each second without tasks is for a probe:
 * with its health check at 503 a server is sent no requests that could find out. */
static enum next wait_next(struct writer *w)
{
    enum next next;
    pthread_mutex_lock(&w->lock);
    while ((next = next_of(w)) == NOTHING) {
        wait_for_work(w);
        if (!atomic_load(&w->healthy) && !w->syncing && next_of(w) == NOTHING) {
            next = PROBE;
            break;
        }
    }
    if (next == WORK && !w->taken) {
        w->taken = w->head;
        w->head = NULL;
        w->tail = &w->head;
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
    w->batch->first = w->taken;
    w->batch->n = n;
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

static void count_commit(struct writer *w, const struct batch *b)
{
    atomic_fetch_add(&w->rows, b->rows);
    if (!w->metrics)
        return;
    histogram_observe(w->m.batch_size, b->n);
    histogram_observe(w->m.commit_seconds, (double)(clock_mono_ns() - b->commit_began_ns) / 1e9);
    counter_add(w->m.commits, 1);
    counter_add(w->m.rows, b->rows);
}

static void tell_tasks(struct batch *b)
{
    int i = 0;
    for (struct write_task *t = b->first, *next; t; t = next, i++) {
        next = t->next;                 /* done may free the task */
        for (int line = 0; next && line < 4; line++)    /* it has left the caches since it was applied */
            __builtin_prefetch((const char *)next + 64 * line);
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
    if (w->log_lost)
        return;
    int pages = db_wal_pages(w->db), left = pages - checkpointer_copied(w->checkpointer);
    if (pages < w->wal_copied) {        /* it has started anew */
        w->wal_copied = 0;
        w->wal_restart = WAL_RESTART_PAGES;
    }
    bool due = pages >= w->wal_restart, patient = pages < WAL_PATIENT_PAGES;
    if (due && (!patient || (left <= WAL_TAIL_PAGES && !checkpointer_busy(w->checkpointer)))) {
        if (db_wal_restart(w->db, patient ? 0 : WAL_PATIENCE_MS) != WAL_BEING_COPIED)
            w->wal_restart = pages + pages / 16;
    } else if (due || pages - w->wal_copied >= WAL_COPY_PAGES) {
        w->wal_copied = pages;
        checkpointer_poke(w->checkpointer);
    }
}

static void batch_finish(struct writer *w, struct batch *b)
{
    if (b->committed) {
        count_commit(w, b);
        set_health(w, true, NULL);
    } else if (b->unhealthy) {
        set_health(w, false, b->error.message);
    }
    tell_tasks(b);
}

static void batch_refuse(struct batch *b, const struct error *why)
{
    b->committed = false;
    b->unhealthy = true;
    b->failed = NULL;
    b->error = *why;
}

/* On log_sync's thread. */
static void sync_over(void *arg, const struct error *err)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    w->sync_over = true;
    if (err)
        w->sync_error = *err;           /* stays: the log is lost */
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Waits for the batch that is on its way to the disk, if there is one, and tells its tasks. */
static void sync_settle(struct writer *w)
{
    struct batch *b = w->syncing;
    if (!b)
        return;
    pthread_mutex_lock(&w->lock);
    while (!w->sync_over)
        pthread_cond_wait(&w->wake, &w->lock);
    w->log_lost = w->sync_error.code != ERROR_NONE;
    pthread_mutex_unlock(&w->lock);
    w->syncing = NULL;
    if (w->log_lost) {
        db_log_abandon(w->db);
        batch_refuse(b, &w->sync_error);
    }
    batch_finish(w, b);
}

static void sync_begin(struct writer *w, struct batch *b)
{
    struct batch *other = b == w->batches ? w->batches + 1 : w->batches;
    other->careful = b->careful;
    w->batch = other;
    w->syncing = b;
    w->sync_over = false;               /* nobody else looks before log_sync_begin */
    log_sync_begin(w->log_sync);
}

/* One batch may be on its way to the disk while the next one is run. They are told in their order. */
static void run_batch(struct writer *w)
{
    struct batch *b = w->batch;
    cut_batch(w);
    if (!w->log_lost)
        batch_run(b);
    sync_settle(w);
    if (w->log_lost)
        batch_refuse(b, &w->sync_error);
    if (b->committed && b->unsynced)
        sync_begin(w, b);
    else
        batch_finish(w, b);
    wal_tend(w);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    enum next next;
    while ((next = wait_next(w)) != STOP) {
        if (next == WORK)
            run_batch(w);
        else if (next == SYNCED)
            sync_settle(w);
        else if (!w->log_lost && db_probe(w->db, NULL))
            set_health(w, true, NULL);
    }
    return NULL;
}

static void writer_free(struct writer *w)
{
    log_sync_stop(w->log_sync);
    checkpointer_stop(w->checkpointer);
    db_close(w->db);
    for (int i = 0; i < 2; i++)
        arena_destroy(w->batches[i].arena);
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
    return checkpointer_start(url, &w->checkpointer, err) && log_sync_start(w->db, sync_over, w, &w->log_sync, err);
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
    for (int i = 0; i < 2; i++)
        w->batches[i].arena = arena_create(0);
    w->batch = w->batches;
    atomic_store(&w->healthy, true);
    metrics_open(w);
    if (!open_store(w, c->url, err)) {
        writer_free(w);
        return NULL;
    }
    w->batches[0].db = w->batches[1].db = w->db;
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
