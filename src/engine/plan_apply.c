/* A plan's rows, in the writer's transaction. It may run twice: it changes only what the plan says are results of apply. */
#include "engine/plan_private.h"

#include "model/decision.h"
#include "model/device_token.h"
#include "model/webhook.h"

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

bool plan_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct plan *p = (struct plan *)t;
    db_due_take(db);                    /* what others said, and undid */
    bool ok = rows_apply(p, db, err);
    p->due_at = db_due_take(db);
    if (p->engine->people)
        p->noted = people_noted(p->engine->people);
    return ok;
}
