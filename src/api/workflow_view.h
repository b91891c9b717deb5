/* Workflows as answers (WorkflowResponseDto, WorkflowListResponseDto, StepResponseDto of contract.json). */
#ifndef API_WORKFLOW_VIEW_H
#define API_WORKFLOW_VIEW_H

#include "api/workflow_content.h"

yyjson_mut_val *workflow_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w);
/* Puts in what is known after the commit only: ids, identifier, version and times. Cheap: for the writer's thread. */
void workflow_json_settle(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *answer, const struct workflow *w);
yyjson_mut_val *workflow_summary_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w);
/* One step by its index. */
yyjson_mut_val *workflow_step_json(yyjson_mut_doc *d, struct arena *a, const struct workflow_content *c, const struct workflow *w,
                                   size_t step);
/* The index of a step by its id, stepId or slug; -1: there is none. */
int workflow_step_find(yyjson_val *doc, struct str key);

#endif
