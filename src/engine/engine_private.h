/* What the parts of the engine's shell share. */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include <pthread.h>

#include "engine/engine.h"
#include "model/event.h"

enum {
    CHUNK = 100,                /* recipients expanded in one plan */
    WORKER_QUEUE_MAX = 8192,    /* items waiting at one worker before triggers are refused */
    REPLANS_MAX = 20
};

enum work_kind { WORK_TRIGGER, WORK_DUE, WORK_DELIVERED };

struct work {
    enum work_kind kind;
    struct trigger *trigger;            /* WORK_TRIGGER */
    struct queue_item item;             /* WORK_DUE, WORK_DELIVERED */
    struct machine_input input;         /* WORK_DELIVERED: texts in arena */
    struct arena *arena;                /* of input, or NULL */
    int replans;
    struct work *next;
};

struct worker {
    struct engine *engine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, **last;
    _Atomic int depth;
    bool stop;
    struct db *db;
};

struct flight;          /* the set of queue items that are being worked on */

struct engine {
    struct engine_config c;
    struct id boot;                     /* owner of the queue items that this process holds */
    struct worker *workers;
    int workers_n;

    pthread_mutex_t lock;               /* of what follows */
    pthread_cond_t changed;             /* busy fell to zero, next_due moved, an advance was asked for, stop */
    struct flight *flights;             /* tree of struct flight, see flights.c */
    int64_t next_due;                   /* of the queue beyond what is in flight; INT64_MAX unknown/none */
    bool rescan;                        /* look at the queue now */
    struct advance *advances;
    _Atomic bool stop;
    _Atomic int64_t busy;
    pthread_t timer_thread;
    struct db *timer_db;

    struct {
        struct counter *triggers, *runs, *messages[CHANNELS], *attempts, *busy;
        struct histogram *lateness;
    } metrics;
};

/* worker.c */
bool workers_start(struct engine *e, struct error *err);
void workers_stop(struct engine *e);
void work_push(struct engine *e, struct work *w, struct id key);
void work_done(struct engine *e);       /* one item less is busy */

/* plan.c: plans and submits; each ends in work_done. */
void plan_trigger(struct worker *w, struct work *work);
void plan_due(struct worker *w, struct work *work);
void plan_delivered(struct worker *w, struct work *work);

/* flights.c: an item is in flight from when it is queued here until its plan is committed or given up. */
bool flight_begin(struct engine *e, struct id item);    /* false: already in flight */
void flight_end(struct engine *e, struct id item);
void flights_free(struct engine *e);

/* timers.c */
bool timers_start(struct engine *e, struct error *err);
void timers_stop(struct engine *e);
void timers_due(struct engine *e, int64_t due_at);      /* something is due then */
void timers_rescan(struct engine *e, int64_t after_ms); /* an item was given up: look again */

/* facts.c */
struct facts {
    struct machine_facts machine;
    struct environment_view *environment;
    struct definition *version, *current;
    struct subscriber subscriber;
};
/* Loads what the machine needs for a run of `row` (ids, workflow and version set). subscriber NULL: load it. */
bool facts_load(struct engine *e, struct db *db, struct arena *a, const struct run_row *row, const struct event *event,
                struct definition *definition, const struct subscriber *subscriber, struct facts *f, struct error *err);
void facts_release(struct facts *f);

#endif
