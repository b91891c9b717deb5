/* Endpoints, messages, deliveries and attempts of webhooks in the store. */
#include "model/webhook.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "model/row.h"

static const char *const names[WEBHOOK_TYPES] = {
    "workflow.created", "workflow.updated", "workflow.deleted", "workflow.published", "message.sent", "message.failed",
    "message.delivered", "message.seen", "message.read", "message.unread", "message.archived", "message.unarchived",
    "message.snoozed", "message.unsnoozed", "message.deleted", "preference.updated", "email.received", "circuit.opened",
    "circuit.closed"};

struct str webhook_type_name(enum webhook_type t)
{
    return str_of(names[t]);
}

bool webhook_type_parse(struct str name, enum webhook_type *out)
{
    for (int i = 0; i < WEBHOOK_TYPES; i++)
        if (str_eqz(name, names[i])) {
            *out = (enum webhook_type)i;
            return true;
        }
    return false;
}

struct id webhook_id(int64_t now)
{
    uint64_t head = (uint64_t)(now / 1000) << 16 | (uint64_t)(now % 1000);
    struct id id;
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(head >> (40 - 8 * i));
    crypto_random(id.b + 6, sizeof id.b - 6);
    return id;
}

bool webhook_message_id_parse(struct str s, struct id *out)
{
    bool marked = str_starts(s, STR("msg_")) || str_starts(s, STR("evt_"));
    return id_parse(marked ? str_sub(s, 4, s.n) : s, out);
}

/* --- endpoints --------------------------------------------------------------------------------------------------- */

#define ENDPOINT_COLUMNS                                                                                                \
    "id, environment_id, url, description, events, disabled, headers, rate_limit, secret, old_secret, old_secret_until, " \
    "failing_since, created_at, updated_at"

static void endpoint_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct webhook_endpoint *e = out;
    *e = (struct webhook_endpoint){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .url = row_text(s, 2, a),
        .description = row_text(s, 3, a),
        .types = (unsigned)db_int(s, 4),
        .disabled = (enum webhook_disabled)db_int(s, 5),
        .headers = row_text(s, 6, a),
        .rate_limit = db_int(s, 7),
        .secret = row_text(s, 8, a),
        .old_secret = row_text(s, 9, a),
        .old_secret_until = db_int(s, 10),
        .failing_since = db_int(s, 11),
        .created_at = db_int(s, 12),
        .updated_at = db_int(s, 13),
    };
}

bool webhook_endpoint_insert(struct db *db, const struct webhook_endpoint *e, struct error *err)
{
    return db_write(db, err, "INSERT INTO webhook_endpoints (" ENDPOINT_COLUMNS
                    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                    e->id, e->environment, e->url, e->description, e->types, e->disabled, e->headers, e->rate_limit, e->secret,
                    e->old_secret, db_time_or_null(e->old_secret_until), db_time_or_null(e->failing_since), e->created_at,
                    e->updated_at);
}

bool webhook_endpoint_update(struct db *db, const struct webhook_endpoint *e, struct error *err)
{
    return db_write(db, err, "UPDATE webhook_endpoints SET url = ?3, description = ?4, events = ?5, disabled = ?6, headers = ?7, "
                    "rate_limit = ?8, secret = ?9, old_secret = ?10, old_secret_until = ?11, failing_since = ?12, updated_at = ?13 "
                    "WHERE environment_id = ?1 AND id = ?2",
                    e->environment, e->id, e->url, e->description, e->types, e->disabled, e->headers, e->rate_limit, e->secret,
                    e->old_secret, db_time_or_null(e->old_secret_until), db_time_or_null(e->failing_since), e->updated_at);
}

/* Its deliveries and attempts are seen by nobody any more; they go with their messages (model/retention.c). */
bool webhook_endpoint_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "DELETE FROM webhook_endpoints WHERE environment_id = ?1 AND id = ?2", environment, id);
}

