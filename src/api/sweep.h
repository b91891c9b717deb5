/* Removes what has served its time: answers of idempotency keys after 24 hours, the request log after 30 days. In chunks,
 * a commit each, every ten minutes of the application's clock while anybody calls.
 */
#ifndef API_SWEEP_H
#define API_SWEEP_H

#include "base/clock.h"
#include "db/writer.h"

struct sweep {
    struct write_task task;
    struct writer *writer;
    const struct clock *clock;
    bool more;                          /* the task's result */
    _Atomic bool queued;
    _Atomic int64_t next_at;
};

void sweep_init(struct sweep *s, struct writer *w, const struct clock *clock);
/* From any thread, as often as you like: costs a look at the clock unless it is time. */
void sweep_poke(struct sweep *s);

#endif
