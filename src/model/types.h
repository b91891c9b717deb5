/* The closed lists of the domain, with their names on the wire (engine.md §0).
 *
 * The numbers are stored: never renumber, only append.
 */
#ifndef MODEL_TYPES_H
#define MODEL_TYPES_H

#include <stdbool.h>

#include "base/str.h"

enum channel { CHANNEL_IN_APP, CHANNEL_EMAIL, CHANNEL_SMS, CHANNEL_PUSH, CHANNEL_CHAT, CHANNEL_TOOL, CHANNELS };

enum step_type {
    STEP_IN_APP, STEP_EMAIL, STEP_SMS, STEP_PUSH, STEP_CHAT, STEP_TOOL,     /* same order as enum channel */
    STEP_TRIGGER, STEP_DELAY, STEP_DIGEST, STEP_THROTTLE, STEP_CUSTOM, STEP_HTTP_REQUEST, STEP_TYPES
};

enum severity { SEVERITY_NONE, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITIES };

enum job_status {
    JOB_PENDING, JOB_QUEUED, JOB_RUNNING, JOB_COMPLETED, JOB_FAILED, JOB_DELAYED, JOB_CANCELED, JOB_MERGED,
    JOB_SKIPPED, JOB_STATUSES
};

enum run_status { RUN_PROCESSING, RUN_COMPLETED, RUN_ERROR, RUN_STATUSES };

enum delivery_status {
    LIFECYCLE_PENDING, LIFECYCLE_SENT, LIFECYCLE_ERRORED, LIFECYCLE_SKIPPED, LIFECYCLE_CANCELED, LIFECYCLE_MERGED,
    LIFECYCLE_DELIVERED, LIFECYCLE_INTERACTED, LIFECYCLES
};

enum message_status { MESSAGE_SENT, MESSAGE_ERROR, MESSAGE_WARNING, MESSAGE_STATUSES };

enum trigger_status {
    TRIGGER_PROCESSED, TRIGGER_ERROR, TRIGGER_NOT_ACTIVE, TRIGGER_NO_ACTIVE_STEPS, TRIGGER_NO_STEPS, TRIGGER_NO_TENANT,
    TRIGGER_INVALID_RECIPIENTS, TRIGGER_STATUSES
};

struct str channel_name(enum channel c);
struct str step_type_name(enum step_type t);
struct str severity_name(enum severity s);
struct str job_status_name(enum job_status s);
struct str run_status_name(enum run_status s);
struct str lifecycle_name(enum delivery_status s);
struct str message_status_name(enum message_status s);
struct str trigger_status_name(enum trigger_status s);

bool channel_parse(struct str s, enum channel *out);
bool step_type_parse(struct str s, enum step_type *out);
bool severity_parse(struct str s, enum severity *out);

static inline bool step_is_channel(enum step_type t) { return t <= STEP_TOOL; }

#endif
