/* for and tablerow. */
#include "content/liquid/liquid_private.h"

#include <math.h>

/* What a loop goes over: elements of an array or range, pairs of an object, or one text. */
struct walk {
    struct value collection;
    struct value_array made;        /* elements made for this loop; else walked in place */
    bool is_made, reversed;
    double from, to;                /* part of the collection */
    yyjson_arr_iter it;
    double next;
};

static double to_integer(double x)
{
    return isnan(x) ? 0 : trunc(x);
}

/* The bounds of Array.prototype.slice within [from, to). */
static void slice_from(struct walk *w, double at)
{
    double n = w->to - w->from;
    at = to_integer(at);
    w->from += at < 0 ? fmax(n + at, 0) : fmin(at, n);
}

static void slice_to(struct walk *w, double at)
{
    double n = w->to - w->from;
    at = to_integer(at);
    w->to = w->from + (at < 0 ? fmax(n + at, 0) : fmin(at, n));
}

static bool walk_open(struct render *r, struct value v, struct walk *w)
{
    v = value_plain(r, v);
    *w = (struct walk){.collection = v};
    if (v.kind == V_RANGE) {
        w->to = v.range->n;
    } else if (value_is_array(v)) {
        w->to = (double)array_length(v);
    } else {
        w->made = value_enumerate(r, v);
        w->is_made = true;
        w->to = (double)w->made.n;
    }
    return !r->failed;
}

static bool walk_start(struct render *r, struct walk *w)
{
    if (w->collection.kind == V_DATA_ARRAY) {
        if (w->reversed) {
            w->made = value_elements(r, w->collection);
            w->is_made = true;
            return !r->failed;
        }
        w->it = yyjson_arr_iter_with(w->collection.data);
        for (double i = 0; i < w->from && render_work(r, 0.0625); i++)
            yyjson_arr_iter_next(&w->it);
    } else if (w->collection.kind == V_RANGE) {
        w->next = w->collection.range->low + w->from;
    }
    return !r->failed;
}

static struct value walk_next(struct walk *w, double i)
{
    size_t at = (size_t)(w->reversed ? w->to - 1 - i : w->from + i);
    if (w->is_made)
        return at < w->made.n ? w->made.v[at] : VALUE_UNDEFINED;
    if (w->collection.kind == V_ARRAY)
        return w->collection.array->v[at];
    if (w->collection.kind == V_RANGE)
        return value_number(w->reversed ? w->collection.range->low + (double)at : w->next++);
    return value_of_data(yyjson_arr_iter_next(&w->it));
}

/* An argument of the tag; UNDEFINED if not given. */
static struct value argument(struct render *r, const struct hash_args *args, const char *name)
{
    for (uint32_t i = args->n; i-- > 0;)
        if (str_eqz(args->v[i].name, name))
            return args->v[i].operand.kind == OPERAND_NONE ? value_bool(true) : eval_operand(r, &args->v[i].operand);
    return VALUE_UNDEFINED;
}

static struct loop_end *loop_end_of(struct render *r, const struct node *node)
{
    struct loop_end *e = r->loop_ends;
    for (; e; e = e->next)
        if (!render_work(r, 0.25) || (str_eq(e->variable, node->loop.name) && str_eq(e->text, node->loop.text)))
            return e;
    e = render_alloc(r, sizeof *e);
    *e = (struct loop_end){node->loop.name, node->loop.text, VALUE_UNDEFINED, r->loop_ends};
    return r->loop_ends = e;
}

/* offset, limit, reversed: in this order whatever the template's. `offset: continue` goes on where the last loop over
 * the same text ended; before there was one, liquidjs has an empty object there. */
static bool for_arguments(struct render *r, const struct node *node, struct walk *w)
{
    int32_t slot = r->continue_slot;
    if (!node->loop.args.n && slot < 0)
        return true;
    struct loop_end *end = slot >= 0 ? loop_end_of(r, node) : NULL;
    struct slot_shadow saved;
    if (end) {
        struct value_hash *none = render_alloc(r, sizeof *none);
        *none = (struct value_hash){0};
        slot_push(r, slot, value_js_truthy(end->at) ? end->at : (struct value){.kind = V_HASH, .hash = none}, &saved);
    }
    struct value offset = argument(r, &node->loop.args, "offset"), limit = argument(r, &node->loop.args, "limit");
    w->reversed = argument(r, &node->loop.args, "reversed").kind != V_UNDEFINED;
    if (end)
        slot_pop(r, &saved);
    if (offset.kind != V_UNDEFINED)
        slice_from(w, value_number_js(r, offset));
    if (limit.kind != V_UNDEFINED)
        slice_to(w, value_number_js(r, limit));
    if (end)
        end->at = value_add_js(r, value_js_truthy(offset) ? offset : value_number(0), value_number(w->to - w->from));
    return !r->failed;
}

