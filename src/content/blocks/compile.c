/* Compiles a document: finished HTML where nothing varies, ops where something does. */
#include "content/blocks/blocks_private.h"

#include "content/translation_keys.h"

/* ---- code ---- */

static void html_flush(struct compiler *c)
{
    if (!c->html.n)
        return;
    struct op *op = ARENA_SLOT(c->a, c->ops, c->ops_n, c->ops_cap);
    *op = (struct op){.kind = OP_HTML, .html = buf_get(&c->html)};
    c->html = (struct buf){.arena = c->a};
}

void put_op(struct compiler *c, struct op op)
{
    html_flush(c);
    *ARENA_SLOT(c->a, c->ops, c->ops_n, c->ops_cap) = op;
}

struct section code_begin(struct compiler *c)
{
    html_flush(c);
    struct section outer = {c->ops, c->ops_n, c->ops_cap};
    c->ops = NULL;
    c->ops_n = c->ops_cap = 0;
    return outer;
}

struct code code_end(struct compiler *c, const struct section *outer)
{
    html_flush(c);
    struct code code = {c->ops, c->ops_n};
    c->ops = outer->ops;
    c->ops_n = outer->n;
    c->ops_cap = outer->cap;
    return code;
}

void put_fail(struct compiler *c, const char *what, struct str type)
{
    put_op(c, (struct op){.kind = OP_FAIL, .html = str_fmt(c->a, "%s type \"%.*s\" is not supported.", what, STR_ARG(str_cut(type, 200)))});
}

void put_margin(struct compiler *c, enum margin m, const char *kept, const char *removed)
{
    if (m == MARGIN_LATER)
        put_op(c, (struct op){.kind = OP_MARGIN, .margin = {str_of(kept), str_of(removed)}});
    else
        put_z(c, m == MARGIN_KEPT ? kept : removed);
}

/* ---- text ---- */

void put_escaped(struct buf *b, struct str s)
{
    static const char *const escapes[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#x27;"};
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch >= 128 || !escapes[ch])
            continue;
        buf_add(b, s.p + from, i - from);
        buf_z(b, escapes[ch]);
        from = i + 1;
    }
    if (s.n > from)
        buf_add(b, s.p + from, s.n - from);
}

static const struct str no_break_space = {"\xc2\xa0", 2};

void put_spaced(struct buf *b, struct str s, enum put_how how)
{
    size_t spaces = 0, i = 0, n;
    if (how == PUT_SPACED || how == PUT_RAW_SPAN)
        for (; i < s.n && (n = text_space(s, i)); i += n)
            spaces++;
    if (!s.n)
        buf_str(b, no_break_space);
    else if (spaces && i == s.n)
        for (; spaces; spaces--)
            buf_str(b, no_break_space);
    else if (how == PUT_RAW_SPAN) {
        buf_z(b, "<span>");
        buf_str(b, s);
        buf_z(b, "</span>");
    } else {
        put_escaped(b, s);
    }
}

void put_leaf(struct compiler *c, const struct leaf *l, enum put_how how)
{
    if (l->kind == LEAF_TEMPLATE)
        put_op(c, (struct op){.kind = OP_PUT, .how = how, .t = l->t});
    else if (how == PUT_RAW)
        buf_str(&c->html, l->s);
    else if (how == PUT_ESCAPED)
        put_escaped(&c->html, l->s);
    else
        put_spaced(&c->html, l->s, how);
}

/* ---- leaves ---- */

static struct leaf leaf_of(struct compiler *c, struct str s)
{
    struct leaf l = {.kind = LEAF_TEXT, .s = s};
    if (c->literal || (str_find(s, STR("{{")) < 0 && str_find(s, STR("{%")) < 0))
        return l;
    struct str safe = translation_keys_protect(c->a, s);
    c->b->translations |= safe.p != s.p;
    struct liquid_template *t = liquid_parse_leaf(c->a, safe, &c->b->names, NULL);
    if (!t) {
        c->b->whole = true;
        return l;
    }
    c->b->whole |= t->raw_filter;       /* writes into the JSON unescaped */
    if (liquid_is_static(t)) {
        l.s = translation_keys_restore(c->a, safe);
        return l;
    }
    return (struct leaf){.kind = LEAF_TEMPLATE, .t = t};
}

struct leaf leaf_text(struct compiler *c, yyjson_val *v)
{
    char number[NUMBER_TEXT_MAX];
    if (!v)
        return (struct leaf){.kind = LEAF_ABSENT};
    if (yyjson_is_str(v))
        return leaf_of(c, json_str(v));
    if (!yyjson_is_num(v))
        return (struct leaf){.kind = LEAF_NULL};
    struct str s = {number, number_print(yyjson_get_num(v), number)};
    return (struct leaf){.kind = LEAF_TEXT, .number = true, .s = str_dup(c->a, s)};
}

