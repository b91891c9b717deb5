/* The engine as a pure state machine (design.md, idea 1): step(run, input, facts) -> run' + effects.
 *
 * No I/O, no clock, no randomness: time and everything known of the world come in as facts, everything to be done
 * goes out as effects. The worker executes them; the simulator and explain record them; there is no second
 * implementation. Memory comes from the run's arena.
 */
#ifndef ENGINE_MACHINE_H
#define ENGINE_MACHINE_H

#include "engine/definition.h"
#include "engine/run.h"
#include "model/digest.h"
#include "model/delivery.h"
#include "model/channel_link.h"
#include "model/integration.h"
#include "model/message.h"
#include "model/outbox.h"
#include "model/queue.h"
#include "model/subscriber.h"
#include "model/throttle.h"

/* What several runs decide about together is asked for by key: it is known only once a step is rendered. The answers
 * are as of the same moment as the facts; what is decided on them is checked again when it is committed. false: the
 * store failed. */
struct machine_lookups {
    void *world;
    bool (*digest_group)(void *world, struct str key, struct digest_group *out, struct error *err);
    bool (*digest_events)(void *world, struct arena *a, struct id run, int job, struct digest_event **out, size_t *n,
                          struct error *err);
    bool (*throttle_window)(void *world, struct str key, struct throttle_window *out, struct error *err);
};

/* What the machine may know of the world, as of one moment. */
struct machine_facts {
    int64_t now;
    const struct definition *version;           /* frozen: which steps there are */
    const struct definition *current;           /* live: what they say; the same object when unchanged */
    const struct subscriber *subscriber;
    const struct integration *integrations;
    size_t integrations_n;
    const struct email_layout *layouts;         /* of the environment, compiled; NULL: none */
    const struct resource_texts *layout_texts;  /* their translations; NULL: none */
    const struct body_texts *layout_bodies;     /* and their bodies in those */
    const struct email_layout *layout_default;  /* one of them, for steps that name none; NULL: no layout */
    size_t layouts_n;
    bool outbox;                                /* channels without integration go to the outbox */
    bool capture;                               /* every provider call goes there (beyond.md §4) */
    struct str environment_name, environment_type;
    struct str bridge_url;                      /* of code-first workflows; empty: none */
    bool stateless;                             /* the trigger named the bridge: controls are its own, nothing is stored */
    yyjson_val *controls;                       /* {steps: {stepId: {…}}} of the trigger; NULL: none */
    struct str transaction_id;
    yyjson_val *payload, *overrides, *actor, *tenant;               /* NULL: none */
    yyjson_val *context;                        /* {type: {id, data}} as of now; NULL: none */
    yyjson_val *environment_variables;          /* {NAME: "value"}; NULL: none */
    const struct channel_endpoint *endpoints;   /* the subscriber's in this context, opened: for chat and tools */
    size_t endpoints_n;
    yyjson_val *tenant_preferences;             /* the channels that the workflow's override for the tenant names; NULL: none */
    bool tenant_missing;                        /* the trigger named a tenant that is not there (any more) */
    const struct preference_rows *preferences;  /* the subscriber's, as of now; NULL: none */
    bool workflow_off_is_final;                 /* decisions.md 15 */
    /* Current state of this run's stored in-app messages, by job; NULL at the start of a run. */
    const struct message *messages;
    size_t messages_n;
    int attempts_max;                           /* of a delivery, where nothing else is said; 0: 8 (decisions.md 1) */
    struct delivery_policy policy;              /* of the environment */
    const int64_t *circuits;                    /* by integration: open until then, 0: closed; NULL: all are closed */
    bool workflow_gone;                         /* deleted since: version and current are what it said last */
    int64_t defer_max_ms;                       /* longest delay or digest; 0: any (engine.md §2.4) */
    const struct machine_lookups *lookups;      /* NULL: nothing is known of other runs */
};

enum machine_input_kind {
    INPUT_START,                                /* a new run */
    INPUT_TIMER,                                /* job, attempt (times that it was put off): its delay is over */
    INPUT_DELIVERY,                             /* job, target, attempt: what became of it */
    INPUT_CALL,                                 /* job, attempt, call: what was answered */
    INPUT_CANCEL,                               /* whatever is not in flight (engine.md §2.9) */
    INPUT_PROMOTE,                              /* job: its merged digest takes the place of the canceled one, due at due_at */
    INPUT_REPOINT,                              /* its jobs merged into `from` merge into (to, job) */
    INPUT_REDRIVE,                              /* job, target, attempt: it was given up, and is driven again (beyond.md §1) */
    INPUT_ABANDON                               /* job, error: it can never go on */
};

