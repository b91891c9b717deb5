/* Runs a program: writes texts and values, keeps variables, counts work and memory against the limits. */
#include "content/liquid/liquid_private.h"

#include <stdarg.h>
#include <stdio.h>

enum { OUTPUT_MAX = 10 << 20, LOOPS_MAX = 1000000, STEPS_MAX = 10000000, MEMORY_FACTOR = 6, MEMORY_BASE = 1 << 20 };

bool render_fail(struct render *r, const char *fmt, ...)
{
    if (r->failed)
        return false;
    r->failed = true;
    if (!r->err)
        return false;
    va_list ap;
    *r->err = (struct error){.code = ERROR_BAD_INPUT};
    va_start(ap, fmt);
    vsnprintf(r->err->message, sizeof r->err->message, fmt, ap);
    va_end(ap);
    return false;
}

bool render_memory(struct render *r, double n)
{
    if (n > (double)(r->memory_max - r->memory))
        return render_fail(r, "memory alloc limit exceeded");
    if (n > 0)
        r->memory += (size_t)n;
    return !r->failed;
}

/* Steps are counted in sixteenths, so that small work is not free. */
bool render_work(struct render *r, double steps)
{
    if (steps > 1e12)
        steps = 1e12;
    r->steps -= (int64_t)(steps * 16);
    if (r->steps < 0)
        return render_fail(r, "template render limit exceeded");
    return !r->failed;
}

void *render_alloc(struct render *r, size_t n)
{
    render_memory(r, (double)n + 16);
    return arena_alloc_raw(r->arena, n);
}

void slot_push(struct render *r, int32_t slot, struct value v, struct slot_shadow *saved)
{
    *saved = (struct slot_shadow){slot, r->slots[slot].shadow};
    r->slots[slot].shadow = v;
    r->slots[slot].shadows++;
}

void slot_pop(struct render *r, const struct slot_shadow *saved)
{
    r->slots[saved->slot].shadow = saved->saved;
    r->slots[saved->slot].shadows--;
}

static void slot_set(struct render *r, int32_t slot, struct value v)
{
    r->slots[slot].bottom = v;
    r->slots[slot].state = SLOT_SET;
}

/* ---- output ---- */
static bool output_fits(struct render *r, size_t more)
{
    if (r->out->n - r->out_start + more > r->output_max)
        return render_fail(r, "memory alloc limit exceeded");
    return !r->failed;
}

bool render_put(struct render *r, struct str s)
{
    if (!output_fits(r, s.n))
        return false;
    buf_str(r->out, s);
    return true;
}

/* The five characters that Novu's outputEscape knows. */
static bool put_escaped(struct render *r, struct str s)
{
    size_t from = 0;
    if (!output_fits(r, s.n))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *e;
        switch (s.p[i]) {
        case '\\': e = "\\\\"; break;
        case '"': e = "\\\""; break;
        case '\n': e = "\\n"; break;
        case '\r': e = "\\r"; break;
        case '\t': e = "\\t"; break;
        default: continue;
        }
        buf_add(r->out, s.p + from, i - from);
        buf_add(r->out, e, 2);
        from = i + 1;
    }
    buf_add(r->out, s.p + from, s.n - from);
    return output_fits(r, 0);
}

static enum render_how how_now(const struct render *r)
{
    /* What a control captures is still JSON-escaped upstream, and is escaped again when it is printed. */
    return r->how == RENDER_LEAF && r->captures && !r->json_text ? RENDER_JSON : r->how;
}

static void json_place(struct render *r)
{
    for (; r->json_seen < r->out->n; r->json_seen++) {
        char c = r->out->p[r->json_seen];
        r->json_in_string ^= c == '"' && !r->json_escape;
        r->json_escape = r->json_in_string && c == '\\' && !r->json_escape;
    }
}

