/* Cron expressions: what they say, and when they fire next. */
#include "content/cron.h"

#include <math.h>

#include "content/liquid/liquid_private.h"

/* ---- parsing ---- */

enum { FIELDS = 6, LISTED_MAX = 4096 };

static const struct field {
    const char *fallback, *characters;
    int min, max;
    bool names, last;                   /* months' and weekdays' names; L */
} fields[FIELDS] = {
    {"0", ",*/-", 0, 59, false, false}, {"*", ",*/-", 0, 59, false, false}, {"*", ",*/-", 0, 23, false, false},
    {"*", "?,*L/-", 1, 31, false, true}, {"*", ",*/-", 1, 12, true, false}, {"*", "?,*L#/-", 0, 7, true, true},
};
enum { DAY = 3, MONTH = 4, WEEKDAY = 5 };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* The values of one field. The dialect counts what is listed, repetitions included. */
struct listing {
    uint64_t set;
    int n;
    int last_n, last_plain_n;           /* texts with an L in them, and those that are just L */
    uint8_t weekdays_last;
};

struct parser {
    struct arena *arena;
    const struct field *field;
    struct listing *out;
    struct error *err;
};

#define FAIL(p, ...) error_set((p)->err, ERROR_BAD_INPUT, __VA_ARGS__)

static const char *shown(struct parser *p, double n)
{
    char text[NUMBER_TEXT_MAX];
    return str_z(p->arena, (struct str){text, number_print(n, text)});
}

static bool out_of_range(struct parser *p, const char *value)
{
    return FAIL(p, "Constraint error, got value %s expected range %d-%d", value, p->field->min, p->field->max);
}

/* The part before the next separator; *rest moves behind it. false: nothing is left. */
static bool cut(struct str *rest, char separator, struct str *part)
{
    if (!rest->p)
        return false;
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    *part = at ? (struct str){rest->p, (size_t)(at - rest->p)} : *rest;
    *rest = at ? str_sub(*rest, part->n + 1, rest->n) : STR_NULL;
    return true;
}

static size_t parts(struct str s, char separator)
{
    size_t n = 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == separator;
    return n;
}

static bool add_number(struct parser *p, double n)
{
    if (isnan(n) || n < p->field->min || n > p->field->max)
        return out_of_range(p, shown(p, n));
    int value = p->field == &fields[WEEKDAY] ? (int)n % 7 : (int)n;
    p->out->set |= 1ull << value;
    p->out->n++;
    return true;
}

/* A text that is no number: `L` and `5L` where they are allowed. */
static bool add_text(struct parser *p, struct str s)
{
    if (!p->field->last || !memchr(s.p, 'L', s.n))
        return out_of_range(p, str_z(p->arena, s));
    p->out->n++;
    p->out->last_n++;
    p->out->last_plain_n += s.n == 1;
    if (s.p[0] >= '0' && s.p[0] <= '9')
        p->out->weekdays_last |= (uint8_t)(1 << ((s.p[0] - '0') % 7));
    else if (p->field == &fields[WEEKDAY])
        return FAIL(p, "Invalid last weekday of the month expression: %s", str_z(p->arena, s));
    return true;
}

/* Every step-th value of min to max. Sunday may be 7, so a range that ends there also lists 0. */
static void add_range(struct parser *p, int min, int max, double step)
{
    double at = step;
    bool sunday = p->field == &fields[WEEKDAY] && max % 7 == 0;
    if (sunday) {
        p->out->set |= 1;
        p->out->n++;
    }
    for (int i = min; i <= max; i++) {
        if ((sunday && i == 0) || fmod(at, step) != 0) {
            at++;
            continue;
        }
        at = 1;
        p->out->set |= 1ull << i;
        p->out->n++;
    }
}

static bool parse_range(struct parser *p, struct str s, struct str step_text)
{
    struct str from, to = STR_NULL, rest = s;
    cut(&rest, '-', &from);
    if (!cut(&rest, '-', &to)) {
        double n = number_parse(s);
        return isnan(n) ? add_text(p, s) : add_number(p, n);
    }
    if (!from.n)
        return to.n ? add_number(p, number_parse(s)) : FAIL(p, "Invalid range: %s", str_z(p->arena, s));
    double min = number_parse(from), max = number_parse(to), step = number_parse(step_text);
    if (isnan(min) || isnan(max) || min < p->field->min || max > p->field->max)
        return FAIL(p, "Constraint error, got range %s-%s expected range %d-%d", shown(p, min), shown(p, max), p->field->min,
                    p->field->max);
    if (min > max)
        return FAIL(p, "Invalid range: %s", str_z(p->arena, s));
    if (isnan(step) || step <= 0)
        return FAIL(p, "Constraint error, cannot repeat at every %s time.", shown(p, step));
    add_range(p, (int)min, (int)max, step);
    return true;
}

