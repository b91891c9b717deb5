/* The string and number formats, as npm ajv-formats 2.1.1 reads them in its full mode (content.md §7): where it is more
 * lenient than the RFCs (date-time without a zone), so are we, since payloads that Novu takes must not be refused. */
#include "content/jsonschema/schema.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_alpha(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits_at(struct str s, size_t i)
{
    size_t n = 0;
    while (i + n < s.n && is_digit(s.p[i + n]))
        n++;
    return n;
}

static bool always(struct str s)
{
    (void)s;
    return true;
}

/* ---- dates ---- */

static int two(struct str s, size_t i)
{
    return i + 1 < s.n && is_digit(s.p[i]) && is_digit(s.p[i + 1]) ? (s.p[i] - '0') * 10 + s.p[i + 1] - '0' : -1;
}

static bool is_date(struct str s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century = two(s, 0), of = two(s, 2), month = two(s, 5), day = two(s, 8);
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || century < 0 || of < 0 || month < 1 || month > 12 || day < 1)
        return false;
    int year = century * 100 + of;
    bool leap = month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0);
    return day <= days[month - 1] + leap;
}

static bool is_time(struct str s)
{
    int hour = two(s, 0), minute = two(s, 3), second = two(s, 6);
    if (s.n < 8 || s.p[2] != ':' || s.p[5] != ':' || hour < 0 || minute < 0 || second < 0)
        return false;
    if (!(hour <= 23 && minute <= 59 && second <= 59) && !(hour == 23 && minute == 59 && second == 60))
        return false;
    size_t i = 8;
    if (i < s.n && s.p[i] == '.') {
        size_t n = digits_at(s, i + 1);
        if (!n)
            return false;
        i += 1 + n;
    }
    struct str zone = str_sub(s, i, s.n);
    if (!zone.n || str_eqz(zone, "Z") || str_eqz(zone, "z"))
        return true;
    if ((zone.p[0] != '+' && zone.p[0] != '-') || two(zone, 1) < 0)
        return false;
    size_t colon = zone.n > 3 && zone.p[3] == ':';
    return zone.n == 3 || (zone.n == 5 + colon && two(zone, 3 + colon) >= 0);
}

static bool is_date_time(struct str s)
{
    return s.n > 10 && strchr("tT \t\n\r\f\v", s.p[10]) && s.p[10] && is_date(str_sub(s, 0, 10)) && is_time(str_sub(s, 11, s.n));
}

/* Some of the units, in order, each with digits. Returns where it ends. */
static size_t units_at(struct str s, size_t i, const char *units)
{
    for (; *units; units++) {
        size_t n = digits_at(s, i);
        if (n && i + n < s.n && s.p[i + n] == *units)
            i += n + 1;
    }
    return i;
}

static bool is_duration(struct str s)
{
    if (s.n < 3 || s.p[0] != 'P')
        return false;
    if (units_at(s, 1, "W") == s.n)
        return true;
    size_t i = units_at(s, 1, "YMD");
    if (i < s.n && s.p[i] == 'T' && digits_at(s, i + 1))
        i = units_at(s, i + 1, "HMS");
    return i == s.n;
}

/* ---- hosts ---- */

static bool is_ipv4(struct str s)
{
    int parts = 0;
    for (size_t i = 0; i < s.n; i++) {
        size_t n = digits_at(s, i);
        int value = 0;
        for (size_t k = 0; k < n && n <= 3; k++)
            value = value * 10 + s.p[i + k] - '0';
        if (!n || n > 3 || value > 255 || ++parts > 4)
            return false;
        i += n;
        if (i < s.n && (s.p[i] != '.' || i + 1 == s.n))
            return false;
    }
    return parts == 4;
}

static bool is_ipv6(struct str s)
{
    char z[64];
    unsigned char address[16];
    if (!s.n || s.n >= sizeof z || memchr(s.p, 0, s.n))
        return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    return inet_pton(AF_INET6, z, address) == 1;
}

/* What a character may be part of. */
enum { IN_LABEL = 1, IN_LOCAL = 2 };
static const unsigned char parts[256] = {
    ['0' ... '9'] = IN_LABEL | IN_LOCAL, ['a' ... 'z'] = IN_LABEL | IN_LOCAL, ['A' ... 'Z'] = IN_LABEL | IN_LOCAL,
    ['-'] = IN_LABEL | IN_LOCAL, ['!'] = IN_LOCAL, ['#'] = IN_LOCAL, ['$'] = IN_LOCAL, ['%'] = IN_LOCAL, ['&'] = IN_LOCAL,
    ['\''] = IN_LOCAL, ['*'] = IN_LOCAL, ['+'] = IN_LOCAL, ['/'] = IN_LOCAL, ['='] = IN_LOCAL, ['?'] = IN_LOCAL,
    ['^'] = IN_LOCAL, ['_'] = IN_LOCAL, ['`'] = IN_LOCAL, ['{'] = IN_LOCAL, ['|'] = IN_LOCAL, ['}'] = IN_LOCAL,
    ['~'] = IN_LOCAL, ['.'] = IN_LOCAL,
};

