/* Requests with a key: known, under way, or done before. */
#include "api/idempotency.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/gate.h"
#include "api/trigger.h"

enum { SHARDS = 64, KEY_MAX = 255 };

struct idempotent {
    struct idempotent *next;            /* in its shard while under way */
    struct request *rq;
    struct str key;
    uint8_t hash[IDEMPOTENCY_HASH], body_hash[IDEMPOTENCY_HASH];
    bool under_way;
    bool settled;                       /* an event or a row answers for the key, or nothing shall */
    bool taken;                         /* another process was first: */
    struct idempotency_row first;       /* … what it stored */
};

struct shard {
    pthread_mutex_t lock;
    struct idempotent *list;
};

struct idempotency {
    struct shard shard[SHARDS];
};

struct idempotency *idempotency_create(void)
{
    struct idempotency *i = calloc(1, sizeof *i);
    if (!i)
        abort();
    for (int s = 0; s < SHARDS; s++)
        pthread_mutex_init(&i->shard[s].lock, NULL);
    return i;
}

void idempotency_destroy(struct idempotency *i)
{
    for (int s = 0; i && s < SHARDS; s++)
        pthread_mutex_destroy(&i->shard[s].lock);
    free(i);
}

static struct str hash_of(const struct idempotent *k)
{
    return (struct str){(const char *)k->hash, sizeof k->hash};
}

static struct str body_hash_of(const struct idempotent *k)
{
    return (struct str){(const char *)k->body_hash, sizeof k->body_hash};
}

static struct shard *shard_of(struct request *rq, const struct idempotent *k)
{
    return &app_of(rq)->idempotency->shard[k->hash[0] % SHARDS];
}

/* false: another request with this key is under way. */
static bool enter(struct request *rq, struct idempotent *k)
{
    struct shard *s = shard_of(rq, k);
    bool alone = true;
    pthread_mutex_lock(&s->lock);
    for (const struct idempotent *o = s->list; o && alone; o = o->next)
        alone = memcmp(o->hash, k->hash, sizeof k->hash) != 0;
    if (alone) {
        k->next = s->list;
        s->list = k;
    }
    pthread_mutex_unlock(&s->lock);
    return k->under_way = alone;
}

