/* /v1/activity/requests: the request log with what became of each trigger (dashboard.md §2.7, engine.md §1.2 and §8.4).
 *
 * Addresses, clients and bodies are not kept, so their members are empty texts; only a single trigger can tell its body, which
 * its event holds.
 */
#include "api/app.h"
#include "api/tables.h"
#include "api/trigger.h"
#include "model/event.h"
#include "model/fanout.h"
#include "model/request_log.h"
#include "model/trace.h"
#include "model/workflow.h"

enum { LIMIT_MAX = 100, PAGE_MAX = 100, TEXT_MAX = 500, TRANSACTION_MAX = 100 };

/* ---- routes by operation and by pattern ---- */

/* "/v1/topics/{topicKey}" as "/v1/topics/:topicKey". */
static struct str pattern_of(struct arena *a, const char *path)
{
    struct buf b = {.arena = a};
    for (const char *p = path; *p; p++)
        if (*p == '{')
            buf_char(&b, ':');
        else if (*p != '}')
            buf_char(&b, *p);
    return buf_finish(&b);
}

static struct str pattern_of_operation(struct arena *a, struct str operation, struct str otherwise)
{
    for (const struct route_table *t = app_tables; t->routes; t++)
        for (size_t i = 0; i < *t->n; i++)
            if (str_eqz(operation, t->routes[i].operation))
                return pattern_of(a, t->routes[i].path);
    return otherwise;
}

static struct str operations_of_pattern(struct arena *a, struct str pattern)
{
    struct buf b = {.arena = a};
    for (const struct route_table *t = app_tables; t->routes; t++)
        for (size_t i = 0; i < *t->n; i++)
            if (str_eq(pattern, pattern_of(a, t->routes[i].path)))
                buf_fmt(&b, "%s%s,", b.n ? "" : ",", t->routes[i].operation);
    return buf_finish(&b);
}

/* ---- a request on the wire ---- */

static struct str hostname(struct request *rq)
{
    struct str url = app_of(rq)->public_url;
    ptrdiff_t scheme = str_find(url, STR("://"));
    size_t from = scheme < 0 ? 0 : (size_t)scheme + 3, end = from;
    while (end < url.n && url.p[end] != '/' && url.p[end] != ':')
        end++;
    return (struct str){url.p + from, end - from};
}

static yyjson_mut_val *request_json(struct request *rq, yyjson_mut_doc *d, const struct request_log_row *r, struct str body, struct str answer)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "id", request_log_name(rq->arena, r->id));
    json_add_time(d, o, "createdAt", r->created_at);
    json_add_str(d, o, "url", r->path);
    json_add_str(d, o, "urlPattern", pattern_of_operation(rq->arena, r->operation, r->path));
    json_add_str(d, o, "method", r->method);
    json_add_int(d, o, "statusCode", r->status);
    json_add_str(d, o, "path", r->path);
    json_add_str(d, o, "hostname", hostname(rq));
    if (r->transaction_id.n)
        json_add_str(d, o, "transactionId", r->transaction_id);
    else
        yyjson_mut_obj_add_null(d, o, "transactionId");
    json_add_str(d, o, "ip", STR(""));
    json_add_str(d, o, "userAgent", STR(""));
    json_add_str(d, o, "requestBody", body);
    json_add_str(d, o, "responseBody", answer);
    if (id_is_zero(r->user))
        json_add_str(d, o, "userId", STR(""));
    else
        json_add_id(d, o, "userId", r->user);
    json_add_id(d, o, "organizationId", rq->principal.organization);
    json_add_id(d, o, "environmentId", r->environment);
    json_add_str(d, o, "authType", STR("ApiKey"));
    json_add_int(d, o, "durationMs", r->duration_ms);
    return o;
}

/* ---- the list ---- */

static struct str query_text(struct checks *c, const char *name, const char *what, size_t max)
{
    struct str s = request_query(c->rq, name);
    if (s.n > max)
        check_fail(c, "%s must be shorter than or equal to %zu characters", name, max);
    for (size_t i = 0; what && i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || strchr("\"<>\\^`{|}", s.p[i])) {
            check_fail(c, "%s contains invalid characters", what);
            break;
        }
    return s;
}

