/* Filters on arrays. A scalar counts as an array of itself, nil as an empty one. */
#include "content/liquid/liquid_private.h"

#include <math.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

FILTER(join)
{
    struct value by = value_plain(r, filter_arg(args, 0));
    struct value_array a = value_elements(r, in);
    return value_str(value_join(r, a.v, a.n, value_is_nil(by) ? STR(" ") : value_to_str(r, by)));
}

/* Of an array or text: the element at that end. Objects with a numeric length count, as in JavaScript. */
static struct value end_of(struct render *r, struct value in, bool last)
{
    struct value v = value_plain(r, in);
    if (!value_js_truthy(v))
        return v.kind == V_STRING ? v : value_str(STR(""));
    if (!value_is_object(v) && v.kind != V_STRING)
        return value_str(STR(""));
    struct value n = eval_property(r, v, value_str(STR("length")));
    if (n.kind != V_NUMBER)
        return value_str(STR(""));
    return eval_property(r, v, value_number(last ? n.number - 1 : 0));
}

FILTER(first)
{
    (void)args;
    return end_of(r, in, false);
}

FILTER(last)
{
    (void)args;
    return end_of(r, in, true);
}

FILTER(size)
{
    (void)args;
    if (value_is_array(in))
        return value_number((double)array_length(in));
    if (in.kind != V_STRING && !value_is_object(in))
        return value_number(0);
    struct value n = eval_property(r, in, value_str(STR("length")));
    return value_js_truthy(n) ? n : value_number(0);
}

FILTER(reverse)
{
    struct value_array a = value_elements(r, in);
    (void)args;
    struct value out = value_of_array(r, a.v, a.n);
    for (size_t i = 0; i < out.array->n; i++)
        out.array->v[i] = a.v[a.n - 1 - i];
    return out;
}

/* ---- sorting ---- */
struct sorted { struct value item, by; };
typedef int (*sort_order)(struct render *r, struct value a, struct value b);

static int nil_order(struct value a, struct value b, bool *decided)
{
    bool x = value_is_nil(a), y = value_is_nil(b);
    *decided = x || y;
    return x && y ? 0 : x ? 1 : -1;
}

static int order_plain(struct render *r, struct value a, struct value b)
{
    bool decided;
    int c = nil_order(a, b, &decided);
    return decided ? c : value_less(r, a, b) ? -1 : value_less(r, b, a) ? 1 : 0;
}

static int order_text(struct render *r, struct value a, struct value b)
{
    bool decided;
    (void)r;
    int c = nil_order(a, b, &decided);
    return decided ? c : text_compare(a.s, b.s);
}

/* Insertion into the sorted head, as V8 does for short arrays: it decides the result where the order is not one. */
static void sort_short(struct render *r, struct sorted *v, size_t n, sort_order order)
{
    size_t run = n > 1 ? 2 : n;
    if (n > 1) {
        bool down = order(r, v[1].by, v[0].by) < 0;
        while (run < n && (order(r, v[run].by, v[run - 1].by) < 0) == down)
            run++;
        for (size_t i = 0; down && i < run / 2; i++) {
            struct sorted t = v[i];
            v[i] = v[run - 1 - i];
            v[run - 1 - i] = t;
        }
    }
    for (size_t i = run; i < n && !r->failed; i++) {
        struct sorted x = v[i];
        size_t low = 0, high = i;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (order(r, x.by, v[mid].by) < 0)
                high = mid;
            else
                low = mid + 1;
        }
        memmove(v + low + 1, v + low, (i - low) * sizeof *v);
        v[low] = x;
    }
}

static void sort_stable(struct render *r, struct sorted *v, struct sorted *tmp, size_t n, sort_order order)
{
    if (n < 64) {
        sort_short(r, v, n, order);
        return;
    }
    size_t half = n / 2, i = 0, k = half, at = 0;
    sort_stable(r, v, tmp, half, order);
    sort_stable(r, v + half, tmp, n - half, order);
    memcpy(tmp, v, n * sizeof *v);
    while (i < half && k < n)
        v[at++] = !render_work(r, 0.25) || order(r, tmp[k].by, tmp[i].by) >= 0 ? tmp[i++] : tmp[k++];
    while (i < half)
        v[at++] = tmp[i++];
    while (k < n)
        v[at++] = tmp[k++];
}

