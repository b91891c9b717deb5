/* The world as the engine sees it: providers behind the dispatcher, sockets behind the hub. */
#include "api/app.h"
#include "api/provider_message.h"

static struct delivery_address address_of(struct str email, struct str name)
{
    return (struct delivery_address){.name = name, .email = email};
}

/* An address, or several: "a@b", ["a@b", …]. first, if given, comes before them. */
static const struct delivery_address *addresses_of(struct arena *a, struct str first, yyjson_val *v, size_t *n)
{
    size_t max = 1 + (yyjson_is_arr(v) ? yyjson_arr_size(v) : 1);
    struct delivery_address *list = ARENA_ARRAY(a, struct delivery_address, max);
    yyjson_val *x;
    *n = 0;
    if (first.n)
        list[(*n)++] = address_of(first, STR_NULL);
    if (yyjson_is_str(v) && yyjson_get_len(v))
        list[(*n)++] = address_of(json_str(v), STR_NULL);
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while ((x = yyjson_arr_iter_next(&it)))
        if (yyjson_is_str(x) && !str_eq(json_str(x), first))
            list[(*n)++] = address_of(json_str(x), STR_NULL);
    return list;
}

static struct str either(yyjson_val *o, const char *key, const char *other)
{
    return json_get_str(o, key).n ? json_get_str(o, key) : json_get_str(o, other);
}

/* {name | filename, file | content: base64, mime | contentType, cid}: of a trigger's overrides. What is no base64 is left
 * out; a path or an address to fetch from is never followed. */
static void attachments_of(struct arena *a, yyjson_val *list, struct delivery_email *e)
{
    struct delivery_attachment *out = ARENA_ARRAY(a, struct delivery_attachment, yyjson_arr_size(list) + 1);
    yyjson_val *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((x = yyjson_arr_iter_next(&it))) {
        struct delivery_attachment *f = &out[e->attachments_n];
        struct str mime = either(x, "mime", "contentType"), name = either(x, "name", "filename");
        *f = (struct delivery_attachment){.name = name.n ? name : STR("attachment"), .cid = json_get_str(x, "cid"),
                                          .mime = mime.n ? mime : STR("application/octet-stream")};
        e->attachments_n += base64_decode(a, either(x, "file", "content"), &f->content);
    }
    e->attachments = out;
}

/* What the trigger's overrides tell SMTP in particular, as an object of nodemailer (providers.md §3). */
static void email_override(struct arena *a, struct delivery_email *e, yyjson_val *o)
{
    yyjson_val *from = json_get(o, "from");
    if (!o)
        return;
    if (json_get(o, "to"))
        e->to = addresses_of(a, STR_NULL, json_get(o, "to"), &e->to_n);
    if (json_get(o, "cc"))
        e->cc = addresses_of(a, STR_NULL, json_get(o, "cc"), &e->cc_n);
    if (json_get(o, "bcc"))
        e->bcc = addresses_of(a, STR_NULL, json_get(o, "bcc"), &e->bcc_n);
    if (json_get(o, "replyTo"))
        e->reply_to = addresses_of(a, STR_NULL, json_get(o, "replyTo"), &e->reply_to_n);
    if (yyjson_is_obj(from) && json_get_str(from, "address").n)
        e->from = address_of(json_get_str(from, "address"), json_get_str(from, "name"));
    else if (json_str(from).n)
        e->from = address_of(json_str(from), e->from.name);
    e->subject = json_get_str(o, "subject").n ? json_get_str(o, "subject") : e->subject;
    e->html = json_get_str(o, "html").n ? json_get_str(o, "html") : e->html;
    e->text = json_get_str(o, "text").n ? json_get_str(o, "text") : e->text;
    if (yyjson_is_obj(json_get(o, "headers")))
        e->headers = json_get(o, "headers");
    if (yyjson_is_arr(json_get(o, "attachments"))) {
        e->attachments_n = 0;
        attachments_of(a, json_get(o, "attachments"), e);
    }
}

/* And those that the trigger carried. */
static void add_attachments(const struct engine_delivery *d, struct delivery_email *e)
{
    size_t n = e->attachments_n;
    struct delivery_attachment *list = ARENA_ARRAY(d->arena, struct delivery_attachment, n + d->attachments_n);
    if (n)
        memcpy(list, e->attachments, n * sizeof *list);
    for (size_t i = 0; i < d->attachments_n; i++)
        list[n + i] = (struct delivery_attachment){.name = d->attachments[i].name, .mime = d->attachments[i].mime,
                                                   .content = d->attachments[i].bytes, .cid = d->attachments[i].cid};
    e->attachments = list;
    e->attachments_n = n + d->attachments_n;
}

