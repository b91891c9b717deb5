/* /v1/layouts of older clients (rest-api.md §7): the layouts of /v2/layouts as they know them.
 *
 * Their content is HTML with {{{body}}} where the e-mail goes; here that place is {{content}}, so the one is written for the
 * other in both directions. What else is in double braces is kept as it is and read as Liquid.
 */
#include "api/app.h"
#include "api/layout_use.h"
#include "api/tables.h"

enum { NAME_MAX_BYTES = 128, PAGE_DEFAULT = 10, PAGE_MOST = 1000, SHOWN = 64 };

static const char BODY[] = "{{{body}}}", CONTENT[] = "{{content}}";

struct layout_write {
    struct api_write w;
    enum { CREATE, UPDATE, SET_DEFAULT, ERASE } kind;
    struct layout row;
    bool makes_default;
};

static struct str replaced(struct arena *a, struct str s, struct str from, struct str to)
{
    struct buf b = {.arena = a};
    ptrdiff_t at;
    while ((at = str_find(s, from)) >= 0) {
        buf_add(&b, s.p, (size_t)at);
        buf_str(&b, to);
        s = str_sub(s, (size_t)at + from.n, s.n);
    }
    buf_str(&b, s);
    return buf_finish(&b);
}

/* --- the wire form ------------------------------------------------------------------------------------------- */

static yyjson_mut_val *layout_json(struct request *rq, yyjson_mut_doc *d, const struct layout *l)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL;
    json_parse(rq->arena, l->doc, &doc, NULL);
    json_add_id(d, o, "_id", l->id);
    json_add_id(d, o, "_environmentId", l->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_str(d, o, "name", l->name);
    json_add_str(d, o, "identifier", l->identifier);
    if (json_get(doc, "description"))
        json_add_val(d, o, "description", json_get(doc, "description"));
    json_add_str(d, o, "channel", STR("email"));
    json_add_str(d, o, "contentType", STR("customHtml"));
    json_add_str(d, o, "content", replaced(rq->arena, json_get_str(json_get(json_get(doc, "values"), "email"), "body"), str_of(CONTENT), str_of(BODY)));
    if (json_get(doc, "variables"))
        json_add_val(d, o, "variables", json_get(doc, "variables"));
    else
        json_add_arr(d, o, "variables");
    json_add_bool(d, o, "isDefault", l->is_default);
    json_add_bool(d, o, "isDeleted", false);
    json_add_time(d, o, "createdAt", l->created_at);
    json_add_time(d, o, "updatedAt", l->updated_at);
    return o;
}

/* --- reading a request --------------------------------------------------------------------------------------- */

static bool load(struct request *rq, struct layout *l)
{
    struct error err = {0};
    struct str key = request_param(rq, "layoutId");
    char hex[ID_HEX + 1];
    if (layout_find(app_db(rq), rq->arena, rq->principal.environment, key, l, &err))
        return true;
    id_hex(rq->principal.environment, hex);
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Layout not found for id %.*s in the environment %s", STR_ARG(str_sub(key, 0, SHOWN)), hex);
    reply_error(rq, &err);
    return false;
}

