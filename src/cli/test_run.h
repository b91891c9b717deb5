/* Runs one test (scenario/scenario.h) in a world of its own. */
#ifndef CLI_TEST_RUN_H
#define CLI_TEST_RUN_H

#include "scenario/scenario.h"

struct test_failure {
    int line;                       /* in the test's file */
    struct str expected, actual;
    struct str why;                 /* lines; empty: nothing is known */
};

struct test_outcome {
    struct test_failure *failures;  /* none: it passed */
    size_t failures_n, failures_cap;
    bool unusable;                  /* a file that it names could not be read or understood */
    struct str timeline;            /* of what happened, lines; only of a test that failed */
    int64_t real_us;                /* that it took */
    int64_t passed_ms;              /* time of the test's world that went by */
};

/* All in a; dir: of world_place. What goes wrong is a failure of the test. */
void test_run(struct arena *a, const char *dir, const struct scenario *s, struct test_outcome *out);

#endif