static struct value sort_by(struct render *r, struct value in, const struct filter_args *args, bool natural)
{
    struct value_array a = value_elements(r, in);
    struct value property = filter_arg(args, 0);
    struct str path = value_to_str(r, property);
    if (!render_memory(r, (double)a.n * 2 * sizeof(struct sorted)) || !render_work(r, (double)a.n))
        return VALUE_UNDEFINED;
    struct sorted *v = arena_alloc_raw(r->arena, a.n * sizeof *v), *tmp = arena_alloc_raw(r->arena, a.n * sizeof *v);
    for (size_t i = 0; i < a.n; i++) {
        v[i] = (struct sorted){a.v[i], value_js_truthy(property) ? filter_member(r, a.v[i], path) : a.v[i]};
        if (natural && !value_is_nil(v[i].by))
            v[i].by = value_str(text_case(r, value_to_js(r, v[i].by), TEXT_LOWER));
    }
    sort_stable(r, v, tmp, a.n, natural ? order_text : order_plain);
    struct value out = value_of_array(r, a.v, a.n);
    for (size_t i = 0; i < out.array->n; i++)
        out.array->v[i] = v[i].item;
    return out;
}

FILTER(sort)
{
    return sort_by(r, in, args, false);
}

FILTER(sort_natural)
{
    return sort_by(r, in, args, true);
}

/* ---- members ---- */
FILTER(map)
{
    struct value_array a = value_elements(r, in);
    struct str path = value_to_str(r, filter_arg(args, 0));
    struct value out = value_of_array(r, a.v, a.n);
    for (size_t i = 0; i < out.array->n && render_work(r, 0.25); i++)
        out.array->v[i] = filter_member(r, a.v[i], path);
    return out;
}

FILTER(sum)
{
    struct value_array a = value_elements(r, in);
    struct value property = filter_arg(args, 0);
    struct str path = value_to_str(r, property);
    double total = 0;
    for (size_t i = 0; i < a.n && render_work(r, 0.25); i++) {
        double n = value_number_js(r, value_js_truthy(property) ? filter_member(r, a.v[i], path) : a.v[i]);
        total += isnan(n) ? 0 : n;
    }
    return value_number(total);
}

FILTER(compact)
{
    struct value_array a = value_elements(r, in);
    (void)args;
    struct value out = value_of_array(r, a.v, a.n);
    size_t k = 0;
    for (size_t i = 0; i < out.array->n; i++)
        if (!value_is_nil(a.v[i]) && a.v[i].kind != V_NIL)
            out.array->v[k++] = a.v[i];
    out.array->n = k;
    return out;
}

static struct value concat_arrays(struct render *r, struct value_array a, struct value_array b)
{
    struct value_array *out = render_alloc(r, sizeof *out);
    *out = (struct value_array){0};
    if (render_memory(r, (double)(a.n + b.n) * sizeof *a.v)) {
        out->n = a.n + b.n;
        out->v = arena_alloc_raw(r->arena, out->n * sizeof *a.v);
        if (a.n)
            memcpy(out->v, a.v, a.n * sizeof *a.v);
        if (b.n)
            memcpy(out->v + a.n, b.v, b.n * sizeof *a.v);
    }
    return (struct value){.kind = V_ARRAY, .array = out};
}

FILTER(concat)
{
    return concat_arrays(r, value_elements(r, in), value_elements(r, filter_arg(args, 0)));
}

FILTER(push)
{
    struct value one = filter_arg(args, 0);
    return concat_arrays(r, value_elements(r, in), (struct value_array){&one, 1});
}

FILTER(unshift)
{
    struct value one = filter_arg(args, 0);
    return concat_arrays(r, (struct value_array){&one, 1}, value_elements(r, in));
}

FILTER(pop)
{
    struct value_array a = value_elements(r, in);
    (void)args;
    return value_of_array(r, a.v, a.n ? a.n - 1 : 0);
}

FILTER(shift)
{
    struct value_array a = value_elements(r, in);
    (void)args;
    return value_of_array(r, a.n ? a.v + 1 : a.v, a.n ? a.n - 1 : 0);
}

/* The bounds of Array.prototype.slice. */
static size_t slice_bound(double at, size_t n)
{
    at = isnan(at) ? 0 : trunc(at);
    if (at < 0)
        at += (double)n;
    return at < 0 ? 0 : at > (double)n ? n : (size_t)at;
}

static struct value slice_text(struct render *r, struct str s, double begin, double length)
{
    if (begin < 0)
        begin += (double)text_points(s);
    if (begin < 0 || length < 0)
        return value_str(STR(""));
    size_t from = text_advance(s, 0, begin);
    render_scan(r, s.n);
    return value_str(str_sub(s, from, text_advance(s, from, length)));
}

