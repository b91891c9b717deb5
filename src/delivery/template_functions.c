/* The functions of provider declarations (providers.md §1). */
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "delivery/provider_private.h"

typedef yyjson_mut_val *function(struct template_call *c);

static yyjson_mut_val *arg(struct template_call *c, size_t i)
{
    return i < c->n ? template_value(c->scope, c->args[i]) : NULL;
}

static struct str arg_text(struct template_call *c, size_t i)
{
    return template_str(c->scope, arg(c, i));
}

static yyjson_mut_val *text(struct template_call *c, struct str s)
{
    return template_of_str(c->scope, s);
}

static bool is_something(const yyjson_mut_val *v)
{
    return v && !yyjson_mut_is_null((yyjson_mut_val *)(uintptr_t)v);
}

/* "a=b" of an argument; without one both are the same. */
static void pair(struct str s, struct str *a, struct str *b)
{
    ptrdiff_t at = str_find(s, STR("="));
    *a = at < 0 ? s : str_trim(str_sub(s, 0, (size_t)at));
    *b = at < 0 ? s : str_trim(str_sub(s, (size_t)at + 1, s.n));
}

static struct str unquoted(struct str s)
{
    return s.n >= 2 && s.p[0] == '\'' && s.p[s.n - 1] == '\'' ? str_sub(s, 1, s.n - 1) : s;
}

/* --- lists and objects ------------------------------------------------------------------------------------------------- */

/* A value that should be a list: one alone is a list of one. */
static yyjson_mut_val *as_list(struct template_scope *t, yyjson_mut_val *v)
{
    if (!is_something(v) || yyjson_mut_is_arr(v))
        return is_something(v) ? v : NULL;
    yyjson_mut_val *list = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_append(list, template_copy(t, v));
    return list;
}

/* objs(L,'k'[,'k2','v2']), objs(L,a=x,b=y) */
static yyjson_mut_val *f_objs(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *list = as_list(t, arg(c, 0)), *x;
    if (!list)
        return NULL;
    bool renames = c->n > 1 && str_find(c->args[1], STR("=")) > 0;
    yyjson_mut_val *out = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while ((x = yyjson_mut_arr_iter_next(&it))) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(t->doc, out);
        if (!renames) {
            yyjson_mut_obj_add(o, text(c, unquoted(c->args[1])), template_copy(t, x));
            if (c->n > 3)
                yyjson_mut_obj_add(o, text(c, unquoted(c->args[2])), text(c, arg_text(c, 3)));
            continue;
        }
        for (size_t i = 1; i < c->n; i++) {
            struct str from, to;
            pair(c->args[i], &from, &to);
            yyjson_mut_val *v = yyjson_mut_is_obj(x) ? yyjson_mut_obj_getn(x, from.p, from.n) : NULL;
            if (v)
                yyjson_mut_obj_add(o, text(c, to), template_copy(t, v));
        }
    }
    return out;
}

static yyjson_mut_val *f_join(struct template_call *c)
{
    yyjson_mut_val *list = as_list(c->scope, arg(c, 0)), *x;
    struct str between = arg_text(c, 1);
    struct buf b = {.arena = c->scope->arena};
    if (!list || !yyjson_mut_arr_size(list))
        return NULL;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while ((x = yyjson_mut_arr_iter_next(&it))) {
        if (b.n)
            buf_str(&b, between);
        buf_str(&b, template_str(c->scope, x));
    }
    return text(c, buf_finish(&b));
}

static yyjson_mut_val *f_concat(struct template_call *c)
{
    yyjson_mut_val *out = yyjson_mut_arr(c->scope->doc), *x;
    for (size_t i = 0; i < c->n; i++) {
        yyjson_mut_val *list = as_list(c->scope, arg(c, i));
        yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
        while (list && (x = yyjson_mut_arr_iter_next(&it)))
            yyjson_mut_arr_append(out, template_copy(c->scope, x));
    }
    return out;
}

