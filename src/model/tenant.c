/* Tenants and workflow overrides in the store. */
#include "model/tenant.h"

#include "model/row.h"

#define COLUMNS "id, environment_id, identifier, name, data, created_at, updated_at"

static void tenant_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct tenant *t = out;
    *t = (struct tenant){.id = db_id(s, 0), .environment = db_id(s, 1), .identifier = row_text(s, 2, a), .name = row_text(s, 3, a),
                         .data = row_text(s, 4, a), .created_at = db_int(s, 5), .updated_at = db_int(s, 6)};
}

bool tenant_find(struct db *db, struct arena *a, struct id environment, struct str identifier, struct tenant *out,
                 struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS " FROM tenants WHERE environment_id = ?1 AND identifier = ?2",
                                 environment, identifier);
    return row_find(s, a, tenant_read, out, "Tenant not found", err);
}

bool tenant_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct tenant *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS " FROM tenants WHERE environment_id = ?1 AND id = ?2", environment, id);
    return row_find(s, a, tenant_read, out, "Tenant not found", err);
}

bool tenant_list(struct db *db, struct arena *a, struct id environment, int64_t offset, int limit, struct tenant **out, size_t *n,
                 struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM tenants WHERE environment_id = ?1 ORDER BY id DESC LIMIT ?3 OFFSET ?2",
                                 environment, offset, limit);
    return ROWS_READ(s, a, tenant_read, out, n, err);
}

static bool tenant_write(struct db *db, const char *sql, const struct tenant *t, struct error *err)
{
    return db_write(db, err, sql, t->id, t->environment, t->identifier, t->name, t->data, t->updated_at);
}

bool tenant_insert(struct db *db, const struct tenant *t, struct error *err)
{
    return tenant_write(db, "INSERT INTO tenants (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)", t, err);
}

bool tenant_update(struct db *db, const struct tenant *t, struct error *err)
{
    return tenant_write(db, "UPDATE tenants SET identifier = ?3, name = ?4, data = ?5, updated_at = ?6 "
                            "WHERE environment_id = ?2 AND id = ?1", t, err);
}

bool tenant_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    static const char *const sql[] = {"DELETE FROM workflow_overrides WHERE environment_id = ?1 AND tenant_id = ?2",
                                      "DELETE FROM tenants WHERE environment_id = ?1 AND id = ?2"};
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        struct db_stmt *s = db_query(db, err, sql[i], environment, id);
        if (!s || !db_run(s, err))
            return false;
    }
    return true;
}

bool tenant_upsert(struct db *db, const struct tenant *t, struct error *err)
{
    return db_write(db, err, "INSERT INTO tenants (id, environment_id, identifier, name, data, created_at, updated_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (environment_id, identifier) DO UPDATE SET "
                    "name = coalesce(excluded.name, tenants.name), data = coalesce(excluded.data, tenants.data), "
                    "updated_at = excluded.updated_at",
                    t->id, t->environment, t->identifier, t->name, t->data, t->created_at, t->updated_at);
}

yyjson_mut_val *tenant_variable(yyjson_mut_doc *d, const struct tenant *t)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "identifier", t->identifier);
    if (t->name.p)
        json_add_str(d, o, "name", t->name);
    json_add_text(d, o, "data", t->data.p ? t->data : STR("{}"));
    return o;
}

#define OVERRIDE_COLUMNS "id, environment_id, workflow_id, tenant_id, active, preferences, created_at, updated_at"
#define OVERRIDE_INSERT "INSERT INTO workflow_overrides (" OVERRIDE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"

static void override_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct workflow_override *)out = (struct workflow_override){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .workflow = db_id(s, 2),
        .tenant = db_id(s, 3),
        .active = db_int(s, 4) != 0,
        .preferences = row_text(s, 5, a),
        .created_at = db_int(s, 6),
        .updated_at = db_int(s, 7),
    };
}

static bool override_write(struct db *db, const char *sql, const struct workflow_override *o, struct error *err)
{
    return db_write(db, err, sql, o->id, o->environment, o->workflow, o->tenant, o->active,
                    o->preferences.p ? o->preferences : STR("{}"), o->created_at, o->updated_at);
}

bool workflow_override_upsert(struct db *db, const struct workflow_override *o, struct error *err)
{
    return override_write(db, OVERRIDE_INSERT " ON CONFLICT (workflow_id, tenant_id) DO UPDATE SET active = excluded.active, "
                          "preferences = excluded.preferences, updated_at = excluded.updated_at", o, err);
}

bool workflow_override_insert(struct db *db, const struct workflow_override *o, struct error *err)
{
    return override_write(db, OVERRIDE_INSERT, o, err);
}

bool workflow_override_update(struct db *db, const struct workflow_override *o, struct error *err)
{
    return db_write(db, err, "UPDATE workflow_overrides SET active = ?3, preferences = ?4, updated_at = ?5 "
                    "WHERE environment_id = ?1 AND id = ?2", o->environment, o->id, o->active, o->preferences, o->updated_at);
}

bool workflow_override_delete(struct db *db, const struct workflow_override *o, struct error *err)
{
    return db_write(db, err, "DELETE FROM workflow_overrides WHERE environment_id = ?1 AND id = ?2", o->environment, o->id);
}

bool workflow_override_find(struct db *db, struct arena *a, struct id workflow, struct id tenant,
                            struct workflow_override *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " OVERRIDE_COLUMNS " FROM workflow_overrides WHERE workflow_id = ?1 AND tenant_id = ?2",
                                 workflow, tenant);
    return row_find(s, a, override_read, out, "Workflow override not found", err);
}

bool workflow_override_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct workflow_override *out,
                                  struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " OVERRIDE_COLUMNS " FROM workflow_overrides WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, override_read, out, "Workflow override not found", err);
}

bool workflow_override_list(struct db *db, struct arena *a, struct id environment, int64_t offset, int limit,
                            struct workflow_override **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " OVERRIDE_COLUMNS
                                 " FROM workflow_overrides WHERE environment_id = ?1 ORDER BY id DESC LIMIT ?3 OFFSET ?2",
                                 environment, offset, limit);
    return ROWS_READ(s, a, override_read, out, n, err);
}
