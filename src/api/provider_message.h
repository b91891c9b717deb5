/* What is to be sent, in the one form that all declared providers read (providers.md §2). */
#ifndef API_PROVIDER_MESSAGE_H
#define API_PROVIDER_MESSAGE_H

#include "delivery/dispatcher.h"
#include "engine/engine.h"

/* In the delivery's arena; email: as it would go by SMTP, for the channel's e-mails. */
yyjson_val *provider_message(const struct engine_delivery *e, const struct delivery_email *email);
/* The endpoint of a chat with what its connection knows; NULL: there is none. */
yyjson_val *provider_target(const struct engine_delivery *e, yyjson_val *credentials);

#endif
