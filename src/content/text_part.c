/* HTML to text: blocks on a stack, each wrapping its own lines, joined to the block around it when it ends. */
#include "content/text_part.h"

#include <stdlib.h>
#include <unicode/ucasemap.h>

#include "content/html/tokens.h"

enum {
    LINE_MAX_UNITS = 80,
    LINE_LEAST = 20,            /* however deep in lists and quotes */
    BLOCKS_MAX = 24,
    TEXT_MAX = 1 << 20,
    INPUT_MAX = 1 << 24,
};

enum block_kind { BLOCK_PLAIN, BLOCK_QUOTE, BLOCK_LIST, BLOCK_ITEM };

struct block {
    enum block_kind kind;
    bool is_pre;
    struct buf text;
    long leading;               /* line breaks before it, */
    long trailing;              /* after it, */
    long stashed;               /* and before what comes next inside */
    /* The line being filled. */
    long line_max, line_left;
    size_t words_n, word_at;    /* words in it; where the last begins in text */
    long word_units;
    bool space_stashed, may_break;
    /* Lists and their items. */
    struct str prefix;          /* of an item */
    size_t prefix_max;          /* of a list: items are indented by as much */
    char numbering;             /* '*' or the type of an <ol> */
    bool is_nested;
    int64_t next_index;
};

/* What an open element must undo at its end. */
struct open_element {
    bool is_block, is_item, is_anchor, is_heading, is_hidden, is_li, is_body;
    struct str href;
    size_t words_before;
};

struct writer {
    struct arena *arena;
    struct block blocks[BLOCKS_MAX];
    size_t blocks_n;
    struct open_element elements[HTML_DEPTH_MAX + 1];
    size_t elements_n;
    size_t headings, hidden, bodies;
    size_t words_seen;          /* tells an anchor whether it has a label */
    const uint32_t *item_counts;    /* <li> children of each list, in document order */
    size_t lists_seen;
    bool body_only, is_full;
    UCaseMap *upper;
};

/* ---- lines ---- */

static struct block *top(struct writer *w)
{
    return &w->blocks[w->blocks_n - 1];
}

static void text_add(struct writer *w, struct block *b, struct str s)
{
    if (b->text.n + s.n > TEXT_MAX)
        w->is_full = true;
    else
        buf_str(&b->text, s);
}

static void char_repeat(struct writer *w, struct block *b, char c, size_t n)
{
    for (; n && !w->is_full; n--)
        text_add(w, b, (struct str){&c, 1});
}

static void line_start(struct writer *w, struct block *b, size_t n)
{
    char_repeat(w, b, '\n', n);
    b->words_n = 0;
    b->line_left = b->line_max;
}

/* Length as JavaScript counts it. */
static long units_of(struct str s)
{
    long n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        n += (c & 0xc0) != 0x80;
        n += c >= 0xf0;
    }
    return n;
}

static void word_push(struct writer *w, struct block *b, struct str word)
{
    long units = units_of(word);
    if (b->line_left <= 0)
        line_start(w, b, 1);
    if (b->words_n && units + 1 > b->line_left)
        line_start(w, b, 1);
    if (b->words_n) {
        text_add(w, b, STR(" "));
        b->line_left--;
    }
    b->word_at = b->text.n;
    b->word_units = units;
    b->words_n++;
    b->line_left -= units;
    text_add(w, b, word);
}

/* Joins a word to the last one of the line, in place: what is written in pieces must not be copied for each piece. */
static void word_concat(struct writer *w, struct block *b, struct str word)
{
    long units = units_of(word);
    if (!b->words_n || (b->may_break && units > b->line_left)) {
        b->may_break = b->may_break && !b->words_n;
        word_push(w, b, word);
        return;
    }
    if (b->words_n > 1 && units > b->line_left) {       /* no longer fits behind the words before it */
        b->text.p[b->word_at - 1] = '\n';
        b->words_n = 1;
        b->line_left = b->line_max - b->word_units;
    }
    b->word_units += units;
    b->line_left -= units;
    text_add(w, b, word);
}

