/* Prints dates with strftime's directives, their flags and widths as liquidjs has them; zones come from ICU. */
#include "content/liquid/liquid_private.h"

#include <math.h>
#include <stdio.h>
#include <unicode/ucal.h>

#include "content/zone.h"

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August",
                                     "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || (year % 400 == 0 && year != 0));
}

/* Civil date of a day number, proleptic Gregorian. */
static void civil_from_days(double z, struct shown_date *d)
{
    z += 719468;
    double era = floor(z / 146097), doe = z - era * 146097;
    double yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365);
    double doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100)), mp = floor((5 * doy + 2) / 153);
    d->day = (int)(doy - floor((153 * mp + 2) / 5)) + 1;
    d->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    d->year = (int)(yoe + era * 400) + (d->month <= 2);
}

void date_show(struct shown_date *d)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    double shown = floor(d->ms - d->offset * 60000), days = floor(shown / 86400000), rest = shown - days * 86400000;
    civil_from_days(days, d);
    d->weekday = (int)fmod(fmod(days + 4, 7) + 7, 7);
    d->hour = (int)(rest / 3600000);
    d->minute = (int)fmod(rest / 60000, 60);
    d->second = (int)fmod(rest / 1000, 60);
    d->milli = (int)fmod(rest, 1000);
    d->yday = before[d->month - 1] + d->day + (d->month > 2 && is_leap(d->year));
}

/* ---- zones ---- */
/* Steps are charged for what ICU does: some 10 µs for a calendar, more for a search through all names. */
bool date_zone_offset(struct render *r, struct str zone, double ms, double *minutes)
{
    UErrorCode status = U_ZERO_ERROR;
    *minutes = 0;
    if (str_eq_nocase(zone, STR("UTC")))
        return true;
    if (!str_eq(zone, r->zone)) {
        r->zone = STR_NULL;
        if (!render_work(r, 1000) || !zone_name(zone, r->zone_name))
            return false;
        r->zone = zone;
    }
    if (!render_work(r, 100))
        return false;
    UCalendar *c = ucal_open(r->zone_name, -1, "en_US", UCAL_GREGORIAN, &status);
    if (U_FAILURE(status))
        return false;
    if (!isnan(ms)) {
        ucal_setMillis(c, ms, &status);
        int32_t offset = ucal_get(c, UCAL_ZONE_OFFSET, &status) + ucal_get(c, UCAL_DST_OFFSET, &status);
        if (U_SUCCESS(status))
            *minutes = -offset / 60000.0;
    }
    ucal_close(c);
    return true;
}

/* ---- directives ---- */
struct directive {
    bool dash, underscore, zero, caret, hash, colon;
    int width;
    char conversion;
};

static struct str zone_offset_str(struct arena *a, const struct shown_date *d, bool colon)
{
    double n = fabs(d->offset), h = floor(n / 60), m = n - h * 60;
    char minutes[NUMBER_TEXT_MAX];
    size_t k = number_print(m, minutes);
    return str_fmt(a, "%c%02.0f%s%s%.*s", d->offset > 0 ? '-' : '+', h, colon ? ":" : "", k < 2 ? "0" : "", (int)k, minutes);
}

static int week_of_year(const struct shown_date *d, int start)
{
    return (d->yday - 1 - (d->weekday - start + 7) % 7 + 7) / 7;
}

