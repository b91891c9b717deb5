/* Bodies of requests to providers: overrides merged in, then written in the provider's form (providers.md §1, §6). */
#include "base/crypto.h"
#include "delivery/provider_private.h"

enum { WORDS_MAX = 32, DEPTH_MAX = 100 };

/* --- casing ------------------------------------------------------------------------------------------------------------ */

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Between a small letter or digit and a capital, and before the last capital of a run that a small letter follows. */
static size_t words_of(struct str s, struct str words[WORDS_MAX])
{
    size_t n = 0, from = 0;
    for (size_t i = 0; i <= s.n && n < WORDS_MAX; i++) {
        bool letter = i < s.n && (is_upper(s.p[i]) || is_lower(s.p[i]) || is_digit(s.p[i]));
        bool begins = letter && i > from && is_upper(s.p[i])
                   && (!is_upper(s.p[i - 1]) || (i + 1 < s.n && is_lower(s.p[i + 1])));
        if (letter && !begins)
            continue;
        if (i > from)
            words[n++] = str_sub(s, from, i);
        from = begins ? i : i + 1;
    }
    return n;
}

static void word_put(struct buf *b, struct str w, bool first, bool rest)
{
    for (size_t i = 0; i < w.n; i++) {
        bool up = i ? rest : first;
        char c = w.p[i];
        buf_char(b, up && is_lower(c) ? (char)(c - 32) : !up && is_upper(c) ? (char)(c + 32) : c);
    }
}

static struct str key_cased(struct arena *a, struct str key, struct str casing)
{
    struct str words[WORDS_MAX];
    struct buf b = {.arena = a};
    size_t n = words_of(key, words);
    bool camel = str_eqz(casing, "camel"), pascal = str_eqz(casing, "pascal"), constant = str_eqz(casing, "constant");
    if (!n || (!camel && !pascal && !constant && !str_eqz(casing, "snake") && !str_eqz(casing, "kebab")))
        return key;
    for (size_t i = 0; i < n; i++) {
        bool joined = camel || pascal;
        if (i && (joined ? is_digit(words[i].p[0]) : true))
            buf_char(&b, str_eqz(casing, "kebab") ? '-' : '_');
        word_put(&b, words[i], constant || pascal || (camel && i), constant);
    }
    return buf_finish(&b);
}

/* What SendGrid's own library leaves as it is. */
static bool is_left_alone(struct str casing, struct str key)
{
    static const char *const names[] = {"substitutions", "dynamicTemplateData", "dynamic_template_data", "customArgs", "custom_args",
                                        "headers", "sections"};
    for (size_t i = 0; i < sizeof names / sizeof *names && str_eqz(casing, "sendgrid"); i++)
        if (str_eqz(key, names[i]))
            return true;
    return false;
}

static yyjson_mut_val *cased(struct template_scope *t, yyjson_mut_val *v, struct str casing, yyjson_val *names, int depth);

/* An object whose keys are the customer's own words; what is below them has ours. */
static yyjson_mut_val *cased_below(struct template_scope *t, yyjson_mut_val *v, struct str casing, yyjson_val *names, int depth)
{
    yyjson_mut_val *k, *out = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    while ((k = yyjson_mut_obj_iter_next(&it)))
        yyjson_mut_obj_add(out, template_copy(t, k), cased(t, yyjson_mut_obj_iter_get_val(k), casing, names, depth + 1));
    return out;
}

static yyjson_mut_val *cased(struct template_scope *t, yyjson_mut_val *v, struct str casing, yyjson_val *names, int depth)
{
    struct str use = str_eqz(casing, "sendgrid") ? STR("snake") : casing;
    yyjson_mut_val *k, *x, *out;
    if (depth > DEPTH_MAX || (!yyjson_mut_is_obj(v) && !yyjson_mut_is_arr(v)))
        return template_copy(t, v);
    if (yyjson_mut_is_arr(v)) {
        out = yyjson_mut_arr(t->doc);
        yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(v);
        while ((x = yyjson_mut_arr_iter_next(&it)))
            yyjson_mut_arr_append(out, cased(t, x, casing, names, depth + 1));
        return out;
    }
    out = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        struct str key = {yyjson_mut_get_str(k), yyjson_mut_get_len(k)}, done = key_cased(t->arena, key, use);
        struct str named = json_str(json_getn(names, done)), own = json_str(json_getn(names, key));
        x = yyjson_mut_obj_iter_get_val(k);
        done = named.p ? named : own.p ? own : done;
        yyjson_mut_obj_remove_keyn(out, done.p, done.n);
        x = is_left_alone(casing, key) ? template_copy(t, x)
          : yyjson_is_true(json_getn(names, done)) && yyjson_mut_is_obj(x) ? cased_below(t, x, casing, names, depth + 1)
          : cased(t, x, casing, names, depth + 1);
        yyjson_mut_obj_add(out, template_of_str(t, done), x);
    }
    return out;
}

