/* Moves the rules of style sheets into style attributes, for mail clients that drop <style> (content.md §4.2: what npm
 * juice 11 does for the simple selectors).
 *
 * Two passes over the markup: the first reads the style sheets, the second writes the elements with what applies to
 * them. Selectors of types, classes, ids and *, alone, combined, behind ancestors or parents, are inlined; rules with
 * any other selector and all @-rules stay in one <style> element in front.
 */
#include "content/blocks/blocks_private.h"
#include "content/html/tokens.h"

enum {
    RULES_MAX = 2000, PARTS_MAX = 16, NAMES_MAX = 8,
    MATCHES_MAX = CSS_WORK_MAX / 4,     /* selectors × elements; beyond, style sheets stay as they are */
};

/* One compound of a selector: p.a.b#c */
struct part {
    struct str type, id, classes[NAMES_MAX];
    int classes_n;
    bool child;                 /* the part before it is the parent, not any ancestor */
};

struct rule {
    struct part parts[PARTS_MAX];
    int parts_n;
    int specificity;
    struct str declarations;
};

struct sheet {
    struct arena *a;
    struct rule *rules;
    size_t rules_n, rules_cap;
    struct buf kept;
    int64_t *work;              /* left */
};

/* ---- reading CSS ---- */

static bool is_css_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Past a string, a comment or one character at i. */
static size_t css_skip(struct str s, size_t i)
{
    char c = s.p[i];
    if (c == '/' && i + 1 < s.n && s.p[i + 1] == '*') {
        ptrdiff_t end = str_find(str_sub(s, i + 2, s.n), STR("*/"));
        return end < 0 ? s.n : i + 2 + (size_t)end + 2;
    }
    if (c == '\\')
        return i + 2 > s.n ? s.n : i + 2;
    if (c != '"' && c != '\'')
        return i + 1;
    for (i++; i < s.n && s.p[i] != c && s.p[i] != '\n'; i++)
        if (s.p[i] == '\\')
            i++;
    return i < s.n ? i + 1 : s.n;
}

/* The offset of the first of stops outside of strings, comments and brackets, or the end. */
static size_t css_find(struct str s, size_t i, const char *stops)
{
    int depth = 0;
    while (i < s.n) {
        char c = s.p[i];
        if (!depth && strchr(stops, c) && c)
            return i;
        if (c == '(' || c == '[')
            depth++;
        else if ((c == ')' || c == ']') && depth)
            depth--;
        i = css_skip(s, i);
    }
    return s.n;
}

/* The end of a block that opens at i, past its brace. */
static size_t css_block(struct str s, size_t i)
{
    int depth = 0;
    while (i < s.n) {
        if (s.p[i] == '{')
            depth++;
        else if (s.p[i] == '}' && !--depth)
            return i + 1;
        i = css_skip(s, i);
    }
    return s.n;
}

static struct str css_without_comments(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0, end; i < s.n; i = end) {
        end = css_skip(s, i);
        if (end > i + 1 && s.p[i] == '/')
            buf_char(&b, ' ');
        else
            buf_add(&b, s.p + i, end - i);
    }
    return buf_get(&b);
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c & 0x80);
}

static struct str name_at(struct str s, size_t *i)
{
    size_t from = *i;
    while (*i < s.n && is_name(s.p[*i]))
        ++*i;
    return str_sub(s, from, *i);
}

