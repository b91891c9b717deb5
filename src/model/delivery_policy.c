/* Reads and completes delivery policies. */
#include "model/delivery_policy.h"

enum { DAY_S = 86400 };

/* A whole number of least…most; absent leaves *out as it is. */
static bool read_number(yyjson_val *v, const char *key, const char *name, int64_t least, int64_t most, int64_t *out, struct error *err)
{
    yyjson_val *x = json_get(v, key);
    if (!x || yyjson_is_null(x))
        return true;
    if (yyjson_is_int(x) && yyjson_get_sint(x) >= least && yyjson_get_sint(x) <= most) {
        *out = yyjson_get_sint(x);
        return true;
    }
    error_set(err, ERROR_BAD_INPUT, "%s must be a whole number from %lld to %lld", name, (long long)least, (long long)most);
    return error_field(err, name);
}

/* 0 switches a rule of the breaker off. */
static int rule_of(int64_t given, int old)
{
    return given < 0 ? old : given == 0 ? -1 : (int)given;
}

static bool read_breaker(yyjson_val *v, struct delivery_policy *p, struct error *err)
{
    int64_t failures = -1, percent = -1, open = 0;
    if (v && !yyjson_is_null(v) && !yyjson_is_obj(v)) {
        error_set(err, ERROR_BAD_INPUT, "delivery.breaker must be an object");
        return error_field(err, "delivery.breaker");
    }
    if (!read_number(v, "failures", "delivery.breaker.failures", 0, 10000, &failures, err)
        || !read_number(v, "errorPercent", "delivery.breaker.errorPercent", 0, 100, &percent, err)
        || !read_number(v, "openSeconds", "delivery.breaker.openSeconds", 1, DAY_S, &open, err))
        return false;
    p->breaker_failures = rule_of(failures, p->breaker_failures);
    p->breaker_percent = rule_of(percent, p->breaker_percent);
    p->breaker_open_ms = open * 1000;
    return true;
}

static bool read_rate(yyjson_val *v, struct delivery_policy *p, struct error *err)
{
    yyjson_val *rate = json_get(v, "messagesPerSecond");
    if (!rate || yyjson_is_null(rate))
        return true;
    p->rate = yyjson_is_num(rate) ? yyjson_get_num(rate) : -1;
    if (p->rate >= 0.001 && p->rate <= 100000)
        return true;
    error_set(err, ERROR_BAD_INPUT, "delivery.messagesPerSecond must be a number from 0.001 to 100000");
    return error_field(err, "delivery.messagesPerSecond");
}

static bool read_failover(yyjson_val *v, struct delivery_policy *p, struct error *err)
{
    yyjson_val *x = json_get(v, "failover");
    if (!x || yyjson_is_null(x))
        return true;
    if (yyjson_is_bool(x)) {
        p->failover = yyjson_get_bool(x) ? 1 : -1;
        return true;
    }
    error_set(err, ERROR_BAD_INPUT, "delivery.failover must be a boolean");
    return error_field(err, "delivery.failover");
}

bool delivery_policy_read(yyjson_val *v, struct delivery_policy *p, struct error *err)
{
    int64_t attempts = 0, window = 0, burst = 0;
    *p = (struct delivery_policy){0};
    if (!v || yyjson_is_null(v))
        return true;
    if (!yyjson_is_obj(v)) {
        error_set(err, ERROR_BAD_INPUT, "delivery must be an object");
        return error_field(err, "delivery");
    }
    if (!read_number(v, "attempts", "delivery.attempts", 1, 100, &attempts, err)
        || !read_number(v, "windowSeconds", "delivery.windowSeconds", 1, 7 * DAY_S, &window, err)
        || !read_number(v, "burst", "delivery.burst", 1, 100000, &burst, err) || !read_failover(v, p, err)
        || !read_rate(v, p, err) || !read_breaker(json_get(v, "breaker"), p, err))
        return false;
    p->attempts = (int)attempts;
    p->window_ms = window * 1000;
    p->burst = (int)burst;
    return true;
}

struct delivery_policy delivery_policy_stored(struct str json)
{
    struct delivery_policy p = {0};
    yyjson_val *v;
    if (!json.n || str_find(json, STR("\"delivery\"")) < 0)     /* mostly: and then nothing is parsed */
        return p;
    struct arena *a ARENA_SCOPED = arena_create(0);
    if (!json_parse(a, json, &v, NULL) || !delivery_policy_read(json_get(v, "delivery"), &p, NULL))
        p = (struct delivery_policy){0};
    return p;
}

struct delivery_policy delivery_policy_resolve(struct delivery_policy p, const struct delivery_policy *outer)
{
    static const struct delivery_policy defaults = {.attempts = 8, .window_ms = 1800000, .failover = 1, .burst = 1,
                                                    .breaker_failures = 10, .breaker_percent = 50, .breaker_open_ms = 60000};
    if (!outer)
        outer = &defaults;
    if (!p.attempts)
        p.attempts = outer->attempts;
    if (!p.window_ms)
        p.window_ms = outer->window_ms;
    if (!p.failover)
        p.failover = outer->failover;
    if (p.rate <= 0)
        p.rate = outer->rate;
    if (!p.burst)
        p.burst = outer->burst;
    if (!p.breaker_failures)
        p.breaker_failures = outer->breaker_failures;
    if (!p.breaker_percent)
        p.breaker_percent = outer->breaker_percent;
    if (!p.breaker_open_ms)
        p.breaker_open_ms = outer->breaker_open_ms;
    return p;
}
