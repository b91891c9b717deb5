/* The HTML of every node and mark (content.md §4.2), styles in upstream's order. */
#include "content/blocks/blocks_private.h"

#include <math.h>

#define TABLE_REST " border=\"0\" cellpadding=\"0\" cellspacing=\"0\" role=\"presentation\""
#define TABLE "<table align=\"center\" width=\"100%\"" TABLE_REST
#define ROW_OPEN "<tbody style=\"width:100%\"><tr style=\"width:100%\">"
#define ROW_CLOSE "</tr></tbody></table>"
#define BOX_OPEN "<tbody><tr style=\"width:100%\"><td>"
#define BOX_CLOSE "</td></tr></tbody></table>"
#define ANTIALIASED "-webkit-font-smoothing:antialiased;-moz-osx-font-smoothing:grayscale"
#define PARAGRAPH_FONT "font-size:14px;font-style:normal;font-weight:500;line-height:20px;color:#374151"

/* ---- attributes and styles ---- */

static void put_attribute(struct compiler *c, const char *name, const struct leaf *l)
{
    put_z(c, " ");
    put_z(c, name);
    put_z(c, "=\"");
    put_leaf(c, l, PUT_ESCAPED);
    put_z(c, "\"");
}

/* Writes what yes does if l turns out to be text, else what no does; either may be NULL. */
typedef void (*part)(struct compiler *c, const void *node);
static void put_choice(struct compiler *c, const struct leaf *l, part yes, part no, const void *node)
{
    if (l->kind != LEAF_TEMPLATE) {
        part chosen = leaf_is_empty(l) ? no : yes;
        if (chosen)
            chosen(c, node);
        return;
    }
    struct op op = {.kind = OP_CHOOSE, .choose.t = l->t};
    struct section outer = code_begin(c);
    bool open = c->style_open;
    if (yes)
        yes(c, node);
    op.choose.yes = code_end(c, &outer);
    outer = code_begin(c);
    c->style_open = open;
    if (no)
        no(c, node);
    op.choose.no = code_end(c, &outer);
    put_op(c, op);
}

/* A name with a value that may turn out empty, which leaves both out. */
struct named { const char *name; const struct leaf *l; };

static void attribute_present(struct compiler *c, const void *node)
{
    const struct named *n = node;
    put_attribute(c, n->name, n->l);
}

static void put_attribute_if(struct compiler *c, const char *name, const struct leaf *l)
{
    put_choice(c, l, attribute_present, NULL, &(struct named){name, l});
}

static void style_first(struct compiler *c, const void *node)
{
    const struct named *n = node;
    put_z(c, n->name);
    put_z(c, ":");
    put_leaf(c, n->l, PUT_ESCAPED);
}

static void style_later(struct compiler *c, const void *node)
{
    put_z(c, ";");
    style_first(c, node);
}

static void style_name(struct compiler *c, const char *name)
{
    put_z(c, c->style_open ? ";" : " style=\"");
    c->style_open = true;
    put_z(c, name);
    put_z(c, ":");
}

static void style_z(struct compiler *c, const char *declarations)
{
    put_z(c, c->style_open ? ";" : " style=\"");
    c->style_open = true;
    put_z(c, declarations);
}

static void style_end(struct compiler *c)
{
    if (c->style_open)
        put_z(c, "\"");
    c->style_open = false;
}

/* What React writes for a style: numbers get px, except 0; null and nothing leave the declaration out. */
static void style_leaf(struct compiler *c, const char *name, struct leaf l, bool unitless)
{
    l.s = str_trim(l.s);
    if (leaf_is_empty(&l))
        return;
    if (l.kind == LEAF_TEMPLATE) {
        if (!c->style_open)
            put_z(c, " style=\"");
        put_choice(c, &l, c->style_open ? style_later : style_first, NULL, &(struct named){name, &l});
        c->style_open = true;
        return;
    }
    style_name(c, name);
    put_leaf(c, &l, PUT_ESCAPED);
    if (l.number && !unitless && !str_eqz(l.s, "0"))
        put_z(c, "px");
}

struct style { const char *name, *key, *otherwise; bool unitless; };

/* The attributes of a node as styles; absent ones are as `otherwise` says, NULL leaves them out. */
static void styles_put(struct compiler *c, yyjson_val *attrs, const struct style *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        yyjson_val *v = json_get(attrs, s[i].key);
        if (v) {
            style_leaf(c, s[i].name, leaf_text(c, v), s[i].unitless);
        } else if (s[i].otherwise) {
            style_name(c, s[i].name);
            put_z(c, s[i].otherwise);
        }
    }
}
#define STYLES(c, attrs, list) styles_put((c), (attrs), (list), sizeof(list) / sizeof *(list))

static void style_margin(struct compiler *c, enum margin m, const char *zero)
{
    style_name(c, "margin-bottom");
    put_margin(c, m, "10px", zero);
}

static bool number_of(yyjson_val *v, double *n)
{
    *n = yyjson_is_num(v) ? yyjson_get_num(v) : yyjson_is_str(v) && json_str(v).n ? number_parse(json_str(v)) : NAN;
    return isfinite(*n);
}

