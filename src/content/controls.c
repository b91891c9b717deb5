/* Compiles control values into a tree of templates, one a string, and renders that tree.
 *
 * Upstream renders the JSON text of all controls as one template. Rendering each leaf by itself gives the same, and
 * cannot break the JSON; the leaves share their variables, as parts of one template do. The text is rendered as a
 * whole only where the difference shows: tags that open in one leaf and close in another, and the filter `raw`, which
 * writes into the JSON unescaped (content.md §1.4).
 */
#include "content/controls.h"

#include "content/json_repair.h"
#include "content/liquid/liquid_private.h"
#include "content/translation_keys.h"

#include <math.h>

enum control_kind { CONTROL_VALUE, CONTROL_TEMPLATE, CONTROL_OBJECT, CONTROL_ARRAY, CONTROL_LIFTED, CONTROL_BARE };

struct control;
struct control_member { struct str key; yyjson_val *given; struct liquid_template *key_template; struct control *value; };

struct control {
    enum control_kind kind;
    bool is_static;                     /* nothing in it to render */
    yyjson_val *value;                  /* as given; for LIFTED: the parsed text */
    struct str bare;                    /* for BARE: the template that stands for a JSON value */
    struct liquid_template *t;
    struct control_member *members;     /* of objects; array elements have no key; LIFTED has one */
    size_t n;
};

struct controls {
    struct control *root;
    struct liquid_names names;
    struct liquid_template *whole;      /* of the JSON text, when leaves alone do not do */
    bool failed;
    struct error err;
};

struct compiler {
    struct arena *a;
    struct controls *c;
    bool leaf_failed, raw_filter;
    bool request, in_body, in_marked;   /* of an http_request; its body; one with templates for values */
    int depth;
};

/* ---- JSON text ---- */
static void put_number(struct buf *b, yyjson_val *v)
{
    char text[NUMBER_TEXT_MAX];
    double n = yyjson_get_num(v);
    if (isfinite(n))
        buf_add(b, text, number_print(n, text));
    else
        buf_z(b, "null");
}

static void put_string(struct buf *b, struct str s)
{
    buf_char(b, '"');
    json_escape(b, s);
    buf_char(b, '"');
}

static bool is_text_index(struct str key)
{
    int64_t n;
    return key.n && key.n <= 10 && !(key.p[0] == '0' && key.n > 1) && key.p[0] != '-' && str_to_i64(key, &n) && n < 4294967295;
}

/* JSON.stringify of a tree without templates, or, with `source`, of the tree as it was given. */
static void put_control(struct buf *b, const struct control *c, bool source)
{
    switch (c->kind) {
    case CONTROL_OBJECT: case CONTROL_ARRAY:
        buf_char(b, c->kind == CONTROL_OBJECT ? '{' : '[');
        for (size_t i = 0; i < c->n; i++) {
            if (i)
                buf_char(b, ',');
            if (c->kind == CONTROL_OBJECT) {
                put_string(b, c->members[i].key);
                buf_char(b, ':');
            }
            put_control(b, c->members[i].value, source);
        }
        buf_char(b, c->kind == CONTROL_OBJECT ? '}' : ']');
        break;
    case CONTROL_LIFTED:
        if (source) {
            buf_z(b, "{\"__novuJsonString\":true,\"value\":");
            put_control(b, c->members[0].value, source);
            buf_char(b, '}');
        } else {
            struct buf inner = {.arena = b->arena};
            put_control(&inner, c->members[0].value, false);
            put_string(b, buf_get(&inner));
        }
        break;
    case CONTROL_BARE:
        buf_str(b, c->bare);
        break;
    default:
        if (yyjson_is_str(c->value))
            put_string(b, json_str(c->value));
        else if (yyjson_is_num(c->value))
            put_number(b, c->value);
        else
            buf_z(b, yyjson_is_true(c->value) ? "true" : yyjson_is_false(c->value) ? "false" : "null");
    }
}

/* ---- compiling ---- */
static struct liquid_template *compile_text(struct compiler *k, struct str s)
{
    if (str_find(s, STR("{{")) < 0 && str_find(s, STR("{%")) < 0)
        return NULL;
    struct liquid_template *t = liquid_parse_leaf(k->a, translation_keys_protect(k->a, s), &k->c->names, &k->c->err);
    k->leaf_failed |= !t;
    k->raw_filter |= t && t->raw_filter;
    return t;
}

