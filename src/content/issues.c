/* Finds the issues of control values, source by source, and merges them. */
#include "content/issues.h"

#include "content/cron.h"
#include "content/jsonschema.h"
#include "content/logic_check.h"
#include "content/step_normalise.h"
#include "content/step_schema.h"

#define MISSING_VALUE "MISSING_VALUE"
#define ILLEGAL_VARIABLE "ILLEGAL_VARIABLE_IN_CONTROL_VALUE"
#define INVALID_FILTER_ARG "INVALID_FILTER_ARG_IN_VARIABLE"

struct finder {
    struct arena *a;
    yyjson_mut_doc *d;
    const struct issue_input *in;
    yyjson_mut_val *values;         /* normalised */
    yyjson_mut_val *issues;         /* of the source at work: {path: [issue]} */
};

static yyjson_mut_val *issue(struct finder *f, const char *type, struct str variable, struct str message)
{
    yyjson_mut_val *o = yyjson_mut_obj(f->d);
    json_add_str(f->d, o, "issueType", str_of(type));
    if (variable.p)
        json_add_str(f->d, o, "variableName", variable);
    json_add_str(f->d, o, "message", message);
    return o;
}

static yyjson_mut_val *list_at(struct finder *f, struct str path)
{
    yyjson_mut_val *list = yyjson_mut_obj_getn(f->issues, path.p ? path.p : "", path.n);
    if (!list) {
        list = yyjson_mut_arr(f->d);
        yyjson_mut_obj_add(f->issues, json_mut_str(f->d, path.p ? path : STR("")), list);
    }
    return list;
}

static void add(struct finder *f, struct str path, const char *type, struct str variable, struct str message)
{
    yyjson_mut_arr_append(list_at(f, path), issue(f, type, variable, message));
}

/* ---- against the type's schema ---- */
/* Subject of "subject", Email/body of "email/body". */
static struct str capitalised(struct arena *a, struct str s)
{
    char *p = str_z(a, s);
    for (size_t i = 0; i < s.n; i++) {
        bool upper = p[i] >= 'A' && p[i] <= 'Z', lower = p[i] >= 'a' && p[i] <= 'z';
        if ((i == 0 && lower) || (i > 0 && upper))
            p[i] = (char)(p[i] ^ 0x20);
    }
    return (struct str){p, s.n};
}

static struct str error_path(struct arena *a, const struct jsonschema_error *e)
{
    struct str path = str_sub(e->instance_path, e->instance_path.n > 0, e->instance_path.n);
    if (!path.n)
        return e->missing;
    struct str full = e->missing.n ? str_fmt(a, "%.*s/%.*s", STR_ARG(path), STR_ARG(e->missing)) : str_dup(a, path);
    for (size_t i = 0; i < full.n; i++)
        if (full.p[i] == '/')
            ((char *)full.p)[i] = '.';
    return full;
}

static bool is_url_field(struct str path, const struct jsonschema_error *e)
{
    return str_eqz(path, "url") || str_ends(path, STR(".url")) || str_eqz(path, "avatar") || str_eqz(path, "redirect")
        || str_find(e->instance_path, STR("/url")) >= 0 || str_eqz(e->instance_path, "/avatar")
        || str_eqz(e->instance_path, "/redirect");
}

static struct str error_message(struct finder *f, const struct jsonschema_error *e, struct str path)
{
    bool required = str_eqz(e->keyword, "required"), matching = str_eqz(e->keyword, "pattern") || str_eqz(e->keyword, "anyOf");
    if (required && !f->in->schema && str_eqz(f->in->type, "in_app"))
        return STR("Subject or body is required");
    if (required || str_eqz(e->keyword, "minLength")) {
        struct str name = required ? e->missing : str_sub(e->instance_path, 1, e->instance_path.n);
        name = capitalised(f->a, name);
        return str_fmt(f->a, "%.*s is required", STR_ARG(name));
    }
    if (matching && is_url_field(path, e))
        return str_eqz(f->in->type, "http_request")
            ? STR("Invalid URL. Must be a valid absolute URL (https://...) or {{variable}}")
            : STR("Invalid URL. Must be a valid full URL, path starting with /, or {{variable}}");
    return e->message.n ? e->message : STR("Invalid value");
}

static void error_add(struct finder *f, const struct jsonschema_error *e, struct str path)
{
    bool matching = str_eqz(e->keyword, "pattern") || str_eqz(e->keyword, "anyOf");
    add(f, path, matching ? ILLEGAL_VARIABLE : MISSING_VALUE, path, error_message(f, e, path));
}

