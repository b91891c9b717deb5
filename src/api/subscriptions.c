/* Subscriptions to topics: /v2/topics/{key}/subscriptions, a subscriber's own list, and v1 (rest-api.md §6.5). */
#include "api/context_member.h"
#include "api/paging.h"
#include "api/subscription_view.h"
#include "api/tables.h"

enum { BATCH_MAX = 100, V1_BATCH_MAX = 1000 };

/* --- what may go wrong with one item ---------------------------------------------------------------------------------- */

enum problem {
    PROBLEM_NONE, SUBSCRIBER_NOT_FOUND, INVALID_IDENTIFIER, LIMIT_EXCEEDED, CREATE_FAILED, SUBSCRIPTION_NOT_FOUND
};

static const char *const problem_codes[] = {"", "SUBSCRIBER_NOT_FOUND", "INVALID_SUBSCRIPTION_IDENTIFIER", "SUBSCRIPTION_LIMIT_EXCEEDED",
                                            "SUBSCRIPTION_CREATE_FAILED", "SUBSCRIPTION_NOT_FOUND"};

struct item {
    struct str subscriber_id, identifier, name;         /* p NULL: not given */
    enum problem problem;
    struct topic_subscription *subscriptions;           /* made, found or removed */
    size_t n;
    struct subscriber subscriber;
};

static struct str problem_text(struct arena *a, const struct item *x, struct str topic_key)
{
    struct str who = str_sub(x->subscriber_id, 0, 256), identifier = str_sub(x->identifier, 0, SUBSCRIPTION_IDENTIFIER_MAX);
    switch (x->problem) {
    case SUBSCRIBER_NOT_FOUND: return str_fmt(a, "Subscriber with ID '%.*s' could not be found.", STR_ARG(who));
    case INVALID_IDENTIFIER:
        return str_fmt(a, "Subscription identifier '%.*s' must have 1 to %d characters and no control characters.", STR_ARG(identifier),
                       SUBSCRIPTION_IDENTIFIER_MAX);
    case LIMIT_EXCEEDED:
        return str_fmt(a, "Subscriber %.*s has reached the maximum allowed of %d subscriptions for topic \"%.*s\"", STR_ARG(who),
                       SUBSCRIPTIONS_MAX, STR_ARG(topic_key));
    case CREATE_FAILED:
        return str_fmt(a, "The identifier '%.*s' is a duplicate: another subscription to topic '%.*s' has it.", STR_ARG(identifier),
                       STR_ARG(topic_key));
    case SUBSCRIPTION_NOT_FOUND:
        return identifier.n ? str_fmt(a, "Subscription with identifier '%.*s' not found.", STR_ARG(identifier))
                            : str_fmt(a, "Subscription for subscriber '%.*s' not found.", STR_ARG(who));
    case PROBLEM_NONE: break;
    }
    return STR_NULL;
}

/* --- wire forms ---------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *subscriber_brief(yyjson_mut_doc *d, const struct subscriber *s)
{
    static const struct { enum subscriber_field field; const char *key; } shown[] = {
        {SUBSCRIBER_AVATAR, "avatar"}, {SUBSCRIBER_FIRST_NAME, "firstName"}, {SUBSCRIBER_LAST_NAME, "lastName"}, {SUBSCRIBER_EMAIL, "email"}};
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", s->id);
    json_add_str(d, o, "subscriberId", s->subscriber_id);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        json_add_str(d, o, shown[i].key, s->field[shown[i].field]);
    return o;
}

/* preferences NULL: left out. */
static yyjson_mut_val *subscription_json(yyjson_mut_doc *d, const struct topic_subscription *s, const struct topic *topic,
                                         const struct subscriber *subscriber, yyjson_mut_val *preferences)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", s->id);
    json_add_str(d, o, "identifier", s->identifier);
    if (s->name.p)
        json_add_str(d, o, "name", s->name);
    yyjson_mut_obj_add_val(d, o, "topic", topic_json(d, topic));
    yyjson_mut_obj_add_val(d, o, "subscriber", subscriber_brief(d, subscriber));
    if (preferences)
        yyjson_mut_obj_add_val(d, o, "preferences", preferences);
    context_keys_add(d, o, s->context);
    json_add_time(d, o, "createdAt", s->created_at);
    json_add_time(d, o, "updatedAt", s->updated_at);
    return o;
}

