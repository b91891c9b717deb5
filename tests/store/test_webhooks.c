/* Webhooks in the store: what is written for whom, what becomes of it, and what goes when its time or its person has. */
#include "migrated.h"
#include "base/arena.h"
#include "base/id.h"
#include "model/environment.h"
#include "model/removal.h"
#include "model/retention.h"
#include "model/webhook.h"
#include "plans.h"

struct fixture {
    struct store *store;
    struct db *db;
    struct arena *arena;
    struct id_source ids;
    struct id environment;
    struct webhook_endpoint all, some;  /* some: message.read only */
};

static void environment_make(struct fixture *f)
{
    struct error err = {0};
    struct environment e = {.id = f->environment, .organization = id_new(&f->ids, 1000), .name = STR("Development"), .type = STR("dev"),
                            .application_identifier = STR("app-1"), .settings = STR("{}"), .created_at = 1000, .updated_at = 1000};
    must(environment_insert(f->db, &e, &err), &err, "environment");
}

static struct webhook_endpoint endpoint_make(struct fixture *f, unsigned types)
{
    struct error err = {0};
    struct webhook_endpoint e = {.id = id_new(&f->ids, 1000), .environment = f->environment, .url = STR("http://example.com"),
                                 .description = STR(""), .types = types, .secret = STR("x"), .created_at = 1000, .updated_at = 1000};
    must(webhook_endpoint_insert(f->db, &e, &err), &err, "endpoint");
    return e;
}

static struct fixture begin(struct store *st)
{
    struct fixture f = {.store = st, .db = st->db, .arena = arena_create(0)};
    id_source_init_seeded(&f.ids, 7);
    f.environment = id_new(&f.ids, 1000);
    environment_make(&f);
    return f;
}

static struct fixture begin_with_two(struct store *st)
{
    struct fixture f = begin(st);
    f.all = endpoint_make(&f, 0);
    f.some = endpoint_make(&f, 1u << WEBHOOK_MESSAGE_READ);
    return f;
}

static void end(struct fixture *f)
{
    arena_destroy(f->arena);
}

static void emit(struct fixture *f, enum webhook_type type, struct id person, int64_t now)
{
    struct error err = {0};
    struct webhook_ears ears;
    must(webhook_listen(f->db, f->arena, f->environment, &ears, &err), &err, "listen");
    must(webhook_emit(f->db, &ears, type, person, STR("{\"object\":{}}"), now, &err), &err, "emit");
}

static size_t due(struct fixture *f, const struct webhook_endpoint *e, int64_t now, struct webhook_delivery **out)
{
    struct error err = {0};
    size_t n;
    must(webhook_delivery_due(f->db, f->arena, e->id, now, 100, out, &n, &err), &err, "due");
    return n;
}

static int64_t count(struct fixture *f, const char *sql)
{
    struct error err = {0};
    struct db_stmt *s = db_prepare(f->db, sql, &err);
    must(s && db_step(s, &err) == DB_ROW, &err, sql);
    int64_t n = db_int(s, 0);
    db_reset(s);
    return n;
}

static void each_endpoint_gets_what_it_wants(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct webhook_delivery *list;
    struct webhook_message m;
    struct error err = {0};
    emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 5000);
    assert_int_equal(db_due_take(f.db), 5000);
    emit(&f, WEBHOOK_MESSAGE_READ, (struct id){{0}}, 6000);
    assert_int_equal(due(&f, &f.all, 10000, &list), 2);
    assert_true(list[0].due_at == 5000 && list[0].attempt == 1 && list[1].due_at == 6000);
    must(webhook_message_find(f.db, f.arena, f.environment, list[0].message, &m, &err), &err, "message");
    assert_true(str_find(m.body, STR("\"type\":\"message.sent\",\"object\":\"message\",\"data\":{\"object\":{}},"
                                     "\"timestamp\":\"1970-01-01T00:00:05.000Z\",\"environmentId\":\"app-1\"}")) > 0);
    assert_int_equal(due(&f, &f.some, 10000, &list), 1);
    assert_int_equal(due(&f, &f.some, 5999, &list), 0);
    end(&f);
}

static void nobody_listens_nothing_is_written(void **state)
{
    struct fixture f = begin(*state);
    int64_t before = db_rows_written(f.db);
    emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 5000);
    assert_int_equal(db_rows_written(f.db), before);
    assert_int_equal(db_due_take(f.db), INT64_MAX);
    end(&f);
}

