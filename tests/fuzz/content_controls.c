/* Control values of a request whose body is any text: they render or fail, and what they render is a tree of text. */
#include <stdlib.h>

#include "base/json.h"
#include "content/controls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str text = {(const char *)data, n};
    struct liquid_variable v = {STR("p"), NULL};
    struct liquid_context ctx = {.variables = &v, .variables_n = 1};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d), *out;
    yyjson_val *values, *got;
    struct error err;
    if (n > 4096 || !str_is_utf8(text))
        return 0;
    json_add_str(d, o, "body", text);
    if (!json_parse(a, json_write_mut(a, o), &values, NULL)
        || !json_parse(a, STR("{\"v\":\"w\\\",\\\"x\\\":\\\"y\\\\\",\"n\":1,\"o\":{\"a\":[true,null,\"\\\"\"]}}"), &v.value, NULL))
        abort();
    if (!controls_render(controls_compile_request(a, values), &ctx, a, d, &out, &err))
        return 0;
    if (!json_parse(a, json_write_mut(a, out), &got, NULL) || !yyjson_is_str(json_get(got, "body")))
        abort();
    return 0;
}
