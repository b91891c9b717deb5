/* Reads workflow definitions. */
#include "api/workflow_doc.h"

#include <stdio.h>

#include "content/email_convert.h"
#include "content/jsonschema.h"
#include "content/template_check.h"
#include "model/layout.h"
#include "model/types.h"

enum { TITLE_MAX = 64, DESCRIPTION_MAX = 256, TAGS_MAX = 16, TAG_MAX = 64, STEP_ID_MAX = 256 };

/* Characters, not bytes. */
static void check_length(struct checks *c, const char *name, struct str s, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    if (n > most)
        check_fail(c, "%s must be shorter than or equal to %zu characters", name, most);
}

/* The name of a workflow or step, null if it is not said. */
static void check_title(struct checks *c, const char *name, yyjson_val *given)
{
    if (yyjson_is_str(given) && !yyjson_get_len(given))
        check_fail(c, "%s must be longer than or equal to 1 characters", name);
    check_length(c, name, json_str(given), TITLE_MAX);
}

static bool is_first(yyjson_val *tags, size_t at, yyjson_val *tag)
{
    size_t i, n;
    yyjson_val *e;
    yyjson_arr_foreach(tags, i, n, e)
        if (i < at && yyjson_equals(e, tag))
            return false;
    return true;
}

static yyjson_val *check_tags(struct checks *c, yyjson_val *body)
{
    yyjson_val *tags = check_array(c, body, "tags", false), *e;
    bool texts = true, lengths = true, unique = true;
    size_t i, n;
    if (yyjson_arr_size(tags) > TAGS_MAX) {
        check_fail(c, "tags must contain no more than %d elements", TAGS_MAX);
        return tags;
    }
    yyjson_arr_foreach(tags, i, n, e) {
        texts &= yyjson_is_str(e);
        lengths &= !yyjson_is_str(e) || (yyjson_get_len(e) && yyjson_get_len(e) <= TAG_MAX);
        unique &= is_first(tags, i, e);
    }
    if (!texts)
        check_fail(c, "each value in tags must be a string");
    if (!lengths)
        check_fail(c, "each value in tags must be longer than or equal to 1 and shorter than or equal to %d characters", TAG_MAX);
    if (!unique)
        check_fail(c, "All tags's elements must be unique");
    return tags;
}

/* The step that an update means: the one with this _id, of the same type. */
static yyjson_val *step_before(yyjson_val *steps, struct str id)
{
    yyjson_val *s;
    yyjson_arr_iter it = yyjson_arr_iter_with(steps);
    while (id.n && (s = yyjson_arr_iter_next(&it)))
        if (str_eq(json_get_str(s, "_id"), id))
            return s;
    return NULL;
}

static bool step_id_taken(yyjson_mut_val *steps, struct str id)
{
    yyjson_mut_val *s;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(steps);
    while ((s = yyjson_mut_arr_iter_next(&it))) {
        yyjson_mut_val *v = yyjson_mut_obj_get(s, "stepId");
        if (yyjson_mut_get_len(v) == id.n && !memcmp(yyjson_mut_get_str(v), id.p, id.n))
            return true;
    }
    return false;
}

/* stepId given, else the slug of the name; unique within the workflow by "-<short id>". */
static struct str step_identifier(struct request *rq, yyjson_mut_val *steps, yyjson_val *step, yyjson_val *before)
{
    struct str id = json_get_str(step, "stepId");
    if (!id.n)
        id = json_get_str(before, "stepId");
    if (!id.n)
        id = slugify(rq->arena, json_get_str(step, "name"));
    if (!id.n)
        id = json_get_str(step, "type");
    struct str unique = id;
    while (step_id_taken(steps, unique)) {
        struct str word = crypto_random_word(rq->arena, 4);
        unique = str_fmt(rq->arena, "%.*s-%.*s", STR_ARG(id), STR_ARG(word));
    }
    return unique;
}

/* What only older clients speak of (api/legacy_step.h) stays with a step and its workflow. */
static void add_legacy(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *before)
{
    static const char *const members[] = {"legacy", "filters", "uuid", "replyCallback", "variants"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_add_val(d, o, members[i], json_get(before, members[i]));
}

/* Nulls are dropped, but for the choice of no layout; the rest is kept as it came, right or wrong (content.md §3.1). */
static void add_values(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *values)
{
    yyjson_mut_val *copy = json_add_obj(d, o, "controlValues");
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(values);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        if (!yyjson_is_null(v) || yyjson_equals_str(k, "layoutId"))
            yyjson_mut_obj_add(copy, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, v));
    }
}

/* The editor of an e-mail was switched: blocks become HTML, HTML that no block editor could show is given up (upstream:
 * upsert-workflow.usecase.ts). Blocks that cannot be rendered stay what they are, and the step's issues say why. */
