/* What migrate.h promises: forward only, all or nothing, one node at a time. */
#include "both.h"

#include <pthread.h>
#include <string.h>

#include "db/db_private.h"
#include "db/migrate.h"

static const struct migration list[] = {
    {1, "0001_first", "CREATE TABLE a (id BLOB NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT 'INTEGER BLOB TEXT', n INTEGER);\n"
                      "CREATE TABLE w (id BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID;\n"
                      "INSERT INTO a (id, n) VALUES (CAST('x' AS BLOB), 1099511627776);"},
    {2, "0002_second", "ALTER TABLE a ADD COLUMN blob BLOB; -- it's INTEGER?\n"
                       "CREATE INDEX a_by_n ON a (n) WHERE n IS NOT NULL;"},
    {3, "0003_third", "UPDATE a SET n = n + 1; CREATE TABLE c (x INTEGER)"},
};

static int64_t version(struct db *db)
{
    return number(db, "SELECT MAX(version) FROM schema_migrations");
}

static bool has_table(struct db *db, const char *select)
{
    struct error err = {0};
    struct db_stmt *s = db_prepare(db, select, &err);
    return s && db_run(s, &err);
}

static void migrate(struct db *db, int n, int to)
{
    struct error err = {0};
    must(db_migrate_with(db, list, n, to, &err), &err, "migrate");
}

static void goes_forward_from_every_version(void **state)
{
    struct store *st = *state;
    migrate(st->db, 3, 1);
    assert_int_equal(version(st->db), 1);
    assert_true(number(st->db, "SELECT n FROM a") == 1LL << 40);
    migrate(st->db, 3, 2);
    assert_int_equal(version(st->db), 2);
    migrate(st->db, 3, 0);
    assert_int_equal(version(st->db), 3);
    assert_true(number(st->db, "SELECT n FROM a") == (1LL << 40) + 1);
    migrate(st->db, 3, 0);      /* nothing left to do */
    migrate(st->db, 3, 1);      /* never backwards */
    assert_int_equal(version(st->db), 3);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM schema_migrations WHERE applied_at > 1700000000000"), 3);
    struct db_stmt *s = prepare(st->db, "SELECT name FROM schema_migrations ORDER BY version");
    row(s);
    assert_true(str_eqz(db_text(s, 0), "0001_first"));
    db_reset(s);
    s = prepare(st->db, "SELECT text FROM a");
    row(s);
    assert_true(str_eqz(db_text(s, 0), "INTEGER BLOB TEXT"));
    db_reset(s);
}

static void types_are_translated(void **state)
{
    struct store *st = *state;
    migrate(st->db, 3, 0);
    struct db_stmt *s = prepare(st->db, "SELECT column_name, data_type, COALESCE(collation_name, '-') FROM information_schema.columns"
                                " WHERE table_name = 'a' ORDER BY ordinal_position");
    static const char *const want[][3] = {{"id", "bytea", "-"}, {"text", "text", "C"}, {"n", "bigint", "-"}, {"blob", "bytea", "-"}};
    for (int i = 0; i < 4; i++) {
        row(s);
        for (int c = 0; c < 3; c++)
            assert_true(str_eqz(db_text(s, c), want[i][c]));
    }
    no_row(s);
}

static void a_newer_store_is_refused_unchanged(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    migrate(st->db, 3, 0);
    exec(st->db, "DELETE FROM schema_migrations WHERE version = 1");    /* would be applied again, were it changed */
    assert_false(db_migrate_with(st->db, list, 2, 0, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_non_null(strstr(err.message, "schema version 3"));
    assert_non_null(strstr(err.message, "versions up to 2"));
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM schema_migrations"), 2);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM a"), 1);
}

static void a_failure_in_the_middle_leaves_nothing(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    struct migration broken[3];
    memcpy(broken, list, sizeof broken);
    broken[2].sql = "CREATE TABLE d (x INTEGER); INSERT INTO a (id) VALUES (NULL);";
    assert_false(db_migrate_with(st->db, broken, 3, 0, &err));
    assert_non_null(strstr(err.message, "0003_third"));
    assert_false(has_table(st->db, "SELECT COUNT(*) FROM a"));
    assert_false(has_table(st->db, "SELECT COUNT(*) FROM schema_migrations"));
    migrate(st->db, 2, 0);
    assert_false(db_migrate_with(st->db, broken, 3, 0, &err));
    assert_int_equal(version(st->db), 2);
    assert_false(has_table(st->db, "SELECT COUNT(*) FROM d"));
    migrate(st->db, 3, 0);
    assert_int_equal(version(st->db), 3);
}

static void a_list_with_a_gap_is_refused(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    assert_false(db_migrate_with(st->db, list + 1, 2, 0, &err));
    assert_int_equal(err.code, ERROR_INTERNAL);
}

static void *migrate_in_thread(void *arg)
{
    struct store *st = arg;
    struct error err = {0};
    struct db *db = db_open(st->url, false, &err);
    bool ok = db && db_migrate_with(db, list, 3, 0, &err);
    db_close(db);
    return ok ? st : NULL;
}

static void nodes_that_start_together_migrate_once(void **state)
{
    struct store *st = *state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_in_thread, st), 0);
    for (int i = 0; i < 4; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_ptr_equal(ok, st);
    }
    assert_int_equal(version(st->db), 3);
    assert_true(number(st->db, "SELECT n FROM a") == (1LL << 40) + 1);
}

static void the_binarys_own_list_applies(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    must(db_migrate(st->db, 0, &err), &err, "migrate");
    assert_int_equal(number(st->db, "SELECT COALESCE(MAX(version), 0) FROM schema_migrations"), db_schema_newest());
    must(db_migrate(st->db, 0, &err), &err, "migrate again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(goes_forward_from_every_version), ONE(types_are_translated, 1), BOTH(a_newer_store_is_refused_unchanged),
        BOTH(a_failure_in_the_middle_leaves_nothing), BOTH(a_list_with_a_gap_is_refused),
        BOTH(nodes_that_start_together_migrate_once), BOTH(the_binarys_own_list_applies),
    };
    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
