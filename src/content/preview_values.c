/* Makes control values fit to be rendered. */
#include "content/preview_private.h"

#include "content/jsonschema.h"
#include "content/step_normalise.h"
#include "content/step_schema.h"

/* What is shown in place of invalid values. */
static const struct { const char *path, *value; } defaults[] = {
    {"subject", ""}, {"body", " "}, {"avatar", "https://www.redirect-example.com"},
    {"primaryAction.label", ""}, {"primaryAction.redirect.url", "https://www.redirect-example.com"},
    {"primaryAction.redirect.target", "_blank"}, {"secondaryAction.label", ""},
    {"secondaryAction.redirect.url", "https://www.redirect-example.com"}, {"secondaryAction.redirect.target", "_blank"},
    {"redirect.url", "https://www.redirect-example.com"}, {"redirect.target", "_blank"},
};

static const char *default_of(struct str path)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (str_eqz(path, defaults[i].path))
            return defaults[i].value;
    return NULL;
}

static struct str text_of(yyjson_mut_val *v)
{
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

/* Sets or, without a default, removes the member at a dotted path. */
static void path_default(yyjson_mut_doc *d, yyjson_mut_val *root, struct str path)
{
    struct str rest = path, part, whole = path;
    bool index;
    yyjson_mut_val *o = root;
    while (path_next(&rest, &part, &index) && rest.n) {
        o = yyjson_mut_is_obj(o) ? yyjson_mut_obj_getn(o, part.p, part.n) : NULL;
        if (!yyjson_mut_is_obj(o))
            return;
    }
    yyjson_mut_val *old = yyjson_mut_obj_getn(o, part.p, part.n);
    /* A template may well render to something valid. */
    if (str_find(text_of(old), STR("{{")) >= 0)
        return;
    const char *value = default_of(whole);
    if (value)
        yyjson_mut_obj_put(o, json_mut_str(d, part), yyjson_mut_str(d, value));
    else
        yyjson_mut_obj_remove_keyn(o, part.p, part.n);
}

static void fit_output(struct arena *a, yyjson_mut_doc *d, struct str type, yyjson_mut_val *values)
{
    struct jsonschema_options o = {.all_errors = true};
    struct jsonschema_result r;
    yyjson_val *schema = step_schema(a, type, STEP_SCHEMA_OUTPUT);
    struct jsonschema *program = schema ? jsonschema_compile(a, schema, NULL, NULL) : NULL;
    if (!program || !jsonschema_validate_mut(program, yyjson_mut_val_mut_copy(d, values), &o, a, d, &r, NULL) || r.valid)
        return;
    for (size_t i = 0; i < r.errors_n; i++) {
        const struct jsonschema_error *e = &r.errors[i];
        struct str path = e->instance_path.n ? str_dup(a, str_sub(e->instance_path, 1, e->instance_path.n)) : e->missing;
        if (str_eqz(e->keyword, "additionalProperties") || !path.n)
            continue;
        for (size_t k = 0; e->instance_path.n && k < path.n; k++)
            if (path.p[k] == '/')
                ((char *)path.p)[k] = '.';
        if (e->instance_path.n || default_of(path))
            path_default(d, values, path);
    }
}

/* text without any `what`. */
static struct str without(struct arena *a, struct str text, struct str what)
{
    struct buf b = {.arena = a};
    ptrdiff_t at;
    if (!what.n)
        return text;
    while ((at = str_find(text, what)) >= 0) {
        buf_add(&b, text.p, (size_t)at);
        text = str_sub(text, (size_t)at + what.n, text.n);
    }
    buf_str(&b, text);
    return buf_finish(&b);
}

/* Empties the variables of a block document that have this name. */
static void blank_variables(yyjson_mut_doc *d, yyjson_mut_val *node, struct str name, struct arena *a, int depth)
{
    yyjson_mut_val *attrs = yyjson_mut_obj_get(node, "attrs"), *e;
    size_t i, n;
    struct str alias = text_of(yyjson_mut_obj_get(attrs, "aliasFor")), id = text_of(yyjson_mut_obj_get(attrs, "id"));
    if (alias.n)
        id = alias;
    id = str_trim(id);
    if (str_eqz(text_of(yyjson_mut_obj_get(node, "type")), "variable") && str_starts(id, name)) {
        yyjson_mut_obj_put(node, yyjson_mut_str(d, "type"), yyjson_mut_str(d, "text"));
        yyjson_mut_obj_put(node, yyjson_mut_str(d, "text"), yyjson_mut_str(d, ""));
        yyjson_mut_obj_remove_key(node, "attrs");
    }
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(node, "content"), i, n, e)
        if (depth < JSON_DEPTH_MAX)
            blank_variables(d, e, name, a, depth + 1);
}

