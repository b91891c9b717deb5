/* Contexts in the store, and `context` of a request. */
#include "model/context.h"

#include <stdlib.h>

#include "model/row.h"

#define CONTEXT_COLUMNS "id, environment_id, type, identifier, data, bridge_url, created_at, updated_at"

static void context_row(struct db_stmt *s, struct arena *a, void *out)
{
    struct context *c = out;
    *c = (struct context){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .type = row_text(s, 2, a),
        .identifier = row_text(s, 3, a),
        .data = row_text(s, 4, a),
        .bridge_url = row_text(s, 5, a),
        .created_at = db_int(s, 6),
        .updated_at = db_int(s, 7),
    };
}

/* --- reading a request ------------------------------------------------------------------------------------- */

bool context_name_valid(struct str s)
{
    size_t i = 0;
    while (i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')
                       || s.p[i] == '_' || s.p[i] == '-'))
        i++;
    return i == s.n && i >= 1 && i <= 100;
}

static struct str context_key(struct arena *a, const struct context *c)
{
    return str_fmt(a, "%.*s:%.*s", STR_ARG(c->type), STR_ARG(c->identifier));
}

/* The complaint about one entry; p NULL: none. */
static struct str entry_read(struct arena *a, struct str type, yyjson_val *v, struct context *c)
{
    yyjson_val *data = json_get(v, "data");
    struct str shown = str_sub(type, 0, 100);
    *c = (struct context){.type = type, .identifier = yyjson_is_obj(v) ? json_get_str(v, "id") : json_str(v)};
    if (!context_name_valid(type))
        return str_fmt(a, "context type \"%.*s\" must have 1 to 100 characters of a-z, A-Z, 0-9, _ and -", STR_ARG(shown));
    if (!context_name_valid(c->identifier))
        return str_fmt(a, "context.%.*s must be an id of 1 to 100 characters of a-z, A-Z, 0-9, _ and -, or an object with such an id",
                       STR_ARG(shown));
    if (!data)
        return STR_NULL;
    if (!yyjson_is_obj(data))
        return str_fmt(a, "context.%.*s.data must be an object", STR_ARG(shown));
    c->data = json_write(a, data);
    if (c->data.n > CONTEXT_DATA_MAX)
        return str_fmt(a, "context.%.*s.data must not be larger than %d bytes", STR_ARG(shown), CONTEXT_DATA_MAX);
    return STR_NULL;
}

static int by_key(const void *x, const void *y)
{
    const struct context *p = x, *q = y;
    int c = str_cmp(p->type, q->type);
    return c ? c : str_cmp(p->identifier, q->identifier);
}

/* Has a later member the same key? The last of equal keys counts. */
static bool repeated_later(yyjson_val *v, yyjson_val *key)
{
    return json_getn(v, json_str(key)) != yyjson_obj_iter_get_val(key);
}

size_t context_read(struct arena *a, yyjson_val *v, struct context out[CONTEXTS_MAX], size_t *n, struct str *messages, size_t max)
{
    size_t bad = 0, total = 0;
    yyjson_val *key;
    *n = 0;
    if (!v || yyjson_is_null(v) || max == 0)
        return 0;
    if (!yyjson_is_obj(v)) {
        messages[0] = STR("context must be an object");
        return 1;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((key = yyjson_obj_iter_next(&it)) && bad < max) {
        struct context c;
        if (repeated_later(v, key))
            continue;
        struct str complaint = entry_read(a, json_str(key), yyjson_obj_iter_get_val(key), &c);
        if (complaint.p)
            messages[bad++] = complaint;
        else if (*n < CONTEXTS_MAX)
            out[(*n)++] = c;
        total++;
    }
    if (total > CONTEXTS_MAX && bad < max)
        messages[bad++] = str_fmt(a, "context must contain no more than %d elements", CONTEXTS_MAX);
    if (*n)
        qsort(out, *n, sizeof *out, by_key);
    return bad;
}

struct str context_keys(struct arena *a, const struct context *c, size_t n)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_str(&b, context_key(a, &c[i]));
    }
    return buf_finish(&b);
}

/* --- the store ----------------------------------------------------------------------------------------------- */

static bool context_put(struct db *db, const struct context *c, bool *inserted, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "INSERT INTO contexts (id, environment_id, type, identifier, data, bridge_url, created_at, updated_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (environment_id, type, identifier) DO NOTHING",
            c->id, c->environment, c->type, c->identifier, c->data.p ? c->data : STR("{}"), c->bridge_url, c->created_at);
    if (!s || !db_run(s, err))
        return false;
    *inserted = db_changes(s) > 0;
    return true;
}

bool context_ensure(struct db *db, struct arena *a, struct id environment, struct context *c, size_t n, struct id_source *ids,
                    int64_t now, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        bool inserted;
        struct error missing = {0};
        if (context_find(db, a, environment, c[i].type, c[i].identifier, &c[i], &missing))
            continue;
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        c[i].id = id_new(ids, now);
        c[i].environment = environment;
        c[i].created_at = c[i].updated_at = now;
        if (!c[i].data.p)
            c[i].data = STR("{}");
        if (!context_put(db, &c[i], &inserted, err))
            return false;
        if (!inserted && !context_find(db, a, environment, c[i].type, c[i].identifier, &c[i], err))
            return false;
    }
    return true;
}

bool context_insert(struct db *db, const struct context *c, struct error *err)
{
    bool inserted;
    return context_put(db, c, &inserted, err)
        && (inserted || error_set(err, ERROR_CONFLICT, "Context with type '%.*s' and id '%.*s' already exists", STR_ARG(c->type),
                                  STR_ARG(c->identifier)));
}

