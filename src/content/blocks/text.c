/* A block document as plain text, for channels without HTML: blank lines between blocks, links behind their labels, lists
 * and quotations marked as one does in a chat. */
#include "content/blocks/blocks_private.h"

#include "content/text_part.h"

static struct str block_text_of(struct arena *a, yyjson_val *node);

static bool is_type(yyjson_val *node, const char *type)
{
    return str_eqz(json_get_str(node, "type"), type);
}

/* `label (link)`; a link that says nothing more, or that leads nowhere, is left out. */
static void put_linked(struct buf *b, struct str label, struct str link)
{
    link = str_trim(link);
    buf_str(b, label);
    if (!link.n || str_eqz(link, "#") || str_eq(link, str_trim(label)))
        return;
    if (str_trim(label).n)
        buf_fmt(b, " (%.*s)", STR_ARG(link));
    else
        buf_str(b, link);
}

static struct str link_of(yyjson_val *node)
{
    size_t i, n;
    yyjson_val *mark;
    yyjson_arr_foreach(json_get(node, "marks"), i, n, mark)
        if (is_type(mark, "link"))
            return json_get_str(json_get(mark, "attrs"), "href");
    return STR_NULL;
}

static void put_inline(struct buf *b, yyjson_val *node)
{
    yyjson_val *attrs = json_get(node, "attrs");
    if (is_type(node, "hardBreak"))
        buf_char(b, '\n');
    else if (is_type(node, "inlineImage"))
        put_linked(b, json_get_str(attrs, "alt"), json_get_str(attrs, "externalLink"));
    else
        put_linked(b, json_get_str(node, "text"), link_of(node));
}

static bool is_inline(yyjson_val *node)
{
    return is_type(node, "text") || is_type(node, "hardBreak") || is_type(node, "inlineImage");
}

/* The children, what stands in a line together; empty blocks leave no trace. */
static struct str children_text(struct arena *a, yyjson_val *node, const char *between)
{
    struct buf b = {.arena = a};
    size_t i, n;
    yyjson_val *child;
    bool in_line = false;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child) {
        bool inner = is_inline(child);
        struct str block = inner ? STR_NULL : block_text_of(a, child);
        if (b.n && (inner ? !in_line : block.n > 0))
            buf_z(&b, between);
        if (inner)
            put_inline(&b, child);
        buf_str(&b, block);
        in_line = inner;
    }
    return str_trim(buf_get(&b));
}

/* Appends text with `first` before its first line and `later` before the others. */
static void put_marked(struct buf *b, struct str text, const char *first, const char *later)
{
    buf_z(b, first);
    for (size_t i = 0; i < text.n; i++) {
        buf_char(b, text.p[i]);
        if (text.p[i] == '\n')
            buf_z(b, later);
    }
}

static struct str list_text(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    bool ordered = is_type(node, "orderedList");
    size_t i, n;
    yyjson_val *item;
    int number = 0;
    yyjson_arr_foreach(json_get(node, "content"), i, n, item) {
        struct str text = children_text(a, item, "\n");
        if (b.n)
            buf_char(&b, '\n');
        put_marked(&b, text, ordered ? str_fmt(a, "%d. ", ++number).p : "• ", ordered ? "   " : "  ");
    }
    return buf_get(&b);
}

static struct str card_text(struct arena *a, yyjson_val *attrs)
{
    struct buf b = {.arena = a};
    struct str parts[] = {json_get_str(attrs, "title"), json_get_str(attrs, "subTitle"), json_get_str(attrs, "description")};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].n) {
            buf_z(&b, b.n ? "\n" : "");
            buf_str(&b, parts[i]);
        }
    buf_z(&b, b.n ? "\n" : "");
    put_linked(&b, json_get_str(attrs, "linkTitle"), json_get_str(attrs, "link"));
    return str_trim(buf_get(&b));
}

static struct str block_text_of(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    yyjson_val *attrs = json_get(node, "attrs");
    if (is_type(node, "bulletList") || is_type(node, "orderedList"))
        return list_text(a, node);
    if (is_type(node, "linkCard"))
        return card_text(a, attrs);
    if (is_type(node, "htmlCodeBlock"))
        return str_trim(text_part_from_html(a, children_text(a, node, "")));
    if (is_type(node, "horizontalRule"))
        return STR("———");
    if (is_type(node, "blockquote"))
        put_marked(&b, children_text(a, node, "\n"), "> ", "> ");
    else if (is_type(node, "button"))
        put_linked(&b, json_get_str(attrs, "text"), json_get_str(attrs, "url"));
    else if (is_type(node, "image"))
        put_linked(&b, json_get_str(attrs, "alt"), json_get_str(attrs, "externalLink"));
    else
        return children_text(a, node, "\n\n");
    return buf_get(&b);
}

bool blocks_text(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, struct str *out, struct error *err)
{
    yyjson_val *doc;
    if (!blocks_tree(b, ctx, a, &doc, err))
        return false;
    *out = str_solid(children_text(a, doc, "\n\n"));
    return true;
}
