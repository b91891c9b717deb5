/* The push step: one message a provider that the person has devices at, one delivery a device (engine.md §4.3, §7.3). */
#include "engine/addresses.h"
#include "engine/render.h"

static struct str text_or_empty(yyjson_val *o, const char *key)
{
    struct str s = json_get_str(o, key);
    return s.p ? s : STR("");
}

static struct str message_doc(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, const struct push_channel *p)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    json_add_str(d, doc, "title", text_or_empty(o, "subject"));
    json_add_str(d, doc, "content", text_or_empty(o, "body"));
    yyjson_mut_val *tokens = json_add_arr(d, doc, "deviceTokens");
    for (size_t i = 0; i < p->tokens_n; i++)
        yyjson_mut_arr_append(tokens, json_mut_str(d, p->tokens[i]));
    yyjson_val *bag = overrides_bag(m, CHANNEL_PUSH, p->integration->provider_id);
    if (bag)
        json_add_val(d, doc, "overrides", bag);
    overrides_add_providers(m, d, doc, s, o);
    json_add_val(d, doc, "step", render_step(m, job));
    if (!id_is_zero(p->integration->id))
        json_add_id(d, doc, "integrationId", p->integration->id);
    return json_write_mut(m->run->arena, doc);
}

static struct str outbox_doc(struct machine *m, yyjson_val *o)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    json_add_str(d, doc, "title", text_or_empty(o, "subject"));
    json_add_str(d, doc, "text", text_or_empty(o, "body"));
    return json_write_mut(m->run->arena, doc);
}

static struct str address_of(struct machine *m, struct str token)
{
    struct buf b = {.arena = m->run->arena};
    buf_z(&b, "{\"deviceToken\":");
    json_quote(&b, token);
    buf_char(&b, '}');
    return buf_finish(&b);
}

/* To the outbox, which asks for no device (decisions.md 5). */
static enum outcome without_devices(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct push_channel none = {.integration = machine_select_integration(m, job, CHANNEL_PUSH)};
    if (!none.integration)
        return machine_unsent(m, job);
    struct message message = message_store(m, job, s, CHANNEL_PUSH, 0, MESSAGE_SENT, message_doc(m, job, s, outputs, &none));
    return machine_send(m, job, &message, m->facts->subscriber->subscriber_id, outbox_doc(m, outputs), none.integration);
}

static bool any_active(const struct machine *m)
{
    for (size_t i = 0; i < m->facts->integrations_n; i++)
        if (integration_fits(m, &m->facts->integrations[i], CHANNEL_PUSH))
            return true;
    return false;
}

/* Returns how many devices were addressed before and now. */
static int send_channel(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs,
                        const struct push_channel *p, int number, int devices)
{
    m->run->jobs[job].provider_id = p->integration->provider_id;
    machine_log(m, job, DETAIL_PROVIDER_SELECTED, DETAIL_PENDING, integration_raw(m, p->integration));
    struct message message = message_store(m, job, s, CHANNEL_PUSH, number, MESSAGE_SENT, message_doc(m, job, s, outputs, p));
    for (size_t i = 0; i < p->tokens_n; i++)
        machine_send_to(m, job, number, &message, p->integration, address_of(m, p->tokens[i]), p->tokens[i], outbox_doc(m, outputs),
                        devices++);
    return devices;
}

enum outcome step_push(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct push_channel *list = ARENA_ARRAY(m->run->arena, struct push_channel, CHANNELS_MAX);
    bool active = any_active(m);
    size_t n = active ? push_channels(m, s, list, CHANNELS_MAX) : 0;
    int number = 0, devices = 0;
    if (!n && active && !m->facts->capture) {
        machine_log(m, job, DETAIL_NO_CHANNEL, DETAIL_WARNING, STR_NULL);     /* send-message-push.usecase.ts */
        m->run->jobs[job].skip = SKIP_NO_PUSH_TOKEN;
        return OUTCOME_SKIPPED;
    }
    if (!n)
        return without_devices(m, job, s, outputs);
    for (size_t i = 0; i < n; i++) {
        if (list[i].tokens_n) {
            devices = send_channel(m, job, s, outputs, &list[i], number++, devices);
            continue;
        }
        machine_log(m, job, DETAIL_PUSH_TOKENS_MISSING, DETAIL_FAILED, STR_NULL);
        machine_skip_address(m, job, STR("{\"deviceToken\":\"\"}"));
    }
    return delivery_outcome_of(m, job);
}
