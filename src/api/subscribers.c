/* Subscribers: /v2/subscribers, and the v1 routes that write them the same way (rest-api.md §6.2). */
#include <ctype.h>

#include "api/channel_settings.h"
#include "api/paging.h"
#include "api/tables.h"
#include "content/zone.h"

struct subscriber_write {
    struct api_write w;
    struct subscriber_patch patch;      /* without its channels, which are: */
    struct channel_settings channels;
    enum { CREATE, PATCH, ERASE } kind;
    bool fail_if_exists, whole_person;
    struct subscriber row;              /* afterwards */
};

/* 409 carries the existing entity's fields (rest-api.md §1). */
static bool conflict(struct subscriber_write *x, const struct subscriber *s, struct error *err)
{
    struct request *rq = x->w.rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    error_http(err, 409, "Subscriber with id \"%.*s\" already exists", STR_ARG(s->subscriber_id));
    err->details = json_write_mut(rq->arena, subscriber_json(d, s, rq->principal.organization));
    return false;
}

static bool create_apply(struct subscriber_write *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct id id;
    struct error missing = {0};
    if (x->fail_if_exists
        && subscriber_find(db, rq->arena, rq->principal.environment, x->patch.subscriber_id, &x->row, &missing))
        return conflict(x, &x->row, err);
    return subscriber_upsert(db, rq->principal.environment, &x->patch, app_id(rq), app_now(rq), &id, err)
        && subscriber_find_by_id(db, rq->arena, rq->principal.environment, id, &x->row, err)
        && channel_settings_store(rq, db, &x->channels, &x->row, err);
}

static bool erase_apply(struct subscriber_write *x, struct db *db, struct error *err)
{
    struct request *rq = x->w.rq;
    struct buf details = {.arena = rq->arena};
    struct id environment = rq->principal.environment;
    if (x->whole_person ? subscriber_erase(db, rq->arena, environment, x->patch.subscriber_id, app_id(rq), rq->principal.user, app_now(rq), err)
                        : subscriber_delete(db, environment, x->patch.subscriber_id, app_now(rq), err))
        return true;
    buf_z(&details, "{\"externalSubscriberId\":");
    json_quote(&details, x->patch.subscriber_id);
    buf_char(&details, '}');
    if (err->code == ERROR_NOT_FOUND)
        err->details = buf_finish(&details);
    return false;
}

static bool subscriber_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct subscriber_write *x = (struct subscriber_write *)w;
    struct request *rq = w->rq;
    struct id environment = rq->principal.environment;
    switch (x->kind) {
    case CREATE: return create_apply(x, db, err);
    case PATCH: return subscriber_update(db, environment, &x->patch, app_now(rq), err)
                    && subscriber_find(db, rq->arena, environment, x->patch.subscriber_id, &x->row, err)
                    && channel_settings_store(rq, db, &x->channels, &x->row, err);
    case ERASE: return erase_apply(x, db, err);
    }
    return false;
}

static void subscriber_reply(struct api_write *w)
{
    struct subscriber_write *x = (struct subscriber_write *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    if (x->kind == ERASE) {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        json_add_bool(d, o, "acknowledged", true);
        json_add_str(d, o, "status", STR("deleted"));
        reply_json(w->rq, 0, o);
        return;
    }
    yyjson_mut_val *o = subscriber_json(d, &x->row, w->rq->principal.organization);
    for (int f = 0; f < SUBSCRIBER_FIELDS && x->kind == PATCH; f++)
        if (x->patch.present & 1u << f && !x->row.field[f].p) {         /* what a patch clears is null in its answer */
            yyjson_mut_obj_remove_key(o, subscriber_field_name((enum subscriber_field)f));
            json_add_str(d, o, subscriber_field_name((enum subscriber_field)f), STR_NULL);
        }
    reply_json(w->rq, 0, o);
}

static struct subscriber_write *write_new(struct request *rq)
{
    struct subscriber_write *x = ARENA_NEW(rq->arena, struct subscriber_write);
    x->w.rq = rq;
    x->w.apply = subscriber_apply;
    x->w.reply = subscriber_reply;
    return x;
}

/* Somebody at a domain of at least two labels: what is behind it, only a mail can tell. */
static bool looks_like_email(struct str s)
{
    size_t at = 0, label = 0, labels = 0;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || (s.p[i] == '@' && at++))
            return false;
    const char *domain = s.n ? memchr(s.p, '@', s.n) : NULL;
    for (const char *c = domain; c && ++c < s.p + s.n;) {
        label = *c == '.' ? 0 : label + 1;
        labels += label == 1;
        if (*c == '.' && (c[-1] == '.' || c[-1] == '@'))
            return false;
    }
    return domain > s.p && labels >= 2 && label;
}

/* A language, and what narrows it: "en", "en_US", "zh-Hant-TW". */
static bool looks_like_locale(struct str s)
{
    size_t part = 0, parts = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '-' || c == '_') {
            if (!part || (!parts && part < 2))
                return false;
            part = 0;
            parts++;
        } else if (c >= 0x80 || !(parts ? isalnum(c) : isalpha(c)) || ++part > 8) {
            return false;
        }
    }
    return parts ? part > 0 : part >= 2;
}

