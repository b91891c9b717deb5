/* What each type of step is made of: its control values, how editors show them, what it outputs and what it leaves for the
 * steps behind it (content.md §2, §2.1, §1.5). One table, declared once; everything that checks, shows or mocks a step asks
 * it. Types are named as on the wire; `layout` is one more.
 */
#ifndef CONTENT_STEP_SCHEMA_H
#define CONTENT_STEP_SCHEMA_H

#include "base/json.h"

enum step_schema_kind {
    STEP_SCHEMA_DATA,       /* of control values as authors write them (draft-07), served as dataSchema */
    STEP_SCHEMA_UI,         /* not a schema: {group, properties}, served as uiSchema */
    STEP_SCHEMA_OUTPUT,     /* of the rendered control values; stricter */
    STEP_SCHEMA_RESULT,     /* of steps.<stepId> in later templates */
    STEP_SCHEMA_WIRE,       /* of control values that clients with closed types accept in answers; in no particular detail */
    STEP_SCHEMA_KINDS
};

/* NULL: the type is unknown, or has none of this kind (custom, http_request: no outputs of their own). In a. */
yyjson_val *step_schema(struct arena *a, struct str type, enum step_schema_kind kind);
bool step_schema_is_type(struct str type);

/* A result schema for one step: a digest's events carry the workflow's payload, an http_request what its author says that it
 * answers, a custom step its own schema. payload_schema, values: may be NULL. */
yyjson_mut_val *step_result_schema(yyjson_mut_doc *d, struct arena *a, struct str type, yyjson_val *payload_schema,
                                   yyjson_val *values);

#endif
