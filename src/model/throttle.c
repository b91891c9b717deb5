/* Throttle windows in the store. */
#include "model/throttle.h"

#include "model/row.h"

bool throttle_window_find(struct db *db, struct str key, struct throttle_window *out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT started_at, ends_at, granted FROM throttle_windows WHERE key = ?1", err);
    *out = (struct throttle_window){.granted = 0};
    if (!s)
        return false;
    db_bind_text(s, 1, key);
    enum db_step step = db_step(s, err);
    if (step == DB_ROW)
        *out = (struct throttle_window){.started_at = db_int(s, 0), .ends_at = db_int(s, 1), .granted = db_int(s, 2)};
    db_reset(s);
    return step != DB_FAILED;
}

/* Each new window takes away a few that are over: so they never pile up. */
static bool windows_purge(struct db *db, int64_t now, struct error *err)
{
    return db_write(db, err, "DELETE FROM throttle_windows WHERE key IN (SELECT key FROM throttle_windows "
                    "WHERE ends_at < ?1 LIMIT 2 FOR UPDATE SKIP LOCKED)",
                    now);
}

static bool window_open(struct db *db, const struct throttle_grant *g, bool *done, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "INSERT INTO throttle_windows (key, environment_id, subscriber_id, started_at, ends_at, granted) "
            "VALUES (?1, ?2, ?3, ?4, ?5, 1) ON CONFLICT (key) DO UPDATE SET started_at = excluded.started_at, "
            "ends_at = excluded.ends_at, granted = 1 WHERE throttle_windows.ends_at <= excluded.started_at",
            g->key, g->environment, g->subscriber, g->started_at, g->ends_at);
    if (!s || !db_run(s, err))
        return false;
    *done = db_changes(s) > 0;
    return windows_purge(db, g->started_at, err);
}

bool throttle_grant(struct db *db, const struct throttle_grant *g, bool *done, struct error *err)
{
    if (g->opens)
        return window_open(db, g, done, err);
    struct db_stmt *s = db_query(db, err,
                                 "UPDATE throttle_windows SET granted = granted + 1 WHERE key = ?1 AND started_at = ?2 "
                                 "AND ends_at = ?3 AND granted < ?4",
                                 g->key, g->started_at, g->ends_at, g->threshold);
    if (!s || !db_run(s, err))
        return false;
    *done = db_changes(s) > 0;
    return true;
}
