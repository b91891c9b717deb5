/* A disk that fills up or breaks when a test says so: a VFS of SQLite in front of the real one. */
#ifndef TESTS_DB_FAILING_DISK_H
#define TESTS_DB_FAILING_DISK_H

#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum disk_state { DISK_FINE, DISK_FULL, DISK_BROKEN, DISK_KEEPS_NOTHING, DISK_WAITS };   /* the last two: in syncs only */

/* One a test program: SQLite calls without an argument of ours. */
static _Atomic int disk_state;
static sem_t disk_sync_entered, disk_sync_go;       /* of DISK_WAITS */
static sqlite3_vfs disk_vfs;
static sqlite3_vfs *real_vfs;

struct disk_file {
    sqlite3_file base;
    sqlite3_io_methods methods;     /* the real ones, but for writing and syncing */
    const sqlite3_io_methods *real;
    sqlite3_file *inner;
};

static struct disk_file *disk_file_of(sqlite3_file *f) { return (struct disk_file *)f; }

static int disk_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int s = atomic_load(&disk_state);
    if (s == DISK_FULL)
        return SQLITE_FULL;
    return s == DISK_BROKEN ? SQLITE_IOERR_WRITE : disk_file_of(f)->real->xWrite(disk_file_of(f)->inner, p, n, at);
}

static int disk_sync(sqlite3_file *f, int flags)
{
    int s = atomic_load(&disk_state);
    if (s == DISK_WAITS) {
        sem_post(&disk_sync_entered);
        sem_wait(&disk_sync_go);
    }
    return s == DISK_BROKEN || s == DISK_KEEPS_NOTHING ? SQLITE_IOERR_FSYNC : disk_file_of(f)->real->xSync(disk_file_of(f)->inner, flags);
}

#define PASS(f) disk_file_of(f)->real
#define IN(f) disk_file_of(f)->inner
static int disk_close(sqlite3_file *f) { return PASS(f)->xClose(IN(f)); }
static int disk_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return PASS(f)->xRead(IN(f), p, n, at); }
static int disk_truncate(sqlite3_file *f, sqlite3_int64 n) { return PASS(f)->xTruncate(IN(f), n); }
static int disk_size(sqlite3_file *f, sqlite3_int64 *n) { return PASS(f)->xFileSize(IN(f), n); }
static int disk_lock(sqlite3_file *f, int l) { return PASS(f)->xLock(IN(f), l); }
static int disk_unlock(sqlite3_file *f, int l) { return PASS(f)->xUnlock(IN(f), l); }
static int disk_reserved(sqlite3_file *f, int *out) { return PASS(f)->xCheckReservedLock(IN(f), out); }
static int disk_control(sqlite3_file *f, int op, void *arg) { return PASS(f)->xFileControl(IN(f), op, arg); }
static int disk_sector(sqlite3_file *f) { return PASS(f)->xSectorSize(IN(f)); }
static int disk_traits(sqlite3_file *f) { return PASS(f)->xDeviceCharacteristics(IN(f)); }
static int disk_shm_map(sqlite3_file *f, int i, int n, int extend, void volatile **p) { return PASS(f)->xShmMap(IN(f), i, n, extend, p); }
static int disk_shm_lock(sqlite3_file *f, int offset, int n, int flags) { return PASS(f)->xShmLock(IN(f), offset, n, flags); }
static void disk_shm_barrier(sqlite3_file *f) { PASS(f)->xShmBarrier(IN(f)); }
static int disk_shm_unmap(sqlite3_file *f, int remove) { return PASS(f)->xShmUnmap(IN(f), remove); }

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct disk_file *d = disk_file_of(f);
    (void)vfs;
    d->inner = (sqlite3_file *)(d + 1);
    memset(d->inner, 0, (size_t)real_vfs->szOsFile);
    int rc = real_vfs->xOpen(real_vfs, name, d->inner, flags, out);
    d->real = d->inner->pMethods;
    d->base.pMethods = NULL;
    if (!d->real)
        return rc;
    d->methods = (sqlite3_io_methods){
        .iVersion = 2, .xClose = disk_close, .xRead = disk_read, .xWrite = disk_write, .xTruncate = disk_truncate,
        .xSync = disk_sync, .xFileSize = disk_size, .xLock = disk_lock, .xUnlock = disk_unlock,
        .xCheckReservedLock = disk_reserved, .xFileControl = disk_control, .xSectorSize = disk_sector,
        .xDeviceCharacteristics = disk_traits, .xShmMap = disk_shm_map, .xShmLock = disk_shm_lock,
        .xShmBarrier = disk_shm_barrier, .xShmUnmap = disk_shm_unmap,
    };
    d->base.pMethods = &d->methods;
    return rc;
}

/* Before the first connection of the program. */
static inline void disk_install(void)
{
    sem_init(&disk_sync_entered, 0, 0);
    sem_init(&disk_sync_go, 0, 0);
    sqlite3_initialize();
    real_vfs = sqlite3_vfs_find(NULL);
    disk_vfs = *real_vfs;
    disk_vfs.zName = "failing-disk";
    disk_vfs.pNext = NULL;
    disk_vfs.szOsFile = (int)sizeof(struct disk_file) + real_vfs->szOsFile;
    disk_vfs.xOpen = disk_open;
    sqlite3_vfs_register(&disk_vfs, 1);
}

#undef PASS
#undef IN
#endif
