/* What liquidjs and JavaScript make of values: truth, equality, order, conversion to text and number. */
#include "content/liquid/liquid_private.h"

#include <math.h>

struct value value_of_data(yyjson_val *v)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_STR: return value_str((struct str){yyjson_get_str(v), yyjson_get_len(v)});
    case YYJSON_TYPE_NUM: return value_number(yyjson_get_num(v));
    case YYJSON_TYPE_BOOL: return value_bool(yyjson_get_bool(v));
    case YYJSON_TYPE_ARR: return (struct value){.kind = V_DATA_ARRAY, .data = v};
    case YYJSON_TYPE_OBJ: return (struct value){.kind = V_DATA_OBJECT, .data = v};
    case YYJSON_TYPE_NULL: return (struct value){.kind = V_NULL};
    default: return VALUE_UNDEFINED;
    }
}

struct value value_plain(struct render *r, struct value v)
{
    switch (v.kind) {
    case V_NIL: return (struct value){.kind = V_NULL};
    case V_EMPTY: case V_BLANK: return value_str(STR(""));
    case V_LOOP: {
        struct buf b = {.arena = r->arena};
        json_print(r, &b, v, STR_NULL, JSON_PRINT_REAL);
        return value_str(buf_get(&b));
    }
    default: return v;
    }
}

bool value_is_truthy(struct value v)
{
    return !(v.kind <= V_NULL || v.kind == V_NIL || (v.kind == V_BOOL && !v.b));
}

bool value_js_truthy(struct value v)
{
    switch (v.kind) {
    case V_UNDEFINED: case V_NULL: return false;
    case V_BOOL: return v.b;
    case V_NUMBER: return v.number != 0 && !isnan(v.number);
    case V_STRING: return v.s.n > 0;
    default: return true;
    }
}

/* ---- arrays ---- */
size_t array_length(struct value v)
{
    switch (v.kind) {
    case V_DATA_ARRAY: return yyjson_arr_size(v.data);
    case V_ARRAY: return v.array->n;
    case V_RANGE: return v.range->n < 9e15 ? (size_t)v.range->n : (size_t)9e15;
    default: return 0;
    }
}

struct value array_at(struct render *r, struct value v, size_t i)
{
    if (i >= array_length(v))
        return VALUE_UNDEFINED;
    if (v.kind == V_ARRAY)
        return v.array->v[i];
    if (v.kind == V_RANGE)
        return value_number(v.range->low + (double)i);
    /* yyjson walks arrays that hold containers. */
    if (i > 16 && !render_work(r, (double)i / 16))
        return VALUE_UNDEFINED;
    return value_of_data(yyjson_arr_get(v.data, i));
}

static struct value_array array_copy(struct render *r, struct value v)
{
    size_t n = array_length(v), i = 0;
    if (!render_memory(r, (double)n * sizeof(struct value)) || !render_work(r, (double)n / 16))
        return (struct value_array){0};
    struct value *out = arena_alloc_raw(r->arena, n * sizeof *out);
    if (v.kind == V_RANGE) {
        for (double x = v.range->low; i < n; i++, x++)
            out[i] = value_number(x);
    } else {
        yyjson_arr_iter it = yyjson_arr_iter_with(v.data);
        while (i < n)
            out[i++] = value_of_data(yyjson_arr_iter_next(&it));
    }
    return (struct value_array){out, n};
}

static struct value_array array_elements(struct render *r, struct value v)
{
    return v.kind == V_ARRAY ? *v.array : array_copy(r, v);
}

static struct value_array array_of_one(struct render *r, struct value v)
{
    struct value *one = render_alloc(r, sizeof *one);
    *one = v;
    return (struct value_array){one, 1};
}

struct value_array value_elements(struct render *r, struct value v)
{
    v = value_plain(r, v);
    if (value_is_nil(v))
        return (struct value_array){0};
    return value_is_array(v) ? array_elements(r, v) : array_of_one(r, v);
}

struct value value_of_array(struct render *r, const struct value *v, size_t n)
{
    struct value_array *a = render_alloc(r, sizeof *a);
    *a = (struct value_array){0};
    if (n && render_memory(r, (double)n * sizeof *v)) {
        a->v = arena_alloc_raw(r->arena, n * sizeof *v);
        memcpy(a->v, v, n * sizeof *v);
        a->n = n;
    }
    return (struct value){.kind = V_ARRAY, .array = a};
}

