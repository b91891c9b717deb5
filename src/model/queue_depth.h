/* How much is in the queue, for the operator's gauges. */
#ifndef MODEL_QUEUE_DEPTH_H
#define MODEL_QUEUE_DEPTH_H

#include "db/db.h"

struct queue_depth {
    int64_t due, pending;       /* at `now` or before; later */
};

/* Counts at most `most` of each, so that a scrape costs the same with any backlog. */
bool queue_depth(struct db *db, int64_t now, int64_t most, struct queue_depth *d, struct error *err);

#endif
