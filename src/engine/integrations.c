/* Which integration a step sends through, and which one takes over (engine.md §7.1, §5.3; decisions.md 2, 5). */
#include "engine/machine_private.h"

#include "content/jsonlogic.h"
#include "engine/filters.h"
#include "engine/render.h"

/* Push and chat have no demo integration: the outbox stands in for it (decisions.md 5). */
const struct integration integration_push_outbox = {.provider_id = {"push-webhook", 12}, .name = {"Outbox", 6},
                                                    .identifier = {"outbox-push", 11}, .channel = CHANNEL_PUSH, .active = true};
const struct integration integration_chat_outbox = {.provider_id = {"chat-webhook", 12}, .name = {"Outbox", 6},
                                                    .identifier = {"outbox-chat", 11}, .channel = CHANNEL_CHAT, .active = true};

bool integration_is_outbox(const struct integration *i)
{
    return integration_is_demo(i) || i == &integration_push_outbox || i == &integration_chat_outbox;
}

const struct integration *integration_by_id(const struct machine_facts *f, struct id id)
{
    for (size_t i = 0; i < f->integrations_n; i++)
        if (id_eq(f->integrations[i].id, id))
            return &f->integrations[i];
    return NULL;
}

struct delivery_policy integration_policy(const struct machine *m, const struct integration *i)
{
    struct delivery_policy outer = m->facts->policy;
    if (!outer.attempts)
        outer.attempts = m->facts->attempts_max;
    outer = delivery_policy_resolve(outer, NULL);
    return i ? delivery_policy_resolve(i->policy, &outer) : outer;
}

int64_t integration_open_until(const struct machine *m, const struct integration *i)
{
    const struct machine_facts *f = m->facts;
    if (!f->circuits || i < f->integrations || i >= f->integrations + f->integrations_n)
        return 0;
    int64_t until = f->circuits[i - f->integrations];
    return until > f->now ? until : 0;
}

/* --- conditions ------------------------------------------------------------------------------------------------ */

/* What conditions see: {subscriber, context, tenant, payload}. */
static yyjson_val *rule_data(const struct machine *m)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *v = NULL;
    json_add_val(d, o, "subscriber", render_subscriber(a, m->facts->subscriber));
    json_add_val(d, o, "context", m->facts->context);
    json_add_val(d, o, "tenant", m->facts->tenant);
    json_add_val(d, o, "payload", m->facts->payload);
    json_parse(a, json_write_mut(a, o), &v, NULL);
    return v;
}

static bool rule_holds(const struct machine *m, yyjson_val *rule)
{
    struct jsonlogic_context c = {.data = rule_data(m), .now_ms = m->facts->now};
    yyjson_mut_val *result;
    return jsonlogic_is_empty(rule)
        || (c.data && jsonlogic_apply(rule, &c, m->run->arena, json_doc(m->run->arena), &result, NULL) && jsonlogic_truthy(result));
}

/* A list of legacy filter groups, any of which suffices. c: with its arena, and answers where webhooks may be asked. */
static enum filters_verdict groups_judge(const struct machine *m, yyjson_val *groups, struct filter_context *c)
{
    static const char *const names[] = {"subscriber", "context", "tenant", "payload"};
    enum { N = sizeof names / sizeof *names };
    struct liquid_variable variables[N];
    yyjson_val *data = rule_data(m);
    c->variables = variables;
    c->variables_n = 0;
    c->now = m->facts->now;
    for (size_t i = 0; i < N; i++)
        if (json_get(data, names[i]))
            variables[c->variables_n++] = (struct liquid_variable){str_of(names[i]), json_get(data, names[i])};
    return filters_judge(c, groups);
}

/* Could a webhook decide about it? It then counts as it was judged when the step asked. */
static bool has_webhook(yyjson_val *groups)
{
    yyjson_val *group, *part;
    size_t i, n, k, max;
    yyjson_arr_foreach(groups, i, n, group)
        yyjson_arr_foreach(json_get(group, "children"), k, max, part)
            if (yyjson_equals_str(json_get(part, "on"), "webhook"))
                return true;
    return false;
}

static yyjson_val *judged(const struct machine *m, const struct integration *i)
{
    yyjson_val *all = NULL;
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    json_parse(m->run->arena, m->run->judged, &all, NULL);
    return json_get(all, hex);
}

/* Legacy filter groups, or one JSON-logic rule. What cannot be evaluated does not hold. */
static bool conditions_hold(const struct machine *m, const struct integration *i)
{
    struct filter_context c = {.arena = m->run->arena};
    yyjson_val *v;
    if (!i->conditions.n)
        return true;
    if (!json_parse(m->run->arena, i->conditions, &v, NULL))
        return false;
    if (yyjson_is_obj(v))
        return rule_holds(m, v);
    return has_webhook(v) ? yyjson_is_true(judged(m, i)) : groups_judge(m, v, &c) == FILTERS_PASS;
}

bool integration_fits(const struct machine *m, const struct integration *i, enum channel c)
{
    return i->channel == c && i->active && !i->for_agents && (m->facts->outbox || !integration_is_demo(i)) && conditions_hold(m, i);
}

static struct str override_identifier(const struct machine *m, enum channel c)
{
    return json_get_str(json_getn(m->facts->overrides, channel_name(c)), "integrationIdentifier");
}

static void judge(struct machine *m, const struct integration *i, bool holds)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *old = NULL;
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    json_parse(a, m->run->judged, &old, NULL);
    yyjson_mut_val *all = old ? yyjson_val_mut_copy(d, old) : yyjson_mut_obj(d);
    yyjson_mut_obj_put(all, json_mut_str(d, str_dup(a, str_of(hex))), yyjson_mut_bool(d, holds));
    m->run->judged = json_write_mut(a, all);
}

