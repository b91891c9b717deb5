/* Preferences of a subscriber: /v2/subscribers/{id}/preferences and the v1 forms (rest-api.md §6.4). */
#include "api/subscribers_v1.h"

#include "api/context_member.h"
#include "api/inbox_private.h"
#include "api/preference_view.h"
#include "api/tables.h"
#include "model/subscriber.h"

enum { BULK_MAX = 100, SCHEDULE_MESSAGES_MAX = 32 };

/* Which workflows a list shows. */
enum criticality { CRITICAL, NON_CRITICAL, EVERY };

/* The path's subscriber, or the token's; false: the request was answered. */
static bool caller_read(struct request *rq, struct subscriber *s)
{
    struct error err = {0};
    struct str id = request_param(rq, "subscriberId");
    if (inbox_is_person(rq))
        return inbox_caller_read(rq, s);
    if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, id, s, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Subscriber with id: %.*s not found", (int)(id.n > 256 ? 256 : id.n), id.p);
    reply_error(rq, &err);
    return false;
}

/* --- the wire forms ---------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *global_json(const struct preference_view *v, yyjson_mut_doc *d)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    const struct preference *row = preference_view_row(v, (struct id){{0}});
    json_add_bool(d, o, "enabled", true);       /* engine.md §6.3: `all` acts only through the channels */
    preference_global_channels_add(v, d, o);
    if (row)
        json_add_text(d, o, "schedule", row->schedule);
    return o;
}

static yyjson_mut_val *workflow_json(struct request *rq, const struct preference_view *v, yyjson_mut_doc *d, const struct definition *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct preference_result r = preference_view_merge(v, w);
    const struct preference *row = preference_view_row(v, w->workflow.id);
    bool present[CHANNELS] = {false};
    workflow_channels(w, present);
    json_add_bool(d, o, "enabled", true);
    preference_channels_add(d, o, &r, present, true);
    yyjson_mut_val *workflow = json_add_obj(d, o, "workflow");
    json_add_str(d, workflow, "slug", slug_make(rq->arena, w->workflow.name, "wf_", w->workflow.id));
    yyjson_mut_obj_add_strncpy(d, workflow, "identifier", w->workflow.identifier.p, w->workflow.identifier.n);
    yyjson_mut_obj_add_strncpy(d, workflow, "name", w->workflow.name.p, w->workflow.name.n);
    json_add_time(d, workflow, "updatedAt", w->workflow.updated_at);
    if (row)
        json_add_time(d, o, "updatedAt", row->updated_at);
    return o;
}

static yyjson_mut_val *list_json(struct request *rq, const struct preference_view *v, yyjson_mut_doc *d, enum criticality which)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, o, "global", global_json(v, d));
    yyjson_mut_val *list = json_add_arr(d, o, "workflows");
    for (size_t i = 0; i < v->workflows.n; i++)
        if (which == EVERY || v->workflows.all[i]->critical == (which == CRITICAL))
            yyjson_mut_arr_append(list, workflow_json(rq, v, d, v->workflows.all[i]));
    return o;
}

/* v1: {template, preference}. */
static yyjson_mut_val *v1_json(const struct preference_view *v, yyjson_mut_doc *d, const struct definition *w)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *template = json_add_obj(d, o, "template");
    struct preference_result r = preference_view_merge(v, w);
    bool present[CHANNELS] = {false};
    json_add_id(d, template, "_id", w->workflow.id);
    yyjson_mut_obj_add_strncpy(d, template, "name", w->workflow.name.p, w->workflow.name.n);
    json_add_bool(d, template, "critical", w->critical);
    if (yyjson_is_arr(w->tags))
        json_add_val(d, template, "tags", w->tags);
    else
        json_add_arr(d, template, "tags");
    yyjson_mut_val *trigger = yyjson_mut_arr_add_obj(d, json_add_arr(d, template, "triggers"));
    json_add_str(d, trigger, "type", STR("event"));
    yyjson_mut_obj_add_strncpy(d, trigger, "identifier", w->workflow.identifier.p, w->workflow.identifier.n);
    json_add_arr(d, trigger, "variables");
    workflow_channels(w, present);
    yyjson_mut_val *preference = json_add_obj(d, o, "preference");
    json_add_bool(d, preference, "enabled", true);
    preference_channels_add(d, preference, &r, present, true);
    return o;
}

