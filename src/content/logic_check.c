/* Walks a JSON-logic rule without evaluating it. */
#include "content/logic_check.h"

#include "content/template_check.h"

enum { FAULTS_MAX = 100, SCHEMA_DEPTH = 10 };

struct checker {
    struct arena *a;
    yyjson_val *variables;
    struct logic_fault *faults;
    size_t n, cap;
};

static void fault(struct checker *c, struct str path, bool missing, struct str message)
{
    if (c->n < FAULTS_MAX)
        *ARENA_SLOT(c->a, c->faults, c->n, c->cap) = (struct logic_fault){message, path, missing};
}

static void fault_operation(struct checker *c, struct str path, struct str operator)
{
    fault(c, path, false, str_fmt(c->a, "Invalid operation structure for operator \"%.*s\"", STR_ARG(operator)));
}

static bool is_primitive(yyjson_val *schema)
{
    static const char *const names[] = {"string", "number", "boolean", "integer"};
    struct str type = json_get_str(schema, "type");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(type, names[i]))
            return true;
    return false;
}

/* A text, number or boolean of the schema: steps.x.seen, steps.d.events.0.payload.y. */
static bool is_variable(yyjson_val *schema, struct str path)
{
    struct str part;
    bool index;
    for (int depth = 0; path_next(&path, &part, &index); depth++) {
        int64_t n;
        if (depth > SCHEMA_DEPTH * 2 || !schema)
            return false;
        schema = str_eqz(json_get_str(schema, "type"), "array") && str_to_i64(part, &n) ? json_get(schema, "items")
               : json_getn(json_get(schema, "properties"), part);
    }
    return is_primitive(schema);
}

static bool field_is_allowed(struct checker *c, yyjson_val *v)
{
    static const char *const open[] = {"payload.", "subscriber.data.", "context."};
    struct str name = json_get_str(v, "var");
    if (str_eqz(name, "subscriber.data"))
        return true;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (str_starts(name, str_of(open[i])) && name.n > strlen(open[i]))
            return true;
    return name.n && is_variable(c->variables, name);
}

static bool is_field(yyjson_val *v)
{
    return json_get(v, "var") != NULL;
}

static void check_field(struct checker *c, yyjson_val *v, struct str path)
{
    if (!is_field(v))
        fault(c, path, false, STR("Invalid field reference in comparison"));
    else if (!field_is_allowed(c, v))
        fault(c, path, false, STR("Value is not valid"));
}

static void fault_value(struct checker *c, struct str path)
{
    fault(c, path, true, STR("Value is required"));
}

