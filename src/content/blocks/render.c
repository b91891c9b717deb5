/* Runs a compiled document: values, conditions and repetitions of one render. */
#include "content/blocks/blocks_private.h"

#include <math.h>

#include "content/translation_keys.h"

/* Where a repetition stands: its index and the repetitions around it. */
struct frame {
    const struct item *repeat;
    size_t index;
    const struct frame *outer;
};

struct run {
    const struct blocks *b;
    struct render *r;
    struct arena *a;
    struct buf *out, scratch;
    size_t start, output_max, items;
    int64_t css_work;
    const struct frame *frame;      /* whose indices are bound now */
    bool margin_removed;            /* of the item being written */
    struct error *err;
};

static bool run_code(struct run *x, const struct code *code);

/* ---- values ---- */

/* Renders a leaf into the scratch buffer, whose content lasts until the next value. */
static bool value_render(struct run *x, const struct liquid_template *t, struct str *s)
{
    x->scratch.n = 0;
    if (!liquid_render_next(x->r, t, &x->scratch, x->err))
        return false;
    *s = buf_get(&x->scratch);
    if (x->b->translations)
        *s = translation_keys_restore(x->a, *s);
    return true;
}

static bool put_value(struct run *x, const struct op *op)
{
    struct str s;
    if (!value_render(x, op->t, &s))
        return false;
    if (op->how == PUT_RAW)
        buf_str(x->out, s);
    else if (op->how == PUT_ESCAPED)
        put_escaped(x->out, s);
    else
        put_spaced(x->out, s, op->how);
    return true;
}

bool show_truthy(struct arena *a, struct str rendered)
{
    struct str s = text_trim_end(text_trim_start(rendered));
    yyjson_val *v;
    if (!s.n || str_eq_nocase(s, STR("false")) || str_eq_nocase(s, STR("null")) || str_eq_nocase(s, STR("undefined")))
        return false;
    /* Only numbers and JSON texts can still be false. */
    if (!strchr("-0123456789\"", s.p[0]) || !json_parse(a, s, &v, NULL))
        return true;
    return yyjson_is_num(v) ? yyjson_get_num(v) != 0 : !yyjson_is_str(v) || yyjson_get_len(v) > 0;
}

/* ---- repetitions ---- */

static bool each_fail(struct error *err, struct str text, const char *reason)
{
    return error_set(err, ERROR_BAD_INPUT, "Failed to parse iterable value for \"%.*s\": %s", STR_ARG(str_cut(text, 200)),
                     reason);
}

/* What JSON.parse says of text that is no JSON. */
static bool each_not_json(struct arena *a, struct error *err, struct str text, struct str value)
{
    size_t n = 1;
    if (value.n)
        text_decode(value, 0, &n);
    return each_fail(err, text, str_fmt(a, "Unexpected token '%.*s', \"%.*s\" is not valid JSON", STR_ARG(str_sub(value, 0, n)),
                                        STR_ARG(str_cut(value, 100))).p);
}

/* A value that is no array may still be the text of one. */
static bool each_text_count(struct render *r, const struct liquid_template *t, struct str text, size_t *n, struct error *err)
{
    struct buf b = {.arena = r->arena};
    yyjson_val *v;
    if (!liquid_render_next(r, t, &b, err))
        return false;
    struct str value = str_trim(buf_get(&b));
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == '\'')
            b.p[i] = '"';
    if (!value.n)
        return each_fail(err, text, "Unexpected end of JSON input");
    if (!json_parse(r->arena, value, &v, NULL))
        return each_not_json(r->arena, err, text, value);
    if (!yyjson_is_arr(v))
        return each_fail(err, text, str_fmt(r->arena, "Iterable \"%.*s\" is not an array", STR_ARG(str_cut(text, 200))).p);
    *n = yyjson_arr_size(v);
    return true;
}

double iterations_of(yyjson_val *v)
{
    double n = yyjson_is_num(v) ? yyjson_get_num(v) : yyjson_is_str(v) ? number_parse(json_str(v)) : yyjson_is_true(v) ? 1 : NAN;
    if (!yyjson_is_true(v) && (yyjson_is_num(v) ? n == 0 : !yyjson_is_ctn(v) && !json_str(v).n))
        return INFINITY;
    return isnan(n) ? 0 : trunc(n);
}

bool each_count(struct render *r, const struct liquid_template *t, struct str text, double iterations, size_t *n,
                struct error *err)
{
    struct value v = VALUE_UNDEFINED;
    r->err = err;
    r->source = t->source;
    if (t->nodes.n == 1 && t->nodes.v[0].kind == NODE_OUTPUT)
        v = eval_value(r, &t->nodes.v[0].value);
    if (r->failed)
        return false;
    if (value_is_array(v))
        *n = array_length(v);
    else if (!each_text_count(r, t, text, n, err))
        return false;
    if (iterations < 0)
        iterations = fmax(0, (double)*n + iterations);
    *n = (size_t)fmin((double)*n, iterations);
    return true;
}

