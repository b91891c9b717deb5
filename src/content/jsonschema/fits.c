/* The quick answer for most values: this one fits and would not change. Looks at the value where it lies, makes no copy and
 * no errors. What the program does not know of is left to the validation proper. */
#include "content/jsonschema/fit.h"

enum { FITS_DEPTH_MAX = 100, UNIQUE_MAX = 64, FLAT_NAME_MAX = 16 };

struct fit_run {
    int64_t work;
    int depth;
    int composite;                  /* inside of anyOf, oneOf, not, if: no defaults */
    bool failed, use_defaults;
    struct arena *arena;            /* for regular expressions that need an engine */
    void *match_data;
};

/* What calls others has a frame; the checks of one scalar, which are most of the work, stay free of it. */
#define APART __attribute__((noinline))

/* Neither yes nor no: whoever asked has no answer either. */
static bool undecided(struct fit_run *r)
{
    r->failed = true;
    return false;
}

static inline bool work(struct fit_run *r, size_t n)
{
    r->work -= (int64_t)n;
    return r->work >= 0 || undecided(r);
}

static inline size_t length_of(const yyjson_val *v)
{
    return (size_t)(v->tag >> YYJSON_TAG_BIT);
}

/* Behind v: past what an array or object holds. */
static inline yyjson_val *next_of(yyjson_val *v)
{
    return (v->tag & 6) == 6 ? (yyjson_val *)((char *)v + v->uni.ofs) : v + 1;
}

static inline bool is_real(const yyjson_val *v)
{
    return tag_of(v) == TAG(NUM, REAL);
}

static APART bool is_whole(const yyjson_val *v)
{
    return is_real(v) && v->uni.f64 == trunc(v->uni.f64);
}

static inline bool further_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *v)
{
    return node->by_type[v->tag & 7](r, node, v);
}

static inline bool node_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *v)
{
    return (node->accepts & tag_of(v) || (node->whole && is_whole(v))) &&
           (!(node->further & tag_of(v)) || further_fits(r, node, v));
}

const struct fit_member *fit_member_find(const struct fit_members *m, const char *text, size_t n)
{
    struct fit_name name = fit_name_of(text, n);
    for (size_t i = fit_name_hash(name) & m->mask; m->slots[i]; i = (i + 1) & m->mask) {
        const struct fit_member *member = &m->list[m->slots[i] - 1];
        if (fit_name_same(member->name, name) && (n <= 16 || !memcmp(member->text, text, n)))
            return member;
    }
    return NULL;
}

/* ---- strings and numbers ---- */

static bool length_fits(const struct fit_string *s, struct str text)
{
    size_t points = 0;
    if (text.n <= s->most && (text.n + 3) / 4 >= s->least)
        return true;
    for (size_t i = 0; i < text.n; i++)
        points += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return points >= s->least && points <= s->most;
}

static APART bool regex_fits(struct fit_run *r, const struct regex *re, struct str text)
{
    struct run proper = {.arena = r->arena, .work = r->work, .match_data = r->match_data};
    bool matches = regex_matches(&proper, re, text);
    r->work = proper.work;
    r->match_data = proper.match_data;
    return proper.failed ? undecided(r) : matches;
}

static APART bool text_fits(struct fit_run *r, const struct fit_string *s, struct str text)
{
    return work(r, text.n / 16) && length_fits(s, text) && (!s->format || s->format(text)) &&
           (!s->plain || plain_pattern_matches(s->plain, text)) && (!s->pattern || regex_fits(r, s->pattern, text));
}

static bool string_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *v)
{
    const struct fit_string *s = node->string;
    size_t n = length_of(v);
    if (s->only_length && n <= s->most && (n + 3) / 4 >= s->least)      /* a code point has one to four bytes */
        return true;
    return text_fits(r, s, (struct str){v->uni.str, n});
}

/* Whole numbers that a double does not hold are left to the validation proper. */
static inline bool number_exact(const yyjson_val *v, double *out)
{
    static const int64_t most = (int64_t)1 << 53;
    if (is_real(v)) {
        *out = v->uni.f64;
        return true;
    }
    *out = (double)v->uni.i64;
    return v->uni.i64 <= most && v->uni.i64 >= -most && (v->uni.i64 >= 0 || tag_of(v) == TAG(NUM, SINT));
}

