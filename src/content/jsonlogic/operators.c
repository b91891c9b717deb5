/* The operators that JSON-logic brings along (json-logic-js 2.0.5), but for those that decide what is evaluated. */
#include "content/jsonlogic/value.h"

static bool op_same(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    struct logic_value x = logic_arg(a, 0), y = logic_arg(a, 1);
    *out = logic_bool(logic_same(&x, &y));
    return true;
}

static bool op_not_same(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    struct logic_value x = logic_arg(a, 0), y = logic_arg(a, 1);
    *out = logic_bool(!logic_same(&x, &y));
    return true;
}

static bool truth(const struct logic_args *a)
{
    return a->n && logic_truthy(&a->v[0]);
}

static bool op_truth(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(truth(a));
    return true;
}

static bool op_not(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;
    *out = logic_bool(!truth(a));
    return true;
}

static bool op_log(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    (void)e;        /* upstream prints it to the console; what users send does not belong in our log */
    *out = logic_arg(a, 0);
    return true;
}

static bool op_modulo(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    *out = logic_number(fmod(logic_to_number(e, logic_arg(a, 0)), logic_to_number(e, logic_arg(a, 1))));
    return true;
}

static double float_of(struct evaluation *e, struct logic_value v)
{
    return v.kind == LOGIC_NUMBER ? v.number : logic_float_of(logic_string(e, v));
}

static bool op_add(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double sum = 0;
    for (size_t i = 0; i < a->n; i++)
        sum += float_of(e, a->v[i]);
    *out = logic_number(sum);
    return true;
}

/* One factor is given back as it is: JavaScript's reduce has nothing to multiply it with. */
static bool op_multiply(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    if (!a->n)
        return error_set(e->err, ERROR_BAD_INPUT, "Reduce of empty array with no initial value");
    *out = a->v[0];
    for (size_t i = 1; i < a->n; i++)
        *out = logic_number(float_of(e, *out) * float_of(e, a->v[i]));
    return true;
}

static bool op_subtract(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double left = logic_to_number(e, logic_arg(a, 0));
    struct logic_value right = logic_arg(a, 1);
    *out = logic_number(right.kind == LOGIC_UNDEFINED ? -left : left - logic_to_number(e, right));
    return true;
}

static bool op_divide(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    *out = logic_number(logic_to_number(e, logic_arg(a, 0)) / logic_to_number(e, logic_arg(a, 1)));
    return true;
}

static bool op_min(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double least = INFINITY;
    for (size_t i = 0; i < a->n; i++) {
        double n = logic_to_number(e, a->v[i]);
        least = isnan(least) || isnan(n) ? NAN : n < least ? n : least;
    }
    *out = logic_number(least);
    return true;
}

static bool op_max(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    double most = -INFINITY;
    for (size_t i = 0; i < a->n; i++) {
        double n = logic_to_number(e, a->v[i]);
        most = isnan(most) || isnan(n) ? NAN : n > most ? n : most;
    }
    *out = logic_number(most);
    return true;
}

static bool op_cat(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    struct buf b = {.arena = e->arena};
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].kind == LOGIC_NULL || a->v[i].kind == LOGIC_UNDEFINED)
            continue;
        struct str text = logic_string(e, a->v[i]);
        if (!logic_memory(e, text.n))
            return false;
        buf_str(&b, text);
    }
    *out = logic_text(b.p ? buf_get(&b) : STR(""));
    return true;
}

/* Integer part, as string positions are taken; NaN is 0. */
static double integer_of(double n)
{
    return isnan(n) ? 0 : trunc(n);
}

/* String.prototype.substr; a negative length means that many units less at the end, as in PHP. */
static bool op_substr(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    struct str s = logic_string(e, logic_arg(a, 0));
    struct logic_value length = logic_arg(a, 2);
    double units = (double)logic_units(s), from = integer_of(logic_to_number(e, logic_arg(a, 1)));
    double wanted = length.kind == LOGIC_UNDEFINED ? INFINITY : integer_of(logic_to_number(e, length));
    if (!logic_work(e, (int64_t)(s.n / 64)) || !logic_memory(e, s.n))
        return false;
    from = from < 0 ? fmax(0, units + from) : fmin(from, units);
    double to = wanted < 0 ? units + wanted : fmin(units, from + wanted);
    *out = logic_text(to <= from ? STR("") : logic_slice(e->arena, s, (size_t)from, (size_t)to));
    return true;
}

