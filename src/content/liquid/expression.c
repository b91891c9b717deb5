/* Reads expressions: values, property paths, ranges, operators, filters and named arguments. */
#include "content/liquid/liquid_private.h"

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* ---- names to slots ---- */
static uint32_t hash_name(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h;
}

static uint32_t names_probe(const struct liquid_names *names, struct str name)
{
    uint32_t at = hash_name(name) & (names->table_n - 1);
    while (names->table[at] && !str_eq(names->v[names->table[at] - 1], name))
        at = (at + 1) & (names->table_n - 1);
    return at;
}

static void names_grow(struct arena *a, struct liquid_names *names)
{
    uint32_t old = names->table_n / 2;
    names->table_n = names->table_n ? names->table_n * 2 : 32;
    names->table = ARENA_ARRAY(a, uint32_t, names->table_n);
    names->v = arena_grow(a, names->v, old * sizeof *names->v, names->table_n / 2 * sizeof *names->v);
    for (uint32_t i = 0; i < names->n; i++)
        names->table[names_probe(names, names->v[i])] = i + 1;
}

int32_t lexer_slot(struct lexer *l, struct str name)
{
    struct liquid_names *names = l->names;
    if (!names)
        return -1;
    if (names->n >= names->table_n / 2)
        names_grow(l->arena, names);
    uint32_t at = names_probe(names, name);
    if (!names->table[at]) {
        names->v[names->n++] = name;
        names->table[at] = names->n;
    }
    return (int32_t)names->table[at] - 1;
}

int32_t names_find(const struct liquid_names *names, struct str name)
{
    return names->table_n ? (int32_t)names->table[names_probe(names, name)] - 1 : -1;
}

/* ---- literals ---- */
static void append_unit(struct lexer *l, struct buf *b, uint32_t c)
{
    char utf8[4];
    l->halves |= c >= 0xd800 && c < 0xe000;
    buf_add(b, utf8, text_encode(c, utf8));
}

static int hex_value(int c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* JavaScript-like escapes, octal ones included; any other escaped character stands for itself. An escape may reach
 * into the character behind s, where the closing quote should be. */
static struct str unescape(struct lexer *l, struct str s)
{
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    struct buf b = {.arena = l->arena};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') {
            buf_char(&b, s.p[i]);
            continue;
        }
        char c = s.p[++i];
        const char *simple = c ? strchr(from, c) : NULL;
        uint32_t v = 0;
        size_t k = i;
        if (simple) {
            buf_char(&b, to[simple - from]);
        } else if (c == 'u') {
            for (k++; k <= i + 4 && k <= s.n && hex_value(s.p[k]) >= 0; k++)
                v = v * 16 + (uint32_t)hex_value(s.p[k]);
            append_unit(l, &b, v);
            i = k - 1;
        } else if (c >= '0' && c <= '7') {
            for (; k < i + 3 && k <= s.n && s.p[k] >= '0' && s.p[k] <= '7'; k++)
                v = v * 8 + (uint32_t)(s.p[k] - '0');
            append_unit(l, &b, v);
            i = k - 1;
        } else {
            buf_char(&b, c);
        }
    }
    return str_solid(buf_get(&b));
}

/* Where the closing quote is missing, the last UTF-16 unit is taken for it. s misses one byte already. */
static struct str without_last(struct lexer *l, struct str s)
{
    size_t n = s.n;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    if (s.n - n < 3 || (unsigned char)s.p[n] < 0xf0)
        return str_sub(s, 0, n);
    struct buf b = {.arena = l->arena};
    size_t bytes;
    buf_add(&b, s.p, n);
    append_unit(l, &b, 0xd800 + ((text_decode((struct str){s.p, s.n + 1}, n, &bytes) - 0x10000) >> 10));
    buf_char(&b, 0);
    b.n--;
    return str_solid(buf_get(&b));
}

bool lexer_quoted(struct lexer *l, struct operand *out)
{
    lexer_skip_blank(l);
    int quote = lexer_peek(l, 0);
    *out = (struct operand){.begin = (uint32_t)l->p};
    if (quote != '"' && quote != '\'')
        return true;
    size_t from = ++l->p;
    bool escaped = false, any = false, closed = false;
    while (l->p < l->end && !closed) {
        char c = l->source.p[l->p++];
        closed = c == quote && !escaped;
        escaped = !escaped && c == '\\' && !l->leaf;
        any |= escaped;
    }
    struct str s = {l->source.p + from, l->p > from ? l->p - from - 1 : 0};
    if (!closed)
        s = without_last(l, s);
    out->kind = OPERAND_VALUE;
    out->end = (uint32_t)l->p;
    out->value = value_str(any ? unescape(l, s) : s);
    return true;
}

