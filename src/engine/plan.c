/* From an item of work to rows: reads, steps the machine, and hands the writer one plan. */
#include "engine/plan_private.h"

struct plan *plan_new(struct engine *e, struct work *w)
{
    struct arena *a = arena_pool_take(e->plan_arenas);
    struct plan *p = ARENA_NEW(a, struct plan);
    p->engine = e;
    p->arena = a;
    p->work = w;
    p->chunk_done = -1;
    return p;
}

/* --- to the writer -------------------------------------------------------------------------------------------- */

/* The chunk behind a chunk needs nothing of what this one writes, unless it is the first of the topics: that leaves out who
 * got a run among the single recipients. */
static struct work *rest_ahead(const struct plan *p)
{
    if (!p->continues || p->fanout_change != FANOUT_MOVES || p->fanout.part != p->part_before || atomic_load(&p->engine->stop))
        return NULL;
    return relay_next(p->engine, p->work, &p->rest, &p->fanout);
}

void plan_submit(struct plan *p)
{
    struct error err = {0};
    for (size_t i = 0; i < p->runs_n; i++)
        if (p->runs[i].machine.err.code != ERROR_NONE) {
            err = p->runs[i].machine.err;
            attachments_let_go(p);
            work_fail(p->engine, p->work, p->arena, &err);
            return;
        }
    struct engine *e = p->engine;
    struct work *next = rest_ahead(p);
    p->task.apply = plan_apply;
    p->task.done = plan_done;
    p->rest_begun = next != NULL;
    p->announces = announcements_of(p);
    hold_next(p, true);
    if (writer_submit(e->c.writer, &p->task, &err)) {
        if (next)
            relay_push(e, next);        /* p may be over by now */
    } else {
        hold_next(p, false);
        if (next)
            work_end(e, next);
        attachments_let_go(p);
        work_fail(p->engine, p->work, p->arena, &err);
    }
}

/* --- from facts to effects --------------------------------------------------------------------------------- */

/* What is due at once starts with the commit, if there is room and its integration's pace allows it. The record of that is
 * the row itself: it is on disk before the provider is called (beyond.md §1). */
static void delivery_complete(struct plan *plan, const struct facts *f, struct delivery_record *r)
{
    struct engine *e = plan->engine;
    struct delivery_policy p = delivery_policy_of(e, f->environment, r->integration);
    if (r->due_at > f->machine.now)
        return;
    int64_t wait = pacing_take(e->circuits, r->integration, &p, claims_share(e), f->machine.now);
    r->slot = p.rate > 0 ? e->boot : r->slot;
    r->due_at += wait;
    if (wait)
        return;
    if (atomic_load(&e->deliveries) >= DELIVERIES_AT_ONCE) {
        plan->overflows = true;
        return;
    }
    r->owner = e->boot;
    r->started_at = f->machine.now;
}

static bool is_queued(const struct effect *x)
{
    return x->kind == EFFECT_TIMER || x->kind == EFFECT_CALL;
}

void effects_identify(struct plan *p, struct planned_run *r)
{
    const struct run_row *row = &r->run.row;
    for (struct effect *x = r->machine.effects; x; x = x->next) {
        if (is_queued(x) || x->kind == EFFECT_UNQUEUE)
            x->queue.id = run_derived_id(row->id, DERIVED_QUEUE, x->queue.job * 64 + x->queue.attempt);
        if (!is_queued(x))
            continue;
        x->queue.kind = x->kind == EFFECT_TIMER ? QUEUE_TIMER : QUEUE_CALL;
        x->queue.environment = row->environment;
        x->queue.ref = row->id;
        x->queue.owner = x->kind == EFFECT_CALL && x->queue.attempt == 1 ? p->engine->boot : (struct id){{0}};
    }
    r->run.row.state = run_encode(&r->run);
}

/* A run for one person that begins with its own message, in the same commit: it is listed by that. */
static bool lists_run(const struct message *m, const struct run_row *r)
{
    return m->channel == CHANNEL_IN_APP && id_eq(m->id, r->id) && id_eq(r->event, r->id) && !r->context.n
        && m->created_at == r->created_at;
}

