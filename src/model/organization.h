/* What is set for a whole organisation (dashboard.md §3: removeNovuBranding, defaultLocale, targetLocales). */
#ifndef MODEL_ORGANIZATION_H
#define MODEL_ORGANIZATION_H

#include "base/json.h"
#include "db/db.h"

enum { TARGET_LOCALES_MAX = 200 };

struct organization_settings {
    struct str default_locale;          /* of readers whose own locale has no translation; "en_US" unless set */
    struct str *target_locales;         /* what every resource should be translated into */
    size_t target_locales_n;
    bool remove_branding;
};

struct organization {
    struct id id;
    struct str name;
    struct str branding;                /* JSON object {logo, color, …} as it was given; p NULL: none */
    int64_t created_at, updated_at;
};

struct organization_member {
    struct id organization, user;
    struct str role;
    struct str first_name, last_name, email;    /* p NULL: none */
    int64_t created_at;
};

/* ERROR_NOT_FOUND: there is no such organisation. */
bool organization_find(struct db *db, struct arena *a, struct id id, struct organization *out, struct error *err);
/* name, branding and time. */
bool organization_update(struct db *db, struct arena *a, const struct organization *o, struct error *err);
/* Longest members first. */
bool organization_members(struct db *db, struct arena *a, struct id id, struct organization_member **out, size_t *n, struct error *err);

/* ERROR_NOT_FOUND: there is no such organisation. */
/* Under PostgreSQL the organization is held until the transaction ends: configuration is written by one process at a time, each
 * from what the last one left. Costs nothing under SQLite, whose one writer is that already. None of that id: nothing is held. */
bool organization_hold(struct db *db, struct id organization, struct error *err);
bool organization_settings_find(struct db *db, struct arena *a, struct id organization, struct organization_settings *out,
                                struct error *err);
bool organization_settings_write(struct db *db, struct arena *a, struct id organization, const struct organization_settings *s,
                                 int64_t now, struct error *err);

/* The default locale of the organisation that has this environment. */
bool organization_locale(struct db *db, struct arena *a, struct id environment, struct str *out, struct error *err);

#endif
