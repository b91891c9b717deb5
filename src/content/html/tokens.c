/* The HTML reader: states of npm htmlparser2 10 as straight-line scanning, with the open elements on an explicit stack. */
#include "content/html/tokens.h"

#include "content/html/entities.h"

enum element_flags {
    ELEMENT_VOID = 1,
    ELEMENT_RAW = 2,            /* content is text up to the end tag */
    ELEMENT_FOREIGN = 4,        /* svg, math: self-closing tags count inside */
    ELEMENT_INTEGRATION = 8,    /* back to HTML rules inside of those */
    ELEMENT_CLOSES = 16,        /* its start may end open elements */
};

struct element {
    struct str name;
    unsigned flags;
};

struct html_tokens {
    struct arena *arena;
    struct str s;
    size_t at;
    struct element stack[HTML_DEPTH_MAX];   /* open elements, innermost last */
    size_t stack_n;
    struct buf foreign;         /* one byte per entered context, 1 = foreign: svg, math */
    struct str raw;             /* name of the raw text element whose content comes next, else empty */
    /* What is still to be given out for the tag read last, in this order: */
    size_t closes_n;            /* ends of the innermost elements */
    bool opens;                 /* the start of opening… */
    bool ends;                  /* …which ends at once */
    struct element opening;
    struct html_attribute attributes[HTML_ATTRIBUTES_MAX];
    size_t attributes_n;
    struct html_names names;
    struct str tail;            /* unfinished markup at the end of the input, given out as text */
};

/* ---- what the reader knows of elements ---- */

static const char *const void_names[] = {"area", "base", "basefont", "br", "col", "command", "embed", "frame", "hr", "img",
    "input", "isindex", "keygen", "link", "meta", "param", "source", "track", "wbr", NULL};
static const char *const raw_names[] = {"script", "style", "title", "textarea", "xmp", NULL};
static const char *const decoded_names[] = {"title", "textarea", NULL};     /* of these, with references */
static const char *const foreign_names[] = {"math", "svg", NULL};
static const char *const integration_names[] = {"mi", "mo", "mn", "ms", "mtext", "annotation-xml", "foreignobject", "desc",
    "title", NULL};

static const char *const close_p[] = {"p", NULL};
static const char *const close_row[] = {"tr", "th", "td", NULL};
static const char *const close_th[] = {"th", NULL};
static const char *const close_td[] = {"thead", "th", "td", NULL};
static const char *const close_head[] = {"head", "link", "script", NULL};
static const char *const close_li[] = {"li", NULL};
static const char *const close_form[] = {"input", "option", "optgroup", "select", "button", "datalist", "textarea", NULL};
static const char *const close_option[] = {"option", NULL};
static const char *const close_optgroup[] = {"optgroup", "option", NULL};
static const char *const close_dd[] = {"dd", "dt", NULL};
static const char *const close_rt[] = {"rt", "rp", NULL};
static const char *const close_section[] = {"thead", "tbody", NULL};

static const char *const opens_over_p[] = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "address", "article", "aside",
    "blockquote", "details", "div", "dl", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "main", "nav",
    "ol", "pre", "section", "table", "ul", NULL};
static const char *const opens_over_form[] = {"select", "input", "output", "button", "datalist", "textarea", NULL};

static const struct {
    const char *name;
    const char *const *closes;
} opens[] = {
    {"tr", close_row}, {"th", close_th}, {"td", close_td}, {"body", close_head}, {"li", close_li}, {"option", close_option},
    {"optgroup", close_optgroup}, {"dd", close_dd}, {"dt", close_dd}, {"rt", close_rt}, {"rp", close_rt},
    {"tbody", close_section}, {"tfoot", close_section},
};

bool html_name_in(struct str s, const char *const *list)
{
    for (; *list; list++) {
        const char *name = *list;
        size_t i = 0;
        while (i < s.n && name[i] && name[i] == s.p[i])
            i++;
        if (i == s.n && !name[i])
            return true;
    }
    return false;
}

unsigned html_name_facts(struct html_names *known, struct str name, unsigned (*look_up)(struct str name))
{
    if (!name.n)
        return look_up(name);
    uint32_t mixed = (uint32_t)name.n | (uint32_t)(unsigned char)name.p[0] << 8 |
                     (uint32_t)(unsigned char)name.p[name.n / 2] << 16 | (uint32_t)(unsigned char)name.p[name.n - 1] << 24;
    size_t at = (mixed * 0x9e3779b1u) >> 25;
    if (known->slots[at].name.n != name.n || !bytes_same(known->slots[at].name.p, name.p, name.n)) {
        known->slots[at].name = name;
        known->slots[at].facts = look_up(name);
    }
    return known->slots[at].facts;
}

