/* People who run a server. */
#include "model/user.h"

#include "model/row.h"

static void user_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct user *)out = (struct user){
        .id = db_id(s, 0),
        .first_name = row_text(s, 1, a),
        .last_name = row_text(s, 2, a),
        .email = row_text(s, 3, a),
        .profile_picture = row_text(s, 4, a),
        .show_onboarding = db_int(s, 5) != 0,
        .has_password = db_int(s, 6) != 0,
        .created_at = db_int(s, 7),
    };
}

bool user_find(struct db *db, struct arena *a, struct id id, struct user *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT id, first_name, last_name, email, profile_picture, show_onboarding, "
                                 "CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END, created_at FROM users WHERE id = ?1", id);
    return row_find(s, a, user_read, out, "User not found", err);
}

bool user_update_profile(struct db *db, struct id id, struct str first_name, struct str last_name, struct str picture, int64_t now,
                         struct error *err)
{
    return db_write(db, err, "UPDATE users SET first_name = ?2, last_name = ?3, profile_picture = COALESCE(?4, profile_picture), "
                    "updated_at = ?5 WHERE id = ?1", id, first_name, last_name, picture, now);
}

bool user_update_onboarding(struct db *db, struct id id, bool show, int64_t now, struct error *err)
{
    return db_write(db, err, "UPDATE users SET show_onboarding = ?2, updated_at = ?3 WHERE id = ?1", id, (int64_t)show, now);
}
