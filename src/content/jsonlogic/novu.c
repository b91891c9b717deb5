/* Novu's operators: comparison that coerces, string and list tests, and dates relative to now (engine.md §5.2). */
#include "content/jsonlogic/value.h"

/* ---- comparison ---- */

static bool boolean_of(const struct logic_value *v, double *as)
{
    bool yes = v->kind == LOGIC_STRING && str_eqz(v->text, "true");
    bool no = v->kind == LOGIC_STRING && str_eqz(v->text, "false");
    *as = v->kind == LOGIC_BOOL ? v->truth : yes;
    return v->kind == LOGIC_BOOL || yes || no;
}

/* A string that is neither a boolean nor a number nor a date, to be seen at a glance: dates have digits, and so have
 * numbers, but for Infinity and the empty ones. */
static bool is_word(const struct logic_value *v)
{
    if (v->kind != LOGIC_STRING || !v->text.n)
        return false;
    char first = (char)(v->text.p[0] | 0x20);
    if (first < 'a' || first > 'z' || first == 'i' || first == 't' || first == 'f')
        return false;
    for (size_t i = 1; i < v->text.n; i++)
        if (v->text.p[i] >= '0' && v->text.p[i] <= '9')
            return false;
    return true;
}

static bool measure_other(struct evaluation *e, const struct logic_value *a, const struct logic_value *b, double *left, double *right)
{
    if (is_word(a) || is_word(b))
        return false;
    if (boolean_of(a, left) && boolean_of(b, right))
        return true;
    *left = logic_to_number(e, *a);
    *right = logic_to_number(e, *b);
    if (!isnan(*left) && !isnan(*right))
        return true;
    if (a->kind != LOGIC_STRING || b->kind != LOGIC_STRING)
        return false;
    *left = logic_date_of(a->text);
    *right = logic_date_of(b->text);
    return !isnan(*left) && !isnan(*right);
}

/* Brings two values to a common measure: booleans, else numbers, else dates. false: they have none. */
static inline bool measure(struct evaluation *e, const struct logic_value *a, const struct logic_value *b, double *left, double *right)
{
    if (a->kind != LOGIC_NUMBER || b->kind != LOGIC_NUMBER)
        return measure_other(e, a, b, left, right);
    *left = a->number;
    *right = b->number;
    return !isnan(a->number) && !isnan(b->number);
}

static const struct logic_value *arg(const struct logic_args *a, size_t i)
{
    static const struct logic_value undefined = {.kind = LOGIC_UNDEFINED};
    return i < a->n ? &a->v[i] : &undefined;
}

static bool equals(struct evaluation *e, const struct logic_args *a)
{
    double left, right;
    const struct logic_value *x = arg(a, 0), *y = arg(a, 1);
    /* The same string is the same boolean, number, date or text. */
    if (x->kind == LOGIC_STRING && y->kind == LOGIC_STRING && logic_same_text(x, y))
        return true;
    return measure(e, x, y, &left, &right) ? left == right : logic_same(x, y);
}

static bool op_equal(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    *out = logic_bool(equals(e, a));
    return true;
}

static bool op_not_equal(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    *out = logic_bool(!equals(e, a));
    return true;
}

static bool op_less(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double left, right;
    *out = logic_bool(measure(e, arg(a, 0), arg(a, 1), &left, &right) && left < right);
    return true;
}

static bool op_greater(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double left, right;
    *out = logic_bool(measure(e, arg(a, 0), arg(a, 1), &left, &right) && left > right);
    return true;
}

static bool op_at_least(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double left, right;
    *out = logic_bool(measure(e, arg(a, 0), arg(a, 1), &left, &right) && left >= right);
    return true;
}

/* With three arguments: between, ends included. */
static bool op_at_most(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double left, right;
    bool holds = measure(e, arg(a, 0), arg(a, 1), &left, &right) && left <= right;
    if (holds && arg(a, 2)->kind != LOGIC_UNDEFINED)
        holds = measure(e, arg(a, 1), arg(a, 2), &left, &right) && left <= right;
    *out = logic_bool(holds);
    return true;
}

/* ---- strings: anything but two strings is false, also for the negated tests ---- */

static bool strings_of(struct evaluation *e, const struct logic_args *a, struct str *s, struct str *part)
{
    struct logic_value x = logic_arg(a, 0), y = logic_arg(a, 1);
    *s = x.text;
    *part = y.text;
    return x.kind == LOGIC_STRING && y.kind == LOGIC_STRING && logic_work(e, (int64_t)(s->n / 64));
}

