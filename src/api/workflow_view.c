/* Makes the wire form of workflows and their steps. */
#include "api/workflow_view.h"

#include "content/json_mock.h"
#include "content/jsonschema.h"
#include "content/step_schema.h"

/* Members that clients with closed types would refuse are left out: one bad value must not make the whole workflow
 * unreadable. Its issues name it, and sessions see it. */
static void drop_unfit(yyjson_mut_doc *d, struct arena *a, struct str type, yyjson_mut_val *values)
{
    struct jsonschema_options o = {.all_errors = true};
    struct jsonschema_result r;
    yyjson_val *schema = step_schema(a, type, STEP_SCHEMA_WIRE);
    struct jsonschema *program = schema ? jsonschema_compile(a, schema, NULL, NULL) : NULL;
    if (!program || !jsonschema_validate_mut(program, values, &o, a, d, &r, NULL))
        return;
    for (size_t i = 0; !r.valid && i < r.errors_n; i++) {
        struct str rest = str_sub(r.errors[i].instance_path, 1, r.errors[i].instance_path.n);
        const char *slash = memchr(rest.p ? rest.p : "", '/', rest.n);
        yyjson_mut_obj_remove_keyn(values, rest.p ? rest.p : "", slash ? (size_t)(slash - rest.p) : rest.n);
    }
}

/* What closed types require. */
static void add_required(yyjson_mut_doc *d, struct str type, yyjson_mut_val *values)
{
    if (str_eqz(type, "email") && !yyjson_mut_obj_get(values, "subject"))
        json_add_str(d, values, "subject", STR(""));
    if (str_eqz(type, "http_request") && !yyjson_mut_obj_get(values, "method"))
        json_add_str(d, values, "method", STR("GET"));
    if (str_eqz(type, "http_request") && !yyjson_mut_obj_get(values, "url"))
        json_add_str(d, values, "url", STR(""));
}

static yyjson_mut_val *values_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, yyjson_val *step)
{
    yyjson_val *values = json_get(step, "controlValues");
    struct str type = json_get_str(step, "type");
    yyjson_mut_val *o = yyjson_is_obj(values) ? yyjson_val_mut_copy(d, values) : yyjson_mut_obj(d);
    if (c->closed) {
        drop_unfit(d, a, type, o);
        add_required(d, type, o);
    }
    return o;
}

static void add_integration_issue(yyjson_mut_doc *d, const struct workflow_content *c, struct str type, yyjson_mut_val *issues)
{
    enum channel channel;
    if (!channel_parse(type, &channel) || !c->missing[channel])
        return;
    bool primary = channel == CHANNEL_EMAIL || channel == CHANNEL_SMS;
    yyjson_mut_val *list = json_add_arr(d, json_add_obj(d, issues, "integration"), channel_name(channel).p);
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, o, "issueType", STR("MISSING_INTEGRATION"));
    json_add_str(d, o, "message", primary ? STR("Missing active primary integration provider")
                                          : STR("Missing active  integration provider"));
}

static yyjson_mut_val *issues_json(yyjson_mut_doc *d, const struct workflow_content *c, yyjson_val *step)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_val(d, o, "controls", json_get(step, "issues"));
    add_integration_issue(d, c, json_get_str(step, "type"), o);
    return o;
}

static struct str origin_of(yyjson_val *doc)
{
    struct str origin = json_get_str(doc, "origin");
    return origin.n ? origin : STR("novu-cloud");
}

static yyjson_mut_val *step_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w,
                                 const struct content_workflow *content, size_t i)
{
    yyjson_val *step = yyjson_arr_get(json_get(content->doc, "steps"), i);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct id id = {{0}};
    struct str name = json_get_str(step, "name"), type = json_get_str(step, "type");
    id_parse(json_get_str(step, "_id"), &id);
    json_add_id(d, o, "_id", id);
    json_add_str(d, o, "stepId", json_get_str(step, "stepId"));
    json_add_str(d, o, "name", name);
    json_add_str(d, o, "slug", slug_make(a, name, "st_", id));
    json_add_str(d, o, "type", type);
    json_add_str(d, o, "origin", origin_of(content->doc));
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_id(d, o, "workflowDatabaseId", w->id);
    yyjson_mut_val *controls = json_add_obj(d, o, "controls");
    if (json_get(step, "controlSchema")) {
        json_add_val(d, controls, "dataSchema", json_get(step, "controlSchema"));
    } else {
        json_add_val(d, controls, "dataSchema", step_schema(a, type, STEP_SCHEMA_DATA));
        json_add_val(d, controls, "uiSchema", step_schema(a, type, STEP_SCHEMA_UI));
        if (c->early && str_eq(type, STR("chat"))) // its CHAT_EDITOR_SELECT came with @novu/api 3.19
            yyjson_mut_obj_remove_key(yyjson_mut_obj_get(yyjson_mut_obj_get(controls, "uiSchema"), "properties"), "editorType");
    }
    yyjson_mut_obj_add_val(d, controls, "values", values_json(d, a, c, step));
    yyjson_mut_obj_add_val(d, o, "controlValues", values_json(d, a, c, step));
    json_add_val(d, o, "providerOverrides", json_get(step, "providerOverrides"));
    yyjson_mut_obj_add_val(d, o, "variables", variable_schema(a, d, content, i));
    yyjson_mut_obj_add_val(d, o, "issues", issues_json(d, c, step));
    return o;
}

/* The document with what schemas of it are made from; uses is filled. */
static struct content_workflow content_of(struct arena *a, const struct workflow_content *c, const struct workflow *w,
                                          struct template_report *uses)
{
    struct content_workflow content = {.doc = workflow_doc_now(a, c, w), .env = c->env, .env_n = c->env_n, .uses = uses};
    workflow_uses(a, &content, uses);
    return content;
}