static struct str lower_case(struct arena *a, struct str s)
{
    char *p = arena_copy(a, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    return (struct str){p, s.n};
}

static bool part_read(struct arena *a, struct str s, size_t *i, struct part *p, int *specificity)
{
    size_t from = *i;
    if (*i < s.n && s.p[*i] == '*') {
        ++*i;
    } else if (*i < s.n && is_name(s.p[*i])) {
        p->type = lower_case(a, name_at(s, i));
        *specificity += 1;
    }
    while (*i < s.n && (s.p[*i] == '.' || s.p[*i] == '#')) {
        bool is_class = s.p[(*i)++] == '.';
        struct str name = name_at(s, i);
        if (!name.n || (is_class ? p->classes_n == NAMES_MAX : p->id.n > 0))
            return false;
        if (is_class)
            p->classes[p->classes_n++] = name;
        else
            p->id = name;
        *specificity += is_class ? 1000 : 1000000;
    }
    return *i > from;
}

/* false: not one of the selectors that are inlined. */
static bool selector_read(struct arena *a, struct str s, struct rule *r)
{
    bool child = false;
    r->parts_n = r->specificity = 0;
    s = str_trim(s);
    for (size_t i = 0; i < s.n;) {
        if (r->parts_n == PARTS_MAX)
            return false;
        struct part *p = &r->parts[r->parts_n++];
        *p = (struct part){.child = child};
        if (!part_read(a, s, &i, p, &r->specificity))
            return false;
        bool spaced = i < s.n && is_css_space(s.p[i]);
        while (i < s.n && is_css_space(s.p[i]))
            i++;
        child = i < s.n && s.p[i] == '>';
        if (child)
            for (i++; i < s.n && is_css_space(s.p[i]);)
                i++;
        else if (i < s.n && !spaced)
            return false;
        if (child && i >= s.n)
            return false;
    }
    return r->parts_n > 0;
}

static void keep(struct sheet *t, struct str selector, struct str block)
{
    buf_str(&t->kept, str_trim(selector));
    buf_str(&t->kept, block);
    buf_char(&t->kept, '\n');
}

/* `block` with its braces. */
static void rule_read(struct sheet *t, struct str selectors, struct str block)
{
    struct str body = block.n >= 2 ? str_sub(block, 1, block.p[block.n - 1] == '}' ? block.n - 1 : block.n) : STR("");
    struct buf others = {.arena = t->a};
    for (size_t i = 0; i <= selectors.n;) {
        size_t end = css_find(selectors, i, ",");
        struct str one = str_trim(str_sub(selectors, i, end));
        struct rule r = {.declarations = body};
        i = end + 1;
        if (!one.n)
            continue;
        if (t->rules_n < RULES_MAX && selector_read(t->a, one, &r)) {
            *ARENA_SLOT(t->a, t->rules, t->rules_n, t->rules_cap) = r;
            continue;
        }
        if (others.n)
            buf_char(&others, ',');
        buf_str(&others, one);
    }
    if (others.n)
        keep(t, buf_get(&others), block);
}

static void sheet_read(struct sheet *t, struct str css)
{
    css = css_without_comments(t->a, css);
    for (size_t i = 0; i < css.n;) {
        while (i < css.n && is_css_space(css.p[i]))
            i++;
        size_t brace = css_find(css, i, "{;}");
        struct str prelude = str_sub(css, i, brace);
        bool is_at = prelude.n && prelude.p[0] == '@';
        if (brace >= css.n)
            break;
        if (css.p[brace] != '{') {          /* @import and what is broken */
            if (is_at && css.p[brace] == ';')
                keep(t, prelude, STR(";"));
            i = brace + 1;
            continue;
        }
        i = css_block(css, brace);
        if (is_at)
            keep(t, prelude, str_sub(css, brace, i));
        else
            rule_read(t, prelude, str_sub(css, brace, i));
    }
}

/* ---- matching ---- */

struct element { struct str name, id, classes; };

static bool has_class(struct str classes, struct str name)
{
    for (size_t i = 0; i < classes.n;) {
        size_t from = i;
        while (i < classes.n && !is_css_space(classes.p[i]))
            i++;
        if (i > from && str_eq(str_sub(classes, from, i), name))
            return true;
        i++;
    }
    return false;
}

static bool part_matches(const struct part *p, const struct element *e)
{
    if ((p->type.n && !str_eq(p->type, e->name)) || (p->id.n && !str_eq(p->id, e->id)))
        return false;
    for (int i = 0; i < p->classes_n; i++)
        if (!has_class(e->classes, p->classes[i]))
            return false;
    return true;
}

/* Does the last of n elements match, with the others around it? Row by row: where on the path can the selector's first
 * parts end? */
static bool rule_matches(struct sheet *t, const struct rule *r, const struct element *path, size_t n)
{
    bool ends[2][HTML_DEPTH_MAX + 1];
    *t->work -= 1 + (int64_t)path[n - 1].classes.n / 16;
    if (!part_matches(&r->parts[r->parts_n - 1], &path[n - 1]))
        return false;
    if (r->parts_n == 1)
        return true;
    *t->work -= r->parts_n * (int64_t)n;
    for (int k = 0; k < r->parts_n; k++) {
        bool *now = ends[k & 1], *before = ends[1 - (k & 1)], seen = false;
        for (size_t i = 0; i < n; i++) {
            bool led = !k || (r->parts[k].child ? i && before[i - 1] : seen);
            now[i] = led && part_matches(&r->parts[k], &path[i]);
            seen |= k && before[i];
        }
    }
    return ends[(r->parts_n - 1) & 1][n - 1];
}

/* ---- declarations ---- */

struct declaration { struct str name, value; int specificity; bool important; };
struct declarations { struct arena *a; struct declaration *v; size_t n, cap; };

static bool declaration_beats(const struct declaration *x, const struct declaration *y)
{
    return x->important != y->important ? x->important : x->specificity >= y->specificity;
}

static void declaration_add(struct declarations *d, const struct declaration *x)
{
    size_t i = 0;
    while (i < d->n && !str_eq(d->v[i].name, x->name))
        i++;
    if (i == d->n)
        *ARENA_SLOT(d->a, d->v, d->n, d->cap) = *x;
    else if (declaration_beats(x, &d->v[i]))
        d->v[i] = *x;
}

static void declarations_add(struct declarations *d, struct str css, int specificity)
{
    for (size_t i = 0; i < css.n && d->n < 200;) {
        size_t end = css_find(css, i, ";");
        struct str one = str_sub(css, i, end);
        size_t colon = css_find(one, 0, ":");
        struct declaration x = {.name = str_trim(str_sub(one, 0, colon)), .specificity = specificity};
        x.value = str_trim(str_sub(one, colon + 1, one.n));
        i = end + 1;
        if (colon >= one.n || !x.name.n || !x.value.n)
            continue;
        if (x.name.n > 2 && memcmp(x.name.p, "--", 2) != 0)
            x.name = lower_case(d->a, x.name);
        const char *bang = memrchr(x.value.p, '!', x.value.n);
        if (bang && str_eq_nocase(str_trim(str_sub(x.value, (size_t)(bang - x.value.p) + 1, x.value.n)), STR("important"))) {
            x.important = true;
            x.value = str_trim(str_sub(x.value, 0, (size_t)(bang - x.value.p)));
        }
        declaration_add(d, &x);
    }
}

enum { SPECIFICITY_ATTRIBUTE = 1000000000 };

static bool declaration_after(const struct declaration *x, const struct declaration *y)
{
    return x->important != y->important ? x->important : x->specificity > y->specificity;
}

/* The style attribute of an element; attribute is what it has, NULL: nothing applies to it. */
static bool element_style(struct sheet *t, const struct element *path, size_t n, struct str attribute, struct str *style)
{
    struct declarations d = {.a = t->a};
    bool any = false;
    for (size_t i = 0; i < t->rules_n; i++) {
        const struct rule *r = &t->rules[i];
        if (*t->work < 0 || !rule_matches(t, r, path, n))
            continue;
        *t->work -= (int64_t)(r->declarations.n + attribute.n);
        if (!any)
            declarations_add(&d, attribute, SPECIFICITY_ATTRIBUTE);
        any = true;
        declarations_add(&d, r->declarations, r->specificity);
    }
    if (!any)
        return false;
    struct buf b = {.arena = t->a};
    /* Insertion sort, stable: what is stronger stands behind. */
    for (size_t i = 1; i < d.n; i++) {
        struct declaration x = d.v[i];
        size_t k = i;
        for (; k && declaration_after(&d.v[k - 1], &x); k--)
            d.v[k] = d.v[k - 1];
        d.v[k] = x;
    }
    for (size_t i = 0; i < d.n; i++)
        buf_fmt(&b, "%s%.*s: %.*s;", i ? " " : "", STR_ARG(d.v[i].name), STR_ARG(d.v[i].value));
    *style = buf_get(&b);
    return true;
}

/* ---- writing ---- */

static const char *const void_names[] = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
                                         "source", "track", "wbr", NULL};

