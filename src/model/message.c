/* Messages in the store, and their stored form on the wire. */
#include "model/message.h"

#include "model/context.h"
#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/run_private.h"
#include "model/removal.h"
#include "model/row.h"
#include "model/run.h"
#include "model/webhook.h"

void message_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct message *m = out;
    *m = (struct message){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .subscriber = db_id(s, 2),
        .run = db_id(s, 3),
        .job = db_id(s, 4),
        .workflow = db_id(s, 5),
        .channel = (enum channel)db_int(s, 6),
        .context = row_text(s, 7, a),
        .severity = (enum severity)db_int(s, 8),
        .seen = db_int(s, 9) != 0,
        .read = db_int(s, 10) != 0,
        .archived = db_int(s, 11) != 0,
        .snoozed_until = db_int(s, 12),
        .status = (enum message_status)db_int(s, 13),
        .first_seen_at = db_int(s, 14),
        .last_seen_at = db_int(s, 15),
        .last_read_at = db_int(s, 16),
        .archived_at = db_int(s, 17),
        .doc = row_text(s, 18, a),
        .created_at = db_int(s, 19),
        .updated_at = db_int(s, 20),
    };
}

/* An index holds what is returned; a longer list is looked for in the document. NULL: there are no tags. */
enum { TAGS_INDEXED_MAX = 1000 };

static struct str tags_of(struct arena *a, const struct message *m)
{
    yyjson_val *doc = NULL;
    if (!json_parse(a, m->doc, &doc, NULL))
        return STR_NULL;
    yyjson_val *tags = json_get(doc, "tags");
    if (!yyjson_arr_size(tags))
        return STR_NULL;
    struct str text = json_write(a, tags);
    return text.n <= TAGS_INDEXED_MAX ? text : STR(MESSAGE_TAGS_UNKNOWN);
}

static bool insert(struct db *db, const struct message *m, struct str tags, struct error *err)
{
    return db_write(
            db, err,
            "INSERT INTO messages (id, environment_id, subscriber_id, run_id, job_id, workflow_id, channel, context, severity, "
            "seen, read, archived, status, doc, created_at, updated_at, tags) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, 0, ?10, ?11, ?12, ?12, ?13) "
            "ON CONFLICT (environment_id, id) DO UPDATE SET seen = 0, status = excluded.status, doc = excluded.doc, "
            "created_at = excluded.created_at, updated_at = excluded.updated_at, tags = excluded.tags",
            m->id, m->environment, m->subscriber, m->run, m->job, m->workflow, m->channel,
            m->context.p ? m->context : STR(""), m->severity, m->status, m->doc, m->created_at, tags);
}

bool message_insert(struct db *db, const struct message *m, struct error *err)
{
    if (m->channel != CHANNEL_IN_APP || m->untagged)
        return insert(db, m, STR_NULL, err);
    struct arena *a ARENA_SCOPED = arena_create(0);
    return insert(db, m, tags_of(a, m), err);
}

bool message_update_delivery(struct db *db, const struct message *m, struct error *err)
{
    return db_write(
            db, err,
            "UPDATE messages SET status = ?1, doc = ?2, updated_at = ?3, provider_message_id = COALESCE(?6, provider_message_id) "
            "WHERE environment_id = ?4 AND id = ?5",
            m->status, m->doc, m->updated_at, m->environment, m->id, m->provider_message_id);
}

bool message_find_by_provider_id(struct db *db, struct arena *a, struct id environment, struct str provider_message_id,
                                 struct message *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " MESSAGE_COLUMNS
                                 " FROM messages WHERE environment_id = ?1 AND provider_message_id = ?2 "
                                 "ORDER BY id DESC LIMIT 1",
                                 environment, provider_message_id);
    return row_find(s, a, message_read, out, "Message not found", err);
}

bool message_find(struct db *db, struct arena *a, struct id environment, struct id id, struct message *out,
                  struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " MESSAGE_COLUMNS " FROM messages WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, message_read, out, "Message not found", err);
}

