/* Links people with Telegram chats.
 *
 * A link t.me/<bot>?start=<code> opens the bot on the person's phone; Telegram then posts "/start <code>" to the bot's webhook,
 * with the id of the chat. The webhook is known by a secret that only we and Telegram have, made from the bot's token.
 */
#include "api/telegram.h"

#include "api/channel_links.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "delivery/http_attempt.h"

enum { CODE_CHARS = 32, SECRET_CHARS = 64, TIMEOUT_MS = 10000, UPDATE_MAX = 1 << 20 };

struct bot {
    struct api_write w;
    struct request *rq;
    struct integration integration;
    struct str token, username, webhook_url;
    struct chat_link_code code;
    const struct context_member *context;
    struct str url;                     /* with the code */
    struct http_call call;
    void (*next)(struct bot *b, yyjson_val *result);
    void (*attached)(void *arg, struct str username, struct str webhook_url);
    void *arg;
};

/* --- asking Telegram --------------------------------------------------------------------------------------------------- */

static bool token_of(struct request *rq, const struct integration *i, struct str *out)
{
    yyjson_val *credentials = NULL;
    struct error err = {0};
    *out = integration_secrets_open(rq, i, &credentials, &err) ? json_get_str(credentials, "apiToken") : STR_NULL;
    return out->n > 0;
}

static void come(void *arg)
{
    struct bot *b = arg;
    yyjson_val *v = NULL;
    const struct http_response *r = &b->call.response;
    if (r->status && json_parse(b->rq->arena, r->body, &v, NULL) && json_get_bool(v, "ok", false)) {
        b->next(b, json_get(v, "result"));
        return;
    }
    struct str why = json_get_str(v, "description");
    if (!r->status)
        reply_fail(b->rq, 502, "Telegram could not be reached");        /* the network's words could show the token */
    else
        reply_fail(b->rq, 400, "Telegram refused: %.*s", STR_ARG(str_cut(why.n ? why : STR("no reason given"), 200)));
}

static void come_from_far(struct http_call *c, const struct http_response *r)
{
    struct bot *b = c->owner;
    (void)r;
    request_continue(b->rq, come, b);
}

static void ask(struct bot *b, const char *method, struct str body, void (*next)(struct bot *b, yyjson_val *result))
{
    static const struct http_header json[] = {{STR("Content-Type"), STR("application/json")}};
    struct error err = {0};
    b->next = next;
    b->call = (struct http_call){.arena = b->rq->arena, .timeout_ms = TIMEOUT_MS, .done = come_from_far, .owner = b,
                                 .request = {.method = STR("POST"), .body = body, .headers = json, .headers_n = 1,
                                             .url = str_fmt(b->rq->arena, "https://api.telegram.org/bot%.*s/%s", STR_ARG(b->token), method)}};
    if (!http_call_submit(app_of(b->rq)->dispatcher, &b->call, &err))
        reply_error(b->rq, &err);
}

static bool token_is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || strchr(":_-", s.p[i])))
            return false;
    return true;
}

static struct bot *bot_with(struct request *rq, const struct integration *i, struct str token)
{
    struct bot *b = ARENA_NEW(rq->arena, struct bot);
    b->rq = rq;
    b->integration = *i;
    b->token = token;
    return b;
}

/* NULL: the request was answered. */
static struct bot *bot_new(struct request *rq, const struct integration *i)
{
    struct str token;
    if (token_of(rq, i, &token) && token_is_plain(token))
        return bot_with(rq, i, token);
    reply_fail(rq, 400, "Telegram integration is missing its bot token (apiToken)");
    return NULL;
}

static bool username_read(struct bot *b, yyjson_val *result)
{
    b->username = json_get_str(result, "username");
    if (b->username.n && b->username.n <= 64 && token_is_plain(b->username))
        return true;
    reply_fail(b->rq, 502, "Telegram did not tell the bot's name");
    return false;
}

/* --- the link ------------------------------------------------------------------------------------------------------------- */

static bool link_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct bot *b = (struct bot *)w;
    return (!b->context || context_member_ensure(b->rq, db, b->context, err)) && chat_link_code_insert(db, &b->code, app_now(b->rq), err);
}

static void link_reply(struct api_write *w)
{
    struct bot *b = (struct bot *)w;
    struct arena *a = b->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d), *more;
    json_add_str(d, o, "url", b->url);
    more = json_add_obj(d, o, "providerMetadata");
    json_add_str(d, more, "botUsername", b->username);
    json_add_time(d, more, "expiresAt", b->code.expires_at);
    reply_json(b->rq, 0, o);
}

