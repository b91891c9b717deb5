/* Reads the discovery of a bridge. */
#include "api/bridge_doc.h"

#include "api/workflow_doc.h"
#include "base/crypto.h"
#include "model/types.h"

enum { WORKFLOWS_MAX = 10000, BRIDGE_STEPS_MAX = 500, IDENTIFIER_BYTES_MAX = 512 };

static bool workflow_check(yyjson_val *w, struct error *err)
{
    struct str id = json_get_str(w, "workflowId");
    size_t i, n;
    yyjson_val *step;
    if (!id.n || id.n > IDENTIFIER_BYTES_MAX || !yyjson_is_arr(json_get(w, "steps")) || yyjson_arr_size(json_get(w, "steps")) > BRIDGE_STEPS_MAX)
        return error_http(err, 400, "Invalid Bridge URL Response");
    yyjson_arr_foreach(json_get(w, "steps"), i, n, step)
        if (!json_get_str(step, "stepId").n || !json_get_str(step, "type").n || workflow_doc_step(w, json_get_str(step, "stepId")) != step)
            return error_http(err, 400, "Invalid Bridge URL Response");
    return true;
}

bool bridge_doc_check(yyjson_val *discovery, struct error *err)
{
    yyjson_val *list = json_get(discovery, "workflows"), *w;
    size_t i, n;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > WORKFLOWS_MAX)
        return error_http(err, 400, "Invalid Bridge URL Response");
    yyjson_arr_foreach(list, i, n, w)
        if (!workflow_check(w, err))
            return false;
    return true;
}

/* A name within another thing: an id of the same time part. */
static struct id id_within(struct arena *a, struct id of, struct str type, struct str name)
{
    uint8_t hash[32];
    struct id id = of;
    crypto_sha256(str_fmt(a, "%.*s %.*s %.*s", STR_ARG(id_str(a, of)), STR_ARG(type), STR_ARG(name)), hash);
    memcpy(id.b + 4, hash, sizeof id.b - 4);
    return id;
}

struct id bridge_doc_id(struct arena *a, struct id environment, struct str url, struct str workflow)
{
    return id_within(a, environment, url, workflow);
}

yyjson_val *bridge_doc_find(yyjson_val *discovery, struct str name)
{
    size_t i, n;
    yyjson_val *w;
    yyjson_arr_foreach(json_get(discovery, "workflows"), i, n, w)
        if (str_eq(json_get_str(w, "workflowId"), name))
            return w;
    return NULL;
}

static void add_schema(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_val *holder)
{
    if (yyjson_is_obj(json_get(holder, "schema")))
        json_add_val(d, o, key, json_get(holder, "schema"));
}

static void add_step(struct arena *a, struct id workflow, yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *step, yyjson_val *before)
{
    struct str step_id = json_get_str(step, "stepId");
    yyjson_val *old = workflow_doc_step(before, step_id), *values = json_get(old, "controlValues");
    struct id id;
    bool same = old && str_eq(json_get_str(old, "type"), json_get_str(step, "type"));
    if (!same || !id_parse(json_get_str(old, "_id"), &id))
        id = id_within(a, workflow, json_get_str(step, "type"), step_id);
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, o, "_id", id_str(a, id));
    json_add_str(d, o, "stepId", step_id);
    json_add_str(d, o, "uuid", step_id);
    json_add_str(d, o, "name", step_id);
    json_add_val(d, o, "type", json_get(step, "type"));
    json_add_bool(d, o, "active", true);
    json_add_bool(d, o, "shouldStopOnFail", json_get_bool(json_get(step, "options"), "failOnErrorEnabled", false));
    if (yyjson_is_obj(values))
        json_add_val(d, o, "controlValues", values);
    else
        json_add_obj(d, o, "controlValues");
    add_schema(d, o, "controlSchema", json_get(step, "controls"));
    add_schema(d, o, "outputSchema", json_get(step, "outputs"));
    add_schema(d, o, "resultSchema", json_get(step, "results"));
    if (json_get_str(step, "code").n)
        json_add_val(d, o, "code", json_get(step, "code"));
}

