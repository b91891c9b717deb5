/* Which providers are declared, or have facts: the files <root>/<channel>/<id>.json. */
#ifndef TEST_DECLARED_H
#define TEST_DECLARED_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

enum { PROVIDERS_MAX = 200 };

struct provider {
    char channel[16], id[40], name[64];     /* name: "<channel>/<id>" */
};

static inline int provider_by_name(const void *a, const void *b)
{
    return strcmp(((const struct provider *)a)->name, ((const struct provider *)b)->name);
}

/* In the order of their names. */
static inline size_t providers_list(const char *root, struct provider list[PROVIDERS_MAX])
{
    static const char *const channels[] = {"email", "sms", "push", "chat", "tool"};
    char path[256];
    struct dirent *e;
    size_t n = 0;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        snprintf(path, sizeof path, "%s/%s", root, channels[i]);
        DIR *d = opendir(path);
        while (d && (e = readdir(d)))
            if (str_ends(str_of(e->d_name), STR(".json")) && n < PROVIDERS_MAX) {
                struct provider *p = &list[n++];
                snprintf(p->channel, sizeof p->channel, "%s", channels[i]);
                snprintf(p->id, sizeof p->id, "%.*s", (int)strlen(e->d_name) - 5, e->d_name);
                snprintf(p->name, sizeof p->name, "%s/%s", p->channel, p->id);
            }
        if (d)
            closedir(d);
    }
    qsort(list, n, sizeof *list, provider_by_name);
    return n;
}

#endif
