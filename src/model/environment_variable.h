/* Environment variables: {{env.KEY}} (rest-api.md §6.13).
 *
 * The record (key, is it secret) belongs to the organisation, each environment has its own value or none. Values are
 * sealed at rest; a secret one is never shown again.
 */
#ifndef MODEL_ENVIRONMENT_VARIABLE_H
#define MODEL_ENVIRONMENT_VARIABLE_H

#include "base/crypto.h"
#include "base/json.h"
#include "db/db.h"

enum { VARIABLE_KEY_MAX = 256, VARIABLE_VALUE_MAX = 256 };

struct environment_variable {
    struct id id, organization;
    struct str key;
    bool secret;
    int64_t created_at, updated_at;
};

struct environment_variable_value {
    struct id environment;
    struct str sealed;
};

/* ^[A-Za-z][A-Za-z0-9_]*$, at most VARIABLE_KEY_MAX bytes. */
bool environment_variable_key_valid(struct str key);

/* ERROR_CONFLICT: the key is taken. */
bool environment_variable_insert(struct db *db, const struct environment_variable *v, struct error *err);
/* Writes key, secret and updated_at. ERROR_CONFLICT: the new key is taken. */
bool environment_variable_update(struct db *db, const struct environment_variable *v, struct str key_before, struct error *err);
bool environment_variable_find(struct db *db, struct arena *a, struct id organization, struct str key,
                               struct environment_variable *out, struct error *err);
/* By key; search: case-insensitive substring of it, empty for all. */
bool environment_variable_list(struct db *db, struct arena *a, struct id organization, struct str search,
                               struct environment_variable **out, size_t *n, struct error *err);
bool environment_variable_count(struct db *db, struct id organization, int64_t *n, struct error *err);

/* Sets the value of one environment. */
bool environment_variable_set(struct db *db, struct id variable, struct id environment, struct str sealed, struct error *err);
/* Takes the environment's value, and the record with the last of them. ERROR_NOT_FOUND: it had none. */
bool environment_variable_unset(struct db *db, const struct environment_variable *v, struct id environment, struct error *err);
/* ERROR_NOT_FOUND: this environment has none. */
bool environment_variable_value(struct db *db, struct arena *a, struct id variable, struct id environment, struct str *sealed,
                                struct error *err);

/* What templates see: {KEY: "value"}, opened. Secret values are in it too: never log it. */
bool environment_variables_open(struct db *db, const struct crypto_box *box, struct arena *a, struct id environment,
                                yyjson_val **out, struct error *err);

#endif