FILTER(slice)
{
    struct value v = value_plain(r, in), begin = filter_arg(args, 0), length = filter_arg_or(args, 1, value_number(1));
    if (value_is_nil(v))
        return value_of_array(r, NULL, 0);
    double from = value_number_js(r, begin), n = value_number_js(r, length);
    if (!value_is_array(v))
        return slice_text(r, value_to_str(r, v), from, n);
    struct value_array a = value_elements(r, v);
    if (from < 0) {
        from += (double)a.n;
        begin = value_number(from);
    }
    if (from < 0 || n < 0)
        return value_of_array(r, NULL, 0);
    /* begin + length is JavaScript's +: texts are put one behind the other. */
    size_t low = slice_bound(from, a.n), high = slice_bound(value_number_js(r, value_add_js(r, begin, length)), a.n);
    return value_of_array(r, a.n ? a.v + low : NULL, high > low ? high - low : 0);
}

/* ---- uniq ---- */
static uint64_t hash_value(struct value v)
{
    uint64_t h = 1469598103934665603u + v.kind;
    const unsigned char *p = (const unsigned char *)&v.number;
    size_t n = sizeof v.number;
    double zero = 0;
    if (v.kind == V_STRING) {
        p = (const unsigned char *)v.s.p;
        n = v.s.n;
    } else if (v.kind == V_NUMBER && v.number == 0) {
        p = (const unsigned char *)&zero;       /* -0 and 0 are one */
    } else if (v.kind == V_BOOL) {
        n = 1;
    } else if (!value_is_object(v) && v.kind != V_NUMBER) {
        n = 0;
    } else if (v.kind == V_NIL || v.kind == V_EMPTY || v.kind == V_BLANK || v.kind == V_BLOCK) {
        n = 0;
    }
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h ^ (h >> 29);
}

FILTER(uniq)
{
    struct value_array a = value_elements(r, in);
    (void)args;
    struct value out = value_of_array(r, a.v, a.n);
    size_t cap = 16, k = 0;
    while (cap < out.array->n * 2)
        cap *= 2;
    if (!render_memory(r, (double)cap * sizeof(uint32_t)) || !render_work(r, (double)a.n / 2))
        return VALUE_UNDEFINED;
    uint32_t *table = ARENA_ARRAY(r->arena, uint32_t, cap);
    for (size_t i = 0; i < out.array->n; i++) {
        size_t at = hash_value(a.v[i]) & (cap - 1);
        if (a.v[i].kind == V_STRING && !render_scan(r, a.v[i].s.n))
            break;
        while (table[at] && !value_identical(out.array->v[table[at] - 1], a.v[i]))
            at = (at + 1) & (cap - 1);
        if (table[at])
            continue;
        out.array->v[k++] = a.v[i];
        table[at] = (uint32_t)k;
    }
    out.array->n = k;
    return out;
}

/* Pseudo-random, from the clock of the context: a render stays a function of its input. */
static size_t random_below(struct render *r, size_t n)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return n ? (size_t)((r->random >> 33) % n) : 0;
}

FILTER(sample)
{
    struct value v = value_plain(r, in);
    if (value_is_nil(v))
        return value_of_array(r, NULL, 0);
    if (!value_is_array(v)) {
        struct value by = value_str(STR(""));
        struct filter_args none = {&by, 1};
        v = filter_find(STR("split"))->function(r, value_str(value_to_str(r, v)), &none);
    }
    struct value_array a = value_elements(r, v);
    struct value out = value_of_array(r, a.v, a.n), count = filter_arg_or(args, 0, value_number(1));
    for (size_t i = out.array->n; i > 1; i--) {
        size_t k = random_below(r, i);
        struct value t = out.array->v[i - 1];
        out.array->v[i - 1] = out.array->v[k];
        out.array->v[k] = t;
    }
    if (count.kind == V_NUMBER && count.number == 1)
        return out.array->n ? out.array->v[0] : VALUE_UNDEFINED;
    out.array->n = slice_bound(value_number_js(r, count), out.array->n);
    return out;
}

const struct liquid_filter liquid_filters_array[] = {
    {"join", join}, {"last", last}, {"first", first}, {"reverse", reverse}, {"sort", sort},
    {"sort_natural", sort_natural}, {"size", size}, {"map", map}, {"sum", sum}, {"compact", compact},
    {"concat", concat}, {"push", push}, {"unshift", unshift}, {"pop", pop}, {"shift", shift}, {"slice", slice},
    {"uniq", uniq}, {"sample", sample}, {NULL, NULL},
};
