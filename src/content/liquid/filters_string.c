/* Filters on text. */
#include "content/liquid/liquid_private.h"

#include <math.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

/* The text of a value; scanned once by the filter. */
static struct str text_of(struct render *r, struct value v)
{
    struct str s = value_to_str(r, v);
    render_scan(r, s.n);
    return s;
}

FILTER(append)
{
    if (args->n != 1)
        render_fail(r, "append expect 2 arguments");
    return value_str(filter_concat(r, text_of(r, in), text_of(r, filter_arg(args, 0))));
}

FILTER(prepend)
{
    if (args->n != 1)
        render_fail(r, "prepend expect 2 arguments");
    return value_str(filter_concat(r, text_of(r, filter_arg(args, 0)), text_of(r, in)));
}

/* Does the code point at s[i] occur in the set? *bytes is its length. */
static bool in_set(struct str s, size_t i, struct str set, size_t *bytes)
{
    uint32_t c = text_decode(s, i, bytes);
    for (size_t k = 0, n; k < set.n; k += n)
        if (text_decode(set, k, &n) == c)
            return true;
    return false;
}

static struct str trim_set(struct render *r, struct str s, struct str set, bool left, bool right)
{
    size_t from = 0, n;
    render_work(r, (double)s.n * (double)set.n / 64);
    while (left && !r->failed && from < s.n && in_set(s, from, set, &n))
        from += n;
    while (right && !r->failed && s.n > from) {
        size_t k = s.n - 1;
        while (k > from && ((unsigned char)s.p[k] & 0xc0) == 0x80)
            k--;
        if (!in_set(s, k, set, &n))
            break;
        s.n = k;
    }
    return str_sub(s, from, s.n);
}

static struct value strip_ends(struct render *r, struct value in, const struct filter_args *args, bool left, bool right)
{
    struct str s = text_of(r, in);
    struct value set = filter_arg(args, 0);
    if (value_js_truthy(set))
        return value_str(trim_set(r, s, value_to_str(r, set), left, right));
    if (left)
        s = text_trim_start(s);
    return value_str(right ? text_trim_end(s) : s);
}

FILTER(strip)
{
    return strip_ends(r, in, args, true, true);
}

FILTER(lstrip)
{
    return strip_ends(r, in, args, true, false);
}

FILTER(rstrip)
{
    return strip_ends(r, in, args, false, true);
}

FILTER(upcase)
{
    (void)args;
    return value_str(text_case(r, text_of(r, in), TEXT_UPPER));
}

FILTER(downcase)
{
    (void)args;
    return value_str(text_case(r, text_of(r, in), TEXT_LOWER));
}

/* The first UTF-16 unit up, the rest down: half of a surrogate pair has no case. */
FILTER(capitalize)
{
    size_t n;
    (void)args;
    struct str s = text_of(r, in);
    if (!s.n)
        return value_str(s);
    bool pair = text_decode(s, 0, &n) >= 0x10000;
    struct str head = str_sub(s, 0, n), tail = str_sub(s, n, s.n);
    return value_str(filter_concat(r, pair ? head : text_case(r, head, TEXT_UPPER), text_case(r, tail, TEXT_LOWER)));
}

FILTER(remove_all)
{
    return value_str(filter_replace(r, text_of(r, in), value_to_str(r, filter_arg(args, 0)), STR("")));
}

FILTER(replace)
{
    struct str what = value_to_str(r, filter_arg(args, 0)), with = value_to_str(r, filter_arg(args, 1));
    return value_str(filter_replace(r, text_of(r, in), what, with));
}

static ptrdiff_t find_last(struct str s, struct str what)
{
    for (size_t i = s.n >= what.n ? s.n - what.n + 1 : 0; i-- > 0;)
        if (!what.n || !memcmp(s.p + i, what.p, what.n))
            return (ptrdiff_t)i;
    return -1;
}

static struct value replace_one(struct render *r, struct value in, struct value pattern, struct str with, bool last)
{
    struct str s = text_of(r, in), what = value_to_str(r, pattern);
    text_align_halves(r, &s, &what);
    ptrdiff_t at = last ? find_last(s, what) : str_find(s, what);
    if (at < 0)
        return value_str(s);
    struct str head = filter_concat(r, str_sub(s, 0, (size_t)at), with);
    return value_str(filter_concat(r, head, str_sub(s, (size_t)at + what.n, s.n)));
}

