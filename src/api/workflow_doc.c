/* Workflow definitions in and out. */
#include "api/workflow_doc.h"

#include <stdio.h>

#include "content/jsonschema.h"
#include "model/types.h"

static bool step_is_supported(enum step_type t)
{
    return t == STEP_IN_APP || t == STEP_EMAIL || t == STEP_SMS || t == STEP_PUSH || t == STEP_CHAT || t == STEP_DELAY
        || t == STEP_HTTP_REQUEST || t == STEP_CUSTOM;
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

/* content.md §3.3: nulls are dropped (but of layoutId, where it means none); the rest is kept as it came. */
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

static bool delay_is_supported(yyjson_val *values, size_t i, struct error *err)
{
    char field[64];
    if (!str_eqz(json_get_str(values, "type"), "timed") && !json_get_str(values, "cron").n)
        return true;
    snprintf(field, sizeof field, "steps.%zu.controlValues.type", i);
    error_http(err, 400, "Delays by cron expression are not supported by this version");
    return error_field(err, field);
}

static bool step_read(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *steps, yyjson_val *step, size_t i,
                      yyjson_val *steps_before, struct error *err)
{
    struct request *rq = c->rq;
    enum step_type type;
    struct str name = json_get_str(step, "name"), type_name = json_get_str(step, "type");
    if (!name.n)
        check_fail(c, "steps.%zu.name must be a string", i);
    if (!step_type_parse(type_name, &type) || type == STEP_TRIGGER) {
        check_fail(c, "steps.%zu.type must be one of the following values: in_app, email, sms, chat, push, tool, digest, delay, "
                      "throttle, custom, http_request", i);
        return true;
    }
    yyjson_val *values = json_get(step, "controlValues");
    if (values && !yyjson_is_null(values) && !yyjson_is_obj(values))
        check_fail(c, "steps.%zu.controlValues must be an object", i);
    if (!step_is_supported(type)) {
        char field[32];
        snprintf(field, sizeof field, "steps.%zu.type", i);
        error_http(err, 400, "Step type \"%.*s\" is not supported by this version", STR_ARG(type_name));
        return error_field(err, field);
    }
    if (type == STEP_DELAY && !delay_is_supported(values, i, err))
        return false;
    yyjson_val *before = step_before(steps_before, json_get_str(step, "_id"));
    if (before && !str_eq(json_get_str(before, "type"), type_name))
        before = NULL;
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
    yyjson_mut_arr_append(steps, o);
    return true;
}

static void preference_defaults(yyjson_mut_doc *d, yyjson_mut_val *preferences)
{
    yyjson_mut_val *standard = json_add_obj(d, preferences, "default");
    yyjson_mut_val *all = json_add_obj(d, standard, "all"), *channels = json_add_obj(d, standard, "channels");
    json_add_bool(d, all, "enabled", true);
    json_add_bool(d, all, "readOnly", false);
    for (int c = 0; c < CHANNELS; c++)
        yyjson_mut_obj_add_bool(d, json_add_obj(d, channels, channel_name((enum channel)c).p), "enabled", true);
}

/* What a dashboard edit says, completed: {all:{enabled, readOnly}, channels:{…}}. */
static void add_user_preferences(yyjson_mut_doc *d, yyjson_mut_val *preferences, yyjson_val *user)
{
    yyjson_val *all = json_get(user, "all"), *channels = json_get(user, "channels");
    if (!yyjson_is_obj(user)) {
        json_add_str(d, preferences, "user", STR_NULL);
        return;
    }
    yyjson_mut_val *o = json_add_obj(d, preferences, "user"), *a = json_add_obj(d, o, "all");
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

/* What would not compile when the workflow is triggered is said now. */
static void schema_check(struct checks *c, yyjson_val *schema)
{
    struct error err = {0};
    if (yyjson_is_obj(schema) && !jsonschema_compile(c->rq->arena, schema, NULL, &err))
        check_fail(c, "payloadSchema is not a valid JSON Schema: %s", err.message);
}

static void add_schema(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *schema)
{
    schema_check(c, schema);
    if (yyjson_is_obj(schema))
        json_add_val(d, doc, "payloadSchema", schema);
    else
        json_add_text(d, doc, "payloadSchema", STR("{\"type\":\"object\",\"additionalProperties\":true,\"properties\":{}}"));
}

static void add_members(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *body)
{
    struct str description = check_string(c, body, "description", false);
    yyjson_val *tags = check_array(c, body, "tags", false);
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
    add_schema(c, d, doc, json_get(body, "payloadSchema"));
    json_add_str(d, doc, "origin", STR("novu-cloud"));
}

bool workflow_doc_read(struct checks *c, yyjson_val *body, const struct workflow *before, struct workflow *w,
                       struct error *err)
{
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = yyjson_mut_obj(d), *steps = yyjson_mut_arr(d);
    yyjson_val *list = check_array(c, body, "steps", true), *step, *old = NULL;
    yyjson_val *user = json_get(json_get(body, "preferences"), "user");
    size_t i = 0;
    if (before && !json_parse(a, before->doc, &old, err))
        return false;
    w->name = check_string(c, body, "name", true);
    w->active = check_bool(c, body, "active", true);
    json_add_str(d, doc, "workflowId", w->identifier);
    add_members(c, d, doc, body);
    yyjson_mut_val *preferences = json_add_obj(d, doc, "preferences");
    add_user_preferences(d, preferences, user ? user : json_get(json_get(old, "preferences"), "user"));
    preference_defaults(d, preferences);
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
        if (!step_read(c, d, steps, step, i++, json_get(old, "steps"), err))
            return false;
    yyjson_mut_obj_add_val(d, doc, "steps", steps);
    w->doc = json_write_mut(a, doc);
    return true;
}

bool workflow_doc_patch(struct checks *c, yyjson_val *body, struct workflow *w, struct error *err)
{
    static const char *const copied[] = {"description", "tags", "validatePayload", "isTranslationEnabled", "payloadSchema"};
    struct arena *a = c->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *old;
    if (!json_parse(a, w->doc, &old, err))
        return false;
    yyjson_mut_val *doc = yyjson_val_mut_copy(d, old);
    struct str name = check_string(c, body, "name", false);
    check_string(c, body, "description", false);
    check_array(c, body, "tags", false);
    check_bool(c, body, "validatePayload", false);
    check_bool(c, body, "isTranslationEnabled", false);
    schema_check(c, check_object(c, body, "payloadSchema", false));
    w->active = check_bool(c, body, "active", w->active);
    if (name.n)
        w->name = name;
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        yyjson_val *v = json_get(body, copied[i]);
        if (!v || yyjson_is_null(v))
            continue;
        yyjson_mut_obj_remove_key(doc, copied[i]);
        json_add_val(d, doc, copied[i], v);
    }
    w->doc = json_write_mut(a, doc);
    return true;
}

/* --- out --------------------------------------------------------------------------------------------------- */

struct str workflow_status_name(const struct workflow *w)
{
    return w->active ? STR("ACTIVE") : STR("INACTIVE");
}

/* Values as the SDK's closed schemas take them: an e-mail always has a subject, a dynamic delay shows no type. */
static yyjson_mut_val *values_json(yyjson_mut_doc *d, yyjson_val *step)
{
    yyjson_val *values = json_get(step, "controlValues");
    yyjson_mut_val *o = yyjson_is_obj(values) ? yyjson_val_mut_copy(d, values) : yyjson_mut_obj(d);
    struct str type = json_get_str(step, "type");
    if (str_eqz(type, "email") && !yyjson_is_str(json_get(values, "subject")))
        json_add_str(d, o, "subject", STR(""));
    if (str_eqz(type, "delay") && str_eqz(json_get_str(values, "type"), "dynamic"))
        yyjson_mut_obj_remove_key(o, "type");
    return o;
}

static yyjson_mut_val *step_json(yyjson_mut_doc *d, struct arena *a, const struct workflow *w, yyjson_val *step)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct id id = {{0}};
    struct str name = json_get_str(step, "name");
    id_parse(json_get_str(step, "_id"), &id);
    json_add_id(d, o, "_id", id);
    json_add_str(d, o, "stepId", json_get_str(step, "stepId"));
    json_add_str(d, o, "name", name);
    json_add_str(d, o, "slug", slug_make(a, name, "st_", id));
    json_add_str(d, o, "type", json_get_str(step, "type"));
    json_add_str(d, o, "origin", STR("novu-cloud"));
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_id(d, o, "workflowDatabaseId", w->id);
    yyjson_mut_obj_add_val(d, json_add_obj(d, o, "controls"), "values", values_json(d, step));
    yyjson_mut_obj_add_val(d, o, "controlValues", values_json(d, step));
    json_add_obj(d, o, "variables");
    json_add_obj(d, o, "issues");
    return o;
}

