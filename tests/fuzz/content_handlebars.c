/* Arbitrary bytes as a Handlebars template: its translation ends, is valid UTF-8 if the source was, and can be read again. */
#include <stdlib.h>

#include "content/handlebars.h"
#include "content/liquid.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct arena *a = arena_create(1 << 14);
    struct error err = {0};
    struct str source = {(const char *)bytes, n}, liquid = handlebars_to_liquid(a, source);
    if (str_is_utf8(source) && !str_is_utf8(liquid))
        abort();
    liquid_parse(a, liquid, &err);
    handlebars_to_liquid(a, liquid);
    arena_destroy(a);
    return 0;
}
