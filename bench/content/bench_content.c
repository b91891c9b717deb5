/* JSON-logic and JSON Schema on cases.json, operations a second of processor time; with the output of peer.mjs on standard input the ratio to npm's:
 *   node bench/content/peer.mjs | build/bench_content */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "content/jsonlogic.h"
#include "content/jsonschema.h"

enum { CASES_MAX = 32, ROUNDS = 12, EACH_MS = 40 };

struct rates { double rule[CASES_MAX], schema[CASES_MAX]; };

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

static void peers_read(struct rates *r)
{
    char kind[16];
    int i;
    double rate;
    while (!isatty(STDIN_FILENO) && scanf("%15s %d %lf", kind, &i, &rate) == 3)
        if (i >= 0 && i < CASES_MAX)
            (strcmp(kind, "rule") ? r->schema : r->rule)[i] = rate;
}

/* The best of some rounds, as the peer: what else the machine does slows single ones down. */
static inline __attribute__((always_inline)) double measure(bool (*fn)(void *arg, struct arena *a), void *arg)
{
    struct arena *a = arena_create(1 << 14);
    double best = 0;
    bool ok = true;
    for (int round = 0; round < ROUNDS && ok; round++) {
        clock_t start = clock(), now;       /* of this process only */
        int64_t n = 0;
        do {
            for (int k = 0; k < 1000; k++, n++)
                ok &= fn(arg, a);
            arena_reset(a);
            now = clock();
        } while (ok && now - start < EACH_MS * (CLOCKS_PER_SEC / 1000));
        double rate = (double)n * CLOCKS_PER_SEC / (double)(now - start);
        best = rate > best ? rate : best;
    }
    arena_destroy(a);
    return ok ? best : 0;
}

struct rule_case { const struct jsonlogic *rule; yyjson_val *data; };

static inline bool rule_run(void *arg, struct arena *a)
{
    const struct rule_case *c = arg;
    struct jsonlogic_context context = {.data = c->data};
    bool holds, done = jsonlogic_test(c->rule, &context, a, NULL, &holds, NULL);
    arena_reset(a);         /* one arena an evaluation, as the engine does it */
    return done;
}

enum { VALUES = 64 };       /* payloads of their own, as requests bring them */
struct schema_case { struct jsonschema *program; yyjson_val *values[VALUES]; unsigned at; };

static inline bool schema_run(void *arg, struct arena *a)
{
    struct schema_case *c = arg;
    struct jsonschema_options o = {.all_errors = true, .use_defaults = true};
    return jsonschema_fits(c->program, c->values[c->at++ % VALUES], &o, a);
}

static void show(const char *kind, size_t i, double ours, double theirs, const char *peer)
{
    printf("%-7s %zu  %12.0f /s", kind, i, ours);
    if (theirs > 0)
        printf("  %5.1f x %s (%.0f /s)", ours / theirs, peer, theirs);
    printf("\n");
}

/* With an argument only rules, or only schemas. */
int main(int argc, char **argv)
{
    struct arena *a = arena_create(0);
    struct rates peers = {{0}, {0}};
    struct error err = {0};
    yyjson_val *root, *v;
    size_t i, n;
    if (!json_parse(a, file_read(a, SOURCE_DIR "/bench/content/cases.json"), &root, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    peers_read(&peers);
    bool rules = argc < 2 || !strcmp(argv[1], "rules"), schemas = argc < 2 || !strcmp(argv[1], "schemas");
    yyjson_arr_foreach(rules ? json_get(root, "rules") : NULL, i, n, v) {
        struct rule_case c = {jsonlogic_compile(a, v), json_get(root, "data")};
        show("rule", i, measure(rule_run, &c), peers.rule[i], "json-logic-js");
    }
    yyjson_arr_foreach(schemas ? json_get(root, "schemas") : NULL, i, n, v) {
        struct schema_case c = {.program = jsonschema_compile(a, json_get(v, "schema"), NULL, &err)};
        for (size_t k = 0; k < VALUES; k++)
            json_parse(a, json_write(a, json_get(v, "value")), &c.values[k], &err);
        if (!c.program) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        show("schema", i, measure(schema_run, &c), peers.schema[i], "ajv");
    }
    arena_destroy(a);
    return 0;
}
