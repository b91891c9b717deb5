/* Walks parsed templates for the variables in them. */
#include "content/template_check.h"

#include "content/liquid/liquid_private.h"

struct local { struct str name, alias; };       /* alias: the path it stands for, or empty */

struct walk {
    struct arena *a;
    struct str source;
    yyjson_val *schema;
    struct template_report *report;
    struct local *locals;
    size_t locals_n, locals_cap;
    struct str output;                          /* what is being looked at */
};

/* ---- paths and schemas ---- */
bool path_next(struct str *path, struct str *part, bool *index)
{
    size_t i = 0;
    if (!path->n)
        return false;
    *index = path->p[0] == '[';
    if (*index) {
        while (i < path->n && path->p[i] != ']')
            i++;
        *part = str_sub(*path, 1, i);
        i += i < path->n;
    } else {
        while (i < path->n && path->p[i] != '.' && path->p[i] != '[')
            i++;
        *part = str_sub(*path, 0, i);
    }
    *path = str_sub(*path, i, path->n);
    if (path->n && path->p[0] == '.')
        *path = str_sub(*path, 1, path->n);
    return true;
}

static bool is_index(struct str s)
{
    int64_t n;
    return str_to_i64(s, &n) && n >= 0;
}

/* Schemas that say what is allowed in other words than properties are taken to allow it. */
static bool is_composed(yyjson_val *schema)
{
    return json_get(schema, "$ref") || json_get(schema, "anyOf") || json_get(schema, "oneOf") || json_get(schema, "allOf")
        || json_get(schema, "patternProperties");
}

static bool type_is(yyjson_val *schema, const char *type)
{
    yyjson_val *t = json_get(schema, "type"), *e;
    yyjson_arr_iter it = yyjson_arr_iter_with(t);
    if (yyjson_is_str(t))
        return str_eqz(json_str(t), type);
    while ((e = yyjson_arr_iter_next(&it)))
        if (str_eqz(json_str(e), type))
            return true;
    return false;
}

bool schema_allows(yyjson_val *schema, struct str path)
{
    struct str part;
    bool index;
    while (path_next(&path, &part, &index)) {
        yyjson_val *next = json_getn(json_get(schema, "properties"), part), *items = json_get(schema, "items");
        if (!next && type_is(schema, "array"))
            next = is_index(part) ? items : json_getn(json_get(items, "properties"), part);
        if (!next)
            return yyjson_is_true(json_get(schema, "additionalProperties")) || is_composed(schema)
                || (type_is(schema, "array") && is_composed(items));
        if (yyjson_is_true(next))
            return true;
        schema = next;
    }
    return true;
}

/* ---- findings ---- */
static struct str begin_to(struct walk *w, size_t begin, const char *close)
{
    struct str rest = str_sub(w->source, begin, w->source.n);
    ptrdiff_t end = str_find(rest, str_of(close));
    return end < 0 ? rest : str_sub(rest, 0, (size_t)end + 2);
}

/* More than a person reads; looking a name up is linear. */
enum { FINDINGS_MAX = 1000 };

static struct template_fault *fault_new(struct walk *w, struct str name)
{
    if (w->report->faults_n >= FINDINGS_MAX)
        return NULL;
    for (size_t i = 0; i < w->report->faults_n; i++)
        if (str_eq(w->report->faults[i].name, name))
            return NULL;
    struct template_fault *f = ARENA_SLOT(w->a, w->report->faults, w->report->faults_n, w->report->faults_cap);
    *f = (struct template_fault){.name = name, .output = w->output};
    return f;
}

static void fault_add(struct walk *w, struct str name, struct str message, bool filter)
{
    struct template_fault *f = fault_new(w, name);
    if (f) {
        f->message = message;
        f->filter = filter;
    }
}

static void use_add(struct arena *a, struct template_report *r, struct str path, bool array, bool condition)
{
    for (size_t i = 0; i < r->uses_n; i++)
        if (str_eq(r->uses[i].path, path)) {
            r->uses[i].array |= array;
            r->uses[i].condition |= condition;
            return;
        }
    if (r->uses_n < FINDINGS_MAX)
        *ARENA_SLOT(a, r->uses, r->uses_n, r->uses_cap) = (struct template_use){path, array, condition};
}

static const struct local *local_find(const struct walk *w, struct str name)
{
    size_t i = 0;
    while (i < name.n && name.p[i] != '.' && name.p[i] != '[')
        i++;
    struct str first = str_sub(name, 0, i);
    for (size_t k = w->locals_n; k-- > 0;)
        if (str_eq(w->locals[k].name, first))
            return &w->locals[k];
    return NULL;
}

