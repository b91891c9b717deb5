/* How many runs there were, for the statistics of older dashboards (rest-api.md §6.7). */
#ifndef MODEL_RUN_STATS_H
#define MODEL_RUN_STATS_H

#include "db/db.h"

/* Of one environment since `from` (ms). */
bool run_count(struct db *db, struct id environment, int64_t from, int64_t *n, struct error *err);

/* Runs of one workflow with the same channels on one day (UTC). */
struct run_day {
    int64_t day;                        /* since 1970 */
    struct id workflow;
    unsigned channels;                  /* as struct run_query has them */
    int64_t n;
};
/* The latest day first. */
bool run_days(struct db *db, struct arena *a, struct id environment, int64_t from, struct run_day **out, size_t *n, struct error *err);

#endif
