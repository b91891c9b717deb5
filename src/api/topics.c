/* /v2/topics and the older /v1/topics (rest-api.md §6.5). */
#include "api/paging.h"
#include "api/subscription_view.h"
#include "api/tables.h"
#include "model/topic.h"

enum { V1_PAGE_MAX = 10, V1_MEMBERS_MAX = 1000, DATA_MAX = 64 * 1024 };

/* "Topic with key x not found", whatever failed with ERROR_NOT_FOUND. */
static bool topic_missing(struct str key, struct error *err)
{
    if (err->code == ERROR_NOT_FOUND)
        error_http(err, 404, "Topic with key %.*s not found", (int)(key.n > 256 ? 256 : key.n), key.p);
    return false;
}

static bool find(struct request *rq, struct db *db, struct str key, struct topic *out, struct error *err)
{
    return topic_find(db, rq->arena, rq->principal.environment, key, out, err) || topic_missing(key, err);
}

/* --- writing ------------------------------------------------------------------------------------------------------- */

struct topic_write {
    struct api_write w;
    enum { CREATE, UPDATE, ERASE } kind;
    struct str key, name, data;         /* p NULL: not given */
    bool clears_data, only_new, only_empty, v1;
    struct topic row;                   /* afterwards */
    struct page members;                /* v1: … and theirs */
    bool created;
};

/* The older route's words. */
static bool find_v1(struct request *rq, struct db *db, struct str key, struct topic *out, struct error *err)
{
    if (topic_find(db, rq->arena, rq->principal.environment, key, out, err))
        return true;
    return err->code == ERROR_NOT_FOUND
        ? error_http(err, 404, "Topic not found for id %.*s in the environment %s", (int)(key.n > 100 ? 100 : key.n), key.p,
                     id_str(rq->arena, rq->principal.environment).p) : false;
}

/* The first of its members: an older client's picture of a topic has them in it. */
static bool members_read(struct request *rq, struct db *db, struct id topic, struct page *out, struct error *err)
{
    struct topic_membership_query q = {.topic = topic, .page = {.limit = V1_MEMBERS_MAX, .ascending = true}};
    return topic_membership_list(db, rq->arena, rq->principal.environment, &q, out, err);
}

/* 409 carries the existing entity's fields (rest-api.md §1). */
static bool conflict(struct topic_write *x, const struct topic *t, struct error *err)
{
    struct request *rq = x->w.rq;
    if (x->v1)
        error_http(err, 409, "Topic exists with key %.*s in the environment %s of the organization %s", STR_ARG(t->key),
                   id_str(rq->arena, rq->principal.environment).p, id_str(rq->arena, rq->principal.organization).p);
    else
        error_http(err, 409, "Topic with key \"%.*s\" already exists", STR_ARG(t->key));
    err->details = json_write_mut(rq->arena, topic_json(json_doc(rq->arena), t));
    return false;
}

static bool create_apply(struct topic_write *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct id environment = rq->principal.environment;
    struct error missing = {0};
    if (x->only_new) {
        if (topic_find(db, rq->arena, environment, x->key, &x->row, &missing))
            return conflict(x, &x->row, err);
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    }
    x->row = (struct topic){.id = app_id(rq), .environment = environment, .key = x->key, .name = x->name, .data = x->data,
                            .updated_at = app_now(rq)};
    return topic_upsert(db, rq->arena, &x->row, &x->created, err);
}

static bool erase_apply(struct topic_write *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    if (x->only_empty && x->members.n)
        return error_http(err, 409, "Topic with key %.*s in the environment %s can't be deleted as it still has subscribers assigned",
                          STR_ARG(x->row.key), id_str(rq->arena, rq->principal.environment).p);
    return topic_delete(db, rq->principal.environment, x->row.id, app_now(rq), err);
}

static bool topic_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct topic_write *x = (struct topic_write *)w;
    if (x->kind == CREATE)
        return create_apply(x, db, err);
    if (!(x->v1 ? find_v1 : find)(w->rq, db, x->key, &x->row, err) || (x->v1 && !members_read(w->rq, db, x->row.id, &x->members, err)))
        return false;
    if (x->kind == ERASE)
        return erase_apply(x, db, err);
    if (!topic_find_locked(db, w->rq->arena, w->rq->principal.environment, x->key, &x->row, err))
        return false;
    if (x->name.p)
        x->row.name = x->name;
    if (x->data.p || x->clears_data)
        x->row.data = x->data;
    x->row.updated_at = app_now(w->rq);
    return topic_update(db, &x->row, err);
}

