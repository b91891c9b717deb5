/* Rich chat messages in each provider's own form (providers.md §5.3 to §5.9), within its limits. */
#include "delivery/template.h"

enum {
    SLACK_HEADER = 150, SLACK_TEXT = 3000, SLACK_BUTTON = 75, SLACK_BUTTONS = 25, SLACK_BLOCKS = 50, TELEGRAM_TEXT = 4096,
    TELEGRAM_ROW = 8, WHATSAPP_TEXT = 4096, WHATSAPP_BODY = 1024, WHATSAPP_BUTTON = 20
};

/* --- the small markdown of texts ------------------------------------------------------------------------------------------ */

enum style { SLACK, TELEGRAM, WHATSAPP, PLAIN };

static const struct { const char *bold[2], *italic[2], *strike[2], *code[2]; } marks[] = {
    [SLACK] = {{"*", "*"}, {"_", "_"}, {"~", "~"}, {"`", "`"}},
    [TELEGRAM] = {{"<b>", "</b>"}, {"<i>", "</i>"}, {"<s>", "</s>"}, {"<code>", "</code>"}},
    [WHATSAPP] = {{"*", "*"}, {"_", "_"}, {"~", "~"}, {"`", "`"}},
    [PLAIN] = {{"**", "**"}, {"_", "_"}, {"~~", "~~"}, {"`", "`"}},
};

static void escaped(struct buf *b, enum style style, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char x = s.p[i];
        if (style == TELEGRAM && x == '"')
            buf_z(b, "&quot;");
        else if ((style == TELEGRAM || style == SLACK) && (x == '&' || x == '<' || x == '>'))
            buf_z(b, x == '&' ? "&amp;" : x == '<' ? "&lt;" : "&gt;");
        else
            buf_char(b, x);
    }
}

static void link(struct buf *b, enum style style, struct str label, struct str url)
{
    if (style == SLACK) {
        buf_fmt(b, "<%.*s|", STR_ARG(url));
        escaped(b, style, label);
        buf_char(b, '>');
    } else if (style == TELEGRAM) {
        buf_z(b, "<a href=\"");
        escaped(b, style, url);
        buf_z(b, "\">");
        escaped(b, style, label);
        buf_z(b, "</a>");
    } else if (style == WHATSAPP) {
        buf_fmt(b, "%.*s: %.*s", STR_ARG(label), STR_ARG(url));
    } else {
        buf_fmt(b, "[%.*s](%.*s)", STR_ARG(label), STR_ARG(url));
    }
}

/* "[label](url)" at the start of s. */
static bool is_link(struct str s, struct str *label, struct str *url, size_t *length)
{
    ptrdiff_t close = str_find(s, STR("](")), end = close < 0 ? -1 : str_find(str_sub(s, (size_t)close, s.n), STR(")"));
    if (s.p[0] != '[' || end < 0 || memchr(s.p, '\n', (size_t)close))
        return false;
    *label = str_sub(s, 1, (size_t)close);
    *url = str_sub(s, (size_t)close + 2, (size_t)(close + end));
    *length = (size_t)(close + end) + 1;
    return true;
}

/* The text between the mark that s begins with and the next one; false: it is not one. */
static bool is_marked(struct str s, const char *mark, struct str *inside)
{
    size_t n = strlen(mark);
    if (!str_starts(s, str_of(mark)) || s.n < 2 * n + 1 || s.p[n] == ' ')
        return false;
    ptrdiff_t end = str_find(str_sub(s, n, s.n), str_of(mark));
    if (end < 1)
        return false;
    *inside = str_sub(s, n, n + (size_t)end);
    return true;
}

