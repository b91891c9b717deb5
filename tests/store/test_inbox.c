/* The Inbox in the store: what a person sees, counts and changes, against both databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/inbox.h"
#include "model/queue.h"
#include "model/run.h"
#include "support/store.h"

struct fixture {
    struct db *db;
    struct arena *arena;
    struct id_source ids;
    struct id environment;
    struct inbox_owner owner;           /* without a context */
    int64_t now;
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
    f->now = 1700000000000;
    f->environment = id_new(&f->ids, f->now);
    f->owner = (struct inbox_owner){.environment = f->environment, .subscriber = id_new(&f->ids, f->now), .context = STR("")};
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

static const char plain_doc[] = "{\"transactionId\":\"t\",\"content\":\"hello\"}";

static struct message message_of(struct fixture *f, const struct inbox_owner *o, enum severity severity, const char *doc)
{
    f->now += 1000;
    return (struct message){.id = id_new(&f->ids, f->now), .environment = f->environment, .subscriber = o->subscriber,
                            .run = id_new(&f->ids, f->now), .job = id_new(&f->ids, f->now), .workflow = id_new(&f->ids, f->now),
                            .channel = CHANNEL_IN_APP, .context = o->context, .severity = severity, .doc = str_of(doc),
                            .created_at = f->now, .updated_at = f->now};
}

static struct message add(struct fixture *f, const struct inbox_owner *o, enum severity severity, const char *doc)
{
    struct error err = {0};
    struct message m = message_of(f, o, severity, doc);
    must(message_insert(f->db, &m, &err), &err);
    return m;
}

/* All of one moment. */
static void add_many(struct fixture *f, int n)
{
    struct error err = {0};
    int64_t moment = f->now + 1;
    must(db_begin(f->db, true, &err), &err);
    for (int i = 0; i < n; i++) {
        struct message m = message_of(f, &f->owner, SEVERITY_NONE, plain_doc);
        m.created_at = moment;
        must(message_insert(f->db, &m, &err), &err);
    }
    must(db_commit(f->db, &err), &err);
}

static int count(struct fixture *f, const struct inbox_owner *o, const struct inbox_filter *filter, int cap)
{
    struct error err = {0};
    int n = -1;
    must(inbox_count(f->db, f->arena, o, filter, cap, &n, &err), &err);
    return n;
}

static struct inbox_counts counts(struct fixture *f, const struct inbox_owner *o)
{
    struct error err = {0};
    struct inbox_counts c;
    must(inbox_counts(f->db, o, &c, &err), &err);
    return c;
}

static struct inbox_page list(struct fixture *f, const struct inbox_owner *o, const struct inbox_filter *filter, struct id after,
                              int64_t offset, int limit)
{
    struct error err = {0};
    struct inbox_page p;
    must(inbox_list(f->db, f->arena, o, filter, after, offset, limit, &p, &err), &err);
    return p;
}

static struct message act(struct fixture *f, const struct message *m, enum inbox_action action)
{
    struct error err = {0};
    struct message out;
    f->now += 1000;
    must(inbox_act(f->db, f->arena, &f->owner, m->id, action, f->now, &out, &err), &err);
    return out;
}

static struct inbox_filter everything(void)
{
    struct inbox_filter f;
    inbox_filter_init(&f);
    return f;
}

static const struct id none = {{0}};

/* --- what is seen ---------------------------------------------------------------------------------------------- */

static void pages_follow_each_other_while_new_messages_come(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything();
    struct message m[11];
    for (int i = 0; i < 11; i++)
        m[i] = add(f, &f->owner, SEVERITY_NONE, plain_doc);
    struct inbox_page p = list(f, &f->owner, &all, none, 0, 5);
    assert_int_equal(p.n, 5);
    assert_true(p.has_more);
    assert_true(id_eq(p.items[0].id, m[10].id));
    add(f, &f->owner, SEVERITY_NONE, plain_doc);
    p = list(f, &f->owner, &all, p.items[4].id, 3, 5);          /* a cursor takes precedence over an offset */
    assert_true(id_eq(p.items[0].id, m[5].id));
    assert_true(p.has_more);
    p = list(f, &f->owner, &all, p.items[4].id, 0, 5);
    assert_int_equal(p.n, 1);
    assert_false(p.has_more);
    assert_true(id_eq(p.items[0].id, m[0].id));
    p = list(f, &f->owner, &all, none, 10, 5);
    assert_int_equal(p.n, 2);
}

