/* /v1/environments: those of the organisation (rest-api.md §6.12). */
#include "account/bootstrap.h"
#include "api/app.h"
#include "api/discovery.h"
#include "api/rate_limit.h"
#include "api/tables.h"
#include "model/workflow.h"

enum { ENVIRONMENTS_MAX = 10, NAME_MAX_BYTES = 100, RATE_MAX = RATE_LIMIT_MAX / RATE_WINDOW_MAX_S };

/* What a product's operator may switch for one environment; absent: the first value. `outbox` is a column, since the
 * engine asks for it at every step. */
static const struct { const char *name; bool otherwise; } switches[] = {
    {"readOnly", false},                    /* decisions.md 16 */
    {"acceptsPublishByApiKey", true},       /* decisions.md 33 */
    {"workflowChannelOffIsFinal", false},   /* decisions.md 15 */
    {"strictSubscriberIds", false},         /* decisions.md 8 */
};

/* Secret values only of the caller's own environment; [] for the others. */
static bool add_keys(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct environment *e, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(d, o, "apiKeys");
    struct api_key *keys;
    size_t n;
    if (!id_eq(e->id, rq->principal.environment))
        return true;
    if (!api_key_list(app_db(rq), rq->arena, e->id, &keys, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct str secret;
        if (!crypto_open(&app_of(rq)->box, rq->arena, keys[i].sealed, &secret, err))
            return false;
        yyjson_mut_val *k = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, k, "key", secret);
        json_add_id(d, k, "_userId", keys[i].user);
        json_add_str(d, k, "hash", keys[i].hash_hex);
    }
    return true;
}

static bool add_settings(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct environment *e, struct error *err)
{
    static const char *const copied[] = {"color", "dns", "bridge"};
    yyjson_val *settings;
    if (!json_parse(rq->arena, e->settings, &settings, err))
        return false;
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i], json_get(settings, copied[i]));
    json_add_val(d, o, "_parentId", json_get(settings, "parentId"));
    yyjson_mut_val *all = json_add_obj(d, o, "settings");
    json_add_bool(d, all, "outbox", e->outbox);
    json_add_val(d, all, "delivery", json_get(settings, "delivery"));
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        json_add_bool(d, all, switches[i].name, json_get_bool(settings, switches[i].name, switches[i].otherwise));
    json_add_val(d, all, "apiRateLimits", json_get(settings, "apiRateLimits"));
    return true;
}

/* Without the keys. */
static bool environment_json(struct request *rq, yyjson_mut_doc *d, const struct environment *e, yyjson_mut_val **out,
                             struct error *err)
{
    yyjson_mut_val *o = *out = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", e->id);
    json_add_str(d, o, "name", e->name);
    json_add_id(d, o, "_organizationId", e->organization);
    json_add_str(d, o, "identifier", e->application_identifier);
    json_add_str(d, o, "type", e->type);
    json_add_str(d, o, "slug", slug_make(rq->arena, e->name, "env_", e->id));
    json_add_time(d, o, "createdAt", e->created_at);
    json_add_time(d, o, "updatedAt", e->updated_at);
    return add_settings(rq, d, o, e, err);
}

static void handle_list(struct request *rq)
{
    struct environment *list;
    size_t n;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *arr = yyjson_mut_arr(d), *o;
    if (!environment_list(app_db(rq), rq->arena, rq->principal.organization, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!environment_json(rq, d, &list[i], &o, &err) || !add_keys(rq, d, o, &list[i], &err)) {
            reply_error(rq, &err);
            return;
        }
        yyjson_mut_arr_append(arr, o);
    }
    reply_json(rq, 0, arr);
}

static void handle_me(struct request *rq)
{
    struct environment e;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o;
    if (!environment_find(app_db(rq), rq->arena, rq->principal.environment, &e, &err) || !environment_json(rq, d, &e, &o, &err)
        || !add_keys(rq, d, o, &e, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, o);
}

static void handle_keys(struct request *rq)
{
    struct environment e = {.id = rq->principal.environment};
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!add_keys(rq, d, o, &e, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, yyjson_mut_obj_get(o, "apiKeys"));
}

/* A new secret in the place of all: what is signed or asked with an old one is refused from the commit on. */
struct key_write {
    struct api_write w;
    struct str secret;
};

static bool key_apply(struct api_write *w, struct db *db, struct error *err)
{
    const struct principal *p = &w->rq->principal;
    return api_key_replace(db, w->rq->arena, &app_of(w->rq)->box, p->environment, p->user, ((struct key_write *)w)->secret, app_now(w->rq), err);
}

static void key_reply(struct api_write *w)
{
    struct str secret = ((struct key_write *)w)->secret;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d), *k = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, k, "key", secret);
    json_add_id(d, k, "_userId", w->rq->principal.user);
    json_add_str(d, k, "hash", crypto_sha256_hex(w->rq->arena, secret));
    reply_json(w->rq, 0, list);
}

