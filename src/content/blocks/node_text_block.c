/* Blocks of text: paragraphs, headings, quotations, lists, and what stands between them. */
#include "content/blocks/nodes.h"

void block_paragraph(struct compiler *c, yyjson_val *node, struct place place)
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

void block_heading(struct compiler *c, yyjson_val *node, struct place place)
{
    static const char *const fonts[] = {
        "color:#111827;font-size:30px;font-style:normal;line-height:40px;font-weight:600",
        "color:#111827;font-size:24px;font-style:normal;line-height:30px;font-weight:600",
        "color:#111827;font-size:18px;font-style:normal;line-height:26px;font-weight:600"};
    yyjson_val *attrs = json_get(node, "attrs");
    struct leaf align = leaf_text(c, json_get(attrs, "textAlign"));
    double n;
    int level = attribute_number(json_get(attrs, "level"), &n) && n >= 2 ? (n >= 3 ? 3 : 2) : 1;
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

void block_footer(struct compiler *c, yyjson_val *node, struct place place)
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

void block_blockquote(struct compiler *c, yyjson_val *node, struct place place)
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

void block_bullet_list(struct compiler *c, yyjson_val *node, struct place place)
{
    put_list(c, node, place, "100%", "ul", "disc");
}

void block_ordered_list(struct compiler *c, yyjson_val *node, struct place place)
{
    put_list(c, node, place, "37.5em", "ol", "decimal");
}

void block_list_item(struct compiler *c, yyjson_val *node, struct place place)
{
    (void)place;
    put_z(c, "<li style=\"margin-bottom:8px;padding-left:6px;" ANTIALIASED "\">");
    compile_children(c, node, STR("listItem"));
    put_z(c, "</li>");
}

void block_rule(struct compiler *c, yyjson_val *node, struct place place)
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

void block_spacer(struct compiler *c, yyjson_val *node, struct place place)
{
    struct leaf height = leaf_text(c, json_get(json_get(node, "attrs"), "height"));
    (void)place;
    put_z(c, TABLE " style=\"max-width:37.5em;height:");
    put_first(c, &height, 1, "8");
    put_z(c, "px\"><tbody><tr style=\"width:100%\"><td></td></tr></tbody></table>");
}
