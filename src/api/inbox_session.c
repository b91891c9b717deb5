/* POST /v1/inbox/session, and its older form /v1/widgets/session/initialize: who opens an Inbox, and whether they may
 * (inbox-realtime.md §1, §3). */
#include "api/context_proof.h"
#include "api/inbox_keyless.h"
#include "api/inbox_private.h"
#include "api/subscriber_hash.h"
#include "api/token.h"
#include "model/preference.h"

enum { MESSAGES_MAX = 32 };

struct session {
    struct api_write w;
    bool widget;                            /* the older form */
    bool fresh;                             /* a demo environment is to be made */
    struct environment environment;
    struct subscriber_patch patch;
    bool trusted;                           /* the subscriber's hash is right: the profile may be rewritten */
    yyjson_val *context;                    /* as sent: it is what the hash was made of */
    struct context contexts[CONTEXTS_MAX];  /* sorted */
    size_t contexts_n;
    struct str joined;                      /* their keys, by "," */
    struct str default_schedule;            /* p NULL: none given */
    struct subscriber row;                  /* afterwards */
    struct str schedule;                    /* p NULL: none */
    struct inbox_counts counts;
};

/* --- input ------------------------------------------------------------------------------------------------------ */

static void contexts_check(struct checks *c, struct session *x)
{
    struct str messages[MESSAGES_MAX];
    x->context = check_object(c, c->rq->json, "context", false);
    size_t n = context_read(c->rq->arena, x->context, x->contexts, &x->contexts_n, messages, MESSAGES_MAX);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    x->joined = context_keys(c->rq->arena, x->contexts, x->contexts_n);
}

static void schedule_read(struct checks *c, struct session *x)
{
    struct str messages[MESSAGES_MAX];
    yyjson_val *v = check_object(c, c->rq->json, "defaultSchedule", false);
    size_t n = v ? schedule_check(c->rq->arena, v, messages, MESSAGES_MAX) : 0;
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    if (v)
        x->default_schedule = json_write(c->rq->arena, v);
}

static void profile_read(struct checks *c, struct session *x, yyjson_val *v, const char *prefix)
{
    struct str messages[SUBSCRIBER_FIELDS];
    size_t n = subscriber_patch_read(c->rq->arena, v, &x->patch, messages);
    for (size_t i = 0; i < n; i++)
        check_fail(c, "%s%.*s", prefix, STR_ARG(messages[i]));
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        if (f == SUBSCRIBER_CHANNELS || !x->patch.field[f].p)
            x->patch.present &= ~(1u << f);             /* a null says nothing; channels are not a browser's to set */
}

static void subscriber_id_check(struct checks *c, struct session *x)
{
    if (x->patch.subscriber_id.n && !subscriber_id_valid(x->patch.subscriber_id))
        check_fail(c, "subscriberId must have 1 to 256 characters and no control characters");
}

static void subscriber_read(struct checks *c, struct session *x)
{
    yyjson_val *v = json_get(c->rq->json, "subscriber");
    if (yyjson_is_obj(v)) {
        profile_read(c, x, v, "subscriber.");
        if (json_get(v, "subscriberId") && !yyjson_is_str(json_get(v, "subscriberId")))
            check_fail(c, "subscriber.subscriberId must be a string");
    } else if (yyjson_is_str(v)) {
        x->patch.subscriber_id = str_trim(json_str(v));
    } else if (v && !yyjson_is_null(v)) {
        check_fail(c, "subscriber must be an object or a string");
    }
    if (!x->patch.subscriber_id.n)
        x->patch.subscriber_id = str_trim(check_string(c, c->rq->json, "subscriberId", false));
    subscriber_id_check(c, x);
}

/* --- HMAC (§1.4) ------------------------------------------------------------------------------------------------ */

