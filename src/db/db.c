/* The common half of the store: picks the driver, caches statements, keeps track of the transaction. */
#include "db/db_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BUCKETS_FIRST = 64, SAVEPOINT_LEN = 48 };

struct db *db_open(const char *url, bool read_only, struct error *err)
{
    const struct db_driver *driver;
    if (!strncmp(url, "sqlite:", 7))
        driver = &db_sqlite_driver;
    else if (!strncmp(url, "postgres://", 11) || !strncmp(url, "postgresql://", 13))
        driver = &db_postgres_driver;
    else {
        error_set(err, ERROR_BAD_INPUT, "A database URL begins with sqlite:, postgres:// or postgresql://.");
        return NULL;
    }
    struct db *db = driver->open(url, read_only, err);
    if (!db)
        return NULL;
    db->driver = driver;
    db->kind = driver == &db_sqlite_driver ? DB_SQLITE : DB_POSTGRES;
    db->read_only = read_only;
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->in_tx)
        db_rollback(db);
    for (size_t b = 0; b < db->bucket_count; b++)
        for (struct db_stmt *s = db->buckets[b], *next; s; s = next) {
            next = s->next;
            free(s->sql);
            db->driver->stmt_destroy(s);
        }
    free(db->buckets);
    if (db->follower)
        db->follower_closed(db->follower);
    db->driver->close(db);
}

enum db_kind db_kind_of(const struct db *db)
{
    return db->kind;
}

/* FNV-1a over words: the texts are long and are hashed for each use. */
static uint64_t text_hash(const char *p, size_t n)
{
    uint64_t h = 1469598103934665603u ^ n, w;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 1099511628211u;
        h ^= h >> 29;
    }
    for (; n; p++, n--)
        h = (h ^ (uint8_t)*p) * 1099511628211u;
    return h ^ (h >> 32);
}

static bool buckets_grow(struct db *db)
{
    size_t count = db->bucket_count ? db->bucket_count * 2 : BUCKETS_FIRST;
    struct db_stmt **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return false;
    for (size_t b = 0; b < db->bucket_count; b++)
        for (struct db_stmt *s = db->buckets[b], *next; s; s = next) {
            next = s->next;
            s->next = buckets[s->hash & (count - 1)];
            buckets[s->hash & (count - 1)] = s;
        }
    free(db->buckets);
    db->buckets = buckets;
    db->bucket_count = count;
    return true;
}

static struct db_stmt *stmt_new(struct db *db, const char *sql, uint64_t hash, struct error *err)
{
    if (db->stmt_count >= db->bucket_count && !buckets_grow(db)) {
        error_set(err, ERROR_INTERNAL, "Out of memory.");
        return NULL;
    }
    struct db_stmt *s = db->driver->stmt_create(db, sql, err);
    if (!s)
        return NULL;
    s->db = db;
    s->hash = hash;
    s->sql = strdup(sql);
    if (!s->sql)
        abort();
    s->next = db->buckets[hash & (db->bucket_count - 1)];
    db->buckets[hash & (db->bucket_count - 1)] = s;
    db->stmt_count++;
    return s;
}

static struct db_stmt *stmt_of_text(struct db *db, const char *sql, struct error *err)
{
    uint64_t hash = text_hash(sql, strlen(sql));
    struct db_stmt *s = db->bucket_count ? db->buckets[hash & (db->bucket_count - 1)] : NULL;
    while (s && (s->hash != hash || strcmp(s->sql, sql)))
        s = s->next;
    return s ? s : stmt_new(db, sql, hash, err);
}

struct db_stmt *db_prepare(struct db *db, const char *sql, struct error *err)
{
    struct db_stmt **recent = &db->recent[((uintptr_t)sql >> 3 ^ (uintptr_t)sql >> 11) % RECENT];
    if (!*recent || strcmp((*recent)->sql, sql))
        *recent = stmt_of_text(db, sql, err);
    struct db_stmt *s = *recent;
    if (!s)
        return NULL;
    if (s->stepping) {
        error_set(err, ERROR_INTERNAL, "A statement is used again while its rows are still being read: %.200s", sql);
        return NULL;
    }
    s->has_nul = false;
    db->driver->stmt_clear(s);
    return s;
}

enum { MEMORY_MS = 10000 };

/* A coarse clock of its own: nothing that is stored depends on it. */
static int64_t memory_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void db_remember(struct db *db, uint64_t what)
{
    unsigned i = db->memory_next++ % MEMORIES;
    db->memories[i].what = what;
    db->memories[i].until_ms = memory_now() + MEMORY_MS;
}

bool db_remembers(const struct db *db, uint64_t what)
{
    for (int i = 0; i < MEMORIES; i++)
        if (db->memories[i].what == what && db->memories[i].until_ms)
            return db->memories[i].until_ms > memory_now();
    return false;
}

void db_bind_int(struct db_stmt *s, int i, int64_t v) { s->db->driver->bind_int(s, i, v); }
void db_bind_blob(struct db_stmt *s, int i, struct str v) { s->db->driver->bind_blob(s, i, v); }
void db_bind_id(struct db_stmt *s, int i, struct id v) { s->db->driver->bind_id(s, i, v); }
void db_bind_null(struct db_stmt *s, int i) { s->db->driver->bind_null(s, i); }

void db_bind_text(struct db_stmt *s, int i, struct str v)
{
    if (v.n && memchr(v.p, 0, v.n))
        s->has_nul = true;
    s->db->driver->bind_text(s, i, v);
}

