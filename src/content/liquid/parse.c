/* Builds the program: one node a text, output or tag; blocks hold their own list of nodes. */
#include "content/liquid/liquid_private.h"

struct parser {
    struct lexer *l;
    struct token *v;
    uint32_t n, i;
    int depth;
};

struct node_list { struct node *v; uint32_t n, cap; };

static bool parse_token(struct parser *p, const struct token *t, struct node *out);

static struct str token_text(const struct parser *p, const struct token *t)
{
    return (struct str){p->l->source.p + t->begin, t->text_end - t->begin};
}

static struct str token_args(const struct parser *p, const struct token *t)
{
    return (struct str){p->l->source.p + t->p, t->content_end > t->p ? t->content_end - t->p : 0};
}

/* The lexer of what is behind a tag's name, or of an output's expression. */
static struct lexer *content_lexer(struct parser *p, const struct token *t)
{
    p->l->p = t->p;
    p->l->end = t->content_end;
    return p->l;
}

static bool is_tag(const struct token *t, const char *name)
{
    return t->kind == TOKEN_TAG && str_eqz(t->name, name);
}

static void node_add(struct parser *p, struct node_list *list, const struct node *node)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 4;
        list->v = arena_grow(p->l->arena, list->v, list->cap * sizeof *list->v, cap * sizeof *list->v);
        list->cap = cap;
    }
    list->v[list->n++] = *node;
}

static struct nodes nodes_of(const struct node_list *list)
{
    return (struct nodes){list->v, list->n};
}

static bool not_closed(struct parser *p, const struct token *t)
{
    struct str s = token_text(p, t);
    return lexer_fail(p->l, t->begin, "tag %.*s not closed", STR_ARG(s));
}

/* `tag` is where the complaint is reported: the opening tag of the block. */
static bool no_args(struct parser *p, const struct token *t, const struct token *tag)
{
    struct str args = token_args(p, t);
    if (!args.n)
        return true;
    args = liquid_quote(p->l->arena, args);
    return lexer_fail(p->l, tag->begin, "unexpected %.*s", STR_ARG(args));
}

/* Parses nodes into list until one of the names (NULL-ended) comes as a tag; *stop is then that token, NULL at the
 * end. list may be NULL: parsed and dropped. */
static bool parse_until(struct parser *p, const char *const *names, struct node_list *list, const struct token **stop)
{
    *stop = NULL;
    while (p->i < p->n) {
        const struct token *t = &p->v[p->i++];
        for (const char *const *name = names; t->kind == TOKEN_TAG && *name; name++) {
            if (str_eqz(t->name, *name)) {
                *stop = t;
                return true;
            }
        }
        struct node node;
        if (!parse_token(p, t, &node))
            return false;
        if (list && node.kind != NODE_NOTHING)
            node_add(p, list, &node);
    }
    return true;
}

static bool parse_all(struct parser *p, struct nodes *out)
{
    static const char *const none[] = {NULL};
    struct node_list list = {0};
    const struct token *stop;
    if (!parse_until(p, none, &list, &stop))
        return false;
    *out = nodes_of(&list);
    return true;
}

/* ---- blocks ---- */
struct branch_list { struct branch *v; uint32_t n, cap; };

static struct branch *branch_new(struct parser *p, struct branch_list *list)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 2;
        list->v = arena_grow(p->l->arena, list->v, list->cap * sizeof *list->v, cap * sizeof *list->v);
        list->cap = cap;
    }
    struct branch *b = &list->v[list->n++];
    *b = (struct branch){0};
    return b;
}

static bool parse_if(struct parser *p, const struct token *tag, struct node *out)
{
    static const char *const names[] = {"elsif", "else", "endif", NULL};
    struct branch_list list = {0};
    bool otherwise = false;
    const struct token *stop = tag;
    for (;;) {
        struct liquid_value test = {0};
        struct node_list body = {0};
        if (!otherwise && !lexer_filtered_value(content_lexer(p, stop), &test))
            return false;
        if (!parse_until(p, names, &body, &stop))
            return false;
        if (otherwise)
            out->branches.otherwise = nodes_of(&body);
        else
            *branch_new(p, &list) = (struct branch){.test = test, .body = nodes_of(&body)};
        if (!stop)
            return not_closed(p, tag);
        if (is_tag(stop, "elsif")) {
            if (otherwise)
                return lexer_fail(p->l, tag->begin, "unexpected elsif after else");
            continue;
        }
        if (!no_args(p, stop, tag))
            return false;
        if (is_tag(stop, "endif"))
            break;
        if (otherwise)
            return lexer_fail(p->l, tag->begin, "duplicated else");
        otherwise = true;
    }
    out->branches.v = list.v;
    out->branches.n = list.n;
    return true;
}

