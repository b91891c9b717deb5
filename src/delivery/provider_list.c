/* The declarations of providers/<channel>/<id>.json, which are part of the program. */
#include <stdlib.h>

#include "delivery/provider_private.h"

#define PROVIDER(n, channel) extern const char provider_##n[], provider_##n##_end[];
#include "providers.inc"
#undef PROVIDER

static const struct {
    const char *channel, *text, *end;
} files[] = {
#define PROVIDER(n, channel) {channel, provider_##n, provider_##n##_end},
#include "providers.inc"
#undef PROVIDER
};
enum { FILES = sizeof files / sizeof *files };

struct providers {
    struct arena *arena;
    yyjson_val *list[FILES];
};

struct providers *providers_create(void)
{
    struct arena *a = arena_create(0);
    struct providers *p = ARENA_NEW(a, struct providers);
    p->arena = a;
    for (size_t i = 0; i < FILES; i++)
        if (!json_parse(a, (struct str){files[i].text, (size_t)(files[i].end - files[i].text)}, &p->list[i], NULL))
            abort();
    return p;
}

void providers_destroy(struct providers *p)
{
    if (p)
        arena_destroy(p->arena);
}

yyjson_val *providers_find(const struct providers *p, struct str channel, struct str id)
{
    for (size_t i = 0; i < FILES; i++)
        if (str_eqz(channel, files[i].channel) && str_eq(json_get_str(p->list[i], "id"), id))
            return p->list[i];
    return NULL;
}
