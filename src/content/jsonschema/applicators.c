/* Keywords that apply other schemas: to the value itself, to its items, to its members. */
#include "content/jsonschema/keywords.h"

static bool is_named(const struct keyword *k, const char *name)
{
    return !strcmp(k->type->name, name);
}

static struct place keyword_place(const struct check *c)
{
    return (struct place){.up = c->schema, .name = str_of(c->keyword->type->name), .kind = PLACE_NAME};
}

static struct place index_place(const struct place *up, size_t i)
{
    return (struct place){.up = up, .index = i, .kind = PLACE_INDEX};
}

static struct place name_place(const struct place *up, struct str name)
{
    return (struct place){.up = up, .name = name, .kind = PLACE_NAME};
}

/* Forgets the errors since a mark: what a branch that does not count has left. */
static void errors_forget(struct run *r, size_t mark)
{
    r->errors_n = mark;
}

/* Outside of combinations, and when one error is wanted, ajv gives either the inner error or the keyword's, not both. */
static bool stands_alone(const struct check *c)
{
    return !c->run->options->all_errors && !c->run->composite;
}

/* The value against a schema in place; what it evaluates counts only where it holds. */
static bool branch_check(struct check *c, const struct node *node, const struct place *schema)
{
    struct evaluated *seen = evaluated_new(c->run, c->value);
    bool valid = schema_check(c, node, c->value, c->instance, schema, seen);
    if (valid && seen)
        evaluated_merge(c->evaluated, seen);
    return valid;
}

static bool one_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    k->node = compiler_node(c, node->resource, k->value);
    return k->node != NULL;
}

static bool list_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    size_t i, n;
    yyjson_val *v;
    if (!yyjson_is_arr(k->value))
        return compiler_invalid(c, k->type->name, "must be array");
    k->n = yyjson_arr_size(k->value);
    k->nodes = ARENA_ARRAY(c->arena, const struct node *, k->n + 1);
    yyjson_arr_foreach(k->value, i, n, v)
        if (!(k->nodes[i] = compiler_node(c, node->resource, v)))
            return false;
    return true;
}

/* ---- references ---- */

/* ajv writes a referenced schema that refers no further into the place of the reference: errors there start with the
 * reference's text. Looks at a thousand values at most. */
static bool has_reference(yyjson_val *v, int *left)
{
    size_t i, n;
    yyjson_val *key, *m;
    if (--*left < 0)
        return true;
    if (yyjson_is_obj(v))
        yyjson_obj_foreach(v, i, n, key, m)
            if (str_eqz(json_str(key), "$ref") || str_eqz(json_str(key), "$dynamicRef") ||
                str_eqz(json_str(key), "$dynamicAnchor") || has_reference(m, left))
                return true;
    if (yyjson_is_arr(v))
        yyjson_arr_foreach(v, i, n, m)
            if (has_reference(m, left))
                return true;
    return false;
}

bool ref_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    struct str dynamic;
    int left = 1000;
    if (!yyjson_is_str(k->value))
        return compiler_invalid(c, k->type->name, "must be string");
    k->node = compiler_ref(c, node->resource, json_str(k->value), &dynamic);
    if (!k->node)
        return false;
    if (is_named(k, "$dynamicRef"))
        k->dynamic = dynamic;
    k->ref_path = has_reference(k->node->json, &left) ? STR("#") : json_str(k->value);
    return true;
}

/* The outermost resource under way that has the dynamic anchor decides. */
static const struct node *dynamic_find(const struct run *r, const struct keyword *k)
{
    const struct node *found = k->node;
    for (const struct scope *s = r->scope; s; s = s->outer)
        for (const struct anchor *a = s->resource->anchors; a; a = a->next)
            if (a->is_dynamic && str_eq(a->name, k->dynamic))
                found = a->node;
    return found;
}

bool ref_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    struct place start = {.name = k->ref_path, .kind = PLACE_START};
    return branch_check(c, k->dynamic.n ? dynamic_find(c->run, k) : k->node, &start);
}

/* ---- combinations ---- */

bool not_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return one_compile(c, node, k);
}

