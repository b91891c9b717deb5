/* Compiles workflows and keeps them. */
#include "engine/definition.h"

#include <stdlib.h>

#include "content/step_normalise.h"

enum { SHARED_MAX_AGE_MS = 1000, ENTRIES = 2048 };

struct definitions {
    struct cache *current, *versions;       /* versions never change, but they may be many */
};

static void definition_destroy(struct cached *c)
{
    arena_destroy(((struct definition *)c)->arena);
}

static void preferences_compile(struct definition *d)
{
    d->preferences = workflow_preferences_read(json_get(d->doc, "preferences"));
    d->critical = d->preferences.read_only;
    struct preference_result merged = preference_merge(&d->preferences, NULL, false);
    memcpy(d->channel_enabled, merged.channel, sizeof d->channel_enabled);
}

/* The control values without `skip`, which is logic and not content, and without a body that has a compiler of its own. */
static yyjson_val *values_for_controls(struct arena *a, yyjson_val *values, bool has_body)
{
    if (!json_get(values, "skip") && !has_body)
        return values;
    yyjson_mut_doc *doc = json_doc(a);
    yyjson_mut_val *copy = yyjson_val_mut_copy(doc, values);
    yyjson_mut_obj_remove_key(copy, "skip");
    if (has_body)
        yyjson_mut_obj_remove_key(copy, "body");
    yyjson_val *out = NULL;
    json_parse(a, json_write_mut(a, copy), &out, NULL);
    return out;
}

/* The control values as execution sees them (content.md §3.3). */
static yyjson_val *values_normalised(struct arena *a, struct str origin, yyjson_val *step)
{
    yyjson_val *values = NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = step_normalise(d, origin, json_get_str(step, "type"), json_get(step, "controlValues"));
    json_parse(a, json_write_mut(a, o), &values, NULL);
    return values;
}

static void condition_compile(struct arena *a, struct step_definition *s)
{
    struct liquid_context none = {.mode = LIQUID_PLAIN};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *rendered;
    yyjson_val *rule;
    s->condition = controls_compile(a, s->skip);
    if (controls_are_static(s->condition) && controls_render(s->condition, &none, a, d, &rendered, NULL)
        && json_parse(a, json_write_mut(a, rendered), &rule, NULL))
        s->rule = jsonlogic_compile(a, rule);
}

/* What is sent: the values as a program. */
static void content_compile(struct arena *a, struct step_definition *s)
{
    yyjson_val *body = json_get(s->values, "body");
    if (s->type == STEP_EMAIL && yyjson_is_str(body))
        s->body.plain = email_body_compile(a, json_str(body));
    else if (s->type == STEP_CHAT)
        s->body.plain = email_body_of_chat(a, s->values);
    if (s->type == STEP_HTTP_REQUEST && yyjson_is_obj(s->values))
        s->controls = controls_compile_request(a, values_for_controls(a, s->values, false));
    else if (yyjson_is_obj(s->values))
        s->controls = controls_compile(a, values_for_controls(a, s->values, s->body.plain != NULL));
}

/* A variant is the step with content and filters of its own. One without filters is never chosen. */
static void variants_compile(struct arena *a, struct str origin, yyjson_val *list, struct step_definition *s)
{
    yyjson_val *v;
    size_t i, n;
    s->variants = ARENA_ARRAY(a, struct step_definition, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        if (!json_get_bool(v, "active", true) || !yyjson_arr_size(json_get(v, "filters")))
            continue;
        struct step_definition *x = &s->variants[s->variants_n++];
        *x = (struct step_definition){.id = s->id, .step_id = s->step_id, .name = json_get_str(v, "name"), .type = s->type, .active = true,
                                      .older = s->older, .filters = json_get(v, "filters"), .values = values_normalised(a, origin, v)};
        content_compile(a, x);
    }
}

