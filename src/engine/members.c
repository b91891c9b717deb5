/* Who a topic reaches: its members, as far as their subscriptions let the event pass (engine.md §6.6). */
#include "engine/plan_private.h"

#include "content/jsonlogic.h"
#include "model/preference.h"

struct members {
    struct worker *worker;
    struct plan *plan;
    struct id workflow;
    struct str context;
    yyjson_val *payload;
    int64_t now;
    struct topic *topics;
    struct id *ids;
    size_t topics_n;
};

/* The result must be exactly true; what cannot be evaluated says no. */
static bool condition_holds(const struct members *m, struct str text)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct liquid_variable payload = {.name = STR("payload"), .value = m->payload};
    struct jsonlogic_context c = {.variables = &payload, .variables_n = m->payload ? 1 : 0, .now_ms = m->now};
    yyjson_mut_val *result;
    yyjson_val *rule;
    struct error err = {0};
    return json_parse(a, text, &rule, &err) && jsonlogic_apply(rule, &c, a, json_doc(a), &result, &err)
        && yyjson_mut_is_true(result);
}

static const struct topic *topic_of(const struct members *m, struct id id)
{
    for (size_t i = 0; i < m->topics_n; i++)
        if (id_eq(m->topics[i].id, id))
            return &m->topics[i];
    return &m->topics[0];
}

/* {_topicId, topicKey, preferenceEvaluation: {result, subscriptionIdentifier, condition?}} */
static void evaluation_add(struct buf *b, const struct topic *t, const struct topic_subscription *s, bool passes,
                           struct str condition)
{
    char hex[ID_HEX + 1], subscription[ID_HEX + 1];
    id_hex(t->id, hex);
    id_hex(s->id, subscription);
    buf_fmt(b, "%s{\"_topicId\":\"%s\",\"topicKey\":", b->n ? "," : "[", hex);
    json_quote(b, t->key);
    buf_fmt(b, ",\"_topicSubscriptionId\":\"%s\",\"preferenceEvaluation\":{\"result\":%s,\"subscriptionIdentifier\":",
            subscription, passes ? "true" : "false");
    json_quote(b, s->identifier);
    if (condition.n) {
        buf_z(b, ",\"condition\":");
        buf_str(b, condition);
    }
    buf_z(b, "}}");
}

static bool subscription_evaluate(const struct members *m, struct id subscriber, const struct topic_subscription *s,
                                  const struct preference_rows **out, bool *passes, struct str *condition, bool *has_row,
                                  struct error *err)
{
    const struct preference_rows *rows = m->plan->no_preferences;
    *condition = STR_NULL;
    if (!rows) {
        struct preference_rows *stored = ARENA_NEW(m->plan->arena, struct preference_rows);
        if (!preference_for_run(m->worker->db, m->plan->arena, subscriber, m->workflow, s->id, m->context, stored, err))
            return false;
        rows = stored;
    }
    *out = rows;
    *has_row = rows->found & PREFERENCE_SUBSCRIPTION;
    *passes = true;
    if (!*has_row)
        return true;
    if (rows->subscription.condition.n) {
        *condition = rows->subscription.condition;
        *passes = condition_holds(m, *condition);
    } else {
        *passes = rows->subscription.enabled != CHOICE_OFF;
    }
    return true;
}

/* Does the event reach this one? Through several subscriptions they are notified once if one of them passes. */
static bool member_evaluate(const struct members *m, const struct topic_member *x, struct member *out, struct error *err)
{
    struct buf passing = {.arena = m->plan->arena}, refused = {.arena = m->plan->arena};
    struct fanout *f = &m->plan->fanout;
    bool decided = false;
    for (size_t i = 0; i < x->subscriptions_n; i++) {
        const struct topic_subscription *s = &x->subscriptions[i];
        struct str condition;
        const struct preference_rows *preferences;
        bool passes, has_row;
        if (!subscription_evaluate(m, x->subscriber, s, &preferences, &passes, &condition, &has_row, err))
            return false;
        f->subscriptions_evaluated++;
        f->subscriptions_filtered += !passes;
        evaluation_add(passes ? &passing : &refused, topic_of(m, s->topic), s, passes, condition);
        /* Of several, the first that says something about the channels counts in the merge (decisions.md 15). */
        if (passes && (id_is_zero(out->subscription) || (has_row && !decided))) {
            out->subscription = s->id;
            out->preferences = preferences;
            decided = has_row;
        }
    }
    struct buf *told = passing.n ? &passing : &refused;
    buf_char(told, ']');
    out->passes = passing.n > 0;
    out->topics = buf_finish(told);
    return true;
}

