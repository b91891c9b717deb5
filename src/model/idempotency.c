/* Answers kept for idempotency keys, in the store. */
#include "model/idempotency.h"

#include "model/request_log.h"
#include "model/row.h"

bool idempotency_find(struct db *db, struct arena *a, struct str hash, struct idempotency_row *out, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "SELECT body_hash, status, answer, created_at, NULL, NULL, NULL FROM idempotency_keys WHERE hash = ?1 UNION ALL "
            "SELECT body_hash, NULL, NULL, created_at, transaction_id, request_id, id FROM events WHERE idempotency_hash = ?1",
            db_as_blob(hash));
    if (!s)
        return false;
    if (!row_one(s, "Idempotency key not found", err))
        return false;
    struct str body = db_blob(s, 0);
    *out = (struct idempotency_row){.body_hash = str_dup(a, body), .status = (int)db_int(s, 1), .answer = row_text(s, 2, a),
                                    .created_at = db_int(s, 3), .transaction_id = row_text(s, 4, a),
                                    .request_id = row_text(s, 5, a)};
    if (out->transaction_id.p && !out->request_id.p)
        out->request_id = request_log_name(a, db_id(s, 6));
    db_reset(s);
    return true;
}

bool idempotency_insert(struct db *db, struct str hash, const struct idempotency_row *row, bool *taken, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "INSERT INTO idempotency_keys (hash, body_hash, status, answer, created_at) VALUES (?1, ?2, ?3, ?4, ?5) "
            "ON CONFLICT (hash) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status, "
            "answer = excluded.answer, created_at = excluded.created_at WHERE idempotency_keys.created_at <= ?6",
            db_as_blob(hash), db_as_blob(row->body_hash), row->status, row->answer, row->created_at,
            row->created_at - idempotency_age_ms);
    if (!s || !db_run(s, err))
        return false;
    *taken = db_changes(s) == 0;
    return true;
}

bool idempotency_set_answer(struct db *db, struct str hash, int status, struct str answer, struct error *err)
{
    return db_write(db, err, "UPDATE idempotency_keys SET status = ?2, answer = ?3 WHERE hash = ?1", db_as_blob(hash),
                    status, answer);
}

bool idempotency_delete(struct db *db, struct str hash, struct error *err)
{
    return db_write(db, err, "DELETE FROM idempotency_keys WHERE hash = ?1", db_as_blob(hash));
}

bool idempotency_release_event(struct db *db, struct str hash, struct error *err)
{
    return db_write(db, err, "UPDATE events SET idempotency_hash = NULL, body_hash = NULL WHERE idempotency_hash = ?1",
                    db_as_blob(hash));
}

bool idempotency_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM idempotency_keys WHERE hash IN (SELECT hash FROM idempotency_keys "
                                 "WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
                                 now - idempotency_age_ms, limit);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}
