/* The quick answer for most values: this one fits and would not change. Looks at the value where it lies, makes no copy and
 * no errors; whatever it does not know of (and every value that does not fit) is left to the validation proper, so that it
 * can only err on the side of more work. */
#include "content/jsonschema/keywords.h"

enum { FITS_DEPTH_MAX = 100 };

struct fit {
    struct run *run;
    yyjson_val *value;
    unsigned types;
};

static bool node_fits(struct run *r, const struct node *node, yyjson_val *value);

static unsigned types_of(yyjson_val *v)
{
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL: return IS_NULL;
    case YYJSON_TYPE_BOOL: return IS_BOOL;
    case YYJSON_TYPE_STR: return IS_STRING;
    case YYJSON_TYPE_ARR: return IS_ARRAY;
    case YYJSON_TYPE_OBJ: return IS_OBJECT;
    case YYJSON_TYPE_NUM: {
        double d = unsafe_yyjson_get_num(v);
        return IS_NUMBER | (unsafe_yyjson_is_int(v) || d == trunc(d) ? IS_INTEGER : 0);
    }
    default: return 0;
    }
}

static long double number_of(yyjson_val *v)
{
    return unsafe_yyjson_is_uint(v) ? (long double)unsafe_yyjson_get_uint(v) :
           unsafe_yyjson_is_sint(v) ? (long double)unsafe_yyjson_get_sint(v) : (long double)unsafe_yyjson_get_real(v);
}

static struct str text_of(yyjson_val *v)
{
    return (struct str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)};
}

static bool type_fits(const struct fit *f, const struct keyword *k)
{
    return k->types & f->types;
}

static bool limit_fits(const struct fit *f, const struct keyword *k)
{
    long double v = number_of(f->value);
    bool most = k->type->name[0] == 'm' ? k->type->name[1] == 'a' : k->type->name[10] == 'a';   /* (exclusiveM)aximum */
    return k->type->name[0] == 'm' ? (most ? v <= k->number : v >= k->number) : most ? v < k->number : v > k->number;
}

static bool count_holds(const struct keyword *k, size_t n)
{
    return k->type->name[1] == 'a' ? n <= k->number : n >= k->number;       /* max…, min… */
}

static bool length_fits(const struct fit *f, const struct keyword *k)
{
    struct str s = text_of(f->value);
    size_t points = 0;
    for (size_t i = 0; i < s.n; i++)
        points += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return schema_work(f->run, (int64_t)(s.n / 64)) && count_holds(k, points);
}

static bool items_count_fits(const struct fit *f, const struct keyword *k)
{
    return count_holds(k, unsafe_yyjson_get_len(f->value));
}

static bool pattern_fits(const struct fit *f, const struct keyword *k)
{
    return regex_matches(f->run, *k->patterns, text_of(f->value));
}

static bool format_fits(const struct fit *f, const struct keyword *k)
{
    const struct format *format = f->types & IS_STRING ? format_find(json_str(k->value)) : NULL;
    return format && !format->numbers && schema_work(f->run, (int64_t)(unsafe_yyjson_get_len(f->value) / 16)) &&
           format->text(text_of(f->value));
}

/* Of strings, true, false and null. */
static bool constant_is(yyjson_val *constant, yyjson_val *v)
{
    if (yyjson_is_str(constant) && yyjson_is_str(v))
        return str_eq(text_of(constant), text_of(v));
    return !yyjson_is_num(v) && !yyjson_is_ctn(v) && constant->tag == v->tag && !yyjson_is_str(v);
}

static bool constant_fits(const struct fit *f, const struct keyword *k)
{
    size_t i, n;
    yyjson_val *v;
    if (k->type->name[0] == 'c')
        return constant_is(k->value, f->value);
    if (!schema_work(f->run, (int64_t)yyjson_arr_size(k->value)))
        return false;
    yyjson_arr_foreach(k->value, i, n, v)
        if (constant_is(v, f->value))
            return true;
    return false;
}

static bool ref_fits(const struct fit *f, const struct keyword *k)
{
    return !k->dynamic.n && node_fits(f->run, k->node, f->value);
}

static bool any_of_fits(const struct fit *f, const struct keyword *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (node_fits(f->run, k->nodes[i], f->value))
            return true;
    return false;
}

static bool all_of_fits(const struct fit *f, const struct keyword *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (!node_fits(f->run, k->nodes[i], f->value))
            return false;
    return true;
}

static bool items_fits(const struct fit *f, const struct keyword *k)
{
    size_t i, n;
    yyjson_val *item;
    if (!k->node || k->n)           /* a tuple */
        return false;
    yyjson_arr_foreach(f->value, i, n, item)
        if (!node_fits(f->run, k->node, item))
            return false;
    return true;
}

