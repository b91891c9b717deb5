/* Lists with a cursor on the wire (rest-api.md §3.4, style 1). */
#ifndef API_PAGING_H
#define API_PAGING_H

#include "api/app.h"
#include "model/page.h"

/* Reads limit, after, before, includeCursor, orderBy and orderDirection. order: what the list is ordered by unless it
 * says "updatedAt" ("_id", "createdAt"). Ends the checks: false: the request was answered with 422 or 400. */
bool paging_read(struct checks *c, const char *order, struct page_query *q);

/* Answers {data, next, previous, totalCount, totalCountCapped}; json makes the wire form of item i. */
void reply_page(struct request *rq, yyjson_mut_doc *d, const struct page *page,
                yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i));

#endif