/* What came back from an HTTP request that is part of a step. */
struct call_answer {
    enum call_end {
        CALL_ANSWERED,                          /* with any status */
        CALL_UNREACHABLE, CALL_TIMED_OUT,       /* may be otherwise next time */
        CALL_REFUSED                            /* by our own rules: the URL, the address; no request was made */
    } end;
    int status;
    struct str headers;                         /* JSON object; empty: none */
    struct str body;                            /* as received */
    struct str error;                           /* one sentence unless the status is 2xx */
    struct str code;                            /* of the network, as ECONNREFUSED; empty: unknown */
    int64_t took_ms;                            /* set by the engine */
};

enum delivery_verdict {
    VERDICT_SENT,
    VERDICT_RETRY,                              /* worth another attempt */
    VERDICT_FAILED,                             /* permanent */
    VERDICT_UNUSABLE,                           /* the integration cannot send: it is gone, or has no sender */
    VERDICT_UNKNOWN,                            /* it was begun, and the process died: it counts as one that failed */
    VERDICT_BLOCKED                             /* nothing was sent: the integration's circuit is open for retry_after_ms */
};

struct machine_input {
    enum machine_input_kind kind;
    int job;
    int target, attempt;
    enum delivery_verdict verdict;
    struct id integration;                      /* of VERDICT_BLOCKED, which made no attempt: whose circuit is open */
    struct str provider_message_id;
    struct str response;                        /* text of the provider; empty: none */
    struct str error;                           /* one sentence when not sent */
    int64_t retry_after_ms;
    struct call_answer call;
    uint64_t in_flight;                         /* CANCEL: bits 1 << job of deliveries that are being attempted just now */
    int64_t due_at;                             /* PROMOTE */
    struct id from, to;                         /* REPOINT: runs */
    bool address_gone;                          /* the provider no longer knows this device: it is forgotten */
};

enum effect_kind {
    EFFECT_MESSAGE,             /* store message (insert, or replace when the step runs again) */
    EFFECT_MESSAGE_STATUS,      /* rewrite its status and doc; doc_patch is merged into the stored doc */
    EFFECT_OUTBOX,              /* store outbox */
    EFFECT_TIMER,               /* queue.due_at: come back with INPUT_TIMER */
    EFFECT_DELIVERY,            /* delivery.due_at, .attempt: attempt it then */
    EFFECT_CALL,                /* queue.due_at, .attempt: make the job's request (run_job.call), come back with INPUT_CALL */
    EFFECT_DELIVERY_END,        /* delivery: it is over; .state dead: given up, stays to be seen */
    EFFECT_TOKEN_GONE,          /* delivery.address: a device token that message.subscriber has no more */
    EFFECT_RECEIVED,            /* tell sockets: message, after it is stored */
    EFFECT_UNQUEUE,             /* forget the queue item of due_at, job and attempt */
    EFFECT_DIGEST,              /* move digest; if that is refused, nothing of this step may be kept: decide again */
    EFFECT_THROTTLE             /* count in throttle; the same */
};

struct effect {
    enum effect_kind kind;
    struct message message;
    struct str doc_patch;       /* JSON object; members that are null are removed */
    struct outbox_message outbox;
    struct queue_item queue;
    struct digest_move digest;
    struct throttle_grant throttle;
    struct delivery_record delivery;
    struct effect *next;
};

struct machine {
    struct run *run;
    const struct machine_facts *facts;
    struct effect *effects, **last;     /* in order */
    struct error err;                   /* a lookup failed: nothing of this may be kept */
    bool changed;                       /* CANCEL: something was stopped */
};

/* Makes the jobs of a new run and starts it. r->row must have its ids, context, severity, times and version. */
void machine_start(struct machine *m, struct run *r, const struct machine_facts *f);
/* Advances a stored run. An input that no longer fits (a late or repeated one) changes nothing. Of the facts, PROMOTE,
 * REPOINT and ABANDON need only `now`, CANCEL the lookups too. */
void machine_advance(struct machine *m, struct run *r, const struct machine_facts *f, const struct machine_input *in);

#endif