static void body_convert(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *step)
{
    yyjson_mut_val *values = yyjson_mut_obj_get(step, "controlValues"), *layout = yyjson_mut_obj_get(values, "layoutId");
    yyjson_mut_val *editor = yyjson_mut_obj_get(values, "editorType"), *given = yyjson_mut_obj_get(values, "body");
    struct str body = {yyjson_mut_get_str(given), yyjson_mut_get_len(given)}, html = STR("");
    struct layout standard;
    struct error missing = {0};
    bool is_block = yyjson_mut_is_str(given) && block_document(rq->arena, body);
    if (!yyjson_mut_equals_str(editor, is_block ? "html" : "block") || !body.n)
        return;
    bool in_layout = yyjson_mut_is_str(layout)
                  || (!layout && layout_find_default(app_db(rq), rq->arena, rq->principal.environment, &standard, &missing));
    bool raw = yyjson_mut_is_true(yyjson_mut_obj_get(values, "disableOutputSanitization"));
    if (!is_block || email_html_of_blocks(rq->arena, body, !in_layout, raw, &html, &missing))
        yyjson_mut_obj_put(values, yyjson_mut_str(d, "body"), json_mut_str(d, html));
}

/* A layout that an e-mail step names must be there (upstream: upsert-workflow.e2e.ts). */
static bool layout_is_known(struct request *rq, yyjson_val *values, struct error *err)
{
    struct str key = json_get_str(values, "layoutId");
    struct layout l;
    char hex[ID_HEX + 1];
    if (!key.n || layout_find(app_db(rq), rq->arena, rq->principal.environment, key, &l, err))
        return true;
    if (err->code != ERROR_NOT_FOUND)
        return false;
    id_hex(rq->principal.environment, hex);
    return error_http(err, 404, "Layout not found for id %.*s in the environment %s", (int)(key.n > 64 ? 64 : key.n), key.p, hex);
}

static bool step_read(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *steps, yyjson_val *step, size_t i,
                      yyjson_val *workflow_before, struct error *err)
{
    struct request *rq = c->rq;
    enum step_type type;
    struct str name = json_get_str(step, "name"), type_name = json_get_str(step, "type");
    if (!name.p)
        check_fail(c, "steps.%zu.name must be a string", i);
    check_title(c, str_fmt(rq->arena, "steps.%zu.name", i).p, json_get(step, "name"));
    if (json_get_str(step, "stepId").n > STEP_ID_MAX)
        check_fail(c, "steps.%zu.stepId must be shorter than or equal to %d characters", i, STEP_ID_MAX);
    if (!step_type_parse(type_name, &type) || type == STEP_TRIGGER) {
        check_fail(c, "steps.%zu.type must be one of the following values: in_app, email, sms, chat, push, tool, digest, delay, "
                      "throttle, custom, http_request", i);
        return true;
    }
    yyjson_val *values = json_get(step, "controlValues");
    if (values && !yyjson_is_null(values) && !yyjson_is_obj(values))
        check_fail(c, "steps.%zu.controlValues must be an object", i);
    yyjson_val *before = step_before(json_get(workflow_before, "steps"), json_get_str(step, "_id"));
    if (before && !str_eq(json_get_str(before, "type"), type_name))
        before = NULL;
    if (type == STEP_EMAIL && !layout_is_known(rq, values, err))
        return false;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct str id = json_get_str(before, "_id");
    if (id.n)
        json_add_str(d, o, "_id", id);
    else
        json_add_id(d, o, "_id", app_id(rq));
    json_add_str(d, o, "stepId", step_identifier(rq, steps, step, before));
    json_add_str(d, o, "name", name);
    json_add_str(d, o, "type", type_name);
    json_add_bool(d, o, "active", json_get_bool(step, "active", true));
    if (json_get(step, "shouldStopOnFail"))
        json_add_bool(d, o, "shouldStopOnFail", json_get_bool(step, "shouldStopOnFail", false));
    add_values(d, o, values);
    if (type == STEP_EMAIL)
        body_convert(rq, d, o);
    if (yyjson_is_obj(json_get(step, "providerOverrides")))
        json_add_val(d, o, "providerOverrides", json_get(step, "providerOverrides"));
    add_legacy(d, o, before);
    yyjson_mut_arr_append(steps, o);
    return true;
}

/* {all:{enabled, readOnly}, channels:{…}}, completed from what is given. */
void workflow_doc_preference(yyjson_mut_doc *d, yyjson_mut_val *preferences, const char *key, yyjson_val *given)
{
    yyjson_val *all = json_get(given, "all"), *channels = json_get(given, "channels");
    yyjson_mut_val *o = json_add_obj(d, preferences, key), *a = json_add_obj(d, o, "all");
    yyjson_mut_val *list = json_add_obj(d, o, "channels");
    bool enabled = json_get_bool(all, "enabled", true);
    json_add_bool(d, a, "enabled", enabled);
    json_add_bool(d, a, "readOnly", json_get_bool(all, "readOnly", false));
    for (int c = 0; c < CHANNELS; c++) {
        struct str name = channel_name((enum channel)c);
        yyjson_mut_obj_add_bool(d, json_add_obj(d, list, name.p), "enabled",
                                json_get_bool(json_getn(channels, name), "enabled", enabled));
    }
}

