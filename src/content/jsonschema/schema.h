/* What the parts of the JSON Schema compiler and validator share. */
#ifndef CONTENT_JSONSCHEMA_SCHEMA_H
#define CONTENT_JSONSCHEMA_SCHEMA_H

#include <math.h>

#include "content/jsonschema.h"

enum {
    SCHEMA_DEPTH_MAX = 700,         /* schemas within schemas while validating: $ref may recurse without an end */
    SCHEMA_NODES_MAX = 20000,
    SCHEMA_NAMES_MAX = 1000,          /* $id and anchors */
    SCHEMA_ERRORS_MAX = 100,
};
#define SCHEMA_WORK_MAX 5000000     /* keywords applied and values compared in one validation */

enum type_bits { IS_NULL = 1, IS_BOOL = 2, IS_INTEGER = 4, IS_NUMBER = 8, IS_STRING = 16, IS_ARRAY = 32, IS_OBJECT = 64,
                 IS_ANY = 127 };

/* ---- the program ---- */

struct node;
struct regex;
struct fit_node;
struct plain_pattern;
struct keyword_type;

struct anchor {
    struct anchor *next;
    struct str name;
    yyjson_val *json;
    const struct node *node;        /* of dynamic ones */
    bool is_dynamic;
};

/* A schema document, or a part of one with its own $id. */
struct resource {
    struct resource *next;
    struct str uri;                 /* absolute where known, without fragment */
    yyjson_val *root;
    struct anchor *anchors;
    enum jsonschema_dialect dialect;
    bool no_validation;             /* its metaschema leaves the validation vocabulary out */
    bool formats;                   /* `format` asserts */
};

struct keyword {
    const struct keyword_type *type;
    yyjson_val *value;
    long double number;             /* limits; minContains */
    long double most;               /* maxContains */
    unsigned types;
    yyjson_mut_val *constant;       /* const, enum */
    const struct node *node;        /* the one schema; `then` and `else` in nodes */
    const struct node **nodes;
    struct str *names;              /* of nodes or required ones */
    struct regex **patterns;
    size_t n;
    const struct keyword *properties, *pattern_properties;      /* what additionalProperties leaves out */
    struct str dynamic;             /* $dynamicRef: the anchor looked for in the dynamic scope */
    struct str ref_path;            /* how errors behind a reference start their path */
};

struct node {
    yyjson_val *json;
    struct fit_node *fit;           /* the quick answer's program */
    const struct resource *resource;
    struct node *pending;           /* list of those still to be compiled */
    bool is_boolean, accepts;
    struct keyword *keywords;
    size_t keywords_n;
    const struct keyword *properties;   /* for defaults */
    const struct keyword *tuple;        /* items as an array, for defaults */
};

struct jsonschema {
    const struct node *root;
    const struct fit_node *fit;     /* of the quick answer; NULL: none */
    bool tracks;                    /* unevaluated… occurs somewhere: evaluated members are noted */
};

/* ---- a validation ---- */

/* A path, innermost step first. */
struct place {
    const struct place *up;
    struct str name;
    size_t index;
    enum { PLACE_NAME, PLACE_INDEX, PLACE_KEYWORD, PLACE_START } kind;
};

struct scope {
    const struct scope *outer;
    const struct resource *resource;
};

/* Which members of one instance some schema has looked at. */
struct evaluated {
    bool all;                       /* all of them */
    size_t first;                   /* items before this */
    size_t n;                       /* members there were at the beginning; those added since are defaults */
    unsigned char *members;         /* one byte each, by position */
};

struct run {
    const struct jsonschema *schema;
    const struct jsonschema_options *options;
    struct arena *arena;
    yyjson_mut_doc *doc;
    struct error *err;
    struct jsonschema_error *errors;
    size_t errors_n, errors_cap;
    int64_t work;
    int depth;
    int composite;                  /* inside of anyOf, oneOf, not, if: no defaults */
    bool failed;                    /* a limit is used up */
    void *match_data;
    const struct scope *scope;
};

