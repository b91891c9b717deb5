/* /v1/inbox/topics/{topicKey}/subscriptions: what a person subscribed to (inbox-realtime.md §2.10). Another person's
 * subscription, and one of another context, looks like a missing one. */
#include "api/inbox_private.h"

#include <stdio.h>

#include "api/subscription_view.h"

#define CLIENT "@novu/js@"

/* Clients before @novu/js 3.13.0 do not put contexts into identifiers: for them there are none here. */
static bool knows_contexts(struct request *rq)
{
    struct str version = request_header(rq, "Novu-Client-Version");
    int major, minor, patch;
    if (!version.p || !str_starts(version, STR(CLIENT)))
        return false;
    const char *numbers = str_z(rq->arena, str_sub(version, sizeof CLIENT - 1, version.n));
    return sscanf(numbers, "%6d.%6d.%6d", &major, &minor, &patch) == 3 && (major > 3 || (major == 3 && minor >= 13));
}

static struct str context_of(struct request *rq)
{
    return knows_contexts(rq) && rq->principal.context.p ? rq->principal.context : STR("");
}

struct subscribing {
    struct api_write w;
    struct topic topic;
    struct topic_subscription subscription;
    struct workflow_set workflows;
    struct subscription_wishes wishes;
    bool sets_preferences;
    struct str context, identifier, name, topic_name;   /* identifier, name: p NULL if not given */
    struct preference *rows;
    size_t rows_n;
};

static void subscribing_release(struct api_write *w)
{
    workflow_set_release(&((struct subscribing *)w)->workflows);
}

/* --- wire forms ---------------------------------------------------------------------------------------------------------- */

static bool has_row(const struct preference *rows, size_t n, struct id workflow)
{
    for (size_t i = 0; i < n; i++)
        if (id_eq(rows[i].workflow, workflow))
            return true;
    return false;
}

static bool has_tag(const struct definition *w, const struct str *tags, size_t n)
{
    yyjson_val *tag;
    yyjson_arr_iter it = yyjson_arr_iter_with(w->tags);
    while ((tag = yyjson_arr_iter_next(&it)))
        for (size_t i = 0; i < n; i++)
            if (str_eq(json_str(tag), tags[i]))
                return true;
    return false;
}

/* Is the workflow on for who chose nothing? */
static bool is_enabled(const struct definition *w)
{
    struct workflow_preferences p = workflow_preferences_read(json_get(w->doc, "preferences"));
    return p.enabled[p.enabled[1] != CHOICE_UNSET] != CHOICE_OFF;        /* the dashboard's word before the code's */
}

/* What the subscription says nothing about is as its workflow has it. */
static void add_unsaid(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *list, const struct topic_subscription *s,
                       const struct preference *rows, size_t rows_n, const struct workflow_set *workflows)
{
    struct str *keys, *tags;
    size_t keys_n = request_query_all(rq, "workflowIds", &keys), tags_n = request_query_all(rq, "tags", &tags);
    for (size_t i = 0; i < workflows->n; i++) {
        const struct definition *w = workflows->all[i];
        bool asked = has_tag(w, tags, tags_n);
        for (size_t k = 0; k < keys_n && !asked; k++)
            asked = workflow_set_find(workflows, keys[k]) == w;
        if (!asked || has_row(rows, rows_n, w->workflow.id))
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, o, "subscriptionId", s->identifier);
        yyjson_mut_obj_add_val(d, o, "workflow", workflow_brief_json(d, w));
        json_add_bool(d, o, "enabled", is_enabled(w));
    }
}

static yyjson_mut_val *subscription_json(struct request *rq, yyjson_mut_doc *d, const struct topic_subscription *s,
                                         const struct preference *rows, size_t n, const struct workflow_set *workflows)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = subscription_preferences_json(rq, d, s, rows, n, workflows);
    json_add_id(d, o, "id", s->id);
    json_add_str(d, o, "identifier", s->identifier);
    if (s->name.p)
        json_add_str(d, o, "name", s->name);
    if (str_eqz(rq->method, "GET"))
        add_unsaid(rq, d, list, s, rows, n, workflows);
    if (yyjson_mut_arr_size(list))
        yyjson_mut_obj_add_val(d, o, "preferences", list);
    return o;
}

/* --- finding -------------------------------------------------------------------------------------------------------------- */

