/* Liquid as npm liquidjs 10.30 with Novu's options and filters renders it (content.md §1).
 *
 * A template is parsed once into a compact program (immutable, shareable between threads) and rendered many
 * times into a caller's buffer; a render allocates only from the arena it is given.
 */
#ifndef CONTENT_LIQUID_H
#define CONTENT_LIQUID_H

#include "base/json.h"

struct liquid_template;

enum liquid_mode {
    LIQUID_PLAIN,       /* strings verbatim; arrays and objects as compact JSON with ' for " */
    LIQUID_JSON,        /* Novu's outputEscape for templates inside of a JSON text */
    LIQUID_STOCK        /* liquidjs without options: arrays joined, objects "[object Object]", real JSON from `json` */
};

/* One top-level variable. */
struct liquid_variable {
    struct str name;
    yyjson_val *value;
};

struct liquid_context {
    const struct liquid_variable *variables;
    size_t variables_n;
    enum liquid_mode mode;
    int64_t now_ms;                 /* for 'now' and 'today' */
    /* Limits; 0 means the default of content.md §1.8. */
    size_t output_max;              /* 10 MiB */
    int64_t loops_max;              /* 1,000,000 iterations */
    int64_t steps_max;              /* 10,000,000 nodes and filter applications: the bound on time */
};

/* Source ≤ 1 MiB, nesting ≤ 100. On failure err->message is liquidjs' first line with ", line:L, col:C". The
 * program lives in a and points into source (which must live as long). */
struct liquid_template *liquid_parse(struct arena *a, struct str source, struct error *err);
bool liquid_render(const struct liquid_template *t, const struct liquid_context *c, struct arena *a, struct buf *out,
                   struct error *err);
/* No tags and no outputs: the source is the result. */
bool liquid_is_static(const struct liquid_template *t);

#endif
