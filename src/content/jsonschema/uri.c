/* References to URIs, resolved as RFC 3986 §5 says. */
#include "content/jsonschema/schema.h"

struct parts {
    struct str scheme, authority, path, query, fragment;
    bool has_authority, has_query, has_fragment;
};

static struct parts split(struct str s)
{
    struct parts p = {0};
    size_t i = 0;
    while (i < s.n && !strchr(":/?#", s.p[i]))
        i++;
    if (i && i < s.n && s.p[i] == ':') {
        p.scheme = str_sub(s, 0, i);
        s = str_sub(s, i + 1, s.n);
    }
    ptrdiff_t at = str_find(s, STR("#"));
    if (at >= 0) {
        p.has_fragment = true;
        p.fragment = str_sub(s, (size_t)at + 1, s.n);
        s = str_sub(s, 0, (size_t)at);
    }
    at = str_find(s, STR("?"));
    if (at >= 0) {
        p.has_query = true;
        p.query = str_sub(s, (size_t)at + 1, s.n);
        s = str_sub(s, 0, (size_t)at);
    }
    if (str_starts(s, STR("//"))) {
        p.has_authority = true;
        for (i = 2; i < s.n && s.p[i] != '/';)
            i++;
        p.authority = str_sub(s, 2, i);
        s = str_sub(s, i, s.n);
    }
    p.path = s;
    return p;
}

/* §5.2.4 */
static struct str dots_remove(struct arena *a, struct str in)
{
    struct buf out = {.arena = a};
    while (in.n) {
        if (str_starts(in, STR("../")))
            in = str_sub(in, 3, in.n);
        else if (str_starts(in, STR("./")))
            in = str_sub(in, 2, in.n);
        else if (str_starts(in, STR("/./")))
            in = str_sub(in, 2, in.n);
        else if (str_eqz(in, "/."))
            in = STR("/");
        else if (str_starts(in, STR("/../")) || str_eqz(in, "/..")) {
            in = in.n == 3 ? STR("/") : str_sub(in, 3, in.n);
            while (out.n && out.p[--out.n] != '/')
                ;
        } else if (str_eqz(in, ".") || str_eqz(in, ".."))
            in = STR_NULL;
        else {
            size_t i = 1;
            while (i < in.n && in.p[i] != '/')
                i++;
            buf_str(&out, str_sub(in, 0, i));
            in = str_sub(in, i, in.n);
        }
    }
    return buf_get(&out);
}

/* §5.2.3 */
static struct str merge(struct arena *a, const struct parts *base, struct str path)
{
    struct buf out = {.arena = a};
    size_t keep = base->path.n;
    if (base->has_authority && !base->path.n)
        buf_char(&out, '/');
    while (keep && base->path.p[keep - 1] != '/')
        keep--;
    buf_str(&out, str_sub(base->path, 0, keep));
    buf_str(&out, path);
    return buf_get(&out);
}

struct str uri_resolve(struct arena *a, struct str base_uri, struct str ref)
{
    struct parts base = split(base_uri), r = split(ref), t = r;
    if (r.scheme.n) {
        t.path = dots_remove(a, r.path);
    } else {
        t.scheme = base.scheme;
        if (r.has_authority) {
            t.path = dots_remove(a, r.path);
        } else {
            t.has_authority = base.has_authority;
            t.authority = base.authority;
            if (!r.path.n) {
                t.path = base.path;
                t.query = r.has_query ? r.query : base.query;
                t.has_query = r.has_query || base.has_query;
            } else {
                t.path = dots_remove(a, r.path.p[0] == '/' ? r.path : merge(a, &base, r.path));
            }
        }
    }
    struct buf out = {.arena = a};
    if (t.scheme.n) {
        buf_str(&out, t.scheme);
        buf_char(&out, ':');
    }
    if (t.has_authority) {
        buf_z(&out, "//");
        buf_str(&out, t.authority);
    }
    buf_str(&out, t.path);
    if (t.has_query) {
        buf_char(&out, '?');
        buf_str(&out, t.query);
    }
    if (t.has_fragment) {
        buf_char(&out, '#');
        buf_str(&out, t.fragment);
    }
    return out.p ? buf_get(&out) : STR("");
}

struct str uri_without_fragment(struct str uri)
{
    ptrdiff_t at = str_find(uri, STR("#"));
    return at < 0 ? uri : str_sub(uri, 0, (size_t)at);
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str uri_fragment(struct arena *a, struct str uri)
{
    ptrdiff_t at = str_find(uri, STR("#"));
    struct str s = at < 0 ? STR_NULL : str_sub(uri, (size_t)at + 1, uri.n);
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_of(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.p[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = s.p[i];
        }
    }
    return (struct str){out, n};
}
