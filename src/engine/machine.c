/* The chain of jobs: what runs next, what a result means, when a run has ended (engine.md §2). */
#include "engine/machine_private.h"

const struct step_executor step_executors[STEP_TYPES] = {
    [STEP_IN_APP] = {.execute = step_in_app},
    [STEP_EMAIL] = {.execute = step_email},
    [STEP_SMS] = {.execute = step_sms},
    [STEP_PUSH] = {.execute = step_push},
    [STEP_CHAT] = {.execute = step_chat},
    [STEP_TOOL] = {.execute = step_chat},
    [STEP_DELAY] = {.deferred = true, .execute = step_delay},
    [STEP_HTTP_REQUEST] = {.execute = step_http_request, .answered = http_request_answered},
    [STEP_CUSTOM] = {.execute = step_custom},
    [STEP_DIGEST] = {.deferred = true, .execute = step_digest},
    [STEP_THROTTLE] = {.deferred = true, .execute = step_throttle},
};

/* --- what executors share ---------------------------------------------------------------------------- */

struct effect *machine_effect(struct machine *m, enum effect_kind kind)
{
    struct effect *e = ARENA_NEW(m->run->arena, struct effect);
    e->kind = kind;
    *m->last = e;
    m->last = &e->next;
    return e;
}

void machine_log(struct machine *m, int job, enum detail d, enum detail_status st, struct str raw)
{
    run_log_add(m->run, m->facts->now, job, d, st, 0, raw);
}

bool machine_has_logged(const struct machine *m, int job, enum detail d)
{
    for (int i = m->run->log_n - 1; i >= 0; i--)
        if (m->run->log[i].job == job && m->run->log[i].detail == d)
            return true;
    return false;
}

void machine_log_message(struct machine *m, int job, enum detail d, enum detail_status st, struct str raw)
{
    run_log_add(m->run, m->facts->now, job, d, st, 1, raw);
}

enum outcome machine_fail(struct machine *m, int job, enum detail d, struct str raw, struct str error)
{
    machine_log(m, job, d, DETAIL_FAILED, raw);
    m->run->jobs[job].error = error.n ? error : detail_text(d);
    return OUTCOME_FAILED;
}

void machine_job_set(struct machine *m, int job, enum job_status status)
{
    m->run->jobs[job].status = status;
    m->run->jobs[job].updated_at = m->facts->now;
}

bool machine_digest_group(struct machine *m, struct str key, struct digest_group *out)
{
    const struct machine_lookups *l = m->facts->lookups;
    *out = (struct digest_group){.revision = 0};
    return !l || l->digest_group(l->world, key, out, &m->err);
}

bool machine_digest_events(struct machine *m, struct id run, int job, struct digest_event **out, size_t *n)
{
    const struct machine_lookups *l = m->facts->lookups;
    *out = NULL;
    *n = 0;
    return !l || l->digest_events(l->world, m->run->arena, run, job, out, n, &m->err);
}

bool machine_throttle_window(struct machine *m, struct str key, struct throttle_window *out)
{
    const struct machine_lookups *l = m->facts->lookups;
    *out = (struct throttle_window){.granted = 0};
    return !l || l->throttle_window(l->world, key, out, &m->err);
}

/* --- the chain ----------------------------------------------------------------------------------------- */

static bool deliveries_open(const struct run *r)
{
    for (int i = 0; i < r->jobs_n; i++)
        if (r->jobs[i].status == JOB_RUNNING || r->jobs[i].status == JOB_DELAYED)
            return true;
    return false;
}

/* The run's status and lifecycle after something changed (engine.md §9, decisions.md 1). */
static void run_settle(struct machine *m)
{
    struct run *r = m->run;
    if (r->chain_ended && !deliveries_open(r) && r->row.status == RUN_PROCESSING)
        r->row.status = RUN_COMPLETED;
    r->row.delivery = run_lifecycle(r, &r->lifecycle_detail);
    r->row.updated_at = m->facts->now;
}

static void chain_end(struct machine *m)
{
    m->run->chain_ended = true;
}

/* engine.md §2.7: does a failure of this step stop the run? */
static bool halts(const struct run_job *j, const struct step_definition *s)
{
    if (j->type == STEP_HTTP_REQUEST || j->type == STEP_CUSTOM)
        return !s || s->stop_on_fail || !json_get_bool(s->values, "continueOnFailure", false);
    return j->type == STEP_DELAY || j->type == STEP_DIGEST || j->type == STEP_THROTTLE || (s && s->stop_on_fail);
}

