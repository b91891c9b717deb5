/* /v1/notifications: the activity feed (rest-api.md §6.7). */
#include "api/app.h"
#include "api/context_member.h"
#include "api/tables.h"
#include "engine/view.h"
#include "model/event.h"
#include "model/subscriber.h"
#include "model/workflow.h"

enum { PAGE_MAX = 50, NAMES_MAX = 200, PEOPLE_MAX = 1000 };

/* One row to its view, as JSON text; what was deleted meanwhile is left out of it. */
static bool view_text(struct request *rq, struct run_row *row, yyjson_mut_doc *d, struct str *out, struct error *err)
{
    struct app *app = app_of(rq);
    struct db *db = app_db(rq);
    struct run run;
    struct event event;
    struct subscriber subscriber;
    struct run_marked *marks;
    size_t marks_n;
    struct error missing = {0};
    if (!run_marks(db, rq->arena, row->environment, row->id, &marks, &marks_n, err) || !run_decode(row, rq->arena, &run, err) || !event_find(db, rq->arena, row->environment, row->event, &event, err))
        return false;
    yyjson_val *doc = NULL;
    json_parse(rq->arena, event.doc, &doc, NULL);
    struct definition *version = definition_of_run(app->definitions, db, row->environment, row->workflow, row->workflow_version, doc,
                                                   &missing);
    run_view_add_marks(&run, marks, marks_n);
    bool found = subscriber_find_by_id(db, rq->arena, row->environment, row->subscriber, &subscriber, &missing);
    struct run_view v = {.run = &run, .version = version, .event = &event, .subscriber = found ? &subscriber : NULL,
                         .organization = rq->principal.organization};
    /* The texts of the version are copied: it may be released before the answer is written. */
    yyjson_mut_val *view = run_view_json(d, rq->arena, &v);
    *out = json_write_mut(rq->arena, view);
    if (version)
        cached_unref(&version->head);
    return true;
}

static bool view_one(struct request *rq, struct run_row *row, yyjson_mut_doc *d, yyjson_mut_val **out, struct error *err)
{
    struct str text;
    if (!view_text(rq, row, d, &text, err))
        return false;
    *out = yyjson_mut_rawn(d, text.p, text.n);
    return true;
}

static void handle_get(struct request *rq)
{
    struct id id;
    struct run_row row;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *out;
    if (!id_parse(request_param(rq, "notificationId"), &id)) {
        reply_fail(rq, 404, "Notification not found");
        return;
    }
    if (!run_find(app_db(rq), rq->arena, rq->principal.environment, id, &row, &err) || !view_one(rq, &row, d, &out, &err))
        reply_error(rq, &err);
    else
        reply_json(rq, 0, out);
}

/* GET /v1/execution-details of older clients: what the steps of one notification tell, in one list. */
static void details_reply(struct request *rq, yyjson_mut_doc *d, yyjson_val *notification)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_val *job, *detail, *subscriber = json_get(notification, "subscriber");
    struct str person = request_query(rq, "subscriberId");
    yyjson_arr_iter jobs = yyjson_arr_iter_with(json_get(notification, "jobs"));
    bool theirs = !person.n || str_eq(person, json_get_str(subscriber, "subscriberId")) || str_eq(person, json_get_str(subscriber, "_id"));
    while (theirs && (job = yyjson_arr_iter_next(&jobs))) {
        yyjson_arr_iter details = yyjson_arr_iter_with(json_get(job, "executionDetails"));
        while ((detail = yyjson_arr_iter_next(&details))) {
            yyjson_mut_val *o = yyjson_val_mut_copy(d, detail);
            json_add_val(d, o, "_jobId", json_get(job, "_id"));
            json_add_val(d, o, "_notificationId", json_get(notification, "_id"));
            json_add_val(d, o, "_subscriberId", json_get(subscriber, "_id"));
            yyjson_mut_arr_append(list, o);
        }
    }
    reply_json(rq, 0, list);
}

static void handle_details(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str given = request_query(rq, "notificationId"), text;
    struct id id;
    struct run_row row;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_val *view;
    if (!given.n || !id_parse(given, &id))
        check_fail(&c, "notificationId must be a mongodb id");
    if (!checks_done(&c))
        return;
    if (run_find(app_db(rq), rq->arena, rq->principal.environment, id, &row, &err) && view_text(rq, &row, d, &text, &err)
        && json_parse(rq->arena, text, &view, &err))
        details_reply(rq, d, view);
    else if (err.code == ERROR_NOT_FOUND)
        reply_json(rq, 0, yyjson_mut_arr(d));
    else
        reply_error(rq, &err);
}

static bool time_read(struct request *rq, const char *name, int64_t *ms)
{
    struct str s = request_query(rq, name);
    if (!s.n || time_parse_iso(s, ms))
        return true;
    reply_fail(rq, 400, "Invalid date format for parameter '%s': %.*s. Please provide a valid ISO 8601 date string.", name,
               (int)(s.n > 64 ? 64 : s.n), s.p);
    return false;
}

