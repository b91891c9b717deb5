/* Digest groups: which digest collects, and what it has collected (engine.md §4.7).
 *
 * A decision is made on what was read, outside of the writer; a move puts it into effect, inside, and says with *done
 * false when the group is no longer as it was seen: then nothing of it may be kept, and the decision is made again. So
 * a group has one collecting digest at most, and an event is in one digest exactly, on both databases.
 */
#ifndef MODEL_DIGEST_H
#define MODEL_DIGEST_H

#include "db/db.h"

struct digest_group {
    int64_t revision;           /* 0: nothing is stored of this group, and the rest is zero */
    struct id run;              /* the digest that collects; zero: none */
    int job;
    int64_t due_at;             /* when that one fires */
    int64_t event_at;           /* the latest event of the group */
};

/* An event that another run's digest collects. */
struct digest_event {
    struct id run;              /* its own run and digest job */
    int job;
    int64_t at;                 /* when that run was created */
    struct id event;
    struct str payload;         /* JSON; empty: the event had none, or is gone */
};

enum digest_move_kind {
    DIGEST_PASS,        /* an event goes straight on; it only counts for look-back */
    DIGEST_OPEN,        /* (run, job) begins to collect */
    DIGEST_JOIN,        /* member's event is collected by (run, job) */
    DIGEST_LEAVE,       /* and no longer */
    DIGEST_EXTEND,      /* (run, job) collects until due_at instead */
    DIGEST_CLOSE,       /* (run, job) has fired with `members` collected events, or is canceled without any */
    DIGEST_HAND_OVER    /* member takes the place of (run, job), which had `members` collected events */
};

struct digest_move {
    enum digest_move_kind kind;
    struct str key;
    struct id environment, subscriber;
    struct id run;
    int job;
    int64_t revision;           /* as seen; PASS, OPEN, CLOSE and HAND_OVER. CLOSE, HAND_OVER: 0: the group is another's by now */
    int64_t due_at, event_at, expires_at;
    struct id member;
    int member_job;
    int64_t member_at;
    struct id event;            /* of member */
    int64_t members;
    bool looks_back;            /* CLOSE: the group is kept until it expires */
};

bool digest_group_find(struct db *db, struct str key, struct digest_group *out, struct error *err);
/* What (run, job) collected, oldest first, without its own event. */
bool digest_event_list(struct db *db, struct arena *a, struct id run, int job, struct digest_event **out, size_t *n,
                       struct error *err);
/* In a write transaction. */
bool digest_move(struct db *db, const struct digest_move *m, bool *done, struct error *err);

#endif