static struct control *compile(struct compiler *k, yyjson_val *v);

/* A string that holds a JSON object or array is templated inside. */
static bool looks_like_json(struct str s)
{
    s = text_trim_end(text_trim_start(s));
    return s.n > 2 && ((s.p[0] == '{' && s.p[s.n - 1] == '}') || (s.p[0] == '[' && s.p[s.n - 1] == ']'));
}

#define MARK "\xee\x80\x80"             /* U+E000, of private use: the string stands for a value */

/* Where the tag ends that begins there; 0: none does. */
static size_t tag_end(struct str s, size_t at)
{
    char quote = 0;
    if (at + 4 > s.n || s.p[at] != '{' || (s.p[at + 1] != '{' && s.p[at + 1] != '%'))
        return 0;
    char close = s.p[at + 1] == '{' ? '}' : '%';
    for (size_t i = at + 2; i + 1 < s.n; i++) {
        char c = s.p[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == close && s.p[i + 1] == '}')
            return i + 2;
    }
    return 0;
}

/* In a string a tag's own quotes do not end it. */
static void put_tag(struct buf *b, struct str tag)
{
    for (size_t i = 0; i < tag.n; i++) {
        if (tag.p[i] == '"' && tag.p[i - 1] != '\\')
            buf_char(b, '\\');
        buf_char(b, tag.p[i]);
    }
}

/* Text that would be JSON if templates were values ({"n": {{payload.n}}}), with these as marked strings. false: it is none. */
static bool parse_marked(struct compiler *k, struct str s, yyjson_val **out)
{
    struct buf b = {.arena = k->a};
    bool in_string = false;
    for (size_t i = 0; i < s.n;) {
        size_t end = tag_end(s, i);
        struct str tag = {s.p + i, end - i};
        if (end && in_string) {
            put_tag(&b, tag);
        } else if (end) {
            buf_z(&b, "\"" MARK);
            json_escape(&b, tag);
            buf_char(&b, '"');
        } else {
            bool escape = in_string && s.p[i] == '\\' && i + 1 < s.n;
            in_string ^= s.p[i] == '"';
            end = i + (escape ? 2 : 1);
            buf_str(&b, (struct str){s.p + i, end - i});
        }
        i = end;
    }
    return json_parse(k->a, buf_get(&b), out, NULL) && yyjson_is_ctn(*out);
}

/* Text that is JSON whatever its templates make of it ({"n": {% if … %}1{% else %}2{% endif %}}): without them, it begins and
 * ends as an object or a list. */
static bool is_json_template(struct compiler *k, struct str s)
{
    struct buf b = {.arena = k->a};
    for (size_t i = 0; i < s.n;) {
        size_t end = tag_end(s, i);
        buf_char(&b, end ? ' ' : s.p[i]);
        i = end ? end : i + 1;
    }
    return looks_like_json(buf_get(&b));
}

static struct control *compile_lifted(struct compiler *k, struct control *c, yyjson_val *parsed, bool marked)
{
    bool outside = k->in_marked;
    k->in_marked |= marked;
    c->kind = CONTROL_LIFTED;
    c->n = 1;
    c->members = ARENA_NEW(k->a, struct control_member);
    c->members[0].value = compile(k, parsed);
    c->is_static = c->members[0].value->is_static;
    k->in_marked = outside;
    return c;
}

static struct control *compile_string(struct compiler *k, yyjson_val *v)
{
    struct control *c = ARENA_NEW(k->a, struct control);
    struct str s = json_str(v);
    yyjson_val *parsed;
    c->value = v;
    if (k->depth < JSON_DEPTH_MAX && looks_like_json(s)) {
        if (json_parse(k->a, s, &parsed, NULL))
            return compile_lifted(k, c, parsed, false);
        if (k->in_body && k->depth == 2 && parse_marked(k, s, &parsed))
            return compile_lifted(k, c, parsed, true);
    }
    if (k->in_marked && str_find(s, STR(MARK)) == 0) {
        c->kind = CONTROL_BARE;
        c->bare = (struct str){s.p + strlen(MARK), s.n - strlen(MARK)};
        c->t = compile_text(k, c->bare);
        return c;
    }
    c->t = compile_text(k, s);
    if (c->t && k->in_body && k->depth == 2)
        c->t->json_text = is_json_template(k, s);
    c->kind = c->t ? CONTROL_TEMPLATE : CONTROL_VALUE;
    c->is_static = !c->t && !k->leaf_failed && str_find(s, STR("[T:")) < 0 && str_find(s, STR("'t.")) < 0;
    return c;
}

