/* /v1/deliveries: what waits, what was given up, and driving it again (beyond.md §1). */
#include "api/app.h"
#include "api/tables.h"
#include "model/delivery.h"

enum { REDRIVE_CHUNK = 500, IDS_MAX = 1000 };

/* --- reading --------------------------------------------------------------------------------------------------- */

static void text_of(struct request *rq, yyjson_val *body, const char *name, struct str *out)
{
    *out = body ? json_get_str(body, name) : request_query(rq, name);
}

static void read_time(struct checks *c, yyjson_val *body, const char *name, int64_t *out)
{
    struct str s;
    text_of(c->rq, body, name, &s);
    if (s.n && !time_parse_iso(s, out))
        check_fail(c, "%s must be an ISO 8601 date", name);
}

static void read_id(struct checks *c, yyjson_val *body, const char *name, struct id *out)
{
    struct str s;
    text_of(c->rq, body, name, &s);
    if (s.n && !id_parse(s, out))
        check_fail(c, "%s must be a mongodb id", name);
}

/* channel, providerId, integrationId, from, to: of the query string, or of the body of a redrive. */
static void read_filter(struct checks *c, yyjson_val *body, struct delivery_query *q)
{
    struct str channel;
    enum channel parsed;
    *q = (struct delivery_query){.state = -1, .under_way = -1, .channel = -1};
    text_of(c->rq, body, "channel", &channel);
    if (channel.n && (!channel_parse(channel, &parsed) || parsed == CHANNEL_IN_APP))
        check_fail(c, "channel must be one of the following values: email, sms, push, chat, tool");
    else if (channel.n)
        q->channel = (int)parsed;
    text_of(c->rq, body, "providerId", &q->provider_id);
    read_id(c, body, "integrationId", &q->integration);
    read_time(c, body, "from", &q->from);
    read_time(c, body, "to", &q->to);
}

static void read_status(struct checks *c, struct delivery_query *q)
{
    struct str status = request_query(c->rq, "status");
    if (str_eqz(status, "dead")) {
        q->state = DELIVERY_DEAD;
    } else if (str_eqz(status, "sending") || str_eqz(status, "waiting")) {
        q->under_way = str_eqz(status, "sending");
    } else if (status.n) {
        check_fail(c, "status must be one of the following values: dead, waiting, sending");
    }
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct delivery_query q;
    struct delivery_record *list;
    struct error err = {0};
    size_t n;
    read_filter(&checks, NULL, &q);
    read_status(&checks, &q);
    read_id(&checks, NULL, "after", &q.after);
    q.limit = (int)check_query_int(&checks, "limit", 50, 1, 100) + 1;
    if (!checks_done(&checks))
        return;
    if (!deliveries_list(app_db(rq), rq->arena, rq->principal.environment, &q, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    bool more = n == (size_t)q.limit;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data");
    n -= more;
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(data, deliveries_json(d, &list[i]));
    json_add_bool(d, o, "hasMore", more);
    if (more)
        json_add_id(d, o, "next", list[n - 1].id);
    reply_json(rq, 0, o);
}

static bool param_id(struct request *rq, struct id *id)
{
    if (id_parse(request_param(rq, "deliveryId"), id))
        return true;
    reply_fail(rq, 404, "Delivery not found");
    return false;
}

static void handle_get(struct request *rq)
{
    struct delivery_record r;
    struct error err = {0};
    struct id id;
    if (!param_id(rq, &id))
        return;
    if (deliveries_find(app_db(rq), rq->arena, rq->principal.environment, id, &r, &err))
        reply_json(rq, 0, deliveries_json(json_doc(rq->arena), &r));
    else
        reply_error(rq, &err);
}

/* As this process sees them: circuits are in memory. */
static void handle_circuits(struct request *rq)
{
    static const char *const states[] = {"closed", "open", "half-open"};
    struct error err = {0};
    struct environment_view *v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, &err);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (!v) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < v->integrations_n; i++) {
        const struct integration *x = &v->integrations[i];
        if (x->channel == CHANNEL_IN_APP)
            continue;
        struct circuit_view c = engine_circuit(app_of(rq)->engine, x->id);
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_id(d, o, "_integrationId", x->id);
        json_add_str(d, o, "identifier", str_dup(rq->arena, x->identifier));
        json_add_str(d, o, "providerId", str_dup(rq->arena, x->provider_id));
        json_add_str(d, o, "state", str_of(states[c.state]));
        json_add_int(d, o, "consecutiveFailures", c.failures);
        json_add_int(d, o, "results", c.results);
        json_add_int(d, o, "failures", c.failed);
        if (c.open_until)
            json_add_time(d, o, "openUntil", c.open_until);
    }
    cached_unref(&v->head);
    reply_json(rq, 0, list);
}

/* --- driving again --------------------------------------------------------------------------------------------- */

