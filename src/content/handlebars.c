/* Handlebars as Liquid: one pass over the source with a stack of open blocks. */
#include "content/handlebars.h"

enum { DEPTH_MAX = 32 };

enum block { BLOCK_IF, BLOCK_UNLESS, BLOCK_EQUALS, BLOCK_EACH, BLOCKS };
static const struct { const char *name, *open, *end; } blocks[BLOCKS] = {
    [BLOCK_IF] = {"if", "if", "endif"},
    [BLOCK_UNLESS] = {"unless", "unless", "endunless"},
    [BLOCK_EQUALS] = {"equals", "if", "endif"},
    [BLOCK_EACH] = {"each", "for", "endfor"},
};

struct hb {
    struct arena *a;
    struct buf out;
    enum block open[DEPTH_MAX];
    int depth, loops;               /* loops: of the open blocks, those that are each */
};

/* {{expression}}, its braces' markers taken off. */
struct mustache {
    struct str expression;
    bool trims_before, trims_after; /* ~ */
};

/* --- paths ------------------------------------------------------------------------------------------------- */

/* What a template sees beside the payload (content.md §1.5). */
static bool is_root(struct str name)
{
    static const char *const roots[] = {"payload", "subscriber", "actor", "tenant", "step", "steps", "workflow", "env", "context", "t",
                                        "content"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (str_eqz(name, roots[i]))
            return true;
    return false;
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || (unsigned char)c >= 0x80;
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* The next segment of a path: a name, or what stands in brackets. false: it is none. */
static bool segment_next(struct str *path, struct str *segment)
{
    size_t n = 0;
    bool bracket = path->n && path->p[0] == '[';
    if (bracket) {
        const char *end = memchr(path->p, ']', path->n);
        if (!end)
            return false;
        *segment = str_sub(*path, 1, (size_t)(end - path->p));
        n = (size_t)(end - path->p) + 1;
    } else {
        while (n < path->n && in_name(path->p[n]))
            n++;
        *segment = str_sub(*path, 0, n);
    }
    if (!segment->n || memchr(segment->p, '"', segment->n))
        return false;
    if (n < path->n && (path->p[n] == '.' || path->p[n] == '/'))
        n++;
    else if (n < path->n && path->p[n] != '[')
        return false;
    *path = str_sub(*path, n, path->n);
    return true;
}

static void put_segment(struct buf *b, struct str segment)
{
    bool plain = true;
    for (size_t i = 0; i < segment.n; i++)
        plain &= in_name(segment.p[i]);
    if (is_number(segment))
        buf_fmt(b, "[%.*s]", STR_ARG(segment));
    else if (!plain)
        buf_fmt(b, "[\"%.*s\"]", STR_ARG(segment));
    else if (str_eqz(segment, "length"))
        buf_z(b, ".size");
    else
        buf_fmt(b, ".%.*s", STR_ARG(segment));
}

/* The variable of the loop at this depth (1: the outermost). */
static void put_item(struct buf *b, int loop)
{
    if (loop > 1)
        buf_fmt(b, "item%d", loop);
    else
        buf_z(b, "item");
}

/* @index and its like, which Liquid knows of the innermost loop. */
static bool loop_value(const struct hb *h, struct str path, struct str *out)
{
    static const char *const names[][2] = {{"@index", "forloop.index0"}, {"@first", "forloop.first"}, {"@last", "forloop.last"}};
    for (size_t i = 0; i < 3 && h->loops; i++)
        if (str_eqz(path, names[i][0])) {
            *out = str_of(names[i][1]);
            return true;
        }
    return false;
}

static bool is_literal(struct str s)
{
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\''))
        return s.p[s.n - 1] == s.p[0] && !memchr(s.p + 1, s.p[0], s.n - 2);
    return str_eqz(s, "true") || str_eqz(s, "false") || is_number(s);
}

/* A path or literal of Handlebars as one of Liquid; false: it is neither. */
static bool value(const struct hb *h, struct str path, struct str *out)
{
    struct buf b = {.arena = h->a};
    struct str segment;
    int loop = h->loops;
    if (is_literal(path)) {
        *out = path;
        return true;
    }
    if (loop_value(h, path, out))
        return true;
    if (str_starts(path, STR("@root."))) {
        loop = 0;
        path = str_sub(path, 6, path.n);
    }
    for (; str_starts(path, STR("../")); path = str_sub(path, 3, path.n))
        loop -= loop > 0;
    bool self = str_eqz(path, "this") || str_eqz(path, ".");
    if (str_starts(path, STR("this.")) || str_starts(path, STR("this/")) || str_starts(path, STR("./")))
        path = str_sub(path, path.p[0] == '.' ? 2 : 5, path.n);
    if (loop)
        put_item(&b, loop);
    else if (self)
        buf_z(&b, "payload");
    for (bool first = true; !self; first = false) {
        if (!segment_next(&path, &segment))
            return false;
        if (!first || loop)
            put_segment(&b, segment);
        else if (is_root(segment))
            buf_str(&b, segment);
        else {
            buf_z(&b, "payload");
            put_segment(&b, segment);
        }
        self = !path.n;
    }
    *out = buf_finish(&b);
    return true;
}

/* --- expressions ------------------------------------------------------------------------------------------- */

/* The next word: a quoted text counts as one, and so does what stands in brackets. Empty at the end. */
static struct str word_next(struct str *s)
{
    size_t n = 0;
    *s = str_trim(*s);
    if (s->n && (s->p[0] == '"' || s->p[0] == '\'')) {
        const char *end = memchr(s->p + 1, s->p[0], s->n - 1);
        n = end ? (size_t)(end - s->p) + 1 : s->n;
    } else {
        for (bool bracket = false; n < s->n && (bracket || (unsigned char)s->p[n] > ' '); n++)
            bracket = s->p[n] == '[' || (bracket && s->p[n] != ']');
    }
    struct str word = str_sub(*s, 0, n);
    *s = str_trim(str_sub(*s, n, s->n));
    return word;
}

