/* libyaml's events as a tree. */
#include "scenario/node.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

struct anchor {
    struct str name;
    const struct node *node;
    size_t weight;                  /* nodes in it, aliases expanded */
};

struct reader {
    struct arena *arena;
    yaml_parser_t yaml;
    struct anchor *anchors;
    size_t anchors_n, anchors_cap, nodes;
    struct error *err;
};

static bool refuse(struct reader *r, yaml_mark_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(struct reader *r, yaml_mark_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str what = str_vfmt(r->arena, fmt, ap);
    va_end(ap);
    return error_set(r->err, ERROR_BAD_INPUT, "%zu:%zu: %.*s", at.line + 1, at.column + 1, (int)(what.n > 300 ? 300 : what.n), what.p);
}

static bool next_event(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->yaml, e))
        return true;
    yaml_mark_t at = r->yaml.problem_mark;
    if (r->yaml.error == YAML_READER_ERROR)     /* about bytes: there is no mark yet */
        at = r->yaml.mark;
    return refuse(r, at, "%s%s%s", r->yaml.problem ? r->yaml.problem : "not YAML", r->yaml.context ? ", " : "",
                  r->yaml.context ? r->yaml.context : "");
}

static bool count(struct reader *r, yaml_mark_t at, size_t more)
{
    if (more > NODES_MAX - r->nodes)
        return refuse(r, at, "More than %d values", NODES_MAX);
    r->nodes += more;
    return true;
}

static struct str text_of(struct reader *r, const yaml_char_t *p, size_t n)
{
    return str_dup(r->arena, (struct str){(const char *)p, n});
}

static bool value_read(struct reader *r, yaml_event_t *e, int depth, struct node *out);

static bool list_read(struct reader *r, int depth, struct node *out)
{
    const struct node **last = &out->first;
    for (;;) {
        yaml_event_t e;
        if (!next_event(r, &e))
            return false;
        struct node *n = ARENA_NEW(r->arena, struct node);
        bool end = e.type == YAML_SEQUENCE_END_EVENT, ok = end || value_read(r, &e, depth + 1, n);
        yaml_event_delete(&e);
        if (end || !ok)
            return ok;
        *last = n;
        last = &n->next;
    }
}

/* Each key is compared with those before it: that is why there is a limit. */
static bool key_read(struct reader *r, const yaml_event_t *e, const struct node *map, struct node *member)
{
    int before = 0;
    yaml_mark_t at = e->start_mark;
    if (e->type != YAML_SCALAR_EVENT)
        return refuse(r, at, "A key must be a text");
    member->key = text_of(r, e->data.scalar.value, e->data.scalar.length);
    member->line = (int)at.line + 1;
    member->column = (int)at.column + 1;
    if (str_eqz(member->key, "<<") && e->data.scalar.plain_implicit)
        return refuse(r, at, "Merge keys are not understood");
    if (memchr(member->key.p, 0, member->key.n))
        return refuse(r, at, "A key must not have a NUL");
    for (const struct node *m = map->first; m; m = m->next, before++)
        if (str_eq(m->key, member->key))
            return refuse(r, at, "'%.*s' is here a second time", (int)(member->key.n > 100 ? 100 : member->key.n), member->key.p);
    return before < NODE_KEYS_MAX || refuse(r, at, "More than %d keys in one mapping", NODE_KEYS_MAX);
}

static bool map_read(struct reader *r, int depth, struct node *out)
{
    const struct node **last = &out->first;
    for (;;) {
        yaml_event_t e;
        if (!next_event(r, &e))
            return false;
        struct node *n = ARENA_NEW(r->arena, struct node);
        bool end = e.type == YAML_MAPPING_END_EVENT, ok = end || key_read(r, &e, out, n);
        yaml_event_delete(&e);
        if (end || !ok || !next_event(r, &e))
            return end && ok;
        ok = value_read(r, &e, depth + 1, n);
        yaml_event_delete(&e);
        if (!ok)
            return false;
        *last = n;
        last = &n->next;
    }
}

