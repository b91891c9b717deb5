/* Arbitrary bytes as a template: parsed, rendered in each mode with small limits, compiled as a control's leaf. */
#include <stdlib.h>

#include "content/controls.h"
#include "content/json_repair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char json[] =
    "{\"s\":\"it's \\\"q\\\" \\u017c\\ud83c\\udf89\\n\",\"n\":5.5,\"a\":[3,1,\"2\",null,[1],{\"k\":\"v\"}],\"o\":{\"b\":1,\"1\":{\"c\":\"d\"}},"
    "\"os\":[{\"n\":\"b\",\"v\":1},{\"n\":\"a\"}],\"d\":\"2025-03-04T05:06:07Z\"}";

static void render(struct arena *a, struct str source, const struct liquid_context *c)
{
    struct error err = {0};
    struct buf out = {.arena = a};
    struct liquid_template *t = liquid_parse(a, source, &err);
    if (t && liquid_render(t, c, a, &out, &err) && out.n > c->output_max)
        abort();
}

static void compile(struct arena *a, struct str source, const struct liquid_context *c)
{
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *data = yyjson_mut_obj(d), *root = yyjson_mut_obj(d), *out;
    yyjson_val *values;
    if (!str_is_utf8(source))
        return;
    yyjson_mut_obj_add(data, yyjson_mut_str(d, "k"), yyjson_mut_strn(d, source.p ? source.p : "", source.n));
    yyjson_mut_obj_add(root, yyjson_mut_str(d, "data"), data);
    if (json_parse(a, json_write_mut(a, root), &values, &err))
        controls_render(controls_compile(a, values), c, a, json_doc(a), &out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = {"s", "n", "a", "o", "os", "d"};
    struct liquid_variable vars[6];
    struct arena *a = arena_create(1 << 16);
    struct str source = {(const char *)bytes, n}, repaired;
    struct error err = {0};
    yyjson_val *root;
    struct liquid_context c = {.variables = vars, .variables_n = 6, .output_max = 1 << 14, .loops_max = 500, .steps_max = 5000};
    if (!json_parse(a, str_of(json), &root, &err))
        abort();
    for (size_t i = 0; i < 6; i++)
        vars[i] = (struct liquid_variable){str_of(names[i]), json_get(root, names[i])};
    for (int mode = LIQUID_PLAIN; mode <= LIQUID_STOCK; mode++) {
        c.mode = (enum liquid_mode)mode;
        render(a, source, &c);
    }
    compile(a, source, &c);
    json_repair(a, source, &repaired, &err);
    arena_destroy(a);
    return 0;
}
