/* Accepted triggers in the store. */
#include "model/event.h"

#include "model/row.h"

#define EVENT_COLUMNS "id, environment_id, transaction_id, workflow_id, request_id, idempotency_hash, body_hash, doc, created_at, trace"

static void event_read(struct db_stmt *s, struct arena *a, struct event *e)
{
    struct str idem = db_blob(s, 5), body = db_blob(s, 6);
    *e = (struct event){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .transaction_id = row_text(s, 2, a),
        .workflow = db_id(s, 3),
        .request_id = row_text(s, 4, a),
        .idempotency_hash = idem.p ? str_dup(a, idem) : STR_NULL,
        .body_hash = body.p ? str_dup(a, body) : STR_NULL,
        .doc = row_text(s, 7, a),
        .created_at = db_int(s, 8),
        .trace = row_text(s, 9, a),
    };
}

enum event_insert event_insert(struct db *db, const struct event *e, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "INSERT INTO events (" EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
                                       "ON CONFLICT DO NOTHING", err);
    if (!s)
        return EVENT_FAILED;
    db_bind_id(s, 1, e->id);
    db_bind_id(s, 2, e->environment);
    db_bind_text(s, 3, e->transaction_id);
    db_bind_id(s, 4, e->workflow);
    db_bind_text(s, 5, e->request_id);
    db_bind_blob(s, 6, e->idempotency_hash.n ? e->idempotency_hash : STR_NULL);
    db_bind_blob(s, 7, e->body_hash.n ? e->body_hash : STR_NULL);
    db_bind_text(s, 8, e->doc);
    db_bind_int(s, 9, e->created_at);
    db_bind_text(s, 10, e->trace.n ? e->trace : STR_NULL);
    if (!db_run(s, err))
        return EVENT_FAILED;
    return db_changes(s) ? EVENT_INSERTED : EVENT_DUPLICATE;
}

bool event_find(struct db *db, struct arena *a, struct id environment, struct id id, struct event *out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!row_one(s, "Event not found", err))
        return false;
    event_read(s, a, out);
    db_reset(s);
    return true;
}

bool event_find_by_transaction(struct db *db, struct arena *a, struct id environment, struct str transaction_id,
                               struct event *out, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND transaction_id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, transaction_id);
    if (!row_one(s, "Event not found", err))
        return false;
    event_read(s, a, out);
    db_reset(s);
    return true;
}

bool event_find_by_idempotency(struct db *db, struct arena *a, struct str hash, struct event *out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " EVENT_COLUMNS " FROM events WHERE idempotency_hash = ?1", err);
    if (!s)
        return false;
    db_bind_blob(s, 1, hash);
    if (!row_one(s, "Event not found", err))
        return false;
    event_read(s, a, out);
    db_reset(s);
    return true;
}

bool event_set_trace(struct db *db, struct id environment, struct id id, struct str trace, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "UPDATE events SET trace = ?3 WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    db_bind_text(s, 3, trace);
    return db_run(s, err);
}
