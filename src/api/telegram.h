/* Telegram's bots: a person is linked by starting one with a code (rest-api.md §6.14, §6.15). */
#ifndef API_TELEGRAM_H
#define API_TELEGRAM_H

#include "api/context_member.h"
#include "model/chat_link_code.h"

/* Answers {url, providerMetadata}: the link that starts the bot with a code for this person in this context. made: contexts that
 * are to be there; NULL: they are. */
void telegram_link(struct request *rq, const struct integration *i, struct str subscriber_id, struct str context,
                   const struct context_member *made);
/* Tells Telegram where to send what the bot hears; answers {webhookUrl, configuredAt, botUsername}. */
void telegram_configure(struct request *rq, const struct integration *i);

/* The same with a token that the integration does not have yet: goes on with next(arg, …) on the request's loop once Telegram has
 * taken it; else the request is answered. All lives in rq->arena. */
void telegram_attach(struct request *rq, const struct integration *i, struct str token,
                     void (*next)(void *arg, struct str username, struct str webhook_url), void *arg);

/* Makes a code that is to be inserted, and the link that starts the bot with it. */
struct str telegram_code_new(struct request *rq, const struct integration *i, struct str subscriber_id, struct str username,
                             struct chat_link_code *out);

/* A link for phones (src/api/telegram_setup.c): answers {token, url, expiresAt}. */
void telegram_setup_issue(struct request *rq, const struct integration *i, struct str subscriber_id);

#endif
