/* Keywords that look at one value: types, limits, lengths, constants, required members. */
#include "content/jsonschema/keywords.h"

#include <stdlib.h>

static bool is_named(const struct keyword *k, const char *name)
{
    return !strcmp(k->type->name, name);
}

static long double schema_number(yyjson_val *v)
{
    return yyjson_is_uint(v) ? (long double)yyjson_get_uint(v) :
           yyjson_is_sint(v) ? (long double)yyjson_get_sint(v) : (long double)yyjson_get_real(v);
}

/* The keyword's value as params show it. */
static yyjson_mut_val *shown(struct check *c, const char *name)
{
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_val(c->run->doc, params, name, yyjson_val_mut_copy(c->run->doc, c->keyword->value));
    return params;
}

static struct str number_text(struct check *c)
{
    return json_write(c->run->arena, c->keyword->value);
}

/* ---- type ---- */

static const struct {
    const char *name;
    unsigned bits;
} types[] = {
    {"null", IS_NULL}, {"boolean", IS_BOOL}, {"integer", IS_INTEGER}, {"number", IS_NUMBER}, {"string", IS_STRING},
    {"array", IS_ARRAY}, {"object", IS_OBJECT},
};

static unsigned type_bits(yyjson_val *v)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eqz(json_str(v), types[i].name))
            return types[i].bits;
    return 0;
}

bool type_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    size_t i, n;
    yyjson_val *v;
    (void)node;
    if (yyjson_is_str(k->value) && !(k->types = type_bits(k->value)))
        return compiler_invalid(c, "type", "must be JSONType or JSONType[]");
    if (!yyjson_is_str(k->value) && !yyjson_arr_size(k->value))
        return compiler_invalid(c, "type", "must be JSONType or JSONType[]");
    if (yyjson_is_arr(k->value))
        yyjson_arr_foreach(k->value, i, n, v) {
            if (!type_bits(v))
                return compiler_invalid(c, "type", "must be JSONType or JSONType[]");
            k->types |= type_bits(v);
        }
    /* OpenAPI's nullable, which ajv knows as well. */
    if (yyjson_is_true(json_get(node->json, "nullable")))
        k->types |= IS_NULL;
    return true;
}

bool type_check(struct check *c)
{
    size_t i, n;
    yyjson_val *v;
    struct buf list = {.arena = c->run->arena};
    if (c->keyword->types & c->types)
        return true;
    buf_str(&list, json_str(c->keyword->value));
    if (yyjson_is_arr(c->keyword->value))
        yyjson_arr_foreach(c->keyword->value, i, n, v) {
            buf_z(&list, i ? "," : "");
            buf_str(&list, json_str(v));
        }
    return schema_error(c, shown(c, "type"), STR_NULL, "must be %.*s", STR_ARG(buf_get(&list)));
}

/* ---- numbers ---- */

bool limit_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (!yyjson_is_num(k->value))
        return compiler_invalid(c, k->type->name, "must be number");
    k->number = schema_number(k->value);
    return true;
}

bool limit_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    long double v = json_number(c->value);
    bool most = is_named(k, "maximum"), below = is_named(k, "exclusiveMaximum"), least = is_named(k, "minimum");
    const char *sign = most ? "<=" : below ? "<" : least ? ">=" : ">";
    if (most ? v <= k->number : below ? v < k->number : least ? v >= k->number : v > k->number)
        return true;
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_str(c->run->doc, params, "comparison", sign);
    yyjson_mut_obj_add_val(c->run->doc, params, "limit", yyjson_val_mut_copy(c->run->doc, k->value));
    return schema_error(c, params, STR_NULL, "must be %s %.*s", sign, STR_ARG(number_text(c)));
}

bool multiple_of_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (!yyjson_is_num(k->value) || schema_number(k->value) <= 0)
        return compiler_invalid(c, "multipleOf", "must be > 0");
    k->number = schema_number(k->value);
    return true;
}

/* Divides in double as JavaScript does, so that 0.0075 is a multiple of 0.0001; where that overflows, by the remainder. */
bool multiple_of_check(struct check *c)
{
    double v = yyjson_mut_get_num(c->value), of = (double)c->keyword->number, times = v / of;
    bool whole = yyjson_mut_is_int(c->value) && yyjson_is_int(c->keyword->value);
    if (whole || isinf(times) ? fmodl(json_number(c->value), c->keyword->number) == 0 : times == trunc(times))
        return true;
    return schema_error(c, shown(c, "multipleOf"), STR_NULL, "must be multiple of %.*s", STR_ARG(number_text(c)));
}

/* ---- strings ---- */

/* Limits of lengths and counts: whole and not negative. */
static bool count_compile(struct compiler *c, struct keyword *k)
{
    if (!yyjson_is_num(k->value) || schema_number(k->value) < 0 || schema_number(k->value) != truncl(schema_number(k->value)))
        return compiler_invalid(c, k->type->name, "must be a non-negative integer");
    k->number = schema_number(k->value);
    return true;
}