static bool hashes_check(struct request *rq, struct session *x, const struct integration *i, struct error *err)
{
    struct str given = json_get_str(rq->json, x->widget ? "hmacHash" : "subscriberHash"), context = json_get_str(rq->json, "contextHash");
    struct str *secrets;
    size_t n;
    bool enforced;
    if (!inbox_hash_enforced(rq, &x->environment, i, &enforced, err))
        return false;
    if (!enforced && !given.n)
        return true;
    if (!directory_secrets(app_db(rq), &app_of(rq)->box, rq->arena, x->environment.id, &secrets, &n, err))
        return false;
    x->trusted = subscriber_hash_good(rq->arena, secrets, n, x->patch.subscriber_id, given);
    if (!enforced)
        return true;
    if (!x->trusted)
        return error_http(err, 400, "Please provide a valid HMAC hash");
    if (x->context && !context_hash_good(rq->arena, secrets, n, x->context, context))
        return error_http(err, 400, "Please provide a valid context HMAC hash");
    return true;
}

/* --- the environment -------------------------------------------------------------------------------------------- */

static bool integration_check(struct request *rq, struct session *x, const struct environment_view *e, struct error *err)
{
    for (size_t i = 0; i < e->integrations_n; i++)
        if (e->integrations[i].channel == CHANNEL_IN_APP && e->integrations[i].active)
            return hashes_check(rq, x, &e->integrations[i], err);
    return error_http(err, 404, "The active in-app integration could not be found");
}

/* Takes what the session needs of it, and gives it back. */
static bool environment_take(struct request *rq, struct session *x, struct environment_view *e, struct error *err)
{
    x->environment = e->environment;
    x->environment.application_identifier = str_dup(rq->arena, e->environment.application_identifier);
    x->environment.type = str_dup(rq->arena, e->environment.type);
    x->environment.name = str_dup(rq->arena, e->environment.name);
    bool ok = integration_check(rq, x, e, err);
    cached_unref(&e->head);
    return ok;
}

/* A browser keeps the identifier of its demo environment beyond the day that this lives: it gets another one. */
static bool keyless_check(struct request *rq, struct session *x, struct str application, struct error *err)
{
    struct error missing = {0};
    if (!keyless_offered(rq))
        return error_http(err, 400, "Keyless is not supported in community edition");
    x->patch.subscriber_id = STR(KEYLESS_SUBSCRIBER);
    struct environment_view *e = application.n ? directory_application(app_of(rq)->directory, app_db(rq), application, &missing) : NULL;
    if (e && environment_keyless_lives(&e->environment, app_now(rq)))
        return environment_take(rq, x, e, err);
    if (e)
        cached_unref(&e->head);
    x->fresh = true;
    x->w.flags = WRITE_DIRECTORY | WRITE_DEFINITIONS;
    if (missing.code && missing.code != ERROR_NOT_FOUND)
        *err = missing;
    return !err->code;
}

/* Steps 1 to 5 of §1.2. */
static bool session_check(struct request *rq, struct session *x, struct str application, struct error *err)
{
    if (!application.n && x->patch.subscriber_id.n)
        return error_http(err, 422, "A valid application identifier is required when providing subscriber information");
    if (!application.n || (keyless_identifier(application) && !x->widget))
        return keyless_check(rq, x, application, err);
    if (!x->patch.subscriber_id.n)
        return error_http(err, 422, "Subscriber ID is required");
    struct environment_view *e = directory_application(app_of(rq)->directory, app_db(rq), application, err);
    if (!e)
        return err->code == ERROR_NOT_FOUND
            ? error_http(err, 400, "Please provide a valid %s identifier", x->widget ? "app" : "application") : false;
    return environment_take(rq, x, e, err);
}

static bool is_development(const struct environment *e)
{
    if (e->type.n)
        return !environment_is_production(e);
    return !str_eq_nocase(e->name, STR("production"));
}

/* --- the subscriber ----------------------------------------------------------------------------------------------- */

/* The schedule that is stored, if any. */
static bool schedule_load(struct request *rq, struct session *x, struct db *db, struct error *err)
{
    struct preference_rows rows;
    if (!preference_for_run(db, rq->arena, x->row.id, (struct id){{0}}, (struct id){{0}}, x->joined, &rows, err))
        return false;
    x->schedule = rows.found & PREFERENCE_GLOBAL ? rows.global.schedule : STR_NULL;
    return true;
}

