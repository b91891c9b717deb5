/* The email step (engine.md §4.2, §7.3); its body was rendered by engine/email.c. */
#include "engine/machine_private.h"

#include "content/sanitize.h"
#include "content/text_part.h"

/* The mail overrides for what this integration sends: {...overrides.email, ...overrides[providerId]}. */
static yyjson_val *bag_of(const struct machine *m, const struct integration *i)
{
    return overrides_bag(m, CHANNEL_EMAIL, i->provider_id);
}

static struct str first_of(struct str a, struct str b)
{
    return a.n ? a : b;
}

static bool is_address(yyjson_val *v)
{
    return str_trim(json_str(v)).n > 0 || yyjson_is_obj(v);
}

/* The first address of a list, or the one; NULL: there is none. What is null or empty is none: no provider takes it. */
static yyjson_val *first_address(yyjson_val *v)
{
    yyjson_val *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    if (!yyjson_is_arr(v))
        return yyjson_is_str(v) && is_address(v) ? v : NULL;
    while ((x = yyjson_arr_iter_next(&it)))
        if (is_address(x))
            return x;
    return NULL;
}

/* One address, or several: the list of an override. */
static void add_addresses(yyjson_mut_doc *d, yyjson_mut_val *doc, const char *key, yyjson_val *v)
{
    yyjson_val *x = first_address(v);
    if (!x)
        return;
    if (!yyjson_is_arr(v)) {
        json_add_val(d, doc, key, v);
        return;
    }
    yyjson_mut_val *list = json_add_arr(d, doc, key);
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while ((x = yyjson_arr_iter_next(&it)))
        if (is_address(x))
            yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, x));
}

static void add_sender(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *bag, yyjson_val *o)
{
    yyjson_mut_val *from = json_add_obj(d, doc, "from");
    yyjson_val *control = json_get(o, "from");
    struct str email = first_of(json_get_str(bag, "from"), json_get_str(control, "email"));
    struct str name = first_of(json_get_str(bag, "senderName"), json_get_str(control, "name"));
    /* Empty members are filled from the integration when the message is sent. */
    if (email.n)
        json_add_str(d, from, "email", email);
    if (name.n)
        json_add_str(d, from, "name", name);
}

/* What the overrides say of a mail beside its recipients and its content (engine.md §1.9). */
static void add_bag(yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *bag, yyjson_val *o)
{
    static const char *const objects[] = {"headers", "customData"};
    add_sender(d, doc, bag, o);
    add_addresses(d, doc, "cc", json_get(bag, "cc"));
    add_addresses(d, doc, "bcc", json_get(bag, "bcc"));
    add_addresses(d, doc, "replyTo", json_get(bag, "replyTo") ? json_get(bag, "replyTo") : json_get(o, "replyTo"));
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        if (yyjson_is_obj(json_get(bag, objects[i])))
            json_add_val(d, doc, objects[i], json_get(bag, objects[i]));
    if (yyjson_is_arr(json_get(bag, "attachments")))
        json_add_val(d, doc, "attachments", json_get(bag, "attachments"));
    if (json_get_str(bag, "ipPoolName").n)
        json_add_str(d, doc, "ipPoolName", json_get_str(bag, "ipPoolName"));
}

/* Who gets it. With replaceToRecipient only those whom the override names, and one of them must be there; else the
 * subscriber, or toRecipient in their place, and those of `to` besides. */
struct recipients {
    struct str first;           /* empty: nobody, or only in copies */
    yyjson_val *more;           /* of the override's `to`: beside the first, or (replace) all of them */
    bool replace, any;
};

static struct recipients recipients_of(const struct machine *m, yyjson_val *bag)
{
    struct recipients r = {.more = json_get(bag, "to"), .replace = json_get_bool(bag, "replaceToRecipient", false)};
    if (!r.replace)
        r.first = first_of(json_get_str(bag, "toRecipient"), m->facts->subscriber->field[SUBSCRIBER_EMAIL]);
    r.any = r.first.n || first_address(r.more) || (r.replace && (first_address(json_get(bag, "cc")) || first_address(json_get(bag, "bcc"))));
    return r;
}

