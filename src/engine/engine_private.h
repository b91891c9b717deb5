/* What the parts of the engine's shell share. */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include <pthread.h>

#include "base/arena_pool.h"
#include "engine/engine.h"
#include "model/attachment.h"
#include "model/event.h"
#include "model/fanout.h"
#include "model/people.h"

enum {
    CHUNK = 100,                /* recipients expanded in one plan */
    WORKER_QUEUE_MAX = 8192,    /* items waiting at one worker before triggers are refused */
    REPLANS_MAX = 20,
    CHUNKS_AHEAD = 2,           /* chunks of one fan-out under way at a time */
    TURN = 32,                  /* items that a worker takes at a time, see worker.c */
    FAIR_SHARE = 16,            /* other items that a worker takes in a row while a chunk of a fan-out waits */
    DELIVERIES_AT_ONCE = 2048,  /* of one process; more of them wait in the store, where they hold up nothing else */
    WEBHOOKS_AT_ONCE = 128,     /* the same for webhooks: half of what the dispatcher has under way at a time */
    WEBHOOKS_PER_ENDPOINT = 8,  /* so that a slow endpoint holds up its own only; half of what a host is sent at a time */
    WEBHOOKS_PER_FAILING = 2    /* … and one that only fails takes little from the others */
};

/* db/notify.h: there is something to do now, and nobody has it in hand. */
#define NOTIFY_DUE "carillon_due"

enum work_kind { WORK_TRIGGER, WORK_DUE, WORK_DELIVERED, WORK_REDRIVE, WORK_CANCEL, WORK_HEARD };

/* A circuit that a delivery's result opened or closed: endpoints are told in the commit of that result. */
struct circuit_turn {
    struct id integration;
    struct circuit_view now;
};

struct work {
    enum work_kind kind;
    struct trigger *trigger;            /* WORK_TRIGGER */
    struct cancellation *cancellation;  /* WORK_CANCEL */
    struct id after;                    /* … of the event's runs, those up to this one are done */
    struct queue_item item;             /* all others; of WORK_HEARD only the ids */
    struct machine_input input;         /* WORK_DELIVERED, WORK_REDRIVE: texts in arena */
    struct circuit_turn *turn;          /* the same: in arena; NULL: none */
    struct arena *arena;                /* of input, or NULL */
    struct relay_leg *leg;              /* a chunk that follows one of this process; NULL: the store says where it begins */
    int replans, parks;
    int64_t again_ns;                   /* parked until then (monotonic) */
    struct work *next;
};

/* First in, first out. */
struct lane {
    struct work *first, **last;
};

struct worker {
    struct engine *engine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct lane lane, chunks;   /* chunks of fan-outs apart: see "Fairness" in engine.h */
    int in_a_row;               /* items of lane taken while a chunk waited */
    _Atomic int depth;
    bool stop;
    struct db *db;
    bool views;                 /* the thread's own: a read transaction of db is open */
    bool may_view;              /* … or would be worth it: more is behind this item in the turn */
    uint64_t mark;              /* people_mark before views began */
};

enum { TOUCHES = 64 };
struct touch {
    struct id workflow;
    int64_t at;
};

struct flight;          /* the set of queue items that are being worked on */

struct engine {
    struct engine_config c;
    struct attachment_store *attachments;
    struct arena_pool *plan_arenas;     /* made by workers, ended by the writer */
    struct id boot;                     /* owner of the queue items that this process holds */
    struct worker *workers;
    int workers_n;

    pthread_mutex_t lock;               /* of what follows */
    pthread_cond_t changed;             /* next_due moved, an advance was asked for, parked, stop */
    pthread_cond_t idle;                /* busy fell to what is out, or all of changed: apart, since it falls all the time */
    struct flight *flights;             /* tree of struct flight, see flights.c */
    int64_t next_due;                   /* of the queue beyond what is in flight; INT64_MAX unknown/none */
    struct work *parked;                /* could not be written for now; the timer thread gives them back */
    struct advance *advances;
    struct touch touches[TOUCHES];
    int64_t out;                        /* of busy: deliveries that the world has */
    bool no_attempts;                   /* stopping: no further delivery leaves */
    bool ended;                         /* results that still come are dropped */
    bool left;                          /* engine_stop has returned: the last of those results frees the engine */
    _Atomic bool stop;
    _Atomic int64_t busy;               /* rises anywhere, falls under the lock */
    _Atomic int64_t deliveries;         /* of busy: deliveries between their start and the commit of their result */
    _Atomic int64_t webhooks;           /* of busy: the same for webhooks */
    struct webhook_loads *webhook_loads;
    struct circuits *circuits;
    struct people *people;              /* NULL: none are kept */
    struct lease *lease;                /* claims.c */
    pthread_t timer_thread;
    struct db *timer_db;
    int64_t tidy_at, purge_at;          /* the timer thread's: when housekeeping is due; 0: not known yet */