static const char *ordinal(int day)
{
    if (day >= 11 && day <= 13)
        return "th";
    return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

static struct str integer(struct arena *a, double n)
{
    char text[NUMBER_TEXT_MAX];
    size_t k = number_print(n, text);
    return (struct str){arena_copy(a, text, k), k};
}

static struct str fraction(struct render *r, const struct shown_date *d, int width)
{
    int n = width ? width : 9;
    if (!render_memory(r, n))
        return STR("");
    char *p = arena_alloc_raw(r->arena, (size_t)n + 4);
    snprintf(p, 4, "%03d", d->milli);
    for (int i = 3; i < n; i++)
        p[i] = '0';
    return (struct str){p, (size_t)n};
}

static struct str locale_date(struct arena *a, const struct shown_date *d)
{
    int year = d->year > 0 ? d->year : 1 - d->year;
    return str_fmt(a, "%d/%d/%d%s", d->month, d->day, year, d->year > 0 ? "" : " B");
}

static struct str locale_time(struct arena *a, const struct shown_date *d)
{
    return str_fmt(a, "%d:%02d:%02d %s", d->hour % 12 ? d->hour % 12 : 12, d->minute, d->second, d->hour < 12 ? "AM" : "PM");
}

/* false: no such directive. */
static bool convert(struct render *r, const struct shown_date *d, const struct directive *f, struct str *out)
{
    struct arena *a = r->arena;
    int hour12 = d->hour % 12 ? d->hour % 12 : 12;
    switch (f->conversion) {
    case 'a': *out = str_sub(str_of(weekdays[d->weekday]), 0, 3); return true;
    case 'A': *out = str_of(weekdays[d->weekday]); return true;
    case 'b': case 'h': *out = str_sub(str_of(months[d->month - 1]), 0, 3); return true;
    case 'B': *out = str_of(months[d->month - 1]); return true;
    case 'c': {
        struct str date = locale_date(a, d), time = locale_time(a, d);
        *out = str_fmt(a, "%.*s, %.*s", STR_ARG(date), STR_ARG(time));
        return true;
    }
    case 'C': *out = integer(a, floor(d->year / 100.0)); return true;
    case 'd': case 'e': *out = integer(a, d->day); return true;
    case 'H': case 'k': *out = integer(a, d->hour); return true;
    case 'I': case 'l': *out = integer(a, hour12); return true;
    case 'j': *out = integer(a, d->yday); return true;
    case 'L': *out = integer(a, d->milli); return true;
    case 'm': *out = integer(a, d->month); return true;
    case 'M': *out = integer(a, d->minute); return true;
    case 'N': *out = fraction(r, d, f->width); return true;
    case 'p': *out = str_of(d->hour < 12 ? "AM" : "PM"); return true;
    case 'P': *out = str_of(d->hour < 12 ? "am" : "pm"); return true;
    case 'q': *out = str_of(ordinal(d->day)); return true;
    case 's': *out = integer(a, floor(d->ms / 1000)); return true;
    case 'S': *out = integer(a, d->second); return true;
    case 'u': *out = integer(a, d->weekday ? d->weekday : 7); return true;
    case 'U': *out = integer(a, week_of_year(d, 0)); return true;
    case 'w': *out = integer(a, d->weekday); return true;
    case 'W': *out = integer(a, week_of_year(d, 1)); return true;
    case 'x': *out = locale_date(a, d); return true;
    case 'X': *out = locale_time(a, d); return true;
    case 'y': *out = integer(a, (d->year % 100 + 100) % 100); return true;
    case 'Y': *out = integer(a, d->year); return true;
    case 'z': *out = zone_offset_str(a, d, f->colon); return true;
    case 'Z': *out = !d->fixed ? STR("UTC") : d->zone.n ? d->zone : zone_offset_str(a, d, f->colon); return true;
    case 't': *out = STR("\t"); return true;
    case 'n': *out = STR("\n"); return true;
    case '%': *out = STR("%"); return true;
    default: return false;
    }
}

static int default_width(char conversion)
{
    return conversion == 'Y' ? 4 : conversion == 'j' || conversion == 'L' ? 3 : conversion && strchr("CdeHIklmMSUWy", conversion) ? 2 : 0;
}

/* %# swaps: lower-case letters make it upper case, their absence lower case. */
static struct str change_case(struct render *r, struct str s)
{
    bool has_lower = false;
    for (size_t i = 0; i < s.n; i++)
        has_lower |= s.p[i] >= 'a' && s.p[i] <= 'z';
    return text_case(r, s, has_lower ? TEXT_UPPER : TEXT_LOWER);
}

static bool put_directive(struct render *r, struct buf *b, const struct shown_date *d, const struct directive *f)
{
    struct str s;
    if (!convert(r, d, f, &s))
        return false;
    if (f->caret)
        s = text_case(r, s, TEXT_UPPER);
    else if (f->hash)
        s = change_case(r, s);
    bool spaces = f->underscore || (!f->zero && strchr("aAbBceklpP", f->conversion));
    size_t width = (size_t)(f->dash ? 0 : f->width ? f->width : default_width(f->conversion)), n = text_units(s);
    if (!render_memory(r, (double)width + (double)s.n))
        return true;
    if (!spaces && s.n && s.p[0] == '-') {
        buf_char(b, '-');
        s = str_sub(s, 1, s.n);
        width -= width > 0;
        n--;
    }
    for (; n < width; n++)
        buf_char(b, spaces ? ' ' : '0');
    buf_str(b, s);
    return true;
}

/* %[flags][width][E or O]conversion at s[i]; returns its length, 0 if there is none. */
static size_t read_directive(struct str s, size_t i, struct directive *f)
{
    size_t k = i + 1;
    double width = 0;
    *f = (struct directive){0};
    for (; k < s.n && s.p[k] && strchr("-_0^#:", s.p[k]); k++) {
        f->dash |= s.p[k] == '-';
        f->underscore |= s.p[k] == '_';
        f->zero |= s.p[k] == '0';
        f->caret |= s.p[k] == '^';
        f->hash |= s.p[k] == '#';
        f->colon |= s.p[k] == ':';
    }
    for (; k < s.n && s.p[k] >= '0' && s.p[k] <= '9'; k++)
        width = fmin(width * 10 + (s.p[k] - '0'), 1e9);
    f->width = (int)width;
    if (k + 1 < s.n && (s.p[k] == 'E' || s.p[k] == 'O') && s.p[k + 1] != '\n')
        k++;
    if (k >= s.n || s.p[k] == '\n')
        return 0;
    f->conversion = s.p[k];
    size_t n;
    text_decode(s, k, &n);
    return k + n - i;
}

struct str date_format(struct render *r, const struct shown_date *d, struct str format)
{
    struct buf b = {.arena = r->arena};
    for (size_t i = 0; i < format.n && !r->failed;) {
        struct directive f;
        size_t n = format.p[i] == '%' ? read_directive(format, i, &f) : 0;
        if (n && (unsigned char)f.conversion < 0x80 && put_directive(r, &b, d, &f)) {
            i += n;
            continue;
        }
        buf_add(&b, format.p + i, n ? n : 1);
        i += n ? n : 1;
    }
    render_memory(r, (double)b.cap);
    return str_solid(buf_get(&b));
}
