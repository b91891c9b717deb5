/* The Inbox: one person's in-app messages in one context (inbox-realtime.md §2, §6). */
#ifndef MODEL_INBOX_H
#define MODEL_INBOX_H

#include "model/message.h"

struct inbox_owner {
    struct id environment, subscriber;
    struct str context;                 /* exactly these messages: sorted keys joined by "," */
};

enum { INBOX_COUNT_CAP = 100 };         /* counts stop at 100; one more says "more" */

struct inbox_counts {
    int unseen, unread;                 /* at most cap + 1 */
    int by_severity[SEVERITIES];        /* unread, not archived, not snoozed; at most cap + 1 each */
};
/* Read from the index of unread messages, never more than 4 × 101 entries. */
bool inbox_counts(struct db *db, const struct inbox_owner *o, struct inbox_counts *out, struct error *err);

/* -1: not asked. Tags: AND of OR groups; data: JSON filter of inbox-realtime.md §2.4, NULL: none. */
struct inbox_filter {
    int read, seen, archived, snoozed;
    unsigned severities;                /* bits; 0: any */
    int64_t created_gte, created_lte;   /* ms; 0: none */
    const struct str *tags;             /* one OR group per tag_groups entry, back to back */
    const size_t *tag_groups;
    size_t tag_groups_n;
    yyjson_val *data;
    struct id *ids;                     /* only these; NULL: any */
    size_t ids_n;
    int scan_max;                       /* rows whose documents a list or count may read; 0: 5,000 */
};
void inbox_filter_init(struct inbox_filter *f);
/* The filter's tags alone, against a list of tags. */
bool inbox_tags_match(const struct inbox_filter *f, yyjson_val *tags);
/* Is this value of a data filter {"or":[…]} or {"and":[…]}, and not a nested object? */
bool inbox_data_is_group(yyjson_val *v, const char *kind);

struct inbox_page {
    struct message *items;
    size_t n;
    bool has_more;
};
/* Newest first. after: id of the last item of the page before (ERROR_BAD_INPUT "Invalid after id" if it is not one of
 * this person's), zero: from the newest, skipping offset. */
bool inbox_list(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, struct id after,
                int64_t offset, int limit, struct inbox_page *page, struct error *err);
/* The Inbox in several contexts at once, as the API sees it when it asks for none in particular (rest-api.md §6.3). */
struct inbox_view {
    struct id environment, subscriber;
    const struct str *contexts;
    size_t n;
    bool any;                           /* contexts are all that the person has messages in */
};
enum { INBOX_CONTEXTS_MAX = 200 };      /* of one person; in those beyond, messages are reached by their ids only */
/* Those that the person has messages in, sorted. */
bool inbox_contexts(struct db *db, struct arena *a, struct id subscriber, const struct str **out, size_t *n, struct error *err);
/* Where a message that somebody names is. ERROR_NOT_FOUND. */
bool inbox_view_owner(struct db *db, struct arena *a, const struct inbox_view *v, struct id id, struct inbox_owner *out,
                      struct error *err);
/* inbox_list and inbox_count over all of them. */
bool inbox_view_list(struct db *db, struct arena *a, const struct inbox_view *v, const struct inbox_filter *f, struct id after,
                     int64_t offset, int limit, struct inbox_page *page, struct error *err);
bool inbox_view_count(struct db *db, struct arena *a, const struct inbox_view *v, const struct inbox_filter *f, int cap, int *n,
                      struct error *err);

/* Matches of the filter, at most cap. */
bool inbox_count(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int cap, int *n,
                 struct error *err);

enum inbox_action {
    INBOX_READ, INBOX_UNREAD, INBOX_SEEN, INBOX_ARCHIVE, INBOX_UNARCHIVE, INBOX_DELETE,
    INBOX_READ_ARCHIVE                  /* bulk only: archives those that are read */
};
/* One message of this person. ERROR_NOT_FOUND. */
bool inbox_find(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, struct message *out,
                struct error *err);
/* Applies the action to one message (the changes of inbox-realtime.md §2.6); out is its state afterwards. */
bool inbox_act(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, enum inbox_action action, int64_t now,
               struct message *out, struct error *err);
/* … and to all that match, a bounded part a call, so that no writer is held up by a full Inbox: repeat (in
 * transactions of its own each) until done. Messages that come after the start are left alone. Zero-initialise. */
struct inbox_sweep {
    bool started, done;
    int64_t from_at;                    /* how far it got: everything from here on (newest first) is still to do */
    struct id from;
    size_t ids_done;
    int64_t changed;                    /* so far */
};
bool inbox_act_next(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, enum inbox_action action,
                    int64_t now, struct inbox_sweep *sweep, struct error *err);
/* The whole sweep in the caller's transaction. */
bool inbox_act_all(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f,
                   enum inbox_action action, int64_t now, int64_t *changed, struct error *err);
struct inbox_press {
    struct str button;                  /* "primary" or "secondary" */
    bool done;                          /* else it is reverted */
    yyjson_val *payload;                /* what older clients have kept with the result; NULL: nothing */
};
/* Completes or reverts a button. ERROR_BAD_INPUT if there is no such button. */
bool inbox_complete(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, const struct inbox_press *press,
                    int64_t now, struct message *out, struct error *err);

/* --- snooze (inbox_snooze.c) ---------------------------------------------------------------------------------- */

enum { SNOOZE_MIN_MS = 60000 };
/* Puts it away until then, instead of an earlier choice; a row of the queue brings it back. */
bool inbox_snooze(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, int64_t until, int64_t now,
                  struct message *out, struct error *err);
/* By hand: what was read stays read. ERROR_NOT_FOUND also when it is not snoozed. */
bool inbox_unsnooze(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, int64_t now, struct message *out,
                    struct error *err);
/* The time came (decisions.md 17): like new, and at the top; but what its person archived meanwhile stays archived and as it
 * is, only no longer snoozed. *woke: it is to be announced, out is its state. Not if it was deleted or snoozed again. */
bool inbox_wake(struct db *db, struct arena *a, struct id environment, struct id id, int64_t due_at, int64_t now,
                struct message *out, bool *woke, struct error *err);

/* The object of inbox-realtime.md §2.1. */
yyjson_mut_val *inbox_message_json(yyjson_mut_doc *d, struct arena *a, const struct message *m, const struct subscriber *s);

#endif
