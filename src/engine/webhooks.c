/* What webhook endpoints are told (bridge-cli.md §8): starts what is due, makes an attempt, writes what became of it.
 *
 * They share the workers, the claims of what is due and the time with everything else, but have a table of their own, and
 * of every endpoint only so many are under way: one that does not answer holds up neither the others nor the timers.
 */
#include "engine/plan_private.h"

#include <stdlib.h>

#include "model/webhook.h"

enum { DROP = 500 };

/* Of an endpoint with something under way, or whose pace has to be kept. */
struct webhook_load {
    struct id endpoint;
    int under_way;
    int64_t free_at_us;                 /* when its next one may leave, in microseconds of workflow time */
};

struct webhook_loads {
    struct webhook_load *list;          /* under the engine's lock */
    size_t n, cap;
    size_t turn;                        /* whose turn is first, so that the last of many are served, too */
    bool more;                          /* more may wait until one of those under way is over */
};

void webhooks_start(struct engine *e)
{
    e->webhook_loads = calloc(1, sizeof *e->webhook_loads);
    if (!e->webhook_loads)
        abort();
}

void webhooks_stop(struct engine *e)
{
    if (e->webhook_loads)
        free(e->webhook_loads->list);
    free(e->webhook_loads);
}

/* --- how much may be under way ------------------------------------------------------------------------------------- */

/* Under the lock. */
static struct webhook_load *load_of(struct webhook_loads *l, struct id endpoint)
{
    for (size_t i = 0; i < l->n; i++)
        if (id_eq(l->list[i].endpoint, endpoint))
            return &l->list[i];
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->list = realloc(l->list, l->cap * sizeof *l->list);
        if (!l->list)
            abort();
    }
    l->list[l->n] = (struct webhook_load){.endpoint = endpoint};
    return &l->list[l->n++];
}

/* Under the lock: those that say nothing any more. */
static void loads_tidy(struct webhook_loads *l, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->list[i].under_way || l->list[i].free_at_us > now * 1000)
            l->list[kept++] = l->list[i];
    l->n = kept;
}

/* Those for whom there is none are looked at again when one of those under way is over. */
struct room {
    int under_way, n;                   /* n more may start */
    int64_t paced;                      /* because of its pace not before then; INT64_MAX: that is not why */
};

static int64_t interval_us(const struct engine *e, const struct webhook_endpoint *x)
{
    return x->rate_limit ? 1000000 * (int64_t)claims_share(e) / x->rate_limit : 0;
}

static struct room room_for(struct engine *e, const struct webhook_endpoint *x, int64_t now)
{
    int64_t interval = interval_us(e, x), all = WEBHOOKS_AT_ONCE - atomic_load(&e->webhooks);
    pthread_mutex_lock(&e->lock);
    struct webhook_load *l = load_of(e->webhook_loads, x->id);
    int most = x->failing_since ? WEBHOOKS_PER_FAILING : WEBHOOKS_PER_ENDPOINT;
    struct room r = {.under_way = l->under_way, .n = most > l->under_way ? most - l->under_way : 0, .paced = INT64_MAX};
    if (interval) {
        /* Of the time that has passed unused only the clock's grain counts. */
        if (l->free_at_us < now * 1000 - 999)
            l->free_at_us = now * 1000 - 999;
        int64_t left = now * 1000 - l->free_at_us;
        int64_t places = left < 0 ? 0 : left / interval + 1;
        if (places < r.n) {
            r.n = (int)places;
            r.paced = (l->free_at_us + 999) / 1000;
            if (r.paced <= now)
                r.paced = now + (interval + 999) / 1000;
        }
    }
    pthread_mutex_unlock(&e->lock);
    if (all < r.n)
        r.n = all > 0 ? (int)all : 0;
    return r;
}

void webhook_over(struct engine *e, struct id endpoint)
{
    atomic_fetch_sub(&e->webhooks, 1);
    pthread_mutex_lock(&e->lock);
    load_of(e->webhook_loads, endpoint)->under_way--;
    bool more = e->webhook_loads->more;
    pthread_mutex_unlock(&e->lock);
    if (more && !atomic_load(&e->stop))
        timers_due(e, clock_now_ms(e->c.clock));
}

/* --- what is due ------------------------------------------------------------------------------------------------------ */

