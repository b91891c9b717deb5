/* An environment goes with everything it has, in chunks, and nothing of another goes along. On both databases. */
#include "migrated.h"

#include <stdio.h>

#include "model/environment.h"
#include "model/removal.h"

static struct id id_of(int kind, int n)
{
    struct id id = {{0}};
    id.b[0] = (uint8_t)kind;
    id.b[10] = (uint8_t)(n >> 8);
    id.b[11] = (uint8_t)n;
    return id;
}

static void run_ids(struct db *db, const char *sql, struct id a, struct id b, struct id c)
{
    struct db_stmt *s = prepare(db, sql);
    struct error err = {0};
    db_bind_id(s, 1, a);
    db_bind_id(s, 2, b);
    db_bind_id(s, 3, c);
    must(db_run(s, &err), &err, sql);
}

static int64_t count_of(struct db *db, const char *table)
{
    char sql[128];
    struct error err = {0};
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    struct db_stmt *s = prepare(db, sql);
    assert_int_equal(db_step(s, &err), DB_ROW);
    int64_t n = db_int(s, 0);
    db_reset(s);
    return n;
}

static const char *const tables[] = {"subscribers", "runs", "preferences"};

/* n subscribers, each with a run and a preference. */
static void fill(struct db *db, struct id env, int kind, int n)
{
    for (int i = 0; i < n; i++) {
        struct db_stmt *s = prepare(db, "INSERT INTO subscribers (environment_id, id, subscriber_id, created_at, updated_at) "
                                        "VALUES (?1, ?2, ?3, 1, 1)");
        struct error err = {0};
        char name[32];
        snprintf(name, sizeof name, "s%d", i);
        db_bind_id(s, 1, env);
        db_bind_id(s, 2, id_of(kind, i));
        db_bind_text(s, 3, str_of(name));
        must(db_run(s, &err), &err, "subscriber");
        run_ids(db, "INSERT INTO runs (environment_id, id, event_id, workflow_id, workflow_version, subscriber_id, context, status, "
                    "delivery, severity, channels, revision, state, created_at, updated_at) "
                    "VALUES (?1, ?2, ?3, ?3, 1, ?2, '', 0, 0, 0, 0, 0, '', 1, 1)", env, id_of(kind, i), id_of(kind + 100, i));
        run_ids(db, "INSERT INTO preferences (environment_id, subscriber_id, id, workflow_id, subscription_id, context, doc, "
                    "created_at, updated_at) VALUES (?1, ?2, ?3, ?3, ?3, '', '{}', 1, 1)", env, id_of(kind, i), id_of(kind + 100, i));
    }
}

static void an_environment_goes_whole(void **state)
{
    struct store *st = *state;
    struct db *db = st->db;
    struct error err = {0};
    const struct id env = {{1}}, other = {{2}};
    bool more = true;
    int chunks = 0;
    must(db_begin(db, true, &err), &err, "begin");
    fill(db, env, 10, 1200);
    fill(db, other, 50, 3);
    must(environment_delete(db, env, 7, &err), &err, "delete");
    must(db_commit(db, &err), &err, "commit");
    assert_int_equal(count_of(db, "removals"), 1);
    for (; more; chunks++)
        must(removal_continue(db, &more, &err), &err, "continue");
    assert_in_range(chunks, 2, 4);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_int_equal(count_of(db, tables[i]), 3);
    assert_int_equal(count_of(db, "removals"), 0);
}

static void add_keyless(struct db *db, int n, int64_t at)
{
    struct error err = {0};
    char name[32];
    snprintf(name, sizeof name, "demo-%d", n);
    struct environment e = {.id = id_of(60, n), .organization = {{9}}, .name = str_of(name), .type = STR(ENVIRONMENT_KEYLESS),
                            .application_identifier = str_of(name), .created_at = at, .updated_at = at};
    must(environment_insert(db, &e, &err), &err, "environment");
}

static void demo_environments_live_a_day_and_are_in_no_list(void **state)
{
    struct store *st = *state;
    struct db *db = st->db;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct environment *list;
    size_t n;
    int64_t gone, alive;
    struct environment real = {.id = {{5}}, .organization = {{9}}, .name = STR("Dev"), .type = STR("dev"),
                               .application_identifier = STR("real"), .created_at = 1, .updated_at = 1};
    must(environment_insert(db, &real, &err), &err, "environment");
    for (int i = 0; i < 4; i++)
        add_keyless(db, i, 1000 + i);
    must(environment_list(db, a, real.organization, &list, &n, &err), &err, "list");
    assert_int_equal(n, 1);
    must(environment_list(db, a, (struct id){{0}}, &list, &n, &err), &err, "list of all");
    assert_int_equal(n, 1);
    must(environment_count_keyless(db, 1001, &alive, &err), &err, "count");
    assert_int_equal(alive, 2);
    must(environment_expire(db, 1002, 2, 5000, &gone, &err), &err, "expire");
    assert_int_equal(gone, 2);
    must(environment_expire(db, 1002, 2, 5000, &gone, &err), &err, "expire");
    assert_int_equal(gone, 1);
    assert_int_equal(count_of(db, "environments"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(an_environment_goes_whole), BOTH(demo_environments_live_a_day_and_are_in_no_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