/* Keys that are array indices come first in JavaScript, in their order. */
static void order_members(struct control_member *m, size_t n)
{
    size_t indices = 0;
    for (size_t i = 0; i < n && indices < 1000; i++) {
        struct control_member x = m[i];
        if (!is_text_index(x.key))
            continue;
        size_t at = indices++;
        while (at > 0 && (m[at - 1].key.n > x.key.n || (m[at - 1].key.n == x.key.n && memcmp(m[at - 1].key.p, x.key.p, x.key.n) > 0)))
            at--;
        memmove(m + at + 1, m + at, (i - at) * sizeof *m);
        m[at] = x;
    }
}

static struct control *compile_object(struct compiler *k, yyjson_val *v)
{
    struct control *c = ARENA_NEW(k->a, struct control);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    yyjson_val *key;
    *c = (struct control){.kind = CONTROL_OBJECT, .is_static = true, .value = v, .n = yyjson_obj_size(v)};
    c->members = ARENA_ARRAY(k->a, struct control_member, c->n);
    for (size_t i = 0; (key = yyjson_obj_iter_next(&it)); i++) {
        c->members[i].key = json_str(key);
        c->members[i].given = yyjson_obj_iter_get_val(key);
    }
    order_members(c->members, c->n);
    for (size_t i = 0; i < c->n; i++) {
        struct control_member *m = &c->members[i];
        m->key_template = compile_text(k, m->key);
        k->in_body |= k->request && k->depth == 1 && str_eq(m->key, STR("body"));
        m->value = compile(k, m->given);
        k->in_body &= k->depth > 1;
        c->is_static &= !m->key_template && m->value->is_static;
    }
    return c;
}

static struct control *compile_array(struct compiler *k, yyjson_val *v)
{
    struct control *c = ARENA_NEW(k->a, struct control);
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    yyjson_val *e;
    *c = (struct control){.kind = CONTROL_ARRAY, .is_static = true, .value = v, .n = yyjson_arr_size(v)};
    c->members = ARENA_ARRAY(k->a, struct control_member, c->n);
    for (size_t i = 0; (e = yyjson_arr_iter_next(&it)); i++) {
        c->members[i].value = compile(k, e);
        c->is_static &= c->members[i].value->is_static;
    }
    return c;
}

static struct control *compile(struct compiler *k, yyjson_val *v)
{
    struct control *c;
    k->depth++;
    if (yyjson_is_str(v)) {
        c = compile_string(k, v);
    } else if (yyjson_is_obj(v)) {
        c = compile_object(k, v);
    } else if (yyjson_is_arr(v)) {
        c = compile_array(k, v);
    } else {
        c = ARENA_NEW(k->a, struct control);
        *c = (struct control){.is_static = true, .value = v};
    }
    k->depth--;
    return c;
}

static struct liquid_template *parse_whole(const struct controls *c, struct arena *a, struct error *err)
{
    struct buf b = {.arena = a};
    put_control(&b, c->root, true);
    return liquid_parse(a, translation_keys_protect(a, buf_get(&b)), err);
}

static struct controls *controls_make(struct arena *a, yyjson_val *values, bool request)
{
    struct controls *c = ARENA_NEW(a, struct controls);
    struct compiler k = {.a = a, .c = c, .request = request};
    struct error err = {0};
    c->root = compile(&k, values);
    if (!k.leaf_failed && !k.raw_filter)
        return c;
    c->whole = parse_whole(c, a, &err);
    /* The error's place is one in the text of all controls, as upstream reports it. */
    c->failed = k.leaf_failed && !c->whole;
    if (c->failed)
        c->err = err;
    return c;
}

struct controls *controls_compile(struct arena *a, yyjson_val *values)
{
    return controls_make(a, values, false);
}

struct controls *controls_compile_request(struct arena *a, yyjson_val *values)
{
    return controls_make(a, values, true);
}

bool controls_are_static(const struct controls *c)
{
    return c->root->is_static && !c->whole && !c->failed;
}

/* ---- rendering ---- */
struct rendering {
    struct arena *a;
    yyjson_mut_doc *d;
    struct render *r;
    struct error *err;
};

static yyjson_mut_val *new_string(yyjson_mut_doc *d, struct str s)
{
    return s.n ? yyjson_mut_strn(d, s.p, s.n) : yyjson_mut_str(d, "");
}

