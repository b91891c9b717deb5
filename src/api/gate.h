/* What stands before and behind every handler (rest-api.md §8): rate limit, idempotency, request log.
 *
 * The hooks of the server. Between them a request under a secret key carries a note of what they know of it.
 */
#ifndef API_GATE_H
#define API_GATE_H

#include "api/app.h"

struct idempotent;

bool app_before(void *app, int loop, struct request *rq);
bool app_answering(void *app, struct request *rq, int status, const char *content_type, struct str body);

struct idempotent *gate_idempotent(struct request *rq);         /* NULL: without a key */
void gate_set_idempotent(struct request *rq, struct idempotent *k);
/* An accepted event is the entry of this request in the log. */
void gate_event_accepted(struct request *rq);
/* The answer that is held or taken will be sent now: the request is logged, its key free. */
void gate_end(struct request *rq);

#endif