static void status_read(struct checks *c, struct buf *list, struct str text)
{
    int64_t status;
    if (!str_to_i64(str_trim(text), &status))
        return;
    if (status < 100)
        check_fail(c, "each value in statusCodes must not be less than 100");
    if (status > 599)
        check_fail(c, "each value in statusCodes must not be greater than 599");
    buf_fmt(list, "%s%lld,", list->n ? "" : ",", (long long)status);
}

/* "200,404", or one parameter each; what is no number is passed over. */
static struct str statuses_read(struct checks *c)
{
    struct str *values;
    size_t n = request_query_all(c->rq, "statusCodes", &values);
    struct buf b = {.arena = c->rq->arena};
    for (size_t i = 0; i < n; i++)
        for (struct str rest = values[i]; rest.n;) {
            ptrdiff_t comma = str_find(rest, STR(","));
            size_t end = comma < 0 ? rest.n : (size_t)comma;
            status_read(c, &b, str_sub(rest, 0, end));
            rest = str_sub(rest, end + 1, rest.n);
        }
    return buf_finish(&b);
}

static void from_read(struct checks *c, struct request_log_query *q)
{
    struct str s = request_query(c->rq, "createdGte");
    if (s.n && !str_to_i64(s, &q->from))
        check_fail(c, "createdGte must be a valid timestamp");
    else if (q->from < 0)
        check_fail(c, "createdGte must be a positive timestamp");
}

