/* Traces of requests: stored form, names, and the course that is not stored. */
#include "model/trace.h"

static const char *const types[TRACES] = {
    [TRACE_REQUEST_RECEIVED] = "request_received",
    [TRACE_REQUEST_QUEUED] = "request_queued",
    [TRACE_REQUEST_FAILED] = "request_failed",
    [TRACE_REQUEST_INVALID_RECIPIENTS] = "request_invalid_recipients",
    [TRACE_SUBSCRIBERS_COMPLETED] = "request_subscriber_processing_completed",
    [TRACE_EXECUTION_STARTED] = "workflow_execution_started",
    [TRACE_EXECUTION_FAILED] = "workflow_execution_failed",
    [TRACE_TENANT_COMPLETED] = "workflow_tenant_processing_completed",
    [TRACE_ACTOR_COMPLETED] = "workflow_actor_processing_completed",
    [TRACE_CONTEXT_COMPLETED] = "workflow_context_resolution_completed",
    [TRACE_SUBSCRIBER_VALIDATION_FAILED] = "subscriber_validation_failed",
    [TRACE_TOPIC_NOT_FOUND] = "topic_not_found",
    [TRACE_TOPIC_PREFERENCES] = "topic_subscription_preference_evaluation",
};

struct str trace_type_name(enum trace_type t)
{
    return str_of(types[t]);
}

struct str trace_status_name(enum trace_status s)
{
    static const char *const names[] = {"success", "error", "pending", "warning"};
    return str_of(names[s]);
}

struct str trace_title(struct arena *a, enum trace_type t)
{
    struct str name = trace_type_name(t);
    char *p = str_z(a, t == TRACE_REQUEST_INVALID_RECIPIENTS ? STR("invalid_recipients") : name);
    for (char *c = p; *c; c++)
        if (*c == '_')
            *c = ' ';
    p[0] = (char)(p[0] - 'a' + 'A');
    return str_of(p);
}

struct str trace_encode(struct arena *a, const struct trace *list, size_t n, int64_t event_at)
{
    struct buf b = {.arena = a};
    if (!n)
        return STR_NULL;
    for (size_t i = 0; i < n; i++) {
        const struct trace *t = &list[i];
        buf_fmt(&b, "%s[%d,%d,%lld,", i ? "," : "[", t->type, t->status, (long long)(t->at - event_at));
        json_quote(&b, t->message);
        if (t->raw.n) {
            buf_char(&b, ',');
            buf_str(&b, t->raw);
        }
        buf_char(&b, ']');
    }
    buf_char(&b, ']');
    return buf_finish(&b);
}

static bool trace_decode(struct arena *a, const struct event *e, struct trace *list, size_t *n, size_t max, struct error *err)
{
    yyjson_val *root, *v;
    *n = 0;
    if (!e->trace.n)
        return true;
    if (!json_parse(a, e->trace, &root, err))
        return false;
    yyjson_arr_iter it = yyjson_arr_iter_with(root);
    while (*n < max && (v = yyjson_arr_iter_next(&it))) {
        int64_t type = yyjson_get_sint(yyjson_arr_get(v, 0)), status = yyjson_get_sint(yyjson_arr_get(v, 1));
        yyjson_val *raw = yyjson_arr_get(v, 4);
        if (type < 0 || type >= TRACES || status < 0 || status > TRACE_WARNING)
            return error_set(err, ERROR_INTERNAL, "A stored trace is damaged");
        list[(*n)++] = (struct trace){.type = (enum trace_type)type, .status = (enum trace_status)status,
                                      .at = e->created_at + yyjson_get_sint(yyjson_arr_get(v, 2)),
                                      .message = json_str(yyjson_arr_get(v, 3)),
                                      .raw = raw ? json_write(a, raw) : STR_NULL};
    }
    return true;
}

/* engine.md §6.6: what the subscribers' choices left out, told once for all of them. */
static struct trace preferences_trace(struct arena *a, const struct fanout *f)
{
    return (struct trace){
        .type = TRACE_TOPIC_PREFERENCES, .status = TRACE_WARNING, .at = f->updated_at,
        .message = str_fmt(a, "%lld topic subscription(s) filtered by preferences", (long long)f->subscriptions_filtered),
        .raw = str_fmt(a, "{\"totalSubscriptionEvaluated\":%lld,\"totalSubscriptionFiltered\":%lld}",
                       (long long)f->subscriptions_evaluated, (long long)f->subscriptions_filtered)};
}

bool trace_list(struct arena *a, const struct event *e, const struct fanout *f, struct trace **out, size_t *n,
                struct error *err)
{
    struct trace *list = ARENA_ARRAY(a, struct trace, TRACES_MAX + 5);
    size_t stored;
    *n = 0;
    list[(*n)++] = (struct trace){.type = TRACE_REQUEST_RECEIVED, .at = e->created_at};
    list[(*n)++] = (struct trace){.type = TRACE_REQUEST_QUEUED, .at = e->created_at};
    list[(*n)++] = (struct trace){.type = TRACE_EXECUTION_STARTED, .at = e->created_at};
    if (!trace_decode(a, e, &list[*n], &stored, TRACES_MAX, err))
        return false;
    *n += stored;
    if (f && f->subscriptions_filtered)
        list[(*n)++] = preferences_trace(a, f);
    if (!f || f->state == FANOUT_COMPLETED)
        list[(*n)++] = (struct trace){.type = TRACE_SUBSCRIBERS_COMPLETED, .at = f ? f->updated_at : e->created_at};
    *out = list;
    return true;
}

bool trace_append(struct db *db, struct arena *a, const struct event *e, const struct trace *t, struct error *err)
{
    struct trace *list = ARENA_ARRAY(a, struct trace, TRACES_MAX);
    size_t n;
    if (!trace_decode(a, e, list, &n, TRACES_MAX, err))
        return false;
    if (n == TRACES_MAX)
        return true;
    list[n++] = *t;
    return event_set_trace(db, e->environment, e->id, trace_encode(a, list, n, e->created_at), err);
}