/* Unlike if, unless and case ignore what follows their first else. */
static bool parse_unless(struct parser *p, const struct token *tag, struct node *out)
{
    static const char *const names[] = {"elsif", "else", "endunless", NULL};
    struct branch_list list = {0};
    int elses = 0;
    bool dropped = false;
    const struct token *stop = tag;
    for (;;) {
        struct liquid_value test = {0};
        struct node_list body = {0};
        if (!elses && !lexer_filtered_value(content_lexer(p, stop), &test))
            return false;
        if (!parse_until(p, names, &body, &stop))
            return false;
        if (!elses)
            *branch_new(p, &list) = (struct branch){.test = test, .body = nodes_of(&body)};
        else if (elses == 1 && !dropped)
            out->branches.otherwise = nodes_of(&body);
        if (!stop)
            return not_closed(p, tag);
        if (is_tag(stop, "endunless"))
            break;
        if (is_tag(stop, "else"))
            elses++;
        dropped = elses && is_tag(stop, "elsif");
    }
    out->branches.v = list.v;
    out->branches.n = list.n;
    if (list.n)
        list.v[0].negate = true;
    return true;
}

static bool parse_whens(struct parser *p, const struct token *t, struct branch *b)
{
    struct lexer *l = content_lexer(p, t);
    uint32_t cap = 0;
    while (l->p < l->end) {
        if (b->whens_n == cap) {
            uint32_t more = cap ? cap * 2 : 2;
            b->whens = arena_grow(l->arena, b->whens, cap * sizeof *b->whens, more * sizeof *b->whens);
            cap = more;
        }
        if (!lexer_value_required(l, &b->whens[b->whens_n++]))
            return false;
        lexer_skip_blank(l);
        lexer_read_to(l, lexer_peek(l, 0) == ',' ? "," : "or");
    }
    return true;
}

static bool parse_case(struct parser *p, const struct token *tag, struct node *out)
{
    static const char *const names[] = {"when", "else", "endcase", NULL};
    struct branch_list list = {0};
    struct node_list otherwise = {0};
    int elses = 0;
    const struct token *stop = tag;
    if (!lexer_filtered_value(content_lexer(p, tag), &out->branches.target))
        return false;
    for (;;) {
        struct branch when = {0};
        struct node_list body = {0};
        bool keep = is_tag(stop, "when") && !elses;
        if (keep && !parse_whens(p, stop, &when))
            return false;
        if (!parse_until(p, names, elses == 1 ? &otherwise : keep ? &body : NULL, &stop))
            return false;
        when.body = nodes_of(&body);
        if (keep)
            *branch_new(p, &list) = when;
        if (!stop)
            return not_closed(p, tag);
        if (is_tag(stop, "endcase"))
            break;
        if (is_tag(stop, "else"))
            elses++;
    }
    out->branches.otherwise = nodes_of(&otherwise);
    out->branches.v = list.v;
    out->branches.n = list.n;
    return true;
}

static bool illegal_tag(struct parser *p, const struct token *t)
{
    struct str s = token_text(p, t);
    return lexer_fail(p->l, t->begin, "illegal tag: %.*s", STR_ARG(s));
}

static bool parse_loop_head(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    out->loop.name = lexer_identifier(l);
    bool in = str_eq(lexer_identifier(l), STR("in"));
    if (!lexer_value(l, &out->loop.collection))
        return false;
    if (!in || out->loop.collection.kind == OPERAND_NONE || (out->kind == NODE_FOR && !out->loop.name.n))
        return illegal_tag(p, tag);
    struct operand *c = &out->loop.collection;
    out->loop.text = (struct str){l->source.p + c->begin, c->end - c->begin};
    out->loop.slot = lexer_slot(l, out->loop.name);
    out->loop.loop_slot = lexer_slot(l, out->kind == NODE_FOR ? STR("forloop") : STR("tablerowloop"));
    return lexer_hash(l, &out->loop.args);
}

