/* Events: accepted triggers (engine.md §1). */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "db/db.h"

struct event {
    struct id id, environment, workflow;
    struct str transaction_id, request_id;
    struct str idempotency_hash, body_hash;     /* 32 bytes each, or empty */
    /* {payload, overrides, to, actor, tenant, context, hops}. Of more than 100 single recipients `to` has only the topics
     * beside them; without `to` it went to everybody, or to such recipients alone. */
    struct str doc;
    int64_t created_at;
    bool logged;                                /* its request has an entry of its own in the request log */
    struct str trace;                           /* what is worth telling about it, see trace.h; p NULL: nothing */
};

enum event_insert { EVENT_INSERTED, EVENT_DUPLICATE, EVENT_FAILED };
/* EVENT_DUPLICATE: the transactionId or the idempotency key is taken; nothing was written. */
enum event_insert event_insert(struct db *db, const struct event *e, struct error *err);
bool event_find(struct db *db, struct arena *a, struct id environment, struct id id, struct event *out, struct error *err);
bool event_find_by_transaction(struct db *db, struct arena *a, struct id environment, struct str transaction_id,
                               struct event *out, struct error *err);
bool event_find_by_idempotency(struct db *db, struct arena *a, struct str hash, struct event *out, struct error *err);
/* All that one request made (a bulk trigger makes many), oldest first. */
bool event_list_by_request(struct db *db, struct arena *a, struct id environment, struct str request_id, struct event **out, size_t *n,
                           struct error *err);
bool event_set_trace(struct db *db, struct id environment, struct id id, struct str trace, struct error *err);

#endif
