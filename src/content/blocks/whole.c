/* Renders a document the long way, as upstream always does: conditions and repetitions become a new document, whose JSON
 * text is one Liquid template.
 *
 * Needed where leaves cannot be rendered one by one: a tag that opens in one text and closes in another, the filter
 * `raw`, columns that come and go. Tests hold the short way against this one.
 */
#include "content/blocks/blocks_private.h"

#include "content/translation_keys.h"

/* No more nodes than a template of LIQUID_SOURCE_MAX could hold. */
enum { NODES_MAX = LIQUID_SOURCE_MAX / 16 };

struct index { struct str path, text; const struct index *outer; };

struct expander {
    struct arena *a;
    yyjson_mut_doc *d;
    const struct liquid_context *ctx;
    struct error *err;
    const struct index *index;
    size_t items;
};

static struct str index_text(struct expander *x, const struct index *i, struct str text)
{
    if (!i)
        return text;
    text = index_text(x, i->outer, text);
    return variable_index(x->a, text, i->path, i->text);
}

/* Which attributes may be variables, and what says so (content.md §4.4). */
static const struct { const char *key, *flag; } variables[] = {
    {"showIfKey", NULL}, {"text", "isTextVariable"}, {"url", "isUrlVariable"}, {"src", "isSrcVariable"},
    {"externalLink", "isExternalLinkVariable"}, {"href", "isUrlVariable"}, {"label", "isLabelVariable"},
    {"actionId", "isActionIdVariable"},
};

static bool is_flagged(yyjson_val *attrs, struct str key, bool *is_variable)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (str_eqz(key, variables[i].key)) {
            *is_variable = variables[i].flag && yyjson_is_true(json_get(attrs, variables[i].flag));
            return true;
        }
    return false;
}

static bool is_flag(struct str key)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (variables[i].flag && str_eqz(key, variables[i].flag))
            return true;
    return false;
}

static yyjson_mut_val *attrs_expand(struct expander *x, yyjson_val *attrs, bool is_variable_node)
{
    yyjson_mut_val *out = yyjson_mut_obj(x->d);
    size_t i, n;
    yyjson_val *k, *v;
    yyjson_obj_foreach(attrs, i, n, k, v) {
        struct str key = json_str(k), s = json_str(v);
        bool is_variable = false, known = is_flagged(attrs, key, &is_variable);
        if (str_eqz(key, "showIfKey") || (str_eqz(key, "id") && is_variable_node))
            continue;
        yyjson_mut_val *value = yyjson_val_mut_copy(x->d, v);
        if (is_flag(key) && yyjson_is_true(v))
            value = yyjson_mut_false(x->d);
        else if (known && s.n)
            value = json_mut_str(x->d, index_text(x, x->index, is_variable ? variable_liquid(x->a, s, attrs) : s));
        yyjson_mut_obj_add(out, yyjson_val_mut_copy(x->d, k), value);
    }
    if (is_variable_node && str_eqz(json_get_str(attrs, "id"), "content"))
        json_add_bool(x->d, out, "shouldDangerouslySetInnerHTML", true);
    return out;
}

static yyjson_mut_val *marks_expand(struct expander *x, yyjson_val *marks)
{
    yyjson_mut_val *out = yyjson_mut_arr(x->d);
    size_t i, n;
    yyjson_val *m;
    yyjson_arr_foreach(marks, i, n, m) {
        yyjson_mut_val *mark = yyjson_val_mut_copy(x->d, m);
        yyjson_val *attrs = json_get(m, "attrs");
        if (yyjson_is_obj(attrs))
            yyjson_mut_obj_put(mark, yyjson_mut_str(x->d, "attrs"), attrs_expand(x, attrs, false));
        yyjson_mut_arr_append(out, mark);
    }
    return out;
}

static bool expression_open(struct expander *x, struct str text, struct liquid_template **t, struct render **r)
{
    struct liquid_context c = *x->ctx;
    c.mode = LIQUID_PLAIN;
    *t = liquid_parse(x->a, translation_keys_protect(x->a, text), x->err);
    if (!*t)
        return false;
    struct liquid_context *kept = ARENA_NEW(x->a, struct liquid_context);
    *kept = c;
    *r = liquid_open((*t)->names, kept, x->a);
    return true;
}

static bool is_shown(struct expander *x, yyjson_val *node, bool *shown)
{
    yyjson_val *attrs = json_get(node, "attrs"), *v = json_get(attrs, "showIfKey");
    struct liquid_template *t;
    struct render *r;
    struct buf b = {.arena = x->a};
    *shown = true;
    if (!v || yyjson_is_null(v))
        return true;
    struct str s = json_str(v);
    *shown = yyjson_is_true(v);
    if (!s.n)
        return true;
    if (!expression_open(x, index_text(x, x->index, variable_liquid(x->a, s, attrs)), &t, &r) ||
        !liquid_render_next(r, t, &b, x->err))
        return false;
    *shown = show_truthy(x->a, buf_get(&b));
    return true;
}

