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

/* Reads a row of the record's type into `out`. */
typedef void row_reader(struct db_stmt *s, struct arena *a, void *out);

/* The one row of a statement that was made (s NULL: false, err says why), read into `out`. ERROR_NOT_FOUND: `what`. */
bool row_find(struct db_stmt *s, struct arena *a, row_reader *read, void *out, const char *what, struct error *err);

/* Is there a row? (s NULL: false, err says why.) */
bool row_exists(struct db_stmt *s, bool *exists, struct error *err);

/* The one whole number that a statement gives. */
bool row_int(struct db_stmt *s, int64_t *out, struct error *err);

/* All rows of a statement that was made, read into *out (n of them, in the arena). */
#define ROWS_READ(s, a, read, out, n, err) rows_read((s), (a), (read), sizeof **(out), (void **)(out), (n), (err))
bool rows_read(struct db_stmt *s, struct arena *a, row_reader *read, size_t size, void **out, size_t *n, struct error *err);

/* The LIKE pattern of "contains s" for columns in lower(), to be used with ESCAPE '\\': s's own wildcards are plain. */
struct str row_contains(struct arena *a, struct str s);

#endif
