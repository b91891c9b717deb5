/* /v1/integrations (rest-api.md §6.14). */
#include "api/app.h"
#include "api/integration_check.h"
#include "api/integration_conditions.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "model/workflow.h"

struct integration_write {
    struct api_write w;
    struct integration row;
    enum { CREATE, UPDATE, SET_PRIMARY, ERASE } kind;
    enum channel channel;
};

static bool list_load(struct request *rq, struct db *db, struct integration **list, size_t *n, struct error *err)
{
    return integration_list(db, rq->arena, rq->principal.environment, list, n, err);
}

static yyjson_mut_val *view(struct request *rq, yyjson_mut_doc *d, const struct integration *i)
{
    yyjson_mut_val *o = integration_json(d, i);
    integration_conditions_close(rq, d, i, o);
    return o;
}

static yyjson_mut_val *list_json(struct request *rq, yyjson_mut_doc *d, const struct integration *list, size_t n, bool active_only)
{
    yyjson_mut_val *arr = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        if (list[i].active || !active_only)
            yyjson_mut_arr_append(arr, view(rq, d, &list[i]));
    return arr;
}

static void handle_list_any(struct request *rq, bool active_only)
{
    struct integration *list;
    size_t n;
    struct error err = {0};
    if (!list_load(rq, app_db(rq), &list, &n, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, list_json(rq, json_doc(rq->arena), list, n, active_only));
}

static void handle_list(struct request *rq)
{
    handle_list_any(rq, false);
}

static void handle_active(struct request *rq)
{
    handle_list_any(rq, true);
}

/* One in-app integration an environment. */
static bool in_app_is_free(struct request *rq, struct db *db, const struct integration *row, struct error *err)
{
    struct integration *list;
    size_t n;
    if (!list_load(rq, db, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (row->channel == CHANNEL_IN_APP && list[i].channel == CHANNEL_IN_APP)
            return error_http(err, 400, "One environment can only have one In app provider");
        if (integration_is_demo(row) && str_eq(list[i].provider_id, row->provider_id))
            return error_http(err, 409, "Integration with novu provider for %s channel already exists", channel_name(row->channel).p);
    }
    return true;
}

static bool update(struct integration_write *x, struct db *db, struct error *err)
{
    struct integration now;
    if (!integration_find(db, x->w.rq->arena, x->row.environment, x->row.id, &now, err)
        || !write_follows(&x->w, now.updated_at, &x->row.updated_at, err))
        return false;
    x->row.primary = now.primary;       /* elections are no change of the row */
    x->row.priority = now.priority;
    return integration_update(db, &x->row, err);
}

static bool integration_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct integration_write *x = (struct integration_write *)w;
    struct request *rq = w->rq;
    struct id none = {{0}};
    bool ok = false;
    switch (x->kind) {
    case CREATE:
        ok = in_app_is_free(rq, db, &x->row, err) && integration_insert(db, &x->row, err);
        if (!ok && err->code == ERROR_CONFLICT && !err->status)
            error_http(err, 409, "Integration with identifier already exists");
        break;
    case UPDATE: ok = update(x, db, err); break;
    case ERASE: ok = integration_delete(db, x->row.environment, x->row.id, err); break;
    case SET_PRIMARY:
        /* Who is primary is active, and without conditions (rest-api.md §6.14). */
        x->row.conditions = STR_NULL;
        x->row.active = true;
        return update(x, db, err)
            && integration_elect_primary(db, x->row.environment, x->row.channel, x->row.id, err)
            && integration_find(db, rq->arena, x->row.environment, x->row.id, &x->row, err);
    }
    /* Who is primary follows from who is active (decisions.md 5). */
    if (!ok || !integration_elect_primary(db, x->row.environment, x->row.channel, none, err))
        return false;
    return x->kind == ERASE || integration_find(db, rq->arena, x->row.environment, x->row.id, &x->row, err);
}

static void integration_reply(struct api_write *w)
{
    struct integration_write *x = (struct integration_write *)w;
    reply_json(w->rq, 0, view(w->rq, json_doc(w->rq->arena), &x->row));
}

static struct integration_write *write_new(struct request *rq, int kind)
{
    struct integration_write *x = ARENA_NEW(rq->arena, struct integration_write);
    x->w.flags = WRITE_DIRECTORY;
    x->w.apply = integration_apply;
    x->w.reply = integration_reply;
    x->w.rq = rq;
    x->kind = (unsigned)kind;
    return x;
}

/* A secret key reaches its own environment only (rest-api.md §2). */
static bool environment_is_own(struct request *rq)
{
    struct str given = json_get_str(rq->json, "_environmentId");
    struct id id;
    if (!given.n || (id_parse(given, &id) && id_eq(id, rq->principal.environment)))
        return true;
    reply_fail(rq, 403, "This authentication scheme is scoped to a single environment and cannot target a different "
                        "`_environmentId`.");
    return false;
}

static struct str sealed(struct request *rq, yyjson_val *credentials)
{
    if (!yyjson_is_obj(credentials))
        return STR_NULL;
    return crypto_seal(&app_of(rq)->box, rq->arena, json_write(rq->arena, credentials));
}

static void check_configurations(struct checks *c, yyjson_val *configurations)
{
    yyjson_val *count = json_get(configurations, "inboxCount");
    check_delivery_policy(c, configurations);
    if (count && !yyjson_is_null(count) && !yyjson_equals_str(count, "none") && !yyjson_equals_str(count, "unread") && !yyjson_equals_str(count, "unseen"))
        check_fail(c, "configurations.inboxCount must be one of the following values: none, unread, unseen");
}

static void create_read(struct checks *c, struct integration *i)
{
    struct request *rq = c->rq;
    struct str channel = check_string(c, rq->json, "channel", false), kind = check_string(c, rq->json, "kind", false), name;
    enum channel wanted = CHANNELS;
    i->provider_id = check_string(c, rq->json, "providerId", true);
    if (i->provider_id.n && !provider_channel(i->provider_id, &i->channel, &name))
        check_fail(c, "providerId \"%.*s\" is not a provider of this version", (int)(i->provider_id.n > 64 ? 64 : i->provider_id.n),
                   i->provider_id.p);
    else if (channel.n && (!channel_parse(channel, &wanted) || wanted != i->channel))
        check_fail(c, "channel does not fit the provider");
    i->for_agents = str_eqz(kind, "agent");
    if (kind.n && !i->for_agents && !str_eqz(kind, "delivery"))
        check_fail(c, "kind must be one of the following values: delivery, agent");
    i->name = check_string(c, rq->json, "name", false);
    if (!i->name.n)
        i->name = name;
    i->identifier = check_string(c, rq->json, "identifier", false);
    i->active = check_bool(c, rq->json, "active", false);
    i->credentials = sealed(rq, check_object(c, rq->json, "credentials", false));
    yyjson_val *configurations = check_object(c, rq->json, "configurations", false);
    check_configurations(c, configurations);
    integration_conditions_read(c, rq->json, i);
    if (configurations)
        i->configurations = json_write(rq->arena, configurations);
}

static void write_go(void *arg)
{
    struct integration_write *x = arg;
    api_write(x->w.rq, &x->w);
}

/* Writes, after the provider has taken the credentials if it is to be asked. */
static void write_checked(struct integration_write *x, bool check, yyjson_val *credentials)
{
    if (check)
        integration_check(x->w.rq, x->row.channel, x->row.provider_id, credentials, write_go, x);
    else
        write_go(x);
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct integration_write *x = write_new(rq, CREATE);
    x->row = (struct integration){.id = app_id(rq), .organization = rq->principal.organization,
                                  .environment = rq->principal.environment, .created_at = app_now(rq), .updated_at = app_now(rq)};
    bool check = check_bool(&checks, rq->json, "check", false);
    create_read(&checks, &x->row);
    if (!checks_done(&checks) || !environment_is_own(rq))
        return;
    if (!x->row.identifier.n) {
        struct str word = crypto_random_word(rq->arena, 8), slug = slugify(rq->arena, x->row.name);
        x->row.identifier = str_fmt(rq->arena, "%.*s-%.*s", STR_ARG(slug), STR_ARG(word));
    }
    write_checked(x, check, json_get(rq->json, "credentials"));
}

static bool load_as(struct request *rq, const char *noun, struct integration *i)
{
    struct str key = request_param(rq, "integrationId");
    struct error err = {0};
    struct id id;
    if (!id_parse(key, &id))
        err.code = ERROR_NOT_FOUND;
    else if (integration_find(app_db(rq), rq->arena, rq->principal.environment, id, i, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "%s with id %.*s not found", noun, (int)(key.n > 64 ? 64 : key.n), key.p);
    reply_error(rq, &err);
    return false;
}

static bool load(struct request *rq, struct integration *i)
{
    return load_as(rq, "Entity", i);
}

static bool update_read(struct checks *c, struct integration *i, struct error *err)
{
    struct request *rq = c->rq;
    struct str name = check_string(c, rq->json, "name", false), identifier = check_string(c, rq->json, "identifier", false);
    yyjson_val *credentials = check_object(c, rq->json, "credentials", false);
    yyjson_val *configurations = check_object(c, rq->json, "configurations", false);
    check_configurations(c, configurations);
    bool conditions = integration_conditions_read(c, rq->json, i);
    bool any = name.n || identifier.n || credentials || configurations || conditions || json_get(rq->json, "active")
            || check_bool(c, rq->json, "check", false);
    i->active = check_bool(c, rq->json, "active", i->active);
    if (c->n)
        return true;
    if (!any)
        return error_http(err, 400, "No properties found for update");
    if (identifier.n && !str_eq(identifier, i->identifier)) {
        error_http(err, 400, "identifier cannot be changed");       /* decisions.md 13 */
        return error_field(err, "identifier");
    }
    if (name.n)
        i->name = name;
    if (configurations)
        i->configurations = json_write(rq->arena, configurations);
    return !credentials || integration_secrets_merge(rq, i, credentials, err);
}

static void handle_update(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct integration_write *x = write_new(rq, UPDATE);
    struct error err = {0};
    yyjson_val *credentials = NULL;
    if (!load(rq, &x->row))
        return;
    bool check = json_get_bool(rq->json, "check", false);
    x->w.seen = x->row.updated_at;
    bool ok = update_read(&checks, &x->row, &err);
    x->row.updated_at = app_now(rq);
    if (!checks_done(&checks) || !environment_is_own(rq))
        return;
    if (ok && (!check || integration_secrets_open(rq, &x->row, &credentials, &err)))
        write_checked(x, check, credentials);
    else
        reply_error(rq, &err);
}

static void handle_set_primary(struct request *rq)
{
    struct integration_write *x = write_new(rq, SET_PRIMARY);
    struct id id;
    /* Here, and not with the other calls, upstream looks at the form (set-itegration-as-primary.e2e.ts). */
    if (!id_parse(request_param(rq, "integrationId"), &id)) {
        reply_invalid_field(rq, "SetIntegrationAsPrimaryCommand", "integrationId", "integrationId must be a mongodb id");
        return;
    }
    if (!load_as(rq, "Integration", &x->row))
        return;
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (x->row.channel != CHANNEL_EMAIL && x->row.channel != CHANNEL_SMS)
        reply_fail(rq, 400, "Channel %s does not support primary", channel_name(x->row.channel).p);
    else if (x->row.for_agents)
        reply_fail(rq, 400, "An integration of agents cannot be primary");
    else
        api_write(rq, &x->w);
}

/* R is what remains, as of the same transaction. */
struct integration_erase {
    struct integration_write x;
    struct integration *rest;
    size_t rest_n;
};

static bool erase_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct integration_erase *e = (struct integration_erase *)w;
    return integration_apply(w, db, err) && list_load(w->rq, db, &e->rest, &e->rest_n, err);
}

static void erase_reply(struct api_write *w)
{
    struct integration_erase *e = (struct integration_erase *)w;
    reply_json(w->rq, 0, list_json(w->rq, json_doc(w->rq->arena), e->rest, e->rest_n, false));
}

static void handle_delete(struct request *rq)
{
    struct integration_erase *e = ARENA_NEW(rq->arena, struct integration_erase);
    e->x.kind = ERASE;
    e->x.w = (struct api_write){.rq = rq, .flags = WRITE_DIRECTORY, .apply = erase_apply, .reply = erase_reply};
    if (load(rq, &e->x.row))
        api_write(rq, &e->x.w);
}

#define INTEGRATION(method, path, operation, summary, permission, status, handler)                                   \
    {method, path, operation, "Integrations", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, status, ENVELOPE_DATA, 0, 0, \
     handler}

const struct route integration_routes[] = {
    INTEGRATION(HTTP_GET, "/v1/integrations", "integrationsList", "List integrations", "INTEGRATION_READ", 200, handle_list),
    INTEGRATION(HTTP_GET, "/v1/integrations/active", "integrationsListActive", "List active integrations", "INTEGRATION_READ", 200,
                handle_active),
    INTEGRATION(HTTP_POST, "/v1/integrations", "integrationsCreate", "Create an integration", "INTEGRATION_WRITE", 201,
                handle_create),
    INTEGRATION(HTTP_PUT, "/v1/integrations/{integrationId}", "integrationsUpdate", "Change an integration", "INTEGRATION_WRITE",
                200, handle_update),
    INTEGRATION(HTTP_DELETE, "/v1/integrations/{integrationId}", "integrationsDelete", "Delete an integration",
                "INTEGRATION_WRITE", 200, handle_delete),
    INTEGRATION(HTTP_POST, "/v1/integrations/{integrationId}/set-primary", "integrationsSetAsPrimary",
                "Make an integration the primary one", "INTEGRATION_WRITE", 200, handle_set_primary),
};
const size_t integration_routes_n = sizeof integration_routes / sizeof *integration_routes;
