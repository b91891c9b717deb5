/* Block documents: the recorded pairs of upstream's renderer and pipeline, compared as trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "content/blocks.h"
#include "content/blocks/blocks_private.h"
#include "content/email.h"
#include "content/html/tokens.h"
#include "content/sanitize.h"
#include "content/text_part.h"
#include "support/data.h"

/* HTML as its tokens, without what carries no meaning: comments, doctype, preload links, data-id (SOURCE.txt). */
static struct str normal(struct arena *a, struct str html)
{
    struct html_tokens *t = html_tokens_open(a, html);
    struct html_token k;
    struct buf b = {.arena = a};
    bool in_text = false, dropped = false;
    while (html_tokens_next(t, &k) != HTML_END) {
        if (k.event == HTML_TEXT) {
            if (!in_text)
                buf_z(&b, "\n");
            buf_str(&b, k.text);
            in_text = true;
            continue;
        }
        if (str_eqz(k.name, "link") && k.event == HTML_OPEN)
            dropped = str_eqz(html_attribute_get(&k, "rel"), "preload");
        if (str_eqz(k.name, "link") && dropped)
            continue;
        in_text = false;
        buf_fmt(&b, "\n<%s%.*s", k.event == HTML_CLOSE ? "/" : "", STR_ARG(k.name));
        for (size_t i = 0; k.event == HTML_OPEN && i < k.attributes_n; i++)
            if (!str_eqz(k.attributes[i].name, "data-id"))
                buf_fmt(&b, "\n  %.*s=%.*s", STR_ARG(k.attributes[i].name), STR_ARG(k.attributes[i].value));
    }
    return buf_finish(&b);
}

static void same_html(struct arena *a, const char *name, const char *what, struct str got, struct str want)
{
    struct str x = normal(a, got), y = normal(a, want);
    if (!str_eq(x, y))
        fail_msg("%s, %s:\n%.*s\n---- want ----\n%.*s", name, what, STR_ARG(x), STR_ARG(y));
}

static struct str render(struct arena *a, yyjson_val *doc, const struct liquid_context *c, const struct blocks_options *o)
{
    static const struct liquid_context none = {.mode = LIQUID_PLAIN};
    static const struct blocks_options fragment = {.document = false};
    struct buf b = {.arena = a};
    struct error err = {0};
    if (!blocks_render(blocks_compile(a, doc), c ? c : &none, o ? o : &fragment, a, &b, &err))
        return str_fmt(a, "ERROR %s", err.message);
    return str_solid(buf_get(&b));
}

static struct str finished(struct arena *a, struct str html)
{
    return sanitize_html(a, email_clean(a, html));
}

static void fragments_are_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *cases = data_json(a, TESTDATA "/email-blocks/render.json"), *c;
    size_t i, n;
    assert_int_equal(yyjson_arr_size(cases), 72);
    yyjson_arr_foreach(cases, i, n, c) {
        const char *name = yyjson_get_str(json_get(c, "name"));
        struct str got = render(a, json_get(c, "doc"), NULL, NULL), error = json_get_str(c, "error");
        if (error.n) {
            if (!str_eq(got, str_fmt(a, "ERROR %.*s", STR_ARG(error))))
                fail_msg("%s: %.*s", name, STR_ARG(got));
            continue;
        }
        same_html(a, name, "fragment", got, json_get_str(c, "fragment"));
        same_html(a, name, "final", finished(a, got), json_get_str(c, "final"));
        struct str text = text_part_from_html(a, render(a, json_get(c, "doc"), NULL, &(struct blocks_options){.document = true}));
        if (!str_eq(text, json_get_str(c, "text")))
            fail_msg("%s, text: '%.*s', want '%.*s'", name, STR_ARG(text), STR_ARG(json_get_str(c, "text")));
    }
}

static void documents_are_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *documents = data_json(a, TESTDATA "/email-blocks/documents.json"), *k, *v, *c;
    yyjson_val *cases = data_json(a, TESTDATA "/email-blocks/render.json");
    size_t i, n, j, m;
    yyjson_obj_foreach(documents, i, n, k, v) {
        bool preview = str_eqz(json_str(k), "paragraph-with-preview"), found = false;
        struct blocks_options o = {.document = true, .preheader = preview ? STR("Preview text") : STR_NULL};
        yyjson_arr_foreach(cases, j, m, c) {
            if (!str_eq(json_get_str(c, "name"), preview ? STR("paragraph") : json_str(k)))
                continue;
            struct str got = render(a, json_get(c, "doc"), NULL, &o);
            same_html(a, json_str(k).p, "document", got, json_get_str(v, "html"));
            same_html(a, json_str(k).p, "final", finished(a, got), json_get_str(v, "final"));
            found = true;
        }
        assert_true(found);
    }
}

static size_t variables_of(yyjson_val *o, struct liquid_variable *out)
{
    size_t i, n;
    yyjson_val *k, *v;
    yyjson_obj_foreach(o, i, n, k, v)
        out[i] = (struct liquid_variable){json_str(k), v};
    return n;
}