struct str variable_liquid(struct arena *a, struct str value, yyjson_val *attrs)
{
    struct str fallback = json_get_str(attrs, "fallback"), alias = json_get_str(attrs, "aliasFor");
    struct str expression = alias.n ? alias : value, trimmed = str_trim(expression);
    if (str_starts(trimmed, STR("{{")) && str_ends(trimmed, STR("}}")))
        return trimmed;
    if (!fallback.n)
        return str_fmt(a, "{{ %.*s }}", STR_ARG(expression));
    /* Liquid has no escapes for quotes; upstream breaks on the first one. */
    char quote = memchr(fallback.p, '\'', fallback.n) ? '"' : '\'';
    struct buf b = {.arena = a};
    buf_fmt(&b, "{{ %.*s | default: %c", STR_ARG(expression), quote);
    for (size_t i = 0; i < fallback.n; i++)
        buf_z(&b, fallback.p[i] == quote ? "\xe2\x80\x9d" : (char[2]){fallback.p[i]});
    buf_fmt(&b, "%c }}", quote);
    return buf_get(&b);
}

static bool path_ends(struct str s, size_t at)
{
    return at >= s.n || memchr(".[ \t|", s.p[at], 5);
}

struct str variable_index(struct arena *a, struct str text, struct str path, struct str index)
{
    ptrdiff_t open = str_find(text, STR("{{"));
    if (open < 0 || !path.n)
        return text;
    struct str rest = str_sub(text, (size_t)open, text.n);
    ptrdiff_t close = str_find(rest, STR("}}"));
    if (close < 0)
        return text;
    const char *bar = memchr(rest.p, '|', (size_t)close);
    struct str expression = str_sub(rest, 0, bar ? (size_t)(bar - rest.p) : (size_t)close);
    ptrdiff_t at = str_find(expression, path);
    if (at < 0 || !path_ends(expression, (size_t)at + path.n))
        return text;
    /* An element that was chosen by hand stays chosen. */
    if (expression.p[(size_t)at + path.n] == '[')
        return text;
    size_t end = (size_t)open + (size_t)at + path.n;
    return str_fmt(a, "%.*s[%.*s]%.*s", (int)end, text.p, STR_ARG(index), (int)(text.n - end), text.p + end);
}

static struct str loops_index(struct compiler *c, const struct loop *loop, struct str text)
{
    if (!loop)
        return text;
    text = loops_index(c, loop->outer, text);
    return variable_index(c->a, text, loop->path, loop->name);
}

struct leaf leaf_variable(struct compiler *c, yyjson_val *attrs, const char *key, const char *flag)
{
    yyjson_val *v = json_get(attrs, key), *set = json_get(attrs, flag);
    if (!yyjson_is_str(v) || c->literal)
        return leaf_text(c, v);
    struct str s = json_str(v);
    bool is_variable = set == v || yyjson_is_true(set);
    if (is_variable && s.n)
        s = variable_liquid(c->a, s, attrs);
    return leaf_of(c, loops_index(c, c->loop, s));
}

/* ---- children ---- */

bool margin_is_removed(struct str type, struct str parent, bool last, bool before_spacer)
{
    static const char *const closing[] = {"section", "column", "repeat", "show"};
    if (before_spacer || (str_eqz(parent, "blockquote") && !str_eqz(type, "blockquote")))
        return true;
    for (size_t i = 0; last && i < sizeof closing / sizeof *closing; i++)
        if (str_eqz(parent, closing[i]))
            return true;
    return false;
}

static bool is_repeat(yyjson_val *node)
{
    struct str type = json_get_str(node, "type");
    return str_eqz(type, "repeat") || str_eqz(type, "for");
}

static yyjson_val *show_of(yyjson_val *node)
{
    yyjson_val *v = json_get(json_get(node, "attrs"), "showIfKey");
    return yyjson_is_null(v) ? NULL : v;
}

static bool is_varying(const struct compiler *c, yyjson_val *node)
{
    return is_repeat(node) || (!c->literal && show_of(node));
}

static void compile_items(struct compiler *c, yyjson_val *children, struct str parent, struct item **items, uint32_t *n);

