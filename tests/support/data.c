#include "support/data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quit(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

struct str data_text(struct arena *a, const char *path)
{
    struct buf b = {.arena = a};
    char chunk[65536];
    FILE *f = fopen(path, "rb");
    if (!f)
        quit(path, strerror(errno));
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_get(&b);
}

static yyjson_val *parse(struct arena *a, const char *what, struct str text)
{
    yyjson_val *v = NULL;
    struct error err = {0};
    if (!json_parse(a, text, &v, &err))
        quit(what, err.message);
    return v;
}

yyjson_val *data_json(struct arena *a, const char *path)
{
    return parse(a, path, data_text(a, path));
}

yyjson_val *data_literal(struct arena *a, const char *text)
{
    return parse(a, text, str_of(text));
}

yyjson_val *data_quoted(struct arena *a, const char *text)
{
    char *copy = str_z(a, str_of(text));
    for (char *p = copy; (p = strchr(p, '\''));)
        *p = '"';
    return parse(a, copy, str_of(copy));
}
