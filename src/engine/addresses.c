/* The subscriber's channels, as push and chat targets. */
#include "engine/addresses.h"

/* The integration that a channel of the subscriber names: by identifier or id, else the newest active one of the provider. */
static const struct integration *integration_for(const struct machine *m, enum channel c, yyjson_val *channel)
{
    struct str identifier = json_get_str(channel, "integrationIdentifier"), provider = json_get_str(channel, "providerId");
    const struct machine_facts *f = m->facts;
    const struct integration *best = NULL;
    struct id id;
    bool has_id = id_parse(json_get_str(channel, "_integrationId"), &id) && !id_is_zero(id);
    for (size_t i = 0; i < f->integrations_n; i++) {
        const struct integration *x = &f->integrations[i];
        if (!str_eq(x->provider_id, provider) || !integration_fits(m, x, c))
            continue;
        if (identifier.n ? str_eq(x->identifier, identifier) : !has_id || id_eq(x->id, id))
            best = !best || x->created_at >= best->created_at ? x : best;
    }
    return best;
}

static yyjson_val *channels_of(const struct machine *m)
{
    yyjson_val *v = NULL;
    struct str text = m->facts->subscriber->field[SUBSCRIBER_CHANNELS];
    return text.n && json_parse(m->run->arena, text, &v, NULL) ? v : NULL;
}

/* --- push ---------------------------------------------------------------------------------------------------------- */

static void add_token(struct push_channel *p, struct str token)
{
    for (size_t i = 0; i < p->tokens_n; i++)
        if (str_eq(p->tokens[i], token))
            return;
    if (token.n && p->tokens_n < TOKENS_MAX)
        p->tokens[p->tokens_n++] = token;
}

static void add_tokens(struct push_channel *p, yyjson_val *list)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        add_token(p, json_str(v));
}

/* Firebase sends to one token, a topic or a condition, if its own override says so: one call, for which that stands as the address
 * (fcm-routing-overrides.ts). Empty: it says none. Elsewhere, as with APNs, a topic is something else. */
static struct str routed_to(const struct push_channel *p, yyjson_val *own)
{
    static const char *const ways[] = {"token", "topic", "condition"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways && str_eqz(p->integration->provider_id, "fcm"); i++)
        if (json_get_str(own, ways[i]).n)
            return json_get_str(own, ways[i]);
    return STR_NULL;
}

static bool any_token(yyjson_val *list)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        if (json_str(v).n)
            return true;
    return false;
}

/* deviceTokens of an override replace those of the person; what is no text among them counts for nothing. */
static void push_override(const struct machine *m, const struct step_definition *s, struct push_channel *p)
{
    yyjson_val *bag = overrides_bag(m, CHANNEL_PUSH, p->integration->provider_id);
    yyjson_val *own = overrides_provider(m, s, p->integration->provider_id);
    struct str routed = routed_to(p, own);
    yyjson_val *tokens = json_get(bag, "deviceTokens");
    if (!any_token(tokens))
        tokens = any_token(json_get(own, "tokens")) ? json_get(own, "tokens") : json_get(own, "deviceTokens");
    if (!routed.n && !any_token(tokens))
        return;
    p->tokens_n = 0;
    if (routed.n)
        add_token(p, routed);
    else
        add_tokens(p, tokens);
}

static struct push_channel *push_channel_of(struct push_channel *list, size_t *n, size_t max, const struct integration *i)
{
    for (size_t k = 0; k < *n; k++)
        if (list[k].integration == i)
            return &list[k];
    if (*n == max)
        return NULL;
    list[*n] = (struct push_channel){.integration = i};
    return &list[(*n)++];
}

size_t push_channels(const struct machine *m, const struct step_definition *s, struct push_channel *out, size_t max)
{
    const struct machine_facts *f = m->facts;
    size_t n = 0;
    yyjson_val *channels = channels_of(m), *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(channels);
    while ((v = yyjson_arr_iter_next(&it))) {
        const struct integration *i = integration_for(m, CHANNEL_PUSH, v);
        struct push_channel *p = i ? push_channel_of(out, &n, max, i) : NULL;
        if (p)
            add_tokens(p, json_get(json_get(v, "credentials"), "deviceTokens"));
    }
    /* The trigger may bring its own addresses, also to somebody who has no push channel. */
    for (size_t i = 0; i < f->integrations_n; i++) {
        struct push_channel probe = {.integration = &f->integrations[i]}, *p;
        if (!integration_fits(m, probe.integration, CHANNEL_PUSH))
            continue;
        push_override(m, s, &probe);
        if (probe.tokens_n && (p = push_channel_of(out, &n, max, probe.integration)))
            *p = probe;
    }
    return n;
}