static bool parse_for(struct parser *p, const struct token *tag, struct node *out)
{
    static const char *const names[] = {"else", "endfor", NULL};
    struct node_list body = {0}, otherwise = {0};
    const struct token *stop;
    bool elses = false;
    if (!parse_loop_head(p, tag, out))
        return false;
    for (;;) {
        if (!parse_until(p, names, elses ? &otherwise : &body, &stop))
            return false;
        if (!stop)
            return not_closed(p, tag);
        if (!no_args(p, stop, tag))
            return false;
        if (is_tag(stop, "endfor"))
            break;
        elses = true;
    }
    out->loop.body = nodes_of(&body);
    out->loop.otherwise = nodes_of(&otherwise);
    return true;
}

/* The body of tags without inner tags of their own. */
static bool parse_body(struct parser *p, const struct token *tag, const char *end, struct nodes *out)
{
    const char *const names[] = {end, NULL};
    struct node_list body = {0};
    const struct token *stop;
    if (!parse_until(p, names, &body, &stop))
        return false;
    *out = nodes_of(&body);
    return stop || not_closed(p, tag);
}

static bool parse_tablerow(struct parser *p, const struct token *tag, struct node *out)
{
    return parse_loop_head(p, tag, out) && parse_body(p, tag, "endtablerow", &out->loop.body);
}

static bool parse_capture(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    out->capture.name = lexer_identifier(l);
    if (!out->capture.name.n) {
        struct operand quoted;
        lexer_quoted(l, &quoted);
        if (quoted.kind == OPERAND_NONE)
            return lexer_fail(l, l->p, "invalid capture name");
        out->capture.name = quoted.value.s;
    }
    out->capture.slot = lexer_slot(l, out->capture.name);
    return parse_body(p, tag, "endcapture", &out->capture.body);
}

static bool parse_comment(struct parser *p, const struct token *tag, struct node *out)
{
    out->kind = NODE_NOTHING;
    while (p->i < p->n)
        if (is_tag(&p->v[p->i++], "endcomment"))
            return true;
    return not_closed(p, tag);
}

static bool parse_raw(struct parser *p, const struct token *tag, struct node *out)
{
    size_t from = 0, to = 0;
    out->kind = NODE_TEXT;
    for (bool first = true; p->i < p->n; first = false) {
        const struct token *t = &p->v[p->i++];
        if (is_tag(t, "endraw")) {
            out->text = (struct str){p->l->source.p + from, to - from};
            return true;
        }
        if (first)
            from = t->begin;
        to = t->text_end;
    }
    return not_closed(p, tag);
}

/* ---- single tags ---- */
static bool parse_assign(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    out->assign.name = lexer_identifier(l);
    if (!out->assign.name.n)
        return lexer_fail(l, l->p, "expected variable name");
    lexer_skip_blank(l);
    if (lexer_peek(l, 0) != '=')
        return lexer_fail(l, l->p, "expected \"=\"");
    l->p++;
    out->assign.slot = lexer_slot(l, out->assign.name);
    return lexer_filtered_value(l, &out->assign.value);
}

static bool parse_counter(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    out->capture.name = lexer_identifier(l);
    out->capture.slot = lexer_slot(l, out->capture.name);
    return true;
}

static bool parse_cycle(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    struct buf key = {.arena = l->arena};
    size_t begin = l->p;
    uint32_t cap = 0;
    if (!lexer_value(l, &out->cycle.group))
        return false;
    lexer_skip_blank(l);
    if (out->cycle.group.kind != OPERAND_NONE && lexer_peek(l, 0) == ':') {
        l->p++;
    } else if (out->cycle.group.kind != OPERAND_NONE) {
        out->cycle.group = (struct operand){0};
        l->p = begin;
    }
    while (l->p < l->end) {
        if (out->cycle.n == cap) {
            uint32_t more = cap ? cap * 2 : 4;
            out->cycle.v = arena_grow(l->arena, out->cycle.v, cap * sizeof *out->cycle.v, more * sizeof *out->cycle.v);
            cap = more;
        }
        struct liquid_value *v = &out->cycle.v[out->cycle.n++];
        if (!lexer_filtered_value(l, v))
            return false;
        if (key.n)
            buf_char(&key, ',');
        buf_add(&key, l->source.p + v->begin, (v->end < l->end ? v->end : l->end) - v->begin);
        lexer_read_to(l, ",");
    }
    out->cycle.key = buf_get(&key);
    if (out->cycle.n)
        return true;
    struct str s = token_text(p, tag);
    return lexer_fail(l, l->p, "empty candidates: \"%.*s\"", STR_ARG(s));
}

