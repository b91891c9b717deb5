/* JSON Schema: "schema\nvalue"; any schema compiles or is refused, any value is judged within the limits. */
#include <stdint.h>
#include <stdlib.h>

#include "content/jsonschema/fit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 14);
    struct str all = {(const char *)data, size};
    const char *line = memchr(data, '\n', size);
    size_t at = line ? (size_t)(line - all.p) : size;
    yyjson_val *schema, *value;
    struct error err = {0};
    struct jsonschema_result r;
    yyjson_mut_doc *d = json_doc(a);
    if (json_parse(a, str_sub(all, 0, at), &schema, &err) && json_parse(a, str_sub(all, at + 1, size), &value, &err)) {
        struct jsonschema_compile_options c = {.dialect = size % 2 ? JSONSCHEMA_2020_12 : JSONSCHEMA_DRAFT7};
        struct jsonschema_options o = {.all_errors = size % 3 == 0, .use_defaults = size % 5 < 2, .remove_additional = size % 7 < 2};
        struct jsonschema *s = jsonschema_compile(a, schema, &c, &err);
        enum schema_fit quick = s ? schema_fits(s, value, &o, a) : FIT_UNDECIDED;
        bool done = s && jsonschema_validate(s, value, &o, a, d, &r, &err);
        if (done && !r.valid)
            jsonschema_payload_error(&r, schema, a, &err);
        if (done && quick != FIT_UNDECIDED &&
            (quick == FIT_YES) != (r.valid && str_eq(json_write_mut(a, r.value), json_write(a, value))))
            abort();            /* the quick answer must be right */
    }
    arena_destroy(a);
    return 0;
}
