/* What must be passed before a step does its work: the subscriber's schedule is open, its content renders, its conditions
 * hold, nobody switched the channel off (engine.md §3, §6). */
#include "engine/machine_private.h"

#include "base/clock.h"
#include "content/schedule.h"
#include "engine/filters.h"
#include "engine/render.h"

/* --- preferences ------------------------------------------------------------------------------------------------- */

static const enum detail preference_details[] = {
    [SOURCE_WORKFLOW_RESOURCE] = DETAIL_FILTERED_WORKFLOW_RESOURCE, [SOURCE_USER_WORKFLOW] = DETAIL_FILTERED_USER_WORKFLOW,
    [SOURCE_TENANT] = DETAIL_FILTERED_USER_WORKFLOW,            /* never the source of the whole */
    [SOURCE_SUBSCRIBER_GLOBAL] = DETAIL_FILTERED_SUBSCRIBER_GLOBAL,
    [SOURCE_SUBSCRIBER_WORKFLOW] = DETAIL_FILTERED_SUBSCRIBER_WORKFLOW,
    [SOURCE_SUBSCRIPTION] = DETAIL_FILTERED_SUBSCRIBER_WORKFLOW,
};

/* {enabled, channels: of the workflow's active steps, overrides: who decided each} (engine.md §6.3). */
static struct str preference_raw(struct machine *m, const struct preference_result *p)
{
    const struct definition *d = m->facts->current;
    unsigned used = 0;
    static const char *const sources[] = {[SOURCE_WORKFLOW_RESOURCE] = "template", [SOURCE_USER_WORKFLOW] = "template",
                                          [SOURCE_TENANT] = "workflowOverride", [SOURCE_SUBSCRIBER_GLOBAL] = "subscriber",
                                          [SOURCE_SUBSCRIBER_WORKFLOW] = "subscriber", [SOURCE_SUBSCRIPTION] = "subscriber"};
    struct buf b = {.arena = m->run->arena};
    for (int i = 0; i < d->steps_n; i++)
        if (d->steps[i].active && step_is_channel(d->steps[i].type))
            used |= 1u << d->steps[i].type;
    buf_z(&b, "{\"enabled\":true,\"channels\":{");
    for (int c = 0, n = 0; c < CHANNELS; c++)
        if (used >> c & 1)
            buf_fmt(&b, "%s\"%s\":%s", n++ ? "," : "", channel_name((enum channel)c).p, p->channel[c] ? "true" : "false");
    buf_z(&b, "},\"overrides\":[");
    for (int c = 0, n = 0; c < CHANNELS; c++)
        if (used >> c & 1)
            buf_fmt(&b, "%s{\"channel\":\"%s\",\"source\":\"%s\"}", n++ ? "," : "", channel_name((enum channel)c).p,
                    sources[p->by[c]]);
    buf_z(&b, "]}");
    return buf_finish(&b);
}

/* A workflow that came with its trigger knows of no subscriber's choices (bridge-cli.md §3.4). */
struct preference_result machine_preferences(const struct machine *m)
{
    const struct machine_facts *f = m->facts;
    struct workflow_preferences w = f->current->preferences;
    workflow_preferences_override(&w, f->tenant_preferences);
    w.read_only = m->run->critical;     /* engine.md §6.4: that alone is as it was when the run began */
    return preference_merge(&w, f->stateless ? NULL : f->preferences, f->workflow_off_is_final);
}

static bool preference_allows(struct machine *m, int job)
{
    enum step_type type = m->run->jobs[job].type;
    if (!step_is_channel(type))
        return true;
    struct preference_result p = machine_preferences(m);
    if (p.channel[type])
        return true;
    machine_log(m, job, preference_details[p.source], DETAIL_SUCCESS, preference_raw(m, &p));
    m->run->jobs[job].skip = SKIP_PREFERENCE;
    return false;
}

/* --- the subscriber's schedule ----------------------------------------------------------------------------------- */

