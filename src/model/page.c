/* Keyset pages of any list. */
#include "model/page.h"

#include "model/row.h"

struct reading {
    struct db *db;
    struct arena *a;
    struct id environment;
    const struct page_source *source;
    const struct page_query *q;
    struct id cursor;
    int64_t cursor_by;
    struct str cursor_text;
    bool has_cursor, backwards;
};

static void bind(const struct reading *r, struct db_stmt *s)
{
    db_bind_id(s, 1, r->environment);
    if (r->source->bind)
        r->source->bind(s, r->source->arg);
}

/* *found: the cursor's row is in the scope. Its place in the order is read with it. */
static bool cursor_read(struct reading *r, bool *found, struct error *err)
{
    const struct page_source *p = r->source;
    struct db_stmt *s = db_prepare(r->db, str_fmt(r->a, "SELECT %s FROM %s WHERE %s AND %s = ?2", p->by ? p->by : "1", p->from,
                                                  p->scope, p->id).p, err);
    if (!s)
        return false;
    bind(r, s);
    db_bind_id(s, 2, r->cursor);
    enum db_step step = db_step(s, err);
    *found = step == DB_ROW;
    if (*found && p->by_text)
        r->cursor_text = row_text(s, 0, r->a);
    else if (*found)
        r->cursor_by = db_int(s, 0);
    db_reset(s);
    return step != DB_FAILED;
}

/* Of a whole environment's list, which is the long one. */
static bool is_whole(const struct page_source *p)
{
    return !p->filter.n && !strcmp(p->scope, "environment_id = ?1");
}

static uint64_t name_of(const struct reading *r)
{
    uint64_t h = 14695981039346656037u;
    for (const char *c = r->source->from; *c; c++)
        h = (h ^ (uint8_t)*c) * 1099511628211u;
    for (size_t i = 0; i < sizeof r->environment.b; i++)
        h = (h ^ r->environment.b[i]) * 1099511628211u;
    return h;
}

/* Twice as long as is counted: then it is longer than that for the next seconds, whatever is deleted meanwhile. */
static bool remember_if_long(const struct reading *r, struct error *err)
{
    const struct page_source *p = r->source;
    struct db_stmt *s = db_prepare(r->db, str_fmt(r->a, "SELECT 1 FROM %s WHERE %s LIMIT 1 OFFSET %d", p->from, p->scope,
                                                  2 * PAGE_COUNT_MAX).p, err);
    if (!s)
        return false;
    bind(r, s);
    enum db_step step = db_step(s, err);
    db_reset(s);
    if (step == DB_ROW)
        db_remember(r->db, name_of(r));
    return step != DB_FAILED;
}

/* Exactly up to the limit. A list that is much longer is not counted at each of its pages. */
static bool count(const struct reading *r, struct page *out, struct error *err)
{
    const struct page_source *p = r->source;
    if (is_whole(p) && db_remembers(r->db, name_of(r))) {
        out->total = PAGE_COUNT_MAX;
        out->total_capped = true;
        return true;
    }
    struct db_stmt *s = db_prepare(r->db, str_fmt(r->a, "SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s%.*s LIMIT %d) AS capped",
                                                  p->from, p->scope, STR_ARG(p->filter), PAGE_COUNT_MAX + 1).p, err);
    if (!s)
        return false;
    bind(r, s);
    if (!row_one(s, "no count", err))
        return false;
    out->total = db_int(s, 0);
    out->total_capped = out->total > PAGE_COUNT_MAX;
    if (out->total_capped)
        out->total = PAGE_COUNT_MAX;
    db_reset(s);
    return !out->total_capped || !is_whole(p) || remember_if_long(r, err);
}

