/* What is wrong with a step's content, said before it is sent (content.md §3.4). Content mistakes never fail a call. */
#ifndef CONTENT_ISSUES_H
#define CONTENT_ISSUES_H

#include "content/variable_schema.h"

struct issue_input {
    struct str origin, type;    /* of the workflow ("novu-cloud", …) and of the step; or "layout" */
    yyjson_val *schema;         /* the step's own, which its code says; NULL: what all steps of its type have */
    yyjson_val *values;         /* control values as stored; NULL: none */
    yyjson_val *overrides;      /* providerOverrides as stored; NULL: none */
    yyjson_val *variables;      /* the schema of all variables (variable_schema.h) */
};
/* {"<dot.path>": [{issueType, variableName?, message, severity?}]}, empty when nothing is wrong. In d. */
yyjson_mut_val *control_issues(struct arena *a, yyjson_mut_doc *d, const struct issue_input *in);
/* The same for one step of a workflow. */
yyjson_mut_val *step_issues(struct arena *a, yyjson_mut_doc *d, const struct content_workflow *w, size_t step);

/* Whether any of the control issues is more than a warning: then the workflow's status is ERROR (content.md §3.2). */
bool issues_are_errors(yyjson_val *controls);

#endif
