/* Finds {{t.key}} and puts a mark in its place that Liquid leaves alone. */
#include "content/translation_keys.h"

#include <unicode/uchar.h>

#include "content/liquid/liquid_private.h"

static size_t key_length(struct str s, size_t i)
{
    size_t from = i, n;
    for (; i < s.n; i += n) {
        uint32_t c = text_decode(s, i, &n);
        bool ok = c < 0x80 ? (c && strchr("_.-", (int)c)) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                           : (U_GET_GC_MASK((UChar32)c) & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
        if (!ok)
            break;
    }
    return i - from;
}

/* White space that a JSON text does not escape. */
static size_t skip_space(struct str s, size_t i)
{
    size_t n;
    while (i < s.n && (s.p[i] == ' ' || (unsigned char)s.p[i] >= 0x80) && (n = text_space(s, i)))
        i += n;
    return i;
}

/* The length of `{{ t.key }}` or `'t.key'` at i, and where its key is; 0 if it is something else. */
static size_t translation_at(struct str s, size_t i, struct str *key, bool *quoted)
{
    struct str rest = str_sub(s, i, s.n);
    *quoted = rest.n && rest.p[0] == '\'';
    if (!*quoted && !str_starts(rest, STR("{{")))
        return 0;
    size_t k = *quoted ? 1 : skip_space(rest, 2);
    if (!str_starts(str_sub(rest, k, rest.n), STR("t.")))
        return 0;
    k += 2;
    size_t n = key_length(rest, k);
    *key = str_sub(rest, k, k + n);
    k += n;
    if (!n)
        return 0;
    if (*quoted)
        return k < rest.n && rest.p[k] == '\'' ? k + 1 : 0;
    k = skip_space(rest, k);
    return str_starts(str_sub(rest, k, rest.n), STR("}}")) ? k + 2 : 0;
}

struct str translation_keys_protect(struct arena *a, struct str s)
{
    if (str_find(s, STR("t.")) < 0)
        return s;
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n;) {
        struct str key;
        bool quoted;
        size_t n = s.p[i] == '{' || s.p[i] == '\'' ? translation_at(s, i, &key, &quoted) : 0;
        if (!n) {
            buf_char(&b, s.p[i++]);
            continue;
        }
        buf_z(&b, quoted ? "'[T:" : "[T:");
        buf_str(&b, key);
        buf_z(&b, quoted ? "]'" : "]");
        i += n;
    }
    return str_solid(buf_get(&b));
}

struct str translation_keys_restore(struct arena *a, struct str s)
{
    if (!s.n || !memchr(s.p, '[', s.n) || str_find(s, STR("[T:")) < 0)
        return s;
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n;) {
        size_t n = str_starts(str_sub(s, i, s.n), STR("[T:")) ? key_length(s, i + 3) : 0;
        if (!n || i + 3 + n >= s.n || s.p[i + 3 + n] != ']') {
            buf_char(&b, s.p[i++]);
            continue;
        }
        buf_z(&b, "{{t.");
        buf_add(&b, s.p + i + 3, n);
        buf_z(&b, "}}");
        i += n + 4;
    }
    return str_solid(buf_get(&b));
}
