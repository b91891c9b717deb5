/* Events: accepted triggers (engine.md §1). */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "db/db.h"

struct event {
    struct id id, environment, workflow;
    struct str transaction_id, request_id;
    struct str idempotency_hash, body_hash;     /* 32 bytes each, or empty */
    struct str doc;                             /* {payload, overrides, to, actor, tenant, context} */
    int64_t created_at;
};

enum event_insert { EVENT_INSERTED, EVENT_DUPLICATE, EVENT_FAILED };
/* EVENT_DUPLICATE: the transactionId or the idempotency key is taken; nothing was written. */
enum event_insert event_insert(struct db *db, const struct event *e, struct error *err);
bool event_find(struct db *db, struct arena *a, struct id environment, struct id id, struct event *out, struct error *err);
bool event_find_by_transaction(struct db *db, struct arena *a, struct id environment, struct str transaction_id,
                               struct event *out, struct error *err);
bool event_find_by_idempotency(struct db *db, struct arena *a, struct str hash, struct event *out, struct error *err);

#endif