/* A text without the variables that cannot be filled; false: it does not parse. */
static bool text_fit(struct arena *a, struct str text, yyjson_val *variables, struct str *out)
{
    struct template_report report = {0};
    yyjson_val *document = block_document(a, text);
    struct str source = document ? block_templates(a, document) : text;
    *out = text;
    template_check(a, source, variables, &report);
    for (size_t i = 0; i < report.faults_n; i++) {
        const struct template_fault *f = &report.faults[i];
        if (str_eq(f->output, source))
            return false;
        if (document) {
            yyjson_mut_doc *d = json_doc(a);
            yyjson_mut_val *copy = yyjson_val_mut_copy(d, document);
            blank_variables(d, copy, f->name, a, 0);
            *out = json_write_mut(a, copy);
            document = block_document(a, *out);
        } else {
            *out = without(a, *out, f->output);
        }
    }
    report = (struct template_report){0};
    document = block_document(a, *out);
    template_check(a, document ? block_templates(a, document) : *out, NULL, &report);
    for (size_t i = 0; i < report.faults_n; i++)
        if (str_eq(report.faults[i].output, document ? block_templates(a, document) : *out))
            return false;
    return true;
}

static bool leaves_fit(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *v, yyjson_val *variables, int depth)
{
    yyjson_mut_val *e;
    size_t i, n;
    bool ok = true;
    if (yyjson_mut_is_str(v)) {
        struct str out;
        ok = text_fit(a, text_of(v), variables, &out);
        if (ok)
            yyjson_mut_set_strn(v, out.n ? out.p : "", out.n);
    } else if (yyjson_mut_is_obj(v) && depth < JSON_DEPTH_MAX) {
        yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
        while ((e = yyjson_mut_obj_iter_next(&it)))
            ok &= leaves_fit(a, d, yyjson_mut_obj_iter_get_val(e), variables, depth + 1);
    } else if (yyjson_mut_is_arr(v) && depth < JSON_DEPTH_MAX) {
        yyjson_mut_arr_foreach(v, i, n, e)
            ok &= leaves_fit(a, d, e, variables, depth + 1);
    }
    return ok;
}

yyjson_mut_val *preview_values(struct arena *a, yyjson_mut_doc *d, struct str origin, struct str type, yyjson_val *values,
                               yyjson_val *variables)
{
    bool ours = str_eqz(origin, "novu-cloud");
    yyjson_mut_val *o = ours || !yyjson_is_obj(values) ? step_normalise(d, origin, type, values) : yyjson_val_mut_copy(d, values), *k;
    yyjson_mut_obj_remove_key(o, "skip");
    if (ours)
        fit_output(a, d, type, o);
    /* What does not compile makes its whole member something that does. */
    yyjson_mut_val *out = yyjson_mut_obj(d);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(o);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        struct str key = {yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
        yyjson_mut_val *v = yyjson_mut_val_mut_copy(d, yyjson_mut_obj_iter_get_val(k));
        if (leaves_fit(a, d, v, variables, 0))
            yyjson_mut_obj_add(out, json_mut_str(d, key), v);
        else if (default_of(key))
            yyjson_mut_obj_add(out, json_mut_str(d, key), yyjson_mut_str(d, default_of(key)));
        else if (str_eqz(key, "data"))
            yyjson_mut_obj_add(out, json_mut_str(d, key), yyjson_mut_obj(d));
    }
    return out;
}