static void handle_keys_regenerate(struct request *rq)
{
    struct key_write *x = ARENA_NEW(rq->arena, struct key_write);
    x->w = (struct api_write){.flags = WRITE_DIRECTORY, .apply = key_apply, .reply = key_reply};
    x->secret = crypto_random_hex(rq->arena, 16);
    api_write(rq, &x->w);
}

/* --- writing ---------------------------------------------------------------------------------------------- */

struct environment_write {
    struct api_write w;
    struct environment row;
    struct str name_before;
};

static bool is_protected(struct str name)
{
    return str_eqz(name, "Development") || str_eqz(name, "Production");
}

static bool is_color(struct str s)
{
    if ((s.n != 4 && s.n != 5 && s.n != 7 && s.n != 9) || s.p[0] != '#')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!memchr("0123456789abcdefABCDEF", s.p[i], 22))
            return false;
    return true;
}

/* Requests a second by category, which take the place of the service level's (rest-api.md §4.3); null takes all back. */
static void read_rates(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *settings, yyjson_val *given)
{
    static const char *const categories[] = {"trigger", "configuration", "global"};
    yyjson_val *rates = json_get(given, "apiRateLimits");
    if (!rates)
        return;
    yyjson_mut_obj_remove_key(settings, "apiRateLimits");
    if (yyjson_is_null(rates))
        return;
    yyjson_mut_val *o = json_add_obj(d, settings, "apiRateLimits");
    if (!yyjson_is_obj(rates))
        check_fail(c, "settings.apiRateLimits must be an object");
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        yyjson_val *v = json_get(rates, categories[i]);
        if (!v)
            continue;
        if (!yyjson_is_int(v) || yyjson_get_sint(v) < 1 || yyjson_get_sint(v) > RATE_MAX)
            check_fail(c, "settings.apiRateLimits.%s must be an integer number from 1 to %d", categories[i], RATE_MAX);
        json_add_int(d, o, categories[i], yyjson_get_sint(v));
    }
}

static struct str read_name(struct checks *c, bool required)
{
    struct str name = str_trim(check_string(c, c->rq->json, "name", required));
    if (name.n > NAME_MAX_BYTES)
        check_fail(c, "name must be shorter than or equal to %d characters", NAME_MAX_BYTES);
    return name;
}

