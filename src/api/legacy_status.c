/* Questions of older clients whose answer is known without a store of their own (rest-api.md §7): changes, which publishing
 * replaced and of which there are none; and which integrations can do what. */
#include "api/app.h"
#include "api/tables.h"
#include "delivery/status_event.h"

static void handle_changes(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t page = check_query_int(&c, "page", 0, 0, 1000000), limit = check_query_int(&c, "limit", 10, 1, 100);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!checks_done(&c))
        return;
    json_add_arr(d, o, "data");
    json_add_int(d, o, "totalCount", 0);
    json_add_int(d, o, "pageSize", limit);
    json_add_int(d, o, "page", page);
    reply_json(rq, 0, o);
}

static void handle_changes_count(struct request *rq)
{
    reply_json(rq, 0, yyjson_mut_int(json_doc(rq->arena), 0));
}

/* There is no change that could be applied. */
static void handle_apply(struct request *rq)
{
    struct str id = request_param(rq, "changeId");
    reply_fail(rq, 404, "Change with id %.*s not found: publishing replaced changes", (int)(id.n > 64 ? 64 : id.n), id.p);
}

static void handle_apply_many(struct request *rq)
{
    struct checks c = checks_begin(rq);
    yyjson_val *ids = check_array(&c, rq->json, "changeIds", true);
    if (!checks_done(&c))
        return;
    if (yyjson_arr_size(ids))
        reply_fail(rq, 404, "Changes not found: publishing replaced them");
    else
        reply_json(rq, 0, yyjson_mut_arr(json_doc(rq->arena)));
}

static void handle_mx(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "mxRecordConfigured", false);
    reply_json(rq, 0, o);
}

static void handle_in_app(struct request *rq)
{
    struct integration *list;
    struct error err = {0};
    size_t n;
    bool active = false;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!integration_list(app_db(rq), rq->arena, rq->principal.environment, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        active |= list[i].channel == CHANNEL_IN_APP && list[i].active;
    json_add_bool(d, o, "active", active);
    reply_json(rq, 0, o);
}

/* Meta's signup is for whoever has an app there; a server has none (upstream: whatsapp-embedded-signup e2e tests). */
static void handle_whatsapp(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "available", false);
    json_add_str(d, o, "reason", STR("feature_disabled"));
    reply_json(rq, 0, o);
}

/* An integration whose provider could be asked at all. */
static bool webhook_integration(struct request *rq, struct id id, struct integration *i, struct error *err)
{
    if (!integration_find(app_db(rq), rq->arena, rq->principal.environment, id, i, err))
        return err->code == ERROR_NOT_FOUND ? error_http(err, 404, "Integration for %s was not found", id_str(rq->arena, id).p) : false;
    if (!i->credentials.n && !integration_is_demo(i))
        return error_http(err, 400, "Integration %s doesn't have credentials set up", id_str(rq->arena, id).p);
    if (i->channel != CHANNEL_EMAIL && i->channel != CHANNEL_SMS && !status_event_known(i->provider_id))
        return error_http(err, 400, "Webhook for %.*s-%s is not supported yet", STR_ARG(i->provider_id), channel_name(i->channel).p);
    return true;
}

/* By provider id, or by the id of an integration of the environment. */
static void handle_webhook(struct request *rq)
{
    struct str key = request_param(rq, "providerOrIntegrationId");
    struct integration i;
    struct error err = {0};
    struct id id;
    if (id_parse(key, &id)) {
        if (!webhook_integration(rq, id, &i, &err)) {
            reply_error(rq, &err);
            return;
        }
        key = i.provider_id;
    }
    reply_json(rq, 0, yyjson_mut_bool(json_doc(rq->arena), status_event_known(key)));
}

#define ASK(path, operation, tag, summary, permission, envelope, handler) \
    {HTTP_GET, "/v1/" path, operation, tag, summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, 200, envelope, 0, 0, handler}

const struct route legacy_status_routes[] = {
    ASK("changes", "changesListV1", "Changes", "List changes: publishing replaced them, there are none", NULL, ENVELOPE_NONE, handle_changes),
    ASK("changes/count", "changesCountV1", "Changes", "Count changes", NULL, ENVELOPE_DATA, handle_changes_count),
    {HTTP_POST, "/v1/changes/{changeId}/apply", "changesApplyV1", "Changes", "Apply a change: there are none (404)", AUTH_ENVIRONMENT, NULL,
     RATE_GLOBAL, 1, 201, ENVELOPE_DATA, 0, ROUTE_READ_ONLY, handle_apply},
    {HTTP_POST, "/v1/changes/bulk/apply", "changesApplyManyV1", "Changes", "Apply changes: there are none (404)", AUTH_ENVIRONMENT, NULL,
     RATE_GLOBAL, 1, 201, ENVELOPE_DATA, 0, ROUTE_READ_ONLY, handle_apply_many},
    ASK("inbound-parse/mx/status", "inboundParseMxStatusV1", "Inbound Parse", "Is inbound mail set up?", NULL, ENVELOPE_DATA, handle_mx),
    ASK("integrations/in-app/status", "integrationsInAppStatusV1", "Integrations", "Is the Inbox switched on?", "INTEGRATION_READ",
        ENVELOPE_DATA, handle_in_app),
    ASK("integrations/whatsapp/embedded-signup/availability", "integrationsWhatsappSignupAvailabilityV1", "Integrations",
        "Is WhatsApp's embedded signup offered? It is not", "INTEGRATION_READ", ENVELOPE_DATA, handle_whatsapp),
    ASK("integrations/webhook/provider/{providerOrIntegrationId}/status", "integrationsWebhookStatusV1", "Integrations",
        "Does the provider report about messages?", "INTEGRATION_READ", ENVELOPE_DATA, handle_webhook),
};
const size_t legacy_status_routes_n = sizeof legacy_status_routes / sizeof *legacy_status_routes;
