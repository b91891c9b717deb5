/* Strings as people write them: in any quotes or with one missing, with what should be escaped, put together by +. */
#include "content/json_repair_private.h"

#include <stdlib.h>

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
    while (i > 0 && is_space(repair_at(r, i)))
        i--;
    return i;
}

/* A quote with nothing but a delimiter behind it is the end itself. */
static bool next_quote_ends(const struct repair *r, size_t i)
{
    size_t n;
    repair_quote_at(r, i, &n);
    i += n;
    while (is_space(repair_at(r, i)))
        i++;
    return i >= r->text.n || is_delimiter(repair_at(r, i));
}

/* "a (b") c": the bracket behind the quote closes one inside of the text. */
static bool inside_bracket(struct repair *r, size_t from, size_t to, int c)
{
    int open = c == ')' ? '(' : c == ']' ? '[' : c == '}' ? '{' : 0, depth = 0;
    if (!open || !repair_spend(r, to - from))
        return false;
    for (size_t k = from; k < to; k++)
        depth += r->out.p[k] == open ? 1 : r->out.p[k] == c ? -1 : 0;
    return depth > 0;
}

/* "a" + "b" */
static void parse_concatenated(struct repair *r)
{
    repair_skip_blank(r, true);
    while (repair_here(r) == '+' && !r->failed) {
        r->i++;
        repair_skip_blank(r, true);
        repair_strip_last(r, '"', true);
        size_t start = r->out.n;
        if (++r->depth > JSON_DEPTH_MAX) {
            repair_fail(r, "Nested too deep");
        } else if (repair_string(r, false, SIZE_MAX)) {
            memmove(r->out.p + start, r->out.p + start + 1, r->out.n - start - 1);
            r->out.n--;
        } else {
            repair_insert_before_space(r, "\"");
        }
        r->depth--;
    }
}

bool repair_url_start(const struct repair *r, size_t from, size_t to)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", "mailto://", "file://", "data://", "irc://"};
    struct str s = str_sub(r->text, from, to);
    for (size_t k = 0; k < 7; k++)
        if (str_eqz(s, schemes[k]))
            return true;
    return false;
}

bool repair_url_character(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || (c > 0 && strchr("-._~:/?#@!$&'()*+;=", c));
}

