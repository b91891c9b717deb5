/* What a trigger would do, without doing it (beyond.md §2).
 *
 * The trigger is planned as the engine plans it (the same recipients, facts and machine, read from the real store), its
 * effects go into a dry world (dry.h), and virtual time runs through what becomes due. Nothing is written, sent or
 * requested. What the outside would answer is assumed: a provider takes every message, a service answers 200 {}, nobody
 * reads anything; `assume` says otherwise.
 *
 * What it cannot know: the pace of integrations (pacing), the jitter of retries (each run has its own), and changes of
 * the store between now and then.
 */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

#include "engine/engine.h"

enum {
    EXPLAIN_PEOPLE = 10, EXPLAIN_PEOPLE_MAX = 100,
    EXPLAIN_STEPS_MAX = 1000,       /* inputs of one run */
    EXPLAIN_CHUNKS_MAX = 10,        /* chunks of a topic or a broadcast that are looked at for people who pass */
    EXPLAIN_MS_MAX = 2000           /* real time; runs that have not ended by then are cut */
};

struct explain_request {
    /* environment, organization, definition, transaction_id, request_id, to … context, broadcast, strict. Nothing of it is
     * released. */
    struct trigger *trigger;
    int64_t at, until;          /* until: what is due later stays waiting; INT64_MAX: to the end */
    yyjson_val *assume;         /* NULL: nothing; else passed by explain_assume_check */
    int people;                 /* recipients to explain, at most EXPLAIN_PEOPLE_MAX; the others are only counted */
};

/* assume: {"reads": {stepId: time | true | {"seen": time | true, "read": time | true}}, "deliveries": {stepId: "sent" |
 * "retry" | "failed" | [one an attempt, the last for all that follow]}, "calls": {stepId: {"status": 100–599, "body": any} |
 * "unreachable" | "timeout"}}. Messages of what is wrong with it; returns how many of at most max; 0: valid. */
size_t explain_assume_check(struct arena *a, yyjson_val *assume, const struct definition *d, struct str *messages, size_t max);

/* *out is in d and may point into the trigger's definition. db: only read. From any thread. */
bool engine_explain(struct engine *e, struct db *db, struct arena *a, const struct explain_request *q, yyjson_mut_doc *d,
                    yyjson_mut_val **out, struct error *err);

#endif
