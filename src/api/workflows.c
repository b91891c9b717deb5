/* /v2/workflows (rest-api.md §6.8). */
#include "api/tables.h"
#include "api/workflow_doc.h"

enum { WORKFLOWS_MAX = 100, PAGE = 50, IDENTIFIER_MAX = 256 };

struct workflow_write {
    struct api_write w;
    struct workflow row;
    bool create, erase;
};

static void workflow_reply(struct api_write *w)
{
    struct workflow_write *x = (struct workflow_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    if (x->erase)
        reply_empty(w->rq, 204);
    else
        reply_json(w->rq, 0, workflow_json(d, w->rq->arena, &x->row));
}

static bool limit_check(struct db *db, struct arena *a, struct id environment, struct error *err)
{
    struct workflow_query q = {.limit = 1};
    struct workflow *list;
    size_t n;
    if (!workflow_list(db, a, environment, &q, &list, &n, err))
        return false;
    return n < WORKFLOWS_MAX || error_http(err, 400, "Workflow limit exceeded. Please contact us to support more workflows.");
}

/* An identifier that is taken gets "-<random short id>", without an error. */
static bool identifier_settle(struct workflow_write *x, struct db *db, struct arena *a, struct error *err)
{
    struct workflow other;
    struct str wanted = x->row.identifier;
    for (int tries = 0; tries < 8; tries++) {
        struct error missing = {0};
        if (!workflow_find_by_identifier(db, a, x->row.environment, x->row.identifier, &other, &missing)) {
            if (missing.code == ERROR_NOT_FOUND)
                return true;
            *err = missing;
            return false;
        }
        struct str word = crypto_random_word(x->w.rq->arena, 4);
        x->row.identifier = str_fmt(x->w.rq->arena, "%.*s-%.*s", STR_ARG(wanted), STR_ARG(word));
    }
    return error_set(err, ERROR_CONFLICT, "Workflow with identifier %.*s already exists", STR_ARG(wanted));
}

static bool workflow_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct workflow_write *x = (struct workflow_write *)w;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct id user = w->rq->principal.user;
    if (x->erase)
        return workflow_delete(db, x->row.environment, x->row.id, err);
    if (!x->create)
        return workflow_update(db, &x->row, user, err);
    return limit_check(db, a, x->row.environment, err) && identifier_settle(x, db, a, err)
        && workflow_insert(db, &x->row, user, err);
}

static struct workflow_write *write_new(struct request *rq)
{
    struct workflow_write *x = ARENA_NEW(rq->arena, struct workflow_write);
    x->w.flags = WRITE_DEFINITIONS;
    x->w.apply = workflow_apply;
    x->w.reply = workflow_reply;
    x->w.rq = rq;
    return x;
}