void machine_cancel_rest(struct machine *m, int failed)
{
    for (int i = failed + 1; i < m->run->jobs_n; i++)
        if (m->run->jobs[i].status == JOB_PENDING) {
            machine_job_set(m, i, JOB_CANCELED);
            machine_log(m, i, DETAIL_STEP_CANCELED, DETAIL_FAILED, STR_NULL);
        }
    chain_end(m);
}

/* The step's current content; the frozen one if it was removed meanwhile (engine.md §2.2 "Snapshot rule"). */
const struct step_definition *machine_step(const struct machine *m, int job)
{
    int i = m->run->jobs[job].step;
    const struct definition *v = m->facts->version;
    if (i < 0 || i >= v->steps_n)
        return NULL;
    const struct step_definition *live = m->facts->current == v ? NULL : definition_step(m->facts->current, v->steps[i].id);
    return live && live->type == v->steps[i].type ? live : &v->steps[i];
}

/* engine.md §2.5 step 3: a run does not go on without its workflow. */
static struct str workflow_not_found(const struct machine *m)
{
    char hex[ID_HEX + 1];
    id_hex(m->run->row.workflow, hex);
    return str_fmt(m->run->arena, "Workflow %s not found", hex);
}

static enum outcome job_execute(struct machine *m, int job)
{
    const struct step_definition *s = machine_step(m, job);
    const struct step_executor *x = &step_executors[m->run->jobs[job].type];
    yyjson_val *outputs = NULL;
    enum outcome o;
    if (m->facts->workflow_gone) {
        struct str why = workflow_not_found(m);
        m->run->row.status = RUN_ERROR;
        return machine_fail(m, job, DETAIL_STEP_FAILED, str_fmt(m->run->arena, "{\"error\":\"%s\"}", why.p), why);
    }
    if (!s || !x->execute)
        return machine_fail(m, job, DETAIL_STEP_FAILED, STR("{\"error\":\"Unknown step type\"}"), STR("Unknown step type"));
    if (bridge_computes(m, s->type))
        return !gates_open(m, job) ? OUTCOME_SKIPPED : integrations_ask(m, job, s) ? OUTCOME_WAITING : bridge_ask(m, job, s);
    if (!gates_pass(m, job, s, &outputs, &o))
        return o;
    if (integrations_ask(m, job, s))
        return OUTCOME_WAITING;
    return x->execute(m, job, s, outputs);
}

/* The run ends here: this job and all behind it. */
static void end_all(struct machine *m, int job, enum job_status status)
{
    for (int i = job; i < m->run->jobs_n; i++)
        machine_job_set(m, i, status);
    chain_end(m);
}

/* Writes an outcome to the job. true: the chain goes on with the next job. */
bool machine_settle(struct machine *m, int job, enum outcome o)
{
    struct run_job *j = &m->run->jobs[job];
    switch (o) {
    case OUTCOME_COMPLETED:
        machine_job_set(m, job, JOB_COMPLETED);
        return true;
    case OUTCOME_SKIPPED:
        /* engine.md §2.3: a skipped channel step ends canceled, a skipped deferred one skipped; what the subscriber's schedule
         * holds back is canceled, a throttle, too (§2.5 step 4). */
        machine_job_set(m, job, step_executors[j->type].deferred && !(j->type == STEP_THROTTLE && j->skip == SKIP_NONE) ? JOB_SKIPPED
                                                                                                                         : JOB_CANCELED);
        return true;
    case OUTCOME_FAILED:
        machine_job_set(m, job, JOB_FAILED);
        if (!halts(j, machine_step(m, job)))
            return true;
        machine_cancel_rest(m, job);
        if (step_executors[j->type].deferred)
            m->run->row.status = RUN_ERROR;     /* engine.md §4.6 */
        return false;
    case OUTCOME_DELAYED:
        machine_job_set(m, job, JOB_DELAYED);
        return false;
    case OUTCOME_WAITING:
        if (delivery_in_background(m, job)) {       /* the circuit is open: no attempt can be part of the step */
            const struct step_definition *s = machine_step(m, job);
            machine_job_set(m, job, JOB_DELAYED);
            return !(s && s->stop_on_fail);
        }
        machine_job_set(m, job, JOB_RUNNING);
        return false;
    case OUTCOME_MERGED:
        end_all(m, job, JOB_MERGED);
        return false;
    case OUTCOME_THROTTLED:
        end_all(m, job, JOB_SKIPPED);
        return false;
    }
    return false;
}

