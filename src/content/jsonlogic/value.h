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
    int depth;
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

/* Takes from the limits. false: one is used up, and the error is set. */
bool logic_work(struct evaluation *e, int64_t operations);
bool logic_memory(struct evaluation *e, size_t bytes);

/* ---- value.c ---- */
struct logic_value logic_of_json(yyjson_val *v);
bool logic_is_array(struct logic_value v);
size_t logic_length(struct logic_value array);
struct logic_value logic_at(struct logic_value array, size_t i);    /* linear in i for long JSON arrays: use logic_items */
/* The elements of an array in one run. */
bool logic_items(struct evaluation *e, struct logic_value array, const struct logic_value **items, size_t *n);
bool logic_truthy(struct logic_value v);                            /* json-logic's: [] is false */
bool logic_same(struct logic_value a, struct logic_value b);        /* === */
struct str logic_string(struct evaluation *e, struct logic_value v);    /* String(v) */
double logic_to_number(struct evaluation *e, struct logic_value v);     /* Number(v) */
bool logic_to_mut(struct evaluation *e, struct logic_value v, yyjson_mut_val **out);
/* v[name]; undefined if there is none. */
struct logic_value logic_property(struct evaluation *e, struct logic_value v, struct str name);

/* ---- text.c: JavaScript's strings, numbers and dates ---- */
struct str logic_number_text(struct arena *a, double n);            /* String(n) */
double logic_number_of(struct str s);                               /* Number(s) */
double logic_float_of(struct str s);                                /* parseFloat(s) */
double logic_date_of(struct str s);                                 /* Date.parse(s) in UTC; NaN */
size_t logic_units(struct str s);                                   /* length in UTF-16 units */
struct str logic_slice(struct arena *a, struct str s, size_t from, size_t to);  /* by UTF-16 units */

#endif
