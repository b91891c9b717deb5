/* Character references: numeric ones with the standard's repairs, named ones by longest match in a sorted table. */
#include "content/html/entities.h"

struct entity {
    const char *name, *text;
};

static const struct entity entities[] = {
#include "content/html/entities.inc"
};

enum { ENTITIES_N = sizeof entities / sizeof *entities };

/* What browsers make of &#128; … &#159; (the standard's table in §13.2.5.80). */
static const uint16_t windows_1252[32] = {
    0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
};

size_t html_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static int digit_of(char c, unsigned base)
{
    int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    return d < (int)base ? d : -1;
}

static size_t numeric_decode(struct str s, size_t at, char out[HTML_ENTITY_MAX], size_t *out_n)
{
    size_t i = at + 2;
    bool hex = i < s.n && (s.p[i] == 'x' || s.p[i] == 'X');
    unsigned base = hex ? 16 : 10;
    uint32_t c = 0;
    i += hex;
    size_t digits = i;
    for (; i < s.n && digit_of(s.p[i], base) >= 0; i++)
        if (c <= 0x10ffff)
            c = c * base + (unsigned)digit_of(s.p[i], base);
    if (i == digits)
        return 0;
    if (i < s.n && s.p[i] == ';')
        i++;
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        c = 0xfffd;
    else if (c >= 0x80 && c < 0xa0)
        c = windows_1252[c - 0x80];
    *out_n = html_utf8(c, out);
    return i - at;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* First entry in [lo, hi) whose character at depth is not less than c. */
static size_t lower_bound(size_t lo, size_t hi, size_t depth, unsigned c)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((unsigned char)entities[mid].name[depth] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t html_entity_decode(struct str s, size_t at, bool in_attribute, char out[HTML_ENTITY_MAX], size_t *out_n)
{
    if (at + 1 >= s.n)
        return 0;
    if (s.p[at + 1] == '#')
        return numeric_decode(s, at, out, out_n);
    size_t lo = 0, hi = ENTITIES_N, depth = 0, found_n = 0;
    const struct entity *found = NULL;
    for (size_t i = at + 1; i < s.n && s.p[i] && lo < hi; i++, depth++) {
        unsigned c = (unsigned char)s.p[i];
        lo = lower_bound(lo, hi, depth, c);
        hi = lower_bound(lo, hi, depth, c + 1);
        if (lo < hi && !entities[lo].name[depth + 1]) {
            found = &entities[lo];
            found_n = depth + 1;
        }
    }
    if (!found)
        return 0;
    size_t end = at + 1 + found_n;
    if (in_attribute && s.p[end - 1] != ';' && end < s.n && (s.p[end] == '=' || is_alnum(s.p[end])))
        return 0;
    *out_n = strlen(found->text);
    memcpy(out, found->text, *out_n);
    return end - at;
}