static void put_number(struct compiler *c, double n)
{
    char text[NUMBER_TEXT_MAX];
    buf_add(&c->html, text, number_print(n, text));
}

static void put_pixels(struct compiler *c, const char *name, double n)
{
    style_name(c, name);
    put_number(c, n);
    if (n != 0)
        put_z(c, "px");
}

/* The first of l that is not empty, else the text. */
static void put_first(struct compiler *c, const struct leaf *l, size_t n, const char *otherwise)
{
    for (; n && leaf_is_empty(l); l++)
        n--;
    if (!n) {
        put_z(c, otherwise);
        return;
    }
    if (l->kind != LEAF_TEMPLATE) {
        put_leaf(c, l, PUT_ESCAPED);
        return;
    }
    struct op op = {.kind = OP_CHOOSE, .choose.t = l->t};
    struct section outer = code_begin(c);
    put_leaf(c, l, PUT_ESCAPED);
    op.choose.yes = code_end(c, &outer);
    outer = code_begin(c);
    put_first(c, l + 1, n - 1, otherwise);
    op.choose.no = code_end(c, &outer);
    put_op(c, op);
}

/* ---- inline nodes ---- */

enum { MARK_STRIKE, MARK_CODE, MARK_UNDERLINE, MARK_BOLD, MARK_ITALIC, MARK_STYLE, MARK_LINK, MARKS };
/* In the order of nesting, the innermost first; what has rank 0 keeps the order of the document. */
static const struct { const char *name; int rank; const char *open, *close; } mark_table[MARKS] = {
    {"strike", 0, "<s style=\"text-decoration:line-through\">", "</s>"},
    {"code", 0, "<code style=\"background-color:#EFEFEF;color:#111827;padding:2px 4px;border-radius:6px;font-family:"
        "SFMono-Regular, Menlo, Monaco, Consolas, &quot;Liberation Mono&quot;, &quot;Courier New&quot;, monospace;"
        "font-weight:400;letter-spacing:0\">", "</code>"},
    {"underline", 1, "<u>", "</u>"},
    {"bold", 2, "<strong>", "</strong>"},
    {"italic", 3, "<em>", "</em>"},
    {"textStyle", 4, NULL, "</span>"},
    {"link", 5, NULL, "</a>"},
};

struct mark { int kind; yyjson_val *attrs; };

static int mark_kind(struct str type)
{
    for (int i = 0; i < MARKS; i++)
        if (str_eqz(type, mark_table[i].name))
            return i;
    return -1;
}

static void mark_open(struct compiler *c, const struct mark *m)
{
    static const struct style color[] = {{"color", "color", "#374151", false}};
    if (m->kind == MARK_STYLE) {
        put_z(c, "<span");
        STYLES(c, m->attrs, color);
        style_end(c);
        put_z(c, ">");
    } else if (m->kind == MARK_LINK) {
        struct leaf href = leaf_variable(c, m->attrs, "href", "isUrlVariable");
        struct leaf rel = leaf_text(c, json_get(m->attrs, "rel")), target = leaf_text(c, json_get(m->attrs, "target"));
        put_z(c, "<a href=\"");
        put_first(c, &href, 1, "#");
        put_z(c, "\" rel=\"");
        put_first(c, &rel, 1, "noopener noreferrer nofollow");
        put_z(c, "\" style=\"color:#111827;text-decoration-line:none;font-size:14px;font-style:normal;font-weight:500;"
                 "line-height:20px;text-decoration:underline\" target=\"");
        put_first(c, &target, 1, "_blank");
        put_z(c, "\">");
    } else {
        put_z(c, mark_table[m->kind].open);
    }
}

/* The marks by rank. false: one is unknown, and was reported. */
static bool marks_sort(struct compiler *c, yyjson_val *marks, struct mark *out, size_t *n)
{
    size_t i, max;
    yyjson_val *m;
    *n = 0;
    for (int rank = 0; rank <= 5; rank++)
        yyjson_arr_foreach(marks, i, max, m) {
            int kind = mark_kind(json_get_str(m, "type"));
            if (kind < 0) {
                put_fail(c, "Mark", json_get_str(m, "type"));
                return false;
            }
            if (mark_table[kind].rank == rank)
                out[(*n)++] = (struct mark){kind, json_get(m, "attrs")};
        }
    return true;
}

static void put_text(struct compiler *c, const struct leaf *text, yyjson_val *marks, bool is_html)
{
    size_t n;
    if (!yyjson_is_arr(marks)) {
        put_leaf(c, text, is_html ? PUT_RAW_SPAN : PUT_SPACED);
        return;
    }
    struct mark *sorted = ARENA_ARRAY(c->a, struct mark, yyjson_arr_size(marks) + 1);
    if (!marks_sort(c, marks, sorted, &n))
        return;
    for (size_t i = n; i; i--)
        mark_open(c, &sorted[i - 1]);
    put_leaf(c, text, is_html ? PUT_RAW_SPAN : PUT_MARKED);
    for (size_t i = 0; i < n; i++)
        put_z(c, mark_table[sorted[i].kind].close);
}