/* Into a JSON text: in a string it cannot end it, elsewhere it is a value. */
static bool put_json(struct render *r, struct str s)
{
    yyjson_val *v;
    json_place(r);
    if (!s.n)
        return !r->failed;
    if (!r->json_in_string && !json_parse(r->arena, s, &v, NULL))
        return render_fail(r, "outside of quotes an output in JSON must be one JSON value");
    if (!output_fits(r, s.n))
        return false;
    if (r->json_escape)
        buf_char(r->out, '\\');        /* the template's backslash stands for itself, not for what comes */
    if (r->json_in_string)
        json_escape(r->out, s);
    else
        buf_str(r->out, s);
    r->json_seen = r->out->n;
    r->json_escape = false;
    return output_fits(r, 0);
}

static bool put_value(struct render *r, struct value v, bool raw)
{
    enum render_how how = how_now(r);
    char text[NUMBER_TEXT_MAX];
    if (v.kind == V_NUMBER)
        return render_put(r, (struct str){text, number_print(v.number, text)});
    if (v.kind == V_STRING)
        return how == RENDER_JSON && !raw ? put_escaped(r, v.s) : render_put(r, v.s);
    if (value_is_nil(v))
        return !r->failed;
    if (how == RENDER_STOCK || raw || !value_is_object(v))
        return render_put(r, value_to_str(r, v));
    if (!json_print(r, r->out, v, STR_NULL, r->json_text ? JSON_PRINT_REAL : how == RENDER_LEAF ? JSON_PRINT_FLAT : JSON_PRINT_QUOTES))
        return !r->failed;
    return output_fits(r, 0);
}

bool render_put_value(struct render *r, struct value v, bool raw)
{
    struct buf b = {.arena = r->arena}, *outer = r->out;
    size_t start = r->out_start;
    if (!r->json_text || r->captures)
        return put_value(r, v, raw);
    r->out = &b;
    r->out_start = 0;
    bool ok = put_value(r, v, raw);
    r->out = outer;
    r->out_start = start;
    return ok && render_memory(r, (double)b.cap) && put_json(r, buf_get(&b));
}

static bool put_text(struct render *r, struct str s)
{
    if (how_now(r) != RENDER_JSON || r->how != RENDER_LEAF)
        return render_put(r, s);
    if (!output_fits(r, s.n))
        return false;
    json_escape(r->out, s);
    return output_fits(r, 0);
}

static bool last_is_raw(const struct liquid_value *v)
{
    return v->filters_n && filter_is_raw(v->filters[v->filters_n - 1].filter);
}

static bool put_output(struct render *r, const struct liquid_value *v)
{
    struct value x = eval_value(r, v);
    return !r->failed && render_put_value(r, x, last_is_raw(v));
}

/* echo and cycle turn a drop into its value first. */
static bool put_plain(struct render *r, const struct liquid_value *v)
{
    struct value x = value_plain(r, eval_value(r, v));
    return !r->failed && render_put_value(r, x, last_is_raw(v));
}

/* ---- tags ---- */
/* Renders into a text of its own. */
static bool render_captured(struct render *r, const struct nodes *body, struct str *out)
{
    struct buf b = {.arena = r->arena}, *outer = r->out;
    size_t start = r->out_start;
    r->out = &b;
    r->out_start = 0;
    r->captures++;
    bool ok = render_nodes(r, body);
    r->captures--;
    r->out = outer;
    r->out_start = start;
    *out = buf_get(&b);
    return ok && render_memory(r, (double)b.cap);
}

static bool render_branches(struct render *r, const struct node *node)
{
    for (uint32_t i = 0; i < node->branches.n; i++) {
        const struct branch *b = &node->branches.v[i];
        bool truthy = value_is_truthy(eval_value(r, &b->test));
        if (r->failed)
            return false;
        if (truthy != b->negate)
            return render_nodes(r, &b->body);
    }
    return render_nodes(r, &node->branches.otherwise);
}

