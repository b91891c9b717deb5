/* From a schema document to a program: finds what has an identity, resolves references, compiles each schema once. */
#include "content/jsonschema/schema.h"

static const char draft2020_uri[] = "https://json-schema.org/draft/2020-12/schema";

bool compiler_invalid(struct compiler *c, const char *keyword, const char *what)
{
    return error_set(c->err, ERROR_BAD_INPUT, "schema is invalid: %.60s %s", keyword, what);
}

/* ---- a map from JSON values to what was made of them ---- */

static size_t slot_of(const struct table *t, const void *key)
{
    uint64_t h = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 20) & (t->cap - 1);
    while (t->keys[i] && t->keys[i] != key)
        i = (i + 1) & (t->cap - 1);
    return i;
}

static void *table_get(const struct table *t, const void *key)
{
    return t->cap ? t->values[slot_of(t, key)] : NULL;
}

static void table_put(struct arena *a, struct table *t, const void *key, void *value)
{
    if (t->n * 2 >= t->cap) {
        struct table more = {.cap = t->cap ? t->cap * 2 : 64};
        more.keys = ARENA_ARRAY(a, const void *, more.cap);
        more.values = ARENA_ARRAY(a, void *, more.cap);
        for (size_t i = 0; i < t->cap; i++)
            if (t->keys[i]) {
                size_t at = slot_of(&more, t->keys[i]);
                more.keys[at] = t->keys[i];
                more.values[at] = t->values[i];
            }
        more.n = t->n;
        *t = more;
    }
    size_t at = slot_of(t, key);
    t->n += !t->keys[at];
    t->keys[at] = key;
    t->values[at] = value;
}

/* ---- resources ---- */

static struct resource *resource_of_uri(struct compiler *c, struct str uri)
{
    for (struct resource *r = c->resources; r; r = r->next)
        if (str_eq(r->uri, uri))
            return r;
    return NULL;
}

static bool scan(struct compiler *c, struct resource *around, yyjson_val *json);

/* $schema says how a document is read; a metaschema of the user's own may leave vocabularies out. */
static void dialect_set(struct compiler *c, struct resource *r, yyjson_val *json)
{
    struct str uri = uri_without_fragment(json_get_str(json, "$schema"));
    yyjson_val *meta = NULL, *vocabulary;
    if (!uri.n)
        return;
    if (str_eqz(uri, draft2020_uri) || str_find(uri, STR("/draft/2019-09/")) >= 0) {
        r->dialect = JSONSCHEMA_2020_12;
    } else if (str_find(uri, STR("json-schema.org/draft-0")) >= 0) {
        r->dialect = JSONSCHEMA_DRAFT7;
    } else if (c->options->resolve && c->options->resolve(c->options->user, c->arena, uri, &meta)) {
        vocabulary = json_get(meta, "$vocabulary");
        r->dialect = JSONSCHEMA_2020_12;
        r->no_validation = vocabulary && !json_get(vocabulary, "https://json-schema.org/draft/2020-12/vocab/validation");
        if (json_get(vocabulary, "https://json-schema.org/draft/2020-12/vocab/format-assertion"))
            r->formats = true;
    }
}

/* Names are looked up one after the other, so there may not be too many. */
static bool name_count(struct compiler *c)
{
    return ++c->names_n <= SCHEMA_NAMES_MAX || compiler_invalid(c, "schema", "has too many identifiers");
}

static struct resource *resource_add(struct compiler *c, const struct resource *around, struct str uri, yyjson_val *json)
{
    if (!name_count(c))
        return NULL;
    struct resource *r = ARENA_NEW(c->arena, struct resource);
    r->uri = uri;
    r->root = json;
    r->dialect = around ? around->dialect : c->options->dialect;
    r->no_validation = around && around->no_validation;
    r->formats = around ? around->formats : !c->options->ignore_formats;
    dialect_set(c, r, json);
    r->next = c->resources;
    c->resources = r;
    table_put(c->arena, &c->roots, json, r);
    return r;
}

