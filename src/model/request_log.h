/* The request log: one row for every request under a secret key that may have changed data (rest-api.md §8).
 *
 * An accepted trigger has none: its event is its entry. Paths are kept without their queries, which may hold secrets;
 * bodies are never kept.
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
};

enum { REQUEST_LOG_PATH_MAX = 512 };
static const int64_t request_log_age_ms = 30 * 24 * 3600 * 1000LL;

bool request_log_insert(struct db *db, const struct request_log_row *row, struct error *err);
bool request_log_find(struct db *db, struct arena *a, struct id environment, struct id id, struct request_log_row *out,
                      struct error *err);
/* Newest first; before: the id of the last row of the page before, or zero. */
bool request_log_list(struct db *db, struct arena *a, struct id environment, struct id before, int limit,
                      struct request_log_row **out, size_t *n, struct error *err);
/* Removes at most `limit` rows that are too old; *n says how many. */
bool request_log_purge(struct db *db, int64_t now, int64_t limit, int64_t *n, struct error *err);

#endif
