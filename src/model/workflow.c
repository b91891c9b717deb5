/* Workflows in the store. */
#include "model/workflow.h"

#include "base/crypto.h"
#include "model/removal.h"
#include "model/row.h"

#define WORKFLOW_COLUMNS "id, environment_id, identifier, name, active, version, doc, created_at, updated_at, last_triggered_at"

static void workflow_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct workflow *w = out;
    *w = (struct workflow){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .identifier = row_text(s, 2, a),
        .name = row_text(s, 3, a),
        .active = db_int(s, 4) != 0,
        .version = db_int(s, 5),
        .doc = row_text(s, 6, a),
        .created_at = db_int(s, 7),
        .updated_at = db_int(s, 8),
        .last_triggered_at = db_int(s, 9),
    };
}

static bool version_insert(struct db *db, const struct workflow *w, struct id user, struct error *err)
{
    uint8_t hash[32];
    struct db_stmt *s = db_prepare(db, "INSERT INTO workflow_versions (workflow_id, number, user_id, hash, name, doc, created_at) "
                                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (workflow_id, number) DO NOTHING", err);
    if (!s)
        return false;
    crypto_sha256(w->doc, hash);
    db_bind_id(s, 1, w->id);
    db_bind_int(s, 2, w->version);
    db_bind_id(s, 3, user);
    db_bind_blob(s, 4, (struct str){(char *)hash, sizeof hash});
    db_bind_text(s, 5, w->name);
    db_bind_text(s, 6, w->doc);
    db_bind_int(s, 7, w->updated_at);
    return db_run(s, err);
}

bool workflow_insert(struct db *db, const struct workflow *w, struct id user, struct error *err)
{
    return db_write(db, err,
                    "INSERT INTO workflows (id, environment_id, identifier, name, active, version, doc, "
                    "created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    w->id, w->environment, w->identifier, w->name, w->active, w->version, w->doc,
                    w->created_at, w->updated_at)
        && version_insert(db, w, user, err);
}

bool workflow_update(struct db *db, struct workflow *w, struct id user, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "UPDATE workflows SET name = ?1, active = ?2, updated_at = ?3, "
                                       "version = version + CASE WHEN doc <> ?4 OR name <> ?1 THEN 1 ELSE 0 END, doc = ?4 "
                                       "WHERE environment_id = ?5 AND id = ?6 RETURNING version", err);
    int64_t before = w->version;
    if (!s)
        return false;
    db_bind_text(s, 1, w->name);
    db_bind_int(s, 2, w->active);
    db_bind_int(s, 3, w->updated_at);
    db_bind_text(s, 4, w->doc);
    db_bind_id(s, 5, w->environment);
    db_bind_id(s, 6, w->id);
    if (!row_one(s, "Workflow cannot be found", err))
        return false;
    w->version = db_int(s, 0);
    db_reset(s);
    return w->version == before || version_insert(db, w, user, err);
}

bool workflow_touch(struct db *db, struct id environment, struct id id, int64_t triggered_at, struct error *err)
{
    return db_write(db, err, "UPDATE workflows SET last_triggered_at = ?1 WHERE environment_id = ?2 AND id = ?3",
                    triggered_at, environment, id);
}

static bool overrides_delete(struct db *db, struct id workflow, struct error *err)
{
    return db_write(db, err, "DELETE FROM workflow_overrides WHERE workflow_id = ?1", workflow);
}

bool workflow_delete(struct db *db, struct id environment, struct id id, int64_t now, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM workflows WHERE environment_id = ?1 AND id = ?2", environment, id);
    if (!s || !db_run(s, err))
        return false;
    if (db_changes(s) == 0)
        return error_set(err, ERROR_NOT_FOUND, "Workflow cannot be found");
    return overrides_delete(db, id, err)
        && removal_begin(db, &(struct removal){.ref = id, .environment = environment, .kind = REMOVAL_WORKFLOW}, now, err);
}

bool workflow_count(struct db *db, struct id environment, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM workflows WHERE environment_id = ?1", environment);
    if (!s)
        return false;
    if (!row_one(s, "", err))
        return false;
    *n = db_int(s, 0);
    db_reset(s);
    return true;
}

