/* Layouts: what stands around the body of an e-mail (rest-api.md §6.9, content.md §4.6).
 *
 * doc: {isTranslationEnabled, values: {email: {body, editorType}}}.
 */
#ifndef MODEL_LAYOUT_H
#define MODEL_LAYOUT_H

#include "base/json.h"
#include "db/db.h"

enum { LAYOUTS_MAX = 100 };

struct layout {
    struct id id, environment;
    struct str identifier, name;
    bool is_default;
    struct str doc;
    int64_t created_at, updated_at;
};

/* The first of an environment becomes its default; l->is_default says so. ERROR_CONFLICT: the identifier is taken. */
bool layout_insert(struct db *db, struct layout *l, struct error *err);
/* Writes name and doc. */
bool layout_update(struct db *db, const struct layout *l, struct error *err);
bool layout_delete(struct db *db, struct id environment, struct id id, struct error *err);
/* The environment's default is this one from now on. */
bool layout_set_default(struct db *db, struct id environment, struct id id, struct error *err);
/* key: internal id, identifier or slug ("lt_"). ERROR_NOT_FOUND. */
bool layout_find(struct db *db, struct arena *a, struct id environment, struct str key, struct layout *out, struct error *err);
/* The environment's default; ERROR_NOT_FOUND if it has no layout. */
bool layout_find_default(struct db *db, struct arena *a, struct id environment, struct layout *out, struct error *err);
/* All of an environment (at most LAYOUTS_MAX and a few), oldest first. */
bool layout_list(struct db *db, struct arena *a, struct id environment, struct layout **out, size_t *n, struct error *err);
/* Creates or overwrites the target's layout of the same identifier, with its translations. */
bool layout_copy(struct db *db, struct arena *a, const struct layout *source, struct id target, struct id_source *ids, int64_t now,
                 struct error *err);

#endif
