/* Local time in IANA time zones: by the system's files, which are kept up to date; where it has none of a zone, by ICU's
 * rules, which are as old as ICU.
 *
 * All times are milliseconds: `utc` since 1970-01-01T00:00:00Z, `local` is the same number for the wall clock's
 * reading, as if that were UTC. Names are found as JavaScript finds them, whatever their case; an unknown or empty
 * name is UTC (engine.md §4.6, content.md §8).
 *
 * A struct zone belongs to one thread at a time. Opening costs some 10 µs; readings within the same stretch between
 * two changes of the clocks then cost nanoseconds.
 */
#ifndef CONTENT_ZONE_H
#define CONTENT_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { ZONE_NAME_MAX = 64 };

struct zone {
    struct tzif *file;          /* the system's */
    void *calendar;             /* else ICU's; both NULL: UTC */
    int64_t from, until;        /* the offset below holds in [from, until) */
    int64_t offset;
};

struct zone zone_open(struct str name);
void zone_close(struct zone *z);
#define ZONE_SCOPED __attribute__((cleanup(zone_close)))

/* Is there such a zone? */
bool zone_known(struct str name);
/* ICU's spelling of the name, as UTF-16 with a 0 behind it. false: there is no such zone. */
bool zone_name(struct str zone, uint16_t name[ZONE_NAME_MAX]);

/* East of Greenwich is positive. */
int64_t zone_offset(struct zone *z, int64_t utc);
static inline int64_t zone_local(struct zone *z, int64_t utc) { return utc + zone_offset(z, utc); }
/* A local time that happens twice is its first; one that the clocks leap over is as much later as they leap
 * (02:30 in a gap from 02:00 to 03:00 is 03:30). */
int64_t zone_utc(struct zone *z, int64_t local);
/* The same, but of a local time that happens twice the one at this offset. */
int64_t zone_utc_at(struct zone *z, int64_t local, int64_t offset);

/* A wall clock and its calendar (proleptic Gregorian). */
struct civil {
    int year, month, day;       /* month 1–12, day 1–31 */
    int hour, minute, second, milli;
    int weekday;                /* 0 is Sunday; not read by civil_local */
};

struct civil civil_of(int64_t local);
int64_t civil_local(const struct civil *c);
int civil_month_days(int year, int month);
/* n months later (or earlier), on the month's last day if it has no such day. */
int64_t civil_add_months(int64_t local, int64_t n);

enum { MS_SECOND = 1000, MS_MINUTE = 60000, MS_HOUR = 3600000, MS_DAY = 86400000 };

#endif
