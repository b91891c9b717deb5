/* What stops a run from outside, and what that does to the digests of others (engine.md §2.9, decisions.md 3). */
#include "engine/machine_private.h"

static void job_cancel(struct machine *m, int job)
{
    struct run_job *j = &m->run->jobs[job];
    j->due_at = 0;
    j->canceled_by_user = true;
    machine_job_set(m, job, JOB_CANCELED);
    machine_log(m, job, DETAIL_CANCELED_BY_USER, DETAIL_SUCCESS, STR_NULL);
    m->changed = true;
}

static bool is_in_flight(const struct machine_input *in, int job)
{
    return job < 64 && (in->in_flight >> job & 1);
}

/* A timer that will not fire, a digest that others may go on with, an attempt that will not be made. */
static void delayed_cancel(struct machine *m, int job, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[job];
    if (step_is_channel(j->type)) {
        if (is_in_flight(in, job))
            return;                     /* it is being attempted: let it end as it will */
        delivery_canceled(m, job);
    } else {
        struct effect *e = machine_effect(m, EFFECT_UNQUEUE);
        e->queue = (struct queue_item){.due_at = j->due_at, .job = job, .attempt = j->extensions};
        if (j->type == STEP_DIGEST)
            digest_canceled(m, job);
    }
    job_cancel(m, job);
}

/* A merged event that still waits leaves its digest; one that was sent with it is done. */
static void merged_cancel(struct machine *m, int job)
{
    if (!digest_waits(m, job))
        return;
    digest_left(m, job);
    for (int i = job; i < m->run->jobs_n; i++)
        job_cancel(m, i);
}

/* A delay, digest or throttle whose bridge has not said yet what it is, or a step that a webhook may yet keep away. */
static bool is_asking(const struct machine *m, int job)
{
    const struct run_job *j = &m->run->jobs[job];
    return j->status == JOB_RUNNING && (step_executors[j->type].deferred || filter_waits(m, job));
}

/* engine.md §2.9. What runs at this moment ends as it will; nothing follows it. */
void run_cancel(struct machine *m, const struct machine_input *in)
{
    for (int i = 1; i < m->run->jobs_n && m->err.code == ERROR_NONE; i++) {
        struct run_job *j = &m->run->jobs[i];
        if (j->status == JOB_DELAYED || (j->status == JOB_RUNNING && step_is_channel(j->type)))
            delayed_cancel(m, i, in);
        else if (j->status == JOB_MERGED && j->type == STEP_DIGEST)
            merged_cancel(m, i);
        else if (j->status == JOB_PENDING || j->status == JOB_QUEUED || is_asking(m, i))
            job_cancel(m, i);
    }
    m->run->chain_ended |= m->changed;
}

/* The canceled primary's timer, for the oldest of its followers. */
void run_promote(struct machine *m, const struct machine_input *in)
{
    struct run *r = m->run;
    if (r->jobs[in->job].type != STEP_DIGEST || r->jobs[in->job].status != JOB_MERGED)
        return;
    for (int i = in->job; i < r->jobs_n; i++) {
        r->jobs[i].merged_run = (struct id){{0}};
        r->jobs[i].merged_job = 0;
        machine_job_set(m, i, i == in->job ? JOB_DELAYED : JOB_PENDING);
    }
    r->jobs[in->job].due_at = in->due_at;
    r->chain_ended = false;
    r->row.status = RUN_PROCESSING;
    machine_log(m, in->job, DETAIL_STEP_DIGESTED, DETAIL_PENDING,
                str_fmt(r->arena, "{\"delay\":%lld}", (long long)(in->due_at - m->facts->now)));
    struct effect *e = machine_effect(m, EFFECT_TIMER);
    e->queue = (struct queue_item){.due_at = in->due_at, .job = in->job};
}

void run_repoint(struct machine *m, const struct machine_input *in)
{
    for (int i = 1; i < m->run->jobs_n; i++)
        if (id_eq(m->run->jobs[i].merged_run, in->from)) {
            m->run->jobs[i].merged_run = in->to;
            m->run->jobs[i].merged_job = in->job;
        }
}

/* What it needs is gone, as a deleted workflow: the job fails, and with it the run. What its digest collected was of the
 * same workflow and person: it has nowhere to go either. */
void run_abandon(struct machine *m, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[in->job];
    if (j->status != JOB_DELAYED && j->status != JOB_RUNNING)
        return;
    struct buf raw = {.arena = m->run->arena};
    if (j->type == STEP_DIGEST)
        digest_dropped(m, in->job);
    buf_z(&raw, "{\"error\":");
    json_quote(&raw, in->error);
    buf_char(&raw, '}');
    j->due_at = 0;
    machine_job_set(m, in->job, JOB_FAILED);
    machine_fail(m, in->job, DETAIL_STEP_FAILED, buf_finish(&raw), in->error);
    machine_cancel_rest(m, in->job);
    m->run->row.status = RUN_ERROR;
}
