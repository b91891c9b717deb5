/* What planning consists of: a plan (the rows of one commit), who fills it, who submits it. */
#ifndef ENGINE_PLAN_PRIVATE_H
#define ENGINE_PLAN_PRIVATE_H

#include "engine/engine_private.h"

struct planned_run {
    struct run run;
    struct machine machine;
    bool fresh;                         /* insert, not update */
    bool upsert;
    struct subscriber_patch patch;
    struct subscriber subscriber;       /* as it will be stored */
    struct str *received;               /* socket form of each EFFECT_RECEIVED, in order; empty: not made, nobody listened */
    size_t received_n;
    struct id organization;             /* for making it after all */
    yyjson_val *payload;
};

struct plan {
    struct write_task task;
    struct engine *engine;
    struct arena *arena;
    struct work *work;
    bool insert_event;
    struct event event;
    struct planned_run *runs;
    size_t runs_n;
    bool consumes;                      /* takes work->item; without it nothing is written */
    bool abandons;                      /* ends the item's run with an error */
    bool continues;                     /* inserts rest: the cursor of what is still to expand */
    struct queue_item rest;
    bool conflict, taken;               /* results of apply */
    enum trigger_result result;
    struct str before;                  /* transactionId that the idempotency key was used with; p NULL: none */
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

/* expand.c: a later chunk of an accepted event. */
void plan_expand(struct worker *w, struct work *work);

#endif
