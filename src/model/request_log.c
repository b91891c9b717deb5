/* The request log in the store. */
#include "model/request_log.h"

#include "model/row.h"

#define COLUMNS "id, environment_id, user_id, operation, method, path, status, duration_ms, created_at"

bool request_log_insert(struct db *db, const struct request_log_row *row, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "INSERT INTO request_log (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
                                       "ON CONFLICT DO NOTHING", err);
    if (!s)
        return false;
    db_bind_id(s, 1, row->id);
    db_bind_id(s, 2, row->environment);
    db_bind_id(s, 3, row->user);
    db_bind_text(s, 4, row->operation);
    db_bind_text(s, 5, row->method);
    db_bind_text(s, 6, row->path);
    db_bind_int(s, 7, row->status);
    db_bind_int(s, 8, row->duration_ms);
    db_bind_int(s, 9, row->created_at);
    return db_run(s, err);
}

static void read(struct db_stmt *s, struct arena *a, struct request_log_row *r)
{
    *r = (struct request_log_row){.id = db_id(s, 0), .environment = db_id(s, 1), .user = db_id(s, 2),
                                  .operation = row_text(s, 3, a), .method = row_text(s, 4, a), .path = row_text(s, 5, a),
                                  .status = (int)db_int(s, 6), .duration_ms = db_int(s, 7), .created_at = db_int(s, 8)};
}

bool request_log_find(struct db *db, struct arena *a, struct id environment, struct id id, struct request_log_row *out,
                      struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " COLUMNS " FROM request_log WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!row_one(s, "Request not found", err))
        return false;
    read(s, a, out);
    db_reset(s);
    return true;
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
    struct db_stmt *s = db_prepare(db, "DELETE FROM request_log WHERE (environment_id, id) IN (SELECT environment_id, id FROM request_log "
                                       "WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)", err);
    if (!s)
        return false;
    db_bind_int(s, 1, now - request_log_age_ms);
    db_bind_int(s, 2, limit);
    if (!db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}