static void local_add(struct walk *w, struct str name, struct str alias)
{
    if (w->locals_n < FINDINGS_MAX)
        *ARENA_SLOT(w->a, w->locals, w->locals_n, w->locals_cap) = (struct local){name, alias};
}

/* A local's path from the top, or an empty text. */
static struct str local_path(struct walk *w, const struct local *l, struct str name)
{
    struct str rest = str_sub(name, l->name.n, name.n);
    return l->alias.n ? str_fmt(w->a, "%.*s%.*s", STR_ARG(l->alias), STR_ARG(rest)) : STR_NULL;
}

static void name_check(struct walk *w, struct str name, bool array)
{
    const struct local *local = local_find(w, name);
    if (local) {
        struct str path = local_path(w, local, name);
        if (path.n)
            use_add(w->a, w->report, path, array, false);
        return;
    }
    if (str_starts(name, STR("t.")))            /* translations are looked up elsewhere */
        return;
    struct str rest = name, part;
    bool index;
    path_next(&rest, &part, &index);
    bool bare = !memchr(name.p, '.', name.n);
    /* A schema may have a variable of no namespace, as layouts have `content`. */
    yyjson_val *own = bare && w->schema ? json_getn(json_get(w->schema, "properties"), name) : NULL;
    if (bare && !type_is(own, "string"))
        fault_add(w, name, STR("missing namespace"), false);
    else if (w->schema && !schema_allows(w->schema, name))
        fault_add(w, name, STR("is not supported"), false);
    else
        use_add(w->a, w->report, name, array, false);
}

/* ---- expressions ---- */
static void operand_check(struct walk *w, const struct operand *o, bool array);

/* The written path up to its first computed key. */
static struct str path_name(struct walk *w, const struct liquid_path *p)
{
    struct buf b = {.arena = w->a};
    for (uint32_t i = 0; i < p->keys_n; i++) {
        const struct operand *k = &p->keys[i];
        if (k->kind != OPERAND_VALUE || (k->value.kind != V_STRING && k->value.kind != V_NUMBER)) {
            operand_check(w, k, false);
            break;
        }
        if (k->value.kind == V_NUMBER)
            buf_fmt(&b, "[%.0f]", k->value.number);
        else
            buf_fmt(&b, "%s%.*s", i ? "." : "", STR_ARG(k->value.s));
    }
    return buf_finish(&b);
}

static struct str operand_name(struct walk *w, const struct operand *o)
{
    if (o->kind != OPERAND_PATH || o->path->base.kind != OPERAND_NONE)
        return STR_NULL;
    return path_name(w, o->path);
}

static void operand_check(struct walk *w, const struct operand *o, bool array)
{
    if (o->kind == OPERAND_RANGE) {
        operand_check(w, &o->range[0], false);
        operand_check(w, &o->range[1], false);
    } else if (o->kind == OPERAND_PATH && o->path->base.kind != OPERAND_NONE) {
        operand_check(w, &o->path->base, false);
    } else if (o->kind == OPERAND_PATH) {
        struct str name = path_name(w, o->path);
        if (name.n)
            name_check(w, name, array);
    }
}

static void expression_check(struct walk *w, const struct liquid_expr *e)
{
    for (uint32_t i = 0; i < e->n; i++)
        operand_check(w, &e->postfix[i], false);
}

/* Only collects: an argument that nothing fills is no fault. */
static void arguments_collect(struct walk *w, const struct liquid_value *v)
{
    for (uint32_t f = 0; f < v->filters_n; f++)
        for (uint32_t i = 0; i < v->filters[f].args_n; i++) {
            struct str name = operand_name(w, &v->filters[f].args[i].operand);
            if (name.n && memchr(name.p, '.', name.n) && !local_find(w, name) && !str_starts(name, STR("t."))
                && (!w->schema || schema_allows(w->schema, name)))
                use_add(w->a, w->report, name, false, false);
        }
}

/* ---- filters ---- */
static bool is_digest_events(struct str name, bool whole)
{
    struct str rest = name, part;
    bool index;
    if (whole)
        return str_starts(name, STR("steps.")) && str_ends(name, STR(".events")) && name.n > 13;
    return path_next(&rest, &part, &index) && str_eqz(part, "steps") && path_next(&rest, &part, &index)
        && path_next(&rest, &part, &index) && str_starts(part, STR("events"));
}

