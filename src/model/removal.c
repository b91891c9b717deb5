/* Large deletions, chunk by chunk. */
#include "model/removal.h"

#include "model/row.h"

/* A statement that removes what hangs on ?1. */
struct part {
    enum removal_kind kind;
    enum {
        WHOLE,                          /* all at once: a person has few of these */
        ALONG,                          /* what belongs to the ?2 things of the next statement */
        CHUNK                           /* ?2 things; as many as that: there may be more */
    } how;
    const char *sql;
};

/* The next things of an environment, as they lie in its table. */
#define FIRST_OF(table) "(SELECT id FROM " table " WHERE environment_id = ?1 ORDER BY id LIMIT ?2)"

/* In order: a run's messages and work go before the run by which they are found. */
static const struct part parts[] = {
    {REMOVAL_TOPIC, ALONG, "DELETE FROM preferences WHERE subscription_id IN "
                           "(SELECT id FROM topic_subscriptions WHERE topic_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_TOPIC, CHUNK, "DELETE FROM topic_subscriptions WHERE topic_id = ?1 AND id IN "
                           "(SELECT id FROM topic_subscriptions WHERE topic_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, ALONG, "DELETE FROM queue WHERE ref IN "
                                "(SELECT id FROM runs WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, ALONG, "DELETE FROM messages WHERE run_id IN "
                                "(SELECT id FROM runs WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, ALONG, "DELETE FROM digest_events WHERE run_id IN "
                                "(SELECT id FROM runs WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, CHUNK, "DELETE FROM runs WHERE subscriber_id = ?1 AND id IN "
                                "(SELECT id FROM runs WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, CHUNK, "DELETE FROM topic_subscriptions WHERE subscriber_id = ?1 AND id IN "
                                "(SELECT id FROM topic_subscriptions WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {REMOVAL_SUBSCRIBER, WHOLE, "DELETE FROM preferences WHERE subscriber_id = ?1"},
    {REMOVAL_SUBSCRIBER, WHOLE, "DELETE FROM digest_groups WHERE subscriber_id = ?1"},
    {REMOVAL_SUBSCRIBER, WHOLE, "DELETE FROM throttle_windows WHERE subscriber_id = ?1"},
    /* An environment: what is found by its runs, events and subscribers goes along with these. */
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM queue WHERE ref IN " FIRST_OF("runs")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM digest_events WHERE run_id IN " FIRST_OF("runs")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM runs WHERE environment_id = ?1 AND id IN " FIRST_OF("runs")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM messages WHERE environment_id = ?1 AND id IN " FIRST_OF("messages")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM queue WHERE ref IN " FIRST_OF("events")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM fanouts WHERE event_id IN " FIRST_OF("events")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM fanout_chunks WHERE event_id IN " FIRST_OF("events")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM fanout_refusals WHERE event_id IN " FIRST_OF("events")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM events WHERE environment_id = ?1 AND id IN " FIRST_OF("events")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM outbox WHERE environment_id = ?1 AND id IN " FIRST_OF("outbox")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM topic_subscriptions WHERE environment_id = ?1 AND id IN " FIRST_OF("topic_subscriptions")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM topics WHERE environment_id = ?1 AND id IN " FIRST_OF("topics")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM preferences WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM digest_groups WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM throttle_windows WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM subscribers WHERE environment_id = ?1 AND id IN " FIRST_OF("subscribers")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM contexts WHERE environment_id = ?1 AND id IN " FIRST_OF("contexts")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM channel_connections WHERE environment_id = ?1 AND id IN " FIRST_OF("channel_connections")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM channel_endpoints WHERE environment_id = ?1 AND id IN " FIRST_OF("channel_endpoints")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM tenants WHERE environment_id = ?1 AND id IN " FIRST_OF("tenants")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM workflow_overrides WHERE environment_id = ?1 AND id IN " FIRST_OF("workflow_overrides")},
    {REMOVAL_ENVIRONMENT, ALONG, "DELETE FROM workflow_versions WHERE workflow_id IN " FIRST_OF("workflows")},
    {REMOVAL_ENVIRONMENT, CHUNK, "DELETE FROM workflows WHERE environment_id = ?1 AND id IN " FIRST_OF("workflows")},
    {REMOVAL_ENVIRONMENT, WHOLE, "DELETE FROM layouts WHERE environment_id = ?1"},
    {REMOVAL_ENVIRONMENT, WHOLE, "DELETE FROM translations WHERE environment_id = ?1"},
    {REMOVAL_ENVIRONMENT, WHOLE, "DELETE FROM environment_variable_values WHERE environment_id = ?1"},
    {REMOVAL_WORKFLOW, CHUNK, "DELETE FROM preferences WHERE workflow_id = ?1 AND id IN "
                              "(SELECT id FROM preferences WHERE workflow_id = ?1 ORDER BY id LIMIT ?2)"},
};

static bool chunk_remove(struct db *db, enum removal_kind kind, struct id ref, bool *more, struct error *err)
{
    *more = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].kind != kind)
            continue;
        struct db_stmt *s = db_prepare(db, parts[i].sql, err);
        if (!s)
            return false;
        db_bind_id(s, 1, ref);
        if (parts[i].how != WHOLE)
            db_bind_int(s, 2, REMOVAL_CHUNK);
        if (!db_run(s, err))
            return false;
        *more |= parts[i].how == CHUNK && db_changes(s) == REMOVAL_CHUNK;
    }
    return true;
}

static bool tombstone_remove(struct db *db, struct id ref, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "DELETE FROM removals WHERE ref = ?1", err);
    if (!s)
        return false;
    db_bind_id(s, 1, ref);
    return db_run(s, err);
}

bool removal_begin(struct db *db, struct id environment, enum removal_kind kind, struct id ref, int64_t now, struct error *err)
{
    bool more;
    if (!chunk_remove(db, kind, ref, &more, err))
        return false;
    if (!more)
        return true;
    struct db_stmt *s = db_prepare(db, "INSERT INTO removals (ref, environment_id, kind, created_at) VALUES (?1, ?2, ?3, ?4)", err);
    if (!s)
        return false;
    db_bind_id(s, 1, ref);
    db_bind_id(s, 2, environment);
    db_bind_int(s, 3, kind);
    db_bind_int(s, 4, now);
    return db_run(s, err);
}

bool removal_continue(struct db *db, bool *more, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT ref, kind FROM removals ORDER BY ref LIMIT 2", err);
    enum db_step step;
    *more = false;
    if (!s)
        return false;
    if ((step = db_step(s, err)) != DB_ROW) {
        db_reset(s);
        return step == DB_DONE;
    }
    struct id ref = db_id(s, 0);
    enum removal_kind kind = (enum removal_kind)db_int(s, 1);
    step = db_step(s, err);
    db_reset(s);
    bool rest, others = step == DB_ROW;
    if (step == DB_FAILED || !chunk_remove(db, kind, ref, &rest, err))
        return false;
    *more = rest || others;
    return rest || tombstone_remove(db, ref, err);
}
