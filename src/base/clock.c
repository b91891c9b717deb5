/* Clocks, and ISO 8601 in and out. */
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

int64_t clock_real_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void clock_init(struct clock *c, bool is_virtual)
{
    c->is_virtual = is_virtual;
    atomic_init(&c->virtual_ms, clock_real_ms());
}

int64_t clock_now_ms(const struct clock *c)
{
    return c->is_virtual ? atomic_load(&c->virtual_ms) : clock_real_ms();
}

void clock_set(struct clock *c, int64_t ms)
{
    int64_t old = atomic_load(&c->virtual_ms);
    while (ms > old && !atomic_compare_exchange_weak(&c->virtual_ms, &old, ms)) {}
}

bool clock_keep(const struct clock *c, const char *path)
{
    char draft[4096], iso[TIME_ISO_LEN + 1];
    if (snprintf(draft, sizeof draft, "%s.%lx", path, (unsigned long)pthread_self()) >= (int)sizeof draft)
        return false;
    FILE *f = fopen(draft, "we");
    if (!f)
        return false;
    time_iso(clock_now_ms(c), iso);
    bool ok = fprintf(f, "%s\n", iso) > 0;
    return (fclose(f) == 0) & ok && !rename(draft, path);
}

void clock_resume(struct clock *c, const char *path)
{
    char iso[TIME_ISO_LEN + 1] = "";
    int64_t ms;
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fread(iso, 1, TIME_ISO_LEN, f) == TIME_ISO_LEN && time_parse_iso((struct str){iso, TIME_ISO_LEN}, &ms))
        clock_set(c, ms);
    fclose(f);
}

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (Howard Hinnant, "chrono-compatible
 * low-level date algorithms", public domain description). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static void digits(char *p, unsigned v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
}

void time_iso(int64_t ms, char out[TIME_ISO_LEN + 1])
{
    int64_t day = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        day--;
    }
    int64_t y;
    unsigned m, d;
    civil_from_days(day, &y, &m, &d);
    if (y < 0 || y > 9999) {       /* beyond four digits: clamp, these are never real dates here */
        memcpy(out, y < 0 ? "0000-01-01T00:00:00.000Z" : "9999-12-31T23:59:59.999Z", TIME_ISO_LEN + 1);
        return;
    }
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_ISO_LEN + 1);
    digits(out, (unsigned)y, 4);
    digits(out + 5, m, 2);
    digits(out + 8, d, 2);
    digits(out + 11, (unsigned)(rest / 3600000), 2);
    digits(out + 14, (unsigned)(rest / 60000 % 60), 2);
    digits(out + 17, (unsigned)(rest / 1000 % 60), 2);
    digits(out + 20, (unsigned)(rest % 1000), 3);
}

struct str time_iso_str(struct arena *a, int64_t ms)
{
    char *p = arena_alloc_raw(a, TIME_ISO_LEN + 1);
    time_iso(ms, p);
    return (struct str){p, TIME_ISO_LEN};
}

/* Reads exactly n digits; false if there are fewer. */
static bool number(struct str *s, int n, unsigned *out)
{
    unsigned v = 0;
    if (s->n < (size_t)n)
        return false;
    for (int i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s->p[i] - '0');
    }
    s->p += n;
    s->n -= (size_t)n;
    *out = v;
    return true;
}

static bool literal(struct str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

/* Digits after a point, as milliseconds; more than three are cut. */
static bool fraction(struct str *s, unsigned *ms)
{
    unsigned v = 0, scale = 100;
    size_t i = 0;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++, scale /= 10)
        v += (unsigned)(s->p[i] - '0') * scale;
    s->p += i;
    s->n -= i;
    *ms = v;
    return i > 0;
}

