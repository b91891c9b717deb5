/* Topics and subscriptions in the store. */
#include "model/topic.h"

#include "model/preference.h"
#include "model/removal.h"
#include "model/row.h"
#include "model/subscriber_private.h"

#define TOPIC_COLUMNS_OF(p) p "id, " p "environment_id, " p "key, " p "name, " p "data, " p "created_at, " p "updated_at"
#define TOPIC_COLUMNS TOPIC_COLUMNS_OF("")
#define SUBSCRIPTION_COLUMNS_OF(p)                                                                                     \
    p "id, " p "environment_id, " p "topic_id, " p "subscriber_id, " p "identifier, " p "name, " p "context, " p "created_at, " \
    p "updated_at"
#define SUBSCRIPTION_COLUMNS SUBSCRIPTION_COLUMNS_OF("")
enum { TOPIC_COLUMNS_N = 7, SUBSCRIPTION_COLUMNS_N = 9 };

static void topic_read(struct db_stmt *s, int first, struct arena *a, struct topic *t)
{
    *t = (struct topic){
        .id = db_id(s, first),
        .environment = db_id(s, first + 1),
        .key = row_text(s, first + 2, a),
        .name = row_text(s, first + 3, a),
        .data = row_text(s, first + 4, a),
        .created_at = db_int(s, first + 5),
        .updated_at = db_int(s, first + 6),
    };
}

static void subscription_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct topic_subscription *)out = (struct topic_subscription){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .topic = db_id(s, 2),
        .subscriber = db_id(s, 3),
        .identifier = row_text(s, 4, a),
        .name = row_text(s, 5, a),
        .context = row_text(s, 6, a),
        .created_at = db_int(s, 7),
        .updated_at = db_int(s, 8),
    };
}

/* --- topics -------------------------------------------------------------------------------------------- */

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_:.-", c));
}

/* \S+@\S+\.\S+ of a text without white space: something before an @, and after it a dot with something around. */
static bool is_email(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    for (size_t at = 1; at < s.n; at++)
        for (size_t dot = at + 2; s.p[at] == '@' && dot + 1 < s.n; dot++)
            if (s.p[dot] == '.')
                return true;
    return false;
}

bool topic_key_valid(struct str key)
{
    size_t i = 0;
    if (!key.n || key.n > TOPIC_KEY_MAX)
        return false;
    while (i < key.n && is_key_character(key.p[i]))
        i++;
    return i == key.n || is_email(key);
}

static bool topic_one(struct db_stmt *s, struct arena *a, struct topic *out, struct error *err)
{
    if (!row_one(s, "Topic not found", err))
        return false;
    topic_read(s, 0, a, out);
    db_reset(s);
    return true;
}

bool topic_upsert(struct db *db, struct arena *a, struct topic *t, bool *created, struct error *err)
{
    struct id fresh = t->id;
    struct db_stmt *s = db_query(
            db, err,
            "INSERT INTO topics (id, environment_id, key, name, data, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) "
            "ON CONFLICT (environment_id, key) DO UPDATE SET "
            "name = CASE WHEN excluded.name <> '' THEN excluded.name ELSE topics.name END, "
            "data = coalesce(excluded.data, topics.data), "
            "updated_at = CASE WHEN excluded.name <> '' OR excluded.data IS NOT NULL THEN excluded.updated_at "
            "ELSE topics.updated_at END RETURNING " TOPIC_COLUMNS,
            t->id, t->environment, t->key, t->name.n ? t->name : STR(""), t->data, t->updated_at);
    if (!s)
        return false;
    if (!topic_one(s, a, t, err))
        return false;
    *created = id_eq(t->id, fresh);
    return true;
}

#define FIND "SELECT " TOPIC_COLUMNS " FROM topics WHERE environment_id = ?1 AND key = ?2"

bool topic_find(struct db *db, struct arena *a, struct id environment, struct str key, struct topic *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, FIND, environment, key);
    return s && topic_one(s, a, out, err);
}

bool topic_find_locked(struct db *db, struct arena *a, struct id environment, struct str key, struct topic *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, FIND " FOR UPDATE", environment, key);
    return s && topic_one(s, a, out, err);
}

bool topic_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct topic *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " TOPIC_COLUMNS " FROM topics WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    if (!s)
        return false;
    return topic_one(s, a, out, err);
}

