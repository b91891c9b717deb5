/* Large deletions, chunk by chunk. */
#include "model/removal.h"

#include "base/json.h"
#include "model/people.h"
#include "model/row.h"
#include "model/run_private.h"

enum { OF_TOPIC = 1 << REMOVAL_TOPIC, OF_ENVIRONMENT = 1 << REMOVAL_ENVIRONMENT, OF_WORKFLOW = 1 << REMOVAL_WORKFLOW,
       OF_PERSON = 1 << REMOVAL_PERSON, OF_SUBSCRIBER = 1 << REMOVAL_SUBSCRIBER | OF_PERSON };

/* A statement that removes what hangs on ?1. */
struct part {
    unsigned kinds;
    enum {
        WHOLE,                          /* all at once: a person has few of these */
        ALONG,                          /* what belongs to the ?2 things of a later statement */
        WITHIN,                         /* … in environment ?3 */
        CHUNK,                          /* ?2 things; as many as that: there may be more */
        CHUNK_WITHIN                    /* … in environment ?3 */
    } how;
    const char *sql;
};

/* The next things of an environment, as they lie in its table. */
#define FIRST_OF(table) "(SELECT id FROM " table " WHERE environment_id = ?1 ORDER BY id LIMIT ?2)"
/* The next runs of a subscriber. */
#define RUNS_OF "(SELECT id FROM runs WHERE subscriber_id = ?1 AND listed = 1 ORDER BY created_at, id LIMIT ?2)"
/* The next messages in their Inbox: unread ones, and the others. */
#define UNREAD_OF "(SELECT id FROM messages WHERE subscriber_id = ?1 AND " INBOX_UNREAD_OF("") " ORDER BY context, severity, seen, created_at, id LIMIT ?2)"
#define TOUCHED_OF "(SELECT id FROM messages WHERE subscriber_id = ?1 AND channel = 0 AND " INBOX_TOUCHED " ORDER BY context, created_at, id LIMIT ?2)"
/* The next webhooks that are about a subscriber. */
#define TOLD_OF "(SELECT id FROM webhook_messages WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"