enum { EXTENSIONS_MAX = 3 };

struct window {
    struct str text, timezone;          /* the schedule as stored; the zone that counts */
    struct schedule schedule;
    struct zone zone;
};

void zone_warn(const struct machine *m, struct buf *raw)
{
    struct str zone = str_cut(m->facts->subscriber->field[SUBSCRIBER_TIMEZONE], 64);
    if (!zone.n || zone_known(zone))
        return;
    buf_z(raw, ",\"warning\":");
    json_quote(raw, str_fmt(m->run->arena, "There is no time zone %.*s: UTC is used", STR_ARG(zone)));
}

/* false: there is none that could be closed. */
static bool window_open(const struct machine *m, struct window *w)
{
    const struct preference_rows *p = m->facts->preferences;
    yyjson_val *v;
    if (m->run->critical || !p || !(p->found & PREFERENCE_GLOBAL) || !p->global.schedule.n
        || !json_parse(m->run->arena, p->global.schedule, &v, NULL))
        return false;
    w->text = p->global.schedule;
    w->schedule = schedule_read(m->run->arena, v);
    if (!w->schedule.limits)
        return false;
    struct str zone = m->facts->subscriber->field[SUBSCRIBER_TIMEZONE];
    w->timezone = zone.n && zone_known(zone) ? zone : STR("UTC");
    w->zone = zone_open(w->timezone);
    return true;
}

static bool is_held_back(enum step_type t)
{
    return (step_is_channel(t) && t != STEP_IN_APP) || t == STEP_CUSTOM || t == STEP_THROTTLE;
}

static bool schedule_allows(struct machine *m, int job)
{
    struct window w;
    if (!is_held_back(m->run->jobs[job].type) || !window_open(m, &w))
        return true;
    bool open = schedule_is_open(&w.schedule, &w.zone, m->facts->now);
    zone_close(&w.zone);
    if (!open) {
        struct buf raw = {.arena = m->run->arena};
        buf_z(&raw, "{\"schedule\":");
        buf_str(&raw, w.text);
        buf_z(&raw, ",\"timezone\":");
        json_quote(&raw, w.timezone);
        zone_warn(m, &raw);
        buf_char(&raw, '}');
        machine_log(m, job, DETAIL_OUTSIDE_SCHEDULE, DETAIL_SUCCESS, buf_finish(&raw));
    }
    return open;
}

static struct str extension_raw(struct machine *m, const struct window *w, int64_t opening, int count)
{
    struct buf b = {.arena = m->run->arena};
    char iso[TIME_ISO_LEN + 1];
    time_iso(opening, iso);
    buf_fmt(&b, "{\"delayMs\":%lld,\"nextAvailableTime\":\"%s\",\"timezone\":", (long long)(opening - m->facts->now), iso);
    json_quote(&b, w->timezone);
    zone_warn(m, &b);
    buf_z(&b, ",\"schedule\":");
    buf_str(&b, w->text);
    buf_fmt(&b, ",\"scheduleExtensionsCount\":%d,\"maxScheduleExtensions\":%d}", count, EXTENSIONS_MAX);
    return buf_finish(&b);
}

/* What a bridge answered is known only from what was kept of it when the wait began; else it is as the workflow says now. */
static bool extends(const struct machine *m, int job, const struct step_definition *s)
{
    yyjson_val *timing = NULL;
    if (!m->facts->current->external)
        return json_get_bool(s->values, "extendToSchedule", false);
    return json_parse(m->run->arena, m->run->jobs[job].timing, &timing, NULL) && json_get_bool(timing, "extendToSchedule", false);
}

