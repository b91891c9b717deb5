/* Pages and counts of what is rare in an Inbox: unread among read ones, one tag of ten. Each is read from an index of just
 * those (0017_inbox_parts.sql), so that it costs the same however much else there is.
 *
 * Such an index has the order of time only within its leading columns. A page is therefore found in two steps: its first
 * and last place, from the newest few entries of each part, which the index alone tells; then the rows between. */
#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/row.h"

#include <stdlib.h>

/* More sets of tags, or places to pass over, than this are left to the scan. */
enum { SETS_MAX = 16, SETS_SEEN_MAX = 64, TAGGED_OFFSET_MAX = 1000 };

#define BEFORE "(created_at, id) < (?3, ?4) AND created_at >= ?5 AND created_at <= ?6"
#define BETWEEN "(created_at, id) <= (?3, ?4) AND (created_at, id) >= (?5, ?6)"
#define PLACES(where) "SELECT created_at, id FROM messages WHERE " where " AND " BEFORE " ORDER BY created_at DESC, id DESC LIMIT ?7"
#define PART(where) "SELECT created_at, id FROM (" PLACES(where) ") AS part"
#define PAGE(parts) "SELECT created_at, id FROM (" parts ") AS parts ORDER BY created_at DESC, id DESC LIMIT ?8 OFFSET ?9"
#define AND_PART " UNION ALL "
#define ROWS(where) "SELECT " MESSAGE_COLUMNS " FROM messages WHERE " where " AND " BETWEEN
#define IN_ORDER " ORDER BY created_at DESC, id DESC"

struct place {
    int64_t at;
    struct id id;
};

struct reader {
    struct db *db;
    struct arena *arena;
    const struct inbox_owner *owner;
    const struct inbox_filter *filter;
    struct place from;                  /* places before this one */
    int64_t offset;
    int want;
    struct str sets[SETS_MAX];          /* of tags, that the filter accepts */
    int sets_n;
};

/* ?1 to ?6 of BEFORE. */
static void bind_before(struct db_stmt *s, const struct reader *r)
{
    inbox_bind_range(s, r->owner, r->filter, r->from.at, r->from.id);
}

/* ?1 to ?6 of BETWEEN. */
static void bind_between(struct db_stmt *s, const struct reader *r, const struct place *first, const struct place *last)
{
    inbox_bind_owner(s, r->owner);
    db_bind_int(s, 3, first->at);
    db_bind_id(s, 4, first->id);
    db_bind_int(s, 5, last->at);
    db_bind_id(s, 6, last->id);
}

/* ?7 to ?9 of PAGE. */
static void bind_page(struct db_stmt *s, const struct reader *r)
{
    db_bind_int(s, 7, r->offset + r->want);
    db_bind_int(s, 8, r->want);
    db_bind_int(s, 9, r->offset);
}

static bool places_read(struct db_stmt *s, const struct reader *r, struct place *out, int *n, struct error *err)
{
    enum db_step step;
    for (*n = 0; (step = db_step(s, err)) == DB_ROW && *n < r->want; ++*n)
        out[*n] = (struct place){db_int(s, 0), db_id(s, 1)};
    db_reset(s);
    return step != DB_FAILED;
}

static bool page_rows(struct db_stmt *s, const struct reader *r, struct message *items, int *n, struct error *err)
{
    enum db_step step;
    for (*n = 0; (step = db_step(s, err)) == DB_ROW && *n < r->want;)
        message_read(s, r->arena, &items[(*n)++]);
    db_reset(s);
    return step != DB_FAILED;
}

/* --- unread ones ------------------------------------------------------------------------------------------------- */

