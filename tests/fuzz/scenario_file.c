/* Files of tests, of whatever bytes: read as YAML and as JSON. What is refused has a place and a reason. */
#include <stdlib.h>

#include "scenario/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try(const char *path, struct str text)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct scenario_file f;
    struct error err = {0};
    size_t prefix = strlen(path);
    if (!scenario_parse(a, path, text, &f, &err)) {
        if (strncmp(err.message, path, prefix) || err.message[prefix] != ':' || strtol(err.message + prefix + 1, NULL, 10) < 1)
            abort();
        return;
    }
    for (size_t i = 0; i < f.n; i++)
        for (size_t k = 0; k < f.list[i].events_n; k++) {
            if (k && f.list[i].events[k].at < f.list[i].events[k - 1].at)
                abort();
            node_json_text(a, f.list[i].events[k].what);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    try("x.yaml", text);
    try("x.json", text);
    return 0;
}