static yyjson_mut_val *v1_json(struct request *rq, yyjson_mut_doc *d, const struct topic *t, const struct page *members)
{
    yyjson_mut_val *o = topic_json(d, t);
    json_add_id(d, o, "_environmentId", t->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    yyjson_mut_val *list = json_add_arr(d, o, "subscribers");
    for (size_t i = 0; i < members->n; i++)
        yyjson_mut_arr_append(list, json_mut_str(d, ((const struct topic_membership *)members->items)[i].subscriber.subscriber_id));
    return o;
}

static void topic_reply(struct api_write *w)
{
    struct topic_write *x = (struct topic_write *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o;
    if (x->kind == ERASE && x->v1) {
        reply_empty(rq, 204);
        return;
    }
    if (x->kind == ERASE) {
        o = yyjson_mut_obj(d);
        json_add_bool(d, o, "acknowledged", true);
    } else if (x->kind == CREATE && x->v1) {
        o = yyjson_mut_obj(d);
        json_add_id(d, o, "_id", x->row.id);
        json_add_str(d, o, "key", x->row.key);
    } else
        o = x->v1 ? v1_json(rq, d, &x->row, &x->members) : topic_json(d, &x->row);
    reply_json(rq, x->kind == CREATE && !x->created ? 200 : 0, o);
}

static struct topic_write *write_new(struct request *rq, int kind, bool v1)
{
    struct topic_write *x = ARENA_NEW(rq->arena, struct topic_write);
    x->w.apply = topic_apply;
    x->w.reply = topic_reply;
    x->kind = kind;
    x->v1 = v1;
    x->key = request_param(rq, "topicKey");
    return x;
}

static bool is_flat(yyjson_val *v)
{
    yyjson_val *item;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while ((item = yyjson_arr_iter_next(&it)))
        if (!yyjson_is_str(item))
            return false;
    return yyjson_is_arr(v) || yyjson_is_str(v) || yyjson_is_num(v) || yyjson_is_bool(v);
}

static void data_read(struct checks *c, struct topic_write *x)
{
    yyjson_val *given = json_get(c->rq->json, "data"), *data = check_object(c, c->rq->json, "data", false), *key, *v;
    size_t i, n;
    x->clears_data = yyjson_is_null(given);
    x->data = data ? json_write(c->rq->arena, data) : STR_NULL;
    if (x->data.n > DATA_MAX)
        check_fail(c, "Data is too large: at most %d bytes", DATA_MAX);
    yyjson_obj_foreach(data, i, n, key, v)
        if (!is_flat(v))
            check_fail(c, "data.%.*s must be a string, number, boolean, or string[]", STR_ARG(str_sub(json_str(key), 0, 64)));
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_write *x = write_new(rq, CREATE, false);
    x->key = str_trim(check_string(&checks, rq->json, "key", true));
    x->name = check_string(&checks, rq->json, "name", false);
    data_read(&checks, x);
    x->only_new = check_query_bool(&checks, "failIfExists", false);
    if (checks_done(&checks) && topic_key_ok(rq, x->key))
        api_write(rq, &x->w);
}

static void handle_update(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_write *x = write_new(rq, UPDATE, false);
    struct str key = check_string(&checks, rq->json, "key", false);
    x->name = check_string(&checks, rq->json, "name", false);
    data_read(&checks, x);
    if (!checks_done(&checks))
        return;
    if (key.p && !str_eq(key, x->key))          /* decisions.md 13 */
        reply_fail(rq, 400, "key of a topic cannot be changed");
    else
        api_write(rq, &x->w);
}

static void handle_delete(struct request *rq)
{
    struct topic_write *x = write_new(rq, ERASE, false);
    x->w.flags = WRITE_REMOVAL;
    api_write(rq, &x->w);
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

static void handle_get(struct request *rq)
{
    struct topic t;
    struct error err = {0};
    if (find(rq, app_db(rq), request_param(rq, "topicKey"), &t, &err))
        reply_json(rq, 0, topic_json(json_doc(rq->arena), &t));
    else
        reply_error(rq, &err);
}

static yyjson_mut_val *item_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    (void)rq;
    return topic_json(d, (const struct topic *)items + i);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_query q = {.key = request_query(rq, "key"), .name = request_query(rq, "name"),
                            .by_key = str_eqz(request_query(rq, "orderBy"), "key")};
    struct page page;
    struct error err = {0};
    if (!paging_read(&checks, q.by_key ? "key" : "_id", &q.page))
        return;
    if (topic_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, item_json);
    else
        reply_error(rq, &err);
}

/* --- v1 ---------------------------------------------------------------------------------------------------------------- */

static void handle_v1_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_write *x = write_new(rq, CREATE, true);
    x->key = str_trim(check_string(&checks, rq->json, "key", true));
    x->name = check_string(&checks, rq->json, "name", true);
    x->only_new = true;
    if (checks_done(&checks) && topic_key_ok(rq, x->key))
        api_write(rq, &x->w);
}

static void handle_v1_rename(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_write *x = write_new(rq, UPDATE, true);
    x->name = check_string(&checks, rq->json, "name", true);
    if (checks_done(&checks))
        api_write(rq, &x->w);
}

static void handle_v1_delete(struct request *rq)
{
    struct topic_write *x = write_new(rq, ERASE, true);
    x->only_empty = true;
    x->w.flags = WRITE_REMOVAL;
    api_write(rq, &x->w);
}

static void handle_v1_get(struct request *rq)
{
    struct topic t;
    struct page members;
    struct error err = {0};
    if (find_v1(rq, app_db(rq), request_param(rq, "topicKey"), &t, &err) && members_read(rq, app_db(rq), t.id, &members, &err))
        reply_json(rq, 0, v1_json(rq, json_doc(rq->arena), &t, &members));
    else
        reply_error(rq, &err);
}

static void handle_v1_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_query q = {.key = request_query(rq, "key"), .name = request_query(rq, "name")};
    int64_t number = check_query_int(&checks, "page", 0, 0, 1000000), size = check_query_int(&checks, "pageSize", V1_PAGE_MAX, 1, 1000000);
    struct page page, members;
    struct error err = {0};
    if (!checks_done(&checks))
        return;
    if (size > V1_PAGE_MAX) {
        reply_fail(rq, 400, "Page size can not be larger then %d", V1_PAGE_MAX);
        return;
    }
    q.page = (struct page_query){.limit = (int)size, .offset = number * size, .ascending = true};
    if (!topic_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < page.n; i++) {
        const struct topic *t = (const struct topic *)page.items + i;
        if (!members_read(rq, app_db(rq), t->id, &members, &err)) {
            reply_error(rq, &err);
            return;
        }
        yyjson_mut_arr_append(list, v1_json(rq, d, t, &members));
    }
    json_add_int(d, o, "page", number);
    json_add_int(d, o, "pageSize", size);
    json_add_int(d, o, "totalCount", page.total);
    reply_json(rq, 0, o);
}