/* Bytes of white space at s.p[i]: HTML's, and the zero-width space. */
static size_t space_at(struct str s, size_t i)
{
    char c = s.p[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f')
        return 1;
    return s.n - i >= 3 && !memcmp(s.p + i, "\xe2\x80\x8b", 3) ? 3 : 0;
}

static size_t spaces_skip(struct str s, size_t i)
{
    for (size_t n; i < s.n && (n = space_at(s, i));)
        i += n;
    return i;
}

static struct str uppercase(struct writer *w, struct str s)
{
    UErrorCode code = U_ZERO_ERROR;
    if (!w->upper)
        w->upper = ucasemap_open("", 0, &code);
    size_t cap = s.n * 3 + 8;       /* one letter becomes at most three */
    char *p = arena_alloc_raw(w->arena, cap);
    int32_t n = U_FAILURE(code) ? 0 : ucasemap_utf8ToUpper(w->upper, p, (int32_t)cap, s.p, (int32_t)s.n, &code);
    return U_FAILURE(code) || n < 0 || (size_t)n > cap ? s : (struct str){p, (size_t)n};
}

/* Adds running text: white space collapses and lines wrap. is_label: word transforms apply and it names an anchor. */
static void inline_add(struct writer *w, struct str s, bool is_label)
{
    struct block *b = top(w);
    if (b->is_pre) {
        text_add(w, b, s);
        return;
    }
    size_t i = spaces_skip(s, 0);
    if (!s.n || (b->stashed && i == s.n))
        return;
    if (b->stashed)
        line_start(w, b, (size_t)b->stashed);
    b->stashed = 0;
    bool apart = b->space_stashed || i > 0, any = false, ends_in_space = i > 0;
    while (i < s.n && !w->is_full) {
        size_t from = i;
        while (i < s.n && !space_at(s, i))
            i++;
        struct str word = str_sub(s, from, i);
        if (is_label && w->headings)
            word = uppercase(w, word);
        w->words_seen += is_label;
        if (any || apart)
            word_push(w, b, word);
        else
            word_concat(w, b, word);
        any = true;
        from = i;
        i = spaces_skip(s, i);
        ends_in_space = i > from;
    }
    b->space_stashed = (b->space_stashed && !any) || ends_in_space;
}

/* ---- blocks ---- */

static struct block *block_open(struct writer *w, enum block_kind kind, long leading, long trailing, long line_max)
{
    struct block *outer = w->blocks_n ? top(w) : NULL, *b = &w->blocks[w->blocks_n++];
    *b = (struct block){.kind = kind, .text = {.arena = w->arena}, .leading = leading, .trailing = trailing,
                        .line_max = line_max < LINE_LEAST ? LINE_LEAST : line_max, .is_pre = outer && outer->is_pre};
    b->line_left = b->line_max;
    return b;
}

/* Appends s with line after every line break repeated in front of the next line. */
static void lines_add(struct writer *w, struct block *b, struct str s, struct str line)
{
    while (s.n && !w->is_full) {
        const char *end = memchr(s.p, '\n', s.n);
        size_t n = end ? (size_t)(end - s.p) + 1 : s.n;
        text_add(w, b, str_sub(s, 0, n));
        s = str_sub(s, n, s.n);
        if (end)
            text_add(w, b, line);
    }
}

static struct str spaces_of(struct writer *w, size_t n)
{
    struct buf b = {.arena = w->arena};
    while (n--)
        buf_char(&b, ' ');
    return buf_get(&b);
}

/* Joins the innermost block to the one around it. */
static void block_close(struct writer *w)
{
    struct block *b = &w->blocks[--w->blocks_n], *outer = top(w);
    struct str text = buf_get(&b->text);
    if (b->kind == BLOCK_LIST && !text.n)
        return;
    long breaks = outer->stashed > b->leading ? outer->stashed : b->leading;
    if (outer->text.n)
        line_start(w, outer, (size_t)breaks);
    else
        outer->leading = breaks;
    outer->words_n = 0;
    outer->line_left = outer->line_max;
    outer->stashed = b->kind != BLOCK_LIST && b->stashed > b->trailing ? b->stashed : b->trailing;
    if (b->kind == BLOCK_QUOTE) {
        while (text.n && text.p[0] == '\n')
            text = str_sub(text, 1, text.n);
        while (text.n && text.p[text.n - 1] == '\n')
            text.n--;
        text_add(w, outer, STR("> "));
        lines_add(w, outer, text, STR("> "));
    } else if (b->kind == BLOCK_ITEM) {
        size_t indent = b->prefix.n > outer->prefix_max ? b->prefix.n : outer->prefix_max;
        text_add(w, outer, b->prefix);
        char_repeat(w, outer, ' ', indent - b->prefix.n);
        lines_add(w, outer, text, spaces_of(w, indent));
    } else {
        text_add(w, outer, text);
    }
}

/* ---- lists ---- */

static struct str letters_of(struct writer *w, int64_t n, char first)
{
    char text[16];
    size_t at = sizeof text;
    for (; n > 0 && at; n = (n - 1) / 26)
        text[--at] = (char)(first + (n - 1) % 26);
    return str_dup(w->arena, (struct str){text + at, sizeof text - at});
}

static struct str roman_of(struct writer *w, int64_t n, bool capital)
{
    static const struct {
        int value;
        const char *text;
    } parts[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"},
                 {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}};
    struct buf b = {.arena = w->arena};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (; n >= parts[i].value; n -= parts[i].value)
            buf_z(&b, parts[i].text);
    for (size_t i = 0; capital && i < b.n; i++)
        b.p[i] = (char)(b.p[i] - 32);
    return buf_get(&b);
}

static struct str item_prefix(struct writer *w, const struct block *list, int64_t index)
{
    struct str text;
    char type = list->numbering;
    if (type == '*')
        return list->is_nested ? STR("* ") : STR(" * ");
    if ((type == 'a' || type == 'A') && index > 0)
        text = letters_of(w, index, type);
    else if ((type == 'i' || type == 'I') && index > 0 && index < 4000)
        text = roman_of(w, index, type == 'I');
    else
        text = str_fmt(w->arena, "%lld", (long long)index);
    return str_fmt(w->arena, "%s%.*s. ", list->is_nested ? "" : " ", STR_ARG(text));
}

static void list_open(struct writer *w, const struct html_token *t, size_t items_n)
{
    bool nested = w->elements_n && w->elements[w->elements_n - 1].is_li;
    struct block *b = block_open(w, BLOCK_LIST, nested ? 1 : 2, nested ? 1 : 2, top(w)->line_max);
    struct str start = html_attribute_get(t, "start"), type = html_attribute_get(t, "type");
    b->is_nested = nested;
    b->numbering = str_eqz(t->name, "ul") ? '*' : type.n == 1 ? type.p[0] : '1';
    if (!str_to_i64(str_trim(start), &b->next_index) || b->next_index > INT32_MAX || b->next_index < INT32_MIN)
        b->next_index = 1;
    /* Roman numbers do not grow with their index, so all of them are measured. */
    for (size_t i = 0; i < items_n; i++) {
        struct str prefix = item_prefix(w, b, b->next_index + (int64_t)i);
        b->prefix_max = prefix.n > b->prefix_max ? prefix.n : b->prefix_max;
        if (b->numbering == '*')
            break;
    }
}

static void item_open(struct writer *w, bool is_li)
{
    struct block *list = top(w);
    struct str prefix = is_li ? item_prefix(w, list, list->next_index++) : STR_NULL;
    size_t indent = prefix.n > list->prefix_max ? prefix.n : list->prefix_max;
    block_open(w, BLOCK_ITEM, 1, 1, list->line_max - (long)indent)->prefix = prefix;
}

/* ---- elements ---- */

static const struct {
    const char *name;
    long leading, trailing;
} block_elements[] = {
    {"p", 2, 2}, {"div", 1, 1}, {"table", 2, 2}, {"h1", 3, 2}, {"h2", 3, 2}, {"h3", 3, 2}, {"h4", 2, 2}, {"h5", 2, 2},
    {"h6", 2, 2}, {"blockquote", 2, 2}, {"hr", 2, 2}, {"pre", 2, 2}, {"article", 1, 1}, {"aside", 1, 1}, {"footer", 1, 1},
    {"form", 1, 1}, {"header", 1, 1}, {"main", 1, 1}, {"nav", 1, 1}, {"section", 1, 1},
};

static void block_element_open(struct writer *w, struct str name, struct open_element *e)
{
    for (size_t i = 0; i < sizeof block_elements / sizeof *block_elements; i++) {
        if (!str_eqz(name, block_elements[i].name))
            continue;
        bool quote = str_eqz(name, "blockquote");
        struct block *b = block_open(w, quote ? BLOCK_QUOTE : BLOCK_PLAIN, block_elements[i].leading,
                                     block_elements[i].trailing, top(w)->line_max - (quote ? 2 : 0));
        b->is_pre = b->is_pre || str_eqz(name, "pre");
        e->is_block = true;
        e->is_heading = name.n == 2 && name.p[0] == 'h' && name.p[1] >= '1' && name.p[1] <= '6';
        w->headings += e->is_heading;
        return;
    }
}

static bool is_hidden(const struct html_token *t)
{
    static const char *const names[] = {"img", "script", "style", NULL};
    return html_name_in(t->name, names) || str_eqz(html_attribute_get(t, "data-skip-in-text"), "true");
}

static bool is_shown(const struct writer *w)
{
    return !w->hidden && (!w->body_only || w->bodies);
}

static void anchor_open(struct writer *w, const struct html_token *t, struct open_element *e)
{
    struct str href = html_attribute_get(t, "href");
    if (str_starts(href, STR("mailto:")))
        href = str_sub(href, 7, href.n);
    e->is_anchor = href.n && href.p[0] != '#';
    e->href = str_dup(w->arena, href);
    e->words_before = w->words_seen;
}

static void element_open(struct writer *w, const struct html_token *t)
{
    struct open_element e = {.is_li = str_eqz(t->name, "li"), .is_body = str_eqz(t->name, "body")};
    bool is_list = str_eqz(t->name, "ul") || str_eqz(t->name, "ol");
    size_t items_n = is_list ? w->item_counts[w->lists_seen++] : 0;
    w->bodies += e.is_body;
    e.is_hidden = is_hidden(t);
    w->hidden += e.is_hidden;
    if (is_shown(w)) {
        bool room = w->blocks_n + 2 <= BLOCKS_MAX;
        if (top(w)->kind == BLOCK_LIST && room) {
            e.is_item = true;
            item_open(w, e.is_li);
        }
        if (is_list && room) {
            e.is_block = true;
            list_open(w, t, items_n);
        } else if (room) {
            block_element_open(w, t->name, &e);
        }
        if (str_eqz(t->name, "a"))
            anchor_open(w, t, &e);
        else if (str_eqz(t->name, "hr"))
            inline_add(w, STR("--------------------------------------------------------------------------------"), true);
        else if (str_eqz(t->name, "wbr"))
            top(w)->may_break = true;
        else if (str_eqz(t->name, "br") && top(w)->is_pre)
            text_add(w, top(w), STR("\n"));
        else if (str_eqz(t->name, "br"))
            line_start(w, top(w), 1);
    }
    w->elements[w->elements_n++] = e;
}

static void element_close(struct writer *w)
{
    struct open_element *e = &w->elements[--w->elements_n];
    if (e->is_anchor) {
        bool labelled = w->words_seen > e->words_before;
        inline_add(w, labelled ? str_fmt(w->arena, " %.*s", STR_ARG(e->href)) : e->href, false);
    }
    if (e->is_block)
        block_close(w);
    if (e->is_item)
        block_close(w);
    w->headings -= e->is_heading;
    w->hidden -= e->is_hidden;
    w->bodies -= e->is_body;
}

static bool is_blank(struct str s)
{
    return str_trim(s).n == 0;
}

static void text_write(struct writer *w, struct str s)
{
    bool in_list = top(w)->kind == BLOCK_LIST;
    if (!is_shown(w) || (in_list && (is_blank(s) || w->blocks_n == BLOCKS_MAX)))
        return;
    if (in_list)
        item_open(w, false);
    inline_add(w, s, true);
    if (in_list)
        block_close(w);
}

/* ---- the document ---- */

/* What must be known beforehand: whether there is a body, and how many items each list has. */
static void survey(struct writer *w, struct str html)
{
    struct html_tokens *tokens = html_tokens_open(w->arena, html);
    struct html_token t;
    struct buf counts = {.arena = w->arena};
    size_t open[HTML_DEPTH_MAX + 1], n = 0;     /* number of the list that each open element is, plus 1 */
    while (html_tokens_next(tokens, &t) != HTML_END) {
        if (t.event == HTML_CLOSE)
            n--;
        if (t.event != HTML_OPEN)
            continue;
        w->body_only = w->body_only || str_eqz(t.name, "body");
        if (n && open[n - 1] && str_eqz(t.name, "li"))
            ((uint32_t *)(void *)counts.p)[open[n - 1] - 1]++;
        bool is_list = str_eqz(t.name, "ul") || str_eqz(t.name, "ol");
        if (is_list)
            buf_add(&counts, &(uint32_t){0}, sizeof(uint32_t));
        open[n++] = is_list ? counts.n / sizeof(uint32_t) : 0;
    }
    w->item_counts = (const uint32_t *)(void *)counts.p;
}

struct str text_part_from_html(struct arena *a, struct str html)
{
    struct writer *w = ARENA_NEW(a, struct writer);
    struct html_token t;
    html = str_sub(html, 0, INPUT_MAX);
    w->arena = a;
    survey(w, html);
    block_open(w, BLOCK_PLAIN, 1, 0, LINE_MAX_UNITS);
    struct html_tokens *tokens = html_tokens_open(a, html);
    while (!w->is_full && html_tokens_next(tokens, &t) != HTML_END) {
        if (t.event == HTML_OPEN)
            element_open(w, &t);
        else if (t.event == HTML_CLOSE)
            element_close(w);
        else
            text_write(w, t.text);
    }
    w->is_full = false;
    while (w->blocks_n > 1)     /* only where the text was cut */
        block_close(w);
    ucasemap_close(w->upper);
    return buf_get(&w->blocks[0].text);
}
