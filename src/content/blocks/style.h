/* Attributes and style declarations, which every node writes, and the table markup that nodes have in common. */
#ifndef CONTENT_BLOCKS_STYLE_H
#define CONTENT_BLOCKS_STYLE_H

#include "content/blocks/blocks_private.h"

#define TABLE_REST " border=\"0\" cellpadding=\"0\" cellspacing=\"0\" role=\"presentation\""
#define TABLE "<table align=\"center\" width=\"100%\"" TABLE_REST
#define ROW_OPEN "<tbody style=\"width:100%\"><tr style=\"width:100%\">"
#define ROW_CLOSE "</tr></tbody></table>"
#define BOX_OPEN "<tbody><tr style=\"width:100%\"><td>"
#define BOX_CLOSE "</td></tr></tbody></table>"
#define ANTIALIASED "-webkit-font-smoothing:antialiased;-moz-osx-font-smoothing:grayscale"
#define PARAGRAPH_FONT "font-size:14px;font-style:normal;font-weight:500;line-height:20px;color:#374151"

/* ---- attributes ---- */
void put_attribute(struct compiler *c, const char *name, const struct leaf *l);
/* Not at all if it turns out empty. */
void put_attribute_if(struct compiler *c, const char *name, const struct leaf *l);
/* Writes what yes does if l turns out to be text, else what no does; either may be NULL. */
typedef void (*part)(struct compiler *c, const void *node);
void put_choice(struct compiler *c, const struct leaf *l, part yes, part no, const void *node);
/* The first of l that is not empty, else the text. */
void put_first(struct compiler *c, const struct leaf *l, size_t n, const char *otherwise);

/* ---- style="…": opened by the first declaration ---- */
void style_name(struct compiler *c, const char *name);              /* the value is written by the caller */
void style_z(struct compiler *c, const char *declarations);
/* What React writes for a style: numbers get px, except 0; null and nothing leave the declaration out. */
void style_leaf(struct compiler *c, const char *name, struct leaf l, bool unitless);
void style_margin(struct compiler *c, enum margin m, const char *zero);
void put_pixels(struct compiler *c, const char *name, double n);
void style_end(struct compiler *c);

/* The attributes of a node as styles; absent ones are as `otherwise` says, NULL leaves them out. */
struct style { const char *name, *key, *otherwise; bool unitless; };
void styles_put(struct compiler *c, yyjson_val *attrs, const struct style *s, size_t n);
#define STYLES(c, attrs, list) styles_put((c), (attrs), (list), sizeof(list) / sizeof *(list))

/* ---- numbers ---- */
bool attribute_number(yyjson_val *v, double *n);       /* of a number or its text; false: it is none */
void put_number(struct compiler *c, double n);

#endif
