/* Group commit: the one thread that writes.
 *
 * Everybody hands it tasks; it takes all that wait, runs them in one transaction, commits once (fsync), and
 * only then tells each that it is done. So a request is answered when it is durable, and a commit is shared
 * by all requests that came while the last one was on its way to the disk (design.md, idea 2). With SQLite the next
 * transaction runs while the last one's log is synced: others may read what is not on the disk for a moment longer, but
 * nobody is told that it is done, and what builds on it is on the disk no sooner. A sync that fails is final: the writer
 * stays unhealthy until a restart, which reads what of the log is valid.
 *
 * A task's apply may run MORE THAN ONCE: if one task of a batch fails, the batch is rolled back and run again
 * with a savepoint around each task, so that only the failing ones are lost. Therefore apply must not change
 * anything but the store and the task's own result fields, and must set those from scratch each time.
 */
#ifndef DB_WRITER_H
#define DB_WRITER_H

#include "base/metrics.h"
#include "db/db.h"

struct write_task {
    /* On the writer's thread, inside a transaction. false: undo this task (err says why). Only SQL: no
     * rendering, no waiting, no other I/O. */
    bool (*apply)(struct write_task *t, struct db *db, struct error *err);
    /* On the writer's thread, after the commit (err NULL) or after the failure of this task or of the commit
     * (err set). Must be short and never block; may submit other tasks. The task may be freed here. */
    void (*done)(struct write_task *t, const struct error *err);
    struct write_task *next;        /* the writer's */
};

struct writer;

struct writer_config {
    const char *url;                /* as in db_open; the writer opens its own connection */
    int queue_max;                  /* tasks waiting before writer_submit refuses; 0: 65,536 */
    int batch_max;                  /* tasks a commit; 0: 4,096 */
    struct metrics *metrics;        /* may be NULL */
};

struct writer *writer_start(const struct writer_config *c, struct error *err);
/* From any thread. false: the queue is full (ERROR_OVERLOAD) or the writer is stopping; done is not called. */
bool writer_submit(struct writer *w, struct write_task *t, struct error *err);
/* Submits and waits until it is durable. Not on the writer's thread. For start-up, tools and tests. */
bool writer_run(struct writer *w, bool (*apply)(void *arg, struct db *db, struct error *err), void *arg, struct error *err);
int writer_depth(const struct writer *w);
/* false after a commit failed for the disk (full, I/O error) or the connection, and until one succeeds again.
 * Meanwhile tasks go on to be answered with that error, and each idle second tries an empty commit. */
bool writer_healthy(const struct writer *w);
int64_t writer_rows_written(const struct writer *w);
/* Runs what is queued, then stops the thread. */
void writer_stop(struct writer *w);

#endif