yyjson_mut_val *body_cased_mut(struct template_scope *t, yyjson_mut_val *v, struct str casing, yyjson_val *names)
{
    return cased(t, v, casing, names, 0);
}

yyjson_mut_val *body_cased(struct template_scope *t, yyjson_val *v, struct str casing, yyjson_val *names)
{
    return v ? cased(t, yyjson_val_mut_copy(t->doc, v), casing, names, 0) : yyjson_mut_obj(t->doc);
}

/* --- merging ------------------------------------------------------------------------------------------------------------------ */

static bool is_forbidden(struct str key)
{
    return str_eqz(key, "__proto__") || str_eqz(key, "constructor") || str_eqz(key, "prototype");
}

static yyjson_mut_val *merged(struct template_scope *t, yyjson_mut_val *into, yyjson_mut_val *from, int depth)
{
    yyjson_mut_val *k, *x, *out = template_copy(t, into);
    if (depth < DEPTH_MAX && yyjson_mut_is_arr(into) && yyjson_mut_is_arr(from)) {
        yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(from);
        while ((x = yyjson_mut_arr_iter_next(&it)))
            yyjson_mut_arr_append(out, template_copy(t, x));
        return out;
    }
    if (depth >= DEPTH_MAX || !yyjson_mut_is_obj(into) || !yyjson_mut_is_obj(from))
        return template_copy(t, from);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        struct str key = {yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
        yyjson_mut_val *before = yyjson_mut_obj_getn(out, key.p, key.n);
        x = yyjson_mut_obj_iter_get_val(k);
        if (is_forbidden(key))
            continue;
        x = before ? merged(t, before, x, depth + 1) : template_copy(t, x);
        if (before)
            yyjson_mut_obj_put(out, template_of_str(t, key), x);
        else
            yyjson_mut_obj_add(out, template_of_str(t, key), x);
    }
    return out;
}

yyjson_mut_val *body_merge(struct template_scope *t, yyjson_mut_val *into, yyjson_mut_val *from)
{
    return from ? merged(t, into, from, 0) : into;
}

/* As SendGrid's library reads its own mail object (@sendgrid/helpers, EmailAddress): "Name <address>", or an address. */
static void address_read(struct template_scope *t, yyjson_mut_val *body, const char *key)
{
    struct str s = template_get_str(body, key);
    if (!s.p)
        return;
    ptrdiff_t at = str_find(s, STR("<"));
    struct str name = at < 0 ? STR("") : str_trim(str_sub(s, 0, (size_t)at)), email = at < 0 ? s : str_sub(s, (size_t)at + 1, s.n);
    ptrdiff_t end = at < 0 ? -1 : str_find(email, STR(">"));
    yyjson_mut_val *o = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_val(t->doc, o, "email", template_of_str(t, str_trim(end < 0 ? email : str_sub(email, 0, (size_t)end))));
    if (name.n)
        yyjson_mut_obj_add_val(t->doc, o, "name", template_of_str(t, name));
    yyjson_mut_obj_put(body, template_of_str(t, str_of(key)), o);
}

void body_addresses(struct template_scope *t, yyjson_mut_val *body)
{
    address_read(t, body, "from");
    address_read(t, body, "reply_to");
}

/* --- forms ------------------------------------------------------------------------------------------------------------------ */

void body_percent(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char x = (unsigned char)s.p[i];
        if (is_upper((char)x) || is_lower((char)x) || is_digit((char)x) || x == '-' || x == '.' || x == '_' || x == '~')
            buf_char(b, (char)x);
        else
            buf_fmt(b, "%%%02X", x);
    }
}

static void field_put(struct template_scope *t, struct buf *b, struct str key, yyjson_mut_val *v)
{
    if (b->n)
        buf_char(b, '&');
    body_percent(b, key);
    buf_char(b, '=');
    body_percent(b, template_str(t, v));
}

