/* What the drivers, the migrations and the writer share behind db.h. Nobody outside of this room includes it. */
#ifndef DB_DB_PRIVATE_H
#define DB_DB_PRIVATE_H

#include "db/db.h"

/* What is wrong with the connection or the disk, as against a task's own mistake: the writer decides by it. */
enum db_trouble {
    DB_FINE,
    DB_RETRY,           /* serialization failure, deadlock, locked: the same transaction may succeed next time */
    DB_LOST,            /* the connection broke, and nothing of the transaction was stored */
    DB_DISK,            /* full, I/O error, damaged file */
    DB_UNKNOWN,         /* the connection broke in COMMIT, and the outcome could not be found out */
};

/* The head of every driver's statement. */
struct db_stmt {
    struct db *db;
    struct db_stmt *next;       /* same bucket of the cache */
    char *sql;                  /* as the caller wrote it */
    uint64_t hash;
    bool stepping;              /* gave a row, and was neither stepped to its end nor reset */
    bool has_nul;               /* a bound text holds a NUL, which PostgreSQL cannot store: refused in both */
    int64_t changes;
};

enum { MEMORIES = 16, RECENT = 256 };

/* The head of every driver's connection. */
struct db {
    const struct db_driver *driver;
    enum db_kind kind;
    bool read_only;
    bool in_tx;
    enum db_trouble trouble;    /* the last one since db_begin; a task's own mistakes do not clear it */
    int stepping;               /* statements with stepping set */
    int64_t rows_written;
    int64_t due_at;             /* see db_due_note, less INT64_MAX so that 0 says nothing */
    void *follower;             /* see db_follow */
    void (*follower_closed)(void *follower);
    struct db_stmt **buckets;   /* statements by the hash of their text; a power of two */
    size_t bucket_count, stmt_count;
    struct db_stmt *recent[RECENT];     /* by the address of the caller's text, which is nearly always a literal */
    struct { uint64_t what; int64_t until_ms; } memories[MEMORIES];
    unsigned memory_next;
};

struct db_driver {
    struct db *(*open)(const char *url, bool read_only, struct error *err);
    void (*close)(struct db *db);       /* the statements are destroyed already */
    struct db_stmt *(*stmt_create)(struct db *db, const char *sql, struct error *err);
    void (*stmt_destroy)(struct db_stmt *s);
    void (*stmt_clear)(struct db_stmt *s);      /* forgets bindings; it is not being stepped */
    void (*bind_int)(struct db_stmt *s, int i, int64_t v);
    void (*bind_text)(struct db_stmt *s, int i, struct str v);
    void (*bind_blob)(struct db_stmt *s, int i, struct str v);
    void (*bind_id)(struct db_stmt *s, int i, struct id v);
    void (*bind_null)(struct db_stmt *s, int i);
    enum db_step (*step)(struct db_stmt *s, struct error *err);
    void (*reset)(struct db_stmt *s);
    bool (*is_null)(struct db_stmt *s, int col);
    int64_t (*get_int)(struct db_stmt *s, int col);
    struct str (*get_text)(struct db_stmt *s, int col);
    struct str (*get_blob)(struct db_stmt *s, int col);
    bool (*exec)(struct db *db, const char *sql, struct error *err);
    bool (*command)(struct db *db, const char *sql, struct error *err);    /* one of a few fixed texts */
    bool (*begin)(struct db *db, bool write, struct error *err);
    bool (*commit)(struct db *db, struct error *err);           /* on failure nothing of it is left open */
    void (*rollback)(struct db *db);
    bool (*probe)(struct db *db, struct error *err);            /* inside a write transaction: makes its commit touch the disk */
};

extern const struct db_driver db_sqlite_driver, db_postgres_driver;

/* After a failure inside a transaction: why. */
enum db_trouble db_trouble_of(const struct db *db);
/* Begins, writes something without meaning, commits: can this store be written? */
bool db_probe(struct db *db, struct error *err);