static void node_text(struct compiler *c, yyjson_val *node, struct place place)
{
    struct leaf text = leaf_text(c, json_get(node, "text"));
    (void)place;
    put_text(c, &text, json_get(node, "marks"), json_get_bool(json_get(node, "attrs"), "shouldDangerouslySetInnerHTML", false));
}

static void node_variable(struct compiler *c, yyjson_val *node, struct place place)
{
    yyjson_val *attrs = json_get(node, "attrs");
    struct leaf text = leaf_variable(c, attrs, "id", "id");
    (void)place;
    /* content.md §4.6: where a layout has the e-mail's content, it is HTML. */
    put_text(c, &text, json_get(node, "marks"), str_eqz(json_get_str(attrs, "id"), "content"));
}

static void node_break(struct compiler *c, yyjson_val *node, struct place place)
{
    (void)node, (void)place;
    put_z(c, "<br/>");
}

struct picture {
    yyjson_val *attrs;
    struct leaf src, link, alt, title;
};

static struct picture picture_of(struct compiler *c, yyjson_val *node)
{
    yyjson_val *attrs = json_get(node, "attrs");
    return (struct picture){
        .attrs = attrs, .src = leaf_variable(c, attrs, "src", "isSrcVariable"),
        .link = leaf_variable(c, attrs, "externalLink", "isExternalLinkVariable"),
        .alt = leaf_text(c, json_get(attrs, "alt")), .title = leaf_text(c, json_get(attrs, "title"))};
}

static void put_side(struct compiler *c, const char *name, yyjson_val *attrs, bool as_style)
{
    static const struct leaf twenty = {.kind = LEAF_TEXT, .s = {"20", 2}};
    struct leaf l = leaf_text(c, json_get(attrs, name));
    if (leaf_is_empty(&l))
        l = twenty;
    if (!as_style) {
        put_attribute(c, name, &l);
        return;
    }
    style_name(c, name);
    put_leaf(c, &l, PUT_ESCAPED);
    put_z(c, "px");
}

static void inline_image(struct compiler *c, const void *node)
{
    const struct picture *p = node;
    put_z(c, "<img");
    put_attribute_if(c, "src", &p->src);
    if (p->alt.kind != LEAF_NULL)
        put_attribute(c, "alt", &p->alt);
    if (p->title.kind != LEAF_NULL)
        put_attribute(c, "title", &p->title);
    put_side(c, "width", p->attrs, false);
    put_side(c, "height", p->attrs, false);
    style_z(c, "display:inline;vertical-align:middle");
    put_side(c, "width", p->attrs, true);
    put_side(c, "height", p->attrs, true);
    style_z(c, "outline:none;border:none;text-decoration:none");
    style_end(c);
    put_z(c, "/>");
}

static void inline_image_linked(struct compiler *c, const void *node)
{
    const struct picture *p = node;
    put_z(c, "<a");
    put_attribute(c, "href", &p->link);
    put_z(c, " rel=\"noopener noreferrer\" style=\"display:inline;text-decoration:none\" target=\"_blank\">");
    inline_image(c, node);
    put_z(c, "</a>");
}

static void node_inline_image(struct compiler *c, yyjson_val *node, struct place place)
{
    struct picture p = picture_of(c, node);
    (void)place;
    put_choice(c, &p.link, inline_image_linked, inline_image, &p);
}

/* ---- blocks of text ---- */

static void node_paragraph(struct compiler *c, yyjson_val *node, struct place place)
{
    static const struct style before[] = {
        {"font-size", "fontSize", "14px", false}, {"line-height", "lineHeight", "20px", true},
        {"text-align", "textAlign", "left", false}};
    static const struct style after[] = {
        {"display", "display", "block", false}, {"background", "background", "transparent", false},
        {"border", "border", "none", false}, {"border-radius", "borderRadius", "0", false},
        {"padding-top", "paddingTop", "0", false}, {"padding-right", "paddingRight", "0", false},
        {"padding-bottom", "paddingBottom", "0", false}, {"padding-left", "paddingLeft", "0", false},
        {"font-style", "fontStyle", "normal", false}, {"font-weight", "fontWeight", "500", true},
        {"color", "color", "#374151", false}};
    yyjson_val *attrs = json_get(node, "attrs");
    enum margin m = str_eqz(place.parent, "listItem") ? MARGIN_REMOVED : place.margin;
    put_z(c, "<p");
    STYLES(c, attrs, before);
    style_z(c, ANTIALIASED);
    STYLES(c, attrs, after);
    style_name(c, "margin");
    put_margin(c, m, "0 0 10px 0;overflow:hidden;margin-top:0;margin-right:0;margin-bottom:10px;margin-left:0",
               "0 0 0px 0;overflow:hidden;margin-top:0;margin-right:0;margin-bottom:0px;margin-left:0");
    style_end(c);
    put_z(c, ">");
    if (yyjson_is_arr(json_get(node, "content")))
        compile_children(c, node, STR("paragraph"));
    else
        put_z(c, "\xc2\xa0");
    put_z(c, "</p>");
}

