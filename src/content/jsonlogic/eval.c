/* The JSON-logic evaluator: runs compiled rules, chooses which operands are evaluated, and knows when to stop. */
#include "content/jsonlogic/value.h"

bool logic_work_ends(struct evaluation *e)
{
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

static bool run_other(struct evaluation *e, const struct logic_node *node, const struct logic_value *data, struct logic_value *out);

static inline bool run(struct evaluation *e, const struct logic_node *node, const struct logic_value *data, struct logic_value *out)
{
    if (node->kind != LOGIC_NODE_CONSTANT)
        return run_other(e, node, data, out);
    *out = node->constant;
    return true;
}

static bool run_operand(struct evaluation *e, const struct logic_node *node, size_t i, const struct logic_value *data,
                        struct logic_value *out)
{
    if (i < node->operands_n)
        return run(e, &node->operands[i], data, out);
    *out = LOGIC_OF(LOGIC_UNDEFINED);
    return true;
}

static bool control_if(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    size_t i = 0;
    for (; i + 1 < o->operands_n; i += 2) {
        if (!run(e, &o->operands[i], data, out))
            return false;
        if (logic_truthy(out))
            return run(e, &o->operands[i + 1], data, out);
    }
    if (i < o->operands_n)
        return run(e, &o->operands[i], data, out);
    *out = LOGIC_OF(LOGIC_NULL);
    return true;
}

/* The first operand whose truth is wanted, else the last. */
static bool first_of(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, bool wanted,
                     struct logic_value *out)
{
    *out = LOGIC_OF(LOGIC_UNDEFINED);
    for (size_t i = 0; i < o->operands_n; i++) {
        if (!run(e, &o->operands[i], data, out))
            return false;
        if (logic_truthy(out) == wanted)
            break;
    }
    return true;
}

static bool control_and(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    return first_of(e, o, data, false, out);
}

static bool control_or(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    return first_of(e, o, data, true, out);
}

/* ---- iterations over the first operand; no array is none ---- */

struct iteration {
    struct logic_value list;
    yyjson_val *next;           /* of a JSON array */
    size_t i, n;
};

static bool iteration_begin(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct iteration *it)
{
    *it = (struct iteration){.i = 0};
    if (!run_operand(e, o, 0, data, &it->list))
        return false;
    it->n = logic_length(it->list);
    it->next = it->list.kind == LOGIC_JSON_ARRAY ? unsafe_yyjson_get_first(it->list.json) : NULL;
    return logic_work(e, (int64_t)it->n);
}

static bool iteration_next(struct iteration *it, struct logic_value *item)
{
    if (it->i == it->n)
        return false;
    if (it->next) {
        logic_set(item, it->next);
        it->next = unsafe_yyjson_get_next(it->next);
    } else {
        *item = it->list.items[it->i];
    }
    it->i++;
    return true;
}

static struct logic_value *list_new(struct evaluation *e, size_t n)
{
    return logic_memory(e, n * sizeof(struct logic_value)) ? ARENA_ARRAY(e->arena, struct logic_value, n + 1) : NULL;
}

static bool control_map(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    struct iteration it;
    struct logic_value item, *list, *at;
    if (!iteration_begin(e, o, data, &it) || !(list = at = list_new(e, it.n)))
        return false;
    while (iteration_next(&it, &item))
        if (!run_operand(e, o, 1, &item, at++))
            return false;
    *out = logic_list(list, it.n);
    return true;
}

static bool control_filter(struct evaluation *e, const struct logic_node *o, const struct logic_value *data,
                           struct logic_value *out)
{
    struct iteration it;
    struct logic_value item, keep, *list;
    size_t kept = 0;
    if (!iteration_begin(e, o, data, &it) || !(list = list_new(e, it.n)))
        return false;
    while (iteration_next(&it, &item)) {
        if (!run_operand(e, o, 1, &item, &keep))
            return false;
        if (logic_truthy(&keep))
            list[kept++] = item;
    }
    *out = logic_list(list, kept);
    return true;
}

static bool control_reduce(struct evaluation *e, const struct logic_node *o, const struct logic_value *data,
                           struct logic_value *out)
{
    struct iteration it;
    struct logic_value sum = LOGIC_OF(LOGIC_NULL), item;
    if (!iteration_begin(e, o, data, &it) || (o->operands_n > 2 && !run(e, &o->operands[2], data, &sum)))
        return false;
    while (iteration_next(&it, &item)) {
        struct logic_value *members = list_new(e, 2);   /* the result may hold it */
        if (!members)
            return false;
        members[0] = item;
        members[1] = sum;
        struct logic_value scope = {.kind = LOGIC_REDUCTION, .items = members, .items_n = 2};
        if (!run_operand(e, o, 1, &scope, &sum))
            return false;
    }
    *out = sum;
    return true;
}

/* Looks for the first element whose truth is wanted. */
static bool search(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, bool wanted, size_t *n,
                   bool *found)
{
    struct iteration it;
    struct logic_value item, v;
    *found = false;
    if (!iteration_begin(e, o, data, &it))
        return false;
    *n = it.n;
    while (!*found && iteration_next(&it, &item)) {
        if (!run_operand(e, o, 1, &item, &v))
            return false;
        *found = logic_truthy(&v) == wanted;
    }
    return true;
}

static bool control_all(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, false, &n, &found))
        return false;
    *out = logic_bool(n && !found);     /* all of nothing is false */
    return true;
}

