/* What was deleted with a lot hanging on it (issue 3, item 8): gone for every reader at once, removed in chunks.
 *
 * Deleting removes the thing's own row and leaves a tombstone; lists that do not reach their rows through the thing leave
 * out what belongs to a tombstone. Each chunk is a commit of its own, so nobody waits behind a large deletion. The
 * tombstone goes with the last chunk; after a crash the rest is found by it.
 */
#ifndef MODEL_REMOVAL_H
#define MODEL_REMOVAL_H

#include "db/db.h"

/* Stored: never renumber. */
enum removal_kind { REMOVAL_TOPIC, REMOVAL_SUBSCRIBER, REMOVAL_ENVIRONMENT, REMOVAL_WORKFLOW, REMOVAL_PERSON };

enum { REMOVAL_CHUNK = 500 };           /* things (subscriptions, runs) a commit */

struct removal {
    struct id ref, environment;
    enum removal_kind kind;
    struct str subscriber_id;           /* REMOVAL_PERSON: the external id, which events name; else p NULL */
};
/* Leaves the tombstone and removes the first chunk; nothing stays if that was all. */
bool removal_begin(struct db *db, const struct removal *r, int64_t now, struct error *err);
/* The next chunk of the oldest tombstone. *more: call again, in another transaction. */
bool removal_continue(struct db *db, bool *more, struct error *err);

/* A condition for lists whose rows may belong to a deleted subscriber; column, with its table, is their subscriber's. */
#define REMOVAL_NOT_HIDDEN(column) "NOT EXISTS (SELECT 1 FROM removals WHERE removals.ref = " column ")"

#endif
