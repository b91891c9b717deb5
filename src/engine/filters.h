/* Legacy step filters and the conditions of integrations (engine.md §5.3):
 * [{value: "AND" | "OR", children: [{on, field, operator, value, …}]}]. Any group that passes is enough.
 *
 * Parts of kind webhook are not evaluated: they do not pass.
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
};

bool filters_pass(struct filter_context *c, yyjson_val *filters);

#endif
