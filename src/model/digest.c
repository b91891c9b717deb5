/* Digest groups in the store. */
#include "model/digest.h"

#include "base/json.h"
#include "model/row.h"

bool digest_group_find(struct db *db, struct str key, struct digest_group *out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT revision, run_id, job, due_at, event_at FROM digest_groups WHERE key = ?1", err);
    *out = (struct digest_group){.revision = 0};
    if (!s)
        return false;
    db_bind_text(s, 1, key);
    enum db_step step = db_step(s, err);
    if (step == DB_ROW)
        *out = (struct digest_group){.revision = db_int(s, 0), .run = db_id(s, 1), .job = (int)db_int(s, 2),
                                     .due_at = db_int(s, 3), .event_at = db_int(s, 4)};
    db_reset(s);
    return step != DB_FAILED;
}

/* The payload inside of an event's document. */
static struct str payload_of(struct arena *a, struct str doc)
{
    yyjson_val *root, *payload;
    if (!doc.n || !json_parse(a, doc, &root, NULL) || !(payload = json_get(root, "payload")))
        return STR_NULL;
    return json_write(a, payload);
}

bool digest_event_list(struct db *db, struct arena *a, struct id run, int job, struct digest_event **out, size_t *n,
                       struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT d.member_run_id, d.member_job, d.member_at, d.event_id, e.doc FROM digest_events d "
            "LEFT JOIN events e ON e.environment_id = d.environment_id AND e.id = d.event_id "
            "WHERE d.run_id = ?1 AND d.job = ?2 ORDER BY d.member_at, d.member_run_id",
            run, job);
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct digest_event *e = ARENA_SLOT(a, *out, *n, cap);
        *e = (struct digest_event){.run = db_id(s, 0), .job = (int)db_int(s, 1), .at = db_int(s, 2), .event = db_id(s, 3),
                                   .payload = payload_of(a, db_text(s, 4))};
    }
    db_reset(s);
    return step == DB_DONE;
}

/* --- moves -------------------------------------------------------------------------------------------------- */

/* Runs s; *done: it changed `want` rows (at least one if want is negative). */
static bool run_for(struct db_stmt *s, int64_t want, bool *done, struct error *err)
{
    if (!db_run(s, err))
        return false;
    *done = want < 0 ? db_changes(s) > 0 : db_changes(s) == want;
    return true;
}

/* Each change takes away a few groups that look back no more: so they never pile up, and nobody has to go round. */
static bool groups_purge(struct db *db, int64_t now, struct error *err)
{
    return db_write(db, err, "DELETE FROM digest_groups WHERE key IN (SELECT key FROM digest_groups "
                    "WHERE run_id IS NULL AND expires_at < ?1 LIMIT 2 FOR UPDATE SKIP LOCKED)",
                    now);
}

/* One statement for both: whoever is first inserts, whoever saw the latest revision changes, anybody else does nothing. */
static bool group_put(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "INSERT INTO digest_groups (key, environment_id, subscriber_id, run_id, job, due_at, event_at, expires_at, revision) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1) ON CONFLICT (key) DO UPDATE SET run_id = excluded.run_id, "
            "job = excluded.job, due_at = excluded.due_at, event_at = excluded.event_at, expires_at = excluded.expires_at, "
            "revision = digest_groups.revision + 1 WHERE digest_groups.revision = ?9",
            m->key, m->environment, m->subscriber);
    if (!s)
        return false;
    if (m->kind == DIGEST_OPEN)
        db_bind_id(s, 4, m->run);
    else
        db_bind_blob(s, 4, STR_NULL);
    db_bind_int(s, 5, m->job);
    db_bind_int(s, 6, m->due_at);
    db_bind_int(s, 7, m->event_at);
    db_bind_int(s, 8, m->expires_at);
    db_bind_int(s, 9, m->revision);
    return run_for(s, 1, done, err) && groups_purge(db, m->event_at, err);
}

static bool member_insert(struct db *db, const struct digest_move *m, struct error *err)
{
    return db_write(db, err, "INSERT INTO digest_events (run_id, job, member_at, member_run_id, member_job, environment_id, "
                    "event_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    m->run, m->job, m->member_at, m->member, m->member_job, m->environment, m->event);
}

/* Only while that digest collects. It takes the group's lock first: a digest that fires at this moment waits for us, and
 * then sees by the revision that it has to look again. */
static bool join(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "UPDATE digest_groups SET event_at = ?1, expires_at = ?2, revision = revision + 1 "
                                 "WHERE key = ?3 AND run_id = ?4 AND job = ?5",
                                 m->event_at, m->expires_at, m->key, m->run, m->job);
    if (!s)
        return false;
    return run_for(s, 1, done, err) && (!*done || member_insert(db, m, err));
}

static bool member_delete(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM digest_events WHERE run_id = ?1 AND job = ?2 AND member_at = ?3 "
                                 "AND member_run_id = ?4",
                                 m->run, m->job, m->member_at, m->member);
    if (!s)
        return false;
    return run_for(s, 1, done, err);
}

static bool extend(struct db *db, const struct digest_move *m, struct error *err)
{
    return db_write(db, err, "UPDATE digest_groups SET due_at = ?1, revision = revision + 1 "
                    "WHERE key = ?2 AND run_id = ?3 AND job = ?4",
                    m->due_at, m->key, m->run, m->job);
}

/* The group has no digest any more; for look-back its row stays until it expires. */
static bool group_release(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, m->looks_back ?
            "UPDATE digest_groups SET run_id = NULL, revision = revision + 1 WHERE key = ?1 AND revision = ?2" :
            "DELETE FROM digest_groups WHERE key = ?1 AND revision = ?2",
            m->key, m->revision);
    if (!s)
        return false;
    return run_for(s, 1, done, err);
}

/* As many events as were read are still there, or it is decided again. */
static bool close_digest(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    *done = true;
    if (m->revision && !group_release(db, m, done, err))
        return false;
    if (!*done)
        return true;
    struct db_stmt *s = db_query(db, err, "DELETE FROM digest_events WHERE run_id = ?1 AND job = ?2", m->run, m->job);
    if (!s)
        return false;
    return run_for(s, m->members, done, err);
}

static bool group_hand_over(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "UPDATE digest_groups SET run_id = ?1, job = ?2, revision = revision + 1 "
                                 "WHERE key = ?3 AND revision = ?4",
                                 m->member, m->member_job, m->key, m->revision);
    if (!s)
        return false;
    return run_for(s, 1, done, err);
}

static bool hand_over(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    *done = true;
    if (m->revision && !group_hand_over(db, m, done, err))
        return false;
    if (*done && !member_delete(db, m, done, err))
        return false;
    if (!*done)
        return true;
    struct db_stmt *s = db_query(db, err, "UPDATE digest_events SET run_id = ?1, job = ?2 WHERE run_id = ?3 AND job = ?4",
                                 m->member, m->member_job, m->run, m->job);
    if (!s)
        return false;
    return run_for(s, m->members - 1, done, err);
}

bool digest_move(struct db *db, const struct digest_move *m, bool *done, struct error *err)
{
    *done = true;
    switch (m->kind) {
    case DIGEST_PASS:
    case DIGEST_OPEN: return group_put(db, m, done, err);
    case DIGEST_JOIN: return join(db, m, done, err);
    case DIGEST_LEAVE: return member_delete(db, m, done, err);
    case DIGEST_EXTEND: return extend(db, m, err);
    case DIGEST_CLOSE: return close_digest(db, m, done, err);
    case DIGEST_HAND_OVER: return hand_over(db, m, done, err);
    }
    return true;
}
