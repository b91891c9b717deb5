/* JSON-logic: the recordings of json-logic-js with Novu's operators, the limits, and what is reported of lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "content/jsonlogic.h"
#include "support/data.h"

static const int64_t NOW = 1741065967000;       /* 2025-03-04T05:26:07Z */

/* Structural equality with numbers compared as doubles. */
static bool same(struct arena *a, yyjson_val *want, const yyjson_mut_val *got)
{
    yyjson_val *v = NULL;
    return got && json_parse(a, json_write_mut(a, got), &v, NULL) &&
           (yyjson_equals(v, want) || (yyjson_is_num(v) && yyjson_is_num(want) && yyjson_get_num(v) == yyjson_get_num(want)));
}

/* expected: {value} | {undefined} | {error} */
static void assert_outcome(yyjson_val *rule, yyjson_val *data, yyjson_val *expected)
{
    struct arena *a = arena_create(0);
    yyjson_mut_val *result;
    struct error err = {0};
    struct jsonlogic_context c = {.data = data, .now_ms = NOW};
    bool good = jsonlogic_apply(rule, &c, a, json_doc(a), &result, &err), as_expected;
    yyjson_val *value = json_get(expected, "value"), *error = json_get(expected, "error");
    if (error)
        as_expected = !good && str_eqz(json_str(error), err.message);
    else if (json_get(expected, "undefined"))
        as_expected = good && !result;
    else
        as_expected = good && same(a, value, result);
    if (!as_expected)
        fail_msg("%.*s on %.*s: got %.*s %s, want %.*s", STR_ARG(json_write(a, rule)), STR_ARG(json_write(a, data)),
                 STR_ARG(json_write_mut(a, result)), err.message, STR_ARG(json_write(a, expected)));
    arena_destroy(a);
}

static void official_cases_as_novu_answers(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *c, *cases = data_json(a, TESTDATA "/json-logic/engine_results.json");
    size_t i, n;
    assert_int_equal(yyjson_arr_size(cases), 555);
    yyjson_arr_foreach(cases, i, n, c) {
        yyjson_val *novu = json_get(c, "novu");
        assert_outcome(json_get(c, "rule"), json_get(c, "data"), yyjson_is_str(novu) ? json_get(c, "js") : novu);
    }
}

static void operator_grid(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *c, *cases = data_json(a, TESTDATA "/json-logic/novu_operators.json");
    size_t i, n;
    assert_int_equal(yyjson_arr_size(cases), 3417);
    yyjson_arr_foreach(cases, i, n, c)
        assert_outcome(json_get(c, "rule"), json_get(c, "data"), json_get(c, "result"));
}

static void relative_date_grid(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *c, *cases = data_json(a, TESTDATA "/json-logic/novu_relative_dates.json");
    size_t i, n;
    assert_int_equal(yyjson_arr_size(cases), 405);
    yyjson_arr_foreach(cases, i, n, c) {
        struct str op = json_get_str(c, "op"), value = json_write(a, json_get(c, "value"));
        char iso[TIME_ISO_LEN + 1];
        time_iso(NOW + json_get_int(c, "inputOffsetMs", 0), iso);
        struct str rule = str_fmt(a, "{\"%.*s\":[{\"var\":\"x\"},%.*s]}", STR_ARG(op), STR_ARG(value));
        struct str data = str_fmt(a, "{\"x\":\"%s\"}", iso);
        assert_outcome(data_literal(a, rule.p), data_literal(a, data.p), json_get(c, "result"));
    }
}

