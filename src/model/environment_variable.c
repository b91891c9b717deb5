/* The organisation's variables and each environment's values. */
#include "model/environment_variable.h"

#include "model/row.h"

#define COLUMNS "id, organization_id, key, is_secret, created_at, updated_at"

bool environment_variable_key_valid(struct str key)
{
    if (!key.n || key.n > VARIABLE_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && (!i || !((c >= '0' && c <= '9') || c == '_')))
            return false;
    }
    return true;
}

static void variable_read(struct db_stmt *s, struct arena *a, struct environment_variable *v)
{
    *v = (struct environment_variable){.id = db_id(s, 0), .organization = db_id(s, 1), .key = row_text(s, 2, a),
                                       .secret = db_int(s, 3) != 0, .created_at = db_int(s, 4), .updated_at = db_int(s, 5)};
}

bool environment_variable_insert(struct db *db, const struct environment_variable *v, struct error *err)
{
    return db_write(db, err, "INSERT INTO environment_variables (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)", v->id,
                    v->organization, v->key, v->secret, v->created_at, v->updated_at);
}

bool environment_variable_update(struct db *db, const struct environment_variable *v, struct str key_before, struct error *err)
{
    return db_write(db, err, "UPDATE environment_variables SET key = ?3, is_secret = ?4, updated_at = ?5 "
                    "WHERE organization_id = ?1 AND key = ?2",
                    v->organization, key_before, v->key, v->secret, v->updated_at);
}

bool environment_variable_find(struct db *db, struct arena *a, struct id organization, struct str key,
                               struct environment_variable *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM environment_variables WHERE organization_id = ?1 AND key = ?2",
                                 organization, key);
    if (!s)
        return false;
    if (!row_one(s, "", err)) {
        if (err->code == ERROR_NOT_FOUND)
            error_set(err, ERROR_NOT_FOUND, "Environment variable with key \"%.*s\" not found", (int)(key.n > 64 ? 64 : key.n), key.p);
        return false;
    }
    variable_read(s, a, out);
    db_reset(s);
    return true;
}

bool environment_variable_list(struct db *db, struct arena *a, struct id organization, struct str search,
                               struct environment_variable **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM environment_variables WHERE organization_id = ?1 ORDER BY key",
                                 organization);
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW)
        if (!search.n || str_find_nocase(db_text(s, 2), search) >= 0)
            variable_read(s, a, ARENA_SLOT(a, *out, *n, cap));
    db_reset(s);
    return step == DB_DONE;
}

bool environment_variable_count(struct db *db, struct id organization, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM environment_variables WHERE organization_id = ?1",
                                 organization);
    return row_int(s, n, err);
}

bool environment_variable_set(struct db *db, struct id variable, struct id environment, struct str sealed, struct error *err)
{
    return db_write(db, err, "INSERT INTO environment_variable_values (environment_id, variable_id, sealed) "
                    "VALUES (?1, ?2, ?3) ON CONFLICT (environment_id, variable_id) DO UPDATE SET sealed = ?3",
                    environment, variable, sealed);
}

bool environment_variable_unset(struct db *db, const struct environment_variable *v, struct id environment, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "DELETE FROM environment_variable_values WHERE environment_id = ?1 AND variable_id = ?2",
                                 environment, v->id);
    if (!s || !db_run(s, err))
        return false;
    if (!db_changes(s))
        return error_set(err, ERROR_NOT_FOUND, "Environment variable with key \"%.*s\" not found", STR_ARG(v->key));
    s = db_prepare(db, "DELETE FROM environment_variables WHERE organization_id = ?1 AND key = ?2 AND NOT EXISTS "
                       "(SELECT 1 FROM environment_variable_values WHERE variable_id = ?3)", err);
    if (!s)
        return false;
    db_bind_id(s, 1, v->organization);
    db_bind_text(s, 2, v->key);
    db_bind_id(s, 3, v->id);
    return db_run(s, err);
}

bool environment_variable_value(struct db *db, struct arena *a, struct id variable, struct id environment, struct str *sealed,
                                struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT sealed FROM environment_variable_values WHERE environment_id = ?1 AND variable_id = ?2",
            environment, variable);
    if (!s)
        return false;
    if (!row_one(s, "The variable has no value here", err))
        return false;
    *sealed = row_text(s, 0, a);
    db_reset(s);
    return true;
}

bool environment_variables_open(struct db *db, const struct crypto_box *box, struct arena *a, struct id environment,
                                yyjson_val **out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT v.key, e.sealed FROM environment_variable_values AS e JOIN environment_variables AS v "
                                       "ON v.id = e.variable_id WHERE e.environment_id = ?1", err);
    struct buf b = {.arena = a};
    enum db_step step;
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    buf_char(&b, '{');
    while ((step = db_step(s, err)) == DB_ROW) {
        struct str plain;
        if (!crypto_open(box, a, row_text(s, 1, a), &plain, err)) {
            db_reset(s);
            return false;
        }
        if (b.n > 1)
            buf_char(&b, ',');
        json_quote(&b, db_text(s, 0));
        buf_char(&b, ':');
        json_quote(&b, plain);
    }
    db_reset(s);
    buf_char(&b, '}');
    return step == DB_DONE && json_parse(a, buf_finish(&b), out, err);
}
