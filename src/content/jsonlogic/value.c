/* JavaScript values of JSON-logic and how they turn into each other. */
#include "content/jsonlogic/value.h"

size_t logic_length(struct logic_value v)
{
    return v.kind == LOGIC_JSON_ARRAY ? yyjson_arr_size(v.json) : v.kind == LOGIC_LIST ? v.items_n : 0;
}

struct logic_value logic_at(struct logic_value v, size_t i)
{
    if (i >= logic_length(v))
        return LOGIC_OF(LOGIC_UNDEFINED);
    return v.kind == LOGIC_LIST ? v.items[i] : logic_of_json(yyjson_arr_get(v.json, i));
}

bool logic_items(struct evaluation *e, struct logic_value v, const struct logic_value **items, size_t *n)
{
    size_t i, count;
    yyjson_val *item;
    *n = logic_length(v);
    if (!logic_work(e, (int64_t)*n))
        return false;
    if (v.kind == LOGIC_LIST) {
        *items = v.items;
        return true;
    }
    if (!logic_memory(e, *n * sizeof **items))
        return false;
    struct logic_value *list = ARENA_ARRAY(e->arena, struct logic_value, *n + 1);
    if (v.kind == LOGIC_JSON_ARRAY)
        yyjson_arr_foreach(v.json, i, count, item)
            list[i] = logic_of_json(item);
    *items = list;
    return true;
}

bool logic_truthy_other(const struct logic_value *v)
{
    switch (v->kind) {
    case LOGIC_UNDEFINED: case LOGIC_NULL: return false;
    case LOGIC_BOOL: return v->truth;
    case LOGIC_NUMBER: return v->number != 0 && !isnan(v->number);
    case LOGIC_STRING: return v->text.n > 0;
    case LOGIC_JSON_ARRAY: case LOGIC_LIST: return logic_length(*v) > 0;
    default: return true;
    }
}

bool logic_same(const struct logic_value *a, const struct logic_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LOGIC_BOOL: return a->truth == b->truth;
    case LOGIC_NUMBER: return a->number == b->number;
    case LOGIC_STRING: return logic_same_text(a, b);
    case LOGIC_JSON_ARRAY: case LOGIC_OBJECT: return a->json == b->json;
    case LOGIC_LIST: return a->items == b->items && a->items_n == b->items_n;
    default: return true;       /* undefined, null, the one root */
    }
}

