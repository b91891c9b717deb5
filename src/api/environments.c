/* /v1/environments: those of the organisation (rest-api.md §6.12). */
#include "api/app.h"
#include "api/tables.h"
#include "model/workflow.h"

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
    return add_keys(rq, d, o, e, err);
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
        if (!environment_json(rq, d, &list[i], &o, &err)) {
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
    if (!environment_find(app_db(rq), rq->arena, rq->principal.environment, &e, &err) || !environment_json(rq, d, &e, &o, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, o);
}

const struct route environment_routes[] = {
    {HTTP_GET, "/v1/environments", "environmentsList", "Environments", "List environments", AUTH_ENVIRONMENT, "ENVIRONMENT_READ",
     RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_list},
    {HTTP_GET, "/v1/environments/me", "environmentsMe", "Environments", "The caller's environment", AUTH_ENVIRONMENT,
     "ENVIRONMENT_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_me},
};
const size_t environment_routes_n = sizeof environment_routes / sizeof *environment_routes;
