/* The HTML reader with its two users: any bytes must come out safe and without a crash. */
#include <stdint.h>
#include <stdlib.h>

#include "content/sanitize.h"
#include "content/text_part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 14);
    struct str html = {(const char *)data, size};
    struct str clean = sanitize_html(a, html);
    /* Scripts may remain only as text: inside of a style sheet, an attribute or the doctype. */
    bool may_quote = str_find(clean, STR("<style")) >= 0 || str_find(clean, STR("=\"")) >= 0 || str_starts(clean, STR("<!DOCTYPE"));
    if (!may_quote && str_find(clean, STR("<script")) >= 0)
        abort();
    text_part_from_html(a, html);
    arena_destroy(a);
    return 0;
}
