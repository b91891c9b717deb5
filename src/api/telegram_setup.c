/* Links by which a Telegram bot's token is entered on a phone, where BotFather told it (rest-api.md §6.14).
 *
 * The link's token is the only authorisation of its page: it is good once, for five minutes from the last look at the page, and
 * for thirty in all. It is used up in the commit that stores the bot's token, so whatever fails before leaves it good.
 */
#include "api/channel_links.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "api/telegram.h"
#include "model/bot_setup.h"
#include "model/organization.h"

enum { TOKEN_CHARS = 32, BOT_ID_LEAST = 8, BOT_SECRET_LEAST = 35, BOT_TOKEN_MAX = 256, BODY_MAX = 4096 };

struct setup {
    struct api_write w;
    struct bot_setup link;
    struct integration integration;
    struct str token, bot_token;
    struct str username, webhook_url, start_url;    /* start_url: p NULL if nobody is to be linked */
};

static struct str hash_of(struct request *rq, struct str token)
{
    return crypto_sha256_hex(rq->arena, token);
}

/* --- issuing ------------------------------------------------------------------------------------------------------------- */

static bool issue_apply(struct api_write *w, struct db *db, struct error *err)
{
    return bot_setup_insert(db, &((struct setup *)w)->link, app_now(w->rq), err);
}

static void issue_reply(struct api_write *w)
{
    struct setup *x = (struct setup *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "token", x->token);
    json_add_str(d, o, "url", str_fmt(rq->arena, "%.*s/telegram/connect/%.*s", STR_ARG(app_of(rq)->public_url), STR_ARG(x->token)));
    json_add_time(d, o, "expiresAt", x->link.expires_at);
    reply_json(rq, 0, o);
}

void telegram_setup_issue(struct request *rq, const struct integration *i, struct str subscriber_id)
{
    struct setup *x = ARENA_NEW(rq->arena, struct setup);
    x->token = crypto_random_word(rq->arena, TOKEN_CHARS);
    x->link = (struct bot_setup){.hash = hash_of(rq, x->token), .environment = i->environment, .integration = i->id,
                                 .subscriber_id = subscriber_id, .made_at = app_now(rq), .expires_at = app_now(rq) + BOT_SETUP_MS};
    x->w = (struct api_write){.apply = issue_apply, .reply = issue_reply};
    api_write(rq, &x->w);
}

/* --- what became of a link ------------------------------------------------------------------------------------------------- */

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n == TOKEN_CHARS;
}

