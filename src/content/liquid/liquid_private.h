/* What the files of the Liquid engine share: the compiled program, values, the render state.
 *
 * Strings are UTF-8. JavaScript can cut a character outside of the BMP in two; such a half is kept as its three-byte
 * form (WTF-8) and put together again, or replaced by U+FFFD, when the output is finished (render.c).
 */
#ifndef CONTENT_LIQUID_PRIVATE_H
#define CONTENT_LIQUID_PRIVATE_H

#include "content/liquid.h"

enum {
    LIQUID_SOURCE_MAX = 1 << 20,
    LIQUID_DEPTH_MAX = 100,         /* nested blocks, nested expressions (content.md §1.8) */
    LIQUID_DATA_DEPTH_MAX = 500,    /* arrays in arrays that filters can build */
    LIQUID_STEP_BYTES = 64,         /* text scanned for one step */
};

/* ---- values (value.c) ---- */
enum value_kind {
    V_UNDEFINED, V_NULL, V_BOOL, V_NUMBER, V_STRING,
    V_DATA_ARRAY, V_DATA_OBJECT,    /* of the caller's variables */
    V_ARRAY, V_HASH, V_RANGE,       /* made during this render */
    V_NIL, V_EMPTY, V_BLANK,        /* the literals: drops with an equality of their own */
    V_LOOP, V_BLOCK,                /* forloop, tablerowloop; block */
};

struct value;
struct value_array { struct value *v; size_t n; };
struct value_member { struct str key; struct value *value; };
struct value_hash { struct value_member *v; size_t n; };
struct value_range { double low, n; };
struct value_loop {
    double i, length, cols;
    struct str collection, variable;
    bool table;
    const struct value *cols_given;     /* of a table: as it is shown, `true` for a bare `cols` */
};

struct value {
    enum value_kind kind;
    union {
        bool b;
        double number;
        struct str s;
        yyjson_val *data;
        struct value_array *array;
        struct value_hash *hash;
        struct value_range *range;
        struct value_loop *loop;
    };
};

#define VALUE_UNDEFINED ((struct value){.kind = V_UNDEFINED})
static inline struct value value_bool(bool b) { return (struct value){.kind = V_BOOL, .b = b}; }
static inline struct value value_number(double n) { return (struct value){.kind = V_NUMBER, .number = n}; }
/* Empty texts of values point somewhere too: sums with a null pointer are undefined. */
static inline struct str str_solid(struct str s) { return s.p ? s : (struct str){"", 0}; }
static inline struct value value_str(struct str s) { return (struct value){.kind = V_STRING, .s = str_solid(s)}; }

/* ---- the program (parse.c) ---- */
struct liquid_path;
enum operand_kind { OPERAND_NONE, OPERAND_VALUE, OPERAND_PATH, OPERAND_RANGE, OPERAND_OPERATOR };
enum liquid_operator { OP_EQ, OP_NE, OP_GE, OP_LE, OP_GT, OP_LT, OP_CONTAINS, OP_NOT, OP_AND, OP_OR };

struct operand {
    enum operand_kind kind;
    enum liquid_operator op;
    uint32_t begin, end;            /* in the source */
    union {
        struct value value;
        struct liquid_path *path;
        struct operand *range;      /* two */
    };
};

/* a.b[c]: the root is a value (literal or range), a name, or (key.kind != NONE) computed. */
struct liquid_path {
    struct operand base;            /* OPERAND_NONE: look keys[0] up in the scopes */
    struct operand *keys;
    uint32_t keys_n;
    int32_t slot;                   /* of keys[0], or -1 */
};

struct liquid_expr { struct operand *postfix; uint32_t n; };

struct liquid_filter;               /* entry of the table in filters.c */
struct filter_arg { bool named; struct str name; struct operand operand; };
struct filter_call {
    const struct liquid_filter *filter;     /* NULL: unknown, the value passes through */
    struct filter_arg *args;
    uint32_t args_n;
    struct str name;
};

