/* A subscriber's `channels`: where push and chat reach them, by integration (rest-api.md §6.2). */
#ifndef MODEL_SUBSCRIBER_CHANNELS_H
#define MODEL_SUBSCRIBER_CHANNELS_H

#include "base/json.h"

enum { DEVICE_TOKENS_MAX = 100 };

/* Stored as {providerId, integrationIdentifier, _integrationId, credentials}. */
struct channel_setting {
    struct str provider_id;
    struct str integration_identifier;      /* p NULL: not given */
    struct id integration;                  /* to be filled before it is put */
    yyjson_val *credentials;                /* an object */
};

/* One of the closed list of push and chat providers that the contract knows. */
bool channel_provider_known(struct str provider_id);
/* Adds complaints, each starting with prefix ("channels.0."); returns how many, at most max. */
size_t channel_setting_read(struct arena *a, yyjson_val *v, const char *prefix, struct channel_setting *out, struct str *messages,
                            size_t max);

/* stored (JSON text, p NULL: none) with s in it: its credentials' keys replace those of the same integration. Device tokens
 * are kept once each; with unite they join the stored ones (an empty list clears them). *tokens: how many there are then. */
struct str channels_put(struct arena *a, struct str stored, const struct channel_setting *s, bool unite, size_t *tokens);
/* stored without a provider's. */
struct str channels_remove(struct arena *a, struct str stored, struct str provider_id);
/* "channels": […] in the closed form that clients parse, whatever was stored. */
void channels_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str stored);

#endif