/* --- creating and removing many ------------------------------------------------------------------------------------------- */

struct batch {
    struct api_write w;
    struct str key, topic_name;
    struct item *items;
    size_t n;
    struct context_member context;
    struct workflow_set workflows;
    struct subscription_wishes wishes;
    bool removes, v1;
    struct topic topic;                 /* results from here on */
    struct preference **rows;           /* of item i's subscription */
    size_t *rows_n;
};

static void batch_release(struct api_write *w)
{
    workflow_set_release(&((struct batch *)w)->workflows);
}

/* {data, meta, errors?}; preferences are shown of what was created. */
static yyjson_mut_val *batch_json(struct batch *b, yyjson_mut_doc *d, size_t *failed)
{
    struct request *rq = b->w.rq;
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = json_add_arr(d, o, "data"), *meta = json_add_obj(d, o, "meta"), *errors = NULL;
    *failed = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct item *x = &b->items[i];
        for (size_t k = 0; k < x->n; k++) {
            struct topic_subscription *s = &x->subscriptions[k];
            yyjson_mut_arr_append(data, subscription_json(d, s, &b->topic, &x->subscriber, b->removes ? NULL :
                                                          subscription_preferences_json(rq, d, s, b->rows[i], b->rows_n[i], &b->workflows)));
        }
        if (x->problem == PROBLEM_NONE)
            continue;
        if (!errors)
            errors = json_add_arr(d, o, "errors");
        yyjson_mut_val *e = yyjson_mut_arr_add_obj(d, errors);
        json_add_str(d, e, "subscriberId", x->subscriber_id.p ? x->subscriber_id : STR(""));
        json_add_str(d, e, "code", str_of(problem_codes[x->problem]));
        json_add_str(d, e, "message", problem_text(rq->arena, x, b->key));
        (*failed)++;
    }
    json_add_int(d, meta, "totalCount", (int64_t)b->n);
    json_add_int(d, meta, "successful", (int64_t)(b->n - *failed));
    json_add_int(d, meta, "failed", (int64_t)*failed);
    return o;
}

