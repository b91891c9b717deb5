/* Evaluates expressions: variables, properties, operators, filters. */
#include "content/liquid/liquid_private.h"

#include <math.h>

/* ---- properties ---- */
/* A canonical array index in text, or -1. */
static double index_of_key(struct str key)
{
    int64_t n;
    if (!key.n || key.n > 15 || (key.p[0] == '0' && key.n > 1) || key.p[0] < '0' || key.p[0] > '9' || !str_to_i64(key, &n))
        return -1;
    return (double)n;
}

static struct value loop_property(struct render *r, const struct value_loop *l, struct str key)
{
    if (str_eq(key, STR("index"))) return value_number(l->i + 1);
    if (str_eq(key, STR("index0")) || str_eq(key, STR("i"))) return value_number(l->i);
    if (str_eq(key, STR("first"))) return value_bool(l->i == 0);
    if (str_eq(key, STR("last"))) return value_bool(l->i == l->length - 1);
    if (str_eq(key, STR("rindex"))) return value_number(l->length - l->i);
    if (str_eq(key, STR("rindex0"))) return value_number(l->length - l->i - 1);
    if (str_eq(key, STR("length"))) return value_number(l->length);
    if (str_eq(key, STR("name"))) {
        struct buf b = {.arena = r->arena};
        if (render_memory(r, (double)(l->variable.n + l->collection.n + 1))) {
            buf_str(&b, l->variable);
            buf_char(&b, '-');
            buf_str(&b, l->collection);
        }
        return value_str(buf_get(&b));
    }
    if (!l->table)
        return VALUE_UNDEFINED;
    double col0 = fmod(l->i, l->cols);
    if (str_eq(key, STR("cols"))) return *l->cols_given;
    if (str_eq(key, STR("row"))) return value_number(floor(l->i / l->cols) + 1);
    if (str_eq(key, STR("col0"))) return value_number(col0);
    if (str_eq(key, STR("col"))) return value_number(col0 + 1);
    if (str_eq(key, STR("col_first"))) return value_bool(col0 == 0);
    if (str_eq(key, STR("col_last"))) return value_bool(l->cols_given->kind == V_NUMBER && col0 + 1 == l->cols);
    return VALUE_UNDEFINED;
}

static struct value array_property(struct render *r, struct value a, struct str key)
{
    size_t n = array_length(a);
    if (str_eq(key, STR("size")) || str_eq(key, STR("length")))
        return value_number((double)n);
    if (str_eq(key, STR("first")))
        return array_at(r, a, 0);
    if (str_eq(key, STR("last")))
        return n ? array_at(r, a, n - 1) : VALUE_UNDEFINED;
    double at = index_of_key(key);
    return at >= 0 ? array_at(r, a, (size_t)at) : VALUE_UNDEFINED;
}

static struct value string_property(struct render *r, struct str s, struct str key)
{
    if (!render_scan(r, s.n))
        return VALUE_UNDEFINED;
    if (str_eq(key, STR("size")) || str_eq(key, STR("length")))
        return value_number((double)text_units(s));
    double at = index_of_key(key);
    bool found;
    struct str unit = at >= 0 ? text_unit(r, s, at, &found) : STR_NULL;
    return at >= 0 && found ? value_str(unit) : VALUE_UNDEFINED;
}

struct value eval_property(struct render *r, struct value object, struct value key)
{
    if (value_is_nil(object))
        return object;
    if (key.kind != V_STRING)
        key = value_plain(r, key);
    if (value_is_array(object) && key.kind == V_NUMBER) {
        double at = key.number < 0 ? (double)array_length(object) + key.number : key.number;
        return at >= 0 && at == floor(at) && at < 9e15 ? array_at(r, object, (size_t)at) : VALUE_UNDEFINED;
    }
    struct str name = key.kind == V_STRING ? key.s : value_to_js(r, key);
    switch (object.kind) {
    case V_DATA_OBJECT: case V_HASH: {
        struct value v = object_get(r, object, name);
        if (v.kind == V_UNDEFINED && str_eq(name, STR("size")))
            return value_number((double)object_length(object));
        return v;
    }
    case V_DATA_ARRAY: case V_ARRAY: case V_RANGE: return array_property(r, object, name);
    case V_STRING: return string_property(r, object.s, name);
    case V_LOOP: return loop_property(r, object.loop, name);
    case V_BLOCK: return str_eq(name, STR("super")) ? value_str(STR("")) : VALUE_UNDEFINED;
    default: return VALUE_UNDEFINED;
    }
}

/* ---- variables ---- */
/* What no scope knows is looked up in an empty object, whose size is 0. */
static struct value not_found(struct str name)
{
    return str_eq(name, STR("size")) ? value_number(0) : VALUE_UNDEFINED;
}

static struct value environment_get(struct render *r, struct str name)
{
    for (const struct counter *c = r->counters; c; c = c->next)
        if (str_eq(c->name, name))
            return value_number(c->n);
    for (size_t i = r->c->variables_n; i-- > 0;)
        if (str_eq(r->c->variables[i].name, name))
            return value_of_data(r->c->variables[i].value);
    return not_found(name);
}

static struct value slot_get(struct render *r, int32_t slot)
{
    struct slot *s = &r->slots[slot];
    if (s->shadows)
        return s->shadow;
    if (s->state == SLOT_NEW) {
        s->bottom = environment_get(r, r->names->v[slot]);
        s->state = SLOT_ENV;
    }
    return s->bottom;
}