struct liquid_value {               /* an expression and its filters */
    struct liquid_expr expr;
    struct filter_call *filters;
    uint32_t filters_n;
    uint32_t begin, end;
};

struct hash_arg { struct str name; struct operand operand; };
struct hash_args { struct hash_arg *v; uint32_t n; };

enum node_kind {
    NODE_TEXT, NODE_OUTPUT, NODE_ASSIGN, NODE_CAPTURE, NODE_IF, NODE_UNLESS, NODE_CASE, NODE_FOR, NODE_TABLEROW,
    NODE_CYCLE, NODE_INCREMENT, NODE_DECREMENT, NODE_BREAK, NODE_CONTINUE, NODE_ECHO, NODE_LIQUID, NODE_BLOCK,
    NODE_LAYOUT, NODE_RENDER, NODE_INCLUDE, NODE_NOTHING,
};

struct node;
struct nodes { struct node *v; uint32_t n; };
struct branch { struct liquid_value test; bool negate; struct operand *whens; uint32_t whens_n; struct nodes body; };

struct file_arg {                   /* the file of include, render, layout */
    bool none;
    bool is_template;
    struct nodes name;
    struct operand operand;
};

struct node {
    enum node_kind kind;
    uint32_t begin;                 /* offset of the tag: where a run-time error is reported */
    union {
        struct str text;
        struct liquid_value value;                                          /* OUTPUT, ECHO */
        struct { int32_t slot; struct str name; struct liquid_value value; } assign;
        struct { int32_t slot; struct str name; struct nodes body; } capture; /* also INCREMENT, DECREMENT, BLOCK */
        struct { struct branch *v; uint32_t n; struct nodes otherwise; struct liquid_value target; } branches;
        struct {
            int32_t slot, loop_slot;
            struct str name, text;                                          /* variable; source of the collection */
            struct operand collection;
            struct hash_args args;
            struct nodes body, otherwise;
        } loop;
        struct { struct operand group; struct liquid_value *v; uint32_t n; struct str key; } cycle;
        struct { struct file_arg file; struct hash_args args; struct nodes body; struct operand with, each; } file;
    };
};

/* The variables that sources mention; each has a slot while rendering. */
struct liquid_names {
    struct str *v;
    uint32_t n;
    uint32_t *table;                /* open addressing over v: index + 1, 0 = free */
    uint32_t table_n;
};

struct liquid_template {
    struct str source;
    struct nodes nodes;
    struct liquid_names *names;
    bool leaf;                      /* a control's string: see liquid_parse_leaf */
    bool json_text;                 /* of a leaf: what it renders is a JSON text, in which outputs keep to their place */
    bool halves;                    /* a literal holds half of a surrogate pair */
    bool raw_filter;                /* the filter raw occurs: its output needs JSON repair upstream */
};

/* A string leaf of step controls. Upstream renders it inside of a JSON text: a backslash in a tag's string literal
 * stands for itself there, and only blanks that JSON does not escape are trimmed (content.md §1.4). */
struct liquid_template *liquid_parse_leaf(struct arena *a, struct str source, struct liquid_names *names, struct error *err);

/* Several templates rendered one after the other with the same variables: the leaves of one controls object, which is
 * one template upstream. All must have been parsed with these names. */
struct render;
struct render *liquid_open(const struct liquid_names *names, const struct liquid_context *c, struct arena *a);
bool liquid_render_next(struct render *r, const struct liquid_template *t, struct buf *out, struct error *err);

/* ---- lexer.c ---- */
enum token_kind { TOKEN_TEXT, TOKEN_TAG, TOKEN_OUTPUT };
struct token {
    enum token_kind kind;
    uint32_t begin, end;            /* whole token; for text after trimming */
    uint32_t p, content_end;        /* tags: behind the name; outputs: the expression */
    uint32_t text_end;              /* end of the token in the source before trimming */
    struct str name;
    bool trim_left, trim_right;
};