/* Facts of JavaScript that the grids do not reach; results from node 20. */
static const struct {
    const char *rule, *data, *result;
} facts[] = {
    {"{\"var\":\"s.length\"}", "{\"s\":\"a\\ud83c\\udf89\"}", "3"},
    {"{\"var\":\"l.length\"}", "{\"l\":[1,2]}", "2"},
    {"{\"var\":\"l.01\"}", "{\"l\":[1,2]}", "null"},
    {"{\"var\":[\"l.5\",\"none\"]}", "{\"l\":[1,2]}", "\"none\""},
    {"{\"var\":1.5}", "{\"1\":{\"5\":\"x\"}}", "\"x\""},
    {"{\"cat\":[1,[2,[3,null]],null,{},true,0.1]}", "null", "\"12,3,[object Object]true0.1\""},
    {"{\"+\":[\"3px\",\" 4\"]}", "null", "7"},
    {"{\"+\":[\"x\"]}", "null", "null"},
    {"{\"*\":[\"3\"]}", "null", "\"3\""},
    {"{\"-\":[\"0x10\",1]}", "null", "15"},
    {"{\"%\":[-5,3]}", "null", "-2"},
    {"{\"/\":[1,0]}", "null", "null"},
    {"{\"max\":[1,\"7\",[5]]}", "null", "7"},
    {"{\"substr\":[\"jsonlogic\",-5,-2]}", "null", "\"log\""},
    {"{\"in\":[1,\"a1\"]}", "null", "true"},
    {"{\"in\":[\"\",\"\"]}", "null", "false"},
    {"{\"==\":[[1],1]}", "null", "true"},
    {"{\"==\":[[1,2],[1,2]]}", "null", "false"},
    {"{\"==\":[{\"var\":\"l\"},{\"var\":\"l\"}]}", "{\"l\":[1,2]}", "true"},
    {"{\"==\":[\"2024-01-01\",\"2024-01-01T00:00:00Z\"]}", "null", "true"},
    {"{\"<\":[\"Jan 5, 2024\",\"2024-01-05T00:00:01Z\"]}", "null", "true"},
    {"{\"<\":[\"apple\",\"banana\"]}", "null", "false"},
    {"{\"missing_some\":[1,[\"a\",\"b\"]]}", "{\"a\":1}", "[]"}, {"{\"missing_some\":[-2,true]}", "{}", "[true]"},
    {"{\"reduce\":[[1,2,3],{\"merge\":[{\"var\":\"accumulator\"},{\"var\":\"current\"}]},[]]}", "null", "[1,2,3]"},
    {"{\"a\":1,\"b\":{\"var\":\"x\"}}", "{\"x\":1}", "{\"a\":1,\"b\":{\"var\":\"x\"}}"},
    {"{\"isEmpty\":[{\"var\":\"gone\"}]}", "{}", "true"},
    {"{\"isNonEmpty\":[[0]]}", "{}", "true"},
    /* 2025-03-04T05:26:07Z less a month, a year; the end of a month runs over. */
    {"{\"exactlyXAgo\":[\"2025-02-04T05:00:00Z\",{\"amount\":1,\"unit\":\"months\"}]}", "{}", "true"},
    {"{\"lessThanXAgo\":[\"2024-03-04T05:26:07.000Z\",{\"amount\":1,\"unit\":\"years\"}]}", "{}", "true"},
    {"{\"lessThanXAgo\":[\"2024-03-04T05:26:06.999Z\",{\"amount\":1,\"unit\":\"years\"}]}", "{}", "false"},
    {"{\"moreThanXAgo\":[0,{\"amount\":30,\"unit\":\"years\"}]}", "{}", "true"},
};

static void javascript_facts(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        struct str expected = str_fmt(a, "{\"value\":%s}", facts[i].result);
        assert_outcome(data_literal(a, facts[i].rule), data_literal(a, facts[i].data), data_literal(a, expected.p));
    }
}

static void month_ends_run_over(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_val *result;
    int64_t now;
    assert_true(time_parse_iso(STR("2025-03-31T12:00:00Z"), &now));
    struct jsonlogic_context c = {.data = data_literal(a, "{}"), .now_ms = now};
    /* new Date(2025, 2, 31).setMonth(1) is 3 March. */
    yyjson_val *rule = data_literal(a, "{\"and\":[{\"lessThanXAgo\":[\"2025-03-03T12:00:00Z\",{\"amount\":1,\"unit\":\"months\"}]},"
                                  "{\"moreThanXAgo\":[\"2025-03-03T11:59:59Z\",{\"amount\":1,\"unit\":\"months\"}]}]}");
    assert_true(jsonlogic_apply(rule, &c, a, json_doc(a), &result, NULL));
    assert_true(jsonlogic_truthy(result));
}

