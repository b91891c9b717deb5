/* What the step executors share with the machine. */
#ifndef ENGINE_MACHINE_PRIVATE_H
#define ENGINE_MACHINE_PRIVATE_H

#include "engine/machine.h"

/* What a step's execution came to. */
enum outcome {
    OUTCOME_COMPLETED, OUTCOME_FAILED, OUTCOME_SKIPPED,     /* skipped: the job's skip says why */
    OUTCOME_DELAYED,                                        /* a timer is set */
    OUTCOME_MERGED,                                         /* another run's digest has the event: this run ends */
    OUTCOME_THROTTLED,                                      /* too many: this run ends */
    OUTCOME_WAITING                                         /* a request or the first attempt of a delivery is under way */
};

/* A step type is one entry (design.md, idea 4). */
struct step_executor {
    bool deferred;          /* delay, digest, throttle: decided when queued, then waits */
    enum outcome (*execute)(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
    /* What the answer to its request (call_begin) came to; OUTCOME_WAITING: it was made again. */
    enum outcome (*answered)(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer);
};

extern const struct step_executor step_executors[STEP_TYPES];

/* The step's current content; the frozen one if it was removed meanwhile. NULL: the trigger job. */
const struct step_definition *machine_step(const struct machine *m, int job);
void machine_job_set(struct machine *m, int job, enum job_status status);
/* Writes an outcome to the job. true: the chain goes on with the next job. */
bool machine_settle(struct machine *m, int job, enum outcome o);
/* The jobs after `job`, until one waits or none is left. */
void machine_continue(struct machine *m, int job);
/* A failure that stops the run: what is pending behind it is canceled. */
void machine_cancel_rest(struct machine *m, int failed);

/* Lookups; false: m->err is set, and the step may return anything. */
bool machine_digest_group(struct machine *m, struct str key, struct digest_group *out);
bool machine_digest_events(struct machine *m, struct id run, int job, struct digest_event **out, size_t *n);
bool machine_throttle_window(struct machine *m, struct str key, struct throttle_window *out);

/* gates.c: false: *o says what the step came to without running. outputs: its rendered control values. */
bool gates_pass(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o);
/* The same without the schedule, which was open before. */
bool gates_pass_open(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, enum outcome *o);
/* Its two ends, for steps whose content comes from elsewhere: the schedule before, filters and preferences after it. false: the
 * step is skipped, and that is logged. */
bool gates_open(struct machine *m, int job);
bool gates_allow(struct machine *m, int job, const struct step_definition *s);
/* What may be sent as things are: the layers of the workflow and the subscriber, merged. */
struct preference_result machine_preferences(const struct machine *m);
/* The timer of a delay or digest fired outside of the subscriber's schedule: puts it off to the next opening, at most
 * three times (engine.md §6.7). true: it waits on. */
bool gates_extend(struct machine *m, int job);
/* Adds ,"warning":"…" to the raw of a detail, when the subscriber's time zone is none: it counts as UTC (engine.md §10). */
void zone_warn(const struct machine *m, struct buf *raw);
/* steps/bridge.c: is a step of this type computed by the application? Then it is asked, and what it answers is the step's
 * outputs. */
bool bridge_computes(const struct machine *m, enum step_type type);
enum outcome bridge_ask(struct machine *m, int job, const struct step_definition *s);
enum outcome bridge_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer);
/* filter_calls.c: a part of the step's filters, or of an integration's conditions, is asked for elsewhere; what was answered until
 * now; and then. i: NULL: the step's. */
