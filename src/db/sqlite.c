/* The embedded store: SQLite in WAL mode with synchronous=FULL. */
#include "db/db_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Memory: the cache is filled by use only; a mapping would count its touched pages as ours, and turns an I/O
 * error into SIGBUS, so there is none. The log's limit: a bigger one is cut back when it is started anew. */
enum {
    BUSY_MS = 5000, RESTART_BUSY_MS = 20, RESTART_TRIES = 10,
    WRITER_CACHE_KIB = 8192, READER_CACHE_KIB = 2048,
    WAL_KEEP_BYTES = 112 << 20,
};

struct sqlite_db {
    struct db base;
    sqlite3 *h;
    struct data_lock *lock;     /* NULL in a reader */
    int wal_pages;
    char path[];
};

/* What SQLite has for a parameter. It is told again only of what changes: most ids and numbers of a statement are those of
 * its last use, and an id it reads where it stands here. */
struct bound {
    enum { BOUND_NULL, BOUND_INT, BOUND_ID, BOUND_BYTES } kind;
    uint64_t use;               /* the last use of the statement that said it */
    int64_t n;
    struct id id;
};

struct sqlite_stmt {
    struct db_stmt base;
    sqlite3_stmt *h;
    int params;
    uint64_t use;               /* counts uses */
    bool begun;                 /* this one has been stepped */
    struct bound bound[];       /* one a parameter */
};

static struct sqlite_db *db_of(struct db *db) { return (struct sqlite_db *)db; }
static struct sqlite_stmt *stmt_of(struct db_stmt *s) { return (struct sqlite_stmt *)s; }

static sqlite3_file *log_of(struct sqlite_db *d)
{
    sqlite3_file *log = NULL;
    if (sqlite3_file_control(d->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || !log || !log->pMethods)
        return NULL;
    return log;
}

/* What the system said. SQLite knows it of the call as a whole, or only of the file that failed: the database or its log. */
static int system_errno(struct sqlite_db *d)
{
    int e = sqlite3_system_errno(d->h);
    if (!e)
        sqlite3_file_control(d->h, "main", SQLITE_FCNTL_LAST_ERRNO, &e);
    sqlite3_file *log = e ? NULL : log_of(d);
    if (log)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &e);
    return e;
}

/* EFBIG is a limit on the size of files (setrlimit(2)): for the operator the same as a disk that is full. */
static bool is_disk_full(struct sqlite_db *d, int rc)
{
    int e = (rc & 0xff) == SQLITE_IOERR ? system_errno(d) : 0;
    return rc == SQLITE_FULL || e == ENOSPC || e == EDQUOT || e == EFBIG;
}

/* Always false. */
static bool fail(struct sqlite_db *d, int rc, struct error *err)
{
    const char *why = sqlite3_errmsg(d->h);
    int e = system_errno(d);
    if (is_disk_full(d, rc)) {
        db_set_trouble(&d->base, DB_DISK);
        return error_set(err, ERROR_FULL, "The disk of the data directory is full.");
    }
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return error_set(err, ERROR_CONFLICT, "%s", why);
    case SQLITE_BUSY: case SQLITE_LOCKED:
        db_set_trouble(&d->base, DB_RETRY);
        return error_set(err, ERROR_BUSY, "The database is locked by another process.");
    case SQLITE_CORRUPT: case SQLITE_NOTADB:
        db_set_trouble(&d->base, DB_DISK);
        return error_set(err, ERROR_IO, "The database file %.300s is damaged (%s): restore a backup.", d->path, why);
    case SQLITE_CANTOPEN: case SQLITE_READONLY: case SQLITE_IOERR: case SQLITE_PERM:
        db_set_trouble(&d->base, DB_DISK);
        return error_set(err, ERROR_IO, "Cannot use the database file %.300s: %s%s%s.", d->path, why,
                         e ? ", " : "", e ? strerror(e) : "");
    default:
        return error_set(err, ERROR_INTERNAL, "%s", why);
    }
}

