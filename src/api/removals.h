/* Goes on with what large deletions left, a chunk a commit, while there is anything (model/removal.h).
 *
 * Nobody waits for it. Any thread may kick; the work is done on the writer's.
 */
#ifndef API_REMOVALS_H
#define API_REMOVALS_H

#include "db/writer.h"

struct removals {
    struct write_task task;
    struct writer *writer;
    bool more;                          /* the task's result */
    _Atomic bool queued, wanted;
};

/* Also takes up what was left when the process last ended. */
void removals_start(struct removals *r, struct writer *w);
void removals_kick(struct removals *r);

#endif
