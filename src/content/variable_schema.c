/* Builds schemas and examples of the variables that templates see. */
#include "content/variable_schema.h"

#include "content/step_schema.h"

/* ---- what control values use ---- */
static void leaves_uses(struct arena *a, yyjson_val *v, struct template_report *report, int depth)
{
    yyjson_val *e, *document;
    if (depth > JSON_DEPTH_MAX)
        return;
    if (yyjson_is_str(v)) {
        document = block_document(a, json_str(v));
        template_check(a, document ? block_templates(a, document) : json_str(v), NULL, report);
        if (document)
            block_uses(a, document, report);
    } else if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while ((e = yyjson_arr_iter_next(&it)))
            leaves_uses(a, e, report, depth + 1);
    } else if (yyjson_is_obj(v)) {
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        while ((e = yyjson_obj_iter_next(&it)))
            leaves_uses(a, yyjson_obj_iter_get_val(e), report, depth + 1);
    }
}

/* {"var": "payload.x"} in a rule. */
static void rule_uses(struct arena *a, yyjson_val *v, struct template_report *report, int depth)
{
    yyjson_val *e;
    struct str name = json_get_str(v, "var");
    if (depth > JSON_DEPTH_MAX)
        return;
    if (str_starts(name, STR("payload.")) || str_starts(name, STR("subscriber.data.")) || str_starts(name, STR("context.")))
        template_check(a, str_fmt(a, "{{%.*s}}", STR_ARG(name)), NULL, report);
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while ((e = yyjson_arr_iter_next(&it)))
            rule_uses(a, e, report, depth + 1);
    } else if (yyjson_is_obj(v)) {
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        while ((e = yyjson_obj_iter_next(&it)))
            rule_uses(a, yyjson_obj_iter_get_val(e), report, depth + 1);
    }
}

void values_uses(struct arena *a, yyjson_val *values, struct template_report *report)
{
    leaves_uses(a, values, report, 0);
    rule_uses(a, json_get(values, "skip"), report, 0);
}

void workflow_uses(struct arena *a, const struct content_workflow *w, struct template_report *report)
{
    yyjson_val *step;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(w->doc, "steps"));
    while ((step = yyjson_arr_iter_next(&it)))
        values_uses(a, json_get(step, "controlValues"), report);
}

/* ---- an example of them ---- */
enum { ARRAY_EXAMPLES = 3 };

struct tree { struct str name; struct tree *child, *last, *next; bool array, condition; };

static struct tree *tree_child(struct arena *a, struct tree *t, struct str name)
{
    struct tree *c = t->child;
    while (c && !str_eq(c->name, name))
        c = c->next;
    if (c)
        return c;
    c = ARENA_NEW(a, struct tree);
    c->name = name;
    if (t->last)
        t->last->next = c;
    else
        t->child = c;
    return t->last = c;
}

/* What lists have by themselves says only that there is a list. */
static bool is_list_word(struct str part)
{
    return str_eqz(part, "size") || str_eqz(part, "length") || str_eqz(part, "first") || str_eqz(part, "last");
}

static void tree_insert(struct arena *a, struct tree *t, const struct template_use *use)
{
    struct str path = use->path, part;
    bool index;
    for (int depth = 0; depth < JSON_DEPTH_MAX / 2 && path_next(&path, &part, &index); depth++) {
        if (index || (depth > 1 && is_list_word(part))) {
            t->array = true;
            if (!index)
                return;
        } else {
            t = tree_child(a, t, part);
        }
    }
    t->array |= use->array;
    t->condition |= use->condition;
}

static yyjson_mut_val *tree_json(yyjson_mut_doc *d, const struct tree *t)
{
    if (!t->child)
        return t->condition ? yyjson_mut_bool(d, true) : json_mut_str(d, t->name);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    for (const struct tree *c = t->child; c; c = c->next) {
        yyjson_mut_val *v;
        if (c->array) {
            v = yyjson_mut_arr(d);
            for (int i = 0; i < ARRAY_EXAMPLES; i++)
                yyjson_mut_arr_append(v, tree_json(d, c));
        } else {
            v = tree_json(d, c);
        }
        yyjson_mut_obj_add(o, json_mut_str(d, c->name), v);
    }
    return o;
}

/* Lists in lists in lists would be 3^n elements. */
static void tree_limit(struct tree *t, int arrays)
{
    t->array &= arrays < 4;
    for (struct tree *c = t->child; c; c = c->next)
        tree_limit(c, arrays + t->array);
}

