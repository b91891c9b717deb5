/* How the forgiving JSON reader looks at its text, mends what it wrote, and skips what means nothing. */
#include "content/json_repair_private.h"

/* ---- characters ---- */
bool repair_fail(struct repair *r, const char *what)
{
    size_t units = 0;
    if (r->failed)
        return false;
    r->failed = true;
    for (size_t k = 0; k < r->i && k < r->text.n; k++) {
        unsigned char c = (unsigned char)r->text.p[k];
        units += ((c & 0xc0) != 0x80) + (c >= 0xf0);
    }
    return error_set(r->err, ERROR_BAD_INPUT, "%s at position %zu", what, units);
}

bool repair_fail_character(struct repair *r, const char *what)
{
    struct buf b = {.arena = r->out.arena};
    int c = repair_here(r);
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    buf_z(&b, what);
    buf_char(&b, ' ');
    if (c < 0)
        buf_z(&b, "undefined");
    else
        json_quote(&b, str_sub(r->text, r->i, r->i + n));
    return repair_fail(r, buf_finish(&b).p);
}

bool repair_spend(struct repair *r, size_t n)
{
    r->work -= (int64_t)n + 1;
    return r->work >= 0 || repair_fail(r, "Too much to repair");
}

enum quote repair_quote_at(const struct repair *r, size_t i, size_t *bytes)
{
    int c = repair_at(r, i);
    *bytes = 1;
    if (c == '"')
        return DOUBLE;
    if (c == '\'')
        return SINGLE;
    if (c == '`')
        return SINGLE_LIKE;
    if (c == 0xc2 && repair_at(r, i + 1) == 0xb4) {
        *bytes = 2;
        return SINGLE_LIKE;
    }
    if (c == 0xe2 && repair_at(r, i + 1) == 0x80) {
        int x = repair_at(r, i + 2);
        *bytes = 3;
        return x == 0x9c || x == 0x9d ? DOUBLE_LIKE : x == 0x98 || x == 0x99 ? SINGLE_LIKE : NO_QUOTE;
    }
    return NO_QUOTE;
}

bool repair_is_quote(const struct repair *r, size_t i)
{
    size_t n;
    return repair_quote_at(r, i, &n) != NO_QUOTE;
}

bool repair_closes(enum quote open, enum quote q)
{
    switch (open) {
    case DOUBLE: return q == DOUBLE;
    case SINGLE: return q == SINGLE;
    case SINGLE_LIKE: return q == SINGLE || q == SINGLE_LIKE;
    default: return q == DOUBLE || q == DOUBLE_LIKE;
    }
}

bool repair_starts_value(const struct repair *r, size_t i)
{
    int c = repair_at(r, i);
    return repair_is_quote(r, i) || c == '[' || c == '{' || c == '-' || c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Unicode's spaces, which JSON does not know. */
static size_t special_space(const struct repair *r)
{
    int c = repair_here(r), x = repair_at(r, r->i + 1), y = repair_at(r, r->i + 2);
    if (c == 0xc2)
        return x == 0xa0 ? 2 : 0;
    bool found = (c == 0xe1 && x == 0xa0 && y == 0x8e) || (c == 0xe2 && x == 0x80 && ((y >= 0x80 && y <= 0x8b) || y == 0xaf)) ||
                 (c == 0xe2 && x == 0x81 && y == 0x9f) || (c == 0xe3 && x == 0x80 && y == 0x80) ||
                 (c == 0xef && x == 0xbb && y == 0xbf);
    return found ? 3 : 0;
}

/* ---- what was written ---- */
void repair_insert_at(struct repair *r, size_t where, const char *what)
{
    size_t n = strlen(what);
    repair_spend(r, r->out.n - where);
    buf_reserve(&r->out, n);
    memmove(r->out.p + where + n, r->out.p + where, r->out.n - where);
    memcpy(r->out.p + where, what, n);
    r->out.n += n;
}

void repair_insert_before_space(struct repair *r, const char *what)
{
    size_t k = r->out.n;
    while (k > 0 && is_space((unsigned char)r->out.p[k - 1]))
        k--;
    repair_insert_at(r, k, what);
}

void repair_strip_last(struct repair *r, char what, bool with_rest)
{
    for (size_t k = r->out.n; k-- > 0;) {
        if (r->out.p[k] != what)
            continue;
        repair_spend(r, r->out.n - k);
        memmove(r->out.p + k, r->out.p + k + 1, r->out.n - k - 1);
        r->out.n = with_rest ? k : r->out.n - 1;
        return;
    }
}

bool repair_ends_with_comma_or_newline(const struct repair *r)
{
    size_t k = r->out.n;
    while (k > 0 && (r->out.p[k - 1] == ' ' || r->out.p[k - 1] == '\t' || r->out.p[k - 1] == '\r'))
        k--;
    return (k > 0 && (r->out.p[k - 1] == ',' || r->out.p[k - 1] == '\n'));
}

void repair_copy(struct repair *r, size_t n)
{
    buf_add(&r->out, r->text.p + r->i, n);
    r->i += n;
}

/* ---- space, comments ---- */
static bool skip_space(struct repair *r, bool newlines)
{
    size_t from = r->i;
    for (size_t n;;) {
        int c = repair_here(r);
        if (is_space(c) && (newlines || c != '\n')) {
            repair_copy(r, 1);
        } else if (c >= 0xc2 && (n = special_space(r))) {
            buf_char(&r->out, ' ');
            r->i += n;
        } else {
            return r->i > from;
        }
    }
}

static bool skip_comment(struct repair *r)
{
    if (repair_here(r) != '/')
        return false;
    if (repair_at(r, r->i + 1) == '*') {
        while (r->i < r->text.n && !(repair_here(r) == '*' && repair_at(r, r->i + 1) == '/'))
            r->i++;
        r->i += 2;
        return true;
    }
    if (repair_at(r, r->i + 1) != '/')
        return false;
    while (r->i < r->text.n && repair_here(r) != '\n')
        r->i++;
    return true;
}

void repair_skip_blank(struct repair *r, bool newlines)
{
    skip_space(r, newlines);
    /* A comment right behind a comment is not skipped: so it is upstream. */
    while (skip_comment(r) && skip_space(r, newlines))
        ;
}

bool repair_take(struct repair *r, char c)
{
    if (repair_here(r) != c)
        return false;
    repair_copy(r, 1);
    return true;
}

bool repair_skip(struct repair *r, char c)
{
    if (repair_here(r) != c)
        return false;
    r->i++;
    return true;
}

void repair_skip_ellipsis(struct repair *r)
{
    repair_skip_blank(r, true);
    if (repair_here(r) != '.' || repair_at(r, r->i + 1) != '.' || repair_at(r, r->i + 2) != '.')
        return;
    r->i += 3;
    repair_skip_blank(r, true);
    repair_skip(r, ',');
}

/* ```json … ``` */
void repair_skip_fence(struct repair *r, const char *const fences[3])
{
    skip_space(r, true);
    for (int k = 0; k < 3; k++) {
        if (!str_starts(str_sub(r->text, r->i, r->text.n), str_of(fences[k])))
            continue;
        r->i += strlen(fences[k]);
        if (starts_name(repair_here(r)))
            while (in_name(repair_here(r)))
                r->i++;
        repair_skip_blank(r, true);
        return;
    }
}
