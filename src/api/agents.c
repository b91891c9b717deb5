/* /v1/agents: agents as their owner describes them, and the integrations that they speak through (rest-api.md §6.18).
 *
 * What would run one is not here: there are no managed agents and no conversations, so a reply finds none (404).
 */
#include "api/paging.h"
#include "api/row_write.h"
#include "api/tables.h"
#include "model/agent.h"

enum { SHOWN = 100, URL_LENGTH_MAX = 2048, DESCRIPTION_MAX = 500, SHORT_ID = 4 };

struct agent_write {
    struct row_write w;
    struct agent row;
};

struct link_write {
    struct row_write w;
    struct agent agent;
    struct agent_link row;
    struct str integration, provider;   /* which one: by its identifier, or the newest of a provider */
};

/* --- wire forms -------------------------------------------------------------------------------------------- */

static yyjson_mut_val *agent_json(struct request *rq, yyjson_mut_doc *d, const struct agent *x)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_str(d, o, "name", x->name);
    json_add_str(d, o, "identifier", x->identifier);
    if (x->description.p)
        json_add_str(d, o, "description", x->description);
    json_add_text(d, o, "behavior", x->behavior);
    json_add_bool(d, o, "active", x->active);
    if (x->bridge_url.n)
        json_add_str(d, o, "bridgeUrl", x->bridge_url);
    if (x->dev_bridge_url.n)
        json_add_str(d, o, "devBridgeUrl", x->dev_bridge_url);
    json_add_bool(d, o, "devBridgeActive", x->dev_bridge_active);
    json_add_str(d, o, "runtime", STR("self-hosted"));
    json_add_id(d, o, "_environmentId", x->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

static yyjson_mut_val *link_json(struct request *rq, yyjson_mut_doc *d, const struct agent_link *l)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *i;
    json_add_id(d, o, "_id", l->id);
    json_add_id(d, o, "_agentId", l->agent);
    i = json_add_obj(d, o, "integration");
    json_add_id(d, i, "_id", l->integration.id);
    json_add_str(d, i, "identifier", l->integration.identifier);
    json_add_str(d, i, "name", l->integration.name);
    json_add_str(d, i, "providerId", l->integration.provider_id);
    json_add_str(d, i, "channel", channel_name(l->integration.channel));
    json_add_bool(d, i, "active", l->integration.active);
    json_add_id(d, o, "_environmentId", l->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_str(d, o, "connectedAt", STR_NULL);
    json_add_time(d, o, "createdAt", l->created_at);
    json_add_time(d, o, "updatedAt", l->updated_at);
    return o;
}

/* --- reading a request ------------------------------------------------------------------------------------- */

static bool missing(struct str identifier, struct error *err)
{
    return error_http(err, 404, "Agent with identifier \"%.*s\" was not found.", STR_ARG(str_sub(identifier, 0, SHOWN)));
}

static bool load(struct request *rq, const char *param, struct agent *x)
{
    struct str identifier = request_param(rq, param);
    struct error err = {0};
    if (agent_find(app_db(rq), rq->arena, rq->principal.environment, identifier, x, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        missing(identifier, &err);
    reply_error(rq, &err);
    return false;
}

static bool load_link(struct request *rq, struct agent *x, struct agent_link *l)
{
    struct str given = request_param(rq, "agentIntegrationId");
    struct error err = {0};
    struct id id = {0};
    if (!load(rq, "identifier", x))
        return false;
    if (id_parse(given, &id) && agent_link_find(app_db(rq), rq->arena, x, id, l, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Agent integration with id \"%.*s\" was not found.", STR_ARG(str_sub(given, 0, SHOWN)));
    reply_error(rq, &err);
    return false;
}

static struct str text_read(struct checks *c, const char *key, size_t max, bool required)
{
    struct str s = check_string(c, c->rq->json, key, required);
    if (s.n > max)
        check_fail(c, "%s must be shorter than or equal to %zu characters", key, max);
    return s;
}

static void url_read(struct checks *c, const char *key, struct str *out)
{
    struct str s = text_read(c, key, URL_LENGTH_MAX, false);
    struct outbound_target target;
    struct error err = {0};
    if (s.n && !outbound_check(&app_of(c->rq)->outbound, c->rq->arena, s, &target, &err))
        check_fail(c, "%s: %s", key, err.message);
    if (s.p)
        *out = s;
}

static bool behavior_valid(struct checks *c, yyjson_val *given)
{
    yyjson_val *acknowledges = json_get(given, "acknowledgeOnReceived"), *access = json_get(given, "subscriberAccess"),
               *reaction = json_get(given, "reactionOnResolved");
    size_t before = c->n;
    if (acknowledges && !yyjson_is_bool(acknowledges))
        check_fail(c, "behavior.acknowledgeOnReceived must be a boolean value");
    if (access && !str_eqz(json_str(access), "open") && !str_eqz(json_str(access), "restricted"))
        check_fail(c, "behavior.subscriberAccess must be one of the following values: open, restricted");
    if (reaction && !yyjson_is_null(reaction) && !yyjson_is_obj(reaction))
        check_fail(c, "behavior.reactionOnResolved must be an object or null");
    return c->n == before;
}

/* Members of a behavior that are not given stay. */
static struct str behavior_with(struct arena *a, struct str before, yyjson_val *given)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *old = NULL, *k;
    json_parse(a, before.n ? before : STR("{}"), &old, NULL);
    yyjson_mut_val *o = yyjson_val_mut_copy(d, old);
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(k), yyjson_get_len(k));
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(k)));
    }
    return json_write_mut(a, o);
}

