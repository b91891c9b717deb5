/* What {{t.key}} stands for in previews. */
#ifndef API_PREVIEW_TEXTS_H
#define API_PREVIEW_TEXTS_H

#include "api/app.h"
#include "content/translate.h"
#include "model/translation.h"

/* The texts of a workflow or layout (doc: its document) for the subscriber of the request's previewPayload; in the arena.
 * NULL: translations are not switched on, or cannot be read. */
const struct reader_texts *preview_texts(struct request *rq, enum translated type, struct str resource, yyjson_val *doc);

#endif