FILTER(remove_first)
{
    return replace_one(r, in, filter_arg(args, 0), STR(""), false);
}

FILTER(remove_last)
{
    return replace_one(r, in, filter_arg(args, 0), STR(""), true);
}

FILTER(replace_first)
{
    return replace_one(r, in, filter_arg(args, 0), value_to_str(r, filter_arg(args, 1)), false);
}

FILTER(replace_last)
{
    return replace_one(r, in, filter_arg(args, 0), value_to_str(r, filter_arg(args, 1)), true);
}

static size_t split_units(struct render *r, struct str s, struct value *out)
{
    size_t k = 0;
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c = text_decode(s, i, &n);
        if (c < 0x10000) {
            out[k++] = value_str(str_sub(s, i, i + n));
            continue;
        }
        char *halves = arena_alloc_raw(r->arena, 8);
        r->halves = true;
        text_encode(0xd800 + ((c - 0x10000) >> 10), halves);
        text_encode(0xdc00 + ((c - 0x10000) & 0x3ff), halves + 3);
        out[k++] = value_str((struct str){halves, 3});
        out[k++] = value_str((struct str){halves + 3, 3});
    }
    return k;
}

/* Parts of a text; empty ones at the end are dropped, as Ruby does. */
FILTER(split)
{
    struct str s = text_of(r, in), by = value_to_str(r, filter_arg(args, 0)), rest;
    size_t n = 0, k = 0;
    struct value_array *a = render_alloc(r, sizeof *a);
    text_align_halves(r, &s, &by);
    rest = s;
    if (!by.n)
        for (size_t i = 0, bytes; i < s.n; i += bytes)
            n += text_decode(s, i, &bytes) < 0x10000 ? 1 : 2;
    else
        for (ptrdiff_t at = 0; at >= 0; n++) {
            at = str_find(rest, by);
            rest = at < 0 ? rest : str_sub(rest, (size_t)at + by.n, rest.n);
        }
    *a = (struct value_array){0};
    if (!render_memory(r, (double)n * (sizeof *a->v + (by.n ? 0 : 16))) || !render_work(r, (double)n / 16))
        return VALUE_UNDEFINED;
    a->v = arena_alloc_raw(r->arena, n * sizeof *a->v);
    if (!by.n) {
        k = split_units(r, s, a->v);
    } else {
        rest = s;
        for (ptrdiff_t at = 0; at >= 0;) {
            at = str_find(rest, by);
            a->v[k++] = value_str(at < 0 ? rest : str_sub(rest, 0, (size_t)at));
            rest = at < 0 ? rest : str_sub(rest, (size_t)at + by.n, rest.n);
        }
    }
    while (k && !a->v[k - 1].s.n)
        k--;
    a->n = k;
    return (struct value){.kind = V_ARRAY, .array = a};
}

/* Every run of white space becomes `with`. */
static struct str squeeze(struct render *r, struct str s, struct str with)
{
    struct buf b = {.arena = r->arena};
    size_t from = 0;
    if (!render_memory(r, (double)s.n * 2))
        return STR("");
    for (size_t i = 0; i < s.n;) {
        size_t k = i, n;
        while ((n = text_space(s, k)))
            k += n;
        if (k > i) {
            buf_add(&b, s.p + from, i - from);
            buf_str(&b, with);
            from = i = k;
        } else {
            text_decode(s, i, &n);
            i += n;
        }
    }
    buf_add(&b, s.p + from, s.n - from);
    return str_solid(buf_get(&b));
}

FILTER(normalize_whitespace)
{
    (void)args;
    return value_str(squeeze(r, text_of(r, in), STR(" ")));
}

FILTER(squish)
{
    (void)args;
    return value_str(text_trim_end(text_trim_start(squeeze(r, text_of(r, in), STR(" ")))));
}

