/* Deliveries and leases in the store. */
#include "model/delivery.h"

#include <stdlib.h>

#include "model/row.h"

#define DELIVERY_COLUMNS                                                                                                \
    "id, environment_id, run_id, message_id, integration_id, job, target, channel, provider_id, state, attempt, due_at, " \
    "started_at, owner, slot, address, error, created_at, updated_at"

static void record_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct delivery_record *r = out;
    *r = (struct delivery_record){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .run = db_id(s, 2),
        .message = db_id(s, 3),
        .integration = db_id(s, 4),
        .job = (int)db_int(s, 5),
        .target = (int)db_int(s, 6),
        .channel = (enum channel)db_int(s, 7),
        .provider_id = row_text(s, 8, a),
        .state = (enum delivery_state)db_int(s, 9),
        .attempt = (int)db_int(s, 10),
        .due_at = db_int(s, 11),
        .started_at = db_int(s, 12),
        .owner = db_id(s, 13),
        .slot = db_id(s, 14),
        .address = row_text(s, 15, a),
        .error = row_text(s, 16, a),
        .created_at = db_int(s, 17),
        .updated_at = db_int(s, 18),
    };
}

bool deliveries_put(struct db *db, const struct delivery_record *r, struct error *err)
{
    return db_write(
            db, err, "INSERT INTO deliveries (" DELIVERY_COLUMNS
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
            "?15, ?16, ?17, ?18, ?19) ON CONFLICT (environment_id, id) DO UPDATE SET integration_id = excluded.integration_id, "
            "provider_id = excluded.provider_id, state = excluded.state, attempt = excluded.attempt, due_at = excluded.due_at, "
            "started_at = excluded.started_at, owner = excluded.owner, slot = excluded.slot, error = excluded.error, "
            "updated_at = excluded.updated_at",
            r->id, r->environment, r->run, r->message, r->integration, r->job, r->target, r->channel,
            r->provider_id.p ? r->provider_id : STR(""), r->state, r->attempt, r->due_at, db_time_or_null(r->started_at),
            db_id_or_null(r->owner), db_id_or_null(r->slot), r->address, r->error, r->created_at, r->updated_at);
}

bool deliveries_hold(struct db *db, struct id environment, struct id id, int attempt, bool *held, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM deliveries WHERE environment_id = ?1 AND id = ?2 AND attempt = ?3 "
                                 "AND state <> 1 FOR UPDATE",
                                 environment, id, attempt);
    return row_exists(s, held, err);
}

bool deliveries_remove(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "DELETE FROM deliveries WHERE environment_id = ?1 AND id = ?2", environment, id);
}

bool deliveries_withdraw(struct db *db, struct id environment, struct id id, bool *withdrawn, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "DELETE FROM deliveries WHERE environment_id = ?1 AND id = ?2 AND started_at IS NULL",
                                 environment, id);
    if (!s || !db_run(s, err))
        return false;
    *withdrawn = db_changes(s) > 0;
    return true;
}

bool deliveries_bury(struct db *db, struct id environment, struct id id, struct str error, int64_t now, struct error *err)
{
    return db_write(db, err, "UPDATE deliveries SET state = 1, started_at = NULL, owner = NULL, slot = NULL, error = ?3, "
                    "updated_at = ?4 WHERE environment_id = ?1 AND id = ?2",
                    environment, id, error, now);
}

static int record_compare(const void *a, const void *b)
{
    const struct delivery_record *x = a, *y = b;
    if (x->due_at != y->due_at)
        return x->due_at < y->due_at ? -1 : 1;
    return id_cmp(x->id, y->id);
}

