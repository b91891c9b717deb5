/* What a bridge is sent for a preview. */
#include "api/bridge_call.h"

static void add_or_empty(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_val *v)
{
    if (yyjson_is_obj(v))
        json_add_val(d, o, key, v);
    else
        json_add_obj(d, o, key);
}

static void add_result(yyjson_mut_doc *d, yyjson_mut_val *list, struct str step, yyjson_val *outputs)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, o, "stepId", step);
    add_or_empty(d, o, "outputs", outputs);
    json_add_str(d, json_add_obj(d, o, "state"), "status", STR("completed"));
}

/* The results that earlier steps are to have had. */
static void add_state(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *steps)
{
    yyjson_mut_val *list = json_add_arr(d, o, "state");
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(steps);
    add_result(d, list, STR("trigger"), NULL);
    while ((k = yyjson_obj_iter_next(&it)))
        add_result(d, list, json_str(k), yyjson_obj_iter_get_val(k));
}

struct str bridge_preview_body(struct arena *a, const struct environment_view *v, yyjson_val *controls, yyjson_val *example)
{
    static const char *const copied[] = {"payload", "subscriber", "context"};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d), *env;
    yyjson_val *whole = NULL;
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        add_or_empty(d, o, copied[i], json_get(example, copied[i]));
    if (yyjson_is_obj(json_get(example, "actor")))
        json_add_val(d, o, "actor", json_get(example, "actor"));
    add_or_empty(d, o, "controls", controls);
    add_state(d, o, json_get(example, "steps"));
    add_or_empty(d, o, "env", v->environment_variables);
    env = yyjson_mut_obj_get(o, "env");
    yyjson_mut_obj_remove_key(env, "name");
    yyjson_mut_obj_remove_key(env, "type");
    json_add_str(d, env, "name", v->environment.name);
    json_add_str(d, env, "type", v->environment.type);
    json_parse(a, json_write_mut(a, o), &whole, NULL);
    return json_write_js(a, whole);
}
