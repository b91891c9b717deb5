/* Where push and chat reach a person: the channels that the subscriber keeps, matched with the integrations that serve them
 * (engine.md §7.1, §7.3; providers.md §5). */
#ifndef ENGINE_ADDRESSES_H
#define ENGINE_ADDRESSES_H

#include "engine/machine_private.h"

enum { TOKENS_MAX = 100, CHANNELS_MAX = RUN_MESSAGES_MAX };

/* One provider's credentials of the subscriber: one message. */
struct push_channel {
    const struct integration *integration;
    struct str tokens[TOKENS_MAX];
    size_t tokens_n;
};
size_t push_channels(const struct machine *m, const struct step_definition *s, struct push_channel *out, size_t max);

/* One integration with its endpoints: one message. An endpoint is {"type":…,"endpoint":{…},"identifier"?:…}, for instance
 * {"type":"webhook","endpoint":{"url":…,"channel"?:…}} or {"type":"phone","endpoint":{"phoneNumber":…}}; url or number empty:
 * it is missing. */
struct chat_target {
    const struct integration *integration;
    yyjson_val *endpoints[TOKENS_MAX];
    size_t endpoints_n;
};
/* Fills at most max, one an integration; returns how many: the endpoints of the API, then the channels that the subscriber
 * keeps. */
size_t chat_targets(const struct machine *m, enum channel c, struct chat_target *out, size_t max);

#endif
