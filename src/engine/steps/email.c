/* The email step (engine.md §4.2, §7.3); its body was rendered by engine/email.c. */
#include "engine/machine_private.h"

#include "content/sanitize.h"
#include "content/text_part.h"

static yyjson_val *override_of(const struct machine *m)
{
    return json_get(m->facts->overrides, "email");
}

/* The subscriber's address, or the override's (engine.md §1.9: toRecipient replaces it). */
static struct str recipient_of(const struct machine *m)
{
    struct str to = json_get_str(override_of(m), "toRecipient");
    return to.n ? to : m->facts->subscriber->field[SUBSCRIBER_EMAIL];
}

static void add_sender(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *o)
{
    yyjson_mut_val *from = json_add_obj(d, doc, "from");
    yyjson_val *override = override_of(m), *control = json_get(o, "from");
    struct str email = json_get_str(override, "from"), name = json_get_str(override, "senderName");
    if (!email.n)
        email = json_get_str(control, "email");
    if (!name.n)
        name = json_get_str(control, "name");
    /* Empty members are filled from the integration when the message is sent. */
    if (email.n)
        json_add_str(d, from, "email", email);
    if (name.n)
        json_add_str(d, from, "name", name);
}

static void add_addresses(yyjson_mut_doc *d, yyjson_mut_val *doc, const char *key, yyjson_val *list)
{
    if (yyjson_is_arr(list) && yyjson_arr_size(list))
        json_add_val(d, doc, key, list);
}

/* The stored message: everything that an attempt needs, so that a later one sends the same. */
static struct str message_doc(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, struct str to,
                              struct str html, struct str subject, const struct integration *i)
{
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    yyjson_val *override = override_of(m);
    struct str reply_to = json_get_str(override, "replyTo");
    json_add_str(d, doc, "subject", subject);
    json_add_str(d, doc, "content", html);
    json_add_str(d, doc, "text", json_get_str(override, "text").n ? json_get_str(override, "text")
                                                                    : text_part_from_html(m->run->arena, html));
    json_add_str(d, doc, "email", to.p ? to : STR(""));
    add_sender(m, d, doc, o);
    add_addresses(d, doc, "to", json_get(override, "to"));
    add_addresses(d, doc, "cc", json_get(override, "cc"));
    add_addresses(d, doc, "bcc", json_get(override, "bcc"));
    if (!reply_to.n)
        reply_to = json_get_str(o, "replyTo");
    if (reply_to.n)
        json_add_str(d, doc, "replyTo", reply_to);
    if (yyjson_is_obj(json_get(override, "headers")))
        json_add_val(d, doc, "headers", json_get(override, "headers"));
    if (json_get_str(o, "preheader").n)
        json_add_str(d, doc, "preheader", json_get_str(o, "preheader"));
    json_add_id(d, doc, "integrationId", i->id);
    return json_write_mut(m->run->arena, doc);
}

static struct str outbox_doc(struct machine *m, struct str message_doc_text)
{
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *from = json_add_obj(d, o, "from");
    if (!json_parse(m->run->arena, message_doc_text, &doc, NULL))
        return STR("{}");
    yyjson_val *sender = json_get(doc, "from");
    /* decisions.md 5: the demo provider has a built-in sender. */
    json_add_str(d, from, "email", json_get_str(sender, "email").n ? json_get_str(sender, "email") : STR("no-reply@carillon.local"));
    json_add_str(d, from, "name", json_get_str(sender, "name").n ? json_get_str(sender, "name") : m->facts->environment_name);
    json_add_val(d, o, "subject", json_get(doc, "subject"));
    json_add_val(d, o, "html", json_get(doc, "content"));
    json_add_val(d, o, "text", json_get(doc, "text"));
    json_add_val(d, o, "cc", json_get(doc, "cc"));
    json_add_val(d, o, "bcc", json_get(doc, "bcc"));
    json_add_val(d, o, "replyTo", json_get(doc, "replyTo"));
    json_add_val(d, o, "headers", json_get(doc, "headers"));
    json_add_val(d, o, "workflowId", json_get(doc, "templateIdentifier"));
    return json_write_mut(m->run->arena, o);
}

static void store(struct machine *m, int job, struct message *message, struct str doc)
{
    struct effect *e = machine_effect(m, EFFECT_MESSAGE);
    message->doc = doc;
    e->message = *message;
    machine_log_message(m, job, DETAIL_MESSAGE_CREATED, DETAIL_PENDING, STR_NULL);
}

static struct str missing_address_doc(struct machine *m, struct str doc)
{
    /* engine.md §7.3: the row says why nothing was sent. */
    yyjson_val *v;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    if (!json_parse(m->run->arena, doc, &v, NULL))
        return doc;
    yyjson_mut_val *o = yyjson_val_mut_copy(d, v);
    json_add_str(d, o, "errorId", STR("mail_unexpected_error"));
    json_add_str(d, o, "errorText", STR("Subscriber does not have an email address"));
    return json_write_mut(m->run->arena, o);
}

enum outcome step_email(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    const struct integration *i = machine_select_integration(m, job, CHANNEL_EMAIL);
    if (!i)
        return OUTCOME_FAILED;
    bool raw = json_get_bool(outputs, "disableOutputSanitization", false);
    struct str html = json_get_str(outputs, "body"), subject = json_get_str(outputs, "subject"), to = recipient_of(m);
    if (json_get_str(override_of(m), "subject").n)
        subject = json_get_str(override_of(m), "subject");
    if (!raw)
        subject = sanitize_html(a, subject);
    if (html.n > EMAIL_LARGE)
        machine_log(m, job, DETAIL_EMAIL_LARGE, DETAIL_WARNING, str_fmt(a, "{\"bytes\":%zu}", html.n));
    struct message message = machine_message(m, job, s, CHANNEL_EMAIL);
    struct str doc = message_doc(m, job, s, outputs, to, html.p ? html : STR(""), subject.p ? subject : STR(""), i);
    if (!to.n) {
        message.status = MESSAGE_WARNING;
        store(m, job, &message, missing_address_doc(m, doc));
        machine_log_message(m, job, DETAIL_NO_EMAIL, DETAIL_FAILED, STR_NULL);
        m->run->jobs[job].skip = SKIP_NO_EMAIL;
        return OUTCOME_SKIPPED;
    }
    store(m, job, &message, doc);
    return machine_send(m, job, &message, to, outbox_doc(m, doc), i);
}
