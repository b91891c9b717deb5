/* What is rare in an Inbox costs the same among 10,000 messages as among 100: counted in steps of SQLite's machine, which
 * are the same on every computer. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "migrated.h"
#include "model/inbox.h"
#include "model/message.h"

enum { FEW = 12, PAGE = 10, SMALL = 100, LARGE = 10000 };

static struct {
    sqlite3 *db;
    int64_t steps;
} machine;

static int hear(unsigned type, void *ctx, void *stmt, void *ns)
{
    (void)type;
    (void)ctx;
    (void)ns;
    machine.steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    return 0;
}

static int listen_to(sqlite3 *db, char **err, const struct sqlite3_api_routines *api)
{
    (void)err;
    (void)api;
    machine.db = db;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, hear, NULL);
}

static struct db *store_open(void)
{
    struct error err = {0};
    const char *url = support_store_url(DB_SQLITE);
    sqlite3_auto_extension((void (*)(void))listen_to);
    struct db *db = db_open(url, false, &err);
    sqlite3_reset_auto_extension();
    must(db != NULL, &err, "store");
    return db;
}

static struct id id_of(int kind, int n)
{
    struct id id = {{(uint8_t)kind}};
    for (int i = 0; i < 4; i++)
        id.b[11 - i] = (uint8_t)(n >> 8 * i);
    return id;
}

static void change(struct db *db, const char *set, struct id id)
{
    char sql[200];
    struct error err = {0};
    snprintf(sql, sizeof sql, "UPDATE messages SET seen = 1, %s WHERE environment_id = ?1 AND id = ?2", set);
    must(db_write(db, &err, sql, id_of(1, 0), id), &err, set);
}

/* The n-th of a person's messages. What is rare lies in groups of FEW at the bottom, the oldest first. */
static void add(struct db *db, const struct inbox_owner *o, int n)
{
    struct error err = {0};
    int group = n / FEW;
    bool tagged = group == 4 || group == 5;
    struct id id = id_of(o->subscriber.b[0], n);
    struct message m = {.id = id, .environment = o->environment, .subscriber = o->subscriber, .run = id, .job = id,
        .workflow = id, .channel = CHANNEL_IN_APP, .context = STR(""), .severity = group == 3 ? SEVERITY_HIGH : group > 5 ? SEVERITY_MEDIUM : SEVERITY_NONE,
        .doc = tagged ? STR("{\"tags\":[\"rare\"]}") : STR("{\"tags\":[\"usual\",\"daily\"]}"), .created_at = 1000 + n};
    must(message_insert(db, &m, &err), &err, "insert");
    if (group == 1)
        change(db, "read = 1, archived = 1", id);
    else if (group == 2)
        change(db, "snoozed_until = 5", id);
    else if (group != 0 && group != 5)
        change(db, "read = 1", id);
}

static void fill(struct db *db, const struct inbox_owner *o, int n)
{
    struct error err = {0};
    must(db_begin(db, true, &err), &err, "begin");
    for (int i = 0; i < n; i++)
        add(db, o, i);
    must(db_commit(db, &err), &err, "commit");
}

static const struct case_ {
    const char *name;
    int read, seen, archived, snoozed;
    unsigned severities;
    const char *tag;
    int wanted;             /* matches */
} cases[] = {
    {"unread", 0, -1, 0, 0, 0, NULL, 2 * FEW},
    {"unread, whether snoozed or not", 0, -1, -1, -1, 0, NULL, 3 * FEW},
    {"unseen", -1, 0, -1, -1, 0, NULL, 2 * FEW},
    {"archived", -1, -1, 1, -1, 0, NULL, FEW},
    {"archived and read", 1, -1, 1, 0, 0, NULL, FEW},
    {"snoozed", -1, -1, -1, 1, 0, NULL, FEW},
    {"severe", -1, -1, 0, 0, 1u << SEVERITY_HIGH | 1u << SEVERITY_LOW, NULL, FEW},
    {"unread and severe", 0, -1, 0, 0, 1u << SEVERITY_HIGH, NULL, 0},
    {"tag", -1, -1, 0, 0, 0, "rare", 2 * FEW},
    {"tag, unread", 0, -1, 0, 0, 0, "rare", FEW},
    {"tag, read", 1, -1, -1, -1, 0, "rare", FEW},
    {"tag, archived", -1, -1, 1, -1, 0, "rare", 0},
    {"a usual tag, unread", 0, -1, 0, 0, 0, "daily", FEW},
    {"a usual tag, archived", -1, -1, 1, 0, 0, "daily", FEW},
};

