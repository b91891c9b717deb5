/* What planning consists of: a plan (the rows of one commit), who fills it, who submits it. */
#ifndef ENGINE_PLAN_PRIVATE_H
#define ENGINE_PLAN_PRIVATE_H

#include "engine/engine_private.h"
#include "model/attachment.h"
#include "model/context.h"
#include "model/tenant.h"
#include "model/topic.h"
#include "model/trace.h"

/* Somebody who is named by a trigger. */
struct planned_person {
    bool upsert;
    bool made;                          /* … of somebody new */
    bool no_preferences;                /* is known to have none */
    struct people_stamp stamp;
    struct subscriber_patch patch;
    struct subscriber row;              /* as it will be stored */
    struct str channels_before;         /* what patch's channels were worked out from */
};

struct planned_run {
    struct run run;
    struct machine machine;
    bool fresh;                         /* insert, not update */
    bool told;                          /* somebody wants to be told of it (webhooks.c) */
    struct planned_person person;
    struct str *received;               /* socket form of each EFFECT_RECEIVED, in order; empty: not made, nobody listened */
    size_t received_n;
    struct id organization;             /* for making it after all */
    yyjson_val *payload;
};

/* No run for this one: engine.md §6.6. */
struct planned_refusal {
    struct id subscriber;
    struct str evaluations;
    int64_t workflow_version;           /* that it was kept from them */
};

/* What a plan does to the event's fan-out. */
enum fanout_change { FANOUT_NONE, FANOUT_BEGINS, FANOUT_MOVES };

/* Explain's part in planning: nothing is written, what runs share is asked of it, and it sees every step of the machine
 * while its facts are there. */
struct plan_watch {
    const struct machine_lookups *lookups;
    void (*stepped)(struct plan_watch *w, struct planned_run *r, const struct machine_facts *f);
};

struct plan {
    struct write_task task;
    struct engine *engine;
    struct arena *arena;
    struct work *work;
    struct plan_watch *watch;           /* NULL: it will be written */
    /* What is asked after the commit, on the writer's thread, is together: by then all of this has left its core's caches. */
    bool consumes;                      /* takes work->item; without it nothing is written */
    bool abandons;                      /* ends the item's run with an error */
    bool continues;                     /* inserts rest: a further chunk is to come */
    bool rest_begun;                    /* it is being planned already, see relay.c */
    bool holds_attachments;             /* see attachments_hold */
    bool conflict, taken;               /* results of apply */
    enum trigger_result result;
    int64_t due_at;                     /* result of apply: what db_due_note said */
    uint64_t noted;                     /* … and people_noted */
    struct wake *wake;                  /* of QUEUE_SNOOZE (snooze.c) */
    struct attachment_removal removal;  /* result of apply: files that nobody needs any more */
    struct str before;                  /* transactionId that the idempotency key was used with; p NULL: none */
    struct str before_request;          /* … and by which request */
    struct announcements {
        bool begins, receives;          /* something starts with the commit; somebody gets a message in the app */
        unsigned runs, messages[CHANNELS];      /* fresh ones, to be counted */
    } announces;
    struct planned_run *runs;
    size_t runs_n;
    bool insert_event;
    struct event event;
    struct str reason;                  /* abandons: why */
    enum fanout_change fanout_change;
    struct fanout fanout;
    const struct preference_rows *no_preferences;   /* of a chunk: nobody has any for this workflow, so these; NULL: ask */
    enum fanout_part part_before;       /* FANOUT_MOVES: fanout.part as it was before */
    struct str *chunks;                 /* FANOUT_BEGINS: recipients for later, from chunk 0 on */
    size_t chunks_n;
    int64_t chunk_done;                 /* FANOUT_MOVES: this one is used up; -1: none */
    struct planned_refusal *refusals;
    size_t refusals_n;
    struct queue_item rest;
    struct cancel_step *cancel;         /* of WORK_CANCEL (stop.c) */
    struct webhook_result *webhook;     /* of QUEUE_WEBHOOK (webhooks.c) */
    struct planned_person *actor;       /* NULL: none, or known */
    struct tenant *tenant;              /* to be stored; NULL: none */
    bool touches;                       /* the workflow: this is when it was last triggered */
    bool attached;                      /* the event has attachments */
    struct context contexts[CONTEXTS_MAX];      /* to be there after the commit */
    size_t contexts_n;
    bool overflows;                     /* leaves deliveries for which there is no room here: other processes are told */
};