struct str telegram_code_new(struct request *rq, const struct integration *i, struct str subscriber_id, struct str username,
                             struct chat_link_code *out)
{
    struct str plain = crypto_random_word(rq->arena, CODE_CHARS);
    *out = (struct chat_link_code){.hash = crypto_sha256_hex(rq->arena, plain), .environment = i->environment, .integration = i->id,
                                   .subscriber_id = subscriber_id, .expires_at = app_now(rq) + CHAT_LINK_CODE_MS};
    return str_fmt(rq->arena, "https://t.me/%.*s?start=%.*s", STR_ARG(username), STR_ARG(plain));
}

static void link_named(struct bot *b, yyjson_val *result)
{
    struct str context = b->code.context;
    if (!username_read(b, result))
        return;
    b->url = telegram_code_new(b->rq, &b->integration, b->code.subscriber_id, b->username, &b->code);
    b->code.context = context;
    b->w = (struct api_write){.apply = link_apply, .reply = link_reply};
    api_write(b->rq, &b->w);
}

void telegram_link(struct request *rq, const struct integration *i, struct str subscriber_id, struct str context,
                   const struct context_member *made)
{
    struct bot *b = bot_new(rq, i);
    if (!b)
        return;
    b->code = (struct chat_link_code){.subscriber_id = subscriber_id, .context = context};
    b->context = made;
    ask(b, "getMe", STR("{}"), link_named);
}

/* --- the bot's webhook --------------------------------------------------------------------------------------------------------- */

/* What Telegram says with each of its calls. Of the characters that it allows. */
static struct str secret_of(struct arena *a, struct str token)
{
    return str_sub(crypto_hmac_sha256_hex(a, token, STR("carillon telegram webhook")), 0, SECRET_CHARS);
}

static void configure_reply(void *arg, struct str username, struct str webhook_url)
{
    struct request *rq = arg;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "webhookUrl", webhook_url);
    json_add_time(d, o, "configuredAt", app_now(rq));
    json_add_str(d, o, "botUsername", username);
    reply_json(rq, 0, o);
}

static void attach_done(struct bot *b, yyjson_val *result)
{
    (void)result;
    b->attached(b->arg, b->username, b->webhook_url);
}

static void attach_named(struct bot *b, yyjson_val *result)
{
    struct arena *a = b->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!username_read(b, result))
        return;
    b->username = str_dup(a, b->username);
    b->webhook_url = str_fmt(a, "%.*s/v2/inbound-webhooks/telegram/%.*s/%.*s", STR_ARG(app_of(b->rq)->public_url),
                             STR_ARG(id_str(a, b->integration.environment)), STR_ARG(id_str(a, b->integration.id)));
    json_add_str(d, o, "url", b->webhook_url);
    json_add_str(d, o, "secret_token", secret_of(a, b->token));
    yyjson_mut_arr_add_str(d, json_add_arr(d, o, "allowed_updates"), "message");
    ask(b, "setWebhook", json_write_mut(a, o), attach_done);
}

static void attach(struct bot *b, void (*next)(void *arg, struct str username, struct str webhook_url), void *arg)
{
    b->attached = next;
    b->arg = arg;
    ask(b, "getMe", STR("{}"), attach_named);
}

void telegram_attach(struct request *rq, const struct integration *i, struct str token,
                     void (*next)(void *arg, struct str username, struct str webhook_url), void *arg)
{
    attach(bot_with(rq, i, token), next, arg);
}

void telegram_configure(struct request *rq, const struct integration *i)
{
    struct bot *b = bot_new(rq, i);
    if (b)
        attach(b, configure_reply, rq);
}

/* --- what the bot hears -------------------------------------------------------------------------------------------------------- */

struct update {
    struct api_write w;
    struct integration integration;
    struct str hash, chat_id;
    bool linked;
};

