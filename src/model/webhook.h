/* Webhooks to the customer (bridge-cli.md §8): endpoints, what is to be told, and the attempts to tell it.
 *
 * Something that happened is one message, written in the transaction that makes it so, with one delivery for each endpoint
 * that wants its type. An environment without endpoints pays one look at an empty index for it.
 */
#ifndef MODEL_WEBHOOK_H
#define MODEL_WEBHOOK_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"
#include "model/subscriber.h"

/* Stored: only append. */
enum webhook_type {
    WEBHOOK_WORKFLOW_CREATED, WEBHOOK_WORKFLOW_UPDATED, WEBHOOK_WORKFLOW_DELETED, WEBHOOK_WORKFLOW_PUBLISHED,
    WEBHOOK_MESSAGE_SENT, WEBHOOK_MESSAGE_FAILED, WEBHOOK_MESSAGE_DELIVERED, WEBHOOK_MESSAGE_SEEN, WEBHOOK_MESSAGE_READ,
    WEBHOOK_MESSAGE_UNREAD, WEBHOOK_MESSAGE_ARCHIVED, WEBHOOK_MESSAGE_UNARCHIVED, WEBHOOK_MESSAGE_SNOOZED,
    WEBHOOK_MESSAGE_UNSNOOZED, WEBHOOK_MESSAGE_DELETED, WEBHOOK_PREFERENCE_UPDATED, WEBHOOK_EMAIL_RECEIVED, WEBHOOK_CIRCUIT_OPENED, WEBHOOK_CIRCUIT_CLOSED,
    WEBHOOK_TYPES
};
/* "message.sent" */
struct str webhook_type_name(enum webhook_type t);
bool webhook_type_parse(struct str name, enum webhook_type *out);

enum webhook_disabled { WEBHOOK_ENABLED, WEBHOOK_OFF, WEBHOOK_GAVE_UP };

struct webhook_endpoint {
    struct id id, environment;
    struct str url, description;
    unsigned types;                     /* bits 1 << enum webhook_type; 0: all */
    enum webhook_disabled disabled;
    struct str headers;                 /* sealed JSON object of texts; p NULL: none */
    int64_t rate_limit;                 /* messages a second; 0: any number */
    struct str secret, old_secret;      /* sealed "whsec_…"; old p NULL: none */
    int64_t old_secret_until;           /* it signs too until then */
    int64_t failing_since;              /* 0: the last attempt succeeded, or there was none */
    int64_t created_at, updated_at;
};

static inline bool webhook_wants(const struct webhook_endpoint *e, enum webhook_type t)
{
    return !e->types || e->types & 1u << t;
}

enum {
    WEBHOOK_ENDPOINTS_MAX = 50,         /* of an environment */
    WEBHOOK_ATTEMPTS_MAX = 8,
    WEBHOOK_ANSWER_MAX = 1024           /* bytes of an answer that are kept */
};

bool webhook_endpoint_insert(struct db *db, const struct webhook_endpoint *e, struct error *err);
/* Everything but id, environment and created_at. */
bool webhook_endpoint_update(struct db *db, const struct webhook_endpoint *e, struct error *err);
bool webhook_endpoint_delete(struct db *db, struct id environment, struct id id, struct error *err);
/* ERROR_NOT_FOUND. */
/* locked: for a write of what is worked out from what is stored, see subscriber_find_locked. */
bool webhook_endpoint_find_locked(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_endpoint *out,
                                  struct error *err);
bool webhook_endpoint_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_endpoint *out,
                           struct error *err);
/* All of an environment, oldest first. */
bool webhook_endpoint_list(struct db *db, struct arena *a, struct id environment, struct webhook_endpoint **out, size_t *n,
                           struct error *err);
bool webhook_endpoint_count(struct db *db, struct id environment, int64_t *n, struct error *err);

/* --- telling (webhook_emit.c) ---------------------------------------------------------------------------------- */

/* Who listens in an environment, as of one transaction. */
struct webhook_ears {
    struct id environment, organization;
    struct str identifier;              /* of the environment */
    const struct webhook_endpoint *endpoints;
    size_t n;                           /* 0: nobody; nothing of the rest is filled */
    struct arena *arena;                /* of all that is made here */
    struct subscriber person;           /* whom the last message was about */
};
/* In the transaction that changes things. */
bool webhook_listen(struct db *db, struct arena *a, struct id environment, struct webhook_ears *out, struct error *err);
/* data: the JSON text of the member of that name. person: whom it is about, zero for nobody. */
bool webhook_emit(struct db *db, const struct webhook_ears *ears, enum webhook_type type, struct id person, struct str data,
                  int64_t now, struct error *err);
/* To this endpoint alone, whatever it wants. *message: what it got. */
bool webhook_emit_test(struct db *db, const struct webhook_ears *ears, const struct webhook_endpoint *e, enum webhook_type type,
                       struct str data, int64_t now, struct id *message, struct error *err);
/* About a message as it is stored now: after a change of it, before it is deleted. One that is not there is nothing to tell
 * of. error: why it failed; empty for all else. */
bool webhook_emit_message(struct db *db, struct webhook_ears *ears, enum webhook_type type, struct id message, struct str error,
                          int64_t now, struct error *err);
/* The two in one, for a change of a single message. */
bool webhook_tell_message(struct db *db, struct id environment, enum webhook_type type, struct id message, int64_t now,
                          struct error *err);