static bool count_check(struct check *c, size_t n, bool is_most, const char *what)
{
    if (is_most ? n <= c->keyword->number : n >= c->keyword->number)
        return true;
    return schema_error(c, shown(c, "limit"), STR_NULL, "must NOT have %s than %.*s %s", is_most ? "more" : "fewer",
                        STR_ARG(number_text(c)), what);
}

bool length_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    return count_compile(c, k);
}

static struct str text_of(yyjson_mut_val *v)
{
    return (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)};
}

bool length_check(struct check *c)
{
    struct str s = text_of(c->value);
    size_t points = 0;
    for (size_t i = 0; i < s.n; i++)
        points += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return schema_work(c->run, (int64_t)(s.n / 64)) && count_check(c, points, is_named(c->keyword, "maxLength"), "characters");
}

bool pattern_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (!yyjson_is_str(k->value))
        return compiler_invalid(c, "pattern", "must be string");
    k->patterns = ARENA_NEW(c->arena, struct regex *);
    *k->patterns = regex_compile(c->arena, json_str(k->value), c->err);
    return *k->patterns != NULL;
}

bool pattern_check(struct check *c)
{
    if (regex_matches(c->run, *c->keyword->patterns, text_of(c->value)))
        return true;
    return schema_error(c, shown(c, "pattern"), STR_NULL, "must match pattern \"%.*s\"", STR_ARG(json_str(c->keyword->value)));
}

bool format_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (!yyjson_is_str(k->value))
        return compiler_invalid(c, "format", "must be string");
    if (!format_find(json_str(k->value)))
        k->type = NULL;         /* unknown formats are notes (content.md §7) */
    return true;
}

static bool format_holds(const struct format *f, yyjson_mut_val *v, unsigned value_types)
{
    if (value_types & IS_STRING)
        return f->numbers || f->text(text_of(v));
    if (!f->numbers)
        return true;
    long double n = json_number(v), most = f->numbers == 1 ? 2147483647.0L : 9223372036854775807.0L;
    return value_types & IS_INTEGER && n <= most && n >= -most - 1;
}

bool format_check(struct check *c)
{
    struct str name = json_str(c->keyword->value);
    if (!schema_work(c->run, (int64_t)(yyjson_mut_get_len(c->value) / 16)) ||
        format_holds(format_find(name), c->value, c->types))
        return true;
    return schema_error(c, shown(c, "format"), STR_NULL, "must match format \"%.*s\"", STR_ARG(name));
}

/* ---- const, enum ---- */

bool constant_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (is_named(k, "enum") && !yyjson_is_arr(k->value))
        return compiler_invalid(c, "enum", "must be array");
    k->constant = yyjson_val_mut_copy(c->doc, k->value);
    return true;
}

bool constant_check(struct check *c)
{
    size_t i, n;
    yyjson_mut_val *v;
    if (is_named(c->keyword, "const"))
        return json_same(c->run, c->keyword->constant, c->value) ||
               schema_error(c, shown(c, "allowedValue"), STR_NULL, "must be equal to constant");
    yyjson_mut_arr_foreach(c->keyword->constant, i, n, v)
        if (json_same(c->run, v, c->value))
            return true;
    return schema_error(c, shown(c, "allowedValues"), STR_NULL, "must be equal to one of the allowed values");
}

/* ---- arrays ---- */

bool items_count_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    return count_compile(c, k);
}

bool items_count_check(struct check *c)
{
    return count_check(c, yyjson_mut_arr_size(c->value), is_named(c->keyword, "maxItems"), "items");
}

bool unique_items_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    if (!yyjson_is_bool(k->value))
        return compiler_invalid(c, "uniqueItems", "must be boolean");
    if (!yyjson_is_true(k->value))
        k->type = NULL;
    return true;
}

struct hashed {
    uint64_t hash;
    size_t index;
    yyjson_mut_val *value;
};

static int hashed_order(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : (x->index > y->index) - (x->index < y->index);
}

/* Sorted by hash, equal items stand together. ajv names the last item that repeats one before it. */
bool unique_items_check(struct check *c)
{
    size_t i, n, last = 0, twin = 0;
    yyjson_mut_val *v;
    struct hashed *list = ARENA_ARRAY(c->run->arena, struct hashed, yyjson_mut_arr_size(c->value) + 1);
    yyjson_mut_arr_foreach(c->value, i, n, v)
        list[i] = (struct hashed){json_hash(c->run, v), i, v};
    n = yyjson_mut_arr_size(c->value);
    qsort(list, n, sizeof *list, hashed_order);
    for (size_t k = n; k-- > 1;)
        for (size_t j = k; j-- > 0 && list[j].hash == list[k].hash && list[k].index > last && !c->run->failed;)
            if (json_same(c->run, list[j].value, list[k].value)) {
                last = list[k].index;
                twin = list[j].index;
            }
    if (!last)
        return true;
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_uint(c->run->doc, params, "i", last);
    yyjson_mut_obj_add_uint(c->run->doc, params, "j", twin);
    return schema_error(c, params, STR_NULL, "must NOT have duplicate items (items ## %zu and %zu are identical)", twin, last);
}