void effects_complete(struct plan *p, struct planned_run *r, const struct facts *f)
{
    bool listened = somebody_listens(p->engine);
    size_t n = 0;
    for (struct effect *x = r->machine.effects; x; x = x->next)
        n += x->kind == EFFECT_RECEIVED;
    r->received = ARENA_ARRAY(p->arena, struct str, n);
    r->organization = f->environment->environment.organization;
    r->payload = f->machine.payload;
    r->told = f->environment->webhooks;
    for (struct effect *x = r->machine.effects; x; x = x->next) {
        if (x->kind == EFFECT_DELIVERY)
            delivery_complete(p, f, &x->delivery);
        else if (x->kind == EFFECT_MESSAGE)
            r->run.row.by_message |= r->fresh && lists_run(&x->message, &r->run.row);
        else if (x->kind == EFFECT_RECEIVED)
            r->received[r->received_n++] = listened ? socket_form(p, r, &x->message) : STR_NULL;
    }
    effects_identify(p, r);
}

/* --- due items ------------------------------------------------------------------------------------------------ */

/* What an item refers to was deleted meanwhile: it goes, and with it what is left of its run. */
void work_discard(struct engine *e, struct work *w, const struct error *why)
{
    struct plan *p = plan_new(e, w);
    p->consumes = p->abandons = true;
    p->reason = str_dup(p->arena, str_of(why->message));
    plan_submit(p);
}

void due_fail(struct engine *e, struct work *w, struct arena *a, const struct error *err)
{
    if (err->code != ERROR_NOT_FOUND) {
        work_fail(e, w, a, err);
        return;
    }
    arena_pool_give(e->plan_arenas, a);
    work_discard(e, w, err);
}

static bool run_load(struct worker *w, struct plan *p, struct planned_run *r, struct event *event, struct facts *f,
                     struct error *err)
{
    const struct queue_item *q = &p->work->item;
    struct run_row row;
    struct message *messages;
    struct event_parts parts;
    yyjson_val *doc;
    if (!run_find(w->db, p->arena, q->environment, q->ref, &row, err)
        || !run_decode(&row, p->arena, &r->run, err)
        || !event_find(w->db, p->arena, q->environment, row.event, event, err)
        || !json_parse(p->arena, event->doc, &doc, err)
        || !message_list_by_run(w->db, p->arena, row.environment, row.id, &messages, &f->machine.messages_n, err))
        return false;
    size_t n = f->machine.messages_n;
    parts = event_parts_of(doc);
    if (!facts_load(w->engine, w->db, p->arena, &r->run, event, &parts, NULL, NULL, NULL, f, err))
        return false;
    f->machine.messages = messages;
    f->machine.messages_n = n;
    r->person.row = f->subscriber;
    p->event = *event;
    p->attached = attachments_named(&parts);
    if (facts_opened(w->db, p->arena, f, &row, messages, n, err)
        && company_facts(w, p, event, &parts, f->environment->environment.organization, &f->machine, err))
        return true;
    facts_release(f);
    return false;
}

/* Steps a stored run with one input and submits what follows. */
static void plan_advance(struct worker *w, struct work *work, const struct machine_input *in)
{
    struct plan *p = plan_new(w->engine, work);
    struct planned_run *r = p->runs = ARENA_NEW(p->arena, struct planned_run);
    struct event event;
    struct facts f = {.environment = NULL};
    struct error err = {0};
    if (!run_load(w, p, r, &event, &f, &err)) {
        due_fail(w->engine, work, p->arena, &err);
        return;
    }
    machine_advance(&r->machine, &r->run, &f.machine, in);
    effects_complete(p, r, &f);
    facts_release(&f);
    p->runs_n = 1;
    p->consumes = true;
    plan_submit(p);
}

void plan_due(struct worker *w, struct work *work)
{
    if (work->item.kind == QUEUE_TIMER) {
        struct machine_input in = {.kind = INPUT_TIMER, .job = work->item.job, .attempt = work->item.attempt};
        plan_advance(w, work, &in);
    } else if (work->item.kind == QUEUE_DELIVERY) {
        attempt_delivery(w, work);
    } else if (work->item.kind == QUEUE_CALL) {
        attempt_call(w, work);
    } else if (work->item.kind == QUEUE_SNOOZE) {
        plan_wake(w, work);
    } else if (work->item.kind == QUEUE_WEBHOOK) {
        attempt_webhook(w, work);
    } else {
        plan_expand(w, work);
    }
}

void plan_delivered(struct worker *w, struct work *work)
{
    if (work->item.kind == QUEUE_WEBHOOK)
        plan_webhook(w, work);
    else
        plan_advance(w, work, &work->input);
}
