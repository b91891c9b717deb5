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

/* Lists by number of page, as older routes have them: answers {page, hasMore, pageSize, data}. n: of the items from
 * page * size on, one more than size if there is more. */
void reply_numbered_page(struct request *rq, int64_t page, int64_t size, const void *items, size_t n,
                         yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i));

#endif
