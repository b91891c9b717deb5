/* Who calls (rest-api.md §2). */
#include "api/app.h"
#include "api/inbox_keyless.h"
#include "api/token.h"

enum { SECRET_MAX = 256 };

static bool key_authenticate(struct app *app, int loop, struct request *rq, struct str secret, struct error *err)
{
    if (secret.n == 0 || secret.n > SECRET_MAX)
        return error_http(err, 401, "API Key not found");
    struct key_view *k = directory_key(app->directory, app->loop_db[loop], secret, err);
    if (!k)
        return err->code == ERROR_NOT_FOUND ? error_http(err, 401, "API Key not found") : false;
    rq->principal = (struct principal){.kind = PRINCIPAL_API_KEY, .organization = k->organization,
                                       .environment = k->environment, .user = k->user,
                                       .rate = {k->rate[0], k->rate[1], k->rate[2]}};
    cached_unref(&k->head);
    if (rq->route->auth == AUTH_SESSION)
        return error_http(err, 401, "API endpoint not accessible");
    return true;
}

static bool subscriber_authenticate(struct app *app, struct request *rq, struct str token, struct error *err)
{
    struct subscriber_token t;
    if (!subscriber_token_verify(rq->arena, app->jwt_secret, token, &t))
        return error_http(err, 401, "Unauthorized");
    rq->principal = (struct principal){.kind = PRINCIPAL_SUBSCRIBER, .organization = t.organization,
                                       .environment = t.environment, .subscriber = t.subscriber,
                                       .subscriber_id = t.subscriber_id, .context = t.context};
    return true;
}

bool app_authenticate(void *arg, int loop, struct request *rq, struct error *err)
{
    struct app *app = arg;
    struct str header = request_header(rq, "Authorization");
    if (rq->route->auth == AUTH_PUBLIC)
        return true;
    if (!header.p || !header.n)
        return error_http(err, 401, rq->route->auth == AUTH_SUBSCRIBER ? "Unauthorized" : "Missing authorization header");
    ptrdiff_t space = str_find(header, STR(" "));
    struct str scheme = str_sub(header, 0, space < 0 ? header.n : (size_t)space);
    struct str rest = space < 0 ? STR_NULL : str_trim(str_sub(header, (size_t)space, header.n));
    if (rq->route->auth == AUTH_SUBSCRIBER)
        return str_eq_nocase(scheme, STR("Bearer")) ? subscriber_authenticate(app, rq, rest, err)
                                                    : error_http(err, 401, "Unauthorized");
    if (str_eq_nocase(scheme, STR("ApiKey")))
        return key_authenticate(app, loop, rq, rest, err);
    if (str_eq_nocase(scheme, STR("Keyless")))
        return keyless_authenticate(rq, app->loop_db[loop], rest, err);
    if (str_eq_nocase(scheme, STR("Bearer")))
        return error_http(err, 401, "Unauthorized");        /* no dashboard sessions are issued by this server */
    return error_http(err, 401, "Invalid authentication scheme: \"%.*s\"", (int)(scheme.n > 64 ? 64 : scheme.n), scheme.p);
}

bool app_accepting(void *arg)
{
    struct app *app = arg;
    return !atomic_load(&app->stopping) && writer_depth(app->writer) < 32768;
}
