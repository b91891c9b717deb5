/* Connections and endpoints in the store. */
#include "model/channel_link.h"

#include <ctype.h>

#include "model/row.h"

#define LINK_COLUMNS "id, environment_id, identifier, integration_identifier, provider_id, channel, subscriber_id, context, " \
                     "created_at, updated_at"
#define CONNECTION_COLUMNS LINK_COLUMNS ", workspace, auth"
#define ENDPOINT_COLUMNS LINK_COLUMNS ", connection_identifier, type, endpoint"
enum { LINK_COLUMNS_N = 10 };

/* 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((i == 8 || i == 13 || i == 18 || i == 23) ? s.p[i] != '-' : !isxdigit((unsigned char)s.p[i]))
            return false;
    return s.n == 36;
}

/* --- kinds of endpoints ------------------------------------------------------------------------------------- */

/* Members that must be texts; one of `any`, if there is one, suffices. */
static const struct kind {
    const char *type, *all[2], *any[2];
    const char *provider, *title;       /* the one provider that it is for; NULL: any */
    bool (*key_good)(struct str key);   /* of all[0]; NULL: any */
    const char *key_form;
    bool connected, kept, single;       /* struct channel_endpoint_rules */
} kinds[] = {
    {.type = "slack_channel", .all = {"channelId"}},
    {.type = "slack_user", .all = {"userId"}},
    {.type = "webhook", .all = {"url"}},
    {.type = "phone", .all = {"phoneNumber"}},
    {.type = "ms_teams_channel", .all = {"teamId", "channelId"}},
    {.type = "ms_teams_user", .all = {"userId"}},
    {.type = "telegram_chat", .all = {"chatId"}},
    {.type = "webex_room", .all = {"roomId"}, .provider = "webex-messaging", .title = "a Webex Messaging", .connected = true},
    {.type = "webex_person", .any = {"personId", "personEmail"}, .provider = "webex-messaging", .title = "a Webex Messaging", .connected = true},
    {.type = "line_user", .all = {"userId"}},
    {.type = "pagerduty_service", .all = {"routingKey", "region"}, .provider = "pagerduty", .title = "a PagerDuty", .kept = true, .single = true},
    {.type = "opsgenie_integration", .all = {"apiKey", "region"}, .provider = "opsgenie", .title = "an Opsgenie", .key_good = is_uuid,
     .key_form = "a UUID", .kept = true, .single = true},
    {.type = "grafana_oncall_integration", .all = {"url"}, .kept = true},
    {.type = "tool_webhook", .all = {"url"}, .provider = "tool-webhook", .title = "a Tool webhook", .kept = true},
};

static const struct kind *kind_of(struct str type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_eqz(type, kinds[i].type))
            return &kinds[i];
    return NULL;
}

struct channel_endpoint_rules channel_endpoint_rules(struct str type)
{
    const struct kind *t = kind_of(type);
    return t ? (struct channel_endpoint_rules){t->provider, t->title, t->connected, t->kept, t->single} : (struct channel_endpoint_rules){0};
}

static bool has_text(yyjson_val *o, const char *key)
{
    return json_get_str(o, key).n > 0;
}

