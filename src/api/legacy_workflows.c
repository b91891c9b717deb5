/* /v1/notification-templates (rest-api.md §7): the workflows of /v2/workflows as older clients know them. */
#include "api/app.h"
#include "api/legacy_step.h"
#include "api/tables.h"
#include "api/workflow_content.h"
#include "api/workflow_doc.h"
#include "api/workflow_write.h"
#include "model/legacy_group.h"

enum { PAGE_DEFAULT = 10, PAGE_MOST = 100, SHOWN = 64, VARIANTS_MAX = 20 };

struct template_write {
    struct api_write w;
    struct workflow row;
    struct workflow_content content;
    yyjson_mut_doc *d;
    yyjson_mut_val *answer;         /* made before the write: a reply runs on the writer's thread */
};

/* --- the wire form ------------------------------------------------------------------------------------------- */

/* Names that start with this prefix, as {name, type}: those of the payload are what a trigger has to bring. */
static void add_variables(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *o, const char *key, struct str prefix,
                          const struct template_report *uses)
{
    yyjson_mut_val *list = json_add_arr(d, o, key);
    for (size_t i = 0; i < uses->uses_n; i++) {
        const struct template_use *u = &uses->uses[i];
        struct str name = str_sub(u->path, prefix.n, u->path.n);
        bool told = !str_starts(u->path, prefix) || !name.n;
        for (size_t k = 0; k < i && !told; k++)
            told = str_eq(uses->uses[k].path, u->path);
        if (told)
            continue;
        yyjson_mut_val *v = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, v, "name", str_dup(a, name));
        json_add_str(d, v, "type", u->array ? STR("Array") : u->condition ? STR("Boolean") : STR("String"));
    }
}

static void add_trigger(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *o, const struct workflow *w, yyjson_val *doc)
{
    struct template_report uses = {0};
    struct content_workflow content = {.doc = doc};
    yyjson_mut_val *t = yyjson_mut_arr_add_obj(d, json_add_arr(d, o, "triggers"));
    workflow_uses(a, &content, &uses);
    json_add_str(d, t, "type", STR("event"));
    json_add_str(d, t, "identifier", w->identifier);
    add_variables(d, a, t, "variables", STR("payload."), &uses);
    add_variables(d, a, t, "subscriberVariables", STR("subscriber."), &uses);
    json_add_arr(d, t, "reservedVariables");
}

static void add_template(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *step, yyjson_val *stored, const struct workflow *w)
{
    yyjson_mut_val *t = yyjson_mut_obj_get(step, "template"), *layout = yyjson_mut_obj_get(t, "layoutId");
    struct str id = json_get_str(stored, "_id");
    json_add_str(d, t, "_id", id);
    json_add_id(d, t, "_environmentId", w->environment);
    json_add_id(d, t, "_organizationId", rq->principal.organization);
    if (layout)
        yyjson_mut_obj_add_val(d, t, "_layoutId", yyjson_mut_val_mut_copy(d, layout));
    if (!yyjson_mut_obj_get(t, "variables"))
        json_add_arr(d, t, "variables");
    json_add_bool(d, t, "active", true);
    json_add_bool(d, t, "deleted", false);
    json_add_time(d, t, "createdAt", w->created_at);
    json_add_time(d, t, "updatedAt", w->updated_at);
}

/* A step, or a variant of one; returns its id. */
static struct str add_step(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *s, yyjson_val *stored, struct str parent,
                           const struct workflow *w)
{
    static const char *const copied[] = {"name", "stepId", "uuid", "shouldStopOnFail"};
    struct str id = json_get_str(stored, "_id");
    json_add_str(d, s, "_id", id);
    json_add_str(d, s, "_templateId", id);
    json_add_str(d, s, "_parentId", parent);
    json_add_bool(d, s, "active", json_get_bool(stored, "active", true));
    for (size_t k = 0; k < sizeof copied / sizeof *copied; k++)
        json_add_val(d, s, copied[k], json_get(stored, copied[k]));
    if (yyjson_is_obj(json_get(stored, "replyCallback")))
        json_add_val(d, s, "replyCallback", json_get(stored, "replyCallback"));
    else
        json_add_obj(d, s, "replyCallback");
    if (json_get(stored, "filters"))
        json_add_val(d, s, "filters", json_get(stored, "filters"));
    else
        json_add_arr(d, s, "filters");
    if (json_get(stored, "issues"))
        json_add_val(d, json_add_obj(d, s, "issues"), "controls", json_get(stored, "issues"));
    legacy_step_show(d, rq->arena, s, stored);
    add_template(rq, d, s, stored, w);
    return id;
}

