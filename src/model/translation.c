/* Translations by resource and locale. */
#include "model/translation.h"

#include "model/row.h"
#include "model/workflow.h"

#define COLUMNS "environment_id, resource_type, resource_id, locale, content, created_at, updated_at"

struct str translated_name(enum translated t)
{
    return t == TRANSLATED_LAYOUT ? STR("layout") : STR("workflow");
}

bool translated_parse(struct str s, enum translated *t)
{
    *t = str_eqz(s, "layout") ? TRANSLATED_LAYOUT : TRANSLATED_WORKFLOW;
    return str_eq(s, translated_name(*t));
}

struct str locale_normalise(struct arena *a, struct str s)
{
    size_t language = 0;
    while (language < s.n && s.p[language] >= 'a' && s.p[language] <= 'z')
        language++;
    if (language < 2 || language > 3 || s.n != language + 3 || (s.p[language] != '_' && s.p[language] != '-'))
        return STR_NULL;
    for (size_t i = language + 1; i < s.n; i++)
        if (s.p[i] < 'A' || s.p[i] > 'Z')
            return STR_NULL;
    return str_fmt(a, "%.*s_%.2s", (int)language, s.p, s.p + language + 1);
}

static void translation_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct translation *t = out;
    *t = (struct translation){.environment = db_id(s, 0), .type = (enum translated)db_int(s, 1), .resource = row_text(s, 2, a),
                              .locale = row_text(s, 3, a), .content = row_text(s, 4, a), .created_at = db_int(s, 5),
                              .updated_at = db_int(s, 6)};
}

bool translation_write(struct db *db, struct translation *t, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "INSERT INTO translations (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                                 "ON CONFLICT (environment_id, resource_type, resource_id, locale) DO UPDATE SET "
                                 "content = ?5, updated_at = ?7 RETURNING created_at",
                                 t->environment, t->type, t->resource, t->locale, t->content, t->created_at, t->updated_at);
    if (!s)
        return false;
    if (!row_one(s, "nothing was written", err))
        return false;
    t->created_at = db_int(s, 0);
    db_reset(s);
    return true;
}

bool translation_find(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                      struct str locale, struct translation *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM translations WHERE environment_id = ?1 AND resource_type = ?2 "
                                 "AND resource_id = ?3 AND locale = ?4",
                                 environment, type, resource, locale);
    return row_find(s, a, translation_read, out, "Translation not found", err);
}

bool translation_list(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                      struct translation **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM translations WHERE environment_id = ?1 AND resource_type = ?2 "
                                 "AND resource_id = ?3 ORDER BY locale",
                                 environment, type, resource);
    return ROWS_READ(s, a, translation_read, out, n, err);
}

bool translation_list_by_locale(struct db *db, struct arena *a, struct id environment, enum translated type, struct str locale,
                                struct translation **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " COLUMNS
                                 " FROM translations WHERE environment_id = ?1 AND resource_type = ?2 "
                                 "AND locale = ?3 ORDER BY resource_id",
                                 environment, type, locale);
    return ROWS_READ(s, a, translation_read, out, n, err);
}

/* One row per locale, in the order of the groups. */
struct locale_row {
    enum translated type;
    struct str resource, name, locale;
    int64_t created_at, updated_at;
};

static void locale_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct locale_row *)out = (struct locale_row){.type = (enum translated)db_int(s, 0), .resource = row_text(s, 1, a),
                                                    .name = row_text(s, 2, a), .locale = row_text(s, 3, a),
                                                    .created_at = db_int(s, 4), .updated_at = db_int(s, 5)};
}

static void group_add(struct arena *a, struct translation_group *g, const struct locale_row *row, size_t room)
{
    if (!g->n) {
        *g = (struct translation_group){.type = row->type, .resource = row->resource, .name = row->name, .created_at = row->created_at,
                                        .locales = ARENA_ARRAY(a, struct str, room), .written = ARENA_ARRAY(a, int64_t, room)};
    }
    g->locales[g->n] = row->locale;
    g->written[g->n++] = row->updated_at;
    g->created_at = row->created_at < g->created_at ? row->created_at : g->created_at;
    g->updated_at = row->updated_at > g->updated_at ? row->updated_at : g->updated_at;
}

bool translation_groups(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                        struct translation_group **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT t.resource_type, t.resource_id, COALESCE(w.name, l.name), t.locale, t.created_at, "
                                 "t.updated_at FROM translations AS t "
                                 "LEFT JOIN workflows AS w ON t.resource_type = 1 AND w.environment_id = ?1 AND w.identifier = t.resource_id "
                                 "LEFT JOIN layouts AS l ON t.resource_type = 2 AND l.environment_id = ?1 AND l.identifier = t.resource_id "
                                 "WHERE t.environment_id = ?1 AND (?3 IS NULL OR (t.resource_type = ?2 AND t.resource_id = ?3)) "
                                 "ORDER BY t.resource_type, t.resource_id, t.locale",
                                 environment, type, resource);
    struct locale_row *rows;
    size_t rows_n;
    *n = 0;
    if (!ROWS_READ(s, a, locale_read, &rows, &rows_n, err))
        return false;
    *out = ARENA_ARRAY(a, struct translation_group, rows_n + 1);
    for (size_t i = 0, end; i < rows_n; i = end, ++*n)
        for (end = i; end < rows_n && rows[end].type == rows[i].type && str_eq(rows[end].resource, rows[i].resource); end++)
            group_add(a, &(*out)[*n], &rows[end], rows_n - i);
    return true;
}

bool translation_delete(struct db *db, struct id environment, enum translated type, struct str resource, struct str locale,
                        int64_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM translations WHERE environment_id = ?1 AND resource_type = ?2 "
                                 "AND resource_id = ?3 AND (?4 IS NULL OR locale = ?4)",
                                 environment, type, resource, locale.n ? locale : STR_NULL);
    if (!s || !db_run(s, err))
        return false;
    *n = db_changes(s);
    return true;
}

bool translation_copy(struct db *db, struct arena *a, struct id source, struct id target, enum translated type, struct str resource,
                      int64_t now, struct error *err)
{
    struct translation *list;
    size_t n;
    int64_t gone;
    if (!translation_delete(db, target, type, resource, STR_NULL, &gone, err) || !translation_list(db, a, source, type, resource, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        list[i].environment = target;
        list[i].created_at = list[i].updated_at = now;
        if (!translation_write(db, &list[i], err))
            return false;
    }
    return true;
}

static bool layout_named(struct db *db, struct arena *a, struct id environment, struct str identifier, struct str *name,
                         struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT name FROM layouts WHERE environment_id = ?1 AND identifier = ?2",
                                 environment, identifier);
    if (!s)
        return false;
    if (!row_one(s, "Layout not found", err))
        return false;
    *name = row_text(s, 0, a);
    db_reset(s);
    return true;
}

bool translation_resource(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                          struct str *identifier, struct str *name, struct error *err)
{
    struct workflow w;
    if (type == TRANSLATED_LAYOUT) {
        *identifier = resource;
        return layout_named(db, a, environment, resource, name, err);
    }
    if (!workflow_find(db, a, environment, resource, &w, err))
        return false;
    *identifier = w.identifier;
    *name = w.name;
    return true;
}