static void copy_url(struct repair *r, size_t from)
{
    if (r->i > from && repair_at(r, r->i - 1) == ':' && repair_url_start(r, from, r->i + 2))
        while (repair_url_character(repair_here(r)))
            repair_copy(r, 1);
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool parse_escape(struct repair *r)
{
    int c = repair_at(r, r->i + 1);
    if (c > 0 && strchr("\"\\/bfnrt", c)) {
        repair_copy(r, 2);
    } else if (c == 'u') {
        size_t k = 2;
        while (k < 6 && is_hex(repair_at(r, r->i + k)))
            k++;
        if (k == 6) {
            repair_copy(r, 6);
        } else if (r->i + k >= r->text.n) {
            r->i = r->text.n;
        } else {
            struct str s = str_fmt(r->out.arena, "Invalid unicode character \"%.*s\"", STR_ARG(str_sub(r->text, r->i, r->i + 6)));
            return repair_fail(r, s.p);
        }
    } else if (c == '\n') {
        buf_z(&r->out, "\\n");
        r->i += 2;
    } else {
        r->i += c < 0 ? 2 : 1;      /* an escape that JSON does not know: the character stays */
        if (c >= 0) {
            size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
            repair_copy(r, n <= r->text.n - r->i ? n : r->text.n - r->i);
        }
    }
    return true;
}

static bool parse_character(struct repair *r)
{
    int c = repair_here(r);
    if (c == '\\')
        return parse_escape(r);
    if (c == '"' && repair_at(r, r->i - 1) != '\\') {
        buf_z(&r->out, "\\\"");
        r->i++;
    } else if (control_escape(c)) {
        buf_z(&r->out, control_escape(c));
        r->i++;
    } else if (c < 0x20) {
        return repair_fail_character(r, "Invalid character");
    } else {
        repair_copy(r, 1);
    }
    return true;
}

/* What to do with a quote that might end the text. */
enum end { END_YES, END_NO, END_AGAIN };

static enum end judge_end(struct repair *r, size_t out_start, size_t quote, bool stop_at_delimiter, size_t *stop_at)
{
    size_t written = r->out.n;
    repair_skip_blank(r, false);
    int c = repair_here(r);
    if (stop_at_delimiter || r->i >= r->text.n || (is_delimiter(c) && !inside_bracket(r, out_start, written, c)) ||
        (repair_is_quote(r, r->i) && !next_quote_ends(r, r->i)) || is_digit(c)) {
        parse_concatenated(r);
        return END_YES;
    }
    if (c == '\\') {
        repair_fail_character(r, "Unexpected character");
        return END_YES;
    }
    size_t before = previous(r, quote - 1);
    *stop_at = repair_at(r, before) == ',' ? before : SIZE_MAX;
    return is_delimiter(repair_at(r, before)) ? END_AGAIN : END_NO;
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
    bool escaped = repair_here(r) == '\\';
    if (escaped) {
        r->i++;
        if (!repair_is_quote(r, r->i))
            return repair_fail_character(r, "Unexpected character");
    }
    enum quote open = repair_quote_at(r, r->i, &quote_bytes);
    struct entity opener = repair_here(r) == '&' ? entity_at(r, r->i) : (struct entity){0};
    bool by_entity = opener.c == '"' || opener.c == '\'';
    if (open == NO_QUOTE && !by_entity)
        return false;
    size_t start = r->i, out_start = r->out.n;
    if (!repair_spend(r, 16))
        return false;
    buf_char(&r->out, '"');
    r->i += by_entity ? opener.bytes : quote_bytes;
    for (;;) {
        if (r->failed)
            return false;
        if (r->i >= r->text.n) {
            size_t last = previous(r, r->i - 1);
            if (!stop_at_delimiter && (last >= r->text.n || is_delimiter(repair_at(r, last)))) {
                return repair_spend(r, r->text.n - start) && read_again(r, start, out_start, true, SIZE_MAX, how);
            }
            repair_insert_before_space(r, "\"");
            return !r->failed;
        }
        if (r->i == stop_at) {
            repair_insert_before_space(r, "\"");
            return !r->failed;
        }
        struct entity e = by_entity && repair_here(r) == '&' ? entity_at(r, r->i) : (struct entity){0};
        size_t n;
        enum quote q = repair_quote_at(r, r->i, &n);
        bool end = e.bytes ? e.c == opener.c : q != NO_QUOTE && repair_closes(by_entity ? DOUBLE_LIKE : open, q);
        if (end) {
            size_t quote = r->i, written = r->out.n, again;
            buf_char(&r->out, '"');
            r->i += e.bytes ? e.bytes : n;
            enum end verdict = judge_end(r, out_start, quote, stop_at_delimiter, &again);
            if (verdict == END_YES)
                return !r->failed;
            if (verdict == END_AGAIN)
                return repair_spend(r, quote - start) && read_again(r, start, out_start, again == SIZE_MAX, again, how);
            r->out.n = written;
            buf_z(&r->out, "\\\"");
            r->i = quote + (e.bytes ? e.bytes : n);
        } else if (stop_at_delimiter && ends_unquoted(repair_here(r))) {
            copy_url(r, start + (by_entity ? 1 : quote_bytes));
            repair_insert_before_space(r, "\"");
            parse_concatenated(r);
            return !r->failed;
        } else if (e.bytes) {
            put_character(r, e.c);
            r->i += e.bytes;
        } else if (!parse_character(r)) {
            return false;
        }
        if (escaped)
            repair_skip(r, '\\');
    }
}

/* Each further reading is paid for (spend), so that a text which sends us back for ever ends, too. */
bool repair_string(struct repair *r, bool stop_at_delimiter, size_t stop_at)
{
    struct reading how = {stop_at_delimiter, stop_at, false};
    bool found;
    do
        found = read_string(r, &how);
    while (found && how.again);
    return found;
}
