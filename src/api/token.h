/* Subscriber tokens: what the Inbox and its socket carry (inbox-realtime.md §1.3). */
#ifndef API_TOKEN_H
#define API_TOKEN_H

#include "base/id.h"
#include "base/json.h"
#include "model/subscriber.h"

enum { SUBSCRIBER_TOKEN_SECONDS = 15 * 24 * 3600 };

struct subscriber_token {
    struct id organization, environment, subscriber;
    struct str subscriber_id;
    struct str context;         /* sorted keys joined by "," */
    int64_t expires_ms;
};

/* context: sorted keys joined by ",". */
struct str subscriber_token_make(struct arena *a, struct str secret, const struct subscriber *s, struct id organization,
                                 struct str context);
/* Signature, expiry (real time), audience and issuer. */
bool subscriber_token_verify(struct arena *a, struct str secret, struct str token, struct subscriber_token *out);

#endif