static void profile_check(struct checks *c, const struct subscriber_patch *p)
{
    const struct str *f = p->field;
    if (f[SUBSCRIBER_EMAIL].p && !looks_like_email(f[SUBSCRIBER_EMAIL]))
        check_fail(c, "email must be an email");
    if (f[SUBSCRIBER_TIMEZONE].p && !zone_known(f[SUBSCRIBER_TIMEZONE]))
        check_fail(c, "timezone must be a valid IANA time-zone");
    if (f[SUBSCRIBER_LOCALE].p && !looks_like_locale(f[SUBSCRIBER_LOCALE]))
        check_fail(c, "locale must be locale");
}

static void body_read(struct checks *c, struct subscriber_write *x)
{
    struct str messages[SUBSCRIBER_FIELDS];
    size_t n = subscriber_patch_read(c->rq->arena, c->rq->json, &x->patch, messages);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    profile_check(c, &x->patch);
    channel_settings_read(c, json_get(c->rq->json, "channels"), &x->channels);
    x->patch.present &= ~(1u << SUBSCRIBER_CHANNELS);
}

/* Ends the checks and writes. */
static void body_write(struct checks *c, struct subscriber_write *x)
{
    struct error err = {0};
    if (!checks_done(c))
        return;
    if (channel_settings_resolve(c->rq, &x->channels, &err))
        api_write(c->rq, &x->w);
    else
        reply_error(c->rq, &err);
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct subscriber_write *x = write_new(rq);
    yyjson_val *id = json_get(rq->json, "subscriberId");
    body_read(&checks, x);
    if (!yyjson_is_str(id))
        check_fail(&checks, "subscriberId must be a string");
    else if (!x->patch.subscriber_id.n)
        check_fail(&checks, "SubscriberId is required");
    else if (!subscriber_id_valid(x->patch.subscriber_id))
        check_fail(&checks, "subscriberId must have 1 to 256 characters and no control characters");
    x->fail_if_exists = check_query_bool(&checks, "failIfExists", false);
    /* A body without data resets it (rest-api.md §6.2). */
    x->patch.present |= 1u << SUBSCRIBER_DATA;
    x->kind = CREATE;
    body_write(&checks, x);
}

static void handle_patch(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct subscriber_write *x = write_new(rq);
    body_read(&checks, x);
    x->patch.subscriber_id = request_param(rq, "subscriberId");
    x->kind = PATCH;
    body_write(&checks, x);
}

static void handle_delete(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct subscriber_write *x = write_new(rq);
    x->patch.subscriber_id = request_param(rq, "subscriberId");
    x->whole_person = check_query_bool(&checks, "erase", false);
    x->kind = ERASE;
    x->w.flags = WRITE_REMOVAL;
    api_write(rq, &x->w);
}

static void handle_get(struct request *rq)
{
    struct subscriber s;
    struct error err = {0};
    struct str id = request_param(rq, "subscriberId");
    if (!subscriber_find(app_db(rq), rq->arena, rq->principal.environment, id, &s, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            error_http(&err, 404, "Subscriber: %.*s was not found", (int)(id.n > 256 ? 256 : id.n), id.p);
        reply_error(rq, &err);
        return;
    }
    reply_json(rq, 0, subscriber_json(json_doc(rq->arena), &s, rq->principal.organization));
}

static yyjson_mut_val *item_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return subscriber_json(d, (const struct subscriber *)items + i, rq->principal.organization);
}

static void handle_search(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct subscriber_query q = {.email = request_query(rq, "email"), .phone = request_query(rq, "phone"),
                                 .name = request_query(rq, "name"), .subscriber_id = request_query(rq, "subscriberId")};
    struct page page;
    struct error err = {0};
    if (!paging_read(&checks, "_id", &q.page))
        return;
    if (subscriber_list(app_db(rq), rq->arena, rq->principal.environment, &q, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, item_json);
    else
        reply_error(rq, &err);
}

/* --- bulk: upsert each (rest-api.md §6.2) --------------------------------------------------------------------- */

enum { BULK_MAX = 500 };

struct bulk_item {
    struct subscriber_patch patch;
    struct channel_settings channels;
    struct str problem;                 /* empty: it is fine */
    bool created;
};

struct bulk {
    struct api_write w;
    struct bulk_item *items;
    size_t n;
};

static bool bulk_channels(struct request *rq, struct db *db, const struct bulk_item *x, struct id id, struct error *err)
{
    struct subscriber row;
    return subscriber_find_by_id(db, rq->arena, rq->principal.environment, id, &row, err)
        && channel_settings_store(rq, db, &x->channels, &row, err);
}

static bool bulk_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct bulk *b = (struct bulk *)w;
    struct request *rq = w->rq;
    for (size_t i = 0; i < b->n; i++) {
        struct id fresh = app_id(rq), id;
        if (b->items[i].problem.n)
            continue;
        if (!subscriber_upsert(db, rq->principal.environment, &b->items[i].patch, fresh, app_now(rq), &id, err))
            return false;
        b->items[i].created = id_eq(id, fresh);
        if (b->items[i].channels.n && !bulk_channels(rq, db, &b->items[i], id, err))
            return false;
    }
    return true;
}

