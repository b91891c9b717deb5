/* From what a bridge says of a workflow to the stored definition, and back to what older clients read (bridge-cli.md §3.2). */
#ifndef API_BRIDGE_DOC_H
#define API_BRIDGE_DOC_H

#include "api/app.h"
#include "model/workflow.h"

/* A discovery, as far as its form matters: err says what is wrong with it. */
bool bridge_doc_check(yyjson_val *discovery, struct error *err);

/* Of a workflow that is not stored: the same for the same bridge and name. */
struct id bridge_doc_id(struct arena *a, struct id environment, struct str url, struct str workflow);

/* Fills w's identifier, name, active and doc; ids of steps follow from w->id. before: the document of the stored one, whose steps keep their ids and control
 * values and whose preferences by the dashboard stay; NULL: it is new. Steps of types that are not known are left out; the
 * workflow's issues name them. */
void bridge_doc_make(struct arena *a, yyjson_val *discovered, yyjson_val *before, struct workflow *w);

/* The same for a workflow that a trigger brings along: {url, version, name, workflow} as definition_brought takes it. */
yyjson_val *bridge_doc_brought(struct arena *a, struct id workflow, struct str url, yyjson_val *discovered);
/* The workflow of that name, or NULL. */
yyjson_val *bridge_doc_find(yyjson_val *discovery, struct str name);

/* The workflow as v1 of the API has it. */
yyjson_mut_val *bridge_doc_json(yyjson_mut_doc *d, struct arena *a, const struct workflow *w, struct id organization);

#endif
