/* Subscribers in the store. */
#include "model/subscriber.h"

#include "model/row.h"

#define SUBSCRIBER_COLUMNS                                                                                            \
    "id, environment_id, subscriber_id, first_name, last_name, email, phone, avatar, locale, timezone, data, channels, " \
    "is_online, last_online_at, created_at, updated_at"

static const char *const field_names[SUBSCRIBER_FIELDS] = {"firstName", "lastName", "email", "phone", "avatar",
                                                           "locale", "timezone", "data", "channels"};

static void subscriber_read(struct db_stmt *s, struct arena *a, struct subscriber *out)
{
    *out = (struct subscriber){.id = db_id(s, 0), .environment = db_id(s, 1), .subscriber_id = row_text(s, 2, a)};
    for (int i = 0; i < SUBSCRIBER_FIELDS; i++)
        out->field[i] = row_text(s, 3 + i, a);
    out->is_online = db_is_null(s, 12) ? -1 : (int)db_int(s, 12);
    out->last_online_at = db_int(s, 13);
    out->created_at = db_int(s, 14);
    out->updated_at = db_int(s, 15);
}

bool subscriber_id_valid(struct str s)
{
    if (s.n == 0 || s.n > 1024)
        return false;
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        characters += (c & 0xc0) != 0x80;
    }
    return characters <= 256;
}

static bool field_type_ok(enum subscriber_field f, yyjson_val *v)
{
    if (yyjson_is_null(v))
        return f != SUBSCRIBER_CHANNELS;
    if (f == SUBSCRIBER_DATA)
        return yyjson_is_obj(v);
    if (f == SUBSCRIBER_CHANNELS)
        return yyjson_is_arr(v);
    /* The store takes no NUL: refused here, it does not spoil what else is written with it. */
    return yyjson_is_str(v) && !memchr(yyjson_get_str(v), 0, yyjson_get_len(v));
}

size_t subscriber_patch_read(struct arena *a, yyjson_val *obj, struct subscriber_patch *p, struct str *messages)
{
    size_t bad = 0;
    *p = (struct subscriber_patch){.subscriber_id = str_trim(json_get_str(obj, "subscriberId"))};
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++) {
        yyjson_val *v = json_get(obj, field_names[f]);
        if (!v)
            continue;
        if (!field_type_ok((enum subscriber_field)f, v)) {
            messages[bad++] = str_fmt(a, "%s must be %s", field_names[f],
                                      f == SUBSCRIBER_DATA ? "an object" : f == SUBSCRIBER_CHANNELS ? "an array" : "a string");
            continue;
        }
        p->present |= 1u << f;
        if (yyjson_is_str(v))
            p->field[f] = json_str(v);
        else if (!yyjson_is_null(v))
            p->field[f] = json_write(a, v);
    }
    return bad;
}

bool subscriber_patch_changes(const struct subscriber_patch *p, const struct subscriber *s)
{
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        if (p->present & 1u << f && (!p->field[f].p != !s->field[f].p || !str_eq(p->field[f], s->field[f])))
            return true;
    return false;
}

void subscriber_patch_apply(const struct subscriber_patch *p, struct subscriber *s)
{
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        if (p->present & 1u << f)
            s->field[f] = p->field[f];
}

bool subscriber_find(struct db *db, struct arena *a, struct id environment, struct str subscriber_id,
                     struct subscriber *out, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE environment_id = ?1 AND subscriber_id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, subscriber_id);
    if (!row_one(s, "Subscriber not found", err))
        return false;
    subscriber_read(s, a, out);
    db_reset(s);
    return true;
}

bool subscriber_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct subscriber *out,
                           struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!row_one(s, "Subscriber not found", err))
        return false;
    subscriber_read(s, a, out);
    db_reset(s);
    return true;
}

static void bind_fields(struct db_stmt *s, int first, const struct subscriber_patch *p)
{
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        db_bind_text(s, first + f, p->field[f]);
}

