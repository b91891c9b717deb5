/* Example values made from a JSON Schema, for previews (content.md §3.6): what the schema says by default, example or
 * enumeration, else something that fits its type, format or the name of the member. */
#ifndef CONTENT_JSON_MOCK_H
#define CONTENT_JSON_MOCK_H

#include "base/json.h"

/* Never fails: what the schema leaves open is null, what nests deeper than it should is left out. In d. */
yyjson_mut_val *json_mock(struct arena *a, yyjson_mut_doc *d, yyjson_val *schema, int64_t now_ms);

#endif
