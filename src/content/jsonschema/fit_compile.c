/* Makes the program of the quick answer (fit.h) of a compiled schema, one node at a time. */
#include "content/jsonschema/fit.h"

enum { BITS_MAX = 64, MEMBERS_MAX = 50000 };

static tag_set tags_of_types(unsigned types)
{
    return (types & IS_NULL ? TAGS(NULL) : 0) | (types & IS_BOOL ? TAGS(BOOL) : 0) | (types & IS_STRING ? TAGS(STR) : 0) |
           (types & IS_ARRAY ? TAGS(ARR) : 0) | (types & IS_OBJECT ? TAGS(OBJ) : 0) | (types & IS_NUMBER ? TAGS(NUM) : 0) |
           (types & IS_INTEGER ? TAG(NUM, UINT) | TAG(NUM, SINT) : 0);
}

static const struct keyword *keyword_find(const struct node *node, const char *name)
{
    for (size_t i = 0; i < node->keywords_n; i++)
        if (!strcmp(node->keywords[i].type->name, name))
            return &node->keywords[i];
    return NULL;
}

static struct fit_rule *rule_add(struct fit_node *fit, struct fit_rule rule)
{
    fit->further |= rule.tags;
    fit->rules[fit->rules_n] = rule;
    return &fit->rules[fit->rules_n++];
}

/* Values of these types are left to the validation proper. */
static void unknown_add(struct fit_node *fit, tag_set tags)
{
    rule_add(fit, (struct fit_rule){.kind = FIT_UNKNOWN, .tags = tags});
}

static const struct fit_node **fits_of(struct compiler *c, const struct keyword *k)
{
    const struct fit_node **list = ARENA_ARRAY(c->arena, const struct fit_node *, k->n + 1);
    for (size_t i = 0; i < k->n; i++)
        list[i] = k->nodes[i]->fit;
    return list;
}

/* min… and max… of lengths and counts. False: neither is asked for. */
static bool counts_get(const struct node *node, const char *min, const char *max, size_t *least, size_t *most)
{
    const struct keyword *from = keyword_find(node, min), *to = keyword_find(node, max);
    *least = !from ? 0 : from->number < 1e18L ? (size_t)from->number : SIZE_MAX;
    *most = to && to->number < 1e18L ? (size_t)to->number : SIZE_MAX;
    return from || to;
}

/* ---- strings and numbers ---- */

static void string_make(struct compiler *c, const struct node *node, struct fit_node *fit)
{
    struct fit_string s = {0};
    const struct keyword *pattern = keyword_find(node, "pattern"), *format = keyword_find(node, "format");
    const struct format *f = format ? format_find(json_str(format->value)) : NULL;
    bool any = counts_get(node, "minLength", "maxLength", &s.least, &s.most);
    s.plain = pattern ? regex_plain(*pattern->patterns) : NULL;
    s.pattern = pattern && !s.plain ? *pattern->patterns : NULL;
    s.format = f && !f->numbers ? f->text : NULL;
    s.only_length = !pattern && !s.format;
    if (!any && s.only_length)
        return;
    fit->string = ARENA_NEW(c->arena, struct fit_string);
    *fit->string = s;
    fit->further |= TAGS(STR);
}

/* A limit; false: a double does not hold it. */
static bool limit_get(const struct node *node, const char *name, double *out, bool *found)
{
    const struct keyword *k = keyword_find(node, name);
    if (k)
        *out = (double)k->number;
    *found = *found || k;
    return !k || (long double)*out == k->number;
}

/* The same limit for whole numbers. */
static bool whole_limit(double limit, int64_t *out)
{
    *out = limit < -0x1p62 ? INT64_MIN : limit > 0x1p62 ? INT64_MAX : (int64_t)limit;
    return isinf(limit) || fabs(limit) <= 0x1p53;
}