static void node_heading(struct compiler *c, yyjson_val *node, struct place place)
{
    static const char *const fonts[] = {
        "color:#111827;font-size:30px;font-style:normal;line-height:40px;font-weight:600",
        "color:#111827;font-size:24px;font-style:normal;line-height:30px;font-weight:600",
        "color:#111827;font-size:18px;font-style:normal;line-height:26px;font-weight:600"};
    yyjson_val *attrs = json_get(node, "attrs");
    struct leaf align = leaf_text(c, json_get(attrs, "textAlign"));
    double n;
    int level = number_of(json_get(attrs, "level"), &n) && n >= 2 ? (n >= 3 ? 3 : 2) : 1;
    buf_fmt(&c->html, "<h%d", level);
    style_z(c, "margin-left:0px;margin-right:0px;margin-top:0px");
    style_margin(c, place.margin, "0px");
    style_name(c, "text-align");
    put_first(c, &align, 1, "left");
    style_z(c, fonts[level - 1]);
    style_end(c);
    put_z(c, ">");
    compile_children(c, node, STR("heading"));
    buf_fmt(&c->html, "</h%d>", level);
}

static void node_footer(struct compiler *c, yyjson_val *node, struct place place)
{
    static const struct style align[] = {{"text-align", "textAlign", "left", false}};
    put_z(c, "<p");
    style_z(c, "font-size:14px;line-height:24px;color:#64748B;margin-top:0px");
    style_margin(c, place.margin, "0px");
    STYLES(c, json_get(node, "attrs"), align);
    style_z(c, ANTIALIASED);
    style_end(c);
    put_z(c, ">");
    compile_children(c, node, STR("footer"));
    put_z(c, "</p>");
}

static void node_blockquote(struct compiler *c, yyjson_val *node, struct place place)
{
    put_z(c, "<blockquote");
    style_z(c, "border-left-width:4px;border-left-style:solid;border-left-color:#374151;padding-left:16px;margin-left:0px;"
               "margin-right:0px;margin-top:0");
    style_margin(c, place.margin, "0px");
    style_end(c);
    put_z(c, ">");
    compile_children(c, node, STR("blockquote"));
    put_z(c, "</blockquote>");
}

static void put_list(struct compiler *c, yyjson_val *node, struct place place, const char *box, const char *tag, const char *marker)
{
    put_z(c, TABLE " style=\"max-width:");
    put_z(c, box);
    put_z(c, "\">" BOX_OPEN "<");
    put_z(c, tag);
    style_z(c, PARAGRAPH_FONT ";margin-top:0px");
    style_margin(c, place.margin, "0");
    style_z(c, "padding-left:26px;list-style-type:");
    put_z(c, marker);
    style_end(c);
    put_z(c, ">");
    compile_children(c, node, json_get_str(node, "type"));
    put_z(c, "</");
    put_z(c, tag);
    put_z(c, ">" BOX_CLOSE);
}

static void node_bullet_list(struct compiler *c, yyjson_val *node, struct place place)
{
    put_list(c, node, place, "100%", "ul", "disc");
}

static void node_ordered_list(struct compiler *c, yyjson_val *node, struct place place)
{
    put_list(c, node, place, "37.5em", "ol", "decimal");
}

static void node_list_item(struct compiler *c, yyjson_val *node, struct place place)
{
    (void)place;
    put_z(c, "<li style=\"margin-bottom:8px;padding-left:6px;" ANTIALIASED "\">");
    compile_children(c, node, STR("listItem"));
    put_z(c, "</li>");
}

static void node_rule(struct compiler *c, yyjson_val *node, struct place place)
{
    static const struct style sides[] = {
        {"margin-top", "marginTop", "10px", false}, {"margin-right", "marginRight", "0", false},
        {"margin-bottom", "marginBottom", "10px", false}, {"margin-left", "marginLeft", "0", false},
        {"padding-top", "paddingTop", "0", false}, {"padding-right", "paddingRight", "0", false},
        {"padding-bottom", "paddingBottom", "0", false}, {"padding-left", "paddingLeft", "0", false}};
    (void)place;
    put_z(c, "<hr");
    style_z(c, "width:100%;border:none;border-top:1px solid #eaeaea");
    STYLES(c, json_get(node, "attrs"), sides);
    style_end(c);
    put_z(c, "/>");
}

static void node_spacer(struct compiler *c, yyjson_val *node, struct place place)
{
    struct leaf height = leaf_text(c, json_get(json_get(node, "attrs"), "height"));
    (void)place;
    put_z(c, TABLE " style=\"max-width:37.5em;height:");
    put_first(c, &height, 1, "8");
    put_z(c, "px\"><tbody><tr style=\"width:100%\"><td></td></tr></tbody></table>");
}

/* ---- button ---- */

static double padding_of(yyjson_val *attrs, const char *key, double otherwise)
{
    double n;
    return number_of(json_get(attrs, key), &n) ? n : otherwise;
}

static void button_color(struct compiler *c, const char *name, yyjson_val *v)
{
    struct leaf l = leaf_text(c, v);
    style_name(c, name);
    if (l.kind == LEAF_ABSENT)
        put_z(c, "undefined");          /* recorded: such a button has no colours */
    else
        put_leaf(c, &l, PUT_ESCAPED);
}

