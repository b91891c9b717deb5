/* Buttons: a link dressed up for Outlook, too. */
#include "content/blocks/nodes.h"

static double padding_of(yyjson_val *attrs, const char *key, double otherwise)
{
    double n;
    return attribute_number(json_get(attrs, key), &n) ? n : otherwise;
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

void block_button(struct compiler *c, yyjson_val *node, struct place place)
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
