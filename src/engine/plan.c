/* From an item of work to rows: reads, steps the machine, and hands the writer one plan; then makes the effects known. */
#include "engine/plan_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "model/decision.h"
#include "model/device_token.h"
#include "model/webhook.h"

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

/* --- in the writer's transaction ------------------------------------------------------------------------ */

/* Merges the members of patch into the stored document; null removes. */
static bool message_patch(struct db *db, const struct effect *e, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct message m;
    yyjson_val *old, *patch, *key;
    yyjson_mut_doc *d = json_doc(a);
    if (!message_find(db, a, e->message.environment, e->message.id, &m, err))
        return err->code == ERROR_NOT_FOUND;        /* deleted meanwhile: nothing to say */
    if (!json_parse(a, m.doc, &old, err) || !json_parse(a, e->doc_patch, &patch, err))
        return false;
    yyjson_mut_val *o = yyjson_val_mut_copy(d, old);
    yyjson_obj_iter it = yyjson_obj_iter_with(patch);
    while ((key = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(key);
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(key), yyjson_get_len(key));
        if (!yyjson_is_null(v))
            yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, key), yyjson_val_mut_copy(d, v));
    }
    m.doc = json_write_mut(a, o);
    m.status = e->message.status;
    m.updated_at = e->message.updated_at;
    m.provider_message_id = json_get_str(patch, "identifier");
    return message_update_delivery(db, &m, err);
}

/* What was decided on is no longer as it was then: decide again. */
static bool still_so(struct plan *p, bool done, struct error *err)
{
    if (done)
        return true;
    p->conflict = true;
    return error_set(err, ERROR_CONFLICT, "It changed meanwhile");
}

static bool delivery_end_apply(struct plan *p, struct db *db, const struct delivery_record *r, struct error *err)
{
    bool withdrawn;
    if (p->cancel)                          /* unless its attempt has begun since it was decided */
        return deliveries_withdraw(db, r->environment, r->id, &withdrawn, err) && still_so(p, withdrawn, err);
    if (r->state == DELIVERY_DEAD)
        return (!p->attached || attachment_keep(db, p->event.id, r->id, err))
            && deliveries_bury(db, r->environment, r->id, r->error, r->updated_at, err);
    return deliveries_remove(db, r->environment, r->id, err);
}

static bool token_forget(struct db *db, const struct effect *e, struct error *err)
{
    const struct delivery_record *r = &e->delivery;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *address;
    return !json_parse(a, r->address, &address, NULL)
        || device_token_remove(db, r->environment, e->message.subscriber, r->provider_id, json_get_str(address, "deviceToken"),
                               r->updated_at, err);
}

static bool effect_apply(struct plan *p, struct db *db, const struct effect *e, struct error *err)
{
    bool done;
    switch (e->kind) {
    case EFFECT_MESSAGE: return message_insert(db, &e->message, err);
    case EFFECT_MESSAGE_STATUS: return message_patch(db, e, err);
    case EFFECT_OUTBOX: return outbox_insert(db, &e->outbox, err);
    case EFFECT_UNQUEUE: return queue_delete(db, e->queue.due_at, e->queue.id, err);
    case EFFECT_DIGEST: return digest_move(db, &e->digest, &done, err) && still_so(p, done, err);
    case EFFECT_THROTTLE: return throttle_grant(db, &e->throttle, &done, err) && still_so(p, done, err);
    case EFFECT_TIMER:
    case EFFECT_CALL: return queue_insert(db, &e->queue, err);
    case EFFECT_DELIVERY: return deliveries_put(db, &e->delivery, err);
    case EFFECT_DELIVERY_END: return delivery_end_apply(p, db, &e->delivery, err);
    case EFFECT_TOKEN_GONE: return token_forget(db, e, err);
    case EFFECT_RECEIVED: return received_publish(p->engine, db, &e->message, err);
    }
    return true;
}