/* What the answer says beside the subscriber. */
static bool state_read(struct request *rq, struct session *x, struct db *db, struct error *err)
{
    struct inbox_owner o = {.environment = x->environment.id, .subscriber = x->row.id, .context = x->joined};
    return schedule_load(rq, x, db, err) && inbox_counts(db, &o, &x->counts, err);
}

static bool needs_update(const struct session *x)
{
    return x->trusted && subscriber_patch_changes(&x->patch, &x->row);
}

/* A default schedule is for who has none (inbox-realtime.md §1.1). */
static bool schedule_settle(struct request *rq, struct session *x, struct db *db, struct error *err)
{
    struct preference row = preference_blank();
    struct subscriber held;
    if (!x->default_schedule.p || x->schedule.p)
        return true;
    if (!subscriber_find_by_id_locked(db, rq->arena, x->environment.id, x->row.id, &held, err))
        return false;
    row.id = app_id(rq);
    row.environment = x->environment.id;
    row.subscriber = x->row.id;
    row.context = x->joined;
    row.schedule = x->schedule = x->default_schedule;
    return preference_write(db, &row, app_now(rq), err);
}

static bool subscriber_settle(struct request *rq, struct session *x, struct db *db, struct error *err)
{
    struct error missing = {0};
    struct id id;
    if (!subscriber_find(db, rq->arena, x->environment.id, x->patch.subscriber_id, &x->row, &missing)) {
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        return subscriber_upsert(db, x->environment.id, &x->patch, app_id(rq), app_now(rq), &id, err)
            && subscriber_find_by_id(db, rq->arena, x->environment.id, id, &x->row, err);
    }
    if (!needs_update(x))
        return true;
    subscriber_patch_apply(&x->patch, &x->row);
    return subscriber_update(db, x->environment.id, &x->patch, app_now(rq), err);
}

/* Decides anew: another session may have made the subscriber or the contexts meanwhile. */
static bool session_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct session *x = (struct session *)w;
    struct request *rq = w->rq;
    struct context made[CONTEXTS_MAX];
    memcpy(made, x->contexts, sizeof made);
    if (x->fresh && !keyless_create(rq, db, &x->environment, err))
        return false;
    return subscriber_settle(rq, x, db, err)
        && context_ensure(db, rq->arena, x->environment.id, made, x->contexts_n, &app_of(rq)->ids, app_now(rq), err)
        && state_read(rq, x, db, err) && schedule_settle(rq, x, db, err);
}

static int capped(int n)
{
    return n > INBOX_COUNT_CAP ? INBOX_COUNT_CAP : n;
}

static void session_reply(struct api_write *w)
{
    struct session *x = (struct session *)w;
    struct request *rq = w->rq;
    static const enum severity order[] = {SEVERITY_HIGH, SEVERITY_MEDIUM, SEVERITY_LOW, SEVERITY_NONE};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "applicationIdentifier", x->environment.application_identifier);
    json_add_str(d, o, "token", subscriber_token_make(rq->arena, app_of(rq)->jwt_secret, &x->row, x->environment.organization,
                                                      x->joined));
    json_add_int(d, o, "totalUnreadCount", capped(x->counts.unread));
    yyjson_mut_val *unread = json_add_obj(d, o, "unreadCount");
    json_add_int(d, unread, "total", capped(x->counts.unread));
    yyjson_mut_val *severity = json_add_obj(d, unread, "severity");
    for (size_t i = 0; i < SEVERITIES; i++)
        json_add_int(d, severity, severity_name(order[i]).p, capped(x->counts.by_severity[order[i]]));
    json_add_bool(d, o, "removeNovuBranding", true);
    json_add_int(d, o, "maxSnoozeDurationHours", app_of(rq)->snooze_hours_max);
    json_add_bool(d, o, "isDevelopmentMode", is_development(&x->environment));
    json_add_text(d, o, "schedule", x->schedule);
    context_keys_add(d, o, x->joined);
    reply_json(rq, 0, o);
}