static void add_variants(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *s, yyjson_val *stored, const struct workflow *w)
{
    yyjson_mut_val *list = json_add_arr(d, s, "variants");
    struct str parent = STR_NULL;
    yyjson_val *v;
    size_t i, n;
    yyjson_arr_foreach(json_get(stored, "variants"), i, n, v)
        parent = add_step(rq, d, yyjson_mut_arr_add_obj(d, list), v, parent, w);
}

/* Lists do without variants (upstream: get-notification-templates.e2e.ts). */
static void add_steps(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *doc, const struct workflow *w, bool variants)
{
    yyjson_mut_val *list = json_add_arr(d, o, "steps");
    yyjson_val *stored;
    struct str parent = STR_NULL;
    size_t i, n;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, stored) {
        yyjson_mut_val *s = yyjson_mut_arr_add_obj(d, list);
        parent = add_step(rq, d, s, stored, parent, w);
        if (variants)
            add_variants(rq, d, s, stored, w);
    }
}

/* What holds: the dashboard's preferences, else the code's. */
static yyjson_val *preference_of(yyjson_val *doc)
{
    yyjson_val *all = json_get(doc, "preferences"), *user = json_get(all, "user");
    return yyjson_is_obj(user) ? user : json_get(all, "default");
}

static void add_preferences(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *doc)
{
    yyjson_val *preference = preference_of(doc), *channels = json_get(preference, "channels");
    json_add_bool(d, o, "critical", json_get_bool(json_get(preference, "all"), "readOnly", false));
    yyjson_mut_val *settings = json_add_obj(d, o, "preferenceSettings");
    for (int c = 0; c < CHANNELS; c++) {
        struct str name = channel_name((enum channel)c);
        bool on = json_get_bool(json_getn(channels, name), "enabled", true);
        if (c != CHANNEL_TOOL || !on)       /* younger than these routes: only what differs is told */
            yyjson_mut_obj_add_bool(d, settings, name.p, on);
    }
}

/* The group by its id, with its name where it still exists. */
static void add_group(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *doc, const struct legacy_group *groups, size_t n)
{
    struct str given = json_get_str(json_get(doc, "legacy"), "notificationGroupId");
    struct id id;
    json_add_str(d, o, "_notificationGroupId", given);
    for (size_t i = 0; i < n && id_parse(given, &id); i++)
        if (id_eq(groups[i].id, id)) {
            yyjson_mut_val *g = json_add_obj(d, o, "notificationGroup");
            json_add_id(d, g, "_id", id);
            json_add_str(d, g, "name", groups[i].name);
            json_add_id(d, g, "_environmentId", groups[i].environment);
            json_add_id(d, g, "_organizationId", rq->principal.organization);
        }
}

/* Could every step be sent? */
static void add_integration_status(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *doc, const struct workflow_content *c)
{
    yyjson_mut_val *status = json_add_obj(d, o, "workflowIntegrationStatus"), *channels = json_add_obj(d, status, "channels");
    yyjson_val *step;
    enum channel channel;
    bool all = true;
    size_t i, n;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (channel_parse(json_get_str(step, "type"), &channel))
            all &= !c->missing[channel];
    json_add_bool(d, status, "hasActiveIntegrations", all);
    for (int k = 0; k < CHANNELS; k++)
        yyjson_mut_obj_add_bool(d, json_add_obj(d, channels, channel_name((enum channel)k).p), "hasActiveIntegrations", !c->missing[k]);
}

