/* Leads people to the consent page of a chat provider. */
#include "api/chat_oauth.h"

#include "api/context_proof.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "model/context.h"

static const struct {
    const char *id, *title;
} chat_providers[CHAT_PROVIDERS] = {
    [CHAT_SLACK] = {"slack", "Slack"}, [CHAT_TEAMS] = {"msteams", "MS Teams"}, [CHAT_WEBEX] = {"webex-messaging", "Webex Messaging"}};

bool chat_provider_parse(struct str provider_id, enum chat_provider *out)
{
    for (int p = 0; p < CHAT_PROVIDERS; p++)
        if (str_eqz(provider_id, chat_providers[p].id)) {
            *out = (enum chat_provider)p;
            return true;
        }
    return false;
}

const char *chat_provider_title(enum chat_provider p)
{
    return chat_providers[p].title;
}

struct str chat_redirect_uri(struct request *rq)
{
    return str_fmt(rq->arena, "%.*s/v1/integrations/chat/oauth/callback", STR_ARG(app_of(rq)->public_url));
}

void form_value(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)))
            buf_char(b, c);
        else
            buf_fmt(b, "%%%02X", (unsigned char)c);
    }
}

void form_add(struct buf *b, const char *name, struct str value)
{
    if (b->n)
        buf_char(b, '&');
    buf_z(b, name);
    buf_char(b, '=');
    form_value(b, value);
}

bool chat_credentials(struct request *rq, const struct integration *i, enum chat_provider p, bool secret_too, yyjson_val **out,
                      struct error *err)
{
    if (!integration_secrets_open(rq, i, out, err))
        return false;
    if (json_get_str(*out, "clientId").n && (!secret_too || json_get_str(*out, "secretKey").n))
        return true;
    return error_http(err, 404, "%s integration missing required OAuth credentials (%s)", chat_provider_title(p),
                      secret_too ? "clientId/clientSecret" : "clientId");
}

/* --- the URL ------------------------------------------------------------------------------------------------------ */

struct dialogue {
    struct chat_state state;
    enum chat_provider provider;
    struct str client_id;
    yyjson_val *scope, *user_scope;     /* asked for; NULL: the provider's usual ones */
    bool has_context, wants_webhook;
    struct str mode;                    /* connectionMode as given */
};

static struct str joined(struct arena *a, yyjson_val *list, char separator, struct str otherwise)
{
    struct buf b = {.arena = a};
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    if (!list)
        return otherwise;
    while ((v = yyjson_arr_iter_next(&it))) {
        if (b.n)
            buf_char(&b, separator);
        buf_str(&b, json_str(v));
    }
    return buf_finish(&b);
}

static struct str consent_url(struct request *rq, const struct dialogue *g, struct str state)
{
    struct buf b = {.arena = rq->arena};
    bool links = g->state.links_user;
    const char *page = "https://slack.com/oauth/v2/authorize";
    form_add(&b, "state", state);
    form_add(&b, "client_id", g->client_id);
    form_add(&b, "redirect_uri", chat_redirect_uri(rq));
    switch (g->provider) {
    case CHAT_SLACK:
        if (links)
            form_add(&b, "user_scope", joined(rq->arena, g->user_scope, ',', STR("identity.basic")));
        else
            form_add(&b, "scope", joined(rq->arena, g->scope, ',', STR("chat:write,chat:write.public,channels:read,groups:read,users:read,"
                                                                       "users:read.email")));
        break;
    case CHAT_TEAMS:
        page = links ? "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"
                     : "https://login.microsoftonline.com/organizations/v2.0/adminconsent";
        if (links) {
            form_add(&b, "response_type", STR("code"));
            form_add(&b, "response_mode", STR("query"));
        }
        form_add(&b, "scope", links ? STR("openid profile User.Read") : STR("https://graph.microsoft.com/.default"));
        break;
    case CHAT_WEBEX:
    case CHAT_PROVIDERS:
        page = "https://webexapis.com/v1/authorize";
        form_add(&b, "response_type", STR("code"));
        if (links)
            form_add(&b, "scope", joined(rq->arena, g->user_scope, ' ', STR("spark:people_read")));
        else
            form_add(&b, "scope", joined(rq->arena, g->scope, ' ', STR("spark:messages_write spark:rooms_read spark:people_read "
                                                                       "spark:memberships_read spark:kms")));
        break;
    }
    return str_fmt(rq->arena, "%s?%.*s", page, STR_ARG(buf_get(&b)));
}

