/* Control values: whatever JSON they are, for any type of step, issues are found, a preview is made and the schemas of
 * variables are built. The input is a definition's document. */
#include <stdint.h>

#include "content/issues.h"
#include "content/preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"in_app", "email", "sms", "push", "chat", "tool", "delay", "digest", "throttle",
                                        "http_request", "custom", "layout"};
    struct arena *a = arena_create(1 << 14);
    struct str text = {(const char *)data, size > 1 << 16 ? 1 << 16 : size};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *values;
    if (json_parse(a, text, &values, NULL)) {
        struct str type = str_of(types[size % (sizeof types / sizeof *types)]);
        yyjson_mut_val *doc = yyjson_mut_obj(d), *steps = json_add_arr(d, doc, "steps");
        json_add_str(d, doc, "origin", size % 7 ? STR("novu-cloud") : STR("external"));
        json_add_val(d, doc, "payloadSchema", json_get(values, "data"));
        for (int i = 0; i < 2; i++) {
            yyjson_mut_val *step = yyjson_mut_arr_add_obj(d, steps);
            json_add_str(d, step, "stepId", i ? STR("b") : STR("a"));
            json_add_str(d, step, "type", i ? type : STR("digest"));
            json_add_val(d, step, "controlValues", values);
        }
        struct content_workflow w = {0};
        if (json_parse(a, json_write_mut(a, doc), &w.doc, NULL)) {
            struct preview_input in = {.workflow = &w, .step = 1, .payload = json_get(values, "data"), .now_ms = 1700000000000};
            json_write_mut(a, step_issues(a, d, &w, 1));
            struct preview p = size % 12 == 11 ? preview_layout(a, d, values, &in) : preview_step(a, d, &in);
            json_write_mut(a, p.result);
            json_write_mut(a, p.example);
        }
    }
    arena_destroy(a);
    return 0;
}
