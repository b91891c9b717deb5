/* Attachments: rows of who needs what, and the bytes as files or rows. */
#include "model/attachment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "model/row.h"

enum { PATH_LENGTH = 4096, CHUNK_BYTES = 1 << 20 };

struct pin {
    uint8_t hash[ATTACHMENT_HASH];
    struct pin *next;
};

struct attachment_store {
    char dir[PATH_LENGTH];              /* "": rows */
    pthread_mutex_t lock;               /* of pins, and of every removal */
    struct pin *pins;                   /* being accepted now: a few */
};

struct attachment_store *attachment_store_open(const char *database_url, struct error *err)
{
    struct attachment_store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    if (strncmp(database_url, "sqlite:", 7))
        return s;
    const char *path = database_url + 7, *slash = strrchr(path, '/');
    int n = slash ? snprintf(s->dir, sizeof s->dir, "%.*s/attachments", (int)(slash - path), path)
                  : snprintf(s->dir, sizeof s->dir, "attachments");
    if (n < 0 || (size_t)n >= sizeof s->dir - 2 * ATTACHMENT_HASH - 8 || (mkdir(s->dir, 0700) && errno != EEXIST)) {
        error_set(err, ERROR_IO, "Cannot make the directory for attachments: %s", strerror(errno));
        attachment_store_close(s);
        return NULL;
    }
    return s;
}

void attachment_store_close(struct attachment_store *s)
{
    if (!s)
        return;
    for (struct pin *p = s->pins, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static void file_path(const struct attachment_store *s, const uint8_t *hash, const char *suffix, char *out)
{
    int n = snprintf(out, PATH_LENGTH, "%s/", s->dir);
    for (int i = 0; i < ATTACHMENT_HASH; i++)
        n += snprintf(out + n, (size_t)(PATH_LENGTH - n), "%02x", hash[i]);
    snprintf(out + n, (size_t)(PATH_LENGTH - n), "%s", suffix);
}

static bool write_all(int fd, struct str bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool sync_directory(const struct attachment_store *s)
{
    int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && !fsync(fd);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Under a name of its own, then renamed: a file with a hash for a name is whole. */
static bool file_write(const struct attachment_store *s, const struct attachment *x, struct error *err)
{
    char path[PATH_LENGTH], draft[PATH_LENGTH], suffix[40];
    file_path(s, x->hash, "", path);
    if (!access(path, F_OK))
        return true;
    snprintf(suffix, sizeof suffix, ".%lx", (unsigned long)pthread_self());
    file_path(s, x->hash, suffix, draft);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, x->bytes) && !fsync(fd);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (ok && !rename(draft, path) && sync_directory(s))
        return true;
    why = ok ? errno : why;
    unlink(draft);
    return error_set(err, why == ENOSPC ? ERROR_FULL : ERROR_IO, "Cannot store an attachment: %s", strerror(why));
}

static bool pinned(const struct attachment_store *s, const uint8_t *hash)
{
    for (const struct pin *p = s->pins; p; p = p->next)
        if (!memcmp(p->hash, hash, ATTACHMENT_HASH))
            return true;
    return false;
}

bool attachment_store_put(struct attachment_store *s, const struct attachment *list, size_t n, struct error *err)
{
    for (size_t i = 0; s->dir[0] && i < n; i++) {
        struct pin *p = malloc(sizeof *p);
        if (!p)
            abort();
        memcpy(p->hash, list[i].hash, ATTACHMENT_HASH);
        pthread_mutex_lock(&s->lock);
        p->next = s->pins;
        s->pins = p;
        pthread_mutex_unlock(&s->lock);
        if (!file_write(s, &list[i], err)) {
            attachment_store_unpin(s, list, i + 1);
            return false;
        }
    }
    return true;
}

void attachment_store_unpin(struct attachment_store *s, const struct attachment *list, size_t n)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; s->dir[0] && i < n; i++)
        for (struct pin **p = &s->pins, *x; (x = *p); p = &x->next)
            if (!memcmp(x->hash, list[i].hash, ATTACHMENT_HASH)) {
                *p = x->next;
                free(x);
                break;
            }
    pthread_mutex_unlock(&s->lock);
}

void attachment_store_remove(struct attachment_store *s, const struct attachment_removal *r)
{
    char path[PATH_LENGTH];
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; s->dir[0] && i < r->n; i++)
        if (!pinned(s, r->hashes[i])) {
            file_path(s, r->hashes[i], "", path);
            unlink(path);
        }
    pthread_mutex_unlock(&s->lock);
}

