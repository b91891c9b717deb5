/* Makes the common message of a delivery. */
#include "api/provider_message.h"

#include "base/crypto.h"

static void add_some(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, struct str s)
{
    if (s.n)
        json_add_str(d, o, key, s);
}

static yyjson_val *finished(struct arena *a, yyjson_mut_val *o)
{
    yyjson_val *v = NULL;
    json_parse(a, json_write_mut(a, o), &v, NULL);
    return v;
}

static void add_emails(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const struct delivery_address *list, size_t n)
{
    if (!n)
        return;
    yyjson_mut_val *out = json_add_arr(d, o, key);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(out, json_mut_str(d, list[i].email));
}

static void add_attachments(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *o, const struct delivery_email *e)
{
    if (!e->attachments_n)
        return;
    yyjson_mut_val *list = json_add_arr(d, o, "attachments");
    for (size_t i = 0; i < e->attachments_n; i++) {
        const struct delivery_attachment *f = &e->attachments[i];
        yyjson_mut_val *x = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, x, "name", f->name);
        json_add_str(d, x, "mime", f->mime);
        json_add_str(d, x, "b64", base64_encode(a, f->content));
        add_some(d, x, "cid", f->cid);
        json_add_str(d, x, "disposition", f->cid.n ? STR("inline") : STR("attachment"));
    }
}

static void add_details(yyjson_mut_doc *d, yyjson_mut_val *o, const struct engine_delivery *e)
{
    yyjson_mut_val *details = json_add_obj(d, o, "notificationDetails");
    add_some(d, details, "transactionId", json_get_str(e->doc, "transactionId"));
    add_some(d, details, "workflowIdentifier", json_get_str(e->doc, "templateIdentifier"));
    add_some(d, details, "subscriberId", e->subscriber_id);
}

static void email_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct engine_delivery *e, const struct delivery_email *m)
{
    add_emails(d, o, "to", m->to, m->to_n);
    add_emails(d, o, "cc", m->cc, m->cc_n);
    add_emails(d, o, "bcc", m->bcc, m->bcc_n);
    json_add_str(d, o, "subject", m->subject.p ? m->subject : STR(""));
    json_add_str(d, o, "html", m->html.p ? m->html : STR(""));
    add_some(d, o, "text", m->text);
    add_some(d, o, "from", m->from.email);
    add_some(d, o, "senderName", m->from.name);
    if (m->reply_to_n)
        json_add_str(d, o, "replyTo", m->reply_to[0].email);
    add_attachments(e->arena, d, o, m);
    json_add_val(d, o, "headers", m->headers);
    json_add_val(d, o, "customData", json_get(e->doc, "customData"));
    json_add_val(d, o, "ipPoolName", json_get(e->doc, "ipPoolName"));
    json_add_val(d, o, "alternatives", json_get(e->doc, "alternatives"));
    add_details(d, o, e);
}

static void sms_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct engine_delivery *e)
{
    json_add_val(d, o, "to", json_get(e->doc, "phone"));
    json_add_val(d, o, "content", json_get(e->doc, "content"));
    add_some(d, o, "from", json_get_str(e->doc, "from"));
    json_add_val(d, o, "customData", json_get(e->doc, "customData"));
}

static bool reports_come(const struct engine_delivery *e)
{
    yyjson_val *v;
    return e->configurations.n && json_parse(e->arena, e->configurations, &v, NULL) && json_get_bool(v, "inboundWebhookEnabled", false);
}

/* The object at this member, made if there is none. */
static yyjson_mut_val *inner(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(o, key);
    if (yyjson_mut_is_obj(v))
        return v;
    yyjson_mut_obj_remove_key(o, key);
    return json_add_obj(d, o, key);
}

