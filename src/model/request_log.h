/* The request log: one row for every request under a secret key that may have changed data (rest-api.md §8).
 *
 * The usual accepted trigger has none: its event is its entry, and is found and listed among the others. Paths are kept
 * without their queries, which may hold secrets; bodies and addresses are never kept.
 */
#ifndef MODEL_REQUEST_LOG_H
#define MODEL_REQUEST_LOG_H

#include "db/db.h"

struct request_log_row {
    struct id id;                   /* the digits of the request id */
    struct id environment, user;
    struct str operation;           /* of the route table */
    struct str method, path;
    int status;
    int64_t duration_ms;
    int64_t created_at;             /* when it was answered */
    struct id event;                /* when read: of an accepted trigger that has no entry of its own, else zero */
    struct str transaction_id;      /* … its, or the one that was asked for */
};

enum { REQUEST_LOG_PATH_MAX = 512 };
static const int64_t request_log_age_ms = 30 * 24 * 3600 * 1000LL;

bool request_log_insert(struct db *db, const struct request_log_row *row, struct error *err);
/* "req_<hex>", as X-Request-Id and the activity name a request. */
bool request_log_id(struct str text, struct id *out);
struct str request_log_name(struct arena *a, struct id id);
/* An event whose request has lost its entry (a crash) stands in for it. */
bool request_log_find(struct db *db, struct arena *a, struct id environment, struct id id, struct request_log_row *out,
                      struct error *err);

struct request_log_query {
    struct str url;                 /* within the path, in any case; empty: any */
    struct str statuses;            /* ",200,404,"; empty: any */
    struct str operations, path;    /* ",topicsCreate,topicsList,", or this very path; both empty: any */
    struct str transaction_id;      /* of this trigger alone; empty: any */
    int64_t from;                   /* ms */
    int64_t offset;
    int limit;
};
/* What filters look at: this many of the newest requests, and of the newest triggers. */
enum { REQUEST_LOG_REACH = 50000 };
/* Newest first; *total: how many there are within reach. */
bool request_log_list(struct db *db, struct arena *a, struct id environment, const struct request_log_query *q,
                      struct request_log_row **out, size_t *n, int64_t *total, struct error *err);
/* Removes at most `limit` rows that are too old; *n says how many. */
bool request_log_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err);

#endif
