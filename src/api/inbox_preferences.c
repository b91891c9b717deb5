/* /v1/inbox/preferences: what a person chose to receive, read and changed (inbox-realtime.md §2.8, §2.10). */
#include "api/inbox_private.h"

#include <stdarg.h>

#include "api/preference_view.h"
#include "model/context.h"
#include "model/topic.h"

enum { BULK_MAX = 100, SCHEDULE_MESSAGES_MAX = 32 };

/* --- wire forms ---------------------------------------------------------------------------------------------------------- */

static const struct id GLOBAL = {{0}};

/* What a topic subscription says about one workflow. */
static yyjson_mut_val *bound_json(yyjson_mut_doc *d, const struct topic_subscription *s, const struct preference *row,
                                  const struct definition *w)
{
    bool present[CHANNELS] = {false};
    yyjson_mut_val *o = preference_level_json(d, "template", row->enabled != CHOICE_OFF), *channels = json_add_obj(d, o, "channels");
    preference_shown_channels(w, present);
    for (int c = 0; c < CHANNELS; c++)
        if (present[c])
            json_add_bool(d, channels, channel_name((enum channel)c).p,
                          row->channel[c] == CHOICE_UNSET ? row->enabled != CHOICE_OFF : row->channel[c] == CHOICE_ON);
    json_add_text(d, o, "condition", row->condition);
    json_add_str(d, o, "subscriptionId", s->identifier);
    yyjson_mut_obj_add_val(d, o, "workflow", workflow_brief_json(d, w));
    return o;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* To be released; false: the request was answered. */
static bool view_read(struct request *rq, struct preference_view *v)
{
    struct error err = {0};
    if (preference_view_read(rq, rq->principal.subscriber, &rq->principal.context, v, &err))
        return true;
    preference_view_release(v);
    reply_error(rq, &err);
    return false;
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
    struct inbox_filter f;
    struct preference_view v;
    inbox_filter_labels(&checks, &f);
    if (!criticality.n)
        criticality = STR("nonCritical");
    if (!str_eqz(criticality, "nonCritical") && !str_eqz(criticality, "critical") && !str_eqz(criticality, "all"))
        check_fail(&checks, "criticality must be one of the following values: critical, nonCritical, all");
    if (!checks_done(&checks) || !inbox_caller_known(rq) || !view_read(rq, &v))
        return;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_mut_arr_append(list, preference_global_json(d, &v));
    for (size_t i = 0; i < v.workflows.n; i++)
        if (asked_for(v.workflows.all[i], &f, criticality))
            yyjson_mut_arr_append(list, preference_template_json(d, &v, v.workflows.all[i]));
    reply_json(rq, 0, list);
    preference_view_release(&v);
}

void inbox_handle_global_preference(struct request *rq)
{
    struct preference_view v;
    if (!inbox_caller_known(rq) || !view_read(rq, &v))
        return;
    reply_json(rq, 0, preference_global_json(json_doc(rq->arena), &v));
    preference_view_release(&v);
}

/* --- what a write says ------------------------------------------------------------------------------------------------------ */

struct wish {
    struct preference row;
    const struct definition *workflow;      /* NULL: global */
    bool bound;                             /* to a topic subscription */
    struct topic_subscription subscription;
    yyjson_val *condition;
};

/* {email?, sms?, in_app?, push?, chat?, enabled?, condition?, schedule?} into row; path: "" or "preferences.3.". */
static void wish_read(struct checks *c, yyjson_val *v, const char *path, struct wish *w)
{
    struct str messages[SCHEDULE_MESSAGES_MAX];
    yyjson_val *schedule = json_get(v, "schedule"), *on = json_get(v, "enabled");
    for (int i = 0; i < CHANNELS; i++) {
        struct str name = channel_name((enum channel)i);
        yyjson_val *choice = i == CHANNEL_TOOL ? NULL : json_getn(v, name);
        if (yyjson_is_bool(choice))
            w->row.channel[i] = yyjson_get_bool(choice) ? CHOICE_ON : CHOICE_OFF;
        else if (choice && !yyjson_is_null(choice))
            check_fail(c, "%s%.*s must be a boolean value", path, STR_ARG(name));
    }
    if (yyjson_is_bool(on))
        w->row.enabled = yyjson_get_bool(on) ? CHOICE_ON : CHOICE_OFF;
    else if (on && !yyjson_is_null(on))
        check_fail(c, "%senabled must be a boolean value", path);
    w->condition = json_get(v, "condition");
    if (w->condition && !yyjson_is_null(w->condition) && !yyjson_is_obj(w->condition) && !yyjson_is_bool(w->condition))
        check_fail(c, "%scondition must be an object or a boolean", path);
    if (!schedule || yyjson_is_null(schedule))
        return;
    size_t n = schedule_check(c->rq->arena, schedule, messages, SCHEDULE_MESSAGES_MAX);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    w->row.schedule = json_write(c->rq->arena, schedule);
}

/* --- writing ------------------------------------------------------------------------------------------------------------------ */

struct change {
    struct api_write w;
    struct preference_view view;
    struct workflow_set all;            /* inactive ones too */
    struct wish *wishes;
    size_t n;
    bool list;                          /* the answer is an array, one for each wish */
};

static void change_release(struct api_write *w)
{
    struct change *x = (struct change *)w;
    preference_view_release(&x->view);
    workflow_set_release(&x->all);
}

/* Answers instead of the write. */
static void change_refuse(struct change *x, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void change_refuse(struct change *x, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = str_vfmt(x->w.rq->arena, fmt, ap);
    va_end(ap);
    change_release(&x->w);
    reply_fail(x->w.rq, status, "%.*s", STR_ARG(text));
}

/* A subscription's row as it will be: what the wish says over what is stored. */
static bool bound_settle(struct request *rq, struct db *db, struct wish *w, struct error *err)
{
    struct preference *rows;
    size_t n;
    struct preference merged = w->row;
    if (!topic_subscription_find_locked(db, rq->arena, w->subscription.topic, w->subscription.identifier, &w->subscription, err)
        || !preference_list_by_subscription(db, rq->arena, w->subscription.id, &rows, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!id_eq(rows[i].workflow, w->workflow->workflow.id))
            continue;
        if (merged.enabled == CHOICE_UNSET)
            merged.enabled = rows[i].enabled;
        for (int c = 0; c < CHANNELS; c++)
            if (merged.channel[c] == CHOICE_UNSET)
                merged.channel[c] = rows[i].channel[c];
        if (!w->condition)
            merged.condition = rows[i].condition;
        merged.id = rows[i].id;
        merged.created_at = rows[i].created_at;
    }
    w->row = merged;
    return preference_replace(db, &w->row, app_now(rq), err);
}

static yyjson_mut_val *wish_json(yyjson_mut_doc *d, const struct change *x, const struct wish *w)
{
    if (!w->workflow)
        return preference_global_json(d, &x->view);
    return w->bound ? bound_json(d, &w->subscription, &w->row, w->workflow) : preference_template_json(d, &x->view, w->workflow);
}

static bool change_tell(const struct change *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct webhook_ears ears;
    if (!webhook_listen(db, rq->arena, rq->principal.environment, &ears, err))
        return false;
    for (size_t i = 0; i < x->n && ears.n; i++)
        if (!preference_tell(rq, db, &ears, rq->principal.subscriber, wish_json(json_doc(rq->arena), x, &x->wishes[i]), err))
            return false;
    return true;
}

static bool change_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct change *x = (struct change *)w;
    struct request *rq = w->rq;
    struct subscriber still;
    if (!subscriber_find_by_id_locked(db, rq->arena, rq->principal.environment, rq->principal.subscriber, &still, err))
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (x->wishes[i].bound ? !bound_settle(rq, db, &x->wishes[i], err)
                               : !preference_write(db, &x->wishes[i].row, app_now(rq), err))
            return false;
    return preference_view_refresh(rq, db, rq->principal.subscriber, &x->view, err) && change_tell(x, db, err);
}

static void change_reply(struct api_write *w)
{
    struct change *x = (struct change *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < x->n; i++)
        yyjson_mut_arr_append(list, wish_json(d, x, &x->wishes[i]));
    /* The texts of workflows are their definitions': written out before these are given back. */
    struct str text = json_write_mut(rq->arena, x->list ? list : yyjson_mut_arr_get_first(list));
    reply_json_text(rq, 0, text);
}

/* Reads what all writes need; NULL: the request was answered. */
static struct change *change_new(struct request *rq, size_t n)
{
    struct change *x = ARENA_NEW(rq->arena, struct change);
    struct error err = {0};
    x->w = (struct api_write){.rq = rq, .apply = change_apply, .reply = change_reply, .release = change_release};
    x->wishes = ARENA_ARRAY(rq->arena, struct wish, n);
    for (; x->n < n; x->n++)
        x->wishes[x->n].row = preference_row_new(rq, rq->principal.subscriber, GLOBAL, rq->principal.context);
    if (preference_view_read(rq, rq->principal.subscriber, &rq->principal.context, &x->view, &err)
        && workflow_set_read(rq, false, &x->all, &err))
        return x;
    change_release(&x->w);
    reply_error(rq, &err);
    return NULL;
}

static void wish_bind_workflow(struct wish *w, const struct definition *d)
{
    w->workflow = d;
    w->row.workflow = d->workflow.id;
}

/* The caller's own subscription of this identifier; another's is as good as missing (inbox-realtime.md §2.10). */
static bool wish_bind_subscription(struct request *rq, struct wish *w, struct str identifier, struct error *err)
{
    if (!topic_subscription_find_of(app_db(rq), rq->arena, rq->principal.subscriber, identifier, &w->subscription, err))
        return false;
    w->bound = true;
    w->row.subscription = w->subscription.id;
    w->row.context = w->subscription.context;
    if (yyjson_is_obj(w->condition) || yyjson_is_bool(w->condition))
        w->row.condition = json_write(rq->arena, w->condition);
    return true;
}

void inbox_handle_global_preference_write(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct wish said = {.row = preference_blank()};
    wish_read(&c, rq->json, "", &said);
    if (!checks_done(&c) || !inbox_caller_known(rq))
        return;
    struct change *x = change_new(rq, 1);
    if (!x)
        return;
    wish_read(&c, rq->json, "", &x->wishes[0]);
    api_write(rq, &x->w);
}

static bool workflow_allows(struct change *x, const struct definition *w, struct str key)
{
    if (!w)
        change_refuse(x, 404, "Workflow cannot be found");
    else if (w->critical)
        change_refuse(x, 400, "Critical workflow with id: %.*s can not be updated", (int)(key.n > 256 ? 256 : key.n), key.p);
    return w && !w->critical;
}

/* PATCH /preferences/{workflow}, and of one topic subscription. */
static void single(struct request *rq, struct str subscription)
{
    struct checks c = checks_begin(rq);
    struct wish said = {.row = preference_blank()};
    struct str key = request_param(rq, "workflow");
    struct error err = {0};
    wish_read(&c, rq->json, "", &said);
    if (!checks_done(&c) || !inbox_caller_known(rq))
        return;
    struct change *x = change_new(rq, 1);
    if (!x)
        return;
    const struct definition *w = workflow_set_find(&x->all, key);
    if (!workflow_allows(x, w, key))
        return;
    wish_read(&c, rq->json, "", &x->wishes[0]);
    wish_bind_workflow(&x->wishes[0], w);
    x->wishes[0].row.schedule = STR_NULL;           /* a schedule is global */
    if (subscription.p && !wish_bind_subscription(rq, &x->wishes[0], subscription, &err)) {
        change_release(&x->w);
        reply_error(rq, &err);
        return;
    }
    api_write(rq, &x->w);
}

void inbox_handle_workflow_preference_write(struct request *rq)
{
    single(rq, STR_NULL);
}

void inbox_handle_subscription_preference_write(struct request *rq)
{
    single(rq, request_param(rq, "identifier"));
}

/* Names of workflows that are not there, as they were given, or ids of critical ones, joined by ", ". */
static struct str failing(struct request *rq, yyjson_val *items, const struct change *x, bool critical)
{
    struct buf b = {.arena = rq->arena};
    for (size_t i = 0; i < x->n; i++) {
        const struct definition *w = x->wishes[i].workflow;
        if (critical ? !w || !w->critical : w != NULL)
            continue;
        if (b.n)
            buf_z(&b, ", ");
        buf_str(&b, critical ? id_str(rq->arena, w->workflow.id) : str_sub(json_get_str(yyjson_arr_get(items, i), "workflowId"), 0, 128));
    }
    return b.n ? buf_finish(&b) : STR_NULL;
}

/* Of one workflow named twice, for the same subscription or for none, the last counts, in the place of the first. */
static void wishes_unite(struct change *x)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct wish *w = &x->wishes[i];
        size_t at = 0;
        while (at < kept && !(x->wishes[at].workflow == w->workflow && x->wishes[at].bound == w->bound
                              && id_eq(x->wishes[at].subscription.id, w->subscription.id)))
            at++;
        x->wishes[at] = *w;
        kept += at == kept;
    }
    x->n = kept;
}