static bool step_compile(struct arena *a, struct str origin, yyjson_val *v, struct step_definition *s, struct error *err)
{
    if (!id_parse(json_get_str(v, "_id"), &s->id) || !step_type_parse(json_get_str(v, "type"), &s->type))
        return error_set(err, ERROR_INTERNAL, "A stored workflow step is damaged");
    s->step_id = json_get_str(v, "stepId");
    s->name = json_get_str(v, "name");
    s->uuid = json_get_str(v, "uuid");
    s->older = json_get(v, "legacy") != NULL;
    s->variables = json_path(v, STR("legacy.template.variables"));
    if (!yyjson_arr_size(s->variables))
        s->variables = NULL;
    s->actor = json_path(v, STR("legacy.template.actor"));
    if (!json_get_str(s->actor, "type").n || str_eqz(json_get_str(s->actor, "type"), "none"))
        s->actor = NULL;
    if (str_eqz(json_str(json_path(v, STR("legacy.metadata.type"))), "scheduled"))
        s->delay_path = json_str(json_path(v, STR("legacy.metadata.delayPath")));
    if (!str_ends(json_get_str(json_get(v, "controlValues"), "dynamicKey"), s->delay_path))
        s->delay_path = STR_NULL;           /* it was changed since */
    s->active = json_get_bool(v, "active", true);
    s->stop_on_fail = json_get_bool(v, "shouldStopOnFail", false);
    s->values = values_normalised(a, origin, v);
    yyjson_val *skip = json_get(s->values, "skip"), *filters = json_get(v, "filters");
    s->filters = yyjson_arr_size(filters) ? filters : NULL;
    s->skip = yyjson_is_obj(skip) && yyjson_obj_size(skip) ? skip : NULL;
    if (s->skip)
        condition_compile(a, s);
    content_compile(a, s);
    if (json_get(v, "variants") && step_is_channel(s->type))
        variants_compile(a, origin, json_get(v, "variants"), s);
    return true;
}

/* {type: object, properties: {}, …} as every workflow has by default: not worth a validation per trigger. */
static bool schema_is_open(yyjson_val *schema)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(schema);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        if (yyjson_equals_str(k, "type") ? !yyjson_equals_str(v, "object")
            : yyjson_equals_str(k, "additionalProperties") ? !yyjson_is_true(v)
            : yyjson_equals_str(k, "properties") ? yyjson_obj_size(v) > 0 : true)
            return false;
    }
    return true;
}

yyjson_val *definition_value(struct arena *a, const struct definition *d, enum severity severity)
{
    if (d->value && severity == d->severity)
        return d->value;
    struct buf b = {.arena = a};
    yyjson_val *value = NULL;
    struct str tags = d->tags ? json_write(a, d->tags) : STR("[]");
    buf_z(&b, "{\"workflowId\":");
    json_quote(&b, d->workflow.identifier);
    buf_z(&b, ",\"name\":");
    json_quote(&b, d->workflow.name);
    buf_z(&b, ",\"description\":");
    json_quote(&b, json_get_str(d->doc, "description"));
    buf_z(&b, ",\"tags\":");
    buf_str(&b, tags);
    buf_fmt(&b, ",\"severity\":\"%s\"}", severity_name(severity).p);
    json_parse(a, buf_finish(&b), &value, NULL);
    return value;
}

static struct str summary_write(const struct definition *w)
{
    yyjson_mut_doc *d = json_doc(w->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "id", w->workflow.id);
    json_add_str(d, o, "identifier", w->workflow.identifier);
    json_add_str(d, o, "name", w->workflow.name);
    json_add_bool(d, o, "critical", w->critical);
    json_add_val(d, o, "tags", w->tags);
    json_add_str(d, o, "severity", severity_name(w->severity));
    return json_write_mut(w->arena, o);
}