static void pipeline_is_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *data = data_json(a, TESTDATA "/email-blocks/pipeline.json"), *c;
    struct liquid_variable variables[8];
    struct liquid_context ctx = {.variables = variables, .mode = LIQUID_PLAIN};
    size_t i, n;
    ctx.variables_n = variables_of(json_get(data, "variables"), variables);
    yyjson_arr_foreach(json_get(data, "cases"), i, n, c) {
        const char *name = yyjson_get_str(json_get(c, "name"));
        struct str got = render(a, json_get(c, "doc"), &ctx, NULL), error = json_get_str(c, "error");
        if (error.n) {
            if (!str_eq(got, str_fmt(a, "ERROR %.*s", STR_ARG(error))))
                fail_msg("%s: %.*s, want %.*s", name, STR_ARG(got), STR_ARG(error));
            continue;
        }
        same_html(a, name, "final", finished(a, got), json_get_str(c, "final"));
        /* The long way of whole.c gives the same. */
        yyjson_val *tree;
        struct error err = {0};
        struct buf b = {.arena = a};
        if (!blocks_tree(blocks_compile(a, json_get(c, "doc")), &ctx, a, &tree, &err))
            fail_msg("%s: %s", name, err.message);
        assert_true(blocks_render(blocks_compile_literal(a, tree), &ctx, &(struct blocks_options){0}, a, &b, &err));
        same_html(a, name, "tree", finished(a, buf_get(&b)), json_get_str(c, "final"));
    }
}

/* ---- what the recordings leave open ---- */

#define DOC(content) "{\"type\":\"doc\",\"content\":[" content "]}"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define VARIABLE(id) "{\"type\":\"variable\",\"attrs\":{\"id\":\"" id "\"}}"
#define P(content) "{\"type\":\"paragraph\",\"content\":[" content "]}"

static const char variables_text[] =
    "{\"payload\":{\"yes\":true,\"no\":false,\"n\":2,\"empty\":\"\",\"name\":\"it's\",\"html\":\"<b>x</b>\","
    "\"orders\":[{\"id\":\"o1\",\"paid\":true,\"lines\":[{\"what\":\"pen's\"},{\"what\":\"ink\"}]},"
    "{\"id\":\"o2\",\"paid\":false,\"lines\":[]},{\"id\":\"o3\",\"paid\":true,\"lines\":[{\"what\":\"paper\"}]}],"
    "\"json\":\"[1,2]\",\"img\":\"https://x.test/a.png\",\"url\":\"https://x.test/?a=1&b=\\\"2\\\"\"}}";

/* The text of a rendered document, all styles and most tags away: what a reader would see. */
static const char *text_of(struct arena *a, const char *doc)
{
    static struct liquid_variable v[4];
    struct liquid_context ctx = {.variables = v, .mode = LIQUID_PLAIN};
    ctx.variables_n = variables_of(data_literal(a, variables_text), v);
    struct str html = render(a, data_literal(a, doc), &ctx, NULL);
    struct html_tokens *t = html_tokens_open(a, html);
    struct html_token k;
    struct buf b = {.arena = a};
    if (str_starts(html, STR("ERROR")))
        return str_z(a, html);
    while (html_tokens_next(t, &k) != HTML_END) {
        if (k.event == HTML_TEXT)
            buf_str(&b, k.text);
        else if (k.event == HTML_CLOSE && html_name_in(k.name, (const char *const[]){"p", "h1", "td", NULL}))
            buf_char(&b, '/');
        else if (k.event == HTML_OPEN && str_eqz(k.name, "img"))
            buf_fmt(&b, "{%.*s|%.*s}", STR_ARG(html_attribute_get(&k, "src")), STR_ARG(html_attribute_get(&k, "alt")));
        else if (k.event == HTML_OPEN && str_eqz(k.name, "a"))
            buf_fmt(&b, "(%.*s)", STR_ARG(html_attribute_get(&k, "href")));
    }
    return buf_finish(&b).p;
}

static const char *html_of(struct arena *a, const char *doc)
{
    static struct liquid_variable v[4];
    struct liquid_context ctx = {.variables = v, .mode = LIQUID_PLAIN};
    ctx.variables_n = variables_of(data_literal(a, variables_text), v);
    return str_z(a, render(a, data_literal(a, doc), &ctx, NULL));
}

#define REPEAT(each, content) "{\"type\":\"repeat\",\"attrs\":{\"each\":\"" each "\"},\"content\":[" content "]}"

