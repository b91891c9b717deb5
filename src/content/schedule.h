/* A person's weekly delivery windows (engine.md §6.7):
 * {isEnabled, weeklySchedule: {monday…sunday: {isEnabled, hours: [{start: "09:00 AM", end: "05:00 PM"}]}}}.
 *
 * Windows are minutes of the wall clock, both ends included: until "05:00 PM" lasts through 17:00:59. A window that
 * ends before it starts goes on into the next day, also when that day has none of its own.
 */
#ifndef CONTENT_SCHEDULE_H
#define CONTENT_SCHEDULE_H

#include "base/json.h"
#include "content/zone.h"

struct schedule_window {
    int start, end;             /* minutes since midnight */
};

struct schedule {
    bool limits;                /* false: no schedule, or not enabled: always open */
    struct {
        struct schedule_window *windows;
        size_t n;
    } day[7];                   /* 0 is Sunday */
};

/* v NULL: none. Windows whose times cannot be read are left out (they were refused when they were written). */
struct schedule schedule_read(struct arena *a, yyjson_val *v);
bool schedule_is_open(const struct schedule *s, struct zone *z, int64_t utc);
/* The first moment after utc at which it is open, where it is not open at utc: at most 8 days on. false: none. */
bool schedule_next_opening(const struct schedule *s, struct zone *z, int64_t utc, int64_t *opening);

#endif