static const char *const *closes_of(struct str name)
{
    if (html_name_in(name, opens_over_p))
        return close_p;
    if (html_name_in(name, opens_over_form))
        return close_form;
    for (size_t i = 0; i < sizeof opens / sizeof *opens; i++)
        if (str_eqz(name, opens[i].name))
            return opens[i].closes;
    return NULL;
}

static unsigned flags_look_up(struct str name)
{
    return (closes_of(name) ? ELEMENT_CLOSES : 0) | (html_name_in(name, void_names) ? ELEMENT_VOID : 0) | (html_name_in(name, raw_names) ? ELEMENT_RAW : 0) |
           (html_name_in(name, foreign_names) ? ELEMENT_FOREIGN : 0) |
           (html_name_in(name, integration_names) ? ELEMENT_INTEGRATION : 0);
}

/* ---- characters ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\f' || c == '\r';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* The offset of c at or after from, or the end. */
static size_t seek(struct str s, size_t from, char c)
{
    const char *hit = from < s.n ? memchr(s.p + from, c, s.n - from) : NULL;
    return hit ? (size_t)(hit - s.p) : s.n;
}

/* s in lower case: itself where nothing changes. */
static struct str lowered(struct arena *a, struct str s)
{
    size_t i = 0;
    while (i < s.n && !(s.p[i] >= 'A' && s.p[i] <= 'Z'))
        i++;
    if (i == s.n)
        return s;
    char *p = arena_copy(a, s.p, s.n);
    for (; i < s.n; i++)
        p[i] = lower(p[i]);
    return (struct str){p, s.n};
}

/* s with character references decoded: itself where there are none. */
static struct str decoded(struct arena *a, struct str s, bool in_attribute)
{
    size_t at = seek(s, 0, '&'), from = 0;
    struct buf b = {.arena = a};
    while (at < s.n) {
        char text[HTML_ENTITY_MAX];
        size_t n = 0, used = html_entity_decode(s, at, in_attribute, text, &n);
        if (used) {
            if (!b.p)
                buf_reserve(&b, s.n);
            buf_add(&b, s.p + from, at - from);
            buf_add(&b, text, n);
            from = at + used;
        }
        at = seek(s, used ? from : at + 1, '&');
    }
    if (!from)
        return s;
    buf_add(&b, s.p + from, s.n - from);
    return buf_get(&b);
}

/* ---- tags ---- */

static bool is_foreign(const struct html_tokens *t)
{
    return t->foreign.n && t->foreign.p[t->foreign.n - 1];
}

static void context_enter(struct html_tokens *t, unsigned flags)
{
    if (flags & ELEMENT_FOREIGN)
        buf_char(&t->foreign, 1);
    else if (flags & ELEMENT_INTEGRATION)
        buf_char(&t->foreign, 0);
}

/* Reads one attribute starting at i; returns where reading goes on, s.n if the input ended first. */
static size_t attribute_read(struct html_tokens *t, size_t i)
{
    struct str s = t->s, name, value = {"", 0};
    size_t from = i++;
    while (i < s.n && s.p[i] != '=' && s.p[i] != '/' && s.p[i] != '>' && !is_space(s.p[i]))
        i++;
    name = str_sub(s, from, i);
    size_t next = i;
    while (next < s.n && is_space(s.p[next]))
        next++;
    if (next < s.n && s.p[next] == '=') {
        next++;
        while (next < s.n && is_space(s.p[next]))
            next++;
        char quote = next < s.n ? s.p[next] : 0;
        if (quote == '"' || quote == '\'') {
            from = next + 1;
            i = seek(s, from, quote);
            value = str_sub(s, from, i);
            next = i + (i < s.n);
        } else {
            for (i = next; i < s.n && s.p[i] != '>' && !is_space(s.p[i]);)
                i++;
            value = str_sub(s, next, i);
            next = i;
        }
    }
    if (next >= s.n || t->attributes_n == HTML_ATTRIBUTES_MAX)
        return next;
    name = lowered(t->arena, name);
    for (size_t k = 0; k < t->attributes_n; k++)
        if (str_eq(t->attributes[k].name, name))
            return next;
    t->attributes[t->attributes_n++] = (struct html_attribute){name, decoded(t->arena, value, true)};
    return next;
}