/* A URL may fail in every branch of a choice: it is reported once, by the choice if that says so. */
static bool is_first_of_url(struct finder *f, const struct jsonschema_result *r, size_t i, struct str path)
{
    bool choice = false;
    for (size_t k = 0; k < r->errors_n; k++) {
        struct str other = error_path(f->a, &r->errors[k]);
        if (!is_url_field(other, &r->errors[k]) || !str_eq(other, path))
            continue;
        bool is_choice = str_eqz(r->errors[k].keyword, "anyOf");
        if (k < i && (is_choice || !str_eqz(r->errors[i].keyword, "anyOf")))
            return false;
        choice |= is_choice;
    }
    return !choice || str_eqz(r->errors[i].keyword, "anyOf");
}

static void find_schema(struct finder *f)
{
    struct jsonschema_options o = {.all_errors = true, .use_defaults = f->in->schema != NULL};
    struct jsonschema_result r;
    yyjson_val *schema = f->in->schema ? f->in->schema : step_schema(f->a, f->in->type, STEP_SCHEMA_DATA);
    struct jsonschema *program = schema ? jsonschema_compile(f->a, schema, NULL, NULL) : NULL;
    if (!program || !jsonschema_validate_mut(program, f->values, &o, f->a, f->d, &r, NULL) || r.valid)
        return;
    for (int urls = 1; urls >= 0; urls--)
        for (size_t i = 0; i < r.errors_n; i++) {
            struct str path = error_path(f->a, &r.errors[i]);
            if (path.n && is_url_field(path, &r.errors[i]) == urls && (!urls || is_first_of_url(f, &r, i, path)))
                error_add(f, &r.errors[i], path);
        }
}

/* ---- templates ---- */
static void leaf_check(struct finder *f, struct str path, struct str text)
{
    struct template_report report = {0};
    yyjson_val *document = block_document(f->a, text);
    template_check(f->a, document ? block_templates(f->a, document) : text, f->in->variables, &report);
    for (size_t i = 0; i < report.faults_n; i++) {
        const struct template_fault *t = &report.faults[i];
        struct str name = t->name.n ? t->name : STR("{{}}");
        if (t->filter)
            add(f, path, INVALID_FILTER_ARG, name, str_fmt(f->a, "Filter \"%.*s\" in \"%.*s\"", STR_ARG(t->message), STR_ARG(name)));
        else
            add(f, path, ILLEGAL_VARIABLE, name, str_fmt(f->a, "Variable \"%.*s\" %.*s", STR_ARG(name), STR_ARG(t->message)));
    }
}

static void leaves_check(struct finder *f, struct str path, yyjson_val *v)
{
    yyjson_val *e;
    size_t i = 0;
    const char *dot = path.n ? "." : "";
    if (yyjson_is_str(v)) {
        leaf_check(f, path, json_str(v));
    } else if (yyjson_is_obj(v)) {
        yyjson_obj_iter it = yyjson_obj_iter_with(v);
        while ((e = yyjson_obj_iter_next(&it)))
            leaves_check(f, str_fmt(f->a, "%.*s%s%.*s", STR_ARG(path), dot, STR_ARG(json_str(e))), yyjson_obj_iter_get_val(e));
    } else if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while ((e = yyjson_arr_iter_next(&it)))
            leaves_check(f, str_fmt(f->a, "%.*s%s%zu", STR_ARG(path), dot, i++), e);
    }
}

static void find_templates(struct finder *f)
{
    leaves_check(f, STR_NULL, f->in->values);
    leaves_check(f, STR("providerOverrides"), f->in->overrides);
}

/* ---- rules that no schema says ---- */
static struct str value_text(struct finder *f, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(f->values, key);
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

static void check_cron(struct finder *f)
{
    struct str text = value_text(f, "cron");
    struct cron cron;
    struct error err = {0};
    if (text.n && str_find(text, STR("{{")) < 0 && !cron_parse(text, &cron, &err))
        add(f, STR("cron"), MISSING_VALUE, STR("cron"), str_fmt(f->a, "Invalid cron expression: %s", err.message));
}

static void check_throttle(struct finder *f)
{
    static const char rule[] = "Fixed throttle requires 'amount' and 'unit', dynamic throttle requires 'dynamicKey'";
    bool dynamic = str_eqz(value_text(f, "type"), "dynamic");
    const char *const *needed = dynamic ? (const char *const[]){"dynamicKey", NULL} : (const char *const[]){"amount", "unit", NULL};
    for (; *needed; needed++)
        if (!yyjson_mut_obj_get(f->values, *needed))
            add(f, str_of(*needed), MISSING_VALUE, str_of(*needed), str_of(rule));
}

/* A layout shows the step's body somewhere (content.md §4.6). */
static bool shows_content(struct arena *a, yyjson_val *node, int depth)
{
    yyjson_val *e;
    if (str_eqz(json_get_str(node, "type"), "variable") && str_eqz(json_get_str(json_get(node, "attrs"), "id"), "content"))
        return true;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(node, "content"));
    while (depth < JSON_DEPTH_MAX && (e = yyjson_arr_iter_next(&it)))
        if (shows_content(a, e, depth + 1))
            return true;
    return false;
}

