/* UTF-8 text seen as JavaScript sees it: UTF-16 units, code points, its white space, its case mapping. */
#include "content/liquid/liquid_private.h"

#include <unicode/ustring.h>

uint32_t text_decode(struct str s, size_t i, size_t *bytes)
{
    unsigned char c = (unsigned char)s.p[i];
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n == 1 || i + n > s.n) {
        *bytes = 1;
        return c;
    }
    uint32_t v = c & (0xffu >> (n + 1));
    for (size_t k = 1; k < n; k++)
        v = v << 6 | ((unsigned char)s.p[i + k] & 63u);
    *bytes = n;
    return v;
}

size_t text_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t k = n - 1; k > 0; k--, c >>= 6)
        out[k] = (char)(0x80 | (c & 63));
    out[0] = (char)(n == 2 ? 0xc0 | c : n == 3 ? 0xe0 | c : 0xf0 | c);
    return n;
}

size_t text_space(struct str s, size_t i)
{
    if (i >= s.n)
        return 0;
    unsigned char c = (unsigned char)s.p[i];
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    if (c == 0xc2)
        return i + 1 < s.n && (unsigned char)s.p[i + 1] == 0xa0 ? 2 : 0;
    if (c != 0xe1 && c != 0xe2 && c != 0xe3 && c != 0xef)
        return 0;
    size_t n;
    uint32_t v = text_decode(s, i, &n);
    return n == 3 && (v == 0x1680 || (v >= 0x2000 && v <= 0x200a) || v == 0x2028 || v == 0x2029 || v == 0x202f ||
                      v == 0x205f || v == 0x3000 || v == 0xfeff) ? 3 : 0;
}

/* Bytes of the white space that ends at i. */
size_t text_space_before(struct str s, size_t i)
{
    size_t k = i;
    if (!k)
        return 0;
    for (k--; k > 0 && i - k < 3 && ((unsigned char)s.p[k] & 0xc0) == 0x80;)
        k--;
    return text_space(s, k) == i - k ? i - k : 0;
}

struct str text_trim_start(struct str s)
{
    size_t i = 0, n;
    while ((n = text_space(s, i)))
        i += n;
    return str_sub(s, i, s.n);
}

struct str text_trim_end(struct str s)
{
    size_t n;
    while ((n = text_space_before(s, s.n)))
        s.n -= n;
    return s;
}

size_t text_units(struct str s)
{
    size_t ascii = str_ascii(s), units = ascii;
    for (size_t i = ascii; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        units += ((c & 0xc0) != 0x80) + (c >= 0xf0);
    }
    return units;
}

size_t text_points(struct str s)
{
    size_t points = 0;
    for (size_t i = 0; i < s.n; i++)
        points += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return points;
}

size_t text_advance(struct str s, size_t from, double points)
{
    double i = 0;
    size_t ascii = points > 0 ? str_ascii(str_sub(s, from, s.n)) : 0;
    if (points < (double)ascii) {
        ascii = (size_t)points;
        ascii += (double)ascii < points;        /* half a character counts */
    }
    from += ascii;
    for (i = (double)ascii; i < points && from < s.n; i++) {
        size_t n;
        text_decode(s, from, &n);
        from += n;
    }
    return from;
}

/* UTF-16 order differs from byte order only between surrogates (four-byte forms) and U+E000..U+FFFF. */
int text_compare(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i == n)
        return (a.n > b.n) - (a.n < b.n);
    unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
    if (x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0))
        return x >= 0xf0 ? -1 : 1;
    return x < y ? -1 : 1;
}

