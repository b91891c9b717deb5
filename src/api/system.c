/* Health, metrics, the virtual clock (design.md "Interfaces that must hold from the first day"). */
#include "api/app.h"
#include "api/tables.h"
#include "base/log.h"
#include "model/delivery.h"
#include "model/queue_depth.h"

enum { QUEUE_COUNT_MAX = 10000 };

/* rest-api.md §6.20, last row: "up" only while it can accept work. */
static yyjson_mut_val *health_parts(yyjson_mut_doc *d, bool up)
{
    static const char *const parts[] = {"db", "workflowQueue"};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    for (int i = 0; i < 2; i++)
        json_add_str(d, json_add_obj(d, o, parts[i]), "status", up ? STR("up") : STR("down"));
    yyjson_mut_val *version = json_add_obj(d, o, "apiVersion");
    json_add_str(d, version, "version", STR("3.19.0"));
    json_add_str(d, version, "status", STR("up"));
    return o;
}

/* The writer notices a disk by writing, but of a database server that went away it hears only with its next commit,
 * which does not come while every request already fails at its first read. */
static bool store_answers(struct request *rq)
{
    struct db *db = app_db(rq);
    if (db_kind_of(db) != DB_POSTGRES)
        return true;
    struct db_stmt *s = db_prepare(db, "SELECT 1", NULL);
    bool ok = s && db_step(s, NULL) == DB_ROW;
    if (s)
        db_reset(s);
    return ok;
}

static void handle_health(struct request *rq)
{
    struct app *app = app_of(rq);
    bool up = engine_accepting(app->engine) && !atomic_load(&app->stopping) && store_answers(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "status", up ? STR("ok") : STR("error"));
    yyjson_mut_obj_add_val(d, o, "info", up ? health_parts(d, true) : yyjson_mut_obj(d));
    yyjson_mut_obj_add_val(d, o, "error", up ? yyjson_mut_obj(d) : health_parts(d, false));
    yyjson_mut_obj_add_val(d, o, "details", health_parts(d, up));
    reply_json(rq, up ? 200 : 503, o);
}

/* decisions.md 35: open on loopback, elsewhere by a bearer token from the settings. */
static bool metrics_allowed(struct request *rq)
{
    struct app *app = app_of(rq);
    struct str header = request_header(rq, "Authorization");
    if (!app->metrics_token.n)
        return app_is_local(rq);
    return str_starts(header, STR("Bearer ")) && crypto_equal(str_sub(header, 7, header.n), app->metrics_token);
}

/* Counted when asked for, and only so far: a backlog of millions must not make each scrape slow. */
static void measure_queue(struct request *rq)
{
    static const char help[] = "Rows of the queue in the store: due now, or waiting for their time. At most 10,000 of each are counted.";
    struct metrics *m = app_of(rq)->metrics;
    struct queue_depth d;
    if (!queue_depth(app_db(rq), app_now(rq), QUEUE_COUNT_MAX, &d, NULL))
        return;                 /* the store is out of reach: the last numbers stay */
    gauge_set(metrics_gauge(m, "carillon_queue_items", help, "state=\"due\""), d.due);
    gauge_set(metrics_gauge(m, "carillon_queue_items", help, "state=\"pending\""), d.pending);
}

static void measure_deliveries(struct request *rq)
{
    static const char help[] = "Deliveries that no provider has taken yet, or at all. At most 10,000 of each are counted.";
    struct metrics *m = app_of(rq)->metrics;
    struct delivery_counts c;
    if (!deliveries_count(app_db(rq), QUEUE_COUNT_MAX, &c, NULL))
        return;
    gauge_set(metrics_gauge(m, "carillon_deliveries_stored", help, "state=\"waiting\""), c.waiting);
    gauge_set(metrics_gauge(m, "carillon_deliveries_stored", help, "state=\"sending\""), c.sending);
    gauge_set(metrics_gauge(m, "carillon_deliveries_stored", help, "state=\"dead\""), c.dead);
}

static void handle_metrics(struct request *rq)
{
    struct app *app = app_of(rq);
    if (!metrics_allowed(rq)) {
        reply_fail(rq, 401, "Unauthorized");
        return;
    }
    engine_busy(app->engine);
    measure_queue(rq);
    measure_deliveries(rq);
    reply_text(rq, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_render(app->metrics, rq->arena));
}

static void clock_tell(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_time(d, o, "now", app_now(rq));
    reply_json(rq, 0, o);
}

static void clock_moved(void *arg)
{
    struct request *rq = arg;
    struct app *app = app_of(rq);
    if (app->clock_file && !clock_keep(&app->clock, app->clock_file))
        log_warn("the virtual clock is not kept over a restart", "file", app->clock_file, NULL);
    clock_tell(rq);
}

static bool clock_target(struct request *rq, int64_t *to, struct error *err)
{
    struct str advance = json_get_str(rq->json, "advance"), now = json_get_str(rq->json, "now");
    int64_t ms;
    if (advance.p && now.p)
        return error_http(err, 400, "Give either advance or now, not both");
    if (advance.p) {
        if (!time_parse_duration(advance, &ms)) {
            error_http(err, 400, "advance must be an ISO 8601 duration such as PT1H or P2D");
            return error_field(err, "advance");
        }
        return !__builtin_add_overflow(app_now(rq), ms, to) || error_http(err, 400, "advance is too far");
    }
    if (now.p) {
        if (!time_parse_iso(now, to)) {
            error_http(err, 400, "now must be an ISO 8601 date and time");
            return error_field(err, "now");
        }
        return true;
    }
    return error_http(err, 400, "Give advance (an ISO 8601 duration) or now (a date and time)");
}

static void handle_clock(struct request *rq)
{
    struct app *app = app_of(rq);
    struct error err = {0};
    int64_t to;
    if (!app->clock.is_virtual) {
        reply_fail(rq, 404, "Cannot POST /v1/testing/clock");
        return;
    }
    if (!clock_target(rq, &to, &err) || !engine_advance_clock(app->engine, to, clock_moved, rq, &err))
        reply_error(rq, &err);
}

static void handle_clock_read(struct request *rq)
{
    if (app_of(rq)->clock.is_virtual)
        clock_tell(rq);
    else
        reply_fail(rq, 404, "Cannot GET /v1/testing/clock");
}

const struct route system_routes[] = {
    {HTTP_GET, "/v1/health-check", "healthCheck", "System", "Can it accept work?", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200,
     ENVELOPE_DATA, 0, ROUTE_ALWAYS, handle_health},
    {HTTP_GET, "/metrics", "metrics", "System", "Numbers for Prometheus", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_NONE, 0,
     ROUTE_ALWAYS, handle_metrics},
    {HTTP_POST, "/v1/testing/clock", "testingClockAdvance", "System", "Move the virtual clock", AUTH_ENVIRONMENT, NULL, RATE_NONE, 0,
     200, ENVELOPE_DATA, 0, ROUTE_NOT_IDEMPOTENT, handle_clock},
    {HTTP_GET, "/v1/testing/clock", "testingClockRead", "System", "Read the virtual clock", AUTH_ENVIRONMENT, NULL, RATE_NONE, 0, 200,
     ENVELOPE_DATA, 0, 0, handle_clock_read},
};
const size_t system_routes_n = sizeof system_routes / sizeof *system_routes;
