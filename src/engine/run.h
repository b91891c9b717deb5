/* A run in memory: its jobs and its step log, and their compact form in the store.
 *
 * Ids of jobs, messages and execution details are derived from the run's id, so that running a step again names
 * the same things again: a message exists at most once per run and step.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "base/json.h"
#include "engine/detail.h"
#include "model/run.h"
#include "model/types.h"

/* Why a channel step did not send (DL detail, engine.md §0); stored numbers. */
enum skip_reason {
    SKIP_NONE, SKIP_PREFERENCE, SKIP_CONDITION, SKIP_NO_EMAIL, SKIP_NO_PHONE, SKIP_NO_PUSH_TOKEN, SKIP_NO_WEBHOOK,
    SKIP_SOME_CHANNELS,
    /* Of the run only, never of a job. */
    SKIP_NO_CHANNEL_STEP, SKIP_UNKNOWN_ERROR, SKIP_STOPPED, SKIP_CANCELED_BY_USER, SKIP_REASONS
};

struct run_job {
    enum step_type type;
    enum job_status status;
    int step;                   /* index in the steps of the run's workflow version; -1: the trigger job */
    enum skip_reason skip;
    bool canceled_by_user;
    int64_t updated_at;
    int64_t due_at;             /* delayed: when it goes on */
    int attempts;               /* deliveries tried */
    int extensions;             /* times that it was put off to the subscriber's schedule (engine.md §6.7) */
    struct str error;           /* failed: why; empty otherwise */
    struct str output;          /* JSON object for later steps; empty: {} */
    struct str call;            /* JSON of the HTTP request that the job waits for (engine/calls.c); empty: none */
    struct str provider_id;     /* once chosen */
    struct id merged_run;       /* merged into, or stopped by, this run's job merged_job; zero: neither (`_mergedDigestId`) */
    int merged_job;
    struct str group;           /* digest that collects or is collected: key of its group (model/digest.h) */
    struct str timing;          /* JSON object: what a deferred step was told to wait for; empty: none */
};

struct run_log {
    int64_t at;
    int job;
    enum detail detail;
    enum detail_status status;
    int message;                /* it is about that message of the job: its number + 1; 0: about none */
    struct str raw;             /* JSON text; empty: null */
};

/* One recipient's address of a channel step, and how far its delivery is. E-mail and SMS have one, push has one a device,
 * chat one an endpoint (engine.md §7.1). What goes to the outbox has none. */
enum target_status { TARGET_OPEN, TARGET_SENT, TARGET_DEAD, TARGET_CANCELED, TARGET_SKIPPED, TARGET_STATUSES };

struct run_target {
    int job;
    enum target_status status;
    int message;                /* which of the job's messages */
    int attempt;                /* due or under way; after the end: the last. Counts on over failover and re-driving */
    bool waits;                 /* the outcome of an attempt is known and the next is still to come */
    int tries;                  /* attempts that ended, with this integration */
    int64_t first_at;           /* when its first attempt with this integration was due */
    struct id integration;
    struct str tried;           /* ids (hex) of integrations that were given up, one after the other */
    struct str address;         /* JSON; empty: the message's own */
};

struct run {
    struct run_row row;         /* row.state is stale while the run is in memory */
    struct arena *arena;
    struct run_job *jobs;
    int jobs_n;
    struct run_log *log;
    int log_n, log_cap;
    struct run_target *targets;
    size_t targets_n, targets_cap;
    bool chain_ended;           /* no further step will start */
    bool own_message;           /* the message of its first step, which is in_app, has the run's id */
    enum skip_reason lifecycle_detail;
    /* [{_topicId, topicKey, preferenceEvaluation?}] of the topics that it came through; empty: addressed singly. */
    struct str topics;
    bool critical;              /* as it was when it started: preferences and schedules do not count (engine.md §6.4) */
    /* {"<integration, hex>": true | false}: what the conditions of integrations came to that ask a webhook, as a step last asked;
     * empty: none did. */
    struct str judged;
    struct id subscription;     /* the topic subscription whose preferences count (engine.md §6.6); zero: none */
};

enum { RUN_MESSAGES_MAX = 64 };
enum derived { DERIVED_JOB = 0x4a, DERIVED_MESSAGE = 0x4d, DERIVED_DETAIL = 0x44, DERIVED_QUEUE = 0x51,
               DERIVED_DELIVERY = 0x56 };
/* n ≤ 65,535. Same time part as the run's id. */
struct id run_derived_id(struct id run, enum derived kind, int n);
/* The job's message number `message` (most have only number 0); both below 1,024 and 64. Found by its run without an index if
 * it has the run's id, as most have. */
struct id run_message_id(const struct run *r, int job, int message);
struct id run_delivery_id(struct id run, int target);

/* A number as if by chance, but the same for the same id and attempt: a replay waits as long again. */
uint64_t run_jitter(struct id of, int attempt);

void run_log_add(struct run *r, int64_t now, int job, enum detail detail, enum detail_status status, int message,
                 struct str raw);

/* The raw of log entry n as readers get it: that of a fired digest is made from its output, which holds the same. */
struct str run_log_raw(struct run *r, int n);
/* {"topics":[{"topic":key},…]}, as details of the trigger job say it (engine.md §12.E); empty without topics. */
struct str run_topics_raw(struct run *r);

/* The sentence as readers see it: with the provider before it, or the integration behind it. */
struct str run_log_text(const struct run *r, const struct run_log *l);

/* targets.c */
struct run_target *run_target_add(struct run *r, int job);
void run_targets_encode(const struct run *r, struct buf *b);
bool run_targets_decode(struct run *r, yyjson_val *list);

/* Text of jobs and log in r->arena. */
struct str run_encode(struct run *r);
/* Fills r from a stored row; texts point into arena. */
bool run_decode(const struct run_row *row, struct arena *arena, struct run *r, struct error *err);

/* The delivery lifecycle of engine.md §9, rules 0 and 2–9 (rule 1, interacted, is written by the Inbox). */
enum delivery_status run_lifecycle(const struct run *r, enum skip_reason *detail);
struct str skip_reason_name(enum skip_reason s);

#endif