bool subscriber_upsert(struct db *db, struct id environment, const struct subscriber_patch *p, struct id new_id,
                       int64_t now, struct id *id, struct error *err)
{
    static const char sql[] =
        "INSERT INTO subscribers (id, environment_id, subscriber_id, first_name, last_name, email, phone, avatar, locale, "
        "timezone, data, channels, created_at, updated_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13) "
        "ON CONFLICT (environment_id, subscriber_id) DO UPDATE SET "
        "first_name = CASE WHEN (?14 & 1) <> 0 THEN excluded.first_name ELSE subscribers.first_name END, "
        "last_name = CASE WHEN (?14 & 2) <> 0 THEN excluded.last_name ELSE subscribers.last_name END, "
        "email = CASE WHEN (?14 & 4) <> 0 THEN excluded.email ELSE subscribers.email END, "
        "phone = CASE WHEN (?14 & 8) <> 0 THEN excluded.phone ELSE subscribers.phone END, "
        "avatar = CASE WHEN (?14 & 16) <> 0 THEN excluded.avatar ELSE subscribers.avatar END, "
        "locale = CASE WHEN (?14 & 32) <> 0 THEN excluded.locale ELSE subscribers.locale END, "
        "timezone = CASE WHEN (?14 & 64) <> 0 THEN excluded.timezone ELSE subscribers.timezone END, "
        "data = CASE WHEN (?14 & 128) <> 0 THEN excluded.data ELSE subscribers.data END, "
        "channels = CASE WHEN (?14 & 256) <> 0 THEN excluded.channels ELSE subscribers.channels END, "
        "updated_at = excluded.updated_at RETURNING id";
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    db_bind_id(s, 1, new_id);
    db_bind_id(s, 2, environment);
    db_bind_text(s, 3, p->subscriber_id);
    bind_fields(s, 4, p);
    db_bind_int(s, 13, now);
    db_bind_int(s, 14, p->present);
    if (!row_one(s, "no row returned", err))
        return false;
    *id = db_id(s, 0);
    db_reset(s);
    return true;
}

bool subscriber_update(struct db *db, struct id environment, const struct subscriber_patch *p, int64_t now,
                       struct error *err)
{
    static const char sql[] =
        "UPDATE subscribers SET "
        "first_name = CASE WHEN (?12 & 1) <> 0 THEN ?1 ELSE first_name END, "
        "last_name = CASE WHEN (?12 & 2) <> 0 THEN ?2 ELSE last_name END, "
        "email = CASE WHEN (?12 & 4) <> 0 THEN ?3 ELSE email END, "
        "phone = CASE WHEN (?12 & 8) <> 0 THEN ?4 ELSE phone END, "
        "avatar = CASE WHEN (?12 & 16) <> 0 THEN ?5 ELSE avatar END, "
        "locale = CASE WHEN (?12 & 32) <> 0 THEN ?6 ELSE locale END, "
        "timezone = CASE WHEN (?12 & 64) <> 0 THEN ?7 ELSE timezone END, "
        "data = CASE WHEN (?12 & 128) <> 0 THEN ?8 ELSE data END, "
        "channels = CASE WHEN (?12 & 256) <> 0 THEN ?9 ELSE channels END, "
        "updated_at = ?10 WHERE environment_id = ?11 AND subscriber_id = ?13";
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    bind_fields(s, 1, p);
    db_bind_int(s, 10, now);
    db_bind_id(s, 11, environment);
    db_bind_int(s, 12, p->present);
    db_bind_text(s, 13, p->subscriber_id);
    if (!db_run(s, err))
        return false;
    return db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Subscriber %.*s was not found", STR_ARG(p->subscriber_id));
}

bool subscriber_set_online(struct db *db, struct id environment, struct id id, bool online, int64_t now,
                           struct error *err)
{
    struct db_stmt *s = online
        ? db_prepare(db, "UPDATE subscribers SET is_online = 1 WHERE environment_id = ?1 AND id = ?2", err)
        : db_prepare(db, "UPDATE subscribers SET is_online = 0, last_online_at = ?3 WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!online)
        db_bind_int(s, 3, now);
    return db_run(s, err);
}

bool subscriber_clear_online(struct db *db, int64_t now, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "UPDATE subscribers SET is_online = 0, last_online_at = ?1 WHERE is_online = 1", err);
    if (!s)
        return false;
    db_bind_int(s, 1, now);
    return db_run(s, err);
}

static bool run_with_id(struct db *db, const char *sql, struct id id, struct error *err)
{
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    db_bind_id(s, 1, id);
    return db_run(s, err);
}

