/* The HTML sanitiser: a filter over the stream of tags and text. */
#include "content/sanitize.h"

#include "content/html/tokens.h"

static const char *const allowed_tags[] = {
    "address", "article", "aside", "footer", "header", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "main", "nav", "section",
    "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "hr", "li", "menu", "ol", "p", "pre", "ul", "a", "abbr", "b",
    "bdi", "bdo", "br", "cite", "code", "data", "dfn", "em", "i", "kbd", "mark", "q", "rb", "rp", "rt", "rtc", "ruby", "s",
    "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "caption", "col", "colgroup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "style", "img", "html", "head", "body", "link", "meta", "title", NULL};
/* Dropped with what they contain; of other tags that are not allowed the content stays. */
static const char *const dropped_whole[] = {"script", "textarea", "option", "xmp", NULL};
static const char *const self_closing[] = {"img", "br", "hr", "link", "meta", NULL};
static const char *const img_attributes[] = {"src", "alt", "width", "height", "loading", "srcset", "sizes", "crossorigin",
    "usemap", "ismap", "class", "id", "style", "title", "dir", "lang", NULL};
static const char *const url_attributes[] = {"href", "src", "cite", "action", "formaction", "data", "xlink:href", "poster",
    "background", "ping", "longdesc", "usemap", "codebase", "classid", "archive", "profile", "manifest", "itemid", "dynsrc",
    "lowsrc", NULL};
/* Dropped when they have no value; others stay as a bare name (nowrap, checked, …). */
static const char *const valued_attributes[] = {
    "abbr", "accept", "accept-charset", "accesskey", "action", "allow", "as", "autocapitalize", "autocomplete", "blocking",
    "charset", "cite", "class", "color", "cols", "colspan", "content", "contenteditable", "coords", "crossorigin", "data",
    "datetime", "decoding", "dir", "dirname", "download", "draggable", "enctype", "enterkeyhint", "fetchpriority", "for", "form",
    "formaction", "formenctype", "formmethod", "formtarget", "headers", "height", "hidden", "high", "href", "hreflang",
    "http-equiv", "id", "imagesizes", "imagesrcset", "inputmode", "integrity", "is", "itemid", "itemprop", "itemref", "itemtype",
    "kind", "label", "lang", "list", "loading", "low", "max", "maxlength", "media", "method", "min", "minlength", "name", "nonce",
    "optimum", "pattern", "ping", "placeholder", "popover", "popovertarget", "popovertargetaction", "poster", "preload",
    "referrerpolicy", "rel", "rows", "rowspan", "sandbox", "scope", "shape", "size", "sizes", "slot", "span", "spellcheck", "src",
    "srcdoc", "srclang", "srcset", "start", "step", "style", "tabindex", "target", "title", "translate", "type", "usemap", "value",
    "width", "wrap", NULL};
static const char *const allowed_schemes[] = {"http", "https", "ftp", "mailto", "tel", NULL};

static void escape_add(struct buf *out, struct str s, bool in_attribute)
{
    static const char *const escapes[256] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;"};
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *as = escapes[(unsigned char)s.p[i]];
        if (!as || (s.p[i] == '"' && !in_attribute))
            continue;
        buf_add(out, s.p + from, i - from);
        buf_z(out, as);
        from = i + 1;
    }
    buf_add(out, s.p + from, s.n - from);
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The URL as browsers read its scheme: without control characters and spaces, and without <!-- --> inside. */
static struct str url_bare(struct arena *a, struct str url)
{
    char *p = arena_alloc_raw(a, url.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] > 0x20)
            p[n++] = url.p[i];
    struct str s = {p, n}, out = {p, 0};
    while (s.n) {
        ptrdiff_t open = str_find(s, STR("<!--"));
        ptrdiff_t end = open < 0 ? -1 : str_find(str_sub(s, (size_t)open + 4, s.n), STR("-->"));
        size_t keep = end < 0 ? s.n : (size_t)open;
        memmove(p + out.n, s.p, keep);
        out.n += keep;
        s = end < 0 ? STR_NULL : str_sub(s, (size_t)open + 4 + (size_t)end + 3, s.n);
    }
    return out;
}