static bool parse_echo(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    lexer_skip_blank(l);
    if (l->p < l->end)
        return lexer_filtered_value(l, &out->value);
    out->kind = NODE_NOTHING;
    return true;
}

static bool parse_liquid_tag(struct parser *p, const struct token *tag, struct node *out)
{
    struct parser in = {.l = p->l, .depth = p->depth};
    return lexer_liquid_tokens(p->l, tag->p, tag->content_end, &in.v, &in.n) && parse_all(&in, &out->capture.body);
}

static bool parse_inline_comment(struct parser *p, const struct token *tag, struct node *out)
{
    struct str args = token_args(p, tag);
    out->kind = NODE_NOTHING;
    for (size_t i = 0; i < args.n; i++) {
        size_t k = i + 1, n;
        if (args.p[i] != '\n')
            continue;
        while ((n = text_space(args, k)))
            k += n;
        if (k < args.n && args.p[k] != '#')
            return lexer_fail(p->l, tag->begin, "every line of an inline comment must start with a '#' character");
    }
    return true;
}

static bool parse_file(struct parser *p, struct lexer *l, struct file_arg *file)
{
    struct operand o;
    if (!lexer_value(l, &o))
        return false;
    if (o.kind == OPERAND_NONE)
        return lexer_fail(l, l->p, "illegal file path");
    file->operand = o;
    file->none = str_eq((struct str){l->source.p + o.begin, o.end - o.begin}, STR("none"));
    if (o.kind != OPERAND_VALUE || o.value.kind != V_STRING || !memchr("'\"", l->source.p[o.begin], 2))
        return true;
    /* A quoted name is a template of its own; its mistakes are reported at its own place. */
    struct lexer name = {.arena = l->arena, .source = o.value.s, .end = o.value.s.n, .leaf = l->leaf, .err = l->err,
                         .names = l->names};
    struct parser in = {.l = &name, .depth = p->depth};
    file->is_template = true;
    bool ok = lexer_tokens(&name, &in.v, &in.n) && parse_all(&in, &file->name);
    l->failed = name.failed;
    l->halves |= name.halves;
    return ok;
}

static bool parse_layout(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    return parse_file(p, l, &out->file.file) && lexer_hash(l, &out->file.args) && parse_all(p, &out->file.body);
}

static bool parse_include(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    if (!parse_file(p, l, &out->file.file))
        return false;
    size_t begin = l->p;
    if (str_eq(lexer_identifier(l), STR("with"))) {
        lexer_skip_blank(l);
        if (lexer_peek(l, 0) != ':') {
            if (!lexer_value(l, &out->file.with))
                return false;
            begin = l->p;
        }
    }
    l->p = begin;
    return lexer_hash(l, &out->file.args);
}

static bool parse_render(struct parser *p, const struct token *tag, struct node *out)
{
    struct lexer *l = content_lexer(p, tag);
    if (!parse_file(p, l, &out->file.file))
        return false;
    while (l->p < l->end) {
        struct operand value = {0};
        lexer_skip_blank(l);
        size_t begin = l->p;
        struct str keyword = lexer_identifier(l);
        bool with = str_eq(keyword, STR("with"));
        if (with || str_eq(keyword, STR("for"))) {
            lexer_skip_blank(l);
            if (lexer_peek(l, 0) != ':' && !lexer_value(l, &value))
                return false;
        }
        if (value.kind == OPERAND_NONE) {
            l->p = begin;
            break;
        }
        size_t before = l->p;
        if (str_eq(lexer_identifier(l), STR("as")))
            lexer_identifier(l);
        else
            l->p = before;
        *(with ? &out->file.with : &out->file.each) = value;
        lexer_skip_blank(l);
        if (lexer_peek(l, 0) == ',')
            l->p++;
    }
    return lexer_hash(l, &out->file.args);
}

