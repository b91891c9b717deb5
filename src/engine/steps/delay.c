/* The delay step (engine.md §4.6): regular, dynamic, timed, and the legacy scheduled one. */
#include "engine/steps/timing.h"

static enum outcome invalid(struct machine *m, int job, const char *first, struct str second)
{
    struct arena *a = m->run->arena;
    struct buf raw = {.arena = a};
    machine_log(m, job, DETAIL_INVALID_DELAY, DETAIL_FAILED, str_fmt(a, "{\"error\":\"%s\"}", first));
    buf_z(&raw, "{\"error\":");
    json_quote(&raw, second);
    buf_char(&raw, '}');
    return machine_fail(m, job, DETAIL_INVALID_DELAY, buf_finish(&raw), second);
}

static struct str kind_of(yyjson_val *o)
{
    struct str type = json_get_str(o, "type");
    return type.n ? type : json_get(o, "cron") ? STR("timed") : json_get(o, "dynamicKey") ? STR("dynamic") : STR("regular");
}

/* What the activity feed shows of the wait. */
static struct str timing_of(struct machine *m, struct str kind, yyjson_val *o, yyjson_val *from, bool extends)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *t = yyjson_mut_obj(d);
    json_add_str(d, t, "type", kind);
    timing_add(d, t, from, "amount", "unit");
    json_add_val(d, t, "dynamicKey", json_get(o, "dynamicKey"));
    json_add_val(d, t, "cron", json_get(o, "cron"));
    if (extends)
        json_add_bool(d, t, "extendToSchedule", true);
    return json_write_mut(m->run->arena, t);
}

static enum outcome wait(struct machine *m, int job, int64_t due, bool cron)
{
    if (!defer_allowed(m, job, due))
        return OUTCOME_FAILED;
    machine_log(m, job, DETAIL_STEP_DELAYED, DETAIL_PENDING, defer_raw(m, due, cron));
    return defer_until(m, job, due);
}

static enum outcome timed(struct machine *m, int job, yyjson_val *o)
{
    struct error err = {0};
    int64_t due;
    if (!cron_after(m, json_get_str(o, "cron"), &due, &err))
        return invalid(m, job, "delay is missing or not valid", str_dup(m->run->arena, str_of(err.message)));
    return wait(m, job, due, true);
}

static enum outcome dynamic(struct machine *m, int job, yyjson_val *o)
{
    struct arena *a = m->run->arena;
    struct str key = json_get_str(o, "dynamicKey");
    yyjson_val *v = payload_at(m, key);
    int64_t due;
    if (!moment_of(m, v, &due))
        return invalid(m, job, "delay is missing or not valid",
                       str_fmt(a, "Dynamic delay: the payload has no ISO 8601 date and no {amount, unit} at %.*s",
                               (int)(key.n > 100 ? 100 : key.n), key.p));
    if (due <= m->facts->now)
        return invalid(m, job, "delay must be in the future", str_fmt(a, "Dynamic delay must be in the future. durationMs: %lld",
                                                                      (long long)(due - m->facts->now)));
    return wait(m, job, due, false);
}

/* engine.md §4.6, legacy: payload[delayPath] is a date. */
static enum outcome scheduled(struct machine *m, int job, yyjson_val *o)
{
    struct str path = json_get_str(o, "delayPath");
    int64_t due;
    if (!moment_of(m, payload_at(m, path), &due) || due <= m->facts->now)
        return invalid(m, job, "delay must be in the future",
                       str_fmt(m->run->arena, "Delay date at path %.*s must be a future date", (int)(path.n > 100 ? 100 : path.n),
                               path.p));
    return wait(m, job, due, false);
}

/* A trigger may ask for no delay at all: any number is valid in an override (engine.md §1.9), and nothing is waited for. */
static enum outcome regular(struct machine *m, int job, yyjson_val *duration, bool overridden)
{
    int64_t due;
    if (!duration_after(m->facts->now, duration, &due))
        return invalid(m, job, "delay is missing or not valid", STR("The delay's amount or unit is not valid"));
    if (overridden && due == m->facts->now) {
        delay_fired(m, job);
        return OUTCOME_COMPLETED;
    }
    if (due <= m->facts->now)
        return invalid(m, job, "delay must be in the future", str_fmt(m->run->arena, "Regular delay must be in the future. "
                                                                      "durationMs: %lld", (long long)(due - m->facts->now)));
    return wait(m, job, due, false);
}

enum outcome step_delay(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct str kind = kind_of(outputs);
    yyjson_val *override = json_get(m->facts->overrides, "delay");      /* engine.md §1.9, legacy */
    int64_t any;
    yyjson_val *duration = yyjson_is_obj(override) && duration_after(0, override, &any) ? override : outputs;
    m->run->jobs[job].timing = timing_of(m, kind, outputs, duration, control_flag(m, s, "extendToSchedule", outputs));
    if (str_eqz(kind, "timed"))
        return timed(m, job, outputs);
    if (str_eqz(kind, "dynamic"))
        return dynamic(m, job, outputs);
    if (str_eqz(kind, "scheduled"))
        return scheduled(m, job, outputs);
    return regular(m, job, duration, duration == override);
}

void delay_fired(struct machine *m, int job)
{
    struct run_job *j = &m->run->jobs[job];
    machine_log(m, job, DETAIL_DELAY_FINISHED, DETAIL_SUCCESS, STR_NULL);
    j->output = str_fmt(m->run->arena, "{\"duration\":%lld}", (long long)(m->facts->now - m->run->row.created_at));
}
