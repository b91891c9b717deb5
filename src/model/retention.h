/* Letting go of what is old (engine.md §11): a run with all that belongs to it, never one with something pending.
 *
 * Ages are by ids, whose first part is the second in which a thing was made; a run's is that of its last change, for it may
 * have waited longer than it is kept. In-app messages outlive their run: the Inbox shows them without it.
 */
#ifndef MODEL_RETENTION_H
#define MODEL_RETENTION_H

#include "db/db.h"

enum { RETENTION_CHUNK = 200 };         /* things a commit */

struct retention {
    int64_t runs_before;                /* ms; runs, events, their messages, the outbox, webhooks; 0: for ever */
    int64_t in_app_before;              /* ms; in-app messages whose run is gone; 0: for ever */
};

/* Where a pass is. Begin with {0}; over when phase is RETENTION_OVER. */
struct retention_cursor {
    struct id environment, after;
    enum { RETENTION_NEXT_ENVIRONMENT, RETENTION_RUNS, RETENTION_DEAD, RETENTION_EVENTS, RETENTION_IN_APP, RETENTION_OUTBOX, RETENTION_WEBHOOKS, RETENTION_OVER } phase;
};

/* Whose counts of unread or unseen messages are less now. */
struct retention_people {
    struct id ids[RETENTION_CHUNK];
    size_t n;
};

/* One chunk; c moves on. For one transaction of the writer; may be repeated with the same c. */
bool retention_purge(struct db *db, const struct retention *r, struct retention_cursor *c, struct retention_people *people,
                     struct error *err);

#endif
