/* What the ways to make a channel connection or endpoint share: by API, by OAuth, from the Inbox. */
#ifndef API_CHANNEL_LINKS_H
#define API_CHANNEL_LINKS_H

#include "api/app.h"
#include "model/channel_link.h"

/* The integration must be one of the link's environment; the link takes its channel and provider.
 * ERROR_NOT_FOUND: "Integration not found: <identifier>". */
bool channel_link_integration(struct db *db, struct arena *a, struct channel_link *l, struct integration *out, struct error *err);
/* Who a connection is for: a subscriber, a context, or both. mode: "subscriber", "shared" or empty. NULL: well. */
const char *channel_owner_flaw(bool has_subscriber, bool has_context, struct str mode);
/* ERROR_NOT_FOUND: "Subscriber not found: <id>". */
bool channel_link_subscriber(struct db *db, struct arena *a, const struct channel_link *l, struct error *err);

#endif
