/* One attempt of a delivery: hands the stored message to the world, and brings back what became of it. */
#include "engine/engine_private.h"

#include <stdlib.h>

#include "model/inbox.h"

enum { BADGE_MAX = 99 };

static const struct integration *integration_of(const struct environment_view *v, struct id id)
{
    for (size_t i = 0; i < v->integrations_n; i++)
        if (id_eq(v->integrations[i].id, id))
            return &v->integrations[i];
    return NULL;
}

struct delivery_policy delivery_policy_of(const struct engine *e, const struct environment_view *v, struct id integration)
{
    const struct integration *i = integration_of(v, integration);
    struct delivery_policy outer = v->delivery;
    if (!outer.attempts)
        outer.attempts = e->c.attempts_max;
    outer = delivery_policy_resolve(outer, NULL);
    return i ? delivery_policy_resolve(i->policy, &outer) : outer;
}

bool attempt_leave(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool ok = !e->no_attempts;
    e->out += ok;
    pthread_mutex_unlock(&e->lock);
    return ok;
}

bool attempt_come_back(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->out--;
    bool ended = e->ended, last = e->left && e->out == 0;
    pthread_mutex_unlock(&e->lock);
    if (last)
        engine_free(e);
    return !ended;
}

/* --- results ----------------------------------------------------------------------------------------------------- */

/* The texts of the input are copied. */
/* turn: what it did to the circuit; NULL: nothing. */
static void result_push(struct engine *e, const struct queue_item *item, enum work_kind kind, const struct machine_input *result,
                        const struct circuit_turn *turn)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = kind;
    w->item = *item;
    w->arena = arena_create(0);
    w->input = *result;
    if (turn) {
        w->turn = ARENA_NEW(w->arena, struct circuit_turn);
        *w->turn = *turn;
    }
    w->input.kind = kind == WORK_REDRIVE ? INPUT_REDRIVE : INPUT_DELIVERY;
    w->input.job = item->job;
    w->input.target = item->target;
    w->input.attempt = item->attempt;
    w->input.provider_message_id = str_dup(w->arena, result->provider_message_id);
    w->input.response = str_dup(w->arena, result->response);
    w->input.error = str_dup(w->arena, result->error);
    work_push(e, w, w->item.ref);
}

static void result_at_once(struct engine *e, struct work *work, enum delivery_verdict v, struct str why)
{
    result_push(e, &work->item, WORK_DELIVERED, &(struct machine_input){.verdict = v, .error = why}, NULL);
    free(work);
}

