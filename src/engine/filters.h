/* Legacy step filters and the conditions of integrations (engine.md §5.3):
 * [{value: "AND" | "OR", children: [{on, field, operator, value, …}]}]. Any group that passes is enough.
 *
 * Of a group, parts that ask a webhook come last, and only as long as they can decide anything.
 */
#ifndef ENGINE_FILTERS_H
#define ENGINE_FILTERS_H

#include "content/controls.h"
#include "content/liquid.h"
#include "engine/machine.h"

struct filter_context {
    const struct liquid_variable *variables;    /* payload, subscriber, tenant, … */
    size_t variables_n;
    const struct machine *machine;              /* for previousStep; NULL: such parts pass */
    int64_t now;
    struct arena *arena;
    yyjson_mut_doc *doc;                        /* of conditions */
    yyjson_mut_val *conditions;                 /* array: gets {filter, field, expected, actual, operator, passed}; NULL: unsaid */
    /* {"<group>.<part>": {value: what the webhook gave as the part's field, if anything}, or {failed: true}: it gave no answer, the
     * part does not pass} of those that were asked. NULL: webhooks cannot be asked, such parts do not pass. */
    yyjson_val *answers;
    struct str prefix;                          /* of their keys; empty: none */
    yyjson_val *asks;                           /* out, of FILTERS_ASK: the part whose webhook is to be asked, */
    struct str asks_key;                        /* and its key in answers */
};

enum filters_verdict { FILTERS_FAIL, FILTERS_PASS, FILTERS_ASK };
enum filters_verdict filters_judge(struct filter_context *c, yyjson_val *filters);

#endif
