/* Agents and the integrations that they speak through (rest-api.md §6.18): their description only. Conversations and the
 * runtime of agents are not part of this server.
 */
#ifndef MODEL_AGENT_H
#define MODEL_AGENT_H

#include "base/json.h"
#include "base/id.h"
#include "db/db.h"
#include "model/integration.h"
#include "model/page.h"

enum { AGENT_NAME_MAX = 60 };           /* of the identifier, too */

struct agent {
    struct id id, environment;
    struct str identifier, name;
    struct str description;             /* p NULL: none */
    struct str behavior;                /* JSON object */
    bool active;
    struct str bridge_url, dev_bridge_url;      /* p NULL: none */
    bool dev_bridge_active;
    int64_t created_at, updated_at;
};

/* An integration of an agent. */
struct agent_link {
    struct id id, environment, agent;
    struct integration integration;     /* without credentials */
    int64_t created_at, updated_at;
};

/* ^[a-zA-Z0-9]+(?:[-_.][a-zA-Z0-9]+)*$ */
bool agent_identifier_valid(struct str s);

/* ERROR_CONFLICT if the identifier is taken. */
bool agent_insert(struct db *db, const struct agent *x, struct error *err);
/* All but the identifier. */
bool agent_update(struct db *db, const struct agent *x, struct error *err);
/* With its links, and the routes of domains that lead to it. */
bool agent_delete(struct db *db, const struct agent *x, struct error *err);
bool agent_find(struct db *db, struct arena *a, struct id environment, struct str identifier, struct agent *out, struct error *err);
/* Items are struct agent. identifier: part of it; empty: all. */
bool agent_list(struct db *db, struct arena *a, struct id environment, const struct page_query *q, struct str identifier,
                struct page *page, struct error *err);

/* All of an environment, by identifier. */
bool agent_all(struct db *db, struct arena *a, struct id environment, struct agent **out, size_t *n, struct error *err);
/* Its links, by provider. */
bool agent_link_all(struct db *db, struct arena *a, const struct agent *x, struct agent_link **out, size_t *n, struct error *err);
/* Makes the agent in another environment what source says: name, description, behaviour, and the providers it speaks through.
 * One that is new there is not active; one that is there stays as active as it is. Where it speaks through
 * no integration of a provider, one is made there, inactive and without credentials. Where to reach the agent is each environment's own. */
bool agent_copy(struct db *db, struct arena *a, const struct agent *source, struct id organization, struct id target, struct id_source *ids,
                int64_t now, struct error *err);

/* ERROR_CONFLICT if the integration has an agent already. */
bool agent_link_insert(struct db *db, const struct agent_link *l, struct error *err);
/* Its integration and time; ERROR_CONFLICT as above. */
bool agent_link_update(struct db *db, const struct agent_link *l, struct error *err);
bool agent_link_delete(struct db *db, const struct agent_link *l, struct error *err);
bool agent_link_find(struct db *db, struct arena *a, const struct agent *x, struct id id, struct agent_link *out, struct error *err);
/* Items are struct agent_link. integration: an identifier; empty: all. */
bool agent_link_list(struct db *db, struct arena *a, const struct agent *x, const struct page_query *q, struct str integration,
                     struct page *page, struct error *err);

#endif
