/* Translations: written over, listed by resource and by locale, deleted one by one or together. On both databases. */
#include "migrated.h"

#include "model/translation.h"

static const struct id ENV = {{1}}, OTHER = {{2}};

static void write_one(struct db *db, struct id env, enum translated type, const char *resource, const char *locale, const char *content,
                      int64_t now)
{
    struct translation t = {.environment = env, .type = type, .resource = str_of(resource), .locale = str_of(locale),
                            .content = str_of(content), .created_at = now, .updated_at = now};
    struct error err = {0};
    must(translation_write(db, &t, &err), &err, "write");
}

static void translations_by_resource_and_locale(void **state)
{
    struct store *st = *state;
    struct db *db = st->db;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct translation *list, t;
    size_t n;
    int64_t gone;
    write_one(db, ENV, TRANSLATED_WORKFLOW, "w", "en_US", "{\"a\":\"1\"}", 5);
    write_one(db, ENV, TRANSLATED_WORKFLOW, "w", "de_DE", "{\"a\":\"eins\"}", 6);
    write_one(db, ENV, TRANSLATED_WORKFLOW, "w", "en_US", "{\"a\":\"one\"}", 7);
    write_one(db, ENV, TRANSLATED_LAYOUT, "w", "en_US", "{}", 8);
    write_one(db, OTHER, TRANSLATED_WORKFLOW, "w", "en_US", "{}", 9);
    must(translation_find(db, a, ENV, TRANSLATED_WORKFLOW, STR("w"), STR("en_US"), &t, &err), &err, "find");
    assert_string_equal(str_z(a, t.content), "{\"a\":\"one\"}");
    assert_int_equal(t.created_at, 5);
    assert_int_equal(t.updated_at, 7);
    must(translation_list(db, a, ENV, TRANSLATED_WORKFLOW, STR("w"), &list, &n, &err), &err, "list");
    assert_int_equal(n, 2);
    assert_string_equal(str_z(a, list[0].locale), "de_DE");
    must(translation_list_by_locale(db, a, ENV, TRANSLATED_WORKFLOW, STR("en_US"), &list, &n, &err), &err, "by locale");
    assert_int_equal(n, 1);
    must(translation_delete(db, ENV, TRANSLATED_WORKFLOW, STR("w"), STR("de_DE"), &gone, &err), &err, "delete");
    assert_int_equal(gone, 1);
    must(translation_delete(db, ENV, TRANSLATED_WORKFLOW, STR("w"), STR_NULL, &gone, &err), &err, "delete all");
    assert_int_equal(gone, 1);
    must(translation_find(db, a, ENV, TRANSLATED_LAYOUT, STR("w"), STR("en_US"), &t, &err), &err, "the layout's stays");
    must(translation_find(db, a, OTHER, TRANSLATED_WORKFLOW, STR("w"), STR("en_US"), &t, &err), &err, "the other's stays");
}

static void locales(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    (void)state;
    assert_string_equal(str_z(a, locale_normalise(a, STR("en_US"))), "en_US");
    assert_string_equal(str_z(a, locale_normalise(a, STR("fil-PH"))), "fil_PH");
    static const char *const bad[] = {"en", "EN_us", "en_USA", "e_US", "en US", "", "en_", "xx_1A"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(locale_normalise(a, str_of(bad[i])).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locales),
        BOTH(translations_by_resource_and_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
