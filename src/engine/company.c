/* Who and what takes part in an event besides its recipients: actor, tenant, contexts (engine.md §1.5, §1.6,
 * decisions.md 12, 18). */
#include "engine/plan_private.h"
#include "model/subscriber_channels.h"

enum { COMPLAINTS = 8 };

/* A trigger's channels join the stored ones, device tokens too (engine.md §1.7; upstream's create-or-update-subscriber). What
 * has no integration yet is kept under its provider's name; what is no channel, or would be too many tokens, is left out. */
static bool channels_join(struct worker *w, struct arena *a, struct id environment, struct str stored, struct str given, struct str *out,
                          struct error *err)
{
    struct environment_view *e = directory_environment(w->engine->c.directory, w->db, environment, err);
    yyjson_val *list = NULL, *v;
    size_t i, n, tokens;
    if (!e)
        return false;
    *out = stored;
    json_parse(a, given, &list, NULL);
    yyjson_arr_foreach(list, i, n, v) {
        struct str complaints[COMPLAINTS];
        struct channel_setting s;
        if (channel_setting_read(a, v, "", &s, complaints, COMPLAINTS))
            continue;
        const struct integration *x = environment_provider(e, s.provider_id, s.integration_identifier);
        if (x) {
            s.integration = x->id;
            s.integration_identifier = str_dup(a, x->identifier);
        }
        struct str joined = channels_put(a, *out, &s, true, &tokens);
        if (tokens <= DEVICE_TOKENS_MAX)
            *out = joined;
    }
    cached_unref(&e->head);
    return true;
}

/* As they are remembered, or as the store has them. A plan that the store refused looks there. */
static bool person_find(struct worker *w, const struct plan *p, struct id environment, struct str subscriber_id, struct person *out,
                        struct error *err)
{
    struct people *people = w->engine->people;
    *out = (struct person){.no_preferences = false};
    if (!people)
        return subscriber_find(w->db, p->arena, environment, subscriber_id, &out->row, err);
    return (!p->work->replans && people_find(people, p->arena, environment, subscriber_id, out))
        || people_load(people, w->db, worker_view(w), p->arena, environment, subscriber_id, out, err);
}

bool person_load(struct worker *w, struct plan *p, const struct subscriber_patch *patch, struct id environment, int64_t now,
                 struct planned_person *out, struct error *err)
{
    struct error missing = {0};
    struct person found;
    bool known = true;
    *out = (struct planned_person){.patch = *patch};
    if (p->actor && p->actor->upsert && str_eq(p->actor->row.subscriber_id, patch->subscriber_id)) {
        out->row = p->actor->row;           /* the actor is written first, in the same commit */
    } else if (person_find(w, p, environment, patch->subscriber_id, &found, &missing)) {
        out->row = found.row;
        out->no_preferences = found.no_preferences;
        out->stamp = found.stamp;
    } else {
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        known = false;
        out->row = (struct subscriber){.id = id_new(w->engine->c.ids, now), .environment = environment,
                                       .subscriber_id = patch->subscriber_id, .is_online = -1, .created_at = now};
    }
    out->channels_before = out->row.field[SUBSCRIBER_CHANNELS];
    if (patch->present & 1u << SUBSCRIBER_CHANNELS
        && !channels_join(w, p->arena, environment, out->row.field[SUBSCRIBER_CHANNELS], patch->field[SUBSCRIBER_CHANNELS],
                          &out->patch.field[SUBSCRIBER_CHANNELS], err))
        return false;
    out->made = !known;
    out->upsert = !known || subscriber_patch_changes(&out->patch, &out->row);
    if (out->upsert) {
        subscriber_patch_apply(&out->patch, &out->row);
        out->row.updated_at = now;
    }
    return true;
}

static bool actor_plan(struct worker *w, struct plan *p, yyjson_val *actor, int64_t now, struct error *err)
{
    struct recipient r;
    struct planned_person *person = ARENA_NEW(p->arena, struct planned_person);
    if (!recipient_read(p->arena, actor, false, &r))
        return true;
    if (!person_load(w, p, &r.patch, p->event.environment, now, person, err))
        return false;
    p->actor = person;
    return true;
}