static struct delivery_email *email_of(struct arena *a, yyjson_val *doc, yyjson_val *credentials)
{
    struct delivery_email *e = ARENA_NEW(a, struct delivery_email);
    struct str from = json_get_str(json_get(doc, "from"), "email"), name = json_get_str(json_get(doc, "from"), "name");
    e->from = address_of(from.n ? from : json_get_str(credentials, "from"),
                         name.n ? name : json_get_str(credentials, "senderName"));
    e->to = addresses_of(a, json_get_str(doc, "email"), json_get(doc, "to"), &e->to_n);
    e->cc = addresses_of(a, STR_NULL, json_get(doc, "cc"), &e->cc_n);
    e->bcc = addresses_of(a, STR_NULL, json_get(doc, "bcc"), &e->bcc_n);
    e->reply_to = addresses_of(a, STR_NULL, json_get(doc, "replyTo"), &e->reply_to_n);
    e->subject = json_get_str(doc, "subject");
    e->html = json_get_str(doc, "content");
    e->text = json_get_str(doc, "text");
    e->headers = json_get(doc, "headers");
    attachments_of(a, json_get(doc, "attachments"), e);
    return e;
}

static void delivery_done(struct delivery *d, const struct delivery_result *r)
{
    struct engine_delivery *e = d->owner;
    struct machine_input in = {
        .verdict = r->outcome == DELIVERY_SENT ? VERDICT_SENT : r->outcome == DELIVERY_RETRY ? VERDICT_RETRY : VERDICT_FAILED,
        .provider_message_id = r->message_id,
        .response = r->response,
        .error = r->error,
        .retry_after_ms = r->retry_after_ms,
        .address_gone = r->address_gone,
    };
    engine_delivered(e, &in);       /* frees the arena that d lives in */
}

static void refuse(struct engine_delivery *e, enum delivery_verdict verdict, const char *why)
{
    struct machine_input in = {.verdict = verdict, .error = str_of(why)};
    engine_delivered(e, &in);
}

/* These take an override as nodemailer's own object. */
static bool is_smtp(struct str provider_id)
{
    return str_eqz(provider_id, "nodemailer") || str_eqz(provider_id, "outlook365") || str_eqz(provider_id, "emailjs");
}

void app_deliver(void *arg, struct engine_delivery *e)
{
    struct app *app = arg;
    struct error err = {0};
    struct str plain = STR("{}");
    struct delivery *d = ARENA_NEW(e->arena, struct delivery);
    yyjson_val *credentials;
    if (e->credentials.n && !crypto_open(&app->box, e->arena, e->credentials, &plain, &err)) {
        refuse(e, VERDICT_FAILED, err.message);
        return;
    }
    if (!json_parse(e->arena, plain, &credentials, &err)) {
        refuse(e, VERDICT_FAILED, "The stored credentials are damaged");
        return;
    }
    *d = (struct delivery){.arena = e->arena, .provider_id = e->provider_id, .credentials = credentials,
                           .idempotency_key = e->idempotency_key, .done = delivery_done, .owner = e};
    d->channel = channel_name(e->channel);
    d->overrides = e->provider_data;
    d->outbound = &app->outbound;
    if (e->channel == CHANNEL_EMAIL) {
        d->email = email_of(e->arena, e->doc, credentials);
        add_attachments(e, d->email);
    }
    d->message = provider_message(e, d->email);
    d->target = provider_target(e, credentials);
    json_parse(e->arena, e->configurations.n ? e->configurations : STR("{}"), &d->configurations, NULL);
    if (d->email && is_smtp(e->provider_id))
        email_override(e->arena, d->email, e->provider_data);
    if (d->email && !d->email->from.email.n) {
        refuse(e, VERDICT_UNUSABLE, "Provider is missing or not configured");     /* engine.md §7.3: no default sender */
        return;
    }
    if (!dispatcher_submit(app->dispatcher, d, &err))
        refuse(e, VERDICT_RETRY, err.message);
}

bool app_listening(void *arg)
{
    struct app *app = arg;
    return hub_sockets(app->hub) > 0;
}

void app_received(void *arg, const struct message *m, struct str json)
{
    struct app *app = arg;
    hub_message(app->hub, m->subscriber, m->context.p ? m->context : STR(""), json);
}
