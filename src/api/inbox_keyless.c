/* Demo environments for Inboxes without an application identifier, and their one event. */
#include "api/inbox_keyless.h"

#include "account/bootstrap.h"
#include "api/inbox_private.h"
#include "api/trigger.h"
#include "model/workflow.h"

enum { KEYLESS_MAX = 100 };             /* alive at a time: any page that is open on this machine may ask for one */

#define HELLO_WORLD "hello-world"
#define REFUSAL "Keyless is not supported in community edition"

/* %s: the step's id. */
static const char hello_world[] =
    "{\"workflowId\":\"" HELLO_WORLD "\",\"description\":\"What an Inbox without keys shows\",\"tags\":[],\"severity\":\"none\","
    "\"isTranslationEnabled\":false,\"validatePayload\":false,"
    "\"payloadSchema\":{\"type\":\"object\",\"additionalProperties\":true,\"properties\":{}},\"origin\":\"novu-cloud\","
    "\"preferences\":{\"user\":null,\"default\":{\"all\":{\"enabled\":true,\"readOnly\":false},\"channels\":{"
    "\"in_app\":{\"enabled\":true},\"email\":{\"enabled\":true},\"sms\":{\"enabled\":true},\"push\":{\"enabled\":true},"
    "\"chat\":{\"enabled\":true},\"tool\":{\"enabled\":true}}}},\"steps\":["
    "{\"_id\":\"%s\",\"stepId\":\"inbox\",\"name\":\"Inbox\",\"type\":\"in_app\",\"active\":true,\"controlValues\":{"
    "\"disableOutputSanitization\":true,"
    "\"subject\":\"{{ payload.subject | default: 'Hello' }}\",\"body\":\"{{ payload.body | default: 'It works.' }}\","
    "\"primaryAction\":{\"label\":\"{{ payload.primaryActionText }}\",\"redirect\":{\"url\":\"{{ payload.primaryActionUrl }}\","
    "\"target\":\"_blank\"}},"
    "\"secondaryAction\":{\"label\":\"{{ payload.secondaryActionText }}\",\"redirect\":{\"url\":\"{{ payload.secondaryActionUrl }}\","
    "\"target\":\"_blank\"}}}}]}";

bool keyless_offered(struct request *rq)
{
    return app_of(rq)->keyless && app_is_local(rq);
}

bool keyless_identifier(struct str identifier)
{
    return str_starts(identifier, STR("pk_keyless_"));
}

/* --- making one ----------------------------------------------------------------------------------------------------- */

static bool workflow_make(struct request *rq, struct db *db, const struct environment *e, struct error *err)
{
    char step[ID_HEX + 1];
    id_hex(app_id(rq), step);
    struct workflow w = {.id = app_id(rq), .environment = e->id, .identifier = STR(HELLO_WORLD), .name = STR("Hello World"),
                         .active = true, .version = 1, .created_at = e->created_at, .updated_at = e->created_at,
                         .doc = str_fmt(rq->arena, hello_world, step)};
    return workflow_insert(db, &w, (struct id){{0}}, err);
}

bool keyless_create(struct request *rq, struct db *db, struct environment *e, struct error *err)
{
    int64_t now = app_now(rq), alive;
    struct environment *list;
    size_t n;
    if (!environment_count_keyless(db, now - KEYLESS_LIFE_MS, &alive, err)
        || !environment_list(db, rq->arena, (struct id){{0}}, &list, &n, err))
        return false;
    if (alive >= KEYLESS_MAX)
        return error_http(err, 429, "There are %d demo environments already; each is removed a day after it was made", KEYLESS_MAX);
    if (!n)
        return error_set(err, ERROR_INTERNAL, "There is no organization");
    struct str identifier = str_fmt(rq->arena, "pk_keyless_%08llx%.*s_%.*s", (unsigned long long)(now / 1000),
                                    STR_ARG(crypto_random_hex(rq->arena, 8)), STR_ARG(crypto_random_word(rq->arena, 4)));
    *e = (struct environment){.id = app_id(rq), .organization = list[0].organization, .name = identifier, .type = STR(ENVIRONMENT_KEYLESS),
                              .application_identifier = identifier};
    return environment_create(db, rq->arena, &app_of(rq)->box, &app_of(rq)->ids, e, (struct id){{0}}, STR_NULL, now, err)
        && workflow_make(rq, db, e, err);
}

