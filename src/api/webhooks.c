/* /v2/outbound-webhooks: who is told what happens here, and what became of it (bridge-cli.md §8.4).
 *
 * The routes of the original lead into its portal, which this server has not: those answer so. Everything else is our own.
 */
#include "api/paging.h"
#include "api/tables.h"
#include "api/webhook_examples.h"
#include "base/clock.h"
#include "model/webhook.h"

enum {
    URL_LENGTH_MAX = 2048, DESCRIPTION_MAX = 1000, RATE_LIMIT_MAX = 10000, HEADERS_MAX = 32, HEADER_VALUE_MAX = 4096, SHOWN = 64,
    SECRET_BYTES = 24, SECRET_BYTES_MAX = 64, OLD_SECRET_MS = 24 * 3600 * 1000
};

/* What the value of a header reads as; sent back it means the value that is stored. */
#define MASK "********"

/* --- wire forms -------------------------------------------------------------------------------------------- */

static struct str message_wire_id(struct arena *a, struct id id)
{
    return str_fmt(a, "msg_%.*s", STR_ARG(id_str(a, id)));
}

static void add_types(yyjson_mut_doc *d, yyjson_mut_val *o, const struct webhook_endpoint *x)
{
    yyjson_mut_val *list = json_add_arr(d, o, "eventTypes");
    for (int t = 0; t < WEBHOOK_TYPES; t++)
        if (x->types & 1u << t) {
            struct str name = webhook_type_name((enum webhook_type)t);
            yyjson_mut_arr_add_strn(d, list, name.p, name.n);
        }
}

/* As stored: names with values. NULL: none, or sealed with another key. */
static yyjson_val *headers_open(struct request *rq, struct str sealed)
{
    struct str plain;
    yyjson_val *headers;
    return sealed.p && crypto_open(&app_of(rq)->box, rq->arena, sealed, &plain, NULL)
        && json_parse(rq->arena, plain, &headers, NULL) ? headers : NULL;
}

/* They may be secrets: only their names are shown. */
static void add_headers(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, struct str sealed)
{
    yyjson_mut_val *headers = json_add_obj(d, o, "headers");
    yyjson_obj_iter it = yyjson_obj_iter_with(headers_open(rq, sealed));
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)))
        yyjson_mut_obj_add(headers, json_mut_str(d, json_str(key)), yyjson_mut_str(d, MASK));
}

static void add_time_or_null(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, int64_t ms)
{
    if (ms)
        json_add_time(d, o, key, ms);
    else
        json_add_str(d, o, key, STR_NULL);
}

static yyjson_mut_val *endpoint_json(struct request *rq, yyjson_mut_doc *d, const struct webhook_endpoint *x)
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
    add_time_or_null(d, o, "failingSince", x->failing_since);
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

/* --- reading a request ------------------------------------------------------------------------------------- */

/* A wish for an endpoint: what is given replaces what is stored. */
struct wish {
    struct webhook_endpoint x;
    bool url, description, types, disabled, rate_limit, secret;
    yyjson_val *headers;                /* NULL: not given; JSON null: none */
};

static void url_read(struct checks *c, struct wish *w, bool required)
{
    struct outbound_target target;
    struct error err = {0};
    w->x.url = str_trim(check_string(c, c->rq->json, "url", required));
    w->url = w->x.url.p != NULL;
    if (!w->url)
        return;
    if (!w->x.url.n)
        check_fail(c, "url should not be empty");
    else if (w->x.url.n > URL_LENGTH_MAX)
        check_fail(c, "url must be shorter than or equal to %d characters", URL_LENGTH_MAX);
    else if (!outbound_check(&app_of(c->rq)->outbound, c->rq->arena, w->x.url, &target, &err))
        check_fail(c, "url: %s", err.message);
}

static struct str all_types(struct arena *a)
{
    struct buf b = {.arena = a};
    for (int t = 0; t < WEBHOOK_TYPES; t++) {
        buf_z(&b, t ? ", " : "");
        buf_str(&b, webhook_type_name((enum webhook_type)t));
    }
    return buf_finish(&b);
}

static void types_read(struct checks *c, struct wish *w)
{
    yyjson_val *list = check_array(c, c->rq->json, "eventTypes", false), *v;
    enum webhook_type type;
    w->types = list != NULL;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        if (webhook_type_parse(json_str(v), &type)) {
            w->x.types |= 1u << type;
            continue;
        }
        check_fail(c, "each value in eventTypes must be one of the following values: %s", all_types(c->rq->arena).p);
        return;
    }
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
            return false;
    return s.n > 0;
}