#define FIND "SELECT " ENDPOINT_COLUMNS " FROM webhook_endpoints WHERE environment_id = ?1 AND id = ?2"

static bool endpoint_find(struct db_stmt *s, struct arena *a, struct id id, struct webhook_endpoint *out, struct error *err)
{
    char hex[ID_HEX + 1];
    if (row_find(s, a, endpoint_read, out, "", err))
        return true;
    id_hex(id, hex);
    if (err->code == ERROR_NOT_FOUND)
        error_set(err, ERROR_NOT_FOUND, "Webhook endpoint %s not found", hex);
    return false;
}

bool webhook_endpoint_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_endpoint *out,
                           struct error *err)
{
    return endpoint_find(db_query(db, err, FIND, environment, id), a, id, out, err);
}

bool webhook_endpoint_find_locked(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_endpoint *out,
                                  struct error *err)
{
    return endpoint_find(db_query(db, err, FIND " FOR UPDATE", environment, id), a, id, out, err);
}

bool webhook_endpoint_list(struct db *db, struct arena *a, struct id environment, struct webhook_endpoint **out, size_t *n,
                           struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " ENDPOINT_COLUMNS " FROM webhook_endpoints WHERE environment_id = ?1 ORDER BY id",
                                 environment);
    return ROWS_READ(s, a, endpoint_read, out, n, err);
}

bool webhook_endpoint_served(struct db *db, struct arena *a, struct webhook_endpoint **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " ENDPOINT_COLUMNS " FROM webhook_endpoints WHERE disabled = 0", err);
    return ROWS_READ(s, a, endpoint_read, out, n, err);
}

bool webhook_endpoint_count(struct db *db, struct id environment, int64_t *n, struct error *err)
{
    return row_int(db_query(db, err, "SELECT count(*) FROM webhook_endpoints WHERE environment_id = ?1", environment), n, err);
}

bool webhook_endpoint_note(struct db *db, struct id environment, struct id endpoint, bool succeeded, int64_t now, struct error *err)
{
    if (succeeded)
        return db_write(db, err, "UPDATE webhook_endpoints SET failing_since = NULL "
                        "WHERE environment_id = ?1 AND id = ?2 AND failing_since IS NOT NULL",
                        environment, endpoint);
    return db_write(db, err, "UPDATE webhook_endpoints SET failing_since = ?3 "
                    "WHERE environment_id = ?1 AND id = ?2 AND failing_since IS NULL",
                    environment, endpoint, now)
        && db_write(db, err, "UPDATE webhook_endpoints SET disabled = ?3, updated_at = ?4 "
                    "WHERE environment_id = ?1 AND id = ?2 AND disabled = 0 AND failing_since <= ?5",
                    environment, endpoint, WEBHOOK_GAVE_UP, now, now - WEBHOOK_PATIENCE_MS);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

#define MESSAGE_COLUMNS "id, environment_id, type, test, body, created_at"

static void message_row(struct db_stmt *s, struct arena *a, void *out)
{
    struct webhook_message *m = out;
    *m = (struct webhook_message){.id = db_id(s, 0), .environment = db_id(s, 1), .type = (enum webhook_type)db_int(s, 2),
                                  .test = db_int(s, 3) != 0, .body = row_text(s, 4, a), .created_at = db_int(s, 5)};
}

static void messages_bind(struct db_stmt *s, const void *arg)
{
    const struct webhook_message_query *q = arg;
    if (q->type >= 0)
        db_bind_int(s, 5, q->type);
}

bool webhook_message_list(struct db *db, struct arena *a, struct id environment, const struct webhook_message_query *q,
                          struct page *page, struct error *err)
{
    const struct page_source source = {
        .columns = MESSAGE_COLUMNS,
        .from = "webhook_messages",
        .id = "id",
        .scope = "environment_id = ?1",
        .filter = q->type >= 0 ? STR(" AND type = ?5") : STR(""),
        .bind = messages_bind,
        .read = message_row,
        .item_size = sizeof(struct webhook_message),
        .arg = q,
    };
    return page_read(db, a, environment, &source, &q->page, page, err);
}

bool webhook_message_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_message *out,
                          struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " MESSAGE_COLUMNS " FROM webhook_messages "
                                 "WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, message_row, out, "Webhook message not found", err);
}

