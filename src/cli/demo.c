/* /demo: the newcomer's first minute. The page never sees the secret key: it triggers through /demo/trigger. */
#include "cli/demo.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/trigger.h"
#include "cli/assets.h"
#include "cli/cli.h"
#include "model/outbox.h"
#include "model/workflow.h"

struct demo {
    struct id organization, environment;
    char application_identifier[64];
};

static const char workflow_identifier[] = "demo-welcome", subscriber_identifier[] = "demo-subscriber";

/* %s twice: the ids of the two steps. */
static const char workflow_doc[] =
    "{\"workflowId\":\"demo-welcome\",\"description\":\"What /demo triggers\",\"tags\":[\"demo\"],\"severity\":\"none\","
    "\"isTranslationEnabled\":false,\"validatePayload\":false,"
    "\"payloadSchema\":{\"type\":\"object\",\"additionalProperties\":true,\"properties\":{}},\"origin\":\"novu-cloud\","
    "\"preferences\":{\"user\":null,\"default\":{\"all\":{\"enabled\":true,\"readOnly\":false},\"channels\":{"
    "\"in_app\":{\"enabled\":true},\"email\":{\"enabled\":true},\"sms\":{\"enabled\":true},\"push\":{\"enabled\":true},"
    "\"chat\":{\"enabled\":true},\"tool\":{\"enabled\":true}}}},\"steps\":["
    "{\"_id\":\"%s\",\"stepId\":\"inbox\",\"name\":\"Inbox\",\"type\":\"in_app\",\"active\":true,\"controlValues\":{"
    "\"disableOutputSanitization\":true,"        /* the Inbox shows text, not HTML: & stays & */
    "\"subject\":\"{{ payload.subject | default: 'Hello' }}\",\"body\":\"{{ payload.message | default: 'It works.' }}\"}},"
    "{\"_id\":\"%s\",\"stepId\":\"email\",\"name\":\"E-mail\",\"type\":\"email\",\"active\":true,\"controlValues\":{"
    "\"skip\":{\"!==\":[{\"var\":\"payload.email\"},false]},"
    "\"subject\":\"{{ payload.subject | default: 'Hello' }}, {{ subscriber.firstName }}\",\"editorType\":\"html\","
    "\"body\":\"<h1>Hello {{ subscriber.firstName }}!</h1><p>{{ payload.message | default: 'It works.' }}</p>"
    "<p>This e-mail went to the built-in outbox: no provider account is needed in Development.</p>\"}}]}";

struct preparation {
    struct app *app;
    struct demo *demo;
};

static bool dev_environment(struct db *db, struct arena *a, struct demo *demo, bool *found, struct error *err)
{
    struct environment *list;
    size_t n;
    *found = false;
    if (!environment_list(db, a, (struct id){{0}}, &list, &n, err))
        return false;
    for (size_t i = 0; i < n && !*found; i++)
        if (!environment_is_production(&list[i])) {
            demo->organization = list[i].organization;
            demo->environment = list[i].id;
            snprintf(demo->application_identifier, sizeof demo->application_identifier, "%.*s",
                     STR_ARG(list[i].application_identifier));
            *found = true;
        }
    return true;
}

static bool workflow_prepare(struct preparation *p, struct db *db, struct arena *a, struct error *err)
{
    int64_t now = clock_now_ms(&p->app->clock);
    struct workflow w;
    struct error missing = {0};
    char inbox[ID_HEX + 1], email[ID_HEX + 1];
    if (workflow_find_by_identifier(db, a, p->demo->environment, str_of(workflow_identifier), &w, &missing))
        return true;
    id_hex(id_new(&p->app->ids, now), inbox);
    id_hex(id_new(&p->app->ids, now), email);
    w = (struct workflow){.id = id_new(&p->app->ids, now), .environment = p->demo->environment,
                          .identifier = str_of(workflow_identifier), .name = STR("Demo"), .active = true, .version = 1,
                          .created_at = now, .updated_at = now, .doc = str_fmt(a, workflow_doc, inbox, email)};
    return workflow_insert(db, &w, (struct id){{0}}, err);
}

static bool prepare(void *arg, struct db *db, struct error *err)
{
    struct preparation *p = arg;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct subscriber_patch who = {.subscriber_id = str_of(subscriber_identifier)};
    struct id id;
    bool found;
    who.present = 1u << SUBSCRIBER_FIRST_NAME | 1u << SUBSCRIBER_LAST_NAME | 1u << SUBSCRIBER_EMAIL;
    who.field[SUBSCRIBER_FIRST_NAME] = STR("Ada");
    who.field[SUBSCRIBER_LAST_NAME] = STR("Lovelace");
    who.field[SUBSCRIBER_EMAIL] = STR("ada@example.com");
    if (!dev_environment(db, a, p->demo, &found, err))
        return false;
    if (!found)
        return error_set(err, ERROR_NOT_FOUND, "The demo needs an environment of type dev");
    int64_t now = clock_now_ms(&p->app->clock);
    return workflow_prepare(p, db, a, err)
        && subscriber_upsert(db, p->demo->environment, &who, id_new(&p->app->ids, now), now, &id, err);
}