static const char *owner_flaw(const struct dialogue *g)
{
    const struct chat_state *s = &g->state;
    if (s->links_user && !s->subscriber_id.n)
        return "subscriberId is required for link_user mode";
    if (s->links_user && g->provider == CHAT_WEBEX && !s->connection_identifier.n)
        return "connectionIdentifier is required for Webex link_user mode";
    if (g->wants_webhook && !s->subscriber_id.n)
        return "subscriberId is required for incoming webhook";
    return s->links_user ? NULL : channel_owner_flaw(s->subscriber_id.n, g->has_context, g->mode);
}

/* Integration, provider, owner, the context's proof and credentials, in this order. */
static bool dialogue_settle(struct request *rq, struct dialogue *g, struct error *err)
{
    struct channel_link l = {.environment = rq->principal.environment, .integration_identifier = g->state.integration_identifier,
                             .subscriber_id = g->state.subscriber_id};
    struct integration i;
    yyjson_val *credentials;
    const char *flaw;
    if (!channel_link_integration(app_db(rq), rq->arena, &l, &i, err))
        return false;
    if (!chat_provider_parse(i.provider_id, &g->provider))
        return error_http(err, 400, "OAuth not supported for provider: %.*s", STR_ARG(i.provider_id));
    if ((flaw = owner_flaw(g)))
        return error_http(err, 400, "%s", flaw);
    if (!context_proved(rq, &i, err) || !channel_link_subscriber(app_db(rq), rq->arena, &l, err)
        || !chat_credentials(rq, &i, g->provider, false, &credentials, err))
        return false;
    g->state.provider_id = i.provider_id;
    g->client_id = json_get_str(credentials, "clientId");
    return true;
}

static void dialogue_open(struct request *rq, struct dialogue *g)
{
    struct error err = {0};
    struct str *secrets;
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    g->state.organization = rq->principal.organization;
    g->state.environment = rq->principal.environment;
    g->state.made_at = app_now(rq);
    if (!dialogue_settle(rq, g, &err)
        || !directory_secrets(app_db(rq), &app_of(rq)->box, rq->arena, g->state.environment, &secrets, &n, &err)) {
        reply_error(rq, &err);
    } else if (!n) {
        reply_fail(rq, 404, "The environment has no API key to sign with");
    } else {
        json_add_str(d, o, "url", consent_url(rq, g, chat_state_write(rq->arena, &g->state, secrets[0])));
        reply_json(rq, 0, o);
    }
}

static yyjson_val *scopes(struct checks *c, const char *key, bool *wants_webhook)
{
    yyjson_val *list = check_array(c, c->rq->json, key, false), *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        *wants_webhook |= str_eqz(json_str(v), "incoming-webhook");
        if (!yyjson_is_str(v)) {
            check_fail(c, "each value in %s must be a string", key);
            break;
        }
    }
    return list;
}

/* What API and Inbox have in common. */
static void dialogue_read(struct checks *c, struct dialogue *g)
{
    struct request *rq = c->rq;
    g->state.integration_identifier = check_string(c, rq->json, "integrationIdentifier", true);
    g->state.connection_identifier = check_string(c, rq->json, "connectionIdentifier", false);
    check_string(c, rq->json, "contextHash", false);
    g->state.auto_link = check_bool(c, rq->json, "autoLinkUser", false);
    g->mode = check_string(c, rq->json, "connectionMode", false);
    g->scope = scopes(c, "scope", &g->wants_webhook);
    g->user_scope = scopes(c, "userScope", &g->wants_webhook);
    if (g->mode.n && !str_eqz(g->mode, "subscriber") && !str_eqz(g->mode, "shared"))
        check_fail(c, "connectionMode must be one of the following values: subscriber, shared");
    g->state.is_shared = str_eqz(g->mode, "shared");
}