/* --- deliveries -------------------------------------------------------------------------------------------------- */

#define DELIVERY_COLUMNS "id, environment_id, endpoint_id, message_id, state, attempt, due_at, owner, updated_at"

static void delivery_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct webhook_delivery *d = out;
    (void)a;
    *d = (struct webhook_delivery){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .endpoint = db_id(s, 2),
        .message = db_id(s, 3),
        .state = (enum webhook_state)db_int(s, 4),
        .attempt = (int)db_int(s, 5),
        .due_at = db_int(s, 6),
        .owner = db_id(s, 7),
        .updated_at = db_int(s, 8),
    };
}

int64_t webhook_pause(int n)
{
    static const int seconds[] = {5, 300, 1800, 7200, 18000, 36000, 36000};
    int last = (int)(sizeof seconds / sizeof *seconds);
    return (int64_t)seconds[(n < last ? n : last) - 1] * 1000;
}

bool webhook_delivery_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_delivery *out,
                           struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries WHERE environment_id = ?1 AND id = ?2",
                                 environment, id);
    return row_find(s, a, delivery_read, out, "Webhook delivery not found", err);
}

bool webhook_delivery_list(struct db *db, struct arena *a, struct id message, struct webhook_delivery **out, size_t *n,
                           struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries WHERE message_id = ?1 ORDER BY id", message);
    return ROWS_READ(s, a, delivery_read, out, n, err);
}

bool webhook_delivery_hold(struct db *db, struct id environment, struct id id, int attempt, bool *held, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM webhook_deliveries WHERE environment_id = ?1 AND id = ?2 AND attempt = ?3 "
                                 "AND state = 0 FOR UPDATE",
                                 environment, id, attempt);
    return row_exists(s, held, err);
}

bool webhook_delivery_move(struct db *db, const struct webhook_delivery *d, struct error *err)
{
    if (d->state == WEBHOOK_WAITS)
        db_due_note(db, d->due_at);
    return db_write(db, err, "UPDATE webhook_deliveries SET state = ?3, attempt = ?4, due_at = ?5, owner = NULL, updated_at = ?6 "
                    "WHERE environment_id = ?1 AND id = ?2",
                    d->environment, d->id, d->state, d->attempt, d->due_at, d->updated_at);
}

bool webhook_delivery_first(struct db *db, struct arena *a, struct webhook_delivery *out, struct error *err)
{
    struct error none = {0};
    struct db_stmt *s = db_prepare(db, "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries WHERE state = 0 ORDER BY due_at, id LIMIT 1",
                                   err);
    *out = (struct webhook_delivery){.due_at = INT64_MAX};
    return s && (row_find(s, a, delivery_read, out, "", &none) || none.code == ERROR_NOT_FOUND || (*err = none, false));
}

bool webhook_delivery_next(struct db *db, int64_t now, int64_t *due_at, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT due_at FROM webhook_deliveries WHERE state = 0 AND due_at > ?1 ORDER BY due_at LIMIT 1",
                                 now);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *due_at = step == DB_ROW ? db_int(s, 0) : INT64_MAX;
    db_reset(s);
    return step != DB_FAILED;
}

bool webhook_delivery_due(struct db *db, struct arena *a, struct id endpoint, int64_t now, int max, struct webhook_delivery **out,
                          size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " DELIVERY_COLUMNS " FROM webhook_deliveries "
                                 "WHERE endpoint_id = ?1 AND state = 0 AND due_at <= ?2 ORDER BY due_at, id LIMIT ?3",
                                 endpoint, now, max);
    return ROWS_READ(s, a, delivery_read, out, n, err);
}

