/* Block documents become HTML templates: variables and tags are taken out as marks, the rest is rendered as always, and the
 * marks are put back as Liquid. */
#include "content/email_convert.h"

#include "content/email.h"
#include "content/template_check.h"

/* The rendering of a step is without: it is put on again when it is sent. */
#define DOCTYPE "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">"

/* A repetition that is being walked through: what its elements are called in the source and in the template. */
struct loop {
    const struct loop *outer;
    struct str path, name;
};

struct mark {
    struct str liquid;                  /* what it stands for */
    bool block;                         /* it takes the place of a block */
};

struct conversion {
    struct arena *a;
    yyjson_mut_doc *d;
    struct str prefix;                  /* of marks; nothing in the source begins so */
    struct mark *marks;                 /* by number */
    size_t n, cap;
    int loops;
};

static struct str text_of(yyjson_mut_val *v)
{
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

static struct str member(yyjson_mut_val *o, const char *key)
{
    return text_of(yyjson_mut_obj_get(o, key));
}

static struct str mark_add(struct conversion *c, struct str liquid, bool block)
{
    *ARENA_SLOT(c->a, c->marks, c->n, c->cap) = (struct mark){liquid, block};
    return str_fmt(c->a, "%.*s%zuq", STR_ARG(c->prefix), c->n - 1);
}

/* "payload.items.name | upcase" → "item.name | upcase" */
static struct str renamed(struct conversion *c, const struct loop *loop, struct str expression)
{
    struct str s = str_trim(expression);
    for (; loop; loop = loop->outer)
        if (str_starts(s, loop->path) && (s.n == loop->path.n || strchr(". |", s.p[loop->path.n])))
            return str_fmt(c->a, "%.*s%.*s", STR_ARG(loop->name), (int)(s.n - loop->path.n), s.p + loop->path.n);
    return s;
}

/* What stands in {{ }} or alone. */
static struct str bare(struct str s)
{
    s = str_trim(s);
    return str_starts(s, STR("{{")) && str_ends(s, STR("}}")) && s.n >= 4 ? str_trim(str_sub(s, 2, s.n - 2)) : s;
}

/* Liquid in a text, piece by piece. */
static struct str marked(struct conversion *c, const struct loop *loop, struct str text)
{
    struct buf b = {.arena = c->a};
    for (;;) {
        ptrdiff_t output = str_find(text, STR("{{")), tag = str_find(text, STR("{%"));
        bool is_tag = tag >= 0 && (output < 0 || tag < output);
        ptrdiff_t open = is_tag ? tag : output;
        struct str rest = str_sub(text, open < 0 ? text.n : (size_t)open, text.n);
        ptrdiff_t close = str_find(rest, is_tag ? STR("%}") : STR("}}"));
        if (open < 0 || close < 0)
            break;
        struct str whole = str_sub(rest, 0, (size_t)close + 2);
        if (!is_tag)
            whole = str_fmt(c->a, "{{ %.*s }}", STR_ARG(renamed(c, loop, bare(whole))));
        buf_add(&b, text.p, (size_t)open);
        buf_str(&b, mark_add(c, whole, false));
        text = str_sub(rest, (size_t)close + 2, rest.n);
    }
    buf_str(&b, text);
    return buf_finish(&b);
}

/* {{ value | default: 'fallback' }} of a variable attribute. */
static struct str variable(struct conversion *c, const struct loop *loop, yyjson_mut_val *attrs, struct str value)
{
    struct str alias = member(attrs, "aliasFor"), fallback = member(attrs, "fallback");
    struct str expression = renamed(c, loop, bare(alias.n ? alias : value));
    if (!fallback.n)
        return str_fmt(c->a, "{{ %.*s }}", STR_ARG(expression));
    char quote = memchr(fallback.p, '\'', fallback.n) ? '"' : '\'';
    return str_fmt(c->a, "{{ %.*s | default: %c%.*s%c }}", STR_ARG(expression), quote, STR_ARG(fallback), quote);
}

/* showIfKey's idea of truth (content.md §4.4 step 2) in Liquid. */
static struct str condition(struct conversion *c, const struct loop *loop, struct str key)
{
    struct str x = renamed(c, loop, bare(key));
    ptrdiff_t bar = str_find(x, STR("|"));
    struct str before = bar < 0 ? STR("") : str_fmt(c->a, "{%% assign shown = %.*s %%}", STR_ARG(x));
    if (bar >= 0)
        x = STR("shown");
    return str_fmt(c->a, "%.*s{%% if %.*s and %.*s != 'false' and %.*s != 'null' and %.*s != 'undefined' and %.*s != '' and %.*s != 0 %%}",
                   STR_ARG(before), STR_ARG(x), STR_ARG(x), STR_ARG(x), STR_ARG(x), STR_ARG(x), STR_ARG(x));
}

static const struct { const char *attribute, *flag; } flagged[] = {
    {"text", "isTextVariable"}, {"url", "isUrlVariable"}, {"src", "isSrcVariable"}, {"externalLink", "isExternalLinkVariable"},
    {"href", "isUrlVariable"},
};

static void attributes_convert(struct conversion *c, const struct loop *loop, yyjson_mut_val *attrs)
{
    yyjson_mut_val *k;
    for (size_t i = 0; i < sizeof flagged / sizeof *flagged; i++) {
        struct str value = member(attrs, flagged[i].attribute);
        if (value.n && yyjson_mut_is_true(yyjson_mut_obj_get(attrs, flagged[i].flag)))
            yyjson_mut_obj_put(attrs, yyjson_mut_str(c->d, flagged[i].attribute),
                               json_mut_str(c->d, mark_add(c, variable(c, loop, attrs, value), false)));
    }
    for (size_t i = 0; i < sizeof flagged / sizeof *flagged; i++)
        yyjson_mut_obj_remove_key(attrs, flagged[i].flag);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(attrs);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        struct str s = text_of(v);
        if (str_find(s, STR("{{")) >= 0 || str_find(s, STR("{%")) >= 0) {
            struct str m = marked(c, loop, s);
            yyjson_mut_set_strn(v, m.p, m.n);
        }
    }
}

