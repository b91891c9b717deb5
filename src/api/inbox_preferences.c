/* GET /v1/inbox/preferences: what a person is sent, as the workflows say (inbox-realtime.md §2.8). */
#include "api/inbox_private.h"
#include "engine/definition.h"

/* Channels with an active step; `tool` is not shown to people. */
static void channels_of(const struct definition *w, bool out[CHANNELS])
{
    for (int i = 0; i < w->steps_n; i++)
        if (w->steps[i].active && step_is_channel(w->steps[i].type) && w->steps[i].type != STEP_TOOL)
            out[w->steps[i].type] = true;
}

static yyjson_mut_val *preference_json(yyjson_mut_doc *d, const char *level)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "level", str_of(level));
    json_add_bool(d, o, "enabled", true);       /* engine.md §6.3: a workflow is switched off through its channels */
    return o;
}

static yyjson_mut_val *global_json(yyjson_mut_doc *d, const bool present[CHANNELS])
{
    yyjson_mut_val *o = preference_json(d, "global"), *channels = json_add_obj(d, o, "channels");
    for (int c = 0; c < CHANNELS; c++)
        if (present[c])
            json_add_bool(d, channels, channel_name((enum channel)c).p, true);
    json_add_arr(d, o, "overrides");
    return o;
}

static yyjson_mut_val *template_json(yyjson_mut_doc *d, const struct definition *w)
{
    bool present[CHANNELS] = {false};
    yyjson_mut_val *o = preference_json(d, "template"), *channels = json_add_obj(d, o, "channels");
    yyjson_mut_val *overrides = json_add_arr(d, o, "overrides");
    channels_of(w, present);
    for (int c = 0; c < CHANNELS; c++) {
        if (!present[c])
            continue;
        json_add_bool(d, channels, channel_name((enum channel)c).p, w->channel_enabled[c]);
        yyjson_mut_val *from = yyjson_mut_arr_add_obj(d, overrides);
        json_add_str(d, from, "channel", channel_name((enum channel)c));
        json_add_str(d, from, "source", STR("template"));
    }
    yyjson_mut_val *workflow = json_add_obj(d, o, "workflow");
    json_add_id(d, workflow, "id", w->workflow.id);
    yyjson_mut_obj_add_strncpy(d, workflow, "identifier", w->workflow.identifier.p, w->workflow.identifier.n);
    yyjson_mut_obj_add_strncpy(d, workflow, "name", w->workflow.name.p, w->workflow.name.n);
    json_add_bool(d, workflow, "critical", w->critical);
    if (yyjson_is_arr(w->tags))
        json_add_val(d, workflow, "tags", w->tags);
    else
        json_add_arr(d, workflow, "tags");
    json_add_str(d, workflow, "severity", severity_name(w->severity));
    return o;
}

/* --- the active workflows ------------------------------------------------------------------------------------------ */

struct workflows {
    struct definition **all;
    size_t n;
};

static void workflows_release(struct workflows *w)
{
    for (size_t i = 0; i < w->n; i++)
        cached_unref(&w->all[i]->head);
}

/* Oldest first. To be released. */
static bool workflows_read(struct request *rq, struct workflows *out, struct error *err)
{
    struct workflow_query q = {.limit = INT64_MAX, .order_by = WORKFLOWS_BY_CREATED, .ascending = true};
    struct id environment = rq->principal.environment;
    struct workflow *rows;
    size_t n;
    *out = (struct workflows){0};
    if (!workflow_list(app_db(rq), rq->arena, environment, &q, &rows, &n, err))
        return false;
    out->all = ARENA_ARRAY(rq->arena, struct definition *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct error missing = {0};
        if (!rows[i].active)
            continue;
        struct definition *w = definition_by_id(app_of(rq)->definitions, app_db(rq), environment, rows[i].id, &missing);
        if (w) {
            out->all[out->n++] = w;
        } else if (missing.code != ERROR_NOT_FOUND) {       /* else it was deleted just now */
            *err = missing;
            workflows_release(out);
            return false;
        }
    }
    return true;
}

static bool all_channels(struct request *rq, struct workflows *w, bool present[CHANNELS])
{
    struct error err = {0};
    if (!workflows_read(rq, w, &err)) {
        reply_error(rq, &err);
        return false;
    }
    for (size_t i = 0; i < w->n; i++)
        channels_of(w->all[i], present);
    return true;
}

static bool asked_for(const struct definition *w, const struct inbox_filter *f, struct str criticality)
{
    if (!str_eqz(criticality, "all") && w->critical != str_eqz(criticality, "critical"))
        return false;
    return (!f->severities || f->severities & 1u << w->severity) && inbox_tags_match(f, w->tags);
}

void inbox_handle_preferences(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct str criticality = request_query(rq, "criticality");
    bool present[CHANNELS] = {false};
    struct inbox_filter f;
    struct workflows w;
    inbox_filter_labels(&checks, &f);
    if (!criticality.n)
        criticality = STR("nonCritical");
    if (!str_eqz(criticality, "nonCritical") && !str_eqz(criticality, "critical") && !str_eqz(criticality, "all"))
        check_fail(&checks, "criticality must be one of the following values: critical, nonCritical, all");
    if (!checks_done(&checks) || !inbox_caller_known(rq) || !all_channels(rq, &w, present))
        return;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_mut_arr_append(list, global_json(d, present));
    for (size_t i = 0; i < w.n; i++)
        if (asked_for(w.all[i], &f, criticality))
            yyjson_mut_arr_append(list, template_json(d, w.all[i]));
    workflows_release(&w);
    reply_json(rq, 0, list);
}

void inbox_handle_global_preference(struct request *rq)
{
    bool present[CHANNELS] = {false};
    struct workflows w;
    if (!inbox_caller_known(rq) || !all_channels(rq, &w, present))
        return;
    workflows_release(&w);
    reply_json(rq, 0, global_json(json_doc(rq->arena), present));
}