struct value_array value_enumerate(struct render *r, struct value v)
{
    v = value_plain(r, v);
    if (value_is_array(v))
        return array_elements(r, v);
    if (v.kind == V_STRING)
        return v.s.n ? array_of_one(r, v) : (struct value_array){0};
    if (!value_is_object(v))
        return (struct value_array){0};
    struct value_member *m;
    size_t n = object_members(r, v, &m);
    struct value *out = render_alloc(r, n * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        struct value pair[2] = {value_str(m[i].key), *m[i].value};
        out[i] = value_of_array(r, pair, 2);
    }
    return (struct value_array){out, n};
}

/* ---- objects ---- */
static const char *const loop_keys[] = {"i", "length", "name", "cols"};

static struct value loop_member(struct render *r, const struct value_loop *loop, size_t i)
{
    switch (i) {
    case 0: return value_number(loop->i);
    case 1: return value_number(loop->length);
    case 2:
        if (!r)
            return value_str(loop->variable);
        return value_str(str_fmt(r->arena, "%.*s-%.*s", STR_ARG(loop->variable), STR_ARG(loop->collection)));
    default: return loop->cols_given ? *loop->cols_given : value_number(loop->cols);
    }
}

size_t object_length(struct value v)
{
    switch (v.kind) {
    case V_DATA_OBJECT: return yyjson_obj_size(v.data);
    case V_HASH: return v.hash->n;
    case V_LOOP: return v.loop->table ? 4 : 3;
    default: return value_is_array(v) ? array_length(v) : 0;
    }
}

struct value object_get(struct render *r, struct value v, struct str key)
{
    if (v.kind == V_HASH) {
        for (size_t i = 0; i < v.hash->n; i++)
            if (str_eq(v.hash->v[i].key, key))
                return *v.hash->v[i].value;
        return VALUE_UNDEFINED;
    }
    if (v.kind != V_DATA_OBJECT)
        return VALUE_UNDEFINED;
    size_t n = yyjson_obj_size(v.data);
    if (n > 16 && !render_work(r, (double)n / 16))
        return VALUE_UNDEFINED;
    return value_of_data(json_getn(v.data, key));
}

bool object_has(struct value v, struct str key)
{
    if (v.kind == V_HASH) {
        for (size_t i = 0; i < v.hash->n; i++)
            if (str_eq(v.hash->v[i].key, key))
                return true;
        return false;
    }
    return v.kind == V_DATA_OBJECT && json_getn(v.data, key);
}

/* A canonical array index: such keys come first, in numeric order, in JavaScript. */
static bool is_index(struct str key)
{
    if (!key.n || key.n > 10 || (key.p[0] == '0' && key.n > 1))
        return false;
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] < '0' || key.p[i] > '9')
            return false;
    return key.n < 10 || memcmp(key.p, "4294967295", 10) < 0;
}

static int index_order(struct str a, struct str b)
{
    return a.n != b.n ? (a.n < b.n ? -1 : 1) : memcmp(a.p, b.p, a.n);
}

static void order_indices(struct value_member *m, size_t n)
{
    size_t indices = 0;
    for (size_t i = 0; i < n; i++) {
        struct value_member x = m[i];
        if (!is_index(x.key))
            continue;
        size_t at = indices++;
        while (at > 0 && index_order(m[at - 1].key, x.key) > 0)
            at--;
        memmove(m + at + 1, m + at, (i - at) * sizeof *m);
        m[at] = x;
    }
}

size_t object_members(struct render *r, struct value v, struct value_member **out)
{
    size_t n = object_length(v), i = 0;
    *out = NULL;
    if (!render_memory(r, (double)n * (sizeof(struct value_member) + sizeof(struct value))) || !render_work(r, (double)n / 4))
        return 0;
    if (v.kind == V_HASH) {
        *out = v.hash->v;
        return n;
    }
    struct value_member *m = *out = arena_alloc_raw(r->arena, n * sizeof *m);
    struct value *values = arena_alloc_raw(r->arena, n * sizeof *values);
    if (v.kind == V_DATA_OBJECT) {
        yyjson_obj_iter it = yyjson_obj_iter_with(v.data);
        yyjson_val *k;
        bool indices = false;
        for (; (k = yyjson_obj_iter_next(&it)); i++) {
            values[i] = value_of_data(yyjson_obj_iter_get_val(k));
            m[i] = (struct value_member){{yyjson_get_str(k), yyjson_get_len(k)}, &values[i]};
            indices |= is_index(m[i].key);
        }
        if (indices && render_work(r, (double)n * (double)n / 256))
            order_indices(m, n);
    } else if (v.kind == V_LOOP) {
        for (; i < n; i++) {
            values[i] = loop_member(r, v.loop, i);
            m[i] = (struct value_member){str_of(loop_keys[i]), &values[i]};
        }
    }
    return i;
}

