/* Makes a program of a rule: finds the operators, takes paths apart, and writes constants down once. */
#include "content/jsonlogic/value.h"

enum { NODES_MAX = 200000 };        /* twice what the default limit lets run */

struct compiler {
    struct arena *arena;
    size_t nodes_n;
};

static void node_compile(struct compiler *c, yyjson_val *rule, int depth, bool only_looked_at, struct logic_node *out);

/* Give back nothing of their arguments: constant lists need no copy for each run. */
static const char *const looking[] = {"in", "notIn", "between", "notBetween", "containsAny", "doesNotContainAny"};

static bool only_looks(struct str name)
{
    for (size_t i = 0; i < sizeof looking / sizeof *looking; i++)
        if (str_eqz(name, looking[i]))
            return true;
    return false;
}

static const struct logic_operator *operator_find(struct str name)
{
    const struct logic_operator *const tables[] = {logic_novu_operators, logic_base_operators};
    for (size_t i = 0; i < 2; i++)
        for (const struct logic_operator *o = tables[i]; o->name; o++)
            if (str_eqz(name, o->name))
                return o;
    return NULL;
}

bool logic_operator_exists(struct str name)
{
    return operator_find(name) != NULL;
}

/* The operands of an operation, as an array whether written as one or not; those of a list. */
static void operands_compile(struct compiler *c, yyjson_val *values, int depth, bool only_looked_at, struct logic_node *out)
{
    bool alone = !yyjson_is_arr(values);
    size_t n = alone ? 1 : yyjson_arr_size(values);
    if (c->nodes_n + n > NODES_MAX) {
        out->kind = LOGIC_NODE_TOO_LARGE;
        return;
    }
    c->nodes_n += n;
    struct logic_node *list = ARENA_ARRAY(c->arena, struct logic_node, n + 1);
    yyjson_val *at = alone ? values : unsafe_yyjson_get_first(values);
    for (size_t i = 0; i < n; i++, at = unsafe_yyjson_get_next(at))
        node_compile(c, at, depth + 1, only_looked_at, &list[i]);
    out->operands = list;
    out->operands_n = (uint32_t)n;
}

/* A list of constants becomes one itself where nobody can tell it from a fresh one. */
static void list_fold(struct compiler *c, struct logic_node *node)
{
    for (size_t i = 0; i < node->operands_n; i++)
        if (node->operands[i].kind != LOGIC_NODE_CONSTANT)
            return;
    struct logic_value *items = ARENA_ARRAY(c->arena, struct logic_value, node->operands_n + 1);
    for (size_t i = 0; i < node->operands_n; i++)
        items[i] = node->operands[i].constant;
    *node = (struct logic_node){.kind = LOGIC_NODE_CONSTANT, .constant = logic_list(items, node->operands_n)};
}

static bool is_path(const struct logic_node *node)
{
    return node->operands_n && node->operands_n <= 2 && node->operands[0].kind == LOGIC_NODE_CONSTANT &&
           node->operands[0].constant.kind == LOGIC_STRING && node->operands[0].constant.text.n;
}

static void operation_compile(struct compiler *c, yyjson_val *rule, int depth, struct logic_node *out)
{
    yyjson_val *key = unsafe_yyjson_get_first(rule);
    struct str name = json_str(key);
    const struct logic_operator *op = operator_find(name);
    logic_control control = logic_control_find(name);
    out->kind = control ? LOGIC_NODE_CONTROL : LOGIC_NODE_CALL;
    if (control)
        out->control = control;
    else if (op)
        out->call.function = op->function;
    else
        out->call.name = name;
    operands_compile(c, key + 1, depth, only_looks(name), out);
    if (out->kind == LOGIC_NODE_CALL && str_eqz(name, "var") && is_path(out)) {
        out->kind = LOGIC_NODE_VARIABLE;
        out->path = logic_path_of(c->arena, out->operands[0].constant.text);
    }
}

static void node_compile(struct compiler *c, yyjson_val *rule, int depth, bool only_looked_at, struct logic_node *out)
{
    if (depth > JSON_DEPTH_MAX) {
        out->kind = LOGIC_NODE_TOO_DEEP;
    } else if (yyjson_is_arr(rule)) {
        out->kind = LOGIC_NODE_LIST;
        operands_compile(c, rule, depth, false, out);
        if (only_looked_at && out->kind == LOGIC_NODE_LIST)
            list_fold(c, out);
    } else if (yyjson_is_obj(rule) && yyjson_obj_size(rule) == 1) {
        operation_compile(c, rule, depth, out);
    } else {
        out->kind = LOGIC_NODE_CONSTANT;
        out->constant = logic_of_json(rule);
    }
}

const struct jsonlogic *jsonlogic_compile(struct arena *a, yyjson_val *rule)
{
    struct compiler c = {.arena = a};
    struct jsonlogic *program = ARENA_NEW(a, struct jsonlogic);
    node_compile(&c, rule, 1, false, &program->root);
    return program;
}

struct str jsonlogic_unknown(yyjson_val *rule)
{
    struct str found = STR_NULL;
    yyjson_val *k, *v;
    size_t i, n;
    if (yyjson_is_obj(rule) && yyjson_obj_size(rule) == 1)
        yyjson_obj_foreach(rule, i, n, k, v)
            return logic_operator_exists(json_str(k)) || logic_control_find(json_str(k)) ? jsonlogic_unknown(v) : json_str(k);
    yyjson_arr_foreach(rule, i, n, v)
        if (!found.p)
            found = jsonlogic_unknown(v);
    return found;
}
