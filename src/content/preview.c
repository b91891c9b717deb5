/* Renders a step or layout with made-up data. */
#include "content/preview_private.h"

#include "content/controls.h"
#include "content/jsonschema.h"
#include "content/sanitize.h"
#include "content/step_schema.h"

enum { VARIABLES_MAX = 8 };
#define PLACEHOLDER "<p>Dynamic placeholder content</p>"

struct renderer {
    struct arena *a;
    yyjson_mut_doc *d;
    const struct preview_input *in;
    struct liquid_variable variables[VARIABLES_MAX];
    struct liquid_context ctx;
};

static yyjson_val *parsed(struct arena *a, yyjson_mut_val *v)
{
    yyjson_val *out = NULL;
    json_parse(a, json_write_mut(a, v), &out, NULL);
    return out;
}

static yyjson_val *workflow_value(struct renderer *r)
{
    yyjson_val *doc = r->in->workflow->doc;
    yyjson_mut_val *o = yyjson_mut_obj(r->d);
    json_add_str(r->d, o, "workflowId", r->in->workflow_id);
    json_add_str(r->d, o, "name", r->in->workflow_name);
    json_add_str(r->d, o, "description", json_get_str(doc, "description").p ? json_get_str(doc, "description") : STR(""));
    json_add_val(r->d, o, "tags", json_get(doc, "tags"));
    json_add_val(r->d, o, "severity", json_get(doc, "severity"));
    return parsed(r->a, o);
}

static void variables_fill(struct renderer *r, yyjson_val *example)
{
    static const char *const names[] = {"payload", "subscriber", "actor", "steps", "context", "env"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get(example, names[i]))
            r->variables[n++] = (struct liquid_variable){str_of(names[i]), json_get(example, names[i])};
    r->variables[n++] = (struct liquid_variable){STR("workflow"), workflow_value(r)};
    r->ctx = (struct liquid_context){.variables = r->variables, .variables_n = n, .mode = LIQUID_PLAIN, .now_ms = r->in->now_ms};
}

