/* Fan-outs in the store. */
#include "model/fanout.h"

#include "model/queue.h"
#include "model/row.h"

static struct db_value total_value(const struct fanout *f)
{
    return f->total < 0 ? db_null() : db_as_int(f->total);
}

bool fanout_insert(struct db *db, const struct fanout *f, struct error *err)
{
    return db_write(
            db, err,
            "INSERT INTO fanouts (event_id, environment_id, state, part, chunk, reached, singles, total, expanded, runs, "
            "filtered, subscriptions_evaluated, subscriptions_filtered, created_at, updated_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            f->event, f->environment, f->state, f->part, f->chunk, f->reached, f->singles, total_value(f),
            f->expanded, f->runs, f->filtered, f->subscriptions_evaluated, f->subscriptions_filtered, f->created_at,
            f->updated_at);
}

bool fanout_find(struct db *db, struct id event, struct fanout *out, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT environment_id, state, part, chunk, reached, singles, total, expanded, runs, filtered, "
            "subscriptions_evaluated, subscriptions_filtered, created_at, updated_at FROM fanouts WHERE event_id = ?1",
            event);
    if (!s)
        return false;
    if (!row_one(s, "Fan-out not found", err))
        return false;
    *out = (struct fanout){
        .event = event,
        .environment = db_id(s, 0),
        .state = (enum fanout_state)db_int(s, 1),
        .part = (enum fanout_part)db_int(s, 2),
        .chunk = db_int(s, 3),
        .reached = db_id(s, 4),
        .singles = db_int(s, 5) != 0,
        .total = db_is_null(s, 6) ? -1 : db_int(s, 6),
        .expanded = db_int(s, 7),
        .runs = db_int(s, 8),
        .filtered = db_int(s, 9),
        .subscriptions_evaluated = db_int(s, 10),
        .subscriptions_filtered = db_int(s, 11),
        .created_at = db_int(s, 12),
        .updated_at = db_int(s, 13),
    };
    db_reset(s);
    return true;
}

bool fanout_update(struct db *db, const struct fanout *f, struct error *err)
{
    return db_write(
            db, err,
            "UPDATE fanouts SET state = ?2, part = ?3, chunk = ?4, reached = ?5, total = ?6, expanded = ?7, runs = ?8, "
            "filtered = ?9, subscriptions_evaluated = ?10, subscriptions_filtered = ?11, updated_at = ?12 "
            "WHERE event_id = ?1 AND state = 1",
            f->event, f->state, f->part, f->chunk, f->reached, total_value(f), f->expanded, f->runs, f->filtered,
            f->subscriptions_evaluated, f->subscriptions_filtered, f->updated_at);
}

static bool delete_of(struct db *db, const char *sql, struct id event, struct error *err)
{
    return db_write(db, err, sql, event);
}

static bool queue_clear(struct db *db, struct id event, struct error *err)
{
    return delete_of(db, "DELETE FROM queue WHERE ref = ?1 AND kind = 3", event, err);
}

static bool state_set(struct db *db, const char *sql, struct id event, int64_t now, bool *changed, struct error *err)
{
    struct db_stmt *s = db_query(db, err, sql, event, now);
    if (!s || !db_run(s, err))
        return false;
    *changed = db_changes(s) > 0;
    return true;
}

bool fanout_pause(struct db *db, struct id event, int64_t now, bool *changed, struct error *err)
{
    return state_set(db, "UPDATE fanouts SET state = 2, updated_at = ?2 WHERE event_id = ?1 AND state = 1", event, now, changed, err)
        && (!*changed || queue_clear(db, event, err));
}

bool fanout_resume(struct db *db, struct id event, struct id item, int64_t now, bool *changed, struct error *err)
{
    struct fanout f;
    if (!state_set(db, "UPDATE fanouts SET state = 1, updated_at = ?2 WHERE event_id = ?1 AND state = 2", event, now, changed, err))
        return false;
    if (!*changed)
        return true;
    if (!fanout_find(db, event, &f, err))
        return false;
    struct queue_item q = {.due_at = now, .id = item, .environment = f.environment, .ref = event, .kind = QUEUE_EVENT};
    return queue_insert(db, &q, err);
}

bool fanout_cancel(struct db *db, struct id event, int64_t now, bool *changed, struct error *err)
{
    return state_set(db, "UPDATE fanouts SET state = 4, updated_at = ?2 WHERE event_id = ?1 AND state IN (1, 2)", event, now,
                     changed, err)
        && (!*changed || (queue_clear(db, event, err)
                          && delete_of(db, "DELETE FROM fanout_chunks WHERE event_id = ?1", event, err)));
}

struct str fanout_state_name(enum fanout_state s)
{
    static const char *const names[] = {"", "running", "paused", "completed", "canceled"};
    return str_of(names[s]);
}

bool fanout_chunk_insert(struct db *db, struct id event, int64_t chunk, struct str recipients, struct error *err)
{
    return db_write(db, err, "INSERT INTO fanout_chunks (event_id, chunk, recipients) VALUES (?1, ?2, ?3)", event, chunk,
                    recipients);
}

bool fanout_chunk_find(struct db *db, struct arena *a, struct id event, int64_t chunk, struct str *recipients,
                       struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT recipients FROM fanout_chunks WHERE event_id = ?1 AND chunk = ?2", event,
                                 chunk);
    if (!s)
        return false;
    if (!row_one(s, "No further recipients", err))
        return false;
    *recipients = row_text(s, 0, a);
    db_reset(s);
    return true;
}

bool fanout_chunk_delete(struct db *db, struct id event, int64_t chunk, struct error *err)
{
    return db_write(db, err, "DELETE FROM fanout_chunks WHERE event_id = ?1 AND chunk = ?2", event, chunk);
}

bool fanout_refuse(struct db *db, struct id event, struct id subscriber, struct str evaluations, int64_t version, int64_t now,
                   struct error *err)
{
    return db_write(db, err,
                    "INSERT INTO fanout_refusals (event_id, subscriber_id, evaluations, created_at, workflow_version) "
                    "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                    event, subscriber, evaluations, now, version);
}

bool fanout_delete(struct db *db, struct id event, struct error *err)
{
    return queue_clear(db, event, err) && delete_of(db, "DELETE FROM fanout_chunks WHERE event_id = ?1", event, err)
        && delete_of(db, "DELETE FROM fanout_refusals WHERE event_id = ?1", event, err)
        && delete_of(db, "DELETE FROM duplicate_triggers WHERE event_id = ?1", event, err)
        && delete_of(db, "DELETE FROM fanouts WHERE event_id = ?1", event, err);
}
