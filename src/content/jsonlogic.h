/* JSON-logic as npm json-logic-js 2.0.5 with Novu's operators decides it (content.md §6, engine.md §5).
 *
 * Pure: the clock and the data are handed in, calendar arithmetic is in UTC. Values follow JavaScript: Number(),
 * String(), truthiness, Date.parse. Every rule ends: the number of operations and the memory that it may build are
 * limited, nesting is bounded by JSON_DEPTH_MAX.
 */
#ifndef CONTENT_JSONLOGIC_H
#define CONTENT_JSONLOGIC_H

#include "content/liquid.h"

struct jsonlogic_context {
    /* The data: an object with these members (nothing is copied)… */
    const struct liquid_variable *variables;
    size_t variables_n;
    /* …or, if not NULL, any JSON value. */
    yyjson_val *data;
    int64_t now_ms;             /* for the relative date operators */
    /* Limits; 0 means the default. */
    int64_t operations_max;     /* 100,000 operations and elements looked at */
    size_t memory_max;          /* 8 MiB of strings, array slots and results built */
    /* If not NULL: an object in the result's document that gets `path: value` of every `var` looked up in the data
     * itself, null for what is not there whatever its default, at most 100 and each of at most 4 KiB of JSON (for the
     * detail "Step conditions matched"). */
    yyjson_mut_val *lookups;
};

/* A rule made ready to be run many times: operators found, paths taken apart. In a, as long as rule lives; immutable, so
 * that threads may share it. What is wrong with a rule shows when it runs, as json-logic-js has it. */
struct jsonlogic;
const struct jsonlogic *jsonlogic_compile(struct arena *a, yyjson_val *rule);

/* Runs a program. *result is in d, or NULL where JavaScript has undefined; NaN and infinities are reals (written as
 * null). false: err->message is json-logic-js' (`Unrecognized operation x`) or names the limit; callers put
 * `Failed to evaluate rule: ` in front. */
bool jsonlogic_run(const struct jsonlogic *program, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                   yyjson_mut_val **result, struct error *err);
/* The same where only the result's truth matters (jsonlogic_truthy): builds no result. d may be NULL without lookups. */
bool jsonlogic_test(const struct jsonlogic *program, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                    bool *holds, struct error *err);
/* Compiles and runs a rule once. */
bool jsonlogic_apply(yyjson_val *rule, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                     yyjson_mut_val **result, struct error *err);
/* The same for a rule under construction, such as a rendered control. */
bool jsonlogic_apply_mut(const yyjson_mut_val *rule, const struct jsonlogic_context *c, struct arena *a, yyjson_mut_doc *d,
                         yyjson_mut_val **result, struct error *err);

/* The first operation in a rule that there is not, wherever it stands; p NULL: there are all. */
struct str jsonlogic_unknown(yyjson_val *rule);

/* JavaScript's truth of a result, by which a step runs or not: false for NULL, null, false, 0, NaN and "". (An empty
 * array is true here; inside of rules it is false.) */
bool jsonlogic_truthy(const yyjson_mut_val *result);
/* No condition at all: NULL, null, or an object without members. Such a step runs. */
bool jsonlogic_is_empty(yyjson_val *rule);

#endif
