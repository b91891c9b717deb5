/* How a database goes about the statements of a test: it listens to a connection, and looks at the plan of each that it heard.
 *
 * SQLite has no figures: its plans follow from the indexes alone. PostgreSQL decides by what the tables hold, so there they are
 * filled first, and the plans are those that it ran (auto_explain), with the test's own values.
 */
#ifndef TESTS_STORE_PLANS_H
#define TESTS_STORE_PLANS_H

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "migrated.h"
#include "db/postgres_private.h"

enum { PLANS_MAX = 512, PLANS_COST_SMALL = 100 };     /* a page costs PostgreSQL 1 */

/* The statements of the connection that is opened while it listens. */
static struct {
    sqlite3 *sqlite;
    char *sql[PLANS_MAX];
    char *plan[PLANS_MAX];      /* PostgreSQL: told with the statement */
    int n;
} heard;

static void heard_add(const char *sql, size_t n, const char *plan)
{
    if (heard.n == PLANS_MAX)
        fail_msg("more than %d statements", PLANS_MAX);
    heard.sql[heard.n] = strndup(sql, n);
    heard.plan[heard.n++] = plan ? strdup(plan) : NULL;
}

/* --- SQLite ------------------------------------------------------------------------------------------------------------ */

static int hear(unsigned type, void *ctx, void *stmt, void *text)
{
    const char *sql = sqlite3_sql(stmt);
    (void)type;
    (void)ctx;
    (void)text;
    heard_add(sql, strlen(sql), NULL);
    return 0;
}

static int listen_to(sqlite3 *db, char **err, const struct sqlite3_api_routines *api)
{
    (void)err;
    (void)api;
    heard.sqlite = db;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, hear, NULL);
}

static char *explain(const char *sql)
{
    char *explaining = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql), plan[16384] = "";
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(heard.sqlite, explaining, -1, &s, NULL) == SQLITE_OK)
        while (sqlite3_step(s) == SQLITE_ROW) {
            strncat(plan, (const char *)sqlite3_column_text(s, 3), sizeof plan - strlen(plan) - 2);
            strcat(plan, "\n");
        }
    sqlite3_finalize(s);
    sqlite3_free(explaining);
    return strdup(plan);
}

/* --- PostgreSQL ---------------------------------------------------------------------------------------------------------- */

/* 20,000 rows of every table that grows with use, nearly all of them of the environment 01 00 … (that it is the environment's
 * narrows nothing down then): twenty for each of a thousand subscribers, topics and workflows, one for each run, event and message. */
static const char fill_sql[] =
    "DO $$ DECLARE t text; names text; vals text; BEGIN "
    "FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT IN "
    "  ('environments','organizations','users','members','api_keys','integrations','layouts','nodes','removals','domains','domain_routes',"
    "   'agents','agent_integrations','environment_variables','environment_variable_values','webhook_endpoints','schema_migrations',"
    "   'legacy_groups_now', 'workflows') LOOP "
    "  SELECT string_agg(quote_ident(column_name), ','), string_agg(CASE "
    "    WHEN is_nullable = 'YES' AND data_type IN ('bigint', 'integer') THEN 'NULL' "
    "    WHEN column_name = 'id' AND data_type = 'bytea' THEN 'decode(lpad(to_hex(i), 24, ''0''), ''hex'')' "
    "    WHEN column_name IN ('environment_id', 'organization_id') THEN 'decode(rpad(lpad(to_hex((i % 50) / 49 + 1), 2, ''0''), 24, ''0''), ''hex'')' "
    "    WHEN column_name ~ '^(subscriber|topic|workflow|user|integration)_id$' THEN 'decode(lpad(to_hex(i * 7919 % 1000), 24, ''0''), ''hex'')' "
    "    WHEN data_type = 'bytea' THEN 'decode(lpad(to_hex(i), 24, ''0''), ''hex'')' "
    "    WHEN data_type IN ('bigint', 'integer') AND column_name ~ '(_at|_ms|revision|position|sequence|number)$' THEN 'i' "
    "    WHEN data_type IN ('bigint', 'integer') THEN 'i % 3' "
    "    WHEN data_type = 'text' AND column_name ~ '(doc|data|content|body|settings)$' THEN '''{}''' "
    "    ELSE '''t'' || i' END, ',') "
    "  INTO names, vals FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = t AND is_generated = 'NEVER'; "
    "  EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, 20000) i ON CONFLICT DO NOTHING', t, names, vals); "
    "END LOOP; END $$";

