/* Reads dates as `new Date(text)` does in Node, in the zone UTC.
 *
 * ECMAScript fixes only the ISO form; what else is accepted follows V8's behaviour: words, numbers and signs in free
 * order, month names by their first three letters, text in parentheses ignored.
 */
#include "content/liquid/liquid_private.h"

#include <math.h>

enum date_token_kind { T_END, T_NUMBER, T_SYMBOL, T_WORD, T_SPACE, T_OTHER };
enum word { W_GARBAGE, W_MONTH, W_AMPM, W_ZONE, W_T };
enum { NONE = INT32_MAX };

struct date_token { enum date_token_kind kind; int number, length, value; char symbol; enum word word; };

struct scanner {
    struct str s;
    size_t p;
    struct date_token next;
};

struct parts {
    int day[3], days, month;
    int time[4], times, hour_offset;
    int zone_sign, zone_hour, zone_minute;
    bool iso;
};

/* ---- tokens ---- */
static struct date_token word_token(const char head[3], int length)
{
    static const struct { char name[4]; enum word word; int value; } words[] = {
        {"jan", W_MONTH, 1}, {"feb", W_MONTH, 2}, {"mar", W_MONTH, 3}, {"apr", W_MONTH, 4}, {"may", W_MONTH, 5},
        {"jun", W_MONTH, 6}, {"jul", W_MONTH, 7}, {"aug", W_MONTH, 8}, {"sep", W_MONTH, 9}, {"oct", W_MONTH, 10},
        {"nov", W_MONTH, 11}, {"dec", W_MONTH, 12}, {"am", W_AMPM, 0}, {"pm", W_AMPM, 12}, {"ut", W_ZONE, 0},
        {"utc", W_ZONE, 0}, {"z", W_ZONE, 0}, {"gmt", W_ZONE, 0}, {"cdt", W_ZONE, -5}, {"cst", W_ZONE, -6},
        {"edt", W_ZONE, -4}, {"est", W_ZONE, -5}, {"mdt", W_ZONE, -6}, {"mst", W_ZONE, -7}, {"pdt", W_ZONE, -7},
        {"pst", W_ZONE, -8}, {"t", W_T, 0},
    };
    struct date_token t = {.kind = T_WORD, .length = length};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (memcmp(words[i].name, head, 3) || (length > 3 && words[i].word != W_MONTH))
            continue;
        t.word = words[i].word;
        t.value = words[i].value;
        t.number = words[i].name[0] == 'z';
        break;
    }
    return t;
}

static bool skip_parentheses(struct scanner *s)
{
    int depth = 0;
    if (s->s.p[s->p] != '(')
        return false;
    do {
        depth += s->s.p[s->p] == '(' ? 1 : s->s.p[s->p] == ')' ? -1 : 0;
        s->p++;
    } while (depth > 0 && s->p < s->s.n);
    return true;
}

static struct date_token number_token(struct scanner *s)
{
    struct date_token t = {.kind = T_NUMBER};
    int digits = 0;
    for (; s->p < s->s.n && s->s.p[s->p] >= '0' && s->s.p[s->p] <= '9'; s->p++, t.length++) {
        if ((t.number || s->s.p[s->p] != '0') && digits++ < 9)
            t.number = t.number * 10 + (s->s.p[s->p] - '0');
    }
    return t;
}

static struct date_token scan(struct scanner *s)
{
    size_t n;
    if (s->p >= s->s.n)
        return (struct date_token){.kind = T_END};
    char c = s->s.p[s->p];
    if (c >= '0' && c <= '9')
        return number_token(s);
    if (c && strchr(":-+.)", c)) {
        s->p++;
        return (struct date_token){.kind = T_SYMBOL, .symbol = c};
    }
    if ((n = text_space(s->s, s->p))) {
        while ((n = text_space(s->s, s->p)))
            s->p += n;
        return (struct date_token){.kind = T_SPACE};
    }
    if ((unsigned char)c >= 'A') {
        char head[3] = {0};
        int length = 0;
        for (; s->p < s->s.n && (unsigned char)s->s.p[s->p] >= 'A' && !text_space(s->s, s->p); s->p++, length++)
            if (length < 3)
                head[length] = (char)(s->s.p[s->p] | 0x20);
        return word_token(head, length);
    }
    if (!skip_parentheses(s))
        s->p++;
    return (struct date_token){.kind = T_OTHER};
}

static struct date_token take(struct scanner *s)
{
    struct date_token t = s->next;
    s->next = scan(s);
    return t;
}

static bool is_symbol(struct date_token t, char c)
{
    return t.kind == T_SYMBOL && t.symbol == c;
}

static bool is_sign(struct date_token t)
{
    return is_symbol(t, '+') || is_symbol(t, '-');
}

static bool skip_symbol(struct scanner *s, char c)
{
    if (!is_symbol(s->next, c))
        return false;
    take(s);
    return true;
}

static bool is_z(struct date_token t)
{
    return t.kind == T_WORD && t.word == W_ZONE && t.number == 1 && t.length == 1;
}

