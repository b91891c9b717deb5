/* Brings a store to the newest schema: all steps in one transaction, or none. */
#include "db/migrate.h"

#include <stdio.h>

#include "base/clock.h"
#include "db/db_private.h"

/* The last row only keeps the list from being empty. */
static const struct migration migrations[] = {
#include "migrations.inc"
    {0, NULL, NULL},
};

enum { MIGRATION_COUNT = (int)(sizeof migrations / sizeof *migrations) - 1 };

static const char create_table[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
    " applied_at INTEGER NOT NULL)";

/* One node migrates, the others wait for it; the key is "carillon" in ASCII. A migration may take its time. */
static bool lock_store(struct db *db, struct error *err)
{
    if (db_kind_of(db) != DB_POSTGRES)
        return true;
    return db_exec(db, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                       "SELECT pg_advisory_xact_lock(x'636172696c6c6f6e'::bigint)", err);
}

static bool read_version(struct db *db, int *version, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT COALESCE(MAX(version), 0) FROM schema_migrations", err);
    if (!s || db_step(s, err) != DB_ROW)
        return false;
    *version = (int)db_int(s, 0);
    db_reset(s);
    return true;
}

static bool record(struct db *db, const struct migration *m, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)", err);
    if (!s)
        return false;
    db_bind_int(s, 1, m->version);
    db_bind_text(s, 2, str_of(m->name));
    db_bind_int(s, 3, clock_real_ms());
    return db_run(s, err);
}

static bool apply(struct db *db, const struct migration *m, struct error *err)
{
    struct error why = {0};
    if (db_exec(db, m->sql, &why) && record(db, m, &why))
        return true;
    return error_set(err, why.code, "Migration %d (%s) failed, the store was left as it was: %s", m->version, m->name, why.message);
}

static bool apply_missing(struct db *db, const struct migration *list, int n, int to, struct error *err)
{
    int have, newest = n ? list[n - 1].version : 0;
    if (!lock_store(db, err) || !db_exec(db, create_table, err) || !read_version(db, &have, err))
        return false;
    if (have > newest)
        return error_set(err, ERROR_CONFLICT, "The store has schema version %d, this program knows versions up to %d: "
                         "it was written by a newer one. Nothing was changed.", have, newest);
    for (int i = 0; i < n; i++)
        if (list[i].version > have && (!to || list[i].version <= to) && !apply(db, &list[i], err))
            return false;
    return true;
}

static bool check_list(const struct migration *list, int n, struct error *err)
{
    for (int i = 0; i < n; i++)
        if (list[i].version != i + 1)
            return error_set(err, ERROR_INTERNAL, "Migration %s is out of order.", list[i].name);
    return true;
}

bool db_migrate_with(struct db *db, const struct migration *list, int n, int to, struct error *err)
{
    if (!check_list(list, n, err) || !db_begin(db, true, err))
        return false;
    if (!apply_missing(db, list, n, to, err)) {
        db_rollback(db);
        return false;
    }
    return db_commit(db, err);
}

bool db_migrate(struct db *db, int to, struct error *err)
{
    return db_migrate_with(db, migrations, MIGRATION_COUNT, to, err);
}

int db_schema_newest(void)
{
    return MIGRATION_COUNT;
}