static void add_times(yyjson_mut_doc *d, yyjson_mut_val *o, const struct workflow *w)
{
    json_add_time(d, o, "createdAt", w->created_at);
    json_add_time(d, o, "updatedAt", w->updated_at);
    if (w->last_triggered_at)
        json_add_time(d, o, "lastTriggeredAt", w->last_triggered_at);
}

yyjson_mut_val *workflow_json(yyjson_mut_doc *d, struct arena *a, const struct workflow *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL, *step;
    json_parse(a, w->doc, &doc, NULL);
    json_add_id(d, o, "_id", w->id);
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_str(d, o, "slug", slug_make(a, w->name, "wf_", w->id));
    json_add_str(d, o, "name", w->name);
    json_add_val(d, o, "description", json_get(doc, "description"));
    json_add_val(d, o, "tags", json_get(doc, "tags"));
    json_add_bool(d, o, "active", w->active);
    json_add_val(d, o, "validatePayload", json_get(doc, "validatePayload"));
    json_add_val(d, o, "payloadSchema", json_get(doc, "payloadSchema"));
    json_add_val(d, o, "isTranslationEnabled", json_get(doc, "isTranslationEnabled"));
    json_add_val(d, o, "severity", json_get(doc, "severity"));
    json_add_str(d, o, "origin", STR("novu-cloud"));
    json_add_str(d, o, "status", workflow_status_name(w));
    json_add_val(d, o, "preferences", json_get(doc, "preferences"));
    json_add_int(d, o, "version", w->version);
    yyjson_mut_val *steps = json_add_arr(d, o, "steps");
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "steps"));
    while ((step = yyjson_arr_iter_next(&it)))
        yyjson_mut_arr_append(steps, step_json(d, a, w, step));
    add_times(d, o, w);
    return o;
}

yyjson_mut_val *workflow_summary_json(yyjson_mut_doc *d, struct arena *a, const struct workflow *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL, *step;
    json_parse(a, w->doc, &doc, NULL);
    json_add_id(d, o, "_id", w->id);
    json_add_str(d, o, "workflowId", w->identifier);
    json_add_str(d, o, "slug", slug_make(a, w->name, "wf_", w->id));
    json_add_str(d, o, "name", w->name);
    json_add_val(d, o, "tags", json_get(doc, "tags"));
    json_add_str(d, o, "origin", STR("novu-cloud"));
    json_add_str(d, o, "status", workflow_status_name(w));
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
        json_add_obj(d, s, "issues");
    }
    add_times(d, o, w);
    return o;
}
