/* Finds {{t.key}} in texts and puts the translation there. */
#include "content/translate.h"

/* The next {{ t.key }} of s at or behind `from`. */
struct found {
    size_t start, end;          /* of the whole expression */
    struct str key;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool find_next(struct str s, size_t from, struct found *f)
{
    for (; from + 6 < s.n; from++) {
        ptrdiff_t open = str_find((struct str){s.p + from, s.n - from}, STR("{{"));
        if (open < 0)
            return false;
        from += (size_t)open;
        size_t i = from + 2;
        while (i < s.n && is_blank(s.p[i]))
            i++;
        if (i + 1 >= s.n || (s.p[i] != 't' && s.p[i] != 'T') || s.p[i + 1] != '.')
            continue;
        size_t key = i += 2;
        while (i < s.n && s.p[i] != '}')
            i++;
        if (i + 1 >= s.n || s.p[i + 1] != '}' || i == key)
            continue;
        *f = (struct found){from, i + 2, str_trim((struct str){s.p + key, i - key})};
        if (f->key.n)
            return true;
    }
    return false;
}

/* A text, number or bool; NULL: the key has none. A key with dots may be one name, or a path. */
static yyjson_val *value_in(yyjson_val *content, struct str key)
{
    yyjson_val *v = json_getn(content, key);
    if (!v)
        v = json_path(content, key);
    return yyjson_is_str(v) || yyjson_is_num(v) || yyjson_is_bool(v) ? v : NULL;
}

static yyjson_val *value_of(const struct reader_texts *t, struct str key)
{
    yyjson_val *v = value_in(t->chosen, key);
    return v ? v : value_in(t->standard, key);
}

bool translate_wants(struct str text)
{
    struct found f;
    return find_next(text, 0, &f);
}

/* A text's own Liquid, with the step's variables. */
static bool add_value(const struct translator *t, struct arena *a, struct str key, struct str value, struct buf *out, struct error *err)
{
    struct liquid_context c = *t->variables;
    c.mode = LIQUID_PLAIN;
    struct liquid_template *program = liquid_parse(a, value, err);
    if (program && liquid_render(program, &c, a, out, err))
        return true;
    struct error why = *err;
    return error_set(err, ERROR_BAD_INPUT, "Translation of \"%.*s\" failed: %.300s", (int)(key.n > 100 ? 100 : key.n), key.p,
                     why.message);
}

static bool add_translation(const struct translator *t, struct arena *a, struct str key, struct buf *out, struct error *err)
{
    yyjson_val *v = value_of(&t->texts, key);
    if (yyjson_is_str(v))
        return add_value(t, a, key, json_str(v), out, err);
    if (v)
        buf_str(out, json_write(a, v));
    else
        buf_fmt(out, "[Translation missing: %.*s]", STR_ARG(key));
    return true;
}

bool translate_text(const struct translator *t, struct arena *a, struct str text, struct str *out, struct error *err)
{
    struct buf b = {.arena = a};
    struct found f;
    size_t from = 0;
    *out = text;
    while (find_next(text, from, &f)) {
        buf_str(&b, (struct str){text.p + from, f.start - from});
        if (!add_translation(t, a, f.key, &b, err))
            return false;
        from = f.end;
    }
    if (from) {
        buf_str(&b, (struct str){text.p + from, text.n - from});
        *out = b.n ? buf_finish(&b) : STR("");
    }
    return true;
}

static void add_source(const struct reader_texts *texts, struct arena *a, struct str key, bool is_json, struct buf *out)
{
    yyjson_val *v = value_of(texts, key);
    struct str value = yyjson_is_str(v) ? json_str(v)
                     : v ? json_write(a, v)
                     : str_fmt(a, "[Translation missing: %.*s]", STR_ARG(key));
    size_t start = out->n;
    if (!is_json) {
        buf_str(out, value);
        return;
    }
    json_quote(out, value);
    memmove(out->p + start, out->p + start + 1, out->n - start - 2);      /* without its quotes */
    out->n -= 2;
}

struct str translate_source(const struct reader_texts *texts, struct arena *a, struct str source, bool is_json)
{
    struct buf b = {.arena = a};
    struct found f;
    size_t from = 0;
    while (find_next(source, from, &f)) {
        buf_str(&b, (struct str){source.p + from, f.start - from});
        add_source(texts, a, f.key, is_json, &b);
        from = f.end;
    }
    if (!from)
        return source;
    buf_str(&b, (struct str){source.p + from, source.n - from});
    return b.n ? buf_finish(&b) : STR("");
}

static bool tree_wants(yyjson_val *v)
{
    size_t i, n;
    yyjson_val *k, *member;
    if (yyjson_is_str(v))
        return translate_wants(json_str(v));
    if (yyjson_is_obj(v)) {
        yyjson_obj_foreach(v, i, n, k, member)
            if (tree_wants(member))
                return true;
    } else if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, member)
            if (tree_wants(member))
                return true;
    }
    return false;
}

/* Without variables the texts' own Liquid stays. */
static bool leaf_translate(const struct translator *t, struct arena *a, struct str text, struct str *out, struct error *err)
{
    if (t->variables)
        return translate_text(t, a, text, out, err);
    *out = translate_source(&t->texts, a, text, text.n > 1 && text.p[0] == '{' && text.p[1] != '{');
    return true;
}

static yyjson_mut_val *tree_translate(const struct translator *t, struct arena *a, yyjson_mut_doc *d, yyjson_val *v, struct error *err)
{
    size_t i, n;
    yyjson_val *k, *member;
    yyjson_mut_val *out, *made;
    struct str text;
    if (yyjson_is_str(v))
        return leaf_translate(t, a, json_str(v), &text, err) ? json_mut_str(d, text) : NULL;
    if (yyjson_is_obj(v)) {
        out = yyjson_mut_obj(d);
        yyjson_obj_foreach(v, i, n, k, member) {
            if (!(made = tree_translate(t, a, d, member, err)))
                return NULL;
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), made);
        }
        return out;
    }
    if (yyjson_is_arr(v)) {
        out = yyjson_mut_arr(d);
        yyjson_arr_foreach(v, i, n, member) {
            if (!(made = tree_translate(t, a, d, member, err)))
                return NULL;
            yyjson_mut_arr_append(out, made);
        }
        return out;
    }
    return yyjson_val_mut_copy(d, v);
}

bool translate_values(const struct translator *t, struct arena *a, yyjson_val *in, yyjson_val **out, struct error *err)
{
    *out = in;
    if (!tree_wants(in))
        return true;
    yyjson_mut_val *made = tree_translate(t, a, json_doc(a), in, err);
    return made && json_parse(a, json_write_mut(a, made), out, err);
}

yyjson_val *translate_sources(const struct reader_texts *texts, struct arena *a, yyjson_val *in)
{
    struct error err = {0};
    yyjson_val *out;
    return translate_values(&(struct translator){.texts = *texts}, a, in, &out, &err) ? out : in;
}

static char locale_char(char c)
{
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int translate_choose(const struct str *locales, size_t n, struct str wanted)
{
    for (size_t i = 0; i < n; i++) {
        bool same = wanted.n && locales[i].n == wanted.n;
        for (size_t k = 0; same && k < wanted.n; k++)
            same = locale_char(locales[i].p[k]) == locale_char(wanted.p[k]);
        if (same)
            return (int)i;
    }
    return -1;
}
