/* {{t.key}}: texts in the reader's language (content.md §5).
 *
 * Control values are rendered first and leave {{t.key}} standing (content.md §1.4 step 5); this stage puts the texts in.
 * A text may hold Liquid of its own, which is rendered with the same variables; what it prints is not looked at again.
 */
#ifndef CONTENT_TRANSLATE_H
#define CONTENT_TRANSLATE_H

#include "content/liquid.h"

struct translator {
    yyjson_val *content;                    /* nested texts of the chosen locale; NULL: none, every key is missing */
    const struct liquid_context *variables;
};

/* Is there anything for this stage in text? */
bool translate_wants(struct str text);
/* A key without a text prints "[Translation missing: key]". false: a translation's own Liquid is wrong; err names its key.
 * out is text itself when there is nothing to do. */
bool translate_text(const struct translator *t, struct arena *a, struct str text, struct str *out, struct error *err);
/* The same for the source of a template: Liquid in translations stays, since the template renders it. is_json: the source
 * is JSON text, so values are put in escaped. */
struct str translate_source(yyjson_val *content, struct arena *a, struct str source, bool is_json);
/* The same for every text in a tree (not its keys). out is in itself when there is nothing to do. */
bool translate_values(const struct translator *t, struct arena *a, yyjson_val *in, yyjson_val **out, struct error *err);

/* The locale to use: the reader's, if there is a translation for it, else the organisation's, else none (-1).
 * locales: as stored, "en_US"; a reader's "en-US" is the same. */
int translate_choose(const struct str *locales, size_t n, struct str reader, struct str otherwise);

#endif
