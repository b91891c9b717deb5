/* Who is online, over all processes. */
#include "model/presence.h"

#include "model/people.h"
#include "model/row.h"
#include "model/subscriber.h"

bool presence_enter(struct db *db, struct id node, struct id environment, struct id subscriber, struct error *err)
{
    people_note_id(db, subscriber);
    return db_write(db, err, "INSERT INTO presence (subscriber_id, node_id, environment_id) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT (node_id, subscriber_id) DO NOTHING", subscriber, node, environment)
        && db_write(db, err, "UPDATE subscribers SET is_online = 1 WHERE environment_id = ?1 AND id = ?2", environment, subscriber);
}

/* Of two processes that are left at once the second must see that the first has gone: they meet at the subscriber's row, and
 * each statement behind it sees what was committed until then. */
static bool subscriber_lock(struct db *db, struct id environment, struct id subscriber, struct error *err)
{
    enum db_step step;
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM subscribers WHERE environment_id = ?1 AND id = ?2 FOR UPDATE", environment, subscriber);
    if (!s)
        return false;
    step = db_step(s, err);
    db_reset(s);
    return step == DB_ROW || step == DB_DONE;
}

static bool leave(struct db *db, struct db_stmt *removal, struct id environment, struct id subscriber, int64_t now, struct error *err)
{
    if (!removal || !db_run(removal, err))
        return false;
    people_note_id(db, subscriber);
    return !db_changes(removal) || db_write(db, err, "UPDATE subscribers SET is_online = 0, last_online_at = ?3 WHERE environment_id = ?1 AND id = ?2 "
                                               "AND NOT EXISTS (SELECT 1 FROM presence WHERE subscriber_id = ?2)",
                                            environment, subscriber, now);
}

bool presence_leave(struct db *db, struct id node, struct id environment, struct id subscriber, int64_t now, struct error *err)
{
    return subscriber_lock(db, environment, subscriber, err)
        && leave(db, db_query(db, err, "DELETE FROM presence WHERE node_id = ?1 AND subscriber_id = ?2", node, subscriber),
                 environment, subscriber, now, err);
}

/* --- processes that are no more --------------------------------------------------------------------------------- */

/* One probe of the index for each process: there are few, and each may have very many people. */
static bool node_after(struct db *db, struct id last, struct id *node, bool *found, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT node_id FROM presence WHERE node_id > ?1 ORDER BY node_id LIMIT 1", last);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *found = step == DB_ROW;
    if (*found)
        *node = db_id(s, 0);
    db_reset(s);
    return step == DB_ROW || step == DB_DONE;
}

/* A lease that is over goes away, so that its process, if it lives, finds none to renew. */
static bool node_lives(struct db *db, struct id node, int64_t real_now, int64_t *lives, struct error *err)
{
    return db_write(db, err, "DELETE FROM nodes WHERE id = ?1 AND lease_until <= ?2", node, real_now)
        && row_int(db_query(db, err, "SELECT count(*) FROM nodes WHERE id = ?1 AND lease_until > ?2", node, real_now), lives, err);
}

struct entry {
    struct id environment, subscriber;
};

/* In the same order for all who do this at once. */
static bool node_entries(struct db *db, struct id node, struct entry out[PRESENCE_LAPSE_MAX], int *n, struct error *err)
{
    enum db_step step = DB_DONE;
    struct db_stmt *s = db_query(db, err, "SELECT environment_id, subscriber_id FROM presence WHERE node_id = ?1 ORDER BY subscriber_id LIMIT ?2",
                                 node, (int64_t)PRESENCE_LAPSE_MAX);
    *n = 0;
    if (!s)
        return false;
    while (*n < PRESENCE_LAPSE_MAX && (step = db_step(s, err)) == DB_ROW)
        out[(*n)++] = (struct entry){db_id(s, 0), db_id(s, 1)};
    db_reset(s);
    return step == DB_ROW || step == DB_DONE;
}

/* The process may have come back while we wait for the subscriber's row, and said anew that they are here. */
static bool entry_lapse(struct db *db, struct id node, const struct entry *e, int64_t real_now, int64_t now, struct error *err)
{
    return subscriber_lock(db, e->environment, e->subscriber, err)
        && leave(db, db_query(db, err, "DELETE FROM presence WHERE node_id = ?1 AND subscriber_id = ?2 "
                                       "AND NOT EXISTS (SELECT 1 FROM nodes WHERE id = ?1 AND lease_until > ?3)", node, e->subscriber, real_now),
                 e->environment, e->subscriber, now, err);
}

static bool node_lapse(struct db *db, struct id node, int64_t real_now, int64_t now, bool *more, struct error *err)
{
    struct entry entries[PRESENCE_LAPSE_MAX];
    int n;
    if (!node_entries(db, node, entries, &n, err))
        return false;
    for (int i = 0; i < n; i++)
        if (!entry_lapse(db, node, &entries[i], real_now, now, err))
            return false;
    *more = n == PRESENCE_LAPSE_MAX;
    return true;
}

bool presence_lapse(struct db *db, int64_t real_now, int64_t now, bool *more, struct error *err)
{
    struct id node = {{0}};
    int64_t lives;
    bool found;
    *more = false;
    while (node_after(db, node, &node, &found, err)) {
        if (!found)
            return true;
        if (!node_lives(db, node, real_now, &lives, err))
            return false;
        if (!lives && (!node_lapse(db, node, real_now, now, more, err) || *more))
            return *more;
    }
    return false;
}

bool presence_clear(struct db *db, int64_t now, struct error *err)
{
    return db_exec(db, "DELETE FROM presence", err) && subscriber_clear_online(db, now, err);
}