static bool number_get(const struct node *node, struct fit_number *n, bool *found)
{
    double above = -INFINITY, below = INFINITY;
    const struct keyword *multiple = keyword_find(node, "multipleOf"), *format = keyword_find(node, "format");
    const struct format *f = format ? format_find(json_str(format->value)) : NULL;
    bool exact = limit_get(node, "minimum", &n->least, found) && limit_get(node, "maximum", &n->most, found) &&
                 limit_get(node, "exclusiveMinimum", &above, found) && limit_get(node, "exclusiveMaximum", &below, found) &&
                 limit_get(node, "multipleOf", &n->multiple, found);
    n->above = above >= n->least && !isinf(above);
    n->below = below <= n->most && !isinf(below);
    n->least = n->above ? above : n->least;
    n->most = n->below ? below : n->most;
    exact = exact && whole_limit(n->above ? floor(n->least) + 1 : ceil(n->least), &n->least_whole) &&
            whole_limit(n->below ? ceil(n->most) - 1 : floor(n->most), &n->most_whole);
    n->multiple_whole = multiple && yyjson_is_int(multiple->value);
    n->format = f ? f->numbers : 0;
    n->only_limits = !multiple && !n->format;
    *found = *found || n->format;
    return exact;
}

static void number_make(struct compiler *c, const struct node *node, struct fit_node *fit)
{
    struct fit_number n = {.least = -INFINITY, .most = INFINITY};
    bool found = false, exact = number_get(node, &n, &found);
    if (!exact)
        unknown_add(fit, TAGS(NUM));
    if (!found || !exact)
        return;
    fit->number = ARENA_NEW(c->arena, struct fit_number);
    *fit->number = n;
    fit->further |= TAGS(NUM);
}

/* ---- names ---- */

static void members_alloc(struct compiler *c, struct fit_members *m, size_t most)
{
    size_t slots = 4;
    while (slots < most * 2)
        slots *= 2;
    m->mask = slots - 1;
    m->slots = ARENA_ARRAY(c->arena, uint16_t, slots);
    m->list = ARENA_ARRAY(c->arena, struct fit_member, most + 1);
    m->list[0].name.n = UINT32_MAX;
}

/* The member of that name, new if there was none. */
static struct fit_member *member_put(struct fit_members *m, struct str name, bool *is_new)
{
    struct fit_member *old = (struct fit_member *)fit_member_find(m, name.p, name.n);
    *is_new = !old;
    if (old)
        return old;
    m->list[m->n] = (struct fit_member){.name = fit_name_of(name.p, name.n), .text = name.p};
    size_t i = fit_name_hash(m->list[m->n].name) & m->mask;
    while (m->slots[i])
        i = (i + 1) & m->mask;
    m->slots[i] = (uint16_t)++m->n;
    m->list[m->n].name.n = UINT32_MAX;
    return &m->list[m->n - 1];
}

/* ---- objects ---- */

/* false: too many for the set of those seen. */
static bool bit_give(struct fit_member *m, size_t *bits)
{
    if (!m->bit && *bits < BITS_MAX)
        m->bit = (uint64_t)1 << (*bits)++;
    return m->bit;
}

static bool properties_put(struct fit_object *o, const struct keyword *k, size_t *bits)
{
    bool is_new;
    for (size_t i = 0; i < k->n; i++) {
        struct fit_member *m = member_put(&o->members, k->names[i], &is_new);
        if (!is_new)            /* a schema that says it twice */
            return false;
        m->named = true;
        m->node = k->nodes[i]->fit;
        if (!json_get(k->nodes[i]->json, "default"))
            continue;
        if (!bit_give(m, bits))
            return false;
        o->defaults |= m->bit;
    }
    return true;
}

static bool required_put(struct fit_object *o, const struct keyword *k, size_t *bits)
{
    size_t i, n;
    yyjson_val *v;
    bool is_new;
    yyjson_arr_foreach(k->value, i, n, v) {
        struct fit_member *m = member_put(&o->members, json_str(v), &is_new);
        if (!bit_give(m, bits))
            return false;
        o->required |= m->bit;
    }
    return true;
}

