/* Fan-out: walks the members of several topics in the order of one index, like merging sorted lists. */
#include "model/topic.h"

#include <stdlib.h>

#include "model/row.h"

struct walk {
    struct db *db;
    struct arena *a;
    struct str context;
    struct topic_subscription *rows;    /* of all topics, of subscribers beyond `after` */
    size_t n, cap;
    struct id bound;                    /* subscribers beyond it may be incomplete … */
    bool bounded;                       /* … if there are more rows at all */
};

/* The next rows of one topic. If there are more, the last subscriber among them may have more too, so that only those
 * before it are whole. */
static bool topic_walk(struct walk *w, struct id topic, struct id after, size_t limit, struct error *err)
{
    struct db_stmt *s = db_prepare(
        w->db, "SELECT subscriber_id, id, identifier FROM topic_subscriptions WHERE topic_id = ?1 AND context = ?2 "
               "AND subscriber_id > ?3 ORDER BY subscriber_id, id LIMIT ?4", err);
    enum db_step step;
    size_t first = w->n;
    if (!s)
        return false;
    db_bind_id(s, 1, topic);
    db_bind_text(s, 2, w->context.p ? w->context : STR(""));
    db_bind_id(s, 3, after);
    db_bind_int(s, 4, (int64_t)limit);
    while ((step = db_step(s, err)) == DB_ROW) {
        *ARENA_SLOT(w->a, w->rows, w->n, w->cap) = (struct topic_subscription){
            .topic = topic, .subscriber = db_id(s, 0), .id = db_id(s, 1), .identifier = row_text(s, 2, w->a), .context = w->context};
    }
    db_reset(s);
    if (step != DB_DONE)
        return false;
    size_t got = w->n - first;
    if (got < limit)
        return true;
    struct id last = w->rows[w->n - 1].subscriber;
    if (id_eq(last, w->rows[first].subscriber)) {   /* one subscriber fills it: no progress without more rows */
        w->n = first;
        return topic_walk(w, topic, after, limit * 2, err);
    }
    if (!w->bounded || id_cmp(last, w->bound) < 0)
        w->bound = last;
    w->bounded = true;
    return true;
}

static int row_compare(const void *x, const void *y)
{
    const struct topic_subscription *p = x, *q = y;
    int c = id_cmp(p->subscriber, q->subscriber);
    return c ? c : id_cmp(p->id, q->id);
}

/* Groups the sorted rows that are whole. */
static void members_add(struct walk *w, size_t max, struct topic_member *out, size_t *n)
{
    for (size_t i = 0; i < w->n && *n < max;) {
        size_t to = i;
        if (w->bounded && id_cmp(w->rows[i].subscriber, w->bound) >= 0)
            return;
        while (to < w->n && id_eq(w->rows[to].subscriber, w->rows[i].subscriber))
            to++;
        out[(*n)++] = (struct topic_member){w->rows[i].subscriber, w->rows + i, to - i};
        i = to;
    }
}

bool topic_members_next(struct db *db, struct arena *a, const struct id *topics, size_t topics_n, struct str context,
                        struct id after, size_t max, struct topic_member **out, size_t *n, struct error *err)
{
    bool more = topics_n > 0;
    *out = ARENA_ARRAY(a, struct topic_member, max + 1);
    *n = 0;
    while (more && *n < max) {
        struct walk w = {.db = db, .a = a, .context = context};
        /* Shared among the topics: of many large ones, each round takes a part. */
        size_t limit = (max - *n) / topics_n + SUBSCRIPTIONS_MAX + 1;
        for (size_t i = 0; i < topics_n; i++)
            if (!topic_walk(&w, topics[i], after, limit, err))
                return false;
        if (w.n)
            qsort(w.rows, w.n, sizeof *w.rows, row_compare);
        members_add(&w, max, *out, n);
        more = w.bounded;
        if (*n)
            after = (*out)[*n - 1].subscriber;
    }
    return true;
}

bool topic_members_count(struct db *db, const struct id *topics, size_t topics_n, struct str context, int64_t *n,
                         struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf sql = {.arena = a};
    *n = 0;
    if (!topics_n)
        return true;
    buf_z(&sql, "SELECT count(DISTINCT subscriber_id) FROM topic_subscriptions WHERE context = ?1 AND topic_id IN (");
    for (size_t i = 0; i < topics_n; i++)
        buf_fmt(&sql, "%s?%d", i ? ", " : "", (int)i + 2);
    buf_char(&sql, ')');
    struct db_stmt *s = db_query(db, err, buf_finish(&sql).p, context.p ? context : STR(""));
    if (!s)
        return false;
    for (size_t i = 0; i < topics_n; i++)
        db_bind_id(s, (int)i + 2, topics[i]);
    if (!row_one(s, "no count", err))
        return false;
    *n = db_int(s, 0);
    db_reset(s);
    return true;
}