/* ---- lists ---- */

struct shown { const struct item *item; const struct frame *frame; };
struct shown_list { struct shown *v; size_t n, cap; };

static bool list_expand(struct run *x, const struct item *items, uint32_t n, struct shown_list *out);

static bool repeat_expand(struct run *x, const struct item *item, struct shown_list *out)
{
    size_t count;
    if (!each_count(x->r, item->each, item->each_text, item->iterations, &count, x->err))
        return false;
    const struct frame *outer = x->frame;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        struct frame *f = ARENA_NEW(x->a, struct frame);
        struct slot_shadow saved;
        *f = (struct frame){item, i, outer};
        x->frame = f;
        if (++x->items > BLOCKS_ITEMS_MAX)
            return error_set(x->err, ERROR_BAD_INPUT, "template render limit exceeded");
        if (item->slot >= 0)
            slot_push(x->r, item->slot, value_number((double)i), &saved);
        ok = list_expand(x, item->items, item->items_n, out);
        if (item->slot >= 0)
            slot_pop(x->r, &saved);
    }
    x->frame = outer;
    return ok;
}

/* The items that are really there, in order. */
static bool list_expand(struct run *x, const struct item *items, uint32_t n, struct shown_list *out)
{
    struct str s;
    for (uint32_t i = 0; i < n; i++) {
        const struct item *item = &items[i];
        if (item->show) {
            if (!value_render(x, item->show, &s))
                return false;
            if (!show_truthy(x->a, s))
                continue;
        }
        if (item->each) {
            if (!repeat_expand(x, item, out))
                return false;
            continue;
        }
        if (++x->items > BLOCKS_ITEMS_MAX)
            return error_set(x->err, ERROR_BAD_INPUT, "template render limit exceeded");
        *ARENA_SLOT(x->a, out->v, out->n, out->cap) = (struct shown){item, x->frame};
    }
    return true;
}

/* Runs an item with the indices of its frames bound, down to the frame that is bound already. */
static bool item_run(struct run *x, const struct item *item, const struct frame *f)
{
    struct slot_shadow saved;
    if (f == x->frame)
        return run_code(x, &item->code);
    int32_t slot = f->repeat->slot;
    if (slot >= 0)
        slot_push(x->r, slot, value_number((double)f->index), &saved);
    bool ok = item_run(x, item, f->outer);
    if (slot >= 0)
        slot_pop(x->r, &saved);
    return ok;
}

static bool list_run(struct run *x, const struct op *op)
{
    struct shown_list list = {0};
    bool removed = x->margin_removed, ok = list_expand(x, op->list.items, op->list.n, &list);
    for (size_t i = 0; i < list.n && ok; i++) {
        const struct shown *s = &list.v[i];
        const struct frame *here = x->frame;
        x->margin_removed = i + 1 < list.n ? list.v[i + 1].item->spacer : s->item->last_loses;
        ok = item_run(x, s->item, s->frame);
        x->frame = here;
    }
    x->margin_removed = removed;
    return ok;
}

/* ---- ops ---- */

static bool html_run(struct run *x, const struct code *code)
{
    struct buf html = {.arena = x->a}, *out = x->out;
    size_t start = x->start;
    x->out = &html;
    x->start = 0;
    bool ok = run_code(x, code);
    x->out = out;
    x->start = start;
    if (ok)
        css_inline(x->a, buf_get(&html), &x->css_work, out);
    return ok;
}

static bool op_run(struct run *x, const struct op *op)
{
    struct str s;
    switch (op->kind) {
    case OP_HTML:
        buf_str(x->out, op->html);
        return true;
    case OP_PUT: return put_value(x, op);
    case OP_MARGIN:
        buf_str(x->out, x->margin_removed ? op->margin.removed : op->margin.kept);
        return true;
    case OP_CHOOSE: return value_render(x, op->choose.t, &s) && run_code(x, s.n ? &op->choose.yes : &op->choose.no);
    case OP_LIST: return list_run(x, op);
    case OP_CODE: return html_run(x, &op->code);
    case OP_FAIL: return error_set(x->err, ERROR_BAD_INPUT, "%.*s", STR_ARG(op->html));
    }
    return true;
}

static bool run_code(struct run *x, const struct code *code)
{
    for (uint32_t i = 0; i < code->n; i++) {
        if (!op_run(x, &code->v[i]))
            return false;
        if (x->out->n - x->start > x->output_max)
            return error_set(x->err, ERROR_BAD_INPUT, "memory alloc limit exceeded");
    }
    return true;
}