static bool read_number(struct lexer *l, struct operand *out)
{
    lexer_skip_blank(l);
    int c = lexer_peek(l, 0);
    size_t n = c == '-' || c == '+';
    bool point = false, digits = false;
    for (;; n++) {
        c = lexer_peek(l, n);
        if (is_digit(c)) {
            digits = true;
        } else if (c == '.' && lexer_peek(l, n + 1) != '.') {
            if (point || !digits)
                return false;
            point = true;
        } else {
            break;
        }
    }
    if (!digits || word_at(l->source, l->p + n, l->end))
        return false;
    *out = (struct operand){.kind = OPERAND_VALUE, .begin = (uint32_t)l->p, .end = (uint32_t)(l->p + n)};
    out->value = value_number(number_parse((struct str){l->source.p + l->p, n}));
    l->p += n;
    return true;
}

static bool word_here(struct lexer *l, const char *word)
{
    size_t n = strlen(word);
    return l->end >= l->p + n && !memcmp(l->source.p + l->p, word, n) && !word_at(l->source, l->p + n, l->end);
}

static bool read_literal(struct lexer *l, struct operand *out)
{
    static const struct { const char *name; struct value value; } literals[] = {
        {"true", {.kind = V_BOOL, .b = true}}, {"false", {.kind = V_BOOL}}, {"nil", {.kind = V_NIL}},
        {"null", {.kind = V_NIL}}, {"empty", {.kind = V_EMPTY}}, {"blank", {.kind = V_BLANK}},
    };
    lexer_skip_blank(l);
    int c = lexer_peek(l, 0);
    if (!c || !strchr("tfneb", c))
        return false;
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        if (!word_here(l, literals[i].name))
            continue;
        *out = (struct operand){.kind = OPERAND_VALUE, .begin = (uint32_t)l->p, .value = literals[i].value};
        l->p += strlen(literals[i].name);
        out->end = (uint32_t)l->p;
        return true;
    }
    return false;
}

static bool read_range(struct lexer *l, struct operand *out)
{
    struct operand *ends = ARENA_ARRAY(l->arena, struct operand, 2);
    *out = (struct operand){.kind = OPERAND_RANGE, .begin = (uint32_t)l->p, .range = ends};
    l->p++;
    if (!lexer_value_required(l, &ends[0]))
        return false;
    lexer_skip_blank(l);
    if (lexer_peek(l, 0) != '.' || lexer_peek(l, 1) != '.')
        return lexer_fail(l, l->p, "invalid range syntax");
    l->p += 2;
    if (!lexer_value_required(l, &ends[1]))
        return false;
    lexer_skip_blank(l);
    bool closed = lexer_peek(l, 0) == ')';
    l->p++;
    if (!closed)
        return lexer_fail(l, l->p, "invalid range syntax");
    out->end = (uint32_t)l->p;
    return true;
}

/* ---- property paths ---- */
struct keys { struct operand *v; uint32_t n, cap; };

static struct operand *key_new(struct lexer *l, struct keys *k)
{
    if (k->n == k->cap) {
        uint32_t cap = k->cap ? k->cap * 2 : 4;
        k->v = arena_grow(l->arena, k->v, k->cap * sizeof *k->v, cap * sizeof *k->v);
        k->cap = cap;
    }
    struct operand *o = &k->v[k->n++];
    *o = (struct operand){.kind = OPERAND_VALUE};
    return o;
}

static bool read_bracket(struct lexer *l, struct keys *keys)
{
    struct operand key;
    l->p++;
    if (!lexer_value(l, &key))
        return false;
    struct operand *o = key_new(l, keys);
    if (key.kind != OPERAND_NONE)
        *o = key;
    else
        o->value = value_str(STR(""));
    return lexer_read_to(l, "]") || lexer_fail(l, l->p, "[ not closed");
}

static bool read_properties(struct lexer *l, bool at_begin, struct keys *keys)
{
    for (;;) {
        if (lexer_peek(l, 0) == '[') {
            if (!read_bracket(l, keys))
                return false;
            continue;
        }
        bool dot = lexer_peek(l, 0) == '.' && lexer_peek(l, 1) != '.';
        if (at_begin && !keys->n) {
            struct str name = lexer_identifier(l);
            if (name.n) {
                key_new(l, keys)->value = value_str(name);
                continue;
            }
            dot = lexer_peek(l, 0) == '.' && lexer_peek(l, 1) != '.';
        }
        if (!dot)
            return true;
        l->p++;
        struct str name = lexer_identifier(l);
        if (!name.n)
            return true;
        key_new(l, keys)->value = value_str(name);
    }
}

