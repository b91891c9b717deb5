/* Filters on numbers: IEEE doubles, whatever is no number counts as 0, a missing argument gives NaN. */
#include "content/liquid/liquid_private.h"

#include <math.h>
#include <stdio.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

static double arg_number(struct render *r, const struct filter_args *args, size_t i)
{
    return i < args->n ? value_to_number(r, args->v[i]) : NAN;
}

FILTER(number_abs)
{
    (void)args;
    return value_number(fabs(value_to_number(r, in)));
}

FILTER(number_ceil)
{
    (void)args;
    return value_number(ceil(value_to_number(r, in)));
}

FILTER(number_floor)
{
    (void)args;
    return value_number(floor(value_to_number(r, in)));
}

FILTER(at_least)
{
    double v = value_to_number(r, in);
    for (size_t i = 0; i < args->n; i++)
        v = fmax(v, arg_number(r, args, i));
    return value_number(v);
}

FILTER(at_most)
{
    double v = value_to_number(r, in);
    for (size_t i = 0; i < args->n; i++)
        v = fmin(v, arg_number(r, args, i));
    return value_number(v);
}

FILTER(plus)
{
    return value_number(value_to_number(r, in) + arg_number(r, args, 0));
}

FILTER(minus)
{
    return value_number(value_to_number(r, in) - arg_number(r, args, 0));
}

FILTER(times)
{
    return value_number(value_to_number(r, in) * arg_number(r, args, 0));
}

FILTER(divided_by)
{
    double v = value_to_number(r, in) / arg_number(r, args, 0);
    return value_number(args->n > 1 && arg_number(r, args, 1) != 0 ? floor(v) : v);
}

FILTER(modulo)
{
    double v = value_to_number(r, in), by = arg_number(r, args, 0);
    return value_number(fmod(fmod(v, by) + by, by));
}

/* n × 10^exponent by way of its decimal text, which is exact where multiplication is not. */
static double shift_decimal(double n, double exponent)
{
    char text[NUMBER_TEXT_MAX], power[NUMBER_TEXT_MAX], whole[2 * NUMBER_TEXT_MAX + 4];
    size_t k = number_print(n, text);
    const char *e = memchr(text, 'e', k);
    size_t mantissa = e ? (size_t)(e - text) : k;
    double base = e ? number_parse((struct str){e + 1, k - mantissa - 1}) : 0;
    size_t m = number_print(base + exponent, power);
    int w = snprintf(whole, sizeof whole, "%.*se%.*s", (int)mantissa, text, (int)m, power);
    return number_parse((struct str){whole, (size_t)w});
}

FILTER(number_round)
{
    double v = value_to_number(r, in), places = args->n ? arg_number(r, args, 0) : 0;
    double scaled = shift_decimal(fabs(v), places);
    if (!(scaled <= 9007199254740991.0))
        return value_number(v);
    double whole = floor(scaled), rounded = shift_decimal(scaled - whole >= 0.5 ? whole + 1 : whole, -places);
    return value_number(v < 0 ? -rounded : rounded);
}

FILTER(to_integer)
{
    (void)args;
    return value_number(value_number_js(r, in));
}

const struct liquid_filter liquid_filters_number[] = {
    {"abs", number_abs}, {"at_least", at_least}, {"at_most", at_most}, {"ceil", number_ceil},
    {"divided_by", divided_by}, {"floor", number_floor}, {"minus", minus}, {"plus", plus}, {"modulo", modulo},
    {"times", times}, {"round", number_round}, {"to_integer", to_integer}, {NULL, NULL},
};