static void put(struct hb *h, const struct mustache *m, bool tag, struct str text)
{
    buf_fmt(&h->out, "{%c%s ", tag ? '%' : '{', m->trims_before ? "-" : "");
    buf_str(&h->out, text);
    buf_fmt(&h->out, " %s%c}", m->trims_after ? "-" : "", tag ? '%' : '}');
}

static bool put_open(struct hb *h, const struct mustache *m, struct str rest)
{
    struct str name = word_next(&rest), one = word_next(&rest), two, a, b;
    struct buf tag = {.arena = h->a};
    int kind = 0;
    while (kind < BLOCKS && !str_eqz(name, blocks[kind].name))
        kind++;
    if (kind == BLOCKS || h->depth == DEPTH_MAX || !value(h, one, &a))
        return false;
    two = kind == BLOCK_EQUALS ? word_next(&rest) : STR_NULL;
    if (rest.n || (kind == BLOCK_EQUALS && !value(h, two, &b)))
        return false;
    buf_fmt(&tag, "%s ", blocks[kind].open);
    if (kind == BLOCK_EACH) {
        put_item(&tag, h->loops + 1);
        buf_z(&tag, " in ");
    }
    buf_str(&tag, a);
    if (kind == BLOCK_EQUALS)
        buf_fmt(&tag, " == %.*s", STR_ARG(b));
    put(h, m, true, buf_get(&tag));
    h->open[h->depth++] = (enum block)kind;
    h->loops += kind == BLOCK_EACH;
    return true;
}

static bool put_close(struct hb *h, const struct mustache *m, struct str name)
{
    enum block kind = h->depth ? h->open[h->depth - 1] : BLOCKS;
    if (kind == BLOCKS || !str_eqz(str_trim(name), blocks[kind].name))
        return false;
    h->depth--;
    h->loops -= kind == BLOCK_EACH;
    put(h, m, true, str_of(blocks[kind].end));
    return true;
}

static bool put_else(struct hb *h, const struct mustache *m, struct str rest)
{
    struct str word = word_next(&rest), condition;
    if (!h->depth)
        return false;
    if (!word.n) {
        put(h, m, true, STR("else"));
        return true;
    }
    if (!str_eqz(word, "if") || h->open[h->depth - 1] == BLOCK_EACH || !value(h, word_next(&rest), &condition) || rest.n)
        return false;
    put(h, m, true, str_fmt(h->a, "elsif %.*s", STR_ARG(condition)));
    return true;
}

static bool put_value(struct hb *h, const struct mustache *m)
{
    static const char *const helpers[][2] = {{"uppercase", "upcase"}, {"lowercase", "downcase"}};
    struct str rest = m->expression, word = word_next(&rest), v;
    for (size_t i = 0; i < 2 && rest.n; i++)
        if (str_eqz(word, helpers[i][0]) && value(h, word_next(&rest), &v) && !rest.n) {
            put(h, m, false, str_fmt(h->a, "%.*s | %s", STR_ARG(v), helpers[i][1]));
            return true;
        }
    if (rest.n || !value(h, word, &v))
        return false;
    put(h, m, false, v);
    return true;
}

static bool put_mustache(struct hb *h, const struct mustache *m)
{
    struct str e = m->expression, rest = e;
    if (!e.n)
        return false;
    if (e.p[0] == '!')
        return true;                /* a comment */
    if (e.p[0] == '#')
        return put_open(h, m, str_sub(e, 1, e.n));
    if (e.p[0] == '/')
        return put_close(h, m, str_sub(e, 1, e.n));
    if (str_eqz(word_next(&rest), "else"))
        return put_else(h, m, rest);
    return put_value(h, m);
}

/* --- the source --------------------------------------------------------------------------------------------- */

/* Reads {{…}} or {{{…}}} at the front of s; its length, 0: it is not closed. */
static size_t mustache_read(struct str s, struct mustache *m)
{
    bool comment = str_starts(s, STR("{{!--"));
    size_t braces = str_starts(s, STR("{{{")) ? 3 : 2;
    struct str inside = str_sub(s, braces, s.n);
    ptrdiff_t end = str_find(inside, comment ? STR("--}}") : braces == 3 ? STR("}}}") : STR("}}"));
    if (end < 0)
        return 0;
    struct str e = str_trim(str_sub(inside, 0, (size_t)end));
    *m = (struct mustache){.trims_before = e.n && e.p[0] == '~', .trims_after = e.n > 1 && e.p[e.n - 1] == '~'};
    m->expression = str_trim(str_sub(e, m->trims_before, e.n - m->trims_after));
    if (str_starts(m->expression, STR("&")))
        m->expression = str_trim(str_sub(m->expression, 1, m->expression.n));
    return braces + (size_t)end + (comment ? 4 : braces);
}

struct str handlebars_to_liquid(struct arena *a, struct str source)
{
    struct hb h = {.a = a, .out = {.arena = a}};
    struct mustache m;
    ptrdiff_t at;
    if (str_find(source, STR("{{")) < 0)
        return source;
    while ((at = str_find(source, STR("{{"))) >= 0) {
        buf_add(&h.out, source.p, (size_t)at);
        source = str_sub(source, (size_t)at, source.n);
        size_t n = mustache_read(source, &m);
        if (!n)
            break;
        if (!put_mustache(&h, &m))
            buf_add(&h.out, source.p, n);
        source = str_sub(source, n, source.n);
    }
    buf_str(&h.out, source);
    return buf_finish(&h.out);
}