static bool render_case(struct render *r, const struct node *node)
{
    struct value target = value_plain(r, eval_value(r, &node->branches.target));
    bool hit = false;
    for (uint32_t i = 0; i < node->branches.n && !r->failed; i++) {
        const struct branch *b = &node->branches.v[i];
        for (uint32_t k = 0; k < b->whens_n && render_work(r, 0.25); k++) {
            if (!value_equals(r, target, eval_operand(r, &b->whens[k]), 0))
                continue;
            if (!render_nodes(r, &b->body))
                return false;
            hit = true;
            break;
        }
    }
    return !r->failed && (hit || render_nodes(r, &node->branches.otherwise));
}

static bool render_cycle(struct render *r, const struct node *node)
{
    struct str group = value_to_js(r, eval_operand(r, &node->cycle.group));
    struct cycle *c = r->cycles;
    for (; c && !(str_eq(c->key, node->cycle.key) && str_eq(c->group, group)); c = c->next)
        if (!render_work(r, 0.25))
            return false;
    if (!c) {
        c = render_alloc(r, sizeof *c);
        *c = (struct cycle){group, node->cycle.key, 0, r->cycles};
        r->cycles = c;
    }
    const struct liquid_value *v = &node->cycle.v[c->at % node->cycle.n];
    c->at = (c->at + 1) % node->cycle.n;
    if (r->how != RENDER_STOCK)
        return put_plain(r, v);
    /* liquidjs drops a falsy result of a tag. */
    struct value x = value_plain(r, eval_value(r, v));
    return !r->failed && (!value_js_truthy(x) || render_put_value(r, x, false));
}

static bool render_counter(struct render *r, const struct node *node)
{
    struct str name = node->capture.name;
    struct counter *c = r->counters;
    char text[NUMBER_TEXT_MAX];
    while (c && !str_eq(c->name, name))
        c = c->next;
    if (!c) {
        struct value v = VALUE_UNDEFINED;
        for (size_t i = 0; i < r->c->variables_n; i++)
            if (str_eq(r->c->variables[i].name, name))
                v = value_of_data(r->c->variables[i].value);
        c = render_alloc(r, sizeof *c);
        *c = (struct counter){name, v.kind == V_NUMBER ? v.number : 0, r->counters};
        r->counters = c;
    }
    if (r->slots[node->capture.slot].state == SLOT_ENV)
        r->slots[node->capture.slot].state = SLOT_NEW;
    double shown = node->kind == NODE_INCREMENT ? c->n++ : --c->n;
    return render_put(r, (struct str){text, number_print(shown, text)});
}

static bool render_block(struct render *r, const struct node *node)
{
    struct slot_shadow saved;
    slot_push(r, node->capture.slot, (struct value){.kind = V_BLOCK}, &saved);
    bool ok = render_nodes(r, &node->capture.body);
    slot_pop(r, &saved);
    return ok;
}

static bool file_name(struct render *r, const struct file_arg *f, struct value *name)
{
    *name = VALUE_UNDEFINED;
    if (f->is_template) {
        struct str text, source = r->source;
        r->source = f->operand.value.s;
        bool ok = render_captured(r, &f->name, &text);
        r->source = source;
        if (!ok)
            return false;
        *name = value_str(text);
    } else if (!f->none) {
        *name = eval_operand(r, &f->operand);
    }
    if (value_js_truthy(*name))
        return !r->failed;
    struct str s = value_to_js(r, *name);
    return render_fail(r, "illegal file path \"%.*s\"", STR_ARG(s));
}

/* There are no files: content.md §1.1. */
static bool render_file(struct render *r, const struct node *node)
{
    struct value name;
    if (node->kind == NODE_LAYOUT && node->file.file.none)
        return render_nodes(r, &node->file.body);
    if (!file_name(r, &node->file.file, &name))
        return false;
    if (node->kind == NODE_RENDER && node->file.each.kind != OPERAND_NONE &&
        value_enumerate(r, eval_operand(r, &node->file.each)).n == 0)
        return !r->failed;
    if (name.kind != V_STRING)
        return render_fail(r, "referencedFile.startsWith is not a function");
    return render_fail(r, "ENOENT: Failed to lookup \"%.*s\" in \".\"", (int)(name.s.n > 400 ? 400 : name.s.n), name.s.p);
}

