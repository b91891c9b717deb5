/* /v2/layouts: what stands around the body of an e-mail (rest-api.md §6.9). */
#include "api/app.h"
#include "api/layout_use.h"
#include "api/preview_texts.h"
#include "api/tables.h"
#include "api/workflow_content.h"
#include "api/workflow_write.h"
#include "content/preview.h"
#include "content/step_schema.h"
#include "model/layout.h"
#include "model/workflow.h"

enum { NAME_MAX_CHARS = 128, IDENTIFIER_MAX = 128 };

/* A new layout shows the content and nothing else. */
static const char blank_body[] =
    "{\"type\":\"doc\",\"content\":[{\"type\":\"paragraph\",\"attrs\":{\"textAlign\":\"left\"},\"content\":[{\"type\":\"variable\","
    "\"attrs\":{\"id\":\"content\",\"label\":null,\"fallback\":null,\"required\":false,\"aliasFor\":null}}]}]}";

struct layout_write {
    struct api_write w;
    struct layout row;
    struct content_workflow variables;      /* what a layout may use; read before the write: a reply runs on the writer's thread */
};

/* --- the wire form ------------------------------------------------------------------------------------------- */

/* variables: NULL in lists, which do not show them. */
static yyjson_mut_val *layout_json(struct arena *a, yyjson_mut_doc *d, const struct layout *l, const struct content_workflow *variables)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL;
    json_parse(a, l->doc, &doc, NULL);
    json_add_id(d, o, "_id", l->id);
    json_add_str(d, o, "layoutId", l->identifier);
    json_add_str(d, o, "slug", slug_make(a, l->name, "lt_", l->id));
    json_add_str(d, o, "name", l->name);
    json_add_bool(d, o, "isDefault", l->is_default);
    json_add_bool(d, o, "isTranslationEnabled", json_get_bool(doc, "isTranslationEnabled", false));
    json_add_time(d, o, "createdAt", l->created_at);
    json_add_time(d, o, "updatedAt", l->updated_at);
    json_add_str(d, o, "origin", STR("novu-cloud"));
    json_add_str(d, o, "type", STR("REGULAR"));
    yyjson_mut_val *controls = json_add_obj(d, o, "controls");
    if (json_get(doc, "values"))
        json_add_val(d, controls, "values", json_get(doc, "values"));
    else
        json_add_obj(d, controls, "values");
    json_add_val(d, controls, "dataSchema", step_schema(a, STR("layout"), STEP_SCHEMA_DATA));
    json_add_val(d, controls, "uiSchema", step_schema(a, STR("layout"), STEP_SCHEMA_UI));
    if (variables)
        yyjson_mut_obj_add_val(d, o, "variables", variable_schema(a, d, variables, 0));
    return o;
}

static bool variables_load(struct request *rq, struct content_workflow *out, struct error *err)
{
    struct workflow_content content;
    if (!workflow_content_load(rq, &content, err))
        return false;
    *out = (struct content_workflow){.env = content.env, .env_n = content.env_n};
    return true;
}

/* email NULL: no values. */
static struct str doc_make(struct arena *a, bool translated, yyjson_val *email)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = yyjson_mut_obj(d), *values;
    json_add_bool(d, doc, "isTranslationEnabled", translated);
    values = json_add_obj(d, doc, "values");
    if (email)
        json_add_val(d, values, "email", email);
    return json_write_mut(a, doc);
}

static yyjson_val *blank_email(struct arena *a)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *blank = yyjson_mut_obj(d);
    yyjson_val *v = NULL;
    json_add_str(d, blank, "body", str_of(blank_body));
    json_add_str(d, blank, "editorType", STR("block"));
    json_parse(a, json_write_mut(a, blank), &v, NULL);
    return v;
}

/* --- content that a layout must have ------------------------------------------------------------------------------ */

static bool has_content_node(yyjson_val *node)
{
    size_t i, n;
    yyjson_val *child;
    if (str_eqz(json_get_str(node, "type"), "variable") && str_eqz(json_get_str(json_get(node, "attrs"), "id"), "content"))
        return true;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child)
        if (has_content_node(child))
            return true;
    return false;
}

