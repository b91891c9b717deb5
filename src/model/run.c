/* Runs in the store. */
#include "model/run.h"

#include <stdio.h>

#include "base/json.h"
#include "model/removal.h"
#include "model/row.h"
#include "model/run_private.h"

/* With the table that gives id and time: those of a run and of the message that it is listed by are the same, but an order by
 * an index needs that one's. */
#define RUN_COLUMNS_BY(t)                                                                                             \
    t "id, runs.environment_id, runs.event_id, runs.workflow_id, runs.workflow_version, runs.subscriber_id, runs.context, " \
    "runs.status, runs.delivery, runs.severity, runs.channels, runs.revision, runs.state, " t "created_at, runs.updated_at"
#define RUN_COLUMNS                                                                                                  \
    "id, environment_id, event_id, workflow_id, workflow_version, subscriber_id, context, status, delivery, severity, " \
    "channels, revision, state, created_at, updated_at"

static void run_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct run_row *r = out;
    *r = (struct run_row){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .event = db_id(s, 2),
        .workflow = db_id(s, 3),
        .workflow_version = db_int(s, 4),
        .subscriber = db_id(s, 5),
        .context = row_text(s, 6, a),
        .status = (enum run_status)db_int(s, 7),
        .delivery = (enum delivery_status)db_int(s, 8),
        .severity = (enum severity)db_int(s, 9),
        .channels = (unsigned)db_int(s, 10),
        .revision = db_int(s, 11),
        .state = row_text(s, 12, a),
        .created_at = db_int(s, 13),
        .updated_at = db_int(s, 14),
    };
}

#define INSERT_OF(subscriber) \
    "INSERT INTO runs (" RUN_COLUMNS ", listed) VALUES (?1, ?2, ?3, ?4, ?5, " subscriber ", ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, " \
    "?15, ?16)"

static bool insert(struct db *db, const char *sql, const struct run_row *r, struct error *err)
{
    struct db_stmt *s = db_query(db, err, sql,
                                 r->id, r->environment, r->event, r->workflow, r->workflow_version, r->subscriber,
                                 r->context.p ? r->context : STR(""), r->status, r->delivery, r->severity, r->channels,
                                 r->revision, r->state, r->created_at, r->updated_at, !r->by_message);
    struct error why = {0};
    if (!s)
        return false;
    if (db_run(s, &why))
        return true;
    if (why.code == ERROR_CONFLICT)     /* NOT NULL: ids are new */
        return error_set(err, ERROR_NOT_FOUND, "Subscriber not found");
    if (err)
        *err = why;
    return false;
}

bool run_insert_of(struct db *db, const struct run_row *r, struct error *err)
{
    return insert(db, INSERT_OF("?6"), r, err);
}

/* No run without its person: they may have been deleted since the run was planned. Not by INSERT … SELECT, for which SQLite
 * copies each page before it changes it. */
bool run_insert(struct db *db, const struct run_row *r, struct error *err)
{
    return insert(db, INSERT_OF("(SELECT id FROM subscribers WHERE environment_id = ?2 AND id = ?6)"), r, err);
}

bool run_update(struct db *db, const struct run_row *r, bool *updated, struct error *err)
{
    /* What people did with a message (interacted, 7) and what its provider reported (delivered, 6) is not undone by a step
     * that ends later. */
    struct db_stmt *s = db_query(
            db, err,
            "UPDATE runs SET status = ?1, delivery = CASE WHEN delivery = 7 OR (delivery = 6 AND ?2 IN (0, 1)) THEN delivery "
            "ELSE ?2 END, " "state = ?3, updated_at = ?4, revision = revision + 1 "
            "WHERE environment_id = ?5 AND id = ?6 AND revision = ?7",
            r->status, r->delivery, r->state, r->updated_at, r->environment, r->id, r->revision);
    if (!s || !db_run(s, err))
        return false;
    *updated = db_changes(s) > 0;
    return true;
}

bool run_mark_interacted(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "UPDATE runs SET delivery = 7 WHERE environment_id = ?1 AND id = ?2 AND delivery <> 7",
                    environment, id);
}