struct webhook_claiming {
    struct engine *engine;
    struct arena *arena;
    struct id endpoint;
    int64_t now, dropped;
    int max;
    struct webhook_delivery *out;
    size_t n;
};

static bool claim_apply(void *arg, struct db *db, struct error *err)
{
    struct webhook_claiming *c = arg;
    return webhook_delivery_claim(db, c->arena, c->endpoint, c->now, c->engine->boot, clock_real_ms(), c->max, &c->out, &c->n, err);
}

static bool drop_apply(void *arg, struct db *db, struct error *err)
{
    struct webhook_claiming *c = arg;
    return webhook_delivery_drop(db, c->now, DROP, &c->dropped, err);
}

static bool begin(struct engine *e, const struct webhook_endpoint *x, const struct webhook_delivery *d, int64_t now)
{
    if (!flight_begin(e, d->id))
        return false;
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DUE;
    w->item = (struct queue_item){.kind = QUEUE_WEBHOOK, .due_at = d->due_at, .id = d->id, .environment = d->environment,
                                  .ref = d->endpoint, .attempt = d->attempt};
    pthread_mutex_lock(&e->lock);
    struct webhook_load *l = load_of(e->webhook_loads, d->endpoint);
    l->under_way++;
    l->free_at_us += interval_us(e, x);
    pthread_mutex_unlock(&e->lock);
    histogram_observe(e->metrics.lateness, (double)(now - d->due_at) / 1000.0);
    atomic_fetch_add(&e->webhooks, 1);
    atomic_fetch_add(&e->busy, 1);
    work_push(e, w, d->id);
    return true;
}

/* When to go on: at a time, or when something is over. */
static bool room_used(const struct room *room, int64_t *next, bool *full)
{
    if (room->paced == INT64_MAX)
        *full = true;
    else if (room->paced < *next)
        *next = room->paced;
    return true;
}

/* *full: more of them may wait for those under way. */
static bool endpoint_serve(struct engine *e, struct arena *a, const struct webhook_endpoint *x, int64_t now, int64_t *next, bool *full,
                           struct error *err)
{
    struct room room = room_for(e, x, now);
    struct webhook_claiming c = {.engine = e, .arena = a, .endpoint = x->id, .now = now, .max = room.n + room.under_way};
    bool shared = db_kind_of(e->timer_db) == DB_POSTGRES;
    int begun = 0;
    if (!room.n)
        return room_used(&room, next, full);
    /* Those under way are among what is due. */
    if (!(shared ? writer_run(e->c.writer, claim_apply, &c, err)
                 : webhook_delivery_due(e->timer_db, a, x->id, now, c.max, &c.out, &c.n, err)))
        return false;
    for (size_t i = 0; i < c.n && begun < room.n; i++)
        begun += begin(e, x, &c.out[i], now);
    return begun < room.n || room_used(&room, next, full);
}

static bool is_served(const struct webhook_endpoint *list, size_t n, struct id endpoint)
{
    for (size_t i = 0; i < n; i++)
        if (id_eq(list[i].id, endpoint))
            return true;
    return false;
}

static void more_set(struct engine *e, bool more)
{
    pthread_mutex_lock(&e->lock);
    e->webhook_loads->more = more;
    pthread_mutex_unlock(&e->lock);
}

/* Every endpoint in turn; *next: when one of those that have to wait may go on. */
static bool serve(struct engine *e, struct id first, int64_t now, int64_t *next, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct webhook_claiming drop = {.now = now};
    struct webhook_endpoint *list;
    size_t n;
    bool full = false;
    *next = INT64_MAX;
    more_set(e, true);                  /* what is over while we look is not to be missed */
    if (!webhook_endpoint_served(e->timer_db, a, &list, &n, err))
        return false;
    if (!is_served(list, n, first) && !writer_run(e->c.writer, drop_apply, &drop, err))
        return false;
    if (drop.dropped)
        *next = now;
    size_t turn = e->webhook_loads->turn++;
    for (size_t i = 0; i < n && !e->stop; i++)
        if (!endpoint_serve(e, a, &list[(turn + i) % n], now, next, &full, err))
            return false;
    more_set(e, full);
    pthread_mutex_lock(&e->lock);
    loads_tidy(e->webhook_loads, now);
    pthread_mutex_unlock(&e->lock);
    return true;
}

