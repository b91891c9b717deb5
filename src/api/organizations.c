/* /v1/organizations/settings (dashboard.md §3; the CLI's `translations pull` reads it with an environment's key). */
#include "api/app.h"
#include "api/tables.h"
#include "model/organization.h"
#include "model/translation.h"

struct settings_write {
    struct api_write w;
    struct organization_settings settings;
    bool sets_locale;
};

static yyjson_mut_val *settings_json(yyjson_mut_doc *d, const struct organization_settings *s)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *targets;
    json_add_bool(d, o, "removeNovuBranding", s->remove_branding);
    json_add_str(d, o, "defaultLocale", s->default_locale);
    targets = json_add_arr(d, o, "targetLocales");
    for (size_t i = 0; i < s->target_locales_n; i++)
        yyjson_mut_arr_append(targets, json_mut_str(d, s->target_locales[i]));
    return o;
}

static void handle_get(struct request *rq)
{
    struct organization_settings s;
    struct error err = {0};
    if (organization_settings_find(app_db(rq), rq->arena, rq->principal.organization, &s, &err))
        reply_json(rq, 0, settings_json(json_doc(rq->arena), &s));
    else
        reply_error(rq, &err);
}

static void check_targets(struct checks *c, yyjson_val *list, struct organization_settings *s)
{
    size_t i, n;
    yyjson_val *v;
    if (yyjson_arr_size(list) > TARGET_LOCALES_MAX) {
        check_fail(c, "targetLocales must contain no more than %d elements", TARGET_LOCALES_MAX);
        return;
    }
    s->target_locales = ARENA_ARRAY(c->rq->arena, struct str, yyjson_arr_size(list) + 1);
    s->target_locales_n = 0;
    yyjson_arr_foreach(list, i, n, v) {
        struct str locale = locale_normalise(c->rq->arena, json_str(v));
        if (!locale.p)
            check_fail(c, "targetLocales.%zu must be a language and a region, like en_US", i);
        s->target_locales[s->target_locales_n++] = locale;
    }
}

static void settings_read(struct checks *c, struct settings_write *x)
{
    struct organization_settings *s = &x->settings;
    yyjson_val *body = c->rq->json, *targets = check_array(c, body, "targetLocales", false);
    struct str locale = check_string(c, body, "defaultLocale", false);
    s->remove_branding = check_bool(c, body, "removeNovuBranding", s->remove_branding);
    x->sets_locale = locale.n > 0;
    if (locale.n) {
        s->default_locale = locale_normalise(c->rq->arena, locale);
        if (!s->default_locale.p)
            check_fail(c, "defaultLocale must be a language and a region, like en_US");
    }
    if (targets)
        check_targets(c, targets, s);
}

static bool write_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct settings_write *x = (struct settings_write *)w;
    struct organization_settings now, *s = &x->settings;
    if (!organization_settings_find(db, w->rq->arena, w->rq->principal.organization, &now, err))
        return false;
    if (!x->sets_locale)
        s->default_locale = now.default_locale;
    if (!json_get(w->rq->json, "removeNovuBranding"))
        s->remove_branding = now.remove_branding;
    if (!json_get(w->rq->json, "targetLocales")) {
        s->target_locales = now.target_locales;
        s->target_locales_n = now.target_locales_n;
    }
    return organization_settings_write(db, w->rq->arena, w->rq->principal.organization, s, app_now(w->rq), err);
}

static void write_reply(struct api_write *w)
{
    reply_json(w->rq, 0, settings_json(json_doc(w->rq->arena), &((struct settings_write *)w)->settings));
}

static void handle_patch(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct settings_write *x = ARENA_NEW(rq->arena, struct settings_write);
    struct error err = {0};
    /* Definitions hold the default locale. */
    x->w = (struct api_write){.rq = rq, .flags = WRITE_DEFINITIONS, .apply = write_apply, .reply = write_reply};
    if (!organization_settings_find(app_db(rq), rq->arena, rq->principal.organization, &x->settings, &err)) {
        reply_error(rq, &err);
        return;
    }
    settings_read(&c, x);
    if (checks_done(&c))
        api_write(rq, &x->w);
}

#define ORGANIZATION(method, path, operation, summary, permission, handler)                                                 \
    {method, path, operation, "Organizations", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handler}

const struct route organization_routes[] = {
    ORGANIZATION(HTTP_GET, "/v1/organizations/settings", "organizationsSettingsRetrieve", "Retrieve the organization's settings",
                 "ORG_SETTINGS_READ", handle_get),
    ORGANIZATION(HTTP_PATCH, "/v1/organizations/settings", "organizationsSettingsUpdate", "Change the organization's settings",
                 "ORG_SETTINGS_WRITE", handle_patch),
};
const size_t organization_routes_n = sizeof organization_routes / sizeof *organization_routes;
