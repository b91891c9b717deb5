/* What an http_request step asks for, of its rendered control values (engine.md §4.9). Pure. */
#ifndef ENGINE_HTTP_REQUEST_H
#define ENGINE_HTTP_REQUEST_H

#include "base/json.h"

/* GET, POST, PUT, PATCH or DELETE; POST if it says none of them. */
struct str http_request_method(yyjson_val *values);
/* What is sent, and signed: compact JSON. p NULL: none, as for a method without body (decisions.md 26). false: the text that
 * is the body is not a JSON object or array. */
bool http_request_body(struct arena *a, yyjson_val *values, struct str *body, struct error *err);

#endif
