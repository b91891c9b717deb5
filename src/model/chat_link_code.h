/* Codes by which a chat bot learns whom it talks to (rest-api.md §6.15): good once, and not for long. */
#ifndef MODEL_CHAT_LINK_CODE_H
#define MODEL_CHAT_LINK_CODE_H

#include "db/db.h"

enum { CHAT_LINK_CODE_MS = 600000 };

struct chat_link_code {
    struct str hash;                    /* hex SHA-256 of the code, which is stored nowhere */
    struct id environment, integration;
    struct str subscriber_id, context;
    int64_t expires_at;
};

/* Takes those that have expired with it. */
bool chat_link_code_insert(struct db *db, const struct chat_link_code *c, int64_t now, struct error *err);
/* Finds and deletes it. ERROR_NOT_FOUND: it is unknown, used, expired, or another integration's. */
bool chat_link_code_take(struct db *db, struct arena *a, struct id environment, struct id integration, struct str hash, int64_t now,
                         struct chat_link_code *out, struct error *err);

#endif
