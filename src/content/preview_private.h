/* What the files of previews share. */
#ifndef CONTENT_PREVIEW_PRIVATE_H
#define CONTENT_PREVIEW_PRIVATE_H

#include "content/preview.h"

/* preview_example.c: the example that templates are rendered with: payload, subscriber, then the rest. */
yyjson_mut_val *preview_example(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_val *values);
/* preview_values.c: values that can be rendered: normalised, without uses of variables that cannot be, with something in
 * place of what is invalid. variables: the schema. */
yyjson_mut_val *preview_values(struct arena *a, yyjson_mut_doc *d, struct str origin, struct str type, yyjson_val *values,
                               yyjson_val *variables);

#endif