static void widget_reply(struct api_write *w)
{
    static const struct { const char *key; enum subscriber_field f; } profile[] = {
        {"firstName", SUBSCRIBER_FIRST_NAME}, {"lastName", SUBSCRIBER_LAST_NAME}, {"phone", SUBSCRIBER_PHONE}};
    struct session *x = (struct session *)w;
    struct request *rq = w->rq;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "token", subscriber_token_make(rq->arena, app_of(rq)->jwt_secret, &x->row, x->environment.organization,
                                                      x->joined));
    yyjson_mut_val *who = json_add_obj(d, o, "profile");
    json_add_id(d, who, "_id", x->row.id);
    for (size_t i = 0; i < sizeof profile / sizeof *profile; i++)
        if (x->row.field[profile[i].f].p)
            json_add_str(d, who, profile[i].key, x->row.field[profile[i].f]);
    reply_json(rq, 0, o);
}

/* *known: all are there. */
static bool contexts_known(struct request *rq, struct session *x, bool *known, struct error *err)
{
    struct error missing = {0};
    struct context c;
    *known = true;
    for (size_t i = 0; i < x->contexts_n && *known; i++)
        *known = context_find(app_db(rq), rq->arena, x->environment.id, x->contexts[i].type, x->contexts[i].identifier, &c, &missing);
    if (*known || missing.code == ERROR_NOT_FOUND)
        return true;
    *err = missing;
    return false;
}

/* Most sessions change nothing: they are answered without a commit. */
static bool session_unchanged(struct request *rq, struct session *x, bool *unchanged, struct error *err)
{
    struct error missing = {0};
    *unchanged = false;
    if (x->fresh)
        return true;
    if (!subscriber_find(app_db(rq), rq->arena, x->environment.id, x->patch.subscriber_id, &x->row, &missing)) {
        if (missing.code != ERROR_NOT_FOUND)
            *err = missing;
        return missing.code == ERROR_NOT_FOUND;
    }
    if (needs_update(x) || !contexts_known(rq, x, unchanged, err) || !state_read(rq, x, app_db(rq), err))
        return !err->code;
    *unchanged = *unchanged && (!x->default_schedule.p || x->schedule.p);
    return true;
}

static void session_answer(struct request *rq, struct session *x, struct str application)
{
    struct error err = {0};
    bool unchanged;
    if (!session_check(rq, x, application, &err) || !session_unchanged(rq, x, &unchanged, &err))
        reply_error(rq, &err);
    else if (unchanged)
        x->w.reply(&x->w);
    else
        api_write(rq, &x->w);
}

void inbox_handle_session(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct session *x = ARENA_NEW(rq->arena, struct session);
    x->w = (struct api_write){.rq = rq, .apply = session_apply, .reply = session_reply};
    if (!yyjson_is_obj(rq->json))
        check_fail(&checks, "The body must be an object");
    struct str application = check_string(&checks, rq->json, "applicationIdentifier", false);
    check_string(&checks, rq->json, "subscriberHash", false);
    check_string(&checks, rq->json, "contextHash", false);
    subscriber_read(&checks, x);
    contexts_check(&checks, x);
    schedule_read(&checks, x);
    if (checks_done(&checks))
        session_answer(rq, x, application);
}

/* Everything is in one object, and there are no contexts. */
void inbox_handle_widget_session(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct session *x = ARENA_NEW(rq->arena, struct session);
    x->widget = true;
    x->joined = STR("");
    x->w = (struct api_write){.rq = rq, .apply = session_apply, .reply = widget_reply};
    struct str application = check_string(&checks, rq->json, "applicationIdentifier", true);
    check_string(&checks, rq->json, "hmacHash", false);
    profile_read(&checks, x, rq->json, "");
    x->patch.subscriber_id = str_trim(check_string(&checks, rq->json, "subscriberId", true));
    subscriber_id_check(&checks, x);
    if (checks_done(&checks))
        session_answer(rq, x, application);
}
