/* Steps as older clients know them (rest-api.md §7): {template: {type, content, subject, cta, …}, metadata, filters, …} for our
 * control values, in both directions.
 *
 * Templates are Handlebars there (content/handlebars.h). What was given is kept beside the values that were made of it
 * ("legacy" of a stored step) and given back for as long as the values still say the same; an edit through /v2 makes the older
 * form follow.
 */
#ifndef API_LEGACY_STEP_H
#define API_LEGACY_STEP_H

#include "base/json.h"

/* The control values that a given step means. before: the stored step of the same id and type, or NULL; what the older form
 * cannot say of it stays. NULL: problem says why, to be put after "steps.<i>.". */
yyjson_mut_val *legacy_step_values(yyjson_mut_doc *d, struct arena *a, yyjson_val *given, yyjson_val *before, struct str *problem);

/* What a stored step keeps of the given one, in o: filters, uuid, replyCallback, legacy. */
void legacy_step_keep(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *given);

/* The members template and metadata of a stored step's older form. */
void legacy_step_show(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *o, yyjson_val *stored);

#endif