/* ---- objects ---- */

bool properties_count_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    return count_compile(c, k);
}

bool properties_count_check(struct check *c)
{
    return count_check(c, yyjson_mut_obj_size(c->value), is_named(c->keyword, "maxProperties"), "properties");
}

static bool names_compile(struct compiler *c, const char *keyword, yyjson_val *list)
{
    size_t i, n;
    yyjson_val *v;
    if (!yyjson_is_arr(list))
        return compiler_invalid(c, keyword, "must be array");
    yyjson_arr_foreach(list, i, n, v)
        if (!yyjson_is_str(v))
            return compiler_invalid(c, keyword, "must be an array of strings");
    return true;
}

bool required_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    (void)node;
    return names_compile(c, "required", k->value);
}

static bool has(struct check *c, struct str name)
{
    return schema_work(c->run, 1 + (int64_t)(yyjson_mut_obj_size(c->value) / 8)) &&
           yyjson_mut_obj_getn(c->value, name.p, name.n);
}

static yyjson_mut_val *copied(struct check *c, struct str s)
{
    return yyjson_mut_strncpy(c->run->doc, s.p ? s.p : "", s.n);
}

bool required_check(struct check *c)
{
    size_t i, n;
    yyjson_val *v;
    bool valid = true;
    yyjson_arr_foreach(c->keyword->value, i, n, v) {
        struct str name = json_str(v);
        if (has(c, name) || c->run->failed)
            continue;
        yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
        yyjson_mut_obj_add_val(c->run->doc, params, "missingProperty", copied(c, name));
        valid = schema_error(c, params, name, "must have required property '%.*s'", STR_ARG(name));
        if (!c->run->options->all_errors)
            break;
    }
    return valid;
}

/* dependencies, dependentRequired, dependentSchemas: what must hold when a property is there. */
bool dependencies_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(k->value))
        return compiler_invalid(c, k->type->name, "must be object");
    k->nodes = ARENA_ARRAY(c->arena, const struct node *, yyjson_obj_size(k->value) + 1);
    yyjson_obj_foreach(k->value, i, n, key, v) {
        if (yyjson_is_arr(v) && !is_named(k, "dependentSchemas")) {
            if (!names_compile(c, k->type->name, v))
                return false;
        } else if (is_named(k, "dependentRequired") || !(k->nodes[i] = compiler_node(c, node->resource, v))) {
            return is_named(k, "dependentRequired") ? compiler_invalid(c, k->type->name, "must be array") : false;
        }
    }
    return true;
}

static bool dependency_names(struct check *c, struct str property, yyjson_val *names)
{
    size_t i, n;
    yyjson_val *v;
    bool valid = true;
    struct buf list = {.arena = c->run->arena};
    yyjson_arr_foreach(names, i, n, v) {
        buf_z(&list, i ? ", " : "");
        buf_str(&list, json_str(v));
    }
    yyjson_arr_foreach(names, i, n, v) {
        if (has(c, json_str(v)) || c->run->failed)
            continue;
        yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
        yyjson_mut_obj_add_val(c->run->doc, params, "property", copied(c, property));
        yyjson_mut_obj_add_val(c->run->doc, params, "missingProperty", copied(c, json_str(v)));
        yyjson_mut_obj_add_uint(c->run->doc, params, "depsCount", n);
        yyjson_mut_obj_add_val(c->run->doc, params, "deps", copied(c, buf_get(&list)));
        valid = schema_error(c, params, json_str(v), "must have %s %.*s when property %.*s is present",
                             n == 1 ? "property" : "properties", STR_ARG(buf_get(&list)), STR_ARG(property));
        if (!c->run->options->all_errors)
            break;
    }
    return valid;
}

bool dependencies_check(struct check *c)
{
    size_t i, n;
    yyjson_val *key, *v;
    bool valid = true;
    struct place keyword = {.up = c->schema, .name = str_of(c->keyword->type->name)};
    yyjson_obj_foreach(c->keyword->value, i, n, key, v) {
        const struct node *node = c->keyword->nodes[i];
        struct str property = json_str(key);
        if (!has(c, property))
            continue;
        struct place step = {.up = &keyword, .name = property};
        struct evaluated *seen = node ? evaluated_new(c->run, c->value) : NULL;
        bool good = node ? schema_check(c, node, c->value, c->instance, &step, seen) : dependency_names(c, property, v);
        if (good && seen)
            evaluated_merge(c->evaluated, seen);
        valid = valid && good;
        if (!valid && !c->run->options->all_errors)
            break;
    }
    return valid;
}
