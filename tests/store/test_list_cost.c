/* A page of a list costs the same among many rows as among few: counted in steps of SQLite's machine. */
#include <sqlite3.h>
#include <string.h>

#include "migrated.h"
#include "model/topic.h"

enum { FEW = 10000, MANY = 200000 };

static int64_t steps;

static int hear(unsigned type, void *ctx, void *stmt, void *ns)
{
    (void)type;
    (void)ctx;
    (void)ns;
    steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

static int listen_to(sqlite3 *db, char **err, const struct sqlite3_api_routines *api)
{
    (void)err;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, hear, NULL);
}

static struct id environment_of(int n)
{
    return (struct id){{(uint8_t)n}};
}

static void fill(struct db *db, struct id environment, int n)
{
    struct error err = {0};
    must(db_write(db, &err, "WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 999999 + ?2) "
                            "INSERT INTO topics (id, environment_id, key, name, created_at, updated_at) "
                            "SELECT CAST('id---' || i AS BLOB), ?1, 'k' || i, 'n', i, i FROM n",
                  environment, n), &err, "fill");
}

static struct page ask(struct db *db, struct arena *a, struct id environment, struct id after, int64_t *cost)
{
    struct error err = {0};
    struct page page;
    struct topic_query q = {.page = {.limit = 10, .after = after}};
    steps = 0;
    must(topic_list(db, a, environment, &q, &page, &err), &err, "list");
    *cost = steps;
    return page;
}

static void a_long_list_is_not_counted_at_each_page(void **state)
{
    (void)state;
    struct error err = {0};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct id none = {{0}}, few = environment_of(1), many = environment_of(2);
    int64_t first, cost;
    const char *url = support_store_url(DB_SQLITE);
    sqlite3_auto_extension((void (*)(void))listen_to);
    struct db *db = db_open(url, false, &err);
    sqlite3_reset_auto_extension();
    must(db != NULL, &err, "store");
    fill(db, few, FEW);
    fill(db, many, MANY);
    struct page page = ask(db, a, few, none, &cost);
    assert_true(page.total == FEW && !page.total_capped && page.n == 10);
    page = ask(db, a, many, none, &first);
    assert_true(page.total == PAGE_COUNT_MAX && page.total_capped && page.n == 10);
    page = ask(db, a, many, page.next, &first);
    assert_true(page.total == PAGE_COUNT_MAX && page.total_capped && page.n == 10);
    assert_true(first <= cost);
    /* Of those that are counted, each change is. */
    must(db_exec(db, "DELETE FROM topics WHERE environment_id = x'010000000000000000000000' AND name = 'n' AND key < 'k1000007'", &err), &err, "delete");
    page = ask(db, a, few, none, &cost);
    assert_int_equal(page.total, FEW - 7);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_long_list_is_not_counted_at_each_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