/* Steps of the first page and of the count. */
static void ask(struct db *db, const struct inbox_owner *o, const struct case_ *c, int64_t *page_steps, int64_t *count_steps)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct inbox_filter f;
    struct inbox_page page;
    struct str tag = c->tag ? str_of(c->tag) : STR_NULL;
    size_t group = 1;
    int n;
    inbox_filter_init(&f);
    f.read = c->read;
    f.seen = c->seen;
    f.archived = c->archived;
    f.snoozed = c->snoozed;
    f.severities = c->severities;
    f.tags = &tag;
    f.tag_groups = &group;
    f.tag_groups_n = c->tag != NULL;
    machine.steps = 0;
    must(inbox_list(db, a, o, &f, (struct id){{0}}, 0, PAGE, &page, &err), &err, c->name);
    *page_steps = machine.steps;
    must(inbox_count(db, a, o, &f, INBOX_COUNT_CAP, &n, &err), &err, c->name);
    *count_steps = machine.steps - *page_steps;
    assert_int_equal(n, c->wanted);
    assert_int_equal(page.n, c->wanted < PAGE ? c->wanted : PAGE);
}

static void what_is_rare_costs_the_same_among_many(void **state)
{
    (void)state;
    struct db *db = store_open();
    const struct inbox_owner small = {.environment = id_of(1, 0), .subscriber = id_of(2, 0), .context = STR("")};
    const struct inbox_owner large = {.environment = id_of(1, 0), .subscriber = id_of(3, 0), .context = STR("")};
    int over = 0;
    fill(db, &small, SMALL);
    fill(db, &large, LARGE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t page[2], count[2];
        ask(db, &small, &cases[i], &page[0], &count[0]);
        ask(db, &large, &cases[i], &page[1], &count[1]);
        print_message("%-32s page %5lld %5lld, count %5lld %5lld\n", cases[i].name, (long long)page[0], (long long)page[1],
                      (long long)count[0], (long long)count[1]);
        over += page[1] * 10 > page[0] * 13 || count[1] * 10 > count[0] * 13;
    }
    db_close(db);
    assert_int_equal(over, 0);
}

/* The other way round: nearly all are unread. */
static void a_few_read_ones_cost_the_same_among_many(void **state)
{
    static const struct case_ cases_read[] = {{"read", 1, -1, 0, 0, 0, NULL, FEW / 2}, {"read, whether snoozed or not", 1, -1, 0, -1, 0, NULL, FEW / 2},
                                              {"read, archived or not", 1, -1, -1, -1, 0, NULL, FEW}};
    struct error err = {0};
    (void)state;
    struct db *db = store_open();
    const struct inbox_owner owners[] = {{.environment = id_of(1, 0), .subscriber = id_of(2, 0), .context = STR("")},
                                         {.environment = id_of(1, 0), .subscriber = id_of(3, 0), .context = STR("")}};
    int64_t page[2], count[2];
    must(db_begin(db, true, &err), &err, "begin");
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < (k ? LARGE : SMALL); i++) {
            struct id id = id_of(owners[k].subscriber.b[0], i);
            struct message m = {.id = id, .environment = owners[k].environment, .subscriber = owners[k].subscriber, .run = id, .job = id, .workflow = id,
                                .channel = CHANNEL_IN_APP, .context = STR(""), .doc = STR("{}"), .created_at = 1000 + i};
            must(message_insert(db, &m, &err), &err, "insert");
            if (i < FEW)
                change(db, i % 2 ? "read = 1, archived = 1" : "read = 1", id);
        }
    must(db_commit(db, &err), &err, "commit");
    for (size_t i = 0; i < sizeof cases_read / sizeof *cases_read; i++) {
        for (int k = 0; k < 2; k++)
            ask(db, &owners[k], &cases_read[i], &page[k], &count[k]);
        print_message("%-32s page %5lld %5lld, count %5lld %5lld\n", cases_read[i].name, (long long)page[0], (long long)page[1],
                      (long long)count[0], (long long)count[1]);
        assert_true(page[1] * 10 <= page[0] * 13 && count[1] * 10 <= count[0] * 13);
    }
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_rare_costs_the_same_among_many), cmocka_unit_test(a_few_read_ones_cost_the_same_among_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