static bool control_some(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, true, &n, &found))
        return false;
    *out = logic_bool(found);
    return true;
}

static bool control_none(struct evaluation *e, const struct logic_node *o, const struct logic_value *data, struct logic_value *out)
{
    size_t n;
    bool found;
    if (!search(e, o, data, true, &n, &found))
        return false;
    *out = logic_bool(!found);
    return true;
}

static const struct {
    const char *name;
    logic_control function;
} controls[] = {
    {"and", control_and}, {"or", control_or}, {"if", control_if}, {"?:", control_if}, {"map", control_map},
    {"filter", control_filter}, {"reduce", control_reduce}, {"all", control_all}, {"some", control_some}, {"none", control_none},
};

logic_control logic_control_find(struct str name)
{
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (str_eqz(name, controls[i].name))
            return controls[i].function;
    return NULL;
}

/* ---- operations ---- */

static bool operator_unknown(struct evaluation *e, struct str name)
{
    ptrdiff_t dot = str_find(name, STR("."));
    struct str head = str_sub(name, 0, dot < 0 ? 0 : (size_t)dot);
    name.n = name.n > 100 ? 100 : name.n;
    if (dot <= 0)
        return error_set(e->err, ERROR_BAD_INPUT, "Unrecognized operation %.*s", STR_ARG(name));
    if (logic_operator_exists(head))        /* operations have no parts of their own */
        head = name;
    head.n = head.n > 100 ? 100 : head.n;
    return error_set(e->err, ERROR_BAD_INPUT, "Unrecognized operation %.*s (failed at %.*s)", STR_ARG(name), STR_ARG(head));
}

static bool run_operands(struct evaluation *e, const struct logic_node *node, const struct logic_value *data,
                         struct logic_value *list)
{
    if (!logic_work(e, node->operands_n))
        return false;
    for (size_t i = 0; i < node->operands_n; i++)
        if (!run(e, &node->operands[i], data, &list[i]))
            return false;
    return e->operations_left >= 0 || logic_work_ends(e);
}