/* v1: every channel, whatever the workflows use. */
static yyjson_mut_val *v1_global_json(const struct preference_view *v, yyjson_mut_doc *d)
{
    const struct preference *row = preference_view_row(v, (struct id){{0}});
    yyjson_mut_val *o = yyjson_mut_obj(d), *preference = json_add_obj(d, o, "preference");
    struct preference_result r = {.read_only = false};
    bool present[CHANNELS] = {false};
    for (int c = 0; c < CHANNELS; c++) {
        present[c] = c != CHANNEL_TOOL;
        r.channel[c] = !row || row->channel[c] != CHOICE_OFF;
    }
    json_add_bool(d, preference, "enabled", true);
    preference_channels_add(d, preference, &r, present, false);
    return o;
}

/* Reads what the view shows; false: the request was answered. */
static bool view_read(struct request *rq, struct id subscriber, const struct str *context, struct preference_view *v)
{
    struct error err = {0};
    if (preference_view_read(rq, subscriber, context, v, &err))
        return true;
    preference_view_release(v);
    reply_error(rq, &err);
    return false;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static void handle_get(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct str criticality = request_query(rq, "criticality"), keys;
    bool asked = context_query_read(rq, &keys);
    enum criticality which = str_eqz(criticality, "critical") ? CRITICAL : str_eqz(criticality, "all") ? EVERY : NON_CRITICAL;
    struct subscriber s;
    struct preference_view v;
    if (criticality.n && which == NON_CRITICAL && !str_eqz(criticality, "nonCritical"))
        check_fail(&checks, "criticality must be one of the following values: critical, nonCritical, all");
    if (!checks_done(&checks) || !caller_read(rq, &s) || !view_read(rq, s.id, asked ? &keys : NULL, &v))
        return;
    reply_json(rq, 0, list_json(rq, &v, json_doc(rq->arena), which));
    preference_view_release(&v);
}

static void handle_get_global(struct request *rq)
{
    struct str keys;
    bool asked = context_query_read(rq, &keys);
    struct subscriber s;
    struct preference_view v;
    if (!caller_read(rq, &s) || !view_read(rq, s.id, asked ? &keys : NULL, &v))
        return;
    reply_json(rq, 0, global_json(&v, json_doc(rq->arena)));
    preference_view_release(&v);
}

static void v1_list(struct request *rq, bool global)
{
    struct subscriber s;
    struct preference_view v;
    struct str context = inbox_owner_of(rq).context;           /* a key's is none */
    if (!caller_read(rq, &s) || !view_read(rq, s.id, &context, &v))
        return;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (global)
        yyjson_mut_arr_append(list, v1_global_json(&v, d));
    for (size_t i = 0; !global && i < v.workflows.n; i++)
        yyjson_mut_arr_append(list, v1_json(&v, d, v.workflows.all[i]));
    reply_json(rq, 0, list);
    preference_view_release(&v);
}

void subscriber_v1_handle_preferences(struct request *rq)
{
    v1_list(rq, false);
}

void subscriber_v1_handle_preferences_level(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct str level = request_param(rq, "parameter");
    if (!str_eqz(level, "global") && !str_eqz(level, "template"))
        check_fail(&checks, "preferenceLevel must be one of the following values: global, template");
    if (checks_done(&checks))
        v1_list(rq, str_eqz(level, "global"));
}

/* --- writing -------------------------------------------------------------------------------------------------------------- */

struct preference_change {
    struct api_write w;
    enum { LIST, BULK, V1_GLOBAL, V1_WORKFLOW } answer;
    struct subscriber subscriber;
    struct context_member context;
    struct workflow_set all;            /* inactive ones too: they can be chosen about */
    struct preference_view view;
    struct preference *rows;            /* to be written */
    size_t rows_n;
};

static void change_release(struct api_write *w)
{
    struct preference_change *x = (struct preference_change *)w;
    preference_view_release(&x->view);
    workflow_set_release(&x->all);
}

static const struct definition *workflow_of(const struct preference_change *x, struct id id)
{
    for (size_t i = 0; i < x->all.n; i++)
        if (id_eq(x->all.all[i]->workflow.id, id))
            return x->all.all[i];
    return NULL;
}

static bool change_tell(const struct preference_change *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct webhook_ears ears;
    if (!webhook_listen(db, rq->arena, rq->principal.environment, &ears, err))
        return false;
    for (size_t i = 0; i < x->rows_n && ears.n; i++) {
        const struct definition *w = workflow_of(x, x->rows[i].workflow);
        yyjson_mut_doc *d = json_doc(rq->arena);
        yyjson_mut_val *shown = w ? preference_template_json(d, &x->view, w) : preference_global_json(d, &x->view);
        if (!preference_tell(rq, db, &ears, x->subscriber.id, shown, err))
            return false;
    }
    return true;
}

static bool change_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct preference_change *x = (struct preference_change *)w;
    struct request *rq = w->rq;
    struct subscriber still;
    if (!subscriber_find_by_id_locked(db, rq->arena, rq->principal.environment, x->subscriber.id, &still, err)
        || !context_member_ensure(rq, db, &x->context, err))
        return false;
    for (size_t i = 0; i < x->rows_n; i++)
        if (!preference_write(db, &x->rows[i], app_now(rq), err))
            return false;
    return preference_view_refresh(rq, db, x->subscriber.id, &x->view, err) && change_tell(x, db, err);
}

