/* Subscribers in the store. */
#include "model/subscriber.h"

#include "model/channel_link.h"
#include "model/people.h"
#include "model/removal.h"
#include "model/row.h"
#include "model/subscriber_channels.h"
#include "model/subscriber_private.h"

static const struct str field_names[SUBSCRIBER_FIELDS + 1] = {
    STR_INIT("firstName"), STR_INIT("lastName"), STR_INIT("email"), STR_INIT("phone"), STR_INIT("avatar"), STR_INIT("locale"),
    STR_INIT("timezone"), STR_INIT("data"), STR_INIT("channels"), STR_INIT("subscriberId")};

const char *subscriber_field_name(enum subscriber_field f)
{
    return field_names[f].p;
}

void subscriber_read(struct db_stmt *s, int first, struct arena *a, struct subscriber *out)
{
    *out = (struct subscriber){
        .id = db_id(s, first), .environment = db_id(s, first + 1), .subscriber_id = row_text(s, first + 2, a)};
    for (int i = 0; i < SUBSCRIBER_FIELDS; i++)
        out->field[i] = row_text(s, first + 3 + i, a);
    out->is_online = db_is_null(s, first + 12) ? -1 : (int)db_int(s, first + 12);
    out->last_online_at = db_int(s, first + 13);
    out->created_at = db_int(s, first + 14);
    out->updated_at = db_int(s, first + 15);
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
    yyjson_val *members[SUBSCRIBER_FIELDS + 1];
    size_t bad = 0;
    json_members(obj, field_names, SUBSCRIBER_FIELDS + 1, members);
    *p = (struct subscriber_patch){.subscriber_id = str_trim(json_str(members[SUBSCRIBER_FIELDS]))};
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++) {
        yyjson_val *v = members[f];
        if (!v)
            continue;
        if (!field_type_ok((enum subscriber_field)f, v)) {
            messages[bad++] = str_fmt(a, "%s must be %s", field_names[f].p,
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

#define FIND "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE environment_id = ?1 AND subscriber_id = ?2"
#define FIND_BY_ID "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE environment_id = ?1 AND id = ?2"

static bool find(struct db_stmt *s, struct arena *a, struct subscriber *out, struct error *err)
{
    if (!s || !row_one(s, "Subscriber not found", err))
        return false;
    subscriber_read(s, 0, a, out);
    db_reset(s);
    return true;
}

bool subscriber_find(struct db *db, struct arena *a, struct id environment, struct str subscriber_id,
                     struct subscriber *out, struct error *err)
{
    return find(db_query(db, err, FIND, environment, subscriber_id), a, out, err);
}

bool subscriber_find_locked(struct db *db, struct arena *a, struct id environment, struct str subscriber_id,
                            struct subscriber *out, struct error *err)
{
    return find(db_query(db, err, FIND " FOR UPDATE", environment, subscriber_id), a, out, err);
}

bool subscriber_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct subscriber *out,
                           struct error *err)
{
    return find(db_query(db, err, FIND_BY_ID, environment, id), a, out, err);
}

bool subscriber_find_by_id_locked(struct db *db, struct arena *a, struct id environment, struct id id, struct subscriber *out,
                                  struct error *err)
{
    return find(db_query(db, err, FIND_BY_ID " FOR UPDATE", environment, id), a, out, err);
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
    struct db_stmt *s = db_query(db, err, sql, new_id, environment, p->subscriber_id);
    if (!s)
        return false;
    people_note_name(db, environment, p->subscriber_id);
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
    people_note_name(db, environment, p->subscriber_id);
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
    people_note_id(db, id);
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!online)
        db_bind_int(s, 3, now);
    return db_run(s, err);
}

bool subscriber_set_channels(struct db *db, struct id environment, struct id id, struct str channels, int64_t now, struct error *err)
{
    people_note_id(db, id);
    return db_write(db, err, "UPDATE subscribers SET channels = ?1, updated_at = ?2 WHERE environment_id = ?3 AND id = ?4",
                    channels, now, environment, id);
}

bool subscriber_clear_online(struct db *db, int64_t now, struct error *err)
{
    people_note_all(db);
    return db_write(db, err, "UPDATE subscribers SET is_online = 0, last_online_at = ?1 WHERE is_online = 1", now);
}

bool subscriber_delete(struct db *db, struct id environment, struct str subscriber_id, int64_t now, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "DELETE FROM subscribers WHERE environment_id = ?1 AND subscriber_id = ?2 RETURNING id",
                                 environment, subscriber_id);
    if (!s)
        return false;
    people_note_name(db, environment, subscriber_id);
    if (!row_one(s, "Subscriber was not found", err))
        return false;
    struct id id = db_id(s, 0);
    db_reset(s);
    return channel_links_delete_by_subscriber(db, environment, subscriber_id, err)
        && removal_begin(db, &(struct removal){.ref = id, .environment = environment, .kind = REMOVAL_SUBSCRIBER}, now, err);
}

