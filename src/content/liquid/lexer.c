/* Cuts a template into text, tags and outputs, as liquidjs' tokenizer does: all of it before anything is parsed. */
#include "content/liquid/liquid_private.h"

#include <stdarg.h>
#include <stdio.h>

static size_t units_of(unsigned char lead)
{
    return (lead & 0xc0) == 0x80 ? 0 : lead >= 0xf0 ? 2 : 1;
}

/* Line and column count from 1, columns in UTF-16 units. Of a message of several lines only the first is kept, and
 * the place is behind the last. */
void liquid_place(struct str source, size_t at, struct error *err)
{
    size_t line = 1, col = 1, n = strcspn(err->message, "\n");
    if (err->message[n]) {
        err->message[n] = 0;
        return;
    }
    for (size_t i = 0; i < at && i < source.n; i++) {
        if (source.p[i] == '\n') {
            line++;
            col = 1;
        } else {
            col += units_of((unsigned char)source.p[i]);
        }
    }
    char place[64];
    size_t k = (size_t)snprintf(place, sizeof place, ", line:%zu, col:%zu", line, col);
    if (n + k >= sizeof err->message)
        n = sizeof err->message - 1 - k;
    memcpy(err->message + n, place, k + 1);
}

bool lexer_fail(struct lexer *l, size_t at, const char *fmt, ...)
{
    if (l->failed)
        return false;
    l->failed = true;
    if (!l->err)
        return false;
    va_list ap;
    *l->err = (struct error){.code = ERROR_BAD_INPUT};
    va_start(ap, fmt);
    vsnprintf(l->err->message, sizeof l->err->message, fmt, ap);
    va_end(ap);
    liquid_place(l->source, at, l->err);
    return false;
}

/* The blanks of liquidjs' table: ASCII ones and Unicode's spaces, without U+FEFF. In a control's leaf the source was a
 * JSON text upstream: a line feed or tab is two ordinary characters there. */
size_t blank_at(struct str source, size_t p, size_t end)
{
    if (p >= end)
        return 0;
    unsigned char c = (unsigned char)source.p[p];
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    if (c == 0xc2 && p + 1 < end)
        return (unsigned char)source.p[p + 1] == 0xa0 ? 2 : 0;
    if ((c < 0xe1 || c > 0xe3) || p + 2 >= end)
        return 0;
    unsigned v = ((c & 15u) << 12) | (((unsigned char)source.p[p + 1] & 63u) << 6) | ((unsigned char)source.p[p + 2] & 63u);
    bool blank = v == 0x1680 || v == 0x180e || (v >= 0x2000 && v <= 0x200a) || v == 0x2028 || v == 0x2029 || v == 0x202f ||
                 v == 0x205f || v == 0x3000;
    return blank ? 3 : 0;
}

size_t word_at(struct str source, size_t p, size_t end)
{
    if (p >= end)
        return 0;
    unsigned char c = (unsigned char)source.p[p];
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '?';
    if (blank_at(source, p, end))
        return 0;
    if (c == 0xe2 && p + 2 < end && (unsigned char)source.p[p + 1] == 0x80 &&
        ((unsigned char)source.p[p + 2] == 0x9c || (unsigned char)source.p[p + 2] == 0x9d))
        return 0;       /* typographic double quotes count as punctuation */
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return p + n <= end ? n : end - p;
}

void lexer_skip_blank(struct lexer *l)
{
    size_t n;
    while ((n = blank_at(l->source, l->p, l->end)))
        l->p += n;
}

struct str lexer_identifier(struct lexer *l)
{
    lexer_skip_blank(l);
    size_t begin = l->p, n;
    while ((n = word_at(l->source, l->p, l->end)))
        l->p += n;
    return (struct str){l->source.p + begin, l->p - begin};
}

/* Is `what` what ends at p? */
static bool ends_with(const struct lexer *l, size_t p, const char *what)
{
    size_t n = strlen(what);
    return p >= n && p <= l->source.n && !memcmp(l->source.p + p - n, what, n);
}

bool lexer_read_to(struct lexer *l, const char *what)
{
    while (l->p < l->end) {
        l->p++;
        if (ends_with(l, l->p, what))
            return true;
    }
    return false;
}

struct str liquid_quote(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    buf_char(&b, '"');
    json_escape(&b, s);
    buf_char(&b, '"');
    return buf_get(&b);
}

