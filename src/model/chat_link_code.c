/* Codes of chat bots in the store. */
#include "model/chat_link_code.h"

#include "model/row.h"

bool chat_link_code_insert(struct db *db, const struct chat_link_code *c, int64_t now, struct error *err)
{
    return db_write(db, err, "DELETE FROM chat_link_codes WHERE expires_at <= ?1", now)
        && db_write(db, err, "INSERT INTO chat_link_codes (hash, environment_id, integration_id, subscriber_id, context, expires_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    c->hash, c->environment, c->integration, c->subscriber_id, c->context.p ? c->context : STR(""), c->expires_at);
}

static void code_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct chat_link_code *c = out;
    *c = (struct chat_link_code){.subscriber_id = row_text(s, 0, a), .context = row_text(s, 1, a)};
}

bool chat_link_code_take(struct db *db, struct arena *a, struct id environment, struct id integration, struct str hash, int64_t now,
                         struct chat_link_code *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM chat_link_codes WHERE hash = ?1 AND environment_id = ?2 AND integration_id = ?3 "
                                 "AND expires_at > ?4 RETURNING subscriber_id, context",
                                 hash, environment, integration, now);
    return row_find(s, a, code_read, out, "The code is not known or has expired", err);
}