static yyjson_mut_val *bulk_json(const struct preference_change *x, yyjson_mut_doc *d)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < x->rows_n; i++) {
        const struct definition *w = workflow_of(x, x->rows[i].workflow);
        bool present[CHANNELS] = {false};
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        struct preference_result r = preference_view_merge(&x->view, w);
        workflow_channels(w, present);
        json_add_str(d, o, "level", STR("template"));
        json_add_bool(d, o, "enabled", true);
        preference_channels_add(d, o, &r, present, true);
        yyjson_mut_obj_add_val(d, o, "workflow", workflow_brief_json(d, w));
    }
    return list;
}

static void change_reply(struct api_write *w)
{
    struct preference_change *x = (struct preference_change *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = NULL;
    switch (x->answer) {
    case LIST: o = list_json(rq, &x->view, d, NON_CRITICAL); break;
    case BULK: o = bulk_json(x, d); break;
    case V1_GLOBAL: o = v1_global_json(&x->view, d); break;
    case V1_WORKFLOW: o = v1_json(&x->view, d, workflow_of(x, x->rows[0].workflow)); break;
    }
    /* The texts of workflows are their definitions': written out before these are given back. */
    struct str text = json_write_mut(rq->arena, o);
    reply_json_text(rq, 0, text);
}

/* Reads what all writes need; false: the request was answered. */
static bool change_read(struct request *rq, struct preference_change *x)
{
    struct error err = {0};
    x->w.apply = change_apply;
    x->w.reply = change_reply;
    x->w.release = change_release;
    if (!caller_read(rq, &x->subscriber))
        return false;
    if (preference_view_read(rq, x->subscriber.id, &x->context.keys, &x->view, &err) && workflow_set_read(rq, false, &x->all, &err))
        return true;
    change_release(&x->w);
    reply_error(rq, &err);
    return false;
}

/* Answers instead of the write. */
static void change_refuse(struct preference_change *x, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void change_refuse(struct preference_change *x, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vfmt(x->w.rq->arena, fmt, ap);
    va_end(ap);
    change_release(&x->w);
    reply_fail(x->w.rq, status, "%.*s", STR_ARG(text));
}

static struct preference *row_add(struct request *rq, struct preference_change *x, struct id workflow)
{
    x->rows[x->rows_n] = preference_row_new(rq, x->subscriber.id, workflow, x->context.keys);
    return &x->rows[x->rows_n++];
}

/* {"email": true, …} */
static void channels_read(struct checks *c, yyjson_val *v, const char *path, enum choice out[CHANNELS])
{
    for (int i = 0; i < CHANNELS; i++) {
        yyjson_val *b = json_getn(v, channel_name((enum channel)i));
        out[i] = CHOICE_UNSET;
        if (yyjson_is_bool(b))
            out[i] = yyjson_get_bool(b) ? CHOICE_ON : CHOICE_OFF;
        else if (b && !yyjson_is_null(b))
            check_fail(c, "%s.%.*s must be a boolean value", path, STR_ARG(channel_name((enum channel)i)));
    }
}

static bool any_choice(const enum choice channels[CHANNELS])
{
    for (int i = 0; i < CHANNELS; i++)
        if (channels[i] != CHOICE_UNSET)
            return true;
    return false;
}

/* The workflow that a single write is about; NULL: the request was answered. */
static const struct definition *workflow_to_change(struct preference_change *x, struct str key)
{
    const struct definition *w = workflow_set_find(&x->all, key);
    if (!w)
        change_refuse(x, 404, "Workflow cannot be found");
    else if (w->critical)
        change_refuse(x, 400, "Critical workflow with id: %.*s can not be updated", (int)(key.n > 256 ? 256 : key.n), key.p);
    return w && !w->critical ? w : NULL;
}

static struct str schedule_read(struct checks *c, yyjson_val *v)
{
    struct str messages[SCHEDULE_MESSAGES_MAX];
    if (!v || yyjson_is_null(v))
        return STR_NULL;
    size_t n = schedule_check(c->rq->arena, v, messages, SCHEDULE_MESSAGES_MAX);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    return json_write(c->rq->arena, v);
}

static void handle_patch(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct preference_change *x = ARENA_NEW(rq->arena, struct preference_change);
    struct str workflow = check_string(&checks, rq->json, "workflowId", false);
    enum choice channels[CHANNELS];
    const struct definition *w = NULL;
    x->w.rq = rq;
    channels_read(&checks, check_object(&checks, rq->json, "channels", false), "channels", channels);
    struct str schedule = schedule_read(&checks, json_get(rq->json, "schedule"));
    context_member_read(&checks, json_get(rq->json, "context"), &x->context);
    if (!checks_done(&checks) || !change_read(rq, x))
        return;
    if (workflow.p && !(w = workflow_to_change(x, workflow)))
        return;
    x->rows = ARENA_ARRAY(rq->arena, struct preference, 2);
    if (any_choice(channels))
        memcpy(row_add(rq, x, w ? w->workflow.id : (struct id){{0}})->channel, channels, sizeof channels);
    if (schedule.p)                             /* there is one, whatever workflow the rest is about */
        row_add(rq, x, (struct id){{0}})->schedule = schedule;
    api_write(rq, &x->w);
}

/* --- many at once ---------------------------------------------------------------------------------------------------------- */

struct bulk_item {
    struct str key;
    enum choice channels[CHANNELS];
    const struct definition *workflow;
};

static void bulk_items_read(struct checks *c, yyjson_val *list, struct bulk_item *items)
{
    yyjson_val *v;
    size_t i = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        yyjson_val *channels = json_get(v, "channels");
        struct str path = str_fmt(c->rq->arena, "preferences.%zu.channels", i);
        items[i].key = json_get_str(v, "workflowId");
        if (!items[i].key.n)
            check_fail(c, "preferences.%zu.workflowId must be a string", i);
        if (!yyjson_is_obj(channels))
            check_fail(c, "%s must be an object", path.p);
        channels_read(c, channels, path.p, items[i].channels);
        i++;
    }
}

/* Names of workflows that are not there, as they were given, or ids of critical ones, joined by ", ". */
static struct str failing(struct arena *a, const struct bulk_item *items, size_t n, bool critical)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        if (critical ? !items[i].workflow || !items[i].workflow->critical : items[i].workflow != NULL)
            continue;
        if (b.n)
            buf_z(&b, ", ");
        buf_str(&b, critical ? id_str(a, items[i].workflow->workflow.id) : str_sub(items[i].key, 0, 128));
    }
    return buf_finish(&b);
}