/* One chat a person, integration and context: who links again moves. */
static bool endpoint_put(struct update *u, struct db *db, const struct chat_link_code *c, struct error *err)
{
    struct request *rq = u->w.rq;
    struct arena *a = rq->arena;
    struct channel_link_query q = {.subscriber_id = c->subscriber_id, .integration_identifier = u->integration.identifier, .channel = -1,
                                   .shared = -1, .context = &c->context, .page = {.limit = 100}};
    struct str plain = str_fmt(a, "{\"chatId\":\"%.*s\"}", STR_ARG(u->chat_id)), sealed = crypto_seal(&app_of(rq)->box, a, plain);
    struct page page;
    if (!channel_endpoint_list(db, a, u->integration.environment, &q, &page, err))
        return false;
    struct channel_endpoint *known = page.items;
    for (size_t i = 0; i < page.n; i++)
        if (str_eqz(known[i].type, "telegram_chat")) {
            known[i].endpoint = sealed;
            known[i].link.updated_at = app_now(rq);
            return channel_endpoint_update(db, &known[i], err);
        }
    struct channel_endpoint e = {.type = STR("telegram_chat"), .endpoint = sealed};
    e.link = (struct channel_link){.id = app_id(rq), .environment = u->integration.environment, .subscriber_id = c->subscriber_id,
                                   .identifier = str_fmt(a, "chendp_%.*s", STR_ARG(crypto_random_word(a, 12))),
                                   .integration_identifier = u->integration.identifier, .provider_id = u->integration.provider_id,
                                   .channel = u->integration.channel, .context = c->context, .created_at = app_now(rq), .updated_at = app_now(rq)};
    return channel_link_subscriber(db, a, &e.link, err) && channel_endpoint_insert(db, &e, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct update *u = (struct update *)w;
    struct chat_link_code c;
    struct error missing = {0};
    u->linked = chat_link_code_take(db, w->rq->arena, u->integration.environment, u->integration.id, u->hash, app_now(w->rq), &c, &missing);
    if (!u->linked)
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (endpoint_put(u, db, &c, &missing))
        return true;
    u->linked = false;                  /* the person is gone */
    return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

/* Telegram takes an answer as a call of its own. */
static void update_reply(struct api_write *w)
{
    struct update *u = (struct update *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "method", STR("sendMessage"));
    json_add_str(d, o, "chat_id", u->chat_id);
    json_add_str(d, o, "text", u->linked ? STR("You are connected: notifications will reach you here.")
                                         : STR("This link has expired. Please open a new one."));
    reply_json(w->rq, 0, o);
}

static bool integration_load(struct request *rq, struct integration *out)
{
    struct id environment, id;
    struct error err = {0};
    struct str token, said = request_header(rq, "x-telegram-bot-api-secret-token");
    if (!id_parse(request_param(rq, "environmentId"), &environment) || !id_parse(request_param(rq, "integrationId"), &id)
        || !integration_find(app_db(rq), rq->arena, environment, id, out, &err) || !str_eqz(out->provider_id, "telegram"))
        reply_fail(rq, 404, "Integration was not found");
    else if (!token_of(rq, out, &token) || !crypto_equal(said, secret_of(rq->arena, token)))
        reply_fail(rq, 401, "The secret of the webhook is not valid");
    else
        return true;
    return false;
}

/* "/start <code>" in a chat with one person; all else is heard without a word. */
static void handle_update(struct request *rq)
{
    struct update *u = ARENA_NEW(rq->arena, struct update);
    yyjson_val *message = json_get(rq->json, "message"), *chat = json_get(message, "chat"), *id = json_get(chat, "id");
    struct str text = str_trim(json_get_str(message, "text"));
    if (!integration_load(rq, &u->integration))
        return;
    if (!str_starts(text, STR("/start ")) || !yyjson_is_int(id) || !str_eqz(json_get_str(chat, "type"), "private")) {
        reply_json(rq, 0, yyjson_mut_obj(json_doc(rq->arena)));
        return;
    }
    u->chat_id = json_write(rq->arena, id);
    u->hash = crypto_sha256_hex(rq->arena, str_trim(str_sub(text, 7, text.n)));
    u->w = (struct api_write){.apply = update_apply, .reply = update_reply};
    api_write(rq, &u->w);
}

const struct route telegram_routes[] = {
    {HTTP_POST, "/v2/inbound-webhooks/telegram/{environmentId}/{integrationId}", "telegramUpdate", "Integrations",
     "What a Telegram bot hears", AUTH_PUBLIC, NULL, RATE_GLOBAL, 1, 200, ENVELOPE_NONE, UPDATE_MAX, ROUTE_NOT_IDEMPOTENT, handle_update},
};
const size_t telegram_routes_n = sizeof telegram_routes / sizeof *telegram_routes;
