/* Which route answers a path: a tree of path segments, built once from the route tables.
 *
 * In each segment a literal beats a {parameter}, which beats a last {name*}; a branch that has no route for the
 * method is left again, so DELETE /x/active reaches /x/{id} when only GET is declared for /x/active.
 * WebSocket handshakes look first among the routes flagged ROUTE_ANY_UPGRADE, then among all GET routes: a
 * flagged route may share its path with an ordinary GET route and then takes the handshakes alone.
 * Read-only after router_create: any thread may match.
 */
#ifndef HTTP_ROUTER_PRIVATE_H
#define HTTP_ROUTER_PRIVATE_H

#include "base/error.h"
#include "http/route.h"

enum { ROUTER_PARAMS_MAX = 12, ROUTER_UPGRADE = HTTP_METHODS, ROUTER_SLOTS };

struct router;

struct router_match {
    const struct route *route;
    size_t index;                               /* of the route, counted over all tables */
    int n;
    struct str name[ROUTER_PARAMS_MAX];
    struct str value[ROUTER_PARAMS_MAX];        /* as in the path, still percent-encoded */
};

/* tables is NULL-terminated. NULL: a table is wrong (two routes for one path, a bad pattern). */
struct router *router_create(const struct route *const *tables, const size_t *sizes, struct error *err);
void router_destroy(struct router *r);
size_t router_count(const struct router *r);
const struct route *router_route(const struct router *r, size_t index);
/* path begins with '/', without doubled slashes. A '/' at its end does not count. */
bool router_find(const struct router *r, int slot, struct str path, struct router_match *m);

#endif
