/* Mistakes in a step's condition, as its editor's validator finds them (content.md §6.4). */
#ifndef CONTENT_LOGIC_CHECK_H
#define CONTENT_LOGIC_CHECK_H

#include "base/json.h"

struct logic_fault {
    struct str message;
    struct str path;            /* indices from the top, joined by "." */
    bool missing;               /* a value is not there; else the structure or a field is wrong */
};

/* How many faults there are (at most 100), in *out. variables: the schema of all variables. Bounded by JSON_DEPTH_MAX. */
size_t logic_check(struct arena *a, yyjson_val *rule, yyjson_val *variables, struct logic_fault **out);

#endif
