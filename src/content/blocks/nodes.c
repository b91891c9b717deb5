/* Which function writes a node. */
#include "content/blocks/nodes.h"

static const struct {
    const char *type;
    block_put *put;
} nodes[] = {
    {"text", block_text}, {"paragraph", block_paragraph}, {"variable", block_variable}, {"hardBreak", block_break},
    {"heading", block_heading}, {"button", block_button}, {"image", block_image}, {"spacer", block_spacer},
    {"section", block_section}, {"columns", block_columns}, {"column", block_column}, {"bulletList", block_bullet_list},
    {"orderedList", block_ordered_list}, {"listItem", block_list_item}, {"horizontalRule", block_rule},
    {"inlineImage", block_inline_image}, {"logo", block_logo}, {"footer", block_footer}, {"blockquote", block_blockquote},
    {"linkCard", block_link_card}, {"htmlCodeBlock", block_html},
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