/* 404 with the id that was asked for in ctx. */
static bool load(struct request *rq, struct workflow *w)
{
    struct error err = {0};
    struct str key = request_param(rq, "workflowId");
    if (workflow_find(app_db(rq), rq->arena, rq->principal.environment, key, w, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND) {
        struct buf b = {.arena = rq->arena};
        buf_z(&b, "{\"workflowId\":");
        json_quote(&b, key);
        buf_char(&b, '}');
        err.details = buf_finish(&b);
    }
    reply_error(rq, &err);
    return false;
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow_write *x = write_new(rq);
    struct error err = {0};
    x->create = true;
    x->row = (struct workflow){.id = app_id(rq), .environment = rq->principal.environment, .version = 1,
                               .created_at = app_now(rq), .updated_at = app_now(rq)};
    x->row.identifier = check_string(&checks, rq->json, "workflowId", true);
    if (x->row.identifier.n > IDENTIFIER_MAX)
        check_fail(&checks, "workflowId must be shorter than or equal to %d characters", IDENTIFIER_MAX);
    bool ok = workflow_doc_read(&checks, rq->json, NULL, &x->row, &err);
    if (!checks_done(&checks))
        return;
    if (ok)
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

static void handle_get(struct request *rq)
{
    struct workflow w;
    if (load(rq, &w))
        reply_json(rq, 0, workflow_json(json_doc(rq->arena), rq->arena, &w));
}

static bool identifier_is_kept(struct request *rq, const struct workflow *w)
{
    struct str given = json_get_str(rq->json, "workflowId");
    struct error err = {0};
    if (!given.n || str_eq(given, w->identifier))
        return true;
    error_http(&err, 400, "workflowId cannot be changed");        /* decisions.md 13 */
    error_field(&err, "workflowId");
    reply_error(rq, &err);
    return false;
}

static void change(struct request *rq, bool whole)
{
    struct checks checks = checks_begin(rq);
    struct workflow_write *x = write_new(rq);
    struct workflow before;
    struct error err = {0};
    if (!load(rq, &before) || !identifier_is_kept(rq, &before))
        return;
    x->row = before;
    x->row.updated_at = app_now(rq);
    bool ok = whole ? workflow_doc_read(&checks, rq->json, &before, &x->row, &err)
                    : workflow_doc_patch(&checks, rq->json, &x->row, &err);
    if (!checks_done(&checks))
        return;
    if (ok)
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

static void handle_update(struct request *rq)
{
    change(rq, true);
}

static void handle_patch(struct request *rq)
{
    change(rq, false);
}

static void handle_delete(struct request *rq)
{
    struct workflow_write *x = write_new(rq);
    x->erase = true;
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

static bool has_any_tag(struct arena *a, const struct workflow *w, const struct str *tags, size_t n)
{
    yyjson_val *doc, *tag;
    if (!n)
        return true;
    if (!json_parse(a, w->doc, &doc, NULL))
        return false;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "tags"));
    while ((tag = yyjson_arr_iter_next(&it)))
        for (size_t i = 0; i < n; i++)
            if (str_eq(json_str(tag), tags[i]))
                return true;
    return false;
}

static bool has_any_status(const struct workflow *w, const struct str *statuses, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(workflow_status_name(w), statuses[i]))
            return true;
    return !n;
}

static void order_read(struct checks *c, struct workflow_query *q)
{
    static const char *const names[] = {"createdAt", "updatedAt", "name", "lastTriggeredAt"};
    struct str by = request_query(c->rq, "orderBy"), direction = request_query(c->rq, "orderDirection");
    int found = -1;
    for (int i = 0; i < 4; i++)
        if (str_eqz(by, names[i]))
            found = i;
    if (by.n && found < 0)
        check_fail(c, "orderBy must be one of the following values: createdAt, updatedAt, name, lastTriggeredAt");
    if (direction.n && !str_eqz(direction, "ASC") && !str_eqz(direction, "DESC"))
        check_fail(c, "orderDirection must be one of the following values: ASC, DESC");
    q->order_by = found < 0 ? 0 : (unsigned)found;
    q->ascending = str_eqz(direction, "ASC");
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow_query q = {.query = request_query(rq, "query")};
    struct str *tags, *statuses;
    size_t tags_n = request_query_all(rq, "tags", &tags), statuses_n = request_query_all(rq, "status", &statuses), n;
    struct workflow *all;
    struct error err = {0};
    q.limit = check_query_int(&checks, "limit", PAGE, 1, 1000);
    q.offset = check_query_int(&checks, "offset", 0, 0, INT64_MAX);
    order_read(&checks, &q);
    if (!checks_done(&checks))
        return;
    if (!workflow_list(app_db(rq), rq->arena, rq->principal.environment, &q, &all, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "workflows");
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (!has_any_tag(rq->arena, &all[i], tags, tags_n) || !has_any_status(&all[i], statuses, statuses_n))
            continue;
        if (total >= q.offset && total < q.offset + q.limit)
            yyjson_mut_arr_append(list, workflow_summary_json(d, rq->arena, &all[i]));
        total++;
    }
    json_add_int(d, o, "totalCount", total);
    reply_json(rq, 0, o);
}

#define WORKFLOW(method, path, operation, summary, permission, status, handler)                                       \
    {method, path, operation, "Workflows", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, ENVELOPE_DATA, \
     32u << 20, 0, handler}

const struct route workflow_routes[] = {
    WORKFLOW(HTTP_POST, "/v2/workflows", "workflowsCreate", "Create a workflow", "WORKFLOW_WRITE", 201, handle_create),
    WORKFLOW(HTTP_GET, "/v2/workflows", "workflowsList", "List workflows", "WORKFLOW_READ", 200, handle_list),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}", "workflowsGet", "Retrieve a workflow", "WORKFLOW_READ", 200, handle_get),
    WORKFLOW(HTTP_PUT, "/v2/workflows/{workflowId}", "workflowsUpdate", "Replace a workflow", "WORKFLOW_WRITE", 200, handle_update),
    WORKFLOW(HTTP_PATCH, "/v2/workflows/{workflowId}", "workflowsPatch", "Change a workflow", "WORKFLOW_WRITE", 200, handle_patch),
    WORKFLOW(HTTP_DELETE, "/v2/workflows/{workflowId}", "workflowsDelete", "Delete a workflow", "WORKFLOW_WRITE", 204, handle_delete),
};
const size_t workflow_routes_n = sizeof workflow_routes / sizeof *workflow_routes;