/* plan.c */
struct plan *plan_new(struct engine *e, struct work *w);
void plan_submit(struct plan *p);
/* The item could not even be planned: answers the trigger, or parks or discards the item. Gives the arena back. */
void work_fail(struct engine *e, struct work *w, struct arena *a, const struct error *err);
/* The same for a due item; if what it refers to is gone, it goes too. */
void due_fail(struct engine *e, struct work *w, struct arena *a, const struct error *err);
/* Completes what the machine leaves to the shell: ids of queue items, and the socket form of messages. */
void effects_complete(struct plan *p, struct planned_run *r, const struct facts *f);

/* plan_apply.c and plan_done.c: of the writer's task. */
bool plan_apply(struct write_task *t, struct db *db, struct error *err);
void plan_done(struct write_task *t, const struct error *err);
/* While the effects are at hand: most plans have nothing to announce but numbers. */
struct announcements announcements_of(const struct plan *p);
/* First attempts of requests and the next chunk must not be picked up by the timer thread between the commit and their start. */
void hold_next(struct plan *p, bool begin);
/* inbox-realtime.md §6.1 */
struct str socket_form(struct plan *p, const struct planned_run *r, const struct message *m);

/* webhooks.c: a circuit that the work's result opened or closed is told of, whatever becomes of the result. */
bool webhooks_of_circuit(struct plan *p, struct db *db, struct error *err);

/* The queue items of a run's effects get their ids, and the run its stored form. */
void effects_identify(struct plan *p, struct planned_run *r);

/* stop.c: one step of a cancellation: the fan-out, or some of the runs. */
struct cancel_step {
    struct id event;
    bool stops_fanout, more;            /* more: further runs follow beyond `reached` */
    struct id reached;
    bool stopped;                       /* result of apply */
};
bool cancel_apply(struct plan *p, struct db *db, struct error *err);
/* After the commit or its failure. true: the work goes on with the next step. */
bool cancel_done(struct plan *p, const struct error *err);
void cancel_answer(struct work *w, const struct error *err);

/* attachments.c. Stores the trigger's before its commit; let go of after it, or after its failure. */
bool attachments_hold(struct plan *p, struct error *err);
void attachments_let_go(struct plan *p);
/* Does an event name any? */
bool attachments_named(const struct event_parts *parts);
bool attachments_apply(struct plan *p, struct db *db, struct error *err);

bool somebody_listens(const struct engine *e);
/* After the commit: tells sockets, if there are any. person, organization and payload of r are filled. form: made before. */
void announce_received(struct plan *p, const struct planned_run *r, const struct message *m, struct str form);

/* snooze.c: a message that was put away comes back. */
void plan_wake(struct worker *w, struct work *work);
bool wake_apply(struct plan *p, struct db *db, struct error *err);
void wake_announce(struct plan *p);
/* webhooks.c, in the writer's transaction. */
bool webhook_apply(struct plan *p, struct db *db, struct error *err);
bool webhook_abandon(struct plan *p, struct db *db, struct error *err);
/* What became of the run's messages, to whoever listens. */
bool webhooks_of_run(struct plan *p, const struct planned_run *r, struct db *db, struct error *err);

/* expand.c: the rows of an event that is about to be accepted (p->event is filled but for its doc), and the runs of up to
 * CHUNK single recipients. */
bool trigger_expand(struct worker *w, struct plan *p, const struct trigger *t, int64_t now, struct error *err);
/* The runs of the next chunk of p->event; moves p->fanout. */
bool chunk_expand(struct worker *w, struct plan *p, struct definition *d, const struct event_parts *parts, struct error *err);
/* A later chunk of an accepted event. */
void plan_expand(struct worker *w, struct work *work);

/* members.c: the next people that the event's topics reach; moves the cursor of p->fanout. */
struct member {
    struct subscriber row;
    bool passes;                        /* else: all their subscriptions say no */
    struct str topics;                  /* as in struct run; of one that does not pass: what was evaluated */
    struct id subscription;
    const struct preference_rows *preferences;  /* of a run through that subscription */
};
bool members_next(struct worker *w, struct plan *p, const struct event_parts *parts, struct id workflow, struct str context, int64_t now,
                  struct member **out, size_t *n, bool *ended, struct error *err);

/* company.c: what else takes part in an event, as templates and conditions see it: actor, tenant, contexts. */
bool company_plan(struct worker *w, struct plan *p, const struct trigger *t, int64_t now, struct error *err);
/* Sets actor and tenant of f. */
bool company_facts(struct worker *w, struct plan *p, const struct event *event, const struct event_parts *parts, struct id organization,
                   struct machine_facts *f, struct error *err);
/* How a named subscriber will be stored. */
bool person_load(struct worker *w, struct plan *p, const struct subscriber_patch *patch, struct id environment, int64_t now,
                 struct planned_person *out, struct error *err);

#endif
