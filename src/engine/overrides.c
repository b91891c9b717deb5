/* What a trigger says about the way a step is sent (engine.md §1.9). */
#include "engine/machine_private.h"

/* Objects are merged member by member, everything else is replaced. */
static void merge_into(yyjson_mut_doc *d, yyjson_mut_val *into, yyjson_val *from)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(from);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        yyjson_mut_val *old = yyjson_mut_obj_getn(into, yyjson_get_str(k), yyjson_get_len(k));
        if (yyjson_is_obj(v) && yyjson_mut_is_obj(old)) {
            merge_into(d, old, v);
            continue;
        }
        yyjson_mut_obj_remove_keyn(into, yyjson_get_str(k), yyjson_get_len(k));
        yyjson_mut_obj_add(into, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, v));
    }
}

static yyjson_val *step_overrides(const struct machine *m, const struct step_definition *s)
{
    yyjson_val *steps = json_get(m->facts->overrides, "steps");
    char hex[ID_HEX + 1];
    id_hex(s->id, hex);
    return json_getn(steps, s->step_id) ? json_getn(steps, s->step_id) : json_get(steps, hex);
}

void overrides_add_providers(const struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, const struct step_definition *s,
                             yyjson_val *outputs)
{
    yyjson_val *levels[] = {json_get(outputs, "providerOverrides"), json_get(outputs, "providers"),
                            json_get(m->facts->overrides, "providers"), json_get(step_overrides(m, s), "providers")};
    yyjson_mut_val *all = yyjson_mut_obj(d);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        merge_into(d, all, levels[i]);
    if (yyjson_mut_obj_size(all))
        yyjson_mut_obj_add_val(d, doc, "providers", all);
}

yyjson_val *overrides_provider(const struct machine *m, const struct step_definition *s, struct str provider_id)
{
    yyjson_val *v = json_getn(json_get(step_overrides(m, s), "providers"), provider_id);
    return v ? v : json_getn(json_get(m->facts->overrides, "providers"), provider_id);
}

yyjson_val *overrides_bag(const struct machine *m, enum channel c, struct str provider_id)
{
    struct arena *a = m->run->arena;
    yyjson_val *common = json_getn(m->facts->overrides, channel_name(c)), *own = json_getn(m->facts->overrides, provider_id), *bag = NULL;
    if (!yyjson_is_obj(own))
        return yyjson_is_obj(common) ? common : NULL;
    if (!yyjson_is_obj(common))
        return own;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_val_mut_copy(d, common);
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(own);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(k), yyjson_get_len(k));
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(k)));
    }
    json_parse(a, json_write_mut(a, o), &bag, NULL);
    return bag;
}

/* The member of a bag that stands in for the content; NULL: any does. */
static const char *const content_members[CHANNELS] = {[CHANNEL_EMAIL] = "subject", [CHANNEL_SMS] = "content", [CHANNEL_CHAT] = "content",
                                                      [CHANNEL_TOOL] = "content", [CHANNEL_IN_APP] = "content"};

static bool bag_says(enum channel c, yyjson_val *bag)
{
    const char *member = content_members[c];
    return member ? json_get_str(bag, member).n > 0 : yyjson_obj_size(bag) > 0;
}

bool overrides_say(const struct machine *m, const struct step_definition *s, yyjson_val *outputs)
{
    const struct machine_facts *f = m->facts;
    enum channel c = (enum channel)s->type;
    if (yyjson_obj_size(json_get(outputs, "providerOverrides")) || yyjson_obj_size(json_get(outputs, "providers"))
        || yyjson_obj_size(json_get(f->overrides, "providers")) || yyjson_obj_size(json_get(step_overrides(m, s), "providers"))
        || bag_says(c, json_getn(f->overrides, channel_name(c))))
        return true;
    for (size_t i = 0; f->overrides && i < f->integrations_n; i++)
        if (f->integrations[i].channel == c && bag_says(c, json_getn(f->overrides, f->integrations[i].provider_id)))
            return true;
    return false;
}
