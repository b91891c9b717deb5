/* /v1/channel-connections and /v1/channel-endpoints: how chat reaches a person (rest-api.md §6.15). */
#include "api/channel_links.h"
#include "api/paging.h"
#include "api/tables.h"
#include "model/context.h"
#include "model/integration.h"
#include "model/subscriber.h"

enum { IDENTIFIER_MAX = 256 };

/* --- the wire form -------------------------------------------------------------------------------------------- */

static void add_link(yyjson_mut_doc *d, yyjson_mut_val *o, const struct channel_link *l)
{
    json_add_str(d, o, "identifier", l->identifier);
    json_add_str(d, o, "channel", channel_name(l->channel));
    json_add_str(d, o, "providerId", l->provider_id);
    json_add_str(d, o, "integrationIdentifier", l->integration_identifier);
    json_add_str(d, o, "subscriberId", l->subscriber_id.n ? l->subscriber_id : STR_NULL);
    context_keys_add(d, o, l->context);
    json_add_time(d, o, "createdAt", l->created_at);
    json_add_time(d, o, "updatedAt", l->updated_at);
}

/* A sealed object, opened; what cannot be opened (another key) reads as empty. */
static yyjson_val *opened(struct request *rq, struct str sealed)
{
    struct str plain = STR_NULL;
    yyjson_val *v = NULL;
    if (crypto_open(&app_of(rq)->box, rq->arena, sealed, &plain, NULL))
        json_parse(rq->arena, plain, &v, NULL);
    return v;
}

static yyjson_mut_val *connection_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct channel_connection *c = (const struct channel_connection *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *auth = opened(rq, c->auth);
    add_link(d, o, &c->link);
    json_add_text(d, o, "workspace", c->workspace);
    if (auth)
        json_add_val(d, o, "auth", auth);
    else
        json_add_str(d, json_add_obj(d, o, "auth"), "accessToken", STR(""));
    return o;
}