/* NULL: it is good, and x has the link and its integration; else "invalid", "expired" or "used". false: err. */
static bool link_find(struct setup *x, struct db *db, struct str token, const char **why, struct error *err)
{
    struct request *rq = x->w.rq;
    struct error missing = {0};
    *why = "invalid";
    if (!is_token(token))
        return true;
    if (!bot_setup_find(db, rq->arena, hash_of(rq, token), app_now(rq), &x->link, &missing)) {
        *why = "expired";
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    }
    if (x->link.used) {
        *why = "used";
        return true;
    }
    if (!integration_find(db, rq->arena, x->link.environment, x->link.integration, &x->integration, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    *why = NULL;
    return true;
}

static void reply_status(struct setup *x, const char *why)
{
    struct request *rq = x->w.rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "valid", !why);
    if (why) {
        json_add_str(d, o, "reason", str_of(why));
    } else {
        json_add_str(d, o, "agentName", x->integration.name);
        json_add_str(d, o, "providerName", STR("telegram"));
    }
    reply_json(rq, 0, o);
}

static bool extend_apply(struct api_write *w, struct db *db, struct error *err)
{
    return bot_setup_extend(db, &((struct setup *)w)->link, app_now(w->rq), err);
}

static void extend_reply(struct api_write *w)
{
    reply_status((struct setup *)w, NULL);
}

static struct setup *setup_new(struct request *rq)
{
    struct setup *x = ARENA_NEW(rq->arena, struct setup);
    x->w.rq = rq;
    return x;
}

/* GET /v1/integrations/mobile-configure/status?token=&extend=1 */
static void handle_status(struct request *rq)
{
    struct setup *x = setup_new(rq);
    struct str token = request_query(rq, "token"), extend = request_query(rq, "extend");
    struct error err = {0};
    const char *why;
    if (!link_find(x, app_db(rq), token, &why, &err)) {
        reply_error(rq, &err);
    } else if (!why && (str_eqz(extend, "1") || str_eqz(extend, "true"))) {
        x->w = (struct api_write){.rq = rq, .apply = extend_apply, .reply = extend_reply};
        api_write(rq, &x->w);
    } else {
        reply_status(x, why);
    }
}

/* --- the token comes --------------------------------------------------------------------------------------------------------- */

static bool refuse(struct error *err, const char *why)
{
    if (!strcmp(why, "used"))
        error_http(err, 409, "This setup link has already been used. Generate a new one.");
    else if (!strcmp(why, "expired"))
        error_http(err, 401, "This setup link has expired. Generate a new one.");
    else
        error_http(err, 401, "This setup link is invalid.");
    err->details = !strcmp(why, "used") ? STR("{\"code\":\"token_already_used\"}")
                 : !strcmp(why, "expired") ? STR("{\"code\":\"token_expired\"}") : STR("{\"code\":\"token_invalid\"}");
    return false;
}

/* Digits, a colon, and a secret, as BotFather writes them. */
static bool is_bot_token(struct str s)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    if (digits < BOT_ID_LEAST || s.n > BOT_TOKEN_MAX || s.n < digits + 1 + BOT_SECRET_LEAST || s.p[digits] != ':')
        return false;
    for (size_t i = digits + 1; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' || s.p[i] == '-'))
            return false;
    return true;
}

/* Who is gone by now gets no link; the bot is set up all the same. */
static bool start_link_make(struct setup *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct channel_link person = {.environment = x->link.environment, .subscriber_id = x->link.subscriber_id};
    struct chat_link_code code;
    struct error missing = {0};
    x->start_url = STR_NULL;
    if (!x->link.subscriber_id.n)
        return true;
    if (!channel_link_subscriber(db, rq->arena, &person, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    x->start_url = telegram_code_new(rq, &x->integration, x->link.subscriber_id, x->username, &code);
    return chat_link_code_insert(db, &code, app_now(rq), err);
}

static bool consume_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct setup *x = (struct setup *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *given = NULL;
    const char *why;
    /* Nobody is signed in here: the organization is the integration's, as the request found it. */
    if (!organization_hold(db, x->integration.organization, err) || !link_find(x, db, x->token, &why, err))
        return false;
    if (why)
        return refuse(err, why);
    json_add_str(d, o, "apiToken", x->bot_token);
    int64_t stored = x->integration.updated_at;
    x->integration.updated_at = app_now(rq);
    write_later(stored, &x->integration.updated_at);
    return json_parse(rq->arena, json_write_mut(rq->arena, o), &given, err) && integration_secrets_merge(rq, &x->integration, given, err)
        && bot_setup_use(db, x->link.hash, app_now(rq), err) && integration_update(db, &x->integration, err) && start_link_make(x, db, err);
}

static void consume_reply(struct api_write *w)
{
    struct setup *x = (struct setup *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", true);
    json_add_str(d, o, "botUsername", x->username);
    json_add_str(d, o, "webhookUrl", x->webhook_url);
    json_add_id(d, o, "integrationId", x->integration.id);
    json_add_str(d, o, "integrationIdentifier", x->integration.identifier);
    if (x->start_url.n)
        json_add_str(d, o, "deepLinkUrl", x->start_url);
    reply_json(w->rq, 0, o);
}

static void consume_attached(void *arg, struct str username, struct str webhook_url)
{
    struct setup *x = arg;
    struct request *rq = x->w.rq;
    x->username = username;
    x->webhook_url = webhook_url;
    x->w = (struct api_write){.rq = rq, .flags = WRITE_DIRECTORY, .apply = consume_apply, .reply = consume_reply};
    api_write(rq, &x->w);
}

/* POST /v1/integrations/mobile-configure {token, botToken} */
static void handle_consume(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct setup *x = setup_new(rq);
    struct error err = {0};
    const char *why;
    x->token = check_string(&c, rq->json, "token", true);
    x->bot_token = check_string(&c, rq->json, "botToken", true);
    if (!c.n && !is_bot_token(x->bot_token))
        check_fail(&c, "botToken must match the Telegram bot token format");
    if (!checks_done(&c))
        return;
    if (!link_find(x, app_db(rq), x->token, &why, &err) || (why && !refuse(&err, why)))
        reply_error(rq, &err);
    else
        telegram_attach(rq, &x->integration, x->bot_token, consume_attached, x);
}

/* --- the page ------------------------------------------------------------------------------------------------------------------ */

/* The same for every link: its script takes the token from the address. */
static const char page[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<title>Connect a Telegram bot</title>"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem;color:#1c2430}"
    "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.6rem;margin:.4rem 0;border-radius:.5rem;border:1px solid #9aa4b2}"
    "button{background:#1c2430;color:#fff}[role=status]{min-height:1.5em}</style>"
    "<h1>Connect a Telegram bot</h1><p>Open <a href=\"https://t.me/BotFather\">BotFather</a>, send <code>/newbot</code>, and enter "
    "the token that it answers with.</p>"
    "<form><label>Bot token<input name=\"botToken\" autocomplete=\"off\" required></label><button>Connect</button></form>"
    "<p role=\"status\"></p>"
    "<script>(()=>{const token=location.pathname.split('/').pop(),form=document.querySelector('form'),say=document.querySelector('[role=status]'),"
    "base='/v1/integrations/mobile-configure';"
    "const why={expired:'This link has expired. Please ask for a new one.',used:'This link was used already.',invalid:'This link is not valid.'};"
    "async function look(){const r=await fetch(base+'/status?extend=1&token='+encodeURIComponent(token)).then(r=>r.json()).catch(()=>null);"
    "if(r&&r.data&&!r.data.valid){form.hidden=true;say.textContent=why[r.data.reason]}}"
    "look();const timer=setInterval(look,60000);"
    "form.addEventListener('submit',async e=>{e.preventDefault();const button=form.querySelector('button');button.disabled=true;say.textContent='';"
    "try{const r=await fetch(base,{method:'POST',headers:{'Content-Type':'application/json'},"
    "body:JSON.stringify({token,botToken:form.botToken.value.trim()})});const b=await r.json();"
    "if(!r.ok){const m=b.errors&&b.errors.general&&b.errors.general.messages;say.textContent=(m&&m[0])||b.message;return}"
    "clearInterval(timer);form.hidden=true;say.textContent='@'+b.data.botUsername+' is connected. ';"
    "if(b.data.deepLinkUrl){const a=document.createElement('a');a.href=b.data.deepLinkUrl;a.textContent='Open the chat';say.append(a)}"
    "}catch{say.textContent='The server could not be reached.'}finally{button.disabled=false}})})()</script></html>";

static void handle_page(struct request *rq)
{
    reply_header(rq, "Content-Security-Policy", STR("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                                    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
    reply_header(rq, "Referrer-Policy", STR("no-referrer"));
    reply_header(rq, "Cache-Control", STR("no-store"));
    reply_text(rq, 200, "text/html; charset=utf-8", (struct str){page, sizeof page - 1});
}

#define CONFIGURE(path, suffix)                                                                                                          \
    {HTTP_GET, path "/status", "integrationsMobileConfigureStatus" suffix, "Integrations", "Is a phone's setup link still good?", AUTH_PUBLIC, \
     NULL, RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, 0, 0, handle_status},                                                              \
    {HTTP_POST, path, "integrationsMobileConfigure" suffix, "Integrations", "Set up a Telegram bot by a phone's link", AUTH_PUBLIC, NULL, \
     RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, BODY_MAX, ROUTE_NOT_IDEMPOTENT, handle_consume}

/* The second path is what the first was called before. */
const struct route telegram_setup_routes[] = {
    CONFIGURE("/v1/integrations/mobile-configure", ""),
    CONFIGURE("/v1/integrations/telegram/mobile-configure", "Telegram"),
    {HTTP_GET, "/telegram/connect/{token}", "telegramConnectPage", "Integrations", "The page of a phone's setup link", AUTH_PUBLIC, NULL,
     RATE_NONE, 0, 200, ENVELOPE_NONE, 0, 0, handle_page},
};
const size_t telegram_setup_routes_n = sizeof telegram_setup_routes / sizeof *telegram_setup_routes;
