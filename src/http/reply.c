/* Answers: put together in the request's arena by whoever answers, sent by the loop. */
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "http/http_private.h"

/* An answer belongs to exactly one request: a second one would write into memory that may be somebody else's. */
static struct exchange *claim(struct request *rq)
{
    struct exchange *x = exchange_of(rq);
    if (atomic_flag_test_and_set(&x->answered)) {
        log_error("a request was answered twice", "operation", rq->route ? rq->route->operation : "", NULL);
        abort();
    }
    return x;
}

/* Hands the answer over. In the handler itself the loop picks it up when the handler returns. */
static void hand_over(struct exchange *x)
{
    if (pthread_equal(x->mailbox->thread, pthread_self()) && x->in_handler)
        x->ready = true;
    else
        mailbox_put(x);
}

static void finish(struct exchange *x)
{
    if (x->hold)
        x->held = true;
    else if (!x->mailbox->answering || x->mailbox->answering(x->rq.app, &x->rq, x->status, x->content_type, x->answer))
        hand_over(x);
}

void reply_drop(struct request *rq)
{
    struct exchange *x = exchange_of(rq);
    if (!x->hold)
        return;
    x->hold = x->held = false;
    x->last_header = x->before_hold;
    *x->last_header = NULL;
    x->status = 0;
    x->answer = STR_NULL;
    x->content_type = NULL;
    x->error_id[0] = x->why[0] = 0;
    atomic_flag_clear(&x->answered);
}

void reply_hold(struct request *rq)
{
    struct exchange *x = exchange_of(rq);
    reply_drop(rq);
    x->hold = true;
    x->before_hold = x->last_header;
}

bool reply_held(const struct request *rq, int *status, const char **content_type, struct str *body)
{
    const struct exchange *x = (const struct exchange *)rq;
    if (!x->held)
        return false;
    *status = x->status;
    *content_type = x->content_type;
    *body = x->answer;
    return true;
}

bool reply_is_held(const struct request *rq)
{
    return ((const struct exchange *)rq)->hold;
}

void reply_send(struct request *rq)
{
    struct exchange *x = exchange_of(rq);
    x->hold = x->held = false;
    hand_over(x);
}

void answer_header_kept(struct exchange *x, const char *name, const char *value)
{
    struct answer_header *h = ARENA_NEW(x->rq.arena, struct answer_header);
    *h = (struct answer_header){.name = name, .value = value};
    *x->last_header = h;
    x->last_header = &h->next;
}

void answer_header(struct exchange *x, const char *name, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t')
            return;         /* a line break would start a header of somebody else's choice */
    answer_header_kept(x, name, str_z(x->rq.arena, value));
}

bool answer_has_header(const struct exchange *x, const char *name)
{
    for (const struct answer_header *h = x->first_header; h; h = h->next)
        if (str_eq_nocase(str_of(h->name), str_of(name)))
            return true;
    return false;
}

void reply_header(struct request *rq, const char *name, struct str value)
{
    answer_header(exchange_of(rq), name, value);
}

void reply_header_kept(struct request *rq, const char *name, const char *value)
{
    answer_header_kept(exchange_of(rq), name, value);
}

void reply_header_count(struct request *rq, const char *name, int64_t n)
{
    char *text = arena_alloc_raw(rq->arena, STR_DIGITS);
    answer_header_kept(exchange_of(rq), name, str_digits((uint64_t)n, text));
}

static char json_type[] = "application/json; charset=utf-8";

static int status_of(const struct exchange *x, int status)
{
    if (!status && x->rq.route)
        status = x->rq.route->status;
    return status ? status : 200;
}

void answer_error(struct exchange *x, int status, struct str message, struct str details, struct str field)
{
    if (status < 400 || status > 599)
        status = 500;
    x->status = status;
    if (status == 503 && !answer_has_header(x, "Retry-After"))
        answer_header(x, "Retry-After", STR("1"));
    if (status == 500) {
        snprintf(x->why, sizeof x->why, "%.*s", (int)(message.n < 255 ? message.n : 255), message.p);
        message = STR("Internal server error, contact support and provide them with the errorId");
        details = STR_NULL;
    }
    x->answer = error_body(x, status, message, details, field);
    x->content_type = json_type;
}

/* UUID version 4 (RFC 9562 §5.4). */
static void error_id_make(char out[40])
{
    uint8_t u[16];
    crypto_random(u, sizeof u);
    u[6] = (u[6] & 0x0f) | 0x40;
    u[8] = (u[8] & 0x3f) | 0x80;
    int n = 0;
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, (size_t)(40 - n), i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[i]);
}