static bool own_find(struct request *rq, struct db *db, struct subscribing *x, struct error *err)
{
    struct str key = request_param(rq, "topicKey"), identifier = request_param(rq, "identifier");
    if (topic_find(db, rq->arena, rq->principal.environment, key, &x->topic, err)
        && topic_subscription_find(db, rq->arena, x->topic.id, identifier, &x->subscription, err)
        && id_eq(x->subscription.subscriber, rq->principal.subscriber) && str_eq(x->subscription.context, x->context))
        return true;
    if (!err->code || err->code == ERROR_NOT_FOUND)
        error_http(err, 404, "Subscription with identifier %.*s not found for topic %.*s", STR_ARG(str_sub(identifier, 0, 200)),
                   STR_ARG(str_sub(key, 0, 128)));
    return false;
}

static bool is_missing(const struct error *err)
{
    return err->code == ERROR_NOT_FOUND || err->status == 404;
}

void inbox_handle_subscriptions(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    struct topic topic;
    struct topic_subscription *all = NULL;
    struct workflow_set workflows = {.n = 0};
    struct preference *rows;
    struct error err = {0};
    struct str context = context_of(rq);
    size_t n = 0, rows_n;
    if (!inbox_caller_known(rq))
        return;
    bool ok = topic_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "topicKey"), &topic, &err)
           && topic_subscriptions_of(app_db(rq), rq->arena, topic.id, rq->principal.subscriber, &all, &n, &err)
           && workflow_set_read(rq, true, &workflows, &err);
    for (size_t i = 0; ok && i < n; i++) {
        if (!str_eq(all[i].context, context))
            continue;
        ok = preference_list_by_subscription(app_db(rq), rq->arena, all[i].id, &rows, &rows_n, &err);
        if (ok)
            yyjson_mut_arr_append(list, subscription_json(rq, d, &all[i], rows, rows_n, &workflows));
    }
    if (ok || is_missing(&err))
        reply_json_text(rq, 0, json_write_mut(rq->arena, list));
    else
        reply_error(rq, &err);
    workflow_set_release(&workflows);
}

void inbox_handle_subscription(struct request *rq)
{
    struct subscribing x = {.context = context_of(rq)};
    struct error err = {0};
    if (!inbox_caller_known(rq))
        return;
    if (own_find(rq, app_db(rq), &x, &err)
        && preference_list_by_subscription(app_db(rq), rq->arena, x.subscription.id, &x.rows, &x.rows_n, &err)
        && workflow_set_read(rq, true, &x.workflows, &err)) {
        yyjson_mut_doc *d = json_doc(rq->arena);
        reply_json_text(rq, 0, json_write_mut(rq->arena, subscription_json(rq, d, &x.subscription, x.rows, x.rows_n, &x.workflows)));
    } else if (is_missing(&err)) {
        reply_empty(rq, 204);
    } else {
        reply_error(rq, &err);
    }
    workflow_set_release(&x.workflows);
}

/* --- writing --------------------------------------------------------------------------------------------------------------- */

/* *fresh: it was not there before. */
static bool subscribe(struct request *rq, struct db *db, struct subscribing *x, bool *fresh, struct error *err)
{
    struct topic_subscription *had, *s = &x->subscription;
    size_t n;
    if (!topic_subscriptions_of(db, rq->arena, x->topic.id, rq->principal.subscriber, &had, &n, err))
        return false;
    *s = (struct topic_subscription){.id = app_id(rq), .environment = rq->principal.environment, .topic = x->topic.id,
                                     .subscriber = rq->principal.subscriber, .identifier = x->identifier, .name = x->name,
                                     .context = x->context, .created_at = app_now(rq)};
    for (size_t i = 0; i < n; i++)
        if (str_eq(had[i].identifier, x->identifier) && str_eq(had[i].context, x->context)) {
            *s = had[i];
            *fresh = false;
            return true;
        }
    if (n >= SUBSCRIPTIONS_MAX)
        return error_http(err, 400, "Subscriber %.*s has reached the maximum allowed of %d subscriptions for topic \"%.*s\"",
                          STR_ARG(str_sub(rq->principal.subscriber_id, 0, 128)), SUBSCRIPTIONS_MAX, STR_ARG(str_sub(x->topic.key, 0, 128)));
    if (!topic_subscribe(db, rq->arena, s, fresh, err))
        return false;
    return (id_eq(s->subscriber, rq->principal.subscriber) && str_eq(s->context, x->context))
        || error_http(err, 400, "The identifier '%.*s' is a duplicate: another subscription to topic '%.*s' has it.",
                      STR_ARG(str_sub(x->identifier, 0, 128)), STR_ARG(str_sub(x->topic.key, 0, 128)));
}