/* `user` is the dashboard's choice or null, `default` the code's. What is not given stays. */
static void add_preferences(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *body, yyjson_val *old)
{
    yyjson_val *given = check_object(c, body, "preferences", false), *before = json_get(old, "preferences");
    yyjson_val *user = json_get(given, "user"), *standard = json_get(given, "workflow");
    yyjson_mut_val *o = json_add_obj(d, doc, "preferences");
    if (!user)
        user = json_get(before, "user");
    if (yyjson_is_obj(user))
        workflow_doc_preference(d, o, "user", user);
    else
        json_add_str(d, o, "user", STR_NULL);
    workflow_doc_preference(d, o, "default", standard ? standard : json_get(before, "default"));
}

/* What would not compile when the workflow is triggered is said now. */
static void schema_check(struct checks *c, yyjson_val *schema)
{
    struct error err = {0};
    if (yyjson_is_obj(schema) && !jsonschema_compile(c->rq->arena, schema, NULL, &err))
        check_fail(c, "payloadSchema must be a valid JSON schema: %s", err.message);
}

static void add_schema(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *schema)
{
    schema_check(c, schema);
    if (yyjson_is_obj(schema))
        json_add_val(d, doc, "payloadSchema", schema);
    else
        json_add_text(d, doc, "payloadSchema", STR("{\"type\":\"object\",\"additionalProperties\":true,\"properties\":{}}"));
}

static void add_members(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *body, yyjson_val *old)
{
    struct str description = check_string(c, body, "description", false), origin = json_get_str(old, "origin");
    yyjson_val *tags = check_tags(c, body), *agent = check_object(c, body, "agent", false);
    check_length(c, "description", description, DESCRIPTION_MAX);
    enum severity severity = SEVERITY_NONE;
    if (description.p)
        json_add_str(d, doc, "description", description);
    if (tags)
        json_add_val(d, doc, "tags", tags);
    else
        json_add_arr(d, doc, "tags");
    if (json_get_str(body, "severity").n && !severity_parse(json_get_str(body, "severity"), &severity))
        check_fail(c, "severity must be one of the following values: high, medium, low, none");
    json_add_str(d, doc, "severity", severity_name(severity));
    json_add_bool(d, doc, "isTranslationEnabled", check_bool(c, body, "isTranslationEnabled", false));
    json_add_bool(d, doc, "validatePayload", check_bool(c, body, "validatePayload", true));
    add_schema(c, d, doc, check_object(c, body, "payloadSchema", false));
    if (agent && !json_get_str(agent, "identifier").n)
        check_fail(c, "agent.identifier must be a string");
    json_add_val(d, doc, "agent", agent);
    json_add_str(d, doc, "origin", origin.n ? origin : STR("novu-cloud"));
    add_legacy(d, doc, old);
}

/* A blank text that was not there is what a form, or our own answer for closed types, put in: the code's default stays. */
static void forget_blanks(yyjson_mut_val *values, yyjson_val *stored)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(values);
    yyjson_mut_val *k;
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        if (yyjson_mut_is_str(v) && !yyjson_mut_get_len(v) && !yyjson_obj_getn(stored, yyjson_mut_get_str(k), yyjson_mut_get_len(k)))
            yyjson_mut_obj_iter_remove(&it);
    }
}

/* Of a code-first workflow only what is not the code's to say: its steps' control values, the dashboard's preferences, and
 * whether it is active (bridge-cli.md §3.2). The rest of the body is what was read before, and is left alone. */
static bool code_first_read(struct checks *c, yyjson_val *body, yyjson_val *old, struct workflow *w)
{
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = yyjson_val_mut_copy(d, old), *copy;
    yyjson_val *steps = check_array(c, body, "steps", true), *step, *values, *user;
    size_t i, n;
    w->active = check_bool(c, body, "active", w->active);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(doc, "steps"), i, n, copy) {
        struct str id = json_get_str(yyjson_arr_get(json_get(old, "steps"), i), "_id");
        values = json_get(step = step_before(steps, id), "controlValues");
        if (values && !yyjson_is_null(values) && !yyjson_is_obj(values))
            check_fail(c, "steps.%zu.controlValues must be an object", i);
        if (!yyjson_is_obj(values))
            continue;
        yyjson_val *stored = json_get(yyjson_arr_get(json_get(old, "steps"), i), "controlValues");
        yyjson_mut_obj_remove_key(copy, "controlValues");
        add_values(d, copy, values);
        forget_blanks(yyjson_mut_obj_get(copy, "controlValues"), stored);
    }
    if ((user = json_get(check_object(c, body, "preferences", false), "user"))) {
        yyjson_mut_val *preferences = yyjson_mut_obj_get(doc, "preferences");
        yyjson_mut_obj_remove_key(preferences, "user");
        if (yyjson_is_obj(user))
            workflow_doc_preference(d, preferences, "user", user);
        else
            json_add_str(d, preferences, "user", STR_NULL);
    }
    w->doc = json_write_mut(a, doc);
    return true;
}

