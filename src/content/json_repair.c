/* A forgiving JSON reader that writes strict JSON while it goes. */
#include "content/json_repair.h"

#include <stdlib.h>

struct repair {
    struct str text;
    size_t i;
    struct buf out;
    struct error *err;
    bool failed;
    int depth;
    int64_t work;           /* left: counting brackets and starting strings anew is quadratic */
};

enum quote { NO_QUOTE, DOUBLE, DOUBLE_LIKE, SINGLE, SINGLE_LIKE };

static bool parse_value(struct repair *r);
static bool parse_string(struct repair *r, bool stop_at_delimiter, size_t stop_at);

/* ---- characters ---- */
static int at(const struct repair *r, size_t i)
{
    return i < r->text.n ? (unsigned char)r->text.p[i] : -1;
}

static int here(const struct repair *r)
{
    return at(r, r->i);
}

static bool fail(struct repair *r, const char *what)
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

static bool fail_character(struct repair *r, const char *what)
{
    struct buf b = {.arena = r->out.arena};
    int c = here(r);
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    buf_z(&b, what);
    buf_char(&b, ' ');
    if (c < 0)
        buf_z(&b, "undefined");
    else
        json_quote(&b, str_sub(r->text, r->i, r->i + n));
    return fail(r, buf_finish(&b).p);
}

static bool spend(struct repair *r, size_t n)
{
    r->work -= (int64_t)n + 1;
    return r->work >= 0 || fail(r, "Too much to repair");
}