static void variables_are_the_data(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *result;
    struct liquid_variable variables[] = {
        {STR("payload"), data_literal(a, "{\"n\":5,\"list\":[{\"p\":1},{\"p\":2}]}")},
        {STR("subscriber"), data_literal(a, "{\"isOnline\":false}")},
        {STR("actor"), NULL},
    };
    struct jsonlogic_context c = {.variables = variables, .variables_n = 3, .lookups = yyjson_mut_obj(d)};
    yyjson_val *rule = data_literal(a, "{\"and\":[{\">\":[{\"var\":\"payload.n\"},3]},{\"!\":{\"var\":\"subscriber.isOnline\"}},"
                                  "{\"some\":[{\"var\":\"payload.list\"},{\"==\":[{\"var\":\"p\"},2]}]},{\"var\":\"actor.x\"}]}");
    assert_true(jsonlogic_apply(rule, &c, a, d, &result, NULL));
    assert_true(yyjson_mut_is_null(result));
    assert_false(jsonlogic_truthy(result));
    struct str lookups = json_write_mut(a, c.lookups);
    assert_true(str_eqz(lookups, "{\"payload.n\":5,\"subscriber.isOnline\":false,\"payload.list\":[{\"p\":1},{\"p\":2}],"
                                 "\"actor.x\":null}"));
    /* A default decides, but is no value of the path. */
    c.lookups = yyjson_mut_obj(d);
    assert_true(jsonlogic_apply(data_literal(a, "{\"var\":[\"payload.none\",{\"var\":\"payload.n\"}]}"), &c, a, d, &result, NULL));
    assert_int_equal(yyjson_mut_get_int(result), 5);
    assert_true(str_eqz(json_write_mut(a, c.lookups), "{\"payload.n\":5,\"payload.none\":null}"));
    assert_true(jsonlogic_apply(data_literal(a, "{\"var\":\"\"}"), &c, a, d, &result, NULL));
    assert_true(str_starts(json_write_mut(a, result), STR("{\"payload\":{\"n\":5")));
    yyjson_mut_val *rule_mut = yyjson_val_mut_copy(d, data_literal(a, "{\"==\":[{\"var\":\"payload.n\"},\"5\"]}"));
    assert_true(jsonlogic_apply_mut(rule_mut, &c, a, d, &result, NULL));
    assert_true(jsonlogic_truthy(result));
}

static void truth_and_emptiness(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_doc *d = json_doc(a);
    assert_false(jsonlogic_truthy(NULL));
    assert_false(jsonlogic_truthy(yyjson_mut_real(d, 0.0)));
    assert_true(jsonlogic_truthy(yyjson_mut_arr(d)));
    assert_true(jsonlogic_truthy(yyjson_mut_str(d, "0")));
    assert_false(jsonlogic_truthy(yyjson_mut_str(d, "")));
    assert_true(jsonlogic_is_empty(NULL));
    assert_true(jsonlogic_is_empty(data_literal(a, "{}")));
    assert_true(jsonlogic_is_empty(data_literal(a, "null")));
    assert_false(jsonlogic_is_empty(data_literal(a, "false")));
}

static void assert_refused(const char *rule, const char *message)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_val *result;
    struct error err = {0};
    struct jsonlogic_context c = {.data = data_literal(a, "{}")};
    assert_false(jsonlogic_apply(data_literal(a, rule), &c, a, json_doc(a), &result, &err));
    assert_string_equal(err.message, message);
    assert_null(result);
    assert_true(arena_used(a) < 64 << 20);
}

