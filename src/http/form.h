/* URL-encoded bodies (application/x-www-form-urlencoded) as the JSON document that they stand for: `curl -d`, and the Ruby and
 * PHP clients for most of their calls. Upstream reads them with body-parser's extended form (its bootstrap.ts), whose names
 * this follows: a[b]=c is a member, a[]=x and a[0]=x are elements, a name given twice is an array.
 */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "base/error.h"
#include "base/json.h"

enum {
    FORM_PARAMS_MAX = 1000,     /* more: 413 */
    FORM_DEPTH_MAX = 32,        /* brackets in a name; more: 400 */
    FORM_INDEX_MAX = 20,        /* a[20]; names with a larger number are members */
};

/* root: an object in the arena; every value is a string. Elements keep the order of their numbers, gaps are closed.
 * Errors: 413 and 400 as above; 400 for a name that is both a value and an object. */
bool form_parse(struct arena *a, struct str body, yyjson_val **root, struct error *err);

#endif
