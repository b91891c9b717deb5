/* What an Inbox shows: its pages and its counts, each read from one index. */
#include "model/inbox.h"

#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/row.h"

/* A filter by tags or data reads documents: so many at a time, and so many a request. */
enum { SCAN_CHUNK = 100, SCAN_MAX = 5000 };

/* One text for all filters: parameters that do not apply let everything pass. `+` keeps the index of unread
 * messages out, which has not the order of a list. */
#define LISTED_OF(owned)                                                                                           \
    owned " AND (created_at, id) < (?3, ?4) AND created_at >= ?5 AND created_at <= ?6 "                             \
          "AND (?7 < 0 OR +read = ?7) AND (?8 < 0 OR +seen = ?8) AND (?9 < 0 OR +archived = ?9) "                    \
          "AND (?10 < 0 OR CASE WHEN snoozed_until IS NULL THEN 0 ELSE 1 END = ?10) "                               \
          "AND +severity IN (?11, ?12, ?13, ?14)"
#define NEWEST_FIRST " ORDER BY created_at DESC, id DESC"
#define LISTED LISTED_OF(INBOX_IS_OWNED)
#define LISTED_TOUCHED LISTED_OF(INBOX_IS_TOUCHED)
/* Of the fresh ones there is all or nothing to list. */
#define LISTED_FRESH                                                                                                   \
    INBOX_IS_FRESH " AND (created_at, id) < (?3, ?4) AND created_at >= ?5 AND created_at <= ?6 "                        \
                   "AND ?7 < 1 AND ?8 < 1 AND ?9 < 1 AND ?10 < 1 AND 0 IN (?11, ?12, ?13, ?14)"
#define LISTED_ALL(columns)                                                                                            \
    "SELECT " columns " FROM messages WHERE " LISTED_TOUCHED " UNION ALL SELECT " columns " FROM messages WHERE " LISTED_FRESH
/* The same from the index of just those: archived ones, sleeping ones, read ones, severe ones. */
#define LISTED_ARCHIVED LISTED " AND archived = 1"
#define LISTED_ASLEEP LISTED " AND snoozed_until IS NOT NULL"
#define LISTED_READ(archived) LISTED " AND read = 1 AND archived " archived
#define LISTED_SEVERE LISTED_OF(INBOX_IS_PART) " AND severity <> 0 AND severity IN (?12, ?13, ?14)"

static const struct id id_last = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void inbox_bind_owner(struct db_stmt *s, const struct inbox_owner *o)
{
    db_bind_id(s, 1, o->subscriber);
    db_bind_text(s, 2, o->context.p ? o->context : STR(""));
}

void inbox_bind_severities(struct db_stmt *s, int first, unsigned severities)
{
    for (int i = 0; i < SEVERITIES; i++)
        db_bind_int(s, first + i, !severities || severities & 1u << i ? i : -1);
}

void inbox_bind_range(struct db_stmt *s, const struct inbox_owner *o, const struct inbox_filter *f, int64_t from_at,
                       struct id from)
{
    inbox_bind_owner(s, o);
    db_bind_int(s, 3, from_at);
    db_bind_id(s, 4, from);
    db_bind_int(s, 5, f->created_gte ? f->created_gte : INT64_MIN);
    db_bind_int(s, 6, f->created_lte ? f->created_lte : INT64_MAX);
}

static void bind_listed(struct db_stmt *s, const struct inbox_owner *o, const struct inbox_filter *f, int64_t from_at,
                        struct id from)
{
    inbox_bind_range(s, o, f, from_at, from);
    db_bind_int(s, 7, f->read);
    db_bind_int(s, 8, f->seen);
    db_bind_int(s, 9, f->archived);
    db_bind_int(s, 10, f->snoozed);
    inbox_bind_severities(s, 11, f->severities);
}

/* --- scanning ------------------------------------------------------------------------------------------------ */

