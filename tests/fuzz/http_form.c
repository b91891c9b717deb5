/* URL-encoded bodies: whatever is sent is refused, or is an object whose leaves are strings. */
#include <stdlib.h>

#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_made_of_strings(yyjson_val *v) // NOLINT(misc-no-recursion): as deep as the form
{
    yyjson_val *key, *x;
    size_t i, max;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, max, x)
            if (!is_made_of_strings(x))
                return false;
        return max > 0;
    }
    if (!yyjson_is_obj(v))
        return yyjson_is_str(v);
    yyjson_obj_foreach(v, i, max, key, x)
        if (!is_made_of_strings(x))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    yyjson_val *root = NULL;
    if (!form_parse(a, str_dup(a, (struct str){(const char *)data, n}), &root, &err)) {
        if (err.status != 400 && err.status != 413)
            abort();
    } else if (!yyjson_is_obj(root) || !is_made_of_strings(root)) {
        abort();
    }
    return 0;
}
