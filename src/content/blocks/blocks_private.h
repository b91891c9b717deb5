/* What the files of the block renderer share: the program, and the compiler that the nodes write with. */
#ifndef CONTENT_BLOCKS_PRIVATE_H
#define CONTENT_BLOCKS_PRIVATE_H

#include "content/blocks.h"
#include "content/liquid/liquid_private.h"

enum { BLOCKS_OUTPUT_MAX = 10 << 20, BLOCKS_ITEMS_MAX = 1000000, CSS_WORK_MAX = 10000000 };

/* ---- the program ---- */
enum op_kind { OP_HTML, OP_PUT, OP_MARGIN, OP_CHOOSE, OP_LIST, OP_CODE, OP_FAIL };

enum put_how {
    PUT_ESCAPED,        /* text or attribute value */
    PUT_SPACED,         /* text without marks: blanks alone become no-break spaces, as does nothing */
    PUT_MARKED,         /* text with marks: nothing becomes a no-break space */
    PUT_RAW,            /* HTML */
    PUT_RAW_SPAN        /* like SPACED, but HTML in a <span> */
};

struct op;
struct code { const struct op *v; uint32_t n; };

/* A child whose presence or number is known only while rendering, or that stands beside such a one. */
struct item {
    const struct liquid_template *show;     /* NULL: always */
    bool spacer;
    bool last_loses;                        /* its bottom margin, when nothing follows */
    struct code code;
    const struct item *items;               /* of a repetition */
    uint32_t items_n;
    const struct liquid_template *each;     /* NULL: no repetition */
    struct str each_text;                   /* for error messages */
    double iterations;                      /* as iterations_of says */
    int32_t slot;                           /* of the index variable, -1 if nothing mentions it */
};

struct op {
    enum op_kind kind;
    enum put_how how;
    union {
        struct str html;                                                /* HTML; FAIL: the message */
        const struct liquid_template *t;                                /* PUT */
        struct { struct str kept, removed; } margin;                    /* MARGIN: of the item being rendered */
        struct { const struct liquid_template *t; struct code yes, no; } choose;    /* is the value not empty? */
        struct { const struct item *items; uint32_t n; } list;
        struct code code;                                               /* CODE: HTML whose style sheets are inlined */
    };
};

struct blocks {
    yyjson_val *doc;
    struct code code;
    struct liquid_names names;
    bool whole;             /* only the text as a whole is a template: see whole.c */
    bool translations;      /* some leaf holds a translation key */
};

/* ---- compiling (compile.c) ---- */
/* A repetition around the node being compiled. */
struct loop {
    struct str path;                /* of the array as rewritten for the loops outside */
    struct str name;                /* of the index variable */
    const struct loop *outer;
};

struct compiler {
    struct arena *a;
    struct blocks *b;
    bool literal;                   /* the document was rendered already: nothing is a template any more */
    struct buf html;                /* finished text that is not an op yet */
    struct op *ops;
    uint32_t ops_n, ops_cap;
    const struct loop *loop;
    bool style_open;
    int64_t css_work;               /* left */
};

/* An attribute's value or a text. */
enum leaf_kind { LEAF_ABSENT, LEAF_NULL, LEAF_TEXT, LEAF_TEMPLATE };
struct leaf {
    enum leaf_kind kind;
    bool number;
    struct str s;
    const struct liquid_template *t;
};

enum margin { MARGIN_KEPT, MARGIN_REMOVED, MARGIN_LATER };      /* LATER: decided while rendering */
struct place {
    struct str parent;              /* its type; of top-level nodes their own (an oddity of upstream) */
    enum margin margin;             /* the bottom margin */
};

void compile_children(struct compiler *c, yyjson_val *node, struct str type);
/* Is it known only while rendering which children there are? Then, for nodes that must know, the whole document is. */
bool children_vary(struct compiler *c, yyjson_val *children);
void compile_node(struct compiler *c, yyjson_val *node, struct place place);    /* nodes.c */

static inline void put_z(struct compiler *c, const char *z) { buf_z(&c->html, z); }
void put_escaped(struct buf *b, struct str s);
void put_spaced(struct buf *b, struct str s, enum put_how how);
void put_leaf(struct compiler *c, const struct leaf *l, enum put_how how);
void put_op(struct compiler *c, struct op op);
void put_fail(struct compiler *c, const char *what, struct str type);
/* A bottom margin: one text or the other. */
void put_margin(struct compiler *c, enum margin m, const char *kept, const char *removed);

/* Code of its own, for CHOOSE and CODE: begin, write, end. */
struct section { struct op *ops; uint32_t n, cap; };
struct section code_begin(struct compiler *c);
struct code code_end(struct compiler *c, const struct section *outer);

struct leaf leaf_text(struct compiler *c, yyjson_val *v);                           /* any string of the document */
/* attrs[key]; a variable when attrs[flag] says so. */
struct leaf leaf_variable(struct compiler *c, yyjson_val *attrs, const char *key, const char *flag);
static inline bool leaf_is_empty(const struct leaf *l)
{
    return l->kind == LEAF_ABSENT || l->kind == LEAF_NULL || (l->kind == LEAF_TEXT && !l->s.n);
}

/* What upstream writes for a variable: {{ value | default: 'fallback' }}, with aliasFor instead of value. */
struct str variable_liquid(struct arena *a, struct str value, yyjson_val *attrs);
/* The path of the first {{ }} in text with [index] behind the first mention of loop->path; text itself if there is none. */
struct str variable_index(struct arena *a, struct str text, struct str path, struct str index);

/* The rule of content.md §4.2: is the bottom margin of a node taken away? last: nothing follows. */
bool margin_is_removed(struct str type, struct str parent, bool last, bool before_spacer);

/* ---- render.c ---- */
bool show_truthy(struct arena *a, struct str rendered);
/* The attribute as JavaScript's slice(0, n) takes it: 0, null and nothing mean all, -1 all but the last. */
double iterations_of(yyjson_val *v);
/* How many times a repetition goes round; false: err has upstream's text. */
bool each_count(struct render *r, const struct liquid_template *t, struct str text, double iterations, size_t *n,
                struct error *err);

/* ---- whole.c ---- */
bool whole_render(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **out,
                  struct error *err);

/* compile.c: of a document that blocks_tree gave. */
struct blocks *blocks_compile_literal(struct arena *a, yyjson_val *doc);

/* ---- inline_css.c ---- */
/* Appends html, balanced, without comments, doctype and <head>, its style sheets' simple rules moved into style
 * attributes; what cannot be moved (@media, pseudo classes…) goes into one <style> in front. Comparing and copying takes
 * from *work; when nothing is left, the elements that follow keep the style they have. */
void css_inline(struct arena *a, struct str html, int64_t *work, struct buf *out);

#endif