/* Operators keep their arguments' values, never their array: few of them lie on the stack. */
static bool run_call(struct evaluation *e, const struct logic_node *node, const struct logic_value *data, struct logic_value *out)
{
    enum { FEW = 4 };
    struct logic_value few[FEW], *list = node->operands_n <= FEW ? few : list_new(e, node->operands_n);
    if (!list || !run_operands(e, node, data, list))
        return false;
    struct logic_args args = {.v = list, .n = node->operands_n, .data = data};
    return node->call.function ? node->call.function(e, &args, out) : operator_unknown(e, node->call.name);
}

static bool run_variable(struct evaluation *e, const struct logic_node *node, const struct logic_value *data,
                         struct logic_value *out)
{
    static const struct logic_value null = {.kind = LOGIC_NULL};
    struct logic_value otherwise;
    if (node->operands_n < 2)
        return logic_variable(e, data, node->path, &null, out);
    return run(e, &node->operands[1], data, &otherwise) &&
           logic_variable(e, data, node->path, otherwise.kind == LOGIC_UNDEFINED ? &null : &otherwise, out);
}

static bool run_list(struct evaluation *e, const struct logic_node *node, const struct logic_value *data, struct logic_value *out)
{
    struct logic_value *list = list_new(e, node->operands_n);
    if (!list || !run_operands(e, node, data, list))
        return false;
    *out = logic_list(list, node->operands_n);
    return true;
}

/* Recursion is as deep as the program, which compile.c bounds. */
static bool run_other(struct evaluation *e, const struct logic_node *node, const struct logic_value *data, struct logic_value *out)
{
    bool good = false;
    if (!logic_work(e, 0))
        return false;
    switch (node->kind) {
    case LOGIC_NODE_CONSTANT: return run(e, node, data, out);
    case LOGIC_NODE_LIST: good = run_list(e, node, data, out); break;
    case LOGIC_NODE_CALL: good = run_call(e, node, data, out); break;
    case LOGIC_NODE_CONTROL: good = node->control(e, node, data, out); break;
    case LOGIC_NODE_VARIABLE: good = run_variable(e, node, data, out); break;
    case LOGIC_NODE_TOO_DEEP:
        return error_set(e->err, ERROR_BAD_INPUT, "rule is nested deeper than %d levels", JSON_DEPTH_MAX);
    case LOGIC_NODE_TOO_LARGE: return error_set(e->err, ERROR_BAD_INPUT, "rule needs too many operations");
    }
    /* Conversions note a spent limit without a way to say so; it ends the evaluation here. */
    return good && (e->operations_left >= 0 || logic_work_ends(e)) && (e->memory_left || logic_memory(e, 1));
}

static struct evaluation evaluation_of(const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d, struct error *err)
{
    return (struct evaluation){.context = c, .arena = a, .err = err, .doc = d,
                               .operations_left = c->operations_max ? c->operations_max : 100000,
                               .memory_left = c->memory_max ? c->memory_max : 8 << 20};
}

static void data_of(const struct jsonlogic_context *c, struct logic_value *data)
{
    data->kind = LOGIC_ROOT;
    if (c->data)
        logic_set(data, c->data);
}

bool jsonlogic_run(const struct jsonlogic *program, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                   yyjson_mut_val **result, struct error *err)
{
    struct evaluation e = evaluation_of(c, a, d, err);
    struct logic_value data, out;
    data_of(c, &data);
    if (run(&e, &program->root, &data, &out) && logic_to_mut(&e, out, result))
        return true;
    *result = NULL;
    return false;
}

bool jsonlogic_test(const struct jsonlogic *program, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                    bool *holds, struct error *err)
{
    struct evaluation e = evaluation_of(c, a, d, err);
    struct logic_value data, out;
    data_of(c, &data);
    if (!run(&e, &program->root, &data, &out))
        return false;
    *holds = logic_is_array(out) || logic_truthy(&out);      /* empty arrays are false inside of rules only */
    return true;
}

bool jsonlogic_apply(yyjson_val *rule, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                     yyjson_mut_val **result, struct error *err)
{
    return jsonlogic_run(jsonlogic_compile(a, rule), c, a, d, result, err);
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
