/* Telegram's bots: a person is linked by starting one with a code (rest-api.md §6.14, §6.15). */
#ifndef API_TELEGRAM_H
#define API_TELEGRAM_H

#include "api/context_member.h"

/* Answers {url, providerMetadata}: the link that starts the bot with a code for this person in this context. made: contexts that
 * are to be there; NULL: they are. */
void telegram_link(struct request *rq, const struct integration *i, struct str subscriber_id, struct str context,
                   const struct context_member *made);
/* Tells Telegram where to send what the bot hears; answers {webhookUrl, configuredAt, botUsername}. */
void telegram_configure(struct request *rq, const struct integration *i);

#endif
