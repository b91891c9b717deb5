/* The way back from a chat provider's consent page: trades the code for a token and keeps what it opens. */
#include "api/chat_oauth.h"

#include "delivery/http_attempt.h"
#include "model/context.h"
#include "model/integration.h"
#include "model/subscriber.h"

enum { EXCHANGE_MS = 10000 };

struct callback {
    struct api_write w;
    struct http_call call;
    struct chat_state state;
    enum chat_provider provider;
    struct channel_link link;               /* whose, through which integration */
    yyjson_val *credentials;
    struct str redirect_uri;                /* as the consent page was told */
    struct context contexts[CONTEXTS_MAX];
    size_t contexts_n;
    /* What the provider told. */
    struct str access_token, refresh_token;
    int64_t expires_in, refresh_expires_in; /* seconds; 0: not told */
    struct str workspace_id, workspace_name;
    struct str person_id, person_email;
    struct str webhook_url, webhook_channel;    /* Slack's incoming webhook; empty: none */
};

/* --- the store ---------------------------------------------------------------------------------------------------- */

static struct str seal(struct callback *x, yyjson_mut_val *o)
{
    struct request *rq = x->w.rq;
    return crypto_seal(&app_of(rq)->box, rq->arena, json_write_mut(rq->arena, o));
}

static struct str auth_of(struct callback *x)
{
    yyjson_mut_doc *d = json_doc(x->w.rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "accessToken", x->access_token);
    if (x->refresh_token.n)
        json_add_str(d, o, "refreshToken", x->refresh_token);
    if (x->expires_in > 0)
        json_add_time(d, o, "expiresAt", x->link.updated_at + x->expires_in * 1000);
    if (x->refresh_expires_in > 0)
        json_add_time(d, o, "refreshTokenExpiresAt", x->link.updated_at + x->refresh_expires_in * 1000);
    return seal(x, o);
}

static struct str workspace_of(struct callback *x)
{
    yyjson_mut_doc *d = json_doc(x->w.rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "id", x->workspace_id);
    if (x->workspace_name.n)
        json_add_str(d, o, "name", x->workspace_name);
    return json_write_mut(x->w.rq->arena, o);
}

/* The connection that is connected again: of the name that was asked for, else of the same owner. false without an error:
 * there is none. */
static bool connection_before(struct callback *x, struct db *db, struct channel_connection *out, struct error *err)
{
    struct arena *a = x->w.rq->arena;
    struct str wanted = x->state.connection_identifier;
    struct channel_link_query q = {.subscriber_id = x->link.subscriber_id, .integration_identifier = x->link.integration_identifier,
                                   .channel = -1, .shared = !x->link.subscriber_id.n, .context = &x->link.context, .page = {.limit = 1}};
    struct error missing = {0};
    struct page page;
    if (wanted.n && channel_connection_find(db, a, x->link.environment, wanted, out, &missing)) {
        if (str_eq(out->link.integration_identifier, x->link.integration_identifier))
            return true;
        return error_http(err, 409, "Channel connection with identifier \"%.*s\" already exists", (int)(wanted.n > 64 ? 64 : wanted.n), wanted.p);
    }
    if (!channel_connection_list(db, a, x->link.environment, &q, &page, err) || !page.n)
        return false;
    *out = *(const struct channel_connection *)page.items;
    return true;
}

static struct channel_link link_new(struct callback *x, const char *prefix, struct str identifier)
{
    struct request *rq = x->w.rq;
    struct channel_link l = x->link;
    l.id = id_new(&app_of(rq)->ids, l.updated_at);
    l.identifier = identifier.n ? identifier : str_fmt(rq->arena, "%s_%.*s", prefix, STR_ARG(crypto_random_word(rq->arena, 12)));
    return l;
}

static bool connection_put(struct callback *x, struct db *db, struct str *identifier, struct error *err)
{
    struct channel_connection c;
    enum channel_conflict which;
    bool known = connection_before(x, db, &c, err);
    if (!known && err->code)
        return false;
    if (!known)
        c.link = link_new(x, "chconn", x->state.connection_identifier);
    c.link.updated_at = x->link.updated_at;
    c.workspace = workspace_of(x);
    c.auth = auth_of(x);
    *identifier = c.link.identifier;
    return known ? channel_connection_update(db, &c, err) : channel_connection_insert(db, &c, &which, err);
}