/* Steps of types that are not known are left out, and that is said (§3.3). */
static void add_unknown_step(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *issues, yyjson_val *step)
{
    struct str step_id = json_get_str(step, "stepId"), type = json_get_str(step, "type");
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "issueType", STR("UNSUPPORTED_STEP_TYPE"));
    json_add_str(d, o, "variableName", step_id);
    json_add_str(d, o, "message", str_fmt(a, "Steps of type \"%.*s\" are not known here: this one does not run", STR_ARG(type)));
    yyjson_mut_obj_add(issues, json_mut_str(d, str_fmt(a, "steps.%.*s", STR_ARG(step_id))), o);
}

static struct str severity_of(yyjson_val *w)
{
    enum severity severity = SEVERITY_NONE;
    severity_parse(json_get_str(w, "severity"), &severity);
    return severity_name(severity);
}

/* The whole, without what repeats its schemas. */
static void add_raw(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *w)
{
    static const char *const holders[] = {"payload", "controls", "env"};
    yyjson_mut_val *raw = yyjson_val_mut_copy(d, w);
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++)
        yyjson_mut_obj_remove_key(yyjson_mut_obj_get(raw, holders[i]), "unknownSchema");
    yyjson_mut_val *step;
    size_t i, n;
    static const char *const of_steps[] = {"controls", "outputs", "results"};
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(raw, "steps"), i, n, step)
        for (size_t k = 0; k < sizeof of_steps / sizeof *of_steps; k++)
            yyjson_mut_obj_remove_key(yyjson_mut_obj_get(step, of_steps[k]), "unknownSchema");
    yyjson_mut_obj_add_val(d, doc, "rawData", raw);
}

void bridge_doc_make(struct arena *a, yyjson_val *discovered, yyjson_val *before, struct workflow *w)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    yyjson_val *step, *user = json_get(json_get(before, "preferences"), "user"), *given = json_get(discovered, "tags");
    struct str name = json_get_str(discovered, "name"), description = json_get_str(discovered, "description");
    enum step_type type;
    size_t i, n;
    w->identifier = json_get_str(discovered, "workflowId");
    w->name = name.n ? name : w->identifier;
    w->active = json_get_bool(discovered, "active", true);
    json_add_str(d, doc, "workflowId", w->identifier);
    json_add_str(d, doc, "description", description.p ? description : STR(""));
    if (yyjson_is_arr(given))
        json_add_val(d, doc, "tags", given);
    else
        json_add_arr(d, doc, "tags");
    json_add_str(d, doc, "severity", severity_of(discovered));
    json_add_bool(d, doc, "isTranslationEnabled", json_get_bool(before, "isTranslationEnabled", false));
    json_add_bool(d, doc, "validatePayload", false);        /* the framework does, with its defaults */
    add_schema(d, doc, "payloadSchema", json_get(discovered, "payload"));
    add_schema(d, doc, "controlSchema", json_get(discovered, "controls"));
    json_add_str(d, doc, "origin", STR("external"));
    yyjson_mut_val *preferences = json_add_obj(d, doc, "preferences");
    if (yyjson_is_obj(user))
        json_add_val(d, preferences, "user", user);
    else
        json_add_str(d, preferences, "user", STR_NULL);
    workflow_doc_preference(d, preferences, "default", json_get(discovered, "preferences"));
    yyjson_mut_val *steps = json_add_arr(d, doc, "steps");
    yyjson_mut_val *issues = yyjson_mut_obj(d);
    yyjson_arr_foreach(json_get(discovered, "steps"), i, n, step)
        if (step_type_parse(json_get_str(step, "type"), &type) && type != STEP_TRIGGER)
            add_step(a, w->id, d, steps, step, before);
        else
            add_unknown_step(d, a, issues, step);
    if (yyjson_mut_obj_size(issues))
        yyjson_mut_obj_add_val(d, doc, "issues", issues);
    add_raw(d, doc, discovered);
    w->doc = json_write_mut(a, doc);
}