static struct str sentence_fault(struct walk *w, const char *rule, const char *argument)
{
    return str_fmt(w->a, "\"toSentence\" expects a string that %s for argument \"%s\"", rule, argument);
}

/* The first thing wrong with the arguments of toSentence, in the words that clients know; empty: nothing. */
static struct str sentence_check(struct walk *w, const struct filter_call *f, bool key_required)
{
    static const char *const names[] = {"keyPath", "limit", "overflowSuffix", "wordsConnector", "twoWordsConnector",
                                        "lastWordConnector"};
    if (!f->args_n)
        return STR("Expected at least 1 argument");
    for (uint32_t i = 0; i < f->args_n && i < sizeof names / sizeof *names; i++) {
        const struct operand *o = &f->args[i].operand;
        bool number = o->kind == OPERAND_VALUE && o->value.kind == V_NUMBER;
        if (f->args[i].named)
            continue;
        if (i == 1 && !number)
            return sentence_fault(w, "Expected number, received string", names[i]);
        if (i == 1 && o->value.number < 0)
            return sentence_fault(w, "must be greater than or equal to 0", names[i]);
        if (i != 1 && number)
            return sentence_fault(w, "Expected string, received number", names[i]);
        if (i == 0 && key_required && o->kind == OPERAND_VALUE && o->value.kind == V_STRING && !o->value.s.n)
            return sentence_fault(w, "must be non-empty", names[i]);
    }
    return STR_NULL;
}

static const struct filter_call *sentence_of(const struct liquid_value *v)
{
    for (uint32_t i = 0; i < v->filters_n; i++)
        if (v->filters[i].filter && !strcmp(v->filters[i].filter->name, "toSentence"))
            return &v->filters[i];
    return NULL;
}

/* `steps.d.events | toSentence: 'payload.name'` uses payload.name of the events. */
static void sentence_path(struct walk *w, const struct filter_call *f, struct str name)
{
    const struct operand *o = f->args_n && !f->args[0].named ? &f->args[0].operand : NULL;
    if (!o || o->kind != OPERAND_VALUE || o->value.kind != V_STRING || !o->value.s.n)
        return;
    struct str key = o->value.s, full = str_fmt(w->a, "%.*s.%.*s", STR_ARG(name), STR_ARG(key));
    if (!is_digest_events(name, false) || !str_starts(key, STR("payload.")))
        use_add(w->a, w->report, str_fmt(w->a, "%.*s[0].%.*s", STR_ARG(name), STR_ARG(key)), false, false);
    else if (w->schema && !schema_allows(w->schema, key))
        fault_add(w, full, STR("is not supported"), false);
    else
        use_add(w->a, w->report, str_fmt(w->a, "%.*s[0].%.*s", STR_ARG(name), STR_ARG(key)), false, false);
}

static void output_check(struct walk *w, const struct liquid_value *v)
{
    arguments_collect(w, v);
    if (v->expr.n > 1) {
        fault_add(w, w->output, STR("contains whitespaces"), false);
        return;
    }
    struct str name = v->expr.n ? operand_name(w, &v->expr.postfix[0]) : STR_NULL;
    const struct filter_call *sentence = sentence_of(v);
    if (sentence && name.n) {
        struct str wrong = sentence_check(w, sentence, is_digest_events(name, true));
        if (wrong.n) {
            fault_add(w, name, wrong, true);
            return;
        }
        sentence_path(w, sentence, name);
    }
    if (v->expr.n)
        operand_check(w, &v->expr.postfix[0], sentence && name.n);
}

/* liquidjs' strictFilters. */
static void filters_known(struct walk *w, const struct liquid_value *v)
{
    for (uint32_t i = 0; i < v->filters_n; i++)
        if (!v->filters[i].filter)
            fault_add(w, v->expr.n ? operand_name(w, &v->expr.postfix[0]) : STR_NULL,
                      str_fmt(w->a, "undefined filter: %.*s", STR_ARG(v->filters[i].name)), false);
}

/* ---- nodes ---- */
static void nodes_check(struct walk *w, const struct nodes *nodes);

static void value_check(struct walk *w, const struct liquid_value *v)
{
    filters_known(w, v);
    arguments_collect(w, v);
    expression_check(w, &v->expr);
}

