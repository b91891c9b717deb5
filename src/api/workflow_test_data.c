/* GET /v2/workflows/{workflowId}/test-data: schemas of whom and with what a workflow can be tried out, with values to begin
 * with (rest-api.md §6.8, dashboard.md §2.3).
 */
#include "api/workflow_private.h"
#include "content/json_mock.h"
#include "content/variable_schema.h"

enum { DEPTH_MAX = 10 };

static yyjson_mut_val *member(yyjson_mut_doc *d, yyjson_mut_val *schema, const char *name, struct str otherwise)
{
    yyjson_mut_val *o = json_add_obj(d, yyjson_mut_obj_get(schema, "properties"), name);
    json_add_str(d, o, "type", STR("string"));
    json_add_str(d, o, "default", otherwise);
    yyjson_mut_arr_add_str(d, yyjson_mut_obj_get(schema, "required"), name);
    return o;
}

static bool has_step(yyjson_val *doc, const char *type)
{
    yyjson_val *step;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "steps"));
    while ((step = yyjson_arr_iter_next(&it)))
        if (str_eqz(json_get_str(step, "type"), type))
            return true;
    return false;
}

static yyjson_mut_val *to_schema(struct request *rq, yyjson_mut_doc *d, yyjson_val *doc)
{
    yyjson_mut_val *s = yyjson_mut_obj(d);
    json_add_str(d, s, "type", STR("object"));
    json_add_obj(d, s, "properties");
    json_add_arr(d, s, "required");
    member(d, s, "subscriberId", id_str(rq->arena, rq->principal.user));
    if (has_step(doc, "email"))
        json_add_str(d, member(d, s, "email", STR("")), "format", STR("email"));
    if (has_step(doc, "sms"))
        member(d, s, "phone", STR(""));
    json_add_bool(d, s, "additionalProperties", false);
    return s;
}

/* Every member of a schema gets a default: texts are named after their place, everything else fits its type. */
static void defaults_add(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *schema, struct str place, int depth)
{
    yyjson_mut_val *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(yyjson_mut_obj_get(schema, "properties"));
    while (depth < DEPTH_MAX && (k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *one = yyjson_mut_obj_iter_get_val(k), *type = yyjson_mut_obj_get(one, "type");
        struct buf below = {.arena = rq->arena};
        yyjson_val *plain;
        buf_str(&below, place);
        buf_char(&below, '.');
        buf_str(&below, (struct str){yyjson_mut_get_str(k), yyjson_mut_get_len(k)});
        if (!yyjson_mut_is_obj(one) || yyjson_mut_obj_get(one, "default"))
            continue;
        if (yyjson_mut_equals_str(type, "object"))
            defaults_add(rq, d, one, buf_finish(&below), depth + 1);
        else if (!type || yyjson_mut_equals_str(type, "string"))
            json_add_str(d, one, "default", str_fmt(rq->arena, "{{%.*s}}", (int)below.n, below.p));
        else if (json_parse(rq->arena, json_write_mut(rq->arena, one), &plain, NULL))
            yyjson_mut_obj_add_val(d, one, "default", json_mock(rq->arena, d, plain, app_now(rq)));
    }
}

static yyjson_mut_val *payload_schema(struct request *rq, yyjson_mut_doc *d, yyjson_val *doc)
{
    yyjson_val *own = json_get(doc, "payloadSchema");
    struct content_workflow w = {.doc = doc};
    struct template_report uses = {0};
    yyjson_mut_val *s;
    if (yyjson_obj_size(json_get(own, "properties"))) {
        s = yyjson_val_mut_copy(d, own);
    } else {
        workflow_uses(rq->arena, &w, &uses);
        s = example_schema(d, yyjson_mut_obj_get(uses_example(rq->arena, d, &uses), "payload"));
    }
    if (!yyjson_mut_obj_size(yyjson_mut_obj_get(s, "properties")))
        return yyjson_mut_obj(d);
    defaults_add(rq, d, s, STR("payload"), 0);
    return s;
}

void workflow_handle_test_data(struct request *rq)
{
    struct workflow w;
    struct error err = {0};
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!workflow_load(rq, &w))
        return;
    if (!json_parse(rq->arena, w.doc, &doc, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_obj_add_val(d, o, "to", to_schema(rq, d, doc));
    yyjson_mut_obj_add_val(d, o, "payload", payload_schema(rq, d, doc));
    reply_json(rq, 0, o);
}