static bool url_is_bad(struct arena *a, struct str url)
{
    url = url_bare(a, url);
    size_t i = 0;
    if (!url.n || !is_alpha(url.p[0]))
        return false;
    while (i < url.n && (is_alpha(url.p[i]) || is_digit(url.p[i]) || url.p[i] == '.' || url.p[i] == '-' || url.p[i] == '+'))
        i++;
    if (i == url.n || url.p[i] != ':')
        return false;
    for (const char *const *scheme = allowed_schemes; *scheme; scheme++)
        if (str_eq_nocase(str_sub(url, 0, i), str_of(*scheme)))
            return false;
    return true;
}

/* ---- srcset (HTML standard §4.8.4.2.1 "parse a srcset attribute") ---- */

struct candidate {
    struct str url, width, height, density;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* A floating-point number as in HTML, that is not negative. */
static bool is_density(struct str s)
{
    size_t i = 0, digits = 0;
    while (i < s.n && is_digit(s.p[i]))
        i++, digits++;
    if (i < s.n && s.p[i] == '.') {
        size_t from = ++i;
        while (i < s.n && is_digit(s.p[i]))
            i++, digits++;
        if (i == from)
            return false;
    }
    if (digits && i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        return is_digits(str_sub(s, i, s.n));
    }
    return digits && i == s.n;
}

static bool descriptor_take(struct candidate *c, struct str d)
{
    struct str value = str_sub(d, 0, d.n - 1);
    char unit = d.p[d.n - 1];
    bool zero = true;
    for (size_t i = 0; i < value.n; i++)
        zero = zero && value.p[i] == '0';
    if (unit == 'w' && is_digits(value) && !zero && !c->width.n && !c->density.n)
        c->width = value;
    else if (unit == 'h' && is_digits(value) && !zero && !c->height.n && !c->density.n)
        c->height = value;
    else if (unit == 'x' && is_density(value) && !c->width.n && !c->density.n && !c->height.n)
        c->density = value;
    else
        return false;
    return true;
}

/* Reads the descriptors behind a URL up to and with the comma. false: one of them is wrong. */
static bool descriptors_read(struct str s, size_t *at, struct candidate *c)
{
    bool good = true;
    size_t i = *at;
    while (i < s.n && s.p[i] != ',') {
        if (is_space(s.p[i])) {
            i++;
            continue;
        }
        size_t from = i;
        bool parens = false;
        for (; i < s.n && (parens || (s.p[i] != ',' && !is_space(s.p[i]))); i++)
            parens = s.p[i] == '(' || (parens && s.p[i] != ')');
        good = descriptor_take(c, str_sub(s, from, i)) && good;
    }
    *at = i + (i < s.n);
    return good;
}

/* The candidates whose URL is good, written anew; empty if none is. */
static struct str srcset_filter(struct arena *a, struct str s)
{
    struct buf out = {.arena = a};
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == ',' || is_space(s.p[i])) {
            i++;
            continue;
        }
        struct candidate c = {0};
        size_t from = i;
        while (i < s.n && !is_space(s.p[i]))
            i++;
        c.url = str_sub(s, from, i);
        bool alone = c.url.p[c.url.n - 1] == ',';
        while (c.url.n && c.url.p[c.url.n - 1] == ',')
            c.url.n--;
        if ((!alone && !descriptors_read(s, &i, &c)) || url_is_bad(a, c.url))
            continue;
        if (out.n)
            buf_z(&out, ", ");
        buf_str(&out, c.url);
        if (c.width.n)
            buf_fmt(&out, " %.*sw", STR_ARG(c.width));
        if (c.height.n)
            buf_fmt(&out, " %.*sh", STR_ARG(c.height));
        if (c.density.n)
            buf_fmt(&out, " %.*sx", STR_ARG(c.density));
    }
    return buf_get(&out);
}

/* ---- tags ---- */

enum tag_facts { TAG_ALLOWED = 1, TAG_DROPPED_WHOLE = 2, TAG_SELF_CLOSING = 4, TAG_IMG = 8 };
enum attribute_facts { NAME_IS_BAD = 1, NAME_VALUED = 2, NAME_OF_IMG = 4, NAME_URL = 8, NAME_SRC = 16, NAME_SRCSET = 32, NAME_ALT = 64 };

