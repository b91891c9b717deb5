/* What follows a plan's commit, or its failure, on the writer's thread: effects are made known, what is next is started, who waits
 * is answered. */
#include "engine/plan_private.h"

#include <stdlib.h>

#include "base/log.h"

static void start_item_now(struct engine *e, const struct queue_item *q)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DUE;
    w->item = *q;
    atomic_fetch_add(&e->busy, 1);
    work_push(e, w, q->ref);
}

bool somebody_listens(const struct engine *e)
{
    return !e->c.world.listening || e->c.world.listening(e->c.world.app);
}

struct str socket_form(struct plan *p, const struct planned_run *r, const struct message *m)
{
    yyjson_val *doc = NULL;
    yyjson_mut_doc *d = json_doc(p->arena);
    json_parse(p->arena, m->doc, &doc, NULL);
    struct str payload = message_payload_text(p->arena, r->payload);
    return json_write_mut(p->arena, message_json(d, m, doc, r->organization, &r->person.row, payload));
}

/* A socket may have come since the plan was made: what was spared then is made now. */
void announce_received(struct plan *p, const struct planned_run *r, const struct message *m, struct str form)
{
    struct engine *e = p->engine;
    if (!form.n && somebody_listens(e))
        form = socket_form(p, r, m);
    if (form.n)
        e->c.world.received(e->c.world.app, m, form);
}

struct announcements announcements_of(const struct plan *p)
{
    struct announcements a = {0};
    for (size_t i = 0; i < p->runs_n; i++) {
        a.runs += p->runs[i].fresh;
        for (const struct effect *x = p->runs[i].machine.effects; x; x = x->next) {
            if (x->kind == EFFECT_MESSAGE)
                a.messages[x->message.channel]++;
            a.receives |= x->kind == EFFECT_RECEIVED;
            a.begins |= x->kind == EFFECT_TIMER || x->kind == EFFECT_CALL || x->kind == EFFECT_DELIVERY || x->kind == EFFECT_OUTBOX;
        }
    }
    return a;
}

static void run_announce(struct plan *p, struct planned_run *r)
{
    struct engine *e = p->engine;
    size_t received = 0;
    for (const struct effect *x = r->machine.effects; x; x = x->next) {
        switch (x->kind) {
        case EFFECT_RECEIVED:
            announce_received(p, r, &x->message, r->received[received++]);
            break;
        case EFFECT_TIMER:
            timers_due(e, x->queue.due_at);
            break;
        case EFFECT_CALL:
            /* A first attempt is put in flight before the commit and starts now; a later one waits its time. */
            if (x->queue.attempt == 1)
                start_item_now(e, &x->queue);
            else
                timers_due(e, x->queue.due_at);
            break;
        case EFFECT_DELIVERY:
            if (x->delivery.started_at)
                delivery_start(e, &x->delivery);
            else
                timers_due(e, x->delivery.due_at);
            break;
        case EFFECT_OUTBOX:
            if (e->c.world.outboxed)
                e->c.world.outboxed(e->c.world.app, &x->outbox);
            break;
        case EFFECT_MESSAGE:
        case EFFECT_MESSAGE_STATUS:
        case EFFECT_UNQUEUE:
        case EFFECT_DIGEST:
        case EFFECT_THROTTLE:
        case EFFECT_DELIVERY_END:
        case EFFECT_TOKEN_GONE:
            break;
        }
    }
}

static void plan_announce(struct plan *p)
{
    struct engine *e = p->engine;
    const struct announcements *a = &p->announces;
    if (a->runs)
        counter_add(e->metrics.runs, a->runs);
    for (int c = 0; c < CHANNELS; c++)
        if (a->messages[c])
            counter_add(e->metrics.messages[c], a->messages[c]);
    if (!a->begins && !(a->receives && somebody_listens(e)))
        return;
    for (size_t i = 0; i < p->runs_n; i++)
        run_announce(p, &p->runs[i]);
}

static void flight_set(struct engine *e, struct id item, bool begin)
{
    if (begin)
        flight_begin(e, item);
    else
        flight_end(e, item);
}

