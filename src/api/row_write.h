/* Writes of one row on behalf of a request: made, changed or erased, and answered with what it is now. */
#ifndef API_ROW_WRITE_H
#define API_ROW_WRITE_H

#include "api/app.h"

enum row_change { CREATE, UPDATE, ERASE };

/* First in a resource's own write, which holds the row. */
struct row_write {
    struct api_write w;
    enum row_change change;
    const void *row;
    /* The wire form, as lists have it (api/paging.h): items is row, i is 0. */
    yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i);
};

/* Fills x; then api_write(rq, &x->w) answers with json, or, of what was erased, with 204. */
void row_write_init(struct row_write *x, enum row_change change, const void *row,
                    bool (*apply)(struct api_write *w, struct db *db, struct error *err),
                    yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i));

#endif
