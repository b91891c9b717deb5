/* The ceiling: what a trigger leaves in Carillon's store, written straight through SQLite by one thread.
 *
 *   raw_trigger SAMPLE FILE BATCH SECONDS SUBSCRIBERS plain|indexed
 *
 * SAMPLE is a store that Carillon has written (and is no longer using): its newest event, run and message are
 * the rows that are written again and again, with a fresh id that the three share as they do there, BATCH triggers to a commit, WAL and
 * synchronous=FULL as Carillon has them. plain: the rows alone, without any index: the same bytes and nothing
 * else. indexed: with the keys and indexes of Carillon's schema, the least that a store of that schema can do.
 * No request is read, nothing is looked up or rendered. Prints JSON.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TABLES = 3, COLUMNS_MAX = 48 };

static const char *const TABLE_NAMES[TABLES] = { "events", "runs", "messages" };

struct table {
    sqlite3_stmt *insert;
    int columns;
    char names[COLUMNS_MAX][32];
    sqlite3_value *sample[COLUMNS_MAX];
};

struct raw {
    sqlite3 *db;
    struct table tables[TABLES];
    uint8_t id[12];
    uint32_t serial, start_s, subscribers;
};

static void check(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    fprintf(stderr, "raw_trigger: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void run_sql(struct raw *r, const char *sql)
{
    check(r->db, sqlite3_exec(r->db, sql, NULL, NULL, NULL));
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The sample's own CREATE statements, or bare tables of the same columns. */
static void tables_create(struct raw *r, bool indexed)
{
    char sql[512];
    for (int i = 0; i < TABLES; i++) {
        if (!indexed) {
            snprintf(sql, sizeof sql, "CREATE TABLE main.%s AS SELECT * FROM sample.%s WHERE 0", TABLE_NAMES[i], TABLE_NAMES[i]);
            run_sql(r, sql);
            continue;
        }
        sqlite3_stmt *s;
        check(r->db, sqlite3_prepare_v2(r->db, "SELECT sql FROM sample.sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL "
            "ORDER BY type DESC", -1, &s, NULL));
        sqlite3_bind_text(s, 1, TABLE_NAMES[i], -1, SQLITE_STATIC);
        while (sqlite3_step(s) == SQLITE_ROW)
            run_sql(r, (const char *)sqlite3_column_text(s, 0));
        sqlite3_finalize(s);
    }
}

static void table_prepare(struct raw *r, int which)
{
    struct table *t = &r->tables[which];
    char sql[1024];
    snprintf(sql, sizeof sql, "SELECT * FROM sample.%s ORDER BY id DESC LIMIT 1", TABLE_NAMES[which]);
    sqlite3_stmt *row;
    check(r->db, sqlite3_prepare_v2(r->db, sql, -1, &row, NULL));
    t->columns = sqlite3_column_count(row);
    if (sqlite3_step(row) != SQLITE_ROW || t->columns > COLUMNS_MAX) {
        fprintf(stderr, "raw_trigger: the sample has no %s, or too many columns\n", TABLE_NAMES[which]);
        exit(1);
    }
    int n = snprintf(sql, sizeof sql, "INSERT INTO main.%s VALUES (?", TABLE_NAMES[which]);
    for (int i = 0; i < t->columns; i++) {
        /* Copied: a SELECT left open would keep the connection reading, and the log from being checkpointed. */
        t->sample[i] = sqlite3_value_dup(sqlite3_column_value(row, i));
        snprintf(t->names[i], sizeof t->names[i], "%s", sqlite3_column_name(row, i));
        if (i > 0)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
    }
    sqlite3_finalize(row);
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    check(r->db, sqlite3_prepare_v2(r->db, sql, -1, &t->insert, NULL));
}

static void id_next(struct raw *r)
{
    uint32_t n = ++r->serial;
    uint8_t fresh[12] = { (uint8_t)(r->start_s >> 24), (uint8_t)(r->start_s >> 16), (uint8_t)(r->start_s >> 8), (uint8_t)r->start_s,
        0xbe, 0x9c, 0, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
    memcpy(r->id, fresh, sizeof fresh);
}

static void row_insert(struct raw *r, int which, int trigger)
{
    struct table *t = &r->tables[which];
    uint32_t s = (uint32_t)trigger * 2654435761u % r->subscribers;     /* scattered as bench_load does it */
    uint8_t subscriber[12] = { 0x5b, [9] = (uint8_t)(s >> 16), [10] = (uint8_t)(s >> 8), [11] = (uint8_t)s };
    char transaction[40];
    int transaction_len = snprintf(transaction, sizeof transaction, "raw-transaction-%d", trigger);
    for (int i = 0; i < t->columns; i++) {
        const char *name = t->names[i];
        if (strcmp(name, "id") == 0 || strcmp(name, "event_id") == 0 || strcmp(name, "run_id") == 0)
            sqlite3_bind_blob(t->insert, i + 1, r->id, sizeof r->id, SQLITE_STATIC);
        else if (strcmp(name, "subscriber_id") == 0)
            sqlite3_bind_blob(t->insert, i + 1, subscriber, 12, SQLITE_TRANSIENT);
        else if (strcmp(name, "transaction_id") == 0)
            sqlite3_bind_text(t->insert, i + 1, transaction, transaction_len, SQLITE_TRANSIENT);
        else
            sqlite3_bind_value(t->insert, i + 1, t->sample[i]);
    }
    check(r->db, sqlite3_step(t->insert));
    check(r->db, sqlite3_reset(t->insert));
}

static int64_t sample_bytes(const struct raw *r)
{
    int64_t n = 0;
    for (int i = 0; i < TABLES; i++)
        for (int c = 0; c < r->tables[i].columns; c++)
            n += sqlite3_value_type(r->tables[i].sample[c]) == SQLITE_INTEGER ? 8 : sqlite3_value_bytes(r->tables[i].sample[c]);
    return n;
}

static void store_open(struct raw *r, const char *sample, const char *file, bool indexed)
{
    char sql[1024];
    unlink(file);
    check(NULL, sqlite3_open(file, &r->db));
    run_sql(r, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536");
    sqlite3_snprintf(sizeof sql, sql, "ATTACH 'file:%q?mode=ro' AS sample", sample);
    run_sql(r, sql);
    tables_create(r, indexed);
    for (int i = 0; i < TABLES; i++)
        table_prepare(r, i);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: raw_trigger SAMPLE FILE BATCH SECONDS SUBSCRIBERS plain|indexed\n");
        return 2;
    }
    sqlite3_config(SQLITE_CONFIG_URI, 1);
    struct raw r = { .start_s = (uint32_t)time(NULL), .subscribers = (uint32_t)atoi(argv[5]) };
    store_open(&r, argv[1], argv[2], strcmp(argv[6], "indexed") == 0);
    int batch = atoi(argv[3]), triggers = 0, commits = 0;
    double seconds = atof(argv[4]), start = now_s(), spent = 0;
    while (spent < seconds) {
        run_sql(&r, "BEGIN IMMEDIATE");
        for (int i = 0; i < batch; i++, triggers++) {
            id_next(&r);
            for (int t = 0; t < TABLES; t++)
                row_insert(&r, t, triggers);
        }
        run_sql(&r, "COMMIT");
        commits++;
        spent = now_s() - start;
    }
    printf("{\"mode\":\"%s\",\"batch\":%d,\"triggers\":%d,\"seconds\":%.3f,\"rate\":%.1f,\"commits_per_s\":%.1f,\"bytes_per_trigger\":%lld}\n",
        argv[6], batch, triggers, spent, triggers / spent, commits / spent, (long long)sample_bytes(&r));
    return 0;
}
