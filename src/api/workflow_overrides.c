/* /v1/workflow-overrides of older clients: what a workflow does differently for one tenant (rest-api.md §7). A trigger that
 * names the tenant heeds it (decisions.md 12). */
#include "api/paging.h"
#include "api/tables.h"
#include "model/tenant.h"
#include "model/workflow.h"

enum { PAGE_DEFAULT = 10, PAGE_MOST = 100, SHOWN = 64 };

struct override_write {
    struct api_write w;
    enum { CREATE, UPDATE, ERASE } kind;
    struct workflow_override row;
};

static yyjson_mut_val *override_json(struct request *rq, yyjson_mut_doc *d, const struct workflow_override *x)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_id(d, o, "_workflowId", x->workflow);
    json_add_id(d, o, "_tenantId", x->tenant);
    json_add_bool(d, o, "active", x->active);
    json_add_text(d, o, "preferenceSettings", x->preferences);
    json_add_id(d, o, "_environmentId", x->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_bool(d, o, "deleted", false);
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

/* --- what a request names ---------------------------------------------------------------------------------- */

static bool find_workflow(struct request *rq, struct str key, struct id *out, struct error *err)
{
    struct workflow w;
    if (!workflow_find(app_db(rq), rq->arena, rq->principal.environment, key, &w, err))
        return err->code == ERROR_NOT_FOUND
            ? error_http(err, 404, "Workflow with id %.*s is not found", STR_ARG(str_sub(key, 0, SHOWN))) : false;
    *out = w.id;
    return true;
}

/* By its internal id, or by the identifier that triggers use. */
static bool find_tenant(struct request *rq, struct str key, struct id *out, struct error *err)
{
    struct tenant t;
    struct id id;
    struct db *db = app_db(rq);
    bool found = (id_parse(key, &id) && tenant_find_by_id(db, rq->arena, rq->principal.environment, id, &t, err))
              || ((err->code == ERROR_NONE || err->code == ERROR_NOT_FOUND)
                  && tenant_find(db, rq->arena, rq->principal.environment, key, &t, err));
    if (!found)
        return err->code == ERROR_NOT_FOUND
            ? error_http(err, 404, "Tenant with id %.*s is not found", STR_ARG(str_sub(key, 0, SHOWN))) : false;
    *out = t.id;
    return true;
}

/* Answers the request if it is not there. */
static bool load(struct request *rq, struct workflow_override *x)
{
    struct str key = request_param(rq, "overrideId");
    struct error err = {0};
    struct id id;
    if (id_parse(key, &id) && workflow_override_find_by_id(app_db(rq), rq->arena, rq->principal.environment, id, x, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Workflow Override with id %.*s not found", STR_ARG(str_sub(key, 0, SHOWN)));
    reply_error(rq, &err);
    return false;
}

static bool load_by_pair(struct request *rq, struct workflow_override *x)
{
    struct str workflow = request_param(rq, "workflowId"), tenant = request_param(rq, "tenantId");
    struct error err = {0};
    struct id workflow_id, tenant_id;
    if (find_workflow(rq, workflow, &workflow_id, &err)) {
        err = (struct error){0};
        if (find_tenant(rq, tenant, &tenant_id, &err)
            && workflow_override_find(app_db(rq), rq->arena, workflow_id, tenant_id, x, &err))
            return true;
        if (err.code == ERROR_NOT_FOUND && !err.status)
            error_http(&err, 404, "Workflow Override with workflowId %.*s and tenantId %.*s not found",
                       STR_ARG(str_sub(workflow, 0, SHOWN)), STR_ARG(str_sub(tenant, 0, SHOWN)));
    }
    reply_error(rq, &err);
    return false;
}

/* --- writing ----------------------------------------------------------------------------------------------- */

static bool override_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct override_write *x = (struct override_write *)w;
    if (x->kind == ERASE)
        return workflow_override_delete(db, &x->row, err);
    struct workflow_override now;
    if (x->kind == UPDATE)
        return workflow_override_find_by_id(db, w->rq->arena, x->row.environment, x->row.id, &now, err)
            && write_follows(w, now.updated_at, &x->row.updated_at, err) && workflow_override_update(db, &x->row, err);
    return workflow_override_insert(db, &x->row, err)
        || (err->code == ERROR_CONFLICT && error_http(err, 409, "The tenant has an override of this workflow"));
}

static void override_reply(struct api_write *w)
{
    struct override_write *x = (struct override_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    reply_json(w->rq, 0, x->kind == ERASE ? yyjson_mut_bool(d, true) : override_json(w->rq, d, &x->row));
}

static struct override_write *write_new(struct request *rq, int kind)
{
    struct override_write *x = ARENA_NEW(rq->arena, struct override_write);
    x->w.flags = WRITE_HOLDS;
    x->w.apply = override_apply;
    x->w.reply = override_reply;
    x->kind = kind;
    return x;
}

/* Of a new override every channel is on that it does not name; `tool` is younger than these routes. */
static yyjson_mut_val *preferences_new(yyjson_mut_doc *d)
{
    yyjson_mut_val *all = yyjson_mut_obj(d);
    for (int i = 0; i < CHANNELS; i++)
        if (i != CHANNEL_TOOL)
            yyjson_mut_obj_add_bool(d, all, channel_name((enum channel)i).p, true);
    return all;
}

/* active, and the channels that preferenceSettings names; the others stay as they are. */
static void members_read(struct checks *c, struct workflow_override *x)
{
    struct request *rq = c->rq;
    yyjson_val *given = check_object(c, rq->json, "preferenceSettings", false), *old = NULL, *v;
    yyjson_mut_doc *d = json_doc(rq->arena);
    x->active = check_bool(c, rq->json, "active", x->active);
    json_parse(rq->arena, x->preferences, &old, NULL);
    yyjson_mut_val *all = yyjson_is_obj(old) ? yyjson_val_mut_copy(d, old) : preferences_new(d);
    for (int i = 0; i < CHANNELS; i++) {
        struct str name = channel_name((enum channel)i);
        if (!(v = json_getn(given, name)))
            continue;
        if (!yyjson_is_bool(v))
            check_fail(c, "preferenceSettings.%.*s must be a boolean value", STR_ARG(name));
        yyjson_mut_obj_put(all, json_mut_str(d, name), yyjson_mut_bool(d, yyjson_get_bool(v)));
    }
    x->preferences = json_write_mut(rq->arena, all);
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct override_write *x = write_new(rq, CREATE);
    struct error err = {0};
    struct str workflow = check_string(&c, rq->json, "workflowId", true), tenant = check_string(&c, rq->json, "tenantId", true);
    x->row = (struct workflow_override){.id = app_id(rq), .environment = rq->principal.environment, .preferences = STR("null"),
                                        .created_at = app_now(rq), .updated_at = app_now(rq)};
    members_read(&c, &x->row);
    if (!checks_done(&c))
        return;
    if (!find_workflow(rq, workflow, &x->row.workflow, &err)) {
        reply_error(rq, &err);
        return;
    }
    err = (struct error){0};
    if (find_tenant(rq, tenant, &x->row.tenant, &err))
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

static void update(struct request *rq, bool (*find)(struct request *rq, struct workflow_override *x))
{
    struct checks c = checks_begin(rq);
    struct override_write *x = write_new(rq, UPDATE);
    if (!find(rq, &x->row))
        return;
    members_read(&c, &x->row);
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_update(struct request *rq) { update(rq, load); }
static void handle_update_by_pair(struct request *rq) { update(rq, load_by_pair); }

static void handle_delete(struct request *rq)
{
    struct override_write *x = write_new(rq, ERASE);
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static void get(struct request *rq, bool (*find)(struct request *rq, struct workflow_override *x))
{
    struct workflow_override x;
    if (find(rq, &x))
        reply_json(rq, 0, override_json(rq, json_doc(rq->arena), &x));
}

static void handle_get(struct request *rq) { get(rq, load); }
static void handle_get_by_pair(struct request *rq) { get(rq, load_by_pair); }

static yyjson_mut_val *override_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return override_json(rq, d, (const struct workflow_override *)items + i);
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t page = check_query_int(&c, "page", 0, 0, 1000000), limit = check_query_int(&c, "limit", PAGE_DEFAULT, 1, PAGE_MOST);
    struct workflow_override *list;
    struct error err = {0};
    size_t n;
    if (!checks_done(&c))
        return;
    if (workflow_override_list(app_db(rq), rq->arena, rq->principal.environment, page * limit, (int)limit + 1, &list, &n, &err))
        reply_numbered_page(rq, page, limit, list, n, override_item);
    else
        reply_error(rq, &err);
}

#define OVERRIDE(method, path, operation, summary, permission, status, envelope, handler)                                        \
    {method, "/v1/workflow-overrides" path, operation, "Workflow Overrides", summary, AUTH_ENVIRONMENT, permission,              \
     RATE_CONFIGURATION, 1, status, envelope, 0, 0, handler}
#define PAIR "/workflows/{workflowId}/tenants/{tenantId}"

const struct route workflow_override_routes[] = {
    OVERRIDE(HTTP_GET, "", "workflowOverridesListV1", "List workflow overrides", "WORKFLOW_READ", 200, ENVELOPE_NONE, handle_list),
    OVERRIDE(HTTP_POST, "", "workflowOverridesCreateV1", "Override a workflow for a tenant", "WORKFLOW_WRITE", 201, ENVELOPE_DATA, handle_create),
    OVERRIDE(HTTP_GET, "/{overrideId}", "workflowOverridesRetrieveV1", "Retrieve a workflow override", "WORKFLOW_READ", 200, ENVELOPE_DATA,
             handle_get),
    OVERRIDE(HTTP_PUT, "/{overrideId}", "workflowOverridesUpdateV1", "Change a workflow override", "WORKFLOW_WRITE", 200, ENVELOPE_DATA,
             handle_update),
    OVERRIDE(HTTP_DELETE, "/{overrideId}", "workflowOverridesDeleteV1", "Delete a workflow override", "WORKFLOW_WRITE", 200, ENVELOPE_DATA,
             handle_delete),
    OVERRIDE(HTTP_GET, PAIR, "workflowOverridesRetrieveByTenantV1", "Retrieve a tenant's override of a workflow", "WORKFLOW_READ", 200,
             ENVELOPE_DATA, handle_get_by_pair),
    OVERRIDE(HTTP_PUT, PAIR, "workflowOverridesUpdateByTenantV1", "Change a tenant's override of a workflow", "WORKFLOW_WRITE", 200,
             ENVELOPE_DATA, handle_update_by_pair),
};
const size_t workflow_override_routes_n = sizeof workflow_override_routes / sizeof *workflow_override_routes;
