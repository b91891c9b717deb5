/* The HTML sanitiser: Novu's recorded results, and that known attacks come out inert as a browser would read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "attacks.h"
#include "support/data.h"

static void recordings_are_met(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *cases, *c;
    size_t i, n;
    assert_true(json_parse(a, data_text(a, TESTDATA "/sanitize/cases.json"), &cases, NULL));
    assert_true(yyjson_arr_size(cases) > 70);
    yyjson_arr_foreach(cases, i, n, c) {
        struct str got = sanitize_html(a, json_get_str(c, "input")), want = json_get_str(c, "output");
        if (!str_eq(got, want))
            fail_msg("'%s': got '%.*s', want '%s'", yyjson_get_str(json_get(c, "input")), STR_ARG(got), want.p);
    }
}

/* Also after a second pass: nothing may unfold when a result is sanitised again. */
static void assert_inert(struct arena *a, struct str html)
{
    struct str clean = html;
    for (int pass = 0; pass < 2; pass++) {
        clean = sanitize_html(a, clean);
        const char *danger = html_danger(a, clean);
        if (danger)
            fail_msg("'%.*s' became '%.*s', which holds %s", STR_ARG(html), STR_ARG(clean), danger);
    }
}

static void inline_images_stay(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    static const struct { const char *html, *clean; } rows[] = {
        {"<img src=\"cid:logo@x\">", "<img src=\"cid:logo@x\" />"}, {"<img src=CID:a>", "<img src=\"CID:a\" />"},
        {"<a href=\"cid:a\">x</a>", "<a>x</a>"}, {"<img src=cidx:a>", "<img />"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str clean = sanitize_html(a, str_of(rows[i].html));
        assert_true(str_eqz(clean, rows[i].clean));
    }
}

static void attacks_are_inert(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        assert_inert(a, str_of(attacks[i]));
}

static void hostile_nesting_stays_flat_and_linear(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    struct buf b = {.arena = a};
    for (int i = 0; i < 200000; i++)
        buf_z(&b, i % 3 ? "<div>" : "<b x>");
    for (int i = 0; i < 200000; i++)
        buf_z(&b, "</i>");
    struct str clean = sanitize_html(a, buf_get(&b));
    assert_true(clean.n < b.n * 4);
    size_t depth = 0, deepest = 0;
    for (size_t i = 0; i + 1 < clean.n; i++)
        if (clean.p[i] == '<') {
            depth = clean.p[i + 1] == '/' ? depth - 1 : depth + 1;
            deepest = depth > deepest ? depth : deepest;
        }
    assert_int_equal(depth, 0);
    assert_true(deepest <= 256);
}

static void references_end_at_nul(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str html = {"&lt\0;&\0<b>&n", 12};
    assert_true(str_eq(sanitize_html(a, html), (struct str){"&lt;\0;&amp;\0<b>&amp;n</b>", 25}));
}

static void strings_of_json_are_sanitised(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *v;
    assert_true(json_parse(a, STR("{\"<i>\":\"<script>x</script><b>y</b>\",\"list\":[\"<p>a\",[\"a & b\"],null,{\"n\":1,"
                                  "\"t\":true,\"s\":\"\"}],\"redirect\":{\"url\":\"https://a.test/?a=1&b=2\"}}"), &v, NULL));
    yyjson_mut_doc *d = json_doc(a);
    struct str got = json_write_mut(a, sanitize_json(a, d, v));
    struct str want = STR("{\"<i>\":\"<b>y</b>\",\"list\":[\"<p>a</p>\",[\"a &amp; b\"],null,{\"n\":1,\"t\":true,\"s\":\"\"}],"
                          "\"redirect\":{\"url\":\"https://a.test/?a=1&amp;b=2\"}}");
    if (!str_eq(got, want))
        fail_msg("got %.*s", STR_ARG(got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_are_met),
        cmocka_unit_test(attacks_are_inert),
        cmocka_unit_test(inline_images_stay),
        cmocka_unit_test(hostile_nesting_stays_flat_and_linear),
        cmocka_unit_test(references_end_at_nul),
        cmocka_unit_test(strings_of_json_are_sanitised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