static void five_days_of_failure_disable(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct webhook_endpoint e;
    struct error err = {0};
    const struct { int64_t at; bool ok; enum webhook_disabled then; } notes[] = {
        {1000, false, WEBHOOK_ENABLED}, {1000 + WEBHOOK_PATIENCE_MS - 1, false, WEBHOOK_ENABLED}, {2000 + WEBHOOK_PATIENCE_MS, true, WEBHOOK_ENABLED},
        {3000 + WEBHOOK_PATIENCE_MS, false, WEBHOOK_ENABLED}, {3000 + 2 * WEBHOOK_PATIENCE_MS, false, WEBHOOK_GAVE_UP}};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        must(webhook_endpoint_note(f.db, f.environment, f.all.id, notes[i].ok, notes[i].at, &err), &err, "note");
        must(webhook_endpoint_find(f.db, f.arena, f.environment, f.all.id, &e, &err), &err, "find");
        assert_int_equal(e.disabled, notes[i].then);
    }
    emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 5000);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_deliveries"), 0);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_messages"), 1);
    end(&f);
}

static void what_has_no_endpoint_any_more_is_given_up(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct error err = {0};
    int64_t n;
    emit(&f, WEBHOOK_MESSAGE_READ, (struct id){{0}}, 5000);
    must(webhook_endpoint_delete(f.db, f.environment, f.all.id, &err), &err, "delete");
    must(webhook_delivery_drop(f.db, 4999, 10, &n, &err), &err, "drop");
    assert_int_equal(n, 0);
    must(webhook_delivery_drop(f.db, 5000, 10, &n, &err), &err, "drop");
    assert_int_equal(n, 1);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_deliveries WHERE state = 0"), 1);
    end(&f);
}

static void what_failed_and_what_was_missed_go_again(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct webhook_delivery *list;
    struct error err = {0};
    struct id after = {{0}};
    int64_t n;
    bool more;
    for (int i = 0; i < 3; i++)
        emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 5000 + i * 1000);
    due(&f, &f.all, 9000, &list);
    for (int i = 0; i < 3; i++) {
        list[i].state = i ? WEBHOOK_FAILED : WEBHOOK_DONE;
        list[i].attempt = 8;
        must(webhook_delivery_move(f.db, &list[i], &err), &err, "move");
    }
    must(webhook_recover(f.db, &f.all, 7000, 20000, &n, &err), &err, "recover");
    assert_int_equal(n, 1);
    assert_int_equal(due(&f, &f.all, 20000, &list), 1);
    assert_true(list[0].attempt == 1 && list[0].due_at == 20000);
    /* One that wants other things now was never meant to get these. */
    f.some.types = 1u << WEBHOOK_MESSAGE_SENT;
    must(webhook_replay_missing(f.db, f.arena, &f.some, 6000, 20000, &after, &n, &more, &err), &err, "replay");
    assert_true(n == 2 && !more);
    assert_int_equal(due(&f, &f.some, 20000, &list), 2);
    after = (struct id){{0}};
    must(webhook_replay_missing(f.db, f.arena, &f.some, 6000, 20000, &after, &n, &more, &err), &err, "replay");
    assert_int_equal(n, 0);
    end(&f);
}

static void claim(struct fixture *f, struct id owner, size_t wanted)
{
    struct webhook_delivery *list;
    struct error err = {0};
    size_t n;
    must(webhook_delivery_claim(f->db, f->arena, f->all.id, 9000, owner, 1000, 10, &list, &n, &err), &err, "claim");
    assert_int_equal(n, wanted);
    for (size_t i = 1; i < n; i++)
        assert_true(list[i - 1].due_at <= list[i].due_at);
}

static void of_two_processes_one_has_it_until_its_lease_ends(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct id one = id_new(&f.ids, 1000), two = id_new(&f.ids, 1000);
    struct error err = {0};
    for (int i = 0; i < 3; i++)
        emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 7000 - i * 1000);
    must(db_write(f.db, &err, "INSERT INTO nodes (id, lease_until) VALUES (?1, ?2)", one, (int64_t)2000), &err, "lease");
    must(db_write(f.db, &err, "INSERT INTO nodes (id, lease_until) VALUES (?1, ?2)", two, (int64_t)2000), &err, "lease");
    claim(&f, one, 3);
    claim(&f, two, 0);
    claim(&f, one, 3);
    must(db_write(f.db, &err, "UPDATE nodes SET lease_until = 500 WHERE id = ?1", one), &err, "lease");
    claim(&f, two, 3);
    claim(&f, one, 0);
    end(&f);
}

