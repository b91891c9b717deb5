/* What the files of /v2/workflows share. */
#ifndef API_WORKFLOW_PRIVATE_H
#define API_WORKFLOW_PRIVATE_H

#include "api/workflow_content.h"

/* The workflow of the path; false: answered with 404, the id that was asked for in ctx. */
bool workflow_load(struct request *rq, struct workflow *w);
/* The same for a change; false: answered, also with 403 in a read-only environment. */
bool workflow_load_writable(struct request *rq, struct workflow *w, struct workflow_content *c);

/* Write the row with its issues and answer with the workflow. create makes id, version and times. */
void workflow_submit_update(struct request *rq, const struct workflow *row, const struct workflow_content *c);
void workflow_submit_create(struct request *rq, const struct workflow *row, const struct workflow_content *c);

void workflow_handle_sync(struct request *rq);
void workflow_handle_test_data(struct request *rq);
void workflow_handle_preview(struct request *rq);
void workflow_handle_test_request(struct request *rq);
void workflow_handle_versions(struct request *rq);
void workflow_handle_version(struct request *rq);
void workflow_handle_diff(struct request *rq);
void workflow_handle_rollback(struct request *rq);

#endif