bool not_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t mark = c->run->errors_n;
    c->run->composite++;
    bool valid = schema_check(c, c->keyword->node, c->value, c->instance, &at, evaluated_new(c->run, c->value));
    c->run->composite--;
    errors_forget(c->run, mark);
    return !valid || schema_error(c, NULL, STR_NULL, "must NOT be valid");
}

bool any_of_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return list_compile(c, node, k);
}

bool any_of_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t mark = c->run->errors_n;
    bool valid = false;
    c->run->composite++;
    /* Where members are tracked, every branch that holds counts. */
    for (size_t i = 0; i < c->keyword->n && (!valid || c->evaluated); i++) {
        struct place step = index_place(&at, i);
        valid = branch_check(c, c->keyword->nodes[i], &step) || valid;
    }
    c->run->composite--;
    if (valid)
        errors_forget(c->run, mark);
    return valid || schema_error(c, NULL, STR_NULL, "must match a schema in anyOf");
}

bool one_of_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return list_compile(c, node, k);
}

bool one_of_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t mark = c->run->errors_n;
    size_t passed[2] = {0, 0}, n = 0;
    c->run->composite++;
    for (size_t i = 0; i < c->keyword->n && n < 2; i++) {
        struct place step = index_place(&at, i);
        if (branch_check(c, c->keyword->nodes[i], &step))
            passed[n++] = i;
    }
    c->run->composite--;
    if (n == 1) {
        errors_forget(c->run, mark);
        return true;
    }
    yyjson_mut_doc *d = c->run->doc;
    yyjson_mut_val *params = yyjson_mut_obj(d), *passing = n ? yyjson_mut_arr(d) : yyjson_mut_null(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_add_uint(d, passing, passed[i]);
    yyjson_mut_obj_add_val(d, params, "passingSchemas", passing);
    return schema_error(c, params, STR_NULL, "must match exactly one schema in oneOf");
}

bool all_of_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return list_compile(c, node, k);
}

bool all_of_check(struct check *c)
{
    struct place at = keyword_place(c);
    bool valid = true;
    for (size_t i = 0; i < c->keyword->n && (valid || c->run->options->all_errors); i++) {
        struct place step = index_place(&at, i);
        valid = branch_check(c, c->keyword->nodes[i], &step) && valid;
    }
    return valid;
}

bool if_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    yyjson_val *then = json_get(node->json, "then"), *otherwise = json_get(node->json, "else");
    k->nodes = ARENA_ARRAY(c->arena, const struct node *, 2);
    return one_compile(c, node, k) && (!then || (k->nodes[0] = compiler_node(c, node->resource, then))) &&
           (!otherwise || (k->nodes[1] = compiler_node(c, node->resource, otherwise)));
}

bool if_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t mark = c->run->errors_n;
    c->run->composite++;
    bool holds = branch_check(c, c->keyword->node, &at);
    c->run->composite--;
    errors_forget(c->run, mark);
    const char *name = holds ? "then" : "else";
    const struct node *node = c->keyword->nodes[!holds];
    struct place step = name_place(c->schema, str_of(name));
    if (!node || branch_check(c, node, &step))
        return true;
    if (stands_alone(c))
        return false;
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_str(c->run->doc, params, "failingKeyword", name);
    return schema_error(c, params, STR_NULL, "must match \"%s\" schema", name);
}

/* ---- items ---- */

static bool item_check(struct check *c, const struct node *node, yyjson_mut_val *item, size_t i, const struct place *schema)
{
    struct place instance = index_place(c->instance, i);
    return schema_check(c, node, item, &instance, schema, evaluated_new(c->run, item));
}

/* Items from the first one on, all against one schema. */
static bool items_from(struct check *c, const struct node *node, size_t first)
{
    struct place at = keyword_place(c);
    size_t i, n;
    yyjson_mut_val *item;
    bool valid = true;
    yyjson_mut_arr_foreach(c->value, i, n, item) {
        if (i >= first)
            valid = item_check(c, node, item, i, &at) && valid;
        if (!valid && !c->run->options->all_errors)
            break;
    }
    if (c->evaluated)
        c->evaluated->all = true;
    return valid;
}

static bool items_limit(struct check *c, size_t most)
{
    if (c->evaluated)
        c->evaluated->all = true;
    if (yyjson_mut_arr_size(c->value) <= most)
        return true;
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_uint(c->run->doc, params, "limit", most);
    return schema_error(c, params, STR_NULL, "must NOT have more than %zu items", most);
}