/* One endpoint a type, person, integration and context: who links again moves. */
static bool endpoint_put(struct callback *x, struct db *db, const char *type, yyjson_mut_val *target, struct str connection, struct error *err)
{
    struct channel_link_query q = {.subscriber_id = x->link.subscriber_id, .integration_identifier = x->link.integration_identifier,
                                   .channel = -1, .shared = -1, .context = &x->link.context, .page = {.limit = 100}};
    struct page page;
    if (!channel_endpoint_list(db, x->w.rq->arena, x->link.environment, &q, &page, err))
        return false;
    struct str sealed = seal(x, target);
    struct channel_endpoint *known = page.items;
    for (size_t i = 0; i < page.n; i++)
        if (str_eqz(known[i].type, type)) {
            known[i].endpoint = sealed;
            known[i].link.updated_at = x->link.updated_at;
            return channel_endpoint_update(db, &known[i], err);
        }
    struct channel_endpoint made = {.link = link_new(x, "chendp", STR_NULL), .connection_identifier = connection, .type = str_of(type),
                                    .endpoint = sealed};
    return channel_endpoint_insert(db, &made, err);
}

static bool person_put(struct callback *x, struct db *db, struct str connection, struct error *err)
{
    static const char *const types[CHAT_PROVIDERS] = {"slack_user", "ms_teams_user", "webex_person"};
    yyjson_mut_doc *d = json_doc(x->w.rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    bool by_email = x->provider == CHAT_WEBEX && !x->person_id.n;
    struct str who = by_email ? x->person_email : x->person_id;
    if (!who.n)
        return error_http(err, 400, "%s did not tell who the person is", chat_provider_title(x->provider));
    json_add_str(d, o, x->provider != CHAT_WEBEX ? "userId" : by_email ? "personEmail" : "personId", who);
    return endpoint_put(x, db, types[x->provider], o, connection, err);
}

static bool webhook_put(struct callback *x, struct db *db, struct str connection, struct error *err)
{
    yyjson_mut_doc *d = json_doc(x->w.rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "url", x->webhook_url);
    if (x->webhook_channel.n)
        json_add_str(d, o, "channel", x->webhook_channel);
    return endpoint_put(x, db, "webhook", o, connection, err);
}

/* Of /v1/subscribers: who is not known yet is made. */
static bool person_ensure(struct callback *x, struct db *db, struct error *err)
{
    struct subscriber_patch blank = {.subscriber_id = x->link.subscriber_id};
    struct error missing = {0};
    struct id made;
    if (channel_link_subscriber(db, x->w.rq->arena, &x->link, &missing))
        return true;
    if (missing.status == 404)
        return subscriber_upsert(db, x->link.environment, &blank, id_new(&app_of(x->w.rq)->ids, x->link.updated_at), x->link.updated_at, &made, err);
    *err = missing;
    return false;
}

static bool callback_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct callback *x = (struct callback *)w;
    struct request *rq = w->rq;
    struct str connection = x->state.connection_identifier.n ? x->state.connection_identifier : STR_NULL;
    struct channel_connection found;
    if (x->state.is_v1)
        return person_ensure(x, db, err) && webhook_put(x, db, connection, err);
    if (!context_ensure(db, rq->arena, x->link.environment, x->contexts, x->contexts_n, &app_of(rq)->ids, x->link.updated_at, err)
        || !channel_link_subscriber(db, rq->arena, &x->link, err))
        return false;
    if (x->state.links_user) {
        if (connection.n && !channel_connection_find(db, rq->arena, x->link.environment, connection, &found, err))
            return false;
        return person_put(x, db, connection, err);
    }
    if (!connection_put(x, db, &connection, err))
        return false;
    if (x->webhook_url.n && x->link.subscriber_id.n && !webhook_put(x, db, connection, err))
        return false;
    return !x->state.auto_link || !x->link.subscriber_id.n || !x->person_id.n || person_put(x, db, connection, err);
}