static bool render_node(struct render *r, const struct node *node)
{
    struct str text;
    struct value v;
    switch (node->kind) {
    case NODE_TEXT: return put_text(r, node->text);
    case NODE_OUTPUT: return put_output(r, &node->value);
    case NODE_ECHO: return put_plain(r, &node->value);
    case NODE_IF: case NODE_UNLESS: return render_branches(r, node);
    case NODE_CASE: return render_case(r, node);
    case NODE_FOR: case NODE_TABLEROW: return render_node_loop(r, node);
    case NODE_ASSIGN:
        v = eval_value(r, &node->assign.value);
        slot_set(r, node->assign.slot, v);
        return !r->failed;
    case NODE_CAPTURE:
        if (!render_captured(r, &node->capture.body, &text))
            return false;
        slot_set(r, node->capture.slot, value_str(text));
        return true;
    case NODE_CYCLE: return render_cycle(r, node);
    case NODE_INCREMENT: case NODE_DECREMENT: return render_counter(r, node);
    case NODE_BREAK: r->broke = true; return true;
    case NODE_CONTINUE: r->continued = true; return true;
    case NODE_LIQUID: return render_nodes(r, &node->capture.body);
    case NODE_BLOCK: return render_block(r, node);
    case NODE_LAYOUT: case NODE_INCLUDE: case NODE_RENDER: return render_file(r, node);
    case NODE_NOTHING: return true;
    }
    return true;
}

bool render_nodes(struct render *r, const struct nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->n; i++) {
        const struct node *node = &nodes->v[i];
        if (!render_work(r, 1) || !render_node(r, node)) {
            if (!r->placed && r->err)
                liquid_place(r->source, node->begin, r->err);
            r->placed = true;
            return false;
        }
        if (r->broke || r->continued)
            break;
    }
    return true;
}

static void render_open(struct render *r, const struct liquid_names *names, const struct liquid_context *c, struct arena *a)
{
    *r = (struct render){
        .names = names, .continue_slot = names_find(names, STR("continue")), .c = c, .arena = a,
        .output_max = c->output_max ? c->output_max : OUTPUT_MAX,
        .loops = c->loops_max ? c->loops_max : LOOPS_MAX,
        .steps = (c->steps_max ? c->steps_max : STEPS_MAX) * 16,
        .random = (uint64_t)c->now_ms * 2 + 1,
    };
    r->memory_max = r->output_max * MEMORY_FACTOR + MEMORY_BASE;
    r->slots = ARENA_ARRAY(a, struct slot, names->n);
}

struct render *liquid_open(const struct liquid_names *names, const struct liquid_context *c, struct arena *a)
{
    struct render *r = ARENA_NEW(a, struct render);
    render_open(r, names, c, a);
    return r;
}

bool liquid_render_next(struct render *r, const struct liquid_template *t, struct buf *out, struct error *err)
{
    static const enum render_how hows[] = {
        [LIQUID_PLAIN] = RENDER_PLAIN, [LIQUID_JSON] = RENDER_JSON, [LIQUID_STOCK] = RENDER_STOCK,
    };
    size_t start = out->n;
    r->how = t->leaf ? RENDER_LEAF : hows[r->c->mode];
    r->source = t->source;
    r->halves |= t->halves;
    r->out = out;
    r->out_start = start;
    r->json_text = t->json_text;
    r->json_seen = start;
    r->json_in_string = r->json_escape = false;
    r->err = err;
    r->broke = r->continued = false;
    if (!render_nodes(r, &t->nodes))
        return false;
    if (r->halves && out->n > start) {
        struct str whole = text_join_halves(r->arena, (struct str){out->p + start, out->n - start});
        out->n = start;
        buf_str(out, whole);
    }
    r->output_max -= out->n - start < r->output_max ? out->n - start : r->output_max;
    return true;
}

bool liquid_render(const struct liquid_template *t, const struct liquid_context *c, struct arena *a, struct buf *out,
                   struct error *err)
{
    struct render r;
    render_open(&r, t->names, c, a);
    return liquid_render_next(&r, t, out, err);
}
