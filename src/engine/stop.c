/* Cancellation of what a transactionId started, step by step (engine.md §2.9, decisions.md 3).
 *
 * A fan-out under way is stopped first, in a commit of its own: after that no further run can appear. Then its runs, some
 * at a time. A canceled digest's followers are runs of other events; they are rewritten in the same commit.
 */
#include "engine/plan_private.h"

#include "model/delivery.h"
#include "model/fanout.h"

/* Runs that this step rewrites; pointers, since machines point into them. */
struct stopping {
    struct worker *worker;
    struct plan *plan;
    struct machine_facts facts;
    struct machine_lookups lookups;
    struct planned_run **runs;
    size_t n, cap;
};

/* Jobs of which a delivery is being attempted just now: they end as they will. */
static bool in_flight(struct stopping *s, const struct run *r, uint64_t *jobs, struct error *err)
{
    *jobs = 0;
    for (size_t i = 0; i < r->targets_n; i++) {
        const struct run_target *t = &r->targets[i];
        struct delivery_record d;
        struct error missing = {0};
        if (t->status != TARGET_OPEN || t->job >= 64)
            continue;
        if (deliveries_find(s->worker->db, s->plan->arena, r->row.environment, run_delivery_id(r->row.id, (int)i), &d, &missing)) {
            if (d.started_at)
                *jobs |= (uint64_t)1 << t->job;
        } else if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    }
    return true;
}

static struct planned_run *run_begin(struct stopping *s, const struct run_row *row, struct error *err)
{
    struct planned_run *r = ARENA_NEW(s->plan->arena, struct planned_run);
    return run_decode(row, s->plan->arena, &r->run, err) ? r : NULL;
}

static void run_end(struct stopping *s, struct planned_run *r)
{
    effects_identify(s->plan, r);
    *ARENA_SLOT(s->plan->arena, s->runs, s->n, s->cap) = r;
}

/* The oldest follower goes on, the others follow it. */
static bool hand_over(struct stopping *s, const struct digest_move *v, struct error *err)
{
    struct digest_event *followers;
    size_t n;
    if (!digest_event_list(s->worker->db, s->plan->arena, v->run, v->job, &followers, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct run_row row;
        struct planned_run *r;
        struct machine_input in = {.kind = i ? INPUT_REPOINT : INPUT_PROMOTE, .job = v->member_job, .due_at = v->due_at,
                                   .from = v->run, .to = v->member};
        if (!run_find(s->worker->db, s->plan->arena, v->environment, followers[i].run, &row, err) || !(r = run_begin(s, &row, err)))
            return false;
        machine_advance(&r->machine, &r->run, &s->facts, &in);
        run_end(s, r);
    }
    return true;
}

static bool run_stop(struct stopping *s, const struct run_row *row, struct error *err)
{
    struct planned_run *r = run_begin(s, row, err);
    struct machine_input in = {.kind = INPUT_CANCEL};
    if (!r || !in_flight(s, &r->run, &in.in_flight, err))
        return false;
    machine_advance(&r->machine, &r->run, &s->facts, &in);
    if (r->machine.err.code != ERROR_NONE) {
        *err = r->machine.err;
        return false;
    }
    if (!r->machine.changed)
        return true;
    run_end(s, r);
    for (const struct effect *x = r->machine.effects; x; x = x->next)
        if (x->kind == EFFECT_DIGEST && x->digest.kind == DIGEST_HAND_OVER && !hand_over(s, &x->digest, err))
            return false;
    return true;
}

static bool runs_stop(struct worker *w, struct plan *p, struct id after, struct error *err)
{
    struct stopping s = {.worker = w, .plan = p, .lookups = lookups_of(w->db)};
    struct run_row *rows;
    size_t n;
    s.facts = (struct machine_facts){.now = clock_now_ms(w->engine->c.clock), .lookups = &s.lookups};
    if (!run_list_open(w->db, p->arena, p->work->cancellation->environment, p->cancel->event, after, CHUNK, &rows, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!run_stop(&s, &rows[i], err))
            return false;
    p->cancel->more = n == CHUNK;
    p->cancel->reached = n ? rows[n - 1].id : after;
    p->runs = ARENA_ARRAY(p->arena, struct planned_run, s.n);
    for (size_t i = 0; i < s.n; i++)
        p->runs[p->runs_n++] = *s.runs[i];
    return true;
}

/* Is there a fan-out to be stopped before its runs are looked at? */
static bool fanout_open(struct worker *w, struct id event, bool *open, struct error *err)
{
    struct fanout f;
    struct error missing = {0};
    *open = fanout_find(w->db, event, &f, &missing) && (f.state == FANOUT_RUNNING || f.state == FANOUT_PAUSED);
    return *open || missing.code == ERROR_NONE || missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

/* *known false: nothing has this transactionId. */
static bool cancel_plan(struct worker *w, struct plan *p, bool *known, struct error *err)
{
    const struct cancellation *c = p->work->cancellation;
    struct cancel_step *step = p->cancel = ARENA_NEW(p->arena, struct cancel_step);
    struct event event;
    if (!event_find_by_transaction(w->db, p->arena, c->environment, c->transaction_id, &event, err)) {
        *known = err->code != ERROR_NOT_FOUND;
        return false;
    }
    step->event = event.id;
    if (!fanout_open(w, event.id, &step->stops_fanout, err))
        return false;
    step->more = step->stops_fanout;
    return step->stops_fanout || runs_stop(w, p, p->work->after, err);
}

/* All that is read belongs together: a digest that is handed over between two reads would seem to wait for nobody. */
static bool cancel_plan_at_once(struct worker *w, struct plan *p, bool *known, struct error *err)
{
    if (!db_begin(w->db, false, err))
        return false;
    bool ok = cancel_plan(w, p, known, err);
    db_rollback(w->db);
    return ok;
}

void plan_cancel(struct worker *w, struct work *work)
{
    struct plan *p = plan_new(w->engine, work);
    struct error err = {0};
    bool known = true;
    if (cancel_plan_at_once(w, p, &known, &err)) {
        plan_submit(p);
        return;
    }
    if (known) {
        work_fail(w->engine, work, p->arena, &err);
        return;
    }
    arena_pool_give(w->engine->plan_arenas, p->arena);
    cancel_answer(work, NULL);
    work_end(w->engine, work);
}

bool cancel_apply(struct plan *p, struct db *db, struct error *err)
{
    struct cancel_step *c = p->cancel;
    c->stopped = p->runs_n > 0;
    if (!c->stops_fanout)
        return true;
    return fanout_cancel(db, c->event, clock_now_ms(p->engine->c.clock), &c->stopped, err);
}

bool cancel_done(struct plan *p, const struct error *err)
{
    struct work *w = p->work;
    if (err)
        return false;
    w->cancellation->stopped |= p->cancel->stopped;
    if (!p->cancel->more)
        return false;
    w->after = p->cancel->reached;
    w->replans = 0;
    struct engine *e = p->engine;
    arena_pool_give(e->plan_arenas, p->arena);      /* p is in it */
    work_push(e, w, w->cancellation->environment);
    return true;
}

void cancel_answer(struct work *w, const struct error *err)
{
    w->cancellation->done(w->cancellation, err);
}