static yyjson_mut_val *f_list(struct template_call *c)
{
    return as_list(c->scope, arg(c, 0));
}

static yyjson_mut_val *attachments(struct template_call *c)
{
    return template_get(template_get(c->scope->roots, "m"), "attachments");
}

/* Among the arguments, "cid" asks for the attachments that the text shows inside, "!cid" for the others. */
static bool is_left_out(const struct template_call *c, const yyjson_mut_val *attachment)
{
    bool inside = template_truthy(template_get(attachment, "cid"));
    for (size_t i = 0; i < c->n; i++)
        if (str_eqz(c->args[i], inside ? "!cid" : "cid"))
            return true;
    return false;
}

/* files([cid | !cid,] src=dst,…): src is a member of an attachment, or const:text. None without any. */
static yyjson_mut_val *f_files(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *list = attachments(c), *x;
    yyjson_mut_val *out = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while (list && (x = yyjson_mut_arr_iter_next(&it))) {
        if (is_left_out(c, x))
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(t->doc, out);
        for (size_t i = 0; i < c->n; i++) {
            struct str from, to;
            if (str_find(c->args[i], STR("=")) < 0)
                continue;
            pair(c->args[i], &from, &to);
            yyjson_mut_val *v = str_starts(from, STR("const:")) ? text(c, str_sub(from, 6, from.n)) : yyjson_mut_obj_getn(x, from.p, from.n);
            if (v)
                yyjson_mut_obj_add(o, text(c, to), template_copy(t, v));
        }
    }
    return yyjson_mut_arr_size(out) ? out : NULL;
}

/* parts(list, cid | !cid, cid=name): those attachments as files of a multipart body (provider_body.c writes {"$file":…}); the
 * last for providers whose texts show a file by its name. */
static yyjson_mut_val *f_parts(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *list = attachments(c), *x;
    if (!list)
        return NULL;
    yyjson_mut_val *out = yyjson_mut_arr(t->doc);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while ((x = yyjson_mut_arr_iter_next(&it))) {
        if (is_left_out(c, x))
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(t->doc, out);
        yyjson_mut_val *file = template_copy(t, x);
        if (c->n > 2 && str_eqz(c->args[2], "cid=name") && template_get(x, "cid"))
            yyjson_mut_obj_put(file, yyjson_mut_str(t->doc, "name"), template_copy(t, template_get(x, "cid")));
        yyjson_mut_obj_add_val(t->doc, o, "$file", file);
    }
    return yyjson_mut_arr_size(out) ? out : NULL;
}

static bool is_empty(yyjson_mut_val *v)
{
    return !is_something(v) || (yyjson_mut_is_arr(v) && !yyjson_mut_arr_size(v)) || (yyjson_mut_is_obj(v) && !yyjson_mut_obj_size(v))
        || (yyjson_mut_is_str(v) && !yyjson_mut_get_len(v));
}

static yyjson_mut_val *f_nonempty(struct template_call *c)
{
    yyjson_mut_val *v = arg(c, 0);
    return is_empty(v) ? NULL : v;
}

/* find(L,key,value): the first object of the list whose member is that. */
static yyjson_mut_val *f_find(struct template_call *c)
{
    yyjson_mut_val *list = arg(c, 0), *wanted = arg(c, 2), *x;
    struct str key = arg_text(c, 1);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while (yyjson_mut_is_arr(list) && wanted && (x = yyjson_mut_arr_iter_next(&it)))
        if (yyjson_mut_is_obj(x) && template_equal(yyjson_mut_obj_getn(x, key.p, key.n), wanted))
            return x;
    return NULL;
}

static yyjson_mut_val *f_omit(struct template_call *c)
{
    yyjson_mut_val *v = arg(c, 0);
    if (!yyjson_mut_is_obj(v))
        return NULL;
    v = template_copy(c->scope, v);
    for (size_t i = 1; i < c->n; i++)
        yyjson_mut_obj_remove_keyn(v, c->args[i].p, c->args[i].n);
    return v;
}