/* Who is meant: by name, by address, by a part of it. false with *nobody: the filters name only people who do not exist. */
static bool people_read(struct request *rq, struct run_query *q, bool *nobody, struct error *err)
{
    struct str *names, *emails, search = request_query(rq, "search");
    size_t n = request_query_all(rq, "subscriberIds", &names), emails_n = request_query_all(rq, "emails", &emails), found = 0;
    struct id *ids = ARENA_ARRAY(rq->arena, struct id, NAMES_MAX + PEOPLE_MAX);
    for (size_t i = 0; i < n && i < NAMES_MAX; i++) {
        struct subscriber s;
        struct error missing = {0};
        if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, names[i], &s, &missing))
            ids[q->subscribers_n++] = s.id;
        else if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    }
    if ((emails_n || search.n)
        && !subscriber_by_email(app_db(rq), rq->arena, rq->principal.environment, emails, emails_n < NAMES_MAX ? emails_n : NAMES_MAX,
                                search, PEOPLE_MAX, ids + q->subscribers_n, &found, err))
        return false;
    q->subscribers_n += found;
    q->subscribers = ids;
    *nobody = (n || emails_n || search.n) && !q->subscribers_n;
    return true;
}

/* The runs of these triggers, by the names that their callers gave them. */
static bool transactions_read(struct request *rq, struct run_query *q, bool *nobody, struct error *err)
{
    struct str *names;
    size_t n = request_query_all(rq, "transactionId", &names);
    struct id *ids = ARENA_ARRAY(rq->arena, struct id, NAMES_MAX);
    bool asked = false;
    for (size_t i = 0; i < n && i < NAMES_MAX; i++) {
        struct event event;
        struct error missing = {0};
        if (!names[i].n)
            continue;                   /* "transactionId=" asks for nothing */
        asked = true;
        if (event_find_by_transaction(app_db(rq), rq->arena, rq->principal.environment, names[i], &event, &missing))
            ids[q->events_n++] = event.id;
        else if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    }
    q->events = ids;
    *nobody |= asked && !q->events_n;
    return true;
}

static void workflows_read(struct request *rq, struct run_query *q)
{
    struct str *names;
    size_t n = request_query_all(rq, "templates", &names);
    struct id *ids = ARENA_ARRAY(rq->arena, struct id, n);
    for (size_t i = 0; i < n && i < NAMES_MAX; i++)
        if (!id_parse(names[i], &ids[q->workflows_n++]))
            ids[q->workflows_n - 1] = (struct id){{0}};         /* names no workflow, matches nothing */
    q->workflows = ids;
}

static void sets_read(struct checks *c, struct run_query *q)
{
    struct str *list;
    size_t n = request_query_all(c->rq, "channels", &list);
    for (size_t i = 0; i < n; i++) {
        enum step_type t;
        if (step_type_parse(list[i], &t))
            q->channels |= 1u << t;
        else
            check_fail(c, "each value in channels must be one of the following values: in_app, email, sms, chat, push, tool");
    }
    n = request_query_all(c->rq, "severity", &list);
    for (size_t i = 0; i < n; i++) {
        enum severity s;
        if (severity_parse(list[i], &s))
            q->severities |= 1u << s;
        else
            check_fail(c, "each value in severity must be one of the following values: high, medium, low, none");
    }
}

static void reply_page(struct request *rq, struct run_row *rows, size_t n, int64_t page, int64_t limit)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data"), *view;
    struct error err = {0};
    for (size_t i = 0; i < n; i++) {
        if (!view_one(rq, &rows[i], d, &view, &err)) {
            reply_error(rq, &err);
            return;
        }
        yyjson_mut_arr_append(list, view);
    }
    json_add_int(d, o, "page", page);
    json_add_int(d, o, "pageSize", limit);
    json_add_bool(d, o, "hasMore", n == (size_t)limit);
    reply_json(rq, 0, o);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct run_query q = {.limit = 0};
    struct run_row *rows = NULL;
    struct error err = {0};
    struct str context;
    bool nobody;
    size_t n = 0;
    int64_t page = check_query_int(&checks, "page", 0, 0, 1000000);
    q.limit = (int)check_query_int(&checks, "limit", 10, 1, PAGE_MAX);
    q.offset = page * q.limit;
    sets_read(&checks, &q);
    if (!checks_done(&checks) || !time_read(rq, "after", &q.from) || !time_read(rq, "before", &q.to))
        return;
    if (q.from && q.to && q.from > q.to) {
        reply_fail(rq, 400, "Invalid date range: start date (after) must be earlier than end date (before)");
        return;
    }
    workflows_read(rq, &q);
    q.topic_key = request_query(rq, "topicKey");
    q.subscription = request_query(rq, "subscriptionId");
    if (context_query_read(rq, &context))
        q.context = &context;
    if (!people_read(rq, &q, &nobody, &err) || !transactions_read(rq, &q, &nobody, &err)) {
        reply_error(rq, &err);
        return;
    }
    if (!nobody && !run_list(app_db(rq), rq->arena, rq->principal.environment, &q, &rows, &n, &err))
        reply_error(rq, &err);
    else
        reply_page(rq, rows, n, page, q.limit);
}

const struct route notification_routes[] = {
    {HTTP_GET, "/v1/notifications", "notificationsList", "Notifications", "List workflow runs", AUTH_ENVIRONMENT,
     "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_NONE, 0, 0, handle_list},
    {HTTP_GET, "/v1/notifications/{notificationId}", "notificationsRetrieve", "Notifications", "Retrieve a workflow run",
     AUTH_ENVIRONMENT, "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_get},
    {HTTP_GET, "/v1/execution-details", "executionDetailsListV1", "Notifications", "What the steps of a notification tell", AUTH_ENVIRONMENT,
     "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_details},
};
const size_t notification_routes_n = sizeof notification_routes / sizeof *notification_routes;