static bool parse_repeat(struct parser *p, struct str s)
{
    struct str range, step = STR("1"), rest = s;
    if (parts(s, '/') > 2)
        return FAIL(p, "Invalid repeat: %s", str_z(p->arena, s));
    cut(&rest, '/', &range);
    if (cut(&rest, '/', &step) && !isnan(number_parse(range)))
        range = str_fmt(p->arena, "%.*s-%d", STR_ARG(range), p->field->max);    /* 5/15 is 5-59/15 */
    return parse_range(p, range, step);
}

static bool parse_list(struct parser *p, struct str s)
{
    struct str atom, rest = s;
    while (cut(&rest, ',', &atom))
        if (!atom.n)
            return FAIL(p, "Invalid list value format");
    for (rest = s; cut(&rest, ',', &atom);)
        if (p->out->n > LISTED_MAX || !parse_repeat(p, atom))
            return p->out->n > LISTED_MAX ? FAIL(p, "Invalid list value format") : false;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The number that three letters name; -1: none. */
static int named(const struct field *f, struct str name)
{
    bool months = f == &fields[MONTH];
    for (int i = 0; i < (months ? 12 : 7); i++)
        if (str_eq_nocase(name, str_of(months ? month_names[i] : weekday_names[i])))
            return i + months;
    return -1;
}

/* Replaces names by numbers, wherever three letters stand together. */
static bool replace_names(struct parser *p, struct str *s)
{
    struct buf b = {.arena = p->arena};
    for (size_t i = 0; i < s->n; i++) {
        if (i + 3 > s->n || !is_letter(s->p[i]) || !is_letter(s->p[i + 1]) || !is_letter(s->p[i + 2])) {
            buf_char(&b, s->p[i]);
            continue;
        }
        struct str name = str_sub(*s, i, i + 3);
        int value = named(p->field, name);
        if (value < 0)
            return FAIL(p, "Validation error, cannot resolve alias \"%c%c%c\"", name.p[0] | 32, name.p[1] | 32, name.p[2] | 32);
        buf_fmt(&b, "%d", value);
        i += 2;
    }
    *s = buf_finish(&b);
    return true;
}

/* `*`, or without one `?`, stands for the whole range. */
static struct str replace_any(struct parser *p, struct str s)
{
    struct buf b = {.arena = p->arena};
    char any = s.n && memchr(s.p, '*', s.n) ? '*' : '?';
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == any)
            buf_fmt(&b, "%d-%d", p->field->min, p->field->max);
        else
            buf_char(&b, s.p[i]);
    return buf_finish(&b);
}

static bool parse_field(struct parser *p, struct str value)
{
    if (p->field->names && !replace_names(p, &value))
        return false;
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < '0' || value.p[i] > '9') && (!value.p[i] || !strchr(p->field->characters, value.p[i])))
            return FAIL(p, "Invalid characters, got value: %s", str_z(p->arena, value));
    if (!value.n)
        return FAIL(p, "Invalid characters, got value: ");
    return parse_list(p, replace_any(p, value));
}

/* 1#2: the weekday's second one. Takes the # off the value. */
static bool parse_nth(struct parser *p, struct str *value, double *nth)
{
    const char *mark = value->n ? memchr(value->p, '#', value->n) : NULL;
    if (!mark)
        return true;
    for (const char *bad = ",/-"; *bad; bad++)
        if (memchr(value->p, *bad, value->n))
            return FAIL(p, "Constraint error, invalid dayOfWeek `#` and `%c` special characters are incompatible", *bad);
    size_t at = (size_t)(mark - value->p);
    double n = number_parse(str_sub(*value, at + 1, value->n));
    if (parts(*value, '#') > 2 || isnan(n) || n < 1 || n > 5)
        return FAIL(p, "Constraint error, invalid dayOfWeek occurrence number (#)");
    *nth = n;
    *value = str_sub(*value, 0, at);
    return true;
}