static yyjson_mut_val *template_json(struct request *rq, yyjson_mut_doc *d, const struct workflow *w, const struct workflow_content *c,
                                     const struct legacy_group *groups, size_t groups_n, bool variants)
{
    static const char *const copied[] = {"description", "tags", "payloadSchema", "origin"};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = workflow_doc_now(rq->arena, c, w);
    json_add_id(d, o, "_id", w->id);
    json_add_str(d, o, "name", w->name);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i], json_get(doc, copied[i]));
    json_add_bool(d, o, "active", w->active);
    json_add_bool(d, o, "draft", !w->active);
    json_add_str(d, o, "type", STR("REGULAR"));
    json_add_bool(d, o, "isBlueprint", false);
    add_preferences(d, o, doc);
    json_add_val(d, o, "data", json_get(json_get(doc, "legacy"), "data"));
    add_group(rq, d, o, doc, groups, groups_n);
    add_trigger(d, rq->arena, o, w, doc);
    add_steps(rq, d, o, doc, w, variants);
    add_integration_status(d, o, doc, c);
    json_add_id(d, o, "_environmentId", w->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_bool(d, o, "deleted", false);
    json_add_time(d, o, "createdAt", w->created_at);
    json_add_time(d, o, "updatedAt", w->updated_at);
    return o;
}

/* --- reading a request --------------------------------------------------------------------------------------- */