bool webhooks_scan(struct engine *e, int64_t *next, struct error *err)
{
    struct webhook_delivery first;
    int64_t now = clock_now_ms(e->c.clock), later;
    if (!webhook_delivery_first(e->timer_db, NULL, &first, err))
        return false;
    *next = first.due_at;
    if (first.due_at > now || e->stop)
        return true;
    if (!serve(e, first.endpoint, now, next, err) || !webhook_delivery_next(e->timer_db, now, &later, err))
        return false;
    if (later < *next)
        *next = later;
    return true;
}

/* --- an attempt --------------------------------------------------------------------------------------------------------- */

static void header_add(yyjson_mut_doc *d, yyjson_mut_val *list, struct str key, struct str value)
{
    yyjson_mut_val *h = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, h, "key", key);
    json_add_str(d, h, "value", value);
}

/* The customer's own headers come first: ours win. */
static bool own_headers(struct engine_call *c, const struct webhook_endpoint *x, yyjson_mut_doc *d, yyjson_mut_val *list)
{
    struct str plain;
    yyjson_val *own, *key;
    if (!x->headers.p)
        return true;
    if (!directory_open(c->engine->c.directory, c->arena, x->headers, &plain) || !json_parse(c->arena, plain, &own, NULL))
        return false;
    yyjson_obj_iter it = yyjson_obj_iter_with(own);
    while ((key = yyjson_obj_iter_next(&it)))
        header_add(d, list, json_str(key), json_str(yyjson_obj_iter_get_val(key)));
    return true;
}

/* With the old secret, too, while it is valid; several signatures stand between blanks. */
static bool sign(struct engine_call *c, const struct webhook_endpoint *x, struct str id, struct str timestamp, struct str *out)
{
    struct engine *e = c->engine;
    struct arena *a = c->arena;
    struct str secret;
    if (!directory_open(e->c.directory, a, x->secret, &secret))
        return false;
    *out = crypto_sign_webhook(a, secret, id, timestamp, c->body);
    if (x->old_secret.p && clock_now_ms(e->c.clock) < x->old_secret_until && directory_open(e->c.directory, a, x->old_secret, &secret))
        *out = str_fmt(a, "%.*s %.*s", STR_ARG(*out), STR_ARG(crypto_sign_webhook(a, secret, id, timestamp, c->body)));
    return out->p != NULL;
}

/* false: what is sealed cannot be opened here. */
static bool request_fill(struct engine_call *c, const struct webhook_endpoint *x, const struct webhook_message *m)
{
    struct arena *a = c->arena;
    char hex[ID_HEX + 1];
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    id_hex(m->id, hex);
    struct str id = str_fmt(a, "msg_%s", hex), timestamp = str_fmt(a, "%lld", (long long)(clock_real_ms() / 1000)), signature;
    c->webhook = true;
    c->method = STR("POST");
    c->url = x->url;
    c->body = m->body;
    c->timeout_ms = 15000;
    if (!sign(c, x, id, timestamp, &signature) || !own_headers(c, x, d, list))
        return false;
    header_add(d, list, STR("webhook-id"), id);
    header_add(d, list, STR("webhook-timestamp"), timestamp);
    header_add(d, list, STR("webhook-signature"), signature);
    header_add(d, list, STR("svix-id"), id);
    header_add(d, list, STR("svix-timestamp"), timestamp);
    header_add(d, list, STR("svix-signature"), signature);
    return json_parse(a, json_write_mut(a, list), &c->headers, NULL);
}

enum loaded { LOADED, LOAD_FAILED, ITEM_GONE, CANNOT };

static enum loaded load(struct worker *w, struct engine_call *c, struct error *err)
{
    const struct queue_item *q = &c->item;
    struct webhook_delivery d;
    struct webhook_endpoint x;
    struct webhook_message m;
    if (!webhook_delivery_find(w->db, c->arena, q->environment, q->id, &d, err)
        || !webhook_endpoint_find(w->db, c->arena, q->environment, q->ref, &x, err)
        || !webhook_message_find(w->db, c->arena, q->environment, d.message, &m, err))
        return err->code == ERROR_NOT_FOUND ? ITEM_GONE : LOAD_FAILED;
    if (d.state != WEBHOOK_WAITS || d.attempt != q->attempt || x.disabled)
        return ITEM_GONE;
    return request_fill(c, &x, &m) ? LOADED : CANNOT;
}