static void attempt_make(struct fixture *f, struct id message)
{
    struct error err = {0};
    struct webhook_attempt x = {.id = webhook_id(9000), .environment = f->environment, .endpoint = f->all.id, .message = message, .attempt = 1,
                                .status = 500, .took_ms = 3, .created_at = 9000};
    must(webhook_attempt_insert(f->db, &x, &err), &err, "attempt");
}

static void what_is_about_a_person_goes_with_them(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct id ada = id_new(&f.ids, 1000), bob = id_new(&f.ids, 1000);
    struct webhook_delivery *list;
    struct error err = {0};
    bool more = true;
    emit(&f, WEBHOOK_MESSAGE_SENT, ada, 5000);
    emit(&f, WEBHOOK_MESSAGE_SENT, bob, 6000);
    due(&f, &f.all, 9000, &list);
    for (int i = 0; i < 2; i++)
        attempt_make(&f, list[i].message);
    struct removal r = {.ref = ada, .environment = f.environment, .kind = REMOVAL_PERSON, .subscriber_id = STR("ada")};
    must(removal_begin(f.db, &r, 9000, &err), &err, "removal");
    while (more)
        must(removal_continue(f.db, &more, &err), &err, "removal");
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_messages"), 1);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_deliveries"), 1);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_attempts"), 1);
    end(&f);
}

static void purge(struct fixture *f, int64_t before)
{
    struct retention r = {.runs_before = before};
    struct retention_cursor c = {.phase = RETENTION_NEXT_ENVIRONMENT};
    struct retention_people people = {.n = 0};
    struct error err = {0};
    while (c.phase != RETENTION_OVER)
        must(retention_purge(f->db, &r, &c, &people, &err), &err, "purge");
}

static void the_old_goes_unless_it_still_has_to_be_sent(void **state)
{
    struct fixture f = begin_with_two(*state);
    struct webhook_delivery *list;
    struct error err = {0};
    emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 5000);
    emit(&f, WEBHOOK_MESSAGE_SENT, (struct id){{0}}, 6000);
    due(&f, &f.all, 9000, &list);
    attempt_make(&f, list[0].message);
    list[0].state = WEBHOOK_DONE;
    must(webhook_delivery_move(f.db, &list[0], &err), &err, "move");
    purge(&f, 5000);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_messages"), 2);
    purge(&f, 100000);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_messages"), 1);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_deliveries"), 1);
    assert_int_equal(count(&f, "SELECT count(*) FROM webhook_attempts"), 0);
    end(&f);
}

/* The timer thread asks these again and again. */
static bool is_slow(const char *sql, const char *plan)
{
    (void)sql;
    return (plan_scans_a_table(plan) && !strstr(plan, "USING INDEX") && !strstr(plan, "COVERING INDEX")) || strstr(plan, "TEMP B-TREE");
}

static void what_is_due_is_found_in_an_index(enum db_kind kind, bool (*bad)(const char *sql, const char *plan))
{
    struct webhook_delivery first, *list;
    struct error err = {0};
    struct arena *a = arena_create(0);
    int64_t next;
    size_t n;
    struct db *db = plans_begin(kind);
    must(webhook_delivery_first(db, a, &first, &err), &err, "first");
    must(webhook_delivery_next(db, 5, &next, &err), &err, "next");
    must(webhook_delivery_due(db, a, (struct id){{1}}, 5, 10, &list, &n, &err), &err, "due");
    must(webhook_delivery_drop(db, 5, 10, &next, &err), &err, "drop");
    struct webhook_ears ears;
    must(webhook_listen(db, a, (struct id){{1}}, &ears, &err), &err, "listen");
    assert_int_equal(plans_end(db, bad), 0);
    arena_destroy(a);
}

static void what_is_due_is_found_in_an_index_of_sqlite(void **state)
{
    (void)state;
    what_is_due_is_found_in_an_index(DB_SQLITE, is_slow);
}

static void what_is_due_is_found_in_an_index_of_postgres(void **state)
{
    (void)state;
    what_is_due_is_found_in_an_index(DB_POSTGRES, plan_scans_a_filled_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(each_endpoint_gets_what_it_wants),
        BOTH(nobody_listens_nothing_is_written),
        BOTH(five_days_of_failure_disable),
        BOTH(what_has_no_endpoint_any_more_is_given_up),
        BOTH(what_failed_and_what_was_missed_go_again),
        ONE(of_two_processes_one_has_it_until_its_lease_ends, 1),
        BOTH(what_is_about_a_person_goes_with_them),
        BOTH(the_old_goes_unless_it_still_has_to_be_sent),
        cmocka_unit_test(what_is_due_is_found_in_an_index_of_sqlite), cmocka_unit_test(what_is_due_is_found_in_an_index_of_postgres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
