/* What files of tests may say, and what is said about those that say something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "scenario/match.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static const struct node *yaml(const char *text)
{
    const struct node *n;
    struct error err = {0};
    if (!node_parse(arena, str_of(text), false, &n, &err))
        fail_msg("%s", err.message);
    return n;
}

static void is_json(const char *text, const char *json)
{
    struct str got = node_json_text(arena, yaml(text));
    if (!str_eqz(got, json))
        fail_msg("%s: is %.*s, not %s", text, STR_ARG(got), json);
}

static void types_of_scalars(void **state)
{
    (void)state;
    is_json("[a, 1, -2, +3, 1.5, 1e3, true, False, null, ~, '', \"1\", 'true', 0123, 1_000, .inf, 0x10, 2026-01-01]",
            "[\"a\",1,-2,3,1.5,1000.0,true,false,null,null,\"\",\"1\",\"true\",123,\"1_000\",\".inf\",\"0x10\",\"2026-01-01\"]");
    is_json("{a: {b: [], c: {}}, d: }", "{\"a\":{\"b\":[],\"c\":{}},\"d\":null}");
    is_json("99999999999999999999", "100000000000000000000.0");
    is_json("- |\n  two\n  lines\n- >-\n  folded\n  text\n", "[\"two\\nlines\\n\",\"folded text\"]");
}

static void aliases_are_what_they_name(void **state)
{
    (void)state;
    is_json("a: &x {b: [1, 2]}\nc: *x\n", "{\"a\":{\"b\":[1,2]},\"c\":{\"b\":[1,2]}}");
}

static void yaml_refused(const char *text, const char *why)
{
    const struct node *n;
    struct error err = {0};
    assert_false(node_parse(arena, str_of(text), false, &n, &err));
    assert_string_equal(err.message, why);
}

static void what_is_refused(void **state)
{
    (void)state;
    yaml_refused("a: 1\nb: 2\na: 3\n", "3:1: 'a' is here a second time");
    yaml_refused("a: &x [*x]\n", "1:8: There is no anchor 'x' above");
    yaml_refused("a: !!str 1\n", "1:4: Tags are not understood");
    yaml_refused("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3: Merge keys are not understood");
    yaml_refused("[a]: 1\n", "1:1: A key must be a text");
    yaml_refused("a: [1\nb: 2\n", "2:2: did not find expected ',' or ']', while parsing a flow sequence");
}

/* Ten lists of ten of the list before: ten thousand million values, were they made. */
static void aliases_do_not_explode(void **state)
{
    struct buf b = {.arena = arena};
    const struct node *n;
    struct error err = {0};
    (void)state;
    buf_z(&b, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++)
        buf_fmt(&b, "l%d: &l%d [*l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d, *l%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1,
                i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_false(node_parse(arena, buf_finish(&b), false, &n, &err));
    assert_non_null(strstr(err.message, "More than 200000 values"));
}

static void depth_has_an_end(void **state)
{
    char text[1024] = "";
    const struct node *n;
    struct error err = {0};
    (void)state;
    memset(text, '[', 500);
    assert_false(node_parse(arena, str_of(text), false, &n, &err));
    assert_string_equal(err.message, "1:101: More than 100 levels");
}

static void json_is_json(void **state)
{
    const struct node *n;
    struct error err = {0};
    (void)state;
    assert_true(node_parse(arena, STR("{\"a\":\"\\ud83d\\ude00 \\\\ud83d \\/ \\u00e9\",\n\t\"b\" :[1,2.5]}"), true, &n, &err));
    struct str got = node_json_text(arena, n);
    if (!str_eqz(got, "{\"a\":\"😀 \\\\ud83d / é\",\"b\":[1,2.5]}"))
        fail_msg("%.*s", STR_ARG(got));
    assert_int_equal(node_get(n, "b")->line, 2);
    assert_int_equal(node_get(n, "b")->column, 2);
    assert_false(node_parse(arena, STR("{\n  a: 1}"), true, &n, &err));
    assert_non_null(strstr(err.message, "2:3: not JSON"));
    assert_false(node_parse(arena, STR("{\"a\":1,\"a\":2}"), true, &n, &err));
    assert_string_equal(err.message, "1:8: 'a' is here a second time");
}

/* --- the form -------------------------------------------------------------------------------------------------------- */

#define THEN "then: [{message: {to: ana}}]\n"

static void refused(const char *text, const char *why)
{
    struct scenario_file f;
    struct error err = {0};
    if (scenario_parse(arena, "x.yaml", str_of(text), &f, &err))
        fail_msg("taken: %s", text);
    if (strcmp(err.message, why))
        fail_msg("\n%s\nnot\n%s", err.message, why);
}

static void mistakes_have_a_place(void **state)
{
    (void)state;
    refused("", "x.yaml:1:1: There is no test in it");
    refused("[]", "x.yaml:1:1: There is no test in it");
    refused("a", "x.yaml:1:1: A test must be a mapping");
    refused("name: a\nwhen: []\nthen: []\n", "x.yaml:3:1: then expects nothing: the test could not fail");
    refused("name: a\nwhen: []\n" THEN "give: {}\n", "x.yaml:4:1: A test has no 'give'; there are: name, given, when, then");
    refused("name: a\n" THEN, "x.yaml:1:1: A test needs 'when'");
    refused("name: a\ngiven:\n  subscribers:\n    - subscriberId: a\n      emial: b\nwhen: []\n" THEN,
            "x.yaml:5:7: A subscriber has no 'emial'; there are: subscriberId, firstName, lastName, email, phone, avatar, locale, "
            "timezone, data, devices");
    refused("name: a\ngiven: {timezone: Mars/Olympus}\nwhen: []\n" THEN, "x.yaml:2:9: There is no time zone 'Mars/Olympus'");
    refused("name: a\ngiven: {clock: soon}\nwhen: []\n" THEN, "x.yaml:2:9: clock must be a date such as 2026-03-01T09:00:00Z");
    refused("name: a\nwhen: [{trigger: {to: ana}}]\n" THEN, "x.yaml:2:9: A trigger needs 'name'");
    refused("name: a\nwhen: [{trigger: {name: w, to: ana}, cancel: t}]\n" THEN,
            "x.yaml:2:38: One item does or expects one thing: 'trigger' is here already");
    refused("name: a\nwhen: [{at: 2h}, {at: 1h}]\n" THEN, "x.yaml:2:19: Time does not go back: this is before the item above");
    refused("name: a\nwhen: [{at: 2h, after: 1h}]\n" THEN, "x.yaml:2:17: 'at' is here already: a time is either at or after");
    refused("name: a\nwhen: [{after: soon}]\n" THEN, "x.yaml:2:9: after must be a duration, such as 2d or PT30M");
    refused("name: a\nwhen: []\nthen: [{message: {to: ana, colour: red}}]\n",
            "x.yaml:3:28: A message has no 'colour'; there are: to, channel, workflow, step, transactionId, at, status, subject, "
            "content, text, title, email, phone, provider, seen, read, archived, snoozedUntil, severity, avatar, data, tags, cta, "
            "error, context");
    refused("name: a\nwhen: []\nthen: [{message: {subject: {matches: '('}}}]\n",
            "x.yaml:3:29: matches is no regular expression: missing closing parenthesis");
    refused("name: a\nwhen: []\nthen: [{message: {to: a}, count: -1}]\n", "x.yaml:3:27: count must be a number that is not negative");
    refused("name: a\nwhen: [{assume: {deliveries: {mail: [sent, lost]}}}]\n" THEN,
            "x.yaml:2:44: What becomes of a delivery is sent, retry or failed");
    refused("name: a\nwhen: []\nthen: [{at: 1d}]\n", "x.yaml:3:8: This says nothing to do or to expect");
}

static void order_and_times(void **state)
{
    struct scenario_file f;
    struct error err = {0};
    (void)state;
    const char *text = "name: a\n"
                       "given: {clock: 2026-03-28T12:00, timezone: Europe/Lisbon}\n"
                       "when:\n"
                       "  - trigger: {name: w, to: ana}\n"
                       "  - after: 1d 12h\n"
                       "    cancel: t\n"
                       "then:\n"
                       "  - message: {to: ana}\n"
                       "  - at: 2026-03-29T09:00\n"
                       "    message: {to: ana}\n"
                       "    count: 0\n"
                       "  - after: PT1H\n"
                       "    step: {to: ana}\n"
                       "    count: {atLeast: 2, atMost: 3}\n"
                       "---\n"
                       "name: b\nwhen: []\n" THEN;
    if (!scenario_parse(arena, "x.yaml", str_of(text), &f, &err))
        fail_msg("%s", err.message);
    assert_int_equal(f.n, 2);
    const struct scenario *s = &f.list[0];
    static const struct { enum scenario_kind kind; const char *at; int line; } want[] = {
        {DO_TRIGGER, "2026-03-28T12:00:00.000Z", 4},
        {EXPECT_MESSAGE, "2026-03-29T08:00:00.000Z", 9},       /* the clocks were put forward that night */
        {DO_CANCEL, "2026-03-30T00:00:00.000Z", 5},
        {EXPECT_MESSAGE, "2026-03-30T01:00:00.000Z", 8},       /* at the end */
        {EXPECT_STEP, "2026-03-30T01:00:00.000Z", 12}};
    assert_int_equal(s->events_n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(s->events[i].kind, want[i].kind);
        assert_string_equal(time_iso_str(arena, s->events[i].at).p, want[i].at);
        assert_int_equal(s->events[i].node->line, want[i].line);
    }
    assert_true(s->events[1].least == 0 && s->events[1].most == 0);
    assert_true(s->events[3].least == 1 && s->events[3].most == INT64_MAX);
    assert_true(s->events[4].least == 2 && s->events[4].most == 3);
}

/* --- matching --------------------------------------------------------------------------------------------------------- */

static bool matches(const char *want, const char *have)
{
    static const struct scenario s = {.start = 1767225600000};     /* 2026-01-01 */
    yyjson_val *v = NULL;
    assert_true(json_parse(arena, str_of(have), &v, NULL));
    return match_value(arena, &s, yaml(want), v);
}

static void matching(void **state)
{
    static const struct { const char *want, *have; bool matches; } cases[] = {
        {"abc", "\"abc\"", true}, {"abc", "\"abcd\"", false}, {"12", "\"12\"", true}, {"12", "12", true}, {"12", "12.5", false},
        {"'12'", "12", false}, {"true", "true", true}, {"true", "false", false}, {"null", "null", true}, {"null", "\"a\"", false},
        {"1d", "\"2026-01-02T00:00:00.000Z\"", true}, {"2d", "\"2026-01-02T00:00:00.000Z\"", false},
        {"2026-01-02T01:00+01:00", "\"2026-01-02T00:00:00.000Z\"", true},
        {"{contains: b}", "\"abc\"", true}, {"{contains: d}", "\"abc\"", false}, {"{contains: b}", "[\"a\",\"b\"]", true},
        {"{contains: b}", "[\"ab\"]", false}, {"{contains: {x: 1}}", "[{\"x\":1,\"y\":2}]", true},
        {"{lacks: d}", "\"abc\"", true}, {"{lacks: b}", "\"abc\"", false},
        {"{startsWith: ab, endsWith: bc}", "\"abc\"", true}, {"{startsWith: ab, endsWith: x}", "\"abc\"", false},
        {"{matches: '^a.c$'}", "\"abc\"", true}, {"{matches: '^b'}", "\"abc\"", false},
        {"{oneOf: [1, abc]}", "\"abc\"", true}, {"{oneOf: [1, 2]}", "3", false}, {"{not: abc}", "\"abd\"", true}, {"{not: 1}", "1", false},
        {"{exists: true}", "1", true}, {"{exists: true}", "null", false}, {"{exists: false}", "null", true},
        {"{atLeast: 2, atMost: 4}", "3", true}, {"{atLeast: 2}", "1", false}, {"{atMost: 4}", "5", false},
        {"{atLeast: 1d, atMost: 2d}", "\"2026-01-02T00:00:00.000Z\"", true}, {"{atLeast: 3}", "\"x\"", false},
        {"{a: 1}", "{\"a\":1,\"b\":2}", true}, {"{a: 2}", "{\"a\":1}", false}, {"{c: 1}", "{\"a\":1}", false}, {"{a: 1}", "[1]", false},
        {"[1, {contains: b}]", "[1,\"abc\"]", true}, {"[1]", "[1,2]", false}, {"[2, 1]", "[1,2]", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].want, cases[i].have) != cases[i].matches)
            fail_msg("%s against %s: not %d", cases[i].want, cases[i].have, cases[i].matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(types_of_scalars, setup, teardown),
        cmocka_unit_test_setup_teardown(aliases_are_what_they_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(aliases_do_not_explode, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_json, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_have_a_place, setup, teardown),
        cmocka_unit_test_setup_teardown(order_and_times, setup, teardown),
        cmocka_unit_test_setup_teardown(matching, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
