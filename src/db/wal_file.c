/* How SQLite writes its log, in larger pieces. It writes every frame as a header of 24 bytes and then a page, one after the
 * other: two calls of the system, and as frames are not aligned to pages of memory, three looks for one. Most of what a
 * commit costs is that. So what follows on each other is put together until SQLite reads, syncs or asks anything of the file.
 *
 * With synchronous=FULL every commit ends in a sync, and only after it the log's index tells other connections of the
 * frames: nobody can miss what is still held back here. Only the connection that writes may use this file system.
 *
 * That sync can be put off (wal_file_defer), for another thread to do it while the next transaction runs (wal_file_sync).
 * A new beginning of the log is synced at once nevertheless: frames must not reach the disk before the header they follow. */
#include "db/db_private.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 128 << 10 };

struct wal_file {
    sqlite3_file base;
    unsigned char *held;                /* n bytes that belong at `at` */
    sqlite3_int64 at;
    int n;
    bool deferring, deferred;           /* syncs are to be put off; one was */
    bool begun_anew;                    /* its header was written, and not synced yet */
    _Alignas(sqlite3_int64) unsigned char real[];  /* the file of the system's file system */
};

static struct wal_file *wal_of(sqlite3_file *f) { return (struct wal_file *)f; }
static sqlite3_file *real_of(sqlite3_file *f) { return (sqlite3_file *)wal_of(f)->real; }

/* After a failure nothing is held any more: SQLite ends the transaction, and what it wrote has no meaning. */
static int wal_flush(sqlite3_file *f)
{
    struct wal_file *w = wal_of(f);
    int n = w->n;
    w->n = 0;
    return n ? real_of(f)->pMethods->xWrite(real_of(f), w->held, n, w->at) : SQLITE_OK;
}

static int wal_close(sqlite3_file *f)
{
    int held = wal_flush(f), rc = real_of(f)->pMethods->xClose(real_of(f));
    free(wal_of(f)->held);
    return rc == SQLITE_OK ? held : rc;
}

static int wal_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    int rc = wal_flush(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xRead(real_of(f), to, n, at) : rc;
}

static int wal_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct wal_file *w = wal_of(f);
    w->begun_anew |= at == 0;
    int rc = w->n && (at != w->at + w->n || n > HELD_MAX - w->n) ? wal_flush(f) : SQLITE_OK;
    if (rc != SQLITE_OK || n > HELD_MAX)
        return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
    if (!w->n)
        w->at = at;
    memcpy(w->held + w->n, from, (size_t)n);
    w->n += n;
    return SQLITE_OK;
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = wal_flush(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size) : rc;
}

static int wal_sync(sqlite3_file *f, int flags)
{
    struct wal_file *w = wal_of(f);
    int rc = wal_flush(f);
    if (rc == SQLITE_OK && w->deferring && !w->begun_anew) {
        w->deferred = true;
        return SQLITE_OK;
    }
    w->begun_anew = false;
    return rc == SQLITE_OK ? real_of(f)->pMethods->xSync(real_of(f), flags) : rc;
}

void wal_file_defer(sqlite3_file *f)
{
    wal_of(f)->deferring = true;
    wal_of(f)->deferred = false;
}

bool wal_file_deferred(sqlite3_file *f)
{
    wal_of(f)->deferring = false;
    return wal_of(f)->deferred;
}

/* The system's own function, which takes nothing but the descriptor: it may run beside a write to the same file. */
int wal_file_sync(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSync(real_of(f), SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *size)
{
    int rc = wal_flush(f);
    return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), size) : rc;
}

static int wal_lock(sqlite3_file *f, int how) { return real_of(f)->pMethods->xLock(real_of(f), how); }
static int wal_unlock(sqlite3_file *f, int how) { return real_of(f)->pMethods->xUnlock(real_of(f), how); }
static int wal_reserved(sqlite3_file *f, int *out) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out); }
static int wal_control(sqlite3_file *f, int op, void *arg) { return real_of(f)->pMethods->xFileControl(real_of(f), op, arg); }
static int wal_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
static int wal_device(sqlite3_file *f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }

/* Version 1: memory that is shared or mapped is asked of the database's file, not of its log. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1, .xClose = wal_close, .xRead = wal_read, .xWrite = wal_write, .xTruncate = wal_truncate, .xSync = wal_sync,
    .xFileSize = wal_size, .xLock = wal_lock, .xUnlock = wal_unlock, .xCheckReservedLock = wal_reserved,
    .xFileControl = wal_control, .xSectorSize = wal_sector, .xDeviceCharacteristics = wal_device,
};

/* Files other than the log are the system's own, in the same memory. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    sqlite3_vfs *system = vfs->pAppData;
    struct wal_file *w = wal_of(f);
    if (!(flags & SQLITE_OPEN_WAL))
        return system->xOpen(system, name, f, flags, out);
    *w = (struct wal_file){.held = malloc(HELD_MAX)};
    if (!w->held)
        return SQLITE_NOMEM;
    int rc = system->xOpen(system, name, real_of(f), flags, out);
    if (rc == SQLITE_OK)
        w->base.pMethods = &wal_methods;
    else
        free(w->held);
    return rc;
}

static sqlite3_vfs vfs;

static void vfs_make(void)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    vfs = *system;                      /* its other functions do not ask whose they are */
    vfs.pNext = NULL;
    vfs.szOsFile += (int)sizeof(struct wal_file);
    vfs.zName = "carillon";
    vfs.pAppData = system;
    vfs.xOpen = vfs_open;
    sqlite3_vfs_register(&vfs, 0);
}

const char *wal_file_vfs(void)
{
    static pthread_once_t made = PTHREAD_ONCE_INIT;
    pthread_once(&made, vfs_make);
    return vfs.zName;
}