static struct operand path_operand(struct lexer *l, const struct operand *base, const struct keys *keys, size_t begin)
{
    struct liquid_path *path = ARENA_NEW(l->arena, struct liquid_path);
    path->base = *base;
    path->keys = keys->v;
    path->keys_n = keys->n;
    path->slot = -1;
    if (base->kind == OPERAND_NONE && keys->v[0].kind == OPERAND_VALUE && keys->v[0].value.kind == V_STRING)
        path->slot = lexer_slot(l, keys->v[0].value.s);
    return (struct operand){.kind = OPERAND_PATH, .begin = (uint32_t)begin, .end = (uint32_t)l->p, .path = path};
}

bool lexer_value(struct lexer *l, struct operand *out)
{
    *out = (struct operand){.kind = OPERAND_NONE};
    lexer_skip_blank(l);
    size_t begin = l->p;
    if (++l->depth > LIQUID_DEPTH_MAX)
        return lexer_fail(l, l->p, "parse length limit exceeded");
    if (!read_literal(l, out)) {
        lexer_quoted(l, out);
        if (out->kind == OPERAND_NONE && !read_number(l, out)) {
            *out = (struct operand){.kind = OPERAND_NONE};
            if (lexer_peek(l, 0) == '(' && !read_range(l, out))
                return false;
        }
    }
    struct keys keys = {0};
    if (!read_properties(l, out->kind == OPERAND_NONE, &keys))
        return false;
    l->depth--;
    if (keys.n)
        *out = path_operand(l, out, &keys, begin);
    return true;
}

bool lexer_scope_value(struct lexer *l, struct operand *out)
{
    struct keys keys = {0};
    *out = (struct operand){.kind = OPERAND_NONE};
    lexer_skip_blank(l);
    size_t begin = l->p;
    if (!read_properties(l, true, &keys))
        return false;
    if (keys.n)
        *out = path_operand(l, out, &keys, begin);
    return true;
}

bool lexer_value_required(struct lexer *l, struct operand *out)
{
    if (!lexer_value(l, out))
        return false;
    if (out->kind != OPERAND_NONE)
        return true;
    struct str s = lexer_snapshot(l, l->p);
    return lexer_fail(l, l->p, "unexpected token %.*s, value expected", STR_ARG(s));
}

/* ---- operators ---- */
static bool read_operator(struct lexer *l, enum liquid_operator *op)
{
    static const struct { const char *text; bool word; } operators[] = {
        [OP_EQ] = {"==", false}, [OP_NE] = {"!=", false}, [OP_GE] = {">=", false}, [OP_LE] = {"<=", false},
        [OP_GT] = {">", false}, [OP_LT] = {"<", false}, [OP_CONTAINS] = {"contains", true}, [OP_NOT] = {"not", true},
        [OP_AND] = {"and", true}, [OP_OR] = {"or", true},
    };
    lexer_skip_blank(l);
    int c = lexer_peek(l, 0);
    if (!c || !strchr("=!<>cnao", c))
        return false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].text);
        if (l->end < l->p + n || memcmp(l->source.p + l->p, operators[i].text, n) ||
            (operators[i].word && word_at(l->source, l->p + n, l->end)))
            continue;
        *op = (enum liquid_operator)i;
        l->p += n;
        return true;
    }
    return false;
}

static int precedence(enum liquid_operator op)
{
    return op == OP_AND || op == OP_OR ? 0 : op == OP_NOT ? 1 : 2;
}

/* Operators of one precedence associate to the right; what does not fit is kept as liquidjs keeps it: the value of
 * an expression is the bottom of the operand stack. */
static bool read_expression(struct lexer *l, struct liquid_expr *out)
{
    struct keys postfix = {0}, ops = {0};
    while (l->p < l->end) {
        struct operand o = {.kind = OPERAND_OPERATOR};
        if (read_operator(l, &o.op)) {
            while (ops.n && precedence(ops.v[ops.n - 1].op) > precedence(o.op))
                *key_new(l, &postfix) = ops.v[--ops.n];
            *key_new(l, &ops) = o;
            continue;
        }
        if (!lexer_value(l, &o))
            return false;
        if (o.kind == OPERAND_NONE)
            break;
        *key_new(l, &postfix) = o;
    }
    while (ops.n)
        *key_new(l, &postfix) = ops.v[--ops.n];
    *out = (struct liquid_expr){postfix.v, postfix.n};
    return true;
}

