/* Settings of organisations: members of the JSON in organizations.settings; others in it are kept. */
#include "model/organization.h"

#include "model/row.h"
#include "model/translation.h"

static void settings_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct organization_settings *o = out;
    yyjson_val *v = NULL, *locale;
    json_parse(a, row_text(s, 0, a), &v, NULL);
    *o = (struct organization_settings){.default_locale = json_get_str(v, "defaultLocale"),
                                        .remove_branding = json_get_bool(v, "removeNovuBranding", true)};
    if (!o->default_locale.n)
        o->default_locale = STR(LOCALE_DEFAULT);
    yyjson_val *list = json_get(v, "targetLocales");
    o->target_locales = ARENA_ARRAY(a, struct str, yyjson_arr_size(list) + 1);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((locale = yyjson_arr_iter_next(&it)))
        o->target_locales[o->target_locales_n++] = json_str(locale);
}

bool organization_settings_find(struct db *db, struct arena *a, struct id organization, struct organization_settings *out,
                                struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT settings FROM organizations WHERE id = ?1", organization);
    return row_find(s, a, settings_read, out, "Organization not found", err);
}

bool organization_locale(struct db *db, struct arena *a, struct id environment, struct str *out, struct error *err)
{
    struct organization_settings o;
    struct db_stmt *s = db_query(db, err, "SELECT o.settings FROM organizations AS o JOIN environments AS e "
                                 "ON e.organization_id = o.id WHERE e.id = ?1", environment);
    if (!row_find(s, a, settings_read, &o, "Organization not found", err))
        return false;
    *out = o.default_locale;
    return true;
}

bool organization_settings_write(struct db *db, struct arena *a, struct id organization, const struct organization_settings *o,
                                 int64_t now, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT settings FROM organizations WHERE id = ?1", organization);
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *before = NULL;
    if (!s || !row_one(s, "Organization not found", err))
        return false;
    json_parse(a, row_text(s, 0, a), &before, NULL);
    db_reset(s);
    yyjson_mut_val *all = yyjson_is_obj(before) ? yyjson_val_mut_copy(d, before) : yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < o->target_locales_n; i++)
        yyjson_mut_arr_append(list, json_mut_str(d, o->target_locales[i]));
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "defaultLocale"), json_mut_str(d, o->default_locale));
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "targetLocales"), list);
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "removeNovuBranding"), yyjson_mut_bool(d, o->remove_branding));
    return db_write(db, err, "UPDATE organizations SET settings = ?1, updated_at = ?2 WHERE id = ?3", json_write_mut(a, all), now,
                    organization);
}