/* One instance against one schema. */
struct check {
    struct run *run;
    const struct node *node;
    const struct keyword *keyword;
    yyjson_mut_val *value;
    unsigned types;                 /* bits of value */
    const struct place *instance, *schema;
    struct evaluated *evaluated;    /* NULL: not tracked */
};

typedef bool (*keyword_check)(struct check *c);

struct compiler;
struct keyword_type {
    const char *name;
    unsigned types;                 /* instances it applies to */
    enum { KEYWORD_CORE, KEYWORD_VALIDATION, KEYWORD_FORMAT } vocabulary;
    enum { IN_BOTH, IN_DRAFT7, IN_2020 } dialects;
    bool (*compile)(struct compiler *c, struct node *node, struct keyword *k);
    keyword_check check;
};
extern const struct keyword_type schema_keywords[];     /* in the order of ajv; ends with a NULL name */

/* compile.c, for the keyword compilers */
struct compiler {
    struct arena *arena;
    const struct jsonschema_compile_options *options;
    struct error *err;
    struct resource *resources;
    size_t names_n;
    struct node *pending;
    size_t nodes_n;
    struct table { const void **keys; void **values; size_t n, cap; } nodes, roots;
    struct jsonschema *schema;
    yyjson_mut_doc *doc;
    struct fit_node *fit_nodes;     /* all of them */
};
const struct node *compiler_node(struct compiler *c, const struct resource *around, yyjson_val *json);
const struct node *compiler_ref(struct compiler *c, const struct resource *from, struct str ref, struct str *dynamic);
bool compiler_invalid(struct compiler *c, const char *keyword, const char *what);

/* validate.c */
bool schema_work(struct run *r, int64_t n);
unsigned schema_types(yyjson_mut_val *v);
/* A fresh record for value; NULL where nothing is tracked. */
struct evaluated *evaluated_new(struct run *r, yyjson_mut_val *value);
void evaluated_merge(struct evaluated *into, const struct evaluated *from);
static inline void evaluated_mark(struct evaluated *e, size_t i)
{
    if (e && i < e->n)
        e->members[i] = 1;
}
static inline bool evaluated_has(const struct evaluated *e, size_t i)
{
    return e->all || i < e->first || i >= e->n || e->members[i];
}
/* Value against node; evaluated may be NULL. */
bool schema_check(struct check *c, const struct node *node, yyjson_mut_val *value, const struct place *instance,
                  const struct place *schema, struct evaluated *evaluated);

/* fit_compile.c: the record of a node, what is in it once the node is compiled, and what needs all of them. */
struct fit_node *fit_node_new(struct arena *a);
void fit_node_make(struct compiler *c, const struct node *node);
void fit_finish(struct compiler *c);

/* errors.c */
struct str place_text(struct arena *a, const struct place *p, bool is_schema);
bool schema_error(struct check *c, yyjson_mut_val *params, struct str missing, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* equal.c */
bool json_same(struct run *r, yyjson_mut_val *a, yyjson_mut_val *b);
uint64_t json_hash(struct run *r, yyjson_mut_val *v);
long double json_number(yyjson_mut_val *v);

/* uri.c */
struct str uri_resolve(struct arena *a, struct str base, struct str ref);   /* RFC 3986 §5.2 */
struct str uri_without_fragment(struct str uri);
struct str uri_fragment(struct arena *a, struct str uri);   /* percent-decoded */

/* regex.c */
struct regex *regex_compile(struct arena *a, struct str pattern, struct error *err);
bool regex_matches(struct run *r, const struct regex *re, struct str s);
const struct plain_pattern *regex_plain(const struct regex *re);    /* NULL: it needs an engine */

/* formats.c */
typedef bool (*format_test)(struct str s);
struct format {
    const char *name;
    format_test text;
    unsigned numbers;               /* 1 int32, 2 int64: for numbers instead of strings */
};
const struct format *format_find(struct str name);

/* metaschemas.c */
struct str metaschema_text(struct str uri);

#endif