static bool file_read(const struct attachment_store *s, struct arena *a, const uint8_t *hash, struct str *bytes,
                      struct error *err)
{
    char path[PATH_LENGTH];
    struct stat st;
    file_path(s, hash, "", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "An attachment cannot be read: %s", strerror(errno));
    }
    char *p = arena_alloc_raw(a, (size_t)st.st_size + 1);
    size_t at = 0;
    for (ssize_t n; at < (size_t)st.st_size; at += (size_t)n)
        if ((n = read(fd, p + at, (size_t)st.st_size - at)) <= 0)
            break;
    close(fd);
    *bytes = (struct str){p, at};
    return at == (size_t)st.st_size || error_set(err, ERROR_IO, "An attachment cannot be read whole");
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static struct str hash_str(const uint8_t *hash)
{
    return (struct str){(const char *)hash, ATTACHMENT_HASH};
}

static bool chunks_insert(struct db *db, const struct attachment *x, struct error *err)
{
    for (size_t at = 0, n = 0; at < x->bytes.n; at += CHUNK_BYTES, n++) {
        struct db_stmt *s = db_query(db, err, "INSERT INTO attachment_chunks (hash, n, bytes) VALUES (?1, ?2, ?3) "
                                     "ON CONFLICT DO NOTHING",
                                     db_as_blob(hash_str(x->hash)), (int64_t)n,
                                     db_as_blob(str_sub(x->bytes, at, at + CHUNK_BYTES)));
        if (!s || !db_run(s, err))
            return false;
    }
    return true;
}

static bool one_insert(struct attachment_store *store, struct db *db, struct id event, const struct attachment *x, int64_t now,
                       struct error *err)
{
    struct db_stmt *s = db_query(db, err, "INSERT INTO attachments (hash, size, created_at) VALUES (?1, ?2, ?3) "
                                 "ON CONFLICT DO NOTHING",
                                 db_as_blob(hash_str(x->hash)), (int64_t)x->bytes.n, now);
    if (!s)
        return false;
    if (!db_run(s, err) || (!store->dir[0] && !chunks_insert(db, x, err)))
        return false;
    s = db_prepare(db, "INSERT INTO attachment_refs (event_id, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING", err);
    if (!s)
        return false;
    db_bind_id(s, 1, event);
    db_bind_blob(s, 2, hash_str(x->hash));
    return db_run(s, err);
}

bool attachment_insert(struct attachment_store *s, struct db *db, struct id event, const struct attachment *list, size_t n,
                       int64_t now, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!one_insert(s, db, event, &list[i], now, err))
            return false;
    return true;
}