bool integrations_ask(struct machine *m, int job, const struct step_definition *s)
{
    const struct machine_facts *f = m->facts;
    struct str only = step_is_channel(s->type) ? override_identifier(m, (enum channel)s->type) : STR_NULL;
    for (size_t k = 0; step_is_channel(s->type) && k < f->integrations_n; k++) {
        const struct integration *i = &f->integrations[k];
        yyjson_val *groups;
        char hex[ID_HEX + 1];
        if (i->channel != (enum channel)s->type || !i->active || i->for_agents || i->conditions.n < 3 || (only.n && !str_eq(only, i->identifier))
            || !json_parse(m->run->arena, i->conditions, &groups, NULL) || !has_webhook(groups))
            continue;
        id_hex(i->id, hex);
        struct filter_context c = {.arena = m->run->arena, .answers = filter_answers(m, job), .prefix = str_fmt(m->run->arena, "%s.", hex)};
        enum filters_verdict v = groups_judge(m, groups, &c);
        if (v == FILTERS_ASK) {
            filter_ask(m, job, c.asks, c.asks_key, c.answers, i);
            return true;
        }
        judge(m, i, v == FILTERS_PASS);
    }
    return false;
}

/* --- selection -------------------------------------------------------------------------------------------------- */

/* Higher priority first, then the newer one (engine.md §7.1 step 4). */
static bool goes_before(const struct integration *a, const struct integration *b)
{
    if (!b || a->priority != b->priority)
        return !b || a->priority > b->priority;
    return a->created_at > b->created_at;
}

/* Conditions that hold win over the primary (engine.md §7.1 step 4). */
static const struct integration *conditional(const struct machine *m, enum channel c)
{
    const struct machine_facts *f = m->facts;
    const struct integration *best = NULL;
    for (size_t i = 0; i < f->integrations_n; i++) {
        const struct integration *x = &f->integrations[i];
        if (x->conditions.n > 2 && goes_before(x, best) && integration_fits(m, x, c))
            best = x;
    }
    return best;
}

static const struct integration *select_of(const struct machine *m, enum channel c)
{
    const struct machine_facts *f = m->facts;
    struct str identifier = override_identifier(m, c);
    const struct integration *i = identifier.n ? NULL : conditional(m, c);
    if (!i)
        i = integration_select(f->integrations, f->integrations_n, c, identifier);
    if (i && !integration_fits(m, i, c))
        i = NULL;
    if (!i && !identifier.n && f->outbox && (c == CHANNEL_PUSH || c == CHANNEL_CHAT))
        i = c == CHANNEL_PUSH ? &integration_push_outbox : &integration_chat_outbox;
    return i;
}

struct str integration_raw(const struct machine *m, const struct integration *i)
{
    struct buf raw = {.arena = m->run->arena};
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    buf_z(&raw, "{\"providerId\":");
    json_quote(&raw, i->provider_id);
    buf_z(&raw, ",\"identifier\":");
    json_quote(&raw, i->identifier);
    buf_z(&raw, ",\"name\":");
    json_quote(&raw, i->name);
    buf_fmt(&raw, ",\"_id\":\"%s\"}", hex);
    return buf_finish(&raw);
}

/* The one that would send if its conditions held; NULL: none would. */
static const struct integration *withheld(const struct machine *m, enum channel c)
{
    const struct machine_facts *f = m->facts;
    struct str identifier = override_identifier(m, c);
    for (size_t k = 0; k < f->integrations_n; k++) {
        const struct integration *i = &f->integrations[k];
        if (i->channel == c && i->active && !i->for_agents && i->conditions.n > 2 && (!identifier.n || str_eq(i->identifier, identifier)))
            return i;
    }
    return NULL;
}

enum outcome machine_unsent(const struct machine *m, int job)
{
    return m->run->jobs[job].skip ? OUTCOME_SKIPPED : OUTCOME_FAILED;
}

const struct integration *machine_select_integration(struct machine *m, int job, enum channel c)
{
    const struct integration *i = select_of(m, c), *kept = i ? NULL : withheld(m, c);
    if (kept) {
        machine_log(m, job, DETAIL_INTEGRATION_WITHHELD, DETAIL_WARNING, integration_raw(m, kept));
        m->run->jobs[job].skip = SKIP_CONDITION;
        return NULL;
    }
    if (!i) {
        machine_fail(m, job, DETAIL_NO_INTEGRATION, STR_NULL, STR_NULL);
        return NULL;
    }
    m->run->jobs[job].provider_id = i->provider_id;
    if (c != CHANNEL_IN_APP)            /* engine.md §12.A: not logged for the Inbox */
        machine_log(m, job, DETAIL_PROVIDER_SELECTED, DETAIL_PENDING, integration_raw(m, i));
    return i;
}

static bool was_tried(const struct run_target *t, const struct integration *i)
{
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    return id_eq(t->integration, i->id) || str_find(t->tried, str_of(hex)) >= 0;
}

const struct integration *integration_next(const struct machine *m, const struct run_target *t, const struct integration *from)
{
    const struct machine_facts *f = m->facts;
    enum channel c = (enum channel)m->run->jobs[t->job].type;
    const struct integration *best = NULL;
    /* A device or an endpoint belongs to its provider: another one cannot reach it. */
    if (integration_policy(m, from).failover < 0 || override_identifier(m, c).n || t->address.n)
        return NULL;
    for (size_t i = 0; i < f->integrations_n; i++) {
        const struct integration *x = &f->integrations[i];
        if (!integration_is_demo(x) && goes_before(x, best) && !was_tried(t, x) && !integration_open_until(m, x)
            && integration_fits(m, x, c))
            best = x;
    }
    return best;
}