static yyjson_mut_val *f_merge(struct template_call *c)
{
    yyjson_mut_val *out = yyjson_mut_obj(c->scope->doc), *k;
    for (size_t i = 0; i < c->n; i++) {
        yyjson_mut_val *v = arg(c, i);
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
        while (yyjson_mut_is_obj(v) && (k = yyjson_mut_obj_iter_next(&it))) {
            yyjson_mut_obj_remove_keyn(out, yyjson_mut_get_str(k), yyjson_mut_get_len(k));
            yyjson_mut_obj_add(out, template_copy(c->scope, k), template_copy(c->scope, yyjson_mut_obj_iter_get_val(k)));
        }
    }
    return out;
}

/* Members of the override that the declaration does not speak of. */
static yyjson_mut_val *f_extras(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *b = arg(c, 0), *out = yyjson_mut_obj(t->doc), *k;
    struct str declared = json_write(t->arena, (yyjson_val *)(uintptr_t)t->declaration);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(b);
    while (yyjson_mut_is_obj(b) && (k = yyjson_mut_obj_iter_next(&it))) {
        struct str used = str_fmt(t->arena, "b.%s", yyjson_mut_get_str(k));
        ptrdiff_t at = str_find(declared, used);
        char after = at >= 0 && (size_t)at + used.n < declared.n ? declared.p[(size_t)at + used.n] : ' ';
        bool known = at >= 0 && !((after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z') || after == '_');
        if (!known)
            yyjson_mut_obj_add(out, template_copy(t, k), template_copy(t, yyjson_mut_obj_iter_get_val(k)));
    }
    return out;
}

/* --- texts ---------------------------------------------------------------------------------------------------------------- */

/* Letters, digits and a few signs need no quotes in a name before an address. */
static bool is_plain_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr("()<>[]:;@\\,.\"", s.p[i]))
            return false;
    return true;
}

static yyjson_mut_val *f_sender(struct template_call *c)
{
    struct arena *a = c->scope->arena;
    struct str name = arg_text(c, 0), address = arg_text(c, 1);
    struct buf b = {.arena = a};
    if (!name.n)
        return text(c, address);
    if (is_plain_name(name))
        return text(c, str_fmt(a, "%.*s <%.*s>", STR_ARG(name), STR_ARG(address)));
    buf_char(&b, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\')
            buf_char(&b, '\\');
        buf_char(&b, name.p[i]);
    }
    buf_fmt(&b, "\" <%.*s>", STR_ARG(address));
    return text(c, buf_finish(&b));
}

static yyjson_mut_val *f_raw(struct template_call *c) { return arg(c, 0); }
static yyjson_mut_val *f_str(struct template_call *c) { return is_something(arg(c, 0)) ? text(c, arg_text(c, 0)) : NULL; }
static yyjson_mut_val *f_json(struct template_call *c) { return text(c, arg_text(c, 0)); }
static yyjson_mut_val *f_trim(struct template_call *c) { return text(c, str_trim(arg_text(c, 0))); }
static yyjson_mut_val *f_isstr(struct template_call *c) { return yyjson_mut_bool(c->scope->doc, yyjson_mut_is_str(arg(c, 0))); }

static yyjson_mut_val *f_int(struct template_call *c)
{
    int64_t n;
    return str_to_i64(str_trim(arg_text(c, 0)), &n) ? yyjson_mut_int(c->scope->doc, n) : NULL;
}

static yyjson_mut_val *cased(struct template_call *c, char from, char to, int by)
{
    struct str s = str_dup(c->scope->arena, arg_text(c, 0));
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= from && s.p[i] <= to)
            ((char *)(uintptr_t)s.p)[i] = (char)(s.p[i] + by);
    return text(c, s);
}
static yyjson_mut_val *f_lower(struct template_call *c) { return cased(c, 'A', 'Z', 32); }
static yyjson_mut_val *f_upper(struct template_call *c) { return cased(c, 'a', 'z', -32); }