/* What the request says itself, or what belongs to the connection. */
static bool is_reserved(struct str name)
{
    static const char *const names[] = {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer",
                                        "upgrade", "expect", "proxy-authorization"};
    static const char *const starts[] = {"webhook-", "svix-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (str_eq_nocase(str_sub(name, 0, strlen(starts[i])), str_of(starts[i])))
            return true;
    return false;
}

static bool is_header_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.n <= HEADER_VALUE_MAX;
}

static void headers_read(struct checks *c, struct wish *w)
{
    yyjson_val *key;
    w->headers = check_object(c, c->rq->json, "headers", false);
    if (yyjson_obj_size(w->headers) > HEADERS_MAX)
        check_fail(c, "headers must contain no more than %d elements", HEADERS_MAX);
    yyjson_obj_iter it = yyjson_obj_iter_with(w->headers);
    while ((key = yyjson_obj_iter_next(&it))) {
        struct str name = json_str(key), value = json_str(yyjson_obj_iter_get_val(key)), shown = str_sub(name, 0, SHOWN);
        if (!is_token(name))
            check_fail(c, "headers: \"%.*s\" is not a header name", STR_ARG(shown));
        else if (is_reserved(name))
            check_fail(c, "headers: \"%.*s\" is set by the server", STR_ARG(shown));
        else if (!value.p)
            check_fail(c, "headers.%.*s must be a string", STR_ARG(shown));
        else if (!is_header_value(value))
            check_fail(c, "headers.%.*s must be one line of at most %d characters", STR_ARG(shown), HEADER_VALUE_MAX);
    }
}

static void rate_limit_read(struct checks *c, struct wish *w)
{
    yyjson_val *v = json_get(c->rq->json, "rateLimit");
    w->rate_limit = v != NULL;
    if (!v || yyjson_is_null(v))
        return;
    w->x.rate_limit = yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
    if (w->x.rate_limit < 1 || w->x.rate_limit > RATE_LIMIT_MAX)
        check_fail(c, "rateLimit must be a whole number from 1 to %d, or null", RATE_LIMIT_MAX);
}

static struct str secret_new(struct arena *a)
{
    char random[SECRET_BYTES];
    crypto_random(random, sizeof random);
    return str_fmt(a, "whsec_%.*s", STR_ARG(base64_encode(a, (struct str){random, sizeof random})));
}

/* p NULL: not given. */
static struct str secret_read(struct checks *c)
{
    struct str s = check_string(c, c->rq->json, "secret", false), bytes;
    if (s.p && (!str_starts(s, STR("whsec_")) || !base64_decode(c->rq->arena, str_sub(s, 6, s.n), &bytes) || bytes.n < SECRET_BYTES
                || bytes.n > SECRET_BYTES_MAX))
        check_fail(c, "secret must be \"whsec_\" followed by %d to %d bytes in base64", SECRET_BYTES, SECRET_BYTES_MAX);
    return s;
}

static void wish_read(struct checks *c, struct wish *w, bool creates)
{
    url_read(c, w, creates);
    w->x.description = check_string(c, c->rq->json, "description", false);
    w->description = w->x.description.p != NULL;
    if (w->x.description.n > DESCRIPTION_MAX)
        check_fail(c, "description must be shorter than or equal to %d characters", DESCRIPTION_MAX);
    types_read(c, w);
    w->disabled = yyjson_is_bool(json_get(c->rq->json, "disabled"));
    w->x.disabled = check_bool(c, c->rq->json, "disabled", false) ? WEBHOOK_OFF : WEBHOOK_ENABLED;
    headers_read(c, w);
    rate_limit_read(c, w);
    struct str secret = secret_read(c);
    w->secret = secret.p != NULL;
    if (secret.p || creates)
        w->x.secret = crypto_seal(&app_of(c->rq)->box, c->rq->arena, secret.p ? secret : secret_new(c->rq->arena));
}

/* --- writing ----------------------------------------------------------------------------------------------- */

struct endpoint_write {
    struct api_write w;
    struct wish wish;
    struct webhook_endpoint row;        /* its id, then as it is stored */
};

