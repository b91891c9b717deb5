/* Writes workflows: what requests, sync, publishing and rollback share. Everything here runs on the writer's thread, inside of
 * its transaction (struct api_write.apply). */
#ifndef API_WORKFLOW_WRITE_H
#define API_WORKFLOW_WRITE_H

#include "api/app.h"
#include "model/workflow.h"

/* Inserts w. An identifier that is taken gets "-<short id>" (in a). limit: workflows an environment may have; 0: any number. */
bool workflow_write_create(struct db *db, struct arena *a, struct workflow *w, int64_t limit, struct id user, struct error *err);
/* Takes the workflow with its translations and everything of model/workflow.h. */
bool workflow_write_delete(struct db *db, const struct workflow *w, int64_t now, struct error *err);

/* What copying a workflow into another environment comes to. */
struct workflow_copy {
    struct id_source *ids;
    int64_t now, limit;
    struct id user, environment;        /* the target */
};
/* Creates or overwrites the target's workflow of the same identifier, with its content, preferences and activity; steps keep
 * the target's ids by their stepId, and the target its origin in code. out: the target's row. */
bool workflow_write_copy(struct db *db, struct arena *a, const struct workflow_copy *c, const struct workflow *source,
                         struct workflow *out, struct error *err);

#endif
