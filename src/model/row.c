/* The helpers of row.h that are too long for a header. */
#include "model/row.h"

bool row_find(struct db_stmt *s, struct arena *a, row_reader *read, void *out, const char *what, struct error *err)
{
    if (!s || !row_one(s, what, err))
        return false;
    read(s, a, out);
    db_reset(s);
    return true;
}

bool row_exists(struct db_stmt *s, bool *exists, struct error *err)
{
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    db_reset(s);
    *exists = step == DB_ROW;
    return step != DB_FAILED;
}

bool row_int(struct db_stmt *s, int64_t *out, struct error *err)
{
    if (!s || !row_one(s, "The statement gives no number", err))
        return false;
    *out = db_int(s, 0);
    db_reset(s);
    return true;
}

bool rows_read(struct db_stmt *s, struct arena *a, row_reader *read, size_t size, void **out, size_t *n, struct error *err)
{
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    if (!s)
        return false;
    for (; (step = db_step(s, err)) == DB_ROW; ++*n) {
        if (*n == cap) {
            size_t more = cap ? 2 * cap : 8;
            *out = arena_grow(a, *out, cap * size, more * size);
            cap = more;
        }
        read(s, a, (char *)*out + *n * size);
    }
    db_reset(s);
    return step == DB_DONE;
}

struct str row_contains(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    buf_char(&b, '%');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
            buf_char(&b, '\\');
        buf_char(&b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
    }
    buf_char(&b, '%');
    return buf_finish(&b);
}