struct scan {
    struct db *db;
    const struct inbox_owner *owner;
    const struct inbox_filter *filter;
    struct arena *keep, *row;       /* keep: matches live here, NULL: they are only counted */
    int64_t from_at;
    struct id from;
    int64_t skip;                   /* matches to pass over */
    int want;                       /* ends after so many matches */
    int left;                       /* … or rows */
    struct message *items;
    int n;
    bool scanned;                   /* documents were read, until one of the limits */
};

static bool scan_row(struct scan *c, struct db_stmt *s, const struct message *m)
{
    yyjson_val *doc = NULL;
    json_parse(c->row, m->doc, &doc, NULL);
    if (!inbox_filter_matches(c->filter, m->id, doc))
        return false;
    if (c->skip > 0) {
        c->skip--;
        return false;
    }
    if (c->keep)
        message_read(s, c->keep, &c->items[c->n]);
    c->n++;
    return true;
}

/* The next rows after the cursor; *rows tells how many there were. */
static bool scan_chunk(struct scan *c, int *rows, struct error *err)
{
    enum db_step step = DB_DONE;
    struct message m;
    struct db_stmt *s = db_prepare(c->db, LISTED_ALL(MESSAGE_COLUMNS) NEWEST_FIRST " LIMIT ?15", err);
    if (!s)
        return false;
    bind_listed(s, c->owner, c->filter, c->from_at, c->from);
    db_bind_int(s, 15, c->left < SCAN_CHUNK ? c->left : SCAN_CHUNK);
    *rows = 0;
    while (c->n < c->want && (step = db_step(s, err)) == DB_ROW) {
        arena_reset(c->row);
        message_read(s, c->row, &m);
        scan_row(c, s, &m);
        c->from_at = m.created_at;
        c->from = m.id;
        ++*rows;
    }
    bool ok = c->n == c->want || step == DB_DONE;
    db_reset(s);
    return ok;
}

/* Until enough matched, all was seen, or the limit of rows is reached. */
static bool scan(struct scan *c, struct error *err)
{
    bool ok;
    int rows;
    c->row = arena_create(8192);
    c->left = c->filter->scan_max ? c->filter->scan_max : SCAN_MAX;
    do {
        ok = scan_chunk(c, &rows, err);
        c->left -= rows;
    } while (ok && rows == SCAN_CHUNK && c->n < c->want && c->left > 0);
    arena_destroy(c->row);
    return ok;
}

/* --- the index of unread messages ----------------------------------------------------------------------------- */

static bool count_row(struct db_stmt *s, int *n, struct error *err)
{
    if (!row_one(s, "no count", err))
        return false;
    *n = (int)db_int(s, 0);
    db_reset(s);
    return true;
}

/* ?3 to ?10 of count_unread and count_asleep. */
static bool count_few(struct db_stmt *s, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                      struct error *err)
{
    inbox_bind_owner(s, o);
    inbox_bind_severities(s, 3, f->severities);
    db_bind_int(s, 7, f->seen);
    db_bind_int(s, 8, f->created_gte ? f->created_gte : INT64_MIN);
    db_bind_int(s, 9, f->created_lte ? f->created_lte : INT64_MAX);
    db_bind_int(s, 10, cap);
    return count_row(s, n, err);
}

/* Everything in the index of unread messages that the filter wants. */
static bool count_unread(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                         struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT count(*) FROM (SELECT 1 FROM messages WHERE " INBOX_IS_UNREAD
                                       " AND severity IN (?3, ?4, ?5, ?6) AND (?7 < 0 OR seen = ?7) AND created_at >= ?8 "
                                       "AND created_at <= ?9 LIMIT ?10) AS t", err);
    return s && count_few(s, o, f, cap, n, err);
}

/* --- lists ----------------------------------------------------------------------------------------------------- */

#define ROWS(which) "SELECT " MESSAGE_COLUMNS " FROM messages WHERE " which
#define PAGE NEWEST_FIRST " LIMIT ?15 OFFSET ?16"
#define LIST(which) ROWS(which) PAGE

