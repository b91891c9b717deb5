/* The throttle step (engine.md §4.8): so many of a group within a window, and no more. */
#include "base/clock.h"
#include "engine/steps/timing.h"

/* false: misconfigured, everything goes through. */
static bool window_end(struct machine *m, yyjson_val *o, int64_t *end)
{
    struct str type = json_get_str(o, "type"), unit = json_get_str(o, "unit");
    if (str_eqz(type, "dynamic"))
        return moment_of(m, payload_at(m, json_get_str(o, "dynamicKey")), end);
    if (type.n && !str_eqz(type, "fixed"))
        return false;
    return (str_eqz(unit, "minutes") || str_eqz(unit, "hours") || str_eqz(unit, "days")) && duration_after(m->facts->now, o, end);
}

static enum outcome granted(struct machine *m, int job, const struct throttle_grant *g)
{
    char iso[TIME_ISO_LEN + 1];
    struct effect *e = machine_effect(m, EFFECT_THROTTLE);
    e->throttle = *g;
    time_iso(g->started_at, iso);
    m->run->jobs[job].output = str_fmt(m->run->arena, "{\"throttled\":false,\"threshold\":%lld,\"windowStart\":\"%s\"}",
                                       (long long)g->threshold, iso);
    return OUTCOME_COMPLETED;
}

static enum outcome denied(struct machine *m, int job, const struct throttle_window *w, int64_t threshold)
{
    char iso[TIME_ISO_LEN + 1];
    struct arena *a = m->run->arena;
    time_iso(w->ends_at, iso);
    struct str rest = str_fmt(a, "\"executionCount\":%lld,\"threshold\":%lld,\"throttledUntil\":\"%s\"", (long long)w->granted,
                              (long long)threshold, iso);
    m->run->jobs[job].output = str_fmt(a, "{\"throttled\":true,%s}", rest.p);
    if (job + 1 < m->run->jobs_n)
        machine_log(m, job, DETAIL_THROTTLED, DETAIL_SUCCESS, str_fmt(a, "{\"shouldSkip\":true,%s}", rest.p));
    for (int i = job + 1; i < m->run->jobs_n; i++) {
        m->run->jobs[i].merged_run = m->run->row.id;
        m->run->jobs[i].merged_job = job;
    }
    return OUTCOME_THROTTLED;
}

enum outcome step_throttle(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    int64_t now = m->facts->now, end, threshold = 1;
    struct throttle_window w;
    struct throttle_grant g = {.environment = m->run->row.environment, .subscriber = m->run->row.subscriber};
    /* Those of whom the payload does not say it are one group (upstream: resolve-throttle-grouping.spec.ts). */
    bool keyed = control_text(m, s, "throttleKey", outputs).n > 0;
    struct str value = keyed ? key_value(m, s, "throttleKey", outputs) : STR_NULL;
    if (!number_of(json_get(outputs, "threshold"), &threshold) || threshold < 1)
        threshold = 1;
    if (!window_end(m, outputs, &end)) {
        m->run->jobs[job].output = STR("{\"throttled\":false}");
        return OUTCOME_COMPLETED;
    }
    if (end <= now)
        return machine_fail(m, job, DETAIL_THROTTLE_PAST, STR_NULL, STR_NULL);
    g.key = group_key(m, s, "throttle", value);
    g.threshold = threshold;
    if (!machine_throttle_window(m, g.key, &w))
        return OUTCOME_FAILED;
    g.opens = w.ends_at <= now;
    g.started_at = g.opens ? now : w.started_at;
    g.ends_at = g.opens ? end : w.ends_at;
    return g.opens || w.granted < threshold ? granted(m, job, &g) : denied(m, job, &w, threshold);
}