/* Lists count from 1 ("Name.member.N"); objects of attributes are ".entry.N.Name" and ".entry.N.Value.…". */
static void aws_put(struct template_scope *t, struct buf *b, struct str key, yyjson_mut_val *v, int depth)
{
    yyjson_mut_val *k, *x;
    int n = 0;
    if (yyjson_mut_is_obj(v) && depth < 3) {
        bool entries = !depth;
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
        while ((k = yyjson_mut_obj_iter_next(&it))) {
            x = yyjson_mut_obj_iter_get_val(k);
            if (entries) {
                struct str entry = str_fmt(t->arena, "%.*s.entry.%d", STR_ARG(key), ++n);
                field_put(t, b, str_fmt(t->arena, "%.*s.Name", STR_ARG(entry)), k);
                aws_put(t, b, str_fmt(t->arena, "%.*s.Value", STR_ARG(entry)), x, depth + 1);
            } else {
                aws_put(t, b, str_fmt(t->arena, "%.*s.%s", STR_ARG(key), yyjson_mut_get_str(k)), x, depth + 1);
            }
        }
        return;
    }
    field_put(t, b, key, v);
}

struct str body_form(struct template_scope *t, yyjson_mut_val *v, bool aws)
{
    struct buf b = {.arena = t->arena};
    yyjson_mut_val *k, *x, *one;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    while (yyjson_mut_is_obj(v) && (k = yyjson_mut_obj_iter_next(&it))) {
        struct str key = {yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
        bool numbered = str_ends(key, STR(".N"));
        int n = 0;
        x = yyjson_mut_obj_iter_get_val(k);
        if (aws && yyjson_mut_is_obj(x)) {
            aws_put(t, &b, key, x, 0);
        } else if (yyjson_mut_is_arr(x)) {
            yyjson_mut_arr_iter list = yyjson_mut_arr_iter_with(x);
            while ((one = yyjson_mut_arr_iter_next(&list)))
                field_put(t, &b, numbered ? str_fmt(t->arena, "%.*s%d", (int)(key.n - 1), key.p, ++n) : key, one);
        } else {
            field_put(t, &b, key, x);
        }
    }
    return b.n ? buf_finish(&b) : STR("");
}

/* --- multipart/form-data (RFC 7578) --------------------------------------------------------------------------------------------- */

/* Of a name between quotes. */
static void quoted_put(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_z(b, "%22");
        else if (s.p[i] == '\r' || s.p[i] == '\n')
            buf_z(b, s.p[i] == '\r' ? "%0D" : "%0A");
        else
            buf_char(b, s.p[i]);
    }
}

static bool part_put(struct template_scope *t, struct buf *b, struct str boundary, struct str key, yyjson_mut_val *v, struct error *err)
{
    yyjson_mut_val *file = template_get(v, "$file");
    struct str bytes = template_str(t, v), type = template_get_str(file, "mime");
    buf_fmt(b, "--%.*s\r\nContent-Disposition: form-data; name=\"", STR_ARG(boundary));
    quoted_put(b, key);
    if (file) {
        buf_z(b, "\"; filename=\"");
        quoted_put(b, template_get_str(file, "name"));
        buf_z(b, "\"\r\nContent-Type: ");
        quoted_put(b, type.n ? type : STR("application/octet-stream"));
        if (!base64_decode(t->arena, template_get_str(file, "b64"), &bytes))
            return error_set(err, ERROR_BAD_INPUT, "An attachment is not base64");
        buf_z(b, "\r\n\r\n");
    } else {
        buf_z(b, "\"\r\n\r\n");
    }
    buf_str(b, bytes);
    buf_z(b, "\r\n");
    return true;
}

bool body_multipart(struct template_scope *t, yyjson_mut_val *v, struct str boundary, struct str *out, struct error *err)
{
    struct buf b = {.arena = t->arena};
    yyjson_mut_val *k, *x, *one;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    while (yyjson_mut_is_obj(v) && (k = yyjson_mut_obj_iter_next(&it))) {
        struct str key = {yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
        x = yyjson_mut_obj_iter_get_val(k);
        if (!yyjson_mut_is_arr(x)) {
            if (!part_put(t, &b, boundary, key, x, err))
                return false;
            continue;
        }
        yyjson_mut_arr_iter list = yyjson_mut_arr_iter_with(x);
        while ((one = yyjson_mut_arr_iter_next(&list)))
            if (!part_put(t, &b, boundary, key, one, err))
                return false;
    }
    buf_fmt(&b, "--%.*s--\r\n", STR_ARG(boundary));
    *out = buf_finish(&b);
    return true;
}
