/* The JSON-logic evaluator: which operator runs, on what, and when it must stop. */
#include "content/jsonlogic/value.h"

bool logic_work(struct evaluation *e, int64_t operations)
{
    e->operations_left -= operations + 1;
    if (e->operations_left >= 0)
        return true;
    return error_set(e->err, ERROR_BAD_INPUT, "rule needs too many operations");
}

bool logic_memory(struct evaluation *e, size_t bytes)
{
    if (bytes <= e->memory_left) {
        e->memory_left -= bytes;
        return true;
    }
    e->memory_left = 0;
    return error_set(e->err, ERROR_BAD_INPUT, "rule needs too much memory");
}

static bool eval(struct evaluation *e, yyjson_val *rule, const struct logic_value *data, struct logic_value *out);

/* The operands of an operation, as an array whether written as one or not. */
struct operands {
    yyjson_val *values;
    size_t n;
    bool alone;
};

static yyjson_val *operand(const struct operands *o, size_t i)
{
    return o->alone ? (i ? NULL : o->values) : yyjson_arr_get(o->values, i);
}

static bool eval_operand(struct evaluation *e, const struct operands *o, size_t i, const struct logic_value *data,
                         struct logic_value *out)
{
    yyjson_val *rule = operand(o, i);
    *out = LOGIC_OF(LOGIC_UNDEFINED);
    return !rule || eval(e, rule, data, out);
}

static bool control_if(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    size_t i = 0;
    for (; i + 1 < o->n; i += 2) {
        if (!eval_operand(e, o, i, data, out))
            return false;
        if (logic_truthy(*out))
            return eval_operand(e, o, i + 1, data, out);
    }
    if (i < o->n)
        return eval_operand(e, o, i, data, out);
    *out = LOGIC_OF(LOGIC_NULL);
    return true;
}

/* The first operand whose truth is wanted, else the last. */
static bool first_of(struct evaluation *e, const struct operands *o, const struct logic_value *data, bool wanted,
                     struct logic_value *out)
{
    *out = LOGIC_OF(LOGIC_UNDEFINED);
    for (size_t i = 0; i < o->n; i++) {
        if (!eval_operand(e, o, i, data, out))
            return false;
        if (logic_truthy(*out) == wanted)
            break;
    }
    return true;
}

static bool control_and(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    return first_of(e, o, data, false, out);
}

static bool control_or(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    return first_of(e, o, data, true, out);
}

/* The elements that an iteration runs over. *is_list false: the first operand is no array. */
static bool iterated(struct evaluation *e, const struct operands *o, const struct logic_value *data, bool *is_list,
                     const struct logic_value **items, size_t *n)
{
    struct logic_value list;
    *n = 0;
    if (!eval_operand(e, o, 0, data, &list))
        return false;
    *is_list = logic_is_array(list);
    return !*is_list || logic_items(e, list, items, n);
}

static bool control_map(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    const struct logic_value *items;
    size_t n;
    bool is_list;
    if (!iterated(e, o, data, &is_list, &items, &n) || !logic_memory(e, n * sizeof *items))
        return false;
    struct logic_value *list = ARENA_ARRAY(e->arena, struct logic_value, n + 1);
    for (size_t i = 0; i < n; i++)
        if (!eval_operand(e, o, 1, &items[i], &list[i]))
            return false;
    *out = logic_list(list, n);
    return true;
}

static bool control_filter(struct evaluation *e, const struct operands *o, const struct logic_value *data,
                           struct logic_value *out)
{
    const struct logic_value *items;
    size_t n, kept = 0;
    bool is_list;
    if (!iterated(e, o, data, &is_list, &items, &n) || !logic_memory(e, n * sizeof *items))
        return false;
    struct logic_value *list = ARENA_ARRAY(e->arena, struct logic_value, n + 1), keep;
    for (size_t i = 0; i < n; i++) {
        if (!eval_operand(e, o, 1, &items[i], &keep))
            return false;
        if (logic_truthy(keep))
            list[kept++] = items[i];
    }
    *out = logic_list(list, kept);
    return true;
}