static void bulk_reply(struct api_write *w)
{
    struct bulk *b = (struct bulk *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *created = json_add_arr(d, o, "created"), *updated = json_add_arr(d, o, "updated");
    yyjson_mut_val *failed = json_add_arr(d, o, "failed");
    for (size_t i = 0; i < b->n; i++) {
        const struct bulk_item *x = &b->items[i];
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(d, x->problem.n ? failed : x->created ? created : updated);
        if (x->problem.n)
            json_add_str(d, one, "message", x->problem);
        if (x->patch.subscriber_id.n)
            json_add_str(d, one, "subscriberId", x->patch.subscriber_id);
    }
    reply_json(w->rq, 0, o);
}

static void bulk_item_read(struct request *rq, yyjson_val *v, struct bulk_item *x)
{
    struct str messages[SUBSCRIBER_FIELDS];
    struct checks checks = checks_begin(rq);
    struct error err = {0};
    channel_settings_read(&checks, json_get(v, "channels"), &x->channels);
    if (subscriber_patch_read(rq->arena, v, &x->patch, messages))
        x->problem = messages[0];
    else if (checks.n)
        x->problem = checks.messages[0];
    else if (!x->patch.subscriber_id.n)
        x->problem = STR("subscriberId is required");
    else if (!subscriber_id_valid(x->patch.subscriber_id))
        x->problem = STR("subscriberId must have 1 to 256 characters and no control characters");
    else if (!channel_settings_resolve(rq, &x->channels, &err))
        x->problem = str_dup(rq->arena, str_of(err.message));
    x->patch.present &= ~(1u << SUBSCRIBER_CHANNELS);
}

static void handle_bulk(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    yyjson_val *list = check_array(&checks, rq->json, "subscribers", true), *v;
    size_t n = yyjson_arr_size(list);
    if (list && n == 0)
        check_fail(&checks, "subscribers should not be empty");
    if (!checks_done(&checks))
        return;
    if (n > BULK_MAX) {
        reply_invalid_field(rq, "BulkCreateSubscribersCommand", "subscribers", "subscribers must contain no more than 500 elements");
        return;
    }
    struct bulk *b = ARENA_NEW(rq->arena, struct bulk);
    b->items = ARENA_ARRAY(rq->arena, struct bulk_item, n);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        bulk_item_read(rq, v, &b->items[b->n++]);
    b->w.apply = bulk_apply;
    b->w.reply = bulk_reply;
    api_write(rq, &b->w);
}

#define SUBSCRIBER(method, path, operation, summary, permission, status, envelope, handler)                          \
    {method, path, operation, "Subscribers", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 0, 0, \
     handler}

const struct route subscriber_routes[] = {
    SUBSCRIBER(HTTP_GET, "/v2/subscribers", "subscribersSearch", "Search subscribers", "SUBSCRIBER_READ", 200, ENVELOPE_NONE,
               handle_search),
    SUBSCRIBER(HTTP_POST, "/v2/subscribers", "subscribersCreate", "Create or update a subscriber", "SUBSCRIBER_WRITE", 201,
               ENVELOPE_DATA, handle_create),
    {HTTP_POST, "/v1/subscribers/bulk", "subscribersCreateBulk", "Subscribers", "Create or update many subscribers",
     AUTH_ENVIRONMENT, "SUBSCRIBER_WRITE", RATE_CONFIGURATION, 100, 201, ENVELOPE_DATA, 0, 0, handle_bulk},
    SUBSCRIBER(HTTP_GET, "/v2/subscribers/{subscriberId}", "subscribersRetrieve", "Retrieve a subscriber", "SUBSCRIBER_READ", 200,
               ENVELOPE_DATA, handle_get),
    SUBSCRIBER(HTTP_PATCH, "/v2/subscribers/{subscriberId}", "subscribersPatch", "Change a subscriber", "SUBSCRIBER_WRITE", 200,
               ENVELOPE_DATA, handle_patch),
    SUBSCRIBER(HTTP_DELETE, "/v2/subscribers/{subscriberId}", "subscribersDelete", "Delete a subscriber", "SUBSCRIBER_WRITE", 200,
               ENVELOPE_DATA, handle_delete),
    SUBSCRIBER(HTTP_POST, "/v1/subscribers", "subscribersCreateV1", "Create or update a subscriber (v1)", "SUBSCRIBER_WRITE", 201,
               ENVELOPE_DATA, handle_create),
    SUBSCRIBER(HTTP_PUT, "/v1/subscribers/{subscriberId}", "subscribersUpdateV1", "Change a subscriber (v1)", "SUBSCRIBER_WRITE", 200,
               ENVELOPE_DATA, handle_patch),
    SUBSCRIBER(HTTP_DELETE, "/v1/subscribers/{subscriberId}", "subscribersDeleteV1", "Delete a subscriber (v1)", "SUBSCRIBER_WRITE", 200,
               ENVELOPE_DATA, handle_delete),
};
const size_t subscriber_routes_n = sizeof subscriber_routes / sizeof *subscriber_routes;
