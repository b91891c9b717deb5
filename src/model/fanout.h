/* Fan-outs: triggers that go to more people than their first commit holds (beyond.md §9, engine.md §1.5).
 *
 * The row is cursor and progress in one. While it runs, one row of the queue (QUEUE_EVENT) says so; each chunk takes
 * that row, makes its runs, moves the cursor and leaves the next queue row, all in one commit. So a chunk happens once,
 * whatever dies when; and who takes the queue row away (pause, cancel) has stopped it.
 */
#ifndef MODEL_FANOUT_H
#define MODEL_FANOUT_H

#include "db/db.h"

/* Stored numbers. */
enum fanout_state { FANOUT_RUNNING = 1, FANOUT_PAUSED, FANOUT_COMPLETED, FANOUT_CANCELED };
/* In this order: who was addressed singly is left out of the topics. */
enum fanout_part { FANOUT_SINGLES, FANOUT_TOPICS, FANOUT_EVERYONE };

struct fanout {
    struct id event, environment;
    enum fanout_state state;
    enum fanout_part part;
    int64_t chunk;                  /* FANOUT_SINGLES: the next of fanout_chunks */
    struct id reached;              /* the others: subscribers up to this one are done */
    bool singles;                   /* somebody was addressed singly */
    int64_t total;                  /* people to look at; -1: not known yet */
    int64_t expanded;               /* people looked at */
    int64_t runs;                   /* people who got a run */
    int64_t filtered;               /* people without, for all their topic subscriptions said no */
    int64_t subscriptions_evaluated, subscriptions_filtered;
    int64_t created_at, updated_at;
};

bool fanout_insert(struct db *db, const struct fanout *f, struct error *err);
bool fanout_find(struct db *db, struct id event, struct fanout *out, struct error *err);
/* Writes cursor, counts and state of a running one. */
bool fanout_update(struct db *db, const struct fanout *f, struct error *err);
/* These say with *changed whether there was something to do; a chunk that is planned now will not be written. */
bool fanout_pause(struct db *db, struct id event, int64_t now, bool *changed, struct error *err);
/* item: a fresh id for the queue row. */
bool fanout_resume(struct db *db, struct id event, struct id item, int64_t now, bool *changed, struct error *err);
/* For good: running or paused. Its remaining recipients are forgotten. */
bool fanout_cancel(struct db *db, struct id event, int64_t now, bool *changed, struct error *err);
struct str fanout_state_name(enum fanout_state s);

/* Recipients behind the first commit, as a JSON array. ERROR_NOT_FOUND behind the last chunk. */
bool fanout_chunk_insert(struct db *db, struct id event, int64_t chunk, struct str recipients, struct error *err);
bool fanout_chunk_find(struct db *db, struct arena *a, struct id event, int64_t chunk, struct str *recipients,
                       struct error *err);
bool fanout_chunk_delete(struct db *db, struct id event, int64_t chunk, struct error *err);

/* Somebody got no run: evaluations as in struct run's topics. */
bool fanout_refuse(struct db *db, struct id event, struct id subscriber, struct str evaluations, int64_t version, int64_t now,
                   struct error *err);
bool fanout_delete(struct db *db, struct id event, struct error *err);     /* with all that belongs to it */

#endif
