/* /v1/environment-variables: what templates read as {{env.KEY}} (rest-api.md §6.13).
 *
 * A secret key sees and sets its own environment's value only; the record itself belongs to the organisation.
 */
#include "api/app.h"
#include "api/tables.h"
#include "model/environment_variable.h"
#include "model/workflow.h"

enum { VARIABLES_MAX = 100 };

/* What a secret value reads as; sending it back is refused, so that nobody stores it by saving a form. */
#define MASK "********"
#define BULLETS "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2" /* as dashboards show it */

struct variable_write {
    struct api_write w;
    struct environment_variable row;
    struct str key_before;
    struct str plain;                   /* this environment's new value; p NULL: not given */
    struct str sealed;
};

static bool variable_json(struct request *rq, const struct environment_variable *v, struct str sealed, yyjson_mut_val **out,
                          yyjson_mut_doc *d, struct error *err)
{
    yyjson_mut_val *o = *out = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", v->id);
    json_add_id(d, o, "_organizationId", v->organization);
    json_add_str(d, o, "key", v->key);
    json_add_str(d, o, "type", STR("string"));
    json_add_bool(d, o, "isSecret", v->secret);
    yyjson_mut_val *values = json_add_arr(d, o, "values");
    if (sealed.p) {
        struct str plain = STR(MASK);
        if (!v->secret && !crypto_open(&app_of(rq)->box, rq->arena, sealed, &plain, err))
            return false;
        yyjson_mut_val *value = yyjson_mut_arr_add_obj(d, values);
        json_add_id(d, value, "_environmentId", rq->principal.environment);
        json_add_str(d, value, "value", plain);
    }
    json_add_time(d, o, "createdAt", v->created_at);
    json_add_time(d, o, "updatedAt", v->updated_at);
    return true;
}