/* engine.md §2.6: the jobs after `job`, until one waits or none is left. */
void machine_continue(struct machine *m, int job)
{
    for (int next = job + 1; next < m->run->jobs_n; next++) {
        if (m->run->jobs[next].status != JOB_PENDING)
            continue;                   /* canceled meanwhile */
        machine_log(m, next, DETAIL_STEP_QUEUED, DETAIL_PENDING, STR_NULL);
        machine_job_set(m, next, JOB_RUNNING);
        if (!machine_settle(m, next, job_execute(m, next)))
            return;
    }
    chain_end(m);
}

static void machine_init(struct machine *m, struct run *r, const struct machine_facts *f)
{
    *m = (struct machine){.run = r, .facts = f};
    m->last = &m->effects;
}

void machine_start(struct machine *m, struct run *r, const struct machine_facts *f)
{
    machine_init(m, r, f);
    const struct definition *d = f->version;
    r->critical = f->current->critical;
    r->jobs = ARENA_ARRAY(r->arena, struct run_job, d->steps_n + 1);
    r->jobs[r->jobs_n++] = (struct run_job){.type = STEP_TRIGGER, .step = -1, .updated_at = f->now};
    for (int i = 0; i < d->steps_n; i++)
        if (d->steps[i].active) {
            r->jobs[r->jobs_n++] = (struct run_job){.type = d->steps[i].type, .step = i, .updated_at = f->now};
            r->row.channels |= 1u << d->steps[i].type;
        }
    r->own_message = r->jobs_n > 1 && r->jobs[1].type == STEP_IN_APP;
    for (int i = 0; i < r->jobs_n; i++)
        machine_log(m, i, DETAIL_STEP_CREATED, DETAIL_PENDING, STR_NULL);
    machine_log(m, 0, DETAIL_STEP_QUEUED, DETAIL_PENDING, run_topics_raw(r));
    if (r->topics.n)
        machine_log(m, 0, DETAIL_TOPIC_EVALUATED, DETAIL_PENDING, run_topics_raw(r));
    machine_job_set(m, 0, JOB_COMPLETED);
    r->row.status = RUN_PROCESSING;
    machine_continue(m, 0);
    run_settle(m);
}

static void on_timer(struct machine *m, const struct machine_input *in)
{
    if (in->job <= 0 || in->job >= m->run->jobs_n)
        return;
    struct run_job *j = &m->run->jobs[in->job];
    if ((j->type != STEP_DELAY && j->type != STEP_DIGEST) || j->status != JOB_DELAYED || in->attempt != j->extensions)
        return;
    if (m->facts->workflow_gone) {
        run_abandon(m, &(struct machine_input){.job = in->job, .error = workflow_not_found(m)});
        return;
    }
    if (gates_extend(m, in->job)) {
        machine_job_set(m, in->job, JOB_DELAYED);
        if (j->type == STEP_DIGEST)
            digest_extended(m, in->job, j->due_at);
        return;
    }
    if (j->type == STEP_DELAY)
        delay_fired(m, in->job);
    else if (!digest_fired(m, in->job))
        return;
    j->due_at = 0;
    machine_job_set(m, in->job, JOB_COMPLETED);
    machine_continue(m, in->job);
}

void machine_advance(struct machine *m, struct run *r, const struct machine_facts *f, const struct machine_input *in)
{
    machine_init(m, r, f);
    if (in->kind != INPUT_CANCEL && in->kind != INPUT_REPOINT && (in->job <= 0 || in->job >= r->jobs_n))
        return;
    switch (in->kind) {
    case INPUT_START: return;
    case INPUT_TIMER: on_timer(m, in); break;
    case INPUT_DELIVERY: delivery_result(m, in); break;
    case INPUT_CALL: call_result(m, in); break;
    case INPUT_CANCEL: run_cancel(m, in); break;
    case INPUT_PROMOTE: run_promote(m, in); break;
    case INPUT_REPOINT: run_repoint(m, in); break;
    case INPUT_ABANDON: run_abandon(m, in); break;
    case INPUT_REDRIVE: delivery_redrive(m, in); break;
    }
    run_settle(m);
}