static void callback_reply(struct api_write *w)
{
    struct callback *x = (struct callback *)w;
    struct str to = json_get_str(x->credentials, "redirectUrl");
    if (to.n && (str_starts(to, STR("https://")) || str_starts(to, STR("http://"))) && str_find(to, STR("\n")) < 0
        && str_find(to, STR("\r")) < 0) {
        reply_header(w->rq, "Location", to);
        reply_empty(w->rq, 302);
        return;
    }
    reply_text(w->rq, 200, "text/html; charset=utf-8",
               str_fmt(w->rq->arena, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Connection complete</title>"
                       "<body style=\"font-family:sans-serif;text-align:center;padding-top:20vh\"><h1>You are connected</h1>"
                       "<p>%s is ready to use. This window may be closed.</p><script>window.close()</script></body></html>",
                       chat_provider_title(x->provider)));
}

/* --- the exchange --------------------------------------------------------------------------------------------------- */

static void store(struct callback *x)
{
    x->w.apply = callback_apply;
    x->w.reply = callback_reply;
    api_write(x->w.rq, &x->w);
}

/* What Slack adds to an error. */
static struct str metadata_of(struct arena *a, yyjson_val *v)
{
    yyjson_val *list = json_get(json_get(v, "response_metadata"), "messages"), *x;
    struct buf b = {.arena = a};
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((x = yyjson_arr_iter_next(&it))) {
        buf_z(&b, b.n ? ", " : ", metadata:");
        buf_str(&b, json_str(x));
    }
    return str_cut(buf_finish(&b), 200);
}

/* The body of a good answer; else the request is answered. */
static yyjson_val *answer_of(struct callback *x, const struct http_response *r, const char *what)
{
    struct request *rq = x->w.rq;
    const char *title = chat_provider_title(x->provider);
    yyjson_val *v = NULL;
    if (!r->status) {
        reply_fail(rq, 502, "%s %s failed: %.*s", title, what, (int)(r->error.n > 200 ? 200 : r->error.n), r->error.p);
        return NULL;
    }
    bool read = json_parse(rq->arena, r->body, &v, NULL) && yyjson_is_obj(v);
    struct str told = json_get_str(v, "error");
    if (!told.n)
        told = json_get_str(v, "message");
    if (r->status >= 200 && r->status < 300 && read && json_get_bool(v, "ok", true))
        return v;
    told = str_cut(told, 200);
    if (x->state.is_v1 && told.n)
        reply_fail(rq, 400, "Provider %.*s returned error %.*s%.*s", STR_ARG(x->state.provider_id), STR_ARG(told), STR_ARG(metadata_of(rq->arena, v)));
    else
        reply_fail(rq, r->status >= 500 ? 502 : 400, "%s OAuth error: %.*s", title,
                   STR_ARG(told.n ? told : STR("the answer is not understood")));
    return NULL;
}

static void call_go(struct callback *x, void (*done)(struct http_call *c, const struct http_response *r))
{
    struct error err = {0};
    x->call.arena = x->w.rq->arena;
    x->call.timeout_ms = EXCHANGE_MS;
    x->call.done = done;
    x->call.owner = x;
    if (!http_call_submit(app_of(x->w.rq)->dispatcher, &x->call, &err))
        reply_error(x->w.rq, &err);
}

static void slack_read(struct callback *x, yyjson_val *v)
{
    yyjson_val *team = json_get(v, "team"), *hook = json_get(v, "incoming_webhook");
    x->workspace_id = json_get_str(team, "id");
    x->workspace_name = json_get_str(team, "name");
    x->person_id = json_get_str(json_get(v, "authed_user"), "id");
    x->webhook_url = json_get_str(hook, "url");
    x->webhook_channel = json_get_str(hook, "channel");
}

/* The id token came straight from Microsoft over TLS in answer to our secret: its claims need no second proof
 * (OpenID Connect Core §3.1.3.7, 6). */
static void teams_read(struct callback *x, yyjson_val *v)
{
    struct arena *a = x->w.rq->arena;
    struct str token = json_get_str(v, "id_token"), claims;
    ptrdiff_t dot = str_find(token, STR("."));
    struct str rest = dot < 0 ? STR_NULL : str_sub(token, (size_t)dot + 1, token.n);
    yyjson_val *c = NULL;
    ptrdiff_t end = str_find(rest, STR("."));
    if (end > 0 && base64_decode(a, str_sub(rest, 0, (size_t)end), &claims) && json_parse(a, claims, &c, NULL))
        x->person_id = json_get_str(c, "oid");
}