static void refuse(struct engine_call *c, struct str why)
{
    engine_called(c, &(struct call_answer){.end = CALL_REFUSED, .error = why});
}

void attempt_webhook(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct arena *a = arena_create(8192);
    struct engine_call *c = ARENA_NEW(a, struct engine_call);
    struct error err = {0};
    *c = (struct engine_call){.arena = a, .engine = e, .item = work->item, .attempt = work->item.attempt,
                              .environment = work->item.environment, .started_ns = clock_mono_ns()};
    enum loaded loaded = load(w, c, &err);
    if ((loaded == LOADED || loaded == CANNOT) && attempt_leave(e)) {
        free(work);                     /* the item lives on in c; busy stays counted until its result is committed */
        if (loaded == CANNOT)
            refuse(c, STR("The endpoint's secret cannot be opened with this server's key"));
        else if (e->c.world.call)
            e->c.world.call(e->c.world.app, c);
        else
            refuse(c, STR("HTTP requests are switched off"));
        return;
    }
    arena_destroy(a);
    if (loaded == LOAD_FAILED)
        work_retry(e, work, &err);
    else
        work_end(e, work);              /* what has no message or endpoint any more goes with the others of its kind */
}

/* --- its end ------------------------------------------------------------------------------------------------------------ */

struct webhook_result {
    struct webhook_delivery delivery;   /* as it is afterwards */
    struct webhook_attempt attempt;
};

static struct webhook_attempt attempt_of(const struct work *work, const struct webhook_delivery *d, int64_t now)
{
    const struct call_answer *a = &work->input.call;
    bool answered = a->end == CALL_ANSWERED;
    return (struct webhook_attempt){.environment = d->environment, .endpoint = d->endpoint, .message = d->message,
                                    .attempt = d->attempt, .status = answered ? a->status : 0,
                                    .succeeded = answered && a->status >= 200 && a->status < 300, .answer = a->body,
                                    .error = a->error, .took_ms = a->took_ms, .created_at = now};
}

static void delivery_settle(struct webhook_delivery *d, bool succeeded, int64_t now)
{
    d->updated_at = now;
    if (succeeded)
        d->state = WEBHOOK_DONE;
    else if (d->attempt >= WEBHOOK_ATTEMPTS_MAX)
        d->state = WEBHOOK_FAILED;
    else
        d->due_at = now + webhook_pause(d->attempt++);
}

void plan_webhook(struct worker *w, struct work *work)
{
    struct plan *p = plan_new(w->engine, work);
    struct webhook_result *x = p->webhook = ARENA_NEW(p->arena, struct webhook_result);
    struct error err = {0};
    int64_t now = clock_now_ms(w->engine->c.clock);
    if (!webhook_delivery_find(w->db, p->arena, work->item.environment, work->item.id, &x->delivery, &err)) {
        due_fail(w->engine, work, p->arena, &err);
        return;
    }
    x->attempt = attempt_of(work, &x->delivery, now);
    delivery_settle(&x->delivery, x->attempt.succeeded, now);
    p->consumes = true;
    plan_submit(p);
}

bool webhook_apply(struct plan *p, struct db *db, struct error *err)
{
    struct webhook_result *x = p->webhook;
    x->attempt.id = webhook_id(x->attempt.created_at);
    return webhook_attempt_insert(db, &x->attempt, err) && webhook_delivery_move(db, &x->delivery, err)
        && webhook_endpoint_note(db, x->delivery.environment, x->delivery.endpoint, x->attempt.succeeded, x->attempt.created_at, err);
}

bool webhook_abandon(struct plan *p, struct db *db, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    return webhook_delivery_move(db, &(struct webhook_delivery){.environment = q->environment, .id = q->id, .state = WEBHOOK_FAILED,
                                                                .attempt = q->attempt, .due_at = q->due_at,
                                                                .updated_at = clock_now_ms(p->engine->c.clock)}, err);
}

/* --- what the engine tells of ---------------------------------------------------------------------------------------- */