static void messages_of_one_moment_have_an_order(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything();
    struct error err = {0};
    struct id seen[5], after = none;
    for (int i = 0; i < 5; i++) {
        struct message m = message_of(f, &f->owner, SEVERITY_NONE, plain_doc);
        m.created_at = 1700000000000;
        must(message_insert(f->db, &m, &err), &err);
    }
    for (int i = 0; i < 5; i++) {
        struct inbox_page p = list(f, &f->owner, &all, after, 0, 1);
        assert_int_equal(p.n, 1);
        after = seen[i] = p.items[0].id;
        if (i)
            assert_true(id_cmp(seen[i], seen[i - 1]) < 0);
    }
    assert_int_equal(list(f, &f->owner, &all, after, 0, 1).n, 0);
}

static void nobody_sees_or_changes_what_belongs_to_others(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything();
    struct inbox_owner acme = f->owner, stranger = f->owner, elsewhere = f->owner;
    struct error err = {0};
    struct message out;
    acme.context = STR("tenant:acme");
    stranger.subscriber = id_new(&f->ids, f->now);
    elsewhere.environment = id_new(&f->ids, f->now);
    struct message mine = add(f, &f->owner, SEVERITY_NONE, plain_doc), ours = add(f, &acme, SEVERITY_NONE, plain_doc);
    struct message mail = message_of(f, &f->owner, SEVERITY_NONE, plain_doc);
    mail.channel = CHANNEL_EMAIL;
    must(message_insert(f->db, &mail, &err), &err);
    assert_int_equal(count(f, &f->owner, &all, 100), 1);
    assert_int_equal(count(f, &acme, &all, 100), 1);
    assert_int_equal(count(f, &stranger, &all, 100), 0);
    assert_int_equal(counts(f, &acme).unread, 1);
    assert_false(inbox_act(f->db, f->arena, &stranger, mine.id, INBOX_READ, f->now, &out, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_string_equal(err.message, str_z(f->arena, str_fmt(f->arena, "Notification with id: %.*s is not found.",
                                                              STR_ARG(id_str(f->arena, mine.id)))));
    assert_false(inbox_act(f->db, f->arena, &f->owner, ours.id, INBOX_DELETE, f->now, &out, &err));
    assert_false(inbox_act(f->db, f->arena, &elsewhere, mine.id, INBOX_DELETE, f->now, &out, &err));
    assert_false(inbox_act(f->db, f->arena, &f->owner, mail.id, INBOX_READ, f->now, &out, &err));
    struct inbox_page p;
    assert_false(inbox_list(f->db, f->arena, &f->owner, &all, ours.id, 0, 10, &p, &err));
    assert_int_equal(err.code, ERROR_BAD_INPUT);
    assert_string_equal(err.message, "Invalid after id");
    int64_t changed;
    must(inbox_act_all(f->db, f->arena, &f->owner, &all, INBOX_DELETE, f->now, &changed, &err), &err);
    assert_int_equal(changed, 1);
    assert_int_equal(count(f, &acme, &all, 100), 1);
}

static void counts_stop_at_the_cap(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter unread = everything(), high = everything();
    unread.read = 0;
    high.severities = 1u << SEVERITY_HIGH;
    add_many(f, 150);
    for (int i = 0; i < 3; i++)
        add(f, &f->owner, SEVERITY_HIGH, plain_doc);
    struct inbox_counts c = counts(f, &f->owner);
    assert_int_equal(c.unread, 101);
    assert_int_equal(c.unseen, 101);
    assert_int_equal(c.by_severity[SEVERITY_NONE], 101);
    assert_int_equal(c.by_severity[SEVERITY_HIGH], 3);
    assert_int_equal(c.by_severity[SEVERITY_LOW], 0);
    assert_int_equal(count(f, &f->owner, &unread, 100), 100);
    assert_int_equal(count(f, &f->owner, &high, 100), 3);
}

static void unseen_ones_are_counted_behind_many_seen_ones(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything();
    struct error err = {0};
    int64_t changed;
    add_many(f, 120);
    must(inbox_act_all(f->db, f->arena, &f->owner, &all, INBOX_SEEN, f->now, &changed, &err), &err);
    add_many(f, 7);
    assert_int_equal(counts(f, &f->owner).unread, 101);
    assert_int_equal(counts(f, &f->owner).unseen, 7);
}

/* --- what is changed --------------------------------------------------------------------------------------------- */

static void each_action_leaves_the_state_of_the_contract(void **state)
{
    struct fixture *f = *state;
    struct message m = add(f, &f->owner, SEVERITY_NONE, plain_doc), first = act(f, &m, INBOX_READ);
    assert_true(first.seen && first.read && !first.archived);
    assert_int_equal(first.last_read_at, f->now);
    assert_int_equal(first.first_seen_at, f->now);
    struct message again = act(f, &m, INBOX_READ);
    assert_int_equal(again.last_read_at, first.last_read_at);
    struct message unread = act(f, &m, INBOX_UNREAD);
    assert_true(unread.seen && !unread.read && !unread.archived);
    assert_int_equal(unread.last_read_at, 0);
    struct message archived = act(f, &m, INBOX_ARCHIVE);
    assert_true(archived.seen && archived.read && archived.archived);
    assert_int_equal(archived.archived_at, f->now);
    assert_int_equal(archived.first_seen_at, first.first_seen_at);
    struct message back = act(f, &m, INBOX_UNARCHIVE);
    assert_true(back.read && !back.archived);
    assert_int_equal(back.archived_at, 0);
    act(f, &m, INBOX_ARCHIVE);
    unread = act(f, &m, INBOX_UNREAD);
    assert_true(!unread.read && !unread.archived);
    assert_int_equal(unread.archived_at, 0);
    struct error err = {0};
    struct message stored;
    must(inbox_find(f->db, f->arena, &f->owner, m.id, &stored, &err), &err);
    assert_true(stored.seen && !stored.read && !stored.archived);
    assert_int_equal(stored.last_read_at, 0);
    assert_true(str_eqz(stored.doc, plain_doc));
    act(f, &m, INBOX_DELETE);
    assert_false(inbox_find(f->db, f->arena, &f->owner, m.id, &stored, &err));
}

static void a_run_whose_message_was_seen_is_interacted(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct subscriber_patch ada = {.subscriber_id = STR("ada")};
    must(subscriber_upsert(f->db, f->environment, &ada, f->owner.subscriber, f->now, &f->owner.subscriber, &err), &err);
    struct message m = add(f, &f->owner, SEVERITY_NONE, plain_doc);
    struct run_row r = {.id = m.run, .environment = f->environment, .event = id_new(&f->ids, f->now), .workflow = m.workflow,
                        .subscriber = m.subscriber, .workflow_version = 1, .context = STR(""), .delivery = LIFECYCLE_SENT,
                        .state = STR("{}"), .created_at = f->now, .updated_at = f->now};
    must(run_insert(f->db, &r, &err), &err);
    struct inbox_filter named = everything();
    struct id ids[] = {m.id, id_new(&f->ids, f->now)};
    int64_t changed;
    named.ids = ids;
    named.ids_n = 2;
    must(inbox_act_all(f->db, f->arena, &f->owner, &named, INBOX_SEEN, f->now, &changed, &err), &err);
    assert_int_equal(changed, 1);
    must(run_find(f->db, f->arena, f->environment, m.run, &r, &err), &err);
    assert_int_equal(r.delivery, LIFECYCLE_INTERACTED);
    assert_int_equal(counts(f, &f->owner).unread, 1);
    assert_int_equal(counts(f, &f->owner).unseen, 0);
}

static const char buttons_doc[] =
    "{\"content\":\"x\",\"cta\":{\"action\":{\"status\":\"pending\",\"buttons\":[{\"type\":\"primary\",\"content\":\"Yes\","
    "\"url\":\"javascript:alert(1)\",\"target\":\"_self\"},{\"type\":\"secondary\",\"content\":\"No\",\"url\":\"//evil.example\"}],"
    "\"result\":{}},\"data\":{\"url\":\"/orders/1\",\"target\":\"_evil\"}}}";

static yyjson_val *shown(struct fixture *f, const struct message *m)
{
    struct subscriber s = {.id = m->subscriber, .subscriber_id = STR("ada")};
    struct error err = {0};
    yyjson_val *v = NULL;
    must(json_parse(f->arena, json_write_mut(f->arena, inbox_message_json(json_doc(f->arena), f->arena, m, &s)), &v, &err), &err);
    return v;
}

static bool completed(struct fixture *f, const struct message *m, const char *which)
{
    return json_get_bool(json_get(shown(f, m), which), "isCompleted", false);
}

static bool press(struct fixture *f, const struct message *m, const char *button, bool done, struct message *out, struct error *err)
{
    struct inbox_press p = {.button = str_of(button), .done = done};
    return inbox_complete(f->db, f->arena, &f->owner, m->id, &p, f->now, out, err);
}

static void one_button_is_completed_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct message m = add(f, &f->owner, SEVERITY_NONE, buttons_doc), out;
    must(press(f, &m, "primary", true, &out, &err), &err);
    assert_true(completed(f, &out, "primaryAction") && out.read && out.seen);
    must(press(f, &m, "secondary", true, &out, &err), &err);
    assert_true(!completed(f, &out, "primaryAction") && completed(f, &out, "secondaryAction"));
    must(press(f, &m, "secondary", false, &out, &err), &err);
    must(inbox_find(f->db, f->arena, &f->owner, m.id, &out, &err), &err);
    assert_false(completed(f, &out, "secondaryAction"));
    struct message bare = add(f, &f->owner, SEVERITY_NONE, plain_doc);
    assert_false(press(f, &bare, "primary", true, &out, &err));
    assert_int_equal(err.code, ERROR_BAD_INPUT);
    assert_string_equal(err.message, "Could not perform action on the primary button because it does not exist.");
}

static void only_safe_addresses_are_shown(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *url; bool safe; } cases[] = {
        {"https://a.b/c", true}, {"http://x.y", true}, {"/", true}, {"/a?b#c", true}, {"//evil", false}, {"/\\evil", false},
        {"mailto:a@b", false}, {"javascript:alert(1)", false}, {"https://a b", false}, {"https://.x", false}, {"ftp://a.b", false},
        {"", false}, {"https://", false}, {" /a", false}, {"/a\\tb", false}};
    struct message m = add(f, &f->owner, SEVERITY_NONE, buttons_doc);
    yyjson_val *v = shown(f, &m);
    assert_null(json_path(v, STR("primaryAction.redirect")));
    assert_null(json_path(v, STR("secondaryAction.redirect")));
    assert_true(str_eqz(json_str(json_path(v, STR("redirect.url"))), "/orders/1"));
    assert_null(json_path(v, STR("redirect.target")));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        m.doc = str_fmt(f->arena, "{\"cta\":{\"data\":{\"url\":\"%s\",\"target\":\"_top\"}}}",
                        str_eqz(STR("/\\evil"), cases[i].url) ? "/\\\\evil" : cases[i].url);
        if ((json_get(shown(f, &m), "redirect") != NULL) != cases[i].safe)
            fail_msg("%s should be %s", cases[i].url, cases[i].safe ? "safe" : "unsafe");
    }
}

