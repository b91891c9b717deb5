/* Counts of runs. Ids begin with their time, so what is too old is not even read. */
#include "model/run_stats.h"

#include "model/row.h"
#include "model/run.h"

bool run_count(struct db *db, struct id environment, int64_t from, int64_t *n, struct error *err)
{
    return row_int(db_query(db, err, "SELECT count(*) FROM runs WHERE environment_id = ?1 AND id >= ?2 AND created_at >= ?3", environment,
                            run_id_floor(from), from), n, err);
}

static void day_read(struct db_stmt *s, struct arena *a, void *out)
{
    (void)a;
    *(struct run_day *)out = (struct run_day){.day = db_int(s, 0), .workflow = db_id(s, 1), .channels = (unsigned)db_int(s, 2), .n = db_int(s, 3)};
}

bool run_days(struct db *db, struct arena *a, struct id environment, int64_t from, struct run_day **out, size_t *n, struct error *err)
{
    return ROWS_READ(db_query(db, err, "SELECT created_at / 86400000 AS day, workflow_id, channels, count(*) FROM runs "
                              "WHERE environment_id = ?1 AND id >= ?2 AND created_at >= ?3 GROUP BY day, workflow_id, channels "
                              "ORDER BY day DESC, workflow_id, channels", environment, run_id_floor(from), from), a, day_read, out, n, err);
}