/* For drivers. */
static inline void db_set_trouble(struct db *db, enum db_trouble t)
{
    if (t != DB_FINE)
        db->trouble = t;
}

/* For drivers: keep db->stepping right. */
static inline void db_stmt_set_stepping(struct db_stmt *s, bool on)
{
    s->db->stepping += (int)on - (int)s->stepping;
    s->stepping = on;
}

/* SQLite's write-ahead log; nothing happens under PostgreSQL. With db_wal_manual the connection stops to
 * checkpoint by itself inside of commits. */
void db_wal_manual(struct db *db);
int db_wal_pages(const struct db *db);          /* after this connection's last commit */
/* Copies the log into the file, without waiting for anybody; returns how many of the log's pages are copied now. */
int db_wal_copy(struct db *db);
/* Copies the rest and lets the next commit write from the log's beginning. Waits for readers for some 30 ms at
 * most; for a copy under way on another connection as long as it is told. SQLite only, on the connection that writes. */
enum wal_restart { WAL_RESTARTED, WAL_HELD_BY_READERS, WAL_BEING_COPIED };
enum wal_restart db_wal_restart(struct db *db, int patience_ms);

/* Commits as db_commit does, but *unsynced says that what was written is not on the disk yet, only seen by all: nobody may
 * be told of it before a db_log_sync that began after it has succeeded. Under PostgreSQL a commit is all. */
bool db_commit_unsynced(struct db *db, bool *unsynced, struct error *err);
/* From any one thread, while the connection's own goes on. After a failure nothing that was committed since the last
 * success can be trusted, not even by trying again (the system forgets what it could not write): the log must be read
 * anew by another process, which finds its valid part. db_log_abandon sees to it that closing does not copy it. */
bool db_log_sync(struct db *db, struct error *err);
void db_log_abandon(struct db *db);

/* wal_file.c: the name of the file system that gathers writes to the log; for a connection with synchronous=FULL. */
struct sqlite3_file;
const char *wal_file_vfs(void);
/* From here until wal_file_deferred syncs are put off; that says whether one was. */
void wal_file_defer(struct sqlite3_file *log);
bool wal_file_deferred(struct sqlite3_file *log);
int wal_file_sync(struct sqlite3_file *log);

/* log_sync.c: a thread for db_log_sync. done is called on it, once after each log_sync_begin, err NULL for success. */
struct log_sync;
bool log_sync_start(struct db *db, void (*done)(void *arg, const struct error *err), void *arg, struct log_sync **out, struct error *err);
void log_sync_begin(struct log_sync *s);    /* not before the last one was done */
void log_sync_stop(struct log_sync *s);     /* accepts NULL; waits for one under way */

/* checkpoint.c: a thread that moves the log into the file while the writer commits. NULL under PostgreSQL. */
struct checkpointer;
bool checkpointer_start(const char *url, struct checkpointer **out, struct error *err);
void checkpointer_poke(struct checkpointer *c);
bool checkpointer_busy(const struct checkpointer *c);     /* copies, or was poked to */
int checkpointer_copied(const struct checkpointer *c);    /* what the last copy returned (db_wal_copy) */
void checkpointer_stop(struct checkpointer *c);     /* accepts NULL */

/* sql_text.c: the common SQL in a driver's words. The result is the caller's (free). */
char *sql_for_sqlite(const char *sql);
/* schema: also what only occurs in CREATE TABLE. declared: one a parameter, from ?1 on; one without a type becomes
 * NULL (may be NULL: all have one). params gets the highest number (may be NULL). */
char *sql_for_postgres(const char *sql, bool schema, const bool *declared, int *params);

/* data_lock.c: one process a data directory. */
struct data_lock;
struct data_lock *data_lock_take(const char *file, struct error *err);
void data_lock_release(struct data_lock *l);    /* accepts NULL */

/* migrate.c, for tests: the same with a list of one's own (ascending versions from 1). */
struct migration {
    int version;
    const char *name, *sql;
};
bool db_migrate_with(struct db *db, const struct migration *list, int n, int to, struct error *err);

#endif