/* A block that holds nothing but a mark. */
static yyjson_mut_val *mark_block(struct conversion *c, struct str liquid)
{
    yyjson_mut_val *o = yyjson_mut_obj(c->d), *text;
    json_add_str(c->d, o, "type", STR("htmlCodeBlock"));
    text = yyjson_mut_arr_add_obj(c->d, json_add_arr(c->d, o, "content"));
    json_add_str(c->d, text, "type", STR("text"));
    json_add_str(c->d, text, "text", mark_add(c, liquid, true));
    return o;
}

static void convert_list(struct conversion *c, const struct loop *loop, yyjson_mut_val *node);

static void text_set(struct conversion *c, yyjson_mut_val *node, struct str text)
{
    yyjson_mut_obj_put(node, yyjson_mut_str(c->d, "type"), yyjson_mut_str(c->d, "text"));
    yyjson_mut_obj_put(node, yyjson_mut_str(c->d, "text"), json_mut_str(c->d, text));
    yyjson_mut_obj_remove_key(node, "attrs");
}

/* Everything but its own condition. */
static void convert_node(struct conversion *c, const struct loop *loop, yyjson_mut_val *node)
{
    yyjson_mut_val *attrs = yyjson_mut_obj_get(node, "attrs"), *mark;
    struct str text = member(node, "text");
    if (yyjson_mut_equals_str(yyjson_mut_obj_get(node, "type"), "variable")) {
        text_set(c, node, mark_add(c, variable(c, loop, attrs, member(attrs, "id")), false));
        attrs = NULL;
    } else if (text.n) {
        /* What is written out in a text names no element, in a repetition either. */
        yyjson_mut_obj_put(node, yyjson_mut_str(c->d, "text"), json_mut_str(c->d, marked(c, NULL, text)));
    }
    attributes_convert(c, loop, attrs);
    yyjson_mut_arr_iter marks = yyjson_mut_arr_iter_with(yyjson_mut_obj_get(node, "marks"));
    while ((mark = yyjson_mut_arr_iter_next(&marks)))
        attributes_convert(c, loop, yyjson_mut_obj_get(mark, "attrs"));
    convert_list(c, loop, node);
}

static bool is_any(yyjson_mut_val *node, const char *const *types)
{
    for (; *types; types++)
        if (yyjson_mut_equals_str(yyjson_mut_obj_get(node, "type"), *types))
            return true;
    return false;
}

/* Moves the children of a repetition to where it stood, between {% for %} and {% endfor %}. */
static void convert_repeat(struct conversion *c, const struct loop *loop, yyjson_mut_val *node, yyjson_mut_val *out)
{
    yyjson_mut_val *attrs = yyjson_mut_obj_get(node, "attrs"), *child;
    struct str each = bare(member(attrs, "each")), limit = STR("");
    int64_t most = yyjson_mut_get_sint(yyjson_mut_obj_get(attrs, "iterations"));
    struct loop inner = {.outer = loop, .path = each, .name = c->loops ? str_fmt(c->a, "item%d", c->loops + 1) : STR("item")};
    c->loops++;
    if (most > 0)
        limit = str_fmt(c->a, " limit: %lld", (long long)most);
    yyjson_mut_arr_append(out, mark_block(c, str_fmt(c->a, "{%% for %.*s in %.*s%.*s %%}", STR_ARG(inner.name),
                                                     STR_ARG(renamed(c, loop, each)), STR_ARG(limit))));
    convert_list(c, &inner, node);
    while ((child = yyjson_mut_arr_remove_first(yyjson_mut_obj_get(node, "content"))))
        yyjson_mut_arr_append(out, child);
    yyjson_mut_arr_append(out, mark_block(c, STR("{% endfor %}")));
}

