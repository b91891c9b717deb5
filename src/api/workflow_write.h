/* Writes workflows: what requests, sync, publishing and rollback share. Everything here runs on the writer's thread, inside of
 * its transaction (struct api_write.apply), on behalf of the request, and tells webhook endpoints (bridge-cli.md §8). */
#ifndef API_WORKFLOW_WRITE_H
#define API_WORKFLOW_WRITE_H

#include "api/app.h"
#include "model/workflow.h"

/* Inserts w, if its environment may have one more. An identifier that is taken gets "-<short id>" (in the request's arena). */
bool workflow_write_create(struct request *rq, struct db *db, struct workflow *w, struct error *err);
/* As workflow_update. */
/* … _seen: of a row that was worked out from what the handler had read (write_follows). */
bool workflow_write_update_seen(struct api_write *write, struct db *db, struct workflow *w, struct error *err);
bool workflow_write_update(struct request *rq, struct db *db, struct workflow *w, struct error *err);
/* Takes the workflow with its translations and everything of model/workflow.h. */
bool workflow_write_delete(struct request *rq, struct db *db, const struct workflow *w, struct error *err);

/* Creates or overwrites the workflow of the same identifier in the environment `target`, with its content, preferences and activity; steps keep
 * the target's ids by their stepId, and the target its origin in code. out: the target's row. */
bool workflow_write_copy(struct request *rq, struct db *db, struct id target, const struct workflow *source, struct workflow *out,
                         struct error *err);

#endif
