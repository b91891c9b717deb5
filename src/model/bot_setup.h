/* Links by which a chat bot's token is entered on a phone, without an account (rest-api.md §6.14): good once, and not for long. */
#ifndef MODEL_BOT_SETUP_H
#define MODEL_BOT_SETUP_H

#include "db/db.h"

enum { BOT_SETUP_MS = 300000, BOT_SETUP_MAX_MS = 1800000 };

struct bot_setup {
    struct str hash;                    /* hex SHA-256 of the link's token, which is stored nowhere */
    struct id environment, integration;
    struct str subscriber_id;           /* who is to be linked with the bot afterwards; empty: nobody */
    int64_t made_at, expires_at;
    bool used;
};

/* Takes those that have expired with it. */
bool bot_setup_insert(struct db *db, const struct bot_setup *b, int64_t now, struct error *err);
/* A used one is found until it expires. ERROR_NOT_FOUND: it is unknown or has expired. */
bool bot_setup_find(struct db *db, struct arena *a, struct str hash, int64_t now, struct bot_setup *out, struct error *err);
/* While its page is open: BOT_SETUP_MS from now, but no longer than BOT_SETUP_MAX_MS in all. */
bool bot_setup_extend(struct db *db, const struct bot_setup *b, int64_t now, struct error *err);
/* ERROR_CONFLICT: it was used, or has expired meanwhile. */
bool bot_setup_use(struct db *db, struct str hash, int64_t now, struct error *err);

#endif