/* Sealed; p NULL: none. Values that are not told are those that are stored. */
static struct str headers_merge(struct request *rq, yyjson_val *given, struct str sealed)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *stored = headers_open(rq, sealed), *key;
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((key = yyjson_obj_iter_next(&it))) {
        struct str value = json_str(yyjson_obj_iter_get_val(key)), kept = json_str(json_getn(stored, json_str(key)));
        if (str_eqz(value, MASK) && kept.p)
            value = kept;
        yyjson_mut_obj_add(o, json_mut_str(d, json_str(key)), json_mut_str(d, value));
    }
    if (!yyjson_mut_obj_size(o))
        return STR_NULL;
    return crypto_seal(&app_of(rq)->box, rq->arena, json_write_mut(rq->arena, o));
}

static void wish_apply(struct request *rq, const struct wish *w, struct webhook_endpoint *x)
{
    if (w->url)
        x->url = w->x.url;
    if (w->description)
        x->description = w->x.description;
    if (w->types)
        x->types = w->x.types;
    if (w->disabled && !w->x.disabled != !x->disabled) {
        x->disabled = w->x.disabled;
        x->failing_since = 0;
    }
    if (w->headers)
        x->headers = headers_merge(rq, w->headers, x->headers);
    if (w->rate_limit)
        x->rate_limit = w->x.rate_limit;
    if (w->secret)
        x->secret = w->x.secret;
    x->updated_at = app_now(rq);
}

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
    if (!webhook_endpoint_find(db, w->rq->arena, w->rq->principal.environment, id, &x->row, err))
        return false;
    wish_apply(w->rq, &x->wish, &x->row);
    return webhook_endpoint_update(db, &x->row, err);
}

static bool rotate_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct endpoint_write *x = (struct endpoint_write *)w;
    struct id id = x->row.id;
    if (!webhook_endpoint_find(db, w->rq->arena, w->rq->principal.environment, id, &x->row, err))
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
    reply_json(w->rq, 0, endpoint_json(w->rq, json_doc(w->rq->arena), &x->row));
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

static bool load(struct request *rq, struct webhook_endpoint *x)
{
    struct str given = request_param(rq, "webhookEndpointId");
    struct error err = {0};
    struct id id;
    if (id_parse(given, &id) && webhook_endpoint_find(app_db(rq), rq->arena, rq->principal.environment, id, x, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Webhook endpoint %.*s not found", STR_ARG(str_sub(given, 0, SHOWN)));
    reply_error(rq, &err);
    return false;
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, create_apply, write_reply);
    wish_read(&c, &x->wish, true);
    if (!checks_done(&c))
        return;
    x->row = (struct webhook_endpoint){.id = app_id(rq), .environment = rq->principal.environment, .description = STR(""),
                                       .secret = x->wish.x.secret, .created_at = app_now(rq)};
    wish_apply(rq, &x->wish, &x->row);
    api_write(rq, &x->w);
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, update_apply, write_reply);
    if (!load(rq, &x->row))
        return;
    wish_read(&c, &x->wish, false);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_rotate(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct endpoint_write *x = write_new(rq, rotate_apply, rotate_reply);
    if (!load(rq, &x->row))
        return;
    struct str secret = secret_read(&c);
    if (!checks_done(&c))
        return;
    x->wish.x.secret = crypto_seal(&app_of(rq)->box, rq->arena, secret.p ? secret : secret_new(rq->arena));
    api_write(rq, &x->w);
}

static void handle_delete(struct request *rq)
{
    struct endpoint_write *x = write_new(rq, delete_apply, delete_reply);
    if (load(rq, &x->row))
        api_write(rq, &x->w);
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static void handle_list(struct request *rq)
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
        yyjson_mut_arr_append(o, endpoint_json(rq, d, &list[i]));
    reply_json(rq, 0, o);
}

static void handle_get(struct request *rq)
{
    struct webhook_endpoint x;
    if (load(rq, &x))
        reply_json(rq, 0, endpoint_json(rq, json_doc(rq->arena), &x));
}

static void handle_secret(struct request *rq)
{
    struct webhook_endpoint x;
    struct str secret;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!load(rq, &x))
        return;
    if (!crypto_open(&app_of(rq)->box, rq->arena, x.secret, &secret, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool both = x.old_secret.p && x.old_secret_until > app_now(rq);
    json_add_str(d, o, "secret", secret);
    add_time_or_null(d, o, "oldSecretValidUntil", both ? x.old_secret_until : 0);
    reply_json(rq, 0, o);
}

static void handle_types(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (int t = 0; t < WEBHOOK_TYPES; t++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, o, "eventType", webhook_type_name((enum webhook_type)t));
        json_add_str(d, o, "description", webhook_type_description((enum webhook_type)t));
        json_add_text(d, o, "example", webhook_example(rq->arena, (enum webhook_type)t));
    }
    reply_json(rq, 0, list);
}

static yyjson_mut_val *message_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct webhook_message *m = (const struct webhook_message *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "id", message_wire_id(rq->arena, m->id));
    json_add_str(d, o, "eventType", webhook_type_name(m->type));
    json_add_bool(d, o, "test", m->test);
    json_add_time(d, o, "createdAt", m->created_at);
    json_add_text(d, o, "payload", m->body);
    return o;
}