/* --- chat ---------------------------------------------------------------------------------------------------------- */

static bool reaches_phones(struct str provider_id)
{
    return str_eqz(provider_id, "whatsapp-business") || str_eqz(provider_id, "sendblue");
}

static yyjson_val *endpoint_new(const struct machine *m, const char *type, const char *key, struct str value, struct str channel)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *v = NULL;
    json_add_str(d, o, "type", str_of(type));
    yyjson_mut_val *endpoint = json_add_obj(d, o, "endpoint");
    json_add_str(d, endpoint, key, value.n ? value : STR(""));
    if (channel.n)
        json_add_str(d, endpoint, "channel", channel);
    json_parse(m->run->arena, json_write_mut(m->run->arena, o), &v, NULL);
    return v;
}

static void add_endpoint(struct chat_target *list, size_t *n, size_t max, const struct integration *i, yyjson_val *endpoint)
{
    struct chat_target *t = NULL;
    for (size_t k = 0; k < *n; k++)
        if (list[k].integration == i)
            t = &list[k];
    if (!t && *n < max) {
        t = &list[(*n)++];
        *t = (struct chat_target){.integration = i};
    }
    if (t && t->endpoints_n < TOKENS_MAX)
        t->endpoints[t->endpoints_n++] = endpoint;
}

/* The endpoint as the trigger's override of its identifier has it, if that is valid for its kind (engine.md §1.9). */
static yyjson_val *endpoint_overridden(const struct machine *m, enum channel c, const struct integration *i,
                                       const struct channel_endpoint *e, yyjson_val *stored)
{
    yyjson_val *given = json_get(json_getn(overrides_bag(m, c, i->provider_id), e->link.identifier), "endpoint");
    return yyjson_is_obj(given) && !channel_endpoint_flaw(m->run->arena, e->type, given) ? given : stored;
}

static void add_stored_endpoint(const struct machine *m, enum channel c, const struct channel_endpoint *e, struct chat_target *out,
                                size_t *n, size_t max)
{
    const struct machine_facts *f = m->facts;
    const struct integration *i = NULL;
    yyjson_val *stored, *v = NULL;
    for (size_t k = 0; k < f->integrations_n; k++)
        if (str_eq(f->integrations[k].identifier, e->link.integration_identifier) && integration_fits(m, &f->integrations[k], c))
            i = &f->integrations[k];
    if (!i || !json_parse(m->run->arena, e->endpoint, &stored, NULL))
        return;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "type", e->type);
    json_add_val(d, o, "endpoint", endpoint_overridden(m, c, i, e, stored));
    json_add_str(d, o, "identifier", e->link.identifier);
    if (e->connection_identifier.n)
        json_add_str(d, o, "connectionIdentifier", e->connection_identifier);
    if (json_parse(m->run->arena, json_write_mut(m->run->arena, o), &v, NULL))
        add_endpoint(out, n, max, i, v);
}

size_t chat_targets(const struct machine *m, enum channel c, struct chat_target *out, size_t max)
{
    const struct machine_facts *f = m->facts;
    size_t n = 0, served = 0;
    yyjson_val *v;
    for (size_t i = 0; i < f->endpoints_n; i++)
        add_stored_endpoint(m, c, &f->endpoints[i], out, &n, max);
    yyjson_arr_iter it = yyjson_arr_iter_with(channels_of(m));
    while ((v = yyjson_arr_iter_next(&it))) {
        const struct integration *i = integration_for(m, c, v);
        yyjson_val *credentials = json_get(v, "credentials");
        if (!i)
            continue;
        struct str url = json_get_str(overrides_bag(m, c, i->provider_id), "webhookUrl");
        if (!url.n)
            url = json_get_str(credentials, "webhookUrl");
        add_endpoint(out, &n, max, i, reaches_phones(i->provider_id)
                         ? endpoint_new(m, "phone", "phoneNumber", f->subscriber->field[SUBSCRIBER_PHONE], STR_NULL)
                         : endpoint_new(m, "webhook", "url", url, json_get_str(credentials, "channel")));
    }
    /* engine.md §7.1: providers that reach phones need no channel of the person. */
    for (size_t i = 0; i < f->integrations_n; i++) {
        const struct integration *x = &f->integrations[i];
        if (!reaches_phones(x->provider_id) || !integration_fits(m, x, c))
            continue;
        for (served = 0; served < n && !str_eq(out[served].integration->provider_id, x->provider_id);)
            served++;
        if (served == n)
            add_endpoint(out, &n, max, x, endpoint_new(m, "phone", "phoneNumber", f->subscriber->field[SUBSCRIBER_PHONE], STR_NULL));
    }
    return n;
}
