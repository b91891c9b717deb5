/* Regular expressions that need no engine: see plain_pattern.c. */
#ifndef CONTENT_JSONSCHEMA_PLAIN_PATTERN_H
#define CONTENT_JSONSCHEMA_PLAIN_PATTERN_H

#include "base/str.h"

struct plain_pattern;

/* NULL: it does need one. s is a valid expression of ECMA-262 (with the u flag). */
const struct plain_pattern *plain_pattern_make(struct arena *a, struct str s);
/* In linear time, each byte looked at once. */
bool plain_pattern_matches(const struct plain_pattern *p, struct str s);

#endif
