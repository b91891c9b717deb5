/* Counts the queue, up to a bound. */
#include "model/queue_depth.h"

#include "model/row.h"

bool queue_depth(struct db *db, int64_t now, int64_t most, struct queue_depth *d, struct error *err)
{
    struct db_stmt *s = db_query(db, err,
                                 "SELECT (SELECT count(*) FROM (SELECT 1 FROM queue WHERE due_at <= ?1 LIMIT ?2) AS due), "
                                 "(SELECT count(*) FROM (SELECT 1 FROM queue WHERE due_at > ?1 LIMIT ?2) AS pending)",
                                 now, most);
    if (!s)
        return false;
    if (!row_one(s, "no count", err))
        return false;
    *d = (struct queue_depth){.due = db_int(s, 0), .pending = db_int(s, 1)};
    db_reset(s);
    return true;
}