#define UNREAD_PART(severity, seen, not_asked) PART(INBOX_IS_UNREAD " AND severity = " severity " AND seen = " seen " AND ?10 <> " not_asked)
#define UNREAD_PARTS(severity) UNREAD_PART(severity, "0", "1") AND_PART UNREAD_PART(severity, "1", "0")
#define ALL_UNREAD UNREAD_PARTS("?11") AND_PART UNREAD_PARTS("?12") AND_PART UNREAD_PARTS("?13") AND_PART UNREAD_PARTS("?14")
#define ASLEEP(seen, severities) INBOX_IS_ASLEEP " AND read = 0 AND (" seen " < 0 OR seen = " seen ") AND severity IN (" severities ")"
#define UNREAD_ROWS ROWS(INBOX_IS_UNREAD " AND severity IN (?8, ?9, ?10, ?11) AND seen IN (0, 1) AND (?7 < 0 OR seen = ?7)")
#define ASLEEP_ROWS ROWS(ASLEEP("?7", "?8, ?9, ?10, ?11"))

static bool unread_places(const struct reader *r, bool asleep_too, struct place *out, int *n, struct error *err)
{
    struct db_stmt *s = db_prepare(r->db, asleep_too ? PAGE(ALL_UNREAD AND_PART PART(ASLEEP("?10", "?11, ?12, ?13, ?14")))
                                                     : PAGE(ALL_UNREAD), err);
    if (!s)
        return false;
    bind_before(s, r);
    bind_page(s, r);
    db_bind_int(s, 10, r->filter->seen);
    inbox_bind_severities(s, 11, r->filter->severities);
    return places_read(s, r, out, n, err);
}

static bool unread_rows(const struct reader *r, bool asleep_too, const struct place *places, int n, struct message *items, int *read,
                        struct error *err)
{
    struct db_stmt *s = db_prepare(r->db, asleep_too ? UNREAD_ROWS AND_PART ASLEEP_ROWS IN_ORDER : UNREAD_ROWS IN_ORDER, err);
    if (!s)
        return false;
    bind_between(s, r, &places[0], &places[n - 1]);
    db_bind_int(s, 7, r->filter->seen);
    inbox_bind_severities(s, 8, r->filter->severities);
    return page_rows(s, r, items, read, err);
}

static bool unread_list(const struct reader *r, bool asleep_too, struct message *items, int *n, struct error *err)
{
    struct place *places = ARENA_ARRAY(r->arena, struct place, r->want);
    return unread_places(r, asleep_too, places, n, err)
        && (!*n || unread_rows(r, asleep_too, places, *n, items, n, err));
}

/* --- severe ones ------------------------------------------------------------------------------------------------- */

/* Numbered from: read, seen, archived, snoozed. */
#define FLAGS(read, seen, archived, snoozed)                                                                           \
    "(" read " < 0 OR +read = " read ") AND (" seen " < 0 OR +seen = " seen ") AND (" archived " < 0 OR +archived = " archived ") " \
    "AND (" snoozed " < 0 OR CASE WHEN snoozed_until IS NULL THEN 0 ELSE 1 END = " snoozed ")"
#define SEVERE INBOX_IS_PART " AND severity <> 0"
#define SEVERE_PART(severity) PART(SEVERE " AND severity = " severity " AND " FLAGS("?13", "?14", "?15", "?16"))
#define SEVERE_PAGE PAGE(SEVERE_PART("?10") AND_PART SEVERE_PART("?11") AND_PART SEVERE_PART("?12"))
#define SEVERE_ROWS ROWS(SEVERE " AND severity IN (?7, ?8, ?9) AND " FLAGS("?10", "?11", "?12", "?13")) IN_ORDER

static void bind_severe(struct db_stmt *s, int first, const struct inbox_filter *f)
{
    for (int i = 1; i < SEVERITIES; i++)
        db_bind_int(s, first + i - 1, f->severities & 1u << i ? i : -1);
    const int flags[] = {f->read, f->seen, f->archived, f->snoozed};
    for (int i = 0; i < 4; i++)
        db_bind_int(s, first + SEVERITIES - 1 + i, flags[i]);
}

static bool severe_list(const struct reader *r, struct message *items, int *n, struct error *err)
{
    struct place *places = ARENA_ARRAY(r->arena, struct place, r->want);
    struct db_stmt *s = db_prepare(r->db, SEVERE_PAGE, err);
    if (!s)
        return false;
    bind_before(s, r);
    bind_page(s, r);
    bind_severe(s, 10, r->filter);
    if (!places_read(s, r, places, n, err))
        return false;
    if (!*n)
        return true;
    if (!(s = db_prepare(r->db, SEVERE_ROWS, err)))
        return false;
    bind_between(s, r, &places[0], &places[*n - 1]);
    bind_severe(s, 7, r->filter);
    return page_rows(s, r, items, n, err);
}

