/* The tree of path segments and the walk through it. */
#include "http/router_private.h"

#include <stdlib.h>

#define NO_ROUTE SIZE_MAX

struct node {
    struct str text;                    /* the literal segment */
    struct node **child;                /* literals, sorted by length, then bytes */
    size_t children;
    struct node *param;                 /* {name} */
    size_t here[ROUTER_SLOTS];          /* routes that end at this segment */
    size_t rest[ROUTER_SLOTS];          /* routes that end here with {name*} */
};

struct entry {
    const struct route *route;
    int n;
    struct str name[ROUTER_PARAMS_MAX];
};

struct router {
    struct arena *arena;
    struct node *root;
    struct entry *entry;
    size_t n;
};

static struct node *node_new(struct arena *a, struct str text)
{
    struct node *n = ARENA_NEW(a, struct node);
    n->text = text;
    for (int i = 0; i < ROUTER_SLOTS; i++)
        n->here[i] = n->rest[i] = NO_ROUTE;
    return n;
}

static int segment_cmp(struct str a, struct str b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* The place of text among the children: where it is, or where it belongs. */
static size_t child_place(const struct node *n, struct str text, bool *found)
{
    size_t lo = 0, hi = n->children;
    *found = false;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = segment_cmp(n->child[mid]->text, text);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct node *child_get(struct arena *a, struct node *n, struct str text)
{
    bool found;
    size_t at = child_place(n, text, &found);
    if (found)
        return n->child[at];
    if ((n->children & (n->children + 1)) == 0) {           /* room grows at 0, 1, 3, 7, … */
        struct node **grown = ARENA_ARRAY(a, struct node *, 2 * n->children + 1);
        if (n->children)
            memcpy(grown, n->child, sizeof *grown * n->children);
        n->child = grown;
    }
    memmove(n->child + at + 1, n->child + at, sizeof *n->child * (n->children - at));
    n->children++;
    return n->child[at] = node_new(a, text);
}

/* Cuts the next segment off *path. false at the end. */
static bool segment_next(struct str *path, struct str *segment)
{
    size_t i = 0, end;
    while (i < path->n && path->p[i] == '/')
        i++;
    if (i == path->n)
        return false;
    for (end = i; end < path->n && path->p[end] != '/'; end++)
        ;
    *segment = str_sub(*path, i, end);
    *path = str_sub(*path, end, path->n);
    return true;
}

static bool slot_take(size_t *slot, size_t index, const struct route *route, struct error *err)
{
    if (*slot != NO_ROUTE)
        return error_set(err, ERROR_INTERNAL, "two routes for one path: %s (%s)", route->path, route->operation);
    *slot = index;
    return true;
}

/* A flagged route takes handshakes, and plain GETs too unless another route has them. */
static bool leaf_take(struct router *r, size_t *slots, size_t index, struct error *err)
{
    const struct route *route = r->entry[index].route;
    size_t *get = &slots[route->method];
    if (!(route->flags & ROUTE_ANY_UPGRADE)) {
        if (*get != NO_ROUTE && (r->entry[*get].route->flags & ROUTE_ANY_UPGRADE))
            *get = NO_ROUTE;
        return slot_take(get, index, route, err);
    }
    if (route->method != HTTP_GET)
        return error_set(err, ERROR_INTERNAL, "only GET can be upgraded: %s", route->path);
    if (*get == NO_ROUTE)
        *get = index;
    return slot_take(&slots[ROUTER_UPGRADE], index, route, err);
}

static bool route_add(struct router *r, size_t index, struct error *err)
{
    struct entry *e = &r->entry[index];
    struct str path = str_of(e->route->path), segment;
    struct node *at = r->root;
    if (!path.n || path.p[0] != '/')
        return error_set(err, ERROR_INTERNAL, "a route's path begins with '/': %s", e->route->path);
    while (segment_next(&path, &segment)) {
        if (segment.p[0] != '{') {
            at = child_get(r->arena, at, segment);
            continue;
        }
        bool rest = segment.n > 3 && segment.p[segment.n - 2] == '*';
        if (segment.n < 3 || segment.p[segment.n - 1] != '}' || e->n == ROUTER_PARAMS_MAX || (rest && path.n))
            return error_set(err, ERROR_INTERNAL, "bad pattern: %s", e->route->path);
        e->name[e->n++] = str_sub(segment, 1, segment.n - (rest ? 2 : 1));
        if (rest)
            return leaf_take(r, at->rest, index, err);
        if (!at->param)
            at->param = node_new(r->arena, STR_NULL);
        at = at->param;
    }
    return leaf_take(r, at->here, index, err);
}

struct router *router_create(const struct route *const *tables, const size_t *sizes, struct error *err)
{
    struct arena *a = arena_create(0);
    struct router *r = ARENA_NEW(a, struct router);
    size_t n = 0;
    *r = (struct router){.arena = a, .root = node_new(a, STR_NULL)};
    for (size_t t = 0; tables[t]; t++)
        n += sizes[t];
    r->entry = ARENA_ARRAY(a, struct entry, n);
    for (size_t t = 0; tables[t]; t++) {
        for (size_t i = 0; i < sizes[t]; i++) {
            r->entry[r->n].route = &tables[t][i];
            if (!route_add(r, r->n, err)) {
                router_destroy(r);
                return NULL;
            }
            r->n++;
        }
    }
    return r;
}

void router_destroy(struct router *r)
{
    if (r)
        arena_destroy(r->arena);
}

size_t router_count(const struct router *r)
{
    return r->n;
}

const struct route *router_route(const struct router *r, size_t index)
{
    return r->entry[index].route;
}

static bool found(const struct router *r, size_t index, int n, struct router_match *m)
{
    const struct entry *e = &r->entry[index];
    m->route = e->route;
    m->index = index;
    m->n = n;
    memcpy(m->name, e->name, sizeof *m->name * (size_t)n);
    return true;
}

/* Goes no deeper than the tables' longest path. */
static bool walk(const struct router *r, const struct node *at, int slot, struct str path, int n, struct router_match *m)
{
    struct str left = path, segment;
    if (segment_next(&left, &segment)) {
        bool literal;
        size_t place = child_place(at, segment, &literal);
        if (literal && walk(r, at->child[place], slot, left, n, m))
            return true;
        if (at->param) {
            m->value[n] = segment;
            if (walk(r, at->param, slot, left, n + 1, m))
                return true;
        }
    } else if (at->here[slot] != NO_ROUTE) {
        return found(r, at->here[slot], n, m);
    }
    if (at->rest[slot] == NO_ROUTE)
        return false;
    m->value[n] = path.n && path.p[0] == '/' ? str_sub(path, 1, path.n) : path;
    return found(r, at->rest[slot], n + 1, m);
}

bool router_find(const struct router *r, int slot, struct str path, struct router_match *m)
{
    if (slot == ROUTER_UPGRADE && walk(r, r->root, ROUTER_UPGRADE, path, 0, m))
        return true;
    return walk(r, r->root, slot == ROUTER_UPGRADE ? HTTP_GET : slot, path, 0, m);
}
