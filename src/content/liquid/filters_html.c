/* Filters for HTML, URLs and slugs. */
#include "content/liquid/liquid_private.h"

#include <stdio.h>
#include <unicode/uchar.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

static struct str text_of(struct render *r, struct value v)
{
    struct str s = value_to_str(r, v);
    render_scan(r, s.n);
    return s;
}

/* ---- HTML ---- */
static struct str escape_str(struct render *r, struct str s)
{
    struct buf b = {.arena = r->arena};
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *e = NULL;
        switch (s.p[i]) {
        case '&': e = "&amp;"; break;
        case '<': e = "&lt;"; break;
        case '>': e = "&gt;"; break;
        case '"': e = "&#34;"; break;
        case '\'': e = "&#39;"; break;
        default: continue;
        }
        buf_add(&b, s.p + from, i - from);
        buf_z(&b, e);
        from = i + 1;
    }
    if (!from)
        return s;
    buf_add(&b, s.p + from, s.n - from);
    render_memory(r, (double)b.cap);
    return str_solid(buf_get(&b));
}

FILTER(escape)
{
    (void)args;
    return value_str(escape_str(r, text_of(r, in)));
}

/* One pass, so that "&amp;lt;" loses one layer only. */
static struct str unescape_str(struct render *r, struct str s)
{
    static const struct { struct str entity; char c; } entities[] = {
        {{"&amp;", 5}, '&'}, {{"&lt;", 4}, '<'}, {{"&gt;", 4}, '>'}, {{"&#34;", 5}, '"'}, {{"&#39;", 5}, '\''},
    };
    struct buf b = {.arena = r->arena};
    if (!render_memory(r, (double)s.n * 2))
        return STR("");
    for (size_t i = 0; i < s.n;) {
        size_t k = 0;
        for (; s.p[i] == '&' && k < 5; k++)
            if (str_starts(str_sub(s, i, s.n), entities[k].entity))
                break;
        bool hit = s.p[i] == '&' && k < 5;
        buf_char(&b, hit ? entities[k].c : s.p[i]);
        i += hit ? entities[k].entity.n : 1;
    }
    return str_solid(buf_get(&b));
}

FILTER(escape_once)
{
    (void)args;
    return value_str(escape_str(r, unescape_str(r, text_of(r, in))));
}

FILTER(newline_to_br)
{
    (void)args;
    struct str s = filter_replace(r, text_of(r, in), STR("\r\n"), STR("\n"));
    return value_str(filter_replace(r, s, STR("\n"), STR("<br />\n")));
}

/* Scripts, styles and comments go with their content, other tags alone. An opener that is never closed stays. */
FILTER(strip_html)
{
    static const struct str open[] = {{"<script", 7}, {"<style", 6}, {"<!--", 4}, {"<", 1}};
    static const struct str close[] = {{"</script>", 9}, {"</style>", 8}, {"-->", 3}, {">", 1}};
    bool gone[4] = {false};
    (void)args;
    struct str s = text_of(r, in);
    struct buf b = {.arena = r->arena};
    if (!render_memory(r, (double)s.n * 2))
        return VALUE_UNDEFINED;
    for (size_t i = 0; i < s.n;) {
        const char *lt = memchr(s.p + i, '<', s.n - i);
        size_t at = lt ? (size_t)(lt - s.p) : s.n, next = at;
        buf_add(&b, s.p + i, at - i);
        for (int k = 0; lt && k < 4 && next == at; k++) {
            if (gone[k] || !str_starts(str_sub(s, at, s.n), open[k]))
                continue;
            ptrdiff_t end = str_find(str_sub(s, at + open[k].n, s.n), close[k]);
            gone[k] = end < 0;
            if (end >= 0)
                next = at + open[k].n + (size_t)end + close[k].n;
        }
        if (lt && next == at) {
            buf_add(&b, s.p + at, s.n - at);
            break;
        }
        i = next;
    }
    return value_str(buf_get(&b));
}

/* ---- URLs ---- */
/* A half of a surrogate pair cannot be encoded, unless its other half follows: then join_halves healed it. */
static struct str percent(struct render *r, struct str s, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf b = {.arena = r->arena};
    if (r->halves)
        s = text_join_halves(r->arena, s);
    if (!render_memory(r, (double)s.n * 4))
        return STR("");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && c < 0x80 && strchr(keep, c));
        if (plain) {
            buf_char(&b, (char)c);
        } else {
            buf_char(&b, '%');
            buf_char(&b, hex[c >> 4]);
            buf_char(&b, hex[c & 15]);
        }
    }
    return str_solid(buf_get(&b));
}

FILTER(url_encode)
{
    (void)args;
    return value_str(filter_replace(r, percent(r, text_of(r, in), "-_.!~*'()"), STR("%20"), STR("+")));
}

FILTER(cgi_escape)
{
    (void)args;
    return value_str(filter_replace(r, percent(r, text_of(r, in), "-_.~"), STR("%20"), STR("+")));
}

