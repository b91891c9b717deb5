/* Reads and evaluates expressions of provider declarations in one pass. */
#include "delivery/template.h"

#include <stdarg.h>

#include "delivery/http_attempt.h"

struct cursor {
    struct template_scope *t;
    const char *p, *end;
};

static yyjson_mut_val *expression(struct cursor *c);

bool template_refuse(struct template_scope *t, const char *fmt, ...)
{
    va_list ap;
    if (!t->err || t->err->code)
        return false;
    va_start(ap, fmt);
    struct str text = str_vfmt(t->arena, fmt, ap);
    va_end(ap);
    return error_set(t->err, ERROR_BAD_INPUT, "%.*s", STR_ARG(text));
}

/* --- values -------------------------------------------------------------------------------------------------------- */

bool template_truthy(const yyjson_mut_val *v)
{
    yyjson_mut_val *x = (yyjson_mut_val *)(uintptr_t)v;
    if (!x || yyjson_mut_is_null(x) || yyjson_mut_is_false(x))
        return false;
    if (yyjson_mut_is_str(x))
        return yyjson_mut_get_len(x) > 0;
    return !yyjson_mut_is_num(x) || yyjson_mut_get_num(x) != 0;
}

bool template_equal(const yyjson_mut_val *a, const yyjson_mut_val *b)
{
    yyjson_mut_val *x = (yyjson_mut_val *)(uintptr_t)a, *y = (yyjson_mut_val *)(uintptr_t)b;
    if (!x || !y)
        return x == y;
    if (yyjson_mut_is_num(x) && yyjson_mut_is_num(y))
        return yyjson_mut_get_num(x) == yyjson_mut_get_num(y);
    return yyjson_mut_equals(x, y);
}

struct str template_str(struct template_scope *t, const yyjson_mut_val *v)
{
    yyjson_mut_val *x = (yyjson_mut_val *)(uintptr_t)v;
    if (!x || yyjson_mut_is_null(x))
        return STR("");
    if (yyjson_mut_is_str(x))
        return (struct str){yyjson_mut_get_str(x), yyjson_mut_get_len(x)};
    if (yyjson_mut_is_real(x)) {
        struct buf b = {.arena = t->arena};
        json_number_js(&b, yyjson_mut_get_real(x));
        return buf_finish(&b);
    }
    return json_write_mut(t->arena, x);
}

yyjson_mut_val *template_of_str(struct template_scope *t, struct str s)
{
    return yyjson_mut_strn(t->doc, s.p ? s.p : "", s.n);
}

yyjson_mut_val *template_copy(struct template_scope *t, const yyjson_mut_val *v)
{
    yyjson_mut_val *x = (yyjson_mut_val *)(uintptr_t)v;
    if (yyjson_mut_is_str(x))                   /* attachments are long: their bytes are shared */
        return yyjson_mut_strn(t->doc, yyjson_mut_get_str(x), yyjson_mut_get_len(x));
    return x ? yyjson_mut_val_mut_copy(t->doc, x) : NULL;
}

struct str template_get_str(const yyjson_mut_val *o, const char *key)
{
    yyjson_mut_val *v = template_get(o, key);
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

/* --- words ----------------------------------------------------------------------------------------------------------- */

static void skip(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
        c->p++;
}

static bool take(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n))
        return false;
    c->p += n;
    return true;
}

