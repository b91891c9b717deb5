/* Runs a script on a stopped server's SQLite store: sql FILE <SCRIPT. Straight SQL, so that the bench of a large store
 * spends its time on the server and not on filling it. Beyond SQLite's own functions there is id12(kind, i): an id as
 * the server makes them, of this second, distinct for each kind (0 to 255) and i, rising with i.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SCRIPT_MAX = 1 << 16 };

static void check(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK)
        return;
    fprintf(stderr, "sql: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void id12(sqlite3_context *c, int n, sqlite3_value **v)
{
    (void)n;
    uint32_t seconds = *(const uint32_t *)sqlite3_user_data(c), i = (uint32_t)sqlite3_value_int64(v[1]);
    uint8_t id[12] = {(uint8_t)(seconds >> 24), (uint8_t)(seconds >> 16), (uint8_t)(seconds >> 8), (uint8_t)seconds, 0xf2,
                      (uint8_t)sqlite3_value_int(v[0]), 0, 0, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    sqlite3_result_blob(c, id, sizeof id, SQLITE_TRANSIENT);
}

int main(int argc, char **argv)
{
    static char script[SCRIPT_MAX];
    uint32_t seconds = (uint32_t)time(NULL);    /* one for the whole script, so that tables can refer to each other */
    sqlite3 *db;
    if (argc != 2) {
        fprintf(stderr, "usage: sql FILE <SCRIPT\n");
        return 2;
    }
    size_t n = fread(script, 1, sizeof script - 1, stdin);
    script[n] = 0;
    check(NULL, sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL));
    check(db, sqlite3_create_function(db, "id12", 2, SQLITE_UTF8, &seconds, id12, NULL, NULL));
    check(db, sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; BEGIN IMMEDIATE", NULL, NULL, NULL));
    check(db, sqlite3_exec(db, script, NULL, NULL, NULL));
    check(db, sqlite3_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL));
    check(db, sqlite3_close(db));
    return 0;
}