/* May the bridge that is given be called at all? false: the request was answered. */
static bool bridge_allowed(struct request *rq)
{
    struct str url = json_get_str(json_get(rq->json, "bridge"), "url");
    struct error err = {0};
    if (!url.n || bridge_url_allowed(rq, url, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* The members that live in the settings document, merged over what is stored. */
static struct str read_settings(struct checks *c, struct str before, bool color_required)
{
    struct request *rq = c->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_val *old = NULL, *given = check_object(c, rq->json, "settings", false);
    struct str color = check_string(c, rq->json, "color", color_required), parent = check_string(c, rq->json, "parentId", false);
    yyjson_val *dns = check_object(c, rq->json, "dns", false), *bridge = check_object(c, rq->json, "bridge", false);
    struct id id;
    json_parse(rq->arena, before.n ? before : STR("{}"), &old, NULL);
    yyjson_mut_val *o = yyjson_val_mut_copy(d, old);
    if (color.n && !is_color(color))
        check_fail(c, "color must be a hexadecimal color");
    if (parent.n && !id_parse(parent, &id))
        check_fail(c, "parentId must be a mongodb id");
    const struct { const char *name; yyjson_val *v; } members[] = {
        {"color", color.n ? json_get(rq->json, "color") : NULL}, {"parentId", parent.n ? json_get(rq->json, "parentId") : NULL},
        {"dns", dns}, {"bridge", bridge}, {"delivery", json_get(given, "delivery")}};
    check_delivery_policy(c, given);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].v) {
            yyjson_mut_obj_remove_key(o, members[i].name);
            json_add_val(d, o, members[i].name, members[i].v);
        }
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (json_get(given, switches[i].name)) {
            bool on = check_bool(c, given, switches[i].name, switches[i].otherwise);
            yyjson_mut_obj_remove_key(o, switches[i].name);
            json_add_bool(d, o, switches[i].name, on);
        }
    read_rates(c, d, o, given);
    return json_write_mut(rq->arena, o);
}

static bool name_is_free(struct request *rq, struct db *db, const struct environment *row, bool fresh, struct error *err)
{
    struct environment *list;
    size_t n;
    if (!environment_list(db, rq->arena, row->organization, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!id_eq(list[i].id, row->id) && str_eq(list[i].name, row->name))
            return error_http(err, 400, "Environment name must be unique");
    if (fresh && n >= ENVIRONMENTS_MAX)
        return error_http(err, 400, "Organization cannot have more than %d environments", ENVIRONMENTS_MAX);
    return true;
}

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct environment_write *x = (struct environment_write *)w;
    struct request *rq = w->rq;
    return name_is_free(rq, db, &x->row, true, err)
        && environment_create(db, rq->arena, &app_of(rq)->box, &app_of(rq)->ids, &x->row, rq->principal.user, STR_NULL,
                              x->row.created_at, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct environment_write *x = (struct environment_write *)w;
    struct request *rq = w->rq;
    struct environment now;
    if (!environment_find(db, rq->arena, x->row.id, &now, err) || !write_follows(w, now.updated_at, &x->row.updated_at, err)
        || !name_is_free(rq, db, &x->row, false, err))
        return false;
    if (!environment_update(db, &x->row, err)) {
        if (err->code == ERROR_CONFLICT && !err->status)
            error_http(err, 409, "The identifier is taken");
        return false;
    }
    return !x->row.outbox || environment_add_demo(db, rq->arena, &app_of(rq)->ids, &x->row, x->row.updated_at, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    return environment_delete(db, ((struct environment_write *)w)->row.id, app_now(w->rq), err);
}

static void write_reply(struct api_write *w)
{
    struct environment_write *x = (struct environment_write *)w;
    struct error err = {0};
    yyjson_mut_val *o;
    if (environment_json(w->rq, json_doc(w->rq->arena), &x->row, &o, &err))
        reply_json(w->rq, 0, o);
    else
        reply_error(w->rq, &err);
}

static void delete_reply(struct api_write *w)
{
    reply_text(w->rq, 200, "application/json; charset=utf-8", STR("{}"));
}

static struct environment_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct environment_write *x = ARENA_NEW(rq->arena, struct environment_write);
    x->w.flags = WRITE_DIRECTORY;
    x->w.apply = apply;
    x->w.reply = write_reply;
    return x;
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct environment_write *x = write_new(rq, create_apply);
    x->row = (struct environment){.id = app_id(rq), .organization = rq->principal.organization, .type = STR("prod"),
                                  .application_identifier = crypto_random_word(rq->arena, 12), .created_at = app_now(rq),
                                  .updated_at = app_now(rq), .name = read_name(&checks, true),
                                  .settings = read_settings(&checks, STR_NULL, true)};
    if (!checks_done(&checks) || !bridge_allowed(rq))
        return;
    if (is_protected(x->row.name))
        reply_fail(rq, 422, "Environment name cannot be Development or Production");
    else
        api_write(rq, &x->w);
}

/* A secret key reaches its own environment only; any other id is answered alike, there or not (rest-api.md §2). */
static bool load_own(struct request *rq, struct environment *e)
{
    struct error err = {0};
    struct str key = request_param(rq, "environmentId");
    struct id id;
    if ((!id_parse(key, &id) && !slug_parse(key, "env_", &id)) || !id_eq(id, rq->principal.environment)) {
        reply_fail(rq, 403, "This authentication scheme is scoped to a single environment and cannot target a different "
                            "`_environmentId`.");
        return false;
    }
    if (environment_find(app_db(rq), rq->arena, id, e, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void handle_update(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct environment_write *x = write_new(rq, update_apply);
    if (!load_own(rq, &x->row))
        return;
    struct str name = read_name(&checks, false), identifier = check_string(&checks, rq->json, "identifier", false);
    x->row.settings = read_settings(&checks, x->row.settings, false);
    x->row.outbox = check_bool(&checks, json_get(rq->json, "settings"), "outbox", x->row.outbox);
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (identifier.n > 128)
        check_fail(&checks, "identifier must be shorter than or equal to 128 characters");
    if (!checks_done(&checks) || !bridge_allowed(rq))
        return;
    if (name.n && !str_eq(name, x->row.name) && (is_protected(name) || is_protected(x->row.name))) {
        reply_fail(rq, 422, "%s", is_protected(name) ? "Environment name cannot be Development or Production"
                                                     : "The name of this environment cannot be changed");
        return;
    }
    if (name.n)
        x->row.name = name;
    if (identifier.n)
        x->row.application_identifier = identifier;
    api_write(rq, &x->w);
}

static void handle_delete(struct request *rq)
{
    struct environment_write *x = write_new(rq, delete_apply);
    x->w.reply = delete_reply;
    x->w.flags |= WRITE_REMOVAL;
    if (!load_own(rq, &x->row))
        return;
    if (is_protected(x->row.name))
        reply_fail(rq, 400, "The %.*s environment is protected and cannot be deleted. Only custom environments can be deleted.",
                   STR_ARG(x->row.name));
    else
        api_write(rq, &x->w);
}

/* --- tags ---------------------------------------------------------------------------------------------------- */

static void tags_collect(struct request *rq, const struct workflow *w, yyjson_mut_doc *d, yyjson_mut_val *arr)
{
    yyjson_val *doc, *tag;
    if (!json_parse(rq->arena, w->doc, &doc, NULL))
        return;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "tags"));
    while ((tag = yyjson_arr_iter_next(&it))) {
        yyjson_mut_val *had;
        size_t i, n;
        bool known = false;
        yyjson_mut_arr_foreach(arr, i, n, had)
            known |= yyjson_mut_equals_strn(yyjson_mut_obj_get(had, "name"), yyjson_get_str(tag), yyjson_get_len(tag));
        if (!known)
            json_add_str(d, yyjson_mut_arr_add_obj(d, arr), "name", json_str(tag));
    }
}

/* {environmentId}: the caller's environment by its id, slug or application identifier. */
static void handle_tags(struct request *rq)
{
    struct str key = request_param(rq, "environmentId");
    struct workflow_query all = {.limit = 0};
    struct environment e;
    struct error err = {0};
    struct workflow *list;
    struct id id;
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *arr = yyjson_mut_arr(d);
    if (!environment_find(app_db(rq), rq->arena, rq->principal.environment, &e, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool own = id_parse(key, &id) || slug_parse(key, "env_", &id) ? id_eq(id, e.id) : str_eq(key, e.application_identifier);
    if (!own)
        reply_fail(rq, 404, "Environment %.*s not found", (int)(key.n > 64 ? 64 : key.n), key.p);
    else if (!workflow_list(app_db(rq), rq->arena, e.id, &all, &list, &n, &err))
        reply_error(rq, &err);
    else {
        for (size_t i = 0; i < n; i++)
            tags_collect(rq, &list[i], d, arr);
        reply_json(rq, 0, arr);
    }
}

#define ENVIRONMENT(method, path, operation, summary, permission, status, handler)                                          \
    {method, path, operation, "Environments", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, status, ENVELOPE_DATA, \
     0, 0, handler}

const struct route environment_routes[] = {
    ENVIRONMENT(HTTP_GET, "/v1/environments", "environmentsList", "List environments", "ENVIRONMENT_READ", 200, handle_list),
    ENVIRONMENT(HTTP_GET, "/v1/environments/me", "environmentsMe", "The caller's environment", "ENVIRONMENT_READ", 200, handle_me),
    ENVIRONMENT(HTTP_GET, "/v1/environments/api-keys", "environmentsApiKeys", "The secret keys of the caller's environment",
                "API_KEY_READ", 200, handle_keys),
    {HTTP_POST, "/v1/environments/api-keys/regenerate", "environmentsApiKeysRegenerateV1", "Environments",
     "Replace the secret keys of the caller's environment", AUTH_ENVIRONMENT, "API_KEY_WRITE", RATE_CONFIGURATION, 1, 201, ENVELOPE_DATA,
     0, ROUTE_NOT_IDEMPOTENT, handle_keys_regenerate},
    ENVIRONMENT(HTTP_POST, "/v1/environments", "environmentsCreate", "Create an environment", "ENVIRONMENT_WRITE", 201, handle_create),
    ENVIRONMENT(HTTP_PUT, "/v1/environments/{environmentId}", "environmentsUpdate", "Update an environment", "ENVIRONMENT_WRITE", 200,
                handle_update),
    ENVIRONMENT(HTTP_DELETE, "/v1/environments/{environmentId}", "environmentsDelete", "Delete an environment", "ENVIRONMENT_WRITE",
                200, handle_delete),
    ENVIRONMENT(HTTP_GET, "/v2/environments/{environmentId}/tags", "environmentsGetTags", "List the tags of an environment's workflows",
                "ENVIRONMENT_READ", 200, handle_tags),
};
const size_t environment_routes_n = sizeof environment_routes / sizeof *environment_routes;
