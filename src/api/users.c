/* /v1/users: the person that a secret key acts for, which is who made it (rest-api.md §2, §6.20); and /v1/telemetry, where
 * clients tell what people do with them: taken, and dropped. Nothing of it is kept or leaves the server. */
#include "api/app.h"
#include "api/tables.h"
#include "model/user.h"

enum { NAME_MAX_BYTES = 100, PICTURE_MAX_BYTES = 2048 };

struct user_write {
    struct api_write w;
    struct user row;                    /* as it is after */
    struct str first_name, last_name, picture;
    bool show;
};

static yyjson_mut_val *user_json(yyjson_mut_doc *d, const struct user *u)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", u->id);
    json_add_str(d, o, "firstName", u->first_name);
    json_add_str(d, o, "lastName", u->last_name);
    json_add_str(d, o, "email", u->email);
    json_add_str(d, o, "profilePicture", u->profile_picture);
    json_add_time(d, o, "createdAt", u->created_at);
    json_add_bool(d, o, "showOnBoarding", u->show_onboarding);
    json_add_obj(d, o, "servicesHashes");
    json_add_bool(d, o, "hasPassword", u->has_password);
    return o;
}

static void handle_me(struct request *rq)
{
    struct user u;
    struct error err = {0};
    if (user_find(app_db(rq), rq->arena, rq->principal.user, &u, &err))
        reply_json(rq, 0, user_json(json_doc(rq->arena), &u));
    else
        reply_error(rq, &err);
}

static void user_reply(struct api_write *w)
{
    reply_json(w->rq, 0, user_json(json_doc(w->rq->arena), &((struct user_write *)w)->row));
}

static struct user_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err))
{
    struct user_write *x = ARENA_NEW(rq->arena, struct user_write);
    x->w.apply = apply;
    x->w.reply = user_reply;
    return x;
}

static bool profile_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct user_write *x = (struct user_write *)w;
    struct id me = w->rq->principal.user;
    return user_update_profile(db, me, x->first_name, x->last_name, x->picture, app_now(w->rq), err)
        && user_find(db, w->rq->arena, me, &x->row, err);
}

/* Upstream has an answer of its own for a name that was given and is empty (update-name-and-profile-picture.e2e.ts). */
static struct str name_read(struct checks *c, const char *key, bool *empty)
{
    bool given = yyjson_is_str(json_get(c->rq->json, key));
    struct str name = str_trim(check_string(c, c->rq->json, key, !given));
    *empty |= given && !name.n;
    if (name.n > NAME_MAX_BYTES)
        check_fail(c, "%s must be shorter than or equal to %d characters", key, NAME_MAX_BYTES);
    return name;
}

static void handle_profile(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct user_write *x = write_new(rq, profile_apply);
    bool empty = false;
    x->first_name = name_read(&c, "firstName", &empty);
    x->last_name = name_read(&c, "lastName", &empty);
    x->picture = check_string(&c, rq->json, "profilePicture", false);
    if (x->picture.n)
        check_picture(&c, x->picture);
    else
        x->picture = STR_NULL;
    if (x->picture.n > PICTURE_MAX_BYTES)
        check_fail(&c, "profilePicture must be shorter than or equal to %d characters", PICTURE_MAX_BYTES);
    if (!checks_done(&c))
        return;
    if (empty)
        reply_fail(rq, 400, "First name and last name are required");
    else
        api_write(rq, &x->w);
}

static bool onboarding_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct user_write *x = (struct user_write *)w;
    struct id me = w->rq->principal.user;
    return user_update_onboarding(db, me, x->show, app_now(w->rq), err) && user_find(db, w->rq->arena, me, &x->row, err);
}

static void handle_onboarding(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct user_write *x = write_new(rq, onboarding_apply);
    x->show = check_bool(&c, rq->json, "showOnBoarding", false);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

/* --- telemetry --------------------------------------------------------------------------------------------------------- */

static void handle_measure(struct request *rq)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", true);
    reply_json(rq, 0, o);
}

static void handle_identify(struct request *rq)
{
    reply_empty(rq, 204);
}

#define USER(method, path, operation, summary, handler)                                                                       \
    {method, "/v1/users/" path, operation, "Users", summary, AUTH_ENVIRONMENT, NULL, RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, \
     handler}
#define TELEMETRY(path, operation, summary, status, envelope, handler)                                                      \
    {HTTP_POST, "/v1/telemetry/" path, operation, "Telemetry", summary, AUTH_ENVIRONMENT, NULL, RATE_GLOBAL, 1, status, envelope, \
     0, ROUTE_READ_ONLY, handler}

const struct route user_routes[] = {
    USER(HTTP_GET, "me", "usersMeV1", "The person that the key acts for", handle_me),
    USER(HTTP_PUT, "profile", "usersProfileV1", "Change the name and the picture of that person", handle_profile),
    USER(HTTP_PUT, "onboarding", "usersOnboardingV1", "Is that person to be shown around?", handle_onboarding),
    TELEMETRY("measure", "telemetryMeasureV1", "Tell what was done with a client: dropped", 201, ENVELOPE_DATA, handle_measure),
    TELEMETRY("identify", "telemetryIdentifyV1", "Tell who uses a client: dropped", 204, ENVELOPE_NONE, handle_identify),
};
const size_t user_routes_n = sizeof user_routes / sizeof *user_routes;
