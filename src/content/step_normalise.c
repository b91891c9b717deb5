/* Normalises control values, a function for each type that has more to it than members and empty texts. */
#include "content/step_normalise.h"

#include <math.h>
#include <stdlib.h>

struct normaliser {
    yyjson_mut_doc *d;
    yyjson_val *in;
    yyjson_mut_val *out;
};

/* Everything but null. */
static void keep(struct normaliser *n, const char *key)
{
    yyjson_val *v = json_get(n->in, key);
    if (v && !yyjson_is_null(v))
        json_add_val(n->d, n->out, key, v);
}

/* Empty as lodash has it: numbers and booleans are empty too. */
static bool is_empty(yyjson_val *v)
{
    if (yyjson_is_str(v))
        return yyjson_get_len(v) == 0;
    return !yyjson_is_ctn(v) || yyjson_get_len(v) == 0;
}

static bool keep_filled(struct normaliser *n, const char *key)
{
    yyjson_val *v = json_get(n->in, key);
    if (is_empty(v))
        return false;
    json_add_val(n->d, n->out, key, v);
    return true;
}

static void keep_all(struct normaliser *n, const char *const *keys)
{
    for (; *keys; keys++)
        keep(n, *keys);
}

/* parseInt: the leading digits of a text; a number stays as it is. What is no number is left out. */
static void keep_amount(struct normaliser *n, yyjson_val *from, yyjson_mut_val *to)
{
    yyjson_val *v = json_get(from, "amount");
    if (yyjson_is_num(v)) {
        json_add_val(n->d, to, "amount", v);
    } else if (yyjson_is_str(v)) {
        struct str s = str_trim(json_str(v));
        size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
        double value = 0;
        bool any = false;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, any = true)
            value = value * 10 + (s.p[i] - '0');
        value = s.n && s.p[0] == '-' ? -value : value;
        if (any && fabs(value) < 9e15)
            json_add_int(n->d, to, "amount", (int64_t)value);
        else if (any && isfinite(value))
            yyjson_mut_obj_add_real(n->d, to, "amount", value);
    }
}

static yyjson_mut_val *redirect_of(struct normaliser *n, yyjson_val *v)
{
    yyjson_val *url = json_get(v, "url"), *target = json_get(v, "target");
    if (is_empty(url) || is_empty(target))
        return NULL;
    yyjson_mut_val *o = yyjson_mut_obj(n->d);
    json_add_val(n->d, o, "url", url);
    json_add_val(n->d, o, "target", target);
    return o;
}

static void keep_redirect(struct normaliser *n, yyjson_val *from, yyjson_mut_val *to)
{
    yyjson_mut_val *redirect = redirect_of(n, json_get(from, "redirect"));
    if (redirect)
        yyjson_mut_obj_add_val(n->d, to, "redirect", redirect);
}

static void keep_action(struct normaliser *n, const char *key)
{
    yyjson_val *v = json_get(n->in, key), *label = json_get(v, "label");
    if (is_empty(label))
        return;
    yyjson_mut_val *o = json_add_obj(n->d, n->out, key);
    json_add_val(n->d, o, "label", label);
    keep_redirect(n, v, o);
}

static void normalise_in_app(struct normaliser *n)
{
    static const char *const rest[] = {"data", "skip", "disableOutputSanitization", NULL};
    keep_filled(n, "subject");
    keep_filled(n, "body");
    keep_filled(n, "avatar");
    keep_action(n, "primaryAction");
    keep_action(n, "secondaryAction");
    keep_redirect(n, n->in, n->out);
    keep_all(n, rest);
}

static void normalise_email(struct normaliser *n)
{
    static const char *const rest[] = {"skip", "disableOutputSanitization", "editorType", "from", "replyTo", "preheader",
                                       "useProviderDefaults", NULL};
    yyjson_val *layout = json_get(n->in, "layoutId");
    if (!keep_filled(n, "subject"))
        json_add_str(n->d, n->out, "subject", STR(" "));
    if (!keep_filled(n, "body"))
        json_add_str(n->d, n->out, "body", STR("{\"type\":\"doc\",\"content\":[{\"type\":\"paragraph\"}]}"));
    if (layout)         /* null is a choice: no layout */
        json_add_val(n->d, n->out, "layoutId", layout);
    keep_all(n, rest);
}

static void normalise_text(struct normaliser *n)
{
    keep_filled(n, "subject");
    keep_filled(n, "body");
    keep(n, "skip");
}

static void normalise_chat(struct normaliser *n)
{
    keep_filled(n, "body");
    keep(n, "skip");
    keep(n, "editorType");
}

