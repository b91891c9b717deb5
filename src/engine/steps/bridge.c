/* Steps that the application's own code computes: one signed request to its bridge a step, whose answer is the step's outputs
 * (engine.md §4.11; bridge-cli.md §1, §2, §3.5). */
#include "engine/bridge.h"
#include "engine/machine_private.h"
#include "engine/render.h"

bool bridge_computes(const struct machine *m, enum step_type type)
{
    return type == STEP_CUSTOM || (m->facts->current->external && type != STEP_HTTP_REQUEST && type != STEP_TRIGGER);
}

/* --- the request --------------------------------------------------------------------------------------------------- */

/* The earlier steps, from the nearest back to the trigger. */
static void add_state(struct machine *m, int job, yyjson_mut_doc *d, yyjson_mut_val *body)
{
    yyjson_mut_val *list = json_add_arr(d, body, "state");
    for (int i = job - 1; i >= 0; i--) {
        const struct run_job *j = &m->run->jobs[i];
        yyjson_mut_val *entry = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, entry, "stepId", i ? m->facts->version->steps[j->step].step_id : STR(""));
        json_add_text(d, entry, "outputs", i ? render_step_result(m, i) : STR("{}"));
        yyjson_mut_val *state = json_add_obj(d, entry, "state");
        json_add_str(d, state, "status", job_status_name(j->status));
        if (j->error.n)
            json_add_str(d, state, "error", j->error);
    }
}

/* The trigger's own control values count before those that are stored (bridge-cli.md §1.5). */
static yyjson_val *controls_of(const struct machine *m, const struct step_definition *s)
{
    return m->facts->stateless ? json_getn(json_get(m->facts->controls, "steps"), s->step_id) : s->values;
}

static struct str event_of(struct machine *m, int job, const struct step_definition *s)
{
    static const char *const sent[] = {"payload", "subscriber", "context", "env", "actor"};
    struct arena *a = m->run->arena;
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *body = yyjson_mut_obj(d);
    yyjson_val *controls = controls_of(m, s), *whole = NULL;
    size_t n = render_variables(m, job, variables);
    for (size_t k = 0; k < sizeof sent / sizeof *sent; k++)
        for (size_t i = 0; i < n; i++)
            if (str_eqz(variables[i].name, sent[k]))
                json_add_val(d, body, sent[k], variables[i].value);
    yyjson_mut_obj_remove_key(yyjson_mut_obj_get(body, "payload"), "__source");
    if (yyjson_is_obj(controls))
        json_add_val(d, body, "controls", controls);
    else
        json_add_obj(d, body, "controls");
    add_state(m, job, d, body);
    /* The framework verifies the signature over what its parser makes of the body. */
    json_parse(a, json_write_mut(a, body), &whole, NULL);
    return json_write_js(a, whole);
}

static enum outcome bridge_fail(struct machine *m, int job, const struct bridge_answer *why)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    json_add_str(d, raw, "message", why->message);
    json_add_str(d, raw, "code", why->code);
    json_add_val(d, raw, "data", why->data);
    return machine_fail(m, job, DETAIL_BRIDGE_FAILED, call_raw(m, d, raw, "data"), why->message);
}

enum outcome bridge_ask(struct machine *m, int job, const struct step_definition *s)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!m->facts->bridge_url.n)
        return bridge_fail(m, job, &(struct bridge_answer){
            .code = STR("InvalidBridgeUrl"),
            .message = str_fmt(a, "Bridge URL is not set for environment id: %.*s", STR_ARG(id_str(a, m->run->row.environment)))});
    json_add_str(d, o, "kind", STR("bridge"));
    json_add_str(d, o, "method", STR("POST"));
    json_add_str(d, o, "url", bridge_url(a, m->facts->bridge_url, "execute", m->facts->current->workflow.identifier, s->step_id,
                                         id_str(a, run_derived_id(m->run->row.id, DERIVED_JOB, job)), m->facts->environment_type));
    yyjson_mut_val *h = yyjson_mut_arr_add_obj(d, json_add_arr(d, o, "headers"));
    json_add_str(d, h, "key", STR("bypass-tunnel-reminder"));
    json_add_str(d, h, "value", STR("true"));
    json_add_str(d, o, "body", event_of(m, job, s));
    json_add_int(d, o, "timeout", BRIDGE_TIMEOUT_MS);
    if (m->run->jobs[job].attempts)     /* of what was asked before it */
        json_add_int(d, o, "before", m->run->jobs[job].attempts);
    return call_begin(m, job, json_write_mut(a, o));
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

/* The outputs, translated, with what the bridge says for single providers among them. */
static bool outputs_of(struct machine *m, int job, yyjson_val *answer, yyjson_val **out, struct error *err)
{
    yyjson_val *outputs = json_get(answer, "outputs"), *providers = json_get(answer, "providers"), *given;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_is_obj(outputs) ? yyjson_val_mut_copy(d, outputs) : yyjson_mut_obj(d);
    if (yyjson_obj_size(providers))
        json_add_val(d, o, "providers", providers);
    return json_parse(m->run->arena, json_write_mut(m->run->arena, o), &given, err) && render_translate(m, job, given, out, err);
}

static enum outcome skipped(struct machine *m, int job, const struct step_definition *s)
{
    struct run_job *j = &m->run->jobs[job];
    if (step_executors[j->type].deferred)       /* engine.md §2.6 */
        machine_log(m, job, DETAIL_CONDITIONS_SKIPPED, DETAIL_SUCCESS, STR_NULL);
    else
        machine_log(m, job, DETAIL_BRIDGE_SKIPPED, DETAIL_FAILED, STR("{\"skip\":true}"));
    j->skip = SKIP_CONDITION;
    gates_allow(m, job, s);                     /* a preference that is off besides is the better reason */
    return OUTCOME_SKIPPED;
}

static int asked_before(const struct machine *m, int job)
{
    yyjson_val *call = NULL;
    json_parse(m->run->arena, m->run->jobs[job].call, &call, NULL);
    return (int)json_get_int(call, "before", 0);
}

enum outcome bridge_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer)
{
    struct arena *a = m->run->arena;
    struct run_job *j = &m->run->jobs[job];
    struct error err = {0};
    yyjson_val *outputs;
    int tries = j->attempts - asked_before(m, job);
    if (bridge_worth_again(answer) && tries < BRIDGE_ATTEMPTS && !m->run->chain_ended)
        return call_again(m, job, bridge_pause(tries));
    j->call = STR_NULL;                         /* answered: the step may yet wait, for its delivery */
    j->attempts = 0;
    struct bridge_answer said = bridge_read(a, m->facts->bridge_url, answer);
    if (!said.body)
        return bridge_fail(m, job, &said);
    if (json_get_bool(json_get(said.body, "options"), "skip", false))
        return skipped(m, job, s);
    if (!outputs_of(m, job, said.body, &outputs, &err))
        return content_fails(m, job, str_dup(a, str_of(err.message)));
    const char *missing = content_missing(m, s, outputs);
    if (missing)
        return content_fails(m, job, str_fmt(a, "The bridge's outputs of step `%.*s` have no %s", STR_ARG(s->step_id), missing));
    if (!gates_allow(m, job, s))
        return OUTCOME_SKIPPED;
    return step_executors[j->type].execute(m, job, s, outputs);
}