static bool is_word(char x)
{
    return (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9');
}

static void inline_put(struct buf *b, enum style style, struct str s, int depth);

/* What s begins with, if it is more than a character: how long it is, else 0. */
static size_t marked_put(struct buf *b, enum style style, struct str s, bool in_word, int depth)
{
    struct str in, url;
    size_t n;
    if (is_link(s, &in, &url, &n)) {
        link(b, style, in, url);
        return n;
    }
    if (is_marked(s, "`", &in)) {
        buf_z(b, marks[style].code[0]);
        escaped(b, style, in);
        buf_z(b, marks[style].code[1]);
        return in.n + 2;
    }
    const struct { const char *mark; const char *const *out; bool inner; } kinds[] = {
        {"**", marks[style].bold, true}, {"~~", marks[style].strike, true}, {"*", marks[style].italic, true},
        {"_", marks[style].italic, !in_word}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].inner && is_marked(s, kinds[i].mark, &in)) {
            size_t mark = strlen(kinds[i].mark);
            buf_z(b, kinds[i].out[0]);
            inline_put(b, style, in, depth + 1);
            buf_z(b, kinds[i].out[1]);
            return in.n + 2 * mark;
        }
    return 0;
}

static void inline_put(struct buf *b, enum style style, struct str s, int depth)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = depth < 8 && strchr("[`*~_", s.p[i]) && s.p[i]
                 ? marked_put(b, style, str_sub(s, i, s.n), i && is_word(s.p[i - 1]), depth) : 0;
        if (!n)
            escaped(b, style, str_sub(s, i, i + 1));
        i += n ? n : 1;
    }
}

static struct str styled(struct template_scope *t, enum style style, struct str s)
{
    struct buf b = {.arena = t->arena};
    inline_put(&b, style, s, 0);
    return buf_finish(&b);
}

/* At most max characters. */
static struct str clipped(struct str s, size_t max)
{
    size_t chars = 0;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && chars++ == max)
            return str_sub(s, 0, i);
    return s;
}

/* --- what cards are made of ------------------------------------------------------------------------------------------------- */

static bool is_kind(const yyjson_mut_val *v, const char *type)
{
    return str_eqz(template_get_str(v, "type"), type);
}

/* A button that leads somewhere; one without a URL is left out. */
static bool leads(const yyjson_mut_val *v, struct str *label, struct str *url)
{
    *label = template_get_str(v, "label");
    *url = str_trim(template_get_str(v, "url"));
    return (is_kind(v, "link-button") || is_kind(v, "link")) && url->n;
}

/* Calls put for every child, those of sections in their place. */
typedef void putter(void *ctx, yyjson_mut_val *child);
static void each_child(yyjson_mut_val *card, putter *put, void *ctx, int depth)
{
    yyjson_mut_val *list = template_get(card, "children"), *x;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it))) {
        if (is_kind(x, "section") && depth < 8)
            each_child(x, put, ctx, depth + 1);
        else
            put(ctx, x);
    }
}

/* Fields, tables and links as lines of text, which every provider can show. p NULL: it is none of these. */
static struct str as_lines(struct template_scope *t, yyjson_mut_val *x)
{
    struct buf b = {.arena = t->arena};
    yyjson_mut_val *list = template_get(x, is_kind(x, "table") ? "rows" : "children"), *row, *cell;
    struct str label, url;
    if (is_kind(x, "link"))
        return leads(x, &label, &url) ? str_fmt(t->arena, "[%.*s](%.*s)", STR_ARG(label), STR_ARG(url)) : STR_NULL;
    if (!is_kind(x, "fields") && !is_kind(x, "table"))
        return STR_NULL;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    if (is_kind(x, "table") && yyjson_mut_is_arr(template_get(x, "headers"))) {
        yyjson_mut_arr_iter cells = yyjson_mut_arr_iter_with(template_get(x, "headers"));
        for (bool first = true; (cell = yyjson_mut_arr_iter_next(&cells)); first = false)
            buf_fmt(&b, "%s**%.*s**", first ? "" : " | ", STR_ARG(template_str(t, cell)));
    }
    while (yyjson_mut_is_arr(list) && (row = yyjson_mut_arr_iter_next(&it))) {
        if (b.n)
            buf_char(&b, '\n');
        if (is_kind(x, "fields")) {
            buf_fmt(&b, "**%.*s:** ", STR_ARG(template_str(t, template_get(row, "label"))));
            buf_str(&b, template_str(t, template_get(row, "value")));
            continue;
        }
        yyjson_mut_arr_iter cells = yyjson_mut_arr_iter_with(row);
        for (bool first = true; yyjson_mut_is_arr(row) && (cell = yyjson_mut_arr_iter_next(&cells)); first = false) {
            buf_z(&b, first ? "" : " | ");
            buf_str(&b, template_str(t, cell));
        }
    }
    return b.n ? buf_finish(&b) : STR_NULL;
}