static unsigned tag_look_up(struct str name)
{
    return (html_name_in(name, allowed_tags) ? TAG_ALLOWED : 0) | (html_name_in(name, dropped_whole) ? TAG_DROPPED_WHOLE : 0) |
           (html_name_in(name, self_closing) ? TAG_SELF_CLOSING : 0) | (str_eqz(name, "img") ? TAG_IMG : 0);
}

static bool name_is_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!c || is_space(c) || c == '/' || c == '<' || c == '=' || c == '>')
            return false;
    }
    return name.n > 0;
}

static unsigned attribute_look_up(struct str name)
{
    bool srcset = str_eqz(name, "srcset") || str_eqz(name, "imagesrcset");
    return (str_starts(name, STR("on")) || !name_is_valid(name) ? NAME_IS_BAD : 0) |
           (html_name_in(name, valued_attributes) ? NAME_VALUED : 0) | (html_name_in(name, img_attributes) ? NAME_OF_IMG : 0) |
           (html_name_in(name, url_attributes) ? NAME_URL : 0) | (str_eqz(name, "src") ? NAME_SRC : 0) |
           (srcset ? NAME_SRCSET : 0) | (str_eqz(name, "alt") ? NAME_ALT : 0);
}

struct sanitizer {
    struct arena *a;
    struct buf out;
    struct html_names tags, attributes;     /* what is known of the names met so far */
};

static void attribute_add(struct sanitizer *s, unsigned tag, const struct html_attribute *at)
{
    struct str name = at->name, value = at->value;
    unsigned facts = html_name_facts(&s->attributes, name, attribute_look_up);
    if ((facts & NAME_IS_BAD) || (!value.n && (facts & NAME_VALUED)))
        return;
    if ((tag & TAG_IMG) && !(facts & NAME_OF_IMG))
        return;
    bool inline_image = (tag & TAG_IMG) && (facts & NAME_SRC) && str_eq_nocase(str_sub(value, 0, 4), STR("cid:"));
    if ((facts & NAME_URL) && !inline_image && url_is_bad(s->a, value))
        return;
    if (facts & NAME_SRCSET) {
        value = srcset_filter(s->a, value);
        if (!value.n)
            return;
    }
    buf_char(&s->out, ' ');
    buf_str(&s->out, name);
    if (!value.n && !(facts & NAME_ALT))
        return;
    buf_add(&s->out, "=\"", 2);
    escape_add(&s->out, value, true);
    buf_char(&s->out, '"');
}

static void start_tag_add(struct sanitizer *s, const struct html_token *t, unsigned facts)
{
    buf_char(&s->out, '<');
    buf_str(&s->out, t->name);
    for (size_t i = 0; i < t->attributes_n; i++)
        attribute_add(s, facts, &t->attributes[i]);
    buf_z(&s->out, facts & TAG_SELF_CLOSING ? " />" : ">");
}

/* Style sheets are not HTML and stay as they are, but must not end early where a browser sees an end tag that the reader
 * does not. In CSS `<\/` means the same as `</`. Only text read as raw comes here: `<style/>&lt;img onerror=…&gt;` is
 * ordinary, decoded text, which upstream writes unescaped behind a `<style>` that a second end tag can close. */
static void style_add(struct buf *out, struct str css)
{
    for (size_t i = 0; i < css.n; i++) {
        if (css.p[i] == '/' && i && css.p[i - 1] == '<' && str_eq_nocase(str_sub(css, i + 1, i + 6), STR("style")))
            buf_char(out, '\\');
        buf_char(out, css.p[i]);
    }
}

