/* What became of a delivery: retries and failover in the background, the message's status, the chain that waited
 * (decisions.md 1, 2; beyond.md §1). */
#include "engine/machine_private.h"

#include "base/clock.h"

enum { RETRY_BASE_MS = 30000, RETRY_CAP_MS = 900000, RETRY_LEAST_MS = 1000 };

/* --- when ------------------------------------------------------------------------------------------------------ */

/* Exponential with full jitter, which the run's id decides, so that a replay waits as long again. A policy of few
 * attempts over many hours raises the cap, so that they are spread over them. */
static int64_t retry_wait(struct id delivery, int attempt, int tries, const struct delivery_policy *p)
{
    int64_t cap = 2 * p->window_ms / p->attempts, top;
    if (cap < RETRY_CAP_MS)
        cap = RETRY_CAP_MS;
    top = tries - 1 < 20 ? (int64_t)RETRY_BASE_MS << (tries - 1) : cap;
    if (top > cap)
        top = cap;
    int64_t wait = (int64_t)(run_jitter(delivery, attempt) % (uint64_t)(top + 1));
    return wait < RETRY_LEAST_MS ? RETRY_LEAST_MS : wait;
}

/* When the next attempt with this integration is due; 0: there is none, by count or by window. What the provider or the
 * circuit asks for is obeyed, or the integration is given up; our own wait is cut at the window's end. */
static int64_t next_attempt(const struct machine *m, const struct run_target *t, const struct delivery_policy *p,
                            const struct machine_input *in)
{
    int64_t now = m->facts->now, end = t->first_at + p->window_ms, asked = now + in->retry_after_ms, due = now;
    if (t->tries >= p->attempts || now >= end || asked > end)
        return 0;
    if (in->verdict == VERDICT_RETRY)
        due = now + retry_wait(run_delivery_id(m->run->row.id, (int)(t - m->run->targets)), t->attempt, t->tries, p);
    if (due > end)
        due = end;
    return asked > due ? asked : due;
}

/* --- the message ------------------------------------------------------------------------------------------------- */

static void put_member(struct buf *b, const char *key, struct str s)
{
    buf_fmt(b, "%s\"%s\":", b->n > 1 ? "," : "", key);
    if (s.n)
        json_quote(b, s);
    else
        buf_z(b, "null");
}

static void message_patch(struct machine *m, const struct run_target *t, enum message_status status, struct str doc_patch)
{
    struct effect *e = machine_effect(m, EFFECT_MESSAGE_STATUS);
    e->message.id = run_message_id(m->run, t->job, t->message);
    e->message.environment = m->run->row.environment;
    e->message.status = status;
    e->message.updated_at = m->facts->now;
    e->doc_patch = doc_patch;
}

static void message_status(struct machine *m, const struct run_target *t, enum message_status status, const char *error_id,
                           struct str text, struct str identifier)
{
    struct buf b = {.arena = m->run->arena};
    buf_char(&b, '{');
    put_member(&b, "errorId", str_of(error_id));
    put_member(&b, "errorText", text);
    if (identifier.n)
        put_member(&b, "identifier", identifier);
    buf_char(&b, '}');
    message_patch(m, t, status, buf_finish(&b));
}

/* The message says from whom it comes (decisions.md 2): provider and integration of now. */
static void message_integration(struct machine *m, const struct run_target *t, const struct integration *i, struct str error)
{
    struct buf b = {.arena = m->run->arena};
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    buf_char(&b, '{');
    put_member(&b, "providerId", i->provider_id);
    put_member(&b, "integrationId", str_of(hex));
    put_member(&b, "errorId", STR("delivery_retrying"));
    put_member(&b, "errorText", error);
    buf_char(&b, '}');
    message_patch(m, t, MESSAGE_WARNING, buf_finish(&b));
}

