/* Notification groups and feeds in the store. */
#include "model/legacy_group.h"

#include "model/row.h"

#define COLUMNS "id, environment_id, kind, name, created_at, updated_at"

static void group_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct legacy_group *g = out;
    *g = (struct legacy_group){.id = db_id(s, 0), .environment = db_id(s, 1), .kind = (enum legacy_group_kind)db_int(s, 2),
                               .name = row_text(s, 3, a), .created_at = db_int(s, 4), .updated_at = db_int(s, 5)};
}

static bool group_write(struct db *db, const char *sql, const struct legacy_group *g, struct error *err)
{
    return db_write(db, err, sql, g->id, g->environment, g->kind, g->name, g->updated_at);
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
    return db_write(db, err, "DELETE FROM legacy_groups WHERE environment_id = ?1 AND id = ?2", g->environment, g->id);
}

bool legacy_group_find(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct id id,
                       struct legacy_group *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM legacy_groups WHERE environment_id = ?1 AND id = ?2 AND kind = ?3",
                                 environment, id, kind);
    return row_find(s, a, group_read, out, "Group not found", err);
}

bool legacy_group_list(struct db *db, struct arena *a, struct id environment, enum legacy_group_kind kind, struct legacy_group **out,
                       size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM legacy_groups WHERE environment_id = ?1 AND kind = ?2 ORDER BY id",
                                 environment, kind);
    return ROWS_READ(s, a, group_read, out, n, err);
}
