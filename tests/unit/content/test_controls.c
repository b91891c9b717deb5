/* Control values against what @novu/framework compiled (tests/data/liquid-novu/controls_client.json), and the parts of
 * content.md §1.4 that no recording shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "content/controls.h"
#include "content/json_repair.h"
#include "support/data.h"

static yyjson_val *json_of(struct arena *a, struct str text)
{
    yyjson_val *v = NULL;
    struct error err;
    if (!json_parse(a, text, &v, &err))
        fail_msg("%s: %.*s", err.message, STR_ARG(text));
    return v;
}

/* The result as JSON text, or "! error". */
static struct str rendered(struct arena *a, const struct controls *c, struct liquid_context *ctx)
{
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *out = NULL;
    if (!controls_render(c, ctx, a, d, &out, &err))
        return str_fmt(a, "! %s", err.message);
    return json_write_mut(a, out);
}

static struct str compiled(struct arena *a, yyjson_val *controls, struct liquid_context *ctx)
{
    return rendered(a, controls_compile(a, controls), ctx);
}

static size_t variables_of(yyjson_val *data, struct liquid_variable *v, size_t n)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(data);
    size_t k = 0;
    for (yyjson_val *key; k < n && (key = yyjson_obj_iter_next(&it)); k++)
        v[k] = (struct liquid_variable){json_str(key), yyjson_obj_iter_get_val(key)};
    return k;
}

static void test_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *templates = data_json(a, TESTDATA "/liquid-novu/templates.json");
    yyjson_val *recorded = data_json(a, TESTDATA "/liquid-novu/controls_client.json"), *c;
    struct liquid_variable v[16];
    size_t n = variables_of(json_get(templates, "data"), v, 12), wrong = 0, i = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(recorded, "cases"));
    v[n++] = (struct liquid_variable){STR("actor"), json_of(a, STR("{\"firstName\":\"Act\"}"))};
    for (; (c = yyjson_arr_iter_next(&it)); i++) {
        /* As the recording was made: own steps, a workflow named after the case. */
        struct str workflow = str_fmt(a, "{\"workflowId\":\"w%zu\",\"tags\":[\"x\"],\"severity\":\"high\"}", i + 1);
        for (size_t k = 0; k < n; k++) {
            if (str_eq(v[k].name, STR("steps")))
                v[k].value = json_of(a, STR("{\"prev\":{\"body\":\"PB\"}}"));
            if (str_eq(v[k].name, STR("workflow")))
                v[k].value = json_of(a, workflow);
        }
        struct liquid_context ctx = {.variables = v, .variables_n = n};
        struct str got = compiled(a, json_get(c, "controls"), &ctx);
        struct str want = json_get(c, "error") ? str_fmt(a, "! %.*s", STR_ARG(json_get_str(c, "cause"))) : json_write(a, json_get(c, "result"));
        if (!str_eq(got, want)) {
            struct str controls = json_write(a, json_get(c, "controls"));
            fprintf(stderr, "%zu %.*s\n  want %.*s\n  got  %.*s\n", i, STR_ARG(controls), STR_ARG(want), STR_ARG(got));
            wrong++;
        }
    }
    assert_true(i > 20);
    assert_int_equal(wrong, 0);
}

static void check(const char *controls, const char *data, const char *want)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct liquid_variable v[8];
    struct liquid_context ctx = {.variables = v};
    ctx.variables_n = variables_of(json_of(a, str_of(data)), v, 8);
    struct str got = compiled(a, json_of(a, str_of(controls)), &ctx);
    assert_string_equal(str_z(a, got), want);
}