/* -1: not asked for. */
static int type_asked(struct checks *c)
{
    struct str name = request_query(c->rq, "eventType");
    enum webhook_type type;
    if (!name.n)
        return -1;
    if (webhook_type_parse(name, &type))
        return (int)type;
    check_fail(c, "eventType must be one of the following values: %s", all_types(c->rq->arena).p);
    return -1;
}

static void handle_messages(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct webhook_message_query q = {.type = type_asked(&c)};
    struct page page;
    struct error err = {0};
    if (!paging_read(&c, "createdAt", &q.page))
        return;
    if (webhook_message_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, message_item);
    else
        reply_error(rq, &err);
}

static bool message_load(struct request *rq, struct webhook_message *m)
{
    struct str given = request_param(rq, "webhookMessageId");
    struct error err = {0};
    struct id id;
    if (webhook_message_id_parse(given, &id) && webhook_message_find(app_db(rq), rq->arena, rq->principal.environment, id, m, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Webhook message %.*s not found", STR_ARG(str_sub(given, 0, SHOWN)));
    reply_error(rq, &err);
    return false;
}

static void add_delivery(yyjson_mut_doc *d, yyjson_mut_val *list, const struct webhook_delivery *x)
{
    static const char *const names[] = {[WEBHOOK_WAITS] = "pending", [WEBHOOK_DONE] = "delivered", [WEBHOOK_FAILED] = "failed"};
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    bool waits = x->state == WEBHOOK_WAITS;
    json_add_id(d, o, "endpointId", x->endpoint);
    json_add_str(d, o, "status", str_of(names[x->state]));
    json_add_int(d, o, "attempts", waits ? x->attempt - 1 : x->attempt);
    add_time_or_null(d, o, "nextAttemptAt", waits ? x->due_at : 0);
    json_add_time(d, o, "updatedAt", x->updated_at);
}

static void handle_message(struct request *rq)
{
    struct webhook_message m;
    struct webhook_delivery *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!message_load(rq, &m))
        return;
    if (!webhook_delivery_list(app_db(rq), rq->arena, m.id, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_val *o = message_item(rq, d, &m, 0), *deliveries = json_add_arr(d, o, "deliveries");
    for (size_t i = 0; i < n; i++)
        add_delivery(d, deliveries, &list[i]);
    reply_json(rq, 0, o);
}

static yyjson_mut_val *attempt_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct webhook_attempt *x = (const struct webhook_attempt *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_id(d, o, "endpointId", x->endpoint);
    json_add_str(d, o, "messageId", message_wire_id(rq->arena, x->message));
    json_add_str(d, o, "eventType", webhook_type_name(x->type));
    json_add_int(d, o, "attempt", x->attempt);
    json_add_str(d, o, "status", x->succeeded ? STR("succeeded") : STR("failed"));
    if (x->status)
        json_add_int(d, o, "responseStatusCode", x->status);
    else
        json_add_str(d, o, "responseStatusCode", STR_NULL);
    json_add_str(d, o, "response", x->answer);
    json_add_str(d, o, "error", x->error.n ? x->error : STR_NULL);
    json_add_int(d, o, "durationMs", x->took_ms);
    json_add_time(d, o, "createdAt", x->created_at);
    return o;
}

static void handle_attempts(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct webhook_attempt_query q = {.succeeded = -1};
    struct webhook_endpoint x;
    struct page page;
    struct error err = {0};
    struct str status = request_query(rq, "status"), message = request_query(rq, "messageId");
    if (!load(rq, &x))
        return;
    q.endpoint = x.id;
    if (status.n && !str_eqz(status, "succeeded") && !str_eqz(status, "failed"))
        check_fail(&c, "status must be one of the following values: succeeded, failed");
    else if (status.n)
        q.succeeded = str_eqz(status, "succeeded");
    if (message.n && !webhook_message_id_parse(message, &q.message))
        check_fail(&c, "messageId must be the id of a webhook message");
    if (!paging_read(&c, "createdAt", &q.page))
        return;
    if (webhook_attempt_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, attempt_item);
    else
        reply_error(rq, &err);
}

/* --- again, by hand ---------------------------------------------------------------------------------------- */

struct again {
    struct api_write w;
    struct webhook_endpoint endpoint;
    struct id message;
    enum webhook_type type;
    int64_t since, total, chunk;
    struct id after, next;
    bool missing, more;
};

/* To an endpoint that takes nothing, nothing can be sent. */
static struct again *again_new(struct request *rq)
{
    struct again *x = ARENA_NEW(rq->arena, struct again);
    if (!load(rq, &x->endpoint))
        return NULL;
    if (!x->endpoint.disabled)
        return x;
    reply_fail(rq, 400, "Webhook endpoint %.*s is disabled", STR_ARG(id_str(rq->arena, x->endpoint.id)));
    return NULL;
}

static bool resend_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    return webhook_resend(db, w->rq->arena, &x->endpoint, x->message, app_now(w->rq), err);
}

static bool test_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    struct arena *a = w->rq->arena;
    struct webhook_ears ears;
    yyjson_val *example;
    if (!webhook_listen(db, a, x->endpoint.environment, &ears, err)
        || !json_parse(a, webhook_example(a, x->type), &example, err))
        return false;
    if (!ears.n)
        return error_http(err, 404, "Webhook endpoint %.*s not found", STR_ARG(id_str(a, x->endpoint.id)));
    return webhook_emit_test(db, &ears, &x->endpoint, x->type, json_write(a, json_get(example, "data")), app_now(w->rq), &x->message, err);
}

static void message_reply(struct api_write *w)
{
    struct again *x = (struct again *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "messageId", message_wire_id(w->rq->arena, x->message));
    reply_json(w->rq, 0, o);
}

static void handle_resend(struct request *rq)
{
    struct webhook_message m;
    struct again *x = again_new(rq);
    if (!x || !message_load(rq, &m))
        return;
    x->message = m.id;
    x->w = (struct api_write){.apply = resend_apply, .reply = message_reply};
    api_write(rq, &x->w);
}

static void handle_test(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str name = check_string(&c, rq->json, "eventType", true);
    struct again *x;
    enum webhook_type type = WEBHOOK_MESSAGE_SENT;
    if (name.n && !webhook_type_parse(name, &type))
        check_fail(&c, "eventType must be one of the following values: %s", all_types(rq->arena).p);
    if (!checks_done(&c) || !(x = again_new(rq)))
        return;
    x->type = type;
    x->w = (struct api_write){.apply = test_apply, .reply = message_reply};
    api_write(rq, &x->w);
}

/* A part a commit, so that a long list holds up nobody. */
static bool many_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct again *x = (struct again *)w;
    x->next = x->after;
    if (x->missing)
        return webhook_replay_missing(db, w->rq->arena, &x->endpoint, x->since, app_now(w->rq), &x->next, &x->chunk, &x->more, err);
    if (!webhook_recover(db, &x->endpoint, x->since, app_now(w->rq), &x->chunk, err))
        return false;
    x->more = x->chunk == WEBHOOK_AGAIN_MAX;
    return true;
}

