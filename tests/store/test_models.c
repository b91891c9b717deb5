/* What each file of the model promises, on both databases; and that no list reads a whole table. */
#include "plans.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "model/event.h"
#include "model/integration.h"
#include "model/inbox.h"
#include "model/message.h"
#include "model/outbox.h"
#include "model/queue.h"
#include "model/removal.h"
#include "model/run.h"
#include "model/subscriber.h"
#include "model/workflow.h"

static const struct id ENV = {{1}}, OTHER = {{2}};

static struct id id_of(int kind, int n)
{
    struct id id = {{0}};
    id.b[0] = (uint8_t)kind;
    id.b[10] = (uint8_t)(n >> 8);
    id.b[11] = (uint8_t)n;
    return id;
}

struct chance {
    uint64_t s;
};

static uint64_t roll(struct chance *c, uint64_t below)
{
    c->s ^= c->s >> 12;
    c->s ^= c->s << 25;
    c->s ^= c->s >> 27;
    return (c->s * 2685821657736338717u >> 33) % below;
}

static struct db *open_store(void **state)
{
    struct store *st = *state;
    return st->db;
}

/* --- subscribers ------------------------------------------------------------------------------------------- */

static struct subscriber_patch patch_of(struct arena *a, const char *json)
{
    yyjson_val *v;
    struct subscriber_patch p;
    struct str messages[SUBSCRIBER_FIELDS];
    assert_true(json_parse(a, str_of(json), &v, NULL));
    assert_int_equal(subscriber_patch_read(a, v, &p, messages), 0);
    return p;
}

static struct subscriber found(struct db *db, struct arena *a, const char *id)
{
    struct subscriber s;
    struct error err = {0};
    must(subscriber_find(db, a, ENV, str_of(id), &s, &err), &err, "find");
    return s;
}

static void subscribers_keep_what_a_patch_does_not_name(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id stored;
    struct subscriber_patch p = patch_of(a, "{\"subscriberId\":\" ada \",\"firstName\":\"Ada\",\"lastName\":\"L\",\"email\":\"a@b\",\"phone\":\"1\","
                                            "\"avatar\":\"u\",\"locale\":\"de\",\"timezone\":\"UTC\",\"data\":{\"k\":1},\"channels\":[1]}");
    must(subscriber_upsert(db, ENV, &p, id_of(1, 1), 10, &stored, &err), &err, "upsert");
    assert_true(id_eq(stored, id_of(1, 1)));
    struct subscriber s = found(db, a, "ada");
    assert_int_equal(s.is_online, -1);
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        assert_true(str_eq(s.field[f], p.field[f]));
    assert_false(subscriber_patch_changes(&p, &s));
    /* One field after another: only that one moves, null clears, whichever way it is written. */
    static const char *const names[] = {"firstName", "lastName", "email", "phone", "avatar", "locale", "timezone"};
    for (int f = 0; f < 7; f++)
        for (int way = 0; way < 4; way++) {
            char json[96];
            snprintf(json, sizeof json, way % 2 ? "{\"subscriberId\":\"ada\",\"%s\":null}" : "{\"subscriberId\":\"ada\",\"%s\":\"new\"}", names[f]);
            struct subscriber before = found(db, a, "ada");
            struct subscriber_patch one = patch_of(a, json);
            assert_int_equal(one.present, 1u << f);
            assert_true(subscriber_patch_changes(&one, &before));
            if (way < 2)
                must(subscriber_upsert(db, ENV, &one, id_of(1, 99), 20 + f, &stored, &err), &err, "upsert");
            else
                must(subscriber_update(db, ENV, &one, 20 + f, &err), &err, "update");
            assert_true(id_eq(stored, id_of(1, 1)));
            struct subscriber after = found(db, a, "ada");
            subscriber_patch_apply(&one, &before);
            for (int k = 0; k < SUBSCRIBER_FIELDS; k++)
                assert_true(str_eq(before.field[k], after.field[k]) && !before.field[k].p == !after.field[k].p);
            assert_int_equal(after.created_at, 10);
            assert_int_equal(after.updated_at, 20 + f);
        }
    struct subscriber_patch data = patch_of(a, "{\"subscriberId\":\"ada\",\"data\":null,\"channels\":[]}");
    must(subscriber_update(db, ENV, &data, 50, &err), &err, "update");
    s = found(db, a, "ada");
    assert_null(s.field[SUBSCRIBER_DATA].p);
    assert_true(str_eqz(s.field[SUBSCRIBER_CHANNELS], "[]"));
    data.subscriber_id = STR("bob");
    assert_false(subscriber_update(db, ENV, &data, 50, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(subscriber_find(db, a, OTHER, STR("ada"), &s, &err));
    assert_false(subscriber_find_by_id(db, a, OTHER, id_of(1, 1), &s, &err));
    must(subscriber_find_by_id(db, a, ENV, id_of(1, 1), &s, &err), &err, "find");
}

static void subscribers_online(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id stored;
    struct subscriber_patch p = {.subscriber_id = STR("ada")};
    must(subscriber_upsert(db, ENV, &p, id_of(1, 1), 10, &stored, &err), &err, "upsert");
    must(subscriber_set_online(db, ENV, stored, true, 20, &err), &err, "online");
    assert_int_equal(found(db, a, "ada").is_online, 1);
    assert_int_equal(found(db, a, "ada").last_online_at, 0);
    must(subscriber_set_online(db, ENV, stored, false, 30, &err), &err, "offline");
    assert_int_equal(found(db, a, "ada").is_online, 0);
    assert_int_equal(found(db, a, "ada").last_online_at, 30);
    must(subscriber_set_online(db, ENV, stored, true, 40, &err), &err, "online");
    must(subscriber_clear_online(db, 50, &err), &err, "clear");
    assert_int_equal(found(db, a, "ada").is_online, 0);
    assert_int_equal(found(db, a, "ada").last_online_at, 50);
}

static void patches_refuse_wrong_types(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct subscriber_patch p;
    struct str messages[SUBSCRIBER_FIELDS];
    yyjson_val *v;
    assert_true(json_parse(a, STR("{\"firstName\":1,\"email\":\"a\\u0000b\",\"data\":[],\"channels\":null,\"phone\":null,\"locale\":\"de\"}"), &v, NULL));
    assert_int_equal(subscriber_patch_read(a, v, &p, messages), 4);
    assert_int_equal(p.present, 1u << SUBSCRIBER_PHONE | 1u << SUBSCRIBER_LOCALE);
    static const struct { const char *id; bool ok; } ids[] = {{"a", true}, {"auth0|x", true}, {"", false}, {"a\nb", false}, {"\x7f", false}, {"ü b", true}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_int_equal(subscriber_id_valid(str_of(ids[i].id)), ids[i].ok);
    char longest[1025];
    for (int i = 0; i < 1024; i += 4)
        memcpy(longest + i, "\xf0\x9f\x94\x94", 4);
    assert_true(subscriber_id_valid((struct str){longest, 1024}));
    memset(longest, 'a', sizeof longest);
    assert_true(subscriber_id_valid((struct str){longest, 256}));
    assert_false(subscriber_id_valid((struct str){longest, 257}));
}

enum { PEOPLE = 60 };

/* The list as an array: sorted the way a page is, filtered by name. */
struct person {
    struct id id;
    int64_t updated_at;
    bool matches;
};

static int person_compare(const struct person *x, const struct person *y, const struct subscriber_query *q)
{
    int c = q->page.by_updated_at ? (x->updated_at > y->updated_at) - (x->updated_at < y->updated_at) : 0;
    if (!c)
        c = id_cmp(x->id, y->id);
    return q->page.ascending ? c : -c;
}

static size_t model_order(const struct person *all, size_t n, const struct subscriber_query *q, struct person *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!all[i].matches)
            continue;
        size_t at = k++;
        for (; at > 0 && person_compare(&out[at - 1], &all[i], q) > 0; at--)
            out[at] = out[at - 1];
        out[at] = all[i];
    }
    return k;
}

static void assert_page(struct db *db, const struct person *all, size_t n, const struct subscriber_query *q)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct person *list = ARENA_ARRAY(a, struct person, n + 1);
    size_t total = model_order(all, n, q, list), from = 0, to = total;
    struct page page;
    struct error err = {0};
    bool after = !id_is_zero(q->page.after), before = !id_is_zero(q->page.before);
    for (size_t i = 0; i < total; i++) {
        if (after && id_eq(list[i].id, q->page.after))
            from = i + !q->page.include_cursor;
        if (before && id_eq(list[i].id, q->page.before))
            to = i + q->page.include_cursor;
    }
    if (before && to - from > (size_t)q->page.limit)
        from = to - (size_t)q->page.limit;
    else if (to - from > (size_t)q->page.limit)
        to = from + (size_t)q->page.limit;
    must(subscriber_list(db, a, ENV, q, &page, &err), &err, "list");
    assert_int_equal(page.n, to - from);
    assert_int_equal(page.total, total);
    assert_false(page.total_capped);
    for (size_t i = from; i < to; i++)
        assert_true(id_eq(((struct subscriber *)page.items)[i - from].id, list[i].id));
    if (page.n) {
        assert_int_equal(!id_is_zero(page.next), to < total);
        assert_int_equal(!id_is_zero(page.previous), from > 0);
        if (to < total)
            assert_true(id_eq(page.next, list[to - 1].id));
        if (from > 0)
            assert_true(id_eq(page.previous, list[from].id));
    }
}