bool prefix_items_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return list_compile(c, node, k);
}

bool prefix_items_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t i, n;
    yyjson_mut_val *item;
    bool valid = true;
    yyjson_mut_arr_foreach(c->value, i, n, item) {
        if (i >= c->keyword->n || (!valid && !c->run->options->all_errors))
            break;
        struct place step = index_place(&at, i);
        valid = item_check(c, c->keyword->nodes[i], item, i, &step) && valid;
    }
    if (c->evaluated && c->evaluated->first < c->keyword->n)
        c->evaluated->first = c->keyword->n;
    return valid;
}

/* A schema for all items, behind prefixItems if there are any; as an array (draft-07) the same as prefixItems. */
bool items_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    if (yyjson_is_arr(k->value))
        return prefix_items_compile(c, node, k);
    if (node->resource->dialect == JSONSCHEMA_2020_12)
        k->n = yyjson_arr_size(json_get(node->json, "prefixItems"));
    return one_compile(c, node, k);
}

bool items_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    if (!k->node)
        return prefix_items_check(c);
    if (k->n && k->node->is_boolean && !k->node->accepts)
        return items_limit(c, k->n);
    return items_from(c, k->node, k->n);
}

/* Only beside items as an array. */
bool additional_items_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    yyjson_val *items = json_get(node->json, "items");
    if (!yyjson_is_arr(items)) {
        k->type = NULL;
        return true;
    }
    k->n = yyjson_arr_size(items);
    return one_compile(c, node, k);
}

bool additional_items_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    return k->node->is_boolean && !k->node->accepts ? items_limit(c, k->n) : items_from(c, k->node, k->n);
}

static bool count_get(struct compiler *c, struct node *node, const char *name, long double *out)
{
    yyjson_val *v = node->resource->dialect == JSONSCHEMA_2020_12 ? json_get(node->json, name) : NULL;
    if (!v || node->resource->no_validation)
        return true;
    if (!yyjson_is_num(v) || yyjson_get_num(v) < 0)
        return compiler_invalid(c, name, "must be a non-negative integer");
    *out = (long double)yyjson_get_num(v);
    return true;
}

bool contains_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    k->number = 1;
    k->most = INFINITY;
    return one_compile(c, node, k) && count_get(c, node, "minContains", &k->number) &&
           count_get(c, node, "maxContains", &k->most);
}

bool contains_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    struct place at = keyword_place(c);
    size_t mark = c->run->errors_n;
    size_t i, n, found = 0;
    yyjson_mut_val *item;
    c->run->composite++;
    yyjson_mut_arr_foreach(c->value, i, n, item) {
        if (found >= k->number && !c->evaluated && isinf(k->most))
            break;
        if (item_check(c, k->node, item, i, &at)) {
            found++;
            evaluated_mark(c->evaluated, i);
        }
    }
    c->run->composite--;
    if (found >= k->number && found <= k->most) {
        errors_forget(c->run, mark);
        return true;
    }
    if (found > k->most || stands_alone(c))
        errors_forget(c->run, mark);
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    yyjson_mut_obj_add_uint(c->run->doc, params, "minContains", (uint64_t)k->number);
    if (isinf(k->most))
        return schema_error(c, params, STR_NULL, "must contain at least %.0Lf valid item(s)", k->number);
    yyjson_mut_obj_add_uint(c->run->doc, params, "maxContains", (uint64_t)k->most);
    return schema_error(c, params, STR_NULL, "must contain at least %.0Lf and no more than %.0Lf valid item(s)", k->number, k->most);
}

bool unevaluated_items_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    c->schema->tracks = true;
    return one_compile(c, node, k);
}

bool unevaluated_items_check(struct check *c)
{
    const struct node *node = c->keyword->node;
    struct place at = keyword_place(c);
    size_t i, n;
    yyjson_mut_val *item;
    bool valid = true;
    yyjson_mut_arr_foreach(c->value, i, n, item) {
        if (evaluated_has(c->evaluated, i))
            continue;
        if (node->is_boolean && !node->accepts)
            return items_limit(c, i);
        valid = item_check(c, node, item, i, &at) && valid;
        if (!valid && !c->run->options->all_errors)
            break;
    }
    c->evaluated->all = true;
    return valid;
}