/* ---- equality and order ---- */
bool value_identical(struct value a, struct value b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case V_BOOL: return a.b == b.b;
    case V_NUMBER: return a.number == b.number || (isnan(a.number) && isnan(b.number));
    case V_STRING: return str_eq(a.s, b.s);
    case V_DATA_ARRAY: case V_DATA_OBJECT: return a.data == b.data;
    case V_ARRAY: return a.array == b.array;
    case V_HASH: return a.hash == b.hash;
    case V_RANGE: return a.range == b.range;
    case V_LOOP: return a.loop == b.loop;
    default: return true;
    }
}

static bool equals_empty(struct render *r, struct value v)
{
    if (v.kind == V_EMPTY || v.kind == V_BLANK)
        return false;
    v = value_plain(r, v);
    if (v.kind == V_STRING)
        return v.s.n == 0;
    return value_is_object(v) && object_length(v) == 0;
}

static bool equals_drop(struct render *r, enum value_kind drop, struct value v)
{
    if (drop == V_EMPTY)
        return equals_empty(r, v);
    if (drop == V_NIL)
        return v.kind <= V_NULL || v.kind == V_NIL;
    if (v.kind <= V_NULL || v.kind == V_NIL || (v.kind == V_BOOL && !v.b))
        return true;
    if (v.kind == V_STRING)
        return text_trim_start(v.s).n == 0;
    return equals_empty(r, v);
}

static bool is_comparable(struct value v)
{
    return v.kind == V_NIL || v.kind == V_EMPTY || v.kind == V_BLANK;
}

bool value_equals(struct render *r, struct value a, struct value b, int depth)
{
    if (is_comparable(a))
        return equals_drop(r, a.kind, b);
    if (is_comparable(b))
        return equals_drop(r, b.kind, a);
    a = value_plain(r, a);
    b = value_plain(r, b);
    if (!value_is_array(a)) {
        if (a.kind == V_STRING && b.kind == V_STRING)
            return a.s.n == b.s.n && render_scan(r, a.s.n) && str_eq(a.s, b.s);
        return a.kind == b.kind && value_identical(a, b) && !(a.kind == V_NUMBER && isnan(a.number));
    }
    if (!value_is_array(b) || array_length(a) != array_length(b))
        return false;
    if (depth > LIQUID_DATA_DEPTH_MAX)
        return render_fail(r, "memory alloc limit exceeded");
    struct value_array x = array_elements(r, a), y = array_elements(r, b);
    for (size_t i = 0; i < x.n && i < y.n; i++)
        if (!render_work(r, 1) || !value_equals(r, x.v[i], y.v[i], depth + 1))
            return false;
    return !r->failed;
}

bool value_includes(struct render *r, struct value array, struct value item)
{
    struct value_array a = array_elements(r, array);
    for (size_t i = 0; i < a.n; i++)
        if (render_work(r, 0.125) && value_equals(r, a.v[i], item, 0))
            return true;
    return false;
}

/* An operand of < and its kin: text stays text, the rest is a number. */
static struct value primitive(struct render *r, struct value v)
{
    v = value_plain(r, v);
    if (v.kind == V_STRING || v.kind <= V_NUMBER)
        return v;
    return value_str(value_to_js(r, v));
}