static bool alias_read(struct reader *r, const yaml_event_t *e, struct node *out)
{
    struct str name = str_of((const char *)e->data.alias.anchor);
    for (size_t i = r->anchors_n; i-- > 0;)
        if (str_eq(r->anchors[i].name, name)) {
            const struct node *n = r->anchors[i].node;
            out->kind = n->kind;
            out->text = n->text;
            out->plain = n->plain;
            out->first = n->first;
            return count(r, e->start_mark, r->anchors[i].weight);
        }
    return refuse(r, e->start_mark, "There is no anchor '%.100s' above", name.p);
}

/* An anchor is known once its value is complete: nothing can contain itself. */
static void anchor_keep(struct reader *r, const yaml_char_t *name, const struct node *n, size_t weight)
{
    if (name)
        *ARENA_SLOT(r->arena, r->anchors, r->anchors_n, r->anchors_cap) =
            (struct anchor){str_dup(r->arena, str_of((const char *)name)), n, weight};
}

static bool scalar_read(struct reader *r, const yaml_event_t *e, struct node *out)
{
    out->kind = NODE_SCALAR;
    out->text = text_of(r, e->data.scalar.value, e->data.scalar.length);
    out->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return !e->data.scalar.tag || refuse(r, e->start_mark, "Tags are not understood");
}

/* The event is the value's first; its members are read on. */
static bool value_read(struct reader *r, yaml_event_t *e, int depth, struct node *out)
{
    size_t before = r->nodes;
    if (!out->line) {
        out->line = (int)e->start_mark.line + 1;
        out->column = (int)e->start_mark.column + 1;
    }
    if (depth > NODE_DEPTH_MAX)
        return refuse(r, e->start_mark, "More than %d levels", NODE_DEPTH_MAX);
    if (!count(r, e->start_mark, 1))
        return false;
    if (e->type == YAML_ALIAS_EVENT)
        return alias_read(r, e, out);
    if (e->type == YAML_SCALAR_EVENT) {
        anchor_keep(r, e->data.scalar.anchor, out, 1);
        return scalar_read(r, e, out);
    }
    bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
    if (is_list ? e->data.sequence_start.tag : e->data.mapping_start.tag)
        return refuse(r, e->start_mark, "Tags are not understood");
    out->kind = is_list ? NODE_LIST : NODE_MAP;
    if (!(is_list ? list_read(r, depth, out) : map_read(r, depth, out)))
        return false;
    anchor_keep(r, is_list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor, out, r->nodes - before);
    return true;
}

static bool documents_read(struct reader *r, const struct node **first)
{
    const struct node **last = first;
    *first = NULL;
    for (;;) {
        yaml_event_t e;
        if (!next_event(r, &e))
            return false;
        yaml_event_type_t type = e.type;
        bool ok = true;
        if (type == YAML_ALIAS_EVENT || type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT
            || type == YAML_MAPPING_START_EVENT) {
            struct node *n = ARENA_NEW(r->arena, struct node);
            ok = value_read(r, &e, 1, n);
            *last = n;
            last = &n->next;
        } else if (type == YAML_DOCUMENT_START_EVENT) {
            r->anchors_n = 0;
        }
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT || !ok)
            return ok;
    }
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static bool json_check(struct arena *a, struct str text, struct error *err)
{
    yyjson_read_err e;
    char *copy = str_z(a, text);
    yyjson_doc *doc = yyjson_read_opts(copy, text.n, 0, NULL, &e);
    if (doc) {
        yyjson_doc_free(doc);
        return true;
    }
    size_t line = 1, column = 1;
    for (size_t i = 0; i < e.pos && i < text.n; i++) {
        column = text.p[i] == '\n' ? 1 : column + 1;
        line += text.p[i] == '\n';
    }
    return error_set(err, ERROR_BAD_INPUT, "%zu:%zu: not JSON: %s", line, column, e.msg);
}

static int hex4(const char *p)
{
    char four[5] = {p[0], p[1], p[2], p[3], 0};
    return (int)strtol(four, NULL, 16);
}

