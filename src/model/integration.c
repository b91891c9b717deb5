/* Integrations in the store. */
#include "model/integration.h"

#include "model/row.h"

#define INTEGRATION_COLUMNS                                                                                       \
    "id, organization_id, environment_id, provider_id, channel, name, identifier, credentials, configurations, " \
    "conditions, active, is_primary, priority, created_at, updated_at, for_agents"

static void integration_read(struct db_stmt *s, struct arena *a, void *out)
{
    struct integration *i = out;
    *i = (struct integration){
        .id = db_id(s, 0),
        .organization = db_id(s, 1),
        .environment = db_id(s, 2),
        .provider_id = row_text(s, 3, a),
        .channel = (enum channel)db_int(s, 4),
        .name = row_text(s, 5, a),
        .identifier = row_text(s, 6, a),
        .credentials = row_text(s, 7, a),
        .configurations = row_text(s, 8, a),
        .conditions = row_text(s, 9, a),
        .active = db_int(s, 10) != 0,
        .primary = db_int(s, 11) != 0,
        .priority = db_int(s, 12),
        .created_at = db_int(s, 13),
        .updated_at = db_int(s, 14),
        .for_agents = db_int(s, 15) != 0,
    };
    i->policy = delivery_policy_stored(i->configurations);
}

bool integration_insert(struct db *db, const struct integration *i, struct error *err)
{
    return db_write(db, err, "INSERT INTO integrations (" INTEGRATION_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, "
                    "?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
                    i->id, i->organization, i->environment, i->provider_id, i->channel, i->name, i->identifier,
                    i->credentials, i->configurations, i->conditions, i->active, i->primary, i->priority, i->created_at,
                    i->updated_at, i->for_agents);
}

bool integration_update(struct db *db, const struct integration *i, struct error *err)
{
    return db_write(db, err, "UPDATE integrations SET name = ?1, identifier = ?2, credentials = ?3, configurations = ?4, "
                    "conditions = ?5, active = ?6, is_primary = ?7, priority = ?8, updated_at = ?9 "
                    "WHERE environment_id = ?10 AND id = ?11",
                    i->name, i->identifier, i->credentials, i->configurations, i->conditions, i->active, i->primary,
                    i->priority, i->updated_at, i->environment, i->id);
}

bool integration_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, "DELETE FROM agent_integrations WHERE environment_id = ?1 AND integration_id = ?2", environment, id)
        && db_write(db, err, "DELETE FROM integrations WHERE environment_id = ?1 AND id = ?2", environment, id);
}

bool integration_find(struct db *db, struct arena *a, struct id environment, struct id id, struct integration *out,
                      struct error *err)
{
    char hex[ID_HEX + 1];
    struct db_stmt *s = db_prepare(db, "SELECT " INTEGRATION_COLUMNS " FROM integrations WHERE environment_id = ?1 AND id = ?2", err);
    if (!s)
        return false;
    id_hex(id, hex);
    db_bind_id(s, 1, environment);
    db_bind_id(s, 2, id);
    if (!row_one(s, "", err)) {
        if (err->code == ERROR_NOT_FOUND)
            error_set(err, ERROR_NOT_FOUND, "Entity with id %s not found", hex);
        return false;
    }
    integration_read(s, a, out);
    db_reset(s);
    return true;
}

bool integration_list(struct db *db, struct arena *a, struct id environment, struct integration **out, size_t *n,
                      struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT " INTEGRATION_COLUMNS
                                 " FROM integrations WHERE environment_id = ?1 ORDER BY created_at, id",
                                 environment);
    return ROWS_READ(s, a, integration_read, out, n, err);
}

static void ranked_read(struct db_stmt *s, struct arena *a, void *out)
{
    (void)a;
    *(struct integration *)out = (struct integration){.id = db_id(s, 0), .priority = db_int(s, 1)};
}

static bool priorities_write(struct db *db, struct arena *a, struct id environment, enum channel c, struct error *err)
{
    struct integration *list;
    size_t n;
    if (!db_write(db, err, "UPDATE integrations SET priority = 0 WHERE environment_id = ?1 AND channel = ?2 AND (active = 0 OR for_agents = 1)",
                  environment, c)
        || !ROWS_READ(db_query(db, err, "SELECT id, priority FROM integrations WHERE environment_id = ?1 AND channel = ?2 AND active = 1 "
                               "AND for_agents = 0 ORDER BY is_primary DESC, CASE WHEN priority = 0 THEN 0 ELSE 1 END, priority DESC, "
                               "created_at DESC, id DESC", environment, c), a, ranked_read, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].priority != (int64_t)(n - i)
            && !db_write(db, err, "UPDATE integrations SET priority = ?3 WHERE environment_id = ?1 AND id = ?2", environment, list[i].id, n - i))
            return false;
    return true;
}

bool integration_elect_primary(struct db *db, struct id environment, enum channel c, struct id chosen, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str elected = id_is_zero(chosen) ? STR_NULL : (struct str){(const char *)chosen.b, sizeof chosen.b};
    if (c != CHANNEL_EMAIL && c != CHANNEL_SMS)
        return true;
    return db_write(db, err,
                    "UPDATE integrations SET is_primary = CASE WHEN id = coalesce(?3, ("
                    "SELECT i.id FROM integrations AS i WHERE i.environment_id = ?1 AND i.channel = ?2 AND i.active = 1 "
                    "AND i.for_agents = 0 AND i.conditions IS NULL ORDER BY CASE WHEN i.provider_id IN ('novu-email', 'novu-sms') THEN 1 ELSE 0 END, "
                    "i.is_primary DESC, i.created_at, i.id LIMIT 1)) THEN 1 ELSE 0 END "
                    "WHERE environment_id = ?1 AND channel = ?2", environment, c, db_as_blob(elected))
        && priorities_write(db, a, environment, c, err);
}

const struct integration *integration_select(const struct integration *all, size_t n, enum channel c, struct str identifier)
{
    const struct integration *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct integration *x = &all[i];
        if (x->channel != c || !x->active || x->for_agents)
            continue;
        if (identifier.n) {
            if (str_eq(x->identifier, identifier))
                return x;
            continue;
        }
        if ((c == CHANNEL_EMAIL || c == CHANNEL_SMS) && !x->primary)
            continue;
        if (!best || x->created_at >= best->created_at)
            best = x;
    }
    return best;
}

yyjson_mut_val *integration_json(yyjson_mut_doc *d, const struct integration *i)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", i->id);
    json_add_id(d, o, "_environmentId", i->environment);
    json_add_id(d, o, "_organizationId", i->organization);
    json_add_str(d, o, "providerId", i->provider_id);
    json_add_str(d, o, "channel", channel_name(i->channel));
    json_add_str(d, o, "kind", i->for_agents ? STR("agent") : STR("delivery"));
    json_add_str(d, o, "name", i->name);
    json_add_str(d, o, "identifier", i->identifier);
    json_add_obj(d, o, "credentials");
    json_add_text(d, o, "configurations", i->configurations);
    bool rules = i->conditions.n && i->conditions.p[0] == '{';
    json_add_text(d, o, "conditions", i->conditions.p && !rules ? i->conditions : STR("[]"));
    if (rules)
        json_add_text(d, o, "rules", i->conditions);
    json_add_bool(d, o, "active", i->active);
    json_add_bool(d, o, "primary", i->primary);
    json_add_int(d, o, "priority", i->priority);
    json_add_bool(d, o, "deleted", false);
    json_add_time(d, o, "createdAt", i->created_at);
    json_add_time(d, o, "updatedAt", i->updated_at);
    return o;
}