/* --- one by tag -------------------------------------------------------------------------------------------------- */

/* Numbered from: archived, read (two each), seen, snoozed, severities. */
#define TAGGED_REST(seen, snoozed, severities)                                                                         \
    "(" seen " < 0 OR +seen = " seen ") AND (" snoozed " < 0 OR CASE WHEN snoozed_until IS NULL THEN 0 ELSE 1 END = " snoozed ") " \
    "AND +severity IN (" severities ")"
#define TAGGED INBOX_IS_PART " AND tags = ?8"
#define TAGGED_LAST TAGGED_REST("?13", "?14", "?15, ?16, ?17, ?18")
#define TAGGED_PART(archived, read) PART(TAGGED " AND archived = " archived " AND read = " read " AND " TAGGED_LAST)
#define TAGGED_PLACES                                                                                                  \
    "SELECT created_at, id FROM (" TAGGED_PART("?9", "?11") AND_PART TAGGED_PART("?9", "?12") AND_PART                      \
    TAGGED_PART("?10", "?11") AND_PART TAGGED_PART("?10", "?12") ") AS parts ORDER BY created_at DESC, id DESC LIMIT ?7"
#define TAGGED_ROWS                                                                                                    \
    ROWS(INBOX_IS_PART " AND tags IN (?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) "          \
         "AND archived IN (?23, ?24) AND read IN (?25, ?26) AND " TAGGED_REST("?27", "?28", "?29, ?30, ?31, ?32")) IN_ORDER
#define TAGGED_COUNT                                                                                                   \
    "SELECT count(*) FROM (SELECT 1 FROM messages WHERE " TAGGED " AND " BEFORE " AND archived IN (?9, ?10) "            \
    "AND read IN (?11, ?12) AND " TAGGED_LAST " LIMIT ?7) AS t"

/* From one set of tags to the next through the index. *known: they are few, and none is told by documents only. */
static bool sets_read(struct reader *r, bool *known, struct error *err)
{
    struct str set = STR("");
    *known = false;
    for (int seen = 0; seen < SETS_SEEN_MAX; seen++) {
        yyjson_val *tags = NULL;
        struct db_stmt *s = db_query(r->db, err, "SELECT tags FROM messages WHERE channel < 1 AND subscriber_id = ?1 AND context = ?2 "
                                     "AND tags IS NOT NULL AND tags > ?3 ORDER BY tags LIMIT 1",
                                     r->owner->subscriber, r->owner->context.p ? r->owner->context : STR(""), set);
        enum db_step step = s ? db_step(s, err) : DB_FAILED;
        if (step == DB_FAILED)
            return false;
        if (step == DB_ROW)
            set = row_text(s, 0, r->arena);
        db_reset(s);
        if (step == DB_DONE || str_eq(set, STR(MESSAGE_TAGS_UNKNOWN))) {
            *known = step == DB_DONE;
            return true;
        }
        if (!json_parse(r->arena, set, &tags, NULL) || !inbox_tags_match(r->filter, tags))
            continue;
        if (r->sets_n == SETS_MAX)
            return true;
        r->sets[r->sets_n++] = set;
    }
    return true;
}

/* Both values of a flag that is not asked for; no part is to be read twice. */
static void bind_flag(struct db_stmt *s, int first, int wanted)
{
    db_bind_int(s, first, wanted < 0 ? 0 : wanted);
    db_bind_int(s, first + 1, wanted < 0 ? 1 : -1);
}

/* Eight and more parameters: archived, read, seen, snoozed, severities. */
static void bind_tagged(struct db_stmt *s, int first, const struct inbox_filter *f)
{
    bind_flag(s, first, f->archived);
    bind_flag(s, first + 2, f->read);
    db_bind_int(s, first + 4, f->seen);
    db_bind_int(s, first + 5, f->snoozed);
    inbox_bind_severities(s, first + 6, f->severities);
}

