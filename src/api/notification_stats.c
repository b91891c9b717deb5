/* /v1/notifications/stats and /graph/stats: numbers of older dashboards and clients (rest-api.md §6.7). */
#include "api/app.h"
#include "api/tables.h"
#include "model/run_stats.h"
#include "model/types.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
enum { DAYS_DEFAULT = 32, DAYS_MAX = 366, WEEK = 7, MONTH = 30 };

static void handle_stats(struct request *rq)
{
    struct error err = {0};
    struct id environment = rq->principal.environment;
    int64_t now = app_now(rq), weekly, monthly;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!run_count(app_db(rq), environment, now - WEEK * DAY_MS, &weekly, &err)
        || !run_count(app_db(rq), environment, now - MONTH * DAY_MS, &monthly, &err)) {
        reply_error(rq, &err);
        return;
    }
    json_add_int(d, o, "weeklySent", weekly);
    json_add_int(d, o, "monthlySent", monthly);
    reply_json(rq, 0, o);
}

static struct str day_name(struct arena *a, int64_t day)
{
    char iso[TIME_ISO_LEN + 1];
    time_iso(day * DAY_MS, iso);
    return str_dup(a, (struct str){iso, strlen("2026-01-01")});
}

/* The rows of one day as {_id, count, templates, channels}; a run counts once for each of its channels. */
static yyjson_mut_val *day_json(struct arena *a, yyjson_mut_doc *d, const struct run_day *rows, size_t n)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *list;
    unsigned channels = 0;
    int64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned own = rows[i].channels & ((1u << CHANNELS) - 1);
        channels |= own;
        count += rows[i].n * __builtin_popcount(own);
    }
    json_add_str(d, o, "_id", day_name(a, rows[0].day));
    json_add_int(d, o, "count", count);
    list = json_add_arr(d, o, "templates");
    for (size_t i = 0; i < n; i++)
        if (!i || !id_eq(rows[i].workflow, rows[i - 1].workflow))
            yyjson_mut_arr_append(list, json_mut_str(d, id_str(a, rows[i].workflow)));
    list = json_add_arr(d, o, "channels");
    for (int c = 0; c < CHANNELS; c++)
        if (channels & (1u << c))
            yyjson_mut_arr_append(list, json_mut_str(d, channel_name((enum channel)c)));
    return o;
}

static void handle_graph(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct run_day *rows;
    struct error err = {0};
    size_t n, end;
    int64_t days = check_query_int(&c, "days", DAYS_DEFAULT, 1, DAYS_MAX);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (!checks_done(&c))
        return;
    if (!run_days(app_db(rq), rq->arena, rq->principal.environment, app_now(rq) - days * DAY_MS, &rows, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && rows[end].day == rows[i].day;)
            end++;
        yyjson_mut_arr_append(list, day_json(rq->arena, d, &rows[i], end - i));
    }
    reply_json(rq, 0, list);
}

const struct route notification_stat_routes[] = {
    {HTTP_GET, "/v1/notifications/stats", "notificationsStatsV1", "Notifications", "How many workflow runs there were", AUTH_ENVIRONMENT,
     "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_stats},
    {HTTP_GET, "/v1/notifications/graph/stats", "notificationsGraphStatsV1", "Notifications", "Workflow runs by day", AUTH_ENVIRONMENT,
     "NOTIFICATION_READ", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handle_graph},
};
const size_t notification_stat_routes_n = sizeof notification_stat_routes / sizeof *notification_stat_routes;
