/* Filters of the Inbox as bodies and counts carry them: every form, every limit, every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/inbox_private.h"

struct parsed {
    struct inbox_filter f;
    struct str first;           /* message of the first failed check; empty: none */
    struct error err;           /* of a 400 */
};

static struct parsed parse(struct arena *a, const char *json, bool body)
{
    struct request *rq = ARENA_NEW(a, struct request);
    struct parsed p = {.first = STR_NULL};
    yyjson_val *v;
    rq->arena = a;
    struct checks c = checks_begin(rq);
    assert_true(json_parse(a, str_of(json), &v, NULL));
    bool ok = body ? inbox_filter_from_body(&c, v, &p.f, &p.err) : inbox_filter_from_json(&c, 0, v, &p.f, &p.err);
    assert_true(ok == (p.err.code == ERROR_NONE));
    p.first = c.n ? c.messages[0] : STR("");
    return p;
}

static const char *repeated(struct arena *a, const char *before, const char *item, int n, const char *after)
{
    struct buf b = {.arena = a};
    buf_z(&b, before);
    for (int i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_z(&b, item);
    }
    buf_z(&b, after);
    return buf_finish(&b).p;
}

static void tags_have_one_normal_form(void **state)
{
    (void)state;
    static const struct { const char *tags; size_t groups, first, second; } cases[] = {
        {"[]", 0, 0, 0}, {"{\"or\":[]}", 0, 0, 0}, {"{\"and\":[]}", 0, 0, 0}, {"[\"a\",\"b\"]", 1, 2, 0},
        {"{\"or\":[\"a\",\"b\"]}", 1, 2, 0}, {"{\"and\":[{\"or\":[\"a\"]},{\"or\":[\"b\",\"c\"]}]}", 2, 1, 2}, {"null", 0, 0, 0}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(a, str_fmt(a, "{\"tags\":%s}", cases[i].tags).p, true);
        assert_int_equal(p.first.n, 0);
        assert_int_equal(p.f.tag_groups_n, cases[i].groups);
        if (cases[i].groups > 0)
            assert_int_equal(p.f.tag_groups[0], cases[i].first);
        if (cases[i].groups > 1)
            assert_int_equal(p.f.tag_groups[1], cases[i].second);
    }
}

