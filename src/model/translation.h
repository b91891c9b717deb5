/* What a workflow's or a layout's templates say in other languages (rest-api.md §6.10, content.md §5).
 *
 * A translation is one JSON object for one resource and one locale ("en_US"); {{t.a.b}} is its member b of a.
 */
#ifndef MODEL_TRANSLATION_H
#define MODEL_TRANSLATION_H

#include "base/json.h"
#include "db/db.h"

enum translated { TRANSLATED_WORKFLOW = 1, TRANSLATED_LAYOUT = 2 };

#define LOCALE_DEFAULT "en_US"

struct translation {
    struct id environment;
    enum translated type;
    struct str resource;            /* identifier of the workflow or layout */
    struct str locale;
    struct str content;             /* JSON object */
    int64_t created_at, updated_at;
};

struct str translated_name(enum translated t);
bool translated_parse(struct str s, enum translated *t);
/* "en_US": two or three lower-case letters, two upper-case ones. "en-US" is written as "en_US"; p NULL: not a locale. */
struct str locale_normalise(struct arena *a, struct str s);

/* Inserts or replaces; created_at of an existing one stays and is put into t. */
bool translation_write(struct db *db, struct translation *t, struct error *err);
bool translation_find(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                      struct str locale, struct translation *out, struct error *err);
/* Of one resource, by locale; contents included. */
bool translation_list(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                      struct translation **out, size_t *n, struct error *err);
/* Of one locale over all resources of a type. */
bool translation_list_by_locale(struct db *db, struct arena *a, struct id environment, enum translated type, struct str locale,
                                struct translation **out, size_t *n, struct error *err);
/* The locales that a resource has, without their texts. */
struct translation_group {
    enum translated type;
    struct str resource, name;
    struct str *locales;            /* by name */
    int64_t *written;               /* when locales[i] was written last */
    size_t n;
    int64_t created_at, updated_at;
};
/* By resource; resource p NULL: all of the environment. */
bool translation_groups(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                        struct translation_group **out, size_t *n, struct error *err);
/* locale empty: all of the resource. *n: how many went. */
bool translation_delete(struct db *db, struct id environment, enum translated type, struct str resource, struct str locale,
                        int64_t *n, struct error *err);

/* The texts of the target's resource become those of the source's. */
bool translation_copy(struct db *db, struct arena *a, struct id source, struct id target, enum translated type, struct str resource,
                      int64_t now, struct error *err);

/* Is there such a workflow or layout? resource: identifier, id or slug; out: its identifier and name. ERROR_NOT_FOUND. */
bool translation_resource(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                          struct str *identifier, struct str *name, struct error *err);

#endif
