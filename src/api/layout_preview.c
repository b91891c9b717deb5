/* POST /v2/layouts/{layoutId}/preview: the layout around a placeholder (content.md §3.6); always 201. */
#include "api/layout_preview.h"

#include "api/workflow_content.h"
#include "content/preview.h"
#include "model/layout.h"

void layout_handle_preview(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct layout l;
    struct workflow_content content;
    struct error err = {0};
    yyjson_val *values = check_object(&checks, rq->json, "controlValues", false), *doc = NULL, *flow = NULL;
    struct preview_input in = {.payload = check_object(&checks, rq->json, "previewPayload", false), .now_ms = app_now(rq)};
    if (!checks_done(&checks))
        return;
    if (!layout_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "layoutId"), &l, &err)
        || !workflow_content_load(rq, &content, &err) || !json_parse(rq->arena, l.doc, &doc, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            reply_json_text(rq, 0, STR("{\"result\":{\"type\":\"email\",\"preview\":{\"body\":\"\"}},\"previewPayloadExample\":{},\"schema\":null}"));
        else
            reply_error(rq, &err);
        return;
    }
    json_parse(rq->arena, STR("{\"origin\":\"novu-cloud\"}"), &flow, NULL);
    struct content_workflow cw = {.doc = flow, .env = content.env, .env_n = content.env_n};
    in.workflow = &cw;
    in.environment_name = content.environment_name;
    in.environment_type = content.environment_type;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct preview p = preview_layout(rq->arena, d, values ? values : json_get(doc, "values"), &in);
    yyjson_mut_val *shown = yyjson_mut_obj_get(p.result, "preview");
    if (!yyjson_mut_obj_get(shown, "body"))         /* clients require it */
        json_add_str(d, shown, "body", STR(""));
    yyjson_mut_obj_add_val(d, o, "result", p.result);
    yyjson_mut_obj_add_val(d, o, "previewPayloadExample", p.example);
    yyjson_mut_obj_add_val(d, o, "schema", p.schema);
    reply_json(rq, 0, o);
}