bool deliveries_claim(struct db *db, struct arena *a, int64_t now, struct id owner, int max, struct delivery_record **out,
                      size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "UPDATE deliveries SET started_at = ?1, owner = ?2 WHERE (environment_id, id) IN (SELECT d.environment_id, d.id "
            "FROM deliveries AS d WHERE d.started_at IS NULL AND d.state <> 1 AND d.due_at <= ?1 ORDER BY d.due_at, d.id "
            "LIMIT ?3 FOR UPDATE SKIP LOCKED) RETURNING " DELIVERY_COLUMNS,
            now, owner, max);
    if (!s)
        return false;
    if (!ROWS_READ(s, a, record_read, out, n, err))
        return false;
    if (*n > 1)
        qsort(*out, *n, sizeof **out, record_compare);      /* RETURNING has no order */
    return true;
}

bool deliveries_adopt(struct db *db, struct arena *a, struct id owner, int64_t real_now, int max, struct delivery_record **out,
                      size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "UPDATE deliveries SET owner = ?1 WHERE (environment_id, id) IN (SELECT d.environment_id, d.id FROM deliveries AS d "
            "WHERE d.started_at IS NOT NULL AND d.owner <> ?1 AND d.owner NOT IN (SELECT nodes.id FROM nodes WHERE lease_until > ?2) "
            "LIMIT ?3 FOR UPDATE SKIP LOCKED) RETURNING " DELIVERY_COLUMNS,
            owner, real_now, max);
    return ROWS_READ(s, a, record_read, out, n, err);
}

bool deliveries_defer(struct db *db, struct id environment, struct id id, int attempt, struct id owner, int64_t due_at,
                      struct id slot, struct error *err)
{
    return db_write(db, err, "UPDATE deliveries SET started_at = NULL, owner = NULL, due_at = ?4, slot = ?5 "
                    "WHERE environment_id = ?1 AND id = ?2 AND attempt = ?3 AND owner = ?6 AND state <> 1",
                    environment, id, attempt, due_at, db_id_or_null(slot), owner);
}

bool deliveries_next_due(struct db *db, int64_t *due, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT due_at FROM deliveries WHERE started_at IS NULL AND state <> 1 ORDER BY due_at "
                                       "LIMIT 1", err);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *due = step == DB_ROW ? db_int(s, 0) : INT64_MAX;
    db_reset(s);
    return step != DB_FAILED;
}

bool deliveries_count(struct db *db, int64_t most, struct delivery_counts *c, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE started_at IS NULL AND state <> 1 LIMIT ?1) AS waiting), "
            "(SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE started_at IS NOT NULL LIMIT ?1) AS sending), "
            "(SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 1 LIMIT ?1) AS dead)",
            most);
    if (!s)
        return false;
    if (!row_one(s, "no count", err))
        return false;
    *c = (struct delivery_counts){.waiting = db_int(s, 0), .sending = db_int(s, 1), .dead = db_int(s, 2)};
    db_reset(s);
    return true;
}

/* --- reading and driving again ------------------------------------------------------------------------------- */

#define DELIVERY_MATCHES                                                                                                   \
    "environment_id = ?1 AND (?2 = -1 OR state = ?2) AND (?3 = -1 OR (state <> 1 AND (started_at IS NOT NULL) = (?3 = 1))) "  \
    "AND (?4 = -1 OR channel = ?4) AND (?5 = ?6 OR integration_id = ?5) AND (?7 = '' OR provider_id = ?7) "               \
    "AND updated_at >= ?8 AND updated_at <= ?9 AND id < ?10"

static void bind_query(struct db_stmt *s, struct id environment, const struct delivery_query *q)
{
    struct id last;
    memset(last.b, 0xff, sizeof last.b);
    db_bind_id(s, 1, environment);
    db_bind_int(s, 2, q->state);
    db_bind_int(s, 3, q->under_way);
    db_bind_int(s, 4, q->channel);
    db_bind_id(s, 5, q->integration);
    db_bind_id(s, 6, (struct id){{0}});
    db_bind_text(s, 7, q->provider_id.n ? q->provider_id : STR(""));
    db_bind_int(s, 8, q->from);
    db_bind_int(s, 9, q->to ? q->to : INT64_MAX);
    db_bind_id(s, 10, id_is_zero(q->after) ? last : q->after);
    db_bind_int(s, 11, q->limit);
}

