/* Small helpers that all stores of this room share. */
#ifndef MODEL_ROW_H
#define MODEL_ROW_H

#include "db/db.h"

/* Text of a column, copied into the arena; p NULL for NULL. */
static inline struct str row_text(struct db_stmt *s, int col, struct arena *a)
{
    struct str v = db_text(s, col);
    return v.p ? str_dup(a, v) : STR_NULL;
}

/* Steps a query that gives at most one row. DB_ROW: the caller reads it and calls db_reset. DB_DONE becomes
 * ERROR_NOT_FOUND with `what`. */
static inline bool row_one(struct db_stmt *s, const char *what, struct error *err)
{
    enum db_step step = db_step(s, err);
    if (step == DB_DONE) {
        db_reset(s);
        return error_set(err, ERROR_NOT_FOUND, "%s", what);
    }
    return step == DB_ROW;
}

/* The LIKE pattern of "contains s" for columns in lower(), to be used with ESCAPE '\\': s's own wildcards are plain. */
struct str row_contains(struct arena *a, struct str s);

#endif