#define TOPIC(method, path, operation, summary, permission, status, envelope, handler)                                       \
    {method, path, operation, "Topics", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 0, 0, handler}

const struct route topic_routes[] = {
    TOPIC(HTTP_GET, "/v2/topics", "topicsList", "List topics", "TOPIC_READ", 200, ENVELOPE_NONE, handle_list),
    TOPIC(HTTP_POST, "/v2/topics", "topicsCreate", "Create or change a topic", "TOPIC_WRITE", 201, ENVELOPE_DATA, handle_create),
    TOPIC(HTTP_GET, "/v2/topics/{topicKey}", "topicsGet", "Retrieve a topic", "TOPIC_READ", 200, ENVELOPE_DATA, handle_get),
    TOPIC(HTTP_PATCH, "/v2/topics/{topicKey}", "topicsUpdate", "Change a topic", "TOPIC_WRITE", 200, ENVELOPE_DATA, handle_update),
    TOPIC(HTTP_DELETE, "/v2/topics/{topicKey}", "topicsDelete", "Delete a topic with its subscriptions", "TOPIC_WRITE", 200, ENVELOPE_DATA,
          handle_delete),
    TOPIC(HTTP_GET, "/v1/topics", "topicsListV1", "List topics (v1)", "TOPIC_READ", 200, ENVELOPE_NONE, handle_v1_list),
    TOPIC(HTTP_POST, "/v1/topics", "topicsCreateV1", "Create a topic (v1)", "TOPIC_WRITE", 201, ENVELOPE_DATA, handle_v1_create),
    TOPIC(HTTP_GET, "/v1/topics/{topicKey}", "topicsGetV1", "Retrieve a topic (v1)", "TOPIC_READ", 200, ENVELOPE_DATA, handle_v1_get),
    TOPIC(HTTP_PATCH, "/v1/topics/{topicKey}", "topicsRenameV1", "Rename a topic (v1)", "TOPIC_WRITE", 200, ENVELOPE_DATA,
          handle_v1_rename),
    TOPIC(HTTP_DELETE, "/v1/topics/{topicKey}", "topicsDeleteV1", "Delete a topic without members (v1)", "TOPIC_WRITE", 204, ENVELOPE_NONE,
          handle_v1_delete),
};
const size_t topic_routes_n = sizeof topic_routes / sizeof *topic_routes;