/* --- filters that look inside ------------------------------------------------------------------------------------- */

static void data_filters_follow_the_contract(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *filter; bool matches; } cases[] = {
        {"{\"n\":1}", true}, {"{\"n\":1.0}", true}, {"{\"n\":\"1\"}", false}, {"{\"s\":\"x\",\"b\":true}", true},
        {"{\"s\":\"x\",\"b\":false}", false}, {"{\"list\":\"q\"}", true}, {"{\"list\":\"z\"}", false},
        {"{\"s\":[\"a\",\"x\"]}", true}, {"{\"s\":[]}", true}, {"{\"s\":{\"or\":[]},\"n\":{\"and\":[]}}", true}, {"{\"s\":[],\"n\":2}", false}, {"{\"s\":{\"or\":[\"x\",1]}}", true},
        {"{\"list\":{\"and\":[{\"or\":[\"p\"]},{\"or\":[\"q\",\"z\"]}]}}", true},
        {"{\"list\":{\"and\":[{\"or\":[\"p\"]},{\"or\":[\"z\"]}]}}", false}, {"{\"o\":{\"k\":2}}", true},
        {"{\"o\":{\"k\":[3,2],\"missing\":null}}", true}, {"{\"o\":{\"k\":3}}", false}, {"{\"none\":null}", true},
        {"{\"none\":1}", false}, {"{\"n\":null}", false}, {"{\"o\":\"k\"}", false}, {"{\"or\":\"y\"}", true}};
    add(f, &f->owner, SEVERITY_NONE,
        "{\"data\":{\"n\":1,\"s\":\"x\",\"b\":true,\"list\":[\"p\",\"q\"],\"o\":{\"k\":2},\"or\":\"y\"}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inbox_filter filter = everything();
        struct error err = {0};
        must(json_parse(f->arena, str_of(cases[i].filter), &filter.data, &err), &err);
        if (count(f, &f->owner, &filter, 100) != cases[i].matches)
            fail_msg("%s should %smatch", cases[i].filter, cases[i].matches ? "" : "not ");
    }
}