static void button_paddings(struct compiler *c, yyjson_val *attrs, double *bottom)
{
    static const char *const keys[] = {"paddingTop", "paddingRight", "paddingBottom", "paddingLeft"};
    static const char *const names[] = {"padding-top", "padding-right", "padding-bottom", "padding-left"};
    static const struct style width[] = {{"width", "width", NULL, false}};
    double side[4];
    style_name(c, "padding");
    for (int i = 0; i < 4; i++) {
        side[i] = padding_of(attrs, keys[i], i % 2 ? 32 : 10) + (i % 2 ? 0 : 2);    /* the border counts */
        put_z(c, i ? " " : "");
        put_number(c, side[i]);
        put_z(c, "px");
    }
    STYLES(c, attrs, width);
    for (int i = 0; i < 4; i++) {
        style_name(c, names[i]);
        put_number(c, side[i]);
        put_z(c, "px");
    }
    *bottom = side[2];
}

static void node_button(struct compiler *c, yyjson_val *node, struct place place)
{
    static const struct style align[] = {{"text-align", "alignment", "left", false}};
    yyjson_val *attrs = json_get(node, "attrs");
    struct leaf url = leaf_variable(c, attrs, "url", "isUrlVariable"), text = leaf_variable(c, attrs, "text", "isTextVariable");
    struct str radius = json_get_str(attrs, "borderRadius");
    double bottom;
    put_z(c, TABLE);
    style_z(c, "max-width:100%");
    STYLES(c, attrs, align);
    style_margin(c, place.margin, "0px");
    style_end(c);
    put_z(c, ">" BOX_OPEN "<a");
    if (url.kind != LEAF_ABSENT && url.kind != LEAF_NULL)
        put_attribute(c, "href", &url);
    style_z(c, "line-height:100%;text-decoration:none;display:inline-block;max-width:100%;mso-padding-alt:0px");
    button_color(c, "color", json_get(attrs, "textColor"));
    if (str_eqz(json_get_str(attrs, "variant"), "filled"))
        button_color(c, "background-color", json_get(attrs, "buttonColor"));
    else
        style_z(c, "background-color:transparent");
    button_color(c, "border-color", json_get(attrs, "buttonColor"));
    style_z(c, "border-width:2px;border-style:solid;box-sizing:border-box;font-size:14px;font-weight:500");
    style_name(c, "border-radius");
    put_z(c, str_eqz(radius, "round") ? "9999px" : str_eqz(radius, "smooth") ? "6px" : "0px");
    button_paddings(c, attrs, &bottom);
    style_end(c);
    put_z(c, " target=\"_blank\"><span></span><span style=\"max-width:100%;display:inline-block;line-height:120%;"
             "mso-padding-alt:0px;mso-text-raise:");
    put_number(c, bottom * 0.75);
    put_z(c, "px\">");
    put_leaf(c, &text, PUT_ESCAPED);
    put_z(c, "</span><span></span></a>" BOX_CLOSE);
}

/* ---- pictures ---- */

static void put_picture_row(struct compiler *c, yyjson_val *attrs, struct place place, const char *alignment)
{
    yyjson_val *v = json_get(attrs, "alignment");
    struct leaf l = leaf_text(c, v);
    put_z(c, TABLE);
    style_z(c, "margin-top:0px");
    style_margin(c, place.margin, "0px");
    style_end(c);
    put_z(c, ">" ROW_OPEN "<td");
    if (!v)
        l = (struct leaf){.kind = LEAF_TEXT, .s = str_of(alignment)};
    put_attribute_if(c, "align", &l);
    put_z(c, ">");
}

static void put_titles(struct compiler *c, const struct picture *p, const char *otherwise)
{
    struct leaf titles[] = {p->title, p->alt}, alts[] = {p->alt, p->title};
    put_z(c, " title=\"");
    put_first(c, titles, 2, otherwise);
    put_z(c, "\" alt=\"");
    put_first(c, alts, 2, otherwise);
    put_z(c, "\"");
}

static void put_size(struct compiler *c, yyjson_val *attrs, const char *name)
{
    yyjson_val *v = json_get(attrs, name);
    struct leaf l = leaf_text(c, v);
    double n = 0;
    style_name(c, name);
    if (l.kind == LEAF_TEMPLATE) {
        put_leaf(c, &l, PUT_ESCAPED);
        put_z(c, "px");
    } else if (yyjson_is_null(v) || number_of(v, &n)) {
        put_number(c, n);
        put_z(c, "px");
    } else {
        put_z(c, "auto");
    }
}

