/* Runs as the activity feed shows them. */
#include "engine/view.h"

#include "base/clock.h"

static enum detail detail_of(enum run_mark what)
{
    switch (what) {
    case MARKED_SEEN: return DETAIL_MESSAGE_SEEN;
    case MARKED_READ: return DETAIL_MESSAGE_READ;
    case MARKED_UNREAD: return DETAIL_MESSAGE_UNREAD;
    case MARKED_ARCHIVED: return DETAIL_MESSAGE_ARCHIVED;
    case MARKED_UNARCHIVED: return DETAIL_MESSAGE_UNARCHIVED;
    case MARKED_SNOOZED: return DETAIL_MESSAGE_SNOOZED;
    case MARKED_UNSNOOZED: return DETAIL_MESSAGE_UNSNOOZED;
    case MARKED_DELIVERED: return DETAIL_MESSAGE_DELIVERED;
    case MARKED_OPENED: return DETAIL_MESSAGE_OPENED;
    case MARKED_CLICKED: return DETAIL_MESSAGE_CLICKED;
    case MARKED_UNDELIVERED: return DETAIL_MESSAGE_UNDELIVERED;
    }
    return DETAILS;
}

void run_view_add_marks(struct run *r, const struct run_marked *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum detail d = detail_of(marks[i].what);
        for (int j = 0; j < r->jobs_n && d != DETAILS; j++)
            if (id_eq(run_message_id(r, j, 0), marks[i].message)) {
                run_log_add(r, marks[i].at, j, d, d == DETAIL_MESSAGE_SNOOZED ? DETAIL_PENDING : d == DETAIL_MESSAGE_UNDELIVERED ? DETAIL_FAILED : DETAIL_SUCCESS, 1, STR_NULL);
                break;
            }
    }
}

static void add_detail(yyjson_mut_doc *d, yyjson_mut_val *list, const struct run_view *v, int n)
{
    const struct run_log *l = &v->run->log[n];
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_id(d, o, "_id", run_derived_id(v->run->row.id, DERIVED_DETAIL, n));
    json_add_time(d, o, "createdAt", l->at);
    json_add_str(d, o, "status", detail_status_name(l->status));
    json_add_str(d, o, "detail", run_log_text(v->run, l));
    bool of_webhook = l->detail == DETAIL_WEBHOOK_RETRY || l->detail == DETAIL_WEBHOOK_GIVEN_UP;
    json_add_bool(d, o, "isRetry", of_webhook);
    json_add_bool(d, o, "isTest", false);
    json_add_str(d, o, "source", of_webhook ? STR("Webhook") : STR("Internal"));
    struct str raw = run_log_raw(v->run, n);
    json_add_str(d, o, "raw", raw.n ? raw : STR_NULL);
    if (l->message)
        json_add_id(d, o, "_messageId", run_message_id(v->run, l->job, l->message - 1));
}

static void add_step(yyjson_mut_doc *d, yyjson_mut_val *job, const struct run_view *v, int n)
{
    const struct run_job *j = &v->run->jobs[n];
    const struct step_definition *s = v->version && j->step >= 0 && j->step < v->version->steps_n ? &v->version->steps[j->step] : NULL;
    yyjson_mut_val *o = json_add_obj(d, job, "step");
    struct id id = s ? s->id : run_derived_id(v->run->row.id, DERIVED_JOB, n);
    json_add_id(d, o, "_id", id);
    json_add_id(d, o, "_templateId", id);
    json_add_bool(d, o, "active", true);
    json_add_arr(d, o, "filters");
    if (s) {
        json_add_str(d, o, "stepId", s->step_id);
        json_add_str(d, o, "name", s->name);
    }
    json_add_str(d, json_add_obj(d, o, "template"), "type", step_type_name(j->type));
    if (n > 1)
        json_add_id(d, o, "_parentId", run_derived_id(v->run->row.id, DERIVED_JOB, n - 1));
}