/* false: a failure of the store; a missing subscriber is the item's problem. */
static bool subscriber_of(struct request *rq, struct db *db, struct item *x, struct error *err)
{
    struct error missing = {0};
    if (subscriber_find(db, rq->arena, rq->principal.environment, x->subscriber_id, &x->subscriber, &missing))
        return true;
    x->problem = SUBSCRIBER_NOT_FOUND;
    return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

static bool subscription_make(struct batch *b, struct db *db, struct item *x, const struct topic_subscription *had, size_t had_n,
                              struct error *err)
{
    struct request *rq = b->w.rq;
    struct topic_subscription *s = ARENA_NEW(rq->arena, struct topic_subscription);
    bool created;
    *s = (struct topic_subscription){.id = app_id(rq), .environment = rq->principal.environment, .topic = b->topic.id,
                                     .subscriber = x->subscriber.id, .name = x->name, .context = b->context.keys, .created_at = app_now(rq)};
    s->identifier = x->identifier.p ? x->identifier
                                    : topic_subscription_identifier(rq->arena, b->topic.key, x->subscriber_id, b->context.keys);
    for (size_t i = 0; i < had_n; i++)
        if (str_eq(had[i].identifier, s->identifier) && str_eq(had[i].context, s->context)) {
            *s = had[i];
            x->subscriptions = s;
            x->n = 1;
            return true;
        }
    if (had_n >= SUBSCRIPTIONS_MAX) {
        x->problem = LIMIT_EXCEEDED;
        return true;
    }
    if (!topic_subscribe(db, rq->arena, s, &created, err))
        return false;
    if (!id_eq(s->subscriber, x->subscriber.id) || !str_eq(s->context, b->context.keys)) {
        x->problem = CREATE_FAILED;
        return true;
    }
    x->subscriptions = s;
    x->n = 1;
    return !created || subscription_wishes_store(rq, db, s, &b->wishes, err);
}

static bool item_create(struct batch *b, struct db *db, size_t i, struct error *err)
{
    struct request *rq = b->w.rq;
    struct item *x = &b->items[i];
    struct topic_subscription *had;
    size_t had_n;
    if (x->identifier.p && !subscription_identifier_valid(x->identifier)) {
        x->problem = INVALID_IDENTIFIER;
        return true;
    }
    if (!subscriber_of(rq, db, x, err))
        return false;
    if (x->problem)
        return true;
    return topic_subscriptions_of(db, rq->arena, b->topic.id, x->subscriber.id, &had, &had_n, err)
        && subscription_make(b, db, x, had, had_n, err)
        && (x->n == 0 || b->v1 || preference_list_by_subscription(db, rq->arena, x->subscriptions->id, &b->rows[i], &b->rows_n[i], err));
}

/* All of the subscriber's, or the one that is named. */
static bool item_remove(struct batch *b, struct db *db, struct item *x, struct error *err)
{
    struct request *rq = b->w.rq;
    struct topic_subscription one;
    struct error missing = {0};
    if (x->subscriber_id.p && !subscriber_of(rq, db, x, err))
        return false;
    if (x->problem)
        return true;
    if (x->identifier.p) {
        if (topic_subscription_find(db, rq->arena, b->topic.id, x->identifier, &one, &missing)
            && (!x->subscriber_id.p || id_eq(one.subscriber, x->subscriber.id))
            && subscriber_find_by_id(db, rq->arena, b->topic.environment, one.subscriber, &x->subscriber, &missing)) {
            x->subscriptions = ARENA_NEW(rq->arena, struct topic_subscription);
            *x->subscriptions = one;
            x->n = 1;
        } else if (missing.code && missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    } else if (!topic_subscriptions_of(db, rq->arena, b->topic.id, x->subscriber.id, &x->subscriptions, &x->n, err))
        return false;
    for (size_t k = 0; k < x->n; k++)
        if (!topic_unsubscribe(db, &x->subscriptions[k], err))
            return false;
    if (!x->n)
        x->problem = SUBSCRIPTION_NOT_FOUND;
    return true;
}

/* Finds the topic, or makes it when something is to be created. */
static bool batch_topic(struct batch *b, struct db *db, struct error *err)
{
    struct request *rq = b->w.rq;
    if (!b->removes)
        return topic_provide(rq, db, b->key, b->topic_name, true, &b->topic, err);
    return topic_find(db, rq->arena, rq->principal.environment, b->key, &b->topic, err)
        || (err->code == ERROR_NOT_FOUND && error_http(err, 404, "Topic with key %.*s not found", (int)(b->key.n > 256 ? 256 : b->key.n), b->key.p));
}

static bool batch_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct batch *b = (struct batch *)w;
    size_t failed;
    for (size_t i = 0; i < b->n; i++) {
        b->items[i].problem = PROBLEM_NONE;
        b->items[i].n = 0;
    }
    if (!batch_topic(b, db, err) || (!b->removes && !context_member_ensure(w->rq, db, &b->context, err)))
        return false;
    for (size_t i = 0; i < b->n; i++)
        if (!(b->removes ? item_remove(b, db, &b->items[i], err) : item_create(b, db, i, err)))
            return false;
    if (b->v1)
        return true;
    /* Where nothing succeeded nothing stays, not even the topic. */
    yyjson_mut_val *answer = batch_json(b, json_doc(w->rq->arena), &failed);
    if (failed < b->n)
        return true;
    error_http(err, 400, "Api Exception Raised with status 400");
    err->details = json_write_mut(w->rq->arena, answer);
    return false;
}

/* v1: {succeeded, failed?: {notFound}} */
static void v1_reply(struct batch *b)
{
    struct request *rq = b->w.rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *succeeded = json_add_arr(d, o, "succeeded"), *missing = NULL;
    if (b->removes) {
        reply_empty(rq, 204);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (b->items[i].problem && !missing)
            missing = json_add_arr(d, json_add_obj(d, o, "failed"), "notFound");
        yyjson_mut_arr_append(b->items[i].problem ? missing : succeeded, json_mut_str(d, b->items[i].subscriber_id));
    }
    reply_json(rq, 0, o);
}

static void batch_reply(struct api_write *w)
{
    struct batch *b = (struct batch *)w;
    struct request *rq = w->rq;
    size_t failed;
    if (b->v1) {
        v1_reply(b);
        return;
    }
    struct str text = json_write_mut(rq->arena, batch_json(b, json_doc(rq->arena), &failed));
    reply_json_text(rq, 0, text);
}

/* --- reading a batch ------------------------------------------------------------------------------------------------------- */

/* A string is a subscriber's id; an object may name a subscription too. */
static void item_read(struct checks *c, struct batch *b, yyjson_val *v, const char *list, size_t i)
{
    struct item *x = &b->items[b->n++];
    yyjson_val *identifier = json_get(v, "identifier"), *who = json_get(v, "subscriberId");
    if (yyjson_is_str(v) && yyjson_get_len(v)) {
        x->subscriber_id = str_trim(json_str(v));
        return;
    }
    if (!yyjson_is_obj(v)) {
        check_fail(c, "%s.%zu must be a subscriberId or an object", list, i);
        return;
    }
    x->identifier = check_string(c, v, "identifier", false);
    x->subscriber_id = str_trim(check_string(c, v, "subscriberId", !b->removes));
    x->name = check_string(c, v, "name", false);
    if (b->removes && !yyjson_is_str(identifier) && !yyjson_is_str(who))
        check_fail(c, "%s.%zu must have an identifier or a subscriberId", list, i);
    if (x->identifier.p && !x->identifier.n)
        x->identifier = STR_NULL;
    if (x->subscriber_id.p && !x->subscriber_id.n)
        x->subscriber_id = STR_NULL;
}

/* `subscriptions`, or the older `subscriberIds`. */
static void items_read(struct checks *c, struct batch *b)
{
    const char *name = json_get(c->rq->json, "subscriptions") ? "subscriptions" : "subscriberIds";
    yyjson_val *list = check_array(c, c->rq->json, name, false), *v;
    size_t n = yyjson_arr_size(list), i = 0;
    if (n > BATCH_MAX) {
        check_fail(c, "Cannot %s more than %d subscriptions at once", b->removes ? "unsubscribe" : "subscribe", BATCH_MAX);
        return;
    }
    if (n == 0)
        check_fail(c, "At least one subscription is required");
    b->items = ARENA_ARRAY(c->rq->arena, struct item, n + 1);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        item_read(c, b, v, name, i++);
}

static struct batch *batch_new(struct request *rq, bool removes, bool v1)
{
    struct batch *b = ARENA_NEW(rq->arena, struct batch);
    b->w.rq = rq;
    b->w.apply = batch_apply;
    b->w.reply = batch_reply;
    b->w.release = batch_release;
    b->removes = removes;
    b->v1 = v1;
    b->key = request_param(rq, "topicKey");
    b->context.keys = STR("");
    return b;
}

static void batch_write(struct batch *b)
{
    b->rows = ARENA_ARRAY(b->w.rq->arena, struct preference *, b->n);
    b->rows_n = ARENA_ARRAY(b->w.rq->arena, size_t, b->n);
    api_write(b->w.rq, &b->w);
}

static void handle_create(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct batch *b = batch_new(rq, false, false);
    struct error err = {0};
    yyjson_val *preferences = check_array(&checks, rq->json, "preferences", false);
    items_read(&checks, b);
    b->topic_name = check_string(&checks, rq->json, "name", false);
    context_member_read(&checks, json_get(rq->json, "context"), &b->context);
    if (!workflow_set_read(rq, false, &b->workflows, &err)) {
        reply_error(rq, &err);
        return;
    }
    subscription_wishes_read(&checks, preferences, &b->workflows, &b->wishes);
    if (checks_done(&checks) && topic_key_ok(rq, b->key))
        batch_write(b);
    else
        batch_release(&b->w);
}

static void handle_remove(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct batch *b = batch_new(rq, true, false);
    items_read(&checks, b);
    if (checks_done(&checks))
        batch_write(b);
}

/* --- one subscription -------------------------------------------------------------------------------------------------------- */

struct one {
    struct api_write w;
    struct topic topic;
    struct topic_subscription subscription;
    struct subscriber subscriber;
    struct workflow_set workflows;
    struct subscription_wishes wishes;
    bool sets_preferences;
    struct str name;                    /* p NULL: not given */
    struct preference *rows;
    size_t rows_n;
};

static void one_release(struct api_write *w)
{
    workflow_set_release(&((struct one *)w)->workflows);
}

static bool one_find(struct request *rq, struct db *db, struct one *x, struct error *err)
{
    struct str key = request_param(rq, "topicKey"), identifier = request_param(rq, "identifier");
    struct id environment = rq->principal.environment;
    if (topic_find(db, rq->arena, environment, key, &x->topic, err)
        && topic_subscription_find(db, rq->arena, x->topic.id, identifier, &x->subscription, err)
        && subscriber_find_by_id(db, rq->arena, environment, x->subscription.subscriber, &x->subscriber, err))
        return true;
    if (err->code == ERROR_NOT_FOUND)
        error_http(err, 404, "Subscription with identifier %.*s not found for topic %.*s", (int)(identifier.n > 200 ? 200 : identifier.n),
                   identifier.p, (int)(key.n > 128 ? 128 : key.n), key.p);
    return false;
}

static void handle_get(struct request *rq)
{
    struct one x = {.rows_n = 0};
    struct error err = {0};
    if (!one_find(rq, app_db(rq), &x, &err)) {
        if (err.status == 404)
            reply_empty(rq, 204);               /* as upstream: rest-api.md §6.5 */
        else
            reply_error(rq, &err);
        return;
    }
    if (!preference_list_by_subscription(app_db(rq), rq->arena, x.subscription.id, &x.rows, &x.rows_n, &err)
        || !workflow_set_read(rq, false, &x.workflows, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "id", x.subscription.id);
    json_add_str(d, o, "identifier", x.subscription.identifier);
    if (x.subscription.name.p)
        json_add_str(d, o, "name", x.subscription.name);
    yyjson_mut_obj_add_val(d, o, "preferences", subscription_preferences_json(rq, d, &x.subscription, x.rows, x.rows_n, &x.workflows));
    context_keys_add(d, o, x.subscription.context);
    reply_json(rq, 0, o);
    workflow_set_release(&x.workflows);
}

static bool one_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct one *x = (struct one *)w;
    struct request *rq = w->rq;
    if (!one_find(rq, db, x, err)
        || !topic_subscription_find_locked(db, rq->arena, x->topic.id, x->subscription.identifier, &x->subscription, err))
        return false;
    if (x->name.p)
        x->subscription.name = x->name;
    x->subscription.updated_at = app_now(rq);
    return topic_subscription_update(db, &x->subscription, err)
        && (!x->sets_preferences || subscription_wishes_store(rq, db, &x->subscription, &x->wishes, err))
        && preference_list_by_subscription(db, rq->arena, x->subscription.id, &x->rows, &x->rows_n, err);
}

static void one_reply(struct api_write *w)
{
    struct one *x = (struct one *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *preferences = subscription_preferences_json(rq, d, &x->subscription, x->rows, x->rows_n, &x->workflows);
    struct str text = json_write_mut(rq->arena, subscription_json(d, &x->subscription, &x->topic, &x->subscriber, preferences));
    reply_json_text(rq, 0, text);
}

static void handle_update(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct one *x = ARENA_NEW(rq->arena, struct one);
    struct error err = {0};
    yyjson_val *preferences = check_array(&checks, rq->json, "preferences", false);
    x->w.apply = one_apply;
    x->w.reply = one_reply;
    x->w.release = one_release;
    x->name = check_string(&checks, rq->json, "name", false);
    x->sets_preferences = preferences != NULL;
    if (!workflow_set_read(rq, false, &x->workflows, &err)) {
        reply_error(rq, &err);
        return;
    }
    subscription_wishes_read(&checks, preferences, &x->workflows, &x->wishes);
    if (checks_done(&checks))
        api_write(rq, &x->w);
    else
        one_release(&x->w);
}

/* --- lists ---------------------------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *made_json(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    (void)rq;
    (void)d;
    return ((yyjson_mut_val *const *)items)[i];
}

static void reply_memberships(struct request *rq, struct topic_membership_query *q)
{
    struct workflow_set workflows;
    struct page page;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!topic_membership_list(app_db(rq), rq->arena, rq->principal.environment, q, &page, &err)
        || !workflow_set_read(rq, false, &workflows, &err)) {
        reply_error(rq, &err);
        return;
    }
    const struct topic_membership *all = page.items;
    yyjson_mut_val **made = ARENA_ARRAY(rq->arena, yyjson_mut_val *, page.n + 1);
    bool ok = true;
    for (size_t i = 0; i < page.n && ok; i++) {
        struct preference *rows;
        size_t n;
        ok = preference_list_by_subscription(app_db(rq), rq->arena, all[i].subscription.id, &rows, &n, &err);
        if (ok)
            made[i] = subscription_json(d, &all[i].subscription, &all[i].topic, &all[i].subscriber,
                                        subscription_preferences_json(rq, d, &all[i].subscription, rows, n, &workflows));
    }
    page.items = made;
    if (ok)
        reply_page(rq, d, &page, made_json);
    else
        reply_error(rq, &err);
    workflow_set_release(&workflows);
}

static void handle_list(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_membership_query q = {.context = NULL};
    struct topic topic;
    struct subscriber s;
    struct str keys, who = request_query(rq, "subscriberId"), key = request_param(rq, "topicKey");
    struct error err = {0};
    if (context_query_read(rq, &keys))
        q.context = &keys;
    if (!paging_read(&checks, "_id", &q.page))
        return;
    if (!topic_find(app_db(rq), rq->arena, rq->principal.environment, key, &topic, &err)) {
        if (err.code == ERROR_NOT_FOUND)
            error_http(&err, 404, "Topic with key %.*s not found", (int)(key.n > 256 ? 256 : key.n), key.p);
        reply_error(rq, &err);
        return;
    }
    q.topic = topic.id;
    if (who.n) {
        q.subscriber = (struct id){{0xff}};     /* nobody, unless there is one */
        if (subscriber_find(app_db(rq), rq->arena, rq->principal.environment, who, &s, &err))
            q.subscriber = s.id;
    }
    reply_memberships(rq, &q);
}

