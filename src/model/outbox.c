/* The outbox in the store. */
#include "model/outbox.h"

#include "model/row.h"

#define OUTBOX_COLUMNS "id, environment_id, channel, recipient, transaction_id, message_id, doc, created_at"

static void outbox_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct outbox_message *m = out;
    *m = (struct outbox_message){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .channel = (enum channel)db_int(s, 2),
        .recipient = row_text(s, 3, a),
        .transaction_id = row_text(s, 4, a),
        .message = db_id(s, 5),
        .doc = row_text(s, 6, a),
        .created_at = db_int(s, 7),
    };
}

bool outbox_insert(struct db *db, const struct outbox_message *m, struct error *err)
{
    return db_write(db, err, "INSERT INTO outbox (" OUTBOX_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                    "ON CONFLICT (environment_id, id) DO NOTHING",
                    m->id, m->environment, m->channel, m->recipient.p ? m->recipient : STR(""), m->transaction_id,
                    m->message, m->doc, m->created_at);
}

bool outbox_find(struct db *db, struct arena *a, struct id environment, struct id id, struct outbox_message *out,
                 struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, outbox_read, out, "Outbox message not found", err);
}

bool outbox_delete(struct db *db, struct id environment, struct id id, int64_t *deleted, struct error *err)
{
    bool all = id_is_zero(id);
    struct db_stmt *s = db_query(db, err, all ? "DELETE FROM outbox WHERE environment_id = ?1" :
                                 "DELETE FROM outbox WHERE environment_id = ?1 AND id = ?2",
                                 environment);
    if (!s)
        return false;
    if (!all)
        db_bind_id(s, 2, id);
    if (!db_run(s, err))
        return false;
    *deleted = db_changes(s);
    return true;
}

bool outbox_list(struct db *db, struct arena *a, struct id environment, const struct outbox_query *q,
                 struct outbox_message **out, size_t *n, struct error *err)
{
    struct buf sql = {.arena = a};
    enum db_step step;
    buf_z(&sql, "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE environment_id = ?1");
    if (q->channel >= 0)
        buf_z(&sql, " AND channel = ?2");
    if (q->to.n)
        buf_z(&sql, " AND recipient = ?3");
    if (q->transaction_id.n)
        buf_z(&sql, " AND transaction_id = ?4");
    if (q->q.n)
        buf_z(&sql, " AND lower(doc) LIKE ?5 ESCAPE '\\'");
    if (!id_is_zero(q->after))
        buf_z(&sql, " AND id < ?6");
    if (!id_is_zero(q->before))
        buf_z(&sql, " AND id > ?7");
    buf_z(&sql, " ORDER BY id DESC LIMIT ?8");
    struct db_stmt *s = db_query(db, err, buf_finish(&sql).p, environment);
    if (!s)
        return false;
    if (q->channel >= 0)
        db_bind_int(s, 2, q->channel);
    if (q->to.n)
        db_bind_text(s, 3, q->to);
    if (q->transaction_id.n)
        db_bind_text(s, 4, q->transaction_id);
    if (q->q.n)
        db_bind_text(s, 5, row_contains(a, q->q));
    if (!id_is_zero(q->after))
        db_bind_id(s, 6, q->after);
    if (!id_is_zero(q->before))
        db_bind_id(s, 7, q->before);
    db_bind_int(s, 8, q->limit);
    *out = ARENA_ARRAY(a, struct outbox_message, q->limit);
    *n = 0;
    while ((step = db_step(s, err)) == DB_ROW)
        outbox_read(s, a, &(*out)[(*n)++]);
    db_reset(s);
    return step == DB_DONE;
}

yyjson_mut_val *outbox_json(yyjson_mut_doc *d, struct arena *a, const struct outbox_message *m)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL, *key;
    json_add_id(d, o, "_id", m->id);
    json_add_str(d, o, "channel", channel_name(m->channel));
    json_add_str(d, o, "to", m->recipient);
    json_add_str(d, o, "transactionId", m->transaction_id);
    if (!id_is_zero(m->message))
        json_add_id(d, o, "messageId", m->message);
    json_add_time(d, o, "createdAt", m->created_at);
    if (json_parse(a, m->doc, &doc, NULL)) {
        yyjson_obj_iter it = yyjson_obj_iter_with(doc);
        while ((key = yyjson_obj_iter_next(&it)))
            yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, key), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(key)));
    }
    return o;
}
