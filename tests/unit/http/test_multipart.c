/* Forms with files: what browsers and SDKs send, and what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/multipart.h"

#define TYPE STR("multipart/form-data; boundary=----x")

static void parts_are_read(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct multipart_part *p;
    struct error err = {0};
    size_t n;
    (void)state;
    assert_true(multipart_parse(a, TYPE, STR("preamble\r\n------x\r\nContent-Disposition: form-data; name=\"resourceId\"\r\n\r\nwelcome"
                                             "\r\n------x  \r\ncontent-disposition: form-data; name=\"files[]\"; filename=\"en \\\"US\\\".json\"\r\n"
                                             "Content-Type: application/json\r\n\r\n{\"a\":\r\n1}\r\n------x\r\n"
                                             "Content-Disposition: form-data; name=empty; filename=\"\"\r\n\r\n\r\n------x--\r\nepilogue"),
                                &p, &n, &err));
    assert_int_equal(n, 3);
    assert_string_equal(str_z(a, p[0].name), "resourceId");
    assert_null(p[0].filename.p);
    assert_string_equal(str_z(a, p[0].body), "welcome");
    assert_string_equal(str_z(a, p[1].filename), "en \"US\".json");
    assert_string_equal(str_z(a, p[1].content_type), "application/json");
    assert_string_equal(str_z(a, p[1].body), "{\"a\":\r\n1}");
    assert_non_null(p[2].filename.p);
    assert_int_equal(p[2].filename.n, 0);
    assert_int_equal(p[2].body.n, 0);
}

static void quoted_boundaries(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct multipart_part *p;
    struct error err = {0};
    size_t n;
    (void)state;
    assert_true(multipart_parse(a, STR("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""),
                                STR("--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n--a c\r\n--a b--"), &p, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(str_z(a, p[0].body), "--a c");
}

static void broken_forms_are_refused(void **state)
{
    static const struct { const char *type, *body, *message; } cases[] = {
        {"application/json", "{}", "The body must be multipart/form-data"},
        {"multipart/form-data", "x", "Multipart: Boundary not found"},
        {"multipart/form-data; boundary=", "x", "Multipart: Boundary not found"},
        {"multipart/form-data; boundary=x", "", "Multipart: Unexpected end of form"},
        {"multipart/form-data; boundary=x", "--x", "Multipart: Malformed part header"},
        {"multipart/form-data; boundary=x", "--xy\r\n\r\n\r\n--x--", "Multipart: Malformed part header"},
        {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n", "Multipart: a part's head does not end"},
        {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nbody", "Multipart: Unexpected end of form"},
        {"multipart/form-data; boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\nbody\r\n--x--", "Multipart: a part has no name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct multipart_part *p;
        struct error err = {0};
        size_t n;
        assert_false(multipart_parse(a, str_of(cases[i].type), str_of(cases[i].body), &p, &n, &err));
        assert_int_equal(err.status, 400);
        assert_string_equal(err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_read),
        cmocka_unit_test(quoted_boundaries),
        cmocka_unit_test(broken_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
