/* Purging by age, a chunk at a time. */
#include "model/retention.h"

#include "model/fanout.h"

/* What is old and over, in order, beyond the cursor. ?1 environment, ?2 cursor, ?3 bound. A message's id has its run's time:
 * it may be younger; and so may a run's end be: it is kept as long as its last change is young. */
static const char *const selects[] = {
    [RETENTION_RUNS] =
        "SELECT id, event_id FROM runs WHERE environment_id = ?1 AND id > ?2 AND id < ?3 AND status <> 0 AND updated_at < ?5 "
        "AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.ref = runs.id) "
        "AND NOT EXISTS (SELECT 1 FROM digest_events d WHERE d.event_id = runs.event_id) ORDER BY id LIMIT ?4",
    [RETENTION_DEAD] =                      /* their ids have the time of their run, too */
        "SELECT id, id FROM deliveries WHERE environment_id = ?1 AND id > ?2 AND id < ?3 AND state = 1 "
        "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.environment_id = deliveries.environment_id AND runs.id = deliveries.run_id) "
        "ORDER BY id LIMIT ?4",
    [RETENTION_EVENTS] =
        "SELECT id, id FROM events WHERE environment_id = ?1 AND id > ?2 AND id < ?3 "
        "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.environment_id = ?1 AND runs.id = events.id) "
        "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.event_id = events.id AND runs.event_id <> runs.id) "
        "AND NOT EXISTS (SELECT 1 FROM digest_events d WHERE d.event_id = events.id) "
        "AND NOT EXISTS (SELECT 1 FROM fanouts f WHERE f.event_id = events.id AND f.state IN (1, 2)) ORDER BY id LIMIT ?4",
    [RETENTION_IN_APP] =
        "SELECT id, id FROM messages WHERE environment_id = ?1 AND id > ?2 AND id < ?3 AND created_at < ?5 "
        "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.environment_id = messages.environment_id AND runs.id = messages.run_id) "
        "ORDER BY id LIMIT ?4",
    [RETENTION_OUTBOX] =
        "SELECT id, id FROM outbox WHERE environment_id = ?1 AND id > ?2 AND id < ?3 "
        "AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.environment_id = outbox.environment_id AND m.id = outbox.message_id) "
        "ORDER BY id LIMIT ?4",
    [RETENTION_WEBHOOKS] =
        "SELECT id, id FROM webhook_messages WHERE environment_id = ?1 AND id > ?2 AND id < ?3 "
        "AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.message_id = webhook_messages.id AND d.state = 0) ORDER BY id LIMIT ?4",
};

static bool delete_one(struct db *db, const char *sql, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, sql, environment, id);
}

/* What somebody had not read or seen was counted. */
static bool delete_in_app(struct db *db, struct id environment, struct id id, struct retention_people *people, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM messages WHERE environment_id = ?1 AND id = ?2 "
                                          "RETURNING subscriber_id, read = 0 OR seen = 0", environment, id);
    enum db_step step;
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct id whose = db_id(s, 0);
        bool known = people->n && id_eq(people->ids[people->n - 1], whose);
        if (db_int(s, 1) && !known)
            people->ids[people->n++] = whose;
    }
    db_reset(s);
    return step == DB_DONE;
}

static bool remove_one(struct db *db, int phase, struct id environment, struct id id, struct retention_people *people, struct error *err)
{
    switch (phase) {
    case RETENTION_RUNS:
        /* Channel 0, the Inbox's, stays. */
        return delete_one(db, "DELETE FROM messages WHERE environment_id = ?1 AND run_id = ?2 AND run_id <> id AND channel <> 0", environment, id, err)
            && delete_one(db, "DELETE FROM runs WHERE environment_id = ?1 AND id = ?2", environment, id, err);
    case RETENTION_DEAD:
        return delete_one(db, "DELETE FROM deliveries WHERE environment_id = ?1 AND id = ?2", environment, id, err);
    case RETENTION_EVENTS:
        return fanout_delete(db, id, err)
            && delete_one(db, "DELETE FROM events WHERE environment_id = ?1 AND id = ?2", environment, id, err);
    case RETENTION_IN_APP:
        return delete_in_app(db, environment, id, people, err);
    case RETENTION_WEBHOOKS:
        return delete_one(db, "DELETE FROM webhook_attempts WHERE environment_id = ?1 AND message_id = ?2", environment, id, err)
            && delete_one(db, "DELETE FROM webhook_deliveries WHERE environment_id = ?1 AND message_id = ?2", environment, id, err)
            && delete_one(db, "DELETE FROM webhook_messages WHERE environment_id = ?1 AND id = ?2", environment, id, err);
    default:
        return delete_one(db, "DELETE FROM outbox WHERE environment_id = ?1 AND id = ?2", environment, id, err);
    }
}

static bool collect(struct db *db, const struct retention *r, const struct retention_cursor *c, struct id *ids, size_t *n,
                    struct error *err)
{
    struct db_stmt *s = db_prepare(db, selects[c->phase], err);
    struct id bound = id_floor((c->phase == RETENTION_IN_APP ? r->in_app_before : r->runs_before) / 1000);
    enum db_step step;
    *n = 0;
    if (!s)
        return false;
    db_bind_id(s, 1, c->environment);
    db_bind_id(s, 2, c->after);
    db_bind_id(s, 3, bound);
    db_bind_int(s, 4, RETENTION_CHUNK);
    if (c->phase == RETENTION_IN_APP || c->phase == RETENTION_RUNS)
        db_bind_int(s, 5, c->phase == RETENTION_RUNS ? r->runs_before : r->in_app_before);
    while (*n < RETENTION_CHUNK && (step = db_step(s, err)) != DB_DONE) {
        if (step == DB_FAILED)
            return false;
        ids[(*n)++] = db_id(s, 0);
    }
    db_reset(s);
    return true;
}

static bool next_environment(struct db *db, struct retention_cursor *c, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT id FROM environments WHERE id > ?1 ORDER BY id LIMIT 1", c->environment);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    if (step == DB_ROW)
        *c = (struct retention_cursor){.environment = db_id(s, 0), .phase = RETENTION_RUNS};
    else
        c->phase = RETENTION_OVER;
    db_reset(s);
    return step != DB_FAILED;
}

bool retention_purge(struct db *db, const struct retention *r, struct retention_cursor *c, struct retention_people *people, struct error *err)
{
    struct id ids[RETENTION_CHUNK];
    size_t n;
    people->n = 0;
    if (c->phase == RETENTION_OVER)
        return true;
    if (c->phase == RETENTION_NEXT_ENVIRONMENT)
        return next_environment(db, c, err);
    if (!collect(db, r, c, ids, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!remove_one(db, c->phase, c->environment, ids[i], people, err))
            return false;
    if (n)
        c->after = ids[n - 1];
    if (n == RETENTION_CHUNK)
        return true;
    c->after = (struct id){{0}};
    c->phase = c->phase == RETENTION_WEBHOOKS ? RETENTION_NEXT_ENVIRONMENT : c->phase + 1;
    return true;
}
