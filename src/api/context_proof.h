/* Whether a context is the one that the customer's server meant: a browser that passes it on must not name another tenant's
 * (inbox-realtime.md §1.4). */
#ifndef API_CONTEXT_PROOF_H
#define API_CONTEXT_PROOF_H

#include "api/app.h"
#include "model/integration.h"

/* Must sessions of the Inbox be proved by a hash? Told by the in-app integration's credential `hmac`, else by the environment. */
bool inbox_hash_enforced(struct request *rq, const struct environment *e, const struct integration *in_app, bool *enforced,
                         struct error *err);
/* Is `given` the hash of this context with one of the environment's secrets? */
bool context_hash_good(struct arena *a, const struct str *secrets, size_t n, yyjson_val *context, struct str given);
/* What links people or workspaces of an integration whose credentials say `hmac`: the body's `context` and `contextHash`, or for a
 * subscriber's token that its session was proved. Others always pass. */
bool context_proved(struct request *rq, const struct integration *i, struct error *err);

#endif
