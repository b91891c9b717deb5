/* Arbitrary bytes as a form: the first line is the Content-Type. Parts must lie inside of the body. */
#include <stdlib.h>

#include "http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_create(0);
    struct str all = {(const char *)data, n};
    ptrdiff_t line = str_find(all, STR("\n"));
    struct str type = line < 0 ? STR("multipart/form-data; boundary=x") : (struct str){all.p, (size_t)line};
    struct str body = line < 0 ? all : (struct str){all.p + line + 1, n - (size_t)line - 1};
    struct multipart_part *parts;
    struct error err = {0};
    size_t parts_n;
    if (multipart_parse(a, type, body, &parts, &parts_n, &err))
        for (size_t i = 0; i < parts_n; i++)
            if (parts[i].body.p < body.p || parts[i].body.p + parts[i].body.n > body.p + body.n)
                abort();
    arena_destroy(a);
    return 0;
}
