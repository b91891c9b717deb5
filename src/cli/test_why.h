/* Why what a test expected is not there: the decisions of the steps that could have made it. */
#ifndef CLI_TEST_WHY_H
#define CLI_TEST_WHY_H

#include "cli/test_facts.h"

/* Lines; empty: nothing is known. want: the expectation's mapping. */
struct str why_missing(struct arena *a, const struct scenario *s, enum fact_kind kind, const struct node *want, const struct facts *f);
/* What was done and what happened, in order; lines. */
struct str why_timeline(struct arena *a, const struct scenario *s, const struct facts *f);

#endif
