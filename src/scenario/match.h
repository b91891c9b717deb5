/* Does what happened match what a test expects of it?
 *
 * A scalar equals (a plain one also a text that reads the same); a list matches item by item; a mapping matches the members
 * that it names, and may have others. A mapping of the words contains, lacks, startsWith, endsWith, matches, oneOf, not,
 * exists, atLeast and atMost alone is a matcher: all of them must hold.
 */
#ifndef SCENARIO_MATCH_H
#define SCENARIO_MATCH_H

#include "scenario/scenario.h"

/* Is that a form that can be matched? problem: what is wrong, *at: where. */
bool match_check(const struct scenario *s, const struct node *want, const struct node **at, struct str *problem, struct arena *a);
/* have may be NULL (it is not there). Times, as times are written in a test, equal ISO dates. a: for what is in between. */
bool match_value(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have);
/* How many members of the mapping `want` match the object `have`; *worst: the first that does not, NULL: all do. */
size_t match_object(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have, const struct node **worst);

#endif
