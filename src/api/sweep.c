/* Purging by age. */
#include "api/sweep.h"

#include "model/idempotency.h"
#include "model/request_log.h"

enum { CHUNK = 500, ENVIRONMENTS = 10, EVERY_MS = 10 * 60 * 1000 };

static bool sweep_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct sweep *s = (struct sweep *)t;
    int64_t now = clock_now_ms(s->clock), keys, requests, demos;
    if (!idempotency_purge(db, now, CHUNK, &keys, err) || !request_log_purge(db, now, CHUNK, &requests, err)
        || !environment_expire(db, now - KEYLESS_LIFE_MS, ENVIRONMENTS, now, &demos, err))
        return false;
    s->expired = demos > 0;
    s->more = keys == CHUNK || requests == CHUNK || demos == ENVIRONMENTS;
    return true;
}

static void sweep_submit(struct sweep *s)
{
    struct error err = {0};
    if (!writer_submit(s->writer, &s->task, &err))
        atomic_store(&s->queued, false);        /* a full queue: the next call tries again */
}

static void sweep_done(struct write_task *t, const struct error *err)
{
    struct sweep *s = (struct sweep *)t;
    if (!err && s->expired) {
        directory_changed(s->directory);
        removals_kick(s->removals);
    }
    if (!err && s->more) {
        sweep_submit(s);
        return;
    }
    atomic_store(&s->next_at, clock_now_ms(s->clock) + EVERY_MS);
    atomic_store(&s->queued, false);
}

void sweep_init(struct sweep *s, struct writer *w, const struct clock *clock, struct directory *directory, struct removals *removals)
{
    s->task = (struct write_task){.apply = sweep_apply, .done = sweep_done};
    s->writer = w;
    s->clock = clock;
    s->directory = directory;
    s->removals = removals;
    atomic_init(&s->queued, false);
    atomic_init(&s->next_at, 0);
}

void sweep_poke(struct sweep *s)
{
    if (clock_now_ms(s->clock) < atomic_load_explicit(&s->next_at, memory_order_relaxed) || atomic_exchange(&s->queued, true))
        return;
    sweep_submit(s);
}
