/* What a subscriber chose to receive, and how the layers of choices merge (engine.md §6, decisions.md 15).
 *
 * A row belongs to one subscriber, and to a context (sorted keys joined by ",", "" for none). It says only what was
 * set. Workflow-level preferences (default and user) live in the workflow's document, not here.
 */
#ifndef MODEL_PREFERENCE_H
#define MODEL_PREFERENCE_H

#include "base/json.h"
#include "db/db.h"
#include "model/types.h"

enum choice { CHOICE_UNSET = -1, CHOICE_OFF = 0, CHOICE_ON = 1 };

struct preference {
    struct id id, environment, subscriber;
    struct id workflow;                 /* zero: the global row */
    struct id subscription;             /* zero: not bound to a topic subscription */
    struct str context;
    enum choice enabled;                /* all.enabled */
    enum choice channel[CHANNELS];
    struct str condition;               /* all.condition, JSON-logic text; p NULL: none (subscription rows) */
    struct str schedule;                /* JSON text; p NULL: none (global rows) */
    int64_t created_at, updated_at;
};

/* Everything unset. */
struct preference preference_blank(void);

/* Rows that decide for one run: the global one and the workflow's, of exactly this context, or, where that has none,
 * of no context (engine.md §6.5); and the subscription's if its id is not zero. found bits say which are there. */
enum { PREFERENCE_GLOBAL = 1, PREFERENCE_WORKFLOW = 2, PREFERENCE_SUBSCRIPTION = 4 };
struct preference_rows {
    unsigned found;
    struct preference global, workflow, subscription;
};
bool preference_for_run(struct db *db, struct arena *a, struct id subscriber, struct id workflow, struct id subscription,
                        struct str context, struct preference_rows *out, struct error *err);

/* Has anybody a global row, or one of this workflow? *any false: preference_for_run finds nothing for it. At the same cost
 * however many there are. */
bool preference_any(struct db *db, struct id workflow, bool *any, struct error *err);

/* All rows of a subscriber; context NULL: of every context. Subscription rows included. */
bool preference_list(struct db *db, struct arena *a, struct id subscriber, const struct str *context,
                     struct preference **out, size_t *n, struct error *err);
/* The rows of one topic subscription. */
bool preference_list_by_subscription(struct db *db, struct arena *a, struct id subscription, struct preference **out,
                                     size_t *n, struct error *err);

/* Both writes are worked out from what is stored: the caller holds the subscriber (subscriber_find_locked), or for a
 * subscription's rows the subscription.
 * Merges what p sets into the stored row (keyed by subscriber, workflow, subscription, context), or inserts it with
 * p->id. Writing a channel on the global row takes that channel out of the subscriber's workflow rows of the same
 * context (decisions.md 15). */
bool preference_write(struct db *db, const struct preference *p, int64_t now, struct error *err);
/* A row exactly as given, replacing what was there (condition and schedule too). */
bool preference_replace(struct db *db, const struct preference *p, int64_t now, struct error *err);
bool preference_delete_by_subscription(struct db *db, struct id subscription, struct error *err);
bool preference_delete_by_workflow(struct db *db, struct id workflow, struct error *err);

/* --- merging: pure ------------------------------------------------------------------------------------- */

/* Which layer had the last word; named in execution details and in `overrides` on the wire. */
enum preference_source {
    SOURCE_WORKFLOW_RESOURCE, SOURCE_USER_WORKFLOW, SOURCE_TENANT, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_WORKFLOW,
    SOURCE_SUBSCRIPTION
};

/* The workflow's own layers, from its document. */
struct workflow_preferences {
    bool has_resource, has_user;        /* which of {default, user} are there */
    bool read_only;                     /* critical: subscriber rows are left out */
    enum choice enabled[2];             /* resource, user */
    enum choice channel[2][CHANNELS];
    bool has_tenant;                    /* what the workflow does differently for the run's tenant (engine.md §6.3) */
    enum choice tenant[CHANNELS];
};
/* preferences: the document's {user, default}; NULL: none. */
struct workflow_preferences workflow_preferences_read(yyjson_val *preferences);
/* Lays a workflow override's {email: false, …} over w; NULL: there is none. */
void workflow_preferences_override(struct workflow_preferences *w, yyjson_val *channels);

struct preference_result {
    bool channel[CHANNELS];             /* effective (engine.md §6.3) */
    enum preference_source by[CHANNELS];/* who decided it */
    enum preference_source source;      /* the most specific layer present (engine.md §6.2, "type") */
    bool read_only;
};
/* rows NULL: none. workflow_off_is_final: decisions.md 15. */
struct preference_result preference_merge(const struct workflow_preferences *w, const struct preference_rows *rows,
                                          bool workflow_off_is_final);

/* The weekly schedule's wire form (12-hour times): messages as class-validator writes them, "schedule…" first. Returns
 * how many of at most max were found; 0: valid. */
size_t schedule_check(struct arena *a, yyjson_val *schedule, struct str *messages, size_t max);

#endif
