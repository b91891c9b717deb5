/* The OpenAPI 3.1 document, made from the route table and src/api/schemas.
 *
 * What a route does stands in its entry: path, method, status, envelope, authentication, permission, rate. What goes in
 * and out stands in one JSON file a resource, by the route's operation:
 *
 *     {"operations": {"topicsCreate": {
 *        "query": {"failIfExists": {"type": "boolean"}},       schemas by name; "required": true inside
 *        "body": {…}, "bodyRequired": true, "bodyExample": {…}, "bodyType": "multipart/form-data",
 *        "response": {…}, "responseExample": {…},              without the envelope
 *        "bare": true,                                         the answer has no envelope, whatever the route says
 *        "responseType": "text/plain", "otherStatuses": [200]}},
 *      "schemas": {"TopicResponseDto": {…}},                   "#/components/schemas/…", of all files together
 *      "components": {…}}                                      further members of the document's components
 *
 * tests/compat/openapi.test.mjs holds every route to an entry and every example to its schema.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/app.h"

/* The document as text, in the arena. false: a schema file is not JSON (a bug). */
bool openapi_make(struct arena *a, const char *context_path, struct str *out, struct error *err);

#endif
