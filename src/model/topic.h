/* Topics and subscriptions to them (rest-api.md §6.5). */
#ifndef MODEL_TOPIC_H
#define MODEL_TOPIC_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"
#include "model/subscriber.h"

struct topic {
    struct id id, environment;
    struct str key, name;
    struct str data;                    /* JSON object text; p NULL: none */
    int64_t created_at, updated_at;
};

enum { TOPIC_KEY_MAX = 512 };
/* ^[a-zA-Z0-9_:.-]+$ or an e-mail address (rest-api.md §3.3), at most TOPIC_KEY_MAX bytes. */
bool topic_key_valid(struct str key);
/* Inserts with t->id, or, if the key is taken, changes what t brings: a name that is not empty, data that is not p NULL.
 * *created; t is what is stored. */
bool topic_upsert(struct db *db, struct arena *a, struct topic *t, bool *created, struct error *err);
bool topic_find(struct db *db, struct arena *a, struct id environment, struct str key, struct topic *out, struct error *err);
/* Before a change of some of its fields: under PostgreSQL the row is held until the transaction ends. Not for readers. */
bool topic_find_locked(struct db *db, struct arena *a, struct id environment, struct str key, struct topic *out, struct error *err);
bool topic_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct topic *out,
                      struct error *err);
/* Name, data and time of t. */
bool topic_update(struct db *db, const struct topic *t, struct error *err);
/* Hides the topic at once; what hung on it goes in chunks (removal.h). ERROR_NOT_FOUND if it is not there. */
bool topic_delete(struct db *db, struct id environment, struct id id, int64_t now, struct error *err);

struct topic_query {
    struct str key, name;               /* case-insensitive substring; empty: any */
    bool by_key;                        /* ordered by it, whatever page says */
    struct page_query page;
};
/* Items: struct topic. */
bool topic_list(struct db *db, struct arena *a, struct id environment, const struct topic_query *q, struct page *page,
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
/* An existing (topic, identifier) is returned unchanged with *created false; s is what is stored. */
bool topic_subscribe(struct db *db, struct arena *a, struct topic_subscription *s, bool *created, struct error *err);
/* One of this subscriber's, of whatever topic. */
bool topic_subscription_find_of(struct db *db, struct arena *a, struct id subscriber, struct str identifier,
                                struct topic_subscription *out, struct error *err);
bool topic_subscription_find(struct db *db, struct arena *a, struct id topic, struct str identifier,
                             struct topic_subscription *out, struct error *err);
/* As topic_find_locked. */
bool topic_subscription_find_locked(struct db *db, struct arena *a, struct id topic, struct str identifier,
                                    struct topic_subscription *out, struct error *err);
/* Name and time. */
bool topic_subscription_update(struct db *db, const struct topic_subscription *s, struct error *err);
/* All of one subscriber to one topic, oldest first. */
bool topic_subscriptions_of(struct db *db, struct arena *a, struct id topic, struct id subscriber,
                            struct topic_subscription **out, size_t *n, struct error *err);
/* With its preference rows. */
bool topic_unsubscribe(struct db *db, const struct topic_subscription *s, struct error *err);

/* A subscription with both ends. */
struct topic_membership {
    struct topic_subscription subscription;
    struct topic topic;
    struct subscriber subscriber;
};
struct topic_membership_query {
    struct id topic, subscriber;        /* zero: any; one of them is given */
    struct str topic_key;               /* substring of the topic's key; empty: any */
    const struct str *context;          /* NULL: any */
    struct page_query page;
};
/* Items: struct topic_membership. Those whose topic or subscriber was deleted are not seen. */
bool topic_membership_list(struct db *db, struct arena *a, struct id environment, const struct topic_membership_query *q,
                           struct page *page, struct error *err);

/* --- fan-out ------------------------------------------------------------------------------------------- */

/* Who is next: at most max distinct subscribers (internal ids, ascending, beyond `after`) of any of these topics, whose
 * subscription has exactly this context. Each comes with all its subscriptions of that context to these topics. Fewer than max:
 * there are no more. A subscriber that was just deleted may still be among them. */
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