static void result_blocked(struct engine *e, struct work *work, struct id integration, int64_t retry_after_ms)
{
    const struct machine_input in = {.verdict = VERDICT_BLOCKED, .integration = integration, .retry_after_ms = retry_after_ms,
                                     .error = STR("The circuit of the integration is open")};
    result_push(e, &work->item, WORK_DELIVERED, &in, NULL);
    free(work);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static struct queue_item item_of(const struct delivery_record *r)
{
    return (struct queue_item){.kind = QUEUE_DELIVERY, .due_at = r->due_at, .id = r->id, .environment = r->environment, .ref = r->run,
                               .job = r->job, .target = r->target, .attempt = r->attempt, .owner = r->owner};
}

void delivery_adopt(struct engine *e, const struct delivery_record *r)
{
    struct queue_item item = item_of(r);
    struct machine_input in = {.verdict = VERDICT_UNKNOWN, .error = STR("The attempt was interrupted, its end is unknown")};
    atomic_fetch_add(&e->busy, 1);
    atomic_fetch_add(&e->deliveries, 1);
    result_push(e, &item, r->state == DELIVERY_REOPENING ? WORK_REDRIVE : WORK_DELIVERED, &in, NULL);
}

void delivery_start(struct engine *e, const struct delivery_record *r)
{
    struct queue_item item = item_of(r);
    struct machine_input none = {.kind = INPUT_REDRIVE};
    atomic_fetch_add(&e->busy, 1);
    atomic_fetch_add(&e->deliveries, 1);
    if (r->state == DELIVERY_REOPENING) {
        result_push(e, &item, WORK_REDRIVE, &none, NULL);
        return;
    }
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DUE;
    w->item = item;
    work_push(e, w, item.ref);
}

struct give_back {
    struct write_task task;
    struct engine *engine;
    struct work *work;
    int64_t due_at;
    struct id slot;
};

static bool give_back_apply(struct write_task *t, struct db *db, struct error *err)
{
    const struct give_back *g = (struct give_back *)t;
    const struct queue_item *q = &g->work->item;
    return deliveries_defer(db, q->environment, q->id, q->attempt, g->engine->boot, g->due_at, g->slot, err);
}

static void give_back_done(struct write_task *t, const struct error *err)
{
    struct give_back *g = (struct give_back *)t;
    if (err) {
        work_park(g->engine, g->work, err);
    } else {
        timers_due(g->engine, g->due_at);
        work_end(g->engine, g->work);
    }
    free(g);
}

void delivery_give_back(struct engine *e, struct work *w, int64_t due_at, struct id slot)
{
    struct give_back *g = calloc(1, sizeof *g);
    struct error err = {0};
    if (!g)
        abort();
    *g = (struct give_back){.task = {.apply = give_back_apply, .done = give_back_done}, .engine = e, .work = w, .due_at = due_at,
                            .slot = slot};
    if (!writer_submit(e->c.writer, &g->task, &err)) {
        free(g);
        work_park(e, w, &err);
    }
}

/* After a failover: what the trigger says for mails of this provider in particular (steps/email.c). */
static void bag_apply(struct engine_delivery *d)
{
    yyjson_val *bag = json_getn(json_get(d->doc, "bags"), d->provider_id), *k;
    if (!bag)
        return;
    yyjson_mut_doc *doc = json_doc(d->arena);
    yyjson_mut_val *o = yyjson_val_mut_copy(doc, d->doc);
    yyjson_obj_iter it = yyjson_obj_iter_with(bag);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(k), yyjson_get_len(k));
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(doc, k), yyjson_val_mut_copy(doc, yyjson_obj_iter_get_val(k)));
    }
    json_parse(d->arena, json_write_mut(d->arena, o), &d->doc, NULL);
}

/* What the attempt needs, copied: the provider's settings as of now. */
static void delivery_fill(struct engine_delivery *d, const struct message *m, const struct delivery_record *r,
                          const struct environment_view *v, const struct integration *i)
{
    d->channel = m->channel;
    d->message = m->id;
    d->integration = r->integration;
    /* Stable over attempts; each device of a message has its own. */
    d->idempotency_key = id_str(d->arena, r->address.n ? r->id : m->id);
    if (r->address.n)
        json_parse(d->arena, r->address, &d->address, NULL);
    d->policy = delivery_policy_of(d->engine, v, r->integration);
    if (!i || !i->active)
        return;
    d->provider_id = str_dup(d->arena, i->provider_id);
    d->integration_name = str_dup(d->arena, i->name);
    bag_apply(d);
    d->provider_data = json_getn(json_get(d->doc, "providers"), d->provider_id);
    if (i->configurations.n)
        d->configurations = str_dup(d->arena, i->configurations);
    if (i->credentials.p)
        d->credentials = str_dup(d->arena, i->credentials);
}

/* A thing that is gone is done without. */
static bool there(bool found, struct error *err)
{
    if (found || err->code != ERROR_NOT_FOUND)
        return found;
    *err = (struct error){0};
    return false;
}

static yyjson_val *opened(struct engine *e, struct arena *a, struct str sealed)
{
    struct str plain;
    yyjson_val *v = NULL;
    return sealed.n && directory_open(e->c.directory, a, sealed, &plain) && json_parse(a, plain, &v, NULL) ? v : NULL;
}