static struct str predefined(struct str e)
{
    static const char *const list[][2] = {{"@yearly", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                                          {"@daily", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (str_eqz(e, list[i][0]))
            return str_of(list[i][1]);
    return e;
}

/* With a single month, days that it never has are dropped; only those: an error. */
static bool fit_month(struct parser *p, struct listing *l)
{
    static const uint8_t longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct listing *days = &l[DAY];
    if (l[MONTH].n != 1)
        return true;
    int most = longest[__builtin_ctzll(l[MONTH].set) - 1];
    uint64_t fitting = (1ull << (most + 1)) - 1;
    if (days->set && !(days->set & fitting))
        return FAIL(p, "Invalid explicit day of month definition");
    for (int day = most + 1; day <= 31; day++)
        if (days->set >> day & 1)
            days->n--;
    days->set &= fitting;
    days->n -= days->last_n - days->last_plain_n;
    days->last_n = days->last_plain_n;
    return true;
}

/* White space parts the fields. More than the dialect takes are not kept. */
static int split(struct str e, struct str atoms[FIELDS])
{
    int n = 0;
    for (size_t i = 0; i < e.n;) {
        size_t from = i;
        while (i < e.n && !memchr(" \t\n\r\v\f", e.p[i], 6))
            i++;
        if (i > from && n++ < FIELDS)
            atoms[n - 1] = str_sub(e, from, i);
        while (i < e.n && memchr(" \t\n\r\v\f", e.p[i], 6))
            i++;
    }
    return n;
}

bool cron_parse(struct str expression, struct cron *c, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct listing l[FIELDS] = {0};
    struct parser p = {.arena = a, .err = err};
    struct str atoms[FIELDS];
    int n = split(predefined(expression), atoms);
    *c = (struct cron){0};
    if (n > FIELDS)
        return FAIL(&p, "Invalid cron expression");
    for (int i = 0; i < FIELDS; i++) {
        struct str value = i < FIELDS - n ? str_of(fields[i].fallback) : atoms[i - (FIELDS - n)];
        p.field = &fields[i];
        p.out = &l[i];
        if ((i == WEEKDAY && !parse_nth(&p, &value, &c->weekday_nth)) || !parse_field(&p, value))
            return false;
    }
    if (!fit_month(&p, l))
        return false;
    c->seconds = l[0].set;
    c->minutes = l[1].set;
    c->hours = (uint32_t)l[2].set;
    c->every_hour = l[2].n == 24;
    c->days = (uint32_t)l[DAY].set;
    c->days_listed = l[DAY].n;
    c->day_last = l[DAY].last_n > 0;
    c->months = (uint32_t)l[MONTH].set;
    c->weekdays = (uint32_t)l[WEEKDAY].set;
    c->every_weekday = l[WEEKDAY].n == 8;
    c->weekdays_last = l[WEEKDAY].weekdays_last;
    return true;
}

/* ---- firing ---- */

/* A walk through local time, as the dialect walks: by months, days, hours, minutes and seconds. */
struct walk {
    const struct cron *c;
    struct zone *zone;
    int64_t utc;
    struct civil at;
    int dst_start, dst_end;             /* the hour of a change of the clocks that was crossed; -1: none */
};

static void walk_to(struct walk *w, int64_t utc)
{
    w->utc = utc;
    w->at = civil_of(zone_local(w->zone, utc));
}

/* A local time, on the side of an overlap where the walk stands. */
static int64_t walk_utc(struct walk *w, int64_t local)
{
    return zone_utc_at(w->zone, local, zone_offset(w->zone, w->utc));
}

static int64_t floor_local(struct walk *w, int64_t unit)
{
    int64_t local = zone_local(w->zone, w->utc), rest = local % unit;
    return walk_utc(w, local - rest - (rest < 0 ? unit : 0));
}

/* The start of the next hour, minute or second. */
static void walk_time(struct walk *w, int64_t unit)
{
    int64_t before = w->utc;
    w->utc += unit;
    w->utc = floor_local(w, unit);
    if (unit == MS_HOUR ? w->utc <= before : w->utc < before)
        w->utc += MS_HOUR;
    walk_to(w, w->utc);
}

static void walk_time_over_changes(struct walk *w, int64_t unit)
{
    int before = w->at.hour;
    walk_time(w, unit);
    if (w->c->every_hour)
        return;
    if (w->at.hour - before == 2)
        w->dst_start = w->at.hour;
    else if (w->at.hour == before && !w->at.minute && !w->at.second)
        w->dst_end = w->at.hour;
}

/* The start of the next day or month. */
static void walk_date(struct walk *w, bool month)
{
    int64_t before = w->utc, local = zone_local(w->zone, w->utc);
    walk_to(w, walk_utc(w, month ? civil_add_months(local, 1) : local + MS_DAY));
    w->at = (struct civil){.year = w->at.year, .month = w->at.month, .day = month ? 1 : w->at.day};
    walk_to(w, walk_utc(w, civil_local(&w->at)));
    if (w->utc == before && !w->at.minute && !w->at.second)
        walk_time(w, MS_HOUR);
}

static bool is_last_weekday(const struct walk *w)
{
    return w->at.day + 7 > civil_month_days(w->at.year, w->at.month);
}

static bool day_matches(struct walk *w)
{
    static const int longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const struct cron *c = w->c;
    bool day = (c->days >> w->at.day & 1) || (c->day_last && w->at.day == civil_month_days(w->at.year, w->at.month));
    bool weekday = (c->weekdays >> w->at.weekday & 1) || ((c->weekdays_last >> w->at.weekday & 1) && is_last_weekday(w));
    bool every_day = c->days_listed >= longest[w->at.month - 1];
    if (!day && (!weekday || c->every_weekday))
        return false;
    if (every_day && !c->every_weekday && !weekday)
        return false;
    return c->weekday_nth == 0 || (w->at.day + 6) / 7 == c->weekday_nth;
}

/* Goes one step towards a match. true: there is one. */
static bool walk_step(struct walk *w)
{
    const struct cron *c = w->c;
    int hour = w->at.hour;
    if (!day_matches(w))
        return walk_date(w, false), false;
    if (!(c->months >> w->at.month & 1))
        return walk_date(w, true), false;
    if (!(c->hours >> hour & 1)) {
        if (w->dst_start != hour) {
            w->dst_start = -1;
            return walk_time_over_changes(w, MS_HOUR), false;
        }
        if (!hour || !(c->hours >> (hour - 1) & 1))
            return walk_time(w, MS_HOUR), false;
    } else if (w->dst_end == hour) {
        w->dst_end = -1;
        return walk_time_over_changes(w, MS_HOUR), false;
    }
    if (!(c->minutes >> w->at.minute & 1))
        return walk_time_over_changes(w, MS_MINUTE), false;
    if (!(c->seconds >> w->at.second & 1))
        return walk_time_over_changes(w, MS_SECOND), false;
    return true;
}

static bool minute_matches(const struct cron *c, int64_t local)
{
    struct walk w = {.c = c, .at = civil_of(local)};
    return day_matches(&w) && (c->months >> w.at.month & 1) && (c->hours >> w.at.hour & 1) && (c->minutes >> w.at.minute & 1);
}

/* The dialect shifts a time that the clocks leap over by as much as they leap, but where that is midnight or half an hour, it
 * steps over the whole day: a midnight of Santiago, a week of Cairo. Here it is shifted as well (engine.md §10). */
static int64_t shifted_in_gap(const struct cron *c, struct zone *z, int64_t utc, int64_t next)
{
    enum { CHANGES_MAX = 64 };
    for (int i = 0; i < CHANGES_MAX && !c->every_hour; i++) {
        int64_t before = zone_offset(z, utc), change = z->until;
        if (change <= utc || change >= next)
            break;
        int64_t leap = zone_offset(z, change) - before;
        for (int64_t t = change; next > change + leap && t < change + leap; t += MS_MINUTE)
            if (minute_matches(c, t + before))
                return t + (int64_t)__builtin_ctzll(c->seconds) * MS_SECOND;
        utc = change;
    }
    return next;
}

bool cron_next(const struct cron *c, struct zone *z, int64_t utc, int64_t *next, struct error *err)
{
    enum { STEPS_MAX = 10000 };
    struct walk w = {.c = c, .zone = z, .dst_start = -1, .dst_end = -1};
    walk_to(&w, utc);
    for (int i = 1; i < STEPS_MAX; i++) {
        if (!walk_step(&w))
            continue;
        if (w.utc != utc) {
            *next = shifted_in_gap(c, z, utc, w.utc);
            return true;
        }
        walk_time_over_changes(&w, MS_SECOND);
    }
    return error_set(err, ERROR_BAD_INPUT, "Invalid expression, loop limit exceeded");
}