/* The text of a child as markdown; p NULL: it has none. */
static struct str text_of(struct template_scope *t, yyjson_mut_val *x)
{
    struct str s = template_get_str(x, "content"), style = template_get_str(x, "style");
    if (!is_kind(x, "text"))
        return as_lines(t, x);
    if (!s.n)
        return STR_NULL;
    return str_eqz(style, "bold") ? str_fmt(t->arena, "**%.*s**", STR_ARG(s)) : str_eqz(style, "muted") ? str_fmt(t->arena, "_%.*s_", STR_ARG(s)) : s;
}

static void put_str(struct template_scope *t, yyjson_mut_val *o, const char *key, struct str s)
{
    yyjson_mut_obj_add_val(t->doc, o, key, template_of_str(t, s));
}

struct card_out {
    struct template_scope *t;
    yyjson_mut_val *list;               /* blocks, elements, rows */
    struct buf text;
    bool separated;                     /* the next element stands behind a divider */
    struct str button_label, button_url, image;
    bool has_button;
};

/* --- Slack ------------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *slack_block(struct card_out *c, const char *type)
{
    if (yyjson_mut_arr_size(c->list) == SLACK_BLOCKS)
        return NULL;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->t->doc, c->list);
    put_str(c->t, o, "type", str_of(type));
    return o;
}

static void slack_text(struct template_scope *t, yyjson_mut_val *o, const char *key, const char *type, struct str s, size_t max)
{
    yyjson_mut_val *x = yyjson_mut_obj_add_obj(t->doc, o, key);
    put_str(t, x, "type", str_of(type));
    put_str(t, x, "text", clipped(s, max));
    if (!strcmp(type, "plain_text"))
        yyjson_mut_obj_add_bool(t->doc, x, "emoji", true);
}

static void slack_section(struct card_out *c, struct str s)
{
    yyjson_mut_val *o = s.n ? slack_block(c, "section") : NULL;
    if (o)
        slack_text(c->t, o, "text", "mrkdwn", styled(c->t, SLACK, s), SLACK_TEXT);
}

static void slack_image(struct card_out *c, struct str url, struct str alt)
{
    yyjson_mut_val *o = url.n ? slack_block(c, "image") : NULL;
    if (!o)
        return;
    put_str(c->t, o, "image_url", url);
    put_str(c->t, o, "alt_text", alt.n ? alt : STR("image"));
}

static void slack_actions(struct card_out *c, yyjson_mut_val *actions)
{
    yyjson_mut_val *list = template_get(actions, "children"), *x, *elements = NULL;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    struct str label, url;
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it))) {
        struct str style = template_get_str(x, "style");
        if (!leads(x, &label, &url))
            continue;
        if (!elements || yyjson_mut_arr_size(elements) == SLACK_BUTTONS) {
            yyjson_mut_val *block = slack_block(c, "actions");
            if (!block)
                return;
            elements = yyjson_mut_obj_add_arr(c->t->doc, block, "elements");
        }
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->t->doc, elements);
        put_str(c->t, o, "type", STR("button"));
        slack_text(c->t, o, "text", "plain_text", label, SLACK_BUTTON);
        put_str(c->t, o, "url", url);
        if (str_eqz(style, "primary") || str_eqz(style, "danger"))
            put_str(c->t, o, "style", style);
    }
}

static void slack_child(void *ctx, yyjson_mut_val *x)
{
    struct card_out *c = ctx;
    if (is_kind(x, "image"))
        slack_image(c, template_get_str(x, "url"), template_get_str(x, "alt"));
    else if (is_kind(x, "divider"))
        slack_block(c, "divider");
    else if (is_kind(x, "actions"))
        slack_actions(c, x);
    else
        slack_section(c, text_of(c->t, x));
}

yyjson_mut_val *card_slack_blocks(struct template_scope *t, yyjson_mut_val *card)
{
    struct card_out c = {.t = t, .list = yyjson_mut_arr(t->doc)};
    struct str title = template_get_str(card, "title");
    if (!yyjson_mut_is_obj(card))
        return NULL;
    if (title.n)
        slack_text(t, slack_block(&c, "header"), "text", "plain_text", title, SLACK_HEADER);
    slack_section(&c, template_get_str(card, "subtitle"));
    slack_image(&c, template_get_str(card, "imageUrl"), title);
    each_child(card, slack_child, &c, 0);
    return yyjson_mut_arr_size(c.list) ? c.list : NULL;
}

/* --- Teams: Adaptive Cards 1.5 -------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *adaptive_element(struct card_out *c, const char *type)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->t->doc, c->list);
    put_str(c->t, o, "type", str_of(type));
    if (c->separated)
        yyjson_mut_obj_add_bool(c->t->doc, o, "separator", true);
    c->separated = false;
    return o;
}

static yyjson_mut_val *adaptive_text(struct card_out *c, struct str s)
{
    yyjson_mut_val *o = adaptive_element(c, "TextBlock");
    put_str(c->t, o, "text", s);
    yyjson_mut_obj_add_bool(c->t->doc, o, "wrap", true);
    return o;
}

static void adaptive_actions(struct card_out *c, yyjson_mut_val *actions)
{
    yyjson_mut_val *list = template_get(actions, "children"), *x, *out = NULL;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    struct str label, url;
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it))) {
        if (!leads(x, &label, &url))
            continue;
        if (!out)
            out = yyjson_mut_obj_add_arr(c->t->doc, adaptive_element(c, "ActionSet"), "actions");
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->t->doc, out);
        put_str(c->t, o, "type", STR("Action.OpenUrl"));
        put_str(c->t, o, "title", label);
        put_str(c->t, o, "url", url);
    }
}

static void adaptive_image(struct card_out *c, struct str url, struct str alt)
{
    yyjson_mut_val *o = url.n ? adaptive_element(c, "Image") : NULL;
    if (!o)
        return;
    put_str(c->t, o, "url", url);
    if (alt.n)
        put_str(c->t, o, "altText", alt);
}

static void adaptive_child(void *ctx, yyjson_mut_val *x)
{
    struct card_out *c = ctx;
    struct str s;
    if (is_kind(x, "image"))
        adaptive_image(c, template_get_str(x, "url"), template_get_str(x, "alt"));
    else if (is_kind(x, "divider"))
        c->separated = true;
    else if (is_kind(x, "actions"))
        adaptive_actions(c, x);
    else if ((s = text_of(c->t, x)).n)
        adaptive_text(c, s);
}

yyjson_mut_val *card_adaptive(struct template_scope *t, yyjson_mut_val *card)
{
    yyjson_mut_val *o = yyjson_mut_obj(t->doc), *content, *x;
    struct card_out c = {.t = t};
    if (!yyjson_mut_is_obj(card))
        return NULL;
    put_str(t, o, "contentType", STR("application/vnd.microsoft.card.adaptive"));
    yyjson_mut_obj_add_null(t->doc, o, "contentUrl");
    content = yyjson_mut_obj_add_obj(t->doc, o, "content");
    put_str(t, content, "$schema", STR("http://adaptivecards.io/schemas/adaptive-card.json"));
    put_str(t, content, "type", STR("AdaptiveCard"));
    put_str(t, content, "version", STR("1.5"));
    c.list = yyjson_mut_obj_add_arr(t->doc, content, "body");
    if (template_get_str(card, "title").n) {
        x = adaptive_text(&c, template_get_str(card, "title"));
        put_str(t, x, "size", STR("Large"));
        put_str(t, x, "weight", STR("Bolder"));
    }
    if (template_get_str(card, "subtitle").n)
        yyjson_mut_obj_add_bool(t->doc, adaptive_text(&c, template_get_str(card, "subtitle")), "isSubtle", true);
    adaptive_image(&c, template_get_str(card, "imageUrl"), template_get_str(card, "title"));
    each_child(card, adaptive_child, &c, 0);
    return o;
}

/* --- Telegram --------------------------------------------------------------------------------------------------------------------- */

