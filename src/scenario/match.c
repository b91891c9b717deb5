#define PCRE2_CODE_UNIT_WIDTH 8
#include "scenario/match.h"

#include <math.h>
#include <pcre2.h>

enum { PATTERN_STEPS_MAX = 1000000 };

enum word { WORD_CONTAINS, WORD_LACKS, WORD_STARTS, WORD_ENDS, WORD_MATCHES, WORD_ONE_OF, WORD_NOT, WORD_EXISTS, WORD_LEAST, WORD_MOST, WORDS };

static const char *const words[WORDS] = {"contains", "lacks", "startsWith", "endsWith", "matches", "oneOf", "not", "exists",
                                         "atLeast", "atMost"};

static enum word word_of(struct str key)
{
    enum word w = 0;
    while (w < WORDS && !str_eqz(key, words[w]))
        w++;
    return w;
}

static bool is_matcher(const struct node *n)
{
    if (n->kind != NODE_MAP || !n->first)
        return false;
    for (const struct node *m = n->first; m; m = m->next)
        if (word_of(m->key) == WORDS)
            return false;
    return true;
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

static pcre2_code *pattern_compile(struct str pattern, char why[200])
{
    int code;
    size_t at;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C,
                                  &code, &at, NULL);
    if (!c)
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, 200);
    return c;
}

static bool pattern_found(struct str pattern, struct str text)
{
    char why[200];
    pcre2_code *c = pattern_compile(pattern, why);
    if (!c)
        return false;
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(c, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(limits, PATTERN_STEPS_MAX);
    bool found = pcre2_match(c, (PCRE2_SPTR)(text.n ? text.p : ""), text.n, 0, 0, m, limits) >= 0;
    pcre2_match_context_free(limits);
    pcre2_match_data_free(m);
    pcre2_code_free(c);
    return found;
}

/* --- form --------------------------------------------------------------------------------------------------------- */

static bool wrong(const struct node *n, const struct node **at, struct str *problem, struct str text)
{
    *at = n;
    *problem = text;
    return false;
}

static bool number_of(const struct scenario *s, const struct node *n, double *out)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_val *v = node_json(json_doc(a), n);
    int64_t ms;
    if (yyjson_mut_is_num(v))
        *out = yyjson_mut_get_num(v);
    else if (n->kind == NODE_SCALAR && scenario_time(s, n->text, &ms))
        *out = (double)ms;
    else
        return false;
    return true;
}

static bool word_check(const struct scenario *s, const struct node *n, const struct node **at, struct str *problem, struct arena *a)
{
    char why[200] = "";
    double x;
    pcre2_code *c;
    switch (word_of(n->key)) {
    case WORD_STARTS:
    case WORD_ENDS:
        return n->kind == NODE_SCALAR || wrong(n, at, problem, str_fmt(a, "%.*s must be a text", STR_ARG(n->key)));
    case WORD_MATCHES:
        if (n->kind != NODE_SCALAR)
            return wrong(n, at, problem, STR("matches must be a regular expression"));
        if (!(c = pattern_compile(n->text, why)))
            return wrong(n, at, problem, str_fmt(a, "matches is no regular expression: %s", why));
        pcre2_code_free(c);
        return true;
    case WORD_ONE_OF:
        return (n->kind == NODE_LIST && n->first) || wrong(n, at, problem, STR("oneOf must be a list of what it may be"));
    case WORD_EXISTS:
        return str_eqz(node_text(n), "true") || str_eqz(node_text(n), "false")
            || wrong(n, at, problem, STR("exists must be true or false"));
    case WORD_LEAST:
    case WORD_MOST:
        return number_of(s, n, &x) || wrong(n, at, problem, str_fmt(a, "%.*s must be a number or a time", STR_ARG(n->key)));
    default:
        return true;
    }
}

bool match_check(const struct scenario *s, const struct node *want, const struct node **at, struct str *problem, struct arena *a)
{
    bool matcher = is_matcher(want);
    for (const struct node *n = want->kind == NODE_SCALAR ? NULL : want->first; n; n = n->next)
        if ((matcher && !word_check(s, n, at, problem, a)) || !match_check(s, n, at, problem, a))
            return false;
    return true;
}

