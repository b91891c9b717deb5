/* SMS, push and chat where no provider is connected: they go to the outbox, with their own addresses
 * (engine.md §4.3, §7.3; decisions.md 5). */
#include "engine/machine_private.h"

static struct str phone_of(const struct machine *m)
{
    struct str to = json_get_str(json_get(m->facts->overrides, "sms"), "to");
    if (!to.n)
        to = json_get_str(m->facts->payload, "phone");
    return to.n ? to : m->facts->subscriber->field[SUBSCRIBER_PHONE];
}

static struct str doc_of(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, struct str phone,
                         bool missing_phone)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    json_add_str(d, doc, "content", json_get_str(o, "body").p ? json_get_str(o, "body") : STR(""));
    if (s->type == STEP_PUSH)
        json_add_str(d, doc, "title", json_get_str(o, "subject").p ? json_get_str(o, "subject") : STR(""));
    if (s->type == STEP_SMS)
        json_add_str(d, doc, "phone", phone.p ? phone : STR(""));
    if (missing_phone) {
        json_add_str(d, doc, "errorId", STR("no_subscriber_phone"));
        json_add_str(d, doc, "errorText", STR("Subscriber does not have active phone"));
    }
    return json_write_mut(m->run->arena, doc);
}

static struct str outbox_doc(struct machine *m, const struct step_definition *s, yyjson_val *o)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    if (s->type == STEP_PUSH)
        json_add_str(d, doc, "title", json_get_str(o, "subject").p ? json_get_str(o, "subject") : STR(""));
    json_add_str(d, doc, "text", json_get_str(o, "body").p ? json_get_str(o, "body") : STR(""));
    return json_write_mut(m->run->arena, doc);
}

enum outcome step_text_channel(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    const struct integration *i = machine_select_integration(m, job, (enum channel)s->type);
    if (!i)
        return OUTCOME_FAILED;
    struct str phone = s->type == STEP_SMS ? phone_of(m) : STR_NULL;
    bool missing = s->type == STEP_SMS && !phone.n;
    struct message message = machine_message(m, job, s, (enum channel)s->type);
    struct effect *e = machine_effect(m, EFFECT_MESSAGE);
    message.doc = doc_of(m, job, s, outputs, phone, missing);
    if (missing)
        message.status = MESSAGE_WARNING;
    e->message = message;
    machine_log_message(m, job, DETAIL_MESSAGE_CREATED, DETAIL_PENDING, STR_NULL);
    if (missing) {
        machine_log_message(m, job, DETAIL_NO_PHONE, DETAIL_FAILED, STR_NULL);
        m->run->jobs[job].skip = SKIP_NO_PHONE;
        return OUTCOME_SKIPPED;
    }
    struct str recipient = s->type == STEP_SMS ? phone : m->facts->subscriber->subscriber_id;
    return machine_send(m, job, &message, recipient, outbox_doc(m, s, outputs), i);
}
