/* From log entries to rules. */
#include "engine/decisions.h"

static const enum decision_rule rules[DETAILS] = {
    [DETAIL_CONDITIONS_MATCHED] = RULE_CONDITION, [DETAIL_CONDITIONS_SKIPPED] = RULE_CONDITION,
    [DETAIL_BRIDGE_SKIPPED] = RULE_CONDITION,
    [DETAIL_FILTERED_WORKFLOW_RESOURCE] = RULE_PREFERENCE, [DETAIL_FILTERED_USER_WORKFLOW] = RULE_PREFERENCE,
    [DETAIL_FILTERED_SUBSCRIBER_GLOBAL] = RULE_PREFERENCE, [DETAIL_FILTERED_SUBSCRIBER_WORKFLOW] = RULE_PREFERENCE,
    [DETAIL_OUTSIDE_SCHEDULE] = RULE_SCHEDULE, [DETAIL_SCHEDULE_EXTENDED] = RULE_SCHEDULE,
    [DETAIL_SCHEDULE_EXHAUSTED] = RULE_SCHEDULE,
    [DETAIL_THROTTLED] = RULE_THROTTLE, [DETAIL_THROTTLE_PAST] = RULE_THROTTLE,
    [DETAIL_STEP_DIGESTED] = RULE_DIGEST, [DETAIL_DIGEST_MERGED] = RULE_DIGEST, [DETAIL_DIGEST_FIRST] = RULE_DIGEST,
    [DETAIL_DIGEST_TRIGGERED] = RULE_DIGEST,
    [DETAIL_STEP_DELAYED] = RULE_DELAY, [DETAIL_DELAY_FINISHED] = RULE_DELAY, [DETAIL_INVALID_DELAY] = RULE_DELAY,
    [DETAIL_DEFER_LIMIT] = RULE_DELAY,
    [DETAIL_NO_EMAIL] = RULE_ADDRESS, [DETAIL_NO_PHONE] = RULE_ADDRESS, [DETAIL_NO_CHANNEL] = RULE_ADDRESS,
    [DETAIL_NO_CHANNEL_IN_CONTEXT] = RULE_ADDRESS, [DETAIL_CHAT_WEBHOOK_MISSING] = RULE_ADDRESS,
    [DETAIL_CHAT_PHONE_MISSING] = RULE_ADDRESS, [DETAIL_CHAT_SOME_SKIPPED] = RULE_ADDRESS,
    [DETAIL_PUSH_TOKENS_MISSING] = RULE_ADDRESS, [DETAIL_PUSH_SOME_SKIPPED] = RULE_ADDRESS,
    [DETAIL_NO_INTEGRATION] = RULE_INTEGRATION, [DETAIL_PROVIDER_MISSING] = RULE_INTEGRATION,
    [DETAIL_INTEGRATION_WITHHELD] = RULE_INTEGRATION,
    [DETAIL_CONTENT_FAILED] = RULE_CONTENT, [DETAIL_STEP_FAILED] = RULE_CONTENT, [DETAIL_LAYOUT_NOT_FOUND] = RULE_CONTENT,
    [DETAIL_RESPONSE_INVALID] = RULE_CONTENT, [DETAIL_BRIDGE_FAILED] = RULE_CONTENT,
    [DETAIL_NON_OBJECT_RESPONSE] = RULE_CONTENT, [DETAIL_STEP_PROCESSED] = RULE_CONTENT,
    [DETAIL_MESSAGE_SENT] = RULE_DELIVERY, [DETAIL_PROVIDER_ERROR] = RULE_DELIVERY, [DETAIL_ATTEMPT_FAILED] = RULE_DELIVERY,
    [DETAIL_FAILING_OVER] = RULE_DELIVERY, [DETAIL_CHAT_ALL_FAILED] = RULE_DELIVERY, [DETAIL_PUSH_ERRORS] = RULE_DELIVERY,
    [DETAIL_REDRIVEN] = RULE_DELIVERY,
    [DETAIL_STEP_CANCELED] = RULE_HALT, [DETAIL_CANCELED_BY_USER] = RULE_CANCELLATION,
};

struct str decision_name(enum decision d)
{
    static const char *const names[DECISIONS] = {"pending", "waiting", "sent", "passed", "skipped", "merged", "throttled",
                                                 "canceled", "failed"};
    return str_of(names[d]);
}