static void error_fill(struct exchange *x, const struct error *err)
{
    int status = error_status(err);
    if (status < 400 || status >= 500)
        error_id_make(x->error_id);
    if (status >= 500 && status != 500)
        snprintf(x->why, sizeof x->why, "%.255s", err->message);
    answer_error(x, status, str_of(err->message), err->details, str_of(err->field));
}

void answer_refuse(struct exchange *x, const struct error *err)
{
    bool logged = error_status(err) == 500;
    error_fill(x, err);
    if (!logged)
        x->error_id[0] = 0;
    x->ready = true;
}

void reply_error(struct request *rq, const struct error *err)
{
    struct exchange *x = claim(rq);
    error_fill(x, err);
    finish(x);
}

void reply_validation(struct request *rq, const struct str *messages, size_t n)
{
    struct exchange *x = claim(rq);
    struct buf b = {.arena = rq->arena};
    buf_z(&b, "{\"errors\":{\"general\":{\"messages\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        json_quote(&b, messages[i]);
    }
    buf_z(&b, "],\"value\":\"No Value Recorded\"}}}");
    answer_error(x, 422, STR("Validation Error"), buf_get(&b), STR_NULL);
    finish(x);
}

void reply_invalid_field(struct request *rq, const char *command, const char *field, const char *message)
{
    struct exchange *x = claim(rq);
    struct buf b = {.arena = rq->arena};
    buf_z(&b, "{\"errors\":{");
    json_quote(&b, str_of(field));
    buf_z(&b, ":{\"messages\":[");
    json_quote(&b, str_of(message));
    buf_z(&b, "]}}}");
    answer_error(x, 422, str_fmt(rq->arena, "Validation failed for %s: %s: %s", command, field, message), buf_get(&b), STR_NULL);
    finish(x);
}

static void answer_json(struct exchange *x, int status, struct str json)
{
    x->status = status_of(x, status);
    x->content_type = json_type;
    if (x->rq.route && x->rq.route->envelope == ENVELOPE_NONE) {
        x->answer = json;
        return;
    }
    struct buf b = {.arena = x->rq.arena};
    buf_reserve(&b, json.n + 9);
    buf_z(&b, "{\"data\":");
    buf_str(&b, json);
    buf_char(&b, '}');
    x->answer = buf_get(&b);
}

void reply_json_text(struct request *rq, int status, struct str json)
{
    struct exchange *x = claim(rq);
    answer_json(x, status, json);
    finish(x);
}

void reply_json(struct request *rq, int status, yyjson_mut_val *v)
{
    struct exchange *x = claim(rq);
    struct str json = v ? json_write_mut(rq->arena, v) : STR("{}");
    if (!v) {                           /* a handler without a result: rest-api.md §3.1 */
        x->status = status_of(x, status);
        x->content_type = json_type;
        x->answer = json;
    } else if (json.n) {
        answer_json(x, status, json);
    } else {                            /* text that is not UTF-8 got into a document of ours */
        struct error err;
        error_set(&err, ERROR_INTERNAL, "the answer is not valid JSON");
        error_fill(x, &err);
    }
    finish(x);
}

void reply_text(struct request *rq, int status, const char *content_type, struct str body)
{
    struct exchange *x = claim(rq);
    x->status = status_of(x, status);
    x->content_type = content_type ? str_z(rq->arena, str_of(content_type)) : NULL;
    x->answer = body;
    finish(x);
}

void reply_empty(struct request *rq, int status)
{
    struct exchange *x = claim(rq);
    x->status = status_of(x, status);
    x->answer = STR_NULL;
    finish(x);
}

void reply_websocket(struct request *rq, void (*taken)(void *arg, int fd, struct str early), void *arg)
{
    struct exchange *x = claim(rq);
    x->status = 101;
    x->taken = taken;
    x->taken_arg = arg;
    if (!request_is_upgrade(rq)) {
        log_error("a request that is no handshake was to become a WebSocket", "operation", rq->route->operation, NULL);
        abort();
    }
    finish(x);
}

struct MHD_Response *answer_response(struct exchange *x)
{
    void *body = (void *)(uintptr_t)(x->answer.n ? x->answer.p : "");
    /* The body stays in the arena, which outlives the response: exchange_end comes after the last byte. */
    struct MHD_Response *r = MHD_create_response_from_buffer(x->answer.n, body, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return NULL;
    if (x->content_type && x->status != 204 && x->status != 304)
        MHD_add_response_header(r, "Content-Type", x->content_type);
    MHD_add_response_header(r, "x-request-id", x->rq.id);
    if (x->no_store && !answer_has_header(x, "Cache-Control"))
        MHD_add_response_header(r, "Cache-Control", "no-store");
    for (struct answer_header *h = x->first_header; h; h = h->next)
        MHD_add_response_header(r, h->name, h->value);
    if (x->close)
        MHD_add_response_header(r, "Connection", "close");
    return r;
}
