/* What the files of the PostgreSQL driver share. */
#ifndef DB_POSTGRES_PRIVATE_H
#define DB_POSTGRES_PRIVATE_H

#include <libpq-fe.h>

#include "db/db_private.h"

struct pg_db {
    struct db base;
    PGconn *conn;               /* never NULL; may be broken */
    unsigned generation;        /* counts connections: statements of an earlier one must be prepared again */
    unsigned names;             /* prepared statements so far, for their names */
    char xid[24];               /* of the open write transaction, to learn its fate if COMMIT loses the line */
    char url[];
};

/* postgres_connection.c */
bool pg_connect(struct pg_db *d, struct error *err);
/* A fresh connection in place of a broken one; not inside a transaction. */
bool pg_reconnect(struct pg_db *d, struct error *err);
/* Outside of a transaction, before anything is sent: reconnects if the server has hung up meanwhile. */
bool pg_ensure_alive(struct pg_db *d, struct error *err);
/* Fills err (and the connection's trouble) from a failed result, by SQLSTATE; NULL: the connection's own error.
 * Always false. */
bool pg_fail(struct pg_db *d, const PGresult *r, struct error *err);
/* Runs SQL without parameters; the result of the last statement is the caller's, NULL after a failure. */
PGresult *pg_query(struct pg_db *d, const char *sql, struct error *err);
void pg_count_changes(struct pg_db *d, PGresult *r, int64_t *changes);

/* postgres_transaction.c */
bool pg_begin(struct db *db, bool write, struct error *err);
bool pg_commit(struct db *db, struct error *err);
void pg_rollback(struct db *db);
bool pg_probe(struct db *db, struct error *err);

#endif
