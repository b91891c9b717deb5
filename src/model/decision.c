/* Decisions in the store. */
#include "model/decision.h"

#include "model/row.h"
#include "model/run_private.h"

#define RUN_PART(t)                                                                                                     \
    "SELECT 0 AS kind, " t "id AS id, runs.event_id AS event_id, runs.workflow_id AS workflow_id, "                      \
    "runs.workflow_version AS workflow_version, " t "created_at AS made_at, NULL AS evaluations, 1 AS times FROM "

/* Each part alone gives its newest in the order of an index, but for the few duplicates. ?1 environment, ?2 person, ?3 and ?8
 * cursor, ?4 and ?5 times, ?6 how many, ?7 workflow. */
static const struct { const char *select, *at, *id, *workflow; } parts[] = {
    {RUN_PART("runs.") "runs WHERE " RUNS_LISTED("= ?2"), "runs.created_at", "runs.id", "runs.workflow_id"},
    {RUN_PART("m0.") "messages m0 CROSS JOIN runs WHERE " RUNS_OF_FRESH_MESSAGE("m0.", "= ?2"), "m0.created_at", "m0.id", "runs.workflow_id"},
    {RUN_PART("m0.") "messages m0 CROSS JOIN runs WHERE " RUNS_OF_TOUCHED_MESSAGE("m0.", "= ?2"), "m0.created_at", "m0.id", "runs.workflow_id"},
    {"SELECT 1 AS kind, f.event_id AS id, f.event_id AS event_id, e.workflow_id AS workflow_id, "
     "f.workflow_version AS workflow_version, f.created_at AS made_at, f.evaluations AS evaluations, 1 AS times "
     "FROM fanout_refusals f JOIN events e ON e.environment_id = ?1 AND e.id = f.event_id WHERE f.subscriber_id = ?2",
     "f.created_at", "f.event_id", "e.workflow_id"},
    {"SELECT 2 AS kind, d.id AS id, d.event_id AS event_id, d.workflow_id AS workflow_id, "
     "d.workflow_version AS workflow_version, d.updated_at AS made_at, NULL AS evaluations, d.times AS times "
     "FROM duplicate_triggers d JOIN events e ON e.environment_id = ?1 AND e.id = d.event_id WHERE d.subscriber_id = ?2",
     "d.updated_at", "d.id", "d.workflow_id"},
};

static struct str list_sql(struct arena *a, const struct decision_query *q)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_fmt(&b, "%s SELECT * FROM (%s", i ? " UNION ALL" : "", parts[i].select);
        if (!id_is_zero(q->after))
            buf_fmt(&b, " AND (%s, %s) < (?8, ?3)", parts[i].at, parts[i].id);
        if (q->from)
            buf_fmt(&b, " AND %s >= ?4", parts[i].at);
        if (q->to)
            buf_fmt(&b, " AND %s <= ?5", parts[i].at);
        if (!id_is_zero(q->workflow))
            buf_fmt(&b, " AND %s = ?7", parts[i].workflow);
        buf_fmt(&b, " ORDER BY %s DESC, %s DESC LIMIT ?6) AS p%zu", parts[i].at, parts[i].id, i);
    }
    buf_z(&b, " ORDER BY made_at DESC, id DESC LIMIT ?6");
    return buf_finish(&b);
}

/* When the cursor's decision was made; it may be gone by now. */
static bool cursor_time(struct db *db, struct id environment, const struct decision_query *q, int64_t *at, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT created_at FROM runs WHERE environment_id = ?1 AND id = ?3 AND subscriber_id = ?2 "
            "UNION ALL SELECT created_at FROM fanout_refusals WHERE event_id = ?3 AND subscriber_id = ?2 "
            "UNION ALL SELECT updated_at FROM duplicate_triggers WHERE subscriber_id = ?2 AND id = ?3 LIMIT 1",
            environment, q->subscriber, q->after);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *at = step == DB_ROW ? db_int(s, 0) : id_seconds(q->after) * 1000 + 999;
    db_reset(s);
    return step != DB_FAILED;
}

bool decision_list(struct db *db, struct arena *a, struct id environment, const struct decision_query *q,
                   struct decision_row **out, size_t *n, struct error *err)
{
    int64_t at = 0;
    if (!id_is_zero(q->after) && !cursor_time(db, environment, q, &at, err))
        return false;
    struct db_stmt *s = db_query(db, err, list_sql(a, q).p, environment, q->subscriber);
    enum db_step step;
    if (!s)
        return false;
    if (!id_is_zero(q->after)) {
        db_bind_id(s, 3, q->after);
        db_bind_int(s, 8, at);
    }
    if (q->from)
        db_bind_int(s, 4, q->from);
    if (q->to)
        db_bind_int(s, 5, q->to);
    db_bind_int(s, 6, q->limit);
    if (!id_is_zero(q->workflow))
        db_bind_id(s, 7, q->workflow);
    *out = ARENA_ARRAY(a, struct decision_row, q->limit);
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW)
        (*out)[(*n)++] = (struct decision_row){
            .kind = (enum decision_kind)db_int(s, 0), .id = db_id(s, 1), .event = db_id(s, 2), .workflow = db_id(s, 3),
            .workflow_version = db_int(s, 4), .at = db_int(s, 5), .evaluations = row_text(s, 6, a), .times = db_int(s, 7)};
    db_reset(s);
    return step == DB_DONE;
}

bool decision_duplicate(struct db *db, struct id subscriber, const struct decision_row *d, struct error *err)
{
    return db_write(
            db, err,
            "INSERT INTO duplicate_triggers (subscriber_id, event_id, id, workflow_id, workflow_version, times, updated_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6) ON CONFLICT (subscriber_id, event_id) DO UPDATE SET id = excluded.id, "
            "workflow_id = excluded.workflow_id, workflow_version = excluded.workflow_version, "
            "times = duplicate_triggers.times + 1, updated_at = excluded.updated_at",
            subscriber, d->event, d->id, d->workflow, d->workflow_version, d->at);
}