static void put_picture(struct compiler *c, const struct picture *p, bool has_source)
{
    static const struct style radius[] = {{"border-radius", "borderRadius", "0", false}};
    put_z(c, "<img");
    if (has_source) {
        put_titles(c, p, "Image");
        put_attribute(c, "src", &p->src);
    } else {
        put_z(c, " title=\"No image selected\" alt=\"No image selected\"");
    }
    style_z(c, "display:block;outline:none;border:none;text-decoration:none");
    put_size(c, p->attrs, "width");
    put_size(c, p->attrs, "height");
    style_z(c, "max-width:100%");
    if (has_source) {
        STYLES(c, p->attrs, radius);
        style_z(c, "padding:0;font-size:initial;line-height:initial;background-color:initial");
    } else {
        style_z(c, "border-radius:8px;padding:8px;font-size:14px;line-height:20px;background-color:#f4f5f6");
    }
    style_end(c);
    put_z(c, "/>");
}

static void picture_there(struct compiler *c, const void *node)
{
    put_picture(c, node, true);
}

static void picture_missing(struct compiler *c, const void *node)
{
    put_picture(c, node, false);
}

static void picture_plain(struct compiler *c, const void *node)
{
    put_choice(c, &((const struct picture *)node)->src, picture_there, picture_missing, node);
}

static void picture_linked(struct compiler *c, const void *node)
{
    put_z(c, "<a");
    put_attribute(c, "href", &((const struct picture *)node)->link);
    put_z(c, " rel=\"noopener noreferrer\" style=\"display:block;max-width:100%;text-decoration:none\" target=\"_blank\">");
    picture_plain(c, node);
    put_z(c, "</a>");
}

static void node_image(struct compiler *c, yyjson_val *node, struct place place)
{
    struct picture p = picture_of(c, node);
    put_picture_row(c, p.attrs, place, "center");
    put_choice(c, &p.link, picture_linked, picture_plain, &p);
    put_z(c, "</td>" ROW_CLOSE);
}

static void node_logo(struct compiler *c, yyjson_val *node, struct place place)
{
    struct picture p = picture_of(c, node);
    yyjson_val *v = json_get(p.attrs, "size");
    struct leaf size = leaf_text(c, v);
    if (!v || str_eqz(size.s, "sm"))
        size = (struct leaf){.kind = LEAF_TEXT, .s = STR("40px")};
    else if (str_eqz(size.s, "md"))
        size.s = STR("48px");
    else if (str_eqz(size.s, "lg"))
        size.s = STR("64px");
    put_picture_row(c, p.attrs, place, "left");
    put_z(c, "<img");
    put_titles(c, &p, "Logo");
    put_attribute_if(c, "src", &p.src);
    style_z(c, "display:block;outline:none;border:none;text-decoration:none");
    style_leaf(c, "width", size, false);
    style_leaf(c, "height", size, false);
    style_end(c);
    put_z(c, "/></td>" ROW_CLOSE);
}

/* ---- link card ---- */

struct card { struct leaf title, description, link, link_title, image, sub_title, badge; };

static void card_image(struct compiler *c, const void *node)
{
    const struct card *k = node;
    put_z(c, TABLE " style=\"margin-bottom:6px\">" ROW_OPEN "<td style=\"width:100%;height:100%\"><img title=\"");
    put_first(c, &k->title, 1, "Link Card");
    put_z(c, "\" alt=\"");
    put_first(c, &k->title, 1, "Link Card");
    put_z(c, "\"");
    put_attribute(c, "src", &k->image);
    put_z(c, " style=\"display:block;outline:none;border:none;text-decoration:none;border-radius:10px 10px 0 0;width:100%;"
             "height:100%;object-fit:cover\"/></td>" ROW_CLOSE);
}

#define CARD_BESIDE "<td style=\"padding-left:6px;vertical-align:middle\">"

static void card_badge(struct compiler *c, const void *node)
{
    put_z(c, CARD_BESIDE "<span style=\"font-weight:600;color:#111827;padding:4px 8px;border-radius:8px;"
             "background-color:#FEF08A;font-size:12px;line-height:12px\">");
    put_leaf(c, &((const struct card *)node)->badge, PUT_ESCAPED);
    put_z(c, "</span> </td>");
}

static void card_sub_title(struct compiler *c, const void *node)
{
    put_z(c, CARD_BESIDE " <span style=\"font-weight:normal;color:#6B7280;font-size:12px;line-height:12px\">");
    put_leaf(c, &((const struct card *)node)->sub_title, PUT_ESCAPED);
    put_z(c, "</span></td>");
}

static void card_no_badge(struct compiler *c, const void *node)
{
    put_choice(c, &((const struct card *)node)->sub_title, card_sub_title, NULL, node);
}

static void card_link(struct compiler *c, const void *node)
{
    const struct card *k = node;
    put_z(c, "<a href=\"");
    put_first(c, &k->link, 1, "#");
    put_z(c, "\" rel=\"noopener noreferrer\" style=\"color:#111827;font-size:14px;font-weight:600;text-decoration:underline\">");
    put_leaf(c, &k->link_title, PUT_ESCAPED);
    put_z(c, "</a>");
}

