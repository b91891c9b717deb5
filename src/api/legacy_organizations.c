/* /v1/organizations of older clients (rest-api.md §7): the one organisation that a secret key belongs to.
 *
 * A secret key acts for an environment: it reads and names its organisation, but neither makes others nor decides about
 * people, which upstream gives to signed-in users.
 */
#include <ctype.h>

#include "api/app.h"
#include "api/tables.h"
#include "model/organization.h"

enum { NAME_MAX_BYTES = 100 };

struct organization_write {
    struct api_write w;
    struct organization row;
    bool branding;                      /* R is the branding */
};

static yyjson_mut_val *organization_json(yyjson_mut_doc *d, const struct organization *x)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_str(d, o, "name", x->name);
    json_add_text(d, o, "branding", x->branding.p ? x->branding : STR("{}"));
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

static bool load(struct request *rq, struct organization *x)
{
    struct error err = {0};
    if (organization_find(app_db(rq), rq->arena, rq->principal.organization, x, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void handle_list(struct request *rq)
{
    struct organization x;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (!load(rq, &x))
        return;
    yyjson_mut_arr_append(list, organization_json(d, &x));
    reply_json(rq, 0, list);
}

static void handle_me(struct request *rq)
{
    struct organization x;
    if (load(rq, &x))
        reply_json(rq, 0, organization_json(json_doc(rq->arena), &x));
}

static bool organization_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct organization_write *x = (struct organization_write *)w;
    struct organization now;
    if (!organization_find(db, w->rq->arena, x->row.id, &now, err))
        return false;
    if (x->branding)
        x->row.name = now.name;
    else
        x->row.branding = now.branding;
    return organization_update(db, w->rq->arena, &x->row, err);
}

static void organization_reply(struct api_write *w)
{
    struct organization_write *x = (struct organization_write *)w;
    if (x->branding)
        reply_json_text(w->rq, 0, x->row.branding);
    else
        reply_json(w->rq, 0, organization_json(json_doc(w->rq->arena), &x->row));
}

static struct organization_write *write_new(struct request *rq)
{
    struct organization_write *x = ARENA_NEW(rq->arena, struct organization_write);
    x->w.flags = WRITE_HOLDS;
    x->w.apply = organization_apply;
    x->w.reply = organization_reply;
    if (!load(rq, &x->row))
        return NULL;
    x->row.updated_at = app_now(rq);
    return x;
}

static void handle_rename(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct organization_write *x = write_new(rq);
    struct str name = str_trim(check_string(&c, rq->json, "name", true));
    if (!x)
        return;
    if (name.n > NAME_MAX_BYTES)
        check_fail(&c, "name must be shorter than or equal to %d characters", NAME_MAX_BYTES);
    x->row.name = name;
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static bool is_colour(struct str s)
{
    size_t n = 0;
    s = str_sub(s, str_starts(s, STR("#")), s.n);
    while (n < s.n && isxdigit((unsigned char)s.p[n]))
        n++;
    return n == s.n && (n == 3 || n == 4 || n == 6 || n == 8);
}

static void handle_branding(struct request *rq)
{
    static const char *const members[] = {"logo", "color", "fontColor", "contentBackground", "fontFamily"};
    struct checks c = checks_begin(rq);
    struct organization_write *x = write_new(rq);
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *branding = yyjson_mut_obj(d);
    if (!x)
        return;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct str s = check_string(&c, rq->json, members[i], false);
        bool logo = !strcmp(members[i], "logo");
        if (logo && s.n)
            check_picture(&c, s);
        else if (!logo && strcmp(members[i], "fontFamily") != 0 && s.n && !is_colour(s))
            check_fail(&c, "%s must be a hexadecimal color", members[i]);
        if (s.p)
            json_add_str(d, branding, members[i], s);
    }
    x->branding = true;
    x->row.branding = json_write_mut(rq->arena, branding);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

static void handle_members(struct request *rq)
{
    struct organization_member *list;
    struct error err = {0};
    size_t n;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *all = yyjson_mut_arr(d);
    if (!organization_members(app_db(rq), rq->arena, rq->principal.organization, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, all), *user;
        json_add_id(d, o, "_id", list[i].user);
        json_add_id(d, o, "_userId", list[i].user);
        json_add_id(d, o, "_organizationId", list[i].organization);
        yyjson_mut_arr_append(json_add_arr(d, o, "roles"), json_mut_str(d, list[i].role));
        json_add_str(d, o, "memberStatus", STR("active"));
        user = json_add_obj(d, o, "user");
        json_add_id(d, user, "_id", list[i].user);
        json_add_str(d, user, "firstName", list[i].first_name);
        json_add_str(d, user, "lastName", list[i].last_name);
        json_add_str(d, user, "email", list[i].email);
    }
    reply_json(rq, 0, all);
}

static void handle_person(struct request *rq)
{
    reply_fail(rq, 403, "A secret key cannot make organizations or change their members");
}

#define ORGANIZATION(method, path, operation, summary, permission, status, handler)                                       \
    {method, "/v1/organizations" path, operation, "Organizations", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, \
     status, ENVELOPE_DATA, 0, 0, handler}

const struct route legacy_organization_routes[] = {
    ORGANIZATION(HTTP_GET, "", "organizationsListV1", "List the caller's organizations: one", NULL, 200, handle_list),
    ORGANIZATION(HTTP_POST, "", "organizationsCreateV1", "Create an organization (not with a secret key: 403)", NULL, 201, handle_person),
    ORGANIZATION(HTTP_PATCH, "", "organizationsRenameV1", "Rename the organization", "ORG_SETTINGS_WRITE", 200, handle_rename),
    ORGANIZATION(HTTP_GET, "/me", "organizationsMeV1", "The caller's organization", NULL, 200, handle_me),
    ORGANIZATION(HTTP_GET, "/members", "organizationsMembersV1", "List the organization's members", "ORG_SETTINGS_READ", 200, handle_members),
    ORGANIZATION(HTTP_PUT, "/members/{memberId}/roles", "organizationsMemberRoleV1", "Change a member's role (not with a secret key: 403)",
                 "ORG_SETTINGS_WRITE", 200, handle_person),
    ORGANIZATION(HTTP_DELETE, "/members/{memberId}", "organizationsMemberRemoveV1", "Remove a member (not with a secret key: 403)",
                 "ORG_SETTINGS_WRITE", 200, handle_person),
    ORGANIZATION(HTTP_PUT, "/branding", "organizationsBrandingV1", "Set the organization's branding", "ORG_SETTINGS_WRITE", 200,
                 handle_branding),
};
const size_t legacy_organization_routes_n = sizeof legacy_organization_routes / sizeof *legacy_organization_routes;