static yyjson_mut_val *endpoint_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct channel_endpoint *e = (const struct channel_endpoint *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *endpoint = opened(rq, e->endpoint);
    add_link(d, o, &e->link);
    json_add_str(d, o, "connectionIdentifier", e->connection_identifier);
    json_add_str(d, o, "type", e->type);
    if (endpoint)
        json_add_val(d, o, "endpoint", endpoint);
    else
        json_add_obj(d, o, "endpoint");
    return o;
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

static bool query_read(struct checks *c, struct channel_link_query *q)
{
    struct request *rq = c->rq;
    struct str channel = request_query(rq, "channel"), mode = request_query(rq, "connectionMode");
    struct str *keys;
    enum channel parsed;
    *q = (struct channel_link_query){.subscriber_id = request_query(rq, "subscriberId"), .provider_id = request_query(rq, "providerId"),
                                     .integration_identifier = request_query(rq, "integrationIdentifier"),
                                     .connection_identifier = request_query(rq, "connectionIdentifier"), .channel = -1, .shared = -1};
    if (channel.n && !channel_parse(channel, &parsed))
        check_fail(c, "channel must be one of the following values: in_app, email, sms, chat, push, tool");
    else if (channel.n)
        q->channel = (int)parsed;
    if (mode.n && !str_eqz(mode, "subscriber") && !str_eqz(mode, "shared"))
        check_fail(c, "connectionMode must be one of the following values: subscriber, shared");
    else if (mode.n)
        q->shared = str_eqz(mode, "shared");
    size_t n = request_query_all(rq, "contextKeys", &keys);
    if (n) {
        struct str *joined = ARENA_NEW(rq->arena, struct str);
        *joined = context_keys_join(rq->arena, keys, n);
        q->context = joined;
    }
    if (rq->principal.kind == PRINCIPAL_SUBSCRIBER) {
        q->subscriber_id = q->shared == 1 ? STR("") : rq->principal.subscriber_id;
        q->or_shared = q->shared < 0;
        q->context = &rq->principal.context;
    }
    return paging_read(c, "_id", &q->page);
}

static void list(struct request *rq, bool (*read)(struct db *db, struct arena *a, struct id environment,
                 const struct channel_link_query *q, struct page *page, struct error *err),
                 yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i))
{
    struct checks c = checks_begin(rq);
    struct channel_link_query q;
    struct page page;
    struct error err = {0};
    if (!query_read(&c, &q))
        return;
    if (read(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, json);
    else
        reply_error(rq, &err);
}

static void handle_connections(struct request *rq)
{
    list(rq, channel_connection_list, connection_json);
}

static void handle_endpoints(struct request *rq)
{
    list(rq, channel_endpoint_list, endpoint_json);
}

static bool load_connection(struct request *rq, struct channel_connection *c)
{
    struct error err = {0};
    if (channel_connection_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "identifier"), c, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static bool load_endpoint(struct request *rq, struct channel_endpoint *e)
{
    struct error err = {0};
    if (channel_endpoint_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "identifier"), e, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void handle_connection(struct request *rq)
{
    struct channel_connection c;
    if (load_connection(rq, &c))
        reply_json(rq, 0, connection_json(rq, json_doc(rq->arena), &c, 0));
}

static void handle_endpoint(struct request *rq)
{
    struct channel_endpoint e;
    if (load_endpoint(rq, &e))
        reply_json(rq, 0, endpoint_json(rq, json_doc(rq->arena), &e, 0));
}

/* --- as the Inbox shows them: those of the token's person and contexts, without secrets (inbox-realtime.md §2.11) ---- */

static yyjson_mut_val *inbox_connection_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct channel_connection *c = (const struct channel_connection *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    (void)rq;
    json_add_str(d, o, "identifier", c->link.identifier);
    json_add_str(d, o, "integrationIdentifier", c->link.integration_identifier);
    json_add_str(d, o, "providerId", c->link.provider_id);
    json_add_text(d, o, "workspace", c->workspace);
    return o;
}

static yyjson_mut_val *inbox_endpoint_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct channel_endpoint *e = (const struct channel_endpoint *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    (void)rq;
    json_add_str(d, o, "identifier", e->link.identifier);
    json_add_str(d, o, "integrationIdentifier", e->link.integration_identifier);
    json_add_str(d, o, "connectionIdentifier", e->connection_identifier);
    json_add_str(d, o, "type", e->type);
    return o;
}

/* A connection is a person's when it is theirs, or shared by exactly their contexts. */
static bool is_of_token(struct request *rq, const struct channel_link *l)
{
    if (!str_eq(l->context, rq->principal.context))
        return false;
    return str_eq(l->subscriber_id, rq->principal.subscriber_id) || (!l->subscriber_id.n && l->context.n);
}

static void handle_inbox_connections(struct request *rq)
{
    list(rq, channel_connection_list, inbox_connection_json);
}

static void handle_inbox_endpoints(struct request *rq)
{
    list(rq, channel_endpoint_list, inbox_endpoint_json);
}

/* Another's is answered like a missing one. */
static bool load_own_connection(struct request *rq, struct channel_connection *c)
{
    struct str identifier = request_param(rq, "identifier");
    if (!load_connection(rq, c))
        return false;
    if (is_of_token(rq, &c->link))
        return true;
    reply_fail(rq, 404, "Channel connection not found: %.*s", (int)(identifier.n > 64 ? 64 : identifier.n), identifier.p);
    return false;
}

static void handle_inbox_connection(struct request *rq)
{
    struct channel_connection c;
    if (load_own_connection(rq, &c))
        reply_json(rq, 0, inbox_connection_json(rq, json_doc(rq->arena), &c, 0));
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

struct link_write {
    struct api_write w;
    union {
        struct channel_connection connection;
        struct channel_endpoint endpoint;
        struct channel_link link;
    };
    struct context contexts[CONTEXTS_MAX];
    size_t contexts_n;
    bool make_subscriber;
};

static struct link_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err),
                                    void (*reply)(struct api_write *w))
{
    struct link_write *x = ARENA_NEW(rq->arena, struct link_write);
    x->w.apply = apply;
    x->w.reply = reply;
    x->link = (struct channel_link){.id = app_id(rq), .environment = rq->principal.environment, .created_at = app_now(rq),
                                    .updated_at = app_now(rq)};
    return x;
}

/* identifier, subscriberId, integrationIdentifier and context, which both kinds have. */
static void link_check(struct checks *c, struct link_write *x, const char *prefix)
{
    struct request *rq = c->rq;
    struct str messages[8];
    struct channel_link *l = &x->link;
    l->identifier = check_string(c, rq->json, "identifier", false);
    if (l->identifier.n > IDENTIFIER_MAX)
        check_fail(c, "identifier must be shorter than or equal to %d characters", IDENTIFIER_MAX);
    if (!l->identifier.n)
        l->identifier = str_fmt(rq->arena, "%s_%.*s", prefix, STR_ARG(crypto_random_word(rq->arena, 12)));
    l->subscriber_id = str_trim(check_string(c, rq->json, "subscriberId", false));
    l->integration_identifier = check_string(c, rq->json, "integrationIdentifier", true);
    size_t n = context_read(rq->arena, json_get(rq->json, "context"), x->contexts, &x->contexts_n, messages, 8);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    l->context = context_keys(rq->arena, x->contexts, x->contexts_n);
}

bool channel_link_integration(struct db *db, struct arena *a, struct channel_link *l, struct integration *out, struct error *err)
{
    struct integration *all;
    size_t n;
    if (!integration_list(db, a, l->environment, &all, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].identifier, l->integration_identifier)) {
            l->channel = all[i].channel;
            l->provider_id = all[i].provider_id;
            *out = all[i];
            return true;
        }
    return error_http(err, 404, "Integration not found: %.*s", (int)(l->integration_identifier.n > 64 ? 64 : l->integration_identifier.n),
                      l->integration_identifier.p);
}

bool channel_link_subscriber(struct db *db, struct arena *a, const struct channel_link *l, struct error *err)
{
    struct str id = l->subscriber_id;
    struct subscriber s;
    if (!id.n || subscriber_find(db, a, l->environment, id, &s, err))
        return true;
    if (err->code == ERROR_NOT_FOUND)
        error_http(err, 404, "Subscriber not found: %.*s", (int)(id.n > 64 ? 64 : id.n), id.p);
    return false;
}

static bool subscriber_settle(struct link_write *x, struct db *db, bool offers_to_make, struct error *err)
{
    struct request *rq = x->w.rq;
    struct str id = x->link.subscriber_id;
    struct subscriber_patch blank = {.subscriber_id = id};
    struct error missing = {0};
    struct id made;
    if (channel_link_subscriber(db, rq->arena, &x->link, &missing))
        return true;
    if (missing.status == 404 && x->make_subscriber)
        return subscriber_upsert(db, x->link.environment, &blank, id_new(&app_of(rq)->ids, x->link.created_at), x->link.created_at, &made, err);
    *err = missing;
    if (missing.status == 404 && offers_to_make)
        error_http(err, 404, "Subscriber not found: %.*s. Pass createSubscriberIfMissing: true to create it.",
                   (int)(id.n > 64 ? 64 : id.n), id.p);
    return false;
}

static bool settle(struct link_write *x, struct db *db, bool offers_to_make, struct error *err)
{
    struct request *rq = x->w.rq;
    struct integration integration;
    return channel_link_integration(db, rq->arena, &x->link, &integration, err) && subscriber_settle(x, db, offers_to_make, err)
        && context_ensure(db, rq->arena, x->link.environment, x->contexts, x->contexts_n, &app_of(rq)->ids, x->link.created_at, err);
}

static bool connection_create(struct api_write *w, struct db *db, struct error *err)
{
    struct link_write *x = (struct link_write *)w;
    enum channel_conflict which;
    if (!settle(x, db, false, err))
        return false;
    if (channel_connection_insert(db, &x->connection, &which, err))
        return true;
    if (err->code == ERROR_CONFLICT && which == CHANNEL_CONNECTION_EXISTS)
        error_http(err, 409, "A channel connection already exists for integration \"%.*s\" with this subscriber and context",
                   (int)(x->link.integration_identifier.n > 64 ? 64 : x->link.integration_identifier.n), x->link.integration_identifier.p);
    else if (err->code == ERROR_CONFLICT)
        error_http(err, 409, "Channel connection with identifier \"%.*s\" already exists",
                   (int)(x->link.identifier.n > 64 ? 64 : x->link.identifier.n), x->link.identifier.p);
    return false;
}

/* The connection that is named, of the same integration; of types that are reached through it alone, in the same context. */
static bool connection_fits(struct link_write *x, struct db *db, bool needed, struct error *err)
{
    struct channel_connection c;
    struct str wanted = x->endpoint.connection_identifier;
    if (!wanted.n)
        return !needed || error_http(err, 400, "Channel endpoint type \"%.*s\" requires a connectionIdentifier", STR_ARG(x->endpoint.type));
    if (!channel_connection_find(db, x->w.rq->arena, x->link.environment, wanted, &c, err))
        return false;
    if (!str_eq(c.link.integration_identifier, x->link.integration_identifier))
        return error_http(err, 404, "Channel connection not found: %.*s", (int)(wanted.n > 64 ? 64 : wanted.n), wanted.p);
    return !needed || str_eq(c.link.context.p ? c.link.context : STR(""), x->link.context.p ? x->link.context : STR(""))
        || error_http(err, 400, "Webex endpoint context must match channel connection \"%.*s\" context", (int)(wanted.n > 64 ? 64 : wanted.n), wanted.p);
}

static bool is_alone(struct link_write *x, struct db *db, const char *title, struct error *err)
{
    struct channel_link_query q = {.subscriber_id = x->link.subscriber_id, .integration_identifier = x->link.integration_identifier,
                                   .channel = -1, .shared = -1, .context = &x->link.context, .page = {.limit = 100}};
    struct page page;
    if (!channel_endpoint_list(db, x->w.rq->arena, x->link.environment, &q, &page, err))
        return false;
    const struct channel_endpoint *all = page.items;
    for (size_t i = 0; i < page.n; i++)
        if (str_eq(all[i].type, x->endpoint.type))
            return error_http(err, 409, "%s endpoint already exists for subscriber \"%.*s\" on integration \"%.*s\"", strchr(title, ' ') + 1,
                              STR_ARG(str_cut(x->link.subscriber_id, 128)), STR_ARG(str_cut(x->link.integration_identifier, 64)));
    return true;
}

/* What its type asks for (upstream: usecases/create-channel-endpoint). */
static bool endpoint_fits(struct link_write *x, struct db *db, struct error *err)
{
    struct channel_endpoint_rules rules = channel_endpoint_rules(x->endpoint.type);
    if (rules.provider && !str_eqz(x->link.provider_id, rules.provider))
        return error_http(err, 400, "Channel endpoint type \"%.*s\" requires %s integration", STR_ARG(x->endpoint.type), rules.title);
    if (rules.kept)
        x->endpoint.connection_identifier = STR_NULL;
    else if (!connection_fits(x, db, rules.connected, err))
        return false;
    return !rules.single || is_alone(x, db, rules.title, err);
}

static bool endpoint_create(struct api_write *w, struct db *db, struct error *err)
{
    struct link_write *x = (struct link_write *)w;
    if (!settle(x, db, true, err) || !endpoint_fits(x, db, err))
        return false;
    if (channel_endpoint_insert(db, &x->endpoint, err))
        return true;
    if (err->code == ERROR_CONFLICT)
        error_http(err, 409, "Channel endpoint with identifier \"%.*s\" already exists",
                   (int)(x->link.identifier.n > 64 ? 64 : x->link.identifier.n), x->link.identifier.p);
    return false;
}

static bool connection_update(struct api_write *w, struct db *db, struct error *err)
{
    return channel_connection_update(db, &((struct link_write *)w)->connection, err);
}

static bool endpoint_update(struct api_write *w, struct db *db, struct error *err)
{
    return channel_endpoint_update(db, &((struct link_write *)w)->endpoint, err);
}

static bool connection_erase(struct api_write *w, struct db *db, struct error *err)
{
    const struct channel_link *l = &((struct link_write *)w)->link;
    return channel_connection_delete(db, l->environment, l->id, err);
}

static bool endpoint_erase(struct api_write *w, struct db *db, struct error *err)
{
    const struct channel_link *l = &((struct link_write *)w)->link;
    return channel_endpoint_delete(db, l->environment, l->id, err);
}

static void connection_reply(struct api_write *w)
{
    struct link_write *x = (struct link_write *)w;
    reply_json(w->rq, 0, connection_json(w->rq, json_doc(w->rq->arena), &x->connection, 0));
}

static void endpoint_reply(struct api_write *w)
{
    struct link_write *x = (struct link_write *)w;
    reply_json(w->rq, 0, endpoint_json(w->rq, json_doc(w->rq->arena), &x->endpoint, 0));
}

static void erase_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static struct str sealed(struct request *rq, yyjson_val *v)
{
    return v ? crypto_seal(&app_of(rq)->box, rq->arena, json_write(rq->arena, v)) : STR_NULL;
}

static void check_members(struct checks *c, struct channel_connection *out)
{
    yyjson_val *workspace = check_object(c, c->rq->json, "workspace", true), *auth = check_object(c, c->rq->json, "auth", true);
    if (workspace)
        check_string(c, workspace, "id", true);
    if (auth)
        check_string(c, auth, "accessToken", true);
    if (c->n)
        return;
    out->workspace = json_write(c->rq->arena, workspace);
    out->auth = sealed(c->rq, auth);
}

const char *channel_owner_flaw(bool has_subscriber, bool has_context, struct str mode)
{
    if (!has_subscriber && !has_context)
        return "Either subscriberId or context must be provided";
    if (str_eqz(mode, "shared") && !has_context)
        return "context is required when connectionMode is shared";
    if (str_eqz(mode, "subscriber") && !has_subscriber)
        return "subscriberId is required when connectionMode is subscriber";
    return NULL;
}

static void handle_connection_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = write_new(rq, connection_create, connection_reply);
    struct str mode = check_string(&c, rq->json, "connectionMode", false);
    link_check(&c, x, "chconn");
    check_members(&c, &x->connection);
    if (mode.n && !str_eqz(mode, "subscriber") && !str_eqz(mode, "shared"))
        check_fail(&c, "connectionMode must be one of the following values: subscriber, shared");
    if (!checks_done(&c))
        return;
    const char *flaw = channel_owner_flaw(x->link.subscriber_id.n, x->contexts_n, mode);
    if (str_eqz(mode, "shared"))
        x->link.subscriber_id = STR("");
    if (flaw)
        reply_fail(rq, 400, "%s", flaw);
    else
        api_write(rq, &x->w);
}

