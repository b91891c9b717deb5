/* From the wire form of a workflow to its stored definition (rest-api.md §6.8, model/workflow.h). */
#ifndef API_WORKFLOW_DOC_H
#define API_WORKFLOW_DOC_H

#include "api/app.h"
#include "model/workflow.h"

enum { STEPS_MAX = 20 };

/* The step of that id in a stored or discovered document; NULL: it has none. */
yyjson_val *workflow_doc_step(yyjson_val *doc, struct str step_id);
/* Checks the body of a create (before NULL) or a full update and makes the row's name, active and doc. Adds form
 * mistakes to checks (422); what the form allows but this server refuses is in err (400). */
bool workflow_doc_read(struct checks *checks, yyjson_val *body, const struct workflow *before, struct workflow *w,
                       struct error *err);
/* Applies the members of a PATCH to w; nulls are ignored. */
bool workflow_doc_patch(struct checks *checks, yyjson_val *body, struct workflow *w, struct error *err);
/* Gives w's document a copy's identity: new step ids, what the body says of description, tags and translation. */
bool workflow_doc_duplicate(struct checks *checks, yyjson_val *body, struct workflow *w, struct error *err);

/* preferences.<key> = {all: {enabled, readOnly}, channels: {…}}, completed from what is given (an object or NULL). key is not
 * copied. */
void workflow_doc_preference(yyjson_mut_doc *d, yyjson_mut_val *preferences, const char *key, yyjson_val *given);

#endif
