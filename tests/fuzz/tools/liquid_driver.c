/* Renders templates for the differential fuzzer: one JSON object {template, data, mode} a line in, {output} or {error}
 * a line out. Modes: plain, json, stock; repair (template is the text to repair); controls (template is their JSON). */
#include <stdio.h>
#include <stdlib.h>

#include "content/controls.h"
#include "content/json_repair.h"

static bool render(struct arena *a, struct str mode, struct str source, const struct liquid_context *c, struct buf *out,
                   struct error *err)
{
    if (str_eq(mode, STR("repair"))) {
        struct str s;
        if (!json_repair(a, source, &s, err))
            return false;
        buf_str(out, s);
        return true;
    }
    if (str_eq(mode, STR("controls"))) {
        yyjson_val *values;
        yyjson_mut_doc *d = json_doc(a);
        yyjson_mut_val *result;
        if (!json_parse(a, source, &values, err) || !controls_render(controls_compile(a, values), c, a, d, &result, err))
            return false;
        buf_str(out, json_write_mut(a, result));
        return true;
    }
    struct liquid_template *t = liquid_parse(a, source, err);
    return t && liquid_render(t, c, a, out, err);
}

static void answer(struct arena *a, yyjson_val *q)
{
    struct liquid_variable vars[64];
    struct liquid_context c = {.variables = vars, .now_ms = 1735787045000};
    struct str mode = json_get_str(q, "mode"), source = json_get_str(q, "template");
    struct buf out = {.arena = a}, line = {.arena = a};
    struct error err = {0};
    yyjson_val *data = json_get(q, "data"), *key;
    yyjson_obj_iter it = yyjson_obj_iter_with(data);
    while (yyjson_is_obj(data) && c.variables_n < 64 && (key = yyjson_obj_iter_next(&it)))
        vars[c.variables_n++] = (struct liquid_variable){{yyjson_get_str(key), yyjson_get_len(key)}, yyjson_obj_iter_get_val(key)};
    c.mode = str_eq(mode, STR("json")) ? LIQUID_JSON : str_eq(mode, STR("stock")) ? LIQUID_STOCK : LIQUID_PLAIN;
    bool ok = render(a, mode, source, &c, &out, &err);
    buf_z(&line, ok ? "{\"output\":" : "{\"error\":");
    json_quote(&line, ok ? buf_get(&out) : str_of(err.message));
    buf_z(&line, "}\n");
    fwrite(line.p, 1, line.n, stdout);
    fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct arena *a = arena_create(1 << 16);
        yyjson_val *q;
        struct error err;
        if (json_parse(a, (struct str){line, (size_t)n}, &q, &err))
            answer(a, q);
        else
            printf("{\"error\":\"driver: %s\"}\n", err.message);
        fflush(stdout);
        arena_destroy(a);
    }
    free(line);
    return 0;
}