/* ---- members ---- */

static struct str key_text(yyjson_mut_val *key)
{
    return (struct str){yyjson_mut_get_str(key), yyjson_mut_get_len(key)};
}

static bool member_check(struct check *c, const struct node *node, yyjson_mut_val *key, yyjson_mut_val *value,
                         const struct place *schema)
{
    struct place instance = name_place(c->instance, key_text(key));
    return schema_check(c, node, value, &instance, schema, evaluated_new(c->run, value));
}

static bool map_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (!yyjson_is_obj(k->value))
        return compiler_invalid(c, k->type->name, "must be object");
    k->n = yyjson_obj_size(k->value);
    k->nodes = ARENA_ARRAY(c->arena, const struct node *, k->n + 1);
    k->names = ARENA_ARRAY(c->arena, struct str, k->n + 1);
    yyjson_obj_foreach(k->value, i, n, key, v) {
        k->names[i] = json_str(key);
        if (!(k->nodes[i] = compiler_node(c, node->resource, v)))
            return false;
    }
    return true;
}

bool properties_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return map_compile(c, node, k);
}

/* In the order of the schema, as ajv reports. */
bool properties_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    struct place at = keyword_place(c);
    bool valid = true;
    if (!schema_work(c->run, (int64_t)k->n))
        return false;
    for (size_t i = 0; i < k->n && (valid || c->run->options->all_errors); i++) {
        size_t position = 0, n;
        yyjson_mut_val *key, *value;
        if (!schema_work(c->run, (int64_t)(yyjson_mut_obj_size(c->value) / 8)))
            return false;
        yyjson_mut_obj_foreach(c->value, position, n, key, value)
            if (str_eq(key_text(key), k->names[i])) {
                struct place step = name_place(&at, k->names[i]);
                valid = member_check(c, k->nodes[i], key, value, &step) && valid;
                evaluated_mark(c->evaluated, position);
            }
    }
    return valid;
}

static bool patterns_compile(struct compiler *c, struct keyword *k)
{
    k->patterns = ARENA_ARRAY(c->arena, struct regex *, k->n + 1);
    for (size_t i = 0; i < k->n; i++)
        if (!(k->patterns[i] = regex_compile(c->arena, k->names[i], c->err)))
            return false;
    return true;
}

bool pattern_properties_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return map_compile(c, node, k) && patterns_compile(c, k);
}

bool pattern_properties_check(struct check *c)
{
    const struct keyword *k = c->keyword;
    struct place at = keyword_place(c);
    bool valid = true;
    for (size_t i = 0; i < k->n; i++) {
        struct place step = name_place(&at, k->names[i]);
        size_t position, n;
        yyjson_mut_val *key, *value;
        yyjson_mut_obj_foreach(c->value, position, n, key, value) {
            if (!regex_matches(c->run, k->patterns[i], key_text(key)))
                continue;
            valid = member_check(c, k->nodes[i], key, value, &step) && valid;
            evaluated_mark(c->evaluated, position);
            if (!valid && !c->run->options->all_errors)
                return false;
        }
    }
    return valid;
}

/* Needs the names and patterns beside it. */
bool additional_properties_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    yyjson_val *properties = json_get(node->json, "properties"), *patterns = json_get(node->json, "patternProperties"), *key, *v;
    size_t i, n;
    struct keyword *named = ARENA_NEW(c->arena, struct keyword), *matched = ARENA_NEW(c->arena, struct keyword);
    named->value = properties;
    named->n = yyjson_obj_size(properties);
    named->names = ARENA_ARRAY(c->arena, struct str, named->n + 1);
    if (properties)
        yyjson_obj_foreach(properties, i, n, key, v)
            named->names[i] = json_str(key);
    matched->n = yyjson_obj_size(patterns);
    matched->names = ARENA_ARRAY(c->arena, struct str, matched->n + 1);
    if (patterns)
        yyjson_obj_foreach(patterns, i, n, key, v)
            matched->names[i] = json_str(key);
    k->properties = named;
    k->pattern_properties = matched;
    return one_compile(c, node, k) && patterns_compile(c, matched);
}