static bool is_name(char x)
{
    return (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || x == '_' || x == '$';
}

/* A word that ends there. */
static bool take_word(struct cursor *c, const char *word)
{
    const char *before = c->p;
    if (take(c, word) && (c->p == c->end || !is_name(*c->p)))
        return true;
    c->p = before;
    return false;
}

static struct str name(struct cursor *c)
{
    skip(c);
    const char *from = c->p;
    while (c->p < c->end && is_name(*c->p))
        c->p++;
    return (struct str){from, (size_t)(c->p - from)};
}

static bool wrong(struct cursor *c)
{
    template_refuse(c->t, "The provider's declaration is damaged near \"%.*s\"", (int)(c->end - c->p > 20 ? 20 : c->end - c->p), c->p);
    c->p = c->end;
    return false;
}

/* --- answers in XML: the first element of that name inside of the one before ----------------------------------------------- */

static bool element(struct str *inside, struct str wanted)
{
    struct str s = *inside;
    for (size_t i = 0; i + wanted.n + 2 < s.n; i++) {
        if (s.p[i] != '<' || memcmp(s.p + i + 1, wanted.p, wanted.n))
            continue;
        char after = s.p[i + 1 + wanted.n];
        if (after != '>' && after != ' ' && after != '\t' && after != '\n')
            continue;
        ptrdiff_t open = str_find(str_sub(s, i, s.n), STR(">"));
        struct str rest = open < 0 ? STR_NULL : str_sub(s, i + (size_t)open + 1, s.n);
        for (size_t k = 0; k + wanted.n + 3 <= rest.n; k++)
            if (rest.p[k] == '<' && rest.p[k + 1] == '/' && !memcmp(rest.p + k + 2, wanted.p, wanted.n) && rest.p[k + 2 + wanted.n] == '>') {
                *inside = str_sub(rest, 0, k);
                return true;
            }
        return false;
    }
    return false;
}

static yyjson_mut_val *xml_path(struct cursor *c, struct str first)
{
    struct template_scope *t = c->t;
    struct str inside = t->response->body, part = first;
    bool found = element(&inside, part);
    while (c->p < c->end && *c->p == '.') {
        c->p++;
        part = name(c);
        found = found && element(&inside, part);
    }
    return found && str_find(inside, STR("<")) < 0 ? template_of_str(t, inside) : NULL;
}

/* --- paths ------------------------------------------------------------------------------------------------------------------ */

static yyjson_mut_val *member(const yyjson_mut_val *o, struct str key)
{
    return yyjson_mut_is_obj((yyjson_mut_val *)(uintptr_t)o) ? yyjson_mut_obj_getn((yyjson_mut_val *)(uintptr_t)o, key.p, key.n) : NULL;
}

static yyjson_mut_val *first_of_path(struct cursor *c, struct str s)
{
    struct template_scope *t = c->t;
    yyjson_mut_val *v = member(t->roots, s);
    if (v || !t->response)
        return str_eqz(s, "$body") ? template_of_str(t, t->body) : v;
    v = member(t->answer, s);
    if (v)
        return v;
    if (str_eqz(s, "body"))
        return template_of_str(t, t->response->body);
    if (str_eqz(s, "status"))
        return yyjson_mut_int(t->doc, t->response->status);
    return !t->answer && t->response->body.n && t->response->body.p[0] == '<' ? xml_path(c, s) : NULL;
}

/* The rest of the path for every element. */
static yyjson_mut_val *each_element(struct cursor *c, const yyjson_mut_val *list);

static yyjson_mut_val *steps(struct cursor *c, yyjson_mut_val *v)
{
    while (c->p < c->end && (*c->p == '.' || *c->p == '[')) {
        if (*c->p++ == '.') {
            v = member(v, name(c));
            continue;
        }
        if (take(c, "*]"))
            return each_element(c, v);
        if (take_word(c, "last")) {
            v = yyjson_mut_is_arr(v) ? yyjson_mut_arr_get_last(v) : NULL;
        } else {
            yyjson_mut_val *key = expression(c);
            if (yyjson_mut_is_num(key))
                v = yyjson_mut_is_arr(v) ? yyjson_mut_arr_get(v, (size_t)yyjson_mut_get_sint(key)) : NULL;
            else
                v = member(v, template_str(c->t, key));
        }
        if (!take(c, "]"))
            wrong(c);
    }
    return v;
}

static yyjson_mut_val *each_element(struct cursor *c, const yyjson_mut_val *list)
{
    yyjson_mut_val *out = yyjson_mut_arr(c->t->doc), *v;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with((yyjson_mut_val *)(uintptr_t)list);
    const char *from = c->p;
    while ((v = yyjson_mut_arr_iter_next(&it))) {
        c->p = from;
        v = steps(c, v);
        if (v)
            yyjson_mut_arr_append(out, template_copy(c->t, v));
    }
    while (c->p < c->end && (is_name(*c->p) || *c->p == '.'))
        c->p++;
    return out;
}

/* --- primaries ------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *quoted(struct cursor *c)
{
    const char *from = ++c->p;
    while (c->p < c->end && *c->p != '\'')
        c->p++;
    struct str s = {from, (size_t)(c->p - from)};
    if (c->p == c->end)
        return wrong(c), NULL;
    c->p++;
    return template_of_str(c->t, s);
}

static yyjson_mut_val *list(struct cursor *c)
{
    yyjson_mut_val *out = yyjson_mut_arr(c->t->doc);
    c->p++;
    while (!take(c, "]")) {
        yyjson_mut_val *v = expression(c);
        yyjson_mut_arr_append(out, v ? template_copy(c->t, v) : yyjson_mut_null(c->t->doc));
        if (!take(c, ",") && (skip(c), c->p == c->end || *c->p != ']'))
            return wrong(c), out;
    }
    return out;
}

static yyjson_mut_val *object(struct cursor *c)
{
    yyjson_mut_val *out = yyjson_mut_obj(c->t->doc);
    c->p++;
    while (!take(c, "}")) {
        skip(c);
        struct str key = c->p < c->end && *c->p == '\'' ? template_str(c->t, quoted(c)) : name(c);
        if (!key.n || !take(c, ":"))
            return wrong(c), out;
        yyjson_mut_val *v = expression(c);
        if (v)
            yyjson_mut_obj_add(out, template_of_str(c->t, key), template_copy(c->t, v));
        if (!take(c, ",") && (skip(c), c->p == c->end || *c->p != '}'))
            return wrong(c), out;
    }
    return out;
}

/* The arguments as they are written, up to the closing bracket. */
static void arguments(struct cursor *c, struct template_call *call)
{
    int depth = 0;
    bool in_text = false;
    const char *from = c->p;
    for (; c->p < c->end; c->p++) {
        char x = *c->p;
        in_text ^= x == '\'';
        if (in_text)
            continue;
        depth += x == '(' || x == '[' || x == '{';
        if ((x == ')' && !depth) || (x == ',' && !depth)) {
            struct str arg = str_trim((struct str){from, (size_t)(c->p - from)});
            if (call->n < TEMPLATE_ARGS_MAX && (arg.n || x == ','))
                call->args[call->n++] = arg;
            from = c->p + 1;
            if (x == ')') {
                c->p++;
                return;
            }
        }
        depth -= x == ')' || x == ']' || x == '}';
    }
    wrong(c);
}

static yyjson_mut_val *number(struct cursor *c)
{
    int64_t n = 0;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        n = n * 10 + (*c->p++ - '0');
    return yyjson_mut_int(c->t->doc, n);
}

static yyjson_mut_val *named(struct cursor *c)
{
    struct str s = name(c);
    if (!s.n)
        return wrong(c), NULL;
    if (str_eqz(s, "none"))
        return NULL;
    if (str_eqz(s, "null"))
        return yyjson_mut_null(c->t->doc);
    if (str_eqz(s, "true") || str_eqz(s, "false"))
        return yyjson_mut_bool(c->t->doc, str_eqz(s, "true"));
    if (c->p < c->end && *c->p == '(') {
        struct template_call call = {.scope = c->t, .name = s};
        c->p++;
        arguments(c, &call);
        return template_call(&call);
    }
    return first_of_path(c, s);
}

static yyjson_mut_val *primary(struct cursor *c)
{
    yyjson_mut_val *v;
    skip(c);
    if (c->p == c->end)
        return wrong(c), NULL;
    if (*c->p == '\'')
        return quoted(c);
    if (*c->p >= '0' && *c->p <= '9')
        return number(c);
    if (*c->p == '[' && c->t->response)
        return steps(c, c->t->answer);          /* an answer that is a list: "[0].id" */
    if (*c->p == '[')
        return list(c);
    if (*c->p == '{')
        return object(c);
    if (*c->p == '(') {
        c->p++;
        v = expression(c);
        if (!take(c, ")"))
            wrong(c);
    } else {
        v = named(c);
    }
    return steps(c, v);
}

/* --- operators ---------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *unary(struct cursor *c)
{
    skip(c);
    if (c->p + 1 < c->end && c->p[0] == '!' && c->p[1] != '=') {
        c->p++;
        return yyjson_mut_bool(c->t->doc, !template_truthy(unary(c)));
    }
    return primary(c);
}

static yyjson_mut_val *sum(struct cursor *c)
{
    yyjson_mut_val *v = unary(c);
    while (take(c, "+")) {
        yyjson_mut_val *w = unary(c);
        struct str a = template_str(c->t, v), b = template_str(c->t, w);
        v = template_of_str(c->t, str_fmt(c->t->arena, "%.*s%.*s", STR_ARG(a), STR_ARG(b)));
    }
    return v;
}

static bool is_among(const yyjson_mut_val *v, yyjson_mut_val *list)
{
    yyjson_mut_val *x;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it)))
        if (template_equal(v, x))
            return true;
    return false;
}

/* A list on the right is written as one, also where an answer is a list. */
static yyjson_mut_val *right_list(struct cursor *c)
{
    skip(c);
    return c->p < c->end && *c->p == '[' ? list(c) : sum(c);
}

static yyjson_mut_val *equal(struct cursor *c)
{
    yyjson_mut_val *v = sum(c);
    if (take(c, "=="))
        return yyjson_mut_bool(c->t->doc, template_equal(v, sum(c)));
    if (take(c, "!="))
        return yyjson_mut_bool(c->t->doc, !template_equal(v, sum(c)));
    if (take_word(c, "in"))
        return yyjson_mut_bool(c->t->doc, is_among(v, right_list(c)));
    return v;
}

static yyjson_mut_val *both(struct cursor *c)
{
    yyjson_mut_val *v = equal(c);
    while (take_word(c, "and")) {
        yyjson_mut_val *w = equal(c);
        v = template_truthy(v) ? w : v;
    }
    return v;
}

static yyjson_mut_val *either(struct cursor *c)
{
    yyjson_mut_val *v = both(c), *w;
    for (;;) {
        if (take(c, "||")) {
            w = both(c);
            v = template_truthy(v) ? v : w;
        } else if (take(c, "??")) {
            w = both(c);
            v = v && !yyjson_mut_is_null(v) ? v : w;
        } else {
            return v;
        }
    }
}

static yyjson_mut_val *expression(struct cursor *c)
{
    if (++c->t->depth > TEMPLATE_DEPTH_MAX) {
        wrong(c);
        c->t->depth--;
        return NULL;
    }
    yyjson_mut_val *v = either(c);
    if (take(c, "?")) {
        yyjson_mut_val *yes = expression(c), *no = take(c, ":") ? expression(c) : (wrong(c), NULL);
        v = template_truthy(v) ? yes : no;
    }
    c->t->depth--;
    return v;
}

yyjson_mut_val *template_value(struct template_scope *t, struct str s)
{
    struct cursor c = {t, s.p, s.p + s.n};
    yyjson_mut_val *v = expression(&c);
    skip(&c);
    if (c.p != c.end)
        wrong(&c);
    return v;
}

/* --- texts ------------------------------------------------------------------------------------------------------------------ */

/* The next {{…}} of s from *at on. Objects in it have braces of their own. */
static bool next_expression(struct str s, size_t *from, size_t *to)
{
    int depth = 0;
    bool in_text = false;
    ptrdiff_t open = str_find(str_sub(s, *from, s.n), STR("{{"));
    if (open < 0)
        return false;
    *from += (size_t)open;
    for (size_t i = *from + 2; i < s.n; i++) {
        in_text ^= s.p[i] == '\'';
        if (in_text)
            continue;
        depth += s.p[i] == '{';
        if (s.p[i] == '}' && !depth && i + 1 < s.n && s.p[i + 1] == '}') {
            *to = i + 2;
            return true;
        }
        depth -= s.p[i] == '}';
    }
    return false;
}

static void percent(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char x = (unsigned char)s.p[i];
        if ((x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || memchr("-._~", x, 4))
            buf_char(b, (char)x);
        else
            buf_fmt(b, "%%%02X", x);
    }
}

static bool is_lone(struct str s, struct str *inner)
{
    size_t from = 0, to;
    if (!next_expression(s, &from, &to) || from || to != s.n)
        return false;
    *inner = str_sub(s, 2, s.n - 2);
    return true;
}

struct str template_text(struct template_scope *t, struct str s, bool url)
{
    struct buf b = {.arena = t->arena};
    size_t at = 0, from = 0, to;
    struct str lone;
    if (!url && is_lone(s, &lone)) {
        yyjson_mut_val *v = template_value(t, lone);
        return v ? template_str(t, v) : STR_NULL;
    }
    while (next_expression(s, &from, &to)) {
        struct str inner = str_trim(str_sub(s, from + 2, to - 2)), value;
        buf_str(&b, str_sub(s, at, from));
        value = template_str(t, template_value(t, inner));
        if (url && from && !str_starts(inner, STR("raw(")))
            percent(&b, value);
        else
            buf_str(&b, value);
        at = from = to;
    }
    buf_str(&b, str_sub(s, at, s.n));
    return buf_finish(&b);
}

/* --- JSON --------------------------------------------------------------------------------------------------------------------- */

static void put(struct template_scope *t, yyjson_mut_val *o, struct str key, yyjson_mut_val *v)
{
    yyjson_mut_obj_remove_keyn(o, key.p, key.n);
    if (v)
        yyjson_mut_obj_add(o, template_of_str(t, key), template_copy(t, v));
}

static void spread(struct template_scope *t, yyjson_mut_val *o, yyjson_mut_val *from)
{
    yyjson_mut_val *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while (yyjson_mut_is_obj(from) && (k = yyjson_mut_obj_iter_next(&it)))
        put(t, o, (struct str){yyjson_mut_get_str(k), yyjson_mut_get_len(k)}, yyjson_mut_obj_iter_get_val(k));
}

/* A text is an expression; else JSON to be filled. */
static yyjson_mut_val *operand(struct template_scope *t, yyjson_val *v)
{
    struct str s = json_str(v), inner;
    if (!yyjson_is_str(v))
        return template_fill(t, v);
    return template_value(t, is_lone(s, &inner) ? inner : s);
}

static yyjson_mut_val *fill_each(struct template_scope *t, yyjson_val *v)
{
    yyjson_mut_val *list = operand(t, json_get(v, "$each")), *x, *before;
    struct str as = json_get_str(v, "as");
    if (!yyjson_mut_is_arr(list) || !yyjson_mut_arr_size(list))
        return json_get(v, "else") ? template_fill(t, json_get(v, "else")) : NULL;
    yyjson_mut_val *out = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    before = member(t->roots, as);
    while ((x = yyjson_mut_arr_iter_next(&it))) {
        put(t, t->roots, as, x);
        yyjson_mut_val *one = template_fill(t, json_get(v, "do"));
        yyjson_mut_arr_append(out, one ? one : yyjson_mut_null(t->doc));
    }
    put(t, t->roots, as, before);
    return out;
}

static yyjson_mut_val *fill_object(struct template_scope *t, yyjson_val *v)
{
    yyjson_mut_val *o = yyjson_mut_obj(t->doc);
    yyjson_val *k;
    if (json_get(v, "$if")) {
        yyjson_val *branch = json_get(v, template_truthy(operand(t, json_get(v, "$if"))) ? "then" : "else");
        return branch ? template_fill(t, branch) : NULL;
    }
    if (json_get(v, "$each"))
        return fill_each(t, v);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *value = yyjson_obj_iter_get_val(k);
        if (yyjson_equals_str(k, "$spread"))
            spread(t, o, operand(t, value));
        else
            put(t, o, template_text(t, json_str(k), false), template_fill(t, value));
    }
    return o;
}