/* {{content}}, with blanks. */
static bool has_content_output(struct str html)
{
    ptrdiff_t at;
    while ((at = str_find(html, STR("{{"))) >= 0) {
        html = (struct str){html.p + at + 2, html.n - (size_t)at - 2};
        ptrdiff_t end = str_find(html, STR("}}"));
        if (end >= 0 && str_eqz(str_trim((struct str){html.p, (size_t)end}), "content"))
            return true;
    }
    return false;
}

static bool content_check(struct arena *a, yyjson_val *email, struct error *err)
{
    struct str body = json_get_str(email, "body");
    bool html = str_eqz(json_get_str(email, "editorType"), "html"), has;
    yyjson_val *doc = NULL;
    bool is_doc = json_parse(a, body, &doc, NULL) && str_eqz(json_get_str(doc, "type"), "doc");
    if (html && (is_doc || str_find(body, STR("<")) < 0 || str_find(body, STR(">")) < 0))
        return error_http(err, 400, "Content must be a valid HTML content");
    if (!html && !is_doc)
        return error_http(err, 400, "Content must be a valid Maily JSON content");
    has = html ? has_content_output(body) : has_content_node(doc);
    if (has)
        return true;
    error_http(err, 400, "Layout has validation issues");
    err->details = STR("{\"controls\":{\"email.body\":[{\"issueType\":\"MISSING_VALUE\",\"variableName\":\"email.body\",\"message\":"
                       "\"The layout body should contain the \\\"content\\\" variable\"}]}}");
    return false;
}