FILTER(uri_escape)
{
    (void)args;
    return value_str(percent(r, text_of(r, in), "-_.!~*'();,/?:@&=+$#[]"));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* decodeURIComponent: what the escapes make must be UTF-8. */
FILTER(url_decode)
{
    (void)args;
    struct str s = text_of(r, in);
    struct buf b = {.arena = r->arena};
    if (!render_memory(r, (double)s.n * 2))
        return VALUE_UNDEFINED;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            buf_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        size_t from = b.n;
        unsigned first = 0;
        for (size_t k = 0, need = 1; k < need; k++, i += 3) {
            int hi = i + 2 < s.n && s.p[i] == '%' ? hex_digit(s.p[i + 1]) : -1, lo = hi < 0 ? -1 : hex_digit(s.p[i + 2]);
            if (hi < 0 || lo < 0) {
                render_fail(r, "URI malformed");
                return VALUE_UNDEFINED;
            }
            buf_char(&b, (char)(hi << 4 | lo));
            if (!k)
                first = (unsigned)(hi << 4 | lo);
            need = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        }
        i--;
        if (!str_is_utf8((struct str){b.p + from, b.n - from})) {
            render_fail(r, "URI malformed");
            return VALUE_UNDEFINED;
        }
    }
    return value_str(buf_get(&b));
}

/* ---- slugs ---- */
enum slug_mode { SLUG_NONE, SLUG_RAW, SLUG_DEFAULT, SLUG_PRETTY, SLUG_ASCII, SLUG_LATIN };

static enum slug_mode slug_mode_of(struct str name)
{
    static const char *const names[] = {"none", "raw", "default", "pretty", "ascii", "latin"};
    for (size_t i = 0; i < 6; i++)
        if (str_eqz(name, names[i]))
            return (enum slug_mode)i;
    return SLUG_NONE;
}

static bool slug_keeps(struct str s, size_t i, size_t *n, enum slug_mode mode)
{
    uint32_t c = text_decode(s, i, n);
    if (mode == SLUG_RAW)
        return !text_space(s, i);
    bool ascii = c < 0x80 && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    if (ascii || mode == SLUG_ASCII)
        return ascii;
    if (mode == SLUG_PRETTY && c && c < 0x80 && strchr("._~!$&'()+,;=@", (int)c))
        return true;
    return c >= 0x80 && (U_GET_GC_MASK((UChar32)c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_ND_MASK));
}

/* Latin letters without their accents; the letters that the JavaScript has, capital ones only ẞ Œ Þ. */
static const char *plain_letter(uint32_t c)
{
    static const char *const from_e0[] = {"a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
        "d", "n", "o", "o", "o", "o", "o", NULL, "o", "u", "u", "u", "u", "y", "th", "y"};
    if (c >= 0xe0 && c <= 0xff)
        return from_e0[c - 0xe0];
    switch (c) {
    case 0xdf: return "ss";
    case 0xde: return "TH";
    case 0x152: return "OE";
    case 0x153: return "oe";
    case 0x1e9e: return "SS";
    default: return NULL;
    }
}

static struct str slug(struct render *r, struct str s, enum slug_mode mode)
{
    struct buf b = {.arena = r->arena};
    bool dropped = false;
    for (size_t i = 0, n; i < s.n; i += n) {
        if (!slug_keeps(s, i, &n, mode)) {
            dropped = true;
            continue;
        }
        if (dropped)
            buf_char(&b, '-');
        dropped = false;
        const char *plain = mode == SLUG_LATIN ? plain_letter(text_decode(s, i, &n)) : NULL;
        if (plain)
            buf_z(&b, plain);
        else
            buf_add(&b, s.p + i, n);
    }
    if (dropped)
        buf_char(&b, '-');
    struct str out = buf_get(&b);
    if (out.n && out.p[0] == '-')
        out = str_sub(out, 1, out.n);
    if (out.n && out.p[out.n - 1] == '-')
        out.n--;
    return out;
}

FILTER(slugify)
{
    struct str s = text_of(r, in);
    enum slug_mode mode = slug_mode_of(value_to_js(r, filter_arg_or(args, 0, value_str(STR("default")))));
    if (!render_memory(r, (double)s.n * 2))
        return VALUE_UNDEFINED;
    if (mode != SLUG_NONE)
        s = slug(r, s, mode);
    return value_str(value_js_truthy(filter_arg(args, 1)) ? s : text_case(r, s, TEXT_LOWER));
}

const struct liquid_filter liquid_filters_html[] = {
    {"escape", escape}, {"xml_escape", escape}, {"escape_once", escape_once}, {"newline_to_br", newline_to_br},
    {"strip_html", strip_html}, {"url_decode", url_decode}, {"url_encode", url_encode}, {"cgi_escape", cgi_escape},
    {"uri_escape", uri_escape}, {"slugify", slugify}, {NULL, NULL},
};
