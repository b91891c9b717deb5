/* Step filters and conditions of integrations that ask the author's server (engine.md §5.3): one request a part, asked only as long
 * as it can decide anything; meanwhile the chain waits. What was answered so far is kept in the request that waits. */
#include "engine/machine_private.h"

#include "engine/render.h"

enum { WEBHOOK_ATTEMPTS = 3, WEBHOOK_TIMEOUT_MS = 5000 };

/* Of the step's channel: the one that would send. */
static struct str provider_of(const struct machine *m, enum step_type type)
{
    const struct machine_facts *f = m->facts;
    if (type == STEP_IN_APP)
        return STR("novu");
    for (size_t i = 0; i < f->integrations_n && step_is_channel(type); i++)
        if (f->integrations[i].active && f->integrations[i].channel == (enum channel)type)
            return f->integrations[i].provider_id;
    return STR_NULL;
}

static struct str body_of(struct machine *m, int job, const struct integration *i)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    enum step_type type = m->run->jobs[job].type;
    struct str provider = i ? i->provider_id : provider_of(m, type);
    json_add_val(d, o, "subscriber", render_subscriber(a, m->facts->subscriber));
    if (m->facts->payload)
        json_add_val(d, o, "payload", m->facts->payload);
    else
        json_add_obj(d, o, "payload");
    json_add_str(d, o, "identifier", m->facts->current->workflow.identifier);
    json_add_str(d, o, "channel", step_type_name(type));
    if (provider.n)
        json_add_str(d, o, "providerId", provider);
    return json_write_mut(a, o);
}

yyjson_val *filter_answers(const struct machine *m, int job)
{
    yyjson_val *call = NULL, *none = NULL;
    json_parse(m->run->arena, m->run->jobs[job].call, &call, NULL);
    json_parse(m->run->arena, STR("{}"), &none, NULL);
    return json_get(call, "answers") ? json_get(call, "answers") : none;
}

bool filter_waits(const struct machine *m, int job)
{
    yyjson_val *call = NULL;
    return json_parse(m->run->arena, m->run->jobs[job].call, &call, NULL) && str_eqz(json_get_str(call, "kind"), "filter");
}

enum outcome filter_ask(struct machine *m, int job, yyjson_val *part, struct str key, yyjson_val *answers, const struct integration *i)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "kind", STR("filter"));
    json_add_str(d, o, "method", STR("POST"));
    json_add_str(d, o, "url", json_get_str(part, "webhookUrl"));
    json_add_str(d, o, "body", body_of(m, job, i));
    json_add_int(d, o, "timeout", WEBHOOK_TIMEOUT_MS);
    json_add_str(d, o, "key", key);
    json_add_val(d, o, "field", json_get(part, "field"));
    json_add_val(d, o, "answers", answers);
    json_add_bool(d, o, "ofIntegration", i != NULL);
    json_add_int(d, o, "before", m->run->jobs[job].attempts);
    return call_begin(m, job, json_write_mut(m->run->arena, o));
}

/* engine.md §2.8: at random up to 2^tries seconds; the run's id decides, so that a replay waits as long again. */
static int64_t pause_of(const struct machine *m, int job, int tries)
{
    uint64_t chance = run_jitter(run_derived_id(m->run->row.id, DERIVED_JOB, job), m->run->jobs[job].attempts);
    return (int64_t)(chance % (uint64_t)((1000ll << tries) + 1));
}

/* OUTCOME_COMPLETED: the integration's condition does not hold, and that is an answer. */
static enum outcome no_answer(struct machine *m, int job, const struct call_answer *answer)
{
    struct run_job *j = &m->run->jobs[job];
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    yyjson_val *call = NULL;
    struct str error = str_dup(a, answer->error);
    json_parse(a, j->call, &call, NULL);
    int tries = j->attempts - (int)json_get_int(call, "before", 0);
    bool last = tries >= WEBHOOK_ATTEMPTS || answer->end == CALL_REFUSED || m->run->chain_ended;
    json_add_str(d, raw, "message", error);
    json_add_int(d, raw, "attempt", tries);
    machine_log(m, job, last ? DETAIL_WEBHOOK_GIVEN_UP : DETAIL_WEBHOOK_RETRY, DETAIL_PENDING, json_write_mut(a, raw));
    if (!last)
        return call_again(m, job, pause_of(m, job, tries));
    if (json_get_bool(call, "ofIntegration", false))
        return OUTCOME_COMPLETED;
    j->error = error;
    return OUTCOME_FAILED;
}

/* What the body has as the part's field joins the answers. body NULL: there was none. */
static void answer_keep(struct machine *m, int job, struct str body)
{
    struct arena *a = m->run->arena;
    struct run_job *j = &m->run->jobs[job];
    yyjson_val *call = NULL, *said = NULL, *value;
    yyjson_mut_doc *d = json_doc(a);
    json_parse(a, j->call, &call, NULL);
    if (!str_is_utf8(body) || !json_parse(a, body, &said, NULL))
        said = NULL;
    yyjson_mut_val *o = yyjson_mut_obj(d), *answers = yyjson_val_mut_copy(d, json_get(call, "answers")), *one = yyjson_mut_obj(d);
    value = json_path(said, json_get_str(call, "field"));
    if (value)
        json_add_val(d, one, "value", value);
    if (!body.p)
        json_add_bool(d, one, "failed", true);
    yyjson_mut_obj_put(answers, json_mut_str(d, json_get_str(call, "key")), one);
    yyjson_mut_obj_add_val(d, o, "answers", answers);
    j->call = json_write_mut(a, o);
}

/* The step itself, once all is answered; it may yet wait, for its delivery or its own request. */
static enum outcome go_on(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    m->run->jobs[job].call = STR_NULL;
    if (bridge_computes(m, s->type))
        return bridge_ask(m, job, s);
    if (!step_executors[s->type].answered)          /* a request of its own is numbered on */
        m->run->jobs[job].attempts = 0;
    return step_executors[s->type].execute(m, job, s, outputs);
}

enum outcome filter_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer)
{
    bool said = answer->end == CALL_ANSWERED && answer->status >= 200 && answer->status <= 299;
    enum outcome o = said ? OUTCOME_COMPLETED : no_answer(m, job, answer);
    yyjson_val *outputs = NULL;
    if (o != OUTCOME_COMPLETED)
        return o;
    answer_keep(m, job, !said ? STR_NULL : answer->body.p ? answer->body : STR(""));
    if (!bridge_computes(m, s->type) && !gates_pass_open(m, job, s, &outputs, &o))
        return o;
    return integrations_ask(m, job, s) ? OUTCOME_WAITING : go_on(m, job, s, outputs);
}