static bool parse_block(struct parser *p, const struct token *tag, struct node *out)
{
    out->capture.slot = lexer_slot(p->l, STR("block"));
    return parse_body(p, tag, "endblock", &out->capture.body);
}

static bool parse_nothing(struct parser *p, const struct token *tag, struct node *out)
{
    (void)p;
    (void)tag;
    (void)out;
    return true;
}

static const struct tag_entry {
    const char *name;
    enum node_kind kind;
    bool (*parse)(struct parser *p, const struct token *tag, struct node *out);
} tags[] = {
    {"if", NODE_IF, parse_if}, {"for", NODE_FOR, parse_for}, {"assign", NODE_ASSIGN, parse_assign},
    {"unless", NODE_UNLESS, parse_unless}, {"case", NODE_CASE, parse_case}, {"capture", NODE_CAPTURE, parse_capture},
    {"comment", NODE_NOTHING, parse_comment}, {"echo", NODE_ECHO, parse_echo}, {"cycle", NODE_CYCLE, parse_cycle},
    {"raw", NODE_TEXT, parse_raw}, {"tablerow", NODE_TABLEROW, parse_tablerow},
    {"increment", NODE_INCREMENT, parse_counter}, {"decrement", NODE_DECREMENT, parse_counter},
    {"break", NODE_BREAK, parse_nothing}, {"continue", NODE_CONTINUE, parse_nothing},
    {"liquid", NODE_LIQUID, parse_liquid_tag}, {"#", NODE_NOTHING, parse_inline_comment},
    {"include", NODE_INCLUDE, parse_include}, {"render", NODE_RENDER, parse_render},
    {"layout", NODE_LAYOUT, parse_layout}, {"block", NODE_BLOCK, parse_block},
};

static bool parse_tag(struct parser *p, const struct token *t, struct node *out)
{
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!str_eqz(t->name, tags[i].name))
            continue;
        out->kind = tags[i].kind;
        if (p->depth >= LIQUID_DEPTH_MAX)
            return lexer_fail(p->l, t->begin, "parse length limit exceeded");
        p->depth++;
        bool ok = tags[i].parse(p, t, out);
        p->depth--;
        return ok;
    }
    return lexer_fail(p->l, t->begin, "tag \"%.*s\" not found", STR_ARG(t->name));
}

static bool parse_token(struct parser *p, const struct token *t, struct node *out)
{
    *out = (struct node){.kind = NODE_TEXT, .begin = t->begin};
    if (t->kind == TOKEN_TAG)
        return parse_tag(p, t, out);
    if (t->kind == TOKEN_OUTPUT) {
        out->kind = NODE_OUTPUT;
        return lexer_filtered_value(content_lexer(p, t), &out->value);
    }
    out->text = (struct str){p->l->source.p + t->begin, t->end - t->begin};
    if (t->end == t->begin)
        out->kind = NODE_NOTHING;
    return true;
}

static struct liquid_template *parse_source(struct arena *a, struct str source, struct liquid_names *names, bool leaf,
                                            struct error *err)
{
    struct liquid_template *t = ARENA_NEW(a, struct liquid_template);
    struct lexer l = {.arena = a, .source = source, .end = source.n, .leaf = leaf, .err = err, .names = names};
    struct parser p = {.l = &l};
    t->source = source;
    t->leaf = leaf;
    t->names = names;
    if (source.n > LIQUID_SOURCE_MAX) {
        lexer_fail(&l, 0, "parse length limit exceeded");
        return NULL;
    }
    if (!lexer_tokens(&l, &p.v, &p.n) || !parse_all(&p, &t->nodes))
        return NULL;
    t->raw_filter = l.raw_filter;
    t->halves = l.halves;
    return t;
}

struct liquid_template *liquid_parse(struct arena *a, struct str source, struct error *err)
{
    return parse_source(a, source, ARENA_NEW(a, struct liquid_names), false, err);
}

struct liquid_template *liquid_parse_leaf(struct arena *a, struct str source, struct liquid_names *names, struct error *err)
{
    return parse_source(a, source, names, true, err);
}

bool liquid_is_static(const struct liquid_template *t)
{
    const struct nodes *n = &t->nodes;
    if (n->n == 0)
        return t->source.n == 0;
    return n->n == 1 && n->v[0].kind == NODE_TEXT && n->v[0].text.n == t->source.n;
}
