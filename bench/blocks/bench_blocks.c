/* Microseconds of processor time per render of an e-mail of 50 blocks with variables, conditions and a repetition, compiled once:
 *   build/bench_blocks
 * The goal of the project is 100 µs for the HTML; sanitising, which every e-mail gets, is counted apart. */
#include <stdio.h>
#include <time.h>

#include "content/email.h"

enum { BLOCKS = 50, ROUNDS = 5, RUN_MS = 300 };

static void block_add(struct buf *b, int i)
{
    static const char *const kinds[] = {
        "{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":\"Hello \"},{\"type\":\"variable\",\"attrs\":{\"id\":"
        "\"subscriber.firstName\",\"fallback\":\"you\"},\"marks\":[{\"type\":\"bold\"}]},{\"type\":\"text\",\"text\":\", thank you for your order.\"}]}",
        "{\"type\":\"heading\",\"attrs\":{\"level\":2},\"content\":[{\"type\":\"text\",\"text\":\"Order {{payload.number}}\"}]}",
        "{\"type\":\"button\",\"attrs\":{\"text\":\"Track it\",\"url\":\"payload.url\",\"isUrlVariable\":true,\"variant\":\"filled\","
        "\"buttonColor\":\"#000\",\"textColor\":\"#fff\",\"borderRadius\":\"smooth\"}}",
        "{\"type\":\"section\",\"attrs\":{\"showIfKey\":\"payload.paid\"},\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\","
        "\"text\":\"Paid with a card that ends in \"},{\"type\":\"variable\",\"attrs\":{\"id\":\"payload.card\"}}]}]}",
        "{\"type\":\"image\",\"attrs\":{\"src\":\"payload.image\",\"isSrcVariable\":true,\"alt\":\"A picture\",\"width\":200}}",
        "{\"type\":\"columns\",\"content\":[{\"type\":\"column\",\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"left\"}]}]},{\"type\":\"column\",\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"variable\",\"attrs\":{\"id\":"
        "\"payload.number\"}}]}]}]}",
        "{\"type\":\"horizontalRule\"}", "{\"type\":\"spacer\",\"attrs\":{\"height\":16}}",
        "{\"type\":\"bulletList\",\"content\":[{\"type\":\"listItem\",\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\","
        "\"text\":\"one\"}]}]}]}",
        "{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.items\"},\"content\":[{\"type\":\"paragraph\",\"content\":[{\"type\":\"variable\","
        "\"attrs\":{\"id\":\"payload.items.name\"}},{\"type\":\"text\",\"text\":\" × \"},{\"type\":\"variable\",\"attrs\":{\"id\":"
        "\"payload.items.count\"}}]}]}",
    };
    buf_z(b, i ? "," : "");
    buf_z(b, kinds[i % (int)(sizeof kinds / sizeof *kinds)]);
}

static double measure(const struct email_body *body, struct liquid_context *c, bool raw, size_t *bytes)
{
    struct arena *a = arena_create(1 << 18);
    struct email_input in = {.body = body, .subject = STR("s"), .raw = raw};
    clock_t start = clock(), now;       /* of this process only: other work on the machine does not count */
    int64_t n = 0;
    do {
        struct email_output out;
        struct error err;
        if (!email_render(&in, c, a, &out, &err)) {
            fprintf(stderr, "%s\n", err.message);
            break;
        }
        *bytes = out.html.n;
        arena_reset(a);
        n++;
        now = clock();
    } while (now - start < RUN_MS * (CLOCKS_PER_SEC / 1000));
    arena_destroy(a);
    return n ? (double)(now - start) * 1e6 / CLOCKS_PER_SEC / (double)n : 0;
}

int main(void)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf doc = {.arena = a};
    struct liquid_variable v[] = {{.name = STR("payload")}, {.name = STR("subscriber")}};
    struct liquid_context c = {.variables = v, .variables_n = 2, .mode = LIQUID_PLAIN};
    size_t bytes;
    json_parse(a, STR("{\"number\":4711,\"url\":\"https://x.test/?a=1&b=2\",\"paid\":true,\"card\":\"1234\",\"image\":\"https://x.test/i.png\","
                      "\"items\":[{\"name\":\"Pen\",\"count\":2},{\"name\":\"Ink\",\"count\":1},{\"name\":\"Paper\",\"count\":500}]}"), &v[0].value, NULL);
    json_parse(a, STR("{\"firstName\":\"Ada\"}"), &v[1].value, NULL);
    buf_z(&doc, "{\"type\":\"doc\",\"content\":[");
    for (int i = 0; i < BLOCKS; i++)
        block_add(&doc, i);
    buf_z(&doc, "]}");
    const struct email_body *body = email_body_compile(a, buf_finish(&doc));
    for (int i = 0; i < ROUNDS; i++) {
        double html = measure(body, &c, true, &bytes), clean = measure(body, &c, false, &bytes);
        printf("%d blocks, %zu bytes: %.1f µs; with sanitising %.1f µs\n", BLOCKS, bytes, html, clean);
    }
    return 0;
}