static void a_rare_tag_is_found_far_below(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct str tags[] = {STR("rare"), STR("x")};
    size_t groups[] = {2};
    struct inbox_filter filter = everything();
    struct message deep = add(f, &f->owner, SEVERITY_NONE, "{\"tags\":[\"rare\"],\"data\":{\"kind\":\"rare\"}}");
    add_many(f, 250);
    struct message top = add(f, &f->owner, SEVERITY_NONE, "{\"tags\":[\"a\",\"rare\"],\"data\":{\"kind\":\"rare\"}}");
    filter.tags = tags;
    filter.tag_groups = groups;
    filter.tag_groups_n = 1;
    struct inbox_page p = list(f, &f->owner, &filter, none, 0, 1);
    assert_true(p.n == 1 && p.has_more && id_eq(p.items[0].id, top.id));
    p = list(f, &f->owner, &filter, top.id, 0, 1);
    assert_true(p.n == 1 && !p.has_more && id_eq(p.items[0].id, deep.id));
    p = list(f, &f->owner, &filter, none, 1, 1);
    assert_true(p.n == 1 && id_eq(p.items[0].id, deep.id));
    assert_int_equal(count(f, &f->owner, &filter, 100), 2);
    must(json_parse(f->arena, STR("{\"kind\":\"rare\"}"), &filter.data, &err), &err);
    p = list(f, &f->owner, &filter, none, 0, 5);
    assert_true(p.n == 2 && !p.has_more && id_eq(p.items[1].id, deep.id));
    filter.scan_max = 200;                      /* a bounded look at documents says that there may be more */
    p = list(f, &f->owner, &filter, none, 0, 5);
    assert_true(p.n == 1 && p.has_more);
    assert_int_equal(count(f, &f->owner, &filter, 100), 1);
}

