/* A topic subscription with its preferences. */
#include "api/subscription_view.h"

struct reading {
    struct checks *c;
    const struct workflow_set *workflows;
    struct subscription_wishes *out;
    size_t cap;
};

static void wish_add(struct reading *r, const struct definition *w, yyjson_val *v)
{
    yyjson_val *enabled = json_get(v, "enabled"), *condition = json_get(v, "condition");
    for (size_t i = 0; i < r->out->n; i++)
        if (id_eq(r->out->all[i].workflow, w->workflow.id))
            return;
    struct subscription_wish *wish = ARENA_SLOT(r->c->rq->arena, r->out->all, r->out->n, r->cap);
    *wish = (struct subscription_wish){.workflow = w->workflow.id, .enabled = !yyjson_is_bool(enabled) || yyjson_get_bool(enabled)};
    if (yyjson_is_bool(condition) || yyjson_obj_size(condition))
        wish->condition = json_write(r->c->rq->arena, condition);
}

static void wish_by_key(struct reading *r, struct str key, yyjson_val *v)
{
    const struct definition *w = workflow_set_find(r->workflows, key);
    if (w)
        wish_add(r, w, v);
}

static bool list_has(yyjson_val *list, struct str s)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        if (str_eq(json_str(v), s))
            return true;
    return false;
}

static bool tags_meet(yyjson_val *wanted, yyjson_val *tags)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(tags);
    while ((v = yyjson_arr_iter_next(&it)))
        if (yyjson_is_str(v) && list_has(wanted, json_str(v)))
            return true;
    return false;
}

static bool ids_name(const struct workflow_set *all, yyjson_val *ids, const struct definition *w)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(ids);
    while ((v = yyjson_arr_iter_next(&it)))
        if (workflow_set_find(all, json_str(v)) == w)
            return true;
    return false;
}

/* All workflows that are named or have one of the tags. */
static void wishes_by_filter(struct reading *r, yyjson_val *filter, yyjson_val *v)
{
    for (size_t i = 0; i < r->workflows->n; i++) {
        const struct definition *w = r->workflows->all[i];
        if (ids_name(r->workflows, json_get(filter, "workflowIds"), w) || tags_meet(json_get(filter, "tags"), w->tags))
            wish_add(r, w, v);
    }
}

static void strings_check(struct checks *c, yyjson_val *filter, const char *key, size_t i)
{
    yyjson_val *list = json_get(filter, key), *v;
    if (!list || yyjson_is_null(list))
        return;
    if (!yyjson_is_arr(list))
        check_fail(c, "preferences.%zu.filter.%s must be an array", i, key);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!yyjson_is_str(v)) {
            check_fail(c, "each value in preferences.%zu.filter.%s must be a string", i, key);
            return;
        }
}

static void entry_read(struct reading *r, yyjson_val *v, size_t i)
{
    struct checks *c = r->c;
    yyjson_val *enabled = json_get(v, "enabled"), *condition = json_get(v, "condition"), *filter = json_get(v, "filter");
    if (yyjson_is_str(v)) {
        wish_by_key(r, json_str(v), NULL);
        return;
    }
    if (enabled && !yyjson_is_bool(enabled))
        check_fail(c, "preferences.%zu.enabled must be a boolean value", i);
    if (condition && !yyjson_is_obj(condition) && !yyjson_is_bool(condition) && !yyjson_is_null(condition))
        check_fail(c, "preferences.%zu.condition must be an object or a boolean", i);
    if (yyjson_is_str(json_get(v, "workflowId"))) {
        wish_by_key(r, json_get_str(v, "workflowId"), v);
    } else if (yyjson_is_obj(filter)) {
        strings_check(c, filter, "workflowIds", i);
        strings_check(c, filter, "tags", i);
        wishes_by_filter(r, filter, v);
    } else
        check_fail(c, "preferences.%zu must be a workflow id, or an object with a workflowId or a filter", i);
}