static void hostile_rules_end(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    assert_refused("{\"nope\":[1]}", "Unrecognized operation nope");
    assert_refused("{\"a.b\":[1]}", "Unrecognized operation a.b (failed at a)");
    assert_refused("{\"in.b\":[1]}", "Unrecognized operation in.b (failed at in.b)");
    assert_refused("{\"*\":[]}", "Reduce of empty array with no initial value");
    /* Doubles a string 60 times. */
    buf_z(&b, "{\"reduce\":[[");
    for (int i = 0; i < 60; i++)
        buf_z(&b, i ? ",1" : "1");
    buf_z(&b, "],{\"cat\":[{\"var\":\"accumulator\"},{\"var\":\"accumulator\"}]},\"abcdefgh\"]}");
    assert_refused(buf_finish(&b).p, "rule needs too much memory");
    /* Doubles a list, and shares one list in two places 60 times. */
    b.n = 0;
    buf_z(&b, "{\"reduce\":[[");
    for (int i = 0; i < 60; i++)
        buf_z(&b, i ? ",1" : "1");
    size_t head = b.n;
    buf_z(&b, "],{\"merge\":[{\"var\":\"accumulator\"},{\"var\":\"accumulator\"}]},[1]]}");
    assert_refused(buf_finish(&b).p, "rule needs too many operations");
    b.n = head;
    buf_z(&b, "],[{\"var\":\"accumulator\"},{\"var\":\"accumulator\"}],1]}");
    assert_refused(buf_finish(&b).p, "rule needs too many operations");
    /* A loop in a loop in a loop. */
    b.n = 0;
    buf_z(&b, "[1");
    for (int i = 0; i < 200; i++)
        buf_z(&b, ",1");
    buf_z(&b, "]");
    struct str list = str_dup(a, buf_get(&b));
    struct str loops = str_fmt(a, "{\"map\":[%.*s,{\"map\":[%.*s,{\"map\":[%.*s,1]}]}]}", STR_ARG(list), STR_ARG(list), STR_ARG(list));
    assert_refused(loops.p, "rule needs too many operations");
}

static void assert_unknown(const char *rule, const char *operation)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str found = jsonlogic_unknown(data_literal(a, rule));
    if (operation)
        assert_true(str_eqz(found, operation));
    else
        assert_null(found.p);
}

static void unknown_operations_are_found_without_running(void **state)
{
    static const char *const known[] = {
        "var", "missing", "missing_some", "if", "?:", "==", "===", "!=", "!==", "!", "!!", "or", "and", ">", ">=", "<", "<=", "max", "min",
        "+", "-", "*", "/", "%", "map", "reduce", "filter", "all", "none", "some", "merge", "in", "cat", "substr", "log",
        "startsWith", "endsWith", "contains", "null", "notNull", "between", "withinLast"};
    struct arena *a ARENA_SCOPED = arena_create(0);
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_unknown(str_z(a, str_fmt(a, "{\"%s\":[1,[{\"var\":\"x\"}]]}", known[i])), NULL);
    assert_unknown("{\"if\":[false,{\"never\":[]},1]}", "never");
    assert_unknown("[1,[{\"and\":{\"deep\":1}}],{\"later\":1}]", "deep");
    assert_unknown("{\"in.b\":[1]}", "in.b");
    assert_unknown("{\"a\":1,\"b\":2}", NULL);
    assert_unknown("{\"==\":[{\"a\":1,\"b\":{\"c\":1}},{}]}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_cases_as_novu_answers),
        cmocka_unit_test(operator_grid),
        cmocka_unit_test(relative_date_grid),
        cmocka_unit_test(javascript_facts),
        cmocka_unit_test(month_ends_run_over),
        cmocka_unit_test(variables_are_the_data),
        cmocka_unit_test(truth_and_emptiness),
        cmocka_unit_test(hostile_rules_end),
        cmocka_unit_test(unknown_operations_are_found_without_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