/* --- its events ------------------------------------------------------------------------------------------------------ */

bool keyless_authenticate(struct request *rq, struct db *db, struct str identifier, struct error *err)
{
    struct error missing = {0};
    if (!keyless_offered(rq))
        return error_http(err, 400, REFUSAL);
    if (!str_eqz(str_of(rq->route->operation), "trigger"))
        return error_http(err, 401, "API endpoint not accessible");
    struct environment_view *e = directory_application(app_of(rq)->directory, db, identifier, &missing);
    if (!e && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    bool ok = e && environment_keyless_lives(&e->environment, app_now(rq));
    if (ok)
        rq->principal = (struct principal){.kind = PRINCIPAL_API_KEY, .organization = e->environment.organization,
                                           .environment = e->environment.id};
    if (e)
        cached_unref(&e->head);
    return ok || error_http(err, 401, "Invalid application identifier");
}

static bool caller_is_keyless(struct request *rq, bool *keyless, struct error *err)
{
    struct environment_view *e = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
    if (!e)
        return false;
    *keyless = keyless_offered(rq) && environment_keyless_lives(&e->environment, app_now(rq));
    cached_unref(&e->head);
    return true;
}

/* What the caller may not, or p NULL. */
static const char *refusal(struct request *rq, bool keyless)
{
    yyjson_val *to = json_get(rq->json, "to");
    struct str person = yyjson_is_obj(to) ? json_get_str(to, "subscriberId") : json_str(to);
    if (!keyless)
        return "Inbox events can only be triggered from a keyless environment.";
    if (!str_eqz(json_get_str(rq->json, "name"), HELLO_WORLD))
        return "Inbox subscribers may only trigger the \"hello-world\" workflow.";
    if (!str_eq(person, rq->principal.subscriber_id))
        return "Inbox subscribers may only trigger notifications for themselves.";
    return NULL;
}

static void event_done(struct trigger_call *c, const struct error *err)
{
    if (err)
        reply_error(c->rq, err);
    else
        reply_json(c->rq, 0, trigger_json(json_doc(c->rq->arena), c));
}

/* The name, oneself and the payload; nothing else that a trigger could say. */
static bool event_begin(struct request *rq, struct error *err)
{
    struct trigger_call *c = ARENA_NEW(rq->arena, struct trigger_call);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *event;
    json_add_str(d, o, "name", STR(HELLO_WORLD));
    json_add_str(d, o, "to", rq->principal.subscriber_id);
    json_add_val(d, o, "payload", json_get(rq->json, "payload"));
    *c = (struct trigger_call){.rq = rq, .done = event_done};
    rq->principal = (struct principal){.kind = PRINCIPAL_API_KEY, .organization = rq->principal.organization,
                                       .environment = rq->principal.environment};
    return json_parse(rq->arena, json_write_mut(rq->arena, o), &event, err) && trigger_begin(c, event, err);
}

void inbox_handle_event(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct error err = {0};
    bool keyless;
    trigger_check(&checks, rq->json, false);
    if (!checks_done(&checks) || !inbox_caller_known(rq))
        return;
    bool ok = caller_is_keyless(rq, &keyless, &err);
    const char *why = ok ? refusal(rq, keyless) : NULL;
    if (why)
        ok = error_http(&err, 403, "%s", why);
    if (!ok || !event_begin(rq, &err))
        reply_error(rq, &err);
}
