/* Puts N more subscribers into a stopped server's SQLite store, as copies of the first one that is there:
 * fill FILE N. Straight SQL, so that the bench of a full store spends its time on the server and not on this.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    fprintf(stderr, "fill: %s\n", sqlite3_errmsg(db));
    exit(1);
}

/* INSERT … SELECT of every column but id and subscriber_id, whatever the others are called. */
static sqlite3_stmt *copy_prepare(sqlite3 *db)
{
    char columns[2048] = "", sql[8192];
    sqlite3_stmt *info;
    check(db, sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_info('subscribers') WHERE name NOT IN ('id', 'subscriber_id')",
        -1, &info, NULL));
    while (sqlite3_step(info) == SQLITE_ROW) {
        strncat(columns, ", ", sizeof columns - strlen(columns) - 1);
        strncat(columns, (const char *)sqlite3_column_text(info, 0), sizeof columns - strlen(columns) - 1);
    }
    sqlite3_finalize(info);
    snprintf(sql, sizeof sql, "INSERT INTO subscribers (id, subscriber_id%s) SELECT ?1, ?2%s FROM "
        "(SELECT * FROM subscribers LIMIT 1)", columns, columns);
    sqlite3_stmt *copy;
    check(db, sqlite3_prepare_v2(db, sql, -1, &copy, NULL));
    return copy;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: fill FILE N\n");
        return 2;
    }
    sqlite3 *db;
    check(NULL, sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL));
    sqlite3_stmt *copy = copy_prepare(db);
    int n = atoi(argv[2]);
    uint32_t seconds = (uint32_t)time(NULL);
    check(db, sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    for (int i = 0; i < n; i++) {
        uint8_t id[12] = { (uint8_t)(seconds >> 24), (uint8_t)(seconds >> 16), (uint8_t)(seconds >> 8), (uint8_t)seconds,
            0xf1, 0x11, 0, 0, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        char name[32];
        snprintf(name, sizeof name, "filled-%07d", i);
        sqlite3_bind_blob(copy, 1, id, sizeof id, SQLITE_STATIC);
        sqlite3_bind_text(copy, 2, name, -1, SQLITE_STATIC);
        check(db, sqlite3_step(copy));
        check(db, sqlite3_reset(copy));
    }
    if (sqlite3_changes(db) == 0) {
        fprintf(stderr, "fill: the store has no subscriber to copy\n");
        return 1;
    }
    check(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
    sqlite3_finalize(copy);
    check(db, sqlite3_close(db));
    return 0;
}