static void bad_tags_are_named(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    const struct { const char *body, *message; } cases[] = {
        {"{\"tags\":\"a\"}", "Tags must be an array or object"},
        {"{\"tags\":[1]}", "Tags must be strings"},
        {"{\"tags\":{\"or\":[\"a\"],\"and\":[]}}", "Tags filter cannot have both \"or\" and \"and\""},
        {"{\"tags\":{}}", "Tags filter object must have \"or\" or \"and\""},
        {"{\"tags\":{\"or\":[\"a\"],\"x\":1}}", "Invalid tags filter object"},
        {"{\"tags\":{\"or\":\"a\"}}", "\"or\" must be an array of strings"},
        {"{\"tags\":{\"and\":{}}}", "\"and\" must be an array"},
        {"{\"tags\":[[\"a\"]]}", "Nested tag arrays are not supported; use { and: [{ or: string[] }, ...] } for multiple OR-groups"},
        {"{\"tags\":{\"and\":[{\"x\":[]}]}}", "Each \"and\" entry must be { or: string[] }"},
        {"{\"tags\":{\"and\":[{\"or\":1}]}}", "\"or\" must be an array of strings"},
        {"{\"tags\":{\"and\":[{\"or\":[]}]}}", "Each tag group must be a non-empty array of strings"},
        {"{\"tags\":{\"and\":[[\"a\"]]}}", "Each \"and\" entry must be an object { or: string[] }"},
        {repeated(a, "{\"tags\":[", "\"a\"", 100, "]}"), ""},
        {repeated(a, "{\"tags\":[", "\"a\"", 101, "]}"), "At most 100 tags are allowed in a single OR-group"},
        {repeated(a, "{\"tags\":{\"and\":[", "{\"or\":[\"a\"]}", 30, "]}}"), ""},
        {repeated(a, "{\"tags\":{\"and\":[", "{\"or\":[\"a\"]}", 31, "]}}"), "At most 30 tag groups are allowed"},
        {repeated(a, "{\"tags\":{\"and\":[", repeated(a, "{\"or\":[", "\"a\"", 67, "]}"), 3, "]}}"),
         "At most 200 total tag values are allowed"},
        {"{\"data\":{}}", "data must be a string"},
        {"{\"notificationIds\":[\"zz\"]}", "each value in notificationIds must be a mongodb id"},
        {"{\"notificationIds\":\"x\"}", "notificationIds must be an array"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(a, cases[i].body, true);
        if (!str_eqz(p.first, cases[i].message))
            fail_msg("%s: %.*s", cases[i].body, STR_ARG(p.first));
    }
}

static void bad_data_is_refused_with_its_path(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    const struct { const char *data, *message; } cases[] = {
        {"[]", "Data filter must be an object"},
        {"\"x\"", "Data filter must be an object"},
        {"{\"a\":{\"b\":{\"c\":1}}}", "Maximum nesting level exceeded (2 levels max) at a.b"},
        {"{\"a\":[[1]]}", "Nested arrays are not supported for a; use { and: [{ or: Scalar[] }, ...] } for multiple OR-groups"},
        {"{\"a\":{\"or\":[1],\"and\":[]}}", "Filter for a cannot have both \"or\" and \"and\""},
        {"{\"a\":{\"or\":[1],\"x\":1}}", "Invalid filter object for a"},
        {"{\"a\":{\"b\":{\"or\":1}}}", "\"or\" for a.b must be an array of scalars"},
        {"{\"a\":{\"and\":1}}", "\"and\" for a must be an array"},
        {"{\"a\":{\"and\":[[1]]}}", "Each \"and\" entry for a must be { or: Scalar[] }"},
        {"{\"a\":{\"and\":[{\"or\":[]}]}}", "Each group for a must be a non-empty array"},
        {"{\"a\":[],\"b\":{\"or\":[]},\"c\":{\"and\":[]}}", ""},
        {"{\"a\":{\"or\":[{}]}}", "Value for a must be a scalar (string, number, boolean, or null)"},
        {"{\"$where\":1}", "Key \"$where\" under data cannot start with \"$\" or \".\""},
        {"{\"a\":{\".b\":1}}", "Key \".b\" under a cannot start with \"$\" or \".\""},
        {"{\"__proto__\":1}", "Key \"__proto__\" under data is not allowed"},
        {"{\"\":1}", "Empty keys are not allowed under data"},
        {repeated(a, "{\"a\":[", "1", 101, "]}"), "At most 100 values are allowed in a single OR-group for a"},
        {str_fmt(a, "{\"a\":\"%0256d\"}", 0).p, ""},
        {str_fmt(a, "{\"a\":\"%0257d\"}", 0).p, "String value for a exceeds 256 characters"},
        {"{\"a\":{\"b\":[1,\"x\",null,true]},\"c\":{\"and\":[{\"or\":[1]},{\"or\":[2]}]},\"d\":{\"e\":{\"or\":[1]}}}", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(a, str_fmt(a, "{\"data\":%s}", cases[i].data).p, false);
        if (!str_eqz(str_of(p.err.message), cases[i].message))
            fail_msg("%s: %s", cases[i].data, p.err.message);
        assert_int_equal(p.err.code ? error_status(&p.err) : 400, 400);
    }
    assert_string_equal(parse(a, "{\"data\":\"{\"}", true).err.message, "Invalid JSON format for data parameter");
}

static void a_count_s_filter_says_what_it_asks(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct parsed p = parse(a, "{\"read\":false,\"seen\":true,\"severity\":[\"high\",\"none\"],\"createdGte\":5,\"createdLte\":9}", false);
    assert_int_equal(p.f.read, 0);
    assert_int_equal(p.f.seen, 1);
    assert_int_equal(p.f.archived, -1);
    assert_int_equal(p.f.severities, 1u << SEVERITY_HIGH | 1u << SEVERITY_NONE);
    assert_int_equal(p.f.created_gte, 5);
    assert_int_equal(p.f.created_lte, 9);
    assert_string_equal(parse(a, "{\"read\":false,\"archived\":true}", false).err.message,
                        "Filtering for unread and archived notifications is not supported.");
    assert_true(str_eqz(parse(a, "{\"read\":\"false\"}", false).first, "filters.0.read must be a boolean value"));
    assert_true(str_eqz(parse(a, "{\"severity\":\"worst\"}", false).first,
                        "severity must be one of the following values: high, medium, low, none"));
    assert_int_equal(parse(a, "{\"createdLte\":0}", false).f.created_lte, -1);      /* no bound would be 0 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_have_one_normal_form),
        cmocka_unit_test(bad_tags_are_named),
        cmocka_unit_test(bad_data_is_refused_with_its_path),
        cmocka_unit_test(a_count_s_filter_says_what_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