/* Runs a statement about ?2 in environment ?1. */
static bool erase_by(struct db *db, const char *sql, struct id environment, struct str value, struct error *err)
{
    return db_write(db, err, sql, environment, value);
}

/* Answers that were kept for a repeated request: they tell of nobody else's environment only by the id that is in them. */
static bool answers_erase(struct db *db, struct arena *a, const struct subscriber *p, struct error *err)
{
    return db_write(db, err, "DELETE FROM idempotency_keys WHERE lower(answer) LIKE ?1 ESCAPE '\\'",
                    row_contains(a, id_str(a, p->id)));
}

static bool erasure_note(struct db *db, const struct subscriber *p, struct id note, struct id user, int64_t now, struct error *err)
{
    return db_write(db, err,
                    "INSERT INTO erasures (id, environment_id, user_id, subject, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                    note, p->environment, user, p->id, now);
}

bool subscriber_erase(struct db *db, struct arena *a, struct id environment, struct str subscriber_id, struct id note, struct id user,
                      int64_t now, struct error *err)
{
    static const char by_recipient[] = "DELETE FROM outbox WHERE environment_id = ?1 AND recipient = ?2";
    struct subscriber p;
    if (!subscriber_find(db, a, environment, subscriber_id, &p, err))
        return err->code == ERROR_NOT_FOUND ? error_set(err, ERROR_NOT_FOUND, "Subscriber was not found") : false;
    struct removal r = {.ref = p.id, .environment = environment, .kind = REMOVAL_PERSON, .subscriber_id = subscriber_id};
    people_note_name(db, environment, subscriber_id);
    return erase_by(db, "DELETE FROM subscribers WHERE environment_id = ?1 AND subscriber_id = ?2", environment, subscriber_id, err)
        && erase_by(db, by_recipient, environment, subscriber_id, err)
        && erase_by(db, by_recipient, environment, p.field[SUBSCRIBER_EMAIL], err)
        && erase_by(db, by_recipient, environment, p.field[SUBSCRIBER_PHONE], err)
        && channel_links_delete_by_subscriber(db, environment, subscriber_id, err)
        && erase_by(db, "DELETE FROM request_log WHERE environment_id = ?1 AND lower(path) LIKE ?2 ESCAPE '\\'", environment,
                    row_contains(a, str_fmt(a, "/subscribers/%.*s", STR_ARG(subscriber_id))), err)
        && answers_erase(db, a, &p, err) && erasure_note(db, &p, note, user, now, err) && removal_begin(db, &r, now, err);
}

/* --- lists ------------------------------------------------------------------------------------------ */

static void filter_bind(struct db_stmt *s, const void *arg)
{
    const struct subscriber_query *q = arg;     /* its texts are patterns by now */
    if (q->email.n)
        db_bind_text(s, 5, q->email);
    if (q->phone.n)
        db_bind_text(s, 6, q->phone);
    if (q->name.n)
        db_bind_text(s, 7, q->name);
    if (q->subscriber_id.n)
        db_bind_text(s, 8, q->subscriber_id);
}

static void item_read(struct db_stmt *s, struct arena *a, void *item)
{
    subscriber_read(s, 0, a, item);
}

bool subscriber_list(struct db *db, struct arena *a, struct id environment, const struct subscriber_query *q,
                     struct page *page, struct error *err)
{
    struct subscriber_query patterns = *q;
    struct buf filter = {.arena = a};
    struct page_source source = {.columns = SUBSCRIBER_COLUMNS, .from = "subscribers", .id = "id", .scope = "environment_id = ?1",
                                 .by = q->page.by_updated_at ? "updated_at" : NULL, .bind = filter_bind, .read = item_read,
                                 .item_size = sizeof(struct subscriber), .arg = &patterns};
    if (q->email.n) {
        buf_z(&filter, " AND lower(email) LIKE ?5 ESCAPE '\\'");
        patterns.email = row_contains(a, q->email);
    }
    if (q->phone.n) {
        buf_z(&filter, " AND lower(phone) LIKE ?6 ESCAPE '\\'");
        patterns.phone = row_contains(a, q->phone);
    }
    if (q->name.n) {
        buf_z(&filter, " AND lower(coalesce(first_name, '') || ' ' || coalesce(last_name, '')) LIKE ?7 ESCAPE '\\'");
        patterns.name = row_contains(a, q->name);
    }
    if (q->subscriber_id.n)
        buf_z(&filter, " AND subscriber_id = ?8");
    source.filter = buf_finish(&filter);
    return page_read(db, a, environment, &source, &q->page, page, err);
}

yyjson_mut_val *subscriber_json(yyjson_mut_doc *d, const struct subscriber *s, struct id organization)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", s->id);
    json_add_str(d, o, "subscriberId", s->subscriber_id);
    for (int f = 0; f < SUBSCRIBER_DATA; f++)
        if (s->field[f].p)
            json_add_str(d, o, field_names[f].p, s->field[f]);
    json_add_text(d, o, "data", s->field[SUBSCRIBER_DATA].p ? s->field[SUBSCRIBER_DATA] : STR("{}"));
    channels_add(d, o, s->field[SUBSCRIBER_CHANNELS]);
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

bool subscriber_next(struct db *db, struct arena *a, struct id environment, struct id after, int64_t created_by, size_t max,
                     struct subscriber **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " SUBSCRIBER_COLUMNS " FROM subscribers WHERE environment_id = ?1 AND id > ?2 "
                                       "AND created_at <= ?3 ORDER BY id LIMIT ?4", err);
    enum db_step step;
    *n = 0;
    if (!s)
        return false;
    *out = ARENA_ARRAY(a, struct subscriber, max);
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, after);
    db_bind_int(s, 3, created_by);
    db_bind_int(s, 4, (int64_t)max);
    while (*n < max && (step = db_step(s, err)) != DB_DONE) {
        if (step == DB_FAILED)
            return false;
        subscriber_read(s, 0, a, &(*out)[(*n)++]);
    }
    db_reset(s);
    return true;
}

