/* /v2/contexts (rest-api.md §6.11). */
#include "api/context_member.h"
#include "api/discovery.h"
#include "api/paging.h"
#include "api/row_write.h"
#include "api/tables.h"

enum { BRIDGE_URL_MAX = 2048 };

struct context_write {
    struct row_write w;
    struct str type, identifier, data, bridge_url;
    bool sets_bridge_url;
    struct context row;                 /* afterwards */
};

static bool not_found(struct request *rq, struct str type, struct str identifier, struct error *err)
{
    return error_http(err, 404, "Context with id '%.*s' and type '%.*s' not found in environment %s", (int)(identifier.n > 100 ? 100 : identifier.n),
                      identifier.p, (int)(type.n > 100 ? 100 : type.n), type.p, id_str(rq->arena, rq->principal.environment).p);
}

/* As it is stored; a missing one gets the contract's message. */
static bool find(struct request *rq, struct db *db, struct str type, struct str identifier, bool locked, struct context *out,
                 struct error *err)
{
    struct id environment = rq->principal.environment;
    if (locked ? context_find_locked(db, rq->arena, environment, type, identifier, out, err)
               : context_find(db, rq->arena, environment, type, identifier, out, err))
        return true;
    return err->code == ERROR_NOT_FOUND ? not_found(rq, type, identifier, err) : false;
}

static bool context_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct context_write *x = (struct context_write *)w;
    struct request *rq = w->rq;
    struct id environment = rq->principal.environment;
    if (x->w.change == CREATE) {
        x->row = (struct context){.id = app_id(rq), .environment = environment, .type = x->type, .identifier = x->identifier,
                                  .data = x->data, .bridge_url = x->bridge_url, .created_at = app_now(rq), .updated_at = app_now(rq)};
        return context_insert(db, &x->row, err);
    }
    if (!find(rq, db, x->type, x->identifier, true, &x->row, err))
        return false;
    if (x->w.change == ERASE)
        return context_delete(db, environment, x->type, x->identifier, err);
    x->row.data = x->data;
    if (x->sets_bridge_url)
        x->row.bridge_url = x->bridge_url;
    x->row.updated_at = app_now(rq);
    return context_update(db, &x->row, err);
}

static yyjson_mut_val *item_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    (void)rq;
    return context_json(d, (const struct context *)items + i);
}

static struct context_write *write_new(struct request *rq, enum row_change change)
{
    struct context_write *x = ARENA_NEW(rq->arena, struct context_write);
    row_write_init(&x->w, change, &x->row, context_apply, item_json);
    return x;
}

static void name_check(struct checks *c, const char *what, struct str s)
{
    if (s.p && !context_name_valid(s))
        check_fail(c, "%s must have 1 to 100 characters of a-z, A-Z, 0-9, _ and -", what);
}

static void data_read(struct checks *c, struct context_write *x, bool required)
{
    yyjson_val *data = check_object(c, c->rq->json, "data", required), *url = json_get(c->rq->json, "bridgeUrl");
    x->data = data ? json_write(c->rq->arena, data) : STR("{}");
    if (x->data.n > CONTEXT_DATA_MAX)
        check_fail(c, "data must not be larger than %d bytes", CONTEXT_DATA_MAX);
    x->sets_bridge_url = url != NULL;
    x->bridge_url = check_string(c, c->rq->json, "bridgeUrl", false);
    if (x->bridge_url.p && ((!str_starts(x->bridge_url, STR("https://")) && !str_starts(x->bridge_url, STR("http://")))
                            || x->bridge_url.n > BRIDGE_URL_MAX))
        check_fail(c, "bridgeUrl must be a URL address");
}

/* Writes, if a bridge may be called there at all. */
static void write_allowed(struct checks *c, struct context_write *x)
{
    struct error err = {0};
    if (!checks_done(c))
        return;
    if (x->bridge_url.n && !bridge_url_allowed(c->rq, x->bridge_url, &err))
        reply_error(c->rq, &err);
    else
        api_write(c->rq, &x->w.w);
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct context_write *x = write_new(rq, CREATE);
    x->type = check_string(&checks, rq->json, "type", true);
    x->identifier = check_string(&checks, rq->json, "id", true);
    name_check(&checks, "type", x->type);
    name_check(&checks, "id", x->identifier);
    data_read(&checks, x, false);
    write_allowed(&checks, x);
}

static void handle_update(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct context_write *x = write_new(rq, UPDATE);
    x->type = request_param(rq, "type");
    x->identifier = request_param(rq, "id");
    data_read(&checks, x, true);
    write_allowed(&checks, x);
}

static void handle_delete(struct request *rq)
{
    struct context_write *x = write_new(rq, ERASE);
    x->type = request_param(rq, "type");
    x->identifier = request_param(rq, "id");
    api_write(rq, &x->w.w);
}

static void handle_get(struct request *rq)
{
    struct context c;
    struct error err = {0};
    if (find(rq, app_db(rq), request_param(rq, "type"), request_param(rq, "id"), false, &c, &err))
        reply_json(rq, 0, context_json(json_doc(rq->arena), &c));
    else
        reply_error(rq, &err);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct context_query q = {.type = request_query(rq, "type"), .identifier = request_query(rq, "id"), .search = request_query(rq, "search")};
    struct page page;
    struct error err = {0};
    if (!paging_read(&checks, "createdAt", &q.page))
        return;
    if (context_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, item_json);
    else
        reply_error(rq, &err);
}

#define CONTEXT(method, path, operation, summary, permission, status, envelope, handler)                                 \
    {method, path, operation, "Contexts", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 0, 0, handler}

const struct route context_routes[] = {
    CONTEXT(HTTP_GET, "/v2/contexts", "contextsList", "List contexts", "WORKFLOW_READ", 200, ENVELOPE_NONE, handle_list),
    CONTEXT(HTTP_POST, "/v2/contexts", "contextsCreate", "Create a context", "WORKFLOW_WRITE", 201, ENVELOPE_DATA, handle_create),
    CONTEXT(HTTP_GET, "/v2/contexts/{type}/{id}", "contextsRetrieve", "Retrieve a context", "WORKFLOW_READ", 200, ENVELOPE_DATA,
            handle_get),
    CONTEXT(HTTP_PATCH, "/v2/contexts/{type}/{id}", "contextsUpdate", "Replace a context's data", "WORKFLOW_WRITE", 200, ENVELOPE_DATA,
            handle_update),
    CONTEXT(HTTP_DELETE, "/v2/contexts/{type}/{id}", "contextsDelete", "Delete a context", "WORKFLOW_WRITE", 204, ENVELOPE_NONE,
            handle_delete),
};
const size_t context_routes_n = sizeof context_routes / sizeof *context_routes;