/* Members that are given replace those of x; false: there are none. */
static bool members_read(struct checks *c, struct agent *x)
{
    static const char *const keys[] = {"name", "description", "active", "behavior", "bridgeUrl", "devBridgeUrl", "devBridgeActive"};
    struct request *rq = c->rq;
    struct str name = text_read(c, "name", AGENT_NAME_MAX, false), description = text_read(c, "description", DESCRIPTION_MAX, false);
    yyjson_val *behavior = check_object(c, rq->json, "behavior", false);
    bool any = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        any = any || json_get(rq->json, keys[i]);
    if (name.p && !str_trim(name).n)
        check_fail(c, "name should not be empty");
    if (name.n)
        x->name = name;
    if (description.p)
        x->description = description;
    if (behavior && behavior_valid(c, behavior))
        x->behavior = behavior_with(rq->arena, x->behavior, behavior);
    x->active = check_bool(c, rq->json, "active", x->active);
    url_read(c, "bridgeUrl", &x->bridge_url);
    url_read(c, "devBridgeUrl", &x->dev_bridge_url);
    x->dev_bridge_active = check_bool(c, rq->json, "devBridgeActive", x->dev_bridge_active);
    return any;
}

/* --- agents ------------------------------------------------------------------------------------------------ */

/* A taken identifier gets a tail of its own. */
static bool agent_create(struct request *rq, struct agent *x, struct db *db, struct error *err)
{
    struct agent other;
    struct str wanted = x->identifier;
    if (agent_find(db, rq->arena, x->environment, wanted, &other, err)) {
        struct str tail = crypto_random_word(rq->arena, SHORT_ID);
        x->identifier = str_fmt(rq->arena, "%.*s-%.*s", STR_ARG(wanted), STR_ARG(tail));
    } else if (err->code != ERROR_NOT_FOUND) {
        return false;
    }
    *err = (struct error){0};
    return agent_insert(db, x, err);
}

static bool agent_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct agent_write *x = (struct agent_write *)w;
    if (x->w.change == CREATE) {
        x->row.identifier = json_get_str(w->rq->json, "identifier");
        return agent_create(w->rq, &x->row, db, err);
    }
    if (x->w.change == ERASE)
        return agent_delete(db, &x->row, err);
    struct agent now;
    return agent_find(db, w->rq->arena, x->row.environment, x->row.identifier, &now, err)
        && write_follows(w, now.updated_at, &x->row.updated_at, err) && agent_update(db, &x->row, err);
}

static yyjson_mut_val *agent_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return agent_json(rq, d, (const struct agent *)items + i);
}

