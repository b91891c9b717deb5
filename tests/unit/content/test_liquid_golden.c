/* The Liquid engine against what npm liquidjs 10.30.1 and @novu/framework 2.13.2 gave for the same templates
 * (tests/data/golden-liquid, liquidjs, liquid-novu; their KNOWN_DIFFERENCES.md). Every mismatch is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "content/liquid.h"
#include "support/data.h"

/* The result as the recordings have it: text, or the error's. `leave_out` is a variable not to be given. */
static struct str rendered(struct arena *a, yyjson_val *data, struct str source, enum liquid_mode mode, const char *leave_out, bool *ok)
{
    struct liquid_variable vars[64];
    struct liquid_context c = {.variables = vars, .mode = mode};
    struct error err = {0};
    struct buf out = {.arena = a};
    yyjson_obj_iter it = yyjson_obj_iter_with(data);
    for (yyjson_val *k; yyjson_is_obj(data) && (k = yyjson_obj_iter_next(&it));) {
        assert_true(c.variables_n < 64);
        if (!leave_out || !yyjson_equals_str(k, leave_out))
            vars[c.variables_n++] = (struct liquid_variable){json_str(k), yyjson_obj_iter_get_val(k)};
    }
    struct liquid_template *t = liquid_parse(a, source, &err);
    *ok = t && liquid_render(t, &c, a, &out, &err);
    return *ok ? buf_get(&out) : str_dup(a, str_of(err.message));
}

static bool matches(yyjson_val *data, yyjson_val *test, yyjson_val *want, enum liquid_mode mode, const char *leave_out)
{
    struct arena *a ARENA_SCOPED = arena_create(1 << 14);
    bool ok, should = json_get(want, "output") != NULL;
    struct str source = json_get_str(test, "template");
    struct str got = rendered(a, data, source, mode, leave_out, &ok), expected = json_get_str(want, should ? "output" : "error");
    if (ok == should && str_eq(got, expected))
        return true;
    fprintf(stderr, "mode %d: %.*s\n  want %s: %.*s\n  got  %s: %.*s\n", mode, STR_ARG(source), should ? "output" : "error",
            STR_ARG(expected), ok ? "output" : "error", STR_ARG(got));
    return false;
}

/* Templates with partials are left out: there are no files to include. */
static void golden(enum liquid_mode mode)
{
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *tests = json_get(data_json(a, TESTDATA "/golden-liquid/golden_liquid.json"), "tests");
    yyjson_val *recorded = json_get(data_json(a, TESTDATA "/golden-liquid/liquidjs_expectations.json"), "cases");
    yyjson_arr_iter it = yyjson_arr_iter_with(recorded), ti = yyjson_arr_iter_with(tests);
    size_t n = 0, wrong = 0, partials = 0;
    for (yyjson_val *c; (c = yyjson_arr_iter_next(&it));) {
        yyjson_val *test = yyjson_arr_iter_next(&ti), *want = json_get(c, mode == LIQUID_JSON ? "novu" : "liquidjs");
        if (yyjson_is_str(want))
            want = json_get(c, "liquidjs");
        if (json_get(test, "templates")) {
            partials++;
            continue;
        }
        n++;
        wrong += !matches(json_get(test, "data"), test, want, mode, NULL);
    }
    assert_int_equal(partials, 34);
    assert_int_equal(n, 1020);
    assert_int_equal(wrong, 0);
}

static void test_golden_stock(void **state)
{
    (void)state;
    golden(LIQUID_STOCK);
}

static void test_golden_novu(void **state)
{
    (void)state;
    golden(LIQUID_JSON);
}

static void test_liquidjs(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_arr_iter it = yyjson_arr_iter_with(data_json(a, TESTDATA "/liquidjs/cases.json"));
    size_t n = 0, wrong = 0;
    for (yyjson_val *c; (c = yyjson_arr_iter_next(&it));) {
        if (json_get(c, "options"))
            continue;
        n++;
        wrong += !matches(json_get(c, "data"), c, c, LIQUID_STOCK, NULL);
    }
    assert_int_equal(n, 641);
    assert_int_equal(wrong, 0);
}

static void test_novu(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *root = data_json(a, TESTDATA "/liquid-novu/templates.json");
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(root, "cases"));
    size_t n = 0, wrong = 0;
    /* `q` came into the recorded data by an increment of the recording itself. */
    for (yyjson_val *c; (c = yyjson_arr_iter_next(&it)); n++)
        wrong += !matches(json_get(root, "data"), c, c, LIQUID_JSON, "q");
    assert_int_equal(n, 223);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_stock), cmocka_unit_test(test_golden_novu), cmocka_unit_test(test_liquidjs),
        cmocka_unit_test(test_novu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
