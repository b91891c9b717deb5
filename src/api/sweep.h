/* Removes what has served its time: answers of idempotency keys after 24 hours, the request log after 30 days, demo
 * environments after a day. In chunks, a commit each, every ten minutes of the application's clock while anybody calls.
 */
#ifndef API_SWEEP_H
#define API_SWEEP_H

#include "account/directory.h"
#include "api/removals.h"
#include "base/clock.h"
#include "db/writer.h"

struct sweep {
    struct write_task task;
    struct writer *writer;
    const struct clock *clock;
    struct directory *directory;
    struct removals *removals;
    bool more, expired;                 /* the task's results: call again; an environment is gone */
    _Atomic bool queued;
    _Atomic int64_t next_at;
};

/* directory, removals: to be told of environments that are gone. */
void sweep_init(struct sweep *s, struct writer *w, const struct clock *clock, struct directory *directory, struct removals *removals);
/* From any thread, as often as you like: costs a look at the clock unless it is time. */
void sweep_poke(struct sweep *s);

#endif
