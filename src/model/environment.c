/* Environments and keys in the store. */
#include "model/environment.h"

#include "base/json.h"
#include "model/removal.h"
#include "model/row.h"

#define ENVIRONMENT_COLUMNS \
    "id, organization_id, name, type, application_identifier, outbox, settings, created_at, updated_at"

static void environment_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct environment *e = out;
    *e = (struct environment){
        .id = db_id(s, 0),
        .organization = db_id(s, 1),
        .name = row_text(s, 2, a),
        .type = row_text(s, 3, a),
        .application_identifier = row_text(s, 4, a),
        .outbox = db_int(s, 5) != 0,
        .settings = row_text(s, 6, a),
        .created_at = db_int(s, 7),
        .updated_at = db_int(s, 8),
    };
}

bool environment_insert(struct db *db, const struct environment *e, struct error *err)
{
    return db_write(db, err, "INSERT INTO environments (" ENVIRONMENT_COLUMNS
                    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    e->id, e->organization, e->name, e->type, e->application_identifier, e->outbox,
                    e->settings.p ? e->settings : STR("{}"), e->created_at, e->updated_at);
}

bool environment_update(struct db *db, const struct environment *e, struct error *err)
{
    return db_write(db, err, "UPDATE environments SET name = ?2, application_identifier = ?3, settings = ?4, "
                    "outbox = ?5, updated_at = ?6 WHERE id = ?1",
                    e->id, e->name, e->application_identifier, e->settings, e->outbox, e->updated_at);
}

bool environment_delete(struct db *db, struct id id, int64_t now, struct error *err)
{
    /* A variable goes with the last of its values (rest-api.md §6.13); one that never had a value is kept. */
    static const char *const sql[] = {"DELETE FROM environment_variables WHERE id IN (SELECT variable_id FROM "
                                      "environment_variable_values WHERE environment_id = ?1) AND NOT EXISTS (SELECT 1 FROM "
                                      "environment_variable_values v WHERE v.variable_id = environment_variables.id "
                                      "AND v.environment_id <> ?1)",
                                      "DELETE FROM environment_variable_values WHERE environment_id = ?1",
                                      "DELETE FROM api_keys WHERE environment_id = ?1",
                                      "DELETE FROM integrations WHERE environment_id = ?1",
                                      "DELETE FROM environments WHERE id = ?1"};
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        struct db_stmt *s = db_query(db, err, sql[i], id);
        if (!s || !db_run(s, err))
            return false;
    }
    return removal_begin(db, &(struct removal){.ref = id, .environment = id, .kind = REMOVAL_ENVIRONMENT}, now, err);
}

bool environment_find(struct db *db, struct arena *a, struct id id, struct environment *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " ENVIRONMENT_COLUMNS " FROM environments WHERE id = ?1", id);
    return row_find(s, a, environment_read, out, "Environment not found", err);
}

bool environment_find_by_application(struct db *db, struct arena *a, struct str identifier, struct environment *out,
                                     struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " ENVIRONMENT_COLUMNS
                                 " FROM environments WHERE application_identifier = ?1",
                                 identifier);
    return row_find(s, a, environment_read, out, "Environment not found", err);
}

bool organization_name(struct db *db, struct arena *a, struct id id, struct str *name, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT name FROM organizations WHERE id = ?1", id);
    if (!s)
        return false;
    if (!row_one(s, "Organization not found", err))
        return false;
    *name = str_dup(a, db_text(s, 0));
    db_reset(s);
    return true;
}

bool environment_list(struct db *db, struct arena *a, struct id organization, struct environment **out, size_t *n,
                      struct error *err)
{
    struct db_stmt *s = id_is_zero(organization)
        ? db_prepare(db, "SELECT " ENVIRONMENT_COLUMNS " FROM environments WHERE type <> '" ENVIRONMENT_KEYLESS "' ORDER BY created_at, id", err)
        : db_prepare(db, "SELECT " ENVIRONMENT_COLUMNS " FROM environments WHERE organization_id = ?1 AND type <> '"
                     ENVIRONMENT_KEYLESS "' ORDER BY created_at, id", err);
    if (!s)
        return false;
    if (!id_is_zero(organization))
        db_bind_id(s, 1, organization);
    return ROWS_READ(s, a, environment_read, out, n, err);
}

