/* Checks of a trigger, and its way into the engine. */
#include "api/trigger.h"

#include "api/bridge_doc.h"
#include "api/gate.h"
#include "api/idempotency.h"
#include "api/template_variables.h"
#include "model/context.h"
#include "model/event.h"
#include "model/request_log.h"
#include "model/tenant.h"

enum event_member {
    EVENT_NAME, EVENT_TO, EVENT_PAYLOAD, EVENT_OVERRIDES, EVENT_TRANSACTION_ID, EVENT_ACTOR, EVENT_TENANT, EVENT_CONTEXT,
    EVENT_BRIDGE_URL, EVENT_CONTROLS, EVENT_AGENT_ID, EVENT_MEMBERS
};

/* The members of one event: most are absent, and none is looked for twice. */
struct event_body {
    yyjson_val *member[EVENT_MEMBERS];
};

static struct event_body event_read(yyjson_val *event)
{
    static const struct str names[EVENT_MEMBERS] = {
        {"name", 4}, {"to", 2}, {"payload", 7}, {"overrides", 9}, {"transactionId", 13}, {"actor", 5}, {"tenant", 6},
        {"context", 7}, {"bridgeUrl", 9}, {"controls", 8}, {"agentId", 7},
    };
    struct event_body b;
    json_members(event, names, EVENT_MEMBERS, b.member);
    return b;
}

static struct str event_text(const struct event_body *b, enum event_member m)
{
    return json_str(b->member[m]);
}

/* NULL for a null too. */
static yyjson_val *event_value(const struct event_body *b, enum event_member m)
{
    return yyjson_is_null(b->member[m]) ? NULL : b->member[m];
}

static bool recipient_is_valid(yyjson_val *v)
{
    if (yyjson_is_str(v))
        return str_trim(json_str(v)).n > 0;
    if (!yyjson_is_obj(v))
        return false;
    if (str_eqz(json_get_str(v, "type"), "Topic"))
        return json_get_str(v, "topicKey").n > 0;
    return str_trim(json_get_str(v, "subscriberId")).n > 0 || json_get_str(v, "topicKey").n > 0;
}

enum { EXCLUDE_MAX = 100 };

static bool exclude_is_valid(yyjson_val *to)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    if (!yyjson_is_arr(to))
        return yyjson_arr_size(json_get(to, "exclude")) <= EXCLUDE_MAX;
    while ((v = yyjson_arr_iter_next(&it)))
        if (yyjson_arr_size(json_get(v, "exclude")) > EXCLUDE_MAX)
            return false;
    return true;
}

static bool to_is_valid(yyjson_val *to)
{
    yyjson_val *v;
    if (!yyjson_is_arr(to))
        return recipient_is_valid(to);
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!recipient_is_valid(v))
            return false;
    return yyjson_arr_size(to) > 0;
}

static void to_check(struct checks *c, yyjson_val *to)
{
    size_t most = app_of(c->rq)->recipients_max;
    if (!to_is_valid(to))
        check_fail(c, "to must be a non-empty subscriberId string, an object with a non-empty subscriberId, a topic object "
                      "with a non-empty topicKey, or a non-empty array of those");
    else if (most && yyjson_arr_size(to) > most)
        check_fail(c, "to must contain no more than %zu elements", most);
    else if (!exclude_is_valid(to))
        check_fail(c, "exclude must contain no more than %d elements", EXCLUDE_MAX);
}