/* Labels of letters, digits and inner hyphens, with dots between. */
static bool labels_ok(struct str s, size_t label_max, size_t least)
{
    size_t labels = 0;
    for (size_t i = 0; i <= s.n; i++) {
        size_t from = i;
        while (i < s.n && parts[(unsigned char)s.p[i]] & IN_LABEL)
            i++;
        if (i == from || i - from > label_max || s.p[from] == '-' || s.p[i - 1] == '-' || (i < s.n && s.p[i] != '.'))
            return false;
        labels++;
    }
    return labels >= least;
}

static bool is_hostname(struct str s)
{
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    return s.n && s.n <= 253 && labels_ok(s, 63, 1);
}

static bool is_email(struct str s)
{
    size_t n = 0;
    while (n < s.n && parts[(unsigned char)s.p[n]] & IN_LOCAL && !(s.p[n] == '.' && (!n || s.p[n - 1] == '.')))
        n++;
    return n && n < s.n && s.p[n] == '@' && s.p[n - 1] != '.' && labels_ok(str_sub(s, n + 1, s.n), SIZE_MAX, 2);
}

/* ---- URIs ---- */

/* Only these characters, and percent with two hexadecimal digits. */
static bool chars_ok(struct str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
                return false;
            i += 2;
        } else if (!s.p[i] || (!is_alnum(s.p[i]) && !strchr(others, s.p[i]))) {
            return false;
        }
    }
    return true;
}

static bool authority_ok(struct str s)
{
    const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
    if (at) {
        if (!chars_ok(str_sub(s, 0, (size_t)(at - s.p)), "-._~!$&'()*+,;=:"))
            return false;
        s = str_sub(s, (size_t)(at - s.p) + 1, s.n);
    }
    if (s.n && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);
        if (!end)
            return false;
        struct str inner = str_sub(s, 1, (size_t)(end - s.p));
        bool future = inner.n > 2 && (inner.p[0] | 32) == 'v' && chars_ok(inner, "-._~!$&'()*+,;=:");
        if (!future && !is_ipv6(inner))
            return false;
        s = str_sub(s, (size_t)(end - s.p) + 1, s.n);
    } else {
        const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
        size_t n = colon ? (size_t)(colon - s.p) : s.n;
        if (!chars_ok(str_sub(s, 0, n), "-._~!$&'()*+,;=\""))
            return false;
        s = str_sub(s, n, s.n);
    }
    return !s.n || (s.p[0] == ':' && digits_at(s, 1) == s.n - 1);
}

static size_t scheme_length(struct str s)
{
    size_t i = 0;
    while (i < s.n && (is_alpha(s.p[i]) || (i && (is_digit(s.p[i]) || s.p[i] == '+' || s.p[i] == '-' || s.p[i] == '.'))))
        i++;
    return i && i < s.n && s.p[i] == ':' ? i : 0;
}

static bool is_uri_reference(struct str s)
{
    size_t scheme = scheme_length(s);
    if (scheme)
        s = str_sub(s, scheme + 1, s.n);
    ptrdiff_t hash = str_find(s, STR("#"));
    if (hash >= 0) {
        if (!chars_ok(str_sub(s, (size_t)hash + 1, s.n), "-._~!$&'\"()*+,;=:@/?"))
            return false;
        s = str_sub(s, 0, (size_t)hash);
    }
    if (str_starts(s, STR("//"))) {
        size_t i = 2;
        while (i < s.n && s.p[i] != '/' && s.p[i] != '?')
            i++;
        if (!authority_ok(str_sub(s, 2, i)))
            return false;
        s = str_sub(s, i, s.n);
    }
    return chars_ok(s, "-._~!$&'\"()*+,;=:@/?");
}

static bool is_uri(struct str s)
{
    return scheme_length(s) && !memchr(s.p, '"', s.n) && is_uri_reference(s);
}

static bool variable_ok(struct str s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != ':' && s.p[i] != '*')
        i++;
    struct str tail = str_sub(s, i, s.n);
    if (!i || !chars_ok(str_sub(s, 0, i), "_"))
        return false;
    if (!tail.n || str_eqz(tail, "*"))
        return true;
    return tail.p[0] == ':' && tail.n >= 2 && tail.n <= 5 && tail.p[1] != '0' && digits_at(tail, 1) == tail.n - 1;
}

static bool is_uri_template(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '%') {
            if (!chars_ok(str_sub(s, i, i + 3), ""))
                return false;
            i += 2;
        } else if (c == '{') {
            ptrdiff_t n = str_find(str_sub(s, i, s.n), STR("}"));
            if (n < 2)
                return false;
            struct str list = str_sub(s, i + 1, i + (size_t)n);
            if (strchr("+#./;?&=,!@|", list.p[0]))
                list = str_sub(list, 1, list.n);
            i += (size_t)n;
            for (bool more = true; more;) {
                ptrdiff_t comma = str_find(list, STR(","));
                more = comma >= 0;
                if (!variable_ok(more ? str_sub(list, 0, (size_t)comma) : list))
                    return false;
                list = more ? str_sub(list, (size_t)comma + 1, list.n) : list;
            }
        } else if (c <= 0x20 || strchr("\"'<>\\^`|}", c)) {
            return false;
        }
    }
    return true;
}

