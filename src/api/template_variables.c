/* What a trigger's payload lacks, by the variables of older templates. */
#include "api/template_variables.h"

#include "base/clock.h"

/* What the server knows by itself. */
static bool is_system(struct str name)
{
    static const char *const own[] = {"subscriber", "step", "branding", "tenant", "preheader", "actor"};
    ptrdiff_t dot = str_find(name, STR("."));
    struct str first = dot < 0 ? name : str_sub(name, 0, (size_t)dot);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (str_eqz(first, own[i]))
            return true;
    return false;
}

static bool is_given(yyjson_val *value, struct str type)
{
    if (str_eqz(type, "Array"))
        return yyjson_is_arr(value);
    if (str_eqz(type, "Boolean"))
        return yyjson_is_bool(value);
    if (str_eqz(type, "String"))
        return yyjson_is_str(value) || yyjson_is_num(value);
    return value && !yyjson_is_null(value);
}

static void say(struct buf *missing, struct str name, const char *kind)
{
    buf_fmt(missing, "%s%.*s (%s)", missing->n ? ", " : "", (int)(name.n > 128 ? 128 : name.n), name.p, kind);
}

static void required_check(const struct step_definition *s, yyjson_val *payload, struct buf *missing)
{
    yyjson_val *v;
    size_t i, n;
    yyjson_arr_foreach(s->variables, i, n, v) {
        struct str name = json_get_str(v, "name"), type = json_get_str(v, "type");
        if (name.n && json_get_bool(v, "required", false) && !is_system(name) && !is_given(json_path(payload, name), type))
            say(missing, name, str_eqz(type, "Array") ? "Array" : str_eqz(type, "Boolean") ? "Boolean" : "Value");
    }
}

static void date_check(const struct step_definition *s, yyjson_val *payload, struct buf *missing)
{
    int64_t at;
    if (s->delay_path.n && !time_parse_iso(json_str(json_path(payload, s->delay_path)), &at))
        say(missing, s->delay_path, "ISO Date");
}

/* The object in which the last name of a path belongs, made where it is not; NULL: something else is in its way. */
static yyjson_mut_val *holder(yyjson_mut_doc *d, yyjson_mut_val *o, struct str *name)
{
    ptrdiff_t dot;
    while (yyjson_mut_is_obj(o) && (dot = str_find(*name, STR("."))) >= 0) {
        yyjson_mut_val *next = yyjson_mut_obj_getn(o, name->p, (size_t)dot);
        if (!next) {
            next = yyjson_mut_obj(d);
            yyjson_mut_obj_add(o, json_mut_str(d, str_sub(*name, 0, (size_t)dot)), next);
        }
        o = next;
        *name = str_sub(*name, (size_t)dot + 1, name->n);
    }
    return yyjson_mut_is_obj(o) ? o : NULL;
}

static void defaults_fill(const struct step_definition *s, yyjson_mut_doc *d, yyjson_mut_val *payload)
{
    yyjson_val *v;
    size_t i, n;
    yyjson_arr_foreach(s->variables, i, n, v) {
        struct str name = json_get_str(v, "name");
        yyjson_val *value = json_get(v, "defaultValue");
        if (!name.n || !value || yyjson_is_null(value) || yyjson_equals_str(value, "") || is_system(name))
            continue;
        yyjson_mut_val *o = holder(d, payload, &name);
        if (o && name.n && !yyjson_mut_obj_getn(o, name.p, name.n))
            yyjson_mut_obj_add(o, json_mut_str(d, name), yyjson_val_mut_copy(d, value));
    }
}

bool template_variables_apply(struct arena *a, const struct definition *d, yyjson_val **payload, struct error *err)
{
    struct buf missing = {.arena = a};
    bool any = false;
    for (int i = 0; i < d->steps_n; i++) {
        required_check(&d->steps[i], *payload, &missing);
        date_check(&d->steps[i], *payload, &missing);
        any |= d->steps[i].variables != NULL;
    }
    if (missing.n) {
        struct str all = buf_get(&missing);
        return error_http(err, 400, "payload is missing required key(s) and type(s): %.*s", (int)(all.n > 400 ? 400 : all.n), all.p);
    }
    if (!any)
        return true;
    yyjson_mut_doc *doc = json_doc(a);
    yyjson_mut_val *o = yyjson_is_obj(*payload) ? yyjson_val_mut_copy(doc, *payload) : yyjson_mut_obj(doc);
    for (int i = 0; i < d->steps_n; i++)
        defaults_fill(&d->steps[i], doc, o);
    return json_parse(a, json_write_mut(a, o), payload, err);
}