static bool is_nothing(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* As "contains" the field comes second, as "in" first. */
static void check_in(struct checker *c, yyjson_val *v, struct str path)
{
    yyjson_val *first = yyjson_arr_get(v, 0), *second = yyjson_arr_get(v, 1);
    if (yyjson_arr_size(v) != 2) {
        fault_operation(c, path, STR("in"));
    } else if (yyjson_is_str(first)) {
        if (!yyjson_get_len(first))
            fault_value(c, path);
        if (!is_field(second))
            fault(c, path, false, STR("Invalid field reference in comparison"));
    } else {
        if (!is_field(first))
            fault(c, path, false, STR("Invalid field reference in comparison"));
        if (is_nothing(second) || (yyjson_is_arr(second) && !yyjson_arr_size(second)))
            fault_value(c, path);
    }
}

static void check_any(struct checker *c, struct str operator, yyjson_val *v, struct str path)
{
    yyjson_val *value = yyjson_arr_get(v, 1);
    if (yyjson_arr_size(v) != 2) {
        fault_operation(c, path, operator);
        return;
    }
    check_field(c, yyjson_arr_get(v, 0), path);
    if (is_field(value))
        check_field(c, value, path);
    else if (is_nothing(value) || (yyjson_is_arr(value) && !yyjson_arr_size(value)))
        fault_value(c, path);
}

static void check_between(struct checker *c, yyjson_val *v, struct str path)
{
    check_field(c, yyjson_arr_get(v, 1), path);
    if (is_nothing(yyjson_arr_get(v, 0)) || is_nothing(yyjson_arr_get(v, 2)))
        fault_value(c, path);
}

static bool one_of(struct str s, const char *const *list)
{
    for (; *list; list++)
        if (str_eqz(s, *list))
            return true;
    return false;
}

static void check_comparison(struct checker *c, struct str operator, yyjson_val *v, struct str path)
{
    static const char *const filled[] = {"==", "=", "!=", "<", ">", "<=", ">=", "startsWith", "endsWith", NULL};
    static const char *const nullable[] = {"==", "=", "!=", NULL};
    yyjson_val *value = yyjson_arr_get(v, 1);
    if (yyjson_arr_size(v) != 2) {
        fault_operation(c, path, operator);
        return;
    }
    check_field(c, yyjson_arr_get(v, 0), path);
    bool empty = yyjson_is_str(value) && !yyjson_get_len(value);
    if ((empty && one_of(operator, filled)) || (yyjson_is_null(value) && !one_of(operator, nullable)))
        fault_value(c, path);
    else if (one_of(operator, (const char *const[]){"between", "notBetween", "notIn", NULL}) && !yyjson_is_arr(value))
        fault_operation(c, path, operator);
}

static void check_node(struct checker *c, yyjson_val *node, struct str path, int depth);

static void check_logical(struct checker *c, struct str operator, yyjson_val *v, struct str path, int depth)
{
    yyjson_val *e;
    size_t i = 0;
    if (!yyjson_is_arr(v)) {
        fault(c, path, false, str_fmt(c->a, "Invalid logical operator \"%.*s\" structure", STR_ARG(operator)));
        return;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while (c->n < FAULTS_MAX && (e = yyjson_arr_iter_next(&it)))
        check_node(c, e, str_fmt(c->a, "%.*s%s%zu", STR_ARG(path), path.n ? "." : "", i++), depth + 1);
}

static void check_operation(struct checker *c, struct str operator, yyjson_val *v, struct str path, int depth)
{
    static const char *const logical[] = {"and", "or", NULL}, *const any[] = {"containsAny", "doesNotContainAny", NULL};
    static const char *const unary[] = {"isEmpty", "isNonEmpty", NULL};
    static const char *const comparisons[] = {
        "==", "=", "!=", "<", ">", "<=", ">=", "startsWith", "endsWith", "contains", "doesNotContain", "doesNotBeginWith",
        "doesNotEndWith", "null", "notNull", "notIn", "between", "notBetween", "moreThanXAgo", "lessThanXAgo", "withinLast",
        "notWithinLast", "exactlyXAgo", NULL};
    if (one_of(operator, logical)) {
        check_logical(c, operator, v, path, depth);
    } else if (str_eqz(operator, "!")) {
        /* The builder wraps the negated node in itself, others in an array of one. */
        check_node(c, yyjson_arr_size(v) == 1 ? yyjson_arr_get(v, 0) : v, path, depth + 1);
    } else if (str_eqz(operator, "in")) {
        check_in(c, v, path);
    } else if (one_of(operator, any)) {
        check_any(c, operator, v, path);
    } else if (one_of(operator, unary)) {
        if (yyjson_arr_size(v) != 1)
            fault_operation(c, path, operator);
        else
            check_field(c, yyjson_arr_get(v, 0), path);
    } else if (str_eqz(operator, "<=") && yyjson_arr_size(v) == 3) {
        check_between(c, v, path);
    } else if (one_of(operator, comparisons)) {
        check_comparison(c, operator, v, path);
    } else if (str_eqz(operator, "var")) {
        if (is_nothing(v) || yyjson_is_false(v) || (yyjson_is_str(v) && !yyjson_get_len(v)))
            fault(c, path, true, STR("Field variable is required"));
    }
}

static void check_node(struct checker *c, yyjson_val *node, struct str path, int depth)
{
    yyjson_val *k;
    if (!yyjson_is_obj(node) || depth > JSON_DEPTH_MAX) {
        fault(c, path, false, STR("Invalid node structure"));
        return;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(node);
    while (c->n < FAULTS_MAX && (k = yyjson_obj_iter_next(&it)))
        check_operation(c, json_str(k), yyjson_obj_iter_get_val(k), path, depth);
}

size_t logic_check(struct arena *a, yyjson_val *rule, yyjson_val *variables, struct logic_fault **out)
{
    struct checker c = {.a = a, .variables = variables};
    check_node(&c, rule, STR_NULL, 0);
    *out = c.faults;
    return c.n;
}
