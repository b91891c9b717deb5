/* Forgetting a push device that its provider no longer knows (engine.md §7.3). */
#ifndef MODEL_DEVICE_TOKEN_H
#define MODEL_DEVICE_TOKEN_H

#include "model/subscriber.h"

/* Takes the token out of the subscriber's channels of that provider. Nothing happens if it, or the subscriber, is gone. */
bool device_token_remove(struct db *db, struct id environment, struct id subscriber, struct str provider_id, struct str token,
                         int64_t now, struct error *err);

#endif
