/* Proofs of contexts. */
#include "api/context_proof.h"

#include "api/inbox_private.h"
#include "api/integration_secrets.h"
#include "api/subscriber_hash.h"

bool inbox_hash_enforced(struct request *rq, const struct environment *e, const struct integration *in_app, bool *enforced,
                         struct error *err)
{
    yyjson_val *v;
    *enforced = environment_is_production(e);
    if (!integration_secrets_open(rq, in_app, &v, err))
        return error_set(err, ERROR_INTERNAL, "The in-app integration's credentials cannot be read");
    *enforced = json_get_bool(v, "hmac", *enforced);
    return true;
}

bool context_hash_good(struct arena *a, const struct str *secrets, size_t n, yyjson_val *context, struct str given)
{
    return subscriber_hash_good(a, secrets, n, canonical_json(a, context, false), given)
        || subscriber_hash_good(a, secrets, n, canonical_json(a, context, true), given);
}

/* Does the environment let nobody have a token without a proof? */
static bool sessions_proved(struct request *rq, bool *proved, struct error *err)
{
    struct environment_view *e = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
    bool ok = e != NULL;
    *proved = false;
    for (size_t i = 0; ok && i < e->integrations_n; i++)
        if (e->integrations[i].channel == CHANNEL_IN_APP && e->integrations[i].active) {
            ok = inbox_hash_enforced(rq, &e->environment, &e->integrations[i], proved, err);
            break;
        }
    if (e)
        cached_unref(&e->head);
    return ok;
}

static bool body_proved(struct request *rq, struct error *err)
{
    yyjson_val *context = json_get(rq->json, "context");
    struct str given = json_get_str(rq->json, "contextHash"), *secrets;
    size_t n;
    if (!context || yyjson_is_null(context))
        return error_http(err, 400, "A context is required when HMAC validation is enabled.");
    if (!given.n)
        return error_http(err, 400, "A valid contextHash is required when HMAC validation is enabled.");
    if (!directory_secrets(app_db(rq), &app_of(rq)->box, rq->arena, rq->principal.environment, &secrets, &n, err))
        return false;
    return context_hash_good(rq->arena, secrets, n, context, given)
        || error_http(err, 400, "Please provide a valid context HMAC hash");
}

bool context_proved(struct request *rq, const struct integration *i, struct error *err)
{
    yyjson_val *credentials;
    bool proved;
    if (!integration_secrets_open(rq, i, &credentials, err))
        return false;
    if (!json_get_bool(credentials, "hmac", false))
        return true;
    if (rq->principal.kind != PRINCIPAL_SUBSCRIBER)
        return body_proved(rq, err);
    if (!sessions_proved(rq, &proved, err))
        return false;
    return proved || error_http(err, 400, "HMAC validation must be enabled in the in-app integration as well.");
}
