/* A block document as a card, which chats show in their own way: texts in Markdown, pictures, dividers, rows of buttons.
 *
 * The card and the rules of its texts are those of upstream's chats (compile of Maily documents to cards). What they leave
 * out, layouts and link cards and HTML, is said as well as a card can.
 */
#include "content/blocks/blocks_private.h"

#include "content/text_part.h"

enum { BUTTONS_A_ROW = 3 };

struct card_writer {
    struct arena *a;
    yyjson_mut_doc *d;
    yyjson_mut_val *children;
    yyjson_mut_val *row;        /* of buttons that stand next to each other; NULL: the next one begins another */
};

static bool is_type(yyjson_val *node, const char *type)
{
    return str_eqz(json_get_str(node, "type"), type);
}

static bool is_blank(struct str s)
{
    return !str_trim(s).n;
}

/* ---- texts ---- */

static struct str marked(struct arena *a, struct str text, yyjson_val *mark)
{
    static const struct { const char *type, *sign; } signs[] = {{"bold", "**"}, {"italic", "_"}, {"strike", "~~"}, {"code", "`"}};
    struct str href = json_get_str(json_get(mark, "attrs"), "href");
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (is_type(mark, signs[i].type))
            return str_fmt(a, "%s%.*s%s", signs[i].sign, STR_ARG(text), signs[i].sign);
    return is_type(mark, "link") && href.n ? str_fmt(a, "[%.*s](%.*s)", STR_ARG(text), STR_ARG(href)) : text;
}

static void put_inline(struct arena *a, struct buf *b, yyjson_val *node)
{
    struct str text = json_get_str(node, "text");
    yyjson_val *attrs = json_get(node, "attrs"), *each;
    size_t i, n;
    if (is_type(node, "hardBreak")) {
        buf_char(b, '\n');
    } else if (is_type(node, "inlineImage")) {
        struct str alt = json_get_str(attrs, "alt"), link = str_trim(json_get_str(attrs, "externalLink"));
        buf_str(b, link.n && alt.n ? str_fmt(a, "[%.*s](%.*s)", STR_ARG(alt), STR_ARG(link)) : alt.n ? alt : link);
    } else if (is_type(node, "text") && text.n) {
        yyjson_arr_foreach(json_get(node, "marks"), i, n, each)
            text = marked(a, text, each);
        buf_str(b, text);
    } else {
        yyjson_arr_foreach(json_get(node, "content"), i, n, each)
            put_inline(a, b, each);
    }
}

static struct str inline_text(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    size_t i, n;
    yyjson_val *child;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child)
        put_inline(a, &b, child);
    return buf_get(&b);
}

static struct str block_text(struct arena *a, yyjson_val *node);

/* The blocks inside, a line each; empty ones leave no trace. */
static struct str blocks_lines(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    size_t i, n;
    yyjson_val *child;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child) {
        struct str text = block_text(a, child);
        if (!text.n)
            continue;
        if (b.n)
            buf_char(&b, '\n');
        buf_str(&b, text);
    }
    return buf_get(&b);
}

/* Appends text with `first` before its first line and `later` before the others. */
static void put_lines(struct buf *b, struct str text, const char *first, const char *later)
{
    buf_z(b, first);
    for (size_t i = 0; i < text.n; i++) {
        buf_char(b, text.p[i]);
        if (text.p[i] == '\n')
            buf_z(b, later);
    }
}

/* The bullet is a glyph: few chats know Markdown's lists. */
static struct str list_text(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    bool ordered = is_type(node, "orderedList"), any = false;
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(json_get(node, "content"), i, n, item) {
        struct str text = blocks_lines(a, item);
        any |= !is_blank(text);
        if (b.n)
            buf_char(&b, '\n');
        put_lines(&b, text, ordered ? str_fmt(a, "%zu. ", i + 1).p : "• ", ordered ? "   " : "  ");
    }
    return any ? buf_get(&b) : STR_NULL;
}

static struct str block_text(struct arena *a, yyjson_val *node)
{
    struct buf b = {.arena = a};
    if (is_type(node, "bulletList") || is_type(node, "orderedList"))
        return list_text(a, node);
    if (is_type(node, "blockquote")) {
        struct str text = blocks_lines(a, node);
        if (!is_blank(text))
            put_lines(&b, text, "> ", "> ");
        return buf_get(&b);
    }
    if (is_type(node, "paragraph") || is_type(node, "heading") || !json_get(node, "content")) {
        if (json_get(node, "content"))
            return inline_text(a, node);
        put_inline(a, &b, node);
        return buf_get(&b);
    }
    return blocks_lines(a, node);
}

/* ---- parts ---- */

static yyjson_mut_val *part_add(struct card_writer *w, const char *type)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(w->d, w->children);
    w->row = NULL;
    json_add_str(w->d, o, "type", str_of(type));
    return o;
}

static void text_add(struct card_writer *w, struct str text, const char *style)
{
    if (is_blank(text))
        return;
    yyjson_mut_val *o = part_add(w, "text");
    json_add_str(w->d, o, "content", text);
    json_add_str(w->d, o, "style", str_of(style));
}

static void image_add(struct card_writer *w, yyjson_val *attrs)
{
    struct str url = json_get_str(attrs, "src"), alt = json_get_str(attrs, "alt");
    url = url.n ? url : json_get_str(attrs, "externalLink");
    if (!url.n)
        return;
    yyjson_mut_val *o = part_add(w, "image");
    json_add_str(w->d, o, "url", url);
    if (alt.n)
        json_add_str(w->d, o, "alt", alt);
}