static bool zone(struct str *s, int *minutes)
{
    unsigned h, m;
    *minutes = 0;
    if (s->n == 0 || literal(s, 'Z') || literal(s, 'z'))
        return s->n == 0;
    bool minus = s->p[0] == '-';
    if (!literal(s, '+') && !literal(s, '-'))
        return false;
    if (!number(s, 2, &h))
        return false;
    (void)literal(s, ':');
    if (!number(s, 2, &m) || h > 23 || m > 59 || s->n)
        return false;
    *minutes = (int)(h * 60 + m) * (minus ? -1 : 1);
    return true;
}

static unsigned month_days(unsigned y, unsigned m)
{
    static const unsigned char n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;
    return m == 2 && leap ? 29 : n[m - 1];
}

bool time_parse_iso(struct str s, int64_t *out)
{
    unsigned y, mo, d, h = 0, mi = 0, sec = 0, ms = 0;
    int off = 0;
    if (!number(&s, 4, &y) || !literal(&s, '-') || !number(&s, 2, &mo) || !literal(&s, '-') || !number(&s, 2, &d))
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo))
        return false;
    if (s.n) {
        if (!literal(&s, 'T') && !literal(&s, 't') && !literal(&s, ' '))
            return false;
        if (!number(&s, 2, &h) || !literal(&s, ':') || !number(&s, 2, &mi))
            return false;
        if (literal(&s, ':') && (!number(&s, 2, &sec) || (literal(&s, '.') && !fraction(&s, &ms))))
            return false;
        if (h > 24 || mi > 59 || sec > 59 || (h == 24 && (mi || sec || ms)) || !zone(&s, &off))
            return false;
    }
    *out = days_from_civil(y, mo, d) * 86400000 + (int64_t)(h * 3600 + mi * 60 + sec) * 1000 + ms
         - (int64_t)off * 60000;
    return true;
}

bool time_parse_duration(struct str s, int64_t *out)
{
    int64_t total = 0;
    bool in_time = false, any = false;
    if (!literal(&s, 'P'))
        return false;
    while (s.n) {
        if (!in_time && literal(&s, 'T')) {
            in_time = true;
            any = false;
            continue;
        }
        int64_t v = 0;
        unsigned ms = 0;
        size_t i = 0;
        for (; i < s.n && i < 12 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            v = v * 10 + (s.p[i] - '0');
        s.p += i;
        s.n -= i;
        if (!i || (literal(&s, '.') && !fraction(&s, &ms)) || !s.n)
            return false;
        int64_t unit;
        switch (s.p[0]) {
        case 'W': unit = in_time ? 0 : 604800000; break;
        case 'D': unit = in_time ? 0 : 86400000; break;
        case 'H': unit = in_time ? 3600000 : 0; break;
        case 'M': unit = in_time ? 60000 : 0; break;
        case 'S': unit = in_time ? 1000 : 0; break;
        default: unit = 0;
        }
        int64_t part;
        if (!unit || __builtin_mul_overflow(v, unit, &part)
            || __builtin_add_overflow(part, unit / 1000 * ms, &part)
            || __builtin_add_overflow(total, part, &total))
            return false;
        s.p++;
        s.n--;
        any = true;
    }
    *out = total;
    return any;
}

bool time_parse_12h(struct str s, int *minutes)
{
    size_t digits = s.n == 7 ? 1 : 2;       /* of the hour */
    int h = 0, m = 0;
    if (s.n != digits + 6 || s.p[digits] != ':' || s.p[digits + 3] != ' ' || (s.p[digits + 4] != 'A' && s.p[digits + 4] != 'P')
        || s.p[digits + 5] != 'M')
        return false;
    for (size_t i = 0; i < digits + 3; i++) {
        if (i == digits)
            continue;
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *(i < digits ? &h : &m) = *(i < digits ? &h : &m) * 10 + s.p[i] - '0';
    }
    if (h < 1 || h > 12 || m > 59)
        return false;
    *minutes = (h % 12 + (s.p[digits + 4] == 'P' ? 12 : 0)) * 60 + m;
    return true;
}
