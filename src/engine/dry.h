/* A dry world: what the machine's effects would make true, in memory only (design.md, idea 1).
 *
 * Explain, tests and the simulator run the machine against it instead of a store. A commit applies a run and its effects
 * together, as the writer does, or not at all; what is not committed has not happened. Time is not kept here: who drives
 * the world decides when it takes the next item. Nothing is ever sent, requested or written.
 *
 * All memory is the arena's. Not thread-safe.
 */
#ifndef ENGINE_DRY_H
#define ENGINE_DRY_H

#include "engine/machine.h"

struct dry_group {
    struct str key;
    struct digest_group row;
};

struct dry_member {
    struct id run;                      /* the digest that collects it */
    int job;
    struct digest_event event;
};

struct dry_window {
    struct str key;
    struct throttle_window row;
};

/* What several runs share, as model/digest.h and model/throttle.h keep it. */
struct dry_shares {
    struct arena *arena;
    struct dry_group *groups;
    struct dry_member *members;
    struct dry_window *windows;
    size_t groups_n, groups_cap, members_n, members_cap, windows_n, windows_cap;
    const struct machine_lookups *base; /* what was there before, read once a key; NULL: nothing */
    int64_t base_at;                    /* a digest of the base that was due by then has fired */
    struct machine_lookups lookups;     /* for machine_facts.lookups */
};

void dry_shares_init(struct dry_shares *s, struct arena *a, const struct machine_lookups *base, int64_t base_at);
/* Puts into effect what the machine moves in digests and counts in throttles. payload: JSON of the run's event, or empty.
 * false: it is no longer as it was when the machine decided, and nothing was changed. */
bool dry_shares_apply(struct dry_shares *s, const struct effect *effects, struct str payload);

struct dry {
    struct arena *arena;
    struct dry_shares shares;
    struct run_row *runs;               /* as committed */
    struct message *messages;           /* of all runs */
    struct queue_item *queue;           /* what is still to do, in the order in which it came */
    size_t runs_n, runs_cap, messages_n, messages_cap, queue_n, queue_cap;
    int64_t outbox_n, received_n;
};

void dry_init(struct dry *w, struct arena *a, const struct machine_lookups *base, int64_t base_at);
/* The run (new or advanced) with its effects; removes the item that led to it (NULL: none). false: the run, or what it
 * shares with others, has changed since it was decided, and nothing was done. */
bool dry_commit(struct dry *w, struct machine *m, struct str payload, const struct queue_item *consumed);
/* The first that is due, at `until` at the latest; it stays in the queue. NULL: none. */
const struct queue_item *dry_next(const struct dry *w, int64_t until);
/* Its place in runs; runs_n: it is not there. */
size_t dry_run_of(const struct dry *w, struct id run);
void dry_unqueue(struct dry *w, struct id item);

#endif