/* The address that stands for the message where one is shown. */
static struct str shown_recipient(const struct recipients *r)
{
    return first_of(r->first, json_str(first_address(r->more)));
}

/* For the other integrations that a failover may come to: what their own bags change. */
static void add_other_bags(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, yyjson_val *o, const struct integration *chosen)
{
    const struct machine_facts *f = m->facts;
    yyjson_mut_val *all = NULL;
    for (size_t i = 0; i < f->integrations_n; i++) {
        const struct integration *x = &f->integrations[i];
        if (x->channel != CHANNEL_EMAIL || str_eq(x->provider_id, chosen->provider_id) || !json_getn(f->overrides, x->provider_id)
            || (all && yyjson_mut_obj_getn(all, x->provider_id.p, x->provider_id.n)))
            continue;
        if (!all)
            all = json_add_obj(d, doc, "bags");
        yyjson_mut_val *own = yyjson_mut_obj(d);
        add_bag(d, own, bag_of(m, x), o);
        yyjson_mut_obj_add(all, yyjson_mut_strn(d, x->provider_id.p, x->provider_id.n), own);
    }
}

/* The stored message: everything that an attempt needs, so that a later one sends the same. */
static struct str message_doc(struct machine *m, int job, const struct step_definition *s, yyjson_val *o, const struct recipients *to,
                              struct str html, struct str subject, const struct integration *i)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *doc = machine_message_doc(m, d, job, s);
    yyjson_val *bag = bag_of(m, i);
    struct str shown = shown_recipient(to), text = json_get_str(bag, "text");
    json_add_str(d, doc, "subject", subject);
    json_add_str(d, doc, "content", html);
    json_add_str(d, doc, "text", text.n ? text : text_part_from_html(a, html));
    json_add_str(d, doc, "email", shown.p ? shown : STR(""));
    if (to->first.n || yyjson_arr_size(to->more) > 1)
        add_addresses(d, doc, "to", to->more);
    add_bag(d, doc, bag, o);
    if (json_get_str(o, "preheader").n)
        json_add_str(d, doc, "preheader", json_get_str(o, "preheader"));
    machine_add_attachments(m, d, doc, CHANNEL_EMAIL);
    overrides_add_providers(m, d, doc, s, o);
    add_other_bags(m, d, doc, o, i);
    if (!id_is_zero(i->id))
        json_add_id(d, doc, "integrationId", i->id);
    return json_write_mut(a, doc);
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
    json_add_val(d, o, "alsoTo", json_get(doc, "to"));
    json_add_val(d, o, "attachments", json_get(doc, "storedAttachments"));
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
        return machine_unsent(m, job);
    bool raw = json_get_bool(outputs, "disableOutputSanitization", false);
    yyjson_val *bag = bag_of(m, i);
    struct recipients to = recipients_of(m, bag);
    struct str html = first_of(json_get_str(bag, "html"), json_get_str(outputs, "body"));
    struct str given = json_get_str(bag, "subject"), subject = first_of(given, json_get_str(outputs, "subject"));
    if (given.n && !raw)                    /* the outputs' was cleaned with the body */
        subject = email_subject_clean(a, given);
    if (html.n > EMAIL_LARGE)
        machine_log(m, job, DETAIL_EMAIL_LARGE, DETAIL_WARNING, str_fmt(a, "{\"bytes\":%zu}", html.n));
    struct message message = machine_message(m, job, s, CHANNEL_EMAIL);
    struct str doc = message_doc(m, job, s, outputs, &to, html.p ? html : STR(""), subject.p ? subject : STR(""), i);
    if (!to.any) {
        message.status = MESSAGE_WARNING;
        store(m, job, &message, missing_address_doc(m, doc));
        machine_log_message(m, job, DETAIL_NO_EMAIL, DETAIL_FAILED, STR_NULL);
        m->run->jobs[job].skip = SKIP_NO_EMAIL;
        return OUTCOME_SKIPPED;
    }
    store(m, job, &message, doc);
    return machine_send(m, job, &message, shown_recipient(&to), outbox_doc(m, doc), i);
}