static void branches_check(struct walk *w, const struct node *node)
{
    struct str output = w->output;
    if (node->kind == NODE_CASE)
        value_check(w, &node->branches.target);
    for (uint32_t i = 0; i < node->branches.n; i++) {
        const struct branch *b = &node->branches.v[i];
        w->output = output;
        if (node->kind != NODE_CASE)
            value_check(w, &b->test);
        for (uint32_t k = 0; k < b->whens_n; k++)
            operand_check(w, &b->whens[k], false);
        nodes_check(w, &b->body);
    }
    nodes_check(w, &node->branches.otherwise);
}

static void loop_check(struct walk *w, const struct node *node)
{
    size_t locals = w->locals_n;
    struct str name = operand_name(w, &node->loop.collection), alias = STR_NULL;
    for (uint32_t i = 0; i < node->loop.args.n; i++)
        operand_check(w, &node->loop.args.v[i].operand, false);
    operand_check(w, &node->loop.collection, true);
    const struct local *outer = name.n ? local_find(w, name) : NULL;
    if (outer)
        name = local_path(w, outer, name);
    if (name.n)
        alias = str_fmt(w->a, "%.*s[0]", STR_ARG(name));
    nodes_check(w, &node->loop.otherwise);
    local_add(w, node->loop.name, alias);
    local_add(w, node->kind == NODE_FOR ? STR("forloop") : STR("tablerowloop"), STR_NULL);
    nodes_check(w, &node->loop.body);
    w->locals_n = locals;
}

static void node_check(struct walk *w, const struct node *node)
{
    w->output = begin_to(w, node->begin, node->kind == NODE_OUTPUT ? "}}" : "%}");
    switch (node->kind) {
    case NODE_OUTPUT: case NODE_ECHO:
        filters_known(w, &node->value);
        output_check(w, &node->value);
        break;
    case NODE_IF: case NODE_UNLESS: case NODE_CASE:
        branches_check(w, node);
        break;
    case NODE_FOR: case NODE_TABLEROW:
        loop_check(w, node);
        break;
    case NODE_ASSIGN:
        local_add(w, node->assign.name, STR_NULL);
        value_check(w, &node->assign.value);
        break;
    case NODE_CAPTURE:
        local_add(w, node->capture.name, STR_NULL);
        nodes_check(w, &node->capture.body);
        break;
    case NODE_INCREMENT: case NODE_DECREMENT:
        local_add(w, node->capture.name, STR_NULL);
        break;
    case NODE_CYCLE:
        for (uint32_t i = 0; i < node->cycle.n; i++)
            value_check(w, &node->cycle.v[i]);
        break;
    case NODE_LIQUID: case NODE_BLOCK:
        nodes_check(w, &node->capture.body);
        break;
    default:
        break;
    }
}

static void nodes_check(struct walk *w, const struct nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->n; i++)
        if (nodes->v[i].kind != NODE_TEXT && nodes->v[i].kind != NODE_NOTHING)
            node_check(w, &nodes->v[i]);
}

/* The path of a source that is one output, for the name of a fault in it. */
static struct str only_path(struct str source)
{
    struct str s = str_trim(source);
    if (str_starts(s, STR("{{")))
        s = str_sub(s, 2, s.n);
    if (str_ends(s, STR("}}")))
        s = str_sub(s, 0, s.n - 2);
    const char *bar = memchr(s.p ? s.p : "", '|', s.n);
    if (bar)
        s = str_sub(s, 0, (size_t)(bar - s.p));
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        if (!word_at(s, i, s.n) && s.p[i] != '.' && s.p[i] != '[' && s.p[i] != ']')
            return STR_NULL;
    return s;
}

void template_check(struct arena *a, struct str source, yyjson_val *schema, struct template_report *report)
{
    struct walk w = {.a = a, .source = source, .schema = schema, .report = report};
    struct error err = {0};
    if (str_find(source, STR("{{")) < 0 && str_find(source, STR("{%")) < 0)
        return;
    struct liquid_template *t = liquid_parse(a, source, &err);
    if (t) {
        nodes_check(&w, &t->nodes);
        return;
    }
    struct str message = str_dup(a, str_of(err.message));
    ptrdiff_t place = str_find(message, STR(", line:"));
    w.output = source;
    fault_add(&w, only_path(source), place < 0 ? message : str_sub(message, 0, (size_t)place), false);
}

/* ---- block documents ---- */
yyjson_val *block_document(struct arena *a, struct str text)
{
    yyjson_val *v;
    struct str s = str_trim(text);
    if (s.n < 2 || s.p[0] != '{' || s.p[s.n - 1] != '}' || !json_parse(a, s, &v, NULL))
        return NULL;
    return str_eqz(json_get_str(v, "type"), "doc") && yyjson_is_arr(json_get(v, "content")) ? v : NULL;
}

