/* POST /v2/inbound-webhooks/delivery-providers/{environmentId}/{integrationId}: what providers report about messages
 * (rest-api.md §6.16, providers.md §8).
 *
 * Called without Authorization. It is open only where an integration says so (configurations.inboundWebhookEnabled), and
 * a provider that signs must sign where a key is set (inboundWebhookSigningKey of the configurations, else of the credentials).
 */
#include "api/app.h"
#include "api/integration_secrets.h"
#include "api/tables.h"
#include "base/clock.h"
#include "delivery/http_attempt.h"
#include "delivery/sns.h"
#include "delivery/status_event.h"
#include "model/message.h"
#include "model/run.h"
#include "model/webhook.h"

struct report {
    struct api_write w;
    struct integration integration;
    struct status_event *events;
    size_t n;
    bool *known;                        /* there is a message of that id */
    int64_t now;
};

/* What an event says about the message; 0: nothing that is kept. */
static enum run_mark mark_of(struct str status)
{
    static const char *const lost[] = {"rejected", "bounced", "dropped", "blocked", "failed", "undelivered"};
    if (str_eqz(status, "delivered"))
        return MARKED_DELIVERED;
    if (str_eqz(status, "opened"))
        return MARKED_OPENED;
    if (str_eqz(status, "clicked"))
        return MARKED_CLICKED;
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (str_eqz(status, lost[i]))
            return MARKED_UNDELIVERED;
    return 0;
}

/* That it was opened shows that it was delivered. */
static bool message_tell(struct report *x, struct db *db, const struct message *m, enum run_mark mark, bool delivered, struct error *err)
{
    struct webhook_ears ears;
    yyjson_val *doc;
    bool failed = mark == MARKED_UNDELIVERED;
    if ((!failed && delivered) || !webhook_listen(db, x->w.rq->arena, m->environment, &ears, err))
        return !failed && delivered;
    struct str why = failed && json_parse(ears.arena, m->doc, &doc, NULL) ? json_get_str(doc, "errorText") : STR_NULL;
    return webhook_emit_message(db, &ears, failed ? WEBHOOK_MESSAGE_FAILED : WEBHOOK_MESSAGE_DELIVERED, m->id, why, x->now, err);
}

/* Forward only: what was delivered stays so, and a report that comes twice is one. The document keeps when each status was
 * reported first, {"reports":{"delivered":ms}}. */
static bool message_advance(struct report *x, struct db *db, struct message *m, yyjson_val *doc, const struct status_event *e, struct error *err)
{
    struct arena *a = x->w.rq->arena;
    enum run_mark mark = mark_of(e->status);
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_val_mut_copy(d, doc), *reports = yyjson_mut_obj_get(o, "reports");
    int64_t at = e->date ? e->date : x->now;
    bool delivered = yyjson_arr_size(json_get(doc, "deliveredAt")) > 0;
    if (json_getn(json_get(doc, "reports"), e->status) || (mark == MARKED_UNDELIVERED && delivered))
        return true;
    if (!reports)
        reports = json_add_obj(d, o, "reports");
    yyjson_mut_obj_add(reports, json_mut_str(d, e->status), yyjson_mut_sint(d, at));
    if (mark == MARKED_UNDELIVERED) {
        m->status = MESSAGE_ERROR;
        yyjson_mut_obj_remove_key(o, "errorId");
        yyjson_mut_obj_remove_key(o, "errorText");
        json_add_str(d, o, "errorId", str_fmt(a, "provider_%.*s", STR_ARG(e->status)));
        json_add_str(d, o, "errorText", e->response.n ? str_cut(e->response, 1000) : e->status);
    } else if (mark && !delivered) {
        yyjson_mut_obj_remove_key(o, "deliveredAt");
        yyjson_mut_arr_add_sint(d, json_add_arr(d, o, "deliveredAt"), at);
    }
    m->doc = json_write_mut(a, o);
    m->updated_at = x->now;
    return message_update_delivery(db, m, err)
        && (!mark || (run_mark_reported(db, m->environment, m->run, m->id, mark, at, err) && message_tell(x, db, m, mark, delivered, err)));
}