const char *channel_endpoint_flaw(struct arena *a, struct str type, yyjson_val *endpoint)
{
    const struct kind *t = kind_of(type);
    struct str region = json_get_str(endpoint, "region"), url = json_get_str(endpoint, "url");
    for (int k = 0; t && k < 2 && t->all[k]; k++)
        if (!has_text(endpoint, t->all[k]))
            return str_fmt(a, "endpoint.%s must be a non-empty string", t->all[k]).p;
    if (t && t->any[0] && !has_text(endpoint, t->any[0]) && !has_text(endpoint, t->any[1]))
        return str_fmt(a, "endpoint must have %s or %s", t->any[0], t->any[1]).p;
    if (t && t->all[1] && !strcmp(t->all[1], "region") && !str_eqz(region, "us") && !str_eqz(region, "eu"))
        return "endpoint.region must be one of the following values: us, eu";
    if (t && t->key_good && !t->key_good(json_get_str(endpoint, t->all[0])))
        return str_fmt(a, "endpoint.%s must be %s", t->all[0], t->key_form).p;
    if (url.n && str_find(url, STR("https://")) != 0 && str_find(url, STR("http://")) != 0)
        return "endpoint.url must be a URL address";
    if (t)
        return NULL;
    return "type must be one of the following values: slack_channel, slack_user, webhook, phone, ms_teams_channel, ms_teams_user, "
           "telegram_chat, webex_room, webex_person, line_user, pagerduty_service, opsgenie_integration, grafana_oncall_integration, "
           "tool_webhook";
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static void link_bind(struct db_stmt *s, const struct channel_link *l)
{
    db_bind_id(s, 1, l->id);
    db_bind_id(s, 2, l->environment);
    db_bind_text(s, 3, l->identifier);
    db_bind_text(s, 4, l->integration_identifier);
    db_bind_text(s, 5, l->provider_id);
    db_bind_int(s, 6, l->channel);
    db_bind_text(s, 7, l->subscriber_id.p ? l->subscriber_id : STR(""));
    db_bind_text(s, 8, l->context.p ? l->context : STR(""));
    db_bind_int(s, 9, l->created_at);
    db_bind_int(s, 10, l->updated_at);
}

static void link_read(struct db_stmt *s, struct arena *a, struct channel_link *l)
{
    *l = (struct channel_link){
        .id = db_id(s, 0),
        .environment = db_id(s, 1),
        .identifier = row_text(s, 2, a),
        .integration_identifier = row_text(s, 3, a),
        .provider_id = row_text(s, 4, a),
        .channel = (enum channel)db_int(s, 5),
        .subscriber_id = row_text(s, 6, a),
        .context = row_text(s, 7, a),
        .created_at = db_int(s, 8),
        .updated_at = db_int(s, 9),
    };
}

static void connection_read(struct db_stmt *s, struct arena *a, void *item)
{
    struct channel_connection *c = item;
    link_read(s, a, &c->link);
    c->workspace = row_text(s, LINK_COLUMNS_N, a);
    c->auth = row_text(s, LINK_COLUMNS_N + 1, a);
}

static void endpoint_read(struct db_stmt *s, struct arena *a, void *item)
{
    struct channel_endpoint *e = item;
    link_read(s, a, &e->link);
    e->connection_identifier = row_text(s, LINK_COLUMNS_N, a);
    e->type = row_text(s, LINK_COLUMNS_N + 1, a);
    e->endpoint = row_text(s, LINK_COLUMNS_N + 2, a);
}

static bool exists(struct db *db, const struct channel_link *l, bool *yes, struct error *err)
{
    struct db_stmt *s = db_query(db, err, "SELECT count(*) FROM channel_connections WHERE environment_id = ?1 AND "
                                 "integration_identifier = ?2 AND subscriber_id = ?3 AND context = ?4",
                                 l->environment, l->integration_identifier,
                                 l->subscriber_id.p ? l->subscriber_id : STR(""), l->context.p ? l->context : STR(""));
    if (!s)
        return false;
    if (!row_one(s, "no count", err))
        return false;
    *yes = db_int(s, 0) > 0;
    db_reset(s);
    return true;
}

bool channel_connection_insert(struct db *db, const struct channel_connection *c, enum channel_conflict *which, struct error *err)
{
    bool taken;
    *which = CHANNEL_CONNECTION_EXISTS;
    if (!exists(db, &c->link, &taken, err))
        return false;
    if (taken)
        return error_set(err, ERROR_CONFLICT, "The connection exists");
    *which = CHANNEL_IDENTIFIER_TAKEN;
    struct db_stmt *s = db_prepare(db, "INSERT INTO channel_connections (" CONNECTION_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
                                       "?9, ?10, ?11, ?12)", err);
    if (!s)
        return false;
    link_bind(s, &c->link);
    db_bind_text(s, 11, c->workspace);
    db_bind_text(s, 12, c->auth);
    return db_run(s, err);
}

bool channel_endpoint_insert(struct db *db, const struct channel_endpoint *e, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "INSERT INTO channel_endpoints (" ENDPOINT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
                                       "?10, ?11, ?12, ?13)", err);
    if (!s)
        return false;
    link_bind(s, &e->link);
    db_bind_text(s, 11, e->connection_identifier);
    db_bind_text(s, 12, e->type);
    db_bind_text(s, 13, e->endpoint);
    return db_run(s, err);
}

