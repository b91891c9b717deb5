/* Text with its marks, variables, line breaks. */
#include "content/blocks/nodes.h"

enum { MARK_STRIKE, MARK_CODE, MARK_UNDERLINE, MARK_BOLD, MARK_ITALIC, MARK_STYLE, MARK_LINK, MARKS };
/* In the order of nesting, the innermost first; what has rank 0 keeps the order of the document. */
static const struct { const char *name; int rank; const char *open, *close; } mark_table[MARKS] = {
    {"strike", 0, "<s style=\"text-decoration:line-through\">", "</s>"},
    {"code", 0, "<code style=\"background-color:#EFEFEF;color:#111827;padding:2px 4px;border-radius:6px;font-family:"
        "SFMono-Regular, Menlo, Monaco, Consolas, &quot;Liberation Mono&quot;, &quot;Courier New&quot;, monospace;"
        "font-weight:400;letter-spacing:0\">", "</code>"},
    {"underline", 1, "<u>", "</u>"},
    {"bold", 2, "<strong>", "</strong>"},
    {"italic", 3, "<em>", "</em>"},
    {"textStyle", 4, NULL, "</span>"},
    {"link", 5, NULL, "</a>"},
};

struct mark { int kind; yyjson_val *attrs; };

static int mark_kind(struct str type)
{
    for (int i = 0; i < MARKS; i++)
        if (str_eqz(type, mark_table[i].name))
            return i;
    return -1;
}

static void mark_open(struct compiler *c, const struct mark *m)
{
    static const struct style color[] = {{"color", "color", "#374151", false}};
    if (m->kind == MARK_STYLE) {
        put_z(c, "<span");
        STYLES(c, m->attrs, color);
        style_end(c);
        put_z(c, ">");
    } else if (m->kind == MARK_LINK) {
        struct leaf href = leaf_variable(c, m->attrs, "href", "isUrlVariable");
        struct leaf rel = leaf_text(c, json_get(m->attrs, "rel")), target = leaf_text(c, json_get(m->attrs, "target"));
        put_z(c, "<a href=\"");
        put_first(c, &href, 1, "#");
        put_z(c, "\" rel=\"");
        put_first(c, &rel, 1, "noopener noreferrer nofollow");
        put_z(c, "\" style=\"color:#111827;text-decoration-line:none;font-size:14px;font-style:normal;font-weight:500;"
                 "line-height:20px;text-decoration:underline\" target=\"");
        put_first(c, &target, 1, "_blank");
        put_z(c, "\">");
    } else {
        put_z(c, mark_table[m->kind].open);
    }
}

/* The marks by rank. false: one is unknown, and was reported. */
static bool marks_sort(struct compiler *c, yyjson_val *marks, struct mark *out, size_t *n)
{
    size_t i, max;
    yyjson_val *m;
    *n = 0;
    for (int rank = 0; rank <= 5; rank++)
        yyjson_arr_foreach(marks, i, max, m) {
            int kind = mark_kind(json_get_str(m, "type"));
            if (kind < 0) {
                put_fail(c, "Mark", json_get_str(m, "type"));
                return false;
            }
            if (mark_table[kind].rank == rank)
                out[(*n)++] = (struct mark){kind, json_get(m, "attrs")};
        }
    return true;
}

static void put_text(struct compiler *c, const struct leaf *text, yyjson_val *marks, bool is_html)
{
    size_t n;
    if (!yyjson_is_arr(marks)) {
        put_leaf(c, text, is_html ? PUT_RAW_SPAN : PUT_SPACED);
        return;
    }
    struct mark *sorted = ARENA_ARRAY(c->a, struct mark, yyjson_arr_size(marks) + 1);
    if (!marks_sort(c, marks, sorted, &n))
        return;
    for (size_t i = n; i; i--)
        mark_open(c, &sorted[i - 1]);
    put_leaf(c, text, is_html ? PUT_RAW_SPAN : PUT_MARKED);
    for (size_t i = 0; i < n; i++)
        put_z(c, mark_table[sorted[i].kind].close);
}

void block_text(struct compiler *c, yyjson_val *node, struct place place)
{
    struct leaf text = leaf_text(c, json_get(node, "text"));
    (void)place;
    put_text(c, &text, json_get(node, "marks"), json_get_bool(json_get(node, "attrs"), "shouldDangerouslySetInnerHTML", false));
}

void block_variable(struct compiler *c, yyjson_val *node, struct place place)
{
    yyjson_val *attrs = json_get(node, "attrs");
    struct leaf text = leaf_variable(c, attrs, "id", "id");
    (void)place;
    /* content.md §4.6: where a layout has the e-mail's content, it is HTML. */
    put_text(c, &text, json_get(node, "marks"), str_eqz(json_get_str(attrs, "id"), "content"));
}

void block_break(struct compiler *c, yyjson_val *node, struct place place)
{
    (void)node, (void)place;
    put_z(c, "<br/>");
}