struct str attachment_path(struct arena *a, struct id organization, struct id environment, const struct attachment *x,
                           struct str name)
{
    char o[ID_HEX + 1], e[ID_HEX + 1];
    struct str hash = hex_encode(a, x->hash, sizeof x->hash);
    id_hex(organization, o);
    id_hex(environment, e);
    return str_fmt(a, "%s/%s/%.*s/%.*s", o, e, STR_ARG(hash), STR_ARG(name));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool path_parse(struct str path, uint8_t *hash)
{
    enum { AT = 2 * (ID_HEX + 1) };
    if (path.n < AT + 2 * ATTACHMENT_HASH)
        return false;
    for (int i = 0; i < ATTACHMENT_HASH; i++) {
        int high = hex_digit(path.p[AT + 2 * i]), low = hex_digit(path.p[AT + 2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool attachment_read(struct attachment_store *store, struct db *db, struct arena *a, struct str storage_path, struct str *bytes,
                     struct error *err)
{
    uint8_t hash[ATTACHMENT_HASH];
    struct buf b = {.arena = a};
    enum db_step step;
    if (!path_parse(storage_path, hash))
        return error_set(err, ERROR_NOT_FOUND, "An attachment has no stored content");
    if (store->dir[0])
        return file_read(store, a, hash, bytes, err);
    struct db_stmt *s = db_query(db, err, "SELECT bytes FROM attachment_chunks WHERE hash = ?1 ORDER BY n",
                                 db_as_blob(hash_str(hash)));
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW)
        buf_str(&b, db_blob(s, 0));
    db_reset(s);
    *bytes = buf_get(&b);
    if (step == DB_DONE && !b.n)
        return error_set(err, ERROR_NOT_FOUND, "The content of an attachment is gone");
    return step == DB_DONE;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static bool exists(struct db *db, const char *sql, struct id event, bool *found, struct error *err)
{
    struct db_stmt *s = db_query(db, err, sql, event);
    return row_exists(s, found, err);
}

static bool hash_run(struct db *db, const char *sql, const uint8_t *hash, int64_t *changes, struct error *err)
{
    struct db_stmt *s = db_query(db, err, sql, db_as_blob(hash_str(hash)));
    if (!s || !db_run(s, err))
        return false;
    *changes = db_changes(s);
    return true;
}

static bool refs_collect(struct db *db, struct arena *a, struct id event, struct attachment_removal *list, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT hash FROM attachment_refs WHERE event_id = ?1", event);
    enum db_step step;
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct str hash = db_blob(s, 0);
        if (hash.n == ATTACHMENT_HASH)
            memcpy(*ARENA_SLOT(a, list->hashes, list->n, list->cap), hash.p, ATTACHMENT_HASH);
    }
    db_reset(s);
    return step == DB_DONE;
}

bool attachment_keep(struct db *db, struct id event, struct id delivery, struct error *err)
{
    return db_write(db, err, "INSERT INTO attachment_refs (event_id, hash) SELECT ?2, hash FROM attachment_refs WHERE event_id = ?1 "
                    "ON CONFLICT DO NOTHING", event, delivery);
}

bool attachment_settle(struct db *db, struct arena *a, struct id event, bool sparing, struct attachment_removal *remove,
                       struct error *err)
{
    struct attachment_removal mine = {.n = 0};
    bool busy;
    int64_t gone, rows;
    if (!exists(db, sparing ? "SELECT 1 FROM fanouts WHERE event_id = ?1"
                            : "SELECT 1 FROM fanouts WHERE event_id = ?1 AND state IN (1, 2)", event, &busy, err))
        return false;
    if (!busy && !exists(db, "SELECT 1 FROM runs WHERE event_id = ?1 AND event_id <> id AND status = 0 LIMIT 1", event, &busy, err))
        return false;
    if (!busy && !exists(db, "SELECT 1 FROM runs WHERE environment_id IN (SELECT id FROM environments) AND id = ?1 AND status = 0",
                         event, &busy, err))
        return false;
    if (!busy && !exists(db, "SELECT 1 FROM digest_events WHERE event_id = ?1 LIMIT 1", event, &busy, err))
        return false;
    if (!busy && !exists(db, "SELECT 1 FROM deliveries WHERE environment_id IN (SELECT id FROM environments) AND id = ?1", event,
                         &busy, err))
        return false;
    if (busy)
        return true;
    if (!refs_collect(db, a, event, &mine, err))
        return false;
    struct db_stmt *s = db_query(db, err, "DELETE FROM attachment_refs WHERE event_id = ?1", event);
    if (!s || !db_run(s, err))
        return false;
    for (size_t i = 0; i < mine.n; i++) {
        if (!hash_run(db, "DELETE FROM attachments WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM attachment_refs r "
                          "WHERE r.hash = attachments.hash)", mine.hashes[i], &gone, err))
            return false;
        if (!gone)
            continue;
        if (!hash_run(db, "DELETE FROM attachment_chunks WHERE hash = ?1", mine.hashes[i], &rows, err))
            return false;
        memcpy(*ARENA_SLOT(a, remove->hashes, remove->n, remove->cap), mine.hashes[i], ATTACHMENT_HASH);
    }
    return true;
}

bool attachment_events(struct db *db, struct id after, struct id *out, size_t max, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "SELECT DISTINCT event_id FROM attachment_refs WHERE event_id > ?1 ORDER BY event_id "
                                 "LIMIT ?2",
                                 after, (int64_t)max);
    enum db_step step;
    *n = 0;
    if (!s)
        return false;
    while (*n < max && (step = db_step(s, err)) != DB_DONE) {
        if (step == DB_FAILED)
            return false;
        out[(*n)++] = db_id(s, 0);
    }
    db_reset(s);
    return true;
}

static bool is_known(struct db *db, struct str name, bool *known, struct error *err)
{
    uint8_t hash[ATTACHMENT_HASH];
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str padded = str_fmt(a, "%*s%.*s", 2 * (ID_HEX + 1), "", STR_ARG(name));
    *known = false;
    if (name.n != 2 * ATTACHMENT_HASH || !path_parse(padded, hash))
        return true;                    /* a draft, or nothing of ours */
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM attachments WHERE hash = ?1", db_as_blob(hash_str(hash)));
    return row_exists(s, known, err);
}

bool attachment_store_sweep(struct attachment_store *s, struct db *db, struct error *err)
{
    struct dirent *f;
    DIR *d = s->dir[0] ? opendir(s->dir) : NULL;
    bool ok = true;
    while (d && ok && (f = readdir(d))) {
        bool known;
        if (f->d_name[0] == '.')
            continue;
        ok = is_known(db, str_of(f->d_name), &known, err);
        if (ok && !known)
            unlinkat(dirfd(d), f->d_name, 0);
    }
    if (d)
        closedir(d);
    return ok;
}