static enum webhook_type told_of(const struct effect *x)
{
    return x->kind == EFFECT_MESSAGE_STATUS && x->message.status == MESSAGE_ERROR ? WEBHOOK_MESSAGE_FAILED : WEBHOOK_MESSAGE_SENT;
}

static struct str error_of(struct arena *a, const struct effect *x)
{
    yyjson_val *patch;
    return x->doc_patch.n && json_parse(a, x->doc_patch, &patch, NULL) ? json_get_str(patch, "errorText") : STR_NULL;
}

static bool effect_tell(struct db *db, struct webhook_ears *ears, const struct effect *x, struct id message, int64_t now, struct error *err)
{
    enum webhook_type type = told_of(x);
    struct str why = type == WEBHOOK_MESSAGE_FAILED ? error_of(ears->arena, x) : STR_NULL;
    return webhook_emit_message(db, ears, type, message, why, now, err)
        && (x->kind != EFFECT_RECEIVED || webhook_emit_message(db, ears, WEBHOOK_MESSAGE_DELIVERED, message, STR_NULL, now, err));
}

/* A message that reached the Inbox, the outbox or its provider, or for good did not. While it is tried again there is
 * nothing to tell (decisions.md 1). */
static bool is_told(const struct effect *x)
{
    return x->kind == EFFECT_RECEIVED || x->kind == EFFECT_OUTBOX
        || (x->kind == EFFECT_MESSAGE_STATUS && x->message.status != MESSAGE_WARNING);
}

bool webhooks_of_run(struct plan *p, const struct planned_run *r, struct db *db, struct error *err)
{
    struct id environment = r->run.row.environment, last = {{0}};
    struct webhook_ears ears;
    if (!webhook_listen(db, p->arena, environment, &ears, err))
        return false;
    for (const struct effect *x = r->machine.effects; x && ears.n; x = x->next) {
        struct id message = x->kind == EFFECT_OUTBOX ? x->outbox.message : x->message.id;
        /* The outbox has an entry for each device of one message. */
        if (!is_told(x) || (x->kind == EFFECT_OUTBOX && id_eq(message, last)))
            continue;
        last = message;
        if (!effect_tell(db, &ears, x, message, clock_now_ms(p->engine->c.clock), err))
            return false;
    }
    return true;
}

/* --- circuits ----------------------------------------------------------------------------------------------------------- */

static struct str circuit_data(struct plan *p, const struct integration *i, const struct circuit_turn *turn)
{
    yyjson_mut_doc *d = json_doc(p->arena);
    yyjson_mut_val *data = yyjson_mut_obj(d), *o = json_add_obj(d, data, "object");
    bool open = turn->now.state == CIRCUIT_OPEN;
    json_add_id(d, o, "_integrationId", i->id);
    json_add_id(d, o, "_environmentId", i->environment);
    json_add_str(d, o, "identifier", i->identifier);
    json_add_str(d, o, "name", i->name);
    json_add_str(d, o, "providerId", i->provider_id);
    json_add_str(d, o, "channel", channel_name(i->channel));
    json_add_str(d, o, "state", open ? STR("open") : STR("closed"));
    json_add_int(d, o, "consecutiveFailures", turn->now.failures);
    json_add_int(d, o, "results", turn->now.results);
    json_add_int(d, o, "failures", turn->now.failed);
    if (open) {
        json_add_time(d, o, "openUntil", turn->now.open_until);
        json_add_str(d, json_add_obj(d, data, "error"), "message", p->work->input.error);
    }
    return json_write_mut(p->arena, data);
}

bool webhooks_of_circuit(struct plan *p, struct db *db, struct error *err)
{
    const struct circuit_turn *turn = p->work->turn;
    struct error missing = {0};
    struct webhook_ears ears;
    struct integration i;
    if (!webhook_listen(db, p->arena, p->work->item.environment, &ears, err))
        return false;
    if (!ears.n)
        return true;
    if (!integration_find(db, p->arena, p->work->item.environment, turn->integration, &i, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    return webhook_emit(db, &ears, turn->now.state == CIRCUIT_OPEN ? WEBHOOK_CIRCUIT_OPENED : WEBHOOK_CIRCUIT_CLOSED, (struct id){{0}},
                        circuit_data(p, &i, turn), clock_now_ms(p->engine->c.clock), err);
}
