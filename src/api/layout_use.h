/* Who needs a layout. */
#ifndef API_LAYOUT_USE_H
#define API_LAYOUT_USE_H

#include "model/layout.h"

/* Does a step of its environment name it? */
bool layout_used(struct db *db, struct arena *a, const struct layout *l, bool *used, struct error *err);

#endif