static void line_put(struct card_out *c, struct str s)
{
    if (!s.n)
        return;
    if (c->text.n)
        buf_z(&c->text, "\n\n");
    buf_str(&c->text, s);
}

static void telegram_actions(struct card_out *c, yyjson_mut_val *actions)
{
    yyjson_mut_val *list = template_get(actions, "children"), *x, *row = NULL;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    struct str label, url;
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it))) {
        if (!leads(x, &label, &url))
            continue;
        if (!row || yyjson_mut_arr_size(row) == TELEGRAM_ROW)
            row = yyjson_mut_arr_add_arr(c->t->doc, c->list);
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->t->doc, row);
        put_str(c->t, o, "text", label);
        put_str(c->t, o, "url", url);
    }
}

static struct str telegram_link(struct template_scope *t, struct str label, struct str url)
{
    struct buf b = {.arena = t->arena};
    if (!url.n)
        return STR_NULL;
    link(&b, TELEGRAM, label.n ? label : url, url);
    return buf_finish(&b);
}

static void telegram_child(void *ctx, yyjson_mut_val *x)
{
    struct card_out *c = ctx;
    struct str s;
    if (is_kind(x, "image"))
        line_put(c, telegram_link(c->t, template_get_str(x, "alt"), template_get_str(x, "url")));
    else if (is_kind(x, "divider"))
        line_put(c, STR("———"));
    else if (is_kind(x, "actions"))
        telegram_actions(c, x);
    else if ((s = text_of(c->t, x)).n)
        line_put(c, styled(c->t, TELEGRAM, s));
}