static void query_read(struct checks *c, struct request_log_query *q)
{
    struct arena *a = c->rq->arena;
    bool camel = request_query(c->rq, "urlPattern").n > 0;
    struct str search = query_text(c, "search", NULL, TEXT_MAX);
    q->url = query_text(c, "url", "URL", TEXT_MAX);
    if (!q->url.n)
        q->url = search;
    q->path = query_text(c, camel ? "urlPattern" : "url_pattern", "URL pattern", TEXT_MAX);
    q->operations = q->path.n ? operations_of_pattern(a, q->path) : STR_NULL;
    q->transaction_id = query_text(c, "transactionId", NULL, TRANSACTION_MAX);
    q->statuses = statuses_read(c);
    from_read(c, q);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct request_log_query q = {.limit = (int)check_query_int(&checks, "limit", 10, 1, LIMIT_MAX)};
    struct request_log_row *rows;
    struct error err = {0};
    int64_t page = check_query_int(&checks, "page", 0, 0, PAGE_MAX), total;
    size_t n;
    q.offset = page * q.limit;
    query_read(&checks, &q);
    if (!checks_done(&checks))
        return;
    if (!request_log_list(app_db(rq), rq->arena, rq->principal.environment, &q, &rows, &n, &total, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(list, request_json(rq, d, &rows[i], STR(""), STR("")));
    json_add_int(d, o, "total", total);
    json_add_int(d, o, "pageSize", q.limit);
    json_add_int(d, o, "page", page);
    reply_json(rq, 0, o);
}

/* ---- one, with its traces ---- */

static void trace_add(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *list, const struct request_log_row *r, const struct trace *t)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    struct str request = request_log_name(rq->arena, r->id);
    json_add_str(d, o, "id", str_fmt(rq->arena, "%.*s-%zu", STR_ARG(request), yyjson_mut_arr_size(list)));
    json_add_time(d, o, "createdAt", t->at);
    json_add_str(d, o, "eventType", trace_type_name(t->type));
    json_add_str(d, o, "title", trace_title(rq->arena, t->type));
    if (t->message.n)
        json_add_str(d, o, "message", t->message);
    else
        yyjson_mut_obj_add_null(d, o, "message");
    if (t->raw.n)
        json_add_str(d, o, "rawData", t->raw);
    else
        yyjson_mut_obj_add_null(d, o, "rawData");
    json_add_str(d, o, "status", trace_status_name(t->status));
    json_add_str(d, o, "entityType", STR("request"));
    json_add_str(d, o, "entityId", request);
    json_add_id(d, o, "organizationId", rq->principal.organization);
    json_add_id(d, o, "environmentId", r->environment);
}

static bool event_traces(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *list, const struct request_log_row *r, const struct event *e,
                         struct error *err)
{
    struct fanout fanout;
    struct error missing = {0};
    struct trace *traces;
    size_t n;
    bool has = fanout_find(app_db(rq), e->id, &fanout, &missing);
    if (!has && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (!trace_list(rq->arena, e, has ? &fanout : NULL, &traces, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        trace_add(rq, d, list, r, &traces[i]);
    return true;
}

/* A trigger that was refused left nothing but its entry. */
static void refusal_traces(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *list, const struct request_log_row *r)
{
    struct trace received = {.type = TRACE_REQUEST_RECEIVED, .at = r->created_at - r->duration_ms};
    struct trace failed = {.type = TRACE_REQUEST_FAILED, .status = TRACE_ERROR, .at = r->created_at,
                           .message = str_fmt(rq->arena, "Answered with status %d", r->status)};
    if (r->status < 400 || !str_starts(r->path, STR("/v1/events/trigger")) || !str_eqz(r->method, "POST"))
        return;
    trace_add(rq, d, list, r, &received);
    trace_add(rq, d, list, r, &failed);
}

/* The trigger as it was asked for, of what its event holds. */
static struct str body_of(struct request *rq, const struct event *e)
{
    static const char *const kept[] = {"to", "payload", "overrides", "actor", "tenant", "context", "controls"};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct workflow w;
    struct error missing = {0};
    yyjson_val *doc;
    if (!json_parse(rq->arena, e->doc, &doc, &missing))
        return STR("");
    if (workflow_find_by_id(app_db(rq), rq->arena, e->environment, e->workflow, &w, &missing))
        json_add_str(d, o, "name", w.identifier);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (json_get(doc, kept[i]))
            json_add_val(d, o, kept[i], json_get(doc, kept[i]));
    json_add_str(d, o, "transactionId", e->transaction_id);
    return json_write_mut(rq->arena, o);
}

static void reply_one(struct request *rq, const struct request_log_row *r, const struct event *events, size_t n)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list;
    struct str body = STR(""), answer = STR("");
    struct error err = {0};
    if (n && !id_is_zero(r->event)) {
        yyjson_mut_val *data = yyjson_mut_obj(d);
        yyjson_mut_obj_add_val(d, data, "data", trigger_answer(rq, d, TRIGGER_PROCESSED, events[0].transaction_id, events[0].request_id));
        body = body_of(rq, &events[0]);
        answer = json_write_mut(rq->arena, data);
    }
    yyjson_mut_obj_add_val(d, o, "request", request_json(rq, d, r, body, answer));
    list = json_add_arr(d, o, "traces");
    for (size_t i = 0; i < n; i++)
        if (!event_traces(rq, d, list, r, &events[i], &err)) {
            reply_error(rq, &err);
            return;
        }
    refusal_traces(rq, d, list, r);
    reply_json(rq, 0, o);
}

static void handle_get(struct request *rq)
{
    struct str name = request_param(rq, "requestId");
    struct request_log_row row;
    struct event *events;
    struct error err = {0};
    struct id id;
    size_t n;
    struct db *db = app_db(rq);
    struct id environment = rq->principal.environment;
    bool found = (request_log_id(name, &id) || id_parse(name, &id)) && request_log_find(db, rq->arena, environment, id, &row, &err);
    if (!found && (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND))
        reply_fail(rq, 404, "Request with requestId %.*s not found", (int)(name.n > 64 ? 64 : name.n), name.p);
    else if (!found || !event_list_by_request(db, rq->arena, environment, request_log_name(rq->arena, id), &events, &n, &err))
        reply_error(rq, &err);
    else
        reply_one(rq, &row, events, n);
}

const struct route activity_request_routes[] = {
    {HTTP_GET, "/v1/activity/requests", "activityRequestsList", "Activity", "List requests that changed data", AUTH_ENVIRONMENT,
     "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_NONE, 0, 0, handle_list},
    {HTTP_GET, "/v1/activity/requests/{requestId}", "activityRequestsRetrieve", "Activity", "Retrieve a request and what became of it",
     AUTH_ENVIRONMENT, "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_get},
};
const size_t activity_request_routes_n = sizeof activity_request_routes / sizeof *activity_request_routes;