/* `</b/ x>` becomes `</b>`, as Novu does before anything else: the reader would take the slash into the name. */
static struct str end_tags_repair(struct arena *a, struct str html)
{
    struct buf out = {.arena = a};
    size_t from = 0;
    for (size_t i = 0; i + 2 < html.n;) {
        const char *hit = memchr(html.p + i, '<', html.n - i - 2);
        if (!hit)
            break;
        if (hit[1] != '/') {
            i = (size_t)(hit - html.p) + 1;
            continue;
        }
        size_t name = (size_t)(hit - html.p) + 2, end = name;
        while (end < html.n && (is_alpha(html.p[end]) || (end > name && is_digit(html.p[end]))))
            end++;
        size_t slash = end;
        while (slash < html.n && (is_space(html.p[slash]) || html.p[slash] == '\v'))
            slash++;
        i = name;
        if (end == name || slash >= html.n || html.p[slash] != '/')
            continue;
        const char *close = memchr(html.p + slash, '>', html.n - slash);
        if (!close)
            break;
        buf_add(&out, html.p + from, end - from);
        from = i = (size_t)(close - html.p);
    }
    if (!from)
        return html;
    buf_add(&out, html.p + from, html.n - from);
    return buf_get(&out);
}

/* `<!DOCTYPE …>` in front, in upper case and on one line, is kept. */
static struct str doctype_of(struct str html)
{
    const char *end = str_starts(html, STR("<!DOCTYPE ")) ? memchr(html.p, '>', html.n) : NULL;
    struct str s = end ? str_sub(html, 0, (size_t)(end - html.p) + 1) : STR_NULL;
    bool one_line = !s.n || (!memchr(s.p, '\n', s.n) && !memchr(s.p, '\r', s.n));
    return one_line ? s : STR_NULL;
}

static bool is_plain(struct str s)
{
    return !s.n || (!memchr(s.p, '<', s.n) && !memchr(s.p, '>', s.n) && !memchr(s.p, '&', s.n));
}

struct str sanitize_html(struct arena *a, struct str html)
{
    if (is_plain(html))
        return html;
    html = end_tags_repair(a, html);
    struct sanitizer *s = ARENA_NEW(a, struct sanitizer);
    struct html_tokens *tokens = html_tokens_open(a, html);
    struct html_token t;
    size_t hidden = 0;          /* open elements of a part that is dropped whole */
    s->a = a;
    s->out.arena = a;
    buf_reserve(&s->out, html.n + html.n / 16);
    buf_str(&s->out, doctype_of(html));
    while (html_tokens_next(tokens, &t) != HTML_END) {
        bool is_tag = t.event != HTML_TEXT;
        unsigned facts = is_tag ? html_name_facts(&s->tags, t.name, tag_look_up) : 0;
        if (is_tag && (hidden || (facts & TAG_DROPPED_WHOLE))) {
            hidden = t.event == HTML_OPEN ? hidden + 1 : hidden - 1;
        } else if (hidden || (is_tag && !(facts & TAG_ALLOWED))) {
            continue;
        } else if (t.event == HTML_OPEN) {
            start_tag_add(s, &t, facts);
        } else if (t.event == HTML_TEXT) {
            if (t.raw)          /* of style: the others are dropped whole */
                style_add(&s->out, t.text);
            else
                escape_add(&s->out, t.text, false);
        } else if (!(facts & TAG_SELF_CLOSING)) {
            buf_add(&s->out, "</", 2);
            buf_str(&s->out, t.name);
            buf_char(&s->out, '>');
        }
    }
    return buf_get(&s->out);
}

/* ---- JSON ---- */

/* Recurses; JSON trees are at most JSON_DEPTH_MAX deep (base/json.h). */
void sanitize_json_mut(struct arena *a, yyjson_mut_val *v)
{
    size_t i, n;
    yyjson_mut_val *key, *member;
    if (yyjson_mut_is_str(v)) {
        struct str s = sanitize_html(a, (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)});
        yyjson_mut_set_strn(v, s.p ? s.p : "", s.n);
    } else if (yyjson_mut_is_arr(v)) {
        yyjson_mut_arr_foreach(v, i, n, member)
            sanitize_json_mut(a, member);
    } else if (yyjson_mut_is_obj(v)) {
        yyjson_mut_obj_foreach(v, i, n, key, member)
            sanitize_json_mut(a, member);
    }
}

yyjson_mut_val *sanitize_json(struct arena *a, yyjson_mut_doc *d, yyjson_val *v)
{
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, v);
    sanitize_json_mut(a, copy);
    return copy;
}
