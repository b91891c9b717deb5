/* What a run decided about each of its steps, and by which rule (beyond.md §2, §3): read from its jobs and step log, so
 * that what explain foretells and what is told afterwards are the same words.
 */
#ifndef ENGINE_DECISIONS_H
#define ENGINE_DECISIONS_H

#include "engine/definition.h"
#include "engine/run.h"

enum decision {
    DECISION_PENDING,           /* not come to yet */
    DECISION_WAITING,           /* a timer, a request or a delivery is under way */
    DECISION_SENT,              /* a channel step was handed over */
    DECISION_PASSED,            /* a step without a channel did its work */
    DECISION_SKIPPED,
    DECISION_MERGED,            /* another run's digest has the event */
    DECISION_THROTTLED,
    DECISION_CANCELED,          /* by a user, or since a step before it failed */
    DECISION_FAILED,
    DECISIONS
};

enum decision_rule {
    RULE_NONE, RULE_CONDITION, RULE_PREFERENCE, RULE_SCHEDULE, RULE_THROTTLE, RULE_DIGEST, RULE_DELAY, RULE_ADDRESS,
    RULE_INTEGRATION, RULE_CONTENT, RULE_DELIVERY, RULE_HALT, RULE_CANCELLATION, RULES
};

struct decided {
    enum decision decision;
    enum decision_rule rule;
    int log;                    /* the entry that says so, perhaps of an earlier job that decided for all behind it; -1: none */
    int64_t at;
};

/* job ≥ 1. */
struct decided run_decided(const struct run *r, int job);
struct str decision_name(enum decision d);
struct str decision_rule_name(enum decision_rule r);
/* Adds decision, at and rule {kind, detail, layer?, condition?, values?} to the object o. s: the step as it was then, or
 * NULL. */
void decided_put(yyjson_mut_doc *d, yyjson_mut_val *o, struct run *r, const struct decided *x, const struct step_definition *s);

#endif
