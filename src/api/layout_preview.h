/* The preview of layouts, a handler of src/api/layouts.c that is made like the previews of steps. */
#ifndef API_LAYOUT_PREVIEW_H
#define API_LAYOUT_PREVIEW_H

#include "api/app.h"

void layout_handle_preview(struct request *rq);

#endif