/* The caller's value; p NULL when there is none. */
static bool value_of(struct request *rq, struct db *db, struct id variable, struct str *sealed, struct error *err)
{
    struct error missing = {0};
    *sealed = STR_NULL;
    return environment_variable_value(db, rq->arena, variable, rq->principal.environment, sealed, &missing)
        || missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

static bool load(struct request *rq, struct environment_variable *v, struct str *sealed)
{
    struct error err = {0};
    if (environment_variable_find(app_db(rq), rq->arena, rq->principal.organization, request_param(rq, "variableKey"), v, &err)
        && value_of(rq, app_db(rq), v->id, sealed, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void handle_list(struct request *rq)
{
    struct environment_variable *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *arr = yyjson_mut_arr(d), *o;
    bool ok = environment_variable_list(app_db(rq), rq->arena, rq->principal.organization, request_query(rq, "search"), &list, &n, &err);
    for (size_t i = 0; ok && i < n; i++) {
        struct str sealed;
        ok = value_of(rq, app_db(rq), list[i].id, &sealed, &err) && variable_json(rq, &list[i], sealed, &o, d, &err);
        if (ok)
            yyjson_mut_arr_append(arr, o);
    }
    if (ok)
        reply_json(rq, 0, arr);
    else
        reply_error(rq, &err);
}

static void handle_get(struct request *rq)
{
    struct environment_variable v;
    struct str sealed;
    struct error err = {0};
    yyjson_mut_val *o;
    if (!load(rq, &v, &sealed))
        return;
    if (variable_json(rq, &v, sealed, &o, json_doc(rq->arena), &err))
        reply_json(rq, 0, o);
    else
        reply_error(rq, &err);
}

/* --- writing ---------------------------------------------------------------------------------------------- */

static struct str read_key(struct checks *c, bool required)
{
    struct str key = check_string(c, c->rq->json, "key", required);
    if (key.n > VARIABLE_KEY_MAX)
        check_fail(c, "key must be shorter than or equal to %d characters", VARIABLE_KEY_MAX);
    else if (key.n && !environment_variable_key_valid(key))
        check_fail(c, "key must start with a letter and contain only letters, digits and underscores");
    return key;
}

static void read_type(struct checks *c)
{
    struct str type = check_string(c, c->rq->json, "type", false);
    if (type.n && !str_eqz(type, "string"))
        check_fail(c, "type must be one of the following values: string");
}

/* values: [{_environmentId, value}]; only the caller's own is taken, another's is `foreign`. */
static struct str read_values(struct checks *c, bool *foreign)
{
    struct request *rq = c->rq;
    yyjson_val *values = check_array(c, rq->json, "values", false), *item;
    yyjson_arr_iter it = yyjson_arr_iter_with(values);
    struct str own = STR_NULL;
    struct id seen[16];
    size_t seen_n = 0, at = 0;
    for (; (item = yyjson_arr_iter_next(&it)); at++) {
        struct str where = json_get_str(item, "_environmentId"), value = json_get_str(item, "value");
        struct id id;
        if (!yyjson_is_str(json_get(item, "value")))
            check_fail(c, "values.%zu.value must be a string", at);
        else if (value.n > VARIABLE_VALUE_MAX)
            check_fail(c, "values.%zu.value must be shorter than or equal to %d characters", at, VARIABLE_VALUE_MAX);
        if (!id_parse(where, &id)) {
            check_fail(c, "values.%zu._environmentId must be a mongodb id", at);
            continue;
        }
        for (size_t i = 0; i < seen_n; i++)
            if (id_eq(seen[i], id))
                check_fail(c, "Duplicate _environmentId in values");
        if (seen_n < sizeof seen / sizeof *seen)
            seen[seen_n++] = id;
        if (id_eq(id, rq->principal.environment))
            own = value.p ? value : STR("");
        else
            *foreign = true;
    }
    return own;
}

static bool refuse_foreign(struct request *rq, bool foreign)
{
    if (foreign)
        reply_fail(rq, 403, "This authentication scheme is scoped to a single environment and cannot target a different "
                            "`_environmentId`.");
    return foreign;
}

/* What is shown of a secret is nothing to store: it would replace the value that it stands for. */
static bool refuse_mask(struct request *rq, bool secret, struct str value)
{
    bool mask = secret && (str_eqz(value, MASK) || str_eqz(value, BULLETS));
    if (mask)
        reply_fail(rq, 400, "The mask of a secret value cannot be stored as its value");
    return mask;
}

static bool value_apply(struct variable_write *x, struct db *db, struct error *err)
{
    if (!x->plain.p)
        return value_of(x->w.rq, db, x->row.id, &x->sealed, err);
    return environment_variable_set(db, x->row.id, x->w.rq->principal.environment, x->sealed, err);
}

static bool taken(const struct variable_write *x, struct error *err)
{
    if (err->code == ERROR_CONFLICT && !err->status)
        error_http(err, 409, "Environment variable with key \"%.*s\" already exists", STR_ARG(x->row.key));
    return false;
}

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct variable_write *x = (struct variable_write *)w;
    int64_t n;
    if (!environment_variable_count(db, x->row.organization, &n, err))
        return false;
    if (n >= VARIABLES_MAX)
        return error_http(err, 400, "Organization cannot have more than %d environment variables", VARIABLES_MAX);
    if (!environment_variable_insert(db, &x->row, err))
        return taken(x, err);
    return value_apply(x, db, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct variable_write *x = (struct variable_write *)w;
    if (!environment_variable_update(db, &x->row, x->key_before, err))
        return taken(x, err);
    return value_apply(x, db, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct variable_write *x = (struct variable_write *)w;
    return environment_variable_unset(db, &x->row, w->rq->principal.environment, err);
}

static void write_reply(struct api_write *w)
{
    struct variable_write *x = (struct variable_write *)w;
    struct error err = {0};
    yyjson_mut_val *o;
    if (variable_json(w->rq, &x->row, x->sealed, &o, json_doc(w->rq->arena), &err))
        reply_json(w->rq, 0, o);
    else
        reply_error(w->rq, &err);
}

static void delete_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static struct variable_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct variable_write *x = ARENA_NEW(rq->arena, struct variable_write);
    x->w.flags = WRITE_DIRECTORY;
    x->w.apply = apply;
    x->w.reply = write_reply;
    return x;
}

static void seal(struct request *rq, struct variable_write *x)
{
    if (x->plain.p)
        x->sealed = crypto_seal(&app_of(rq)->box, rq->arena, x->plain);
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct variable_write *x = write_new(rq, create_apply);
    bool foreign = false;
    x->row = (struct environment_variable){.id = app_id(rq), .organization = rq->principal.organization, .key = read_key(&c, true),
                                           .secret = check_bool(&c, rq->json, "isSecret", false), .created_at = app_now(rq),
                                           .updated_at = app_now(rq)};
    read_type(&c);
    x->plain = read_values(&c, &foreign);
    if (!checks_done(&c) || refuse_foreign(rq, foreign) || refuse_mask(rq, x->row.secret, x->plain))
        return;
    seal(rq, x);
    api_write(rq, &x->w);
}

static bool given(struct request *rq, const char *name)
{
    return json_get(rq->json, name) != NULL;
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct variable_write *x = write_new(rq, update_apply);
    bool foreign = false;
    if (!load(rq, &x->row, &x->sealed))
        return;
    x->key_before = x->row.key;
    x->row.updated_at = app_now(rq);
    struct str key = read_key(&c, false);
    bool secret = check_bool(&c, rq->json, "isSecret", x->row.secret);
    read_type(&c);
    x->plain = read_values(&c, &foreign);
    if (!checks_done(&c) || refuse_foreign(rq, foreign))
        return;
    if (!given(rq, "key") && !given(rq, "type") && !given(rq, "isSecret") && !given(rq, "values"))
        reply_fail(rq, 400, "At least one field must be provided to update");
    else if ((key.n && !str_eq(key, x->row.key)) || secret != x->row.secret)
        reply_fail(rq, 403, "A secret key cannot change the key, type or isSecret of an environment variable");
    else if (!refuse_mask(rq, x->row.secret, x->plain)) {
        seal(rq, x);
        api_write(rq, &x->w);
    }
}

static void handle_delete(struct request *rq)
{
    struct variable_write *x = write_new(rq, delete_apply);
    x->w.reply = delete_reply;
    if (load(rq, &x->row, &x->sealed))
        api_write(rq, &x->w);
}

/* --- usage ------------------------------------------------------------------------------------------------- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Is `env.KEY` in this text, not as a part of a longer name? */
static bool mentions(struct str text, struct str key)
{
    for (size_t i = 0; i + 4 + key.n <= text.n; i++) {
        if (memcmp(text.p + i, "env.", 4) || memcmp(text.p + i + 4, key.p, key.n))
            continue;
        char before = i ? text.p[i - 1] : ' ', after = i + 4 + key.n < text.n ? text.p[i + 4 + key.n] : ' ';
        if (!is_name_char(before) && before != '.' && !is_name_char(after))
            return true;
    }
    return false;
}

static bool workflow_uses(struct arena *a, const struct workflow *w, struct str key)
{
    yyjson_val *doc, *steps;
    return json_parse(a, w->doc, &doc, NULL) && (steps = json_get(doc, "steps")) && mentions(json_write(a, steps), key);
}

static void handle_usage(struct request *rq)
{
    struct environment_variable v;
    struct workflow_query all = {.limit = 0};
    struct workflow *list;
    struct str sealed;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *arr = json_add_arr(d, o, "workflows");
    if (!load(rq, &v, &sealed))
        return;
    if (!workflow_list(app_db(rq), rq->arena, rq->principal.environment, &all, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (workflow_uses(rq->arena, &list[i], v.key)) {
            yyjson_mut_val *w = yyjson_mut_arr_add_obj(d, arr);
            json_add_str(d, w, "name", list[i].name);
            json_add_str(d, w, "workflowId", list[i].identifier);
        }
    reply_json(rq, 0, o);
}

#define VARIABLE(method, path, operation, summary, permission, status, handler)                                              \
    {method, path, operation, "Environment Variables", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     ENVELOPE_DATA, 0, 0, handler}

const struct route environment_variable_routes[] = {
    VARIABLE(HTTP_GET, "/v1/environment-variables", "environmentVariablesList", "List environment variables", "WORKFLOW_READ", 200,
             handle_list),
    VARIABLE(HTTP_POST, "/v1/environment-variables", "environmentVariablesCreate", "Create an environment variable",
             "WORKFLOW_WRITE", 200, handle_create),
    VARIABLE(HTTP_GET, "/v1/environment-variables/{variableKey}", "environmentVariablesRetrieve", "Retrieve an environment variable",
             "WORKFLOW_READ", 200, handle_get),
    VARIABLE(HTTP_PATCH, "/v1/environment-variables/{variableKey}", "environmentVariablesUpdate", "Update an environment variable",
             "WORKFLOW_WRITE", 200, handle_update),
    VARIABLE(HTTP_DELETE, "/v1/environment-variables/{variableKey}", "environmentVariablesDelete", "Delete an environment variable",
             "WORKFLOW_WRITE", 204, handle_delete),
    VARIABLE(HTTP_GET, "/v1/environment-variables/{variableKey}/usage", "environmentVariablesUsage",
             "List the workflows that use an environment variable", "WORKFLOW_READ", 200, handle_usage),
};
const size_t environment_variable_routes_n = sizeof environment_variable_routes / sizeof *environment_variable_routes;