#define STRING_TEST(name, test)                                                                             \
    static bool name(struct evaluation *e, const struct logic_args *a, struct logic_value *out)            \
    {                                                                                                       \
        struct str s, part;                                                                                 \
        *out = logic_bool(strings_of(e, a, &s, &part) && (test));                                           \
        return true;                                                                                        \
    }
STRING_TEST(op_starts, str_starts(s, part))
STRING_TEST(op_not_starts, !str_starts(s, part))
STRING_TEST(op_ends, str_ends(s, part))
STRING_TEST(op_not_ends, !str_ends(s, part))
STRING_TEST(op_contains, str_find(s, part) >= 0)
STRING_TEST(op_not_contains, str_find(s, part) < 0)

/* ---- lists ---- */

static bool has(const struct logic_value *items, size_t n, struct logic_value v)
{
    for (size_t i = 0; i < n; i++)
        if (logic_same(&items[i], &v))
            return true;
    return false;
}

/* Is an element of the first array in the second? *both says whether both are arrays. */
static bool shares(struct evaluation *e, const struct logic_args *a, bool *both, bool *found)
{
    const struct logic_value *x, *y;
    size_t x_n, y_n;
    *found = false;
    *both = logic_is_array(logic_arg(a, 0)) && logic_is_array(logic_arg(a, 1));
    if (!*both)
        return true;
    if (!logic_items(e, a->v[0], &x, &x_n) || !logic_items(e, a->v[1], &y, &y_n) || !logic_work(e, (int64_t)(x_n * y_n / 16)))
        return false;
    for (size_t i = 0; i < x_n && !*found; i++)
        *found = has(y, y_n, x[i]);
    return true;
}

static bool op_contains_any(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    bool both, found;
    if (!shares(e, a, &both, &found))
        return false;
    *out = logic_bool(both && found);
    return true;
}

static bool op_contains_none(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    bool both, found;
    if (!shares(e, a, &both, &found))
        return false;
    *out = logic_bool(both && !found);
    return true;
}

static bool op_not_in(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    const struct logic_value *items;
    size_t n;
    *out = logic_bool(false);
    if (!logic_is_array(logic_arg(a, 1)))
        return true;
    if (!logic_items(e, a->v[1], &items, &n))
        return false;
    out->truth = !has(items, n, a->v[0]);
    return true;
}

static bool op_null(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(logic_arg(a, 0).kind == LOGIC_NULL);
    return true;
}

static bool op_not_null(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(logic_arg(a, 0).kind != LOGIC_NULL);
    return true;
}

/* Upstream has these two names without a known meaning; decided in content.md §6.2. */
static bool is_empty(struct logic_value v)
{
    return v.kind == LOGIC_NULL || v.kind == LOGIC_UNDEFINED || (v.kind == LOGIC_STRING && !v.text.n) ||
           (logic_is_array(v) && !logic_length(v));
}

static bool op_empty(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(is_empty(logic_arg(a, 0)));
    return true;
}

static bool op_not_empty(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(!is_empty(logic_arg(a, 0)));
    return true;
}

static bool range_of(const struct logic_args *a, double *n, double *least, double *most)
{
    struct logic_value v = logic_arg(a, 0), range = logic_arg(a, 1);
    if (v.kind != LOGIC_NUMBER || !logic_is_array(range) || logic_length(range) != 2)
        return false;
    struct logic_value from = logic_at(range, 0), to = logic_at(range, 1);
    *n = v.number;
    *least = from.number;
    *most = to.number;
    return from.kind == LOGIC_NUMBER && to.kind == LOGIC_NUMBER;
}

static bool op_between(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double n, least, most;
    (void)e;
    *out = logic_bool(range_of(a, &n, &least, &most) && n >= least && n <= most);
    return true;
}

static bool op_not_between(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double n, least, most;
    (void)e;
    *out = logic_bool(range_of(a, &n, &least, &most) && (n < least || n > most));
    return true;
}

/* ---- dates relative to now ---- */

#define MINUTE_MS 60000.0
#define HOUR_MS 3600000.0
#define DAY_MS 86400000.0
#define DATE_MS_MAX 8.64e15         /* ECMA-262, the range of time values */

/* Days since 1970 of a proleptic Gregorian date; the month may be out of 0…11 and the day out of the month. */
static double days_of(double year, double month, double day)
{
    year += floor(month / 12);
    month -= floor(month / 12) * 12;
    double y = month < 2 ? year - 1 : year, m = month < 2 ? month + 10 : month - 2;     /* years from March */
    double era = floor(y / 400), of_era = y - era * 400;
    double of_year = floor((153 * m + 2) / 5);
    return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year + day - 1 - 719468;
}