/* Of one workflow named twice the last counts, in the place of the first. */
static void bulk_row(struct request *rq, struct preference_change *x, const struct bulk_item *item)
{
    struct preference *row = NULL;
    for (size_t i = 0; i < x->rows_n; i++)
        if (id_eq(x->rows[i].workflow, item->workflow->workflow.id))
            row = &x->rows[i];
    if (!row)
        row = row_add(rq, x, item->workflow->workflow.id);
    memcpy(row->channel, item->channels, sizeof row->channel);
}

static void bulk_write(struct request *rq, struct preference_change *x, struct bulk_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        items[i].workflow = workflow_set_find(&x->all, items[i].key);
    struct str missing = failing(rq->arena, items, n, false), critical = failing(rq->arena, items, n, true);
    if (missing.n) {
        change_refuse(x, 404, "Workflows with ids: %.*s not found", STR_ARG(missing));
        return;
    }
    if (critical.n) {
        change_refuse(x, 400, "Critical workflows with ids: %.*s cannot be updated", STR_ARG(critical));
        return;
    }
    x->rows = ARENA_ARRAY(rq->arena, struct preference, n);
    for (size_t i = 0; i < n; i++)
        bulk_row(rq, x, &items[i]);
    api_write(rq, &x->w);
}

static void handle_bulk(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct preference_change *x = ARENA_NEW(rq->arena, struct preference_change);
    yyjson_val *list = check_array(&checks, rq->json, "preferences", true);
    size_t n = yyjson_arr_size(list);
    x->w.rq = rq;
    x->answer = BULK;
    if (n > BULK_MAX)
        check_fail(&checks, "preferences must contain no more than %d elements", BULK_MAX);
    struct bulk_item *items = ARENA_ARRAY(rq->arena, struct bulk_item, n + 1);
    if (n <= BULK_MAX)
        bulk_items_read(&checks, list, items);
    context_member_read(&checks, json_get(rq->json, "context"), &x->context);
    if (!checks_done(&checks))
        return;
    if (!n) {
        reply_fail(rq, 400, "No preferences provided for bulk update");
        return;
    }
    if (change_read(rq, x))
        bulk_write(rq, x, items, n);
}

