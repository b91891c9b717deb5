/* `channels` and credentials that requests give a subscriber (rest-api.md §6.2). */
#ifndef API_CHANNEL_SETTINGS_H
#define API_CHANNEL_SETTINGS_H

#include "api/app.h"
#include "model/subscriber.h"
#include "model/subscriber_channels.h"

struct channel_settings {
    struct channel_setting *all;
    size_t n;
    bool unite;                         /* device tokens join the stored ones: always, but where credentials are set */
};

/* Of a subscriber's body; mistakes of form are added to c. v may be NULL. */
void channel_settings_read(struct checks *c, yyjson_val *v, struct channel_settings *out);
/* Finds the integration of each: the named or the newest active one of its provider. 400 if there is none. */
bool channel_settings_resolve(struct request *rq, struct channel_settings *s, struct error *err);
/* In api_write.apply: puts them into the subscriber's row and field. 400 beyond DEVICE_TOKENS_MAX tokens. */
bool channel_settings_store(struct request *rq, struct db *db, const struct channel_settings *s, struct subscriber *subscriber,
                            struct error *err);

#endif