static void handle_connection_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = write_new(rq, connection_update, connection_reply);
    int64_t now = x->link.updated_at;
    if (!load_connection(rq, &x->connection))
        return;
    x->link.updated_at = now;
    check_members(&c, &x->connection);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_connection_delete(struct request *rq)
{
    struct link_write *x = write_new(rq, connection_erase, erase_reply);
    if (load_connection(rq, &x->connection))
        api_write(rq, &x->w);
}

static void handle_inbox_connection_delete(struct request *rq)
{
    struct link_write *x = write_new(rq, connection_erase, erase_reply);
    if (load_own_connection(rq, &x->connection))
        api_write(rq, &x->w);
}

static void handle_inbox_endpoint_delete(struct request *rq)
{
    struct link_write *x = write_new(rq, endpoint_erase, erase_reply);
    struct str identifier = request_param(rq, "identifier");
    if (!load_endpoint(rq, &x->endpoint))
        return;
    if (is_of_token(rq, &x->link))
        api_write(rq, &x->w);
    else
        reply_fail(rq, 404, "Channel endpoint not found: %.*s", (int)(identifier.n > 64 ? 64 : identifier.n), identifier.p);
}

static void check_endpoint(struct checks *c, struct str type, struct channel_endpoint *e)
{
    yyjson_val *endpoint = check_object(c, c->rq->json, "endpoint", true);
    const char *flaw = endpoint && type.n ? channel_endpoint_flaw(c->rq->arena, type, endpoint) : NULL;
    if (flaw)
        check_fail(c, "%s", flaw);
    else
        e->endpoint = sealed(c->rq, endpoint);
}