static bool op_in(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    struct logic_value needle = logic_arg(a, 0), hay = logic_arg(a, 1);
    const struct logic_value *items;
    size_t n;
    *out = logic_bool(false);
    if (hay.kind == LOGIC_STRING && hay.text.n) {       /* an empty string is no haystack at all (`!b`) */
        out->truth = str_find(hay.text, logic_string(e, needle)) >= 0;
        return logic_work(e, (int64_t)(hay.text.n / 64));
    }
    if (!logic_is_array(hay))
        return true;
    if (!logic_items(e, hay, &items, &n))
        return false;
    for (size_t i = 0; i < n && !out->truth; i++)
        out->truth = logic_same(&items[i], &needle);
    return true;
}

/* Everything in one list; arguments that are arrays give their elements. */
static bool op_merge(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < a->n; i++)
        total += logic_is_array(a->v[i]) ? logic_length(a->v[i]) : 1;
    if (!logic_work(e, (int64_t)total) || !logic_memory(e, total * sizeof(struct logic_value)))
        return false;
    struct logic_value *list = ARENA_ARRAY(e->arena, struct logic_value, total + 1);
    for (size_t i = 0; i < a->n; i++) {
        const struct logic_value *items = &a->v[i];
        size_t n = 1;
        if (logic_is_array(a->v[i]) && !logic_items(e, a->v[i], &items, &n))
            return false;
        memcpy(list + at, items, n * sizeof *items);
        at += n;
    }
    *out = logic_list(list, total);
    return true;
}

/* ---- the data ---- */

/* Remembers what a rule looked up, for the reader of the run's details. */
static void lookup_note(struct evaluation *e, const struct logic_value *data, struct str path, struct logic_value v)
{
    enum { LOOKUPS_MAX = 100, LOOKUP_BYTES_MAX = 4096 };
    yyjson_mut_val *list = e->context->lookups, *copy;
    bool whole = data->kind == LOGIC_ROOT || (data->kind == LOGIC_OBJECT && data->json == e->context->data);
    if (!whole || !path.n || path.n > 512 || e->lookups_n == LOOKUPS_MAX || yyjson_mut_obj_getn(list, path.p, path.n))
        return;
    struct evaluation apart = *e;       /* its cost is not the rule's, and may fail */
    apart.err = NULL;
    apart.operations_left = LOOKUP_BYTES_MAX;
    apart.memory_left = LOOKUP_BYTES_MAX;
    if (logic_to_mut(&apart, v, &copy) && copy) {
        yyjson_mut_obj_add(list, yyjson_mut_strncpy(e->doc, path.p, path.n), copy);
        e->lookups_n++;
    }
}

struct logic_path *logic_path_of(struct arena *a, struct str text)
{
    struct logic_path *path = ARENA_NEW(a, struct logic_path);
    path->text = text;
    path->n = 1;
    for (size_t i = 0; i < text.n; i++)
        path->n += text.p[i] == '.';
    path->steps = ARENA_ARRAY(a, struct logic_step, path->n);
    for (size_t i = 0; i < path->n; i++) {
        ptrdiff_t dot = str_find(text, STR("."));
        path->steps[i] = logic_step_of(str_sub(text, 0, dot < 0 ? text.n : (size_t)dot));
        text = str_sub(text, dot < 0 ? text.n : (size_t)dot + 1, text.n);
    }
    return path;
}

/* The rest of the path, as JavaScript looks into what is no object. */
static void path_walk(struct evaluation *e, const struct logic_path *path, size_t i, const struct logic_value *otherwise,
                      struct logic_value *at)
{
    for (; i < path->n && at->kind != LOGIC_NULL && at->kind != LOGIC_UNDEFINED; i++)
        *at = logic_property_step(e, *at, &path->steps[i]);
    if (i < path->n || at->kind == LOGIC_UNDEFINED)
        *at = *otherwise;
}

/* Through objects as long as there are any, which is nearly always to the end. */
static void path_get(struct evaluation *e, const struct logic_value *data, const struct logic_path *path,
                     const struct logic_value *otherwise, struct logic_value *out)
{
    yyjson_val *v = NULL;
    size_t i = 0;
    if (data->kind == LOGIC_OBJECT)
        v = data->json;
    else if (data->kind == LOGIC_ROOT)
        v = logic_root_member(e, path->steps[i++].name);
    else
        *out = *data;
    for (; v && i < path->n && unsafe_yyjson_is_obj(v); i++)
        v = logic_member(e, v, path->steps[i].name);
    if (v)
        logic_set(out, v);
    else if (data->kind == LOGIC_OBJECT || data->kind == LOGIC_ROOT)
        *out = LOGIC_OF(LOGIC_UNDEFINED);
    if (i < path->n || !v)
        path_walk(e, path, i, otherwise, out);
}