/* now less whole months, as JavaScript's setMonth does: the day is kept and runs over into the next month where the month
 * is too short (31 March less one month is 3 March). */
static double months_before(double now, double months)
{
    double days = floor(now / DAY_MS), z = days + 719468;
    double era = floor(z / 146097), of_era = z - era * 146097;
    double year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365);
    double of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100));
    double m = floor((5 * of_year + 2) / 153);
    double day = of_year - floor((153 * m + 2) / 5) + 1;
    double month = m < 10 ? m + 2 : m - 10;
    year += era * 400 + (month < 2);
    return days_of(year, month - trunc(months), day) * DAY_MS + (now - days * DAY_MS);
}

static const struct {
    const char *name;
    double ms, months, tolerance;
} units[] = {
    {"minutes", MINUTE_MS, 0, MINUTE_MS}, {"hours", HOUR_MS, 0, HOUR_MS}, {"days", DAY_MS, 0, DAY_MS},
    {"weeks", 7 * DAY_MS, 0, DAY_MS}, {"months", 0, 1, DAY_MS}, {"years", 0, 12, 7 * DAY_MS},
};

struct relative {
    double input, target, now, tolerance;
};

/* new Date(v) */
static double date_of(struct evaluation *e, struct logic_value v)
{
    double ms = v.kind == LOGIC_STRING ? logic_date_of(v.text) :
                logic_is_array(v) ? logic_date_of(logic_string(e, v)) : logic_to_number(e, v);
    return fabs(ms) <= DATE_MS_MAX ? trunc(ms) : NAN;
}

static bool relative_of(struct evaluation *e, const struct logic_args *a, struct relative *r)
{
    struct logic_value rule = logic_arg(a, 1);
    if (rule.kind != LOGIC_OBJECT)
        return false;
    struct logic_value amount = logic_property(e, rule, STR("amount")), unit = logic_property(e, rule, STR("unit"));
    if (amount.kind != LOGIC_NUMBER || !(amount.number > 0) || unit.kind != LOGIC_STRING)
        return false;
    r->input = date_of(e, logic_arg(a, 0));
    r->now = (double)e->context->now_ms;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eqz(unit.text, units[i].name))
            continue;
        r->tolerance = units[i].tolerance;
        r->target = units[i].months ? months_before(r->now, amount.number * units[i].months)
                                    : r->now - amount.number * units[i].ms;
        return !isnan(r->input) && fabs(r->target) <= DATE_MS_MAX;
    }
    return false;
}

#define DATE_TEST(name, test)                                                                               \
    static bool name(struct evaluation *e, const struct logic_args *a, struct logic_value *out)            \
    {                                                                                                       \
        struct relative r;                                                                                  \
        *out = logic_bool(relative_of(e, a, &r) && (test));                                                 \
        return true;                                                                                        \
    }
DATE_TEST(op_more_than_ago, r.input < r.target)
DATE_TEST(op_less_than_ago, r.input >= r.target)
DATE_TEST(op_within_last, r.input >= r.target && r.input <= r.now)
DATE_TEST(op_not_within_last, r.input < r.target)
DATE_TEST(op_exactly_ago, fabs(r.input - r.target) <= r.tolerance)

const struct logic_operator logic_novu_operators[] = {
    {"==", op_equal}, {"=", op_equal}, {"!=", op_not_equal}, {"<", op_less}, {">", op_greater}, {"<=", op_at_most},
    {">=", op_at_least}, {"startsWith", op_starts}, {"endsWith", op_ends}, {"contains", op_contains},
    {"doesNotContain", op_not_contains}, {"doesNotBeginWith", op_not_starts}, {"doesNotEndWith", op_not_ends},
    {"containsAny", op_contains_any}, {"doesNotContainAny", op_contains_none}, {"null", op_null}, {"notNull", op_not_null},
    {"notIn", op_not_in}, {"between", op_between}, {"notBetween", op_not_between}, {"isEmpty", op_empty},
    {"isNonEmpty", op_not_empty}, {"moreThanXAgo", op_more_than_ago}, {"lessThanXAgo", op_less_than_ago},
    {"withinLast", op_within_last}, {"notWithinLast", op_not_within_last}, {"exactlyXAgo", op_exactly_ago}, {NULL, NULL},
};
