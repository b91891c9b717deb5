/* Entries of the request log on their way into the store. */
#include "api/request_log.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "model/request_log.h"

enum { WAITING_MAX = 10000 };

struct entry {
    struct entry *next;
    struct request_log_row row;
    char path[];
};

struct request_log {
    struct write_task task;
    struct writer *writer;
    const struct clock *clock;
    struct counter *dropped;
    pthread_mutex_t lock;               /* of what follows */
    struct entry *waiting, **last;
    int n;
    bool queued;                        /* the task is with the writer */
    struct entry *batch;                /* the task's: what it writes */
};

static void entries_free(struct entry *e)
{
    for (struct entry *next; e; e = next) {
        next = e->next;
        free(e);
    }
}

/* May run again: then the batch is the one of before. */
static bool flush_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct request_log *l = (struct request_log *)t;
    pthread_mutex_lock(&l->lock);
    if (!l->batch) {
        l->batch = l->waiting;
        l->waiting = NULL;
        l->last = &l->waiting;
        l->n = 0;
    }
    pthread_mutex_unlock(&l->lock);
    for (const struct entry *e = l->batch; e; e = e->next)
        if (!request_log_insert(db, &e->row, err))
            return false;
    return true;
}

/* With the lock held. */
static void submit(struct request_log *l)
{
    struct error err = {0};
    l->queued = l->waiting && writer_submit(l->writer, &l->task, &err);     /* a full queue: the next entry tries again */
}

static void flush_done(struct write_task *t, const struct error *err)
{
    struct request_log *l = (struct request_log *)t;
    int64_t lost = 0;
    for (const struct entry *e = l->batch; err && e; e = e->next)
        lost++;
    counter_add(l->dropped, lost);
    entries_free(l->batch);
    l->batch = NULL;
    pthread_mutex_lock(&l->lock);
    submit(l);
    pthread_mutex_unlock(&l->lock);
}

struct request_log *request_log_create(struct writer *w, const struct clock *clock, struct metrics *m)
{
    struct request_log *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->task.apply = flush_apply;
    l->task.done = flush_done;
    l->writer = w;
    l->clock = clock;
    l->last = &l->waiting;
    l->dropped = metrics_counter(m, "carillon_request_log_dropped_total", "Entries of the request log that were not stored.", NULL);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void request_log_destroy(struct request_log *l)
{
    if (!l)
        return;
    entries_free(l->waiting);
    entries_free(l->batch);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct entry *entry_new(struct request_log *l, struct request *rq, int status, int64_t duration_ms)
{
    size_t n = rq->path.n < REQUEST_LOG_PATH_MAX ? rq->path.n : REQUEST_LOG_PATH_MAX;
    while (n && n < rq->path.n && ((unsigned char)rq->path.p[n] & 0xc0) == 0x80)
        n--;                            /* not within a character */
    struct entry *e = malloc(sizeof *e + n);
    if (!e)
        abort();
    memcpy(e->path, rq->path.p, n);
    e->next = NULL;
    e->row = (struct request_log_row){
        .id = rq->number, .environment = rq->principal.environment, .user = rq->principal.user, .operation = str_of(rq->route->operation),
        .method = rq->method, .path = {e->path, n}, .status = status, .duration_ms = duration_ms,
        .created_at = clock_now_ms(l->clock)};
    return e;
}

void request_log_add(struct request_log *l, struct request *rq, int status, int64_t duration_ms)
{
    struct entry *e = entry_new(l, rq, status, duration_ms);
    pthread_mutex_lock(&l->lock);
    bool fits = l->n < WAITING_MAX;
    if (fits) {
        *l->last = e;
        l->last = &e->next;
        l->n++;
        if (!l->queued)
            submit(l);
    }
    pthread_mutex_unlock(&l->lock);
    if (fits)
        return;
    free(e);
    counter_add(l->dropped, 1);
}
