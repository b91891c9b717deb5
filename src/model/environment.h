/* Organisations, environments and their secret keys. */
#ifndef MODEL_ENVIRONMENT_H
#define MODEL_ENVIRONMENT_H

#include "base/crypto.h"
#include "db/db.h"

struct environment {
    struct id id, organization;
    struct str name, type;              /* "dev", "prod" or ENVIRONMENT_KEYLESS */
    struct str application_identifier;
    bool outbox;                        /* channels without integration go to the outbox (decisions.md 5) */
    struct str settings;                /* JSON object: {color, parentId, dns, bridge} and the switches of
                                           src/api/environments.c */
    int64_t created_at, updated_at;
};

/* A switch of the settings (src/api/environments.c has their list). */
bool environment_switch(const struct environment *e, const char *name, bool otherwise);

struct api_key {
    struct id environment, user;
    struct str sealed, hash_hex;
};

/* A demo environment of an Inbox without application identifier (inbox-realtime.md §1.5). It is the organisation's, but in
 * no list of its environments, and lives a day. */
#define ENVIRONMENT_KEYLESS "keyless"
enum { KEYLESS_LIFE_MS = 24 * 3600 * 1000 };
static inline bool environment_keyless_lives(const struct environment *e, int64_t now)
{
    return str_eqz(e->type, ENVIRONMENT_KEYLESS) && now < e->created_at + KEYLESS_LIFE_MS;
}

static inline bool environment_is_production(const struct environment *e) { return str_eqz(e->type, "prod"); }

bool environment_insert(struct db *db, const struct environment *e, struct error *err);
/* Writes name, identifier, settings and outbox. ERROR_CONFLICT: the organisation has one of that name, or the identifier is
 * taken. */
bool environment_update(struct db *db, const struct environment *e, struct error *err);
/* Takes the environment, its keys, its integrations and its values of variables, with the variables that only it had a value
 * of: from then on nobody reaches what else it has, which is removed in chunks (model/removal.h). */
bool environment_delete(struct db *db, struct id id, int64_t now, struct error *err);
bool environment_find(struct db *db, struct arena *a, struct id id, struct environment *out, struct error *err);
bool environment_find_by_application(struct db *db, struct arena *a, struct str identifier, struct environment *out,
                                     struct error *err);
/* All of an organisation but demo environments, oldest first. A zero organisation means all. */
bool environment_list(struct db *db, struct arena *a, struct id organization, struct environment **out, size_t *n,
                      struct error *err);
/* Demo environments made after then. */
bool environment_count_keyless(struct db *db, int64_t after, int64_t *n, struct error *err);
/* Deletes demo environments that were made by then, at most limit; *n: how many. */
bool environment_expire(struct db *db, int64_t by, int limit, int64_t now, int64_t *n, struct error *err);

/* ERROR_NOT_FOUND. */
bool organization_name(struct db *db, struct arena *a, struct id id, struct str *name, struct error *err);

/* secret: 32 lower-case hex characters. It is stored hashed (for look-up) and sealed (for showing). */
bool api_key_insert(struct db *db, struct arena *a, const struct crypto_box *box, struct id environment, struct id user,
                    struct str secret, int64_t now, struct error *err);
/* The environment's keys are worth nothing from now on, this one is; otherwise as above. */
bool api_key_replace(struct db *db, struct arena *a, const struct crypto_box *box, struct id environment, struct id user,
                     struct str secret, int64_t now, struct error *err);
/* ERROR_NOT_FOUND when no environment has this secret. */
bool api_key_find(struct db *db, struct arena *a, struct str secret, struct api_key *out, struct error *err);
bool api_key_list(struct db *db, struct arena *a, struct id environment, struct api_key **out, size_t *n,
                  struct error *err);

#endif
