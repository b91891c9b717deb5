/* The credentials of integrations, which are sealed in the store. */
#ifndef API_INTEGRATION_SECRETS_H
#define API_INTEGRATION_SECRETS_H

#include "api/app.h"
#include "model/integration.h"

/* The key that a provider signs its reports with, where the provider itself told it (api/integration_hook.c). One that people
 * enter is in the configurations, under the same name, and goes before. */
#define INBOUND_SIGNING_KEY "inboundWebhookSigningKey"

/* An object, empty if the integration has none. In rq->arena. */
bool integration_secrets_open(struct request *rq, const struct integration *i, yyjson_val **out, struct error *err);
/* Keys that are given replace those stored; the others stay. Sets i->credentials. */
bool integration_secrets_merge(struct request *rq, struct integration *i, yyjson_val *given, struct error *err);

#endif