static bool pragma(struct sqlite_db *d, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(d, rc, err);
}

static bool enter_wal_mode(struct sqlite_db *d, struct error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(d->h, "PRAGMA journal_mode=WAL", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    bool ok = rc == SQLITE_ROW && !strcmp((const char *)sqlite3_column_text(s, 0), "wal");
    if (!ok && rc == SQLITE_ROW)
        error_set(err, ERROR_IO, "The file system of %.300s does not allow SQLite's write-ahead log.", d->path);
    else if (!ok)
        fail(d, rc, err);
    sqlite3_finalize(s);
    return ok;
}

/* What this room promises in both drivers: LIKE minds the case, "x" is never a text. */
static bool configure(struct sqlite_db *d, bool read_only, struct error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d", read_only ? READER_CACHE_KIB : WRITER_CACHE_KIB);
    sqlite3_extended_result_codes(d->h, 1);
    sqlite3_busy_timeout(d->h, BUSY_MS);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(d->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (!pragma(d, sql, err) || !pragma(d, "PRAGMA foreign_keys=OFF", err) || !pragma(d, "PRAGMA mmap_size=0", err) ||
        !pragma(d, "PRAGMA temp_store=MEMORY", err) || !pragma(d, "PRAGMA case_sensitive_like=ON", err))
        return false;
    if (read_only)
        return pragma(d, "PRAGMA query_only=ON", err) && pragma(d, "SELECT 1 FROM sqlite_schema LIMIT 1", err);
    snprintf(sql, sizeof sql, "PRAGMA journal_size_limit=%d", WAL_KEEP_BYTES);
    return enter_wal_mode(d, err) && pragma(d, "PRAGMA synchronous=FULL", err) && pragma(d, sql, err);
}

/* SQLite gives a new file the umask's mode; ours holds personal data. Log and index take over the file's mode. */
static bool create_private(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, errno == ENOSPC || errno == EDQUOT ? ERROR_FULL : ERROR_IO,
                         "Cannot open the database file %.300s: %s.", path, strerror(errno));
    close(fd);
    return true;
}

static void sqlite_close(struct db *db)
{
    struct sqlite_db *d = db_of(db);
    sqlite3_close(d->h);
    data_lock_release(d->lock);
    free(d);
}

/* Nobody asks SQLite how much memory it uses, and counting it takes a lock of the whole process at each allocation. */
static void library_configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static struct db *sqlite_open(const char *url, bool read_only, struct error *err)
{
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    const char *path = url + strlen("sqlite:");
    pthread_once(&configured, library_configure);
    if (!*path) {
        error_set(err, ERROR_BAD_INPUT, "A database URL sqlite:<path> needs a path.");
        return NULL;
    }
    struct sqlite_db *d = calloc(1, sizeof *d + strlen(path) + 1);
    if (!d)
        abort();
    strcpy(d->path, path);
    if (!read_only) {
        d->lock = data_lock_take(path, err);
        if (!d->lock || !create_private(path, err)) {
            sqlite_close(&d->base);
            return NULL;
        }
    }
    int rc = sqlite3_open_v2(path, &d->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, read_only ? NULL : wal_file_vfs());
    if (!d->h) {
        error_set(err, ERROR_INTERNAL, "Out of memory.");
    } else if (rc != SQLITE_OK) {
        fail(d, rc, err);
    } else if (configure(d, read_only, err)) {
        return &d->base;
    }
    sqlite_close(&d->base);
    return NULL;
}

static struct db_stmt *sqlite_stmt_create(struct db *db, const char *sql, struct error *err)
{
    struct sqlite_db *d = db_of(db);
    sqlite3_stmt *h = NULL;
    char *own = strstr(sql, "FOR UPDATE") ? sql_for_sqlite(sql) : NULL;
    int rc = sqlite3_prepare_v3(d->h, own ? own : sql, -1, SQLITE_PREPARE_PERSISTENT, &h, NULL);
    free(own);
    if (rc != SQLITE_OK || !h) {
        if (rc == SQLITE_OK)
            error_set(err, ERROR_INTERNAL, "An empty statement.");
        else
            fail(d, rc, err);
        return NULL;
    }
    int params = sqlite3_bind_parameter_count(h);
    struct sqlite_stmt *s = calloc(1, sizeof *s + sizeof s->bound[0] * (size_t)params);
    if (!s)
        abort();
    s->h = h;
    s->params = params;
    return &s->base;
}

static void sqlite_stmt_destroy(struct db_stmt *s)
{
    sqlite3_finalize(stmt_of(s)->h);
    free(s);
}

static void sqlite_stmt_clear(struct db_stmt *base)
{
    struct sqlite_stmt *s = stmt_of(base);
    s->use++;
    s->begun = false;
}

/* What this use has not said is NULL. */
static void bindings_settle(struct sqlite_stmt *s)
{
    for (int i = 0; i < s->params; i++)
        if (s->bound[i].use != s->use && s->bound[i].kind != BOUND_NULL) {
            sqlite3_bind_null(s->h, i + 1);
            s->bound[i].kind = BOUND_NULL;
        }
    s->begun = true;
}

/* The parameter, said by this use. NULL: there is none. *changes: it was of another kind. */
static struct bound *bound_of(struct db_stmt *base, int i, int kind, bool *changes)
{
    struct sqlite_stmt *s = stmt_of(base);
    if (i < 1 || i > s->params)
        return NULL;
    struct bound *b = &s->bound[i - 1];
    *changes = (int)b->kind != kind;
    b->kind = kind;
    b->use = s->use;
    return b;
}

static void sqlite_bind_int(struct db_stmt *s, int i, int64_t v)
{
    bool changes;
    struct bound *b = bound_of(s, i, BOUND_INT, &changes);
    if (!b || (!changes && b->n == v))
        return;
    b->n = v;
    sqlite3_bind_int64(stmt_of(s)->h, i, v);
}

static void sqlite_bind_null(struct db_stmt *s, int i)
{
    bool changes;
    if (bound_of(s, i, BOUND_NULL, &changes) && changes)
        sqlite3_bind_null(stmt_of(s)->h, i);
}

static void sqlite_bind_text(struct db_stmt *s, int i, struct str v)
{
    bool changes;
    if (bound_of(s, i, v.p ? BOUND_BYTES : BOUND_NULL, &changes) && (v.p || changes))
        sqlite3_bind_text64(stmt_of(s)->h, i, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
}

static void sqlite_bind_blob(struct db_stmt *s, int i, struct str v)
{
    bool changes;
    if (bound_of(s, i, v.p ? BOUND_BYTES : BOUND_NULL, &changes) && (v.p || changes))
        sqlite3_bind_blob64(stmt_of(s)->h, i, v.p, v.n, SQLITE_STATIC);
}

static void sqlite_bind_id(struct db_stmt *s, int i, struct id v)
{
    bool changes;
    struct bound *b = bound_of(s, i, BOUND_ID, &changes);
    if (!b)
        return;
    b->id = v;
    if (changes)
        sqlite3_bind_blob(stmt_of(s)->h, i, b->id.b, sizeof v.b, SQLITE_STATIC);
}

static void count_changes(struct sqlite_stmt *s)
{
    /* By the total, since sqlite3_changes still tells of an earlier statement after BEGIN IMMEDIATE or DDL. */
    struct sqlite_db *d = db_of(s->base.db);
    int64_t total = sqlite3_total_changes64(d->h);
    s->base.changes = total - d->base.rows_written;
    d->base.rows_written = total;
}

static void sqlite_reset(struct db_stmt *base)
{
    struct sqlite_stmt *s = stmt_of(base);
    bool was_stepping = base->stepping;
    sqlite3_reset(s->h);
    if (was_stepping)
        count_changes(s);       /* of INSERT … RETURNING: it had done its work before the first row */
    db_stmt_set_stepping(base, false);
}

static enum db_step sqlite_step(struct db_stmt *base, struct error *err)
{
    struct sqlite_stmt *s = stmt_of(base);
    struct sqlite_db *d = db_of(base->db);
    /* A full disk or an I/O error makes SQLite roll back by itself: what follows must not run outside. */
    if (d->base.in_tx && sqlite3_get_autocommit(d->h)) {
        error_set(err, ERROR_IO, "The transaction was rolled back by the database.");
        return DB_FAILED;
    }
    if (!s->begun)
        bindings_settle(s);
    int rc = sqlite3_step(s->h);
    if (rc == SQLITE_ROW) {
        db_stmt_set_stepping(base, true);
        return DB_ROW;
    }
    if (rc == SQLITE_DONE)
        count_changes(s);
    else
        fail(d, rc, err);
    sqlite3_reset(s->h);
    db_stmt_set_stepping(base, false);
    return rc == SQLITE_DONE ? DB_DONE : DB_FAILED;
}

static bool sqlite_is_null(struct db_stmt *s, int col)
{
    return sqlite3_column_type(stmt_of(s)->h, col) == SQLITE_NULL;
}

static int64_t sqlite_int(struct db_stmt *s, int col)
{
    return sqlite3_column_int64(stmt_of(s)->h, col);
}

static struct str sqlite_text(struct db_stmt *s, int col)
{
    sqlite3_stmt *h = stmt_of(s)->h;
    const char *p = (const char *)sqlite3_column_text(h, col);
    return (struct str){p, p ? (size_t)sqlite3_column_bytes(h, col) : 0};
}

static struct str sqlite_blob(struct db_stmt *s, int col)
{
    sqlite3_stmt *h = stmt_of(s)->h;
    const char *p = sqlite3_column_blob(h, col);
    if (!p && sqlite3_column_type(h, col) != SQLITE_NULL)
        p = "";                 /* SQLite gives NULL for an empty value */
    return (struct str){p, p ? (size_t)sqlite3_column_bytes(h, col) : 0};
}

static bool sqlite_exec(struct db *db, const char *sql, struct error *err)
{
    struct sqlite_db *d = db_of(db);
    if (db->in_tx && sqlite3_get_autocommit(d->h))
        return error_set(err, ERROR_IO, "The transaction was rolled back by the database.");
    int rc = sqlite3_exec(d->h, sql, NULL, NULL, NULL);
    db->rows_written = sqlite3_total_changes64(d->h);
    return rc == SQLITE_OK || fail(d, rc, err);
}

static bool sqlite_command(struct db *db, const char *sql, struct error *err)
{
    struct db_stmt *s = db_prepare(db, sql, err);
    return s && db_run(s, err);
}

static bool sqlite_begin(struct db *db, bool write, struct error *err)
{
    return sqlite_command(db, write ? "BEGIN IMMEDIATE" : "BEGIN", err);
}

static void sqlite_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db_of(db)->h))
        sqlite_command(db, "ROLLBACK", NULL);
}

