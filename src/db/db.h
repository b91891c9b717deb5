/* The narrow door to the store: one header, two drivers (SQLite, PostgreSQL), every query written once.
 *
 * SQL is the common subset: `?1`-style parameters, INSERT … ON CONFLICT … DO, RETURNING, partial indexes,
 * row values in comparisons. Types are INTEGER (64 bit), TEXT (UTF-8, no NUL), BLOB. Booleans are INTEGER 0/1,
 * times INTEGER milliseconds, ids BLOB of 12 bytes. Aggregates other than COUNT need a cast to INTEGER.
 * In every text the capital words INTEGER and BLOB become BIGINT and BYTEA for PostgreSQL, and SQLite is not shown
 * FOR UPDATE [SKIP LOCKED]. LIKE minds the case in both; an escape character needs its ESCAPE clause.
 * "x" is a name, never a text.
 *
 * Threads: a struct db is one connection and belongs to one thread at a time.
 * Ownership: statements belong to their connection; texts read from a row are valid until the next
 * db_step/db_reset of that statement (copy what must live longer). Bound memory must live until the statement
 * is stepped to its end or reset.
 * Memory: under PostgreSQL a result is held whole until its statement is reset: page long lists with LIMIT.
 * Failures: after DB_FAILED inside a transaction nothing may follow but db_rollback or db_rollback_to (SQLite
 * would go on, PostgreSQL does not). Under PostgreSQL a lost connection is replaced by the next statement or
 * db_begin outside of a transaction; inside of one it fails to the end.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/str.h"
#include "db/value.h"

struct db;
struct db_stmt;

enum db_kind { DB_SQLITE, DB_POSTGRES };

/* url: "sqlite:<path of the file>" or "postgres://…"/"postgresql://…" (libpq connection URI).
 * read_only: a reader: never takes the write lock. Errors: ERROR_BUSY (another process holds the data
 * directory), ERROR_IO (cannot open; the message never holds the password), ERROR_FULL. */
struct db *db_open(const char *url, bool read_only, struct error *err);
void db_close(struct db *db);                    /* accepts NULL */
enum db_kind db_kind_of(const struct db *db);

/* A prepared statement, reset and without bindings. Cached by its text for the life of the connection, so
 * pass literals; using one statement while it is still being stepped is an error (ERROR_INTERNAL). */
struct db_stmt *db_prepare(struct db *db, const char *sql, struct error *err);

/* What its user wants to know again for ten seconds without asking the store: that something holds, by a hash of what. Few
 * are kept, the oldest gives way. */
void db_remember(struct db *db, uint64_t what);
bool db_remembers(const struct db *db, uint64_t what);

/* Parameters are numbered from 1. */
void db_bind_int(struct db_stmt *s, int i, int64_t v);
void db_bind_text(struct db_stmt *s, int i, struct str v);      /* p NULL: NULL */
void db_bind_blob(struct db_stmt *s, int i, struct str v);      /* p NULL: NULL */
void db_bind_id(struct db_stmt *s, int i, struct id v);         /* copied */
void db_bind_null(struct db_stmt *s, int i);

/* The usual way: prepares the statement and binds its parameters ?1, ?2, … to the values that follow: an id, a str
 * (text), any whole number or bool, or what value.h makes of the rest. NULL: see err. */
#define db_query(db, err, sql, ...) db_query_values((db), (err), (sql), DB_VALUES(__VA_ARGS__))
/* The same for a statement that returns no rows, run to its end. */
#define db_write(db, err, sql, ...) db_write_values((db), (err), (sql), DB_VALUES(__VA_ARGS__))

struct db_stmt *db_query_values(struct db *db, struct error *err, const char *sql, const struct db_value *values, int n);
bool db_write_values(struct db *db, struct error *err, const char *sql, const struct db_value *values, int n);
void db_bind_value(struct db_stmt *s, int i, struct db_value v);

enum db_step { DB_ROW, DB_DONE, DB_FAILED };
/* DB_FAILED fills err: ERROR_CONFLICT (unique or foreign key), ERROR_BUSY, ERROR_FULL, ERROR_IO (connection lost
 * too), ERROR_BAD_INPUT (a text with a NUL or that is no UTF-8), ERROR_INTERNAL (bad SQL: a bug). */
enum db_step db_step(struct db_stmt *s, struct error *err);
/* Steps a statement that returns no rows to its end, and resets it. */
bool db_run(struct db_stmt *s, struct error *err);
/* Ends the use of a statement before its end. */
void db_reset(struct db_stmt *s);
/* Rows that the last completed INSERT, UPDATE or DELETE of this statement changed. */
int64_t db_changes(const struct db_stmt *s);

/* Columns are numbered from 0. NULL reads as 0, empty (p NULL), zero id. */
bool db_is_null(struct db_stmt *s, int col);
int64_t db_int(struct db_stmt *s, int col);
struct str db_text(struct db_stmt *s, int col);
struct str db_blob(struct db_stmt *s, int col);
struct id db_id(struct db_stmt *s, int col);

/* Runs SQL without parameters or rows; several statements separated by `;`. */
bool db_exec(struct db *db, const char *sql, struct error *err);

/* Transactions do not nest; savepoints do, by level (a small number that the caller counts). A read transaction
 * sees one state of the store. A write transaction is alone in SQLite; under PostgreSQL it is READ COMMITTED.
 * After a failed db_commit nothing is left open. db_rollback_to undoes and ends the savepoint. */
bool db_begin(struct db *db, bool write, struct error *err);
bool db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db);
bool db_savepoint(struct db *db, int level, struct error *err);
bool db_release(struct db *db, int level, struct error *err);
void db_rollback_to(struct db *db, int level);

/* A word from those who write to whoever commits: the transaction leaves work that is due then, and somebody may sleep until
 * told. The earliest since it was last taken; INT64_MAX: nothing. */
void db_due_note(struct db *db, int64_t due_at);
int64_t db_due_take(struct db *db);

/* What the rooms above keep for this connection, to be found by whoever is given it: one thing, once; closed is called for it
 * when the connection is closed. db_follower: NULL without. */
void db_follow(struct db *db, void *follower, void (*closed)(void *follower));
void *db_follower(const struct db *db);

/* Rows written (inserted, updated, deleted) through this connection since it was opened, for the benches. */
int64_t db_rows_written(const struct db *db);

#endif
