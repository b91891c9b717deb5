/* The chain of jobs: what runs next, what a result means, when a run has ended (engine.md §2). */
#include "engine/machine_private.h"

#include "base/clock.h"
#include "engine/render.h"

const struct step_executor step_executors[STEP_TYPES] = {
    [STEP_IN_APP] = {.execute = step_in_app},
    [STEP_EMAIL] = {.execute = step_email},
    [STEP_SMS] = {.execute = step_text_channel},
    [STEP_PUSH] = {.execute = step_text_channel},
    [STEP_CHAT] = {.execute = step_text_channel},
    [STEP_DELAY] = {.deferred = true, .execute = step_delay},
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
    run_log_add(m->run, m->facts->now, job, d, st, false, raw);
}

void machine_log_message(struct machine *m, int job, enum detail d, enum detail_status st, struct str raw)
{
    run_log_add(m->run, m->facts->now, job, d, st, true, raw);
}

enum outcome machine_fail(struct machine *m, int job, enum detail d, struct str raw, struct str error)
{
    machine_log(m, job, d, DETAIL_FAILED, raw);
    m->run->jobs[job].error = error.n ? error : detail_text(d);
    return OUTCOME_FAILED;
}

static void job_set(struct machine *m, int job, enum job_status status)
{
    m->run->jobs[job].status = status;
    m->run->jobs[job].updated_at = m->facts->now;
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
    r->row.delivery = run_lifecycle(r, &r->lifecycle_detail);
    if (r->chain_ended && !deliveries_open(r) && r->row.status == RUN_PROCESSING)
        r->row.status = RUN_COMPLETED;
    r->row.updated_at = m->facts->now;
}

static void chain_end(struct machine *m)
{
    m->run->chain_ended = true;
}

/* engine.md §2.7: does a failure of this step stop the run? */
static bool halts(const struct run_job *j, const struct step_definition *s)
{
    return j->type == STEP_DELAY || j->type == STEP_DIGEST || j->type == STEP_THROTTLE || (s && s->stop_on_fail);
}

static void cancel_rest(struct machine *m, int failed)
{
    for (int i = failed + 1; i < m->run->jobs_n; i++)
        if (m->run->jobs[i].status == JOB_PENDING) {
            job_set(m, i, JOB_CANCELED);
            machine_log(m, i, DETAIL_STEP_CANCELED, DETAIL_FAILED, STR_NULL);
        }
    chain_end(m);
}

/* The step's current content; the frozen one if it was removed meanwhile (engine.md §2.2 "Snapshot rule"). */
static const struct step_definition *step_of(const struct machine *m, int job)
{
    int i = m->run->jobs[job].step;
    const struct definition *v = m->facts->version;
    if (i < 0 || i >= v->steps_n)
        return NULL;
    const struct step_definition *live = m->facts->current == v ? NULL : definition_step(m->facts->current, v->steps[i].id);
    return live && live->type == v->steps[i].type ? live : &v->steps[i];
}

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

static enum outcome job_execute(struct machine *m, int job)
{
    const struct step_definition *s = step_of(m, job);
    const struct step_executor *x = &step_executors[m->run->jobs[job].type];
    struct error err = {0};
    yyjson_val *outputs = NULL;
    bool run_it = true;
    if (!s || !x->execute)
        return machine_fail(m, job, DETAIL_STEP_FAILED, STR("{\"error\":\"Unknown step type\"}"), STR("Unknown step type"));
    if (!render_controls(m, job, s, &outputs, &err) || !render_condition(m, job, s, &run_it, &err)) {
        struct buf raw = {.arena = m->run->arena};
        buf_z(&raw, "{\"error\":");
        json_quote(&raw, str_of(err.message));
        buf_char(&raw, '}');
        return machine_fail(m, job, step_is_channel(s->type) ? DETAIL_CONTENT_FAILED : DETAIL_STEP_FAILED,
                            buf_finish(&raw), str_dup(m->run->arena, str_of(err.message)));
    }
    if (!run_it) {
        machine_log(m, job, DETAIL_BRIDGE_SKIPPED, DETAIL_FAILED, STR("{\"skip\":true}"));
        m->run->jobs[job].skip = SKIP_CONDITION;
        return OUTCOME_SKIPPED;
    }
    if (!preference_allows(m, job))
        return OUTCOME_SKIPPED;
    return x->execute(m, job, s, outputs);
}

