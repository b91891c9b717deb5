/* Goes on with large deletions. */
#include "api/removals.h"

#include "model/removal.h"

static bool removals_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct removals *r = (struct removals *)t;
    return removal_continue(db, &r->more, err);
}

static void removals_submit(struct removals *r)
{
    struct error err = {0};
    if (atomic_exchange(&r->queued, true))
        return;
    atomic_store(&r->wanted, false);
    /* A full queue: the next deletion or start goes on. */
    if (!writer_submit(r->writer, &r->task, &err))
        atomic_store(&r->queued, false);
}

static void removals_done(struct write_task *t, const struct error *err)
{
    struct removals *r = (struct removals *)t;
    bool more = !err && r->more;
    atomic_store(&r->queued, false);
    if (more || atomic_load(&r->wanted))
        removals_submit(r);
}

void removals_kick(struct removals *r)
{
    /* If the task is under way it may already have looked: it goes once more. */
    atomic_store(&r->wanted, true);
    removals_submit(r);
}

void removals_start(struct removals *r, struct writer *w)
{
    r->writer = w;
    r->task.apply = removals_apply;
    r->task.done = removals_done;
    removals_kick(r);
}
