/* The system's time zone files (RFC 8536): a list of changes, and a rule for the years after the last of them. */
#include "content/tzif.h"

#include <stdlib.h>
#include <string.h>

#include "content/zone.h"

enum { CHANGES_MAX = 4096, TYPES_MAX = 256, HEADER = 44, HOURS_MAX = 167 };

/* When a yearly change happens, in local time before it. */
struct rule {
    enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;    /* Mm.w.d; Jn: without 29 February; n: from 0 */
    int month, week, day;
    int32_t time;               /* seconds after midnight, may be of other days */
};

struct tzif {
    size_t n;                   /* changes */
    int32_t before;             /* offset before the first */
    bool has_rule, has_summer;  /* the footer: what holds after the last */
    int32_t standard, summer;   /* offsets, seconds east */
    struct rule start, end;     /* of summer time */
    struct { int64_t at; int32_t offset; } changes[];
};

/* --- the footer: a POSIX TZ string -------------------------------------------------------------------------------- */

struct scan {
    const char *p, *end;
};

static bool take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_number(struct scan *s, int most, int *n)
{
    const char *from = s->p;
    for (*n = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9' && *n <= most; s->p++)
        *n = *n * 10 + (*s->p - '0');
    return s->p > from && *n <= most;
}

static bool take_name(struct scan *s)
{
    const char *from = s->p;
    if (take(s, '<')) {
        while (s->p < s->end && *s->p != '>')
            s->p++;
        return take(s, '>');
    }
    while (s->p < s->end && ((*s->p >= 'a' && *s->p <= 'z') || (*s->p >= 'A' && *s->p <= 'Z')))
        s->p++;
    return s->p - from >= 3;
}

/* [+-]h[:m[:s]] */
static bool take_time(struct scan *s, int32_t *seconds)
{
    int hours, minutes = 0, rest = 0;
    bool negative = take(s, '-');
    if (!negative)
        take(s, '+');
    if (!take_number(s, HOURS_MAX, &hours) || (take(s, ':') && (!take_number(s, 59, &minutes) || (take(s, ':') && !take_number(s, 59, &rest)))))
        return false;
    *seconds = (negative ? -1 : 1) * (hours * 3600 + minutes * 60 + rest);
    return true;
}

static bool take_rule(struct scan *s, struct rule *r)
{
    bool ok;
    *r = (struct rule){.time = 7200};
    if (take(s, 'M')) {
        r->kind = RULE_MONTH;
        ok = take_number(s, 12, &r->month) && r->month && take(s, '.') && take_number(s, 5, &r->week) && r->week && take(s, '.')
            && take_number(s, 6, &r->day);
    } else if (take(s, 'J')) {
        r->kind = RULE_JULIAN;
        ok = take_number(s, 365, &r->day) && r->day;
    } else {
        r->kind = RULE_DAY;
        ok = take_number(s, 365, &r->day);
    }
    return ok && (!take(s, '/') || take_time(s, &r->time));
}

static bool footer_read(struct tzif *z, struct scan s)
{
    int32_t west;
    if (!take_name(&s) || !take_time(&s, &west))
        return false;
    z->standard = -west;
    if (s.p == s.end)
        return true;
    if (!take_name(&s))
        return false;
    z->summer = z->standard + 3600;
    if (s.p < s.end && *s.p != ',') {
        if (!take_time(&s, &west))
            return false;
        z->summer = -west;
    }
    z->has_summer = true;
    return take(&s, ',') && take_rule(&s, &z->start) && take(&s, ',') && take_rule(&s, &z->end) && s.p == s.end;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t i64(const uint8_t *p)
{
    return (int64_t)((uint64_t)u32(p) << 32 | u32(p + 4));
}

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static bool header_read(const uint8_t *p, size_t n, struct counts *c)
{
    if (n < HEADER || memcmp(p, "TZif", 4) || p[4] < '2')
        return false;
    *c = (struct counts){u32(p + 20), u32(p + 24), u32(p + 28), u32(p + 32), u32(p + 36), u32(p + 40)};
    return c->time <= CHANGES_MAX && c->type && c->type <= TYPES_MAX && c->leap <= CHANGES_MAX && c->isut <= TYPES_MAX
        && c->isstd <= TYPES_MAX && c->chars <= 4096;
}

static size_t body_size(const struct counts *c, size_t time_size)
{
    return c->time * (time_size + 1) + c->type * 6 + c->chars + c->leap * (time_size + 4) + c->isstd + c->isut;
}

/* times: the changes; behind them their types, and what those are. */
static bool changes_read(struct tzif *z, const uint8_t *times, const struct counts *c)
{
    const uint8_t *index = times + c->time * 8, *types = index + c->time;
    z->n = c->time;
    z->before = (int32_t)u32(types);
    for (size_t i = 0; i < c->time; i++) {
        if (index[i] >= c->type)
            return false;
        z->changes[i].at = i64(times + i * 8);
        z->changes[i].offset = (int32_t)u32(types + (size_t)index[i] * 6);
        if (i && z->changes[i].at <= z->changes[i - 1].at)
            return false;
    }
    return true;
}

struct tzif *tzif_read(const void *data, size_t n)
{
    const uint8_t *p = data, *end = p + n;
    struct counts c;
    if (!header_read(p, n, &c) || n - HEADER < body_size(&c, 4))
        return NULL;
    p += HEADER + body_size(&c, 4);     /* the first body is for readers of 32 bits */
    if (!header_read(p, (size_t)(end - p), &c) || (size_t)(end - p) - HEADER < body_size(&c, 8))
        return NULL;
    struct tzif *z = calloc(1, sizeof *z + c.time * sizeof z->changes[0]);
    if (!z)
        abort();
    const uint8_t *body = p + HEADER, *footer = body + body_size(&c, 8);
    const uint8_t *line = footer < end && *footer == '\n' ? memchr(footer + 1, '\n', (size_t)(end - footer) - 1) : NULL;
    if (!changes_read(z, body, &c) || !line) {
        free(z);
        return NULL;
    }
    if (line > footer + 1) {
        z->has_rule = footer_read(z, (struct scan){(const char *)footer + 1, (const char *)line});
        if (!z->has_rule) {
            free(z);
            return NULL;
        }
    }
    return z;
}

void tzif_free(struct tzif *z)
{
    free(z);
}

/* --- what holds when ---------------------------------------------------------------------------------------------- */

/* The rule's local time in that year, in seconds. */
static int64_t rule_local(const struct rule *r, int year)
{
    struct civil c = {.year = year, .month = 1, .day = 1};
    int64_t day;
    if (r->kind == RULE_MONTH) {
        c.month = r->month;
        int64_t first = civil_local(&c) / MS_DAY;
        int ahead = (r->day - civil_of(first * MS_DAY).weekday + 7) % 7 + (r->week - 1) * 7;
        while (ahead >= civil_month_days(year, r->month))
            ahead -= 7;
        day = first + ahead;
    } else {
        bool leap = civil_month_days(year, 2) == 29;
        day = civil_local(&c) / MS_DAY + (r->kind == RULE_DAY ? r->day : r->day - 1 + (leap && r->day > 59));
    }
    return day * 86400 + r->time;
}

static void by_rule(const struct tzif *z, int64_t s, int64_t since, struct tzif_stretch *out)
{
    *out = (struct tzif_stretch){since, INT64_MAX, z->standard};
    if (!z->has_summer)
        return;
    int year = civil_of((s + z->standard) * 1000).year;
    int64_t from = INT64_MIN, until = INT64_MAX;
    for (int y = year - 1; y <= year + 1; y++) {
        const struct { int64_t at; int32_t offset; } both[] = {{rule_local(&z->start, y) - z->standard, z->summer},
                                                              {rule_local(&z->end, y) - z->summer, z->standard}};
        for (int k = 0; k < 2; k++) {
            if (both[k].at <= s && both[k].at >= from) {
                from = both[k].at;
                out->offset = both[k].offset;
            } else if (both[k].at > s && both[k].at < until) {
                until = both[k].at;
            }
        }
    }
    out->from = from > since ? from : since;
    out->until = until;
}

struct tzif_stretch tzif_at(const struct tzif *z, int64_t s)
{
    struct tzif_stretch out = {INT64_MIN, z->n ? z->changes[0].at : INT64_MAX, z->before};
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->changes[middle].at <= s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->has_rule)
        by_rule(z, s, z->n ? z->changes[z->n - 1].at : INT64_MIN, &out);
    else if (low)
        out = (struct tzif_stretch){z->changes[low - 1].at, low < z->n ? z->changes[low].at : INT64_MAX, z->changes[low - 1].offset};
    return out;
}
