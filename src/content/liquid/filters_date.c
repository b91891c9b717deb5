/* Filters on dates. Without a zone of their own they are shown in UTC. */
#include "content/liquid/liquid_private.h"

#include <math.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

static double moment_of(struct render *r, struct value v)
{
    double ms = NAN;
    if (v.kind == V_NUMBER)
        return trunc(v.number * 1000);
    if (v.kind == V_BOOL)
        return v.b;
    if (v.kind != V_STRING)
        v = value_str(value_to_js(r, v));
    else if (str_eq(v.s, STR("now")) || str_eq(v.s, STR("today")))
        return (double)r->c->now_ms;
    else if (all_digits(v.s))
        return trunc(number_parse(v.s) * 1000);
    if (!render_scan(r, v.s.n) || !date_parse_js(v.s, &ms))
        return NAN;
    return ms;
}

/* V8 reads the name's UTF-8 as Latin-1 when it says that there is no such zone. */
static bool zone_refused(struct render *r, struct str zone)
{
    struct buf b = {.arena = r->arena};
    for (size_t i = 0; i < zone.n; i++) {
        unsigned char c = (unsigned char)zone.p[i];
        if (c >= 0x80)
            buf_char(&b, (char)(0xc0 | c >> 6));
        buf_char(&b, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
    struct str name = zone.n ? buf_get(&b) : zone;
    return render_fail(r, "Invalid time zone specified: %.*s", STR_ARG(name));
}

/* false: no date; the filter gives back what it got. */
static bool date_of(struct render *r, struct value v, struct value zone, struct shown_date *d)
{
    v = value_plain(r, v);
    if (value_is_nil(v))
        return false;
    *d = (struct shown_date){.ms = moment_of(r, v), .fixed = !value_is_nil(zone)};
    if (isnan(d->ms) || fabs(d->ms) > 8.64e15)
        return false;
    if (zone.kind == V_STRING) {
        d->zone = zone.s;
        if (!date_zone_offset(r, zone.s, d->ms, &d->offset))
            return zone_refused(r, zone.s);
    } else if (d->fixed) {
        d->offset = value_number_js(r, zone);
    }
    if (isnan(d->offset) || fabs(d->ms - d->offset * 60000) > 8.64e15)
        return false;
    date_show(d);
    return true;
}

FILTER(date)
{
    struct shown_date d;
    if (!date_of(r, in, filter_arg(args, 1), &d))
        return in;
    struct value format = value_plain(r, filter_arg(args, 0));
    struct str f = value_is_nil(format) ? STR("%A, %B %-e, %Y at %-l:%M %P %z") : value_to_str(r, format);
    return value_str(date_format(r, &d, f));
}

static struct value date_as(struct render *r, struct value in, const char *format)
{
    struct shown_date d;
    return date_of(r, in, VALUE_UNDEFINED, &d) ? value_str(date_format(r, &d, str_of(format))) : in;
}

FILTER(date_to_xmlschema)
{
    (void)args;
    return date_as(r, in, "%Y-%m-%dT%H:%M:%S%:z");
}

FILTER(date_to_rfc822)
{
    (void)args;
    return date_as(r, in, "%a, %d %b %Y %H:%M:%S %z");
}

static bool arg_is(const struct filter_args *args, size_t i, const char *text)
{
    struct value v = filter_arg(args, i);
    return v.kind == V_STRING && str_eqz(v.s, text);
}

FILTER(date_to_string)
{
    if (!arg_is(args, 0, "ordinal"))
        return date_as(r, in, "%d %b %Y");
    return date_as(r, in, arg_is(args, 1, "US") ? "%b %-d%q, %Y" : "%-d%q %b %Y");
}

FILTER(date_to_long_string)
{
    if (!arg_is(args, 0, "ordinal"))
        return date_as(r, in, "%d %B %Y");
    return date_as(r, in, arg_is(args, 1, "US") ? "%B %-d%q, %Y" : "%-d%q %B %Y");
}

const struct liquid_filter liquid_filters_date[] = {
    {"date", date}, {"date_to_xmlschema", date_to_xmlschema}, {"date_to_rfc822", date_to_rfc822},
    {"date_to_string", date_to_string}, {"date_to_long_string", date_to_long_string}, {NULL, NULL},
};
