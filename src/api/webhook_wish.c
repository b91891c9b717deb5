/* What a request says of an endpoint: read, checked, and laid over what is stored. */
#include "api/webhooks_private.h"

enum {
    URL_LENGTH_MAX = 2048, DESCRIPTION_MAX = 1000, RATE_LIMIT_MAX = 10000, HEADERS_MAX = 32, HEADER_VALUE_MAX = 4096,
    SECRET_BYTES = 24, SECRET_BYTES_MAX = 64
};

/* --- reading ----------------------------------------------------------------------------------------------- */

struct str webhook_types_named(struct arena *a)
{
    struct buf b = {.arena = a};
    for (int t = 0; t < WEBHOOK_TYPES; t++) {
        buf_z(&b, t ? ", " : "");
        buf_str(&b, webhook_type_name((enum webhook_type)t));
    }
    return buf_finish(&b);
}

static void url_read(struct checks *c, struct webhook_wish *w, bool required)
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

static void types_read(struct checks *c, struct webhook_wish *w)
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
        check_fail(c, "each value in eventTypes must be one of the following values: %s", webhook_types_named(c->rq->arena).p);
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

static void headers_read(struct checks *c, struct webhook_wish *w)
{
    yyjson_val *key;
    w->headers = check_object(c, c->rq->json, "headers", false);
    if (yyjson_obj_size(w->headers) > HEADERS_MAX)
        check_fail(c, "headers must contain no more than %d elements", HEADERS_MAX);
    yyjson_obj_iter it = yyjson_obj_iter_with(w->headers);
    while ((key = yyjson_obj_iter_next(&it))) {
        struct str name = json_str(key), value = json_str(yyjson_obj_iter_get_val(key)), shown = str_sub(name, 0, WEBHOOK_SHOWN);
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

static void rate_limit_read(struct checks *c, struct webhook_wish *w)
{
    yyjson_val *v = json_get(c->rq->json, "rateLimit");
    w->rate_limit = v != NULL;
    if (!v || yyjson_is_null(v))
        return;
    w->x.rate_limit = yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
    if (w->x.rate_limit < 1 || w->x.rate_limit > RATE_LIMIT_MAX)
        check_fail(c, "rateLimit must be a whole number from 1 to %d, or null", RATE_LIMIT_MAX);
}

struct str webhook_secret_new(struct arena *a)
{
    char random[SECRET_BYTES];
    crypto_random(random, sizeof random);
    return str_fmt(a, "whsec_%.*s", STR_ARG(base64_encode(a, (struct str){random, sizeof random})));
}

/* p NULL: not given. */
struct str webhook_secret_read(struct checks *c)
{
    struct str s = check_string(c, c->rq->json, "secret", false), bytes;
    if (s.p && (!str_starts(s, STR("whsec_")) || !base64_decode(c->rq->arena, str_sub(s, 6, s.n), &bytes) || bytes.n < SECRET_BYTES
                || bytes.n > SECRET_BYTES_MAX))
        check_fail(c, "secret must be \"whsec_\" followed by %d to %d bytes in base64", SECRET_BYTES, SECRET_BYTES_MAX);
    return s;
}

void webhook_wish_read(struct checks *c, struct webhook_wish *w, bool creates)
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
    struct str secret = webhook_secret_read(c);
    w->secret = secret.p != NULL;
    if (secret.p || creates)
        w->x.secret = crypto_seal(&app_of(c->rq)->box, c->rq->arena, secret.p ? secret : webhook_secret_new(c->rq->arena));
}

/* --- what is stored ---------------------------------------------------------------------------------------- */

/* As stored: names with values. NULL: none, or sealed with another key. */
yyjson_val *webhook_headers_open(struct request *rq, struct str sealed)
{
    struct str plain;
    yyjson_val *headers;
    return sealed.p && crypto_open(&app_of(rq)->box, rq->arena, sealed, &plain, NULL)
        && json_parse(rq->arena, plain, &headers, NULL) ? headers : NULL;
}

/* Sealed; p NULL: none. Values that are not told are those that are stored. */
static struct str headers_merge(struct request *rq, yyjson_val *given, struct str sealed)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *stored = webhook_headers_open(rq, sealed), *key;
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((key = yyjson_obj_iter_next(&it))) {
        struct str value = json_str(yyjson_obj_iter_get_val(key)), kept = json_str(json_getn(stored, json_str(key)));
        if (str_eqz(value, WEBHOOK_MASK) && kept.p)
            value = kept;
        yyjson_mut_obj_add(o, json_mut_str(d, json_str(key)), json_mut_str(d, value));
    }
    if (!yyjson_mut_obj_size(o))
        return STR_NULL;
    return crypto_seal(&app_of(rq)->box, rq->arena, json_write_mut(rq->arena, o));
}

void webhook_wish_apply(struct request *rq, const struct webhook_wish *w, struct webhook_endpoint *x)
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