static bool is_additional(struct check *c, struct str name)
{
    const struct keyword *named = c->keyword->properties, *matched = c->keyword->pattern_properties;
    if (!schema_work(c->run, 1 + (int64_t)(named->n / 8)))
        return false;
    if (named->n && json_getn(named->value, name))
        return false;
    for (size_t i = 0; i < matched->n; i++)
        if (regex_matches(c->run, matched->patterns[i], name))
            return false;
    return true;
}

static bool member_refused(struct check *c, const char *param, const char *what, yyjson_mut_val *key)
{
    yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
    struct str name = key_text(key);
    yyjson_mut_obj_add_val(c->run->doc, params, param, yyjson_mut_strncpy(c->run->doc, name.p, name.n));
    return schema_error(c, params, STR_NULL, "must NOT have %s properties", what);
}

bool additional_properties_check(struct check *c)
{
    const struct node *node = c->keyword->node;
    struct place at = keyword_place(c);
    size_t position = 0;
    yyjson_mut_val *key;
    bool valid = true, removes = c->run->options->remove_additional;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(c->value);
    if (node->is_boolean && node->accepts && !c->evaluated)
        return true;
    while ((key = yyjson_mut_obj_iter_next(&it))) {
        size_t i = position++;
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        if (!is_additional(c, key_text(key)))
            continue;
        size_t mark = c->run->errors_n;
        evaluated_mark(c->evaluated, i);
        bool refused = node->is_boolean && !node->accepts, good = !refused && member_check(c, node, key, value, &at);
        if (good)
            continue;
        if (removes && !c->run->failed) {
            /* At once, as ajv does, also in branches that fail later. Where members are tracked by position, the rest
             * moves up; records of schemas around this one then err on the side of "evaluated". */
            errors_forget(c->run, mark);
            yyjson_mut_obj_iter_remove(&it);
            if (c->evaluated && i < c->evaluated->n) {
                memmove(c->evaluated->members + i, c->evaluated->members + i + 1, c->evaluated->n - i - 1);
                c->evaluated->n--;
            }
            position--;
            continue;
        }
        if (refused)
            member_refused(c, "additionalProperty", "additional", key);
        valid = false;
        if (!c->run->options->all_errors)
            break;
    }
    return valid;
}

bool unevaluated_properties_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    c->schema->tracks = true;
    return one_compile(c, node, k);
}

bool unevaluated_properties_check(struct check *c)
{
    const struct node *node = c->keyword->node;
    struct place at = keyword_place(c);
    size_t i, n;
    yyjson_mut_val *key, *value;
    bool valid = true;
    yyjson_mut_obj_foreach(c->value, i, n, key, value) {
        if (evaluated_has(c->evaluated, i))
            continue;
        bool refused = node->is_boolean && !node->accepts;
        if (!refused && member_check(c, node, key, value, &at))
            continue;
        if (refused)
            member_refused(c, "unevaluatedProperty", "unevaluated", key);
        valid = false;
        if (!c->run->options->all_errors)
            break;
    }
    c->evaluated->all = true;
    return valid;
}

bool property_names_compile(struct compiler *c, struct node *node, struct keyword *k)
{
    return one_compile(c, node, k);
}

bool property_names_check(struct check *c)
{
    struct place at = keyword_place(c);
    size_t i, n;
    yyjson_mut_val *key, *value;
    bool valid = true;
    c->run->composite++;
    yyjson_mut_obj_foreach(c->value, i, n, key, value) {
        struct str name = key_text(key);
        yyjson_mut_val *as_value = yyjson_mut_strn(c->run->doc, name.p, name.n);
        if (schema_check(c, c->keyword->node, as_value, c->instance, &at, evaluated_new(c->run, as_value)))
            continue;
        yyjson_mut_val *params = yyjson_mut_obj(c->run->doc);
        yyjson_mut_obj_add_val(c->run->doc, params, "propertyName", yyjson_mut_strncpy(c->run->doc, name.p, name.n));
        valid = schema_error(c, params, STR_NULL, "property name must be valid");
        if (!c->run->options->all_errors)
            break;
    }
    c->run->composite--;
    return valid;
}