static void a_sweep_goes_on_in_parts_and_leaves_later_messages_alone(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything(), unread = everything();
    struct inbox_sweep sweep = {0};
    struct error err = {0};
    int parts = 0;
    unread.read = 0;
    add_many(f, 4500);
    struct message late = {0};
    while (!sweep.done && parts < 10) {
        must(db_begin(f->db, true, &err), &err);
        must(inbox_act_next(f->db, &f->owner, &all, INBOX_READ, f->now, &sweep, &err), &err);
        must(db_commit(f->db, &err), &err);
        if (!parts++)
            late = add(f, &f->owner, SEVERITY_NONE, plain_doc);
    }
    assert_int_equal(parts, 3);
    assert_int_equal(sweep.changed, 4500);
    assert_int_equal(count(f, &f->owner, &unread, 100), 1);
    assert_true(id_eq(list(f, &f->owner, &unread, none, 0, 10).items[0].id, late.id));
}

/* --- random actions against an array -------------------------------------------------------------------------------- */

enum { MODEL_MAX = 400, STEPS = 500 };

struct model {
    struct message m[MODEL_MAX];
    unsigned tags[MODEL_MAX];           /* bits: a, b, c */
    int n;
    uint64_t seed;
};

static unsigned dice(struct model *x, unsigned sides)
{
    x->seed = x->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(x->seed >> 33) % sides;
}

static const char *const tag_names[] = {"a", "b", "c"};

static void model_insert(struct fixture *f, struct model *x)
{
    unsigned tags = dice(x, 8);
    if (x->n == MODEL_MAX)
        return;
    x->tags[x->n] = tags;
    struct str doc = str_fmt(f->arena, "{\"tags\":[%s%s%s\"-\"]}", tags & 1 ? "\"a\"," : "", tags & 2 ? "\"b\"," : "",
                             tags & 4 ? "\"c\"," : "");
    x->m[x->n++] = add(f, &f->owner, (enum severity)dice(x, SEVERITIES), str_z(f->arena, doc));
}

struct asked {
    struct inbox_filter f;
    struct str tags[3];
    size_t groups[2];
    unsigned masks[2];
};

static void random_filter(struct fixture *f, struct model *x, struct asked *q)
{
    size_t n = 0;
    *q = (struct asked){0};
    inbox_filter_init(&q->f);
    q->f.read = (int)dice(x, 3) - 1;
    q->f.seen = dice(x, 2) ? -1 : (int)dice(x, 2);
    q->f.archived = (int)dice(x, 3) - 1;
    q->f.snoozed = dice(x, 2) ? -1 : (int)dice(x, 2);
    q->f.severities = dice(x, 2) ? 0 : dice(x, 16);
    if (!dice(x, 4))
        q->f.created_gte = f->now - (int64_t)dice(x, 400) * 1000;
    if (!dice(x, 4))
        q->f.created_lte = f->now - (int64_t)dice(x, 400) * 1000;
    q->f.tags = q->tags;
    q->f.tag_groups = q->groups;
    for (q->f.tag_groups_n = 0; q->f.tag_groups_n < 2 && !dice(x, 3); q->f.tag_groups_n++) {
        size_t g = q->f.tag_groups_n, size = g ? 1 : 1 + dice(x, 2);
        for (size_t i = 0; i < size; i++) {
            unsigned tag = dice(x, 3);
            q->tags[n++] = str_of(tag_names[tag]);
            q->masks[g] |= 1u << tag;
        }
        q->groups[g] = size;
    }
}

static bool flag_ok(int wanted, bool is)
{
    return wanted < 0 || wanted == (int)is;
}

