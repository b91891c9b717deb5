/* The filters that Novu adds: toSentence, digest, pluralize (content.md §1.3). */
#include "content/liquid/liquid_private.h"

#include <math.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

/* A nested value of an element as text; {} counts as nothing. */
static struct str nested(struct render *r, struct value item, struct str path)
{
    if (!value_is_object(item) || item.kind == V_NIL)
        return STR("");
    struct value v = item;
    for (;;) {
        ptrdiff_t dot = str_find(path, STR("."));
        struct str key = dot < 0 ? path : str_sub(path, 0, (size_t)dot);
        yyjson_val *member = v.kind == V_DATA_OBJECT ? json_getn(v.data, key) : NULL;
        /* Plain property access: `size` and `first` mean nothing here. */
        if (value_is_array(v) && (str_eq(key, STR("size")) || str_eq(key, STR("first")) || str_eq(key, STR("last"))))
            return STR("");
        if (value_is_object(v) && !member && str_eq(key, STR("size")) && !object_has(v, key))
            return STR("");
        v = member ? value_of_data(member) : value_is_object(v) ? eval_property(r, v, value_str(key)) : VALUE_UNDEFINED;
        if (dot < 0 || !render_work(r, 0.125))
            break;
        path = str_sub(path, (size_t)dot + 1, path.n);
    }
    if (!value_is_object(v))
        return value_is_nil(v) ? STR("") : value_to_js(r, v);
    struct buf b = {.arena = r->arena};
    json_print(r, &b, v, STR_NULL, JSON_PRINT_REAL);
    return str_eq(buf_get(&b), STR("{}")) ? STR("") : buf_get(&b);
}

/* The words: elements, or a nested value of each. */
static struct value_array words_of(struct render *r, struct value in, struct value path)
{
    struct value_array a = value_is_array(in) ? value_elements(r, in) : (struct value_array){0};
    if (!value_js_truthy(path) || !a.n)
        return a;
    struct value out = value_of_array(r, a.v, a.n);
    struct str key = value_to_str(r, path);
    for (size_t i = 0; i < out.array->n && render_work(r, 0.5); i++)
        out.array->v[i] = value_str(nested(r, a.v[i], key));
    return *out.array;
}

/* Array.prototype.slice(0, n) */
static size_t head_of(double n, size_t length)
{
    n = isnan(n) ? 0 : trunc(n);
    if (n < 0)
        n += (double)length;
    return n < 0 ? 0 : n > (double)length ? length : (size_t)n;
}

static struct str joiner(struct render *r, const struct filter_args *args, size_t i, const char *otherwise)
{
    return value_to_js(r, filter_arg_or(args, i, value_str(str_of(otherwise))));
}

static void add_number(struct buf *b, double n)
{
    char text[NUMBER_TEXT_MAX];
    buf_add(b, text, number_print(n, text));
}

FILTER(to_sentence)
{
    struct value_array w = words_of(r, in, filter_arg(args, 0));
    struct buf b = {.arena = r->arena};
    if (!w.n)
        return value_str(STR(""));
    if (w.n == 1)
        return w.v[0];
    struct value limit = filter_arg_or(args, 1, value_number(2));
    double n = value_number_js(r, limit);
    struct str words = joiner(r, args, 3, ", "), two = joiner(r, args, 4, " and "), last = joiner(r, args, 5, ", and ");
    if (w.n == 2) {
        buf_str(&b, value_to_js(r, w.v[0]));
        buf_str(&b, two);
        buf_str(&b, value_to_js(r, w.v[1]));
    } else if (n >= (double)w.n) {
        buf_str(&b, value_join(r, w.v, w.n - 1, words));
        buf_str(&b, last);
        buf_str(&b, value_to_js(r, w.v[w.n - 1]));
    } else {
        struct value suffix = filter_arg_or(args, 2, value_str(STR("other")));
        if (suffix.kind != V_STRING) {
            render_fail(r, "word.toLowerCase is not a function");
            return VALUE_UNDEFINED;
        }
        double more = (double)w.n - n;
        buf_str(&b, value_join(r, w.v, head_of(n, w.n), words));
        buf_str(&b, limit.kind == V_NUMBER && n == 1 ? two : last);
        add_number(&b, more);
        buf_char(&b, ' ');
        buf_str(&b, plural_word(r, suffix.s, more));
    }
    render_memory(r, (double)b.cap);
    return value_str(buf_get(&b));
}

FILTER(digest)
{
    struct value_array w = words_of(r, in, filter_arg(args, 1));
    struct buf b = {.arena = r->arena};
    if (!w.n)
        return value_str(STR(""));
    if (w.n == 1)
        return w.v[0];
    double n = value_number_js(r, filter_arg_or(args, 0, value_number(2))), more = (double)w.n - n;
    struct str by = joiner(r, args, 2, ", ");
    bool all = w.n > 2 && n >= (double)w.n;
    size_t shown = w.n == 2 ? 1 : all ? w.n - 1 : head_of(n, w.n);
    buf_str(&b, w.n == 2 ? value_to_js(r, w.v[0]) : value_join(r, w.v, shown, by));
    buf_z(&b, " and ");
    if (w.n == 2 || all) {
        buf_str(&b, value_to_js(r, w.v[w.n - 1]));
    } else {
        add_number(&b, more);
        buf_z(&b, more == 1 ? " other" : " others");
    }
    render_memory(r, (double)b.cap);
    return value_str(buf_get(&b));
}

static double count_of(struct render *r, struct value v)
{
    double n = value_is_array(v) ? (double)array_length(v) : value_is_object(v) ? (double)object_length(v) : value_number_js(r, v);
    return isnan(n) ? 0 : n;
}

FILTER(pluralize)
{
    if (value_is_nil(in))
        return value_str(STR(""));
    double n = count_of(r, in);
    if (n <= 0)
        return value_str(STR(""));
    struct value one = filter_arg_or(args, 0, value_str(STR(""))), many = filter_arg_or(args, 1, value_str(STR("")));
    struct value show = filter_arg_or(args, 2, value_str(STR("true"))), word;
    if (value_js_truthy(many)) {
        word = n == 1 ? one : many;
    } else if (one.kind == V_STRING) {
        word = value_str(plural_word(r, one.s, n));
    } else {
        render_fail(r, "word.toLowerCase is not a function");
        return VALUE_UNDEFINED;
    }
    if (show.kind != V_STRING || !str_eq(show.s, STR("true")))
        return word;
    struct buf b = {.arena = r->arena};
    add_number(&b, n);
    buf_char(&b, ' ');
    buf_str(&b, value_to_js(r, word));
    render_memory(r, (double)b.cap);
    return value_str(buf_get(&b));
}

const struct liquid_filter liquid_filters_novu[] = {
    {"toSentence", to_sentence}, {"digest", digest}, {"pluralize", pluralize}, {NULL, NULL},
};
