/* The queue: what is still to do, ordered by when (design.md, idea 3).
 *
 * A row exists only while something is to do: a delay to fire, a delivery to attempt, an event to fan out.
 */
#ifndef MODEL_QUEUE_H
#define MODEL_QUEUE_H

#include "db/db.h"

enum queue_kind {
    QUEUE_TIMER = 1,        /* ref: run; job: its delayed step fires */
    QUEUE_DELIVERY = 2,     /* ref: run; of the table of deliveries, not of the queue's (model/delivery.h) */
    QUEUE_EVENT = 3,        /* ref: event, accepted but not yet expanded into runs */
    QUEUE_CALL = 4,         /* ref: run; job: attempt number `attempt` of the HTTP request that is its step */
    QUEUE_SNOOZE = 5,       /* id: message, ref: its run; the message comes back (model/inbox.h) */
    QUEUE_WEBHOOK = 6       /* id: delivery, ref: endpoint; of the table of webhook deliveries (model/webhook.h) */
};

struct queue_item {
    int64_t due_at;
    struct id id, environment, ref;
    enum queue_kind kind;
    int job, attempt;
    int target;             /* of a delivery: which one of its run */
    struct id owner;        /* boot id of the process that works on it; zero: nobody */
};

bool queue_insert(struct db *db, const struct queue_item *q, struct error *err);
bool queue_delete(struct db *db, int64_t due_at, struct id id, struct error *err);
/* Deletes it and says whether it was still there: of all who know of an item, one takes it. */
bool queue_take(struct db *db, int64_t due_at, struct id id, bool *taken, struct error *err);
bool queue_exists(struct db *db, int64_t due_at, struct id id, bool *exists, struct error *err);
/* Due at `now` or before, in order, beyond (after_due, after_id); at most max items into out. */
bool queue_due(struct db *db, int64_t now, int64_t after_due, struct id after_id, struct queue_item *out, size_t max,
               size_t *n, struct error *err);
/* For processes that share the store: makes what is due, and belongs to nobody whose lease holds (model/delivery.h), the
 * process `owner`'s; what another process is just claiming is passed over. */
bool queue_claim(struct db *db, int64_t now, struct id owner, int64_t real_now, struct queue_item *out, size_t max, size_t *n,
                 struct error *err);
/* Is there something to claim? */
bool queue_claimable(struct db *db, int64_t now, struct id owner, int64_t real_now, bool *yes, struct error *err);
/* When the next item after `now` is due; INT64_MAX if none. */
bool queue_next_due(struct db *db, int64_t now, int64_t *due, struct error *err);
bool queue_count(struct db *db, int64_t *n, struct error *err);

#endif