struct definition *definition_compile(const struct workflow *row, struct error *err)
{
    struct arena *a = arena_create(8192);
    struct definition *d = ARENA_NEW(a, struct definition);
    cached_init(&d->head, definition_destroy);
    d->arena = a;
    d->workflow = *row;
    d->workflow.identifier = str_dup(a, row->identifier);
    d->workflow.name = str_dup(a, row->name);
    d->workflow.doc = str_dup(a, row->doc);
    if (!json_parse(a, d->workflow.doc, &d->doc, err))
        goto fail;
    if (!d->workflow.identifier.n)          /* a version's row has none of its own */
        d->workflow.identifier = json_get_str(d->doc, "workflowId");
    yyjson_val *steps = json_get(d->doc, "steps"), *step;
    d->steps = ARENA_ARRAY(a, struct step_definition, yyjson_arr_size(steps) + 1);
    yyjson_arr_iter it = yyjson_arr_iter_with(steps);
    while ((step = yyjson_arr_iter_next(&it)))
        if (!step_compile(a, json_get_str(d->doc, "origin"), step, &d->steps[d->steps_n++], err))
            goto fail;
    d->looks_back = str_find(d->workflow.doc, STR("\"previousStep\"")) >= 0;
    d->external = str_eqz(json_get_str(d->doc, "origin"), "external");
    d->severity = SEVERITY_NONE;
    severity_parse(json_get_str(d->doc, "severity"), &d->severity);
    d->validate_payload = json_get_bool(d->doc, "validatePayload", false);
    d->payload_schema = json_get(d->doc, "payloadSchema");
    if (!yyjson_is_obj(d->payload_schema))
        d->payload_schema = NULL;
    /* A schema that does not compile was refused when it was written; one that got past lets everything through. */
    if (d->validate_payload && d->payload_schema && !schema_is_open(d->payload_schema))
        d->payload_program = jsonschema_compile(a, d->payload_schema, NULL, NULL);
    d->tags = json_get(d->doc, "tags");
    d->texts.on = json_get_bool(d->doc, "isTranslationEnabled", false);
    preferences_compile(d);
    d->value = definition_value(a, d, d->severity);
    d->summary = summary_write(d);
    return d;
fail:
    arena_destroy(a);
    return NULL;
}

const struct step_definition *definition_step(const struct definition *d, struct id step)
{
    for (int i = 0; i < d->steps_n; i++)
        if (id_eq(d->steps[i].id, step))
            return &d->steps[i];
    return NULL;
}

struct definitions *definitions_create(bool shared_store)
{
    struct definitions *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->current = cache_create(shared_store ? SHARED_MAX_AGE_MS : 0, ENTRIES);
    d->versions = cache_create(0, ENTRIES);
    return d;
}

void definitions_destroy(struct definitions *d)
{
    if (!d)
        return;
    cache_destroy(d->current);
    cache_destroy(d->versions);
    free(d);
}

void definitions_changed(struct definitions *d)
{
    cache_invalidate(d->current);
}

/* A key of fixed binary parts and a text: environment, then an identifier or an id. */
static struct str key_of(char *buf, struct id environment, const char *tag, struct str rest)
{
    memcpy(buf, environment.b, 12);
    buf[12] = *tag;
    if (rest.n)
        memcpy(buf + 13, rest.p, rest.n);
    return (struct str){buf, 13 + rest.n};
}

enum { IDENTIFIER_MAX = 512 };

/* Compiled, with what belongs to it in other tables. */
static struct definition *definition_load(struct db *db, const struct workflow *row, struct error *err)
{
    struct definition *d = definition_compile(row, err);
    if (d && !resource_texts_load(db, d->arena, row->environment, TRANSLATED_WORKFLOW, d->workflow.identifier, &d->texts, err)) {
        cached_unref(&d->head);
        return NULL;
    }
    for (int i = 0; d && i < d->steps_n; i++) {
        struct step_definition *s = &d->steps[i];
        body_texts_compile(d->arena, &d->texts, s->body.plain, &s->body);
        for (int k = 0; k < s->variants_n; k++)
            body_texts_compile(d->arena, &d->texts, s->variants[k].body.plain, &s->variants[k].body);
    }
    return d;
}

struct environment_layouts *definition_layouts(struct definitions *d, struct db *db, struct id environment, struct error *err)
{
    char buf[13];
    struct str key = key_of(buf, environment, "l", STR_NULL);
    struct environment_layouts *hit = cache_get(d->current, key);
    if (hit)
        return hit;
    uint64_t epoch = cache_epoch(d->current);
    hit = environment_layouts_load(db, environment, err);
    if (hit)
        cache_put(d->current, key, &hit->head, epoch);
    return hit;
}

