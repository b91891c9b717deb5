/* POST /v1/integrations/{integrationId}/auto-configure: tells a provider over its own API where to report about messages
 * (rest-api.md §6.14, providers.md §8). What to ask it is declared under "hook" in its file of providers/.
 *
 * A provider that cannot, or that refuses, is no error of the request: 200, success false, and why.
 */
#include "api/integration_conditions.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "delivery/status_event.h"

enum { HOOK_TIMEOUT_MS = 15000 };

struct hook {
    struct api_write w;
    struct integration row;
    struct delivery delivery;
    struct str key, error;              /* one of them, of the provider's answer */
};

static struct str hook_url(struct request *rq, const struct integration *i)
{
    return str_fmt(rq->arena, "%.*s/v2/inbound-webhooks/delivery-providers/%.*s/%.*s", STR_ARG(app_of(rq)->public_url),
                   STR_ARG(id_str(rq->arena, i->environment)), STR_ARG(id_str(rq->arena, i->id)));
}

static void reply_failure(struct request *rq, struct str why)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", false);
    json_add_str(d, o, "message", why);
    reply_json(rq, 0, o);
}

/* --- once the provider has taken it ---------------------------------------------------------------------------------- */

/* A key that people had entered before goes: it is no longer the one that reports are signed with. */
static struct str configurations_opened(struct request *rq, const struct integration *i)
{
    yyjson_val *old = NULL;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = NULL;
    if (i->configurations.n && json_parse(rq->arena, i->configurations, &old, NULL))
        o = yyjson_val_mut_copy(d, old);
    o = yyjson_mut_is_obj(o) ? o : yyjson_mut_obj(d);
    yyjson_mut_obj_remove_key(o, INBOUND_SIGNING_KEY);
    yyjson_mut_obj_remove_key(o, "inboundWebhookEnabled");
    json_add_bool(d, o, "inboundWebhookEnabled", true);
    return json_write_mut(rq->arena, o);
}

/* The integration is read again: it may have been changed while the provider was asked. */
static bool hook_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct hook *x = (struct hook *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *secret = NULL;
    json_add_str(d, o, INBOUND_SIGNING_KEY, x->key);
    if (!integration_find(db, rq->arena, x->row.environment, x->row.id, &x->row, err) || !json_parse(rq->arena, json_write_mut(rq->arena, o), &secret, err)
        || !integration_secrets_merge(rq, &x->row, secret, err))
        return false;
    x->row.configurations = configurations_opened(rq, &x->row);
    int64_t stored = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    write_later(stored, &x->row.updated_at);
    return integration_update(db, &x->row, err);
}

static void hook_reply(struct api_write *w)
{
    struct hook *x = (struct hook *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *wire = integration_json(d, &x->row);
    integration_conditions_close(w->rq, d, &x->row, wire);
    json_add_bool(d, o, "success", true);
    json_add_str(d, o, "message", STR("Integration auto-configured successfully"));
    yyjson_mut_obj_add_val(d, o, "integration", wire);
    reply_json(w->rq, 0, o);
}

/* --- asking ---------------------------------------------------------------------------------------------------------------- */

static void hook_continue(void *arg)
{
    struct hook *x = arg;
    if (x->key.n)
        api_write(x->w.rq, &x->w);
    else
        reply_failure(x->w.rq, str_fmt(x->w.rq->arena, "Auto-configuration failed: %.*s", STR_ARG(str_cut(x->error, 400))));
}

/* On the dispatcher's thread. */
static void hook_done(struct delivery *d, const struct delivery_result *r)
{
    struct hook *x = d->owner;
    x->key = str_dup(x->w.rq->arena, r->outcome == DELIVERY_SENT ? r->hook_key : STR(""));
    x->error = str_dup(x->w.rq->arena, r->error);
    request_continue(x->w.rq, hook_continue, x);
}

/* What people are to do instead. */
static struct str by_hand(struct request *rq, const struct integration *i, struct str declared)
{
    struct str place = STR("{{hook.url}}"), url = hook_url(rq, i);
    ptrdiff_t at = declared.n ? str_find(declared, place) : -1;
    if (at >= 0)
        return str_fmt(rq->arena, "%.*s%.*s%.*s", (int)at, declared.p, STR_ARG(url), STR_ARG(str_sub(declared, (size_t)at + place.n, declared.n)));
    if (declared.n)
        return declared;
    if (!status_event_known(i->provider_id))
        return str_fmt(rq->arena, "Auto-configuration is not supported for provider \"%.*s\": its reports are not read.", STR_ARG(i->provider_id));
    return str_fmt(rq->arena, "Auto-configuration is not supported for provider \"%.*s\". Enter the webhook URL %.*s at the provider by hand, "
                   "and set inboundWebhookEnabled in the integration's configurations.", STR_ARG(i->provider_id), STR_ARG(url));
}

static void hook_ask(struct hook *x)
{
    struct request *rq = x->w.rq;
    struct integration *i = &x->row;
    struct error err = {0};
    yyjson_val *credentials = NULL, *configurations = NULL;
    if (!integration_secrets_open(rq, i, &credentials, &err)) {
        reply_error(rq, &err);
        return;
    }
    json_parse(rq->arena, i->configurations.n ? i->configurations : STR("{}"), &configurations, NULL);
    x->delivery = (struct delivery){.arena = rq->arena, .provider_id = i->provider_id, .channel = channel_name(i->channel),
                                    .credentials = credentials, .configurations = configurations, .outbound = &app_of(rq)->outbound,
                                    .purpose = DELIVERY_HOOK, .hook_url = hook_url(rq, i), .timeout_ms = HOOK_TIMEOUT_MS,
                                    .done = hook_done, .owner = x};
    if (!dispatcher_submit(app_of(rq)->dispatcher, &x->delivery, &err))
        reply_error(rq, &err);
}

static void handle_auto_configure(struct request *rq)
{
    struct hook *x = ARENA_NEW(rq->arena, struct hook);
    struct str key = request_param(rq, "integrationId"), declared;
    struct id id;
    struct error err = {0};
    x->w = (struct api_write){.rq = rq, .flags = WRITE_DIRECTORY, .apply = hook_apply, .reply = hook_reply};
    if (!id_parse(key, &id))
        error_http(&err, 404, "Entity with id %.*s not found", (int)(key.n > 64 ? 64 : key.n), key.p);
    else if (integration_find(app_db(rq), rq->arena, rq->principal.environment, id, &x->row, &err)) {
        if (dispatcher_can_hook(app_of(rq)->dispatcher, channel_name(x->row.channel), x->row.provider_id, &declared))
            hook_ask(x);
        else
            reply_failure(rq, by_hand(rq, &x->row, declared));
        return;
    }
    reply_error(rq, &err);
}

const struct route integration_hook_routes[] = {
    {HTTP_POST, "/v1/integrations/{integrationId}/auto-configure", "integrationsIntegrationsControllerAutoConfigureIntegration", "Integrations",
     "Set up the provider's delivery webhook", AUTH_ENVIRONMENT, "INTEGRATION_WRITE", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0,
     handle_auto_configure},
};
const size_t integration_hook_routes_n = sizeof integration_hook_routes / sizeof *integration_hook_routes;