static bool create_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct subscribing *x = (struct subscribing *)w;
    bool fresh;
    return topic_provide(w->rq, db, request_param(w->rq, "topicKey"), x->topic_name, false, &x->topic, err) && subscribe(w->rq, db, x, &fresh, err)
        && (!fresh || subscription_wishes_store(w->rq, db, &x->subscription, &x->wishes, err))
        && preference_list_by_subscription(db, w->rq->arena, x->subscription.id, &x->rows, &x->rows_n, err);
}

static bool update_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct subscribing *x = (struct subscribing *)w;
    if (!own_find(w->rq, db, x, err)
        || !topic_subscription_find_locked(db, w->rq->arena, x->topic.id, x->subscription.identifier, &x->subscription, err))
        return false;
    if (x->name.p)
        x->subscription.name = x->name;
    x->subscription.updated_at = app_now(w->rq);
    return topic_subscription_update(db, &x->subscription, err)
        && (!x->sets_preferences || subscription_wishes_store(w->rq, db, &x->subscription, &x->wishes, err))
        && preference_list_by_subscription(db, w->rq->arena, x->subscription.id, &x->rows, &x->rows_n, err);
}

static void subscribing_reply(struct api_write *w)
{
    struct subscribing *x = (struct subscribing *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    reply_json_text(rq, 0, json_write_mut(rq->arena, subscription_json(rq, d, &x->subscription, x->rows, x->rows_n, &x->workflows)));
}

/* Name and preferences, which both writes have. false: answered. */
static bool subscribing_read(struct checks *c, struct subscribing *x)
{
    struct request *rq = c->rq;
    struct error err = {0};
    yyjson_val *preferences = check_array(c, rq->json, "preferences", false);
    x->w = (struct api_write){.rq = rq, .reply = subscribing_reply, .release = subscribing_release};
    x->context = context_of(rq);
    x->name = check_string(c, rq->json, "name", false);
    x->sets_preferences = preferences != NULL;
    if (!workflow_set_read(rq, false, &x->workflows, &err)) {
        reply_error(rq, &err);
        workflow_set_release(&x->workflows);
        return false;
    }
    subscription_wishes_read(c, preferences, &x->workflows, &x->wishes);
    return true;
}

/* Hands it to the writer, or answers why not. */
static void subscribing_write(struct checks *c, struct subscribing *x)
{
    if (checks_done(c) && inbox_caller_known(c->rq))
        api_write(c->rq, &x->w);
    else
        workflow_set_release(&x->workflows);
}

void inbox_handle_subscribe(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct subscribing *x = ARENA_NEW(rq->arena, struct subscribing);
    struct str key = request_param(rq, "topicKey");
    yyjson_val *topic = check_object(&c, rq->json, "topic", false);
    if (!topic_key_ok(rq, key))
        return;
    x->identifier = check_string(&c, rq->json, "identifier", false);
    x->topic_name = topic ? check_string(&c, topic, "name", false) : STR_NULL;
    if (x->identifier.n && !subscription_identifier_valid(x->identifier))
        check_fail(&c, "identifier must have 1 to %d characters and no control characters", SUBSCRIPTION_IDENTIFIER_MAX);
    if (!subscribing_read(&c, x))
        return;
    if (!x->identifier.n)
        x->identifier = topic_subscription_identifier(rq->arena, key, rq->principal.subscriber_id, x->context);
    x->w.apply = create_apply;
    subscribing_write(&c, x);
}

void inbox_handle_subscription_write(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct subscribing *x = ARENA_NEW(rq->arena, struct subscribing);
    if (!subscribing_read(&c, x))
        return;
    x->w.apply = update_apply;
    subscribing_write(&c, x);
}

static bool remove_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct subscribing *x = (struct subscribing *)w;
    return own_find(w->rq, db, x, err) && topic_unsubscribe(db, &x->subscription, err);
}

static void remove_reply(struct api_write *w)
{
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", true);
    reply_json(w->rq, 0, o);
}

void inbox_handle_unsubscribe(struct request *rq)
{
    struct subscribing *x = ARENA_NEW(rq->arena, struct subscribing);
    x->w = (struct api_write){.rq = rq, .apply = remove_apply, .reply = remove_reply};
    x->context = context_of(rq);
    if (inbox_caller_known(rq))
        api_write(rq, &x->w);
}