static void context_check(struct checks *c, yyjson_val *v)
{
    struct context list[CONTEXTS_MAX];
    struct str messages[CONTEXTS_MAX + 1];
    size_t n, bad = v ? context_read(c->rq->arena, v, list, &n, messages, CONTEXTS_MAX + 1) : 0;
    for (size_t i = 0; i < bad; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
}

void trigger_check(struct checks *c, yyjson_val *event, bool broadcast)
{
    struct event_body b = event_read(event);
    yyjson_val *actor = event_value(&b, EVENT_ACTOR), *tenant = event_value(&b, EVENT_TENANT);
    check_string(c, event, "name", true);
    if (!broadcast)
        to_check(c, b.member[EVENT_TO]);
    check_object(c, event, "payload", broadcast);
    if (b.member[EVENT_OVERRIDES])
        check_object(c, event, "overrides", false);
    if (b.member[EVENT_BRIDGE_URL])
        check_string(c, event, "bridgeUrl", false);
    if (b.member[EVENT_CONTROLS])
        check_object(c, event, "controls", false);
    if (b.member[EVENT_TRANSACTION_ID] && check_string(c, event, "transactionId", false).n > 256)
        check_fail(c, "transactionId must be shorter than or equal to 256 characters");
    if (actor && !recipient_is_valid(actor))
        check_fail(c, "actor must be a subscriberId string or an object with a non-empty subscriberId");
    if (tenant && !yyjson_is_str(tenant) && !json_get_str(tenant, "identifier").n)
        check_fail(c, "tenant must be a string or an object with a non-empty identifier");
    if (b.member[EVENT_CONTEXT])
        context_check(c, check_object(c, event, "context", false));
}

/* Bytes of the event as JSON, without payload.attachments. */
static bool size_check(struct trigger_call *c, yyjson_val *event, const struct event_body *b, struct error *err)
{
    struct arena *a = c->rq->arena;
    size_t n = c->bulk ? json_write(a, event).n : c->rq->body.n;
    yyjson_val *attachments = json_get(b->member[EVENT_PAYLOAD], "attachments");
    if (attachments)
        n -= json_write(a, attachments).n;
    if (n <= EVENT_BYTES_MAX)
        return true;
    struct str name = event_text(b, EVENT_NAME);
    if (c->bulk)
        return error_http(err, 413, "Event at index %zu (workflow: \"%.*s\") has payload size (%zu bytes) exceeds maximum allowed "
                          "size of %d bytes (512KB). Note: Attachments are excluded from this limit.", c->index,
                          (int)(name.n > 128 ? 128 : name.n), name.p, n, EVENT_BYTES_MAX);
    return error_http(err, 413, "Payload size (%zu bytes) exceeds maximum allowed size of %d bytes (512KB). Note: Attachments are "
                      "excluded from this limit.", n, EVENT_BYTES_MAX);
}

/* engine.md §1.2 step 6: false: the store failed. *active: as the workflow's override for this tenant has it. */
static bool tenant_check(struct request *rq, const struct definition *d, yyjson_val *tenant, bool *known, bool *active,
                         struct error *err)
{
    struct tenant t;
    struct workflow_override o;
    struct error missing = {0};
    struct str identifier = yyjson_is_str(tenant) ? json_str(tenant) : json_get_str(tenant, "identifier");
    *known = true;
    *active = d->workflow.active;
    if (!identifier.n)
        return true;
    bool found = tenant_find(app_db(rq), rq->arena, rq->principal.environment, identifier, &t, &missing);
    *known = found || yyjson_is_obj(tenant);            /* an object is created (decisions.md 12) */
    if (found && workflow_override_find(app_db(rq), rq->arena, d->workflow.id, t.id, &o, &missing))
        *active = o.active;
    return missing.code == ERROR_NONE || missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

static enum trigger_status steps_status(const struct definition *d)
{
    bool active = false;
    for (int i = 0; i < d->steps_n; i++)
        active |= d->steps[i].active;
    return !d->steps_n ? TRIGGER_NO_STEPS : active ? TRIGGER_PROCESSED : TRIGGER_NO_ACTIVE_STEPS;
}

/* Steps 6, 7 and 9 of engine.md §1.2; what a trigger brings along is not asked the first two. */
static bool status_find(struct trigger_call *c, const struct definition *d, const struct event_body *b, struct error *err)
{
    struct request *rq = c->rq;
    bool known = true, active = true, brought = c->trigger.bridge != NULL;
    if (!brought && !tenant_check(rq, d, b->member[EVENT_TENANT], &known, &active, err))
        return false;
    c->status = !known ? TRIGGER_NO_TENANT : !active ? TRIGGER_NOT_ACTIVE : brought ? TRIGGER_PROCESSED : steps_status(d);
    if (c->status != TRIGGER_PROCESSED || c->broadcast)
        return true;
    struct environment_view *v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
    if (!v)
        return false;
    c->trigger.strict = environment_switch(&v->environment, "strictSubscriberIds", false);
    cached_unref(&v->head);
    if (!recipients_any(b->member[EVENT_TO], c->trigger.strict))
        c->status = TRIGGER_INVALID_RECIPIENTS;
    return true;
}

/* No agents are kept here yet: none has the name that is given. */
static bool agent_check(yyjson_val *agent, struct error *err)
{
    struct str id = json_str(agent);
    if (!agent)
        return true;
    if (!str_trim(id).n)
        return error_http(err, 400, "Agent identifier must be a non-empty string.");
    return error_http(err, 400, "Agent with identifier \"%.*s\" was not found.", (int)(id.n > 128 ? 128 : id.n), id.p);
}

/* How many workflows in a row have led here. What is no number is somebody else's header. */
static bool hops_check(struct request *rq, int *hops, struct error *err)
{
    int64_t n = 0;
    if (!str_to_i64(str_trim(request_header(rq, HOPS_HEADER)), &n) || n < 0)
        n = 0;
    *hops = (int)(n > HOPS_MAX ? HOPS_MAX : n);
    return n <= HOPS_MAX || error_http(err, 400, "Workflows that trigger one another have come %d times in a row to this trigger without "
                                       "waiting: that is taken for a cycle, and it ends here", HOPS_MAX);
}

static void engine_done(struct trigger *t, const struct error *err)
{
    struct trigger_call *c = t->owner;
    c->done(c, err);
}

/* engine.md §1.2 step 5: the payload, with the schema's defaults, takes the place of what was sent. */
static bool payload_check(struct request *rq, const struct definition *d, yyjson_val **payload, struct error *err)
{
    struct jsonschema_options options = {.all_errors = true, .use_defaults = true};
    struct jsonschema_result result;
    yyjson_mut_doc *doc = json_doc(rq->arena);
    yyjson_val *value = *payload;
    if (!d->payload_program)
        return true;
    if (!value && !json_parse(rq->arena, STR("{}"), &value, err))
        return false;
    if (jsonschema_fits(d->payload_program, value, &options, rq->arena)) {
        *payload = value;
        return true;
    }
    if (!jsonschema_validate(d->payload_program, value, &options, rq->arena, doc, &result, err))
        return false;
    if (!result.valid)
        return jsonschema_payload_error(&result, d->payload_schema, rq->arena, err);
    return json_parse(rq->arena, json_write_mut(rq->arena, result.value), payload, err);
}

/* What the event's bridge has of that name: used as it is now, and stored nowhere (bridge-cli.md §3.4). */
static struct definition *brought_definition(struct trigger_call *c, const struct event_body *b, struct error *err)
{
    struct request *rq = c->rq;
    struct str url = event_text(b, EVENT_BRIDGE_URL), name = event_text(b, EVENT_NAME);
    const struct discovery *x = discoveries_find(c->discoveries, url);
    if (!x || !x->said) {
        if (x)
            *err = x->err;
        else
            error_http(err, 400, "bridgeUrl: one call may name at most %d bridges", DISCOVERIES_MAX);
        return NULL;
    }
    yyjson_val *w = bridge_doc_find(x->said, name);
    if (!w) {
        error_set(err, ERROR_NOT_FOUND, "workflow_not_found");
        return NULL;
    }
    struct id id = bridge_doc_id(rq->arena, rq->principal.environment, url, name);
    c->trigger.bridge = bridge_doc_brought(rq->arena, id, url, w);
    return definition_brought(app_of(rq)->definitions, rq->principal.environment, id, c->trigger.bridge, err);
}

static struct definition *event_definition(struct trigger_call *c, const struct event_body *b, struct error *err)
{
    struct request *rq = c->rq;
    struct definition *d = event_text(b, EVENT_BRIDGE_URL).n
        ? brought_definition(c, b, err)
        : definition_current(app_of(rq)->definitions, app_db(rq), rq->principal.environment, event_text(b, EVENT_NAME), err);
    if (!d && err->code == ERROR_NOT_FOUND)
        error_http(err, 422, "workflow_not_found");
    return d;
}

static void trigger_discovered(void *arg)
{
    struct trigger_call *c = arg;
    struct error err = {0};
    if (!trigger_begin(c, c->event, &err))
        c->done(c, &err);
}

static void trigger_discover(struct trigger_call *c, yyjson_val *event)
{
    c->discoveries = ARENA_NEW(c->rq->arena, struct discoveries);
    c->discoveries->rq = c->rq;
    c->event = event;
    discoveries_add(c->discoveries, event);
    discoveries_begin(c->discoveries, trigger_discovered, c);
}

bool trigger_begin(struct trigger_call *c, yyjson_val *event, struct error *err)
{
    struct request *rq = c->rq;
    struct app *app = app_of(rq);
    struct event_body b = event_read(event);
    struct str tx = event_text(&b, EVENT_TRANSACTION_ID);
    char hex[ID_HEX + 1];
    int hops;
    if (!size_check(c, event, &b, err) || !agent_check(event_value(&b, EVENT_AGENT_ID), err) || !hops_check(rq, &hops, err))
        return false;
    if (event_text(&b, EVENT_BRIDGE_URL).n && !c->discoveries) {
        trigger_discover(c, event);
        return true;
    }
    struct definition *d = event_definition(c, &b, err);
    if (!d)
        return false;
    if (!tx.n) {
        id_hex(app_id(rq), hex);
        tx = str_fmt(rq->arena, "txn_%s", hex);
    }
    yyjson_val *payload = event_value(&b, EVENT_PAYLOAD);
    c->transaction_id = tx;
    if (!payload_check(rq, d, &payload, err) || !status_find(c, d, &b, err)
        || (c->status == TRIGGER_PROCESSED && !template_variables_apply(rq->arena, d, &payload, err))) {
        cached_unref(&d->head);
        return false;
    }
    if (c->status != TRIGGER_PROCESSED) {
        cached_unref(&d->head);
        c->done(c, NULL);
        return true;
    }
    if (c->repeats) {
        cached_unref(&d->head);
        c->done(c, NULL);
        return true;
    }
    struct attachment *attachments;
    size_t attachments_n;
    if (!attachments_take(rq, &payload, &attachments, &attachments_n, err)) {
        cached_unref(&d->head);
        return false;
    }
    c->trigger = (struct trigger){
        .arena = c->arena ? c->arena : rq->arena, .environment = rq->principal.environment, .organization = rq->principal.organization,
        .definition = d, .request_id = str_of(rq->id), .transaction_id = tx, .to = event_value(&b, EVENT_TO),
        .payload = payload, .overrides = event_value(&b, EVENT_OVERRIDES), .actor = event_value(&b, EVENT_ACTOR),
        .tenant = event_value(&b, EVENT_TENANT), .context = event_value(&b, EVENT_CONTEXT), .bridge = c->trigger.bridge,
        .controls = c->trigger.bridge ? event_value(&b, EVENT_CONTROLS) : NULL, .broadcast = c->broadcast, .logged = c->bulk || c->broadcast,
        .attachments = attachments, .attachments_n = attachments_n,
        .strict = c->trigger.strict, .hops = hops, .done = engine_done, .owner = c};
    if (c->explains) {
        c->done(c, NULL);
        return true;
    }
    if (!c->bulk)
        c->trigger.request = rq->number;
    idempotency_event(rq, c->bulk ? (long)c->index : -1, &c->trigger.idempotency_hash, &c->trigger.body_hash);
    if (!c->bulk)
        idempotency_event_has_it(rq, true);
    if (engine_trigger(app->engine, &c->trigger, err))
        return true;
    if (!c->bulk)
        idempotency_event_has_it(rq, false);
    cached_unref(&d->head);
    return false;
}

static struct str feed_link(struct request *rq, struct str request_id)
{
    struct buf b = {.arena = rq->arena};
    struct str url = app_of(rq)->public_url;
    char hex[ID_HEX + 1];
    id_hex(rq->principal.environment, hex);
    buf_reserve(&b, url.n + 100);
    buf_str(&b, url);
    buf_str(&b, STR("/env/"));
    buf_add(&b, hex, ID_HEX);
    buf_str(&b, STR("/activity/requests?selectedLogId="));
    buf_str(&b, request_id);
    return buf_get(&b);
}

yyjson_mut_val *trigger_answer(struct request *rq, yyjson_mut_doc *d, enum trigger_status status, struct str transaction_id,
                               struct str request_id)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "acknowledged", true);
    json_add_str(d, o, "status", trigger_status_name(status));
    json_add_str(d, o, "transactionId", transaction_id);
    if (status == TRIGGER_PROCESSED)
        json_add_str(d, o, "activityFeedLink", feed_link(rq, request_id));
    return o;
}

static struct str answer_request(const struct trigger_call *c)
{
    return c->trigger.result == TRIGGER_REPLAY ? c->trigger.request_id : str_of(c->rq->id);
}

struct str trigger_text(const struct trigger_call *c)
{
    struct buf b = {.arena = c->rq->arena};
    buf_reserve(&b, 320);
    buf_str(&b, STR("{\"acknowledged\":true,\"status\":"));
    json_quote(&b, trigger_status_name(c->status));
    buf_str(&b, STR(",\"transactionId\":"));
    json_quote(&b, c->transaction_id);
    if (c->status == TRIGGER_PROCESSED) {
        buf_str(&b, STR(",\"activityFeedLink\":"));
        json_quote(&b, feed_link(c->rq, answer_request(c)));
    }
    buf_char(&b, '}');
    return buf_get(&b);
}

yyjson_mut_val *trigger_json(yyjson_mut_doc *d, const struct trigger_call *c)
{
    return trigger_answer(c->rq, d, c->status, c->transaction_id, answer_request(c));
}
