/* One function a node type: writes its HTML (content.md §4.2), styles in upstream's order. nodes.c has the table of them. */
#ifndef CONTENT_BLOCKS_NODES_H
#define CONTENT_BLOCKS_NODES_H

#include "content/blocks/style.h"

typedef void block_put(struct compiler *c, yyjson_val *node, struct place place);

/* node_inline.c */
block_put block_text, block_variable, block_break;
/* node_text_block.c */
block_put block_paragraph, block_heading, block_footer, block_blockquote, block_bullet_list, block_ordered_list, block_list_item,
    block_rule, block_spacer;
/* node_button.c */
block_put block_button;
/* node_image.c */
block_put block_image, block_logo, block_inline_image;
/* node_link_card.c */
block_put block_link_card;
/* node_container.c */
block_put block_section, block_columns, block_column, block_html;

#endif