static bool loop_tick(struct render *r)
{
    return --r->loops >= 0 || render_fail(r, "template render limit exceeded");
}

static bool for_body(struct render *r, const struct node *node, struct walk *w, struct value_loop *loop)
{
    for (double n = loop->length; loop->i < n; loop->i++) {
        r->slots[node->loop.slot].shadow = walk_next(w, loop->i);
        r->broke = r->continued = false;
        if (!loop_tick(r) || !render_nodes(r, &node->loop.body))
            return false;
        if (r->broke)
            break;
    }
    r->broke = r->continued = false;
    return true;
}

static struct value_loop *loop_new(struct render *r, const struct node *node, double length)
{
    struct value_loop *loop = render_alloc(r, sizeof *loop);
    *loop = (struct value_loop){.length = length, .collection = node->loop.text, .variable = node->loop.name};
    return loop;
}

static bool render_for(struct render *r, const struct node *node)
{
    struct walk w;
    struct slot_shadow item, drop;
    if (!walk_open(r, eval_operand(r, &node->loop.collection), &w))
        return false;
    if (w.to == 0)
        return render_nodes(r, &node->loop.otherwise);
    if (!for_arguments(r, node, &w) || !walk_start(r, &w))
        return false;
    struct value_loop *loop = loop_new(r, node, w.to - w.from);
    slot_push(r, node->loop.loop_slot, (struct value){.kind = V_LOOP, .loop = loop}, &drop);
    slot_push(r, node->loop.slot, VALUE_UNDEFINED, &item);
    bool ok = for_body(r, node, &w, loop);
    slot_pop(r, &item);
    slot_pop(r, &drop);
    return ok;
}

static bool table_cell(struct render *r, const struct node *node, const struct value_loop *loop)
{
    char text[NUMBER_TEXT_MAX];
    double col0 = fmod(loop->i, loop->cols), row = floor(loop->i / loop->cols) + 1;
    if (col0 == 0) {
        if (row != 1)
            render_put(r, STR("</tr>"));
        render_put(r, STR("<tr class=\"row"));
        render_put(r, (struct str){text, number_print(row, text)});
        render_put(r, STR("\">"));
    }
    render_put(r, STR("<td class=\"col"));
    render_put(r, (struct str){text, number_print(col0 + 1, text)});
    return render_put(r, STR("\">")) && render_nodes(r, &node->loop.body) && render_put(r, STR("</td>"));
}

static bool tablerow_arguments(struct render *r, const struct node *node, struct walk *w, struct value *cols)
{
    struct value offset = argument(r, &node->loop.args, "offset"), limit = argument(r, &node->loop.args, "limit");
    struct value columns = argument(r, &node->loop.args, "cols");
    if (!value_js_truthy(offset))
        offset = value_number(0);
    if (limit.kind == V_UNDEFINED)
        limit = value_number(w->to);
    double to = to_integer(value_number_js(r, value_add_js(r, offset, limit)));
    double from = to_integer(value_number_js(r, offset)), n = w->to;
    w->from = from < 0 ? fmax(n + from, 0) : fmin(from, n);
    w->to = fmax(to < 0 ? fmax(n + to, 0) : fmin(to, n), w->from);
    *cols = value_js_truthy(columns) ? columns : value_number(w->to - w->from);
    return !r->failed;
}

static bool render_tablerow(struct render *r, const struct node *node)
{
    struct walk w;
    struct slot_shadow item, drop;
    struct value cols;
    if (!walk_open(r, eval_operand(r, &node->loop.collection), &w) || !tablerow_arguments(r, node, &w, &cols) ||
        !walk_start(r, &w))
        return false;
    struct value_loop *loop = loop_new(r, node, w.to - w.from);
    loop->table = true;
    loop->cols = value_number_js(r, cols);
    struct value *given = ARENA_NEW(r->arena, struct value);
    *given = cols;
    loop->cols_given = given;
    slot_push(r, node->loop.loop_slot, (struct value){.kind = V_LOOP, .loop = loop}, &drop);
    slot_push(r, node->loop.slot, VALUE_UNDEFINED, &item);
    bool ok = true;
    for (; ok && loop->i < loop->length; loop->i++) {
        r->slots[node->loop.slot].shadow = walk_next(&w, loop->i);
        ok = loop_tick(r) && table_cell(r, node, loop);
    }
    slot_pop(r, &item);
    slot_pop(r, &drop);
    return ok && (loop->length == 0 || render_put(r, STR("</tr>")));
}

bool render_node_loop(struct render *r, const struct node *node)
{
    return node->kind == NODE_FOR ? render_for(r, node) : render_tablerow(r, node);
}