bool subscriber_delete(struct db *db, struct id environment, struct str subscriber_id, struct error *err)
{
    struct db_stmt *s = db_prepare(
        db, "DELETE FROM subscribers WHERE environment_id = ?1 AND subscriber_id = ?2 RETURNING id", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, subscriber_id);
    if (!row_one(s, "Subscriber was not found", err))
        return false;
    struct id id = db_id(s, 0);
    db_reset(s);
    return run_with_id(db, "DELETE FROM messages WHERE run_id IN (SELECT id FROM runs WHERE subscriber_id = ?1)", id, err)
        && run_with_id(db, "DELETE FROM queue WHERE ref IN (SELECT id FROM runs WHERE subscriber_id = ?1)", id, err)
        && run_with_id(db, "DELETE FROM runs WHERE subscriber_id = ?1", id, err);
}

/* --- lists ------------------------------------------------------------------------------------------ */

enum { COUNT_CAP = 50000 };

/* LIKE pattern for "contains", with its own wildcards escaped by a backslash. */
static struct str contains_pattern(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    buf_char(&b, '%');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
            buf_char(&b, '\\');
        buf_char(&b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
    }
    buf_char(&b, '%');
    return buf_finish(&b);
}

static void filter_sql(struct buf *b, const struct subscriber_query *q)
{
    buf_z(b, "environment_id = ?1");
    if (q->email.n)
        buf_z(b, " AND lower(email) LIKE ?2 ESCAPE '\\'");
    if (q->phone.n)
        buf_z(b, " AND lower(phone) LIKE ?3 ESCAPE '\\'");
    if (q->name.n)
        buf_z(b, " AND lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '')) LIKE ?4 ESCAPE '\\'");
    if (q->subscriber_id.n)
        buf_z(b, " AND subscriber_id = ?5");
}

static void bind_filter(struct db_stmt *s, struct arena *a, struct id environment, const struct subscriber_query *q)
{
    db_bind_id(s, 1, environment);
    if (q->email.n)
        db_bind_text(s, 2, contains_pattern(a, q->email));
    if (q->phone.n)
        db_bind_text(s, 3, contains_pattern(a, q->phone));
    if (q->name.n)
        db_bind_text(s, 4, contains_pattern(a, q->name));
    if (q->subscriber_id.n)
        db_bind_text(s, 5, q->subscriber_id);
}

static bool count_matches(struct db *db, struct arena *a, struct id environment, const struct subscriber_query *q,
                          struct subscriber_page *page, struct error *err)
{
    struct buf sql = {.arena = a};
    buf_z(&sql, "SELECT count(*) FROM (SELECT 1 FROM subscribers WHERE ");
    filter_sql(&sql, q);
    buf_z(&sql, " LIMIT 50001) AS capped");
    struct db_stmt *s = db_prepare(db, buf_finish(&sql).p, err);
    if (!s)
        return false;
    bind_filter(s, a, environment, q);
    if (!row_one(s, "no count", err))
        return false;
    page->total = db_int(s, 0);
    page->total_capped = page->total > COUNT_CAP;
    if (page->total_capped)
        page->total = COUNT_CAP;
    db_reset(s);
    return true;
}

/* Keyset pages over (id) or (updated_at, id): rows beyond the cursor in the direction of reading. */
static struct str page_sql(struct arena *a, const struct subscriber_query *q, bool has_cursor, bool reading_down)
{
    const char *key = q->by_updated_at ? "(updated_at, id)" : "id";
    const char *bound = q->by_updated_at ? "(?6, ?7)" : "?7";
    const char *order = reading_down ? "DESC" : "ASC";
    const char *beyond = reading_down ? (q->include_cursor ? "<=" : "<") : (q->include_cursor ? ">=" : ">");
    struct buf b = {.arena = a};
    buf_z(&b, "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE ");
    filter_sql(&b, q);
    if (has_cursor)
        buf_fmt(&b, " AND %s %s %s", key, beyond, bound);
    if (q->by_updated_at)
        buf_fmt(&b, " ORDER BY updated_at %s, id %s LIMIT ?8", order, order);
    else
        buf_fmt(&b, " ORDER BY id %s LIMIT ?8", order);
    return buf_finish(&b);
}

