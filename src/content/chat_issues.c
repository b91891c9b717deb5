/* Judges cards. The limits and which of them are errors are upstream's (providers: card-validators). */
#include "content/chat_issues.h"

#include "content/blocks.h"
#include "content/template_check.h"

enum { DEPTH_MAX = JSON_DEPTH_MAX };

struct judge {
    struct arena *a;
    yyjson_mut_doc *d;
    yyjson_mut_val *issues;
    struct str prefix;              /* whose button or limit it is; empty: there is only one */
};

static void add(struct judge *j, const char *type, bool warning, const char *message)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(j->d, j->issues);
    json_add_str(j->d, o, "issueType", str_of(type));
    json_add_str(j->d, o, "severity", str_of(warning ? "warning" : "error"));
    json_add_str(j->d, o, "message", str_fmt(j->a, "%.*s%s", STR_ARG(j->prefix), message));
}

/* ---- buttons ---- */

struct buttons { yyjson_val *v[64]; size_t n; };

static void buttons_find(yyjson_val *node, struct buttons *out, int depth)
{
    size_t i, n;
    yyjson_val *child;
    if (str_eqz(json_get_str(node, "type"), "cardButton") && out->n < sizeof out->v / sizeof *out->v)
        out->v[out->n++] = json_get(node, "attrs");
    if (depth < DEPTH_MAX)
        yyjson_arr_foreach(json_get(node, "content"), i, n, child)
            buttons_find(child, out, depth + 1);
}

/* With something in the place of its variables, is it an absolute link of the web? What starts with a variable may be one. */
static bool is_link(struct arena *a, struct str url)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < url.n;) {
        ptrdiff_t end = url.n - i > 1 && url.p[i] == '{' && url.p[i + 1] == '{' ? str_find(str_sub(url, i, url.n), STR("}}")) : -1;
        if (end >= 0 && i == 0)
            return true;
        if (end >= 0)
            buf_z(&b, "x");
        else
            buf_char(&b, url.p[i]);
        i += end >= 0 ? (size_t)end + 2 : 1;
    }
    struct str s = buf_get(&b);
    size_t scheme = str_eq_nocase(str_sub(s, 0, 7), STR("http://")) ? 7 : str_eq_nocase(str_sub(s, 0, 8), STR("https://")) ? 8 : 0;
    size_t end = scheme;
    while (scheme && end < s.n && !strchr("/?#", s.p[end]))
        end++;
    return end > scheme && s.p[scheme] != ':' && !memchr(s.p + scheme, ' ', end - scheme);
}

static void judge_buttons(struct judge *j, yyjson_val *document)
{
    struct buttons buttons = {0};
    buttons_find(document, &buttons, 0);
    for (size_t i = 0; i < buttons.n; i++) {
        yyjson_val *attrs = buttons.v[i];
        struct str label = str_trim(json_get_str(attrs, "label")), url = str_trim(json_get_str(attrs, "url"));
        j->prefix = buttons.n > 1 ? str_fmt(j->a, "Button %zu: ", i + 1) : STR("");
        if (!label.n)
            add(j, "CHAT_CARD_INVALID_BUTTON", false, "Button label is required.");
        if (!url.n)
            add(j, "CHAT_CARD_INVALID_BUTTON", false, "Button url is required.");
        else if (!json_get_bool(attrs, "isUrlVariable", false) && !is_link(j->a, url))
            add(j, "CHAT_CARD_INVALID_BUTTON", false, "Button url is invalid.");
    }
}

/* ---- limits ---- */

/* 0: none. message: characters of the whole card, where it is sent as one text. */
struct limits { const char *provider; bool refused; size_t blocks, text, row, message; };
static const struct limits limits[] = {
    {"slack", true, 50, 3000, 25, 0},
    {"msteams", false, 500, 40000, 6, 0},
    {"telegram", false, 0, 0, 0, 4096},
    {"whatsapp-business", false, 0, 0, 0, 1024},
};

static size_t characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void over(struct judge *j, const struct limits *l, const char *format, size_t limit, size_t n)
{
    char message[120];
    if (limit && n > limit) {
        snprintf(message, sizeof message, format, limit, n);
        add(j, "CHAT_CARD_LIMIT_EXCEEDED", !l->refused, message);
    }
}

static void judge_card(struct judge *j, const struct limits *l, yyjson_val *card)
{
    yyjson_val *parts = json_get(card, "children"), *part;
    size_t i, n, text = 0, row = 0;
    yyjson_arr_foreach(parts, i, n, part) {
        size_t length = characters(json_get_str(part, "content")), buttons = yyjson_arr_size(json_get(part, "children"));
        text = !text && length > l->text ? length : text;       /* the first that is too long */
        row = buttons > row ? buttons : row;
    }
    over(j, l, "Exceeds the %zu-block limit (%zu).", l->blocks, yyjson_arr_size(parts));
    over(j, l, "A text block exceeds the %zu-character limit (%zu).", l->text, text);
    over(j, l, "A button row exceeds the %zu-button limit (%zu).", l->row, row);
    over(j, l, "Message exceeds the %zu-character limit (%zu).", l->message, characters(blocks_card_text(j->a, card)));
}

static bool is_overridden(yyjson_val *step, struct str provider)
{
    return yyjson_obj_size(json_getn(json_get(step, "providerOverrides"), provider)) > 0;
}

static void judge_limits(struct judge *j, yyjson_val *step, yyjson_val *card, const struct chat_provider *providers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
            if (str_eqz(providers[i].id, limits[k].provider) && !is_overridden(step, providers[i].id)) {
                j->prefix = n > 1 ? str_fmt(j->a, "%.*s: ", STR_ARG(providers[i].name)) : STR("");
                judge_card(j, &limits[k], card);
            }
}

yyjson_mut_val *chat_issues(struct arena *a, yyjson_mut_doc *d, yyjson_val *step, const struct chat_provider *providers, size_t n)
{
    yyjson_val *values = json_get(step, "controlValues");
    yyjson_val *document = block_document(a, json_get_str(values, "body"));
    if (!document || !str_eqz(json_get_str(step, "type"), "chat") || str_eqz(json_get_str(values, "editorType"), "text"))
        return NULL;
    struct judge j = {.a = a, .d = d, .issues = yyjson_mut_arr(d)};
    judge_buttons(&j, document);
    yyjson_val *card = blocks_card_draft(a, document);
    if (card)
        judge_limits(&j, step, card, providers, n);
    return j.issues;
}
