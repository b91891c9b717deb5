/* Runs the tasks of one commit: all at once if they all succeed, else each behind a savepoint of its own. */
#include "db/batch.h"

#include <time.h>

#include "base/clock.h"

/* After a failure the next few batches use savepoints at once: failures come in swarms (a client that sends
 * duplicates), and a batch that is run twice costs more than savepoints do. */
enum { CAREFUL_BATCHES = 16, ATTEMPTS_MAX = 5 };

enum verdict { COMMITTED, NOTHING_LEFT, A_TASK_FAILED, TRY_AGAIN, GIVE_UP };

static void task_failed(struct batch *b, int i, const struct error *why)
{
    if (!b->failed)
        b->failed = ARENA_ARRAY(b->arena, struct error *, b->n);
    b->failed[i] = ARENA_NEW(b->arena, struct error);
    *b->failed[i] = *why;
    if (why->code == ERROR_NONE)
        error_set(b->failed[i], ERROR_INTERNAL, "A write failed without a reason.");
}

/* The connection's or the disk's failure concerns all tasks. false: it was the task's own. */
static bool is_everybodys(struct batch *b, const struct error *why, enum verdict *v)
{
    enum db_trouble t = db_trouble_of(b->db);
    if (t == DB_FINE)
        return false;
    b->error = *why;
    if (why->code == ERROR_NONE)
        error_set(&b->error, ERROR_IO, "The store failed.");
    *v = t == DB_RETRY || t == DB_LOST ? TRY_AGAIN : GIVE_UP;
    return true;
}

static bool run_behind_savepoint(struct batch *b, struct write_task *t, struct error *why)
{
    int64_t rows = db_rows_written(b->db);
    if (!db_savepoint(b->db, 1, why))
        return false;
    /* A task that overlooked a failed statement fails in the release (PostgreSQL). */
    if (t->apply(t, b->db, why) && db_trouble_of(b->db) == DB_FINE && db_release(b->db, 1, why))
        return true;
    if (db_trouble_of(b->db) == DB_FINE)
        db_rollback_to(b->db, 1);
    b->rows_undone += db_rows_written(b->db) - rows;
    return false;
}

static enum verdict run_tasks(struct batch *b, bool savepoints)
{
    enum verdict v;
    int i = 0;
    for (struct write_task *t = b->first; i < b->n; t = t->next, i++) {
        struct error why = {0};
        bool ok = savepoints ? run_behind_savepoint(b, t, &why) : t->apply(t, b->db, &why);
        if (is_everybodys(b, &why, &v))
            return v;
        if (ok)
            continue;
        task_failed(b, i, &why);
        if (!savepoints)
            return b->n == 1 ? NOTHING_LEFT : A_TASK_FAILED;
    }
    return COMMITTED;
}

static enum verdict try_once(struct batch *b, bool savepoints)
{
    struct error why = {0};
    enum verdict v;
    arena_reset(b->arena);
    b->failed = NULL;
    b->rows_undone = 0;
    b->unsynced = false;
    if (!db_begin(b->db, true, &why))
        return is_everybodys(b, &why, &v) ? v : (b->error = why, GIVE_UP);
    int64_t rows = db_rows_written(b->db);
    v = run_tasks(b, savepoints);
    if (v != COMMITTED) {
        db_rollback(b->db);
        return v;
    }
    b->commit_began_ns = clock_mono_ns();
    rows = db_rows_written(b->db) - rows - b->rows_undone;
    if (!db_commit_unsynced(b->db, &b->unsynced, &why)) {
        if (is_everybodys(b, &why, &v))
            return v;
        b->error = why;
        return savepoints ? GIVE_UP : A_TASK_FAILED;
    }
    b->rows = rows;
    return COMMITTED;
}

/* Two nodes that ran into each other must not do so again in step; a server needs a moment to come back. */
static void pause_before(int attempt, enum db_trouble why)
{
    int64_t ms = why == DB_LOST ? (attempt - 1) * 150 : attempt * (1 + clock_mono_ns() % 7);
    if (ms)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

void batch_run(struct batch *b)
{
    bool savepoints = b->careful > 0 && b->n > 1;
    enum verdict v = GIVE_UP;
    for (int attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        v = try_once(b, savepoints);
        if (v == A_TASK_FAILED) {
            savepoints = true;
            b->careful = CAREFUL_BATCHES;
            v = try_once(b, true);
        }
        if (v != TRY_AGAIN)
            break;
        if (attempt < ATTEMPTS_MAX)
            pause_before(attempt, db_trouble_of(b->db));
    }
    if (savepoints && !b->failed && b->careful > 0)
        b->careful--;
    b->committed = v == COMMITTED;
    b->unhealthy = v == GIVE_UP || v == TRY_AGAIN;
    if (b->unhealthy) {
        b->unhealthy = db_trouble_of(b->db) == DB_DISK || db_trouble_of(b->db) == DB_LOST || db_trouble_of(b->db) == DB_UNKNOWN;
        b->failed = NULL;
    }
}