static void webex_person_done(struct http_call *c, const struct http_response *r)
{
    struct callback *x = c->owner;
    yyjson_val *v = answer_of(x, r, "people/me request");
    if (!v)
        return;
    x->person_id = json_get_str(v, "id");
    x->person_email = json_str(yyjson_arr_get_first(json_get(v, "emails")));
    x->workspace_id = json_get_str(v, "orgId").n ? json_get_str(v, "orgId") : x->person_id;
    x->workspace_name = json_get_str(v, "displayName");
    if (x->workspace_id.n || x->state.links_user)
        store(x);
    else
        reply_fail(x->w.rq, 400, "Webex did not return an org ID or person ID in the OAuth response");
}

static void webex_person(struct callback *x)
{
    struct arena *a = x->w.rq->arena;
    struct http_header *h = ARENA_NEW(a, struct http_header);
    *h = (struct http_header){STR("Authorization"), str_fmt(a, "Bearer %.*s", STR_ARG(x->access_token))};
    x->call = (struct http_call){.request = {.method = STR("GET"), .url = STR("https://webexapis.com/v1/people/me"), .headers = h, .headers_n = 1}};
    call_go(x, webex_person_done);
}

static void token_done(struct http_call *c, const struct http_response *r)
{
    struct callback *x = c->owner;
    yyjson_val *v = answer_of(x, r, "OAuth token exchange");
    if (!v)
        return;
    x->access_token = json_get_str(v, "access_token");
    x->refresh_token = json_get_str(v, "refresh_token");
    x->expires_in = json_get_int(v, "expires_in", 0);
    x->refresh_expires_in = json_get_int(v, "refresh_token_expires_in", 0);
    if (x->provider == CHAT_SLACK)
        slack_read(x, v);
    if (x->provider == CHAT_TEAMS)
        teams_read(x, v);
    if (x->state.is_v1 && !x->webhook_url.n)
        reply_fail(x->w.rq, 400, "Provider %.*s did not return a webhook url", STR_ARG(x->state.provider_id));
    else if (!x->access_token.n && !x->state.is_v1 && !(x->provider == CHAT_SLACK && x->state.links_user))
        reply_fail(x->w.rq, 400, "%s OAuth response did not include an access token", chat_provider_title(x->provider));
    else if (x->provider == CHAT_WEBEX)
        webex_person(x);
    else
        store(x);
}

