/* Notification groups and feeds in the store. */
#include "model/legacy_group.h"

#include "model/row.h"

#define COLUMNS "id, environment_id, kind, name, created_at, updated_at"

static void group_read(struct db_stmt *s, struct arena *a, struct legacy_group *g)
{
    *g = (struct legacy_group){.id = db_id(s, 0), .environment = db_id(s, 1), .kind = (enum legacy_group_kind)db_int(s, 2),
                               .name = row_text(s, 3, a), .created_at = db_int(s, 4), .updated_at = db_int(s, 5)};
}

static bool group_write(struct db *db, const char *sql, const struct legacy_group *g, struct error *err)
{
    struct db_stmt *s = db_prepare(db, sql, err);
    if (!s)
        return false;
    db_bind_id(s, 1, g->id);
    db_bind_id(s, 2, g->environment);
    db_bind_int(s, 3, g->kind);
    db_bind_text(s, 4, g->name);
    db_bind_int(s, 5, g->updated_at);
    return db_run(s, err);
}

bool legacy_group_insert(struct db *db, const struct legacy_group *g, struct error *err)
{
    return group_write(db, "INSERT INTO legacy_groups (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?5)", g, err);
}

bool legacy_group_update(struct db *db, const struct legacy_group *g, struct error *err)
{
    return group_write(db, "UPDATE legacy_groups SET name = ?4, updated_at = ?5 WHERE environment_id = ?2 AND id = ?1 AND kind = ?3", g, err);
}

bool legacy_group_delete(struct db *db, const struct legacy_group *g, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "DELETE FROM legacy_groups WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    db_bind_id(s, 1, g->environment);
    db_bind_id(s, 2, g->id);
    return db_run(s, err);
}

bool legacy_group_find(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct id id,
                       struct legacy_group *out, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " COLUMNS " FROM legacy_groups WHERE environment_id = ?1 AND id = ?2 AND kind = ?3", err);
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    db_bind_int(s, 3, kind);
    if (!row_one(s, "Group not found", err))
        return false;
    group_read(s, a, out);
    db_reset(s);
    return true;
}

bool legacy_group_list(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct legacy_group **out,
                       size_t *n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT " COLUMNS " FROM legacy_groups WHERE environment_id = ?1 AND kind = ?2 ORDER BY id", err);
    enum db_step step;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_int(s, 2, kind);
    while ((step = db_step(s, err)) == DB_ROW)
        group_read(s, a, ARENA_SLOT(a, *out, *n, cap));
    db_reset(s);
    return step == DB_DONE;
}
