/* {{t.key}}: found in every spelling, put in with its own Liquid, said when missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "content/translate.h"

static const char texts[] = "{\"hi\":\"Hello {{subscriber.name}}\",\"deep\":{\"er\":\"down \\\"here\\\"\"},\"n\":5,\"on\":true,"
                            "\"self\":\"{{t.hi}}\",\"bad\":\"{% if %}\",\"empty\":\"\"}";

static void check(const char *in, const char *expected)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    yyjson_val *content, *subscriber;
    struct str out;
    assert_true(json_parse(a, str_of(texts), &content, &err) && json_parse(a, STR("{\"name\":\"Ada\"}"), &subscriber, &err));
    struct liquid_variable v = {STR("subscriber"), subscriber};
    struct liquid_context c = {.variables = &v, .variables_n = 1};
    struct translator t = {{content, NULL}, &c};
    if (translate_text(&t, a, str_of(in), &out, &err))
        assert_string_equal(str_z(a, out), expected);
    else
        assert_string_equal(err.message, expected);
}

static void keys_become_texts(void **state)
{
    (void)state;
    check("{{t.hi}}!", "Hello Ada!");
    check("a {{ t.deep.er }} b{{T.n}}{{t.on}}", "a down \"here\" b5true");
    check("{{t.nope}} {{t.deep}}", "[Translation missing: nope] [Translation missing: deep]");
    check("[{{t.empty}}]", "[]");
    check("{{t.empty}}", "");
    check("{{ total }} {{t.}} {{ t . x }} {{t.hi", "{{ total }} {{t.}} {{ t . x }} {{t.hi");
    check("{{{{t.n}}}}", "{{5}}");
    check("{{t.self}}", "");                /* t is no variable of a translation's own Liquid */
    check("{{t.bad}}", "Translation of \"bad\" failed: invalid value expression: \"\", line:1, col:6");
}

/* A key of the reader's locale wins over the default's, which wins over none; "a.b" may be a name or a path. */
static void keys_fall_back(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct liquid_context c = {.variables_n = 0};
    struct translator t = {.variables = &c};
    struct str out;
    (void)state;
    assert_true(json_parse(a, STR("{\"hi\":\"Hola\",\"mail.subject\":\"Asunto\",\"mail\":{\"subject\":\"no\"}}"), &t.texts.chosen, &err));
    assert_true(json_parse(a, STR("{\"hi\":\"Hello\",\"bye\":\"Bye\",\"mail\":{\"body\":\"Body\"}}"), &t.texts.standard, &err));
    assert_true(translate_text(&t, a, STR("{{t.hi}} {{t.bye}} {{t.mail.subject}} {{t.mail.body}} {{t.mail}}"), &out, &err));
    assert_string_equal(str_z(a, out), "Hola Bye Asunto Body [Translation missing: mail]");
    assert_string_equal(str_z(a, translate_source(&t.texts, a, STR("{{t.bye}}"), false)), "Bye");
}

static void sources_keep_liquid(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct reader_texts t = {0};
    (void)state;
    assert_true(json_parse(a, str_of(texts), &t.chosen, NULL));
    assert_string_equal(str_z(a, translate_source(&t, a, STR("<p>{{t.hi}} {{ t.nope }}</p>"), false)),
                        "<p>Hello {{subscriber.name}} [Translation missing: nope]</p>");
    assert_string_equal(str_z(a, translate_source(&t, a, STR("{\"text\":\"{{t.deep.er}}!\"}"), true)),
                        "{\"text\":\"down \\\"here\\\"!\"}");
}

static void trees_keep_their_shape(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    yyjson_val *in, *out;
    struct liquid_context c = {.variables_n = 0};
    struct translator t = {{NULL, NULL}, &c};
    (void)state;
    assert_true(json_parse(a, STR("{\"a\":[\"{{t.x}}\",1,null,{\"{{t.k}}\":\"y\"}],\"b\":2.5}"), &in, &err));
    assert_true(translate_values(&t, a, in, &out, &err));
    assert_string_equal(str_z(a, json_write(a, out)), "{\"a\":[\"[Translation missing: x]\",1,null,{\"{{t.k}}\":\"y\"}],\"b\":2.5}");
    assert_true(json_parse(a, STR("{\"a\":\"{{b}}\"}"), &in, &err));
    assert_true(translate_values(&t, a, in, &out, &err));
    assert_ptr_equal(in, out);
}

static void locales_are_chosen(void **state)
{
    const struct str have[] = {STR("de_DE"), STR("en_US"), STR("pt_BR")};
    (void)state;
    assert_int_equal(translate_choose(have, 3, STR("pt-BR")), 2);
    assert_int_equal(translate_choose(have, 3, STR("PT-br")), 2);
    assert_int_equal(translate_choose(have, 3, STR("pt_PT")), -1);
    assert_int_equal(translate_choose(have, 3, STR("")), -1);
    assert_int_equal(translate_choose(have, 1, STR("fr_FR")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_become_texts),
        cmocka_unit_test(keys_fall_back),
        cmocka_unit_test(sources_keep_liquid),
        cmocka_unit_test(trees_keep_their_shape),
        cmocka_unit_test(locales_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
