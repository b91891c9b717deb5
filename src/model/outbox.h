/* The built-in outbox: what the demo provider "sent" (beyond.md §4, decisions.md 5 and 6). */
#ifndef MODEL_OUTBOX_H
#define MODEL_OUTBOX_H

#include "base/json.h"
#include "db/db.h"
#include "model/types.h"

struct outbox_message {
    struct id id, environment, message;         /* message: zero when there is none */
    enum channel channel;
    struct str recipient, transaction_id;
    struct str doc;                             /* {from, to, cc, bcc, replyTo, subject, html, text, headers, …} */
    int64_t created_at;
};

bool outbox_insert(struct db *db, const struct outbox_message *m, struct error *err);
bool outbox_find(struct db *db, struct arena *a, struct id environment, struct id id, struct outbox_message *out,
                 struct error *err);
/* id zero: all of the environment. */
bool outbox_delete(struct db *db, struct id environment, struct id id, int64_t *deleted, struct error *err);

struct outbox_query {
    int channel;                                /* -1: any */
    struct str to, transaction_id, q;           /* exact; exact; substring of the document; empty: any */
    struct id after, before;                    /* older than `after`, newer than `before` (cursors); zero: none */
    int limit;
};
/* Newest first. */
bool outbox_list(struct db *db, struct arena *a, struct id environment, const struct outbox_query *q,
                 struct outbox_message **out, size_t *n, struct error *err);
yyjson_mut_val *outbox_json(yyjson_mut_doc *d, struct arena *a, const struct outbox_message *m);

#endif
