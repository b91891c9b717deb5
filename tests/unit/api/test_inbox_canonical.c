/* The canonical JSON that an application signs: what JavaScript's canonicalize makes of the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/inbox_private.h"

static void members_are_sorted_and_numbers_written_as_javascript_does(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } cases[] = {
        {"{\"tenant\":\"acme\",\"region\":{\"id\":\"eu\",\"data\":{\"x\":1}}}",
         "{\"region\":{\"data\":{\"x\":1},\"id\":\"eu\"},\"tenant\":\"acme\"}"},
        {"[3, 1 ,{\"b\":null,\"a\":[true,false]}]", "[3,1,{\"a\":[true,false],\"b\":null}]"},
        {"{\"B\":1,\"a\":2,\"10\":3,\"9\":4}", "{\"10\":3,\"9\":4,\"B\":1,\"a\":2}"},
        {"{\"\xf0\x9f\x98\x80\":1,\"\xef\xbf\xbd\":2,\"\xc3\xa9\":3}", "{\"\xc3\xa9\":3,\"\xf0\x9f\x98\x80\":1,\"\xef\xbf\xbd\":2}"},
        {"{\"k\":1,\"k\":2}", "{\"k\":2}"},
        {"[1.0,-0.0,1.5,-2.25,0.1,100,1e3,123456789012345680000,1e21,1.5e21,0.000001,1e-7,1.25e-9,5e-324,"
         "1.7976931348623157e308,9007199254740993,0.00123,12345.678]",
         "[1,0,1.5,-2.25,0.1,100,1000,123456789012345680000,1e+21,1.5e+21,0.000001,1e-7,1.25e-9,5e-324,"
         "1.7976931348623157e+308,9007199254740992,0.00123,12345.678]"},
        {"\"a\\\"b\\\\c\\/d\"", "\"a\\\"b\\\\c/d\""},
        {"{}", "{}"}, {"[]", "[]"}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yyjson_val *v;
        assert_true(json_parse(a, str_of(cases[i].in), &v, NULL));
        assert_string_equal(canonical_json(a, v, false).p, cases[i].out);
        assert_string_equal(canonical_json(a, v, true).p, cases[i].out);
    }
}

static void control_characters_have_both_spellings(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *v;
    assert_true(json_parse(a, STR("{\"k\":\"a\\nb\"}"), &v, NULL));
    assert_string_equal(canonical_json(a, v, false).p, "{\"k\":\"a\nb\"}");
    assert_string_equal(canonical_json(a, v, true).p, "{\"k\":\"a\\nb\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_sorted_and_numbers_written_as_javascript_does),
        cmocka_unit_test(control_characters_have_both_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