static APART bool number_more_fits(struct fit_run *r, const struct fit_number *n, const yyjson_val *v)
{
    double d;
    if (!number_exact(v, &d))
        return undecided(r);
    if (n->format && (d != trunc(d) || (n->format == 1 ? d < -0x1p31 || d > 0x1p31 - 1 : d < -0x1p63 || d >= 0x1p63)))
        return false;
    if (n->multiple == 0)
        return true;
    double times = d / n->multiple;
    if (isinf(times))
        return undecided(r);
    return n->multiple_whole && !is_real(v) ? fmod(d, n->multiple) == 0 : times == trunc(times);
}

static bool number_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *v)
{
    const struct fit_number *n = node->number;
    if (is_real(v)) {
        double d = v->uni.f64;
        if (!(n->above ? d > n->least : d >= n->least) || !(n->below ? d < n->most : d <= n->most))
            return false;
    } else {
        if (v->uni.i64 < 0 && tag_of(v) == TAG(NUM, UINT))
            return undecided(r);
        if (v->uni.i64 < n->least_whole || v->uni.i64 > n->most_whole)
            return false;
    }
    return n->only_limits || number_more_fits(r, n, v);
}

/* ---- any type ---- */

static bool enum_fits(struct fit_run *r, const struct fit_enum *e, const yyjson_val *v)
{
    double d;
    if (e->hard & tag_of(v))
        return undecided(r);
    if (tag_of(v) & TAGS(STR))
        return fit_member_find(&e->strings, v->uni.str, length_of(v)) != NULL;
    if (!(tag_of(v) & TAGS(NUM)))
        return e->same & tag_of(v);
    if (!number_exact(v, &d))
        return undecided(r);
    for (size_t i = 0; i < e->numbers_n && work(r, 1); i++)
        if (e->numbers[i] == d)
            return true;
    return false;
}

/* How many branches the value fits, of enough at most. */
static size_t branches_fit(struct fit_run *r, const struct fit_rule *rule, yyjson_val *v, size_t enough)
{
    size_t found = 0;
    for (size_t i = 0; i < rule->n && found < enough && work(r, 1); i++)
        found += node_fits(r, rule->nodes[i], v);
    return found;
}

static bool if_fits(struct fit_run *r, const struct fit_rule *rule, yyjson_val *v)
{
    r->composite++;
    bool holds = node_fits(r, rule->node, v);
    r->composite--;
    const struct fit_node *node = holds ? rule->then : rule->otherwise;
    return !node || node_fits(r, node, v);
}

/* As in the validation proper, no defaults are filled in inside of combinations, but for allOf and $ref. */
static bool rule_fits(struct fit_run *r, const struct fit_rule *rule, yyjson_val *v)
{
    bool fits;
    switch (rule->kind) {
    case FIT_ENUM: return enum_fits(r, rule->constants, v);
    case FIT_REF: return node_fits(r, rule->node, v);
    case FIT_ALL_OF: return branches_fit(r, rule, v, rule->n) == rule->n;
    case FIT_IF: return if_fits(r, rule, v);
    case FIT_UNKNOWN: return undecided(r);
    case FIT_ANY_OF:
    case FIT_ONE_OF:
    case FIT_NOT: break;
    }
    r->composite++;
    fits = rule->kind == FIT_NOT ? !node_fits(r, rule->node, v) :
           branches_fit(r, rule, v, rule->kind == FIT_ONE_OF ? 2 : 1) == 1;
    r->composite--;
    return fits;
}

/* ---- arrays ---- */

static bool scalar_same(const yyjson_val *a, const yyjson_val *b)
{
    double x, y;
    if (tag_of(a) & TAGS(NUM) && tag_of(b) & TAGS(NUM))
        return !number_exact(a, &x) || !number_exact(b, &y) || x == y;
    if (tag_of(a) & TAGS(STR) && tag_of(b) & TAGS(STR))
        return length_of(a) == length_of(b) && bytes_same(a->uni.str, b->uni.str, length_of(a));
    return (a->tag & 31) == (b->tag & 31) || (tag_of(a) & (TAGS(ARR) | TAGS(OBJ)) && tag_of(b) & (TAGS(ARR) | TAGS(OBJ)));
}

