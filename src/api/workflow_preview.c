/* POST /v2/workflows/{workflowId}/step/{stepId}/preview (content.md §3.6): always 201. */
#include "api/bridge_call.h"
#include "api/call.h"
#include "api/preview_texts.h"
#include "api/workflow_private.h"
#include "api/workflow_view.h"
#include "content/preview.h"
#include "engine/http_request.h"
#include "model/layout.h"

static void reply_nothing(struct request *rq)
{
    reply_json_text(rq, 0, STR("{\"result\":{\"preview\":{}},\"previewPayloadExample\":{},\"schema\":null}"));
}

/* The layout that the values ask for; one that is not there is none. */
static void layout_find_for(struct request *rq, yyjson_val *values, struct preview_input *in)
{
    struct str wanted = json_get_str(values, "layoutId");
    struct layout l;
    struct error err = {0};
    yyjson_val *doc;
    if (!wanted.n || !layout_find(app_db(rq), rq->arena, rq->principal.environment, wanted, &l, &err)
        || !json_parse(rq->arena, l.doc, &doc, NULL))
        return;
    struct str body = json_get_str(json_get(json_get(doc, "values"), "email"), "body");
    struct email_layout *out = ARENA_NEW(rq->arena, struct email_layout);
    *out = (struct email_layout){.name = l.name, .identifier = l.identifier, .id = id_str(rq->arena, l.id),
                                 .body = email_body_compile(rq->arena, body.p ? body : STR(EMAIL_LAYOUT_NONE))};
    in->layout = out;
    in->layout_texts = preview_texts(rq, TRANSLATED_LAYOUT, l.identifier, doc);
}

/* How the request of an HTTP step would be signed, as an example. */
static void add_signature(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct preview *p)
{
    struct environment_view *v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, NULL);
    yyjson_val *values = NULL;
    struct str body;
    struct error err = {0};
    if (v && json_parse(rq->arena, json_write_mut(rq->arena, yyjson_mut_obj_get(p->result, "preview")), &values, NULL)
        && http_request_body(rq->arena, values, &body, &err))
        json_add_str(d, o, "novuSignature", call_signature(rq->arena, v->secret, body));
    if (v)
        cached_unref(&v->head);
}

static void reply_preview(struct request *rq, yyjson_mut_doc *d, const struct preview *p)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, o, "result", p->result);
    yyjson_mut_obj_add_val(d, o, "previewPayloadExample", p->example);
    yyjson_mut_obj_add_val(d, o, "schema", p->schema);
    if (yyjson_mut_equals_str(yyjson_mut_obj_get(p->result, "type"), "http_request"))
        add_signature(rq, d, o, p);
    reply_json(rq, 0, o);
}

/* --- code-first: the application's bridge knows what the step shows -------------------------------------------------- */

struct code_preview {
    struct bridge_call call;
    yyjson_mut_doc *d;
    struct preview_input in;
    struct content_workflow workflow;       /* in points to it */
    struct preview made;
};

#define BRIDGE_HINT "Look at the application, and at the environment's bridge URL."

static void code_previewed(struct bridge_call *c, const struct bridge_answer *said)
{
    struct code_preview *x = (struct code_preview *)c;
    yyjson_val *outputs = json_get(said->body, "outputs");
    if (yyjson_is_obj(outputs))
        preview_add_outputs(c->rq->arena, x->d, &x->in, &x->made, outputs);
    else
        preview_add_error(x->d, x->made.result, said->body ? STR("The bridge's answer has no outputs") : said->message, BRIDGE_HINT);
    reply_preview(c->rq, x->d, &x->made);
}

static void preview_code(struct request *rq, const struct preview_input *in)
{
    struct code_preview *x = ARENA_NEW(rq->arena, struct code_preview);
    struct error err = {0};
    yyjson_val *example = NULL, *step = yyjson_arr_get(json_get(in->workflow->doc, "steps"), in->step);
    struct environment_view *v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, &err);
    if (!v) {
        reply_error(rq, &err);
        return;
    }
    x->d = json_doc(rq->arena);
    x->in = *in;
    x->workflow = *in->workflow;
    x->in.workflow = &x->workflow;
    x->made = preview_step_of_code(rq->arena, x->d, in);
    json_parse(rq->arena, json_write_mut(rq->arena, x->made.example), &example, NULL);
    x->call = (struct bridge_call){.rq = rq, .action = "preview", .workflow = in->workflow_id, .step = json_get_str(step, "stepId"),
                                   .url = str_dup(rq->arena, json_get_str(json_get(v->settings, "bridge"), "url")), .done = code_previewed};
    x->call.body = bridge_preview_body(rq->arena, v, yyjson_is_obj(in->values) ? in->values : json_get(step, "controlValues"), example);
    if (x->call.url.n) {
        bridge_call_start(&x->call, v);
    } else {
        preview_add_error(x->d, x->made.result, STR("The environment has no bridge URL"), BRIDGE_HINT);
        reply_preview(rq, x->d, &x->made);
    }
    cached_unref(&v->head);
}

/* --------------------------------------------------------------------------------------------------------------------- */

void workflow_handle_preview(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow w;
    struct workflow_content content;
    struct error err = {0};
    struct preview_input in = {.values = check_object(&checks, rq->json, "controlValues", false),
                               .payload = check_object(&checks, rq->json, "previewPayload", false), .now_ms = app_now(rq)};
    yyjson_val *doc;
    if (!checks_done(&checks))
        return;
    if (!workflow_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "workflowId"), &w, &err)
        || !workflow_content_load(rq, &content, &err) || !json_parse(rq->arena, w.doc, &doc, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            reply_nothing(rq);
        else
            reply_error(rq, &err);
        return;
    }
    int step = workflow_step_find(doc, request_param(rq, "stepId"));
    if (step < 0) {
        reply_nothing(rq);
        return;
    }
    struct content_workflow cw = {.doc = doc, .env = content.env, .env_n = content.env_n};
    in.workflow = &cw;
    in.step = (size_t)step;
    in.workflow_id = w.identifier;
    in.workflow_name = w.name;
    in.environment_name = content.environment_name;
    in.environment_type = content.environment_type;
    in.texts = preview_texts(rq, TRANSLATED_WORKFLOW, w.identifier, doc);
    if (str_eqz(json_get_str(doc, "origin"), "external")) {
        preview_code(rq, &in);
        return;
    }
    layout_find_for(rq, in.values ? in.values : json_get(yyjson_arr_get(json_get(doc, "steps"), in.step), "controlValues"), &in);
    yyjson_mut_doc *d = json_doc(rq->arena);
    struct preview p = preview_step(rq->arena, d, &in);
    reply_preview(rq, d, &p);
}
