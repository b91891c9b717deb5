/* Domains and their routes in the store. */
#include "model/domain.h"

#include "model/row.h"

#define DOMAIN_COLUMNS "id, environment_id, name, data, created_at, updated_at"
#define ROUTE_COLUMNS "id, environment_id, domain_id, address, agent, data, created_at, updated_at"

/* --- names ------------------------------------------------------------------------------------------------- */

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool label_valid(struct str s)
{
    size_t i = 0;
    while (i < s.n && (is_letter(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-'))
        i++;
    return i == s.n && i >= 1 && i <= 63 && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

bool domain_name_valid(struct str s)
{
    size_t from = 0, labels = 0;
    for (size_t i = 0; i <= s.n && s.n <= DOMAIN_NAME_MAX; i++) {
        if (i < s.n && s.p[i] != '.')
            continue;
        struct str label = str_sub(s, from, i);
        if (!label_valid(label))
            return false;
        labels++;
        if (i == s.n)
            return labels >= 2 && label.n >= 2 && is_letter(label.p[0]);
        from = i + 1;
    }
    return false;
}

bool domain_address_valid(struct str s)
{
    if (str_eqz(s, "*"))
        return true;
    if (!s.n || s.n > DOMAIN_ADDRESS_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.' || str_find(s, STR("..")) >= 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && (!s.p[i] || !strchr(".!#$%&'*+/=?^_`{|}~-", s.p[i])))
            return false;
    return true;
}

/* --- domains ----------------------------------------------------------------------------------------------- */

static void domain_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct domain *)out = (struct domain){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .name = row_text(s, 2, a),
        .data = row_text(s, 3, a),
        .created_at = db_int(s, 4),
        .updated_at = db_int(s, 5),
    };
}

bool domain_insert(struct db *db, const struct domain *d, struct error *err)
{
    return db_write(db, err, "INSERT INTO domains (" DOMAIN_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    d->id, d->environment, d->name, d->data, d->created_at, d->updated_at);
}

bool domain_update(struct db *db, const struct domain *d, struct error *err)
{
    return db_write(db, err, "UPDATE domains SET data = ?3, updated_at = ?4 WHERE environment_id = ?1 AND id = ?2",
                    d->environment, d->id, d->data, d->updated_at);
}

bool domain_delete(struct db *db, const struct domain *d, struct error *err)
{
    return db_write(db, err, "DELETE FROM domain_routes WHERE domain_id = ?1", d->id)
        && db_write(db, err, "DELETE FROM domains WHERE environment_id = ?1 AND id = ?2", d->environment, d->id);
}

bool domain_find(struct db *db, struct arena *a, struct id environment, struct str name, struct domain *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " DOMAIN_COLUMNS " FROM domains WHERE name = ?2 AND environment_id = ?1",
                                 environment, name);
    return row_find(s, a, domain_read, out, "Domain not found", err);
}

/* What a list is narrowed by: ?5 the domain, ?6 a text. */
struct list_filter {
    struct id domain;
    struct str text;
};

static void domain_bind(struct db_stmt *s, const void *arg)
{
    const struct list_filter *f = arg;
    if (f->text.n)
        db_bind_text(s, 5, f->text);
}

bool domain_list(struct db *db, struct arena *a, struct id environment, const struct page_query *q, struct str name, struct page *page,
                 struct error *err)
{
    struct list_filter filter = {.text = name.n ? row_contains(a, name) : STR_NULL};
    struct page_source source = {.columns = DOMAIN_COLUMNS, .from = "domains", .id = "id", .scope = "environment_id = ?1",
                                 .by = q->by_updated_at ? "updated_at" : "created_at", .bind = domain_bind, .read = domain_read,
                                 .item_size = sizeof(struct domain), .arg = &filter};
    if (name.n)
        source.filter = STR(" AND name LIKE ?5 ESCAPE '\\'");
    return page_read(db, a, environment, &source, q, page, err);
}

/* --- routes ------------------------------------------------------------------------------------------------ */

static void route_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct domain_route *)out = (struct domain_route){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .domain = db_id(s, 2),
        .address = row_text(s, 3, a),
        .agent = row_text(s, 4, a),
        .data = row_text(s, 5, a),
        .created_at = db_int(s, 6),
        .updated_at = db_int(s, 7),
    };
}

bool domain_route_insert(struct db *db, const struct domain_route *r, struct error *err)
{
    return db_write(db, err, "INSERT INTO domain_routes (" ROUTE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    r->id, r->environment, r->domain, r->address, r->agent, r->data, r->created_at, r->updated_at);
}

bool domain_route_update(struct db *db, const struct domain_route *r, struct error *err)
{
    return db_write(db, err, "UPDATE domain_routes SET agent = ?3, data = ?4, updated_at = ?5 WHERE domain_id = ?1 AND address = ?2",
                    r->domain, r->address, r->agent, r->data, r->updated_at);
}

bool domain_route_delete(struct db *db, const struct domain_route *r, struct error *err)
{
    return db_write(db, err, "DELETE FROM domain_routes WHERE domain_id = ?1 AND address = ?2", r->domain, r->address);
}

bool domain_route_find(struct db *db, struct arena *a, struct id domain, struct str address, struct domain_route *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " ROUTE_COLUMNS " FROM domain_routes WHERE domain_id = ?1 AND address = ?2", domain, address);
    return row_find(s, a, route_read, out, "Route not found", err);
}

static void route_bind(struct db_stmt *s, const void *arg)
{
    const struct list_filter *f = arg;
    db_bind_id(s, 5, f->domain);
    if (f->text.n)
        db_bind_text(s, 6, f->text);
}

bool domain_route_list(struct db *db, struct arena *a, const struct domain *d, const struct page_query *q, struct str agent,
                       struct page *page, struct error *err)
{
    struct list_filter filter = {.domain = d->id, .text = agent};
    struct page_source source = {.columns = ROUTE_COLUMNS, .from = "domain_routes", .id = "id",
                                 .scope = "domain_id = ?5 AND environment_id = ?1",
                                 .by = q->by_updated_at ? "updated_at" : "created_at", .bind = route_bind, .read = route_read,
                                 .item_size = sizeof(struct domain_route), .arg = &filter};
    if (agent.n)
        source.filter = STR(" AND agent = ?6");
    return page_read(db, a, d->environment, &source, q, page, err);
}
