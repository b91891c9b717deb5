/* The people who run a server: who made a key, and who belongs to an organisation (rest-api.md §6.20). */
#ifndef MODEL_USER_H
#define MODEL_USER_H

#include "db/db.h"

struct user {
    struct id id;
    struct str first_name, last_name, email, profile_picture;     /* p NULL: none */
    bool show_onboarding, has_password;
    int64_t created_at;
};

/* ERROR_NOT_FOUND: there is no such person. */
bool user_find(struct db *db, struct arena *a, struct id id, struct user *out, struct error *err);
/* picture p NULL: stays as it is. */
bool user_update_profile(struct db *db, struct id id, struct str first_name, struct str last_name, struct str picture, int64_t now,
                         struct error *err);
bool user_update_onboarding(struct db *db, struct id id, bool show, int64_t now, struct error *err);

#endif
