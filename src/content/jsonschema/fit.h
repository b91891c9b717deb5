/* The program of the quick answer (fits.c): what a schema asks of a value, laid out by the type of the value. It is made once
 * by fit_compile.c and never changes. Every record has a fixed size; a value is looked at once, an object is walked once. */
#ifndef CONTENT_JSONSCHEMA_FIT_H
#define CONTENT_JSONSCHEMA_FIT_H

#include "content/jsonschema/plain_pattern.h"
#include "content/jsonschema/schema.h"

/* The low five bits of a yyjson tag tell type and kind (unsigned, signed, real; true, false): sets of them are one word. */
typedef uint32_t tag_set;
#define TAG(type, subtype) ((tag_set)1 << (YYJSON_TYPE_##type | YYJSON_SUBTYPE_##subtype))
#define TAGS(type) ((tag_set)0x01010101 << YYJSON_TYPE_##type)      /* whatever the subtype */

static inline tag_set tag_of(const yyjson_val *v)
{
    return (tag_set)1 << (v->tag & 31);
}

/* A name by its ends: names of up to 16 bytes are the same when these are. */
struct fit_name {
    uint64_t head, tail;
    uint32_t n;
};

static inline struct fit_name fit_name_of(const char *p, size_t n)
{
    struct fit_name name = {.n = (uint32_t)n};
    uint32_t head, tail;
    if (n >= 8) {
        memcpy(&name.head, p, 8);
        memcpy(&name.tail, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
        name.head = head;
        name.tail = tail;
    } else if (n) {
        name.head = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
                    (uint64_t)(unsigned char)p[n - 1] << 16;
    }
    return name;
}

static inline bool fit_name_same(struct fit_name a, struct fit_name b)
{
    return a.head == b.head && a.tail == b.tail && a.n == b.n;
}

static inline uint64_t fit_name_hash(struct fit_name name)
{
    return ((name.head ^ name.tail * 0x9e3779b97f4a7c15u) + name.n) * 0xd6e8feb86659fd93u >> 32;
}

struct fit_node;
struct fit_run;

/* What an object's member of this name must be. */
struct fit_member {
    struct fit_name name;
    tag_set accepts, further;       /* of node, here to be at hand */
    bool whole;
    bool named;                     /* in `properties`; otherwise only required, and one of the others */
    const char *text;
    const struct fit_node *node;
    uint64_t bit;                   /* in the set of those that were seen: of required ones and those with defaults */
};

/* Names to members, open addressing: slots hold an index + 1. */
struct fit_members {
    struct fit_member *list;        /* in the order of the schema; behind the last one that matches no name */
    size_t n;
    uint16_t *slots;
    size_t mask;
};

struct fit_object {
    struct fit_members members;
    uint64_t required, defaults;    /* sets of members */
    size_t least, most;             /* how many */
    const struct fit_node *others;  /* additionalProperties; NULL: anything */
    const struct fit_node *names;   /* propertyNames, or NULL */
    struct regex *const *patterns;
    const struct fit_node **pattern_nodes;
    size_t patterns_n;
};

struct fit_array {
    size_t least, most;
    const struct fit_node **tuple;
    size_t tuple_n, tuple_defaults; /* the last place with a default, + 1 */
    const struct fit_node *rest;    /* behind the tuple; NULL: anything */
    const struct fit_node *contains;
    size_t contains_least, contains_most;
    bool unique;
};

struct fit_string {
    size_t least, most;             /* code points */
    const struct regex *pattern;    /* one that needs an engine */
    const struct plain_pattern *plain;
    bool (*format)(struct str s);
    bool only_length;
};

struct fit_number {
    double least, most;             /* of reals */
    bool above, below;              /* the limits themselves are out */
    bool only_limits;
    int64_t least_whole, most_whole;
    double multiple;                /* 0: of anything */
    bool multiple_whole;
    unsigned format;                /* as struct format's numbers */
};

/* const and enum. Values of the tags in `hard` (objects, arrays) are left to the validation proper. */
struct fit_enum {
    tag_set same, hard;             /* null, true, false need no second look */
    struct fit_members strings;
    double *numbers;
    size_t numbers_n;
};

/* What looks at values of any type. */
struct fit_rule {
    enum { FIT_UNKNOWN, FIT_ENUM, FIT_REF, FIT_ANY_OF, FIT_ALL_OF, FIT_ONE_OF, FIT_NOT, FIT_IF } kind;
    tag_set tags;                   /* values it applies to */
    const struct fit_enum *constants;
    const struct fit_node *node, *then, *otherwise;
    const struct fit_node **nodes;
    size_t n;
};

/* Looks further at a value whose type its node accepts. */
typedef bool (*fit_further)(struct fit_run *r, const struct fit_node *node, yyjson_val *v);

struct fit_node {
    struct fit_node *next;          /* of the compiler's list */
    tag_set accepts;                /* values that the type allows */
    tag_set further;                /* those of which more is asked */
    bool whole;                     /* reals must be whole */
    struct fit_string *string;
    struct fit_number *number;
    struct fit_array *array;
    struct fit_object *object;
    struct fit_rule *rules;
    size_t rules_n;
    fit_further by_type[8];         /* for the values in `further`, by yyjson's type */
};

/* Whether a value fits and would stay as it is. Undecided: something the program does not know, or a limit. */
enum schema_fit { FIT_NO, FIT_YES, FIT_UNDECIDED };
enum schema_fit schema_fits(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a);

/* fits.c: fills in by_type; all nodes that this one refers to are made. */
void fit_node_link(struct fit_node *node);
/* NULL: no such name. */
const struct fit_member *fit_member_find(const struct fit_members *m, const char *text, size_t n);

#endif
