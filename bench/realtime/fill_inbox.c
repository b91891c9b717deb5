/* Fills the Inboxes of a stopped server's SQLite store with copies of the first in-app message that is there:
 * fill_inbox FILE N EACH HUGE. N messages go round: HUGE of them to the subscriber called "huge", EACH to everybody else,
 * first to the subscribers that the store has and then to as many that only messages know. Neighbours in time belong to
 * different people, half is read. Straight SQL; indexes are made again at the end, as fast as sorting is.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 64, REAL_MAX = 4096, ID = 12 };

struct fill {
    sqlite3 *db;
    sqlite3_stmt *sample, *insert;
    int columns;
    struct { int id, run, job, subscriber, seen, read, created, updated; } at;
    uint8_t real[REAL_MAX][ID], huge[ID];
    int reals;
};

static void check(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    fprintf(stderr, "fill_inbox: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    check(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

static void insert_prepare(struct fill *f)
{
    char sql[4096] = "INSERT INTO messages VALUES (?1";
    f->sample = prepare(f->db, "SELECT * FROM messages WHERE channel = 0 LIMIT 1");
    if (sqlite3_step(f->sample) != SQLITE_ROW) {
        fprintf(stderr, "fill_inbox: there is no message to copy\n");
        exit(1);
    }
    f->columns = sqlite3_column_count(f->sample);
    struct { const char *name; int *at; } known[] = {{"id", &f->at.id}, {"run_id", &f->at.run}, {"job_id", &f->at.job},
        {"subscriber_id", &f->at.subscriber}, {"seen", &f->at.seen}, {"read", &f->at.read}, {"created_at", &f->at.created},
        {"updated_at", &f->at.updated}};
    for (int c = 0; c < f->columns; c++) {
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (!strcmp(sqlite3_column_name(f->sample, c), known[k].name))
                *known[k].at = c + 1;
        if (c)
            snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ", ?%d", c + 1);
    }
    strcat(sql, ")");
    f->insert = prepare(f->db, sql);
    for (int c = 0; c < f->columns; c++)
        check(f->db, sqlite3_bind_value(f->insert, c + 1, sqlite3_column_value(f->sample, c)));
}

static void people_read(struct fill *f)
{
    sqlite3_stmt *s = prepare(f->db, "SELECT id, subscriber_id FROM subscribers");
    while (sqlite3_step(s) == SQLITE_ROW && f->reals < REAL_MAX) {
        int huge = !strcmp((const char *)sqlite3_column_text(s, 1), "huge");
        memcpy(huge ? f->huge : f->real[f->reals++], sqlite3_column_blob(s, 0), ID);
    }
    sqlite3_finalize(s);
}

static void id_of(uint8_t id[ID], uint32_t seconds, uint32_t mark, uint32_t n)
{
    for (int i = 0; i < 4; i++) {
        id[i] = (uint8_t)(seconds >> (24 - 8 * i));
        id[4 + i] = (uint8_t)(mark >> (24 - 8 * i));
        id[8 + i] = (uint8_t)(n >> (24 - 8 * i));
    }
}

static void add(struct fill *f, int64_t n, const uint8_t *person, int64_t created)
{
    uint8_t id[ID];
    id_of(id, (uint32_t)(created / 1000), 0xf2220000, (uint32_t)n);
    sqlite3_bind_blob(f->insert, f->at.id, id, ID, SQLITE_STATIC);
    sqlite3_bind_blob(f->insert, f->at.run, id, ID, SQLITE_STATIC);
    sqlite3_bind_blob(f->insert, f->at.job, id, ID, SQLITE_STATIC);
    sqlite3_bind_blob(f->insert, f->at.subscriber, person, ID, SQLITE_STATIC);
    sqlite3_bind_int(f->insert, f->at.seen, (int)(n / 7 & 1));
    sqlite3_bind_int(f->insert, f->at.read, (int)(n / 7 & 1));
    sqlite3_bind_int64(f->insert, f->at.created, created);
    sqlite3_bind_int64(f->insert, f->at.updated, created);
    check(f->db, sqlite3_step(f->insert));
    check(f->db, sqlite3_reset(f->insert));
}

/* The n-th of the others: one of the store's, or one of nobody. */
static const uint8_t *person_of(struct fill *f, int64_t n, int64_t people, uint8_t nobody[ID])
{
    int64_t i = (int64_t)((uint64_t)n * 2654435761u % (uint64_t)people);
    if (i < f->reals)
        return f->real[i];
    id_of(nobody, 0x60000000, 0xf3330000, (uint32_t)i);
    return nobody;
}

int main(int argc, char **argv)
{
    static struct fill f;
    if (argc != 5) {
        fprintf(stderr, "usage: fill_inbox FILE N EACH HUGE\n");
        return 2;
    }
    int64_t total = atoll(argv[2]), each = atoll(argv[3]), huge = atoll(argv[4]), others = total - huge;
    check(NULL, sqlite3_open_v2(argv[1], &f.db, SQLITE_OPEN_READWRITE, NULL));
    run(f.db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; PRAGMA wal_autocheckpoint = 100000; PRAGMA temp_store = FILE");
    insert_prepare(&f);
    people_read(&f);
    sqlite3_stmt *s = prepare(f.db, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'messages' AND sql IS NOT NULL");
    char *made[16], drop[256];
    int n_made = 0;
    while (sqlite3_step(s) == SQLITE_ROW && n_made < 16)
        made[n_made++] = sqlite3_mprintf("DROP INDEX %s; %s", sqlite3_column_text(s, 0), sqlite3_column_text(s, 1));
    sqlite3_finalize(s);
    int64_t start = sqlite3_column_int64(f.sample, f.at.created - 1) - total * 10;     /* ten milliseconds apart, all in the past */
    sqlite3_finalize(f.sample);
    run(f.db, "BEGIN IMMEDIATE");
    for (int i = 0; i < n_made; i++) {
        snprintf(drop, sizeof drop, "%.*s", (int)(strchr(made[i], ';') - made[i]), made[i]);
        run(f.db, drop);
    }
    for (int64_t n = 0, to_huge = 0, to_others = 0; n < total; n++) {
        uint8_t nobody[ID];
        if (to_huge * others <= to_others * huge && to_huge < huge)
            add(&f, n, (to_huge++, f.huge), start + n * 10);
        else
            add(&f, n, person_of(&f, to_others++, others / each, nobody), start + n * 10);
    }
    run(f.db, "COMMIT");
    for (int i = 0; i < n_made; i++)
        run(f.db, strchr(made[i], ';') + 1);
    run(f.db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_finalize(f.insert);
    check(f.db, sqlite3_close(f.db));
    return 0;
}
