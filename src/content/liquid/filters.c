/* Finds a filter by its name; the filters themselves live in a file for each theme. */
#include "content/liquid/liquid_private.h"

static struct value filter_raw(struct render *r, struct value in, const struct filter_args *args)
{
    (void)r;
    (void)args;
    return in;
}

static const struct liquid_filter raw = {"raw", filter_raw};

bool filter_is_raw(const struct liquid_filter *f)
{
    return f == &raw;
}

const struct liquid_filter *filter_find(struct str name)
{
    const struct liquid_filter *const themes[] = {
        liquid_filters_string, liquid_filters_html, liquid_filters_number, liquid_filters_array,
        liquid_filters_query, liquid_filters_date, liquid_filters_misc, liquid_filters_novu,
    };
    if (str_eq(name, STR("raw")))
        return &raw;
    for (size_t i = 0; i < sizeof themes / sizeof *themes; i++)
        for (const struct liquid_filter *f = themes[i]; f->name; f++)
            if (f->name[0] == name.p[0] && str_eqz(name, f->name))
                return f;
    return NULL;
}

struct str filter_concat(struct render *r, struct str a, struct str b)
{
    if (!render_memory(r, (double)a.n + (double)b.n + 16))
        return STR("");
    char *p = arena_alloc_raw(r->arena, a.n + b.n);
    if (a.n)
        memcpy(p, a.p, a.n);
    if (b.n)
        memcpy(p + a.n, b.p, b.n);
    return (struct str){p, a.n + b.n};
}

/* An empty pattern matches between all UTF-16 units. */
static struct str replace_between(struct render *r, struct str s, struct str with)
{
    if (!with.n || !s.n || !render_memory(r, (double)s.n * 2 + (double)text_units(s) * (double)with.n))
        return s;
    struct buf b = {.arena = r->arena};
    for (size_t i = 0, n; i < s.n; i += n) {
        char half[4];
        uint32_t c = text_decode(s, i, &n);
        if (i)
            buf_str(&b, with);
        if (c >= 0x10000) {
            r->halves = true;
            buf_add(&b, half, text_encode(0xd800 + ((c - 0x10000) >> 10), half));
            buf_str(&b, with);
            buf_add(&b, half, text_encode(0xdc00 + ((c - 0x10000) & 0x3ff), half));
        } else {
            buf_add(&b, s.p + i, n);
        }
    }
    return str_solid(buf_get(&b));
}

struct str filter_replace(struct render *r, struct str s, struct str what, struct str with)
{
    if (!what.n)
        return replace_between(r, s, with);
    text_align_halves(r, &s, &what);
    size_t hits = 0;
    if (!render_scan(r, s.n))
        return STR("");
    struct str rest = s;
    for (ptrdiff_t at; (at = str_find(rest, what)) >= 0; hits++)
        rest = str_sub(rest, (size_t)at + what.n, rest.n);
    if (!hits)
        return s;
    double size = (double)s.n + (double)hits * ((double)with.n - (double)what.n);
    if (!render_memory(r, size + 16))
        return STR("");
    char *out = arena_alloc_raw(r->arena, (size_t)size), *p = out;
    rest = s;
    for (ptrdiff_t at; (at = str_find(rest, what)) >= 0;) {
        memcpy(p, rest.p, (size_t)at);
        p += at;
        if (with.n)
            memcpy(p, with.p, with.n);
        p += with.n;
        rest = str_sub(rest, (size_t)at + what.n, rest.n);
    }
    if (rest.n)
        memcpy(p, rest.p, rest.n);
    return (struct str){out, (size_t)size};
}

struct value filter_member(struct render *r, struct value item, struct str path)
{
    for (;;) {
        ptrdiff_t dot = str_find(path, STR("."));
        item = eval_property(r, item, value_str(dot < 0 ? path : str_sub(path, 0, (size_t)dot)));
        if (dot < 0 || value_is_nil(item) || !render_work(r, 0.125))
            return item;
        path = str_sub(path, (size_t)dot + 1, path.n);
    }
}