yyjson_mut_val *uses_example(struct arena *a, yyjson_mut_doc *d, const struct template_report *report)
{
    struct tree root = {0};
    for (size_t i = 0; i < report->uses_n; i++)
        tree_insert(a, &root, &report->uses[i]);
    tree_limit(&root, 0);
    return root.child ? tree_json(d, &root) : yyjson_mut_obj(d);
}

/* ---- schemas ---- */
static void add_type(yyjson_mut_doc *d, yyjson_mut_val *o, const char *type)
{
    yyjson_mut_obj_add_str(d, o, "type", type);
}

static yyjson_mut_val *value_schema(yyjson_mut_doc *d, yyjson_mut_val *v)
{
    yyjson_mut_val *s = yyjson_mut_obj(d);
    if (yyjson_mut_is_obj(v)) {
        s = example_schema(d, v);
        yyjson_mut_obj_remove_key(s, "additionalProperties");
    } else if (yyjson_mut_is_arr(v)) {
        add_type(d, s, "array");
        yyjson_mut_val *first = yyjson_mut_arr_get_first(v);
        yyjson_mut_obj_add_val(d, s, "items", first ? value_schema(d, first) : yyjson_mut_obj(d));
    } else if (yyjson_mut_is_null(v)) {
        add_type(d, s, "null");
    } else {
        add_type(d, s, yyjson_mut_is_str(v) ? "string" : yyjson_mut_is_bool(v) ? "boolean" : "number");
        yyjson_mut_obj_add_val(d, s, "default", yyjson_mut_val_mut_copy(d, v));
    }
    return s;
}

yyjson_mut_val *example_schema(yyjson_mut_doc *d, yyjson_mut_val *example)
{
    yyjson_mut_val *s = yyjson_mut_obj(d), *k;
    add_type(d, s, "object");
    yyjson_mut_val *properties = json_add_obj(d, s, "properties"), *required = json_add_arr(d, s, "required");
    if (yyjson_mut_is_obj(example)) {
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(example);
        while ((k = yyjson_mut_obj_iter_next(&it))) {
            yyjson_mut_obj_add(properties, yyjson_mut_val_mut_copy(d, k), value_schema(d, yyjson_mut_obj_iter_get_val(k)));
            yyjson_mut_arr_append(required, yyjson_mut_val_mut_copy(d, k));
        }
    }
    json_add_bool(d, s, "additionalProperties", true);
    return s;
}

/* {type:object, properties:{each name: a string}, required, additionalProperties:false} */
static yyjson_mut_val *closed_object(yyjson_mut_doc *d, const char *const *names, const char *const *required)
{
    yyjson_mut_val *s = yyjson_mut_obj(d);
    add_type(d, s, "object");
    yyjson_mut_val *properties = json_add_obj(d, s, "properties"), *list = json_add_arr(d, s, "required");
    for (; *names; names++)
        add_type(d, json_add_obj(d, properties, *names), "string");
    for (; *required; required++)
        yyjson_mut_arr_add_str(d, list, *required);
    json_add_bool(d, s, "additionalProperties", false);
    return s;
}

static yyjson_mut_val *person_schema(yyjson_mut_doc *d, yyjson_mut_val *example)
{
    static const char *const names[] = {"firstName", "lastName", "email", "phone", "avatar", "locale", "timezone",
                                        "subscriberId", NULL};
    static const char *const required[] = {"firstName", "lastName", "email", "subscriberId", NULL};
    yyjson_mut_val *s = closed_object(d, names, required), *properties = yyjson_mut_obj_get(s, "properties");
    add_type(d, json_add_obj(d, properties, "isOnline"), "boolean");
    yyjson_mut_val *seen = json_add_obj(d, properties, "lastOnlineAt");
    add_type(d, seen, "string");
    yyjson_mut_obj_add_str(d, seen, "format", "date-time");
    yyjson_mut_obj_add_val(d, properties, "data", example_schema(d, yyjson_mut_obj_get(example, "data")));
    return s;
}

static yyjson_mut_val *workflow_value_schema(yyjson_mut_doc *d)
{
    static const char *const names[] = {"workflowId", "name", "description", "severity", NULL};
    static const char *const required[] = {"workflowId", "name", NULL};
    yyjson_mut_val *s = closed_object(d, names, required), *properties = yyjson_mut_obj_get(s, "properties");
    yyjson_mut_val *tags = json_add_obj(d, properties, "tags");
    add_type(d, tags, "array");
    add_type(d, json_add_obj(d, tags, "items"), "string");
    return s;
}