static struct str text_at(yyjson_mut_val *o, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(o, key);
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

static void add_text(struct renderer *r, yyjson_mut_val *to, yyjson_mut_val *from, const char *key)
{
    struct str s = text_at(from, key);
    json_add_str(r->d, to, key, s.p ? s : STR(""));
}

static bool controls_show(struct renderer *r, yyjson_mut_val *values, yyjson_mut_val **out, struct error *err)
{
    yyjson_val *translated;
    if (!controls_render(controls_compile(r->a, parsed(r->a, values)), &r->ctx, r->a, r->d, out, err))
        return false;
    if (!r->in->texts)
        return true;
    if (!translate_values(&(struct translator){*r->in->texts, &r->ctx}, r->a, parsed(r->a, *out), &translated, err))
        return false;
    *out = yyjson_val_mut_copy(r->d, translated);
    return true;
}

static bool preview_email(struct renderer *r, yyjson_mut_val *values, yyjson_mut_val **out, struct error *err)
{
    struct str source = text_at(values, "body");
    yyjson_mut_val *rendered;
    yyjson_mut_obj_remove_key(values, "body");
    if (!controls_show(r, values, &rendered, err))
        return false;
    yyjson_mut_val *raw = yyjson_mut_obj_get(values, "disableOutputSanitization");
    struct email_input in = {.body = email_body_compile(r->a, source.p ? source : STR("")), .subject = text_at(rendered, "subject"),
                             .preheader = text_at(rendered, "preheader"), .layout = r->in->layout, .raw = yyjson_mut_is_true(raw),
                             .texts = r->in->texts, .layout_texts = r->in->layout_texts};
    struct email_output mail;
    if (!email_render(&in, &r->ctx, r->a, &mail, err))
        return false;
    *out = yyjson_mut_obj(r->d);
    json_add_str(r->d, *out, "subject", mail.subject.p ? mail.subject : STR(""));
    json_add_str(r->d, *out, "body", mail.html.p ? mail.html : STR(""));
    return true;
}

/* What digests and delays say must fit the step's output; others show what they have. */
static bool output_fits(struct renderer *r, struct str type, yyjson_mut_val *values, yyjson_mut_val **out, struct error *err)
{
    struct jsonschema_options o = {.use_defaults = true, .remove_additional = true};
    struct jsonschema_result result;
    yyjson_val *schema = step_schema(r->a, type, STEP_SCHEMA_OUTPUT);
    struct jsonschema *program = schema ? jsonschema_compile(r->a, schema, NULL, NULL) : NULL;
    *out = values;
    if (!program)
        return true;
    if (!jsonschema_validate_mut(program, values, &o, r->a, r->d, &result, err))
        return false;
    *out = result.value;
    if (result.valid)
        return true;
    struct str path = result.errors[0].instance_path, message = result.errors[0].message;
    return error_set(err, ERROR_BAD_INPUT, "%.*s %.*s", STR_ARG(path.n ? str_sub(path, 1, path.n) : STR("The step")), STR_ARG(message));
}

static bool preview_other(struct renderer *r, struct str type, yyjson_mut_val *values, yyjson_mut_val **out, struct error *err)
{
    static const char *const texts[][3] = {{"sms", "body"}, {"tool", "body"}, {"push", "subject", "body"}, {"chat", "body"}};
    bool raw = yyjson_mut_is_true(yyjson_mut_obj_get(values, "disableOutputSanitization"));
    yyjson_mut_val *rendered;
    if (!controls_show(r, values, &rendered, err))
        return false;
    *out = rendered;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (str_eqz(type, texts[i][0])) {
            *out = yyjson_mut_obj(r->d);
            for (int k = 1; k < 3 && texts[i][k]; k++)
                add_text(r, *out, rendered, texts[i][k]);
            return true;
        }
    if (str_eqz(type, "in_app")) {
        yyjson_mut_obj_remove_key(rendered, "disableOutputSanitization");
        if (!raw)
            sanitize_json_mut(r->a, rendered);
        if (!text_at(rendered, "body").p)
            json_add_str(r->d, rendered, "body", STR(""));
        return true;
    }
    if (str_eqz(type, "delay") || str_eqz(type, "digest") || str_eqz(type, "throttle"))
        return output_fits(r, type, rendered, out, err);
    return true;
}

/* Written in the block editor: what the chat will show. */
static bool preview_chat(struct renderer *r, const struct email_body *body, yyjson_mut_val **out, struct error *err)
{
    struct chat_content chat;
    if (!email_body_chat(body, r->in->texts, &r->ctx, r->a, &chat, err))
        return false;
    *out = yyjson_mut_obj(r->d);
    json_add_str(r->d, *out, "body", chat.text);
    json_add_val(r->d, *out, "card", chat.card);
    return true;
}

void preview_add_error(yyjson_mut_doc *d, yyjson_mut_val *result, struct str message, const char *hint)
{
    json_add_obj(d, result, "preview");
    yyjson_mut_val *o = json_add_obj(d, result, "error");
    json_add_str(d, o, "title", STR("The step cannot be previewed"));
    json_add_str(d, o, "message", message);
    json_add_str(d, o, "hint", str_of(hint));
}

static struct preview preview_make(struct arena *a, yyjson_mut_doc *d, struct str type, yyjson_mut_val *values,
                                   const struct preview_input *in, struct preview p)
{
    struct renderer r = {.a = a, .d = d, .in = in};
    struct error err = {0};
    yyjson_mut_val *out = NULL;
    variables_fill(&r, parsed(a, p.example));
    p.result = yyjson_mut_obj(d);
    json_add_str(d, p.result, "type", type);
    const struct email_body *chat = str_eqz(type, "chat") ? email_body_of_chat(a, parsed(a, values)) : NULL;
    bool ok = str_eqz(type, "email") ? preview_email(&r, values, &out, &err) : chat ? preview_chat(&r, chat, &out, &err)
                                     : preview_other(&r, type, values, &out, &err);
    if (ok)
        yyjson_mut_obj_add_val(d, p.result, "preview", out ? out : yyjson_mut_obj(d));
    else
        preview_add_error(d, p.result, str_dup(a, str_of(err.message)), "Correct the step's content, or the data of the preview.");
    return p;
}

/* The step's variables, and any payload that its templates use. */
static yyjson_val *variables_of(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in)
{
    yyjson_mut_val *schema = variable_schema(a, d, in->workflow, in->step);
    yyjson_mut_val *payload = yyjson_mut_obj_get(yyjson_mut_obj_get(schema, "properties"), "payload");
    yyjson_mut_obj_put(payload, yyjson_mut_str(d, "additionalProperties"), yyjson_mut_bool(d, true));
    return parsed(a, schema);
}

struct preview preview_step(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in)
{
    yyjson_val *doc = in->workflow->doc, *step = yyjson_arr_get(json_get(doc, "steps"), in->step);
    yyjson_val *values = yyjson_is_obj(in->values) ? in->values : json_get(step, "controlValues");
    struct str type = json_get_str(step, "type");
    struct preview p = {.example = preview_example(a, d, in, values), .schema = variable_schema(a, d, in->workflow, in->step)};
    return preview_make(a, d, type, preview_values(a, d, json_get_str(doc, "origin"), type, values, variables_of(a, d, in)), in, p);
}

struct preview preview_step_of_code(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in)
{
    yyjson_val *step = yyjson_arr_get(json_get(in->workflow->doc, "steps"), in->step);
    yyjson_val *values = yyjson_is_obj(in->values) ? in->values : json_get(step, "controlValues");
    struct preview p = {.example = preview_example(a, d, in, values), .schema = variable_schema(a, d, in->workflow, in->step),
                        .result = yyjson_mut_obj(d)};
    json_add_val(d, p.result, "type", json_get(step, "type"));
    return p;
}

void preview_add_outputs(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, struct preview *p, yyjson_val *outputs)
{
    struct renderer r = {.a = a, .d = d, .in = in};
    struct error err = {0};
    variables_fill(&r, parsed(a, p->example));
    if (in->texts && !translate_values(&(struct translator){*in->texts, &r.ctx}, a, outputs, &outputs, &err))
        preview_add_error(d, p->result, str_dup(a, str_of(err.message)), "Correct the step's texts, or the data of the preview.");
    else
        json_add_val(d, p->result, "preview", outputs);
}

struct preview preview_layout(struct arena *a, yyjson_mut_doc *d, yyjson_val *values, const struct preview_input *in)
{
    struct preview p = {.example = preview_example(a, d, in, values), .schema = variable_schema(a, d, in->workflow, 0)};
    struct str body = json_get_str(json_get(values, "email"), "body");
    struct email_layout layout = {.name = STR("preview"), .body = email_body_compile(a, body.p ? body : STR(EMAIL_LAYOUT_NONE))};
    struct preview_input around = *in;
    yyjson_mut_val *step = yyjson_mut_obj(d);
    around.layout = &layout;
    json_add_str(d, step, "subject", STR("preview"));
    json_add_str(d, step, "body", STR(PLACEHOLDER));
    p = preview_make(a, d, STR("email"), step, &around, p);
    yyjson_mut_obj_remove_key(yyjson_mut_obj_get(p.result, "preview"), "subject");
    return p;
}