bool channel_connection_update(struct db *db, const struct channel_connection *c, struct error *err)
{
    return db_write(db, err, "UPDATE channel_connections SET workspace = ?3, auth = ?4, updated_at = ?5 "
                    "WHERE environment_id = ?1 AND id = ?2",
                    c->link.environment, c->link.id, c->workspace, c->auth, c->link.updated_at);
}

bool channel_endpoint_update(struct db *db, const struct channel_endpoint *e, struct error *err)
{
    return db_write(db, err,
                    "UPDATE channel_endpoints SET endpoint = ?3, updated_at = ?4 WHERE environment_id = ?1 AND id = ?2",
                    e->link.environment, e->link.id, e->endpoint, e->link.updated_at);
}

static bool run_by_id(struct db *db, const char *sql, struct id environment, struct id id, struct error *err)
{
    return db_write(db, err, sql, environment, id);
}

bool channel_connection_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    return run_by_id(db, "DELETE FROM channel_connections WHERE environment_id = ?1 AND id = ?2", environment, id, err);
}

bool channel_endpoint_delete(struct db *db, struct id environment, struct id id, struct error *err)
{
    return run_by_id(db, "DELETE FROM channel_endpoints WHERE environment_id = ?1 AND id = ?2", environment, id, err);
}

static bool find(struct db_stmt *s, struct arena *a, struct id environment, struct str identifier, const char *kind,
                 void (*read)(struct db_stmt *s, struct arena *a, void *item), void *out, struct error *err)
{
    if (!s)
        return false;
    db_bind_id(s, 1, environment);
    db_bind_text(s, 2, identifier);
    if (!row_one(s, "", err)) {
        if (err->code == ERROR_NOT_FOUND)
            error_set(err, ERROR_NOT_FOUND, "Channel %s not found: %.*s", kind, (int)(identifier.n > 64 ? 64 : identifier.n), identifier.p);
        return false;
    }
    read(s, a, out);
    db_reset(s);
    return true;
}

bool channel_connection_find(struct db *db, struct arena *a, struct id environment, struct str identifier,
                             struct channel_connection *out, struct error *err)
{
    return find(db_prepare(db, "SELECT " CONNECTION_COLUMNS " FROM channel_connections WHERE environment_id = ?1 AND identifier = ?2", err),
                a, environment, identifier, "connection", connection_read, out, err);
}

bool channel_endpoint_find(struct db *db, struct arena *a, struct id environment, struct str identifier,
                           struct channel_endpoint *out, struct error *err)
{
    return find(db_prepare(db, "SELECT " ENDPOINT_COLUMNS " FROM channel_endpoints WHERE environment_id = ?1 AND identifier = ?2", err),
                a, environment, identifier, "endpoint", endpoint_read, out, err);
}

bool channel_endpoints_of(struct db *db, struct arena *a, struct id environment, struct str subscriber_id, struct str context,
                          struct channel_endpoint **out, size_t *n, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT " ENDPOINT_COLUMNS
            " FROM channel_endpoints AS e WHERE environment_id = ?1 AND subscriber_id = ?2 AND context = ?3 "
            "AND (type NOT IN ('slack_channel', 'slack_user', 'ms_teams_channel', 'ms_teams_user', 'webex_room', 'webex_person') OR "
            "EXISTS (SELECT 1 FROM channel_connections AS c WHERE c.environment_id = ?1 AND c.context = ?3 "
            "AND c.integration_identifier = e.integration_identifier "
            "AND (e.connection_identifier IS NULL OR c.identifier = e.connection_identifier))) ORDER BY id",
            environment, subscriber_id, context.p ? context : STR(""));
    return ROWS_READ(s, a, endpoint_read, out, n, err);
}

