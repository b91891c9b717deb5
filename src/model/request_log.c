/* The request log in the store. */
#include "model/request_log.h"

#include "model/event.h"
#include "model/row.h"

#define COLUMNS "id, environment_id, user_id, operation, method, path, status, duration_ms, created_at"

bool request_log_insert(struct db *db, const struct request_log_row *row, struct error *err)
{
    return db_write(db, err, "INSERT INTO request_log (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
                    "ON CONFLICT DO NOTHING",
                    row->id, row->environment, row->user, row->operation, row->method, row->path, row->status,
                    row->duration_ms, row->created_at);
}

static void read(struct db_stmt *s, struct arena *a, void *out)
{
    struct request_log_row *r = out;
    *r = (struct request_log_row){.id = db_id(s, 0), .environment = db_id(s, 1), .user = db_id(s, 2),
                                  .operation = row_text(s, 3, a), .method = row_text(s, 4, a), .path = row_text(s, 5, a),
                                  .status = (int)db_int(s, 6), .duration_ms = db_int(s, 7), .created_at = db_int(s, 8)};
}

/* ---- accepted triggers ---- */

static const struct request_log_row accepted = {.operation = {"trigger", 7}, .method = {"POST", 4},
                                                .path = {"/v1/events/trigger", 18}, .status = 201};
#define EVENT_COLUMNS "id, environment_id, request_id, transaction_id, created_at"

static void event_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct request_log_row *r = out;
    struct str request = row_text(s, 2, a);     /* NULL: the event has its id */
    *r = accepted;
    r->event = db_id(s, 0);
    r->environment = db_id(s, 1);
    r->transaction_id = row_text(s, 3, a);
    r->created_at = db_int(s, 4);
    r->id = r->event;                   /* should it have come with no request */
    request_log_id(request, &r->id);
}

bool request_log_id(struct str text, struct id *out)
{
    return str_starts(text, STR("req_")) && id_parse((struct str){text.p + 4, text.n - 4}, out);
}

struct str request_log_name(struct arena *a, struct id id)
{
    char hex[ID_HEX + 1];
    id_hex(id, hex);
    return str_fmt(a, "req_%s", hex);
}

