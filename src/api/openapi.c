/* Makes the OpenAPI document. */
#include "api/openapi.h"

#include "api/tables.h"

#define SCHEMA(n, name) extern const char schema_##n[], schema_##n##_end[];
#include "schemas.inc"
#undef SCHEMA

static const struct file {
    const char *name, *text, *end;
} files[] = {
#define SCHEMA(n, name) {name, schema_##n, schema_##n##_end},
#include "schemas.inc"
#undef SCHEMA
};
enum { FILES = sizeof files / sizeof *files };

static const char *const methods[HTTP_METHODS] = {"get", "post", "put", "patch", "delete"};

struct making {
    struct arena *arena;
    yyjson_mut_doc *d;
    yyjson_val *file[FILES];
};

static yyjson_val *entry_of(const struct making *m, const struct route *r)
{
    for (size_t i = 0; i < FILES; i++) {
        yyjson_val *e = json_get(json_get(m->file[i], "operations"), r->operation);
        if (e)
            return e;
    }
    return NULL;
}

static yyjson_mut_val *ref_add(struct making *m, yyjson_mut_val *o, const char *key, const char *where, const char *name)
{
    yyjson_mut_val *r = json_add_obj(m->d, o, key);
    json_add_str(m->d, r, "$ref", str_fmt(m->arena, "#/components/%s/%s", where, name));
    return r;
}

/* --- parameters --------------------------------------------------------------------------------------------- */

static yyjson_mut_val *parameter_add(struct making *m, yyjson_mut_val *list, struct str name, const char *in, bool required)
{
    yyjson_mut_val *p = yyjson_mut_arr_add_obj(m->d, list);
    json_add_str(m->d, p, "name", name);
    json_add_str(m->d, p, "in", str_of(in));
    json_add_bool(m->d, p, "required", required);
    return p;
}

/* "/x/{id}/{rest*}" → its parameters; OpenAPI has no word for "the rest". */
static struct str path_add(struct making *m, yyjson_mut_val *list, const char *path)
{
    struct buf b = {.arena = m->arena};
    for (const char *p = path; *p; p++) {
        if (*p == '*')
            continue;
        buf_char(&b, *p);
        if (*p != '{')
            continue;
        struct str name = {p + 1, strcspn(p + 1, "*}")};
        yyjson_mut_val *schema = json_add_obj(m->d, parameter_add(m, list, name, "path", true), "schema");
        json_add_str(m->d, schema, "type", STR("string"));
    }
    return buf_finish(&b);
}

static void query_add(struct making *m, yyjson_mut_val *list, yyjson_val *query)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(query);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_val *schema = yyjson_val_mut_copy(m->d, yyjson_obj_iter_get_val(k));
        yyjson_mut_val *required = yyjson_mut_obj_get(schema, "required");
        bool must = required && yyjson_mut_get_bool(required);
        if (must)
            yyjson_mut_obj_remove_key(schema, "required");
        yyjson_mut_obj_add_val(m->d, parameter_add(m, list, json_str(k), "query", must), "schema", schema);
    }
}

static bool takes_keys(const struct route *r)
{
    return r->auth == AUTH_ENVIRONMENT && (r->method == HTTP_POST || r->method == HTTP_PATCH) && !(r->flags & ROUTE_NOT_IDEMPOTENT);
}

/* --- bodies --------------------------------------------------------------------------------------------------- */