static void add_times(yyjson_mut_doc *d, yyjson_mut_val *o, const struct workflow *w)
{
    json_add_time(d, o, "createdAt", w->created_at);
    json_add_time(d, o, "updatedAt", w->updated_at);
    if (w->last_triggered_at)
        json_add_time(d, o, "lastTriggeredAt", w->last_triggered_at);
}

yyjson_mut_val *workflow_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w)
{
    static const char *const copied[] = {"description", "tags", "validatePayload", "payloadSchema", "isTranslationEnabled", "agent",
                                         "severity", "preferences"};
    struct template_report uses = {0};
    struct content_workflow content = content_of(a, c, w, &uses);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *schema = json_get(content.doc, "payloadSchema");
    json_add_id(d, o, "_id", w->id);
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_str(d, o, "slug", slug_make(a, w->name, "wf_", w->id));
    json_add_str(d, o, "name", w->name);
    json_add_bool(d, o, "active", w->active);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i], json_get(content.doc, copied[i]));
    json_add_str(d, o, "origin", origin_of(content.doc));
    json_add_str(d, o, "status", workflow_status(w->active, content.doc));
    if (json_get(content.doc, "issues"))
        json_add_val(d, o, "issues", json_get(content.doc, "issues"));
    else
        json_add_obj(d, o, "issues");
    yyjson_mut_val *example = yyjson_obj_size(json_get(schema, "properties")) ? json_mock(a, d, schema, w->updated_at) : NULL;
    if (yyjson_mut_is_obj(example))
        yyjson_mut_obj_add_val(d, o, "payloadExample", example);
    json_add_int(d, o, "version", w->version);
    yyjson_mut_val *steps = json_add_arr(d, o, "steps");
    for (size_t i = 0; i < yyjson_arr_size(json_get(content.doc, "steps")); i++)
        yyjson_mut_arr_append(steps, step_json(d, a, c, w, &content, i));
    add_times(d, o, w);
    return o;
}

static void put(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, struct str s)
{
    yyjson_mut_obj_put(o, yyjson_mut_str(d, key), json_mut_str(d, s));
}

void workflow_json_settle(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *answer, const struct workflow *w)
{
    size_t i, n;
    yyjson_mut_val *step;
    yyjson_val *doc = NULL;
    struct str id = id_str(a, w->id);
    json_parse(a, w->doc, &doc, NULL);
    put(d, answer, "_id", id);
    put(d, answer, "slug", slug_make(a, w->name, "wf_", w->id));
    put(d, answer, "workflowId", w->identifier);
    yyjson_mut_obj_put(answer, yyjson_mut_str(d, "version"), yyjson_mut_sint(d, w->version));
    static const char *const times[] = {"createdAt", "updatedAt", "lastTriggeredAt"};
    for (size_t t = 0; t < 3; t++)
        yyjson_mut_obj_remove_key(answer, times[t]);
    add_times(d, answer, w);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(answer, "steps"), i, n, step) {
        yyjson_val *stored = yyjson_arr_get(json_get(doc, "steps"), i);
        struct id step_id = {{0}};
        id_parse(json_get_str(stored, "_id"), &step_id);
        put(d, step, "_id", id_str(a, step_id));
        put(d, step, "slug", slug_make(a, json_get_str(stored, "name"), "st_", step_id));
        put(d, step, "workflowId", w->identifier);
        put(d, step, "workflowDatabaseId", id);
    }
}

yyjson_mut_val *workflow_step_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w,
                                   size_t step)
{
    struct template_report uses = {0};
    struct content_workflow content = content_of(a, c, w, &uses);
    return step_json(d, a, c, w, &content, step);
}

yyjson_mut_val *workflow_summary_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = workflow_doc_now(a, c, w), *step;
    json_add_id(d, o, "_id", w->id);
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_str(d, o, "slug", slug_make(a, w->name, "wf_", w->id));
    json_add_str(d, o, "name", w->name);
    json_add_val(d, o, "tags", json_get(doc, "tags"));
    json_add_str(d, o, "origin", origin_of(doc));
    json_add_str(d, o, "status", workflow_status(w->active, doc));
    json_add_val(d, o, "isTranslationEnabled", json_get(doc, "isTranslationEnabled"));
    yyjson_mut_val *types = json_add_arr(d, o, "stepTypeOverviews"), *steps = json_add_arr(d, o, "steps");
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "steps"));
    while ((step = yyjson_arr_iter_next(&it))) {
        struct id id = {{0}};
        struct str type = json_get_str(step, "type");
        id_parse(json_get_str(step, "_id"), &id);
        yyjson_mut_arr_add_strn(d, types, type.p, type.n);
        yyjson_mut_val *s = yyjson_mut_arr_add_obj(d, steps);
        json_add_str(d, s, "slug", slug_make(a, json_get_str(step, "name"), "st_", id));
        json_add_str(d, s, "type", type);
        yyjson_mut_obj_add_val(d, s, "issues", issues_json(d, c, step));
    }
    add_times(d, o, w);
    return o;
}

int workflow_step_find(yyjson_val *doc, struct str key)
{
    struct id id, own;
    bool by_id = id_parse(key, &id) || slug_parse(key, "st_", &id) || slug_parse(key, "stp_", &id);
    size_t i, n;
    yyjson_val *step;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (by_id && id_parse(json_get_str(step, "_id"), &own) && id_eq(own, id))
            return (int)i;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (str_eq(json_get_str(step, "stepId"), key))
            return (int)i;
    return -1;
}