static bool sqlite_commit(struct db *db, struct error *err)
{
    if (sqlite_command(db, "COMMIT", err))
        return true;
    enum db_trouble why = db->trouble;
    sqlite_rollback(db);
    db->trouble = why;
    return false;
}

/* Writes page 1, and with it the log. */
static bool sqlite_probe(struct db *db, struct error *err)
{
    sqlite3_stmt *s = NULL;
    char sql[64] = "";
    if (sqlite3_prepare_v2(db_of(db)->h, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        snprintf(sql, sizeof sql, "PRAGMA user_version=%d", sqlite3_column_int(s, 0));
    sqlite3_finalize(s);
    return sqlite_exec(db, sql, err);
}

const struct db_driver db_sqlite_driver = {
    .open = sqlite_open, .close = sqlite_close, .stmt_create = sqlite_stmt_create, .stmt_destroy = sqlite_stmt_destroy,
    .stmt_clear = sqlite_stmt_clear, .bind_int = sqlite_bind_int, .bind_text = sqlite_bind_text,
    .bind_blob = sqlite_bind_blob, .bind_id = sqlite_bind_id, .bind_null = sqlite_bind_null,
    .step = sqlite_step, .reset = sqlite_reset, .is_null = sqlite_is_null, .get_int = sqlite_int,
    .get_text = sqlite_text, .get_blob = sqlite_blob, .exec = sqlite_exec, .command = sqlite_command,
    .begin = sqlite_begin, .commit = sqlite_commit, .rollback = sqlite_rollback, .probe = sqlite_probe,
};

static int remember_wal_pages(void *arg, sqlite3 *h, const char *name, int pages)
{
    (void)h, (void)name;
    ((struct sqlite_db *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

bool db_commit_unsynced(struct db *db, bool *unsynced, struct error *err)
{
    *unsynced = false;
    sqlite3_file *log = db->kind == DB_SQLITE ? log_of(db_of(db)) : NULL;
    if (!log)
        return db_commit(db, err);
    wal_file_defer(log);
    bool ok = db_commit(db, err);
    *unsynced = wal_file_deferred(log);
    return ok;
}

bool db_log_sync(struct db *db, struct error *err)
{
    sqlite3_file *log = log_of(db_of(db));
    if (log && wal_file_sync(log) == SQLITE_OK)
        return true;
    return error_set(err, ERROR_IO, "The database's log could not be put on the disk: restart the server.");
}

void db_log_abandon(struct db *db)
{
    if (db->kind == DB_SQLITE)
        sqlite3_db_config(db_of(db)->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void db_wal_manual(struct db *db)
{
    if (db->kind == DB_SQLITE)
        sqlite3_wal_hook(db_of(db)->h, remember_wal_pages, db);     /* takes the place of the automatic one */
}

int db_wal_pages(const struct db *db)
{
    return db->kind == DB_SQLITE ? ((const struct sqlite_db *)db)->wal_pages : 0;
}

/* A failure is not ours to report: the log keeps everything, and the next commit meets the same disk. */
int db_wal_copy(struct db *db)
{
    int frames = 0, copied = 0;
    sqlite3_file *file = NULL;
    if (db->kind != DB_SQLITE)
        return 0;
    sqlite3 *h = db_of(db)->h;
    if (sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied) != SQLITE_OK || copied <= 0)
        return 0;
    /* SQLite syncs the file only once all is copied. By then it would be a lot, and a commit waits for that. */
    if (copied < frames && sqlite3_file_control(h, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file && file->pMethods)
        file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    return copied;
}

/* RESTART alone would starve: it waits for readers of an older state one slot at a time, and a busy thread takes
 * the slot again at once. So first wait until all of the log is copied, which needs every reader to begin anew
 * once; from then on new readers take the file, and only those under way are waited for. */
enum wal_restart db_wal_restart(struct db *db, int patience_ms)
{
    sqlite3 *h = db_of(db)->h;
    int frames = 0, copied = -1, rc;
    for (int i = 0; copied < frames; i++) {
        if (i == RESTART_TRIES)
            return WAL_HELD_BY_READERS;
        if (i > 0)
            sqlite3_sleep(1);
        rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
        for (; rc == SQLITE_BUSY && patience_ms > 0; patience_ms--) {
            sqlite3_sleep(1);
            rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
        }
        if (rc != SQLITE_OK)
            return WAL_BEING_COPIED;
    }
    sqlite3_busy_timeout(h, RESTART_BUSY_MS);
    rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(h, BUSY_MS);
    return rc == SQLITE_OK ? WAL_RESTARTED : WAL_HELD_BY_READERS;
}
