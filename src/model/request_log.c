/* The request log in the store. */
#include "model/request_log.h"

#include "model/row.h"

#define COLUMNS "id, environment_id, user_id, operation, method, path, status, duration_ms, created_at"

bool request_log_insert(struct db *db, const struct request_log_row *row, struct error *err)
{
    return db_write(db, err, "INSERT INTO request_log (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
                    "ON CONFLICT DO NOTHING",
                    row->id, row->environment, row->user, row->operation, row->method, row->path, row->status,
                    row->duration_ms, row->created_at);
}

static void read(struct db_stmt *s, struct arena *a, void *out)
{
    struct request_log_row *r = out;
    *r = (struct request_log_row){.id = db_id(s, 0), .environment = db_id(s, 1), .user = db_id(s, 2),
                                  .operation = row_text(s, 3, a), .method = row_text(s, 4, a), .path = row_text(s, 5, a),
                                  .status = (int)db_int(s, 6), .duration_ms = db_int(s, 7), .created_at = db_int(s, 8)};
}

bool request_log_find(struct db *db, struct arena *a, struct id environment, struct id id, struct request_log_row *out,
                      struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS " FROM request_log WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, read, out, "Request not found", err);
}

bool request_log_list(struct db *db, struct arena *a, struct id environment, struct id before, int limit,
                      struct request_log_row **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " COLUMNS " FROM request_log WHERE environment_id = ?1 AND id < ?2 "
                                       "ORDER BY id DESC LIMIT ?3", err);
    enum db_step step;
    size_t cap = 0;
    if (!s)
        return false;
    if (id_is_zero(before))
        memset(before.b, 0xff, sizeof before.b);
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, before);
    db_bind_int(s, 3, limit);
    *out = NULL;
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW)
        read(s, a, ARENA_SLOT(a, *out, *n, cap));
    db_reset(s);
    return step == DB_DONE;
}

bool request_log_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "DELETE FROM request_log WHERE (environment_id, id) IN (SELECT environment_id, id FROM request_log "
            "WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
            now - request_log_age_ms, limit);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}
