/* JSON-logic: "rule\ndata" as JSON; whatever it is, it ends, within its limits. */
#include <stdint.h>

#include "content/jsonlogic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 14);
    struct str all = {(const char *)data, size};
    const char *line = memchr(data, '\n', size);
    size_t at = line ? (size_t)(line - all.p) : size;
    yyjson_val *rule, *facts = NULL;
    yyjson_mut_val *result;
    yyjson_mut_doc *d = json_doc(a);
    struct error err = {0};
    if (json_parse(a, str_sub(all, 0, at), &rule, &err)) {
        json_parse(a, str_sub(all, at + 1, size), &facts, &err);
        jsonlogic_unknown(rule);
        struct jsonlogic_context c = {.data = facts, .now_ms = 1741065967000, .operations_max = 20000, .memory_max = 1 << 20,
                                      .lookups = yyjson_mut_obj(d)};
        if (jsonlogic_apply(rule, &c, a, d, &result, &err)) {
            jsonlogic_truthy(result);
            json_write_mut(a, result);
        }
    }
    arena_destroy(a);
    return 0;
}