struct str decision_rule_name(enum decision_rule r)
{
    static const char *const names[RULES] = {"none", "condition", "preference", "schedule", "throttle", "digest", "delay",
                                             "address", "integration", "content", "delivery", "halt", "cancellation"};
    return str_of(names[r]);
}

static int last_rule(const struct run *r, int job)
{
    for (int i = r->log_n - 1; i >= 0; i--)
        if (r->log[i].job == job && rules[r->log[i].detail])
            return i;
    return -1;
}

static bool has_rule(const struct run *r, int job, enum decision_rule rule)
{
    for (int i = 0; i < r->log_n; i++)
        if (r->log[i].job == job && rules[r->log[i].detail] == rule)
            return true;
    return false;
}

/* A digest that merged, or a throttle that was full, decided for all steps behind it. */
static int decider_of(const struct run *r, int job)
{
    while (job > 1 && last_rule(r, job) < 0
           && (r->jobs[job].status == JOB_MERGED || r->jobs[job].status == JOB_SKIPPED))
        job--;
    return job;
}

static enum decision decision_of(const struct run *r, int job, enum decision_rule rule)
{
    const struct run_job *j = &r->jobs[job];
    switch (j->status) {
    case JOB_PENDING:
    case JOB_QUEUED: return DECISION_PENDING;
    case JOB_RUNNING:
    case JOB_DELAYED: return DECISION_WAITING;
    case JOB_COMPLETED: return step_is_channel(j->type) ? DECISION_SENT : DECISION_PASSED;
    case JOB_FAILED: return DECISION_FAILED;
    case JOB_MERGED: return DECISION_MERGED;
    case JOB_CANCELED:
        return j->canceled_by_user || rule == RULE_HALT || rule == RULE_CANCELLATION ? DECISION_CANCELED : DECISION_SKIPPED;
    case JOB_SKIPPED: return rule == RULE_THROTTLE ? DECISION_THROTTLED : DECISION_SKIPPED;
    case JOB_STATUSES: break;
    }
    return DECISION_PENDING;
}

struct decided run_decided(const struct run *r, int job)
{
    struct decided x = {.log = last_rule(r, decider_of(r, job)), .at = r->jobs[job].updated_at};
    if (x.log >= 0) {
        x.rule = rules[r->log[x.log].detail];
        x.at = r->log[x.log].at;
    } else if (r->jobs[job].canceled_by_user) {
        x.rule = RULE_CANCELLATION;
    }
    x.decision = decision_of(r, job, x.rule);
    /* The integration is missing, not the provider's answer, where no attempt was ever made. */
    if (x.decision == DECISION_FAILED && x.rule == RULE_DELIVERY && has_rule(r, job, RULE_INTEGRATION))
        x.rule = RULE_INTEGRATION;
    return x;
}

static const char *layer_of(const struct run *r, enum detail d)
{
    switch (d) {
    case DETAIL_FILTERED_WORKFLOW_RESOURCE: return "workflow";
    case DETAIL_FILTERED_USER_WORKFLOW: return "workflowUser";
    case DETAIL_FILTERED_SUBSCRIBER_GLOBAL: return "subscriberGlobal";
    case DETAIL_FILTERED_SUBSCRIBER_WORKFLOW: return id_is_zero(r->subscription) ? "subscriberWorkflow" : "subscription";
    default: return NULL;
    }
}

void decided_put(yyjson_mut_doc *d, yyjson_mut_val *o, struct run *r, const struct decided *x, const struct step_definition *s)
{
    json_add_str(d, o, "decision", decision_name(x->decision));
    json_add_time(d, o, "at", x->at);
    if (x->rule == RULE_NONE)
        return;
    yyjson_mut_val *rule = json_add_obj(d, o, "rule");
    json_add_str(d, rule, "kind", decision_rule_name(x->rule));
    if (x->log < 0)
        return;
    const struct run_log *l = &r->log[x->log];
    const char *layer = layer_of(r, l->detail);
    struct str raw = run_log_raw(r, x->log);
    json_add_str(d, rule, "detail", run_log_text(r, l));
    if (layer)
        json_add_str(d, rule, "layer", str_of(layer));
    json_add_text(d, rule, "values", raw);
    if (l->detail == DETAIL_BRIDGE_SKIPPED && s)
        json_add_val(d, rule, "condition", s->skip);
}
