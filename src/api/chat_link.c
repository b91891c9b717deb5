/* Operations that only some integrations know: chat linking by a bot, and bots that are set up (rest-api.md §6.14, §6.15). */
#include "api/channel_links.h"
#include "api/context_member.h"
#include "api/context_proof.h"
#include "api/tables.h"
#include "api/telegram.h"

static bool find(struct request *rq, struct str identifier, struct integration *out)
{
    struct channel_link l = {.environment = rq->principal.environment, .integration_identifier = identifier};
    struct error err = {0};
    if (channel_link_integration(app_db(rq), rq->arena, &l, out, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void refuse(struct request *rq, const struct integration *i, const char *what)
{
    reply_fail(rq, 400, "Provider \"%.*s\" does not support %s.", STR_ARG(i->provider_id), what);
}

static void handle_link(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str identifier = check_string(&c, rq->json, "integrationIdentifier", true);
    struct channel_link l = {.environment = rq->principal.environment, .subscriber_id = rq->principal.subscriber_id};
    struct integration i;
    struct error err = {0};
    struct context_member *context = ARENA_NEW(rq->arena, struct context_member);
    bool own = rq->principal.kind == PRINCIPAL_SUBSCRIBER;
    if (!own) {
        l.subscriber_id = check_string(&c, rq->json, "subscriberId", true);
        context_member_read(&c, json_get(rq->json, "context"), context);
        check_string(&c, rq->json, "contextHash", false);
    }
    if (!checks_done(&c) || !find(rq, identifier, &i))
        return;
    if (!context_proved(rq, &i, &err) || !channel_link_subscriber(app_db(rq), rq->arena, &l, &err))
        reply_error(rq, &err);
    else if (str_eqz(i.provider_id, "telegram"))
        telegram_link(rq, &i, l.subscriber_id, own ? rq->principal.context : context->keys, own ? NULL : context);
    else
        refuse(rq, &i, "subscriber chat linking via this endpoint");
}

static void handle_mobile_link(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct integration i;
    struct str subscriber_id = check_string(&c, rq->json, "subscriberId", false);
    if (!checks_done(&c) || !find(rq, request_param(rq, "integrationIdentifier"), &i))
        return;
    if (str_eqz(i.provider_id, "telegram"))
        telegram_setup_issue(rq, &i, subscriber_id);
    else
        refuse(rq, &i, "mobile links");
}

static void handle_webhook_configure(struct request *rq)
{
    struct integration i;
    if (!find(rq, request_param(rq, "integrationIdentifier"), &i))
        return;
    if (str_eqz(i.provider_id, "telegram"))
        telegram_configure(rq, &i);
    else
        refuse(rq, &i, "webhook configuration");
}

#define INTEGRATION(path, operation, summary, handler)                                                                        \
    {HTTP_POST, "/v1/integrations/" path, operation, "Integrations", summary, AUTH_ENVIRONMENT, "INTEGRATION_WRITE", RATE_GLOBAL, \
     1, 200, ENVELOPE_DATA, 0, 0, handler}

const struct route chat_link_routes[] = {
    INTEGRATION("channel-endpoints/link", "integrationsLinkChannelEndpoint", "Link a person by a chat bot", handle_link),
    INTEGRATION("{integrationIdentifier}/mobile-link", "integrationsCreateMobileLink", "A link for phones to set up a bot", handle_mobile_link),
    INTEGRATION("{integrationIdentifier}/webhook/configure", "integrationsIntegrationsControllerConfigureIntegrationWebhook",
                "Set up a chat bot's webhook", handle_webhook_configure),
    {HTTP_POST, "/v1/inbox/channel-endpoints/link", "inboxLinkChannelEndpoint", "Inbox", "Link the person by a chat bot", AUTH_SUBSCRIBER,
     NULL, RATE_NONE, 0, 200, ENVELOPE_DATA, 0, ROUTE_CORS_ANY, handle_link},
};
const size_t chat_link_routes_n = sizeof chat_link_routes / sizeof *chat_link_routes;