static void test_leaves(void **state)
{
    (void)state;
    /* Double quotes inside of tags: refused upstream, accepted here. */
    check("{\"a\":\"{{ p.x | append: \\\"-\\\" }}\"}", "{\"p\":{\"x\":1}}", "{\"a\":\"1-\"}");
    /* A backslash in a tag's text stands for itself; no escapes. */
    check("{\"a\":\"{{ 'x\\\\ny' }}\"}", "{}", "{\"a\":\"x\\\\ny\"}");
    /* Only blanks that JSON does not escape are trimmed. */
    check("{\"a\":\"x\\n  {{- 1 -}}  \\ty\"}", "{}", "{\"a\":\"x\\n1\\ty\"}");
    /* Leaves share variables, in the order of the JSON text. */
    check("{\"b\":\"{% assign n = 3 %}\",\"a\":\"{{ n }}{% increment k %}\",\"c\":\"{% increment k %}\"}", "{}",
          "{\"b\":\"\",\"a\":\"30\",\"c\":\"1\"}");
    /* What a control captures stays JSON-escaped, as upstream. */
    check("{\"a\":\"{% capture x %}q\\\"q{% endcapture %}{{ x }}\"}", "{}", "{\"a\":\"q\\\\\\\"q\"}");
    /* Objects print with ' for \", without JSON escapes. */
    check("{\"a\":\"{{ p }}\"}", "{\"p\":{\"k\":\"l1\\nl2\"}}", "{\"a\":\"{'k':'l1\\nl2'}\"}");
    check("{\"{{p.k}}\":\"v\",\"z\":[1.0,null,true,\"{{p.k}}\"]}", "{\"p\":{\"k\":\"key\"}}", "{\"key\":\"v\",\"z\":[1.0,null,true,\"key\"]}");
    /* Tags that open in one leaf and close in another. */
    check("{\"a\":\"{% if p.yes %}A\",\"b\":\"B{% endif %}\"}", "{\"p\":{\"yes\":1}}", "{\"a\":\"A\",\"b\":\"B\"}");
}

static void test_translations(void **state)
{
    (void)state;
    check("{\"a\":\"{{ t.hello.x-y }} {{t.ż}}\"}", "{}", "{\"a\":\"{{t.hello.x-y}} {{t.ż}}\"}");
    check("{\"a\":\"it's 't.k' here\"}", "{}", "{\"a\":\"it's '{{t.k}}' here\"}");
    check("{\"a\":\"{\\\"x\\\":\\\"{{t.a}}\\\"}\"}", "{}", "{\"a\":\"{\\\"x\\\":\\\"{{t.a}}\\\"}\"}");
}

static void test_errors(void **state)
{
    (void)state;
    /* At run time too the place is one in the JSON text of all controls. */
    check("{\"abc\":\"{{ 1 | append }}\"}", "{}", "! append expect 2 arguments, line:1, col:9");
    check("{\"a\":\"{% nope %}\"}", "{}", "! tag \"nope\" not found, line:1, col:7");
}

