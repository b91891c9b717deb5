/* Takes request targets apart. Every byte here comes from outside. */
#include "http/url_private.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str url_visible(struct arena *a, struct str target)
{
    struct buf b = {.arena = a};
    if (str_is_utf8(target))
        return target;
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c < 0x80)
            buf_char(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    return buf_get(&b);
}

/* "http://host:1/x?y" → "/x?y"; a proxy may send that form. */
static struct str without_authority(struct str target)
{
    ptrdiff_t at = str_find(target, STR("://"));
    if (at < 0 || (target.n && target.p[0] == '/'))
        return target;
    struct str rest = str_sub(target, (size_t)at + 3, target.n);
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] == '/' || rest.p[i] == '?')
            return str_sub(rest, i, rest.n);
    return STR_NULL;
}

void url_split(struct str target, struct str *path, struct str *query)
{
    target = without_authority(target);
    ptrdiff_t hash = str_find(target, STR("#"));        /* clients do not send fragments; one is not part of the path */
    if (hash >= 0)
        target = str_sub(target, 0, (size_t)hash);
    ptrdiff_t mark = str_find(target, STR("?"));
    *query = mark < 0 ? STR_NULL : str_sub(target, (size_t)mark + 1, target.n);
    *path = mark < 0 ? target : str_sub(target, 0, (size_t)mark);
    if (!path->n)
        *path = STR("/");
}

static bool has_doubled_slash(struct str path)
{
    return str_find(path, STR("//")) >= 0;
}

static struct str collapse_slashes(struct arena *a, struct str path)
{
    char *p = arena_alloc_raw(a, path.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] != '/' || n == 0 || p[n - 1] != '/')
            p[n++] = path.p[i];
    return (struct str){p, n};
}

struct str url_normalise(struct arena *a, struct str path, struct str prefix)
{
    if (has_doubled_slash(path))
        path = collapse_slashes(a, path);
    if (prefix.n > 1 && str_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/'))
        path = path.n == prefix.n ? STR("/") : str_sub(path, prefix.n, path.n);
    if (str_starts(path, STR("/v1/v1/")))
        path = str_sub(path, 3, path.n);
    return path;
}

/* Decodes into a new text; false when an escape is broken. */
static bool unescape(struct arena *a, struct str s, bool plus, struct str *out)
{
    char *p = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        p[n++] = c;
    }
    *out = (struct str){p, n};
    return str_is_utf8(*out);
}

bool url_decode(struct arena *a, struct str s, struct str *out)
{
    if (s.n && memchr(s.p, '%', s.n) == NULL) {
        *out = s;
        return str_is_utf8(s);
    }
    return unescape(a, s, false, out) && !(out->n && memchr(out->p, 0, out->n));
}

static struct str query_decode(struct arena *a, struct str s)
{
    struct str out;
    if (!s.n || (!memchr(s.p, '%', s.n) && !memchr(s.p, '+', s.n)))
        return s.n ? url_visible(a, s) : STR("");
    if (unescape(a, s, true, &out))
        return out;
    char *p = arena_copy(a, s.p, s.n);      /* upstream (qs): the part as sent, but for '+' */
    for (size_t i = 0; i < s.n; i++)
        if (p[i] == '+')
            p[i] = ' ';
    return url_visible(a, (struct str){p, s.n});
}

size_t query_parse(struct arena *a, struct str query, struct query_param **out)
{
    size_t n = 0, most = query.n ? 1 : 0;
    for (size_t i = 0; i < query.n && most < QUERY_PARAMS_MAX; i++)
        most += query.p[i] == '&';
    *out = ARENA_ARRAY(a, struct query_param, most);
    while (query.n && n < most) {
        ptrdiff_t amp = str_find(query, STR("&"));
        struct str part = amp < 0 ? query : str_sub(query, 0, (size_t)amp);
        query = amp < 0 ? STR_NULL : str_sub(query, (size_t)amp + 1, query.n);
        if (!part.n)
            continue;
        ptrdiff_t eq = str_find(part, STR("="));
        struct str name = eq < 0 ? part : str_sub(part, 0, (size_t)eq);
        struct str value = eq < 0 ? STR("") : str_sub(part, (size_t)eq + 1, part.n);
        (*out)[n].name = query_decode(a, name);
        (*out)[n++].value = query_decode(a, value);
    }
    return n;
}

bool query_is_of(struct str given, struct str name)
{
    if (!str_starts(given, name))
        return false;
    if (given.n == name.n)
        return true;
    if (given.p[name.n] != '[' || given.p[given.n - 1] != ']')
        return false;
    struct str key = str_sub(given, name.n + 1, given.n - 1);
    return str_find(key, STR("[")) < 0 && str_find(key, STR("]")) < 0;
}