bool channel_connection_for(struct db *db, struct arena *a, const struct channel_endpoint *e, struct channel_connection *out,
                            struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT " CONNECTION_COLUMNS " FROM channel_connections WHERE environment_id = ?1 AND integration_identifier = ?2 "
            "AND context = ?3 AND (?4 = identifier OR (?4 = '' AND (subscriber_id = ?5 OR subscriber_id = ''))) "
            "ORDER BY CASE WHEN subscriber_id = ?5 THEN 0 ELSE 1 END, id LIMIT 1",
            e->link.environment, e->link.integration_identifier, e->link.context.p ? e->link.context : STR(""),
            e->connection_identifier.p ? e->connection_identifier : STR(""), e->link.subscriber_id);
    return row_find(s, a, connection_read, out, "Channel connection not found", err);
}

bool channel_links_delete_by_subscriber(struct db *db, struct id environment, struct str subscriber_id, struct error *err)
{
    static const char *const sql[] = {"DELETE FROM channel_endpoints WHERE environment_id = ?1 AND subscriber_id = ?2",
                                      "DELETE FROM channel_connections WHERE environment_id = ?1 AND subscriber_id = ?2"};
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        struct db_stmt *s = db_query(db, err, sql[i], environment, subscriber_id);
        if (!s || !db_run(s, err))
            return false;
    }
    return true;
}

/* --- lists ----------------------------------------------------------------------------------------------------------- */

static void filter_bind(struct db_stmt *s, const void *arg)
{
    const struct channel_link_query *q = arg;
    if (q->subscriber_id.n)
        db_bind_text(s, 5, q->subscriber_id);
    if (q->provider_id.n)
        db_bind_text(s, 6, q->provider_id);
    if (q->integration_identifier.n)
        db_bind_text(s, 7, q->integration_identifier);
    if (q->connection_identifier.n)
        db_bind_text(s, 8, q->connection_identifier);
    if (q->channel >= 0)
        db_bind_int(s, 9, q->channel);
    if (q->context)
        db_bind_text(s, 10, q->context->p ? *q->context : STR(""));
}

static bool list(struct db *db, struct arena *a, struct id environment, const struct channel_link_query *q, struct page_source source,
                 struct page *page, struct error *err)
{
    struct buf filter = {.arena = a};
    source.id = "id";
    source.by = q->page.by_updated_at ? "updated_at" : NULL;
    source.scope = "environment_id = ?1";
    source.bind = filter_bind;
    source.arg = q;
    if (q->subscriber_id.n)
        buf_z(&filter, q->or_shared ? " AND subscriber_id IN (?5, '')" : " AND subscriber_id = ?5");
    if (q->provider_id.n)
        buf_z(&filter, " AND provider_id = ?6");
    if (q->integration_identifier.n)
        buf_z(&filter, " AND integration_identifier = ?7");
    if (q->connection_identifier.n)
        buf_z(&filter, " AND connection_identifier = ?8");
    if (q->channel >= 0)
        buf_z(&filter, " AND channel = ?9");
    if (q->context)
        buf_z(&filter, " AND context = ?10");
    if (q->shared >= 0)
        buf_z(&filter, q->shared ? " AND subscriber_id = ''" : " AND subscriber_id <> ''");
    source.filter = filter.n ? buf_finish(&filter) : STR("");
    return page_read(db, a, environment, &source, &q->page, page, err);
}

bool channel_connection_list(struct db *db, struct arena *a, struct id environment, const struct channel_link_query *q,
                             struct page *page, struct error *err)
{
    return list(db, a, environment, q, (struct page_source){.columns = CONNECTION_COLUMNS, .from = "channel_connections",
                .read = connection_read, .item_size = sizeof(struct channel_connection)}, page, err);
}

bool channel_endpoint_list(struct db *db, struct arena *a, struct id environment, const struct channel_link_query *q,
                           struct page *page, struct error *err)
{
    return list(db, a, environment, q, (struct page_source){.columns = ENDPOINT_COLUMNS, .from = "channel_endpoints",
                .read = endpoint_read, .item_size = sizeof(struct channel_endpoint)}, page, err);
}
