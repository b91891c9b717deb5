/* Brings a store to the schema of this binary, forward only, in one transaction.
 *
 * Migrations are src/db/migrations/NNNN_name.sql, embedded at build time, written once in the dialect of
 * SQLite; for PostgreSQL INTEGER becomes BIGINT and BLOB becomes BYTEA (whole words outside of quotes).
 * Table `schema_migrations(version, name, applied_at)` says what ran. A store newer than the binary is refused
 * with one clear error and left as it is. Under PostgreSQL an advisory lock lets one node migrate.
 */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/db.h"

/* to: the version to stop at (tests), 0 = the newest. */
bool db_migrate(struct db *db, int to, struct error *err);
int db_schema_newest(void);

#endif
