/* Link cards. */
#include "content/blocks/nodes.h"

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

void block_link_card(struct compiler *c, yyjson_val *node, struct place place)
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