bool gates_extend(struct machine *m, int job)
{
    struct run_job *j = &m->run->jobs[job];
    const struct step_definition *s = machine_step(m, job);
    struct window w;
    int64_t opening;
    if (!s || !extends(m, job, s) || !window_open(m, &w))
        return false;
    bool closed = !schedule_is_open(&w.schedule, &w.zone, m->facts->now)
        && schedule_next_opening(&w.schedule, &w.zone, m->facts->now, &opening);
    zone_close(&w.zone);
    if (!closed)
        return false;
    if (j->extensions == EXTENSIONS_MAX) {
        machine_log(m, job, DETAIL_SCHEDULE_EXHAUSTED, DETAIL_SUCCESS, STR_NULL);
        return false;
    }
    machine_log(m, job, DETAIL_SCHEDULE_EXTENDED, DETAIL_PENDING, extension_raw(m, &w, opening, ++j->extensions));
    machine_log(m, job, j->type == STEP_DIGEST ? DETAIL_STEP_DIGESTED : DETAIL_STEP_DELAYED, DETAIL_PENDING,
                str_fmt(m->run->arena, "{\"delay\":%lld}", (long long)(opening - m->facts->now)));
    j->due_at = opening;
    struct effect *e = machine_effect(m, EFFECT_TIMER);
    e->queue = (struct queue_item){.due_at = opening, .job = job, .attempt = j->extensions};
    return true;
}

/* --- content and conditions -------------------------------------------------------------------------------------- */

static enum outcome rendering_fails(struct machine *m, int job, const struct step_definition *s, const char *what, const struct error *err)
{
    struct str message = str_fmt(m->run->arena, "%s%s", what, err->message);
    return step_is_channel(s->type) ? content_fails(m, job, message) : call_fail(m, job, message);
}

/* engine.md §3: rendering comes first, so that broken content fails the step also for those who would not get it; of an
 * http_request the condition does (§4.9). What a step with variants says is known only once one of them is chosen. */
static bool content_and_condition(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, bool *run_it,
                                  enum outcome *o)
{
    bool condition_first = s->type == STEP_HTTP_REQUEST;
    struct error err = {0};
    *run_it = true;
    if (condition_first && !render_condition(m, job, s, run_it, &err)) {
        *o = rendering_fails(m, job, s, "", &err);
        return false;
    }
    if (*run_it && !s->variants_n && !render_controls(m, job, s, outputs, &err)) {
        *o = rendering_fails(m, job, s, condition_first ? "HTTP request step template compilation failed: " : "", &err);
        return false;
    }
    if (!condition_first && !render_condition(m, job, s, run_it, &err)) {
        *o = rendering_fails(m, job, s, "", &err);
        return false;
    }
    return true;
}

/* Of a step, or of one of its variants: what each part came to goes into conditions. o NULL: webhooks cannot be asked.
 * OUTCOME_WAITING in *o: one is. */
static enum filters_verdict filters_of(struct machine *m, int job, yyjson_val *filters, struct str prefix, yyjson_mut_doc *d,
                                       yyjson_mut_val *conditions, enum outcome *o)
{
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    struct filter_context c = {.variables = variables, .machine = m, .now = m->facts->now, .arena = m->run->arena, .doc = d,
                               .conditions = conditions, .answers = o ? filter_answers(m, job) : NULL, .prefix = prefix};
    c.variables_n = render_variables(m, job, variables);
    enum filters_verdict v = filters_judge(&c, filters);
    if (v == FILTERS_ASK)
        *o = filter_ask(m, job, c.asks, c.asks_key, c.answers, NULL);
    return v;
}

static bool filters_allow(struct machine *m, int job, const struct step_definition *s, enum outcome *o)
{
    struct arena *a = m->run->arena;
    if (!s->filters)
        return true;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d), *filter = json_add_obj(d, raw, "filter");
    switch (filters_of(m, job, s->filters, STR_NULL, d, json_add_arr(d, filter, "conditions"), o)) {
    case FILTERS_PASS:
        return true;
    case FILTERS_ASK:
        return false;
    case FILTERS_FAIL:
        break;
    }
    json_add_bool(d, filter, "passed", false);
    machine_log(m, job, DETAIL_CONDITIONS_SKIPPED, step_executors[s->type].deferred ? DETAIL_SUCCESS : DETAIL_FAILED,
                json_write_mut(a, raw));
    m->run->jobs[job].skip = SKIP_CONDITION;
    return false;
}

