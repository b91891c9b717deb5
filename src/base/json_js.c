/* JSON as JavaScript's JSON.stringify writes it: who verifies a signature over a text that was parsed and written again needs
 * exactly that (bridge-cli.md §1.4). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

void json_number_js(struct buf *b, double v)
{
    char text[32], digits[20];
    int precision = 0, n = 0, exponent;
    if (v == 0) {
        buf_char(b, '0');
        return;
    }
    do
        snprintf(text, sizeof text, "%.*e", precision, fabs(v));
    while (strtod(text, NULL) != fabs(v) && ++precision < 17);
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    exponent = atoi(strchr(text, 'e') + 1) + 1;
    if (v < 0)
        buf_char(b, '-');
    if (exponent > 21 || exponent < -5) {
        buf_char(b, digits[0]);
        if (n > 1)
            buf_char(b, '.');
        buf_add(b, digits + 1, (size_t)(n - 1));
        buf_fmt(b, "e%+d", exponent - 1);
        return;
    }
    if (exponent <= 0)
        buf_z(b, "0.");
    for (int i = exponent; i < 0; i++)
        buf_char(b, '0');
    for (int i = 0; i < n || i < exponent; i++) {
        if (i == exponent && i > 0)
            buf_char(b, '.');
        buf_char(b, i < n ? digits[i] : '0');
    }
}

/* An array index: decimal, without leading zero, up to 4,294,967,294. Those keys come first, in their order. */
static bool key_index(struct str key, int64_t *index)
{
    if (!key.n || key.n > 10 || (key.p[0] == '0' && key.n > 1))
        return false;
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] < '0' || key.p[i] > '9')
            return false;
    int64_t n;
    if (!str_to_i64(key, &n) || n >= 4294967295)
        return false;
    *index = n;
    return true;
}

struct member {
    struct str key;
    yyjson_val *value;
    int64_t rank, place;                /* rank: of an index, itself; else beyond all of them */
};

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static void write_value(struct buf *b, yyjson_val *v);

/* Equal keys side by side, each in its order. */
static int key_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int c = n ? memcmp(x->key.p, y->key.p, n) : 0;
    c = c ? c : (x->key.n > y->key.n) - (x->key.n < y->key.n);
    return c ? c : (x->place > y->place) - (x->place < y->place);
}

/* Of equal keys the last value counts, at the first one's place. */
static size_t members_of(struct arena *a, yyjson_val *v, struct member **out)
{
    struct member *list = ARENA_ARRAY(a, struct member, yyjson_obj_size(v) + 1);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    size_t n = 0, kept = 0;
    for (yyjson_val *k; (k = yyjson_obj_iter_next(&it)); n++) {
        list[n] = (struct member){json_str(k), yyjson_obj_iter_get_val(k), INT64_MAX, (int64_t)n};
        key_index(list[n].key, &list[n].rank);
    }
    qsort(list, n, sizeof *list, key_cmp);
    for (size_t i = 0; i < n; i++) {
        if (kept && str_eq(list[kept - 1].key, list[i].key))
            list[kept - 1].value = list[i].value;
        else
            list[kept++] = list[i];
    }
    qsort(list, kept, sizeof *list, member_cmp);
    *out = list;
    return kept;
}

static void write_object(struct buf *b, yyjson_val *v)
{
    struct member *list;
    size_t n = members_of(b->arena, v, &list);
    buf_char(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        json_quote(b, list[i].key);
        buf_char(b, ':');
        write_value(b, list[i].value);
    }
    buf_char(b, '}');
}

static void write_value(struct buf *b, yyjson_val *v)
{
    yyjson_val *e;
    size_t i, n;
    if (yyjson_is_obj(v)) {
        write_object(b, v);
    } else if (yyjson_is_arr(v)) {
        buf_char(b, '[');
        yyjson_arr_foreach(v, i, n, e) {
            if (i)
                buf_char(b, ',');
            write_value(b, e);
        }
        buf_char(b, ']');
    } else if (yyjson_is_str(v)) {
        json_quote(b, json_str(v));
    } else if (yyjson_is_num(v)) {
        json_number_js(b, yyjson_get_num(v));       /* every number of JavaScript is a double */
    } else {
        buf_z(b, yyjson_is_bool(v) ? yyjson_get_bool(v) ? "true" : "false" : "null");
    }
}

struct str json_write_js(struct arena *a, yyjson_val *v)
{
    struct buf b = {.arena = a};
    write_value(&b, v);
    return buf_finish(&b);
}
