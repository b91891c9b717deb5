/* The chat step, and that of tools: one message an integration, one delivery an endpoint (engine.md §4.3, §4.10, §7.3). */
#include "engine/addresses.h"

enum { SECRET_SHOWN = 8 };

static struct str cut(struct machine *m, struct str secret)
{
    return secret.n > SECRET_SHOWN ? str_fmt(m->run->arena, "%.*s...", SECRET_SHOWN, secret.p) : secret;
}

/* What the endpoint is called by: its URL, or its first text (a number, a channel's or user's id); empty: it is missing. */
static struct str number_or_url(yyjson_val *endpoint)
{
    yyjson_val *inner = json_get(endpoint, "endpoint"), *k;
    struct str url = json_get_str(inner, "url");
    if (url.n || json_get(inner, "url"))
        return url;
    yyjson_obj_iter it = yyjson_obj_iter_with(inner);
    while ((k = yyjson_obj_iter_next(&it)))
        if (json_str(yyjson_obj_iter_get_val(k)).n)
            return json_str(yyjson_obj_iter_get_val(k));
    return STR_NULL;
}

static bool is_phone(yyjson_val *endpoint)
{
    return str_eqz(json_get_str(endpoint, "type"), "phone");
}

static void add_text(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *o, yyjson_val *bag)
{
    struct str content = json_get_str(bag, "content").n ? json_get_str(bag, "content") : json_get_str(o, "body");
    json_add_str(d, doc, "content", content.p ? content : STR(""));
    if (yyjson_is_obj(json_get(o, "card")))
        json_add_val(d, doc, "card", json_get(o, "card"));
}

/* The members of an endpoint that anybody may see: ids and numbers whole, URLs and keys cut. */
static void add_inner(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *out, yyjson_val *inner)
{
    static const char *const open[] = {"channel", "channelId", "userId", "teamId", "roomId", "parentId", "personId", "personEmail",
                                       "phoneNumber", "chatId", "region", "method"};
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(inner);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        bool shown = false;
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            shown |= yyjson_equals_str(k, open[i]);
        if (yyjson_is_str(v))
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), json_mut_str(d, shown ? json_str(v) : cut(m, json_str(v))));
    }
}

/* What readers see of the endpoints is not enough to post there. */
static void add_channel_data(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, const struct chat_target *t)
{
    yyjson_mut_val *list = json_add_arr(d, doc, "channelData");
    for (size_t i = 0; i < t->endpoints_n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        bool phone = is_phone(t->endpoints[i]);
        struct str to = number_or_url(t->endpoints[i]);
        json_add_str(d, o, "type", json_get_str(t->endpoints[i], "type"));
        add_inner(m, d, json_add_obj(d, o, "endpoint"), json_get(t->endpoints[i], "endpoint"));
        if (json_get_str(t->endpoints[i], "identifier").n)
            json_add_str(d, o, "identifier", json_get_str(t->endpoints[i], "identifier"));
        if (phone && to.n)
            json_add_str(d, doc, "phone", to);
        else if (i == 0 && json_get_str(json_get(t->endpoints[i], "endpoint"), "url").n)
            json_add_str(d, doc, "chatWebhookUrl", cut(m, to));
    }
}

static struct str message_doc(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, const struct chat_target *t,
                              yyjson_val *missing)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    yyjson_val *bag = overrides_bag(m, (enum channel)s->type, t->integration->provider_id);
    add_text(d, doc, o, bag);
    add_channel_data(m, d, doc, t);
    if (bag)
        json_add_val(d, doc, "customData", bag);        /* providers.md §2: the whole chat override */
    overrides_add_providers(m, d, doc, s, o);
    if (!id_is_zero(t->integration->id))
        json_add_id(d, doc, "integrationId", t->integration->id);
    if (missing) {
        json_add_str(d, doc, "errorId", is_phone(missing) ? STR("no_subscriber_chat_phone_number") : STR("no_subscriber_chat_channel_id"));
        json_add_str(d, doc, "errorText", is_phone(missing) ? STR("Subscriber does not have active phone number")
                                                            : STR("Subscriber does not have active chat channel id"));
    }
    return json_write_mut(m->run->arena, doc);
}

