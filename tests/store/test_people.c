/* Topics, subscriptions, preferences, contexts: what their files promise, on both databases. */
#include "plans.h"

#include "base/clock.h"
#include "model/context.h"
#include "model/event.h"
#include "model/message.h"
#include "model/outbox.h"
#include "model/preference.h"
#include "model/removal.h"
#include "model/run.h"
#include "model/subscriber_channels.h"
#include "model/topic.h"

static const struct id ENV = {{1}}, OTHER = {{2}}, NOBODY;

static struct id id_of(int kind, int n)
{
    struct id id = {{0}};
    id.b[0] = (uint8_t)kind;
    id.b[10] = (uint8_t)(n >> 8);
    id.b[11] = (uint8_t)n;
    return id;
}

static uint64_t roll(uint64_t *s, uint64_t below)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return (*s * 2685821657736338717u >> 33) % below;
}

static struct db *open_store(void **state)
{
    struct store *st = *state;
    return st->db;
}

/* --- topics ------------------------------------------------------------------------------------------------- */

static void put_subscriber(struct db *db, int n)
{
    struct error err = {0};
    struct id stored;
    char name[16];
    snprintf(name, sizeof name, "s%d", n);
    struct subscriber_patch p = {.subscriber_id = str_of(name)};
    must(subscriber_upsert(db, ENV, &p, id_of(1, n), 1, &stored, &err), &err, "subscriber");
}

static struct topic put_topic(struct db *db, struct arena *a, int n)
{
    struct error err = {0};
    bool created;
    struct topic t = {.id = id_of(2, n), .environment = ENV, .key = str_fmt(a, "topic-%d", n), .name = str_fmt(a, "Topic %d", n),
                      .updated_at = 100 + n % 7};
    must(topic_upsert(db, a, &t, &created, &err), &err, "topic");
    assert_true(created);
    return t;
}

static struct topic_subscription put_subscription(struct db *db, struct arena *a, struct id topic, int subscriber, int n, struct str context)
{
    struct error err = {0};
    bool created;
    struct topic_subscription s = {.id = id_of(3, n), .environment = ENV, .topic = topic, .subscriber = id_of(1, subscriber),
                                   .identifier = str_fmt(a, "i%d", n), .context = context, .created_at = 5};
    must(topic_subscribe(db, a, &s, &created, &err), &err, "subscribe");
    assert_true(created);
    return s;
}