bool topic_update(struct db *db, const struct topic *t, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "UPDATE topics SET name = ?1, data = ?2, updated_at = ?3 WHERE environment_id = ?4 AND id = ?5",
            t->name, t->data, t->updated_at, t->environment, t->id);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Topic not found"));
}

bool topic_delete(struct db *db, struct id environment, struct id id, int64_t now, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM topics WHERE environment_id = ?1 AND id = ?2", environment, id);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Topic not found"))
        && removal_begin(db, &(struct removal){.ref = id, .environment = environment, .kind = REMOVAL_TOPIC}, now, err);
}

static void topic_item_read(struct db_stmt *s, struct arena *a, void *item)
{
    topic_read(s, 0, a, item);
}

static void topic_filter_bind(struct db_stmt *s, const void *arg)
{
    const struct topic_query *q = arg;          /* its texts are patterns by now */
    if (q->key.n)
        db_bind_text(s, 5, q->key);
    if (q->name.n)
        db_bind_text(s, 6, q->name);
}

bool topic_list(struct db *db, struct arena *a, struct id environment, const struct topic_query *q, struct page *page,
                struct error *err)
{
    struct topic_query patterns = *q;
    struct buf filter = {.arena = a};
    struct page_source source = {.columns = TOPIC_COLUMNS, .from = "topics", .id = "id", .scope = "environment_id = ?1",
                                 .by = q->by_key ? "key" : q->page.by_updated_at ? "updated_at" : NULL, .by_text = q->by_key,
                                 .bind = topic_filter_bind,
                                 .read = topic_item_read, .item_size = sizeof(struct topic), .arg = &patterns};
    if (q->key.n) {
        buf_z(&filter, " AND lower(key) LIKE ?5 ESCAPE '\\'");
        patterns.key = row_contains(a, q->key);
    }
    if (q->name.n) {
        buf_z(&filter, " AND lower(name) LIKE ?6 ESCAPE '\\'");
        patterns.name = row_contains(a, q->name);
    }
    source.filter = buf_finish(&filter);
    return page_read(db, a, environment, &source, &q->page, page, err);
}

yyjson_mut_val *topic_json(yyjson_mut_doc *d, const struct topic *t)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", t->id);
    json_add_str(d, o, "key", t->key);
    if (t->name.n)
        json_add_str(d, o, "name", t->name);
    json_add_text(d, o, "data", t->data);
    json_add_time(d, o, "createdAt", t->created_at);
    json_add_time(d, o, "updatedAt", t->updated_at);
    return o;
}

/* --- subscriptions --------------------------------------------------------------------------------------- */

struct str topic_subscription_identifier(struct arena *a, struct str topic_key, struct str subscriber_id, struct str context)
{
    return str_fmt(a, "tk_%.*s:si_%.*s%s%.*s", STR_ARG(topic_key), STR_ARG(subscriber_id), context.n ? ":ctx_" : "", STR_ARG(context));
}

bool topic_subscription_find_of(struct db *db, struct arena *a, struct id subscriber, struct str identifier,
                                struct topic_subscription *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " SUBSCRIPTION_COLUMNS
                                 " FROM topic_subscriptions WHERE subscriber_id = ?1 AND identifier = ?2",
                                 subscriber, identifier);
    return row_find(s, a, subscription_read, out, "Subscription not found", err);
}

#define FIND_SUBSCRIPTION "SELECT " SUBSCRIPTION_COLUMNS " FROM topic_subscriptions WHERE topic_id = ?1 AND identifier = ?2"

bool topic_subscription_find(struct db *db, struct arena *a, struct id topic, struct str identifier,
                             struct topic_subscription *out, struct error *err)
{
    return row_find(db_query(db, err, FIND_SUBSCRIPTION, topic, identifier), a, subscription_read, out, "Subscription not found", err);
}

bool topic_subscription_find_locked(struct db *db, struct arena *a, struct id topic, struct str identifier,
                                    struct topic_subscription *out, struct error *err)
{
    return row_find(db_query(db, err, FIND_SUBSCRIPTION " FOR UPDATE", topic, identifier), a, subscription_read, out,
                    "Subscription not found", err);
}

