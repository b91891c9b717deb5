/* What all handlers share: connections, durable writes, input checks. */
#include "api/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/gate.h"
#include "api/idempotency.h"
#include "base/log.h"
#include "model/organization.h"

struct db *app_db(struct request *rq)
{
    return app_of(rq)->loop_db[server_loop_of(rq)];
}

bool app_is_local(struct request *rq)
{
    static const char *const forwarded[] = {"Forwarded", "X-Forwarded-For", "X-Real-IP"};
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        if (request_header(rq, forwarded[i]).p)
            return false;
    return app_of(rq)->listens_on_loopback_only;
}

static bool is_kept(const struct api_write *w)
{
    return gate_idempotent(w->rq) && !(w->flags & WRITE_CHAIN);
}

/* The answer becomes part of the commit (rest-api.md §5). */
static bool keyed_apply(struct api_write *w, struct idempotent *k, struct db *db, struct error *err)
{
    if (!idempotency_claim(w->rq, k, db, err) || !w->apply(w, db, err))
        return false;
    reply_hold(w->rq);
    w->applying = true;
    w->reply(w);
    w->applying = false;
    return idempotency_store(w->rq, k, db, err);
}

/* What belongs to the configuration is mostly written whole. */
static bool write_hold(struct api_write *w, struct db *db, struct error *err)
{
    return !(w->flags & (WRITE_DIRECTORY | WRITE_DEFINITIONS | WRITE_HOLDS)) || organization_hold(db, w->rq->principal.organization, err);
}

void write_later(int64_t stored, int64_t *next)
{
    if (*next <= stored)
        *next = stored + 1;
}

bool write_follows(struct api_write *w, int64_t stored, int64_t *next, struct error *err)
{
    w->stale = w->seen != stored;
    write_later(stored, next);
    return !w->stale || error_set(err, ERROR_CONFLICT, "This was changed by another request meanwhile");
}

static bool write_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct api_write *w = (struct api_write *)t;
    db_due_take(db);                    /* what others said, and undid */
    w->stale = false;
    if (!write_hold(w, db, err))
        return false;
    bool ok = is_kept(w) ? keyed_apply(w, gate_idempotent(w->rq), db, err) : w->apply(w, db, err);
    w->due_at = db_due_take(db);
    return ok;
}

static void handle_again(void *arg)
{
    struct request *rq = arg;
    rq->route->handle(rq);
}

static void write_failed(struct api_write *w, const struct error *err)
{
    struct idempotent *k = gate_idempotent(w->rq);
    if (w->release)
        w->release(w);
    reply_drop(w->rq);
    /* Each time another one was done, so this ends. */
    if (w->stale)
        request_continue(w->rq, handle_again, w->rq);
    else if (!k || !idempotency_lost(w->rq, k))
        reply_error(w->rq, err);
}

static void write_tell(struct api_write *w)
{
    struct app *app = app_of(w->rq);
    if (w->flags & WRITE_DIRECTORY)
        directory_changed(app->directory);
    if (w->flags & WRITE_DEFINITIONS)
        definitions_changed(app->definitions);
    if (w->flags & WRITE_REMOVAL)
        removals_kick(&app->removals);
    if (w->due_at != INT64_MAX)
        engine_due(app->engine, w->due_at);
    if (w->committed)
        w->committed(w);
}

static void write_done(struct write_task *t, const struct error *err)
{
    struct api_write *w = (struct api_write *)t;
    struct request *rq = w->rq;
    if (err) {
        write_failed(w, err);
        return;
    }
    write_tell(w);
    if (w->flags & WRITE_CHAIN) {
        w->reply(w);        /* may have handed w on: nothing of it is touched any more */
        return;
    }
    /* Held even if it is not stored: once it is sent, the request and w with it may be gone. */
    if (!is_kept(w)) {
        reply_hold(rq);
        w->reply(w);
    }
    if (w->release)
        w->release(w);
    gate_end(rq);
    reply_send(rq);
}

void api_write(struct request *rq, struct api_write *w)
{
    struct error err = {0};
    if (w->applying || reply_is_held(rq)) {
        log_error("a chain of writes is not declared as one (WRITE_CHAIN)", "operation", rq->route->operation, NULL);
        abort();
    }
    w->rq = rq;
    w->task.apply = write_apply;
    w->task.done = write_done;
    if (!writer_submit(app_of(rq)->writer, &w->task, &err))
        write_failed(w, &err);
}

