/* Endpoints of webhooks: their form on the wire, and changing them. */
#include "api/webhooks_private.h"

enum { OLD_SECRET_MS = 24 * 3600 * 1000 };

/* --- wire form --------------------------------------------------------------------------------------------- */

static void add_types(yyjson_mut_doc *d, yyjson_mut_val *o, const struct webhook_endpoint *x)
{
    yyjson_mut_val *list = json_add_arr(d, o, "eventTypes");
    for (int t = 0; t < WEBHOOK_TYPES; t++)
        if (x->types & 1u << t) {
            struct str name = webhook_type_name((enum webhook_type)t);
            yyjson_mut_arr_add_strn(d, list, name.p, name.n);
        }
}

/* They may be secrets: only their names are shown. */
static void add_headers(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, struct str sealed)
{
    yyjson_mut_val *headers = json_add_obj(d, o, "headers");
    yyjson_obj_iter it = yyjson_obj_iter_with(webhook_headers_open(rq, sealed));
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)))
        yyjson_mut_obj_add(headers, json_mut_str(d, json_str(key)), yyjson_mut_str(d, WEBHOOK_MASK));
}

static yyjson_mut_val *webhook_endpoint_json(struct request *rq, yyjson_mut_doc *d, const struct webhook_endpoint *x)
{
    static const char *const why[] = {[WEBHOOK_OFF] = "manual", [WEBHOOK_GAVE_UP] = "failing"};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_id(d, o, "_environmentId", x->environment);
    json_add_str(d, o, "url", x->url);
    json_add_str(d, o, "description", x->description);
    add_types(d, o, x);
    json_add_bool(d, o, "disabled", x->disabled != WEBHOOK_ENABLED);
    json_add_str(d, o, "disabledReason", x->disabled ? str_of(why[x->disabled]) : STR_NULL);
    add_headers(rq, d, o, x->headers);
    if (x->rate_limit)
        json_add_int(d, o, "rateLimit", x->rate_limit);
    else
        json_add_str(d, o, "rateLimit", STR_NULL);
    json_add_time_or_null(d, o, "failingSince", x->failing_since);
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

/* --- writing ----------------------------------------------------------------------------------------------- */

struct endpoint_write {
    struct api_write w;
    struct webhook_wish wish;
    struct webhook_endpoint row;        /* its id, then as it is stored */
};

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    int64_t n;
    if (!webhook_endpoint_count(db, x->row.environment, &n, err))
        return false;
    if (n >= WEBHOOK_ENDPOINTS_MAX)
        return error_http(err, 400, "An environment cannot have more than %d webhook endpoints", WEBHOOK_ENDPOINTS_MAX);
    return webhook_endpoint_insert(db, &x->row, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    struct id id = x->row.id;
    if (!webhook_endpoint_find_locked(db, w->rq->arena, w->rq->principal.environment, id, &x->row, err))
        return false;
    webhook_wish_apply(w->rq, &x->wish, &x->row);
    return webhook_endpoint_update(db, &x->row, err);
}

static bool rotate_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    struct id id = x->row.id;
    if (!webhook_endpoint_find_locked(db, w->rq->arena, w->rq->principal.environment, id, &x->row, err))
        return false;
    x->row.old_secret = x->row.secret;
    x->row.old_secret_until = app_now(w->rq) + OLD_SECRET_MS;
    x->row.secret = x->wish.x.secret;
    x->row.updated_at = app_now(w->rq);
    return webhook_endpoint_update(db, &x->row, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    return webhook_endpoint_delete(db, x->row.environment, x->row.id, err);
}

static void write_reply(struct api_write *w)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    reply_json(w->rq, 0, webhook_endpoint_json(w->rq, json_doc(w->rq->arena), &x->row));
}

static void delete_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

/* The new secret is read by itself: an answer may be stored for an Idempotency-Key. */
static void rotate_reply(struct api_write *w)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_time(d, o, "oldSecretValidUntil", x->row.old_secret_until);
    reply_json(w->rq, 0, o);
}

static struct endpoint_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err),
                                        void (*reply)(struct api_write *w))
{
    struct endpoint_write *x = ARENA_NEW(rq->arena, struct endpoint_write);
    x->w = (struct api_write){.flags = WRITE_DIRECTORY, .apply = apply, .reply = reply};
    return x;
}

bool webhook_endpoint_load(struct request *rq, struct webhook_endpoint *x)
{
    struct str given = request_param(rq, "webhookEndpointId");
    struct error err = {0};
    struct id id;
    if (id_parse(given, &id) && webhook_endpoint_find(app_db(rq), rq->arena, rq->principal.environment, id, x, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Webhook endpoint %.*s not found", STR_ARG(str_sub(given, 0, WEBHOOK_SHOWN)));
    reply_error(rq, &err);
    return false;
}

void webhook_endpoints_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, create_apply, write_reply);
    webhook_wish_read(&c, &x->wish, true);
    if (!checks_done(&c))
        return;
    x->row = (struct webhook_endpoint){.id = app_id(rq), .environment = rq->principal.environment, .description = STR(""),
                                       .secret = x->wish.x.secret, .created_at = app_now(rq)};
    webhook_wish_apply(rq, &x->wish, &x->row);
    api_write(rq, &x->w);
}

void webhook_endpoints_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, update_apply, write_reply);
    if (!webhook_endpoint_load(rq, &x->row))
        return;
    webhook_wish_read(&c, &x->wish, false);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

void webhook_endpoints_rotate(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, rotate_apply, rotate_reply);
    if (!webhook_endpoint_load(rq, &x->row))
        return;
    struct str secret = webhook_secret_read(&c);
    if (!checks_done(&c))
        return;
    x->wish.x.secret = crypto_seal(&app_of(rq)->box, rq->arena, secret.p ? secret : webhook_secret_new(rq->arena));
    api_write(rq, &x->w);
}

void webhook_endpoints_delete(struct request *rq)
{
    struct endpoint_write *x = write_new(rq, delete_apply, delete_reply);
    if (webhook_endpoint_load(rq, &x->row))
        api_write(rq, &x->w);
}

/* --- reading ----------------------------------------------------------------------------------------------- */

void webhook_endpoints_list(struct request *rq)
{
    struct webhook_endpoint *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_arr(d);
    if (!webhook_endpoint_list(app_db(rq), rq->arena, rq->principal.environment, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(o, webhook_endpoint_json(rq, d, &list[i]));
    reply_json(rq, 0, o);
}

void webhook_endpoints_get(struct request *rq)
{
    struct webhook_endpoint x;
    if (webhook_endpoint_load(rq, &x))
        reply_json(rq, 0, webhook_endpoint_json(rq, json_doc(rq->arena), &x));
}

void webhook_endpoints_secret(struct request *rq)
{
    struct webhook_endpoint x;
    struct str secret;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!webhook_endpoint_load(rq, &x))
        return;
    if (!crypto_open(&app_of(rq)->box, rq->arena, x.secret, &secret, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool both = x.old_secret.p && x.old_secret_until > app_now(rq);
    json_add_str(d, o, "secret", secret);
    json_add_time_or_null(d, o, "oldSecretValidUntil", both ? x.old_secret_until : 0);
    reply_json(rq, 0, o);
}
