/* When deferred steps go on: durations, points in time, cron (engine.md §4.6–4.8, §10). */
#ifndef ENGINE_STEPS_TIMING_H
#define ENGINE_STEPS_TIMING_H

#include "engine/machine_private.h"

/* {amount, unit} from now: fixed lengths, but months by the calendar (UTC), on the last day if there is no such day; a fraction
 * of one is of 30 days.
 * false: an amount below 0, an unknown unit, or beyond the year 9999. */
bool duration_after(int64_t now, yyjson_val *duration, int64_t *at);
/* The same, backwards. */
bool duration_before(int64_t now, yyjson_val *duration, int64_t *at);
/* A duration as the activity feed has it. Clients know no other units, and refuse the whole answer: such a one is left out. */
void timing_add(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *duration, const char *amount_key, const char *unit_key);
/* A whole number, or text that is one: rendered control values are strings. */
bool number_of(yyjson_val *v, int64_t *n);
/* The payload's value at a key such as `payload.at` or `at`; NULL: none. */
yyjson_val *payload_at(const struct machine *m, struct str key);
/* What a payload says about time: an ISO 8601 text, or {amount, unit} from now. */
bool moment_of(const struct machine *m, yyjson_val *v, int64_t *at);
/* The next time in the subscriber's zone (UTC if that is unset or unknown). */
bool cron_after(const struct machine *m, struct str expression, int64_t *at, struct error *err);

/* The limit of engine.md §2.4 step 3; logs when the wait is over it. */
bool defer_allowed(struct machine *m, int job, int64_t due);
/* {"delay":ms[,"untilDate":"…"[,"warning":"…"]]}, which cron has. */
struct str defer_raw(const struct machine *m, int64_t due, bool cron);
/* Waits: the job's due_at and its timer. */
enum outcome defer_until(struct machine *m, int job, int64_t due);
/* What makes a group of runs of this step: a hash of subscriber, workflow, step, tag and value. */
struct str group_key(const struct machine *m, const struct step_definition *s, const char *tag, struct str value);
/* What a step says of a control: of code-first ones their outputs do, of others the control values as they were written. */
struct str control_text(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs);
bool control_flag(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs);
/* The value of a step's key (digestKey, throttleKey): a path into the payload, or what Liquid made of it.
 * p NULL: the payload has no such value. */
struct str key_value(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs);

#endif
