/* A validation run: schema against value, what is evaluated, what is limited. */
#include "content/jsonschema/schema.h"

bool schema_work(struct run *r, int64_t n)
{
    r->work -= n;
    if (r->work >= 0)
        return !r->failed;
    if (!r->failed)
        error_set(r->err, ERROR_BAD_INPUT, "schema validation needs too much work");
    r->failed = true;
    return false;
}

unsigned schema_types(yyjson_mut_val *v)
{
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_NULL: return IS_NULL;
    case YYJSON_TYPE_BOOL: return IS_BOOL;
    case YYJSON_TYPE_STR: return IS_STRING;
    case YYJSON_TYPE_ARR: return IS_ARRAY;
    case YYJSON_TYPE_OBJ: return IS_OBJECT;
    case YYJSON_TYPE_NUM: {
        double d = yyjson_mut_get_num(v);
        return IS_NUMBER | (yyjson_mut_is_int(v) || d == trunc(d) ? IS_INTEGER : 0);
    }
    default: return 0;
    }
}

struct evaluated *evaluated_new(struct run *r, yyjson_mut_val *value)
{
    if (!r->schema->tracks)
        return NULL;
    struct evaluated *e = ARENA_NEW(r->arena, struct evaluated);
    e->n = yyjson_mut_is_arr(value) ? yyjson_mut_arr_size(value) : yyjson_mut_obj_size(value);
    schema_work(r, (int64_t)(e->n / 16));
    e->members = arena_alloc(r->arena, e->n + 1);
    return e;
}

void evaluated_merge(struct evaluated *into, const struct evaluated *from)
{
    if (!into)
        return;
    into->all = into->all || from->all;
    into->first = from->first > into->first ? from->first : into->first;
    for (size_t i = 0; i < into->n; i++)
        into->members[i] |= i >= from->n || from->members[i];
}

static void default_add(struct run *r, yyjson_mut_val *object, struct str name, yyjson_val *value)
{
    size_t nodes = (size_t)(unsafe_yyjson_get_next(value) - value);
    if (!schema_work(r, (int64_t)nodes))
        return;
    yyjson_mut_obj_add(object, yyjson_mut_strncpy(r->doc, name.p, name.n), yyjson_val_mut_copy(r->doc, value));
}

/* Defaults come before the keywords for objects and arrays look: a required property with a default is never missing.
 * As in ajv, what applies to any type ($ref, enum, anyOf, …) has looked before. */
static void defaults_assign(struct check *c)
{
    const struct keyword *k = c->types & IS_OBJECT ? c->node->properties : NULL;
    for (size_t i = 0; k && i < k->n; i++) {
        yyjson_val *value = json_get(k->nodes[i]->json, "default");
        if (value && schema_work(c->run, 1 + (int64_t)(yyjson_mut_obj_size(c->value) / 8)) &&
            !yyjson_mut_obj_getn(c->value, k->names[i].p, k->names[i].n))
            default_add(c->run, c->value, k->names[i], value);
    }
    k = c->types & IS_ARRAY ? c->node->tuple : NULL;
    for (size_t i = 0; k && i < k->n; i++) {
        yyjson_val *value = json_get(k->nodes[i]->json, "default");
        if (value && yyjson_mut_arr_size(c->value) == i)
            yyjson_mut_arr_append(c->value, yyjson_val_mut_copy(c->run->doc, value));
    }
}

static bool keywords_check(struct check *c)
{
    struct run *r = c->run;
    bool valid = true, defaults = r->options->use_defaults && !r->composite;
    for (size_t i = 0; i < c->node->keywords_n && !r->failed; i++) {
        c->keyword = &c->node->keywords[i];
        if (defaults && c->keyword->type->types != IS_ANY) {
            defaults_assign(c);
            defaults = false;
        }
        if (!(c->keyword->type->types & c->types))
            continue;
        if (!schema_work(r, 1))
            return false;
        if (c->keyword->type->check(c))
            continue;
        valid = false;
        if (!r->options->all_errors)
            break;
    }
    return valid && !r->failed;
}

bool schema_check(struct check *from, const struct node *node, yyjson_mut_val *value, const struct place *instance,
                  const struct place *schema, struct evaluated *evaluated)
{
    struct run *r = from->run;
    struct check c = {.run = r, .node = node, .value = value, .types = schema_types(value), .instance = instance,
                      .schema = schema, .evaluated = evaluated};
    const struct scope *outer = r->scope;
    struct scope scope = {outer, node->resource};
    bool valid = false;
    if (node->is_boolean)
        return node->accepts || schema_error(&c, NULL, STR_NULL, "boolean schema is false");
    if (++r->depth > SCHEMA_DEPTH_MAX) {
        if (!r->failed)
            error_set(r->err, ERROR_BAD_INPUT, "schema recurses deeper than %d levels", SCHEMA_DEPTH_MAX);
        r->failed = true;
    } else {
        if (!outer || outer->resource != node->resource)
            r->scope = &scope;
        valid = keywords_check(&c);
    }
    r->scope = outer;
    r->depth--;
    return valid;
}

bool jsonschema_validate_mut(const struct jsonschema *s, yyjson_mut_val *value, const struct jsonschema_options *o,
                             struct arena *a, yyjson_mut_doc *d, struct jsonschema_result *out, struct error *err)
{
    static const struct jsonschema_options usual = {0};
    struct run r = {.schema = s, .options = o ? o : &usual, .arena = a, .doc = d, .err = err, .work = SCHEMA_WORK_MAX};
    struct place start = {.name = STR("#"), .kind = PLACE_START};
    struct check c = {.run = &r};
    *out = (struct jsonschema_result){.value = value};
    out->valid = schema_check(&c, s->root, value, NULL, &start, evaluated_new(&r, value));
    if (r.failed)
        return false;
    out->errors = r.errors;
    out->errors_n = out->valid ? 0 : r.errors_n;
    return true;
}

bool jsonschema_validate(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a,
                         yyjson_mut_doc *d, struct jsonschema_result *out, struct error *err)
{
    return jsonschema_validate_mut(s, yyjson_val_mut_copy(d, value), o, a, d, out, err);
}
