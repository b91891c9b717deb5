/* Who is online when several processes share the store, on both databases. */
#include "migrated.h"

#include "model/delivery.h"
#include "model/presence.h"
#include "model/subscriber.h"

static const struct id ENV = {{1}}, A = {{0xa}}, B = {{0xb}};

static struct id id_of(int n)
{
    struct id id = {{2}};
    id.b[10] = (uint8_t)(n >> 8);
    id.b[11] = (uint8_t)n;
    return id;
}

static struct db *open_store(void **state)
{
    struct store *st = *state;
    return st->db;
}

static void put_subscriber(struct db *db, int n)
{
    struct error err = {0};
    struct id stored;
    char name[16];
    snprintf(name, sizeof name, "s%d", n);
    struct subscriber_patch p = {.subscriber_id = str_of(name)};
    must(subscriber_upsert(db, ENV, &p, id_of(n), 1, &stored, &err), &err, "subscriber");
}

static bool lease(struct db *db, struct id node, int64_t until)
{
    struct error err = {0};
    bool fresh;
    must(node_renew(db, node, until, 0, &fresh, &err), &err, "lease");
    return fresh;
}

static void enter(struct db *db, struct id node, int n)
{
    struct error err = {0};
    must(presence_enter(db, node, ENV, id_of(n), &err), &err, "enter");
}

static void leave(struct db *db, struct id node, int n, int64_t now)
{
    struct error err = {0};
    must(presence_leave(db, node, ENV, id_of(n), now, &err), &err, "leave");
}

static int lapse(struct db *db, int64_t real_now, int64_t now)
{
    struct error err = {0};
    bool more;
    int calls = 0;
    do
        must(presence_lapse(db, real_now, now, &more, &err), &err, "lapse");
    while (++calls < 100 && more);
    return calls;
}

static void is(struct db *db, int n, int online, int64_t last)
{
    struct error err = {0};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct subscriber s;
    must(subscriber_find_by_id(db, a, ENV, id_of(n), &s, &err), &err, "find");
    assert_int_equal(s.is_online, online);
    assert_int_equal(s.last_online_at, last);
}

static void online_as_long_as_one_process_has_them(void **state)
{
    struct db *db = open_store(state);
    put_subscriber(db, 1);
    is(db, 1, -1, 0);
    enter(db, A, 1);
    enter(db, B, 1);
    enter(db, B, 1);            /* said twice, meant once */
    is(db, 1, 1, 0);
    leave(db, A, 1, 100);
    is(db, 1, 1, 0);
    leave(db, A, 1, 110);       /* and again: B has them still */
    is(db, 1, 1, 0);
    leave(db, B, 1, 120);
    is(db, 1, 0, 120);
    leave(db, B, 1, 130);
    is(db, 1, 0, 120);
    enter(db, A, 1);
    is(db, 1, 1, 120);
}

static void a_process_that_died_has_nobody(void **state)
{
    struct db *db = open_store(state);
    for (int n = 1; n <= 3; n++)
        put_subscriber(db, n);
    lease(db, A, 1000);
    lease(db, B, 1000);
    enter(db, A, 1);
    enter(db, A, 2);
    enter(db, B, 2);
    enter(db, B, 3);
    assert_int_equal(lapse(db, 999, 50), 1);
    for (int n = 1; n <= 3; n++)
        is(db, n, 1, 0);
    lease(db, B, 2000);
    assert_int_equal(lapse(db, 1000, 60), 1);
    is(db, 1, 0, 60);
    is(db, 2, 1, 0);            /* at B, too */
    is(db, 3, 1, 0);
    leave(db, B, 2, 70);
    is(db, 2, 0, 70);
    /* One that stopped in order has no lease at all. */
    struct error err = {0};
    must(node_leave(db, B, &err), &err, "leave");
    assert_int_equal(lapse(db, 1500, 80), 1);
    is(db, 3, 0, 80);
    assert_int_equal(lapse(db, 1500, 90), 1);
    is(db, 3, 0, 80);
}

/* A process that others took for dead learns it from its next renewal, and only then. */
static void a_process_that_comes_back_learns_it(void **state)
{
    struct db *db = open_store(state);
    put_subscriber(db, 1);
    assert_true(lease(db, A, 1000));
    enter(db, A, 1);
    assert_false(lease(db, A, 2000));
    assert_int_equal(lapse(db, 1999, 50), 1);
    assert_false(lease(db, A, 3000));
    assert_int_equal(lapse(db, 3000, 60), 1);
    is(db, 1, 0, 60);
    assert_true(lease(db, A, 4000));
    enter(db, A, 1);
    is(db, 1, 1, 60);
    assert_int_equal(lapse(db, 3999, 70), 1);
    is(db, 1, 1, 60);
    assert_false(lease(db, A, 5000));
}

static void a_crowd_lapses_in_parts(void **state)
{
    enum { N = 2 * PRESENCE_LAPSE_MAX + 10 };
    struct db *db = open_store(state);
    for (int n = 0; n < N; n++) {
        put_subscriber(db, n);
        enter(db, n % 2 ? A : B, n);
    }
    lease(db, B, 5000);
    assert_int_equal(lapse(db, 10, 20), 2);
    for (int n = 0; n < N; n++)
        is(db, n, n % 2 ? 0 : 1, n % 2 ? 20 : 0);
    assert_int_equal(lapse(db, 5000, 30), 2);
    is(db, 0, 0, 30);
}

static void a_store_of_one_process_begins_empty(void **state)
{
    struct db *db = open_store(state);
    struct error err = {0};
    put_subscriber(db, 1);
    enter(db, A, 1);
    must(presence_clear(db, 40, &err), &err, "clear");
    is(db, 1, 0, 40);
    enter(db, B, 1);
    leave(db, B, 1, 50);
    is(db, 1, 0, 50);
}

/* PostgreSQL: two processes lose the same person at the same time. */
static void of_two_that_are_left_at_once_the_second_says_offline(void **state)
{
    struct store *st = *state;
    struct db *one = open_store(state);
    struct error err = {0};
    if (st->kind != DB_POSTGRES)
        return;
    struct db *two = db_open(st->url, false, &err);
    assert_non_null(two);
    put_subscriber(one, 1);
    enter(one, A, 1);
    enter(two, B, 1);
    exec(two, "SET lock_timeout = '200ms'");
    must(db_begin(one, true, &err), &err, "begin");
    leave(one, A, 1, 100);
    must(db_begin(two, true, &err), &err, "begin");
    assert_false(presence_leave(two, B, ENV, id_of(1), 110, &err));     /* waits for the first, and says so */
    db_rollback(two);
    must(db_commit(one, &err), &err, "commit");
    is(one, 1, 1, 0);
    leave(two, B, 1, 110);
    is(one, 1, 0, 110);
    db_close(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(online_as_long_as_one_process_has_them), BOTH(a_process_that_died_has_nobody), BOTH(a_process_that_comes_back_learns_it),
        BOTH(a_crowd_lapses_in_parts),
        BOTH(a_store_of_one_process_begins_empty), BOTH(of_two_that_are_left_at_once_the_second_says_offline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