static struct agent_write *agent_write_new(struct request *rq, enum row_change change)
{
    struct agent_write *x = ARENA_NEW(rq->arena, struct agent_write);
    row_write_init(&x->w, change, &x->row, agent_apply, agent_item);
    return x;
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct agent_write *x = agent_write_new(rq, CREATE);
    struct str identifier = text_read(&c, "identifier", AGENT_NAME_MAX, true), runtime = check_string(&c, rq->json, "runtime", false);
    bool managed = str_eqz(runtime, "managed");
    x->row = (struct agent){.id = app_id(rq), .environment = rq->principal.environment, .behavior = STR("{}"), .active = true,
                            .created_at = app_now(rq), .updated_at = app_now(rq)};
    check_string(&c, rq->json, "name", true);
    members_read(&c, &x->row);
    if (identifier.n && identifier.n <= AGENT_NAME_MAX && !agent_identifier_valid(identifier))
        check_fail(&c, "identifier must be letters and digits, with single hyphens, underscores or dots between them");
    if (runtime.n && !managed && !str_eqz(runtime, "self-hosted"))
        check_fail(&c, "runtime must be one of the following values: self-hosted, managed");
    if (managed && !check_object(&c, rq->json, "managedRuntime", false))
        check_fail(&c, "managedRuntime is required when runtime is managed");
    if (!checks_done(&c))
        return;
    if (managed)
        reply_fail(rq, 400, "Managed agents are not available on this server.");
    else
        api_write(rq, &x->w.w);
}

static void change(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct agent_write *x = agent_write_new(rq, UPDATE);
    if (!load(rq, "identifier", &x->row))
        return;
    bool any = members_read(&c, &x->row);
    x->w.w.flags = WRITE_HOLDS;
    x->w.w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (!checks_done(&c))
        return;
    if (any)
        api_write(rq, &x->w.w);
    else
        reply_fail(rq, 400, "At least one field must be provided.");
}

static void handle_delete(struct request *rq)
{
    struct agent_write *x = agent_write_new(rq, ERASE);
    if (load(rq, "identifier", &x->row))
        api_write(rq, &x->w.w);
}

/* `integrations` of an agent: there is at most one of a kind of chat or mail, so one page holds them. */
static bool integrations_add(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct agent *x, struct error *err)
{
    struct page_query all = {.limit = 100, .ascending = true};
    struct page page;
    if (!agent_link_list(app_db(rq), rq->arena, x, &all, STR_NULL, &page, err))
        return false;
    yyjson_mut_val *list = json_add_arr(d, o, "integrations");
    for (size_t i = 0; i < page.n; i++) {
        const struct integration *link = &((const struct agent_link *)page.items)[i].integration;
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(d, list);
        json_add_id(d, item, "integrationId", link->id);
        json_add_str(d, item, "providerId", link->provider_id);
        json_add_str(d, item, "name", link->name);
        json_add_str(d, item, "identifier", link->identifier);
        json_add_str(d, item, "channel", channel_name(link->channel));
        json_add_bool(d, item, "active", link->active);
    }
    return true;
}

static void handle_get(struct request *rq)
{
    struct agent x;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!load(rq, "identifier", &x))
        return;
    yyjson_mut_val *o = agent_json(rq, d, &x);
    if (integrations_add(rq, d, o, &x, &err))
        reply_json(rq, 0, o);
    else
        reply_error(rq, &err);
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct page_query q = {0};
    struct page page;
    struct error err = {0};
    if (!paging_read(&c, "createdAt", &q))
        return;
    if (agent_list(app_db(rq), rq->arena, rq->principal.environment, &q, request_query(rq, "identifier"), &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, agent_item);
    else
        reply_error(rq, &err);
}

/* --- links ------------------------------------------------------------------------------------------------- */

/* The integration that the body names, as the store has it now. */
static bool integration_of(struct link_write *x, struct db *db, struct error *err)
{
    struct integration *list;
    size_t n;
    if (!integration_list(db, x->w.w.rq->arena, x->row.environment, &list, &n, err))
        return false;
    for (size_t i = n; i-- > 0;)
        if (x->integration.n ? str_eq(list[i].identifier, x->integration) : str_eq(list[i].provider_id, x->provider)) {
            x->row.integration = list[i];
            return true;
        }
    return error_http(err, 404, "Integration \"%.*s\" was not found.",
                      STR_ARG(str_sub(x->integration.n ? x->integration : x->provider, 0, SHOWN)));
}