/* "r1700000000000.<message>;" */
static bool mark_write(struct db *db, const char *sql, struct id environment, struct id id, struct id message, enum run_mark what,
                       int64_t now, struct error *err)
{
    char text[64], hex[ID_HEX + 1];
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    id_hex(message, hex);
    int n = snprintf(text, sizeof text, "%c%lld.%s;", (char)what, (long long)now, hex);
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    db_bind_int(s, 3, RUN_MARKS_MAX);
    db_bind_text(s, 4, (struct str){text, (size_t)n});
    return db_run(s, err);
}

#define ADD_MARK "marks = CASE WHEN length(marks) < ?3 THEN marks || ?4 ELSE marks END WHERE environment_id = ?1 AND id = ?2"

bool run_mark(struct db *db, struct id environment, struct id id, struct id message, enum run_mark what, int64_t now,
              struct error *err)
{
    return mark_write(db, "UPDATE runs SET delivery = 7, " ADD_MARK, environment, id, message, what, now, err);
}

bool run_mark_reported(struct db *db, struct id environment, struct id id, struct id message, enum run_mark what, int64_t now,
                       struct error *err)
{
    const char *sql = what == MARKED_UNDELIVERED ? "UPDATE runs SET " ADD_MARK
                                                 : "UPDATE runs SET delivery = CASE WHEN delivery IN (0, 1) THEN 6 ELSE delivery END, " ADD_MARK;
    return mark_write(db, sql, environment, id, message, what, now, err);
}

static size_t count_of(struct str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

static struct run_marked *marks_decode(struct arena *a, struct str text, size_t *n)
{
    struct run_marked *list = ARENA_ARRAY(a, struct run_marked, count_of(text, ';') + 1);
    size_t at = 0;
    for (*n = 0; at < text.n; at++) {
        struct run_marked *m = &list[*n];
        m->what = (enum run_mark)text.p[at++];
        for (; at < text.n && text.p[at] != '.'; at++)
            m->at = m->at * 10 + (text.p[at] - '0');
        at++;
        if (at + ID_HEX < text.n + 1 && id_parse(str_sub(text, at, at + ID_HEX), &m->message))
            (*n)++;
        at += ID_HEX;                   /* on the semicolon */
    }
    return list;
}

bool run_marks(struct db *db, struct arena *a, struct id environment, struct id id, struct run_marked **out, size_t *n,
               struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT marks FROM runs WHERE environment_id = ?1 AND id = ?2", environment, id);
    if (!s)
        return false;
    if (!row_one(s, "Notification not found", err))
        return false;
    *out = marks_decode(a, row_text(s, 0, a), n);
    db_reset(s);
    return true;
}

bool run_find(struct db *db, struct arena *a, struct id environment, struct id id, struct run_row *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " RUN_COLUMNS " FROM runs WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, run_read, out, "Notification not found", err);
}

bool run_count_by_event(struct db *db, struct id environment, struct id event, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM " RUNS_OF_EVENT("id", "?1", "?2") " AS of_event", environment, event);
    return row_int(s, n, err);
}

enum { SLACK_S = 60 };              /* clocks of several processes */

bool run_exists(struct db *db, struct id event, struct id subscriber, bool *exists, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM runs WHERE subscriber_id = ?1 AND listed = 1 AND created_at >= ?2 "
                                 "AND event_id = ?3 LIMIT 1", subscriber, (id_seconds(event) - SLACK_S) * 1000, event);
    return row_exists(s, exists, err);
}

bool run_list_itself(struct db *db, struct id environment, struct id message, struct error *err)
{
    return db_write(db, err, "UPDATE runs SET listed = 1 WHERE environment_id = ?1 AND id = ?2 AND listed = 0", environment, message);
}

bool run_list_open(struct db *db, struct arena *a, struct id environment, struct id event, struct id after, int limit,
                   struct run_row **out, size_t *n, struct error *err)
{
    /* 0: processing; 5: merged. */
    struct db_stmt *s = db_query(db, err, "SELECT " RUN_COLUMNS " FROM runs WHERE environment_id = ?1 AND id = ?2 AND id > ?3 "
                                 "AND (status = 0 OR delivery = 5) UNION ALL "
                                 "SELECT " RUN_COLUMNS " FROM runs WHERE event_id = ?2 AND event_id <> id AND id > ?3 "
                                 "AND (status = 0 OR delivery = 5) ORDER BY 1 LIMIT ?4",
                                 environment, event, after, limit);
    enum db_step step;
    if (!s)
        return false;
    *out = ARENA_ARRAY(a, struct run_row, limit);
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW)
        run_read(s, a, &(*out)[(*n)++]);
    db_reset(s);
    return step == DB_DONE;
}