/* What running it needs: not the code, and not the schemas that only the dashboard shows. */
static void leave_source(yyjson_mut_val *doc)
{
    static const char *const of_workflow[] = {"rawData", "payloadSchema", "controlSchema", "issues"};
    static const char *const of_steps[] = {"code", "controlSchema", "outputSchema", "resultSchema"};
    yyjson_mut_val *step;
    size_t i, n;
    for (size_t k = 0; k < sizeof of_workflow / sizeof *of_workflow; k++)
        yyjson_mut_obj_remove_key(doc, of_workflow[k]);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(doc, "steps"), i, n, step)
        for (size_t k = 0; k < sizeof of_steps / sizeof *of_steps; k++)
            yyjson_mut_obj_remove_key(step, of_steps[k]);
}

yyjson_val *bridge_doc_brought(struct arena *a, struct id workflow, struct str url, yyjson_val *discovered)
{
    struct workflow w = {.id = workflow};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *whole = NULL, *doc = NULL;
    uint8_t hash[32];
    int64_t version = 0;
    bridge_doc_make(a, discovered, NULL, &w);
    json_parse(a, w.doc, &doc, NULL);
    yyjson_mut_val *kept = yyjson_val_mut_copy(d, doc);
    leave_source(kept);
    crypto_sha256(json_write_mut(a, kept), hash);
    for (int i = 0; i < 6; i++)                 /* exact as a number of JavaScript */
        version = version << 8 | hash[i];
    json_add_str(d, o, "url", url);
    json_add_int(d, o, "version", version);
    json_add_str(d, o, "name", w.name);
    yyjson_mut_obj_add_val(d, o, "workflow", kept);
    json_parse(a, json_write_mut(a, o), &whole, NULL);
    return whole;
}

static void add_step_json(yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *step)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *t;
    static const char *const copied[] = {"_id", "stepId", "uuid", "name", "active", "shouldStopOnFail"};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i], json_get(step, copied[i]));
    json_add_val(d, o, "_templateId", json_get(step, "_id"));
    t = json_add_obj(d, o, "template");
    json_add_val(d, t, "type", json_get(step, "type"));
    json_add_val(d, t, "name", json_get(step, "name"));
    yyjson_mut_val *controls = json_add_obj(d, t, "controls"), *output = json_add_obj(d, t, "output");
    json_add_val(d, controls, "schema", json_get(step, "controlSchema"));
    json_add_val(d, output, "schema", json_get(step, "outputSchema"));
    json_add_val(d, t, "code", json_get(step, "code"));
}

yyjson_mut_val *bridge_doc_json(yyjson_mut_doc *d, struct arena *a, const struct workflow *w, struct id organization)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *trigger;
    yyjson_val *doc = NULL, *step;
    size_t i, n;
    json_parse(a, w->doc, &doc, NULL);
    json_add_id(d, o, "_id", w->id);
    json_add_id(d, o, "_environmentId", w->environment);
    json_add_id(d, o, "_organizationId", organization);
    json_add_str(d, o, "name", w->name);
    json_add_val(d, o, "description", json_get(doc, "description"));
    json_add_bool(d, o, "active", w->active);
    json_add_bool(d, o, "draft", !w->active);
    trigger = yyjson_mut_arr_add_obj(d, json_add_arr(d, o, "triggers"));
    json_add_str(d, trigger, "type", STR("event"));
    json_add_str(d, trigger, "identifier", w->identifier);
    json_add_arr(d, trigger, "variables");
    json_add_val(d, o, "tags", json_get(doc, "tags"));
    json_add_val(d, o, "severity", json_get(doc, "severity"));
    json_add_str(d, o, "type", STR("BRIDGE"));
    json_add_val(d, o, "origin", json_get(doc, "origin"));
    json_add_val(d, o, "payloadSchema", json_get(doc, "payloadSchema"));
    json_add_val(d, json_add_obj(d, o, "controls"), "schema", json_get(doc, "controlSchema"));
    yyjson_mut_val *steps = json_add_arr(d, o, "steps");
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        add_step_json(d, steps, step);
    json_add_val(d, o, "rawData", json_get(doc, "rawData"));
    json_add_time(d, o, "createdAt", w->created_at);
    json_add_time(d, o, "updatedAt", w->updated_at);
    return o;
}
