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
    int careful;                    /* batches yet to run with savepoints from the start; to be handed to the next one */

    /* What became of it. */
    bool committed;                 /* all tasks but those in failed; not on the disk yet when unsynced */
    bool unsynced;
    bool unhealthy;                 /* the store could not be written: disk, connection */
    struct error error;             /* of all tasks, when neither committed nor in failed */
    struct error **failed;          /* by position; NULL: no task failed by itself */
    int64_t rows;                   /* written by what was committed */
    int64_t rows_undone;            /* written by tasks that failed */
    int64_t commit_began_ns;        /* on the monotonic clock */
};

void batch_run(struct batch *b);

#endif
