/* Transactions under PostgreSQL, and the fate of one whose COMMIT was never answered. */
#include "db/postgres_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FATE_TRIES = 50, FATE_PAUSE_MS = 100 };

/* Readers see one state of the store, as in SQLite. Writers use READ COMMITTED: several nodes write at once, and
 * claim work by FOR UPDATE SKIP LOCKED. The id is asked for in the same round trip. */
static PGresult *send_begin(struct pg_db *d, bool write, struct error *err)
{
    return pg_query(d, write ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()::text"
                             : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

bool pg_begin(struct db *db, bool write, struct error *err)
{
    struct pg_db *d = (struct pg_db *)db;
    if (!pg_ensure_alive(d, err))
        return false;
    PGresult *r = send_begin(d, write, err);
    if (!r && db->trouble == DB_LOST) {
        db->trouble = DB_FINE;
        r = pg_reconnect(d, err) ? send_begin(d, write, err) : NULL;
    }
    if (!r)
        return false;
    snprintf(d->xid, sizeof d->xid, "%s", write ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    return true;
}

/* The answer to COMMIT got lost: asks the server what became of it. The old backend may need a moment to end. */
static bool learn_fate(struct pg_db *d, struct error *err)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT pg_xact_status('%s'::xid8)", d->xid);
    for (int i = 0; i < FATE_TRIES; i++) {
        PGresult *r = pg_ensure_alive(d, NULL) ? pg_query(d, sql, NULL) : NULL;
        const char *fate = r && PQntuples(r) ? PQgetvalue(r, 0, 0) : "";
        bool committed = !strcmp(fate, "committed"), aborted = !strcmp(fate, "aborted");
        PQclear(r);
        if (committed) {
            d->base.trouble = DB_FINE;
            return true;
        }
        if (aborted) {
            d->base.trouble = DB_LOST;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = FATE_PAUSE_MS * 1000000L}, NULL);
    }
    d->base.trouble = DB_UNKNOWN;
    error_set(err, ERROR_IO, "The connection to PostgreSQL was lost while storing; whether it was stored is not known.");
    return false;
}

bool pg_commit(struct db *db, struct error *err)
{
    struct pg_db *d = (struct pg_db *)db;
    PGresult *r = pg_query(d, "COMMIT", err);
    if (r) {
        /* COMMIT of a transaction in which a statement failed "succeeds" by rolling back. */
        bool ok = !strcmp(PQcmdStatus(r), "COMMIT");
        PQclear(r);
        return ok || error_set(err, ERROR_INTERNAL, "The transaction was rolled back: one of its statements had failed.");
    }
    /* A failed COMMIT (deferred constraint, serialization, disk) leaves no transaction. */
    if (db->trouble != DB_LOST || !*d->xid)
        return false;
    return learn_fate(d, err);
}

void pg_rollback(struct db *db)
{
    struct pg_db *d = (struct pg_db *)db;
    enum db_trouble why = db->trouble;
    if (PQstatus(d->conn) == CONNECTION_OK)
        PQclear(pg_query(d, "ROLLBACK", NULL));     /* if this fails the connection is broken, and so rolled back */
    db->trouble = why;
}

/* The transaction has an id already (see send_begin), so that its commit writes a record to the log. */
bool pg_probe(struct db *db, struct error *err)
{
    PGresult *r = pg_query((struct pg_db *)db, "SELECT 1", err);
    PQclear(r);
    return r != NULL;
}