/* Of this integration's provider. Push reports name our own message. *found false: there is none. */
static bool message_of(struct report *x, struct db *db, const struct status_event *e, struct message *m, yyjson_val **doc, bool *found,
                       struct error *err)
{
    struct arena *a = x->w.rq->arena;
    struct error missing = {0};
    struct id id;
    bool push = x->integration.channel == CHANNEL_PUSH;
    *found = push ? id_parse(e->id, &id) && message_find(db, a, x->integration.environment, id, m, &missing)
                  : message_find_by_provider_id(db, a, x->integration.environment, e->id, m, &missing);
    if (!*found && missing.code && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (!*found || !json_parse(a, m->doc, doc, err))
        return !*found;
    *found = m->channel == x->integration.channel && str_eq(json_get_str(*doc, "providerId"), x->integration.provider_id);
    return true;
}

static bool report_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct report *x = (struct report *)w;
    for (size_t i = 0; i < x->n; i++) {
        struct message m = {0};
        yyjson_val *doc = NULL;
        if (!message_of(x, db, &x->events[i], &m, &doc, &x->known[i], err))
            return false;
        if (x->known[i] && !message_advance(x, db, &m, doc, &x->events[i], err))
            return false;
    }
    return true;
}

static void report_reply(struct api_write *w)
{
    struct report *x = (struct report *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < x->n; i++) {
        const struct status_event *e = &x->events[i];
        if (!x->known[i])
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, o, "id", e->id);
        yyjson_mut_val *event = json_add_obj(d, o, "event");
        json_add_str(d, event, "status", e->status);
        json_add_time(d, event, "date", e->date ? e->date : x->now);
        json_add_str(d, event, "externalId", e->id);
        json_add_int(d, event, "attempts", e->attempts);
        json_add_str(d, event, "response", e->response.n ? e->response : STR(""));
        json_add_str(d, event, "row", e->row);
    }
    reply_json(w->rq, 0, list);
}

/* One answer for whatever is not there, not open, or not able to. */
static bool integration_load(struct request *rq, struct integration *out, yyjson_val **configurations)
{
    struct str key = request_param(rq, "integrationId");
    struct id environment, id;
    struct error err = {0};
    if (id_parse(request_param(rq, "environmentId"), &environment) && id_parse(key, &id)
        && integration_find(app_db(rq), rq->arena, environment, id, out, &err)
        && json_parse(rq->arena, out->configurations.n ? out->configurations : STR("{}"), configurations, NULL)
        && json_get_bool(*configurations, "inboundWebhookEnabled", false)) {
        if (status_event_known(out->provider_id))
            return true;
        reply_fail(rq, 404, "Provider with %.*s can not handle webhooks", STR_ARG(out->provider_id));
        return false;
    }
    reply_fail(rq, 404, "Integration for %.*s was not found", (int)(key.n > 64 ? 64 : key.n), key.p);
    return false;
}

static bool sender_is_good(struct request *rq, const struct integration *i, yyjson_val *configurations, yyjson_val *body)
{
    struct str key = json_get_str(configurations, INBOUND_SIGNING_KEY);
    const char *id, *timestamp, *value;
    yyjson_val *credentials = NULL;
    struct error err = {0};
    if (!status_signature_headers(i->provider_id, &id, &timestamp, &value))
        return true;
    if (!key.n && !integration_secrets_open(rq, i, &credentials, &err)) {
        reply_error(rq, &err);
        return false;
    }
    key = key.n ? key : json_get_str(credentials, INBOUND_SIGNING_KEY);
    if (!key.n)
        return true;
    struct status_signature s = {.body = rq->body, .json = body};
    s.id = id ? request_header(rq, id) : STR_NULL;
    s.timestamp = timestamp ? request_header(rq, timestamp) : STR_NULL;
    s.value = value ? request_header(rq, value) : STR_NULL;
    if (status_signature_good(rq->arena, i->provider_id, key, &s, clock_real_ms()))
        return true;
    reply_fail(rq, 401, "The signature of the webhook is not valid");
    return false;
}

static void report_take(struct request *rq, struct report *x, yyjson_val *body)
{
    x->n = status_event_read(rq->arena, x->integration.provider_id, body, &x->events);
    x->known = ARENA_ARRAY(rq->arena, bool, x->n + 1);
    x->now = app_now(rq);
    x->w.apply = report_apply;
    x->w.reply = report_reply;
    if (x->n)
        api_write(rq, &x->w);
    else
        reply_json(rq, 0, yyjson_mut_arr(json_doc(rq->arena)));
}

/* --- SNS ----------------------------------------------------------------------------------------------------------------- */