static bool has(yyjson_val *object, struct str name)
{
    yyjson_val *key = unsafe_yyjson_get_first(object);
    for (size_t n = unsafe_yyjson_get_len(object); n; n--, key = unsafe_yyjson_get_next(key + 1))
        if (unsafe_yyjson_get_len(key) == name.n && bytes_same(unsafe_yyjson_get_str(key), name.p, name.n))
            return true;
    return false;
}

static bool required_fits(const struct fit *f, const struct keyword *k)
{
    size_t i, n;
    yyjson_val *name;
    yyjson_arr_foreach(k->value, i, n, name)
        if (!schema_work(f->run, 1 + (int64_t)(unsafe_yyjson_get_len(f->value) / 8)) || !has(f->value, text_of(name)))
            return false;
    return true;
}

/* Where name is among names, or n. Members mostly come in the order of the schema: looked for from hint on. */
static size_t name_find(const struct str *names, size_t n, struct str name, size_t hint)
{
    for (size_t k = 0, i = hint; k < n; k++, i++) {
        i = i < n ? i : 0;
        if (names[i].n == name.n && bytes_same(names[i].p, name.p, name.n))
            return i;
    }
    return n;
}

static bool properties_fits(const struct fit *f, const struct keyword *k)
{
    yyjson_val *key = unsafe_yyjson_get_first(f->value);
    size_t n = unsafe_yyjson_get_len(f->value), hint = 0;
    if (!schema_work(f->run, (int64_t)(n + n * k->n / 8)))
        return false;
    for (; n; n--, key = unsafe_yyjson_get_next(key + 1)) {
        size_t i = name_find(k->names, k->n, text_of(key), hint);
        if (i == k->n)
            continue;
        if (!node_fits(f->run, k->nodes[i], key + 1))
            return false;
        hint = i + 1;
    }
    if (k->defaults && f->run->options->use_defaults)
        for (size_t i = 0; i < k->n; i++)
            if (json_get(k->nodes[i]->json, "default") && !has(f->value, k->names[i]))
                return false;
    return true;
}

static bool additional_properties_fits(const struct fit *f, const struct keyword *k)
{
    const struct keyword *named = k->properties;
    yyjson_val *key = unsafe_yyjson_get_first(f->value);
    size_t n = unsafe_yyjson_get_len(f->value), hint = 0;
    if (k->node->is_boolean && k->node->accepts)
        return true;
    if (k->pattern_properties->n || !schema_work(f->run, (int64_t)(n + n * named->n / 8)))
        return false;
    for (; n; n--, key = unsafe_yyjson_get_next(key + 1)) {
        size_t i = name_find(named->names, named->n, text_of(key), hint);
        if (i == named->n && !node_fits(f->run, k->node, key + 1))
            return false;
        hint = i + 1;
    }
    return true;
}

static const struct {
    const char *name;
    keyword_fits fits;
} quick[] = {
    {"type", type_fits}, {"$ref", ref_fits}, {"const", constant_fits}, {"enum", constant_fits}, {"anyOf", any_of_fits},
    {"allOf", all_of_fits}, {"maximum", limit_fits}, {"minimum", limit_fits}, {"exclusiveMaximum", limit_fits},
    {"exclusiveMinimum", limit_fits}, {"maxLength", length_fits}, {"minLength", length_fits}, {"pattern", pattern_fits},
    {"format", format_fits}, {"maxItems", items_count_fits}, {"minItems", items_count_fits}, {"items", items_fits},
    {"maxProperties", items_count_fits}, {"minProperties", items_count_fits}, {"required", required_fits},
    {"additionalProperties", additional_properties_fits}, {"properties", properties_fits},
};

keyword_fits keyword_fits_find(const char *name)
{
    for (size_t i = 0; i < sizeof quick / sizeof *quick; i++)
        if (!strcmp(quick[i].name, name))
            return quick[i].fits;
    return NULL;
}

static bool node_fits(struct run *r, const struct node *node, yyjson_val *value)
{
    struct fit f = {r, value, types_of(value)};
    if (node->is_boolean)
        return node->accepts;
    if (r->depth == FITS_DEPTH_MAX)
        return false;
    r->depth++;
    bool fits = schema_work(r, (int64_t)node->keywords_n);
    for (size_t i = 0; i < node->keywords_n && fits; i++) {
        const struct keyword *k = &node->keywords[i];
        if (k->type->types & f.types)
            fits = k->fits && k->fits(&f, k);
    }
    r->depth--;
    return fits;
}

bool jsonschema_fits(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a)
{
    static const struct jsonschema_options usual = {0};
    struct run r = {.schema = s, .options = o ? o : &usual, .arena = a, .work = SCHEMA_WORK_MAX / 4};
    return !s->tracks && value && node_fits(&r, s->root, value) && !r.failed;
}