/* The UTF-16 unit at an index, as a string of its own. */
struct str text_unit(struct render *r, struct str s, double at, bool *found)
{
    double units = 0;
    *found = false;
    for (size_t i = 0; i < s.n && units <= at;) {
        size_t n;
        uint32_t c = text_decode(s, i, &n);
        if (c < 0x10000 ? units == at : at - units < 2) {
            *found = at == (double)(int64_t)at;
            if (c < 0x10000)
                return str_sub(s, i, i + n);
            char *half = render_alloc(r, 4);
            uint32_t unit = units == at ? 0xd800 + ((c - 0x10000) >> 10) : 0xdc00 + ((c - 0x10000) & 0x3ff);
            r->halves = true;
            return (struct str){half, text_encode(unit, half)};
        }
        units += c < 0x10000 ? 1 : 2;
        i += n;
    }
    return STR("");
}

static bool has_half(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xed && (unsigned char)s.p[i + 1] >= 0xa0)
            return true;
    return false;
}

static struct str taken_apart(struct render *r, struct str s)
{
    struct buf b = {.arena = r->arena};
    char half[4];
    if (!render_memory(r, (double)s.n * 1.5))
        return s;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = text_decode(s, i, &n);
        if (c < 0x10000) {
            buf_add(&b, s.p + i, n);
            continue;
        }
        buf_add(&b, half, text_encode(0xd800 + ((c - 0x10000) >> 10), half));
        buf_add(&b, half, text_encode(0xdc00 + ((c - 0x10000) & 0x3ff), half));
    }
    return str_solid(buf_get(&b));
}

void text_align_halves(struct render *r, struct str *s, struct str *what)
{
    if (!r->halves || !has_half(*what))
        return;
    *s = taken_apart(r, *s);
    *what = taken_apart(r, *what);
}

struct str text_join_halves(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n;) {
        size_t n, m;
        char utf8[4];
        uint32_t c = text_decode(s, i, &n);
        if (n == 3 && c >= 0xd800 && c < 0xe000) {
            uint32_t low = c < 0xdc00 && i + 3 < s.n ? text_decode(s, i + 3, &m) : 0;
            bool pair = low >= 0xdc00 && low < 0xe000;
            c = pair ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            n = pair ? 6 : 3;
            buf_add(&b, utf8, text_encode(c, utf8));
        } else {
            buf_add(&b, s.p + i, n);
        }
        i += n;
    }
    return str_solid(buf_get(&b));
}

static struct str case_ascii(struct render *r, struct str s, enum text_case how)
{
    char *p = render_alloc(r, s.n);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (how == TEXT_UPPER)
            p[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        else
            p[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return (struct str){p, s.n};
}

/* Unicode's full mapping without a language, as toUpperCase and toLowerCase have it. */
struct str text_case(struct render *r, struct str s, enum text_case how)
{
    bool ascii = true;
    for (size_t i = 0; i < s.n && ascii; i++)
        ascii = (unsigned char)s.p[i] < 0x80;
    if (ascii)
        return case_ascii(r, s, how);
    if (!render_memory(r, (double)s.n * 11))
        return STR("");
    UChar *from = arena_alloc_raw(r->arena, (s.n + 1) * sizeof *from);
    UChar *to = arena_alloc_raw(r->arena, (s.n * 3 + 1) * sizeof *to);
    int32_t units = 0;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = text_decode(s, i, &n);
        if (c >= 0x10000)
            from[units++] = (UChar)(0xd800 + ((c - 0x10000) >> 10));
        from[units++] = (UChar)(c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c);
    }
    UErrorCode status = U_ZERO_ERROR;
    int32_t cap = (int32_t)(s.n * 3 + 1);
    int32_t n = how == TEXT_UPPER ? u_strToUpper(to, cap, from, units, "", &status) : u_strToLower(to, cap, from, units, "", &status);
    if (U_FAILURE(status) || n > cap)
        return s;
    char *out = render_alloc(r, (size_t)n * 3);
    size_t at = 0;
    for (int32_t i = 0; i < n; i++) {
        uint32_t c = to[i];
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < n && to[i + 1] >= 0xdc00 && to[i + 1] < 0xe000)
            c = 0x10000 + ((c - 0xd800) << 10) + (to[++i] - 0xdc00u);
        at += text_encode(c, out + at);
    }
    return (struct str){out, at};
}