/* A host that can be public: not localhost, not a private or loopback IPv4 address. */
static bool public_host_ok(struct str s)
{
    unsigned a, b, c, d;
    char z[16] = {0};
    if (is_ipv4(s)) {
        memcpy(z, s.p, s.n < 15 ? s.n : 15);
        if (sscanf(z, "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
            return false;
        bool hidden = a == 10 || a == 127 || (a == 169 && b == 254) || (a == 192 && b == 168) || (a == 172 && b >= 16 && b <= 31);
        return !hidden && a >= 1 && a <= 223 && d >= 1 && d <= 254;
    }
    size_t labels = 0, last = 0;
    bool letters = true;
    for (size_t i = 0; i <= s.n; i++) {
        size_t from = i;
        letters = true;
        for (; i < s.n && (is_alnum(s.p[i]) || s.p[i] == '-' || (unsigned char)s.p[i] >= 0x80); i++)
            letters = letters && !is_digit(s.p[i]) && s.p[i] != '-';
        if (i == from || s.p[from] == '-' || s.p[i - 1] == '-' || (i < s.n && s.p[i] != '.'))
            return false;
        last = i - from;
        labels++;
    }
    return labels >= 2 && last >= 2 && letters;
}

static bool is_url(struct str s)
{
    size_t scheme = scheme_length(s);
    struct str name = str_sub(s, 0, scheme), rest = str_sub(s, scheme + 1, s.n);
    if (!str_eq_nocase(name, STR("http")) && !str_eq_nocase(name, STR("https")) && !str_eq_nocase(name, STR("ftp")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= 0x20)
            return false;
    if (!str_starts(rest, STR("//")))
        return false;
    size_t end = 2;
    while (end < rest.n && rest.p[end] != '/')
        end++;
    struct str host = str_sub(rest, 2, end);
    const char *at = host.n ? memrchr(host.p, '@', host.n) : NULL;
    if (at)
        host = str_sub(host, (size_t)(at - host.p) + 1, host.n);
    const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    if (colon) {
        size_t n = (size_t)(colon - host.p), digits = digits_at(host, n + 1);
        if (digits < 2 || digits > 5 || n + 1 + digits != host.n)
            return false;
        host = str_sub(host, 0, n);
    }
    return public_host_ok(host);
}

/* ---- the rest ---- */

static bool is_uuid(struct str s)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (s.n == 45 && str_eq_nocase(str_sub(s, 0, 9), STR("urn:uuid:")))
        s = str_sub(s, 9, s.n);
    for (size_t i = 0; s.n == 36 && i < 36; i++)
        if (shape[i] == '-' ? s.p[i] != '-' : !is_hex(s.p[i]))
            return false;
    return s.n == 36;
}

static bool is_json_pointer(struct str s)
{
    if (s.n && s.p[0] != '/')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return true;
}

static bool is_json_pointer_fragment(struct str s)
{
    return s.n && s.p[0] == '#' && is_json_pointer(str_sub(s, 1, s.n)) &&
           chars_ok(str_sub(s, 1, s.n), "_-.!$&'()*+,;:=@~/");
}

static bool is_relative_json_pointer(struct str s)
{
    size_t n = digits_at(s, 0);
    if (!n || (n > 1 && s.p[0] == '0'))
        return false;
    struct str rest = str_sub(s, n, s.n);
    return str_eqz(rest, "#") || is_json_pointer(rest);
}

static bool is_byte(struct str s)
{
    size_t pad = s.n && s.p[s.n - 1] == '=' ? 1 + (s.n > 1 && s.p[s.n - 2] == '=') : 0;
    for (size_t i = 0; i + pad < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
            return false;
    return s.n % 4 == 0;
}

static bool is_regex(struct str s)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    return regex_compile(a, s, NULL) != NULL;
}

static const struct format formats[] = {
    {"date", is_date, 0}, {"time", is_time, 0}, {"date-time", is_date_time, 0}, {"iso-time", is_time, 0},
    {"iso-date-time", is_date_time, 0}, {"duration", is_duration, 0}, {"uri", is_uri, 0}, {"uri-reference", is_uri_reference, 0},
    {"uri-template", is_uri_template, 0}, {"url", is_url, 0}, {"email", is_email, 0}, {"hostname", is_hostname, 0},
    {"ipv4", is_ipv4, 0}, {"ipv6", is_ipv6, 0}, {"regex", is_regex, 0}, {"uuid", is_uuid, 0},
    {"json-pointer", is_json_pointer, 0}, {"json-pointer-uri-fragment", is_json_pointer_fragment, 0},
    {"relative-json-pointer", is_relative_json_pointer, 0}, {"byte", is_byte, 0}, {"int32", always, 1}, {"int64", always, 2},
    {"float", always, 0}, {"double", always, 0}, {"password", always, 0}, {"binary", always, 0},
};

const struct format *format_find(struct str name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_eqz(name, formats[i].name))
            return &formats[i];
    return NULL;
}