    struct {
        struct counter *triggers, *runs, *messages[CHANNELS], *attempts, *busy;
        struct histogram *lateness;
    } metrics;
};

/* worker.c */
bool workers_start(struct engine *e, struct error *err);
void workers_stop(struct engine *e);
void work_push(struct engine *e, struct work *w, struct id key);
/* Before a statement whose result is kept: opens the turn's view of the store, if it has one. The mark for people_load. */
uint64_t worker_view(struct worker *w);
void work_done(struct engine *e);       /* one item less is busy */
void work_end(struct engine *e, struct work *w);        /* its flight, its accounting, its memory */
/* Nothing is wrong with the item, but with the store: it stays in flight and comes again in a moment. A delivery's
 * result is kept like this, too: to forget it would be to send twice. While stopping it ends; its row stays. */
void work_park(struct engine *e, struct work *w, const struct error *why);
/* Gives parked items whose time has come back to their workers; all: ends them instead. */
void work_unpark(struct engine *e, bool all);
/* Under the lock: when the next one's time comes (monotonic ns); INT64_MAX: none. */
int64_t work_parked_until(const struct engine *e);

/* plan.c: plans and submits; each ends in work_end or work_park. */
void plan_trigger(struct worker *w, struct work *work);
void plan_due(struct worker *w, struct work *work);
void plan_delivered(struct worker *w, struct work *work);
void plan_cancel(struct worker *w, struct work *work);

/* For good: takes the item's row; its run, if there is one, ends with an error. */
void work_discard(struct engine *e, struct work *w, const struct error *why);
/* Parks the item or, if the store will never take it, discards it. */
void work_retry(struct engine *e, struct work *w, const struct error *err);

/* snooze.c: words of other processes about in-app messages, for the sockets here (db/notify.h). */
#define NOTIFY_RECEIVED "message_received"
bool received_publish(struct engine *e, struct db *db, const struct message *m, struct error *err);
void received_heard(void *engine, struct str word);
void plan_heard(struct worker *w, struct work *work);

/* attempt.c: the item stays in flight until the result is committed. */
void attempt_delivery(struct worker *w, struct work *work);
/* From here on the engine may stop without it. false: it is stopping, nothing leaves any more. */
bool attempt_leave(struct engine *e);
/* false: too late, engine_stop did not wait for it. Its queue row is still there: the next start attempts it again. */
bool attempt_come_back(struct engine *e);
/* call.c: the same for the HTTP request of a step. */
void attempt_call(struct worker *w, struct work *work);

/* webhooks.c: what endpoints are told. The scan is the timer thread's: starts what is due, as each endpoint's pace and the
 * number of those under way allow; *next: when there is more. false: the store cannot be read or written. */
void webhooks_start(struct engine *e);
void webhooks_stop(struct engine *e);
bool webhooks_scan(struct engine *e, int64_t *next, struct error *err);
void attempt_webhook(struct worker *w, struct work *work);
void plan_webhook(struct worker *w, struct work *work);
/* In work_end. */
void webhook_over(struct engine *e, struct id endpoint);

/* claims.c: which deliveries this process makes. */
bool claims_start(struct engine *e, struct error *err);
void claims_stop(struct engine *e);
/* The lease is no longer renewed, as if this process were dead (claims_stop begins with it, tests use it alone). */
void claims_lapse(struct engine *e);
/* Takes over what dead processes had begun; nothing once the engine begins to stop. */
bool claims_adopt(struct engine *e, struct error *err);
/* On the timer thread: starts the deliveries that are due now. *next: when the next one is; *full: there are more, but no
 * room. false: the store cannot be read or written. */
