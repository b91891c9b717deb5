/* Channel connections and channel endpoints: how chat reaches a person (rest-api.md §6.15, engine.md §7.4).
 *
 * A connection is a workspace or tenant with its token; an endpoint is where to deliver, often through a connection of the
 * same integration. Tokens and endpoints are sealed at rest.
 */
#ifndef MODEL_CHANNEL_LINK_H
#define MODEL_CHANNEL_LINK_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"
#include "model/types.h"

/* What both have. */
struct channel_link {
    struct id id, environment;
    struct str identifier;
    struct str integration_identifier, provider_id;
    enum channel channel;
    struct str subscriber_id;           /* external; empty: shared by a context */
    struct str context;                 /* sorted keys joined by ",", "" for none */
    int64_t created_at, updated_at;
};

struct channel_connection {
    struct channel_link link;           /* first: lists read either as a link */
    struct str workspace;               /* JSON object */
    struct str auth;                    /* sealed JSON object */
};

struct channel_endpoint {
    struct channel_link link;
    struct str connection_identifier;   /* p NULL: none */
    struct str type;                    /* "slack_channel", … (channel_endpoint_flaw) */
    struct str endpoint;                /* sealed JSON object */
};

/* Is this a known type with the members that it needs? NULL: yes; else what is wrong, as a validation message. */
const char *channel_endpoint_flaw(struct arena *a, struct str type, yyjson_val *endpoint);

/* What else a type asks for. */
struct channel_endpoint_rules {
    const char *provider, *title;       /* its integrations' provider, "a PagerDuty"; NULL: any */
    bool connected;                     /* a connection, in the same context */
    bool kept;                          /* its secrets are its own: no connection */
    bool single;                        /* one a subscriber, integration and context */
};
struct channel_endpoint_rules channel_endpoint_rules(struct str type);

/* ERROR_CONFLICT: the identifier or (integration, subscriber, context) is taken; *which says by what. */
enum channel_conflict { CHANNEL_IDENTIFIER_TAKEN, CHANNEL_CONNECTION_EXISTS };
bool channel_connection_insert(struct db *db, const struct channel_connection *c, enum channel_conflict *which, struct error *err);
bool channel_endpoint_insert(struct db *db, const struct channel_endpoint *e, struct error *err);
/* Writes workspace, auth, updated_at. */
bool channel_connection_update(struct db *db, const struct channel_connection *c, struct error *err);
/* Writes endpoint, updated_at. */
bool channel_endpoint_update(struct db *db, const struct channel_endpoint *e, struct error *err);
bool channel_connection_delete(struct db *db, struct id environment, struct id id, struct error *err);
bool channel_endpoint_delete(struct db *db, struct id environment, struct id id, struct error *err);
/* ERROR_NOT_FOUND: "Channel connection not found: <identifier>". */
bool channel_connection_find(struct db *db, struct arena *a, struct id environment, struct str identifier,
                             struct channel_connection *out, struct error *err);
bool channel_endpoint_find(struct db *db, struct arena *a, struct id environment, struct str identifier,
                           struct channel_endpoint *out, struct error *err);
/* Where chat reaches this subscriber in exactly this context, oldest first; an endpoint whose kind is reached through a
 * connection counts only where there is one of its integration and context (engine.md §7.4). */
bool channel_endpoints_of(struct db *db, struct arena *a, struct id environment, struct str subscriber_id, struct str context,
                          struct channel_endpoint **out, size_t *n, struct error *err);
/* The connection through which an endpoint that was found so is reached: its own, or else the subscriber's before one that is
 * shared. ERROR_NOT_FOUND. */
bool channel_connection_for(struct db *db, struct arena *a, const struct channel_endpoint *e, struct channel_connection *out,
                            struct error *err);
/* With the subscriber (a part of deleting them). */
bool channel_links_delete_by_subscriber(struct db *db, struct id environment, struct str subscriber_id, struct error *err);

struct channel_link_query {
    struct str subscriber_id, provider_id, integration_identifier;      /* empty: any */
    struct str connection_identifier;   /* endpoints only */
    int channel;                        /* -1: any */
    int shared;                         /* connections only: -1 any, 0 of a subscriber, 1 shared */
    bool or_shared;                     /* the subscriber's, and those that are shared */
    const struct str *context;          /* exact keys; NULL: any */
    struct page_query page;             /* ordered by _id or updatedAt */
};
/* Items: struct channel_connection. */
bool channel_connection_list(struct db *db, struct arena *a, struct id environment, const struct channel_link_query *q,
                             struct page *page, struct error *err);
/* Items: struct channel_endpoint. */
bool channel_endpoint_list(struct db *db, struct arena *a, struct id environment, const struct channel_link_query *q,
                           struct page *page, struct error *err);

#endif