static void token_fetch(struct callback *x, struct str code)
{
    static const char *const urls[CHAT_PROVIDERS] = {"https://slack.com/api/oauth.v2.access",
                                                     "https://login.microsoftonline.com/organizations/oauth2/v2.0/token",
                                                     "https://webexapis.com/v1/access_token"};
    struct request *rq = x->w.rq;
    struct http_header *h = ARENA_NEW(rq->arena, struct http_header);
    struct buf b = {.arena = rq->arena};
    *h = (struct http_header){STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    if (x->provider != CHAT_SLACK)
        form_add(&b, "grant_type", STR("authorization_code"));
    form_add(&b, "code", code);
    form_add(&b, "client_id", json_get_str(x->credentials, "clientId"));
    form_add(&b, "client_secret", json_get_str(x->credentials, "secretKey"));
    form_add(&b, "redirect_uri", x->redirect_uri);
    if (x->provider == CHAT_TEAMS)
        form_add(&b, "scope", STR("openid profile User.Read"));
    x->call = (struct http_call){.request = {.url = str_of(urls[x->provider]), .headers = h, .headers_n = 1, .body = buf_finish(&b)}};
    call_go(x, token_done);
}

/* --- the request ------------------------------------------------------------------------------------------------------ */

static bool state_is_good(struct request *rq, struct callback *x, struct str text, bool v1)
{
    struct str *secrets;
    size_t n;
    struct error err = {0};
    if (!chat_state_read(rq->arena, text, &x->state) || !chat_provider_parse(x->state.provider_id, &x->provider) || x->state.is_v1 != v1) {
        reply_fail(rq, 400, "Invalid OAuth state parameter");
        return false;
    }
    if (directory_secrets(app_db(rq), &app_of(rq)->box, rq->arena, x->state.environment, &secrets, &n, &err))
        for (size_t i = 0; i < n; i++)
            if (chat_state_verify(rq->arena, text, secrets[i], app_now(rq)))
                return true;
    if (v1)
        reply_fail(rq, 400, "Invalid or expired OAuth state parameter");
    else
        reply_fail(rq, 400, "Invalid or expired %s OAuth state parameter", chat_provider_title(x->provider));
    return false;
}

static bool callback_settle(struct request *rq, struct callback *x, struct error *err)
{
    struct integration i;
    struct str message;
    x->link = (struct channel_link){.environment = x->state.environment, .integration_identifier = x->state.integration_identifier,
                                    .subscriber_id = x->state.is_shared && !x->state.links_user ? STR("") : x->state.subscriber_id,
                                    .created_at = app_now(rq), .updated_at = app_now(rq)};
    if (!channel_link_integration(app_db(rq), rq->arena, &x->link, &i, err))
        return false;
    if (!str_eq(i.provider_id, x->state.provider_id) || context_read(rq->arena, x->state.context, x->contexts, &x->contexts_n, &message, 1))
        return error_http(err, 400, "Invalid OAuth state parameter");
    x->link.context = context_keys(rq->arena, x->contexts, x->contexts_n);
    return chat_credentials(rq, &i, x->provider, x->provider != CHAT_TEAMS || x->state.links_user, &x->credentials, err);
}

/* Teams: an administrator allowed the app in their tenant; there is no code, the app's own credentials reach it. */
static void consent_take(struct request *rq, struct callback *x)
{
    struct str tenant = request_query(rq, "tenant");
    if (!str_eq_nocase(request_query(rq, "admin_consent"), STR("true"))) {
        reply_fail(rq, 400, "MS Teams admin consent was not granted");
    } else if (!tenant.n) {
        reply_fail(rq, 400, "Missing required OAuth parameter: tenant");
    } else {
        x->access_token = STR("app-only");
        x->workspace_id = tenant;
        store(x);
    }
}

void handle_chat_callback(struct request *rq)
{
    struct callback *x = ARENA_NEW(rq->arena, struct callback);
    struct str state = request_query(rq, "state"), code = request_query(rq, "code"), refused = str_cut(request_query(rq, "error"), 200);
    struct error err = {0};
    x->w.rq = rq;
    if (!state.n) {
        reply_fail(rq, 400, "Missing required OAuth parameter: state");
        return;
    }
    if (!state_is_good(rq, x, state, false))
        return;
    x->redirect_uri = chat_redirect_uri(rq);
    if (refused.n)
        reply_fail(rq, 400, "%s OAuth error: %.*s", chat_provider_title(x->provider), STR_ARG(refused));
    else if (!callback_settle(rq, x, &err))
        reply_error(rq, &err);
    else if (x->provider == CHAT_TEAMS && !x->state.links_user)
        consent_take(rq, x);
    else if (!code.n)
        reply_fail(rq, 400, "Missing required OAuth parameter: code");
    else
        token_fetch(x, code);
}

/* The address must say what was signed: a state is of one subscriber, provider and integration. */
static bool address_is_signed(struct request *rq, const struct callback *x)
{
    struct str named = request_query(rq, "integrationIdentifier");
    struct id environment;
    return id_parse(request_query(rq, "environmentId"), &environment) && id_eq(environment, x->state.environment)
        && str_eq(request_param(rq, "subscriberId"), x->state.subscriber_id) && str_eq(request_param(rq, "providerId"), x->state.provider_id)
        && (!named.n || str_eq(named, x->state.integration_identifier));
}

void handle_chat_v1_callback(struct request *rq)
{
    struct callback *x = ARENA_NEW(rq->arena, struct callback);
    struct checks c = checks_begin(rq);
    struct str state = request_query(rq, "state"), code = request_query(rq, "code"), refused = str_cut(request_query(rq, "error"), 200);
    struct error err = {0};
    x->w.rq = rq;
    if (!state.n)
        check_fail(&c, "state should not be empty");
    if (!code.n && !refused.n)
        check_fail(&c, "code should not be empty");
    if (!checks_done(&c) || !state_is_good(rq, x, state, true))
        return;
    if (!address_is_signed(rq, x))
        reply_fail(rq, 400, "Invalid or expired OAuth state parameter");
    else if (refused.n)
        reply_fail(rq, 400, "Provider %.*s returned error %.*s", STR_ARG(x->state.provider_id), STR_ARG(refused));
    else if (!callback_settle(rq, x, &err))
        reply_error(rq, &err);
    else {
        x->redirect_uri = chat_v1_redirect_uri(rq, x->state.environment, x->state.subscriber_id, request_query(rq, "integrationIdentifier"));
        token_fetch(x, code);
    }
}