static void content_add(struct making *m, yyjson_mut_val *o, struct str type, yyjson_val *schema, yyjson_val *example, bool wrapped)
{
    yyjson_mut_val *content = json_add_obj(m->d, o, "content");
    yyjson_mut_val *media = yyjson_mut_obj(m->d);
    yyjson_mut_obj_add(content, json_mut_str(m->d, type.n ? type : STR("application/json")), media);
    yyjson_mut_val *s = schema ? yyjson_val_mut_copy(m->d, schema) : yyjson_mut_obj(m->d);
    yyjson_mut_val *x = example ? yyjson_val_mut_copy(m->d, example) : NULL;
    if (wrapped) {
        yyjson_mut_val *inner = s, *data = x;
        s = yyjson_mut_obj(m->d);
        json_add_str(m->d, s, "type", STR("object"));
        yyjson_mut_obj_add_val(m->d, json_add_obj(m->d, s, "properties"), "data", inner);
        yyjson_mut_arr_add_str(m->d, json_add_arr(m->d, s, "required"), "data");
        if (data) {
            x = yyjson_mut_obj(m->d);
            yyjson_mut_obj_add_val(m->d, x, "data", data);
        }
    }
    yyjson_mut_obj_add_val(m->d, media, "schema", s);
    if (x)
        yyjson_mut_obj_add_val(m->d, media, "example", x);
}

static void body_add(struct making *m, yyjson_mut_val *o, yyjson_val *entry)
{
    yyjson_val *schema = json_get(entry, "body");
    if (!schema)
        return;
    yyjson_mut_val *body = json_add_obj(m->d, o, "requestBody");
    json_add_bool(m->d, body, "required", json_get_bool(entry, "bodyRequired", false));
    content_add(m, body, json_get_str(entry, "bodyType"), schema, json_get(entry, "bodyExample"), false);
}

static const struct {
    int status;
    const char *key, *name, *text, *schema;
} errors[] = {
    {400, "400", "BadRequest", "The request cannot be understood or carried out", "ErrorDto"},
    {401, "401", "Unauthorized", "The credentials are missing or wrong", "ErrorDto"},
    {403, "403", "Forbidden", "The caller may not do this", "ErrorDto"},
    {404, "404", "NotFound", "There is no such thing in the caller's environment", "ErrorDto"},
    {409, "409", "Conflict", "Something else has the name, or the same request is under way", "ErrorDto"},
    {413, "413", "PayloadTooLarge", "The body is too large", "ErrorDto"},
    {422, "422", "UnprocessableEntity", "Members of the request are missing or wrong", "ValidationErrorDto"},
    {429, "429", "TooManyRequests", "The rate limit is exceeded: come back after Retry-After seconds", "ErrorDto"},
    {500, "500", "InternalServerError", "A failure of the server; errorId is in its log", "ErrorDto"},
    {503, "503", "ServiceUnavailable", "Overloaded or stopping: come back after Retry-After seconds", "ErrorDto"},
};

static bool can_fail_with(const struct route *r, int status)
{
    bool writes = r->method != HTTP_GET && r->method != HTTP_DELETE;
    switch (status) {
    case 401: return r->auth != AUTH_PUBLIC;
    case 403: return r->auth == AUTH_ENVIRONMENT || r->auth == AUTH_SESSION;
    case 404: return strchr(r->path, '{') != NULL;
    case 409: case 413: return writes;
    case 429: return r->auth == AUTH_ENVIRONMENT && r->rate != RATE_NONE;
    default: return true;
    }
}

static void limits_add(struct making *m, yyjson_mut_val *response)
{
    yyjson_mut_val *headers = json_add_obj(m->d, response, "headers");
    static const char *const names[] = {"RateLimit-Remaining", "RateLimit-Limit", "RateLimit-Reset", "RateLimit-Policy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ref_add(m, headers, names[i], "headers", names[i]);
}

static void success_add(struct making *m, yyjson_mut_val *responses, const struct route *r, yyjson_val *entry, int status)
{
    yyjson_mut_val *response = yyjson_mut_obj(m->d);
    yyjson_mut_obj_add(responses, json_mut_str(m->d, str_fmt(m->arena, "%d", status)), response);
    json_add_str(m->d, response, "description", status == 201 ? STR("Made") : status >= 500 ? STR("Out of order")
                                                : status >= 300 ? STR("Elsewhere") : STR("Done"));
    if (r->auth == AUTH_ENVIRONMENT && r->rate != RATE_NONE)
        limits_add(m, response);
    if (status == 204 || (status >= 300 && status < 400))
        return;
    struct str type = json_get_str(entry, "responseType");
    content_add(m, response, type, json_get(entry, "response"), json_get(entry, "responseExample"),
                r->envelope == ENVELOPE_DATA && !type.n && !json_get_bool(entry, "bare", false));
}

/* A trigger names what is wrong with its payload; Engine.IO has a refusal of its own (inbox-realtime.md §5.2). */
static const char *refusal_name(const struct route *r)
{
    return r->rate == RATE_TRIGGER ? "BadTrigger" : !strcmp(r->path, "/socket.io/") ? "BadSocket" : "BadRequest";
}

static void responses_add(struct making *m, yyjson_mut_val *o, const struct route *r, yyjson_val *entry)
{
    yyjson_mut_val *responses = json_add_obj(m->d, o, "responses");
    yyjson_val *other;
    success_add(m, responses, r, entry, r->status);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(entry, "otherStatuses"));
    while ((other = yyjson_arr_iter_next(&it)))
        success_add(m, responses, r, entry, (int)yyjson_get_sint(other));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (can_fail_with(r, errors[i].status) && !yyjson_mut_obj_get(responses, errors[i].key))
            ref_add(m, responses, errors[i].key, "responses", errors[i].status == 400 ? refusal_name(r) : errors[i].name);
}