struct definition *definition_current(struct definitions *d, struct db *db, struct id environment, struct str identifier,
                                      struct error *err)
{
    char buf[13 + IDENTIFIER_MAX];
    if (identifier.n > IDENTIFIER_MAX) {
        error_set(err, ERROR_NOT_FOUND, "workflow_not_found");
        return NULL;
    }
    struct str key = key_of(buf, environment, "w", identifier);
    struct definition *hit = cache_get(d->current, key);
    if (hit)
        return hit;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct workflow row;
    uint64_t epoch = cache_epoch(d->current);
    if (!workflow_find_by_identifier(db, a, environment, identifier, &row, err)) {
        if (err->code == ERROR_NOT_FOUND)
            error_set(err, ERROR_NOT_FOUND, "workflow_not_found");
        return NULL;
    }
    hit = definition_load(db, &row, err);
    if (hit)
        cache_put(d->current, key, &hit->head, epoch);
    return hit;
}

struct definition *definition_by_id(struct definitions *d, struct db *db, struct id environment, struct id workflow,
                                    struct error *err)
{
    char buf[13 + IDENTIFIER_MAX];
    struct str key = key_of(buf, environment, "i", (struct str){(char *)workflow.b, sizeof workflow.b});
    struct definition *hit = cache_get(d->current, key);
    if (hit)
        return hit;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct workflow row;
    uint64_t epoch = cache_epoch(d->current);
    if (!workflow_find_by_id(db, a, environment, workflow, &row, err))
        return NULL;
    hit = definition_load(db, &row, err);
    if (hit)
        cache_put(d->current, key, &hit->head, epoch);
    return hit;
}

enum { VERSION_KEY = 12 + sizeof(int64_t) };

static struct str version_key(char *buf, struct id workflow, int64_t version)
{
    memcpy(buf, workflow.b, 12);
    memcpy(buf + 12, &version, sizeof version);
    return (struct str){buf, VERSION_KEY};
}

struct definition *definition_version(struct definitions *d, struct db *db, struct id environment, struct id workflow,
                                      int64_t version, struct error *err)
{
    char buf[VERSION_KEY];
    struct str key = version_key(buf, workflow, version);
    struct definition *hit = cache_get(d->versions, key);
    if (hit)
        return hit;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct workflow_version v;
    if (!workflow_version_find(db, a, workflow, version, &v, err))
        return NULL;
    struct workflow row = {.id = workflow, .environment = environment, .name = v.name, .active = true, .version = version,
                           .doc = v.doc, .created_at = v.created_at, .updated_at = v.created_at};
    hit = definition_compile(&row, err);
    if (hit)
        cache_put(d->versions, key, &hit->head, cache_epoch(d->versions));
    return hit;
}

struct definition *definition_brought(struct definitions *d, struct id environment, struct id workflow, yyjson_val *bridge,
                                      struct error *err)
{
    char buf[VERSION_KEY];
    int64_t version = json_get_int(bridge, "version", 0);
    struct str key = version_key(buf, workflow, version);
    struct definition *hit = cache_get(d->versions, key);
    if (hit)
        return hit;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct workflow row = {.id = workflow, .environment = environment, .name = json_get_str(bridge, "name"), .active = true,
                           .version = version, .doc = json_write(a, json_get(bridge, "workflow"))};
    hit = definition_compile(&row, err);
    if (hit)
        cache_put(d->versions, key, &hit->head, cache_epoch(d->versions));
    return hit;
}

struct definition *definition_of_run(struct definitions *d, struct db *db, struct id environment, struct id workflow, int64_t version,
                                     yyjson_val *event, struct error *err)
{
    yyjson_val *bridge = json_get(event, "bridge");
    return bridge ? definition_brought(d, environment, workflow, bridge, err)
                  : definition_version(d, db, environment, workflow, version, err);
}
