/* Pictures: in a row of their own, as a logo, within a line. */
#include "content/blocks/nodes.h"

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

/* ---- within a line ---- */

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

void block_inline_image(struct compiler *c, yyjson_val *node, struct place place)
{
    struct picture p = picture_of(c, node);
    (void)place;
    put_choice(c, &p.link, inline_image_linked, inline_image, &p);
}

/* ---- in a row of their own ---- */

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
    } else if (yyjson_is_null(v) || attribute_number(v, &n)) {
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

void block_image(struct compiler *c, yyjson_val *node, struct place place)
{
    struct picture p = picture_of(c, node);
    put_picture_row(c, p.attrs, place, "center");
    put_choice(c, &p.link, picture_linked, picture_plain, &p);
    put_z(c, "</td>" ROW_CLOSE);
}

void block_logo(struct compiler *c, yyjson_val *node, struct place place)
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
