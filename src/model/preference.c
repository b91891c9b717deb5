/* Preferences in the store. */
#include "model/preference.h"

#include "model/people.h"
#include "model/row.h"

#define PREFERENCE_COLUMNS                                                                                             \
    "id, environment_id, subscriber_id, workflow_id, subscription_id, context, doc, created_at, updated_at"

static const struct id NONE;

struct preference preference_blank(void)
{
    struct preference p = {.enabled = CHOICE_UNSET};
    for (int c = 0; c < CHANNELS; c++)
        p.channel[c] = CHOICE_UNSET;
    return p;
}

/* --- the stored document -------------------------------------------------------------------------------------- */

static enum choice choice_of(yyjson_val *v)
{
    return yyjson_is_bool(v) ? (enum choice)yyjson_get_bool(v) : CHOICE_UNSET;
}

static void doc_read(struct arena *a, struct str text, struct preference *p)
{
    yyjson_val *doc = NULL;
    json_parse(a, text, &doc, NULL);
    yyjson_val *all = json_get(doc, "all"), *channels = json_get(doc, "channels");
    p->enabled = choice_of(json_get(all, "enabled"));
    for (int c = 0; c < CHANNELS; c++)
        p->channel[c] = choice_of(json_getn(channels, channel_name((enum channel)c)));
    if (json_get(all, "condition"))
        p->condition = json_write(a, json_get(all, "condition"));
    if (json_get(doc, "schedule"))
        p->schedule = json_write(a, json_get(doc, "schedule"));
}

static struct str doc_write(struct arena *a, const struct preference *p)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (p->enabled != CHOICE_UNSET || p->condition.p) {
        yyjson_mut_val *all = json_add_obj(d, o, "all");
        if (p->enabled != CHOICE_UNSET)
            json_add_bool(d, all, "enabled", p->enabled == CHOICE_ON);
        json_add_text(d, all, "condition", p->condition);
    }
    yyjson_mut_val *channels = json_add_obj(d, o, "channels");
    for (int c = 0; c < CHANNELS; c++)
        if (p->channel[c] != CHOICE_UNSET)
            json_add_bool(d, channels, channel_name((enum channel)c).p, p->channel[c] == CHOICE_ON);
    json_add_text(d, o, "schedule", p->schedule);
    return json_write_mut(a, o);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void preference_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct preference *p = out;
    *p = preference_blank();
    p->id = db_id(s, 0);
    p->environment = db_id(s, 1);
    p->subscriber = db_id(s, 2);
    p->workflow = db_id(s, 3);
    p->subscription = db_id(s, 4);
    p->context = row_text(s, 5, a);
    p->created_at = db_int(s, 7);
    p->updated_at = db_int(s, 8);
    doc_read(a, db_text(s, 6), p);
}

static struct str context_of(struct str context)
{
    return context.p ? context : STR("");
}

/* Takes row for slot if the slot is empty or holds the row without a context. */
static void take(struct preference_rows *out, unsigned bit, struct preference *slot, const struct preference *row)
{
    if (out->found & bit && slot->context.n)
        return;
    *slot = *row;
    out->found |= bit;
}

/* One key after the other: SQLite makes a table of every IN list, which took longer than all of the search. CASE keeps
 * it from making one of the contexts. */
#define FOR_RUN(workflow, subscription)                                                                              \
    "SELECT " PREFERENCE_COLUMNS " FROM preferences WHERE subscriber_id = ?1 AND workflow_id = " workflow                \
    " AND subscription_id = " subscription " AND CASE context WHEN '' THEN 1 WHEN ?5 THEN 1 ELSE 0 END = 1"

