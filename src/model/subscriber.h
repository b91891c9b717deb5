/* Subscribers: the people (rest-api.md §6.2). */
#ifndef MODEL_SUBSCRIBER_H
#define MODEL_SUBSCRIBER_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"

/* The profile fields, in the order of the columns. */
enum subscriber_field {
    SUBSCRIBER_FIRST_NAME, SUBSCRIBER_LAST_NAME, SUBSCRIBER_EMAIL, SUBSCRIBER_PHONE, SUBSCRIBER_AVATAR,
    SUBSCRIBER_LOCALE, SUBSCRIBER_TIMEZONE, SUBSCRIBER_DATA, SUBSCRIBER_CHANNELS, SUBSCRIBER_FIELDS
};

struct subscriber {
    struct id id, environment;
    struct str subscriber_id;
    struct str field[SUBSCRIBER_FIELDS];    /* p NULL: null. data and channels are JSON text */
    int is_online;                          /* -1: never set */
    int64_t last_online_at;                 /* 0: never */
    int64_t created_at, updated_at;
};

/* Which fields a write carries, and their values (p NULL clears). */
struct subscriber_patch {
    struct str subscriber_id;
    unsigned present;                       /* bits 1 << enum subscriber_field */
    struct str field[SUBSCRIBER_FIELDS];
};

/* The wire's: "firstName". */
const char *subscriber_field_name(enum subscriber_field f);
/* 1–256 characters after trimming, no control characters (decisions.md 8). */
bool subscriber_id_valid(struct str s);
/* Reads the known fields of a JSON object into p; wrong types add messages ("email must be a string") to
 * messages, which has room for SUBSCRIBER_FIELDS entries. Returns how many. subscriberId is read if present. */
size_t subscriber_patch_read(struct arena *a, yyjson_val *obj, struct subscriber_patch *p, struct str *messages);
/* Would the patch change anything of s? */
bool subscriber_patch_changes(const struct subscriber_patch *p, const struct subscriber *s);
void subscriber_patch_apply(const struct subscriber_patch *p, struct subscriber *s);

/* ERROR_NOT_FOUND if missing. */
bool subscriber_find(struct db *db, struct arena *a, struct id environment, struct str subscriber_id,
                     struct subscriber *out, struct error *err);
bool subscriber_find_by_id(struct db *db, struct arena *a, struct id environment, struct id id, struct subscriber *out,
                           struct error *err);
/* For a write of what is worked out from what is stored: their channels, their preferences. Under PostgreSQL the row is held
 * until the transaction ends, so that no other process works from the same state. Not for readers. */
bool subscriber_find_locked(struct db *db, struct arena *a, struct id environment, struct str subscriber_id,
                            struct subscriber *out, struct error *err);
bool subscriber_find_by_id_locked(struct db *db, struct arena *a, struct id environment, struct id id, struct subscriber *out,
                                  struct error *err);
/* Inserts with new_id or updates the present fields; *id is the row's id afterwards. */
bool subscriber_upsert(struct db *db, struct id environment, const struct subscriber_patch *p, struct id new_id,
                       int64_t now, struct id *id, struct error *err);
bool subscriber_update(struct db *db, struct id environment, const struct subscriber_patch *p, int64_t now,
                       struct error *err);
bool subscriber_set_online(struct db *db, struct id environment, struct id id, bool online, int64_t now,
                           struct error *err);
/* channels: JSON text (subscriber_channels.h). */
bool subscriber_set_channels(struct db *db, struct id environment, struct id id, struct str channels, int64_t now,
                             struct error *err);
/* At start: nobody is connected to a process that has just begun (inbox-realtime.md §6.3). */
bool subscriber_clear_online(struct db *db, int64_t now, struct error *err);
/* Hides the subscriber at once; what hung on them (runs, messages, subscriptions, preferences) goes in chunks
 * (removal.h). ERROR_NOT_FOUND if missing. */
bool subscriber_delete(struct db *db, struct id environment, struct str subscriber_id, int64_t now, struct error *err);

/* The same, and takes the person out of what is not theirs alone: events for several people, the outbox, kept answers, the
 * request log, channel endpoints (decisions.md 20). Leaves an entry `note` of who did it and when. */
bool subscriber_erase(struct db *db, struct arena *a, struct id environment, struct str subscriber_id, struct id note, struct id user,
                      int64_t now, struct error *err);

struct subscriber_query {
    struct str email, phone, name;          /* case-insensitive substring; empty: no filter */
    struct str subscriber_id;               /* exact */
    struct page_query page;
};
/* Items: struct subscriber. */
bool subscriber_list(struct db *db, struct arena *a, struct id environment, const struct subscriber_query *q,
                     struct page *page, struct error *err);

/* Those with one of these addresses, and those whose address contains text (any case) or who are called so; at most max. It
 * looks at every subscriber of the environment. */
bool subscriber_by_email(struct db *db, struct arena *a, struct id environment, const struct str *emails, size_t emails_n, struct str text,
                         size_t max, struct id *out, size_t *n, struct error *err);

/* For walking over everybody: at most max of those created until created_by, by id, beyond `after`. */
bool subscriber_next(struct db *db, struct arena *a, struct id environment, struct id after, int64_t created_by, size_t max,
                     struct subscriber **out, size_t *n, struct error *err);
bool subscriber_count(struct db *db, struct id environment, int64_t created_by, int64_t *n, struct error *err);

/* The wire form (SubscriberResponseDto). */
yyjson_mut_val *subscriber_json(yyjson_mut_doc *d, const struct subscriber *s, struct id organization);

#endif
