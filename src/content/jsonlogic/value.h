/* What the parts of the JSON-logic evaluator share: JavaScript values and the evaluation under way. */
#ifndef CONTENT_JSONLOGIC_VALUE_H
#define CONTENT_JSONLOGIC_VALUE_H

#include <math.h>

#include "content/jsonlogic.h"

enum logic_kind {
    LOGIC_UNDEFINED,
    LOGIC_NULL,
    LOGIC_BOOL,
    LOGIC_NUMBER,
    LOGIC_STRING,
    LOGIC_JSON_ARRAY,       /* an array of the data or the rule */
    LOGIC_LIST,             /* an array made by an operator */
    LOGIC_OBJECT,           /* an object of the data or the rule */
    LOGIC_ROOT,             /* the data, as variables of the context */
    LOGIC_REDUCTION,        /* {current, accumulator} inside of reduce */
};

struct logic_value {
    enum logic_kind kind;
    union {
        bool truth;
        double number;
        struct str text;
        yyjson_val *json;
        struct {
            const struct logic_value *items;
            size_t items_n;
        };
    };
};

#define LOGIC_OF(k) ((struct logic_value){.kind = (k)})

static inline struct logic_value logic_bool(bool b) { return (struct logic_value){.kind = LOGIC_BOOL, .truth = b}; }
static inline struct logic_value logic_number(double n) { return (struct logic_value){.kind = LOGIC_NUMBER, .number = n}; }
static inline struct logic_value logic_text(struct str s) { return (struct logic_value){.kind = LOGIC_STRING, .text = s}; }
static inline struct logic_value logic_list(const struct logic_value *items, size_t n)
{
    return (struct logic_value){.kind = LOGIC_LIST, .items = items, .items_n = n};
}

struct evaluation {
    const struct jsonlogic_context *context;
    struct arena *arena;
    struct error *err;
    yyjson_mut_doc *doc;
    int64_t operations_left;
    size_t memory_left;
    size_t lookups_n;
};

/* Arguments of an operator; what is beyond them is undefined. */
struct logic_args {
    const struct logic_value *v;
    size_t n;
    const struct logic_value *data;     /* the scope: what `var` reads */
};
static inline struct logic_value logic_arg(const struct logic_args *a, size_t i)
{
    return i < a->n ? a->v[i] : LOGIC_OF(LOGIC_UNDEFINED);
}

typedef bool (*logic_function)(struct evaluation *e, const struct logic_args *args, struct logic_value *out);
struct logic_operator {
    const char *name;
    logic_function function;
};
extern const struct logic_operator logic_base_operators[], logic_novu_operators[];     /* end with a NULL name */

/* ---- the program ---- */

/* A part of a path: of `a.0.length`. */
struct logic_step {
    struct str name;
    size_t index;                   /* where is_index */
    bool is_index, is_length;
};

struct logic_path {
    struct str text;
    struct logic_step *steps;
    size_t n;
};

struct logic_node;
/* Operations that choose which operands are evaluated. */
typedef bool (*logic_control)(struct evaluation *e, const struct logic_node *node, const struct logic_value *data,
                              struct logic_value *out);

/* A rule, or a part of one; its operands lie in one array. */
struct logic_node {
    enum {
        LOGIC_NODE_CONSTANT,
        LOGIC_NODE_LIST,            /* a fresh array of the operands' values, each time */
        LOGIC_NODE_CALL,            /* function on the operands' values; NULL: there is no operation of that name */
        LOGIC_NODE_CONTROL,
        LOGIC_NODE_VARIABLE,        /* what a path known beforehand leads to, else the second operand's value */
        LOGIC_NODE_TOO_DEEP,
        LOGIC_NODE_TOO_LARGE,
    } kind;
    uint32_t operands_n;
    const struct logic_node *operands;
    union {
        struct logic_value constant;
        struct { logic_function function; struct str name; } call;
        logic_control control;
        const struct logic_path *path;
    };
};

struct jsonlogic {
    struct logic_node root;
};

/* compile.c */
bool logic_operator_exists(struct str name);
/* eval.c: the function of a control operation, or NULL. */
logic_control logic_control_find(struct str name);