/* A device may have registered since the plan was made. */
static bool channels_settled(struct plan *p, const struct planned_person *x, struct db *db, struct error *err)
{
    struct subscriber now;
    struct error missing = {0};
    if (!(x->patch.present & 1u << SUBSCRIBER_CHANNELS))
        return true;
    if (!subscriber_find_locked(db, p->arena, x->row.environment, x->row.subscriber_id, &now, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (str_eq(now.field[SUBSCRIBER_CHANNELS], x->channels_before))
        return true;
    p->conflict = true;
    return error_set(err, ERROR_CONFLICT, "The subscriber's channels changed meanwhile");
}

static bool person_apply(struct plan *p, const struct planned_person *x, struct db *db, struct error *err)
{
    struct id stored;
    if (!x->upsert)
        return true;
    if (!channels_settled(p, x, db, err)
        || !subscriber_upsert(db, x->row.environment, &x->patch, x->row.id, x->row.updated_at, &stored, err))
        return false;
    if (id_eq(stored, x->row.id))
        return true;
    p->conflict = true;                     /* somebody else made this subscriber first: plan again */
    return error_set(err, ERROR_CONFLICT, "The subscriber was created meanwhile");
}

/* Written in this transaction, or not deleted since they were read. */
static bool is_there(const struct plan *p, const struct planned_person *x)
{
    return x->upsert || (p->engine->people && people_unchanged(p->engine->people, &x->stamp));
}

static bool run_apply(struct plan *p, struct planned_run *r, struct db *db, struct error *err)
{
    bool updated = true;
    if (!person_apply(p, &r->person, db, err))
        return false;
    if (r->fresh ? !(is_there(p, &r->person) ? run_insert_of(db, &r->run.row, err) : run_insert(db, &r->run.row, err)) : !run_update(db, &r->run.row, &updated, err)) {
        p->conflict = r->fresh && err->code == ERROR_NOT_FOUND;     /* the subscriber was deleted meanwhile: plan again */
        return false;
    }
    if (!updated) {
        p->conflict = true;
        return error_set(err, ERROR_CONFLICT, "The run changed meanwhile");
    }
    for (const struct effect *e = r->machine.effects; e; e = e->next)
        if (!effect_apply(p, db, e, err))
            return false;
    return !r->told || webhooks_of_run(p, r, db, err);
}

/* Those whom the trigger would have reached can be told why it did not (beyond.md §3). Nobody is made for that. */
static bool duplicate_decisions(struct plan *p, struct db *db, const struct event *first, struct error *err)
{
    for (size_t i = 0; i < p->runs_n; i++) {
        const struct planned_run *r = &p->runs[i];
        struct subscriber known;
        struct error missing = {0};
        const struct decision_row d = {.id = r->run.row.id, .event = first->id, .workflow = r->run.row.workflow,
                                       .workflow_version = r->run.row.workflow_version, .at = p->event.created_at};
        if (r->person.upsert && !subscriber_find_by_id(db, p->arena, p->event.environment, r->person.row.id, &known, &missing)) {
            if (missing.code != ERROR_NOT_FOUND) {
                *err = missing;
                return false;
            }
        } else if (!decision_duplicate(db, r->person.row.id, &d, err)) {
            return false;
        }
    }
    return true;
}

/* The answer is "processed" all the same; that nothing came of it is told by the event that has the id (engine.md §1.5). */
static bool duplicate_trace(struct plan *p, struct db *db, struct error *err)
{
    struct event first;
    struct error missing = {0};
    if (!event_find_by_transaction(db, p->arena, p->event.environment, p->event.transaction_id, &first, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    struct buf raw = {.arena = p->arena};
    buf_z(&raw, "{\"requestId\":");
    json_quote(&raw, p->event.request_id);
    buf_char(&raw, '}');
    struct trace t = {.type = TRACE_REQUEST_FAILED, .status = TRACE_ERROR, .at = p->event.created_at, .raw = buf_finish(&raw),
                      .message = STR("transactionId property is not unique, please make sure all triggers have a unique "
                                     "transactionId")};
    return trace_append(db, p->arena, &first, &t, err) && duplicate_decisions(p, db, &first, err);
}

/* The transactionId or the key was taken: by what? (rest-api.md §5, 5 and 6) */
static bool duplicate_resolve(struct plan *p, struct db *db, struct error *err)
{
    struct trigger *t = p->work->trigger;
    struct event before;
    struct error missing = {0};
    p->result = TRIGGER_TAKEN;
    if (!t->idempotency_hash.n)
        return duplicate_trace(p, db, err);
    if (!event_find_by_idempotency(db, p->arena, t->idempotency_hash, &before, &missing))
        return missing.code == ERROR_NOT_FOUND ? duplicate_trace(p, db, err) : (*err = missing, false);
    p->result = str_eq(before.body_hash, t->body_hash) ? TRIGGER_REPLAY : TRIGGER_OTHER_BODY;
    p->before = before.transaction_id;
    p->before_request = before.request_id;
    return true;
}

/* The job that the item was for fails, with those behind it; of a run that cannot even be read, the row says it. */
static bool abandon_run(struct plan *p, struct run_row *row, struct db *db, struct error *err)
{
    struct run r;
    struct machine m = {.effects = NULL};
    struct error damaged = {0};
    const struct machine_lookups lookups = lookups_of(db);
    const struct machine_facts f = {.now = clock_now_ms(p->engine->c.clock), .lookups = &lookups};
    const struct machine_input in = {.kind = INPUT_ABANDON, .job = p->work->item.job, .error = p->reason};
    if (run_decode(row, p->arena, &r, &damaged)) {
        machine_advance(&m, &r, &f, &in);
        r.row.state = run_encode(&r);
        *row = r.row;
    }
    row->status = RUN_ERROR;
    if (row->delivery == LIFECYCLE_PENDING)
        row->delivery = LIFECYCLE_ERRORED;
    row->updated_at = f.now;
    for (const struct effect *e = m.effects; e; e = e->next)
        if (!effect_apply(p, db, e, err))
            return false;
    return m.err.code == ERROR_NONE || (*err = m.err, false);
}

/* What can never be written must not come again for ever: the run says that it failed, and its item goes. */
static bool abandon_apply(struct plan *p, struct db *db, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    struct run_row row;
    struct error missing = {0};
    bool updated;
    if (q->kind == QUEUE_SNOOZE)
        return true;                    /* the run has nothing to do with it any more */
    if (q->kind == QUEUE_WEBHOOK)
        return webhook_abandon(p, db, err);
    if (q->kind == QUEUE_EVENT)
        return fanout_cancel(db, q->ref, clock_now_ms(p->engine->c.clock), &updated, err);
    if (q->kind == QUEUE_DELIVERY && !deliveries_remove(db, q->environment, q->id, err))
        return false;
    if (!run_find(db, p->arena, q->environment, q->ref, &row, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    return abandon_run(p, &row, db, err) && run_update(db, &row, &updated, err);
}

/* What the trigger brings along: tenant, contexts, actor. */
static bool company_apply(struct plan *p, struct db *db, struct error *err)
{
    struct context contexts[CONTEXTS_MAX];      /* a copy: this may run more than once */
    memcpy(contexts, p->contexts, sizeof contexts);
    return (!p->contexts_n || context_ensure(db, p->arena, p->event.environment, contexts, p->contexts_n, p->engine->c.ids,
                                             p->event.created_at, err))
        && (!p->tenant || tenant_upsert(db, p->tenant, err)) && (!p->actor || person_apply(p, p->actor, db, err));
}

static bool fanout_apply(struct plan *p, struct db *db, struct error *err)
{
    const struct fanout *f = &p->fanout;
    if (p->fanout_change == FANOUT_NONE)
        return true;
    if (p->fanout_change == FANOUT_BEGINS ? !fanout_insert(db, f, err) : !fanout_update(db, f, err))
        return false;
    for (size_t i = 0; i < p->chunks_n; i++)
        if (!fanout_chunk_insert(db, f->event, (int64_t)i, p->chunks[i], err))
            return false;
    if (p->chunk_done >= 0 && !fanout_chunk_delete(db, f->event, p->chunk_done, err))
        return false;
    for (size_t i = 0; i < p->refusals_n; i++)
        if (!fanout_refuse(db, f->event, p->refusals[i].subscriber, p->refusals[i].evaluations,
                           p->refusals[i].workflow_version, f->updated_at, err))
            return false;
    return !p->continues || queue_insert(db, &p->rest, err);
}

/* Of all who know of an item, one takes it. A delivery's row goes, or is changed, by the effects that follow. */
static bool item_take(struct db *db, const struct queue_item *q, bool *taken, struct error *err)
{
    if (q->kind == QUEUE_DELIVERY)
        return deliveries_hold(db, q->environment, q->id, q->attempt, taken, err);
    if (q->kind == QUEUE_WEBHOOK)
        return webhook_delivery_hold(db, q->environment, q->id, q->attempt, taken, err);
    return queue_take(db, q->due_at, q->id, taken, err);
}

static bool rows_apply(struct plan *p, struct db *db, struct error *err)
{
    p->result = TRIGGER_FRESH;
    p->conflict = false;
    p->taken = false;
    p->before = STR_NULL;
    p->removal = (struct attachment_removal){.n = 0};
    if (p->work && p->work->turn && !webhooks_of_circuit(p, db, err))
        return false;
    /* The timer thread may have read the item before it was done with: then it is not there any more. */
    if (p->consumes) {
        if (!item_take(db, &p->work->item, &p->taken, err))
            return false;
        if (!p->taken)
            return true;
    }
    if (p->abandons)
        return abandon_apply(p, db, err);
    if (p->cancel && !cancel_apply(p, db, err))
        return false;
    if (p->wake)
        return wake_apply(p, db, err);
    if (p->webhook)
        return webhook_apply(p, db, err);
    if (p->insert_event) {
        enum event_insert inserted = event_insert(db, &p->event, err);
        if (inserted == EVENT_FAILED)
            return false;
        if (inserted == EVENT_DUPLICATE)
            return duplicate_resolve(p, db, err);
    }
    if (p->insert_event && !company_apply(p, db, err))
        return false;
    if (p->touches && !workflow_touch(db, p->event.environment, p->event.workflow, p->event.created_at, err))
        return false;
    for (size_t i = 0; i < p->runs_n; i++)
        if (!run_apply(p, &p->runs[i], db, err))
            return false;
    return fanout_apply(p, db, err) && attachments_apply(p, db, err)
        && (!p->overflows || notify_publish(db, NOTIFY_DUE, STR(""), err));
}

static bool plan_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct plan *p = (struct plan *)t;
    db_due_take(db);                    /* what others said, and undid */
    bool ok = rows_apply(p, db, err);
    p->due_at = db_due_take(db);
    if (p->engine->people)
        p->noted = people_noted(p->engine->people);
    return ok;
}

/* --- after the commit -------------------------------------------------------------------------------------- */

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

/* inbox-realtime.md §6.1 */
static struct str socket_form(struct plan *p, const struct planned_run *r, const struct message *m)
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

/* While the effects are at hand: most plans have nothing to announce but numbers. */
static struct announcements announcements_of(const struct plan *p)
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

/* First attempts of requests and the next chunk must not be picked up by the timer thread between the commit and their start. */
static void hold_next(struct plan *p, bool begin)
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

static void plan_done(struct write_task *t, const struct error *err)
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