/* A button that leads somewhere; those of a row beyond the third are not shown. */
static void button_add(struct card_writer *w, yyjson_val *attrs, const char *label_key)
{
    struct str label = json_get_str(attrs, label_key), url = json_get_str(attrs, "url"), style = json_get_str(attrs, "style");
    struct str id = json_get_str(attrs, "actionId");
    if (!label.n || !url.n)
        return;
    if (!w->row)
        w->row = json_add_arr(w->d, part_add(w, "actions"), "children");
    if (yyjson_mut_arr_size(w->row) == BUTTONS_A_ROW)
        return;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(w->d, w->row);
    json_add_str(w->d, o, "type", STR("link-button"));
    json_add_str(w->d, o, "label", label);
    json_add_str(w->d, o, "url", url);
    if (str_eqz(style, "primary") || str_eqz(style, "danger") || str_eqz(style, "default"))
        json_add_str(w->d, o, "style", style);
    if (id.n)
        json_add_str(w->d, o, "id", id);
}

static void actions_add(struct card_writer *w, yyjson_val *node)
{
    size_t i, n;
    yyjson_val *child;
    w->row = NULL;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child)
        button_add(w, json_get(child, "attrs"), "label");
    w->row = NULL;
}

static void link_card_add(struct card_writer *w, yyjson_val *attrs)
{
    struct str title = json_get_str(attrs, "title"), link = str_trim(json_get_str(attrs, "link")), label = json_get_str(attrs, "linkTitle");
    text_add(w, title, "bold");
    text_add(w, json_get_str(attrs, "subTitle"), "muted");
    text_add(w, json_get_str(attrs, "description"), "plain");
    if (link.n && !str_eqz(link, "#"))
        text_add(w, label.n ? str_fmt(w->a, "[%.*s](%.*s)", STR_ARG(label), STR_ARG(link)) : link, "plain");
    else
        text_add(w, label, "plain");
}

static bool holds_blocks(yyjson_val *node)
{
    static const char *const types[] = {"section", "columns", "column", "container"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (is_type(node, types[i]))
            return true;
    return false;
}

static void children_add(struct card_writer *w, yyjson_val *node);

static void node_add(struct card_writer *w, yyjson_val *node)
{
    yyjson_val *attrs = json_get(node, "attrs");
    if (is_type(node, "cardActions"))
        actions_add(w, node);
    else if (is_type(node, "cardButton"))
        button_add(w, attrs, "label");
    else if (is_type(node, "button"))
        button_add(w, attrs, "text");
    else if (is_type(node, "image") || is_type(node, "logo"))
        image_add(w, attrs);
    else if (is_type(node, "horizontalRule"))
        part_add(w, "divider");
    else if (is_type(node, "linkCard"))
        link_card_add(w, attrs);
    else if (is_type(node, "htmlCodeBlock"))
        text_add(w, text_part_from_html(w->a, inline_text(w->a, node)), "plain");
    else if (holds_blocks(node))
        children_add(w, node);
    else
        text_add(w, block_text(w->a, node), is_type(node, "heading") ? "bold"
                 : is_type(node, "blockquote") || is_type(node, "footer") ? "muted" : "plain");
    if (!is_type(node, "cardButton") && !is_type(node, "button"))
        w->row = NULL;
}

static void children_add(struct card_writer *w, yyjson_val *node)
{
    size_t i, n;
    yyjson_val *child;
    yyjson_arr_foreach(json_get(node, "content"), i, n, child)
        node_add(w, child);
}

static yyjson_val *card_of(struct arena *a, yyjson_val *doc)
{
    struct card_writer w = {.a = a, .d = json_doc(a)};
    yyjson_mut_val *card = yyjson_mut_obj(w.d);
    yyjson_val *out = NULL;
    json_add_str(w.d, card, "type", STR("card"));
    w.children = json_add_arr(w.d, card, "children");
    children_add(&w, doc);
    return yyjson_mut_arr_size(w.children) && json_parse(a, json_write_mut(a, card), &out, NULL) ? out : NULL;
}

yyjson_val *blocks_card_draft(struct arena *a, yyjson_val *doc)
{
    return card_of(a, doc);
}

bool blocks_card(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **card, struct error *err)
{
    yyjson_val *doc;
    if (!blocks_tree(b, ctx, a, &doc, err))
        return false;
    *card = card_of(a, doc);
    return *card || error_set(err, ERROR_BAD_INPUT, "Chat card compiled to an empty card: at least one renderable block is required.");
}

/* ---- a card as text ---- */

static void part_text(struct buf *b, yyjson_val *part)
{
    struct str content = json_get_str(part, "content");
    size_t i, n;
    yyjson_val *button;
    if (is_type(part, "divider"))
        buf_z(b, "---");
    else if (is_type(part, "image"))
        buf_fmt(b, "![%.*s](%.*s)", STR_ARG(json_get_str(part, "alt")), STR_ARG(json_get_str(part, "url")));
    else if (is_type(part, "text"))
        buf_fmt(b, str_eqz(json_get_str(part, "style"), "bold") ? "**%.*s**" : "%.*s", STR_ARG(content));
    yyjson_arr_foreach(json_get(part, "children"), i, n, button)
        buf_fmt(b, "%s%.*s: %.*s", i ? "\n" : "", STR_ARG(json_get_str(button, "label")), STR_ARG(json_get_str(button, "url")));
}

struct str blocks_card_text(struct arena *a, yyjson_val *card)
{
    struct buf b = {.arena = a};
    size_t i, n;
    yyjson_val *part;
    yyjson_arr_foreach(json_get(card, "children"), i, n, part) {
        if (i)
            buf_z(&b, "\n\n");
        part_text(&b, part);
    }
    return str_solid(buf_get(&b));
}