/* A text with tags cut in the middle would be refused whole: cut behind a paragraph, else without its tags. */
static struct str telegram_cut(struct card_out *c, struct str s)
{
    struct str whole = clipped(s, TELEGRAM_TEXT);
    if (whole.n == s.n)
        return s;
    for (size_t i = whole.n; i > 1; i--)
        if (whole.p[i - 1] == '\n' && whole.p[i - 2] == '\n')
            return str_sub(whole, 0, i - 2);
    struct buf b = {.arena = c->t->arena};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '<')
            while (i < s.n && s.p[i] != '>')
                i++;
        else
            buf_char(&b, s.p[i]);
    }
    whole = clipped(buf_finish(&b), TELEGRAM_TEXT);
    for (size_t i = whole.n; i > 0 && i + 8 > whole.n; i--)
        if (whole.p[i - 1] == '&')
            return str_sub(whole, 0, i - 1);        /* no half of an entity */
    return whole;
}

yyjson_mut_val *card_telegram(struct template_scope *t, yyjson_mut_val *card)
{
    struct card_out c = {.t = t, .list = yyjson_mut_arr(t->doc), .text = {.arena = t->arena}};
    struct buf title = {.arena = t->arena};
    yyjson_mut_val *o = yyjson_mut_obj(t->doc);
    if (!yyjson_mut_is_obj(card))
        return NULL;
    if (template_get_str(card, "title").n) {
        buf_z(&title, "<b>");
        escaped(&title, TELEGRAM, template_get_str(card, "title"));
        buf_z(&title, "</b>");
        line_put(&c, buf_finish(&title));
    }
    line_put(&c, styled(t, TELEGRAM, template_get_str(card, "subtitle")));
    line_put(&c, telegram_link(t, template_get_str(card, "title"), template_get_str(card, "imageUrl")));
    each_child(card, telegram_child, &c, 0);
    put_str(t, o, "text", telegram_cut(&c, buf_finish(&c.text)));
    put_str(t, o, "parse_mode", STR("HTML"));
    if (yyjson_mut_arr_size(c.list))
        yyjson_mut_obj_add_val(t->doc, yyjson_mut_obj_add_obj(t->doc, o, "reply_markup"), "inline_keyboard", c.list);
    return o;
}

