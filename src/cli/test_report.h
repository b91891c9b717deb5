/* What came of the tests: for a person, as TAP (version 14), and as JUnit's XML. */
#ifndef CLI_TEST_REPORT_H
#define CLI_TEST_REPORT_H

#include <stdio.h>

#include "cli/test_run.h"

enum report_form { REPORT_TEXT, REPORT_TAP };

struct report_case {
    const char *path;
    struct str name;
    int line;
    struct test_outcome outcome;
};

struct report {
    struct arena *arena;
    enum report_form form;
    FILE *out;
    struct report_case *cases;
    size_t cases_n, cases_cap, failed;
};

/* Prints the case and keeps it. The outcome's texts must live as long as the report. */
void report_case(struct report *r, const struct report_case *c);
/* The totals. */
void report_end(struct report *r);
/* All cases, a <testsuite> a file. */
bool report_junit(const struct report *r, const char *path, struct error *err);

#endif
