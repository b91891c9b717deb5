/* Whether a provider takes an integration's credentials (providers.md §9). */
#ifndef API_INTEGRATION_CHECK_H
#define API_INTEGRATION_CHECK_H

#include "api/app.h"
#include "model/types.h"

/* Asks the provider, then goes on with passed(arg) on the request's loop; else the request is answered with 400. Nothing is
 * sent to anybody. E-mail only, as the contract has it: other channels, and providers that have no way to ask, pass at once.
 * credentials: a decrypted object or NULL; lives in rq->arena, as arg does. */
void integration_check(struct request *rq, enum channel c, struct str provider_id, yyjson_val *credentials, void (*passed)(void *arg), void *arg);

#endif