bool subscriber_count(struct db *db, struct id environment, int64_t created_by, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM subscribers WHERE environment_id = ?1 AND created_at <= ?2",
                                 environment, created_by);
    return row_int(s, n, err);
}

bool subscriber_by_email(struct db *db, struct arena *a, struct id environment, const struct str *emails, size_t emails_n, struct str text,
                         size_t max, struct id *out, size_t *n, struct error *err)
{
    struct buf sql = {.arena = a};
    enum db_step step;
    buf_z(&sql, "SELECT id FROM subscribers WHERE environment_id = ?1 AND (subscriber_id = ?3");
    if (text.n)
        buf_z(&sql, " OR lower(email) LIKE ?4 ESCAPE '\\'");
    for (size_t i = 0; i < emails_n; i++)
        buf_fmt(&sql, "%s?%zu", i ? ", " : " OR email IN (", i + 5);
    buf_z(&sql, emails_n ? ")) ORDER BY id DESC LIMIT ?2" : ") ORDER BY id DESC LIMIT ?2");
    struct db_stmt *s = db_query(db, err, buf_finish(&sql).p, environment, (int64_t)max);
    if (!s)
        return false;
    db_bind_text(s, 3, text);
    if (text.n)
        db_bind_text(s, 4, row_contains(a, text));
    for (size_t i = 0; i < emails_n; i++)
        db_bind_text(s, (int)i + 5, emails[i]);
    for (*n = 0; (step = db_step(s, err)) == DB_ROW;)
        out[(*n)++] = db_id(s, 0);
    db_reset(s);
    return step == DB_DONE;
}