/* Short lists of scalars are compared each with each; what looks alike is left to the validation proper. */
static bool items_unique(struct fit_run *r, yyjson_val *first, size_t n)
{
    if (n > UNIQUE_MAX || !work(r, n * n / 8))
        return n < 2 || undecided(r);
    yyjson_val *a = first;
    for (size_t i = 0; i + 1 < n; i++) {
        yyjson_val *b = a = i ? next_of(a) : a;
        for (size_t k = i + 1; k < n; k++) {
            b = next_of(b);
            if (scalar_same(a, b))
                return undecided(r);
        }
    }
    return true;
}

static bool contains_fits(struct fit_run *r, const struct fit_array *a, yyjson_val *v, size_t n)
{
    size_t found = 0;
    r->composite++;
    for (; n && found <= a->contains_most && !(found >= a->contains_least && a->contains_most == SIZE_MAX); n--, v = next_of(v))
        found += node_fits(r, a->contains, v);
    r->composite--;
    return found >= a->contains_least && found <= a->contains_most;
}

static bool array_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *array)
{
    const struct fit_array *a = node->array;
    size_t n = length_of(array), i = 0;
    yyjson_val *v = array + 1;
    if (n < a->least || n > a->most || !work(r, n))
        return false;
    if (n < a->tuple_defaults && r->use_defaults && !r->composite)      /* the next one has a default or has none */
        return undecided(r);
    for (; i < n && i < a->tuple_n; i++, v = next_of(v))
        if (!node_fits(r, a->tuple[i], v))
            return false;
    for (; a->rest && i < n; i++, v = next_of(v))
        if (!node_fits(r, a->rest, v))
            return false;
    return (!a->unique || items_unique(r, array + 1, n)) && (!a->contains || contains_fits(r, a, array + 1, n));
}

/* ---- objects ---- */

/* Patterns look at all members; what neither they nor `properties` know is among the others. */
static APART bool patterns_fit(struct fit_run *r, const struct fit_object *o, bool named, yyjson_val *key)
{
    bool matched = named;
    for (size_t i = 0; i < o->patterns_n; i++)
        if (regex_fits(r, o->patterns[i], (struct str){key->uni.str, length_of(key)})) {
            matched = true;
            if (!node_fits(r, o->pattern_nodes[i], key + 1))
                return false;
        } else if (r->failed) {
            return false;
        }
    return matched || !o->others || node_fits(r, o->others, key + 1);
}

static APART bool names_fit(struct fit_run *r, const struct fit_node *node, yyjson_val *key, size_t n)
{
    bool fits = true;
    r->composite++;
    for (; n && fits; n--, key = next_of(key + 1))
        fits = node_fits(r, node, key);
    r->composite--;
    return fits;
}

static APART const struct fit_member *member_of(const struct fit_object *o, const yyjson_val *key)
{
    return fit_member_find(&o->members, key->uni.str, length_of(key));
}

static APART bool long_same(const char *a, const yyjson_val *key)
{
    return !memcmp(a, key->uni.str, length_of(key));
}

static inline bool ends_same(const struct fit_member *m, const yyjson_val *key)
{
    if (length_of(key) != m->name.n)
        return false;
    struct fit_name name = fit_name_of(key->uni.str, length_of(key));
    return name.head == m->name.head && name.tail == m->name.tail;
}

static inline bool member_is(const struct fit_member *m, const yyjson_val *key)
{
    return ends_same(m, key) && (length_of(key) <= 16 || long_same(m->text, key));
}

/* Members mostly come in the order of the schema: each is compared with the one that should be next, then looked up. */
static inline __attribute__((always_inline)) bool members_fit(struct fit_run *r, const struct fit_object *o, yyjson_val *object,
                                                              bool has_patterns, uint64_t *seen)
{
    const struct fit_member *next = o->members.list;
    yyjson_val *key = object + 1;
    for (size_t n = length_of(object); n; n--, key = next_of(key + 1)) {
        const struct fit_member *m = member_is(next, key) ? next : member_of(o, key);
        if (m) {
            next = m + 1;
            *seen |= m->bit;
            if (!(m->accepts & tag_of(key + 1)) && !(m->whole && is_whole(key + 1)))
                return false;
            if (m->further & tag_of(key + 1) && !further_fits(r, m->node, key + 1))
                return false;
        } else if (!has_patterns && o->others && !node_fits(r, o->others, key + 1)) {
            return false;
        }
        if (has_patterns && !patterns_fit(r, o, m && m->named, key))
            return false;
    }
    return true;
}

