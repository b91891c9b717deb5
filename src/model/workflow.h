/* Workflows and their immutable versions (rest-api.md §6.8, decisions.md 16).
 *
 * doc is the definition as JSON: {workflowId, description, tags, severity, validatePayload, payloadSchema,
 * isTranslationEnabled, agent, origin, preferences:{user, default}, steps:[{_id, stepId, name, type, active,
 * shouldStopOnFail, controlValues, providerOverrides, issues, filters, uuid, replyCallback, legacy}], legacy}. The last four of
 * a step and the workflow's own legacy are what older clients gave (api/legacy_step.h). issues are those of the control values (content.md §3.4), made
 * when the workflow is written; absent: none.
 */
#ifndef MODEL_WORKFLOW_H
#define MODEL_WORKFLOW_H

#include "base/json.h"
#include "db/db.h"

struct workflow {
    struct id id, environment;
    struct str identifier, name;
    bool active;
    int64_t version;
    struct str doc;
    int64_t created_at, updated_at, last_triggered_at;      /* last_triggered_at 0: never */
};

bool workflow_insert(struct db *db, const struct workflow *w, struct id user, struct error *err);
/* Writes name, active, doc; a new version row when doc or name differ from the stored. w->version is set. */
bool workflow_update(struct db *db, struct workflow *w, struct id user, struct error *err);
bool workflow_touch(struct db *db, struct id environment, struct id id, int64_t triggered_at, struct error *err);
/* Takes the workflow, what it overrides for tenants, and the first of its subscribers' preferences; the rest of them goes by
 * removal_continue. Versions stay for the runs that name them. */
bool workflow_delete(struct db *db, struct id environment, struct id id, int64_t now, struct error *err);
bool workflow_count(struct db *db, struct id environment, int64_t *n, struct error *err);

/* key: internal id, identifier or slug (rest-api.md §3.3). ERROR_NOT_FOUND: "Workflow cannot be found". */
bool workflow_find(struct db *db, struct arena *a, struct id environment, struct str key, struct workflow *out,
                   struct error *err);
bool workflow_find_by_identifier(struct db *db, struct arena *a, struct id environment, struct str identifier,
                                 struct workflow *out, struct error *err);
bool workflow_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct workflow *out,
                         struct error *err);

struct workflow_query {
    struct str query;               /* substring of name or identifier, case-insensitive; empty: all */
    int64_t limit, offset;
    enum { WORKFLOWS_BY_CREATED, WORKFLOWS_BY_UPDATED, WORKFLOWS_BY_NAME, WORKFLOWS_BY_TRIGGERED } order_by;
    bool ascending;
};
/* All matches of the text filter, ordered; tags and status are filtered by the caller, who pages. */
bool workflow_list(struct db *db, struct arena *a, struct id environment, const struct workflow_query *q,
                   struct workflow **out, size_t *n, struct error *err);

struct workflow_version {
    int64_t number, created_at;
    struct id user;                 /* zero: unknown */
    struct str name, hash_hex, doc; /* doc is not read by the list */
};
/* Newest first, with how many there are. */
bool workflow_version_list(struct db *db, struct arena *a, struct id workflow, int64_t offset, int64_t limit,
                           struct workflow_version **out, size_t *n, int64_t *total, struct error *err);
/* ERROR_NOT_FOUND: "Workflow version not found". */
bool workflow_version_find(struct db *db, struct arena *a, struct id workflow, int64_t number, struct workflow_version *out,
                           struct error *err);

/* "<slug of the name>_<prefix><16 characters of base 62>" (rest-api.md §3.3). */
struct str slug_make(struct arena *a, struct str name, const char *prefix, struct id id);
/* Decodes only values of exactly that shape. */
bool slug_parse(struct str slug, const char *prefix, struct id *id);
/* Lower-case words of [a-z0-9] joined by "-", other scripts in Latin letters, words that begin inside of words told apart, as
 * slugify of npm @novu/shared has it; may be empty. */
struct str slugify(struct arena *a, struct str name);

#endif
