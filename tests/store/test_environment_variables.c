/* Environment variables: one record, a value for each environment, gone with the last of them. On both databases. */
#include "migrated.h"

#include "model/environment.h"
#include "model/environment_variable.h"

static const struct id ORGANIZATION = {{9}}, DEV = {{1}}, PROD = {{2}};

static void values_belong_to_environments(void **state)
{
    struct store *st = *state;
    struct db *db = st->db;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct environment_variable v = {.id = {{5}}, .organization = ORGANIZATION, .key = STR("KEY"), .created_at = 1, .updated_at = 1}, found;
    struct environment_variable *list;
    struct str sealed;
    struct crypto_box box;
    yyjson_val *open;
    size_t n;
    crypto_box_init(&box, STR("0123456789abcdef"));
    must(environment_variable_insert(db, &v, &err), &err, "insert");
    assert_false(environment_variable_insert(db, &(struct environment_variable){.id = {{6}}, .organization = ORGANIZATION,
                                                                                .key = STR("KEY")}, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    must(environment_variable_set(db, v.id, DEV, crypto_seal(&box, a, STR("one")), &err), &err, "set");
    must(environment_variable_set(db, v.id, DEV, crypto_seal(&box, a, STR("it's \"two\"")), &err), &err, "set again");
    must(environment_variable_set(db, v.id, PROD, crypto_seal(&box, a, STR("three")), &err), &err, "set elsewhere");
    must(environment_variables_open(db, &box, a, DEV, &open, &err), &err, "open");
    assert_string_equal(str_z(a, json_write(a, open)), "{\"KEY\":\"it's \\\"two\\\"\"}");
    must(environment_variable_list(db, a, ORGANIZATION, STR("ke"), &list, &n, &err), &err, "list");
    assert_int_equal(n, 1);
    must(environment_variable_list(db, a, ORGANIZATION, STR("x"), &list, &n, &err), &err, "list");
    assert_int_equal(n, 0);

    must(environment_variable_unset(db, &v, DEV, &err), &err, "unset");
    assert_false(environment_variable_unset(db, &v, DEV, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    must(environment_variable_find(db, a, ORGANIZATION, STR("KEY"), &found, &err), &err, "still there");
    must(environment_variable_value(db, a, v.id, PROD, &sealed, &err), &err, "the other's");
    must(environment_variable_unset(db, &v, PROD, &err), &err, "unset the last");
    assert_false(environment_variable_find(db, a, ORGANIZATION, STR("KEY"), &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void an_environment_takes_what_only_it_had(void **state)
{
    struct store *st = *state;
    struct db *db = st->db;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    const struct environment_variable own = {.id = {{5}}, .organization = ORGANIZATION, .key = STR("OWN")},
                                      both = {.id = {{6}}, .organization = ORGANIZATION, .key = STR("BOTH")},
                                      none = {.id = {{7}}, .organization = ORGANIZATION, .key = STR("NONE")},
                                      *const all[] = {&own, &both, &none};
    struct environment_variable found;
    struct str sealed;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        must(environment_variable_insert(db, all[i], &err), &err, "insert");
    must(environment_variable_set(db, own.id, DEV, STR("x"), &err), &err, "set");
    must(environment_variable_set(db, both.id, DEV, STR("x"), &err), &err, "set");
    must(environment_variable_set(db, both.id, PROD, STR("y"), &err), &err, "set");
    must(environment_delete(db, DEV, 1, &err), &err, "delete");
    assert_false(environment_variable_find(db, a, ORGANIZATION, STR("OWN"), &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    must(environment_variable_find(db, a, ORGANIZATION, STR("BOTH"), &found, &err), &err, "has another value");
    must(environment_variable_find(db, a, ORGANIZATION, STR("NONE"), &found, &err), &err, "never had one");
    assert_false(environment_variable_value(db, a, both.id, DEV, &sealed, &err));
    must(environment_variable_value(db, a, both.id, PROD, &sealed, &err), &err, "the other's");
}

static void keys_are_names(void **state)
{
    (void)state;
    assert_true(environment_variable_key_valid(STR("A")));
    assert_true(environment_variable_key_valid(STR("a_1")));
    assert_false(environment_variable_key_valid(STR("")));
    assert_false(environment_variable_key_valid(STR("_a")));
    assert_false(environment_variable_key_valid(STR("a-b")));
    assert_false(environment_variable_key_valid(STR("1a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_names),
        BOTH(values_belong_to_environments), BOTH(an_environment_takes_what_only_it_had),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