static int delivery_compare(const void *a, const void *b)
{
    const struct webhook_delivery *x = a, *y = b;
    if (x->due_at != y->due_at)
        return x->due_at < y->due_at ? -1 : 1;
    return id_cmp(x->id, y->id);
}

bool webhook_delivery_claim(struct db *db, struct arena *a, struct id endpoint, int64_t now, struct id owner, int64_t real_now, int max,
                            struct webhook_delivery **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "UPDATE webhook_deliveries SET owner = ?3 WHERE (environment_id, id) IN (SELECT d.environment_id, d.id "
            "FROM webhook_deliveries AS d WHERE d.endpoint_id = ?1 AND d.state = 0 AND d.due_at <= ?2 AND (d.owner IS NULL OR "
            "d.owner = ?3 OR d.owner NOT IN (SELECT nodes.id FROM nodes WHERE lease_until > ?4)) "
            "ORDER BY d.due_at, d.id LIMIT ?5 FOR UPDATE SKIP LOCKED) RETURNING " DELIVERY_COLUMNS,
            endpoint, now, owner, real_now, max);
    if (!ROWS_READ(s, a, delivery_read, out, n, err))
        return false;
    if (*n > 1)
        qsort(*out, *n, sizeof **out, delivery_compare);    /* RETURNING has no order */
    return true;
}

bool webhook_delivery_drop(struct db *db, int64_t now, int max, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "UPDATE webhook_deliveries SET state = 2, owner = NULL, updated_at = ?1 WHERE (environment_id, id) IN "
            "(SELECT d.environment_id, d.id FROM webhook_deliveries AS d WHERE d.state = 0 AND d.due_at <= ?1 AND NOT EXISTS "
            "(SELECT 1 FROM webhook_endpoints e WHERE e.environment_id = d.environment_id AND e.id = d.endpoint_id AND e.disabled = 0) "
            "ORDER BY d.due_at, d.id LIMIT ?2)",
            now, max);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}

/* --- attempts ---------------------------------------------------------------------------------------------------- */

bool webhook_attempt_insert(struct db *db, const struct webhook_attempt *x, struct error *err)
{
    return db_write(db, err, "INSERT INTO webhook_attempts (id, environment_id, endpoint_id, message_id, attempt, succeeded, status, "
                    "answer, error, took_ms, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    x->id, x->environment, x->endpoint, x->message, x->attempt, x->succeeded, x->status,
                    x->answer.p ? x->answer : STR(""), x->error.p ? x->error : STR(""), x->took_ms, x->created_at);
}

static void attempt_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct webhook_attempt *x = out;
    *x = (struct webhook_attempt){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .endpoint = db_id(s, 2),
        .message = db_id(s, 3),
        .attempt = (int)db_int(s, 4),
        .succeeded = db_int(s, 5) != 0,
        .status = (int)db_int(s, 6),
        .answer = row_text(s, 7, a),
        .error = row_text(s, 8, a),
        .took_ms = db_int(s, 9),
        .created_at = db_int(s, 10),
        .type = (enum webhook_type)db_int(s, 11),
    };
}

static void attempts_bind(struct db_stmt *s, const void *arg)
{
    const struct webhook_attempt_query *q = arg;
    db_bind_id(s, 5, q->endpoint);
    if (!id_is_zero(q->message))
        db_bind_id(s, 6, q->message);
}

bool webhook_attempt_list(struct db *db, struct arena *a, struct id environment, const struct webhook_attempt_query *q,
                          struct page *page, struct error *err)
{
    struct buf filter = {.arena = a};
    if (!id_is_zero(q->message))
        buf_z(&filter, " AND x.message_id = ?6");
    if (q->succeeded >= 0)
        buf_fmt(&filter, " AND x.succeeded = %d", q->succeeded);
    const struct page_source source = {
        .columns = "x.id, x.environment_id, x.endpoint_id, x.message_id, x.attempt, x.succeeded, x.status, x.answer, x.error, "
                   "x.took_ms, x.created_at, m.type",
        .from = "webhook_attempts AS x JOIN webhook_messages AS m ON m.environment_id = x.environment_id AND m.id = x.message_id",
        .id = "x.id",
        .scope = "x.environment_id = ?1 AND x.endpoint_id = ?5",
        .filter = buf_finish(&filter),
        .bind = attempts_bind,
        .read = attempt_read,
        .item_size = sizeof(struct webhook_attempt),
        .arg = q,
    };
    return page_read(db, a, environment, &source, &q->page, page, err);
}

