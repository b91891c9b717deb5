/* Agents and their integrations in the store. */
#include "model/agent.h"

#include "model/row.h"

#define AGENT_COLUMNS                                                                                                   \
    "id, environment_id, identifier, name, description, behavior, active, bridge_url, dev_bridge_url, dev_bridge_active, " \
    "created_at, updated_at"
#define LINK_COLUMNS                                                                                                     \
    "l.id, l.environment_id, l.agent_id, l.created_at, l.updated_at, i.id, i.provider_id, i.channel, i.name, i.identifier, " \
    "i.active"
#define LINK_FROM "agent_integrations l JOIN integrations i ON i.environment_id = l.environment_id AND i.id = l.integration_id"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool agent_identifier_valid(struct str s)
{
    bool after_word = false;
    for (size_t i = 0; i < s.n; i++) {
        bool word = is_word(s.p[i]), joint = s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.';
        if (!word && !(joint && after_word))
            return false;
        after_word = word;
    }
    return after_word && s.n <= AGENT_NAME_MAX;
}

/* --- agents ------------------------------------------------------------------------------------------------ */

static void agent_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct agent *)out = (struct agent){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .identifier = row_text(s, 2, a),
        .name = row_text(s, 3, a),
        .description = row_text(s, 4, a),
        .behavior = row_text(s, 5, a),
        .active = db_int(s, 6) != 0,
        .bridge_url = row_text(s, 7, a),
        .dev_bridge_url = row_text(s, 8, a),
        .dev_bridge_active = db_int(s, 9) != 0,
        .created_at = db_int(s, 10),
        .updated_at = db_int(s, 11),
    };
}

bool agent_insert(struct db *db, const struct agent *x, struct error *err)
{
    return db_write(db, err, "INSERT INTO agents (" AGENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                    x->id, x->environment, x->identifier, x->name, x->description, x->behavior, x->active, x->bridge_url,
                    x->dev_bridge_url, x->dev_bridge_active, x->created_at, x->updated_at);
}

bool agent_update(struct db *db, const struct agent *x, struct error *err)
{
    return db_write(db, err, "UPDATE agents SET name = ?3, description = ?4, behavior = ?5, active = ?6, bridge_url = ?7, "
                    "dev_bridge_url = ?8, dev_bridge_active = ?9, updated_at = ?10 WHERE environment_id = ?1 AND id = ?2",
                    x->environment, x->id, x->name, x->description, x->behavior, x->active, x->bridge_url, x->dev_bridge_url,
                    x->dev_bridge_active, x->updated_at);
}

bool agent_delete(struct db *db, const struct agent *x, struct error *err)
{
    return db_write(db, err, "DELETE FROM agent_integrations WHERE agent_id = ?1", x->id)
        && db_write(db, err, "DELETE FROM domain_routes WHERE environment_id = ?1 AND agent = ?2", x->environment, x->identifier)
        && db_write(db, err, "DELETE FROM agents WHERE environment_id = ?1 AND id = ?2", x->environment, x->id);
}

bool agent_find(struct db *db, struct arena *a, struct id environment, struct str identifier, struct agent *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " AGENT_COLUMNS " FROM agents WHERE environment_id = ?1 AND identifier = ?2",
                                 environment, identifier);
    return row_find(s, a, agent_read, out, "Agent not found", err);
}

static void agent_bind(struct db_stmt *s, const void *arg)
{
    const struct str *pattern = arg;
    if (pattern->n)
        db_bind_text(s, 5, *pattern);
}

bool agent_list(struct db *db, struct arena *a, struct id environment, const struct page_query *q, struct str identifier,
                struct page *page, struct error *err)
{
    struct str pattern = identifier.n ? row_contains(a, identifier) : STR_NULL;
    struct page_source source = {.columns = AGENT_COLUMNS, .from = "agents", .id = "id", .scope = "environment_id = ?1",
                                 .by = q->by_updated_at ? "updated_at" : "created_at", .bind = agent_bind, .read = agent_read,
                                 .item_size = sizeof(struct agent), .arg = &pattern};
    if (identifier.n)
        source.filter = STR(" AND lower(identifier) LIKE ?5 ESCAPE '\\'");
    return page_read(db, a, environment, &source, q, page, err);
}

/* --- links ------------------------------------------------------------------------------------------------- */

static void link_read(struct db_stmt *s, struct arena *a, void *out)
{
    *(struct agent_link *)out = (struct agent_link){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .agent = db_id(s, 2),
        .created_at = db_int(s, 3),
        .updated_at = db_int(s, 4),
        .integration = {.id = db_id(s, 5), .provider_id = row_text(s, 6, a), .channel = (enum channel)db_int(s, 7),
                        .name = row_text(s, 8, a), .identifier = row_text(s, 9, a), .active = db_int(s, 10) != 0},
    };
}

