/* Setup links of chat bots in the store. */
#include "model/bot_setup.h"

#include "model/row.h"

bool bot_setup_insert(struct db *db, const struct bot_setup *b, int64_t now, struct error *err)
{
    return db_write(db, err, "DELETE FROM bot_setups WHERE expires_at <= ?1", now)
        && db_write(db, err, "INSERT INTO bot_setups (hash, environment_id, integration_id, subscriber_id, made_at, expires_at, used) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
                    b->hash, b->environment, b->integration, b->subscriber_id.p ? b->subscriber_id : STR(""), b->made_at, b->expires_at);
}

static void setup_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct bot_setup *b = out;
    *b = (struct bot_setup){.hash = row_text(s, 0, a), .environment = db_id(s, 1), .integration = db_id(s, 2), .subscriber_id = row_text(s, 3, a),
                            .made_at = db_int(s, 4), .expires_at = db_int(s, 5), .used = db_int(s, 6) != 0};
}

bool bot_setup_find(struct db *db, struct arena *a, struct str hash, int64_t now, struct bot_setup *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT hash, environment_id, integration_id, subscriber_id, made_at, expires_at, used "
                                 "FROM bot_setups WHERE hash = ?1 AND expires_at > ?2", hash, now);
    return row_find(s, a, setup_read, out, "The link is not known or has expired", err);
}

bool bot_setup_extend(struct db *db, const struct bot_setup *b, int64_t now, struct error *err)
{
    int64_t last = b->made_at + BOT_SETUP_MAX_MS, until = now + BOT_SETUP_MS < last ? now + BOT_SETUP_MS : last;
    return db_write(db, err, "UPDATE bot_setups SET expires_at = ?2 WHERE hash = ?1 AND used = 0 AND expires_at < ?2", b->hash, until);
}

bool bot_setup_use(struct db *db, struct str hash, int64_t now, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "UPDATE bot_setups SET used = 1 WHERE hash = ?1 AND used = 0 AND expires_at > ?2", hash, now);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_CONFLICT, "The link was used already"));
}