bool message_delete(struct db *db, struct id environment, struct id id, bool *deleted, struct error *err)
{
    if (!run_list_itself(db, environment, id, err))
        return false;
    struct db_stmt *s = db_query(db, err, "DELETE FROM messages WHERE environment_id = ?1 AND id = ?2", environment, id);
    if (!s || !db_run(s, err))
        return false;
    *deleted = db_changes(s) > 0;
    return true;
}

static void id_read(struct db_stmt *s, struct arena *a, void *out)
{
    (void)a;
    *(struct id *)out = db_id(s, 0);
}

/* Before they go: afterwards there is nothing to tell of them. */
static bool tell_deleted(struct db *db, struct id environment, struct id event, int channel, int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct webhook_ears ears;
    struct id *ids;
    size_t n;
    if (!webhook_listen(db, a, environment, &ears, err))
        return false;
    if (!ears.n)
        return true;
    struct db_stmt *s = db_query(db, err, "SELECT id FROM messages WHERE environment_id = ?1 AND id IN "
                                 IDS_OF_MESSAGES_OF(RUNS_OF_EVENT("id", "?1", "?2")) " AND (?3 < 0 OR channel = ?3) ORDER BY id",
                                 environment, event, channel);
    if (!ROWS_READ(s, a, id_read, &ids, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!webhook_emit_message(db, &ears, WEBHOOK_MESSAGE_DELETED, ids[i], STR_NULL, now, err))
            return false;
    return true;
}

bool message_delete_by_event(struct db *db, struct id environment, struct id event, int channel, int64_t now, struct id *people,
                             size_t max, size_t *people_n, int64_t *deleted, struct error *err)
{
    /* Only the run of an event for one person, which has its id, is listed by a message. */
    if (!tell_deleted(db, environment, event, channel, now, err) || !run_list_itself(db, environment, event, err))
        return false;
    struct db_stmt *s = db_prepare(
        db, "DELETE FROM messages WHERE environment_id = ?1 AND id IN " IDS_OF_MESSAGES_OF(RUNS_OF_EVENT("id", "?1", "?2")) " "
            "AND (?3 < 0 OR channel = ?3) RETURNING subscriber_id, channel", err);
    enum db_step step;
    *people_n = 0;
    *deleted = 0;
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, event);
    db_bind_int(s, 3, channel);
    while ((step = db_step(s, err)) == DB_ROW) {
        (*deleted)++;
        if (db_int(s, 1) == CHANNEL_IN_APP && *people_n < max)
            people[(*people_n)++] = db_id(s, 0);
    }
    db_reset(s);
    return step == DB_DONE;
}

bool message_collect(struct db_stmt *s, struct arena *a, struct message **out, size_t *n, struct error *err)
{
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW) {
        message_read(s, a, ARENA_SLOT(a, *out, *n, cap));
    }
    db_reset(s);
    return step == DB_DONE;
}

bool message_list_by_run(struct db *db, struct arena *a, struct id environment, struct id run, struct message **out, size_t *n,
                         struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " MESSAGE_COLUMNS " FROM " MESSAGES_OF_RUN(MESSAGE_COLUMNS, "?1", "?2")
                                 " AS of_run ORDER BY id", environment, run);
    if (!s)
        return false;
    return message_collect(s, a, out, n, err);
}

/* A subscriber's messages are those of the runs there are, and the in-app ones that outlived theirs (retention.h), which are
 * older. */
enum part { OF_RUNS, OUTLIVED };

/* A place that messages (m) are found in, what follows FROM, and what gives time and id of their run in its order. */
struct source {
    const char *from, *at, *run;
};

#define OTHERS_OF_RUN "m.run_id = runs.id AND m.run_id <> m.id"
#define OWN_OF_RUN "m.environment_id = runs.environment_id AND m.id = runs.id AND m.run_id = m.id"
/* Their runs (run_private.h), newest first, with the few messages of each. CROSS: SQLite keeps to that order also where no other
 * is asked for, as in a count. */
