/* Which variables a step's templates may use, as a JSON Schema that editors complete from and checks go by
 * (content.md §3.5), and an example of them made from what templates use (content.md §3.6).
 */
#ifndef CONTENT_VARIABLE_SCHEMA_H
#define CONTENT_VARIABLE_SCHEMA_H

#include "content/template_check.h"

struct content_workflow {
    yyjson_val *doc;            /* {payloadSchema, origin, steps:[{stepId, type, controlValues}]} (model/workflow.h) */
    const struct str *env;      /* names of the environment's variables, besides name and type */
    size_t env_n;
    const struct template_report *uses;     /* of all steps, where many schemas are made; NULL: found each time */
};

/* Adds what control values use: their templates, block documents and rules. */
void values_uses(struct arena *a, yyjson_val *values, struct template_report *report);
/* The same for all steps of a workflow. */
void workflow_uses(struct arena *a, const struct content_workflow *w, struct template_report *report);

/* {payload:{foo:"foo"}, steps:{…}}: texts are named after their keys, what decides a block is true, and what is iterated
 * over has three elements. */
yyjson_mut_val *uses_example(struct arena *a, yyjson_mut_doc *d, const struct template_report *report);
/* The schema of an example: {type:object, properties, required, additionalProperties:true}. */
yyjson_mut_val *example_schema(yyjson_mut_doc *d, yyjson_mut_val *example);

/* step.variables of the step with this index; steps_n: those of a step behind the last. */
yyjson_mut_val *variable_schema(struct arena *a, yyjson_mut_doc *d, const struct content_workflow *w, size_t step);

#endif
