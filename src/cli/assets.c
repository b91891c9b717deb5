/* Looks up the embedded files of the web pages. */
#include "cli/assets.h"

#define ASSET(number, path, type, size, immutable) extern const unsigned char asset_##number[];
#include "assets.inc"
#undef ASSET

static const struct asset assets[] = {
#define ASSET(number, path, type, size, immutable) {path, type, asset_##number, size, immutable},
#include "assets.inc"
#undef ASSET
    {NULL, NULL, NULL, 0, false}
};

const struct asset *asset_find(struct str path)
{
    if (str_eq(path, STR("/demo")) || str_eq(path, STR("/demo/")))
        path = STR("/demo/index.html");
    for (const struct asset *a = assets; a->path; a++)
        if (str_eqz(path, a->path))
            return a;
    return NULL;
}