bool workflow_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct workflow *out,
                         struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " WORKFLOW_COLUMNS " FROM workflows WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, workflow_read, out, "Workflow cannot be found", err);
}

bool workflow_find_by_identifier(struct db *db, struct arena *a, struct id environment, struct str identifier,
                                 struct workflow *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " WORKFLOW_COLUMNS
                                 " FROM workflows WHERE environment_id = ?1 AND identifier = ?2",
                                 environment, identifier);
    return row_find(s, a, workflow_read, out, "Workflow cannot be found", err);
}

bool workflow_find(struct db *db, struct arena *a, struct id environment, struct str key, struct workflow *out,
                   struct error *err)
{
    struct id id;
    if (id_parse(key, &id) || slug_parse(key, "wf_", &id)) {
        if (workflow_find_by_id(db, a, environment, id, out, err))
            return true;
        if (err->code != ERROR_NOT_FOUND)
            return false;
    }
    return workflow_find_by_identifier(db, a, environment, key, out, err);
}

bool workflow_list(struct db *db, struct arena *a, struct id environment, const struct workflow_query *q,
                   struct workflow **out, size_t *n, struct error *err)
{
    static const char *const orders[] = {"created_at", "updated_at", "name", "coalesce(last_triggered_at, 0)"};
    struct db_stmt *s;
    enum db_step step;
    size_t cap = 0;
    s = db_prepare(db, str_fmt(a, "SELECT " WORKFLOW_COLUMNS " FROM workflows WHERE environment_id = ?1 AND (?2 IS NULL OR "
                                  "lower(name) LIKE ?2 ESCAPE '\\' OR lower(identifier) LIKE ?2 ESCAPE '\\') "
                                  "ORDER BY %s %s, id %s", orders[q->order_by], q->ascending ? "ASC" : "DESC",
                               q->ascending ? "ASC" : "DESC").p, err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, q->query.n ? row_contains(a, q->query) : STR_NULL);
    *out = NULL;
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW) {
        workflow_read(s, a, ARENA_SLOT(a, *out, *n, cap));
    }
    db_reset(s);
    return step == DB_DONE;
}

/* --- versions ------------------------------------------------------------------------------------------------ */

#define VERSION_COLUMNS "number, created_at, user_id, name, hash"

static struct str hash_hex(struct arena *a, struct str hash)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < hash.n; i++)
        buf_fmt(&b, "%02x", (unsigned char)hash.p[i]);
    return buf_finish(&b);
}

static void version_read(struct db_stmt *s, struct arena *a, struct workflow_version *v)
{
    *v = (struct workflow_version){.number = db_int(s, 0), .created_at = db_int(s, 1), .user = db_id(s, 2),
                                   .name = row_text(s, 3, a), .hash_hex = hash_hex(a, db_blob(s, 4))};
}

bool workflow_version_list(struct db *db, struct arena *a, struct id workflow, int64_t offset, int64_t limit,
                           struct workflow_version **out, size_t *n, int64_t *total, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM workflow_versions WHERE workflow_id = ?1", workflow);
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    if (!s)
        return false;
    if (!row_one(s, "", err))
        return false;
    *total = db_int(s, 0);
    db_reset(s);
    s = db_prepare(db, "SELECT " VERSION_COLUMNS " FROM workflow_versions WHERE workflow_id = ?1 ORDER BY number DESC "
                       "LIMIT ?2 OFFSET ?3", err);
    if (!s)
        return false;
    db_bind_id(s, 1, workflow);
    db_bind_int(s, 2, limit);
    db_bind_int(s, 3, offset);
    while ((step = db_step(s, err)) == DB_ROW)
        version_read(s, a, ARENA_SLOT(a, *out, *n, cap));
    db_reset(s);
    return step == DB_DONE;
}

bool workflow_version_find(struct db *db, struct arena *a, struct id workflow, int64_t number, struct workflow_version *out,
                           struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " VERSION_COLUMNS
                                 ", doc FROM workflow_versions WHERE workflow_id = ?1 AND number = ?2",
                                 workflow, number);
    if (!s)
        return false;
    if (!row_one(s, "Workflow version not found", err))
        return false;
    version_read(s, a, out);
    out->doc = row_text(s, 5, a);
    db_reset(s);
    return true;
}