bool request_log_find(struct db *db, struct arena *a, struct id environment, struct id id, struct request_log_row *out,
                      struct error *err)
{
    struct error missing = {0};
    if (row_find(db_query(db, &missing, "SELECT " COLUMNS " FROM request_log WHERE environment_id = ?1 AND id = ?2", environment, id), a,
                 read, out, "Request not found", &missing))
        return true;
    if (missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    return row_find(db_query(db, err, "SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND id = ?3 AND request_id IS NULL "
                             "UNION ALL SELECT " EVENT_COLUMNS " FROM events WHERE environment_id = ?1 AND request_id = ?2 ORDER BY 1 LIMIT 1",
                             environment, request_log_name(a, id), id), a, event_read, out, "Request not found", err);
}

/* ---- the list ---- */

/* The newest of a table within reach, then the filters: no filter reads more than that. */
#define NEWEST(columns, table) " FROM (SELECT " columns " FROM " table " WHERE environment_id = ?1 ORDER BY id DESC LIMIT ?2) AS newest " \
    "WHERE created_at >= ?3"
#define LOG_MATCHES NEWEST(COLUMNS, "request_log") " AND (?4 = '' OR lower(path) LIKE ?4 ESCAPE '\\') " \
    "AND (?5 = '' OR ?5 LIKE '%,' || status || ',%') AND ((?6 = '' AND ?7 = '') OR ?6 LIKE '%,' || operation || ',%' OR path = ?7)"
#define EVENT_MATCHES NEWEST(EVENT_COLUMNS ", logged", "events") " AND logged = 0"

static struct str filled(struct str s)
{
    return s.p ? s : STR("");
}

/* What LOG_MATCHES says, of one row. */
static bool row_matches(struct arena *a, const struct request_log_query *q, const struct request_log_row *r)
{
    struct str status = str_fmt(a, ",%d,", r->status), operation = str_fmt(a, ",%.*s,", STR_ARG(r->operation));
    return (!q->url.n || str_find_nocase(r->path, q->url) >= 0) && (!q->statuses.n || str_find(q->statuses, status) >= 0)
        && ((!q->operations.n && !q->path.n) || str_find(q->operations, operation) >= 0 || str_eq(q->path, r->path));
}

static struct db_stmt *log_query(struct db *db, struct arena *a, const char *sql, struct id environment, const struct request_log_query *q,
                                 struct error *err)
{
    struct str like = q->url.n ? row_contains(a, q->url) : STR("");
    return db_query(db, err, sql, environment, (int64_t)REQUEST_LOG_REACH, q->from, like, filled(q->statuses), filled(q->operations),
                    filled(q->path), q->offset + q->limit);
}

static struct db_stmt *event_query(struct db *db, const char *sql, struct id environment, const struct request_log_query *q, struct error *err)
{
    return db_query(db, err, sql, environment, (int64_t)REQUEST_LOG_REACH, q->from, q->offset + q->limit);
}

/* The part of both lists, each newest first, that q asks for. */
static void merge(struct arena *a, const struct request_log_query *q, const struct request_log_row *x, size_t xn,
                  const struct request_log_row *y, size_t yn, struct request_log_row **out, size_t *n)
{
    size_t i = 0, k = 0, most = (size_t)(q->offset + q->limit);
    *out = ARENA_ARRAY(a, struct request_log_row, (size_t)q->limit);
    *n = 0;
    while (i + k < most && (i < xn || k < yn)) {
        bool first = k == yn || (i < xn && x[i].created_at >= y[k].created_at);
        const struct request_log_row *row = first ? &x[i++] : &y[k++];
        if (i + k > (size_t)q->offset)
            (*out)[(*n)++] = *row;
    }
}

/* The request of one transactionId: there is one event of that name at most. */
static bool list_transaction(struct db *db, struct arena *a, struct id environment, const struct request_log_query *q,
                             struct request_log_row **out, size_t *n, int64_t *total, struct error *err)
{
    struct event event;
    struct request_log_row *row = *out = ARENA_NEW(a, struct request_log_row);
    struct error missing = {0};
    struct id id;
    *n = 0;
    *total = 0;
    bool found = event_find_by_transaction(db, a, environment, q->transaction_id, &event, &missing)
              && request_log_id(event.request_id, &id) && request_log_find(db, a, environment, id, row, &missing);
    if (!found && missing.code != ERROR_NONE && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    *total = found && row->created_at >= q->from && row_matches(a, q, row);
    *n = *total && q->offset == 0;
    row->transaction_id = q->transaction_id;
    return true;
}

bool request_log_list(struct db *db, struct arena *a, struct id environment, const struct request_log_query *q,
                      struct request_log_row **out, size_t *n, int64_t *total, struct error *err)
{
    struct request_log_row *logged, *events = NULL;
    size_t logged_n, events_n = 0;
    int64_t logged_total, events_total = 0;
    if (q->transaction_id.n)
        return list_transaction(db, a, environment, q, out, n, total, err);
    if (!ROWS_READ(log_query(db, a, "SELECT " COLUMNS LOG_MATCHES " ORDER BY id DESC LIMIT ?8", environment, q, err), a, read, &logged,
                   &logged_n, err)
        || !row_int(log_query(db, a, "SELECT count(*)" LOG_MATCHES " AND ?8 >= 0", environment, q, err), &logged_total, err))
        return false;
    if (row_matches(a, q, &accepted)
        && (!ROWS_READ(event_query(db, "SELECT " EVENT_COLUMNS EVENT_MATCHES " ORDER BY id DESC LIMIT ?4", environment, q, err), a,
                       event_read, &events, &events_n, err)
            || !row_int(event_query(db, "SELECT count(*)" EVENT_MATCHES " AND ?4 >= 0", environment, q, err), &events_total, err)))
        return false;
    *total = logged_total + events_total;
    merge(a, q, logged, logged_n, events, events_n, out, n);
    return true;
}

bool request_log_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "DELETE FROM request_log WHERE (environment_id, id) IN (SELECT environment_id, id FROM request_log "
            "WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
            now - request_log_age_ms, limit);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}
