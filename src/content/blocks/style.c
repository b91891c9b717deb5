/* Attributes and style declarations as React writes them. */
#include "content/blocks/style.h"

#include <math.h>

void put_attribute(struct compiler *c, const char *name, const struct leaf *l)
{
    put_z(c, " ");
    put_z(c, name);
    put_z(c, "=\"");
    put_leaf(c, l, PUT_ESCAPED);
    put_z(c, "\"");
}

void put_choice(struct compiler *c, const struct leaf *l, part yes, part no, const void *node)
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

void put_attribute_if(struct compiler *c, const char *name, const struct leaf *l)
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

void style_name(struct compiler *c, const char *name)
{
    put_z(c, c->style_open ? ";" : " style=\"");
    c->style_open = true;
    put_z(c, name);
    put_z(c, ":");
}

void style_z(struct compiler *c, const char *declarations)
{
    put_z(c, c->style_open ? ";" : " style=\"");
    c->style_open = true;
    put_z(c, declarations);
}

void style_end(struct compiler *c)
{
    if (c->style_open)
        put_z(c, "\"");
    c->style_open = false;
}

void style_leaf(struct compiler *c, const char *name, struct leaf l, bool unitless)
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

void styles_put(struct compiler *c, yyjson_val *attrs, const struct style *s, size_t n)
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

void style_margin(struct compiler *c, enum margin m, const char *zero)
{
    style_name(c, "margin-bottom");
    put_margin(c, m, "10px", zero);
}

bool attribute_number(yyjson_val *v, double *n)
{
    *n = yyjson_is_num(v) ? yyjson_get_num(v) : yyjson_is_str(v) && json_str(v).n ? number_parse(json_str(v)) : NAN;
    return isfinite(*n);
}

void put_number(struct compiler *c, double n)
{
    char text[NUMBER_TEXT_MAX];
    buf_add(&c->html, text, number_print(n, text));
}

void put_pixels(struct compiler *c, const char *name, double n)
{
    style_name(c, name);
    put_number(c, n);
    if (n != 0)
        put_z(c, "px");
}

void put_first(struct compiler *c, const struct leaf *l, size_t n, const char *otherwise)
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
