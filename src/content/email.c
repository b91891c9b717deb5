/* The order of an e-mail step: body, clean-up, layout, sanitising. */
#include "content/email.h"

#include "content/blocks.h"
#include "content/liquid/liquid_private.h"
#include "content/sanitize.h"
#include "content/template_check.h"
#include "content/translation_keys.h"

struct email_body {
    struct str text;
    bool keys;                      /* mentions {{t.key}}, or did before it was translated */
    bool translated;
    struct blocks *blocks;          /* NULL: HTML */
    struct liquid_template *html;   /* NULL: it does not parse, and err says why */
    struct error err;
};

static struct email_body *compile(struct arena *a, struct str text)
{
    struct email_body *b = ARENA_NEW(a, struct email_body);
    struct str safe = translation_keys_protect(a, text), trimmed = str_trim(text);
    yyjson_val *doc;
    b->text = text;
    b->keys = safe.p != text.p;
    /* Upstream takes every text that is JSON for a block document, which makes an empty e-mail of `2025`: we do not. */
    if (trimmed.n && (trimmed.p[0] == '{' || trimmed.p[0] == '[') && json_parse(a, safe, &doc, NULL))
        b->blocks = blocks_compile(a, doc);
    else
        b->html = liquid_parse(a, safe, &b->err);
    return b;
}

const struct email_body *email_body_compile(struct arena *a, struct str text)
{
    return compile(a, text);
}

const struct email_body *email_body_translate(struct arena *a, const struct email_body *b, const struct reader_texts *texts)
{
    if (!b->keys || b->translated)
        return b;
    struct email_body *out = compile(a, translate_source(texts, a, b->text, b->blocks != NULL));
    out->keys = out->translated = true;
    return out;
}

bool email_body_is_block(const struct email_body *b)
{
    return b->blocks != NULL;
}

/* ---- clean-up ---- */

/* The next `<!`; NULL: none. Looks for the rarer of the two. (memmem is slow for two bytes.) */
static const char *declaration_find(struct str s, size_t from)
{
    for (const char *p; from + 1 < s.n && (p = memchr(s.p + from + 1, '!', s.n - from - 1)); from = (size_t)(p - s.p))
        if (p[-1] == '<')
            return p - 1;
    return NULL;
}

/* The next `<p`. */
static const char *paragraph_find(struct str s, size_t from)
{
    for (const char *p; from + 1 < s.n && (p = memchr(s.p + from, '<', s.n - from - 1)); from = (size_t)(p - s.p) + 1)
        if (p[1] == 'p')
            return p;
    return NULL;
}

/* `<!DOCTYPE…>` on one line and comments, wherever they are. */
static struct str without_comments(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    size_t from = 0;
    for (size_t i = 0; i < s.n;) {
        const char *hit = declaration_find(s, i);
        if (!hit)
            break;
        size_t at = (size_t)(hit - s.p), end = 0;
        struct str rest = str_sub(s, at, s.n);
        if (str_starts(rest, STR("<!--"))) {
            ptrdiff_t close = str_find(str_sub(rest, 4, rest.n), STR("-->"));
            end = close < 0 ? 0 : at + 4 + (size_t)close + 3;
        } else if (str_starts(rest, STR("<!DOCTYPE"))) {
            const char *close = memchr(rest.p, '>', rest.n);
            end = close && !memchr(rest.p, '\n', (size_t)(close - rest.p)) ? (size_t)(close - s.p) + 1 : 0;
        }
        if (!end && str_starts(rest, STR("<!--")))
            break;              /* never closed, nor is any after it */
        if (end)
            buf_add(&b, s.p + from, at - from), from = end;
        i = end ? end : at + 2;
    }
    if (!from)
        return s;
    buf_add(&b, s.p + from, s.n - from);
    return str_solid(buf_get(&b));
}

/* Paragraphs of nothing but white space become empty: Gmail takes them for a reason to cut the message. */
static struct str blank_paragraphs_emptied(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    size_t from = 0;
    for (size_t i = 0; i < s.n;) {
        const char *hit = paragraph_find(s, i);
        const char *close = hit ? memchr(hit, '>', s.n - (size_t)(hit - s.p)) : NULL;
        if (!close)
            break;
        size_t blank = (size_t)(close - s.p) + 1, end = blank, n;
        i = (size_t)(hit - s.p) + 2;
        while (end < s.n && (n = text_space(s, end)))
            end += n;
        if (end == blank || !str_starts(str_sub(s, end, s.n), STR("</p>")))
            continue;
        buf_add(&b, s.p + from, blank - from);
        from = i = end;
    }
    if (!from)
        return s;
    buf_add(&b, s.p + from, s.n - from);
    return buf_get(&b);
}

struct str email_clean(struct arena *a, struct str html)
{
    return blank_paragraphs_emptied(a, without_comments(a, html));
}

/* ---- bodies ---- */

/* Behind <body …>, else behind the doctype, else in front. */
static size_t preheader_place(struct str html)
{
    size_t at = 0;
    for (size_t i = 0; i + 5 < html.n; i++) {
        const char *close;
        if (html.p[i] != '<')
            continue;
        if (str_eq_nocase(str_sub(html, i + 1, i + 5), STR("body")) && memchr("> \t\r\n", html.p[i + 5], 5))
            return (close = memchr(html.p + i, '>', html.n - i)) ? (size_t)(close - html.p) + 1 : at;
        if (html.p[i + 1] == '!' && str_eq_nocase(str_sub(html, i + 2, i + 9), STR("doctype")) && !at)
            at = (close = memchr(html.p + i, '>', html.n - i)) ? (size_t)(close - html.p) + 1 : 0;
    }
    return at;
}