/* In order: what is found by a run goes before it. */
static const struct part parts[] = {
    {OF_TOPIC, WITHIN, "DELETE FROM preferences WHERE environment_id = ?3 AND subscription_id IN "
                      "(SELECT id FROM topic_subscriptions WHERE topic_id = ?1 ORDER BY id LIMIT ?2)"},
    {OF_TOPIC, CHUNK, "DELETE FROM topic_subscriptions WHERE topic_id = ?1 AND id IN "
                      "(SELECT id FROM topic_subscriptions WHERE topic_id = ?1 ORDER BY id LIMIT ?2)"},
    /* Runs that are listed by such a message are so by themselves from then on. */
    {OF_SUBSCRIBER, WITHIN, "UPDATE runs SET listed = 1 WHERE environment_id = ?3 AND listed = 0 AND id IN " UNREAD_OF},
    {OF_SUBSCRIBER, CHUNK_WITHIN, "DELETE FROM messages WHERE environment_id = ?3 AND id IN " UNREAD_OF},
    {OF_SUBSCRIBER, WITHIN, "UPDATE runs SET listed = 1 WHERE environment_id = ?3 AND listed = 0 AND id IN " TOUCHED_OF},
    {OF_SUBSCRIBER, CHUNK_WITHIN, "DELETE FROM messages WHERE environment_id = ?3 AND id IN " TOUCHED_OF},
    {OF_PERSON, WITHIN, "DELETE FROM outbox WHERE environment_id = ?3 AND message_id IN "
                       "(SELECT id FROM messages WHERE run_id <> id AND run_id IN " RUNS_OF ")"},
    /* Of an event for several people the others' runs are left; their picture of it is mended by events_scrub. (A run
     * with its event's id is that event's only one.) */
    {OF_PERSON, WITHIN, "DELETE FROM events WHERE environment_id = ?3 AND id IN (SELECT event_id FROM runs WHERE id IN " RUNS_OF
                       " AND subscriber_id = ?1) AND NOT EXISTS "
                       "(SELECT 1 FROM runs o WHERE o.event_id = events.id AND o.event_id <> o.id AND o.subscriber_id <> ?1)"},
    {OF_PERSON, ALONG, "DELETE FROM webhook_attempts WHERE message_id IN " TOLD_OF},
    {OF_PERSON, ALONG, "DELETE FROM webhook_deliveries WHERE message_id IN " TOLD_OF},
    {OF_PERSON, CHUNK, "DELETE FROM webhook_messages WHERE subscriber_id = ?1 AND id IN " TOLD_OF},
    {OF_SUBSCRIBER, WITHIN, "DELETE FROM queue WHERE environment_id = ?3 AND ref IN " RUNS_OF},
    {OF_SUBSCRIBER, WITHIN, "DELETE FROM deliveries WHERE environment_id = ?3 AND run_id IN " RUNS_OF},
    {OF_SUBSCRIBER, WITHIN, "DELETE FROM messages WHERE environment_id = ?3 AND run_id <> id AND run_id IN " RUNS_OF},
    {OF_SUBSCRIBER, WITHIN, "DELETE FROM digest_events WHERE environment_id = ?3 AND run_id IN " RUNS_OF},
    {OF_SUBSCRIBER, CHUNK_WITHIN, "DELETE FROM runs WHERE environment_id = ?3 AND id IN " RUNS_OF},
    {OF_SUBSCRIBER, CHUNK, "DELETE FROM topic_subscriptions WHERE subscriber_id = ?1 AND id IN "
                           "(SELECT id FROM topic_subscriptions WHERE subscriber_id = ?1 ORDER BY id LIMIT ?2)"},
    {OF_SUBSCRIBER, WHOLE, "DELETE FROM preferences WHERE subscriber_id = ?1"},
    {OF_SUBSCRIBER, WHOLE, "DELETE FROM digest_groups WHERE subscriber_id = ?1"},
    {OF_SUBSCRIBER, WHOLE, "DELETE FROM throttle_windows WHERE subscriber_id = ?1"},
    {OF_SUBSCRIBER, WHOLE, "DELETE FROM fanout_refusals WHERE subscriber_id = ?1"},
    {OF_SUBSCRIBER, WHOLE, "DELETE FROM duplicate_triggers WHERE subscriber_id = ?1"},
    /* An environment: what is found by its runs, events and subscribers goes along with these. */
    {OF_ENVIRONMENT, ALONG, "DELETE FROM queue WHERE ref IN " FIRST_OF("runs")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM digest_events WHERE run_id IN " FIRST_OF("runs")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM runs WHERE environment_id = ?1 AND id IN " FIRST_OF("runs")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM deliveries WHERE environment_id = ?1 AND id IN " FIRST_OF("deliveries")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM messages WHERE environment_id = ?1 AND id IN " FIRST_OF("messages")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM queue WHERE ref IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM fanouts WHERE event_id IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM fanout_chunks WHERE event_id IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM fanout_refusals WHERE event_id IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM duplicate_triggers WHERE event_id IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM events WHERE environment_id = ?1 AND id IN " FIRST_OF("events")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM outbox WHERE environment_id = ?1 AND id IN " FIRST_OF("outbox")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM topic_subscriptions WHERE environment_id = ?1 AND id IN " FIRST_OF("topic_subscriptions")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM topics WHERE environment_id = ?1 AND id IN " FIRST_OF("topics")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM preferences WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM digest_groups WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM throttle_windows WHERE subscriber_id IN " FIRST_OF("subscribers")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM subscribers WHERE environment_id = ?1 AND id IN " FIRST_OF("subscribers")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM contexts WHERE environment_id = ?1 AND id IN " FIRST_OF("contexts")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM channel_connections WHERE environment_id = ?1 AND id IN " FIRST_OF("channel_connections")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM channel_endpoints WHERE environment_id = ?1 AND id IN " FIRST_OF("channel_endpoints")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM tenants WHERE environment_id = ?1 AND id IN " FIRST_OF("tenants")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM workflow_overrides WHERE environment_id = ?1 AND id IN " FIRST_OF("workflow_overrides")},
    {OF_ENVIRONMENT, ALONG, "DELETE FROM workflow_versions WHERE workflow_id IN " FIRST_OF("workflows")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM workflows WHERE environment_id = ?1 AND id IN " FIRST_OF("workflows")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM webhook_messages WHERE environment_id = ?1 AND id IN " FIRST_OF("webhook_messages")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM webhook_deliveries WHERE environment_id = ?1 AND id IN " FIRST_OF("webhook_deliveries")},
    {OF_ENVIRONMENT, CHUNK, "DELETE FROM webhook_attempts WHERE environment_id = ?1 AND id IN " FIRST_OF("webhook_attempts")},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM webhook_endpoints WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM chat_link_codes WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM bot_setups WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM domain_routes WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM domains WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM agent_integrations WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM agents WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM legacy_groups WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM layouts WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM translations WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM environment_variable_values WHERE environment_id = ?1"},
    {OF_ENVIRONMENT, WHOLE, "DELETE FROM erasures WHERE environment_id = ?1"},
    {OF_WORKFLOW, CHUNK, "DELETE FROM preferences WHERE workflow_id = ?1 AND id IN "
                         "(SELECT id FROM preferences WHERE workflow_id = ?1 ORDER BY id LIMIT ?2)"},
};

/* --- events that a person shares with others -------------------------------------------------------------------------- */

static bool names_person(yyjson_val *v, struct str subscriber_id)
{
    return str_eq(yyjson_is_obj(v) ? json_get_str(v, "subscriberId") : json_str(v), subscriber_id);
}

/* The document without the person among its recipients and as its actor; p NULL: they are not in it. */
static struct str doc_scrub(struct arena *a, struct str text, struct str subscriber_id)
{
    yyjson_val *doc = NULL, *v;
    json_parse(a, text, &doc, NULL);
    yyjson_val *to = json_get(doc, "to");
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = doc ? yyjson_val_mut_copy(d, doc) : NULL;
    bool changed = false;
    if (names_person(json_get(doc, "actor"), subscriber_id)) {
        yyjson_mut_obj_remove_key(o, "actor");
        changed = true;
    }
    if (yyjson_is_arr(to)) {
        yyjson_mut_val *rest = yyjson_mut_arr(d);
        yyjson_arr_iter it = yyjson_arr_iter_with(to);
        while ((v = yyjson_arr_iter_next(&it)))
            if (!names_person(v, subscriber_id))
                yyjson_mut_arr_append(rest, yyjson_val_mut_copy(d, v));
        changed |= yyjson_mut_arr_size(rest) != yyjson_arr_size(to);
        yyjson_mut_obj_put(o, yyjson_mut_str(d, "to"), rest);
    } else if (to && names_person(to, subscriber_id)) {
        yyjson_mut_obj_remove_key(o, "to");
        changed = true;
    }
    return changed ? json_write_mut(a, o) : STR_NULL;
}

static bool event_rewrite(struct db *db, struct id environment, struct id event, struct str doc, struct error *err)
{
    return db_write(db, err, "UPDATE events SET doc = ?1 WHERE environment_id = ?2 AND id = ?3", doc, environment, event);
}

static bool events_scrub(struct db *db, const struct removal *r, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct { struct id id; struct str doc; } *found = NULL;
    size_t n = 0, cap = 0;
    enum db_step step;
    struct db_stmt *s = db_query(
            db, err, "SELECT id, doc FROM events WHERE environment_id = ?3 AND id IN (SELECT event_id FROM runs "
            "WHERE id IN " RUNS_OF " AND subscriber_id = ?1)",
            r->ref, REMOVAL_CHUNK, r->environment);
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct str doc = doc_scrub(a, row_text(s, 1, a), r->subscriber_id);
        if (!doc.p)
            continue;
        struct id id = db_id(s, 0);
        (void)ARENA_SLOT(a, found, n, cap);
        found[n - 1].id = id;
        found[n - 1].doc = doc;
    }
    db_reset(s);
    for (size_t i = 0; i < n && step == DB_DONE; i++)
        if (!event_rewrite(db, r->environment, found[i].id, found[i].doc, err))
            return false;
    return step == DB_DONE;
}

/* --- chunks ------------------------------------------------------------------------------------------------------------- */

static bool chunk_remove(struct db *db, const struct removal *r, bool *more, struct error *err)
{
    *more = false;
    if (r->kind == REMOVAL_ENVIRONMENT)
        people_note_all(db);
    if (r->kind == REMOVAL_PERSON && !events_scrub(db, r, err))
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!(parts[i].kinds & 1u << r->kind))
            continue;
        struct db_stmt *s = db_query(db, err, parts[i].sql, r->ref);
        if (!s)
            return false;
        if (parts[i].how != WHOLE)
            db_bind_int(s, 2, REMOVAL_CHUNK);
        if (parts[i].how == WITHIN || parts[i].how == CHUNK_WITHIN)
            db_bind_id(s, 3, r->environment);
        if (!db_run(s, err))
            return false;
        *more |= (parts[i].how == CHUNK || parts[i].how == CHUNK_WITHIN) && db_changes(s) == REMOVAL_CHUNK;
    }
    return true;
}

