/* Layouts of an environment. */
#include "model/layout.h"

#include "model/row.h"
#include "model/translation.h"
#include "model/workflow.h"

#define COLUMNS "id, environment_id, identifier, name, is_default, doc, created_at, updated_at"

static void layout_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct layout *l = out;
    *l = (struct layout){.id = db_id(s, 0), .environment = db_id(s, 1), .identifier = row_text(s, 2, a), .name = row_text(s, 3, a),
                         .is_default = db_int(s, 4) != 0, .doc = row_text(s, 5, a), .created_at = db_int(s, 6),
                         .updated_at = db_int(s, 7)};
}

bool layout_insert(struct db *db, struct layout *l, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "INSERT INTO layouts (" COLUMNS
                                 ") SELECT ?1, ?2, ?3, ?4, CASE WHEN EXISTS (SELECT 1 FROM "
                                 "layouts WHERE environment_id = ?2 AND is_default = 1) THEN 0 ELSE 1 END, ?5, ?6, ?7 "
                                 "RETURNING is_default",
                                 l->id, l->environment, l->identifier, l->name, l->doc, l->created_at, l->updated_at);
    if (!s)
        return false;
    if (!row_one(s, "nothing was inserted", err))
        return false;
    l->is_default = db_int(s, 0) != 0;
    db_reset(s);
    return true;
}

bool layout_update(struct db *db, const struct layout *l, struct error *err)
{
    return db_write(db, err, "UPDATE layouts SET name = ?3, doc = ?4, updated_at = ?5 WHERE environment_id = ?1 AND id = ?2",
                    l->environment, l->id, l->name, l->doc, l->updated_at);
}

bool layout_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "DELETE FROM layouts WHERE environment_id = ?1 AND id = ?2", environment, id);
}

bool layout_set_default(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "UPDATE layouts SET is_default = 0 WHERE environment_id = ?1 AND is_default = 1", environment)
        && db_write(db, err, "UPDATE layouts SET is_default = 1 WHERE environment_id = ?1 AND id = ?2", environment, id);
}

static bool one(struct db_stmt *s, struct arena *a, struct layout *out, struct error *err)
{
    if (!row_one(s, "Layout not found", err))
        return false;
    layout_read(s, a, out);
    db_reset(s);
    return true;
}

bool layout_find(struct db *db, struct arena *a, struct id environment, struct str key, struct layout *out, struct error *err)
{
    struct db_stmt *s;
    struct id id;
    if (id_parse(key, &id) || slug_parse(key, "lt_", &id)) {
        s = db_prepare(db, "SELECT " COLUMNS " FROM layouts WHERE environment_id = ?1 AND id = ?2", err);
        if (!s)
            return false;
        db_bind_id(s, 1, environment);
        db_bind_id(s, 2, id);
        if (one(s, a, out, err))
            return true;
        if (err->code != ERROR_NOT_FOUND)
            return false;
    }
    s = db_prepare(db, "SELECT " COLUMNS " FROM layouts WHERE environment_id = ?1 AND identifier = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, key);
    return one(s, a, out, err);
}

bool layout_find_default(struct db *db, struct arena *a, struct id environment, struct layout *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM layouts WHERE environment_id = ?1 AND is_default = 1 LIMIT 1",
                                 environment);
    if (!s)
        return false;
    return one(s, a, out, err);
}

bool layout_list(struct db *db, struct arena *a, struct id environment, struct layout **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS " FROM layouts WHERE environment_id = ?1 ORDER BY id",
                                 environment);
    return ROWS_READ(s, a, layout_read, out, n, err);
}

bool layout_copy(struct db *db, struct arena *a, const struct layout *source, struct id target, struct id_source *ids, int64_t now,
                 struct error *err)
{
    struct layout l;
    struct error missing = {0};
    bool exists = layout_find(db, a, target, source->identifier, &l, &missing);
    if (!exists && missing.code != ERROR_NOT_FOUND)
        return *err = missing, false;
    if (!exists)
        l = (struct layout){.id = id_new(ids, now), .environment = target, .identifier = source->identifier, .created_at = now};
    l.name = source->name;
    l.doc = source->doc;
    l.updated_at = now;
    return (exists ? layout_update(db, &l, err) : layout_insert(db, &l, err))
        && translation_copy(db, a, source->environment, target, TRANSLATED_LAYOUT, source->identifier, now, err);
}
