/* What providers report, and what older clients store, against both databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "model/legacy_group.h"
#include "model/message.h"
#include "model/run.h"
#include "model/tenant.h"
#include "support/store.h"

struct fixture {
    struct db *db;
    struct arena *arena;
    struct id_source ids;
    struct id environment, other;
};

static const enum db_kind kinds[] = {DB_SQLITE, DB_POSTGRES};

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

static int setup(void **state)
{
    struct error err = {0};
    struct fixture *f = calloc(1, sizeof *f);
    f->db = db_open(support_store_url(*(const enum db_kind *)*state), false, &err);
    must(f->db != NULL, &err);
    f->arena = arena_create(0);
    id_source_init_seeded(&f->ids, 7);
    f->environment = id_new(&f->ids, 1000);
    f->other = id_new(&f->ids, 1000);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    arena_destroy(f->arena);
    free(f);
    return 0;
}

#define BOTH(t) {#t " (sqlite)", t, setup, teardown, (void *)(uintptr_t)&kinds[0]}, \
                {#t " (postgres)", t, setup, teardown, (void *)(uintptr_t)&kinds[1]}

static void a_message_is_found_by_what_its_provider_calls_it(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct message m = {.id = id_new(&f->ids, 1000), .environment = f->environment, .subscriber = id_new(&f->ids, 1000),
                        .run = id_new(&f->ids, 1000), .job = id_new(&f->ids, 1000), .workflow = id_new(&f->ids, 1000),
                        .channel = CHANNEL_EMAIL, .context = STR(""), .doc = STR("{}"), .created_at = 1000, .updated_at = 1000};
    struct message found;
    must(message_insert(f->db, &m, &err), &err);
    assert_false(message_find_by_provider_id(f->db, f->arena, f->environment, STR("<a@b>"), &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    m.provider_message_id = STR("<a@b>");
    must(message_update_delivery(f->db, &m, &err), &err);
    must(message_find_by_provider_id(f->db, f->arena, f->environment, STR("<a@b>"), &found, &err), &err);
    assert_true(id_eq(found.id, m.id));
    assert_false(message_find_by_provider_id(f->db, f->arena, f->other, STR("<a@b>"), &found, &err));
    m.provider_message_id = STR_NULL;       /* not told again: it stays */
    must(message_update_delivery(f->db, &m, &err), &err);
    must(message_find_by_provider_id(f->db, f->arena, f->environment, STR("<a@b>"), &found, &err), &err);
}

static enum delivery_status lifecycle_of(struct fixture *f, struct id run)
{
    struct run_row r;
    struct error err = {0};
    must(run_find(f->db, f->arena, f->environment, run, &r, &err), &err);
    return r.delivery;
}

