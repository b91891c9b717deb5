/* URL-encoded bodies as JSON documents: the names of qs, which upstream's body parser uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/form.h"

static void forms_become_documents(void **state)
{
    static const struct { const char *form, *json; } cases[] = {
        {"", "{}"},
        {"&&=x&", "{}"},
        {"a=1&b=two+words&c=%C3%BC%26", "{\"a\":\"1\",\"b\":\"two words\",\"c\":\"ü&\"}"},
        {"a", "{\"a\":\"\"}"},
        {"a[b]=1&a[c][d]=2", "{\"a\":{\"b\":\"1\",\"c\":{\"d\":\"2\"}}}"},
        {"a%5Bb%5D=1", "{\"a\":{\"b\":\"1\"}}"},
        {"a[]=x&a[]=y", "{\"a\":[\"x\",\"y\"]}"},
        {"a[]=x", "{\"a\":[\"x\"]}"},
        {"a=x&a=y&a=z", "{\"a\":[\"x\",\"y\",\"z\"]}"},
        {"a=x&a[]=y", "{\"a\":[\"x\",\"y\"]}"},
        {"a[1]=y&a[0]=x&a[20]=z", "{\"a\":[\"x\",\"y\",\"z\"]}"},
        {"a[21]=y", "{\"a\":{\"21\":\"y\"}}"},
        {"a[01]=y&a[-1]=z", "{\"a\":{\"01\":\"y\",\"-1\":\"z\"}}"},
        {"a[]=y&a[b]=z&a[]=x", "{\"a\":{\"0\":\"y\",\"b\":\"z\",\"1\":\"x\"}}"},
        {"a[][b]=1&a[][c]=2", "{\"a\":[{\"b\":\"1\",\"c\":\"2\"}]}"},
        {"to[0][type]=Topic&to[0][topicKey]=t&to[1]=u", "{\"to\":[{\"type\":\"Topic\",\"topicKey\":\"t\"},\"u\"]}"},
        {"a[b=1&[c]=2&a]=3", "{\"a[b\":\"1\",\"[c]\":\"2\",\"a]\":\"3\"}"},
        {"__proto__[x]=1", "{\"__proto__\":{\"x\":\"1\"}}"},
        {"a=\"%0A\\", "{\"a\":\"\\\"\\n\\\\\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct error err = {0};
        yyjson_val *root = NULL;
        assert_true(form_parse(a, str_of(cases[i].form), &root, &err));
        assert_string_equal(str_z(a, json_write(a, root)), cases[i].json);
    }
}

static void broken_forms_are_refused(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf deep = {.arena = a}, many = {.arena = a};
    (void)state;
    buf_char(&deep, 'a');
    for (int i = 0; i <= FORM_DEPTH_MAX; i++)
        buf_z(&deep, "[b]");
    for (int i = 0; i <= FORM_PARAMS_MAX; i++)
        buf_z(&many, "&a=1");
    const struct { struct str form; int status; const char *message; } cases[] = {
        {STR("a=1&a[b]=2"), 400, "Body parameter a[b] is both a value and an object"},
        {STR("a[b]=2&a=1"), 400, "Body parameter a is both a value and an object"},
        {buf_finish(&deep), 400, "Body parameters are nested more than 32 deep"},
        {buf_finish(&many), 413, "too many parameters: a form may have 1000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        yyjson_val *root = NULL;
        assert_false(form_parse(a, cases[i].form, &root, &err));
        assert_int_equal(err.status, cases[i].status);
        assert_string_equal(err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_become_documents),
        cmocka_unit_test(broken_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
