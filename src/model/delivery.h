/* Deliveries in the store: what waits for a provider, what is under way, and what was given up (beyond.md §1).
 *
 * A row exists from the first attempt until the provider took the message. Its attempt is recorded as started before the
 * provider is called; what became of it is the next change of the row (or its removal). So after a crash every row that
 * says `started` and whose owner is gone had an attempt of which nobody knows the end: it counts, and is made again.
 * A given-up delivery stays as a dead letter until it is driven again.
 *
 * All times are workflow time, but for leases (real time).
 */
#ifndef MODEL_DELIVERY_H
#define MODEL_DELIVERY_H

#include "base/json.h"
#include "db/db.h"
#include "model/types.h"

enum delivery_state {
    DELIVERY_OPEN,
    DELIVERY_DEAD,
    DELIVERY_REOPENING          /* somebody asked to drive it again; the engine has yet to tell its run */
};

struct delivery_record {
    struct id id, environment, run, message, integration;
    int job, target;            /* of the run */
    enum channel channel;
    struct str provider_id;
    enum delivery_state state;
    int attempt;                /* due, or under way, or the last one of a dead letter */
    int64_t due_at;
    int64_t started_at;         /* 0: not under way */
    struct id owner;            /* the process that it is under way in */
    struct id slot;             /* the process that reserved due_at for it at its rate; zero: none */
    struct str address;         /* JSON: one device or endpoint among the message's; empty: the message's own */
    struct str error;           /* dead: why; waiting: why the last attempt failed */
    int64_t created_at, updated_at;
};

/* Inserts, or plans the next attempt of the one that exists. */
bool deliveries_put(struct db *db, const struct delivery_record *r, struct error *err);
/* Is this attempt still the row's? Locks the row to the end of the transaction. */
bool deliveries_hold(struct db *db, struct id environment, struct id id, int attempt, bool *held, struct error *err);
/* The provider took it, or nobody wants it any more. */
bool deliveries_remove(struct db *db, struct id environment, struct id id, struct error *err);
/* Nobody wants it any more. *withdrawn false: it is under way, or gone. */
bool deliveries_withdraw(struct db *db, struct id environment, struct id id, bool *withdrawn, struct error *err);
/* Given up. */
bool deliveries_bury(struct db *db, struct id environment, struct id id, struct str error, int64_t now, struct error *err);

/* Records the start of what is due (at most max, in order) for the process `owner`; rows that another process is just
 * claiming are passed over. */
bool deliveries_claim(struct db *db, struct arena *a, int64_t now, struct id owner, int max, struct delivery_record **out,
                      size_t *n, struct error *err);
/* Takes over what was started by processes whose lease is over, as started by `owner`. */
bool deliveries_adopt(struct db *db, struct arena *a, struct id owner, int64_t real_now, int max, struct delivery_record **out,
                      size_t *n, struct error *err);
/* The start in the process `owner` did not happen: it waits again, until due_at. slot: as in the record. */
bool deliveries_defer(struct db *db, struct id environment, struct id id, int attempt, struct id owner, int64_t due_at,
                      struct id slot, struct error *err);
/* When the first that waits is due; INT64_MAX: none. */
bool deliveries_next_due(struct db *db, int64_t *due, struct error *err);

struct delivery_counts {
    int64_t waiting, sending, dead;
};
/* At most `most` of each, so that asking costs the same with any backlog. */
bool deliveries_count(struct db *db, int64_t most, struct delivery_counts *c, struct error *err);

struct delivery_query {
    int state;                  /* enum delivery_state; -1: any */
    int under_way;              /* of the open ones: 1 started, 0 waiting; -1: any */
    int channel;                /* -1: any */
    struct id integration;      /* zero: any */
    struct str provider_id;     /* empty: any */
    int64_t from, to;           /* of updated_at; 0: open */
    struct id after;            /* older ids than this; zero: from the newest */
    int limit;
};
/* Newest first. */
bool deliveries_list(struct db *db, struct arena *a, struct id environment, const struct delivery_query *q,
                     struct delivery_record **out, size_t *n, struct error *err);
bool deliveries_find(struct db *db, struct arena *a, struct id environment, struct id id, struct delivery_record *out,
                     struct error *err);
/* Dead letters that match (state and under_way are not looked at) are marked for another life, at most q->limit of them.
 * Of all who ask at once one marks each. */
bool deliveries_redrive(struct db *db, struct id environment, const struct delivery_query *q, int64_t now, int64_t *n,
                        struct error *err);
bool deliveries_redrive_one(struct db *db, struct id environment, struct id id, int64_t now, bool *marked, struct error *err);
yyjson_mut_val *deliveries_json(yyjson_mut_doc *d, const struct delivery_record *r);

/* --- processes that share the store ------------------------------------------------------------------------ */

/* Renews or takes the lease; forgets the leases of others that ended before `forget`. *fresh: there was none to renew: it is
 * the first, or others have declared this process dead since (presence.h) and taken its people out. */
bool node_renew(struct db *db, struct id node, int64_t lease_until, int64_t forget, bool *fresh, struct error *err);
bool node_leave(struct db *db, struct id node, struct error *err);
/* How many leases hold. */
bool node_count(struct db *db, int64_t real_now, int64_t *n, struct error *err);

#endif
