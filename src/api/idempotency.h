/* Idempotency-Key (rest-api.md §5, decisions.md 10): POST and PATCH under a secret key.
 *
 * A key belongs to an organisation; its body hash covers environment, method, path with query, and body. The first use is
 * part of the commit of its work: an accepted event carries the hashes in its columns, every other answer is a row of
 * idempotency_keys that api_write writes around the work, in the same transaction. Answers that no write stands behind
 * (422 of a form, 404 of a look-up) are stored by themselves before they are sent. Requests under way are known to this
 * process; between processes on one store the row decides: the loser's work is rolled back and it gets the winner's
 * answer. Answers are sealed at rest: some show secrets once.
 */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "api/app.h"
#include "model/idempotency.h"

struct idempotency;

struct idempotency *idempotency_create(void);
void idempotency_destroy(struct idempotency *i);        /* accepts NULL */

/* Of a request with a key: in rq->arena, from the before hook to the end. */
struct idempotent;

/* In the before hook. false: answered (400, 409, 422, a replay). *out NULL: the key does not matter here. */
bool idempotency_begin(struct request *rq, struct idempotent **out);
/* In the answering hook: whether the answer may be sent now; false: it is being stored first. */
bool idempotency_answering(struct request *rq, struct idempotent *k, int status, const char *content_type, struct str body);
/* The request is over: the next with this key is no longer told to wait. Before the answer is sent. */
void idempotency_end(struct request *rq, struct idempotent *k);

/* Around the work, in its transaction. The key comes first: of two processes the second waits there, instead of running
 * into what the first one's work left behind. false: undo the work; idempotency_lost says whether another process had the
 * key, and then answers. idempotency_store takes the answer that is held. */
bool idempotency_claim(struct request *rq, struct idempotent *k, struct db *db, struct error *err);
bool idempotency_store(struct request *rq, struct idempotent *k, struct db *db, struct error *err);
bool idempotency_lost(struct request *rq, struct idempotent *k);

/* The columns of an event of this request; index: its place in a bulk call, or -1. false: no key. */
bool idempotency_event(struct request *rq, long index, struct str *key_hash, struct str *body_hash);
/* The event in the store answers for this key from now on (or, false, does not after all). */
void idempotency_event_has_it(struct request *rq, bool has);
/* Answers as rest-api.md §5 items 5 and 6 say: the key stands for another body; the coming answer is a replay. */
void idempotency_reply_other_body(struct request *rq);
void idempotency_mark_replay(struct request *rq);

#endif