bool preference_for_run(struct db *db, struct arena *a, struct id subscriber, struct id workflow, struct id subscription,
                        struct str context, struct preference_rows *out, struct error *err)
{
    struct preference *rows;
    size_t n;
    struct db_stmt *s = db_prepare(
        db, FOR_RUN("?2", "?2") " UNION ALL " FOR_RUN("?3", "?2") " UNION ALL " FOR_RUN("?3", "?4") " AND ?4 <> ?2", err);
    *out = (struct preference_rows){0};
    if (!s)
        return false;
    db_bind_id(s, 1, subscriber);
    db_bind_id(s, 2, NONE);
    db_bind_id(s, 3, workflow);
    db_bind_id(s, 4, subscription);
    db_bind_text(s, 5, context_of(context));
    if (!ROWS_READ(s, a, preference_read, &rows, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool global = id_is_zero(rows[i].workflow), plain = id_is_zero(rows[i].subscription);
        if (global && plain)
            take(out, PREFERENCE_GLOBAL, &out->global, &rows[i]);
        else if (!global && plain)
            take(out, PREFERENCE_WORKFLOW, &out->workflow, &rows[i]);
        else if (!global)
            take(out, PREFERENCE_SUBSCRIPTION, &out->subscription, &rows[i]);
    }
    return true;
}

bool preference_any(struct db *db, struct id workflow, bool *any, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM preferences WHERE workflow_id IN (?1, ?2) LIMIT 1", NONE, workflow);
    return row_exists(s, any, err);
}

bool preference_list(struct db *db, struct arena *a, struct id subscriber, const struct str *context, struct preference **out,
                     size_t *n, struct error *err)
{
    struct db_stmt *s = context
        ? db_prepare(db, "SELECT " PREFERENCE_COLUMNS " FROM preferences WHERE subscriber_id = ?1 AND context = ?2 "
                         "ORDER BY workflow_id, subscription_id", err)
        : db_prepare(db, "SELECT " PREFERENCE_COLUMNS " FROM preferences WHERE subscriber_id = ?1 "
                         "ORDER BY workflow_id, subscription_id, context", err);
    if (!s)
        return false;
    db_bind_id(s, 1, subscriber);
    if (context)
        db_bind_text(s, 2, context_of(*context));
    return ROWS_READ(s, a, preference_read, out, n, err);
}

bool preference_list_by_subscription(struct db *db, struct arena *a, struct id subscription, struct preference **out, size_t *n,
                                     struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " PREFERENCE_COLUMNS
                                 " FROM preferences WHERE subscription_id = ?1 ORDER BY id",
                                 subscription);
    return ROWS_READ(s, a, preference_read, out, n, err);
}

/* The stored row with p's key; *found false and *out blank if there is none. */
static bool stored_find(struct db *db, struct arena *a, const struct preference *p, struct preference *out, bool *found,
                        struct error *err)
{
    struct preference *rows;
    size_t n;
    struct db_stmt *s = db_query(db, err, "SELECT " PREFERENCE_COLUMNS
                                 " FROM preferences WHERE subscriber_id = ?1 AND workflow_id = ?2 AND subscription_id = ?3 "
                                 "AND context = ?4",
                                 p->subscriber, p->workflow, p->subscription, context_of(p->context));
    if (!s)
        return false;
    if (!ROWS_READ(s, a, preference_read, &rows, &n, err))
        return false;
    *found = n > 0;
    *out = n ? rows[0] : preference_blank();
    return true;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

bool preference_replace(struct db *db, const struct preference *p, int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    people_note_id(db, p->subscriber);
    return db_write(
            db, err,
            "INSERT INTO preferences (id, environment_id, subscriber_id, workflow_id, subscription_id, context, doc, created_at, "
            "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) "
            "ON CONFLICT (subscriber_id, workflow_id, subscription_id, context) DO UPDATE SET doc = excluded.doc, "
            "updated_at = excluded.updated_at",
            p->id, p->environment, p->subscriber, p->workflow, p->subscription, context_of(p->context), doc_write(a, p),
            now);
}

/* What is newly chosen globally is no longer chosen otherwise for single workflows (decisions.md 15). */
static bool workflow_rows_reset(struct db *db, struct arena *a, const struct preference *global, int64_t now, struct error *err)
{
    struct preference *rows;
    size_t n;
    struct str context = context_of(global->context);
    if (!preference_list(db, a, global->subscriber, &context, &rows, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool changed = false;
        if (id_is_zero(rows[i].workflow) || !id_is_zero(rows[i].subscription))
            continue;
        for (int c = 0; c < CHANNELS; c++)
            if (global->channel[c] != CHOICE_UNSET && rows[i].channel[c] != CHOICE_UNSET) {
                rows[i].channel[c] = CHOICE_UNSET;
                changed = true;
            }
        if (changed && !preference_replace(db, &rows[i], now, err))
            return false;
    }
    return true;
}

bool preference_write(struct db *db, const struct preference *p, int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct preference row;
    bool found;
    if (!stored_find(db, a, p, &row, &found, err))
        return false;
    if (!found) {
        row = *p;
    } else {
        if (p->enabled != CHOICE_UNSET)
            row.enabled = p->enabled;
        for (int c = 0; c < CHANNELS; c++)
            if (p->channel[c] != CHOICE_UNSET)
                row.channel[c] = p->channel[c];
        if (p->condition.p)
            row.condition = p->condition;
        if (p->schedule.p)
            row.schedule = p->schedule;
    }
    bool global = id_is_zero(p->workflow) && id_is_zero(p->subscription);
    return preference_replace(db, &row, now, err) && (!global || workflow_rows_reset(db, a, p, now, err));
}

static bool delete_by(struct db *db, const char *sql, struct id id, struct error *err)
{
    return db_write(db, err, sql, id);
}

bool preference_delete_by_subscription(struct db *db, struct id subscription, struct error *err)
{
    return delete_by(db, "DELETE FROM preferences WHERE subscription_id = ?1", subscription, err);
}

bool preference_delete_by_workflow(struct db *db, struct id workflow, struct error *err)
{
    return delete_by(db, "DELETE FROM preferences WHERE workflow_id = ?1", workflow, err);
}
