/* What the files of /v2/outbound-webhooks share: webhook_wish.c (reading a request), webhook_endpoints.c, webhook_history.c,
 * webhook_again.c, and the table of routes in webhooks.c. */
#ifndef API_WEBHOOKS_PRIVATE_H
#define API_WEBHOOKS_PRIVATE_H

#include "api/app.h"
#include "model/webhook.h"

/* What the value of a header reads as; sent back it means the value that is stored. */
#define WEBHOOK_MASK "********"

enum { WEBHOOK_SHOWN = 64 };            /* bytes of what a request names that an error repeats */

/* --- webhook_wish.c --- */

/* A wish for an endpoint: what is given replaces what is stored. */
struct webhook_wish {
    struct webhook_endpoint x;
    bool url, description, types, disabled, rate_limit, secret;
    yyjson_val *headers;                /* NULL: not given; JSON null: none */
};

/* creates: a URL must be given, and a secret is made when none is. */
void webhook_wish_read(struct checks *c, struct webhook_wish *w, bool creates);
void webhook_wish_apply(struct request *rq, const struct webhook_wish *w, struct webhook_endpoint *x);
/* p NULL: not given. */
struct str webhook_secret_read(struct checks *c);
struct str webhook_secret_new(struct arena *a);
/* As stored: names with values. NULL: none, or sealed with another key. */
yyjson_val *webhook_headers_open(struct request *rq, struct str sealed);
/* All types of events, as errors list them. */
struct str webhook_types_named(struct arena *a);

/* --- what a path names; false: answered (404) --- */

bool webhook_endpoint_load(struct request *rq, struct webhook_endpoint *x);
bool webhook_message_load(struct request *rq, struct webhook_message *m);
/* "msg_…" */
struct str webhook_message_wire_id(struct arena *a, struct id id);

/* --- handlers --- */

void webhook_endpoints_create(struct request *rq);
void webhook_endpoints_update(struct request *rq);
void webhook_endpoints_rotate(struct request *rq);
void webhook_endpoints_delete(struct request *rq);
void webhook_endpoints_list(struct request *rq);
void webhook_endpoints_get(struct request *rq);
void webhook_endpoints_secret(struct request *rq);
void webhook_history_types(struct request *rq);
void webhook_history_messages(struct request *rq);
void webhook_history_message(struct request *rq);
void webhook_history_attempts(struct request *rq);
void webhook_again_resend(struct request *rq);
void webhook_again_test(struct request *rq);
void webhook_again_recover(struct request *rq);
void webhook_again_missing(struct request *rq);

#endif