/* ---- filters ---- */
struct filter_list { struct filter_call *v; uint32_t n, cap; };
struct arg_list { struct filter_arg *v; uint32_t n, cap; };

static bool read_arguments(struct lexer *l, struct arg_list *args)
{
    do {
        struct operand key, value;
        l->p++;
        if (!lexer_value(l, &key))
            return false;
        struct filter_arg arg = {.operand = key};
        if (key.kind != OPERAND_NONE) {
            lexer_skip_blank(l);
            if (lexer_peek(l, 0) == ':') {
                l->p++;
                if (!lexer_value(l, &value))
                    return false;
                arg = (struct filter_arg){true, {l->source.p + key.begin, key.end - key.begin}, value};
            }
            if (args->n == args->cap) {
                uint32_t cap = args->cap ? args->cap * 2 : 4;
                args->v = arena_grow(l->arena, args->v, args->cap * sizeof *args->v, cap * sizeof *args->v);
                args->cap = cap;
            }
            args->v[args->n++] = arg;
        }
        lexer_skip_blank(l);
        int c = lexer_peek(l, 0);
        if (l->p < l->end && c != ',' && c != '|' && c != ')') {
            struct str s = lexer_snapshot(l, l->p);
            return lexer_fail(l, l->p, "unexpected character %.*s", STR_ARG(s));
        }
    } while (lexer_peek(l, 0) == ',');
    return true;
}

/* more: whether a filter was read. */
static bool read_filter(struct lexer *l, struct filter_call *out, bool *more)
{
    *more = false;
    lexer_skip_blank(l);
    int c = lexer_peek(l, 0);
    if (l->p >= l->end || c == ')' || c == ',')
        return true;
    l->p++;
    if (c != '|')
        return lexer_fail(l, l->p, "expected \"|\" before filter");
    struct str name = lexer_identifier(l);
    if (!name.n)
        return l->p >= l->end || lexer_fail(l, l->p, "expected filter name");
    struct arg_list args = {0};
    lexer_skip_blank(l);
    c = lexer_peek(l, 0);
    if (c == ':') {
        if (!read_arguments(l, &args))
            return false;
    } else if (c != '|' && c != ')' && c != ',' && l->p < l->end) {
        return lexer_fail(l, l->p, "expected \":\" after filter name");
    }
    *more = true;
    *out = (struct filter_call){filter_find(name), args.v, args.n, name};
    l->raw_filter |= filter_is_raw(out->filter);
    return true;
}

bool lexer_filtered_value(struct lexer *l, struct liquid_value *out)
{
    struct filter_list list = {0};
    bool more = true;
    *out = (struct liquid_value){.begin = (uint32_t)l->p};
    if (!read_expression(l, &out->expr))
        return false;
    if (!out->expr.n) {
        struct str s = lexer_snapshot(l, l->p);
        return lexer_fail(l, l->p, "invalid value expression: %.*s", STR_ARG(s));
    }
    for (;;) {
        struct filter_call call;
        if (!read_filter(l, &call, &more))
            return false;
        if (!more)
            break;
        if (list.n == list.cap) {
            uint32_t cap = list.cap ? list.cap * 2 : 2;
            list.v = arena_grow(l->arena, list.v, list.cap * sizeof *list.v, cap * sizeof *list.v);
            list.cap = cap;
        }
        list.v[list.n++] = call;
    }
    out->filters = list.v;
    out->filters_n = list.n;
    out->end = (uint32_t)l->p;
    return true;
}

/* name: value, name: value …; a name alone means true. The last of equal names wins. */
bool lexer_hash(struct lexer *l, struct hash_args *out)
{
    uint32_t cap = 0;
    *out = (struct hash_args){0};
    for (;;) {
        lexer_skip_blank(l);
        if (lexer_peek(l, 0) == ',')
            l->p++;
        struct hash_arg arg = {.name = lexer_identifier(l)};
        if (!arg.name.n)
            return true;
        lexer_skip_blank(l);
        if (lexer_peek(l, 0) == ':') {
            l->p++;
            if (!lexer_value(l, &arg.operand))
                return false;
        }
        if (out->n == cap) {
            uint32_t more = cap ? cap * 2 : 4;
            out->v = arena_grow(l->arena, out->v, cap * sizeof *out->v, more * sizeof *out->v);
            cap = more;
        }
        out->v[out->n++] = arg;
    }
}