static void many_reply(struct api_write *w)
{
    struct again *x = (struct again *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    x->total += x->chunk;
    x->after = x->next;
    if (x->more) {
        api_write(w->rq, w);
        return;
    }
    json_add_int(d, o, "count", x->total);
    reply_json(w->rq, 0, o);
}

static void many(struct request *rq, bool missing)
{
    struct checks c = checks_begin(rq);
    struct str since = check_string(&c, rq->json, "since", true);
    int64_t from = 0;
    struct again *x;
    if (since.n && !time_parse_iso(since, &from))
        check_fail(&c, "since must be a valid ISO 8601 date string");
    if (!checks_done(&c) || !(x = again_new(rq)))
        return;
    x->since = from;
    x->missing = missing;
    x->w = (struct api_write){.flags = WRITE_CHAIN, .apply = many_apply, .reply = many_reply};
    api_write(rq, &x->w);
}

static void handle_recover(struct request *rq)
{
    many(rq, false);
}

static void handle_replay_missing(struct request *rq)
{
    many(rq, true);
}

static void handle_portal(struct request *rq)
{
    reply_fail(rq, 400, "Webhook system is not enabled");
}

#define WEBHOOKS(method, path, operation, summary, permission, status, envelope, flags, handler)                                       \
    {method, "/v2/outbound-webhooks" path, operation, "Webhooks", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     envelope, 0, flags, handler}
#define ONE "/endpoints/{webhookEndpointId}"
#define READ "WEBHOOK_READ"
#define WRITE "WEBHOOK_WRITE"

const struct route webhook_routes[] = {
    WEBHOOKS(HTTP_GET, "/endpoints", "webhookEndpointsList", "List webhook endpoints", READ, 200, ENVELOPE_DATA, 0, handle_list),
    WEBHOOKS(HTTP_POST, "/endpoints", "webhookEndpointsCreate", "Create a webhook endpoint", WRITE, 201, ENVELOPE_DATA, 0, handle_create),
    WEBHOOKS(HTTP_GET, ONE, "webhookEndpointsRetrieve", "Retrieve a webhook endpoint", READ, 200, ENVELOPE_DATA, 0, handle_get),
    WEBHOOKS(HTTP_PATCH, ONE, "webhookEndpointsUpdate", "Change a webhook endpoint", WRITE, 200, ENVELOPE_DATA, 0, handle_update),
    WEBHOOKS(HTTP_DELETE, ONE, "webhookEndpointsDelete", "Delete a webhook endpoint", WRITE, 204, ENVELOPE_NONE, 0, handle_delete),
    WEBHOOKS(HTTP_GET, ONE "/secret", "webhookEndpointsSecret", "The secret that signs what an endpoint is sent", WRITE, 200,
             ENVELOPE_DATA, 0, handle_secret),
    WEBHOOKS(HTTP_POST, ONE "/secret/rotate", "webhookEndpointsSecretRotate", "Give an endpoint a new secret; the old one signs too for 24 hours",
             WRITE, 200, ENVELOPE_DATA, 0, handle_rotate),
    WEBHOOKS(HTTP_GET, ONE "/attempts", "webhookEndpointsAttempts", "What an endpoint answered", READ, 200, ENVELOPE_NONE, 0,
             handle_attempts),
    WEBHOOKS(HTTP_POST, ONE "/messages/{webhookMessageId}/resend", "webhookEndpointsResend", "Send an endpoint a message again", WRITE,
             202, ENVELOPE_DATA, 0, handle_resend),
    WEBHOOKS(HTTP_POST, ONE "/recover", "webhookEndpointsRecover", "Send an endpoint again what failed since", WRITE, 202, ENVELOPE_DATA, 0,
             handle_recover),
    WEBHOOKS(HTTP_POST, ONE "/replay-missing", "webhookEndpointsReplayMissing", "Send an endpoint what it was never sent since", WRITE, 202,
             ENVELOPE_DATA, 0, handle_replay_missing),
    WEBHOOKS(HTTP_POST, ONE "/test", "webhookEndpointsTest", "Send an endpoint an example", WRITE, 202, ENVELOPE_DATA, 0, handle_test),
    WEBHOOKS(HTTP_GET, "/event-types", "webhookEventTypesList", "What endpoints can be told", READ, 200, ENVELOPE_DATA, 0, handle_types),
    WEBHOOKS(HTTP_GET, "/messages", "webhookMessagesList", "List what happened, as it is told", READ, 200, ENVELOPE_NONE, 0, handle_messages),
    WEBHOOKS(HTTP_GET, "/messages/{webhookMessageId}", "webhookMessagesRetrieve", "Retrieve a message with its deliveries", READ, 200,
             ENVELOPE_DATA, 0, handle_message),
    {HTTP_GET, "/v2/outbound-webhooks/portal/token", "webhookPortalToken", "Webhooks", "This server has no portal: always 400", AUTH_SESSION,
     READ, RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, 0, 0, handle_portal},
    {HTTP_POST, "/v2/outbound-webhooks/portal/token", "webhookPortalTokenCreate", "Webhooks", "This server has no portal: always 400",
     AUTH_SESSION, WRITE, RATE_CONFIGURATION, 1, 201, ENVELOPE_DATA, 0, ROUTE_READ_ONLY, handle_portal},
};
const size_t webhook_routes_n = sizeof webhook_routes / sizeof *webhook_routes;
