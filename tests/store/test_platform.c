/* What stands around requests: answers of idempotency keys, the request log. */
#include "migrated.h"

#include "model/event.h"
#include "model/idempotency.h"
#include "model/request_log.h"

static struct arena *arena;
static struct error err;

static struct db *ready(void **state)
{
    struct store *st = *state;
    if (!arena)
        arena = arena_create(0);
    err = (struct error){0};
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

static struct request_log_row logged(uint8_t i, struct id environment, const char *operation, const char *path, int status)
{
    return (struct request_log_row){.id = {{i}}, .environment = environment, .user = {{9}}, .operation = str_of(operation), .method = STR("POST"),
                                    .path = str_of(path), .status = status, .duration_ms = i, .created_at = i * 10};
}

static void requests_are_listed_newest_first(void **state)
{
    struct db *db = ready(state);
    struct request_log_row *list, one;
    struct id mine = {{1}}, theirs = {{2}};
    int64_t total, gone;
    size_t n;
    for (uint8_t i = 1; i <= 10; i++) {
        struct request_log_row row = logged(i, i % 5 ? mine : theirs, "topicsCreate", "/v2/topics", 200 + i);
        must(request_log_insert(db, &row, &err), &err, "insert");
    }
    must(request_log_list(db, arena, mine, &(struct request_log_query){.limit = 3}, &list, &n, &total, &err), &err, "list");
    assert_true(n == 3 && total == 8);
    assert_int_equal(list[0].status, 209);
    assert_int_equal(list[2].status, 207);
    assert_true(str_eqz(list[0].path, "/v2/topics") && str_eqz(list[0].method, "POST") && str_eqz(list[0].operation, "topicsCreate"));
    must(request_log_list(db, arena, mine, &(struct request_log_query){.limit = 3, .offset = 6}, &list, &n, &total, &err), &err, "list");
    assert_true(n == 2 && total == 8);
    assert_int_equal(list[0].status, 202);
    must(request_log_find(db, arena, theirs, (struct id){{5}}, &one, &err), &err, "find");
    assert_false(request_log_find(db, arena, mine, (struct id){{5}}, &one, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(request_log_purge(db, request_log_age_ms + 40, 3, &gone, &err) && gone == 3);
    assert_true(request_log_purge(db, request_log_age_ms + 40, 3, &gone, &err) && gone == 1);
    assert_int_equal(number(db, "SELECT count(*) FROM request_log"), 6);
}

static void event_of(struct db *db, uint8_t i, uint8_t request, bool has_entry)
{
    struct event e = {.id = {{i}}, .environment = {{1}}, .workflow = {{3}}, .transaction_id = str_fmt(arena, "tx%d", i),
                      .request_id = request_log_name(arena, (struct id){{request}}), .logged = has_entry, .doc = STR("{}"),
                      .created_at = i * 10 + 5};
    assert_int_equal(event_insert(db, &e, &err), EVENT_INSERTED);
}

/* The ids of a list's requests, oldest last, and how many there are in all. */
static const char *listed(struct db *db, struct request_log_query q)
{
    struct request_log_row *list;
    struct buf b = {.arena = arena};
    int64_t total;
    size_t n;
    if (!q.limit)
        q.limit = 10;
    must(request_log_list(db, arena, (struct id){{1}}, &q, &list, &n, &total, &err), &err, "list");
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%d ", list[i].id.b[0]);
    buf_fmt(&b, "of %d", (int)total);
    return str_z(arena, buf_finish(&b));
}

static void a_trigger_is_listed_by_its_event_unless_its_request_has_an_entry(void **state)
{
    struct db *db = ready(state);
    struct request_log_row one, rows[] = {logged(1, (struct id){{1}}, "topicsCreate", "/v2/topics", 201),
                                          logged(3, (struct id){{1}}, "triggerBulk", "/v1/events/trigger/bulk", 201),
                                          logged(5, (struct id){{1}}, "topicsDelete", "/v2/topics/a%25b_c", 404),
                                          logged(7, (struct id){{1}}, "trigger", "/v1/events/trigger", 422)};
    struct event *events;
    size_t n;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        must(request_log_insert(db, &rows[i], &err), &err, "insert");
    event_of(db, 2, 102, false);
    event_of(db, 3, 3, true);
    event_of(db, 4, 3, true);
    event_of(db, 6, 106, false);
    assert_string_equal(listed(db, (struct request_log_query){0}), "7 106 5 3 102 1 of 6");
    assert_string_equal(listed(db, (struct request_log_query){.limit = 2, .offset = 1}), "106 5 of 6");
    assert_string_equal(listed(db, (struct request_log_query){.limit = 4, .offset = 4}), "102 1 of 6");
    assert_string_equal(listed(db, (struct request_log_query){.from = 50}), "7 106 5 of 3");
    assert_string_equal(listed(db, (struct request_log_query){.statuses = STR(",201,")}), "106 3 102 1 of 4");
    assert_string_equal(listed(db, (struct request_log_query){.statuses = STR(",404,422,")}), "7 5 of 2");
    assert_string_equal(listed(db, (struct request_log_query){.url = STR("TOPICS")}), "5 1 of 2");
    assert_string_equal(listed(db, (struct request_log_query){.url = STR("%25B_")}), "5 of 1");
    assert_string_equal(listed(db, (struct request_log_query){.url = STR("s_t")}), "of 0");
    assert_string_equal(listed(db, (struct request_log_query){.url = STR("Trigger")}), "7 106 3 102 of 4");
    assert_string_equal(listed(db, (struct request_log_query){.operations = STR(",trigger,"), .path = STR("/x")}), "7 106 102 of 3");
    assert_string_equal(listed(db, (struct request_log_query){.path = STR("/v2/topics")}), "1 of 1");
    assert_string_equal(listed(db, (struct request_log_query){.transaction_id = STR("tx2")}), "102 of 1");
    assert_string_equal(listed(db, (struct request_log_query){.transaction_id = STR("tx4")}), "3 of 1");
    assert_string_equal(listed(db, (struct request_log_query){.transaction_id = STR("tx4"), .statuses = STR(",404,")}), "of 0");
    assert_string_equal(listed(db, (struct request_log_query){.transaction_id = STR("tx4"), .offset = 10}), "of 1");
    assert_string_equal(listed(db, (struct request_log_query){.transaction_id = STR("tx5")}), "of 0");
    must(request_log_find(db, arena, (struct id){{1}}, (struct id){{106}}, &one, &err), &err, "find");
    assert_true(one.status == 201 && one.event.b[0] == 6 && str_eqz(one.transaction_id, "tx6"));
    must(request_log_find(db, arena, (struct id){{1}}, (struct id){{3}}, &one, &err), &err, "find");
    assert_true(id_is_zero(one.event));
    assert_false(request_log_find(db, arena, (struct id){{2}}, (struct id){{106}}, &one, &err));
    must(event_list_by_request(db, arena, (struct id){{1}}, request_log_name(arena, (struct id){{3}}), &events, &n, &err), &err, "events");
    assert_true(n == 2 && events[0].id.b[0] == 3 && events[1].logged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(a_key_is_taken_for_a_day), BOTH(an_event_answers_for_its_key),
                                       BOTH(old_answers_go_in_chunks), BOTH(requests_are_listed_newest_first),
                                       BOTH(a_trigger_is_listed_by_its_event_unless_its_request_has_an_entry)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(arena);
    return failed;
}