static void a_topic_is_made_once_and_changed_by_what_is_given(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct topic found, t = {.id = id_of(2, 1), .environment = ENV, .key = STR("news"), .name = STR("News"), .updated_at = 10};
    bool created;
    must(topic_upsert(db, a, &t, &created, &err), &err, "upsert");
    assert_true(created);
    static const struct { const char *name, *data; const char *name_then, *data_then; int64_t at; } steps[] = {
        {"", NULL, "News", NULL, 10}, {"Other", NULL, "Other", NULL, 22}, {"", "{\"a\":1}", "Other", "{\"a\":1}", 23},
        {"Last", NULL, "Last", "{\"a\":1}", 24}};
    for (int i = 0; i < 4; i++) {
        t = (struct topic){.id = id_of(2, 9), .environment = ENV, .key = STR("news"), .name = str_of(steps[i].name),
                           .data = str_of(steps[i].data), .updated_at = 21 + i};
        must(topic_upsert(db, a, &t, &created, &err), &err, "upsert");
        assert_false(created);
        assert_true(id_eq(t.id, id_of(2, 1)));
        must(topic_find(db, a, ENV, STR("news"), &found, &err), &err, "find");
        assert_true(str_eqz(found.name, steps[i].name_then));
        assert_true(str_eq(found.data, str_of(steps[i].data_then)));
        assert_int_equal(found.updated_at, steps[i].at);
        assert_int_equal(found.created_at, 10);
    }
    found.name = STR("Named");
    found.data = STR_NULL;
    found.updated_at = 30;
    must(topic_update(db, &found, &err), &err, "update");
    must(topic_find_by_id(db, a, ENV, t.id, &found, &err), &err, "find");
    assert_true(str_eqz(found.name, "Named") && !found.data.p && found.updated_at == 30);
    assert_false(topic_find(db, a, OTHER, STR("news"), &found, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(topic_find_by_id(db, a, OTHER, t.id, &found, &err));
    found.environment = OTHER;
    assert_false(topic_update(db, &found, &err));
    assert_false(topic_delete(db, OTHER, t.id, 1, &err));
    must(topic_delete(db, ENV, t.id, 1, &err), &err, "delete");
    assert_false(topic_delete(db, ENV, t.id, 1, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void topic_keys(void **state)
{
    (void)state;
    static const struct { const char *key; bool ok; } rows[] = {
        {"a", true}, {"A-z_0:9.x", true}, {"a@b.c", true}, {"ü@b.c", true}, {"a@@b.c", true}, {"", false}, {"a b", false}, {"a/b", false},
        {"a@b", false}, {"@b.c", false}, {"a@.c", false}, {"a@b.", false}, {"a b@c.d", false}, {"ü", false}, {"a+b@x.org", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (topic_key_valid(str_of(rows[i].key)) != rows[i].ok)
            fail_msg("%s", rows[i].key);
    char longest[TOPIC_KEY_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(topic_key_valid((struct str){longest, TOPIC_KEY_MAX}));
    assert_false(topic_key_valid((struct str){longest, TOPIC_KEY_MAX + 1}));
}

static void topic_filters(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct page page;
    for (int i = 0; i < 12; i++)
        put_topic(db, a, i);
    static const struct { struct topic_query q; size_t n; int first; } rows[] = {
        {{.page = {.limit = 20}}, 12, 11}, {{.page = {.limit = 20, .ascending = true}}, 12, 0}, {{.key = {"IC-1", 4}, .page = {.limit = 20}}, 3, 11},
        {{.name = {"C 1", 3}, .page = {.limit = 20}}, 3, 11}, {{.name = {"%", 1}, .page = {.limit = 20}}, 0, 0},
        {{.page = {.limit = 20, .by_updated_at = true}}, 12, 6}, {{.page = {.limit = 5, .after = {{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}}}}, 5, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        must(topic_list(db, a, ENV, &rows[i].q, &page, &err), &err, "list");
        assert_int_equal(page.n, rows[i].n);
        if (page.n)
            assert_true(id_eq(((struct topic *)page.items)[0].id, id_of(2, rows[i].first)));
        must(topic_list(db, a, OTHER, &rows[i].q, &page, &err), &err, "list");
        assert_int_equal(page.n, 0);
    }
}

static void subscriptions_come_and_go(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct topic t = put_topic(db, a, 1);
    struct topic_subscription *list, found, s = put_subscription(db, a, t.id, 1, 1, STR("tenant:acme"));
    size_t n;
    bool created;
    put_subscription(db, a, t.id, 1, 2, STR(""));
    put_subscription(db, a, t.id, 2, 3, STR(""));
    struct topic_subscription again = s;
    again.id = id_of(3, 77);
    again.subscriber = id_of(1, 9);
    again.name = STR("ignored");
    must(topic_subscribe(db, a, &again, &created, &err), &err, "subscribe");
    assert_false(created);
    assert_true(id_eq(again.id, s.id) && id_eq(again.subscriber, s.subscriber) && !again.name.p && str_eqz(again.context, "tenant:acme"));
    must(topic_subscriptions_of(db, a, t.id, id_of(1, 1), &list, &n, &err), &err, "of");
    assert_int_equal(n, 2);
    assert_true(id_eq(list[0].id, s.id));
    s.name = STR("Mine");
    s.updated_at = 50;
    must(topic_subscription_update(db, &s, &err), &err, "update");
    must(topic_subscription_find(db, a, t.id, STR("i1"), &found, &err), &err, "find");
    assert_true(str_eqz(found.name, "Mine") && found.updated_at == 50 && found.created_at == 5);
    struct preference p = preference_blank();
    p.id = id_of(4, 1);
    p.environment = ENV;
    p.subscriber = s.subscriber;
    p.workflow = id_of(5, 1);
    p.subscription = s.id;
    must(preference_replace(db, &p, 1, &err), &err, "preference");
    must(topic_unsubscribe(db, &s, &err), &err, "unsubscribe");
    assert_int_equal(number(db, "SELECT count(*) FROM preferences"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM topic_subscriptions"), 2);
    assert_false(topic_subscription_find(db, a, t.id, STR("i1"), &found, &err));
    assert_false(topic_subscription_update(db, &s, &err));
    assert_true(str_eqz(topic_subscription_identifier(a, STR("k"), STR("me"), STR("")), "tk_k:si_me"));
    assert_true(str_eqz(topic_subscription_identifier(a, STR("k"), STR("me"), STR("a:1,b:2")), "tk_k:si_me:ctx_a:1,b:2"));
}

static void memberships_by_either_end(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct page page;
    struct str acme = STR("tenant:acme"), none = STR("");
    struct topic t[2] = {put_topic(db, a, 1), put_topic(db, a, 2)};
    for (int i = 0; i < 6; i++)
        put_subscriber(db, i);
    for (int i = 0; i < 12; i++)
        put_subscription(db, a, t[i / 6].id, i % 6, i, i % 2 ? acme : none);
    const struct { struct topic_membership_query q; size_t n; } rows[] = {
        {{.topic = t[0].id}, 6}, {{.topic = t[0].id, .context = &acme}, 3}, {{.topic = t[0].id, .subscriber = id_of(1, 2)}, 1},
        {{.subscriber = id_of(1, 3)}, 2}, {{.subscriber = id_of(1, 3), .topic_key = STR("C-2")}, 1}, {{.subscriber = id_of(1, 3), .context = &none}, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct topic_membership_query q = rows[i].q;
        q.page.limit = 10;
        must(topic_membership_list(db, a, ENV, &q, &page, &err), &err, "list");
        assert_int_equal(page.n, rows[i].n);
        assert_int_equal(page.total, rows[i].n);
        for (size_t k = 0; k < page.n; k++) {
            const struct topic_membership *m = (struct topic_membership *)page.items + k;
            assert_true(id_eq(m->topic.id, m->subscription.topic) && id_eq(m->subscriber.id, m->subscription.subscriber));
            assert_true(str_starts(m->topic.key, STR("topic-")) && str_starts(m->subscriber.subscriber_id, STR("s")));
        }
        must(topic_membership_list(db, a, OTHER, &q, &page, &err), &err, "list");
        assert_int_equal(page.n, 0);
    }
    /* Neither end shows what the other end lost. */
    must(subscriber_delete(db, ENV, STR("s0"), 1, &err), &err, "delete");
    must(topic_delete(db, ENV, t[1].id, 1, &err), &err, "delete");
    struct topic_membership_query q = {.topic = t[0].id, .page = {.limit = 10}};
    must(topic_membership_list(db, a, ENV, &q, &page, &err), &err, "list");
    assert_int_equal(page.n, 5);
    q = (struct topic_membership_query){.subscriber = id_of(1, 3), .page = {.limit = 10}};
    must(topic_membership_list(db, a, ENV, &q, &page, &err), &err, "list");
    assert_int_equal(page.n, 1);
}

/* Walking a topic while people join: who was there is seen once. */
static void membership_pages_are_stable_under_inserts(void **state)
{
    struct db *db = open_store(state);
    struct error err = {0};
    uint64_t chance = 11;
    struct arena *keep ARENA_SCOPED = arena_create(0);
    struct topic t = put_topic(db, keep, 1);
    enum { START = 40, ALL = 400 };
    static bool there[ALL];
    memset(there, 0, sizeof there);
    for (int i = 0; i < 20; i++)
        put_subscriber(db, i);
    for (int i = 0; i < START; i++) {
        put_subscription(db, keep, t.id, i % 20, i * 10, STR(""));
        there[i * 10] = true;
    }
    for (int ascending = 0; ascending < 2; ascending++) {
        int seen[ALL] = {0}, before[ALL];
        struct topic_membership_query q = {.topic = t.id, .page = {.limit = 3, .ascending = ascending}};
        struct page page;
        for (int i = 0; i < ALL; i++)
            before[i] = there[i];
        do {
            struct arena *a ARENA_SCOPED = arena_create(0);
            must(topic_membership_list(db, a, ENV, &q, &page, &err), &err, "list");
            for (size_t i = 0; i < page.n; i++) {
                struct id id = ((struct topic_membership *)page.items)[i].subscription.id;
                seen[id.b[10] << 8 | id.b[11]]++;
            }
            q.page.after = page.next;
            int fresh = (int)roll(&chance, ALL);
            if (!there[fresh])
                put_subscription(db, keep, t.id, fresh % 20, fresh, STR(""));
            there[fresh] = true;
        } while (!id_is_zero(page.next));
        for (int i = 0; i < ALL; i++)
            assert_true(before[i] ? seen[i] == 1 : seen[i] <= 1);
    }
}

/* --- fan-out --------------------------------------------------------------------------------------------------- */

enum { FAN_TOPICS = 5, FAN_PEOPLE = 90, FAN_ROWS = 700 };

struct fan_row {
    int topic, subscriber, context;
};

static void members_are_walked_once_each(void **state)
{
    struct db *db = open_store(state);
    struct arena *keep ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    uint64_t chance = 3;
    static struct fan_row rows[FAN_ROWS];
    struct id topics[FAN_TOPICS];
    struct str contexts[2] = {STR(""), STR("tenant:acme")};
    for (int t = 0; t < FAN_TOPICS; t++)
        topics[t] = put_topic(db, keep, t).id;
    for (int i = 0; i < FAN_ROWS; i++) {
        /* One person is in the first topic far more often than the limit allows. */
        rows[i] = (struct fan_row){(int)roll(&chance, FAN_TOPICS), (int)roll(&chance, FAN_PEOPLE), (int)roll(&chance, 2)};
        if (i < 60)
            rows[i] = (struct fan_row){0, 44, 0};
        put_subscription(db, keep, topics[rows[i].topic], rows[i].subscriber, i, contexts[rows[i].context]);
    }
    for (int round = 0; round < 60; round++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct topic_member *out;
        size_t n, max = 1 + roll(&chance, 40), topics_n = roll(&chance, FAN_TOPICS + 1);
        int context = (int)roll(&chance, 2), people = 0, expected = 0;
        struct id after = NOBODY;
        int64_t count;
        int seen[FAN_ROWS] = {0};
        do {
            must(topic_members_next(db, a, topics, topics_n, contexts[context], after, max, &out, &n, &err), &err, "next");
            assert_true(n <= max);
            for (size_t i = 0; i < n; i++) {
                assert_true(id_cmp(out[i].subscriber, after) > 0);
                after = out[i].subscriber;
                people++;
                assert_true(out[i].subscriptions_n > 0);
                for (size_t k = 0; k < out[i].subscriptions_n; k++) {
                    const struct topic_subscription *s = &out[i].subscriptions[k];
                    int row = s->id.b[10] << 8 | s->id.b[11];
                    seen[row]++;
                    assert_true(id_eq(s->subscriber, out[i].subscriber) && id_eq(s->topic, topics[rows[row].topic]));
                    assert_true(str_eq(s->identifier, str_fmt(a, "i%d", row)));
                }
            }
        } while (n == max);
        bool counted[FAN_PEOPLE] = {false};
        for (int i = 0; i < FAN_ROWS; i++) {
            bool in = (size_t)rows[i].topic < topics_n && rows[i].context == context;
            assert_int_equal(seen[i], in);
            expected += in && !counted[rows[i].subscriber];
            counted[rows[i].subscriber] |= in;
        }
        assert_int_equal(people, expected);
        must(topic_members_count(db, topics, topics_n, contexts[context], &count, &err), &err, "count");
        assert_int_equal(count, expected);
    }
}

/* --- deleting much ---------------------------------------------------------------------------------------------- */

static int removal_chunks(struct db *db)
{
    struct error err = {0};
    bool more = true;
    int chunks = 0;
    for (; more; chunks++)
        must(removal_continue(db, &more, &err), &err, "continue");
    return chunks;
}

static void a_large_topic_goes_in_chunks(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct topic big = put_topic(db, a, 1), small = put_topic(db, a, 2);
    exec(db, "BEGIN");
    for (int i = 0; i < 2 * REMOVAL_CHUNK + 7; i++)
        put_subscription(db, a, big.id, i, i, STR(""));
    exec(db, "COMMIT");
    struct topic_subscription last = put_subscription(db, a, small.id, 1, 5000, STR(""));
    for (int i = 0; i < 2; i++) {
        struct preference p = preference_blank();
        p.id = id_of(4, i);
        p.environment = ENV;
        p.subscriber = id_of(1, 1);
        p.workflow = id_of(5, 1);
        p.subscription = i ? last.id : id_of(3, 1);
        must(preference_replace(db, &p, 1, &err), &err, "preference");
    }
    must(topic_delete(db, ENV, big.id, 9, &err), &err, "delete");
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM topic_subscriptions"), REMOVAL_CHUNK + 8);
    assert_int_equal(removal_chunks(db), 2);
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM topic_subscriptions"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM preferences"), 1);
    /* A small one leaves no tombstone. */
    must(topic_delete(db, ENV, small.id, 9, &err), &err, "delete");
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM topic_subscriptions"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM preferences"), 0);
    assert_int_equal(removal_chunks(db), 1);
}

/* --- erasing a person --------------------------------------------------------------------------------------------- */

static void put_event(struct db *db, int n, const char *doc)
{
    struct error err = {0};
    char transaction[16];
    snprintf(transaction, sizeof transaction, "t%d", n);
    struct event e = {.id = id_of(6, n), .environment = ENV, .workflow = id_of(5, 1), .transaction_id = str_of(transaction), .doc = str_of(doc),
                      .created_at = 1};
    assert_int_equal(event_insert(db, &e, &err), EVENT_INSERTED);
}

static void put_run(struct db *db, int n, int event, int subscriber)
{
    struct error err = {0};
    struct run_row r = {.id = id_of(7, n), .environment = ENV, .event = id_of(6, event), .workflow = id_of(5, 1), .subscriber = id_of(1, subscriber),
                        .state = STR("{}"), .created_at = 1, .updated_at = 1};
    must(run_insert(db, &r, &err), &err, "run");
    struct message m = {.id = id_of(8, n), .environment = ENV, .subscriber = id_of(1, subscriber), .run = r.id, .workflow = r.workflow,
                        .channel = CHANNEL_EMAIL, .doc = STR("{}"), .created_at = 1};
    must(message_insert(db, &m, &err), &err, "message");
    struct outbox_message o = {.id = id_of(9, n), .environment = ENV, .message = m.id, .channel = CHANNEL_EMAIL, .recipient = STR("elsewhere@x.org"),
                               .transaction_id = STR("t"), .doc = STR("{}"), .created_at = 1};
    must(outbox_insert(db, &o, &err), &err, "outbox");
}

/* One that is listed by its message, fresh or seen. */
static void put_own_run(struct db *db, int n, int subscriber)
{
    struct error err = {0};
    bool changed;
    struct run_row r = {.id = id_of(12, n), .environment = ENV, .event = id_of(12, n), .workflow = id_of(5, 1), .subscriber = id_of(1, subscriber),
                        .state = STR("{}"), .created_at = n, .updated_at = n, .by_message = true};
    must(run_insert(db, &r, &err), &err, "run");
    struct message m = {.id = r.id, .environment = ENV, .subscriber = r.subscriber, .run = r.id, .workflow = r.workflow,
                        .channel = CHANNEL_IN_APP, .doc = STR("{}"), .untagged = true, .created_at = n};
    must(message_insert(db, &m, &err), &err, "message");
    if (n % 2)
        must(message_mark(db, &m, MARK_SEEN, n + 1, &changed, &err), &err, "seen");
}

static void an_erased_person_is_nowhere(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct event e;
    int runs = REMOVAL_CHUNK + 20;
    put_subscriber(db, 1);
    put_subscriber(db, 2);
    exec(db, "BEGIN");
    put_event(db, 1, "{\"to\":[\"s1\",{\"subscriberId\":\"s2\"},{\"subscriberId\":\"s1\",\"email\":\"me@x.org\"}],\"actor\":\"s1\",\"payload\":{\"k\":1}}");
    put_event(db, 2, "{\"to\":\"s1\"}");
    put_event(db, 3, "{\"to\":\"s2\"}");
    put_run(db, 1, 1, 1);
    put_run(db, 2, 1, 2);
    put_run(db, 3, 2, 1);
    put_run(db, 4, 3, 2);
    for (int i = 5; i < runs; i++)
        put_run(db, i, 2, 1);
    for (int i = 0; i < REMOVAL_CHUNK * 3 + 7; i++)
        put_own_run(db, i, 1 + i % 3 / 2);
    exec(db, "COMMIT");
    int64_t others = REMOVAL_CHUNK + 2;
    must(subscriber_erase(db, a, ENV, STR("s1"), id_of(10, 1), id_of(11, 1), 77, &err), &err, "erase");
    struct run_row *list;
    struct run_query q = {.limit = REMOVAL_CHUNK * 2};
    size_t n;
    must(run_list(db, a, ENV, &q, &list, &n, &err), &err, "runs");
    assert_int_equal(n, 2 + others);            /* what is left of theirs is not shown */
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 1);
    removal_chunks(db);
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 0);
    static const char *const tables[] = {"runs", "messages", "outbox"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(number(db, str_fmt(a, "SELECT count(*) FROM %s", tables[i]).p), i < 2 ? 2 + others : 2);
    assert_int_equal(number(db, "SELECT count(*) FROM runs WHERE listed = 0"), others);
    assert_false(event_find(db, a, ENV, id_of(6, 2), &e, &err));
    must(event_find(db, a, ENV, id_of(6, 1), &e, &err), &err, "event");
    assert_true(str_eqz(e.doc, "{\"payload\":{\"k\":1},\"to\":[{\"subscriberId\":\"s2\"}]}")
                || str_eqz(e.doc, "{\"to\":[{\"subscriberId\":\"s2\"}],\"payload\":{\"k\":1}}"));
    must(event_find(db, a, ENV, id_of(6, 3), &e, &err), &err, "event");
    assert_true(str_eqz(e.doc, "{\"to\":\"s2\"}"));
    assert_int_equal(number(db, "SELECT count(*) FROM erasures WHERE created_at = 77"), 1);
    assert_false(subscriber_erase(db, a, ENV, STR("s1"), id_of(10, 2), id_of(11, 1), 77, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* What v1 clients do with messages. */
static void marks_move_messages(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    put_subscriber(db, 1);
    put_event(db, 1, "{}");
    for (int i = 0; i < 5; i++)
        put_run(db, i, 1, 1);
    exec(db, "UPDATE messages SET channel = 0");
    static const struct { enum message_mark mark; bool changed, seen, read; int64_t first, last, read_at; } steps[] = {
        {MARK_UNREAD, false, false, false, 0, 0, 0}, {MARK_SEEN, true, true, false, 11, 11, 0}, {MARK_SEEN, false, true, false, 11, 11, 0},
        {MARK_READ, true, true, true, 11, 13, 13},   {MARK_UNREAD, true, true, false, 11, 13, 13}, {MARK_UNSEEN, true, false, false, 11, 13, 13}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct message m, stored;
        bool changed;
        must(message_find(db, a, ENV, id_of(8, 1), &m, &err), &err, "find");
        must(message_mark(db, &m, steps[i].mark, 10 + (int64_t)i, &changed, &err), &err, "mark");
        must(message_find(db, a, ENV, id_of(8, 1), &stored, &err), &err, "find");
        assert_int_equal(changed, steps[i].changed);
        assert_true(stored.seen == steps[i].seen && stored.read == steps[i].read && stored.first_seen_at == steps[i].first
                    && stored.last_seen_at == steps[i].last && stored.last_read_at == steps[i].read_at);
        assert_true(m.seen == stored.seen && m.read == stored.read && m.first_seen_at == stored.first_seen_at
                    && m.last_seen_at == stored.last_seen_at && m.last_read_at == stored.last_read_at && m.updated_at == stored.updated_at);
    }
    int64_t changed;
    static const int64_t chunks[] = {3, 2, 0};
    for (int i = 0; i < 3; i++) {
        must(message_mark_all(db, ENV, id_of(1, 1), MARK_READ, 50, 3, &changed, &err), &err, "mark all");
        assert_int_equal(changed, chunks[i]);
    }
    assert_int_equal(number(db, "SELECT count(*) FROM messages WHERE seen = 1 AND read = 1 AND last_read_at = 50"), 5);
    must(message_mark_all(db, OTHER, id_of(1, 1), MARK_UNREAD, 60, 3, &changed, &err), &err, "mark all");
    assert_int_equal(changed, 0);
}

static void channels_are_put(void **state)
{
    (void)state;
    static const struct { const char *credentials; bool unite; const char *then; size_t tokens; } steps[] = {
        {"{\"deviceTokens\":[\"a\",\"b\",\"a\"]}", false, "{\"deviceTokens\":[\"a\",\"b\"]}", 2},
        {"{\"deviceTokens\":[\"c\",\"a\"]}", true, "{\"deviceTokens\":[\"a\",\"b\",\"c\"]}", 3},
        {"{\"title\":\"T\"}", false, "{\"title\":\"T\",\"deviceTokens\":[\"a\",\"b\",\"c\"]}", 3},
        {"{\"deviceTokens\":[\"d\"]}", false, "{\"title\":\"T\",\"deviceTokens\":[\"d\"]}", 1},
        {"{\"deviceTokens\":[]}", true, "{\"title\":\"T\",\"deviceTokens\":[]}", 0}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str stored = STR_NULL;
    yyjson_val *v, *want;
    size_t tokens;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct channel_setting s = {.provider_id = STR("fcm"), .integration = id_of(1, 1)};
        assert_true(json_parse(a, str_of(steps[i].credentials), &s.credentials, NULL));
        stored = channels_put(a, stored, &s, steps[i].unite, &tokens);
        assert_int_equal(tokens, steps[i].tokens);
        assert_true(json_parse(a, stored, &v, NULL) && json_parse(a, str_of(steps[i].then), &want, NULL));
        assert_true(yyjson_equals(json_path(v, STR("0.credentials")), want));
        assert_int_equal(yyjson_arr_size(v), 1);
    }
    struct channel_setting other = {.provider_id = STR("slack"), .integration = id_of(1, 2)};
    assert_true(json_parse(a, STR("{\"webhookUrl\":\"u\"}"), &other.credentials, NULL));
    stored = channels_put(a, stored, &other, false, &tokens);
    stored = channels_remove(a, stored, STR("fcm"));
    assert_true(json_parse(a, stored, &v, NULL));
    assert_int_equal(yyjson_arr_size(v), 1);
    assert_true(str_eqz(json_get_str(yyjson_arr_get_first(v), "providerId"), "slack"));
    /* Whatever a trigger brought, the wire form is closed. */
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    channels_add(d, o, STR("[1,{\"providerId\":\"mine\",\"credentials\":{\"deviceTokens\":[1],\"webhookUrl\":3,\"k\":1}}]"));
    assert_true(str_eqz(json_write_mut(a, o), "{\"channels\":[{\"providerId\":\"chat-webhook\",\"customProviderId\":\"mine\","
                                              "\"_integrationId\":\"\",\"credentials\":{\"k\":1}}]}"));
}

/* --- preferences ------------------------------------------------------------------------------------------------ */

static struct preference row_of(int workflow, int subscription, const char *context)
{
    struct preference p = preference_blank();
    static int serial;
    p.id = id_of(4, ++serial);
    p.environment = ENV;
    p.subscriber = id_of(1, 1);
    p.workflow = workflow ? id_of(5, workflow) : NOBODY;
    p.subscription = subscription ? id_of(3, subscription) : NOBODY;
    p.context = str_of(context);
    return p;
}

static void choices_add_up_and_a_global_one_resets(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct preference_rows rows;
    bool any;
    struct preference p = row_of(7, 0, "");
    must(preference_any(db, id_of(5, 7), &any, &err), &err, "any");
    assert_false(any);
    p.channel[CHANNEL_EMAIL] = CHOICE_ON;
    must(preference_write(db, &p, 1, &err), &err, "write");
    must(preference_any(db, id_of(5, 8), &any, &err), &err, "any");
    assert_false(any);
    must(preference_any(db, id_of(5, 7), &any, &err), &err, "any");
    assert_true(any);
    p = row_of(7, 0, "");
    p.channel[CHANNEL_SMS] = CHOICE_OFF;
    must(preference_write(db, &p, 2, &err), &err, "write");
    p = row_of(7, 0, "tenant:acme");
    p.channel[CHANNEL_EMAIL] = CHOICE_ON;
    must(preference_write(db, &p, 2, &err), &err, "write");
    p = row_of(7, 4, "");
    p.channel[CHANNEL_EMAIL] = CHOICE_ON;
    p.condition = STR("{\"==\":[1,1]}");
    must(preference_replace(db, &p, 2, &err), &err, "replace");
    must(preference_for_run(db, a, id_of(1, 1), id_of(5, 7), NOBODY, STR(""), &rows, &err), &err, "rows");
    assert_int_equal(rows.found, PREFERENCE_WORKFLOW);
    assert_int_equal(rows.workflow.channel[CHANNEL_EMAIL], CHOICE_ON);
    assert_int_equal(rows.workflow.channel[CHANNEL_SMS], CHOICE_OFF);
    assert_int_equal(rows.workflow.channel[CHANNEL_PUSH], CHOICE_UNSET);
    assert_int_equal(rows.workflow.created_at, 1);
    assert_int_equal(rows.workflow.updated_at, 2);
    p = row_of(0, 0, "");
    p.channel[CHANNEL_EMAIL] = CHOICE_OFF;
    p.schedule = STR("{\"isEnabled\":true}");
    must(preference_write(db, &p, 3, &err), &err, "write");
    must(preference_any(db, id_of(5, 8), &any, &err), &err, "any");
    assert_true(any);
    p = row_of(0, 0, "");
    p.channel[CHANNEL_PUSH] = CHOICE_OFF;
    must(preference_write(db, &p, 4, &err), &err, "write");
    must(preference_for_run(db, a, id_of(1, 1), id_of(5, 7), id_of(3, 4), STR(""), &rows, &err), &err, "rows");
    assert_int_equal(rows.found, PREFERENCE_GLOBAL | PREFERENCE_WORKFLOW | PREFERENCE_SUBSCRIPTION);
    assert_int_equal(rows.global.channel[CHANNEL_EMAIL], CHOICE_OFF);
    assert_int_equal(rows.global.channel[CHANNEL_PUSH], CHOICE_OFF);
    assert_true(str_eqz(rows.global.schedule, "{\"isEnabled\":true}"));
    /* The workflow's word on e-mail is gone, that on SMS stays; other contexts and subscriptions are not touched. */
    assert_int_equal(rows.workflow.channel[CHANNEL_EMAIL], CHOICE_UNSET);
    assert_int_equal(rows.workflow.channel[CHANNEL_SMS], CHOICE_OFF);
    assert_int_equal(rows.subscription.channel[CHANNEL_EMAIL], CHOICE_ON);
    assert_true(str_eqz(rows.subscription.condition, "{\"==\":[1,1]}"));
    /* A context's own row, else that without one. */
    must(preference_for_run(db, a, id_of(1, 1), id_of(5, 7), NOBODY, STR("tenant:acme"), &rows, &err), &err, "rows");
    assert_int_equal(rows.found, PREFERENCE_GLOBAL | PREFERENCE_WORKFLOW);
    assert_true(str_eqz(rows.workflow.context, "tenant:acme") && !rows.global.context.n);
    assert_int_equal(rows.workflow.channel[CHANNEL_EMAIL], CHOICE_ON);
    must(preference_for_run(db, a, id_of(1, 1), id_of(5, 7), NOBODY, STR("tenant:other"), &rows, &err), &err, "rows");
    assert_true(!rows.workflow.context.n && rows.found & PREFERENCE_WORKFLOW);
    must(preference_for_run(db, a, id_of(1, 2), id_of(5, 7), NOBODY, STR(""), &rows, &err), &err, "rows");
    assert_int_equal(rows.found, 0);
    struct preference *list;
    size_t n;
    struct str acme = STR("tenant:acme"), none = STR_NULL;
    must(preference_list(db, a, id_of(1, 1), NULL, &list, &n, &err), &err, "list");
    assert_int_equal(n, 4);
    must(preference_list(db, a, id_of(1, 1), &acme, &list, &n, &err), &err, "list");
    assert_int_equal(n, 1);
    must(preference_list(db, a, id_of(1, 1), &none, &list, &n, &err), &err, "list");
    assert_int_equal(n, 3);
    must(preference_list_by_subscription(db, a, id_of(3, 4), &list, &n, &err), &err, "list");
    assert_int_equal(n, 1);
    must(preference_delete_by_subscription(db, id_of(3, 4), &err), &err, "delete");
    must(preference_list(db, a, id_of(1, 1), NULL, &list, &n, &err), &err, "list");
    assert_int_equal(n, 3);
    must(preference_delete_by_workflow(db, id_of(5, 7), &err), &err, "delete");
    must(preference_list(db, a, id_of(1, 1), NULL, &list, &n, &err), &err, "list");
    assert_int_equal(n, 1);
}

/* A table of engine.md §6.2: one letter a layer, of the channel: + on, - off, . unset; capital A/D: `all` on/off only;
 * space: the layer is not there. Resource, user, global, workflow, subscription. */
static const struct {
    const char *layers;
    bool read_only, is_final, on;
    enum preference_source by, source;
} merges[] = {
    {"     ", false, false, true, SOURCE_WORKFLOW_RESOURCE, SOURCE_WORKFLOW_RESOURCE},
    {"+    ", false, false, true, SOURCE_WORKFLOW_RESOURCE, SOURCE_WORKFLOW_RESOURCE},
    {"-    ", false, false, false, SOURCE_WORKFLOW_RESOURCE, SOURCE_WORKFLOW_RESOURCE},
    {"D    ", false, false, false, SOURCE_WORKFLOW_RESOURCE, SOURCE_WORKFLOW_RESOURCE},
    {"-+   ", false, false, true, SOURCE_USER_WORKFLOW, SOURCE_USER_WORKFLOW},
    {"+D   ", false, false, false, SOURCE_USER_WORKFLOW, SOURCE_USER_WORKFLOW},
    {"-.   ", false, false, false, SOURCE_WORKFLOW_RESOURCE, SOURCE_USER_WORKFLOW},
    {"++-  ", false, false, false, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_GLOBAL},
    {"++.  ", false, false, true, SOURCE_USER_WORKFLOW, SOURCE_SUBSCRIBER_GLOBAL},
    {"++-+ ", false, false, true, SOURCE_SUBSCRIBER_WORKFLOW, SOURCE_SUBSCRIBER_WORKFLOW},
    {"++-. ", false, false, false, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_WORKFLOW},
    {"+++- ", false, false, false, SOURCE_SUBSCRIBER_WORKFLOW, SOURCE_SUBSCRIBER_WORKFLOW},
    {"+++-+", false, false, true, SOURCE_SUBSCRIPTION, SOURCE_SUBSCRIPTION},
    {"+ - .", false, false, false, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_GLOBAL},
    {"+   -", false, false, false, SOURCE_SUBSCRIPTION, SOURCE_SUBSCRIPTION},
    {"++---", true, false, true, SOURCE_USER_WORKFLOW, SOURCE_USER_WORKFLOW},
    {"- +++", true, false, false, SOURCE_WORKFLOW_RESOURCE, SOURCE_WORKFLOW_RESOURCE},
    /* Whether the workflow's off can be overruled (decisions.md 15): the one reading, and the other. */
    {" -+  ", false, false, true, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_GLOBAL},
    {" -+  ", false, true, false, SOURCE_USER_WORKFLOW, SOURCE_SUBSCRIBER_GLOBAL},
    {" - + ", false, true, false, SOURCE_USER_WORKFLOW, SOURCE_SUBSCRIBER_WORKFLOW},
    {" -  +", false, true, false, SOURCE_USER_WORKFLOW, SOURCE_SUBSCRIPTION},
    {" +-  ", false, true, false, SOURCE_SUBSCRIBER_GLOBAL, SOURCE_SUBSCRIBER_GLOBAL},
    {"-+ + ", false, true, true, SOURCE_SUBSCRIBER_WORKFLOW, SOURCE_SUBSCRIBER_WORKFLOW},
};

static enum choice letter(char c)
{
    return c == '+' ? CHOICE_ON : c == '-' ? CHOICE_OFF : CHOICE_UNSET;
}

static void layers_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        const char *l = merges[i].layers;
        struct buf doc = {.arena = a};
        yyjson_val *v;
        static const char *const names[] = {"default", "user"};
        buf_char(&doc, '{');
        for (int k = 0; k < 2; k++) {
            if (l[k] == ' ')
                continue;
            buf_fmt(&doc, "%s\"%s\":{\"all\":{\"readOnly\":%s", doc.n > 1 ? "," : "", names[k], merges[i].read_only ? "true" : "false");
            if (l[k] == 'D' || l[k] == 'A')
                buf_fmt(&doc, ",\"enabled\":%s", l[k] == 'A' ? "true" : "false");
            buf_z(&doc, "},\"channels\":{");
            if (letter(l[k]) != CHOICE_UNSET)
                buf_fmt(&doc, "\"sms\":{\"enabled\":%s}", l[k] == '+' ? "true" : "false");
            buf_z(&doc, "}}");
        }
        buf_char(&doc, '}');
        assert_true(json_parse(a, buf_finish(&doc), &v, NULL));
        struct workflow_preferences w = workflow_preferences_read(v);
        struct preference_rows rows = {.global = preference_blank(), .workflow = preference_blank(), .subscription = preference_blank()};
        struct preference *slots[] = {&rows.global, &rows.workflow, &rows.subscription};
        for (int k = 0; k < 3; k++) {
            rows.found |= l[2 + k] != ' ' ? 1u << k : 0;
            slots[k]->channel[CHANNEL_SMS] = letter(l[2 + k]);
        }
        struct preference_result r = preference_merge(&w, &rows, merges[i].is_final);
        if (r.channel[CHANNEL_SMS] != merges[i].on || r.by[CHANNEL_SMS] != merges[i].by || r.source != merges[i].source
            || r.read_only != merges[i].read_only)
            fail_msg("row %zu \"%s\": %d by %d, source %d", i, l, r.channel[CHANNEL_SMS], r.by[CHANNEL_SMS], r.source);
        assert_int_equal(preference_merge(&w, NULL, false).source, l[1] != ' ' ? SOURCE_USER_WORKFLOW : SOURCE_WORKFLOW_RESOURCE);
    }
    struct workflow_preferences none = workflow_preferences_read(NULL);
    assert_false(none.has_resource || none.has_user || none.read_only);
}

static void schedules_are_checked(void **state)
{
    (void)state;
    static const struct { const char *json, *message; size_t n; } rows[] = {
        {"{\"isEnabled\":true}", NULL, 0},
        {"{\"isEnabled\":false,\"weeklySchedule\":{\"monday\":{\"isEnabled\":true,\"hours\":[{\"start\":\"09:00 AM\",\"end\":\"12:59 PM\"}]},\"sunday\":{\"isEnabled\":false}}}", NULL, 0},
        {"[]", "schedule must be an object", 1},
        {"{}", "schedule.isEnabled must be a boolean value", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":{}}", "schedule.weeklySchedule must contain at least one day configuration when isEnabled is true", 1},
        {"{\"isEnabled\":false,\"weeklySchedule\":{}}", NULL, 0},
        {"{\"isEnabled\":true,\"weeklySchedule\":{\"someday\":{\"isEnabled\":true}}}", "schedule.weeklySchedule contains invalid day names: someday", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":3}", "schedule.weeklySchedule must be an object", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":{\"monday\":1}}", "schedule.weeklySchedule.monday must be an object", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":{\"friday\":{\"isEnabled\":true,\"hours\":{}}}}", "schedule.weeklySchedule.friday.hours must be an array", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":{\"friday\":{\"hours\":[]}}}", "schedule.weeklySchedule.friday.isEnabled must be a boolean value", 1},
        {"{\"isEnabled\":true,\"weeklySchedule\":{\"friday\":{\"isEnabled\":true,\"hours\":[{\"start\":\"09:00 AM\",\"end\":\"05:00 PM\"},{\"start\":\"0:00 AM\",\"end\":\"17:00\"}]}}}",
         "schedule.weeklySchedule.friday.hours.1.start must be in 12-hour format (e.g., \"09:00 AM\" or \"05:00 PM\")", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct str messages[8];
        yyjson_val *v;
        assert_true(json_parse(a, str_of(rows[i].json), &v, NULL));
        size_t n = schedule_check(a, v, messages, 8);
        assert_int_equal(n, rows[i].n);
        if (n && !str_eqz(messages[0], rows[i].message))
            fail_msg("%.*s", STR_ARG(messages[0]));
        if (n > 1)
            assert_int_equal(schedule_check(a, v, messages, 1), 1);
    }
    static const struct { const char *text; int minutes; } times[] = {
        {"12:00 AM", 0}, {"9:05 PM", 1265}, {"1:00 AM", 60}, {"0:00 AM", -1}, {"900 AM", -1}, {"9:0 AM", -1}, {"12:59 AM", 59}, {"01:00 AM", 60}, {"12:00 PM", 720}, {"11:59 PM", 1439}, {"00:00 AM", -1}, {"13:00 PM", -1},
        {"09:60 AM", -1}, {"09:00 am", -1}, {"09:00AM", -1}, {"09:00 AM ", -1}, {"0a:00 AM", -1}, {"", -1}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int minutes = -1;
        assert_int_equal(time_parse_12h(str_of(times[i].text), &minutes), times[i].minutes >= 0);
        assert_int_equal(minutes, times[i].minutes);
    }
}

/* --- contexts --------------------------------------------------------------------------------------------------- */

static void contexts_are_read(void **state)
{
    (void)state;
    static const struct { const char *json, *keys, *message; size_t bad; } rows[] = {
        {"null", "", NULL, 0}, {"{}", "", NULL, 0}, {"{\"tenant\":\"acme\"}", "tenant:acme", NULL, 0},
        {"{\"tenant\":{\"id\":\"acme\",\"data\":{\"plan\":1}},\"app\":\"x_1-Y\"}", "app:x_1-Y,tenant:acme", NULL, 0},
        {"{\"a\":\"1\",\"a\":\"2\"}", "a:2", NULL, 0}, {"[]", "", "context must be an object", 1},
        {"{\"a b\":\"1\"}", "", "context type \"a b\" must have 1 to 100 characters of a-z, A-Z, 0-9, _ and -", 1},
        {"{\"a\":\"1,b:2\"}", "", "context.a must be an id of 1 to 100 characters of a-z, A-Z, 0-9, _ and -, or an object with such an id", 1},
        {"{\"a\":1}", "", "context.a must be an id of 1 to 100 characters of a-z, A-Z, 0-9, _ and -, or an object with such an id", 1},
        {"{\"a\":{\"id\":\"1\",\"data\":[]}}", "", "context.a.data must be an object", 1},
        {"{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\",\"f\":\"1\"}", "a:1,b:1,c:1,d:1,e:1", "context must contain no more than 5 elements", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct context out[CONTEXTS_MAX];
        struct str messages[4];
        size_t n;
        yyjson_val *v;
        char text[200];
        snprintf(text, sizeof text, "{\"c\":%s}", rows[i].json);
        assert_true(json_parse(a, str_of(text), &v, NULL));
        size_t bad = context_read(a, json_get(v, "c"), out, &n, messages, 4);
        assert_int_equal(bad, rows[i].bad);
        if (bad && !str_eqz(messages[0], rows[i].message))
            fail_msg("%.*s", STR_ARG(messages[0]));
        assert_true(str_eqz(context_keys(a, out, n), rows[i].keys));
    }
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct context out[CONTEXTS_MAX];
    struct str messages[4];
    struct buf big = {.arena = a};
    yyjson_val *v;
    size_t n;
    buf_z(&big, "{\"t\":{\"id\":\"x\",\"data\":{\"k\":\"");
    for (int i = 0; i < CONTEXT_DATA_MAX; i++)
        buf_char(&big, 'x');
    buf_z(&big, "\"}}}");
    assert_true(json_parse(a, buf_finish(&big), &v, NULL));
    assert_int_equal(context_read(a, v, out, &n, messages, 4), 1);
    assert_int_equal(n, 0);
}

static void contexts_are_made_once(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id_source ids;
    id_source_init_seeded(&ids, 4);
    struct context c[2] = {{.type = STR("app"), .identifier = STR("x")}, {.type = STR("tenant"), .identifier = STR("acme"), .data = STR("{\"plan\":1}")}};
    must(context_ensure(db, a, ENV, c, 2, &ids, 5, &err), &err, "ensure");
    struct context again = {.type = STR("tenant"), .identifier = STR("acme"), .data = STR("{\"plan\":2}")};
    must(context_ensure(db, a, ENV, &again, 1, &ids, 6, &err), &err, "ensure");
    assert_true(str_eqz(again.data, "{\"plan\":1}") && id_eq(again.id, c[1].id) && again.created_at == 5);
    assert_false(context_insert(db, &again, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_string_equal(err.message, "Context with type 'tenant' and id 'acme' already exists");
    yyjson_val *v;
    must(context_resolve(db, a, ENV, STR("app:x,gone:1,tenant:acme"), &v, &err), &err, "resolve");
    assert_true(str_eqz(json_write(a, v), "{\"app\":{\"id\":\"x\",\"data\":{}},\"tenant\":{\"id\":\"acme\",\"data\":{\"plan\":1}}}"));
    must(context_resolve(db, a, OTHER, STR("app:x"), &v, &err), &err, "resolve");
    assert_int_equal(yyjson_obj_size(v), 0);
    again.data = STR("{\"plan\":3}");
    again.updated_at = 9;
    must(context_update(db, &again, &err), &err, "update");
    must(context_find(db, a, ENV, STR("tenant"), STR("acme"), &again, &err), &err, "find");
    assert_true(str_eqz(again.data, "{\"plan\":3}") && again.updated_at == 9 && again.created_at == 5);
    for (int i = 0; i < 9; i++) {
        struct context more = {.type = STR("region"), .identifier = str_fmt(a, "R%d", i)};
        must(context_ensure(db, a, ENV, &more, 1, &ids, 10 - i, &err), &err, "ensure");
    }
    static const struct { struct context_query q; size_t n; const char *first; } rows[] = {
        {{.page = {.limit = 20}}, 11, "R0"}, {{.page = {.limit = 20, .ascending = true}}, 11, "R8"}, {{.type = {"app", 3}, .page = {.limit = 20}}, 1, "x"},
        {{.identifier = {"R3", 2}, .page = {.limit = 20}}, 1, "R3"}, {{.search = {"ION:r", 5}, .page = {.limit = 4}}, 4, "R0"},
        {{.page = {.limit = 20, .by_updated_at = true}}, 11, "R0"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct page page;
        must(context_list(db, a, ENV, &rows[i].q, &page, &err), &err, "list");
        assert_int_equal(page.n, rows[i].n);
        assert_true(str_eqz(((struct context *)page.items)[0].identifier, rows[i].first));
    }
    must(context_delete(db, ENV, STR("tenant"), STR("acme"), &err), &err, "delete");
    assert_false(context_delete(db, ENV, STR("tenant"), STR("acme"), &err));
    assert_false(context_update(db, &again, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* --- plans ------------------------------------------------------------------------------------------------------ */

static bool plan_is_bad(const char *sql, const char *plan)
{
    bool counts = strstr(sql, "count(DISTINCT") != NULL;
    bool walks = strstr(sql, "AND subscriber_id > ?3") != NULL;
    return plan_scans_a_table(plan) || (strstr(plan, "TEMP B-TREE") && !counts)
        || (walks && !strstr(plan, "INDEX topic_subscriptions_by_topic (topic_id=? AND context=? AND subscriber_id>?)"));
}

static void ask_pages(struct db *db, struct arena *a, struct page_query page)
{
    struct error err = {0};
    struct page out;
    struct str context = STR("tenant:acme");
    for (int i = 0; i < 4; i++) {
        struct topic_query topics = {.key = i & 1 ? STR("x") : STR_NULL, .name = i & 2 ? STR("x") : STR_NULL, .page = page};
        must(topic_list(db, a, ENV, &topics, &out, &err), &err, "topics");
        struct context_query contexts = {.type = i & 1 ? STR("x") : STR_NULL, .search = i & 2 ? STR("x") : STR_NULL, .page = page};
        must(context_list(db, a, ENV, &contexts, &out, &err), &err, "contexts");
        struct topic_membership_query members = {.topic = i & 1 ? id_of(2, 1) : NOBODY, .subscriber = i & 2 || !(i & 1) ? id_of(1, 1) : NOBODY,
                                                 .context = i & 2 ? &context : NULL, .topic_key = i ? STR_NULL : STR("x"), .page = page};
        must(topic_membership_list(db, a, ENV, &members, &out, &err), &err, "members");
    }
}

static void every_list_walks_an_index(enum db_kind kind, bool (*bad)(const char *sql, const char *plan))
{
    struct db *db = plans_begin(kind);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id topics[2] = {put_topic(db, a, 1).id, put_topic(db, a, 2).id};
    struct topic_member *members;
    struct preference *list;
    struct preference_rows rows;
    size_t n;
    int64_t count;
    put_subscriber(db, 1);
    put_subscription(db, a, topics[0], 1, 1, STR(""));
    for (int i = 0; i < 8; i++)
        ask_pages(db, a, (struct page_query){.limit = 5, .ascending = i & 1, .by_updated_at = i >> 1 & 1, .after = i >> 2 ? id_of(2, 1) : NOBODY});
    must(topic_members_next(db, a, topics, 2, STR(""), NOBODY, 5, &members, &n, &err), &err, "members");
    must(topic_members_count(db, topics, 2, STR(""), &count, &err), &err, "count");
    must(topic_subscriptions_of(db, a, topics[0], id_of(1, 1), (struct topic_subscription *[]){NULL}, &n, &err), &err, "of");
    must(preference_for_run(db, a, id_of(1, 1), id_of(5, 1), id_of(3, 1), STR("a:b"), &rows, &err), &err, "for run");
    must(preference_list_by_subscription(db, a, id_of(3, 1), &list, &n, &err), &err, "list");
    must(preference_delete_by_workflow(db, id_of(5, 1), &err), &err, "delete");
    must(topic_delete(db, ENV, topics[0], 1, &err), &err, "delete");
    must(subscriber_delete(db, ENV, STR("s1"), 1, &err), &err, "delete");
    assert_true(heard.n > 80);
    assert_int_equal(plans_end(db, bad), 0);
}

static void every_list_walks_an_index_of_sqlite(void **state)
{
    (void)state;
    every_list_walks_an_index(DB_SQLITE, plan_is_bad);
}

static void every_list_walks_an_index_of_postgres(void **state)
{
    (void)state;
    every_list_walks_an_index(DB_POSTGRES, plan_scans_a_filled_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_topic_is_made_once_and_changed_by_what_is_given),
        cmocka_unit_test(topic_keys),
        BOTH(topic_filters),
        BOTH(subscriptions_come_and_go),
        BOTH(memberships_by_either_end),
        BOTH(membership_pages_are_stable_under_inserts),
        BOTH(members_are_walked_once_each),
        BOTH(a_large_topic_goes_in_chunks),
        BOTH(an_erased_person_is_nowhere),
        BOTH(marks_move_messages),
        cmocka_unit_test(channels_are_put),
        BOTH(choices_add_up_and_a_global_one_resets),
        cmocka_unit_test(layers_merge),
        cmocka_unit_test(schedules_are_checked),
        cmocka_unit_test(contexts_are_read),
        BOTH(contexts_are_made_once),
        cmocka_unit_test(every_list_walks_an_index_of_sqlite), cmocka_unit_test(every_list_walks_an_index_of_postgres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
