/* Regular expressions of ECMA-262 (with the u flag), translated for PCRE2 and matched within limits. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "content/jsonschema/plain_pattern.h"
#include "content/jsonschema/schema.h"

enum { MATCH_LIMIT_LEAST = 5000, MATCH_LIMIT_MOST = 200000, HEAP_LIMIT_KIB = 2048, PATTERN_MAX = 4096 };

struct regex {
    pcre2_code *code;
    const struct plain_pattern *plain;      /* does without; or NULL */
};

static void *regex_alloc(size_t n, void *arena)
{
    return arena_alloc_raw(arena, n);
}

static void regex_free(void *p, void *arena)
{
    (void)p;
    (void)arena;
}

struct translation {
    struct str s;
    size_t at;
    struct buf out;
    bool in_class, may_repeat;
};

/* White space and line ends of ECMA-262, as members of a class. */
#define JS_SPACE "\\t\\n\\x{0B}\\f\\r \\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{FEFF}"

static const struct {
    const char *name, *category;
} categories[] = {
    {"Letter", "L"}, {"Lowercase_Letter", "Ll"}, {"Uppercase_Letter", "Lu"}, {"Titlecase_Letter", "Lt"}, {"Cased_Letter", "L&"},
    {"Modifier_Letter", "Lm"}, {"Other_Letter", "Lo"}, {"Mark", "M"}, {"Number", "N"}, {"Decimal_Number", "Nd"}, {"digit", "Nd"},
    {"Letter_Number", "Nl"}, {"Other_Number", "No"}, {"Punctuation", "P"}, {"punct", "P"}, {"Symbol", "S"}, {"Separator", "Z"},
    {"Space_Separator", "Zs"}, {"Other", "C"}, {"Control", "Cc"}, {"Alphabetic", "L"}, {"White_Space", "Xsp"}, {"Any", "Any"},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_read(struct translation *t, size_t digits, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = t->at < t->s.n ? hex_of(t->s.p[t->at]) : -1;
        if (d < 0)
            return false;
        *value = *value * 16 + (uint32_t)d;
        t->at++;
    }
    return true;
}

/* Behind \u: four digits, a pair of them, or braces. */
static bool unicode_escape(struct translation *t, uint32_t *c)
{
    if (t->at < t->s.n && t->s.p[t->at] == '{') {
        *c = 0;
        size_t from = ++t->at;
        for (int d; t->at < t->s.n && (d = hex_of(t->s.p[t->at])) >= 0 && *c <= 0x10ffff; t->at++)
            *c = *c * 16 + (uint32_t)d;
        return t->at > from && t->at < t->s.n && t->s.p[t->at++] == '}' && *c <= 0x10ffff;
    }
    if (!hex_read(t, 4, c))
        return false;
    uint32_t low;
    size_t back = t->at;
    if (*c >= 0xd800 && *c < 0xdc00 && str_starts(str_sub(t->s, t->at, t->s.n), STR("\\u"))) {
        t->at += 2;
        if (hex_read(t, 4, &low) && low >= 0xdc00 && low < 0xe000)
            *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
        else
            t->at = back;
    }
    return true;
}

/* Behind \p or \P: {General_Category}, {Script=Greek}. */
static bool property_escape(struct translation *t, char letter)
{
    ptrdiff_t end = str_find(str_sub(t->s, t->at, t->s.n), STR("}"));
    if (t->at >= t->s.n || t->s.p[t->at] != '{' || end < 2)
        return false;
    struct str name = str_sub(t->s, t->at + 1, t->at + (size_t)end);
    ptrdiff_t equals = str_find(name, STR("="));
    t->at += (size_t)end + 1;
    if (equals >= 0)
        name = str_sub(name, (size_t)equals + 1, name.n);
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (str_eqz(name, categories[i].name))
            name = str_of(categories[i].category);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] != '_' && name.p[i] != '&' && !is_letter(name.p[i]))
            return false;
    buf_fmt(&t->out, "\\%c{%.*s}", letter, STR_ARG(name));
    return true;
}