/* A no-break space stays a reference: blank paragraphs of no-break spaces alone would be emptied (content.md §4.5). */
static void text_put(struct buf *b, struct str s, bool in_attribute)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *to = NULL;
        size_t n = 1;
        if (s.p[i] == '&')
            to = "&amp;";
        else if (s.p[i] == '<')
            to = "&lt;";
        else if (s.p[i] == '>')
            to = "&gt;";
        else if (s.p[i] == '"' && in_attribute)
            to = "&quot;";
        else if (s.p[i] == '\xc2' && i + 1 < s.n && s.p[i + 1] == '\xa0')
            to = "&nbsp;", n = 2;
        if (!to)
            continue;
        buf_add(b, s.p + from, i - from);
        buf_z(b, to);
        i += n - 1;
        from = i + 1;
    }
    if (s.n > from)
        buf_add(b, s.p + from, s.n - from);
}

static bool attribute_is_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!name.p[i] || is_css_space(name.p[i]) || memchr("\"'<>/=", name.p[i], 6))
            return false;
    return name.n > 0;
}

static void open_put(struct buf *b, const struct html_token *k, const struct str *style)
{
    buf_char(b, '<');
    buf_str(b, k->name);
    for (size_t i = 0; i < k->attributes_n; i++) {
        const struct html_attribute *at = &k->attributes[i];
        if (!attribute_is_valid(at->name) || (style && str_eqz(at->name, "style")))
            continue;
        buf_char(b, ' ');
        buf_str(b, at->name);
        buf_z(b, "=\"");
        text_put(b, at->value, true);
        buf_char(b, '"');
    }
    if (style) {
        buf_z(b, " style=\"");
        text_put(b, *style, true);
        buf_char(b, '"');
    }
    buf_char(b, '>');
}