static void a_report_moves_a_run_forward_only(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct subscriber_patch ada = {.subscriber_id = STR("ada")};
    struct id subscriber, message = id_new(&f->ids, 1000);
    must(subscriber_upsert(f->db, f->environment, &ada, id_new(&f->ids, 1000), 1000, &subscriber, &err), &err);
    static const struct { enum delivery_status before; enum run_mark what; enum delivery_status after; } cases[] = {
        {LIFECYCLE_PENDING, MARKED_DELIVERED, LIFECYCLE_DELIVERED}, {LIFECYCLE_SENT, MARKED_OPENED, LIFECYCLE_DELIVERED},
        {LIFECYCLE_SENT, MARKED_UNDELIVERED, LIFECYCLE_SENT}, {LIFECYCLE_INTERACTED, MARKED_DELIVERED, LIFECYCLE_INTERACTED},
        {LIFECYCLE_ERRORED, MARKED_CLICKED, LIFECYCLE_ERRORED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run_row r = {.id = id_new(&f->ids, 1000), .environment = f->environment, .event = id_new(&f->ids, 1000),
                            .workflow = id_new(&f->ids, 1000), .subscriber = subscriber, .workflow_version = 1, .context = STR(""),
                            .delivery = cases[i].before, .state = STR("{}"), .created_at = 1000, .updated_at = 1000};
        struct run_marked *marks;
        size_t n;
        bool updated;
        must(run_insert(f->db, &r, &err), &err);
        must(run_mark_reported(f->db, f->environment, r.id, message, cases[i].what, 2000, &err), &err);
        assert_int_equal(lifecycle_of(f, r.id), cases[i].after);
        must(run_marks(f->db, f->arena, f->environment, r.id, &marks, &n, &err), &err);
        assert_int_equal(n, 1);
        assert_int_equal(marks[0].what, cases[i].what);
        assert_true(id_eq(marks[0].message, message));
        /* A step that ends later does not take it back. */
        must(run_find(f->db, f->arena, f->environment, r.id, &r, &err), &err);
        r.delivery = LIFECYCLE_SENT;
        must(run_update(f->db, &r, &updated, &err), &err);
        assert_true(updated);
        assert_int_equal(lifecycle_of(f, r.id), cases[i].after >= LIFECYCLE_DELIVERED ? cases[i].after : LIFECYCLE_SENT);
    }
}

static void tenants_come_in_pages_and_go_with_their_overrides(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct tenant t = {.environment = f->environment, .created_at = 1000, .updated_at = 1000}, *list, found;
    struct workflow_override o = {.id = id_new(&f->ids, 1000), .environment = f->environment, .workflow = id_new(&f->ids, 1000), .active = true};
    static const char *const names[] = {"a", "b", "c"};
    size_t n;
    for (size_t i = 0; i < 3; i++) {
        t.id = id_new(&f->ids, 1000 + (int64_t)i);
        t.identifier = str_of(names[i]);
        must(tenant_insert(f->db, &t, &err), &err);
    }
    struct tenant twin = t;
    twin.id = id_new(&f->ids, 2000);
    assert_false(tenant_insert(f->db, &twin, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    must(tenant_list(f->db, f->arena, f->environment, 1, 5, &list, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_true(str_eqz(list[0].identifier, "b") && str_eqz(list[1].identifier, "a"));
    o.tenant = t.id;
    must(workflow_override_upsert(f->db, &o, &err), &err);
    must(tenant_delete(f->db, f->other, t.id, &err), &err);
    must(tenant_find(f->db, f->arena, f->environment, STR("c"), &found, &err), &err);
    must(tenant_delete(f->db, f->environment, t.id, &err), &err);
    assert_false(tenant_find(f->db, f->arena, f->environment, STR("c"), &found, &err));
    assert_false(workflow_override_find(f->db, f->arena, o.workflow, o.tenant, &o, &err));
}

static void groups_and_feeds_are_apart(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct legacy_group g = {.id = id_new(&f->ids, 1000), .environment = f->environment, .name = STR("General"), .updated_at = 1000}, found, *list;
    size_t n;
    must(legacy_group_insert(f->db, &g, &err), &err);
    struct legacy_group feed = g;
    feed.id = id_new(&f->ids, 1001);
    feed.kind = LEGACY_FEED;
    must(legacy_group_insert(f->db, &feed, &err), &err);
    /* Groups may share a name, feeds may not (migration 0021). */
    struct legacy_group again = g, feed_again = feed;
    again.id = id_new(&f->ids, 1002);
    must(legacy_group_insert(f->db, &again, &err), &err);
    must(legacy_group_delete(f->db, &again, &err), &err);
    feed_again.id = id_new(&f->ids, 1003);
    assert_false(legacy_group_insert(f->db, &feed_again, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    err = (struct error){0};
    assert_false(legacy_group_find(f->db, f->arena, f->environment, LEGACY_FEED, g.id, &found, &err));
    assert_false(legacy_group_find(f->db, f->arena, f->other, LEGACY_NOTIFICATION_GROUP, g.id, &found, &err));
    must(legacy_group_delete(f->db, &g, &err), &err);
    must(legacy_group_list(f->db, f->arena, f->environment, LEGACY_NOTIFICATION_GROUP, &list, &n, &err), &err);
    assert_int_equal(n, 0);
    must(legacy_group_list(f->db, f->arena, f->environment, LEGACY_FEED, &list, &n, &err), &err);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_message_is_found_by_what_its_provider_calls_it), BOTH(a_report_moves_a_run_forward_only),
        BOTH(tenants_come_in_pages_and_go_with_their_overrides), BOTH(groups_and_feeds_are_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