static void handle_of_subscriber(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct topic_membership_query q = {.topic_key = request_query(rq, "key")};
    struct subscriber s;
    struct str keys;
    struct error err = {0};
    if (context_query_read(rq, &keys))
        q.context = &keys;
    if (!paging_read(&checks, "_id", &q.page))
        return;
    if (!subscriber_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "subscriberId"), &s, &err)) {
        reply_error(rq, &err);
        return;
    }
    q.subscriber = s.id;
    reply_memberships(rq, &q);
}

/* --- v1 ---------------------------------------------------------------------------------------------------------------------------- */

static void v1_batch(struct request *rq, bool removes)
{
    struct checks checks = checks_begin(rq);
    struct batch *b = batch_new(rq, removes, true);
    yyjson_val *list = check_array(&checks, rq->json, "subscribers", true), *v;
    size_t n = yyjson_arr_size(list);
    if (!json_get(rq->json, "subscribers"))
        check_fail(&checks, "subscribers must be an array");
    if (n > V1_BATCH_MAX)
        check_fail(&checks, "subscribers must contain no more than %d elements", V1_BATCH_MAX);
    if (!checks_done(&checks) || (!removes && !topic_key_ok(rq, b->key)))
        return;
    b->items = ARENA_ARRAY(rq->arena, struct item, n + 1);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        if (!yyjson_is_str(v))
            check_fail(&checks, "each value in subscribers must be a string");
        b->items[b->n++].subscriber_id = json_str(v);
    }
    if (checks_done(&checks))
        batch_write(b);
}