static void node_link_card(struct compiler *c, yyjson_val *node, struct place place)
{
    yyjson_val *attrs = json_get(node, "attrs");
    struct card k = {
        .title = leaf_text(c, json_get(attrs, "title")), .description = leaf_text(c, json_get(attrs, "description")),
        .link = leaf_text(c, json_get(attrs, "link")), .link_title = leaf_text(c, json_get(attrs, "linkTitle")),
        .image = leaf_text(c, json_get(attrs, "image")), .sub_title = leaf_text(c, json_get(attrs, "subTitle")),
        .badge = leaf_text(c, json_get(attrs, "badgeText"))};
    put_z(c, "<a href=\"");
    put_first(c, &k.link, 1, "#");
    put_z(c, "\" rel=\"noopener noreferrer\"");
    style_z(c, "border:1px solid #eaeaea;border-radius:10px;text-decoration:none;color:inherit;display:block");
    style_margin(c, place.margin, "0px");
    style_end(c);
    put_z(c, " target=\"_blank\">");
    put_choice(c, &k.image, card_image, NULL, &k);
    put_z(c, TABLE " style=\"padding:15px;margin-top:0;margin-bottom:0\">" ROW_OPEN "<td style=\"vertical-align:top\">"
             "<table width=\"auto\"" TABLE_REST " style=\"margin-bottom:8px;margin-top:0px\">" ROW_OPEN "<td>"
             "<p style=\"font-size:18px;line-height:24px;font-weight:600;color:#111827;margin:0px;" ANTIALIASED
             ";margin-top:0px;margin-bottom:0px;margin-left:0px;margin-right:0px\">");
    put_leaf(c, &k.title, PUT_ESCAPED);
    put_z(c, "</p></td>");
    put_choice(c, &k.badge, card_badge, card_no_badge, &k);
    put_z(c, ROW_CLOSE "<p style=\"font-size:16px;line-height:24px;color:#6B7280;margin-top:0px;margin-bottom:0px;"
             ANTIALIASED "\">");
    put_leaf(c, &k.description, PUT_ESCAPED);
    put_z(c, " ");
    put_choice(c, &k.link_title, card_link, NULL, &k);
    put_z(c, "</p></td>" ROW_CLOSE "</a>");
}

/* ---- containers ---- */

static void node_section(struct compiler *c, yyjson_val *node, struct place place)
{
    static const struct style before[] = {{"margin-top", "marginTop", "0", false}, {"margin-right", "marginRight", "0", false}};
    static const struct style after[] = {{"margin-left", "marginLeft", "0", false}};
    static const struct style inner[] = {
        {"border-color", "borderColor", "#e2e2e2", false}, {"border-width", "borderWidth", "0", false},
        {"border-style", "borderStyle", "solid", false}, {"background", "background", NULL, false},
        {"background-color", "backgroundColor", "#ffffff", false}, {"border-radius", "borderRadius", "6px", false},
        {"padding-top", "paddingTop", "8px", false}, {"padding-right", "paddingRight", "8px", false},
        {"padding-bottom", "paddingBottom", "8px", false}, {"padding-left", "paddingLeft", "8px", false},
        {"text-align", "textAlign", "initial", false}};
    yyjson_val *attrs = json_get(node, "attrs"), *v = json_get(attrs, "align");
    struct leaf align = v ? leaf_text(c, v) : (struct leaf){.kind = LEAF_TEXT, .s = STR("left")};
    double bottom;
    if (!number_of(json_get(attrs, "marginBottom"), &bottom))
        bottom = 10;
    put_z(c, TABLE);
    STYLES(c, attrs, before);
    style_name(c, "margin-bottom");
    put_margin(c, place.margin, bottom == 0 ? "0" : str_fmt(c->a, "%.15gpx", bottom).p, "0");
    STYLES(c, attrs, after);
    style_end(c);
    put_z(c, ">" ROW_OPEN "<td");
    put_attribute_if(c, "align", &align);
    STYLES(c, attrs, inner);
    style_end(c);
    put_z(c, ">");
    compile_children(c, node, STR("section"));
    put_z(c, "</td>" ROW_CLOSE);
}

struct widths { size_t columns, automatic; double used; };

static bool is_column(yyjson_val *node)
{
    return str_eqz(json_get_str(node, "type"), "column");
}

static bool column_width(yyjson_val *column, double *width)
{
    return number_of(json_get(json_get(column, "attrs"), "width"), width) && *width != 0;
}

static struct widths widths_of(yyjson_val *children)
{
    struct widths w = {0};
    size_t i, n;
    yyjson_val *child;
    double width;
    yyjson_arr_foreach(children, i, n, child) {
        if (!is_column(child))
            continue;
        w.columns++;
        if (column_width(child, &width))
            w.used += width;
        else
            w.automatic++;
    }
    return w;
}

/* content.md §4.2: inner columns of three and more get less, so that the text columns look equally wide. */
static double column_padding(size_t index, size_t columns, bool outer_side, double gap)
{
    double p = columns < 3 ? gap / 2 : gap / 2 * 1.5;
    if (outer_side)
        return 0;
    if (columns >= 3 && index > 0 && index + 1 < columns)
        p /= 2;
    return floor(p * 100 + 0.5) / 100;
}

