/* Date.parse as V8 does it, in UTC: the ISO form of ECMA-262, else the lenient reading of browsers ("Jan 5, 2024 3:04 PM"). */
#include "content/jsonlogic/value.h"

enum { NONE = -1000000 };

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_SYMBOL, TOKEN_MONTH, TOKEN_AM_PM, TOKEN_ZONE, TOKEN_T, TOKEN_WORD,
                  TOKEN_SPACE, TOKEN_OTHER };

struct token {
    enum token_kind kind;
    int value;          /* number, symbol, month, hours */
    size_t length;
    struct str text;
};

struct reader {
    struct str s;
    size_t at;
    struct token next;
    int date[3], date_n, month;
    bool is_iso;
    int time[4], time_n, hour_offset;
    int zone_sign, zone_hour, zone_minute;
};

static const struct {
    char word[4];
    enum token_kind kind;
    int value;
} words[] = {
    {"jan", TOKEN_MONTH, 1}, {"feb", TOKEN_MONTH, 2}, {"mar", TOKEN_MONTH, 3}, {"apr", TOKEN_MONTH, 4}, {"may", TOKEN_MONTH, 5},
    {"jun", TOKEN_MONTH, 6}, {"jul", TOKEN_MONTH, 7}, {"aug", TOKEN_MONTH, 8}, {"sep", TOKEN_MONTH, 9}, {"oct", TOKEN_MONTH, 10},
    {"nov", TOKEN_MONTH, 11}, {"dec", TOKEN_MONTH, 12}, {"am", TOKEN_AM_PM, 0}, {"pm", TOKEN_AM_PM, 12}, {"ut", TOKEN_ZONE, 0},
    {"utc", TOKEN_ZONE, 0}, {"z", TOKEN_ZONE, 0}, {"gmt", TOKEN_ZONE, 0}, {"cdt", TOKEN_ZONE, -5}, {"cst", TOKEN_ZONE, -6},
    {"edt", TOKEN_ZONE, -4}, {"est", TOKEN_ZONE, -5}, {"mdt", TOKEN_ZONE, -6}, {"mst", TOKEN_ZONE, -7}, {"pdt", TOKEN_ZONE, -7},
    {"pst", TOKEN_ZONE, -8}, {"t", TOKEN_T, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool within(int n, int least, int most)
{
    return n >= least && n <= most;
}

/* ---- tokens ---- */

static struct token word_read(struct str text)
{
    struct token t = {TOKEN_WORD, 0, text.n, text};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct str word = str_of(words[i].word);
        bool whole = text.n == word.n || (text.n > 3 && words[i].kind == TOKEN_MONTH);  /* months may be spelt out */
        if (whole && str_eq_nocase(str_sub(text, 0, word.n), word)) {
            t.kind = words[i].kind;
            t.value = words[i].value;
        }
    }
    return t;
}

/* At most nine significant digits count. */
static int number_read(struct str digits)
{
    int n = 0, taken = 0;
    for (size_t i = 0; i < digits.n; i++)
        if ((n || digits.p[i] != '0') && taken++ < 9)
            n = n * 10 + (digits.p[i] - '0');
    return n;
}

/* Behind a parenthesis, nested ones included. */
static size_t parentheses_end(struct str s, size_t i)
{
    int depth = 0;
    for (; i < s.n; i++) {
        depth += s.p[i] == '(' ? 1 : s.p[i] == ')' ? -1 : 0;
        if (!depth)
            return i + 1;
    }
    return i;
}

static void advance(struct reader *r)
{
    struct str s = r->s;
    size_t from = r->at, i = from;
    if (i >= s.n) {
        r->next = (struct token){.kind = TOKEN_END};
        return;
    }
    char c = s.p[i++];
    if (is_digit(c)) {
        while (i < s.n && is_digit(s.p[i]))
            i++;
        struct str text = str_sub(s, from, i);
        r->next = (struct token){TOKEN_NUMBER, number_read(text), text.n, text};
    } else if (c == ':' || c == '-' || c == '+' || c == '.' || c == ')') {
        r->next = (struct token){TOKEN_SYMBOL, c, 1, STR_NULL};
    } else if (is_alpha(c)) {
        while (i < s.n && is_alpha(s.p[i]))
            i++;
        r->next = word_read(str_sub(s, from, i));
    } else if (is_space(c)) {
        r->next = (struct token){.kind = TOKEN_SPACE};
    } else {
        r->next = (struct token){.kind = TOKEN_OTHER};
        if (c == '(')
            i = parentheses_end(s, from);
    }
    r->at = i;
}

static struct token take(struct reader *r)
{
    struct token t = r->next;
    advance(r);
    return t;
}

static bool is_symbol(const struct token *t, char c)
{
    return t->kind == TOKEN_SYMBOL && t->value == c;
}

static bool skip(struct reader *r, char c)
{
    if (!is_symbol(&r->next, c))
        return false;
    advance(r);
    return true;
}

static bool is_sign(const struct token *t)
{
    return is_symbol(t, '+') || is_symbol(t, '-');
}

static bool is_fixed(const struct reader *r, size_t digits, int least, int most)
{
    return r->next.kind == TOKEN_NUMBER && r->next.length == digits && within(r->next.value, least, most);
}

/* The first three digits behind the point. */
static int milliseconds_of(struct token t)
{
    int ms = 0;
    for (size_t i = 0; i < 3; i++)
        ms = ms * 10 + (i < t.text.n ? t.text.p[i] - '0' : 0);
    return ms;
}

/* ---- parts ---- */

static bool date_add(struct reader *r, int n)
{
    if (r->date_n == 3)
        return false;
    r->date[r->date_n++] = n;
    return true;
}

static bool time_add(struct reader *r, int n)
{
    if (r->time_n == 4)
        return false;
    r->time[r->time_n++] = n;
    return true;
}

static void time_end(struct reader *r, int n)
{
    time_add(r, n);
    while (r->time_n < 4)
        r->time[r->time_n++] = 0;
}

static bool time_expects(const struct reader *r, int n)
{
    return (r->time_n == 1 && within(n, 0, 59)) || (r->time_n == 2 && within(n, 0, 59)) || (r->time_n == 3 && within(n, 0, 999));
}

static void zone_set(struct reader *r, int hours)
{
    r->zone_sign = hours < 0 ? -1 : 1;
    r->zone_hour = hours < 0 ? -hours : hours;
    r->zone_minute = 0;
}

/* ---- ISO ---- */

static bool iso_zone(struct reader *r)
{
    if (r->next.kind == TOKEN_ZONE && r->next.length == 1) {
        advance(r);
        zone_set(r, 0);
    } else if (is_sign(&r->next)) {
        r->zone_sign = take(r).value == '+' ? 1 : -1;
        if (r->next.kind == TOKEN_NUMBER && r->next.length == 4) {
            int n = r->next.value;
            if (!within(n / 100, 0, 23) || !within(n % 100, 0, 59))
                return false;
            r->zone_hour = n / 100;
            r->zone_minute = n % 100;
            advance(r);
        } else {
            if (!is_fixed(r, 2, 0, 23))
                return false;
            r->zone_hour = take(r).value;
            if (!skip(r, ':') || !is_fixed(r, 2, 0, 59))
                return false;
            r->zone_minute = take(r).value;
        }
    }
    return true;
}

/* Behind a T must be hours and a colon, or the whole is no date (*invalid). */
static bool iso_time(struct reader *r, bool *invalid)
{
    advance(r);
    *invalid = true;
    if (!is_fixed(r, 2, 0, 24))
        return false;
    bool is_24 = r->next.value == 24;
    time_add(r, take(r).value);
    if (!skip(r, ':'))
        return false;
    *invalid = false;
    if (!is_fixed(r, 2, 0, is_24 ? 0 : 59))
        return false;
    time_add(r, take(r).value);
    if (skip(r, ':')) {
        if (!is_fixed(r, 2, 0, is_24 ? 0 : 59))
            return false;
        time_add(r, take(r).value);
        if (skip(r, '.')) {
            if (r->next.kind != TOKEN_NUMBER || (is_24 && r->next.value > 0))
                return false;
            time_add(r, milliseconds_of(take(r)));
        }
    }
    return iso_zone(r);
}

/* true: the whole text is ISO. false: the lenient reading goes on with what is taken so far, from *token. *invalid: that
 * is not allowed either. */
static bool iso_read(struct reader *r, struct token *token, bool *invalid)
{
    if (is_sign(&r->next)) {
        *token = take(r);
        if (r->next.kind != TOKEN_NUMBER || r->next.length != 6)
            return false;
        int year = take(r).value;
        if (token->value == '-' && !year)
            return false;
        date_add(r, token->value == '-' ? -year : year);
    } else if (r->next.kind == TOKEN_NUMBER && r->next.length == 4) {
        date_add(r, take(r).value);
    } else {
        *token = take(r);
        return false;
    }
    bool good = true;
    for (int i = 0; i < 2 && good && skip(r, '-'); i++) {
        good = is_fixed(r, 2, 1, i ? 31 : 12);
        if (good)
            date_add(r, take(r).value);
    }
    bool timed = good && r->next.kind == TOKEN_T;
    if (timed)
        good = iso_time(r, invalid);
    if (good && r->next.kind == TOKEN_END) {
        r->is_iso = true;
        return true;
    }
    *invalid = *invalid || (timed && good);       /* something behind a complete date and time */
    *token = take(r);
    return false;
}

/* ---- the lenient reading ---- */

static bool number_take(struct reader *r, int n)
{
    if (skip(r, ':')) {
        if (skip(r, ':')) {
            if (r->time_n)
                return false;
            time_add(r, n);
            time_add(r, 0);
            return true;
        }
        if (!time_add(r, n))
            return false;
        skip(r, '.');
        return true;
    }
    if (skip(r, '.') && time_expects(r, n)) {
        time_add(r, n);
        if (r->next.kind != TOKEN_NUMBER)
            return false;
        time_end(r, milliseconds_of(take(r)));
        return true;
    }
    if (r->zone_hour != NONE && r->zone_minute == NONE && within(n, 0, 59)) {
        r->zone_minute = n;
        return true;
    }
    if (time_expects(r, n)) {
        time_end(r, n);
        return r->next.kind == TOKEN_END || r->next.kind == TOKEN_SPACE || is_sign(&r->next) ||
               (r->next.kind == TOKEN_ZONE && r->next.length == 1);
    }
    if (!date_add(r, n))
        return false;
    skip(r, '-');
    return true;
}

static bool offset_take(struct reader *r, char sign)
{
    int n = 0;
    size_t length = 0;
    r->zone_sign = sign == '+' ? 1 : -1;
    if (r->next.kind == TOKEN_NUMBER) {
        struct token t = take(r);
        n = t.value;
        length = t.length;
    }
    bool colon = is_symbol(&r->next, ':');
    if (!colon && (length == 0 || length > 4))
        return false;
    r->zone_hour = colon || length <= 2 ? n : n / 100;
    r->zone_minute = colon ? NONE : length <= 2 ? 0 : n % 100;
    return true;
}

static bool lenient_read(struct reader *r, struct token t)
{
    bool number_seen = r->date_n > 0;
    for (; t.kind != TOKEN_END; t = take(r)) {
        if (t.kind == TOKEN_NUMBER) {
            number_seen = true;
            if (!number_take(r, t.value))
                return false;
        } else if (t.kind == TOKEN_AM_PM && r->time_n) {
            r->hour_offset = t.value;
        } else if (t.kind == TOKEN_MONTH) {
            r->month = t.value;
            skip(r, '-');
        } else if (t.kind == TOKEN_ZONE && number_seen) {
            zone_set(r, t.value);
        } else if (t.kind == TOKEN_AM_PM || t.kind == TOKEN_ZONE || t.kind == TOKEN_T || t.kind == TOKEN_WORD) {
            /* Words are garbage: only in front of the first number, and apart from it. */
            if (number_seen || r->next.kind == TOKEN_NUMBER)
                return false;
        } else if (is_sign(&t) && ((r->zone_hour == 0 && r->zone_minute == 0) || r->time_n)) {
            number_seen = true;
            if (!offset_take(r, (char)t.value))
                return false;
        } else if ((is_sign(&t) || is_symbol(&t, ')')) && number_seen) {
            return false;
        }
    }
    return true;
}

/* ---- the result ---- */

static bool date_write(struct reader *r, int *year, int *month, int *day)
{
    if (!r->date_n)
        return false;
    while (r->date_n < 3)
        r->date[r->date_n++] = 1;
    const int *d = r->date;
    bool day_first = within(d[0], 1, 31);
    *month = r->month;
    if (r->month != NONE) {
        *day = day_first ? d[0] : d[1];
        *year = day_first ? d[1] : d[0];
    } else if (r->is_iso || !day_first) {
        *year = d[0];
        *month = d[1];
        *day = d[2];
    } else {
        *month = d[0];
        *day = d[1];
        *year = d[2];
    }
    if (!r->is_iso && within(*year, 0, 99))
        *year += *year < 50 ? 2000 : 1900;
    return within(*month, 1, 12) && within(*day, 1, 31);
}

static bool time_write(struct reader *r)
{
    int *t = r->time;
    while (r->time_n < 4)
        t[r->time_n++] = 0;
    if (r->hour_offset != NONE) {
        if (!within(t[0], 0, 12))
            return false;
        t[0] = t[0] % 12 + r->hour_offset;
    }
    bool midnight = t[0] == 24 && !t[1] && !t[2] && !t[3];
    return midnight || (within(t[0], 0, 23) && within(t[1], 0, 59) && within(t[2], 0, 59) && within(t[3], 0, 999));
}

/* Days since 1970 (proleptic Gregorian), from years that begin in March. */
static double days_of(int year, int month, int day)
{
    double y = month < 3 ? year - 1.0 : year, m = month < 3 ? month + 9 : month - 3;
    double era = floor(y / 400), of_era = y - era * 400;
    return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + floor((153 * m + 2) / 5) + day - 719469;
}

double logic_date_of(struct str s)
{
    struct reader r = {.s = s, .month = NONE, .hour_offset = NONE, .zone_sign = NONE, .zone_hour = NONE, .zone_minute = NONE};
    struct token token = {.kind = TOKEN_END};
    bool invalid = false;
    int year, month, day;
    if (s.n > 256)
        return NAN;
    advance(&r);
    if (!iso_read(&r, &token, &invalid) && (invalid || !lenient_read(&r, token)))
        return NAN;
    if (!date_write(&r, &year, &month, &day) || !time_write(&r))
        return NAN;
    double offset = 0;
    if (r.zone_sign != NONE)
        offset = r.zone_sign * ((r.zone_hour == NONE ? 0 : r.zone_hour) * 60.0 + (r.zone_minute == NONE ? 0 : r.zone_minute));
    double ms = days_of(year, month, day) * 86400000.0 + r.time[0] * 3600000.0 + (r.time[1] - offset) * 60000.0 +
                r.time[2] * 1000.0 + r.time[3];
    return fabs(ms) <= 8.64e15 ? ms : NAN;
}
