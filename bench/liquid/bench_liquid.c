/* Renders a second of processor time for the templates of templates.json, parsed once; with the output of liquidjs.mjs on standard input
 * the ratio to it:
 *   node bench/liquid/liquidjs.mjs --modules DIR | build/bench_liquid */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "content/liquid.h"

enum { TEMPLATES_MAX = 64 };

static struct str file_read(struct arena *a, const char *path)
{
    struct buf b = {.arena = a};
    char chunk[65536];
    FILE *f = fopen(path, "rb");
    if (!f)
        return STR_NULL;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_get(&b);
}

struct peer { double rate; size_t bytes; };

static void peers_read(struct peer *peers)
{
    int i;
    double rate;
    size_t bytes;
    if (!isatty(STDIN_FILENO))
        while (scanf("%d %lf %zu", &i, &rate, &bytes) == 3)
            if (i >= 0 && i < TEMPLATES_MAX)
                peers[i] = (struct peer){rate, bytes};
}

/* One arena a render, as the engine does it. */
static double measure(const struct liquid_template *t, const struct liquid_context *c, size_t *bytes)
{
    struct arena *a = arena_create(1 << 14);
    clock_t start = clock(), now;       /* of this process only: other work on the machine does not count */
    int64_t n = 0;
    do {
        for (int k = 0; k < 100; k++, n++) {
            struct buf out = {.arena = a};
            struct error err;
            if (!liquid_render(t, c, a, &out, &err)) {
                fprintf(stderr, "%s\n", err.message);
                break;
            }
            *bytes = out.n;
            arena_reset(a);
        }
        now = clock();
    } while (now - start < 3 * (CLOCKS_PER_SEC / 10));
    arena_destroy(a);
    return (double)n * CLOCKS_PER_SEC / (double)(now - start);
}

int main(void)
{
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    struct peer peers[TEMPLATES_MAX] = {{0}};
    struct liquid_variable vars[16];
    struct liquid_context c = {.variables = vars, .mode = LIQUID_JSON};
    struct error err;
    yyjson_val *root, *v;
    if (!json_parse(a, file_read(a, SOURCE_DIR "/bench/liquid/templates.json"), &root, &err)) {
        fprintf(stderr, "templates.json: %s\n", err.message);
        return 1;
    }
    yyjson_obj_iter names = yyjson_obj_iter_with(json_get(root, "data"));
    while (c.variables_n < 16 && (v = yyjson_obj_iter_next(&names)))
        vars[c.variables_n++] = (struct liquid_variable){json_str(v), yyjson_obj_iter_get_val(v)};
    peers_read(peers);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(root, "templates"));
    double logs = 0;
    int compared = 0, wrong = 0;
    for (int i = 0; i < TEMPLATES_MAX && (v = yyjson_arr_iter_next(&it)); i++) {
        struct liquid_template *t = liquid_parse(a, json_str(v), &err);
        size_t bytes = 0;
        double rate = t ? measure(t, &c, &bytes) : 0;
        printf("%2d %10.0f renders/s %6zu bytes", i, rate, bytes);
        if (peers[i].rate > 0) {
            printf("   liquidjs %8.0f   ratio %5.1f%s", peers[i].rate, rate / peers[i].rate, bytes == peers[i].bytes ? "" : "   OUTPUT DIFFERS");
            logs += log(rate / peers[i].rate);
            wrong += bytes != peers[i].bytes;
            compared++;
        }
        printf("\n");
    }
    if (compared)
        printf("geometric mean of the ratios: %.1f\n", exp(logs / compared));
    return wrong != 0;
}
