/* A topic subscription with its preferences: what the REST API and the Inbox share (rest-api.md §6.5, inbox-realtime.md §2.10). */
#ifndef API_SUBSCRIPTION_VIEW_H
#define API_SUBSCRIPTION_VIEW_H

#include "api/preference_view.h"
#include "model/topic.h"

enum { SUBSCRIPTION_PREFERENCES_MAX = 100, SUBSCRIPTION_IDENTIFIER_MAX = 512 };

/* One wish about one workflow, read from `preferences` of a body. */
struct subscription_wish {
    struct id workflow;
    bool enabled;
    struct str condition;               /* JSON-logic text, "true" or "false" among it; p NULL: none */
};
struct subscription_wishes {
    struct subscription_wish *all;
    size_t n;
};
/* "workflowId" | {workflowId, enabled?, condition?} | {filter: {workflowIds?, tags?}, enabled?, condition?}; of several
 * about one workflow the first counts. Mistakes of form are added to c; a workflow that is not there is passed over, as upstream
 * does (apps/api/src/app/subscriptions/usecases/create-subscriptions): a page that names a deleted one still subscribes. */
void subscription_wishes_read(struct checks *c, yyjson_val *list, const struct workflow_set *workflows, struct subscription_wishes *out);
/* The rows of a subscription become exactly these. For api_write.apply. */
bool subscription_wishes_store(struct request *rq, struct db *db, const struct topic_subscription *s,
                               const struct subscription_wishes *wishes, struct error *err);

/* [{subscriptionId, workflow, enabled, condition?}], oldest first; of workflows that are gone nothing is shown. */
yyjson_mut_val *subscription_preferences_json(struct request *rq, yyjson_mut_doc *d, const struct topic_subscription *s,
                                              const struct preference *rows, size_t n, const struct workflow_set *workflows);

/* 1 to SUBSCRIPTION_IDENTIFIER_MAX characters, none of them a control character. */
bool subscription_identifier_valid(struct str s);

/* The topic of this key, made if it is missing. name: empty for none; with renames one that is there takes it too (a browser may
 * not do that to what others share). For api_write.apply. */
bool topic_provide(struct request *rq, struct db *db, struct str key, struct str name, bool renames, struct topic *out, struct error *err);

/* A key that a topic may have; false: the request was answered with 400. */
bool topic_key_ok(struct request *rq, struct str key);

#endif