static void dialogue_handle(struct request *rq, bool links_user, bool may_say)
{
    struct checks c = checks_begin(rq);
    struct dialogue *g = ARENA_NEW(rq->arena, struct dialogue);
    struct context contexts[CONTEXTS_MAX];
    struct str messages[8], mode = may_say ? check_string(&c, rq->json, "mode", false) : STR_NULL;
    size_t contexts_n;
    dialogue_read(&c, g);
    if (mode.n && !str_eqz(mode, "connect") && !str_eqz(mode, "link_user"))
        check_fail(&c, "mode must be one of the following values: connect, link_user");
    g->state.links_user = links_user || str_eqz(mode, "link_user");
    g->state.subscriber_id = str_trim(check_string(&c, rq->json, "subscriberId", false));
    g->state.context = json_get(rq->json, "context");
    size_t n = context_read(rq->arena, g->state.context, contexts, &contexts_n, messages, 8);
    for (size_t i = 0; i < n; i++)
        check_fail(&c, "%.*s", STR_ARG(messages[i]));
    g->has_context = contexts_n > 0;
    if (checks_done(&c))
        dialogue_open(rq, g);
}

static void handle_connect(struct request *rq)
{
    dialogue_handle(rq, false, false);
}

static void handle_link_user(struct request *rq)
{
    dialogue_handle(rq, true, false);
}

static void handle_either(struct request *rq)
{
    dialogue_handle(rq, false, true);
}

/* --- from the Inbox: person and contexts are the token's (inbox-realtime.md §2.11) -------------------------------- */

/* "tenant:acme,…" as a client would have sent it. */
static yyjson_val *context_of_token(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct str rest = rq->principal.context;
    yyjson_val *v = NULL;
    while (rest.n) {
        ptrdiff_t comma = str_find(rest, STR(",")), colon;
        struct str key = str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma);
        rest = str_sub(rest, key.n + 1, rest.n);
        if ((colon = str_find(key, STR(":"))) > 0)
            json_add_str(d, o, str_z(rq->arena, str_sub(key, 0, (size_t)colon)), str_sub(key, (size_t)colon + 1, key.n));
    }
    if (!yyjson_mut_obj_size(o) || !json_parse(rq->arena, json_write_mut(rq->arena, o), &v, NULL))
        return NULL;
    return v;
}

static void inbox_dialogue(struct request *rq, bool links_user)
{
    struct checks c = checks_begin(rq);
    struct dialogue *g = ARENA_NEW(rq->arena, struct dialogue);
    dialogue_read(&c, g);
    g->state.links_user = links_user;
    g->state.subscriber_id = rq->principal.subscriber_id;
    g->state.context = context_of_token(rq);
    g->has_context = g->state.context != NULL;
    if (checks_done(&c))
        dialogue_open(rq, g);
}

static void handle_inbox_connect(struct request *rq)
{
    inbox_dialogue(rq, false);
}

static void handle_inbox_link_user(struct request *rq)
{
    inbox_dialogue(rq, true);
}

#define OAUTH(path, operation, summary, handler)                                                                              \
    {HTTP_POST, "/v1/integrations/" path, operation, "Integrations", summary, AUTH_ENVIRONMENT, "INTEGRATION_WRITE", RATE_GLOBAL, \
     1, 201, ENVELOPE_DATA, 0, 0, handler}
#define INBOX_OAUTH(path, operation, summary, handler)                                                                \
    {HTTP_POST, "/v1/inbox/" path, operation, "Inbox", summary, AUTH_SUBSCRIBER, NULL, RATE_NONE, 0, 201, ENVELOPE_DATA, \
     0, ROUTE_CORS_ANY, handler}

const struct route chat_oauth_routes[] = {
    OAUTH("channel-connections/oauth", "integrationsGenerateConnectOAuthUrl", "Where a workspace is connected", handle_connect),
    OAUTH("channel-endpoints/oauth", "integrationsGenerateLinkUserOAuthUrl", "Where a person is linked", handle_link_user),
    OAUTH("chat/oauth", "integrationsGenerateChatOAuthUrl", "Where a workspace is connected or a person linked", handle_either),
    {HTTP_GET, "/v1/integrations/chat/oauth/callback", "chatOAuthCallback", "Integrations", "Where chat providers send people back to",
     AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 0, 0, handle_chat_callback},
    INBOX_OAUTH("channel-connections/oauth", "inboxConnectOAuthUrl", "Where a workspace is connected", handle_inbox_connect),
    INBOX_OAUTH("channel-endpoints/oauth", "inboxLinkUserOAuthUrl", "Where the person is linked", handle_inbox_link_user),
    INBOX_OAUTH("chat/oauth", "inboxChatOAuthUrl", "Where a workspace is connected", handle_inbox_connect),
};
const size_t chat_oauth_routes_n = sizeof chat_oauth_routes / sizeof *chat_oauth_routes;
