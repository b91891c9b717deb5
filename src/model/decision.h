/* What was decided about a person, newest first (beyond.md §3): their runs, and what has no run: topics whose
 * subscriptions said no, and triggers that used a transactionId again. An ordinary trigger writes no row for this.
 */
#ifndef MODEL_DECISION_H
#define MODEL_DECISION_H

#include "db/db.h"

enum decision_kind { DECISION_RUN, DECISION_FILTERED, DECISION_DUPLICATE };

struct decision_row {
    enum decision_kind kind;
    struct id id;                       /* of a run: its own; of what was filtered: its event's */
    struct id event, workflow;
    int64_t workflow_version;           /* 0: not known */
    int64_t at;
    struct str evaluations;             /* filtered: JSON, as in struct run (engine/run.h) */
    int64_t times;                      /* duplicate: how often by now */
};

struct decision_query {
    struct id subscriber;
    struct id workflow;                 /* zero: any */
    int64_t from, to;                   /* ms, inclusive; 0: open */
    struct id after;                    /* older than this one; zero: from the newest */
    int limit;
};

bool decision_list(struct db *db, struct arena *a, struct id environment, const struct decision_query *q,
                   struct decision_row **out, size_t *n, struct error *err);

/* d: subscriber, … as in the row; id and at are of now. In a write transaction. */
bool decision_duplicate(struct db *db, struct id subscriber, const struct decision_row *d, struct error *err);

#endif
