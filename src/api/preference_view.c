/* What a subscriber is sent. */
#include "api/preference_view.h"

/* --- workflows ---------------------------------------------------------------------------------------------------- */

void workflow_set_release(struct workflow_set *w)
{
    for (size_t i = 0; i < w->n; i++)
        cached_unref(&w->all[i]->head);
    w->n = 0;
}

bool workflow_set_read(struct request *rq, bool active_only, struct workflow_set *out, struct error *err)
{
    struct workflow_query q = {.limit = INT64_MAX, .order_by = WORKFLOWS_BY_CREATED, .ascending = true};
    struct id environment = rq->principal.environment;
    struct workflow *rows;
    size_t n;
    *out = (struct workflow_set){0};
    if (!workflow_list(app_db(rq), rq->arena, environment, &q, &rows, &n, err))
        return false;
    out->all = ARENA_ARRAY(rq->arena, struct definition *, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct error missing = {0};
        if (active_only && !rows[i].active)
            continue;
        struct definition *w = definition_by_id(app_of(rq)->definitions, app_db(rq), environment, rows[i].id, &missing);
        if (w) {
            out->all[out->n++] = w;
        } else if (missing.code != ERROR_NOT_FOUND) {       /* else it was deleted just now */
            *err = missing;
            workflow_set_release(out);
            return false;
        }
    }
    return true;
}

struct definition *workflow_set_find(const struct workflow_set *w, struct str key)
{
    struct id id;
    bool is_id = id_parse(key, &id) || slug_parse(key, "wf_", &id);
    for (size_t i = 0; is_id && i < w->n; i++)
        if (id_eq(w->all[i]->workflow.id, id))
            return w->all[i];
    for (size_t i = 0; i < w->n; i++)
        if (str_eq(w->all[i]->workflow.identifier, key))
            return w->all[i];
    return NULL;
}

void workflow_channels(const struct definition *w, bool out[CHANNELS])
{
    for (int i = 0; i < w->steps_n; i++)
        if (w->steps[i].active && step_is_channel(w->steps[i].type))
            out[w->steps[i].type] = true;
}

yyjson_mut_val *workflow_brief_json(yyjson_mut_doc *d, const struct definition *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "id", w->workflow.id);
    yyjson_mut_obj_add_strncpy(d, o, "identifier", w->workflow.identifier.p, w->workflow.identifier.n);
    yyjson_mut_obj_add_strncpy(d, o, "name", w->workflow.name.p, w->workflow.name.n);
    json_add_bool(d, o, "critical", w->critical);
    if (yyjson_is_arr(w->tags))
        json_add_val(d, o, "tags", w->tags);
    else
        json_add_arr(d, o, "tags");
    json_add_str(d, o, "severity", severity_name(w->severity));
    return o;
}

/* --- one person's ----------------------------------------------------------------------------------------------------- */

static bool off_is_final(struct request *rq, bool *out, struct error *err)
{
    struct environment_view *e = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
    yyjson_val *settings = NULL;
    if (!e)
        return false;
    json_parse(rq->arena, e->environment.settings, &settings, NULL);
    *out = json_get_bool(settings, "workflowChannelOffIsFinal", false);
    cached_unref(&e->head);
    return true;
}

bool preference_view_read(struct request *rq, struct id subscriber, const struct str *context, struct preference_view *out,
                          struct error *err)
{
    *out = (struct preference_view){.context = context ? *context : STR(""), .any_context = !context};
    return off_is_final(rq, &out->off_is_final, err)
        && preference_list(app_db(rq), rq->arena, subscriber, NULL, &out->rows, &out->rows_n, err)
        && workflow_set_read(rq, true, &out->workflows, err);
}

bool preference_view_refresh(struct request *rq, struct db *db, struct id subscriber, struct preference_view *v, struct error *err)
{
    return preference_list(db, rq->arena, subscriber, NULL, &v->rows, &v->rows_n, err);
}

void preference_view_release(struct preference_view *v)
{
    workflow_set_release(&v->workflows);
}

/* How well a row's context fits; 0: not at all. */
static int fit(const struct preference_view *v, const struct preference *row)
{
    if (str_eq(row->context, v->context))
        return 3;
    return row->context.n == 0 ? 2 : v->any_context;
}