static bool model_matches(const struct model *x, int i, const struct asked *q)
{
    const struct message *m = &x->m[i];
    for (size_t g = 0; g < q->f.tag_groups_n; g++)
        if (!(x->tags[i] & q->masks[g]))
            return false;
    return flag_ok(q->f.read, m->read) && flag_ok(q->f.seen, m->seen) && flag_ok(q->f.archived, m->archived)
        && flag_ok(q->f.snoozed, m->snoozed_until != 0) && (!q->f.severities || q->f.severities & 1u << m->severity)
        && (!q->f.created_gte || m->created_at >= q->f.created_gte) && (!q->f.created_lte || m->created_at <= q->f.created_lte);
}

/* Only the flags: times are checked where each action is. false: the message is gone. */
static bool model_act(struct message *m, enum inbox_action action)
{
    switch (action) {
    case INBOX_READ: m->seen = m->read = true; break;
    case INBOX_UNREAD: m->seen = true; m->read = m->archived = false; break;
    case INBOX_SEEN: m->seen = true; break;
    case INBOX_READ_ARCHIVE: if (!m->read) break; /* fall through */
    case INBOX_ARCHIVE: m->seen = m->read = m->archived = true; break;
    case INBOX_UNARCHIVE: m->seen = m->read = true; m->archived = false; break;
    case INBOX_DELETE: return false;
    }
    return true;
}

static void model_remove(struct model *x, int i)
{
    memmove(&x->m[i], &x->m[i + 1], (size_t)(x->n - i - 1) * sizeof x->m[0]);
    memmove(&x->tags[i], &x->tags[i + 1], (size_t)(x->n - i - 1) * sizeof x->tags[0]);
    x->n--;
}

static void act_on_one(struct fixture *f, struct model *x)
{
    if (!x->n)
        return;
    int i = (int)dice(x, (unsigned)x->n);
    enum inbox_action action = (enum inbox_action)dice(x, INBOX_READ_ARCHIVE);
    struct message out = act(f, &x->m[i], action);
    if (!model_act(&x->m[i], action)) {
        model_remove(x, i);
        return;
    }
    assert_int_equal(out.read, x->m[i].read);
    assert_int_equal(out.seen, x->m[i].seen);
    assert_int_equal(out.archived, x->m[i].archived);
}

/* As snoozing does: what sleeps was seen. */
static void snooze_one(struct fixture *f, struct model *x)
{
    struct error err = {0};
    struct message *m = &x->m[dice(x, (unsigned)x->n)];
    m->snoozed_until = m->snoozed_until ? 0 : f->now + 3600000;
    m->seen = true;
    struct db_stmt *s = db_prepare(f->db, "UPDATE messages SET snoozed_until = ?1, seen = 1 WHERE id = ?2", &err);
    must(s != NULL, &err);
    if (m->snoozed_until)
        db_bind_int(s, 1, m->snoozed_until);
    db_bind_id(s, 2, m->id);
    must(db_run(s, &err), &err);
}

static void act_on_many(struct fixture *f, struct model *x)
{
    struct asked q;
    struct error err = {0};
    int64_t changed;
    enum inbox_action action = (enum inbox_action)dice(x, INBOX_READ_ARCHIVE + 1);
    random_filter(f, x, &q);
    must(db_begin(f->db, true, &err), &err);
    must(inbox_act_all(f->db, f->arena, &f->owner, &q.f, action, f->now, &changed, &err), &err);
    must(db_commit(f->db, &err), &err);
    for (int i = x->n - 1; i >= 0; i--)
        if (model_matches(x, i, &q) && !model_act(&x->m[i], action))
            model_remove(x, i);
}

static void check_counts(struct fixture *f, const struct model *x)
{
    int unread = 0, unseen = 0, by[SEVERITIES] = {0};
    struct inbox_counts c = counts(f, &f->owner);
    for (int i = 0; i < x->n; i++) {
        bool is_unread = !x->m[i].read && !x->m[i].archived && !x->m[i].snoozed_until;
        unread += is_unread;
        unseen += is_unread && !x->m[i].seen;
        by[x->m[i].severity] += is_unread;
    }
    assert_int_equal(c.unread, unread > 101 ? 101 : unread);
    assert_int_equal(c.unseen, unseen > 101 ? 101 : unseen);
    for (int s = 0; s < SEVERITIES; s++)
        assert_int_equal(c.by_severity[s], by[s] > 101 ? 101 : by[s]);
}

/* A page of four behind an offset, of n that match. */
static void check_offset(struct fixture *f, struct model *x, const struct asked *q, int n)
{
    int offset = (int)dice(x, 12), at = 0;
    struct inbox_page p = list(f, &f->owner, &q->f, none, offset, 4);
    assert_int_equal(p.n, n - offset > 4 ? 4 : n > offset ? n - offset : 0);
    assert_int_equal(p.has_more, n > offset + 4);
    for (int i = x->n - 1; i >= 0 && at < offset + (int)p.n; i--)
        if (model_matches(x, i, q) && at++ >= offset)
            assert_true(id_eq(p.items[at - 1 - offset].id, x->m[i].id));
}

