/* where, find, group_by and their kin: choose elements by a property, or by an expression given as text. */
#include "content/liquid/liquid_private.h"

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

/* How an element is judged: by the property `path`, or by the expression `exp` with the element under `name`. */
struct query {
    struct operand path;
    struct liquid_value exp;
    bool is_exp;
    struct str name;
    struct value expected;
};

/* Source texts are parsed while rendering: the program cannot know them. */
static bool lexer_open(struct render *r, struct str source, struct lexer *l)
{
    if (!render_memory(r, (double)source.n * 16 + 64) || !render_work(r, (double)source.n / 4))
        return false;
    *l = (struct lexer){.arena = r->arena, .source = source, .end = source.n, .err = r->err};
    return true;
}

static bool query_property(struct render *r, const struct filter_args *args, struct query *q)
{
    struct lexer l;
    *q = (struct query){.expected = filter_arg(args, 1)};
    if (!lexer_open(r, value_to_str(r, filter_arg(args, 0)), &l))
        return false;
    if (lexer_scope_value(&l, &q->path)) {
        r->halves |= l.halves;
        return true;
    }
    r->failed = r->placed = true;       /* the place is one in the text */
    return false;
}

static bool query_expression(struct render *r, const struct filter_args *args, struct query *q)
{
    struct lexer l;
    *q = (struct query){.is_exp = true, .name = value_to_js(r, value_plain(r, filter_arg(args, 0)))};
    if (!lexer_open(r, value_to_str(r, filter_arg(args, 1)), &l))
        return false;
    if (lexer_filtered_value(&l, &q->exp)) {
        r->halves |= l.halves;
        return true;
    }
    r->failed = r->placed = true;
    return false;
}

static struct value query_value(struct render *r, const struct query *q, const struct value *item)
{
    if (!render_work(r, 1))
        return VALUE_UNDEFINED;
    if (!q->is_exp) {
        const struct value *outer = r->item;
        r->item = item;
        struct value v = eval_operand(r, &q->path);
        r->item = outer;
        return v;
    }
    if (r->expressions >= LIQUID_DEPTH_MAX) {
        render_fail(r, "template render limit exceeded");
        return VALUE_UNDEFINED;
    }
    struct overlay overlay = {q->name, *item, r->overlay};
    r->overlay = &overlay;
    r->expressions++;
    struct value v = eval_value(r, &q->exp);
    r->expressions--;
    r->overlay = overlay.next;
    return v;
}

static bool query_matches(struct render *r, const struct query *q, const struct value *item)
{
    struct value v = query_value(r, q, item);
    if (q->is_exp)
        return value_js_truthy(v);
    return q->expected.kind == V_UNDEFINED ? value_is_truthy(v) : value_equals(r, v, q->expected, 0);
}

/* ---- where, reject ---- */
/* By expression only exactly true (or false, for reject) counts. */
static bool kept(struct render *r, const struct query *q, const struct value *item, bool include)
{
    if (!q->is_exp)
        return query_matches(r, q, item) == include;
    struct value v = query_value(r, q, item);
    return v.kind == V_BOOL && v.b == include;
}

static struct value choose(struct render *r, struct value in, const struct query *q, bool include)
{
    struct value_array a = value_elements(r, in);
    struct value out = value_of_array(r, a.v, a.n);
    size_t k = 0;
    for (size_t i = 0; i < out.array->n && !r->failed; i++)
        if (kept(r, q, &a.v[i], include))
            out.array->v[k++] = a.v[i];
    out.array->n = k;
    return out;
}

FILTER(where)
{
    struct query q;
    return query_property(r, args, &q) ? choose(r, in, &q, true) : VALUE_UNDEFINED;
}

FILTER(reject)
{
    struct query q;
    return query_property(r, args, &q) ? choose(r, in, &q, false) : VALUE_UNDEFINED;
}

FILTER(where_exp)
{
    struct query q;
    return query_expression(r, args, &q) ? choose(r, in, &q, true) : VALUE_UNDEFINED;
}

FILTER(reject_exp)
{
    struct query q;
    return query_expression(r, args, &q) ? choose(r, in, &q, false) : VALUE_UNDEFINED;
}

/* ---- find, find_index, has ---- */
enum found { FOUND_ITEM, FOUND_INDEX, FOUND_HAS };

