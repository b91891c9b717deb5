/* Slugs: readable names that carry an id in base 62. */
#include "model/workflow.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
enum { SLUG_ID = 16 };          /* enough for ids made before the year 2051; later ones need a 17th digit */

struct str slugify(struct arena *a, struct str name)
{
    struct buf b = {.arena = a};
    bool gap = false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            if (gap && b.n)
                buf_char(&b, '-');
            gap = false;
            buf_char(&b, c);
        } else {
            gap = true;
        }
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
