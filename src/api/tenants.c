/* /v1/tenants: older clients' way to say for whom a trigger acts (rest-api.md §7; contexts replace it, decisions.md 25). */
#include "api/paging.h"
#include "api/tables.h"
#include "model/tenant.h"

enum { IDENTIFIER_MAX = 256, PAGE_DEFAULT = 10, PAGE_MOST = 100 };

struct tenant_write {
    struct api_write w;
    struct tenant row;
};

static yyjson_mut_val *tenant_json(struct request *rq, yyjson_mut_doc *d, const struct tenant *t)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", t->id);
    json_add_str(d, o, "identifier", t->identifier);
    if (t->name.p)
        json_add_str(d, o, "name", t->name);
    json_add_text(d, o, "data", t->data);
    json_add_id(d, o, "_environmentId", t->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_time(d, o, "createdAt", t->created_at);
    json_add_time(d, o, "updatedAt", t->updated_at);
    return o;
}

static bool told(struct error *err, const struct tenant *t, int status, const char *what)
{
    char hex[ID_HEX + 1];
    id_hex(t->environment, hex);
    return error_http(err, status, "Tenant with identifier: %.*s %s under environment %s", (int)(t->identifier.n > 64 ? 64 : t->identifier.n),
                      t->identifier.p, what, hex);
}

static bool load(struct request *rq, struct tenant *t)
{
    struct tenant wanted = {.environment = rq->principal.environment, .identifier = request_param(rq, "identifier")};
    struct error err = {0};
    if (tenant_find(app_db(rq), rq->arena, wanted.environment, wanted.identifier, t, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        told(&err, &wanted, 404, "does not exist");
    reply_error(rq, &err);
    return false;
}

static yyjson_mut_val *tenant_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return tenant_json(rq, d, (const struct tenant *)items + i);
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t page = check_query_int(&c, "page", 0, 0, 1000000), limit = check_query_int(&c, "limit", PAGE_DEFAULT, 1, PAGE_MOST);
    struct tenant *list;
    struct error err = {0};
    size_t n;
    if (!checks_done(&c))
        return;
    if (tenant_list(app_db(rq), rq->arena, rq->principal.environment, page * limit, (int)limit + 1, &list, &n, &err))
        reply_numbered_page(rq, page, limit, list, n, tenant_item);
    else
        reply_error(rq, &err);
}

static void handle_get(struct request *rq)
{
    struct tenant t;
    if (load(rq, &t))
        reply_json(rq, 0, tenant_json(rq, json_doc(rq->arena), &t));
}

static bool insert_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct tenant_write *x = (struct tenant_write *)w;
    return tenant_insert(db, &x->row, err) || (err->code == ERROR_CONFLICT && told(err, &x->row, 409, "already exists"));
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct tenant_write *x = (struct tenant_write *)w;
    struct tenant now;
    if (!tenant_find_by_id(db, w->rq->arena, x->row.environment, x->row.id, &now, err)
        || !write_follows(w, now.updated_at, &x->row.updated_at, err))
        return false;
    return tenant_update(db, &x->row, err) || (err->code == ERROR_CONFLICT && told(err, &x->row, 409, "already exists"));
}

static bool erase_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct tenant_write *x = (struct tenant_write *)w;
    return tenant_delete(db, x->row.environment, x->row.id, err);
}

static void write_reply(struct api_write *w)
{
    reply_json(w->rq, 0, tenant_json(w->rq, json_doc(w->rq->arena), &((struct tenant_write *)w)->row));
}

static void erase_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

/* Members that are given replace those of t. */
static void members_read(struct checks *c, struct tenant *t, bool creates)
{
    struct request *rq = c->rq;
    struct str identifier = str_trim(check_string(c, rq->json, "identifier", creates)), name = check_string(c, rq->json, "name", false);
    yyjson_val *data = check_object(c, rq->json, "data", false);
    if (identifier.n > IDENTIFIER_MAX)
        check_fail(c, "identifier must be shorter than or equal to %d characters", IDENTIFIER_MAX);
    if (identifier.n)
        t->identifier = identifier;
    if (name.p)
        t->name = name;
    if (data)
        t->data = json_write(rq->arena, data);
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct tenant_write *x = ARENA_NEW(rq->arena, struct tenant_write);
    x->row = (struct tenant){.id = app_id(rq), .environment = rq->principal.environment, .created_at = app_now(rq), .updated_at = app_now(rq)};
    members_read(&c, &x->row, true);
    x->w.apply = insert_apply;
    x->w.reply = write_reply;
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct tenant_write *x = ARENA_NEW(rq->arena, struct tenant_write);
    if (!load(rq, &x->row))
        return;
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    members_read(&c, &x->row, false);
    x->w.flags = WRITE_HOLDS;
    x->w.apply = update_apply;
    x->w.reply = write_reply;
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_delete(struct request *rq)
{
    struct tenant_write *x = ARENA_NEW(rq->arena, struct tenant_write);
    x->w.apply = erase_apply;
    x->w.reply = erase_reply;
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

#define TENANT(method, path, operation, summary, status, envelope, handler)                                                 \
    {method, "/v1/tenants" path, operation, "Tenants", summary, AUTH_ENVIRONMENT, NULL, RATE_CONFIGURATION, 1, status, envelope, \
     0, 0, handler}

const struct route tenant_routes[] = {
    TENANT(HTTP_GET, "", "tenantsListV1", "List tenants", 200, ENVELOPE_NONE, handle_list),
    TENANT(HTTP_POST, "", "tenantsCreateV1", "Create a tenant", 201, ENVELOPE_DATA, handle_create),
    TENANT(HTTP_GET, "/{identifier}", "tenantsRetrieveV1", "Retrieve a tenant", 200, ENVELOPE_DATA, handle_get),
    TENANT(HTTP_PATCH, "/{identifier}", "tenantsUpdateV1", "Change a tenant", 200, ENVELOPE_DATA, handle_update),
    TENANT(HTTP_DELETE, "/{identifier}", "tenantsDeleteV1", "Delete a tenant", 204, ENVELOPE_NONE, handle_delete),
};
const size_t tenant_routes_n = sizeof tenant_routes / sizeof *tenant_routes;