static const struct source of_subscriber[] = {
    {"runs CROSS JOIN messages m WHERE " RUNS_LISTED("= ?3") " AND " OTHERS_OF_RUN, "runs.created_at", "runs.id"},
    {"runs CROSS JOIN messages m WHERE " RUNS_LISTED("= ?3") " AND " OWN_OF_RUN, "runs.created_at", "runs.id"},
    {"messages m0 CROSS JOIN runs CROSS JOIN messages m WHERE " RUNS_OF_FRESH_MESSAGE("m0.", "= ?3") " AND " OTHERS_OF_RUN, "m0.created_at", "m0.id"},
    {"messages m CROSS JOIN runs WHERE " RUNS_OF_FRESH_MESSAGE("m.", "= ?3"), "m.created_at", "m.id"},
    {"messages m0 CROSS JOIN runs CROSS JOIN messages m WHERE " RUNS_OF_TOUCHED_MESSAGE("m0.", "= ?3") " AND " OTHERS_OF_RUN, "m0.created_at", "m0.id"},
    {"messages m CROSS JOIN runs WHERE " RUNS_OF_TOUCHED_MESSAGE("m.", "= ?3"), "m.created_at", "m.id"},
};
/* What must not choose the index is written as a range: the planner would walk all of the environment (see run_list). */
#define IN_ENVIRONMENT "m.environment_id BETWEEN ?1 AND ?1"
static const struct source of_runs[] = {
    {"messages m WHERE " IN_ENVIRONMENT " AND m.run_id <> m.id AND m.run_id ", "0", "0"},
    {"messages m WHERE m.environment_id = ?1 AND m.run_id = m.id AND m.id ", "0", "0"},
};
/* What outlived its run is looked for in the Inbox's two indexes (inbox_private.h). */
static const struct source without_run[] = {
    {"messages m WHERE m.environment_id = ?1 AND m.id IN (SELECT id FROM messages WHERE subscriber_id = ?3 AND channel = 0 AND " INBOX_TOUCHED
     " UNION ALL SELECT id FROM messages WHERE subscriber_id = ?3 AND " INBOX_FRESH_OF("") ") AND NOT EXISTS (SELECT 1 FROM runs "
     "WHERE runs.environment_id = m.environment_id AND runs.id = m.run_id)", "0", "0"},
};
static const struct source of_environment[] = {{"messages m WHERE m.environment_id = ?1", "0", "0"}};

enum { FIRST_RUN = 9 };             /* parameter of list_statement */

static void put_source(struct buf *sql, const struct message_query *q, const struct source *s)
{
    buf_z(sql, s->from);
    if (q->runs) {
        buf_z(sql, "IN (NULL");
        for (size_t i = 0; i < q->runs_n; i++)
            buf_fmt(sql, ", ?%d", FIRST_RUN + (int)i);
        buf_char(sql, ')');
        if (!id_is_zero(q->subscriber))
            buf_z(sql, " AND m.subscriber_id = ?3");
    } else if (!id_is_zero(q->subscriber)) {
        buf_z(sql, " AND " IN_ENVIRONMENT);
    }
    if (q->channel >= 0)
        buf_z(sql, q->channel > 0 && id_is_zero(q->subscriber) ? " AND m.channel = ?2 AND m.channel <> 0" : " AND m.channel = ?2");
    if (q->seen >= 0)
        buf_z(sql, " AND m.seen = ?6");
    if (q->read >= 0)
        buf_z(sql, " AND m.read = ?7");
    if (q->context)
        buf_z(sql, " AND m.context = ?8");
    buf_z(sql, " AND " REMOVAL_NOT_HIDDEN("m.subscriber_id"));
}

