/* Private to the writer: the tasks of one commit. */
#ifndef DB_BATCH_H
#define DB_BATCH_H

#include "db/db_private.h"
#include "db/writer.h"

struct batch {
    struct db *db;
    struct arena *arena;            /* errors of single tasks; reset by batch_run */
    struct write_task *first;
    int n;
    int careful;                    /* batches yet to run with savepoints from the start; kept from one to the next */

    /* What became of it. */
    bool committed;                 /* tasks are durable, but for those in failed */
    bool unhealthy;                 /* the store could not be written: disk, connection */
    struct error error;             /* of all tasks, when neither committed nor in failed */
    struct error **failed;          /* by position; NULL: no task failed by itself */
    int64_t rows;                   /* written by what was committed */
    int64_t rows_undone;            /* written by tasks that failed */
    int64_t commit_ns;
};

void batch_run(struct batch *b);

#endif
