/* Asks providers whether they take credentials. */
#include "api/integration_check.h"

#include "delivery/dispatcher.h"

enum { CHECK_TIMEOUT_MS = 15000 };

struct check {
    struct delivery delivery;
    struct request *rq;
    void (*passed)(void *arg);
    void *arg;
    bool sent, host_unknown;
    struct str error;
};

/* Upstream has nothing to ask these either; the built-in ones have no credentials. */
static bool passes_unasked(struct str provider)
{
    static const char *const list[] = {"novu-email", "novu-email-agent", "sendinblue", "mailgun", "netcore", "email-webhook"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (str_eqz(provider, list[i]))
            return true;
    return false;
}

/* The message is a JSON text of its own: clients parse it. */
static void reply_failure(struct request *rq, struct str why)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", false);
    json_add_str(d, o, "code", STR("failed"));
    json_add_str(d, o, "message", why.n ? why : STR("Something went wrong! Please double check your account details(Email/API key)"));
    struct str text = json_write_mut(rq->arena, o);
    reply_fail(rq, 400, "%.*s", STR_ARG(text));
}

static void check_continue(void *arg)
{
    struct check *c = arg;
    struct str host = json_get_str(c->delivery.credentials, "host");
    if (c->sent)
        c->passed(c->arg);
    else if (c->host_unknown)
        reply_fail(c->rq, 400, "Provider gateway can't resolve the host with the given hostname %.*s", (int)(host.n > 253 ? 253 : host.n),
                   host.p ? host.p : "");
    else
        reply_failure(c->rq, str_cut(c->error, 400));
}

/* On the dispatcher's thread. */
static void check_done(struct delivery *d, const struct delivery_result *r)
{
    struct check *c = d->owner;
    c->sent = r->outcome == DELIVERY_SENT;
    c->host_unknown = r->host_unknown;
    c->error = str_dup(c->rq->arena, r->error);
    request_continue(c->rq, check_continue, c);
}

void integration_check(struct request *rq, enum channel channel, struct str provider_id, yyjson_val *credentials, void (*passed)(void *arg), void *arg)
{
    struct check *c = ARENA_NEW(rq->arena, struct check);
    struct error err = {0};
    if (channel != CHANNEL_EMAIL || passes_unasked(provider_id)
        || !dispatcher_can_check(app_of(rq)->dispatcher, channel_name(channel), provider_id)) {
        passed(arg);
        return;
    }
    if (!credentials)
        json_parse(rq->arena, STR("{}"), &credentials, NULL);
    *c = (struct check){.rq = rq, .passed = passed, .arg = arg};
    c->delivery = (struct delivery){.arena = rq->arena, .provider_id = provider_id, .channel = channel_name(channel),
                                    .credentials = credentials, .outbound = &app_of(rq)->outbound, .purpose = DELIVERY_CHECK,
                                    .timeout_ms = CHECK_TIMEOUT_MS, .done = check_done, .owner = c};
    if (!dispatcher_submit(app_of(rq)->dispatcher, &c->delivery, &err))
        reply_error(rq, &err);
}
