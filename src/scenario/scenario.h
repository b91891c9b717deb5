/* What a test says (docs/testing.md), checked as it is read: nothing runs before the whole file is understood.
 *
 * A file holds one test a YAML document, or one JSON object, or a list of them. What goes to the API as it stands (a
 * workflow, a subscriber, a trigger) is the API's to judge; everything else is judged here, with its place in the file.
 */
#ifndef SCENARIO_SCENARIO_H
#define SCENARIO_SCENARIO_H

#include "base/clock.h"
#include "content/zone.h"
#include "scenario/node.h"

enum { SCENARIO_BYTES_MAX = 16 << 20 };

enum scenario_kind {
    DO_WAIT,                        /* time passes */
    DO_TRIGGER, DO_BROADCAST, DO_CANCEL, DO_MARK, DO_PREFERENCES, DO_SUBSCRIBER, DO_ASSUME, DO_REQUEST,
    EXPECT_MESSAGE, EXPECT_STEP, EXPECT_RUN, EXPECT_CALL, EXPECT_NOTHING_ELSE
};

struct scenario_event {
    enum scenario_kind kind;
    int64_t at;
    const struct node *node;        /* the item */
    const struct node *what;        /* its member that says what; DO_WAIT: the item */
    int64_t least, most;            /* EXPECT_…: how many there must be */
};

struct scenario {
    const char *path;
    struct str name;
    int line;
    struct str zone;                /* of times that name none; empty: UTC */
    int64_t start;
    const struct node *given;
    struct scenario_event *events;  /* by time; at one time what is done stands before what is expected */
    size_t events_n;
};

struct scenario_file {
    const char *path;
    struct scenario *list;
    size_t n;
};

/* All in a, which text and path must outlive. The error's message begins with "path:line:column: ". A path that ends with
 * .json is JSON, any other YAML. */
bool scenario_parse(struct arena *a, const char *path, struct str text, struct scenario_file *out, struct error *err);
/* The same from the disk: at most SCENARIO_BYTES_MAX. */
bool scenario_read(struct arena *a, const char *path, struct scenario_file *out, struct error *err);
bool scenario_file_text(struct arena *a, const char *path, struct str *text, struct error *err);
/* A date (in the zone of the test when it names none), or a duration from the start: "PT90S", "1d 2h 30m". */
bool scenario_time(const struct scenario *s, struct str text, int64_t *ms);
bool scenario_is_expectation(enum scenario_kind k);

#endif