/* In chunks, so that a whole incident does not hold up the writer. Each dead letter is marked by one of all who ask. */
struct redrive {
    struct api_write w;
    struct delivery_query q;
    const struct id *ids;       /* NULL: by filter */
    size_t ids_n, at;
    bool one;                   /* of the path: must exist */
    int64_t now, chunk, total;
};

static bool by_ids(struct redrive *x, struct db *db, struct error *err)
{
    struct id environment = x->w.rq->principal.environment;
    bool marked;
    for (size_t i = x->at; i < x->ids_n && i < x->at + REDRIVE_CHUNK; i++) {
        if (!deliveries_redrive_one(db, environment, x->ids[i], x->now, &marked, err))
            return false;
        x->chunk += marked;
    }
    return true;
}

static bool redrive_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct redrive *x = (struct redrive *)w;
    struct delivery_record r;
    x->chunk = 0;
    if (x->one && !deliveries_find(db, w->rq->arena, w->rq->principal.environment, x->ids[0], &r, err))
        return false;
    return x->ids ? by_ids(x, db, err) : deliveries_redrive(db, w->rq->principal.environment, &x->q, x->now, &x->chunk, err);
}

static void redrive_reply(struct api_write *w)
{
    struct redrive *x = (struct redrive *)w;
    struct request *rq = w->rq;
    x->total += x->chunk;
    x->at += REDRIVE_CHUNK;
    if (x->ids ? x->at < x->ids_n : x->chunk == REDRIVE_CHUNK) {
        api_write(rq, w);
        return;
    }
    engine_deliveries_changed(app_of(rq)->engine);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "redriven", x->total);
    reply_json(rq, 0, o);
}

static struct redrive *redrive_new(struct request *rq)
{
    struct redrive *x = ARENA_NEW(rq->arena, struct redrive);
    x->w.flags = WRITE_CHAIN;
    x->w.apply = redrive_apply;
    x->w.reply = redrive_reply;
    x->now = app_now(rq);
    return x;
}

static void read_ids(struct checks *c, struct redrive *x)
{
    yyjson_val *list = check_array(c, c->rq->json, "ids", false), *v;
    size_t n = yyjson_arr_size(list);
    struct id *ids = list ? ARENA_ARRAY(c->rq->arena, struct id, n) : NULL;
    if (n > IDS_MAX) {
        check_fail(c, "ids must contain no more than %d elements", IDS_MAX);
        return;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!id_parse(json_str(v), &ids[x->ids_n++]))
            check_fail(c, "each value in ids must be a mongodb id");
    x->ids = ids;
}

static void handle_redrive(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct redrive *x = redrive_new(rq);
    const char *const texts[] = {"channel", "providerId", "integrationId", "from", "to"};
    bool any = check_bool(&checks, rq->json, "all", false);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        any |= check_string(&checks, rq->json, texts[i], false).n > 0;
    read_filter(&checks, rq->json, &x->q);
    x->q.limit = REDRIVE_CHUNK;
    read_ids(&checks, x);
    if (!any && !x->ids)
        check_fail(&checks, "ids, channel, providerId, integrationId, from, to or all: true should say which deliveries");
    else if (any && x->ids)
        check_fail(&checks, "ids should not be combined with a filter");
    if (checks_done(&checks))
        api_write(rq, &x->w);
}

static void handle_redrive_one(struct request *rq)
{
    struct redrive *x = redrive_new(rq);
    struct id *id = ARENA_NEW(rq->arena, struct id);
    if (!param_id(rq, id))
        return;
    x->ids = id;
    x->ids_n = 1;
    x->one = true;
    api_write(rq, &x->w);
}

#define DELIVERY(method, path, operation, summary, permission, envelope, handler) \
    {method, path, operation, "Deliveries", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, 200, envelope, 0, 0, handler}

const struct route delivery_routes[] = {
    DELIVERY(HTTP_GET, "/v1/deliveries", "deliveriesList", "List deliveries that wait, are under way, or were given up",
             "MESSAGE_READ", ENVELOPE_NONE, handle_list),
    DELIVERY(HTTP_GET, "/v1/deliveries/circuits", "deliveriesCircuits", "Show how integrations answer", "INTEGRATION_READ",
             ENVELOPE_DATA, handle_circuits),
    DELIVERY(HTTP_POST, "/v1/deliveries/redrive", "deliveriesRedriveMany", "Drive dead deliveries again, by id or by filter",
             "MESSAGE_WRITE", ENVELOPE_DATA, handle_redrive),
    DELIVERY(HTTP_GET, "/v1/deliveries/{deliveryId}", "deliveriesRetrieve", "Retrieve a delivery", "MESSAGE_READ", ENVELOPE_DATA,
             handle_get),
    DELIVERY(HTTP_POST, "/v1/deliveries/{deliveryId}/redrive", "deliveriesRedrive", "Drive a dead delivery again",
             "MESSAGE_WRITE", ENVELOPE_DATA, handle_redrive_one),
};
const size_t delivery_routes_n = sizeof delivery_routes / sizeof *delivery_routes;