static void insert_person(struct db *db, struct person *all, size_t n, int key, struct chance *c)
{
    char name[32], sid[32];
    struct error err = {0};
    struct id stored;
    all[n] = (struct person){.id = id_of(1, key), .updated_at = (int64_t)roll(c, 8), .matches = roll(c, 3) != 0};
    snprintf(sid, sizeof sid, "s%d", key);
    snprintf(name, sizeof name, all[n].matches ? "Ma_%%x" : "Mab%%x");
    struct subscriber_patch p = {.subscriber_id = str_of(sid), .present = 1u << SUBSCRIBER_LAST_NAME};
    p.field[SUBSCRIBER_LAST_NAME] = str_of(name);
    must(subscriber_upsert(db, ENV, &p, all[n].id, all[n].updated_at, &stored, &err), &err, "upsert");
    must(subscriber_upsert(db, OTHER, &p, id_of(3, key), 1, &stored, &err), &err, "upsert");
}

static void pages_are_what_an_array_gives(void **state)
{
    struct db *db = open_store(state);
    struct person all[PEOPLE + 1];
    struct chance c = {.s = 42};
    for (int n = 0; n < PEOPLE; n++)
        insert_person(db, all, (size_t)n, (n * 37) % 101, &c);
    for (int i = 0; i < 400; i++) {
        struct subscriber_query q = {.name = STR("mA_%X"), .page = {.ascending = roll(&c, 2), .include_cursor = roll(&c, 2),
                                     .by_updated_at = roll(&c, 2), .limit = 1 + (int)roll(&c, 12)}};
        size_t at = roll(&c, PEOPLE);
        while (!all[at].matches)
            at = (at + 1) % PEOPLE;
        switch (roll(&c, 3)) {
        case 0: q.page.after = all[at].id; break;
        case 1: q.page.before = all[at].id; break;
        default: break;
        }
        assert_page(db, all, PEOPLE, &q);
    }
    struct subscriber_query unknown = {.page = {.after = id_of(9, 9), .limit = 5}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct page page;
    struct error err = {0};
    must(subscriber_list(db, a, ENV, &unknown, &page, &err), &err, "list");
    assert_int_equal(page.n, 0);
    assert_int_equal(page.total, 0);
}

/* Walking forward while others arrive: who was there is seen once, whatever comes in between. */
static void pages_are_stable_under_inserts(void **state)
{
    struct db *db = open_store(state);
    struct person all[512];
    struct chance c = {.s = 7};
    size_t n = 0;
    int seen[512] = {0};
    struct error err = {0};
    while (n < 50)
        insert_person(db, all, n, (int)n * 3, &c), n++;
    for (int ascending = 0; ascending < 2; ascending++) {
        struct subscriber_query q = {.page = {.limit = 4, .ascending = ascending}};
        size_t at_start = n;
        memset(seen, 0, sizeof seen);
        for (;;) {
            struct arena *a ARENA_SCOPED = arena_create(0);
            struct page page;
            must(subscriber_list(db, a, ENV, &q, &page, &err), &err, "list");
            for (size_t i = 0; i < page.n; i++)
                for (size_t k = 0; k < n; k++)
                    seen[k] += id_eq(all[k].id, ((struct subscriber *)page.items)[i].id);
            if (id_is_zero(page.next))
                break;
            q.page.after = page.next;
            if (n < 400) {
                insert_person(db, all, n, 1 + 3 * (int)roll(&c, 60) + ascending, &c);
                bool twice = false;
                for (size_t k = 0; k < n; k++)
                    twice |= id_eq(all[k].id, all[n].id);
                n += !twice;
            }
        }
        for (size_t k = 0; k < n; k++)
            assert_true(k < at_start ? seen[k] == 1 : seen[k] <= 1);
    }
}

static void subscriber_filters(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id stored;
    static const char *const people[] = {
        "{\"subscriberId\":\"a\",\"firstName\":\"Ada\",\"lastName\":\"Lovelace\",\"email\":\"ADA@x.org\",\"phone\":\"+49-1\"}",
        "{\"subscriberId\":\"b\",\"firstName\":\"Bob\",\"email\":\"bob_%@x.org\"}", "{\"subscriberId\":\"c\",\"lastName\":\"Lovelace\",\"phone\":\"+49\"}"};
    for (int i = 0; i < 3; i++) {
        struct subscriber_patch p = patch_of(a, people[i]);
        must(subscriber_upsert(db, ENV, &p, id_of(1, i), 1, &stored, &err), &err, "upsert");
    }
    static const struct { struct subscriber_query q; size_t n; } rows[] = {
        {{.email = {"ada@", 4}}, 1}, {{.email = {"x.ORG", 5}}, 2}, {{.email = {"_%@", 3}}, 1}, {{.email = {"%", 1}}, 1},
        {{.name = {"a lov", 5}}, 1}, {{.name = {"lovelace", 8}}, 2}, {{.phone = {"+49", 3}}, 2}, {{.phone = {"\\", 1}}, 0},
        {{.subscriber_id = {"b", 1}}, 1}, {{.subscriber_id = {"B", 1}}, 0}, {{.name = {"lovelace", 8}, .email = {"ada", 3}}, 1}, {{.page = {.limit = 0}}, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct subscriber_query q = rows[i].q;
        struct page page;
        q.page.limit = 10;
        must(subscriber_list(db, a, ENV, &q, &page, &err), &err, "list");
        assert_int_equal(page.n, rows[i].n);
        assert_int_equal(page.total, rows[i].n);
    }
}

/* --- runs, messages, queue: the rows that a person owns --------------------------------------------------- */

static void put_subscriber(struct db *db, int n)
{
    char sid[32];
    struct error err = {0};
    struct id stored;
    snprintf(sid, sizeof sid, "s%d", n);
    struct subscriber_patch p = {.subscriber_id = str_of(sid)};
    must(subscriber_upsert(db, ENV, &p, id_of(1, n), 1, &stored, &err), &err, "upsert");
}

/* As members.c writes them; the key of one is a pattern for the other's. */
static const char *const through[] = {"{}",
    "{\"t\":[{\"_topicId\":\"x\",\"topicKey\":\"a_b\",\"_topicSubscriptionId\":\"s1\",\"preferenceEvaluation\":{\"subscriptionIdentifier\":\"i%1\"}}]}",
    "{\"t\":[{\"_topicId\":\"y\",\"topicKey\":\"acb\",\"_topicSubscriptionId\":\"s2\",\"preferenceEvaluation\":{\"subscriptionIdentifier\":\"ixx1\"}}]}"};

/* The second that is in their ids. */
static const int64_t RUNS_AT = 0x02000000LL * 1000;

static struct run_row a_run(int n)
{
    return (struct run_row){.id = id_of(2, n), .environment = ENV, .event = id_of(3, n / 4), .workflow = id_of(4, n % 3),
                            .workflow_version = 1, .subscriber = id_of(1, n % 5), .status = RUN_PROCESSING,
                            .severity = (enum severity)(n % 4), .channels = 1u << (n % 3), .state = str_of(through[n / 3 % 3]),
                            .context = n % 2 ? STR("tenant:acme") : STR(""), .created_at = RUNS_AT + n, .updated_at = RUNS_AT + n,
                            .by_message = n % 4 == 0};
}

/* The message that such a run is listed by. */
static struct message own_message(const struct run_row *r)
{
    return (struct message){.id = r->id, .environment = ENV, .subscriber = r->subscriber, .run = r->id, .job = id_of(6, 0), .workflow = r->workflow,
                            .channel = CHANNEL_IN_APP, .severity = r->severity, .status = MESSAGE_SENT, .doc = STR("{}"), .untagged = true,
                            .created_at = r->created_at, .updated_at = r->created_at};
}

static bool run_matches(const struct run_row *r, const struct run_query *q)
{
    bool workflow = !q->workflows_n, subscriber = !q->subscribers_n, event = !q->events_n;
    for (size_t i = 0; i < q->events_n; i++)
        event |= id_eq(r->event, q->events[i]);
    if (!event || (q->context && !str_eq(r->context, *q->context)) || (q->topic_key.n && !str_eq(r->state, str_of(through[1])))
        || (q->subscription.n && !str_eq(r->state, str_of(through[1]))))
        return false;
    for (size_t i = 0; i < q->workflows_n; i++)
        workflow |= id_eq(r->workflow, q->workflows[i]);
    for (size_t i = 0; i < q->subscribers_n; i++)
        subscriber |= id_eq(r->subscriber, q->subscribers[i]);
    return workflow && subscriber && (id_is_zero(q->event) || id_eq(r->event, q->event)) && (!q->channels || r->channels & q->channels)
        && (!q->severities || q->severities >> r->severity & 1) && (!q->from || r->created_at >= q->from) && (!q->to || r->created_at <= q->to);
}

enum { RUNS = 60 };

static void runs_by_every_filter(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct chance c = {.s = 3};
    const struct id workflows[] = {id_of(4, 0), id_of(4, 2)}, subscribers[] = {id_of(1, 1), id_of(1, 3), id_of(1, 99)};
    const struct id events[] = {id_of(3, 2), id_of(3, 7)};
    const struct str contexts[] = {STR(""), STR("tenant:acme")};
    for (int i = 0; i < 5; i++)
        put_subscriber(db, i);
    for (int i = 0; i < RUNS; i++) {
        struct run_row r = a_run(i);
        must(run_insert(db, &r, &err), &err, "run_insert");
        struct message m = own_message(&r);
        bool changed;
        if (r.by_message)
            must(message_insert(db, &m, &err), &err, "message");
        if (r.by_message && i % 3 == 0)         /* whatever becomes of the message, the run is in the lists */
            must(message_mark(db, &m, i % 2 ? MARK_SEEN : MARK_READ, m.created_at + 9, &changed, &err), &err, "mark");
        struct inbox_owner owner = {.environment = ENV, .subscriber = m.subscriber, .context = STR("")};
        if (r.by_message && i % 16 == 0) {
            must(inbox_snooze(db, a, &owner, m.id, m.created_at + 10, m.created_at + 1, &m, &err), &err, "snooze");
            must(inbox_wake(db, a, ENV, m.id, m.created_at + 10, m.created_at + 100, &m, &changed, &err), &err, "wake");
            assert_true(changed);
        }
        if (r.by_message && i % 5 == 0)
            must(message_delete(db, ENV, m.id, &changed, &err), &err, "delete");
    }
    for (int i = 0; i < 300; i++) {
        struct run_query q = {.workflows = workflows, .subscribers = subscribers, .events = events, .offset = (int64_t)roll(&c, 4), .limit = 1 + (int)roll(&c, 30)};
        if (roll(&c, 4) == 0) q.event = id_of(3, (int)roll(&c, 16));
        if (roll(&c, 4) == 0) q.events_n = roll(&c, 3);
        if (roll(&c, 4) == 0) q.context = &contexts[roll(&c, 2)];
        if (roll(&c, 5) == 0) q.topic_key = STR("a_b");
        if (roll(&c, 5) == 0) q.subscription = roll(&c, 2) ? STR("s1") : STR("i%1");
        if (roll(&c, 3) == 0) q.workflows_n = roll(&c, 3);
        if (roll(&c, 3) == 0) q.subscribers_n = roll(&c, 4);
        if (roll(&c, 3) == 0) q.channels = (unsigned)roll(&c, 8);
        if (roll(&c, 3) == 0) q.severities = (unsigned)roll(&c, 16);
        if (roll(&c, 3) == 0) q.from = RUNS_AT + (int64_t)roll(&c, 60);
        if (roll(&c, 3) == 0) q.to = RUNS_AT + (int64_t)roll(&c, 60);
        struct run_row *got;
        size_t n, want = 0, skip = (size_t)q.offset;
        must(run_list(db, a, ENV, &q, &got, &n, &err), &err, "run_list");
        for (int k = RUNS - 1; k >= 0; k--) {
            struct run_row r = a_run(k);
            if (!run_matches(&r, &q) || (skip && skip--) || want == (size_t)q.limit)
                continue;
            assert_true(want < n && id_eq(got[want].id, r.id));
            assert_int_equal(got[want].created_at, r.created_at);
            want++;
        }
        assert_int_equal(n, want);
        must(run_list(db, a, OTHER, &q, &got, &n, &err), &err, "run_list");
        assert_int_equal(n, 0);
    }
}

static void a_run_is_updated_from_its_revision_only(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct run_row r = a_run(0), got;
    bool updated;
    assert_false(run_insert(db, &r, &err));             /* nobody it could be for */
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    put_subscriber(db, 0);
    must(run_insert(db, &r, &err), &err, "run_insert");
    r.status = RUN_COMPLETED;
    r.delivery = LIFECYCLE_SENT;
    r.state = STR("{\"x\":1}");
    r.updated_at = 5000;
    must(run_update(db, &r, &updated, &err), &err, "run_update");
    assert_true(updated);
    r.state = STR("{\"lost\":1}");
    must(run_update(db, &r, &updated, &err), &err, "run_update");
    assert_false(updated);
    must(run_find(db, a, ENV, r.id, &got, &err), &err, "run_find");
    assert_int_equal(got.revision, 1);
    assert_int_equal(got.status, RUN_COMPLETED);
    assert_int_equal(got.updated_at, 5000);
    assert_true(str_eqz(got.state, "{\"x\":1}"));
    must(run_mark_interacted(db, ENV, r.id, &err), &err, "interacted");
    must(run_update(db, &got, &updated, &err), &err, "run_update");
    assert_true(updated);
    must(run_find(db, a, ENV, r.id, &got, &err), &err, "run_find");
    assert_int_equal(got.delivery, LIFECYCLE_INTERACTED);
    assert_false(run_find(db, a, OTHER, r.id, &got, &err));
}

static struct message a_message(int n)
{
    return (struct message){.id = id_of(5, n), .environment = ENV, .subscriber = id_of(1, n / 2 % 3), .run = id_of(2, n / 2), .job = id_of(6, n),
                            .workflow = id_of(4, 0), .channel = (enum channel)(n % 2), .severity = SEVERITY_LOW,
                            .status = MESSAGE_SENT, .doc = STR("{\"content\":\"c\"}"), .created_at = 100 + n, .updated_at = 100 + n};
}

/* A run listed by its message has that as the first of its two. */
static struct message a_listed_message(int n)
{
    struct run_row r = a_run(n / 2);
    struct message m = a_message(n);
    m.created_at = r.created_at;
    if (r.by_message && n % 2 == 0) {
        m.id = r.id;
        m.severity = SEVERITY_NONE;
    }
    return m;
}

static int later_message(const void *a, const void *b)
{
    return -id_cmp(((const struct message *)a)->id, ((const struct message *)b)->id);
}

static int later_run(const void *a, const void *b)
{
    int c = id_cmp(((const struct message *)b)->run, ((const struct message *)a)->run);
    return c ? c : later_message(a, b);
}

static void messages_list_and_replace(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct message m, *got, all[24];
    size_t n;
    bool deleted;
    const struct id runs[] = {id_of(2, 1), id_of(2, 4)};
    for (int i = 0; i < 5; i++)
        put_subscriber(db, i);
    for (int i = 0; i < 24; i++) {
        struct run_row r = a_run(i / 2);
        m = a_listed_message(i);
        r.subscriber = m.subscriber;
        if (i % 2 == 0)
            must(run_insert(db, &r, &err), &err, "run_insert");
        must(message_insert(db, &m, &err), &err, "insert");
        bool changed;
        if (i == 8)
            must(message_mark(db, &m, MARK_SEEN, m.created_at + 1, &changed, &err), &err, "mark");
    }
    for (int channel = -1; channel < 2; channel++)
        for (int subscriber = -1; subscriber < 3; subscriber++)
            for (int by_run = 0; by_run < 3; by_run++)
                for (int offset = 0; offset < 3; offset++) {
                    struct message_query q = {.channel = channel, .seen = -1, .read = -1, .subscriber = subscriber < 0 ? (struct id){{0}} : id_of(1, subscriber),
                                              .runs = by_run ? runs : NULL, .runs_n = by_run == 1 ? 2 : 0, .offset = offset, .limit = 5};
                    must(message_list(db, a, ENV, &q, &got, &n, &err), &err, "list");
                    size_t want = 0, fit = 0;
                    for (int i = 0; i < 24; i++) {
                        m = a_listed_message(i);
                        bool of_run = id_eq(m.run, runs[0]) || id_eq(m.run, runs[1]);
                        if ((channel < 0 || (int)m.channel == channel) && (subscriber < 0 || i / 2 % 3 == subscriber)
                            && (!by_run || (by_run == 1 && of_run)))
                            all[fit++] = m;
                    }
                    qsort(all, fit, sizeof *all, subscriber >= 0 && !by_run ? later_run : later_message);
                    for (size_t i = (size_t)offset; i < fit && want < 5; i++, want++)
                        assert_true(want < n && id_eq(got[want].id, all[i].id));
                    assert_int_equal(n, want);
                    int64_t counted;
                    must(message_count(db, a, ENV, &q, &counted, &err), &err, "count");
                    assert_int_equal(counted, fit);
                }
    must(message_list_by_run(db, a, ENV, id_of(2, 4), &got, &n, &err), &err, "by run");
    assert_int_equal(n, 2);
    assert_true(id_eq(got[0].id, id_of(2, 4)) && id_eq(got[1].id, id_of(5, 9)));
    must(message_list_by_run(db, a, ENV, id_of(2, 1), &got, &n, &err), &err, "by run");
    assert_int_equal(n, 2);
    assert_true(id_eq(got[0].id, id_of(5, 2)) && id_eq(got[1].id, id_of(5, 3)));
    /* The same step again: replaced, unseen, not doubled. */
    exec(db, "UPDATE messages SET seen = 1, read = 1");
    m = a_message(2);
    m.doc = STR("{\"content\":\"new\"}");
    m.created_at = 500;
    must(message_insert(db, &m, &err), &err, "insert");
    must(message_find(db, a, ENV, m.id, &m, &err), &err, "find");
    assert_true(str_eqz(m.doc, "{\"content\":\"new\"}") && !m.seen && m.read && m.created_at == 500);
    assert_int_equal(number(db, "SELECT count(*) FROM messages"), 24);
    m.status = MESSAGE_WARNING;
    m.doc = STR("{}");
    m.updated_at = 600;
    must(message_update_delivery(db, &m, &err), &err, "update");
    must(message_find(db, a, ENV, m.id, &m, &err), &err, "find");
    assert_true(m.status == MESSAGE_WARNING && str_eqz(m.doc, "{}") && m.updated_at == 600 && m.created_at == 500);
    must(message_delete(db, OTHER, m.id, &deleted, &err), &err, "delete");
    assert_false(deleted);
    must(message_delete(db, ENV, m.id, &deleted, &err), &err, "delete");
    assert_true(deleted);
    assert_false(message_find(db, a, ENV, m.id, &m, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void a_deleted_subscriber_leaves_nothing(void **state)
{
    struct db *db = open_store(state);
    struct error err = {0};
    for (int i = 0; i < 2; i++) {
        put_subscriber(db, i);
        struct run_row r = a_run(i);
        struct message m = a_message(i * 2);
        struct queue_item q = {.due_at = i, .id = id_of(7, i), .kind = QUEUE_TIMER, .environment = ENV, .ref = r.id, .job = 1};
        m.subscriber = r.subscriber;
        m.run = r.id;
        r.by_message = false;
        must(run_insert(db, &r, &err), &err, "run");
        must(message_insert(db, &m, &err), &err, "message");
        must(queue_insert(db, &q, &err), &err, "queue");
    }
    must(subscriber_delete(db, ENV, STR("s0"), 1, &err), &err, "delete");
    static const char *const tables[] = {"subscribers", "runs", "messages", "queue"};
    for (int i = 0; i < 4; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        assert_int_equal(number(db, sql), 1);
    }
    assert_false(subscriber_delete(db, ENV, STR("s0"), 1, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void the_queue_is_in_order(void **state)
{
    struct db *db = open_store(state);
    struct error err = {0};
    struct chance c = {.s = 5};
    struct queue_item items[16], last = {.due_at = INT64_MIN};
    int64_t next, count;
    size_t n, seen = 0, due = 0;
    bool taken;
    for (int i = 0; i < 100; i++) {
        struct queue_item q = {.due_at = (int64_t)roll(&c, 30), .id = id_of((int)roll(&c, 200), i), .kind = QUEUE_DELIVERY, .environment = ENV,
                               .ref = id_of(2, i), .job = i, .attempt = 3, .owner = i % 2 ? id_of(8, 8) : (struct id){{0}}};
        due += q.due_at <= 20;
        must(queue_insert(db, &q, &err), &err, "insert");
    }
    do {
        must(queue_due(db, 20, last.due_at, last.id, items, 16, &n, &err), &err, "due");
        for (size_t i = 0; i < n; i++) {
            assert_true(items[i].due_at <= 20);
            assert_true(items[i].due_at > last.due_at || (items[i].due_at == last.due_at && id_cmp(items[i].id, last.id) > 0));
            assert_int_equal(items[i].kind, QUEUE_DELIVERY);
            assert_int_equal(items[i].attempt, 3);
            assert_true(id_eq(items[i].ref, id_of(2, items[i].job)));
            assert_int_equal(id_is_zero(items[i].owner), items[i].job % 2 == 0);
            last = items[i];
            seen++;
        }
    } while (n == 16);
    assert_int_equal(seen, due);
    must(queue_next_due(db, 20, &next, &err), &err, "next");
    assert_true(next > 20 && next < 30);
    must(queue_next_due(db, 30, &next, &err), &err, "next");
    assert_true(next == INT64_MAX);
    must(queue_exists(db, last.due_at, last.id, &taken, &err), &err, "exists");
    assert_true(taken);
    must(queue_take(db, last.due_at + 1, last.id, &taken, &err), &err, "take");
    assert_false(taken);
    must(queue_take(db, last.due_at, last.id, &taken, &err), &err, "take");
    assert_true(taken);
    must(queue_take(db, last.due_at, last.id, &taken, &err), &err, "take");
    assert_false(taken);
    must(queue_exists(db, last.due_at, last.id, &taken, &err), &err, "exists");
    assert_false(taken);
    must(queue_delete(db, last.due_at, last.id, &err), &err, "delete");
    must(queue_count(db, &count, &err), &err, "count");
    assert_int_equal(count, 99);
}

static void events_are_inserted_once(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct event e = {.id = id_of(3, 1), .environment = ENV, .workflow = id_of(4, 1), .transaction_id = STR("t"), .request_id = STR("r"),
                      .idempotency_hash = STR("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"), .body_hash = STR("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
                      .doc = STR("{}"), .created_at = 5}, got, next = e;
    assert_int_equal(event_insert(db, &e, &err), EVENT_INSERTED);
    next.id = id_of(3, 2);
    assert_int_equal(event_insert(db, &next, &err), EVENT_DUPLICATE);
    next.idempotency_hash = STR_NULL;
    assert_int_equal(event_insert(db, &next, &err), EVENT_DUPLICATE);
    next.transaction_id = STR("t2");
    assert_int_equal(event_insert(db, &next, &err), EVENT_INSERTED);
    next.id = id_of(3, 3);
    next.transaction_id = STR("t3");
    next.idempotency_hash = e.idempotency_hash;
    assert_int_equal(event_insert(db, &next, &err), EVENT_DUPLICATE);
    next.environment = OTHER;
    next.transaction_id = STR("t");
    next.idempotency_hash = STR_NULL;
    assert_int_equal(event_insert(db, &next, &err), EVENT_INSERTED);
    must(event_find(db, a, ENV, e.id, &got, &err), &err, "find");
    assert_true(str_eq(got.idempotency_hash, e.idempotency_hash) && str_eq(got.body_hash, e.body_hash) && str_eqz(got.request_id, "r"));
    must(event_find_by_transaction(db, a, OTHER, STR("t"), &got, &err), &err, "find");
    assert_true(id_eq(got.id, id_of(3, 3)) && !got.idempotency_hash.n);
    must(event_find_by_idempotency(db, a, e.idempotency_hash, &got, &err), &err, "find");
    assert_true(id_eq(got.id, e.id));
    assert_false(event_find_by_transaction(db, a, ENV, STR("t3"), &got, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* --- workflows ------------------------------------------------------------------------------------------------ */

static void workflows_keep_their_versions(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct workflow w = {.id = id_of(4, 1), .environment = ENV, .identifier = STR("welcome"), .name = STR("Welcome"), .active = true,
                         .version = 1, .doc = STR("{\"a\":1}"), .created_at = 1, .updated_at = 1}, got, stale;
    must(workflow_insert(db, &w, id_of(9, 1), &err), &err, "insert");
    stale = w;
    w.active = false;
    w.updated_at = 2;
    must(workflow_update(db, &w, id_of(9, 1), &err), &err, "update");
    assert_int_equal(w.version, 1);
    w.doc = STR("{\"a\":2}");
    must(workflow_update(db, &w, id_of(9, 1), &err), &err, "update");
    assert_int_equal(w.version, 2);
    w.name = STR("Hello");
    must(workflow_update(db, &w, id_of(9, 1), &err), &err, "update");
    assert_int_equal(w.version, 3);
    /* Two editors: the second read version 1, and writes what is stored already. */
    stale.name = w.name;
    stale.doc = w.doc;
    must(workflow_update(db, &stale, id_of(9, 1), &err), &err, "update of an old reading");
    assert_int_equal(stale.version, 3);
    assert_int_equal(number(db, "SELECT count(*) FROM workflow_versions"), 3);
    assert_int_equal(number(db, "SELECT count(*) FROM workflow_versions WHERE number = 2 AND name = 'Welcome' AND doc = '{\"a\":2}'"), 1);
    must(workflow_touch(db, ENV, w.id, 77, &err), &err, "touch");
    char hex[ID_HEX + 1];
    id_hex(w.id, hex);
    struct str keys[] = {STR("welcome"), str_of(hex), slug_make(a, STR("Wel come!"), "wf_", w.id)};
    for (int i = 0; i < 3; i++) {
        must(workflow_find(db, a, ENV, keys[i], &got, &err), &err, "find");
        assert_true(id_eq(got.id, w.id) && got.version == 3 && got.last_triggered_at == 77);
        assert_false(workflow_find(db, a, OTHER, keys[i], &got, &err));
        assert_int_equal(err.code, ERROR_NOT_FOUND);
    }
    /* An identifier that looks like an id or a slug of nothing is still an identifier. */
    struct workflow odd = w;
    odd.id = id_of(4, 2);
    odd.identifier = STR("0123456789abcdef01234567");
    odd.version = 1;
    must(workflow_insert(db, &odd, id_of(9, 1), &err), &err, "insert");
    must(workflow_find(db, a, ENV, odd.identifier, &got, &err), &err, "find");
    assert_true(id_eq(got.id, odd.id));
    odd.id = id_of(4, 3);
    assert_false(workflow_insert(db, &odd, id_of(9, 1), &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    must(workflow_delete(db, ENV, id_of(4, 2), 1000, &err), &err, "delete");
    assert_false(workflow_delete(db, ENV, id_of(4, 2), 1000, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    odd.id = id_of(4, 9);
    assert_false(workflow_update(db, &odd, id_of(9, 1), &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void workflow_versions_are_read(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct workflow w = {.id = id_of(4, 1), .environment = ENV, .identifier = STR("v"), .name = STR("One"), .active = true,
                         .version = 1, .doc = STR("{\"a\":1}"), .created_at = 1, .updated_at = 1};
    struct workflow_version *list, v;
    size_t n;
    int64_t total;
    must(workflow_insert(db, &w, id_of(9, 1), &err), &err, "insert");
    for (int i = 2; i <= 4; i++) {
        w.doc = str_fmt(a, "{\"a\":%d}", i);
        w.updated_at = i;
        must(workflow_update(db, &w, id_of(9, 2), &err), &err, "update");
    }
    must(workflow_version_list(db, a, w.id, 1, 2, &list, &n, &total, &err), &err, "list");
    assert_int_equal(total, 4);
    assert_int_equal(n, 2);
    assert_true(list[0].number == 3 && list[1].number == 2 && id_eq(list[0].user, id_of(9, 2)) && list[0].created_at == 3);
    assert_int_equal(list[0].hash_hex.n, 64);
    assert_false(str_eq(list[0].hash_hex, list[1].hash_hex));
    must(workflow_version_find(db, a, w.id, 1, &v, &err), &err, "find");
    assert_true(str_eqz(v.doc, "{\"a\":1}") && str_eqz(v.name, "One") && id_eq(v.user, id_of(9, 1)));
    assert_false(workflow_version_find(db, a, w.id, 5, &v, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* What subscribers prefer of it goes in chunks, and nothing of other workflows; versions stay for runs. */
static void a_deleted_workflow_takes_its_preferences(void **state)
{
    enum { CHOICES = REMOVAL_CHUNK + 20 };
    struct db *db = open_store(state);
    struct error err = {0};
    struct workflow w = {.id = id_of(4, 1), .environment = ENV, .identifier = STR("v"), .name = STR("One"), .active = true,
                         .version = 1, .doc = STR("{}"), .created_at = 1, .updated_at = 1};
    int64_t count;
    bool more = true;
    must(workflow_insert(db, &w, id_of(9, 1), &err), &err, "insert");
    must(workflow_count(db, ENV, &count, &err), &err, "count");
    assert_int_equal(count, 1);
    must(db_begin(db, true, &err), &err, "begin");
    for (unsigned i = 0; i < CHOICES * 2; i++) {
        struct db_stmt *s = db_prepare(db, "INSERT INTO preferences (id, environment_id, subscriber_id, workflow_id, subscription_id, "
                                           "context, doc, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?2, '', '{}', 1, 1)", &err);
        struct id id = id_of(7, 1);
        memcpy(id.b + 4, &i, sizeof i);
        db_bind_id(s, 1, id);
        db_bind_id(s, 2, ENV);
        db_bind_id(s, 3, id);
        db_bind_id(s, 4, i % 2 ? id_of(4, 1) : id_of(4, 2));
        must(db_run(s, &err), &err, "preference");
    }
    must(db_commit(db, &err), &err, "commit");
    must(workflow_delete(db, ENV, w.id, 1000, &err), &err, "delete");
    assert_int_equal(number(db, "SELECT count(*) FROM preferences"), CHOICES + 20);
    while (more)
        must(removal_continue(db, &more, &err), &err, "continue");
    assert_int_equal(number(db, "SELECT count(*) FROM preferences"), CHOICES);
    assert_int_equal(number(db, "SELECT count(*) FROM removals"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM workflow_versions"), 1);
}

static void workflows_are_listed_in_order(void **state)
{
    struct db *db = open_store(state);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct workflow *got;
    size_t n;
    static const struct { const char *identifier, *name; int64_t created, updated, triggered; } rows[] = {
        {"a-1", "Zebra", 1, 30, 0}, {"b_2", "apple", 2, 20, 9}, {"c%3", "Mango", 3, 10, 5}};
    for (int i = 0; i < 3; i++) {
        struct workflow w = {.id = id_of(4, i), .environment = ENV, .identifier = str_of(rows[i].identifier), .name = str_of(rows[i].name),
                             .active = true, .version = 1, .doc = STR("{}"), .created_at = rows[i].created, .updated_at = rows[i].updated};
        must(workflow_insert(db, &w, id_of(9, 1), &err), &err, "insert");
        if (rows[i].triggered)
            must(workflow_touch(db, ENV, w.id, rows[i].triggered, &err), &err, "touch");
    }
    static const int ascending[4][3] = {{0, 1, 2}, {2, 1, 0}, {2, 0, 1}, {0, 2, 1}};
    for (int by = 0; by < 4; by++)
        for (int up = 0; up < 2; up++) {
            struct workflow_query q = {.order_by = by, .ascending = up};
            must(workflow_list(db, a, ENV, &q, &got, &n, &err), &err, "list");
            assert_int_equal(n, 3);
            for (int i = 0; i < 3; i++)
                assert_true(id_eq(got[i].id, id_of(4, ascending[by][up ? i : 2 - i])));
        }
    static const struct { const char *query; size_t n; } filters[] = {{"APP", 1}, {"_", 1}, {"%", 1}, {"-1", 1}, {"a", 3}, {"zz", 0}};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct workflow_query q = {.query = str_of(filters[i].query)};
        must(workflow_list(db, a, ENV, &q, &got, &n, &err), &err, "list");
        assert_int_equal(n, filters[i].n);
    }
}

static void slugs_come_back(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct chance c = {.s = 11};
    static const char *const names[] = {"Welcome e-mail", "", "---", "Ünï", "a_wf_b", "x wf_0123456789ABCDEF"};
    for (int i = 0; i < 20000; i++) {
        struct id id, back;
        for (size_t k = 0; k < sizeof id.b; k++)
            id.b[k] = (uint8_t)roll(&c, 256);
        id.b[0] %= 0x98;                /* until 2050: 16 digits of base 62 */
        struct str slug = slug_make(a, str_of(names[i % 6]), "wf_", id);
        if (!slugify(a, str_of(names[i % 6])).n) {
            assert_false(slug_parse(slug, "wf_", &back));       /* rest-api.md §3.3: only with a name */
            continue;
        }
        assert_true(slug_parse(slug, "wf_", &back));
        assert_true(id_eq(id, back));
        assert_false(slug_parse(slug, "st_", &back));
        assert_false(slug_parse(str_sub(slug, 0, slug.n - 1), "wf_", &back));
    }
    struct id id;
    static const char *const none[] = {"", "wf_", "_wf_0123456789ABCDEF", "a_wf_0123456789ABCDE-", "awf_0123456789ABCDEF"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(slug_parse(str_of(none[i]), "wf_", &id));
}

/* --- integrations, outbox ------------------------------------------------------------------------------------------ */

static void put_integration(struct db *db, int n, const char *provider, enum channel c, bool active, bool primary)
{
    char identifier[32];
    struct error err = {0};
    snprintf(identifier, sizeof identifier, "i%d", n);
    struct integration i = {.id = id_of(6, n), .organization = id_of(9, 9), .environment = ENV, .provider_id = str_of(provider),
                            .name = STR("n"), .identifier = str_of(identifier), .channel = c, .active = active, .primary = primary,
                            .created_at = n, .updated_at = n};
    must(integration_insert(db, &i, &err), &err, "insert");
}

/* The primary of e-mail; -1 none, -2 several. */
static int elected(struct db *db, int chosen)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct integration *list;
    size_t n;
    int primary = -1;
    must(integration_elect_primary(db, ENV, CHANNEL_EMAIL, chosen < 0 ? (struct id){{0}} : id_of(6, chosen), &err), &err, "elect");
    must(integration_list(db, a, ENV, &list, &n, &err), &err, "list");
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || list[i].created_at >= list[i - 1].created_at);
        if (list[i].channel == CHANNEL_EMAIL && list[i].primary)
            primary = primary == -1 ? list[i].id.b[11] : -2;
    }
    return primary;
}

static void one_integration_is_primary(void **state)
{
    struct db *db = open_store(state);
    put_integration(db, 1, "novu-email", CHANNEL_EMAIL, true, true);
    put_integration(db, 2, "novu-sms", CHANNEL_SMS, true, true);
    assert_int_equal(elected(db, -1), 1);
    put_integration(db, 4, "nodemailer", CHANNEL_EMAIL, false, false);
    assert_int_equal(elected(db, -1), 1);
    put_integration(db, 5, "sendgrid", CHANNEL_EMAIL, true, false);
    assert_int_equal(elected(db, -1), 5);           /* the first real one takes over from the demo (decisions.md 5) */
    exec(db, "UPDATE integrations SET active = 1");
    assert_int_equal(elected(db, -1), 5);           /* and stays */
    assert_int_equal(elected(db, 4), 4);
    exec(db, "UPDATE integrations SET active = 0 WHERE identifier = 'i4'");
    assert_int_equal(elected(db, -1), 5);
    exec(db, "UPDATE integrations SET conditions = '[{}]' WHERE identifier = 'i5'");
    assert_int_equal(elected(db, -1), 1);
    exec(db, "UPDATE integrations SET active = 0");
    assert_int_equal(elected(db, -1), -1);
    assert_int_equal(number(db, "SELECT count(*) FROM integrations WHERE is_primary = 1 AND channel = 2"), 1);
}

/* Highest first, "3 1 2": who has which priority. */
static void assert_order(struct db *db, const char *expected)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct integration *list;
    struct buf b = {.arena = a};
    size_t n;
    must(integration_elect_primary(db, ENV, CHANNEL_EMAIL, (struct id){{0}}, &err), &err, "elect");
    must(integration_list(db, a, ENV, &list, &n, &err), &err, "list");
    for (int64_t p = (int64_t)n; p > 0; p--)
        for (size_t i = 0; i < n; i++)
            if (list[i].priority == p)
                buf_fmt(&b, "%s%d", b.n ? " " : "", list[i].id.b[11]);
    assert_string_equal(str_z(a, buf_finish(&b)), expected);
}

static void priorities_follow_who_is_primary_and_active(void **state)
{
    struct db *db = open_store(state);
    put_integration(db, 1, "novu-email", CHANNEL_EMAIL, true, true);
    assert_order(db, "1");
    put_integration(db, 2, "nodemailer", CHANNEL_EMAIL, true, false);
    assert_order(db, "2 1");
    put_integration(db, 3, "sendgrid", CHANNEL_EMAIL, true, false);
    put_integration(db, 9, "twilio", CHANNEL_SMS, true, false);
    assert_order(db, "2 3 1");
    assert_int_equal(elected(db, 3), 3);
    assert_order(db, "3 2 1");
    put_integration(db, 4, "ses", CHANNEL_EMAIL, false, false);
    exec(db, "UPDATE integrations SET active = 0 WHERE identifier = 'i2'");
    assert_order(db, "3 1");
    exec(db, "UPDATE integrations SET active = 1 WHERE identifier IN ('i2', 'i4')");
    assert_order(db, "3 4 2 1");
    exec(db, "UPDATE integrations SET active = 0 WHERE identifier = 'i3'");
    assert_order(db, "2 4 1");
}

static void integrations_are_selected(void **state)
{
    (void)state;
    struct integration all[] = {
        {.channel = CHANNEL_EMAIL, .identifier = STR("a"), .active = true, .created_at = 9},
        {.channel = CHANNEL_EMAIL, .identifier = STR("b"), .active = true, .primary = true, .created_at = 1},
        {.channel = CHANNEL_EMAIL, .identifier = STR("c"), .created_at = 5},
        {.channel = CHANNEL_CHAT, .identifier = STR("d"), .active = true, .created_at = 3},
        {.channel = CHANNEL_CHAT, .identifier = STR("e"), .active = true, .created_at = 4},
    };
    assert_ptr_equal(integration_select(all, 5, CHANNEL_EMAIL, STR_NULL), &all[1]);
    assert_ptr_equal(integration_select(all, 5, CHANNEL_EMAIL, STR("a")), &all[0]);
    assert_null(integration_select(all, 5, CHANNEL_EMAIL, STR("c")));
    assert_null(integration_select(all, 5, CHANNEL_EMAIL, STR("d")));
    assert_ptr_equal(integration_select(all, 5, CHANNEL_CHAT, STR_NULL), &all[4]);
    assert_null(integration_select(all, 5, CHANNEL_SMS, STR_NULL));
}

static void the_outbox_by_every_filter(void **state)
{
    struct db *db = open_store(state);
    struct error err = {0};
    struct chance c = {.s = 13};
    struct outbox_message all[40];
    static const char *const to[] = {"a@x", "b@x", "c@x"}, *const tx[] = {"t1", "t2"}, *const docs[] = {"{\"subject\":\"100% Off_er\"}", "{\"subject\":\"Hello\"}"};
    int64_t deleted;
    for (int i = 0; i < 40; i++) {
        all[i] = (struct outbox_message){.id = id_of(5, i), .environment = ENV, .message = id_of(5, i), .channel = (enum channel)(i % 4),
                                         .recipient = str_of(to[i % 3]), .transaction_id = str_of(tx[i / 7 % 2]), .doc = str_of(docs[i / 3 % 2]),
                                         .created_at = i};
        must(outbox_insert(db, &all[i], &err), &err, "insert");
        must(outbox_insert(db, &all[i], &err), &err, "insert again");
    }
    for (int k = 0; k < 300; k++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct outbox_query q = {.channel = (int)roll(&c, 5) - 1, .limit = 1 + (int)roll(&c, 10)};
        struct outbox_message *got;
        size_t n, want = 0;
        int after = 40, before = -1, word = (int)roll(&c, 4);
        if (roll(&c, 2)) q.to = str_of(to[roll(&c, 3)]);
        if (roll(&c, 3) == 0) q.transaction_id = str_of(tx[roll(&c, 2)]);
        if (word) q.q = str_of(word == 1 ? "100% oFF_" : word == 2 ? "hello" : "off-er");
        if (roll(&c, 2)) q.after = id_of(5, after = (int)roll(&c, 40));
        if (roll(&c, 2)) q.before = id_of(5, before = (int)roll(&c, 40));
        must(outbox_list(db, a, ENV, &q, &got, &n, &err), &err, "list");
        for (int i = after - 1; i > before; i--) {
            if ((q.channel >= 0 && i % 4 != q.channel) || (q.to.n && !str_eq(q.to, all[i].recipient))
                || (q.transaction_id.n && !str_eq(q.transaction_id, all[i].transaction_id)) || (word && word - 1 != i / 3 % 2) || want == (size_t)q.limit)
                continue;
            assert_true(want < n && id_eq(got[want].id, all[i].id) && str_eq(got[want].doc, all[i].doc));
            want++;
        }
        assert_int_equal(n, want);
    }
    must(outbox_delete(db, OTHER, (struct id){{0}}, &deleted, &err), &err, "delete");
    assert_int_equal(deleted, 0);
    must(outbox_delete(db, ENV, id_of(5, 3), &deleted, &err), &err, "delete");
    assert_int_equal(deleted, 1);
    must(outbox_delete(db, ENV, (struct id){{0}}, &deleted, &err), &err, "delete");
    assert_int_equal(deleted, 39);
}

/* --- how SQLite goes about it --------------------------------------------------------------------------------- */

static void ask_all_lists(struct db *db)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct id ids[2] = {id_of(1, 1), id_of(1, 2)};
    struct page page;
    struct run_row *runs;
    struct message *messages;
    struct outbox_message *outbox;
    struct workflow *workflows;
    struct integration *integrations;
    struct queue_item items[4];
    struct event event;
    size_t n;
    int64_t due, counted;
    for (int i = 0; i < 16; i++) {
        struct subscriber_query q = {.page = {.limit = 5, .ascending = i & 1, .include_cursor = i >> 1 & 1, .by_updated_at = i >> 2 & 1},
                                     .subscriber_id = i & 8 ? STR("x") : STR_NULL, .email = i & 4 ? STR("x") : STR_NULL};
        if (i >> 3)
            q.page.after = ids[0];
        must(subscriber_list(db, a, ENV, &q, &page, &err), &err, "subscribers");
        q.page.before = q.page.after;
        q.page.after = (struct id){{0}};
        must(subscriber_list(db, a, ENV, &q, &page, &err), &err, "subscribers");
    }
    for (int i = 0; i < 32; i++) {
        struct run_query q = {.event = i & 1 ? ids[0] : (struct id){{0}}, .workflows = ids, .workflows_n = i >> 1 & 1, .subscribers = ids,
                              .subscribers_n = (size_t)(i >> 2 & 1), .channels = (unsigned)i >> 3 & 1, .from = i >> 4, .limit = 5};
        must(run_list(db, a, ENV, &q, &runs, &n, &err), &err, "runs");
    }
    for (int i = 0; i < 16; i++) {
        struct message_query q = {.channel = i & 1 ? i >> 3 & 1 : -1, .seen = -1, .read = -1, .subscriber = i >> 1 & 1 ? ids[0] : (struct id){{0}},
                                  .runs = i >> 2 & 1 ? ids : NULL, .runs_n = 2, .limit = 5};
        must(message_list(db, a, ENV, &q, &messages, &n, &err), &err, "messages");
        must(message_count(db, a, ENV, &q, &counted, &err), &err, "count of messages");
    }
    must(message_list_by_run(db, a, ENV, ids[0], &messages, &n, &err), &err, "messages of a run");
    for (int i = 0; i < 32; i++) {
        struct outbox_query q = {.channel = i & 1 ? 0 : -1, .to = i >> 1 & 1 ? STR("x") : STR_NULL, .transaction_id = i >> 2 & 1 ? STR("t") : STR_NULL,
                                 .q = i >> 3 & 1 ? STR("q") : STR_NULL, .after = i >> 4 & 1 ? ids[0] : (struct id){{0}}, .limit = 5};
        must(outbox_list(db, a, ENV, &q, &outbox, &n, &err), &err, "outbox");
    }
    struct workflow_query w = {.query = STR("x")};
    must(workflow_list(db, a, ENV, &w, &workflows, &n, &err), &err, "workflows");
    must(integration_list(db, a, ENV, &integrations, &n, &err), &err, "integrations");
    must(queue_due(db, 1, INT64_MIN, ids[0], items, 4, &n, &err), &err, "queue");
    must(queue_next_due(db, 1, &due, &err), &err, "queue");
    event_find_by_transaction(db, a, ENV, STR("t"), &event, &err);
    event_find_by_idempotency(db, a, STR("k"), &event, &err);
    event_find(db, a, ENV, ids[0], &event, &err);
    put_subscriber(db, 1);
    must(subscriber_delete(db, ENV, STR("s1"), 1, &err), &err, "delete");
}

/* Narrow filters must take the index that is made for them, and not walk the environment in order. */
static const struct { const char *sql, *but, *plan; } narrow[] = {
    {"subscriber_id = ?8", "", "INDEX sqlite_autoindex_subscribers_2 (environment_id=? AND subscriber_id=?)"},
    {"event_id = ?2", "FROM events", "INDEX runs_by_"},
    {"runs WHERE runs.listed = 1", "", "INDEX runs_by_subscriber (subscriber_id=?"},
    {"messages m0 CROSS JOIN runs", "", "SEARCH m0 USING INDEX messages_unread (subscriber_id=? AND context=? AND severity=? AND seen=?"},
    {"messages m0 CROSS JOIN runs", "", "SEARCH m0 USING INDEX messages_inbox (subscriber_id=? AND context=?"},
    {"m.run_id <> m.id", "", "INDEX messages_by_run (run_id=?)"},
    {"m.id IN (SELECT id FROM messages WHERE subscriber_id = ?3", "", "INDEX messages_inbox"},
    {"m.id IN (SELECT id FROM messages WHERE subscriber_id = ?3", "", "INDEX messages_unread"},
    {"m.id IN (SELECT id FROM messages WHERE subscriber_id = ?3", "", "SEARCH m USING INDEX sqlite_autoindex_messages_1"},
    {"messages m WHERE m.environment_id = ?1 AND m.channel = ?2 AND m.channel <> 0", "", "INDEX messages_by_channel (environment_id=? AND channel=?)"},
    {"AND recipient = ?3", "transaction_id = ?4", "INDEX outbox_by_recipient"},
    {"AND transaction_id = ?4", "", "INDEX outbox_by_transaction"},
    {"SELECT 1 FROM subscribers WHERE environment_id = ?1 LIMIT", "", "COVERING INDEX"},
    {"FROM queue WHERE due_at", "", "INDEX sqlite_autoindex_queue_1 ("},
};

static bool narrow_taken(const char *sql, const char *plan)
{
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        if (strstr(sql, narrow[i].sql) && (!*narrow[i].but || !strstr(sql, narrow[i].but)) && !strstr(plan, narrow[i].plan))
            return false;
    return true;
}

static bool plan_is_bad(const char *sql, const char *plan)
{
    return plan_scans_a_table(plan) || !narrow_taken(sql, plan);
}

static void no_list_reads_a_whole_table(void **state)
{
    (void)state;
    struct db *db = plans_begin(DB_SQLITE);
    ask_all_lists(db);
    assert_true(heard.n > 60);
    assert_int_equal(plans_end(db, plan_is_bad), 0);
}

static void no_list_reads_a_whole_table_of_postgres(void **state)
{
    (void)state;
    struct db *db = plans_begin(DB_POSTGRES);
    ask_all_lists(db);
    assert_true(heard.n > 60);
    assert_int_equal(plans_end(db, plan_scans_a_filled_table), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(subscribers_keep_what_a_patch_does_not_name),
        BOTH(subscribers_online),
        cmocka_unit_test(patches_refuse_wrong_types),
        BOTH(pages_are_what_an_array_gives),
        BOTH(pages_are_stable_under_inserts),
        BOTH(subscriber_filters),
        BOTH(runs_by_every_filter),
        BOTH(a_run_is_updated_from_its_revision_only),
        BOTH(messages_list_and_replace),
        BOTH(a_deleted_subscriber_leaves_nothing),
        BOTH(the_queue_is_in_order),
        BOTH(events_are_inserted_once),
        BOTH(workflows_keep_their_versions),
        BOTH(workflows_are_listed_in_order), BOTH(workflow_versions_are_read), BOTH(a_deleted_workflow_takes_its_preferences),
        cmocka_unit_test(slugs_come_back),
        BOTH(one_integration_is_primary), BOTH(priorities_follow_who_is_primary_and_active),
        cmocka_unit_test(integrations_are_selected),
        BOTH(the_outbox_by_every_filter),
        cmocka_unit_test(no_list_reads_a_whole_table),
        cmocka_unit_test(no_list_reads_a_whole_table_of_postgres),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