static bool object_get(struct compiler *c, const struct node *node, struct fit_object *o)
{
    const struct keyword *properties = keyword_find(node, "properties"), *required = keyword_find(node, "required"),
                         *patterns = keyword_find(node, "patternProperties"), *names = keyword_find(node, "propertyNames"),
                         *others = keyword_find(node, "additionalProperties");
    size_t most = (properties ? properties->n : 0) + (required ? yyjson_arr_size(required->value) : 0), bits = 0;
    if (most > MEMBERS_MAX || keyword_find(node, "dependencies") || keyword_find(node, "dependentRequired") ||
        keyword_find(node, "dependentSchemas"))
        return false;
    members_alloc(c, &o->members, most);
    o->names = names ? names->node->fit : NULL;
    o->others = others && !(others->node->is_boolean && others->node->accepts) ? others->node->fit : NULL;
    if (patterns) {
        o->patterns = patterns->patterns;
        o->patterns_n = patterns->n;
        o->pattern_nodes = fits_of(c, patterns);
    }
    return (!properties || properties_put(o, properties, &bits)) && (!required || required_put(o, required, &bits));
}

static void object_make(struct compiler *c, const struct node *node, struct fit_node *fit)
{
    struct fit_object o = {0};
    bool any = counts_get(node, "minProperties", "maxProperties", &o.least, &o.most);
    for (size_t i = 0; i < node->keywords_n; i++)
        any = any || node->keywords[i].type->types == IS_OBJECT;
    if (!any)
        return;
    if (!object_get(c, node, &o)) {
        unknown_add(fit, TAGS(OBJ));
        return;
    }
    fit->object = ARENA_NEW(c->arena, struct fit_object);
    *fit->object = o;
    fit->further |= TAGS(OBJ);
}

/* ---- arrays ---- */

static void tuple_get(struct compiler *c, const struct keyword *k, struct fit_array *a)
{
    a->tuple = fits_of(c, k);
    a->tuple_n = k->n;
    for (size_t i = 0; i < k->n; i++)
        if (json_get(k->nodes[i]->json, "default"))
            a->tuple_defaults = i + 1;
}

static void array_make(struct compiler *c, const struct node *node, struct fit_node *fit)
{
    struct fit_array a = {0};
    const struct keyword *prefix = keyword_find(node, "prefixItems"), *items = keyword_find(node, "items"),
                         *more = keyword_find(node, "additionalItems"), *contains = keyword_find(node, "contains");
    bool any = counts_get(node, "minItems", "maxItems", &a.least, &a.most);
    if (prefix && items && !items->node) {      /* two tuples: of both dialects */
        unknown_add(fit, TAGS(ARR));
        return;
    }
    a.unique = keyword_find(node, "uniqueItems") != NULL;
    if (prefix || (items && !items->node))
        tuple_get(c, prefix ? prefix : items, &a);
    if (items && items->node)
        a.rest = items->node->fit;
    else if (more && items)
        a.rest = more->node->fit;
    if (contains) {
        a.contains = contains->node->fit;
        a.contains_least = contains->number < 1e18L ? (size_t)ceill(contains->number) : SIZE_MAX;
        a.contains_most = contains->most < 1e18L ? (size_t)contains->most : SIZE_MAX;
    }
    if (!any && !a.unique && !a.tuple && !a.rest && !contains)
        return;
    fit->array = ARENA_NEW(c->arena, struct fit_array);
    *fit->array = a;
    fit->further |= TAGS(ARR);
}

/* ---- any type ---- */

static bool constant_put(struct fit_enum *e, yyjson_val *v)
{
    bool is_new;
    if (yyjson_is_str(v)) {
        member_put(&e->strings, json_str(v), &is_new);
    } else if (yyjson_is_num(v)) {
        double d = yyjson_get_num(v);
        e->numbers[e->numbers_n++] = d;
        return yyjson_is_real(v) || (d >= -0x1p53 && d <= 0x1p53);
    } else if (yyjson_is_ctn(v)) {
        e->hard |= yyjson_is_arr(v) ? TAGS(ARR) : TAGS(OBJ);
    } else {
        e->same |= tag_of(v);
    }
    return true;
}