/* The body of a request: what comes into a string stays in it, a template that stands for a value gives one. */
static void test_request_bodies(void **state)
{
    static const char *const cases[][2] = {
        {"{\"a\":\"{{p.evil}}\"}", "{\"a\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\"}"},
        {"{\"a\":\"{{p.evil}}\",\"n\": {{p.n}} }", "{\"a\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\",\"n\":5}"},
        {"{\"a\":{{p.list}},\"b\":[{{p.yes}},{\"c\":{{p.n | plus: 1}}}]}", "{\"a\":[1,\"two\"],\"b\":[true,{\"c\":6}]}"},
        {"{\"a\":\"x {{p.none | default: \"q\"}}\",\"b\":{{p.none | default: \"7\"}}}", "{\"a\":\"x q\",\"b\":7}"},
        {"{\"{{p.word}}\":{{p.n}},\"e\":\"\\u0041\\\"\\n\"}", "{\"word\":5,\"e\":\"A\\\"\\n\"}"},
        {"{\"n\":{{p.n}}{{p.n}}}", "{\"n\":55}"},
        /* With tags in it the body is text, of which every output keeps to its place. */
        {"{\"n\":{% if p.yes %}1{% else %}2{% endif %}}", "{\"n\":1}"},
        {"{\"n\":{% if p.n %}{{p.n}}{% else %}0{% endif %},\"a\":\"{{p.evil}}\"}", "{\"n\":5,\"a\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\"}"},
        {"{\"n\":{% if p.two %}{{p.two}}{% else %}0{% endif %}}", NULL},
        {"{\"n\":{% if p.word %}{{p.word}}{% endif %}}", NULL},
        {"{\"n\":{% if p.evil %}\"{{p.evil}}\"{% else %}{{p.n}}{% endif %}}", "{\"n\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\"}"},
        {"[{% for i in p.list %}{{i | jsonify}}{% unless forloop.last %},{% endunless %}{% endfor %}]", "[1,\"two\"]"},
        {"[{% if p.yes %}{{p.list}}{% endif %}, {{p.o | json}}]", "[[1,\"two\"], {\"k\":\"it's \\\"\"}]"},
        {" {% if p.yes %} {\"a\":\"\\{{p.evil}}\"} {% endif %}", "  {\"a\":\"\\\\x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\"} "},
        {"{% capture w %}{{p.evil}}{% endcapture %}{\"a\":\"{{w}}\",{% echo p.quoted %}:1}", "{\"a\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\",\"q\":1}"},
        {"{% capture w %}{{p.two}}{% endcapture %}{\"a\":{{w}}}", NULL},
        {"{\"a\":{% if p.yes %}{{p.none}}null{% endif %},\"b\":\"{% cycle p.evil %}\"}", "{\"a\":null,\"b\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\"}"},
        {"{% if p.yes %}{{p.evil}}{% endif %}", "x\",\"admin\":true,\"z\":\""},     /* no JSON: text as it is */
        {"{{p.word}}", "word"},
        {"{\"a\":{{p.two}}}", NULL},
        {"{\"a\":{{p.word}}}", NULL},
        {"{\"a\":{{p.none}}}", NULL},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct liquid_variable v = {STR("p"), json_of(a, STR("{\"evil\":\"x\\\",\\\"admin\\\":true,\\\"z\\\":\\\"\",\"n\":5,\"yes\":true,"
                                                          "\"list\":[1,\"two\"],\"word\":\"word\",\"two\":\"1, \\\"admin\\\": true\","
                                                          "\"o\":{\"k\":\"it's \\\"\"},\"quoted\":\"\\\"q\\\"\"}"))};
    struct liquid_context ctx = {.variables = &v, .variables_n = 1};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yyjson_mut_doc *d = json_doc(a);
        yyjson_mut_val *o = yyjson_mut_obj(d);
        json_add_str(d, o, "body", str_of(cases[i][0]));
        struct str got = rendered(a, controls_compile_request(a, json_of(a, json_write_mut(a, o))), &ctx);
        if (!cases[i][1]) {
            assert_int_equal(got.p[0], '!');
            continue;
        }
        struct str body = json_get_str(json_of(a, got), "body");
        if (!str_eq(body, str_of(cases[i][1])))
            fail_msg("%s: %.*s", cases[i][0], STR_ARG(body));
    }
    /* Elsewhere text is text. */
    struct str plain = compiled(a, json_of(a, STR("{\"body\":\"{\\\"a\\\":\\\"{{p.evil}}\\\",\\\"n\\\": {{p.n}} }\"}")), &ctx);
    assert_true(str_find(plain, STR("\\\"admin\\\":true")) >= 0);
}

static void test_repair(void **state)
{
    static const char *const cases[][2] = {
        {"{'a':1}", "{\"a\":1}"}, {"[object Object]", "[\"object Object\"]"}, {"{a:b,c:'d'}", "{\"a\":\"b\",\"c\":\"d\"}"},
        {"{\"a\":1,}", "{\"a\":1}"}, {"[1 2,3", "[1, 2,3]"}, {"{\"a\":\"b\\'c\"}", "{\"a\":\"b'c\"}"},
        {"{'a':'it's'}", "{\"a\":\"it\\\"s\"}"}, {"{a:None,b:True}", "{\"a\":null,\"b\":true}"}, {"[.5,2.,1e]", "[0.5,2.0,1e0]"},
        {"/*c*/{}", "{}"}, {"\"a\" + \"b\"", "\"ab\""}, {"cb({a:1});", "{\"a\":1}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct str out;
        struct error err = {0};
        if (!json_repair(a, str_of(cases[i][0]), &out, &err))
            fail_msg("%s: %s", cases[i][0], err.message);
        assert_string_equal(str_z(a, out), cases[i][1]);
    }
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str out;
    struct error err = {0};
    assert_false(json_repair(a, STR("{\"a\":\"it's \"q\"\n\tx\"}"), &out, &err));
    assert_string_equal(err.message, "Colon expected at position 18");
    /* Sends the reader back to the same quote for ever: refused, and not by way of the stack. */
    assert_false(json_repair(a, STR("{t'\\,'..,\\"), &out, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_leaves), cmocka_unit_test(test_translations),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_repair), cmocka_unit_test(test_request_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