/* --- matching ------------------------------------------------------------------------------------------------------ */

static struct str text_of(struct arena *a, yyjson_val *v)
{
    return yyjson_is_str(v) ? json_str(v) : v ? json_write(a, v) : STR_NULL;
}

static bool scalar_matches(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have)
{
    int64_t at, is;
    if (!have || yyjson_is_null(have))
        return node_is_null(want);
    if (yyjson_is_str(have)) {
        if (str_eq(want->text, json_str(have)))
            return true;
        return have && json_str(have).n == TIME_ISO_LEN && time_parse_iso(json_str(have), &is) && scenario_time(s, want->text, &at)
            && at == is;
    }
    yyjson_mut_val *v = node_json(json_doc(a), want);
    if (yyjson_is_num(have))
        return yyjson_mut_is_num(v) && fabs(yyjson_mut_get_num(v) - yyjson_get_num(have)) == 0;
    return yyjson_is_bool(have) && yyjson_mut_is_bool(v) && yyjson_mut_get_bool(v) == yyjson_get_bool(have);
}

/* A part of a text, or one of the items of a list. */
static bool contains(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have)
{
    yyjson_val *one;
    yyjson_arr_iter it = yyjson_arr_iter_with(have);
    if (want->kind == NODE_SCALAR && !yyjson_is_arr(have))
        return str_find(text_of(a, have), want->text) >= 0;
    while ((one = yyjson_arr_iter_next(&it)))
        if (match_value(a, s, want, one))
            return true;
    return false;
}

static bool one_of(struct arena *a, const struct scenario *s, const struct node *list, yyjson_val *have)
{
    for (const struct node *n = list->first; n; n = n->next)
        if (match_value(a, s, n, have))
            return true;
    return false;
}

static bool compares(const struct scenario *s, const struct node *n, yyjson_val *have, bool least)
{
    double want, is = yyjson_get_num(have);
    int64_t ms;
    if (yyjson_is_str(have) && time_parse_iso(json_str(have), &ms))
        is = (double)ms;
    else if (!yyjson_is_num(have))
        return false;
    return number_of(s, n, &want) && (least ? is >= want : is <= want);
}

static bool word_matches(struct arena *a, const struct scenario *s, const struct node *n, yyjson_val *have)
{
    struct str text = text_of(a, have);
    switch (word_of(n->key)) {
    case WORD_CONTAINS: return contains(a, s, n, have);
    case WORD_LACKS: return !contains(a, s, n, have);
    case WORD_STARTS: return have && str_starts(text, n->text);
    case WORD_ENDS: return have && str_ends(text, n->text);
    case WORD_MATCHES: return have && pattern_found(n->text, text);
    case WORD_ONE_OF: return one_of(a, s, n, have);
    case WORD_NOT: return !match_value(a, s, n, have);
    case WORD_EXISTS: return (have && !yyjson_is_null(have)) == str_eqz(n->text, "true");
    case WORD_LEAST:
    case WORD_MOST: return compares(s, n, have, word_of(n->key) == WORD_LEAST);
    case WORDS: break;
    }
    return false;
}

bool match_value(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have)
{
    const struct node *worst;
    if (want->kind == NODE_SCALAR)
        return scalar_matches(a, s, want, have);
    if (is_matcher(want)) {
        for (const struct node *n = want->first; n; n = n->next)
            if (!word_matches(a, s, n, have))
                return false;
        return true;
    }
    if (want->kind == NODE_MAP) {
        match_object(a, s, want, have, &worst);
        return yyjson_is_obj(have) && !worst;
    }
    if (!yyjson_is_arr(have) || yyjson_arr_size(have) != node_length(want))
        return false;
    size_t i = 0;
    for (const struct node *n = want->first; n; n = n->next)
        if (!match_value(a, s, n, yyjson_arr_get(have, i++)))
            return false;
    return true;
}

size_t match_object(struct arena *a, const struct scenario *s, const struct node *want, yyjson_val *have, const struct node **worst)
{
    size_t matched = 0;
    *worst = NULL;
    for (const struct node *n = want->first; n; n = n->next) {
        if (match_value(a, s, n, json_getn(have, n->key)))
            matched++;
        else if (!*worst)
            *worst = n;
    }
    return matched;
}
