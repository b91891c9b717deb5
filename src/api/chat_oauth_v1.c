/* GET /v1/subscribers/{subscriberId}/credentials/{providerId}/oauth: the older dialogue by which one person connects Slack, opened in
 * their browser (rest-api.md §6.4). It ends in src/api/chat_callback.c.
 *
 * Nobody is logged in: the hash that only the customer's server can make proves that the browser may speak for the subscriber.
 */
#include "api/chat_oauth.h"
#include "api/subscriber_hash.h"
#include "api/tables.h"
#include "model/integration.h"
#include "model/subscriber.h"

struct str chat_v1_redirect_uri(struct request *rq, struct id environment, struct str subscriber_id, struct str identifier)
{
    struct buf path = {.arena = rq->arena}, query = {.arena = rq->arena};
    form_value(&path, subscriber_id);
    form_add(&query, "environmentId", id_str(rq->arena, environment));
    if (identifier.n)
        form_add(&query, "integrationIdentifier", identifier);
    return str_fmt(rq->arena, "%.*s/v1/subscribers/%.*s/credentials/slack/oauth/callback?%.*s", STR_ARG(app_of(rq)->public_url),
                   STR_ARG(buf_get(&path)), STR_ARG(buf_get(&query)));
}

/* The newest of the provider, or the one of this name. */
static bool integration_pick(struct request *rq, struct id environment, struct str provider_id, struct str identifier, struct integration *out,
                             struct error *err)
{
    struct integration *list;
    size_t n;
    if (!integration_list(app_db(rq), rq->arena, environment, &list, &n, err))
        return false;
    while (n--)
        if (str_eq(list[n].provider_id, provider_id) && (!identifier.n || str_eq(list[n].identifier, identifier))) {
            *out = list[n];
            return true;
        }
    return error_http(err, 404, "Integration in environment %.*s was not found, channel: chat, providerId: %.*s",
                      STR_ARG(id_str(rq->arena, environment)), STR_ARG(provider_id));
}

struct ask {
    struct id environment;
    struct str subscriber_id, provider_id, identifier, hash;
};

static bool ask_read(struct request *rq, struct ask *q)
{
    struct checks c = checks_begin(rq);
    *q = (struct ask){.subscriber_id = request_param(rq, "subscriberId"), .provider_id = request_param(rq, "providerId"),
                      .identifier = request_query(rq, "integrationIdentifier"), .hash = request_query(rq, "hmacHash")};
    if (!id_parse(request_query(rq, "environmentId"), &q->environment))
        check_fail(&c, "environmentId must be a mongodb id");
    if (!q->hash.n)
        check_fail(&c, "hmacHash should not be empty");
    if (!subscriber_id_valid(q->subscriber_id))
        check_fail(&c, "subscriberId must have 1 to 256 characters and no control characters");
    return checks_done(&c);
}

/* The address of Slack's page; p NULL: err. */
static struct str consent_url(struct request *rq, const struct ask *q, struct error *err)
{
    struct integration i;
    yyjson_val *credentials;
    struct str *secrets;
    size_t n;
    struct buf b = {.arena = rq->arena};
    if (!integration_pick(rq, q->environment, q->provider_id, q->identifier, &i, err)
        || !chat_credentials(rq, &i, CHAT_SLACK, false, &credentials, err)
        || !directory_secrets(app_db(rq), &app_of(rq)->box, rq->arena, q->environment, &secrets, &n, err))
        return STR_NULL;
    if (!n || !subscriber_hash_good(rq->arena, secrets, n, q->subscriber_id, q->hash)) {
        error_http(err, 400, "Invalid HMAC hash for subscriber chat OAuth");
        return STR_NULL;
    }
    struct chat_state state = {.organization = i.organization, .environment = q->environment, .provider_id = q->provider_id,
                               .integration_identifier = i.identifier, .subscriber_id = q->subscriber_id, .is_v1 = true, .made_at = app_now(rq)};
    form_add(&b, "client_id", json_get_str(credentials, "clientId"));
    form_add(&b, "scope", STR("incoming-webhook"));
    form_add(&b, "redirect_uri", chat_v1_redirect_uri(rq, q->environment, q->subscriber_id, q->identifier));
    form_add(&b, "state", chat_state_write(rq->arena, &state, secrets[0]));
    return str_fmt(rq->arena, "https://slack.com/oauth/v2/authorize?%.*s", STR_ARG(buf_get(&b)));
}

static void handle_open(struct request *rq)
{
    struct ask q;
    struct error err = {0};
    if (!ask_read(rq, &q))
        return;
    if (!str_eqz(q.provider_id, "slack")) {
        reply_fail(rq, 400, "OAuth not supported for provider: %.*s", (int)(q.provider_id.n > 64 ? 64 : q.provider_id.n), q.provider_id.p);
        return;
    }
    struct str url = consent_url(rq, &q, &err);
    if (!url.p) {
        reply_error(rq, &err);
        return;
    }
    reply_header(rq, "Location", url);
    reply_empty(rq, 302);
}

#define OAUTH(path, operation, summary, status, handler)                                                                                \
    {HTTP_GET, "/v1/subscribers/{subscriberId}/credentials/{providerId}/oauth" path, operation, "Subscribers", summary, AUTH_PUBLIC, NULL, \
     RATE_CONFIGURATION, 1, status, ENVELOPE_NONE, 0, 0, handler}

const struct route chat_oauth_v1_routes[] = {
    OAUTH("", "subscribersChatAccessOauth", "Send a person to Slack's consent page", 302, handle_open),
    OAUTH("/callback", "subscribersChatAccessOauthCallBack", "Where Slack sends the person back to", 200, handle_chat_v1_callback),
};
const size_t chat_oauth_v1_routes_n = sizeof chat_oauth_v1_routes / sizeof *chat_oauth_v1_routes;