static void bulk_check(struct checks *c, yyjson_val *items)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(items, i, n, v) {
        struct wish said = {.row = preference_blank()};
        struct str path = str_fmt(c->rq->arena, "preferences.%zu.", i);
        if (!json_get_str(v, "workflowId").n)
            check_fail(c, "%sworkflowId must be a string", path.p);
        wish_read(c, v, path.p, &said);
    }
}

void inbox_handle_bulk_preferences(struct request *rq)
{
    struct checks c = checks_begin(rq);
    yyjson_val *items = check_array(&c, rq->json, "preferences", true), *v;
    struct error err = {0};
    size_t i, n = yyjson_arr_size(items);
    if (n > BULK_MAX)
        check_fail(&c, "preferences must contain no more than %d elements", BULK_MAX);
    else
        bulk_check(&c, items);
    if (!checks_done(&c) || !inbox_caller_known(rq))
        return;
    if (!n) {
        reply_fail(rq, 400, "No preferences provided for bulk update");
        return;
    }
    struct change *x = change_new(rq, n);
    if (!x)
        return;
    x->list = true;
    yyjson_arr_foreach(items, i, n, v) {
        struct str bound = json_get_str(v, "subscriptionIdentifier");
        const struct definition *w = workflow_set_find(&x->all, json_get_str(v, "workflowId"));
        wish_read(&c, v, "", &x->wishes[i]);
        x->wishes[i].row.schedule = STR_NULL;
        if (w)
            wish_bind_workflow(&x->wishes[i], w);
        if (bound.n && !wish_bind_subscription(rq, &x->wishes[i], bound, &err)) {
            change_release(&x->w);
            reply_error(rq, &err);
            return;
        }
    }
    struct str missing = failing(rq, items, x, false), critical = failing(rq, items, x, true);
    if (missing.p)
        change_refuse(x, 404, "Workflows with ids: %.*s not found", STR_ARG(missing));
    else if (critical.p)
        change_refuse(x, 400, "Critical workflows with ids: %.*s cannot be updated", STR_ARG(critical));
    else {
        wishes_unite(x);
        api_write(rq, &x->w);
    }
}
