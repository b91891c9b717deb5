/* `carillon routes`: the route table, for people and for tests that hold it to the contract. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "api/app.h"

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
static const char *const auths[] = {"public", "environment", "session", "subscriber"};
static const char *const rates[] = {"none", "trigger", "configuration", "global"};

static yyjson_mut_val *route_json(yyjson_mut_doc *d, const struct route *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "operation", str_of(r->operation));
    json_add_str(d, o, "method", str_of(methods[r->method]));
    json_add_str(d, o, "path", str_of(r->path));
    json_add_str(d, o, "tag", str_of(r->tag));
    json_add_str(d, o, "summary", str_of(r->summary));
    json_add_str(d, o, "auth", str_of(auths[r->auth]));
    json_add_str(d, o, "permission", str_of(r->permission));
    json_add_str(d, o, "rate", str_of(rates[r->rate]));
    json_add_int(d, o, "cost", r->cost > 1 ? r->cost : 1);
    json_add_int(d, o, "status", r->status);
    json_add_str(d, o, "envelope", r->envelope == ENVELOPE_DATA ? STR("data") : STR("none"));
    json_add_bool(d, o, "idempotent", (r->method == HTTP_POST || r->method == HTTP_PATCH) && r->auth == AUTH_ENVIRONMENT
                                          && !(r->flags & ROUTE_NOT_IDEMPOTENT));
    return o;
}

static void line(const struct route *r)
{
    printf("%-6s %-80s %d %-11s %-13s %s\n", methods[r->method], r->path, r->status, auths[r->auth], rates[r->rate], r->operation);
}

int cli_routes(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    bool json = argc == 1 && !strcmp(argv[0], "--json");
    if (argc && !json) {
        cli_fail("Unexpected argument '%.80s' (carillon routes [--json])", argv[0]);
        return 2;
    }
    for (int t = 0; app_tables[t].routes; t++) {
        for (size_t i = 0; i < *app_tables[t].n; i++) {
            if (json)
                yyjson_mut_arr_append(list, route_json(d, &app_tables[t].routes[i]));
            else
                line(&app_tables[t].routes[i]);
        }
    }
    struct str text = json_write_mut(a, list);
    if (json)
        printf("%.*s\n", STR_ARG(text));
    return 0;
}