bool agent_link_insert(struct db *db, const struct agent_link *l, struct error *err)
{
    return db_write(db, err, "INSERT INTO agent_integrations (id, environment_id, agent_id, integration_id, created_at, updated_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    l->id, l->environment, l->agent, l->integration.id, l->created_at, l->updated_at);
}

bool agent_link_update(struct db *db, const struct agent_link *l, struct error *err)
{
    return db_write(db, err, "UPDATE agent_integrations SET integration_id = ?3, updated_at = ?4 WHERE agent_id = ?1 AND id = ?2",
                    l->agent, l->id, l->integration.id, l->updated_at);
}

bool agent_link_delete(struct db *db, const struct agent_link *l, struct error *err)
{
    return db_write(db, err, "DELETE FROM agent_integrations WHERE agent_id = ?1 AND id = ?2", l->agent, l->id);
}

bool agent_link_find(struct db *db, struct arena *a, const struct agent *x, struct id id, struct agent_link *out, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " LINK_COLUMNS " FROM " LINK_FROM " WHERE l.agent_id = ?1 AND l.id = ?2", x->id, id);
    return row_find(s, a, link_read, out, "Agent integration not found", err);
}

struct link_filter {
    struct id agent;
    struct str integration;
};

static void link_bind(struct db_stmt *s, const void *arg)
{
    const struct link_filter *f = arg;
    db_bind_id(s, 5, f->agent);
    if (f->integration.n)
        db_bind_text(s, 6, f->integration);
}

bool agent_link_list(struct db *db, struct arena *a, const struct agent *x, const struct page_query *q, struct str integration,
                     struct page *page, struct error *err)
{
    struct link_filter filter = {.agent = x->id, .integration = integration};
    struct page_source source = {.columns = LINK_COLUMNS, .from = LINK_FROM, .id = "l.id",
                                 .scope = "l.agent_id = ?5 AND l.environment_id = ?1",
                                 .by = q->by_updated_at ? "l.updated_at" : "l.created_at", .bind = link_bind, .read = link_read,
                                 .item_size = sizeof(struct agent_link), .arg = &filter};
    if (integration.n)
        source.filter = STR(" AND i.identifier = ?6");
    return page_read(db, a, x->environment, &source, q, page, err);
}

bool agent_all(struct db *db, struct arena *a, struct id environment, struct agent **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " AGENT_COLUMNS " FROM agents WHERE environment_id = ?1 ORDER BY identifier", environment);
    return ROWS_READ(s, a, agent_read, out, n, err);
}

bool agent_link_all(struct db *db, struct arena *a, const struct agent *x, struct agent_link **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " LINK_COLUMNS " FROM " LINK_FROM " WHERE l.agent_id = ?1 "
                                 "ORDER BY i.provider_id, i.identifier", x->id);
    return ROWS_READ(s, a, link_read, out, n, err);
}

/* --- copies in other environments -------------------------------------------------------------------------- */

struct copying {
    struct db *db;
    struct arena *a;
    struct agent *copy;
    struct id organization;
    struct id_source *ids;
    int64_t now;
    struct error *err;
};

/* The integration of the target that stands for this one. Identifiers are the organisation's, so it has one of its own. */
static bool counterpart(struct copying *c, const struct agent_link *link, struct id *out)
{
    struct integration *all, source;
    const struct integration *of = &link->integration;
    char hex[ID_HEX + 1];
    size_t n;
    id_hex(c->copy->environment, hex);
    struct str identifier = str_fmt(c->a, "%.*s-%s", STR_ARG(of->identifier), hex + ID_HEX - 6);
    if (!integration_list(c->db, c->a, c->copy->environment, &all, &n, c->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(all[i].identifier, identifier) || !str_eq(all[i].provider_id, of->provider_id))
            continue;
        *out = all[i].id;
        return true;
    }
    *out = id_new(c->ids, c->now);
    if (!integration_find(c->db, c->a, link->environment, of->id, &source, c->err))
        return false;
    struct integration made = {.id = *out, .organization = c->organization, .environment = c->copy->environment, .provider_id = of->provider_id,
                               .name = of->name, .identifier = identifier, .channel = of->channel, .for_agents = source.for_agents,
                               .created_at = c->now, .updated_at = c->now};
    return integration_insert(c->db, &made, c->err);
}

static bool is_linked(const struct agent_link *list, size_t n, struct str provider)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].integration.provider_id, provider))
            return true;
    return false;
}

static bool links_copy(struct copying *c, const struct agent *source)
{
    struct agent_link *wanted, *there;
    size_t wanted_n, there_n;
    if (!agent_link_all(c->db, c->a, source, &wanted, &wanted_n, c->err) || !agent_link_all(c->db, c->a, c->copy, &there, &there_n, c->err))
        return false;
    for (size_t i = 0; i < there_n; i++)
        if (!is_linked(wanted, wanted_n, there[i].integration.provider_id) && !agent_link_delete(c->db, &there[i], c->err))
            return false;
    for (size_t i = 0; i < wanted_n; i++) {
        struct agent_link l = {.id = id_new(c->ids, c->now), .environment = c->copy->environment, .agent = c->copy->id,
                               .created_at = c->now, .updated_at = c->now};
        if (is_linked(there, there_n, wanted[i].integration.provider_id))
            continue;
        if (!counterpart(c, &wanted[i], &l.integration.id) || !agent_link_insert(c->db, &l, c->err))
            return false;
    }
    return true;
}

bool agent_copy(struct db *db, struct arena *a, const struct agent *source, struct id organization, struct id target, struct id_source *ids,
                int64_t now, struct error *err)
{
    struct agent x;
    struct error missing = {0};
    bool exists = agent_find(db, a, target, source->identifier, &x, &missing);
    struct copying c = {db, a, &x, organization, ids, now, err};
    if (!exists && missing.code != ERROR_NOT_FOUND)
        return *err = missing, false;
    if (!exists)
        x = (struct agent){.id = id_new(ids, now), .environment = target, .identifier = source->identifier, .created_at = now};
    x.name = source->name;
    x.description = source->description;
    x.behavior = source->behavior;
    x.updated_at = now;
    return (exists ? agent_update(db, &x, err) : agent_insert(db, &x, err)) && links_copy(&c, source);
}
