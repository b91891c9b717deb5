/* The chat providers with an OAuth dialogue: Slack, Microsoft Teams, Webex (rest-api.md §6.15). */
#ifndef API_CHAT_OAUTH_H
#define API_CHAT_OAUTH_H

#include "api/channel_links.h"
#include "api/chat_state.h"

enum chat_provider { CHAT_SLACK, CHAT_TEAMS, CHAT_WEBEX, CHAT_PROVIDERS };

/* false: a provider without such a dialogue. */
bool chat_provider_parse(struct str provider_id, enum chat_provider *out);
/* As people call it: "Slack", "MS Teams", "Webex Messaging". */
const char *chat_provider_title(enum chat_provider p);
/* Where the provider sends the browser back to. */
struct str chat_redirect_uri(struct request *rq);
/* Appends name=value, percent-encoded, with '&' in front of all but the first. */
void form_add(struct buf *b, const char *name, struct str value);
/* Appends it percent-encoded: one segment of a path, or a value. */
void form_value(struct buf *b, struct str value);
/* Opened. false: err tells that clientId (or with secret_too the secret) is missing. */
bool chat_credentials(struct request *rq, const struct integration *i, enum chat_provider p, bool secret_too, yyjson_val **out,
                      struct error *err);

/* Where the dialogue of one subscriber (src/api/chat_oauth_v1.c) sends the browser back to. identifier: of the integration, as the
 * caller named it; empty: it did not. */
struct str chat_v1_redirect_uri(struct request *rq, struct id environment, struct str subscriber_id, struct str identifier);

/* GET /v1/integrations/chat/oauth/callback (src/api/chat_callback.c). */
void handle_chat_callback(struct request *rq);
/* GET /v1/subscribers/{subscriberId}/credentials/{providerId}/oauth/callback (ibid.). */
void handle_chat_v1_callback(struct request *rq);

#endif
