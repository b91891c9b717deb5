/* Pages behind a cursor: one list is read the same way as another (rest-api.md §3.4, style 1).
 *
 * A page is ordered by (by, id) or by id alone, both in one direction, and starts beyond the cursor row; so rows that
 * arrive meanwhile neither shift nor repeat what is read. A page costs the same wherever it lies, if scope and order
 * are an index.
 */
#ifndef MODEL_PAGE_H
#define MODEL_PAGE_H

#include "db/db.h"

/* What every list of this kind is asked with. */
struct page_query {
    struct id after, before;            /* the cursor's row, zero: none; never both */
    bool ascending;                     /* default is newest first */
    bool include_cursor;                /* the cursor's row is part of the page */
    bool by_updated_at;                 /* instead of the list's own order */
    int limit;
    int64_t offset;                     /* without a cursor: rows to pass over, for the lists of v1 */
};

enum { PAGE_COUNT_MAX = 50000 };

struct page {
    void *items;                        /* n of the list's type, in the arena */
    size_t n;
    struct id next, previous;           /* zero: there is nothing there */
    int64_t total;                      /* matches, at most PAGE_COUNT_MAX */
    bool total_capped;                  /* there are more than that */
};

/* A list. Texts are SQL; ?1 to ?4 are taken: ?1 is the environment. */
struct page_source {
    const char *columns;                /* what read takes; the first is the id */
    const char *from;
    const char *id, *by;                /* columns of the order; by NULL: the id alone */
    bool by_text;                       /* by is a text, else a number */
    const char *scope;                  /* what names the list, e.g. "environment_id = ?1" */
    struct str filter;                  /* further conditions, each " AND …"; may be empty */
    void (*bind)(struct db_stmt *s, const void *arg);   /* parameters from ?5 on, of scope and filter; NULL: none */
    void (*read)(struct db_stmt *s, struct arena *a, void *item);
    size_t item_size;
    const void *arg;
};

/* A cursor that names no row of the scope gives an empty page. */
bool page_read(struct db *db, struct arena *a, struct id environment, const struct page_source *source,
               const struct page_query *q, struct page *out, struct error *err);

#endif
