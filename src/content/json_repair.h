/* Makes JSON of text that almost is: what npm jsonrepair 3.15 accepts, with its results and its error texts.
 * content.md §1.4 steps 6 and 8 (`{'a':1}`, an object that Liquid printed, becomes `{"a":1}`). */
#ifndef CONTENT_JSON_REPAIR_H
#define CONTENT_JSON_REPAIR_H

#include "base/json.h"

/* out lives in a. false: beyond repair ("Colon expected at position 20"), nested too deep, or too laborious. */
bool json_repair(struct arena *a, struct str text, struct str *out, struct error *err);

#endif