bool environment_count_keyless(struct db *db, int64_t after, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM environments WHERE type = '" ENVIRONMENT_KEYLESS
                                 "' AND created_at > ?1", after);
    if (!s || !row_one(s, "no count", err))
        return false;
    *n = db_int(s, 0);
    db_reset(s);
    return true;
}

bool environment_expire(struct db *db, int64_t by, int limit, int64_t now, int64_t *n, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct environment *list;
    size_t found;
    struct db_stmt *s = db_query(db, err, "SELECT " ENVIRONMENT_COLUMNS " FROM environments WHERE type = '" ENVIRONMENT_KEYLESS
                                 "' AND created_at <= ?1 ORDER BY id LIMIT ?2", by, limit);
    if (!s || !ROWS_READ(s, a, environment_read, &list, &found, err))
        return false;
    *n = (int64_t)found;
    for (size_t i = 0; i < found; i++)
        if (!environment_delete(db, list[i].id, now, err))
            return false;
    return true;
}

bool api_key_insert(struct db *db, struct arena *a, const struct crypto_box *box, struct id environment, struct id user,
                    struct str secret, int64_t now, struct error *err)
{
    uint8_t hash[32];
    struct db_stmt *s = db_prepare(
        db, "INSERT INTO api_keys (hash, environment_id, user_id, sealed, created_at) VALUES (?1, ?2, ?3, ?4, ?5)", err);
    if (!s)
        return false;
    crypto_sha256(secret, hash);
    db_bind_blob(s, 1, (struct str){(char *)hash, sizeof hash});
    db_bind_id(s, 2, environment);
    db_bind_id(s, 3, user);
    db_bind_text(s, 4, crypto_seal(box, a, secret));
    db_bind_int(s, 5, now);
    return db_run(s, err);
}

bool api_key_replace(struct db *db, struct arena *a, const struct crypto_box *box, struct id environment, struct id user,
                     struct str secret, int64_t now, struct error *err)
{
    return db_write(db, err, "DELETE FROM api_keys WHERE environment_id = ?1", environment)
        && api_key_insert(db, a, box, environment, user, secret, now, err);
}

bool api_key_find(struct db *db, struct arena *a, struct str secret, struct api_key *out, struct error *err)
{
    uint8_t hash[32];
    struct db_stmt *s = db_prepare(db, "SELECT environment_id, user_id, sealed FROM api_keys WHERE hash = ?1", err);
    if (!s)
        return false;
    crypto_sha256(secret, hash);
    db_bind_blob(s, 1, (struct str){(char *)hash, sizeof hash});
    if (!row_one(s, "API Key not found", err))
        return false;
    *out = (struct api_key){.environment = db_id(s, 0), .user = db_id(s, 1), .sealed = row_text(s, 2, a),
                            .hash_hex = hex_encode(a, hash, sizeof hash)};
    db_reset(s);
    return true;
}

bool api_key_list(struct db *db, struct arena *a, struct id environment, struct api_key **out, size_t *n,
                  struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "SELECT environment_id, user_id, sealed, hash FROM api_keys WHERE environment_id = ?1 ORDER BY created_at",
            environment);
    size_t cap = 0;
    enum db_step step;
    if (!s)
        return false;
    *out = NULL;
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct str hash = db_blob(s, 3);
        *ARENA_SLOT(a, *out, *n, cap) = (struct api_key){.environment = db_id(s, 0), .user = db_id(s, 1),
                                          .sealed = row_text(s, 2, a), .hash_hex = hex_encode(a, hash.p, hash.n)};
    }
    db_reset(s);
    return step == DB_DONE;
}

bool environment_switch(const struct environment *e, const char *name, bool otherwise)
{
    yyjson_val *settings;
    if (str_find(e->settings, str_of(name)) < 0)        /* the usual case: nothing was ever switched */
        return otherwise;
    struct arena *a ARENA_SCOPED = arena_create(0);
    return json_parse(a, e->settings, &settings, NULL) ? json_get_bool(settings, name, otherwise) : otherwise;
}