/* Reads attributes up to and with the >. false: the input ended inside of the tag. */
static bool attributes_read(struct html_tokens *t, size_t i, bool *self_closing)
{
    struct str s = t->s;
    t->attributes_n = 0;
    *self_closing = false;
    while (i < s.n) {
        char c = s.p[i];
        if (c == '>') {
            t->at = i + 1;
            return true;
        }
        if (c == '/')
            *self_closing = true;
        else if (!is_space(c)) {
            *self_closing = false;
            i = attribute_read(t, i);
            continue;
        }
        i++;
    }
    t->at = s.n;
    return false;
}

static unsigned flags_of(struct html_tokens *t, struct str name)
{
    return html_name_facts(&t->names, name, flags_look_up);
}

static void element_open(struct html_tokens *t, struct str name, bool self_closing)
{
    struct element e = {name, flags_of(t, name)};
    const char *const *closes = e.flags & ELEMENT_CLOSES ? closes_of(name) : NULL;
    t->closes_n = 0;
    if (closes)
        while (t->closes_n < t->stack_n && html_name_in(t->stack[t->stack_n - 1 - t->closes_n].name, closes))
            t->closes_n++;
    if (!(e.flags & ELEMENT_VOID)) {
        if (t->closes_n == 0 && t->stack_n == HTML_DEPTH_MAX)
            t->closes_n = 1;
        context_enter(t, e.flags);
    }
    t->opens = true;
    t->opening = e;
    t->ends = (e.flags & ELEMENT_VOID) || (self_closing && is_foreign(t));
    t->raw = (e.flags & ELEMENT_RAW) && !self_closing ? name : STR_NULL;
}

/* The start tag whose name starts at i. */
static void start_tag(struct html_tokens *t, size_t i)
{
    struct str s = t->s;
    size_t from = i;
    bool self_closing;
    while (i < s.n && s.p[i] != '/' && s.p[i] != '>' && !is_space(s.p[i]))
        i++;
    struct str name = lowered(t->arena, str_sub(s, from, i));
    for (const char *const *raw = raw_names; i == s.n && *raw; raw++)
        if (str_starts(str_of(*raw), name))
            t->tail = str_sub(s, from, i);
    if (attributes_read(t, i, &self_closing))
        element_open(t, name, self_closing);
}

static void element_close(struct html_tokens *t, struct str name)
{
    unsigned flags = flags_of(t, name);
    if ((flags & (ELEMENT_FOREIGN | ELEMENT_INTEGRATION)) && t->foreign.n)
        t->foreign.n--;
    for (size_t i = t->stack_n; i-- > 0 && !(flags & ELEMENT_VOID);)
        if (str_eq(t->stack[i].name, name)) {
            t->closes_n = t->stack_n - i;
            return;
        }
    /* </p> and </br> without a start make an empty element, as in browsers. */
    if (str_eqz(name, "p") || str_eqz(name, "br")) {
        t->attributes_n = 0;
        element_open(t, name, false);
        t->ends = true;
    }
}

/* Goes on behind the > at end. Without one what starts at from is text, as that parser has it. */
static void skip_past(struct html_tokens *t, size_t from, size_t end)
{
    if (end >= t->s.n)
        t->tail = str_sub(t->s, from, t->s.n);
    t->at = end + 1;
}

/* After </ at i: reads up to and with the >. */
static void end_tag(struct html_tokens *t, size_t i)
{
    struct str s = t->s;
    size_t from = i;
    if (!is_alpha(s.p[i])) {            /* a bogus comment */
        skip_past(t, i, seek(s, i, '>'));
        return;
    }
    while (i < s.n && s.p[i] != '>' && !is_space(s.p[i]))
        i++;
    size_t end = seek(s, i, '>');
    t->at = end + 1;
    if (end < s.n)
        element_close(t, lowered(t->arena, str_sub(s, from, i)));
}

/* After <! at i: comment, CDATA section or declaration, all of which are dropped. */
static void declaration(struct html_tokens *t, size_t i)
{
    struct str rest = str_sub(t->s, i, t->s.n);
    bool comment = str_starts(rest, STR("--"));
    if (comment || str_starts(rest, STR("[CDATA["))) {
        ptrdiff_t end = str_find(rest, comment ? STR("-->") : STR("]]>"));      /* <!--> is a whole comment */
        t->at = end < 0 ? t->s.n : i + (size_t)end + 3;
    } else {
        /* The first character is never taken as the end, nor the one behind a single dash. */
        size_t from = i + (rest.n && rest.p[0] == '-' ? 2 : 1);
        skip_past(t, i, seek(t->s, from, '>'));
    }
}