/* The next token as a number of exactly so many digits, within bounds. */
static bool fixed(const struct scanner *s, int length, int low, int high)
{
    return s->next.kind == T_NUMBER && s->next.length == length && s->next.number >= low && s->next.number <= high;
}

static int milliseconds(struct date_token t)
{
    int n = t.number, length = t.length > 9 ? 9 : t.length;
    for (; length < 3; length++)
        n *= 10;
    for (; length > 3; length--)
        n /= 10;
    return n;
}

/* ---- parts ---- */
static bool add_day(struct parts *p, int n)
{
    return p->days < 3 && (p->day[p->days++] = n, true);
}

static bool add_time(struct parts *p, int n)
{
    return p->times < 4 && (p->time[p->times++] = n, true);
}

static void add_last_time(struct parts *p, int n)
{
    add_time(p, n);
    while (p->times < 4)
        p->time[p->times++] = 0;
}

static bool time_expects(const struct parts *p, int n)
{
    return (p->times == 1 && n < 60) || (p->times == 2 && n < 60) || (p->times == 3 && n < 1000);
}

static void set_zone(struct parts *p, int hours)
{
    p->zone_sign = hours < 0 ? -1 : 1;
    p->zone_hour = hours < 0 ? -hours : hours;
    p->zone_minute = 0;
}

/* ---- ISO 8601 ---- */
enum iso { ISO_DONE, ISO_LEGACY, ISO_INVALID };

static bool iso_zone(struct scanner *s, struct parts *p)
{
    if (is_z(s->next)) {
        take(s);
        set_zone(p, 0);
        return true;
    }
    if (!is_sign(s->next))
        return true;
    p->zone_sign = take(s).symbol == '+' ? 1 : -1;
    if (fixed(s, 4, 0, 2359)) {
        int n = take(s).number;
        p->zone_hour = n / 100;
        p->zone_minute = n % 100;
        return p->zone_minute < 60;
    }
    if (!fixed(s, 2, 0, 23))
        return false;
    p->zone_hour = take(s).number;
    if (!skip_symbol(s, ':') || !fixed(s, 2, 0, 59))
        return false;
    p->zone_minute = take(s).number;
    return true;
}

static bool iso_time(struct scanner *s, struct parts *p)
{
    if (!fixed(s, 2, 0, 24))
        return false;
    bool midnight = s->next.number == 24;
    add_time(p, take(s).number);
    if (!skip_symbol(s, ':') || !fixed(s, 2, 0, midnight ? 0 : 59))
        return false;
    add_time(p, take(s).number);
    if (skip_symbol(s, ':')) {
        if (!fixed(s, 2, 0, midnight ? 0 : 59))
            return false;
        add_time(p, take(s).number);
        if (skip_symbol(s, '.')) {
            if (s->next.kind != T_NUMBER || (midnight && s->next.number > 0))
                return false;
            add_time(p, milliseconds(take(s)));
        }
    }
    return iso_zone(s, p) && s->next.kind == T_END;
}

/* Reads as much as is ISO; `t` is the first token that is not. */
static enum iso read_iso(struct scanner *s, struct parts *p, struct date_token *t)
{
    if (is_sign(s->next)) {
        *t = take(s);
        if (!fixed(s, 6, t->symbol == '-', 999999))
            return ISO_LEGACY;
        add_day(p, (t->symbol == '-' ? -1 : 1) * take(s).number);
    } else if (fixed(s, 4, 0, 9999)) {
        add_day(p, take(s).number);
    } else {
        *t = take(s);
        return ISO_LEGACY;
    }
    for (int high = 12; high <= 31 && skip_symbol(s, '-'); high += 19) {
        if (!fixed(s, 2, 1, high)) {
            *t = take(s);
            return ISO_LEGACY;
        }
        add_day(p, take(s).number);
    }
    if (s->next.kind == T_WORD && s->next.word == W_T && s->next.length == 1) {
        take(s);
        if (!iso_time(s, p))
            return ISO_INVALID;
    } else if (s->next.kind != T_END) {
        *t = take(s);
        return ISO_LEGACY;
    }
    p->iso = true;
    return ISO_DONE;
}

/* ---- everything else ---- */
static bool legacy_number(struct scanner *s, struct parts *p, int n)
{
    if (skip_symbol(s, ':')) {
        if (skip_symbol(s, ':'))
            return p->times == 0 && add_time(p, n) && add_time(p, 0);
        if (!add_time(p, n))
            return false;
        skip_symbol(s, '.');
        return true;
    }
    if (skip_symbol(s, '.') && time_expects(p, n)) {
        add_time(p, n);
        if (s->next.kind != T_NUMBER)
            return false;
        add_last_time(p, milliseconds(take(s)));
        return true;
    }
    if (p->zone_hour != NONE && p->zone_minute == NONE && n < 60) {
        p->zone_minute = n;
        return true;
    }
    if (time_expects(p, n)) {
        add_last_time(p, n);
        return s->next.kind == T_END || s->next.kind == T_SPACE || is_z(s->next) || is_sign(s->next);
    }
    if (!add_day(p, n))
        return false;
    skip_symbol(s, '-');
    return true;
}