const struct preference *preference_view_row(const struct preference_view *v, struct id workflow)
{
    const struct preference *best = NULL;
    for (size_t i = 0; i < v->rows_n; i++) {
        const struct preference *row = &v->rows[i];
        if (!id_eq(row->workflow, workflow) || !id_is_zero(row->subscription) || !fit(v, row))
            continue;
        if (!best || fit(v, row) > fit(v, best) || (fit(v, row) == fit(v, best) && row->updated_at > best->updated_at))
            best = row;
    }
    return best;
}

struct preference_result preference_view_merge(const struct preference_view *v, const struct definition *w)
{
    struct workflow_preferences own = workflow_preferences_read(json_get(w->doc, "preferences"));
    const struct preference *global = preference_view_row(v, (struct id){{0}}), *row = preference_view_row(v, w->workflow.id);
    struct preference_rows rows = {.found = (global ? PREFERENCE_GLOBAL : 0) | (row ? PREFERENCE_WORKFLOW : 0)};
    if (global)
        rows.global = *global;
    if (row)
        rows.workflow = *row;
    return preference_merge(&own, &rows, v->off_is_final);
}

void preference_channels_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct preference_result *r, const bool present[CHANNELS],
                             bool overrides)
{
    yyjson_mut_val *channels = json_add_obj(d, o, "channels"), *list = overrides ? json_add_arr(d, o, "overrides") : NULL;
    for (int c = 0; c < CHANNELS; c++) {
        if (!present[c])
            continue;
        json_add_bool(d, channels, channel_name((enum channel)c).p, r->channel[c]);
        if (!list)
            continue;
        yyjson_mut_val *from = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, from, "channel", channel_name((enum channel)c));
        json_add_str(d, from, "source", r->by[c] >= SOURCE_SUBSCRIBER_GLOBAL ? STR("subscriber") : STR("template"));
    }
}

void preference_global_channels_add(const struct preference_view *v, yyjson_mut_doc *d, yyjson_mut_val *o)
{
    const struct preference *row = preference_view_row(v, (struct id){{0}});
    struct preference_result r = {.read_only = false};
    bool present[CHANNELS] = {false};
    for (size_t i = 0; i < v->workflows.n; i++)
        workflow_channels(v->workflows.all[i], present);
    for (int c = 0; c < CHANNELS; c++)
        r.channel[c] = !row || row->channel[c] != CHOICE_OFF;
    preference_channels_add(d, o, &r, present, false);
}

/* --- as people see them -------------------------------------------------------------------------------------------- */

yyjson_mut_val *preference_level_json(yyjson_mut_doc *d, const char *level, bool enabled)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "level", str_of(level));
    json_add_bool(d, o, "enabled", enabled);
    return o;
}

yyjson_mut_val *preference_global_json(yyjson_mut_doc *d, const struct preference_view *v)
{
    const struct preference *row = preference_view_row(v, (struct id){{0}});
    yyjson_mut_val *o = preference_level_json(d, "global", true);     /* engine.md §6.3: `all` acts only through the channels */
    preference_global_channels_add(v, d, o);
    yyjson_mut_obj_remove_key(yyjson_mut_obj_get(o, "channels"), "tool");
    json_add_arr(d, o, "overrides");
    if (row)
        json_add_text(d, o, "schedule", row->schedule);
    return o;
}

void preference_shown_channels(const struct definition *w, bool out[CHANNELS])
{
    workflow_channels(w, out);
    out[CHANNEL_TOOL] = false;
}

yyjson_mut_val *preference_template_json(yyjson_mut_doc *d, const struct preference_view *v, const struct definition *w)
{
    bool present[CHANNELS] = {false};
    struct preference_result r = preference_view_merge(v, w);
    yyjson_mut_val *o = preference_level_json(d, "template", true);
    preference_shown_channels(w, present);
    preference_channels_add(d, o, &r, present, true);
    yyjson_mut_obj_add_val(d, o, "workflow", workflow_brief_json(d, w));
    return o;
}

bool preference_tell(struct request *rq, struct db *db, const struct webhook_ears *ears, struct id subscriber, yyjson_mut_val *shown,
                     struct error *err)
{
    struct str data = webhook_data(rq->arena, json_write_mut(rq->arena, shown), STR_NULL);
    return webhook_emit(db, ears, WEBHOOK_PREFERENCE_UPDATED, subscriber, data, app_now(rq), err);
}

struct preference preference_row_new(struct request *rq, struct id subscriber, struct id workflow, struct str context)
{
    struct preference p = preference_blank();
    p.id = app_id(rq);
    p.environment = rq->principal.environment;
    p.subscriber = subscriber;
    p.workflow = workflow;
    p.context = context;
    return p;
}