static bool anchor_add(struct compiler *c, struct resource *r, struct str name, yyjson_val *json, bool is_dynamic)
{
    if (!name_count(c))
        return false;
    struct anchor *a = ARENA_NEW(c->arena, struct anchor);
    *a = (struct anchor){.next = r->anchors, .name = name, .json = json, .is_dynamic = is_dynamic};
    r->anchors = a;
    return true;
}

/* Where schemas are found inside of a schema: nothing else may hold identifiers or references. */
static const struct {
    const char *name;
    enum { HOLDS_ONE = 1, HOLDS_LIST = 2, HOLDS_MAP = 4 } holds;
} applicators[] = {
    {"additionalItems", HOLDS_ONE}, {"items", HOLDS_ONE | HOLDS_LIST}, {"prefixItems", HOLDS_LIST}, {"contains", HOLDS_ONE},
    {"additionalProperties", HOLDS_ONE}, {"propertyNames", HOLDS_ONE}, {"not", HOLDS_ONE}, {"if", HOLDS_ONE},
    {"then", HOLDS_ONE}, {"else", HOLDS_ONE}, {"unevaluatedItems", HOLDS_ONE}, {"unevaluatedProperties", HOLDS_ONE},
    {"contentSchema", HOLDS_ONE}, {"allOf", HOLDS_LIST}, {"anyOf", HOLDS_LIST}, {"oneOf", HOLDS_LIST}, {"properties", HOLDS_MAP},
    {"patternProperties", HOLDS_MAP}, {"definitions", HOLDS_MAP}, {"$defs", HOLDS_MAP}, {"dependentSchemas", HOLDS_MAP},
    {"dependencies", HOLDS_MAP},
};

static bool scan_members(struct compiler *c, struct resource *r, yyjson_val *json)
{
    size_t i, n;
    yyjson_val *key, *v;
    for (size_t k = 0; k < sizeof applicators / sizeof *applicators; k++) {
        yyjson_val *held = json_get(json, applicators[k].name);
        unsigned holds = applicators[k].holds;
        if (yyjson_is_arr(held) && holds & HOLDS_LIST) {
            yyjson_arr_foreach(held, i, n, v)
                if (!scan(c, r, v))
                    return false;
        } else if (yyjson_is_obj(held) && holds & HOLDS_MAP) {
            yyjson_obj_foreach(held, i, n, key, v)
                if (!scan(c, r, v))
                    return false;
        } else if (yyjson_is_obj(held) && holds & HOLDS_ONE && !scan(c, r, held)) {
            return false;
        }
    }
    return true;
}

/* Notes the identifiers in json and below. Recursion is bounded by JSON_DEPTH_MAX. */
static bool scan(struct compiler *c, struct resource *r, yyjson_val *json)
{
    if (!yyjson_is_obj(json))
        return true;
    struct str id = json_get_str(json, "$id");
    bool is_2020 = r->dialect == JSONSCHEMA_2020_12;
    if (id.n && !is_2020 && json_get(json, "$ref"))
        id = STR_NULL;          /* draft-07: what stands beside $ref is not there */
    if (id.n && id.p[0] == '#' && !is_2020) {
        if (!anchor_add(c, r, str_sub(id, 1, id.n), json, false))
            return false;
    } else if (id.n && json != r->root) {
        struct str uri = uri_resolve(c->arena, r->uri, id);
        r = resource_add(c, r, uri_without_fragment(uri), json);
        if (!r)
            return false;
    }
    is_2020 = r->dialect == JSONSCHEMA_2020_12;
    struct str anchor = json_get_str(json, "$anchor"), dynamic = json_get_str(json, "$dynamicAnchor");
    if (is_2020 && anchor.n && !anchor_add(c, r, anchor, json, false))
        return false;
    if (is_2020 && dynamic.n && !anchor_add(c, r, dynamic, json, true))
        return false;
    return scan_members(c, r, json);
}