/* An agent has one address for mail. */
static bool mail_is_free(struct link_write *x, struct db *db, struct error *err)
{
    struct page_query all = {.limit = 100, .ascending = true};
    struct page page;
    if (x->row.integration.channel != CHANNEL_EMAIL)
        return true;
    if (!agent_link_list(db, x->w.w.rq->arena, &x->agent, &all, STR_NULL, &page, err))
        return false;
    for (size_t i = 0; i < page.n; i++) {
        const struct agent_link *l = (const struct agent_link *)page.items + i;
        if (l->integration.channel == CHANNEL_EMAIL && !id_eq(l->id, x->row.id) && !id_eq(l->integration.id, x->row.integration.id))
            return error_http(err, 409, "Agent \"%.*s\" already has an email integration.", STR_ARG(x->agent.identifier));
    }
    return true;
}

static bool link_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct link_write *x = (struct link_write *)w;
    if (x->w.change == ERASE)
        return agent_link_delete(db, &x->row, err);
    if (!agent_find(db, w->rq->arena, x->row.environment, x->agent.identifier, &x->agent, err))
        return err->code == ERROR_NOT_FOUND ? missing(x->agent.identifier, err) : false;
    if (!integration_of(x, db, err) || !mail_is_free(x, db, err))
        return false;
    if (x->w.change == CREATE ? agent_link_insert(db, &x->row, err) : agent_link_update(db, &x->row, err))
        return true;
    return err->code == ERROR_CONFLICT
        ? error_http(err, 409, "Integration \"%.*s\" is already linked to an agent.", STR_ARG(str_sub(x->row.integration.identifier, 0, SHOWN)))
        : false;
}

static yyjson_mut_val *link_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return link_json(rq, d, (const struct agent_link *)items + i);
}

static struct link_write *link_write_new(struct request *rq, enum row_change change)
{
    struct link_write *x = ARENA_NEW(rq->arena, struct link_write);
    row_write_init(&x->w, change, &x->row, link_apply, link_item);
    x->w.w.flags = WRITE_HOLDS;
    return x;
}

static void handle_link_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = link_write_new(rq, CREATE);
    if (!load(rq, "identifier", &x->agent))
        return;
    x->integration = check_string(&c, rq->json, "integrationIdentifier", false);
    x->provider = check_string(&c, rq->json, "providerId", false);
    x->row = (struct agent_link){.id = app_id(rq), .environment = x->agent.environment, .agent = x->agent.id,
                                 .created_at = app_now(rq), .updated_at = app_now(rq)};
    if (!checks_done(&c))
        return;
    if (!x->integration.n && !x->provider.n)
        reply_fail(rq, 400, "Either integrationIdentifier or providerId must be provided.");
    else if (x->integration.n && x->provider.n)
        reply_fail(rq, 400, "Provide exactly one of integrationIdentifier or providerId.");
    else
        api_write(rq, &x->w.w);
}

static void handle_link_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = link_write_new(rq, UPDATE);
    if (!load_link(rq, &x->agent, &x->row))
        return;
    x->integration = check_string(&c, rq->json, "integrationIdentifier", true);
    x->row.updated_at = app_now(rq);
    if (checks_done(&c))
        api_write(rq, &x->w.w);
}

static void handle_link_delete(struct request *rq)
{
    struct link_write *x = link_write_new(rq, ERASE);
    if (load_link(rq, &x->agent, &x->row))
        api_write(rq, &x->w.w);
}

static void handle_link_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct page_query q = {0};
    struct agent x;
    struct page page;
    struct error err = {0};
    if (!load(rq, "identifier", &x) || !paging_read(&c, "createdAt", &q))
        return;
    if (agent_link_list(app_db(rq), rq->arena, &x, &q, request_query(rq, "integrationIdentifier"), &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, link_item);
    else
        reply_error(rq, &err);
}

/* --- replies ----------------------------------------------------------------------------------------------- */