static yyjson_mut_val *f_rtrim(struct template_call *c)
{
    struct str s = arg_text(c, 0), what = arg_text(c, 1);
    while (what.n && str_ends(s, what))
        s.n -= what.n;
    return text(c, s);
}

/* Longer than n characters: n - 1 and "…". */
static yyjson_mut_val *f_trunc(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    size_t max = (size_t)yyjson_mut_get_sint(arg(c, 1)), chars = 0, cut = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) == 0x80)
            continue;
        if (chars == max - 1)
            cut = i;
        chars++;
    }
    return text(c, chars > max ? str_fmt(c->scope->arena, "%.*s…", (int)cut, s.p) : s);
}

static yyjson_mut_val *f_split(struct template_call *c)
{
    struct str s = arg_text(c, 0), by = arg_text(c, 1);
    yyjson_mut_val *out = yyjson_mut_arr(c->scope->doc);
    for (ptrdiff_t at; by.n && (at = str_find(s, by)) >= 0; s = str_sub(s, (size_t)at + by.n, s.n))
        yyjson_mut_arr_append(out, text(c, str_sub(s, 0, (size_t)at)));
    yyjson_mut_arr_append(out, text(c, s));
    return out;
}

/* pairs(O,Name,Value): a list of objects with these two members for each of O's; none for an empty one. */
static yyjson_mut_val *f_pairs(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *o = arg(c, 0), *out = yyjson_mut_arr(t->doc), *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);
    while (c->n == 3 && yyjson_mut_is_obj(o) && (k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *x = yyjson_mut_arr_add_obj(t->doc, out);
        yyjson_mut_obj_add(x, text(c, c->args[1]), template_copy(t, k));
        yyjson_mut_obj_add(x, text(c, c->args[2]), template_copy(t, yyjson_mut_obj_iter_get_val(k)));
    }
    return yyjson_mut_arr_size(out) ? out : NULL;
}

/* prefixed(O,'p'): O with p before its keys. */
static yyjson_mut_val *f_prefixed(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *o = arg(c, 0), *out = yyjson_mut_obj(t->doc), *k;
    struct str prefix = arg_text(c, 1);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);
    while (yyjson_mut_is_obj(o) && (k = yyjson_mut_obj_iter_next(&it)))
        yyjson_mut_obj_add(out, text(c, str_fmt(t->arena, "%.*s%s", STR_ARG(prefix), yyjson_mut_get_str(k))),
                           template_copy(t, yyjson_mut_obj_iter_get_val(k)));
    return out;
}

/* snake(x): an object with its keys as the API writes them. */
static yyjson_mut_val *f_snake(struct template_call *c)
{
    yyjson_mut_val *v = arg(c, 0);
    return v ? body_cased_mut(c->scope, v, STR("snake"), NULL) : NULL;
}

/* What follows the first sep; none without one. */
static yyjson_mut_val *f_after(struct template_call *c)
{
    struct str s = arg_text(c, 0), sep = arg_text(c, 1);
    ptrdiff_t at = str_find(s, sep);
    return at < 0 ? NULL : text(c, str_sub(s, (size_t)at + sep.n, s.n));
}

static bool all_of(struct str s, bool letters)
{
    for (size_t i = 0; i < s.n; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9', letter = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z');
        if (!digit && !(letters && letter))
            return false;
    }
    return s.n > 0;
}
static yyjson_mut_val *f_alnum(struct template_call *c) { return yyjson_mut_bool(c->scope->doc, all_of(arg_text(c, 0), true)); }
static yyjson_mut_val *f_digits(struct template_call *c) { return yyjson_mut_bool(c->scope->doc, all_of(arg_text(c, 0), false)); }