static bool char_put(struct translation *t, uint32_t c)
{
    if (c >= 0xd800 && c < 0xe000)
        return false;       /* half a pair never occurs in UTF-8 */
    buf_fmt(&t->out, "\\x{%X}", c);
    return true;
}

static bool escape(struct translation *t)
{
    uint32_t value = 0;
    if (t->at >= t->s.n)
        return false;
    char c = t->s.p[t->at++];
    switch (c) {
    case 'u': return unicode_escape(t, &value) && char_put(t, value);
    case 'x': return hex_read(t, 2, &value) && char_put(t, value);
    case 'p': case 'P': return property_escape(t, c);
    case 'v': return char_put(t, 0x0b);
    case '0': return char_put(t, 0);
    case 's': buf_fmt(&t->out, t->in_class ? "%s" : "[%s]", JS_SPACE); return true;
    case 'S':
        /* In a class there is no way to say it but PCRE2's own, which knows ASCII only. */
        buf_fmt(&t->out, "%s", t->in_class ? "\\S" : "[^" JS_SPACE "]");
        return true;
    case 'c':
        if (t->at >= t->s.n || !is_letter(t->s.p[t->at]))
            return false;
        return char_put(t, (uint32_t)t->s.p[t->at++] & 31);
    case 'k':
        buf_z(&t->out, "\\k");
        return t->at < t->s.n && t->s.p[t->at] == '<';
    case 'd': case 'D': case 'w': case 'W': case 'b': case 'n': case 'r': case 't': case 'f':
        break;
    case 'B':
        if (t->in_class)
            return false;
        break;
    default:
        if (is_letter(c))
            return false;   /* other letters are no escapes in ECMA-262, but mean something to PCRE2 */
        if (c >= '1' && c <= '9' && t->in_class)
            return false;
    }
    buf_char(&t->out, '\\');
    buf_char(&t->out, c);
    return true;
}

static bool class_put(struct translation *t)
{
    t->in_class = true;
    buf_char(&t->out, '[');
    if (t->at < t->s.n && t->s.p[t->at] == '^')
        buf_char(&t->out, t->s.p[t->at++]);
    if (t->at < t->s.n && t->s.p[t->at] == ']') {     /* [] is nothing, [^] is everything */
        bool all = t->out.p[t->out.n - 1] == '^';
        t->out.n -= all ? 2 : 1;
        buf_z(&t->out, all ? "[\\s\\S]" : "(?!)");
        t->at++;
        t->in_class = false;
        return true;
    }
    while (t->at < t->s.n && t->s.p[t->at] != ']') {
        char c = t->s.p[t->at++];
        if (c == '\\') {
            if (!escape(t))
                return false;
        } else {
            if (c == '[')       /* else PCRE2 sees the start of a POSIX class */
                buf_char(&t->out, '\\');
            buf_char(&t->out, c);
        }
    }
    t->in_class = false;
    buf_char(&t->out, ']');
    return t->at++ < t->s.n;
}

/* Behind (? may only follow what ECMA-262 has: PCRE2 has much more. */
static bool group_put(struct translation *t)
{
    struct str rest = str_sub(t->s, t->at, t->s.n);
    buf_char(&t->out, '(');
    if (rest.n && rest.p[0] == '*')
        return false;
    if (!rest.n || rest.p[0] != '?')
        return true;
    char c = rest.n > 1 ? rest.p[1] : 0, d = rest.n > 2 ? rest.p[2] : 0;
    return c == ':' || c == '=' || c == '!' || (c == '<' && (d == '=' || d == '!' || d == '_' || is_letter(d)));
}

static bool is_quantifier(struct str s, size_t at)
{
    return at < s.n && (s.p[at] == '*' || s.p[at] == '+' || s.p[at] == '?' ||
                        (s.p[at] == '{' && at + 1 < s.n && s.p[at + 1] >= '0' && s.p[at + 1] <= '9'));
}