/* Which index holds nearly nothing but what the filter wants. Of read ones, archived or not, there are two in order of time. */
static const char *list_text(const struct inbox_filter *f)
{
    if (f->archived == 1)
        return LIST(LISTED_ARCHIVED);
    if (f->snoozed == 1)
        return LIST(LISTED_ASLEEP);
    if (f->read == 1)
        return f->archived == 0 ? LIST(LISTED_READ("= 0")) : ROWS(LISTED_READ("= 0")) " UNION ALL " LIST(LISTED_READ("= 1"));
    return LISTED_ALL(MESSAGE_COLUMNS) PAGE;
}

static bool list_plain(struct scan *c, int64_t offset, struct error *err)
{
    enum db_step step;
    struct db_stmt *s = db_prepare(c->db, list_text(c->filter), err);
    if (!s)
        return false;
    bind_listed(s, c->owner, c->filter, c->from_at, c->from);
    db_bind_int(s, 15, c->want);
    db_bind_int(s, 16, offset);
    while ((step = db_step(s, err)) == DB_ROW)
        message_read(s, c->keep, &c->items[c->n++]);
    db_reset(s);
    return step == DB_DONE;
}

static bool list(struct scan *c, int64_t offset, struct error *err)
{
    bool done;
    c->skip = offset;
    if (!inbox_parts_list(c->db, c->keep, c->owner, c->filter, c->from_at, c->from, offset, c->want, c->items, &c->n, &done, err))
        return false;
    if (done)
        return true;
    c->scanned = inbox_filter_looks_inside(c->filter);
    return c->scanned ? scan(c, err) : list_plain(c, offset, err);
}

bool inbox_list_from(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                     struct id id, int64_t offset, int limit, struct inbox_page *page, struct error *err)
{
    struct scan c = {.db = db, .owner = o, .filter = f, .keep = a, .from_at = at, .from = id,
                     .want = limit + 1, .items = ARENA_ARRAY(a, struct message, limit + 1)};
    if (!list(&c, offset, err))
        return false;
    *page = (struct inbox_page){.items = c.items, .n = (size_t)c.n};
    if (c.n > limit) {
        page->n = (size_t)limit;
        page->has_more = true;
    } else if (c.n > 0 && c.left <= 0 && c.scanned) {
        page->has_more = true;      /* the scan gave up: the client asks again from the last match on */
    }
    return true;
}

bool inbox_list(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, struct id after,
                int64_t offset, int limit, struct inbox_page *page, struct error *err)
{
    struct message m;
    struct error missing = {0};
    if (id_is_zero(after))
        return inbox_list_from(db, a, o, f, INT64_MAX, id_last, offset, limit, page, err);
    if (!inbox_find(db, a, o, after, &m, &missing)) {
        if (missing.code == ERROR_NOT_FOUND)
            return error_set(err, ERROR_BAD_INPUT, "Invalid after id");
        *err = missing;
        return false;
    }
    /* The cursor takes precedence over the offset (inbox-realtime.md §2.2). */
    return inbox_list_from(db, a, o, f, m.created_at, m.id, 0, limit, page, err);
}

static bool find(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, const char *sql,
                 struct message *out, struct error *err)
{
    char hex[ID_HEX + 1];
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    inbox_bind_owner(s, o);
    db_bind_id(s, 3, o->environment);
    db_bind_id(s, 4, id);
    id_hex(id, hex);
    if (!row_one(s, "", err))
        return err && err->code == ERROR_NOT_FOUND
            ? error_set(err, ERROR_NOT_FOUND, "Notification with id: %s is not found.", hex) : false;
    message_read(s, a, out);
    db_reset(s);
    return true;
}

#define FIND "SELECT " MESSAGE_COLUMNS " FROM messages WHERE " INBOX_IS_OWNED " AND environment_id = ?3 AND id = ?4"

bool inbox_find(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, struct message *out,
                struct error *err)
{
    return find(db, a, o, id, FIND, out, err);
}

bool inbox_find_locked(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, struct message *out,
                       struct error *err)
{
    return find(db, a, o, id, FIND " FOR UPDATE", out, err);
}

/* --- counts ---------------------------------------------------------------------------------------------------- */

