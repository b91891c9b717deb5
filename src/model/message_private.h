/* What message.c and inbox.c share. */
#ifndef MODEL_MESSAGE_PRIVATE_H
#define MODEL_MESSAGE_PRIVATE_H

#include "model/message.h"

#include "base/clock.h"

#define MESSAGE_COLUMNS                                                                                              \
    "id, environment_id, subscriber_id, run_id, job_id, workflow_id, channel, context, severity, seen, read, archived, " \
    "snoozed_until, status, first_seen_at, last_seen_at, last_read_at, archived_at, doc, created_at, updated_at"

void message_read(struct db_stmt *s, struct arena *a, struct message *m);
bool message_collect(struct db_stmt *s, struct arena *a, struct message **out, size_t *n, struct error *err);

#endif