/* --- WhatsApp --------------------------------------------------------------------------------------------------------------------- */

static void whatsapp_child(void *ctx, yyjson_mut_val *x)
{
    struct card_out *c = ctx;
    yyjson_mut_val *list = template_get(x, "children"), *b;
    struct str label, url, s;
    if (is_kind(x, "image")) {
        c->image = c->image.n ? c->image : template_get_str(x, "url");
    } else if (is_kind(x, "divider")) {
        line_put(c, STR("———"));
    } else if (is_kind(x, "actions")) {
        yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
        while (yyjson_mut_is_arr(list) && (b = yyjson_mut_arr_iter_next(&it))) {
            if (!leads(b, &label, &url))
                continue;
            if (c->has_button)
                line_put(c, str_fmt(c->t->arena, "%.*s: %.*s", STR_ARG(label), STR_ARG(url)));
            else
                c->has_button = true, c->button_label = label, c->button_url = url;
        }
    } else if ((s = text_of(c->t, x)).n) {
        line_put(c, styled(c->t, WHATSAPP, s));
    }
}

static yyjson_mut_val *whatsapp_text(struct template_scope *t, yyjson_mut_val *m, struct str body)
{
    yyjson_mut_val *o = yyjson_mut_obj(t->doc), *x, *given = template_get(template_get(m, "customData"), "text");
    put_str(t, o, "type", STR("text"));
    x = yyjson_mut_obj_add_obj(t->doc, o, "text");
    put_str(t, x, "body", template_get_str(given, "body").n ? template_get_str(given, "body") : body);
    yyjson_mut_obj_add_bool(t->doc, x, "preview_url", yyjson_mut_is_true(template_get(given, "preview_url")));
    return o;
}

static yyjson_mut_val *whatsapp_card(struct template_scope *t, yyjson_mut_val *m, yyjson_mut_val *card)
{
    struct card_out c = {.t = t, .text = {.arena = t->arena}, .image = template_get_str(card, "imageUrl")};
    struct str title = template_get_str(card, "title");
    if (title.n)
        line_put(&c, str_fmt(t->arena, "*%.*s*", STR_ARG(title)));
    line_put(&c, styled(t, WHATSAPP, template_get_str(card, "subtitle")));
    each_child(card, whatsapp_child, &c, 0);
    if (!c.has_button) {
        line_put(&c, c.image);
        return whatsapp_text(t, m, clipped(buf_finish(&c.text), WHATSAPP_TEXT));
    }
    yyjson_mut_val *o = yyjson_mut_obj(t->doc), *i, *x;
    put_str(t, o, "type", STR("interactive"));
    i = yyjson_mut_obj_add_obj(t->doc, o, "interactive");
    put_str(t, i, "type", STR("cta_url"));
    if (c.image.n) {
        x = yyjson_mut_obj_add_obj(t->doc, i, "header");
        put_str(t, x, "type", STR("image"));
        put_str(t, yyjson_mut_obj_add_obj(t->doc, x, "image"), "link", c.image);
    }
    put_str(t, yyjson_mut_obj_add_obj(t->doc, i, "body"), "text", clipped(c.text.n ? buf_finish(&c.text) : c.button_label, WHATSAPP_BODY));
    x = yyjson_mut_obj_add_obj(t->doc, i, "action");
    put_str(t, x, "name", STR("cta_url"));
    x = yyjson_mut_obj_add_obj(t->doc, x, "parameters");
    put_str(t, x, "display_text", clipped(c.button_label, WHATSAPP_BUTTON));
    put_str(t, x, "url", c.button_url);
    return o;
}

