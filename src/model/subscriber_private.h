/* A subscriber's row, for the lists that join it. */
#ifndef MODEL_SUBSCRIBER_PRIVATE_H
#define MODEL_SUBSCRIBER_PRIVATE_H

#include "model/subscriber.h"

/* p: "" or the prefix of the table's alias, as "p.". */
#define SUBSCRIBER_COLUMNS_OF(p)                                                                                       \
    p "id, " p "environment_id, " p "subscriber_id, " p "first_name, " p "last_name, " p "email, " p "phone, " p "avatar, " \
    p "locale, " p "timezone, " p "data, " p "channels, " p "is_online, " p "last_online_at, " p "created_at, " p "updated_at"
#define SUBSCRIBER_COLUMNS SUBSCRIBER_COLUMNS_OF("")

/* first: the number of its first column. */
void subscriber_read(struct db_stmt *s, int first, struct arena *a, struct subscriber *out);

#endif