/* As an object a tenant is created, or updated with what is given; as a string it was looked up before. */
static bool tenant_plan(struct worker *w, struct plan *p, yyjson_val *tenant, int64_t now, struct error *err)
{
    struct tenant stored, *t = ARENA_NEW(p->arena, struct tenant);
    struct error missing = {0};
    yyjson_val *data = json_get(tenant, "data");
    if (!yyjson_is_obj(tenant))
        return true;
    *t = (struct tenant){.id = id_new(w->engine->c.ids, now), .environment = p->event.environment,
                         .identifier = json_get_str(tenant, "identifier"), .name = json_get_str(tenant, "name"),
                         .created_at = now, .updated_at = now};
    if (yyjson_is_obj(data))
        t->data = json_write(p->arena, data);
    bool known = tenant_find(w->db, p->arena, t->environment, t->identifier, &stored, &missing);
    if (!known && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (!known || (t->name.p && !str_eq(t->name, stored.name)) || (t->data.p && !str_eq(t->data, stored.data)))
        p->tenant = t;
    return true;
}

bool company_plan(struct worker *w, struct plan *p, const struct trigger *t, int64_t now, struct error *err)
{
    struct str messages[1];
    if (t->context)
        context_read(p->arena, t->context, p->contexts, &p->contexts_n, messages, 1);
    return (!t->actor || actor_plan(w, p, t->actor, now, err)) && (!t->tenant || tenant_plan(w, p, t->tenant, now, err));
}

/* Values are made once and then read: as text and back. */
static bool frozen(struct arena *a, yyjson_mut_val *v, yyjson_val **out, struct error *err)
{
    return json_parse(a, json_write_mut(a, v), out, err);
}

static bool actor_facts(struct worker *w, struct plan *p, struct id environment, struct id organization, yyjson_val *actor,
                        yyjson_val **out, struct error *err)
{
    struct recipient r;
    struct subscriber stored;
    struct error missing = {0};
    if (p->actor)
        stored = p->actor->row;
    else if (!recipient_read(p->arena, actor, false, &r)
             || !subscriber_find(w->db, p->arena, environment, r.patch.subscriber_id, &stored, &missing))
        return missing.code == ERROR_NONE || missing.code == ERROR_NOT_FOUND || (*err = missing, false);   /* deleted: as given */
    return frozen(p->arena, subscriber_json(json_doc(p->arena), &stored, organization), out, err);
}

/* What the workflow does differently for this tenant (engine.md §6.3). */
static bool override_facts(struct worker *w, struct plan *p, struct id workflow, const struct tenant *t, yyjson_val **out,
                           struct error *err)
{
    struct workflow_override o;
    struct error missing = {0};
    if (!workflow_override_find(w->db, p->arena, workflow, t->id, &o, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    return json_parse(p->arena, o.preferences, out, err);
}

static bool tenant_facts(struct worker *w, struct plan *p, const struct event *event, yyjson_val *tenant, struct machine_facts *f,
                         struct error *err)
{
    struct tenant stored = {.identifier = yyjson_is_str(tenant) ? json_str(tenant) : json_get_str(tenant, "identifier")};
    struct error missing = {0};
    bool known = tenant_find(w->db, p->arena, event->environment, stored.identifier, &stored, &missing);
    if (!known && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (known && !override_facts(w, p, event->workflow, &stored, &f->tenant_preferences, err))
        return false;
    f->tenant_missing = !known && !p->tenant;
    if (p->tenant && p->tenant->name.p)
        stored.name = p->tenant->name;
    if (p->tenant && p->tenant->data.p)
        stored.data = p->tenant->data;
    return frozen(p->arena, tenant_variable(json_doc(p->arena), &stored), &f->tenant, err);
}

bool company_facts(struct worker *w, struct plan *p, const struct event *event, const struct event_parts *parts, struct id organization,
                   struct machine_facts *f, struct error *err)
{
    yyjson_val *actor = parts->actor, *tenant = parts->tenant;
    f->actor = actor;
    f->tenant = tenant;
    return (!actor || actor_facts(w, p, event->environment, organization, actor, &f->actor, err))
        && (!tenant || tenant_facts(w, p, event, tenant, f, err));
}
