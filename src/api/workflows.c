/* /v2/workflows (rest-api.md §6.8). */
#include "api/tables.h"
#include "api/workflow_doc.h"
#include "api/workflow_private.h"
#include "api/workflow_view.h"
#include "api/workflow_write.h"

enum { PAGE = 50, IDENTIFIER_MAX = 256, COPIED_NAME_MAX = 57 };        /* with " (Copy)" a name of 64 */

struct workflow_write {
    struct api_write w;
    struct workflow row;
    struct workflow_content content;
    yyjson_mut_doc *d;
    yyjson_mut_val *answer;         /* made before the write: a reply runs on the writer's thread */
};

/* --- finding --------------------------------------------------------------------------------------------------- */

bool workflow_load(struct request *rq, struct workflow *w)
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

bool workflow_load_writable(struct request *rq, struct workflow *w, struct workflow_content *c)
{
    struct error err = {0};
    if (!workflow_load(rq, w))
        return false;
    if (workflow_content_load(rq, c, &err) && workflow_content_writable(c, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static void write_reply(struct api_write *w)
{
    struct workflow_write *x = (struct workflow_write *)w;
    workflow_json_settle(x->d, w->rq->arena, x->answer, &x->row);
    reply_json(w->rq, 0, x->answer);
}

static void delete_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct workflow_write *x = (struct workflow_write *)w;
    return workflow_write_create(w->rq, db, &x->row, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct workflow_write *x = (struct workflow_write *)w;
    return workflow_write_update_seen(w, db, &x->row, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct workflow_write *x = (struct workflow_write *)w;
    return workflow_write_delete(w->rq, db, &x->row, err);
}

static struct workflow_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct workflow_write *x = ARENA_NEW(rq->arena, struct workflow_write);
    x->w.flags = WRITE_DEFINITIONS;
    x->w.apply = apply;
    x->w.reply = write_reply;
    x->w.rq = rq;
    x->d = json_doc(rq->arena);
    return x;
}

/* Finds the issues of the content, makes the answer, and writes. */
static void submit(struct request *rq, struct workflow_write *x)
{
    struct error err = {0};
    if (!workflow_issues_make(rq->arena, &x->content, x->row.doc, &x->row.doc, &err)) {
        reply_error(rq, &err);
        return;
    }
    x->answer = workflow_json(x->d, rq->arena, &x->content, &x->row);
    api_write(rq, &x->w);
}

void workflow_submit_update(struct request *rq, const struct workflow *row, const struct workflow_content *c)
{
    struct workflow_write *x = write_new(rq, update_apply);
    x->row = *row;
    x->content = *c;
    x->w.seen = row->updated_at;
    x->row.updated_at = app_now(rq);
    submit(rq, x);
}

void workflow_submit_create(struct request *rq, const struct workflow *row, const struct workflow_content *c)
{
    struct workflow_write *x = write_new(rq, create_apply);
    x->row = *row;
    x->content = *c;
    x->row.id = app_id(rq);
    x->row.environment = rq->principal.environment;
    x->row.version = 1;
    x->row.created_at = x->row.updated_at = app_now(rq);
    x->row.last_triggered_at = 0;
    submit(rq, x);
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow row = {.identifier = check_string(&checks, rq->json, "workflowId", true)};
    struct workflow_content content;
    struct error err = {0};
    if (row.identifier.n > IDENTIFIER_MAX)
        check_fail(&checks, "workflowId must be shorter than or equal to %d characters", IDENTIFIER_MAX);
    bool ok = workflow_doc_read(&checks, rq->json, NULL, &row, &err);
    if (!checks_done(&checks))
        return;
    if (ok && workflow_content_load(rq, &content, &err) && workflow_content_writable(&content, &err))
        workflow_submit_create(rq, &row, &content);
    else
        reply_error(rq, &err);
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
    struct workflow before, row;
    struct workflow_content content;
    struct error err = {0};
    if (!workflow_load_writable(rq, &before, &content) || !identifier_is_kept(rq, &before))
        return;
    row = before;
    bool ok = whole ? workflow_doc_read(&checks, rq->json, &before, &row, &err)
                    : workflow_doc_patch(&checks, rq->json, &row, &err);
    if (!checks_done(&checks))
        return;
    if (ok)
        workflow_submit_update(rq, &row, &content);
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
    struct workflow_write *x = write_new(rq, delete_apply);
    x->w.flags |= WRITE_REMOVAL;
    x->w.reply = delete_reply;
    if (workflow_load_writable(rq, &x->row, &x->content))
        api_write(rq, &x->w);
}

/* `X (Copy)`, not active, with ids of its own. */
static void handle_duplicate(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow source, row;
    struct workflow_content content;
    struct error err = {0};
    struct str name = check_string(&checks, rq->json, "name", false);
    if (!workflow_load_writable(rq, &source, &content))
        return;
    row = source;
    bool ok = workflow_doc_duplicate(&checks, rq->json, &row, &err);
    row.name = name.n ? name : str_fmt(rq->arena, "%.*s (Copy)", STR_ARG(str_cut(source.name, COPIED_NAME_MAX)));
    row.identifier = slugify(rq->arena, row.name);
    if (!row.identifier.n)
        row.identifier = source.identifier;
    row.active = false;
    if (!checks_done(&checks))
        return;
    if (ok)
        workflow_submit_create(rq, &row, &content);
    else
        reply_error(rq, &err);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* A key is bound to its environment; only a session may look into another. */
static bool environment_is_own(struct request *rq)
{
    struct str given = request_query(rq, "environmentId");
    struct id id;
    if (!given.n || (id_parse(given, &id) && id_eq(id, rq->principal.environment)))
        return true;
    reply_fail(rq, 403, "This authentication scheme is scoped to a single environment and cannot target a different `_environmentId`.");
    return false;
}

static void handle_get(struct request *rq)
{
    struct workflow w;
    struct workflow_content content;
    struct error err = {0};
    if (!environment_is_own(rq) || !workflow_load(rq, &w))
        return;
    if (workflow_content_load(rq, &content, &err))
        reply_json(rq, 0, workflow_json(json_doc(rq->arena), rq->arena, &content, &w));
    else
        reply_error(rq, &err);
}

static void handle_step(struct request *rq)
{
    struct workflow w;
    struct workflow_content content;
    struct error err = {0};
    yyjson_val *doc;
    if (!workflow_load(rq, &w))
        return;
    if (!workflow_content_load(rq, &content, &err) || !json_parse(rq->arena, w.doc, &doc, &err)) {
        reply_error(rq, &err);
        return;
    }
    int step = workflow_step_find(doc, request_param(rq, "stepId"));
    if (step < 0)
        reply_fail(rq, 400, "No step found");
    else
        reply_json(rq, 0, workflow_step_json(json_doc(rq->arena), rq->arena, &content, &w, (size_t)step));
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

static bool has_any_status(struct arena *a, const struct workflow_content *c, const struct workflow *w, const struct str *statuses,
                           size_t n)
{
    if (!n)
        return true;
    struct str status = workflow_status(w->active, workflow_doc_now(a, c, w));
    for (size_t i = 0; i < n; i++)
        if (str_eq(status, statuses[i]))
            return true;
    return false;
}

static void check_statuses(struct checks *c, const struct str *statuses, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!str_eqz(statuses[i], "ACTIVE") && !str_eqz(statuses[i], "INACTIVE") && !str_eqz(statuses[i], "ERROR")) {
            check_fail(c, "each value in status must be one of the following values: ACTIVE, INACTIVE, ERROR");
            return;
        }
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
    struct workflow_content content;
    struct error err = {0};
    q.limit = check_query_int(&checks, "limit", PAGE, 1, 100);
    q.offset = check_query_int(&checks, "offset", 0, 0, INT64_MAX);
    order_read(&checks, &q);
    check_statuses(&checks, statuses, statuses_n);
    if (!checks_done(&checks))
        return;
    if (!workflow_content_load(rq, &content, &err) || !workflow_list(app_db(rq), rq->arena, rq->principal.environment, &q, &all, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "workflows");
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (!has_any_tag(rq->arena, &all[i], tags, tags_n) || !has_any_status(rq->arena, &content, &all[i], statuses, statuses_n))
            continue;
        if (total >= q.offset && total < q.offset + q.limit)
            yyjson_mut_arr_append(list, workflow_summary_json(d, rq->arena, &content, &all[i]));
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
    WORKFLOW(HTTP_POST, "/v2/workflows/{workflowId}/duplicate", "workflowsDuplicate", "Copy a workflow in its environment",
             "WORKFLOW_WRITE", 201, handle_duplicate),
    WORKFLOW(HTTP_PUT, "/v2/workflows/{workflowId}/sync", "workflowsSync", "Copy a workflow to another environment",
             "WORKFLOW_WRITE", 200, workflow_handle_sync),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}/steps/{stepId}", "workflowsStepsRetrieve", "Retrieve a step", "WORKFLOW_READ", 200,
             handle_step),
    WORKFLOW(HTTP_POST, "/v2/workflows/{workflowId}/step/{stepId}/preview", "workflowsStepsGeneratePreview", "Preview a step",
             "WORKFLOW_READ", 201, workflow_handle_preview),
    WORKFLOW(HTTP_POST, "/v2/workflows/steps/test-http-request", "workflowsStepsTestHttpRequest", "Make the request of an HTTP step",
             "WORKFLOW_WRITE", 201, workflow_handle_test_request),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}/test-data", "workflowsTestData", "Data to try a workflow out with", "WORKFLOW_READ",
             200, workflow_handle_test_data),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}/versions", "workflowsVersionsList", "List the versions of a workflow",
             "WORKFLOW_READ", 200, workflow_handle_versions),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}/versions/{version}", "workflowsVersionsGet", "Retrieve a version of a workflow",
             "WORKFLOW_READ", 200, workflow_handle_version),
    WORKFLOW(HTTP_GET, "/v2/workflows/{workflowId}/versions/{version}/diff", "workflowsVersionsDiff",
             "Compare two versions of a workflow", "WORKFLOW_READ", 200, workflow_handle_diff),
    WORKFLOW(HTTP_POST, "/v2/workflows/{workflowId}/versions/{version}/rollback", "workflowsVersionsRollback",
             "Make an old version the current one", "WORKFLOW_WRITE", 200, workflow_handle_rollback),
};
const size_t workflow_routes_n = sizeof workflow_routes / sizeof *workflow_routes;