/* Several devices share one message: what one of them got decides. */
static bool message_was_sent(const struct machine *m, const struct run_target *t)
{
    for (size_t i = 0; i < m->run->targets_n; i++) {
        const struct run_target *x = &m->run->targets[i];
        if (x->job == t->job && x->message == t->message && x->status == TARGET_SENT)
            return true;
    }
    return false;
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

/* --- one delivery ------------------------------------------------------------------------------------------------ */

static void log_target(struct machine *m, const struct run_target *t, enum detail d, enum detail_status st, struct str raw)
{
    run_log_add(m->run, m->facts->now, t->job, d, st, t->message + 1, raw);
}

/* Whom this one goes to: a job of push or chat has several providers, and names only the last. */
static struct str provider_of(const struct machine *m, const struct run_target *t)
{
    const struct integration *i = integration_by_id(m->facts, t->integration);
    return i ? i->provider_id : m->run->jobs[t->job].provider_id;
}

static struct effect *delivery_effect(struct machine *m, enum effect_kind kind, const struct run_target *t)
{
    const struct run *r = m->run;
    struct effect *e = machine_effect(m, kind);
    int n = (int)(t - r->targets);
    /* Effects outlive the facts: the provider's id may be theirs. */
    e->delivery = (struct delivery_record){
        .id = run_delivery_id(r->row.id, n), .environment = r->row.environment, .run = r->row.id,
        .message = run_message_id(r, t->job, t->message), .integration = t->integration, .job = t->job, .target = n,
        .channel = (enum channel)r->jobs[t->job].type, .provider_id = str_dup(r->arena, provider_of(m, t)),
        .attempt = t->attempt,
        .due_at = m->facts->now, .address = t->address, .created_at = m->facts->now, .updated_at = m->facts->now};
    return e;
}

static void delivery_schedule(struct machine *m, struct run_target *t, int64_t due, struct str error)
{
    struct effect *e = delivery_effect(m, EFFECT_DELIVERY, t);
    e->delivery.due_at = due;
    e->delivery.error = error;
}

static void delivery_over(struct machine *m, struct run_target *t, enum target_status status, struct str error)
{
    struct effect *e = delivery_effect(m, EFFECT_DELIVERY_END, t);
    t->status = status;
    t->waits = false;
    e->delivery.state = status == TARGET_DEAD ? DELIVERY_DEAD : DELIVERY_OPEN;
    e->delivery.error = error;
}

/* With this integration from the beginning: its tries and its window are its own. */
static void target_use(struct machine *m, struct run_target *t, const struct integration *i)
{
    t->integration = i->id;
    t->tries = 0;
    t->first_at = m->facts->now;
    m->run->jobs[t->job].provider_id = i->provider_id;
}

/* beyond.md §1: "at once when its circuit is open". The message says so when it was stored already. */
static const struct integration *fail_over(struct machine *m, struct run_target *t, const struct integration *from, struct str error)
{
    const struct integration *next = integration_next(m, t, from);
    char hex[ID_HEX + 1];
    if (!next)
        return NULL;
    id_hex(t->integration, hex);
    t->tried = str_fmt(m->run->arena, "%.*s%s", STR_ARG(t->tried), hex);
    target_use(m, t, next);
    log_target(m, t, DETAIL_FAILING_OVER, DETAIL_PENDING, integration_raw(m, next));
    message_integration(m, t, next, error);
    return next;
}

/* That no attempt can be made is told once, however often it is so when one is due. */
static bool told_already(const struct run *r, const struct run_target *t, struct str error)
{
    for (int i = r->log_n - 1; i >= 0; i--) {
        const struct run_log *l = &r->log[i];
        if (l->job == t->job && l->message == t->message + 1)
            return l->detail == DETAIL_ATTEMPT_FAILED && str_find(l->raw, error) >= 0;
    }
    return false;
}

static void log_retry(struct machine *m, const struct run_target *t, int64_t due, struct str error)
{
    char iso[TIME_ISO_LEN + 1];
    struct buf raw = {.arena = m->run->arena};
    time_iso(due, iso);
    buf_fmt(&raw, "{\"attempt\":%d,\"nextAttemptAt\":\"%s\",\"error\":", t->attempt, iso);
    json_quote(&raw, error);
    buf_char(&raw, '}');
    log_target(m, t, DETAIL_ATTEMPT_FAILED, DETAIL_PENDING, buf_finish(&raw));
}

static void target_waits(struct machine *m, struct run_target *t, int64_t due, struct str error, bool counts)
{
    struct run_job *j = &m->run->jobs[t->job];
    if (counts || !told_already(m->run, t, error))
        log_retry(m, t, due, error);
    if (!message_was_sent(m, t))
        message_status(m, t, MESSAGE_WARNING, "delivery_retrying", error, STR_NULL);
    t->attempt += counts;
    t->waits = true;
    j->due_at = due;
    delivery_schedule(m, t, due, error);
}

void delivery_begin(struct machine *m, int job, int message, const struct integration *i, struct str address)
{
    struct run_target *t = run_target_add(m->run, job);
    int64_t open_until = integration_open_until(m, i);
    struct str open = STR("The circuit of the integration is open");
    t->message = message;
    t->attempt = 1;
    t->address = address;
    target_use(m, t, i);
    if (open_until && !fail_over(m, t, i, open))
        target_waits(m, t, open_until, open, false);    /* nobody else: when it may be asked again */
    else
        delivery_schedule(m, t, m->facts->now, STR_NULL);
}

/* {"id":…} or {"message":…}, with the provider's words; for a device or an endpoint, which one. */
static struct str raw_of(struct machine *m, const struct run_target *t, const struct machine_input *in)
{
    struct buf b = {.arena = m->run->arena};
    yyjson_val *address = NULL;
    buf_char(&b, '{');
    if (in->provider_message_id.n)
        put_member(&b, "id", in->provider_message_id);
    else
        put_member(&b, "message", in->error.n ? in->error : in->response);
    if (in->response.n)
        put_member(&b, "response", in->response);
    if (t->address.n && json_parse(m->run->arena, t->address, &address, NULL)) {
        put_member(&b, "providerId", provider_of(m, t));
        if (json_get_str(address, "deviceToken").n)
            put_member(&b, "deviceToken", json_get_str(address, "deviceToken"));
    }
    buf_char(&b, '}');
    return buf_finish(&b);
}

static void target_sent(struct machine *m, struct run_target *t, const struct machine_input *in)
{
    delivery_over(m, t, TARGET_SENT, STR_NULL);
    log_target(m, t, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, raw_of(m, t, in));
    message_status(m, t, MESSAGE_SENT, NULL, STR_NULL, in->provider_message_id);
}

/* The integration has no sender, or is gone: engine.md §7.3. */
static void target_unusable(struct machine *m, struct run_target *t, const struct machine_input *in)
{
    bool sms = m->run->jobs[t->job].type == STEP_SMS && integration_by_id(m->facts, t->integration);
    delivery_over(m, t, TARGET_DEAD, in->error);
    log_target(m, t, sms ? DETAIL_NO_CHANNEL : DETAIL_PROVIDER_MISSING, DETAIL_FAILED, STR_NULL);
    if (sms)
        message_status(m, t, MESSAGE_WARNING, "no_integration_from_phone", STR("Integration does not have from phone configured"), STR_NULL);
    else
        message_status(m, t, MESSAGE_ERROR, provider_error_id(m->run->jobs[t->job].type), in->error, STR_NULL);
}

static void target_dead(struct machine *m, struct run_target *t, const struct machine_input *in)
{
    if (in->verdict == VERDICT_UNUSABLE) {
        target_unusable(m, t, in);
        return;
    }
    struct str text = in->response.n ? in->response : in->error;
    delivery_over(m, t, TARGET_DEAD, in->error.n ? in->error : text);
    log_target(m, t, DETAIL_PROVIDER_ERROR, DETAIL_FAILED, raw_of(m, t, in));
    if (in->address_gone && t->address.n) {
        delivery_effect(m, EFFECT_TOKEN_GONE, t)->message.subscriber = m->run->row.subscriber;
        log_target(m, t, DETAIL_PUSH_TOKEN_REMOVED, DETAIL_SUCCESS, t->address);
    }
    if (!message_was_sent(m, t))
        message_status(m, t, MESSAGE_ERROR, provider_error_id(m->run->jobs[t->job].type), text, STR_NULL);
}

/* Not sent this time: again later, by another integration, or never. */
static void target_failed(struct machine *m, struct run_target *t, const struct machine_input *in)
{
    const struct integration *i = integration_by_id(m->facts, t->integration);
    struct delivery_policy p = integration_policy(m, i);
    bool counts = in->verdict != VERDICT_BLOCKED;
    int64_t due = 0;
    t->tries += counts;
    if (in->verdict == VERDICT_FAILED) {
        target_dead(m, t, in);
        return;
    }
    if (counts && in->verdict != VERDICT_UNUSABLE)
        due = next_attempt(m, t, &p, in);
    if (!due && fail_over(m, t, i, in->error)) {
        t->attempt += counts;
        t->waits = true;
        delivery_schedule(m, t, m->facts->now, in->error);
        return;
    }
    if (!counts)
        due = next_attempt(m, t, &p, in);
    if (due)
        target_waits(m, t, due, in->error, counts);
    else
        target_dead(m, t, in);
}

/* --- the job ------------------------------------------------------------------------------------------------------- */

struct tally {
    int n, first, open, sent, skipped;  /* first: not even one attempt has ended */
    enum skip_reason why;               /* of the first that was skipped */
};

/* The reason is in the address that was missing: engine.md §7.3. */
static enum skip_reason skip_of(const struct run *r, const struct run_target *t)
{
    if (r->jobs[t->job].type == STEP_PUSH)
        return SKIP_NO_PUSH_TOKEN;
    return str_find(t->address, STR("\"phone\"")) >= 0 ? SKIP_NO_PHONE : SKIP_NO_WEBHOOK;
}

static struct tally tally_of(const struct run *r, int job)
{
    struct tally c = {0};
    for (size_t i = 0; i < r->targets_n; i++) {
        const struct run_target *t = &r->targets[i];
        if (t->job != job)
            continue;
        c.n++;
        c.open += t->status == TARGET_OPEN;
        c.first += t->status == TARGET_OPEN && !t->waits;
        c.sent += t->status == TARGET_SENT;
        if (t->status == TARGET_SKIPPED && !c.skipped++)
            c.why = skip_of(r, t);
    }
    return c;
}

/* engine.md §7.3, "End:" of push and chat. E-mail and SMS have one delivery, whose end is the step's. */
enum outcome delivery_outcome_of(struct machine *m, int job)
{
    struct run_job *j = &m->run->jobs[job];
    struct tally c = tally_of(m->run, job);
    if (c.open)
        return OUTCOME_WAITING;
    j->due_at = 0;
    j->skip = SKIP_NONE;
    if (c.sent)
        return OUTCOME_COMPLETED;
    if (j->type == STEP_PUSH && c.skipped < c.n)
        return machine_fail(m, job, DETAIL_PUSH_ERRORS, STR_NULL, STR_NULL);
    if (j->type == STEP_CHAT && !c.skipped)
        return machine_fail(m, job, DETAIL_CHAT_ALL_FAILED, STR_NULL, STR_NULL);
    if (c.skipped) {
        bool push = j->type == STEP_PUSH;
        machine_log(m, job, push ? DETAIL_PUSH_SOME_SKIPPED : DETAIL_CHAT_SOME_SKIPPED, push ? DETAIL_FAILED : DETAIL_WARNING, STR_NULL);
        j->skip = c.why;
        return OUTCOME_SKIPPED;
    }
    j->error = detail_text(DETAIL_PROVIDER_ERROR);
    return OUTCOME_FAILED;
}

bool delivery_in_background(const struct machine *m, int job)
{
    struct tally c = tally_of(m->run, job);
    return c.open > 0 && !c.first;
}

/* What a job has become after one of its deliveries changed; the chain goes on when it need not wait any more. */
static void job_changed(struct machine *m, int job)
{
    struct run_job *j = &m->run->jobs[job];
    const struct step_definition *s = machine_step(m, job);
    struct tally c = tally_of(m->run, job);
    bool held = j->status == JOB_RUNNING || (s && s->stop_on_fail && !m->run->chain_ended), released = held;
    if (c.open) {
        if (c.first)
            return;                     /* of several devices one has not been tried yet */
        machine_job_set(m, job, JOB_DELAYED);
        released = held && !(s && s->stop_on_fail);
    } else {
        enum outcome o = delivery_outcome_of(m, job);
        if (o == OUTCOME_COMPLETED)
            j->error = STR_NULL;
        machine_job_set(m, job, o == OUTCOME_COMPLETED ? JOB_COMPLETED : o == OUTCOME_SKIPPED ? JOB_CANCELED : JOB_FAILED);
        if (j->status == JOB_FAILED && s && s->stop_on_fail) {
            machine_cancel_rest(m, job);
            return;
        }
    }
    if (released)
        machine_continue(m, job);
}

static struct run_target *target_of(struct machine *m, const struct machine_input *in)
{
    return in->target >= 0 && (size_t)in->target < m->run->targets_n ? &m->run->targets[in->target] : NULL;
}

/* decisions.md 1: the first attempt is part of the step; a retryable failure frees the chain, and the delivery goes
 * on in the background. */
void delivery_result(struct machine *m, const struct machine_input *in)
{
    struct run_target *t = target_of(m, in);
    if (!t || t->status != TARGET_OPEN || in->attempt != t->attempt)
        return;
    if (in->verdict == VERDICT_BLOCKED && !id_eq(in->integration, t->integration))
        return;                         /* known already: it goes through another one */
    m->run->jobs[t->job].attempts += in->verdict != VERDICT_BLOCKED;
    if (in->verdict == VERDICT_SENT)
        target_sent(m, t, in);
    else
        target_failed(m, t, in);
    job_changed(m, t->job);
}

/* beyond.md §1, dead letters: job, message and run are open again, and end as any other. The steps behind it have run long
 * ago, or were canceled: that stays. */
void delivery_redrive(struct machine *m, const struct machine_input *in)
{
    struct run_target *t = target_of(m, in);
    if (!t || t->status != TARGET_DEAD)
        return;
    struct run_job *j = &m->run->jobs[t->job];
    const struct integration *i = integration_by_id(m->facts, t->integration);
    t->tried = STR_NULL;
    if (!i || !integration_fits(m, i, (enum channel)j->type))
        i = integration_next(m, t, NULL);
    if (!i) {                           /* nobody to send through: it stays given up */
        delivery_over(m, t, TARGET_DEAD, detail_text(DETAIL_NO_INTEGRATION));
        machine_log(m, t->job, DETAIL_NO_INTEGRATION, DETAIL_FAILED, STR_NULL);
        return;
    }
    target_use(m, t, i);
    t->status = TARGET_OPEN;
    t->waits = true;
    t->attempt++;
    j->error = STR_NULL;
    j->due_at = m->facts->now;
    m->run->row.status = RUN_PROCESSING;
    machine_job_set(m, t->job, JOB_DELAYED);
    log_target(m, t, DETAIL_REDRIVEN, DETAIL_PENDING, integration_raw(m, i));
    if (!message_was_sent(m, t))
        message_integration(m, t, i, detail_text(DETAIL_REDRIVEN));
    delivery_schedule(m, t, m->facts->now, STR_NULL);
}

void delivery_canceled(struct machine *m, int job)
{
    for (size_t i = 0; i < m->run->targets_n; i++) {
        struct run_target *t = &m->run->targets[i];
        if (t->job != job || t->status != TARGET_OPEN)
            continue;
        delivery_over(m, t, TARGET_CANCELED, STR_NULL);
        if (!message_was_sent(m, t))
            message_status(m, t, MESSAGE_ERROR, "execution_canceled_by_user", detail_text(DETAIL_CANCELED_BY_USER), STR_NULL);
    }
}
