/* The route tree against a stupid model: try every route, segment by segment. */
#include <stdlib.h>

#include "http/router_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct route table[] = {
    {HTTP_GET, "/a", .operation = "a"}, {HTTP_GET, "/a/b", .operation = "ab"}, {HTTP_GET, "/{x}/b", .operation = "xb"},
    {HTTP_GET, "/a/{y}/c", .operation = "ayc"}, {HTTP_GET, "/{x}/b/{z}", .operation = "xbz"},
    {HTTP_GET, "/a/b/{r*}", .operation = "abr"}, {HTTP_GET, "/{x}/{y}/{z}/d", .operation = "xyzd"},
    {HTTP_GET, "/aa/b/c/d", .operation = "aabcd"},
};
enum { ROUTES = sizeof table / sizeof *table };

/* The segments of s; '*' for a parameter, '~' for a rest. */
static int split(struct str s, struct str *out, int most)
{
    int n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] != '/')
            end++;
        if (end > i && n < most)
            out[n++] = str_sub(s, i, end);
        i = end + 1;
    }
    return n;
}

static bool is_param(struct str s) { return s.p[0] == '{'; }
static bool is_rest(struct str s) { return is_param(s) && s.p[s.n - 2] == '*'; }

static bool fits(const struct str *route, int rn, const struct str *path, int pn)
{
    for (int i = 0; i < rn; i++) {
        if (is_rest(route[i]))
            return true;
        if (i >= pn || (!is_param(route[i]) && !str_eq(route[i], path[i])))
            return false;
    }
    return rn == pn;
}

/* Earlier literals win; a rest loses to everything. */
static int rank(const struct str *route, int rn, int i)
{
    return i >= rn ? 3 : is_rest(route[i]) ? 0 : is_param(route[i]) ? 1 : 2;
}

static int model(struct str path)
{
    struct str p[64], best[8], r[8];
    int pn = split(path, p, 64), bn = 0, found = -1;
    for (int k = 0; k < ROUTES; k++) {
        int rn = split(str_of(table[k].path), r, 8), c = 0;
        if (!fits(r, rn, p, pn))
            continue;
        for (int i = 0; found >= 0 && !c && i < 8; i++)
            c = rank(r, rn, i) - rank(best, bn, i);
        if (found < 0 || c > 0) {
            found = k;
            bn = rn;
            memcpy(best, r, sizeof best);
        }
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct route *const tables[] = {table, NULL};
    static const size_t sizes[] = {ROUTES};
    struct router_match m;
    struct error err;
    char path[128] = "/";
    if (n > 60)
        return 0;
    /* few letters, so that paths often fit */
    for (size_t i = 0; i < n; i++)
        path[i + 1] = "abcd/"[data[i] % 5];
    struct router *r = router_create(tables, sizes, &err);
    struct str s = str_of(path);
    bool found = router_find(r, HTTP_GET, s, &m);
    int want = model(s);
    if (found != (want >= 0) || (found && m.index != (size_t)want))
        abort();
    for (int i = 0; found && i < m.n; i++)
        if (m.value[i].n && (m.value[i].p < s.p || m.value[i].p + m.value[i].n > s.p + s.n))
            abort();
    (void)router_find(r, ROUTER_UPGRADE, (struct str){(const char *)data, n}, &m);
    router_destroy(r);
    return 0;
}
