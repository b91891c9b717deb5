/* Tenants and workflow overrides in the store. */
#include "model/tenant.h"

#include "model/row.h"

bool tenant_find(struct db *db, struct arena *a, struct id environment, struct str identifier, struct tenant *out,
                 struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT id, environment_id, identifier, name, data, created_at, updated_at FROM tenants "
                                       "WHERE environment_id = ?1 AND identifier = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, identifier);
    if (!row_one(s, "Tenant not found", err))
        return false;
    *out = (struct tenant){.id = db_id(s, 0), .environment = db_id(s, 1), .identifier = row_text(s, 2, a),
                           .name = row_text(s, 3, a), .data = row_text(s, 4, a), .created_at = db_int(s, 5),
                           .updated_at = db_int(s, 6)};
    db_reset(s);
    return true;
}

bool tenant_upsert(struct db *db, const struct tenant *t, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "INSERT INTO tenants (id, environment_id, identifier, name, data, created_at, updated_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (environment_id, identifier) DO UPDATE SET "
            "name = coalesce(excluded.name, tenants.name), data = coalesce(excluded.data, tenants.data), "
            "updated_at = excluded.updated_at", err);
    if (!s)
        return false;
    db_bind_id(s, 1, t->id);
    db_bind_id(s, 2, t->environment);
    db_bind_text(s, 3, t->identifier);
    db_bind_text(s, 4, t->name);
    db_bind_text(s, 5, t->data);
    db_bind_int(s, 6, t->created_at);
    db_bind_int(s, 7, t->updated_at);
    return db_run(s, err);
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

bool workflow_override_upsert(struct db *db, const struct workflow_override *o, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "INSERT INTO workflow_overrides (id, environment_id, workflow_id, tenant_id, active, preferences, created_at, "
            "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (workflow_id, tenant_id) DO UPDATE SET "
            "active = excluded.active, preferences = excluded.preferences, updated_at = excluded.updated_at", err);
    if (!s)
        return false;
    db_bind_id(s, 1, o->id);
    db_bind_id(s, 2, o->environment);
    db_bind_id(s, 3, o->workflow);
    db_bind_id(s, 4, o->tenant);
    db_bind_int(s, 5, o->active);
    db_bind_text(s, 6, o->preferences.p ? o->preferences : STR("{}"));
    db_bind_int(s, 7, o->created_at);
    db_bind_int(s, 8, o->updated_at);
    return db_run(s, err);
}

bool workflow_override_find(struct db *db, struct arena *a, struct id workflow, struct id tenant,
                            struct workflow_override *out, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "SELECT id, environment_id, workflow_id, tenant_id, active, preferences, created_at, updated_at "
            "FROM workflow_overrides WHERE workflow_id = ?1 AND tenant_id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, workflow);
    db_bind_id(s, 2, tenant);
    if (!row_one(s, "Workflow override not found", err))
        return false;
    *out = (struct workflow_override){.id = db_id(s, 0), .environment = db_id(s, 1), .workflow = db_id(s, 2),
                                      .tenant = db_id(s, 3), .active = db_int(s, 4) != 0, .preferences = row_text(s, 5, a),
                                      .created_at = db_int(s, 6), .updated_at = db_int(s, 7)};
    db_reset(s);
    return true;
}
