/* Integrations: a provider with credentials, in one environment, for one channel (rest-api.md §6.14). */
#ifndef MODEL_INTEGRATION_H
#define MODEL_INTEGRATION_H

#include "base/crypto.h"
#include "base/json.h"
#include "db/db.h"
#include "model/delivery_policy.h"
#include "model/types.h"

struct integration {
    struct id id, organization, environment;
    struct str provider_id, name, identifier;
    enum channel channel;
    struct str credentials;             /* sealed; p NULL: none */
    struct str configurations;          /* JSON text; p NULL: none */
    struct str conditions;              /* JSON text: a list of filter groups, or one JSON-logic rule; p NULL: none */
    bool active, primary;
    bool for_agents;                    /* kind "agent": agents speak through it, steps do not; set once */
    int64_t priority, created_at, updated_at;
    struct delivery_policy policy;      /* from configurations */
};

bool integration_insert(struct db *db, const struct integration *i, struct error *err);
/* Writes every column but ids, channel, provider and created_at. */
bool integration_update(struct db *db, const struct integration *i, struct error *err);
bool integration_delete(struct db *db, struct id environment, struct id id, struct error *err);
bool integration_find(struct db *db, struct arena *a, struct id environment, struct id id, struct integration *out,
                      struct error *err);
/* By age, oldest first. */
bool integration_list(struct db *db, struct arena *a, struct id environment, struct integration **out, size_t *n,
                      struct error *err);
/* Email and SMS have one primary (engine.md §7.1): makes it the given one, or, with a zero id, the oldest active
 * real one, or else the demo provider (decisions.md 5). Then numbers the active ones by priority, 1 the lowest: the primary
 * first, behind it who became active just now, then the others as they were; who is not active, or is the agents', has 0. */
bool integration_elect_primary(struct db *db, struct id environment, enum channel c, struct id chosen, struct error *err);

static inline bool integration_is_demo(const struct integration *i)
{
    return str_eqz(i->provider_id, "novu-email") || str_eqz(i->provider_id, "novu-sms");
}

/* What the engine picks (engine.md §7.1 without rules): the identifier's active one, or the primary (email, sms),
 * or the newest active of the channel. NULL: none. */
const struct integration *integration_select(const struct integration *all, size_t n, enum channel c, struct str identifier);

/* The wire form; credentials are never shown to a secret key (rest-api.md §6.14). */
yyjson_mut_val *integration_json(yyjson_mut_doc *d, const struct integration *i);

/* The channel of a provider the binary knows; false: unknown provider id. */
bool provider_channel(struct str provider_id, enum channel *c, struct str *display_name);

#endif