/* "duration: 0.1 ms  plan:\nQuery Text: …\nLimit  (cost=…" */
static void told(void *ctx, const PGresult *r)
{
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), *sql, *plan;
    (void)ctx;
    if (text && (sql = strstr(text, "Query Text: ")) && (plan = strchr(sql, '\n')))
        heard_add(sql + 12, (size_t)(plan - sql - 12), plan + 1);
}

static void fill(struct db *db)
{
    struct error err = {0};
    must(db_exec(db, fill_sql, &err), &err, "fill");
    must(db_exec(db, "ANALYZE", &err), &err, "analyze");
    PQsetNoticeReceiver(((struct pg_db *)db)->conn, told, NULL);
    must(db_exec(db, "LOAD 'auto_explain'", &err) && db_exec(db, "SET auto_explain.log_min_duration = 0", &err)
         && db_exec(db, "SET auto_explain.log_level = notice", &err) && db_exec(db, "SET client_min_messages = notice", &err), &err, "explain");
}

/* --- both ------------------------------------------------------------------------------------------------------------------ */

/* A fresh store whose statements are heard. */
static struct db *plans_begin(enum db_kind kind)
{
    struct error err = {0};
    char url[512];
    snprintf(url, sizeof url, "%s", support_store_url(kind));
    struct db *db = db_open(url, false, &err);
    must(db != NULL, &err, "store");
    heard.n = 0;
    if (kind == DB_POSTGRES) {
        fill(db);
        return db;
    }
    db_close(db);
    sqlite3_auto_extension((void (*)(void))listen_to);
    db = db_open(url, false, &err);
    sqlite3_reset_auto_extension();
    must(db != NULL, &err, "open");
    return db;
}

/* Calls bad(sql, plan) for each statement with its plan's lines, and returns how many it refused. Ends the listening and closes
 * db. With PLANS in the environment all plans are printed. */
static int plans_end(struct db *db, bool (*bad)(const char *sql, const char *plan))
{
    int refused = 0;
    bool lite = db_kind_of(db) == DB_SQLITE;
    if (lite)
        sqlite3_trace_v2(heard.sqlite, 0, NULL, NULL);
    for (int i = 0; i < heard.n; i++) {
        char *plan = lite ? explain(heard.sql[i]) : heard.plan[i];
        if (getenv("PLANS"))
            print_message("%s%s\n\n", plan, heard.sql[i]);
        if (bad(heard.sql[i], plan)) {
            print_error("%s%s\n", plan, heard.sql[i]);
            refused++;
        }
        free(plan);
        free(heard.sql[i]);
    }
    db_close(db);
    return refused;
}

/* SQLite: a line "SCAN <table>" reads all of it; a subquery's own rows (the capped count) are no table. */
static bool plan_scans_a_table(const char *plan)
{
    for (const char *line = plan; *line; line = strchr(line, '\n') + 1)
        if (!strncmp(line, "SCAN ", 5) && strncmp(line, "SCAN capped", 11) && strncmp(line, "SCAN (", 6)
            && strncmp(line, "SCAN SUBQUERY", 13) && strncmp(line, "SCAN CONSTANT", 13))
            return true;
    return false;
}

/* PostgreSQL: tables that were not filled are read as a whole because they fit into a page. So may be
 * - what is counted, up to a bound, and is nearly all there is;
 * - deliveries when a person is removed: only what is due or dead is there, and an index by run would cost each delivery two
 *   writes more. */
static bool plan_scans_a_filled_table(const char *sql, const char *plan)
{
    if (strstr(sql, ") AS capped") || strstr(sql, "DELETE FROM deliveries WHERE environment_id"))
        return false;
    for (const char *at = plan; (at = strstr(at, "Seq Scan on ")); at++) {
        const char *cost = strstr(at, "..");
        if (cost && strtod(cost + 2, NULL) > PLANS_COST_SMALL)
            return true;
    }
    return false;
}

#endif