/* --- operations -------------------------------------------------------------------------------------------------- */

static void security_add(struct making *m, yyjson_mut_val *o, enum route_auth auth)
{
    yyjson_mut_val *list = json_add_arr(m->d, o, "security");
    if (auth == AUTH_ENVIRONMENT)
        json_add_arr(m->d, yyjson_mut_arr_add_obj(m->d, list), "secretKey");
    if (auth == AUTH_SUBSCRIBER)
        json_add_arr(m->d, yyjson_mut_arr_add_obj(m->d, list), "subscriberToken");
    if (auth == AUTH_ENVIRONMENT || auth == AUTH_SESSION)
        json_add_arr(m->d, yyjson_mut_arr_add_obj(m->d, list), "session");
}

static void operation_add(struct making *m, yyjson_mut_val *paths, const struct route *r)
{
    static const char *const categories[] = {NULL, "trigger", "configuration", "global"};
    yyjson_mut_val *o = yyjson_mut_obj(m->d), *parameters = yyjson_mut_arr(m->d);
    yyjson_val *entry = entry_of(m, r);
    struct str path = path_add(m, parameters, r->path);
    yyjson_mut_val *item = yyjson_mut_obj_getn(paths, path.p, path.n);
    if (!item)
        yyjson_mut_obj_add(paths, json_mut_str(m->d, path), item = yyjson_mut_obj(m->d));
    yyjson_mut_obj_add_val(m->d, item, methods[r->method], o);
    json_add_str(m->d, o, "operationId", str_of(r->operation));
    json_add_str(m->d, o, "summary", str_of(r->summary));
    yyjson_mut_arr_add_str(m->d, json_add_arr(m->d, o, "tags"), r->tag);
    security_add(m, o, r->auth);
    query_add(m, parameters, json_get(entry, "query"));
    if (takes_keys(r))
        json_add_str(m->d, yyjson_mut_arr_add_obj(m->d, parameters), "$ref", STR("#/components/parameters/IdempotencyKey"));
    if (yyjson_mut_arr_size(parameters))
        yyjson_mut_obj_add_val(m->d, o, "parameters", parameters);
    body_add(m, o, entry);
    responses_add(m, o, r, entry);
    if (r->permission)
        json_add_str(m->d, o, "x-permission", str_of(r->permission));
    if (categories[r->rate]) {
        yyjson_mut_val *rate = json_add_obj(m->d, o, "x-rate-limit");
        json_add_str(m->d, rate, "category", str_of(categories[r->rate]));
        json_add_int(m->d, rate, "cost", r->cost > 1 ? r->cost : 1);
    }
}

/* --- components ---------------------------------------------------------------------------------------------------- */