void db_bind_value(struct db_stmt *s, int i, struct db_value v)
{
    switch (v.kind) {
    case DB_VALUE_NULL: db_bind_null(s, i); break;
    case DB_VALUE_INT: db_bind_int(s, i, v.n); break;
    case DB_VALUE_TEXT: db_bind_text(s, i, v.s); break;
    case DB_VALUE_BLOB: db_bind_blob(s, i, v.s); break;
    case DB_VALUE_ID: db_bind_id(s, i, v.id); break;
    }
}

struct db_stmt *db_query_values(struct db *db, struct error *err, const char *sql, const struct db_value *values, int n)
{
    struct db_stmt *s = db_prepare(db, sql, err);
    for (int i = 0; s && i < n; i++)
        db_bind_value(s, i + 1, values[i]);
    return s;
}

bool db_write_values(struct db *db, struct error *err, const char *sql, const struct db_value *values, int n)
{
    struct db_stmt *s = db_query_values(db, err, sql, values, n);
    return s && db_run(s, err);
}

enum db_step db_step(struct db_stmt *s, struct error *err)
{
    if (s->has_nul) {
        db_reset(s);
        s->has_nul = false;
        error_set(err, ERROR_BAD_INPUT, "A text holds a NUL character, which cannot be stored.");
        return DB_FAILED;
    }
    return s->db->driver->step(s, err);
}

bool db_run(struct db_stmt *s, struct error *err)
{
    enum db_step r;
    while ((r = db_step(s, err)) == DB_ROW)
        ;
    return r == DB_DONE;
}

void db_reset(struct db_stmt *s)
{
    s->db->driver->reset(s);
}

int64_t db_changes(const struct db_stmt *s) { return s->changes; }
bool db_is_null(struct db_stmt *s, int col) { return s->db->driver->is_null(s, col); }
int64_t db_int(struct db_stmt *s, int col) { return s->db->driver->get_int(s, col); }
struct str db_text(struct db_stmt *s, int col) { return s->db->driver->get_text(s, col); }
struct str db_blob(struct db_stmt *s, int col) { return s->db->driver->get_blob(s, col); }

struct id db_id(struct db_stmt *s, int col)
{
    struct id id = {{0}};
    struct str b = db_blob(s, col);
    if (b.n == sizeof id.b)
        memcpy(id.b, b.p, sizeof id.b);
    return id;
}

bool db_exec(struct db *db, const char *sql, struct error *err)
{
    return db->driver->exec(db, sql, err);
}

/* A failed apply may have left cursors open; they must not outlive their transaction. */
static void reset_open_statements(struct db *db)
{
    for (size_t b = 0; db->stepping && b < db->bucket_count; b++)
        for (struct db_stmt *s = db->buckets[b]; s; s = s->next)
            if (s->stepping)
                db->driver->reset(s);
}

bool db_begin(struct db *db, bool write, struct error *err)
{
    if (db->in_tx)
        return error_set(err, ERROR_INTERNAL, "A transaction is open already.");
    if (write && db->read_only)
        return error_set(err, ERROR_INTERNAL, "A read-only connection cannot write.");
    reset_open_statements(db);
    db->trouble = DB_FINE;
    db->in_tx = db->driver->begin(db, write, err);
    return db->in_tx;
}

bool db_commit(struct db *db, struct error *err)
{
    if (!db->in_tx)
        return error_set(err, ERROR_INTERNAL, "There is no transaction to commit.");
    reset_open_statements(db);
    bool ok = db->driver->commit(db, err);
    db->in_tx = false;
    return ok;
}

void db_rollback(struct db *db)
{
    if (!db->in_tx)
        return;
    reset_open_statements(db);
    db->driver->rollback(db);
    db->in_tx = false;
}

static bool savepoint_command(struct db *db, const char *verb, int level, struct error *err)
{
    char sql[SAVEPOINT_LEN];
    snprintf(sql, sizeof sql, "%s carillon_%d", verb, level);
    return db->driver->command(db, sql, err);
}

bool db_savepoint(struct db *db, int level, struct error *err)
{
    if (!db->in_tx)
        return error_set(err, ERROR_INTERNAL, "A savepoint needs a transaction.");
    return savepoint_command(db, "SAVEPOINT", level, err);
}

bool db_release(struct db *db, int level, struct error *err)
{
    return savepoint_command(db, "RELEASE", level, err);
}

void db_rollback_to(struct db *db, int level)
{
    reset_open_statements(db);
    /* A failure here (connection lost, transaction gone) shows itself in the next statement. */
    if (savepoint_command(db, "ROLLBACK TO", level, NULL))
        savepoint_command(db, "RELEASE", level, NULL);
}

void db_due_note(struct db *db, int64_t due_at)
{
    if (due_at - INT64_MAX < db->due_at)
        db->due_at = due_at - INT64_MAX;
}

int64_t db_due_take(struct db *db)
{
    int64_t due_at = db->due_at + INT64_MAX;
    db->due_at = 0;
    return due_at;
}

void db_follow(struct db *db, void *follower, void (*closed)(void *follower))
{
    db->follower = follower;
    db->follower_closed = closed;
}

void *db_follower(const struct db *db)
{
    return db->follower;
}

int64_t db_rows_written(const struct db *db)
{
    return db->rows_written;
}

enum db_trouble db_trouble_of(const struct db *db)
{
    return db->trouble;
}

bool db_probe(struct db *db, struct error *err)
{
    if (!db_begin(db, true, err))
        return false;
    if (!db->driver->probe(db, err)) {
        db_rollback(db);
        return false;
    }
    return db_commit(db, err);
}
