/* What became of a delivery: retries in the background, the message's status, the chain that waited (decisions.md 1). */
#include "engine/machine_private.h"

#include "base/clock.h"

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
    machine_job_set(m, job, JOB_DELAYED);
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
        machine_job_set(m, job, JOB_COMPLETED);
        return;
    }
    struct str text = in->response.n ? in->response : in->error;
    machine_log_message(m, job, DETAIL_PROVIDER_ERROR, DETAIL_FAILED, raw_of(m, in));
    message_status(m, job, MESSAGE_ERROR, provider_error_id(j->type), text, STR_NULL);
    j->error = detail_text(DETAIL_PROVIDER_ERROR);
    machine_job_set(m, job, JOB_FAILED);
}

void delivery_canceled(struct machine *m, int job)
{
    struct effect *e = machine_effect(m, EFFECT_UNQUEUE);
    e->queue = (struct queue_item){.due_at = m->run->jobs[job].due_at, .job = job, .attempt = m->run->jobs[job].attempts + 1};
    message_status(m, job, MESSAGE_ERROR, "execution_canceled_by_user", detail_text(DETAIL_CANCELED_BY_USER), STR_NULL);
}

/* decisions.md 1: the first attempt is part of the step; a retryable failure frees the chain, and the delivery goes
 * on in the background. */
void delivery_result(struct machine *m, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[in->job];
    bool first = j->status == JOB_RUNNING, background = j->status == JOB_DELAYED;
    if (!step_is_channel(j->type) || (!first && !background) || in->attempt != j->attempts + 1)
        return;
    const struct step_definition *s = machine_step(m, in->job);
    bool retry = in->verdict == VERDICT_RETRY && in->attempt < m->facts->attempts_max;
    bool holds = s && s->stop_on_fail;
    j->attempts = in->attempt;
    if (retry)
        schedule_retry(m, in->job, in);
    else
        delivery_ended(m, in->job, in);
    if (j->status == JOB_FAILED && holds)
        machine_cancel_rest(m, in->job);
    else if (holds ? !retry : first)
        machine_continue(m, in->job);
}