yyjson_val *workflow_doc_step(yyjson_val *doc, struct str step_id)
{
    size_t i, n;
    yyjson_val *step;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (str_eq(json_get_str(step, "stepId"), step_id))
            return step;
    return NULL;
}

bool workflow_doc_read(struct checks *c, yyjson_val *body, const struct workflow *before, struct workflow *w,
                       struct error *err)
{
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = yyjson_mut_obj(d), *steps = yyjson_mut_arr(d);
    yyjson_val *list = check_array(c, body, "steps", true), *step, *old = NULL;
    size_t i = 0;
    if (before && !json_parse(a, before->doc, &old, err))
        return false;
    if (str_eqz(json_get_str(old, "origin"), "external"))
        return code_first_read(c, body, old, w);
    w->name = check_string(c, body, "name", true);
    check_title(c, "name", json_get(body, "name"));
    w->active = check_bool(c, body, "active", true);
    json_add_str(d, doc, "workflowId", w->identifier);
    add_members(c, d, doc, body, old);
    add_preferences(c, d, doc, body, old);
    if (yyjson_arr_size(list) > STEPS_MAX) {
        err->details = str_fmt(a, "{\"providedStepsCount\":%zu,\"maxSteps\":%d}", yyjson_arr_size(list), STEPS_MAX);
        struct str details = err->details;
        error_http(err, 400, "Workflow steps limit exceeded. Maximum allowed steps is %d, but got %zu steps.", STEPS_MAX,
                   yyjson_arr_size(list));
        err->details = details;
        return false;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((step = yyjson_arr_iter_next(&it)))
        if (!step_read(c, d, steps, step, i++, old, err))
            return false;
    yyjson_mut_obj_add_val(d, doc, "steps", steps);
    w->doc = json_write_mut(a, doc);
    return true;
}

/* Replaces members that are given; null leaves them. */
static void copy_members(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *body, const char *const *names)
{
    for (; *names; names++) {
        yyjson_val *v = json_get(body, *names);
        if (!v || yyjson_is_null(v))
            continue;
        yyjson_mut_obj_remove_key(doc, *names);
        json_add_val(d, doc, *names, v);
    }
}

bool workflow_doc_patch(struct checks *c, yyjson_val *body, struct workflow *w, struct error *err)
{
    static const char *const copied[] = {"description", "tags", "validatePayload", "isTranslationEnabled", "payloadSchema", NULL};
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *old;
    if (!json_parse(a, w->doc, &old, err))
        return false;
    yyjson_mut_val *doc = yyjson_val_mut_copy(d, old);
    struct str name = check_string(c, body, "name", false);
    check_title(c, "name", json_get(body, "name"));
    check_length(c, "description", check_string(c, body, "description", false), DESCRIPTION_MAX);
    check_tags(c, body);
    check_bool(c, body, "validatePayload", false);
    check_bool(c, body, "isTranslationEnabled", false);
    schema_check(c, check_object(c, body, "payloadSchema", false));
    w->active = check_bool(c, body, "active", w->active);
    if (name.n)
        w->name = name;
    copy_members(d, doc, body, copied);
    w->doc = json_write_mut(a, doc);
    return true;
}

bool workflow_doc_duplicate(struct checks *c, yyjson_val *body, struct workflow *w, struct error *err)
{
    static const char *const copied[] = {"description", "tags", "isTranslationEnabled", NULL};
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *old;
    size_t i, n;
    yyjson_mut_val *step;
    if (!json_parse(a, w->doc, &old, err))
        return false;
    yyjson_mut_val *doc = yyjson_val_mut_copy(d, old);
    check_title(c, "name", json_get(body, "name"));
    check_length(c, "description", check_string(c, body, "description", false), DESCRIPTION_MAX);
    check_tags(c, body);
    check_bool(c, body, "isTranslationEnabled", false);
    copy_members(d, doc, body, copied);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(doc, "steps"), i, n, step)
        yyjson_mut_obj_put(step, yyjson_mut_str(d, "_id"), json_mut_str(d, id_str(a, app_id(c->rq))));
    w->doc = json_write_mut(a, doc);
    return true;
}