static bool tombstone_remove(struct db *db, struct id ref, struct error *err)
{
    return db_write(db, err, "DELETE FROM removals WHERE ref = ?1", ref);
}

bool removal_begin(struct db *db, const struct removal *r, int64_t now, struct error *err)
{
    bool more;
    if (!chunk_remove(db, r, &more, err))
        return false;
    if (!more)
        return true;
    return db_write(db, err,
                    "INSERT INTO removals (ref, environment_id, kind, external_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                    r->ref, r->environment, r->kind, r->subscriber_id, now);
}

bool removal_continue(struct db *db, bool *more, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct db_stmt *s = db_prepare(db, "SELECT ref, environment_id, kind, external_id FROM removals ORDER BY ref LIMIT 2", err);
    enum db_step step;
    *more = false;
    if (!s)
        return false;
    if ((step = db_step(s, err)) != DB_ROW) {
        db_reset(s);
        return step == DB_DONE;
    }
    struct removal r = {.ref = db_id(s, 0), .environment = db_id(s, 1), .kind = (enum removal_kind)db_int(s, 2),
                        .subscriber_id = row_text(s, 3, a)};
    step = db_step(s, err);
    db_reset(s);
    bool rest, others = step == DB_ROW;
    if (step == DB_FAILED || !chunk_remove(db, &r, &rest, err))
        return false;
    *more = rest || others;
    return rest || tombstone_remove(db, r.ref, err);
}
