/* The plain-text part of e-mails: recorded texts of rendered documents, and the rules one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/json.h"
#include "content/text_part.h"
#include "support/data.h"

static void assert_text(const char *name, struct str html, struct str want)
{
    struct arena *a = arena_create(0);
    struct str got = text_part_from_html(a, html);
    if (!str_eq(got, want))
        fail_msg("%s: got\n'%.*s'\nwant\n'%.*s'", name, STR_ARG(got), STR_ARG(want));
    arena_destroy(a);
}

static void recordings_are_met(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *cases = data_json(a, TESTDATA "/email-blocks/render.json"), *c;
    yyjson_val *documents = data_json(a, TESTDATA "/email-blocks/documents.json");
    size_t i, n, seen = 0;
    yyjson_arr_foreach(cases, i, n, c) {
        yyjson_val *text = json_get(c, "text"), *document = json_getn(documents, json_get_str(c, "name"));
        if (!yyjson_is_str(text))
            continue;
        assert_text(yyjson_get_str(json_get(c, "name")), json_get_str(c, "fragment"), json_str(text));
        if (document)
            assert_text("document", json_get_str(document, "html"), json_str(text));
        seen++;
    }
    assert_true(seen > 60);
}

/* Recorded with npm html-to-text 9 and the selectors of @react-email/render 1.2.1. */
static const struct {
    const char *html, *text;
} rules[] = {
#include "text_part_rules.inc"
};

static void rules_are_met(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        assert_text(rules[i].html, str_of(rules[i].html), str_of(rules[i].text));
}

static void hostile_input_stays_small(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    static const char *const units[] = {"<blockquote>a<br>", "<ul><li>x", "<ol><li><p>y", "<div>", "<a href=x>", "<pre>\n"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct buf b = {.arena = a};
        for (int i = 0; i < 20000; i++)
            buf_z(&b, units[u]);
        assert_true(text_part_from_html(a, buf_get(&b)).n <= 1 << 20);
    }
    struct buf big = {.arena = a};
    for (int i = 0; i < 400000; i++)
        buf_z(&big, "<p>word");
    struct str text = text_part_from_html(a, buf_get(&big));
    assert_true(text.n <= 1 << 20 && text.n > 1 << 19);
    assert_true(arena_used(a) < 1 << 28);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_are_met),
        cmocka_unit_test(rules_are_met),
        cmocka_unit_test(hostile_input_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