/* Takes a whole document in; uri is where it was found. */
static struct resource *document_add(struct compiler *c, struct str uri, yyjson_val *json)
{
    struct resource *r = resource_add(c, NULL, uri, json);
    struct str id = json_get_str(json, "$id");
    if (!r)
        return NULL;
    bool hidden = r->dialect == JSONSCHEMA_DRAFT7 && json_get(json, "$ref");
    if (id.n && id.p[0] != '#' && !hidden)
        r->uri = uri_without_fragment(uri_resolve(c->arena, uri, id));
    if (uri.n && !str_eq(uri, r->uri)) {        /* known under both names */
        struct resource *alias = ARENA_NEW(c->arena, struct resource);
        *alias = *r;
        alias->uri = uri;
        alias->next = c->resources;
        c->resources = alias;
    }
    if (!scan(c, r, json))
        return NULL;
    for (struct resource *each = c->resources; each; each = each->next) {
        if (each->root == json)
            each->anchors = r->anchors;
        for (struct anchor *a = each->anchors; a; a = a->next)
            if (a->is_dynamic && !a->node)
                a->node = compiler_node(c, each, a->json);
    }
    return r;
}

/* ---- references ---- */

static struct str pointer_step(struct arena *a, struct str s)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escaped = s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
        out[n++] = escaped ? (s.p[++i] == '0' ? '~' : '/') : s.p[i];
    }
    return (struct str){out, n};
}

static yyjson_val *pointer_follow(struct compiler *c, const struct resource **r, yyjson_val *json, struct str pointer)
{
    while (json && pointer.n) {
        pointer = str_sub(pointer, 1, pointer.n);
        ptrdiff_t slash = str_find(pointer, STR("/"));
        struct str step = pointer_step(c->arena, str_sub(pointer, 0, slash < 0 ? pointer.n : (size_t)slash));
        int64_t i;
        pointer = slash < 0 ? STR_NULL : str_sub(pointer, (size_t)slash, pointer.n);
        if (yyjson_is_arr(json))
            json = str_to_i64(step, &i) && i >= 0 ? yyjson_arr_get(json, (size_t)i) : NULL;
        else
            json = json_getn(json, step);
        const struct resource *inner = json ? table_get(&c->roots, json) : NULL;
        *r = inner ? inner : *r;
    }
    return json;
}

static struct resource *document_find(struct compiler *c, struct str uri)
{
    struct resource *r = resource_of_uri(c, uri);
    yyjson_val *json = NULL;
    if (r)
        return r;
    struct str text = metaschema_text(uri);
    if (text.n ? json_parse(c->arena, text, &json, NULL)
               : c->options->resolve && c->options->resolve(c->options->user, c->arena, uri, &json) && json)
        return document_add(c, uri, json);
    return NULL;
}

const struct node *compiler_ref(struct compiler *c, const struct resource *from, struct str ref, struct str *dynamic)
{
    struct str uri = uri_resolve(c->arena, from->uri, ref), fragment = uri_fragment(c->arena, uri);
    const struct resource *r = document_find(c, uri_without_fragment(uri));
    yyjson_val *json = r && (!fragment.n || fragment.p[0] == '/') ? r->root : NULL;
    *dynamic = STR_NULL;
    if (json)
        json = pointer_follow(c, &r, json, fragment);
    else if (r)
        for (struct anchor *a = r->anchors; a && !json; a = a->next)
            if (str_eq(a->name, fragment)) {
                json = a->json;
                *dynamic = a->is_dynamic ? a->name : STR_NULL;
            }
    if (json)
        return compiler_node(c, r, json);
    ref.n = ref.n > 150 ? 150 : ref.n;
    struct str id = from->uri.n > 150 ? str_sub(from->uri, 0, 150) : from->uri;
    if (!c->err || c->err->code == ERROR_NONE)
        error_set(c->err, ERROR_BAD_INPUT, "can't resolve reference %.*s from id %.*s", STR_ARG(ref), (int)(id.n ? id.n : 1),
                  id.n ? id.p : "#");
    return NULL;
}

/* ---- schemas ---- */

