/* Topics and subscriptions to them (rest-api.md §6.5). */
#ifndef MODEL_TOPIC_H
#define MODEL_TOPIC_H

#include "base/json.h"
#include "db/db.h"

struct topic {
    struct id id, environment;
    struct str key, name;
    int64_t created_at, updated_at;
};

/* ^[a-zA-Z0-9_:.-]+$ or an e-mail address (rest-api.md §3.3). */
bool topic_key_valid(struct str key);
/* Inserts with t->id, or, if the key is taken, renames when t->name is not empty. *created; t is what is stored. */
bool topic_upsert(struct db *db, struct arena *a, struct topic *t, bool *created, struct error *err);
bool topic_find(struct db *db, struct arena *a, struct id environment, struct str key, struct topic *out, struct error *err);
bool topic_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct topic *out,
                      struct error *err);
bool topic_rename(struct db *db, struct id environment, struct id id, struct str name, int64_t now, struct error *err);

/* A cursor of rest-api.md §3.4, style 1. */
struct topic_query {
    struct str key, name;               /* case-insensitive substring; empty: any */
    struct id after, before;
    bool ascending, include_cursor;
    int limit;
};
struct topic_page {
    struct topic *items;
    size_t n;
    struct id next, previous;
    int64_t total;
    bool total_capped;
};
bool topic_list(struct db *db, struct arena *a, struct id environment, const struct topic_query *q, struct topic_page *page,
                struct error *err);
yyjson_mut_val *topic_json(yyjson_mut_doc *d, const struct topic *t);

struct topic_subscription {
    struct id id, environment, topic, subscriber;
    struct str identifier, name;        /* name p NULL: none */
    struct str context;
    int64_t created_at, updated_at;
};

enum { SUBSCRIPTIONS_MAX = 10 };        /* of one subscriber to one topic */
/* "tk_<key>:si_<subscriberId>", plus ":ctx_<keys>" in a context. */
struct str topic_subscription_identifier(struct arena *a, struct str topic_key, struct str subscriber_id, struct str context);
/* An existing (topic, identifier) is returned unchanged with *created false. */
bool topic_subscribe(struct db *db, struct arena *a, struct topic_subscription *s, bool *created, struct error *err);
bool topic_subscription_find(struct db *db, struct arena *a, struct id environment, struct id topic, struct str identifier,
                             struct topic_subscription *out, struct error *err);
bool topic_subscription_update(struct db *db, const struct topic_subscription *s, struct error *err);
/* With its preference rows. */
bool topic_unsubscribe(struct db *db, struct id environment, struct id subscription, struct error *err);
/* A zero topic or subscriber, or a NULL context, is no filter; cursor as above, by id. */
struct topic_subscription_query {
    struct id topic, subscriber;
    struct str topic_key;               /* substring of the topic's key; empty: any */
    const struct str *context;
    struct id after, before;
    bool ascending, include_cursor;
    int limit;                          /* 0: all */
};
struct topic_subscription_page {
    struct topic_subscription *items;
    size_t n;
    struct id next, previous;
    int64_t total;
    bool total_capped;
};
bool topic_subscription_list(struct db *db, struct arena *a, struct id environment, const struct topic_subscription_query *q,
                             struct topic_subscription_page *page, struct error *err);

/* --- fan-out ------------------------------------------------------------------------------------------- */

/* Who is next: at most max distinct subscribers (internal ids, ascending, beyond `after`) of any of these topics, whose
 * subscription has exactly this context. Each comes with all its subscriptions to these topics. */
struct topic_member {
    struct id subscriber;
    struct topic_subscription *subscriptions;   /* id, topic, identifier are filled */
    size_t subscriptions_n;
};
bool topic_members_next(struct db *db, struct arena *a, const struct id *topics, size_t topics_n, struct str context,
                        struct id after, size_t max, struct topic_member **out, size_t *n, struct error *err);
bool topic_members_count(struct db *db, const struct id *topics, size_t topics_n, struct str context, int64_t *n,
                         struct error *err);

#endif
