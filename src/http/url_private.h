/* Request targets and their parts (RFC 3986, RFC 9112 §3.2; query strings as rest-api.md §1 "Query encoding"). */
#ifndef HTTP_URL_PRIVATE_H
#define HTTP_URL_PRIVATE_H

#include "base/str.h"

enum { QUERY_PARAMS_MAX = 1000 };       /* further ones are ignored, as upstream's parser does */

struct query_param {
    struct str name, value;
};

/* Makes bytes that are not UTF-8 visible: the result is valid UTF-8 (the target goes into error bodies). */
struct str url_visible(struct arena *a, struct str target);
/* Splits a target (origin or absolute form) into its path and query. path begins with '/'. */
void url_split(struct str target, struct str *path, struct str *query);
/* Doubled slashes become one, "/v1/v1/" becomes "/v1/" once (decisions.md 19); prefix is taken off. */
struct str url_normalise(struct arena *a, struct str path, struct str prefix);
/* Percent-decodes a path segment. false: a broken escape, a NUL, or bytes that are not UTF-8. */
bool url_decode(struct arena *a, struct str s, struct str *out);
/* Decoded parameters in order; '+' is a space. A part that cannot be decoded stays as it was sent. */
size_t query_parse(struct arena *a, struct str query, struct query_param **out);
/* Whether a parameter called `given` is one of the array `name`: name, name[], name[0], name[x]. */
bool query_is_of(struct str given, struct str name);

#endif
