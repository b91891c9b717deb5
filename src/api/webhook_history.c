/* What happened, as endpoints are told of it, and what became of the telling. */
#include "api/paging.h"
#include "api/webhook_examples.h"
#include "api/webhooks_private.h"

struct str webhook_message_wire_id(struct arena *a, struct id id)
{
    return str_fmt(a, "msg_%.*s", STR_ARG(id_str(a, id)));
}

void webhook_history_types(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (int t = 0; t < WEBHOOK_TYPES; t++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, o, "eventType", webhook_type_name((enum webhook_type)t));
        json_add_str(d, o, "description", webhook_type_description((enum webhook_type)t));
        json_add_text(d, o, "example", webhook_example(rq->arena, (enum webhook_type)t));
    }
    reply_json(rq, 0, list);
}

static yyjson_mut_val *message_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct webhook_message *m = (const struct webhook_message *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "id", webhook_message_wire_id(rq->arena, m->id));
    json_add_str(d, o, "eventType", webhook_type_name(m->type));
    json_add_bool(d, o, "test", m->test);
    json_add_time(d, o, "createdAt", m->created_at);
    json_add_text(d, o, "payload", m->body);
    return o;
}

/* -1: not asked for. */
static int type_asked(struct checks *c)
{
    struct str name = request_query(c->rq, "eventType");
    enum webhook_type type;
    if (!name.n)
        return -1;
    if (webhook_type_parse(name, &type))
        return (int)type;
    check_fail(c, "eventType must be one of the following values: %s", webhook_types_named(c->rq->arena).p);
    return -1;
}

void webhook_history_messages(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct webhook_message_query q = {.type = type_asked(&c)};
    struct page page;
    struct error err = {0};
    if (!paging_read(&c, "createdAt", &q.page))
        return;
    if (webhook_message_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, message_item);
    else
        reply_error(rq, &err);
}

bool webhook_message_load(struct request *rq, struct webhook_message *m)
{
    struct str given = request_param(rq, "webhookMessageId");
    struct error err = {0};
    struct id id;
    if (webhook_message_id_parse(given, &id) && webhook_message_find(app_db(rq), rq->arena, rq->principal.environment, id, m, &err))
        return true;
    if (err.code == ERROR_NONE || err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "Webhook message %.*s not found", STR_ARG(str_sub(given, 0, WEBHOOK_SHOWN)));
    reply_error(rq, &err);
    return false;
}

static void add_delivery(yyjson_mut_doc *d, yyjson_mut_val *list, const struct webhook_delivery *x)
{
    static const char *const names[] = {[WEBHOOK_WAITS] = "pending", [WEBHOOK_DONE] = "delivered", [WEBHOOK_FAILED] = "failed"};
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    bool waits = x->state == WEBHOOK_WAITS;
    json_add_id(d, o, "endpointId", x->endpoint);
    json_add_str(d, o, "status", str_of(names[x->state]));
    json_add_int(d, o, "attempts", waits ? x->attempt - 1 : x->attempt);
    json_add_time_or_null(d, o, "nextAttemptAt", waits ? x->due_at : 0);
    json_add_time(d, o, "updatedAt", x->updated_at);
}

void webhook_history_message(struct request *rq)
{
    struct webhook_message m;
    struct webhook_delivery *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!webhook_message_load(rq, &m))
        return;
    if (!webhook_delivery_list(app_db(rq), rq->arena, m.id, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_val *o = message_item(rq, d, &m, 0), *deliveries = json_add_arr(d, o, "deliveries");
    for (size_t i = 0; i < n; i++)
        add_delivery(d, deliveries, &list[i]);
    reply_json(rq, 0, o);
}

static yyjson_mut_val *attempt_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    const struct webhook_attempt *x = (const struct webhook_attempt *)items + i;
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_id(d, o, "endpointId", x->endpoint);
    json_add_str(d, o, "messageId", webhook_message_wire_id(rq->arena, x->message));
    json_add_str(d, o, "eventType", webhook_type_name(x->type));
    json_add_int(d, o, "attempt", x->attempt);
    json_add_str(d, o, "status", x->succeeded ? STR("succeeded") : STR("failed"));
    if (x->status)
        json_add_int(d, o, "responseStatusCode", x->status);
    else
        json_add_str(d, o, "responseStatusCode", STR_NULL);
    json_add_str(d, o, "response", x->answer);
    json_add_str(d, o, "error", x->error.n ? x->error : STR_NULL);
    json_add_int(d, o, "durationMs", x->took_ms);
    json_add_time(d, o, "createdAt", x->created_at);
    return o;
}

void webhook_history_attempts(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct webhook_attempt_query q = {.succeeded = -1};
    struct webhook_endpoint x;
    struct page page;
    struct error err = {0};
    struct str status = request_query(rq, "status"), message = request_query(rq, "messageId");
    if (!webhook_endpoint_load(rq, &x))
        return;
    q.endpoint = x.id;
    if (status.n && !str_eqz(status, "succeeded") && !str_eqz(status, "failed"))
        check_fail(&c, "status must be one of the following values: succeeded, failed");
    else if (status.n)
        q.succeeded = str_eqz(status, "succeeded");
    if (message.n && !webhook_message_id_parse(message, &q.message))
        check_fail(&c, "messageId must be the id of a webhook message");
    if (!paging_read(&c, "createdAt", &q.page))
        return;
    if (webhook_attempt_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, attempt_item);
    else
        reply_error(rq, &err);
}