/* Array.prototype.join(","): nothing for null and undefined. Recursion follows the nesting of rule or data. */
static void join_add(struct evaluation *e, struct buf *b, struct logic_value v, int depth)
{
    const struct logic_value *items;
    size_t n;
    if (depth > JSON_DEPTH_MAX || !logic_items(e, v, &items, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        if (logic_is_array(items[i])) {
            join_add(e, b, items[i], depth + 1);
        } else if (items[i].kind != LOGIC_NULL && items[i].kind != LOGIC_UNDEFINED) {
            struct str text = logic_string(e, items[i]);
            if (!logic_memory(e, text.n + 1))
                return;
            buf_str(b, text);
        }
    }
}

struct str logic_string(struct evaluation *e, struct logic_value v)
{
    struct buf b = {.arena = e->arena};
    switch (v.kind) {
    case LOGIC_UNDEFINED: return STR("undefined");
    case LOGIC_NULL: return STR("null");
    case LOGIC_BOOL: return v.truth ? STR("true") : STR("false");
    case LOGIC_NUMBER: return logic_number_text(e->arena, v.number);
    case LOGIC_STRING: return v.text;
    case LOGIC_JSON_ARRAY: case LOGIC_LIST:
        join_add(e, &b, v, 0);
        return b.p ? buf_get(&b) : STR("");
    default: return STR("[object Object]");
    }
}

double logic_to_number(struct evaluation *e, struct logic_value v)
{
    switch (v.kind) {
    case LOGIC_NULL: return 0;
    case LOGIC_BOOL: return v.truth;
    case LOGIC_NUMBER: return v.number;
    case LOGIC_STRING: return logic_number_of(v.text);
    case LOGIC_JSON_ARRAY: case LOGIC_LIST: return logic_number_of(logic_string(e, v));
    default: return NAN;
    }
}

/* ---- properties ---- */

/* An array index as JavaScript writes it: no sign, no leading zero. */
static bool index_of(struct str s, size_t *i)
{
    int64_t n;
    if (!s.n || s.n > 9 || (s.p[0] == '0' && s.n > 1) || !str_to_i64(s, &n) || n < 0)
        return false;
    *i = (size_t)n;
    return true;
}

struct logic_step logic_step_of(struct str name)
{
    struct logic_step step = {.name = name, .is_length = str_eqz(name, "length")};
    step.is_index = index_of(name, &step.index);
    return step;
}

yyjson_val *logic_root_member(struct evaluation *e, struct str name)
{
    const struct jsonlogic_context *c = e->context;
    for (size_t i = 0; i < c->variables_n; i++)
        if (c->variables[i].name.n == name.n && bytes_same(c->variables[i].name.p, name.p, name.n))
            return c->variables[i].value;
    return NULL;
}

/* A search takes from the limit without saying so; the evaluator sees when it is spent. */
yyjson_val *logic_member(struct evaluation *e, yyjson_val *object, struct str name)
{
    yyjson_val *key = unsafe_yyjson_get_first(object), *found = NULL;
    size_t n = unsafe_yyjson_get_len(object);
    e->operations_left -= 1 + (int64_t)(n / 64);
    for (; n; n--, key = unsafe_yyjson_get_next(key + 1))
        if (unsafe_yyjson_get_len(key) == name.n && bytes_same(unsafe_yyjson_get_str(key), name.p, name.n))
            found = key + 1;
    return found;
}

static struct logic_value text_property(struct evaluation *e, struct str text, const struct logic_step *step)
{
    size_t i = step->index;
    if (step->is_length)
        return logic_number((double)logic_units(text));
    if (!step->is_index || i >= logic_units(text))
        return LOGIC_OF(LOGIC_UNDEFINED);
    return logic_text(logic_slice(e->arena, text, i, i + 1));
}

struct logic_value logic_property_step(struct evaluation *e, struct logic_value v, const struct logic_step *step)
{
    switch (v.kind) {
    case LOGIC_OBJECT: return logic_of_json(logic_member(e, v.json, step->name));
    case LOGIC_ROOT: return logic_of_json(logic_root_member(e, step->name));
    case LOGIC_REDUCTION:
        return str_eqz(step->name, "current") ? v.items[0] :
               str_eqz(step->name, "accumulator") ? v.items[1] : LOGIC_OF(LOGIC_UNDEFINED);
    case LOGIC_JSON_ARRAY: case LOGIC_LIST:
        if (step->is_length)
            return logic_number((double)logic_length(v));
        logic_work(e, (int64_t)(logic_length(v) / 64));
        return step->is_index ? logic_at(v, step->index) : LOGIC_OF(LOGIC_UNDEFINED);
    case LOGIC_STRING: return text_property(e, v.text, step);
    default: return LOGIC_OF(LOGIC_UNDEFINED);
    }
}

struct logic_value logic_property(struct evaluation *e, struct logic_value v, struct str name)
{
    struct logic_step step = logic_step_of(name);
    return logic_property_step(e, v, &step);
}

/* ---- results ---- */

static yyjson_mut_val *number_to_mut(yyjson_mut_doc *d, double n)
{
    return n == 0 || (fabs(n) < 9007199254740992.0 && n == trunc(n)) ? yyjson_mut_sint(d, (int64_t)n) : yyjson_mut_real(d, n);
}

static yyjson_mut_val *text_to_mut(yyjson_mut_doc *d, struct str s)
{
    return yyjson_mut_strncpy(d, s.p ? s.p : "", s.n);
}

/* A copy of JSON costs what it holds: the same value may appear in a result many times. */
static bool json_to_mut(struct evaluation *e, yyjson_val *v, yyjson_mut_val **out)
{
    size_t bytes = 0, nodes = 0;
    for (yyjson_val *at = v, *end = unsafe_yyjson_get_next(v); at < end; at++, nodes++)
        bytes += sizeof(yyjson_mut_val) + (yyjson_is_str(at) ? yyjson_get_len(at) : 0);
    if (!logic_work(e, (int64_t)(nodes / 64)) || !logic_memory(e, bytes))
        return false;
    *out = yyjson_val_mut_copy(e->doc, v);
    return true;
}

/* Depth is bounded by the nesting of what made the lists: operators nest lists at most as deep as the rule. A reduce can
 * nest further, so the depth is counted. */
static bool to_mut(struct evaluation *e, struct logic_value v, int depth, yyjson_mut_val **out)
{
    yyjson_mut_doc *d = e->doc;
    yyjson_mut_val *item;
    *out = NULL;
    if (depth > JSON_DEPTH_MAX)
        return error_set(e->err, ERROR_BAD_INPUT, "result is nested too deep");
    if (!logic_work(e, 1))
        return false;
    switch (v.kind) {
    case LOGIC_UNDEFINED: return true;
    case LOGIC_NULL: *out = yyjson_mut_null(d); return true;
    case LOGIC_BOOL: *out = yyjson_mut_bool(d, v.truth); return true;
    case LOGIC_NUMBER: *out = number_to_mut(d, v.number); return true;
    case LOGIC_STRING: *out = text_to_mut(d, v.text); return logic_memory(e, v.text.n);
    case LOGIC_JSON_ARRAY: case LOGIC_OBJECT: return json_to_mut(e, v.json, out);
    case LOGIC_LIST:
        *out = yyjson_mut_arr(d);
        for (size_t i = 0; i < v.items_n; i++) {
            if (!to_mut(e, v.items[i], depth + 1, &item))
                return false;
            yyjson_mut_arr_append(*out, item ? item : yyjson_mut_null(d));
        }
        return true;
    case LOGIC_ROOT:
        *out = yyjson_mut_obj(d);
        for (size_t i = 0; i < e->context->variables_n; i++) {
            const struct liquid_variable *var = &e->context->variables[i];
            if (!var->value)
                continue;
            if (!json_to_mut(e, var->value, &item))
                return false;
            yyjson_mut_obj_put(*out, text_to_mut(d, var->name), item);
        }
        return true;
    case LOGIC_REDUCTION:
        *out = yyjson_mut_obj(d);
        for (size_t i = 0; i < 2; i++) {
            if (!to_mut(e, v.items[i], depth + 1, &item))
                return false;
            if (item)
                yyjson_mut_obj_add_val(d, *out, i ? "accumulator" : "current", item);
        }
        return true;
    }
    return true;
}

bool logic_to_mut(struct evaluation *e, struct logic_value v, yyjson_mut_val **out)
{
    return to_mut(e, v, 0, out);
}
