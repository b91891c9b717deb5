/* JSON.stringify of values, and Novu's way of printing objects. */
#include "content/liquid/liquid_private.h"

#include <math.h>
#include <stdio.h>

struct printer {
    struct render *r;
    struct buf *b;
    struct str indent;
    enum json_print how;
    size_t charged;
};

void json_escape(struct buf *b, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *e = NULL;
        char code[8];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0xed)
            continue;
        if (c == 0xed) {
            /* Half of a surrogate pair, unless its other half follows. */
            if (i + 2 >= s.n || (unsigned char)s.p[i + 1] < 0xa0)
                continue;
            size_t n;
            uint32_t half = text_decode(s, i, &n);
            bool high = half < 0xdc00 && i + 5 < s.n && (unsigned char)s.p[i + 3] == 0xed && (unsigned char)s.p[i + 4] >= 0xb0;
            if (high) {
                i += 5;
                continue;
            }
            buf_add(b, s.p + from, i - from);
            buf_fmt(b, "\\u%04x", half);
            i += 2;
            from = i + 1;
            continue;
        }
        buf_add(b, s.p + from, i - from);
        from = i + 1;
        switch (c) {
        case '"': e = "\\\""; break;
        case '\\': e = "\\\\"; break;
        case '\n': e = "\\n"; break;
        case '\r': e = "\\r"; break;
        case '\t': e = "\\t"; break;
        case '\b': e = "\\b"; break;
        case '\f': e = "\\f"; break;
        default: snprintf(code, sizeof code, "\\u%04x", c); e = code;
        }
        buf_z(b, e);
    }
    buf_add(b, s.p + from, s.n - from);
}

static void print_string(struct printer *p, struct str s)
{
    size_t at = p->b->n;
    char quote = p->how == JSON_PRINT_REAL ? '"' : '\'';
    buf_char(p->b, quote);
    if (p->how == JSON_PRINT_FLAT)
        buf_str(p->b, s);
    else
        json_escape(p->b, s);
    if (p->how != JSON_PRINT_REAL)
        for (size_t i = at; i < p->b->n; i++)
            if (p->b->p[i] == '"')
                p->b->p[i] = '\'';
    buf_char(p->b, quote);
}

static void print_break(struct printer *p, int depth)
{
    if (!p->indent.n)
        return;
    buf_z(p->b, p->how == JSON_PRINT_QUOTES ? "\\n" : "\n");
    for (int i = 0; i < depth; i++)
        buf_str(p->b, p->indent);
}

static bool charge(struct printer *p)
{
    size_t n = p->b->n;
    bool ok = render_work(p->r, 0.25) && render_memory(p->r, (double)(n - p->charged));
    p->charged = n;
    return ok;
}

static bool print_value(struct printer *p, struct value v, int depth);

static bool print_array(struct printer *p, struct value v, int depth)
{
    struct value_array a = value_elements(p->r, v);
    buf_char(p->b, '[');
    for (size_t i = 0; i < a.n; i++) {
        if (i)
            buf_char(p->b, ',');
        print_break(p, depth + 1);
        struct value e = a.v[i];
        if (e.kind == V_UNDEFINED)
            e.kind = V_NULL;
        if (!print_value(p, e, depth + 1))
            return false;
    }
    if (a.n)
        print_break(p, depth);
    buf_char(p->b, ']');
    return true;
}

static bool print_object(struct printer *p, struct value v, int depth)
{
    struct value_member *m;
    size_t n = object_members(p->r, v, &m), printed = 0;
    buf_char(p->b, '{');
    for (size_t i = 0; i < n; i++) {
        if (m[i].value->kind == V_UNDEFINED)
            continue;
        if (printed++)
            buf_char(p->b, ',');
        print_break(p, depth + 1);
        print_string(p, m[i].key);
        buf_char(p->b, ':');
        if (p->indent.n)
            buf_char(p->b, ' ');
        if (!print_value(p, *m[i].value, depth + 1))
            return false;
    }
    if (printed)
        print_break(p, depth);
    buf_char(p->b, '}');
    return true;
}

static bool print_value(struct printer *p, struct value v, int depth)
{
    char text[NUMBER_TEXT_MAX];
    if (depth > LIQUID_DATA_DEPTH_MAX)
        return render_fail(p->r, "memory alloc limit exceeded");
    switch (v.kind) {
    case V_UNDEFINED: return false;
    case V_NULL: buf_z(p->b, "null"); break;
    case V_BOOL: buf_z(p->b, v.b ? "true" : "false"); break;
    case V_NUMBER:
        if (isfinite(v.number))
            buf_add(p->b, text, number_print(v.number, text));
        else
            buf_z(p->b, "null");
        break;
    case V_STRING: print_string(p, v.s); break;
    case V_DATA_ARRAY: case V_ARRAY: case V_RANGE:
        if (!print_array(p, v, depth))
            return false;
        break;
    default:
        if (!print_object(p, v, depth))
            return false;
    }
    return charge(p);
}

/* Novu replaces quotes and line feeds in all of the text, the indentation too. */
static struct str quoted_indent(struct arena *a, struct str indent)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < indent.n; i++)
        buf_z(&b, indent.p[i] == '"' ? "'" : indent.p[i] == '\n' ? "\\n" : (char[]){indent.p[i], 0});
    return buf_get(&b);
}

bool json_print(struct render *r, struct buf *b, struct value v, struct str indent, enum json_print how)
{
    if (how == JSON_PRINT_QUOTES && indent.n)
        indent = quoted_indent(r->arena, indent);
    struct printer p = {r, b, indent, how, b->n};
    return print_value(&p, v, 0) && !r->failed;
}