/* As the number on the app's icon, where the trigger says no other (upstream: send-message-push.usecase.ts). */
static void add_badge(yyjson_mut_doc *d, yyjson_mut_val *overrides, int n)
{
    yyjson_mut_val *android = inner(d, inner(d, overrides, "android"), "notification");
    yyjson_mut_val *aps = inner(d, inner(d, inner(d, overrides, "apns"), "payload"), "aps");
    if (!yyjson_mut_obj_get(android, "notificationCount"))
        json_add_int(d, android, "notificationCount", n);
    if (!yyjson_mut_obj_get(aps, "badge"))
        json_add_int(d, aps, "badge", n);
}

static void push_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct engine_delivery *e, struct str id)
{
    yyjson_mut_val *step = NULL, *target = json_add_arr(d, o, "target");
    yyjson_val *digested = json_get(e->doc, "step");
    yyjson_mut_arr_append(target, json_mut_str(d, json_get_str(e->address, "deviceToken")));
    json_add_val(d, o, "title", json_get(e->doc, "title"));
    json_add_val(d, o, "content", json_get(e->doc, "content"));
    if (yyjson_is_obj(json_get(e->doc, "overrides")))
        json_add_val(d, o, "overrides", json_get(e->doc, "overrides"));
    else
        json_add_obj(d, o, "overrides");
    if (e->counts_inbox)
        add_badge(d, yyjson_mut_obj_get(o, "overrides"), e->inbox_count);
    if (yyjson_is_obj(e->payload))
        json_add_val(d, o, "payload", e->payload);
    else
        json_add_obj(d, o, "payload");
    if (reports_come(e))                /* what the customer's app names in its reports (providers.md §8) */
        json_add_str(d, yyjson_mut_obj_get(o, "payload"), "__nvMessageId", id);
    json_add_str(d, o, "messageId", id);
    if (e->subscriber)
        json_add_val(d, o, "subscriber", e->subscriber);
    if (yyjson_is_obj(digested)) {
        json_add_val(d, o, "step", digested);
        return;
    }
    step = json_add_obj(d, o, "step");
    json_add_bool(d, step, "digest", false);
    json_add_arr(d, step, "events");
    json_add_int(d, step, "total_count", 0);
}

static void chat_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct engine_delivery *e)
{
    yyjson_val *data = json_get(e->doc, "customData");
    json_add_val(d, o, "content", json_get(e->doc, "content"));
    json_add_val(d, o, "card", json_get(e->doc, "card"));
    json_add_val(d, o, "blocks", json_get(data, "blocks"));
    json_add_val(d, o, "customData", data);
    json_add_val(d, o, "phoneNumber", json_path(e->address, STR("endpoint.phoneNumber")));
    json_add_str(d, o, "transactionId", json_get_str(e->doc, "transactionId"));
    json_add_str(d, o, "subscriberId", e->subscriber_id);
    json_add_str(d, o, "stepId", json_get_str(e->doc, "stepId"));
}

yyjson_val *provider_message(const struct engine_delivery *e, const struct delivery_email *email)
{
    yyjson_mut_doc *d = json_doc(e->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct str id = id_str(e->arena, e->message);
    if (email)
        email_add(d, o, e, email);
    else if (e->channel == CHANNEL_SMS)
        sms_add(d, o, e);
    else if (e->channel == CHANNEL_PUSH)
        push_add(d, o, e, id);
    else
        chat_add(d, o, e);
    if (e->channel != CHANNEL_PUSH)
        json_add_str(d, o, "id", id);
    return finished(e->arena, o);
}

yyjson_val *provider_target(const struct engine_delivery *e, yyjson_val *credentials)
{
    yyjson_mut_doc *d = json_doc(e->arena);
    if (!yyjson_is_obj(e->address) || e->channel == CHANNEL_PUSH)
        return NULL;
    yyjson_mut_val *o = yyjson_val_mut_copy(d, e->address);
    add_some(d, o, "token", json_get_str(e->connection_auth, "accessToken"));
    add_some(d, o, "subscriberTenantId", json_get_str(e->connection_workspace, "id"));
    add_some(d, o, "clientId", json_get_str(credentials, "clientId"));
    return finished(e->arena, o);
}
