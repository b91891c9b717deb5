/* JavaScript's strings and numbers: lengths and slices in UTF-16 units, conversions both ways. */
#include "content/jsonlogic/value.h"

#include "content/liquid/liquid_private.h"      /* number_print, number_parse: the same numbers as in templates */

struct str logic_number_text(struct arena *a, double n)
{
    char text[NUMBER_TEXT_MAX];
    return str_dup(a, (struct str){text, number_print(n, text)});
}

double logic_number_of(struct str s)
{
    return number_parse(s);
}

static size_t digits_end(struct str s, size_t i)
{
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i;
}

/* The longest start of s that is a decimal number. */
double logic_float_of(struct str s)
{
    s = str_trim(s);
    size_t sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    if (str_starts(str_sub(s, sign, s.n), STR("Infinity")))
        return s.p[0] == '-' ? -INFINITY : INFINITY;
    size_t end = digits_end(s, sign), digits = end - sign;
    if (end < s.n && s.p[end] == '.') {
        size_t fraction = digits_end(s, end + 1);
        digits += fraction - end - 1;
        end = fraction;
    }
    if (!digits)
        return NAN;
    if (end < s.n && (s.p[end] == 'e' || s.p[end] == 'E')) {
        size_t from = end + 1;
        from += from < s.n && (s.p[from] == '-' || s.p[from] == '+');
        size_t exponent = digits_end(s, from);
        end = exponent > from ? exponent : end;
    }
    return number_parse(str_sub(s, 0, end));
}

size_t logic_units(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        n += ((c & 0xc0) != 0x80) + (c >= 0xf0);
    }
    return n;
}

/* Half of a pair becomes U+FFFD: UTF-8 cannot hold it. */
struct str logic_slice(struct arena *a, struct str s, size_t from, size_t to)
{
    struct buf b = {.arena = a};
    size_t unit = 0;
    for (size_t i = 0; i < s.n && unit < to;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1, units = bytes == 4 ? 2 : 1;
        bytes = bytes > s.n - i ? s.n - i : bytes;
        if (unit >= from && unit + units <= to)
            buf_add(&b, s.p + i, bytes);
        else if (unit + units > from)
            buf_z(&b, "\xef\xbf\xbd");
        unit += units;
        i += bytes;
    }
    return b.p ? buf_get(&b) : STR("");
}
