/* Cron expressions in the dialect of npm cron-parser 4.9 (content.md §8): five fields, or six with leading seconds;
 * missing leading fields take their defaults. Recorded in tests/data/cron.
 *
 * Pure: the time and its zone are handed in. A struct cron is plain data that may be copied and shared.
 */
#ifndef CONTENT_CRON_H
#define CONTENT_CRON_H

#include "base/error.h"
#include "content/zone.h"

struct cron {
    uint64_t seconds, minutes;          /* bit n: the value n fires */
    uint32_t hours, days, months, weekdays;
    bool day_last;                      /* L: the month's last day */
    uint8_t weekdays_last;              /* 5L: bit 5, the month's last Friday */
    bool every_weekday, every_hour;     /* as the dialect sees it: by how many values are listed */
    int days_listed;
    double weekday_nth;                 /* 1#2: the second one of the month; 0: any */
};

/* false: err->message is cron-parser's, as `Constraint error, got value 60 expected range 0-59`. */
bool cron_parse(struct str expression, struct cron *c, struct error *err);

/* The next fire strictly after utc, on a whole second, by the zone's wall clock: a time that the clocks leap over
 * fires as much later as they leap, one that happens twice fires once. false: there is none (31 February). */
bool cron_next(const struct cron *c, struct zone *z, int64_t utc, int64_t *next, struct error *err);

#endif