/* --- v1 ---------------------------------------------------------------------------------------------------------------------- */

/* `enabled` acts through the channels (engine.md §6.3): off is all of them, on is all of them unless one is named. */
static void v1_enabled(struct preference *row, yyjson_val *enabled)
{
    bool named = any_choice(row->channel);
    if (!yyjson_is_bool(enabled))
        return;
    row->enabled = yyjson_get_bool(enabled) ? CHOICE_ON : CHOICE_OFF;
    for (int i = 0; i < CHANNELS; i++)
        if (row->channel[i] == CHOICE_UNSET && (!named || row->enabled == CHOICE_OFF))
            row->channel[i] = row->enabled;
}

/* {type, enabled} */
static void v1_channel_read(struct checks *c, yyjson_val *v, const char *path, enum choice channels[CHANNELS])
{
    enum channel channel;
    yyjson_val *enabled = json_get(v, "enabled");
    if (!channel_parse(json_get_str(v, "type"), &channel))
        check_fail(c, "%s.type must be one of the following values: in_app, email, sms, chat, push, tool", path);
    else if (!yyjson_is_bool(enabled))
        check_fail(c, "%s.enabled must be a boolean value", path);
    else
        channels[channel] = yyjson_get_bool(enabled) ? CHOICE_ON : CHOICE_OFF;
}

