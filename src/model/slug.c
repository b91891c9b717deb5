/* Slugs: readable names that carry an id in base 62. */
#include "model/workflow.h"

#include <unicode/utf8.h>

#include "model/slug_letters.inc"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
enum { SLUG_ID = 16 };          /* enough for ids made before the year 2051; later ones need a 17th digit */

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

/* The n-th of the words in text; empty: there are fewer. */
static struct str nth_word(const char *text, size_t n)
{
    const char *end;
    for (; (end = strchr(text, ' ')) && n; n--)
        text = end + 1;
    return n ? STR_NULL : (struct str){text, end ? (size_t)(end - text) : strlen(text)};
}

/* A character in Latin letters; what is none of them separates. */
static void add_latin(struct buf *b, uint32_t c)
{
    for (size_t i = 0; i < sizeof slug_nothing / sizeof *slug_nothing; i++)
        if (c >= slug_nothing[i].first && c <= slug_nothing[i].last)
            return;
    for (size_t i = sizeof slug_letters / sizeof *slug_letters; i-- > 0;)
        if (c >= slug_letters[i].first) {
            struct str latin = nth_word(slug_letters[i].latin, c - slug_letters[i].first);
            if (!str_eqz(latin, "."))
                buf_str(b, latin.n ? latin : STR("-"));
            return;
        }
    buf_char(b, '-');
}

static struct str to_latin(struct arena *a, struct str name)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < name.n;) {
        UChar32 c;
        U8_NEXT(name.p, i, name.n, c);
        if (c > 0 && c < 0x80 && is_word((char)c))
            buf_char(&b, (char)c);
        else
            add_latin(&b, (uint32_t)c);         /* -1: no UTF-8 */
    }
    return buf_finish(&b);
}

/* Does a word begin at i, inside of one? fooBar, ABC12, HTMLPage; APIs is one. */
static bool is_hump(struct str s, size_t i)
{
    char before = s.p[i - 1], at = s.p[i], after = i + 1 < s.n ? s.p[i + 1] : 0;
    if (is_upper(at))
        return is_lower(before) || is_digit(before) || (is_upper(before) && is_lower(after) && after != 's');
    return is_digit(at) && is_upper(before) && i > 1 && is_upper(s.p[i - 2]);
}

struct str slugify(struct arena *a, struct str name)
{
    struct str s = to_latin(a, name);
    struct buf b = {.arena = a};
    bool contracted = false;
    for (size_t i = 0, end; i < s.n; i = end) {
        end = i + 1;
        if (!is_word(s.p[i]))
            continue;
        while (end < s.n && is_word(s.p[end]) && !is_hump(s, end))
            end++;
        /* it's, don't: once a word */
        contracted = b.n && !contracted && end == i + 1 && strchr("stST", s.p[i]);
        if (b.n && !contracted)
            buf_char(&b, '-');
        for (; i < end; i++)
            buf_char(&b, (char)(is_upper(s.p[i]) ? s.p[i] + 32 : s.p[i]));
    }
    return buf_finish(&b);
}

struct str slug_make(struct arena *a, struct str name, const char *prefix, struct id id)
{
    char digits[SLUG_ID + 2];
    uint8_t n[12];
    memcpy(n, id.b, sizeof n);
    for (int d = SLUG_ID - 1; d >= 0; d--) {
        unsigned rest = 0;
        for (size_t i = 0; i < sizeof n; i++) {
            unsigned v = rest << 8 | n[i];
            n[i] = (uint8_t)(v / 62);
            rest = v % 62;
        }
        digits[d] = alphabet[rest];
    }
    struct str s = slugify(a, name);
    return str_fmt(a, "%.*s_%s%.*s", STR_ARG(s), prefix, SLUG_ID, digits);
}

bool slug_parse(struct str slug, const char *prefix, struct id *id)
{
    size_t plen = strlen(prefix);
    if (slug.n < SLUG_ID + plen + 2)
        return false;
    struct str tail = str_sub(slug, slug.n - SLUG_ID, slug.n);
    if (slug.p[slug.n - SLUG_ID - plen - 1] != '_' || memcmp(tail.p - plen, prefix, plen))
        return false;
    memset(id->b, 0, sizeof id->b);
    for (size_t i = 0; i < tail.n; i++) {
        const char *at = memchr(alphabet, tail.p[i], sizeof alphabet - 1);
        if (!at)
            return false;
        unsigned carry = (unsigned)(at - alphabet);
        for (size_t k = sizeof id->b; k-- > 0;) {
            unsigned v = id->b[k] * 62u + carry;
            id->b[k] = (uint8_t)v;
            carry = v >> 8;
        }
        if (carry)
            return false;
    }
    return true;
}
