/* Accepted triggers in the store. */
#include "model/event.h"

#include "model/request_log.h"
#include "model/row.h"

#define EVENT_COLUMNS "id, environment_id, transaction_id, workflow_id, request_id, idempotency_hash, body_hash, doc, created_at, trace, logged"

static void event_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct event *e = out;
    struct str idem = db_blob(s, 5), body = db_blob(s, 6);
    *e = (struct event){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .transaction_id = row_text(s, 2, a),
        .workflow = db_id(s, 3),
        .request_id = db_is_null(s, 4) ? request_log_name(a, db_id(s, 0)) : row_text(s, 4, a),
        .idempotency_hash = idem.p ? str_dup(a, idem) : STR_NULL,
        .body_hash = body.p ? str_dup(a, body) : STR_NULL,
        .doc = row_text(s, 7, a),
        .created_at = db_int(s, 8),
        .trace = row_text(s, 9, a),
        .logged = db_int(s, 10) != 0,
    };
}

/* NULL: the event has its request's id. */
static struct str request_column(const struct event *e)
{
    struct id id;
    return request_log_id(e->request_id, &id) && id_eq(id, e->id) ? STR_NULL : e->request_id.p ? e->request_id : STR("");
}

enum event_insert event_insert(struct db *db, const struct event *e, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "INSERT INTO events (" EVENT_COLUMNS
                                 ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
                                 e->id, e->environment, e->transaction_id, e->workflow, request_column(e),
                                 db_as_blob(e->idempotency_hash.n ? e->idempotency_hash : STR_NULL),
                                 db_as_blob(e->body_hash.n ? e->body_hash : STR_NULL), e->doc, e->created_at,
                                 e->trace.n ? e->trace : STR_NULL, e->logged);
    if (!s)
        return EVENT_FAILED;
    if (!db_run(s, err))
        return EVENT_FAILED;
    return db_changes(s) ? EVENT_INSERTED : EVENT_DUPLICATE;
}

bool event_find(struct db *db, struct arena *a, struct id environment, struct id id, struct event *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, event_read, out, "Event not found", err);
}

bool event_find_by_transaction(struct db *db, struct arena *a, struct id environment, struct str transaction_id,
                               struct event *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " EVENT_COLUMNS
                                 " FROM events WHERE environment_id = ?1 AND transaction_id = ?2",
                                 environment, transaction_id);
    return row_find(s, a, event_read, out, "Event not found", err);
}

bool event_find_by_idempotency(struct db *db, struct arena *a, struct str hash, struct event *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " EVENT_COLUMNS " FROM events WHERE idempotency_hash = ?1",
                                 db_as_blob(hash));
    return row_find(s, a, event_read, out, "Event not found", err);
}

bool event_list_by_request(struct db *db, struct arena *a, struct id environment, struct str request_id, struct event **out, size_t *n,
                           struct error *err)
{
    struct id id = {0};
    request_log_id(request_id, &id);
    return ROWS_READ(db_query(db, err, "SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND id = ?3 AND request_id IS NULL "
                              "UNION ALL SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND request_id = ?2 ORDER BY 1",
                              environment, request_id, id), a, event_read, out, n, err);
}

bool event_set_trace(struct db *db, struct id environment, struct id id, struct str trace, struct error *err)
{
    return db_write(db, err, "UPDATE events SET trace = ?3 WHERE environment_id = ?1 AND id = ?2", environment, id, trace);
}