#define FIND "SELECT " CONTEXT_COLUMNS " FROM contexts WHERE environment_id = ?1 AND type = ?2 AND identifier = ?3"

bool context_find(struct db *db, struct arena *a, struct id environment, struct str type, struct str identifier,
                  struct context *out, struct error *err)
{
    return row_find(db_query(db, err, FIND, environment, type, identifier), a, context_row, out, "Context not found", err);
}

bool context_find_locked(struct db *db, struct arena *a, struct id environment, struct str type, struct str identifier,
                         struct context *out, struct error *err)
{
    return row_find(db_query(db, err, FIND " FOR UPDATE", environment, type, identifier), a, context_row, out, "Context not found", err);
}

bool context_resolve(struct db *db, struct arena *a, struct id environment, struct str keys, yyjson_val **out, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *all = yyjson_mut_obj(d);
    while (keys.n) {
        ptrdiff_t comma = str_find(keys, STR(",")), colon = str_find(keys, STR(":"));
        struct str key = str_sub(keys, 0, comma < 0 ? keys.n : (size_t)comma);
        struct context c;
        struct error missing = {0};
        keys = str_sub(keys, key.n + 1, keys.n);
        if (colon < 0 || (size_t)colon >= key.n)
            continue;
        if (context_find(db, a, environment, str_sub(key, 0, (size_t)colon), str_sub(key, (size_t)colon + 1, key.n), &c, &missing)) {
            yyjson_mut_val *one = yyjson_mut_obj(d);
            json_add_str(d, one, "id", c.identifier);
            json_add_text(d, one, "data", c.data);
            yyjson_mut_obj_put(all, json_mut_str(d, c.type), one);
        } else if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
    }
    return json_parse(a, json_write_mut(a, all), out, err);
}

bool context_update(struct db *db, const struct context *c, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "UPDATE contexts SET data = ?1, bridge_url = ?2, updated_at = ?3 "
                                 "WHERE environment_id = ?4 AND type = ?5 AND identifier = ?6",
                                 c->data, c->bridge_url, c->updated_at, c->environment, c->type, c->identifier);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Context not found"));
}

bool context_delete(struct db *db, struct id environment, struct str type, struct str identifier, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "DELETE FROM contexts WHERE environment_id = ?1 AND type = ?2 AND identifier = ?3",
                                 environment, type, identifier);
    return s && db_run(s, err) && (db_changes(s) > 0 || error_set(err, ERROR_NOT_FOUND, "Context not found"));
}

/* --- list ------------------------------------------------------------------------------------------------------ */

static void filter_bind(struct db_stmt *s, const void *arg)
{
    const struct context_query *q = arg;        /* search is a pattern by now */
    if (q->type.n)
        db_bind_text(s, 5, q->type);
    if (q->identifier.n)
        db_bind_text(s, 6, q->identifier);
    if (q->search.n)
        db_bind_text(s, 7, q->search);
}

static void item_read(struct db_stmt *s, struct arena *a, void *item)
{
    context_row(s, a, item);
}

bool context_list(struct db *db, struct arena *a, struct id environment, const struct context_query *q, struct page *page,
                  struct error *err)
{
    struct context_query patterns = *q;
    struct buf filter = {.arena = a};
    struct page_source source = {.columns = CONTEXT_COLUMNS, .from = "contexts", .id = "id", .scope = "environment_id = ?1",
                                 .by = q->page.by_updated_at ? "updated_at" : "created_at", .bind = filter_bind, .read = item_read,
                                 .item_size = sizeof(struct context), .arg = &patterns};
    if (q->type.n)
        buf_z(&filter, " AND type = ?5");
    if (q->identifier.n)
        buf_z(&filter, " AND identifier = ?6");
    if (q->search.n) {
        buf_z(&filter, " AND lower(type || ':' || identifier) LIKE ?7 ESCAPE '\\'");
        patterns.search = row_contains(a, q->search);
    }
    source.filter = buf_finish(&filter);
    return page_read(db, a, environment, &source, &q->page, page, err);
}

yyjson_mut_val *context_json(yyjson_mut_doc *d, const struct context *c)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "type", c->type);
    json_add_str(d, o, "id", c->identifier);
    json_add_text(d, o, "data", c->data);
    if (c->bridge_url.p)
        json_add_str(d, o, "bridgeUrl", c->bridge_url);
    json_add_time(d, o, "createdAt", c->created_at);
    json_add_time(d, o, "updatedAt", c->updated_at);
    return o;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

struct str context_keys_join(struct arena *a, const struct str *keys, size_t n)
{
    struct str *sorted = ARENA_ARRAY(a, struct str, n);
    struct buf b = {.arena = a};
    for (size_t i = 0; i < n; i++)
        sorted[i] = keys[i];
    if (n)
        qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        if (!sorted[i].n)
            continue;
        if (b.n)
            buf_char(&b, ',');
        buf_str(&b, sorted[i]);
    }
    return b.n ? buf_finish(&b) : STR("");
}

void context_keys_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str keys)
{
    yyjson_mut_val *list = json_add_arr(d, o, "contextKeys");
    while (keys.n) {
        ptrdiff_t comma = str_find(keys, STR(","));
        size_t n = comma < 0 ? keys.n : (size_t)comma;
        yyjson_mut_arr_append(list, json_mut_str(d, str_sub(keys, 0, n)));
        keys = str_sub(keys, comma < 0 ? n : n + 1, keys.n);
    }
}