static struct str preheader_insert(struct arena *a, struct str html, struct str preheader)
{
    struct buf b = {.arena = a};
    size_t at = preheader_place(html);
    if (!str_trim(preheader).n)
        return html;
    buf_add(&b, html.p, at);
    blocks_preheader(&b, preheader);
    buf_add(&b, html.p + at, html.n - at);
    return buf_get(&b);
}

struct rendering {
    const struct email_input *in;
    struct arena *a;
    struct error *err;
};

static bool html_render(struct rendering *x, const struct email_body *body, const struct liquid_context *ctx, struct buf *out)
{
    struct liquid_context plain = *ctx;
    plain.mode = LIQUID_PLAIN;
    if (!body->html)
        return x->err ? (*x->err = body->err, false) : false;
    return liquid_render(body->html, &plain, x->a, out, x->err);
}

/* Keys that are a filter's argument ('t.key'), when it has printed them. */
static bool keys_settle(struct rendering *x, const struct reader_texts *texts, const struct email_body *body,
                        const struct liquid_context *ctx, struct str *out)
{
    if (!body->keys)
        return true;
    *out = translation_keys_restore(x->a, *out);
    return !texts || translate_text(&(struct translator){*texts, ctx}, x->a, *out, out, x->err);
}

/* Keys that stand alone are replaced in the source, so that their Liquid and HTML count as the template's own. */
static bool body_render(struct rendering *x, const struct reader_texts *texts, const struct email_body *body,
                        const struct liquid_context *ctx, const struct blocks_options *o, struct str *out)
{
    struct buf b = {.arena = x->a};
    if (texts)
        body = email_body_translate(x->a, body, texts);
    if (!(body->blocks ? blocks_render(body->blocks, ctx, o, x->a, &b, x->err) : html_render(x, body, ctx, &b)))
        return false;
    *out = str_solid(buf_get(&b));
    if (!keys_settle(x, texts, body, ctx, out))
        return false;
    if (o->document && !body->blocks)
        *out = preheader_insert(x->a, *out, o->preheader);
    return true;
}

const struct email_body *email_body_of_chat(struct arena *a, yyjson_val *values)
{
    struct str body = json_get_str(values, "body");
    return str_eqz(json_get_str(values, "editorType"), "text") || !block_document(a, body) ? NULL : email_body_compile(a, body);
}

bool email_body_chat(const struct email_body *b, const struct reader_texts *texts, const struct liquid_context *ctx, struct arena *a,
                     struct chat_content *out, struct error *err)
{
    if (texts)
        b = email_body_translate(a, b, texts);
    if (!blocks_card(b->blocks, ctx, a, &out->card, err))
        return false;
    if (texts && b->keys && !translate_values(&(struct translator){*texts, ctx}, a, out->card, &out->card, err))
        return false;
    out->text = blocks_card_text(a, out->card);
    return true;
}

static struct str without_newlines(struct arena *a, struct str s)
{
    char *p = arena_copy(a, s.p, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (p[i] != '\n')
            p[n++] = p[i];
    return (struct str){p, n};
}

static bool layout_render(struct rendering *x, const struct liquid_context *ctx, struct str content, struct str *out)
{
    struct liquid_variable *variables = ARENA_ARRAY(x->a, struct liquid_variable, ctx->variables_n + 1);
    struct liquid_context inner = *ctx;
    yyjson_val *v = ARENA_NEW(x->a, yyjson_val);
    yyjson_set_strn(v, content.p, content.n);
    variables[0] = (struct liquid_variable){STR("content"), v};
    if (ctx->variables_n)
        memcpy(variables + 1, ctx->variables, ctx->variables_n * sizeof *variables);
    inner.variables = variables;
    inner.variables_n++;
    return body_render(x, x->in->layout_texts, x->in->layout->body, &inner,
                       &(struct blocks_options){.document = true, .preheader = x->in->preheader}, out);
}

struct str email_subject_clean(struct arena *a, struct str subject)
{
    static const struct { const char *entity; char c; } plain[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}};
    struct str s = sanitize_html(a, subject);
    struct buf b = {.arena = a};
    if (str_find(s, STR("&")) < 0)
        return s;
    for (size_t i = 0; i < s.n;) {
        size_t k = 0;
        while (k < 3 && !str_starts(str_sub(s, i, s.n), str_of(plain[k].entity)))
            k++;
        buf_char(&b, k < 3 ? plain[k].c : s.p[i]);
        i += k < 3 ? strlen(plain[k].entity) : 1;
    }
    return buf_finish(&b);
}

bool email_render(const struct email_input *in, const struct liquid_context *ctx, struct arena *a, struct email_output *out,
                  struct error *err)
{
    struct rendering x = {in, a, err};
    struct blocks_options o = {.document = !in->layout, .preheader = in->preheader};
    struct str subject = in->subject, html;
    if (in->texts && !translate_text(&(struct translator){*in->texts, ctx}, a, in->subject, &subject, err))
        return false;
    if (!body_render(&x, in->texts, in->body, ctx, &o, &html))
        return false;
    html = without_comments(a, html);
    if (in->layout && !layout_render(&x, ctx, without_newlines(a, html), &html))
        return false;
    html = blank_paragraphs_emptied(a, html);
    if (!in->raw) {
        subject = email_subject_clean(a, subject);
        html = sanitize_html(a, html);
    }
    *out = (struct email_output){.subject = str_solid(subject), .html = str_solid(html), .large = html.n > EMAIL_LARGE};
    return true;
}
