/* Notification groups and feeds, which older clients make (rest-api.md §7): names, on which nothing hangs. */
#ifndef MODEL_LEGACY_GROUP_H
#define MODEL_LEGACY_GROUP_H

#include "base/json.h"
#include "db/db.h"

/* Stored numbers. */
enum legacy_group_kind { LEGACY_NOTIFICATION_GROUP, LEGACY_FEED };

struct legacy_group {
    struct id id, environment;
    enum legacy_group_kind kind;
    struct str name;
    int64_t created_at, updated_at;
};

/* ERROR_CONFLICT if another feed has the name. */
bool legacy_group_insert(struct db *db, const struct legacy_group *g, struct error *err);
/* Name and time; ERROR_CONFLICT as above. */
bool legacy_group_update(struct db *db, const struct legacy_group *g, struct error *err);
bool legacy_group_delete(struct db *db, const struct legacy_group *g, struct error *err);
/* ERROR_NOT_FOUND if missing. */
bool legacy_group_find(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct id id,
                       struct legacy_group *out, struct error *err);
/* Oldest first. */
bool legacy_group_list(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct legacy_group **out,
                       size_t *n, struct error *err);

#endif