/* Members that are given replace those of l; the others of its document stay. */
static void members_read(struct checks *c, struct layout *l, bool creates)
{
    struct request *rq = c->rq;
    struct str name = str_trim(check_string(c, rq->json, "name", creates)), content = check_string(c, rq->json, "content", creates);
    yyjson_val *variables = check_array(c, rq->json, "variables", false), *before = NULL;
    yyjson_mut_doc *d = json_doc(rq->arena);
    check_string(c, rq->json, "description", false);
    if (name.n > NAME_MAX_BYTES)
        check_fail(c, "name must be shorter than or equal to %d characters", NAME_MAX_BYTES);
    if (content.n && str_find(content, str_of(BODY)) < 0)
        check_fail(c, "content must contain {{{body}}}, where the e-mail goes");
    if (name.n)
        l->name = name;
    json_parse(rq->arena, l->doc, &before, NULL);
    yyjson_mut_val *doc = yyjson_is_obj(before) ? yyjson_val_mut_copy(d, before) : yyjson_mut_obj(d), *email;
    if (json_get(rq->json, "description"))
        yyjson_mut_obj_put(doc, yyjson_mut_str(d, "description"), yyjson_val_mut_copy(d, json_get(rq->json, "description")));
    if (variables)
        yyjson_mut_obj_put(doc, yyjson_mut_str(d, "variables"), yyjson_val_mut_copy(d, variables));
    if (content.n) {
        yyjson_mut_obj_remove_key(doc, "values");
        email = json_add_obj(d, json_add_obj(d, doc, "values"), "email");
        json_add_str(d, email, "body", replaced(rq->arena, content, str_of(BODY), str_of(CONTENT)));
        json_add_str(d, email, "editorType", STR("html"));
    }
    l->doc = json_write_mut(rq->arena, doc);
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static bool create(struct layout_write *x, struct db *db, struct error *err)
{
    struct layout *list;
    size_t n;
    char hex[ID_HEX + 1];
    id_hex(x->row.environment, hex);
    if (!layout_list(db, x->w.rq->arena, x->row.environment, &list, &n, err))
        return false;
    if (n >= LAYOUTS_MAX)
        return error_http(err, 400, "Layout limit exceeded. An environment cannot have more than %d layouts.", LAYOUTS_MAX);
    return layout_insert(db, &x->row, err)
        || (err->code == ERROR_CONFLICT
            && error_http(err, 409, "Layout with identifier: %.*s already exists under environment %s",
                          STR_ARG(str_sub(x->row.identifier, 0, SHOWN)), hex));
}

static bool erase(struct layout_write *x, struct db *db, struct error *err)
{
    bool used;
    char hex[ID_HEX + 1];
    id_hex(x->row.id, hex);
    if (x->row.is_default)
        return error_http(err, 409, "Layout with id %s is being used as your default layout, so it can not be deleted", hex);
    if (!layout_used(db, x->w.rq->arena, &x->row, &used, err))
        return false;
    if (used)
        return error_http(err, 409, "Layout with id %s is being used so it can not be deleted", hex);
    return layout_delete(db, x->row.environment, x->row.id, err);
}

static bool update(struct layout_write *x, struct db *db, struct error *err)
{
    struct layout now;
    return layout_find(db, x->w.rq->arena, x->row.environment, x->row.identifier, &now, err)
        && write_follows(&x->w, now.updated_at, &x->row.updated_at, err) && layout_update(db, &x->row, err);
}

static bool layout_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct layout_write *x = (struct layout_write *)w;
    if (x->kind == ERASE)
        return erase(x, db, err);
    if (x->kind == CREATE ? !create(x, db, err) : x->kind == UPDATE && !update(x, db, err))
        return false;
    if (!x->makes_default)
        return true;
    x->row.is_default = true;
    return layout_set_default(db, x->row.environment, x->row.id, err);
}

