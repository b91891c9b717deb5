/* What holds other blocks: sections, columns, the author's own HTML. */
#include "content/blocks/nodes.h"

#include <math.h>

void block_section(struct compiler *c, yyjson_val *node, struct place place)
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
    if (!attribute_number(json_get(attrs, "marginBottom"), &bottom))
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
    return attribute_number(json_get(json_get(column, "attrs"), "width"), width) && *width != 0;
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

void block_column(struct compiler *c, yyjson_val *node, struct place place)
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

void block_columns(struct compiler *c, yyjson_val *node, struct place place)
{
    yyjson_val *attrs = json_get(node, "attrs"), *children = json_get(node, "content");
    struct widths w = widths_of(children);
    double gap, bottom, total = w.automatic || w.used > 100 ? 100 : w.used;
    if (!attribute_number(json_get(attrs, "gap"), &gap) || gap == 0)
        gap = 8;
    if (!attribute_number(json_get(attrs, "marginBottom"), &bottom))
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

void block_html(struct compiler *c, yyjson_val *node, struct place place)
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