static void handle_v1_add(struct request *rq)
{
    v1_batch(rq, false);
}

static void handle_v1_remove(struct request *rq)
{
    v1_batch(rq, true);
}

static void handle_v1_member(struct request *rq)
{
    struct str key = request_param(rq, "topicKey"), who = request_param(rq, "externalSubscriberId");
    struct id environment = rq->principal.environment;
    struct topic_subscription *list;
    struct topic topic;
    struct subscriber s;
    struct error err = {0};
    size_t n = 0;
    bool found = topic_find(app_db(rq), rq->arena, environment, key, &topic, &err)
        && subscriber_find(app_db(rq), rq->arena, environment, who, &s, &err)
        && topic_subscriptions_of(app_db(rq), rq->arena, topic.id, s.id, &list, &n, &err);
    if (!found && err.code != ERROR_NOT_FOUND) {
        reply_error(rq, &err);
        return;
    }
    if (!n) {
        reply_fail(rq, 404, "Subscriber %.*s not found for topic %.*s in the environment %s", (int)(who.n > 128 ? 128 : who.n), who.p,
                   (int)(key.n > 128 ? 128 : key.n), key.p, id_str(rq->arena, environment).p);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_id(d, o, "_environmentId", environment);
    json_add_id(d, o, "_subscriberId", s.id);
    json_add_id(d, o, "_topicId", topic.id);
    json_add_str(d, o, "topicKey", topic.key);
    json_add_str(d, o, "externalSubscriberId", s.subscriber_id);
    reply_json(rq, 0, o);
}

#define SUBSCRIPTION(method, path, operation, summary, permission, status, envelope, handler)                               \
    {method, path, operation, "Topics", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, envelope, 0, 0, handler}
#define OF_TOPIC "/v2/topics/{topicKey}/subscriptions"

const struct route subscription_routes[] = {
    SUBSCRIPTION(HTTP_GET, OF_TOPIC, "topicsSubscriptionsList", "List a topic's subscriptions", "TOPIC_READ", 200, ENVELOPE_NONE,
                 handle_list),
    SUBSCRIPTION(HTTP_POST, OF_TOPIC, "topicsSubscriptionsCreate", "Subscribe to a topic", "TOPIC_WRITE", 201, ENVELOPE_NONE,
                 handle_create),
    SUBSCRIPTION(HTTP_DELETE, OF_TOPIC, "topicsSubscriptionsDelete", "Unsubscribe from a topic", "TOPIC_WRITE", 200, ENVELOPE_NONE,
                 handle_remove),
    SUBSCRIPTION(HTTP_GET, OF_TOPIC "/{identifier}", "topicsSubscriptionsGetSubscription", "Retrieve a subscription", "TOPIC_READ", 200,
                 ENVELOPE_DATA, handle_get),
    SUBSCRIPTION(HTTP_PATCH, OF_TOPIC "/{identifier}", "topicsSubscriptionsUpdate", "Change a subscription", "TOPIC_WRITE", 200,
                 ENVELOPE_DATA, handle_update),
    SUBSCRIPTION(HTTP_GET, "/v2/subscribers/{subscriberId}/subscriptions", "subscribersTopicsList", "List a subscriber's subscriptions",
                 "SUBSCRIBER_READ", 200, ENVELOPE_NONE, handle_of_subscriber),
    SUBSCRIPTION(HTTP_POST, "/v1/topics/{topicKey}/subscribers", "topicsSubscribersAddV1", "Add subscribers to a topic (v1)", "TOPIC_WRITE",
                 200, ENVELOPE_DATA, handle_v1_add),
    SUBSCRIPTION(HTTP_POST, "/v1/topics/{topicKey}/subscribers/removal", "topicsSubscribersRemoveV1", "Remove subscribers from a topic (v1)",
                 "TOPIC_WRITE", 204, ENVELOPE_NONE, handle_v1_remove),
    SUBSCRIPTION(HTTP_GET, "/v1/topics/{topicKey}/subscribers/{externalSubscriberId}", "topicsSubscribersRetrieve",
                 "Is this subscriber in the topic?", "TOPIC_READ", 200, ENVELOPE_DATA, handle_v1_member),
};
const size_t subscription_routes_n = sizeof subscription_routes / sizeof *subscription_routes;
