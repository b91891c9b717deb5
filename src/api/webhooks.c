/* /v2/outbound-webhooks: who is told what happens here, and what became of it (bridge-cli.md §8.4).
 *
 * The routes of the original lead into its portal, which this server has not: those answer so. Everything else is our own.
 */
#include "api/tables.h"
#include "api/webhooks_private.h"

static void handle_portal(struct request *rq)
{
    reply_fail(rq, 400, "Webhook system is not enabled");
}

#define WEBHOOKS(method, path, operation, summary, permission, status, envelope, flags, handler)                                       \
    {method, "/v2/outbound-webhooks" path, operation, "Webhooks", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     envelope, 0, flags, handler}
#define ONE "/endpoints/{webhookEndpointId}"
#define READ "WEBHOOK_READ"
#define WRITE "WEBHOOK_WRITE"

const struct route webhook_routes[] = {
    WEBHOOKS(HTTP_GET, "/endpoints", "webhookEndpointsList", "List webhook endpoints", READ, 200, ENVELOPE_DATA, 0, webhook_endpoints_list),
    WEBHOOKS(HTTP_POST, "/endpoints", "webhookEndpointsCreate", "Create a webhook endpoint", WRITE, 201, ENVELOPE_DATA, 0, webhook_endpoints_create),
    WEBHOOKS(HTTP_GET, ONE, "webhookEndpointsRetrieve", "Retrieve a webhook endpoint", READ, 200, ENVELOPE_DATA, 0, webhook_endpoints_get),
    WEBHOOKS(HTTP_PATCH, ONE, "webhookEndpointsUpdate", "Change a webhook endpoint", WRITE, 200, ENVELOPE_DATA, 0, webhook_endpoints_update),
    WEBHOOKS(HTTP_DELETE, ONE, "webhookEndpointsDelete", "Delete a webhook endpoint", WRITE, 204, ENVELOPE_NONE, 0, webhook_endpoints_delete),
    WEBHOOKS(HTTP_GET, ONE "/secret", "webhookEndpointsSecret", "The secret that signs what an endpoint is sent", WRITE, 200,
             ENVELOPE_DATA, 0, webhook_endpoints_secret),
    WEBHOOKS(HTTP_POST, ONE "/secret/rotate", "webhookEndpointsSecretRotate", "Give an endpoint a new secret; the old one signs too for 24 hours",
             WRITE, 200, ENVELOPE_DATA, 0, webhook_endpoints_rotate),
    WEBHOOKS(HTTP_GET, ONE "/attempts", "webhookEndpointsAttempts", "What an endpoint answered", READ, 200, ENVELOPE_NONE, 0,
             webhook_history_attempts),
    WEBHOOKS(HTTP_POST, ONE "/messages/{webhookMessageId}/resend", "webhookEndpointsResend", "Send an endpoint a message again", WRITE,
             202, ENVELOPE_DATA, 0, webhook_again_resend),
    WEBHOOKS(HTTP_POST, ONE "/recover", "webhookEndpointsRecover", "Send an endpoint again what failed since", WRITE, 202, ENVELOPE_DATA, 0,
             webhook_again_recover),
    WEBHOOKS(HTTP_POST, ONE "/replay-missing", "webhookEndpointsReplayMissing", "Send an endpoint what it was never sent since", WRITE, 202,
             ENVELOPE_DATA, 0, webhook_again_missing),
    WEBHOOKS(HTTP_POST, ONE "/test", "webhookEndpointsTest", "Send an endpoint an example", WRITE, 202, ENVELOPE_DATA, 0, webhook_again_test),
    WEBHOOKS(HTTP_GET, "/event-types", "webhookEventTypesList", "What endpoints can be told", READ, 200, ENVELOPE_DATA, 0, webhook_history_types),
    WEBHOOKS(HTTP_GET, "/messages", "webhookMessagesList", "List what happened, as it is told", READ, 200, ENVELOPE_NONE, 0, webhook_history_messages),
    WEBHOOKS(HTTP_GET, "/messages/{webhookMessageId}", "webhookMessagesRetrieve", "Retrieve a message with its deliveries", READ, 200,
             ENVELOPE_DATA, 0, webhook_history_message),
    {HTTP_GET, "/v2/outbound-webhooks/portal/token", "webhookPortalToken", "Webhooks", "This server has no portal: always 400", AUTH_SESSION,
     READ, RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, 0, 0, handle_portal},
    {HTTP_POST, "/v2/outbound-webhooks/portal/token", "webhookPortalTokenCreate", "Webhooks", "This server has no portal: always 400",
     AUTH_SESSION, WRITE, RATE_CONFIGURATION, 1, 201, ENVELOPE_DATA, 0, ROUTE_READ_ONLY, handle_portal},
};
const size_t webhook_routes_n = sizeof webhook_routes / sizeof *webhook_routes;