/* Takes from the limits. false: one is used up, and the error is set. */
bool logic_work_ends(struct evaluation *e);
static inline bool logic_work(struct evaluation *e, int64_t operations)
{
    e->operations_left -= operations + 1;
    return e->operations_left >= 0 || logic_work_ends(e);
}
bool logic_memory(struct evaluation *e, size_t bytes);

/* ---- value.c ---- */
/* Written in place: a copied value is read back before its parts have left the processor's store queue. */
static inline void logic_set(struct logic_value *out, yyjson_val *v)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_BOOL: out->kind = LOGIC_BOOL, out->truth = unsafe_yyjson_get_bool(v); return;
    case YYJSON_TYPE_NUM: out->kind = LOGIC_NUMBER, out->number = unsafe_yyjson_get_num(v); return;
    case YYJSON_TYPE_STR:
        out->kind = LOGIC_STRING;
        out->text = (struct str){unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v)};
        return;
    case YYJSON_TYPE_ARR: out->kind = LOGIC_JSON_ARRAY, out->json = v; return;
    case YYJSON_TYPE_OBJ: out->kind = LOGIC_OBJECT, out->json = v; return;
    case YYJSON_TYPE_NULL: out->kind = LOGIC_NULL; return;
    default: out->kind = LOGIC_UNDEFINED;
    }
}
static inline struct logic_value logic_of_json(yyjson_val *v)
{
    struct logic_value out = LOGIC_OF(LOGIC_UNDEFINED);
    logic_set(&out, v);
    return out;
}
static inline bool logic_is_array(struct logic_value v) { return v.kind == LOGIC_JSON_ARRAY || v.kind == LOGIC_LIST; }
size_t logic_length(struct logic_value array);
struct logic_value logic_at(struct logic_value array, size_t i);    /* linear in i for long JSON arrays: use logic_items */
/* The elements of an array in one run. */
bool logic_items(struct evaluation *e, struct logic_value array, const struct logic_value **items, size_t *n);
bool logic_truthy_other(const struct logic_value *v);
static inline bool logic_truthy(const struct logic_value *v)         /* json-logic's: [] is false */
{
    return v->kind == LOGIC_BOOL ? v->truth : logic_truthy_other(v);
}
bool logic_same(const struct logic_value *a, const struct logic_value *b);      /* === */
static inline bool logic_same_text(const struct logic_value *a, const struct logic_value *b)
{
    return a->text.n == b->text.n && bytes_same(a->text.p, b->text.p, a->text.n);
}
struct str logic_string(struct evaluation *e, struct logic_value v);    /* String(v) */
double logic_to_number(struct evaluation *e, struct logic_value v);     /* Number(v) */
bool logic_to_mut(struct evaluation *e, struct logic_value v, yyjson_mut_val **out);
/* v[name]; undefined if there is none. */
struct logic_value logic_property(struct evaluation *e, struct logic_value v, struct str name);
/* The last member of that name, or NULL; object is one. */
yyjson_val *logic_member(struct evaluation *e, yyjson_val *object, struct str name);
/* A variable of the context, or NULL. */
yyjson_val *logic_root_member(struct evaluation *e, struct str name);
struct logic_value logic_property_step(struct evaluation *e, struct logic_value v, const struct logic_step *step);
struct logic_step logic_step_of(struct str name);

/* ---- operators.c: what `var` gives for a path; noted for the reader of the run's details. */
bool logic_variable(struct evaluation *e, const struct logic_value *data, const struct logic_path *path,
                    const struct logic_value *otherwise, struct logic_value *out);
struct logic_path *logic_path_of(struct arena *a, struct str text);

/* ---- text.c: JavaScript's strings, numbers and dates ---- */
struct str logic_number_text(struct arena *a, double n);            /* String(n) */
double logic_number_of(struct str s);                               /* Number(s) */
double logic_float_of(struct str s);                                /* parseFloat(s) */
double logic_date_of(struct str s);                                 /* Date.parse(s) in UTC; NaN */
size_t logic_units(struct str s);                                   /* length in UTF-16 units */
struct str logic_slice(struct arena *a, struct str s, size_t from, size_t to);  /* by UTF-16 units */

#endif