static yyjson_mut_val *steps_schema(struct arena *a, yyjson_mut_doc *d, const struct content_workflow *w, size_t before)
{
    static const char *const none[] = {NULL};
    yyjson_mut_val *s = closed_object(d, none, none), *properties = yyjson_mut_obj_get(s, "properties");
    yyjson_val *step;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(w->doc, "steps"));
    for (size_t i = 0; i < before && (step = yyjson_arr_iter_next(&it)); i++)
        yyjson_mut_obj_put(properties, json_mut_str(d, json_get_str(step, "stepId")),
                           yyjson_is_obj(json_get(step, "resultSchema"))     /* of its code */
                               ? yyjson_val_mut_copy(d, json_get(step, "resultSchema"))
                               : step_result_schema(d, a, json_get_str(step, "type"), json_get(w->doc, "payloadSchema"),
                                                    json_get(step, "controlValues")));
    yyjson_mut_obj_add_str(d, s, "description", "Previous Steps Results");
    return s;
}

/* Every context has an id and free data; known are those that templates use. */
static yyjson_mut_val *context_schema(yyjson_mut_doc *d, yyjson_mut_val *example)
{
    static const char *const names[] = {"id", NULL}, *const none[] = {NULL};
    yyjson_mut_val *s = closed_object(d, none, none), *properties = yyjson_mut_obj_get(s, "properties"), *k;
    if (!yyjson_mut_is_obj(example))
        return s;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(example);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *entity = yyjson_mut_obj_iter_get_val(k);
        if (!yyjson_mut_is_obj(entity))
            continue;
        yyjson_mut_val *one = closed_object(d, names, names);
        yyjson_mut_obj_add_val(d, yyjson_mut_obj_get(one, "properties"), "data",
                               example_schema(d, yyjson_mut_obj_get(entity, "data")));
        yyjson_mut_obj_add(properties, yyjson_mut_val_mut_copy(d, k), one);
    }
    return s;
}

static yyjson_mut_val *env_schema(yyjson_mut_doc *d, const struct content_workflow *w)
{
    static const char *const names[] = {"name", "type", NULL}, *const none[] = {NULL};
    yyjson_mut_val *s = closed_object(d, names, none), *properties = yyjson_mut_obj_get(s, "properties");
    for (size_t i = 0; i < w->env_n; i++) {
        yyjson_mut_val *one = yyjson_mut_obj(d);
        add_type(d, one, "string");
        yyjson_mut_obj_put(properties, json_mut_str(d, w->env[i]), one);
    }
    return s;
}

static yyjson_mut_val *payload_schema(yyjson_mut_doc *d, const struct content_workflow *w, yyjson_mut_val *example)
{
    static const char *const none[] = {NULL};
    yyjson_val *own = json_get(w->doc, "payloadSchema");
    if (!yyjson_arr_size(json_get(w->doc, "steps"))) {
        yyjson_mut_val *s = closed_object(d, none, none);
        yyjson_mut_obj_remove_key(s, "required");
        yyjson_mut_obj_put(s, yyjson_mut_str(d, "additionalProperties"), yyjson_mut_bool(d, true));
        return s;
    }
    return yyjson_is_obj(own) ? yyjson_val_mut_copy(d, own) : example_schema(d, example);
}

yyjson_mut_val *variable_schema(struct arena *a, yyjson_mut_doc *d, const struct content_workflow *w, size_t step)
{
    struct template_report report = {0};
    yyjson_mut_val *s = yyjson_mut_obj(d);
    if (!w->uses)
        workflow_uses(a, w, &report);
    yyjson_mut_val *example = uses_example(a, d, w->uses ? w->uses : &report);
    add_type(d, s, "object");
    yyjson_mut_val *properties = json_add_obj(d, s, "properties");
    yyjson_mut_obj_add_val(d, properties, "workflow", workflow_value_schema(d));
    yyjson_mut_obj_add_val(d, properties, "subscriber", person_schema(d, yyjson_mut_obj_get(example, "subscriber")));
    yyjson_mut_obj_add_val(d, properties, "actor", person_schema(d, yyjson_mut_obj_get(example, "actor")));
    yyjson_mut_obj_add_val(d, properties, "steps", steps_schema(a, d, w, step));
    yyjson_mut_obj_add_val(d, properties, "payload", payload_schema(d, w, yyjson_mut_obj_get(example, "payload")));
    yyjson_mut_obj_add_val(d, properties, "context", context_schema(d, yyjson_mut_obj_get(example, "context")));
    yyjson_mut_obj_add_val(d, properties, "env", env_schema(d, w));
    json_add_bool(d, s, "additionalProperties", false);
    return s;
}