static struct value search(struct render *r, struct value in, const struct query *q, enum found what)
{
    struct value_array a = value_elements(r, in);
    for (size_t i = 0; i < a.n && !r->failed; i++) {
        if (!query_matches(r, q, &a.v[i]))
            continue;
        return what == FOUND_ITEM ? a.v[i] : what == FOUND_INDEX ? value_number((double)i) : value_bool(true);
    }
    return what == FOUND_HAS ? value_bool(false) : VALUE_UNDEFINED;
}

static struct value search_property(struct render *r, struct value in, const struct filter_args *args, enum found what)
{
    struct query q;
    return query_property(r, args, &q) ? search(r, in, &q, what) : VALUE_UNDEFINED;
}

static struct value search_expression(struct render *r, struct value in, const struct filter_args *args, enum found what)
{
    struct query q;
    return query_expression(r, args, &q) ? search(r, in, &q, what) : VALUE_UNDEFINED;
}

FILTER(find)
{
    return search_property(r, in, args, FOUND_ITEM);
}

FILTER(find_index)
{
    return search_property(r, in, args, FOUND_INDEX);
}

FILTER(has)
{
    return search_property(r, in, args, FOUND_HAS);
}

FILTER(find_exp)
{
    return search_expression(r, in, args, FOUND_ITEM);
}

FILTER(find_index_exp)
{
    return search_expression(r, in, args, FOUND_INDEX);
}

FILTER(has_exp)
{
    return search_expression(r, in, args, FOUND_HAS);
}

/* ---- group_by ---- */
static struct value group_value(struct render *r, struct value name, struct value items)
{
    struct value *values = render_alloc(r, 2 * sizeof *values);
    struct value_member *m = render_alloc(r, 2 * sizeof *m);
    struct value_hash *hash = render_alloc(r, sizeof *hash);
    values[0] = name;
    values[1] = items;
    m[0] = (struct value_member){STR("name"), &values[0]};
    m[1] = (struct value_member){STR("items"), &values[1]};
    *hash = (struct value_hash){m, 2};
    return (struct value){.kind = V_HASH, .hash = hash};
}

/* Groups in order of appearance. Elements are chained by the index of the next of their group. */
static struct value group(struct render *r, struct value in, const struct query *q)
{
    struct value_array a = value_enumerate(r, in);
    size_t groups = 0;
    if (!render_memory(r, (double)a.n * 2 * sizeof(struct value)))
        return VALUE_UNDEFINED;
    struct value *keys = arena_alloc_raw(r->arena, a.n * sizeof *keys), *items = arena_alloc_raw(r->arena, a.n * sizeof *items);
    uint32_t *of = render_alloc(r, a.n * sizeof *of);
    for (size_t i = 0; i < a.n; i++) {
        struct value key = query_value(r, q, &a.v[i]);
        size_t g = 0;
        while (g < groups && !value_identical(keys[g], key) && render_work(r, 0.0625))
            g++;
        if (r->failed)
            return VALUE_UNDEFINED;
        if (g == groups)
            keys[groups++] = key;
        of[i] = (uint32_t)g;
    }
    struct value *out = render_alloc(r, groups * sizeof *out);
    for (size_t g = 0; g < groups; g++) {
        size_t k = 0;
        for (size_t i = 0; i < a.n; i++)
            if (of[i] == g)
                items[k++] = a.v[i];
        if (!render_work(r, (double)a.n / 64))
            return VALUE_UNDEFINED;
        out[g] = group_value(r, keys[g], value_of_array(r, items, k));
    }
    return value_of_array(r, out, groups);
}

FILTER(group_by)
{
    struct query q;
    return query_property(r, args, &q) ? group(r, in, &q) : VALUE_UNDEFINED;
}

FILTER(group_by_exp)
{
    struct query q;
    return query_expression(r, args, &q) ? group(r, in, &q) : VALUE_UNDEFINED;
}

const struct liquid_filter liquid_filters_query[] = {
    {"where", where}, {"reject", reject}, {"where_exp", where_exp}, {"reject_exp", reject_exp}, {"find", find},
    {"find_index", find_index}, {"has", has}, {"find_exp", find_exp}, {"find_index_exp", find_index_exp},
    {"has_exp", has_exp}, {"group_by", group_by}, {"group_by_exp", group_by_exp}, {NULL, NULL},
};
