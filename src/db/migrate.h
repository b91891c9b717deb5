/* Brings a store to the schema of this binary, forward only, in one transaction.
 *
 * Migrations are src/db/migrations/NNNN_name.sql, embedded at build time, written once in the dialect of
 * SQLite; for PostgreSQL INTEGER becomes BIGINT, BLOB becomes BYTEA, TEXT (but in a cast) becomes TEXT COLLATE "C",
 * which compares bytes as SQLite does, and WITHOUT ROWID goes (whole words in capitals, outside of quotes and
 * comments). INTEGER PRIMARY KEY does not count by itself there.
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