/* Members that must or may be there, and what the others are: nothing else is asked of most objects. */
static bool object_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *object)
{
    const struct fit_object *o = node->object;
    uint64_t seen = 0;
    return work(r, length_of(object)) && members_fit(r, o, object, false, &seen) && (seen & o->required) == o->required;
}

/* The same where no member is asked for more than its type: calls nothing. What is out of order, unknown or has a long name
 * is left to the general walk. */
static bool object_flat_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *object)
{
    const struct fit_member *m = node->object->members.list;
    uint64_t missing = node->object->required;
    yyjson_val *key = object + 1;
    for (size_t n = length_of(object); n; n--, m++, key = next_of(key + 1)) {
        if (!ends_same(m, key) || !(m->accepts & tag_of(key + 1)))
            return object_fits(r, node, object);
        missing &= ~m->bit;
    }
    return !missing && work(r, length_of(object));
}

static bool object_all_fits(struct fit_run *r, const struct fit_node *node, yyjson_val *object)
{
    const struct fit_object *o = node->object;
    uint64_t seen = 0, wanted = o->required | (r->use_defaults && !r->composite ? o->defaults : 0);
    size_t n = length_of(object);
    return n >= o->least && n <= o->most && work(r, n) && (!o->names || names_fit(r, o->names, object + 1, n)) &&
           (o->patterns_n ? members_fit(r, o, object, true, &seen) : members_fit(r, o, object, false, &seen)) &&
           (seen & wanted) == wanted;
}

/* ---- all together ---- */

static bool rules_fit(struct fit_run *r, const struct fit_node *node, yyjson_val *v)
{
    bool fits = (++r->depth <= FITS_DEPTH_MAX || undecided(r)) && work(r, node->rules_n);
    for (size_t i = 0; i < node->rules_n && fits; i++)
        fits = !(node->rules[i].tags & tag_of(v)) || rule_fits(r, &node->rules[i], v);
    r->depth--;
    if (!fits)
        return false;
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_STR: return !node->string || string_fits(r, node, v);
    case YYJSON_TYPE_NUM: return !node->number || number_fits(r, node, v);
    case YYJSON_TYPE_ARR: return !node->array || array_fits(r, node, v);
    case YYJSON_TYPE_OBJ: return !node->object || object_all_fits(r, node, v);
    default: return true;
    }
}

static bool members_flat(const struct fit_members *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->list[i].further || m->list[i].whole || m->list[i].name.n > FLAT_NAME_MAX)
            return false;
    return m->n;
}

void fit_node_link(struct fit_node *node)
{
    static const fit_further plain[8] = {
        [YYJSON_TYPE_STR] = string_fits, [YYJSON_TYPE_NUM] = number_fits, [YYJSON_TYPE_ARR] = array_fits,
        [YYJSON_TYPE_OBJ] = object_fits,
    };
    for (size_t type = 0; type < 8; type++)
        node->by_type[type] = node->rules_n ? rules_fit : plain[type];
    const struct fit_object *o = node->rules_n ? NULL : node->object;
    if (o && (o->least || o->most != SIZE_MAX || o->names || o->patterns_n || o->defaults))
        node->by_type[YYJSON_TYPE_OBJ] = object_all_fits;
    else if (o && members_flat(&o->members))
        node->by_type[YYJSON_TYPE_OBJ] = object_flat_fits;
}

enum schema_fit schema_fits(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a)
{
    if (!s->fit || !value || (o && o->remove_additional))     /* branches that fail remove things, too */
        return FIT_UNDECIDED;
    struct fit_run r = {.work = SCHEMA_WORK_MAX / 4, .use_defaults = o && o->use_defaults, .arena = a};
    bool fits = node_fits(&r, s->fit, value);
    return r.failed ? FIT_UNDECIDED : fits ? FIT_YES : FIT_NO;
}

bool jsonschema_fits(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a)
{
    return schema_fits(s, value, o, a) == FIT_YES;
}