/* node is in no list any more. */
static void convert_shown(struct conversion *c, const struct loop *loop, yyjson_mut_val *node, yyjson_mut_val *out)
{
    static const char *const repeats[] = {"repeat", "for", NULL};
    if (is_any(node, repeats)) {
        convert_repeat(c, loop, node, out);
        return;
    }
    convert_node(c, loop, node);
    yyjson_mut_arr_append(out, node);
}

/* The children of a node; around those with a condition, where blocks may stand, its {% if %} and {% endif %}. */
static void convert_list(struct conversion *c, const struct loop *loop, yyjson_mut_val *node)
{
    static const char *const parents[] = {"doc", "section", "repeat", "for", "column", "blockquote", "listItem", NULL};
    yyjson_mut_val *content = yyjson_mut_obj_get(node, "content"), *out = yyjson_mut_arr(c->d), *child;
    bool blocks = is_any(node, parents);
    if (!content)
        return;
    while ((child = yyjson_mut_arr_remove_first(content))) {
        yyjson_mut_val *attrs = yyjson_mut_obj_get(child, "attrs");
        struct str key = member(attrs, "showIfKey");
        bool conditional = yyjson_mut_is_str(yyjson_mut_obj_get(attrs, "showIfKey"));
        yyjson_mut_obj_remove_key(attrs, "showIfKey");
        if (conditional && !key.n)
            continue;                   /* an empty key hides */
        if (conditional && blocks) {
            yyjson_mut_arr_append(out, mark_block(c, condition(c, loop, key)));
            convert_shown(c, loop, child, out);
            yyjson_mut_arr_append(out, mark_block(c, STR("{% endif %}")));
        } else {
            convert_shown(c, loop, child, out);
        }
    }
    yyjson_mut_obj_put(node, yyjson_mut_str(c->d, "content"), out);
}

/* ---- marks back to Liquid ---- */

static ptrdiff_t find_last(struct str s, struct str needle)
{
    for (size_t i = s.n < needle.n ? 0 : s.n - needle.n + 1; i-- > 0;)
        if (!memcmp(s.p + i, needle.p, needle.n))
            return (ptrdiff_t)i;
    return -1;
}

static struct str marks_resolve(struct conversion *c, struct str html)
{
    struct buf b = {.arena = c->a};
    for (ptrdiff_t at; (at = str_find(html, c->prefix)) >= 0;) {
        size_t from = (size_t)at, end = from + c->prefix.n, number = 0;
        while (end < html.n && html.p[end] >= '0' && html.p[end] <= '9')
            number = number * 10 + (size_t)(html.p[end++] - '0');
        end++;                          /* q */
        if (number < c->n && c->marks[number].block) {        /* with the table that was made around it */
            ptrdiff_t open = find_last(str_sub(html, 0, from), STR("<table")), close = str_find(str_sub(html, end, html.n), STR("</table>"));
            from = open < 0 ? from : (size_t)open;
            end = close < 0 ? end : end + (size_t)close + strlen("</table>");
        }
        buf_add(&b, html.p, from);
        if (number < c->n)
            buf_str(&b, c->marks[number].liquid);
        html = str_sub(html, end, html.n);
    }
    buf_str(&b, html);
    return buf_finish(&b);
}

bool email_html_of_blocks(struct arena *a, struct str blocks, bool document, bool raw, struct str *out, struct error *err)
{
    struct conversion c = {.a = a, .d = json_doc(a), .prefix = STR("zqv")};
    struct liquid_context ctx = {.mode = LIQUID_PLAIN};
    struct email_layout fragment = {.name = STR(""), .identifier = STR(""), .id = STR("")};
    struct email_output mail;
    yyjson_val *doc = block_document(a, blocks);
    if (!doc)
        return error_set(err, ERROR_BAD_INPUT, "The body is no block document");
    while (str_find(blocks, c.prefix) >= 0)
        c.prefix = str_fmt(a, "%.*sv", STR_ARG(c.prefix));
    yyjson_mut_val *copy = yyjson_val_mut_copy(c.d, doc);
    convert_list(&c, NULL, copy);
    fragment.body = email_body_compile(a, STR(EMAIL_LAYOUT_NONE));
    struct email_input in = {.body = email_body_compile(a, json_write_mut(a, copy)), .subject = STR(""), .preheader = STR(""),
                             .layout = document ? NULL : &fragment, .raw = raw};
    if (!email_render(&in, &ctx, a, &mail, err))
        return false;
    *out = marks_resolve(&c, mail.html);
    if (document)
        *out = str_fmt(a, DOCTYPE "%.*s", STR_ARG(*out));
    return true;
}