enum { FIRST_OF_LISTS = 14 };       /* parameters of run_list */


struct id run_id_floor(int64_t from)
{
    return id_floor(from / 1000 - SLACK_S);
}

/* IN (…) of n parameters. */
static void put_in(struct buf *b, size_t n, int *next)
{
    buf_z(b, "IN (");
    for (size_t i = 0; i < n; i++)
        buf_fmt(b, "%s?%d", i ? ", " : "", (*next)++);
    buf_char(b, ')');
}

static void in_list(struct buf *b, const char *column, size_t n, int *next)
{
    buf_fmt(b, " AND %s ", column);
    put_in(b, n, next);
}

/* As literals: shifting a mask by a column is written differently in the two dialects. */
static void severity_list(struct buf *b, unsigned severities)
{
    const char *comma = "";
    buf_z(b, " AND runs.severity IN (");
    for (int i = 0; i < SEVERITIES; i++)
        if (severities >> i & 1) {
            buf_fmt(b, "%s%d", comma, i);
            comma = ", ";
        }
    buf_z(b, *comma ? ")" : "-1)");
}

/* LIKE finds the member of a run's topics, which the state has as text: %"name":"value"%. */
static struct str topic_member(struct arena *a, const char *name, struct str value)
{
    struct buf member = {.arena = a}, b = {.arena = a};
    buf_fmt(&member, "\"%s\":", name);
    json_quote(&member, value);
    buf_char(&b, '%');
    for (size_t i = 0; i < member.n; i++) {
        if (strchr("%_\\", member.p[i]))
            buf_char(&b, '\\');
        buf_char(&b, member.p[i]);
    }
    buf_char(&b, '%');
    return buf_finish(&b);
}

static void bind_ids(struct db_stmt *s, const struct id *ids, size_t n, int *next)
{
    for (size_t i = 0; i < n; i++)
        db_bind_id(s, (*next)++, ids[i]);
}

/* From all runs, or those of the events.
 * An event has few runs, but the planner would rather walk the environment in the order that is asked for: written as a range,
 * the environment cannot give that order. */
static void put_source(struct buf *b, const struct run_query *q, int *next)
{
    int first = *next;
    buf_z(b, "SELECT " RUN_COLUMNS " FROM ");
    if (q->events_n) {
        buf_z(b, "(SELECT " RUN_COLUMNS " FROM runs WHERE environment_id = ?1");
        in_list(b, "id", q->events_n, next);
        *next = first;
        buf_z(b, " UNION ALL SELECT " RUN_COLUMNS " FROM runs WHERE event_id <> id");
        in_list(b, "event_id", q->events_n, next);
        buf_z(b, ") AS ");
    } else if (!id_is_zero(q->event)) {
        buf_z(b, RUNS_OF_EVENT(RUN_COLUMNS, "?1", "?2") " AS ");
    }
    buf_z(b, q->events_n || !id_is_zero(q->event) ? "runs WHERE 1 = 1" : "runs WHERE runs.environment_id = ?1");
    if (q->events_n && !id_is_zero(q->event))
        buf_z(b, " AND runs.event_id = ?2");
}

/* A channel that few runs have is looked for among all: an index by channels would make each run's row 15 % dearer (3.5 us,
 * measured with SQLite), and which channel is rare differs from environment to environment. A span of time bounds it. */
static void put_conditions(struct buf *b, const struct run_query *q, int next)
{
    buf_z(b, " AND runs.environment_id BETWEEN ?1 AND ?1");
    if (q->channels)
        buf_z(b, " AND (runs.channels & ?3) <> 0");
    if (q->severities)
        severity_list(b, q->severities);
    if (q->from)
        buf_z(b, " AND runs.created_at >= ?4 AND runs.id >= ?12");
    if (q->to)
        buf_z(b, " AND runs.created_at <= ?5 AND runs.id < ?13");
    if (q->context)
        buf_z(b, " AND runs.context = ?8");
    if (q->topic_key.n)
        buf_z(b, " AND runs.state LIKE ?9 ESCAPE '\\'");
    if (q->subscription.n)
        buf_z(b, " AND (runs.state LIKE ?10 ESCAPE '\\' OR runs.state LIKE ?11 ESCAPE '\\')");
    if (q->workflows_n)
        in_list(b, "runs.workflow_id", q->workflows_n, &next);
    if (q->subscribers_n)
        in_list(b, "runs.subscriber_id", q->subscribers_n, &next);
    buf_z(b, " AND " REMOVAL_NOT_HIDDEN("runs.subscriber_id"));
}

