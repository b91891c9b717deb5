/* {{t.key}}: texts in the reader's language (content.md §5).
 *
 * Control values are rendered first and leave {{t.key}} standing (content.md §1.4 step 5); this stage puts the texts in.
 * A text may hold Liquid of its own, which is rendered with the same variables; what it prints is not looked at again.
 */
#ifndef CONTENT_TRANSLATE_H
#define CONTENT_TRANSLATE_H

#include "content/liquid.h"

/* The texts for one reader: JSON objects, by keys as they are written ("a.b") or nested. NULL: there are none. */
struct reader_texts {
    yyjson_val *chosen;                     /* in the reader's locale */
    yyjson_val *standard;                   /* in the default one, for keys that the reader's lacks */
};

struct translator {
    struct reader_texts texts;
    const struct liquid_context *variables;
};

/* Is there anything for this stage in text? */
bool translate_wants(struct str text);
/* A key without a text prints "[Translation missing: key]". false: a translation's own Liquid is wrong; err names its key.
 * out is text itself when there is nothing to do. */
bool translate_text(const struct translator *t, struct arena *a, struct str text, struct str *out, struct error *err);
/* The same for the source of a template: Liquid in translations stays, since the template renders it. is_json: the source
 * is JSON text, so values are put in escaped. */
struct str translate_source(const struct reader_texts *texts, struct arena *a, struct str source, bool is_json);
/* The sources of all texts in a tree; in itself when there is nothing to do. */
yyjson_val *translate_sources(const struct reader_texts *texts, struct arena *a, yyjson_val *in);
/* The same for every text in a tree (not its keys). out is in itself when there is nothing to do. */
bool translate_values(const struct translator *t, struct arena *a, yyjson_val *in, yyjson_val **out, struct error *err);

/* Which of the locales is wanted; -1: none. locales: as stored, "en_US"; a reader's "en-US" or "en-us" is the same. */
int translate_choose(const struct str *locales, size_t n, struct str wanted);

#endif