/* columns NULL: a 1 for each. */
static void put_sources(struct buf *sql, const struct message_query *q, enum part part, const char *columns)
{
    bool of_one = part == OF_RUNS && !q->runs && !id_is_zero(q->subscriber);
    const struct source *list = part == OUTLIVED ? without_run : q->runs ? of_runs : of_one ? of_subscriber : of_environment;
    size_t n = q->runs ? sizeof of_runs / sizeof *of_runs : of_one ? sizeof of_subscriber / sizeof *of_subscriber : 1;
    for (size_t i = 0; i < n; i++) {
        buf_z(sql, i ? " UNION ALL SELECT " : "SELECT ");
        if (columns)
            buf_fmt(sql, "%s, %s, %s FROM ", columns, list[i].at, list[i].run);
        else
            buf_z(sql, "1 FROM ");
        put_source(sql, q, &list[i]);
    }
    if (columns)
        buf_z(sql, of_one ? " ORDER BY 22 DESC, 23 DESC, 1 DESC" : n > 1 ? " ORDER BY 1 DESC" : " ORDER BY m.id DESC");
    buf_z(sql, " LIMIT ?4 OFFSET ?5");
}

/* NULL: err. */
static struct db_stmt *list_statement(struct db *db, struct str sql, struct id environment, const struct message_query *q, int limit,
                                      int64_t offset, struct error *err)
{
    struct db_stmt *s = db_query(db, err, sql.p, environment);
    if (!s)
        return NULL;
    if (q->channel >= 0)
        db_bind_int(s, 2, q->channel);
    if (!id_is_zero(q->subscriber))
        db_bind_id(s, 3, q->subscriber);
    db_bind_int(s, 4, limit);
    db_bind_int(s, 5, offset);
    if (q->seen >= 0)
        db_bind_int(s, 6, q->seen);
    if (q->read >= 0)
        db_bind_int(s, 7, q->read);
    if (q->context)
        db_bind_text(s, 8, q->context->p ? *q->context : STR(""));
    for (size_t i = 0; q->runs && i < q->runs_n; i++)
        db_bind_id(s, FIRST_RUN + (int)i, q->runs[i]);
    return s;
}

static bool list_part(struct db *db, struct arena *a, struct id environment, const struct message_query *q, enum part part,
                      int64_t offset, int limit, struct message **out, size_t *n, struct error *err)
{
    struct buf sql = {.arena = a};
    put_sources(&sql, q, part, MESSAGE_COLUMNS_OF("m."));
    struct db_stmt *s = list_statement(db, buf_finish(&sql), environment, q, limit, offset, err);
    return s && message_collect(s, a, out, n, err);
}

static bool count_part(struct db *db, struct arena *a, struct id environment, const struct message_query *q, enum part part,
                       int64_t cap, int64_t *n, struct error *err)
{
    struct buf sql = {.arena = a};
    buf_z(&sql, "SELECT count(*) FROM (");
    put_sources(&sql, q, part, NULL);
    buf_z(&sql, ") AS capped");
    struct db_stmt *s = list_statement(db, buf_finish(&sql), environment, q, (int)cap, 0, err);
    if (!s || !row_one(s, "no count", err))
        return false;
    *n = db_int(s, 0);
    db_reset(s);
    return true;
}

/* Can there be any without a run? What a trigger made is named by its runs. */
static bool may_outlive(const struct message_query *q)
{
    return !id_is_zero(q->subscriber) && !q->runs && q->channel <= CHANNEL_IN_APP;
}

bool message_list(struct db *db, struct arena *a, struct id environment, const struct message_query *q,
                  struct message **out, size_t *n, struct error *err)
{
    struct message *more;
    int64_t passed = q->offset;
    size_t more_n;
    if (!list_part(db, a, environment, q, OF_RUNS, q->offset, q->limit, out, n, err))
        return false;
    if (*n == (size_t)q->limit || !may_outlive(q))
        return true;
    if (*n)
        passed = 0;
    else if (q->offset && !count_part(db, a, environment, q, OF_RUNS, q->offset, &passed, err))
        return false;
    else if (q->offset)
        passed = q->offset - passed;
    if (!list_part(db, a, environment, q, OUTLIVED, passed, q->limit - (int)*n, &more, &more_n, err))
        return false;
    struct message *both = ARENA_ARRAY(a, struct message, *n + more_n);
    for (size_t i = 0; i < *n + more_n; i++)
        both[i] = i < *n ? (*out)[i] : more[i - *n];
    *out = both;
    *n += more_n;
    return true;
}