static struct db_stmt *set_query(const struct reader *r, const char *sql, struct str set, int64_t most, struct error *err)
{
    struct db_stmt *s = db_prepare(r->db, sql, err);
    if (!s)
        return NULL;
    bind_before(s, r);
    db_bind_int(s, 7, most);
    db_bind_text(s, 8, set);
    bind_tagged(s, 9, r->filter);
    return s;
}

static int newest_first(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    return a->at != b->at ? (a->at < b->at ? 1 : -1) : -id_cmp(a->id, b->id);
}

/* The newest of all sets, in order. */
static bool tagged_places(const struct reader *r, struct place **out, int *n, struct error *err)
{
    const int most = (int)r->offset + r->want;
    struct place *all = ARENA_ARRAY(r->arena, struct place, most * (r->sets_n + 1));
    struct reader one = *r;
    one.want = most;
    *out = all;
    *n = 0;
    for (int i = 0; i < r->sets_n; i++) {
        int found;
        struct db_stmt *s = set_query(r, TAGGED_PLACES, r->sets[i], most, err);
        if (!s || !places_read(s, &one, all + *n, &found, err))
            return false;
        *n += found;
    }
    qsort(all, (size_t)*n, sizeof *all, newest_first);
    return true;
}

static bool tagged_list(const struct reader *r, struct message *items, int *n, struct error *err)
{
    struct place *places;
    int found;
    *n = 0;
    if (!tagged_places(r, &places, &found, err))
        return false;
    if (found <= r->offset)
        return true;
    int last = found - 1 < r->offset + r->want - 1 ? found - 1 : (int)r->offset + r->want - 1;
    struct db_stmt *s = db_prepare(r->db, TAGGED_ROWS, err);
    if (!s)
        return false;
    bind_between(s, r, &places[r->offset], &places[last]);
    for (int i = 0; i < SETS_MAX; i++)
        db_bind_text(s, 7 + i, i < r->sets_n ? r->sets[i] : STR_NULL);
    bind_tagged(s, 7 + SETS_MAX, r->filter);
    return page_rows(s, r, items, n, err);
}

static bool tagged_count(const struct reader *r, int cap, int *n, struct error *err)
{
    *n = 0;
    for (int i = 0; i < r->sets_n && *n < cap; i++) {
        struct db_stmt *s = set_query(r, TAGGED_COUNT, r->sets[i], cap - *n, err);
        if (!s || !row_one(s, "no count", err))
            return false;
        *n += (int)db_int(s, 0);
        db_reset(s);
    }
    return true;
}

/* --- which ------------------------------------------------------------------------------------------------------- */

static bool is_by_tag(const struct inbox_filter *f, int64_t offset)
{
    return f->tag_groups_n && !f->data && !f->ids && offset <= TAGGED_OFFSET_MAX;
}

bool inbox_parts_list(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                      struct id id, int64_t offset, int want, struct message *items, int *n, bool *done, struct error *err)
{
    struct reader r = {.db = db, .arena = a, .owner = o, .filter = f, .from = {at, id}, .offset = offset, .want = want};
    *done = true;
    if (is_by_tag(f, offset)) {
        return sets_read(&r, done, err) && (!*done || tagged_list(&r, items, n, err));
    }
    if (!inbox_filter_looks_inside(f)) {
        if (inbox_is_unread_only(f))
            return unread_list(&r, inbox_is_unread_asleep_too(f), items, n, err);
        if (inbox_is_severe_only(f))
            return severe_list(&r, items, n, err);
    }
    *done = false;
    return true;
}

bool inbox_parts_count(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                       struct id id, int cap, int *n, bool *done, struct error *err)
{
    struct reader r = {.db = db, .arena = a, .owner = o, .filter = f, .from = {at, id}};
    *done = false;
    return !is_by_tag(f, 0) || (sets_read(&r, done, err) && (!*done || tagged_count(&r, cap, n, err)));
}
