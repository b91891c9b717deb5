/* Files and literals that tests compare with. What cannot be read ends the program with its name: the test's own fault.
 * All results live in the arena. */
#ifndef SUPPORT_DATA_H
#define SUPPORT_DATA_H

#include "base/json.h"

struct str data_text(struct arena *a, const char *path);
yyjson_val *data_json(struct arena *a, const char *path);
/* JSON written in the test. */
yyjson_val *data_literal(struct arena *a, const char *text);
/* The same with ' for ". */
yyjson_val *data_quoted(struct arena *a, const char *text);

#endif
