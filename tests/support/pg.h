/* Empty stores for tests: a SQLite file or a database of a throw-away PostgreSQL, each used by one test.
 *
 *     static const enum db_kind kinds[] = {DB_SQLITE, DB_POSTGRES};
 *     struct db *db = db_open(support_db_url(kind), false, &err);
 *
 * The first call for DB_POSTGRES starts one server of Debian's packages (the newest below
 * /usr/lib/postgresql) on a free loopback port and a unix socket, with fsync off; the whole test program
 * shares it. Everything lives in one scratch directory below $TMPDIR (else /tmp). Server and directory go
 * away with the test program, however it ends. A root test program runs the server as user postgres or nobody.
 * What cannot be done ends the program with one line on stderr and status 1: a missing PostgreSQL is a
 * failure, never a skipped test.
 *
 * Call from the main thread. A forked child may use urls made before the fork.
 */
#ifndef SUPPORT_PG_H
#define SUPPORT_PG_H

#include "db/db.h"

/* URL of a fresh, empty store; lives as long as the program. The PostgreSQL databases sort texts by an ICU
 * locale, so that a query which relies on the server's collation shows itself. */
const char *support_db_url(enum db_kind kind);
/* URL of a fresh store with what that one holds, which nobody may have open. */
const char *support_db_copy(enum db_kind kind, const char *url);
/* The program's scratch directory (for files of a test). */
const char *support_scratch_dir(void);
/* "sqlite" or "postgres", for messages. */
const char *support_db_name(enum db_kind kind);
/* Breaks every client connection to that database, as a server's restart would. */
void support_pg_disconnect(const char *url);

#endif
