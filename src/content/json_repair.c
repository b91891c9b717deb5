/* A forgiving JSON reader that writes strict JSON while it goes. */
#include "content/json_repair_private.h"

static bool parse_value(struct repair *r);

/* ---- objects and arrays ---- */
static bool parse_unquoted(struct repair *r, bool key);

static bool parse_member(struct repair *r)
{
    repair_skip_blank(r, true);
    bool colon = repair_take(r, ':'), cut = r->i >= r->text.n;
    if (!colon) {
        if (!repair_starts_value(r, r->i) && !cut)
            return repair_fail(r, "Colon expected");
        repair_insert_before_space(r, ":");
    }
    if (parse_value(r))
        return true;
    if (r->failed)
        return false;
    if (!colon && !cut)
        return repair_fail(r, "Colon expected");
    buf_z(&r->out, "null");
    return true;
}

static bool parse_object(struct repair *r)
{
    if (!repair_take(r, '{'))
        return false;
    repair_skip_blank(r, true);
    if (repair_skip(r, ','))
        repair_skip_blank(r, true);
    for (bool initial = true; !r->failed && r->i < r->text.n && repair_here(r) != '}'; initial = false) {
        if (!initial) {
            if (!repair_take(r, ','))
                repair_insert_before_space(r, ",");
            repair_skip_blank(r, true);
        }
        repair_skip_ellipsis(r);
        if (!repair_string(r, false, SIZE_MAX) && !parse_unquoted(r, true)) {
            int c = repair_here(r);
            if (r->failed || (c >= 0 && !strchr("{}[]", c)))
                return r->failed ? false : repair_fail(r, "Object key expected");
            if (!initial)
                repair_strip_last(r, ',', false);
            break;
        }
        if (r->failed || !parse_member(r))
            return false;
    }
    if (!repair_take(r, '}'))
        repair_insert_before_space(r, "}");
    return !r->failed;
}

static bool parse_array(struct repair *r)
{
    if (!repair_take(r, '['))
        return false;
    repair_skip_blank(r, true);
    if (repair_skip(r, ','))
        repair_skip_blank(r, true);
    for (bool initial = true; !r->failed && r->i < r->text.n && repair_here(r) != ']'; initial = false) {
        if (!initial && !repair_take(r, ','))
            repair_insert_before_space(r, ",");
        repair_skip_ellipsis(r);
        if (parse_value(r))
            continue;
        if (!initial)
            repair_strip_last(r, ',', false);
        break;
    }
    if (!repair_take(r, ']'))
        repair_insert_before_space(r, "]");
    return !r->failed;
}

/* ---- numbers, words ---- */
static bool ends_number(const struct repair *r)
{
    int c = repair_here(r);
    return r->i >= r->text.n || is_delimiter(c) || is_space(c);
}

static void copy_digits(struct repair *r, struct buf *b)
{
    while (is_digit(repair_here(r)))
        buf_char(b, (char)repair_at(r, r->i++));
}