bool deliveries_list(struct db *db, struct arena *a, struct id environment, const struct delivery_query *q,
                     struct delivery_record **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " DELIVERY_COLUMNS " FROM deliveries WHERE " DELIVERY_MATCHES
                                       " ORDER BY id DESC LIMIT ?11", err);
    if (!s)
        return false;
    bind_query(s, environment, q);
    return ROWS_READ(s, a, record_read, out, n, err);
}

bool deliveries_find(struct db *db, struct arena *a, struct id environment, struct id id, struct delivery_record *out,
                     struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " DELIVERY_COLUMNS
                                 " FROM deliveries WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, record_read, out, "Delivery not found", err);
}

bool deliveries_redrive(struct db *db, struct id environment, const struct delivery_query *q, int64_t now, int64_t *n,
                        struct error *err)
{
    struct delivery_query dead = *q;
    struct db_stmt *s = db_prepare(db, "UPDATE deliveries SET state = 2, due_at = ?12, updated_at = ?12 WHERE environment_id = ?1 "
                                       "AND state = 1 AND id IN (SELECT id FROM deliveries WHERE " DELIVERY_MATCHES
                                       " ORDER BY id DESC LIMIT ?11 FOR UPDATE SKIP LOCKED)", err);
    if (!s)
        return false;
    dead.state = DELIVERY_DEAD;
    dead.under_way = -1;
    bind_query(s, environment, &dead);
    db_bind_int(s, 12, now);
    if (!db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}

bool deliveries_redrive_one(struct db *db, struct id environment, struct id id, int64_t now, bool *marked, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "UPDATE deliveries SET state = 2, due_at = ?3, updated_at = ?3 WHERE environment_id = ?1 "
                                 "AND id = ?2 AND state = 1",
                                 environment, id, now);
    if (!s || !db_run(s, err))
        return false;
    *marked = db_changes(s) > 0;
    return true;
}

yyjson_mut_val *deliveries_json(yyjson_mut_doc *d, const struct delivery_record *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    const char *status = r->state == DELIVERY_DEAD ? "dead" : r->state == DELIVERY_OPEN && r->started_at ? "sending" : "waiting";
    json_add_id(d, o, "_id", r->id);
    json_add_id(d, o, "_environmentId", r->environment);
    json_add_id(d, o, "_notificationId", r->run);
    json_add_id(d, o, "_messageId", r->message);
    json_add_id(d, o, "_integrationId", r->integration);
    json_add_str(d, o, "status", str_of(status));
    json_add_str(d, o, "channel", channel_name(r->channel));
    json_add_str(d, o, "providerId", r->provider_id);
    json_add_int(d, o, "attempt", r->attempt);
    if (r->state != DELIVERY_DEAD && !r->started_at)
        json_add_time(d, o, "nextAttemptAt", r->due_at);
    if (r->error.n)
        json_add_str(d, o, "error", r->error);
    json_add_time(d, o, "createdAt", r->created_at);
    json_add_time(d, o, "updatedAt", r->updated_at);
    return o;
}

/* --- leases -------------------------------------------------------------------------------------------------- */

bool node_renew(struct db *db, struct id node, int64_t lease_until, int64_t forget, bool *fresh, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "UPDATE nodes SET lease_until = ?2 WHERE id = ?1", node, lease_until);
    if (!s || !db_run(s, err))
        return false;
    *fresh = !db_changes(s);
    return (!*fresh || db_write(db, err, "INSERT INTO nodes (id, lease_until) VALUES (?1, ?2)", node, lease_until))
        && db_write(db, err, "DELETE FROM nodes WHERE lease_until < ?1", forget);
}

bool node_leave(struct db *db, struct id node, struct error *err)
{
    return db_write(db, err, "DELETE FROM nodes WHERE id = ?1", node);
}

bool node_count(struct db *db, int64_t real_now, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM nodes WHERE lease_until > ?1", real_now);
    return row_int(s, n, err);
}