yyjson_mut_val *card_whatsapp(struct template_scope *t, yyjson_mut_val *m)
{
    static const char *const kinds[] = {"template", "interactive", "image", "document", "video", "audio", "location", "contacts", "sticker"};
    yyjson_mut_val *data = template_get(m, "customData"), *card = template_get(m, "card"), *o;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        yyjson_mut_val *v = template_get(data, kinds[i]);
        if (!v)
            continue;
        o = yyjson_mut_obj(t->doc);
        put_str(t, o, "type", str_of(kinds[i]));
        yyjson_mut_obj_add_val(t->doc, o, kinds[i], template_copy(t, v));
        return o;
    }
    if (yyjson_mut_is_obj(card) && !template_get(data, "text"))
        return whatsapp_card(t, m, card);
    return whatsapp_text(t, m, template_str(t, template_get(m, "content")));
}

/* --- all others ------------------------------------------------------------------------------------------------------------------- */

static struct str with_escapes(struct template_scope *t, struct str s, char closing)
{
    struct buf b = {.arena = t->arena};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == closing)
            buf_char(&b, '\\');
        buf_char(&b, s.p[i]);
    }
    return buf_finish(&b);
}

static struct str markdown_link(struct template_scope *t, const char *before, struct str label, struct str url)
{
    struct str l = with_escapes(t, label, ']'), u = with_escapes(t, url, ')');
    return str_fmt(t->arena, "%s[%.*s](%.*s)", before, STR_ARG(l), STR_ARG(u));
}

static struct str markdown_actions(struct template_scope *t, yyjson_mut_val *actions)
{
    yyjson_mut_val *list = template_get(actions, "children"), *x;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    struct buf b = {.arena = t->arena};
    struct str label, url;
    while (yyjson_mut_is_arr(list) && (x = yyjson_mut_arr_iter_next(&it))) {
        bool link_button = leads(x, &label, &url);
        if (is_kind(x, "link-button") && !link_button)
            continue;
        if (b.n)
            buf_z(&b, " · ");
        buf_str(&b, link_button ? markdown_link(t, "", label, url) : label);
    }
    return buf_finish(&b);
}

static void markdown_child(void *ctx, yyjson_mut_val *x)
{
    struct card_out *c = ctx;
    if (is_kind(x, "image"))
        line_put(c, template_get_str(x, "url").n ? markdown_link(c->t, "!", template_get_str(x, "alt"), template_get_str(x, "url")) : STR_NULL);
    else if (is_kind(x, "divider"))
        line_put(c, STR("---"));
    else if (is_kind(x, "actions"))
        line_put(c, markdown_actions(c->t, x));
    else
        line_put(c, text_of(c->t, x));
}

struct str card_markdown(struct template_scope *t, yyjson_mut_val *card)
{
    struct card_out c = {.t = t, .text = {.arena = t->arena}};
    struct str title = template_get_str(card, "title");
    if (title.n)
        line_put(&c, str_fmt(t->arena, "**%.*s**", STR_ARG(title)));
    line_put(&c, template_get_str(card, "subtitle"));
    if (template_get_str(card, "imageUrl").n)
        line_put(&c, markdown_link(t, "!", STR(""), template_get_str(card, "imageUrl")));
    each_child(card, markdown_child, &c, 0);
    return buf_finish(&c.text);
}