static bool quantifier_put(struct translation *t)
{
    char c = t->s.p[t->at++];
    buf_char(&t->out, c);
    while (c == '{' && t->at < t->s.n && t->out.p[t->out.n - 1] != '}')
        buf_char(&t->out, t->s.p[t->at++]);
    if (t->at < t->s.n && t->s.p[t->at] == '?')
        buf_char(&t->out, t->s.p[t->at++]);
    return !is_quantifier(t->s, t->at);     /* a++ would be possessive */
}

static bool translate(struct translation *t)
{
    while (t->at < t->s.n) {
        if (t->at && is_quantifier(t->s, t->at)) {
            /* The ? of a group is no quantifier. */
            if (t->s.p[t->at] == '?' && t->s.p[t->at - 1] == '(' && !(t->at > 1 && t->s.p[t->at - 2] == '\\'))
                buf_char(&t->out, t->s.p[t->at++]);
            else if (!quantifier_put(t))
                return false;
            continue;
        }
        char c = t->s.p[t->at++];
        bool good = true;
        switch (c) {
        case '\\': good = escape(t); break;
        case '[': good = class_put(t); break;
        case '(': good = group_put(t); break;
        case '.': buf_z(&t->out, "[^\\n\\r\\x{2028}\\x{2029}]"); break;
        default: buf_char(&t->out, c);
        }
        if (!good)
            return false;
    }
    return true;
}

struct regex *regex_compile(struct arena *a, struct str pattern, struct error *err)
{
    struct translation t = {.s = pattern, .out = {.arena = a}};
    struct regex *re = ARENA_NEW(a, struct regex);
    int code = 0;
    size_t at = 0;
    if (pattern.n <= PATTERN_MAX && str_is_utf8(pattern) && translate(&t)) {
        pcre2_general_context *general = pcre2_general_context_create(regex_alloc, regex_free, a);
        pcre2_compile_context *context = pcre2_compile_context_create(general);
        pcre2_set_parens_nest_limit(context, 100);
        struct str text = buf_finish(&t.out);
        re->code = pcre2_compile((PCRE2_SPTR)text.p, text.n, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF,
                                 &code, &at, context);
    }
    if (re->code) {
        re->plain = plain_pattern_make(a, pattern);
        return re;
    }
    pattern.n = pattern.n > 200 ? 200 : pattern.n;
    error_set(err, ERROR_BAD_INPUT, "invalid regular expression: %.*s", STR_ARG(pattern));
    return NULL;
}

const struct plain_pattern *regex_plain(const struct regex *re)
{
    return re->plain;
}

/* Steps allowed for one match: what a quadratic pattern needs, with a ceiling. Each match is charged for a part of what
 * it may use, so that many slow ones end the validation. A match that hits the limit counts as none: the value is
 * refused. */
static uint32_t steps_for(size_t n)
{
    size_t steps = n > 250 ? MATCH_LIMIT_MOST : MATCH_LIMIT_LEAST + 4 * n * n;
    return (uint32_t)(steps > MATCH_LIMIT_MOST ? MATCH_LIMIT_MOST : steps);
}

bool regex_matches(struct run *r, const struct regex *re, struct str s)
{
    uint32_t steps = steps_for(s.n);
    if (re->plain)
        return schema_work(r, (int64_t)(s.n / 16)) && plain_pattern_matches(re->plain, s);
    if (!schema_work(r, 16 + (int64_t)(steps / 64) + (int64_t)(s.n / 16)))
        return false;
    pcre2_general_context *general = pcre2_general_context_create(regex_alloc, regex_free, r->arena);
    if (!r->match_data)
        r->match_data = pcre2_match_data_create(1, general);
    pcre2_match_context *context = pcre2_match_context_create(general);
    pcre2_set_match_limit(context, steps);
    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    int found = pcre2_match(re->code, (PCRE2_SPTR)(s.p ? s.p : ""), s.n, 0, 0, r->match_data, context);
    if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_HEAPLIMIT || found == PCRE2_ERROR_DEPTHLIMIT)
        schema_work(r, steps);
    return found >= 0;
}
