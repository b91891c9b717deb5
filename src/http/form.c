#include "http/form.h"

#include "http/url_private.h"

struct node {
    struct str key;
    struct str value;           /* p NULL: it has children */
    struct node *child, *last, *next;
    bool list;                  /* each child's key is a number within FORM_INDEX_MAX, or was left to us ("[]") */
};

/* "[b][0]" -> b, and what follows. A name whose brackets do not close is a key as it stands. */
static bool next_key(struct str *rest, struct str *key)
{
    ptrdiff_t end = rest->n && rest->p[0] == '[' ? str_find(*rest, STR("]")) : -1;
    if (end < 0)
        return false;
    *key = str_sub(*rest, 1, (size_t)end);
    *rest = str_sub(*rest, (size_t)end + 1, rest->n);
    return true;
}

static bool is_index(struct str key)
{
    int64_t n;
    return key.n && key.n <= 2 && key.p[0] != '-' && key.p[0] != '+' && (key.n == 1 || key.p[0] != '0') && str_to_i64(key, &n)
           && n <= FORM_INDEX_MAX;
}

static struct node *add(struct arena *a, struct node *parent, struct str key)
{
    struct node *x = ARENA_NEW(a, struct node);
    *x = (struct node){.key = key, .list = true};
    if (parent->last)
        parent->last->next = x;
    else
        parent->child = x;
    parent->last = x;
    parent->list &= !key.n || is_index(key);
    return x;
}

static struct node *find(struct node *parent, struct str key)
{
    for (struct node *x = parent->child; x; x = x->next)
        if (str_eq(x->key, key))
            return x;
    return NULL;
}

static bool refuse_both(struct str name, struct error *err)
{
    return error_http(err, 400, "Body parameter %.*s is both a value and an object", (int)(name.n > 100 ? 100 : name.n), name.p);
}

static void make_list(struct arena *a, struct node *x)
{
    add(a, x, STR(""))->value = x->value;
    x->value = STR_NULL;
}

/* A second value of a name makes an array of both. */
static bool put(struct arena *a, struct node *x, struct str name, struct str value, struct error *err)
{
    if (x->child && !x->list)
        return refuse_both(name, err);
    if (x->value.p)
        make_list(a, x);
    if (x->child)
        x = add(a, x, STR(""));
    x->value = value;
    return true;
}

static bool place(struct arena *a, struct node *root, struct str name, struct str value, struct error *err)
{
    ptrdiff_t bracket = name.n > 1 ? str_find(str_sub(name, 1, name.n), STR("[")) : -1;
    struct str rest = bracket < 0 ? STR("") : str_sub(name, (size_t)bracket + 1, name.n), key = name, inner;
    struct str probe = rest;
    struct node *x = root;
    if (next_key(&probe, &inner))
        key = str_sub(name, 0, (size_t)bracket + 1);
    else
        rest = STR("");
    for (int depth = 0; ; depth++) {
        if (depth > FORM_DEPTH_MAX)
            return error_http(err, 400, "Body parameters are nested more than %d deep", FORM_DEPTH_MAX);
        bool more = next_key(&rest, &inner);
        if (!key.n && more)
            key = STR("0");     /* a[][b]: members of one element */
        struct node *known = key.n ? find(x, key) : NULL;
        x = known ? known : add(a, x, key);
        if (!more)
            return put(a, x, name, value, err);
        if (x->value.p && inner.n)
            return refuse_both(name, err);
        if (x->value.p)
            make_list(a, x);
        key = inner;
    }
}

static void write(struct buf *b, const struct node *x);

/* Numbered children in the order of their numbers, before those that were only added. */
static void write_elements(struct buf *b, const struct node *x)
{
    const struct node *at[FORM_INDEX_MAX + 1] = {NULL};
    int64_t i;
    bool any = false;
    for (const struct node *c = x->child; c; c = c->next)
        if (c->key.n && str_to_i64(c->key, &i))
            at[i] = c;
    for (i = 0; i <= FORM_INDEX_MAX; i++) {
        if (!at[i])
            continue;
        buf_z(b, any ? "," : "");
        write(b, at[i]);
        any = true;
    }
    for (const struct node *c = x->child; c; c = c->next) {
        if (c->key.n)
            continue;
        buf_z(b, any ? "," : "");
        write(b, c);
        any = true;
    }
}

/* Elements among members ("a[]" beside "a[x]") are called by their number. */
static void write_members(struct buf *b, const struct node *x)
{
    int unnamed = 0;
    for (const struct node *c = x->child; c; c = c->next) {
        if (c->key.n)
            json_quote(b, c->key);
        else
            buf_fmt(b, "\"%d\"", unnamed++);
        buf_char(b, ':');
        write(b, c);
        buf_z(b, c->next ? "," : "");
    }
}

static void write(struct buf *b, const struct node *x) // NOLINT(misc-no-recursion): at most FORM_DEPTH_MAX + 2 deep
{
    if (x->value.p) {
        json_quote(b, x->value);
        return;
    }
    buf_char(b, x->list ? '[' : '{');
    if (x->list)
        write_elements(b, x);
    else
        write_members(b, x);
    buf_char(b, x->list ? ']' : '}');
}

bool form_parse(struct arena *a, struct str body, yyjson_val **root, struct error *err)
{
    struct query_param *p;
    struct node top = {0};
    struct buf text = {.arena = a};
    size_t separators = 0;
    for (size_t i = 0; i < body.n; i++)
        separators += body.p[i] == '&';
    if (separators >= FORM_PARAMS_MAX)
        return error_http(err, 413, "too many parameters: a form may have %d", FORM_PARAMS_MAX);
    size_t n = query_parse(a, body, &p);
    for (size_t i = 0; i < n; i++)
        if (p[i].name.n && !place(a, &top, p[i].name, p[i].value, err))
            return false;
    top.list = false;
    write(&text, &top);
    return json_parse(a, buf_finish(&text), root, err);
}
