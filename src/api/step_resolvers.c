/* /v2/step-resolvers (bridge-cli.md §6.1): steps whose code the command line uploads. That code needs a JavaScript engine,
 * which this server is not and has none beside it: nothing can be deployed, so no step has any. */
#include "api/app.h"
#include "api/preference_view.h"
#include "api/tables.h"

enum { BUNDLE_MAX = 12 << 20 };         /* bytes: so that the refusal is what a client of the largest bundle hears */

static void handle_count(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "count", 0);
    reply_json(rq, 0, o);
}

static void handle_deploy(struct request *rq)
{
    reply_fail(rq, 403, "Step resolver feature is not enabled for this organization");
}

static bool type_has_resolvers(struct str type)
{
    static const char *const types[] = {"email", "sms", "chat", "push", "in_app", "delay", "digest", "throttle"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eqz(type, types[i]))
            return true;
    return false;
}

/* A step of the caller's environment, by its id alone. */
static bool step_exists(struct request *rq, struct id id, bool *exists, struct error *err)
{
    struct workflow_set all;
    if (!workflow_set_read(rq, false, &all, err))
        return false;
    *exists = false;
    for (size_t i = 0; i < all.n; i++)
        for (int k = 0; k < all.all[i]->steps_n; k++)
            *exists |= id_eq(all.all[i]->steps[k].id, id);
    workflow_set_release(&all);
    return true;
}

/* A step without uploaded code is disconnected already, and keeps what it says. */
static void handle_disconnect(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str key = request_param(rq, "stepInternalId"), type = check_string(&c, rq->json, "stepType", true);
    struct error err = {0};
    struct id id;
    bool exists = false;
    if (!checks_done(&c))
        return;
    if (!type_has_resolvers(type))
        reply_fail(rq, 400, "Step type '%.*s' does not support step resolvers.", (int)(type.n > 64 ? 64 : type.n), type.p);
    else if (id_parse(key, &id) && !step_exists(rq, id, &exists, &err))
        reply_error(rq, &err);
    else if (!exists)
        reply_fail(rq, 404, "Step with id %.*s cannot be found", (int)(key.n > 64 ? 64 : key.n), key.p);
    else
        reply_json(rq, 0, yyjson_mut_obj(json_doc(rq->arena)));
}

#define RESOLVER(method, path, operation, summary, permission, status, envelope, body_max, flags, handler)                             \
    {method, "/v2/step-resolvers/" path, operation, "Step Resolvers", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, \
     status, envelope, body_max, flags, handler}

const struct route step_resolver_routes[] = {
    RESOLVER(HTTP_GET, "count", "stepResolversCount", "Count steps with uploaded code: there are none", "WORKFLOW_READ", 200,
             ENVELOPE_DATA, 0, 0, handle_count),
    RESOLVER(HTTP_POST, "deploy", "stepResolversDeploy", "Upload the code of steps (not on this server: 403)", "WORKFLOW_WRITE", 201,
             ENVELOPE_DATA, BUNDLE_MAX, ROUTE_RAW_BODY | ROUTE_READ_ONLY, handle_deploy),
    RESOLVER(HTTP_DELETE, "{stepInternalId}/disconnect", "stepResolversDisconnect", "Take its uploaded code from a step: it has none",
             "WORKFLOW_WRITE", 200, ENVELOPE_NONE, 0, ROUTE_READ_ONLY, handle_disconnect),
};
const size_t step_resolver_routes_n = sizeof step_resolver_routes / sizeof *step_resolver_routes;