void hold_next(struct plan *p, bool begin)
{
    if (p->continues)
        flight_set(p->engine, p->rest.id, begin);
    for (size_t i = 0; i < p->runs_n; i++)
        for (const struct effect *x = p->runs[i].machine.effects; x; x = x->next)
            if (x->kind == EFFECT_CALL && x->queue.attempt == 1)
                flight_set(p->engine, x->queue.id, begin);
}

/* The next chunk starts at once, without the timer thread; while the engine stops it stays in the queue. */
static void start_rest(struct plan *p)
{
    if (atomic_load(&p->engine->stop))
        flight_end(p->engine, p->rest.id);
    else
        start_item_now(p->engine, &p->rest);
}

static void trigger_end(struct trigger *t, const struct error *err)
{
    cached_unref(&t->definition->head);
    t->definition = NULL;
    t->done(t, err);
}

static void replan(struct plan *p)
{
    struct engine *e = p->engine;
    struct work *w = p->work;
    arena_pool_give(p->engine->plan_arenas, p->arena);
    w->replans++;
    work_push(e, w, w->kind == WORK_TRIGGER ? w->trigger->environment : w->item.ref);
}

/* The store's trouble passes; what the store refuses for what it is (a text with a NUL) does not. */
void work_retry(struct engine *e, struct work *w, const struct error *err)
{
    if (err->code != ERROR_BAD_INPUT && err->code != ERROR_TOO_LARGE) {
        work_park(e, w, err);
        return;
    }
    log_error("work abandoned", "reason", err->message, NULL);
    work_discard(e, w, err);
}

/* After the commit: who was made will be named again. */
static void people_keep(struct plan *p)
{
    struct people *people = p->engine->people;
    people_settled(people, p->noted);
    if (p->actor && p->actor->made)
        people_keep_new(people, p->noted, &p->actor->row);
    for (size_t i = 0; i < p->runs_n; i++)
        if (p->runs[i].person.made)
            people_keep_new(people, p->noted, &p->runs[i].person.row);
}

void plan_done(struct write_task *t, const struct error *err)
{
    struct plan *p = (struct plan *)t;
    struct engine *e = p->engine;
    struct work *w = p->work;
    bool fresh = !err && p->result == TRIGGER_FRESH && (p->taken || !p->consumes);
    if (fresh && e->people)
        people_keep(p);
    attachments_let_go(p);
    if (!fresh) {
        hold_next(p, false);
        relay_break(e, w);
    }
    if (err && p->conflict && w->replans < REPLANS_MAX) {
        replan(p);
        return;
    }
    if (fresh) {
        plan_announce(p);
        if (p->wake)
            wake_announce(p);
        if (p->due_at != INT64_MAX)
            timers_due(e, p->due_at);
        if (p->continues && !p->rest_begun)
            start_rest(p);
        if (p->removal.n)
            attachment_store_remove(e->attachments, &p->removal);
    }
    if (w->kind == WORK_CANCEL) {
        if (cancel_done(p, err))
            return;
        cancel_answer(w, err);
    }
    if (w->kind == WORK_TRIGGER) {
        w->trigger->result = p->result;
        if (p->before.p)
            w->trigger->transaction_id = str_dup(w->trigger->arena, p->before);
        if (p->before.p && p->before_request.p)
            w->trigger->request_id = str_dup(w->trigger->arena, p->before_request);
        if (fresh)
            counter_add(e->metrics.triggers, 1);
        trigger_end(w->trigger, err);
    }
    bool abandons = p->abandons;
    arena_pool_give(p->engine->plan_arenas, p->arena);
    if (!err || w->kind == WORK_TRIGGER || w->kind == WORK_CANCEL)
        work_end(e, w);
    else if (abandons)
        work_park(e, w, err);
    else
        work_retry(e, w, err);
}

void work_fail(struct engine *e, struct work *w, struct arena *a, const struct error *err)
{
    arena_pool_give(e->plan_arenas, a);
    if (w->kind == WORK_TRIGGER) {
        trigger_end(w->trigger, err);
        work_end(e, w);
    } else if (w->kind == WORK_CANCEL) {
        cancel_answer(w, err);
        work_end(e, w);
    } else {
        work_retry(e, w, err);
    }
}
