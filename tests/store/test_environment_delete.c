/* An environment goes with everything it has, in chunks, and nothing of another goes along. On both databases. */
#include "../unit/db/both.h"

#include <stdio.h>

#include "db/migrate.h"
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
    must(db_migrate(db, 0, &err), &err, "migrate");
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

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(an_environment_goes_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