/* People's runs, from the three places that they are found in (run_private.h). */
static void put_people(struct buf *b, const struct run_query *q)
{
    struct buf whose = {.arena = b->arena};
    int next = FIRST_OF_LISTS + (int)q->workflows_n;
    put_in(&whose, q->subscribers_n, &next);
    const char *of = buf_finish(&whose).p;
    const char *times = q->from && q->to ? " AND m0.created_at >= ?4 AND m0.created_at <= ?5"
                         : q->from ? " AND m0.created_at >= ?4" : q->to ? " AND m0.created_at <= ?5" : "";
    buf_fmt(b, "SELECT " RUN_COLUMNS_BY("runs.") " FROM runs WHERE " RUNS_LISTED("%s"), of);
    put_conditions(b, q, FIRST_OF_LISTS);
    buf_fmt(b, " UNION ALL SELECT " RUN_COLUMNS_BY("m0.") " FROM messages m0 CROSS JOIN runs WHERE " RUNS_OF_FRESH_MESSAGE("m0.", "%s") "%s", of, times);
    put_conditions(b, q, FIRST_OF_LISTS);
    buf_fmt(b, " UNION ALL SELECT " RUN_COLUMNS_BY("m0.") " FROM messages m0 CROSS JOIN runs WHERE " RUNS_OF_TOUCHED_MESSAGE("m0.", "%s") "%s", of, times);
    put_conditions(b, q, FIRST_OF_LISTS);
}

bool run_list(struct db *db, struct arena *a, struct id environment, const struct run_query *q, struct run_row **out,
              size_t *n, struct error *err)
{
    struct buf sql = {.arena = a};
    int next = FIRST_OF_LISTS + (int)(q->workflows_n + q->subscribers_n);
    bool of_people = q->subscribers_n && !q->events_n && id_is_zero(q->event);
    enum db_step step;
    if (of_people) {
        put_people(&sql, q);
        buf_z(&sql, " ORDER BY 14 DESC, 1 DESC LIMIT ?6 OFFSET ?7");
    } else {
        put_source(&sql, q, &next);
        put_conditions(&sql, q, FIRST_OF_LISTS);
        buf_z(&sql, " ORDER BY runs.id DESC LIMIT ?6 OFFSET ?7");
    }
    struct db_stmt *s = db_query(db, err, buf_finish(&sql).p, environment);
    if (!s)
        return false;
    if (!id_is_zero(q->event))
        db_bind_id(s, 2, q->event);
    if (q->channels)
        db_bind_int(s, 3, q->channels);
    if (q->from)
        db_bind_int(s, 4, q->from);
    if (q->from)
        db_bind_id(s, 12, run_id_floor(q->from));
    if (q->to)
        db_bind_int(s, 5, q->to);
    if (q->to)
        db_bind_id(s, 13, id_floor(q->to / 1000 + SLACK_S + 1));
    db_bind_int(s, 6, q->limit);
    db_bind_int(s, 7, q->offset);
    if (q->context)
        db_bind_text(s, 8, *q->context);
    if (q->topic_key.n)
        db_bind_text(s, 9, topic_member(a, "topicKey", q->topic_key));
    if (q->subscription.n) {
        db_bind_text(s, 10, topic_member(a, "_topicSubscriptionId", q->subscription));
        db_bind_text(s, 11, topic_member(a, "subscriptionIdentifier", q->subscription));
    }
    next = FIRST_OF_LISTS;
    bind_ids(s, q->workflows, q->workflows_n, &next);
    bind_ids(s, q->subscribers, q->subscribers_n, &next);
    bind_ids(s, q->events, q->events_n, &next);
    *out = ARENA_ARRAY(a, struct run_row, q->limit);
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW)
        run_read(s, a, &(*out)[(*n)++]);
    db_reset(s);
    return step == DB_DONE;
}