static void put_column(struct compiler *c, yyjson_val *node, double width, double left, double right)
{
    static const struct style align[] = {{"vertical-align", "verticalAlign", "top", false}};
    put_z(c, "<td width=\"");
    put_number(c, width);
    put_z(c, "%\" class=\"tab-col-full\"");
    style_name(c, "width");
    put_number(c, width);
    put_z(c, "%");
    style_z(c, "margin:0");
    STYLES(c, json_get(node, "attrs"), align);
    style_end(c);
    put_z(c, ">" TABLE " class=\"tab-pad\"");
    style_z(c, "margin:0");
    put_pixels(c, "padding-left", left);
    put_pixels(c, "padding-right", right);
    style_end(c);
    put_z(c, "><tbody><tr><td>");
    compile_children(c, node, STR("column"));
    put_z(c, BOX_CLOSE "</td>");
}

static void node_column(struct compiler *c, yyjson_val *node, struct place place)
{
    double width;
    (void)place;
    if (!column_width(node, &width))
        width = 100;
    put_column(c, node, width, 0, 0);
}

static void put_columns(struct compiler *c, yyjson_val *children, const struct widths *w, double gap)
{
    double share = w->automatic ? floor((100 - w->used) / (double)w->automatic + 0.5) : 0, width;
    size_t i, n;
    yyjson_val *child;
    yyjson_arr_foreach(children, i, n, child) {
        if (!is_column(child)) {
            compile_node(c, child, (struct place){STR("columns"), MARGIN_KEPT});
            continue;
        }
        if (!column_width(child, &width))
            width = share;
        put_column(c, child, width, column_padding(i, w->columns, i == 0, gap), column_padding(i, w->columns, i + 1 == n, gap));
    }
}

static void node_columns(struct compiler *c, yyjson_val *node, struct place place)
{
    yyjson_val *attrs = json_get(node, "attrs"), *children = json_get(node, "content");
    struct widths w = widths_of(children);
    double gap, bottom, total = w.automatic || w.used > 100 ? 100 : w.used;
    if (!number_of(json_get(attrs, "gap"), &gap) || gap == 0)
        gap = 8;
    if (!number_of(json_get(attrs, "marginBottom"), &bottom))
        bottom = 10;
    put_z(c, "<table align=\"center\" width=\"");
    put_number(c, total);
    put_z(c, "%\"" TABLE_REST " class=\"tab-row-full\"");
    style_z(c, "margin:0");
    style_name(c, "margin-bottom");
    put_margin(c, place.margin, bottom == 0 ? "0" : str_fmt(c->a, "%.15gpx", bottom).p, "0");
    style_z(c, "padding:0");
    style_name(c, "width");
    put_number(c, total);
    put_z(c, "%");
    style_end(c);
    put_z(c, ">" ROW_OPEN);
    if (!children_vary(c, children))     /* else the widths depend on how many there are: whole.c */
        put_columns(c, children, &w, gap);
    put_z(c, ROW_CLOSE);
}

/* ---- HTML of the author ---- */

static void node_html(struct compiler *c, yyjson_val *node, struct place place)
{
    size_t i, n;
    yyjson_val *child;
    (void)place;
    put_z(c, "<table align=\"left\" width=\"100%\"" TABLE_REST "><tbody><tr style=\"width:100%\"><td style=\"width:100%\">");
    if (children_vary(c, json_get(node, "content")))
        return;
    struct section outer = code_begin(c);
    yyjson_arr_foreach(json_get(node, "content"), i, n, child) {
        struct str type = json_get_str(child, "type");
        struct leaf l = str_eqz(type, "variable") ? leaf_variable(c, json_get(child, "attrs"), "id", "id")
                                                   : leaf_text(c, json_get(child, "text"));
        if (str_eqz(type, "variable") || str_eqz(type, "text"))
            put_leaf(c, &l, PUT_RAW);
    }
    struct code code = code_end(c, &outer);
    if (code.n == 1 && code.v[0].kind == OP_HTML)
        css_inline(c->a, code.v[0].html, &c->css_work, &c->html);
    else if (code.n)
        put_op(c, (struct op){.kind = OP_CODE, .code = code});
    put_z(c, BOX_CLOSE);
}

/* ---- the table ---- */

static const struct {
    const char *type;
    void (*put)(struct compiler *c, yyjson_val *node, struct place place);
} nodes[] = {
    {"text", node_text}, {"paragraph", node_paragraph}, {"variable", node_variable}, {"hardBreak", node_break},
    {"heading", node_heading}, {"button", node_button}, {"image", node_image}, {"spacer", node_spacer},
    {"section", node_section}, {"columns", node_columns}, {"column", node_column}, {"bulletList", node_bullet_list},
    {"orderedList", node_ordered_list}, {"listItem", node_list_item}, {"horizontalRule", node_rule},
    {"inlineImage", node_inline_image}, {"logo", node_logo}, {"footer", node_footer}, {"blockquote", node_blockquote},
    {"linkCard", node_link_card}, {"htmlCodeBlock", node_html},
};

void compile_node(struct compiler *c, yyjson_val *node, struct place place)
{
    struct str type = json_get_str(node, "type");
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (str_eqz(type, nodes[i].type)) {
            nodes[i].put(c, node, place);
            return;
        }
    put_fail(c, "Node", type);
}