void reply_fail(struct request *rq, int status, const char *fmt, ...)
{
    struct error err = {0};
    char text[sizeof err.message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_http(&err, status, "%s", text);
    reply_error(rq, &err);
}

/* --- checks ------------------------------------------------------------------------------------------------ */

struct checks checks_begin(struct request *rq)
{
    return (struct checks){.rq = rq};
}

void check_fail(struct checks *c, const char *fmt, ...)
{
    va_list ap;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 8;
        c->messages = arena_grow(c->rq->arena, c->messages, c->cap * sizeof *c->messages, cap * sizeof *c->messages);
        c->cap = cap;
    }
    va_start(ap, fmt);
    c->messages[c->n++] = str_vfmt(c->rq->arena, fmt, ap);
    va_end(ap);
}

static bool absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

struct str check_string(struct checks *c, yyjson_val *obj, const char *key, bool required)
{
    yyjson_val *v = json_get(obj, key);
    if (absent(v)) {
        if (required) {
            check_fail(c, "%s should not be null or undefined", key);
            check_fail(c, "%s must be a string", key);
        }
        return STR_NULL;
    }
    if (!yyjson_is_str(v))
        check_fail(c, "%s must be a string", key);
    else if (required && !yyjson_get_len(v))
        check_fail(c, "%s should not be empty", key);
    return json_str(v);
}

static yyjson_val *check_kind(struct checks *c, yyjson_val *obj, const char *key, bool required, bool array)
{
    yyjson_val *v = json_get(obj, key);
    if (absent(v)) {
        if (required)
            check_fail(c, "%s should not be null or undefined", key);
        return NULL;
    }
    if (array ? yyjson_is_arr(v) : yyjson_is_obj(v))
        return v;
    check_fail(c, "%s must be an %s", key, array ? "array" : "object");
    return NULL;
}

yyjson_val *check_object(struct checks *c, yyjson_val *obj, const char *key, bool required)
{
    return check_kind(c, obj, key, required, false);
}

yyjson_val *check_array(struct checks *c, yyjson_val *obj, const char *key, bool required)
{
    return check_kind(c, obj, key, required, true);
}

bool check_bool(struct checks *c, yyjson_val *obj, const char *key, bool otherwise)
{
    yyjson_val *v = json_get(obj, key);
    if (absent(v))
        return otherwise;
    if (!yyjson_is_bool(v))
        check_fail(c, "%s must be a boolean value", key);
    return yyjson_get_bool(v);
}

int64_t check_query_int(struct checks *c, const char *name, int64_t otherwise, int64_t least, int64_t most)
{
    struct str s = request_query(c->rq, name);
    int64_t n;
    if (!s.p || !s.n)
        return otherwise;
    if (!str_to_i64(s, &n)) {
        check_fail(c, "%s must be an integer number", name);
        return otherwise;
    }
    if (n < least)
        check_fail(c, "%s must not be less than %lld", name, (long long)least);
    if (n > most)
        check_fail(c, "%s must not be greater than %lld", name, (long long)most);
    return n;
}

bool check_query_bool(struct checks *c, const char *name, bool otherwise)
{
    struct str s = request_query(c->rq, name);
    if (!s.p || !s.n)
        return otherwise;
    return str_eqz(s, "true");
}

void check_delivery_policy(struct checks *c, yyjson_val *parent)
{
    struct delivery_policy p;
    struct error err = {0};
    if (!delivery_policy_read(json_get(parent, "delivery"), &p, &err))
        check_fail(c, "%s", err.message);
}

/* It is put into people's mail, or shown to colleagues: https, and by its name a picture. */
static bool is_picture(struct str url)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".gif", ".svg"};
    ptrdiff_t query = str_find(url, STR("?"));
    struct str path = str_sub(url, 0, query < 0 ? url.n : (size_t)query);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || strchr("\"'<>\\", url.p[i]))
            return false;
    if (!str_starts(path, STR("https://")))
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct str ending = str_of(endings[i]);
        if (path.n > ending.n + sizeof "https://" && str_eq_nocase(str_sub(path, path.n - ending.n, path.n), ending))
            return true;
    }
    return false;
}

void check_picture(struct checks *c, struct str url)
{
    if (!is_picture(url))
        check_fail(c, "Logo must be a valid image URL with one of the following extensions: jpg, jpeg, png, gif, svg");
}

bool checks_done(struct checks *c)
{
    if (!c->n)
        return true;
    reply_validation(c->rq, c->messages, c->n);
    return false;
}