/* where and its kin read a property with the element as the only scope. */
static struct value item_get(struct render *r, struct value item, struct value key)
{
    struct str name = key.kind == V_STRING ? key.s : value_to_js(r, value_plain(r, key));
    if (item.kind == V_DATA_OBJECT || item.kind == V_HASH)
        return object_has(item, name) ? object_get(r, item, name) : not_found(name);
    if (value_is_array(item) || item.kind == V_STRING) {
        bool own = str_eq(name, STR("length")) || index_of_key(name) >= 0;
        return own ? eval_property(r, item, value_str(name)) : not_found(name);
    }
    if (item.kind == V_LOOP)
        return eval_property(r, item, value_str(name));
    return not_found(name);
}

static struct value name_get(struct render *r, struct value key)
{
    if (r->item)
        return item_get(r, *r->item, key);
    struct str name = key.kind == V_STRING ? key.s : value_to_js(r, value_plain(r, key));
    for (const struct overlay *o = r->overlay; o; o = o->next)
        if (str_eq(o->name, name))
            return o->value;
    int32_t slot = names_find(r->names, name);
    return slot >= 0 ? slot_get(r, slot) : environment_get(r, name);
}

static struct value eval_path(struct render *r, const struct liquid_path *p)
{
    uint32_t i = 0;
    struct value v;
    if (p->base.kind != OPERAND_NONE)
        v = eval_operand(r, &p->base);
    else if (p->slot >= 0)
        v = slot_get(r, p->slot), i = 1;
    else
        v = name_get(r, eval_operand(r, &p->keys[0])), i = 1;
    for (; i < p->keys_n && !value_is_nil(v); i++) {
        const struct operand *k = &p->keys[i];
        v = eval_property(r, v, k->kind == OPERAND_VALUE ? k->value : eval_operand(r, k));
    }
    return v;
}

static struct value eval_range(struct render *r, const struct operand *o)
{
    double low = value_number_js(r, eval_operand(r, &o->range[0]));
    double high = value_number_js(r, eval_operand(r, &o->range[1])) + 1;
    struct value_range *range = render_alloc(r, sizeof *range);
    *range = (struct value_range){low, low < high ? ceil(high - low) : 0};
    return (struct value){.kind = V_RANGE, .range = range};
}

struct value eval_operand(struct render *r, const struct operand *o)
{
    switch (o->kind) {
    case OPERAND_VALUE: return o->value;
    case OPERAND_PATH: return eval_path(r, o->path);
    case OPERAND_RANGE: return eval_range(r, o);
    default: return VALUE_UNDEFINED;
    }
}

/* ---- operators ---- */
static bool contains(struct render *r, struct value a, struct value b)
{
    a = value_plain(r, a);
    if (value_is_array(a))
        return value_includes(r, a, b);
    if (a.kind != V_STRING)
        return false;
    struct str what = value_to_js(r, value_plain(r, b));
    text_align_halves(r, &a.s, &what);
    return render_scan(r, a.s.n) && str_find(a.s, what) >= 0;
}

static bool operate(struct render *r, enum liquid_operator op, struct value a, struct value b)
{
    switch (op) {
    case OP_EQ: return value_equals(r, a, b, 0);
    case OP_NE: return !value_equals(r, a, b, 0);
    case OP_CONTAINS: return contains(r, a, b);
    case OP_NOT: return !value_is_truthy(b);
    case OP_AND: return value_is_truthy(a) && value_is_truthy(b);
    case OP_OR: return value_is_truthy(a) || value_is_truthy(b);
    default: return value_compare(r, op, a, b);
    }
}

static struct value eval_expr(struct render *r, const struct liquid_expr *e)
{
    struct value small[8], *stack = small;
    size_t n = 0;
    if (e->n == 1 && e->postfix[0].kind != OPERAND_OPERATOR)
        return eval_operand(r, &e->postfix[0]);
    if (e->n > 8)
        stack = render_alloc(r, e->n * sizeof *stack);
    for (uint32_t i = 0; i < e->n && render_work(r, 0.5); i++) {
        const struct operand *o = &e->postfix[i];
        if (o->kind != OPERAND_OPERATOR) {
            stack[n++] = eval_operand(r, o);
            continue;
        }
        struct value b = n ? stack[--n] : VALUE_UNDEFINED;
        struct value a = o->op != OP_NOT && n ? stack[--n] : VALUE_UNDEFINED;
        stack[n++] = value_bool(operate(r, o->op, a, b));
    }
    return n ? stack[0] : VALUE_UNDEFINED;
}

/* ---- filters ---- */
static struct value eval_filter(struct render *r, const struct filter_call *call, struct value v)
{
    struct value small[8], *args = small;
    if (call->args_n > 8)
        args = render_alloc(r, call->args_n * sizeof *args);
    for (uint32_t i = 0; i < call->args_n; i++) {
        const struct filter_arg *arg = &call->args[i];
        args[i] = eval_operand(r, &arg->operand);
        if (arg->named) {
            struct value pair[2] = {value_str(arg->name), args[i]};
            args[i] = value_of_array(r, pair, 2);
        }
    }
    if (r->failed)
        return VALUE_UNDEFINED;
    struct filter_args list = {args, call->args_n};
    return call->filter->function(r, v, &list);
}

struct value eval_value(struct render *r, const struct liquid_value *v)
{
    struct value out = eval_expr(r, &v->expr);
    for (uint32_t i = 0; i < v->filters_n; i++) {
        if (!render_work(r, 1 + v->filters[i].args_n / 4.0))
            return VALUE_UNDEFINED;
        if (v->filters[i].filter)
            out = eval_filter(r, &v->filters[i], out);
    }
    return r->failed ? VALUE_UNDEFINED : out;
}
