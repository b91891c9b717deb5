/* What variables a template uses, and which of them no trigger can ever fill (content.md §3.4, §3.5).
 *
 * Works on the parsed program, never on data. Recursion is bounded by Liquid's nesting limit and JSON_DEPTH_MAX.
 */
#ifndef CONTENT_TEMPLATE_CHECK_H
#define CONTENT_TEMPLATE_CHECK_H

#include "base/json.h"

/* One use that is wrong. Each name is reported once; of each kind of finding there are at most 1000. */
struct template_fault {
    struct str name;            /* payload.items[0].x; of outputs that are no path: their source; p NULL: unknown */
    struct str output;          /* the tag or output in the source, with its braces */
    struct str message;         /* "is not supported", or what is wrong with a filter's argument */
    bool filter;
};

/* One variable, by the path from the top: the variable of a loop is told by its collection. */
struct template_use {
    struct str path;            /* payload.items[0].x */
    bool array;                 /* it is iterated over */
    bool condition;             /* it decides whether a block is shown */
};

struct template_report {
    struct template_fault *faults;
    struct template_use *uses;  /* those that the schema allows */
    size_t faults_n, faults_cap, uses_n, uses_cap;
};

/* Adds to report (zero at first) what source uses. schema: of all variables (content.md §3.5); NULL: every name with a
 * namespace is good. A template that does not parse is one fault. Texts live in a or point into source. */
void template_check(struct arena *a, struct str source, yyjson_val *schema, struct template_report *report);

/* Whether schema has such a place: properties, elements by index, `additionalProperties: true`. */
bool schema_allows(yyjson_val *schema, struct str path);

/* The next part of a path, taken off its front: the name before a "." or "[", or the index in brackets. */
bool path_next(struct str *path, struct str *part, bool *index);

/* The document if text is that of a block editor (a JSON object of type doc), else NULL. */
yyjson_val *block_document(struct arena *a, struct str text);
/* Every template that a block document holds, a line each: its texts, and its variables as {{ }} (content.md §4.4 step 1). */
struct str block_templates(struct arena *a, yyjson_val *document);
/* The uses that only a block document knows: what it repeats and what it shows conditionally. */
void block_uses(struct arena *a, yyjson_val *document, struct template_report *report);

#endif
