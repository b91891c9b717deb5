/* PUT /v2/workflows/{workflowId}/sync: the workflow as it is here, in another environment of the organisation. */
#include "api/workflow_private.h"
#include "api/workflow_view.h"
#include "api/workflow_write.h"
#include "model/layout.h"
#include "model/translation.h"

struct workflow_sync {
    struct api_write w;
    struct workflow source, target;
    struct id to;                       /* environment */
    yyjson_mut_doc *d;
    yyjson_mut_val *answer;         /* of the source, made before the write */
};

/* The layouts that the workflow's steps name go along; one that is not there stays unknown in the target, too. */
static bool layouts_copy(struct workflow_sync *x, struct db *db, struct arena *a, struct error *err)
{
    size_t i, n;
    yyjson_val *doc, *step;
    if (!json_parse(a, x->source.doc, &doc, err))
        return false;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step) {
        struct str wanted = json_get_str(json_get(step, "controlValues"), "layoutId");
        struct layout l;
        struct error missing = {0};
        if (!wanted.n)
            continue;
        if (layout_find(db, a, x->source.environment, wanted, &l, &missing)
                ? !layout_copy(db, a, &l, x->to, &app_of(x->w.rq)->ids, app_now(x->w.rq), err)
                : missing.code != ERROR_NOT_FOUND && (*err = missing, true))
            return false;
    }
    return true;
}

static bool sync_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct workflow_sync *x = (struct workflow_sync *)w;
    struct arena *a = w->rq->arena;
    return layouts_copy(x, db, a, err) && workflow_write_copy(w->rq, db, x->to, &x->source, &x->target, err)
        && translation_copy(db, a, x->source.environment, x->to, TRANSLATED_WORKFLOW, x->source.identifier, app_now(w->rq), err);
}

static void sync_reply(struct api_write *w)
{
    struct workflow_sync *x = (struct workflow_sync *)w;
    workflow_json_settle(x->d, w->rq->arena, x->answer, &x->target);
    reply_json(w->rq, 0, x->answer);
}

/* The target, if the caller's organisation has it and it takes what is published to it (decisions.md 33). */
static bool target_find(struct request *rq, struct str given, struct id *target, struct error *err)
{
    struct environment e;
    struct error missing = {0};
    yyjson_val *settings = NULL;
    bool found = id_parse(given, target) && environment_find(app_db(rq), rq->arena, *target, &e, &missing)
              && id_eq(e.organization, rq->principal.organization);
    if (!found)
        return error_http(err, 404, "Environment %.*s not found", (int)(given.n > 100 ? 100 : given.n), given.p);
    json_parse(rq->arena, e.settings, &settings, NULL);
    return rq->principal.kind != PRINCIPAL_API_KEY || json_get_bool(settings, "acceptsPublishByApiKey", true)
        || error_http(err, 403, "Environment %.*s does not accept publishing by API key", STR_ARG(str_sub(e.name, 0, 100)));
}

void workflow_handle_sync(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow_sync *x = ARENA_NEW(rq->arena, struct workflow_sync);
    struct str given = check_string(&checks, rq->json, "targetEnvironmentId", true);
    struct workflow_content content;
    struct error err = {0};
    yyjson_val *doc = NULL;
    if (!checks_done(&checks) || !workflow_load(rq, &x->source))
        return;
    x->w = (struct api_write){.flags = WRITE_DEFINITIONS, .apply = sync_apply, .reply = sync_reply};
    json_parse(rq->arena, x->source.doc, &doc, NULL);
    struct str origin = json_get_str(doc, "origin");
    if (!target_find(rq, given, &x->to, &err)
        || !workflow_content_load_of(rq, x->to, &content, &err)) {
        reply_error(rq, &err);
        return;
    }
    x->d = json_doc(rq->arena);
    x->answer = workflow_json(x->d, rq->arena, &content, &x->source);
    if (id_eq(x->to, rq->principal.environment))
        reply_fail(rq, 400, "Cannot sync workflow to the same environment");
    else if (origin.n && !str_eqz(origin, "novu-cloud"))
        reply_fail(rq, 400, "Cannot sync workflow: origin '%.*s' is not allowed (must be one of: novu-cloud)", STR_ARG(origin));
    else
        api_write(rq, &x->w);
}