/* Attributes that hold a variable where a flag says so; no flag: always. */
static const struct { const char *type, *attribute, *flag; } variable_attributes[] = {
    {"variable", "id", NULL}, {NULL, "showIfKey", NULL}, {NULL, "each", NULL},
    {"button", "text", "isTextVariable"}, {"button", "url", "isUrlVariable"},
    {"image", "src", "isSrcVariable"}, {"image", "externalLink", "isExternalLinkVariable"},
    {"inlineImage", "src", "isSrcVariable"}, {"inlineImage", "externalLink", "isExternalLinkVariable"},
    {"logo", "src", "isSrcVariable"}, {"link", "href", "isUrlVariable"},
    {"cardButton", "label", "isLabelVariable"}, {"cardButton", "url", "isUrlVariable"}, {"cardButton", "actionId", "isActionIdVariable"},
};

static bool is_variable(struct str type, yyjson_val *attrs, struct str key)
{
    for (size_t i = 0; i < sizeof variable_attributes / sizeof *variable_attributes; i++)
        if (str_eqz(key, variable_attributes[i].attribute)
            && (!variable_attributes[i].type || str_eqz(type, variable_attributes[i].type)))
            return !variable_attributes[i].flag || yyjson_is_true(json_get(attrs, variable_attributes[i].flag));
    return false;
}

static void attributes_write(struct buf *b, yyjson_val *node)
{
    yyjson_val *attrs = json_get(node, "attrs"), *k;
    struct str type = json_get_str(node, "type"), alias = json_get_str(attrs, "aliasFor");
    yyjson_obj_iter it = yyjson_obj_iter_with(attrs);
    while ((k = yyjson_obj_iter_next(&it))) {
        struct str key = json_str(k), value = json_str(yyjson_obj_iter_get_val(k));
        bool variable = is_variable(type, attrs, key);
        if (!value.n || str_eqz(key, "aliasFor") || (str_eqz(key, "label") && !str_eqz(type, "cardButton")))
            continue;
        if (variable && alias.n)
            value = alias;
        buf_fmt(b, variable ? "{{ %.*s }}\n" : "%.*s\n", STR_ARG(value));
    }
}

static void node_write(struct buf *b, yyjson_val *node, int depth)
{
    yyjson_val *e;
    struct str text = json_get_str(node, "text");
    if (depth > JSON_DEPTH_MAX)
        return;
    if (text.n) {
        buf_str(b, text);
        buf_char(b, '\n');
    }
    attributes_write(b, node);
    yyjson_arr_iter marks = yyjson_arr_iter_with(json_get(node, "marks"));
    while ((e = yyjson_arr_iter_next(&marks)))
        attributes_write(b, e);
    yyjson_arr_iter content = yyjson_arr_iter_with(json_get(node, "content"));
    while ((e = yyjson_arr_iter_next(&content)))
        node_write(b, e, depth + 1);
}

struct str block_templates(struct arena *a, yyjson_val *document)
{
    struct buf b = {.arena = a};
    node_write(&b, document, 0);
    return buf_finish(&b);
}

/* `payload.items` of "payload.items | reverse". */
static struct str plain_path(struct str expression)
{
    struct str s = str_trim(expression);
    size_t i = 0;
    while (i < s.n && (word_at(s, i, s.n) || strchr(".[]-", s.p[i])))
        i++;
    return str_sub(s, 0, i);
}

static void node_uses(struct arena *a, yyjson_val *node, struct template_report *report, int depth)
{
    yyjson_val *attrs = json_get(node, "attrs"), *e;
    struct str each = plain_path(json_get_str(attrs, "each")), shown = plain_path(json_get_str(attrs, "showIfKey"));
    if (depth > JSON_DEPTH_MAX)
        return;
    if (memchr(each.p ? each.p : "", '.', each.n))
        use_add(a, report, each, true, false);
    if (memchr(shown.p ? shown.p : "", '.', shown.n))
        use_add(a, report, shown, false, true);
    yyjson_arr_iter content = yyjson_arr_iter_with(json_get(node, "content"));
    while ((e = yyjson_arr_iter_next(&content)))
        node_uses(a, e, report, depth + 1);
}

void block_uses(struct arena *a, yyjson_val *document, struct template_report *report)
{
    node_uses(a, document, report, 0);
}