/* The first variant whose filters pass, or s itself. false: *o waits for a webhook that is to say. */
static bool variant_choose(struct machine *m, int job, const struct step_definition *s, const struct step_definition **chosen, enum outcome *o)
{
    struct arena *a = m->run->arena;
    *chosen = s;
    for (int i = 0; i < s->variants_n; i++) {
        const struct step_definition *v = &s->variants[i];
        yyjson_mut_doc *d = json_doc(a);
        yyjson_mut_val *raw = yyjson_mut_obj(d);
        enum filters_verdict verdict = filters_of(m, job, v->filters, str_fmt(a, "v%d.", i), d, json_add_arr(d, raw, "conditions"), o);
        if (verdict == FILTERS_ASK)
            return false;
        if (verdict == FILTERS_FAIL)
            continue;
        if (!machine_has_logged(m, job, DETAIL_VARIANT_CHOSEN))
            machine_log(m, job, DETAIL_VARIANT_CHOSEN, DETAIL_SUCCESS, json_write_mut(a, raw));
        *chosen = v;
        return true;
    }
    return true;
}

/* Older workflows say last what they send. */
static bool older_content(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o)
{
    const struct step_definition *chosen;
    struct error err = {0};
    if (!variant_choose(m, job, s, &chosen, o))
        return false;
    *o = OUTCOME_FAILED;
    if (s->variants_n && !render_controls(m, job, chosen, outputs, &err)) {
        rendering_fails(m, job, s, "", &err);
        return false;
    }
    return content_stands(m, job, chosen, *outputs);
}

static void log_skipped(struct machine *m, int job)
{
    if (step_executors[m->run->jobs[job].type].deferred)        /* engine.md §2.6 */
        machine_log(m, job, DETAIL_CONDITIONS_SKIPPED, DETAIL_SUCCESS, STR_NULL);
    else
        machine_log(m, job, DETAIL_BRIDGE_SKIPPED, DETAIL_FAILED, STR("{\"skip\":true}"));
    m->run->jobs[job].skip = SKIP_CONDITION;
}

static void log_tenant(struct machine *m, int job)
{
    if (m->facts->tenant)
        machine_log(m, job, m->facts->tenant_missing ? DETAIL_TENANT_NOT_FOUND : DETAIL_TENANT_SELECTED,
                    m->facts->tenant_missing ? DETAIL_FAILED : DETAIL_PENDING, json_write(m->run->arena, m->facts->tenant));
}

bool gates_open(struct machine *m, int job)
{
    if (!schedule_allows(m, job))
        return false;
    log_tenant(m, job);
    return true;
}

bool gates_allow(struct machine *m, int job, const struct step_definition *s)
{
    bool passed = filters_allow(m, job, s, NULL);
    return preference_allows(m, job) && passed;
}

bool gates_pass_open(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o)
{
    bool passed;
    *o = OUTCOME_SKIPPED;
    if (!content_and_condition(m, job, s, outputs, &passed, o))
        return false;
    if (!passed) {
        log_skipped(m, job);
    } else if (!s->older && !s->variants_n && !content_stands(m, job, s, *outputs)) {
        *o = OUTCOME_FAILED;
        return false;
    } else {
        passed = filters_allow(m, job, s, o);
    }
    if (*o == OUTCOME_WAITING)
        return false;
    /* A preference that is off besides is the better reason (engine.md §3 step 5). */
    if (!preference_allows(m, job) || !passed)
        return false;
    return (!s->older && !s->variants_n) || older_content(m, job, s, outputs, o);
}

bool gates_pass(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o)
{
    *o = OUTCOME_SKIPPED;
    return gates_open(m, job) && gates_pass_open(m, job, s, outputs, o);
}
