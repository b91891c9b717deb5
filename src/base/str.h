/* Text as pointer and length, and a buffer that grows.
 *
 * A struct str never owns: it points into an arena, a row or a literal, and says nothing about a NUL after
 * it. The empty string may have p == NULL. Bytes are UTF-8 where the origin was checked (JSON bodies are).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_INIT(lit) {"" lit, sizeof(lit) - 1}      /* the same in a static initialiser */
#define STR_NULL ((struct str){NULL, 0})
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z) { return (struct str){z, z ? strlen(z) : 0}; }
/* memcmp(a, b, n) == 0 without a call for short ones: names of JSON members, which are compared all the time. */
static inline bool bytes_same(const char *a, const char *b, size_t n)
{
    uint64_t a0, b0, a1, b1;
    uint32_t c0, d0, c1, d1;
    if (n > 16)
        return !memcmp(a, b, n);
    if (n >= 8) {
        memcpy(&a0, a, 8), memcpy(&b0, b, 8), memcpy(&a1, a + n - 8, 8), memcpy(&b1, b + n - 8, 8);
        return a0 == b0 && a1 == b1;
    }
    if (n >= 4) {
        memcpy(&c0, a, 4), memcpy(&d0, b, 4), memcpy(&c1, a + n - 4, 4), memcpy(&d1, b + n - 4, 4);
        return c0 == d0 && c1 == d1;
    }
    return !n || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n)); }
static inline bool str_eqz(struct str a, const char *z) { return str_eq(a, str_of(z)); }
static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || !memcmp(s.p, prefix.p, prefix.n));
}
static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || !memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n));
}
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.n) to = s.n;
    if (from > to) from = to;
    return (struct str){from ? s.p + from : s.p, to - from};     /* no sums with a null pointer */
}

bool str_same_nocase(const char *a, const char *b, size_t n);
static inline bool str_eq_nocase(struct str a, struct str b)      /* ASCII letters only */
{
    return a.n == b.n && str_same_nocase(a.p, b.p, a.n);
}
int str_cmp(struct str a, struct str b);                  /* bytewise, then by length */
ptrdiff_t str_find(struct str s, struct str needle);      /* offset or -1 */
ptrdiff_t str_find_nocase(struct str s, struct str needle);     /* ASCII letters only */
struct str str_trim(struct str s);                        /* ASCII white space at both ends */
bool str_to_i64(struct str s, int64_t *out);              /* whole string, decimal; false if not */
bool str_is_utf8(struct str s);                           /* RFC 3629: no surrogates, nothing over-long */
size_t str_ascii(struct str s);                           /* how many bytes it begins with are ASCII */
struct str str_cut(struct str s, size_t n);               /* at most n bytes of UTF-8, no character in two */

struct str str_dup(struct arena *a, struct str s);        /* copy, NUL after it */
char *str_z(struct arena *a, struct str s);               /* copy as C string */
struct str str_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str str_vfmt(struct arena *a, const char *fmt, va_list ap);

/* A growing byte buffer inside an arena. Zero-initialise with its arena: struct buf b = {.arena = a}. */
struct buf {
    char *p;
    size_t n, cap;
    struct arena *arena;
};

void buf_reserve(struct buf *b, size_t more);
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (b->cap - b->n < n)
        buf_reserve(b, n);
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void buf_str(struct buf *b, struct str s) { buf_add(b, s.p, s.n); }
static inline void buf_z(struct buf *b, const char *z) { buf_add(b, z, strlen(z)); }
static inline void buf_char(struct buf *b, char c) { buf_add(b, &c, 1); }
/* Decimal, without printf: where the digits begin in text, which they end, with a NUL. */
enum { STR_DIGITS = 24 };
char *str_digits(uint64_t n, char text[STR_DIGITS]);
void buf_int(struct buf *b, int64_t v);                   /* the same, with a sign */
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What was written so far; stays valid until the buffer grows. */
static inline struct str buf_get(const struct buf *b) { return (struct str){b->p, b->n}; }
/* The same with a NUL behind it (not counted). */
struct str buf_finish(struct buf *b);

#endif
