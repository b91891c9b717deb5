/* /v1/notification-groups and /v1/feeds, which older clients call (rest-api.md §7). */
#include "api/app.h"
#include "api/tables.h"
#include "model/legacy_group.h"
#include "model/workflow.h"

enum { NAME_MAX_BYTES = 256 };

struct group_write {
    struct api_write w;
    struct legacy_group row;
    struct legacy_group *rest;          /* feeds that remain, as of the same transaction */
    size_t rest_n;
};

static const char *title(enum legacy_group_kind kind)
{
    return kind == LEGACY_FEED ? "Feed" : "Notification group";
}

static yyjson_mut_val *group_json(struct request *rq, yyjson_mut_doc *d, const struct legacy_group *g)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", g->id);
    json_add_id(d, o, "id", g->id);
    json_add_str(d, o, "name", g->name);
    if (g->kind == LEGACY_FEED)
        json_add_str(d, o, "identifier", slugify(rq->arena, g->name));
    json_add_id(d, o, "_environmentId", g->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_time(d, o, "createdAt", g->created_at);
    json_add_time(d, o, "updatedAt", g->updated_at);
    return o;
}

static void reply_list(struct request *rq, const struct legacy_group *list, size_t n)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *arr = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(arr, group_json(rq, d, &list[i]));
    reply_json(rq, 0, arr);
}

static void list_any(struct request *rq, enum legacy_group_kind kind)
{
    struct legacy_group *list;
    struct error err = {0};
    size_t n;
    if (legacy_group_list(app_db(rq), rq->arena, rq->principal.environment, kind, &list, &n, &err))
        reply_list(rq, list, n);
    else
        reply_error(rq, &err);
}

static void handle_groups(struct request *rq) { list_any(rq, LEGACY_NOTIFICATION_GROUP); }
static void handle_feeds(struct request *rq) { list_any(rq, LEGACY_FEED); }

static bool load(struct request *rq, const char *param, enum legacy_group_kind kind, struct legacy_group *out)
{
    struct str key = request_param(rq, param);
    struct error err = {.code = ERROR_NOT_FOUND};
    struct id id;
    if (id_parse(key, &id) && legacy_group_find(app_db(rq), rq->arena, rq->principal.environment, kind, id, out, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND)
        error_http(&err, 404, "%s with id %.*s not found", title(kind), (int)(key.n > 64 ? 64 : key.n), key.p);
    reply_error(rq, &err);
    return false;
}

static void handle_group(struct request *rq)
{
    struct legacy_group g;
    if (load(rq, "id", LEGACY_NOTIFICATION_GROUP, &g))
        reply_json(rq, 0, group_json(rq, json_doc(rq->arena), &g));
}

static bool taken(const struct group_write *x, struct error *err)
{
    if (err->code == ERROR_CONFLICT)
        error_http(err, 409, "%s with %s %.*s already exists", title(x->row.kind), x->row.kind == LEGACY_FEED ? "identifier:" : "name",
                   (int)(x->row.name.n > 64 ? 64 : x->row.name.n), x->row.name.p);
    return false;
}

static bool insert_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct group_write *x = (struct group_write *)w;
    return legacy_group_insert(db, &x->row, err) || taken(x, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct group_write *x = (struct group_write *)w;
    return legacy_group_update(db, &x->row, err) || taken(x, err);
}

static bool erase_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct group_write *x = (struct group_write *)w;
    return legacy_group_delete(db, &x->row, err)
        && legacy_group_list(db, w->rq->arena, x->row.environment, x->row.kind, &x->rest, &x->rest_n, err);
}

static void write_reply(struct api_write *w)
{
    reply_json(w->rq, 0, group_json(w->rq, json_doc(w->rq->arena), &((struct group_write *)w)->row));
}

static void erase_reply(struct api_write *w)
{
    struct group_write *x = (struct group_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (x->row.kind == LEGACY_FEED) {
        reply_list(w->rq, x->rest, x->rest_n);
        return;
    }
    json_add_bool(d, o, "acknowledged", true);
    json_add_str(d, o, "status", STR("deleted"));
    reply_json(w->rq, 0, o);
}

static void name_read(struct checks *c, struct group_write *x)
{
    x->row.name = str_trim(check_string(c, c->rq->json, "name", true));
    x->row.updated_at = app_now(c->rq);
    if (x->row.name.n > NAME_MAX_BYTES)
        check_fail(c, "name must be shorter than or equal to %d characters", NAME_MAX_BYTES);
}

static void create_any(struct request *rq, enum legacy_group_kind kind)
{
    struct checks c = checks_begin(rq);
    struct group_write *x = ARENA_NEW(rq->arena, struct group_write);
    x->row = (struct legacy_group){.id = app_id(rq), .environment = rq->principal.environment, .kind = kind, .created_at = app_now(rq)};
    x->w.apply = insert_apply;
    x->w.reply = write_reply;
    name_read(&c, x);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_group_create(struct request *rq) { create_any(rq, LEGACY_NOTIFICATION_GROUP); }
static void handle_feed_create(struct request *rq) { create_any(rq, LEGACY_FEED); }

static void handle_group_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct group_write *x = ARENA_NEW(rq->arena, struct group_write);
    x->w.apply = update_apply;
    x->w.reply = write_reply;
    if (!load(rq, "id", LEGACY_NOTIFICATION_GROUP, &x->row))
        return;
    name_read(&c, x);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void erase_any(struct request *rq, const char *param, enum legacy_group_kind kind)
{
    struct group_write *x = ARENA_NEW(rq->arena, struct group_write);
    x->w.apply = erase_apply;
    x->w.reply = erase_reply;
    if (load(rq, param, kind, &x->row))
        api_write(rq, &x->w);
}

static void handle_group_delete(struct request *rq) { erase_any(rq, "id", LEGACY_NOTIFICATION_GROUP); }
static void handle_feed_delete(struct request *rq) { erase_any(rq, "feedId", LEGACY_FEED); }

#define GROUP(method, path, operation, summary, permission, status, handler) \
    {method, "/v1/" path, operation, "Notification Groups", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, status, ENVELOPE_DATA, 0, 0, handler}

const struct route legacy_group_routes[] = {
    GROUP(HTTP_GET, "notification-groups", "notificationGroupsListV1", "List notification groups", "WORKFLOW_READ", 200, handle_groups),
    GROUP(HTTP_POST, "notification-groups", "notificationGroupsCreateV1", "Create a notification group", "WORKFLOW_WRITE", 201, handle_group_create),
    GROUP(HTTP_GET, "notification-groups/{id}", "notificationGroupsRetrieveV1", "Retrieve a notification group", "WORKFLOW_READ", 200, handle_group),
    GROUP(HTTP_PATCH, "notification-groups/{id}", "notificationGroupsUpdateV1", "Rename a notification group", "WORKFLOW_WRITE", 200, handle_group_update),
    GROUP(HTTP_DELETE, "notification-groups/{id}", "notificationGroupsDeleteV1", "Delete a notification group", "WORKFLOW_WRITE", 200, handle_group_delete),
    GROUP(HTTP_GET, "feeds", "feedsListV1", "List feeds", NULL, 200, handle_feeds),
    GROUP(HTTP_POST, "feeds", "feedsCreateV1", "Create a feed", NULL, 201, handle_feed_create),
    GROUP(HTTP_DELETE, "feeds/{feedId}", "feedsDeleteV1", "Delete a feed; answers what remains", NULL, 200, handle_feed_delete),
};
const size_t legacy_group_routes_n = sizeof legacy_group_routes / sizeof *legacy_group_routes;