void idempotency_end(struct request *rq, struct idempotent *k)
{
    struct shard *s = shard_of(rq, k);
    if (!k->under_way)
        return;
    k->under_way = false;
    pthread_mutex_lock(&s->lock);
    for (struct idempotent **p = &s->list; *p; p = &(*p)->next) {
        if (*p == k) {
            *p = k->next;
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* The organisation is part of the key; everything else that makes two requests different is part of the body. */
static void hashes(struct request *rq, struct idempotent *k)
{
    struct buf b = {.arena = rq->arena};
    buf_add(&b, rq->principal.organization.b, sizeof rq->principal.organization.b);
    buf_str(&b, k->key);
    crypto_sha256(buf_get(&b), k->hash);
    b.n = 0;
    buf_add(&b, rq->principal.environment.b, sizeof rq->principal.environment.b);
    ptrdiff_t query = str_find(rq->target, STR("?"));
    buf_fmt(&b, "%.*s %.*s", STR_ARG(rq->method), STR_ARG(rq->path));
    if (query >= 0)
        buf_str(&b, str_sub(rq->target, (size_t)query, rq->target.n));
    buf_char(&b, '\n');
    uint8_t body[IDEMPOTENCY_HASH];
    crypto_sha256(rq->body, body);
    buf_add(&b, body, sizeof body);
    crypto_sha256(buf_get(&b), k->body_hash);
}

/* --- answers ---------------------------------------------------------------------------------------------- */

static void add_link(struct request *rq)
{
    reply_header(rq, "Link", STR("https://docs.novu.co/additional-resources/idempotency"));
}

static void reply_in_progress(struct request *rq, struct str key)
{
    reply_header(rq, "Retry-After", STR("1"));
    add_link(rq);
    reply_fail(rq, 409, "Request with key \"%.*s\" is currently being processed. Please retry after 1 second", STR_ARG(key));
}

void idempotency_reply_other_body(struct request *rq)
{
    struct idempotent *k = gate_idempotent(rq);
    k->settled = true;
    add_link(rq);
    reply_fail(rq, 422, "Request with key \"%.*s\" is being reused for a different body", STR_ARG(k->key));
}

void idempotency_mark_replay(struct request *rq)
{
    reply_header(rq, "Idempotency-Replay", STR("true"));
}

static void reply_row(struct request *rq, struct idempotent *k, const struct idempotency_row *row)
{
    struct error err = {0};
    struct str body = STR_NULL;
    k->settled = true;
    if (!str_eq(row->body_hash, body_hash_of(k))) {
        idempotency_reply_other_body(rq);
        return;
    }
    if (row->transaction_id.p) {
        idempotency_mark_replay(rq);
        reply_json(rq, 201, trigger_answer(rq, json_doc(rq->arena), TRIGGER_PROCESSED, row->transaction_id, row->request_id));
        return;
    }
    if (row->answer.n && !crypto_open(&app_of(rq)->box, rq->arena, row->answer, &body, &err)) {
        reply_error(rq, &err);
        return;
    }
    idempotency_mark_replay(rq);
    if (row->answer.n)
        reply_text(rq, row->status, "application/json; charset=utf-8", body);
    else
        reply_empty(rq, row->status);
}

/* --- the first use ------------------------------------------------------------------------------------------ */

static bool release_apply(struct write_task *t, struct db *db, struct error *err)
{
    return idempotency_release_event(db, (struct str){(const char *)(t + 1), IDEMPOTENCY_HASH}, err);
}

static void release_done(struct write_task *t, const struct error *err)
{
    (void)err;
    free(t);
}

/* A key that stands on an event of yesterday is free again, but the event has it still. The client comes again in a
 * second. */
static void release_event(struct request *rq, struct idempotent *k)
{
    struct error err = {0};
    struct write_task *t = calloc(1, sizeof *t + IDEMPOTENCY_HASH);
    if (!t)
        abort();
    t->apply = release_apply;
    t->done = release_done;
    memcpy(t + 1, k->hash, IDEMPOTENCY_HASH);
    if (!writer_submit(app_of(rq)->writer, t, &err))
        free(t);
}

/* true: go on with the work. */
static bool look_up(struct request *rq, struct idempotent *k)
{
    struct idempotency_row row;
    struct error err = {0};
    if (!idempotency_find(app_db(rq), rq->arena, hash_of(k), &row, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            return true;
        k->settled = true;
        reply_error(rq, &err);
        return false;
    }
    bool old = app_now(rq) - row.created_at >= idempotency_age_ms;
    if (old && !row.transaction_id.p)
        return true;
    if (old) {
        k->settled = true;
        release_event(rq, k);
        reply_in_progress(rq, k->key);
        return false;
    }
    reply_row(rq, k, &row);
    return false;
}

/* novu-ruby gives all requests of a client the same key (its lib/novu/api/connection.rb): it says nothing of one. */
static bool key_is_of_client(struct request *rq)
{
    return str_starts(request_header(rq, "User-Agent"), STR("novu/ruby/"));
}

bool idempotency_begin(struct request *rq, struct idempotent **out)
{
    struct str key = request_header(rq, "Idempotency-Key");
    *out = NULL;
    if (!key.n || key_is_of_client(rq) || (rq->route->method != HTTP_POST && rq->route->method != HTTP_PATCH) || (rq->route->flags & ROUTE_NOT_IDEMPOTENT))
        return true;
    if (key.n > KEY_MAX) {
        reply_fail(rq, 400, "idempotencyKey \"%.*s\" has exceeded the maximum allowed length of %d characters",
                   (int)(key.n > 300 ? 300 : key.n), key.p, KEY_MAX);
        return false;
    }
    struct idempotent *k = *out = ARENA_NEW(rq->arena, struct idempotent);
    k->rq = rq;
    k->key = key;
    hashes(rq, k);
    reply_header(rq, "Idempotency-Key", key);
    if (!enter(rq, k)) {
        k->settled = true;
        reply_in_progress(rq, key);
        return false;
    }
    gate_set_idempotent(rq, k);
    return look_up(rq, k);
}

/* --- storing ------------------------------------------------------------------------------------------------ */

/* Those are asked again, and may then be answered otherwise (decisions.md 10). */
static bool is_kept(int status, const char *content_type, struct str body)
{
    if (body.n && (!content_type || strncmp(content_type, "application/json", 16) != 0))
        return false;
    return status >= 200 && status < 500 && (status < 300 || status >= 400)
        && status != 401 && status != 403 && status != 408 && status != 409 && status != 429;
}

static struct str sealed(struct request *rq, struct str body)
{
    return body.n ? crypto_seal(&app_of(rq)->box, rq->arena, body) : STR("");
}

static struct idempotency_row row_of(struct request *rq, const struct idempotent *k)
{
    return (struct idempotency_row){.body_hash = body_hash_of(k), .created_at = app_now(rq)};
}

bool idempotency_claim(struct request *rq, struct idempotent *k, struct db *db, struct error *err)
{
    struct idempotency_row row = row_of(rq, k);
    if (!idempotency_insert(db, hash_of(k), &row, &k->taken, err))
        return false;
    if (!k->taken)
        return true;
    if (!idempotency_find(db, rq->arena, hash_of(k), &k->first, err))
        return false;
    return error_set(err, ERROR_CONFLICT, "The idempotency key was used meanwhile");
}

bool idempotency_store(struct request *rq, struct idempotent *k, struct db *db, struct error *err)
{
    const char *type;
    struct str body;
    int status;
    if (!reply_held(rq, &status, &type, &body) || !is_kept(status, type, body))
        return idempotency_delete(db, hash_of(k), err);
    return idempotency_set_answer(db, hash_of(k), status, sealed(rq, body), err);
}

bool idempotency_lost(struct request *rq, struct idempotent *k)
{
    if (!k->taken)
        return false;
    reply_row(rq, k, &k->first);
    return true;
}

struct answer_store {
    struct write_task task;
    struct idempotent *k;
    struct idempotency_row row;
};

static bool answer_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct answer_store *a = (struct answer_store *)t;
    bool taken;                         /* of two that did nothing, either's answer may stay */
    return idempotency_insert(db, hash_of(a->k), &a->row, &taken, err);
}

/* What could not be stored is answered all the same: nothing was done that must not be done again. */
static void answer_done(struct write_task *t, const struct error *err)
{
    struct idempotent *k = ((struct answer_store *)t)->k;
    struct request *rq = k->rq;
    (void)err;
    gate_end(rq);
    reply_send(rq);
}

bool idempotency_answering(struct request *rq, struct idempotent *k, int status, const char *content_type, struct str body)
{
    struct error err = {0};
    if (k->settled || !is_kept(status, content_type, body))
        return true;
    struct answer_store *a = ARENA_NEW(rq->arena, struct answer_store);
    k->settled = true;
    *a = (struct answer_store){.task = {.apply = answer_apply, .done = answer_done}, .k = k, .row = row_of(rq, k)};
    a->row.status = status;
    a->row.answer = sealed(rq, body);
    return !writer_submit(app_of(rq)->writer, &a->task, &err);
}

/* --- events ------------------------------------------------------------------------------------------------- */

bool idempotency_event(struct request *rq, long index, struct str *key_hash, struct str *body_hash)
{
    struct idempotent *k = gate_idempotent(rq);
    if (!k)
        return false;
    *key_hash = hash_of(k);
    *body_hash = body_hash_of(k);
    if (index < 0)
        return true;
    uint8_t *h = arena_alloc_raw(rq->arena, IDEMPOTENCY_HASH);
    struct buf b = {.arena = rq->arena};
    buf_str(&b, *key_hash);
    buf_fmt(&b, "#%ld", index);
    crypto_sha256(buf_get(&b), h);
    *key_hash = (struct str){(const char *)h, IDEMPOTENCY_HASH};
    return true;
}

void idempotency_event_has_it(struct request *rq, bool has)
{
    struct idempotent *k = gate_idempotent(rq);
    if (k)
        k->settled = has;
}
