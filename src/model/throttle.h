/* Throttle windows: how many of a group went through since its window opened (engine.md §4.8). */
#ifndef MODEL_THROTTLE_H
#define MODEL_THROTTLE_H

#include "db/db.h"

struct throttle_window {
    int64_t started_at, ends_at;        /* both 0: none is stored; one that has ended counts for nothing */
    int64_t granted;
};

/* One more passes. */
struct throttle_grant {
    struct str key;
    struct id environment, subscriber;
    bool opens;                         /* a new window, in the place of one that ended before started_at */
    int64_t started_at, ends_at;        /* the window that it counts in */
    int64_t threshold;
};

bool throttle_window_find(struct db *db, struct str key, struct throttle_window *out, struct error *err);
/* In a write transaction. *done false: another window is open by now, or this one is full: decide again. */
bool throttle_grant(struct db *db, const struct throttle_grant *g, bool *done, struct error *err);

#endif