static bool parse_number(struct repair *r)
{
    size_t start = r->i;
    struct buf b = {.arena = r->out.arena};
    bool invalid = false;
    if (!is_digit(repair_here(r)) && repair_here(r) != '-' && repair_here(r) != '.')
        return false;
    if (repair_here(r) == '-') {
        buf_char(&b, '-');
        r->i++;
        if (!is_digit(repair_here(r)) && ends_number(r))
            buf_char(&b, '0');
    }
    if (repair_here(r) == '0' && is_digit(repair_at(r, r->i + 1)))
        invalid = true;
    copy_digits(r, &b);
    if (repair_here(r) == '.') {
        if (b.n == 0 || (b.n == 1 && b.p[0] == '-'))
            buf_char(&b, '0');
        buf_char(&b, '.');
        r->i++;
        if (!is_digit(repair_here(r)))
            buf_char(&b, '0');
        copy_digits(r, &b);
    }
    if (r->i > start && (repair_here(r) == 'e' || repair_here(r) == 'E')) {
        invalid |= b.n == 1 && b.p[0] == '-';
        buf_char(&b, (char)repair_at(r, r->i++));
        if (repair_here(r) == '-' || repair_here(r) == '+')
            buf_char(&b, (char)repair_at(r, r->i++));
        if (!is_digit(repair_here(r)))
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
        if (str_starts(str_sub(r->text, r->i, r->text.n), str_of(words[k][0])) && !in_name(repair_at(r, r->i + n))) {
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
    if (!starts_name(repair_here(r)))
        return false;
    size_t start = r->i, k;
    while (in_name(repair_here(r)))
        r->i++;
    for (k = r->i; is_space(repair_at(r, k)); k++)
        ;
    if (repair_at(r, k) != '(') {
        r->i = start;
        return false;
    }
    r->i = k + 1;
    parse_value(r);
    if (repair_skip(r, ')'))
        repair_skip(r, ';');
    return true;
}

static bool parse_unquoted(struct repair *r, bool key)
{
    size_t start = r->i;
    if (r->failed)
        return false;
    if (parse_call(r))
        return !r->failed;
    while (r->i < r->text.n && !ends_unquoted(repair_here(r)) && !repair_is_quote(r, r->i) && !(key && repair_here(r) == ':'))
        r->i++;
    if (r->i > start && repair_at(r, r->i - 1) == ':' && repair_url_start(r, start, r->i + 2))
        while (repair_url_character(repair_here(r)))
            r->i++;
    if (r->i == start)
        return false;
    while (r->i > 0 && is_space(repair_at(r, r->i - 1)))
        r->i--;
    struct str word = str_sub(r->text, start, r->i);
    if (str_eq(word, STR("undefined")))
        buf_z(&r->out, "null");
    else
        json_quote(&r->out, word);
    repair_skip(r, '"');
    return true;
}

static bool parse_regex(struct repair *r)
{
    size_t start = r->i;
    if (repair_here(r) != '/')
        return false;
    for (r->i++; r->i < r->text.n && (repair_here(r) != '/' || repair_at(r, r->i - 1) == '\\');)
        r->i++;
    r->i++;
    json_quote(&r->out, str_sub(r->text, start, r->i));
    return true;
}

static bool parse_value(struct repair *r)
{
    if (++r->depth > JSON_DEPTH_MAX)
        return repair_fail(r, "Nested too deep");
    repair_skip_blank(r, true);
    bool found = parse_object(r) || (!r->failed && parse_array(r)) || (!r->failed && repair_string(r, false, SIZE_MAX)) ||
                 (!r->failed && (parse_number(r) || parse_keyword(r) || parse_unquoted(r, false))) ||
                 (!r->failed && parse_regex(r));
    repair_skip_blank(r, true);
    r->depth--;
    return found && !r->failed;
}

/* Documents one behind the other become an array. */
static void parse_lines(struct repair *r)
{
    for (bool initial = true;; initial = false) {
        if (!initial && !repair_take(r, ','))
            repair_insert_before_space(r, ",");
        if (!parse_value(r))
            break;
    }
    repair_strip_last(r, ',', false);
    repair_insert_at(r, 0, "[\n");
    buf_z(&r->out, "\n]");
}

bool json_repair(struct arena *a, struct str text, struct str *out, struct error *err)
{
    static const char *const opening[3] = {"```", "[```", "{```"}, *const closing[3] = {"```", "```]", "```}"};
    struct repair r = {.text = text, .out = {.arena = a}, .err = err, .work = 1000000 + (int64_t)text.n * 64};
    repair_skip_fence(&r, opening);
    if (!parse_value(&r)) {
        r.i = text.n;
        return repair_fail(&r, "Unexpected end of json string");
    }
    repair_skip_fence(&r, closing);
    bool comma = repair_take(&r, ',');
    if (comma)
        repair_skip_blank(&r, true);
    if (repair_starts_value(&r, r.i) && repair_ends_with_comma_or_newline(&r)) {
        if (!comma)
            repair_insert_before_space(&r, ",");
        parse_lines(&r);
    } else if (comma) {
        repair_strip_last(&r, ',', false);
    }
    while (!r.failed && (repair_here(&r) == '}' || repair_here(&r) == ']')) {
        r.i++;
        repair_skip_blank(&r, true);
    }
    if (r.failed || r.i < text.n)
        return repair_fail_character(&r, "Unexpected character");
    *out = buf_get(&r.out);
    return true;
}
