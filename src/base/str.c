/* Text helpers and the growing buffer. */
#include "base/str.h"

#include <stdio.h>

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool str_same_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    const char *hit = !s.n ? NULL : needle.n == 1 ? memchr(s.p, needle.p[0], s.n) : memmem(s.p, s.n, needle.p, needle.n);
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_find_nocase(struct str s, struct str needle)
{
    for (size_t i = 0; i + needle.n <= s.n; i++)
        if (str_eq_nocase((struct str){s.p + i, needle.n}, needle))
            return (ptrdiff_t)i;
    return -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    size_t i = negative;
    uint64_t v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        unsigned d = (unsigned)(s.p[i] - '0');
        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

struct str str_cut(struct str s, size_t n)
{
    if (s.n <= n)
        return s;
    while (n && (s.p[n] & 0xc0) == 0x80)
        n--;
    return str_sub(s, 0, n);
}

/* How many of the first n bytes are ASCII; eight at a time. */
static size_t ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t word; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080)
            break;
    }
    while (i < n && !(p[i] & 0x80))
        i++;
    return i;
}

size_t str_ascii(struct str s)
{
    return ascii_run(s.p, s.n);
}

bool str_is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    while (p < end) {
        if (*p < 0x80) {
            p += ascii_run((const char *)p, (size_t)(end - p));
            continue;
        }
        int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
        uint32_t c = *p & (0x3f >> more);
        if (*p < 0xc2 || *p > 0xf4 || end - p <= more)
            return false;
        for (int i = 1; i <= more; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i] & 0x3f);
        }
        if ((more == 2 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (more == 3 && (c < 0x10000 || c > 0x10ffff)))
            return false;
        p += more + 1;
    }
    return true;
}

struct str str_dup(struct arena *a, struct str s)
{
    return (struct str){arena_copy(a, s.p, s.n), s.n};
}

char *str_z(struct arena *a, struct str s)
{
    return arena_copy(a, s.p, s.n);
}

struct str str_vfmt(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    struct str s = {small, n < 0 ? 0 : (size_t)n};
    if (s.n < sizeof small) {
        s = str_dup(a, s);
    } else {
        char *p = arena_alloc_raw(a, s.n + 1);
        vsnprintf(p, s.n + 1, fmt, again);
        s.p = p;
    }
    va_end(again);
    return s;
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = str_vfmt(a, fmt, ap);
    va_end(ap);
    return s;
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->n + more;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap * 2 : 128;
    if (cap < need)
        cap = need;
    b->p = arena_grow(b->arena, b->p, b->n, cap);
    b->cap = cap;
}

char *str_digits(uint64_t n, char text[STR_DIGITS])
{
    char *at = text + STR_DIGITS - 1;
    *at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    return at;
}

void buf_int(struct buf *b, int64_t v)
{
    char text[STR_DIGITS];
    if (v >= 0 && v < 10) {
        buf_char(b, (char)('0' + v));
        return;
    }
    char *at = str_digits(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, text);
    if (v < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(text + STR_DIGITS - 1 - at));
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    buf_reserve(b, 64);
    va_start(ap, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= b->cap - b->n) {
        buf_reserve(b, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

struct str buf_finish(struct buf *b)
{
    buf_reserve(b, 1);
    b->p[b->n] = 0;
    return buf_get(b);
}