void subscriber_v1_handle_preference_write(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct preference_change *x = ARENA_NEW(rq->arena, struct preference_change);
    struct preference row = preference_blank();
    yyjson_val *channel = check_object(&checks, rq->json, "channel", false);
    const struct definition *w;
    x->w.rq = rq;
    x->answer = V1_WORKFLOW;
    x->context.keys = inbox_owner_of(rq).context;
    check_bool(&checks, rq->json, "enabled", true);
    if (channel)
        v1_channel_read(&checks, channel, "channel", row.channel);
    if (!checks_done(&checks) || !change_read(rq, x) || !(w = workflow_to_change(x, request_param(rq, "parameter"))))
        return;
    x->rows = ARENA_ARRAY(rq->arena, struct preference, 1);
    struct preference *out = row_add(rq, x, w->workflow.id);
    memcpy(out->channel, row.channel, sizeof out->channel);
    v1_enabled(out, json_get(rq->json, "enabled"));
    api_write(rq, &x->w);
}

void subscriber_v1_handle_global_preference_write(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct preference_change *x = ARENA_NEW(rq->arena, struct preference_change);
    struct preference row = preference_blank();
    yyjson_val *list = check_array(&checks, rq->json, "preferences", false), *v;
    size_t i = 0;
    x->w.rq = rq;
    x->answer = V1_GLOBAL;
    x->context.keys = inbox_owner_of(rq).context;
    check_bool(&checks, rq->json, "enabled", true);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        v1_channel_read(&checks, v, str_fmt(rq->arena, "preferences.%zu", i++).p, row.channel);
    if (!checks_done(&checks) || !change_read(rq, x))
        return;
    x->rows = ARENA_ARRAY(rq->arena, struct preference, 1);
    struct preference *out = row_add(rq, x, (struct id){{0}});
    memcpy(out->channel, row.channel, sizeof out->channel);
    v1_enabled(out, json_get(rq->json, "enabled"));
    api_write(rq, &x->w);
}

#define PREFERENCES(method, path, operation, summary, permission, handler)                                                \
    {method, path, operation, "Subscribers", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, 0, 0, \
     handler}
#define V2 "/v2/subscribers/{subscriberId}/preferences"
#define V1 "/v1/subscribers/{subscriberId}/preferences"

const struct route subscriber_preference_routes[] = {
    PREFERENCES(HTTP_GET, V2, "subscribersPreferencesList", "What a subscriber is sent", "SUBSCRIBER_READ", handle_get),
    PREFERENCES(HTTP_GET, V2 "/global", "subscribersPreferencesGlobal", "A subscriber's global preferences", "SUBSCRIBER_READ",
                handle_get_global),
    PREFERENCES(HTTP_PATCH, V2, "subscribersPreferencesUpdate", "Change what a subscriber is sent", "SUBSCRIBER_WRITE", handle_patch),
    PREFERENCES(HTTP_PATCH, V2 "/bulk", "subscribersPreferencesBulkUpdate", "Change preferences for many workflows",
                "SUBSCRIBER_WRITE", handle_bulk),
    PREFERENCES(HTTP_GET, V1, "subscribersPreferencesListV1", "What a subscriber is sent (v1)", "SUBSCRIBER_READ", subscriber_v1_handle_preferences),
    PREFERENCES(HTTP_GET, V1 "/{parameter}", "subscribersPreferencesByLevelV1", "Preferences of a level (v1)", "SUBSCRIBER_READ",
                subscriber_v1_handle_preferences_level),
    PREFERENCES(HTTP_PATCH, V1, "subscribersPreferencesGlobalUpdateV1", "Change global preferences (v1)", "SUBSCRIBER_WRITE",
                subscriber_v1_handle_global_preference_write),
    PREFERENCES(HTTP_PATCH, V1 "/{parameter}", "subscribersPreferencesUpdateV1", "Change preferences for a workflow (v1)",
                "SUBSCRIBER_WRITE", subscriber_v1_handle_preference_write),
};
const size_t subscriber_preference_routes_n = sizeof subscriber_preference_routes / sizeof *subscriber_preference_routes;
