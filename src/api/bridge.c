/* /v1/bridge: code-first workflows are synced from the application's bridge, and asked there (bridge-cli.md §3). */
#include "api/bridge_doc.h"
#include "api/discovery.h"
#include "api/tables.h"
#include "api/workflow_content.h"
#include "api/workflow_write.h"
#include "model/environment.h"

enum { URL_BYTES_MAX = 2048 };

/* A request that asks a bridge: what is asked, and then perhaps written. */
struct bridge_request {
    struct api_write w;
    struct bridge_call call;
    struct str step_type;                   /* of a stateless preview */
    yyjson_val *example;
    /* Sync. */
    yyjson_val *discovery;
    struct workflow_content content;
    struct workflow *synced;
    size_t synced_n;
};

static struct environment_view *environment_of(struct request *rq, struct error *err)
{
    return directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
}

/* --- where the bridge is --------------------------------------------------------------------------------------------- */

/* http(s)://host…; anything else is a mistake of form. */
static struct str check_url(struct checks *c, yyjson_val *body, const char *key)
{
    struct str url = check_string(c, body, key, true);
    if (url.p && ((!str_starts(url, STR("http://")) && !str_starts(url, STR("https://"))) || url.n > URL_BYTES_MAX
                  || url.n == (size_t)(str_find(url, STR("//")) + 2)))
        check_fail(c, "%s must be a URL address", key);
    return url;
}

static struct bridge_request *begin(struct request *rq, const char *action, void (*done)(struct bridge_call *c, const struct bridge_answer *said))
{
    struct bridge_request *x = ARENA_NEW(rq->arena, struct bridge_request);
    x->w.rq = rq;
    x->call = (struct bridge_call){.rq = rq, .action = action, .done = done};
    return x;
}

static struct bridge_request *request_of(struct bridge_call *c)
{
    return (struct bridge_request *)((char *)c - offsetof(struct bridge_request, call));
}

/* Asks the URL of the body, or the environment's own. */
static void ask(struct bridge_request *x, bool of_environment)
{
    struct request *rq = x->w.rq;
    struct error err = {0};
    struct environment_view *v = environment_of(rq, &err);
    if (v && of_environment)
        x->call.url = str_dup(rq->arena, json_get_str(json_get(v->settings, "bridge"), "url"));
    if (!v)
        reply_error(rq, &err);
    else if (of_environment && !x->call.url.n)
        bridge_call_reply_failure(rq, &(struct bridge_answer){.status = 400, .code = STR("InvalidBridgeUrl"), .message = STR("Invalid bridge URL: ")}, 0);
    else if (!bridge_url_allowed(rq, x->call.url, &err))
        reply_error(rq, &err);
    else
        bridge_call_start(&x->call, v);
    if (v)
        cached_unref(&v->head);
}

/* --- questions ---------------------------------------------------------------------------------------------------------- */

static void reply_as_it_is(struct bridge_call *c, const struct bridge_answer *said)
{
    if (said->body)
        reply_json_text(c->rq, 0, json_write(c->rq->arena, said->body));
    else
        bridge_call_reply_failure(c->rq, said, 0);
}

static void handle_status(struct request *rq)
{
    ask(begin(rq, "health-check", reply_as_it_is), true);
}

static void handle_stateless_status(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct bridge_request *x = begin(rq, "health-check", reply_as_it_is);
    x->call.url = check_url(&checks, rq->json, "bridgeUrl");
    if (checks_done(&checks))
        ask(x, false);
}

static void reply_validity(struct request *rq, struct str error)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "isValid", !error.n);
    if (error.n)
        json_add_str(d, o, "error", error);
    reply_json(rq, 0, o);
}

static void validated(struct bridge_call *c, const struct bridge_answer *said)
{
    bool ok = said->body && str_eqz(json_get_str(said->body, "status"), "ok");
    reply_validity(c->rq, ok ? STR_NULL : said->body ? STR("The bridge is not healthy") : said->message);
}