static void enum_make(struct compiler *c, struct fit_node *fit, const struct keyword *k)
{
    bool is_list = !strcmp(k->type->name, "enum"), exact = true;
    size_t i, n = is_list ? yyjson_arr_size(k->value) : 1;
    yyjson_val *v;
    struct fit_enum *e = ARENA_NEW(c->arena, struct fit_enum);
    if (n > MEMBERS_MAX) {
        unknown_add(fit, ~(tag_set)0);
        return;
    }
    members_alloc(c, &e->strings, n);
    e->numbers = ARENA_ARRAY(c->arena, double, n + 1);
    if (!is_list)
        exact = constant_put(e, k->value);
    else
        yyjson_arr_foreach(k->value, i, n, v)
            exact = constant_put(e, v) && exact;
    e->hard |= exact ? 0 : TAGS(NUM);
    rule_add(fit, (struct fit_rule){.kind = FIT_ENUM, .tags = ~(tag_set)0, .constants = e});
}

static void rules_make(struct compiler *c, const struct node *node, struct fit_node *fit)
{
    static const struct { const char *name; int kind; } lists[] = {
        {"anyOf", FIT_ANY_OF}, {"allOf", FIT_ALL_OF}, {"oneOf", FIT_ONE_OF},
    };
    const tag_set all = ~(tag_set)0;
    for (size_t i = 0; i < node->keywords_n; i++) {
        const struct keyword *k = &node->keywords[i];
        const char *name = k->type->name;
        if (!strcmp(name, "enum") || !strcmp(name, "const"))
            enum_make(c, fit, k);
        else if (k->dynamic.n)
            unknown_add(fit, all);
        else if (!strcmp(name, "$ref") || !strcmp(name, "$dynamicRef"))
            rule_add(fit, (struct fit_rule){.kind = FIT_REF, .tags = all, .node = k->node->fit});
        else if (!strcmp(name, "not"))
            rule_add(fit, (struct fit_rule){.kind = FIT_NOT, .tags = all, .node = k->node->fit});
        else if (!strcmp(name, "if"))
            rule_add(fit, (struct fit_rule){.kind = FIT_IF, .tags = all, .node = k->node->fit,
                                            .then = k->nodes[0] ? k->nodes[0]->fit : NULL,
                                            .otherwise = k->nodes[1] ? k->nodes[1]->fit : NULL});
        for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
            if (!strcmp(name, lists[l].name))
                rule_add(fit, (struct fit_rule){.kind = lists[l].kind, .tags = all, .nodes = fits_of(c, k), .n = k->n});
    }
}

struct fit_node *fit_node_new(struct arena *a)
{
    return ARENA_NEW(a, struct fit_node);
}

void fit_node_make(struct compiler *c, const struct node *node)
{
    struct fit_node *fit = node->fit;
    const struct keyword *type = keyword_find(node, "type");
    unsigned types = node->is_boolean ? (node->accepts ? IS_ANY : 0) : type ? type->types : IS_ANY;
    fit->accepts = types == IS_ANY ? ~(tag_set)0 : tags_of_types(types);
    fit->whole = types & IS_INTEGER && !(types & IS_NUMBER);
    fit->rules = ARENA_ARRAY(c->arena, struct fit_rule, node->keywords_n + 2);
    rules_make(c, node, fit);
    string_make(c, node, fit);
    number_make(c, node, fit);
    array_make(c, node, fit);
    object_make(c, node, fit);
    fit->next = c->fit_nodes;
    c->fit_nodes = fit;
}

/* What the members' nodes ask, at hand in the members. */
static void members_finish(struct fit_object *o)
{
    for (size_t i = 0; i < o->members.n; i++) {
        struct fit_member *m = &o->members.list[i];
        if (!m->named && !o->patterns_n)
            m->node = o->others;
        m->accepts = m->node ? m->node->accepts : ~(tag_set)0;
        m->further = m->node ? m->node->further : 0;
        m->whole = m->node && m->node->whole;
    }
}

void fit_finish(struct compiler *c)
{
    for (struct fit_node *fit = c->fit_nodes; fit; fit = fit->next) {
        if (fit->object)
            members_finish(fit->object);
        fit_node_link(fit);
    }
}