/* What the app shows on its icon (configuration inboxCount: unread | unseen): at most 99, as it is when it is sent. */
static bool badge_count(struct worker *w, struct engine_delivery *d, const struct message *m, struct error *err)
{
    struct inbox_owner owner = {.environment = d->environment, .subscriber = m->subscriber, .context = m->context};
    struct inbox_counts counts;
    yyjson_val *v = NULL;
    if (d->configurations.n)
        json_parse(d->arena, d->configurations, &v, NULL);
    struct str kind = json_get_str(v, "inboxCount");
    if (!str_eqz(kind, "unread") && !str_eqz(kind, "unseen"))
        return true;
    if (!inbox_counts(w->db, &owner, &counts, err))
        return false;
    d->counts_inbox = true;
    d->inbox_count = str_eqz(kind, "unread") ? counts.unread : counts.unseen;
    if (d->inbox_count > BADGE_MAX)
        d->inbox_count = BADGE_MAX;
    return true;
}

static bool push_context(struct worker *w, struct engine_delivery *d, const struct message *m, const struct subscriber *person,
                         struct id organization, struct error *err)
{
    struct run_row run;
    struct event event;
    yyjson_mut_doc *doc = json_doc(d->arena);
    yyjson_val *v = NULL;
    json_parse(d->arena, json_write_mut(d->arena, subscriber_json(doc, person, organization)), &d->subscriber, NULL);
    if (there(run_find(w->db, d->arena, d->environment, m->run, &run, err), err)
        && there(event_find(w->db, d->arena, d->environment, run.event, &event, err), err) && json_parse(d->arena, event.doc, &v, err))
        d->payload = json_get(v, "payload");
    return err->code == ERROR_NONE && badge_count(w, d, m, err);
}

static bool endpoint_context(struct worker *w, struct engine_delivery *d, struct error *err)
{
    struct channel_endpoint e;
    struct channel_connection c;
    struct str identifier = json_get_str(d->address, "identifier");
    if (!identifier.n || !there(channel_endpoint_find(w->db, d->arena, d->environment, identifier, &e, err), err)
        || !there(channel_connection_for(w->db, d->arena, &e, &c, err), err))
        return err->code == ERROR_NONE;
    d->connection_auth = opened(w->engine, d->arena, c.auth);
    json_parse(d->arena, c.workspace, &d->connection_workspace, NULL);
    return true;
}

/* What providers want to know beside the message. */
static bool delivery_context(struct worker *w, struct engine_delivery *d, const struct message *m, struct id organization, struct error *err)
{
    struct subscriber person;
    if (there(subscriber_find_by_id(w->db, d->arena, d->environment, m->subscriber, &person, err), err)) {
        d->subscriber_id = person.subscriber_id;
        if (m->channel == CHANNEL_PUSH && !push_context(w, d, m, &person, organization, err))
            return false;
    }
    return err->code == ERROR_NONE && (m->channel == CHANNEL_PUSH || endpoint_context(w, d, err));
}

enum loaded { LOADED, LOAD_FAILED, ITEM_GONE, ENVIRONMENT_GONE, MESSAGE_GONE, TOO_FAST };

/* The place in the sequence that its pace gives it, unless it has one: *wait ms from now. */
static bool keeps_pace(struct engine *e, const struct delivery_record *r, const struct delivery_policy *p, int64_t *wait)
{
    *wait = id_eq(r->slot, e->boot) ? 0 : pacing_take(e->circuits, r->integration, p, claims_share(e), clock_now_ms(e->c.clock));
    return *wait == 0;
}