bool topic_subscribe(struct db *db, struct arena *a, struct topic_subscription *sub, bool *created, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err,
            "INSERT INTO topic_subscriptions (id, environment_id, topic_id, subscriber_id, identifier, name, context, created_at, "
            "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (topic_id, identifier) DO NOTHING",
            sub->id, sub->environment, sub->topic, sub->subscriber, sub->identifier, sub->name,
            sub->context.p ? sub->context : STR(""), sub->created_at);
    if (!s || !db_run(s, err))
        return false;
    *created = db_changes(s) > 0;
    sub->updated_at = sub->created_at;
    return *created || topic_subscription_find(db, a, sub->topic, sub->identifier, sub, err);
}

bool topic_subscription_update(struct db *db, const struct topic_subscription *sub, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "UPDATE topic_subscriptions SET name = ?1, updated_at = ?2 WHERE topic_id = ?3 AND id = ?4",
                                 sub->name, sub->updated_at, sub->topic, sub->id);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Subscription not found"));
}

bool topic_subscriptions_of(struct db *db, struct arena *a, struct id topic, struct id subscriber,
                            struct topic_subscription **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " SUBSCRIPTION_COLUMNS " FROM topic_subscriptions "
                                 "WHERE topic_id = ?1 AND subscriber_id = ?2 ORDER BY id",
                                 topic, subscriber);
    return ROWS_READ(s, a, subscription_read, out, n, err);
}

bool topic_unsubscribe(struct db *db, const struct topic_subscription *sub, struct error *err)
{
    return db_write(db, err, "DELETE FROM topic_subscriptions WHERE topic_id = ?1 AND id = ?2", sub->topic,
                    sub->id)
        && preference_delete_by_subscription(db, sub->id, err);
}

static void membership_read(struct db_stmt *s, struct arena *a, void *item)
{
    struct topic_membership *m = item;
    subscription_read(s, a, &m->subscription);
    topic_read(s, SUBSCRIPTION_COLUMNS_N, a, &m->topic);
    subscriber_read(s, SUBSCRIPTION_COLUMNS_N + TOPIC_COLUMNS_N, a, &m->subscriber);
}

static void membership_bind(struct db_stmt *s, const void *arg)
{
    const struct topic_membership_query *q = arg;
    if (!id_is_zero(q->topic))
        db_bind_id(s, 5, q->topic);
    if (!id_is_zero(q->subscriber))
        db_bind_id(s, 6, q->subscriber);
    if (q->topic_key.n)
        db_bind_text(s, 7, q->topic_key);
    if (q->context)
        db_bind_text(s, 8, q->context->p ? *q->context : STR(""));
}

bool topic_membership_list(struct db *db, struct arena *a, struct id environment, const struct topic_membership_query *q,
                           struct page *page, struct error *err)
{
    struct topic_membership_query patterns = *q;
    bool of_subscriber = !id_is_zero(q->subscriber);
    struct buf filter = {.arena = a};
    /* The joins only say that both ends are still there. */
    struct page_source source = {
        .columns = SUBSCRIPTION_COLUMNS_OF("s.") ", " TOPIC_COLUMNS_OF("t.") ", " SUBSCRIBER_COLUMNS_OF("p."),
        .from = "topic_subscriptions s JOIN topics t ON t.environment_id = s.environment_id AND t.id = s.topic_id "
                "JOIN subscribers p ON p.environment_id = s.environment_id AND p.id = s.subscriber_id",
        .id = "s.id",
        .scope = of_subscriber ? "s.subscriber_id = ?6 AND s.environment_id = ?1" : "s.topic_id = ?5 AND s.environment_id = ?1",
        .bind = membership_bind, .read = membership_read, .item_size = sizeof(struct topic_membership), .arg = &patterns};
    if (of_subscriber && !id_is_zero(q->topic))
        buf_z(&filter, " AND s.topic_id = ?5");
    if (q->topic_key.n) {
        buf_z(&filter, " AND lower(t.key) LIKE ?7 ESCAPE '\\'");
        patterns.topic_key = row_contains(a, q->topic_key);
    }
    if (q->context)
        buf_z(&filter, " AND s.context = ?8");
    source.filter = buf_finish(&filter);
    return page_read(db, a, environment, &source, &q->page, page, err);
}