FILTER(strip_newlines)
{
    (void)args;
    struct str s = text_of(r, in);
    return value_str(filter_replace(r, filter_replace(r, s, STR("\r\n"), STR("")), STR("\n"), STR("")));
}

FILTER(truncate)
{
    struct str s = text_of(r, in), more = value_to_str(r, filter_arg_or(args, 1, value_str(STR("..."))));
    double limit = value_number_js(r, filter_arg_or(args, 0, value_number(50)));
    if ((double)text_units(s) <= limit || text_advance(s, 0, limit) >= s.n)
        return in;
    double keep = limit - (double)text_points(more);
    return value_str(filter_concat(r, str_sub(s, 0, text_advance(s, 0, keep > 0 ? keep : 0)), more));
}

/* The words joined by one space, cut after `words`; the ellipsis also when there are exactly that many. */
FILTER(truncatewords)
{
    struct str s = text_trim_start(text_of(r, in)), more = value_to_str(r, filter_arg_or(args, 1, value_str(STR("..."))));
    double words = value_number_js(r, filter_arg_or(args, 0, value_number(15)));
    if (words <= 0)
        words = 1;
    struct str joined = squeeze(r, s, STR(" "));
    double count = 1, cut = isnan(words) ? 0 : floor(words);
    size_t end = joined.n;
    for (size_t i = 0; i < joined.n; i++) {
        if (joined.p[i] != ' ')
            continue;
        if (count == cut && end == joined.n)
            end = i;
        count++;
    }
    if (cut < 1)
        end = 0;
    struct str out = str_sub(joined, 0, end);
    return value_str(count >= words ? filter_concat(r, out, more) : out);
}

static bool is_cjk(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x3040 && c <= 0x30ff) || (c >= 0xac00 && c <= 0xd7af);
}

FILTER(number_of_words)
{
    struct str s = text_trim_end(text_trim_start(text_of(r, in))), mode = value_to_js(r, filter_arg(args, 0));
    double cjk = 0, other = 0, words = 0;
    bool in_other = false, in_word = false;
    for (size_t i = 0, n; i < s.n; i += n) {
        if ((n = text_space(s, i))) {
            in_other = in_word = false;
            continue;
        }
        bool c = is_cjk(text_decode(s, i, &n));
        cjk += c;
        other += !c && !in_other;
        words += !in_word;
        in_other = !c;
        in_word = true;
    }
    bool count_cjk = str_eq(mode, STR("cjk")) || (str_eq(mode, STR("auto")) && cjk);
    return value_number(count_cjk ? cjk + other : words);
}

FILTER(array_to_sentence_string)
{
    struct value_array a = value_elements(r, in);
    struct str connector = value_to_str(r, filter_arg_or(args, 0, value_str(STR("and"))));
    if (a.n == 0)
        return value_str(STR(""));
    if (a.n == 1)
        return a.v[0];
    struct buf b = {.arena = r->arena};
    buf_str(&b, a.n == 2 ? value_to_js(r, a.v[0]) : value_join(r, a.v, a.n - 1, STR(", ")));
    buf_z(&b, a.n == 2 ? " " : ", ");
    if (render_memory(r, (double)b.n + (double)connector.n))
        buf_str(&b, connector);
    buf_char(&b, ' ');
    buf_str(&b, value_to_js(r, a.v[a.n - 1]));
    render_memory(r, (double)b.cap);
    return value_str(buf_get(&b));
}

const struct liquid_filter liquid_filters_string[] = {
    {"append", append}, {"prepend", prepend}, {"strip", strip}, {"lstrip", lstrip}, {"rstrip", rstrip},
    {"upcase", upcase}, {"downcase", downcase}, {"capitalize", capitalize}, {"remove", remove_all},
    {"remove_first", remove_first}, {"remove_last", remove_last}, {"replace", replace},
    {"replace_first", replace_first}, {"replace_last", replace_last}, {"split", split},
    {"strip_newlines", strip_newlines}, {"squish", squish}, {"normalize_whitespace", normalize_whitespace},
    {"truncate", truncate}, {"truncatewords", truncatewords}, {"number_of_words", number_of_words},
    {"array_to_sentence_string", array_to_sentence_string}, {NULL, NULL},
};