static bool legacy_word(struct scanner *s, struct parts *p, struct date_token t, bool has_number)
{
    if (t.word == W_AMPM && p->times) {
        p->hour_offset = t.value;
    } else if (t.word == W_MONTH) {
        p->month = t.value;
        skip_symbol(s, '-');
    } else if (t.word == W_ZONE && has_number) {
        set_zone(p, t.value);
    } else {
        /* Words without meaning may come before the first number only, and not stick to it. */
        return !has_number && s->next.kind != T_NUMBER;
    }
    return true;
}

static bool legacy_offset(struct scanner *s, struct parts *p, char sign)
{
    int n = 0, length = 0;
    p->zone_sign = sign == '+' ? 1 : -1;
    if (s->next.kind == T_NUMBER) {
        struct date_token t = take(s);
        n = t.number;
        length = t.length;
    }
    if (is_symbol(s->next, ':')) {
        p->zone_hour = n;
        p->zone_minute = NONE;
    } else if (length == 1 || length == 2) {
        p->zone_hour = n;
        p->zone_minute = 0;
    } else if (length == 3 || length == 4) {
        p->zone_hour = n / 100;
        p->zone_minute = n % 100;
    } else {
        return false;
    }
    return true;
}

static bool read_legacy(struct scanner *s, struct parts *p, struct date_token t)
{
    bool has_number = p->days > 0;
    for (; t.kind != T_END; t = take(s)) {
        if (t.kind == T_NUMBER) {
            has_number = true;
            if (!legacy_number(s, p, t.number))
                return false;
        } else if (t.kind == T_WORD) {
            if (!legacy_word(s, p, t, has_number))
                return false;
        } else if (is_sign(t) && ((p->zone_hour == 0 && p->zone_minute == 0) || p->times)) {
            has_number = true;
            if (!legacy_offset(s, p, t.symbol))
                return false;
        } else if ((is_sign(t) || is_symbol(t, ')')) && has_number) {
            return false;
        }
    }
    return true;
}

/* ---- to a moment ---- */
static double days_from_civil(double year, int month)
{
    double y = year - (month <= 2), era = floor(y / 400), yoe = y - era * 400;
    double doy = floor((153.0 * (month + (month > 2 ? -3 : 9)) + 2) / 5);
    return era * 146097 + yoe * 365 + floor(yoe / 4) - floor(yoe / 100) + doy - 719468;
}

static bool write_day(struct parts *p, double *days)
{
    int year = 0, month, day;
    if (p->days < 1)
        return false;
    while (p->days < 3)
        p->day[p->days++] = 1;
    bool first_is_day = p->day[0] >= 1 && p->day[0] <= 31;
    if (p->month != NONE) {
        month = p->month;
        day = p->day[first_is_day ? 0 : 1];
        year = p->day[first_is_day ? 1 : 0];
    } else {
        bool ymd = p->iso || !first_is_day;
        year = p->day[ymd ? 0 : 2];
        month = p->day[ymd ? 1 : 0];
        day = p->day[ymd ? 2 : 1];
    }
    if (!p->iso && year >= 0 && year <= 99)
        year += year < 50 ? 2000 : 1900;
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *days = days_from_civil(year, month) + day - 1;
    return true;
}

static bool write_time(struct parts *p, double *ms)
{
    while (p->times < 4)
        p->time[p->times++] = 0;
    int hour = p->time[0];
    if (p->hour_offset != NONE) {
        if (hour > 12)
            return false;
        hour = hour % 12 + p->hour_offset;
    }
    bool zero = !p->time[1] && !p->time[2] && !p->time[3];
    if ((hour > 23 && !(hour == 24 && zero)) || p->time[1] > 59 || p->time[2] > 59 || p->time[3] > 999)
        return false;
    *ms = hour * 3600000.0 + p->time[1] * 60000.0 + p->time[2] * 1000.0 + p->time[3];
    return true;
}

bool date_parse_js(struct str text, double *ms)
{
    struct scanner s = {.s = text};
    struct parts p = {.month = NONE, .hour_offset = NONE, .zone_hour = NONE, .zone_minute = NONE};
    struct date_token t;
    double days, time;
    s.next = scan(&s);
    enum iso iso = read_iso(&s, &p, &t);
    if (iso == ISO_INVALID || (iso == ISO_LEGACY && !read_legacy(&s, &p, t)) || !write_day(&p, &days) || !write_time(&p, &time))
        return false;
    /* V8 computes the offset in 32 bits. */
    uint32_t zone = 0;
    if (p.zone_sign)
        zone = (p.zone_hour == NONE ? 0 : (uint32_t)p.zone_hour) * 3600u + (p.zone_minute == NONE ? 0 : (uint32_t)p.zone_minute) * 60u;
    if (zone > INT32_MAX)
        return false;
    *ms = days * 86400000.0 + time - p.zone_sign * (double)zone * 1000;
    return fabs(*ms) <= 8.64e15;
}