static enum loaded delivery_load(struct worker *w, struct engine_delivery *d, int64_t *wait, struct error *err)
{
    struct engine *e = w->engine;
    struct delivery_record r;
    struct message m;
    if (!deliveries_find(w->db, d->arena, d->item.environment, d->item.id, &r, err))
        return err->code == ERROR_NOT_FOUND ? ITEM_GONE : LOAD_FAILED;
    /* Canceled, or taken over: sending would be wrong. */
    if (r.state != DELIVERY_OPEN || r.attempt != d->attempt || !r.started_at || !id_eq(r.owner, e->boot))
        return ITEM_GONE;
    struct environment_view *v = directory_environment(e->c.directory, w->db, d->item.environment, err);
    if (!v)
        return err->code == ERROR_NOT_FOUND ? ENVIRONMENT_GONE : LOAD_FAILED;
    enum loaded result = LOADED;
    struct delivery_policy p = delivery_policy_of(e, v, r.integration);
    if (!keeps_pace(e, &r, &p, wait))
        result = TOO_FAST;
    else if (!message_find(w->db, d->arena, d->item.environment, r.message, &m, err))
        result = err->code == ERROR_NOT_FOUND ? MESSAGE_GONE : LOAD_FAILED;
    else if (!json_parse(d->arena, m.doc, &d->doc, err))
        result = LOAD_FAILED;
    else if (!delivery_attachments(w, d, err))
        result = err->code == ERROR_NOT_FOUND ? MESSAGE_GONE : LOAD_FAILED;
    else {
        delivery_fill(d, &m, &r, v, integration_of(v, r.integration));
        result = delivery_context(w, d, &m, v->environment.organization, err) ? LOADED : LOAD_FAILED;
    }
    cached_unref(&v->head);
    return result;
}

/* Calls the world, unless the circuit is open. */
static void delivery_go(struct engine *e, struct work *work, struct engine_delivery *d)
{
    int64_t now = clock_now_ms(e->c.clock), until = now;
    if (!d->provider_id.n || !circuit_admit(e->circuits, d->integration, now, &until)) {
        bool blocked = d->provider_id.n > 0;
        struct id integration = d->integration;
        arena_destroy(d->arena);
        if (blocked)
            result_blocked(e, work, integration, until - now);
        else
            result_at_once(e, work, VERDICT_UNUSABLE, detail_text(DETAIL_PROVIDER_MISSING));
        return;
    }
    if (!attempt_leave(e)) {                    /* stopping: it has not begun */
        circuit_release(e->circuits, d->integration);
        arena_destroy(d->arena);
        delivery_give_back(e, work, now, (struct id){{0}});
        return;
    }
    free(work);                         /* the item lives on in d; busy stays counted until its result is committed */
    counter_add(e->metrics.attempts, 1);
    e->c.world.deliver(e->c.world.app, d);
}

void attempt_delivery(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct arena *a = arena_create(8192);
    struct engine_delivery *d = ARENA_NEW(a, struct engine_delivery);
    struct error err = {0};
    int64_t wait = 0;
    *d = (struct engine_delivery){.arena = a, .engine = e, .item = work->item, .attempt = work->item.attempt,
                                  .environment = work->item.environment};
    enum loaded loaded = claims_hold(e) ? delivery_load(w, d, &wait, &err) : TOO_FAST;
    if (loaded == LOADED) {
        delivery_go(e, work, d);
        return;
    }
    arena_destroy(a);
    switch (loaded) {
    case TOO_FAST:
        delivery_give_back(e, work, clock_now_ms(e->c.clock) + wait, wait ? e->boot : (struct id){{0}});
        break;
    case MESSAGE_GONE: result_at_once(e, work, VERDICT_FAILED, STR("The message was deleted")); break;
    case ENVIRONMENT_GONE: work_discard(e, work, &err); break;
    case LOAD_FAILED: work_retry(e, work, &err); break;
    default: work_end(e, work);
    }
}

void engine_delivered(struct engine_delivery *d, const struct machine_input *result)
{
    struct engine *e = d->engine;
    struct arena *a = d->arena;         /* d and, mostly, the texts of result live in it */
    if (attempt_come_back(e)) {
        bool failed = result->verdict == VERDICT_RETRY || result->verdict == VERDICT_UNKNOWN;
        struct circuit_turn turn = {.integration = d->integration};
        bool turned = circuit_note(e->circuits, d->integration, &d->policy, failed, clock_now_ms(e->c.clock), &turn.now);
        result_push(e, &d->item, WORK_DELIVERED, result, turned ? &turn : NULL);
    }
    arena_destroy(a);
}

void engine_deliveries_changed(struct engine *e)
{
    timers_due(e, clock_now_ms(e->c.clock));
}

struct circuit_view engine_circuit(struct engine *e, struct id integration)
{
    return circuit_look(e->circuits, integration, clock_now_ms(e->c.clock));
}