static void check_layout(struct finder *f)
{
    struct str body = json_get_str(json_get(f->in->values, "email"), "body");
    yyjson_val *document = block_document(f->a, body);
    bool shown = document && shows_content(f->a, document, 0);
    for (struct str rest = body; !shown && !document;) {
        ptrdiff_t at = str_find(rest, STR("{{"));
        if (at < 0)
            break;
        rest = str_sub(rest, (size_t)at + 2, rest.n);
        ptrdiff_t end = str_find(rest, STR("}}"));
        shown = end >= 0 && str_eqz(str_trim(str_sub(rest, 0, (size_t)end)), "content");
    }
    if (body.n && !shown)
        add(f, STR("email.body"), MISSING_VALUE, STR("content"), STR("The layout body should contain the \"content\" variable"));
}

static void find_rules(struct finder *f)
{
    struct str type = f->in->type;
    if (f->in->schema)
        return;                 /* its values are what its code makes of them */
    if (str_eqz(type, "delay") || str_eqz(type, "digest"))
        check_cron(f);
    else if (str_eqz(type, "throttle"))
        check_throttle(f);
    else if (str_eqz(type, "layout"))
        check_layout(f);
}

/* ---- conditions ---- */
static void find_logic(struct finder *f)
{
    yyjson_val *skip = json_get(f->in->values, "skip");
    struct logic_fault *faults;
    if (!yyjson_is_obj(skip))
        return;
    size_t n = logic_check(f->a, skip, f->in->variables, &faults);
    for (size_t i = 0; i < n; i++)
        add(f, STR("skip"), faults[i].missing ? MISSING_VALUE : ILLEGAL_VARIABLE, faults[i].path.p ? faults[i].path : STR(""),
            faults[i].message);
}

/* ---- merging ---- */
/* Sources come one after the other; what a later one says at the same place and position replaces the earlier, as es-toolkit's
 * merge does to lists. */
static void merge(yyjson_mut_doc *d, yyjson_mut_val *into, yyjson_mut_val *from)
{
    yyjson_mut_val *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *list = yyjson_mut_obj_iter_get_val(k);
        yyjson_mut_val *old = yyjson_mut_obj_getn(into, yyjson_mut_get_str(k), yyjson_mut_get_len(k));
        if (!old) {
            yyjson_mut_obj_add(into, yyjson_mut_val_mut_copy(d, k), yyjson_mut_val_mut_copy(d, list));
            continue;
        }
        size_t i, n;
        yyjson_mut_val *e;
        yyjson_mut_arr_foreach(list, i, n, e) {
            yyjson_mut_val *copy = yyjson_mut_val_mut_copy(d, e);
            if (i < yyjson_mut_arr_size(old))
                yyjson_mut_arr_replace(old, i, copy);
            else
                yyjson_mut_arr_append(old, copy);
        }
    }
}

yyjson_mut_val *control_issues(struct arena *a, yyjson_mut_doc *d, const struct issue_input *in)
{
    static void (*const sources[])(struct finder *f) = {find_schema, find_templates, find_rules, find_logic};
    struct finder f = {.a = a, .d = d, .in = in, .values = step_normalise(d, in->origin, in->type, in->values)};
    yyjson_mut_val *all = yyjson_mut_obj(d);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        f.issues = yyjson_mut_obj(d);
        sources[i](&f);
        merge(d, all, f.issues);
    }
    return all;
}

yyjson_mut_val *step_issues(struct arena *a, yyjson_mut_doc *d, const struct content_workflow *w, size_t step)
{
    yyjson_val *s = yyjson_arr_get(json_get(w->doc, "steps"), step), *variables = NULL;
    json_parse(a, json_write_mut(a, variable_schema(a, d, w, step)), &variables, NULL);
    struct str origin = json_get_str(w->doc, "origin");
    struct issue_input in = {.origin = origin, .type = json_get_str(s, "type"),
                             .schema = str_eqz(origin, "external") ? json_get(s, "controlSchema") : NULL,
                             .values = json_get(s, "controlValues"), .overrides = json_get(s, "providerOverrides"),
                             .variables = variables};
    return control_issues(a, d, &in);
}

bool issues_are_errors(yyjson_val *controls)
{
    yyjson_val *k, *e;
    yyjson_obj_iter it = yyjson_obj_iter_with(controls);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_arr_iter list = yyjson_arr_iter_with(yyjson_obj_iter_get_val(k));
        while ((e = yyjson_arr_iter_next(&list)))
            if (!str_eqz(json_get_str(e, "severity"), "warning"))
                return true;
    }
    return false;
}
