/* How SQLite goes about the statements of a test: it listens to a connection and explains what it heard. */
#ifndef TESTS_STORE_PLANS_H
#define TESTS_STORE_PLANS_H

#include <sqlite3.h>
#include <stdio.h>

#include "../unit/db/both.h"
#include "db/migrate.h"

enum { PLANS_MAX = 256 };

/* A test program may: the statements of the connection that is opened while it listens. */
static struct {
    sqlite3 *db;
    char *sql[PLANS_MAX];
    int n;
} heard;

static int hear(unsigned type, void *ctx, void *stmt, void *text)
{
    (void)type;
    (void)ctx;
    (void)text;
    if (heard.n < PLANS_MAX)
        heard.sql[heard.n++] = strdup(sqlite3_sql(stmt));
    return 0;
}

static int listen_to(sqlite3 *db, char **err, const struct sqlite3_api_routines *api)
{
    (void)err;
    (void)api;
    heard.db = db;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, hear, NULL);
}

/* A fresh SQLite store whose statements are heard. */
static struct db *plans_begin(void)
{
    struct error err = {0};
    char url[512];
    snprintf(url, sizeof url, "%s", support_db_url(DB_SQLITE));
    struct db *db = db_open(url, false, &err);
    must(db && db_migrate(db, 0, &err), &err, "store");
    db_close(db);
    heard.n = 0;
    sqlite3_auto_extension((void (*)(void))listen_to);
    db = db_open(url, false, &err);
    sqlite3_reset_auto_extension();
    must(db != NULL, &err, "open");
    return db;
}

/* Calls bad(sql, detail, plan) for each statement with its plan's lines, and returns how many it refused. Ends the
 * listening and closes db. With PLANS in the environment all plans are printed. */
static int plans_end(struct db *db, bool (*bad)(const char *sql, const char *plan))
{
    int refused = 0;
    sqlite3_trace_v2(heard.db, 0, NULL, NULL);
    for (int i = 0; i < heard.n; i++) {
        char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", heard.sql[i]);
        sqlite3_stmt *s = NULL;
        char plan[2048] = "";
        if (sqlite3_prepare_v2(heard.db, explain, -1, &s, NULL) == SQLITE_OK)
            while (sqlite3_step(s) == SQLITE_ROW) {
                strncat(plan, (const char *)sqlite3_column_text(s, 3), sizeof plan - strlen(plan) - 2);
                strcat(plan, "\n");
            }
        if (getenv("PLANS"))
            print_message("%s%s\n\n", plan, heard.sql[i]);
        if (bad(heard.sql[i], plan)) {
            print_error("%s%s\n", plan, heard.sql[i]);
            refused++;
        }
        sqlite3_finalize(s);
        sqlite3_free(explain);
        free(heard.sql[i]);
    }
    db_close(db);
    return refused;
}

/* A line "SCAN <table>" reads all of it; a subquery's own rows (the capped count) are no table. */
static bool plan_scans_a_table(const char *plan)
{
    for (const char *line = plan; *line; line = strchr(line, '\n') + 1)
        if (!strncmp(line, "SCAN ", 5) && strncmp(line, "SCAN capped", 11) && strncmp(line, "SCAN (", 6)
            && strncmp(line, "SCAN SUBQUERY", 13) && strncmp(line, "SCAN CONSTANT", 13))
            return true;
    return false;
}

#endif
