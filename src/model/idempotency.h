/* Answers that are kept for Idempotency-Key (rest-api.md §5, decisions.md 10).
 *
 * A key's hash is one row here, with the answer; or, when the answer was the acceptance of an event, two columns of
 * that event. Rows live 24 hours; what is older counts as absent and is purged in chunks.
 */
#ifndef MODEL_IDEMPOTENCY_H
#define MODEL_IDEMPOTENCY_H

#include "db/db.h"

enum { IDEMPOTENCY_HASH = 32 };
static const int64_t idempotency_age_ms = 24 * 3600 * 1000LL;

struct idempotency_row {
    struct str body_hash;
    int status;
    struct str answer;                      /* sealed; "" for an answer without a body */
    struct str transaction_id, request_id;  /* of the event that has the key; p NULL: it is a row of its own */
    int64_t created_at;
};

/* ERROR_NOT_FOUND: the key is new. Rows that are too old are found too. */
bool idempotency_find(struct db *db, struct arena *a, struct str hash, struct idempotency_row *out, struct error *err);
/* *taken: there is a row that is not too old, and nothing was written. row->status 0: the answer comes later in the same
 * transaction; meanwhile another one that wants the key waits (PostgreSQL) for what becomes of this. */
bool idempotency_insert(struct db *db, struct str hash, const struct idempotency_row *row, bool *taken, struct error *err);
bool idempotency_set_answer(struct db *db, struct str hash, int status, struct str answer, struct error *err);
bool idempotency_delete(struct db *db, struct str hash, struct error *err);
/* Takes the key off the event that has it: it is too old. */
bool idempotency_release_event(struct db *db, struct str hash, struct error *err);
/* Removes at most `limit` rows that are too old; *n says how many. */
bool idempotency_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err);

#endif
