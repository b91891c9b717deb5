/* The lists of channel connections and endpoints of a subscriber are read from an index, in their order. */
#include "plans.h"

#include "base/arena.h"
#include "model/channel_link.h"

/* All of an environment's would be read, or sorted, for one person's few. */
static bool is_slow(const char *sql, const char *plan)
{
    bool of_cursor = strstr(plan, "(environment_id=? AND id=?)") != NULL;   /* one row by its id */
    if (!strstr(sql, "SELECT"))
        return false;
    bool of_links = strstr(sql, "channel_endpoints") || strstr(sql, "channel_connections");
    return of_links && (plan_scans_a_table(plan) || strstr(plan, "TEMP B-TREE") || (!of_cursor && !strstr(plan, "subscriber_id=?")));
}

/* Without the rows of the cursors a page ends there. */
static void link_make(struct db *db, uint8_t n)
{
    struct error err = {0};
    struct channel_link l = {.id = {{n}}, .environment = {{1}}, .identifier = (struct str){(const char *)&"abc"[n % 3], 1}, .integration_identifier = STR("slack"),
                             .provider_id = STR("slack"), .channel = CHANNEL_CHAT, .subscriber_id = STR("ada"), .context = STR(""), .created_at = n, .updated_at = n};
    struct channel_endpoint e = {.link = l, .type = STR("slack_user"), .endpoint = STR("x")};
    struct channel_connection c = {.link = l, .workspace = STR("{}"), .auth = STR("x")};
    enum channel_conflict which;
    must(channel_endpoint_insert(db, &e, &err) && channel_connection_insert(db, &c, &which, &err), &err, "link");
}

static void lists_of_a_subscriber_are_read_from_an_index(enum db_kind kind, bool (*bad)(const char *sql, const char *plan))
{
    static const struct page_query pages[] = {{.limit = 10}, {.limit = 10, .ascending = true}, {.limit = 10, .after = {{1}}}, {.limit = 10, .before = {{1}}}};
    struct arena *a = arena_create(0);
    struct error err = {0};
    struct page page;
    struct db *db = plans_begin(kind);
    link_make(db, 1);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct channel_link_query q = {.subscriber_id = STR("ada"), .channel = -1, .shared = -1, .page = pages[i]};
        must(channel_endpoint_list(db, a, (struct id){{1}}, &q, &page, &err), &err, "endpoints");
        must(channel_connection_list(db, a, (struct id){{1}}, &q, &page, &err), &err, "connections");
    }
    struct channel_endpoint *list;
    size_t n;
    must(channel_endpoints_of(db, a, (struct id){{1}}, STR("ada"), STR(""), &list, &n, &err), &err, "endpoints of");
    assert_int_equal(plans_end(db, bad), 0);
    arena_destroy(a);
}

static void lists_of_a_subscriber_are_read_from_an_index_of_sqlite(void **state)
{
    (void)state;
    lists_of_a_subscriber_are_read_from_an_index(DB_SQLITE, is_slow);
}

static void lists_of_a_subscriber_are_read_from_an_index_of_postgres(void **state)
{
    (void)state;
    lists_of_a_subscriber_are_read_from_an_index(DB_POSTGRES, plan_scans_a_filled_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_of_a_subscriber_are_read_from_an_index_of_sqlite),
                                       cmocka_unit_test(lists_of_a_subscriber_are_read_from_an_index_of_postgres)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
