/* What time it is, as a thing that is handed in.
 *
 * Workflow time (stored dates, delays, digests, schedules) is read from a struct clock; signatures, tokens,
 * sockets and time-outs use clock_real_ms / clock_mono_ns (design.md, "--clock virtual").
 * All times are milliseconds since 1970-01-01T00:00:00Z.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Thread-safe. With is_virtual the time stands still until clock_set. */
struct clock {
    bool is_virtual;
    _Atomic int64_t virtual_ms;
};

void clock_init(struct clock *c, bool is_virtual);  /* a virtual clock starts at the wall clock's time */
int64_t clock_now_ms(const struct clock *c);
void clock_set(struct clock *c, int64_t ms);        /* virtual only; never backwards (ignored) */
/* Where a virtual clock stands, in a file: written whole or not at all; read, it goes on from there (not backwards). A file that
 * is not there, or is none of these, is none. */
bool clock_keep(const struct clock *c, const char *path);
void clock_resume(struct clock *c, const char *path);

int64_t clock_real_ms(void);
int64_t clock_mono_ns(void);

enum { TIME_ISO_LEN = 24 };                          /* 2026-01-01T00:00:00.000Z */
void time_iso(int64_t ms, char out[TIME_ISO_LEN + 1]);
struct str time_iso_str(struct arena *a, int64_t ms);
/* ISO 8601 / RFC 3339 date or date-time; without a zone it is UTC. Fractions beyond ms are cut. */
bool time_parse_iso(struct str s, int64_t *ms);
/* "09:00 AM" or "9:00 AM" as minutes since midnight; false if it is neither form. */
bool time_parse_12h(struct str s, int *minutes);
/* ISO 8601 duration of fixed-length parts: P2D, PT1H30M, PT5.5S, P1W. Years and months are refused. */
bool time_parse_duration(struct str s, int64_t *ms);

#endif
