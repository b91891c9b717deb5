/* What message.c and inbox.c share. */
#ifndef MODEL_MESSAGE_PRIVATE_H
#define MODEL_MESSAGE_PRIVATE_H

#include "model/message.h"

#include "base/clock.h"

#define MESSAGE_COLUMNS_OF(p)                                                                                          \
    p "id, " p "environment_id, " p "subscriber_id, " p "run_id, " p "job_id, " p "workflow_id, " p "channel, " p "context, " \
    p "severity, " p "seen, " p "read, " p "archived, " p "snoozed_until, " p "status, " p "first_seen_at, " p "last_seen_at, " \
    p "last_read_at, " p "archived_at, " p "doc, " p "created_at, " p "updated_at"
#define MESSAGE_COLUMNS MESSAGE_COLUMNS_OF("")

/* In column tags: only the document tells. */
#define MESSAGE_TAGS_UNKNOWN "?"

void message_read(struct db_stmt *s, struct arena *a, void *out);
bool message_collect(struct db_stmt *s, struct arena *a, struct message **out, size_t *n, struct error *err);

#endif