/* false: answered, with this status and text where there is none. */
static bool load(struct request *rq, int status, const char *missing, struct workflow *w)
{
    struct str key = request_param(rq, "templateId");
    struct error err = {0};
    if (workflow_find(app_db(rq), rq->arena, rq->principal.environment, key, w, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        reply_fail(rq, status, missing, STR_ARG(str_cut(key, SHOWN)));
    else
        reply_error(rq, &err);
    return false;
}

static void check_flag(struct checks *c, const char *name)
{
    yyjson_val *v = json_get(c->rq->json, name);
    if (v && !yyjson_is_null(v) && !yyjson_is_bool(v))
        check_fail(c, "%s must be a boolean value", name);
}

/* By the text of its URL; where its name leads is judged when it is asked. place: "steps.0", "steps.0.variants.1". */
static void check_webhook(struct checks *c, const char *place, size_t group, size_t at, yyjson_val *part)
{
    struct str url = json_get_str(part, "webhookUrl");
    struct outbound_target t;
    struct error why = {0};
    if (str_eqz(json_get_str(part, "on"), "webhook") && url.n && !outbound_check(&app_of(c->rq)->outbound, c->rq->arena, url, &t, &why))
        check_fail(c, "%s.filters.%zu.children.%zu.webhookUrl: %s", place, group, at, why.message);
}

/* [{value: AND | OR, children: [{on}]}]: what no filter of ours can decide is refused, or the step would never be sent. */
static void check_filters(struct checks *c, const char *place, yyjson_val *filters)
{
    static const char *const known[] = {"payload", "subscriber", "tenant", "webhook", "isOnline", "isOnlineInLast", "previousStep"};
    yyjson_val *group, *part;
    size_t i, n, k, m;
    if (filters && !yyjson_is_null(filters) && !yyjson_is_arr(filters))
        check_fail(c, "%s.filters must be an array", place);
    yyjson_arr_foreach(filters, i, n, group)
        yyjson_arr_foreach(json_get(group, "children"), k, m, part) {
            struct str on = json_get_str(part, "on");
            size_t x = 0;
            while (x < sizeof known / sizeof *known && !str_eqz(on, known[x]))
                x++;
            if (x == sizeof known / sizeof *known)
                check_fail(c, "%s.filters.%zu.children.%zu.on must be one of the following values: payload, subscriber, tenant, "
                              "webhook, isOnline, isOnlineInLast, previousStep", place, i, k);
            check_webhook(c, place, i, k, part);
        }
}

/* Of a list of steps, or of variants. */
static yyjson_val *step_before(yyjson_val *list, yyjson_val *given)
{
    struct str id = json_get_str(given, "_id"), type = json_get_str(json_get(given, "template"), "type");
    yyjson_val *s;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, s)
        if (id.n && str_eq(json_get_str(s, "_id"), id) && str_eq(json_get_str(s, "type"), type))
            return s;
    return NULL;
}

static void check_variant(struct checks *c, size_t step, size_t k, struct str type, yyjson_val *given)
{
    const char *place = str_fmt(c->rq->arena, "steps.%zu.variants.%zu", step, k).p;
    yyjson_val *template = json_get(given, "template"), *active = json_get(given, "active");
    struct str problem;
    if (!yyjson_is_obj(template))
        check_fail(c, "%s.template must be an object", place);
    else if (!str_eq(json_get_str(template, "type"), type))
        check_fail(c, "%s.template.type must be that of the step", place);
    else if (!legacy_step_values(json_doc(c->rq->arena), c->rq->arena, given, NULL, &problem))
        check_fail(c, "%s.%.*s", place, STR_ARG(problem));
    if (active && !yyjson_is_bool(active))
        check_fail(c, "%s.active must be a boolean value", place);
    check_filters(c, place, json_get(given, "filters"));
}

static void check_variants(struct checks *c, size_t step, struct str type, yyjson_val *variants)
{
    yyjson_val *v;
    size_t k, n;
    enum channel channel;
    if (variants && !yyjson_is_null(variants) && !yyjson_is_arr(variants))
        check_fail(c, "steps.%zu.variants must be an array", step);
    if (yyjson_arr_size(variants) && !channel_parse(type, &channel))
        check_fail(c, "steps.%zu.variants: only steps that send have variants", step);
    if (yyjson_arr_size(variants) > VARIANTS_MAX)
        check_fail(c, "steps.%zu.variants must contain no more than %d elements", step, VARIANTS_MAX);
    yyjson_arr_foreach(variants, k, n, v)
        check_variant(c, step, k, type, v);
}

/* A step as /v2/workflows takes it. */
static void step_add(struct checks *c, yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *given, size_t i, yyjson_val *old)
{
    static const char *const copied[] = {"_id", "stepId", "active", "shouldStopOnFail"};
    yyjson_mut_val *s = yyjson_mut_arr_add_obj(d, list);
    yyjson_val *template = json_get(given, "template");
    struct str name = json_get_str(given, "name"), type = json_get_str(template, "type"), problem;
    if (!yyjson_is_obj(template)) {
        check_fail(c, "steps.%zu.template must be an object", i);
        return;
    }
    check_variants(c, i, type, json_get(given, "variants"));
    check_filters(c, str_fmt(c->rq->arena, "steps.%zu", i).p, json_get(given, "filters"));
    for (size_t k = 0; k < sizeof copied / sizeof *copied; k++)
        json_add_val(d, s, copied[k], json_get(given, copied[k]));
    if (!name.n)
        name = json_get_str(template, "name");
    json_add_str(d, s, "name", name.n ? name : type);
    json_add_str(d, s, "type", type);
    yyjson_mut_val *values = legacy_step_values(d, c->rq->arena, given, step_before(json_get(old, "steps"), given), &problem);
    if (values)
        yyjson_mut_obj_add_val(d, s, "controlValues", values);
    else
        check_fail(c, "steps.%zu.%.*s", i, STR_ARG(problem));
}

static void put_preference(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *body, yyjson_val *old)
{
    yyjson_val *before = preference_of(old), *given = json_get(rq->json, "preferenceSettings");
    yyjson_mut_val *o = yyjson_mut_obj(d), *all = json_add_obj(d, o, "all"), *channels = json_add_obj(d, o, "channels");
    yyjson_mut_val *preferences = json_add_obj(d, body, "preferences");
    bool critical = json_get_bool(json_get(before, "all"), "readOnly", false);
    json_add_bool(d, all, "enabled", json_get_bool(json_get(before, "all"), "enabled", true));
    json_add_bool(d, all, "readOnly", json_get_bool(rq->json, "critical", critical));
    for (int c = 0; c < CHANNELS; c++) {
        struct str name = channel_name((enum channel)c);
        bool was = json_get_bool(json_getn(json_get(before, "channels"), name), "enabled", true);
        yyjson_mut_obj_add_bool(d, json_add_obj(d, channels, name.p), "enabled", json_get_bool(given, name.p, was));
    }
    yyjson_mut_obj_add_val(d, preferences, "workflow", o);
    if (yyjson_is_obj(json_get(json_get(old, "preferences"), "user")))
        yyjson_mut_obj_add_val(d, preferences, "user", yyjson_mut_val_mut_copy(d, o));
}

/* The body of PUT or POST as one of /v2/workflows; what an update does not give is taken from what is stored. */
static yyjson_val *body_translate(struct checks *c, const struct workflow *before, yyjson_val *old)
{
    static const char *const given[] = {"name", "description", "tags"}, *const stored[] = {"severity", "isTranslationEnabled",
                                        "validatePayload", "payloadSchema", "agent"};
    struct request *rq = c->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *body = yyjson_mut_obj(d);
    yyjson_val *steps = check_array(c, rq->json, "steps", !before), *step, *out = NULL;
    size_t i, n;
    for (i = 0; i < sizeof given / sizeof *given; i++)
        json_add_val(d, body, given[i], json_get(rq->json, given[i]) ? json_get(rq->json, given[i]) : json_get(old, given[i]));
    for (i = 0; i < sizeof stored / sizeof *stored; i++)
        json_add_val(d, body, stored[i], json_get(old, stored[i]));
    if (before && !json_get(rq->json, "name"))
        json_add_str(d, body, "name", before->name);
    json_add_bool(d, body, "active", before ? before->active : json_get_bool(rq->json, "active", false));
    put_preference(rq, d, body, old);
    if (steps) {
        yyjson_mut_val *list = json_add_arr(d, body, "steps");
        yyjson_arr_foreach(steps, i, n, step)
            step_add(c, d, list, step, i, old);
    } else if (old) {
        json_add_val(d, body, "steps", json_get(old, "steps"));
    }
    json_parse(rq->arena, json_write_mut(rq->arena, body), &out, NULL);
    return out;
}

/* The variants of a step that was made, each with control values of its own. */
static void keep_variants(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *step, yyjson_val *given, yyjson_val *before)
{
    yyjson_val *variants = json_get(given, "variants"), *v;
    size_t k, n;
    if (!yyjson_arr_size(variants))
        return;
    yyjson_mut_val *list = json_add_arr(d, step, "variants");
    yyjson_arr_foreach(variants, k, n, v) {
        yyjson_val *old = step_before(json_get(before, "variants"), v), *template = json_get(v, "template");
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        struct str problem, name = json_get_str(v, "name");
        if (old)
            json_add_str(d, o, "_id", json_get_str(old, "_id"));
        else
            json_add_id(d, o, "_id", app_id(rq));
        if (!name.n)
            name = json_get_str(template, "name");
        json_add_str(d, o, "name", name.n ? name : json_get_str(template, "type"));
        json_add_str(d, o, "type", json_get_str(template, "type"));
        json_add_bool(d, o, "active", json_get_bool(v, "active", true));
        yyjson_mut_obj_add_val(d, o, "controlValues", legacy_step_values(d, rq->arena, v, old, &problem));
        legacy_step_keep(d, o, v);
    }
}

/* Puts what only the older form knows into the document that was made. */
static void keep_legacy(struct request *rq, struct workflow *w, yyjson_val *old)
{
    static const char *const members[] = {"notificationGroupId", "data"};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_val *doc = NULL, *steps = json_get(rq->json, "steps");
    json_parse(rq->arena, w->doc, &doc, NULL);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, doc), *step;
    yyjson_mut_obj_remove_key(root, "legacy");
    yyjson_mut_val *legacy = json_add_obj(d, root, "legacy");
    size_t i, n;
    for (i = 0; i < sizeof members / sizeof *members; i++) {
        yyjson_val *v = json_get(rq->json, members[i]);
        json_add_val(d, legacy, members[i], v ? v : json_get(json_get(old, "legacy"), members[i]));
    }
    if (steps)
        yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "steps"), i, n, step) {
            static const char *const own[] = {"legacy", "filters", "uuid", "replyCallback", "variants"};
            for (size_t k = 0; k < sizeof own / sizeof *own; k++)
                yyjson_mut_obj_remove_key(step, own[k]);
            legacy_step_keep(d, step, yyjson_arr_get(steps, i));
            keep_variants(rq, d, step, yyjson_arr_get(steps, i), step_before(json_get(old, "steps"), yyjson_arr_get(steps, i)));
        }
    w->doc = json_write_mut(rq->arena, root);
}