/* The event's topics as they were when it was accepted. */
static bool topics_load(struct members *m, const struct recipients *to, struct error *err)
{
    struct plan *p = m->plan;
    m->topics = ARENA_ARRAY(p->arena, struct topic, to->topics_n);
    m->ids = ARENA_ARRAY(p->arena, struct id, to->topics_n);
    for (size_t i = 0; i < to->topics_n; i++) {
        struct error missing = {0};
        struct topic *t = &m->topics[m->topics_n];
        if (!topic_find(m->worker->db, p->arena, p->event.environment, to->topics[i], t, &missing)) {
            if (missing.code != ERROR_NOT_FOUND) {
                *err = missing;
                return false;
            }
        } else if (t->created_at <= p->event.created_at) {
            m->ids[m->topics_n++] = t->id;
        }
    }
    return true;
}

/* Left out of the topics: who is excluded, the actor, and who was addressed singly and has a run already. */
static bool is_left_out(const struct members *m, const struct recipients *to, struct str actor, const struct subscriber *s,
                        bool *out, struct error *err)
{
    *out = recipients_exclude(to, s->subscriber_id) || (actor.n && str_eq(actor, s->subscriber_id));
    return *out || !m->plan->fanout.singles || run_exists(m->worker->db, m->plan->event.id, s->id, out, err);
}

static bool member_load(const struct members *m, const struct recipients *to, struct str actor, const struct topic_member *x,
                        struct member *out, bool *reached, struct error *err)
{
    struct error missing = {0};
    bool left_out;
    *out = (struct member){.passes = false};
    *reached = false;
    if (!subscriber_find_by_id(m->worker->db, m->plan->arena, m->plan->event.environment, x->subscriber, &out->row, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);      /* just deleted */
    if (!is_left_out(m, to, actor, &out->row, &left_out, err))
        return false;
    *reached = !left_out;
    return left_out || member_evaluate(m, x, out, err);
}

bool members_next(struct worker *w, struct plan *p, const struct event_parts *parts, struct id workflow, struct str context, int64_t now,
                  struct member **out, size_t *n, bool *ended, struct error *err)
{
    struct fanout *f = &p->fanout;
    struct members m = {.worker = w, .plan = p, .workflow = workflow, .context = context, .now = now,
                        .payload = parts->payload};
    struct recipients to;
    struct topic_member *list;
    yyjson_val *actor = parts->actor;
    struct str actor_id = str_trim(yyjson_is_str(actor) ? json_str(actor) : json_get_str(actor, "subscriberId"));
    size_t found, reached_n = 0;
    int64_t members;
    recipients_read(p->arena, parts->to, false, &to);
    if (!topics_load(&m, &to, err))
        return false;
    if (f->total < 0) {
        if (!topic_members_count(w->db, m.ids, m.topics_n, context, &members, err))
            return false;
        f->total = f->expanded + members;
    }
    if (!topic_members_next(w->db, p->arena, m.ids, m.topics_n, context, f->reached, CHUNK, &list, &found, err))
        return false;
    *out = ARENA_ARRAY(p->arena, struct member, found);
    for (size_t i = 0; i < found; i++) {
        bool reached;
        if (!member_load(&m, &to, actor_id, &list[i], &(*out)[reached_n], &reached, err))
            return false;
        reached_n += reached;
        f->reached = list[i].subscriber;
    }
    f->expanded += (int64_t)found;
    *n = reached_n;
    *ended = found < CHUNK;
    return true;
}
