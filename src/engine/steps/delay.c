/* The delay step (engine.md §4.6, §10): fixed and dynamic durations. */
#include "engine/machine_private.h"

#include <unicode/ucal.h>

#include "base/clock.h"

static bool unit_ms(struct str unit, int64_t *ms)
{
    static const struct { const char *name; int64_t ms; } units[] = {
        {"seconds", 1000}, {"minutes", 60000}, {"hours", 3600000}, {"days", 86400000}, {"weeks", 604800000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eqz(unit, units[i].name)) {
            *ms = units[i].ms;
            return true;
        }
    return false;
}

/* Months are calendar months from now, clamped to the last day (engine.md §10). ICU keeps the calendar. */
static bool add_months(int64_t now, int64_t amount, int64_t *due)
{
    UErrorCode status = U_ZERO_ERROR;
    static const UChar utc[] = {'U', 'T', 'C', 0};
    if (amount < 1 || amount > 12000)
        return false;
    UCalendar *c = ucal_open(utc, -1, "en", UCAL_GREGORIAN, &status);
    ucal_setMillis(c, (double)now, &status);
    ucal_add(c, UCAL_MONTH, (int32_t)amount, &status);
    *due = (int64_t)ucal_getMillis(c, &status);
    ucal_close(c);
    return U_SUCCESS(status);
}

/* A number, or text that is one: rendered control values are strings. */
static bool amount_of(yyjson_val *v, int64_t *amount)
{
    if (yyjson_is_int(v)) {
        *amount = yyjson_get_sint(v);
        return true;
    }
    return yyjson_is_str(v) && str_to_i64(str_trim(json_str(v)), amount);
}

static bool due_after(int64_t now, yyjson_val *duration, int64_t *due)
{
    int64_t amount, ms, total;
    struct str unit = json_get_str(duration, "unit");
    if (!amount_of(json_get(duration, "amount"), &amount))
        return false;
    if (str_eqz(unit, "months"))
        return add_months(now, amount, due);
    return unit_ms(unit, &ms) && !__builtin_mul_overflow(amount, ms, &total) && !__builtin_add_overflow(now, total, due);
}

static bool dynamic_due(const struct machine *m, yyjson_val *o, int64_t *due)
{
    struct str key = json_get_str(o, "dynamicKey");
    if (str_starts(key, STR("payload.")))
        key = str_sub(key, 8, key.n);
    yyjson_val *v = key.n ? json_path(m->facts->payload, key) : NULL;
    if (yyjson_is_str(v))
        return time_parse_iso(json_str(v), due);
    return yyjson_is_obj(v) && due_after(m->facts->now, v, due);
}

static enum outcome invalid(struct machine *m, int job, const char *first, struct str second)
{
    struct arena *a = m->run->arena;
    machine_log(m, job, DETAIL_INVALID_DELAY, DETAIL_FAILED, str_fmt(a, "{\"error\":\"%s\"}", first));
    return machine_fail(m, job, DETAIL_INVALID_DELAY, str_fmt(a, "{\"error\":\"%.*s\"}", STR_ARG(second)), second);
}

enum outcome step_delay(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    int64_t due = 0, now = m->facts->now;
    bool dynamic = str_eqz(json_get_str(outputs, "type"), "dynamic") || json_get(outputs, "dynamicKey");
    yyjson_val *override = json_get(m->facts->overrides, "delay");      /* engine.md §1.9, legacy */
    (void)s;
    if (dynamic ? !dynamic_due(m, outputs, &due)
                : !(yyjson_is_obj(override) && due_after(now, override, &due)) && !due_after(now, outputs, &due))
        return invalid(m, job, "delay is missing or not valid", STR("The delay's amount, unit or dynamic key is not valid"));
    if (due <= now)
        return invalid(m, job, "delay must be in the future",
                       str_fmt(a, "%s delay must be in the future. durationMs: %lld", dynamic ? "Dynamic" : "Regular",
                               (long long)(due - now)));
    machine_log(m, job, DETAIL_STEP_DELAYED, DETAIL_PENDING, str_fmt(a, "{\"delay\":%lld}", (long long)(due - now)));
    m->run->jobs[job].due_at = due;
    struct effect *e = machine_effect(m, EFFECT_TIMER);
    e->queue = (struct queue_item){.due_at = due, .job = job};
    return OUTCOME_DELAYED;
}