/* Raw text cannot be escaped: an end tag inside of it, which only a browser sees, is broken up. */
static void raw_put(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '/' && i && s.p[i - 1] == '<')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
}

static struct element element_of(const struct html_token *k)
{
    return (struct element){.name = k->name, .id = html_attribute_get(k, "id"), .classes = html_attribute_get(k, "class")};
}

/* What the first pass learns. */
static size_t sheets_read(struct sheet *t, struct str html)
{
    struct html_tokens *tokens = html_tokens_open(t->a, html);
    struct html_token k;
    size_t elements = 0;
    struct buf css = {.arena = t->a};
    bool in_style = false;
    while (html_tokens_next(tokens, &k) != HTML_END) {
        elements += k.event == HTML_OPEN;
        if (k.event == HTML_TEXT) {
            if (in_style)
                buf_str(&css, k.text);
        } else if (str_eqz(k.name, "style")) {
            in_style = k.event == HTML_OPEN;
            buf_char(&css, '\n');
        }
    }
    if (css.n > 1)
        sheet_read(t, buf_get(&css));
    if (t->rules_n * elements > MATCHES_MAX) {
        t->rules_n = 0;
        t->kept = css;
    }
    return elements;
}

void css_inline(struct arena *a, struct str html, int64_t *work, struct buf *out)
{
    struct sheet t = {.a = a, .kept = {.arena = a}, .work = work};
    struct element path[HTML_DEPTH_MAX + 1];
    size_t depth = 0, hidden = 0;
    struct html_token k;
    if (str_find(html, STR("<style")) >= 0 || str_find(html, STR("<STYLE")) >= 0)
        sheets_read(&t, html);
    if (t.kept.n) {
        buf_z(out, "<style>");
        raw_put(out, str_trim(buf_get(&t.kept)));
        buf_z(out, "</style>");
    }
    struct html_tokens *tokens = html_tokens_open(a, html);
    while (html_tokens_next(tokens, &k) != HTML_END) {
        struct str style;
        bool dropped = k.event != HTML_TEXT && (str_eqz(k.name, "head") || str_eqz(k.name, "style"));
        if (hidden || dropped) {
            if (dropped)
                hidden = k.event == HTML_OPEN ? hidden + 1 : hidden - 1;
        } else if (k.event == HTML_TEXT) {
            if (k.raw)
                raw_put(out, k.text);
            else
                text_put(out, k.text, false);
        } else if (k.event == HTML_OPEN) {
            if (depth <= HTML_DEPTH_MAX)
                path[depth] = element_of(&k);
            depth++;
            bool styled = t.rules_n && depth <= HTML_DEPTH_MAX &&
                          element_style(&t, path, depth, html_attribute_get(&k, "style"), &style);
            open_put(out, &k, styled ? &style : NULL);
        } else {
            depth--;
            if (!html_name_in(k.name, void_names))
                buf_fmt(out, "</%.*s>", STR_ARG(k.name));
        }
    }
}