/* The program of json, which may be compiled later: schemas refer to each other in circles. NULL: not a schema. */
const struct node *compiler_node(struct compiler *c, const struct resource *around, yyjson_val *json)
{
    struct node *node = table_get(&c->nodes, json);
    const struct resource *own = table_get(&c->roots, json);
    if (node)
        return node;
    if (!yyjson_is_obj(json) && !yyjson_is_bool(json)) {
        compiler_invalid(c, "schema", "must be object or boolean");
        return NULL;
    }
    if (++c->nodes_n > SCHEMA_NODES_MAX) {
        compiler_invalid(c, "schema", "is too large");
        return NULL;
    }
    node = ARENA_NEW(c->arena, struct node);
    node->json = json;
    node->fit = fit_node_new(c->arena);
    node->resource = own ? own : around;
    node->is_boolean = yyjson_is_bool(json);
    node->accepts = yyjson_is_true(json);
    node->pending = c->pending;
    c->pending = node;
    table_put(c->arena, &c->nodes, json, node);
    return node;
}

static bool applies(const struct node *node, const struct keyword_type *type)
{
    const struct resource *r = node->resource;
    bool is_2020 = r->dialect == JSONSCHEMA_2020_12;
    if (type->dialects == (is_2020 ? IN_DRAFT7 : IN_2020))
        return false;
    if (!is_2020 && strcmp(type->name, "$ref") && json_get(node->json, "$ref"))
        return false;
    return (type->vocabulary != KEYWORD_VALIDATION || !r->no_validation) && (type->vocabulary != KEYWORD_FORMAT || r->formats);
}

/* ajv checks a single type together with the other keywords for that type: behind those that apply to anything. */
static void type_move(struct node *node)
{
    struct keyword type = node->keywords[0];
    if (!node->keywords_n || strcmp(type.type->name, "type") || !yyjson_is_str(type.value) || type.types == IS_INTEGER)
        return;
    for (size_t i = 1; i < node->keywords_n; i++) {
        unsigned types = node->keywords[i].type->types;
        if (types == IS_ANY || !(types & type.types))
            continue;
        memmove(node->keywords, node->keywords + 1, (i - 1) * sizeof type);
        node->keywords[i - 1] = type;
        return;
    }
}

static bool keywords_compile(struct compiler *c, struct node *node)
{
    size_t n = 0;
    for (const struct keyword_type *type = schema_keywords; type->name; type++)
        n += json_get(node->json, type->name) != NULL;
    node->keywords = ARENA_ARRAY(c->arena, struct keyword, n + 1);
    for (const struct keyword_type *type = schema_keywords; type->name; type++) {
        yyjson_val *value = json_get(node->json, type->name);
        if (!value || !applies(node, type))
            continue;
        struct keyword *k = &node->keywords[node->keywords_n];
        *k = (struct keyword){.type = type, .value = value};
        if (!type->compile(c, node, k))
            return false;
        node->keywords_n += k->type != NULL;    /* a compiler may find that there is nothing to do */
    }
    type_move(node);
    for (size_t i = 0; i < node->keywords_n; i++) {
        const struct keyword *k = &node->keywords[i];
        if (!strcmp(k->type->name, "properties"))
            node->properties = k;
        else if (!strcmp(k->type->name, "prefixItems") || (!strcmp(k->type->name, "items") && !k->node))
            node->tuple = k;
    }
    return true;
}

static bool node_compile(struct compiler *c, struct node *node)
{
    if (!node->is_boolean && !keywords_compile(c, node))
        return false;
    fit_node_make(c, node);
    return true;
}

struct jsonschema *jsonschema_compile(struct arena *a, yyjson_val *schema, const struct jsonschema_compile_options *o,
                                      struct error *err)
{
    static const struct jsonschema_compile_options usual = {0};
    struct error ignored;
    struct compiler c = {.arena = a, .options = o ? o : &usual, .err = err ? err : &ignored, .doc = json_doc(a),
                         .schema = ARENA_NEW(a, struct jsonschema)};
    *c.err = (struct error){0};
    struct resource *r = document_add(&c, STR(""), schema);
    c.schema->root = r ? compiler_node(&c, r, schema) : NULL;
    if (!c.schema->root)
        return NULL;
    while (c.pending) {
        struct node *node = c.pending;
        c.pending = node->pending;
        if (!node_compile(&c, node) || c.err->code != ERROR_NONE)
            return NULL;
    }
    fit_finish(&c);
    c.schema->fit = c.schema->tracks ? NULL : c.schema->root->fit;
    return c.schema;
}
