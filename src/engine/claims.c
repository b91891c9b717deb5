/* Which work is this process's: leases between processes, and claims of what is due (beyond.md §1).
 *
 * A process that shares its store holds a lease, renewed every few seconds. What it has started is its own as long as the
 * lease holds; after that another process takes it over, and the attempt counts as one of unknown end. A call to a provider
 * only begins while the lease outlives the longest call, so that two processes never make the same delivery at once.
 * A store that nobody shares (SQLite) has one lease without end: whoever opens it takes over at once what is left.
 */
#include "engine/engine_private.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "model/presence.h"

enum {
    CLAIM = 256,                /* deliveries claimed in one commit */
    LEASE_MS = 60000, RENEW_MS = 10000,
    CALL_MS = 40000             /* no call to a provider takes longer (dispatcher.h: 30 s) */
};

struct lease {
    struct engine *engine;
    bool shared;
    _Atomic int64_t until;      /* real time */
    _Atomic int share;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stop;
};

/* --- adopting --------------------------------------------------------------------------------------------------------- */

struct claim {
    struct engine *engine;
    struct arena *arena;
    bool adopt;
    int64_t now;
    int max;
    struct delivery_record *records;
    size_t n;
    int64_t nodes;
    bool more, fresh;
};

static bool claim_apply(void *arg, struct db *db, struct error *err)
{
    struct claim *c = arg;
    struct id boot = c->engine->boot;
    return c->adopt ? deliveries_adopt(db, c->arena, boot, c->now, c->max, &c->records, &c->n, err)
                    : deliveries_claim(db, c->arena, c->now, boot, c->max, &c->records, &c->n, err);
}

static bool adopt_some(struct engine *e, bool *more, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct claim c = {.engine = e, .arena = a, .adopt = true, .now = clock_real_ms(), .max = CLAIM};
    if (!writer_run(e->c.writer, claim_apply, &c, err))
        return false;
    for (size_t i = 0; i < c.n; i++)
        delivery_adopt(e, &c.records[i]);
    *more = c.n == CLAIM;
    return true;
}

/* Counts as busy: either the engine that begins to stop waits for what is adopted here, or `stop` is seen here. */
bool claims_adopt(struct engine *e, struct error *err)
{
    bool ok = true, more = true;
    atomic_fetch_add(&e->busy, 1);
    while (ok && more && !atomic_load(&e->stop))
        ok = adopt_some(e, &more, err);
    work_done(e);
    return ok;
}

/* --- people of processes that are no more ------------------------------------------------------------------------------ */

static bool presence_apply(void *arg, struct db *db, struct error *err)
{
    struct claim *c = arg;
    return presence_lapse(db, c->now, clock_now_ms(c->engine->c.clock), &c->more, err);
}

static bool claims_presence(struct engine *e, struct error *err)
{
    struct claim c = {.engine = e, .now = clock_real_ms()};
    do
        if (!writer_run(e->c.writer, presence_apply, &c, err))
            return false;
    while (c.more && !atomic_load(&e->stop));
    return true;
}

/* --- the lease ----------------------------------------------------------------------------------------------------------- */

static bool renew_apply(void *arg, struct db *db, struct error *err)
{
    struct claim *c = arg;
    const struct lease *l = c->engine->lease;
    int64_t until = l->shared ? c->now + LEASE_MS : INT64_MAX;
    /* A lease that ended long ago is forgotten; what that process had begun is adopted all the same. */
    return node_renew(db, c->engine->boot, until, l->shared ? c->now - 10 * LEASE_MS : INT64_MAX, &c->fresh, err)
        && node_count(db, c->now, &c->nodes, err);
}

static bool renew(struct engine *e, bool *fresh, struct error *err)
{
    struct claim c = {.engine = e, .now = clock_real_ms()};
    if (!writer_run(e->c.writer, renew_apply, &c, err))
        return false;
    atomic_store(&e->lease->until, e->lease->shared ? c.now + LEASE_MS : INT64_MAX);
    atomic_store(&e->lease->share, c.nodes < 1 ? 1 : (int)c.nodes);
    *fresh = c.fresh;
    return true;
}

static bool renew_again(struct engine *e, struct error *err)
{
    bool fresh;
    if (!renew(e, &fresh, err))
        return false;
    if (fresh)
        log_warn("the lease of this process had ended: others may have taken over what it had begun", NULL);
    if (fresh && e->c.world.revived)
        e->c.world.revived(e->c.world.app);
    return true;
}