/* ---- text ---- */

/* Content of a raw text element up to its end tag. */
static struct str raw_text(struct html_tokens *t)
{
    struct str s = t->s, name = t->raw;
    size_t from = t->at, i = from;
    t->raw = STR_NULL;
    for (;; i++) {
        i = seek(s, i, '<');
        size_t end = i + 2 + name.n;
        if (i >= s.n || end >= s.n) {
            t->at = i = s.n;
            break;
        }
        if (s.p[i + 1] == '/' && (s.p[end] == '>' || is_space(s.p[end])) &&
            str_eq_nocase(str_sub(s, i + 2, end), name)) {
            t->at = i;                  /* read as an ordinary end tag next */
            break;
        }
    }
    struct str text = str_sub(s, from, i);
    return html_name_in(name, decoded_names) ? decoded(t->arena, text, false) : text;
}

/* Is the < at i the start of markup? */
static bool is_markup(struct str s, size_t i)
{
    if (i + 1 >= s.n)
        return false;
    char c = s.p[i + 1];
    if (c != '/')
        return c == '!' || c == '?' || is_alpha(c);
    for (i += 2; i < s.n && is_space(s.p[i]);)
        i++;
    return i < s.n && s.p[i] != '>';    /* </> and a final </ are text */
}

static struct str plain_text(struct html_tokens *t)
{
    struct str s = t->s;
    size_t from = t->at, i = seek(s, from, '<');
    while (i < s.n && !is_markup(s, i))
        i = seek(s, i + 1, '<');
    t->at = i;
    return decoded(t->arena, str_sub(s, from, i), false);
}

static void markup(struct html_tokens *t)
{
    size_t i = t->at + 1;
    char c = t->s.p[i];
    if (c == '!')
        declaration(t, i + 1);
    else if (c == '?')
        skip_past(t, i + 1, seek(t->s, i + 1, '>'));
    else if (c != '/')
        start_tag(t, i);
    else {
        for (i++; is_space(t->s.p[i]);)
            i++;
        end_tag(t, i);
    }
}

/* ---- the stream ---- */

struct html_tokens *html_tokens_open(struct arena *a, struct str html)
{
    struct html_tokens *t = ARENA_NEW(a, struct html_tokens);
    t->arena = a;
    t->s = html;
    t->foreign = (struct buf){.arena = a};
    return t;
}

/* Gives out what the last tag left to be told. */
static bool pending(struct html_tokens *t, struct html_token *out)
{
    if (t->closes_n) {
        t->closes_n--;
        *out = (struct html_token){.event = HTML_CLOSE, .name = t->stack[--t->stack_n].name};
        return true;
    }
    if (t->opens) {
        t->opens = false;
        *out = (struct html_token){.event = HTML_OPEN, .name = t->opening.name, .attributes = t->attributes,
                                   .attributes_n = t->attributes_n};
        if (!t->ends)
            t->stack[t->stack_n++] = t->opening;
        return true;
    }
    if (t->ends) {
        t->ends = false;
        *out = (struct html_token){.event = HTML_CLOSE, .name = t->opening.name};
        return true;
    }
    return false;
}

enum html_event html_tokens_next(struct html_tokens *t, struct html_token *out)
{
    for (;;) {
        if (pending(t, out))
            return out->event;
        if (t->at >= t->s.n)
            break;
        if (t->raw.n || t->s.p[t->at] != '<' || !is_markup(t->s, t->at)) {
            bool raw = t->raw.n && !html_name_in(t->raw, decoded_names);
            struct str text = t->raw.n ? raw_text(t) : plain_text(t);
            *out = (struct html_token){.event = HTML_TEXT, .text = text, .raw = raw};
            if (text.n)
                return HTML_TEXT;
        } else {
            markup(t);
        }
    }
    if (t->tail.n) {
        *out = (struct html_token){.event = HTML_TEXT, .text = t->tail};
        t->tail = STR_NULL;
        return HTML_TEXT;
    }
    if (t->stack_n) {
        *out = (struct html_token){.event = HTML_CLOSE, .name = t->stack[--t->stack_n].name};
        return HTML_CLOSE;
    }
    *out = (struct html_token){.event = HTML_END};
    return HTML_END;
}

struct str html_attribute_get(const struct html_token *t, const char *name)
{
    for (size_t i = 0; i < t->attributes_n; i++)
        if (str_eqz(t->attributes[i].name, name))
            return t->attributes[i].value;
    return STR_NULL;
}