static void repetitions_nest_and_have_conditions(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    static const struct { const char *doc, *text; } rows[] = {
        {DOC(REPEAT("payload.orders", P(VARIABLE("payload.orders.id")) "," REPEAT("payload.orders.lines",
             P(VARIABLE("payload.orders.id") "," TEXT(":") "," VARIABLE("payload.orders.lines.what | upcase"))))),
         "o1/o1:PEN'S/o1:INK/o2/o3/o3:PAPER/"},
        {DOC(REPEAT("payload.orders", "{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"payload.orders.paid\"},\"content\":["
             VARIABLE("payload.orders.id") "]}")), "o1/o3/"},
        {DOC(REPEAT("payload.orders | reverse", P(VARIABLE("payload.orders.id")))), "o1/o2/o3/"},
        {DOC(REPEAT("payload.orders[0].lines", P(VARIABLE("payload.orders[0].lines.what") "," VARIABLE("payload.orders[1].id")))),
         "pen'so2/inko2/"},
        {DOC(REPEAT("payload.json", P(TEXT("x")))), "x/x/"},
        {DOC("{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.orders\",\"iterations\":1,\"showIfKey\":\"payload.yes\"},"
             "\"content\":[" P(VARIABLE("payload.orders.id")) "]}"), "o1/"},
#define TIMES(n) DOC("{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.orders\",\"iterations\":" n "},\"content\":[" \
    P(VARIABLE("payload.orders.id")) "]}")
        {TIMES("0"), "o1/o2/o3/"}, {TIMES("null"), "o1/o2/o3/"}, {TIMES("\"2\""), "o1/o2/"}, {TIMES("-1"), "o1/o2/"}, {TIMES("-9"), ""},
        {TIMES("2.9"), "o1/o2/"}, {TIMES("\"x\""), ""}, {TIMES("1e300"), "o1/o2/o3/"}, {TIMES("-1e300"), ""}, {TIMES("true"), "o1/"},
        {DOC("{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.nope\",\"showIfKey\":\"payload.no\"},\"content\":[]}"), ""},
        {DOC("{\"type\":\"repeat\"}," P(TEXT("a"))), "a/"},
        /* Only whole steps of the path count. */
        {DOC(REPEAT("payload.orders", P(VARIABLE("payload.orders2.id | default: 'none'")))), "none/none/none/"},
        {DOC("{\"type\":\"bulletList\",\"content\":[" REPEAT("payload.orders", "{\"type\":\"listItem\",\"content\":["
             P("{\"type\":\"text\",\"text\":\"l\",\"marks\":[{\"type\":\"link\",\"attrs\":{\"href\":\"payload.orders.id\","
               "\"isUrlVariable\":true}}]}") "]}") "]}"), "(o1)l/(o2)l/(o3)l//"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(text_of(a, rows[i].doc), rows[i].text);
}

/* What a chat without cards shows of a document. */
static void documents_as_text(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
#define BUTTON_OF(attrs) "{\"type\":\"cardButton\",\"attrs\":{" attrs "}}"
#define BUTTON(label, url) BUTTON_OF("\"label\":\"" label "\",\"url\":\"" url "\"")
#define MARKED2 ",{\"type\":\"text\",\"text\":\"c\",\"marks\":[{\"type\":\"italic\"},{\"type\":\"strike\"},{\"type\":\"code\"}]}"
#define ITEM(inner) "{\"type\":\"listItem\",\"content\":[" inner "]}"
#define LINK(text, href) "{\"type\":\"text\",\"text\":\"" text "\",\"marks\":[{\"type\":\"bold\"},{\"type\":\"link\",\"attrs\":{\"href\":\"" href "\"}}]}"
    static const struct { const char *doc, *text; } rows[] = {
        {DOC("{\"type\":\"heading\",\"content\":[" TEXT("Hi ") "," VARIABLE("payload.json | size") "]}," P() "," P(TEXT("a") ",{\"type\":\"hardBreak\"}," TEXT("b"))),
         "**Hi 5**\n\na\nb"},
        {DOC(P(LINK("docs", "https://x") "," TEXT(" ") "," LINK("https://y", "https://y") "," LINK("z", "#"))), "[**docs**](https://x) [**https://y**](https://y)[**z**](#)"},
        {DOC("{\"type\":\"bulletList\",\"content\":[" ITEM(P(TEXT("one")) ",{\"type\":\"orderedList\",\"content\":["
             ITEM(P(TEXT("x"))) "," ITEM(P(TEXT("y"))) "]}") "," ITEM(P(TEXT("two"))) "]}"), "• one\n  1. x\n  2. y\n• two"},
        {DOC("{\"type\":\"blockquote\",\"content\":[" P(TEXT("q")) "," P(TEXT("r")) "]},{\"type\":\"horizontalRule\"},{\"type\":\"spacer\"}"),
         "> q\n> r\n\n---"},
        {DOC("{\"type\":\"button\",\"attrs\":{\"text\":\"Go\",\"url\":\"payload.nope | default: '/x'\",\"isUrlVariable\":true}},"
             "{\"type\":\"image\",\"attrs\":{\"src\":\"/i.png\"}},{\"type\":\"image\",\"attrs\":{\"src\":\"/i.png\",\"alt\":\"A\"}}"), "Go: /x\n\n![](/i.png)\n\n![A](/i.png)"},
        {DOC(REPEAT("payload.orders", P(VARIABLE("payload.orders.id"))) ",{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"payload.no\"},"
             "\"content\":[" TEXT("hidden") "]}"), "o1\n\no2\n\no3"},
        {DOC("{\"type\":\"htmlCodeBlock\",\"content\":[" TEXT("<p>raw <b>x</b></p>") "]},{\"type\":\"linkCard\",\"attrs\":{\"title\":\"T\","
             "\"link\":\"https://c\"}}"), "raw x\n\n**T**\n\nhttps://c"},
        {DOC("{\"type\":\"section\",\"content\":[{\"type\":\"columns\",\"content\":[{\"type\":\"column\",\"content\":[" P(TEXT("<l>"))
             "]},{\"type\":\"column\",\"content\":[" P(TEXT("&r")) "]}]}]}"), "<l>\n\n&r"},
        {DOC(BUTTON("One", "https://1") "," BUTTON("Two", "{{payload.url}}") "," BUTTON("", "https://3") "," P() "," BUTTON("Three", "https://3")),
         "One: https://1\nTwo: https://x.test/?a=1&b=\"2\"\n\nThree: https://3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct liquid_variable v[4];
        struct liquid_context ctx = {.variables = v, .mode = LIQUID_PLAIN};
        struct error err = {0};
        yyjson_val *card;
        ctx.variables_n = variables_of(data_literal(a, variables_text), v);
        yyjson_val *doc = data_literal(a, rows[i].doc);
        if (!blocks_card(blocks_compile(a, doc), &ctx, a, &card, &err))
            fail_msg("%s: %s", rows[i].doc, err.message);
        assert_string_equal(str_z(a, blocks_card_text(a, card)), rows[i].text);
    }
    struct error err = {0};
    yyjson_val *card;
    struct liquid_context none = {.mode = LIQUID_PLAIN};
    yyjson_val *broken = data_literal(a, DOC(REPEAT("payload.gone", P(TEXT("x")))));
    assert_false(blocks_card(blocks_compile(a, broken), &none, a, &card, &err));
    assert_string_equal(err.message, "Failed to parse iterable value for \"{{ payload.gone }}\": Unexpected end of JSON input");
    static const char *const empty[] = {DOC(), DOC(P()), DOC(BUTTON("Go", "")), DOC("{\"type\":\"spacer\"}")};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        assert_false(blocks_card(blocks_compile(a, data_literal(a, empty[i])), &none, a, &card, &err));
        assert_string_equal(err.message, "Chat card compiled to an empty card: at least one renderable block is required.");
    }
}

/* The parts of a chat's card. */
static void documents_as_cards(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
#define MARKED(text, marks) "{\"type\":\"text\",\"text\":\"" text "\",\"marks\":[" marks "]}"
    static const struct { const char *doc, *children; } rows[] = {
        {DOC("{\"type\":\"heading\",\"content\":[" TEXT("H") "]}," P(MARKED("b", "{\"type\":\"bold\"}") MARKED2 "," TEXT(" x"))),
         "[{\"type\":\"text\",\"content\":\"H\",\"style\":\"bold\"},{\"type\":\"text\",\"content\":\"**b**`~~_c_~~` x\",\"style\":\"plain\"}]"},
        {DOC("{\"type\":\"blockquote\",\"content\":[" P(TEXT("q")) "]},{\"type\":\"blockquote\",\"content\":[" P() "]}"),
         "[{\"type\":\"text\",\"content\":\"> q\",\"style\":\"muted\"}]"},
        {DOC("{\"type\":\"orderedList\",\"content\":[" ITEM(P(TEXT("a"))) "," ITEM(P(TEXT("b"))) "]},{\"type\":\"horizontalRule\"}"),
         "[{\"type\":\"text\",\"content\":\"1. a\\n2. b\",\"style\":\"plain\"},{\"type\":\"divider\"}]"},
        {DOC("{\"type\":\"image\",\"attrs\":{\"src\":\"\",\"externalLink\":\"https://i\",\"alt\":\"A\"}},{\"type\":\"image\",\"attrs\":{}}"),
         "[{\"type\":\"image\",\"url\":\"https://i\",\"alt\":\"A\"}]"},
        {DOC("{\"type\":\"cardActions\",\"content\":[" BUTTON_OF("\"label\":\"payload.name\",\"isLabelVariable\":true,\"url\":\"https://1\",\"style\":\"primary\",\"actionId\":\"go\"")
             "," BUTTON_OF("\"label\":\"L\",\"url\":\"https://2\",\"style\":\"loud\"") "," BUTTON("3", "u") "," BUTTON("4", "u") "]}," BUTTON("5", "u")),
         "[{\"type\":\"actions\",\"children\":[{\"type\":\"link-button\",\"label\":\"it's\",\"url\":\"https://1\",\"style\":\"primary\",\"id\":\"go\"},"
         "{\"type\":\"link-button\",\"label\":\"L\",\"url\":\"https://2\"},{\"type\":\"link-button\",\"label\":\"3\",\"url\":\"u\"}]},"
         "{\"type\":\"actions\",\"children\":[{\"type\":\"link-button\",\"label\":\"5\",\"url\":\"u\"}]}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct liquid_variable v[4];
        struct liquid_context ctx = {.variables = v, .mode = LIQUID_PLAIN};
        struct error err = {0};
        yyjson_val *card;
        ctx.variables_n = variables_of(data_literal(a, variables_text), v);
        if (!blocks_card(blocks_compile(a, data_literal(a, rows[i].doc)), &ctx, a, &card, &err))
            fail_msg("%s: %s", rows[i].doc, err.message);
        assert_string_equal(json_get_str(card, "type").p, "card");
        assert_string_equal(str_z(a, json_write(a, json_get(card, "children"))), rows[i].children);
    }
}

static void leaves_are_templates_everywhere(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    static const struct { const char *doc, *text; } rows[] = {
        {DOC("{\"type\":\"image\",\"attrs\":{\"src\":\"payload.img\",\"isSrcVariable\":true,\"alt\":\"{{payload.empty}}\","
             "\"title\":\"T{{payload.n}}\"}}"), "{https://x.test/a.png|T2}/"},
        {DOC("{\"type\":\"image\",\"attrs\":{\"src\":\"payload.nope\",\"isSrcVariable\":true,\"externalLink\":"
             "\"payload.empty\",\"isExternalLinkVariable\":true}}"), "{|No image selected}/"},
        {DOC("{\"type\":\"image\",\"attrs\":{\"src\":\"payload.img\",\"isSrcVariable\":true,\"externalLink\":"
             "\"{{payload.url}}\"}}"), "(https://x.test/?a=1&b=\"2\"){https://x.test/a.png|Image}/"},
        {DOC("{\"type\":\"logo\",\"attrs\":{\"src\":\"payload.img\",\"isSrcVariable\":true}}"), "{https://x.test/a.png|Logo}/"},
        {DOC(P("{\"type\":\"inlineImage\",\"attrs\":{\"src\":\"payload.img\",\"isSrcVariable\":true,\"externalLink\":"
               "\"payload.url\",\"isExternalLinkVariable\":true}}")), "(https://x.test/?a=1&b=\"2\"){https://x.test/a.png|}/"},
        {DOC("{\"type\":\"linkCard\",\"attrs\":{\"title\":\"{{payload.name}}\",\"link\":\"{{payload.empty}}\",\"subTitle\":"
             "\"s\",\"badgeText\":\"{{payload.empty}}\",\"linkTitle\":\"{{payload.n}}\"}}"), "(#)it's// s/ (#)2//"},
        {DOC(P("{\"type\":\"variable\",\"attrs\":{\"id\":\"payload.nope\",\"fallback\":\"don't\"}}")), "don't/"},
        {DOC(P("{\"type\":\"variable\",\"attrs\":{\"id\":\"payload.nope\",\"fallback\":\"'\\\"\"}}")), "'\xe2\x80\x9d/"},
        {DOC(P("{\"type\":\"variable\",\"attrs\":{\"id\":\"{{ payload.n }}\"}}")), "2/"},
        {DOC(P("{\"type\":\"text\",\"text\":\"{{payload.empty}}\",\"marks\":[]}")), "\xc2\xa0/"},
        {DOC(P(TEXT("{% assign x = 'kept' %}")) "," P(TEXT("{{x}}"))), "\xc2\xa0/kept/"},
        {DOC(P(TEXT("{{ payload.html }}"))), "<b>x</b>/"},
        {DOC("{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"payload.n\"},\"content\":[{\"type\":\"variable\",\"attrs\":"
             "{\"id\":\"payload.n\",\"showIfKey\":\"payload.no\"}}," TEXT("t") "]}"), "t/"},
        {DOC("{\"type\":\"mystery\",\"attrs\":{\"showIfKey\":\"payload.no\"}}"), ""},
        /* Only as a whole: a tag over two texts, columns that come and go, the filter raw. */
        {DOC(P(TEXT("{% if payload.no %}a") "," TEXT("b{% endif %}c"))), "c/"},
        {DOC(P(TEXT("{% if payload.yes %}a") "," TEXT("b{% endif %}c") "," VARIABLE("payload.name")) ","
             REPEAT("payload.orders", P(VARIABLE("payload.orders.id")))), "abcit's/o1/o2/o3/"},
        {DOC(P(TEXT("{{ payload.n | raw }}"))), "2/"},
        {DOC(P(TEXT("{{ payload.nope"))), "ERROR output \"{{ payload.nope...\" not closed, line:1, col:80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = text_of(a, rows[i].doc);
        if (strncmp(rows[i].text, "ERROR", 5) == 0)
            assert_non_null(strstr(got, "not closed, line:1, col:"));
        else
            assert_string_equal(got, rows[i].text);
    }
}

#define COLUMN(attrs) "{\"type\":\"column\",\"attrs\":{" attrs "},\"content\":[" P(TEXT("c")) "]}"

static void columns_share_what_is_left(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    const char *html = html_of(a, DOC("{\"type\":\"columns\",\"content\":[" COLUMN("\"showIfKey\":\"payload.no\"") ","
                                      COLUMN("\"width\":30") "," COLUMN("\"width\":\"auto\"") "]}"));
    assert_non_null(strstr(html, "<td width=\"30%\""));
    assert_non_null(strstr(html, "<td width=\"70%\""));
    assert_null(strstr(html, "33%"));
    html = html_of(a, DOC("{\"type\":\"columns\",\"attrs\":{\"gap\":10},\"content\":[" COLUMN("\"width\":33.3") ","
                          COLUMN("\"width\":\"33.3\"") "]}"));
    assert_non_null(strstr(html, "width=\"66.6%\""));
    assert_non_null(strstr(html, "padding-right:5px"));
}

static void margins_follow_what_is_shown(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    static const char hidden[] = "{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"payload.no\"}}";
    /* In a section the last one that is there loses its margin. */
    struct str doc = str_fmt(a, "{\"content\":[{\"type\":\"section\",\"content\":[%s,%s]},%s]}", P(TEXT("a")), hidden, P(TEXT("b")));
    const char *html = html_of(a, doc.p);
    const char *first = strstr(html, "margin:0 0 0px 0"), *second = strstr(html, "margin:0 0 10px 0");
    assert_true(first && second && first < second);
    for (int shown = 0; shown < 2; shown++) {
        doc = str_fmt(a, "{\"content\":[%s,{\"type\":\"spacer\",\"attrs\":{\"showIfKey\":\"payload.%s\"}}]}", P(TEXT("a")),
                      shown ? "yes" : "no");
        assert_int_equal(strstr(html_of(a, doc.p), "margin:0 0 0px 0") != NULL, shown);
    }
}

static const char *inlined(struct arena *a, const char *html)
{
    struct buf b = {.arena = a};
    int64_t work = CSS_WORK_MAX;
    css_inline(a, str_of(html), &work, &b);
    return buf_finish(&b).p;
}

static void style_sheets_are_inlined(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    static const struct { const char *html, *result; } rows[] = {
        {"<style>p{color:red}</style><p>x</p>", "<p style=\"color: red;\">x</p>"},
        {"<style>P.a , #b{ color : red ; margin:0 }</style><p class='z a'>x</p><i id=b>y</i><p class=ab>z</p>",
         "<p class=\"z a\" style=\"color: red; margin: 0;\">x</p><i id=\"b\" style=\"color: red; margin: 0;\">y</i><p class=\"ab\">z</p>"},
        {"<style>.a{color:red}p{color:blue;top:0}</style><p class=a style='left:1px;top:2px'>x</p>",
         "<p class=\"a\" style=\"color: red; left: 1px; top: 2px;\">x</p>"},
        {"<style>p{color:red!important}</style><p style=\"color:blue\">x</p>", "<p style=\"color: red;\">x</p>"},
        {"<style>div p{a:1}div>p{b:2}table .c p{c:3}</style><div><span><p>x</p></span><p>y</p></div><p>z</p>",
         "<div><span><p style=\"a: 1;\">x</p></span><p style=\"a: 1; b: 2;\">y</p></div><p>z</p>"},
        {"<style>a > b c > d{e:1}</style><a><b><c><b><c><d>x</d></c></b></c></b></a>",
         "<a><b><c><b><c><d style=\"e: 1;\">x</d></c></b></c></b></a>"},
        {"<style>a > c d{e:1}</style><a><b><c><d>x</d></c></b></a>", "<a><b><c><d>x</d></c></b></a>"},
        {"<style>div > i b{a:1}</style><div><i><i><b>x</b></i></i></div>", "<div><i><i><b style=\"a: 1;\">x</b></i></i></div>"},
        {"<style>a:hover{b:1}/* } */p{c:1}@media (max-width:9px){p{d:1}}p[x],i{e:\"}\"}</style><p>x</p><i>y</i>",
         "<style>a:hover{b:1}\n@media (max-width:9px){p{d:1}}\np[x]{e:\"}\"}</style><p style=\"c: 1;\">x</p><i style=\"e: &quot;}&quot;;\">y</i>"},
        {"<html><head><title>t</title><style>b{c:1}</style></head><body><b>x</b><br>&nbsp;&lt;</body></html>",
         "<html><body><b style=\"c: 1;\">x</b><br>&nbsp;&lt;</body></html>"},
        {"</td></tr></table><b>x<!-- c --><p>y", "<b>x<p>y</p></b>"},
        {"<style>p{", ""}, {"<style>*{a:1}</style><i>x</i>", "<i style=\"a: 1;\">x</i>"},
        {"<style>@import 'x';p{a:1}</style><p>", "<style>@import 'x';</style><p style=\"a: 1;\"></p>"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(inlined(a, rows[i].html), rows[i].result);
    /* Too much for inlining: the sheets stay, and nothing takes long. */
    struct buf b = {.arena = a};
    buf_z(&b, "<style>");
    for (int i = 0; i < 1999; i++)
        buf_fmt(&b, "i b u i b u.c%d{a:1}", i);
    buf_z(&b, "</style>");
    for (int i = 0; i < 3000; i++)
        buf_z(&b, "<i></i>");
    assert_true(str_starts(str_of(inlined(a, buf_finish(&b).p)), STR("<style>i b u")));
    /* Selectors with many ways to fail, deep down; and rules that would be copied into every element. */
    b = (struct buf){.arena = a};
    buf_z(&b, "<style>u > i i > i i > i i > i i > i i > i b{a:1}i{x:");
    for (int i = 0; i < 30000; i++)
        buf_z(&b, "0");
    buf_z(&b, "}</style>");
    for (int i = 0; i < 250; i++)
        buf_z(&b, "<i>");
    for (int i = 0; i < 2000; i++)
        buf_z(&b, "<b></b><i></i>");
    assert_true(strlen(inlined(a, buf_finish(&b).p)) < CSS_WORK_MAX + 200000);
}

static void limits_hold(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    assert_non_null(strstr(html_of(a, DOC(P(TEXT("{% for i in (1..9999999) %}x{% endfor %}")))), "limit exceeded"));
    /* A repetition of repetitions of repetitions. */
    struct buf b = {.arena = a};
    buf_z(&b, "{\"payload\":{\"l\":[0");
    for (int i = 0; i < 999; i++)
        buf_z(&b, ",0");
    buf_z(&b, "]}}");
    struct liquid_variable v[1];
    struct liquid_context ctx = {.variables = v, .variables_n = variables_of(data_literal(a, buf_finish(&b).p), v), .mode = LIQUID_PLAIN};
    struct str got = render(a, data_literal(a, DOC(REPEAT("payload.l", REPEAT("payload['l']", REPEAT("payload.l | map: 'x'", P(TEXT("x"))))))), &ctx, NULL);
    assert_non_null(strstr(str_z(a, str_sub(got, 0, 100)), "limit exceeded"));
    got = render(a, data_literal(a, DOC(REPEAT("payload.l", REPEAT("payload['l']", P(TEXT("x")))))), &ctx, NULL);
    assert_non_null(strstr(str_z(a, str_sub(got, 0, 100)), "limit exceeded"));
}

/* ---- random documents: always balanced, always survive the sanitiser, both ways of rendering agree ---- */

struct dice { uint64_t state; };
static unsigned roll(struct dice *d, unsigned n)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(d->state >> 33) % n;
}
#define PICK(d, list) list[roll((d), sizeof list / sizeof *list)]

static const char *const random_texts[] = {
    "a", "", "  ", "<b>&'\\\"", "{{payload.n}}", "{{payload.html}} x", "{{ payload.empty }}", "{{payload.orders}}", "{{payload.name | upcase}}",
    "{% if payload.yes %}y{% endif %}", "\xc5\xbc \xf0\x9f\x8e\x89", "{{t.key}}", "</p></td></table>", "10", "center", "auto", "#fff;x:y",
    "javascript:alert(1)", "https://x.test/?a=1&b=2", "{{payload.url}}"};
static const char *const random_paths[] = {
    "payload.n", "payload.no", "payload.yes", "payload.orders.id", "payload.orders", "payload.orders.lines.what", "payload.html", "payload.name",
    "payload.nope", "payload.url", "payload.orders.paid", "payload.orders | size"};
static const char *const random_keys[] = {
    "text", "url", "src", "alt", "title", "textAlign", "alignment", "color", "width", "height", "borderRadius", "paddingTop", "marginBottom",
    "backgroundColor", "buttonColor", "variant", "level", "size", "gap", "externalLink", "description", "link", "image", "subTitle", "badgeText",
    "linkTitle", "verticalAlign", "fallback", "lineHeight", "background", "href", "iterations", "align"};
static const char *const random_flags[] = {"isTextVariable", "isUrlVariable", "isSrcVariable", "isExternalLinkVariable"};
static const char *const flagged_keys[] = {"text", "url", "src", "externalLink", "href", "fallback", NULL};
/* As templates these would be seen too late to be calculated with. */
static const char *const number_keys[] = {"width", "height", "level", "gap", "paddingTop", "marginBottom", "iterations", "fallback", "variant", "size", "borderRadius", NULL};
static const char *const random_numbers[] = {"0", "7", "\"12\"", "null", "33.35", "\"auto\"", "\"round\"", "\"lg\"", "\"filled\""};
static const char *const random_types[] = {
    "paragraph", "heading", "button", "image", "logo", "spacer", "horizontalRule", "bulletList", "orderedList", "listItem", "blockquote",
    "footer", "section", "columns", "column", "repeat", "for", "htmlCodeBlock", "linkCard", "text", "variable", "hardBreak", "inlineImage"};
static const char *const container_types[] = {
    "paragraph", "heading", "bulletList", "orderedList", "listItem", "blockquote", "footer", "section", "columns", "column", "repeat", "for", NULL};
static const char *const random_html[] = {
    "<p>x", "</td></tr></table><b>", "<style>p{a:1}b:hover{c:2}</style><p>y</p>", "{{payload.html}}", "<style>i{", "<!-- ", "<a href=\\\"x",
    "<script>a</script>"};
static const char *const random_marks[] = {"bold", "italic", "underline", "strike", "code", "textStyle", "link"};

static void random_attrs(struct dice *d, struct buf *b)
{
    buf_z(b, "\"attrs\":{\"id\":\"");
    buf_z(b, PICK(d, random_paths));
    buf_z(b, "\"");
    if (!roll(d, 4))
        buf_fmt(b, ",\"showIfKey\":\"%s\"", PICK(d, random_paths));
    if (roll(d, 4))
        buf_fmt(b, ",\"each\":\"%s\"", roll(d, 3) ? "payload.orders" : "payload.orders.lines");
    bool flagged = !roll(d, 3);
    for (unsigned i = roll(d, 6); i; i--) {
        const char *key = PICK(d, random_keys);
        buf_fmt(b, ",\"%s\":", key);
        if (html_name_in(str_of(key), number_keys))
            buf_z(b, PICK(d, random_numbers));
        else if (flagged && html_name_in(str_of(key), flagged_keys))
            buf_fmt(b, "\"%s\"", PICK(d, random_paths));
        else if (!roll(d, 3))
            buf_fmt(b, "%d", (int)roll(d, 40) - 2);
        else if (!roll(d, 8))
            buf_z(b, "null");
        else
            buf_fmt(b, "\"%s\"", PICK(d, random_texts));
    }
    if (flagged)
        buf_fmt(b, ",\"%s\":true", PICK(d, random_flags));
    buf_z(b, "}");
}

static void random_node(struct dice *d, struct buf *b, int depth)
{
    const char *type = PICK(d, random_types);
    buf_fmt(b, "{\"type\":\"%s\",", type);
    random_attrs(d, b);
    buf_fmt(b, ",\"text\":\"%s\"", PICK(d, random_texts));
    if (!roll(d, 3)) {
        buf_z(b, ",\"marks\":[");
        for (unsigned i = roll(d, 4), n = 0; i; i--, n++) {
            buf_fmt(b, "%s{\"type\":\"%s\",", n ? "," : "", PICK(d, random_marks));
            random_attrs(d, b);
            buf_z(b, "}");
        }
        buf_z(b, "]");
    }
    if (!strcmp(type, "htmlCodeBlock"))
        buf_fmt(b, ",\"content\":[" TEXT("%s") ",{\"type\":\"variable\",\"attrs\":{\"id\":\"%s\",\"showIfKey\":%s}}]",
                PICK(d, random_html), PICK(d, random_paths), roll(d, 3) ? "null" : "\"payload.no\"");
    else if (html_name_in(str_of(type), container_types) && roll(d, 5)) {
        buf_z(b, ",\"content\":[");
        for (unsigned i = depth ? roll(d, 4) : 0, n = 0; i; i--, n++) {
            if (n)
                buf_z(b, ",");
            random_node(d, b, depth - 1);
        }
        buf_z(b, "]");
    }
    buf_z(b, "}");
}

/* Strictly: every tag is closed where it was opened, every attribute is in double quotes. */
static const char *unbalanced(struct arena *a, struct str s)
{
    static const char *const voids[] = {"br", "hr", "img", "meta", "link", NULL};
    struct str open[400];
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '<') {
            i++;
            continue;
        }
        size_t from = ++i;
        bool end = i < s.n && s.p[i] == '/', quoted = false;
        for (i += end; i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')); i++)
            ;
        struct str name = str_sub(s, from + end, i);
        for (; i < s.n && (quoted || s.p[i] != '>'); i++) {
            if (s.p[i] == '<' || (quoted && s.p[i] == '>'))
                return str_fmt(a, "bare %c at %zu", s.p[i], i).p;
            quoted ^= s.p[i] == '"';
        }
        if (!name.n || quoted || i >= s.n || n == 400)
            return str_fmt(a, "broken tag at %zu", from).p;
        if (!end && !html_name_in(name, voids))
            open[n++] = name;
        else if (end && (!n || !str_eq(open[--n], name)))
            return str_fmt(a, "</%.*s> at %zu", STR_ARG(name), from).p;
    }
    return n ? str_fmt(a, "<%.*s> never closed", STR_ARG(open[n - 1])).p : NULL;
}

static struct str replaced(struct arena *a, struct str s, struct str what, struct str with)
{
    struct buf b = {.arena = a};
    for (ptrdiff_t at; (at = str_find(s, what)) >= 0; s = str_sub(s, (size_t)at + what.n, s.n)) {
        buf_add(&b, s.p, (size_t)at);
        buf_str(&b, with);
    }
    buf_str(&b, s);
    return str_solid(buf_get(&b));
}

static struct str without_empty_styles(struct arena *a, struct str s)
{
    return replaced(a, replaced(a, s, STR(" style=\";"), STR(" style=\"")), STR(" style=\"\""), STR(""));
}

static void random_documents_are_sound(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    int rendered = 0, failed = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct dice d = {seed * 2654435761u + 1};
        struct buf text = {.arena = a};
        buf_z(&text, "{\"type\":\"doc\",\"content\":[");
        for (unsigned i = 1 + roll(&d, 4), n = 0; n < i; n++) {
            if (n)
                buf_z(&text, ",");
            random_node(&d, &text, 4);
        }
        buf_z(&text, "]}");
        struct liquid_variable v[2];
        struct liquid_context ctx = {.variables = v, .mode = LIQUID_PLAIN};
        ctx.variables_n = variables_of(data_literal(a, variables_text), v);
        const char *doc = buf_finish(&text).p;
        struct str html = render(a, data_literal(a, doc), &ctx, NULL);
        yyjson_val *tree;
        struct error err = {0};
        struct blocks *b = blocks_compile(a, data_literal(a, doc));
        bool long_way = blocks_tree(b, &ctx, a, &tree, &err);
        if (str_starts(html, STR("ERROR"))) {
            /* Neither way can render an iterable that is none. */
            assert_false(long_way);
            failed++;
        } else {
            const char *why = unbalanced(a, html);
            if (why)
                fail_msg("seed %llu: %s in\n%s\nof %s", (unsigned long long)seed, why, str_z(a, html), doc);
            if (!long_way)
                fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, err.message, doc);
            struct buf again = {.arena = a};
            assert_true(blocks_render(blocks_compile_literal(a, tree), &ctx, &(struct blocks_options){0}, a, &again, &err));
            if (!str_eq(without_empty_styles(a, html), without_empty_styles(a, str_solid(buf_get(&again)))))
                fail_msg("seed %llu:\n%s\n---- the long way\n%s\n%s", (unsigned long long)seed, str_z(a, html), buf_finish(&again).p, doc);
            why = unbalanced(a, sanitize_html(a, html));
            if (why && !strstr(why, "bare >"))
                fail_msg("seed %llu, sanitised: %s", (unsigned long long)seed, why);
            rendered++;
        }
        arena_reset(a);
    }
    assert_true(rendered > 1000);
    assert_true(failed > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_are_as_recorded),
        cmocka_unit_test(documents_are_as_recorded),
        cmocka_unit_test(pipeline_is_as_recorded),
        cmocka_unit_test(repetitions_nest_and_have_conditions),
        cmocka_unit_test(documents_as_text),
        cmocka_unit_test(documents_as_cards),
        cmocka_unit_test(leaves_are_templates_everywhere),
        cmocka_unit_test(columns_share_what_is_left),
        cmocka_unit_test(margins_follow_what_is_shown),
        cmocka_unit_test(style_sheets_are_inlined),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(random_documents_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