static void check_filter(struct fixture *f, struct model *x)
{
    struct asked q;
    int n = 0;
    struct id after = none;
    random_filter(f, x, &q);
    for (int i = x->n - 1; i >= 0; i--) {           /* newest first, page by page */
        if (!model_matches(x, i, &q))
            continue;
        struct inbox_page p = list(f, &f->owner, &q.f, after, 0, 3);
        assert_true(p.n > 0 && id_eq(p.items[0].id, x->m[i].id));
        after = x->m[i].id;
        if (++n == 8)
            break;
    }
    if (n < 8)
        assert_int_equal(list(f, &f->owner, &q.f, after, 0, 3).n, 0);
    n = 0;
    for (int i = 0; i < x->n; i++)
        n += model_matches(x, i, &q);
    assert_int_equal(count(f, &f->owner, &q.f, 100), n > 100 ? 100 : n);
    check_offset(f, x, &q, n);
}

static void random_actions_agree_with_an_array(void **state)
{
    struct fixture *f = *state;
    struct model *x = calloc(1, sizeof *x);
    x->seed = 20261121;
    for (int step = 0; step < STEPS; step++) {
        unsigned what = dice(x, 20);
        if (what < 12)
            model_insert(f, x);
        else if (what < 19)
            act_on_one(f, x);
        else if (x->n && step % 3)
            snooze_one(f, x);
        else
            act_on_many(f, x);
        check_counts(f, x);
        check_filter(f, x);
    }
    assert_true(x->n > 20);
    free(x);
}

/* --- snooze ----------------------------------------------------------------------------------------------------- */

enum { HOUR = 3600000 };

static size_t waiting(struct fixture *f, int64_t at)
{
    struct error err = {0};
    struct queue_item items[8];
    size_t n;
    must(queue_due(f->db, at, INT64_MIN, none, items, 8, &n, &err), &err);
    return n;
}

static struct message snooze(struct fixture *f, struct id id, int64_t until)
{
    struct error err = {0};
    struct message out;
    must(inbox_snooze(f->db, f->arena, &f->owner, id, until, f->now, &out, &err), &err);
    return out;
}

static bool wake(struct fixture *f, struct id id, int64_t due_at, struct message *out)
{
    struct error err = {0};
    bool woke;
    must(inbox_wake(f->db, f->arena, f->environment, id, due_at, due_at, out, &woke, &err), &err);
    return woke;
}

static void a_snoozed_message_comes_back_as_new(void **state)
{
    struct fixture *f = *state;
    struct inbox_filter all = everything();
    struct message m = add(f, &f->owner, SEVERITY_NONE, plain_doc), newer = add(f, &f->owner, SEVERITY_NONE, plain_doc), out;
    int64_t until = f->now + HOUR;
    act(f, &m, INBOX_READ);
    out = snooze(f, m.id, until);
    assert_true(out.seen && out.read && out.snoozed_until == until);
    assert_int_equal(waiting(f, until - 1), 0);
    assert_int_equal(waiting(f, until), 1);
    assert_int_equal(counts(f, &f->owner).unread, 1);
    assert_true(wake(f, m.id, until, &out));
    assert_false(out.seen || out.read || out.snoozed_until || out.last_read_at);
    assert_int_equal(out.created_at, until);
    assert_non_null(strstr(str_z(f->arena, out.doc), str_z(f->arena, str_fmt(f->arena, "\"deliveredAt\":[%lld,%lld]", (long long)m.created_at, (long long)until))));
    struct inbox_page p = list(f, &f->owner, &all, none, 0, 10);
    assert_true(id_eq(p.items[0].id, m.id) && id_eq(p.items[1].id, newer.id));
    assert_int_equal(p.items[0].created_at, until);
    assert_int_equal(counts(f, &f->owner).unread, 2);
    assert_false(wake(f, m.id, until, &out));           /* once */
}

static void snoozing_again_replaces_the_time(void **state)
{
    struct fixture *f = *state;
    struct message m = add(f, &f->owner, SEVERITY_NONE, plain_doc), out;
    int64_t first = f->now + HOUR, second = f->now + 2 * HOUR;
    snooze(f, m.id, first);
    snooze(f, m.id, second);
    assert_int_equal(waiting(f, first), 0);
    assert_int_equal(waiting(f, second), 1);
    assert_false(wake(f, m.id, first, &out));
    assert_int_equal(out.snoozed_until, second);
    assert_true(wake(f, m.id, second, &out));
}