/* YAML writes as \U0001F600 what JSON writes as two surrogates. The text is JSON: every \u has its four digits. */
static struct str surrogates_join(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\' || i + 1 == s.n) {
            buf_char(&b, s.p[i]);
        } else if (s.p[i + 1] != 'u' || i + 12 > s.n || (hex4(s.p + i + 2) & 0xFC00) != 0xD800) {
            buf_add(&b, s.p + i++, 2);
        } else {
            buf_fmt(&b, "\\U%08X", 0x10000 + ((hex4(s.p + i + 2) & 0x3FF) << 10) + (hex4(s.p + i + 8) & 0x3FF));
            i += 11;
        }
    }
    return buf_finish(&b);
}

bool node_parse(struct arena *a, struct str text, bool is_json, const struct node **first, struct error *err)
{
    struct reader r = {.arena = a, .err = err};
    *first = NULL;
    if (is_json && !json_check(a, text, err))
        return false;
    if (is_json)
        text = surrogates_join(a, text);
    if (!yaml_parser_initialize(&r.yaml))
        return error_set(err, ERROR_INTERNAL, "1:1: libyaml could not be started");
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)(text.n ? text.p : ""), text.n);
    bool ok = documents_read(&r, first);
    yaml_parser_delete(&r.yaml);
    return ok;
}

/* --- reading the tree --------------------------------------------------------------------------------------------- */

const struct node *node_get(const struct node *n, const char *key)
{
    for (const struct node *m = n && n->kind == NODE_MAP ? n->first : NULL; m; m = m->next)
        if (str_eqz(m->key, key))
            return m;
    return NULL;
}

struct str node_text(const struct node *n)
{
    return n && n->kind == NODE_SCALAR ? n->text : STR_NULL;
}

size_t node_length(const struct node *n)
{
    size_t k = 0;
    for (const struct node *m = n && n->kind != NODE_SCALAR ? n->first : NULL; m; m = m->next)
        k++;
    return k;
}

static bool is_word(const struct node *n, const char *const *words)
{
    for (; *words; words++)
        if (str_eqz(n->text, *words))
            return true;
    return false;
}

bool node_is_null(const struct node *n)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    return n->kind == NODE_SCALAR && n->plain && is_word(n, nulls);
}

/* Digits of JSON's numbers, also with a plus and with zeros before them. */
static bool number_form(struct str s, bool *integer)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), digits = 0;
    *integer = true;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        digits++;
    if (i < s.n && s.p[i] == '.') {
        *integer = false;
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            digits++;
    }
    if (!digits)
        return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        *integer = false;
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t from = i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
        if (i == from)
            return false;
    }
    return i == s.n;
}

static yyjson_mut_val *plain_json(yyjson_mut_doc *d, const struct node *n)
{
    static const char *const trues[] = {"true", "True", "TRUE", NULL}, *const falses[] = {"false", "False", "FALSE", NULL};
    bool integer;
    if (node_is_null(n))
        return yyjson_mut_null(d);
    if (is_word(n, trues) || is_word(n, falses))
        return yyjson_mut_bool(d, is_word(n, trues));
    if (!number_form(n->text, &integer))
        return json_mut_str(d, n->text);
    errno = 0;
    long long whole = integer ? strtoll(n->text.p, NULL, 10) : 0;
    if (integer && !errno)
        return yyjson_mut_sint(d, whole);
    double x = strtod(n->text.p, NULL);
    return isfinite(x) ? yyjson_mut_real(d, x) : json_mut_str(d, n->text);
}

yyjson_mut_val *node_json(yyjson_mut_doc *d, const struct node *n)
{
    yyjson_mut_val *v;
    if (n->kind == NODE_SCALAR)
        return n->plain ? plain_json(d, n) : json_mut_str(d, n->text);
    v = n->kind == NODE_LIST ? yyjson_mut_arr(d) : yyjson_mut_obj(d);
    for (const struct node *m = n->first; m; m = m->next) {
        if (n->kind == NODE_LIST)
            yyjson_mut_arr_append(v, node_json(d, m));
        else
            yyjson_mut_obj_add(v, json_mut_str(d, m->key), node_json(d, m));
    }
    return v;
}

struct str node_json_text(struct arena *a, const struct node *n)
{
    return json_write_mut(a, node_json(json_doc(a), n));
}