void subscription_wishes_read(struct checks *c, yyjson_val *list, const struct workflow_set *workflows, struct subscription_wishes *out)
{
    struct reading r = {.c = c, .workflows = workflows, .out = out};
    yyjson_val *v;
    size_t i = 0;
    *out = (struct subscription_wishes){0};
    if (yyjson_arr_size(list) > SUBSCRIPTION_PREFERENCES_MAX) {
        check_fail(c, "preferences must contain no more than %d elements", SUBSCRIPTION_PREFERENCES_MAX);
        return;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        entry_read(&r, v, i++);
}

bool subscription_wishes_store(struct request *rq, struct db *db, const struct topic_subscription *s,
                               const struct subscription_wishes *wishes, struct error *err)
{
    if (!preference_delete_by_subscription(db, s->id, err))
        return false;
    for (size_t i = 0; i < wishes->n; i++) {
        struct preference p = preference_row_new(rq, s->subscriber, wishes->all[i].workflow, s->context);
        p.subscription = s->id;
        p.enabled = wishes->all[i].enabled ? CHOICE_ON : CHOICE_OFF;
        p.condition = wishes->all[i].condition;
        if (!preference_replace(db, &p, app_now(rq), err))
            return false;
    }
    return true;
}

static const struct definition *by_id(const struct workflow_set *workflows, struct id id)
{
    for (size_t i = 0; i < workflows->n; i++)
        if (id_eq(workflows->all[i]->workflow.id, id))
            return workflows->all[i];
    return NULL;
}

yyjson_mut_val *subscription_preferences_json(struct request *rq, yyjson_mut_doc *d, const struct topic_subscription *s,
                                              const struct preference *rows, size_t n, const struct workflow_set *workflows)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++) {
        const struct definition *w = by_id(workflows, rows[i].workflow);
        yyjson_val *condition = NULL;
        if (!w)
            continue;
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, o, "subscriptionId", s->identifier);
        yyjson_mut_obj_add_val(d, o, "workflow", workflow_brief_json(d, w));
        json_add_bool(d, o, "enabled", rows[i].enabled != CHOICE_OFF);
        /* The REST client closes `condition` to objects; the Inbox's may be a plain true or false. */
        if (rows[i].condition.n && json_parse(rq->arena, rows[i].condition, &condition, NULL)
            && (yyjson_is_obj(condition) || rq->principal.kind == PRINCIPAL_SUBSCRIBER))
            json_add_val(d, o, "condition", condition);
    }
    return list;
}

bool topic_key_ok(struct request *rq, struct str key)
{
    if (topic_key_valid(key))
        return true;
    reply_fail(rq, 400, "Invalid topic key: \"%.*s\". Topic keys must contain only alphanumeric characters (a-z, A-Z, 0-9), hyphens (-), "
                        "underscores (_), colons (:), or be a valid email address.", (int)(key.n > 128 ? 128 : key.n), key.p);
    return false;
}

/* Counted in characters, as the limit is meant. */
bool subscription_identifier_valid(struct str s)
{
    size_t characters = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        characters += (c & 0xc0) != 0x80;
    }
    return characters >= 1 && characters <= SUBSCRIPTION_IDENTIFIER_MAX;
}

bool topic_provide(struct request *rq, struct db *db, struct str key, struct str name, bool renames, struct topic *out, struct error *err)
{
    struct error missing = {0};
    bool created;
    if (topic_find(db, rq->arena, rq->principal.environment, key, out, &missing)) {
        if (!renames || !name.n || str_eq(name, out->name))
            return true;
        if (!topic_find_locked(db, rq->arena, rq->principal.environment, key, out, err))
            return false;
        out->name = name;
        out->updated_at = app_now(rq);
        return topic_update(db, out, err);
    }
    if (missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    *out = (struct topic){.id = app_id(rq), .environment = rq->principal.environment, .key = key, .updated_at = app_now(rq),
                          .name = name.n ? name : str_fmt(rq->arena, "Autogenerated-%.*s", STR_ARG(key))};
    return topic_upsert(db, rq->arena, out, &created, err);
}
