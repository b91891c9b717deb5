/* The queue in the store. */
#include "model/queue.h"

#include <stdlib.h>

#include "model/row.h"

bool queue_insert(struct db *db, const struct queue_item *q, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "INSERT INTO queue (due_at, id, kind, environment_id, ref, job, attempt, owner) "
                                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                 q->due_at, q->id, q->kind, q->environment, q->ref, q->job, q->attempt);
    if (!s)
        return false;
    if (id_is_zero(q->owner))
        db_bind_blob(s, 8, STR_NULL);
    else
        db_bind_id(s, 8, q->owner);
    return db_run(s, err);
}

bool queue_take(struct db *db, int64_t due_at, struct id id, bool *taken, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM queue WHERE due_at = ?1 AND id = ?2", due_at, id);
    if (!s || !db_run(s, err))
        return false;
    *taken = db_changes(s) > 0;
    return true;
}

bool queue_delete(struct db *db, int64_t due_at, struct id id, struct error *err)
{
    bool taken;
    return queue_take(db, due_at, id, &taken, err);
}

bool queue_exists(struct db *db, int64_t due_at, struct id id, bool *exists, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM queue WHERE due_at = ?1 AND id = ?2", due_at, id);
    return row_exists(s, exists, err);
}

static bool items_read(struct db_stmt *s, struct queue_item *out, size_t max, size_t *n, struct error *err)
{
    enum db_step step;
    while (*n < max && (step = db_step(s, err)) != DB_DONE) {
        if (step == DB_FAILED)
            return false;
        out[(*n)++] = (struct queue_item){
            .due_at = db_int(s, 0),
            .id = db_id(s, 1),
            .kind = (enum queue_kind)db_int(s, 2),
            .environment = db_id(s, 3),
            .ref = db_id(s, 4),
            .job = (int)db_int(s, 5),
            .attempt = (int)db_int(s, 6),
            .owner = db_id(s, 7),
        };
    }
    db_reset(s);
    return true;
}

bool queue_due(struct db *db, int64_t now, int64_t after_due, struct id after_id, struct queue_item *out, size_t max,
               size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT due_at, id, kind, environment_id, ref, job, attempt, owner FROM queue "
                                 "WHERE due_at <= ?1 AND (due_at, id) > (?2, ?3) ORDER BY due_at, id LIMIT ?4",
                                 now, after_due, after_id, (int64_t)max);
    *n = 0;
    if (!s)
        return false;
    return items_read(s, out, max, n, err);
}

#define QUEUE_CLAIMABLE                                                                                                \
    "q.due_at <= ?1 AND (q.owner IS NULL OR (q.owner <> ?2 AND q.owner NOT IN (SELECT nodes.id FROM nodes WHERE lease_until > ?3)))"

static int item_compare(const void *a, const void *b)
{
    const struct queue_item *x = a, *y = b;
    if (x->due_at != y->due_at)
        return x->due_at < y->due_at ? -1 : 1;
    return id_cmp(x->id, y->id);
}

bool queue_claim(struct db *db, int64_t now, struct id owner, int64_t real_now, struct queue_item *out, size_t max, size_t *n,
                 struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "UPDATE queue SET owner = ?2 WHERE (due_at, id) IN (SELECT q.due_at, q.id FROM queue AS q WHERE "
            QUEUE_CLAIMABLE " ORDER BY q.due_at, q.id LIMIT ?4 FOR UPDATE SKIP LOCKED) "
            "RETURNING due_at, id, kind, environment_id, ref, job, attempt, owner",
            now, owner, real_now, (int64_t)max);
    *n = 0;
    if (!s)
        return false;
    if (!items_read(s, out, max, n, err))
        return false;
    qsort(out, *n, sizeof *out, item_compare);          /* RETURNING has no order */
    return true;
}

bool queue_claimable(struct db *db, int64_t now, struct id owner, int64_t real_now, bool *yes, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM queue AS q WHERE " QUEUE_CLAIMABLE " LIMIT 1", now, owner,
                                 real_now);
    return row_exists(s, yes, err);
}

bool queue_next_due(struct db *db, int64_t now, int64_t *due, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT due_at FROM queue WHERE due_at > ?1 ORDER BY due_at LIMIT 1", now);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *due = step == DB_ROW ? db_int(s, 0) : INT64_MAX;
    db_reset(s);
    return step != DB_FAILED;
}

bool queue_count(struct db *db, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT count(*) FROM queue", err);
    return row_int(s, n, err);
}
