/* Numbers as JavaScript prints and reads them. */
#include "content/liquid/liquid_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The shortest decimal digits that read back as n > 0; returns how many, *point is where the decimal point goes. */
static int shortest_digits(double n, char digits[20], int *point)
{
    char text[40];
    /* Below the normal range fewer than 15 digits may be all there is. */
    for (int precision = n < 2.3e-308 ? 1 : 15;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, n);
        if (precision >= 17 || strtod(text, NULL) == n)
            break;
    }
    int k = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[k++] = *p;
    while (k > 1 && digits[k - 1] == '0')
        k--;
    *point = atoi(p + 1) + 1;
    return k;
}

static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Most fractions are short: if m / 10^k gives n again, with m of at most 15 digits and the smallest such k, then these
 * are the shortest digits (both are exact, and the division rounds as reading the decimal text does). */
static size_t print_short(double n, char out[NUMBER_TEXT_MAX])
{
    if (n < 1e-3 || n >= 1e9)
        return 0;
    for (int k = 1; k <= 6; k++) {
        double m = nearbyint(n * powers[k]);
        if (m / powers[k] != n)
            continue;
        uint64_t whole = (uint64_t)m / (uint64_t)powers[k], part = (uint64_t)m % (uint64_t)powers[k];
        char digits[20];
        size_t at = 0, d = 0;
        do
            digits[d++] = (char)('0' + whole % 10);
        while (whole /= 10);
        while (d)
            out[at++] = digits[--d];
        out[at++] = '.';
        for (int i = k - 1; i >= 0; i--, part /= 10)
            out[at + (size_t)i] = (char)('0' + part % 10);
        return at + (size_t)k;
    }
    return 0;
}

static size_t print_integer(int64_t n, char out[NUMBER_TEXT_MAX])
{
    char digits[20];
    size_t at = 0, d = 0;
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    if (n < 0)
        out[at++] = '-';
    do
        digits[d++] = (char)('0' + u % 10);
    while (u /= 10);
    while (d)
        out[at++] = digits[--d];
    return at;
}

/* ECMA-262, Number::toString. */
size_t number_print(double n, char out[NUMBER_TEXT_MAX])
{
    char digits[20];
    size_t at = 0;
    if (isnan(n))
        return (size_t)snprintf(out, NUMBER_TEXT_MAX, "NaN");
    if (isinf(n))
        return (size_t)snprintf(out, NUMBER_TEXT_MAX, n < 0 ? "-Infinity" : "Infinity");
    if (fabs(n) < 9007199254740992.0 && n == (double)(int64_t)n)
        return print_integer((int64_t)n, out);
    if (n < 0) {
        out[at++] = '-';
        n = -n;
    }
    size_t brief = print_short(n, out + at);
    if (brief)
        return at + brief;
    int point, k = shortest_digits(n, digits, &point);
    if (point > 21 || point < -5) {
        out[at++] = digits[0];
        if (k > 1) {
            out[at++] = '.';
            memcpy(out + at, digits + 1, (size_t)k - 1);
            at += (size_t)k - 1;
        }
        return at + (size_t)snprintf(out + at, NUMBER_TEXT_MAX - at, "e%+d", point - 1);
    }
    if (point <= 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = point; i < 0; i++)
            out[at++] = '0';
    }
    for (int i = 0; i < k || i < point; i++) {
        if (i == point && i > 0)
            out[at++] = '.';
        out[at++] = i < k ? digits[i] : '0';
    }
    return at;
}

static double parse_radix(struct str s, int radix)
{
    double v = 0;
    if (!s.n)
        return NAN;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
        if (d >= radix)
            return NAN;
        v = v * radix + d;
    }
    return v;
}

static size_t digits_at(struct str s, size_t i)
{
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* StrDecimalLiteral, whole string. */
static bool is_decimal(struct str s)
{
    size_t i = s.n && (s.p[0] == '+' || s.p[0] == '-');
    size_t whole = digits_at(s, i), fraction = 0;
    i += whole;
    if (i < s.n && s.p[i] == '.') {
        fraction = digits_at(s, ++i);
        i += fraction;
    }
    if (!whole && !fraction)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
            i++;
        size_t n = digits_at(s, i);
        if (!n)
            return false;
        i += n;
    }
    return i == s.n;
}

/* Up to 15 digits with a point: exact in two doubles, and so is their quotient. -1: not of this form. */
static double parse_short(struct str s)
{
    uint64_t m = 0;
    size_t digits = 0, fraction = 0;
    bool point = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (s.p[i] < '0' || s.p[i] > '9' || ++digits > 15)
            return -1;
        m = m * 10 + (uint64_t)(s.p[i] - '0');
        fraction += point;
    }
    return digits ? (double)m / powers[fraction] : -1;
}

double number_parse(struct str s)
{
    double brief = parse_short(s);
    if (brief >= 0)
        return brief;
    s = text_trim_end(text_trim_start(s));
    if (!s.n)
        return 0;
    if (s.n > 2 && s.p[0] == '0' && strchr("xXoObB", s.p[1]))
        return parse_radix(str_sub(s, 2, s.n), (s.p[1] | 32) == 'x' ? 16 : (s.p[1] | 32) == 'o' ? 8 : 2);
    struct str body = s.p[0] == '+' || s.p[0] == '-' ? str_sub(s, 1, s.n) : s;
    if (str_eq(body, STR("Infinity")))
        return s.p[0] == '-' ? -INFINITY : INFINITY;
    if (!is_decimal(s))
        return NAN;
    char small[128], *z = s.n < sizeof small ? small : malloc(s.n + 1);
    if (!z)
        return NAN;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    double v = strtod(z, NULL);
    if (z != small)
        free(z);
    return v;
}
