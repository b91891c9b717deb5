/* Time zones: when a wall clock shows what. */
#include "content/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <unicode/ucal.h>
#include <unicode/uenum.h>

#include "content/tzif.h"

enum { FILE_MAX = 64 << 10 };

/* ---- zones ---- */

bool zone_name(struct str zone, uint16_t name[ZONE_NAME_MAX])
{
    UBool system = false;
    UErrorCode status = U_ZERO_ERROR;
    UChar canonical[ZONE_NAME_MAX];
    if (!zone.n || zone.n >= ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < zone.n; i++)
        name[i] = (unsigned char)zone.p[i];
    name[zone.n] = 0;
    ucal_getCanonicalTimeZoneID(name, (int32_t)zone.n, canonical, ZONE_NAME_MAX, &system, &status);
    if (U_SUCCESS(status) && system)
        return true;
    status = U_ZERO_ERROR;
    UEnumeration *all = ucal_openTimeZones(&status);
    const char *id;
    bool found = false;
    for (int32_t n = 0; U_SUCCESS(status) && !found && (id = uenum_next(all, &n, &status));) {
        if (!str_eq_nocase(zone, (struct str){id, (size_t)n}))
            continue;
        for (int32_t i = 0; i <= n; i++)
            name[i] = (unsigned char)id[i];
        found = true;
    }
    uenum_close(all);
    return found;
}

bool zone_known(struct str name)
{
    uint16_t spelt[ZONE_NAME_MAX];
    return zone_name(name, spelt);
}

/* NULL: the system has no file of it that is understood. name: as ICU spells it, which holds no dots. */
static struct tzif *file_open(const uint16_t *name)
{
    char path[32 + ZONE_NAME_MAX] = "/usr/share/zoneinfo/";
    size_t n = strlen(path), got = 0;
    ssize_t r;
    for (; *name && *name != '.' && n < sizeof path - 1; name++)
        path[n++] = (char)*name;
    path[n] = 0;
    int fd = *name ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char bytes[FILE_MAX];
    while (got < sizeof bytes && (r = read(fd, bytes + got, sizeof bytes - got)) > 0)
        got += (size_t)r;
    close(fd);
    return got < sizeof bytes ? tzif_read(bytes, got) : NULL;
}

struct zone zone_open(struct str name)
{
    struct zone z = {.from = INT64_MIN, .until = INT64_MAX};
    uint16_t spelt[ZONE_NAME_MAX];
    UErrorCode status = U_ZERO_ERROR;
    if (str_eq_nocase(name, STR("UTC")) || !zone_name(name, spelt))
        return z;
    if ((z.file = file_open(spelt))) {
        z.until = INT64_MIN;        /* nothing is known yet */
        return z;
    }
    UCalendar *c = ucal_open(spelt, -1, "en_US", UCAL_GREGORIAN, &status);
    if (U_SUCCESS(status)) {
        z.calendar = c;
        z.until = INT64_MIN;
    }
    return z;
}

void zone_close(struct zone *z)
{
    if (z->calendar)
        ucal_close(z->calendar);
    tzif_free(z->file);
    z->calendar = NULL;
    z->file = NULL;
}

static int64_t milliseconds(int64_t second)
{
    return second < INT64_MIN / MS_SECOND ? INT64_MIN : second > INT64_MAX / MS_SECOND ? INT64_MAX : second * MS_SECOND;
}

/* Finds the stretch of constant offset around utc. */
static void zone_look(struct zone *z, int64_t utc)
{
    UErrorCode status = U_ZERO_ERROR;
    UDate change;
    if (z->file) {
        struct tzif_stretch s = tzif_at(z->file, utc / MS_SECOND - (utc % MS_SECOND < 0));
        z->from = milliseconds(s.from);
        z->until = milliseconds(s.until);
        z->offset = s.offset * (int64_t)MS_SECOND;
        return;
    }
    ucal_setMillis(z->calendar, (double)utc, &status);
    z->offset = ucal_get(z->calendar, UCAL_ZONE_OFFSET, &status) + ucal_get(z->calendar, UCAL_DST_OFFSET, &status);
    z->from = ucal_getTimeZoneTransitionDate(z->calendar, UCAL_TZ_TRANSITION_PREVIOUS_INCLUSIVE, &change, &status)
                  ? (int64_t)change : INT64_MIN;
    z->until = ucal_getTimeZoneTransitionDate(z->calendar, UCAL_TZ_TRANSITION_NEXT, &change, &status)
                   ? (int64_t)change : INT64_MAX;
    if (U_FAILURE(status))
        *z = (struct zone){.calendar = z->calendar, .from = utc, .until = utc};
}

int64_t zone_offset(struct zone *z, int64_t utc)
{
    if (utc < z->from || utc >= z->until)
        zone_look(z, utc);
    return z->offset;
}

int64_t zone_utc_at(struct zone *z, int64_t local, int64_t offset)
{
    return zone_offset(z, local - offset) == offset ? local - offset : zone_utc(z, local);
}

int64_t zone_utc(struct zone *z, int64_t local)
{
    /* Clocks never change twice within two days. */
    int64_t before = zone_offset(z, local - MS_DAY), after = zone_offset(z, local + MS_DAY);
    if (zone_offset(z, local - before) == before || zone_offset(z, local - after) != after)
        return local - before;
    return local - after;
}

/* ---- the calendar ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970 of a civil date, counted in eras of 400 years that begin on 1 March. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

struct civil civil_of(int64_t local)
{
    int64_t days = floor_div(local, MS_DAY), rest = local - days * MS_DAY;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {.day = (int)(doy - (153 * mp + 2) / 5) + 1, .month = (int)(mp < 10 ? mp + 3 : mp - 9),
                      .weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7)};
    c.year = (int)(yoe + era * 400) + (c.month <= 2);
    c.hour = (int)(rest / MS_HOUR);
    c.minute = (int)(rest / MS_MINUTE % 60);
    c.second = (int)(rest / MS_SECOND % 60);
    c.milli = (int)(rest % 1000);
    return c;
}

int64_t civil_local(const struct civil *c)
{
    return days_of(c->year, c->month, c->day) * MS_DAY + (int64_t)c->hour * MS_HOUR + (int64_t)c->minute * MS_MINUTE +
           (int64_t)c->second * MS_SECOND + c->milli;
}

int civil_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

int64_t civil_add_months(int64_t local, int64_t n)
{
    struct civil c = civil_of(local);
    int64_t months = c.year * 12LL + c.month - 1 + n;
    c.year = (int)floor_div(months, 12);
    c.month = (int)(months - c.year * 12LL) + 1;
    int last = civil_month_days(c.year, c.month);
    if (c.day > last)
        c.day = last;
    return civil_local(&c);
}