static void *lease_main(void *arg)
{
    struct lease *l = arg;
    struct error err = {0};
    pthread_setname_np(pthread_self(), "lease");
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        int64_t until = clock_mono_ns() + (int64_t)RENEW_MS * 1000000;
        struct timespec t = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        pthread_cond_timedwait(&l->wake, &l->lock, &t);
        if (l->stop)
            break;
        pthread_mutex_unlock(&l->lock);
        if (!renew_again(l->engine, &err) || !claims_adopt(l->engine, &err) || !claims_presence(l->engine, &err))
            log_warn("lease not renewed", "reason", err.message, NULL);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool inherit_apply(void *arg, struct db *db, struct error *err)
{
    return node_leave(db, ((struct engine *)arg)->c.predecessor, err);
}

/* What the one before us had begun is adopted now. */
static bool inherit(struct engine *e, struct error *err)
{
    return id_is_zero(e->c.predecessor) || writer_run(e->c.writer, inherit_apply, e, err);
}

bool claims_start(struct engine *e, struct error *err)
{
    struct lease *l = e->lease = calloc(1, sizeof *l);
    pthread_condattr_t attr;
    bool fresh;
    if (!l)
        abort();
    l->engine = e;
    l->share = 1;
    l->shared = db_kind_of(e->workers[0].db) == DB_POSTGRES;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (!inherit(e, err) || !renew(e, &fresh, err) || !claims_adopt(e, err) || !claims_presence(e, err))
        return false;
    if (l->shared && pthread_create(&l->thread, NULL, lease_main, l))
        return error_set(err, ERROR_IO, "Cannot start the lease thread");
    l->running = l->shared;
    return true;
}

static bool leave_apply(void *arg, struct db *db, struct error *err)
{
    return node_leave(db, ((struct engine *)arg)->boot, err);
}

void claims_lapse(struct engine *e)
{
    struct lease *l = e->lease;
    if (!l->running)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    l->running = false;
}

/* What this process still has begun is taken over by another one at once. */
void claims_stop(struct engine *e)
{
    struct lease *l = e->lease;
    struct error err = {0};
    if (!l)
        return;
    claims_lapse(e);
    writer_run(e->c.writer, leave_apply, e, &err);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->wake);
    free(l);
    e->lease = NULL;
}

bool claims_hold(const struct engine *e)
{
    return atomic_load(&e->lease->until) > clock_real_ms() + CALL_MS;
}

int claims_share(const struct engine *e)
{
    return atomic_load(&e->lease->share);
}

/* --- claiming --------------------------------------------------------------------------------------------------------------- */

struct queue_claiming {
    struct engine *engine;
    int64_t now;
    struct queue_item *out;
    size_t max, *n;
};

static bool claim_queue_apply(void *arg, struct db *db, struct error *err)
{
    struct queue_claiming *c = arg;
    return queue_claim(db, c->now, c->engine->boot, clock_real_ms(), c->out, c->max, c->n, err);
}

bool claims_queue(struct engine *e, int64_t now, struct queue_item *out, size_t max, size_t *n, struct error *err)
{
    struct queue_claiming c = {.engine = e, .now = now, .out = out, .max = max, .n = n};
    bool yes;
    *n = 0;
    if (!queue_claimable(e->timer_db, now, e->boot, clock_real_ms(), &yes, err))
        return false;
    return !yes || writer_run(e->c.writer, claim_queue_apply, &c, err);
}

bool claims_scan(struct engine *e, int64_t *next, bool *full, struct error *err)
{
    *full = false;
    for (;;) {
        int64_t now = clock_now_ms(e->c.clock), room = DELIVERIES_AT_ONCE - atomic_load(&e->deliveries);
        if (!deliveries_next_due(e->timer_db, next, err))
            return false;
        if (*next > now || e->stop)
            return true;
        if (room <= 0) {
            *full = true;
            *next = INT64_MAX;
            return true;
        }
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct claim c = {.engine = e, .arena = a, .now = now, .max = room < CLAIM ? (int)room : CLAIM};
        if (!writer_run(e->c.writer, claim_apply, &c, err))
            return false;
        for (size_t i = 0; i < c.n; i++) {
            histogram_observe(e->metrics.lateness, (double)(now - c.records[i].due_at) / 1000.0);
            delivery_start(e, &c.records[i]);
        }
        if (!c.n)
            return true;                /* another process was faster */
    }
}