static bool children_expand(struct expander *x, yyjson_val *children, yyjson_mut_val *out);

static bool repeat_expand(struct expander *x, yyjson_val *node, yyjson_val *each, yyjson_mut_val *out)
{
    yyjson_val *attrs = json_get(node, "attrs");
    struct str shown = json_str(each).n ? variable_liquid(x->a, json_str(each), attrs) : STR("");
    struct str text = index_text(x, x->index, shown);
    struct liquid_template *t;
    struct render *r;
    size_t n;
    if (!expression_open(x, text, &t, &r) ||
        !each_count(r, t, shown, iterations_of(json_get(attrs, "iterations")), &n, x->err))
        return false;
    struct str path = str_starts(text, STR("{{")) ? str_sub(text, 2, text.n - 2) : text;
    const char *bar = path.n ? memchr(path.p, '|', path.n) : NULL;
    struct index index = {.path = str_trim(bar ? str_sub(path, 0, (size_t)(bar - path.p)) : path), .outer = x->index};
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        index.text = str_fmt(x->a, "%zu", i);
        x->index = &index;
        ok = ++x->items <= NODES_MAX ? children_expand(x, json_get(node, "content"), out)
                                            : error_set(x->err, ERROR_BAD_INPUT, "parse length limit exceeded");
    }
    x->index = index.outer;
    return ok;
}

static bool node_expand(struct expander *x, yyjson_val *node, yyjson_mut_val *out)
{
    yyjson_mut_val *copy = yyjson_mut_obj(x->d);
    bool is_variable = str_eqz(json_get_str(node, "type"), "variable");
    size_t i, n;
    yyjson_val *k, *v, *attrs = json_get(node, "attrs");
    yyjson_obj_foreach(node, i, n, k, v) {
        struct str key = json_str(k);
        yyjson_mut_val *value;
        if (str_eqz(key, "attrs") && yyjson_is_obj(v)) {
            value = attrs_expand(x, v, is_variable);
        } else if (str_eqz(key, "marks") && yyjson_is_arr(v)) {
            value = marks_expand(x, v);
        } else if (str_eqz(key, "content") && yyjson_is_arr(v)) {
            value = yyjson_mut_arr(x->d);
            if (!children_expand(x, v, value))
                return false;
        } else if (is_variable && (str_eqz(key, "type") || str_eqz(key, "text"))) {
            continue;
        } else {
            value = yyjson_val_mut_copy(x->d, v);
        }
        yyjson_mut_obj_add(copy, yyjson_val_mut_copy(x->d, k), value);
    }
    if (is_variable) {
        struct str id = json_get_str(attrs, "id");
        json_add_str(x->d, copy, "type", STR("text"));
        json_add_str(x->d, copy, "text", id.n ? index_text(x, x->index, variable_liquid(x->a, id, attrs)) : STR(""));
    }
    yyjson_mut_arr_append(out, copy);
    return true;
}

static bool children_expand(struct expander *x, yyjson_val *children, yyjson_mut_val *out)
{
    size_t i, n;
    yyjson_val *node;
    yyjson_arr_foreach(children, i, n, node) {
        struct str type = json_get_str(node, "type");
        yyjson_val *each = json_get(json_get(node, "attrs"), "each");
        bool shown, is_repeat = str_eqz(type, "repeat") || str_eqz(type, "for");
        if (is_repeat && !yyjson_is_str(each))
            continue;           /* of nothing */
        if (!is_shown(x, node, &shown))
            return false;
        if (!shown)
            continue;
        if (++x->items > NODES_MAX)
            return error_set(x->err, ERROR_BAD_INPUT, "parse length limit exceeded");
        if (is_repeat ? !repeat_expand(x, node, each, out) : !node_expand(x, node, out))
            return false;
    }
    return true;
}

bool whole_render(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **out,
                  struct error *err)
{
    struct expander x = {.a = a, .d = json_doc(a), .ctx = ctx, .err = err};
    struct liquid_context json = *ctx;
    struct buf text = {.arena = a};
    yyjson_mut_val *doc = yyjson_mut_obj(x.d), *children = yyjson_mut_arr(x.d);
    json.mode = LIQUID_JSON;
    if (!children_expand(&x, json_get(b->doc, "content"), children))
        return false;
    json_add_str(x.d, doc, "type", STR("doc"));
    yyjson_mut_obj_add_val(x.d, doc, "content", children);
    struct liquid_template *t = liquid_parse(a, translation_keys_protect(a, json_write_mut(a, doc)), err);
    return t && liquid_render(t, &json, a, &text, err) &&
           json_parse(a, translation_keys_restore(a, buf_get(&text)), out, err);
}