struct lexer {
    struct arena *arena;
    struct str source;
    size_t p, end;
    bool leaf;
    int depth;
    struct error *err;
    bool failed;
    struct liquid_names *names;     /* NULL: every name is looked up at run time */
    bool raw_filter, halves;
};

/* Every one fails by setting lexer->failed and *err (with its place) and returning false. */
bool lexer_fail(struct lexer *l, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool lexer_tokens(struct lexer *l, struct token **out, uint32_t *n);
bool lexer_liquid_tokens(struct lexer *l, size_t from, size_t to, struct token **out, uint32_t *n);
struct str lexer_snapshot(struct lexer *l, size_t from);
void liquid_place(struct str source, size_t at, struct error *err);     /* appends ", line:L, col:C" */
struct str liquid_quote(struct arena *a, struct str s);                 /* JSON.stringify of a string */

size_t blank_at(struct str source, size_t p, size_t end);               /* bytes of the blank there, or 0 */
size_t word_at(struct str source, size_t p, size_t end);                /* bytes of the word character there, or 0 */
void lexer_skip_blank(struct lexer *l);
struct str lexer_identifier(struct lexer *l);
static inline int lexer_peek(const struct lexer *l, size_t n)
{
    return l->p + n < l->end ? (unsigned char)l->source.p[l->p + n] : 0;
}
bool lexer_read_to(struct lexer *l, const char *what);                  /* behind it; false: at the end */

/* ---- expression.c ---- */
bool lexer_value(struct lexer *l, struct operand *out);                 /* kind NONE: nothing there */
bool lexer_value_required(struct lexer *l, struct operand *out);
bool lexer_scope_value(struct lexer *l, struct operand *out);
bool lexer_quoted(struct lexer *l, struct operand *out);
bool lexer_filtered_value(struct lexer *l, struct liquid_value *out);
bool lexer_hash(struct lexer *l, struct hash_args *out);
int32_t lexer_slot(struct lexer *l, struct str name);
int32_t names_find(const struct liquid_names *names, struct str name);

/* ---- render.c ---- */
struct slot {
    struct value bottom, shadow;
    uint32_t shadows;               /* loops that bind this name now */
    uint8_t state;                  /* SLOT_… of bottom */
};
enum { SLOT_NEW, SLOT_ENV, SLOT_SET };

struct counter { struct str name; double n; struct counter *next; };
struct cycle { struct str group, key; uint32_t at; struct cycle *next; };
struct loop_end { struct str variable, text; struct value at; struct loop_end *next; };
struct overlay { struct str name; struct value value; const struct overlay *next; };

struct render {
    const struct liquid_names *names;
    int32_t continue_slot;          /* of the name `continue`, -1 if no source mentions it */
    const struct liquid_context *c;
    struct arena *arena;
    struct buf *out;
    size_t out_start, output_max, memory, memory_max;
    int64_t loops, steps;           /* left */
    struct error *err;
    bool failed, placed;            /* err is set; with its place */
    bool broke, continued;
    bool halves;                    /* a value holds half of a surrogate pair */
    struct str source;              /* what the nodes being rendered were parsed from */
    enum render_how { RENDER_STOCK, RENDER_JSON, RENDER_PLAIN, RENDER_LEAF } how;
    int captures;
    bool json_text;                 /* the template being rendered is one of a JSON text */
    size_t json_seen;               /* of its output: the quotes up to there are counted */
    bool json_in_string, json_escape;           /* there: inside of a string; behind a backslash of one */
    struct slot *slots;
    struct counter *counters;
    struct cycle *cycles;
    struct loop_end *loop_ends;
    const struct overlay *overlay;  /* names that where_exp and its kin bind */
    const struct value *item;       /* set while a property of an element is read: it is the whole scope */
    int expressions;                /* where_exp inside of where_exp */
    struct str zone;                /* the zone asked for last, and ICU's name of it */
    uint16_t zone_name[64];
    uint64_t random;
};

bool render_fail(struct render *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool render_memory(struct render *r, double n);     /* false: over the limit; n bytes are about to be used */
bool render_work(struct render *r, double steps);   /* false: over the limit */
void *render_alloc(struct render *r, size_t n);
static inline bool render_scan(struct render *r, size_t bytes) { return render_work(r, (double)(bytes / LIQUID_STEP_BYTES)); }

struct slot_shadow { int32_t slot; struct value saved; };
void slot_push(struct render *r, int32_t slot, struct value v, struct slot_shadow *saved);
void slot_pop(struct render *r, const struct slot_shadow *saved);
bool render_nodes(struct render *r, const struct nodes *nodes);
bool render_node_loop(struct render *r, const struct node *node);      /* loop.c: for, tablerow */
bool render_put(struct render *r, struct str s);                       /* to the output, as it is */
bool render_put_value(struct render *r, struct value v, bool raw);     /* as {{ }} prints it */

/* ---- eval.c ---- */
struct value eval_operand(struct render *r, const struct operand *o);
struct value eval_value(struct render *r, const struct liquid_value *v);
struct value eval_property(struct render *r, struct value object, struct value key);

/* ---- value.c ---- */
struct value value_of_data(yyjson_val *v);
struct value value_plain(struct render *r, struct value v);         /* a drop's own value */
static inline bool value_is_nil(struct value v) { return v.kind <= V_NULL; }    /* undefined or null, no drops */
bool value_is_truthy(struct value v);
bool value_js_truthy(struct value v);
static inline bool value_is_array(struct value v)
{
    return v.kind == V_DATA_ARRAY || v.kind == V_ARRAY || v.kind == V_RANGE;
}
static inline bool value_is_object(struct value v) { return v.kind >= V_DATA_ARRAY; }   /* typeof 'object': arrays and drops too */
bool value_equals(struct render *r, struct value a, struct value b, int depth);
bool value_includes(struct render *r, struct value array, struct value item);
bool value_compare(struct render *r, enum liquid_operator op, struct value a, struct value b);
bool value_less(struct render *r, struct value a, struct value b);  /* JS a < b */
double value_number_js(struct render *r, struct value v);           /* Number(v) */
double value_to_number(struct render *r, struct value v);           /* Number(v) || 0, as the math filters do */
struct str value_to_str(struct render *r, struct value v);          /* liquidjs' stringify */
struct str value_to_js(struct render *r, struct value v);           /* String(v) */
struct str value_join(struct render *r, const struct value *v, size_t n, struct str separator); /* Array.join */
struct value value_add_js(struct render *r, struct value a, struct value b);    /* a + b */
size_t array_length(struct value v);                                /* of any kind of array */
struct value array_at(struct render *r, struct value v, size_t i);
struct value_array value_elements(struct render *r, struct value v);    /* toArray: nil → none, scalar → itself */
struct value_array value_enumerate(struct render *r, struct value v);   /* toEnumerable: objects as pairs */
struct value value_of_array(struct render *r, const struct value *v, size_t n);  /* copies */
size_t object_length(struct value v);
bool object_member(struct value v, size_t i, struct str *key, struct value *value);
struct value object_get(struct render *r, struct value v, struct str key);
bool object_has(struct value v, struct str key);
/* The members in JavaScript's order: indices first. Returns how many. */
size_t object_members(struct render *r, struct value v, struct value_member **out);
bool value_identical(struct value a, struct value b);               /* SameValueZero */

/* ---- number.c ---- */
enum { NUMBER_TEXT_MAX = 32 };
size_t number_print(double n, char out[NUMBER_TEXT_MAX]);           /* as Number.prototype.toString */
double number_parse(struct str s);                                  /* as Number(string); NaN */

/* ---- text.c: JavaScript's view of UTF-8 ---- */
size_t text_space(struct str s, size_t i);                          /* bytes of the JS white space at i, or 0 */
size_t text_space_before(struct str s, size_t i);
struct str text_trim_start(struct str s);
struct str text_trim_end(struct str s);
size_t text_units(struct str s);                                    /* length in UTF-16 units */
size_t text_points(struct str s);
size_t text_advance(struct str s, size_t from, double points);      /* byte offset */
uint32_t text_decode(struct str s, size_t i, size_t *bytes);
size_t text_encode(uint32_t c, char out[4]);
int text_compare(struct str a, struct str b);                       /* by UTF-16 units */
struct str text_unit(struct render *r, struct str s, double at, bool *found);
struct str text_join_halves(struct arena *a, struct str s);         /* pairs joined, lone halves to U+FFFD */
/* Before s is searched for what: where what holds half of a pair, all pairs are taken apart. */
void text_align_halves(struct render *r, struct str *s, struct str *what);
enum text_case { TEXT_UPPER, TEXT_LOWER };
struct str text_case(struct render *r, struct str s, enum text_case c);

/* ---- json_print.c ---- */
enum json_print { JSON_PRINT_REAL, JSON_PRINT_QUOTES, JSON_PRINT_FLAT };
/* JSON.stringify. QUOTES: ' for " and \n for a line feed, as Novu prints objects; FLAT: the same once JSON-parsed.
 * false: the value has no JSON (undefined). */
bool json_print(struct render *r, struct buf *b, struct value v, struct str indent, enum json_print how);
void json_escape(struct buf *b, struct str s);                      /* what JSON.stringify does between the quotes */

/* ---- filters.c ---- */
struct filter_args { const struct value *v; size_t n; };
static inline struct value filter_arg(const struct filter_args *a, size_t i) { return i < a->n ? a->v[i] : VALUE_UNDEFINED; }
typedef struct value (*filter_function)(struct render *r, struct value in, const struct filter_args *args);
struct liquid_filter { const char *name; filter_function function; };
const struct liquid_filter *filter_find(struct str name);
bool filter_is_raw(const struct liquid_filter *f);
extern const struct liquid_filter liquid_filters_string[], liquid_filters_html[], liquid_filters_number[],
    liquid_filters_array[], liquid_filters_query[], liquid_filters_date[], liquid_filters_misc[], liquid_filters_novu[];

/* Helpers of several filter files. */
struct str filter_concat(struct render *r, struct str a, struct str b);
struct str filter_replace(struct render *r, struct str s, struct str what, struct str with);    /* split and join */
/* The argument, or `otherwise` where JavaScript's default parameter would be taken. */
static inline struct value filter_arg_or(const struct filter_args *a, size_t i, struct value otherwise)
{
    struct value v = filter_arg(a, i);
    return v.kind == V_UNDEFINED ? otherwise : v;
}
struct value filter_member(struct render *r, struct value item, struct str path);      /* a.b.c of an element */

/* ---- date_parse.c, strftime.c, plural.c ---- */
bool date_parse_js(struct str s, double *ms);                       /* new Date(string), server zone UTC */
/* A moment as it is shown: shifted by the zone. offset is minutes behind UTC, as JavaScript has it. */
struct shown_date {
    double ms;                      /* UTC */
    double offset;
    bool fixed;                     /* a zone was asked for */
    struct str zone;                /* its name, or empty */
    int year, month, day, weekday, yday, hour, minute, second, milli;
};
void date_show(struct shown_date *d);                               /* fills the parts from ms and offset */
struct str date_format(struct render *r, const struct shown_date *d, struct str format);
bool date_zone_offset(struct render *r, struct str zone, double ms, double *minutes);    /* false: no such zone */
struct str plural_word(struct render *r, struct str word, double count);     /* npm pluralize 8.0.0 */

#endif
