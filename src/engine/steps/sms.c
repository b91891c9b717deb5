/* The SMS step: one message to one phone (engine.md §4.3, §7.3). */
#include "engine/machine_private.h"

static struct str first_of(struct str a, struct str b)
{
    return a.n ? a : b;
}

/* The override's, the payload's, the subscriber's. */
static struct str phone_of(const struct machine *m, yyjson_val *bag)
{
    struct str phone = first_of(json_get_str(m->facts->payload, "phone"), m->facts->subscriber->field[SUBSCRIBER_PHONE]);
    return first_of(json_get_str(bag, "to"), phone);
}

/* What an override changes of the stored message. */
static void add_bag(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *bag)
{
    if (json_get_str(bag, "content").n)
        json_add_str(d, doc, "content", json_get_str(bag, "content"));
    if (json_get_str(bag, "from").n)
        json_add_str(d, doc, "from", json_get_str(bag, "from"));
    if (yyjson_is_obj(json_get(bag, "customData")))
        json_add_val(d, doc, "customData", json_get(bag, "customData"));
}

static struct str message_doc(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, struct str phone,
                              yyjson_val *bag, const struct integration *i)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    if (!json_get_str(bag, "content").n)
        json_add_str(d, doc, "content", json_get_str(o, "body").p ? json_get_str(o, "body") : STR(""));
    json_add_str(d, doc, "phone", phone.p ? phone : STR(""));
    add_bag(d, doc, bag);
    overrides_add_providers(m, d, doc, s, o);
    if (!id_is_zero(i->id))
        json_add_id(d, doc, "integrationId", i->id);
    if (!phone.n) {
        json_add_str(d, doc, "errorId", STR("no_subscriber_phone"));
        json_add_str(d, doc, "errorText", STR("Subscriber does not have active phone"));
    }
    return json_write_mut(m->run->arena, doc);
}

static struct str outbox_doc(struct machine *m, yyjson_val *o, yyjson_val *bag)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    struct str text = first_of(json_get_str(bag, "content"), json_get_str(o, "body"));
    if (json_get_str(bag, "from").n)
        json_add_str(d, doc, "from", json_get_str(bag, "from"));
    json_add_str(d, doc, "text", text.p ? text : STR(""));
    return json_write_mut(m->run->arena, doc);
}

enum outcome step_sms(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    const struct integration *i = machine_select_integration(m, job, CHANNEL_SMS);
    if (!i)
        return machine_unsent(m, job);
    yyjson_val *bag = overrides_bag(m, CHANNEL_SMS, i->provider_id);
    struct str phone = phone_of(m, bag), doc = message_doc(m, job, s, outputs, phone, bag, i);
    struct message message = message_store(m, job, s, CHANNEL_SMS, 0, phone.n ? MESSAGE_SENT : MESSAGE_WARNING, doc);
    if (phone.n)
        return machine_send(m, job, &message, phone, outbox_doc(m, outputs, bag), i);
    machine_log_message(m, job, DETAIL_NO_PHONE, DETAIL_FAILED, STR_NULL);
    m->run->jobs[job].skip = SKIP_NO_PHONE;
    return OUTCOME_SKIPPED;
}