/* Is the part said? An empty list says nothing. */
static bool says(struct request *rq, const char *part)
{
    yyjson_val *v = json_get(rq->json, part);
    return v && !yyjson_is_null(v) && !(yyjson_is_arr(v) && !yyjson_arr_size(v));
}

static const char *reply_flaw(struct request *rq)
{
    static const char *const changes[] = {"resolve", "signals", "toolResults", "toolApprovalRequest", "addReactions", "deleteMessages"};
    bool changes_any = false;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        changes_any |= says(rq, changes[i]);
    if (says(rq, "reply") && says(rq, "edit"))
        return "Only one of reply or edit can be provided";
    if (says(rq, "edit") && changes_any)
        return "edit cannot be combined with resolve, signals, toolResults, toolApprovalRequest, addReactions, or deleteMessages";
    if (changes_any || says(rq, "reply") || says(rq, "edit") || says(rq, "plan") || says(rq, "typing") || says(rq, "error"))
        return NULL;
    return "At least one of reply, edit, resolve, signals, toolResults, toolApprovalRequest, addReactions, deleteMessages, plan, typing, "
           "or error must be provided";
}

/* A reply belongs to a conversation, and no conversation begins here. */
static void handle_reply(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct agent x;
    const char *flaw;
    struct str conversation = check_string(&c, rq->json, "conversationId", true);
    check_string(&c, rq->json, "integrationIdentifier", true);
    if (!checks_done(&c) || !load(rq, "agentId", &x))
        return;
    if ((flaw = reply_flaw(rq)))
        reply_fail(rq, 400, "%s", flaw);
    else
        reply_fail(rq, 404, "Conversation \"%.*s\" was not found.", STR_ARG(str_sub(conversation, 0, SHOWN)));
}

#define AGENT(method, path, operation, summary, permission, status, envelope, handler)                                      \
    {method, "/v1/agents" path, operation, "Agents", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status,  \
     envelope, 0, 0, handler}
#define READ "AGENT_READ"
#define WRITE "AGENT_WRITE"

const struct route agent_routes[] = {
    AGENT(HTTP_GET, "", "agentsList", "List agents", READ, 200, ENVELOPE_NONE, handle_list),
    AGENT(HTTP_POST, "", "agentsCreate", "Create an agent", WRITE, 201, ENVELOPE_DATA, handle_create),
    AGENT(HTTP_GET, "/{identifier}", "agentsRetrieve", "Retrieve an agent", READ, 200, ENVELOPE_DATA, handle_get),
    AGENT(HTTP_PATCH, "/{identifier}", "agentsUpdate", "Change an agent", WRITE, 200, ENVELOPE_DATA, change),
    AGENT(HTTP_PUT, "/{identifier}/bridge", "agentsUpdateBridge", "Set where an agent's code runs", WRITE, 200, ENVELOPE_DATA, change),
    AGENT(HTTP_DELETE, "/{identifier}", "agentsDelete", "Delete an agent", WRITE, 204, ENVELOPE_NONE, handle_delete),
    AGENT(HTTP_GET, "/{identifier}/integrations", "agentsIntegrationsList", "List an agent's integrations", READ, 200, ENVELOPE_NONE,
          handle_link_list),
    AGENT(HTTP_POST, "/{identifier}/integrations", "agentsIntegrationsCreate", "Give an agent an integration", WRITE, 201, ENVELOPE_DATA,
          handle_link_create),
    AGENT(HTTP_PATCH, "/{identifier}/integrations/{agentIntegrationId}", "agentsIntegrationsUpdate", "Replace an agent's integration", WRITE,
          200, ENVELOPE_DATA, handle_link_update),
    AGENT(HTTP_DELETE, "/{identifier}/integrations/{agentIntegrationId}", "agentsIntegrationsDelete", "Take an integration from an agent",
          WRITE, 204, ENVELOPE_NONE, handle_link_delete),
    {HTTP_POST, "/v1/agents/{agentId}/reply", "agentsSendReply", "Reply in a conversation (there are none on this server: 404)", "Agents",
     AUTH_ENVIRONMENT, NULL, RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, ROUTE_READ_ONLY, handle_reply},
};
const size_t agent_routes_n = sizeof agent_routes / sizeof *agent_routes;
