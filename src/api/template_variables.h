/* Variables of older templates: [{name, type: String | Array | Boolean, required, defaultValue}] beside the content. A trigger must
 * bring those that are required, and gets the defaults of those that it does not bring; a delay until a date of the payload needs
 * that date (upstream: verify-payload.usecase.ts). */
#ifndef API_TEMPLATE_VARIABLES_H
#define API_TEMPLATE_VARIABLES_H

#include "engine/definition.h"

/* *payload (NULL: none): with the defaults; in a, or as it was. false: 400, naming what is missing. */
bool template_variables_apply(struct arena *a, const struct definition *d, yyjson_val **payload, struct error *err);

#endif