static void handle_endpoint_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = write_new(rq, endpoint_create, endpoint_reply);
    link_check(&c, x, "chendp");
    if (!x->link.subscriber_id.n && !c.n)
        check_fail(&c, "subscriberId should not be empty");
    x->make_subscriber = check_bool(&c, rq->json, "createSubscriberIfMissing", false);
    x->endpoint.connection_identifier = check_string(&c, rq->json, "connectionIdentifier", false);
    x->endpoint.type = check_string(&c, rq->json, "type", true);
    check_endpoint(&c, x->endpoint.type, &x->endpoint);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_endpoint_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct link_write *x = write_new(rq, endpoint_update, endpoint_reply);
    int64_t now = x->link.updated_at;
    if (!load_endpoint(rq, &x->endpoint))
        return;
    x->link.updated_at = now;
    yyjson_val *endpoint = check_object(&c, rq->json, "endpoint", true);
    if (!checks_done(&c))
        return;
    /* The type is known only now, and so this is no mistake of form (upstream: usecases/update-channel-endpoint). */
    const char *flaw = channel_endpoint_flaw(rq->arena, x->endpoint.type, endpoint);
    x->endpoint.endpoint = sealed(rq, endpoint);
    if (flaw)
        reply_fail(rq, 400, "%s", flaw);
    else
        api_write(rq, &x->w);
}

