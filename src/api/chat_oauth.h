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
/* Opened. false: err tells that clientId (or with secret_too the secret) is missing. */
bool chat_credentials(struct request *rq, const struct integration *i, enum chat_provider p, bool secret_too, yyjson_val **out,
                      struct error *err);

/* GET /v1/integrations/chat/oauth/callback (src/api/chat_callback.c). */
void handle_chat_callback(struct request *rq);

#endif
