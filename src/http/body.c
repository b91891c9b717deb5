/* Request bodies: collecting them within their limit, and reading JSON. */
#include <stdlib.h>

#include "http/form.h"
#include "http/http_private.h"

static bool grow(struct exchange *x, size_t need)
{
    struct loop *l = x->loop;
    size_t most = x->has_length ? (size_t)x->length : x->body_max;
    size_t cap = x->body_cap ? x->body_cap * 2 : x->has_length && most <= HTTP_BODY_SMALL ? most : HTTP_BODY_SMALL / 4;
    while (cap < need)
        cap *= 2;
    if (cap > most)
        cap = most;
    if (cap < need)
        cap = need;         /* need is within body_max: the caller looked */
    if (cap <= HTTP_BODY_SMALL) {
        x->body = arena_grow(x->rq.arena, x->body, x->body_n, cap);
        x->body_cap = cap;
        return true;
    }
    size_t counted = x->body_heap ? x->body_cap : 0;
    if (l->body_bytes - counted + cap > HTTP_BODIES_MAX)
        return false;
    char *p = realloc(x->body_heap ? x->body : NULL, cap);
    if (!p)
        return false;
    if (!x->body_heap && x->body_n)
        memcpy(p, x->body, x->body_n);
    l->body_bytes += cap - counted;
    x->body = p;
    x->body_cap = cap;
    x->body_heap = true;
    return true;
}

bool body_add(struct exchange *x, const char *p, size_t n)
{
    if (n > x->body_max - x->body_n)
        return false;
    if (x->body_n + n > x->body_cap && !grow(x, x->body_n + n))
        return false;
    memcpy(x->body + x->body_n, p, n);
    x->body_n += n;
    return true;
}

void body_release(struct exchange *x)
{
    if (!x->body_heap)
        return;
    if (x->loop)
        x->loop->body_bytes -= x->body_cap;
    free(x->body);
    x->body_heap = false;
}

static bool begins_like_json(struct str body)
{
    struct str s = str_trim(body);
    return s.n && (s.p[0] == '{' || s.p[0] == '[');
}

static struct str media_type(struct exchange *x)
{
    const struct header *h = head_find(x, "content-type");
    ptrdiff_t semicolon = h ? str_find(h->value, STR(";")) : -1;
    return h ? str_trim(str_sub(h->value, 0, semicolon < 0 ? h->value.n : (size_t)semicolon)) : STR("");
}

static bool is_form(struct str type)
{
    return str_eq_nocase(type, STR("application/x-www-form-urlencoded"));
}

/* application/json, anything+json, or something that begins like JSON with no type, or with the one that curl's -d gives it:
 * in a form, braces and brackets would be escaped at the beginning. */
static bool is_json(struct str type, struct str body)
{
    if (!type.n || is_form(type))
        return begins_like_json(body);
    return str_eq_nocase(type, STR("application/json")) ||
           (type.n > 5 && str_eq_nocase(str_sub(type, type.n - 5, type.n), STR("+json")));
}

bool body_parse(struct exchange *x, struct error *err)
{
    struct str body = x->rq.body, type = media_type(x);
    if (!body.n || (x->rq.route->flags & ROUTE_RAW_BODY))
        return true;
    if (!is_json(type, body))
        return !is_form(type) || form_parse(x->rq.arena, body, &x->rq.json, err);
    if (str_starts(body, STR("\xef\xbb\xbf")))
        body = str_sub(body, 3, body.n);
    if (!json_parse(x->rq.arena, body, &x->rq.json, err))
        return false;
    if (yyjson_is_ctn(x->rq.json))
        return true;
    x->rq.json = NULL;
    return error_http(err, 400, "Unexpected token in JSON at position 0: the body must be an object or an array");
}
