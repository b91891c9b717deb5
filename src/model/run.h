/* Runs: one workflow for one subscriber; on the wire a "notification" (engine.md §2.1). */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "db/db.h"
#include "model/types.h"

/* The row. What happened inside (jobs, step log) is in state, which the engine reads and writes. */
struct run_row {
    struct id id, environment, event, workflow, subscriber;
    int64_t workflow_version;
    struct str context;                 /* sorted context keys joined by ",", "" for none */
    enum run_status status;
    enum delivery_status delivery;
    enum severity severity;
    unsigned channels;                  /* bits 1 << enum step_type of the active steps */
    int64_t revision;
    struct str state;                   /* JSON */
    bool by_message;                    /* for run_insert: inserted with a message that has its id, in no context; a person's runs are
                                         * listed through that (run_private.h) */
    int64_t created_at, updated_at;
};

/* ERROR_NOT_FOUND if its subscriber does not exist. */
bool run_insert(struct db *db, const struct run_row *r, struct error *err);
/* The same of one who is known to exist. */
bool run_insert_of(struct db *db, const struct run_row *r, struct error *err);
/* Writes status, delivery, state, updated_at if the stored revision is still r->revision, and raises it.
 * *updated is false when somebody else was first. */
bool run_update(struct db *db, const struct run_row *r, bool *updated, struct error *err);
/* A message of this run was seen, read, archived or snoozed (engine.md §9 rule 1). */
bool run_mark_interacted(struct db *db, struct id environment, struct id id, struct error *err);

/* … and what exactly, for the activity feed (engine.md §7.6). Stored letters. */
enum run_mark {
    MARKED_SEEN = 's', MARKED_READ = 'r', MARKED_UNREAD = 'u', MARKED_ARCHIVED = 'a', MARKED_UNARCHIVED = 'b',
    MARKED_SNOOZED = 'z', MARKED_UNSNOOZED = 'w',
    /* What a provider reported (providers.md §8). */
    MARKED_DELIVERED = 'd', MARKED_OPENED = 'o', MARKED_CLICKED = 'c', MARKED_UNDELIVERED = 'x'
};
enum { RUN_MARKS_MAX = 4000 };          /* bytes of a run's marks: people may toggle for ever, the first ones are kept */
bool run_mark(struct db *db, struct id environment, struct id id, struct id message, enum run_mark what, int64_t now,
              struct error *err);
/* The same for what a provider reports: delivered, opened or clicked lifts a run that is pending or sent to delivered. */
bool run_mark_reported(struct db *db, struct id environment, struct id id, struct id message, enum run_mark what, int64_t now,
                       struct error *err);
struct run_marked {
    enum run_mark what;
    struct id message;
    int64_t at;
};
/* In order. */
bool run_marks(struct db *db, struct arena *a, struct id environment, struct id id, struct run_marked **out, size_t *n,
               struct error *err);
/* Before a message goes, or gets another time: the run that was listed through it is so no more. Nothing if there is none. */
bool run_list_itself(struct db *db, struct id environment, struct id message, struct error *err);
bool run_find(struct db *db, struct arena *a, struct id environment, struct id id, struct run_row *out, struct error *err);

bool run_count_by_event(struct db *db, struct id environment, struct id event, int64_t *n, struct error *err);
/* Has this event, which is not for one person alone, a run for this subscriber? Looks only at the subscriber's runs since then. */
bool run_exists(struct db *db, struct id event, struct id subscriber, bool *exists, struct error *err);

/* Runs of an event beyond `after`, in order of id, that may still do something: not ended, or merged into a digest. */
bool run_list_open(struct db *db, struct arena *a, struct id environment, struct id event, struct id after, int limit, struct run_row **out,
                   size_t *n, struct error *err);

struct run_query {
    struct id event;                    /* zero: any */
    const struct id *events;            /* any of these, beside event */
    size_t events_n;
    const struct str *context;          /* these keys exactly; NULL: any */
    struct str topic_key, subscription; /* came through that topic, by that subscription (its id or identifier); empty: any */
    const struct id *workflows, *subscribers;
    size_t workflows_n, subscribers_n;
    unsigned channels;                  /* any of these steps; 0: any */
    unsigned severities;                /* bits; 0: any */
    int64_t from, to;                   /* createdAt bounds in ms, inclusive; 0: none */
    int64_t offset;
    int limit;
};
/* No run made at that time or later has a smaller id (allowing for clocks that differ by a minute): what bounds a list in time
 * through the order of ids. */
struct id run_id_floor(int64_t from);
/* Newest first: by id; those of subscribers by the time when they were made. */
bool run_list(struct db *db, struct arena *a, struct id environment, const struct run_query *q, struct run_row **out,
              size_t *n, struct error *err);

#endif