/* controlValues of a request; *email NULL: not given. false: answered. */
static bool values_read(struct checks *c, yyjson_val **email, struct error *err)
{
    yyjson_val *values = check_object(c, c->rq->json, "controlValues", false);
    *email = check_object(c, values, "email", false);
    if (!*email)
        return true;
    struct str type = check_string(c, *email, "editorType", false);
    check_string(c, *email, "body", true);
    if (type.n && !str_eqz(type, "html") && !str_eqz(type, "block"))
        check_fail(c, "editorType must be one of the following values: block, html");
    return c->n || content_check(c->rq->arena, *email, err);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool load(struct request *rq, struct layout *l)
{
    struct error err = {0};
    struct str key = request_param(rq, "layoutId");
    char hex[ID_HEX + 1];
    if (layout_find(app_db(rq), rq->arena, rq->principal.environment, key, l, &err))
        return true;
    id_hex(rq->principal.environment, hex);
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Layout not found for id %.*s in the environment %s", (int)(key.n > 64 ? 64 : key.n), key.p, hex);
    reply_error(rq, &err);
    return false;
}

static void handle_get(struct request *rq)
{
    struct content_workflow variables;
    struct error err = {0};
    struct layout l;
    if (!load(rq, &l))
        return;
    if (variables_load(rq, &variables, &err))
        reply_json(rq, 0, layout_json(rq->arena, json_doc(rq->arena), &l, &variables));
    else
        reply_error(rq, &err);
}

static int by_name(const void *x, const void *y)
{
    const struct layout *a = x, *b = y;
    int order = str_cmp(a->name, b->name);
    return order ? order : id_cmp(a->id, b->id);
}

static int by_updated(const void *x, const void *y)
{
    const struct layout *a = x, *b = y;
    return a->updated_at != b->updated_at ? (a->updated_at < b->updated_at ? -1 : 1) : id_cmp(a->id, b->id);
}

static int by_created(const void *x, const void *y)
{
    return id_cmp(((const struct layout *)x)->id, ((const struct layout *)y)->id);
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str query = request_query(rq, "query"), by = request_query(rq, "orderBy"), direction = request_query(rq, "orderDirection");
    int64_t limit = check_query_int(&c, "limit", 50, 1, 100), offset = check_query_int(&c, "offset", 0, 0, INT64_MAX), total = 0;
    struct layout *list;
    struct error err = {0};
    size_t n;
    if (by.n && !str_eqz(by, "createdAt") && !str_eqz(by, "updatedAt") && !str_eqz(by, "name"))
        check_fail(&c, "orderBy must be one of the following values: createdAt, updatedAt, name");
    if (direction.n && !str_eqz(direction, "ASC") && !str_eqz(direction, "DESC"))
        check_fail(&c, "orderDirection must be one of the following values: ASC, DESC");
    if (!checks_done(&c))
        return;
    if (!layout_list(app_db(rq), rq->arena, rq->principal.environment, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    if (n)
        qsort(list, n, sizeof *list, str_eqz(by, "name") ? by_name : str_eqz(by, "updatedAt") ? by_updated : by_created);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *layouts = json_add_arr(d, o, "layouts");
    for (size_t i = 0; i < n; i++) {
        const struct layout *l = &list[str_eqz(direction, "ASC") ? i : n - 1 - i];
        if (query.n && str_find_nocase(l->name, query) < 0 && str_find_nocase(l->identifier, query) < 0)
            continue;
        if (total >= offset && total < offset + limit)
            yyjson_mut_arr_append(layouts, layout_json(rq->arena, d, l, NULL));
        total++;
    }
    json_add_int(d, o, "totalCount", total);
    reply_json(rq, 0, o);
}

/* --- use by workflows ------------------------------------------------------------------------------------------- */

static bool names_layout(yyjson_val *step, const struct layout *l)
{
    struct str given = json_get_str(json_get(step, "controlValues"), "layoutId");
    struct id id;
    return given.n && (str_eq(given, l->identifier) || ((id_parse(given, &id) || slug_parse(given, "lt_", &id)) && id_eq(id, l->id)));
}

static bool names_in_workflow(struct arena *a, const struct workflow *w, const struct layout *l)
{
    size_t i, n;
    yyjson_val *doc, *step;
    if (!json_parse(a, w->doc, &doc, NULL))
        return false;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (names_layout(step, l))
            return true;
    return false;
}

bool layout_used(struct db *db, struct arena *a, const struct layout *l, bool *used, struct error *err)
{
    struct workflow_query all = {.limit = 0};
    struct workflow *list;
    size_t n;
    *used = false;
    if (!workflow_list(db, a, l->environment, &all, &list, &n, err))
        return false;
    for (size_t i = 0; i < n && !*used; i++)
        *used = names_in_workflow(a, &list[i], l);
    return true;
}

static void handle_usage(struct request *rq)
{
    struct layout l;
    struct workflow_query all = {.limit = 0};
    struct workflow *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *arr = json_add_arr(d, o, "workflows");
    if (!load(rq, &l))
        return;
    if (!workflow_list(app_db(rq), rq->arena, rq->principal.environment, &all, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (names_in_workflow(rq->arena, &list[i], &l)) {
            yyjson_mut_val *w = yyjson_mut_arr_add_obj(d, arr);
            json_add_str(d, w, "name", list[i].name);
            json_add_str(d, w, "workflowId", list[i].identifier);
        }
    reply_json(rq, 0, o);
}

/* Takes the layout out of a workflow's steps; a new version of it. */
static bool workflow_unset(struct request *rq, struct db *db, struct workflow *w, const struct layout *l, int64_t now, struct error *err)
{
    struct arena *a = rq->arena;
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(a);
    size_t i, n;
    yyjson_mut_val *step;
    if (!json_parse(a, w->doc, &doc, err))
        return false;
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, doc);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(copy, "steps"), i, n, step)
        if (names_layout(yyjson_arr_get(json_get(doc, "steps"), i), l))
            yyjson_mut_obj_remove_key(yyjson_mut_obj_get(step, "controlValues"), "layoutId");
    w->doc = json_write_mut(a, copy);
    w->updated_at = now;
    return workflow_write_update(rq, db, w, err);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static bool identifier_settle(struct db *db, struct arena *a, struct layout *l, struct error *err)
{
    struct layout taken;
    struct error missing = {0};
    if (!layout_find(db, a, l->environment, l->identifier, &taken, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    l->identifier = str_fmt(a, "%.*s-%.*s", STR_ARG(l->identifier), STR_ARG(crypto_random_word(a, 6)));
    return true;
}

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct layout_write *x = (struct layout_write *)w;
    struct layout *list;
    size_t n;
    if (!layout_list(db, w->rq->arena, x->row.environment, &list, &n, err))
        return false;
    if (n >= LAYOUTS_MAX)
        return error_http(err, 400, "Layout limit exceeded. An environment cannot have more than %d layouts.", LAYOUTS_MAX);
    return identifier_settle(db, w->rq->arena, &x->row, err) && layout_insert(db, &x->row, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct layout_write *x = (struct layout_write *)w;
    struct layout now;
    return layout_find(db, w->rq->arena, x->row.environment, x->row.identifier, &now, err)
        && write_follows(w, now.updated_at, &x->row.updated_at, err) && layout_update(db, &x->row, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct layout_write *x = (struct layout_write *)w;
    struct request *rq = w->rq;
    struct workflow_query all = {.limit = 0};
    struct workflow *list;
    size_t n;
    if (!workflow_list(db, rq->arena, x->row.environment, &all, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (names_in_workflow(rq->arena, &list[i], &x->row)
            && !workflow_unset(rq, db, &list[i], &x->row, x->row.updated_at, err))
            return false;
    return layout_delete(db, x->row.environment, x->row.id, err);
}

static void write_reply(struct api_write *w)
{
    struct layout_write *x = (struct layout_write *)w;
    reply_json(w->rq, 0, layout_json(w->rq->arena, json_doc(w->rq->arena), &x->row, &x->variables));
}

static void delete_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static struct layout_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct layout_write *x = ARENA_NEW(rq->arena, struct layout_write);
    x->w.flags = WRITE_DEFINITIONS;
    x->w.apply = apply;
    x->w.reply = write_reply;
    x->row = (struct layout){.id = app_id(rq), .environment = rq->principal.environment, .created_at = app_now(rq),
                             .updated_at = app_now(rq)};
    return x;
}

static void check_name(struct checks *c, struct layout *l)
{
    l->name = str_trim(check_string(c, c->rq->json, "name", true));
    if (l->name.n > NAME_MAX_CHARS)
        check_fail(c, "name must be shorter than or equal to %d characters", NAME_MAX_CHARS);
}

static void check_identifier(struct checks *c, struct layout *l, bool required)
{
    l->identifier = str_trim(check_string(c, c->rq->json, "layoutId", required));
    if (!l->identifier.n && !required)
        l->identifier = slugify(c->rq->arena, l->name);
    if (l->identifier.n > IDENTIFIER_MAX)
        check_fail(c, "layoutId must be shorter than or equal to %d characters", IDENTIFIER_MAX);
    for (size_t i = 0; i < l->identifier.n; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", l->identifier.p[i], 65)) {
            check_fail(c, "layoutId must contain only letters, digits, hyphens, underscores and dots");
            return;
        }
}

static void write_go(struct checks *c, struct layout_write *x, bool ok, struct error *err)
{
    if (!checks_done(c))
        return;
    if (ok && variables_load(c->rq, &x->variables, err))
        api_write(c->rq, &x->w);
    else
        reply_error(c->rq, err);
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct layout_write *x = write_new(rq, create_apply);
    struct error err = {0};
    yyjson_val *email;
    check_name(&c, &x->row);
    check_identifier(&c, &x->row, true);
    bool translated = check_bool(&c, rq->json, "isTranslationEnabled", false), ok = values_read(&c, &email, &err);
    x->row.doc = doc_make(rq->arena, translated, email ? email : blank_email(rq->arena));
    write_go(&c, x, ok, &err);
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct layout_write *x = write_new(rq, update_apply);
    int64_t now = x->row.updated_at;
    struct error err = {0};
    yyjson_val *email, *doc = NULL;
    if (!load(rq, &x->row))
        return;
    json_parse(rq->arena, x->row.doc, &doc, NULL);
    x->w.seen = x->row.updated_at;
    x->row.updated_at = now;
    check_name(&c, &x->row);
    bool translated = check_bool(&c, rq->json, "isTranslationEnabled", json_get_bool(doc, "isTranslationEnabled", false));
    bool ok = values_read(&c, &email, &err);
    /* null takes the values away; nothing leaves them. */
    if (!email && !yyjson_is_null(json_get(rq->json, "controlValues")))
        email = json_get(json_get(doc, "values"), "email");
    x->row.doc = doc_make(rq->arena, translated, email);
    write_go(&c, x, ok, &err);
}

static void handle_duplicate(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct layout_write *x = write_new(rq, create_apply);
    struct error none = {0};
    struct layout from;
    yyjson_val *doc = NULL;
    if (!load(rq, &from))
        return;
    json_parse(rq->arena, from.doc, &doc, NULL);
    check_name(&c, &x->row);
    check_identifier(&c, &x->row, false);
    bool translated = check_bool(&c, rq->json, "isTranslationEnabled", json_get_bool(doc, "isTranslationEnabled", false));
    x->row.doc = doc_make(rq->arena, translated, json_get(json_get(doc, "values"), "email"));
    write_go(&c, x, true, &none);
}

static void handle_delete(struct request *rq)
{
    struct layout_write *x = write_new(rq, delete_apply);
    int64_t now = x->row.updated_at;
    x->w.reply = delete_reply;
    if (!load(rq, &x->row))
        return;
    x->row.updated_at = now;
    if (x->row.is_default)
        reply_fail(rq, 409, "Layout with id %.*s is being used as a default layout, it can not be deleted",
                   (int)(x->row.identifier.n > 64 ? 64 : x->row.identifier.n), x->row.identifier.p);
    else
        api_write(rq, &x->w);
}

/* --- preview ------------------------------------------------------------------------------------------------------ */

static void handle_preview(struct request *rq)
{
    struct checks c = checks_begin(rq);
    yyjson_val *values = check_object(&c, rq->json, "controlValues", false), *doc = NULL;
    struct preview_input in = {.payload = check_object(&c, rq->json, "previewPayload", false), .now_ms = app_now(rq)};
    struct workflow_content content;
    struct content_workflow none = {0};
    struct error err = {0};
    struct layout l;
    if (!checks_done(&c) || !load(rq, &l))
        return;
    if (!workflow_content_load(rq, &content, &err) || !json_parse(rq->arena, l.doc, &doc, &err)) {
        reply_error(rq, &err);
        return;
    }
    none.env = content.env;
    none.env_n = content.env_n;
    in.workflow = &none;
    in.environment_name = content.environment_name;
    in.environment_type = content.environment_type;
    in.layout_texts = preview_texts(rq, TRANSLATED_LAYOUT, l.identifier, doc);
    yyjson_mut_doc *d = json_doc(rq->arena);
    struct preview p = preview_layout(rq->arena, d, values ? values : json_get(doc, "values"), &in);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, o, "result", p.result);
    yyjson_mut_obj_add_val(d, o, "previewPayloadExample", p.example);
    if (p.schema)
        yyjson_mut_obj_add_val(d, o, "schema", p.schema);
    reply_json(rq, 0, o);
}

#define LAYOUT(method, path, operation, summary, permission, status, handler)                                              \
    {method, path, operation, "Layouts", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, ENVELOPE_DATA, \
     32u << 20, 0, handler}

const struct route layout_routes[] = {
    LAYOUT(HTTP_GET, "/v2/layouts", "layoutsList", "List layouts", "WORKFLOW_READ", 200, handle_list),
    LAYOUT(HTTP_POST, "/v2/layouts", "layoutsCreate", "Create a layout", "WORKFLOW_WRITE", 201, handle_create),
    LAYOUT(HTTP_GET, "/v2/layouts/{layoutId}", "layoutsRetrieve", "Retrieve a layout", "WORKFLOW_READ", 200, handle_get),
    LAYOUT(HTTP_PUT, "/v2/layouts/{layoutId}", "layoutsUpdate", "Replace a layout", "WORKFLOW_WRITE", 200, handle_update),
    LAYOUT(HTTP_DELETE, "/v2/layouts/{layoutId}", "layoutsDelete", "Delete a layout", "WORKFLOW_WRITE", 204, handle_delete),
    LAYOUT(HTTP_POST, "/v2/layouts/{layoutId}/duplicate", "layoutsDuplicate", "Duplicate a layout", "WORKFLOW_WRITE", 201,
           handle_duplicate),
    LAYOUT(HTTP_GET, "/v2/layouts/{layoutId}/usage", "layoutsUsage", "List the workflows that use a layout", "WORKFLOW_READ", 200,
           handle_usage),
    LAYOUT(HTTP_POST, "/v2/layouts/{layoutId}/preview", "layoutsGeneratePreview", "Preview a layout", "WORKFLOW_READ", 201,
           handle_preview),
};
const size_t layout_routes_n = sizeof layout_routes / sizeof *layout_routes;
