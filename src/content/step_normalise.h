/* Control values as validation, preview and execution see them: what forms leave behind is taken out (content.md §3.3).
 * What authors wrote stays as it is in the store.
 */
#ifndef CONTENT_STEP_NORMALISE_H
#define CONTENT_STEP_NORMALISE_H

#include "base/json.h"

/* An object in d. Workflows made here (origin "novu-cloud") keep the known members of the type only; of others, blank texts
 * become null. values: NULL and what is no object count as {}. Never fails. */
yyjson_mut_val *step_normalise(yyjson_mut_doc *d, struct str origin, struct str type, yyjson_val *values);

#endif