/* DigestMetadataDto: what the step was told, and the payloads that it gave. */
static void add_digest(yyjson_mut_doc *d, yyjson_mut_val *job, struct arena *a, const struct run_job *j)
{
    yyjson_val *timing, *output = NULL, *v;
    if (j->type != STEP_DIGEST || !j->timing.n || !json_parse(a, j->timing, &timing, NULL))
        return;
    json_add_val(d, job, "digest", timing);
    yyjson_mut_val *list = json_add_arr(d, yyjson_mut_obj_get(job, "digest"), "events");
    if (j->output.n)
        json_parse(a, j->output, &output, NULL);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(output, "events"));
    while ((v = yyjson_arr_iter_next(&it)))
        yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, json_get(v, "payload")));
}

static void add_job(yyjson_mut_doc *d, yyjson_mut_val *list, const struct run_view *v, int n)
{
    const struct run_job *j = &v->run->jobs[n];
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_id(d, o, "_id", run_derived_id(v->run->row.id, DERIVED_JOB, n));
    json_add_str(d, o, "type", step_type_name(j->type));
    json_add_str(d, o, "status", job_status_name(j->status));
    /* The SDK's list of providers is closed: jobs without a channel say novu. */
    json_add_str(d, o, "providerId", j->provider_id.n ? j->provider_id : STR("novu"));
    json_add_time(d, o, "updatedAt", j->updated_at);
    if (j->error.n)
        json_add_str(d, json_add_obj(d, o, "error"), "message", j->error);
    add_digest(d, o, v->run->arena, j);
    if (j->extensions)
        json_add_int(d, o, "scheduleExtensionsCount", j->extensions);
    if (!id_is_zero(j->merged_run))
        json_add_id(d, o, "_mergedDigestId", run_derived_id(j->merged_run, DERIVED_JOB, j->merged_job));
    if (j->skip) {
        yyjson_mut_val *state = json_add_obj(d, o, "deliveryLifecycleState");
        json_add_str(d, state, "status", STR("skipped"));
        json_add_str(d, state, "detail", skip_reason_name(j->skip));
    }
    add_step(d, o, v, n);
    yyjson_mut_val *details = json_add_arr(d, o, "executionDetails");
    for (int i = 0; i < v->run->log_n; i++)
        if (v->run->log[i].job == n)
            add_detail(d, details, v, i);
}

static void add_subscriber(yyjson_mut_doc *d, yyjson_mut_val *o, const struct subscriber *s)
{
    static const struct { const char *key; enum subscriber_field f; } fields[] = {
        {"firstName", SUBSCRIBER_FIRST_NAME}, {"lastName", SUBSCRIBER_LAST_NAME}, {"email", SUBSCRIBER_EMAIL},
        {"phone", SUBSCRIBER_PHONE}};
    yyjson_mut_val *who = json_add_obj(d, o, "subscriber");
    json_add_id(d, who, "_id", s->id);
    json_add_str(d, who, "subscriberId", s->subscriber_id);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (s->field[fields[i].f].p)
            json_add_str(d, who, fields[i].key, s->field[fields[i].f]);
}

/* The recipient of this run among the event's: always an object (engine.md §2.1). */
static void add_to(yyjson_mut_doc *d, yyjson_mut_val *o, const struct subscriber *s, yyjson_val *to)
{
    yyjson_val *v = yyjson_is_arr(to) ? NULL : to, *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    while (!v && s && (x = yyjson_arr_iter_next(&it)))
        if (str_eq(str_trim(json_get_str(x, "subscriberId")), s->subscriber_id))
            v = x;
    if (yyjson_is_obj(v))
        json_add_val(d, o, "to", v);
    else
        json_add_str(d, json_add_obj(d, o, "to"), "subscriberId", s ? s->subscriber_id : json_str(v));
}

