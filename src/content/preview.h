/* What a step would show, with made-up data where none is given (content.md §3.6). Never fails: what does not render is
 * empty, and says why.
 */
#ifndef CONTENT_PREVIEW_H
#define CONTENT_PREVIEW_H

#include "content/email.h"
#include "content/variable_schema.h"

struct preview_input {
    const struct content_workflow *workflow;
    size_t step;                    /* its index */
    yyjson_val *values;             /* control values to try; NULL: the stored ones */
    yyjson_val *payload;            /* previewPayload: {payload, subscriber, actor, steps, context, env}; NULL: none */
    struct str workflow_id, workflow_name, environment_name, environment_type;
    const struct email_layout *layout;      /* around an e-mail; NULL: none */
    const struct reader_texts *texts, *layout_texts;    /* what {{t.key}} stands for; NULL: keys stay */
    int64_t now_ms;
};

struct preview {
    yyjson_mut_val *result;         /* {type, preview, error?} */
    yyjson_mut_val *example;        /* previewPayloadExample */
    yyjson_mut_val *schema;         /* of the variables */
};
struct preview preview_step(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in);

/* Of a step whose content its application's code makes: the example and the schema; result is {type}, to which one of these
 * adds the rest. */
struct preview preview_step_of_code(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in);
/* What the code said, translated. */
void preview_add_outputs(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, struct preview *p, yyjson_val *outputs);
/* An empty preview, and why. */
void preview_add_error(yyjson_mut_doc *d, yyjson_mut_val *result, struct str message, const char *hint);

/* A layout around a placeholder for the content. values: {email: {body}}. */
struct preview preview_layout(struct arena *a, yyjson_mut_doc *d, yyjson_val *values, const struct preview_input *in);

#endif