static void layout_reply(struct api_write *w)
{
    struct layout_write *x = (struct layout_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    if (x->kind == CREATE) {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        json_add_id(d, o, "_id", x->row.id);
        reply_json(w->rq, 0, o);
    } else if (x->kind == UPDATE) {
        reply_json(w->rq, 0, layout_json(w->rq, d, &x->row));
    } else {
        reply_empty(w->rq, 204);
    }
}

static struct layout_write *write_new(struct request *rq, int kind)
{
    struct layout_write *x = ARENA_NEW(rq->arena, struct layout_write);
    x->w = (struct api_write){.flags = WRITE_DEFINITIONS, .apply = layout_apply, .reply = layout_reply};
    x->kind = kind;
    return x;
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct layout_write *x = write_new(rq, CREATE);
    x->row = (struct layout){.id = app_id(rq), .environment = rq->principal.environment, .doc = STR("{\"isTranslationEnabled\":false}"),
                             .created_at = app_now(rq), .updated_at = app_now(rq)};
    members_read(&c, &x->row, true);
    x->row.identifier = str_trim(check_string(&c, rq->json, "identifier", true));
    x->makes_default = check_bool(&c, rq->json, "isDefault", false);
    if (x->row.identifier.n > NAME_MAX_BYTES)
        check_fail(&c, "identifier must be shorter than or equal to %d characters", NAME_MAX_BYTES);
    for (size_t i = 0; i < x->row.identifier.n; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", x->row.identifier.p[i], 65)) {
            check_fail(&c, "identifier must contain only letters, digits, hyphens, underscores and dots");
            break;
        }
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct layout_write *x = write_new(rq, UPDATE);
    if (!load(rq, &x->row))
        return;
    struct str identifier = check_string(&c, rq->json, "identifier", false);
    members_read(&c, &x->row, false);
    x->makes_default = check_bool(&c, rq->json, "isDefault", false);
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (!checks_done(&c))
        return;
    if (!yyjson_obj_size(rq->json))
        reply_fail(rq, 400, "Payload can not be empty");
    else if (x->row.is_default && json_get(rq->json, "isDefault") && !x->makes_default)
        reply_fail(rq, 409, "One default layout is required");
    else if (identifier.n && !str_eq(identifier, x->row.identifier))
        reply_fail(rq, 400, "identifier cannot be changed: steps name the layout by it");
    else
        api_write(rq, &x->w);
}

static void handle_default(struct request *rq)
{
    struct layout_write *x = write_new(rq, SET_DEFAULT);
    x->makes_default = true;
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

static void handle_delete(struct request *rq)
{
    struct layout_write *x = write_new(rq, ERASE);
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static void handle_get(struct request *rq)
{
    struct layout l;
    if (load(rq, &l))
        reply_json(rq, 0, layout_json(rq, json_doc(rq->arena), &l));
}

/* By age; orderBy is 1 or ASC for the oldest first. */
static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t page = check_query_int(&c, "page", 0, 0, 1000000), size = check_query_int(&c, "pageSize", PAGE_DEFAULT, 1, 1000000);
    struct str order = request_query(rq, "orderBy");
    bool ascending = str_eqz(order, "1") || str_eqz(order, "ASC");
    struct layout *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data;
    if (!checks_done(&c))
        return;
    if (size > PAGE_MOST) {
        reply_fail(rq, 400, "Page size can not be larger then %d", PAGE_MOST);
        return;
    }
    if (!layout_list(app_db(rq), rq->arena, rq->principal.environment, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    data = json_add_arr(d, o, "data");
    for (size_t i = (size_t)(page * size); i < n && i < (size_t)((page + 1) * size); i++)
        yyjson_mut_arr_append(data, layout_json(rq, d, &list[ascending ? i : n - 1 - i]));
    json_add_int(d, o, "page", page);
    json_add_int(d, o, "pageSize", size);
    json_add_int(d, o, "totalCount", (int64_t)n);
    reply_json(rq, 0, o);
}

#define LAYOUT(method, path, operation, summary, permission, status, envelope, handler)                                       \
    {method, "/v1/layouts" path, operation, "Layouts", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     envelope, 0, 0, handler}

const struct route legacy_layout_routes[] = {
    LAYOUT(HTTP_GET, "", "layoutsListV1", "List layouts (older clients)", "WORKFLOW_READ", 200, ENVELOPE_NONE, handle_list),
    LAYOUT(HTTP_POST, "", "layoutsCreateV1", "Create a layout (older clients)", "WORKFLOW_WRITE", 201, ENVELOPE_DATA, handle_create),
    LAYOUT(HTTP_GET, "/{layoutId}", "layoutsRetrieveV1", "Retrieve a layout (older clients)", "WORKFLOW_READ", 200, ENVELOPE_DATA, handle_get),
    LAYOUT(HTTP_PATCH, "/{layoutId}", "layoutsUpdateV1", "Change a layout (older clients)", "WORKFLOW_WRITE", 200, ENVELOPE_DATA, handle_update),
    LAYOUT(HTTP_DELETE, "/{layoutId}", "layoutsDeleteV1", "Delete a layout that is not in use (older clients)", "WORKFLOW_WRITE", 204,
           ENVELOPE_NONE, handle_delete),
    LAYOUT(HTTP_POST, "/{layoutId}/default", "layoutsSetDefaultV1", "Make a layout the default (older clients)", "WORKFLOW_WRITE", 204,
           ENVELOPE_NONE, handle_default),
};
const size_t legacy_layout_routes_n = sizeof legacy_layout_routes / sizeof *legacy_layout_routes;
