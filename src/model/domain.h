/* Domains of inbound mail and their routes (rest-api.md §6.17): what is declared, not what DNS says. */
#ifndef MODEL_DOMAIN_H
#define MODEL_DOMAIN_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"

enum { DOMAIN_NAME_MAX = 253, DOMAIN_ADDRESS_MAX = 64, DOMAIN_DATA_KEYS_MAX = 10, DOMAIN_DATA_CHARS_MAX = 500 };

struct domain {
    struct id id, environment;
    struct str name;                    /* lower case */
    struct str data;                    /* JSON object of texts; p NULL: none */
    int64_t created_at, updated_at;
};

/* Where mail to one address goes: to the agent, or to the customer's webhooks (agent.p NULL). */
struct domain_route {
    struct id id, environment, domain;
    struct str address;                 /* local part in lower case, or "*" */
    struct str agent;                   /* identifier */
    struct str data;
    int64_t created_at, updated_at;
};

/* A fully qualified name in lower case: labels of letters, digits and inner hyphens; the last begins with a letter. */
bool domain_name_valid(struct str s);
/* The local part of an address (RFC 5322 dot-atom), or "*". */
bool domain_address_valid(struct str s);

/* ERROR_CONFLICT if the name is taken, in whichever environment. */
bool domain_insert(struct db *db, const struct domain *d, struct error *err);
/* data and time. */
bool domain_update(struct db *db, const struct domain *d, struct error *err);
/* With its routes. */
bool domain_delete(struct db *db, const struct domain *d, struct error *err);
bool domain_find(struct db *db, struct arena *a, struct id environment, struct str name, struct domain *out, struct error *err);
/* Items are struct domain. name: part of it; empty: all. */
bool domain_list(struct db *db, struct arena *a, struct id environment, const struct page_query *q, struct str name, struct page *page,
                 struct error *err);

/* ERROR_CONFLICT if the domain has a route for the address. */
bool domain_route_insert(struct db *db, const struct domain_route *r, struct error *err);
/* agent, data and time. */
bool domain_route_update(struct db *db, const struct domain_route *r, struct error *err);
bool domain_route_delete(struct db *db, const struct domain_route *r, struct error *err);
bool domain_route_find(struct db *db, struct arena *a, struct id domain, struct str address, struct domain_route *out, struct error *err);
/* Items are struct domain_route. agent: an identifier; empty: all. */
bool domain_route_list(struct db *db, struct arena *a, const struct domain *d, const struct page_query *q, struct str agent,
                       struct page *page, struct error *err);

#endif