static void handle_endpoint_delete(struct request *rq)
{
    struct link_write *x = write_new(rq, endpoint_erase, erase_reply);
    if (load_endpoint(rq, &x->endpoint))
        api_write(rq, &x->w);
}

#define LINK(method, path, operation, tag, summary, permission, status, envelope, handler)                               \
    {method, path, operation, tag, summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 0, 0, \
     handler}
#define CONNECTION(method, path, operation, summary, permission, status, envelope, handler) \
    LINK(method, "/v1/channel-connections" path, operation, "Channel Connections", summary, permission, status, envelope, handler)
#define ENDPOINT(method, path, operation, summary, permission, status, envelope, handler) \
    LINK(method, "/v1/channel-endpoints" path, operation, "Channel Endpoints", summary, permission, status, envelope, handler)

#define INBOX(method, path, operation, summary, status, envelope, handler) \
    {method, "/v1/inbox" path, operation, "Inbox", summary, AUTH_SUBSCRIBER, NULL, RATE_NONE, 0, status, envelope, 0, ROUTE_CORS_ANY, handler}

const struct route channel_link_routes[] = {
    CONNECTION(HTTP_GET, "", "channelConnectionsList", "List channel connections", "INTEGRATION_READ", 200, ENVELOPE_NONE,
               handle_connections),
    CONNECTION(HTTP_POST, "", "channelConnectionsCreate", "Create a channel connection", "INTEGRATION_WRITE", 201, ENVELOPE_DATA,
               handle_connection_create),
    CONNECTION(HTTP_GET, "/{identifier}", "channelConnectionsRetrieve", "Retrieve a channel connection", "INTEGRATION_READ", 200,
               ENVELOPE_DATA, handle_connection),
    CONNECTION(HTTP_PATCH, "/{identifier}", "channelConnectionsUpdate", "Update a channel connection", "INTEGRATION_WRITE", 200,
               ENVELOPE_DATA, handle_connection_update),
    CONNECTION(HTTP_DELETE, "/{identifier}", "channelConnectionsDelete", "Delete a channel connection", "INTEGRATION_WRITE", 204,
               ENVELOPE_DATA, handle_connection_delete),
    ENDPOINT(HTTP_GET, "", "channelEndpointsList", "List channel endpoints", "INTEGRATION_READ", 200, ENVELOPE_NONE, handle_endpoints),
    ENDPOINT(HTTP_POST, "", "channelEndpointsCreate", "Create a channel endpoint", "INTEGRATION_WRITE", 201, ENVELOPE_DATA,
             handle_endpoint_create),
    ENDPOINT(HTTP_GET, "/{identifier}", "channelEndpointsRetrieve", "Retrieve a channel endpoint", "INTEGRATION_READ", 200, ENVELOPE_DATA,
             handle_endpoint),
    ENDPOINT(HTTP_PATCH, "/{identifier}", "channelEndpointsUpdate", "Update a channel endpoint", "INTEGRATION_WRITE", 200, ENVELOPE_DATA,
             handle_endpoint_update),
    ENDPOINT(HTTP_DELETE, "/{identifier}", "channelEndpointsDelete", "Delete a channel endpoint", "INTEGRATION_WRITE", 204, ENVELOPE_DATA,
             handle_endpoint_delete),
    INBOX(HTTP_GET, "/channel-connections", "inboxChannelConnections", "List the person's channel connections", 200, ENVELOPE_NONE,
          handle_inbox_connections),
    INBOX(HTTP_GET, "/channel-connections/{identifier}", "inboxChannelConnection", "Retrieve a channel connection", 200, ENVELOPE_DATA,
          handle_inbox_connection),
    INBOX(HTTP_DELETE, "/channel-connections/{identifier}", "inboxChannelConnectionDelete", "Delete a channel connection", 204,
          ENVELOPE_NONE, handle_inbox_connection_delete),
    INBOX(HTTP_GET, "/channel-endpoints", "inboxChannelEndpoints", "List the person's channel endpoints", 200, ENVELOPE_NONE,
          handle_inbox_endpoints),
    INBOX(HTTP_DELETE, "/channel-endpoints/{identifier}", "inboxChannelEndpointDelete", "Delete a channel endpoint", 204, ENVELOPE_NONE,
          handle_inbox_endpoint_delete),
};
const size_t channel_link_routes_n = sizeof channel_link_routes / sizeof *channel_link_routes;
