/* The Inbox across contexts: each is read from its own part of the index, and the parts are put together. */
#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/row.h"

enum { OFFSET_MAX = 10000 };            /* so many rows of each context are held to skip them */

#define FIRST_OF(where) "SELECT min(context) AS context FROM messages WHERE " where " AND subscriber_id = ?1"
#define FIRST_CONTEXT(after)                                                                                           \
    "SELECT min(context) FROM (" FIRST_OF("channel = 0 AND " INBOX_TOUCHED) after " UNION ALL "                         \
    FIRST_OF(INBOX_UNREAD_OF("")) after ") AS firsts"

/* From one to the next through the indexes: as many steps as there are contexts. */
bool inbox_contexts(struct db *db, struct arena *a, struct id subscriber, const struct str **out, size_t *n, struct error *err)
{
    struct str *list = ARENA_ARRAY(a, struct str, INBOX_CONTEXTS_MAX), last = STR_NULL;
    for (*n = 0; *n < INBOX_CONTEXTS_MAX; (*n)++) {
        struct db_stmt *s = db_query(
                db, err, last.p ?
                FIRST_CONTEXT(" AND context > ?2") : FIRST_CONTEXT(""),
                subscriber);
        if (!s)
            return false;
        if (last.p)
            db_bind_text(s, 2, last);
        enum db_step step = db_step(s, err);
        if (step == DB_FAILED)
            return false;
        bool none = step != DB_ROW || db_is_null(s, 0);
        if (!none)
            list[*n] = last = row_text(s, 0, a);
        db_reset(s);
        if (none)
            break;
    }
    *out = list;
    return true;
}

bool inbox_view_owner(struct db *db, struct arena *a, const struct inbox_view *v, struct id id, struct inbox_owner *out,
                      struct error *err)
{
    struct message m;
    *out = (struct inbox_owner){.environment = v->environment, .subscriber = v->subscriber, .context = v->n ? v->contexts[0] : STR("")};
    if (!v->any)
        return true;
    struct error missing = {0};
    if (message_find(db, a, v->environment, id, &m, &missing))
        out->context = m.context;           /* whose it is is asked by what comes next */
    else if (missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    return true;
}

static bool newer(const struct message *x, const struct message *y)
{
    return x->created_at != y->created_at ? x->created_at > y->created_at : id_cmp(x->id, y->id) > 0;
}

/* The newest of all parts, offset of them skipped. */
static void merge(struct arena *a, struct inbox_page *parts, size_t n, int64_t offset, int limit, struct inbox_page *page)
{
    size_t *at = ARENA_ARRAY(a, size_t, n), best;
    *page = (struct inbox_page){.items = ARENA_ARRAY(a, struct message, limit + 1)};
    for (;;) {
        best = n;
        for (size_t i = 0; i < n; i++)
            if (at[i] < parts[i].n && (best == n || newer(&parts[i].items[at[i]], &parts[best].items[at[best]])))
                best = i;
        if (best == n || page->n == (size_t)limit)
            break;
        const struct message *m = &parts[best].items[at[best]++];
        if (offset > 0)
            offset--;
        else
            page->items[page->n++] = *m;
    }
    page->has_more = best < n;
    for (size_t i = 0; i < n; i++)
        page->has_more |= parts[i].has_more;
}

static bool cursor_of(struct db *db, struct arena *a, const struct inbox_view *v, struct id after, int64_t *at, struct error *err)
{
    struct inbox_owner o;
    struct message m;
    struct error missing = {0};
    if (!inbox_view_owner(db, a, v, after, &o, err))
        return false;
    if (inbox_find(db, a, &o, after, &m, &missing)) {
        *at = m.created_at;
        return true;
    }
    if (missing.code == ERROR_NOT_FOUND)
        return error_set(err, ERROR_BAD_INPUT, "Invalid after id");
    *err = missing;
    return false;
}

bool inbox_view_list(struct db *db, struct arena *a, const struct inbox_view *v, const struct inbox_filter *f, struct id after,
                     int64_t offset, int limit, struct inbox_page *page, struct error *err)
{
    struct inbox_owner o = {.environment = v->environment, .subscriber = v->subscriber, .context = v->n ? v->contexts[0] : STR("")};
    struct inbox_page *parts = ARENA_ARRAY(a, struct inbox_page, v->n);
    int64_t at = INT64_MAX;
    struct id from = after;
    if (v->n == 1 && !v->any)
        return inbox_list(db, a, &o, f, after, offset, limit, page, err);
    if (id_is_zero(after))
        memset(from.b, 0xff, sizeof from.b);
    else if (!cursor_of(db, a, v, after, &at, err))
        return false;
    offset = id_is_zero(after) ? offset : 0;
    if (v->n > 1 && offset > OFFSET_MAX)
        return error_http(err, 400, "offset must not be greater than %d without contextKeys", OFFSET_MAX);
    for (size_t i = 0; i < v->n; i++) {
        o.context = v->contexts[i];
        if (!inbox_list_from(db, a, &o, f, at, from, v->n > 1 ? 0 : offset, v->n > 1 ? (int)offset + limit : limit, &parts[i], err))
            return false;
    }
    if (v->n == 1)
        *page = parts[0];
    else
        merge(a, parts, v->n, offset, limit, page);
    return true;
}

bool inbox_view_count(struct db *db, struct arena *a, const struct inbox_view *v, const struct inbox_filter *f, int cap, int *n,
                      struct error *err)
{
    struct inbox_owner o = {.environment = v->environment, .subscriber = v->subscriber};
    *n = 0;
    for (size_t i = 0; i < v->n && *n < cap; i++) {
        int part;
        o.context = v->contexts[i];
        if (!inbox_count(db, a, &o, f, cap - *n, &part, err))
            return false;
        *n += part;
    }
    return true;
}