static struct str outbox_doc(struct machine *m, const struct step_definition *s, yyjson_val *o, yyjson_val *bag)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    struct str text = json_get_str(bag, "content").n ? json_get_str(bag, "content") : json_get_str(o, "body");
    (void)s;
    json_add_str(d, doc, "text", text.p ? text : STR(""));
    if (yyjson_is_obj(json_get(o, "card")))
        json_add_val(d, doc, "card", json_get(o, "card"));
    return json_write_mut(m->run->arena, doc);
}

static bool any_active(const struct machine *m, enum channel c)
{
    for (size_t i = 0; i < m->facts->integrations_n; i++)
        if (integration_fits(m, &m->facts->integrations[i], c))
            return true;
    return false;
}

/* Nobody to send to. The outbox asks for no endpoint (decisions.md 5). */
static enum outcome without_targets(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    enum channel c = (enum channel)s->type;
    if (any_active(m, c) && !m->facts->capture) {
        machine_log(m, job, m->run->row.context.n ? DETAIL_NO_CHANNEL_IN_CONTEXT : DETAIL_NO_CHANNEL, DETAIL_WARNING, STR_NULL);
        m->run->jobs[job].skip = SKIP_SOME_CHANNELS;
        return OUTCOME_SKIPPED;
    }
    struct chat_target none = {.integration = machine_select_integration(m, job, c)};
    if (!none.integration)
        return machine_unsent(m, job);
    struct message message = message_store(m, job, s, c, 0, MESSAGE_SENT, message_doc(m, job, s, outputs, &none, NULL));
    return machine_send(m, job, &message, m->facts->subscriber->subscriber_id,
                        outbox_doc(m, s, outputs, overrides_bag(m, c, none.integration->provider_id)), none.integration);
}

static yyjson_val *first_missing(const struct chat_target *t, size_t *missing)
{
    yyjson_val *first = NULL;
    *missing = 0;
    for (size_t i = 0; i < t->endpoints_n; i++)
        if (!number_or_url(t->endpoints[i]).n && !(*missing)++)
            first = t->endpoints[i];
    return first;
}

static int send_target(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs, const struct chat_target *t,
                       int number, int sent)
{
    size_t missing;
    yyjson_val *first = first_missing(t, &missing);
    bool none = missing == t->endpoints_n;
    m->run->jobs[job].provider_id = t->integration->provider_id;
    machine_log(m, job, DETAIL_PROVIDER_SELECTED, DETAIL_PENDING, integration_raw(m, t->integration));
    struct message message = message_store(m, job, s, (enum channel)s->type, number, none ? MESSAGE_WARNING : MESSAGE_SENT,
                                           message_doc(m, job, s, outputs, t, none ? first : NULL));
    struct str shown = outbox_doc(m, s, outputs, overrides_bag(m, (enum channel)s->type, t->integration->provider_id));
    for (size_t i = 0; i < t->endpoints_n; i++) {
        struct str to = number_or_url(t->endpoints[i]), address = json_write(m->run->arena, t->endpoints[i]);
        if (to.n) {
            machine_send_to(m, job, number, &message, t->integration, address, to, shown, sent++);
            continue;
        }
        machine_log_of(m, job, number, is_phone(t->endpoints[i]) ? DETAIL_CHAT_PHONE_MISSING : DETAIL_CHAT_WEBHOOK_MISSING,
                       DETAIL_FAILED, STR_NULL);
        machine_skip_address(m, job, address);
    }
    return sent;
}

enum outcome step_chat(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct chat_target *list = ARENA_ARRAY(m->run->arena, struct chat_target, CHANNELS_MAX);
    size_t n = chat_targets(m, (enum channel)s->type, list, CHANNELS_MAX);
    int sent = 0;
    if (!n)
        return without_targets(m, job, s, outputs);
    for (size_t i = 0; i < n; i++)
        sent = send_target(m, job, s, outputs, &list[i], (int)i, sent);
    return delivery_outcome_of(m, job);
}