yyjson_mut_val *template_fill(struct template_scope *t, yyjson_val *v)
{
    struct str inner;
    if (yyjson_is_str(v)) {
        struct str s = json_str(v);
        return is_lone(s, &inner) ? template_value(t, inner) : template_of_str(t, template_text(t, s, false));
    }
    if (yyjson_is_obj(v))
        return fill_object(t, v);
    if (!yyjson_is_arr(v))
        return v ? yyjson_val_mut_copy(t->doc, v) : NULL;
    yyjson_mut_val *out = yyjson_mut_arr(t->doc);
    yyjson_val *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while ((x = yyjson_arr_iter_next(&it))) {
        yyjson_mut_val *one = template_fill(t, x);
        yyjson_mut_arr_append(out, one ? template_copy(t, one) : yyjson_mut_null(t->doc));
    }
    return out;
}

/* --- alternatives --------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *alternative(struct template_scope *t, struct str s)
{
    if (!str_starts(s, STR("header:")))
        return template_value(t, s);
    struct str value = t->response ? http_response_header(t->response, str_z(t->arena, str_sub(s, 7, s.n))) : STR_NULL;
    return value.p ? template_of_str(t, value) : NULL;
}

yyjson_mut_val *template_path(struct template_scope *t, struct str s)
{
    bool in_text = false;
    size_t from = 0;
    for (size_t i = 0; s.n && i <= s.n; i++) {
        if (i < s.n)
            in_text ^= s.p[i] == '\'';
        bool bar = i < s.n && !in_text && s.p[i] == '|' && (i + 1 == s.n || s.p[i + 1] != '|') && (!i || s.p[i - 1] != '|');
        if (i < s.n && !bar)
            continue;
        yyjson_mut_val *v = alternative(t, str_trim(str_sub(s, from, i)));
        if (template_truthy(v))
            return v;
        from = i + 1;
    }
    return NULL;
}