/* Writes an outcome to the job. true: the chain goes on with the next job. */
static bool job_settle(struct machine *m, int job, enum outcome o)
{
    struct run_job *j = &m->run->jobs[job];
    switch (o) {
    case OUTCOME_COMPLETED:
        job_set(m, job, JOB_COMPLETED);
        return true;
    case OUTCOME_SKIPPED:
        /* engine.md §2.3: a skipped channel step ends canceled, a skipped deferred one skipped. */
        job_set(m, job, step_executors[j->type].deferred ? JOB_SKIPPED : JOB_CANCELED);
        return true;
    case OUTCOME_FAILED:
        job_set(m, job, JOB_FAILED);
        if (!halts(j, step_of(m, job)))
            return true;
        cancel_rest(m, job);
        if (step_executors[j->type].deferred)
            m->run->row.status = RUN_ERROR;     /* engine.md §4.6 */
        return false;
    case OUTCOME_DELAYED:
        job_set(m, job, JOB_DELAYED);
        return false;
    case OUTCOME_WAITING:
        job_set(m, job, JOB_RUNNING);
        return false;
    }
    return false;
}

/* engine.md §2.6: the jobs after `job`, until one waits or none is left. */
static void chain_continue(struct machine *m, int job)
{
    for (int next = job + 1; next < m->run->jobs_n; next++) {
        machine_log(m, next, DETAIL_STEP_QUEUED, DETAIL_PENDING, STR_NULL);
        job_set(m, next, JOB_RUNNING);
        if (!job_settle(m, next, job_execute(m, next)))
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
    r->jobs = ARENA_ARRAY(r->arena, struct run_job, d->steps_n + 1);
    r->jobs[r->jobs_n++] = (struct run_job){.type = STEP_TRIGGER, .step = -1, .updated_at = f->now};
    for (int i = 0; i < d->steps_n; i++)
        if (d->steps[i].active) {
            r->jobs[r->jobs_n++] = (struct run_job){.type = d->steps[i].type, .step = i, .updated_at = f->now};
            r->row.channels |= 1u << d->steps[i].type;
        }
    for (int i = 0; i < r->jobs_n; i++)
        machine_log(m, i, DETAIL_STEP_CREATED, DETAIL_PENDING, STR_NULL);
    machine_log(m, 0, DETAIL_STEP_QUEUED, DETAIL_PENDING, STR_NULL);
    job_set(m, 0, JOB_COMPLETED);
    r->row.status = RUN_PROCESSING;
    chain_continue(m, 0);
    run_settle(m);
}

/* --- results of deliveries ------------------------------------------------------------------------------ */

enum { RETRY_BASE_MS = 15000, RETRY_CAP_MS = 480000 };

/* Exponential with full jitter: 8 attempts in about half an hour (beyond.md §1). The jitter comes from the run's
 * id, so that a replay waits as long again. */
static int64_t retry_delay(struct id run, int job, int attempt, int64_t retry_after_ms)
{
    int64_t top = (int64_t)RETRY_BASE_MS << (attempt - 1 < 6 ? attempt - 1 : 6);
    uint64_t h = 1469598103934665603u;
    if (top > RETRY_CAP_MS)
        top = RETRY_CAP_MS;
    for (size_t i = 0; i < sizeof run.b; i++)
        h = (h ^ run.b[i]) * 1099511628211u;
    h = (h ^ (uint64_t)job) * 1099511628211u;
    h = (h ^ (uint64_t)attempt) * 1099511628211u;
    int64_t wait = top / 2 + (int64_t)(h % (uint64_t)(top / 2 + 1));
    return retry_after_ms > wait ? retry_after_ms : wait;
}

static void message_status(struct machine *m, int job, enum message_status status, const char *error_id, struct str text,
                           struct str identifier)
{
    struct effect *e = machine_effect(m, EFFECT_MESSAGE_STATUS);
    struct buf b = {.arena = m->run->arena};
    e->message.id = run_derived_id(m->run->row.id, DERIVED_MESSAGE, job);
    e->message.environment = m->run->row.environment;
    e->message.status = status;
    e->message.updated_at = m->facts->now;
    buf_z(&b, "{\"errorId\":");
    if (error_id)
        json_quote(&b, str_of(error_id));
    else
        buf_z(&b, "null");
    buf_z(&b, ",\"errorText\":");
    if (text.n)
        json_quote(&b, text);
    else
        buf_z(&b, "null");
    if (identifier.n) {
        buf_z(&b, ",\"identifier\":");
        json_quote(&b, identifier);
    }
    buf_char(&b, '}');
    e->doc_patch = buf_finish(&b);
}

static struct str raw_of(struct machine *m, const struct machine_input *in)
{
    struct buf b = {.arena = m->run->arena};
    buf_char(&b, '{');
    if (in->provider_message_id.n) {
        buf_z(&b, "\"id\":");
        json_quote(&b, in->provider_message_id);
    } else {
        buf_z(&b, "\"message\":");
        json_quote(&b, in->error.n ? in->error : in->response);
    }
    if (in->response.n) {
        buf_z(&b, ",\"response\":");
        json_quote(&b, in->response);
    }
    buf_char(&b, '}');
    return buf_finish(&b);
}

static const char *provider_error_id(enum step_type t)
{
    switch (t) {
    case STEP_SMS: return "unexpected_sms_error";
    case STEP_PUSH: return "unexpected_push_error";
    case STEP_CHAT: return "unexpected_chat_error";
    default: return "mail_unexpected_error";
    }
}

static void schedule_retry(struct machine *m, int job, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[job];
    int64_t due = m->facts->now + retry_delay(m->run->row.id, job, in->attempt, in->retry_after_ms);
    char iso[TIME_ISO_LEN + 1];
    struct buf raw = {.arena = m->run->arena};
    time_iso(due, iso);
    buf_fmt(&raw, "{\"attempt\":%d,\"nextAttemptAt\":\"%s\",\"error\":", in->attempt, iso);
    json_quote(&raw, in->error);
    buf_char(&raw, '}');
    machine_log_message(m, job, DETAIL_ATTEMPT_FAILED, DETAIL_PENDING, buf_finish(&raw));
    message_status(m, job, MESSAGE_WARNING, "delivery_retrying", in->error, STR_NULL);
    j->due_at = due;
    job_set(m, job, JOB_DELAYED);
    struct effect *e = machine_effect(m, EFFECT_DELIVERY);
    e->queue = (struct queue_item){.due_at = due, .job = job, .attempt = in->attempt + 1};
}

static void delivery_ended(struct machine *m, int job, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[job];
    j->due_at = 0;
    if (in->verdict == VERDICT_SENT) {
        machine_log_message(m, job, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, raw_of(m, in));
        message_status(m, job, MESSAGE_SENT, NULL, STR_NULL, in->provider_message_id);
        job_set(m, job, JOB_COMPLETED);
        return;
    }
    struct str text = in->response.n ? in->response : in->error;
    machine_log_message(m, job, DETAIL_PROVIDER_ERROR, DETAIL_FAILED, raw_of(m, in));
    message_status(m, job, MESSAGE_ERROR, provider_error_id(j->type), text, STR_NULL);
    j->error = detail_text(DETAIL_PROVIDER_ERROR);
    job_set(m, job, JOB_FAILED);
}

/* decisions.md 1: the first attempt is part of the step; a retryable failure frees the chain, and the delivery goes
 * on in the background. */
static void on_delivery(struct machine *m, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[in->job];
    bool first = j->status == JOB_RUNNING, background = j->status == JOB_DELAYED;
    if (!step_is_channel(j->type) || (!first && !background) || in->attempt != j->attempts + 1)
        return;
    const struct step_definition *s = step_of(m, in->job);
    bool retry = in->verdict == VERDICT_RETRY && in->attempt < m->facts->attempts_max;
    bool holds = s && s->stop_on_fail;
    j->attempts = in->attempt;
    if (retry)
        schedule_retry(m, in->job, in);
    else
        delivery_ended(m, in->job, in);
    if (j->status == JOB_FAILED && holds)
        cancel_rest(m, in->job);
    else if (holds ? !retry : first)
        chain_continue(m, in->job);
}

static void on_timer(struct machine *m, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[in->job];
    if (j->type != STEP_DELAY || j->status != JOB_DELAYED)
        return;
    machine_log(m, in->job, DETAIL_DELAY_FINISHED, DETAIL_SUCCESS, STR_NULL);
    j->output = str_fmt(m->run->arena, "{\"duration\":%lld}", (long long)(m->facts->now - m->run->row.created_at));
    j->due_at = 0;
    job_set(m, in->job, JOB_COMPLETED);
    chain_continue(m, in->job);
}

void machine_advance(struct machine *m, struct run *r, const struct machine_facts *f, const struct machine_input *in)
{
    machine_init(m, r, f);
    if (in->job <= 0 || in->job >= r->jobs_n)
        return;
    if (in->kind == INPUT_TIMER)
        on_timer(m, in);
    else if (in->kind == INPUT_DELIVERY)
        on_delivery(m, in);
    run_settle(m);
}