static bool control_reduce(struct evaluation *e, const struct operands *o, const struct logic_value *data,
                           struct logic_value *out)
{
    const struct logic_value *items;
    struct logic_value sum = LOGIC_OF(LOGIC_NULL);
    size_t n;
    bool is_list;
    if (!iterated(e, o, data, &is_list, &items, &n))
        return false;
    if (o->n > 2 && !eval_operand(e, o, 2, data, &sum))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!logic_memory(e, 2 * sizeof sum))
            return false;
        struct logic_value *members = ARENA_ARRAY(e->arena, struct logic_value, 2);
        members[0] = items[i];
        members[1] = sum;
        struct logic_value scope = {.kind = LOGIC_REDUCTION, .items = members, .items_n = 2};
        if (!eval_operand(e, o, 1, &scope, &sum))
            return false;
    }
    *out = sum;
    return true;
}

/* Looks for the first element whose truth is wanted. */
static bool search(struct evaluation *e, const struct operands *o, const struct logic_value *data, bool wanted, size_t *n,
                   bool *found)
{
    const struct logic_value *items;
    struct logic_value v;
    bool is_list;
    *found = false;
    if (!iterated(e, o, data, &is_list, &items, n))
        return false;
    for (size_t i = 0; i < *n && !*found; i++) {
        if (!eval_operand(e, o, 1, &items[i], &v))
            return false;
        *found = logic_truthy(v) == wanted;
    }
    return true;
}

static bool control_all(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, false, &n, &found))
        return false;
    *out = logic_bool(n && !found);     /* all of nothing is false */
    return true;
}

static bool control_some(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, true, &n, &found))
        return false;
    *out = logic_bool(found);
    return true;
}

static bool control_none(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, true, &n, &found))
        return false;
    *out = logic_bool(!found);
    return true;
}

/* Operations that choose which operands are evaluated. */
static const struct {
    const char *name;
    bool (*function)(struct evaluation *, const struct operands *, const struct logic_value *, struct logic_value *);
} controls[] = {
    {"and", control_and}, {"or", control_or}, {"if", control_if}, {"?:", control_if}, {"map", control_map},
    {"filter", control_filter}, {"reduce", control_reduce}, {"all", control_all}, {"some", control_some}, {"none", control_none},
};

/* Most names differ in their first character: looked at before the rest, since this runs for every operation. */
static inline bool is_named(struct str s, const char *name)
{
    size_t i = 0;
    while (i < s.n && s.p[i] == name[i])
        i++;
    return i == s.n && !name[i];
}

static logic_function operator_find(struct str name)
{
    for (const struct logic_operator *o = logic_novu_operators; o->name; o++)
        if (is_named(name, o->name))
            return o->function;
    for (const struct logic_operator *o = logic_base_operators; o->name; o++)
        if (is_named(name, o->name))
            return o->function;
    return NULL;
}

static bool operator_unknown(struct evaluation *e, struct str name)
{
    ptrdiff_t dot = str_find(name, STR("."));
    struct str head = str_sub(name, 0, dot < 0 ? 0 : (size_t)dot);
    name.n = name.n > 100 ? 100 : name.n;
    if (dot <= 0)
        return error_set(e->err, ERROR_BAD_INPUT, "Unrecognized operation %.*s", STR_ARG(name));
    if (operator_find(head))        /* operations have no parts of their own */
        head = name;
    head.n = head.n > 100 ? 100 : head.n;
    return error_set(e->err, ERROR_BAD_INPUT, "Unrecognized operation %.*s (failed at %.*s)", STR_ARG(name), STR_ARG(head));
}

