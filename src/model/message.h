/* Messages: what reached, or should have reached, one person on one channel (engine.md §7.2). */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include "base/json.h"
#include "db/db.h"
#include "model/subscriber.h"
#include "model/types.h"

struct message {
    struct id id, environment, subscriber, run, job, workflow;
    enum channel channel;
    struct str context;
    enum severity severity;
    bool seen, read, archived;
    int64_t snoozed_until;                      /* 0: not snoozed */
    enum message_status status;
    int64_t first_seen_at, last_seen_at, last_read_at, archived_at;     /* 0: never */
    /* {transactionId, templateIdentifier, stepId, providerId, subject, content, avatar, cta, data, tags, email, phone,
     *  title, identifier, errorId, errorText, deliveredAt:[ms…], workflow:{…}} */
    struct str doc;
    bool untagged;                              /* for message_insert: doc has no tags, which it need not look for */
    struct str provider_message_id;             /* for message_update_delivery: just told; p NULL: as it is */
    int64_t created_at, updated_at;
};

/* Inserts, or when the same job runs again replaces content and resets seen (engine.md §7.3 in_app). */
bool message_insert(struct db *db, const struct message *m, struct error *err);
/* Status, doc and the provider's id of a message that is being delivered. */
bool message_update_delivery(struct db *db, const struct message *m, struct error *err);
/* By what its provider calls it; the newest, should that not be unique. */
bool message_find_by_provider_id(struct db *db, struct arena *a, struct id environment, struct str provider_message_id,
                                 struct message *out, struct error *err);
bool message_find(struct db *db, struct arena *a, struct id environment, struct id id, struct message *out,
                  struct error *err);
bool message_delete(struct db *db, struct id environment, struct id id, bool *deleted, struct error *err);
/* Messages of all runs of an event; channel -1: all. people gets the subscribers whose Inbox changed (at most max). */
bool message_delete_by_event(struct db *db, struct id environment, struct id event, int channel, int64_t now, struct id *people,
                             size_t max, size_t *people_n, int64_t *deleted, struct error *err);
bool message_list_by_run(struct db *db, struct arena *a, struct id environment, struct id run, struct message **out, size_t *n,
                         struct error *err);

struct message_query {
    int channel;                                /* -1: any */
    struct id subscriber;                       /* zero: any */
    const struct id *runs;                      /* NULL: any */
    size_t runs_n;
    int seen, read;                             /* 0, 1; -1: any */
    const struct str *context;                  /* exactly; NULL: any */
    int64_t offset;
    int limit;
};
/* What a v1 client does with a message (rest-api.md §6.2). A read one is seen, an unseen one unread. */
enum message_mark { MARK_READ, MARK_SEEN, MARK_UNREAD, MARK_UNSEEN };
/* *changed: it was in another state; m is as it is afterwards. */
bool message_mark(struct db *db, struct message *m, enum message_mark mark, int64_t now, bool *changed, struct error *err);
/* In-app messages of a subscriber, in every context, that are in another state: at most max a call. */
bool message_mark_all(struct db *db, struct id environment, struct id subscriber, enum message_mark mark, int64_t now, int max,
                      int64_t *changed, struct error *err);

/* Of an environment, newest first; of one subscriber, by the age of their runs, those without one at the end. */
bool message_list(struct db *db, struct arena *a, struct id environment, const struct message_query *q,
                  struct message **out, size_t *n, struct error *err);
enum { MESSAGES_COUNTED = 1000 };
/* How many the whole list has, at most MESSAGES_COUNTED; limit and offset do not matter. */
bool message_count(struct db *db, struct arena *a, struct id environment, const struct message_query *q, int64_t *n, struct error *err);

/* A trigger's payload as its messages show it: JSON text without `attachments` (engine.md §1.8), which name where files
 * are kept. NULL: `{}`. */
struct str message_payload_text(struct arena *a, yyjson_val *payload);

/* The stored form as REST (/v1/messages) and the socket send it. subscriber and payload may be NULL/empty. */
yyjson_mut_val *message_json(yyjson_mut_doc *d, const struct message *m, yyjson_val *doc, struct id organization,
                             const struct subscriber *subscriber, struct str payload);

#endif