bool claims_scan(struct engine *e, int64_t *next, bool *full, struct error *err);
/* Makes due items of the queue this process's, where several share it. */
bool claims_queue(struct engine *e, int64_t now, struct queue_item *out, size_t max, size_t *n, struct error *err);
/* May a call to the outside begin now? Not when the lease could end before the call does. */
bool claims_hold(const struct engine *e);
/* Processes that share the store. */
int claims_share(const struct engine *e);
/* A delivery that the store says this process has started. */
void delivery_start(struct engine *e, const struct delivery_record *r);
/* One that was begun by a process that is gone: nobody knows how its attempt ended, so it counts. */
void delivery_adopt(struct engine *e, const struct delivery_record *r);
/* Gives it back: it waits until due_at. Ends the work. */
void delivery_give_back(struct engine *e, struct work *w, int64_t due_at, struct id slot);
struct delivery_policy delivery_policy_of(const struct engine *e, const struct environment_view *v, struct id integration);
/* attachments.c: the bytes of the attachments that d->doc names. ERROR_NOT_FOUND: they are gone. */
bool delivery_attachments(struct worker *w, struct engine_delivery *d, struct error *err);

/* flights.c: an item is in flight from when it is queued here until its plan is committed or given up. */
bool flight_begin(struct engine *e, struct id item);    /* false: already in flight */
void flight_end(struct engine *e, struct id item);
void flights_free(struct engine *e);

/* relay.c: chunks of one fan-out are planned while those before them are still being written. */
struct relay_leg;
/* Where the chunk of w begins; NULL: at what is stored. */
const struct fanout *relay_begins(const struct work *w);
/* The chunk behind that of `before`, NULL if it must wait for the commit of that one: item is inserted by the commit of that one, which moves the cursor to f. */
struct work *relay_next(struct engine *e, const struct work *before, const struct queue_item *item, const struct fanout *f);
/* Gives it to its worker, at once or when fewer are under way. The chunk before it has been handed to the writer. */
void relay_push(struct engine *e, struct work *next);
/* The plan of w was not written: nothing that follows from it will be. */
void relay_break(struct engine *e, const struct work *w);
/* In work_end. */
void relay_leave(struct engine *e, struct work *w);

void engine_free(struct engine *e);

/* timers.c */
bool timers_start(struct engine *e, struct error *err);
void timers_stop(struct engine *e);
void timers_due(struct engine *e, int64_t due_at);      /* something is due then */

/* housekeeping.c: on the timer thread, whenever it has looked at the queue; starts what is due of it. */
void housekeeping_due(struct engine *e, int64_t now);
/* Is it time to write when this workflow was last triggered? At most once a minute. */
bool workflow_touch_due(struct engine *e, struct id workflow, int64_t now);

/* What an event was triggered with; NULL what was not given. Of a trigger being accepted its request's own values, else
 * those of the stored document. */
struct event_parts {
    yyjson_val *payload, *overrides, *to, *actor, *tenant, *context, *bridge, *controls;
};
struct event_parts event_parts_of(yyjson_val *doc);

/* facts.c */
struct facts {
    struct machine_facts machine;
    struct machine_lookups lookups;     /* machine.lookups */
    bool workflow_gone;                 /* machine.workflow_gone */
    struct environment_view *environment;
    struct definition *version, *current;
    struct environment_layouts *layouts;
    struct channel_endpoint *endpoints;
    size_t endpoints_n;
    struct subscriber subscriber;
    struct preference_rows preferences;
};
/* Loads what the machine needs for a run (ids, workflow, version, context and subscription set). definition: of a trigger that
 * is only now read; NULL: the run is stored. subscriber, preferences NULL: load them. */
bool facts_load(struct engine *e, struct db *db, struct arena *a, const struct run *run, const struct event *event,
                const struct event_parts *parts, struct definition *definition, const struct subscriber *subscriber,
                const struct preference_rows *preferences, struct facts *f, struct error *err);
/* Of the run's messages: a mail that was opened counts as seen and read for filters that ask (engine.md §5.3). */
bool facts_opened(struct db *db, struct arena *a, const struct facts *f, const struct run_row *row, struct message *messages, size_t n,
                  struct error *err);
void facts_release(struct facts *f);
/* What runs share, as this connection sees it. */
struct machine_lookups lookups_of(struct db *db);

#endif