bool message_count(struct db *db, struct arena *a, struct id environment, const struct message_query *q, int64_t *n, struct error *err)
{
    int64_t outlived = 0;
    if (!count_part(db, a, environment, q, OF_RUNS, MESSAGES_COUNTED, n, err))
        return false;
    if (*n < MESSAGES_COUNTED && may_outlive(q)
        && !count_part(db, a, environment, q, OUTLIVED, MESSAGES_COUNTED - *n, &outlived, err))
        return false;
    *n += outlived;
    return true;
}

/* --- marks of v1 --------------------------------------------------------------------------------------------------- */

/* What a mark sets (?1 is now), and which rows it concerns. */
static const struct { const char *set, *where; } marks[] = {
    [MARK_READ] = {"seen = 1, read = 1, first_seen_at = coalesce(first_seen_at, ?1), last_seen_at = ?1, last_read_at = ?1", "read = 0"},
    [MARK_SEEN] = {"seen = 1, first_seen_at = coalesce(first_seen_at, ?1), last_seen_at = ?1", "seen = 0"},
    [MARK_UNREAD] = {"read = 0, archived = 0, archived_at = NULL", "read = 1"},
    [MARK_UNSEEN] = {"seen = 0, read = 0, archived = 0, archived_at = NULL", "seen = 1"},
};

static bool runs_interacted(struct db *db, struct id environment, enum message_mark mark, const struct id *runs, size_t n,
                            struct error *err)
{
    for (size_t i = 0; i < n && (mark == MARK_READ || mark == MARK_SEEN); i++)
        if (!run_mark_interacted(db, environment, runs[i], err))
            return false;
    return true;
}

/* One that is not seen is not read. */
static enum webhook_type told_as(enum message_mark mark)
{
    return mark == MARK_READ ? WEBHOOK_MESSAGE_READ : mark == MARK_SEEN ? WEBHOOK_MESSAGE_SEEN : WEBHOOK_MESSAGE_UNREAD;
}

bool message_mark(struct db *db, struct message *m, enum message_mark mark, int64_t now, bool *changed, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct db_stmt *s = db_query(db, err, str_fmt(a,
                                 "UPDATE messages SET %s, updated_at = ?1 WHERE environment_id = ?2 AND id = ?3 AND %s" ,
                                 marks[mark].set, marks[mark].where).p,
                                 now, m->environment, m->id);
    if (!s || !db_run(s, err))
        return false;
    *changed = db_changes(s) > 0;
    if (!*changed)
        return true;
    m->updated_at = now;
    if (mark == MARK_UNREAD || mark == MARK_UNSEEN) {       /* an archived message is read (inbox.h) */
        m->archived = false;
        m->archived_at = 0;
    }
    m->seen = mark == MARK_READ || mark == MARK_SEEN || (m->seen && mark == MARK_UNREAD);
    m->read = mark == MARK_READ || (m->read && mark == MARK_SEEN);
    if (mark == MARK_READ || mark == MARK_SEEN) {
        m->first_seen_at = m->first_seen_at ? m->first_seen_at : now;
        m->last_seen_at = now;
    }
    if (mark == MARK_READ)
        m->last_read_at = now;
    return runs_interacted(db, m->environment, mark, &m->run, 1, err)
        && webhook_tell_message(db, m->environment, told_as(mark), m->id, now, err);
}

