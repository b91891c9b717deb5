/* What must be passed before a step does its work: its content renders, its condition holds, nobody switched the channel
 * off (engine.md §3). */
#include "engine/machine_private.h"

#include "engine/render.h"

static const enum detail preference_details[2] = {DETAIL_FILTERED_WORKFLOW_RESOURCE, DETAIL_FILTERED_USER_WORKFLOW};

/* engine.md §6.3: a channel that the workflow's preferences switch off is not sent. */
static bool preference_allows(struct machine *m, int job)
{
    const struct definition *d = m->facts->current;
    enum step_type type = m->run->jobs[job].type;
    if (!step_is_channel(type) || d->channel_enabled[type])
        return true;
    machine_log(m, job, preference_details[d->user_preferences], DETAIL_SUCCESS,
                str_fmt(m->run->arena, "{\"enabled\":true,\"channels\":{\"%s\":false}}", channel_name((enum channel)type).p));
    m->run->jobs[job].skip = SKIP_PREFERENCE;
    return false;
}

/* engine.md §3: rendering comes first, so that broken content fails the step also for those who would not get it. */
bool gates_pass(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o)
{
    struct error err = {0};
    bool run_it = true;
    if (!render_controls(m, job, s, outputs, &err) || !render_condition(m, job, s, &run_it, &err)) {
        struct buf raw = {.arena = m->run->arena};
        buf_z(&raw, "{\"error\":");
        json_quote(&raw, str_of(err.message));
        buf_char(&raw, '}');
        *o = machine_fail(m, job, step_is_channel(s->type) ? DETAIL_CONTENT_FAILED : DETAIL_STEP_FAILED, buf_finish(&raw),
                          str_dup(m->run->arena, str_of(err.message)));
        return false;
    }
    *o = OUTCOME_SKIPPED;
    if (!run_it) {
        machine_log(m, job, DETAIL_BRIDGE_SKIPPED, DETAIL_FAILED, STR("{\"skip\":true}"));
        m->run->jobs[job].skip = SKIP_CONDITION;
        return false;
    }
    return preference_allows(m, job);
}