bool demo_prepare(struct app *app, struct error *err)
{
    struct preparation p = {.app = app, .demo = calloc(1, sizeof *p.demo)};
    if (!p.demo)
        abort();
    if (!writer_run(app->writer, prepare, &p, err)) {
        free(p.demo);
        return false;
    }
    app->demo = p.demo;
    return true;
}

void demo_release(struct app *app)
{
    free((void *)(uintptr_t)app->demo);
    app->demo = NULL;
}

/* --- routes -------------------------------------------------------------------------------------------------- */

static bool demo_is_on(struct request *rq)
{
    if (app_of(rq)->demo)
        return true;
    reply_fail(rq, 404, "The demo is off; start the server with --demo on");
    return false;
}

static void handle_page(struct request *rq)
{
    const struct asset *page = asset_find(rq->path);
    if (!page) {
        reply_fail(rq, 404, "Cannot GET %.*s", (int)(rq->path.n > 200 ? 200 : rq->path.n), rq->path.p);
        return;
    }
    reply_header(rq, "Cache-Control", page->immutable ? STR("public, max-age=31536000, immutable") : STR("no-cache"));
    reply_text(rq, 200, page->type, (struct str){(const char *)page->p, page->n});
}

static void handle_config(struct request *rq)
{
    struct app *app = app_of(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!demo_is_on(rq))
        return;
    struct str curl = str_fmt(rq->arena,
                              "curl -X POST %.*s/v1/events/trigger -H 'Authorization: ApiKey <secret key>' "
                              "-H 'Content-Type: application/json' -d '{\"name\":\"%s\",\"to\":\"%s\",\"payload\":{\"subject\":\"Hi\","
                              "\"message\":\"From curl\"}}'", STR_ARG(app->public_url), workflow_identifier, subscriber_identifier);
    json_add_str(d, o, "applicationIdentifier", str_of(app->demo->application_identifier));
    json_add_str(d, o, "subscriberId", str_of(subscriber_identifier));
    json_add_str(d, o, "workflowId", str_of(workflow_identifier));
    json_add_str(d, o, "curl", curl);
    reply_header(rq, "Cache-Control", STR("no-store"));
    reply_json(rq, 0, o);
}

static void trigger_done(struct trigger_call *c, const struct error *err)
{
    if (err)
        reply_error(c->rq, err);
    else
        reply_json(c->rq, 0, trigger_json(json_doc(c->rq->arena), c));
}

static void handle_trigger(struct request *rq)
{
    struct trigger_call *c = ARENA_NEW(rq->arena, struct trigger_call);
    struct error err = {0};
    yyjson_val *event;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!demo_is_on(rq))
        return;
    rq->principal = (struct principal){.kind = PRINCIPAL_API_KEY, .organization = app_of(rq)->demo->organization,
                                       .environment = app_of(rq)->demo->environment};
    json_add_str(d, o, "name", str_of(workflow_identifier));
    json_add_str(d, o, "to", str_of(subscriber_identifier));
    yyjson_mut_val *payload = json_add_obj(d, o, "payload");
    json_add_val(d, payload, "subject", json_get(rq->json, "subject"));
    json_add_val(d, payload, "message", json_get(rq->json, "message"));
    json_add_bool(d, payload, "email", json_get_bool(rq->json, "email", true));
    *c = (struct trigger_call){.rq = rq, .done = trigger_done};
    if (!json_parse(rq->arena, json_write_mut(rq->arena, o), &event, &err) || !trigger_begin(c, event, &err))
        reply_error(rq, &err);
}

static void handle_outbox(struct request *rq)
{
    struct outbox_query q = {.channel = -1, .limit = 20};
    struct outbox_message *list;
    struct error err = {0};
    size_t n;
    if (!demo_is_on(rq))
        return;
    if (!outbox_list(app_db(rq), rq->arena, app_of(rq)->demo->environment, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *arr = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(arr, outbox_json(d, rq->arena, &list[i]));
    reply_header(rq, "Cache-Control", STR("no-store"));
    reply_json(rq, 0, arr);
}

#define DEMO(method, path, operation, summary, handler)                                                              \
    {method, path, operation, "Demo", summary, AUTH_PUBLIC, NULL, RATE_NONE, 0, 200, ENVELOPE_DATA, 65536, ROUTE_NOT_IDEMPOTENT, handler}

const struct route demo_routes[] = {
    DEMO(HTTP_GET, "/demo", "demoPage", "The demo page", handle_page),
    DEMO(HTTP_GET, "/demo/config.json", "demoConfig", "What the demo page needs to know", handle_config),
    DEMO(HTTP_POST, "/demo/trigger", "demoTrigger", "Trigger the demo workflow", handle_trigger),
    DEMO(HTTP_GET, "/demo/outbox", "demoOutbox", "Latest messages of the outbox", handle_outbox),
    DEMO(HTTP_GET, "/demo/{file*}", "demoFile", "Files of the demo page", handle_page),
};
const size_t demo_routes_n = sizeof demo_routes / sizeof *demo_routes;
