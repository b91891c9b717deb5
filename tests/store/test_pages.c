/* Pages behind a cursor against a model, while rows come, go and change between them (model/page.h, rest-api.md §3.4). Topics
 * stand for all lists: the reader is one. CARILLON_SEED: the first seed, to see a failure again. */
#include "migrated.h"

#include <stdio.h>

#include "model/topic.h"

enum { ROWS_MAX = 80, STEPS = 700, WALKS = 25 };

struct row {
    struct id id;
    int64_t updated_at;
    bool named;                         /* by what the filter asks for */
};

struct world {
    struct db *db;
    struct arena *a;
    struct row rows[ROWS_MAX];
    size_t n;
    uint64_t state, seed;
    int serial;
};

static struct error err;
static const struct id environment = {{1}};

/* splitmix64 */
static uint64_t chance(struct world *w, uint64_t below)
{
    uint64_t z = (w->state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % below;
}

static struct world *world_new(struct db *db, uint64_t seed)
{
    struct arena *a = arena_create(0);
    struct world *w = ARENA_NEW(a, struct world);
    *w = (struct world){.db = db, .a = a, .state = seed, .seed = seed};
    exec(db, "BEGIN");                  /* one commit is enough: nothing here is about durability */
    exec(db, "DELETE FROM topics");
    return w;
}

static void world_free(struct world *w)
{
    exec(w->db, "COMMIT");
    arena_destroy(w->a);
}

/* ---- changes ---- */

static void row_insert(struct world *w)
{
    struct row *r = &w->rows[w->n];
    bool created;
    if (w->n == ROWS_MAX)
        return;
    *r = (struct row){.updated_at = (int64_t)chance(w, 6), .named = chance(w, 2)};
    for (size_t i = 0; i < sizeof r->id.b; i++)
        r->id.b[i] = (uint8_t)chance(w, 3);             /* neighbours, and the same beginnings */
    r->id.b[11] = (uint8_t)++w->serial;
    r->id.b[10] = (uint8_t)(w->serial >> 8);
    struct topic t = {.id = r->id, .environment = environment, .key = str_fmt(w->a, "k%d", w->serial), .name = r->named ? STR("Named") : STR("x"),
                      .created_at = r->updated_at, .updated_at = r->updated_at};
    must(topic_upsert(w->db, w->a, &t, &created, &err), &err, "insert");
    assert_true(created);
    w->n++;
}

static void row_delete(struct world *w, size_t i)
{
    must(topic_delete(w->db, environment, w->rows[i].id, 1, &err), &err, "delete");
    w->rows[i] = w->rows[--w->n];
}

static void row_touch(struct world *w, size_t i)
{
    struct topic t;
    must(topic_find_by_id(w->db, w->a, environment, w->rows[i].id, &t, &err), &err, "find");
    t.updated_at = w->rows[i].updated_at = (int64_t)chance(w, 6);
    must(topic_update(w->db, &t, &err), &err, "update");
}

/* One of them, but not of the row `spared`. */
static void change(struct world *w, struct id spared)
{
    size_t i = w->n ? chance(w, w->n) : 0;
    uint64_t what = chance(w, 4);
    if (!w->n || what < 2)
        row_insert(w);
    else if (!id_eq(w->rows[i].id, spared))
        what == 2 ? row_delete(w, i) : row_touch(w, i);
}

/* ---- the model ---- */

static const struct page_query *sorting;

static int by_order(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    int c = sorting->by_updated_at && a->updated_at != b->updated_at ? (a->updated_at < b->updated_at ? -1 : 1) : memcmp(&a->id, &b->id, sizeof a->id);
    return sorting->ascending ? c : -c;
}

struct expected {
    struct row list[ROWS_MAX];          /* of the whole list, in its order */
    size_t n, from, end;                /* the page is from … end */
    bool known, has_cursor;             /* the cursor is a row of the list, even one that the filter leaves out */
};

static void expect(const struct world *w, const struct topic_query *q, struct expected *x)
{
    struct id cursor = id_is_zero(q->page.before) ? q->page.after : q->page.before;
    bool back = !id_is_zero(q->page.before);
    size_t limit = (size_t)q->page.limit, at = 0;
    struct row place = {0};
    *x = (struct expected){.has_cursor = !id_is_zero(cursor), .known = id_is_zero(cursor)};
    for (size_t i = 0; i < w->n; i++) {
        if (id_eq(w->rows[i].id, cursor))
            place = w->rows[i], x->known = true;
        if (!q->name.n || w->rows[i].named)
            x->list[x->n++] = w->rows[i];
    }
    sorting = &q->page;
    qsort(x->list, x->n, sizeof *x->list, by_order);
    if (!x->has_cursor) {
        x->end = limit < x->n ? limit : x->n;
        return;
    }
    while (at < x->n && by_order(&x->list[at], &place) < 0)
        at++;
    bool here = at < x->n && id_eq(x->list[at].id, cursor);
    if (back) {
        x->end = here && q->page.include_cursor ? at + 1 : at;
        x->from = x->end > limit ? x->end - limit : 0;
    } else {
        x->from = here && !q->page.include_cursor ? at + 1 : at;
        x->end = x->from + limit < x->n ? x->from + limit : x->n;
    }
}

static void check(const struct world *w, const struct topic_query *q, const struct page *p)
{
    struct expected x;
    const struct topic *got = p->items;
    bool back = !id_is_zero(q->page.before);
    expect(w, q, &x);
    size_t n = x.known ? x.end - x.from : 0;
    if (p->n != n)
        fail_msg("seed %llu: %zu rows, not %zu", (unsigned long long)w->seed, p->n, n);
    for (size_t i = 0; i < n; i++)
        if (!id_eq(got[i].id, x.list[x.from + i].id))
            fail_msg("seed %llu: row %zu of %zu is another", (unsigned long long)w->seed, i, n);
    if (x.known && p->total != (int64_t)x.n)
        fail_msg("seed %llu: a total of %lld, not %zu", (unsigned long long)w->seed, (long long)p->total, x.n);
    if (!n) {
        assert_true(id_is_zero(p->next) && id_is_zero(p->previous));
        return;
    }
    /* In the direction of reading: is there more? On the other side: the cursor was there, or something before it. */
    bool more_after = x.end < x.n, more_before = x.from > 0;
    bool next = back ? (q->page.include_cursor ? more_after : true) : more_after;
    bool previous = back ? more_before : x.has_cursor && (q->page.include_cursor ? more_before : true);
    if (next != !id_is_zero(p->next) || previous != !id_is_zero(p->previous))
        fail_msg("seed %llu: next %d, previous %d", (unsigned long long)w->seed, !id_is_zero(p->next), !id_is_zero(p->previous));
    assert_true(!next || id_eq(p->next, got[n - 1].id));
    assert_true(!previous || id_eq(p->previous, got[0].id));
}

static struct page page_of(const struct world *w, const struct topic_query *q)
{
    struct page p;
    must(topic_list(w->db, w->a, environment, q, &p, &err), &err, "list");
    check(w, q, &p);
    return p;
}

static struct topic_query random_query(struct world *w)
{
    struct topic_query q = {.page = {.ascending = chance(w, 2), .by_updated_at = chance(w, 2), .limit = 1 + (int)chance(w, 9)}};
    if (!chance(w, 3))
        q.name = STR("named");
    return q;
}

/* ---- properties ---- */

static uint64_t first_seed(void)
{
    const char *s = getenv("CARILLON_SEED");
    return s ? strtoull(s, NULL, 10) : 1;
}

/* Any page of any query is the model's, whatever happened before. */
static void every_page_is_the_models(void **state)
{
    struct store *st = *state;
    struct world *w = world_new(st->db, first_seed());
    for (int i = 0; i < STEPS; i++) {
        struct topic_query q = random_query(w);
        struct id any = w->n ? w->rows[chance(w, w->n)].id : environment;
        uint64_t which = chance(w, 4);
        q.page.include_cursor = chance(w, 2);
        if (which == 1)
            q.page.after = any;
        if (which == 2)
            q.page.before = any;
        if (!chance(w, 12))
            q.page.after = (struct id){{9}}, q.page.before = (struct id){{0}};      /* nobody's */
        page_of(w, &q);
        change(w, (struct id){{0}});
    }
    world_free(w);
}

struct walked {
    struct id ids[ROWS_MAX * 8];
    size_t n;
};

static bool has(const struct walked *w, struct id id)
{
    for (size_t i = 0; i < w->n; i++)
        if (id_eq(w->ids[i], id))
            return true;
    return false;
}

/* From one end to the other by the cursors that pages give, with changes in between. */
static void walk(struct world *w, struct topic_query q, bool backwards, int changes, struct walked *out)
{
    *out = (struct walked){.n = 0};
    for (;;) {
        struct page p = page_of(w, &q);
        const struct topic *t = p.items;
        struct id cursor = backwards ? p.previous : p.next;
        for (size_t i = 0; i < p.n && out->n < sizeof out->ids / sizeof *out->ids; i++)
            out->ids[out->n++] = t[backwards ? p.n - 1 - i : i].id;
        if (id_is_zero(cursor))
            return;
        if (backwards)
            q.page.before = cursor;
        else
            q.page.after = cursor;
        for (int i = 0; i < changes; i++)
            change(w, cursor);
    }
}

/* By id: who was there all the time is met once, and nobody twice. */
static void a_walk_meets_everybody_once_while_others_come_and_go(void **state)
{
    struct store *st = *state;
    struct world *w = world_new(st->db, first_seed());
    for (int k = 0; k < WALKS; k++) {
        struct topic_query q = random_query(w);
        struct row before[ROWS_MAX];
        size_t before_n;
        struct walked met;
        while (w->n < 40)
            row_insert(w);
        before_n = w->n;
        memcpy(before, w->rows, sizeof before);
        q.page.by_updated_at = false;
        walk(w, q, false, 3, &met);
        for (size_t i = 0; i < met.n; i++)
            for (size_t j = i + 1; j < met.n; j++)
                if (id_eq(met.ids[i], met.ids[j]))
                    fail_msg("seed %llu: somebody was met twice", (unsigned long long)w->seed);
        for (size_t i = 0; i < before_n; i++)
            for (size_t j = 0; j < w->n; j++)
                if (id_eq(before[i].id, w->rows[j].id) && (!q.name.n || before[i].named) && !has(&met, before[i].id))
                    fail_msg("seed %llu: somebody was passed over", (unsigned long long)w->seed);
    }
    world_free(w);
}

/* Without changes the way back is the way there. */
static void the_way_back_is_the_way_there(void **state)
{
    struct store *st = *state;
    struct world *w = world_new(st->db, first_seed());
    for (int k = 0; k < WALKS; k++) {
        struct topic_query q = random_query(w);
        struct walked there, back;
        for (int i = 0; i < 10; i++)
            change(w, (struct id){{0}});
        walk(w, q, false, 0, &there);
        if (there.n < 2)
            continue;
        q.page.before = there.ids[there.n - 1];
        walk(w, q, true, 0, &back);
        assert_int_equal(back.n, there.n - 1);
        for (size_t i = 0; i < back.n; i++)
            assert_true(id_eq(back.ids[i], there.ids[there.n - 2 - i]));
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(every_page_is_the_models), BOTH(a_walk_meets_everybody_once_while_others_come_and_go),
                                       BOTH(the_way_back_is_the_way_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