static void add_template(yyjson_mut_doc *d, yyjson_mut_val *o, const struct run_view *v)
{
    yyjson_mut_val *t = json_add_obj(d, o, "template");
    json_add_id(d, t, "_id", v->run->row.workflow);
    json_add_str(d, t, "name", v->version ? v->version->workflow.name : STR(""));
    json_add_str(d, t, "origin", STR("novu-cloud"));
    yyjson_mut_val *trigger = yyjson_mut_arr_add_obj(d, json_add_arr(d, t, "triggers"));
    json_add_str(d, trigger, "type", STR("event"));
    json_add_str(d, trigger, "identifier", v->version ? v->version->workflow.identifier : STR(""));
    json_add_arr(d, trigger, "variables");
}

static void add_context(yyjson_mut_doc *d, yyjson_mut_val *o, struct str context)
{
    yyjson_mut_val *keys = json_add_arr(d, o, "contextKeys");
    while (context.n) {
        ptrdiff_t comma = str_find(context, STR(","));
        struct str key = str_sub(context, 0, comma < 0 ? context.n : (size_t)comma);
        yyjson_mut_arr_add_strncpy(d, keys, key.p, key.n);
        context = str_sub(context, key.n + 1, context.n);
    }
}

/* The run whose digest has this one's event. */
static void add_digested(yyjson_mut_doc *d, yyjson_mut_val *o, const struct run *r)
{
    for (int i = 1; i < r->jobs_n; i++)
        if (r->jobs[i].status == JOB_MERGED) {
            json_add_id(d, o, "_digestedNotificationId", r->jobs[i].merged_run);
            return;
        }
}

yyjson_mut_val *run_view_json(yyjson_mut_doc *d, struct arena *a, const struct run_view *v)
{
    const struct run_row *r = &v->run->row;
    yyjson_mut_val *o = yyjson_mut_obj(d), *list;
    yyjson_val *doc = NULL;
    json_parse(a, v->event->doc, &doc, NULL);
    json_add_id(d, o, "_id", r->id);
    json_add_id(d, o, "_environmentId", r->environment);
    json_add_id(d, o, "_organizationId", v->organization);
    json_add_id(d, o, "_subscriberId", r->subscriber);
    json_add_id(d, o, "_templateId", r->workflow);
    json_add_str(d, o, "transactionId", v->event->transaction_id);
    add_digested(d, o, v->run);
    list = json_add_arr(d, o, "channels");
    for (int i = 1; i < v->run->jobs_n; i++) {
        struct str name = step_type_name(v->run->jobs[i].type);
        bool seen = false;
        for (int k = 1; k < i; k++)
            seen |= v->run->jobs[k].type == v->run->jobs[i].type;
        if (!seen)
            yyjson_mut_arr_add_strn(d, list, name.p, name.n);
    }
    if (v->subscriber)
        add_subscriber(d, o, v->subscriber);
    add_template(d, o, v);
    list = json_add_arr(d, o, "jobs");
    for (int i = 0; i < v->run->jobs_n; i++)
        add_job(d, list, v, i);
    json_add_val(d, o, "payload", json_get(doc, "payload"));
    if (v->version && v->version->tags)
        json_add_val(d, o, "tags", v->version->tags);
    json_add_obj(d, o, "controls");
    add_to(d, o, v->subscriber, json_get(doc, "to"));
    json_add_text(d, o, "topics", v->run->topics.n ? v->run->topics : STR("[]"));
    json_add_str(d, o, "severity", severity_name(r->severity));
    json_add_bool(d, o, "critical", v->version && v->version->critical);
    add_context(d, o, r->context);
    json_add_str(d, o, "status", run_status_name(r->status));
    json_add_str(d, o, "deliveryLifecycleStatus", lifecycle_name(r->delivery));
    if (v->run->lifecycle_detail)
        json_add_str(d, o, "deliveryLifecycleDetail", skip_reason_name(v->run->lifecycle_detail));
    json_add_time(d, o, "createdAt", r->created_at);
    json_add_time(d, o, "updatedAt", r->updated_at);
    return o;
}
