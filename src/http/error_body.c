/* The contract's error body (rest-api.md §3.2): what is in ctx stands at the top level too. */
#include "base/clock.h"
#include "http/http_private.h"

static const char *phrase_of(int status)        /* the framework's names, where they differ from RFC 9110's */
{
    switch (status) {
    case 413: return "Payload Too Large";
    case 422: return "Unprocessable Entity";
    default: return MHD_get_reason_phrase_for((unsigned)status);
    }
}

/* A message may have been cut in the middle of a character. */
static struct str clean(struct arena *a, struct str s)
{
    for (size_t cut = 0; cut < 4 && cut <= s.n; cut++)
        if (str_is_utf8(str_sub(s, 0, s.n - cut)))
            return str_sub(s, 0, s.n - cut);
    return url_visible(a, s);
}

static bool is_reserved(struct str key)
{
    static const struct str names[] = {{"statusCode", 10}, {"timestamp", 9}, {"path", 4}, {"message", 7}, {"ctx", 3}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(key, names[i]))
            return true;
    return false;
}

static void add_flat(struct buf *b, yyjson_val *details)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(details);
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it));) {
        if (is_reserved(json_str(k)))
            continue;
        json_quote(b, json_str(k));
        buf_char(b, ':');
        buf_str(b, json_write(b->arena, yyjson_obj_iter_get_val(k)));
        buf_char(b, ',');
    }
}

static void add_text(struct buf *b, const char *key, struct str value)
{
    json_quote(b, str_of(key));
    buf_char(b, ':');
    json_quote(b, value);
    buf_char(b, ',');
}

/* Framework errors name the phrase in ctx; details replace it; 413, 422 of details and 429 have none. */
static void add_ctx(struct buf *b, int status, yyjson_val *details, bool phrase)
{
    buf_z(b, "\"ctx\":");
    if (!details) {
        buf_char(b, '{');
        if (phrase)
            add_text(b, "error", str_of(phrase_of(status)));
        if (status != 429)
            buf_fmt(b, "\"statusCode\":%d", status);
        buf_char(b, '}');
        return;
    }
    size_t open = b->n;
    yyjson_obj_iter it = yyjson_obj_iter_with(details);
    buf_char(b, '{');
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it));) {
        if (status == 422 && str_eq(json_str(k), STR("errors")))
            continue;
        if (b->n > open + 1)
            buf_char(b, ',');
        json_quote(b, json_str(k));
        buf_char(b, ':');
        buf_str(b, json_write(b->arena, yyjson_obj_iter_get_val(k)));
    }
    buf_char(b, '}');
}

/* rest-api.md §1: the SDK's typed errors need these members. */
static void add_required(struct buf *b, struct exchange *x, int status, struct str message, yyjson_val *details,
                         struct str field)
{
    bool trigger = status == 400 && x->rq.route && x->rq.route->rate == RATE_TRIGGER && !json_get(details, "type");
    if (trigger)
        add_text(b, "type", STR("BAD_REQUEST"));
    if (trigger && !json_get(details, "errors"))
        buf_z(b, "\"errors\":[],");
    if (status != 422 || json_get(details, "errors"))
        return;
    if (!field.n) {
        buf_z(b, "\"errors\":{},");
        return;
    }
    buf_z(b, "\"errors\":{");
    json_quote(b, field);
    buf_z(b, ":{\"messages\":[");
    json_quote(b, message);
    buf_z(b, "],\"value\":\"No Value Recorded\"}},");
}

static bool names_a_secret(struct str name)
{
    static const struct str names[] = {{"token", 5}, {"access_token", 12}, {"apiKey", 6}, {"api_key", 7}, {"secretKey", 9},
                                       {"secret", 6}, {"password", 8}, {"authorization", 13}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, names[i]))
            return true;
    return false;
}

/* Bodies of errors are kept in logs of clients and proxies: what a query holds that opens doors is not repeated there. */
static struct str shown_target(struct arena *a, struct str target)
{
    struct buf b = {.arena = a};
    ptrdiff_t mark = str_find(target, STR("?"));
    struct str rest = mark < 0 ? STR_NULL : str_sub(target, (size_t)mark + 1, target.n);
    if (!rest.n)
        return target;
    buf_str(&b, str_sub(target, 0, (size_t)mark));
    for (char before = '?'; rest.n; before = '&') {
        ptrdiff_t end = str_find(rest, STR("&"));
        struct str one = str_sub(rest, 0, end < 0 ? rest.n : (size_t)end);
        ptrdiff_t equals = str_find(one, STR("="));
        bool hide = equals >= 0 && names_a_secret(str_sub(one, 0, (size_t)equals));
        buf_char(&b, before);
        buf_str(&b, hide ? str_sub(one, 0, (size_t)equals + 1) : one);
        if (hide)
            buf_z(&b, "***");
        if (end == (ptrdiff_t)rest.n - 1)
            buf_char(&b, '&');
        rest = end < 0 ? STR_NULL : str_sub(rest, (size_t)end + 1, rest.n);
    }
    return buf_get(&b);
}

struct str error_body(struct exchange *x, int status, struct str message, struct str details, struct str field)
{
    struct buf b = {.arena = x->rq.arena};
    char now[TIME_ISO_LEN + 1];
    yyjson_val *d = NULL;
    struct error ignored;
    if (details.n && json_parse(b.arena, details, &d, &ignored) && !yyjson_is_obj(d))
        d = NULL;
    bool phrase = !d && status != 413 && status != 429 && status != 500;
    time_iso(clock_real_ms(), now);
    message = clean(b.arena, message);
    buf_char(&b, '{');
    if (d)
        add_flat(&b, d);
    if (phrase || (d && status != 422 && !json_get(d, "error")))
        add_text(&b, "error", str_of(phrase_of(status)));
    buf_fmt(&b, "\"statusCode\":%d,", status);
    add_text(&b, "timestamp", str_of(now));
    add_text(&b, "path", shown_target(b.arena, x->rq.target));
    add_text(&b, "message", message);
    add_required(&b, x, status, message, d, clean(b.arena, field));
    if (status == 500)
        add_text(&b, "errorId", str_of(x->error_id));
    else
        add_ctx(&b, status, d, phrase);
    if (b.p[b.n - 1] == ',')
        b.n--;
    buf_char(&b, '}');
    return buf_get(&b);
}