/* --- again, by hand ---------------------------------------------------------------------------------------------- */

/* One that is under way goes on as it is. */
static bool again(struct db *db, struct id environment, struct id endpoint, struct id message, int64_t now, struct error *err)
{
    db_due_note(db, now);
    return db_write(db, err, "INSERT INTO webhook_deliveries (" DELIVERY_COLUMNS ") VALUES (?1, ?2, ?3, ?4, 0, 1, ?5, NULL, ?5) "
                    "ON CONFLICT (endpoint_id, message_id) DO UPDATE SET state = 0, attempt = 1, due_at = ?5, owner = NULL, "
                    "updated_at = ?5 WHERE webhook_deliveries.state <> 0",
                    webhook_id(now), environment, endpoint, message, now);
}

bool webhook_resend(struct db *db, struct arena *a, const struct webhook_endpoint *e, struct id message, int64_t now, struct error *err)
{
    struct webhook_message m;
    return webhook_message_find(db, a, e->environment, message, &m, err) && again(db, e->environment, e->id, message, now, err);
}

bool webhook_recover(struct db *db, const struct webhook_endpoint *e, int64_t since, int64_t now, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "UPDATE webhook_deliveries SET state = 0, attempt = 1, due_at = ?3, owner = NULL, updated_at = ?3 "
            "WHERE (environment_id, id) IN (SELECT d.environment_id, d.id FROM webhook_deliveries AS d JOIN webhook_messages AS m "
            "ON m.environment_id = d.environment_id AND m.id = d.message_id "
            "WHERE d.environment_id = ?1 AND d.endpoint_id = ?2 AND d.state = 2 AND m.created_at >= ?4 LIMIT ?5)",
            e->environment, e->id, now, since, WEBHOOK_AGAIN_MAX);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    db_due_note(db, now);
    return true;
}

struct missing {
    struct id message;
    enum webhook_type type;
    bool absent;
};

static void missing_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct missing *m = out;
    (void)a;
    *m = (struct missing){.message = db_id(s, 0), .type = (enum webhook_type)db_int(s, 1), .absent = db_int(s, 2) != 0};
}

bool webhook_replay_missing(struct db *db, struct arena *a, const struct webhook_endpoint *e, int64_t since, int64_t now,
                            struct id *after, int64_t *n, bool *more, struct error *err)
{
    struct missing *found;
    size_t found_n;
    struct db_stmt *s = db_query(
            db, err, "SELECT m.id, m.type, CASE WHEN m.created_at >= ?3 AND m.test = 0 AND NOT EXISTS "
            "(SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = ?2 AND d.message_id = m.id) THEN 1 ELSE 0 END "
            "FROM webhook_messages AS m WHERE m.environment_id = ?1 AND m.id > ?4 ORDER BY m.id LIMIT ?5",
            e->environment, e->id, since, *after, WEBHOOK_AGAIN_MAX);
    *n = 0;
    if (!ROWS_READ(s, a, missing_read, &found, &found_n, err))
        return false;
    for (size_t i = 0; i < found_n; i++) {
        bool wanted = found[i].absent && webhook_wants(e, found[i].type);
        if (wanted && !again(db, e->environment, e->id, found[i].message, now, err))
            return false;
        *n += wanted;
        *after = found[i].message;
    }
    *more = found_n == WEBHOOK_AGAIN_MAX;
    return true;
}