static bool is_space(int c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_delimiter(int c)
{
    return c > 0 && strchr(",:[]/{}()\n+", c);
}

static bool ends_unquoted(int c)
{
    return c > 0 && strchr(",[]/{}\n+", c);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool starts_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool in_name(int c)
{
    return starts_name(c) || is_digit(c);
}

static enum quote quote_at(const struct repair *r, size_t i, size_t *bytes)
{
    int c = at(r, i);
    *bytes = 1;
    if (c == '"')
        return DOUBLE;
    if (c == '\'')
        return SINGLE;
    if (c == '`')
        return SINGLE_LIKE;
    if (c == 0xc2 && at(r, i + 1) == 0xb4) {
        *bytes = 2;
        return SINGLE_LIKE;
    }
    if (c == 0xe2 && at(r, i + 1) == 0x80) {
        int x = at(r, i + 2);
        *bytes = 3;
        return x == 0x9c || x == 0x9d ? DOUBLE_LIKE : x == 0x98 || x == 0x99 ? SINGLE_LIKE : NO_QUOTE;
    }
    return NO_QUOTE;
}

static bool is_quote(const struct repair *r, size_t i)
{
    size_t n;
    return quote_at(r, i, &n) != NO_QUOTE;
}

/* A text is closed by what opened it; typographic quotes by any of their sort. */
static bool closes(enum quote open, enum quote q)
{
    switch (open) {
    case DOUBLE: return q == DOUBLE;
    case SINGLE: return q == SINGLE;
    case SINGLE_LIKE: return q == SINGLE || q == SINGLE_LIKE;
    default: return q == DOUBLE || q == DOUBLE_LIKE;
    }
}

static bool starts_value(const struct repair *r, size_t i)
{
    int c = at(r, i);
    return is_quote(r, i) || c == '[' || c == '{' || c == '-' || c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Unicode's spaces, which JSON does not know. */
static size_t special_space(const struct repair *r)
{
    int c = here(r), x = at(r, r->i + 1), y = at(r, r->i + 2);
    if (c == 0xc2)
        return x == 0xa0 ? 2 : 0;
    bool found = (c == 0xe1 && x == 0xa0 && y == 0x8e) || (c == 0xe2 && x == 0x80 && ((y >= 0x80 && y <= 0x8b) || y == 0xaf)) ||
                 (c == 0xe2 && x == 0x81 && y == 0x9f) || (c == 0xe3 && x == 0x80 && y == 0x80) ||
                 (c == 0xef && x == 0xbb && y == 0xbf);
    return found ? 3 : 0;
}

/* ---- what was written ---- */
static void insert_at(struct repair *r, size_t where, const char *what)
{
    size_t n = strlen(what);
    spend(r, r->out.n - where);
    buf_reserve(&r->out, n);
    memmove(r->out.p + where + n, r->out.p + where, r->out.n - where);
    memcpy(r->out.p + where, what, n);
    r->out.n += n;
}

static void insert_before_space(struct repair *r, const char *what)
{
    size_t k = r->out.n;
    while (k > 0 && is_space((unsigned char)r->out.p[k - 1]))
        k--;
    insert_at(r, k, what);
}

static void strip_last(struct repair *r, char what, bool with_rest)
{
    for (size_t k = r->out.n; k-- > 0;) {
        if (r->out.p[k] != what)
            continue;
        spend(r, r->out.n - k);
        memmove(r->out.p + k, r->out.p + k + 1, r->out.n - k - 1);
        r->out.n = with_rest ? k : r->out.n - 1;
        return;
    }
}

static bool ends_with_comma_or_newline(const struct repair *r)
{
    size_t k = r->out.n;
    while (k > 0 && (r->out.p[k - 1] == ' ' || r->out.p[k - 1] == '\t' || r->out.p[k - 1] == '\r'))
        k--;
    return (k > 0 && (r->out.p[k - 1] == ',' || r->out.p[k - 1] == '\n'));
}

static void copy(struct repair *r, size_t n)
{
    buf_add(&r->out, r->text.p + r->i, n);
    r->i += n;
}

/* ---- space, comments ---- */
static bool skip_space(struct repair *r, bool newlines)
{
    size_t from = r->i;
    for (size_t n;;) {
        int c = here(r);
        if (is_space(c) && (newlines || c != '\n')) {
            copy(r, 1);
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
    if (here(r) != '/')
        return false;
    if (at(r, r->i + 1) == '*') {
        while (r->i < r->text.n && !(here(r) == '*' && at(r, r->i + 1) == '/'))
            r->i++;
        r->i += 2;
        return true;
    }
    if (at(r, r->i + 1) != '/')
        return false;
    while (r->i < r->text.n && here(r) != '\n')
        r->i++;
    return true;
}

static void skip_blank(struct repair *r, bool newlines)
{
    skip_space(r, newlines);
    /* A comment right behind a comment is not skipped: so it is upstream. */
    while (skip_comment(r) && skip_space(r, newlines))
        ;
}

static bool take(struct repair *r, char c)
{
    if (here(r) != c)
        return false;
    copy(r, 1);
    return true;
}

static bool skip(struct repair *r, char c)
{
    if (here(r) != c)
        return false;
    r->i++;
    return true;
}

static void skip_ellipsis(struct repair *r)
{
    skip_blank(r, true);
    if (here(r) != '.' || at(r, r->i + 1) != '.' || at(r, r->i + 2) != '.')
        return;
    r->i += 3;
    skip_blank(r, true);
    skip(r, ',');
}

/* ```json … ``` */
static void skip_fence(struct repair *r, const char *const fences[3])
{
    skip_space(r, true);
    for (int k = 0; k < 3; k++) {
        if (!str_starts(str_sub(r->text, r->i, r->text.n), str_of(fences[k])))
            continue;
        r->i += strlen(fences[k]);
        if (starts_name(here(r)))
            while (in_name(here(r)))
                r->i++;
        skip_blank(r, true);
        return;
    }
}

/* ---- objects and arrays ---- */
static bool parse_unquoted(struct repair *r, bool key);

static bool parse_member(struct repair *r)
{
    skip_blank(r, true);
    bool colon = take(r, ':'), cut = r->i >= r->text.n;
    if (!colon) {
        if (!starts_value(r, r->i) && !cut)
            return fail(r, "Colon expected");
        insert_before_space(r, ":");
    }
    if (parse_value(r))
        return true;
    if (r->failed)
        return false;
    if (!colon && !cut)
        return fail(r, "Colon expected");
    buf_z(&r->out, "null");
    return true;
}

static bool parse_object(struct repair *r)
{
    if (!take(r, '{'))
        return false;
    skip_blank(r, true);
    if (skip(r, ','))
        skip_blank(r, true);
    for (bool initial = true; !r->failed && r->i < r->text.n && here(r) != '}'; initial = false) {
        if (!initial) {
            if (!take(r, ','))
                insert_before_space(r, ",");
            skip_blank(r, true);
        }
        skip_ellipsis(r);
        if (!parse_string(r, false, SIZE_MAX) && !parse_unquoted(r, true)) {
            int c = here(r);
            if (r->failed || (c >= 0 && !strchr("{}[]", c)))
                return r->failed ? false : fail(r, "Object key expected");
            if (!initial)
                strip_last(r, ',', false);
            break;
        }
        if (r->failed || !parse_member(r))
            return false;
    }
    if (!take(r, '}'))
        insert_before_space(r, "}");
    return !r->failed;
}

static bool parse_array(struct repair *r)
{
    if (!take(r, '['))
        return false;
    skip_blank(r, true);
    if (skip(r, ','))
        skip_blank(r, true);
    for (bool initial = true; !r->failed && r->i < r->text.n && here(r) != ']'; initial = false) {
        if (!initial && !take(r, ','))
            insert_before_space(r, ",");
        skip_ellipsis(r);
        if (parse_value(r))
            continue;
        if (!initial)
            strip_last(r, ',', false);
        break;
    }
    if (!take(r, ']'))
        insert_before_space(r, "]");
    return !r->failed;
}

/* ---- strings ---- */
struct entity { size_t bytes; uint32_t c; };

/* &quot; and its kin; bytes 0 if there is none. */
static struct entity entity_at(const struct repair *r, size_t i)
{
    static const struct { struct str name; char c; } named[] = {
        {{"&quot;", 6}, '"'}, {{"&amp;", 5}, '&'}, {{"&lt;", 4}, '<'}, {{"&gt;", 4}, '>'}, {{"&apos;", 6}, '\''},
    };
    struct str s = str_sub(r->text, i, i + 12);
    ptrdiff_t end = s.n && s.p[0] == '&' ? str_find(s, STR(";")) : -1;
    for (size_t k = 0; end > 0 && k < 5; k++)
        if (str_starts(s, named[k].name))
            return (struct entity){named[k].name.n, (unsigned char)named[k].c};
    if (end < 3 || s.p[1] != '#')
        return (struct entity){0};
    bool hex = (s.p[2] | 32) == 'x';
    char digits[12] = {0}, *stop;
    memcpy(digits, s.p + 2 + hex, (size_t)end - 2 - hex);
    long code = strtol(digits, &stop, hex ? 16 : 10);
    if (stop == digits || code < 0 || code > 0x10ffff)
        return (struct entity){0};
    return (struct entity){(size_t)end + 1, (uint32_t)code};
}

static const char *control_escape(int c)
{
    switch (c) {
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

static void put_character(struct repair *r, uint32_t c)
{
    char utf8[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c == '"') {
        buf_z(&r->out, "\\\"");
    } else if (c < 0x20 && control_escape((int)c)) {
        buf_z(&r->out, control_escape((int)c));
    } else if (n == 1) {
        buf_char(&r->out, (char)c);
    } else {
        for (size_t k = n - 1; k > 0; k--, c >>= 6)
            utf8[k] = (char)(0x80 | (c & 63));
        utf8[0] = (char)(n == 2 ? 0xc0 | c : n == 3 ? 0xe0 | c : 0xf0 | c);
        buf_add(&r->out, utf8, n);
    }
}

static size_t previous(const struct repair *r, size_t i)
{
    while (i > 0 && is_space(at(r, i)))
        i--;
    return i;
}

/* A quote with nothing but a delimiter behind it is the end itself. */
static bool next_quote_ends(const struct repair *r, size_t i)
{
    size_t n;
    quote_at(r, i, &n);
    i += n;
    while (is_space(at(r, i)))
        i++;
    return i >= r->text.n || is_delimiter(at(r, i));
}

/* "a (b") c": the bracket behind the quote closes one inside of the text. */
static bool inside_bracket(struct repair *r, size_t from, size_t to, int c)
{
    int open = c == ')' ? '(' : c == ']' ? '[' : c == '}' ? '{' : 0, depth = 0;
    if (!open || !spend(r, to - from))
        return false;
    for (size_t k = from; k < to; k++)
        depth += r->out.p[k] == open ? 1 : r->out.p[k] == c ? -1 : 0;
    return depth > 0;
}

/* "a" + "b" */
static void parse_concatenated(struct repair *r)
{
    skip_blank(r, true);
    while (here(r) == '+' && !r->failed) {
        r->i++;
        skip_blank(r, true);
        strip_last(r, '"', true);
        size_t start = r->out.n;
        if (++r->depth > JSON_DEPTH_MAX) {
            fail(r, "Nested too deep");
        } else if (parse_string(r, false, SIZE_MAX)) {
            memmove(r->out.p + start, r->out.p + start + 1, r->out.n - start - 1);
            r->out.n--;
        } else {
            insert_before_space(r, "\"");
        }
        r->depth--;
    }
}

static bool url_start(const struct repair *r, size_t from, size_t to)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", "mailto://", "file://", "data://", "irc://"};
    struct str s = str_sub(r->text, from, to);
    for (size_t k = 0; k < 7; k++)
        if (str_eqz(s, schemes[k]))
            return true;
    return false;
}

static bool url_character(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || (c > 0 && strchr("-._~:/?#@!$&'()*+;=", c));
}

static void copy_url(struct repair *r, size_t from)
{
    if (r->i > from && at(r, r->i - 1) == ':' && url_start(r, from, r->i + 2))
        while (url_character(here(r)))
            copy(r, 1);
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool parse_escape(struct repair *r)
{
    int c = at(r, r->i + 1);
    if (c > 0 && strchr("\"\\/bfnrt", c)) {
        copy(r, 2);
    } else if (c == 'u') {
        size_t k = 2;
        while (k < 6 && is_hex(at(r, r->i + k)))
            k++;
        if (k == 6) {
            copy(r, 6);
        } else if (r->i + k >= r->text.n) {
            r->i = r->text.n;
        } else {
            struct str s = str_fmt(r->out.arena, "Invalid unicode character \"%.*s\"", STR_ARG(str_sub(r->text, r->i, r->i + 6)));
            return fail(r, s.p);
        }
    } else if (c == '\n') {
        buf_z(&r->out, "\\n");
        r->i += 2;
    } else {
        r->i += c < 0 ? 2 : 1;      /* an escape that JSON does not know: the character stays */
        if (c >= 0) {
            size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
            copy(r, n <= r->text.n - r->i ? n : r->text.n - r->i);
        }
    }
    return true;
}

static bool parse_character(struct repair *r)
{
    int c = here(r);
    if (c == '\\')
        return parse_escape(r);
    if (c == '"' && at(r, r->i - 1) != '\\') {
        buf_z(&r->out, "\\\"");
        r->i++;
    } else if (control_escape(c)) {
        buf_z(&r->out, control_escape(c));
        r->i++;
    } else if (c < 0x20) {
        return fail_character(r, "Invalid character");
    } else {
        copy(r, 1);
    }
    return true;
}

/* What to do with a quote that might end the text. */
enum end { END_YES, END_NO, END_AGAIN };

static enum end judge_end(struct repair *r, size_t out_start, size_t quote, bool stop_at_delimiter, size_t *stop_at)
{
    size_t written = r->out.n;
    skip_blank(r, false);
    int c = here(r);
    if (stop_at_delimiter || r->i >= r->text.n || (is_delimiter(c) && !inside_bracket(r, out_start, written, c)) ||
        (is_quote(r, r->i) && !next_quote_ends(r, r->i)) || is_digit(c)) {
        parse_concatenated(r);
        return END_YES;
    }
    if (c == '\\') {
        fail_character(r, "Unexpected character");
        return END_YES;
    }
    size_t before = previous(r, quote - 1);
    *stop_at = at(r, before) == ',' ? before : SIZE_MAX;
    return is_delimiter(at(r, before)) ? END_AGAIN : END_NO;
}

/* How a text is read: where it ends if no quote does. */
struct reading {
    bool stop_at_delimiter;
    size_t stop_at;
    bool again;                 /* out: the text must be read once more, in this way */
};

/* Goes back to the text's opening quote, to read it in another way. */
static bool read_again(struct repair *r, size_t start, size_t out_start, bool stop_at_delimiter, size_t stop_at,
                       struct reading *how)
{
    r->i = start;
    r->out.n = out_start;
    *how = (struct reading){stop_at_delimiter, stop_at, true};
    return true;
}

static bool read_string(struct repair *r, struct reading *how)
{
    const bool stop_at_delimiter = how->stop_at_delimiter;
    const size_t stop_at = how->stop_at;
    size_t quote_bytes;
    how->again = false;
    bool escaped = here(r) == '\\';
    if (escaped) {
        r->i++;
        if (!is_quote(r, r->i))
            return fail_character(r, "Unexpected character");
    }
    enum quote open = quote_at(r, r->i, &quote_bytes);
    struct entity opener = here(r) == '&' ? entity_at(r, r->i) : (struct entity){0};
    bool by_entity = opener.c == '"' || opener.c == '\'';
    if (open == NO_QUOTE && !by_entity)
        return false;
    size_t start = r->i, out_start = r->out.n;
    if (!spend(r, 16))
        return false;
    buf_char(&r->out, '"');
    r->i += by_entity ? opener.bytes : quote_bytes;
    for (;;) {
        if (r->failed)
            return false;
        if (r->i >= r->text.n) {
            size_t last = previous(r, r->i - 1);
            if (!stop_at_delimiter && (last >= r->text.n || is_delimiter(at(r, last)))) {
                return spend(r, r->text.n - start) && read_again(r, start, out_start, true, SIZE_MAX, how);
            }
            insert_before_space(r, "\"");
            return !r->failed;
        }
        if (r->i == stop_at) {
            insert_before_space(r, "\"");
            return !r->failed;
        }
        struct entity e = by_entity && here(r) == '&' ? entity_at(r, r->i) : (struct entity){0};
        size_t n;
        enum quote q = quote_at(r, r->i, &n);
        bool end = e.bytes ? e.c == opener.c : q != NO_QUOTE && closes(by_entity ? DOUBLE_LIKE : open, q);
        if (end) {
            size_t quote = r->i, written = r->out.n, again;
            buf_char(&r->out, '"');
            r->i += e.bytes ? e.bytes : n;
            enum end verdict = judge_end(r, out_start, quote, stop_at_delimiter, &again);
            if (verdict == END_YES)
                return !r->failed;
            if (verdict == END_AGAIN)
                return spend(r, quote - start) && read_again(r, start, out_start, again == SIZE_MAX, again, how);
            r->out.n = written;
            buf_z(&r->out, "\\\"");
            r->i = quote + (e.bytes ? e.bytes : n);
        } else if (stop_at_delimiter && ends_unquoted(here(r))) {
            copy_url(r, start + (by_entity ? 1 : quote_bytes));
            insert_before_space(r, "\"");
            parse_concatenated(r);
            return !r->failed;
        } else if (e.bytes) {
            put_character(r, e.c);
            r->i += e.bytes;
        } else if (!parse_character(r)) {
            return false;
        }
        if (escaped)
            skip(r, '\\');
    }
}

/* Each further reading is paid for (spend), so that a text which sends us back for ever ends, too. */
static bool parse_string(struct repair *r, bool stop_at_delimiter, size_t stop_at)
{
    struct reading how = {stop_at_delimiter, stop_at, false};
    bool found;
    do
        found = read_string(r, &how);
    while (found && how.again);
    return found;
}

/* ---- numbers, words ---- */
static bool ends_number(const struct repair *r)
{
    int c = here(r);
    return r->i >= r->text.n || is_delimiter(c) || is_space(c);
}

static void copy_digits(struct repair *r, struct buf *b)
{
    while (is_digit(here(r)))
        buf_char(b, (char)at(r, r->i++));
}

static bool parse_number(struct repair *r)
{
    size_t start = r->i;
    struct buf b = {.arena = r->out.arena};
    bool invalid = false;
    if (!is_digit(here(r)) && here(r) != '-' && here(r) != '.')
        return false;
    if (here(r) == '-') {
        buf_char(&b, '-');
        r->i++;
        if (!is_digit(here(r)) && ends_number(r))
            buf_char(&b, '0');
    }
    if (here(r) == '0' && is_digit(at(r, r->i + 1)))
        invalid = true;
    copy_digits(r, &b);
    if (here(r) == '.') {
        if (b.n == 0 || (b.n == 1 && b.p[0] == '-'))
            buf_char(&b, '0');
        buf_char(&b, '.');
        r->i++;
        if (!is_digit(here(r)))
            buf_char(&b, '0');
        copy_digits(r, &b);
    }
    if (r->i > start && (here(r) == 'e' || here(r) == 'E')) {
        invalid |= b.n == 1 && b.p[0] == '-';
        buf_char(&b, (char)at(r, r->i++));
        if (here(r) == '-' || here(r) == '+')
            buf_char(&b, (char)at(r, r->i++));
        if (!is_digit(here(r)))
            buf_char(&b, '0');
        copy_digits(r, &b);
    }
    if (!ends_number(r)) {
        r->i = start;
        return false;
    }
    if (invalid)
        json_quote(&r->out, str_sub(r->text, start, r->i));
    else
        buf_str(&r->out, buf_get(&b));
    return true;
}

static bool parse_keyword(struct repair *r)
{
    static const char *const words[][2] = {{"true", "true"}, {"false", "false"}, {"null", "null"},
                                           {"True", "true"}, {"False", "false"}, {"None", "null"}};
    for (size_t k = 0; k < 6; k++) {
        size_t n = strlen(words[k][0]);
        if (str_starts(str_sub(r->text, r->i, r->text.n), str_of(words[k][0])) && !in_name(at(r, r->i + n))) {
            buf_z(&r->out, words[k][1]);
            r->i += n;
            return true;
        }
    }
    return false;
}

/* callback({…}), NumberLong("2"): the argument stays. */
static bool parse_call(struct repair *r)
{
    if (!starts_name(here(r)))
        return false;
    size_t start = r->i, k;
    while (in_name(here(r)))
        r->i++;
    for (k = r->i; is_space(at(r, k)); k++)
        ;
    if (at(r, k) != '(') {
        r->i = start;
        return false;
    }
    r->i = k + 1;
    parse_value(r);
    if (skip(r, ')'))
        skip(r, ';');
    return true;
}

static bool parse_unquoted(struct repair *r, bool key)
{
    size_t start = r->i;
    if (r->failed)
        return false;
    if (parse_call(r))
        return !r->failed;
    while (r->i < r->text.n && !ends_unquoted(here(r)) && !is_quote(r, r->i) && !(key && here(r) == ':'))
        r->i++;
    if (r->i > start && at(r, r->i - 1) == ':' && url_start(r, start, r->i + 2))
        while (url_character(here(r)))
            r->i++;
    if (r->i == start)
        return false;
    while (r->i > 0 && is_space(at(r, r->i - 1)))
        r->i--;
    struct str word = str_sub(r->text, start, r->i);
    if (str_eq(word, STR("undefined")))
        buf_z(&r->out, "null");
    else
        json_quote(&r->out, word);
    skip(r, '"');
    return true;
}

static bool parse_regex(struct repair *r)
{
    size_t start = r->i;
    if (here(r) != '/')
        return false;
    for (r->i++; r->i < r->text.n && (here(r) != '/' || at(r, r->i - 1) == '\\');)
        r->i++;
    r->i++;
    json_quote(&r->out, str_sub(r->text, start, r->i));
    return true;
}

static bool parse_value(struct repair *r)
{
    if (++r->depth > JSON_DEPTH_MAX)
        return fail(r, "Nested too deep");
    skip_blank(r, true);
    bool found = parse_object(r) || (!r->failed && parse_array(r)) || (!r->failed && parse_string(r, false, SIZE_MAX)) ||
                 (!r->failed && (parse_number(r) || parse_keyword(r) || parse_unquoted(r, false))) ||
                 (!r->failed && parse_regex(r));
    skip_blank(r, true);
    r->depth--;
    return found && !r->failed;
}

/* Documents one behind the other become an array. */
static void parse_lines(struct repair *r)
{
    for (bool initial = true;; initial = false) {
        if (!initial && !take(r, ','))
            insert_before_space(r, ",");
        if (!parse_value(r))
            break;
    }
    strip_last(r, ',', false);
    insert_at(r, 0, "[\n");
    buf_z(&r->out, "\n]");
}

bool json_repair(struct arena *a, struct str text, struct str *out, struct error *err)
{
    static const char *const opening[3] = {"```", "[```", "{```"}, *const closing[3] = {"```", "```]", "```}"};
    struct repair r = {.text = text, .out = {.arena = a}, .err = err, .work = 1000000 + (int64_t)text.n * 64};
    skip_fence(&r, opening);
    if (!parse_value(&r)) {
        r.i = text.n;
        return fail(&r, "Unexpected end of json string");
    }
    skip_fence(&r, closing);
    bool comma = take(&r, ',');
    if (comma)
        skip_blank(&r, true);
    if (starts_value(&r, r.i) && ends_with_comma_or_newline(&r)) {
        if (!comma)
            insert_before_space(&r, ",");
        parse_lines(&r);
    } else if (comma) {
        strip_last(&r, ',', false);
    }
    while (!r.failed && (here(&r) == '}' || here(&r) == ']')) {
        r.i++;
        skip_blank(&r, true);
    }
    if (r.failed || r.i < text.n)
        return fail_character(&r, "Unexpected character");
    *out = buf_get(&r.out);
    return true;
}