/* Within a severity unseen entries come first in the index: the first 101 tell both numbers. */
#define SEVERITY_COUNT(n)                                                                                             \
    "SELECT " #n " AS severity, count(*), count(CASE WHEN seen = 0 THEN 1 END) FROM (SELECT seen FROM messages WHERE " INBOX_IS_UNREAD \
    " AND severity = " #n " ORDER BY seen LIMIT ?3) AS s" #n

bool inbox_counts(struct db *db, const struct inbox_owner *o, struct inbox_counts *out, struct error *err)
{
    enum db_step step;
    const int most = INBOX_COUNT_CAP + 1;
    struct db_stmt *s = db_prepare(db, SEVERITY_COUNT(0) " UNION ALL " SEVERITY_COUNT(1) " UNION ALL " SEVERITY_COUNT(2)
                                       " UNION ALL " SEVERITY_COUNT(3), err);
    if (!s)
        return false;
    inbox_bind_owner(s, o);
    db_bind_int(s, 3, most);
    *out = (struct inbox_counts){0};
    while ((step = db_step(s, err)) == DB_ROW) {
        out->by_severity[db_int(s, 0)] = (int)db_int(s, 1);
        out->unread += (int)db_int(s, 1);
        out->unseen += (int)db_int(s, 2);
    }
    db_reset(s);
    out->unread = out->unread > most ? most : out->unread;
    out->unseen = out->unseen > most ? most : out->unseen;
    return step == DB_DONE;
}

#define ONES(which) "SELECT 1 FROM messages WHERE " which
#define COUNT(which) "SELECT count(*) FROM (" ONES(which) " LIMIT ?15) AS t"

/* As list_text. */
static const char *count_text(const struct inbox_filter *f)
{
    if (f->archived == 1)
        return COUNT(LISTED_ARCHIVED);
    if (f->snoozed == 1)
        return COUNT(LISTED_ASLEEP);
    if (inbox_is_severe_only(f))
        return COUNT(LISTED_SEVERE);
    if (f->read == 1)
        return f->archived == 0 ? COUNT(LISTED_READ("= 0"))
                                : "SELECT count(*) FROM (" ONES(LISTED_READ("= 0")) " UNION ALL " ONES(LISTED_READ("= 1")) " LIMIT ?15) AS t";
    return "SELECT count(*) FROM (" LISTED_ALL("1") " LIMIT ?15) AS t";
}

static bool count_listed(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                         struct error *err)
{
    struct db_stmt *s = db_prepare(db, count_text(f), err);
    if (!s)
        return false;
    bind_listed(s, o, f, INT64_MAX, id_last);
    db_bind_int(s, 15, cap);
    return count_row(s, n, err);
}

/* The unread ones that sleep: those that the index of unread messages does not hold. */
static bool count_asleep(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                         struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT count(*) FROM (SELECT 1 FROM messages WHERE " INBOX_IS_ASLEEP
                                       " AND read = 0 AND severity IN (?3, ?4, ?5, ?6) AND (?7 < 0 OR seen = ?7) AND created_at >= ?8 "
                                       "AND created_at <= ?9 LIMIT ?10) AS t", err);
    return s && count_few(s, o, f, cap, n, err);
}

static bool count_scanned(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int cap,
                          int *n, struct error *err)
{
    bool done;
    struct scan c = {.db = db, .owner = o, .filter = f, .from_at = INT64_MAX, .from = id_last, .want = cap};
    if (!inbox_parts_count(db, a, o, f, INT64_MAX, id_last, cap, n, &done, err))
        return false;
    if (done)
        return true;
    bool ok = scan(&c, err);
    *n = c.n;
    return ok;
}

bool inbox_count(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                 struct error *err)
{
    if (inbox_filter_looks_inside(f))
        return count_scanned(db, a, o, f, cap, n, err);
    if (!inbox_is_unread_only(f))
        return count_listed(db, o, f, cap, n, err);
    int asleep = 0;
    if (!count_unread(db, o, f, cap, n, err))
        return false;
    if (*n < cap && inbox_is_unread_asleep_too(f) && !count_asleep(db, o, f, cap - *n, &asleep, err))
        return false;
    *n += asleep;
    return true;
}
