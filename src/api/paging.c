/* Lists with a cursor on the wire. */
#include "api/paging.h"

static void cursor_read(struct checks *c, const char *name, struct id *out)
{
    struct str s = request_query(c->rq, name);
    /* An id that cannot be one names no row: an empty page, like every unknown cursor. */
    if (s.n && !id_parse(s, out))
        memset(out->b, 0xff, sizeof out->b);
}

bool paging_read(struct checks *c, const char *order, struct page_query *q)
{
    struct str by = request_query(c->rq, "orderBy"), direction = request_query(c->rq, "orderDirection");
    q->limit = (int)check_query_int(c, "limit", 10, 1, 100);
    q->ascending = str_eqz(direction, "ASC");
    q->include_cursor = check_query_bool(c, "includeCursor", false);
    q->by_updated_at = str_eqz(by, "updatedAt");
    if (by.n && !q->by_updated_at && !str_eqz(by, order))
        check_fail(c, "orderBy must be one of the following values: updatedAt, %s", order);
    if (direction.n && !q->ascending && !str_eqz(direction, "DESC"))
        check_fail(c, "orderDirection must be one of the following values: ASC, DESC");
    cursor_read(c, "after", &q->after);
    cursor_read(c, "before", &q->before);
    if (!checks_done(c))
        return false;
    if (id_is_zero(q->after) || id_is_zero(q->before))
        return true;
    reply_fail(c->rq, 400, "Cannot specify both \"before\" and \"after\" cursors at the same time.");
    return false;
}

static void add_cursor(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, struct id id)
{
    if (id_is_zero(id))
        json_add_str(d, o, key, STR_NULL);
    else
        json_add_id(d, o, key, id);
}

void reply_page(struct request *rq, yyjson_mut_doc *d, const struct page *page,
                yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i))
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < page->n; i++)
        yyjson_mut_arr_append(list, json(rq, d, page->items, i));
    add_cursor(d, o, "next", page->next);
    add_cursor(d, o, "previous", page->previous);
    json_add_int(d, o, "totalCount", page->total);
    json_add_bool(d, o, "totalCountCapped", page->total_capped);
    reply_json(rq, 0, o);
}

void reply_numbered_page(struct request *rq, int64_t page, int64_t size, const void *items, size_t n,
                         yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i))
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "page", page);
    json_add_bool(d, o, "hasMore", n > (size_t)size);
    json_add_int(d, o, "pageSize", size);
    yyjson_mut_val *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < n && i < (size_t)size; i++)
        yyjson_mut_arr_append(list, json(rq, d, items, i));
    reply_json(rq, 0, o);
}