/* At most 32 UTF-16 units, quoted; the cut may go through a surrogate pair. */
struct str lexer_snapshot(struct lexer *l, size_t from)
{
    if (from > l->end)
        from = l->end;
    struct str s = {l->source.p + from, l->end - from};
    size_t units = 0, cut = s.n, n;
    char half[4] = {0};
    for (size_t i = 0; i < s.n && units <= 32; i += n) {
        uint32_t c = text_decode(s, i, &n);
        size_t u = c < 0x10000 ? 1 : 2;
        if (cut == s.n && units + u > 29) {
            cut = i;
            if (units == 28)
                text_encode(0xd800 + ((c - 0x10000) >> 10), half);
        }
        units += u;
    }
    if (units > 32)
        s = str_fmt(l->arena, "%.*s%s...", (int)cut, s.p, half);
    return liquid_quote(l->arena, s);
}

static void skip_quoted(struct lexer *l)
{
    char quote = l->source.p[l->p++];
    bool escaped = false;
    while (l->p < l->end) {
        char c = l->source.p[l->p++];
        if (c == quote && !escaped)
            break;
        escaped = !escaped && c == '\\' && !l->leaf;
    }
}

static bool read_to_delimiter(struct lexer *l, const char *delimiter, bool quotes)
{
    lexer_skip_blank(l);
    while (l->p < l->end) {
        int c = lexer_peek(l, 0);
        if (quotes && (c == '"' || c == '\'')) {
            skip_quoted(l);
            continue;
        }
        l->p++;
        if (ends_with(l, l->p, delimiter))
            return true;
    }
    return false;
}

/* Sets p and content_end to what is between the delimiters, without its trim marks and blanks. */
static void token_content(const struct lexer *l, struct token *t, size_t from, size_t to)
{
    const char *s = l->source.p;
    t->trim_left = from < l->source.n && s[from] == '-';
    t->trim_right = to > 0 && to <= l->source.n && s[to - 1] == '-';
    size_t a = t->trim_left ? from + 1 : from, b = t->trim_right ? to - 1 : to, n;
    while (a < b && (n = blank_at(l->source, a, b)))
        a += n;
    while (b > a) {
        size_t k = b - 1;
        while (k > a && ((unsigned char)s[k] & 0xc0) == 0x80)
            k--;
        if (!blank_at(l->source, k, b))
            break;
        b = k;
    }
    t->p = (uint32_t)a;
    t->content_end = (uint32_t)b;
}

static bool tag_name(struct lexer *l, struct token *t, const char *complaint)
{
    struct lexer in = *l;
    in.p = t->p;
    in.end = t->content_end;
    lexer_skip_blank(&in);
    if (in.p < in.source.n && in.source.p[in.p] == '#') {
        t->name = (struct str){in.source.p + in.p, 1};
        in.p++;
    } else {
        t->name = lexer_identifier(&in);
    }
    if (!t->name.n)
        return lexer_fail(l, in.p, "%s", complaint);
    lexer_skip_blank(&in);
    t->p = (uint32_t)in.p;
    return true;
}

static bool delimited(struct lexer *l, struct token *t, size_t begin, size_t end)
{
    t->begin = (uint32_t)begin;
    t->end = t->text_end = (uint32_t)end;
    token_content(l, t, begin + 2, end - 2);
    return t->kind != TOKEN_TAG || tag_name(l, t, "illegal tag syntax, tag name expected");
}

static bool at_delimiter(const struct lexer *l, char second)
{
    return l->p + 1 < l->source.n && l->source.p[l->p] == '{' && l->source.p[l->p + 1] == second;
}

/* Inside of raw: the content up to {% endraw %}, or that tag itself. */
static bool raw_token(struct lexer *l, struct token *t, size_t *raw_begin)
{
    size_t begin = l->p;
    lexer_read_to(l, "{%");
    size_t left = l->p - 2;
    while (l->p < l->end) {
        if (!str_eq(lexer_identifier(l), STR("endraw"))) {
            lexer_read_to(l, "{%");
            left = l->p - 2;
            continue;
        }
        for (; l->p <= l->end; l->p++) {
            if (ends_with(l, l->p, "%}")) {
                if (begin == left) {
                    *raw_begin = SIZE_MAX;
                    t->kind = TOKEN_TAG;
                    return delimited(l, t, begin, l->p);
                }
                l->p = left;
                *t = (struct token){.kind = TOKEN_TEXT, .begin = (uint32_t)begin, .end = (uint32_t)left, .text_end = (uint32_t)left};
                return true;
            }
            if (ends_with(l, l->p, "{%"))
                break;
        }
    }
    struct str s = lexer_snapshot(l, *raw_begin);
    return lexer_fail(l, begin, "raw %.*s not closed", STR_ARG(s));
}

