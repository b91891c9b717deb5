/* Names on the wire. */
#include "model/types.h"

static const char *const channels[CHANNELS] = {"in_app", "email", "sms", "push", "chat", "tool"};
static const char *const step_types[STEP_TYPES] = {"in_app", "email", "sms", "push", "chat", "tool", "trigger", "delay",
                                                   "digest", "throttle", "custom", "http_request"};
static const char *const severities[SEVERITIES] = {"none", "low", "medium", "high"};
static const char *const job_statuses[JOB_STATUSES] = {"pending", "queued", "running", "completed", "failed",
                                                       "delayed", "canceled", "merged", "skipped"};
static const char *const run_statuses[RUN_STATUSES] = {"processing", "completed", "error"};
static const char *const lifecycles[LIFECYCLES] = {"pending", "sent", "errored", "skipped",
                                                   "canceled", "merged", "delivered", "interacted"};
static const char *const message_statuses[MESSAGE_STATUSES] = {"sent", "error", "warning"};
static const char *const trigger_statuses[TRIGGER_STATUSES] = {
    "processed", "error", "trigger_not_active", "no_workflow_active_steps_defined", "no_workflow_steps_defined",
    "no_tenant_found", "invalid_recipients"};

static bool parse(struct str s, const char *const *names, int n, int *out)
{
    for (int i = 0; i < n; i++)
        if (str_eqz(s, names[i])) {
            *out = i;
            return true;
        }
    return false;
}

struct str channel_name(enum channel c) { return str_of(channels[c]); }
struct str step_type_name(enum step_type t) { return str_of(step_types[t]); }
struct str severity_name(enum severity s) { return str_of(severities[s]); }
struct str job_status_name(enum job_status s) { return str_of(job_statuses[s]); }
struct str run_status_name(enum run_status s) { return str_of(run_statuses[s]); }
struct str lifecycle_name(enum delivery_status s) { return str_of(lifecycles[s]); }
struct str message_status_name(enum message_status s) { return str_of(message_statuses[s]); }
struct str trigger_status_name(enum trigger_status s) { return str_of(trigger_statuses[s]); }

bool channel_parse(struct str s, enum channel *out)
{
    int i;
    bool ok = parse(s, channels, CHANNELS, &i);
    if (ok)
        *out = (enum channel)i;
    return ok;
}

bool step_type_parse(struct str s, enum step_type *out)
{
    int i;
    bool ok = parse(s, step_types, STEP_TYPES, &i);
    if (ok)
        *out = (enum step_type)i;
    return ok;
}

bool severity_parse(struct str s, enum severity *out)
{
    int i;
    bool ok = parse(s, severities, SEVERITIES, &i);
    if (ok)
        *out = (enum severity)i;
    return ok;
}