bool message_mark_all(struct db *db, struct id environment, struct id subscriber, enum message_mark mark, int64_t now, int max,
                      int64_t *changed, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct id *runs = ARENA_ARRAY(a, struct id, max), *ids = ARENA_ARRAY(a, struct id, max);
    struct webhook_ears ears;
    size_t n = 0;
    enum db_step step;
    if (!webhook_listen(db, a, environment, &ears, err))
        return false;
    struct db_stmt *s = db_query(
            db, err, str_fmt(a,
            "UPDATE messages SET %s, updated_at = ?1 WHERE environment_id = ?2 AND id IN (SELECT id FROM messages "
            "WHERE subscriber_id = ?3 AND channel = 0 AND " INBOX_TOUCHED " AND environment_id = ?2 AND %s UNION ALL SELECT id FROM messages "
            "WHERE subscriber_id = ?3 AND channel < 1 AND read = 0 AND archived = 0 AND snoozed_until IS NULL AND severity = 0 "
            "AND seen = 0 AND environment_id = ?2 AND %s LIMIT ?4) RETURNING run_id, id" ,
            marks[mark].set, marks[mark].where, marks[mark].where).p,
            now, environment, subscriber, max);
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW)
        if (n < (size_t)max) {
            runs[n] = db_id(s, 0);
            ids[n++] = db_id(s, 1);
        }
    db_reset(s);
    *changed = (int64_t)n;
    if (step != DB_DONE || !runs_interacted(db, environment, mark, runs, n, err))
        return false;
    for (size_t i = 0; i < n && ears.n; i++)
        if (!webhook_emit_message(db, &ears, told_as(mark), ids[i], STR_NULL, now, err))
            return false;
    return true;
}

/* --- the wire form --------------------------------------------------------------------------------------------------- */

struct str message_payload_text(struct arena *a, yyjson_val *payload)
{
    if (!payload)
        return STR("{}");
    if (!json_get(payload, "attachments"))
        return json_write(a, payload);
    yyjson_mut_val *shown = yyjson_val_mut_copy(json_doc(a), payload);
    yyjson_mut_obj_remove_key(shown, "attachments");
    return json_write_mut(a, shown);
}

yyjson_mut_val *message_json(yyjson_mut_doc *d, const struct message *m, yyjson_val *doc, struct id organization,
                             const struct subscriber *subscriber, struct str payload)
{
    static const char *const copied[] = {"transactionId", "templateIdentifier", "stepId", "providerId", "subject", "content",
                                         "avatar", "data", "tags", "email", "phone", "title", "identifier", "errorId",
                                         "errorText", "deviceTokens", "overrides", "workflow", "actor"};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", m->id);
    json_add_id(d, o, "_templateId", m->workflow);
    json_add_id(d, o, "_environmentId", m->environment);
    json_add_id(d, o, "_organizationId", organization);
    json_add_id(d, o, "_notificationId", m->run);
    json_add_id(d, o, "_subscriberId", m->subscriber);
    json_add_id(d, o, "_jobId", m->job);
    json_add_id(d, o, "_messageTemplateId", m->job);
    json_add_str(d, o, "channel", channel_name(m->channel));
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i], json_get(doc, copied[i]));
    /* The browser client reads cta.action without a check: cta is always an object (inbox-realtime.md §6.1). */
    if (json_get(doc, "cta"))
        json_add_val(d, o, "cta", json_get(doc, "cta"));
    else
        json_add_obj(d, o, "cta");
    json_add_text(d, o, "payload", payload.n ? payload : STR("{}"));
    json_add_str(d, o, "severity", severity_name(m->severity));
    json_add_str(d, o, "status", message_status_name(m->status));
    json_add_bool(d, o, "seen", m->seen);
    json_add_bool(d, o, "read", m->read);
    json_add_bool(d, o, "archived", m->archived);
    json_add_bool(d, o, "deleted", false);
    context_keys_add(d, o, m->context);
    json_add_times(d, o, "deliveredAt", json_get(doc, "deliveredAt"));
    json_add_time_if(d, o, "snoozedUntil", m->snoozed_until);
    json_add_time_if(d, o, "firstSeenDate", m->first_seen_at);
    json_add_time_if(d, o, "lastSeenDate", m->last_seen_at);
    json_add_time_if(d, o, "lastReadDate", m->last_read_at);
    json_add_time_if(d, o, "archivedAt", m->archived_at);
    json_add_time(d, o, "createdAt", m->created_at);
    json_add_time(d, o, "updatedAt", m->updated_at);
    if (subscriber)
        yyjson_mut_obj_add_val(d, o, "subscriber", subscriber_json(d, subscriber, organization));
    return o;
}