static bool next_token(struct lexer *l, struct token *t, size_t *raw_begin)
{
    size_t begin = l->p;
    *t = (struct token){.kind = TOKEN_TEXT, .begin = (uint32_t)begin};
    if (*raw_begin != SIZE_MAX)
        return raw_token(l, t, raw_begin);
    bool tag = at_delimiter(l, '%');
    if (tag || at_delimiter(l, '{')) {
        t->kind = tag ? TOKEN_TAG : TOKEN_OUTPUT;
        if (!read_to_delimiter(l, tag ? "%}" : "}}", !tag)) {
            struct str s = lexer_snapshot(l, begin);
            return lexer_fail(l, begin, "%s %.*s not closed", tag ? "tag" : "output", STR_ARG(s));
        }
        if (!delimited(l, t, begin, l->p))
            return false;
        if (tag && str_eq(t->name, STR("raw")))
            *raw_begin = begin;
        return true;
    }
    for (l->p++; l->p < l->end && !at_delimiter(l, '%') && !at_delimiter(l, '{'); l->p++) {
        const char *brace = memchr(l->source.p + l->p, '{', l->end - l->p);
        if (!brace) {
            l->p = l->end;
            break;
        }
        l->p = (size_t)(brace - l->source.p);
        if (at_delimiter(l, '%') || at_delimiter(l, '{'))
            break;
    }
    t->end = t->text_end = (uint32_t)l->p;
    return true;
}

static size_t trim_blank(const struct lexer *l, size_t p, size_t end)
{
    size_t n = blank_at(l->source, p, end);
    unsigned char c = n ? (unsigned char)l->source.p[p] : 0;
    return l->leaf && c >= 9 && c <= 13 ? 0 : n;
}

static void trim_end(const struct lexer *l, struct token *t)
{
    while (t->end > t->begin) {
        size_t k = t->end - 1;
        while (k > t->begin && ((unsigned char)l->source.p[k] & 0xc0) == 0x80)
            k--;
        if (!trim_blank(l, k, t->end))
            break;
        t->end = (uint32_t)k;
    }
}

static void trim_start(const struct lexer *l, struct token *t)
{
    size_t n;
    while (t->begin < t->end && (n = trim_blank(l, t->begin, t->end)))
        t->begin += (uint32_t)n;
}

/* {%- -%}: raw's content keeps its blanks. */
static void trim_tokens(const struct lexer *l, struct token *t, uint32_t n)
{
    bool raw = false;
    for (uint32_t i = 0; i < n; i++) {
        if (t[i].kind == TOKEN_TEXT)
            continue;
        if (!raw && t[i].trim_left && i && t[i - 1].kind == TOKEN_TEXT)
            trim_end(l, &t[i - 1]);
        if (t[i].kind == TOKEN_TAG && (str_eq(t[i].name, STR("raw")) || str_eq(t[i].name, STR("endraw"))))
            raw = t[i].name.n == 3;
        if (!raw && t[i].trim_right && i + 1 < n && t[i + 1].kind == TOKEN_TEXT)
            trim_start(l, &t[i + 1]);
    }
}

static struct token *token_new(struct lexer *l, struct token **v, uint32_t *n, uint32_t *cap)
{
    if (*n == *cap) {
        uint32_t more = *cap ? *cap * 2 : 16;
        *v = arena_grow(l->arena, *v, *cap * sizeof **v, more * sizeof **v);
        *cap = more;
    }
    return &(*v)[(*n)++];
}

bool lexer_tokens(struct lexer *l, struct token **out, uint32_t *n)
{
    uint32_t cap = 0;
    size_t raw_begin = SIZE_MAX;
    *out = NULL;
    *n = 0;
    while (l->p < l->end)
        if (!next_token(l, token_new(l, out, n, &cap), &raw_begin))
            return false;
    trim_tokens(l, *out, *n);
    return true;
}

/* The lines of {% liquid %}: a tag each. */
bool lexer_liquid_tokens(struct lexer *l, size_t from, size_t to, struct token **out, uint32_t *n)
{
    struct lexer in = *l;
    uint32_t cap = 0;
    in.p = from;
    in.end = to;
    *out = NULL;
    *n = 0;
    while (in.p < in.end) {
        lexer_skip_blank(&in);
        if (in.p >= in.end)
            break;
        struct token *t = token_new(l, out, n, &cap);
        *t = (struct token){.kind = TOKEN_TAG, .begin = (uint32_t)in.p};
        read_to_delimiter(&in, "\n", false);
        t->end = t->text_end = (uint32_t)in.p;
        token_content(&in, t, t->begin, t->end);
        t->trim_left = t->trim_right = false;
        if (!tag_name(&in, t, "illegal liquid tag syntax")) {
            l->failed = true;
            return false;
        }
    }
    return true;
}
