/* Whether a browser may say who it is: a hash that only the customer's server can make (inbox-realtime.md §1.4). */
#ifndef API_SUBSCRIBER_HASH_H
#define API_SUBSCRIBER_HASH_H

#include "base/str.h"

/* Is `given` the hex HMAC-SHA256 of the text, keyed with one of the environment's secrets? Any of them: a rotation may be under
 * way. Every secret is tried, in constant time each. */
bool subscriber_hash_good(struct arena *a, const struct str *secrets, size_t n, struct str text, struct str given);

#endif
