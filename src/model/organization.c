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

bool organization_hold(struct db *db, struct id organization, struct error *err)
{
    if (db_kind_of(db) == DB_SQLITE)
        return true;
    struct db_stmt *s = db_query(db, err, "SELECT 1 FROM organizations WHERE id = ?1 FOR UPDATE", organization);
    return s && db_run(s, err);
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

/* The stored settings, to be changed and written back. */
static bool settings_open(struct db *db, struct arena *a, struct id organization, yyjson_mut_doc *d, yyjson_mut_val **out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT settings FROM organizations WHERE id = ?1", organization);
    yyjson_val *before = NULL;
    if (!s || !row_one(s, "Organization not found", err))
        return false;
    json_parse(a, row_text(s, 0, a), &before, NULL);
    db_reset(s);
    *out = yyjson_is_obj(before) ? yyjson_val_mut_copy(d, before) : yyjson_mut_obj(d);
    return true;
}

bool organization_settings_write(struct db *db, struct arena *a, struct id organization, const struct organization_settings *o,
                                 int64_t now, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *all, *list = yyjson_mut_arr(d);
    if (!settings_open(db, a, organization, d, &all, err))
        return false;
    for (size_t i = 0; i < o->target_locales_n; i++)
        yyjson_mut_arr_append(list, json_mut_str(d, o->target_locales[i]));
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "defaultLocale"), json_mut_str(d, o->default_locale));
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "targetLocales"), list);
    yyjson_mut_obj_put(all, yyjson_mut_str(d, "removeNovuBranding"), yyjson_mut_bool(d, o->remove_branding));
    return db_write(db, err, "UPDATE organizations SET settings = ?1, updated_at = ?2 WHERE id = ?3", json_write_mut(a, all), now,
                    organization);
}

/* --- the organisation itself and who belongs to it --------------------------------------------------------- */

static void organization_read(struct db_stmt *s, struct arena *a, void *out)
{
    yyjson_val *settings = NULL, *branding;
    json_parse(a, row_text(s, 2, a), &settings, NULL);
    branding = json_get(settings, "branding");
    *(struct organization *)out = (struct organization){.id = db_id(s, 0), .name = row_text(s, 1, a),
                                                        .branding = branding ? json_write(a, branding) : STR_NULL,
                                                        .created_at = db_int(s, 3), .updated_at = db_int(s, 4)};
}

bool organization_find(struct db *db, struct arena *a, struct id id, struct organization *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT id, name, settings, created_at, updated_at FROM organizations WHERE id = ?1", id);
    return row_find(s, a, organization_read, out, "Organization not found", err);
}

bool organization_update(struct db *db, struct arena *a, const struct organization *o, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *all;
    if (!settings_open(db, a, o->id, d, &all, err))
        return false;
    yyjson_mut_obj_remove_key(all, "branding");
    json_add_text(d, all, "branding", o->branding);
    return db_write(db, err, "UPDATE organizations SET name = ?2, settings = ?3, updated_at = ?4 WHERE id = ?1", o->id, o->name,
                    json_write_mut(a, all), o->updated_at);
}

static void member_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct organization_member *)out = (struct organization_member){
        .organization = db_id(s, 0),
        .user = db_id(s, 1),
        .role = row_text(s, 2, a),
        .created_at = db_int(s, 3),
        .first_name = row_text(s, 4, a),
        .last_name = row_text(s, 5, a),
        .email = row_text(s, 6, a),
    };
}

bool organization_members(struct db *db, struct arena *a, struct id id, struct organization_member **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT m.organization_id, m.user_id, m.role, m.created_at, u.first_name, u.last_name, u.email "
                                 "FROM members m JOIN users u ON u.id = m.user_id WHERE m.organization_id = ?1 "
                                 "ORDER BY m.created_at, m.user_id", id);
    return ROWS_READ(s, a, member_read, out, n, err);
}