/* -1, 0, 1; 2: not comparable. */
static int compare_js(struct render *r, struct value a, struct value b)
{
    a = primitive(r, a);
    b = primitive(r, b);
    if (a.kind == V_STRING && b.kind == V_STRING)
        return render_scan(r, a.s.n < b.s.n ? a.s.n : b.s.n) ? text_compare(a.s, b.s) : 2;
    double x = value_number_js(r, a), y = value_number_js(r, b);
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

bool value_less(struct render *r, struct value a, struct value b)
{
    return compare_js(r, a, b) == -1;
}

bool value_compare(struct render *r, enum liquid_operator op, struct value a, struct value b)
{
    if (is_comparable(a) || is_comparable(b))
        return false;
    int c = compare_js(r, a, b);
    switch (op) {
    case OP_LT: return c == -1;
    case OP_GT: return c == 1;
    case OP_LE: return c == -1 || c == 0;
    default: return c == 1 || c == 0;
    }
}

/* ---- to numbers ---- */
double value_number_js(struct render *r, struct value v)
{
    switch (v.kind) {
    case V_UNDEFINED: return NAN;
    case V_NULL: case V_NIL: case V_EMPTY: case V_BLANK: return 0;
    case V_BOOL: return v.b;
    case V_NUMBER: return v.number;
    case V_STRING: return render_scan(r, v.s.n) ? number_parse(v.s) : NAN;
    case V_DATA_ARRAY: case V_ARRAY: case V_RANGE: return number_parse(value_to_js(r, v));
    default: return NAN;
    }
}

double value_to_number(struct render *r, struct value v)
{
    double n = value_number_js(r, v);
    return isnan(n) ? 0 : n;
}

/* ---- to text ---- */
static struct str number_str(struct render *r, double n)
{
    char text[NUMBER_TEXT_MAX];
    size_t k = number_print(n, text);
    char *p = render_alloc(r, k);
    memcpy(p, text, k);
    return (struct str){p, k};
}

static bool append_text(struct render *r, struct buf *b, struct value v, bool js, int depth);

/* An array's elements; nil prints nothing. Liquid joins without separator, String() with a comma. */
static bool append_elements(struct render *r, struct buf *b, struct value_array a, struct str separator, bool js, int depth)
{
    if (depth > LIQUID_DATA_DEPTH_MAX)
        return render_fail(r, "memory alloc limit exceeded");
    for (size_t i = 0; i < a.n; i++) {
        size_t before = b->n;
        if (i)
            buf_str(b, separator);
        if (!value_is_nil(a.v[i]) && !append_text(r, b, a.v[i], js, depth + 1))
            return false;
        if (!render_work(r, 0.25) || !render_memory(r, (double)(b->n - before)))
            return false;
    }
    return true;
}

static bool append_text(struct render *r, struct buf *b, struct value v, bool js, int depth)
{
    if (value_is_array(v))
        return append_elements(r, b, array_elements(r, v), js ? STR(",") : STR(""), js, depth);
    buf_str(b, js ? value_to_js(r, v) : value_to_str(r, v));
    return !r->failed;
}

static struct str array_text(struct render *r, struct value v, bool js)
{
    struct buf b = {.arena = r->arena};
    append_text(r, &b, v, js, 0);
    return str_solid(buf_get(&b));
}

struct str value_to_str(struct render *r, struct value v)
{
    switch (v.kind) {
    case V_UNDEFINED: case V_NULL: case V_NIL: case V_EMPTY: case V_BLANK: return STR("");
    case V_STRING: return v.s;
    case V_BOOL: return v.b ? STR("true") : STR("false");
    case V_NUMBER: return number_str(r, v.number);
    case V_DATA_ARRAY: case V_ARRAY: case V_RANGE: return array_text(r, v, false);
    case V_LOOP: return value_plain(r, v).s;
    default: return STR("[object Object]");
    }
}

struct str value_to_js(struct render *r, struct value v)
{
    switch (v.kind) {
    case V_UNDEFINED: return STR("undefined");
    case V_NULL: return STR("null");
    case V_STRING: return v.s;
    case V_BOOL: return v.b ? STR("true") : STR("false");
    case V_NUMBER: return number_str(r, v.number);
    case V_DATA_ARRAY: case V_ARRAY: case V_RANGE: return array_text(r, v, true);
    default: return STR("[object Object]");
    }
}

struct str value_join(struct render *r, const struct value *v, size_t n, struct str separator)
{
    struct buf b = {.arena = r->arena};
    struct value_array a = {(struct value *)(uintptr_t)v, n};
    append_elements(r, &b, a, separator, true, 0);
    return str_solid(buf_get(&b));
}

struct value value_add_js(struct render *r, struct value a, struct value b)
{
    bool text = a.kind == V_STRING || b.kind == V_STRING || (value_is_object(a) && !is_comparable(a)) ||
                (value_is_object(b) && !is_comparable(b));
    a = value_plain(r, a);
    b = value_plain(r, b);
    if (!text && a.kind != V_STRING && b.kind != V_STRING)
        return value_number(value_number_js(r, a) + value_number_js(r, b));
    struct str x = value_to_js(r, a), y = value_to_js(r, b);
    struct buf out = {.arena = r->arena};
    if (render_memory(r, (double)x.n + (double)y.n)) {
        buf_str(&out, x);
        buf_str(&out, y);
    }
    return value_str(buf_get(&out));
}
