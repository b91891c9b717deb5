/* GET /v2/subscribers/{id}/export: all that is held about a person, for them to have (decisions.md 20). Who they are and what
 * they chose is on every page; what they were sent is paged. */
#include "api/context_member.h"
#include "api/message_view.h"
#include "api/tables.h"
#include "model/channel_link.h"
#include "model/event.h"
#include "model/outbox.h"
#include "model/preference.h"
#include "model/run.h"
#include "model/topic.h"

enum { LIMIT_MAX = 200, PARTS_MAX = 1000 };

struct export {
    struct request *rq;
    struct db *db;
    struct subscriber subscriber;
    yyjson_mut_doc *d;
    yyjson_mut_val *out;
};

static bool preferences_add(struct export *x, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(x->d, x->out, "preferences");
    struct preference *rows;
    size_t n;
    if (!preference_list(x->db, x->rq->arena, x->subscriber.id, NULL, &rows, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(x->d, list);
        if (!id_is_zero(rows[i].workflow))
            json_add_id(x->d, o, "workflowId", rows[i].workflow);
        if (!id_is_zero(rows[i].subscription))
            json_add_id(x->d, o, "subscriptionId", rows[i].subscription);
        if (rows[i].enabled != CHOICE_UNSET)
            json_add_bool(x->d, o, "enabled", rows[i].enabled == CHOICE_ON);
        yyjson_mut_val *channels = json_add_obj(x->d, o, "channels");
        for (int c = 0; c < CHANNELS; c++)
            if (rows[i].channel[c] != CHOICE_UNSET)
                json_add_bool(x->d, channels, channel_name((enum channel)c).p, rows[i].channel[c] == CHOICE_ON);
        json_add_text(x->d, o, "condition", rows[i].condition);
        json_add_text(x->d, o, "schedule", rows[i].schedule);
        context_keys_add(x->d, o, rows[i].context);
        json_add_time(x->d, o, "updatedAt", rows[i].updated_at);
    }
    return true;
}

static bool subscriptions_add(struct export *x, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(x->d, x->out, "subscriptions");
    struct topic_membership_query q = {.subscriber = x->subscriber.id, .page = {.limit = PARTS_MAX, .ascending = true}};
    struct page page;
    if (!topic_membership_list(x->db, x->rq->arena, x->subscriber.environment, &q, &page, err))
        return false;
    for (size_t i = 0; i < page.n; i++) {
        const struct topic_membership *m = (const struct topic_membership *)page.items + i;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(x->d, list);
        json_add_id(x->d, o, "_id", m->subscription.id);
        json_add_str(x->d, o, "identifier", m->subscription.identifier);
        json_add_str(x->d, o, "topicKey", m->topic.key);
        context_keys_add(x->d, o, m->subscription.context);
        json_add_time(x->d, o, "createdAt", m->subscription.created_at);
    }
    return true;
}

static bool endpoints_add(struct export *x, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(x->d, x->out, "channelEndpoints");
    struct channel_link_query q = {.subscriber_id = x->subscriber.subscriber_id, .channel = -1, .shared = -1,
                                   .page = {.limit = PARTS_MAX, .ascending = true}};
    struct page page;
    if (!channel_endpoint_list(x->db, x->rq->arena, x->subscriber.environment, &q, &page, err))
        return false;
    for (size_t i = 0; i < page.n; i++) {
        const struct channel_endpoint *e = (const struct channel_endpoint *)page.items + i;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(x->d, list);
        struct str plain;
        json_add_str(x->d, o, "identifier", e->link.identifier);
        json_add_str(x->d, o, "integrationIdentifier", e->link.integration_identifier);
        json_add_str(x->d, o, "type", e->type);
        if (!crypto_open(&app_of(x->rq)->box, x->rq->arena, e->endpoint, &plain, err))
            return false;
        json_add_text(x->d, o, "endpoint", plain);
    }
    return true;
}

static bool outbox_add(struct export *x, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(x->d, x->out, "outbox");
    struct str recipients[] = {x->subscriber.field[SUBSCRIBER_EMAIL], x->subscriber.field[SUBSCRIBER_PHONE], x->subscriber.subscriber_id};
    for (size_t r = 0; r < sizeof recipients / sizeof *recipients; r++) {
        struct outbox_query q = {.channel = -1, .to = recipients[r], .limit = PARTS_MAX};
        struct outbox_message *all;
        size_t n;
        if (!recipients[r].n)
            continue;
        if (!outbox_list(x->db, x->rq->arena, x->subscriber.environment, &q, &all, &n, err))
            return false;
        for (size_t i = 0; i < n; i++)
            yyjson_mut_arr_append(list, outbox_json(x->d, x->rq->arena, &all[i]));
    }
    return true;
}

static bool run_add(struct export *x, yyjson_mut_val *list, const struct run_row *run, struct error *err)
{
    struct request *rq = x->rq;
    struct message *messages;
    struct event event;
    struct error missing = {0};
    yyjson_val *doc = NULL, *body;
    size_t n;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(x->d, list);
    if (!message_list_by_run(x->db, rq->arena, run->environment, run->id, &messages, &n, err))
        return false;
    json_add_id(x->d, o, "_id", run->id);
    json_add_id(x->d, o, "workflowId", run->workflow);
    json_add_str(x->d, o, "status", run_status_name(run->status));
    context_keys_add(x->d, o, run->context);
    json_add_time(x->d, o, "createdAt", run->created_at);
    if (event_find(x->db, rq->arena, run->environment, run->event, &event, &missing)) {
        json_add_str(x->d, o, "transactionId", event.transaction_id);
        if (json_parse(rq->arena, event.doc, &doc, NULL))
            json_add_val(x->d, o, "payload", json_get(doc, "payload"));
    }
    yyjson_mut_val *sent = json_add_arr(x->d, o, "messages");
    for (size_t i = 0; i < n; i++) {
        body = NULL;
        json_parse(rq->arena, messages[i].doc, &body, NULL);
        yyjson_mut_arr_append(sent, message_json(x->d, &messages[i], body, rq->principal.organization, NULL, STR_NULL));
    }
    return true;
}

static bool runs_add(struct export *x, int64_t page, int64_t limit, struct error *err)
{
    struct run_query q = {.subscribers = &x->subscriber.id, .subscribers_n = 1, .offset = page * limit, .limit = (int)limit + 1};
    yyjson_mut_val *list = json_add_arr(x->d, x->out, "notifications");
    struct run_row *runs;
    size_t n;
    if (!run_list(x->db, x->rq->arena, x->subscriber.environment, &q, &runs, &n, err))
        return false;
    bool more = n > (size_t)limit;
    for (size_t i = 0; i < n - more; i++)
        if (!run_add(x, list, &runs[i], err))
            return false;
    json_add_int(x->d, x->out, "page", page);
    json_add_int(x->d, x->out, "pageSize", limit);
    json_add_bool(x->d, x->out, "hasMore", more);
    return true;
}

static void handle_export(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    int64_t page = check_query_int(&checks, "page", 0, 0, 1000000), limit = check_query_int(&checks, "limit", 100, 1, LIMIT_MAX);
    struct export x = {.rq = rq, .db = app_db(rq), .d = json_doc(rq->arena)};
    struct str id = request_param(rq, "subscriberId");
    struct error err = {0};
    x.out = yyjson_mut_obj(x.d);
    if (!checks_done(&checks))
        return;
    if (!subscriber_find(x.db, rq->arena, rq->principal.environment, id, &x.subscriber, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            error_http(&err, 404, "Subscriber: %.*s was not found", (int)(id.n > 256 ? 256 : id.n), id.p);
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_obj_add_val(x.d, x.out, "subscriber", subscriber_json(x.d, &x.subscriber, rq->principal.organization));
    if (preferences_add(&x, &err) && subscriptions_add(&x, &err) && endpoints_add(&x, &err) && outbox_add(&x, &err)
        && runs_add(&x, page, limit, &err))
        reply_json(rq, 0, x.out);
    else
        reply_error(rq, &err);
}

const struct route subscriber_export_routes[] = {
    {HTTP_GET, "/v2/subscribers/{subscriberId}/export", "subscribersExport", "Subscribers", "Everything held about a subscriber",
     AUTH_ENVIRONMENT, "SUBSCRIBER_READ", RATE_CONFIGURATION, 1, 200, ENVELOPE_DATA, 0, 0, handle_export},
};
const size_t subscriber_export_routes_n = sizeof subscriber_export_routes / sizeof *subscriber_export_routes;