/* Upstream looks only when an update names it; a group that is not there would be no group. */
static bool group_is_known(struct request *rq, const struct legacy_group *groups, size_t n)
{
    struct str given = json_get_str(rq->json, "notificationGroupId");
    char hex[ID_HEX + 1];
    struct id id;
    if (!given.n)
        return true;
    for (size_t i = 0; i < n && id_parse(given, &id); i++)
        if (id_eq(groups[i].id, id))
            return true;
    id_hex(rq->principal.environment, hex);
    reply_fail(rq, 404, "Notification group with id %.*s not found, under environment %s", STR_ARG(str_cut(given, SHOWN)), hex);
    return false;
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct template_write *x = (struct template_write *)w;
    return workflow_write_create(w->rq, db, &x->row, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    return workflow_write_update_seen(w, db, &((struct template_write *)w)->row, err);
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    return workflow_write_delete(w->rq, db, &((struct template_write *)w)->row, err);
}

/* Only the identifier may have become another. */
static void write_reply(struct api_write *w)
{
    struct template_write *x = (struct template_write *)w;
    yyjson_mut_val *trigger = yyjson_mut_arr_get_first(yyjson_mut_obj_get(x->answer, "triggers"));
    yyjson_mut_obj_put(trigger, yyjson_mut_str(x->d, "identifier"), json_mut_str(x->d, x->row.identifier));
    reply_json(w->rq, 0, x->answer);
}

static void delete_reply(struct api_write *w)
{
    reply_json(w->rq, 0, yyjson_mut_bool(json_doc(w->rq->arena), true));
}

static struct template_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct template_write *x = ARENA_NEW(rq->arena, struct template_write);
    x->w = (struct api_write){.rq = rq, .flags = WRITE_DEFINITIONS, .apply = apply, .reply = write_reply};
    x->d = json_doc(rq->arena);
    return x;
}