static yyjson_mut_val *f_strip_plus(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    return text(c, str_starts(s, STR("+")) ? str_sub(s, 1, s.n) : str_starts(s, STR("00")) ? str_sub(s, 2, s.n) : s);
}

static yyjson_mut_val *f_e164_to_00(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    struct buf digits = {.arena = c->scope->arena};
    if (s.n && !str_starts(s, STR("00")))
        buf_z(&digits, "00");
    for (size_t i = s.n && s.p[0] == '+'; i < s.n; i++)
        if (!strchr(" \t-()", s.p[i]))
            buf_char(&digits, s.p[i]);
    return text(c, buf_finish(&digits));
}

static bool is_one_of(const struct template_call *c, struct str s)
{
    for (size_t i = 1; i < c->n; i++)
        if (str_eq(c->args[i], s))
            return true;
    return false;
}

static yyjson_mut_val *f_enum(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    if (!is_one_of(c, s))
        template_refuse(c->scope, "\"%.*s\" is not a value that this setting can have", STR_ARG(str_cut(s, 64)));
    return text(c, s);
}

static yyjson_mut_val *f_enum_or(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    return text(c, is_one_of(c, s) || c->n < 2 ? s : c->args[1]);
}

static yyjson_mut_val *f_enum_only(struct template_call *c)
{
    struct str s = arg_text(c, 0);
    return is_one_of(c, s) ? text(c, s) : NULL;
}

static yyjson_mut_val *f_mimepart(struct template_call *c)
{
    struct template_scope *t = c->scope;
    yyjson_mut_val *value = arg(c, 1), *o = yyjson_mut_obj(t->doc);
    if (is_empty(value))
        return NULL;
    yyjson_mut_obj_add_val(t->doc, o, "type", text(c, arg_text(c, 0)));
    yyjson_mut_obj_add_val(t->doc, o, "value", template_copy(t, value));
    return o;
}

static yyjson_mut_val *parsed(struct template_call *c)
{
    yyjson_val *v;
    struct str s = arg_text(c, 0);
    return s.n && json_parse(c->scope->arena, s, &v, NULL) ? yyjson_val_mut_copy(c->scope->doc, v) : NULL;
}

static yyjson_mut_val *f_parse(struct template_call *c)
{
    yyjson_mut_val *v = arg(c, 0);
    return yyjson_mut_is_obj(v) || yyjson_mut_is_arr(v) ? v : parsed(c);
}

static yyjson_mut_val *f_parse_object(struct template_call *c)
{
    yyjson_mut_val *v = parsed(c);
    return yyjson_mut_is_obj(v) ? v : NULL;
}

/* "k=v;k=v", as Azure writes its connection strings. */
static yyjson_mut_val *f_conn(struct template_call *c)
{
    yyjson_mut_val *o = yyjson_mut_obj(c->scope->doc);
    struct str s = arg_text(c, 0);
    while (s.n) {
        ptrdiff_t end = str_find(s, STR(";"));
        struct str one = str_sub(s, 0, end < 0 ? s.n : (size_t)end);
        ptrdiff_t at = str_find(one, STR("="));
        if (at > 0)
            yyjson_mut_obj_add(o, text(c, str_trim(str_sub(one, 0, (size_t)at))), text(c, str_sub(one, (size_t)at + 1, one.n)));
        s = str_sub(s, end < 0 ? s.n : (size_t)end + 1, s.n);
    }
    return o;
}

