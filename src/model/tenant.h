/* Legacy tenants: whom a trigger acts for, and what a workflow does differently for one (rest-api.md §7,
 * decisions.md 12).
 */
#ifndef MODEL_TENANT_H
#define MODEL_TENANT_H

#include "base/json.h"
#include "db/db.h"

struct tenant {
    struct id id, environment;
    struct str identifier;
    struct str name, data;              /* p NULL: none; data is JSON text */
    int64_t created_at, updated_at;
};

bool tenant_find(struct db *db, struct arena *a, struct id environment, struct str identifier, struct tenant *out,
                 struct error *err);
bool tenant_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct tenant *out, struct error *err);
/* Inserts t with its id, or updates name and data of the existing one where t has them (p not NULL). */
bool tenant_upsert(struct db *db, const struct tenant *t, struct error *err);
/* ERROR_CONFLICT if the identifier is taken. */
bool tenant_insert(struct db *db, const struct tenant *t, struct error *err);
/* Identifier, name, data and time of the tenant of t's id. ERROR_CONFLICT as above. */
bool tenant_update(struct db *db, const struct tenant *t, struct error *err);
/* Its workflow overrides go too. */
bool tenant_delete(struct db *db, struct id environment, struct id id, struct error *err);
/* Newest first. */
bool tenant_list(struct db *db, struct arena *a, struct id environment, int64_t offset, int limit, struct tenant **out, size_t *n,
                 struct error *err);
/* {identifier, name, data}: what templates and conditions see. */
yyjson_mut_val *tenant_variable(yyjson_mut_doc *d, const struct tenant *t);

struct workflow_override {
    struct id id, environment, workflow, tenant;
    bool active;
    struct str preferences;             /* JSON object {email: true, …} */
    int64_t created_at, updated_at;
};

/* One a workflow and tenant; an existing one is replaced but for its id. */
bool workflow_override_upsert(struct db *db, const struct workflow_override *o, struct error *err);
bool workflow_override_find(struct db *db, struct arena *a, struct id workflow, struct id tenant,
                            struct workflow_override *out, struct error *err);
/* ERROR_CONFLICT if the tenant has one for the workflow. */
bool workflow_override_insert(struct db *db, const struct workflow_override *o, struct error *err);
/* active, preferences and time of the override of o's id. */
bool workflow_override_update(struct db *db, const struct workflow_override *o, struct error *err);
bool workflow_override_delete(struct db *db, const struct workflow_override *o, struct error *err);
bool workflow_override_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct workflow_override *out,
                                  struct error *err);
/* Newest first. */
bool workflow_override_list(struct db *db, struct arena *a, struct id environment, int64_t offset, int limit,
                            struct workflow_override **out, size_t *n, struct error *err);

#endif