static void compile_repeat(struct compiler *c, yyjson_val *node, struct str parent, struct item *item)
{
    yyjson_val *attrs = json_get(node, "attrs"), *each = json_get(attrs, "each");
    int depth = 0;
    for (const struct loop *l = c->loop; l; l = l->outer)
        depth++;
    item->each_text = json_str(each).n ? variable_liquid(c->a, json_str(each), attrs) : STR("");
    struct str text = loops_index(c, c->loop, item->each_text);
    item->each = liquid_parse_leaf(c->a, translation_keys_protect(c->a, text), &c->b->names, NULL);
    c->b->whole |= !item->each;
    item->iterations = iterations_of(json_get(attrs, "iterations"));
    struct str path = str_starts(text, STR("{{")) ? str_sub(text, 2, text.n - 2) : text;
    const char *bar = path.n ? memchr(path.p, '|', path.n) : NULL;
    struct loop loop = {
        .path = str_trim(bar ? str_sub(path, 0, (size_t)(bar - path.p)) : path),
        .name = str_fmt(c->a, "carillon-repeat-%d", depth),
        .outer = c->loop,
    };
    c->loop = &loop;
    struct item *items;
    compile_items(c, json_get(node, "content"), parent, &items, &item->items_n);
    item->items = items;
    c->loop = loop.outer;
    item->slot = names_find(&c->b->names, loop.name);
}

static void compile_item(struct compiler *c, yyjson_val *node, struct str parent, struct item *item)
{
    yyjson_val *attrs = json_get(node, "attrs"), *show = c->literal ? NULL : show_of(node);
    struct str type = json_get_str(node, "type");
    *item = (struct item){.spacer = str_eqz(type, "spacer"), .slot = -1};
    if (show) {
        struct leaf l = leaf_variable(c, attrs, "showIfKey", "showIfKey");
        struct arena *a = c->a;
        struct str always = l.kind == LEAF_TEXT ? l.s : yyjson_is_true(show) ? STR("true") : STR("");
        /* A condition without variables is known now; as a template it is decided in the one way there is. */
        item->show = l.kind == LEAF_TEMPLATE ? l.t : liquid_parse_leaf(a, always, &c->b->names, NULL);
    }
    if (is_repeat(node)) {
        compile_repeat(c, node, parent, item);
        return;
    }
    struct section outer = code_begin(c);
    struct str own = parent.n ? parent : type;
    item->last_loses = margin_is_removed(type, own, true, false);
    compile_node(c, node, (struct place){own, margin_is_removed(type, own, false, false) ? MARGIN_REMOVED : MARGIN_LATER});
    item->code = code_end(c, &outer);
}

static void compile_items(struct compiler *c, yyjson_val *children, struct str parent, struct item **items, uint32_t *n)
{
    size_t i, max;
    yyjson_val *child;
    *n = 0;
    *items = ARENA_ARRAY(c->a, struct item, yyjson_arr_size(children) + 1);
    yyjson_arr_foreach(children, i, max, child)
        if (!is_repeat(child) || yyjson_is_str(json_get(json_get(child, "attrs"), "each")))   /* else of nothing */
            compile_item(c, child, parent, &(*items)[(*n)++]);
}

static bool has_varying(const struct compiler *c, yyjson_val *children)
{
    size_t i, n;
    yyjson_val *child;
    yyjson_arr_foreach(children, i, n, child)
        if (is_varying(c, child))
            return true;
    return false;
}

bool children_vary(struct compiler *c, yyjson_val *children)
{
    bool vary = has_varying(c, children);
    c->b->whole |= vary && !c->literal;
    return vary && !c->literal;
}

/* parent empty: the top level, where every node counts as its own parent. */
static void compile_list(struct compiler *c, yyjson_val *children, struct str parent)
{
    size_t i, n;
    yyjson_val *child;
    if (has_varying(c, children)) {
        struct op op = {.kind = OP_LIST};
        struct item *items;
        compile_items(c, children, parent, &items, &op.list.n);
        op.list.items = items;
        put_op(c, op);
        return;
    }
    yyjson_arr_foreach(children, i, n, child) {
        yyjson_val *next = i + 1 < n ? yyjson_arr_get(children, i + 1) : NULL;
        struct str type = json_get_str(child, "type"), own = parent.n ? parent : type;
        bool removed = margin_is_removed(type, own, !next, str_eqz(json_get_str(next, "type"), "spacer"));
        compile_node(c, child, (struct place){own, removed ? MARGIN_REMOVED : MARGIN_KEPT});
    }
}

void compile_children(struct compiler *c, yyjson_val *node, struct str type)
{
    compile_list(c, json_get(node, "content"), type);
}

static struct blocks *compile_document(struct arena *a, yyjson_val *doc, bool literal)
{
    struct blocks *b = ARENA_NEW(a, struct blocks);
    struct compiler c = {.a = a, .b = b, .literal = literal, .css_work = CSS_WORK_MAX, .html = {.arena = a}};
    b->doc = doc;
    struct section outer = code_begin(&c);
    compile_list(&c, json_get(doc, "content"), STR_NULL);
    b->code = code_end(&c, &outer);
    return b;
}

struct blocks *blocks_compile(struct arena *a, yyjson_val *doc)
{
    return compile_document(a, doc, false);
}

struct blocks *blocks_compile_literal(struct arena *a, yyjson_val *doc)
{
    return compile_document(a, doc, true);
}
