/* What stands around requests: answers of idempotency keys, the request log. */
#include "../unit/db/both.h"

#include "model/event.h"
#include "model/idempotency.h"
#include "model/request_log.h"
#include "db/migrate.h"

static struct arena *arena;
static struct error err;

static struct db *ready(void **state)
{
    struct store *st = *state;
    if (!arena)
        arena = arena_create(0);
    err = (struct error){0};
    must(db_migrate(st->db, 0, &err), &err, "migrate");
    return st->db;
}

static struct str hash_n(int n)
{
    char *h = arena_alloc(arena, IDEMPOTENCY_HASH);
    memcpy(h, &n, sizeof n);
    h[31] = (char)0xff;
    return (struct str){h, IDEMPOTENCY_HASH};
}

static struct idempotency_row answer(int n, int64_t at)
{
    return (struct idempotency_row){.body_hash = hash_n(n), .status = 201, .answer = str_fmt(arena, "answer %d", n), .created_at = at};
}

static void a_key_is_taken_for_a_day(void **state)
{
    struct db *db = ready(state);
    struct idempotency_row row = answer(1, 1000), other = answer(2, 1000 + idempotency_age_ms - 1), found;
    bool taken;
    assert_false(idempotency_find(db, arena, hash_n(9), &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(idempotency_insert(db, hash_n(9), &row, &taken, &err) && !taken);
    assert_true(idempotency_insert(db, hash_n(9), &other, &taken, &err) && taken);
    must(idempotency_find(db, arena, hash_n(9), &found, &err), &err, "find");
    assert_true(str_eq(found.answer, row.answer) && str_eq(found.body_hash, row.body_hash));
    assert_int_equal(found.status, 201);
    assert_null(found.transaction_id.p);
    other.created_at++;
    assert_true(idempotency_insert(db, hash_n(9), &other, &taken, &err) && !taken);
    must(idempotency_find(db, arena, hash_n(9), &found, &err), &err, "find");
    assert_true(str_eq(found.answer, other.answer));
}

static void an_event_answers_for_its_key(void **state)
{
    struct db *db = ready(state);
    struct event e = {.id = {{1}}, .environment = {{2}}, .workflow = {{3}}, .transaction_id = STR("tx"), .request_id = STR("req_1"),
                      .idempotency_hash = hash_n(5), .body_hash = hash_n(6), .doc = STR("{}"), .created_at = 77};
    struct idempotency_row found;
    assert_int_equal(event_insert(db, &e, &err), EVENT_INSERTED);
    must(idempotency_find(db, arena, hash_n(5), &found, &err), &err, "find");
    assert_true(str_eqz(found.transaction_id, "tx") && str_eqz(found.request_id, "req_1") && str_eq(found.body_hash, hash_n(6)));
    assert_int_equal(found.created_at, 77);
    must(idempotency_release_event(db, hash_n(5), &err), &err, "release");
    assert_false(idempotency_find(db, arena, hash_n(5), &found, &err));
    assert_int_equal(number(db, "SELECT count(*) FROM events"), 1);
}

static void old_answers_go_in_chunks(void **state)
{
    struct db *db = ready(state);
    int64_t n, now = 10 * idempotency_age_ms;
    bool taken;
    for (int i = 0; i < 25; i++) {
        struct idempotency_row row = answer(i, i < 20 ? now - idempotency_age_ms - i : now - i);
        must(idempotency_insert(db, hash_n(i), &row, &taken, &err), &err, "insert");
    }
    assert_true(idempotency_purge(db, now, 8, &n, &err) && n == 8);
    assert_true(idempotency_purge(db, now, 8, &n, &err) && n == 8);
    assert_true(idempotency_purge(db, now, 8, &n, &err) && n == 4);
    assert_int_equal(number(db, "SELECT count(*) FROM idempotency_keys"), 5);
}

static void requests_are_listed_newest_first(void **state)
{
    struct db *db = ready(state);
    struct request_log_row *list, one;
    struct id mine = {{1}}, theirs = {{2}};
    size_t n;
    for (uint8_t i = 1; i <= 10; i++) {
        struct request_log_row row = {.id = {{i}}, .environment = i % 5 ? mine : theirs, .user = {{9}}, .operation = STR("topicsCreate"),
                                      .method = STR("POST"), .path = STR("/v2/topics"), .status = 200 + i, .duration_ms = i, .created_at = i};
        must(request_log_insert(db, &row, &err), &err, "insert");
    }
    must(request_log_list(db, arena, mine, (struct id){{0}}, 3, &list, &n, &err), &err, "list");
    assert_int_equal(n, 3);
    assert_int_equal(list[0].status, 209);
    assert_int_equal(list[2].status, 207);
    assert_true(str_eqz(list[0].path, "/v2/topics") && str_eqz(list[0].method, "POST") && str_eqz(list[0].operation, "topicsCreate"));
    must(request_log_list(db, arena, mine, list[2].id, 100, &list, &n, &err), &err, "list");
    assert_int_equal(n, 5);
    assert_int_equal(list[0].status, 206);
    must(request_log_find(db, arena, theirs, (struct id){{5}}, &one, &err), &err, "find");
    assert_false(request_log_find(db, arena, mine, (struct id){{5}}, &one, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    int64_t gone;
    assert_true(request_log_purge(db, request_log_age_ms + 4, 3, &gone, &err) && gone == 3);
    assert_true(request_log_purge(db, request_log_age_ms + 4, 3, &gone, &err) && gone == 1);
    assert_int_equal(number(db, "SELECT count(*) FROM request_log"), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(a_key_is_taken_for_a_day), BOTH(an_event_answers_for_its_key),
                                       BOTH(old_answers_go_in_chunks), BOTH(requests_are_listed_newest_first)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(arena);
    return failed;
}