bool logic_variable(struct evaluation *e, const struct logic_value *data, const struct logic_path *path,
                    const struct logic_value *otherwise, struct logic_value *out)
{
    if (!logic_work(e, (int64_t)(path->text.n / 16)))
        return false;
    path_get(e, data, path, otherwise, out);
    if (e->context->lookups) {
        const struct logic_value nothing = LOGIC_OF(LOGIC_NULL);
        struct logic_value found = *out;
        if (otherwise->kind != LOGIC_NULL)      /* a default was not looked up, and may be what is shown to nobody */
            path_get(e, data, path, &nothing, &found);
        lookup_note(e, data, path->text, found);
    }
    return true;
}

/* Where the path is known only now. */
static bool op_var(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    struct logic_value name = logic_arg(a, 0), otherwise = logic_arg(a, 1);
    if (otherwise.kind == LOGIC_UNDEFINED)
        otherwise = LOGIC_OF(LOGIC_NULL);
    *out = *a->data;
    if (name.kind == LOGIC_UNDEFINED || name.kind == LOGIC_NULL || (name.kind == LOGIC_STRING && !name.text.n))
        return true;
    struct str path = logic_string(e, name);
    if (!logic_work(e, (int64_t)(path.n / 16)) || !logic_memory(e, (path.n + 1) * sizeof(struct logic_step)))
        return false;
    return logic_variable(e, a->data, logic_path_of(e->arena, path), &otherwise, out);
}

/* The keys among keys[0…n) whose value is missing, null or "". */
static bool missing_of(struct evaluation *e, const struct logic_args *a, const struct logic_value *keys, size_t n,
                       struct logic_value *out)
{
    size_t found = 0;
    if (!logic_work(e, (int64_t)n) || !logic_memory(e, n * sizeof *keys))
        return false;
    struct logic_value *list = ARENA_ARRAY(e->arena, struct logic_value, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct logic_args one = {.v = &keys[i], .n = 1, .data = a->data};
        struct logic_value v;
        if (logic_is_array(keys[i]) && !logic_items(e, keys[i], &one.v, &one.n))    /* [path, default] */
            return false;
        if (!op_var(e, &one, &v))
            return false;
        if (v.kind == LOGIC_NULL || (v.kind == LOGIC_STRING && !v.text.n))
            list[found++] = keys[i];
    }
    *out = logic_list(list, found);
    return true;
}

/* Takes paths as arguments, or as one array. */
static bool op_missing(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    const struct logic_value *keys = a->v;
    size_t n = a->n;
    if (logic_is_array(logic_arg(a, 0)) && !logic_items(e, a->v[0], &keys, &n))
        return false;
    return missing_of(e, a, keys, n, out);
}

static bool op_missing_some(struct evaluation *e, const struct logic_args *a, struct logic_value *out)
{
    struct logic_value options = logic_arg(a, 1);
    const struct logic_value *keys = &options;
    double of = options.kind == LOGIC_STRING ? (double)logic_units(options.text) : NAN;    /* what has no length never suffices */
    size_t n = 1;
    if (logic_is_array(options)) {
        if (!logic_items(e, options, &keys, &n))
            return false;
        of = (double)n;
        if (n && logic_is_array(keys[0]) && !logic_items(e, keys[0], &keys, &n))
            return false;
    }
    if (!missing_of(e, a, keys, n, out))
        return false;
    if (of - (double)logic_length(*out) >= logic_to_number(e, logic_arg(a, 0)))
        *out = logic_list(NULL, 0);
    return true;
}

const struct logic_operator logic_base_operators[] = {
    {"var", op_var}, {"===", op_same}, {"!==", op_not_same}, {"!", op_not}, {"!!", op_truth}, {"in", op_in},
    {"missing", op_missing}, {"missing_some", op_missing_some}, {"+", op_add}, {"-", op_subtract}, {"*", op_multiply},
    {"/", op_divide}, {"%", op_modulo}, {"min", op_min}, {"max", op_max}, {"cat", op_cat}, {"substr", op_substr},
    {"merge", op_merge}, {"log", op_log}, {NULL, NULL},
};