/* Rows beyond the cursor, read downwards or upwards, bound and ready to step. */
static struct db_stmt *rows_beyond(const struct reading *r, const char *columns, bool down, bool with_cursor, int limit,
                                   struct error *err)
{
    const struct page_source *p = r->source;
    const char *order = down ? "DESC" : "ASC";
    struct buf sql = {.arena = r->a};
    buf_fmt(&sql, "SELECT %s FROM %s WHERE %s%.*s", columns, p->from, p->scope, STR_ARG(p->filter));
    if (r->has_cursor) {
        const char *beyond = down ? (with_cursor ? "<=" : "<") : (with_cursor ? ">=" : ">");
        if (p->by)
            buf_fmt(&sql, " AND (%s, %s) %s (?3, ?2)", p->by, p->id, beyond);
        else
            buf_fmt(&sql, " AND %s %s ?2", p->id, beyond);
    }
    buf_z(&sql, " ORDER BY ");
    if (p->by)
        buf_fmt(&sql, "%s %s, ", p->by, order);
    buf_fmt(&sql, "%s %s LIMIT ?4", p->id, order);
    bool skips = !r->has_cursor && r->q->offset > 0;
    if (skips)
        buf_z(&sql, " OFFSET ?3");
    struct db_stmt *s = db_prepare(r->db, buf_finish(&sql).p, err);
    if (!s)
        return NULL;
    bind(r, s);
    if (r->has_cursor) {
        db_bind_id(s, 2, r->cursor);
        if (p->by && p->by_text)
            db_bind_text(s, 3, r->cursor_text);
        else if (p->by)
            db_bind_int(s, 3, r->cursor_by);
    }
    if (skips)
        db_bind_int(s, 3, r->q->offset);
    db_bind_int(s, 4, limit);
    return s;
}

/* Is there anything on the other side of a cursor that is itself part of the page? */
static bool behind_exists(const struct reading *r, bool *exists, struct error *err)
{
    bool down = r->q->ascending != r->backwards;
    struct db_stmt *s = rows_beyond(r, "1", down, false, 1, err);
    return row_exists(s, exists, err);
}

static void reverse(struct arena *a, const struct page_source *p, struct page *out, struct id *ids)
{
    char *items = out->items, *turned = arena_alloc_raw(a, out->n * p->item_size + 1);
    for (size_t i = 0; i < out->n; i++)
        memcpy(turned + i * p->item_size, items + (out->n - 1 - i) * p->item_size, p->item_size);
    out->items = turned;
    for (size_t i = 0; i < out->n / 2; i++) {
        struct id t = ids[i];
        ids[i] = ids[out->n - 1 - i];
        ids[out->n - 1 - i] = t;
    }
}

static bool window_read(const struct reading *r, struct page *out, struct id *ids, bool *more, struct error *err)
{
    const struct page_source *p = r->source;
    size_t limit = (size_t)r->q->limit;
    enum db_step step;
    struct db_stmt *s = rows_beyond(r, p->columns, r->q->ascending == r->backwards, r->q->include_cursor, r->q->limit + 1, err);
    if (!s)
        return false;
    out->items = arena_alloc(r->a, (limit + 1) * p->item_size);
    while ((step = db_step(s, err)) == DB_ROW) {
        ids[out->n] = db_id(s, 0);
        p->read(s, r->a, (char *)out->items + out->n++ * p->item_size);
    }
    db_reset(s);
    *more = out->n > limit;
    if (*more)
        out->n = limit;
    if (r->backwards)
        reverse(r->a, p, out, ids);
    return step == DB_DONE;
}

bool page_read(struct db *db, struct arena *a, struct id environment, const struct page_source *source,
               const struct page_query *q, struct page *out, struct error *err)
{
    struct reading r = {.db = db, .a = a, .environment = environment, .source = source, .q = q};
    struct id *ids = ARENA_ARRAY(a, struct id, q->limit + 1);
    bool found = true, more;
    r.backwards = !id_is_zero(q->before);
    r.cursor = r.backwards ? q->before : q->after;
    r.has_cursor = !id_is_zero(r.cursor);
    *out = (struct page){0};
    if (r.has_cursor && !cursor_read(&r, &found, err))
        return false;
    if (!found)
        return true;
    if (!count(&r, out, err) || !window_read(&r, out, ids, &more, err))
        return false;
    /* What lies on the other side of the cursor: the cursor itself, unless it is part of the page. */
    bool behind = r.has_cursor;
    if (out->n && r.has_cursor && q->include_cursor && !behind_exists(&r, &behind, err))
        return false;
    if (out->n) {
        if (r.backwards ? behind : more)
            out->next = ids[out->n - 1];
        if (r.backwards ? more : behind)
            out->previous = ids[0];
    }
    return true;
}