/* A path that a credential holds, into the answer. */
static yyjson_mut_val *f_path(struct template_call *c)
{
    struct str path = arg_text(c, 0);
    for (size_t i = 0; i < path.n; i++) {
        char x = path.p[i];
        if (!((x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || x == '_' || x == '.' || x == '[' || x == ']' || x == '$'))
            return NULL;                /* a path and no more: people write it */
    }
    return path.n ? template_value(c->scope, path) : NULL;
}

/* --- URLs ------------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *f_host(struct template_call *c)
{
    struct str s = str_trim(arg_text(c, 0));
    ptrdiff_t scheme = str_find(s, STR("://"));
    if (scheme >= 0)
        s = str_sub(s, (size_t)scheme + 3, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/' || s.p[i] == '?' || s.p[i] == '#')
            s.n = i;
    return text(c, s);
}

static yyjson_mut_val *f_set_query(struct template_call *c)
{
    struct str url = arg_text(c, 0), key = arg_text(c, 1), value = arg_text(c, 2);
    struct str has = str_fmt(c->scope->arena, "%.*s=", STR_ARG(key));
    ptrdiff_t query = str_find(url, STR("?"));
    if (query >= 0 && str_find(str_sub(url, (size_t)query, url.n), has) >= 0)
        return text(c, url);
    return text(c, str_fmt(c->scope->arena, "%.*s%s%.*s%.*s", STR_ARG(url), query < 0 ? "?" : "&", STR_ARG(has), STR_ARG(value)));
}

/* --- bytes and time ------------------------------------------------------------------------------------------------------------ */

static yyjson_mut_val *f_b64(struct template_call *c)
{
    return text(c, base64_encode(c->scope->arena, arg_text(c, 0)));
}

/* Bytes as JavaScript's Buffer writes itself into JSON: {"type":"Buffer","data":[1,2,3]}. */
static yyjson_mut_val *f_buffer(struct template_call *c)
{
    struct template_scope *t = c->scope;
    struct buf b = {.arena = t->arena};
    struct str bytes;
    if (!base64_decode(t->arena, arg_text(c, 0), &bytes))
        return NULL;
    buf_char(&b, '[');
    for (size_t i = 0; i < bytes.n; i++)
        buf_fmt(&b, i ? ",%u" : "%u", (unsigned char)bytes.p[i]);
    buf_char(&b, ']');
    yyjson_mut_val *o = yyjson_mut_obj(t->doc);
    struct str list = buf_finish(&b);
    yyjson_mut_obj_add_str(t->doc, o, "type", "Buffer");
    yyjson_mut_obj_add_val(t->doc, o, "data", yyjson_mut_rawn(t->doc, list.p, list.n));
    return o;
}

/* hmac('sha256', key, data, 'hex'); without a key none. */
static yyjson_mut_val *f_hmac(struct template_call *c)
{
    struct str key = arg_text(c, 1);
    uint8_t mac[32];
    if (!key.n)
        return NULL;
    if (str_eqz(arg_text(c, 3), "hex"))
        return text(c, crypto_hmac_sha256_hex(c->scope->arena, key, arg_text(c, 2)));
    crypto_hmac_sha256(key, arg_text(c, 2), mac);
    return text(c, base64_encode(c->scope->arena, (struct str){(const char *)mac, sizeof mac}));
}

/* Of a seed always the same (RFC 9562 §5.8). */
static yyjson_mut_val *f_uuid(struct template_call *c)
{
    uint8_t u[32];
    struct str seed = arg_text(c, 0), h;
    if (seed.n)
        crypto_sha256(seed, u);
    else
        crypto_random(u, 16);
    u[6] = (uint8_t)((u[6] & 0x0f) | (seed.n ? 0x80 : 0x40));
    u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
    h = hex_encode(c->scope->arena, u, 16);
    return text(c, str_fmt(c->scope->arena, "%.8s-%.4s-%.4s-%.4s-%.12s", h.p, h.p + 8, h.p + 12, h.p + 16, h.p + 20));
}

static yyjson_mut_val *f_now(struct template_call *c) { return text(c, time_iso_str(c->scope->arena, c->scope->now_ms)); }
static yyjson_mut_val *f_nowms(struct template_call *c) { return yyjson_mut_int(c->scope->doc, c->scope->now_ms); }

static yyjson_mut_val *f_httpdate(struct template_call *c)
{
    char date[40];
    time_t s = (time_t)(c->scope->now_ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return text(c, str_dup(c->scope->arena, str_of(date)));
}

/* --- cards ---------------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *f_slack(struct template_call *c) { return card_slack_blocks(c->scope, arg(c, 0)); }
static yyjson_mut_val *f_adaptive(struct template_call *c) { return card_adaptive(c->scope, arg(c, 0)); }
static yyjson_mut_val *f_telegram(struct template_call *c) { return card_telegram(c->scope, arg(c, 0)); }
static yyjson_mut_val *f_whatsapp(struct template_call *c) { return card_whatsapp(c->scope, arg(c, 0)); }

/* The first of what the override brings, with its type; else the text. */
static yyjson_mut_val *f_line(struct template_call *c)
{
    static const char *const kinds[] = {"flex", "image", "sticker"};
    struct template_scope *t = c->scope;
    yyjson_mut_val *m = arg(c, 0), *data = template_get(m, "customData"), *o;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (yyjson_mut_is_obj(template_get(data, kinds[i]))) {
            o = template_copy(t, template_get(data, kinds[i]));
            yyjson_mut_obj_remove_key(o, "type");
            yyjson_mut_obj_add_str(t->doc, o, "type", kinds[i]);
            return o;
        }
    o = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_str(t->doc, o, "type", "text");
    yyjson_mut_obj_add_val(t->doc, o, "text", text(c, template_str(t, template_get(m, "content"))));
    return o;
}

static yyjson_mut_val *f_fcm(struct template_call *c) { return push_fcm_message(c->scope, arg(c, 0), arg(c, 1)); }
static yyjson_mut_val *f_apns(struct template_call *c) { return push_apns_body(c->scope, arg(c, 0), arg(c, 1)); }

static const struct { const char *name; function *call; } functions[] = {
    {"objs", f_objs}, {"join", f_join}, {"concat", f_concat}, {"list", f_list}, {"files", f_files}, {"parts", f_parts},
    {"find", f_find}, {"nonempty", f_nonempty}, {"omit", f_omit}, {"merge", f_merge}, {"extras", f_extras}, {"sender", f_sender},
    {"raw", f_raw},
    {"str", f_str}, {"json", f_json}, {"trim", f_trim}, {"isstr", f_isstr}, {"int", f_int}, {"lower", f_lower}, {"upper", f_upper},
    {"rtrim", f_rtrim}, {"trunc", f_trunc}, {"split", f_split}, {"after", f_after}, {"snake", f_snake},
    {"pairs", f_pairs}, {"prefixed", f_prefixed}, {"alnum", f_alnum}, {"digitsOnly", f_digits},
    {"stripPlus00", f_strip_plus}, {"e164to00", f_e164_to_00}, {"enum", f_enum}, {"enumOr", f_enum_or}, {"enumOnly", f_enum_only},
    {"mimepart", f_mimepart}, {"parse", f_parse}, {"parseObject", f_parse_object}, {"conn", f_conn}, {"path", f_path},
    {"host", f_host}, {"setQuery", f_set_query}, {"b64", f_b64}, {"buffer", f_buffer}, {"hmac", f_hmac}, {"uuid", f_uuid}, {"now", f_now},
    {"nowms", f_nowms}, {"httpdate", f_httpdate}, {"slackBlocks", f_slack}, {"adaptiveCard", f_adaptive},
    {"telegramCard", f_telegram}, {"waMessage", f_whatsapp}, {"lineMessage", f_line}, {"fcmMessage", f_fcm}, {"apnsBody", f_apns}};

yyjson_mut_val *template_call(struct template_call *c)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (str_eqz(c->name, functions[i].name))
            return functions[i].call(c);
    template_refuse(c->scope, "The provider's declaration names a function \"%.*s\" that is not known", STR_ARG(c->name));
    return NULL;
}
