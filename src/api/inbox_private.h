/* What the files of the Inbox API share. */
#ifndef API_INBOX_PRIVATE_H
#define API_INBOX_PRIVATE_H

#include "api/app.h"
#include "model/context.h"
#include "model/inbox.h"

enum { INBOX_BODY_MAX = 256 * 1024 };

/* --- inbox_filter.c: the filters of inbox-realtime.md §2.2–2.5. What is a mistake of form is added to checks (422);
 * what the contract answers with 400 makes them return false with err filled. */

/* Of a list's query. What was understood is added to echo. */
bool inbox_filter_from_query(struct checks *c, struct inbox_filter *f, yyjson_mut_doc *d, yyjson_mut_val *echo,
                             struct error *err);
/* Of one element of the count's `filters`. */
bool inbox_filter_from_json(struct checks *c, size_t index, yyjson_val *v, struct inbox_filter *f, struct error *err);
/* Of the body of a write to many: {tags, data, notificationIds}. */
bool inbox_filter_from_body(struct checks *c, yyjson_val *body, struct inbox_filter *f, struct error *err);
/* The query's tags and severities alone, as preferences take them. */
void inbox_filter_labels(struct checks *c, struct inbox_filter *f);

/* --- inbox_canonical.c */

/* Canonical JSON (inbox-realtime.md §1.4): members sorted, no white space. escaped: control characters in texts are
 * written as JSON.stringify does, else as they are. */
struct str canonical_json(struct arena *a, yyjson_val *v, bool escaped);

/* Does a person's token ask, and not an API key? */
static inline bool inbox_is_person(const struct request *rq)
{
    return !id_is_zero(rq->principal.subscriber);
}
/* The messages that a token gives. */
static inline struct inbox_owner inbox_owner_of(const struct request *rq)
{
    return (struct inbox_owner){rq->principal.environment, rq->principal.subscriber,
                                rq->principal.context.p ? rq->principal.context : STR("")};
}

/* --- inbox.c: the token's subscriber. false: there is none any more, and the request is answered. */
bool inbox_caller_read(struct request *rq, struct subscriber *s);
bool inbox_caller_known(struct request *rq);

/* --- inbox.c: whose messages a request is about: the caller's own, or, with an API key, those of the path's subscriber. */
struct inbox_scope {
    struct inbox_view view;
    struct subscriber subscriber;
};
/* Handlers of both doors: /v1/inbox/notifications and /v2/subscribers/{subscriberId}/notifications. */
void inbox_handle_list(struct request *rq);
void inbox_handle_count(struct request *rq);
void inbox_handle_read(struct request *rq);
void inbox_handle_unread(struct request *rq);
void inbox_handle_archive(struct request *rq);
void inbox_handle_unarchive(struct request *rq);
void inbox_handle_snooze(struct request *rq);
void inbox_handle_unsnooze(struct request *rq);
void inbox_handle_complete(struct request *rq);
void inbox_handle_revert(struct request *rq);
void inbox_handle_delete(struct request *rq);
void inbox_handle_read_all(struct request *rq);
void inbox_handle_archive_all(struct request *rq);
void inbox_handle_read_archive(struct request *rq);
void inbox_handle_delete_all(struct request *rq);
void inbox_handle_seen(struct request *rq);

/* --- handlers elsewhere */
void inbox_handle_event(struct request *rq);
void inbox_handle_session(struct request *rq);
void inbox_handle_widget_session(struct request *rq);     /* §3 */
void inbox_handle_preferences(struct request *rq);
void inbox_handle_global_preference(struct request *rq);
void inbox_handle_global_preference_write(struct request *rq);
void inbox_handle_workflow_preference_write(struct request *rq);
void inbox_handle_subscription_preference_write(struct request *rq);
void inbox_handle_bulk_preferences(struct request *rq);
void inbox_handle_subscriptions(struct request *rq);
void inbox_handle_subscription(struct request *rq);
void inbox_handle_subscribe(struct request *rq);
void inbox_handle_subscription_write(struct request *rq);
void inbox_handle_unsubscribe(struct request *rq);

#endif
