/* Answers of writes of one row. */
#include "api/row_write.h"

static void row_reply(struct api_write *w)
{
    const struct row_write *x = (const struct row_write *)w;
    if (x->change == ERASE)
        reply_empty(w->rq, 204);
    else
        reply_json(w->rq, 0, x->json(w->rq, json_doc(w->rq->arena), x->row, 0));
}

void row_write_init(struct row_write *x, enum row_change change, const void *row,
                    bool (*apply)(struct api_write *w, struct db *db, struct error *err),
                    yyjson_mut_val *(*json)(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i))
{
    *x = (struct row_write){.w = {.apply = apply, .reply = row_reply}, .change = change, .row = row, .json = json};
}
