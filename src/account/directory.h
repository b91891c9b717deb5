/* Who calls, and what their environment is configured with: looked up on every request, so cached.
 *
 * Look-ups take a read connection of the calling thread for misses. directory_changed must be called after every
 * committed change of environments, keys or integrations.
 */
#ifndef ACCOUNT_DIRECTORY_H
#define ACCOUNT_DIRECTORY_H

#include "base/crypto.h"
#include "db/db.h"
#include "model/cache.h"
#include "model/environment.h"
#include "model/integration.h"

struct directory;

/* An environment with its integrations, as of one moment. Immutable; release with cached_unref(&e->head). */
struct environment_view {
    struct cached head;
    struct arena *arena;
    struct environment environment;
    struct integration *integrations;
    size_t integrations_n;
    struct str secret;                  /* its first API key, opened: signs what we send; empty without a box */
    yyjson_val *settings;               /* of the environment, parsed */
    yyjson_val *environment_variables;  /* {NAME: "value"}, opened; secret ones too: never log it */
    struct delivery_policy delivery;    /* from its settings */
    bool webhooks;                      /* it has webhook endpoints: what happens is to be told (model/webhook.h) */
};

/* The newest active integration of a provider, or the one of that identifier (p NULL: not given); NULL: there is none. */
const struct integration *environment_provider(const struct environment_view *e, struct str provider_id, struct str identifier);

struct key_view {
    struct cached head;
    struct id organization, environment, user;
    int rate[3];                    /* settings.apiRateLimits: requests a second by category; 0: not set */
};

struct directory *directory_create(bool shared_store);      /* shared_store: other nodes write to it too */
/* What environment variables are sealed with; without it views have none. Before the first look-up; the box must outlive
 * the directory. */
void directory_box(struct directory *d, const struct crypto_box *box);
/* Opens what is sealed with that box. false: there is no box, or it is another's. */
bool directory_open(const struct directory *d, struct arena *a, struct str sealed, struct str *plain);
void directory_destroy(struct directory *d);
void directory_changed(struct directory *d);

/* NULL: err is ERROR_NOT_FOUND ("API Key not found") or a failure of the store. */
struct key_view *directory_key(struct directory *d, struct db *db, struct str secret, struct error *err);
struct environment_view *directory_environment(struct directory *d, struct db *db, struct id id, struct error *err);
struct environment_view *directory_application(struct directory *d, struct db *db, struct str identifier,
                                               struct error *err);
/* Every secret key of an environment, opened, for HMAC checks (inbox-realtime.md §1.4: any active key). */
bool directory_secrets(struct db *db, const struct crypto_box *box, struct arena *a, struct id environment,
                       struct str **secrets, size_t *n, struct error *err);

#endif