static bool render_text(struct rendering *x, const struct liquid_template *t, struct str s, struct str *out)
{
    struct buf b = {.arena = x->a};
    if (!t) {
        *out = translation_keys_restore(x->a, translation_keys_protect(x->a, s));
        return true;
    }
    if (!liquid_render_next(x->r, t, &b, x->err))
        return false;
    *out = translation_keys_restore(x->a, str_solid(buf_get(&b)));
    return true;
}

/* JSON.stringify of what was rendered. */
static void put_rendered(struct buf *b, yyjson_mut_val *v)
{
    yyjson_mut_arr_iter elements;
    yyjson_mut_obj_iter members;
    yyjson_mut_val *e;
    size_t i = 0;
    char text[NUMBER_TEXT_MAX];
    if (yyjson_mut_is_obj(v)) {
        buf_char(b, '{');
        for (members = yyjson_mut_obj_iter_with(v); (e = yyjson_mut_obj_iter_next(&members)); i++) {
            if (i)
                buf_char(b, ',');
            put_string(b, (struct str){yyjson_mut_get_str(e), yyjson_mut_get_len(e)});
            buf_char(b, ':');
            put_rendered(b, yyjson_mut_obj_iter_get_val(e));
        }
        buf_char(b, '}');
    } else if (yyjson_mut_is_arr(v)) {
        buf_char(b, '[');
        for (elements = yyjson_mut_arr_iter_with(v); (e = yyjson_mut_arr_iter_next(&elements)); i++) {
            if (i)
                buf_char(b, ',');
            put_rendered(b, e);
        }
        buf_char(b, ']');
    } else if (yyjson_mut_is_str(v)) {
        put_string(b, (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)});
    } else if (yyjson_mut_is_num(v)) {
        buf_add(b, text, number_print(yyjson_mut_get_num(v), text));
    } else {
        buf_z(b, yyjson_mut_is_true(v) ? "true" : yyjson_mut_is_false(v) ? "false" : "null");
    }
}

static bool render_control(struct rendering *x, const struct control *c, yyjson_mut_val **out);

static bool render_object(struct rendering *x, const struct control *c, yyjson_mut_val **out)
{
    *out = yyjson_mut_obj(x->d);
    for (size_t i = 0; i < c->n; i++) {
        const struct control_member *m = &c->members[i];
        struct str key = m->key;
        yyjson_mut_val *value;
        if ((m->key_template && !render_text(x, m->key_template, m->key, &key)) || !render_control(x, m->value, &value))
            return false;
        /* A rendered key may equal another: the last value counts. */
        if (m->key_template)
            yyjson_mut_obj_put(*out, new_string(x->d, key), value);
        else
            yyjson_mut_obj_add(*out, new_string(x->d, key), value);
    }
    return true;
}

static bool render_array(struct rendering *x, const struct control *c, yyjson_mut_val **out)
{
    *out = yyjson_mut_arr(x->d);
    for (size_t i = 0; i < c->n; i++) {
        yyjson_mut_val *value;
        if (!render_control(x, c->members[i].value, &value))
            return false;
        yyjson_mut_arr_append(*out, value);
    }
    return true;
}

static bool render_lifted(struct rendering *x, const struct control *c, yyjson_mut_val **out)
{
    struct buf b = {.arena = x->a};
    if (c->is_static) {
        put_control(&b, c->members[0].value, false);
    } else {
        yyjson_mut_val *inner;
        if (!render_control(x, c->members[0].value, &inner))
            return false;
        put_rendered(&b, inner);
    }
    *out = new_string(x->d, buf_get(&b));
    return true;
}

/* One JSON value, and no more than one. Objects and lists are printed with single quotes (content.md §1.4). */
static bool render_bare(struct rendering *x, const struct control *c, yyjson_mut_val **out)
{
    struct str s, repaired;
    yyjson_val *v;
    if (!render_text(x, c->t, c->bare, &s))
        return false;
    if (!json_parse(x->a, s, &v, x->err)
        && (!looks_like_json(s) || !json_repair(x->a, s, &repaired, NULL) || !json_parse(x->a, repaired, &v, x->err)))
        return false;
    *out = yyjson_val_mut_copy(x->d, v);
    return true;
}