static bool eval_list(struct evaluation *e, const struct operands *o, const struct logic_value *data, struct logic_value **out)
{
    size_t i, n;
    yyjson_val *rule;
    if (!logic_work(e, (int64_t)o->n) || !logic_memory(e, o->n * sizeof **out))
        return false;
    *out = ARENA_ARRAY(e->arena, struct logic_value, o->n + 1);
    if (o->alone)
        return eval(e, o->values, data, *out);
    yyjson_arr_foreach(o->values, i, n, rule)
        if (!eval(e, rule, data, &(*out)[i]))
            return false;
    return true;
}

static bool eval_operation(struct evaluation *e, yyjson_val *rule, const struct logic_value *data, struct logic_value *out)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(rule);
    yyjson_val *key = yyjson_obj_iter_next(&it);
    struct str name = json_str(key);
    struct operands o = {.values = yyjson_obj_iter_get_val(key)};
    o.alone = !yyjson_is_arr(o.values);
    o.n = o.alone ? 1 : yyjson_arr_size(o.values);
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (is_named(name, controls[i].name))
            return controls[i].function(e, &o, data, out);
    struct logic_value *list;
    if (!eval_list(e, &o, data, &list))
        return false;
    logic_function function = operator_find(name);
    struct logic_args args = {.v = list, .n = o.n, .data = data};
    return function ? function(e, &args, out) : operator_unknown(e, name);
}

static bool eval(struct evaluation *e, yyjson_val *rule, const struct logic_value *data, struct logic_value *out)
{
    bool good = true;
    struct operands list = {.values = rule, .n = yyjson_arr_size(rule)};
    struct logic_value *items;
    if (!logic_work(e, 0))
        return false;
    if (++e->depth > JSON_DEPTH_MAX)
        return error_set(e->err, ERROR_BAD_INPUT, "rule is nested deeper than %d levels", JSON_DEPTH_MAX);
    if (yyjson_is_arr(rule)) {
        good = eval_list(e, &list, data, &items);
        *out = good ? logic_list(items, list.n) : LOGIC_OF(LOGIC_UNDEFINED);
    } else if (yyjson_is_obj(rule) && yyjson_obj_size(rule) == 1) {
        good = eval_operation(e, rule, data, out);
    } else {
        *out = logic_of_json(rule);
    }
    e->depth--;
    /* Conversions note a spent limit without a way to say so; it ends the evaluation here. */
    return good && e->operations_left >= 0 && (e->memory_left || logic_memory(e, 1));
}

bool jsonlogic_apply(yyjson_val *rule, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                     yyjson_mut_val **result, struct error *err)
{
    struct evaluation e = {.context = c, .arena = a, .err = err, .doc = d,
                           .operations_left = c->operations_max ? c->operations_max : 100000,
                           .memory_left = c->memory_max ? c->memory_max : 8 << 20};
    struct logic_value data = c->data ? logic_of_json(c->data) : LOGIC_OF(LOGIC_ROOT), out;
    if (eval(&e, rule, &data, &out) && logic_to_mut(&e, out, result))
        return true;
    *result = NULL;
    return false;
}

bool jsonlogic_apply_mut(const yyjson_mut_val *rule, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                         yyjson_mut_val **result, struct error *err)
{
    yyjson_val *frozen = NULL;
    *result = NULL;
    return json_parse(a, json_write_mut(a, rule), &frozen, err) && jsonlogic_apply(frozen, c, a, d, result, err);
}

bool jsonlogic_truthy(const yyjson_mut_val *result)
{
    yyjson_mut_val *v = (yyjson_mut_val *)(uintptr_t)result;    /* only read; yyjson's readers take no const */
    double n = yyjson_mut_get_num(v);
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_BOOL: return yyjson_mut_get_bool(v);
    case YYJSON_TYPE_NUM: return n != 0 && !isnan(n);
    case YYJSON_TYPE_STR: return yyjson_mut_get_len(v) > 0;
    case YYJSON_TYPE_ARR: case YYJSON_TYPE_OBJ: return true;
    default: return false;
    }
}

bool jsonlogic_is_empty(yyjson_val *rule)
{
    return !rule || yyjson_is_null(rule) || (yyjson_is_obj(rule) && yyjson_obj_size(rule) == 0);
}