/* Is there anything before (after, for pages that are read backwards) the cursor? */
static bool behind_exists(struct db *db, struct arena *a, struct id environment, const struct subscriber_query *q,
                          const struct subscriber *cursor, bool *exists, struct error *err)
{
    struct subscriber_query other = *q;
    bool backwards = !id_is_zero(q->before);
    other.include_cursor = false;
    struct db_stmt *s = db_prepare(db, page_sql(a, &other, true, q->ascending != backwards).p, err);
    if (!s)
        return false;
    bind_filter(s, a, environment, q);
    if (q->by_updated_at)
        db_bind_int(s, 6, cursor->updated_at);
    db_bind_id(s, 7, cursor->id);
    db_bind_int(s, 8, 1);
    enum db_step step = db_step(s, err);
    db_reset(s);
    *exists = step == DB_ROW;
    return step != DB_FAILED;
}

bool subscriber_list(struct db *db, struct arena *a, struct id environment, const struct subscriber_query *q,
                     struct subscriber_page *page, struct error *err)
{
    struct id cursor = id_is_zero(q->before) ? q->after : q->before;
    bool has_cursor = !id_is_zero(cursor), backwards = !id_is_zero(q->before);
    bool down = q->ascending == backwards;
    struct subscriber at = {.updated_at = 0};
    *page = (struct subscriber_page){.items = ARENA_ARRAY(a, struct subscriber, q->limit + 1)};
    if (has_cursor) {
        struct error missing;
        if (!subscriber_find_by_id(db, a, environment, cursor, &at, &missing))
            return missing.code == ERROR_NOT_FOUND || (*err = missing, false);   /* unknown cursor: an empty page */
    }
    if (!count_matches(db, a, environment, q, page, err))
        return false;
    struct db_stmt *s = db_prepare(db, page_sql(a, q, has_cursor, down).p, err);
    enum db_step step;
    if (!s)
        return false;
    bind_filter(s, a, environment, q);
    if (has_cursor && q->by_updated_at)
        db_bind_int(s, 6, at.updated_at);
    if (has_cursor)
        db_bind_id(s, 7, cursor);
    db_bind_int(s, 8, q->limit + 1);
    while ((step = db_step(s, err)) == DB_ROW)
        subscriber_read(s, a, &page->items[page->n++]);
    db_reset(s);
    if (step != DB_DONE)
        return false;
    bool more = page->n > (size_t)q->limit;
    if (more)
        page->n = (size_t)q->limit;
    if (backwards)
        for (size_t i = 0; i < page->n / 2; i++) {
            struct subscriber t = page->items[i];
            page->items[i] = page->items[page->n - 1 - i];
            page->items[page->n - 1 - i] = t;
        }
    /* What lies on the other side of the cursor: the cursor itself, unless it is part of the page. */
    bool behind = has_cursor;
    if (page->n && has_cursor && q->include_cursor && !behind_exists(db, a, environment, q, &at, &behind, err))
        return false;
    if (page->n) {
        if (backwards ? behind : more)
            page->next = page->items[page->n - 1].id;
        if (backwards ? more : behind)
            page->previous = page->items[0].id;
    }
    return true;
}

yyjson_mut_val *subscriber_json(yyjson_mut_doc *d, const struct subscriber *s, struct id organization)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", s->id);
    json_add_str(d, o, "subscriberId", s->subscriber_id);
    for (int f = 0; f < SUBSCRIBER_DATA; f++)
        if (s->field[f].p)
            json_add_str(d, o, field_names[f], s->field[f]);
    json_add_text(d, o, "data", s->field[SUBSCRIBER_DATA].p ? s->field[SUBSCRIBER_DATA] : STR("{}"));
    json_add_text(d, o, "channels", s->field[SUBSCRIBER_CHANNELS].p ? s->field[SUBSCRIBER_CHANNELS] : STR("[]"));
    if (s->is_online < 0)
        json_add_str(d, o, "isOnline", STR_NULL);
    else
        json_add_bool(d, o, "isOnline", s->is_online);
    if (s->last_online_at)
        json_add_time(d, o, "lastOnlineAt", s->last_online_at);
    else
        json_add_str(d, o, "lastOnlineAt", STR_NULL);
    json_add_id(d, o, "_organizationId", organization);
    json_add_id(d, o, "_environmentId", s->environment);
    json_add_bool(d, o, "deleted", false);
    json_add_time(d, o, "createdAt", s->created_at);
    json_add_time(d, o, "updatedAt", s->updated_at);
    return o;
}