/* A message whose certificate is being fetched, or whose subscription is being confirmed. */
struct sns_report {
    struct report *report;
    struct request *rq;
    struct sns_message message;
    struct http_call call;
    void (*next)(void *arg);
    bool answered;
};

static void sns_take(struct sns_report *s)
{
    yyjson_val *inner = NULL;
    if (json_parse(s->rq->arena, s->message.message, &inner, NULL) && yyjson_is_obj(inner))
        report_take(s->rq, s->report, inner);
    else
        reply_json(s->rq, 0, yyjson_mut_arr(json_doc(s->rq->arena)));       /* "Successfully validated SNS topic …" and the like */
}

static void sns_come(struct http_call *c, const struct http_response *r)
{
    struct sns_report *s = c->owner;
    s->answered = r->outcome == DELIVERY_SENT;
    request_continue(s->rq, s->next, s);
}

/* A GET of Amazon's; then goes on with next. */
static void sns_ask(struct sns_report *s, struct str url, void (*next)(void *arg))
{
    struct error err = {0};
    s->call = (struct http_call){.arena = s->rq->arena, .request = {.method = STR("GET"), .url = url, .response_max = SNS_CERT_MAX},
                                 .done = sns_come, .owner = s};
    s->next = next;
    if (!http_call_submit(app_of(s->rq)->dispatcher, &s->call, &err))
        reply_error(s->rq, &err);
}

static void sns_confirmed(void *arg)
{
    struct sns_report *s = arg;
    if (s->answered)
        reply_json(s->rq, 0, yyjson_mut_arr(json_doc(s->rq->arena)));
    else
        reply_fail(s->rq, 502, "The subscription could not be confirmed");
}

static void sns_go_on(struct sns_report *s, struct str cert)
{
    if (!sns_verify(&s->message, cert))
        reply_fail(s->rq, 401, "The signature of the webhook is not valid");
    else if (s->message.confirms)
        sns_ask(s, s->message.subscribe_url, sns_confirmed);
    else
        sns_take(s);
}

static void sns_certified(void *arg)
{
    struct sns_report *s = arg;
    struct sns_certs *certs = &app_of(s->rq)->sns_certs;
    if (!s->answered) {
        reply_fail(s->rq, 502, "The certificate of SNS could not be fetched");
        return;
    }
    if (sns_verify(&s->message, s->call.response.body))
        sns_certs_put(certs, s->message.cert_url, s->call.response.body);
    sns_go_on(s, s->call.response.body);
}

static void sns_begin(struct request *rq, struct report *x, yyjson_val *body)
{
    struct sns_report *s = ARENA_NEW(rq->arena, struct sns_report);
    struct str cert;
    struct error err = {0};
    yyjson_val *credentials = NULL;
    integration_secrets_open(rq, &x->integration, &credentials, NULL);
    s->report = x;
    s->rq = rq;
    if (!sns_read(rq->arena, body, json_get_str(credentials, "region"), clock_real_ms(), &s->message, &err)) {
        reply_error(rq, &err);
        return;
    }
    cert = sns_certs_get(&app_of(rq)->sns_certs, rq->arena, s->message.cert_url);
    if (cert.p)
        sns_go_on(s, cert);
    else
        sns_ask(s, s->message.cert_url, sns_certified);
}

static void handle_report(struct request *rq)
{
    struct report *x = ARENA_NEW(rq->arena, struct report);
    yyjson_val *configurations, *body = NULL;
    if (!integration_load(rq, &x->integration, &configurations))
        return;
    if (!status_event_body(rq->arena, rq->body, &body))
        reply_fail(rq, 400, "The body is neither JSON nor a form");
    else if (status_event_by_sns(x->integration.provider_id))
        sns_begin(rq, x, body);
    else if (sender_is_good(rq, &x->integration, configurations, body))
        report_take(rq, x, body);
}

const struct route delivery_report_routes[] = {
    {HTTP_POST, "/v2/inbound-webhooks/delivery-providers/{environmentId}/{integrationId}", "activityTrack", "Activity",
     "What a provider reports about messages", AUTH_PUBLIC, NULL, RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0,
     ROUTE_RAW_BODY | ROUTE_NOT_IDEMPOTENT, handle_report},
};
const size_t delivery_report_routes_n = sizeof delivery_report_routes / sizeof *delivery_report_routes;