static void normalise_digest(struct normaliser *n)
{
    static const char *const rest[] = {"digestKey", "skip", "extendToSchedule", NULL};
    struct str type = json_get_str(n->in, "type");
    yyjson_val *window = json_get(n->in, "lookBackWindow");
    if (!is_empty(json_get(n->in, "cron")) || str_eqz(type, "timed")) {
        keep(n, "cron");
        if (str_eqz(type, "timed"))
            keep(n, "type");
    } else {
        keep_amount(n, n->in, n->out);
        keep(n, "unit");
        if (str_eqz(type, "regular"))
            keep(n, "type");
        if (yyjson_is_obj(window)) {
            yyjson_mut_val *o = json_add_obj(n->d, n->out, "lookBackWindow");
            keep_amount(n, window, o);
            json_add_val(n->d, o, "unit", json_get(window, "unit"));
        }
    }
    keep_all(n, rest);
}

/* A type is told by its members where it is not given: clients with closed types cannot say `dynamic`
 * (rest-api.md §1). Members of the other types are left-overs of a form. */
static void normalise_delay(struct normaliser *n)
{
    yyjson_val *type = json_get(n->in, "type");
    struct str name = json_str(type);
    bool known = str_eqz(name, "regular") || str_eqz(name, "timed") || str_eqz(name, "dynamic");
    if (!type || yyjson_is_null(type)) {
        name = !is_empty(json_get(n->in, "dynamicKey")) ? STR("dynamic") : !is_empty(json_get(n->in, "cron")) ? STR("timed")
             : STR("regular");
        json_add_str(n->d, n->out, "type", name);
    } else {
        keep(n, "type");
    }
    if (!known && type && !yyjson_is_null(type))
        name = STR("regular");
    if (str_eqz(name, "timed")) {
        keep(n, "cron");
    } else if (str_eqz(name, "dynamic")) {
        keep(n, "dynamicKey");
    } else {
        keep_amount(n, n->in, n->out);
        keep(n, "unit");
    }
    keep(n, "skip");
    keep(n, "extendToSchedule");
}

static void normalise_layout(struct normaliser *n)
{
    yyjson_val *email = json_get(n->in, "email");
    struct normaliser inner = {n->d, email, json_add_obj(n->d, n->out, "email")};
    keep(&inner, "body");
    keep(&inner, "editorType");
}

static void normalise_other(struct normaliser *n)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(n->in);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        if (!yyjson_is_null(v))
            yyjson_mut_obj_add(n->out, yyjson_val_mut_copy(n->d, k), yyjson_val_mut_copy(n->d, v));
    }
}

static const struct { const char *type; void (*normalise)(struct normaliser *n); } types[] = {
    {"in_app", normalise_in_app}, {"email", normalise_email}, {"sms", normalise_text}, {"push", normalise_text},
    {"tool", normalise_text}, {"chat", normalise_chat}, {"digest", normalise_digest}, {"delay", normalise_delay},
    {"layout", normalise_layout},
};

static yyjson_mut_val *blanks_to_null(yyjson_mut_doc *d, yyjson_val *v)
{
    if (yyjson_is_str(v))
        return str_trim(json_str(v)).n ? yyjson_val_mut_copy(d, v) : yyjson_mut_null(d);
    if (yyjson_is_arr(v)) {
        yyjson_mut_val *out = yyjson_mut_arr(d);
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        for (yyjson_val *e; (e = yyjson_arr_iter_next(&it));)
            yyjson_mut_arr_append(out, blanks_to_null(d, e));
        return out;
    }
    if (yyjson_is_obj(v)) {
        yyjson_mut_val *out = yyjson_mut_obj(d);
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        for (yyjson_val *k; (k = yyjson_obj_iter_next(&it));)
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), blanks_to_null(d, yyjson_obj_iter_get_val(k)));
        return out;
    }
    return yyjson_val_mut_copy(d, v);
}

yyjson_mut_val *step_normalise(yyjson_mut_doc *d, struct str origin, struct str type, yyjson_val *values)
{
    struct normaliser n = {d, values, yyjson_mut_obj(d)};
    if (!yyjson_is_obj(values) && !str_eqz(type, "email"))
        return n.out;
    if (!str_eqz(origin, "novu-cloud"))
        return yyjson_is_obj(values) ? blanks_to_null(d, values) : n.out;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eqz(type, types[i].type)) {
            types[i].normalise(&n);
            return n.out;
        }
    normalise_other(&n);
    return n.out;
}