/* {"object": …[, "previousObject": …]} for things that are JSON already. */
struct str webhook_data(struct arena *a, struct str object, struct str previous);

/* --- delivering ------------------------------------------------------------------------------------------------ */

struct webhook_message {
    struct id id, environment;
    enum webhook_type type;
    bool test;
    struct str body;
    int64_t created_at;
};
bool webhook_message_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_message *out,
                          struct error *err);

struct webhook_message_query {
    int type;                           /* -1: any */
    struct page_query page;
};
/* Items: struct webhook_message. */
bool webhook_message_list(struct db *db, struct arena *a, struct id environment, const struct webhook_message_query *q,
                          struct page *page, struct error *err);

struct webhook_delivery {
    struct id id, environment, endpoint, message;
    enum webhook_state { WEBHOOK_WAITS, WEBHOOK_DONE, WEBHOOK_FAILED } state;
    int attempt;
    int64_t due_at;
    struct id owner;
    int64_t updated_at;
};
bool webhook_delivery_find(struct db *db, struct arena *a, struct id environment, struct id id, struct webhook_delivery *out,
                           struct error *err);
/* Those of a message. */
bool webhook_delivery_list(struct db *db, struct arena *a, struct id message, struct webhook_delivery **out, size_t *n,
                           struct error *err);
/* Is this attempt still wanted? Holds the row until the end of the transaction. */
bool webhook_delivery_hold(struct db *db, struct id environment, struct id id, int attempt, bool *held, struct error *err);
/* Writes state, attempt and due_at; nobody owns it then. */
bool webhook_delivery_move(struct db *db, const struct webhook_delivery *d, struct error *err);
/* The first that waits; due_at INT64_MAX: none does. */
bool webhook_delivery_first(struct db *db, struct arena *a, struct webhook_delivery *out, struct error *err);
/* When the next one after now is due; INT64_MAX: none. */
bool webhook_delivery_next(struct db *db, int64_t now, int64_t *due_at, struct error *err);
/* An endpoint's that are due, in order. */
bool webhook_delivery_due(struct db *db, struct arena *a, struct id endpoint, int64_t now, int max, struct webhook_delivery **out,
                          size_t *n, struct error *err);
/* For processes that share the store: the same of those that are the process `owner`'s already, or that it makes its own since
 * they belong to nobody whose lease holds. */
bool webhook_delivery_claim(struct db *db, struct arena *a, struct id endpoint, int64_t now, struct id owner, int64_t real_now, int max,
                            struct webhook_delivery **out, size_t *n, struct error *err);
/* Gives up some that are due and whose endpoint is disabled or gone; *n: how many. */
bool webhook_delivery_drop(struct db *db, int64_t now, int max, int64_t *n, struct error *err);
/* Every endpoint of the store that is to be served, of all environments. */
bool webhook_endpoint_served(struct db *db, struct arena *a, struct webhook_endpoint **out, size_t *n, struct error *err);
/* Success ends a time of failure, failure begins one; after WEBHOOK_PATIENCE_MS of nothing else the endpoint is disabled. */
#define WEBHOOK_PATIENCE_MS (5 * 86400000LL)
bool webhook_endpoint_note(struct db *db, struct id environment, struct id endpoint, bool succeeded, int64_t now, struct error *err);
/* From the end of attempt n (from 1) to the next one. */
int64_t webhook_pause(int n);

struct webhook_attempt {
    struct id id, environment, endpoint, message;
    int attempt;
    bool succeeded;
    int status;                         /* 0: no answer */
    struct str answer, error;           /* clean texts, at most WEBHOOK_ANSWER_MAX bytes */
    int64_t took_ms, created_at;
    enum webhook_type type;             /* of the message; only read */
};
bool webhook_attempt_insert(struct db *db, const struct webhook_attempt *x, struct error *err);

struct webhook_attempt_query {
    struct id endpoint;
    struct id message;                  /* zero: any */
    int succeeded;                      /* -1: any */
    struct page_query page;
};
/* Items: struct webhook_attempt. */
bool webhook_attempt_list(struct db *db, struct arena *a, struct id environment, const struct webhook_attempt_query *q,
                          struct page *page, struct error *err);

/* --- again, by hand -------------------------------------------------------------------------------------------- */

/* One message to one endpoint, whatever became of it before. ERROR_NOT_FOUND: there is no such message. */
bool webhook_resend(struct db *db, struct arena *a, const struct webhook_endpoint *e, struct id message, int64_t now, struct error *err);
enum { WEBHOOK_AGAIN_MAX = 1000 };      /* a call */
/* Those that were given up since. *n: how many, at most WEBHOOK_AGAIN_MAX; call again if so many. */
bool webhook_recover(struct db *db, const struct webhook_endpoint *e, int64_t since, int64_t now, int64_t *n, struct error *err);
/* Those that it wants and that were never meant for it: from before it was made, or while it was disabled or wanted others.
 * after: the last one that was looked at, zero to begin. */
bool webhook_replay_missing(struct db *db, struct arena *a, const struct webhook_endpoint *e, int64_t since, int64_t now,
                            struct id *after, int64_t *n, bool *more, struct error *err);

/* The whole of what is sent; environment: its identifier. */
struct str webhook_body(struct arena *a, struct id id, enum webhook_type type, struct str data, struct str environment, int64_t now);
/* Ordered by time to the millisecond. */
struct id webhook_id(int64_t now);
/* "msg_…" of the wire or the bare id. */
bool webhook_message_id_parse(struct str s, struct id *out);

#endif