static void by_hand_it_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct message m = add(f, &f->owner, SEVERITY_NONE, plain_doc), out;
    act(f, &m, INBOX_READ);
    snooze(f, m.id, f->now + HOUR);
    must(inbox_unsnooze(f->db, f->arena, &f->owner, m.id, f->now, &out, &err), &err);
    assert_true(out.read && out.seen && !out.snoozed_until);
    assert_int_equal(waiting(f, f->now + HOUR), 0);
    assert_int_equal(list(f, &f->owner, &(struct inbox_filter){.read = 1, .seen = -1, .archived = -1, .snoozed = 0}, none, 0, 5).n, 1);
    assert_false(inbox_unsnooze(f->db, f->arena, &f->owner, m.id, f->now, &out, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void what_was_archived_or_deleted_meanwhile_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct message archived = add(f, &f->owner, SEVERITY_NONE, plain_doc), gone = add(f, &f->owner, SEVERITY_NONE, plain_doc), out;
    int64_t until = f->now + HOUR;
    snooze(f, archived.id, until);
    snooze(f, gone.id, until);
    act(f, &archived, INBOX_ARCHIVE);
    act(f, &gone, INBOX_DELETE);
    assert_int_equal(waiting(f, until), 1);
    assert_false(wake(f, gone.id, until, &out));
    assert_false(wake(f, archived.id, until, &out));
    assert_true(out.archived && out.read && !out.snoozed_until);
    assert_int_equal(out.created_at, archived.created_at);
}

/* --- across contexts --------------------------------------------------------------------------------------------- */

static void a_view_of_all_contexts_is_one_list(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    struct inbox_filter all = everything();
    struct inbox_owner acme = f->owner, evil = f->owner, o;
    struct inbox_view v = {.environment = f->environment, .subscriber = f->owner.subscriber, .any = true};
    struct inbox_page p;
    struct id ids[9], after = none;
    int n;
    acme.context = STR("tenant:acme");
    evil.context = STR("tenant:evil");
    const struct inbox_owner *owners[] = {&f->owner, &acme, &evil};
    for (int i = 0; i < 9; i++)
        ids[i] = add(f, owners[i % 3], SEVERITY_NONE, plain_doc).id;
    must(inbox_contexts(f->db, f->arena, v.subscriber, &v.contexts, &v.n, &err), &err);
    assert_int_equal(v.n, 3);
    assert_true(str_eqz(v.contexts[2], "tenant:evil"));
    for (int i = 8; i >= 0; i--) {
        must(inbox_view_list(f->db, f->arena, &v, &all, after, 0, 1, &p, &err), &err);
        assert_int_equal(p.n, 1);
        assert_true(id_eq(p.items[0].id, ids[i]));
        assert_int_equal(p.has_more, i > 0);
        after = ids[i];
    }
    must(inbox_view_list(f->db, f->arena, &v, &all, none, 4, 3, &p, &err), &err);
    assert_int_equal(p.n, 3);
    assert_true(id_eq(p.items[0].id, ids[4]) && p.has_more);
    must(inbox_view_count(f->db, f->arena, &v, &all, 100, &n, &err), &err);
    assert_int_equal(n, 9);
    must(inbox_view_count(f->db, f->arena, &v, &all, 5, &n, &err), &err);
    assert_int_equal(n, 5);
    must(inbox_view_owner(f->db, f->arena, &v, ids[1], &o, &err), &err);
    assert_true(str_eqz(o.context, "tenant:acme"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(pages_follow_each_other_while_new_messages_come),
        BOTH(messages_of_one_moment_have_an_order),
        BOTH(nobody_sees_or_changes_what_belongs_to_others),
        BOTH(counts_stop_at_the_cap),
        BOTH(unseen_ones_are_counted_behind_many_seen_ones),
        BOTH(each_action_leaves_the_state_of_the_contract),
        BOTH(a_run_whose_message_was_seen_is_interacted),
        BOTH(one_button_is_completed_at_a_time),
        BOTH(only_safe_addresses_are_shown),
        BOTH(data_filters_follow_the_contract),
        BOTH(a_rare_tag_is_found_far_below),
        BOTH(a_sweep_goes_on_in_parts_and_leaves_later_messages_alone),
        BOTH(a_snoozed_message_comes_back_as_new),
        BOTH(snoozing_again_replaces_the_time),
        BOTH(by_hand_it_comes_back_as_it_was),
        BOTH(what_was_archived_or_deleted_meanwhile_is_left_alone),
        BOTH(a_view_of_all_contexts_is_one_list),
        BOTH(random_actions_agree_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
