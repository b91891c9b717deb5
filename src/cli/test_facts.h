/* What there is to expect something of: messages, steps, runs and requests, as docs/testing.md names their members. */
#ifndef CLI_TEST_FACTS_H
#define CLI_TEST_FACTS_H

#include "cli/test_world.h"

enum fact_kind { FACT_MESSAGE, FACT_STEP, FACT_RUN, FACT_CALL, FACT_KINDS };

struct fact {
    yyjson_val *v;
    int64_t at;
    bool expected;                      /* the caller's own mark */
};

/* A line of what happened. */
struct fact_line {
    int64_t at;
    size_t order;                       /* at one time: as it was found */
    struct str to;                      /* subscriberId; empty: nobody's in particular */
    struct str text;
};

struct facts {
    struct fact *list[FACT_KINDS];
    size_t n[FACT_KINDS], cap[FACT_KINDS];
    struct fact_line *lines;            /* by time */
    size_t lines_n, lines_cap;
};

/* Reads everything; while the world rests. All in a. */
bool facts_read(struct world *w, struct arena *a, struct facts *out, struct error *err);
/* A fact in one line: its members that say most. */
struct str fact_text(struct arena *a, enum fact_kind kind, yyjson_val *v);

#endif