enum outcome filter_ask(struct machine *m, int job, yyjson_val *part, struct str key, yyjson_val *answers, const struct integration *i);
yyjson_val *filter_answers(const struct machine *m, int job);
bool filter_waits(const struct machine *m, int job);
enum outcome filter_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer);
/* content.c: may a channel send this? What it lacks ("subject", "subject or body"), unless an override gives it; NULL: nothing. */
const char *content_missing(const struct machine *m, const struct step_definition *s, yyjson_val *outputs);
/* The same, failing the job with the reason. */
bool content_stands(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome content_fails(struct machine *m, int job, struct str why);
/* calls.c: an HTTP request as part of a step; the chain waits. doc: {kind, method, url, headers, body, timeout}. */
enum outcome call_begin(struct machine *m, int job, struct str doc);
enum outcome call_again(struct machine *m, int job, int64_t delay_ms);
void call_result(struct machine *m, const struct machine_input *in);
/* Logs {"error": error} and fails the job. */
enum outcome call_fail(struct machine *m, int job, struct str error);
/* The object as JSON, or, where that is longer than the activity feed keeps, with its member `cut` as a shortened text. */
struct str call_raw(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *o, const char *cut);
/* email.c: the body of an email step in its layout, and the subject, both finished: into its outputs. */
bool email_output(struct machine *m, int job, const struct step_definition *s, const struct liquid_context *ctx,
                  yyjson_mut_doc *d, yyjson_mut_val *outputs, struct error *err);
/* The body of a chat step that was made of blocks, as text. */
bool chat_output(struct machine *m, const struct step_definition *s, const struct liquid_context *ctx, yyjson_mut_doc *d,
                 yyjson_mut_val *outputs, struct error *err);
/* deliveries.c */
void delivery_result(struct machine *m, const struct machine_input *in);
/* Ends the job's deliveries that are not over (decisions.md 3). */
void delivery_canceled(struct machine *m, int job);
/* cancel.c: what is stopped from outside, and what that does to the digests of others. */
void run_cancel(struct machine *m, const struct machine_input *in);
void run_promote(struct machine *m, const struct machine_input *in);
void run_repoint(struct machine *m, const struct machine_input *in);
void run_abandon(struct machine *m, const struct machine_input *in);
void delivery_redrive(struct machine *m, const struct machine_input *in);
/* Begins the delivery of the job's message `message` through an integration. address: see struct run_target. */
void delivery_begin(struct machine *m, int job, int message, const struct integration *i, struct str address);
/* What a job's step comes to, as far as its deliveries say: OUTCOME_WAITING, or how it ended (with its details). */
enum outcome delivery_outcome_of(struct machine *m, int job);
/* What is left of its deliveries is known to come later: the chain need not wait (decisions.md 1). */
bool delivery_in_background(const struct machine *m, int job);

/* integrations.c: what a step may send through (engine.md §7.1). */
extern const struct integration integration_push_outbox, integration_chat_outbox;
bool integration_is_outbox(const struct integration *i);
struct delivery_policy integration_policy(const struct machine *m, const struct integration *i);
const struct integration *integration_by_id(const struct machine_facts *f, struct id id);
/* Active, of the channel, and its conditions hold for this subscriber. */
bool integration_fits(const struct machine *m, const struct integration *i, enum channel c);
/* Before a step looks for an integration: asks the webhooks in their conditions, one after the other. false: nothing is (still) to
 * be asked. */
bool integrations_ask(struct machine *m, int job, const struct step_definition *s);
int64_t integration_open_until(const struct machine *m, const struct integration *i);
/* The next one that the target has not tried, by priority; NULL: none, or failing over is not wanted. */
const struct integration *integration_next(const struct machine *m, const struct run_target *t, const struct integration *from);
/* {"providerId":…,"identifier":…,"name":…,"_id":…} */
struct str integration_raw(const struct machine *m, const struct integration *i);

/* overrides.c (engine.md §1.9). */
/* doc.providers: what each provider named by the step or the trigger is to be told, merged deeply: step, trigger, trigger for
 * this step. Nothing where nothing is said. */
void overrides_add_providers(const struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, const struct step_definition *s,
                             yyjson_val *outputs);
/* Does anything that is said of the providers stand in for the step's own content? */
bool overrides_say(const struct machine *m, const struct step_definition *s, yyjson_val *outputs);
/* What the trigger tells this provider, the step's word first; NULL: nothing. */
yyjson_val *overrides_provider(const struct machine *m, const struct step_definition *s, struct str provider_id);
/* {...overrides[channel], ...overrides[providerId]}: the legacy bags; NULL: neither is there. */
yyjson_val *overrides_bag(const struct machine *m, enum channel c, struct str provider_id);

struct effect *machine_effect(struct machine *m, enum effect_kind kind);
void machine_log(struct machine *m, int job, enum detail d, enum detail_status st, struct str raw);
bool machine_has_logged(const struct machine *m, int job, enum detail d);
void machine_log_message(struct machine *m, int job, enum detail d, enum detail_status st, struct str raw);
/* Logs detail as Failed and marks the job's error text. */
enum outcome machine_fail(struct machine *m, int job, enum detail d, struct str raw, struct str error);
/* Chooses the integration and logs it; NULL after logging why not (machine_unsent). Sets the job's provider. */
const struct integration *machine_select_integration(struct machine *m, int job, enum channel c);
/* What the step then comes to: it failed, or was skipped by the conditions of those there are. */
enum outcome machine_unsent(const struct machine *m, int job);
/* A message of this job with the common fields; doc is to be filled. */
struct message machine_message(struct machine *m, int job, const struct step_definition *s, enum channel c);
/* {"transactionId":…,"templateIdentifier":…,"stepId":…,"providerId":…,"workflow":{…},"tags":…} to be completed. */
yyjson_mut_val *machine_message_doc(struct machine *m, yyjson_mut_doc *d, int job, const struct step_definition *s);
/* The same as text, open at its end. */
void machine_put_message(struct buf *b, const struct machine *m, int job, const struct step_definition *s);

/* Stores the job's message number `number`, and says that it was created. */
struct message message_store(struct machine *m, int job, const struct step_definition *s, enum channel c, int number,
                             enum message_status status, struct str doc);
void machine_log_of(struct machine *m, int job, int number, enum detail d, enum detail_status st, struct str raw);
/* One address of a message, to its provider or to the outbox. `device` counts the addresses of the job. */
void machine_send_to(struct machine *m, int job, int number, const struct message *message, const struct integration *i,
                     struct str address, struct str recipient, struct str outbox_doc, int device);
/* An address of the job that nothing can be sent to. */
void machine_skip_address(struct machine *m, int job, struct str address);
/* Does what goes to this integration end in the outbox? */
bool machine_captures(const struct machine *m, const struct integration *i);
/* "storedAttachments": those of the payload that this channel gets, [{name, mime, storagePath}] (engine.md §1.8). */
void machine_add_attachments(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, enum channel c);

/* Hands a stored message to its provider: to the outbox at once, or as a delivery. */
enum outcome machine_send(struct machine *m, int job, const struct message *message, struct str recipient,
                          struct str outbox_doc, const struct integration *i);

enum outcome step_in_app(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_email(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_sms(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_push(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_chat(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_http_request(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome http_request_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *a);
enum outcome step_custom(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_delay(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_digest(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);
enum outcome step_throttle(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs);

/* Their timer has come. */
void delay_fired(struct machine *m, int job);
bool digest_fired(struct machine *m, int job);              /* false: m->err */
/* steps/digest.c, for cancel.c: this run's digest ends, or goes on as its oldest follower's. */
void digest_extended(struct machine *m, int job, int64_t due);
void digest_canceled(struct machine *m, int job);
void digest_dropped(struct machine *m, int job);            /* with all that it collected */
bool digest_waits(struct machine *m, int job);              /* is the event of this merged digest job still to be sent? */
void digest_left(struct machine *m, int job);
struct str digest_own_event(const struct machine *m, int job);    /* the result of a digest with this run's event alone */

#endif