/* ---- documents ---- */

static const char document_head[] =
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">"
    "<html dir=\"ltr\" lang=\"en\"><head><meta name=\"viewport\" content=\"width=device-width\"/>"
    "<meta content=\"text/html; charset=UTF-8\" http-equiv=\"Content-Type\"/>"
    "<meta name=\"x-apple-disable-message-reformatting\"/><meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\"/>"
    "<meta name=\"x-apple-disable-message-reformatting\"/>"
    "<meta name=\"format-detection\" content=\"telephone=no,address=no,email=no,date=no,url=no\"/>"
    "<meta name=\"color-scheme\" content=\"light\"/><meta name=\"supported-color-schemes\" content=\"light\"/><style>\n"
    "    @font-face {\n      font-family: 'Inter';\n      font-style: normal;\n      font-weight: 400;\n"
    "      mso-font-alt: 'system-ui';\n"
    "      src: url(https://rsms.me/inter/font-files/Inter-Regular.woff2?v=3.19) format('woff2');\n    }\n\n"
    "    * {\n      font-family: 'Inter', system-ui, sans-serif;\n    }\n  </style>"
    "<style>blockquote,h1,h2,h3,img,li,ol,p,ul{margin-top:0;margin-bottom:0}@media only screen and (max-width:425px)"
    "{.tab-row-full{width:100%!important}.tab-col-full{display:block!important;width:100%!important}"
    ".tab-pad{padding:0!important}}</style></head><body><table border=\"0\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" "
    "role=\"presentation\" align=\"center\"><tbody><tr><td style=\"margin:0\">";
static const char document_box[] =
    "<table align=\"center\" width=\"100%\" border=\"0\" cellpadding=\"0\" cellspacing=\"0\" role=\"presentation\" "
    "style=\"max-width:600px;min-width:300px;width:100%;margin-left:auto;margin-right:auto;padding:0.5rem\"><tbody>"
    "<tr style=\"width:100%\"><td>";
static const char document_foot[] =
    "</td></tr></tbody></table></td></tr></tbody></table></body></html>";

/* content.md §4.3: mail clients show the beginning of the text beside the subject; the filler keeps them from going on. */
void blocks_preheader(struct buf *out, struct str text)
{
    enum { LENGTH = 150 };
    static const char filler[] = "\xc2\xa0\xe2\x80\x8c\xe2\x80\x8b\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xef\xbb\xbf";
    text = str_trim(text);
    if (!text.n)
        return;
    size_t units = 0, end = 0, n;
    for (; end < text.n && units < LENGTH; end += n)
        units += text_decode(text, end, &n) > 0xffff ? 2 : 1;
    text.n = end;
    buf_z(out, "<div style=\"display:none;overflow:hidden;line-height:1px;opacity:0;max-height:0;max-width:0\" "
               "data-skip-in-text=\"true\" id=\"__react-email-preview\">");
    put_escaped(out, text);
    if (units < LENGTH) {
        buf_z(out, "<div>");
        for (size_t i = units; i < LENGTH; i++)
            buf_z(out, filler);
        buf_z(out, "</div>");
    }
    buf_z(out, "</div>");
}

static bool nodes_run(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, struct buf *out, struct error *err)
{
    struct liquid_context plain = *ctx;
    struct run x = {.b = b, .a = a, .out = out, .scratch = {.arena = a}, .start = out->n, .err = err,
                    .css_work = CSS_WORK_MAX,
                    .output_max = ctx->output_max ? ctx->output_max : BLOCKS_OUTPUT_MAX};
    plain.mode = LIQUID_PLAIN;
    x.r = liquid_open(&b->names, &plain, a);
    return run_code(&x, &b->code);
}

bool blocks_render(const struct blocks *b, const struct liquid_context *ctx, const struct blocks_options *o, struct arena *a,
                   struct buf *out, struct error *err)
{
    yyjson_val *tree;
    if (b->whole) {
        if (!whole_render(b, ctx, a, &tree, err))
            return false;
        b = blocks_compile_literal(a, tree);
    }
    if (!o->document)
        return nodes_run(b, ctx, a, out, err);
    buf_add(out, document_head, sizeof document_head - 1);
    blocks_preheader(out, o->preheader);
    buf_add(out, document_box, sizeof document_box - 1);
    if (!nodes_run(b, ctx, a, out, err))
        return false;
    buf_add(out, document_foot, sizeof document_foot - 1);
    return true;
}

bool blocks_tree(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **out,
                 struct error *err)
{
    return whole_render(b, ctx, a, out, err);
}
