/* What a trigger carries along as files (engine.md §1.8, decisions.md 4): contents by their sha256, kept until the last run
 * of the last event that needs them has ended.
 *
 * The payload keeps {name, mime, channels, storagePath}; storagePath is "<organisation>/<environment>/<hash>/<name>".
 * Which event needs what is rows. The bytes are files below the data directory with SQLite (one node), and rows with
 * PostgreSQL (several). A file is durable before the commit that refers to it, and goes only after the commit that
 * forgets it; what a crash leaves in between goes at the next start.
 */
#ifndef MODEL_ATTACHMENT_H
#define MODEL_ATTACHMENT_H

#include "base/json.h"
#include "db/db.h"

enum { ATTACHMENT_HASH = 32, ATTACHMENTS_BYTES_MAX = 20971520 };       /* of one event, decoded */

struct attachment {
    uint8_t hash[ATTACHMENT_HASH];
    struct str bytes;
};

/* Where the bytes are. Thread-safe. */
struct attachment_store;
struct attachment_store *attachment_store_open(const char *database_url, struct error *err);
void attachment_store_close(struct attachment_store *s);

/* Before the commit, not on the writer's thread: makes the bytes durable and keeps them from being removed until
 * attachment_store_unpin, which must follow the commit or its failure. */
bool attachment_store_put(struct attachment_store *s, const struct attachment *list, size_t n, struct error *err);
void attachment_store_unpin(struct attachment_store *s, const struct attachment *list, size_t n);
/* The bytes of a storagePath. ERROR_NOT_FOUND: they are gone. */
bool attachment_read(struct attachment_store *s, struct db *db, struct arena *a, struct str storage_path, struct str *bytes,
                     struct error *err);
struct str attachment_path(struct arena *a, struct id organization, struct id environment, const struct attachment *x,
                           struct str name);

/* In the accepting commit. */
bool attachment_insert(struct attachment_store *s, struct db *db, struct id event, const struct attachment *list, size_t n,
                       int64_t now, struct error *err);
/* A dead letter may be driven again: what the event needed stays for as long as the delivery does. */
bool attachment_keep(struct db *db, struct id event, struct id delivery, struct error *err);
/* Forgets what the event (or the delivery that was kept for) needs if none of its runs is under way, it waits in no digest,
 * which may yet become its own, and its fan-out is over (sparing: nothing is looked at if it
 * ever had a fan-out, for its runs may be many). What nobody needs any more goes;
 * remove has the hashes of the files, for after the commit. */
struct attachment_removal {
    uint8_t (*hashes)[ATTACHMENT_HASH];
    size_t n, cap;
};
bool attachment_settle(struct db *db, struct arena *a, struct id event, bool sparing, struct attachment_removal *remove,
                       struct error *err);
void attachment_store_remove(struct attachment_store *s, const struct attachment_removal *r);
/* Events that still need something, beyond `after`, in order of ids. */
bool attachment_events(struct db *db, struct id after, struct id *out, size_t max, size_t *n, struct error *err);
/* At start: files that no row knows. */
bool attachment_store_sweep(struct attachment_store *s, struct db *db, struct error *err);

#endif
