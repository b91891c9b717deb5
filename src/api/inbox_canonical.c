/* Canonical JSON, over which an application signs the context of its user. */
#include <stdlib.h>

#include "api/inbox_private.h"

/* JavaScript compares UTF-16 units: a surrogate (a character of four bytes) sorts before U+E000–U+FFFF. */
static int utf16_cmp(struct str a, struct str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
        if (x == y)
            continue;
        if (x >= 0xf0 && (y == 0xee || y == 0xef))
            return -1;
        if (y >= 0xf0 && (x == 0xee || x == 0xef))
            return 1;
        return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

struct member {
    struct str key;
    yyjson_val *value;
    size_t place;
};

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = utf16_cmp(x->key, y->key);
    return c ? c : (x->place > y->place) - (x->place < y->place);
}

static void write_text(struct buf *b, struct str s, bool escaped)
{
    if (escaped) {
        json_quote(b, s);
        return;
    }
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

static void write_value(struct buf *b, yyjson_val *v, bool escaped);

static void write_object(struct buf *b, yyjson_val *v, bool escaped)
{
    size_t n = 0;
    struct member *members = ARENA_ARRAY(b->arena, struct member, yyjson_obj_size(v) + 1);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    bool first = true;
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it)); n++)
        members[n] = (struct member){json_str(k), yyjson_obj_iter_get_val(k), n};
    qsort(members, n, sizeof *members, member_cmp);
    buf_char(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && str_eq(members[i].key, members[i + 1].key))
            continue;                   /* of equal keys the last counts */
        if (!first)
            buf_char(b, ',');
        first = false;
        write_text(b, members[i].key, escaped);
        buf_char(b, ':');
        write_value(b, members[i].value, escaped);
    }
    buf_char(b, '}');
}

static void write_array(struct buf *b, yyjson_val *v, bool escaped)
{
    yyjson_val *e;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    bool first = true;
    buf_char(b, '[');
    while ((e = yyjson_arr_iter_next(&it))) {
        if (!first)
            buf_char(b, ',');
        first = false;
        write_value(b, e, escaped);
    }
    buf_char(b, ']');
}

static void write_value(struct buf *b, yyjson_val *v, bool escaped)
{
    if (yyjson_is_obj(v))
        write_object(b, v, escaped);
    else if (yyjson_is_arr(v))
        write_array(b, v, escaped);
    else if (yyjson_is_str(v))
        write_text(b, json_str(v), escaped);
    else if (yyjson_is_num(v))
        json_number_js(b, yyjson_get_num(v));       /* every number of JavaScript is a double */
    else
        buf_z(b, yyjson_is_null(v) ? "null" : yyjson_get_bool(v) ? "true" : "false");
}

struct str canonical_json(struct arena *a, yyjson_val *v, bool escaped)
{
    struct buf b = {.arena = a};
    write_value(&b, v, escaped);
    return buf_finish(&b);
}