static void schemas_add(struct making *m, yyjson_mut_val *components)
{
    yyjson_mut_val *all = json_add_obj(m->d, components, "schemas");
    for (size_t i = 0; i < FILES; i++) {
        yyjson_val *k;
        yyjson_obj_iter it = yyjson_obj_iter_with(json_get(m->file[i], "schemas"));
        while ((k = yyjson_obj_iter_next(&it)))
            yyjson_mut_obj_add(all, yyjson_val_mut_copy(m->d, k), yyjson_val_mut_copy(m->d, yyjson_obj_iter_get_val(k)));
    }
}

static void error_add(struct making *m, yyjson_mut_val *all, const char *name, const char *text, const char *schema)
{
    yyjson_mut_val *response = json_add_obj(m->d, all, name);
    json_add_str(m->d, response, "description", str_of(text));
    yyjson_mut_val *media = json_add_obj(m->d, json_add_obj(m->d, response, "content"), "application/json");
    ref_add(m, media, "schema", "schemas", schema);
}

/* Parameters, headers and security schemes, as they stand in the files. */
static void fixed_add(struct making *m, yyjson_mut_val *components)
{
    for (size_t i = 0; i < FILES; i++) {
        yyjson_val *k;
        yyjson_obj_iter it = yyjson_obj_iter_with(json_get(m->file[i], "components"));
        while ((k = yyjson_obj_iter_next(&it)))
            yyjson_mut_obj_add(components, yyjson_val_mut_copy(m->d, k), yyjson_val_mut_copy(m->d, yyjson_obj_iter_get_val(k)));
    }
}

static void components_add(struct making *m, yyjson_mut_val *root)
{
    yyjson_mut_val *components = json_add_obj(m->d, root, "components");
    schemas_add(m, components);
    yyjson_mut_val *responses = json_add_obj(m->d, components, "responses");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        error_add(m, responses, errors[i].name, errors[i].text, errors[i].schema);
    error_add(m, responses, "BadTrigger", "The event cannot be accepted; errors names members of the payload",
              "PayloadValidationExceptionDto");
    error_add(m, responses, "BadSocket", "Engine.IO refuses the connection, or does not know it any more", "SocketErrorDto");
    fixed_add(m, components);
}

bool openapi_make(struct arena *a, const char *context_path, struct str *out, struct error *err)
{
    struct arena *work ARENA_SCOPED = arena_create(1 << 20);
    struct making m = {.arena = work, .d = json_doc(work)};
    yyjson_mut_val *root = yyjson_mut_obj(m.d);
    for (size_t i = 0; i < FILES; i++)
        if (!json_parse(work, (struct str){files[i].text, (size_t)(files[i].end - files[i].text)}, &m.file[i], err))
            return error_set(err, ERROR_INTERNAL, "The schema file %s is not JSON", files[i].name);
    json_add_str(m.d, root, "openapi", STR("3.1.0"));
    yyjson_mut_val *info = json_add_obj(m.d, root, "info");
    json_add_str(m.d, info, "title", STR("Carillon"));
    json_add_str(m.d, info, "version", STR(CARILLON_VERSION));
    json_add_str(m.d, info, "description", STR("Notification infrastructure: trigger a workflow, reach each person."));
    json_add_str(m.d, yyjson_mut_arr_add_obj(m.d, json_add_arr(m.d, root, "servers")), "url",
                 str_of(context_path && *context_path ? context_path : "/"));
    yyjson_mut_val *paths = json_add_obj(m.d, root, "paths");
    for (int t = 0; app_tables[t].routes; t++)
        for (size_t i = 0; i < *app_tables[t].n; i++)
            operation_add(&m, paths, &app_tables[t].routes[i]);
    components_add(&m, root);
    *out = str_dup(a, json_write_mut(work, root));
    return out->n || error_set(err, ERROR_INTERNAL, "The OpenAPI document cannot be written");
}

static void handle_openapi(struct request *rq)
{
    reply_json_text(rq, 0, app_of(rq)->openapi);
}

const struct route openapi_routes[] = {
    {HTTP_GET, "/openapi.json", "openapi", "System", "This document", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 0, ROUTE_CORS_ANY,
     handle_openapi},
};
const size_t openapi_routes_n = sizeof openapi_routes / sizeof *openapi_routes;
