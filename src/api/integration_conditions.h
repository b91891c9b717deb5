/* When an integration is to be used: `conditions` and `rules` of its body (rest-api.md §6.14, engine.md §5.3 and §7.1). */
#ifndef API_INTEGRATION_CONDITIONS_H
#define API_INTEGRATION_CONDITIONS_H

#include "api/app.h"
#include "model/integration.h"

/* Sets i->conditions from the body's members, as far as they are given; an empty list takes groups away, null or an empty
 * object takes rules away. Mistakes go to the checks. true: one of them was given. */
bool integration_conditions_read(struct checks *c, yyjson_val *body, struct integration *i);

/* Leaves out of an integration's wire form what the generated clients refuse: their types have neither all places nor all
 * operators, and one such part would make the whole answer unreadable. */
void integration_conditions_close(struct request *rq, yyjson_mut_doc *d, const struct integration *i, yyjson_mut_val *wire);

#endif