static bool content_writable(struct request *rq, struct workflow_content *c)
{
    struct error err = {0};
    if (workflow_content_load(rq, c, &err) && workflow_content_writable(c, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static bool groups_load(struct request *rq, struct legacy_group **groups, size_t *n)
{
    struct error err = {0};
    if (legacy_group_list(app_db(rq), rq->arena, rq->principal.environment, LEGACY_NOTIFICATION_GROUP, groups, n, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* Writes the row, answered in the older form. */
static void submit(struct request *rq, struct template_write *x, const struct legacy_group *groups, size_t n)
{
    struct error err = {0};
    if (!workflow_issues_make(rq->arena, &x->content, x->row.doc, &x->row.doc, &err)) {
        reply_error(rq, &err);
        return;
    }
    x->answer = template_json(rq, x->d, &x->row, &x->content, groups, n, true);
    api_write(rq, &x->w);
}

/* A variant without conditions would never be chosen (upstream: create-workflow.usecase.ts). */
static bool variants_have_filters(struct request *rq)
{
    yyjson_val *step, *v, *group;
    size_t i, n, k, m, g, max;
    yyjson_arr_foreach(json_get(rq->json, "steps"), i, n, step)
        yyjson_arr_foreach(json_get(step, "variants"), k, m, v) {
            size_t parts = 0;
            struct str name = json_get_str(v, "name"), id = json_get_str(v, "_id");
            yyjson_arr_foreach(json_get(v, "filters"), g, max, group)
                parts += yyjson_arr_size(json_get(group, "children"));
            if (parts)
                continue;
            name = str_cut(name.n ? name : STR("undefined"), SHOWN);
            id = str_cut(id.n ? id : STR("undefined"), SHOWN);
            reply_fail(rq, 400, "Variant filters are required, variant name %.*s id %.*s", STR_ARG(name), STR_ARG(id));
            return false;
        }
    return true;
}

static bool action_is_whole(yyjson_val *step)
{
    yyjson_val *action = json_get(json_get(json_get(step, "template"), "cta"), "action");
    return !action || yyjson_is_null(action) || yyjson_is_obj(action);
}

/* Answers the request if a button's action has no shape. */
static bool actions_are_whole(struct request *rq)
{
    size_t i, n;
    yyjson_val *step;
    yyjson_arr_foreach(json_get(rq->json, "steps"), i, n, step)
        if (!action_is_whole(step)) {
            reply_fail(rq, 400, "Please provide a valid CTA action");
            return false;
        }
    return true;
}

/* before: the stored workflow that is changed, or NULL. */
static void save(struct request *rq, struct template_write *x, const struct workflow *before)
{
    struct checks c = checks_begin(rq);
    struct legacy_group *groups;
    struct error err = {0};
    yyjson_val *old = NULL;
    size_t n;
    if (before)
        json_parse(rq->arena, before->doc, &old, NULL);
    if (!before && !check_string(&c, rq->json, "notificationGroupId", false).n)
        check_fail(&c, "Notification group must be provided ");
    check_flag(&c, "active");
    check_flag(&c, "critical");
    check_object(&c, rq->json, "preferenceSettings", false);
    check_object(&c, rq->json, "data", false);
    yyjson_val *body = body_translate(&c, before, old);
    if (!c.n && !workflow_doc_read(&c, body, before, &x->row, &err) && !c.n) {
        reply_error(rq, &err);
        return;
    }
    if (!checks_done(&c) || !variants_have_filters(rq) || !actions_are_whole(rq) || !groups_load(rq, &groups, &n) || !group_is_known(rq, groups, n))
        return;
    keep_legacy(rq, &x->row, old);
    submit(rq, x, groups, n);
}

static void handle_create(struct request *rq)
{
    struct template_write *x = write_new(rq, create_apply);
    if (!content_writable(rq, &x->content))
        return;
    struct str name = json_get_str(rq->json, "name"), identifier = slugify(rq->arena, name);
    x->row = (struct workflow){.id = app_id(rq), .environment = rq->principal.environment, .version = 1,
                               .identifier = identifier.n ? identifier : STR("workflow"),
                               .created_at = app_now(rq), .updated_at = app_now(rq)};
    save(rq, x, NULL);
}

static void handle_update(struct request *rq)
{
    struct template_write *x = write_new(rq, update_apply);
    struct str given = json_get_str(rq->json, "identifier");
    struct workflow before;
    if (!load(rq, 404, "Notification template with id %.*s not found", &before) || !content_writable(rq, &x->content))
        return;
    if (given.n && !str_eq(given, before.identifier)) {
        reply_fail(rq, 400, "identifier cannot be changed");         /* decisions.md 13 */
        return;
    }
    if (!yyjson_obj_size(rq->json)) {
        reply_fail(rq, 400, "No properties found for update");
        return;
    }
    x->row = before;
    x->w.seen = before.updated_at;
    x->row.updated_at = app_now(rq);
    save(rq, x, &before);
}

static void handle_status(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct template_write *x = write_new(rq, update_apply);
    yyjson_val *active = json_get(rq->json, "active");
    struct legacy_group *groups;
    size_t n;
    if (!yyjson_is_bool(active))
        check_fail(&c, "active must be a boolean value");
    if (!active || yyjson_is_null(active))
        check_fail(&c, "active should not be null or undefined");
    if (!checks_done(&c) || !load(rq, 404, "Template with id %.*s not found", &x->row) || !content_writable(rq, &x->content)
        || !groups_load(rq, &groups, &n))
        return;
    if (x->row.active == yyjson_get_bool(active)) {
        reply_fail(rq, 400, "You must provide a different status from the current status");
        return;
    }
    x->row.active = yyjson_get_bool(active);
    x->w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    submit(rq, x, groups, n);
}

static void handle_delete(struct request *rq)
{
    struct template_write *x = write_new(rq, delete_apply);
    x->w.flags |= WRITE_REMOVAL;
    x->w.reply = delete_reply;
    if (load(rq, 400, "Could not find workflow with id %.*s", &x->row) && content_writable(rq, &x->content))
        api_write(rq, &x->w);
}

/* --- reading ------------------------------------------------------------------------------------------------- */

static void handle_get(struct request *rq)
{
    struct workflow w;
    struct workflow_content content;
    struct legacy_group *groups;
    struct error err = {0};
    size_t n;
    if (!load(rq, 404, "Template with id %.*s not found", &w) || !groups_load(rq, &groups, &n))
        return;
    if (workflow_content_load(rq, &content, &err))
        reply_json(rq, 0, template_json(rq, json_doc(rq->arena), &w, &content, groups, n, true));
    else
        reply_error(rq, &err);
}

/* Lists show what older clients made; by its id they read any workflow (upstream: workflows-v2/workflow.controller.e2e.ts). */
static size_t keep_older(struct arena *a, struct workflow *all, size_t n)
{
    size_t kept = 0;
    yyjson_val *doc;
    for (size_t i = 0; i < n; i++)
        if (json_parse(a, all[i].doc, &doc, NULL) && json_get(doc, "legacy"))
            all[kept++] = all[i];
    return kept;
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t page = check_query_int(&c, "page", 0, 0, 1000000), limit = check_query_int(&c, "limit", PAGE_DEFAULT, 1, PAGE_MOST);
    struct workflow_query q = {.query = request_query(rq, "query"), .limit = limit, .offset = page * limit};
    struct workflow *all;
    struct workflow_content content;
    struct legacy_group *groups;
    struct error err = {0};
    size_t n, groups_n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data;
    if (!checks_done(&c) || !groups_load(rq, &groups, &groups_n))
        return;
    if (!workflow_content_load(rq, &content, &err) || !workflow_list(app_db(rq), rq->arena, rq->principal.environment, &q, &all, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    n = keep_older(rq->arena, all, n);
    json_add_int(d, o, "page", page);
    data = json_add_arr(d, o, "data");
    for (size_t i = (size_t)q.offset; i < n && i < (size_t)(q.offset + limit); i++)
        yyjson_mut_arr_append(data, template_json(rq, d, &all[i], &content, groups, groups_n, false));
    json_add_int(d, o, "totalCount", (int64_t)n);
    json_add_int(d, o, "pageSize", limit);
    reply_json(rq, 0, o);
}

/* What templates of older workflows may use, with types (upstream: get-workflow-variables.usecase.ts). Translations are of a
 * workflow, not of an environment, and templates see them as `t`. */
static void handle_variables(struct request *rq)
{
#define PERSON "{\"firstName\":\"string\",\"lastName\":\"string\",\"email\":\"string\",\"phone\":\"string\",\"avatar\":\"string\"," \
               "\"locale\":\"string\",\"subscriberId\":\"string\"}"
    reply_json_text(rq, 0, STR("{\"translations\":{},\"system\":{\"subscriber\":" PERSON ",\"actor\":" PERSON ","
                               "\"step\":{\"digest\":\"boolean\",\"events\":\"array\",\"total_count\":\"number\"},"
                               "\"branding\":{\"logo\":\"string\",\"color\":\"string\"},"
                               "\"tenant\":{\"name\":\"string\",\"data\":\"object\"}}}"));
#undef PERSON
}

#define TEMPLATE(method, path, operation, tag, summary, permission, status, envelope, handler) \
    {method, path, operation, tag, summary " (older clients)", AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 32u << 20, 0, \
     handler}

/* Two names of the same: base and the words that operations begin with. */
#define TEMPLATES(base, name, tag)                                                                                                    \
    TEMPLATE(HTTP_GET, base, name "ListV1", tag, "List workflows", "WORKFLOW_READ", 200, ENVELOPE_NONE, handle_list),                 \
    TEMPLATE(HTTP_POST, base, name "CreateV1", tag, "Create a workflow", "WORKFLOW_WRITE", 201, ENVELOPE_DATA, handle_create),        \
    TEMPLATE(HTTP_GET, base "/{templateId}", name "RetrieveV1", tag, "Retrieve a workflow", "WORKFLOW_READ", 200, ENVELOPE_DATA,      \
             handle_get),                                                                                                             \
    TEMPLATE(HTTP_PUT, base "/{templateId}", name "UpdateV1", tag, "Change a workflow", "WORKFLOW_WRITE", 200, ENVELOPE_DATA,         \
             handle_update),                                                                                                          \
    TEMPLATE(HTTP_DELETE, base "/{templateId}", name "DeleteV1", tag, "Delete a workflow", "WORKFLOW_WRITE", 200, ENVELOPE_DATA,      \
             handle_delete),                                                                                                          \
    TEMPLATE(HTTP_PUT, base "/{templateId}/status", name "StatusV1", tag, "Switch a workflow on or off", "WORKFLOW_WRITE", 200,       \
             ENVELOPE_DATA, handle_status)

const struct route legacy_workflow_routes[] = {
    TEMPLATES("/v1/notification-templates", "notificationTemplates", "Notification Templates"),
    TEMPLATES("/v1/workflows", "workflows", "Workflows"),
    {HTTP_GET, "/v1/workflows/variables", "workflowsVariablesV1", "Workflows", "What templates may use (older clients)", AUTH_ENVIRONMENT,
     "WORKFLOW_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_variables},
};
const size_t legacy_workflow_routes_n = sizeof legacy_workflow_routes / sizeof *legacy_workflow_routes;
