/* Credentials and presence of a subscriber (rest-api.md §6.2). */
#include "api/channel_settings.h"
#include "api/tables.h"

struct credentials_write {
    struct api_write w;
    enum { PUT, REMOVE, ONLINE } kind;
    struct channel_settings settings;
    bool online;
    struct subscriber row;              /* afterwards */
};

static bool find(struct request *rq, struct db *db, bool locked, struct credentials_write *x, struct error *err)
{
    struct str id = request_param(rq, "subscriberId");
    struct id environment = rq->principal.environment;
    if (locked ? subscriber_find_locked(db, rq->arena, environment, id, &x->row, err) : subscriber_find(db, rq->arena, environment, id, &x->row, err))
        return true;
    if (err->code == ERROR_NOT_FOUND && x->kind == REMOVE)
        error_http(err, 404, "Subscriber '%.*s' was not found", (int)(id.n > 256 ? 256 : id.n), id.p);
    return false;
}

static bool credentials_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct credentials_write *x = (struct credentials_write *)w;
    struct request *rq = w->rq;
    struct id environment = rq->principal.environment;
    if (!find(rq, db, true, x, err))
        return false;
    switch (x->kind) {
    case PUT: return channel_settings_store(rq, db, &x->settings, &x->row, err);
    case ONLINE:
        return subscriber_set_online(db, environment, x->row.id, x->online, app_now(rq), err)
            && subscriber_find_by_id(db, rq->arena, environment, x->row.id, &x->row, err);
    case REMOVE: break;
    }
    return subscriber_set_channels(db, environment, x->row.id,
                                   channels_remove(rq->arena, x->row.field[SUBSCRIBER_CHANNELS], request_param(rq, "providerId")),
                                   app_now(rq), err);
}

static void credentials_reply(struct api_write *w)
{
    struct credentials_write *x = (struct credentials_write *)w;
    if (x->kind == REMOVE)
        reply_empty(w->rq, 204);
    else
        reply_json(w->rq, 0, subscriber_json(json_doc(w->rq->arena), &x->row, w->rq->principal.organization));
}

static struct credentials_write *write_new(struct request *rq, int kind)
{
    struct credentials_write *x = ARENA_NEW(rq->arena, struct credentials_write);
    x->w.apply = credentials_apply;
    x->w.reply = credentials_reply;
    x->kind = kind;
    return x;
}

static void credentials_put(struct request *rq, bool unite)
{
    struct checks checks = checks_begin(rq);
    struct credentials_write *x = write_new(rq, PUT);
    struct channel_setting *one = ARENA_NEW(rq->arena, struct channel_setting);
    struct str messages[4];
    struct error err = {0};
    size_t bad = channel_setting_read(rq->arena, rq->json, "", one, messages, 4);
    for (size_t i = 0; i < bad; i++)
        check_fail(&checks, "%.*s", STR_ARG(messages[i]));
    x->settings = (struct channel_settings){.all = one, .n = 1, .unite = unite};
    if (!checks_done(&checks))
        return;
    /* Who is not there is told so before what is not set up. */
    if (!find(rq, app_db(rq), false, x, &err) || !channel_settings_resolve(rq, &x->settings, &err))
        reply_error(rq, &err);
    else
        api_write(rq, &x->w);
}

static void handle_put(struct request *rq)
{
    credentials_put(rq, false);
}

static void handle_append(struct request *rq)
{
    credentials_put(rq, true);
}

static void handle_remove(struct request *rq)
{
    api_write(rq, &write_new(rq, REMOVE)->w);
}

static void handle_online(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct credentials_write *x = write_new(rq, ONLINE);
    /* @novu/node 2.6.6 says `online`. */
    yyjson_val *online = json_get(rq->json, json_get(rq->json, "isOnline") ? "isOnline" : "online");
    if (!yyjson_is_bool(online))
        check_fail(&checks, "isOnline must be a boolean value");
    x->online = yyjson_get_bool(online);
    if (checks_done(&checks))
        api_write(rq, &x->w);
}

#define CREDENTIALS(method, path, operation, summary, status, envelope, handler)                                            \
    {method, "/v1/subscribers/{subscriberId}" path, operation, "Subscribers", summary, AUTH_ENVIRONMENT, "SUBSCRIBER_WRITE",  \
     RATE_CONFIGURATION, 1, status, envelope, 0, 0, handler}

const struct route subscriber_credential_routes[] = {
    CREDENTIALS(HTTP_PUT, "/credentials", "subscribersCredentialsUpdate", "Set credentials of a provider", 200, ENVELOPE_DATA, handle_put),
    CREDENTIALS(HTTP_PATCH, "/credentials", "subscribersCredentialsAppend", "Add credentials of a provider", 200, ENVELOPE_DATA,
                handle_append),
    CREDENTIALS(HTTP_DELETE, "/credentials/{providerId}", "subscribersCredentialsDelete", "Remove credentials of a provider", 204,
                ENVELOPE_NONE, handle_remove),
    CREDENTIALS(HTTP_PATCH, "/online-status", "subscribersPropertiesUpdateOnlineFlag", "Say whether a subscriber is online", 200,
                ENVELOPE_DATA, handle_online),
};
const size_t subscriber_credential_routes_n = sizeof subscriber_credential_routes / sizeof *subscriber_credential_routes;
