/* Files of the web pages that were built before the program and are part of it (scripts/embed_assets.cmake). */
#ifndef CLI_ASSETS_H
#define CLI_ASSETS_H

#include <stddef.h>

#include "base/str.h"

struct asset {
    const char *path;           /* as requested: "/demo/assets/index-C1.js"; the page itself is "/demo/index.html" */
    const char *type;           /* Content-Type */
    const unsigned char *p;
    size_t n;
    bool immutable;             /* the name holds a hash of the content: may be cached for ever */
};

/* "/demo" and "/demo/" find the page. NULL if there is none, or if the pages were not built. */
const struct asset *asset_find(struct str path);

#endif