static void handle_validate(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct bridge_request *x = begin(rq, "health-check", validated);
    struct error err = {0};
    x->call.url = check_url(&checks, rq->json, "bridgeUrl");
    if (!checks_done(&checks))
        return;
    if (bridge_url_allowed(rq, x->call.url, &err))
        ask(x, false);
    else
        reply_validity(rq, str_dup(rq->arena, str_of(err.message)));
}

/* What discovery says, as workflows that are not stored. */
static void discovered(struct bridge_call *c, const struct bridge_answer *said)
{
    struct request *rq = c->rq;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "workflows");
    yyjson_val *w;
    size_t i, n;
    if (!said->body) {
        bridge_call_reply_failure(rq, said, 0);
        return;
    }
    if (!bridge_doc_check(said->body, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_arr_foreach(json_get(said->body, "workflows"), i, n, w) {
        struct workflow row = {.id = bridge_doc_id(rq->arena, rq->principal.environment, c->url, json_get_str(w, "workflowId")), .environment = rq->principal.environment, .created_at = app_now(rq), .updated_at = app_now(rq)};
        bridge_doc_make(rq->arena, w, NULL, &row);
        yyjson_mut_val *one = bridge_doc_json(d, rq->arena, &row, rq->principal.organization);
        json_add_str(d, one, "workflowId", row.identifier);
        yyjson_mut_arr_append(list, one);
    }
    reply_json(rq, 0, o);
}

static void handle_stateless_discover(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct bridge_request *x = begin(rq, "discover", discovered);
    x->call.url = check_url(&checks, rq->json, "bridgeUrl");
    if (checks_done(&checks))
        ask(x, false);
}

static void preview(struct bridge_request *x, bool of_environment, yyjson_val *controls, yyjson_val *example)
{
    struct request *rq = x->w.rq;
    struct error err = {0};
    struct environment_view *v = environment_of(rq, &err);
    if (!v) {
        reply_error(rq, &err);
        return;
    }
    x->call.workflow = request_param(rq, "workflowId");
    x->call.step = request_param(rq, "stepId");
    x->call.body = bridge_preview_body(rq->arena, v, controls, example);
    cached_unref(&v->head);
    ask(x, of_environment);
}

static void handle_preview(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_val *controls = check_object(&checks, rq->json, "controls", false);
    check_object(&checks, rq->json, "payload", false);
    if (checks_done(&checks))
        preview(begin(rq, "preview", reply_as_it_is), true, controls, rq->json);
}

static void stateless_previewed(struct bridge_call *c, const struct bridge_answer *said)
{
    struct bridge_request *x = request_of(c);
    struct request *rq = c->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *result;
    if (!said->body) {
        bridge_call_reply_failure(rq, said, 0);
        return;
    }
    result = json_add_obj(d, o, "result");
    json_add_val(d, result, "preview", json_get(said->body, "outputs"));
    json_add_str(d, result, "type", x->step_type);
    if (x->example)
        json_add_val(d, o, "previewPayloadExample", x->example);
    else
        json_add_obj(d, o, "previewPayloadExample");
    reply_json(rq, 0, o);
}

static void handle_stateless_preview(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct bridge_request *x = begin(rq, "preview", stateless_previewed);
    x->call.url = check_url(&checks, rq->json, "bridgeUrl");
    x->step_type = check_string(&checks, rq->json, "stepType", false);
    yyjson_val *controls = check_object(&checks, rq->json, "controlValues", false);
    x->example = check_object(&checks, rq->json, "previewPayload", false);
    if (checks_done(&checks))
        preview(x, false, controls, x->example);
}

/* --- sync ------------------------------------------------------------------------------------------------------------- */

static bool is_external(struct arena *a, const struct workflow *w, yyjson_val **doc, struct error *err)
{
    if (!json_parse(a, w->doc, doc, err))
        return false;
    return str_eqz(json_get_str(*doc, "origin"), "external")
        || error_http(err, 400, "Workflow %.*s was already created in Dashboard. Please use another workflowId.",
                      STR_ARG(str_cut(w->identifier, 200)));
}

static bool workflow_put(struct bridge_request *x, struct db *db, yyjson_val *discovered_one, struct workflow *w, struct error *err)
{
    struct request *rq = x->w.rq;
    struct arena *a = rq->arena;
    struct error missing = {0};
    yyjson_val *before = NULL;
    bool exists = workflow_find_by_identifier(db, a, rq->principal.environment, json_get_str(discovered_one, "workflowId"), w, &missing);
    if (!exists && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (exists && !is_external(a, w, &before, err))
        return false;
    if (!exists)
        *w = (struct workflow){.id = app_id(rq), .environment = rq->principal.environment, .version = 1, .created_at = app_now(rq)};
    w->updated_at = app_now(rq);
    bridge_doc_make(a, discovered_one, before, w);
    if (!workflow_issues_make(a, &x->content, w->doc, &w->doc, err))
        return false;
    return exists ? workflow_write_update(rq, db, w, err) : workflow_write_create(rq, db, w, err);
}

static bool is_synced(const struct bridge_request *x, struct str identifier)
{
    for (size_t i = 0; i < x->synced_n; i++)
        if (str_eq(x->synced[i].identifier, identifier))
            return true;
    return false;
}

/* Code-first workflows that the code has no more. */
static bool remove_others(struct bridge_request *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct workflow_query all = {.limit = INT32_MAX};
    struct workflow *list;
    struct error other = {0};
    size_t n;
    yyjson_val *doc;
    if (!workflow_list(db, rq->arena, rq->principal.environment, &all, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_synced(x, list[i].identifier) && is_external(rq->arena, &list[i], &doc, &other)
            && !workflow_write_delete(rq, db, &list[i], err))
            return false;
    return true;
}

static bool bridge_store(struct bridge_request *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct environment e;
    yyjson_val *settings;
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!environment_find(db, rq->arena, rq->principal.environment, &e, err)
        || !json_parse(rq->arena, e.settings.n ? e.settings : STR("{}"), &settings, err))
        return false;
    yyjson_mut_val *o = yyjson_val_mut_copy(d, settings);
    yyjson_mut_obj_remove_key(o, "bridge");
    json_add_str(d, json_add_obj(d, o, "bridge"), "url", x->call.url);
    e.settings = json_write_mut(rq->arena, o);
    int64_t stored = e.updated_at;
    e.updated_at = app_now(rq);
    write_later(stored, &e.updated_at);
    return environment_update(db, &e, err);
}

static bool sync_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct bridge_request *x = (struct bridge_request *)w;
    yyjson_val *list = json_get(x->discovery, "workflows"), *one;
    size_t i, n;
    x->synced_n = 0;
    yyjson_arr_foreach(list, i, n, one)
        if (is_synced(x, json_get_str(one, "workflowId")))
            continue;
        else if (!workflow_put(x, db, one, &x->synced[x->synced_n], err))
            return false;
        else
            x->synced_n++;
    return remove_others(x, db, err) && bridge_store(x, db, err);
}

static void sync_reply(struct api_write *w)
{
    struct bridge_request *x = (struct bridge_request *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < x->synced_n; i++)
        yyjson_mut_arr_append(list, bridge_doc_json(d, w->rq->arena, &x->synced[i], w->rq->principal.organization));
    reply_json(w->rq, 0, list);
}

/* Back on the loop: its connection tells what the issues of steps are judged by. */
static void sync_write(void *arg)
{
    struct bridge_request *x = arg;
    struct error err = {0};
    struct request *rq = x->call.rq;
    if (workflow_content_load(rq, &x->content, &err))
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

static void sync_discovered(struct bridge_call *c, const struct bridge_answer *said)
{
    struct bridge_request *x = request_of(c);
    struct request *rq = c->rq;
    struct error err = {0};
    if (!said->body) {
        bridge_call_reply_failure(rq, said, 400);
        return;
    }
    if (!bridge_doc_check(said->body, &err)) {
        reply_error(rq, &err);
        return;
    }
    x->discovery = said->body;
    x->synced = ARENA_ARRAY(rq->arena, struct workflow, yyjson_arr_size(json_get(said->body, "workflows")) + 1);
    x->w = (struct api_write){.flags = WRITE_DEFINITIONS | WRITE_DIRECTORY | WRITE_REMOVAL, .apply = sync_apply, .reply = sync_reply};
    request_continue(rq, sync_write, x);
}

static void handle_sync(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct bridge_request *x = begin(rq, "discover", sync_discovered);
    x->call.url = check_url(&checks, rq->json, "bridgeUrl");
    if (checks_done(&checks))
        ask(x, false);
}

/* --- what the dashboard may change of them ------------------------------------------------------------------------------ */

static bool load_step(struct request *rq, struct db *db, struct workflow *w, yyjson_val **doc, int *at, struct error *err)
{
    struct error missing = {0};
    size_t i, n;
    yyjson_val *step;
    *at = -1;
    if (!workflow_find(db, rq->arena, rq->principal.environment, request_param(rq, "workflowId"), w, &missing)) {
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        return error_http(err, 404, "Workflow not found");
    }
    if (!json_parse(rq->arena, w->doc, doc, err))
        return false;
    yyjson_arr_foreach(json_get(*doc, "steps"), i, n, step)
        if (str_eq(json_get_str(step, "stepId"), request_param(rq, "stepId")) || str_eq(json_get_str(step, "_id"), request_param(rq, "stepId")))
            *at = (int)i;
    return *at >= 0 || error_http(err, 404, "Step not found");
}

static yyjson_mut_val *controls_json(struct request *rq, yyjson_mut_doc *d, const struct workflow *w, yyjson_val *step)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_val(d, o, "_id", json_get(step, "_id"));
    json_add_time(d, o, "createdAt", w->created_at);
    json_add_time(d, o, "updatedAt", w->updated_at);
    json_add_id(d, o, "_environmentId", w->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_id(d, o, "_workflowId", w->id);
    json_add_val(d, o, "_stepId", json_get(step, "_id"));
    json_add_str(d, o, "level", STR("step_controls"));
    json_add_int(d, o, "priority", 0);
    json_add_val(d, o, "controls", json_get(step, "controlValues"));
    return o;
}

static void handle_controls(struct request *rq)
{
    struct workflow w;
    struct error err = {0};
    yyjson_val *doc, *step;
    int at;
    if (!load_step(rq, app_db(rq), &w, &doc, &at, &err)) {
        reply_error(rq, &err);
        return;
    }
    step = yyjson_arr_get(json_get(doc, "steps"), (size_t)at);
    if (yyjson_obj_size(json_get(step, "controlValues")))
        reply_json(rq, 0, controls_json(rq, json_doc(rq->arena), &w, step));
    else
        reply_json_text(rq, 0, STR("null"));
}

struct controls_write {
    struct api_write w;
    struct workflow row;
    struct workflow_content content;
    yyjson_val *variables;
    int at;
};

static bool controls_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct controls_write *x = (struct controls_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_val *doc;
    if (!load_step(w->rq, db, &x->row, &doc, &x->at, err))
        return false;
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, doc), *step = yyjson_mut_arr_get(yyjson_mut_obj_get(copy, "steps"), (size_t)x->at);
    yyjson_mut_obj_remove_key(step, "controlValues");
    json_add_val(d, step, "controlValues", x->variables);
    x->row.doc = json_write_mut(w->rq->arena, copy);
    x->row.updated_at = app_now(w->rq);
    return workflow_issues_make(w->rq->arena, &x->content, x->row.doc, &x->row.doc, err)
        && workflow_write_update(w->rq, db, &x->row, err);
}

static void controls_reply(struct api_write *w)
{
    struct controls_write *x = (struct controls_write *)w;
    yyjson_val *doc = NULL;
    json_parse(w->rq->arena, x->row.doc, &doc, NULL);
    reply_json(w->rq, 0, controls_json(w->rq, json_doc(w->rq->arena), &x->row, yyjson_arr_get(json_get(doc, "steps"), (size_t)x->at)));
}

static void handle_controls_put(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct controls_write *x = ARENA_NEW(rq->arena, struct controls_write);
    struct error err = {0};
    x->variables = check_object(&checks, rq->json, "variables", true);
    if (!checks_done(&checks))
        return;
    if (!workflow_content_load(rq, &x->content, &err)) {
        reply_error(rq, &err);
        return;
    }
    x->w = (struct api_write){.flags = WRITE_DEFINITIONS, .apply = controls_apply, .reply = controls_reply};
    api_write(rq, &x->w);
}

static void handle_diff(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct error err = {0};
    struct workflow_query all = {.limit = INT32_MAX};
    struct workflow *list;
    size_t n;
    yyjson_val *doc;
    check_url(&checks, rq->json, "bridgeUrl");
    if (!checks_done(&checks))
        return;
    struct environment_view *v = environment_of(rq, &err);
    struct str url = v ? str_dup(rq->arena, json_get_str(json_get(v->settings, "bridge"), "url")) : STR_NULL;
    if (v)
        cached_unref(&v->head);
    if (v && !url.n)
        error_http(&err, 400, "Bridge URL not found");
    if (!url.n || !workflow_list(app_db(rq), rq->arena, rq->principal.environment, &all, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *current = json_add_obj(d, o, "current"), *found = json_add_arr(d, current, "workflows");
    for (size_t i = 0; i < n; i++) {
        struct error other = {0};
        if (is_external(rq->arena, &list[i], &doc, &other) && json_get(doc, "rawData"))
            yyjson_mut_arr_append(found, yyjson_val_mut_copy(d, json_get(doc, "rawData")));
    }
    json_add_str(d, current, "bridgeUrl", url);
    json_add_val(d, o, "new", rq->json);
    reply_json(rq, 0, o);
}

#define BRIDGE(method, path, operation, summary, permission, status, flags, handler)                                        \
    {method, "/v1/bridge/" path, operation, "Bridge", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     ENVELOPE_DATA, 32u << 20, flags, handler}
#define ASKS (ROUTE_READ_ONLY | ROUTE_NOT_IDEMPOTENT)

const struct route bridge_routes[] = {
    BRIDGE(HTTP_POST, "sync", "bridgeSync", "Store the workflows that a bridge has", "WORKFLOW_WRITE", 201, 0, handle_sync),
    BRIDGE(HTTP_GET, "status", "bridgeStatus", "Ask the environment's bridge how it is", "WORKFLOW_READ", 200, 0, handle_status),
    BRIDGE(HTTP_POST, "validate", "bridgeValidate", "Is there a bridge at this URL?", "BRIDGE_WRITE", 201, ASKS, handle_validate),
    BRIDGE(HTTP_POST, "diff", "bridgeDiff", "Compare what is stored with what would be synced", "WORKFLOW_READ", 201, ASKS, handle_diff),
    BRIDGE(HTTP_GET, "controls/{workflowId}/{stepId}", "bridgeControlsGet", "Retrieve a step's control values", "WORKFLOW_READ", 200, 0,
           handle_controls),
    BRIDGE(HTTP_PUT, "controls/{workflowId}/{stepId}", "bridgeControlsPut", "Set a step's control values", "WORKFLOW_WRITE", 200, 0,
           handle_controls_put),
    BRIDGE(HTTP_POST, "preview/{workflowId}/{stepId}", "bridgePreview", "Preview a step through the environment's bridge", "WORKFLOW_READ",
           201, ASKS, handle_preview),
    BRIDGE(HTTP_POST, "stateless/status", "bridgeStatelessStatus", "Ask a bridge how it is", "BRIDGE_WRITE", 201, ASKS,
           handle_stateless_status),
    BRIDGE(HTTP_POST, "stateless/discover", "bridgeStatelessDiscover", "List a bridge's workflows without storing them", "BRIDGE_WRITE",
           201, ASKS, handle_stateless_discover),
    BRIDGE(HTTP_POST, "stateless/preview/{workflowId}/{stepId}", "bridgeStatelessPreview", "Preview a step of a bridge", "BRIDGE_WRITE",
           201, ASKS, handle_stateless_preview),
};
const size_t bridge_routes_n = sizeof bridge_routes / sizeof *bridge_routes;