static bool render_control(struct rendering *x, const struct control *c, yyjson_mut_val **out)
{
    struct str s;
    switch (c->kind) {
    case CONTROL_BARE: return render_bare(x, c, out);
    case CONTROL_OBJECT: return render_object(x, c, out);
    case CONTROL_ARRAY: return render_array(x, c, out);
    case CONTROL_LIFTED: return render_lifted(x, c, out);
    case CONTROL_VALUE:
        if (c->is_static || !yyjson_is_str(c->value)) {
            *out = yyjson_val_mut_copy(x->d, c->value);
            return true;
        }
        break;
    default: break;
    }
    if (!render_text(x, c->t, json_str(c->value), &s))
        return false;
    *out = new_string(x->d, s);
    return true;
}

/* Undoes the lifting in what was rendered as a whole. */
static yyjson_mut_val *unlift(struct arena *a, yyjson_mut_doc *d, yyjson_val *v)
{
    if (yyjson_is_obj(v) && yyjson_is_true(json_get(v, "__novuJsonString"))) {
        struct buf b = {.arena = a};
        put_rendered(&b, unlift(a, d, json_get(v, "value")));
        return new_string(d, buf_get(&b));
    }
    if (yyjson_is_obj(v)) {
        yyjson_mut_val *out = yyjson_mut_obj(d), *key;
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        for (yyjson_val *k; (k = yyjson_obj_iter_next(&it));) {
            key = yyjson_val_mut_copy(d, k);
            yyjson_mut_obj_put(out, key, unlift(a, d, yyjson_obj_iter_get_val(k)));
        }
        return out;
    }
    if (yyjson_is_arr(v)) {
        yyjson_mut_val *out = yyjson_mut_arr(d);
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        for (yyjson_val *e; (e = yyjson_arr_iter_next(&it));)
            yyjson_mut_arr_append(out, unlift(a, d, e));
        return out;
    }
    return v ? yyjson_val_mut_copy(d, v) : yyjson_mut_null(d);
}

static bool render_whole(const struct liquid_template *t, const struct liquid_context *ctx, struct arena *a, yyjson_mut_doc *d,
                         yyjson_mut_val **out, struct error *err)
{
    struct liquid_context c = *ctx;
    struct buf b = {.arena = a};
    struct str repaired;
    yyjson_val *root;
    c.mode = LIQUID_JSON;
    if (!liquid_render(t, &c, a, &b, err))
        return false;
    struct str text = translation_keys_restore(a, buf_get(&b));
    if (!json_parse(a, text, &root, NULL) && (!json_repair(a, text, &repaired, err) || !json_parse(a, repaired, &root, err)))
        return false;
    *out = unlift(a, d, root);
    return true;
}

/* In controls.data, text that looks like JSON but is none is repaired; arrays are left alone. */
static void repair_data(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *data, int depth)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(data);
    for (yyjson_mut_val *k; depth < JSON_DEPTH_MAX && (k = yyjson_mut_obj_iter_next(&it));) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k);
        struct str s = {yyjson_mut_get_str(v), yyjson_mut_get_len(v)}, repaired;
        yyjson_val *parsed;
        if (yyjson_mut_is_obj(v))
            repair_data(a, d, v, depth + 1);
        else if (yyjson_mut_is_str(v) && looks_like_json(s) && !json_parse(a, s, &parsed, NULL) && json_repair(a, s, &repaired, NULL))
            yyjson_mut_set_strn(v, repaired.p, repaired.n);
    }
}

bool controls_render(const struct controls *c, const struct liquid_context *ctx, struct arena *a, yyjson_mut_doc *d,
                     yyjson_mut_val **out, struct error *err)
{
    struct liquid_context plain = *ctx;
    if (c->failed) {
        if (err)
            *err = c->err;
        return false;
    }
    if (c->whole) {
        if (!render_whole(c->whole, ctx, a, d, out, err))
            return false;
    } else {
        plain.mode = LIQUID_PLAIN;
        struct rendering x = {a, d, liquid_open(&c->names, &plain, a), err};
        if (!render_control(&x, c->root, out)) {
            /* For the error's place in the whole text; should it succeed, the leaf's own error stands. */
            struct liquid_template *whole = parse_whole(c, a, NULL);
            if (whole)
                render_whole(whole, ctx, a, d, out, err);
            return false;
        }
    }
    yyjson_mut_val *data = yyjson_mut_is_obj(*out) ? yyjson_mut_obj_get(*out, "data") : NULL;
    if (yyjson_mut_is_obj(data))
        repair_data(a, d, data, 0);
    return true;
}
